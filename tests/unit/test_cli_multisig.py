"""`shuxin multisig act`: what is shown is what would be approved."""

from __future__ import annotations

import json

import pytest

from cli.main import main
from contracts.vm.joint import act_digest
from ledger.values import Key, Value, encode_value
from tests.fake_session import opened as opened_session
from tests.unit.test_system_multisig import DIGEST, FIRST, JOINT, RECORD, opened, propose

ARGS = encode_value(["e1", 7])


def shown(**changes: Value) -> dict[Key, Value]:
    digest = act_digest(JOINT, "evidence", "record", ARGS)
    fields: dict[Key, Value] = {"id": "a1", "account": JOINT, "contract": "evidence"}
    fields |= {"method": "record", "args": ARGS, "digest": digest, "approvals": []}
    return fields | {str(name): value for name, value in changes.items()}


def test_the_contract_and_this_release_agree_on_what_is_approved() -> None:
    business = opened()
    propose(business, "evidence", "record", *RECORD)
    act = business.ask_record(FIRST, "multisig", "act", "a1")
    assert act["digest"] == DIGEST
    assert act_digest(JOINT, "evidence", "record", encode_value([*RECORD])) == DIGEST


def test_an_act_is_shown_with_its_arguments_and_the_digest_of_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = opened_session(monkeypatch)
    session.answers = {"multisig.act": shown()}
    assert main(["multisig", "act", "a1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["args"] == ["e1", 7]
    assert answer["digest"] == "0x" + act_digest(JOINT, "evidence", "record", ARGS).hex()


@pytest.mark.parametrize("other", [{"method": "other"}, {"args": encode_value(["e2", 7])}])
def test_a_node_that_shows_another_call_is_found_out(
    other: dict[str, Value], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = opened_session(monkeypatch)
    session.answers = {"multisig.act": shown(**other)}
    assert main(["multisig", "act", "a1"]) == 1
    assert "multisig.contradiction" in capsys.readouterr().err


@pytest.mark.parametrize(
    "answer", [None, [], {}, shown(account=7), shown(args="e1"), shown(method=None)]
)
def test_a_node_that_shows_no_act_is_found_out(
    answer: Value, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = opened_session(monkeypatch)
    session.answers = {"multisig.act": answer}
    assert main(["multisig", "act", "a1"]) == 1
    assert "multisig.answer" in capsys.readouterr().err
