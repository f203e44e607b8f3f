"""Steps of jobs: what was planned to the letter, and how far each step is (clauses 8.2.6, 8.5a, b).

The contract `job` alone puts plans here and moves steps on; the contract `product` asks whether the
result of a job counts. A step names its algorithm, program,
participants, receiver, the resources of a participant and the steps it comes after. A task for it
must be exactly that, and comes when the steps before it have finished. Fields as in the BFIA
interface (docs/development.md).

States of a step: waiting -> open -> finished | ended; ended -> open, three tasks at most.
"""

from __future__ import annotations

from contracts.dialect import (
    Map,
    call,
    ctx,
    is_name,
    record,
    replace,
    require,
    sm3,
    to_hex,
    view,
    view_contract,
)

STEPS_MAX = 16
PARTIES_MIN = 2  # of a step: as many as its task needs
PARTIES_MAX = 16  # of a job: all of them confirm it
ATTEMPTS_MAX = 3  # tasks for one step: a broken computation may be ordered again
RESOURCES = ("cpu_millis", "memory_mib", "disk_mib", "bandwidth_kbps")  # of one participant (8.5b)
AMOUNT_MAX = 10**12
KEY_SIZE = 64  # bytes: SM2 public key X || Y
DIGEST_SIZE = 32  # bytes: SM3
DOMAIN = "shuxin job 1"  # begins what the digest of a plan is over


@record
class Step:
    """One computation. `after` names earlier steps of the plan, so that no order is a circle."""

    name: str
    component: str  # the algorithm, NAME/VERSION
    program_hash: bytes  # SM3 of the program to order
    participants: list[tuple[str, str]]  # party, data set
    receiver_key: bytes  # that its result is sealed to
    after: list[str]
    resources: list[tuple[str, int]]  # what a participant needs for it


@record
class Progress:
    """How far a step is; `task_id` is its latest task."""

    name: str
    task_id: str = ""
    attempts: int = 0
    status: str = "waiting"


@record
class Planned:
    """What the job keeps of its plan."""

    parties: list[str]  # suppliers that take part, each once
    digest: bytes


@record
class Course:
    """A plan and how far each of its steps is, in its order."""

    steps: list[Step]
    progress: list[Progress]


plans = Map(str, list[Step])
progress = Map((str, str), Progress)  # job, step
job_by_task = Map(str, str)
vouched = Map(str, bool)  # jobs whose result counts: the consumer verified it, or a manager decided


@call
def plan(
    job_id: str,
    grant_id: str,
    operator: str,
    priority: int,
    deadline_ms: int,
    steps: list[Step],
) -> Planned:
    """Keeps the plan of a new job, if it can be carried out by its operator under its grant."""
    require_job()
    require(1 <= len(steps) <= STEPS_MAX, "step.steps: plan 1 to 16 steps")
    before: list[str] = []
    parties: list[str] = []
    for step in steps:
        check(step, before)
        before.append(step.name)
        for party, _dataset_id in step.participants:
            if party not in parties:
                parties.append(party)
        progress[job_id, step.name] = Progress(step.name)
    require(len(parties) <= PARTIES_MAX, "step.parties: a job has 16 parties at most")
    for party in parties:
        is_supplier = view_contract("parties", "party_has_role", party, "supplier", returns=bool)
        require(is_supplier, "step.supplier: each participant must be an active supplier")
    for step in steps:
        data = [dataset_id for _party, dataset_id in step.participants]
        view_contract(
            "grant", "ensure_covers", grant_id, operator, data, step.component, returns=bool
        )
        view_contract("risk", "ensure_receiver", grant_id, step.receiver_key, returns=bool)
    plans[job_id] = steps
    return Planned(parties, digest_of(job_id, grant_id, priority, deadline_ms, steps))


@call
def begin(
    job_id: str,
    step_name: str,
    task_id: str,
    ordered: tuple[str, bytes, list[tuple[str, str]], bytes],
) -> None:
    """A task begins a step: of this component, program hash, participants and receiver's key. It
    must be what the parties confirmed, and its turn."""
    require_job()
    state = progress.get((job_id, step_name), Progress(""))
    require(state.name != "", "step.unknown: the plan has no such step; see `job show`")
    found = [one for one in plans[job_id] if one.name == step_name]
    step = found[0]
    confirmed = (step.component, step.program_hash, step.participants, step.receiver_key)
    require(
        ordered == confirmed,
        "step.plan: this task is not what the parties confirmed; see `job show`",
    )
    for name in step.after:
        is_done = progress[job_id, name].status == "finished"
        require(is_done, "step.order: a step that comes before it has not finished")
    require(state.status in ("waiting", "ended"), "step.taken: a task for this step exists")
    require(state.attempts < ATTEMPTS_MAX, "step.attempts: it failed three times; plan a new job")
    progress[job_id, step_name] = Progress(step_name, task_id, state.attempts + 1, "open")
    job_by_task[task_id] = job_id


