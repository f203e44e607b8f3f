"""Options of a verb from a file: what it says, what it may not say, and the template of it."""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path

import pytest
import typer

from cli.forms import fields_of
from cli.main import NOUNS, main
from cli.options import Forms
from tests.fake_session import FakeSession, opened

DIGEST = "ab" * 32
FORM = f"""
title = "数据服务合同"
digest = "{DIGEST}"
until = 2031-01-01T00:00:00+08:00
product = "p-7"
price = 9
"""


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeSession:
    monkeypatch.chdir(tmp_path)
    return opened(monkeypatch)


def offered(text: str | bytes, *words: str) -> int:
    Path("form.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return main(["agreement", "offer", "a-7", "--file", "form.toml", *words])


def test_what_the_command_line_does_not_say_comes_from_the_form(session: FakeSession) -> None:
    assert offered(FORM, "--price", "10") == 0
    (_, _, args) = session.calls[0]
    until_ms = 1_924_963_200_000  # 2030-12-31T16:00:00Z
    assert args == (
        *("a-7", "product", "p-7", "数据服务合同", bytes.fromhex(DIGEST)),
        *("", 10, "", "delivery", until_ms),
    )


def test_what_is_repeated_is_a_list(session: FakeSession) -> None:
    Path("draft.toml").write_text(
        'kind = "monitoring"\nstage = "delivery"\ntitle = "t"\n'
        f'digest = "{DIGEST}"\nlimit = ["delivery_unanswered=48:warning"]\n'
    )
    assert main(["rule", "draft", "r-1", "--file", "draft.toml"]) == 0
    assert session.calls[0][2][-1] == [["delivery_unanswered", 48, "warning"]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (FORM + "prize = 10\n", "'prize' is none of what it takes: digest, grant, location"),
        (FORM + 'node = "evil:1"\n', "'node' is none"),
        (FORM + 'key = "other"\n', "'key' is none"),
        (FORM + 'agreement_id = "b"\n', "'agreement_id' is none"),
        (FORM + 'file = "x"\n', "'file' is none"),
        (FORM.replace("price = 9", "price = 0.5"), "price: write it in quotes"),
        (FORM.replace("price = 9", "price = true"), "price: write it in quotes"),
        (FORM.replace("price = 9", "price = [9]"), "price: write it in quotes"),
        (FORM.replace("price = 9", "price = {a = 1}"), "price: write it in quotes"),
        ("title = ", "not TOML"),
        ("title = 1\ntitle = 2", "not TOML"),
        (b'title = "\xff"', "not TOML"),
        ("title = " + "[" * 100_000, "not TOML"),
        ("price = 1" + "0" * 5_000, "not TOML"),
        ("# " + "x" * (257 << 10), "is no form"),
    ],
)
def test_what_a_form_may_not_say_is_refused_by_name(
    text: str | bytes, told: str, session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    assert offered(text) == 1
    error = capsys.readouterr().err
    assert "form.invalid: form.toml:" in error and told in error
    assert session.calls == []


@pytest.mark.parametrize(
    "text",
    [
        FORM.replace("price = 9", 'price = "cheap"'),
        FORM.replace(DIGEST, "zz"),
        FORM.replace('title = "数据服务合同"\n', ""),
    ],
)
def test_values_are_judged_as_on_the_command_line(
    text: str, session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    assert offered(text) == 2
    assert session.calls == []


def test_one_value_where_several_may_stand_is_refused(
    session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("draft.toml").write_text('limit = "delivery_unanswered=48:warning"')
    assert main(["rule", "draft", "r-1", "--file", "draft.toml"]) == 1
    assert "write a list" in capsys.readouterr().err


# --- templates ------------------------------------------------------------------------------------


def forms() -> list[tuple[str, str]]:
    """Every noun and verb that takes a form."""
    found: list[tuple[str, str]] = []
    for noun in NOUNS:
        known = getattr(importlib.import_module(f"cli.{noun}"), "forms", None)
        if isinstance(known, Forms):
            found += [(noun, name) for name in known.names]
    return found


def test_verbs_with_many_options_take_forms() -> None:
    assert {("agreement", "offer"), ("grant", "request"), ("grant", "preapprove")} <= set(forms())


@pytest.mark.parametrize(("noun", "name"), forms())
def test_a_template_has_all_options_of_its_verb(
    noun: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([noun, "template", name]) == 0
    text = capsys.readouterr().out
    needed = set(tomllib.loads(text))
    offered = {line[2:] if line.startswith("# ") and " = " in line else line
               for line in text.splitlines()}  # fmt: skip
    whole = set(tomllib.loads("\n".join(line for line in offered if " = " in line)))
    app = importlib.import_module(f"cli.{noun}").app
    command = typer.main.get_command(app)
    assert hasattr(command, "commands")
    fields = fields_of(command.commands[name].params)
    assert needed == {field.name for field in fields.values() if field.is_required}
    assert set(fields) <= whole
    assert not whole & {"json", "node", "key", "file", "help"}


def test_a_verb_without_a_form_is_refused_with_those_that_have_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["agreement", "template", "sign"]) == 1
    assert "take forms: offer" in capsys.readouterr().err


def test_a_filled_in_template_is_a_form(
    session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["agreement", "template", "offer"]) == 0
    text = capsys.readouterr().out
    for name, value in (("title", "t"), ("digest", DIGEST), ("until", "+30d")):
        text = text.replace(f'\n{name} = ""', f'\n{name} = "{value}"')
    assert offered(text.replace('# product = ""', 'product = "p-1"')) == 0
    assert session.calls[0][2][1:4] == ("product", "p-1", "t")


def test_a_form_is_not_read_for_completion_or_help(
    session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("form.toml").write_text("no TOML")
    assert main(["agreement", "offer", "--help", "--file", "form.toml"]) == 0
    assert "FORM.toml" in capsys.readouterr().out
