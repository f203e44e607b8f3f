"""Tasks: joint computations of several suppliers, from order to result (clauses 8.2.6a to f).

An operator creates a task under a grant, alone or for a step of a job; one use is counted. Every
participant accepts with its endpoint, a one-task certificate and the commitment to its rows; when
the last one has accepted, the task is dispatched and executors start. Every participant reports
the program it ran, a root over its transcript and its share of the output, sealed to the receiver.
Equal program hashes finish the task, differing ones make it disputed. Grant and algorithm are
checked at each of these steps; revocation cancels open tasks.

States: created -> running -> finished | disputed; open ones -> failed | cancelled | expired.
"""

from __future__ import annotations

from contracts.dialect import (
    Map,
    Var,
    call,
    call_contract,
    ctx,
    emit,
    is_name,
    record,
    replace,
    require,
    sm3,
    view,
    view_contract,
)

PROGRAM_MAX = 16 * 1024  # bytes of a canonical program; engines take far less
PARTIES_MIN = 2  # a computation of one party needs no protocol
PARTIES_MAX = 16  # bounds the walks over acceptances and reports
KEY_SIZE = 64  # bytes: SM2 public key X || Y
DIGEST_SIZE = 32  # bytes: SM3
TERM_MAX_MS = 7 * 24 * 3600 * 1000  # a week: longer work is split into tasks
ENDPOINT_MAX = 128  # characters of host:port
CERTIFICATE_MAX = 4096  # characters of PEM
SHARE_MAX = 48 * 1024  # bytes; larger results are delivered as products, not over the chain
RESOURCES_MAX = 16  # counters an executor may report, such as CPU ms and bytes sent
PROTECTION_MAX = 256  # characters: which protection was active, under which security model
REASON_MAX = 512  # characters
OPEN_PER_PARTY_MAX = 512  # a supplier's queue (8.2.6d); more is refused until some task ends
OPEN_PER_OPERATOR_MAX = 256  # of them: no operator fills it for the others, with many grants
OPEN_PER_GRANT_MAX = 32  # a revocation cancels them all in one transaction
CERTIFICATE_HEAD = "-----BEGIN CERTIFICATE-----"
PAGE_MAX = 100  # tasks in one answer


@record
class Task:
    """What was ordered and how far it is; `reason` says why there is no result."""

    id: str
    grant_id: str
    operator: str
    consumer: str
    algorithm: str
    program_hash: bytes  # SM3 of the program as ordered
    participants: list[tuple[str, str]]  # party, data set
    receiver_key: bytes
    deadline_ms: int
    created_ms: int
    job_id: str  # whose step it carries out; "" if it stands alone
    step: str
    status: str = "created"
    accepted: int = 0  # participants that accepted
    reported: int = 0  # participants that reported
    ended_ms: int = 0  # 0 while open
    reason: str = ""


@record
class Acceptance:
    """A participant's word that it takes part, and how its executor is reached."""

    party: str
    endpoint: str
    certificate: str
    data_commitment: bytes
    accepted_ms: int


@record
class Report:
    """A participant's word on what it did; its output share is kept apart (see `share`)."""

    party: str
    program_hash: bytes
    transcript_root: bytes
    output_commitment: bytes
    resources: list[int]
    protection: str
    reported_ms: int


@record
class TaskFile:
    """A task with its program and with what its participants said, in their order."""

    task: Task
    program: bytes
    acceptances: list[Acceptance]
    reports: list[Report]


@record
class Outcome:
    """What a product may build on."""

    status: str
    operator: str
    grant_id: str
    consumer: str
    created_ms: int
    participants: list[tuple[str, str]]


tasks = Map(str, Task)
programs = Map(str, bytes)
acceptances = Map((str, str), Acceptance)  # task, party
reports = Map((str, str), Report)  # task, party
shares = Map((str, str), bytes)  # task, party
task_by_number = Map(int, str)
task_count = Var(int)


