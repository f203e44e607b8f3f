"""When an alert is due again, to the millisecond, and what the newest word changes in it."""

from __future__ import annotations

import pytest

from ledger.values import Value
from tests.business import HOUR_MS, Business, digest

DAY_MS = 24 * HOUR_MS
REPORT: list[Value] = ["disk", "opco", "development", "warning", "the disk is full", b""]


def is_due(business: Business) -> Value:
    return business.ask("opco", "alert", "report_due", "opco", "disk", "warning")


def in_force(business: Business, plan: str, limit: int) -> None:
    """A plan with this limit for used-up grants, in place of any other one."""
    limits: list[Value] = [["quota_used", limit, "warning"]]
    text: list[Value] = [plan, "monitoring", "authorization", "Plan", digest(plan), "", limits]
    business.do("opco", "rules", "draft", *text)
    business.do("bureau", "rules", "enact", plan, 1, digest(plan), business.chain.height + 2)
    business.chain.advance(height=2)


@pytest.mark.parametrize(("is_closed", "wait_ms"), [(False, HOUR_MS), (True, DAY_MS)])
def test_an_open_report_is_due_again_in_an_hour_and_a_closed_one_in_a_day(
    is_closed: bool, wait_ms: int
) -> None:
    business = Business()
    business.do("opco", "alert", "report", *REPORT)
    if is_closed:
        business.do("bureau", "alert", "close", "alert-1", "mended")
    business.pass_time(wait_ms - 1)
    assert is_due(business) is False
    business.pass_time(1)
    assert is_due(business) is True


def test_what_was_closed_is_reported_anew_by_hand() -> None:
    business = Business()
    business.do("opco", "alert", "report", *REPORT)
    business.do("bureau", "alert", "close", "alert-1", "mended")
    ((name, fields),) = business.do("opco", "alert", "report", *REPORT)
    assert (name, fields["alert_id"]) == ("AlertRaised", "alert-2")


def test_a_finding_that_is_counted_again_says_what_is_measured_now_and_against_what() -> None:
    business = Business()
    business.created(uses_max=4)
    business.do("opco", "task", "create", *business.order("t2"))
    in_force(business, "p1", 50)
    business.do("bank", "alert", "check", "quota_used", "g1")
    shown = business.ask_record("bureau", "alert", "show", "alert-1")
    assert (shown["measured"], shown["limit"]) == (50, 50)
    business.do("opco", "task", "create", *business.order("t3"))
    business.do("bureau", "rules", "revoke", "p1", "another one")
    in_force(business, "p2", 60)
    business.pass_time(HOUR_MS)
    business.do("bank", "alert", "check", "quota_used", "g1")
    shown = business.ask_record("bureau", "alert", "show", "alert-1")
    assert (shown["measured"], shown["limit"], shown["count"]) == (75, 60, 2)


def test_up_to_twenty_subjects_are_looked_at_at_once() -> None:
    business = Business()
    business.granted()
    found = business.ask("bank", "alert", "findings", "quota_used", ["g1"] * 20)
    assert isinstance(found, list) and len(found) == 20


def test_a_report_about_oneself_is_listed_once() -> None:
    business = Business()
    business.do("opco", "alert", "report", *REPORT)
    business.do("bank", "alert", "report", *REPORT)
    for who, ids in (("opco", ["alert-1", "alert-2"]), ("bank", ["alert-2"])):
        page = business.ask(who, "alert", "list", 0, 10)
        assert isinstance(page, list)
        assert [row["id"] for row in page if isinstance(row, dict)] == ids


@pytest.mark.parametrize("step", ["acknowledge", "close"])
def test_an_answer_has_1024_characters_at_most(step: str) -> None:
    business = Business()
    business.do("opco", "alert", "report", *REPORT)
    assert business.refused("bureau", "alert", step, "alert-1", "n" * 1025) == "alert.note"
    business.do("bureau", "alert", step, "alert-1", "n" * 1024)
