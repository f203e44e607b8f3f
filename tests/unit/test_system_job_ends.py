"""How jobs end: once, at their moment, by those they concern, and counted right."""

from __future__ import annotations

import pytest

from tests.business import (
    STRANGER,
    SUPPLIERS,
    Business,
    changed,
    code_of,
    digest,
)


def deadline_of(business: Business) -> int:
    deadline_ms = business.job()["deadline_ms"]
    assert isinstance(deadline_ms, int)
    return deadline_ms


def test_the_last_confirmation_tells_that_the_job_is_queued() -> None:
    business = Business()
    business.planned()
    for party in (*SUPPLIERS, "insurer"):
        events = business.do(party, "job", "confirm", "j1", business.job()["digest"])
    assert [name for name, _fields in events] == ["JobConfirmed", "JobQueued"]
    assert events[1][1] == {"job_id": "j1", "grant_id": "g1", "operator": "opco"}


def test_a_step_that_failed_is_told_and_not_counted() -> None:
    business = Business()
    business.dispatched()
    business.do("opco", "task", "create", *business.step_order("first", "t1"))
    events = business.do("health", "task", "fail", "t1", "no room")
    ended = dict(events)["JobStepEnded"]
    assert (ended["step"], ended["task_id"], ended["status"]) == ("first", "t1", "failed")
    assert business.job()["finished"] == 0
    business.step_done("first", "t2")
    assert business.job()["finished"] == 1


def test_a_job_that_ended_takes_no_word_of_its_tasks() -> None:
    business = Business()
    business.dispatched()
    business.do("opco", "task", "create", *business.step_order("first", "t1"))
    business.do("opco", "job", "cancel", "j1", "late")
    ended = business.job()
    receipt = business.chain.call(
        "contract:task", "job", "step_ended", "j1", "first", "t1", "finished"
    )
    assert (receipt.status, receipt.events) == (0, ())
    assert business.job() == ended


def test_a_task_may_last_as_long_as_its_job() -> None:
    business = Business()
    business.dispatched()
    order = changed(business.step_order("first", "t1"), 6, deadline_of(business))
    business.do("opco", "task", "create", *order)


def test_a_result_is_named_once_unless_it_is_disputed() -> None:
    business = Business()
    business.with_result()
    again = "opco", "job", "finish", "j1", digest("another result")
    assert business.refused(*again) == "job.unfinished"
    business.do("insurer", "job", "verify", "j1", digest("result"), False, "another table")
    business.do(*again)
    shown = business.job()
    assert (shown["status"], shown["reason"]) == ("result", "")
    business.do("insurer", "job", "verify", "j1", digest("another result"), True, "")
    assert business.refused(*again) == "job.unfinished"


def test_a_result_that_is_named_anew_frees_its_place_once() -> None:
    business = Business()
    business.with_result()
    business.do("insurer", "job", "verify", "j1", digest("result"), False, "another table")
    business.do("opco", "job", "finish", "j1", digest("another result"))
    for number in range(9):
        business.queued(f"k{number}")
    for number in range(8):
        business.do("opco", "job", "dispatch", f"k{number}")
    assert business.refused("opco", "job", "dispatch", "k8") == "job.load"


def test_a_job_that_ends_under_way_frees_its_place() -> None:
    business = Business()
    for number in range(9):
        business.queued(f"j{number}")
    for number in range(8):
        business.do("opco", "job", "dispatch", f"j{number}")
    business.do("opco", "task", "create", *business.step_order("first", "t1", "j0"))
    assert business.job("j0")["status"] == "running"
    assert business.refused("opco", "job", "dispatch", "j8") == "job.load"
    business.do("opco", "job", "abandon", "j0", "out of memory")
    business.do("opco", "job", "dispatch", "j8")


@pytest.mark.parametrize("who", ["bank", "archive", "rival", STRANGER])
def test_whom_a_plan_does_not_name_calls_no_job_off(who: str) -> None:
    business = Business()
    business.planned()
    assert business.refused(who, "job", "cancel", "j1", "not mine") == "job.cancel"


def test_a_job_expires_in_the_millisecond_of_its_deadline_and_no_earlier() -> None:
    business = Business()
    business.planned()
    business.pass_time(deadline_of(business) - 2 - business.now_ms)
    assert business.refused("bank", "job", "expire", "j1") == "job.early"
    business.do("bank", "job", "expire", "j1")


def test_who_belongs_to_no_party_is_not_the_operator_without_a_name() -> None:
    assert Business().denied(STRANGER, "job", "queue", "", 0, 1) == "job.reader"


def test_a_job_in_its_last_millisecond_is_still_confirmed_and_dispatched() -> None:
    business = Business()
    business.planned()
    for party in (*SUPPLIERS, "insurer")[:-1]:
        business.do(party, "job", "confirm", "j1", business.job()["digest"])
    business.pass_time(deadline_of(business) - 3 - business.now_ms)
    business.do("insurer", "job", "confirm", "j1", business.job()["digest"])
    business.do("opco", "job", "dispatch", "j1")
    assert business.now_ms == deadline_of(business) - 1
    late = business.step_order("first", "t1")
    assert business.refused("opco", "task", "create", *late) == "job.deadline"


def test_a_job_is_late_in_the_millisecond_of_its_deadline() -> None:
    business = Business()
    business.queued("j2")
    business.planned()
    business.pass_time(deadline_of(business) - 1 - business.now_ms)
    confirmation = "job", "confirm", "j1", business.job()["digest"]
    assert business.refused("health", *confirmation) == "job.late"
    assert business.now_ms == deadline_of(business)


@pytest.mark.parametrize(("early_ms", "code"), [(1, "job.turn"), (0, "")])
def test_a_job_whose_time_is_over_holds_up_none_behind_it(early_ms: int, code: str) -> None:
    business = Business()
    business.granted(uses_max=9)
    business.do("opco", "job", "create", *business.plan(priority=9, hours=1))
    for party in (*SUPPLIERS, "insurer"):
        business.do(party, "job", "confirm", "j1", business.job()["digest"])
    business.queued("behind", priority=1)
    business.pass_time(deadline_of(business) - 1 - early_ms - business.now_ms)
    receipt = business.act("opco", "job", "dispatch", "behind")
    assert (code_of(receipt.detail) if receipt.detail else "") == code


def test_who_closes_a_job_says_how_it_ended() -> None:
    business = Business()
    business.verified()
    business.do("opco", "job", "close", "j1", "archived")
    assert (business.job()["status"], business.job()["reason"]) == ("closed", "archived")
