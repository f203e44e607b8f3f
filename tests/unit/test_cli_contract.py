"""`shuxin contract`: the life of a contract, on the real machine in process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.main import main
from cli.options import Invocation
from contracts.vm.code_records import CODE
from contracts.vm.engine_schedule import (
    KEY,
    EngineSchedule,
    EngineTerm,
    encode_schedule,
)
from contracts.vm.version import vm_version
from ledger.model import Height
from tests.business import Business
from tests.machine_session import MachineSession

COUNTER = '''"""Counts."""

from contracts.dialect import Var, call, ctx, emit, init, require, view

total = Var(int)


@init
def setup(start: int) -> None:
    total.set(start)


@call
def add(amount: int) -> int:
    """Adds `amount`."""
    require(amount > 0, "counter.amount: add at least 1")
    total.set(total.get(0) + amount)
    emit("Added", amount=amount, by=ctx.sender)
    return total.get(0)


@view
def read() -> int:
    return total.get(0)
'''
NEWER = (
    COUNTER.replace("init, require", "init, migrate, require")
    + """

@migrate
def grow(from_sequence: int) -> None:
    total.set(total.get(0) + 1000 * from_sequence)
"""
)


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Paths of two versions; commands run on a new business."""
    business = Business()

    @contextmanager
    def opened(ask: Invocation) -> Iterator[MachineSession]:
        yield MachineSession(business, ask.key)

    monkeypatch.setattr(Invocation, "session", opened)
    paths = tmp_path / "one.py", tmp_path / "two.py"
    for path, text in zip(paths, (COUNTER, NEWER), strict=True):
        path.write_text(text)
    return str(paths[0]), str(paths[1])


def run(capsys: pytest.CaptureFixture[str], who: str, *words: str) -> object:
    """The answer of a command that must succeed."""
    code = main(["contract", *words, "--key", who, "--json"])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return json.loads(captured.out)


def refused(capsys: pytest.CaptureFixture[str], who: str, *words: str) -> str:
    """The code of a command that must be refused."""
    assert main(["contract", *words, "--key", who, "--json"]) == 1
    code = json.loads(capsys.readouterr().err)["refused"]["code"]
    assert isinstance(code, str)
    return code


def shown(capsys: pytest.CaptureFixture[str]) -> tuple[object, object]:
    record = run(capsys, "insurer", "show", "counter")
    assert isinstance(record, dict)
    return record["status"], record["sequence"]


WHY = ("--reason", "a finding")


