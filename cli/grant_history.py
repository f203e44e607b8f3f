"""How the story of a grant is told (`shuxin grant history`): a table, or steps for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.domain import span_sentence
from cli.language import say
from cli.output import Answer, Fields, Json, Table, note, plain
from cli.readable import time_text
from cli.translated import translated
from client.pages import rows_of

if TYPE_CHECKING:
    from client.grant_story import Step, Story
    from client.session import Session

# What people read of each event; a refused call has none.
WORDS = {
    "grant.GrantRequested": "grant requested (申请授权)",
    "grant.GrantInReview": "request taken up (受理)",
    "grant.GrantDecided": "request decided (审批)",
    "grant.GrantWithdrawn": "request withdrawn (撤回)",
    "grant.Granted": "grant in force (授权生效)",
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
    "delivery.DeliveryPrepared": "due diligence (尽职调查)",
    "delivery.UseReported": "use reported (使用报告)",
    "delivery.DeliveryOffered": "delivery offered (交付)",
    "delivery.DeliveryAnswered": "delivery answered (验收)",
    "delivery.DeliveryWithdrawn": "offer withdrawn (撤回交付)",
}


def accounts_of(session: Session, party: str) -> list[str]:
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


def told(story: Story, *, as_json: bool) -> Answer:
    if as_json:
        return Fields(
            {
                "steps": [_step_fields(step) for step in story.steps],
                "tasks_left_out": story.left_out,
                "accounts_cut_short": list(story.busy),
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
    for address in story.busy:
        note(
            say(
                "{address} sent more than was looked at: see `shuxin history account {address}` "
                "for what else was refused",
                address=address,
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
    what = say("{act} refused", act=step.act) if step.refusal else WORDS.get(step.act, step.act)
    named = "consumer" if step.act == "delivery.DeliveryAnswered" else "party_id"
    if step.act in ("grant.GrantInReview", "grant.GrantDecided"):
        named = "manager"
    party = step.fields.get(named) or step.fields.get("operator")
    return [
        step.height,
        time_text(step.time_ms),
        what,
        step.subject,
        plain(party or ""),
        _refusal(step.refusal) if step.refusal else _said(step),
    ]


def _refusal(text: str) -> str:
    code, separator, sentence = text.partition(": ")
    return f"{code}: {translated(sentence)}" if separator else text


def _said(step: Step) -> str:
    """The one field that people want to read."""
    fields = step.fields
    if step.act == "grant.GrantUsed":
        return say(
            "use {number} by {task}",
            number=plain(fields.get("number")),
            task=plain(fields.get("task_id")),
        )
    if step.act == "grant.GrantDecided":
        decided = say("granted") if fields.get("approved") is True else say("refused")
        return f"{decided}: {plain(fields.get('note'))}".removesuffix(": ")
    if step.act == "grant.Granted":
        return say("until {time}", time=time_text(_number(fields.get("expires_ms"))))
    if step.act == "product.ProductAssessed":
        return say("approved") if fields.get("passed") is True else say("refused")
    if step.act == "delivery.DeliveryAnswered":
        return say("accepted") if fields.get("accepted") is True else say("rejected")
    reason = fields.get("reason", "")
    return reason if isinstance(reason, str) else ""


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
