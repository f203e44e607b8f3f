"""A grant ends while its task runs, its result is in flight, or its product is on the way.

The way from the order to the accepted delivery is a line of acts; the chain orders each of them
before or after the end of the grant. All of these orders are tried: wherever the grant ends, none
of the acts that are left is taken, in any order of trying, and no record moves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from ledger.values import Value
from tests.business import HOUR_MS, OFFER, SUPPLIERS, Business, acceptance, digest, result


@dataclass(frozen=True, slots=True)
class Act:
    """A call on the way, of whom."""

    who: str
    contract: str
    method: str
    args: Callable[[Business], list[Value]]

    def refused(self, business: Business) -> str:
        return business.refused(self.who, self.contract, self.method, *self.args(business))

    def do(self, business: Business) -> None:
        business.do(self.who, self.contract, self.method, *self.args(business))


def fixed(*args: Value) -> Callable[[Business], list[Value]]:
    return lambda _business: list(args)


def order(business: Business) -> list[Value]:
    return business.order("t1")


WAY: Sequence[Act] = (
    Act("opco", "task", "create", order),
    *[Act(name, "task", "accept", fixed(*acceptance(name))) for name in SUPPLIERS],
    *[Act(name, "task", "report", fixed(*result(name))) for name in SUPPLIERS],
    Act(
        "opco",
        "product",
        "register",
        fixed("p1", "t1", "Table", "", digest("result"), "statistics"),
    ),
    Act("bureau", "product", "approve", fixed("p1", True, "fit")),
    Act("opco", "delivery", "offer", fixed("v1", "p1", *OFFER)),
    Act("insurer", "delivery", "accept", fixed("v1", digest("payload"), True, "")),
)
CREATED = 1  # so many acts are done when the task exists
FINISHED = 1 + 2 * len(SUPPLIERS)  # and when its result is accepted
OFFERED = len(WAY) - 1
STOPS = range(len(WAY))


def revoke(business: Business) -> None:
    business.do("bureau", "grant", "revoke", "g1", "misuse")


def suspend(business: Business) -> None:
    words: list[Value] = ["i1", "Leak", "development", "critical", "opco", []]
    business.do("bureau", "incident", "open", *words)
    business.do("bureau", "incident", "suspend_grant", "i1", "g1", "leak")


def lift(business: Business) -> None:
    business.do("bureau", "incident", "lift", "i1", 1, "it was none")


def suspend_and_revoke(business: Business) -> None:
    suspend(business)
    revoke(business)


def suspend_revoke_and_lift(business: Business) -> None:
    suspend_and_revoke(business)
    lift(business)


def suspend_lift_and_revoke(business: Business) -> None:
    suspend(business)
    lift(business)
    revoke(business)


def expire(business: Business) -> None:
    business.pass_time(24 * HOUR_MS)


def expire_and_revoke(business: Business) -> None:
    expire(business)
    revoke(business)


def suspend_operator(business: Business) -> None:
    business.suspend("opco")


REVOCATIONS = (
    revoke,
    suspend_and_revoke,
    suspend_revoke_and_lift,
    suspend_lift_and_revoke,
    expire_and_revoke,
)
ENDINGS = (*REVOCATIONS, suspend, expire, suspend_operator)


def after(steps: int) -> Business:
    """A grant, and the first so many acts of the way under it."""
    business = Business()
    business.granted()
    for act in WAY[:steps]:
        act.do(business)
    return business


def records(business: Business, steps: int) -> list[Value]:
    """What is on record of the grant's task, product and delivery, as the manager sees it."""
    found: list[Value] = []
    if steps >= CREATED:
        found.append(business.ask("bureau", "task", "show", "t1"))
    found.append(business.ask("bureau", "product", "list", 0, 10))
    found.append(business.ask("bureau", "delivery", "list", 0, 10))
    return found


def task_status(business: Business) -> Value:
    task = business.ask_record("bureau", "task", "show", "t1")["task"]
    assert isinstance(task, dict)
    return task["status"]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("steps", STOPS)
def test_nothing_goes_on_after_the_grant_ended(
    steps: int, ending: Callable[[Business], None]
) -> None:
    business = after(steps)
    ending(business)
    before = records(business, steps)
    assert business.ask("bureau", "grant", "is_valid", "g1") is False
    # First the act that was in flight, then those behind it: none opens the way for another.
    for act in (*WAY[steps:], *reversed(WAY[steps:])):
        assert act.refused(business)
    assert records(business, steps) == before


