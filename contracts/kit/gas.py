"""Amounts of gas that know which lines of the source they are for."""

from __future__ import annotations

from collections.abc import Mapping


class Gas(int):
    """An int to the compiler, which adds, subtracts and compares amounts; `lines` is its make-up.

    Parts may be negative: where both ways of an `if` are paid at its head, the way that is taken
    gives back what was put down to the lines of the other one. The parts add up to the amount.
    """

    lines: Mapping[int, int]  # 1-based line -> gas units, none of them 0

    def __new__(cls, lines: Mapping[int, int]) -> Gas:
        gas = super().__new__(cls, sum(lines.values()))
        gas.lines = {line: amount for line, amount in lines.items() if amount}
        return gas

    def __add__(self, other: int) -> Gas:
        return _joined(self, other, 1)

    __radd__ = __add__

    def __sub__(self, other: int) -> Gas:
        return _joined(self, other, -1)

    def __eq__(self, other: object) -> bool:
        """Zero that moves gas from one line to another is not nothing: it is still charged."""
        return int(self) == other and (other != 0 or not self.lines)

    __hash__ = int.__hash__


def _joined(first: Gas, second: int, sign: int) -> Gas:
    if not isinstance(second, Gas):
        if second == 0:
            return first
        raise TypeError(f"{second} units of no line: a part of the compiler spends beside Body")
    lines = dict(first.lines)
    for line, amount in second.lines.items():
        lines[line] = lines.get(line, 0) + sign * amount
    return Gas(lines)
