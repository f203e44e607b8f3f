"""Features (特性开关): what contracts do only while the consortium wants it, by height.

`shuxin proposal switch-feature` switches them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.candidates import beginning
from cli.course import add_history
from cli.domain import PAGE_DEFAULT, PAGE_MAX, add_watch, record_fields, records_table
from cli.filters import listed
from cli.literals import parse_id
from cli.options import Invocation, verb
from cli.output import Answer
from cli.records import shown
from client.pages import rows_of

if TYPE_CHECKING:
    from client.pages import View
    from client.session import Session
    from ledger.values import Key, Value

app = typer.Typer()
CONTRACT = "feature"
COLUMNS: Final = ("name", "on", "coming", "from_height", "contract", "proposal_id")


def _names(incomplete: str) -> list[str]:
    """Those that the system contracts ask for, for shells."""
    from contracts.system.feature import KNOWN

    return beginning([name for name, _contract in KNOWN], incomplete)


FeatureName = Annotated[
    str,
    typer.Argument(
        parser=parse_id,
        metavar="NAME",
        help="As `shuxin feature list` shows it.",
        autocompletion=_names,
    ),
]


@verb(app, "list")
def list_features(
    ask: Invocation,
    offset: Annotated[int, typer.Option(min=0, help="Skip so many.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_MAX)] = PAGE_DEFAULT,
) -> Answer:
    """List the features: on or off now, and what is scheduled."""
    with ask.session() as session:
        found = listed(session.view, CONTRACT, "list", offset=offset, limit=limit)
        records = [record for record in found if isinstance(record, dict)]
        told: list[Value] = [_told(session, record) for record in records]
    return records_table(told, columns=COLUMNS, whole=ask.json)


add_watch(app, CONTRACT)
add_history(app, CONTRACT)


@verb(app, "show")
def show(ask: Invocation, name: FeatureName) -> Answer:
    """Show one feature: on or off now, what is scheduled, and which proposal decided it last."""
    with ask.session() as session:
        record = shown(session, CONTRACT, name)
        if isinstance(record, dict):
            record = _told(session, record)
    if isinstance(record, dict) and not ask.json:
        record = {field: record.get(field) for field in COLUMNS}
    return record_fields(record)


def names_of(view: View) -> frozenset[Value]:
    """The names of the features that there are. Raises Refused."""
    return frozenset(row.get("name") for row in rows_of(view, CONTRACT, "list"))


def is_on(session: Session, record: Mapping[Key, Value]) -> Value:
    """Whether it is on at this height: that of the block which proves the record, or the node's."""
    from client.light.connection import VerifyingConnection

    before, after, first = record.get("before"), record.get("after"), record.get("from_height")
    if before == after:
        return after
    node = session.node
    if isinstance(node, VerifyingConnection) and isinstance(first, int):
        proved, said = node.findings.proved, node.findings.said
        if proved and not said:
            return after if proved[-1].height >= first else before
    return session.view(CONTRACT, "is_on", record.get("name"))


def _told(session: Session, record: dict[Key, Value]) -> dict[Key, Value]:
    """The record with whether it is on now, and what is to come if that is other."""
    on, after = is_on(session, record), record.get("after")
    return record | {"on": on, "coming": None if on == after else after}