@call
def create(
    task_id: str,
    grant_id: str,
    algorithm: str,
    program: bytes,
    participants: list[tuple[str, str]],
    receiver_key: bytes,
    deadline_ms: int,
    job_id: str,
    step: str,
) -> None:
    """An operator orders a computation within a grant (6.4a, 8.2.6b); `job_id` "" is for none."""
    operator = view_contract("parties", "acting_as", ctx.sender, "operator", returns=str)
    require(operator != "", "task.role: sign with an account of an active operator")
    require(is_name(task_id), "task.id: use 1 to 64 characters of a-z 0-9 _ - .")
    require(task_id not in tasks, "task.exists: choose another id")
    require(1 <= len(program) <= PROGRAM_MAX, "task.program: use 1 to 16384 bytes")
    require(len(receiver_key) == KEY_SIZE, "task.receiver_key: use the 64 bytes of an SM2 key")
    is_within = ctx.time_ms < deadline_ms <= ctx.time_ms + TERM_MAX_MS
    require(is_within, "task.deadline: choose a time within the next week")
    check_participants(participants)
    datasets = [dataset_id for _party, dataset_id in participants]
    consumer, expires_ms = call_contract(
        "grant", "use", grant_id, task_id, operator, datasets, algorithm, returns=tuple[str, int]
    )
    require(deadline_ms <= expires_ms, "task.deadline: it must not outlast the grant")
    view_contract("risk", "ensure_receiver", grant_id, receiver_key, returns=bool)
    view_contract("algorithm", "ensure_runnable", algorithm, returns=bool)
    program_hash = sm3(program)
    if job_id != "":
        ordered = (algorithm, program_hash, participants, receiver_key)
        call_contract(
            "job", "take", job_id, step, task_id, grant_id, operator, deadline_ms, ordered
        )
    programs[task_id] = program
    task = Task(
        id=task_id,
        grant_id=grant_id,
        operator=operator,
        consumer=consumer,
        algorithm=algorithm,
        program_hash=program_hash,
        participants=participants,
        receiver_key=receiver_key,
        deadline_ms=deadline_ms,
        created_ms=ctx.time_ms,
        job_id=job_id,
        step=step,
    )
    tasks[task_id] = task
    enlist(task)
    emit(
        "TaskCreated",
        task_id=task_id,
        participants=[party for party, _dataset in participants],
        grant_id=grant_id,
        operator=operator,
        consumer=consumer,
        algorithm=algorithm,
        program_hash=program_hash,
        deadline_ms=deadline_ms,
    )


@call
def accept(task_id: str, endpoint: str, certificate: str, data_commitment: bytes) -> None:
    """A participant takes part; the last one to do so dispatches the task (8.2.6a)."""
    party, dataset_id = require_participant(task_id)
    task = tasks[task_id]
    require(task.status == "created", "task.status: it can be accepted only before it starts")
    require(ctx.time_ms < task.deadline_ms, "task.late: the deadline has passed; order a new task")
    require((task_id, party) not in acceptances, "task.accepted: this party has accepted already")
    require_cover(task)
    require(1 <= len(endpoint) <= ENDPOINT_MAX, "task.endpoint: use 1 to 128 characters")
    require(
        certificate.startswith(CERTIFICATE_HEAD) and len(certificate) <= CERTIFICATE_MAX,
        "task.certificate: use a certificate in PEM, 27 to 4096 characters",
    )
    # Provider data cannot be altered unnoticed (8.1.1): only the rows the catalogue knows count.
    require(
        data_commitment == view_contract("catalog", "commitment_of", dataset_id, returns=bytes),
        "task.commitment: these are not the rows in the catalogue; update its entry first",
    )
    acceptances[task_id, party] = Acceptance(
        party, endpoint, certificate, data_commitment, ctx.time_ms
    )
    tasks[task_id] = replace(task, accepted=task.accepted + 1)
    names = parties_of(task)
    emit(
        "TaskAccepted",
        task_id=task_id,
        participants=names,
        party_id=party,
        dataset_id=dataset_id,
        data_commitment=data_commitment,
    )
    if task.accepted + 1 == len(names):
        dispatch(task_id)


@call
def report(
    task_id: str,
    program_hash: bytes,
    transcript_root: bytes,
    output_commitment: bytes,
    output_share: bytes,
    resources: list[int],
    protection: str,
) -> None:
    """A participant reports its run and hands in its sealed output share (8.2.4b5, 8.2.5b)."""
    party, dataset_id = require_participant(task_id)
    task = tasks[task_id]
    require((task_id, party) not in reports, "task.reported: this party has reported already")
    require(task.status == "running", "task.status: only a running task takes reports")
    require(ctx.time_ms < task.deadline_ms, "task.late: the deadline has passed; order a new task")
    require_cover(task)
    for digest in (program_hash, transcript_root, output_commitment):
        require(len(digest) == DIGEST_SIZE, "task.digest: use 32 bytes of SM3 for each digest")
    require(1 <= len(output_share) <= SHARE_MAX, "task.output_share: use 1 to 49152 bytes")
    require(len(resources) <= RESOURCES_MAX, "task.resources: report up to 16 counters")
    require([n for n in resources if n < 0] == [], "task.resources: a counter is never negative")
    require(1 <= len(protection) <= PROTECTION_MAX, "task.protection: use 1 to 256 characters")
    reports[task_id, party] = Report(
        party, program_hash, transcript_root, output_commitment, resources, protection, ctx.time_ms
    )
    shares[task_id, party] = output_share
    reported = task.reported + 1
    names = parties_of(task)
    tasks[task_id] = replace(task, reported=reported)
    emit(
        "TaskReported",
        task_id=task_id,
        participants=names,
        party_id=party,
        dataset_id=dataset_id,
        program_hash=program_hash,
        transcript_root=transcript_root,
        output_commitment=output_commitment,
        share_digest=sm3(output_share),
        protection=protection,
    )
    if reported == len(names):
        conclude(task_id)


