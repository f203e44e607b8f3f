"""Jobs: planned, confirmed by all, scheduled by priority, carried out by tasks, verified."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contracts.system import step as steps_of_jobs
from ledger.values import Key, Value
from tests.business import (
    ALGORITHM,
    HOUR_MS,
    RECEIVER_KEY,
    SUPPLIERS,
    Business,
    acceptance,
    changed,
    dataset_of,
    digest,
    result,
    step,
)

REASON = "no longer wanted"


def with_field(one: Value, name: Key, value: Value) -> Value:
    assert isinstance(one, dict)
    return {**one, name: value}


def states(business: Business) -> list[Value]:
    listed = business.ask_record("opco", "job", "show", "j1")["progress"]
    assert isinstance(listed, list)
    return [one["status"] for one in listed if isinstance(one, dict)]


def test_a_job_goes_from_its_plan_to_its_end() -> None:
    business = Business()
    business.planned()
    assert business.job()["status"] == "created"
    assert business.job()["parties"] == [*SUPPLIERS, "insurer"]
    for party in (*SUPPLIERS, "insurer"):
        assert business.job()["status"] == "created"
        business.do(party, "job", "confirm", "j1", business.job()["digest"])
    assert business.job()["status"] == "queued"
    business.do("opco", "job", "dispatch", "j1")
    assert business.job()["status"] == "dispatched"
    business.step_done("first", "t1")
    assert (business.job()["status"], business.job()["finished"]) == ("running", 1)
    assert states(business) == ["finished", "waiting", "waiting"]
    early = business.refused("opco", "job", "finish", "j1", digest("result"))
    assert early == "job.unfinished"
    business.step_done("second", "t2")
    business.step_done("third", "t3")
    business.do("opco", "job", "finish", "j1", digest("result"))
    assert business.job()["status"] == "result"
    early = business.refused("opco", "job", "close", "j1", "")
    assert early == "job.unverified"
    business.do("insurer", "job", "verify", "j1", digest("result"), True, "as received")
    assert business.job()["status"] == "verified"
    business.do("opco", "job", "close", "j1", "done")
    assert business.job()["status"] == "closed"
    assert business.refused("bureau", "job", "close", "j1", "") == "job.unverified"


def test_the_digest_of_a_plan_is_computed_by_anybody() -> None:
    business = Business()
    business.planned()
    plan = business.plan()
    assert isinstance(plan[5], list)
    told = [steps_of_jobs.Step(**one) for one in plan[5]]  # type: ignore[arg-type]
    job = business.job()
    deadline_ms = job["deadline_ms"]
    assert isinstance(deadline_ms, int)
    assert job["digest"] == steps_of_jobs.digest_of("j1", "g1", 5, deadline_ms, told)
    other = steps_of_jobs.digest_of("j1", "g1", 6, deadline_ms, told)
    assert other != job["digest"]


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "J", "job.id"),
        (1, "", "job.title"),
        (1, "t" * 129, "job.title"),
        (2, "g9", "grant.unknown"),
        (3, -1, "job.priority"),
        (3, 10, "job.priority"),
        (4, 0, "job.deadline"),
        (4, 1 << 50, "job.deadline"),
        (5, [], "step.steps"),
        (5, [step(f"s{n}") for n in range(17)], "step.steps"),
        (5, [step("S")], "step.name"),
        (5, [step("a"), step("a")], "step.name_twice"),
        (5, [step("a", "b"), step("b")], "step.after"),
        (5, [step("a", "a")], "step.after"),
        (5, [step("a"), step("b", "a", "a")], "step.after"),
        (5, [step("a"), step("b"), step("c", "a", "a")], "step.after"),
        (5, [with_field(step("a"), "program_hash", b"")], "step.program"),
        (5, [with_field(step("a"), "receiver_key", b"")], "step.receiver_key"),
        (5, [with_field(step("a"), "participants", [["health", "x"]])], "step.participants"),
        (
            5,
            [with_field(step("a"), "participants", [["health", "x"]] * 2)],
            "step.participant_twice",
        ),
        (
            5,
            [with_field(step("a"), "participants", [["health", "x"], ["bank", "y"]])],
            "step.supplier",
        ),
        (5, [with_field(step("a"), "resources", [["gpus", 1]])], "step.resources"),
        (5, [with_field(step("a"), "resources", [["cpu_millis", 1]] * 2)], "step.resources"),
        (5, [with_field(step("a"), "resources", [["cpu_millis", 1]] * 5)], "step.resources"),
        (5, [with_field(step("a"), "resources", [["cpu_millis", 0]])], "step.amount"),
        (5, [with_field(step("a"), "component", "scores/1")], "algorithm.unknown"),
    ],
)
def test_a_malformed_plan_is_refused(position: int, value: Value, code: str) -> None:
    business = Business()
    business.granted()
    assert business.refused(
        "opco", "job", "create", *changed(business.plan(), position, value)
    ) == (code)


def test_a_plan_must_be_covered_by_its_grant() -> None:
    business = Business()
    business.planned()
    business.vetting()
    words: list[Value] = ["scores/1", digest("image"), True, "fit"]
    business.do("bureau", "algorithm", "review", *words)
    other = with_field(step("a"), "component", "scores/1")
    refused = business.refused("opco", "job", "create", *changed(business.plan("j2"), 5, [other]))
    assert refused == "grant.algorithm"
    pairs: list[Value] = [[who, "x" if who == "civil" else dataset_of(who)] for who in SUPPLIERS]
    data = with_field(step("a"), "participants", pairs)
    refused = business.refused("opco", "job", "create", *changed(business.plan("j2"), 5, [data]))
    assert refused == "grant.dataset"


def test_a_job_has_at_most_sixteen_parties() -> None:
    business = Business()
    business.granted()
    steps: list[Value] = []
    for number in range(9):
        pair: list[Value] = []
        for side in ("a", "b"):
            party = f"s-{side}{number}"
            words: list[Value] = [party, party, ["supplier"], [digest(party)[:20].hex()]]
            business.do("bureau", "parties", "register", *words)
            pair.append([party, "x"])
        steps.append(with_field(step(f"s{number}"), "participants", pair))
    refused = business.refused("opco", "job", "create", *changed(business.plan(), 5, steps))
    assert refused == "step.parties"


def test_a_job_is_planned_once_and_under_ones_own_valid_grant() -> None:
    business = Business()
    business.planned()
    assert business.refused("opco", "job", "create", *business.plan()) == "job.exists"
    assert business.refused("rival", "job", "create", *business.plan("j2")) == "job.operator"
    business.do("bureau", "grant", "revoke", "g1", "misuse")
    assert business.refused("opco", "job", "create", *business.plan("j2")) == "grant.revoked"


def test_only_the_digest_of_the_plan_confirms_it_and_each_party_once() -> None:
    business = Business()
    business.planned()
    assert business.refused("health", "job", "confirm", "j1", b"") == "job.digest"
    assert business.refused("health", "job", "confirm", "j9", b"") == "job.unknown"
    business.do("health", "job", "confirm", "j1", business.job()["digest"])
    again = business.refused("health", "job", "confirm", "j1", business.job()["digest"])
    assert again == "job.confirmed"
    assert business.ask_record("insurer", "job", "show", "j1")["confirmed"] == ["health"]
    early = business.refused("opco", "job", "dispatch", "j1")
    assert early == "job.status"


def test_a_party_that_does_not_agree_ends_the_job_before_it_is_queued() -> None:
    business = Business()
    business.planned()
    assert business.refused("health", "job", "cancel", "j1", "") == "job.reason"
    business.do("health", "job", "cancel", "j1", "too much of our data")
    assert business.job()["status"] == "cancelled"
    assert business.job()["reason"] == "health: too much of our data"
    late = business.refused("civil", "job", "confirm", "j1", business.job()["digest"])
    assert late == "job.status"
    business.queued("j2")
    assert business.refused("health", "job", "cancel", "j2", REASON) == "job.cancel"


def test_more_urgent_jobs_go_first_then_older_ones() -> None:
    business = Business()
    for name, priority in (("low", 1), ("high", 9), ("later", 9)):
        business.queued(name, priority=priority)
    waiting = business.ask("opco", "job", "queue", "opco", 0, 10)
    assert isinstance(waiting, list)
    assert [row["id"] for row in waiting if isinstance(row, dict)] == ["high", "later", "low"]
    assert business.refused("opco", "job", "dispatch", "low") == "job.turn"
    business.do("opco", "job", "dispatch", "high")
    business.do("opco", "job", "dispatch", "later")
    business.do("opco", "job", "dispatch", "low")
    assert business.ask("opco", "job", "queue", "opco", 0, 10) == []
    assert business.denied("opco", "job", "queue", "opco", 0, 0) == "job.page"


def test_a_job_that_cannot_start_holds_up_none_behind_it() -> None:
    business = Business()
    business.queued("held", priority=9)
    business.queued("late", priority=8)
    business.authorize("g2", business.grant_terms(uses_max=9))
    plan = business.plan("sound", priority=1, hours=12)
    plan[2] = "g2"
    business.do("opco", "job", "create", *plan)
    for party in (*SUPPLIERS, "insurer"):
        business.do(party, "job", "confirm", "sound", business.job("sound")["digest"])
    assert business.refused("opco", "job", "dispatch", "sound") == "job.turn"
    words: list[Value] = ["i1", "Leak", "development", "critical", "opco", []]
    business.do("bureau", "incident", "open", *words)
    business.do("bureau", "incident", "suspend_grant", "i1", "g1", "leak")
    business.do("opco", "job", "dispatch", "sound")
    business.do("bureau", "incident", "lift", "i1", 1, "it was none")
    assert business.refused("opco", "job", "dispatch", "late") == "job.turn"
    business.chain.advance(height=1, time_ms=10 * HOUR_MS)
    assert business.refused("opco", "job", "dispatch", "late") == "job.late"
    assert business.refused("opco", "job", "dispatch", "held") == "job.late"


def test_an_operator_has_eight_jobs_under_way_at_most() -> None:
    business = Business()
    for number in range(9):
        business.queued(f"j{number}")
    for number in range(8):
        business.do("opco", "job", "dispatch", f"j{number}")
    assert business.refused("opco", "job", "dispatch", "j8") == "job.load"
    business.do("opco", "job", "abandon", "j3", "out of memory")
    business.do("opco", "job", "dispatch", "j8")


def test_a_grant_has_sixteen_open_jobs_at_most() -> None:
    business = Business()
    for number in range(16):
        business.planned(f"j{number}")
    assert business.refused("opco", "job", "create", *business.plan("j16")) == "queue.full"
    business.do("opco", "job", "cancel", "j0", REASON)
    business.do("opco", "job", "create", *business.plan("j16"))


def test_a_step_is_taken_only_in_its_turn_and_as_it_was_confirmed() -> None:
    business = Business()
    business.queued()
    order = business.step_order("first", "t1")
    assert business.refused("opco", "task", "create", *order) == "job.status"
    business.do("opco", "job", "dispatch", "j1")
    pairs: list[Value] = [[who, dataset_of(who)] for who in ("civil", "social", "health")]
    for position, value, code in (
        (3, b"another program", "step.plan"),
        (4, pairs, "step.plan"),
        (5, bytes(64), "step.plan"),
        (6, business.now_ms + 10 * HOUR_MS, "job.deadline"),
        (7, "j9", "job.unknown"),
        (8, "fourth", "step.unknown"),
        (8, "third", "step.order"),
    ):
        refused = business.refused("opco", "task", "create", *changed(order, position, value))
        assert refused == code
    business.do("opco", "task", "create", *order)
    again = business.refused("opco", "task", "create", *business.step_order("first", "t2"))
    assert again == "step.taken"
    assert states(business)[0] == "open"
    task = business.ask_record("opco", "task", "show", "t1")["task"]
    assert isinstance(task, dict)
    assert (task["job_id"], task["step"], task["receiver_key"]) == ("j1", "first", RECEIVER_KEY)
    assert business.ask_record("opco", "grant", "show", "g1")["uses"] == 1


def test_a_step_under_another_grant_is_refused() -> None:
    business = Business()
    business.dispatched()
    order = business.step_order("first", "t1")
    business.do("bureau", "demand", "review", *second_demand(business))
    business.authorize("g2", business.grant_terms("d2"))
    assert business.refused("opco", "task", "create", *changed(order, 1, "g2")) == "job.grant"


def second_demand(business: Business) -> list[Value]:
    business.forwarded("d2")
    return ["d2", True, "", [dataset_of(supplier) for supplier in SUPPLIERS]]


def test_a_step_that_failed_is_ordered_again_three_times_at_most() -> None:
    business = Business()
    business.dispatched()
    for number in range(3):
        business.do("opco", "task", "create", *business.step_order("first", f"t{number}"))
        business.do("health", "task", "fail", f"t{number}", "no room")
        assert states(business)[0] == "ended"
        assert business.job()["status"] == "running"
    last = business.refused("opco", "task", "create", *business.step_order("first", "t3"))
    assert last == "step.attempts"
    business.do("opco", "job", "abandon", "j1", "it fails again and again")
    assert business.job()["status"] == "failed"


def test_the_end_of_a_job_ends_the_tasks_of_its_steps() -> None:
    ends: list[tuple[str, str, str]] = [
        ("bureau", "cancel", "cancelled"),
        ("social", "abandon", "failed"),
        ("devhouse", "expire", "timed_out"),
    ]
    for who, method, status in ends:
        business = Business()
        business.dispatched()
        business.do("opco", "task", "create", *business.step_order("first", "t1"))
        business.accept("health", "t1")
        words: list[Value] = ["j1"] if method == "expire" else ["j1", REASON]
        if method == "expire":
            assert business.refused(who, "job", "expire", "j1") == "job.early"
            business.pass_time(9 * HOUR_MS)
        business.do(who, "job", method, *words)
        assert business.job()["status"] == status
        assert states(business)[0] == "ended"
        task = business.ask_record("opco", "task", "show", "t1")["task"]
        assert isinstance(task, dict)
        assert (task["status"], task["reason"]) == ("cancelled", "its job ended")
        assert business.ask("health", "task", "open_for", "health", 0, 9) == []
        for again in ("cancel", "abandon"):
            refused = business.refused("opco", "job", again, "j1", REASON)
            assert refused in ("job.ended", "job.status")
        assert business.refused("opco", "job", "expire", "j1") == "job.ended"


def test_no_step_begins_after_the_deadline() -> None:
    business = Business()
    business.queued()
    business.planned("j2")
    business.pass_time(9 * HOUR_MS)
    assert business.refused("opco", "job", "dispatch", "j1") == "job.late"
    late = business.refused("health", "job", "confirm", "j2", business.job("j2")["digest"])
    assert late == "job.late"
    business.do("rival", "job", "expire", "j1")
    assert business.job()["status"] == "timed_out"


@pytest.mark.parametrize(
    "stage",
    [
        Business.planned,
        Business.queued,
        Business.dispatched,
        Business.all_done,
        Business.with_result,
    ],
)
def test_a_revocation_cancels_jobs_that_are_not_verified(
    stage: Callable[[Business], object],
) -> None:
    business = Business()
    stage(business)
    business.do("bureau", "grant", "revoke", "g1", "misuse")
    assert (business.job()["status"], business.job()["reason"]) == (
        "cancelled",
        "the grant was revoked",
    )
    refused = business.refused("insurer", "job", "verify", "j1", digest("result"), True, "")
    assert refused == "job.status"


def test_a_revocation_while_a_step_runs_cancels_task_and_job() -> None:
    business = Business()
    business.dispatched()
    business.do("opco", "task", "create", *business.step_order("first", "t1"))
    business.do("bureau", "grant", "revoke", "g1", "misuse")
    assert business.job()["status"] == "cancelled"
    assert states(business)[0] == "ended"
    assert business.refused("health", "task", "accept", *acceptance("health", "t1")) == (
        "task.status"
    )


def test_what_was_verified_stays_so_when_the_grant_is_revoked() -> None:
    business = Business()
    business.verified()
    business.do("bureau", "grant", "revoke", "g1", "misuse")
    assert business.job()["status"] == "verified"
    business.do("opco", "job", "close", "j1", "")


def test_the_grant_is_checked_at_each_step_of_a_job() -> None:
    business = Business()
    business.planned("j0")
    business.all_done()
    business.queued("j2")
    business.do("bureau", "incident", "open", "i1", "Leak", "development", "critical", "opco", [])
    business.do("bureau", "incident", "suspend_grant", "i1", "g1", "leak")
    attempts: list[tuple[str, str, list[Value]]] = [
        ("opco", "create", business.plan("j9")),
        ("health", "confirm", ["j0", business.job("j0")["digest"]]),
        ("opco", "dispatch", ["j2"]),
        ("opco", "finish", ["j1", digest("result")]),
    ]
    for who, method, words in attempts:
        assert business.refused(who, "job", method, *words) == "grant.on_hold"
    business.do("bureau", "incident", "lift", "i1", 1, "mended")
    business.do("opco", "job", "finish", "j1", digest("result"))
    business.do("bureau", "incident", "suspend_grant", "i1", "g1", "leak")
    held = business.refused("insurer", "job", "verify", "j1", digest("result"), True, "")
    assert held == "grant.on_hold"


def test_a_disputed_result_is_named_anew_or_decided_by_a_manager() -> None:
    business = Business()
    business.with_result()
    verify: list[Value] = ["j1", digest("received"), False, "another table"]
    wrong = business.refused("insurer", "job", "verify", *changed(verify, 2, True))
    assert wrong == "job.received"
    assert business.refused("insurer", "job", "verify", *changed(verify, 1, b"")) == "job.result"
    assert business.refused("insurer", "job", "verify", *changed(verify, 3, "")) == "job.note"
    long = changed(verify, 3, "x" * 1025)
    assert business.refused("insurer", "job", "verify", *long) == "job.note"
    business.do("insurer", "job", "verify", *verify)
    assert (business.job()["status"], business.job()["reason"]) == ("disputed", "another table")
    assert business.refused("opco", "job", "close", "j1", "") == "job.unverified"
    assert business.refused("opco", "job", "finish", "j1", b"") == "job.result"
    business.do("opco", "job", "finish", "j1", digest("received"))
    business.do("insurer", "job", "verify", *verify)
    assert business.refused("bureau", "job", "close", "j1", "x" * 1025) == "job.note"
    business.do("bureau", "job", "close", "j1", "the tables are equal but for their order")
    assert business.job()["status"] == "closed"
    business.do("bureau", "grant", "revoke", "g1", "over")
    assert business.job()["status"] == "closed"


def test_a_result_that_nobody_verifies_is_closed_by_a_manager() -> None:
    business = Business()
    business.with_result()
    business.do("board", "job", "close", "j1", "the consumer did not answer")
    assert business.job()["status"] == "closed"


@pytest.mark.parametrize(
    ("contract", "method", "words", "code"),
    [
        ("job", "take", ["j1", "first", "t1", "g1", "opco", 1, ["a", b"", [], b""]], "job.take"),
        ("job", "step_ended", ["j1", "first", "t1", "finished"], "job.step_ended"),
        ("job", "cancel_under", ["g1"], "job.cancel_under"),
        ("step", "plan", ["j1", "g1", "opco", 1, 1, []], "step.job"),
        ("step", "begin", ["j1", "first", "t1", ["a", b"", [], b""]], "step.job"),
        ("step", "end", ["j1", "first", "finished"], "step.job"),
        ("step", "stop", ["j1"], "step.job"),
        ("step", "vouch", ["j1"], "step.job"),
        ("task", "call_off", [["t1"]], "task.call_off"),
    ],
)
def test_what_contracts_tell_each_other_nobody_else_tells(
    contract: str, method: str, words: list[Value], code: str
) -> None:
    business = Business()
    business.dispatched()
    for who in ("bureau", "opco", "health"):
        assert business.refused(who, contract, method, *words) == code


def test_a_disputed_task_leaves_its_step_without_a_result() -> None:
    business = Business()
    business.dispatched()
    business.do("opco", "task", "create", *business.step_order("first", "t1"))
    for supplier in SUPPLIERS:
        business.accept(supplier, "t1")
    for supplier, program in zip(SUPPLIERS, ("one", "one", "other"), strict=True):
        business.do(supplier, "task", "report", *result(supplier, "t1", program))
    assert states(business)[0] == "ended"
    assert business.ask_record("opco", "task", "outcome", "t1")["status"] == "disputed"
    business.step_done("first", "t2")
    assert states(business)[0] == "finished"


def test_jobs_are_listed_to_those_they_concern() -> None:
    business = Business()
    business.planned()
    for who, names in (("bureau", ["j1"]), ("health", ["j1"]), ("opco", ["j1"]), ("bank", [])):
        rows = business.ask(who, "job", "list", 0, 10)
        assert isinstance(rows, list)
        assert [row["id"] for row in rows if isinstance(row, dict)] == names
    assert business.denied("bureau", "job", "list", 0, 101) == "job.page"
    assert business.ask_record("bureau", "job", "show", "j1")["job"] == business.job()
    assert ALGORITHM in str(business.ask_record("insurer", "job", "show", "j1")["steps"])
