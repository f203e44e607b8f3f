"""The other side of the door: what takes a backup asks the running node here."""

from __future__ import annotations

import socket
from pathlib import Path

from ledger.encoding import decode, encode
from ledger.errors import DecodeError
from ledger.model import SIGNATURE_SIZE
from node.backup.door import (
    BLOCKS,
    PAST,
    SCRUB,
    SIGN,
    SNAPSHOT,
    SOCKET,
    STANDING,
    Answer,
    Ask,
    Making,
    Standing,
)
from node.backup.errors import NodeAway, NodeRefused
from node.backup.form import CHUNK_SIZE_MAX, MANIFEST_SIZE_MAX
from node.local import LENGTH, reachable
from node.patrol import PatrolState

ANSWER_SIZE_MAX = CHUNK_SIZE_MAX + 256
ANSWER_S = 120.0  # a node under load is slow, not away


class Visitor:
    """Blocks; one question at a time. All methods raise NodeAway or NodeRefused."""

    def __init__(self, data_dir: Path) -> None:
        """Go to the door of the node whose data directory this is."""
        self._data_dir = data_dir
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(ANSWER_S)
        try:
            with reachable(data_dir, SOCKET) as path:
                self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise NodeAway(
                f"no node answers in {data_dir} ({error.strerror}): name the data folder of a "
                "node that runs on this machine, as the user who runs it"
            ) from None

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def standing(self) -> Standing:
        data = self._ask(Ask(STANDING))
        try:
            return decode(data, Standing, size_max=MANIFEST_SIZE_MAX)
        except DecodeError as error:
            raise self._strange(str(error)) from None

    def blocks(self, first: int, last: int) -> bytes:
        """An encoded form.Run of blocks from `first` on: as many as make a chunk."""
        return self._ask(Ask(BLOCKS, first, last))

    def snapshot(self, height: int = 0) -> Making:
        """Order a snapshot of the newest block, or see how that of `height` is coming on."""
        data = self._ask(Ask(SNAPSHOT, height))
        try:
            return decode(data, Making, size_max=64)
        except DecodeError as error:
            raise self._strange(str(error)) from None

    def past(self, first: int) -> bytes:
        """An encoded statesync PastRun of blocks from `first` on."""
        return self._ask(Ask(PAST, first))

    def sign(self, manifest: bytes) -> bytes:
        signature = self._ask(Ask(SIGN, data=manifest))
        if len(signature) != SIGNATURE_SIZE:
            raise self._strange("no signature")
        return signature

    def scrub(self, *, is_new: bool) -> PatrolState:
        """How far the node's patrol is; `is_new`: have one begin."""
        data = self._ask(Ask(SCRUB, first=int(is_new)))
        try:
            return decode(data, PatrolState, size_max=ANSWER_SIZE_MAX)
        except DecodeError as error:
            raise self._strange(str(error)) from None

    def _ask(self, ask: Ask) -> bytes:
        data = encode(ask)
        try:
            self._socket.sendall(LENGTH.pack(len(data)) + data)
            (length,) = LENGTH.unpack(self._exactly(LENGTH.size))
            if length > ANSWER_SIZE_MAX:
                raise self._strange(f"an answer of {length} bytes")
            answer = decode(self._exactly(length), Answer, size_max=ANSWER_SIZE_MAX)
        except OSError as error:
            raise self._gone(error.strerror or str(error)) from None
        except DecodeError as error:
            raise self._strange(str(error)) from None
        if answer.refused:
            raise NodeRefused(f"the node answers: {answer.refused}")
        return answer.data

    def _exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            part = self._socket.recv(count - len(data))
            if not part:
                raise self._gone("it hung up")
            data += part
        return bytes(data)

    def _gone(self, why: str) -> NodeAway:
        return NodeAway(
            f"the node in {self._data_dir} went away ({why}): what was finished is kept; run this "
            "again when it is back"
        )

    def _strange(self, what: str) -> NodeRefused:
        return NodeRefused(
            f"the node's answer is not understood ({what}): use the command line of its release"
        )
