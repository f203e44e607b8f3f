"""The daemon beside a party's data: takes the party's tasks, computes, reports."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import Invocation, verb
from cli.output import Answer

app = typer.Typer()


@app.callback()
def nouns_have_verbs() -> None:
    """Keeps `run` a verb although it is the only one."""


@verb(app, "run")
def run(
    ask: Invocation,
    config: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="executor.toml of the executor.")
    ],
) -> Answer:
    """Run an executor in the foreground until SIGTERM or SIGINT."""
    from executors.config import load_config
    from executors.serve import run as serve

    serve(load_config(config))
    return None
