"""Answers for people and programs, errors as one line, exit codes."""

from __future__ import annotations

import json

import pytest

from cli.output import (
    CommandRefused,
    Fields,
    Json,
    Table,
    Text,
    explain,
    plain,
    print_line,
    progress,
    report,
    show,
    waiting,
)
from client.errors import NodeUnavailable, Refused
from ledger.errors import DecodeError
from node.committee import NotAMember


def test_a_refusal_is_one_line_with_code_and_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(CommandRefused("key.missing", "name one"), as_json=False) == 1
    captured = capsys.readouterr()
    assert captured.err == "refused: key.missing: name one\n"
    assert captured.out == ""


def test_a_refusal_as_json_goes_to_stderr_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(Refused("node.busy", "try again"), as_json=True) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.err) == {"refused": {"code": "node.busy", "detail": "try again"}}
    assert captured.out == ""


def test_no_traceback_is_printed_unless_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHUXIN_DEBUG", raising=False)
    report(RuntimeError("boom"), as_json=False)
    assert "Traceback" not in capsys.readouterr().err
    monkeypatch.setenv("SHUXIN_DEBUG", "1")
    report(RuntimeError("boom"), as_json=False)
    assert "RuntimeError: boom" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Refused("refused", "grant.expired: ask for a new one"), "grant.expired"),
        (Refused("out_of_gas", ""), "out_of_gas"),
        (Refused("never_heard_of", ""), "never_heard_of"),
        (NodeUnavailable("127.0.0.1:1", "unavailable"), "node_unavailable"),
        (DecodeError("not canonical"), "decode_error"),
        (NotAMember("another key"), "not_a_member"),
        (FileNotFoundError(2, "No such file or directory", "a.toml"), "file"),
        (ValueError("surprise"), "internal"),
    ],
)
def test_every_error_gets_a_code_and_a_sentence(error: Exception, code: str) -> None:
    found, sentence = explain(error)
    assert found == code
    assert sentence


@pytest.mark.parametrize(
    ("refusal", "sentence"),
    [
        (
            Refused("unknown_contract", "no contract `x`"),
            "no contract `x`; list the deployed contracts and check the name",
        ),
        (Refused("out_of_gas", ""), "raise the gas limit or do less in one transaction"),
        (Refused("refused", "grant.expired: ask for a new one"), "ask for a new one"),
        (Refused("refused", "not today"), "not today"),
        (Refused("node.busy", "try again in a moment"), "try again in a moment"),
    ],
)
def test_what_the_machine_refuses_comes_with_advice(refusal: Refused, sentence: str) -> None:
    assert explain(refusal)[1] == sentence


def test_a_refusal_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    report(Refused("refused", "a.b: \x1b[2Jgone"), as_json=False)
    assert capsys.readouterr().err == "refused: a.b: \\x1b[2Jgone\n"


def test_text_keeps_its_lines_and_nothing_else_that_moves_the_cursor(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(Text("if x:\n\ty\x1b[1A\n"), as_json=False)
    assert capsys.readouterr().out == "if x:\n\ty\\x1b[1A\n"


def test_what_contract_code_wrote_cannot_drive_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(Fields({"note": "a\x1b[2Jb\nc"}), as_json=False)
    show(Table(("note",), [("a\x1b[2Jb",)]), as_json=False)
    print_line("a\x1b[2Jb")
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "note:\n  | a\\x1b[2Jb\n  | c\n" in out


def test_markup_in_a_table_is_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    show(Table(("title",), [("[red]x[/red]",)]), as_json=False)
    assert "[red]x[/red]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (Fields({"a": 1, "b": None}), {"a": 1, "b": None}),
        (Table(("a", "b"), [(1, "x"), (2, "数信")]), [{"a": 1, "b": "x"}, {"a": 2, "b": "数信"}]),
        (Table(("a",), []), []),
        (Text("source"), {"text": "source"}),
    ],
)
def test_every_answer_has_a_json_form(
    answer: Fields | Table | Text, value: Json, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show(answer, as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == value


def test_an_answer_can_fail_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert show(Fields({"valid": False}, exit_code=1), as_json=False) == 1
    assert capsys.readouterr().out == "valid: no\n"


def test_contract_values_become_json_without_loss_of_bytes_or_big_integers() -> None:
    value = plain({("a", b"\x01"): [b"\xff", 2**200, None, True], 7: ("x",)})
    assert value == {"a/0x01": ["0xff", 2**200, None, True], "7": ["x"]}
    assert json.loads(json.dumps(value)) == value


def test_progress_and_waiting_are_silent_where_nobody_watches(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress("checking") as advance, waiting("asking"):
        advance(1, 2)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
