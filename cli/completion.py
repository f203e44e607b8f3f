"""Completion of commands in shells (命令补全): the scripts that have `shuxin` asked at each tab."""

from __future__ import annotations

from typing import Final

import typer

from cli.candidates import COMPLETE_VARIABLE
from cli.options import Invocation, verb
from cli.output import Answer, Text

app = typer.Typer()
PROGRAM: Final = "shuxin"


@verb(app, "bash")
def bash(ask: Invocation) -> Answer:
    """Print it for bash; keep it as ~/.local/share/bash-completion/completions/shuxin."""
    return _script("bash")


@verb(app, "zsh")
def zsh(ask: Invocation) -> Answer:
    """Print it for zsh; keep it as `_shuxin` in a folder of your fpath."""
    return _script("zsh")


@verb(app, "fish")
def fish(ask: Invocation) -> Answer:
    """Print it for fish; keep it as ~/.config/fish/completions/shuxin.fish."""
    return _script("fish")


def _script(shell: str) -> Answer:
    from typer.completion import get_completion_script  # type: ignore[attr-defined]  # typer names it nowhere else

    script = get_completion_script(prog_name=PROGRAM, complete_var=COMPLETE_VARIABLE, shell=shell)
    return Text(script)
