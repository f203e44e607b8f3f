"""Jobs (作业): what was planned and confirmed, and whether the tasks are what was planned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from contracts.system import step as contract
from crypto import sm3
from ledger.values import Value
from node.audit.acts.act import Act
from node.audit.acts.forms import DATASET, GRANT, JOB, TASK
from node.audit.acts.values import octets, text, texts
from node.audit.books.kept import Faults, Kept, listed

Fields = Mapping[str, Value]

OVER: Final = ("verified", "closed", "failed", "cancelled", "timed_out")
# In which states an event may find a job.
_FROM: Final[Mapping[str, tuple[str, ...]]] = {
    "JobConfirmed": ("created",),
    "JobQueued": ("created",),
    "JobDispatched": ("queued",),
    "JobStepStarted": ("dispatched", "running"),
    "JobStepEnded": ("running",),
    "JobFinished": ("running", "disputed"),
    "JobVerified": ("result",),
    "JobClosed": ("verified", "result", "disputed"),
    "JobEnded": ("created", "queued", "dispatched", "running", "result", "disputed"),
}
_FINISHED: Final = "finished"


class Step(msgspec.Struct, frozen=True):
    """One computation of a plan, as the argument of job.create says it."""

    name: str
    component: str
    program_hash: bytes
    participants: list[tuple[str, str]]
    receiver_key: bytes
    after: list[str]
    resources: list[tuple[str, int]]


@dataclass(slots=True)
class Attempt:
    """A task that began a step; `status` is how it ended by its own events."""

    step: str
    task: str
    begun_ms: int
    transaction: str
    height: int
    status: str = "open"
    ended_ms: int | None = None


@dataclass(slots=True)
class Job(Kept):
    """`times`: when it came into each state."""

    title: str = ""
    grant: str = ""
    operator: str = ""
    consumer: str = ""
    asked: tuple[str, ...] = ()  # parties that have to confirm
    confirmed: dict[str, int] = field(default_factory=dict)  # party -> when
    priority: int | None = None
    deadline_ms: int | None = None
    digest: bytes = b""
    result: bytes = b""
    steps: dict[str, Step] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    status: str = "created"
    times: dict[str, int] = field(default_factory=dict)

    def is_done(self, step: str) -> bool:
        return any(one.step == step and one.status == _FINISHED for one in self.attempts)


class Jobs:
    """All jobs so far. `ends` is how each task ended, by the events of the contract `task`."""

    def __init__(self, faults: Faults, ends: Mapping[str, str]) -> None:
        self.found: dict[str, Job] = {}
        self._faults = faults
        self._ends = ends
        self._by_task: dict[str, Attempt] = {}
        self._job_of: dict[str, str] = {}  # task -> job

    def end_task(self, task: str, time_ms: int) -> None:
        """A task ended, whether a job had ordered it or not."""
        attempt = self._by_task.get(task)
        if attempt is not None:
            attempt.status, attempt.ended_ms = self._ends[task], time_ms

    def order(self, act: Act) -> None:
        """An act that ordered a task: if it names a job, the job must have taken it."""
        job_id, task = text(act.given.get("job_id")), text(act.given.get("task_id"))
        if job_id:
            taken = act.event("job", "JobStepStarted") or {}
            self._faults.expect(
                (text(taken.get("job_id")), text(taken.get("task_id"))) == (job_id, task),
                (JOB, job_id),
                "task not taken",
                f"{task} was ordered for it, and it took no such task",
            )

    def register(self, act: Act) -> None:
        """A product was made of a task: if a job ordered that, the job's result must count."""
        product, task = text(act.given.get("product_id")), text(act.given.get("task_id"))
        job = self.found.get(self._job_of.get(task, ""))
        if job is not None:
            self._faults.expect(
                "verified" in job.times or "closed" in job.times,
                job.subject,
                "unverified product",
                f"{product} was made of {task} while it was {job.status}",
            )

    def hear(self, name: str, fields: Fields, act: Act) -> None:
        """An event of the contract `job`."""
        job_id = text(fields.get("job_id"))
        if name == "JobCreated":
            self._create(job_id, fields, act)
            return
        job = self.found.get(job_id)
        if not self._faults.expect(
            job is not None, (JOB, job_id), "unknown job", f"{name} of a job that nobody planned"
        ):
            return
        assert job is not None
        job.last_ms = act.time_ms
        self._faults.expect(
            job.status in _FROM.get(name, (job.status,)),
            job.subject,
            "state",
            f"{name} while it was {job.status}",
        )
        self._move(job, name, fields, act)

    def _move(self, job: Job, name: str, fields: Fields, act: Act) -> None:
        match name:
            case "JobConfirmed":
                self._confirm(job, fields, act.time_ms)
            case "JobQueued":
                missing = [party for party in job.asked if party not in job.confirmed]
                self._faults.expect(
                    not missing,
                    job.subject,
                    "queued unconfirmed",
                    f"it was queued without the word of {listed(missing)}",
                )
                self._enter(job, "queued", act.time_ms)
            case "JobDispatched":
                self._enter(job, "dispatched", act.time_ms)
            case "JobStepStarted":
                self._begin(job, fields, act)
            case "JobStepEnded":
                self._end_step(job, fields)
            case "JobFinished":
                self._finish(job, fields, act.time_ms)
            case "JobVerified":
                self._verify(job, fields, act.time_ms)
            case "JobClosed":
                self._enter(job, "closed", act.time_ms)
            case "JobEnded":
                self._enter(job, text(fields.get("status")), act.time_ms)
                job.times["ended"] = act.time_ms

    def _enter(self, job: Job, status: str, time_ms: int) -> None:
        job.status = status
        job.times[status] = time_ms

    def _create(self, job_id: str, fields: Fields, act: Act) -> None:
        asked = texts(fields.get("parties"))
        grant, operator = text(fields.get("grant_id")), text(fields.get("operator"))
        consumer = text(fields.get("consumer"))
        steps = steps_of(act.given.get("steps"))
        job = Job(
            (JOB, job_id),
            self._faults.stand_at(act),
            act.time_ms,
            parties={*asked, operator, consumer},
            about={(GRANT, grant)},
            title=text(act.given.get("title")),
            grant=grant,
            operator=operator,
            consumer=consumer,
            asked=asked,
            priority=_integer(fields.get("priority")),
            deadline_ms=_integer(fields.get("deadline_ms")),
            digest=octets(fields.get("digest")),
            steps={step.name: step for step in steps},
            times={"created": act.time_ms},
        )
        for step in steps:
            job.about.update((DATASET, dataset) for _party, dataset in step.participants)
        self.found[job_id] = job
        self._faults.expect(
            digest_of(job) == job.digest,
            job.subject,
            "plan digest",
            f"the digest to confirm is {job.digest.hex()}, and the plan has {digest_of(job).hex()}",
        )
        owed = {party for step in steps for party, _dataset in step.participants} | {consumer}
        missing = sorted(owed.difference(asked))
        self._faults.expect(
            not missing, job.subject, "parties", f"{listed(missing)} need not confirm the plan"
        )

    def _confirm(self, job: Job, fields: Fields, time_ms: int) -> None:
        party, digest = text(fields.get("party_id")), octets(fields.get("digest"))
        self._faults.expect(
            party in job.asked and party not in job.confirmed,
            job.subject,
            "confirmation",
            f"{party} confirmed it, who is no party of it or had done so",
        )
        self._faults.expect(
            digest == job.digest,
            job.subject,
            "confirmed digest",
            f"{party} confirmed another plan, {digest.hex()}",
        )
        job.confirmed[party] = time_ms

    def _begin(self, job: Job, fields: Fields, act: Act) -> None:
        """A task begins a step: it is to the letter what was confirmed, and it is its turn."""
        name, task = text(fields.get("step")), text(fields.get("task_id"))
        attempt = Attempt(name, task, act.time_ms, act.transaction, act.height)
        before = sum(one.step == name for one in job.attempts)
        job.attempts.append(attempt)
        job.about.add((TASK, task))
        self._by_task[task] = attempt
        self._job_of[task] = job.id
        self._enter(job, "running", act.time_ms)
        step = job.steps.get(name)
        if not self._faults.expect(
            step is not None, job.subject, "unplanned", f"{task} is for {name}, which is no step"
        ):
            return
        assert step is not None
        differing = [what for what, is_same in _compared(job, step, act) if not is_same]
        self._faults.expect(
            not differing,
            job.subject,
            "task against plan",
            f"{task} is not what was confirmed for {name}: other {listed(differing)}",
        )
        early = [other for other in step.after if not job.is_done(other)]
        self._faults.expect(
            not early,
            job.subject,
            "order of steps",
            f"{task} began {name} before {listed(early)} had finished",
        )
        self._faults.expect(
            before < contract.ATTEMPTS_MAX,
            job.subject,
            "attempts",
            f"{task} is task {before + 1} of {name}",
        )

    def _end_step(self, job: Job, fields: Fields) -> None:
        task, said = text(fields.get("task_id")), text(fields.get("status"))
        ended = self._ends.get(task, "open")
        self._faults.expect(
            said == ended,
            job.subject,
            "end of a step",
            f"it says that {task} is {said}, and the task is {ended}",
        )

    def _finish(self, job: Job, fields: Fields, time_ms: int) -> None:
        undone = [name for name in job.steps if not job.is_done(name)]
        self._faults.expect(
            not undone,
            job.subject,
            "unfinished",
            f"a result was named before {listed(undone)} had finished",
        )
        job.result = octets(fields.get("result_digest"))
        self._enter(job, "result", time_ms)

    def _verify(self, job: Job, fields: Fields, time_ms: int) -> None:
        party, agreed = text(fields.get("party_id")), fields.get("agreed") is True
        self._faults.expect(
            party == job.consumer,
            job.subject,
            "verified by",
            f"{party} verified it, and its consumer is {job.consumer}",
        )
        received = octets(fields.get("result_digest"))
        self._faults.expect(
            not agreed or received == job.result,
            job.subject,
            "verified result",
            f"{party} agreed to {received.hex()}, and the result is {job.result.hex()}",
        )
        self._enter(job, "verified" if agreed else "disputed", time_ms)