@call
def fail(task_id: str, reason: str) -> None:
    """A participant or the operator says that the computation broke down (8.2.6e)."""
    task = known(task_id)
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(
        party == task.operator or party in parties_of(task),
        "task.participant: only its operator and participants may fail a task",
    )
    require(1 <= len(reason) <= REASON_MAX, "task.reason: give a reason of 1 to 512 characters")
    require_open(task)
    end(task_id, "failed", reason)
    names = parties_of(task)
    emit("TaskFailed", task_id=task_id, participants=names, party_id=party, reason=reason)


@call
def cancel(task_id: str) -> None:
    """The operator that created it, or the manager, calls a task off (8.2.6e)."""
    task = known(task_id)
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    may_cancel = party == task.operator or is_manager()
    require(may_cancel, "task.role: only the operator that created it or the manager may cancel it")
    require_open(task)
    end(task_id, "cancelled", "cancelled by " + party)
    emit("TaskCancelled", task_id=task_id, participants=parties_of(task), party_id=party)


@call
def cancel_under(grant_id: str) -> None:
    """Cancels what is open under a revoked grant; for the grant contract alone (6.3a)."""
    require(ctx.sender == "contract:grant", "task.cancel_under: revoke the grant instead")
    call_contract("job", "cancel_under", grant_id)
    open_tasks = view_contract("queue", "items", "grant:" + grant_id, returns=list[str])
    cancel_all(open_tasks, "the grant was revoked")


@call
def call_off(task_ids: list[str]) -> None:
    """Cancels the open tasks of a job that ended; for the job contract alone (8.2.6e)."""
    require(ctx.sender == "contract:job", "task.call_off: end the job instead")
    cancel_all(task_ids, "its job ended")


@call
def expire(task_id: str) -> None:
    """Any party may close an open task whose deadline has passed."""
    sender = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(sender != "", "task.role: sign with an account of an active party")
    task = known(task_id)
    require_open(task)
    require(ctx.time_ms >= task.deadline_ms, "task.early: wait for the deadline to pass")
    end(task_id, "expired", "the deadline passed")
    emit("TaskExpired", task_id=task_id, participants=parties_of(task))


@view
def show(task_id: str) -> TaskFile:
    """The configuration and course of a task, for those it concerns (8.2.6c)."""
    task = known(task_id)
    require_reader(task)
    names = parties_of(task)
    accepted = [acceptances[task_id, who] for who in names if (task_id, who) in acceptances]
    reported = [reports[task_id, who] for who in names if (task_id, who) in reports]
    return TaskFile(task, programs[task_id], accepted, reported)


@view
def share(task_id: str, party_id: str) -> bytes:
    """A sealed output share, for the operator to open and for the party it came from (8.2.5a)."""
    task = known(task_id)
    reader = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(
        reader != "" and (reader == task.operator or reader == party_id),
        "task.reader: only the operator of the task may fetch its output shares",
    )
    require((task_id, party_id) in shares, "task.share: this party has not reported")
    if reader != party_id:  # two of three shares may tell the result: none before it counts
        require(task.status == "finished", "task.unfinished: it has no result; see `show`")
        view_contract("grant", "ensure_not_withdrawn", task.grant_id, returns=bool)
    return shares[task_id, party_id]


@view
def list_(offset: int, limit: int) -> list[Task]:
    """Tasks in order of creation, for operators and the manager."""
    is_operator = view_contract("parties", "has_role", ctx.sender, "operator", returns=bool)
    require(is_operator or is_manager(), "task.reader: only operators and the manager see them all")
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "task.page: ask for 1 to 100 from 0 up")
    last = min(offset + limit, task_count.get(0))
    return [tasks[task_by_number[number]] for number in range(offset, last)]


@view
def open_for(party_id: str, offset: int, limit: int) -> list[Task]:
    """The open tasks of a participant, oldest first: what waits for its executor (8.2.6d)."""
    reader = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(
        reader != "" and (reader == party_id or is_manager()),
        "task.reader: only the party itself and the manager see its queue",
    )
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "task.page: ask for 1 to 100 from 0 up")
    waiting = view_contract("queue", "items", "party:" + party_id, returns=list[str])
    return [tasks[task_id] for task_id in waiting[offset : offset + limit]]


@view
def outcome(task_id: str) -> Outcome:
    """What a product is checked against, and what a task is billed by."""
    t = known(task_id)
    return Outcome(t.status, t.operator, t.grant_id, t.consumer, t.created_ms, t.participants)


