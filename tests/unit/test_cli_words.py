"""The Chinese catalogue has every word that commands may print, and nothing else chooses words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

from cli.language import Language, catalogue, code_of, language_of, say, speak, word
from cli.main import main
from cli.output import CommandRefused, Fields, Table, report, show
from tests.fake_session import FakeSession, opened

ROOT = Path(__file__).resolve().parents[2]
NAME = re.compile(r"[a-z][a-z0-9_ ]*")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
# Their dicts are files and records of programs, which nobody sees as a table.
FOR_PROGRAMS = frozenset(
    {"scenario", "supervisor", "main", "literals", "records", "results", "options", "misuse"}
)


def trees(folder: str) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / folder).glob("*.py")):
        yield path.stem, ast.parse(path.read_text(encoding="utf-8"))


def texts(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value


def written_out(nodes: Sequence[ast.expr | None]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def headings_of_commands() -> Iterator[str]:
    """Names of columns, and of the fields of what is shown."""
    for name, tree in trees("cli"):
        if name in FOR_PROGRAMS:
            continue
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id="Table"), args=[ast.Tuple() as columns, *_]):
                    yield from texts(columns)
                case ast.keyword(arg="columns", value=ast.Tuple() as columns):
                    yield from texts(columns)
                case (
                    ast.Assign(targets=[ast.Name(id=target)], value=ast.Tuple() as columns)
                    | ast.AnnAssign(target=ast.Name(id=target), value=ast.Tuple() as columns)
                ) if target.lower().endswith(("columns", "history", "accused")):
                    yield from texts(columns)
                case ast.FunctionDef():
                    for inner in ast.walk(node):
                        if isinstance(inner, ast.Dict):
                            yield from written_out(inner.keys)
                        if isinstance(inner, ast.Assign) and isinstance(
                            inner.targets[0], ast.Subscript
                        ):
                            yield from written_out([inner.targets[0].slice])


def names_in_contracts() -> Iterator[str]:
    """Names of the fields of records and events."""
    for _name, tree in trees("contracts/system"):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                for field in node.body:
                    if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                        yield field.target.id
            match node:
                case ast.Call(func=ast.Name(id="emit"), keywords=keywords):
                    yield from (keyword.arg for keyword in keywords if keyword.arg)


@cache
def named() -> frozenset[str]:
    found = {*headings_of_commands(), *names_in_contracts()}
    return frozenset(name for name in found if NAME.fullmatch(name))


def status_places(tree: ast.Module) -> dict[str, int]:
    """Functions with an argument `status`, and at which place it is."""
    found: dict[str, int] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            names = [argument.arg for argument in node.args.args]
            if "status" in names:
                found[node.name] = names.index("status")
    return found


def stati() -> Iterator[str]:
    """Words that contracts give to a field `status`."""
    for _name, tree in trees("contracts/system"):
        places = status_places(tree)
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id=called), args=args) if called in places:
                    yield from written_out(args[places[called] : places[called] + 1])
                case ast.keyword(arg="status", value=value) if not isinstance(value, ast.Call):
                    yield from texts(value)
                case (
                    ast.AnnAssign(target=ast.Name(id="status"), value=ast.expr() as value)
                    | ast.Assign(targets=[ast.Name(id="status")], value=value)
                ) if not isinstance(value, ast.Call):
                    yield from texts(value)
                case ast.Compare(left=ast.Attribute(attr="status"), comparators=compared):
                    for value in compared:
                        yield from texts(value)


# Constant of the contracts -> the field that it gives words to; a tuple of tuples begins with them.
CONSTANTS = {
    "STAGES": "stage",
    "SEVERITIES": "severity",
    "ROLES": "role",
    "OUTCOMES": "outcome",
    "SCOPES": "scope",
    "CHECKS": "check",
    "KINDS": "kind",
    "CHANGES": "kind",
}


def constants() -> Iterator[tuple[str, str]]:
    for _name, tree in trees("contracts/system"):
        for node in tree.body:
            match node:
                case ast.Assign(targets=[ast.Name(id=constant)], value=ast.Tuple(elts=items)):
                    if (field := CONSTANTS.get(constant)) is None:
                        continue
                    for item in items:
                        first = item.elts[0] if isinstance(item, ast.Tuple) else item
                        if isinstance(first, ast.Constant) and isinstance(first.value, str):
                            yield field, first.value


def sentences() -> Iterator[str]:
    for _name, tree in trees("cli"):
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id="say"), args=[ast.Constant(value=str(text))]):
                    yield text
                case ast.Call(func=ast.Name(id="say")):
                    raise AssertionError(f"line {node.lineno}: `say` takes a sentence, written out")


@pytest.fixture(autouse=True)
def chinese() -> Iterator[None]:
    speak(Language.CHINESE)
    yield
    speak(Language.ENGLISH)


# --- nothing is missing ---------------------------------------------------------------------------


def test_every_name_of_a_field_or_column_has_its_chinese() -> None:
    missing = sorted(named() - set(catalogue().names))
    assert missing == [], f"add to [names] of cli/chinese.toml: {missing}"


def test_every_status_has_its_chinese() -> None:
    no_word = {""}  # shown as a dash
    missing = sorted(set(stati()) - set(catalogue().values["status"]) - no_word)
    assert missing == [], f"add to [values.status] of cli/chinese.toml: {missing}"


def test_every_other_word_of_the_contracts_has_its_chinese() -> None:
    missing = sorted({(f, w) for f, w in constants() if w not in catalogue().values.get(f, {})})
    assert missing == [], f"add to [values.FIELD] of cli/chinese.toml: {missing}"


def test_every_event_of_the_system_contracts_has_its_chinese() -> None:
    acts = set()
    for name, tree in trees("contracts/system"):
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id="emit"), args=[ast.Constant(value=str(event))]):
                    acts.add(f"{name}.{event}")
    assert sorted(acts ^ set(catalogue().acts)) == [], "[acts] of cli/chinese.toml"


def test_every_sentence_has_its_chinese_and_none_is_left_over() -> None:
    assert sorted(set(sentences()) ^ set(catalogue().sentences)) == []


def test_a_sentence_has_the_same_fields_in_both_languages() -> None:
    fields = re.compile(r"{.*?}")
    for english, spoken in catalogue().sentences.items():
        assert sorted(fields.findall(english)) == sorted(fields.findall(spoken)), english


def test_a_word_of_a_field_can_be_read_back() -> None:
    for field, words in catalogue().values.items():
        assert len(set(words.values())) == len(words), f"two words of {field} look alike"
        for value, shown in words.items():
            assert code_of(field, shown) == code_of(field, value) == value


def test_what_is_shown_as_chinese_is_chinese() -> None:
    known = catalogue()
    shown = [*known.names.values(), *known.sentences.values(), *known.acts.values()]
    shown += [text for words in known.values.values() for text in words.values()]
    assert [text for text in shown if not CHINESE.search(text)] == []


# --- the locale decides ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "spoken"),
    [
        ({}, Language.ENGLISH),
        ({"LANG": "C.UTF-8"}, Language.ENGLISH),
        ({"LANG": "en_US.UTF-8"}, Language.ENGLISH),
        ({"LANG": "zh_CN.UTF-8"}, Language.CHINESE),
        ({"LANG": "zh"}, Language.CHINESE),
        ({"LANG": "zha_CN"}, Language.ENGLISH),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_TW.UTF-8"}, Language.CHINESE),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, Language.ENGLISH),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "", "LC_ALL": ""}, Language.CHINESE),
    ],
)
def test_the_first_variable_that_is_set_decides(
    environment: dict[str, str], spoken: Language
) -> None:
    assert language_of(environment) is spoken


GRANT = Table(("id", "status", "title"), [("g1", "suspended", "suspended")])


def test_headings_and_words_of_statuses_are_translated_and_texts_are_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(GRANT, as_json=False)
    rows = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert rows[0].split() == ["编号", "状态", "名称"]
    assert rows[2].split() == ["g1", "已暂停", "suspended"]


def test_fields_stand_in_line_though_a_character_takes_two_columns(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(Fields({"id": "g1", "not_a_name": 1, "is_equal": True}), as_json=False)
    assert capsys.readouterr().out == "编号:       g1\nnot_a_name: 1\n相等:       是\n"


def test_what_holds_records_is_translated_within_them(capsys: pytest.CaptureFixture[str]) -> None:
    show(Fields({"measures": [{"kind": "grant", "status": "active"}]}), as_json=False)
    assert capsys.readouterr().out == "应急措施:\n  - 种类 授权; 状态 有效\n"


def test_what_is_to_be_done_is_named_in_the_language_of_who_does_it() -> None:
    assert word("what", "result to report (上报)") == "上报"
    assert word("what", "result to report") == "result to report"
    speak(Language.ENGLISH)
    assert word("what", "result to report (上报)") == "result to report (上报)"


def test_a_refusal_has_its_frame_in_chinese_and_its_code_as_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report(CommandRefused("grant.unknown", "look for it with `list`"), as_json=False)
    assert capsys.readouterr().err == "已拒绝：grant.unknown：look for it with `list`\n"


def test_braces_in_what_others_wrote_are_no_fields(capsys: pytest.CaptureFixture[str]) -> None:
    report(CommandRefused("a.b", "{code} {0} {x.__class__}"), as_json=False)
    assert "{code} {0} {x.__class__}" in capsys.readouterr().err
    assert say("nothing to list in {title}", title="{x}").startswith("{x}")


# --- the command line -----------------------------------------------------------------------------


def printed(
    session: FakeSession, capsys: pytest.CaptureFixture[str], *options: str
) -> tuple[str, str]:
    session.answers = {"evidence.list_by_subject": [{"id": "e1", "kind": "delivery.sent"}]}
    assert main(["evidence", "list", "s", *options]) == 0
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_the_option_wins_over_the_locale_and_json_is_the_same_everywhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = opened(monkeypatch)
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    chinese, _ = printed(session, capsys)
    assert "种类" in chinese and "交付·送出" in chinese
    english, _ = printed(session, capsys, "--lang", "en")
    assert "kind" in english and "delivery.sent" in english
    programs = printed(session, capsys, "--json")
    assert programs == printed(session, capsys, "--json", "--lang", "zh")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert programs == printed(session, capsys, "--json")
    assert printed(session, capsys, "--lang", "zh")[0] == chinese


def test_another_language_is_a_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evidence", "list", "s", "--lang", "fr"]) == 2
    assert "fr" in capsys.readouterr().err
