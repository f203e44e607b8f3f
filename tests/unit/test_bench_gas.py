"""Every price and every guard is timed by `make bench-gas`, or has a stated reason not to be."""

from __future__ import annotations

from bench import gas, gas_memory
from bench.gas_rows import ELSEWHERE, ROWS, WHOLE
from contracts.vm import prices
from contracts.vm.check import check_source
from contracts.vm.guard_names import GUARDS


def covered() -> set[str]:
    return {name for row in ROWS for name in row.covers.split()} | set(WHOLE)


def priced() -> set[str]:
    return {name for name in vars(prices) if name.startswith("GAS_")} | GUARDS


def test_every_price_and_guard_has_a_row_or_a_reason() -> None:
    assert priced() - covered() - ELSEWHERE.keys() == set()


def test_no_row_and_no_reason_names_what_does_not_exist() -> None:
    assert (covered() | ELSEWHERE.keys()) - priced() == set()


def test_labels_are_unique() -> None:
    assert len({row.label for row in ROWS}) == len(ROWS)


def test_every_program_compiles() -> None:
    for first in range(0, len(ROWS), gas.PER_CONTRACT):
        source = gas.program(ROWS[first : first + gas.PER_CONTRACT])
        assert [f for f in check_source(source) if f.severity == "error"] == []
    source = gas_memory.program()
    assert [f for f in check_source(source) if f.severity == "error"] == []