@pytest.mark.parametrize("steps", STOPS)
def test_the_act_in_flight_is_refused_for_the_grant_and_nothing_else(steps: int) -> None:
    """So that the checks of the grant are seen to hold, not others by chance."""
    business = after(steps)
    suspend(business)
    assert WAY[steps].refused(business) == "grant.on_hold"


@pytest.mark.parametrize("ending", REVOCATIONS)
@pytest.mark.parametrize("steps", STOPS)
def test_a_revocation_cancels_what_is_open_and_only_that(
    steps: int, ending: Callable[[Business], None]
) -> None:
    business = after(steps)
    ending(business)
    if steps >= CREATED:
        expected = "finished" if steps >= FINISHED else "cancelled"
        assert task_status(business) == expected
    for supplier in SUPPLIERS:
        assert business.ask(supplier, "task", "open_for", supplier, 0, 100) == []


@pytest.mark.parametrize("steps", STOPS)
def test_a_lifted_suspension_lets_the_act_in_flight_through_and_all_behind_it(steps: int) -> None:
    business = after(steps)
    suspend(business)
    assert WAY[steps].refused(business) == "grant.on_hold"
    lift(business)
    for act in WAY[steps:]:
        act.do(business)
    assert business.ask_record("insurer", "delivery", "show", "v1")["status"] == "accepted"


@pytest.mark.parametrize("steps", range(CREATED, FINISHED))
def test_anybody_closes_the_task_that_an_expired_grant_left_open(steps: int) -> None:
    business = after(steps)
    expire(business)
    business.do("bank", "task", "expire", "t1")
    assert task_status(business) == "expired"
    for supplier in SUPPLIERS:
        assert business.ask(supplier, "task", "open_for", supplier, 0, 100) == []


@pytest.mark.parametrize("ending", [*REVOCATIONS, suspend])
@pytest.mark.parametrize("steps", range(CREATED + len(SUPPLIERS) + 1, len(WAY)))
def test_the_operator_gets_no_share_of_a_grant_that_was_withdrawn(
    steps: int, ending: Callable[[Business], None]
) -> None:
    business = after(steps)
    ending(business)
    reported = SUPPLIERS[: steps - CREATED - len(SUPPLIERS)]
    expected = {"grant.revoked", "grant.on_hold"} if steps >= FINISHED else {"task.unfinished"}
    for supplier in reported:
        assert business.denied("opco", "task", "share", "t1", supplier) in expected
        assert business.ask(supplier, "task", "share", "t1", supplier) != b""


@pytest.mark.parametrize("steps", range(FINISHED, FINISHED + 2))
def test_a_product_of_a_grant_that_ended_may_still_be_refused(steps: int) -> None:
    business = after(steps)
    if steps == FINISHED:
        assert WAY[FINISHED].method == "register"
        WAY[FINISHED].do(business)
    revoke(business)
    business.do("bureau", "product", "approve", "p1", False, "its grant was revoked")
    assert business.ask_record("bureau", "product", "show", "p1")["status"] == "refused"


def test_an_offer_of_a_revoked_grant_may_still_be_rejected() -> None:
    business = after(OFFERED)
    revoke(business)
    torn: list[Value] = ["v1", digest("payload"), False, "its grant was revoked"]
    business.do("insurer", "delivery", "accept", *torn)
    assert business.ask_record("insurer", "delivery", "show", "v1")["status"] == "rejected"


def test_what_was_accepted_before_the_revocation_stays_on_record() -> None:
    business = after(len(WAY))
    revoke(business)
    assert business.ask_record("insurer", "delivery", "show", "v1")["status"] == "accepted"


def test_a_revocation_cancels_every_task_at_whatever_step_it_is() -> None:
    business = after(FINISHED - 1)
    for number, steps in ((2, 0), (3, 2)):
        task_id = f"t{number}"
        business.do("opco", "task", "create", *business.order(task_id))
        for supplier in SUPPLIERS[:steps]:
            business.do(supplier, "task", "accept", *acceptance(supplier, task_id))
    events = business.do("bureau", "grant", "revoke", "g1", "misuse")
    assert [name for name, _fields in events] == ["Revoked", *["TaskCancelled"] * 3]
    for supplier in SUPPLIERS:
        for task_id in ("t1", "t2", "t3"):
            late = business.refused(supplier, "task", "report", *result(supplier, task_id))
            assert late in ("task.status", "task.reported")
