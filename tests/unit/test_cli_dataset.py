"""`shuxin dataset`: rows go in, descriptions come out, the salt never does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.main import main
from cli.programs import load_program
from tests.fake_session import opened

ROWS = "plan,claims\nfree,12.50\n25,3.75\nfree,0.00\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SHUXIN_HOME", str(tmp_path / "home"))
    (tmp_path / "claims.csv").write_text(ROWS)
    return tmp_path


def test_a_data_set_is_added_listed_shown_and_removed(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(home / "claims.csv")
    assert main(["dataset", "add", "claims", file, "--type", "plan=text", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["rows"], [column["name"] for column in made["columns"]]) == (3, ["plan", "claims"])
    assert main(["dataset", "list", "--json"]) == 0
    assert [entry["id"] for entry in json.loads(capsys.readouterr().out)] == ["claims"]
    assert main(["dataset", "show", "claims", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["commitment"] == made["commitment"]
    assert shown["uses"] == []
    assert "salt" not in shown
    assert main(["dataset", "remove", "claims", "--sure"]) == 0
    capsys.readouterr()
    assert main(["dataset", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


CLASS = ["--title", "Claims", "--category", "insurance", "--grade", "3", "--update-days", "30"]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("", ["draft", "collect", "register"]),
        ("draft", ["collect", "register"]),
        ("collected", ["register"]),
    ],
)
def test_a_data_set_is_registered_from_where_it_stands(
    status: str, expected: list[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["dataset", "add", "claims", str(home / "claims.csv")]) == 0
    session = opened(monkeypatch)
    session.answers = {"catalog.show": {"status": status} if status else None}
    assert main(["dataset", "register", "claims", *CLASS, "--quality", "accuracy=97"]) == 0
    called = [(method, args) for _contract, method, args in session.calls if method != "show"]
    assert [method for method, _args in called] == expected
    if "collect" in expected:
        rows = called[-2][1]
        assert (rows[1], rows[3]) == (3, [["completeness", 1_000_000], ["accuracy", 970_000]])


def test_newer_rows_of_a_home_are_committed_to(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["dataset", "add", "claims", str(home / "claims.csv")]) == 0
    session = opened(monkeypatch)
    assert main(["dataset", "update", "claims"]) == 0
    ((contract, method, args),) = session.calls
    assert (contract, method, args[0], args[1]) == ("catalog", "update", "claims", 3)


def test_nothing_is_removed_without_being_sure(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dataset", "add", "claims", str(home / "claims.csv")]) == 0
    capsys.readouterr()
    assert main(["dataset", "remove", "claims"]) == 1
    assert "dataset.unsure" in capsys.readouterr().err
    assert main(["dataset", "show", "claims"]) == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["show", "nothing"], 1),
        (["remove", "nothing", "--sure"], 1),
        (["add", "claims", "/nonexistent/file.csv"], 2),
        (["add", "UPPER", "claims.csv"], 2),
        (["add", "claims"], 2),
    ],
)
def test_what_is_not_there_or_badly_named_is_refused(
    arguments: list[str], code: int, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dataset", *arguments]) == code
    assert "Traceback" not in capsys.readouterr().err


def test_a_type_is_forced_as_column_equals_type(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(home / "claims.csv")
    assert main(["dataset", "add", "claims", file, "--type", "plan"]) == 2
    assert main(["dataset", "add", "claims", file, "--type", "plan=imaginary"]) == 1
    assert "data_set_invalid" in capsys.readouterr().err


PROGRAM = """
algorithm = "statistics/1"
rows = [100, 100, 100]
group_by = "plan"
groups = ["free", "25"]

[[measures]]
column = "claims"
decimals = 2
bits = 32
statistics = ["sum", "mean"]
quantiles = ["1/4", "3/4"]
"""


def test_a_program_file_becomes_the_same_bytes_every_time(tmp_path: Path) -> None:
    path = tmp_path / "program.toml"
    path.write_text(PROGRAM)
    algorithm, encoded = load_program(path)
    assert algorithm == "statistics/1"
    path.write_text("# a remark\n" + PROGRAM)
    assert load_program(path) == (algorithm, encoded)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("algorithm =", "algorithms ="),
        ("statistics/1", "magic/1"),
        ('"1/4"', '"a/b"'),
        ('"1/4"', '"5/4"'),
        ('"sum"', '"product"'),
        ("rows = [100, 100, 100]", "rows = [100, 100]"),
        ("rows = [100, 100, 100]", "rows = [1.5]"),
        ("bits = 32", "bits = 1000"),
        ("[[measures]]", "[[measures"),
        ("bits = 32", "bits = 32\nspeed = 9"),
    ],
)
def test_a_program_file_that_says_something_else_is_refused(
    tmp_path: Path, old: str, new: str
) -> None:
    path = tmp_path / "program.toml"
    path.write_text(PROGRAM.replace(old, new))
    with pytest.raises(Exception) as caught:
        load_program(path)
    assert type(caught.value).__name__ in ("CommandRefused", "ProgramInvalid")
