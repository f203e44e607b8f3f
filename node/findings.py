"""What lies in a node's `accusations` folder, read for people: who signed what, and who both.

A halt over contradicting certificates means that more than f validators lied or forgot; whoever
signed both sides is among them. Signatures are verified here: a file proves nothing by its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TypeAlias

from consensus.pbft import messages
from consensus.pbft.messages import NewView, SignedMessage
from crypto.provider import SignedItem
from ledger.certificates import VerifyBatch, VoteKind, vote_message
from ledger.committee import Epochs
from ledger.encoding import decode
from ledger.errors import DecodeError
from ledger.model import (
    CommitCertificate,
    ExecutionCertificate,
    ExecutionStatement,
    Signature,
    ValidatorSet,
    execution_message,
    proposal_digest,
)
from node.peer_messages import Bundle

FILE_SIZE_MAX = 64 << 20  # bytes: a halt over a NEW-VIEW of 64 full view changes takes 30 MB

_Record: TypeAlias = (
    ExecutionCertificate | ExecutionStatement | NewView | Bundle | CommitCertificate
)
_RECORDS: tuple[type[_Record], ...] = (
    ExecutionCertificate,
    ExecutionStatement,
    NewView,
    Bundle,
    CommitCertificate,  # and PreparedCertificate, which has the same form
)


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One side of a contradiction. `signers` signed it; of `forged` the signature does not hold."""

    what: str
    signers: tuple[str, ...]
    forged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One file. `both`: who signed both sides, or kept silent about what they had signed."""

    file: str
    reason: str
    exhibits: tuple[Exhibit, ...]
    both: tuple[str, ...]


UNREADABLE = Exhibit("nothing that can be read", (), ())


class Reader:
    """Reads the files of one chain."""

    def __init__(self, epochs: Epochs, verify_batch: VerifyBatch) -> None:
        self._epochs = epochs
        # What a recovery made void was signed under the domain before it.
        self._domains = tuple(dict.fromkeys(epoch.domain for epoch in epochs.all))
        self._verify_batch = verify_batch

    def read(self, folder: Path) -> list[Finding]:
        """Everything in `folder`, by name; a file that cannot be read says so itself."""
        return [self._finding(path) for path in sorted(folder.glob("*.bin"))]

    def _finding(self, path: Path) -> Finding:
        try:
            data = path.read_bytes()
            if path.name.startswith("halt-"):
                halt = decode(data, tuple[str, tuple[bytes, ...]], size_max=FILE_SIZE_MAX)
                return self._halt(path.name, *halt)
            pair = decode(data, tuple[SignedMessage, SignedMessage], size_max=FILE_SIZE_MAX)
            return self._equivocation(path.name, pair)
        except (OSError, DecodeError, IndexError) as error:
            return Finding(path.name, f"it cannot be read: {error}", (UNREADABLE,), ())

    # --- halts ------------------------------------------------------------------------------

    def _halt(self, name: str, reason: str, evidence: Sequence[bytes]) -> Finding:
        records = [_record(data) for data in evidence]
        exhibits = tuple(self._exhibit(record) for record in records)
        both = tuple(n for n in exhibits[0].signers if n in exhibits[1].signers)
        if isinstance(records[0], CommitCertificate) and isinstance(records[1], NewView):
            both = self._silent(records[0], records[1])
        return Finding(name, reason, exhibits, both)

    def _exhibit(self, record: _Record) -> Exhibit:
        match record:
            case ExecutionCertificate():
                return self._certificate(record)
            case CommitCertificate():
                return self._votes(record)
            case NewView():
                return self._new_view(record)
            case Bundle():
                header = record.block.header
                return Exhibit(f"the block of height {header.height}", (), ())
            case ExecutionStatement():
                return Exhibit(f"this node's outcome: {_outcome(record)}", (), ())

    def _certificate(self, record: ExecutionCertificate) -> Exhibit:
        statement = record.statement
        validators = self._validators(statement.height)
        good, bad = self._judged(record.signatures, execution_message(statement), validators)
        return Exhibit(f"execution certificate: {_outcome(statement)}", good, bad)

    def _votes(self, record: CommitCertificate) -> Exhibit:
        """A commit certificate and a prepared certificate look alike; what was signed tells."""
        validators = self._validators(record.height)
        place = f"view {record.view}, proposal {record.proposal_digest.hex()}"
        judged = {}
        for kind, domain in product(VoteKind, self._domains):
            message = vote_message(kind, domain, record.view, record.height, record.proposal_digest)
            judged[kind, domain] = self._judged(record.signatures, message, validators)
        best = max(judged, key=lambda one: len(judged[one][0]))
        name = "commit" if best[0] is VoteKind.COMMIT else "prepared"
        what = f"{name} certificate: height {record.height}, {place}"
        return Exhibit(what, *judged[best])

    def _new_view(self, record: NewView) -> Exhibit:
        validators = self._validators(record.view_changes[0].view_change.epoch + 1)
        good: list[str] = []
        bad: list[str] = []
        for signed in record.view_changes:
            entry = Signature(signed.sender, signed.signature)
            holds, fails = self._judged_one(entry, signed.view_change, validators)
            good += holds
            bad += fails
        return Exhibit(f"the view changes that made view {record.view}", tuple(good), tuple(bad))

    def _silent(self, commit: CommitCertificate, new_view: NewView) -> tuple[str, ...]:
        """Who committed and then changed the view without showing it."""
        committed = {entry.validator for entry in commit.signatures}
        names = self._validators(commit.height).validators
        found = []
        for signed in new_view.view_changes:
            change = signed.view_change
            passed = change.stable is not None and change.stable.statement.height >= commit.height
            shown = any(
                one.height == commit.height and one.view >= commit.view for one in change.prepared
            )
            if signed.sender in committed and not passed and not shown:
                found.append(names[signed.sender].name)
        return tuple(found)

    # --- equivocation -----------------------------------------------------------------------

    def _equivocation(self, name: str, pair: tuple[SignedMessage, SignedMessage]) -> Finding:
        exhibits = tuple(self._message(signed) for signed in pair)
        both = tuple(n for n in exhibits[0].signers if n in exhibits[1].signers)
        return Finding(name, "one validator signed two contradicting messages", exhibits, both)

    def _message(self, signed: SignedMessage) -> Exhibit:
        message = messages.decode_message(signed.message)
        height, what = _said(message)
        entry = Signature(signed.sender, signed.signature)
        return Exhibit(what, *self._judged_one(entry, message, self._validators(height)))

    # --- whose ------------------------------------------------------------------------------

    def _validators(self, height: int) -> ValidatorSet:
        return self._epochs.at(height).validators

    def _judged_one(
        self, entry: Signature, message: messages.Message, validators: ValidatorSet
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        verdicts = [
            self._judged((entry,), messages.signing_bytes(domain, message), validators)
            for domain in self._domains
        ]
        return max(verdicts, key=lambda verdict: len(verdict[0]))

    def _judged(
        self, signatures: Sequence[Signature], message: bytes, validators: ValidatorSet
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of those whose signature over `message` holds, and of those whose does not."""
        if any(not 0 <= entry.validator < validators.size for entry in signatures):
            raise DecodeError("a signer that the committee does not have")
        members = [validators.validators[entry.validator] for entry in signatures]
        items = [
            SignedItem(member.public_key, message, entry.signature)
            for member, entry in zip(members, signatures, strict=True)
        ]
        verdicts = list(zip(members, self._verify_batch(items), strict=True))
        good = tuple(member.name for member, holds in verdicts if holds)
        return good, tuple(member.name for member, holds in verdicts if not holds)


def _record(data: bytes) -> _Record:
    for kind in _RECORDS:
        try:
            return decode(data, kind, size_max=FILE_SIZE_MAX)
        except DecodeError:
            continue
    raise DecodeError("a record of no known kind: use the release that wrote it")


def _said(message: messages.Message) -> tuple[int, str]:
    """Height and words of a message that can contradict another."""
    match message:
        case messages.PrePrepare():
            digest = proposal_digest(message.proposal).hex()
            height = message.proposal.height
            return height, f"pre-prepare: height {height}, view {message.view}, proposal {digest}"
        case messages.Prepare() | messages.Commit():
            name, digest = type(message).__name__.lower(), message.digest.hex()
            where = f"height {message.height}, view {message.view}"
            return message.height, f"{name}: {where}, proposal {digest}"
        case messages.Checkpoint():
            return message.statement.height, f"checkpoint: {_outcome(message.statement)}"
        case _:
            raise DecodeError("a message that contradicts no other")


def _outcome(statement: ExecutionStatement) -> str:
    return (
        f"height {statement.height}, block {statement.block_hash.hex()}, state root "
        f"{statement.state_root.hex()}, receipts root {statement.receipts_root.hex()}"
    )