def steps_of(value: Value) -> list[Step]:
    """The steps of a plan; none where the argument is no plan."""
    try:
        return msgspec.convert(value, list[Step], builtin_types=(bytes,))
    except msgspec.ValidationError:
        return []


def digest_of(job: Job) -> bytes:
    """Of the plan, worked out from the arguments that made it."""
    steps = [
        contract.Step(
            step.name,
            step.component,
            step.program_hash,
            step.participants,
            step.receiver_key,
            step.after,
            step.resources,
        )
        for step in job.steps.values()
    ]
    priority, deadline_ms = job.priority or 0, job.deadline_ms or 0
    return contract.digest_of(job.id, job.grant, priority, deadline_ms, steps)


def _compared(job: Job, step: Step, act: Act) -> list[tuple[str, bool]]:
    """What a task was ordered as, beside its step."""
    given = act.given
    deadline_ms = _integer(given.get("deadline_ms"))
    pairs = given.get("participants")
    participants = [tuple(texts(pair)) for pair in (pairs if isinstance(pairs, list) else ())]
    is_in_time = None not in (deadline_ms, job.deadline_ms)
    return [
        ("act", (act.contract, act.method) == ("task", "create")),
        ("operator", act.by.party == job.operator),
        ("grant", text(given.get("grant_id")) == job.grant),
        ("component", text(given.get("algorithm")) == step.component),
        ("program", sm3.digest(octets(given.get("program"))) == step.program_hash),
        ("participants", participants == step.participants),
        ("receiver", octets(given.get("receiver_key")) == step.receiver_key),
        ("deadline", is_in_time and (deadline_ms or 0) <= (job.deadline_ms or 0)),
    ]


def _integer(value: Value) -> int | None:
    return value if type(value) is int else None
