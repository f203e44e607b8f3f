"""Tasks: ordered within a grant, accepted by all, dispatched once."""

from __future__ import annotations

import pytest

from contracts.vm.codes import Code
from contracts.vm.testing import GAS_LIMIT, account
from ledger.values import Value
from tests.business import (
    ALGORITHM,
    CERTIFICATE,
    HOUR_MS,
    PROGRAM,
    STRANGER,
    SUPPLIERS,
    Business,
    acceptance,
    all_datasets,
    changed,
    dataset_of,
    dataset_rows,
    digest,
)

PAIRS: list[Value] = [[supplier, dataset_of(supplier)] for supplier in SUPPLIERS]


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "", "task.id"),
        (0, "T1", "task.id"),
        (0, "t" * 65, "task.id"),
        (1, "g9", "grant.unknown"),
        (2, "", "grant.algorithm"),
        (2, "statistics/2", "grant.algorithm"),
        (3, b"", "task.program"),
        (3, bytes(16 * 1024 + 1), "task.program"),
        (4, [], "task.participants"),
        (4, PAIRS[:1], "task.participants"),
        (4, PAIRS * 6, "task.participants"),
        (4, [PAIRS[0], PAIRS[0]], "task.participant_twice"),
        (4, [PAIRS[0], ["nobody", dataset_of("social")]], "task.supplier"),
        (4, [PAIRS[0], ["bank", dataset_of("social")]], "task.supplier"),
        (4, [PAIRS[0], ["social", "unheard-of"]], "grant.dataset"),
        (4, [PAIRS[0], ["social", "social-births"]], "grant.dataset"),
        (4, [PAIRS[0], ["social", dataset_of("civil")]], "catalog.owner"),
        (5, bytes(63), "task.receiver_key"),
        (5, bytes(65), "task.receiver_key"),
    ],
)
def test_a_malformed_task_is_not_created(position: int, value: Value, code: str) -> None:
    business = Business()
    business.granted()
    business.enter("social", "social-births")
    bad = changed(business.order(), position, value)
    assert business.refused("opco", "task", "create", *bad) == code
    assert business.ask_record("opco", "grant", "show", "g1")["uses"] == 0


def test_a_deadline_lies_ahead_within_a_week_and_within_the_grant() -> None:
    business = Business()
    business.granted(hours=24)
    week_ms = 7 * 24 * HOUR_MS
    for deadline_ms in (0, business.now_ms, business.now_ms + week_ms + HOUR_MS):
        bad = changed(business.order(), 6, deadline_ms)
        assert business.refused("opco", "task", "create", *bad) == "task.deadline"
    bad = changed(business.order(), 6, business.now_ms + 25 * HOUR_MS)
    assert business.refused("opco", "task", "create", *bad) == "task.deadline"


def test_a_task_id_is_given_once() -> None:
    business = Business()
    business.created()
    assert business.refused("opco", "task", "create", *business.order()) == "task.exists"


def test_no_task_without_a_valid_grant() -> None:
    business = Business()
    business.granted(uses_max=1, hours=3)
    business.do("opco", "task", "create", *business.order("t1"))
    assert business.refused("opco", "task", "create", *business.order("t2")) == "grant.used_up"
    business.pass_time(3 * HOUR_MS)
    assert business.refused("opco", "task", "create", *business.order("t2")) == "grant.expired"


def test_no_task_under_a_revoked_grant() -> None:
    business = Business()
    business.granted()
    business.do("bureau", "grant", "revoke", "g1", "misuse")
    assert business.refused("opco", "task", "create", *business.order()) == "grant.revoked"


def test_no_task_with_a_suspended_supplier_or_a_retired_data_set() -> None:
    business = Business()
    business.granted()
    business.suspend("social")
    assert business.refused("opco", "task", "create", *business.order()) == "task.supplier"
    business.do("bureau", "parties", "readmit", "social", "audit passed")
    business.do("civil", "catalog", "retire", dataset_of("civil"), "outdated")
    assert business.refused("opco", "task", "create", *business.order()) == "catalog.unlisted"


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "t9", "task.unknown"),
        (1, "", "task.endpoint"),
        (1, "e" * 129, "task.endpoint"),
        (2, "", "task.certificate"),
        (2, "not a certificate", "task.certificate"),
        (2, CERTIFICATE + "x" * 4096, "task.certificate"),
        (3, b"", "task.commitment"),
        (3, digest("other rows"), "task.commitment"),
    ],
)
def test_a_malformed_acceptance_is_refused(position: int, value: Value, code: str) -> None:
    business = Business()
    business.created()
    bad = changed(acceptance("health"), position, value)
    assert business.refused("health", "task", "accept", *bad) == code


