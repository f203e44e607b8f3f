"""A measure is taken while work is in any of its states, and is lifted again (8.6.1, 8.6.4b).

The way goes from a plan of work to a delivery under an agreement: job, task, product, agreement,
delivery. After each of its acts, each measure of an incident is taken, and everybody concerned
goes on to try all the acts that are left, again and again. What the measure must stop never comes
about. Then it is lifted, the acts that were refused are made up for, and the business ends well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from contracts.vm.codes import Code, ViewRefused
from contracts.vm.state import StateKey
from ledger.values import Value
from tests.business import (
    ALGORITHM,
    OFFER,
    SUPPLIERS,
    Business,
    Fields,
    acceptance,
    agreed_terms,
    code_of,
    digest,
    result,
    step,
)

TASK = "t1"
STAGES = {"health": "aggregation", "insurer": "delivery"}  # where a manager supervises them


@dataclass(frozen=True, slots=True)
class Act:
    """A call on the way, of whom."""

    who: str
    contract: str
    method: str
    args: Callable[[Business], list[Value]]

    def __str__(self) -> str:
        return f"{self.who}: {self.contract}.{self.method}"


def fixed(*args: Value) -> Callable[[Business], list[Value]]:
    return lambda _business: list(args)


def plan(business: Business) -> list[Value]:
    return [*business.plan()[:-1], [step("only")]]


def confirmation(business: Business) -> list[Value]:
    return ["j1", job(business)["digest"]]


def job(business: Business) -> Fields:
    return shown(business, "job", "j1", "job")


def shown(business: Business, contract: str, name: str, inside: str = "") -> Fields:
    """A record as a manager is shown it, or one inside of it; empty where there is none yet."""
    try:
        found = business.ask("bureau", contract, "show", name)
    except ViewRefused:
        return {}
    if inside:
        assert isinstance(found, dict)
        found = found[inside]
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}


def order(business: Business) -> list[Value]:
    return business.step_order("only", TASK)


def agreement(business: Business) -> list[Value]:
    return ["a1", *agreed_terms(business)]


WAY: Sequence[Act] = (
    Act("opco", "job", "create", plan),
    *[Act(who, "job", "confirm", confirmation) for who in (*SUPPLIERS, "insurer")],
    Act("opco", "job", "dispatch", fixed("j1")),
    Act("opco", "task", "create", order),
    *[Act(who, "task", "accept", fixed(*acceptance(who, TASK))) for who in SUPPLIERS],
    *[Act(who, "task", "report", fixed(*result(who, TASK))) for who in SUPPLIERS],
    Act("opco", "job", "finish", fixed("j1", digest("result"))),
    Act("insurer", "job", "verify", fixed("j1", digest("result"), True, "")),
    Act("opco", "product", "register",
        fixed("p1", TASK, "Table", "", digest("result"), "statistics")),
    Act("bureau", "product", "approve", fixed("p1", True, "fit")),
    Act("opco", "agreement", "offer", agreement),
    *[Act(who, "agreement", "sign", fixed("a1", digest("agreement")))
      for who in ("opco", "insurer")],
    Act("opco", "delivery", "offer_under", fixed("v1", "p1", *OFFER, "a1")),
    Act("insurer", "delivery", "accept", fixed("v1", digest("payload"), True, "")),
)  # fmt: skip
# What comes about on the way, and after how many acts.
OUTCOMES = {
    "confirmation": 5,
    "order": 7,
    "start": 10,
    "computation": 13,
    "result": 14,
    "verification": 15,
    "product": 17,
    "agreement": 20,
    "delivery": 22,
}
ALL = tuple(OUTCOMES)


def come_about(business: Business) -> set[str]:
    """Those of the outcomes that the records show."""
    planned = job(business).get("status")
    task = shown(business, "task", TASK, "task").get("status")
    is_so = {
        "confirmation": planned not in (None, "created"),
        "order": task is not None,
        "start": task in ("running", "finished"),
        "computation": task == "finished",
        "result": planned in ("result", "verified"),
        "verification": planned == "verified",
        "product": shown(business, "product", "p1").get("status") == "approved",
        "agreement": shown(business, "agreement", "a1").get("status") == "in_force",
        "delivery": shown(business, "delivery", "v1").get("status") == "accepted",
    }
    return {name for name, holds in is_so.items() if holds}


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure against this party; `stops` must not come about while it holds."""

    name: str
    party: str
    take: tuple[Value, ...]
    stops: tuple[str, ...] = ()  # for everybody; beside what waits for a word that it forbids
    freezes: str = ""  # a contract

    @property
    def silences(self) -> str:
        """Whoever it forbids to speak."""
        return self.party if self.name == "cut_party" else ""

    def __str__(self) -> str:
        return f"{self.name}-{self.freezes or self.party}"

    @property
    def incident(self) -> str:
        return f"i-{self.party}"

    def forbids(self, act: Act) -> bool:
        return act.who == self.silences or act.contract == self.freezes

    def begin(self, business: Business) -> None:
        if self.freezes:
            business.do("bureau", "contract", "freeze", self.freezes, "a flaw")
        business.do("bureau", "incident", self.name, self.incident, *self.take)

    def end(self, business: Business) -> None:
        if self.freezes:
            business.do("bureau", "contract", "unfreeze", self.freezes)
        business.do("board", "incident", "lift", self.incident, 1, "it was none")


