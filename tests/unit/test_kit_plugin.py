"""The pytest plugin of contract authors, run as they run it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]
SOURCE = """from contracts.dialect import Map, call, ctx, require, view
counts = Map(str, int)


@call
def add(n: int) -> int:
    require(n > 0, "nothing to add")
    if n > 100:
        n = 100
    counts[ctx.sender] = counts.get(ctx.sender, 0) + n
    return counts[ctx.sender]


@view
def count(who: str) -> int:
    return counts.get(who, 0)"""
TESTS = """
import pathlib

def test_adding(chain):
    chain.deploy("counter", pathlib.Path(__file__).with_name("counter.txt"))
    assert chain.must("alice", "counter", "add", 3) == 3
    assert chain.refusal("bob", "counter", "add", 0) == "nothing to add"

def test_again(chain):
    chain.deploy("counter", pathlib.Path(__file__).with_name("counter.txt"))
    assert chain.must("alice", "counter", "add", 4) == 4
"""


@pytest.fixture
def author(pytester: pytest.Pytester) -> pytest.Pytester:
    """The folder of somebody who wrote a contract and two tests of it."""
    pytester.makefile(".txt", counter=SOURCE)
    pytester.makepyfile(TESTS)
    pytester.makeconftest('pytest_plugins = ["contracts.kit.plugin"]')
    pytester.syspathinsert(ROOT)
    return pytester


def run(author: pytest.Pytester, *options: str) -> pytest.RunResult:
    return author.runpytest_subprocess("-p", "no:cacheprovider", *options)


def test_without_options_nothing_is_measured_or_said(author: pytest.Pytester) -> None:
    author.makepyfile(
        test_plain="""
        import sys
        from contracts.vm.apply import Machine
        def test_it(chain):
            assert type(chain.machine) is Machine
            assert sys.gettrace() is None
        """
    )
    result = run(author)
    result.assert_outcomes(passed=3)
    assert "contract" not in result.stdout.str().replace("contracts.kit", "")


def test_gas_is_shown_by_line_over_all_chains(author: pytest.Pytester) -> None:
    result = run(author, "--contract-gas")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "*gas of contracts by line*",
            "counter: * gas in 3 calls from outside",
            " line     hits          gas   share",
            "    2                                counts = Map(str, int)",
            '    7        3 * %      require(n > 0, "nothing to add")',
            "    9    never * n = 100",
            "   11        2 * %      return counts[[]ctx.sender[]]",
            "* %  (base, arguments and results of calls)",
        ]
    )


def test_coverage_tells_what_was_never_reached(author: pytest.Pytester) -> None:
    result = run(author, "--contract-coverage")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "*coverage of contracts*",
            "contract  lines  branches   cover  never reached",
            "counter     4/6       1/2  62.5 %  9, 16, 8 true",
            "all                        62.5 %",
        ]
    )


@pytest.mark.parametrize(("least", "code"), [("62.5", 0), ("62.6", 1), ("0", 0), ("100", 1)])
def test_a_run_fails_below_the_least_coverage(
    author: pytest.Pytester, least: str, code: int
) -> None:
    result = run(author, f"--contract-coverage-min={least}")
    assert result.ret == code
    result.assert_outcomes(passed=2)
    said = f"FAIL 62.50 % of the contracts is covered, not {least} %"
    assert (said in result.stdout.str()) is bool(code)


def test_what_is_left_out_does_not_count(author: pytest.Pytester) -> None:
    result = run(author, "--contract-coverage-min=0", "--contract-only=another")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["FAIL no such contract was deployed*"])


def test_all_of_it_is_written_as_json(author: pytest.Pytester) -> None:
    assert run(author, "--contract-json=seen.json").ret == 0
    report = json.loads((author.path / "seen.json").read_text())
    assert (report["version"], report["percent"]) == (1, 62.5)
    (counter,) = report["contracts"]
    assert (counter["contract"], counter["source"], counter["calls"]) == ("counter", SOURCE, 3)
    assert counter["gas_lines"] == sum(line["gas"] for line in counter["lines"])
    assert {line["line"]: line["hits"] for line in counter["lines"]} == {
        7: 3, 8: 2, 9: 0, 10: 2, 11: 2, 16: 0,
    }  # fmt: skip
    assert counter["branches"] == [
        {"line": 8, "way": "false", "hits": 2},
        {"line": 8, "way": "true", "hits": 0},
    ]


def test_several_processes_are_refused(author: pytest.Pytester) -> None:
    result = run(author, "--contract-gas", "-n2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*contracts are measured in one process: leave out -n*"])


def test_coverage_py_sees_what_it_sees_without_us(author: pytest.Pytester) -> None:
    """Branches of the machine and of the tests, counted with and without the plugin's tracing."""
    counted = []
    for options in ([], ["--contract-gas"]):
        author.run(
            sys.executable, "-m", "coverage", "run", "--branch",
            f"--source={author.path},contracts.vm.codes,contracts.vm.standing", "-m", "pytest",
            "-q", "-p", "no:cacheprovider", *options,
        )  # fmt: skip
        author.run(sys.executable, "-m", "coverage", "json", "-q", "-o", "cover.json")
        files = json.loads((author.path / "cover.json").read_text())["files"]
        counted.append({name: file["executed_lines"] for name, file in files.items()})
    assert counted[0] == counted[1]
    assert any("test_coverage_py" in name for name in counted[0])
