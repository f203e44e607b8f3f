"""Commands on grants that do more than pass their words on: what is signed is what was read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.main import main
from client.grant_terms import terms_digest, terms_text
from crypto import sm3
from ledger.values import Key, Value
from tests.business import Business
from tests.fake_session import FakeSession, opened

CHAIN_ID = bytes(32)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> FakeSession:
    return opened(monkeypatch)


@pytest.fixture
def grant(session: FakeSession) -> dict[Key, Value]:
    business = Business()
    business.in_review()
    shown: dict[Key, Value] = {}
    shown.update(business.ask_record("opco", "grant", "show", "g1").items())
    session.answers["grant.show"] = shown
    return shown


def sent(session: FakeSession) -> tuple[str, tuple[Value, ...]]:
    """The last call, after the record was read."""
    assert session.calls[0] == ("grant", "show", ("g1",))
    contract, method, args = session.calls[-1]
    return f"{contract}.{method}", args


@pytest.mark.parametrize(
    ("words", "call", "said"),
    [
        (["approve", "g1"], "grant.decide", (True, "")),
        (["approve", "g1", "--note", "lawful"], "grant.decide", (True, "lawful")),
        (["refuse", "g1", "--note", "too wide"], "grant.decide", (False, "too wide")),
        (["accept", "g1"], "grant.accept", ()),
    ],
)
def test_what_is_signed_is_made_of_the_terms_that_were_read(
    words: list[str],
    call: str,
    said: tuple[Value, ...],
    session: FakeSession,
    grant: dict[Key, Value],
) -> None:
    assert main(["grant", *words]) == 0
    assert sent(session) == (call, ("g1", *said, terms_digest(grant, CHAIN_ID)))


def test_a_node_that_shows_other_terms_than_were_signed_gets_another_digest(
    session: FakeSession, grant: dict[Key, Value]
) -> None:
    signed = grant["digest"]
    grant["uses_max"] = 1_000
    assert main(["grant", "accept", "g1"]) == 0
    _call, args = sent(session)
    assert args[-1] == terms_digest(grant, CHAIN_ID) != signed


def test_terms_that_are_not_those_that_were_read_are_not_signed(
    session: FakeSession, grant: dict[Key, Value], capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["accept", "g1"], ["approve", "g1"], ["refuse", "g1", "--note", "n"]):
        assert main(["grant", *words, "--digest", "00" * 32]) == 1
        assert "grant.digest" in capsys.readouterr().err
    assert {method for _contract, method, _args in session.calls} == {"show"}
    read = terms_digest(grant, CHAIN_ID).hex()
    assert main(["grant", "accept", "g1", "--digest", read]) == 0


def test_the_terms_are_shown_and_written_as_they_are_signed(
    session: FakeSession,
    grant: dict[Key, Value],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "terms.txt"
    assert main(["grant", "terms", "g1", "--output", str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert file.read_text("utf-8") == told["terms"] == terms_text(grant, CHAIN_ID)
    assert (
        told["digest"] == sm3.digest(file.read_bytes()).hex() == terms_digest(grant, CHAIN_ID).hex()
    )
    assert main(["grant", "accept", "g1", "--digest", f"file:{file}"]) == 0


def test_an_answer_that_is_no_grant_is_refused(
    session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    answers: list[Value] = [None, 7, [1]]
    for answer in answers:
        session.answers["grant.show"] = answer
        assert main(["grant", "accept", "g1"]) == 1
        assert "record.contradiction" in capsys.readouterr().err
    session.answers["grant.show"] = {"id": "g1"}
    for verb in ("accept", "approve", "terms", "odrl"):
        assert main(["grant", verb, "g1"]) == 1
        assert "terms_unreadable" in capsys.readouterr().err.replace(".", "_")


def test_a_request_takes_the_defaults_of_one_use_at_once_by_derivation(
    session: FakeSession,
) -> None:
    words = ["--demand", "d", "--scenario", "s", "--dataset", "a", "--algorithm", "x/1"]
    words += ["--output-kind", "model", "--expires", "2030-01-01T00:00:00Z"]
    assert main(["grant", "request", "g1", *words]) == 0
    (call,) = session.calls
    expires_ms = 1_893_456_000_000
    usage: list[Value] = [["model"], ["derive"], [], []]
    asked = ("g1", "d", "s", ["a"], ["x/1"], *usage, 0, expires_ms, 1, "none", "")
    assert call == ("grant", "request", asked)
    assert main(["grant", "request", "g1", *words, "--channel", "Not An Id"]) == 2


def test_channels_are_listed_and_shown(
    session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    business = Business()
    business.catalogued()
    business.preapproved()
    channel = business.ask("opco", "preapproval", "show", "c1")
    session.answers = {"preapproval.list": [channel], "preapproval.show": channel}
    assert main(["grant", "channels"]) == 0
    assert "insurance pricing" in capsys.readouterr().out
    assert main(["grant", "channel", "c1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["uses_max"] == 3


def test_a_policy_is_printed_or_written(
    session: FakeSession,
    grant: dict[Key, Value],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["grant", "odrl", "g1"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert main(["grant", "odrl", "g1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == shown
    file = tmp_path / "policy.jsonld"
    assert main(["grant", "odrl", "g1", "--output", str(file)]) == 0
    assert json.loads(file.read_text("utf-8")) == shown
    assert shown["@type"] == "Request" and shown["shuxin:status"] == "in_review"
