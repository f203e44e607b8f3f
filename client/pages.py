"""Pages of records from a contract's view that takes an offset and a limit at its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from client.errors import Refused

if TYPE_CHECKING:
    from ledger.values import Key, Value

    Row: TypeAlias = Mapping[Key, Value]

PAGE: Final = 100  # what the system contracts give in one answer
RECORDS_MAX: Final = 1_000_000  # of one list; a node that has still more to tell is not believed
TOO_LARGE: Final = "value_limit"  # the code of an answer beyond what the machine lets out


class View(Protocol):
    """What is asked of a node, as one account."""

    def __call__(self, contract: str, method: str, *args: Value) -> Value: ...


def page_of(
    view: View, contract: str, method: str, *args: Value, offset: int, limit: int
) -> list[Value]:
    """Up to `limit` records from `offset` on; fewer only where the list ends. Raises Refused.

    A page of records with the longest texts is more than a view may answer with. Who writes such
    texts must not hide the page from others: it is asked for in halves.
    """
    try:
        found = view(contract, method, *args, offset, limit)
    except Refused as refusal:
        if refusal.code != TOO_LARGE or limit == 1:
            raise
    else:
        return list(found[:limit]) if isinstance(found, list | tuple) else []
    half = limit // 2
    first = page_of(view, contract, method, *args, offset=offset, limit=half)
    if len(first) < half:
        return first
    rest = page_of(view, contract, method, *args, offset=offset + half, limit=limit - half)
    return first + rest


def rows_of(
    view: View, contract: str, method: str, *args: Value, offset: int = 0, page: int = PAGE
) -> Iterator[Row]:
    """Every record from `offset` on, page by page; what is no record of named fields is left out.

    Raises Refused, with the code `answer.endless` where a node does not come to an end.
    """
    for start in range(offset, offset + RECORDS_MAX, page):
        found = page_of(view, contract, method, *args, offset=start, limit=page)
        yield from (row for row in found if isinstance(row, dict))
        if len(found) < page:
            return
    raise Refused(
        "answer.endless",
        f"the node lists over {RECORDS_MAX:,} records in `{contract}.{method}`; ask another node",
    )
