"""`contract check` and `contract rules`, as a person and as a program reads them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.main import main
from contracts.vm.limits import SOURCE_SIZE_MAX
from contracts.vm.rules import RULES

CLEAN = """from contracts.dialect import Var, call, ctx, require
total = Var(int)
@call
def add(n: int) -> None:
    require(ctx.party != "", "no party")
    total.set(n)
"""
WARNED = CLEAN.replace('    require(ctx.party != "", "no party")\n', "").replace(
    "Var, call, ctx, require", "Var, call"
)
WRONG = WARNED.replace("set(n)", "set(n.x)")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    named = {"clean": CLEAN, "warned": WARNED, "wrong": WRONG}
    for name, text in named.items():
        (tmp_path / f"{name}.py").write_text(text)
    return {name: str(tmp_path / f"{name}.py") for name in named}


def check(*arguments: str) -> int:
    return main(["contract", "check", *arguments])


def test_a_finding_stands_where_it_is(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(files["wrong"]) == 1
    assert capsys.readouterr().out == (
        f"{files['wrong']}:5:15: L005 int has no field `x`\n"
        "  |\n"
        "5 |     total.set(n.x)\n"
        "  |               ^^^ error\n"
        f"  = fix: {RULES['L005'][1]}\n"
        "\n"
        "Found 1 error.\n"
    )


def test_warnings_fail_when_that_is_asked_for(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(files["clean"], "--strict") == 0
    assert capsys.readouterr().out == "All checks passed.\n"
    assert check(files["warned"]) == 0
    assert capsys.readouterr().out.endswith("Found 1 warning.\n")
    assert check(files["warned"], "--strict") == 1


def test_several_files_are_one_answer(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(files["wrong"], files["clean"], files["warned"]) == 1
    assert capsys.readouterr().out.endswith("Found 1 error and 1 warning.\n")
    assert check(files["wrong"], files["warned"], "--json") == 1
    found = json.loads(capsys.readouterr().out)
    places = [(item["file"], item["rule"], item["line"], item["column"]) for item in found]
    assert places == [(files["wrong"], "L005", 5, 15), (files["warned"], "W003", 4, 1)]
    assert [(item["end_line"], item["end_column"]) for item in found] == [(5, 18), (4, 8)]
    assert [item["severity"] for item in found] == ["error", "warning"]
    assert all(item["reason"] and item["fix"] for item in found)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"x = '\x00'\n", b"\x1b[31mx\n", b"(" * 9000]
)
def test_bytes_that_are_no_contract_are_answered(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "noise.py"
    path.write_bytes(content)
    assert check(str(path)) == (0 if content == b"" else 1)
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    assert "\x1b" not in told.out + told.err


def test_what_is_too_long_is_refused_before_it_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "long.py"
    path.write_bytes(b"#" * (SOURCE_SIZE_MAX + 1))
    assert check(str(path)) == 1
    assert "file.size" in capsys.readouterr().err


def test_each_rule_is_listed_with_what_it_demands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["contract", "rules", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {item["rule"]: (item["demand"], item["fix"]) for item in listed} == RULES
    assert main(["contract", "rules", "W007", "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["rule"], one["severity"]) == ("W007", "warning")
    assert main(["contract", "rules", "X001"]) == 1
    assert "contract.rule" in capsys.readouterr().err
