"""Writes docs/commands.md: every noun and verb with its line. `make reference` runs it."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from typing import get_args, get_origin

import typer

from cli.forms import COMMON_PANEL
from cli.main import NOUNS

HEAD = """# Commands

Written by `make reference` from the commands themselves; do not edit.

Every command also takes `--json`, `--lang`, `--home`, `--node`, `--key`, `--passphrase-file`,
`--certificate` (see [operations](operations.md)), `--tls-ca` (see [gateway](gateway.md)),
`--no-verify`, `--genesis` and `--max-age` (see [the light client](light-client.md)); `--help`
says the rest. Exit codes: 0 done, 1 refused, 2 misuse.
"""


def render() -> str:
    """The page as Markdown."""
    parts = [HEAD]
    for noun, summary in NOUNS.items():
        app = importlib.import_module(f"cli.{noun}").app
        assert isinstance(app, typer.Typer)
        parts.append(f"\n## {noun}\n\n{summary}\n\n| command | |\n|---|---|\n")
        for command in app.registered_commands:
            assert command.callback is not None
            words = " ".join(("shuxin", noun, command.name or "", *_usage(command.callback)))
            line = inspect.cleandoc(command.callback.__doc__ or "").split("\n", 1)[0]
            parts.append(f"| `{words}` | {line} |\n".replace("[ARG]...", "[ARG]…"))
    return "".join(parts)


def _usage(callback: Callable[..., object]) -> list[str]:
    """Arguments, then options that must be given."""
    arguments: list[str] = []
    options: list[str] = []
    for name, parameter in inspect.signature(callback).parameters.items():
        if get_origin(parameter.annotation) is None and not get_args(parameter.annotation):
            continue
        info = get_args(parameter.annotation)[-1]
        is_required = parameter.default is inspect.Parameter.empty
        if isinstance(info, typer.models.ArgumentInfo):
            word = info.metavar or name.upper()
            arguments.append(word if is_required or word.startswith("[") else f"[{word}]")
        elif isinstance(info, typer.models.OptionInfo) and info.rich_help_panel != COMMON_PANEL:
            # Inside Annotated, typer keeps the first declaration where a default would be.
            given = (info.default, *(info.param_decls or ()))
            declared = [text for text in given if isinstance(text, str) and text[:2] == "--"]
            word = declared[0] if declared else "--" + name.replace("_", "-")
            if is_required:
                options.append(word if "/" in word else f"{word} …")
    return [*arguments, *options]


if __name__ == "__main__":
    sys.stdout.write(render())
