"""The texts of the system contracts: packaged, checked, small, and helpful when they refuse."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import contracts.system
from contracts.bundle import SYSTEM_CONTRACTS, founders, genesis_contracts, system_sources
from contracts.parameters import PARAMETERS
from contracts.vm.check import check_source
from ledger.genesis import GenesisParty, Limits
from ledger.model import Validator, ValidatorSet
from ledger.values import decode_value
from tests.business import Business

SOURCES = dict(system_sources())
BENCH_SOURCES = {
    path.stem: path.read_text(encoding="ascii")
    for path in (Path(__file__).parents[2] / "bench" / "contracts").glob("*.py")
    if path.stem != "__init__"
}
REFUSAL = re.compile(r"[a-z]+\.[a-z_]+: [^ ].{6,}")


@pytest.mark.parametrize("name", SYSTEM_CONTRACTS)
def test_the_checker_finds_nothing_in_a_system_contract(name: str) -> None:
    assert check_source(SOURCES[name]) == []


@pytest.mark.parametrize("name", sorted(BENCH_SOURCES))
def test_the_checker_finds_no_error_in_a_benchmark_contract(name: str) -> None:
    # Their style is that of what is measured: calls that do nothing, loops over arguments.
    assert not [f for f in check_source(BENCH_SOURCES[name]) if f.severity == "error"]


@pytest.mark.parametrize("name", SYSTEM_CONTRACTS)
def test_every_refusal_has_a_code_of_its_contract_and_says_what_to_do(name: str) -> None:
    texts = [
        argument.value
        for call in ast.walk(ast.parse(SOURCES[name]))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        if call.func.id in ("require", "fail") and call.args
        if isinstance(argument := call.args[-1], ast.Constant) and isinstance(argument.value, str)
    ]
    assert texts
    for text in texts:
        assert REFUSAL.fullmatch(text) and text.startswith(name + "."), text


def test_the_table_of_the_package_names_all_in_the_order_of_their_deployment() -> None:
    named = re.findall(r"^    ([a-z]+) +\S", contracts.system.__doc__ or "", flags=re.MULTILINE)
    assert named == list(SYSTEM_CONTRACTS)


@pytest.mark.parametrize("name", SYSTEM_CONTRACTS)
def test_every_method_says_what_it_does(name: str) -> None:
    tree = ast.parse(SOURCES[name])
    assert ast.get_docstring(tree)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            assert ast.get_docstring(node), node.name


def test_the_genesis_tells_its_contracts_who_founds_and_who_orders() -> None:
    party = GenesisParty(id="bureau", name="Bureau", roles=("manager",), accounts=("ab" * 20,))
    committee = ValidatorSet((Validator("n", "bureau", bytes(64), "peer"),))
    limits = Limits(watermark_window=40)
    deployed = genesis_contracts(
        [party],
        validators=committee,
        limits=limits,
        addresses={"n": "/ip4/10.0.0.1/tcp/1"},
        roots=[("bureau", b"root")],
    )
    assert [contract.name for contract in deployed] == list(SYSTEM_CONTRACTS)
    assert decode_value(deployed[0].args) == [[["bureau", "Bureau", ["manager"], ["ab" * 20]]]]
    member = ["n", "bureau", bytes(64), "peer", "/ip4/10.0.0.1/tcp/1"]
    assert decode_value(deployed[1].args) == [[member], 40]
    args = {contract.name: decode_value(contract.args) for contract in deployed[2:]}
    figures = [[name, getattr(limits, name)] for name in PARAMETERS]
    assert args.pop("parameter") == [figures]
    assert args.pop("identity") == [[["bureau", b"root"]]]
    assert args.pop("algorithm") == [[]]
    assert all(arg == [] for arg in args.values())
    assert founders([party]) == [["bureau", "Bureau", ["manager"], ["ab" * 20]]]


def test_all_system_contracts_deploy_together() -> None:
    Business().offered()
