"""`shuxin job`: plans come from files, and are believed by their digest only."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.jobfiles import TEMPLATE, load_job
from cli.jobplans import read_job
from cli.main import main
from cli.output import CommandRefused
from cli.programs import load_program
from client.account import Account
from crypto import sm3
from crypto.providers.software import SoftwareProvider
from ledger.values import Key, Value
from tests.business import PUBLISHER, PUBLISHER_KEY, Business
from tests.fake_session import FakeSession, opened

DIGEST = "ab" * 32
PROGRAM = """
algorithm = "statistics/1"
rows = [10, 10, 10]
[[measures]]
column = "claims"
statistics = ["sum"]
"""


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> FakeSession:
    from cli.options import Invocation

    monkeypatch.setattr(Invocation, "account", lambda ask: Account(SoftwareProvider(PUBLISHER)))
    return opened(monkeypatch)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The template, with its programs beside it."""
    for name in ("plans.toml", "ages.toml"):
        (tmp_path / name).write_text(PROGRAM)
    path = tmp_path / "job.toml"
    path.write_text(TEMPLATE)
    return path


def shown() -> dict[Key, Value]:
    """A job as a node shows it."""
    business = Business()
    business.planned()
    answer = business.ask("health", "job", "show", "j1")
    assert isinstance(answer, dict)
    return answer


def test_the_template_is_a_job_file(
    file: Path, session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["job", "template"]) == 0
    assert capsys.readouterr().out.strip() == TEMPLATE.strip()
    plan = load_job(file, own_key=PUBLISHER_KEY)
    assert (plan.title, plan.grant, plan.priority) == ("Claims by plan, then by age", "grant-7", 5)
    first, second = plan.steps
    assert isinstance(first, dict) and isinstance(second, dict)
    assert first["program_hash"] == sm3.digest(load_program(file.parent / "plans.toml")[1])
    assert first["resources"] == [["cpu_millis", 2000], ["memory_mib", 1024]]
    assert (first["receiver_key"], second["after"]) == (PUBLISHER_KEY, ["plans"])
    assert main(["job", "create", "j1", "--file", str(file)]) == 0
    ((contract, method, args),) = session.calls
    assert (contract, method, args[0], args[5]) == ("job", "create", "j1", plan.steps)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("title =", "titel ="),
        ("priority = 5", 'priority = "high"'),
        ('deadline = "+7d"', 'deadline = "soon"'),
        ('grant = "grant-7"', 'grant = "Grant 7"'),
        ("health=claims-health", "health"),
        ('after = ["plans"]', 'after = "plans"'),
        ("cpu_millis = 2000", 'cpu_millis = "many"'),
        ("# receiver", "receiver"),
        ('name = "ages"', 'name = "Ages"'),
        ("[[steps]]", "[[steps"),
        ('program = "ages.toml"', 'program = "ages.toml"\nimage = "x"'),
    ],
)
def test_a_job_file_is_read_strictly(old: str, new: str, file: Path) -> None:
    assert old in TEMPLATE
    file.write_text(TEMPLATE.replace(old, new))
    with pytest.raises(CommandRefused) as caught:
        load_job(file, own_key=PUBLISHER_KEY)
    assert caught.value.code == "job.file"


def test_a_plan_that_is_not_what_its_digest_says_is_not_shown(
    session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    told = shown()
    session.answers["job.show"] = told
    assert main(["job", "show", "j1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == "j1"
    steps = told["steps"]
    assert isinstance(steps, list) and isinstance(steps[0], dict)
    session.answers["job.show"] = {**told, "steps": [{**steps[0], "after": []}, *steps[2:]]}
    assert main(["job", "show", "j1"]) == 1
    assert "job.contradiction" in capsys.readouterr().err


@pytest.mark.parametrize("answer", [None, 7, {}, {"job": {}, "steps": []}, {"job": 1, "steps": 2}])
def test_what_is_no_job_is_refused(answer: Value) -> None:
    with pytest.raises(CommandRefused) as caught:
        read_job(answer)
    assert caught.value.code == "job.answer"


def test_a_job_is_printed_in_the_fields_of_the_interconnection_interface(
    session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    session.answers["job.show"] = shown()
    session.answers["algorithm.show"] = {"provider": "chipworks"}
    assert main(["job", "bfia", "j1"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["job_id"] == "j1"
    third = told["dag"]["components"][2]
    assert (third["componentName"], third["version"], third["provider"]) == (
        "statistics",
        "1",
        "chipworks",
    )
    assert third["input"][-1] == {"type": "result", "key": "second.result"}
    assert told["config"]["role"]["host"] == ["health", "social", "civil"]
    assert told["config"]["task_params"]["common"]["third"]["resources"]["memory_mib"] == 1024


def test_a_step_is_started_only_with_the_program_that_was_confirmed(
    session: FakeSession, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = shown()
    session.answers["job.show"] = told
    program = str(file.parent / "plans.toml")
    words = ["--task", "t1", "--program", program, "--deadline", "+1h"]
    assert main(["job", "start", "j1", "first", *words]) == 1
    assert "step.plan" in capsys.readouterr().err
    assert main(["job", "start", "j1", "fourth", *words]) == 1
    assert "step.unknown" in capsys.readouterr().err


def test_a_step_is_started_to_the_letter_of_its_plan(session: FakeSession, file: Path) -> None:
    encoded = load_program(file.parent / "plans.toml")[1]
    business = Business()
    business.granted()
    words = business.plan()
    steps = words[5]
    assert isinstance(steps, list)
    words[5] = [
        {**one, "program_hash": sm3.digest(encoded)} for one in steps if isinstance(one, dict)
    ]
    business.do("opco", "job", "create", *words)
    session.answers["job.show"] = business.ask("opco", "job", "show", "j1")
    program = str(file.parent / "plans.toml")
    options = ["--task", "t1", "--program", program, "--deadline", "2030-01-01T00:00:00Z"]
    assert main(["job", "start", "j1", "first", *options]) == 0
    contract, method, args = session.calls[-1]
    assert (contract, method, args[:4]) == ("task", "create", ("t1", "g1", "statistics/1", encoded))
    assert args[7:] == ("j1", "first")


def test_the_words_of_parties_name_what_they_are_about(session: FakeSession) -> None:
    digest = bytes.fromhex(DIGEST)
    reason = ["--reason", "late"]
    for words, expected in (
        (["confirm", "j", "--digest", DIGEST], ("confirm", ("j", digest))),
        (["dispatch", "j"], ("dispatch", ("j",))),
        (["finish", "j", "--digest", DIGEST], ("finish", ("j", digest))),
        (["verify", "j", "--digest", DIGEST], ("verify", ("j", digest, True, ""))),
        (
            ["dispute", "j", "--digest", DIGEST, "--note", "torn"],
            ("verify", ("j", digest, False, "torn")),
        ),
        (["close", "j"], ("close", ("j", ""))),
        (["abandon", "j", *reason], ("abandon", ("j", "late"))),
        (["cancel", "j", *reason], ("cancel", ("j", "late"))),
        (["expire", "j"], ("expire", ("j",))),
    ):
        assert main(["job", *words]) == 0
        assert session.calls[-1][1:] == expected
    assert main(["job", "queue", "opco"]) == 0
    assert session.calls[-1] == ("job", "queue", ("opco", 0, 50))
    assert main(["job", "dispute", "j", "--digest", DIGEST]) == 2
