"""What contracts announce, in order of (height, index), from a cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.domain import time_text
from cli.language import say
from cli.options import Invocation, verb
from cli.output import Answer, Json, note, plain, print_json_line, print_line

if TYPE_CHECKING:
    from client.node import ChainEvent

app = typer.Typer()


@app.callback()
def nouns_have_verbs() -> None:
    """Keeps `follow` a verb although it is the only one."""


@verb(app, "follow")
def follow(
    ask: Invocation,
    from_height: Annotated[
        int, typer.Option(min=0, help="First height wanted; 0 is the beginning.")
    ] = 0,
    from_index: Annotated[int, typer.Option(min=0, help="First event of that height.")] = 0,
    contract: Annotated[str, typer.Option(help="Only of this contract.")] = "",
    name: Annotated[str, typer.Option(help="Only events of this name.")] = "",
    count: Annotated[int, typer.Option(min=0, help="Stop after so many; 0: never.")] = 0,
    until_height: Annotated[
        int, typer.Option(min=0, help="Stop when all up to this height were seen; 0: never.")
    ] = 0,
) -> Answer:
    """Print events as they are certified, one line each; interrupt to stop."""
    if not ask.json:
        note(
            say(
                "following {nodes} from height {height}; interrupt to stop",
                nodes=ask.target,
                height=from_height,
            )
        )
    seen = 0
    with ask.connection() as node:
        events = node.events(
            from_height=from_height, from_index=from_index, contract=contract, name=name
        )
        for event in events:
            if until_height and event.height > until_height:
                break
            if event.name:
                _print(event, as_json=ask.json)
                seen += 1
            elif until_height and event.height == until_height:
                break
            if count and seen >= count:
                break
    return None


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
    told = " ".join(f"{name}={value}" for name, value in fields.items())
    print_line(
        f"{event.height}/{event.index}  {time_text(event.time_ms)}  "
        f"{event.contract}.{event.name}  {told}"
    )
