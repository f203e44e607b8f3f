"""The gas of a fixed corpus of calls, pinned: a price never changes by accident.

Renew with `python -m tests.unit.test_gas_golden`; the change belongs into the commit that
changes a price, since it changes `vm_version` too.
"""

from __future__ import annotations

import json
from pathlib import Path

from bench import gas_page
from contracts.vm.testing import Chain, account
from ledger.values import Value

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).with_name("gas_golden.json")
PAGE = ROOT / "docs" / "gas.md"
ALICE, BOB = account("alice"), account("bob")
WORDS: list[Value] = ["Apple", "bee", "apple", "Cat"]
NUMBERS: list[Value] = [1, -2, 2**70, 2**255]
CALLS: list[tuple[str, list[Value]]] = [
    ("join", []),
    ("transfer", [BOB, 5]),
    ("transfer", [BOB, 0]),
    ("transfer", [ALICE, 7]),
    ("reads", [3, 20]),
    ("sum_loop", [[]]),
    ("sum_loop", [NUMBERS]),
    ("texts", [WORDS]),
    ("loop", ["no number"]),
    ("absent", []),
]
COUNTED = ("empty", "writes", "emits", "digests", "calls", "views", "loop", "while_loop")
CALLS += [(method, [count]) for method in COUNTED for count in (0, 1, 9, 100)]


def corpus() -> dict[str, int]:
    """Gas by call, in order, on a chain of its own."""
    chain = Chain()
    for name in ("peer", "workloads"):
        source = (ROOT / "bench" / "contracts" / f"{name}.py").read_text(encoding="ascii")
        assert chain.deploy(name, source).status == 0
    found = {}
    for number, (method, arguments) in enumerate(CALLS):
        receipt = chain.call(ALICE, "workloads", method, *arguments)
        outcome = receipt.error or "ok"
        shown = ", ".join(repr(argument)[:40] for argument in arguments)
        found[f"{number} {method}({shown}) {outcome}"] = receipt.gas_used
    return found


def test_gas_is_what_it_was() -> None:
    assert corpus() == json.loads(GOLDEN.read_text())


def test_the_page_shows_the_prices_as_they_are() -> None:
    assert gas_page.part_of(PAGE.read_text(), gas_page.PRICES) == gas_page.price_table(), (
        "run: python -m bench.gas --page docs/gas.md"
    )


def test_the_page_measures_every_price() -> None:
    measured = gas_page.part_of(PAGE.read_text(), gas_page.MEASURED)
    for line in gas_page.price_table().splitlines()[2:]:
        assert f"\n{line.split(' | ')[0]} |" in measured, (
            "run: python -m bench.gas --page docs/gas.md"
        )


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(corpus(), indent=1) + "\n")
