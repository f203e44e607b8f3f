"""Which records of a list are wanted: `--status` and `--party` of the verb `list`."""

from __future__ import annotations

from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from cli.language import catalogue, code_of, say
from cli.literals import LiteralInvalid, parse_id
from cli.output import CommandRefused, note
from client.pages import page_of, rows_of

if TYPE_CHECKING:
    from client.pages import Row, View
    from ledger.values import Value

# Fields by which records of the system contracts name the parties that they concern.
PARTY_FIELDS: Final = frozenset(
    {
        "asker",
        "consumer",
        "evaluator",
        "manager",
        "operator",
        "owner",
        "participants",
        "parties",
        "party",
        "payee",
        "payer",
        "proposer",
        "provider",
        "sponsor",
        "suppliers",
    }
)


def parse_status(text: str) -> str:
    """A word that statuses have, in English or Chinese, by its English. Raises LiteralInvalid."""
    known = catalogue().values["status"]
    word = code_of("status", text)
    if word in known:
        return word
    near = get_close_matches(text, [*known, *known.values()], n=3)
    meant = f"; did you mean {', '.join(near)}?" if near else ""
    raise LiteralInvalid(f"{text[:40]!r} is no status of any record{meant}")


def _statuses(incomplete: str) -> list[str]:
    return [word for word in catalogue().values["status"] if word.startswith(incomplete)]


StatusFilter = Annotated[
    str | None,
    typer.Option(
        parser=parse_status,
        metavar="STATUS",
        help="Only records that stand so.",
        autocompletion=_statuses,
    ),
]
PartyFilter = Annotated[
    str | None,
    typer.Option(parser=parse_id, metavar="PARTY", help="Only records that concern this party."),
]


class Filter(NamedTuple):
    """None leaves nothing out."""

    status: str | None = None
    party: str | None = None

    def fits(self, row: Row) -> bool:
        """Whether a record is wanted. Raises CommandRefused for one that cannot be judged."""
        if self.status is not None:
            if "status" not in row:
                raise CommandRefused("list.status", "these records have no status: leave it out")
            if row["status"] != self.status:
                return False
        if self.party is None:
            return True
        # The records of parties themselves are the only ones with roles.
        named = [name for name in row if name in PARTY_FIELDS or (name == "id" and "roles" in row)]
        if not named:
            raise CommandRefused("list.party", "these records name no party: leave it out")
        return any(_has(row[name], self.party) for name in named)


ALL: Final = Filter()


def listed(
    view: View,
    contract: str,
    method: str,
    *args: Value,
    offset: int,
    limit: int,
    wanted: Filter = ALL,
) -> list[Value]:
    """Up to `limit` wanted records of those from `offset` on; a note says where more begin.

    Raises Refused.
    """
    found: list[Value] = []
    if wanted == ALL:
        found = page_of(view, contract, method, *args, offset=offset, limit=limit)
        beyond = offset + limit
        if len(found) < limit or not page_of(view, contract, method, *args, offset=beyond, limit=1):
            return found
    else:
        rows = rows_of(view, contract, method, *args, offset=offset)
        fitting = ((place, row) for place, row in enumerate(rows, offset) if wanted.fits(row))
        found = [dict(row) for _place, row in islice(fitting, limit)]
        following = next(fitting, None)
        if following is None:
            return found
        beyond = following[0]
    note(say("there is more: --offset {offset}", offset=beyond))
    return found


def _has(value: Value, party: str) -> bool:
    """Whether a field names the party: itself, or in a list, such as of party and data set."""
    if isinstance(value, list | tuple):
        return any(_has(item, party) for item in value)
    return value == party
