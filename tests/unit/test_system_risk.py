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
)

DAY_MS = 24 * HOUR_MS
RECEIVERS = {"opco": False, "insurer": False, "rival": True, "bank": True, "health": True}


def looked(business: Business, check: str, subject: str) -> tuple[Value, Value, Value]:
    seen = business.ask_record("devhouse", "risk", "look", check, subject)
    return seen["party"], seen["measured"], seen["is_due"]


def sealed_to(business: Business, party: str) -> None:
    """A finished task whose result is sealed to a key that is an account of the party."""
    key = node_public(f"desk of {party}")
    business.do("bureau", "parties", "add_account", party, address_of(key))
    business.granted()
    business.do("opco", "task", "create", *changed(business.order(), 5, key))


@pytest.mark.parametrize(("party", "is_due"), RECEIVERS.items())
def test_a_result_that_is_sealed_to_a_party_beside_the_grant_is_found(
    party: str, is_due: bool
) -> None:
    business = Business()
    sealed_to(business, party)
    assert looked(business, "task_mismatch", "t1") == ("opco", int(is_due), is_due)


def test_a_key_that_was_made_for_the_task_is_nobodys() -> None:
    business = Business()
    business.created()
    assert looked(business, "task_mismatch", "t1") == ("opco", 0, False)


@pytest.mark.parametrize(("output", "is_due"), [("statistics", False), ("model", True)])
def test_a_product_of_a_kind_that_was_not_granted_is_found(output: str, is_due: bool) -> None:
    business = Business()
    business.finished()
    made: list[Value] = ["p1", "t1", "Table", "", digest("result"), output]
    business.do("opco", "product", "register", *made)
    assert looked(business, "purpose_mismatch", "p1") == ("opco", int(is_due), is_due)
    if is_due:
        ((name, event),) = business.do("archive", "alert", "check", "purpose_mismatch", "p1")
        assert (name, event["severity"], event["stage"]) == (
            "AlertRaised",
            "critical",
            "development",
        )
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
    made: list[Value] = ["p1", "t1", "Table", "", digest("result"), "model"]
    business.do("opco", "product", "register", *made)
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
