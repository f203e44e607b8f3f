"""Jobs: several computations in an order, planned, confirmed, scheduled (clauses 8.2.6, 8.5a).

An operator plans steps under a grant (contract `step` keeps them). Every participant and the
consumer confirm the plan by its digest. Then it waits in the operator's queue, by priority; at
most so many run at one time. A step is carried out by a task that names it (`task.create`); the
grant is checked at each. The operator names the result by its SM3, the consumer confirms or
disputes it.

States: created -> queued -> dispatched -> running -> result -> verified -> closed;
result -> disputed -> result | closed; open ones -> failed | cancelled | timed_out.
"""

from __future__ import annotations

from contracts.dialect import (
    Map,
    call,
    call_contract,
    ctx,
    emit,
    fail,
    is_name,
    record,
    replace,
    require,
    view,
    view_contract,
)

OPEN = ("created", "queued", "dispatched", "running")  # what a deadline or a failure may end
PRIORITY_MAX = 9  # goes first; 0 goes last
TERM_MAX_MS = 90 * 24 * 3600 * 1000  # a quarter: what takes longer is several jobs
QUEUE_MAX = 256  # jobs that wait for one operator
RUNNING_MAX = 8  # dispatched and running jobs of one operator at one time (8.2.6d)
PER_GRANT_MAX = 16  # open jobs of a grant: a revocation cancels them all in one transaction
DIGEST_SIZE = 32  # bytes: SM3
TITLE_MAX = 128  # characters
REASON_MAX = 512  # characters
NOTE_MAX = 1024  # characters
TURN = 10**12  # more than jobs will ever be: ranks of one priority lie together
PAGE_MAX = 100  # jobs in one answer


@record
class Step:
    """As the contract `step` has it."""

    name: str
    component: str
    program_hash: bytes
    participants: list[tuple[str, str]]
    receiver_key: bytes
    after: list[str]
    resources: list[tuple[str, int]]


@record
class Progress:
    """As the contract `step` has it."""

    name: str
    task_id: str
    attempts: int
    status: str


@record
class Planned:
    """What the contract `step` tells of a plan that it keeps."""

    parties: list[str]
    digest: bytes


@record
class Course:
    """What the contract `step` tells of a job."""

    steps: list[Step]
    progress: list[Progress]


@record
class Job:
    """What was planned in short, and how far it is; `reason` says why it ended or was disputed."""

    id: str
    number: int
    title: str
    grant_id: str
    operator: str
    consumer: str
    parties: list[str]  # that must confirm: the consumer is the last
    priority: int
    deadline_ms: int
    step_count: int
    digest: bytes  # of the plan
    created_ms: int
    status: str = "created"
    confirmed: int = 0
    finished: int = 0  # steps
    result_digest: bytes = b""
    ended_ms: int = 0  # 0 until there is a result, or none to come
    reason: str = ""


@record
class JobFile:
    """A job with its plan, how far each step is, and which parties confirmed it."""

    job: Job
    steps: list[Step]
    progress: list[Progress]
    confirmed: list[str]


@record
class Sides:
    """Who may make something under a grant, and for whom."""

    operator: str
    consumer: str


jobs = Map(str, Job)
confirmations = Map((str, str), int)  # job, party -> when
loads = Map(str, int)  # operator -> dispatched and running
# Kept under "" for managers, and under each party and the operator.
job_by_number = Map((str, int), str)
job_count = Map(str, int)


