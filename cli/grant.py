"""Grants (授权): who may use which data sets for what, how often, until when.

An operator requests (`request`), a manager takes up and decides (`review`, `approve`, `refuse`),
the operator countersigns (`accept`). Both sign the SM3 of the canonical terms (`terms`), made here
from what the node answers. What a manager approved beforehand is a channel (`preapprove`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.domain import (
    PAGE_DEFAULT,
    PAGE_MAX,
    DatasetIds,
    Deadline,
    Id,
    Note,
    Reason,
    add_reads,
    call,
    receipt_fields,
    record_fields,
    records_table,
)
from cli.filters import listed
from cli.literals import parse_digest, parse_id, parse_moment
from cli.options import Forms, Invocation, verb
from cli.output import Answer, CommandRefused, Fields, Text, plain, waiting
from cli.records import shown

if TYPE_CHECKING:
    from client.session import Session
    from ledger.values import Key, Value

app = typer.Typer()
CONTRACT = "grant"
forms = Forms(app, "grant")
CHANNELS = "preapproval"
DAY_MS = 24 * 3600 * 1000

Scenario = Annotated[str, typer.Option(help="The use that is permitted (应用场景).")]
Algorithms = Annotated[
    list[str], typer.Option("--algorithm", help="Such as statistics/1; repeatable.")
]
Outputs = Annotated[
    list[str],
    typer.Option("--output-kind", parser=parse_id, help="What may come out, such as statistics."),
]
Permissions = Annotated[
    list[str], typer.Option("--permit", help="Action of ODRL 2.2 that is permitted; repeatable.")
]
Prohibitions = Annotated[
    list[str] | None,
    typer.Option("--prohibit", help="Action of ODRL 2.2 that is prohibited; repeatable."),
]
Duties = Annotated[
    list[str] | None,
    typer.Option("--duty", help="What has to be done in return, of ODRL 2.2; repeatable."),
]
Assurance = Annotated[
    str,
    typer.Option(
        help="Least assurance of where it is computed: none, sim_process, sim_vtpm, "
        "hw_vtpm_bound, hw_tee."
    ),
]
Terms = Annotated[
    bytes | None,
    typer.Option(
        "--digest",
        parser=parse_digest,
        help="SM3 of the terms that you read (`grant terms`); refused here if others are up.",
    ),
]

add_reads(
    app,
    CONTRACT,
    columns=("id", "demand_id", "operator", "datasets", "uses", "uses_max", "expires_ms", "status"),
)


# --- an operator requests, a manager decides, the operator countersigns ------------------------


@forms.verb("request")
def request(
    ask: Invocation,
    grant_id: Id,
    demand: Annotated[str, typer.Option(parser=parse_id, help="The approved demand.")],
    scenario: Scenario,
    datasets: DatasetIds,
    algorithms: Algorithms,
    outputs: Outputs,
    expires: Deadline,
    permissions: Permissions = ["derive"],  # noqa: B006  # typer reads it, nobody changes it
    prohibitions: Prohibitions = None,
    duties: Duties = None,
    begin: Annotated[
        int | None,
        typer.Option("--from", parser=parse_moment, help="Not before; by default at once."),
    ] = None,
    uses: Annotated[int, typer.Option(min=1, help="How often it may be used.")] = 1,
    assurance: Assurance = "none",
    channel: Annotated[
        str,
        typer.Option(help="Channel of a scenario approved before: in force at once (快速审批)."),
    ] = "",
) -> Answer:
    """Request the data of an approved demand (operator that forwarded it)."""
    return call(
        ask,
        CONTRACT,
        "request",
        grant_id,
        demand,
        scenario,
        list(datasets),
        list(algorithms),
        list(outputs),
        list(permissions),
        list(prohibitions or ()),
        list(duties or ()),
        begin or 0,
        expires,
        uses,
        assurance,
        parse_id(channel) if channel else "",
    )


@verb(app, "review")
def review(ask: Invocation, grant_id: Id) -> Answer:
    """Take a request up, before it is decided on (manager)."""
    return call(ask, CONTRACT, "review", grant_id)


@verb(app, "terms")
def terms(
    ask: Invocation,
    grant_id: Id,
    output: Annotated[
        Path | None, typer.Option(help="Write the text here, as it is signed.")
    ] = None,
) -> Answer:
    """Show the canonical terms that manager and operator sign, and their SM3."""
    from client.grant_terms import terms_text
    from crypto import sm3

    with ask.session() as session:
        text = terms_text(_grant(session, grant_id), session.node.chain_id)
    if output is not None:
        output.write_bytes(text.encode())
    return Fields({"id": grant_id, "digest": sm3.digest(text.encode()).hex(), "terms": text})


@verb(app, "approve")
def approve(ask: Invocation, grant_id: Id, digest: Terms = None, note: Note = "") -> Answer:
    """Grant a request on its terms (manager)."""
    return _signed(ask, "decide", grant_id, digest, True, note)


@verb(app, "refuse")
def refuse(
    ask: Invocation,
    grant_id: Id,
    note: Annotated[str, typer.Option(help="Why; kept on the chain.")],
    digest: Terms = None,
) -> Answer:
    """Refuse a request (manager)."""
    return _signed(ask, "decide", grant_id, digest, False, note)


@verb(app, "accept")
def accept(ask: Invocation, grant_id: Id, digest: Terms = None) -> Answer:
    """Countersign what was granted: it is in force (its operator)."""
    return _signed(ask, "accept", grant_id, digest)


@verb(app, "withdraw")
def withdraw(ask: Invocation, grant_id: Id, reason: Reason) -> Answer:
    """Take a request back before it is decided on (its operator)."""
    return call(ask, CONTRACT, "withdraw", grant_id, reason)


@verb(app, "revoke")
def revoke(ask: Invocation, grant_id: Id, reason: Reason) -> Answer:
    """End a grant now; its open tasks are cancelled (manager)."""
    return call(ask, CONTRACT, "revoke", grant_id, reason)


# --- what a manager approves beforehand ---------------------------------------------------------


@forms.verb("preapprove")
def preapprove(
    ask: Invocation,
    channel_id: Id,
    operator: Annotated[str, typer.Option(parser=parse_id, help="Who may draw grants from it.")],
    scenario: Scenario,
    datasets: DatasetIds,
    algorithms: Algorithms,
    outputs: Outputs,
    until: Deadline,
    term: Annotated[int, typer.Option(min=1, max=1830, help="Days that one grant may last.")],
    uses: Annotated[int, typer.Option(min=1, help="Uses of all its grants together.")],
    permissions: Permissions = ["derive"],  # noqa: B006  # typer reads it, nobody changes it
    prohibitions: Prohibitions = None,
    duties: Duties = None,
    assurance: Assurance = "none",
) -> Answer:
    """Open a channel (快速审批通道): requests within it are in force at once (manager)."""
    return call(
        ask,
        CHANNELS,
        "preapprove",
        channel_id,
        operator,
        scenario,
        list(datasets),
        list(algorithms),
        list(outputs),
        list(permissions),
        list(prohibitions or ()),
        list(duties or ()),
        uses,
        assurance,
        term * DAY_MS,
        until,
    )


@verb(app, "close-channel")
def close_channel(ask: Invocation, channel_id: Id, reason: Reason) -> Answer:
    """Let no further grant be drawn from a channel; those in force go on (manager)."""
    return call(ask, CHANNELS, "close_channel", channel_id, reason)


@verb(app, "channel")
def channel(ask: Invocation, channel_id: Id) -> Answer:
    """Show one channel, whole."""
    with ask.session() as session:
        return record_fields(shown(session, CHANNELS, channel_id))


@verb(app, "channels")
def channels(
    ask: Invocation,
    offset: Annotated[int, typer.Option(min=0, help="Skip so many.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_MAX)] = PAGE_DEFAULT,
) -> Answer:
    """List channels, in order of opening."""
    columns = ("id", "operator", "scenario", "uses_given", "uses_max", "until_ms", "status")
    with ask.session() as session:
        found = listed(session.view, CHANNELS, "list", offset=offset, limit=limit)
    return records_table(found, columns=columns, whole=ask.json)


# --- asking -------------------------------------------------------------------------------------


@verb(app, "check")
def check(ask: Invocation, grant_id: Id) -> Answer:
    """Say whether a grant may be used now, and how it stands; exit code 1 when it may not."""
    with ask.session() as session:
        is_valid = plain(session.view(CONTRACT, "is_valid", grant_id))
        standing = plain(session.view(CONTRACT, "standing", grant_id))
    fields = {"id": grant_id, "valid": is_valid, "status": standing}
    return Fields(fields, exit_code=0 if is_valid is True else 1)


@verb(app, "odrl")
def odrl(
    ask: Invocation,
    grant_id: Id,
    output: Annotated[Path | None, typer.Option(help="Write it to this file.")] = None,
) -> Answer:
    """Show a grant as a policy of ODRL 2.2 (JSON-LD)."""
    from client.odrl import policy_of

    with ask.session() as session:
        policy = policy_of(_grant(session, grant_id), session.node.chain_id)
    text = json.dumps(policy, ensure_ascii=False, indent=1)
    if output is not None:
        output.write_text(text + "\n", encoding="utf-8")
        return Fields({"id": grant_id, "written": str(output)})
    return Fields(json.loads(text)) if ask.json else Text(text)


@verb(app, "history")
def history(ask: Invocation, grant_id: Id) -> Answer:
    """Tell what came of a grant, in order, also what was refused (auditor, manager)."""
    from cli.grant_history import accounts_of, told
    from client.grant_story import grant_story

    with ask.session() as session:
        story = grant_story(session.node, grant_id, lambda party: accounts_of(session, party))
    if not story.steps:
        raise CommandRefused(
            "grant.unknown",
            f"nothing is told of a grant {grant_id} from block {story.first} on: look for it with "
            "`shuxin grant list`, or ask a node that keeps a longer history",
        )
    return told(story, as_json=ask.json)


def _grant(session: Session, grant_id: str) -> dict[Key, Value]:
    grant = shown(session, CONTRACT, grant_id)
    if not isinstance(grant, dict):
        raise CommandRefused("record.contradiction", "the node answers with no grant; ask another")
    return grant


def _signed(
    ask: Invocation, method: str, grant_id: str, digest: bytes | None, *args: Value
) -> Answer:
    """Calls with the SM3 of the terms as this program makes it of the record that was shown."""
    from client.grant_terms import terms_digest

    with (
        ask.session() as session,
        waiting(f"{CONTRACT}.{method}: waiting for a quorum", as_json=ask.json),
    ):
        up = terms_digest(_grant(session, grant_id), session.node.chain_id)
        if digest not in (None, up):
            raise CommandRefused(
                "grant.digest",
                f"other terms are up, of SM3 {up.hex()}: read them with "
                f"`shuxin grant terms {grant_id}`",
            )
        outcome = session.call(CONTRACT, method, grant_id, *args, up)
    return Fields(receipt_fields(outcome, as_json=ask.json))
