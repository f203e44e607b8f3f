"""What must hold, whatever happens. Each checker watches from outside and trusts no replica."""

from __future__ import annotations

from dataclasses import dataclass, field

from consensus.pbft.messages import Checkpoint, Commit, Message, Prepare, PrePrepare, ViewChange
from consensus.pbft.types import Accuse, CatchUp, Deliver, Halt, Persist
from consensus.pbft.wal import (
    SavedPrepare,
    SavedPrepared,
    SavedViewChange,
    decode_record,
)
from crypto.provider import SignedItem
from ledger.certificates import commit_items, execution_items
from ledger.committee import Epochs
from ledger.errors import CertificateInvalid
from ledger.model import (
    CommitCertificate,
    ExecutionCertificate,
    ExecutionStatement,
    ValidatorSet,
    proposal_digest,
)
from tests.sim import keys
from tests.sim.disk import Entry

RECORDS_MAX = 6  # of a compacted log, per height of the window, and for the view


class Violation(AssertionError):
    """The protocol broke a promise."""


@dataclass(slots=True)
class Checkers:
    validators: ValidatorSet
    chain_id: bytes
    window: int
    liars: frozenset[int]
    committees: Epochs | None = None  # as the first block that decided one says; None: never
    decided: dict[int, bytes] = field(default_factory=dict)  # height -> digest: agreement
    outcomes: dict[int, ExecutionStatement] = field(default_factory=dict)
    expected: dict[int, int] = field(default_factory=dict)  # node -> next delivery: exactly once
    votes: dict[tuple[int, str, int, int], bytes] = field(default_factory=dict)
    # vote -> lowest view that its voter might vote in when the record of it became durable
    durable: dict[tuple[int, str, int, int, bytes], int] = field(default_factory=dict)
    promised: dict[int, int] = field(default_factory=dict)  # node -> lowest view it may vote in
    stated: dict[int, set[int]] = field(default_factory=dict)  # height -> honest who executed it
    stable: int = 0  # highest height that a quorum may have stated: nobody's watermark is higher
    acknowledged: set[bytes] = field(default_factory=set)
    deliveries: int = 0
    catch_ups: int = 0
    accusations: int = 0
    view_max: int = 0

    def committee_at(self, height: int) -> ValidatorSet:
        return self.validators if self.committees is None else self.committees.at(height).validators

    def quorum_at(self, height: int) -> int:
        """Counted here: what the replicas think may be wrong."""
        size = self.committee_at(height).size
        return (size + (size - 1) // 3 + 2) // 2

    def on_epoch(self, node: int) -> None:
        """A new committee counts its views from 0."""
        self.promised.pop(node, None)

    def on_start(self, node: int, head: int) -> None:
        self.expected[node] = head + 1

    def on_persist(self, node: int, effect: Persist) -> None:
        record = decode_record(effect.record)
        if isinstance(record, SavedPrepare):
            key = (node, "prepare", record.view, record.height, record.digest)
            self.durable.setdefault(key, self.promised.get(node, 0))
        elif isinstance(record, SavedPrepared):
            certificate = record.certificate
            key = (node, "commit", certificate.view, certificate.height, certificate.digest)
            self.durable.setdefault(key, self.promised.get(node, 0))
        elif isinstance(record, SavedViewChange):
            self.promised[node] = max(self.promised.get(node, 0), record.view_change.view)

    def on_say(self, node: int, message: Message) -> None:
        """An honest replica never contradicts itself, in this life or another."""
        match message:
            case PrePrepare():
                proposal = message.proposal
                digest = proposal_digest(proposal)
                self._vote(node, "prepare", message.view, proposal.height, digest)
            case Prepare():
                self._vote(node, "prepare", message.view, message.height, message.digest)
            case Commit():
                self._vote(node, "commit", message.view, message.height, message.digest)
            case ViewChange():
                self.view_max = max(self.view_max, message.view)
                if message.view > self.promised.get(node, 0):
                    raise Violation(f"node {node}: a view change that is not durable")
            case Checkpoint():
                self._outcome(node, message.statement)
                self._state(node, message.statement.height)

    def on_deliver(self, node: int, effect: Deliver) -> None:
        height = effect.proposal.height
        if self.expected[node] != height:
            raise Violation(f"node {node}: {height} delivered instead of {self.expected[node]}")
        self.expected[node] = height + 1
        digest = proposal_digest(effect.proposal)
        if self.decided.setdefault(height, digest) != digest:
            raise Violation(f"node {node}: another proposal was delivered at {height}")
        if effect.certificate.proposal_digest != digest or effect.certificate.height != height:
            raise Violation(f"node {node}: the commit certificate of {height} is for another")
        self._check_certificate(node, effect.certificate)
        self.deliveries += 1

    def on_commit(self, node: int, entry: Entry) -> None:
        self._outcome(node, entry.statement)
        self._decide(node, entry)
        self.acknowledged.update(entry.included)

    def on_certify(self, node: int, certificate: ExecutionCertificate) -> None:
        self._outcome(node, certificate.statement)
        self._check_certificate(node, certificate)

    def on_synced(self, node: int, head: int) -> None:
        self.expected[node] = max(self.expected[node], head + 1)

    def on_catch_up(self, node: int, effect: CatchUp) -> None:
        self.on_certify(node, effect.certificate)
        self.catch_ups += 1

    def on_accuse(self, node: int, effect: Accuse) -> None:
        validators = self.committee_at(effect.first.epoch + 1).validators
        accused = keys.index_of(validators[effect.first.sender].public_key)
        if accused not in self.liars:
            raise Violation(f"node {node} accuses honest {accused}")
        self.accusations += 1

    def on_halt(self, node: int, effect: Halt) -> None:
        raise Violation(f"node {node} halted: {effect.reason}")

    def on_compacted(self, node: int, records: int) -> None:
        if records > RECORDS_MAX * (self.window + 1):
            raise Violation(f"node {node}: {records} records in a compacted log")

    def _decide(self, node: int, entry: Entry) -> None:
        """All learn of the same committees, each long before it orders."""
        if self.committees is None:
            return
        height, decided = entry.statement.height, entry.next_epoch
        if decided is not None and decided.base > self.committees.newest.base:
            self.committees = self.committees.with_next(decided)
        expected = self.committees.at(height + 1).validators.digest
        if entry.statement.next_validators_hash != expected:
            raise Violation(f"node {node}: another committee after {height}")

    def _outcome(self, node: int, statement: ExecutionStatement) -> None:
        if self.outcomes.setdefault(statement.height, statement) != statement:
            raise Violation(f"node {node}: another outcome of block {statement.height}")

    def _state(self, node: int, height: int) -> None:
        if height > self.stable:
            stated = self.stated.setdefault(height, set())
            stated.add(node)
            if len(stated) + len(self.liars) >= self.quorum_at(height):
                self.stable = height
                self.stated = {h: nodes for h, nodes in self.stated.items() if h > height}

    def _check_certificate(
        self, node: int, certificate: CommitCertificate | ExecutionCertificate
    ) -> None:
        """A quorum of different members signed it."""
        items: list[SignedItem]
        try:
            if isinstance(certificate, CommitCertificate):
                height = certificate.height
                items = commit_items(certificate, self.committee_at(height), self.chain_id)
            else:
                height = certificate.statement.height
                items = execution_items(certificate, self.committee_at(height), self.chain_id)
        except CertificateInvalid as error:
            raise Violation(f"node {node}: {error}") from None
        if len(items) < self.quorum_at(height):
            raise Violation(f"node {node}: a certificate without a quorum")
        if not all(keys.is_valid(item) for item in items):
            raise Violation(f"node {node}: a bad signature in a certificate")

    def _vote(self, node: int, kind: str, view: int, height: int, digest: bytes) -> None:
        members = self.committee_at(height).validators
        if all(member.public_key != keys.public_key(node) for member in members):
            raise Violation(f"node {node}: a {kind} vote at {height}, which others order")
        key = (node, kind, view, height)
        if height > self.stable + self.window:
            raise Violation(f"node {node}: a {kind} vote above the window, at {height}")
        if self.votes.setdefault(key, digest) != digest:
            raise Violation(f"node {node}: two {kind} votes in view {view} at {height}")
        promised = self.durable.get((*key, digest))
        if promised is None:
            raise Violation(f"node {node}: a {kind} vote that is not durable")
        # What was durable before the promise is in its evidence and may be said after it: a crash
        # may have come between the record and the vote.
        if view < promised:
            raise Violation(f"node {node}: a {kind} vote in view {view}, which it had given up")
