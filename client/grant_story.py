"""The story of a grant (授权): what was done under it, and what was tried and refused, in order.

Events of the grant lead to its tasks, those to products, and these to deliveries. A refused call
has no event: it is found among what the parties of the story sent, and read from its transaction.
All is the word of the node that is asked, as its history is; a transaction can be proved by its id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeVar

from client.errors import Refused
from client.node import Outcome
from ledger.encoding import decode
from ledger.errors import DecodeError
from ledger.history.pages import AccountEntry, Page, Span, SubjectEntry
from ledger.model import TransactionBody
from ledger.values import Value, decode_value

R = TypeVar("R")

TASKS_MAX = 200  # followed, the newest; each is asked for by itself
ROWS_MAX = 10_000  # looked at of one account, from the request of the grant on
PAGES_MAX = 1_000  # of one history: a node that goes on after 200,000 rows is not believed

# Which calls are tried under a grant: the position and the kind of the id that they name.
TRIED: Final[Mapping[tuple[str, str], tuple[int, str]]] = {
    ("grant", "request"): (0, "grant"),
    ("grant", "review"): (0, "grant"),
    ("grant", "decide"): (0, "grant"),
    ("grant", "accept"): (0, "grant"),
    ("grant", "withdraw"): (0, "grant"),
    ("grant", "revoke"): (0, "grant"),
    ("job", "create"): (2, "grant"),
    ("job", "confirm"): (0, "job"),
    ("job", "dispatch"): (0, "job"),
    ("job", "finish"): (0, "job"),
    ("job", "verify"): (0, "job"),
    ("task", "create"): (1, "grant"),
    ("task", "accept"): (0, "task"),
    ("task", "report"): (0, "task"),
    ("product", "register"): (1, "task"),
    ("product", "approve"): (0, "product"),
    ("delivery", "offer"): (1, "product"),
    ("delivery", "offer_under"): (1, "product"),
    ("delivery", "accept"): (0, "delivery"),
    ("delivery", "withdraw"): (0, "delivery"),
}
# Which field of an event must name the grant, by contract. A field `subject` or `target` may mean
# something else of the same id: what they tell of the grant itself its own events tell as well.
NAMES: Final[Mapping[str, str]] = dict.fromkeys(("grant", "job", "task", "product"), "grant_id")


class Records(Protocol):
    """What is asked of a node."""

    def subject_history(
        self, subject: str | bytes, span: Span = ..., *, contract: str = "", field: str = ""
    ) -> Page[SubjectEntry]: ...

    def account_history(self, address: str, span: Span = ...) -> Page[AccountEntry]: ...

    def transaction(self, wanted: bytes, *, proof: bool = True) -> Outcome: ...


@dataclass(frozen=True, slots=True)
class Step:
    """An event, or a refused call: then `refusal` says why, and `fields` who sent it alone.

    `act` is contract.Event or contract.method; `subject` is the id that it is about most closely.
    """

    height: int
    index: int  # of its transaction in the block
    time_ms: int
    act: str
    subject: str
    fields: Mapping[str, Value]
    refusal: str
    transaction_id: bytes


@dataclass(frozen=True, slots=True)
class Story:
    """Steps in the order of the chain. `left_out` tasks were not followed, older than the rest;
    the `busy` accounts sent more than was looked at: refusals of theirs may be missing.

    `first` and `height`: what happened between these blocks the node knows.
    """

    steps: tuple[Step, ...]
    left_out: int
    busy: tuple[str, ...]
    first: int
    height: int


@dataclass(slots=True)
class _Found:
    """What the story is about, by kind, and the events so far, each once by its place."""

    ids: dict[str, set[str]]
    rows: dict[tuple[int, int], SubjectEntry]
    busy: list[str]  # accounts
    first: int = 0
    height: int = 0


def grant_story(node: Records, grant_id: str, accounts_of: Callable[[str], Sequence[str]]) -> Story:
    """The story of `grant_id`; no steps if there is none. Raises Refused or NodeUnavailable.

    `accounts_of` gives the addresses of a party, also former ones.
    """
    kinds = ("job", "task", "product", "delivery")
    found = _Found({"grant": {grant_id}, **{kind: set() for kind in kinds}}, {}, [])
    for contract, field in NAMES.items():
        _follow(node, found, grant_id, contract=contract, field=field)
    found.ids["job"] |= set(_texts(found, "job.JobCreated", "job_id"))
    tasks = _texts(found, "grant.GrantUsed", "task_id")
    for task_id in tasks[-TASKS_MAX:]:
        found.ids["task"].add(task_id)
        _follow(node, found, task_id, contract="task", field="task_id")
    for product_id in _texts(found, "product.ProductRegistered", "product_id"):
        found.ids["product"].add(product_id)
        for contract in ("product", "delivery"):
            _follow(node, found, product_id, contract=contract, field="product_id")
    found.ids["delivery"] |= set(_texts(found, "delivery.DeliveryOffered", "delivery_id"))
    rows = [found.rows[place] for place in sorted(found.rows)]
    steps = [step for row in rows for step in _step(row)]
    if steps:
        steps += _refused(node, found, steps, accounts_of)
    left_out = max(0, len(tasks) - TASKS_MAX)
    ordered = tuple(_ordered(node, steps))
    return Story(ordered, left_out, tuple(found.busy), found.first, found.height)


def _follow(node: Records, found: _Found, subject: str, *, contract: str, field: str) -> None:
    def ask(span: Span) -> Page[SubjectEntry]:
        page = node.subject_history(subject, span, contract=contract, field=field)
        found.first = max(found.first, page.first)
        found.height = page.height
        return page

    for row in _all(ask, Span(is_newest_first=False)):
        found.rows[row.height, row.index] = row


def _all(ask: Callable[[Span], Page[R]], span: Span) -> Iterator[R]:
    for _ in range(PAGES_MAX):
        page = ask(span)
        yield from page.rows
        if page.is_complete:
            return
        span = replace(span, after=page.cursor)
    raise Refused(
        "answer.endless", f"the node's history goes on after {PAGES_MAX:,} pages; ask another node"
    )


def _texts(found: _Found, event: str, field: str) -> list[str]:
    """A field's texts in all events of a name, in order, each once."""
    texts: dict[str, None] = {}
    for place in sorted(found.rows):
        for step in _step(found.rows[place]):
            value = step.fields.get(field)
            if step.act == event and isinstance(value, str):
                texts[value] = None
    return list(texts)


