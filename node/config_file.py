"""Reading a TOML file strictly: typed entries, and every refusal with file and line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from client.toml import TomlInvalid, parse_toml


class ConfigInvalid(Exception):
    """The configuration cannot be used; says file, line and what to write instead."""

    def __init__(self, path: Path, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")
        self.path = path
        self.line = line


class TableReader:
    """Takes typed entries out of parsed TOML and knows on which line each stands."""

    def __init__(self, path: Path, text: str, tables: Mapping[str, object]) -> None:
        self._path = path
        self._tables = tables
        self._lines = _key_lines(text)
        self._taken: set[tuple[str, ...]] = set()

    @classmethod
    def open(cls, path: Path) -> TableReader:
        """The tables of a file. Raises ConfigInvalid."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigInvalid(path, 0, f"cannot be read: {error}") from None
        try:
            tables = parse_toml(text)
        except TomlInvalid as error:
            found = re.search(r"line (\d+)", str(error))
            raise ConfigInvalid(path, int(found.group(1)) if found else 0, str(error)) from None
        return cls(path.resolve(), text, tables)

    def text(self, table: str, key: str, pattern: str) -> str:
        value = self.take(table, key)
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise self.wrong(table, key, f"must be text of the form {pattern}")
        return value

    def optional_text(self, table: str, key: str, pattern: str) -> str | None:
        if key not in self.table(table):
            return None
        return self.text(table, key, pattern)

    def choice(
        self, table: str, key: str, allowed: tuple[str, ...], *, default: str | None = None
    ) -> str:
        if default is not None and key not in self.table(table):
            return default
        value = self.take(table, key)
        if not isinstance(value, str) or value not in allowed:
            raise self.wrong(table, key, f"must be one of {', '.join(allowed)}")
        return value

    def number(
        self, table: str, key: str, low: int, high: int, *, default: int | None = None
    ) -> int:
        if default is not None and key not in self.table(table):
            return default
        value = self.take(table, key)
        if type(value) is not int or not low <= value <= high:
            raise self.wrong(table, key, f"must be a whole number from {low} to {high}")
        return value

    def flag(self, table: str, key: str) -> bool:
        value = self.take(table, key)
        if not isinstance(value, bool):
            raise self.wrong(table, key, "must be true or false")
        return value

    def optional_flag(self, table: str, key: str, *, default: bool) -> bool:
        return self.flag(table, key) if key in self.table(table) else default

    def path(self, table: str, key: str) -> Path:
        return self._path.parent / self.text(table, key, r"[^\x00]+")

    def optional_path(self, table: str, key: str) -> Path | None:
        if key not in self.table(table):
            return None
        return self.path(table, key)

    def texts(
        self, table: str, key: str, count_max: int, *, default: tuple[str, ...] | None = None
    ) -> tuple[str, ...]:
        """A list of texts, none of them empty."""
        if default is not None and key not in self.table(table):
            return default
        value = self.take(table, key)
        if (
            not isinstance(value, list)
            or len(value) > count_max
            or any(not isinstance(item, str) or not item or "\x00" in item for item in value)
        ):
            raise self.wrong(table, key, f"must be a list of at most {count_max} texts")
        return tuple(value)

    def paths(
        self, table: str, key: str, count_max: int, *, is_optional: bool = False
    ) -> tuple[Path, ...]:
        """A list of paths."""
        found = self.texts(table, key, count_max, default=() if is_optional else None)
        return tuple(self._path.parent / text for text in found)

    def subtable(self, table: str, key: str, advice: str) -> Mapping[str, object]:
        """A table with names of its own, which are all taken; empty where there is none."""
        entries = self.table(table).get(key, {})
        if not isinstance(entries, dict):
            raise self.wrong(table, key, advice)
        self._taken.add((table, key))
        return entries

    def refuse_unknown(self) -> None:
        for table, entries in self._tables.items():
            if not isinstance(entries, dict):
                raise self.wrong("", table, "unknown entry; remove it")
            for key in entries:
                if (table, key) not in self._taken:
                    raise self.wrong(table, key, "unknown entry; remove it or check its spelling")

    def table(self, table: str) -> Mapping[str, object]:
        entries = self._tables.get(table, {})
        return entries if isinstance(entries, dict) else {}

    def take(self, table: str, key: str) -> object:
        self._taken.add((table, key))
        entries = self.table(table)
        if key not in entries:
            line = self._lines.get((table, ""), 0)
            raise ConfigInvalid(self._path, line, f"[{table}] lacks {key}; add it")
        return entries[key]

    def wrong(self, table: str, key: str, message: str) -> ConfigInvalid:
        parent, _, name = table.rpartition(".")  # of a table that stands within its line
        places = ((table, key), (table, ""), (parent, name))
        line = next((self._lines[place] for place in places if place in self._lines), 0)
        return ConfigInvalid(self._path, line, f"{key} {message}")


def _key_lines(text: str) -> dict[tuple[str, str], int]:
    """(table, key) -> line number; (table, "") is the line of the table's header."""
    lines: dict[tuple[str, str], int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line):
            table = header.group(1)
            lines.setdefault((table, ""), number)
        elif entry := re.match(r"\s*\"?([A-Za-z0-9_.-]+)\"?\s*=", line):
            lines.setdefault((table, entry.group(1)), number)
    return lines
