"""The generated parts of docs/gas.md: `python -m bench.gas --page docs/gas.md` rewrites both.

The price table comes from prices.py, comments and all; the measured part from the run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from bench.gas_report import Figure
from contracts.vm import prices

PRICES, MEASURED = "prices", "measured"
_LINE = re.compile(r"(GAS_\w+) = ([\d_]+)(?:  # (.*))?")


def price_table() -> str:
    """Markdown: every constant of prices.py with its units and what it pays for."""
    assert prices.__file__ is not None
    lines = ["| price | gas | pays for |", "|---|---|---|"]
    remarks: list[str] = []
    for line in Path(prices.__file__).read_text(encoding="ascii").splitlines():
        if line.startswith("# ") and not line.startswith("# ---"):
            remarks.append(line[2:])
            continue
        match = _LINE.fullmatch(line)
        if match:
            name, number, comment = match.groups()
            meaning = comment or " ".join(remarks)
            lines.append(f"| `{name}` | {int(number):,} | {meaning} |")
        remarks = []
    return "\n".join(lines) + "\n"


def measured_table(figures: Sequence[Figure], summary: str) -> str:
    """Markdown: per price, the dearest operation that it is part of. Dearest figures first."""
    lines = [summary, "", "| price | dearest operation | gas | ns | ns per gas |"]
    lines.append("|---|---|---|---|---|")
    for name in sorted(name for name in vars(prices) if name.startswith("GAS_")):
        figure = next(figure for figure in figures if name in figure.covers.split())
        lines.append(
            f"| `{name}` | {figure.label} | {figure.gas:,.0f} | {figure.ns:,.0f} | "
            f"{figure.ns_per_gas:.2f} |"
        )
    return "\n".join(lines) + "\n"


def part_of(page: str, name: str) -> str:
    """What stands between the marks of a generated part."""
    return page.split(_mark(name))[1].split(_mark(f"/{name}"))[0]


def with_part(page: str, name: str, text: str) -> str:
    before, rest = page.split(_mark(name))
    return before + _mark(name) + text + _mark(f"/{name}") + rest.split(_mark(f"/{name}"))[1]


def _mark(name: str) -> str:
    return f"<!-- {name} -->\n"
