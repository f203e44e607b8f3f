"""The verb `history` of a noun (经过): the events that name one of its records, oldest first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

import typer

from cli.literals import ID, LiteralInvalid, parse_bytes
from cli.options import Invocation, verb
from cli.output import Answer

# Contract -> the field in which events name its record, where that is not CONTRACT_id. A party is
# named by many fields: all that names it is told; of a feature, the proposals, too.
FIELDS: Final[Mapping[str, str]] = {
    "billing": "statement_id",
    "catalog": "dataset_id",
    "feature": "",
    "multisig": "account",
    "oversight": "engagement_id",
    "parties": "",
    "policy": "kind",
    "rules": "rule_id",
}
# Whose field others have, too: only events of the contract itself are told.
ALONE: Final = frozenset({"policy"})
COLUMNS: Final = ("height", "time_ms", "event", "fields")
ROWS_DEFAULT: Final = 100
ROWS_MAX: Final = 10_000


def parse_subject(text: str) -> str:
    """An id, or of an algorithm NAME/VERSION. Raises LiteralInvalid."""
    if all(ID.fullmatch(part) for part in text.split("/", 1)):
        return text
    raise LiteralInvalid(f"{text[:80]!r}: an id has 1 to 64 characters of a-z 0-9 _ - .")


def add_history(app: typer.Typer, contract: str) -> None:
    """Adds `history`."""

    @verb(app, "history")
    def tell(
        ask: Invocation,
        identifier: Annotated[str, typer.Argument(parser=parse_subject, metavar="ID")],
        newest_first: Annotated[
            bool, typer.Option("--newest-first", help="Default: oldest first.")
        ] = False,
        limit: Annotated[
            int, typer.Option(min=1, max=ROWS_MAX, help="Rows at most.")
        ] = ROWS_DEFAULT,
        cursor: Annotated[
            bytes | None,
            typer.Option(parser=parse_bytes, metavar="HEX", help="Go on behind the page before."),
        ] = None,
    ) -> Answer:
        """Tell what happened to one, in order, by the events that name it (auditor, manager)."""
        from cli.history import About, span_of, told_of

        field = FIELDS.get(contract, f"{contract}_id")
        about = About(identifier, contract if contract in ALONE else "", field)
        span = span_of(not newest_first, 0, None, cursor)
        return told_of(ask, about, span, limit, COLUMNS)
