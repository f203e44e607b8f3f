"""TOML that somebody wrote: read, or one error."""

from __future__ import annotations

import tomllib


class TomlInvalid(Exception):
    """A text is not TOML, or goes beyond what can be read: nested too deep, a number too long."""


def parse_toml(text: str) -> dict[str, object]:
    """The tables of a text, whatever it is. Raises TomlInvalid, with the line where it is known."""
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a bare ValueError for over 4,300 digits
        raise TomlInvalid(str(error)) from None
