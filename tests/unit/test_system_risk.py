"""Risks that are read from several contracts: what strays from what was authorized."""

from __future__ import annotations

import pytest

from ledger.model import address_of
from ledger.values import Value
from tests.business import (
    HOUR_MS,
    OFFER,
    SCENARIO,
    SUPPLIERS,
    Business,
    changed,
    digest,
    node_public,
    step,
)

DAY_MS = 24 * HOUR_MS
RECEIVERS = {"opco": False, "insurer": False, "rival": True, "bank": True, "health": True}


def looked(business: Business, check: str, subject: str) -> tuple[Value, Value, Value]:
    seen = business.ask_record("devhouse", "risk", "look", check, subject)
    return seen["party"], seen["measured"], seen["is_due"]


def desk_of(business: Business, party: str) -> bytes:
    """A key that is an account of the party."""
    key = node_public(f"desk of {party}")
    business.do("bureau", "parties", "add_account", party, address_of(key))
    return key


def sealed_to(business: Business, party: str) -> None:
    """A task whose result is sealed to a key that becomes an account of the party later."""
    business.granted()
    key = node_public(f"desk of {party}")
    business.do("opco", "task", "create", *changed(business.order(), 5, key))
    assert looked(business, "task_mismatch", "t1") == ("opco", 0, False)
    desk_of(business, party)


@pytest.mark.parametrize(("party", "is_beside"), RECEIVERS.items())
def test_a_result_goes_to_no_party_beside_the_grant(party: str, is_beside: bool) -> None:
    business = Business()
    business.granted(uses_max=9)
    key = desk_of(business, party)
    sealed = changed(business.order(), 5, key)
    steps: list[Value] = [step("first"), step("second", key=key)]
    plan = changed(business.plan(), -1, steps)
    if is_beside:
        assert business.refused("opco", "task", "create", *sealed) == "risk.receiver"
        assert business.refused("opco", "job", "create", *plan) == "risk.receiver"
        business.do("bureau", "parties", "remove_account", party, address_of(key))
    business.do("opco", "task", "create", *sealed)
    business.do("opco", "job", "create", *plan)


@pytest.mark.parametrize(("party", "is_beside"), RECEIVERS.items())
def test_a_key_that_becomes_an_account_of_another_party_later_is_found(
    party: str, is_beside: bool
) -> None:
    business = Business()
    sealed_to(business, party)
    assert looked(business, "task_mismatch", "t1") == ("opco", int(is_beside), is_beside)


def test_a_step_whose_receiver_became_a_party_beside_the_grant_is_not_begun() -> None:
    business = Business()
    business.granted(uses_max=9)
    key = node_public("desk of rival")
    plan = changed(business.plan(), -1, [step("first", key=key)])
    business.do("opco", "job", "create", *plan)
    for party in (*SUPPLIERS, "insurer"):
        business.do(party, "job", "confirm", "j1", business.job()["digest"])
    business.do("opco", "job", "dispatch", "j1")
    desk_of(business, "rival")
    begun = changed(business.step_order("first", "t1"), 5, key)
    assert business.refused("opco", "task", "create", *begun) == "risk.receiver"


def test_a_key_that_was_made_for_the_task_is_nobodys() -> None:
    business = Business()
    business.created()
    assert looked(business, "task_mismatch", "t1") == ("opco", 0, False)


def test_a_product_of_a_kind_that_was_not_granted_is_not_registered() -> None:
    business = Business()
    business.finished()
    made: list[Value] = ["p1", "t1", "Table", "", digest("result"), "model"]
    assert business.refused("opco", "product", "register", *made) == "product.beyond"
    business.do("opco", "product", "register", *changed(made, -1, "statistics"))
    assert looked(business, "purpose_mismatch", "p1") == ("opco", 0, False)


