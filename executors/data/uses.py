"""What tasks did with a data set (8.2.2b2): one line per step, appended and never changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

USES_SIZE_MAX = 16 << 20  # bytes read back; older lines beyond that stay on disk unread

ACCEPTED = "accepted"
COMPUTING = "computing"
FINISHED = "finished"
FAILED = "failed"


class Use(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One step of one task."""

    task_id: str
    state: str
    time_ms: int


def append_use(folder: Path, use: Use) -> None:
    """Adds a line to the log of the data set in `folder`. Raises OSError."""
    handle = os.open(folder / "uses.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(handle, msgspec.json.encode(use) + b"\n")
    finally:
        os.close(handle)


def read_uses(folder: Path) -> Iterator[Use]:
    """The steps in order; a line torn by a crash is passed over."""
    try:
        with (folder / "uses.jsonl").open("rb") as handle:
            lines = handle.read(USES_SIZE_MAX).splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            yield msgspec.json.decode(line, type=Use)
        except msgspec.DecodeError:
            continue
