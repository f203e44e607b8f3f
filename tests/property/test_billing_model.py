"""Random metering and statements, against a plain model: a ledger of who owes whom for what.

The model keeps one list of debts and forgets those that were stated. Whatever order acts come in,
each debt is on one statement at most, none between two statements is left out, and every statement
adds up to what the model says.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.vm.codes import Code
from ledger.values import Value
from tests.book_world import RecordedBusiness
from tests.business import HOUR_MS, OFFER, SUPPLIERS, agreed_terms, changed, digest
from tests.pinned import run_pinned

PAYER = "insurer"
PAYEES = ("opco", *SUPPLIERS)
PEOPLE = (*PAYEES, PAYER, PAYER, "bureau", "board", "bank", "rival")
IDS = ("s0", "s1", "s2", "s3")
MONTH_MS = 30 * 24 * HOUR_MS
DUE = ("accepted", "settled")
MOODS = ("silent", "agrees", "objects")  # of who has to answer
NEXT = {
    "issued": {"accepted", "contested", "overdue"},
    "overdue": {"accepted", "contested", "settled"},
    "accepted": {"paid", "remitted"},
    "contested": {"settled"},
    "settled": {"paid", "remitted"},
    "remitted": {"paid", "denied", "unconfirmed"},
    "unconfirmed": {"paid", "denied", *DUE},
    "denied": {"paid", *DUE},
    "paid": set(),
}
people = st.sampled_from(PEOPLE)
ids = st.sampled_from(IDS)


class Debt(NamedTuple):
    """Of the payer to a payee."""

    payee: str
    fen: int
    time_ms: int


@dataclass
class Bill:
    """A statement as the payer would file it."""

    payee: str
    total: int
    due: int
    since_ms: int  # that it was issued, or remitted
    status: str = "issued"
    before: str = ""

    def standing(self, now_ms: int) -> str:
        late = {"issued": "overdue", "remitted": "unconfirmed"}
        return (
            late.get(self.status, self.status)
            if now_ms >= self.since_ms + MONTH_MS
            else (self.status)
        )


class BillingMachine(RuleBasedStateMachine):
    """Acts of anybody, wise or not. `done` counts what was allowed and what was refused."""

    done: ClassVar[Counter[tuple[str, str, bool]]] = Counter()

    @initialize()
    def begin(self) -> None:
        self.business = RecordedBusiness()
        self.business.agreed()
        terms = changed(agreed_terms(self.business), 7, "use")
        self.business.do("opco", "agreement", "offer", "a2", *terms)
        for side in ("opco", PAYER):
            self.business.do(side, "agreement", "sign", "a2", digest("agreement"))
        self.business.do("opco", "delivery", "offer_under", "v1", "p1", *OFFER, "a1")
        self.business.do("insurer", "delivery", "accept", "v1", digest("payload"), True, "")
        self.debts: list[Debt] = []
        self.bills: dict[str, Bill] = {}
        self.stated_ms: dict[str, int] = {}
        self.prices: dict[str, int] = {}
        self.versions = 0
        self.metered: set[str] = set()
        self.seen: dict[str, str] = {}
        self.ends_ms = self.business.now_ms + 20 * HOUR_MS  # of the agreements

    def act(self, expected: bool, who: str, contract: str, method: str, *args: Value) -> None:
        receipt = self.business.act(who, contract, method, *args)
        assert receipt.status in (Code.ok, Code.refused), (receipt.error, receipt.detail)
        assert (receipt.status == Code.ok) is expected, (who, method, args, receipt.detail)
        self.done[contract, method, expected] += 1

    def owe(self, payee: str, fen: int) -> None:
        self.debts.append(Debt(payee, fen, self.business.now_ms))

    @rule(who=people, task=st.integers(0, 9), data=st.integers(0, 9), is_named=st.booleans())
    def price(self, who: str, task: int, data: int, is_named: bool) -> None:
        expected = who in ("bureau", "board")
        prices: list[Value] = [["task", task]]
        if is_named:
            prices.append(["dataset", data])
        height = self.business.chain.height + 99
        words: list[Value] = [self.versions + 1, digest("tariff"), "", prices, height]
        self.act(expected, who, "tariff", "enact", *words)
        if expected:
            self.versions += 1
            self.prices = {"task": task, "dataset": data if is_named else 0}
            self.business.chain.advance(height=99)

    @rule(who=people)
    def meter_task(self, who: str) -> None:
        is_concerned = who not in ("bank", "rival")
        expected = is_concerned and "t1" not in self.metered
        self.act(expected, who, "billing", "meter_task", "t1")
        if expected:
            self.metered.add("t1")
            self.owe("opco", self.prices.get("task", 0))
            for supplier in SUPPLIERS:
                self.owe(supplier, self.prices.get("dataset", 0))

    @rule(who=people)
    def meter_delivery(self, who: str) -> None:
        """By its agreement, whether there is a tariff or not."""
        is_concerned = who in ("opco", PAYER, "bureau", "board")
        expected = is_concerned and "v1" not in self.metered
        self.act(expected, who, "billing", "meter_delivery", "v1")
        if expected:
            self.metered.add("v1")
            self.owe("opco", 10_000)

    @rule(who=st.sampled_from(["opco", "opco", *PEOPLE]), units=st.integers(0, 5),
          log=st.integers(0, 9), under=st.sampled_from(["a1", "a2", "a2"]))  # fmt: skip
    def report(self, who: str, units: int, log: int, under: str) -> None:
        """The first agreement is on deliveries, the second one on use, at the same price."""
        expected = who == "opco" and units > 0 and f"log {log}" not in self.metered
        expected = expected and under == "a2" and self.business.now_ms < self.ends_ms + MONTH_MS
        self.act(expected, who, "billing", "report_use", under, units, digest(f"log {log}"))
        if expected:
            self.metered.add(f"log {log}")
            self.owe("opco", units * 10_000)

    @rule(who=st.sampled_from([*PAYEES, *PEOPLE]), name=ids, minutes=st.integers(-1, 90))
    def issue(self, who: str, name: str, minutes: int) -> None:
        to_ms = self.business.now_ms - minutes * 60_000
        begin = self.stated_ms.get(who, 0)
        taken = [debt for debt in self.debts if debt.payee == who and debt.time_ms < to_ms]
        expected = name not in self.bills and begin < to_ms and minutes >= 0 and bool(taken)
        self.act(expected, who, "billing", "issue", name, PAYER, to_ms)
        if expected:
            total = sum(debt.fen for debt in taken)
            self.bills[name] = Bill(who, total, total, self.business.now_ms)
            self.stated_ms[who] = to_ms
            self.debts = [debt for debt in self.debts if debt not in taken]

    def stands(self, name: str, *states: str) -> bool:
        now_ms = self.business.now_ms + 1  # of the block in which the next act is made
        return name in self.bills and self.bills[name].standing(now_ms) in states

    @rule(who=people, name=ids, skew=st.sampled_from([0, 0, 1]))
    def accept(self, who: str, name: str, skew: int) -> None:
        total = (self.bills[name].total if name in self.bills else 0) + skew
        expected = who == PAYER and self.stands(name, "issued", "overdue") and skew == 0
        self.act(expected, who, "billing", "accept", name, total)
        if expected:
            self.bills[name].status = "accepted"

    @rule(who=people, name=ids)
    def contest(self, who: str, name: str) -> None:
        expected = who == PAYER and self.stands(name, "issued", "overdue")
        self.act(expected, who, "billing", "contest", name, "why")
        if expected:
            self.bills[name].status = "contested"

    @rule(who=people, name=ids, less=st.integers(-1, 3))
    def settle(self, who: str, name: str, less: int) -> None:
        total = self.bills[name].total if name in self.bills else 0
        expected = who in ("bureau", "board") and self.stands(name, "contested", "overdue")
        expected = expected and 0 <= total - less <= total
        self.act(expected, who, "billing", "settle", name, total - less, "so")
        if expected:
            self.bills[name].status, self.bills[name].due = "settled", total - less

    @rule(who=people, name=ids)
    def remit(self, who: str, name: str) -> None:
        expected = who == PAYER and self.stands(name, *DUE)
        self.act(expected, who, "payment", "remit", name, digest("slip"))
        if expected:
            bill = self.bills[name]
            bill.before, bill.status, bill.since_ms = bill.status, "remitted", self.business.now_ms

    @rule(who=people, name=ids)
    def confirm(self, who: str, name: str) -> None:
        payable = (*DUE, "remitted", "unconfirmed", "denied")
        expected = self.stands(name, *payable) and who == self.bills[name].payee
        self.act(expected, who, "payment", "confirm", name, digest("slip"))
        if expected:
            self.bills[name].status = "paid"

    @rule(who=people, name=ids)
    def deny(self, who: str, name: str) -> None:
        expected = self.stands(name, "remitted", "unconfirmed") and who == self.bills[name].payee
        self.act(expected, who, "payment", "deny", name, "nothing came")
        if expected:
            self.bills[name].status = "denied"

    @rule(who=people, name=ids, is_paid=st.booleans())
    def conclude(self, who: str, name: str, is_paid: bool) -> None:
        expected = who in ("bureau", "board") and self.stands(name, "denied", "unconfirmed")
        self.act(expected, who, "payment", "conclude", name, is_paid, "by the papers")
        if expected:
            bill = self.bills[name]
            bill.status = "paid" if is_paid else bill.before

    @rule(name=ids, moods=st.lists(st.sampled_from(MOODS), min_size=3, max_size=8))
    def go_on(self, name: str, moods: list[str]) -> None:
        """Random words rarely fit: the next steps of a statement, by who may take them."""
        for mood in moods:
            self.step(name, mood)
            self.every_statement_adds_up_and_skipped_no_state()

    def step(self, name: str, mood: str) -> None:
        if name not in self.bills:
            self.meter_task("bureau")
            self.business.pass_time(HOUR_MS // 6)
            self.issue("opco", name, 0)
        elif mood == "silent" and self.stands(name, "issued", "remitted"):
            self.business.pass_time(MONTH_MS)
        elif self.stands(name, "issued") and mood == "objects":
            self.contest(PAYER, name)
        elif self.stands(name, "issued"):
            self.accept(PAYER, name, 0)
        elif self.stands(name, "contested", "overdue"):
            self.settle("board", name, 0)
        elif self.stands(name, *DUE):
            self.remit(PAYER, name)
        elif self.stands(name, "remitted") and mood == "objects":
            self.deny(self.bills[name].payee, name)
        elif self.stands(name, "remitted"):
            self.confirm(self.bills[name].payee, name)
        elif self.stands(name, "denied", "unconfirmed"):
            self.conclude("bureau", name, mood == "agrees")

    @rule()
    def wait(self) -> None:
        grant = self.business.ask_record("bureau", "grant", "show", "g1")
        assert isinstance(grant["expires_ms"], int)
        if self.business.now_ms + 6 * HOUR_MS < grant["expires_ms"]:
            self.business.pass_time(HOUR_MS // 2)

    @invariant()
    def every_statement_adds_up_and_skipped_no_state(self) -> None:
        for name, bill in self.bills.items():
            shown = self.business.ask_record("board", "billing", "show", name)
            told = (shown["payee"], shown["total_fen"], shown["due_fen"], shown["status"])
            status = bill.standing(self.business.now_ms)
            assert told == (bill.payee, bill.total, bill.due, status)
            assert self.business.ask(bill.payee, "billing", "recompute", name) == bill.total
            before = self.seen.get(name, "issued")
            assert status == before or status in NEXT[before], (name, before)
            self.seen[name] = status

    def teardown(self) -> None:
        """What an auditor works out from the acts alone is the same."""
        if not hasattr(self, "seen"):
            return
        books = self.business.books()
        assert books.faults.found == []
        kept = books.bills.found
        told = {
            one.id: (one.payee, one.summed_fen, one.due_fen, one.status) for one in kept.values()
        }
        assert told == {
            name: (bill.payee, bill.total, bill.due, bill.status)
            for name, bill in self.bills.items()
        }


@pytest.mark.slow
def test_statements_and_payments_do_what_the_model_says() -> None:
    """Every act must have been allowed and refused for this to mean anything; so the draws are the
    same each time."""
    BillingMachine.done.clear()
    run_pinned(BillingMachine, examples=60, steps=30)
    done = BillingMachine.done
    acts = {(contract, method) for contract, method, _ in done}
    assert len(acts) == 12
    for contract, method in acts:
        assert done[contract, method, True] and done[contract, method, False], (contract, method)