MEASURES = (
    Measure("suspend_grant", "opco", ("g1", "leak"), ALL),
    Measure("suspend_algorithm", "chipworks", (ALGORITHM, "leak"),
            ("order", "start", "computation")),
    Measure("cut_party", "opco", ("leak",), ALL),
    *[Measure("cut_party", party, ("leak",)) for party in ("health", "insurer", "chipworks")],
    *[Measure("note_freeze", "opco", (name, digest("freeze"), "a flaw"), freezes=name)
      for name in ("job", "task", "product", "agreement", "delivery")],
)  # fmt: skip


class Story:
    """The way, with the state after each of its acts to go back to."""

    def __init__(self) -> None:
        self.business = Business()
        self.business.granted(uses_max=9)
        self.business.do("opco", "oversight", "select", "x1", "chipworks", "")
        for party in ("opco", "health", "insurer", "chipworks"):
            stage = STAGES.get(party, "development")
            about: list[Value] = ["Leak", stage, "critical", party, []]
            self.business.do("bureau", "incident", "open", f"i-{party}", *about)
        self.states: list[dict[StateKey, bytes]] = []
        for act in WAY:
            self.states.append(dict(self.business.chain.state))
            self.business.do(act.who, act.contract, act.method, *act.args(self.business))

    def after(self, steps: int) -> Business:
        chain = self.business.chain
        chain.state.clear()
        chain.state.update(self.states[steps])
        chain.advance(height=10)  # not the next block: the machine forgets what it cached
        return self.business


@pytest.fixture(scope="module")
def story() -> Story:
    return Story()


@pytest.mark.parametrize("measure", MEASURES, ids=str)
@pytest.mark.parametrize("steps", range(len(WAY)))
def test_what_a_measure_stops_waits_and_then_goes_on(
    story: Story, steps: int, measure: Measure
) -> None:
    business = story.after(steps)
    measure.begin(business)
    left = list(WAY[steps:])
    for _ in range(2):
        left = [act for act in left if not is_taken(business, act, measure)]
    before = {name for name, after in OUTCOMES.items() if after <= steps}
    assert before <= come_about(business)
    waiting = {
        name
        for name, after in OUTCOMES.items()
        if any(measure.forbids(act) for act in WAY[steps:after])
    }
    assert not (come_about(business) - before) & (waiting | set(measure.stops))
    measure.end(business)
    for act in left:
        business.do(act.who, act.contract, act.method, *act.args(business))
    assert come_about(business) == set(ALL)


def is_taken(business: Business, act: Act, measure: Measure) -> bool:
    if act.contract == "job" and act.method == "confirm" and not job(business):
        return False
    receipt = business.act(act.who, act.contract, act.method, *act.args(business))
    if receipt.status == Code.ok:
        assert not measure.forbids(act), f"{act} was taken"
        return True
    if receipt.status != Code.contract_frozen:
        assert receipt.status == Code.refused and code_of(receipt.detail)
    return False
