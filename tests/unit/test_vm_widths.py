"""How wide an int local can become: the exact number of bits, since one too few is no check."""

from __future__ import annotations

import ast

import pytest

from contracts.vm.widths import local_widths

CONSTANTS = {"LIMIT": 3, "NAME": "x", "FLAG": True}

# body of `def f(a, b)` -> widths of its locals that stay below the bound
WIDTHS: dict[str, dict[str, int]] = {
    "x = 0": {"x": 0},
    "x = 255": {"x": 8},
    "x = -5": {"x": 4},
    "x = ~5": {"x": 4},
    "x = a": {},
    "x = 'a'": {},
    "x = LIMIT": {"x": 2},
    "x = FLAG": {"x": 1},
    "x = NAME": {},
    "x = nothing": {},
    "x: int = 7": {"x": 3},
    "x = 7; y = x + 1": {"x": 3, "y": 4},
    "x = 7; y = x * 255": {"x": 3, "y": 11},
    "x = 7; y = x // 2": {"x": 3, "y": 3},
    "x = 7; y = a // 2": {"x": 3},
    "x = 7; y = a % 255": {"x": 3, "y": 8},
    "x = 7; y = x & 255": {"x": 3, "y": 9},
    "x = 7; y = x ** 2": {"x": 3},
    "x = 1 if b else 300": {"x": 9},
    "x = 300 if b else a": {},
    "x = len(a)": {"x": 20},
    "x = len(a) * 2": {"x": 22},
    "x = 1; x = 300": {"x": 9},
    "x, y = 1, 300": {"x": 1, "y": 9},
    "x, (y, z) = 1, a": {"x": 1},
    "x, y = a": {},
    "x = 1; x, y = a": {},
    "x = 1; (x, y), z = a, 2": {"z": 2},
    "x = 0; x += 1": {"x": 66},
    "x = 0; x += 0": {"x": 65},
    "x = 0; x -= 7": {"x": 68},
    "x = 0; x += a": {},
    "x = 0; x = x + 7": {"x": 68},
    "x = 0; x = x - 7": {"x": 68},
    "x = 0; x += 1; x += 255": {"x": 73},
    f"x = {2**100}; x += 1": {"x": 102},
    "x = 1; x *= 3": {},
    "x = 5; x //= 2": {"x": 3},
    "x = 5; x %= 255": {"x": 8},
    # What still grows after a few passes is taken to reach the bound, and what hangs on it, too.
    "k = 1; x = 1; x = x * 2": {"k": 1},
    "k = 1; x = 1; x = x * 2; y = x; z = y": {"k": 1},
    "k = 1; x = 1; x = x * 2; z = y; y = x": {"k": 1},
    "t = 300; u = t; v = u; w = v; x = w": {"t": 9, "u": 9, "v": 9, "w": 9},
    "t = 9; u = t; v = u; w = v; x = w; y = x; z = y": {"t": 4, "u": 4, "v": 4, "w": 4},
    "s = 9; t = s; u = t; v = u; w = v; x = w; y = x; z = y": {},
    "x = 1; y = x; z = y": {"x": 1, "y": 1, "z": 1},
    # --- loops ---
    "for i in range(5): pass": {"i": 3},
    "for i in range(a): pass": {"i": 64},
    "for i in range(1, a): pass": {"i": 65},
    "for i in range(300, 5): pass": {"i": 9},
    f"for i in range({2**100}, a): pass": {"i": 102},
    "for i in range(a, 5): pass": {},
    "for i in range(0, a, 3): pass": {"i": 67},
    "for i in range(10, 0, -1): pass": {"i": 4},
    f"for i in range({2**100}, a, 3): pass": {"i": 102},
    "for i in range(0, a, b): pass": {},
    "for i in range(1, 2, 3, 4): pass": {},
    "for i in a: pass": {},
    "for i, x in enumerate(a): pass": {"i": 64},
    "x = 1\n    for i, x in enumerate(a): pass": {"i": 64},
    "x = 1\n    for x, y in zip(a, b): pass": {},
    "x = [i for i in range(5)]": {"i": 3},
    "x = [i for i in a]": {},
}


@pytest.mark.parametrize("body", WIDTHS)
def test_a_local_is_as_wide_as_that(body: str) -> None:
    function = ast.parse(f"def f(a, b):\n    {body}\n").body[0]
    assert isinstance(function, ast.FunctionDef)
    assert local_widths(function, CONSTANTS) == WIDTHS[body]
