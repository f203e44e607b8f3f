"""Random acts on assessments, against a plain model: who may say what, what counts, what passes.

No product about persons passes unmeasured; the gravest word that stands decides; a party takes back
nothing but its own; an assessment leaves its state once and never comes back.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.vm.codes import Code
from ledger.values import Value
from tests.business import Business, dataset_of, digest

PEOPLE = ("opco", "opco", "health", "insurer", "bureau", "board", "rival", "bank", "chipworks")
MAY = frozenset(("opco", "health", "insurer", "bureau", "board", "chipworks"))
MANAGERS = ("bureau", "board")
SIDES = ("opco", "insurer")
PRODUCTS = ("p0", "p1")
# Level, k, threshold: consistent ones and others; limits are 50,000 millionths and groups of 5.
FIGURES = (
    (1, 3, 1),
    (2, 3, 50_000),
    (2, 25, 50_000),
    (3, 25, 50_000),
    (3, 10, 100_000),
    (3, 10, 50_000),
    (4, 30, 50_000),
    (4, 4, 250_000),
    (4, 5, 10),
)
NEXT = {"standing": {"superseded", "set_aside"}, "superseded": set(), "set_aside": set()}
people, products = st.sampled_from(PEOPLE), st.sampled_from(PRODUCTS)


def risk_of(level: int, k: int) -> int:
    return 10**6 if level == 1 else -(-(10**6) // k)


@dataclass
class Word:
    product: str
    who: str
    level: int
    k: int
    status: str = "standing"


class AssessmentMachine(RuleBasedStateMachine):
    """Two products of one task; its data set of health may be about persons."""

    @initialize()
    def begin(self) -> None:
        self.business = Business()
        self.business.finished()
        for name in PRODUCTS:
            made: list[Value] = [name, "t1", "T", "", digest(name), "statistics"]
            self.business.do("opco", "product", "register", *made)
        self.products = dict.fromkeys(PRODUCTS, "registered")
        self.asked: set[str] = set()
        self.is_personal = False
        self.words: dict[str, Word] = {}
        self.seen: dict[str, str] = {}

    def act(self, expected: bool, who: str, contract: str, method: str, *args: Value) -> bool:
        receipt = self.business.act(who, contract, method, *args)
        assert receipt.status in (Code.ok, Code.refused), (receipt.error, receipt.detail)
        assert (receipt.status == Code.ok) is expected, (who, method, args, receipt.detail)
        return expected

    @rule(who=people, is_personal=st.booleans())
    def classify(self, who: str, is_personal: bool) -> None:
        expected = who in MANAGERS or (who == "health" and is_personal)
        words: list[Value] = [dataset_of("health"), is_personal, "looked"]
        if self.act(expected, who, "deidentification", "classify", *words):
            self.is_personal = is_personal

    @rule(who=people, product=products)
    def ask(self, who: str, product: str) -> None:
        expected = who in ("opco", *MANAGERS) and self.products[product] == "registered"
        expected = expected and product not in self.asked
        if self.act(expected, who, "deidentification", "ask", product):
            self.asked.add(product)

    @rule(who=people, product=products, figures=st.sampled_from(FIGURES), is_it=st.booleans())
    def assess(self, who: str, product: str, figures: tuple[int, int, int], is_it: bool) -> None:
        level, k, threshold = figures
        is_above = risk_of(level, k) > threshold
        expected = who in MAY and self.products[product] != "refused" and is_it
        expected = expected and (level == 1 or is_above == (level == 2))
        name = f"s{len(self.words)}"
        result = digest(product if is_it else "something else")
        words: list[Value] = [result, ["suppress"], level, k, 1, threshold, digest("r"), ""]
        if self.act(expected, who, "deidentification", "assess", name, product, *words):
            for word in self.standing(product):
                word.status = "superseded" if word.who == who else word.status
            self.words[name] = Word(product, who, level, k)

    @rule(who=people, number=st.integers(0, 6))
    def dismiss(self, who: str, number: int) -> None:
        word = self.words.get(f"s{number}")
        expected = word is not None and who in MANAGERS and word.status == "standing"
        expected = expected and word is not None and who not in (word.who, *SIDES)
        done = self.act(expected, who, "deidentification", "dismiss", f"s{number}", "wrong")
        if done and word is not None:
            word.status = "set_aside"

    @rule(who=people, product=products, passed=st.booleans())
    def decide(self, who: str, product: str, passed: bool) -> None:
        expected = who in MANAGERS and self.products[product] == "registered"
        expected = expected and (not passed or self.refusal(product) == "")
        if self.act(expected, who, "product", "approve", product, passed, "looked at"):
            self.products[product] = "approved" if passed else "refused"

    @rule(product=products)
    def check(self, product: str) -> None:
        rows = [risk_of(word.level, word.k) for word in self.standing(product) if word.level < 4]
        groups = [word.k for word in self.standing(product) if word.level == 4]
        is_named = any(word.level < 3 for word in self.standing(product))
        for name, is_due in (
            ("identity_risk", is_named or max(rows, default=0) > 50_000),
            ("small_group", min(groups, default=5) < 5),
        ):
            told = self.business.ask_record("board", "risk", "look", name, product)
            assert told["is_due"] is is_due, (name, told)

    def standing(self, product: str) -> list[Word]:
        every = self.words.values()
        return [one for one in every if one.product == product and one.status == "standing"]

    def refusal(self, product: str) -> str:
        stand = self.standing(product)
        if not stand:
            return "missing" if self.is_personal or product in self.asked else ""
        if any(word.level < 3 for word in stand):
            return "level"
        if any(word.level == 3 and risk_of(3, word.k) > 50_000 for word in stand):
            return "risk"
        return "group" if any(word.level == 4 and word.k < 5 for word in stand) else ""

    @invariant()
    def records_are_those_of_the_model(self) -> None:
        for name, word in self.words.items():
            shown = self.business.ask_record("bank", "deidentification", "show", name)
            assert shown["status"] == word.status
            before = self.seen.get(name, "standing")
            assert word.status == before or word.status in NEXT[before]
            self.seen[name] = word.status
        for product in PRODUCTS:
            told = self.business.ask_record("bank", "deidentification", "standing", product)
            assert told["refusal"] == self.refusal(product)


TestAssessments = pytest.mark.slow(AssessmentMachine.TestCase)
TestAssessments.settings = settings(max_examples=15, stateful_step_count=30)
