"""A plain model of algorithms, jobs and tasks, written from docs/development.md.

Each question `may_...` says whether an act must succeed, whoever tries it; each `do_...` what it
changes. The consortium is that of `tests.business`: one operator holds the one grant, three
suppliers take part in every computation, and `insurer` is the consumer.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MANAGERS = ("bureau", "board")
OPERATOR = "opco"
SUPPLIERS = ("health", "social", "civil")
CONSUMER = "insurer"
PROVIDER = "chipworks"
PARTIES = (*SUPPLIERS, CONSUMER)
ACTORS = (*MANAGERS, OPERATOR, "rival", *PARTIES, "bank", PROVIDER)

JOB_OPEN = ("created", "queued", "dispatched", "running")
JOB_DONE = ("verified", "closed", "failed", "cancelled", "timed_out")
TASK_OPEN = ("created", "running")
LOAD_MAX = 8
JOBS_MAX = 16  # not verified, of a grant
TASKS_MAX = 32  # open, of a grant
ATTEMPTS_MAX = 3

# Which states may follow each state of a record; the first one is where it begins.
NEXT: dict[str, dict[str, set[str]]] = {
    "algorithm": {
        "proposed": {"approved", "refused"},
        "refused": {"proposed"},
        "approved": {"suspended", "disabled"},
        "suspended": {"approved", "disabled"},
    },
    "job": {
        "created": {"queued", "cancelled", "timed_out"},
        "queued": {"dispatched", "cancelled", "timed_out"},
        "dispatched": {"running", "failed", "cancelled", "timed_out"},
        "running": {"result", "failed", "cancelled", "timed_out"},
        "result": {"verified", "disputed", "closed", "cancelled"},
        "disputed": {"result", "closed", "cancelled"},
        "verified": {"closed"},
    },
    "step": {"waiting": {"open"}, "open": {"finished", "ended"}, "ended": {"open"}},
    "task": {
        "created": {"running", "failed", "cancelled", "expired"},
        "running": {"finished", "disputed", "failed", "cancelled", "expired"},
    },
}


@dataclass
class Algorithm:
    status: str
    waiting: str = ""  # text of an image; "" is none
    current: str = ""


@dataclass
class Step:
    name: str
    component: str
    after: tuple[str, ...]
    status: str = "waiting"
    attempts: int = 0


@dataclass
class Job:
    priority: int
    deadline_ms: int
    steps: dict[str, Step]
    status: str = "created"
    confirmed: set[str] = field(default_factory=set)
    result: str = ""


@dataclass
class Task:
    component: str
    deadline_ms: int
    job: str  # "" if it stands alone
    step: str
    status: str = "created"
    accepted: set[str] = field(default_factory=set)
    reported: dict[str, str] = field(default_factory=dict)  # supplier -> program it ran


@dataclass
class Model:
    """All records; dicts keep the order in which they were made."""

    algorithms: dict[str, Algorithm]
    uses_max: int
    grant: str = "active"
    uses: int = 0
    jobs: dict[str, Job] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    measures: list[tuple[str, bool]] = field(default_factory=list)  # algorithm, is active

    def is_runnable(self, component: str) -> bool:
        return component in self.algorithms and self.algorithms[component].status == "approved"

    # --- algorithms ---------------------------------------------------------------------------

    def may_rebuild(self, who: str, name: str, text: str) -> bool:
        one = self.algorithms.get(name)
        return (
            who == PROVIDER
            and one is not None
            and one.status in ("proposed", "refused", "approved")
            and one.current != text
        )

    def do_rebuild(self, name: str, text: str) -> None:
        one = self.algorithms[name]
        one.waiting = text
        one.status = "approved" if one.status == "approved" else "proposed"

    def may_review(self, who: str, name: str, text: str) -> bool:
        one = self.algorithms.get(name)
        return (
            who in MANAGERS
            and one is not None
            and one.status in ("proposed", "approved")
            and one.waiting == text != ""
        )

    def do_review(self, name: str, passed: bool) -> None:
        one = self.algorithms[name]
        if passed:
            one.status, one.current = "approved", one.waiting
        elif one.status == "proposed":
            one.status = "refused"
        one.waiting = ""

    def may_disable(self, who: str, name: str) -> bool:
        one = self.algorithms.get(name)
        return who in MANAGERS and one is not None and one.status in ("approved", "suspended")

    def do_disable(self, name: str) -> None:
        self.algorithms[name].status, self.algorithms[name].waiting = "disabled", ""

    # --- jobs ---------------------------------------------------------------------------------

    def may_plan(self, who: str, steps: list[Step]) -> bool:
        unverified = sum(job.status not in JOB_DONE for job in self.jobs.values())
        return (
            who == OPERATOR
            and self.grant == "active"
            and self.uses < self.uses_max
            and unverified < JOBS_MAX
            and all(self.is_runnable(step.component) for step in steps)
        )

    def may_confirm(self, who: str, name: str, now_ms: int) -> bool:
        job = self.jobs[name]
        return (
            who in PARTIES
            and job.status == "created"
            and now_ms < job.deadline_ms
            and who not in job.confirmed
            and self.grant == "active"
        )

    def do_confirm(self, who: str, name: str) -> None:
        job = self.jobs[name]
        job.confirmed.add(who)
        if len(job.confirmed) == len(PARTIES):
            job.status = "queued"

    def queue(self) -> list[str]:
        """More urgent ones first, then older ones."""
        queued = [name for name, job in self.jobs.items() if job.status == "queued"]
        return sorted(queued, key=lambda name: -self.jobs[name].priority)

    def may_dispatch(self, who: str, name: str, now_ms: int) -> bool:
        load = sum(job.status in ("dispatched", "running") for job in self.jobs.values())
        return (
            who == OPERATOR
            and [one for one in self.queue() if now_ms < self.jobs[one].deadline_ms][:1] == [name]
            and self.grant == "active"
            and load < LOAD_MAX
        )

    def may_finish(self, who: str, name: str) -> bool:
        job = self.jobs[name]
        return (
            who == OPERATOR
            and job.status in ("running", "disputed")
            and all(step.status == "finished" for step in job.steps.values())
            and self.grant == "active"
        )

    def may_verify(self, who: str, name: str, text: str, agreed: bool) -> bool:
        job = self.jobs[name]
        return (
            who == CONSUMER
            and job.status == "result"
            and self.grant == "active"
            and (not agreed or text == job.result)
        )

    def may_close(self, who: str, name: str) -> bool:
        status = self.jobs[name].status
        if who in MANAGERS:
            return status in ("result", "disputed", "verified")
        return who == OPERATOR and status == "verified"

    def may_end(self, who: str, name: str, act: str, now_ms: int) -> bool:
        job = self.jobs[name]
        if act == "abandon":
            return who in (OPERATOR, *PARTIES) and job.status in ("dispatched", "running")
        if act == "expire":
            return job.status in JOB_OPEN and now_ms >= job.deadline_ms
        declines = job.status == "created" and who in PARTIES
        return job.status in JOB_OPEN and (declines or who in (OPERATOR, *MANAGERS))

    def do_end(self, name: str, status: str) -> None:
        """Its open tasks go with it."""
        self.jobs[name].status = status
        for step in self.jobs[name].steps.values():
            if step.status == "open":
                step.status = "ended"
        for task in self.tasks.values():
            if task.job == name and task.status in TASK_OPEN:
                task.status = "cancelled"

    def do_revoke(self) -> None:
        self.grant = "revoked"
        for name, job in self.jobs.items():
            if job.status not in JOB_DONE:
                self.do_end(name, "cancelled")
        for task in self.tasks.values():
            if task.status in TASK_OPEN:
                task.status = "cancelled"

    # --- tasks --------------------------------------------------------------------------------

    def may_order(self, who: str, task: Task, now_ms: int) -> bool:
        open_tasks = sum(one.status in TASK_OPEN for one in self.tasks.values())
        return (
            who == OPERATOR
            and self.grant == "active"
            and self.uses < self.uses_max
            and self.is_runnable(task.component)
            and open_tasks < TASKS_MAX
            and now_ms < task.deadline_ms
            and (task.job == "" or self.is_turn_of(task))
        )

    def is_turn_of(self, task: Task) -> bool:
        job = self.jobs[task.job]
        step = job.steps.get(task.step)
        return (
            step is not None
            and job.status in ("dispatched", "running")
            and step.component == task.component
            and step.status in ("waiting", "ended")
            and step.attempts < ATTEMPTS_MAX
            and all(job.steps[name].status == "finished" for name in step.after)
            and task.deadline_ms <= job.deadline_ms
        )

    def do_order(self, name: str, task: Task) -> None:
        self.tasks[name] = task
        self.uses += 1
        if task.job:
            job = self.jobs[task.job]
            job.status = "running"
            job.steps[task.step].status = "open"
            job.steps[task.step].attempts += 1

    def may_go_on(self, who: str, name: str, act: str, now_ms: int) -> bool:
        """To accept or to report."""
        task = self.tasks[name]
        wanted = "created" if act == "accept" else "running"
        done = task.accepted if act == "accept" else task.reported
        return (
            who in SUPPLIERS
            and task.status == wanted
            and now_ms < task.deadline_ms
            and who not in done
            and self.grant == "active"
            and self.is_runnable(task.component)
        )

    def do_accept(self, who: str, name: str) -> None:
        task = self.tasks[name]
        task.accepted.add(who)
        if len(task.accepted) == len(SUPPLIERS):
            task.status = "running"

    def do_report(self, who: str, name: str, program: str) -> None:
        task = self.tasks[name]
        task.reported[who] = program
        if len(task.reported) == len(SUPPLIERS):
            is_one = len(set(task.reported.values())) == 1
            self.do_stop(name, "finished" if is_one else "disputed")

    def may_stop(self, who: str, name: str, act: str, now_ms: int) -> bool:
        task = self.tasks[name]
        if task.status not in TASK_OPEN:
            return False
        if act == "expire":
            return now_ms >= task.deadline_ms
        return who == OPERATOR or who in (SUPPLIERS if act == "fail" else MANAGERS)

    def do_stop(self, name: str, status: str) -> None:
        task = self.tasks[name]
        task.status = status
        if task.job:
            step = self.jobs[task.job].steps[task.step]
            step.status = "finished" if status == "finished" else "ended"
