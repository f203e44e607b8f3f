"""`shuxin task result`: the operator opens what the participants sealed, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import pytest

from cli.main import main
from cli.options import Invocation
from client.errors import Refused
from contracts.vm.codes import ViewRefused
from crypto import sm2
from crypto.keys import save_key
from executors.mpc.program import Measure, StatisticsProgram, encode_program
from ledger.values import Value
from node.keys import write_private
from tests.business import SUPPLIERS, Business, changed, digest
from tests.output_shares import sealed_shares

PROGRAM = StatisticsProgram(
    version=1,
    measures=(Measure("claims", 2, 20, ("sum", "mean"), ()),),
    group_by="plan",
    groups=("a", "b"),
    counts=True,
    rows=(5, 5, 5),
    group_size_min=3,
)
FOUND = {(0, "count"): Fraction(4), (0, "sum"): Fraction(1000), (0, "mean"): Fraction(250)}


@dataclass
class OperatorSession:
    """The operator's views of a business, some of them replaced by what a liar would answer."""

    business: Business
    lies: dict[str, Value] = field(default_factory=dict)

    def view(self, contract: str, method: str, *args: Value) -> Value:
        if method in self.lies:
            return self.lies[method]
        try:
            return self.business.ask("opco", contract, method, *args)
        except ViewRefused as refusal:
            raise Refused(refusal.code, refusal.detail) from None


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Keys of the operator's home by name."""
    made = {name: sm2.generate() for name in ("operator", "other")}
    (tmp_path / "keys").mkdir(mode=0o700)
    write_private(tmp_path / "keys" / "passphrase", b"correct horse\n")
    for name, private in made.items():
        save_key(tmp_path / "keys" / f"{name}.pem", private, b"correct horse")
    monkeypatch.setenv("SHUXIN_HOME", str(tmp_path))
    monkeypatch.setenv("SHUXIN_KEY", "operator")
    monkeypatch.delenv("SHUXIN_PASSPHRASE_FILE", raising=False)
    return made


@pytest.fixture
def session(keys: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> OperatorSession:
    fake = OperatorSession(Business())

    @contextmanager
    def opened(ask: Invocation) -> Iterator[OperatorSession]:
        yield fake

    monkeypatch.setattr(Invocation, "session", opened)
    return fake


def ordered(business: Business, receiver_key: bytes) -> None:
    """A task that all have accepted."""
    order = changed(business.order("t1", business.granted()), 3, encode_program(PROGRAM))
    business.do("opco", "task", "create", *changed(order, 5, receiver_key))
    for supplier in SUPPLIERS:
        business.accept(supplier)


def finished(business: Business, receiver_key: bytes) -> None:
    ordered(business, receiver_key)
    for supplier, share in zip(
        SUPPLIERS, sealed_shares("t1", PROGRAM, FOUND, receiver_key), strict=True
    ):
        said: list[Value] = [share.program_hash, digest("transcript"), share.output_commitment]
        business.do(supplier, "task", "report", "t1", *said, share.sealed, [1], "ABY3")


def refusal_of(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["task", "result", "t1", "--json", *options]) == 1
    code = json.loads(capsys.readouterr().err)["refused"]["code"]
    assert isinstance(code, str)
    return code


def test_the_statistics_are_printed(
    session: OperatorSession, keys: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    finished(session.business, sm2.public_key(keys["operator"]))
    assert main(["task", "result", "t1", "--json"]) == 0
    assert [tuple(row.values()) for row in json.loads(capsys.readouterr().out)] == [
        ("a", "", "count", "4"),
        ("a", "claims", "sum", "10"),
        ("a", "claims", "mean", "2.5"),
        ("b", "", "count", None),
        ("b", "claims", "sum", None),
        ("b", "claims", "mean", None),
    ]
    assert main(["task", "result", "t1"]) == 0
    told = capsys.readouterr()
    assert "2.5" in told.out
    assert "suppressed" in told.err


def test_results_are_kept_in_a_new_file_that_others_cannot_read(
    session: OperatorSession,
    keys: dict[str, bytes],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    finished(session.business, sm2.public_key(keys["operator"]))
    kept = tmp_path / "result.json"
    assert main(["task", "result", "t1", "--json", "--output", str(kept)]) == 0
    assert kept.read_text(encoding="utf-8") == capsys.readouterr().out
    assert kept.stat().st_mode & 0o777 == 0o600
    kept.write_text("before")
    assert refusal_of(capsys, "--output", str(kept)) == "file"
    assert kept.read_text() == "before"


def test_results_for_another_key_need_that_key(
    session: OperatorSession, keys: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    finished(session.business, sm2.public_key(keys["other"]))
    assert refusal_of(capsys) == "task.receiver"
    assert main(["task", "result", "t1", "--receiver", "other", "--json"]) == 0
    assert refusal_of(capsys, "--receiver", "nobody") == "key.missing"


def test_a_task_under_way_has_no_results(
    session: OperatorSession, keys: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    ordered(session.business, sm2.public_key(keys["operator"]))
    assert refusal_of(capsys) == "task.unfinished"


def test_a_task_that_nobody_ordered_is_unknown(
    session: OperatorSession, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refusal_of(capsys) == "task.unknown"


def test_a_lying_node_is_found_out(
    session: OperatorSession, keys: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    finished(session.business, sm2.public_key(keys["operator"]))
    file = session.business.ask("opco", "task", "show", "t1")
    assert isinstance(file, dict)
    lies: dict[str, tuple[dict[str, Value], str]] = {
        "another program": ({"show": {**file, "program": b"other"}}, "task.program"),
        "a missing report": ({"show": {**file, "reports": []}}, "task.answer"),
        "no record at all": ({"show": [1, 2]}, "task.answer"),
        "a share that is no share": ({"share": b"noise"}, "share_invalid"),
        "a share of another kind": ({"share": 7}, "task.answer"),
    }
    for name, (lie, code) in lies.items():
        session.lies = lie
        assert refusal_of(capsys) == code, name
