"""Events as they are certified, one line each: for `event follow` and the verb `watch` of nouns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.language import heading, say
from cli.output import Json, note, plain, print_json_line, print_line
from cli.readable import text_of, time_text

if TYPE_CHECKING:
    from cli.options import Invocation
    from client.node import ChainEvent


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events, and until when; what is empty or 0 leaves nothing out.

    `from_height` None: those of blocks from now on. `subject`: that name this id.
    """

    contract: str = ""
    name: str = ""
    subject: str = ""
    from_height: int | None = 0
    from_index: int = 0
    count: int = 0
    until_height: int = 0


def follow(ask: Invocation, wanted: Wanted) -> None:
    """Print the events until there were enough, or for ever. Raises ClientError."""
    seen = 0
    with ask.connection() as node:
        begin = wanted.from_height
        if begin is None:
            begin = node.status().certified_height + 1
        if not ask.json:
            note(
                say(
                    "following {nodes} from height {height}; interrupt to stop",
                    nodes=ask.target,
                    height=begin,
                )
            )
        events = node.events(
            from_height=begin,
            from_index=wanted.from_index,
            contract=wanted.contract,
            name=wanted.name,
        )
        for event in events:
            if wanted.until_height and event.height > wanted.until_height:
                return
            if event.name:
                if names(event, wanted.subject):
                    _print(event, as_json=ask.json)
                    seen += 1
            elif wanted.until_height and event.height == wanted.until_height:
                return
            if wanted.count and seen >= wanted.count:
                return


def names(event: ChainEvent, subject: str) -> bool:
    """Whether a field of the event is this id, or a list with it; any event names an empty one."""
    if not subject:
        return True
    values = event.fields.values()
    return any(
        subject in value if isinstance(value, list) else str(value) == subject for value in values
    )


def _print(event: ChainEvent, *, as_json: bool) -> None:
    fields: dict[str, Json] = {name: plain(value) for name, value in event.fields.items()}
    if as_json:
        print_json_line(
            {
                "height": event.height,
                "index": event.index,
                "transaction": event.transaction_id.hex(),
                "contract": event.contract,
                "name": event.name,
                "fields": fields,
                "time_ms": event.time_ms,
            }
        )
        return
    act = f"{event.contract}.{event.name}"
    told = "; ".join(f"{heading(name)}={text_of(value, name)}" for name, value in fields.items())
    print_line(f"{event.height}/{event.index}  {time_text(event.time_ms)}  {heading(act)}  {told}")
