"""`make bench-gas`: what a unit of gas buys, in nanoseconds and in bytes, operation by operation.

A unit is meant to be worth about the same time whatever it is spent on; an operation far dearer
than the median is underpriced, and whoever finds it slows every node at once. Fails when the
dearest exceeds FACTOR_MAX times the median, or when live memory at the gas bounds of a block could
come near the worker's limit.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import gas_memory, gas_page, gas_report
from bench.gas_rows import PRELUDE, ROWS, Row
from bench.vm_rig import source_of
from contracts.vm.testing import Chain, account
from crypto import sm2
from ledger.values import Value

FACTOR_MAX = 4.0  # times the median of all operations
GAS_LIMIT = 1 << 40  # these programs are long on purpose
SENDER = account("bench")
PER_CONTRACT = 25  # rows in one source


@dataclass(frozen=True, slots=True)
class Figure:
    """One operation: gas and ns of a single `act`."""

    label: str
    covers: str
    gas: float
    ns: float

    @property
    def ns_per_gas(self) -> float:
        return self.ns / self.gas


def program(rows: tuple[Row, ...]) -> str:
    """A contract with a method per row, and one with the loop alone."""
    empty = Row("", "", "", "pass")
    parts = [PRELUDE]
    for number, row in enumerate((*rows, empty)):
        setup = "".join(f"    {line}\n" for line in row.setup.split("\n") if line)
        act = "".join(f"        {line}\n" for line in row.act.split("\n"))
        parts.append(
            f"@call\ndef row_{number}(n: int, hexes: list[str]) -> None:\n{setup}"
            f"    for i in range(n):\n{act}"
        )
    return "".join(parts)


def hexes() -> list[Value]:
    private = sm2.generate()
    good = sm2.sign(private, b"m")
    bad = good[:-1] + bytes([good[-1] ^ 1])
    return [sm2.public_key(private).hex(), good.hex(), bad.hex()]


class Timer:
    """Runs methods of a contract and says what they took."""

    def __init__(self, rows: tuple[Row, ...]) -> None:
        self.chain = Chain()
        receipt = self.chain.deploy("peer", source_of("peer"))
        assert receipt.status == 0
        receipt = self.chain.deploy("rows", program(rows))
        if receipt.status != 0:
            raise RuntimeError(f"the programs do not deploy: {receipt.detail}")
        self.hexes = hexes()
        self.rows = rows

    def label(self, method: int) -> str:
        return self.rows[method].label if method < len(self.rows) else "the empty loop"

    def run(self, method: int, turns: int) -> tuple[float, int]:
        """ns and gas of one transaction, without the commit."""
        call = self.chain.transaction(
            SENDER, "rows", f"row_{method}", [turns, self.hexes], GAS_LIMIT
        )
        began = time.perf_counter_ns()
        receipt = self.chain.machine.transaction(call)
        took = time.perf_counter_ns() - began
        if receipt.status != 0:
            raise RuntimeError(f"{self.label(method)}: {receipt.error}: {receipt.detail}")
        self.chain.machine.state.take_writes()
        self.chain.machine.state.forget()
        return took, receipt.gas_used


def measure(rows: tuple[Row, ...], rounds: int) -> list[Figure]:
    timer = Timer(rows)
    found = []
    for number, row in enumerate(rows):
        parts = ((number, row.turns), (number, 0), (len(rows), row.turns), (len(rows), 0))
        runs = [[timer.run(*part) for part in parts] for _ in range(rounds)]
        # The least of each: neighbours on the machine only ever add.
        full, none, loop, idle = (min(run[place][0] for run in runs) for place in range(4))
        gas_full, gas_none, gas_loop, gas_idle = (gas for _, gas in runs[0])
        ns = (full - none - (loop - idle)) / row.turns
        gas = (gas_full - gas_none - (gas_loop - gas_idle)) / row.turns
        found.append(Figure(row.label, row.covers, gas, max(0.0, ns)))
    return found


WHOLE_SOURCE = (
    "from contracts.dialect import call\n"
    "@call\ndef nothing(text: str) -> None:\n    pass\n"
    "@call\ndef echo(text: str) -> str:\n    return text\n"
)


def measure_whole(rounds: int) -> list[Figure]:
    """Prices of a transaction as such: its base, its arguments, its result, its source."""
    chain = Chain()
    chain.deploy("whole", WHOLE_SOURCE)
    text = "x" * 60_000

    def run(method: str, argument: str) -> tuple[float, int]:
        call = chain.transaction(SENDER, "whole", method, [argument], GAS_LIMIT)
        began = time.perf_counter_ns()
        receipt = chain.machine.transaction(call)
        return time.perf_counter_ns() - began, receipt.gas_used

    source = source_of("workloads")

    def deploy() -> tuple[float, int]:
        fresh = Chain()

        began = time.perf_counter_ns()
        receipt = fresh.deploy("fresh", source)
        return time.perf_counter_ns() - began, receipt.gas_used

    def best(act: Callable[[], tuple[float, int]]) -> tuple[float, int]:
        pairs = [act() for _ in range(rounds * 3)]
        return min(pair[0] for pair in pairs), pairs[0][1]

    base = best(lambda: run("nothing", ""))
    arguments = best(lambda: run("nothing", text))
    results = best(lambda: run("echo", text))
    sources = best(deploy)
    return [
        Figure("a transaction", "GAS_TRANSACTION_BASE", base[1], base[0]),
        Figure(
            "60,000 bytes of arguments",
            "GAS_ARGUMENT_BYTE",
            arguments[1] - base[1],
            max(0.0, arguments[0] - base[0]),
        ),
        Figure(
            "60,000 bytes of result",
            "GAS_RESULT_BYTE",
            results[1] - arguments[1],
            max(0.0, results[0] - arguments[0]),
        ),
        Figure("deploying a source", "GAS_SOURCE_BYTE", sources[1], sources[0]),
    ]


def all_figures(rounds: int) -> list[Figure]:
    found = measure_whole(rounds)
    for first in range(0, len(ROWS), PER_CONTRACT):
        found += measure(ROWS[first : first + PER_CONTRACT], rounds)
    return sorted(found, key=lambda figure: -figure.ns_per_gas)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.gas", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--output", type=Path, help="also write the tables to this file")
    parser.add_argument("--page", type=Path, help="renew the generated parts of docs/gas.md")
    options = parser.parse_args()
    print(f"{len(ROWS)} operations, {options.rounds} rounds …", file=sys.stderr)
    figures = all_figures(options.rounds)
    memory = gas_memory.measure()
    text, is_met = gas_report.render(figures, memory, FACTOR_MAX)
    print(text)
    if options.output:
        options.output.write_text(text)
    if options.page:
        page = options.page.read_text(encoding="utf-8")
        page = gas_page.with_part(page, gas_page.PRICES, gas_page.price_table())
        said = gas_report.summary(figures, memory, FACTOR_MAX)
        measured = gas_page.measured_table(figures, said)
        page = gas_page.with_part(page, gas_page.MEASURED, measured)
        options.page.write_text(page, encoding="utf-8")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
