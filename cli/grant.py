"""Grants (授权): who may use which data sets for what, how often, until when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.domain import DatasetIds, Deadline, Id, Reason, add_reads, call, span_sentence, time_text
from cli.language import say
from cli.literals import parse_id
from cli.options import Invocation, verb
from cli.output import Answer, CommandRefused, Fields, Json, Table, note, plain
from client.pages import rows_of

if TYPE_CHECKING:
    from client.grant_story import Step, Story
    from client.session import Session

app = typer.Typer()
CONTRACT = "grant"

# What people read of each event; a refused call has none.
WORDS = {
    "grant.Granted": "grant issued (授权)",
    "grant.GrantUsed": "grant used (使用)",
    "grant.GrantSuspended": "grant suspended (暂停)",
    "grant.GrantResumed": "suspension lifted (恢复)",
    "grant.Revoked": "grant revoked (撤销)",
    "task.TaskCreated": "task created (创建)",
    "task.TaskAccepted": "task accepted (接受)",
    "task.TaskReady": "task dispatched (派发)",
    "task.TaskReported": "result reported (上报)",
    "task.TaskFinished": "task finished (完成)",
    "task.TaskDisputed": "task disputed (争议)",
    "task.TaskFailed": "task failed (失败)",
    "task.TaskCancelled": "task cancelled (取消)",
    "task.TaskExpired": "task expired (超期)",
    "product.ProductRegistered": "product registered (登记)",
    "product.ProductAssessed": "product assessed (评估)",
    "delivery.DeliveryOffered": "delivery offered (交付)",
    "delivery.DeliveryAnswered": "delivery answered (验收)",
}

add_reads(
    app,
    CONTRACT,
    columns=("id", "demand_id", "operator", "datasets", "uses", "uses_max", "expires_ms", "status"),
)


@verb(app, "issue")
def issue(
    ask: Invocation,
    grant_id: Id,
    demand: Annotated[str, typer.Option(parser=parse_id, help="The approved demand.")],
    operator: Annotated[str, typer.Option(parser=parse_id, help="Party that may use it.")],
    scenario: Annotated[str, typer.Option(help="The use that is permitted.")],
    datasets: DatasetIds,
    algorithms: Annotated[
        list[str], typer.Option("--algorithm", help="Such as statistics/1; repeatable.")
    ],
    expires: Deadline,
    uses: Annotated[int, typer.Option(min=1, help="How often it may be used.")] = 1,
) -> Answer:
    """Authorize an operator for an approved demand (manager)."""
    return call(
        ask,
        CONTRACT,
        "issue",
        grant_id,
        demand,
        operator,
        scenario,
        list(datasets),
        list(algorithms),
        expires,
        uses,
    )


@verb(app, "revoke")
def revoke(ask: Invocation, grant_id: Id, reason: Reason) -> Answer:
    """End a grant now; its open tasks are cancelled (manager)."""
    return call(ask, CONTRACT, "revoke", grant_id, reason)


@verb(app, "check")
def check(ask: Invocation, grant_id: Id) -> Answer:
    """Say whether a grant may be used now; exit code 1 when it may not."""
    with ask.session() as session:
        is_valid = plain(session.view(CONTRACT, "is_valid", grant_id))
    return Fields({"id": grant_id, "valid": is_valid}, exit_code=0 if is_valid is True else 1)


@verb(app, "history")
def history(ask: Invocation, grant_id: Id) -> Answer:
    """Tell what came of a grant, in order, also what was refused (auditor, manager)."""
    from client.grant_story import grant_story

    with ask.session() as session:
        story = grant_story(session.node, grant_id, lambda party: _accounts(session, party))
    if not story.steps:
        raise CommandRefused(
            "grant.unknown",
            f"nothing is told of a grant {grant_id} from block {story.first} on: look for it with "
            "`shuxin grant list`, or ask a node that keeps a longer history",
        )
    return _told(story, as_json=ask.json)


def _accounts(session: Session, party: str) -> list[str]:
    """The addresses with which a party acts, or once did."""
    addresses: dict[str, None] = {}
    for change in rows_of(session.view, "parties", "account_history", party):
        for name in ("address", "replacement"):
            value = change.get(name)
            if isinstance(value, str) and value:
                addresses[value] = None
    record = session.view("parties", "show", party)
    present = record.get("accounts") if isinstance(record, dict) else None
    for address in present if isinstance(present, list) else ():
        if isinstance(address, str):
            addresses[address] = None
    return list(addresses)


def _told(story: Story, *, as_json: bool) -> Answer:
    if as_json:
        return Fields(
            {
                "steps": [_step_fields(step) for step in story.steps],
                "tasks_left_out": story.left_out,
                "first_height": story.first,
                "height": story.height,
            }
        )
    note(span_sentence(story.first, story.height))
    if story.left_out:
        note(
            say(
                "{count} older tasks were not followed: see `shuxin task show`",
                count=story.left_out,
            )
        )
    columns = ("height", "time", "what", "id", "party", "said")
    return Table(columns, [_row(step) for step in story.steps])


def _step_fields(step: Step) -> dict[str, Json]:
    return {
        "height": step.height,
        "index": step.index,
        "time_ms": step.time_ms,
        "act": step.act,
        "id": step.subject,
        "refusal": step.refusal,
        "fields": {name: plain(value) for name, value in step.fields.items()},
        "transaction": step.transaction_id.hex(),
    }


def _row(step: Step) -> list[Json]:
    what = f"{step.act} refused (拒绝)" if step.refusal else WORDS.get(step.act, step.act)
    named = "consumer" if step.act == "delivery.DeliveryAnswered" else "party_id"
    party = step.fields.get(named) or step.fields.get("operator")
    return [
        step.height,
        time_text(step.time_ms),
        what,
        step.subject,
        plain(party or ""),
        step.refusal or _said(step),
    ]


def _said(step: Step) -> str:
    """The one field that people want to read."""
    fields = step.fields
    if step.act == "grant.GrantUsed":
        return f"use {plain(fields.get('number'))} by {plain(fields.get('task_id'))}"
    if step.act == "product.ProductAssessed":
        return "approved" if fields.get("passed") is True else "refused"
    if step.act == "delivery.DeliveryAnswered":
        return "accepted" if fields.get("accepted") is True else "rejected"
    reason = fields.get("reason", "")
    return reason if isinstance(reason, str) else ""
