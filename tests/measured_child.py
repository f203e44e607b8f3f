"""A function in a forked child that may lock itself in, with the branches it takes still counted.

What a jailed child runs no tool can see: it can open no file to leave figures in. So where this
process is measured, the child measures itself in memory and says the figures through the pipe that
its result takes, too.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable

import coverage
import msgspec

from contracts.vm import frames


class ChildFailed(AssertionError):
    """The child's function raised; the message is its traceback."""


class _Report(msgspec.Struct, array_like=True):
    result: list[str]
    failure: str
    arcs: dict[str, list[tuple[int, int]]]  # by file: from line to line; empty if not measured


def in_child(work: Callable[[], list[str]]) -> list[str]:
    """What `work` returned in a child that ended right after. Raises ChildFailed, PipeBroken."""
    measured = coverage.Coverage.current()
    if measured is not None and not measured.get_option("run:branch"):
        measured = None  # it is about lines: the tests of mutation have no use for this
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            report = _plain(work) if measured is None else _measured(work, measured)
            frames.send(writes, msgspec.msgpack.encode(report))
        finally:
            os._exit(0)
    os.close(writes)
    try:
        report = msgspec.msgpack.decode(frames.receive(reads), type=_Report)
    finally:
        os.close(reads)
        os.waitpid(child, 0)
    if measured is not None:
        measured.get_data().add_arcs(report.arcs)
    if report.failure:
        raise ChildFailed(report.failure)
    return report.result


def _plain(work: Callable[[], list[str]]) -> _Report:
    try:
        return _Report(work(), "", {})
    except BaseException:
        return _Report([], traceback.format_exc(), {})


def _measured(work: Callable[[], list[str]], outer: coverage.Coverage) -> _Report:
    own = coverage.Coverage(data_file=None, branch=True, config_file=False, messages=False)
    for option in ("run:source", "run:include"):
        own.set_option(option, outer.get_option(option))
    own.start()
    report = _plain(work)
    own.stop()
    data = own.get_data()
    report.arcs = {name: data.arcs(name) or [] for name in data.measured_files()}
    return report
