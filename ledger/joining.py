"""A ledger that is being made out of a snapshot and the blocks before it, piece by piece.

It is the database that the ledger will be, without what makes it one: the format, the genesis and
the head are written last. Every piece and the note that it is here are one write, so that a
killed download goes on where it was. Pieces are proved before they get here (ledger.snapshot).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ledger.base import base_max
from ledger.committee import Epoch, Epochs
from ledger.disk import Disk
from ledger.encoding import encode
from ledger.errors import LedgerDamaged, SnapshotInvalid
from ledger.genesis import Genesis
from ledger.model import (
    Block,
    CommitCertificate,
    ExecutionCertificate,
    Receipt,
    Record,
    StateWrite,
    block_hash,
)
from ledger.records import Records
from ledger.schema import (
    BASE_KEY,
    BLOCK,
    CERTIFIED_KEY,
    COMMIT_CERTIFICATE,
    COMMITTEE,
    EXECUTION_CERTIFICATE,
    FORMAT,
    FORMAT_KEY,
    GENESIS_KEY,
    HASH,
    HEAD_KEY,
    HEADER,
    PAGE,
    RECEIPTS,
    STATEMENT,
    TRANSACTION,
    Place,
    Receipts,
    at_height,
    number,
    state_key,
)
from ledger.snapshot import Entry, Manifest, decode_manifest
from ledger.state import StateTree
from ledger.stem import STEM_LEVELS

_MANIFEST_KEY = b"!joining"  # the manifest; these keys are gone in a ledger
_DONE = b"!joined"  # + number of a chunk
_PAST_KEY = b"!past"  # height of the newest of the blocks that are here

Pairs = Iterator[tuple[bytes, bytes | None]]


class PastBlock(Record):
    """All that a ledger holds of one height, each of it proved by the certificates."""

    block: Block
    receipts: tuple[Receipt, ...]
    commit_certificate: CommitCertificate
    execution_certificate: ExecutionCertificate


class Joining:
    """One writer. Not a ledger before `finish`."""

    def __init__(self, disk: Disk, manifest: Manifest, genesis: Genesis, data: bytes) -> None:
        """Use `Joining.create` or `Joining.resume`."""
        self._disk = disk
        self._genesis = genesis
        self.manifest = manifest
        self.data = data  # of the manifest
        self.base = base_max(manifest.height, genesis.limits)
        if self.base == 0:
            raise SnapshotInvalid(
                f"a snapshot of block {manifest.height} saves nothing: a ledger holds as many "
                "blocks before it; take the blocks from peers"
            )
        self._tree = StateTree(lambda name: disk.get(PAGE + name))
        snapshot = disk.snapshot()
        self._tree.restore(
            (key[1:], page) for key, page in snapshot.scan(PAGE + bytes([STEM_LEVELS]))
        )
        self._done = {int.from_bytes(key[len(_DONE) :]) for key, _ in snapshot.scan(_DONE)}
        past = disk.get(_PAST_KEY)
        self.next_past = self.base if past is None else int.from_bytes(past) + 1

    @classmethod
    def create(cls, path: Path, manifest: Manifest, genesis: Genesis) -> Joining:
        """Begin at a new `path`. Raises SnapshotInvalid, OSError."""
        data = encode(manifest)
        disk = Disk(path, create=True, is_durable=False)
        disk.write([(_MANIFEST_KEY, data)])
        return cls._on(disk, manifest, genesis, data)

    @classmethod
    def resume(cls, path: Path, genesis: Genesis) -> Joining:
        """Go on with what an earlier life began. Raises LedgerDamaged, DecodeError."""
        disk = Disk(path, is_durable=False)
        data = disk.get(_MANIFEST_KEY)
        if data is None:
            disk.close()
            raise LedgerDamaged(f"{path} holds no download to go on with")
        return cls._on(disk, decode_manifest(data), genesis, data)

    @classmethod
    def _on(cls, disk: Disk, manifest: Manifest, genesis: Genesis, data: bytes) -> Joining:
        try:
            return cls(disk, manifest, genesis, data)
        except BaseException:
            disk.close()
            raise

    @property
    def height(self) -> int:
        """Of the block whose state it will hold."""
        return self.manifest.height

    @property
    def missing(self) -> list[int]:
        """The chunks that are not here."""
        return [index for index in range(len(self.manifest.nodes)) if index not in self._done]

    def get(self, namespace: str, key: bytes) -> bytes | None:
        """The value of a key, as far as chunks are here."""
        return self._disk.get(state_key(namespace, key))

    def previous_hash(self) -> bytes | None:
        """The hash of the newest past block that is here, None while there is none."""
        if self.next_past == self.base:
            return None
        return Records(self._disk).statement(self.next_past - 1).block_hash

    def add_chunk(self, index: int, entries: Sequence[Entry]) -> None:
        """Store the keys of a chunk, which `check_chunk` gave."""
        writes = [StateWrite(entry.namespace, entry.key, entry.value) for entry in entries]
        self._tree.apply(writes)
        self._disk.write(self._chunk_pairs(index, writes))
        self._tree.accept()
        self._done.add(index)

    def add_past(self, blocks: Sequence[PastBlock]) -> None:
        """Store blocks from `next_past` on, which were proved."""
        heights = [past.block.header.height for past in blocks]
        assert heights == list(range(self.next_past, self.next_past + len(heights)))
        assert heights and heights[-1] <= self.height
        self._disk.write(self._past_pairs(blocks))
        self.next_past = heights[-1] + 1

    def finish(self, epochs: Epochs, coming: Epoch | None) -> None:
        """Make it a ledger, and let go of it; durable.

        `epochs` are those that `check_manifest` found, `coming` what the state says of a
        committee that takes over later. Raises SnapshotInvalid.
        """
        assert not self.missing and self.next_past == self.height + 1, "everything is here"
        root = self._tree.root
        if root != self.manifest.state_root:
            raise SnapshotInvalid(
                f"the chunks of the snapshot of block {self.height} give the state root "
                f"{root.hex()}, certified is {self.manifest.state_root.hex()}"
            )
        self._disk.write(self._last_pairs(epochs, coming))
        self._disk.close()

    def close(self) -> None:
        """Let go of it, to go on later."""
        self._disk.close()

    def __enter__(self) -> Joining:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- rows -------------------------------------------------------------------------------

    def _chunk_pairs(self, index: int, writes: Sequence[StateWrite]) -> Pairs:
        for write in writes:
            yield state_key(write.namespace, write.key), write.value
        for name, page in self._tree.staged_pages():
            yield PAGE + name, page
        yield _DONE + index.to_bytes(4), b""

    def _past_pairs(self, blocks: Sequence[PastBlock]) -> Pairs:
        for past in blocks:
            header = past.block.header
            height = header.height
            yield at_height(HEADER, height), encode(header)
            yield at_height(BLOCK, height), encode(past.block)
            yield at_height(RECEIPTS, height), encode(Receipts(past.receipts))
            yield at_height(STATEMENT, height), encode(past.execution_certificate.statement)
            yield at_height(COMMIT_CERTIFICATE, height), encode(past.commit_certificate)
            yield at_height(EXECUTION_CERTIFICATE, height), encode(past.execution_certificate)
            yield HASH + block_hash(header), number(height)
            for index, receipt in enumerate(past.receipts):
                yield TRANSACTION + receipt.transaction_id, encode(Place(height, index))
            yield _PAST_KEY, number(height)

    def _last_pairs(self, epochs: Epochs, coming: Epoch | None) -> Pairs:
        for change in self.manifest.changes:
            if change.base < self.base:
                yield at_height(EXECUTION_CERTIFICATE, change.base), encode(change.certificate)
        decided = (*epochs.decided[1:], *([] if coming is None else [coming]))
        for epoch in decided:
            yield at_height(COMMITTEE, epoch.base), encode(epoch.validators)
        for key, _ in list(self._disk.snapshot().scan(_DONE)):
            yield key, None
        yield _PAST_KEY, None
        yield _MANIFEST_KEY, None
        yield BASE_KEY, number(self.base)
        yield HEAD_KEY, number(self.height)
        yield CERTIFIED_KEY, number(self.height)
        yield GENESIS_KEY, encode(self._genesis)
        yield FORMAT_KEY, FORMAT