@call
def end(job_id: str, step_name: str, status: str) -> None:
    """The task of an open step came to its end: finished, or ended without a result."""
    require_job()
    state = progress[job_id, step_name]
    progress[job_id, step_name] = replace(state, status=status)


@call
def stop(job_id: str) -> list[str]:
    """The job ended before its steps: those under way end with it; returns their tasks."""
    require_job()
    tasks: list[str] = []
    for step in plans[job_id]:
        state = progress[job_id, step.name]
        if state.status == "open":
            progress[job_id, step.name] = replace(state, status="ended")
            tasks.append(state.task_id)
    return tasks


@call
def vouch(job_id: str) -> None:
    """The result of the job counts: its consumer verified it, or a manager decided (8.2.5c)."""
    require_job()
    vouched[job_id] = True


@view
def ensure_vouched(task_id: str) -> bool:
    """True, or a refusal: what is made of a task of a job rests on the job's result, too."""
    job_id = job_by_task.get(task_id, "")
    require(
        job_id == "" or vouched.get(job_id, False),
        "step.unverified: its job has no result that the consumer verified; see `job show`",
    )
    return True


@view
def course(job_id: str) -> Course:
    """The plan of a job and how far it is; for the contract job, which knows who may read it."""
    require_job()
    steps = plans[job_id]
    return Course(steps, [progress[job_id, step.name] for step in steps])


def require_job() -> None:
    require(ctx.sender == "contract:job", "step.job: jobs do this by themselves; see `job`")


def check(step: Step, before: list[str]) -> None:
    require(is_name(step.name), "step.name: use 1 to 64 characters of a-z 0-9 _ - .")
    require(step.name not in before, "step.name_twice: name each step once")
    require(len(step.program_hash) == DIGEST_SIZE, "step.program: use 32 bytes of SM3")
    require(len(step.receiver_key) == KEY_SIZE, "step.receiver_key: use the 64 bytes of an SM2 key")
    require(PARTIES_MIN <= len(step.participants) <= PARTIES_MAX, "step.participants: name 2 to 16")
    names = [party for party, _dataset_id in step.participants]
    for position, party in enumerate(names):
        require(party not in names[:position], "step.participant_twice: name each party once")
    require(len(step.after) <= len(before), "step.after: name steps that stand before it")
    for position, name in enumerate(step.after):
        require(
            name in before and name not in step.after[:position],
            "step.after: name steps that stand before it, each once",
        )
    require(len(step.resources) <= len(RESOURCES), "step.resources: name each once")
    kinds = [kind for kind, _amount in step.resources]
    for position, (kind, amount) in enumerate(step.resources):
        require(
            kind in RESOURCES and kind not in kinds[:position],
            "step.resources: use cpu_millis, memory_mib, disk_mib, bandwidth_kbps, each once",
        )
        require(1 <= amount <= AMOUNT_MAX, "step.amount: use 1 to 10**12")
    view_contract("algorithm", "ensure_runnable", step.component, returns=bool)


def digest_of(
    job_id: str, grant_id: str, priority: int, deadline_ms: int, steps: list[Step]
) -> bytes:
    """SM3 of a plan: of its texts in their order, each behind its length and a colon."""
    texts = [DOMAIN, job_id, grant_id, str(priority), str(deadline_ms), str(len(steps))]
    for step in steps:
        texts.extend([step.name, step.component, to_hex(step.program_hash)])
        texts.extend([to_hex(step.receiver_key), str(len(step.participants))])
        for party, dataset_id in step.participants:
            texts.extend([party, dataset_id])
        texts.append(str(len(step.after)))
        texts.extend(step.after)
        texts.append(str(len(step.resources)))
        for kind, amount in step.resources:
            texts.extend([kind, str(amount)])
    return sm3("".join([str(len(text)) + ":" + text for text in texts]).encode())