def test_a_contract_lives_from_deployment_to_revocation(
    sources: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = sources
    run(capsys, "chipworks", "deploy", "counter", first, "5")
    assert run(capsys, "insurer", "call", "counter", "add", "3")["value"] == 8  # type: ignore[index]
    assert refused(capsys, "insurer", "call", "counter", "add", "0") == "counter.amount"
    run(capsys, "bureau", "freeze", "counter", "--reason", "a finding")
    assert refused(capsys, "insurer", "call", "counter", "add", "1") == "contract_frozen"
    assert run(capsys, "insurer", "view", "counter", "read") == {"value": 8}
    run(capsys, "bureau", "unfreeze", "counter")
    run(capsys, "chipworks", "upgrade", "counter", second, *WHY)
    run(capsys, "opco", "approve", "counter", second)
    assert shown(capsys) == ("active", 1)
    run(capsys, "bureau", "approve", "counter", second)
    assert run(capsys, "insurer", "view", "counter", "read") == {"value": 1008}
    assert shown(capsys) == ("active", 2)
    run(capsys, "bureau", "revoke", "counter", "--reason", "replaced")
    assert shown(capsys) == ("active", 2)
    run(capsys, "chipworks", "approve", "counter")
    assert refused(capsys, "insurer", "view", "counter", "read") == "contract_revoked"
    assert shown(capsys) == ("revoked", 2)


def test_the_code_of_every_version_can_be_read(
    sources: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = sources
    run(capsys, "chipworks", "deploy", "counter", first, "5")
    run(capsys, "bureau", "upgrade", "counter", second, "--sequence", "2", *WHY)
    assert refused(capsys, "opco", "approve", "counter") == "contract.source"
    for party in ("opco", "chipworks"):
        run(capsys, party, "approve", "counter", second)
    assert run(capsys, "insurer", "source", "counter") == {"text": NEWER}
    assert run(capsys, "insurer", "source", "counter", "--sequence", "1") == {"text": COUNTER}
    assert refused(capsys, "insurer", "source", "counter", "--sequence", "3") == "bad_value"


def test_people_see_signatures_and_programs_the_whole_interface(
    sources: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "chipworks", "deploy", "counter", sources[0], "5")
    record = run(capsys, "insurer", "show", "counter")
    assert isinstance(record, dict)
    assert [event["name"] for event in record["abi"]["events"]] == ["Added"]
    assert main(["contract", "show", "counter", "--key", "insurer"]) == 0
    assert "call add(amount: int) -> int" in capsys.readouterr().out
    listed = run(capsys, "insurer", "list")
    assert isinstance(listed, list)
    assert [item["name"] for item in listed][-1] == "counter"


def test_what_somebody_may_not_do_is_refused(
    sources: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = sources
    assert refused(capsys, "insurer", "deploy", "counter", first, "5") == "not_allowed"
    assert refused(capsys, "chipworks", "deploy", "counter", first) == "bad_arguments"
    run(capsys, "chipworks", "deploy", "counter", first, "5")
    assert refused(capsys, "chipworks", "deploy", "counter", first, "5") == "exists"
    assert refused(capsys, "insurer", "upgrade", "counter", second, *WHY) == "not_allowed"
    assert refused(capsys, "chipworks", "freeze", "counter", "--reason", "r") == "not_allowed"
    wrong = "upgrade", "counter", second, "--sequence", "7", *WHY
    assert refused(capsys, "chipworks", *wrong) == "bad_sequence"
    assert refused(capsys, "chipworks", "upgrade", "nothing", second, *WHY) == "unknown_contract"
    assert refused(capsys, "bureau", "unfreeze", "counter") == "not_allowed"
    assert shown(capsys) == ("active", 1)


def test_source_with_findings_is_refused_here_and_there(
    sources: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.py"
    path.write_text("import os\n")
    assert main(["contract", "check", str(path), "--json"]) == 1
    findings = json.loads(capsys.readouterr().out)
    assert [finding["line"] for finding in findings] == [1]
    assert refused(capsys, "chipworks", "deploy", "bad", str(path)) == "check_failed"
    assert main(["contract", "check", sources[0], "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    (tmp_path / "long.py").write_text("#" * (64 << 10) + "\n")
    assert refused(capsys, "chipworks", "check", str(tmp_path / "long.py")) == "file.size"


NEEDS_TWO = """from contracts.dialect import ctx, view


@view
def who() -> str:
    \"\"\"The party that asks.\"\"\"
    return ctx.party
"""


def test_a_source_is_checked_for_the_engine_that_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "who.py"
    path.write_text(NEEDS_TWO)
    check = ["contract", "check", str(path)]
    assert main(check) == main([*check, "--vm-version", vm_version(2)]) == 0
    assert main([*check, "--vm-version", vm_version(1)]) == 1
    assert "N006" in capsys.readouterr().out
    assert main([*check, "--vm-version", "shuxin-vm/0"]) == 1
    assert "does not have" in capsys.readouterr().err


def test_the_engines_of_the_chain_are_shown_with_what_becomes_of_them(
    sources: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert Business.latest is not None
    height = Business.latest.chain.height
    names = [f"shuxin-vm/{language}+cpython-3.11+0123456789abcdef" for language in (2, 3, 4)]
    terms = zip((0, height - 1, height + 9), names, strict=True)
    schedule = EngineSchedule(tuple(EngineTerm(Height(at), name) for at, name in terms))
    Business.latest.chain.state[CODE, KEY] = encode_schedule(schedule)
    assert run(capsys, "nobody", "engine") == [
        {"from_height": 0, "vm_version": names[0], "state": "past"},
        {"from_height": height - 1, "vm_version": names[1], "state": "in force"},
        {"from_height": height + 9, "vm_version": names[2], "state": "scheduled"},
    ]


def test_a_contract_of_the_genesis_waits_for_approvals(
    sources: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = run(capsys, "bureau", "source", "demand")
    assert isinstance(text, dict)
    newer, other = tmp_path / "newer.py", tmp_path / "other.py"
    newer.write_text(str(text["text"]) + "\n# repaired\n")
    other.write_text(str(text["text"]) + "\n# not the same\n")
    assert refused(capsys, "chipworks", "approve", "demand", str(newer)) == "not_allowed"
    run(capsys, "bureau", "upgrade", "demand", str(newer), *WHY)
    record = run(capsys, "insurer", "show", "demand")
    assert isinstance(record, dict)
    assert (record["sequence"], record["pending"]["approvals"]) == (1, ["bureau"])
    assert refused(capsys, "bureau", "approve", "demand", str(newer)) == "not_allowed"
    assert refused(capsys, "opco", "approve", "demand", str(other)) == "not_allowed"


def test_the_policy_is_shown_and_changed_by_votes(
    sources: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    rule = ("set-policy", "revoke", "--group", "manager", "--group", "owner,operator")
    witnesses = "--witness", "bureau", "--witness", "opco", "--witness", "health"
    wanted = *rule, *witnesses, "--parties-min", "3", *WHY
    assert refused(capsys, "chipworks", *wanted) == "not_allowed"
    assert refused(capsys, "bureau", *rule, *witnesses[:2], *WHY) == "not_allowed"
    assert refused(capsys, "bureau", "pending-policy") == "contract.pending"
    rule_hash = ""
    for attempt in ("rejected", "approved"):
        run(capsys, "bureau", *wanted)
        pending = run(capsys, "insurer", "pending-policy")
        assert isinstance(pending, dict)
        assert (pending["approvals"], pending["parties_min"]) == (["bureau"], 3)
        rule_hash = str(pending["rule_hash"])
        if attempt == "rejected":
            run(capsys, "bureau", "reject-policy", *WHY)
    for party in ("opco", "health"):
        run(capsys, party, "approve-policy", rule_hash)
    rows = run(capsys, "insurer", "policy")
    assert isinstance(rows, list)
    found = {row["step"]: (row["parties_min"], row["organizations"]) for row in rows}
    assert (found["revoke"], found["genesis_upgrade"]) == ((3, ""), (1, "quorum"))
    assert main(["contract", "policy", "--key", "insurer"]) == 0
    assert "owner or operator" in capsys.readouterr().out