def _step(row: SubjectEntry) -> Iterator[Step]:
    """None for an event that is unreadable: no contract of the genesis sends such a one."""
    try:
        fields = {name: decode_value(value) for name, value in row.event.fields}
    except DecodeError:
        return
    contract = row.event.contract
    subject = fields.get(f"{contract}_id", fields.get("grant_id", ""))
    yield Step(
        row.height,
        0,
        row.time_ms,
        f"{contract}.{row.event.name}",
        subject if isinstance(subject, str) else "",
        fields,
        "",
        row.transaction_id,
    )


# --- what was refused -----------------------------------------------------------------------


def _refused(
    node: Records,
    found: _Found,
    steps: Sequence[Step],
    accounts_of: Callable[[str], Sequence[str]],
) -> Iterator[Step]:
    since = min(step.height for step in steps)
    for party in sorted(_parties(steps)):
        for address in accounts_of(party):

            def ask(span: Span, address: str = address) -> Page[AccountEntry]:
                return node.account_history(address, span)

            rows = _all(ask, Span(is_newest_first=False, from_height=since))
            for looked_at, row in enumerate(rows):
                if looked_at >= ROWS_MAX:
                    found.busy.append(address)  # who sends much must not hide what it tried
                    break
                if row.status != 0 and (row.contract, row.method) in TRIED:
                    yield from _attempt(node, found, row, party)


def _parties(steps: Sequence[Step]) -> set[str]:
    """Whoever may have tried something: operator, consumer, participants, who decided."""
    parties: set[str] = set()
    for step in steps:
        for name in ("operator", "manager", "consumer", "party_id"):
            value = step.fields.get(name)
            if isinstance(value, str) and value:
                parties.add(value)
        participants = step.fields.get("participants")
        if isinstance(participants, list):
            parties |= {name for name in participants if isinstance(name, str)}
    return parties


def _attempt(node: Records, found: _Found, row: AccountEntry, party: str) -> Iterator[Step]:
    """The refused call as a step, if it was about something of this story."""
    outcome = node.transaction(row.transaction_id, proof=False)
    data = outcome.transaction.body
    try:
        args = decode_value(decode(data, TransactionBody, size_max=len(data)).args)
    except DecodeError:
        return  # a refused call brings what it likes
    position, kind = TRIED[row.contract, row.method]
    named = args[position] if isinstance(args, list) and len(args) > position else None
    if not isinstance(named, str) or named not in found.ids[kind]:
        return
    why = outcome.receipt.detail or row.error
    act = f"{row.contract}.{row.method}"
    sender: dict[str, Value] = {"party_id": party}
    yield Step(row.height, row.index, row.time_ms, act, named, sender, why, row.transaction_id)


def _ordered(node: Records, steps: Sequence[Step]) -> list[Step]:
    """In the order of the chain: only of blocks with refused calls must the places be asked for."""
    mixed = {step.height for step in steps if step.refusal}
    placed = [
        replace(step, index=node.transaction(step.transaction_id, proof=False).index)
        if step.height in mixed and not step.refusal
        else step
        for step in steps
    ]
    return sorted(placed, key=lambda step: (step.height, step.index))
