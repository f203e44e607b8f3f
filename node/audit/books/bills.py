"""Bills (计量计费): what was metered, by what price, and what statements make of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ledger.values import Value
from node.audit.acts.accounts import CHARGED
from node.audit.acts.act import Act
from node.audit.acts.forms import AGREEMENT, DELIVERY, STATEMENT, TASK, Subject
from node.audit.acts.graph import Proof
from node.audit.acts.lineage import Lineage
from node.audit.acts.values import octets, text
from node.audit.books.agreements import Agreements
from node.audit.books.kept import Faults, Kept, listed
from node.audit.books.tariffs import Tariffs

Fields = Mapping[str, Value]

DAY_MS: Final = 24 * 3600 * 1000
ANSWER_MS: Final = 30 * DAY_MS  # as the contract gives a payer
REPORT_MS: Final = 30 * DAY_MS  # and a payee, once an agreement is over
CONFIRM_MS: Final = 30 * DAY_MS  # and once a payer says that it paid
ENTRIES_MAX: Final = 200  # of one statement
_DUE: Final = ("accepted", "settled")
_ANSWERABLE: Final = ("issued", "overdue")
# Event -> the states it is possible in, what it leads to, and which side may: "" for neither.
_ANSWERS: Final[Mapping[str, tuple[tuple[str, ...], str, str]]] = {
    "StatementAccepted": (_ANSWERABLE, "accepted", "payer"),
    "StatementContested": (_ANSWERABLE, "contested", "payer"),
    "StatementSettled": (("contested", "overdue"), "settled", ""),
    "PaymentRemitted": (_DUE, "remitted", "payer"),
    "PaymentConfirmed": ((*_DUE, "remitted", "denied", "unconfirmed"), "paid", "payee"),
    "PaymentDenied": (("remitted", "unconfirmed"), "denied", "payee"),
    "PaymentConcluded": (("denied", "unconfirmed"), "paid", ""),  # or due again
}


@dataclass(slots=True)
class Entry:
    """What a payer owes for. `expected_fen` is the price by tariff or agreement, None for none."""

    number: int
    kind: str
    subject: Subject
    payee: str
    payer: str
    units: int
    price_fen: int
    expected_fen: int | None
    proof: Proof
    statement: str = ""  # that states it

    @property
    def total_fen(self) -> int:
        return self.units * self.price_fen


@dataclass(slots=True)
class Statement(Kept):
    """`status` is that of its last act; `standing` tells what the time made of it."""

    payee: str = ""
    payer: str = ""
    from_ms: int = 0
    to_ms: int = 0
    count: int = 0  # as it says
    total_fen: int = 0  # as it says
    due_fen: int = 0
    entries: list[Entry] = field(default_factory=list)  # as they were metered
    settler: str = ""
    concluder: str = ""  # manager that decided on a payment
    before: str = ""  # status when its payment was remitted
    status: str = "issued"
    times: dict[str, int] = field(default_factory=dict)

    @property
    def summed_fen(self) -> int:
        """The total, added up again."""
        return sum(entry.total_fen for entry in self.entries)

    @property
    def answer_by_ms(self) -> int:
        return self.made.time_ms + ANSWER_MS

    def standing(self, time_ms: int) -> str:
        if self.status == "remitted" and time_ms >= self.times["remitted"] + CONFIRM_MS:
            return "unconfirmed"
        is_late = self.status == "issued" and time_ms >= self.answer_by_ms
        return "overdue" if is_late else self.status


class Bills:
    """All entries and statements so far."""

    def __init__(
        self, faults: Faults, ends: Mapping[str, str], agreements: Agreements, tariffs: Tariffs
    ) -> None:
        self.entries: list[Entry] = []
        self.found: dict[str, Statement] = {}
        self._faults = faults
        self._ends = ends
        self._agreements = agreements
        self._tariffs = tariffs
        self._open: dict[tuple[str, str], deque[Entry]] = {}  # payee, payer: not stated yet
        self._stated_ms: dict[tuple[str, str], int] = {}
        self._charged: set[tuple[str, Subject, str]] = set()  # kind, for what, payee
        self._logs: set[tuple[str, str, bytes]] = set()  # payee, payer, digest of a log

    def hear(self, name: str, fields: Fields, act: Act, lineage: Lineage) -> None:
        """An event of the contracts `billing` and `payment`."""
        if name == "Metered":
            self._meter(fields, act, lineage)
        elif name == "StatementIssued":
            self._state(fields, act, lineage)
        elif name in _ANSWERS:
            self._answer(name, fields, act)

    # --- metering ---------------------------------------------------------------------------------

    def _meter(self, fields: Fields, act: Act, lineage: Lineage) -> None:
        kind, name = text(fields.get("kind")), text(fields.get("subject"))
        subject = CHARGED.get(kind, kind), name
        proof = self._faults.stand_at(act)
        entry = Entry(
            _integer(fields.get("number")),
            kind,
            subject,
            text(fields.get("payee")),
            text(fields.get("payer")),
            _integer(fields.get("units")),
            _integer(fields.get("price_fen")),
            self._price(kind, name, act.height),
            proof,
        )
        self._faults.expect(
            entry.number == len(self.entries) + 1,
            subject,
            "number of an entry",
            f"it was metered as entry {entry.number}, after {len(self.entries)} others",
        )
        self.entries.append(entry)
        self._open.setdefault((entry.payee, entry.payer), deque()).append(entry)
        self._check_cause(entry, act, lineage)
        self._faults.expect(
            entry.price_fen == entry.expected_fen,
            subject,
            "price",
            f"entry {entry.number} is at {entry.price_fen} fen a unit, and tariff or agreement say "
            f"{'nothing' if entry.expected_fen is None else entry.expected_fen}",
        )

    def _check_cause(self, entry: Entry, act: Act, lineage: Lineage) -> None:
        """It was done, once, by the payee for the payer."""
        is_whole, sides = self._cause(entry, lineage)
        self._faults.expect(
            is_whole,
            entry.subject,
            "metered too early",
            f"entry {entry.number} is for what is not done: {entry.kind} {entry.subject[1]}",
        )
        self._faults.expect(
            (entry.payee, entry.payer) in sides,
            entry.subject,
            "who owes whom",
            f"by entry {entry.number} {entry.payer} owes {entry.payee}, which is neither's affair",
        )
        if entry.kind == "use":
            log = entry.payee, entry.payer, octets(act.given.get("digest"))
            is_new, units = log not in self._logs, _integer(act.given.get("units"))
            self._logs.add(log)
        else:
            key = entry.kind, entry.subject, entry.payee
            is_new, units = key not in self._charged, 1
            self._charged.add(key)
        self._faults.expect(
            is_new, entry.subject, "metered twice", f"entry {entry.number} charges for it again"
        )
        self._faults.expect(
            entry.units == units,
            entry.subject,
            "units",
            f"entry {entry.number} has {entry.units} units, and {units} were done",
        )

    def _cause(self, entry: Entry, lineage: Lineage) -> tuple[bool, set[tuple[str, str]]]:
        """Whether what it is for is done, and who may owe whom for it: payee, payer."""
        kind, name = entry.subject
        if kind == TASK and name in lineage.tasks:
            line = lineage.tasks[name]
            owed = (
                {line.operator} if entry.kind == "task" else {one for one, _ in line.participants}
            )
            return self._ends.get(name) == "finished", {(payee, line.consumer) for payee in owed}
        if kind == DELIVERY and name in self._agreements.deliveries:
            made = self._agreements.deliveries[name]
            return made.status == "accepted", {(made.operator, made.consumer)}
        if kind == AGREEMENT and name in self._agreements.found:
            under = self._agreements.found[name]
            at_ms = entry.proof.time_ms
            over_ms = under.over_ms(at_ms)
            is_late = over_ms is not None and at_ms < over_ms + REPORT_MS
            return under.standing(at_ms) == "in_force" or is_late, {under.sides}
        return False, set()

    def _price(self, kind: str, name: str, height: int) -> int | None:
        """Fen a unit, as tariff or agreement say."""
        if kind in ("task", "dataset"):
            return self._tariffs.price_at(kind, height)
        made = self._agreements.deliveries.get(name)
        agreement = name if kind == "use" else made.agreement if made else ""
        if kind == "delivery" and not agreement:
            return self._tariffs.price_at(kind, height)
        under = self._agreements.found.get(agreement)
        if under is None:
            return None
        if under.per != kind:  # one price is not charged twice: what is used is handed over free
            return 0 if kind == "delivery" else None
        is_listed = bool(under.service)
        return self._tariffs.price_at(under.service, height) if is_listed else under.price_fen

    # --- statements -------------------------------------------------------------------------------

    def _state(self, fields: Fields, act: Act, lineage: Lineage) -> None:
        pair = text(fields.get("payee")), text(fields.get("payer"))
        to_ms, count = _integer(fields.get("to_ms")), _integer(fields.get("count"))
        total_fen = _integer(fields.get("total_fen"))
        due = self._due(pair, to_ms)
        found = Statement(
            (STATEMENT, text(fields.get("statement_id"))),
            self._faults.stand_at(act),
            act.time_ms,
            parties=set(pair),
            payee=pair[0],
            payer=pair[1],
            from_ms=self._stated_ms.get(pair, 0),
            to_ms=to_ms,
            count=count,
            total_fen=total_fen,
            due_fen=total_fen,
            entries=due,
            times={"issued": act.time_ms},
        )
        self._stated_ms[pair] = to_ms
        self.found[found.id] = found
        for entry in due:
            entry.statement = found.id
            found.about |= {entry.subject, *lineage.through(entry.subject)}
        self._faults.expect(
            act.by.party == found.payee,
            found.subject,
            "issuer",
            f"{act.by.party} issued it, and {found.payee} is who is owed",
        )
        self._faults.expect(
            count == len(due),
            found.subject,
            "count",
            f"it counts {count} entries, and {len(due)} were metered since the one before",
        )
        self._faults.expect(
            total_fen == found.summed_fen,
            found.subject,
            "sum",
            f"it says {total_fen} fen, and what was metered comes to {found.summed_fen}",
        )

    def _due(self, pair: tuple[str, str], to_ms: int) -> list[Entry]:
        """What was metered before that time and stands on no statement yet, in order."""
        entries, due = self._open.get(pair, deque()), list[Entry]()
        while entries and entries[0].proof.time_ms < to_ms and len(due) < ENTRIES_MAX:
            due.append(entries.popleft())
        return due

    def _answer(self, name: str, fields: Fields, act: Act) -> None:
        statement_id, party = text(fields.get("statement_id")), text(fields.get("party_id"))
        found = self.found.get(statement_id)
        if not self._faults.expect(
            found is not None,
            (STATEMENT, statement_id),
            "unknown statement",
            f"{name} of a statement that nobody issued",
        ):
            return
        assert found is not None
        before, after, side = _ANSWERS[name]
        standing = found.standing(act.time_ms)
        self._faults.expect(
            standing in before, found.subject, "state", f"{name} while it was {standing}"
        )
        sides = {"payee": found.payee, "payer": found.payer}
        self._faults.expect(
            party == sides[side] if side else party not in sides.values(),
            found.subject,
            "answered by",
            f"{party} made it {after}; it is between {listed(sides.values())}",
        )
        found.last_ms = act.time_ms
        if name == "PaymentRemitted":
            found.before = found.status
        elif name == "PaymentConcluded":
            found.concluder = party
            if fields.get("is_paid") is not True:
                found.status = found.before
                return
        self._check_sum(found, after, party, fields)
        found.status = after
        found.times[after] = act.time_ms

    def _check_sum(self, found: Statement, after: str, party: str, fields: Fields) -> None:
        if after == "accepted":
            said = _integer(fields.get("due_fen"))
            self._faults.expect(
                said == found.summed_fen,
                found.subject,
                "accepted sum",
                f"{said} fen were accepted, and what was metered comes to {found.summed_fen}",
            )
        elif after == "settled":
            found.settler, found.due_fen = party, _integer(fields.get("due_fen"))
            self._faults.expect(
                0 <= found.due_fen <= found.summed_fen,
                found.subject,
                "settled sum",
                f"{found.due_fen} fen were settled, and what was metered comes to "
                f"{found.summed_fen}",
            )


def _integer(value: Value) -> int:
    """-1 for what is none: no figure of the contract is below 0."""
    return value if type(value) is int else -1
