"""The folders beside a ledger while it is rebuilt, and how the new one takes its place.

    ledger                     in use
    ledger.repair              being rebuilt; worth nothing after a crash
    ledger.repaired-HEIGHT     whole and durable; takes the place of `ledger` at the next opening
    ledger.diverged-HEIGHT[.N] set aside for examination
    ledger.recovered-NUMBER    whole and durable, made by recovery plan NUMBER; takes the place of
                               `ledger`, which goes to recovered/NUMBER together with the journal

HEIGHT is the block whose outcome differed. Every step is one rename, so that a crash between any
two leaves the old ledger or the new one, and the next opening finishes what was begun.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import structlog

from ledger.folders import make_directory, sync_directory

# Each is as large as a ledger. Two show whether the same thing happened again.
DIVERGED_KEPT_MAX = 2
RECOVERED = "recovered"
JOURNAL = "journal"

_log = structlog.get_logger("node.ledgers")


def building(ledger: Path) -> Path:
    """Where to rebuild `ledger`; what an interrupted attempt left there is gone."""
    path = ledger.with_name(f"{ledger.name}.repair")
    for left in (path, path.with_name(f"{path.name}.new")):
        if left.exists():
            _log.info("repair_leftover_removed", folder=str(left))
            shutil.rmtree(left)
    return path


def publish(built: Path, ledger: Path, height: int) -> None:
    """Declare a rebuilt and closed ledger whole: from now on it is the one that counts."""
    sync_directory(built)
    built.rename(ledger.with_name(f"{ledger.name}.repaired-{height}"))
    sync_directory(ledger.parent)


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
    for repaired in ledger.parent.glob(f"{ledger.name}.repaired-*"):
        if ledger.exists():
            aside = _free_name(ledger, repaired.name.rpartition("-")[2])
            ledger.rename(aside)
            sync_directory(ledger.parent)
            _log.warning("ledger_set_aside", folder=str(aside), advice="keep it for examination")
        repaired.rename(ledger)
        sync_directory(ledger.parent)
        _log.warning("ledger_replaced", folder=str(ledger))


def tidy(ledger: Path) -> None:
    """Remove leftovers and all but the newest ledgers that were set aside.

    Only for whoever has `ledger` open: another process may be rebuilding it otherwise.
    """
    building(ledger)
    for old in diverged(ledger)[:-DIVERGED_KEPT_MAX]:
        _log.warning("diverged_ledger_removed", folder=str(old), kept=DIVERGED_KEPT_MAX)
        shutil.rmtree(old)


def diverged(ledger: Path) -> list[Path]:
    """The ledgers that were set aside, by height and order."""
    pattern = re.compile(re.escape(ledger.name) + r"\.diverged-(\d+)(?:\.(\d+))?")
    found = [
        (int(match[1]), int(match[2] or 1), path)
        for path in ledger.parent.iterdir()
        if (match := pattern.fullmatch(path.name))
    ]
    return [path for _, _, path in sorted(found)]


def _free_name(ledger: Path, height: str) -> Path:
    path = ledger.with_name(f"{ledger.name}.diverged-{height}")
    number = 1
    while path.exists():
        number += 1
        path = ledger.with_name(f"{ledger.name}.diverged-{height}.{number}")
    return path
