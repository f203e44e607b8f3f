"""Command lines that cannot be carried out: for people in their language, for programs as JSON."""

from __future__ import annotations

import json

import pytest

from cli.language import Language, speak
from cli.main import main
from cli.translated import language_before, translated

MISUSES = (
    ["grant", "show"],
    ["grant", "shw"],
    ["grnt", "list"],
    ["grant", "show", "BAD ID"],
    ["grant", "list", "--limit", "1000"],
    ["grant", "list", "--status", "actve"],
    ["grant", "list", "--lmit", "3"],
    ["grant", "list", "too", "many"],
    ["task", "create", "t", "--grant", "g"],
    ["grant", "request", "g", "--file", "no-such-form.toml"],
)


@pytest.mark.parametrize("words", MISUSES, ids=" ".join)
def test_a_program_is_told_of_a_misuse_in_json(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--json"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    told = json.loads(shown.err)["misused"]
    assert told["code"] == "usage" and told["detail"]
    assert told["help"].startswith("shuxin") and told["help"].endswith("--help")


@pytest.mark.parametrize("words", MISUSES, ids=" ".join)
def test_people_are_told_of_it_in_their_language(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert main(words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("用法有误：")
    assert "帮助：shuxin" in shown.err
    for english in ("Missing", "No such", "Invalid", "Usage", "unexpected", "should be"):
        assert english not in shown.err


def test_the_language_counts_before_the_noun_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang", "zh", "--help"]) == 0
    assert "授权" in capsys.readouterr().out
    behind = ["grant", "list", "--lang", "zh"]
    assert language_before(["--lang", "zh", "grant", "list"])[0] == behind
    assert language_before(behind)[0] == behind
    assert language_before(["--lang", "xx", "grant"]) == (["--lang", "xx", "grant"], None)


@pytest.mark.parametrize("words", [["grant", "request"], ["node", "run"], []], ids=str)
def test_help_is_chinese_from_frame_to_option(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert main([*words, "--help"]) == 0
    shown = capsys.readouterr().out
    for english in ("Options", "Arguments", "Commands", "required", "default", "Usage", "Show"):
        assert english not in shown
    assert "…" not in shown, "nothing is cut"


def test_brackets_in_a_line_of_help_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grant", "list", "--help"]) == 0
    assert "[tls://|sm://]" in " ".join(capsys.readouterr().out.split())


def test_a_sentence_with_others_words_in_it_is_translated_around_them() -> None:
    speak(Language.CHINESE)
    try:
        assert translated("file 'a.toml' does not exist.") == "文件 'a.toml' 不存在。"
        assert translated("Invalid value for '--x': not there") == "'--x' 的值无效：not there"
        assert translated("nobody wrote this") == "nobody wrote this"
        assert translated("{x} {0} does not exist.") == "{x} {0} does not exist."
    finally:
        speak(Language.ENGLISH)
    assert translated("request a new grant") == "request a new grant"


def test_a_home_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grant", "list", "--home", "no-such-home", "--json"]) == 1
    assert json.loads(capsys.readouterr().err)["refused"]["code"] == "home.missing"