@view
def aim(task_id: str) -> tuple[str, str, str, bytes]:
    """Operator, grant, algorithm, and the key that the result is sealed to; for contract risk."""
    t = known(task_id)
    return t.operator, t.grant_id, t.algorithm, t.receiver_key


def known(task_id: str) -> Task:
    require(task_id in tasks, "task.unknown: no task has this id; look for it with `list`")
    return tasks[task_id]


def is_manager() -> bool:
    return view_contract("parties", "has_role", ctx.sender, "manager", returns=bool)


def parties_of(task: Task) -> list[str]:
    return [party for party, _dataset_id in task.participants]


def require_participant(task_id: str) -> tuple[str, str]:
    """The sender's party, and the data set that it brings to the task."""
    sender = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    found = [pair for pair in known(task_id).participants if pair[0] == sender]
    require(len(found) == 1, "task.participant: only parties that the task names may do this")
    return found[0]


def require_open(task: Task) -> None:
    require(task.status in ("created", "running"), "task.ended: the task has ended; see `show`")


def require_cover(task: Task) -> None:
    """The grant is checked at each step (6.3a), and so is the vetting of what runs (8.5c)."""
    view_contract("grant", "ensure_valid", task.grant_id, returns=bool)
    view_contract("algorithm", "ensure_runnable", task.algorithm, returns=bool)


def require_reader(task: Task) -> None:
    reader = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    is_side = reader in (task.operator, task.consumer)
    require(
        reader != "" and (is_side or reader in parties_of(task) or is_manager()),
        "task.reader: only its operator, participants and consumer, and the manager, may read it",
    )


def check_participants(participants: list[tuple[str, str]]) -> None:
    require(PARTIES_MIN <= len(participants) <= PARTIES_MAX, "task.participants: name 2 to 16")
    names = [party for party, _dataset_id in participants]
    for position, party in enumerate(names):
        require(party not in names[:position], "task.participant_twice: name each party once")
        is_supplier = view_contract("parties", "party_has_role", party, "supplier", returns=bool)
        require(is_supplier, "task.supplier: each participant must be an active supplier")


def enlist(task: Task) -> None:
    number, most = task_count.get(0), OPEN_PER_OPERATOR_MAX
    task_by_number[number] = task.id
    task_count.set(number + 1)
    queues = [("grant:" + task.grant_id, OPEN_PER_GRANT_MAX)]
    for party, dataset_id in task.participants:
        queues.append(("party:" + party, OPEN_PER_PARTY_MAX))
        call_contract("catalog", "engage", dataset_id, party)
    call_contract("queue", "enter_owned", task.id, number, task.operator, most, queues)


def dispatch(task_id: str) -> None:
    """Starts a task that all have accepted, if its parties still stand; `accept` saw the grant."""
    task = tasks[task_id]
    names = parties_of(task)
    for party in names:
        is_supplier = view_contract("parties", "party_has_role", party, "supplier", returns=bool)
        require(is_supplier, "task.supplier: a participant was suspended; ask for a new task")
    tasks[task_id] = replace(task, status="running")
    emit("TaskReady", task_id=task_id, participants=names, grant_id=task.grant_id)


def conclude(task_id: str) -> None:
    """Ends a task that all have reported: agreeing program hashes finish it (8.2.5c)."""
    names = parties_of(tasks[task_id])
    first = reports[task_id, names[0]].program_hash
    if [party for party in names if reports[task_id, party].program_hash != first] != []:
        end(task_id, "disputed", "the participants ran different programs")
        emit("TaskDisputed", task_id=task_id, participants=names)
        return
    end(task_id, "finished", "")
    emit("TaskFinished", task_id=task_id, participants=names, program_hash=first)


def end(task_id: str, status: str, reason: str) -> None:
    settle(task_id, status, reason)
    task = tasks[task_id]
    if task.job_id != "":
        call_contract("job", "step_ended", task.job_id, task.step, task_id, status)


def cancel_all(task_ids: list[str], reason: str) -> None:
    """Without a word to their jobs, which ended first."""
    for task_id in task_ids:
        settle(task_id, "cancelled", reason)
        names = parties_of(tasks[task_id])
        emit("TaskCancelled", task_id=task_id, participants=names, party_id="")


def settle(task_id: str, status: str, reason: str) -> None:
    task = tasks[task_id]
    tasks[task_id] = replace(task, status=status, reason=reason, ended_ms=ctx.time_ms)
    for _party, dataset_id in task.participants:
        call_contract("catalog", "release", dataset_id, status == "finished")
    queues = ["grant:" + task.grant_id] + ["party:" + party for party in parties_of(task)]
    call_contract("queue", "leave_owned", task_id, task.operator, queues)
