"""`shuxin deidentify`: a file goes in, figures come out, and no cell is ever printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.main import main
from crypto import sm2, sm3
from crypto.keys import save_key
from tests.fake_session import opened

ROWS = "name,phone,born,town,bill\n" + "".join(
    f"张{number},138001380{number:02},19{50 + number % 2 * 10}-05-11,"
    f"T{number % 2},{number % 7}.50\n"
    for number in range(80)
)
PLAN = """
[table]
context = "study"
[columns.name]
class = "identifier"
do = "pseudonym"
[columns.phone]
class = "identifier"
do = "drop"
[columns.born]
class = "quasi"
do = "year"
[columns.town]
class = "quasi"
[columns.bill]
class = "sensitive"
do = "range:50"
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home" / "keys"
    folder.mkdir(parents=True)
    monkeypatch.setenv("SHUXIN_HOME", str(tmp_path / "home"))
    (folder / "passphrase").write_text("a long passphrase\n")
    (folder / "passphrase").chmod(0o600)
    save_key(folder / "names.pem", sm2.generate(), b"a long passphrase")
    (tmp_path / "rows.csv").write_text(ROWS)
    (tmp_path / "plan.toml").write_text(PLAN)
    return tmp_path


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    printed = capsys.readouterr()
    for number in range(80):
        assert f"张{number}" not in printed.out + printed.err
        assert f"138001380{number:02}" not in printed.out + printed.err
    answer = json.loads(printed.out)
    assert isinstance(answer, dict)
    return answer


def test_a_file_is_planned_measured_treated_and_put_on_record(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, plan, out = str(home / "rows.csv"), str(home / "plan.toml"), home / "out.csv"
    assert main(["deidentify", "plan", rows, "--json"]) == 0
    drafted = told(capsys)["text"]
    assert isinstance(drafted, str) and "mobile in 80 cells" in drafted
    (home / "draft.toml").write_text(drafted)
    assert main(["deidentify", "measure", rows, "--plan", str(home / "draft.toml"), "--json"]) == 0
    left = told(capsys)["identifiers_left"]  # which the draft would drop
    assert left == [{"column": "name", "cells": 80}, {"column": "phone", "cells": 80}]
    assert main(["deidentify", "measure", rows, "--plan", plan, "--json"]) == 0
    assert told(capsys)["level"] == 1

    words = ["deidentify", "apply", rows, "--plan", plan, "--out", str(out), "--json"]
    assert main(words) == 1
    assert "pseudonyms need a key" in capsys.readouterr().err
    report = home / "report.json"
    assert main([*words, "--pseudonym-key", "names", "--report", str(report)]) == 0
    done = told(capsys)
    assert (done["level"], done["k"], done["rows_lost"]) == (3, 40, 0)
    assert done["report_digest"] == sm3.digest(report.read_bytes()).hex()

    session = opened(monkeypatch)
    record = ["deidentify", "record", "s1", "--product", "p1", "--measured", str(report)]
    assert main([*record, "--note", "n"]) == 0
    methods = ["drop", "generalize", "pseudonym", "k-anonymity"]
    figures = (3, 40, 25_000, 50_000, sm3.digest(report.read_bytes()), "n")
    digest = sm3.digest(out.read_bytes())
    assert session.calls == [
        ("deidentification", "assess", ("s1", "p1", digest, methods, *figures))
    ]
    report.write_text(report.read_text().replace('"level": 3', '"level": 4'))
    assert main(record) == 1


def test_a_file_or_report_that_is_there_is_not_written_over(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, plan = str(home / "rows.csv"), str(home / "plan.toml")
    words = ["deidentify", "apply", rows, "--plan", plan, "--pseudonym-key", "names"]
    assert main([*words, "--out", rows]) == 1
    assert main(["deidentify", "measure", rows, "--plan", plan, "--report", rows]) == 1
    out = home / "new.csv"
    assert main([*words, "--out", str(out), "--report", rows]) == 1
    assert not out.exists(), "the report is looked at before the work"
    assert (home / "rows.csv").read_text() == ROWS
    capsys.readouterr()
