"""Prices and limits of an earlier engine: kept by name, and in force in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from contracts.vm import limits, prices, start, worker
from contracts.vm.engines import ENGINES, FORMER, LATEST, Engine, former
from contracts.vm.version import VM_VERSION, vm_version

ROOT = Path(__file__).resolve().parents[2]
CHILD = """
import json, sys
from types import MappingProxyType
from contracts.vm.engines import Engine
Engine("test", 2, MappingProxyType(json.loads(sys.argv[1]))).install()
from contracts.vm.testing import Chain, account
chain = Chain()
source = '''
from contracts.dialect import Map, call
items = Map(int, int)
@call
def put(n: int) -> None:
    for i in range(n):
        items[i] = i
'''
assert chain.deploy("items", source).status == 0
receipt = chain.call(account("a"), "items", "put", 10)
print(receipt.status, receipt.gas_used, receipt.error)
"""


def ran_under(figures: Mapping[str, int]) -> tuple[int, int, str]:
    """Status, gas and error of ten writes in a process of these figures."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, json.dumps(figures)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    status, gas, *error = done.stdout.split()
    return int(status), int(gas), " ".join(error)


@pytest.mark.parametrize(
    "figures",
    [
        {"GAS_NOTHING": 3},
        {"os": 3},
        {"GAS_WRITE": prices.GAS_WRITE},
        {"EVENTS_MAX": limits.EVENTS_MAX + 1},
    ],
)
def test_figures_that_nothing_ever_had_or_the_parent_would_refuse(
    figures: Mapping[str, int],
) -> None:
    with pytest.raises(ValueError, match=next(iter(figures))):
        former(2, figures)


def test_a_changed_price_keeps_the_old_engine_by_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the release after a change of prices does: one line, and the old name is there."""
    old = prices.GAS_WRITE
    monkeypatch.setattr(prices, "GAS_WRITE", old + 500)
    monkeypatch.setattr(limits, "EVENTS_MAX", limits.EVENTS_MAX + 1)
    assert vm_version(LATEST.language) != VM_VERSION
    kept = former(LATEST.language, {"GAS_WRITE": old, "EVENTS_MAX": limits.EVENTS_MAX - 1})
    assert kept.vm_version == VM_VERSION
    assert former(LATEST.language, {"GAS_WRITE": old}).vm_version not in (
        VM_VERSION,
        vm_version(LATEST.language),
    )


def test_an_engine_charges_by_its_own_figures() -> None:
    status, gas, _ = ran_under({})
    assert status == 0
    assert ran_under({"GAS_WRITE": prices.GAS_WRITE + 7}) == (0, gas + 10 * 7, "")


def test_an_engine_has_its_own_limits() -> None:
    assert ran_under({"STORED_KEY_SIZE_MAX": 3})[2] == "value_limit"
    assert ran_under({"FLUSH_EVERY": limits.FLUSH_EVERY // 2})[0] == 0


@pytest.mark.parametrize("name", ["test", "unknown"])
def test_the_child_has_its_figures_before_it_becomes_the_worker(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = (prices.GAS_WRITE, limits.EVENTS_MAX)
    figures = {"GAS_WRITE": old[0] + 7, "EVENTS_MAX": old[1] - 7}
    for module, constant, value in ((prices, "GAS_WRITE", old[0]), (limits, "EVENTS_MAX", old[1])):
        monkeypatch.setattr(module, constant, value)  # set back at the end
    monkeypatch.setattr(start, "ENGINES", {"test": Engine("test", 2, figures)})
    seen: list[tuple[object, ...]] = []

    def become(arguments: Sequence[str]) -> int:
        seen.append((*arguments, prices.GAS_WRITE, limits.EVENTS_MAX))
        return 7

    monkeypatch.setattr(worker, "main", become)
    assert start.main(["--engine", name, "--unjailed"]) == 7
    expected = tuple(figures.values()) if name == "test" else old
    assert seen == [("--engine", name, "--unjailed", *expected)]


def test_this_release_has_one_engine_of_each_name_and_its_own_last() -> None:
    assert list(ENGINES)[-1] == LATEST.vm_version == VM_VERSION
    assert len(ENGINES) == len({(e.language, tuple(e.figures.items())) for e in ENGINES.values()})
    assert all(engine.figures for engine in FORMER)
