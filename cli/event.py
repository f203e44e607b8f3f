"""What contracts announce, in order of (height, index), from a cursor."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import Invocation, verb
from cli.output import Answer
from cli.watching import Wanted
from cli.watching import follow as follow_events

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
    wanted = Wanted(
        contract=contract,
        name=name,
        from_height=from_height,
        from_index=from_index,
        count=count,
        until_height=until_height,
    )
    follow_events(ask, wanted)
    return None