@call
def create(
    job_id: str, title: str, grant_id: str, priority: int, deadline_ms: int, steps: list[Step]
) -> bytes:
    """An operator plans a job within a grant; returns the digest to confirm (8.2.6b, 8.5a)."""
    operator = view_contract("parties", "acting_as", ctx.sender, "operator", returns=str)
    require(operator != "", "job.role: sign with an account of an active operator")
    require(is_name(job_id), "job.id: use 1 to 64 characters of a-z 0-9 _ - .")
    require(job_id not in jobs, "job.exists: choose another id")
    require(1 <= len(title) <= TITLE_MAX, "job.title: use 1 to 128 characters")
    require(0 <= priority <= PRIORITY_MAX, "job.priority: use 0 to 9; 9 goes first")
    is_within = ctx.time_ms < deadline_ms <= ctx.time_ms + TERM_MAX_MS
    require(is_within, "job.deadline: choose a time within the next 90 days")
    view_contract("grant", "ensure_valid", grant_id, returns=bool)
    sides = view_contract("grant", "sides", grant_id, returns=Sides)
    require(sides.operator == operator, "job.operator: it was granted to another operator")
    planned = call_contract(
        "step", "plan", job_id, grant_id, operator, priority, deadline_ms, steps, returns=Planned
    )
    parties = [party for party in planned.parties if party != sides.consumer]
    parties.append(sides.consumer)
    number, digest = job_count.get("", 0), planned.digest
    jobs[job_id] = Job(
        id=job_id,
        number=number,
        title=title,
        grant_id=grant_id,
        operator=operator,
        consumer=sides.consumer,
        parties=parties,
        priority=priority,
        deadline_ms=deadline_ms,
        step_count=len(steps),
        digest=digest,
        created_ms=ctx.time_ms,
    )
    for scope in ["", operator] + [party for party in parties if party != operator]:
        place = job_count.get(scope, 0)
        job_by_number[scope, place] = job_id
        job_count[scope] = place + 1
    call_contract("queue", "enter", job_id, number, [("grant:" + grant_id, PER_GRANT_MAX)])
    emit(
        "JobCreated",
        job_id=job_id,
        grant_id=grant_id,
        operator=operator,
        consumer=sides.consumer,
        parties=parties,
        digest=digest,
        priority=priority,
        deadline_ms=deadline_ms,
    )
    return digest


@call
def confirm(job_id: str, digest: bytes) -> None:
    """A party agrees to the plan of this digest; the last one puts it into the queue (8.2.6c)."""
    job = known(job_id)
    party = require_party(job)
    require(job.status == "created", "job.status: it can be confirmed only before it is queued")
    require_in_time(job)
    require(digest == job.digest, "job.digest: this is not the digest of its plan; see `show`")
    require((job_id, party) not in confirmations, "job.confirmed: this party has confirmed it")
    view_contract("grant", "ensure_valid", job.grant_id, returns=bool)
    confirmations[job_id, party] = ctx.time_ms
    job = replace(job, confirmed=job.confirmed + 1)
    emit("JobConfirmed", job_id=job_id, grant_id=job.grant_id, party_id=party, digest=digest)
    if job.confirmed == len(job.parties):
        job = replace(job, status="queued")
        rank = (PRIORITY_MAX - job.priority) * TURN + job.number
        call_contract("queue", "enter", job_id, rank, [("operator:" + job.operator, QUEUE_MAX)])
        emit("JobQueued", job_id=job_id, grant_id=job.grant_id, operator=job.operator)
    jobs[job_id] = job


@call
def dispatch(job_id: str) -> None:
    """The operator starts the first job of its queue that can be, if not too many run (8.2.6d)."""
    job = known(job_id)
    require_operator(job)
    require(job.status == "queued", "job.status: only a job that all confirmed is dispatched")
    require_in_time(job)
    view_contract("grant", "ensure_valid", job.grant_id, returns=bool)
    scope = "operator:" + job.operator
    for first in view_contract("queue", "items", scope, returns=list[str]):
        if first == job_id:
            break
        require(not is_ready(jobs[first]), "job.turn: another job goes first; see `queue`")
    load = loads.get(job.operator, 0)
    require(load < RUNNING_MAX, "job.load: 8 jobs are under way; wait until one of them ends")
    call_contract("queue", "leave", job_id, [scope])
    loads[job.operator] = load + 1
    jobs[job_id] = replace(job, status="dispatched")
    emit("JobDispatched", job_id=job_id, grant_id=job.grant_id, operator=job.operator)


@call
def take(
    job_id: str,
    step_name: str,
    task_id: str,
    grant_id: str,
    operator: str,
    deadline_ms: int,
    ordered: tuple[str, bytes, list[tuple[str, str]], bytes],
) -> None:
    """A task begins a step, for the task contract alone; it must be what was confirmed."""
    require(ctx.sender == "contract:task", "job.take: create a task that names job and step")
    job = known(job_id)
    require(job.operator == operator, "job.owner: another operator planned this job")
    require(job.status in ("dispatched", "running"), "job.status: dispatch the job first")
    require(grant_id == job.grant_id, "job.grant: the job was confirmed under another grant")
    require(deadline_ms <= job.deadline_ms, "job.deadline: the task must not outlast its job")
    call_contract("step", "begin", job_id, step_name, task_id, ordered)
    jobs[job_id] = replace(job, status="running")
    emit("JobStepStarted", job_id=job_id, grant_id=grant_id, step=step_name, task_id=task_id)


