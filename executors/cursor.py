"""Where an executor stands in the chain's events, kept through restarts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from crypto.files import replace_file

CURSOR_SIZE_MAX = 1024  # bytes


class Cursor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The event after which to go on; (0, 0) is the beginning."""

    height: int = 0
    index: int = 0


@dataclass(frozen=True, slots=True)
class CursorFile:
    """A cursor on disk, replaced as a whole. Reading events twice does no harm; losing some would:
    so a damaged file means starting over."""

    path: Path

    def load(self) -> Cursor:
        try:
            with self.path.open("rb") as handle:
                return msgspec.json.decode(handle.read(CURSOR_SIZE_MAX), type=Cursor)
        except (FileNotFoundError, msgspec.DecodeError):
            return Cursor()

    def save(self, cursor: Cursor) -> None:
        """Raises OSError."""
        replace_file(self.path, msgspec.json.encode(cursor), mode=0o600)
