"""Tasks at the moment of their deadline, and who may call one off or fetch what came of it."""

from __future__ import annotations

import pytest

from ledger.values import Value
from tests.business import HOUR_MS, STRANGER, SUPPLIERS, Business, acceptance, changed, result

HOURS = 1  # until the deadline


def at_the_deadline(business: Business, early_ms: int = 0) -> None:
    """The block of the next act has the time of the deadline, or is so much earlier."""
    task = business.ask_record("opco", "task", "show", "t1")["task"]
    assert isinstance(task, dict) and isinstance(task["deadline_ms"], int)
    business.pass_time(task["deadline_ms"] - 1 - early_ms - business.now_ms)


def test_a_task_is_late_in_the_millisecond_of_its_deadline() -> None:
    business = Business()
    business.created(hours=HOURS)
    at_the_deadline(business, early_ms=1)
    business.accept("health")
    refused = business.refused("social", "task", "accept", *acceptance("social"))
    assert refused == "task.late"
    business = Business()
    business.running(hours=HOURS)
    at_the_deadline(business, early_ms=1)
    business.report("health")
    assert business.refused("social", "task", "report", *result("social")) == "task.late"


def test_a_task_expires_in_the_millisecond_of_its_deadline_and_no_earlier() -> None:
    business = Business()
    business.created(hours=HOURS)
    at_the_deadline(business, early_ms=1)
    assert business.refused("bank", "task", "expire", "t1") == "task.early"
    business.do("bank", "task", "expire", "t1")


def test_a_task_may_last_as_long_as_its_grant_and_no_longer() -> None:
    business = Business()
    business.granted()
    end_ms = business.ask_record("opco", "grant", "show", "g1")["expires_ms"]
    assert isinstance(end_ms, int)
    late = changed(business.order(), 6, end_ms + 1)
    assert business.refused("opco", "task", "create", *late) == "task.deadline"
    business.do("opco", "task", "create", *changed(late, 6, end_ms))


def test_a_counter_may_be_nought() -> None:
    business = Business()
    business.running()
    business.do("health", "task", "report", *changed(result("health"), 5, [0, 4096]))


@pytest.mark.parametrize("who", ["opco", "bureau", "board"])
def test_its_operator_and_any_manager_call_a_task_off(who: str) -> None:
    business = Business()
    business.running()
    ((name, fields),) = business.do(who, "task", "cancel", "t1")
    assert (name, fields["party_id"]) == ("TaskCancelled", who)


def test_no_share_goes_to_the_operator_before_the_result_counts_or_once_it_does_not() -> None:
    """Two of three shares may tell the result."""
    business = Business()
    business.running()
    share: list[Value] = ["t1", "health"]
    for supplier in SUPPLIERS:
        business.report(supplier)
        if supplier != SUPPLIERS[-1]:
            assert business.denied("opco", "task", "share", *share) == "task.unfinished"
        assert business.ask("health", "task", "share", *share)
    assert business.ask("opco", "task", "share", *share)
    for who in ("social", "insurer", "bureau", STRANGER):
        assert business.denied(who, "task", "share", *share) == "task.reader"
    business.do("bureau", "grant", "revoke", "g1", "misuse")
    assert business.denied("opco", "task", "share", *share) == "grant.revoked"
    assert business.ask("health", "task", "share", *share)


def test_who_belongs_to_no_party_is_not_the_party_without_a_name() -> None:
    business = Business()
    business.running()
    assert business.denied(STRANGER, "task", "share", "t1", "") == "task.reader"
    assert business.denied(STRANGER, "task", "open_for", "", 0, 1) == "task.reader"


def test_nothing_is_ordered_that_no_vetted_algorithm_runs_or_that_a_stranger_would_open() -> None:
    business = Business()
    business.granted()
    business.do("bureau", "algorithm", "disable", business.order()[2], "unsafe")
    assert business.refused("opco", "task", "create", *business.order()) == "algorithm.disabled"


def test_who_has_accepted_is_asked_again_whether_its_algorithm_is_vetted() -> None:
    business = Business()
    business.running(hours=2 * HOURS)
    business.report("health")
    business.do("bureau", "algorithm", "disable", business.order()[2], "unsafe")
    refused = business.refused("social", "task", "report", *result("social"))
    assert refused == "algorithm.disabled"
    business.pass_time(HOURS * HOUR_MS)
    assert business.refused("social", "task", "report", *result("social")) == refused
