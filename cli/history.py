"""What was: values of a key, transactions of an account, events about a subject, by pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from cli.domain import span_sentence
from cli.language import heading, say
from cli.literals import LiteralInvalid, parse_bytes, parse_value, parse_values
from cli.options import Invocation, verb
from cli.output import Answer, CommandRefused, Fields, Json, Table, note, plain
from cli.proofs import check, prove_state, prove_transaction, trusted_genesis

if TYPE_CHECKING:
    from client.connection import Connection
    from ledger.bundle import TransactionFacts
    from ledger.history.pages import AccountEntry, KeyChange, Page, Span, SubjectEntry

app = typer.Typer()
LIMIT_DEFAULT = 50
LIMIT_MAX = 10_000  # rows in one answer; the cursor goes on behind them

R = TypeVar("R")


def parse_address(text: str) -> str:
    """20 bytes as 40 hex digits. Raises LiteralInvalid."""
    address = parse_bytes(text)
    if len(address) != 20:
        raise LiteralInvalid(f"{len(address)} bytes; an address has 40 hex digits")
    return address.hex()


Limit = Annotated[int, typer.Option(min=1, max=LIMIT_MAX, help="Rows at most.")]
Cursor = Annotated[
    bytes | None,
    typer.Option(parser=parse_bytes, metavar="HEX", help="Go on behind the page before."),
]
OldestFirst = Annotated[bool, typer.Option("--oldest-first", help="Default: newest first.")]
FromHeight = Annotated[int, typer.Option(min=0, help="First height wanted.")]
ToHeight = Annotated[int | None, typer.Option(min=0, help="Last height wanted.")]
Prove = Annotated[
    bool,
    typer.Option("--prove", help="Fetch and check the proof of every row's transaction."),
]


@verb(app, "key")
def key(
    ask: Invocation,
    contract: Annotated[str, typer.Argument(metavar="CONTRACT", help="Or another namespace.")],
    variable: Annotated[str, typer.Argument(metavar="VARIABLE", help="A Var, Map or SortedMap.")],
    parts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PART]...", help="Of the key in a map: text, 42, 0x00ff."),
    ] = None,
    is_sorted: Annotated[bool, typer.Option("--sorted", help="It is a SortedMap.")] = False,
    is_raw: Annotated[
        bool, typer.Option("--raw", help="VARIABLE is the whole stored key, in hex.")
    ] = False,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
    oldest_first: OldestFirst = False,
    from_height: FromHeight = 0,
    to_height: ToHeight = None,
    prove: Annotated[
        bool, typer.Option("--prove", help="Check the newest against a proof.")
    ] = False,
) -> Answer:
    """Every value that a contract stored under a key, by block."""
    stored = _stored_key(variable, parts or [], is_sorted=is_sorted, is_raw=is_raw)
    span = span_of(oldest_first, from_height, to_height, cursor)
    with ask.connection() as node:
        trust = _prove_newest(ask, node, contract, stored) if prove else None
        page = _collect(lambda part: node.key_history(contract, stored, part), span, limit)
    columns = ("height", "time_ms", "value", "transaction")
    rows = [_key_row(row) for row in page.rows]
    return _answer(ask, page, rows, columns, "the newest value", trust)


@verb(app, "account")
def account(
    ask: Invocation,
    address: Annotated[str, typer.Argument(parser=parse_address, metavar="ADDRESS")],
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
    oldest_first: OldestFirst = False,
    from_height: FromHeight = 0,
    to_height: ToHeight = None,
    prove: Prove = False,
) -> Answer:
    """Every transaction that an account sent, also those that were refused."""
    from client.history import check_account

    span = span_of(oldest_first, from_height, to_height, cursor)
    with ask.connection() as node:
        page = _collect(lambda part: node.account_history(address, part), span, limit)
        trust = None
        if prove:
            facts_of, trust = _prover(ask, node)
            for row in page.rows:
                check_account(row, address, facts_of(row.transaction_id))
    columns = ("height", "index", "time_ms", "contract", "method", "status", "transaction")
    return _answer(ask, page, [_account_row(row) for row in page.rows], columns, "all rows", trust)


@verb(app, "subject")
def subject(
    ask: Invocation,
    subject: Annotated[
        str,
        typer.Argument(
            metavar="SUBJECT",
            help="Id of a grant, data set, task, party, …; an address; 0x… for a digest.",
        ),
    ],
    contract: Annotated[str, typer.Option(help="Only events of this contract.")] = "",
    field: Annotated[str, typer.Option(help="Only if in this field, such as grant_id.")] = "",
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
    oldest_first: OldestFirst = False,
    from_height: FromHeight = 0,
    to_height: ToHeight = None,
    prove: Prove = False,
) -> Answer:
    """Every event about a subject (事项), whichever contract told of it."""
    span = span_of(oldest_first, from_height, to_height, cursor)
    about = About(_subject(subject), contract, field)
    columns = ("height", "index", "time_ms", "event", "named_by", "transaction", "fields")
    return told_of(ask, about, span, limit, columns, prove=prove)


@dataclass(frozen=True, slots=True)
class About:
    """Which events are wanted: that name `subject`, of one contract or field if these are set."""

    subject: str | bytes
    contract: str = ""
    field: str = ""


def told_of(
    ask: Invocation,
    about: About,
    span: Span,
    limit: int,
    columns: Sequence[str],
    *,
    prove: bool = False,
) -> Answer:
    """The events of a span as `columns`; what they say stands below each."""
    from client.history import check_subject

    with ask.connection() as node:
        page = _collect(
            lambda part: node.subject_history(
                about.subject, part, contract=about.contract, field=about.field
            ),
            span,
            limit,
        )
        trust = None
        if prove:
            facts_of, trust = _prover(ask, node)
            for row in page.rows:
                check_subject(row, about.subject, facts_of(row.transaction_id))
    rows = [_subject_row(row) for row in page.rows]
    return _answer(ask, page, rows, columns, "all rows", trust)


# --- asking ---------------------------------------------------------------------------------


def _stored_key(variable: str, parts: list[str], *, is_sorted: bool, is_raw: bool) -> bytes:
    from contracts.vm.keys import SORTED, sorted_part
    from ledger.encoding import encode
    from ledger.values import encode_value

    if is_raw:
        return parse_bytes(variable)
    values = parse_values(parts)
    if not is_sorted:
        return encode_value([variable, *values])
    written = bytearray(bytes([SORTED]) + encode(variable))
    for value in values:
        if not isinstance(value, str | bytes | bool | int):
            raise LiteralInvalid(f"{value}: a part of a key is a text, number, bytes or true/false")
        written += sorted_part(value)
    return bytes(written)


def _subject(text: str) -> str | bytes:
    """Text as it is, even if it looks like a number; bytes after 0x or hex:."""
    value = parse_value(text) if text.startswith(("0x", "hex:", "str:")) else text
    assert isinstance(value, str | bytes), "these prefixes give nothing else"
    return value


def span_of(oldest_first: bool, low: int, high: int | None, cursor: bytes | None) -> Span:
    from ledger.history.pages import HEIGHT_MAX, Span

    bound = HEIGHT_MAX if high is None else min(high, HEIGHT_MAX)
    return Span(not oldest_first, min(low, HEIGHT_MAX), bound, cursor or b"")


def _collect(ask_page: Callable[[Span], Page[R]], span: Span, limit: int) -> Page[R]:
    """The pages of a span as one, of at most `limit` rows."""
    from dataclasses import replace

    rows: list[R] = []
    while True:
        page = ask_page(replace(span, rows_max=limit - len(rows)))
        rows += page.rows
        if page.is_complete or len(rows) >= limit:
            return replace(page, rows=tuple(rows))
        span = replace(span, after=page.cursor)


def _prover(ask: Invocation, node: Connection) -> tuple[Callable[[bytes], TransactionFacts], str]:
    """What proves a transaction, each once, and in words whose genesis is trusted."""
    from functools import cache

    from ledger.bundle import TransactionFacts

    trusted, trust = trusted_genesis(ask, node)

    @cache
    def facts_of(transaction_id: bytes) -> TransactionFacts:
        facts = check(prove_transaction(node, transaction_id, trusted), trusted)
        if not isinstance(facts, TransactionFacts):
            raise CommandRefused("proof.missing", "the node proved something else: ask another")
        return facts

    return facts_of, trust


def _prove_newest(ask: Invocation, node: Connection, contract: str, stored: bytes) -> str:
    """Check the newest row of a key; in words whose genesis is trusted."""
    from client.history import check_key
    from ledger.bundle import StateFacts
    from ledger.history.pages import Span

    trusted, trust = trusted_genesis(ask, node)
    facts = check(prove_state(node, contract, stored, trusted), trusted)
    if not isinstance(facts, StateFacts):
        raise CommandRefused("proof.missing", "the node proved something else: ask another")
    span = Span(to_height=facts.certified.height, rows_max=1)
    check_key(node.key_history(contract, stored, span), facts)
    return trust


# --- telling --------------------------------------------------------------------------------


def _key_row(row: KeyChange) -> dict[str, Json]:
    return {
        "height": row.height,
        "time_ms": row.time_ms,
        "removed": row.value is None,
        "value": _readable(row.value),
        "transaction": row.transaction_id.hex(),
    }


def _account_row(row: AccountEntry) -> dict[str, Json]:
    return {
        "height": row.height,
        "index": row.index,
        "time_ms": row.time_ms,
        "contract": row.contract,
        "method": row.method,
        "status": row.error or "ok",
        "transaction": row.transaction_id.hex(),
    }


def _subject_row(row: SubjectEntry) -> dict[str, Json]:
    return {
        "height": row.height,
        "index": row.index,
        "time_ms": row.time_ms,
        "event": f"{row.event.contract}.{row.event.name}",
        "fields": {name: _readable(value) for name, value in row.event.fields},
        "named_by": list(row.fields),
        "transaction": row.transaction_id.hex(),
    }


def _readable(data: bytes | None) -> Json:
    """A stored value; what is no contract value, as hex."""
    from ledger.errors import DecodeError
    from ledger.values import decode_value

    if data is None:
        return None
    try:
        return plain(decode_value(data))
    except DecodeError:
        return "0x" + data.hex()


def _answer(
    ask: Invocation,
    page: Page[R],
    rows: Sequence[dict[str, Json]],
    columns: Sequence[str],
    proven: str,
    trust: str | None,
) -> Answer:
    """JSON with all that is needed to go on; for people a table, and a remark beside it.

    `proven`: what was checked against a genesis, and `trust` whose; None: nothing was.
    """
    if ask.json:
        told: dict[str, Json] = {
            "rows": list(rows),
            "cursor": page.cursor.hex(),
            "is_complete": page.is_complete,
            "first_height": page.first,
            "height": page.height,
        }
        return Fields(told if trust is None else told | {"proven": proven, "trusting": trust})
    note(span_sentence(page.first, page.height))
    if not page.is_complete:
        note(say("there is more: --cursor {cursor}", cursor=page.cursor.hex()))
    if trust is not None:
        note(
            say(
                "proven: {rows}, trusting {trust}; rows that are left out would not show",
                rows=proven,
                trust=trust,
            )
        )
    for row in rows:
        if row.get("removed"):
            row["value"] = say("(removed)")
        if "event" in row:
            row["event"] = heading(str(row["event"]))
    below = "fields" if "fields" in columns else ""
    return Table(columns, [[row[name] for name in columns] for row in rows], below=below)
