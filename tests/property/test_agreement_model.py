"""Random acts on agreements, against a plain model: who signed, who closed it, and until when.

The model keeps no statuses: it derives them from signatures and times, as a clerk would. After
every act the chain must say the same, and no agreement may ever have skipped a state.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.vm.codes import Code
from ledger.values import Value
from tests.book_world import RecordedBusiness
from tests.business import HOUR_MS, agreed_terms, changed, digest

SIDES = ("opco", "insurer")
PEOPLE = (*SIDES, *SIDES, "rival", "bank", "bureau", "health")
IDS = ("a0", "a1", "a2")
NEXT = {
    "offered": {"signed", "declined", "lapsed"},
    "signed": {"in_force", "declined", "lapsed"},
    "in_force": {"ended", "terminated"},
    "declined": set(),
    "lapsed": set(),
    "ended": set(),
    "terminated": set(),
}
people = st.sampled_from(PEOPLE)
ids = st.sampled_from(IDS)


@dataclass
class Paper:
    """An agreement as the two sides would file it."""

    until_ms: int
    signatures: list[str] = field(default_factory=list)
    closed: str = ""

    def status(self, now_ms: int) -> str:
        if self.closed:
            return self.closed
        is_over, count = now_ms >= self.until_ms, len(self.signatures)
        if count == 2:
            return "ended" if is_over else "in_force"
        return "lapsed" if is_over else ("offered", "signed")[count]


class AgreementMachine(RuleBasedStateMachine):
    """Acts of anybody, wise or not."""

    @initialize()
    def begin(self) -> None:
        self.business = RecordedBusiness()
        self.business.assessed()
        self.papers: dict[str, Paper] = {}
        self.seen: dict[str, str] = {}
        self.suspended: set[str] = set()
        self.deliveries = 0

    @property
    def now_ms(self) -> int:
        """Of the block in which the next act is made."""
        return self.business.now_ms

    def act(self, expected: bool, who: str, contract: str, method: str, *args: Value) -> None:
        receipt = self.business.act(who, contract, method, *args)
        assert receipt.status in (Code.ok, Code.refused), (receipt.error, receipt.detail)
        assert (receipt.status == Code.ok) is expected, (who, method, args, receipt.detail)

    def stands(self, name: str, *states: str) -> bool:
        paper = self.papers.get(name)
        return paper is not None and paper.status(self.now_ms) in states

    @rule(who=people, name=ids, hours=st.integers(-1, 6), over=st.sampled_from(["p1", "g1"]))
    def offer(self, who: str, name: str, hours: int, over: str) -> None:
        terms = agreed_terms(self.business)
        terms = changed(terms, 0, "product" if over == "p1" else "grant")
        until_ms = self.now_ms + hours * HOUR_MS
        terms = changed(changed(terms, 1, over), 8, until_ms)
        expected = (
            who == "opco" and name not in self.papers and hours > 0 and not self.suspended
        )  # a grant does not stand without its operator, nor an agreement without its consumer
        self.act(expected, who, "agreement", "offer", name, *terms)
        if expected:
            self.papers[name] = Paper(until_ms)

    @rule(who=people, name=ids, text=st.sampled_from(["agreement"] * 4 + ["another"]))
    def sign(self, who: str, name: str, text: str) -> None:
        expected = (
            who in SIDES
            and who not in self.suspended
            and "opco" not in self.suspended
            and text == "agreement"
            and self.stands(name, "offered", "signed")
            and who not in self.papers[name].signatures
        )
        self.act(expected, who, "agreement", "sign", name, digest(text))
        if expected:
            self.papers[name].signatures.append(who)

    @rule(name=ids)
    def sign_both(self, name: str) -> None:
        for who in SIDES:
            self.sign(who, name, "agreement")
            self.every_agreement_stands_as_filed_and_skipped_no_state()

    @rule(who=people, name=ids, method=st.sampled_from(["decline", "terminate"]))
    def close(self, who: str, name: str, method: str) -> None:
        if method == "decline":
            expected = who in SIDES and self.stands(name, "offered", "signed")
        else:
            expected = who in (*SIDES, "bureau") and self.stands(name, "in_force")
        expected = expected and who not in self.suspended
        self.act(expected, who, "agreement", method, name, "why")
        if expected:
            self.papers[name].closed = {"decline": "declined", "terminate": "terminated"}[method]

    @rule(who=people, name=ids)
    def deliver(self, who: str, name: str) -> None:
        expected = who == "opco" and not self.suspended and self.stands(name, "in_force")
        words: list[Value] = ["p1", "insurer", digest("agreement"), digest("payload"), name]
        self.act(expected, who, "delivery", "offer_under", f"v{self.deliveries}", *words)
        self.deliveries += expected

    @rule(hours=st.integers(1, 2))
    def wait(self, hours: int) -> None:
        if self.now_ms < self.business_end():
            self.business.pass_time(hours * HOUR_MS)

    def business_end(self) -> int:
        """Well before the grant expires: its end is what other tests are about."""
        grant = self.business.ask_record("bureau", "grant", "show", "g1")
        assert isinstance(grant["expires_ms"], int)
        return grant["expires_ms"] - 4 * HOUR_MS

    @rule(who=st.sampled_from(SIDES))
    def suspend_or_readmit(self, who: str) -> None:
        method = "readmit" if who in self.suspended else "suspend"
        self.act(True, "bureau", "parties", method, who, "audit")
        self.suspended ^= {who}

    @invariant()
    def every_agreement_stands_as_filed_and_skipped_no_state(self) -> None:
        for name, paper in self.papers.items():
            shown = self.business.ask_record("board", "agreement", "show", name)
            status = str(shown["status"])
            assert status == paper.status(self.business.now_ms)
            before = self.seen.get(name, "offered")
            assert status == before or status in NEXT[before], (name, before, status)
            self.seen[name] = status

    def teardown(self) -> None:
        """What an auditor works out from the acts alone is the same."""
        if not hasattr(self, "seen"):
            return
        books, now_ms = self.business.books(), self.business.now_ms
        assert books.faults.found == []
        told = {name: one.standing(now_ms) for name, one in books.agreements.found.items()}
        assert {name: told[name] for name in self.papers} == {
            name: paper.status(now_ms) for name, paper in self.papers.items()
        }


TestAgreements = pytest.mark.slow(AgreementMachine.TestCase)
TestAgreements.settings = settings(max_examples=25, stateful_step_count=30)
