"""Policies (表决策略): what proposals need, by their kind.

`shuxin proposal change-policy` changes them. Whose approvals upgrades and revocations of contracts
need says `shuxin contract policy`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.candidates import beginning
from cli.course import add_history
from cli.domain import PAGE_MAX, add_watch, record_fields, records_table
from cli.filters import listed
from cli.language import code_of, say
from cli.options import Invocation, verb
from cli.output import Answer, CommandRefused

if TYPE_CHECKING:
    from client.pages import View
    from ledger.values import Key, Value

app = typer.Typer()
CONTRACT = "policy"
COLUMNS: Final = ("kind", "managers", "share", "has_veto", "term_ms", "proposal_id")


def _kinds(incomplete: str) -> list[str]:
    """The kinds of proposals, for shells."""
    from contracts.system.policy import KINDS

    return beginning([kind for kind, _guarded in KINDS], incomplete)


def parse_kind(text: str) -> str:
    """A kind of proposals, in English or as it is shown in Chinese."""
    return code_of("kind", text)


Kind = Annotated[
    str,
    typer.Argument(
        parser=parse_kind,
        metavar="KIND",
        help="Of proposals, as `shuxin policy list` shows it.",
        autocompletion=_kinds,
    ),
]


@verb(app, "list")
def list_policies(ask: Invocation) -> Answer:
    """List what proposals of each kind need."""
    with ask.session() as session:
        found = listed(session.view, CONTRACT, "list", offset=0, limit=PAGE_MAX)
    if not ask.json:
        found = [_told(record) for record in found if isinstance(record, dict)]
    return records_table(found, columns=COLUMNS, whole=ask.json)


add_watch(app, CONTRACT)
add_history(app, CONTRACT)


@verb(app, "show")
def show(ask: Invocation, kind: Kind) -> Answer:
    """Show what proposals of one kind need."""
    with ask.session() as session:
        record = in_force(session.view, kind)
    return record_fields(record if ask.json else _told(record))


def in_force(view: View, kind: str) -> dict[Key, Value]:
    """The policy of a kind now. Raises Refused."""
    found = view(CONTRACT, "show", kind)
    if not isinstance(found, dict):
        raise CommandRefused("policy.answer", "the node told no policy; ask another node")
    return found


def _told(record: dict[Key, Value]) -> dict[Key, Value]:
    """Its share in words."""
    share = record.get("share")
    if not isinstance(share, int) or not share:
        told = say("a quorum")
    elif record.get("is_guarded"):
        told = say("{share} %, at least a quorum", share=share)
    else:
        told = f"{share} %"
    return record | {"share": told}
