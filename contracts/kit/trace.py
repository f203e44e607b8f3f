"""Watches contract code run: which marks go by, and what is left on the meter at each.

A trace function of Python, in place only while a contract runs. What the meter lost since the
mark before was spent there. Whatever else is called is shown to the trace function that was in
place before, so coverage.py and debuggers go on seeing what is not a contract.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, TypeAlias

from contracts.kit.marks import Effect, Mark
from contracts.kit.usage import Usage
from contracts.vm.meter import Meter

# What sys.settrace() takes and sys.gettrace() gives, with an argument that the event decides.
TraceFunction: TypeAlias = Callable[..., Any]


@dataclass(slots=True)
class _Frame:
    usage: Usage
    at: Mark
    pending: dict[int, int] = field(default_factory=dict)  # in the local counter, by line


class Tracer:
    """Puts down to lines what contracts spend. `usage_of` says whose frame it is, if anyone's."""

    def __init__(self, meter: Meter, usage_of: Callable[[FrameType], Usage | None]) -> None:
        self.meter = meter
        self.beside = 0  # gas of this run that was spent in no frame of a contract
        self._usage_of = usage_of
        self._left = 0
        self._frames: list[_Frame] = []
        self._before: TraceFunction | None = None

    @contextmanager
    def run(self, gas_limit: int) -> Iterator[None]:
        """One transaction or view inside, which begins with `gas_limit` on the meter."""
        self._left = gas_limit
        self.beside = 0
        self._frames.clear()
        self._before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            yield
        finally:
            sys.settrace(self._before)
            self._before = None
            self._settle()

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        usage = self._usage_of(frame)
        if usage is not None:
            self._settle()
            self._frames.append(_Frame(usage, usage.map.marks[0]))
            return self._step
        if self._before is None:
            return None
        local = self._before(frame, event, argument)
        if sys.gettrace() != self._trace:  # that of coverage.py installs itself when called
            sys.settrace(self._trace)
        return local

    def _step(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            self._settle()
            self._pass(self._frames[-1], frame.f_lineno)
        elif event == "return":
            self._settle()
            self._frames.pop()
        return self._step

    def _pass(self, top: _Frame, number: int) -> None:
        mark = top.at = top.usage.map.marks[number]
        match mark.effect:
            case Effect.START:
                top.usage.hits[mark.line] += 1
            case Effect.BRANCH if mark.branch is not None:
                top.usage.taken[mark.branch] += 1
            case Effect.CHARGE:
                _add(top.pending, mark.gas)

    def _settle(self) -> None:
        """Put down what the meter lost since the last time. Below 0 it is empty: that is free."""
        left = max(0, self.meter.left)
        spent, self._left = self._left - left, left
        if not spent:
            return
        if not self._frames:
            self.beside += spent
            return
        top = self._frames[-1]
        match top.at.effect:
            case Effect.FLUSH:
                spent = _hand_out(spent, top.pending, top.usage.gas)
                top.pending = {}
            case Effect.PACED:
                turns, spent = divmod(spent, sum(top.at.gas.values()))
                _add(top.usage.gas, {line: gas * turns for line, gas in top.at.gas.items()})
        if spent:
            _add(top.usage.gas, {top.at.line: spent})


def _add(sums: dict[int, int], parts: Mapping[int, int]) -> None:
    for line, gas in parts.items():
        sums[line] = sums.get(line, 0) + gas


def _hand_out(spent: int, parts: Mapping[int, int], sums: dict[int, int]) -> int:
    """Put `parts` down to their lines; gas that ran out pays for the first ones only."""
    if spent == sum(parts.values()):
        _add(sums, parts)
        return 0
    for line, gas in parts.items():
        paid = min(max(0, gas), spent)
        _add(sums, {line: paid})
        spent -= paid
    return spent
