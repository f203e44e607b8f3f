"""Clauses 8.2.6d and 8.5a, b: jobs are planned, scheduled and run in a standard flow."""

from __future__ import annotations

from tests.business import SUPPLIERS, Business, digest


def test_clause_8_5a_a_job_is_created_scheduled_and_run_by_tasks() -> None:
    """创建作业、加载数据、运行和调度作业、运行和调度任务."""
    business = Business()
    business.queued()
    business.do("opco", "job", "dispatch", "j1")
    early = business.step_order("third", "t0")
    assert business.refused("opco", "task", "create", *early) == "step.order"
    for name in ("first", "second", "third"):
        business.step_done(name, f"t-{name}")
    business.do("opco", "job", "finish", "j1", digest("result"))
    business.do("insurer", "job", "verify", "j1", digest("result"), True, "")
    business.do("opco", "job", "close", "j1", "")
    assert business.job()["status"] == "closed"


def test_clause_8_5b_a_step_says_what_a_participant_needs_for_it() -> None:
    """描述作业和任务的通信、计算、存储资源."""
    business = Business()
    business.planned()
    for supplier in SUPPLIERS:
        steps = business.ask_record(supplier, "job", "show", "j1")["steps"]
        assert isinstance(steps, list) and isinstance(steps[0], dict)
        assert steps[0]["resources"] == [["cpu_millis", 2000], ["memory_mib", 1024]]
        assert steps[0]["component"] == "statistics/1"


def test_clause_8_2_6d_jobs_are_scheduled_by_priority_and_load() -> None:
    """多任务调度：排队、负载、优先级."""
    business = Business()
    business.queued("usual", priority=3)
    business.queued("urgent", priority=9)
    assert business.refused("opco", "job", "dispatch", "usual") == "job.turn"
    business.do("opco", "job", "dispatch", "urgent")
    for number in range(7):
        business.queued(f"more-{number}", priority=4)
        business.do("opco", "job", "dispatch", f"more-{number}")
    assert business.refused("opco", "job", "dispatch", "usual") == "job.load"
    business.do("opco", "job", "cancel", "urgent", "solved otherwise")
    business.do("opco", "job", "dispatch", "usual")