@call
def step_ended(job_id: str, step_name: str, task_id: str, status: str) -> None:
    """The task of a step came to its end, for the task contract alone."""
    require(ctx.sender == "contract:task", "job.step_ended: tasks say so by themselves")
    job = known(job_id)
    if job.status != "running":  # the job ended first, and took its tasks with it
        return
    is_done = status == "finished"
    call_contract("step", "end", job_id, step_name, "finished" if is_done else "ended")
    jobs[job_id] = replace(job, finished=job.finished + (1 if is_done else 0))
    emit(
        "JobStepEnded",
        job_id=job_id,
        grant_id=job.grant_id,
        step=step_name,
        task_id=task_id,
        status=status,
    )


@call
def finish(job_id: str, result_digest: bytes) -> None:
    """The operator names the opened result by its SM3, when all steps are done (8.2.5c)."""
    job = known(job_id)
    require_operator(job)
    require(
        job.status in ("running", "disputed") and job.finished == job.step_count,
        "job.unfinished: every step must have finished first; see `show`",
    )
    view_contract("grant", "ensure_valid", job.grant_id, returns=bool)
    require(len(result_digest) == DIGEST_SIZE, "job.result: use 32 bytes of SM3")
    if job.status == "running":
        loads[job.operator] = loads[job.operator] - 1
    jobs[job_id] = replace(
        job, status="result", result_digest=result_digest, ended_ms=ctx.time_ms, reason=""
    )
    emit(
        "JobFinished",
        job_id=job_id,
        grant_id=job.grant_id,
        operator=job.operator,
        result_digest=result_digest,
    )


@call
def verify(job_id: str, result_digest: bytes, agreed: bool, note: str) -> None:
    """The consumer confirms the result that it received, by its digest, or disputes it (8.2.5c)."""
    job = known(job_id)
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(
        party != "" and party == job.consumer,
        "job.consumer: only the consumer of its grant verifies the result",
    )
    require(job.status == "result", "job.status: there is no result to verify")
    view_contract("grant", "ensure_not_withdrawn", job.grant_id, returns=bool)
    require(len(result_digest) == DIGEST_SIZE, "job.result: use 32 bytes of SM3")
    require(len(note) <= NOTE_MAX, "job.note: use up to 1024 characters")
    if agreed:
        require(
            result_digest == job.result_digest,
            "job.received: this is not the result that the operator named; dispute it",
        )
        call_contract("queue", "leave", job_id, ["grant:" + job.grant_id])
        call_contract("step", "vouch", job_id)
    else:
        require(note != "", "job.note: say what is wrong")
    jobs[job_id] = replace(job, status="verified" if agreed else "disputed", reason=note)
    emit(
        "JobVerified",
        job_id=job_id,
        grant_id=job.grant_id,
        party_id=party,
        result_digest=result_digest,
        agreed=agreed,
    )


@call
def close(job_id: str, note: str) -> None:
    """The operator closes a verified job; a manager what is disputed or was never answered."""
    job = known(job_id)
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    is_judge = is_manager() and party not in (job.operator, job.consumer)
    require(
        party != "" and (party == job.operator or is_judge),
        "job.close: only its operator, or a manager that is no side of it, closes it",
    )
    require(
        job.status == "verified" or (is_judge and job.status in ("result", "disputed")),
        "job.unverified: the consumer must verify it first, or a manager decide",
    )
    require(len(note) <= NOTE_MAX, "job.note: use up to 1024 characters")
    if job.status != "verified":
        call_contract("queue", "leave", job_id, ["grant:" + job.grant_id])
        call_contract("step", "vouch", job_id)
    jobs[job_id] = replace(job, status="closed", reason=note)
    emit("JobClosed", job_id=job_id, grant_id=job.grant_id, party_id=party)


@call
def abandon(job_id: str, reason: str) -> None:
    """The operator or a participant says that a job under way cannot come to a result (8.2.6e)."""
    job = known(job_id)
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(
        party != "" and (party == job.operator or party in job.parties),
        "job.party: only its operator and the parties that confirmed it may do this",
    )
    require(job.status in ("dispatched", "running"), "job.status: it is not under way")
    end(job, "failed", party + ": " + check_reason(reason), party)


@call
def cancel(job_id: str, reason: str) -> None:
    """The operator or a manager calls a job off; a party that does not agree, before it is queued
    (8.2.6e)."""
    job = known(job_id)
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    may_decline = job.status == "created" and party in job.parties
    require(
        party != "" and (may_decline or party == job.operator or is_manager()),
        "job.cancel: only its operator or a manager cancels it, a party before it is queued",
    )
    require(job.status in OPEN, "job.ended: it has a result or has ended; see `show`")
    end(job, "cancelled", party + ": " + check_reason(reason), party)


