"""Jobs (作业): several computations in an order, confirmed by all, scheduled by priority."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.domain import (
    PAGE_DEFAULT,
    PAGE_MAX,
    Deadline,
    DigestOption,
    Id,
    Note,
    Reason,
    add_list,
    call,
    record_fields,
    records_table,
)
from cli.filters import listed
from cli.jobplans import JobView, read_job
from cli.literals import parse_digest, parse_id
from cli.options import Invocation, verb
from cli.output import Answer, CommandRefused, Text

if TYPE_CHECKING:
    from client.session import Session
    from ledger.values import Value

app = typer.Typer()
CONTRACT = "job"
COLUMNS = ("id", "title", "operator", "priority", "status", "finished", "step_count", "deadline_ms")

add_list(app, CONTRACT, columns=COLUMNS)

StepName = Annotated[str, typer.Argument(parser=parse_id, metavar="STEP")]


@verb(app, "template")
def template(ask: Invocation) -> Answer:
    """Print a commented job file to begin with."""
    from cli.jobfiles import TEMPLATE

    return Text(TEMPLATE)


@verb(app, "create")
def create(
    ask: Invocation,
    job_id: Id,
    file: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="Job file; see `job template`.")
    ],
) -> Answer:
    """Plan a job within a grant; its value is the digest to confirm (operator)."""
    from cli.jobfiles import load_job

    plan = load_job(file, own_key=ask.account().public_key)
    return call(
        ask,
        CONTRACT,
        "create",
        job_id,
        plan.title,
        plan.grant,
        plan.priority,
        plan.deadline_ms,
        plan.steps,
    )


@verb(app, "show")
def show(ask: Invocation, job_id: Id) -> Answer:
    """Show a job: its plan, checked against its digest, and how far each step is."""
    with ask.session() as session:
        found = _read(session, job_id)
    return record_fields(found.shown)


@verb(app, "bfia")
def bfia(ask: Invocation, job_id: Id) -> Answer:
    """Print a job in the fields of the BFIA interconnection interface, as JSON."""
    from cli.bfia import bfia_of

    with ask.session() as session:

        def provider_of(algorithm: str) -> str:
            found = session.view("algorithm", "show", algorithm)
            provider = found.get("provider") if isinstance(found, dict) else None
            return provider if isinstance(provider, str) else ""

        return Text(bfia_of(_read(session, job_id), provider_of))


@verb(app, "confirm")
def confirm(
    ask: Invocation,
    job_id: Id,
    digest: Annotated[
        bytes, typer.Option(parser=parse_digest, help="Of the plan that you read; see `show`.")
    ],
) -> Answer:
    """Agree to a plan; the last of its parties puts it into the queue (participant, consumer)."""
    return call(ask, CONTRACT, "confirm", job_id, digest)


@verb(app, "queue")
def queue(
    ask: Invocation,
    operator: Annotated[str, typer.Argument(parser=parse_id, metavar="OPERATOR")],
    offset: Annotated[int, typer.Option(min=0, help="Skip so many.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_MAX)] = PAGE_DEFAULT,
) -> Answer:
    """List what waits to be dispatched, the next one first (the operator, manager)."""
    with ask.session() as session:
        records = listed(session.view, CONTRACT, "queue", operator, offset=offset, limit=limit)
    return records_table(records, columns=COLUMNS, whole=ask.json)


@verb(app, "dispatch")
def dispatch(ask: Invocation, job_id: Id) -> Answer:
    """Start the first job of your queue (operator)."""
    return call(ask, CONTRACT, "dispatch", job_id)


@verb(app, "start")
def start(
    ask: Invocation,
    job_id: Id,
    step: StepName,
    task: Annotated[str, typer.Option(parser=parse_id, help="Id of the task to create.")],
    program: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="The step's program file (TOML).")
    ],
    deadline: Deadline,
) -> Answer:
    """Create the task of a step, to the letter of the plan (operator)."""
    from cli.programs import load_program
    from crypto import sm3

    algorithm, encoded = load_program(program)
    with ask.session() as session:
        found = _read(session, job_id)
    planned = next((one for one in found.steps if one.name == step), None)
    if planned is None:
        raise CommandRefused("step.unknown", f"{job_id} has no step {step}; see `job show`")
    if (algorithm, sm3.digest(encoded)) != (planned.component, planned.program_hash):
        raise CommandRefused(
            "step.plan", f"{program} is not the program that the parties confirmed for {step}"
        )
    pairs: list[Value] = [list(pair) for pair in planned.participants]
    return call(
        ask,
        "task",
        "create",
        task,
        found.job.grant_id,
        algorithm,
        encoded,
        pairs,
        planned.receiver_key,
        deadline,
        job_id,
        step,
    )


@verb(app, "finish")
def finish(ask: Invocation, job_id: Id, digest: DigestOption) -> Answer:
    """Name the opened result, when all steps have finished (operator)."""
    return call(ask, CONTRACT, "finish", job_id, digest)


@verb(app, "verify")
def verify(ask: Invocation, job_id: Id, digest: DigestOption, note: Note = "") -> Answer:
    """Confirm the result, naming what you received (consumer)."""
    return call(ask, CONTRACT, "verify", job_id, digest, True, note)


@verb(app, "dispute")
def dispute(ask: Invocation, job_id: Id, digest: DigestOption, note: Note) -> Answer:
    """Dispute the result, naming what you received and what is wrong with it (consumer)."""
    return call(ask, CONTRACT, "verify", job_id, digest, False, note)


@verb(app, "close")
def close(ask: Invocation, job_id: Id, note: Note = "") -> Answer:
    """Close a verified job (operator), or one that is disputed or unanswered (manager)."""
    return call(ask, CONTRACT, "close", job_id, note)


@verb(app, "abandon")
def abandon(ask: Invocation, job_id: Id, reason: Reason) -> Answer:
    """Say that a job under way comes to no result (operator, or a party of it)."""
    return call(ask, CONTRACT, "abandon", job_id, reason)


@verb(app, "cancel")
def cancel(ask: Invocation, job_id: Id, reason: Reason) -> Answer:
    """Call a job off (operator, manager; a party that does not agree, before it is queued)."""
    return call(ask, CONTRACT, "cancel", job_id, reason)


@verb(app, "expire")
def expire(ask: Invocation, job_id: Id) -> Answer:
    """Close a job whose deadline has passed (anyone)."""
    return call(ask, CONTRACT, "expire", job_id)


def _read(session: Session, job_id: str) -> JobView:
    return read_job(session.view(CONTRACT, "show", job_id))