def test_rows_that_changed_since_they_were_catalogued_take_no_part() -> None:
    business = Business()
    business.created()
    rows = dataset_rows("health", rows="newer")
    business.do("health", "catalog", "update", dataset_of("health"), *rows)
    assert business.refused("health", "task", "accept", *acceptance("health")) == "task.commitment"
    newer = changed(acceptance("health"), 3, digest("healthnewer"))
    business.do("health", "task", "accept", *newer)


def test_a_party_accepts_once() -> None:
    business = Business()
    business.created()
    business.accept("health")
    assert business.refused("health", "task", "accept", *acceptance("health")) == "task.accepted"


def test_the_last_acceptance_dispatches_the_task() -> None:
    business = Business()
    business.created()
    for supplier in SUPPLIERS[:-1]:
        assert [name for name, _fields in business.accept(supplier)] == ["TaskAccepted"]
    events = business.accept(SUPPLIERS[-1])
    assert [name for name, _fields in events] == ["TaskAccepted", "TaskReady"]
    assert events[-1][1]["task_id"] == "t1"
    assert events[-1][1]["participants"] == list(SUPPLIERS)
    assert status(business) == "running"
    assert business.refused("health", "task", "accept", *acceptance("health")) == "task.status"


def test_nobody_accepts_after_the_deadline() -> None:
    business = Business()
    business.created(hours=1)
    business.pass_time(HOUR_MS)
    assert business.refused("health", "task", "accept", *acceptance("health")) == "task.late"


def last_acceptance(business: Business) -> str:
    last = SUPPLIERS[-1]
    return business.refused(last, "task", "accept", *acceptance(last))


def test_a_used_up_grant_still_dispatches_the_task_that_used_it() -> None:
    business = Business()
    business.running(uses_max=1)
    assert status(business) == "running"


def test_no_task_is_dispatched_while_its_operator_or_a_participant_is_suspended() -> None:
    business = Business()
    business.created()
    for supplier in SUPPLIERS[:-1]:
        business.accept(supplier)
    business.suspend("opco")
    assert last_acceptance(business) == "grant.suspended"
    business.do("bureau", "parties", "readmit", "opco", "audit passed")
    business.suspend("health")
    assert last_acceptance(business) == "task.supplier"
    assert status(business) == "created"


def test_a_revocation_cancels_the_open_tasks_of_the_grant() -> None:
    business = Business()
    business.running("t1")
    business.do("opco", "task", "create", *business.order("t2"))
    events = business.do("bureau", "grant", "revoke", "g1", "misuse")
    assert [name for name, _fields in events] == ["Revoked", "TaskCancelled", "TaskCancelled"]
    for task_id in ("t1", "t2"):
        assert status(business, task_id) == "cancelled"
        assert business.refused("opco", "task", "cancel", task_id) == "task.ended"
    assert business.ask("health", "task", "open_for", "health", 0, 100) == []


def test_a_revocation_of_the_fullest_grant_fits_into_one_transaction() -> None:
    business = Business()
    pairs: list[Value] = []
    for number in range(16):
        supplier = f"supplier-{number:02}".ljust(64, "x")
        dataset_id = f"dataset-{number:02}".ljust(64, "x")
        founding: list[Value] = [supplier, "Office", ["supplier"], [account(supplier)]]
        business.do("bureau", "parties", "register", *founding)
        business.enter(supplier, dataset_id)
        pairs.append([supplier, dataset_id])
    datasets: list[Value] = [pair[1] for pair in pairs if isinstance(pair, list)]
    business.forwarded()
    business.do("bureau", "demand", "review", "d1", True, "", datasets)
    business.authorize("g1", changed(business.grant_terms(uses_max=100), 2, datasets))
    for number in range(32):
        order = changed(business.order(f"t{number:02}".ljust(64, "x")), 4, pairs)
        business.do("opco", "task", "create", *order)
    refused = business.refused("opco", "task", "create", *changed(order, 0, "one-more"))
    assert refused == "queue.full"
    receipt = business.act("bureau", "grant", "revoke", "g1", "misuse")
    assert (receipt.status, len(receipt.events)) == (Code.ok, 33)
    assert receipt.gas_used < GAS_LIMIT // 2
    first = pairs[0]
    assert isinstance(first, list)
    assert business.ask("bureau", "task", "open_for", first[0], 0, 100) == []


