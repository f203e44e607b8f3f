"""The folders beside a ledger while it is rebuilt, and how the new one takes its place.

    ledger                     in use
    ledger.repair              being rebuilt; worth nothing after a crash
    ledger.repaired-HEIGHT     whole and durable; takes the place of `ledger` at the next opening
    ledger.mended-HEIGHT       the same, made because `ledger` was damaged
    ledger.diverged-HEIGHT[.N] set aside for examination: its outcome differed at HEIGHT
    ledger.damaged-HEIGHT[.N]  set aside for examination: the newest block that was read of it
    ledger.salvage             what can be read of a damaged one; worth nothing after a crash
    journal.lost-HEIGHT[.N]    votes that are damaged: while it is there, this node casts none in an
                               epoch that had begun by HEIGHT
    ledger.joining             being made out of a snapshot; goes on after a crash
    ledger.joined-HEIGHT       whole and durable; takes the place of `ledger` at the next opening
    ledger.outrun-HEIGHT[.N]   set aside: it ended below the blocks that peers keep
    ledger.recovered-NUMBER    whole and durable, made by recovery plan NUMBER; takes the place of
                               `ledger`, which goes to recovered/NUMBER together with the journal

HEIGHT is a block, or that of the snapshot. Every step is one rename, so that a crash between any
two leaves the old ledger or the new one, and the next opening finishes what was begun.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import structlog

from crypto.files import make_directory, sync_directory

# Each is as large as a ledger. Two show whether the same thing happened again.
KEPT_MAX = 2
DIVERGED, DAMAGED, OUTRUN = "diverged", "damaged", "outrun"
_MADE = {
    DIVERGED: "repaired",
    DAMAGED: "mended",
    OUTRUN: "joined",
}  # why a ledger was made anew -> its name
RECOVERED = "recovered"
JOURNAL = "journal"
LOST = "lost"

_log = structlog.get_logger("node.ledgers")


def building(ledger: Path) -> Path:
    """Where to rebuild `ledger`; what an interrupted attempt left there is gone."""
    path = ledger.with_name(f"{ledger.name}.repair")
    for left in (path, path.with_name(f"{path.name}.new")):
        if left.exists():
            _log.info("repair_leftover_removed", folder=str(left))
            shutil.rmtree(left)
    return path


def salvaging(ledger: Path) -> Path:
    """Where to put what can be read of a damaged ledger."""
    return ledger.with_name(f"{ledger.name}.salvage")


def publish(built: Path, ledger: Path, height: int, *, why: str = DIVERGED) -> None:
    """Declare a rebuilt and closed ledger whole: from now on it is the one that counts."""
    sync_directory(built)
    built.rename(ledger.with_name(f"{ledger.name}.{_MADE[why]}-{height}"))
    sync_directory(ledger.parent)


def joining(ledger: Path) -> Path:
    """Where a ledger is made out of a snapshot."""
    return ledger.with_name(f"{ledger.name}.joining")


def publish_joined(ledger: Path, height: int) -> None:
    """As `publish`, for a ledger that was made out of the snapshot of a block."""
    publish(joining(ledger), ledger, height, why=OUTRUN)


def publish_recovered(built: Path, ledger: Path, number: int) -> None:
    """As `publish`, for a ledger that follows a recovery plan."""
    sync_directory(built)
    built.rename(ledger.with_name(f"{ledger.name}.recovered-{number}"))
    sync_directory(ledger.parent)


def archive(ledger: Path, number: int) -> Path:
    """Where a recovery sets aside what it replaces."""
    return ledger.parent / RECOVERED / str(number)


def settle(ledger: Path) -> None:
    """Put a whole rebuilt ledger in its place, before `ledger` is opened."""
    for recovered in ledger.parent.glob(f"{ledger.name}.recovered-*"):
        aside = archive(ledger, int(recovered.name.rpartition("-")[2]))
        make_directory(aside)
        for old in (ledger, ledger.parent / JOURNAL):
            if old.exists():
                old.rename(aside / old.name)
        sync_directory(aside)
        sync_directory(ledger.parent)
        recovered.rename(ledger)
        sync_directory(ledger.parent)
        _log.warning("ledger_recovered", folder=str(ledger), set_aside=str(aside))
    for why, name in _MADE.items():
        for made in ledger.parent.glob(f"{ledger.name}.{name}-*"):
            if ledger.exists():
                aside = _free_name(ledger, why, made.name.rpartition("-")[2])
                ledger.rename(aside)
                sync_directory(ledger.parent)
                _log.warning(
                    "ledger_set_aside", folder=str(aside), advice="keep it for examination"
                )
            made.rename(ledger)
            sync_directory(ledger.parent)
            _log.warning("ledger_replaced", folder=str(ledger))


def tidy(ledger: Path) -> None:
    """Remove leftovers and all but the newest ledgers that were set aside.

    Only for whoever has `ledger` open: another process may be rebuilding it otherwise.
    """
    building(ledger)
    shutil.rmtree(salvaging(ledger), ignore_errors=True)
    for why in _MADE:
        for old in set_aside(ledger, why)[:-KEPT_MAX]:
            _log.warning("old_ledger_removed", folder=str(old), kept=KEPT_MAX)
            shutil.rmtree(old)


def set_aside(ledger: Path, why: str) -> list[Path]:
    """The ledgers that were set aside, by height and order."""
    return [path for _, _, path in _numbered(ledger, why)]


def lose_votes(journal: Path, height: int) -> Path:
    """Set damaged votes aside: from now on none is cast in the epochs that had begun by `height`.

    One rename, which is the evidence and the promise at once.
    """
    aside = _free_name(journal, LOST, str(height))
    journal.rename(aside)
    sync_directory(journal.parent)
    for _, _, old in _numbered(journal, LOST)[:-KEPT_MAX]:
        shutil.rmtree(old)  # what it promises, a later one promises too
    return aside


def lost_votes(journal: Path) -> int:
    """Epochs with a base up to here may have votes of this node that it forgot. -1: none has."""
    return max((height for height, _, _ in _numbered(journal, LOST)), default=-1)


def _numbered(folder: Path, why: str) -> list[tuple[int, int, Path]]:
    """(height, number, path) of what was set aside, in this order."""
    pattern = re.compile(re.escape(folder.name) + rf"\.{why}-(\d+)(?:\.(\d+))?")
    return sorted(
        (int(match[1]), int(match[2] or 1), path)
        for path in folder.parent.iterdir()
        if (match := pattern.fullmatch(path.name))
    )


def _free_name(folder: Path, why: str, height: str) -> Path:
    path = folder.with_name(f"{folder.name}.{why}-{height}")
    number = 1
    while path.exists():
        number += 1
        path = folder.with_name(f"{folder.name}.{why}-{height}.{number}")
    return path
