"""Names that outlive a power failure: an fsync of a file does not make its name durable."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def sync_directory(directory: Path) -> None:
    """Make what was created, renamed or removed in `directory` durable. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(directory: Path, *, mode: int = 0o777) -> None:
    """Make `directory` and what it lies in, durably; one that is there does no harm.

    `mode` is of the directory itself. Raises OSError.
    """
    made = [one for one in (directory, *directory.parents) if not one.exists()]
    directory.mkdir(mode=mode, parents=True, exist_ok=True)
    for one in made or [directory]:
        # One that is there may be what an earlier life made and was killed before it was synced.
        # Whoever may not read the parent has not made it.
        with contextlib.suppress(PermissionError):
            sync_directory(one.parent)


def replace_file(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Durably replace what is at `path`; a crash leaves the old or the new. Raises OSError."""
    partial = path.with_name(f"{path.name}.new")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    sync_directory(path.parent)
