"""A command line that cannot be carried out as it was written: what is wrong, and where help is."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from typer._click.exceptions import ClickException, NoArgsIsHelpError, UsageError

from cli.language import say
from cli.output import MISUSE
from cli.readable import printable
from cli.translated import USAGE, help_text, translated

if TYPE_CHECKING:
    from cli.output import Json

__all__ = ("ClickException", "report_misuse")


def report_misuse(error: ClickException, *, as_json: bool) -> int:
    """Print it on stderr, as JSON where that was asked for; returns the exit code."""
    if isinstance(error, NoArgsIsHelpError):
        return MISUSE  # the help has been shown
    context = error.ctx if isinstance(error, UsageError) else None
    path = context.command_path if context is not None else "shuxin"
    detail = error.format_message()
    if as_json:
        problem: Json = {"misused": {"code": "usage", "detail": detail, "help": f"{path} --help"}}
        sys.stderr.write(json.dumps(problem, ensure_ascii=False) + "\n")
        return MISUSE
    lines = [say("misused: {sentence}", sentence=translated(detail))]
    if context is not None:
        lines.append(context.get_usage().replace(USAGE, help_text(USAGE), 1))
    lines.append(say("help: {command}", command=f"{path} --help"))
    sys.stderr.writelines(f"{printable(line, kept=chr(10))}\n" for line in lines)
    return MISUSE
