"""What a test run shows of its contracts: gas by line, coverage, and both as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import TypedDict

from contracts.kit.usage import Usage, percent

GAS_HEAD = f"{'line':>5} {'hits':>8} {'gas':>12} {'share':>7}"
NEVER = "never"  # among the hits: there is a statement, and it did not run


class Line(TypedDict):
    """A line of the source that has statements or spent gas."""

    line: int
    hits: int | None  # statements begun here; null: none begins here
    gas: int


class Way(TypedDict):
    line: int
    way: str  # true false (if), body exit (loops)
    hits: int


class Contract(TypedDict):
    contract: str
    source: str
    calls: int
    gas_beside: int  # base, arguments and result of its calls: spent in no line
    gas_lines: int
    percent: float
    lines: list[Line]
    branches: list[Way]


class Report(TypedDict):
    """The JSON file. `version` changes when a field changes its meaning or goes."""

    version: int
    percent: float
    contracts: list[Contract]


def as_json(usages: list[Usage]) -> Report:
    """All of `usages`, for programs."""
    contracts = [_contract(title, usage) for title, usage in titled(usages)]
    return {"version": 1, "percent": round(percent(usages), 2), "contracts": contracts}


def titled(usages: list[Usage]) -> Iterator[tuple[str, Usage]]:
    """Each with its name; further sources under one name are `NAME (source 2)` and so on."""
    count: Counter[str] = Counter()
    for usage in usages:
        count[usage.contract] += 1
        number = count[usage.contract]
        yield usage.contract + (f" (source {number})" if number > 1 else ""), usage


def gas_table(title: str, usage: Usage) -> Iterator[str]:
    """The source, each line after its hits, the gas that it spent and its share of all."""
    total = usage.lines_gas + usage.beside
    yield f"{title}: {total:,} gas in {usage.calls:,} calls from outside"
    yield GAS_HEAD
    for number, text in enumerate(usage.map.source.rstrip("\n").split("\n"), 1):
        yield f"{number:>5} {_figures(usage, number, total)}  {text}".rstrip()
    rest = f"{usage.beside:>12,} {_share(usage.beside, total)}"
    yield f"{'':>5} {'':>8} {rest}  (base, arguments and results of calls)"


def coverage_table(usages: list[Usage]) -> Iterator[str]:
    """A line for each: what ran of its lines and branches, and what never did."""
    rows = [("contract", "lines", "branches", "cover", "never reached")]
    rows += [_coverage(title, usage) for title, usage in titled(usages)]
    rows.append(("all", "", "", f"{percent(usages):.1f} %", ""))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *cells, missed in rows:
        figures = (f"{c:>{w}}" for c, w in zip(cells, widths[1:4], strict=True))
        yield "  ".join((f"{name:<{widths[0]}}", *figures, missed)).rstrip()


def _figures(usage: Usage, number: int, total: int) -> str:
    gas = usage.gas.get(number, 0)
    spent = f"{gas:>12,} {_share(gas, total)}" if gas else f"{'':>12} {'':>7}"
    hits = f"{usage.hits[number]:,}" if number in usage.hits else ""
    if number in usage.map.lines and not hits:
        hits = NEVER
    return f"{hits:>8} {spent}"


def _share(gas: int, total: int) -> str:
    return f"{100 * gas / total if total else 0:>5.1f} %"


def _coverage(title: str, usage: Usage) -> tuple[str, str, str, str, str]:
    lines, branches = usage.map.lines, usage.map.branches
    ways = [f"{branch.line} {branch.way}" for branch in usage.missed_branches]
    return (
        title,
        f"{len(lines) - len(usage.missed_lines)}/{len(lines)}",
        f"{len(usage.taken)}/{len(branches)}",
        f"{percent([usage]):.1f} %",
        ", ".join([*_ranges(usage.missed_lines, sorted(lines)), *ways]),
    )


def _ranges(missed: list[int], lines: list[int]) -> Iterator[str]:
    """`missed` as ranges; lines without statements between two missed ones do not part them."""
    place = {line: position for position, line in enumerate(lines)}
    for _, group in groupby(enumerate(missed), lambda pair: place[pair[1]] - pair[0]):
        run = [line for _, line in group]
        yield f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0])


def _contract(title: str, usage: Usage) -> Contract:
    numbers = sorted(usage.map.lines | (+usage.gas).keys())
    branches = sorted(usage.map.branches, key=lambda branch: (branch.line, branch.way))
    return {
        "contract": title,
        "source": usage.map.source,
        "calls": usage.calls,
        "gas_beside": usage.beside,
        "gas_lines": usage.lines_gas,
        "percent": round(percent([usage]), 2),
        "lines": [
            {
                "line": number,
                "hits": usage.hits[number] if number in usage.map.lines else None,
                "gas": usage.gas[number],
            }
            for number in numbers
        ],
        "branches": [{"line": b.line, "way": b.way, "hits": usage.taken[b]} for b in branches],
    }
