"""VerifyingConnection: a node, or several, of whose answers only what is proved gets through."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TypeVar

from client.account import Account
from client.connection import Connection
from client.errors import Refused
from client.light.errors import (
    AnswerContradicts,
    EventForged,
    OtherAnswer,
    OtherGenesis,
    ProofMissing,
    WentBack,
)
from client.light.follower import Follower
from client.node import (
    PENDING,
    BlockView,
    ChainEvent,
    Outcome,
    Proven,
    StatesProven,
    StateValue,
    Verdict,
)
from client.status import NodeStatus
from ledger.blocks import genesis_block, proposal_of
from ledger.bundle import (
    Certified,
    StateClaim,
    StatesClaim,
    TransactionClaim,
    check_header,
    check_sender,
)
from ledger.certificates import VerifyBatch, verify_commit_certificate
from ledger.errors import OtherBlock, OtherReceipt, OtherTransaction, ProofInvalid
from ledger.genesis import Genesis, chain_id
from ledger.history.pages import WHOLE, AccountEntry, KeyChange, Page, Span, SubjectEntry
from ledger.merkle import PathStep, receipts_root, steps_of, transactions_root
from ledger.model import Transaction, block_hash, proposal_digest, transaction_id
from ledger.proof import StateKey
from ledger.succession import CommitteeChange
from ledger.values import Value, decode_value, encode_value

# A node that is asked may be a block behind another that was asked before.
BEHIND_PATIENCE_S = 3.0
BEHIND_PAUSE_S = 0.1

R = TypeVar("R")


@dataclass(slots=True)
class Findings:
    """What came of a connection so far, to be told with the answer.

    `proved` are the blocks that vouch for the answers. `said` are views, which have no proof of
    their own: a sentence each, by `view_key`; who proves the answer otherwise takes it out.
    """

    proved: list[Certified] = field(default_factory=list)
    is_genesis: bool = False  # block 0 was asked for: the trusted genesis makes it
    said: dict[bytes, str] = field(default_factory=dict)


def view_key(contract: str, method: str, *args: Value) -> bytes:
    """By which `Findings.said` knows a view."""
    return encode_value([contract, method, *args])


class VerifyingConnection:
    """A `Connection`. Beside what others raise every call raises LightError or LedgerError."""

    def __init__(
        self,
        node: Connection,
        follower: Follower,
        verify_batch: VerifyBatch,
        *,
        is_current: bool = True,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`is_current`: answers about the newest state must not be old; else they only have a
        height."""
        self._node = node
        self._follower = follower
        self._verify_batch = verify_batch
        self._is_current = is_current
        self._pause = pause
        self.findings = Findings()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._node.close()

    @property
    def target(self) -> str:
        return self._node.target

    @property
    def chain_id(self) -> bytes:
        """Of the trusted genesis; the node is not asked."""
        return self._follower.trusted.chain_id

    # --- what needs no proof, or has none -----------------------------------------------------

    def submit(self, transaction: Transaction) -> bytes:
        """The id, which the client computed itself."""
        self._node.submit(transaction)
        return transaction_id(transaction)

    def submit_batch(self, transactions: Sequence[Transaction]) -> list[Verdict]:
        return self._node.submit_batch(transactions)

    def submit_encoded(self, transactions: Sequence[bytes]) -> list[Verdict]:
        return self._node.submit_encoded(transactions)

    def status(self) -> NodeStatus:
        """The node's own account of itself: nothing proves it."""
        return self._node.status()

    def view(self, account: Account, contract: str, method: str, *args: Value) -> Value:
        """The node's word: what a program computed has no proof. It is noted as such."""
        value = self._node.view(account, contract, method, *args)
        self.findings.said[view_key(contract, method, *args)] = (
            f"the value of {contract}.{method} is the word of {self.target}: views have no proof"
        )
        return value

    def key_history(self, namespace: str, key: bytes, span: Span = WHOLE) -> Page[KeyChange]:
        """The node's word, as all histories: the proof of a row is that of its transaction, and
        that no row is left out has none."""
        self._note_history("key", namespace, key)
        return self._node.key_history(namespace, key, span)

    def account_history(self, address: str, span: Span = WHOLE) -> Page[AccountEntry]:
        self._note_history("account", address)
        return self._node.account_history(address, span)

    def subject_history(
        self, subject: str | bytes, span: Span = WHOLE, *, contract: str = "", field: str = ""
    ) -> Page[SubjectEntry]:
        self._note_history("subject", subject)
        return self._node.subject_history(subject, span, contract=contract, field=field)

    def _note_history(self, kind: str, *what: Value) -> None:
        self.findings.said[view_key("history", kind, *what)] = (
            f"which rows there are is the word of {self.target}: histories have no proof"
        )

    # --- what is proved -----------------------------------------------------------------------

    def genesis(self) -> Genesis:
        """The trusted one, as the node has it, too."""
        genesis = self._node.genesis()
        if chain_id(genesis) != self.chain_id:
            raise OtherGenesis(
                f"{self.target} sent the genesis of the chain {chain_id(genesis).hex()}; trusted "
                f"is {self.chain_id.hex()} ({self._follower.trusted.source}): it is another "
                "network, or a lie; check --node and --genesis"
            )
        return genesis

    def committee_changes(self, above: int = 0) -> tuple[CommitteeChange, ...]:
        """All that took effect, each proved by the committee before."""
        self._follower.follow(self._node.committee_changes)
        changes = self._follower.trusted.changes
        return tuple(change for change in changes if change.base > above)

    def wait(self, wanted: bytes, *, timeout_s: float = 30.0, proof: bool = True) -> Outcome:
        """Waits until `wanted` is in a certified block; always with its proof."""
        outcome = self._node.wait(wanted, timeout_s=timeout_s, proof=True)
        if outcome.proof is None:  # of a node of an older release
            return self.transaction(wanted)
        return self._checked(outcome, wanted)

    def transaction(self, wanted: bytes, *, proof: bool = True) -> Outcome:
        """A transaction in a certified block; always with its proof."""
        return self._checked(self._node.transaction(wanted, proof=True), wanted)

    def state(self, namespace: str, key: bytes, *, height: int = 0) -> StateValue:
        """A raw state value, or that there is none, proved at `height` or the newest one."""

        def ask() -> StateValue:
            found = self._node.state(namespace, key, height=height)
            claim = StateClaim(namespace, key, found.proof, found.certificate)
            facts = self._follower.state(claim, self._node.committee_changes)
            if found.value != facts.value:
                raise AnswerContradicts(
                    f"the node says one value of {namespace} and proves another: ask another node"
                )
            self._check_height(facts.certified, height)
            self.findings.proved.append(facts.certified)
            return found

        return self._patiently(ask)

    def states(self, keys: Sequence[StateKey], *, height: int = 0) -> StatesProven:
        """Many keys, proved together at `height` or the newest one."""

        def ask() -> StatesProven:
            found = self._node.states(keys, height=height)
            claim = StatesClaim(tuple(keys), found.proof, found.certificate)
            facts = self._follower.states(claim, self._node.committee_changes)
            self._check_height(facts.certified, height)
            self.findings.proved.append(facts.certified)
            return found

        return self._patiently(ask)

    def block(self, height: int) -> BlockView:
        """A certified block, whole, with its receipts, both certificates and all senders."""
        view = self._checked_block(height)
        for transaction in view.block.transactions:
            check_sender(transaction, self._follower.trust)
        return view

    def newest_block(self) -> BlockView:
        """The newest certified block; refused when it is old, or older than one seen before."""

        def ask() -> BlockView:
            view = self.block(self._node.status().certified_height)
            header = view.block.header
            self._follower.check_newest(header.height, header.time_ms)
            return view

        return self._patiently(ask)

    def _patiently(self, ask: Callable[[], R]) -> R:
        """The answer of a node that may be a block behind: asked again for a while."""
        left_s = BEHIND_PATIENCE_S
        while True:
            try:
                return ask()
            except WentBack:
                if left_s <= 0:
                    raise
                left_s -= BEHIND_PAUSE_S
                self._pause(BEHIND_PAUSE_S)

    def events(
        self, *, from_height: int = 0, from_index: int = 0, contract: str = "", name: str = ""
    ) -> Generator[ChainEvent, None, None]:
        """Certified events. Of a block that has one wanted, none is left out; of blocks that the
        node passes over, nothing is known."""
        cursor = (from_height, from_index)
        stream = self._node.events(
            from_height=from_height, from_index=from_index, contract=contract, name=name
        )
        held: dict[tuple[int, int], ChainEvent] = {}  # of the block of the event before
        height = -1
        with closing(stream):
            for told in stream:
                if not told.name:
                    yield told
                    continue
                if told.height != height:
                    if told.height < height:
                        raise EventForged(f"an event of block {told.height} after {height}")
                    height = told.height
                    found = self._events_of(height, contract, name)
                    held = {place: event for place, event in found.items() if place >= cursor}
                    if held.get((told.height, told.index)) == told:
                        yield from held.values()
                if held.get((told.height, told.index)) != told:
                    raise EventForged(
                        f"event {told.height}/{told.index} is not in the certified receipts of "
                        "its block: the node made it up, or altered it; ask another node"
                    )

    # --- inside -------------------------------------------------------------------------------

    def _checked(self, outcome: Outcome, wanted: bytes) -> Outcome:
        proof = outcome.proof
        if proof is None:
            raise ProofMissing(f"the node sent no proof of {wanted.hex()}: ask another node")
        claim = TransactionClaim(
            transaction=outcome.transaction,
            receipt=outcome.receipt,
            transaction_path=_steps(proof, is_receipt=False),
            receipt_path=_steps(proof, is_receipt=True),
            header=proof.header,
            certificate=proof.certificate,
            party=None,
        )
        facts = self._follower.transaction(claim, self._node.committee_changes)
        if facts.transaction_id != wanted:
            raise OtherAnswer(f"the node proved the transaction {facts.transaction_id.hex()}")
        paths = proof.transaction_path, proof.receipt_path
        places = {outcome.index, *(path.index for path in paths)}
        is_one = len(places) == len({path.size for path in paths}) == 1
        if outcome.height != facts.certified.height or not is_one:
            raise AnswerContradicts(
                f"the node says block {outcome.height}, place {outcome.index}, and proves another "
                "place: ask another node"
            )
        self.findings.proved.append(facts.certified)
        return outcome

    def _check_height(self, certified: Certified, height: int) -> None:
        if height and certified.height != height:
            raise OtherAnswer(f"the node answered with the state of block {certified.height}")
        if not height and self._is_current:
            self._follower.check_newest(certified.height, certified.time_ms)

    def _checked_block(self, height: int) -> BlockView:
        """A block but for the senders' signatures, which no root covers."""
        view = self._node.block(height)
        if view.block.header.height != height:
            raise OtherAnswer(f"the node answered with block {view.block.header.height}")
        if height == 0:
            return self._genesis_block(view)
        self.findings.proved.append(self._check_block(view))
        return view

    def _check_block(self, view: BlockView) -> Certified:
        block, where = view.block, f"block {view.block.header.height}"
        certificate, commit = view.execution_certificate, view.commit_certificate
        if certificate is None:
            raise Refused(PENDING, f"{where} is not certified yet: ask again in a moment")
        if commit is None:
            raise ProofMissing(f"the node sent no commit certificate of {where}")
        certified = self._follower.certified(certificate, self._node.committee_changes)
        statement, trust = certificate.statement, self._follower.trust
        check_header(block.header, statement, trust)
        if view.hash != statement.block_hash:
            raise OtherBlock(f"the node names another hash of {where} than the validators signed")
        if transactions_root(block.transactions) != block.header.transactions_root:
            raise OtherTransaction(f"the transactions are not those of {where}: some were altered")
        if receipts_root(view.receipts) != statement.receipts_root:
            raise OtherReceipt(f"the receipts are not those of {where}: some were altered")
        epoch = trust.epochs.at(statement.height)
        ordered = proposal_digest(proposal_of(block))
        verify_commit_certificate(
            commit, ordered, epoch.validators, epoch.domain, self._verify_batch
        )
        return certified

    def _genesis_block(self, view: BlockView) -> BlockView:
        expected = genesis_block(self.genesis())
        given = (view.block, view.hash, view.receipts, view.commit_certificate)
        if given != (expected, block_hash(expected.header), (), None):
            raise OtherBlock("block 0 is not the one that the trusted genesis makes")
        self.findings.is_genesis = True
        return view

    def _events_of(
        self, height: int, contract: str, name: str
    ) -> dict[tuple[int, int], ChainEvent]:
        """By place, those of a certified block that are wanted."""
        view = self._checked_block(height)
        del self.findings.proved[:-1]  # a stream has no end: tell of the last block
        found = {}
        index = -1
        for receipt in view.receipts:
            for event in receipt.events:
                index += 1
                if contract in ("", event.contract) and name in ("", event.name):
                    found[height, index] = ChainEvent(
                        height=height,
                        index=index,
                        transaction_id=receipt.transaction_id,
                        contract=event.contract,
                        name=event.name,
                        fields={key: decode_value(value) for key, value in event.fields},
                        time_ms=view.block.header.time_ms,
                    )
        return found


def _steps(proof: Proven, *, is_receipt: bool) -> tuple[PathStep, ...]:
    """Steps of a path. Raises OtherReceipt or OtherTransaction for one of impossible shape."""
    try:
        return steps_of(proof.receipt_path if is_receipt else proof.transaction_path)
    except ProofInvalid as error:
        kind = OtherReceipt if is_receipt else OtherTransaction
        raise kind(f"the path is none: {error}") from None
