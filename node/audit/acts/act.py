"""The acts of a chain in order: who did what, what came of it, and what it concerned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from contracts.vm.code_records import CONTRACT
from contracts.vm.joint import MULTISIG
from ledger.encoding import decode
from ledger.errors import DecodeError
from ledger.genesis import Genesis
from ledger.model import (
    Block,
    Event,
    Receipt,
    Transaction,
    TransactionBody,
    address_of,
    transaction_id,
)
from ledger.store import Store
from ledger.values import Value, decode_value
from node.audit.acts.events import EVENTS
from node.audit.acts.forms import ABOUT, KINDS, Names, Subject, named
from node.audit.acts.interfaces import Interfaces, paired
from node.audit.acts.joint import JointActs, JointCall
from node.audit.acts.lineage import Lineage
from node.audit.acts.register import Register, Standing
from node.audit.acts.subjects import CALLS
from node.audit.acts.values import text

BILLING = "billing"  # the contract whose events are the accounts
_CODE_MAX = 64  # characters of a dotted code; what is longer is no code


@dataclass(frozen=True, slots=True)
class Told:
    """An event of an act."""

    contract: str
    name: str
    fields: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Act:
    """One transaction with its outcome.

    Where its sender was the last member of a joint account to approve, it is the call that was
    carried out, and that account is the sender; the events name the members.

    `direct` are the subjects that its arguments and events name; `through` what those were made
    of, as far as the chain knew then. Refused acts concern what they named.
    """

    height: int
    index: int  # in the block
    time_ms: int  # of the block, Unix
    transaction: str  # id, hexadecimal
    sender: str  # address
    by: Standing
    contract: str
    method: str
    status: int
    error: str  # name of the status; "" for success
    detail: str  # text of the contract's author
    gas: int
    arguments: tuple[tuple[str, Value], ...]
    events: tuple[Told, ...]
    direct: frozenset[Subject]
    through: frozenset[Subject]

    @property
    def refusal(self) -> str:
        """The dotted code of a refusal; "" where the contract gave none."""
        code, colon, _ = self.detail.partition(": ")
        return code if self.status and colon and "." in code and len(code) <= _CODE_MAX else ""

    @property
    def given(self) -> Mapping[str, Value]:
        """The arguments by name."""
        return dict(self.arguments)

    def concerns(self, subject: Subject) -> bool:
        return subject in self.direct or subject in self.through

    def event(self, contract: str, name: str) -> Mapping[str, Value] | None:
        """The fields of the first such event."""
        found = (
            told.fields for told in self.events if (told.contract, told.name) == (contract, name)
        )
        return next(found, None)


class Reader:
    """Reads a ledger once, from its beginning up to `height`.

    `register` and `lineage` are as of the act that was given last, that act included.
    """

    def __init__(self, store: Store, height: int) -> None:
        self._store = store
        self._height = height
        genesis: Genesis = store.genesis
        # Whoever deploys a contract under one of these names has not the contract of the tables.
        self._known = frozenset({CONTRACT, *(contract.name for contract in genesis.contracts)})
        self._interfaces = Interfaces(genesis)
        self.register = Register(genesis)
        self.lineage = Lineage()
        self._joint = JointActs()

    def is_founded(self, contract: str) -> bool:
        """Is it a contract of the genesis, or the machine's own, so that its words are known?"""
        return contract in self._known

    def acts(self) -> Iterator[Act]:
        """Every act, in the order in which the chain took them. Raises LedgerDamaged."""
        for stored in self._store.iterate_blocks(0, self._height):
            yield from self.acts_of(stored.block, stored.receipts)

    def acts_of(self, block: Block, receipts: Sequence[Receipt]) -> Iterator[Act]:
        """The acts of the next block."""
        pairs = zip(block.transactions, receipts, strict=True)
        for index, (transaction, receipt) in enumerate(pairs):
            act = self._act(block, index, transaction, receipt)
            if act.status == 0:
                self._follow(act)
            yield act

    def _act(self, block: Block, index: int, transaction: Transaction, receipt: Receipt) -> Act:
        body = decode(transaction.body, TransactionBody, size_max=len(transaction.body))
        events = tuple(map(told, receipt.events))
        call = self._call(body, events)
        names = self._interfaces.names(call.contract, call.method)
        arguments = paired(names, call.arguments)
        direct = frozenset(self._direct(call, arguments, events))
        return Act(
            height=block.header.height,
            index=index,
            time_ms=block.header.time_ms,
            transaction=transaction_id(transaction).hex(),
            sender=call.account,
            by=self.register.standing_of(call.account),
            contract=call.contract,
            method=call.method,
            status=receipt.status,
            error=receipt.error,
            detail=receipt.detail,
            gas=receipt.gas_used,
            arguments=arguments,
            events=events,
            direct=direct,
            through=frozenset(
                one for subject in direct for one in self.lineage.through(subject)
            ).difference(direct),
        )

    def _call(self, body: TransactionBody, events: Sequence[Told]) -> JointCall:
        """What was called, and as whom: the sender's own call, or one of a joint account."""
        performed = None
        if body.contract == MULTISIG and MULTISIG in self._known:
            performed = self._joint.performed((e.contract, e.name, e.fields) for e in events)
        return performed or JointCall(
            address_of(body.sender), body.contract, body.method, tuple(arguments_of(body))
        )

    def _direct(
        self,
        call: JointCall,
        arguments: Sequence[tuple[str, Value]],
        events: Sequence[Told],
    ) -> Iterator[Subject]:
        if call.contract in self._known:
            forms = CALLS.get(call.contract, {}).get(call.method, {})
            yield from self._named(forms, arguments)
        for event in events:
            if event.contract in self._known:
                forms = EVENTS.get(event.contract, {}).get(event.name, {})
                yield from self._named(forms, event.fields.items())

    def _named(self, forms: Names, values: Iterable[tuple[str, Value]]) -> Iterator[Subject]:
        for name, value in values:
            form = forms.get(name)
            if form == ABOUT:
                yield from self.lineage.about(text(value))
            elif form is not None:
                yield from named(form, value)

    def _follow(self, act: Act) -> None:
        given = act.given
        if act.contract == CONTRACT and act.method in ("deploy", "upgrade"):
            self._interfaces.bring(given)
        for event in act.events:
            if event.contract == CONTRACT:
                self._interfaces.follow(event.name, event.fields)
        if act.contract in self._known:
            self.lineage.follow(act.contract, act.method, given, act.by.party)
        known = [(e.contract, e.name, e.fields) for e in act.events if e.contract in self._known]
        for contract, name, fields in known:
            if contract == BILLING:
                self.lineage.accounts.hear(name, fields)
        self._joint.follow(given, known)
        self.register.follow(act.contract, act.method, given, known, act.height)


def arguments_of(body: TransactionBody) -> list[Value]:
    """What the sender gave; the bytes as they are where they are no list of values."""
    try:
        values = decode_value(body.args)
    except DecodeError:
        return [body.args]
    return values if isinstance(values, list) else [body.args]


def told(event: Event) -> Told:
    """Events are made by the machine, so their values decode."""
    fields = {name: decode_value(value) for name, value in event.fields}
    return Told(event.contract, event.name, fields)


def id_of(subject: Subject) -> str:
    """KIND:ID, as it stands in tables."""
    return ":".join(subject)


def ordered(subjects: frozenset[Subject]) -> list[Subject]:
    """In the order of KINDS, then of ids."""
    return sorted(subjects, key=lambda subject: (KINDS.index(subject[0]), subject[1]))
