"""What survives a crash: the consensus log, whose last write may be torn, and the ledger."""

from __future__ import annotations

from dataclasses import dataclass, field

from consensus.pbft import wal
from consensus.pbft.types import Persist, Recovered
from ledger.committee import Epoch, Epochs
from ledger.model import (
    CommitCertificate,
    ExecutionCertificate,
    ExecutionStatement,
    Proposal,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A block as the simulator needs it."""

    proposal: Proposal
    commit: CommitCertificate | None  # None: came by block sync
    statement: ExecutionStatement
    included: tuple[bytes, ...]  # what was not already in an earlier block
    next_epoch: Epoch | None = None  # what it decides about the committee


@dataclass(slots=True)
class Disk:
    log: bytearray = field(default_factory=bytearray)
    entries: list[Entry] = field(default_factory=list)  # block h is entries[h - 1]
    included: set[bytes] = field(default_factory=set)
    certificates: dict[int, ExecutionCertificate] = field(default_factory=dict)
    epochs: Epochs | None = None  # None: the committee never changes

    @property
    def head(self) -> int:
        return len(self.entries)

    @property
    def certified(self) -> int:
        """No height up to here lacks its certificate."""
        return len(self.certificates)

    def commit(self, entry: Entry) -> None:
        assert entry.statement.height == self.head + 1
        self.entries.append(entry)
        self.included.update(entry.included)
        if entry.next_epoch is not None:
            assert self.epochs is not None
            self.epochs = self.epochs.with_next(entry.next_epoch)

    def certify(self, certificate: ExecutionCertificate) -> None:
        height = certificate.statement.height
        if height > self.certified:  # block sync may have been faster
            assert height == self.certified + 1 <= self.head, "certificates come in order"
            self.certificates[height] = certificate

    def load(self) -> tuple[Recovered, list[bytes]]:
        """The state to recover from, and the transactions in the log; cuts a torn tail off."""
        frames, end = wal.read_frames(bytes(self.log))
        del self.log[end:]
        recovered = Recovered(
            head=self.head,
            certified=self.certificates.get(self.certified),
            statements=tuple(entry.statement for entry in self.entries[self.certified :]),
            records=tuple(payload for kind, payload in frames if kind == wal.RECORD),
        )
        return recovered, [payload for kind, payload in frames if kind == wal.TRANSACTION]


def frames_of(effect: Persist) -> bytes:
    """The bytes of one synced append: bodies first, then the record that names them."""
    ids = effect.proposal.transaction_ids if effect.proposal is not None else ()
    bodies = b"".join(wal.frame(wal.TRANSACTION, transaction_id) for transaction_id in ids)
    return bodies + wal.frame(wal.RECORD, effect.record)
