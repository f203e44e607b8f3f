"""A node that serves snapshots wrongly, or slowly: the network of `tests.e2e.launcher`.

The control file says how, and may change while the node runs:

    wrong            one byte of a value in every chunk is another
    stale FILE       offers and serves that old snapshot only
    uncertified      offers a newer state with a root of its own, under a certificate it altered
    slow SECONDS     gives one chunk in so many seconds, and says otherwise that it is busy
"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from ledger.encoding import decode, encode
from ledger.snapshot import CHUNK_SIZE_MAX, Chunk, snapshot_digest
from ledger.snapshot_file import SnapshotReader
from node.statesync.messages import (
    Ask,
    Offer,
    Status,
    Told,
    What,
    decode_message,
    decode_offers,
    encode_message,
)
from p2p.queues import Frame

AHEAD = 3  # blocks by which the uncertified state pretends to be newer


class SnapshotAnswers:
    """What becomes of the answers of an honest node."""

    def __init__(self, control: Path, kept: Path) -> None:
        """`kept` is the folder of the node's snapshots."""
        self._control = control
        self._kept = kept
        self._asked: dict[tuple[str, int], Ask] = {}
        self._forged: dict[bytes, bytes] = {}  # manifests by digest
        self._chunk_due_s = 0.0

    def heard(self, frame: Frame) -> None:
        message = decode_message(frame.body)
        if isinstance(message, Ask):
            self._asked[frame.peer_id, message.number] = message

    def altered(self, peer_id: str, body: bytes) -> bytes:
        told = decode_message(body)
        if not isinstance(told, Told):
            return body
        ask = self._asked.pop((peer_id, told.number))
        try:
            kind, _, argument = self._control.read_text().strip().partition(" ")
        except FileNotFoundError:
            return body
        match kind:
            case "wrong":
                told = self._wrong(ask, told)
            case "stale":
                told = self._stale(ask, told, argument)
            case "uncertified":
                told = self._uncertified(ask, told)
            case "slow":
                told = self._slow(ask, told, float(argument))
        return encode_message(told)

    def _wrong(self, ask: Ask, told: Told) -> Told:
        if ask.what != What.CHUNK or told.status != Status.HERE:
            return told
        first, *rest = decode(told.data, Chunk, size_max=CHUNK_SIZE_MAX).entries
        value = bytes([first.value[0] ^ 1]) + first.value[1:]
        forged = Chunk((msgspec.structs.replace(first, value=value), *rest))
        return msgspec.structs.replace(told, data=encode(forged))

    def _stale(self, ask: Ask, told: Told, file: str) -> Told:
        with SnapshotReader(Path(file)) as old:
            if ask.what == What.OFFERS:
                offers = decode_offers(told.data)
                offer = Offer(old.manifest.height, old.digest)
                offers = msgspec.structs.replace(offers, offers=(offer,))
                return msgspec.structs.replace(told, data=encode(offers))
            if ask.digest != old.digest:
                return told
            data = old.data if ask.what == What.MANIFEST else old.chunk(ask.place)
            return Told(told.number, Status.HERE, data)

    def _uncertified(self, ask: Ask, told: Told) -> Told:
        if ask.what == What.MANIFEST and ask.digest in self._forged:
            return Told(told.number, Status.HERE, self._forged[ask.digest])
        if ask.what != What.OFFERS:
            return told
        offers = decode_offers(told.data)
        if not offers.offers:
            return told
        newest = max(offer.height for offer in offers.offers)
        offer = self._forge(newest)
        head = max(offers.head, offer.height)
        offers = msgspec.structs.replace(offers, head=head, offers=(offer,))
        return msgspec.structs.replace(told, data=encode(offers))

    def _forge(self, height: int) -> Offer:
        """A manifest of a later block, whose state is a part of the true one."""
        with SnapshotReader(self._kept / f"{height}.snapshot") as honest:
            manifest = honest.manifest
        certificate, root = manifest.certificate, manifest.nodes[0]
        statement = msgspec.structs.replace(
            certificate.statement, height=height + AHEAD, state_root=root
        )
        certificate = msgspec.structs.replace(certificate, statement=statement)
        forged = msgspec.structs.replace(
            manifest, certificate=certificate, nodes=(root,), splits=b""
        )
        digest = snapshot_digest(forged)
        self._forged[digest] = encode(forged)
        return Offer(height + AHEAD, digest)

    def _slow(self, ask: Ask, told: Told, seconds: float) -> Told:
        if ask.what != What.CHUNK:
            return told
        if time.monotonic() < self._chunk_due_s:
            return Told(told.number, Status.BUSY, b"")
        self._chunk_due_s = time.monotonic() + seconds
        return told
