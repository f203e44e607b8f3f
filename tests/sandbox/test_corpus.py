"""All attacks together: alike under every hash seed and CPython, and no worker is hurt by any."""

from __future__ import annotations

import dis
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from contracts.bundle import system_sources
from contracts.vm import verify
from contracts.vm.check import check_source
from contracts.vm.compile import check, compile_source
from contracts.vm.host import Worker
from contracts.vm.rules import SourceRefused
from tests.fuzz_vm.compare import drawn
from tests.jailed_chain import JailedChain
from tests.sandbox import corpus

ROOT = Path(__file__).resolve().parents[2]
SEEDS = ("0", "1", "42", "31337", "4294967295")
# Where `make versions` puts other versions of CPython with what contracts.vm needs.
OTHERS = {"3.12": ".make/py312", "3.13": ".make/py313"}
GAS = 300_000
IN_ONE_BLOCK = 40  # deployments of one genesis: gas and time of it are bounded


def outcomes(python: str, seed: str) -> list[str]:
    environment = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed, "PATH": os.defpath}
    done = subprocess.run(
        [python, "-B", "-m", "tests.sandbox.corpus"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def expected() -> list[str]:
    return list(corpus.lines())


def test_there_are_more_than_300_attacks_of_different_names() -> None:
    names = [name for name, _ in corpus.attacks()]
    assert len(names) == len(set(names)) > 300


@pytest.mark.slow
def test_five_hash_seeds_give_equal_outcomes(expected: list[str]) -> None:
    with ThreadPoolExecutor(2) as pool:
        for told in pool.map(lambda seed: outcomes(sys.executable, seed), SEEDS):
            assert told == expected


@pytest.mark.slow
@pytest.mark.parametrize("version", OTHERS)
def test_another_version_of_cpython_gives_equal_outcomes(version: str, expected: list[str]) -> None:
    python = ROOT / OTHERS[version] / "bin/python"
    if not python.exists():
        pytest.skip(f"no CPython {version} prepared here: run `make versions`")
    for seed in SEEDS[:2]:
        assert outcomes(str(python), seed) == expected


@pytest.mark.slow
def test_one_jailed_worker_outlives_every_attack() -> None:
    accepted = [
        (f"a{number}", source)
        for number, (_, source) in enumerate(corpus.attacks())
        if not any(finding.severity == "error" for finding in check_source(source))
    ]
    assert len(accepted) > 100
    with Worker() as worker:
        before = worker.process_id
        for start in range(0, len(accepted), IN_ONE_BLOCK):
            some = accepted[start : start + IN_ONE_BLOCK]
            chain = JailedChain(worker, some)
            receipts = chain.block([(name, "attack", []) for name, _ in some], gas_limit=GAS)
            assert len(receipts) == len(some)
            assert "internal" not in {receipt.error for receipt in receipts}
        assert (worker.process_id, worker.restarts) == (before, 0)


def test_what_a_receipt_says_of_a_syntax_error_quotes_no_parser() -> None:
    for source in ("x = = 1\n", "def f(:\n", "f'{a b}'\n", "'abc\n"):
        with pytest.raises(SourceRefused) as refused:
            compile_source(source)
        assert str(refused.value) == "S004 source is Python 3.11 syntax"


def test_every_opcode_that_is_allowed_is_one_that_the_compiler_makes() -> None:
    sources = [source for _, source in corpus.attacks()] + [drawn(i) for i in range(60)]
    seen = set()
    for source in [*sources, *(text for _, text in system_sources())]:
        _, compiled = check(source)
        if compiled is not None:
            for code in compiled.functions.values():
                seen |= {dis.opname[number] for number in code.co_code[::2]}
    assert seen <= verify.OPCODES
    # CPython fills in and widens as it likes.
    assert verify.OPCODES - seen <= {"CACHE", "NOP", "EXTENDED_ARG", "COPY", "SWAP"}