def registered_before(business: Business, product_id: str = "p1") -> None:
    """The product is of a kind that a contract without the rule has let in."""
    (place,) = [
        place
        for place, value in business.chain.state.items()
        if place[0] == "product" and b"statistics" in value
    ]
    value = business.chain.state[place]
    business.chain.state[place] = value.replace(b"statistics", b"individual")
    business.pass_time(1000)
    assert business.ask_record("opco", "product", "show", product_id)["output"] == "individual"


def test_a_product_from_before_the_rule_is_found() -> None:
    business = Business()
    business.registered()
    registered_before(business)
    assert looked(business, "purpose_mismatch", "p1") == ("opco", 1, True)
    ((_name, event),) = business.do("archive", "alert", "check", "purpose_mismatch", "p1")
    assert (event["severity"], event["stage"]) == ("critical", "development")
    business.do("bureau", "alert", "close", str(event["alert_id"]), "withdrawn")
    business.pass_time(30 * DAY_MS)
    code = business.refused("archive", "alert", "check", "purpose_mismatch", "p1")
    assert code == "alert.quiet", "it stays as it is"


def test_a_product_whose_task_strayed_strays_in_two_ways_at_most_once_each() -> None:
    business = Business()
    sealed_to(business, "rival")
    for supplier in SUPPLIERS:
        business.accept(supplier)
    for supplier in SUPPLIERS:
        business.report(supplier)
    made: list[Value] = ["p1", "t1", "Table", "", digest("result"), "statistics"]
    business.do("opco", "product", "register", *made)
    assert looked(business, "purpose_mismatch", "p1") == ("opco", 1, True)
    registered_before(business)
    assert looked(business, "purpose_mismatch", "p1") == ("opco", 2, True)


@pytest.mark.parametrize("risk", ["low", "medium", "high"])
def test_due_diligence_is_what_was_prepared_and_a_high_risk_is_told(risk: str) -> None:
    business = Business()
    business.assessed()
    prepared: list[Value] = ["v1", "p1", "interface", risk, digest("diligence"), ""]
    business.do("opco", "delivery", "prepare", *prepared)
    business.do("opco", "delivery", "offer", "v1", "p1", *OFFER)
    assert looked(business, "no_diligence", "v1")[2] is False
    assert looked(business, "high_risk", "v1") == ("opco", 1, risk == "high")
    business.do("opco", "delivery", "offer", "v2", "p1", *OFFER)
    assert looked(business, "no_diligence", "v2")[2] is True


def test_use_that_nobody_reports_and_use_for_something_else_are_found() -> None:
    business = Business()
    business.offered()
    business.do("insurer", "delivery", "accept", "v1", digest("payload"), True, "")
    business.pass_time(89 * DAY_MS)
    assert looked(business, "use_unreported", "v1") == ("insurer", 89, False)
    business.pass_time(DAY_MS)
    assert looked(business, "use_unreported", "v1") == ("insurer", 90, True)
    log: list[Value] = [3, SCENARIO, digest("log"), ""]
    begin_ms = business.now_ms - 90 * DAY_MS
    business.do("insurer", "delivery", "report_use", "v1", begin_ms, business.now_ms, *log)
    assert looked(business, "use_unreported", "v1")[2] is False
    assert looked(business, "use_mismatch", "v1") == ("insurer", 0, False)
    begin_ms = business.now_ms
    business.pass_time(HOUR_MS)
    strayed = changed(log, 1, "training of a model")
    business.do("insurer", "delivery", "report_use", "v1", begin_ms, business.now_ms, *strayed)
    assert looked(business, "use_mismatch", "v1") == ("insurer", 1, True)


def test_what_is_no_check_or_no_subject_is_not_looked_at() -> None:
    business = Business()
    assert business.denied("bureau", "risk", "look", "gossip", "v1") == "rules.check"
    assert business.denied("bureau", "risk", "look", "purpose_mismatch", "p9") == "product.unknown"
    assert business.denied("bureau", "risk", "look", "task_mismatch", "t9") == "task.unknown"
