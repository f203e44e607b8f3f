"""A function in a process of its own that may lock itself in, with its branches still counted.

What a jailed child runs no tool can see: it can open no file to leave figures in. So where this
process is measured, the child measures itself in memory and says the figures through the pipe that
its result takes, too. It is started anew, not forked: this process may have threads, and more
memory than a jail allows.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import coverage
import msgspec

ROOT = Path(__file__).resolve().parents[1]
SECONDS_MAX = 60
_STDOUT = 1


class ChildFailed(AssertionError):
    """The child's function raised; the message is its traceback."""


class _Report(msgspec.Struct, array_like=True):
    result: list[str]
    failure: str
    arcs: dict[str, list[tuple[int, int]]]  # by file: from line to line; empty if not measured


class _Order(msgspec.Struct, array_like=True):
    module: str
    function: str
    measured: dict[str, list[str] | None] | None  # options of the measurement, if there is one


def in_child(work: Callable[[], list[str]]) -> list[str]:
    """What `work`, a function of a module, returned in a child. Raises ChildFailed."""
    measured = coverage.Coverage.current()
    if measured is not None and not measured.get_option("run:branch"):
        measured = None  # it is about lines: the tests of mutation have no use for this
    options: dict[str, list[str] | None] | None = None
    if measured is not None:
        options = {name: _names(measured, name) for name in ("run:source", "run:include")}
    order = msgspec.json.encode(_Order(work.__module__, work.__qualname__, options)).decode()
    run = subprocess.run(
        [sys.executable, "-m", __name__, order],
        cwd=ROOT,
        capture_output=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    if not run.stdout:
        raise ChildFailed(f"it ended with {run.returncode}: {run.stderr.decode()}")
    report = msgspec.msgpack.decode(run.stdout, type=_Report)
    if measured is not None:
        measured.get_data().add_arcs(report.arcs)
    if report.failure:
        raise ChildFailed(report.failure)
    return report.result


def _names(measured: coverage.Coverage, option: str) -> list[str] | None:
    value = measured.get_option(option)
    return [str(name) for name in value] if isinstance(value, list) else None


def main(order: _Order) -> None:
    work = getattr(importlib.import_module(order.module), order.function)
    report = _plain(work) if order.measured is None else _measured(work, order.measured)
    os.write(_STDOUT, msgspec.msgpack.encode(report))


def _plain(work: Callable[[], list[str]]) -> _Report:
    try:
        return _Report(work(), "", {})
    except BaseException:
        return _Report([], traceback.format_exc(), {})


def _measured(work: Callable[[], list[str]], options: dict[str, list[str] | None]) -> _Report:
    own = coverage.Coverage(data_file=None, branch=True, config_file=False, messages=False)
    for option, value in options.items():
        own.set_option(option, value)
    own.start()
    report = _plain(work)
    own.stop()
    data = own.get_data()
    report.arcs = {name: data.arcs(name) or [] for name in data.measured_files()}
    return report


if __name__ == "__main__":
    main(msgspec.json.decode(sys.argv[1], type=_Order))