@call
def expire(job_id: str) -> None:
    """Any party may close a job whose deadline has passed without a result."""
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "", "job.member: sign with an account of an active party")
    job = known(job_id)
    require(job.status in OPEN, "job.ended: it has a result or has ended; see `show`")
    require(ctx.time_ms >= job.deadline_ms, "job.early: wait for the deadline to pass")
    end(job, "timed_out", "the deadline passed", party)


@call
def cancel_under(grant_id: str) -> None:
    """Cancels what is not verified under a revoked grant; for the task contract alone (6.3a)."""
    require(ctx.sender == "contract:task", "job.cancel_under: revoke the grant instead")
    for job_id in view_contract("queue", "items", "grant:" + grant_id, returns=list[str]):
        settle(jobs[job_id], "cancelled", "the grant was revoked", "")


@view
def show(job_id: str) -> JobFile:
    """A job with its plan and course, for those it concerns (8.2.6c)."""
    job = known(job_id)
    reader = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(
        reader != "" and (reader == job.operator or reader in job.parties or is_manager()),
        "job.reader: only its operator, its parties and managers may read it",
    )
    course = view_contract("step", "course", job_id, returns=Course)
    confirmed = [party for party in job.parties if (job_id, party) in confirmations]
    return JobFile(job, course.steps, course.progress, confirmed)


@view
def list_(offset: int, limit: int) -> list[Job]:
    """Jobs in order of creation: all for managers; for others those that concern them."""
    reader = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(reader != "", "job.reader: sign with an account of an active party")
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "job.page: ask for 1 to 100 from 0 up")
    scope = "" if is_manager() else reader
    last = min(offset + limit, job_count.get(scope, 0))
    return [jobs[job_by_number[scope, number]] for number in range(offset, last)]


@view
def queue(operator: str, offset: int, limit: int) -> list[Job]:
    """What waits to be dispatched by an operator, in its order (8.2.6d)."""
    reader = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(
        reader != "" and (reader == operator or is_manager()),
        "job.reader: only the operator itself and managers see its queue",
    )
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "job.page: ask for 1 to 100 from 0 up")
    waiting = view_contract("queue", "items", "operator:" + operator, returns=list[str])
    return [jobs[job_id] for job_id in waiting[offset : offset + limit]]


def known(job_id: str) -> Job:
    job = jobs.get(job_id)
    if job is None:
        fail("job.unknown: no job has this id; look for it with `list`")
    return job


def is_manager() -> bool:
    return view_contract("parties", "has_role", ctx.sender, "manager", returns=bool)


def require_operator(job: Job) -> None:
    party = view_contract("parties", "acting_as", ctx.sender, "operator", returns=str)
    require(party == job.operator, "job.owner: only the operator that planned it may do this")


def require_party(job: Job) -> str:
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "" and party in job.parties, "job.party: only parties that the plan names")
    return party


def require_in_time(job: Job) -> None:
    require(ctx.time_ms < job.deadline_ms, "job.late: the deadline has passed; plan a new job")


def is_ready(job: Job) -> bool:
    """Could it be dispatched now? One whose grant is suspended must not hold up all behind it."""
    is_granted = view_contract("grant", "is_valid", job.grant_id, returns=bool)
    return is_granted and ctx.time_ms < job.deadline_ms


def check_reason(reason: str) -> str:
    require(1 <= len(reason) <= REASON_MAX, "job.reason: give a reason of 1 to 512 characters")
    return reason


def end(job: Job, status: str, reason: str, party: str) -> None:
    """Ends an open job, and the tasks of its steps with it."""
    open_tasks = settle(job, status, reason, party)
    if len(open_tasks) > 0:
        call_contract("task", "call_off", open_tasks)


def settle(job: Job, status: str, reason: str, party: str) -> list[str]:
    """Ends a job that is not verified; returns the tasks of its steps that are open."""
    call_contract("queue", "leave", job.id, ["grant:" + job.grant_id])
    if job.status == "queued":
        call_contract("queue", "leave", job.id, ["operator:" + job.operator])
    if job.status in ("dispatched", "running"):
        loads[job.operator] = loads[job.operator] - 1
    jobs[job.id] = replace(job, status=status, reason=reason, ended_ms=ctx.time_ms)
    emit(
        "JobEnded",
        job_id=job.id,
        grant_id=job.grant_id,
        operator=job.operator,
        status=status,
        reason=reason,
        party_id=party,
    )
    return call_contract("step", "stop", job.id, returns=list[str])
