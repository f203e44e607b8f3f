"""Parameters (参数): what a block may hold and how the chain beats, by height.

`shuxin proposal change-parameters` changes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.candidates import beginning
from cli.domain import PAGE_DEFAULT, PAGE_MAX, add_watch, records_table
from cli.filters import listed
from cli.language import say
from cli.options import Invocation, verb
from cli.output import Answer, CommandRefused, Json, Table, plain

if TYPE_CHECKING:
    from ledger.values import Key, Value

app = typer.Typer()
CONTRACT = "parameter"
COLUMNS: Final = ("name", "value", "unit", "least", "most", "coming", "from_height")
TERM_COLUMNS: Final = ("from_height", "status", "values")


def settings(incomplete: str) -> list[str]:
    """The names of parameters, for shells."""
    from contracts.system.parameter import PARAMETERS

    return beginning([name for name, _least, _most in PARAMETERS], incomplete)


@verb(app, "list")
def list_parameters(ask: Invocation) -> Answer:
    """List the parameters now, between what they may be set, and what they will be."""
    with ask.session() as session:
        found = listed(session.view, CONTRACT, "list", offset=0, limit=PAGE_MAX)
    if not ask.json:
        found = [_told(record) for record in found if isinstance(record, dict)]
    return records_table(found, columns=COLUMNS, whole=ask.json)


add_watch(app, CONTRACT)


@verb(app, "terms")
def terms(ask: Invocation) -> Answer:
    """List the figures in force, and what changes by those decided on, each from its height on."""
    with ask.session() as session:
        found = plain(session.view(CONTRACT, "terms"))
    rows: list[Sequence[Json]] = []
    before: list[Json] = []
    for term in found if isinstance(found, list) else [found]:
        values = term.get("values") if isinstance(term, dict) else None
        if not isinstance(term, dict) or not isinstance(values, list):
            raise CommandRefused("parameter.answer", "the node told no terms; ask another node")
        changed = [pair for pair in values if pair not in before]
        status = "scheduled" if rows else "in_force"
        rows.append([term.get("from_height"), status, values if ask.json else changed])
        before = values
    return Table(TERM_COLUMNS, rows, below="values")


@verb(app, "history")
def history(
    ask: Invocation,
    offset: Annotated[int, typer.Option(min=0, help="Skip so many.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_MAX)] = PAGE_DEFAULT,
) -> Answer:
    """List the changes that were decided, with what became of each."""
    with ask.session() as session:
        found = listed(session.view, CONTRACT, "history", offset=offset, limit=limit)
    columns = ("number", "proposal_id", "values", "decided_height", "from_height", "status")
    return records_table(found, columns=columns, whole=ask.json)


def _told(record: Mapping[Key, Value]) -> dict[Key, Value]:
    """With its unit, and what comes only where that is another value."""
    told = dict(record) | {"unit": _unit(record.get("name"))}
    if record.get("coming") == record.get("value"):
        told |= {"coming": None, "from_height": None}
    return told


def _unit(name: Value) -> str:
    """What a parameter counts."""
    match name:
        case "transaction_size_max":
            return say("bytes of a transaction")
        case "block_transactions_max":
            return say("transactions of a block")
        case "block_size_max":
            return say("bytes of a block")
        case "block_gas_max":
            return say("gas of a block")
        case "transaction_gas_max":
            return say("gas of a transaction")
        case "time_skew_ms_max":
            return say("ms between clocks")
        case "heartbeat_ms":
            return say("ms between blocks at rest")
    return ""
