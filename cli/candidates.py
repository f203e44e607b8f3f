"""What a shell is told that completes a line (命令补全); the noun `completion` prints its scripts.

The shell runs `shuxin` itself at each tab, with the line in its environment; only the noun on it is
loaded. Ids of records are not completed: they are read with a signature, so that a tab would ask
for a passphrase, and a node would learn what somebody is about to type.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typer.core import TyperGroup

COMPLETE_VARIABLE: Final = "_SHUXIN_COMPLETE"  # set by the shell: what it wants to know
_WORD: Final = re.compile(r"[a-z][a-z_]+")
# The words that a line of help begins with, where it begins with what may be written.
_LISTED: Final = re.compile(r"[a-z_]+(?:, [a-z_]+)*(?:,| or) [a-z_]+(?=[.;, ])")
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")  # zsh evaluates what it is answered


def words_in(environment: Mapping[str, str]) -> list[str]:
    """The words of the line that a shell wants completed, without the program's name."""
    line = environment.get("COMP_WORDS") or environment.get("_TYPER_COMPLETE_ARGS", "")
    return line.split()[1:]


def keys_in(folder: Path, incomplete: str) -> list[str]:
    """Names of the key files of a folder that begin like this."""
    try:
        names = sorted(Path(name).stem for name in os.listdir(folder) if name.endswith(".pem"))
    except OSError:
        return []
    return beginning(names, incomplete)


def words_of(help_line: str) -> list[str]:
    """The words that an option takes, where its line of help names them: `low, medium or high.`"""
    listed = _LISTED.match(help_line)
    return _WORD.findall(listed[0].replace(" or ", ", ")) if listed else []


def complete_words(command: TyperGroup) -> None:
    """Have the options below a command completed by the words that their help names."""
    from typer.core import TyperArgument, TyperOption

    for below in command.commands.values():
        for asked in below.params:
            if not isinstance(asked, TyperOption | TyperArgument) or asked._custom_shell_complete:
                continue
            if words := words_of(asked.help or ""):
                asked._custom_shell_complete = partial(_beginning_so, words)
        if isinstance(below, type(command)):
            complete_words(below)


def _beginning_so(words: list[str], _context: object, _option: object, text: str) -> list[str]:
    return beginning(words, text)


def beginning(names: Sequence[str], incomplete: str) -> list[str]:
    """Those that begin like this, and that no shell can take for anything else."""
    return [name for name in names if name.startswith(incomplete) and _NAME.fullmatch(name)]
