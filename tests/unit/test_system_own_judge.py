"""A party may hold several roles, but no manager decides on what it asks for or serves itself."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from contracts.vm.testing import account
from ledger.values import Value
from tests.business import (
    DEMAND,
    HOUR_MS,
    SUPPLIERS,
    Business,
    acceptance,
    all_datasets,
    changed,
    digest,
    result,
)

HUB = "hub"  # a manager with another role


def with_hub(*roles: str) -> Business:
    business = Business()
    business.catalogued()
    words: list[Value] = [HUB, "Hub", ["manager", *roles], [account(HUB)]]
    business.do("bureau", "parties", "register", *words)
    return business


def forwarded(business: Business, *, consumer: str, operator: str) -> Business:
    business.do(consumer, "demand", "file", "d1", *DEMAND)
    business.do(operator, "demand", "prescreen", "d1", True, "complete")
    return business


def decisions(business: Business) -> Sequence[tuple[str, list[Value]]]:
    """What a manager may make of a forwarded demand."""
    due_ms = business.now_ms + HOUR_MS
    order: list[Value] = ["d1", "not there", [*SUPPLIERS], "claims", due_ms]
    return [("review", ["d1", True, "lawful", all_datasets()]), ("collect", order)]


@pytest.mark.parametrize(
    ("consumer", "operator", "role"),
    [(HUB, "opco", "consumer"), ("insurer", HUB, "operator")],
)
def test_no_manager_reviews_a_demand_that_it_filed_or_forwarded(
    consumer: str, operator: str, role: str
) -> None:
    business = forwarded(with_hub(role), consumer=consumer, operator=operator)
    for method, args in decisions(business):
        assert business.refused(HUB, "demand", method, *args) == "demand.self"
    (_review, (_collect, order)) = decisions(business)
    business.do("bureau", "demand", "collect", *order)
    business.enter("health", "x", "d1")
    assert business.refused(HUB, "demand", "match", "d1", "", ["x"]) == "demand.self"
    assert business.refused(HUB, "demand", "abandon", "d1", "late") == "demand.self"
    business.do("bureau", "demand", "match", "d1", "", ["x"])


def matched(role: str, *, consumer: str, operator: str) -> Business:
    business = forwarded(with_hub(role), consumer=consumer, operator=operator)
    business.do("bureau", "demand", "review", "d1", True, "lawful", all_datasets())
    return business


def test_no_manager_grants_what_is_for_itself() -> None:
    business = matched("consumer", consumer=HUB, operator="opco")
    business.do("opco", "grant", "request", "g1", *business.grant_terms())
    business.do("bureau", "grant", "review", "g1")
    decide: list[Value] = ["g1", True, "", business.terms_digest("g1")]
    assert business.refused(HUB, "grant", "decide", *decide) == "grant.self"
    business.do("bureau", "grant", "decide", *decide)


def test_the_channel_of_a_manager_gives_it_nothing() -> None:
    business = matched("consumer", consumer=HUB, operator="opco")
    for who, channel in ((HUB, "own"), ("bureau", "other")):
        business.do(who, "preapproval", "preapprove", channel, *business.channel())
    asked = business.grant_terms()
    own: list[Value] = ["g1", *changed(asked, -1, "own")]
    assert business.refused("opco", "grant", "request", *own) == "preapproval.consumer"
    business.do("opco", "grant", "request", "g1", *changed(asked, -1, "other"))


def made(*, consumer: str, operator: str, role: str) -> Business:
    """A finished task, alone; then a job whose result is disputed."""
    business = matched(role, consumer=consumer, operator=operator)
    business.do(operator, "grant", "request", "g1", *business.grant_terms(uses_max=9))
    signed = business.terms_digest("g1")
    business.do("bureau", "grant", "review", "g1")
    business.do("bureau", "grant", "decide", "g1", True, "", signed)
    business.do(operator, "grant", "accept", "g1", signed)
    computed(business, operator, business.order("t1"))
    business.do(operator, "job", "create", *business.plan())
    plan = business.ask_record("bureau", "job", "show", "j1")["job"]
    assert isinstance(plan, dict)
    for party in (*SUPPLIERS, consumer):
        business.do(party, "job", "confirm", "j1", plan["digest"])
    business.do(operator, "job", "dispatch", "j1")
    for name in ("first", "second", "third"):
        computed(business, operator, business.step_order(name, f"t-{name}"))
    business.do(operator, "job", "finish", "j1", digest("result"))
    business.do(consumer, "job", "verify", "j1", digest("other"), False, "it does not open")
    return business


def computed(business: Business, operator: str, order: list[Value]) -> None:
    business.do(operator, "task", "create", *order)
    task_id = str(order[0])
    for supplier in SUPPLIERS:
        business.do(supplier, "task", "accept", *acceptance(supplier, task_id))
    for supplier in SUPPLIERS:
        business.do(supplier, "task", "report", *result(supplier, task_id))


@pytest.mark.parametrize(
    ("consumer", "operator", "role", "code"),
    [
        (HUB, "opco", "consumer", "job.close"),
        ("insurer", HUB, "operator", "job.unverified"),
    ],
)
def test_no_manager_judges_what_it_made_or_receives(
    consumer: str, operator: str, role: str, code: str
) -> None:
    business = made(consumer=consumer, operator=operator, role=role)
    words: list[Value] = ["p1", "t1", "Table", "", digest("result"), "statistics"]
    business.do(operator, "product", "register", *words)
    for passed in (True, False):
        refused = business.refused(HUB, "product", "approve", "p1", passed, "fit")
        assert refused == "product.self"
    business.do("bureau", "product", "approve", "p1", True, "fit")
    assert business.refused(HUB, "job", "close", "j1", "settled") == code
    business.do("bureau", "job", "close", "j1", "settled")


def test_a_channel_speaks_no_longer_than_its_manager() -> None:
    business = Business()
    business.approved()
    business.preapproved()
    asked = changed(business.grant_terms(), -1, "c1")
    business.do("board", "parties", "suspend", "bureau", "bribed")
    refused = business.refused("opco", "grant", "request", "g1", *asked)
    assert refused == "preapproval.manager"
    business.do("board", "parties", "readmit", "bureau", "cleared")
    business.do("opco", "grant", "request", "g1", *asked)