def test_no_operator_fills_the_queue_of_a_party_for_the_others() -> None:
    business = Business()
    business.granted(uses_max=1000)
    for number in range(9):
        if number > 0:
            business.authorize(f"g{number + 1}", business.grant_terms(uses_max=1000))
        for place in range(32 if number < 8 else 0):
            order = business.order(f"t{number}-{place}", f"g{number + 1}")
            business.do("opco", "task", "create", *order)
    order = business.order("one-more", "g9")
    assert business.refused("opco", "task", "create", *order) == "queue.share"
    business.filed("d2")
    business.do("rival", "demand", "prescreen", "d2", True, "complete")
    business.do("bureau", "demand", "review", "d2", True, "lawful", all_datasets())
    business.do("rival", "grant", "request", "r1", *business.grant_terms("d2"))
    signed = business.terms_digest("r1")
    business.do("bureau", "grant", "review", "r1")
    business.do("bureau", "grant", "decide", "r1", True, "", signed)
    business.do("rival", "grant", "accept", "r1", signed)
    business.do("rival", "task", "create", *business.order("other", "r1"))
    business.do("opco", "task", "cancel", "t0-0")
    business.do("opco", "task", "create", *order)
    assert business.refused("opco", "task", "create", *changed(order, 0, "t")) == "queue.share"
    assert queue(business, 0, 1) == ["t0-1"]
    assert queue(business, 255, 100) == ["other", "one-more"]


def test_only_the_grant_contract_cancels_by_grant() -> None:
    business = Business()
    business.running()
    for who in ("opco", "bureau", "health", STRANGER):
        assert business.refused(who, "task", "cancel_under", "g1") == "task.cancel_under"


def test_a_task_expires_once_its_deadline_has_passed() -> None:
    business = Business()
    business.created(hours=1)
    assert business.refused("bank", "task", "expire", "t1") == "task.early"
    business.pass_time(HOUR_MS)
    events = business.do("bank", "task", "expire", "t1")
    assert [name for name, _fields in events] == ["TaskExpired"]
    assert status(business) == "expired"
    assert business.refused("bank", "task", "expire", "t1") == "task.ended"
    assert business.refused("bank", "task", "expire", "t9") == "task.unknown"


def test_a_task_that_ended_takes_no_further_step() -> None:
    business = Business()
    business.finished()
    assert business.refused("opco", "task", "cancel", "t1") == "task.ended"
    assert business.refused("health", "task", "fail", "t1", "late regret") == "task.ended"
    assert business.refused("health", "task", "accept", *acceptance("health")) == "task.status"
    for method, args in (("cancel", []), ("fail", ["why"])):
        assert business.refused("opco", "task", method, "t9", *args) == "task.unknown"


@pytest.mark.parametrize("reason", ["", "r" * 513])
def test_a_failure_needs_a_reason_of_bounded_length(reason: str) -> None:
    business = Business()
    business.running()
    assert business.refused("health", "task", "fail", "t1", reason) == "task.reason"


def test_a_failure_ends_the_task_with_its_reason() -> None:
    business = Business()
    business.running()
    business.do("social", "task", "fail", "t1", "peer died")
    task = task_record(business)
    assert (task["status"], task["reason"]) == ("failed", "peer died")


def test_the_configuration_of_a_task_is_complete() -> None:
    business = Business()
    business.running()
    shown = business.ask_record("health", "task", "show", "t1")
    assert shown["program"] == PROGRAM
    assert shown["reports"] == []
    acceptances = shown["acceptances"]
    assert isinstance(acceptances, list)
    endpoints = [row["endpoint"] for row in acceptances if isinstance(row, dict)]
    assert endpoints == [f"{supplier}.example:9700" for supplier in SUPPLIERS]
    task = task_record(business)
    assert (task["algorithm"], task["participants"]) == (ALGORITHM, PAIRS)


def test_the_queue_of_a_participant_holds_its_open_tasks() -> None:
    business = Business()
    business.created("t1")
    business.do("opco", "task", "create", *business.order("t2"))
    assert queue(business, 0, 100) == ["t1", "t2"]
    assert queue(business, 1, 100) == ["t2"]
    business.do("opco", "task", "cancel", "t1")
    assert queue(business, 0, 100) == ["t2"]
    for offset, limit in [(-1, 1), (0, 0), (0, 101)]:
        denied = business.denied("health", "task", "open_for", "health", offset, limit)
        assert denied == "task.page"


def queue(business: Business, offset: int, limit: int) -> list[Value]:
    page = business.ask("health", "task", "open_for", "health", offset, limit)
    assert isinstance(page, list)
    return [row["id"] for row in page if isinstance(row, dict)]


def task_record(business: Business, task_id: str = "t1") -> dict[str, Value]:
    task = business.ask_record("bureau", "task", "show", task_id)["task"]
    assert isinstance(task, dict)
    return {str(name): value for name, value in task.items()}


def status(business: Business, task_id: str = "t1") -> Value:
    return task_record(business, task_id)["status"]
