"""Reports of tasks: who may report what, until when, and what becomes of them."""

from __future__ import annotations

import pytest

from ledger.values import Value
from tests.business import (
    HOUR_MS,
    SUPPLIERS,
    Business,
    changed,
    dataset_of,
    digest,
    result,
)


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "t9", "task.unknown"),
        (1, bytes(31), "task.digest"),
        (2, bytes(33), "task.digest"),
        (3, b"", "task.digest"),
        (4, b"", "task.output_share"),
        (4, bytes(48 * 1024 + 1), "task.output_share"),
        (5, [0] * 17, "task.resources"),
        (5, [-1], "task.resources"),
        (6, "", "task.protection"),
        (6, "p" * 257, "task.protection"),
    ],
)
def test_a_malformed_report_is_refused(position: int, value: Value, code: str) -> None:
    business = Business()
    business.running()
    bad = changed(result("health"), position, value)
    assert business.refused("health", "task", "report", *bad) == code


def test_the_largest_share_fits_into_storage() -> None:
    business = Business()
    business.running()
    share = bytes(48 * 1024)
    business.do("health", "task", "report", *changed(result("health"), 4, share))
    assert business.ask("health", "task", "share", "t1", "health") == share


def test_a_party_reports_once() -> None:
    business = Business()
    business.running()
    business.report("health")
    assert business.refused("health", "task", "report", *result("health")) == "task.reported"


def test_nobody_reports_before_the_task_runs_or_after_it_ended() -> None:
    business = Business()
    business.created()
    assert business.refused("health", "task", "report", *result("health")) == "task.status"
    business.do("opco", "task", "cancel", "t1")
    assert business.refused("health", "task", "report", *result("health")) == "task.status"


def test_nobody_reports_after_the_deadline() -> None:
    business = Business()
    business.running(hours=1)
    business.pass_time(HOUR_MS)
    assert business.refused("health", "task", "report", *result("health")) == "task.late"


def test_no_result_is_taken_under_a_revoked_grant() -> None:
    business = Business()
    business.running()
    business.report("health")
    business.do("bureau", "grant", "revoke", "g1", "misuse")
    assert business.refused("social", "task", "report", *result("social")) == "task.status"
    assert task_status(business) == "cancelled"


def test_no_result_is_taken_while_the_operator_is_suspended() -> None:
    business = Business()
    business.running()
    business.suspend("opco")
    assert business.refused("health", "task", "report", *result("health")) == "grant.suspended"


def test_a_used_up_grant_still_takes_the_result_of_its_last_use() -> None:
    business = Business()
    business.running(uses_max=1)
    for supplier in SUPPLIERS:
        business.report(supplier)
    assert task_status(business) == "finished"


def test_agreeing_reports_finish_the_task() -> None:
    business = Business()
    business.running()
    for supplier in SUPPLIERS[:-1]:
        assert [name for name, _fields in business.report(supplier)] == ["TaskReported"]
    events = business.report(SUPPLIERS[-1])
    assert [name for name, _fields in events] == ["TaskReported", "TaskFinished"]
    assert events[-1][1] == {
        "task_id": "t1",
        "participants": list(SUPPLIERS),
        "program_hash": digest("compiled"),
    }
    assert task_status(business) == "finished"


@pytest.mark.parametrize("dissenter", SUPPLIERS)
def test_a_disagreeing_program_hash_makes_the_task_disputed(dissenter: str) -> None:
    business = Business()
    business.running()
    for supplier in SUPPLIERS:
        program = "another program" if supplier == dissenter else "compiled"
        events = business.report(supplier, program=program)
    assert [name for name, _fields in events] == ["TaskReported", "TaskDisputed"]
    assert task_status(business) == "disputed"
    words: list[Value] = ["p1", "t1", "T", "", digest("r"), "statistics"]
    refused = business.refused("opco", "product", "register", *words)
    assert refused == "product.task"


def test_reports_are_kept_in_the_order_of_the_participants() -> None:
    business = Business()
    business.running()
    for supplier in reversed(SUPPLIERS):
        business.report(supplier)
    reports = business.ask_record("opco", "task", "show", "t1")["reports"]
    assert isinstance(reports, list)
    parties = [row["party"] for row in reports if isinstance(row, dict)]
    assert parties == list(SUPPLIERS)


def test_a_share_that_was_not_reported_is_named_as_such() -> None:
    business = Business()
    business.running()
    assert business.denied("opco", "task", "share", "t1", "health") == "task.share"
    assert business.denied("opco", "task", "share", "t9", "health") == "task.unknown"


def test_a_data_set_shows_its_part_in_computations() -> None:
    business = Business()
    business.granted()
    assert part(business) == ("unused", 0, 0, 0)
    business.do("opco", "task", "create", *business.order("t1"))
    business.do("opco", "task", "create", *business.order("t2"))
    assert part(business) == ("computing", 2, 0, 0)
    business.do("opco", "task", "cancel", "t1")
    assert part(business) == ("computing", 1, 0, 1)
    for supplier in SUPPLIERS:
        business.accept(supplier, "t2")
    for supplier in SUPPLIERS:
        business.report(supplier, "t2")
    assert part(business) == ("used", 0, 1, 1)


def part(business: Business) -> tuple[Value, Value, Value, Value]:
    shown = business.ask_record("bank", "catalog", "participation", dataset_of("health"))
    return shown["status"], shown["open"], shown["finished"], shown["ended"]


def task_status(business: Business) -> Value:
    task = business.ask_record("bureau", "task", "show", "t1")["task"]
    assert isinstance(task, dict)
    return task["status"]
