"""What the nouns that are system contracts share: calls, `list` and `show`, kinds of arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from cli.course import add_history
from cli.filters import Filter, PartyFilter, StatusFilter, listed
from cli.language import say
from cli.literals import QualityFigure, parse_digest, parse_figure, parse_id, parse_moment
from cli.options import Invocation, verb
from cli.output import Answer, CommandRefused, Fields, Json, Table, plain, waiting
from cli.records import shown

if TYPE_CHECKING:
    from client.node import Outcome
    from ledger.model import Event
    from ledger.values import Key, Value

    Told: TypeAlias = Callable[[Mapping[Key, Value]], dict[Key, Value]]

PAGE_DEFAULT = 50
PAGE_MAX = 100  # what the system contracts give in one answer

# A grant tells of tasks, products and deliveries, an asset of its versions; a tariff has no id.
TOLD_ELSEWHERE = frozenset({"asset", "grant", "tariff", "identity", "certificate"})

Id = Annotated[str, typer.Argument(parser=parse_id, metavar="ID")]
Note = Annotated[str, typer.Option(help="A sentence that is kept with the decision.")]
Reason = Annotated[str, typer.Option(help="Why; kept on the chain.")]
Title = Annotated[str, typer.Option(help="Title for people.")]
Description = Annotated[str, typer.Option(help="What it is, for people.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="Word to find it by; repeatable.")]
Category = Annotated[str, typer.Option(help="Class of the data (分类), such as health insurance.")]
Grade = Annotated[int, typer.Option(min=1, max=4, help="1 public to 4 highly sensitive (分级).")]
UpdateDays = Annotated[
    int, typer.Option(min=0, max=3650, help="Newer rows come every so many days; 0: never.")
]
_FIGURE = typer.Option(
    "--quality",
    parser=parse_figure,
    metavar="MEASURE=PERCENT",
    help="How good the rows are, such as completeness=99.5; repeatable.",
)
Figures = Annotated[list[QualityFigure], _FIGURE]
OptionalFigures = Annotated[list[QualityFigure] | None, _FIGURE]
ForDemand = Annotated[
    str, typer.Option("--demand", help="The demand that asks you to collect it, if one does.")
]
_DATASET = typer.Option("--dataset", parser=parse_id, help="Data set; repeat for several.")
DatasetIds = Annotated[list[str], _DATASET]
OptionalDatasetIds = Annotated[list[str] | None, _DATASET]
DigestOption = Annotated[
    bytes,
    typer.Option("--digest", parser=parse_digest, help="SM3 as 64 hex digits, or file:PATH."),
]
Deadline = Annotated[
    int,
    typer.Option(parser=parse_moment, help="+30d, +12h, +10m, or an ISO time with its zone."),
]
Decision = Annotated[
    bool, typer.Option("--pass/--refuse", help="The decision.", show_default=False)
]
GasLimit = Annotated[
    int | None,
    typer.Option(min=1, help="Most gas it may use; by default what such calls need."),
]
VmVersion = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="Contract engine, by the name that chains use; by default the latest."
    ),
]
SourceFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE")]


def call(
    ask: Invocation, contract: str, method: str, *args: Value, gas_limit: int | None = None
) -> Answer:
    """Call the contract, wait for the certified receipt, and say where it is."""
    _demand_sendable(args)
    with (
        ask.session() as session,
        quorum(contract, method, as_json=ask.json),
    ):
        outcome = session.call(contract, method, *args, gas_limit=gas_limit)
    return Fields(receipt_fields(outcome, as_json=ask.json))


def _demand_sendable(args: Sequence[Value]) -> None:
    """Raises CommandRefused for what no transaction can carry, however it was typed."""
    from ledger.values import encode_value

    try:
        encode_value(list(args))
    except UnicodeEncodeError:
        raise CommandRefused("call.text", "a text is not UTF-8; type it anew") from None
    except ValueError:
        raise CommandRefused("call.number", "a number has more than 256 bits; check it") from None


def quorum(contract: str, method: str, *, as_json: bool) -> AbstractContextManager[None]:
    """Shows that a call was sent, until a quorum has certified what it did."""
    named = f"{contract}.{method}"
    return waiting(say("{method}: waiting for a quorum", method=named), as_json=as_json)


def lists(tuples: Sequence[tuple[str | int, ...]]) -> list[Value]:
    """Tuples as a contract takes them."""
    return [list(item) for item in tuples]


def receipt_fields(outcome: Outcome, *, as_json: bool) -> dict[str, Json]:
    """What became of a transaction; for people an event is one line."""
    from ledger.values import decode_value

    receipt = outcome.receipt
    fields: dict[str, Json] = {
        "transaction": receipt.transaction_id.hex(),
        "height": outcome.height,
        "index": outcome.index,
        "status": "ok" if receipt.status == 0 else receipt.error,
        "gas_used": receipt.gas_used,
        "value": plain(decode_value(receipt.return_value)) if receipt.return_value else None,
        "events": [event_fields(event, as_json=as_json) for event in receipt.events],
    }
    if receipt.status != 0:
        fields["detail"] = receipt.detail
    return fields


def event_fields(event: Event, *, as_json: bool) -> dict[str, Json]:
    from ledger.values import decode_value

    fields: Json = {name: plain(decode_value(value)) for name, value in event.fields}
    if as_json:
        return {"contract": event.contract, "name": event.name, "fields": fields}
    return {f"{event.contract}.{event.name}": fields}


def add_reads(
    app: typer.Typer, contract: str, *, columns: Sequence[str], told: Told | None = None
) -> None:
    """Adds `list` (records, these columns), `watch [ID]` and `show ID` (one record, whole).

    `told` makes what people are shown of a record; programs always get the record itself.
    """
    add_list(app, contract, columns=columns, told=told)

    @verb(app, "show")
    def show_record(ask: Invocation, identifier: Id) -> Answer:
        """Show one record, whole."""
        with ask.session() as session:
            record = shown(session, contract, identifier)
        if told is not None and isinstance(record, dict) and not ask.json:
            record = told(record)
        return record_fields(record)


def add_list(
    app: typer.Typer, contract: str, *, columns: Sequence[str], told: Told | None = None
) -> None:
    """Adds `list` and `watch`."""

    @verb(app, "list")
    def list_records(
        ask: Invocation,
        status: StatusFilter = None,
        party: PartyFilter = None,
        offset: Annotated[int, typer.Option(min=0, help="Skip so many records.")] = 0,
        limit: Annotated[int, typer.Option(min=1, max=PAGE_MAX)] = PAGE_DEFAULT,
    ) -> Answer:
        """List what is recorded, in order of entry."""
        with ask.session() as session:
            records = listed(
                session.view,
                contract,
                "list",
                offset=offset,
                limit=limit,
                wanted=Filter(status, party),
            )
        if told is not None and not ask.json:
            records = [told(record) for record in records if isinstance(record, dict)]
        return records_table(records, columns=columns, whole=ask.json)

    add_watch(app, contract)
    if contract not in TOLD_ELSEWHERE:
        add_history(app, contract)


def add_watch(app: typer.Typer, contract: str) -> None:
    """Adds `watch`."""

    @verb(app, "watch")
    def watch(
        ask: Invocation,
        identifier: Annotated[str, typer.Argument(metavar="[ID]", help="Only what names it.")] = "",
        from_height: Annotated[
            int | None, typer.Option(min=0, help="First height wanted; default: from now on.")
        ] = None,
        count: Annotated[int, typer.Option(min=0, help="Stop after so many; 0: never.")] = 0,
    ) -> Answer:
        """Print what happens to it, as it is certified, one line each; interrupt to stop."""
        from cli.watching import Wanted, follow

        wanted = Wanted(contract, subject=identifier, from_height=from_height, count=count)
        follow(ask, wanted)
        return None


def records_table(records: Value, *, columns: Sequence[str], whole: bool = False) -> Answer:
    """Records as a table of `columns`; `whole` keeps every field, for programs."""
    items = []
    if isinstance(records, list | tuple):
        items = [item for item in records if isinstance(item, dict)]
    if whole and items:
        columns = [str(name) for name in items[0]]
    rows = [[plain(item.get(name)) for name in columns] for item in items]
    return Table(columns, rows)


def record_fields(record: Value) -> Answer:
    """One record: id first, the rest by name."""
    if not isinstance(record, dict):
        return Fields({"value": plain(record)})
    names = sorted((str(name) for name in record), key=lambda name: (name != "id", name))
    return Fields({name: plain(record[name]) for name in names})


def span_sentence(first: int, height: int) -> str:
    """From where to where a history goes."""
    return say(
        "this history begins with block {first} and reaches to block {height}",
        first=first,
        height=height,
    )
