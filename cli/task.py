"""Tasks (任务): joint computations on granted data, from order to result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.domain import (
    PAGE_DEFAULT,
    PAGE_MAX,
    Deadline,
    Id,
    Reason,
    add_list,
    call,
    record_fields,
    records_table,
)
from cli.filters import listed
from cli.language import say
from cli.literals import Participant, parse_id, parse_participant, parse_public_key
from cli.options import Forms, Invocation, verb
from cli.output import Answer, Json, Table, json_text, note, waiting

app = typer.Typer()
CONTRACT = "task"
forms = Forms(app, "task")
COLUMNS = ("id", "operator", "algorithm", "participants", "status", "deadline_ms", "reason")

add_list(app, CONTRACT, columns=COLUMNS)


@verb(app, "show")
def show(ask: Invocation, task_id: Id) -> Answer:
    """Show a task: its order, who accepted and who reported."""
    with ask.session() as session:
        file = session.view(CONTRACT, "show", task_id)
    if ask.json or not isinstance(file, dict) or not isinstance(file.get("task"), dict):
        return record_fields(file)
    # For people the task itself first, and of the program only its hash.
    task = file["task"]
    assert isinstance(task, dict)
    return record_fields(
        {**task, "acceptances": file.get("acceptances"), "reports": file.get("reports")}
    )


@forms.verb("create")
def create(
    ask: Invocation,
    task_id: Id,
    grant: Annotated[str, typer.Option(parser=parse_id, help="The grant to use.")],
    program: Annotated[
        Path,
        typer.Option(exists=True, dir_okay=False, help="Program file (TOML); docs/operations.md."),
    ],
    participants: Annotated[
        list[Participant],
        typer.Option(
            "--participant", parser=parse_participant, metavar="PARTY=DATASET", help="Repeatable."
        ),
    ],
    deadline: Deadline,
    receiver: Annotated[
        bytes | None,
        typer.Option(
            parser=parse_public_key, help="Public key that results are sealed to; default: yours."
        ),
    ] = None,
) -> Answer:
    """Order a computation within a grant (operator)."""
    from cli.programs import load_program

    algorithm, encoded = load_program(program)
    receiver_key = receiver if receiver is not None else ask.account().public_key
    return call(
        ask,
        CONTRACT,
        "create",
        task_id,
        grant,
        algorithm,
        encoded,
        [tuple(participant) for participant in participants],
        receiver_key,
        deadline,
        "",
        "",
    )


@verb(app, "open")
def open_tasks(
    ask: Invocation,
    party: Annotated[str, typer.Argument(parser=parse_id, metavar="PARTY")],
    offset: Annotated[int, typer.Option(min=0, help="Skip so many.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_MAX)] = PAGE_DEFAULT,
) -> Answer:
    """List the open tasks of a participant, oldest first."""
    with ask.session() as session:
        records = listed(session.view, CONTRACT, "open_for", party, offset=offset, limit=limit)
    return records_table(records, columns=COLUMNS, whole=ask.json)


@verb(app, "result")
def result(
    ask: Invocation,
    task_id: Id,
    receiver: Annotated[
        str,
        typer.Option(
            metavar="KEY", help="Key that results are sealed to, as a path or NAME; default: yours."
        ),
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option(
            help="Also write what --json prints to this new file, for nobody else to read."
        ),
    ] = None,
) -> Answer:
    """Fetch the sealed shares of a finished task, open them and print the statistics (operator)."""
    from cli.results import open_results
    from crypto.keys import load_key
    from node.keys import write_private

    path = ask.key_path_of(receiver) if receiver else ask.key_path
    private = load_key(path, ask.passphrase(path))
    with ask.session() as session, waiting(say("fetching the shares"), as_json=ask.json):
        results = open_results(session, task_id, private=private)
    rows: list[tuple[Json, ...]] = [
        (found.group, found.column, found.statistic, found.value or None) for found in results
    ]
    if any(found.is_suppressed for found in results) and not ask.json:
        note(say("- stands for a group with too few rows: it was suppressed in the computation"))
    table = Table(("group", "column", "statistic", "value"), rows, title=task_id)
    if output is not None:
        write_private(output, json_text(table).encode())
    return table


@verb(app, "fail")
def fail(ask: Invocation, task_id: Id, reason: Reason) -> Answer:
    """Say that a computation broke down (participant or operator)."""
    return call(ask, CONTRACT, "fail", task_id, reason)


@verb(app, "cancel")
def cancel(ask: Invocation, task_id: Id) -> Answer:
    """Call a task off (its operator or the manager)."""
    return call(ask, CONTRACT, "cancel", task_id)


@verb(app, "expire")
def expire(ask: Invocation, task_id: Id) -> Answer:
    """Close an open task whose deadline has passed (anyone)."""
    return call(ask, CONTRACT, "expire", task_id)
