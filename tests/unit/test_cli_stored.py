"""Keys and values of the state as words on a command line, and back."""

from __future__ import annotations

import pytest

from cli.literals import LiteralInvalid
from cli.stored import RecordMisfit, declaration, named, parse_key, place_of, value_told
from contracts.system.task import Task
from contracts.vm.code_records import CODE
from contracts.vm.declare import Storage
from contracts.vm.keys import key_part, key_prefix, sorted_part
from contracts.vm.types import INT, STR
from ledger.values import Value, encode_value


def storage(*, is_sorted: bool) -> Storage:
    return Storage("notes", (STR, INT), STR, is_map=True, is_sorted=is_sorted)


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["grants", "g-1"], ["grants", "g-1"]),
        (["grants", '"g-1"'], ["grants", "g-1"]),
        (["uses", "g-1", "2"], ["uses", "g-1", 2]),
        (["uses", "str:2", "true", "0xff"], ["uses", "2", True, b"\xff"]),
        (["count"], ["count"]),
        (["big", str(1 << 70)], ["big", 1 << 70]),
    ],
)
def test_words_are_the_key_that_contracts_write(words: list[str], key: list[Value]) -> None:
    written = parse_key("mine", words, is_sorted=False)
    assert written == encode_value(key)
    assert parse_key("mine", ["0x" + written.hex()], is_sorted=False) == written


@pytest.mark.parametrize("is_sorted", [False, True])
def test_keys_are_those_of_the_machine(is_sorted: bool) -> None:
    kind = storage(is_sorted=is_sorted)
    part = sorted_part if is_sorted else key_part
    expected = key_prefix(kind) + part("a") + part(-300)
    assert parse_key("mine", ["notes", "a", "-300"], is_sorted=is_sorted) == expected


@pytest.mark.parametrize("words", [["a", "1", "2", "3", "4"], ["a", "[1]"], ["a", "null"], ["0xf"]])
def test_what_is_no_key_is_refused(words: list[str]) -> None:
    with pytest.raises(LiteralInvalid):
        parse_key("mine", words, is_sorted=False)


def test_keys_of_code_are_text() -> None:
    assert parse_key(CODE, ["grant/2"], is_sorted=False) == b"grant/2"
    with pytest.raises(LiteralInvalid):
        parse_key(CODE, ["grant", "2"], is_sorted=False)
    told = place_of(CODE, b"grant/2")
    assert told.told == {"namespace": CODE, "contract": "grant", "key": "grant/2"}


def test_a_variable_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    parse_key("grant", ["grant", "g-1"], is_sorted=False)
    assert "declares no such variable" in capsys.readouterr().err
    parse_key("grant", ["grants", "g-1"], is_sorted=False)
    assert capsys.readouterr().err == ""


def test_places_are_told_in_words() -> None:
    place = place_of("grant", encode_value(["uses", "g-1", 2]))
    assert place.sentence == "grant.uses['g-1', 2]"
    assert place.told == {
        "namespace": "grant",
        "contract": "grant",
        "variable": "uses",
        "key": ["g-1", 2],
    }
    assert place_of("grant", encode_value(["grant_count"])).sentence == "grant.grant_count"
    sorted_key = parse_key("mine", ["notes", "a"], is_sorted=True)
    assert place_of("mine", sorted_key).told["variable"] == "notes"
    for nonsense in (b"", b"\xc1", b"\xff\xff", b"\x90", b"\x91\x05"):
        assert place_of("mine", nonsense).told["key"] == "0x" + nonsense.hex()


def test_only_system_contracts_are_looked_up() -> None:
    assert declaration("grant", "grants") is not None
    for name in ("grant.x", "..grant", "__init__", "os", "mine"):
        assert declaration(name, "grants") is None
    assert declaration("grant", "Grant") is None
    assert declaration("grant", "__doc__") is None


def test_values_are_told_by_the_names_of_their_fields() -> None:
    key = encode_value(["party_by_address", "ab" * 20])
    assert value_told("parties", key, encode_value("operator")) == "operator"
    misfit = encode_value(["only", "two"])
    assert value_told("grant", encode_value(["grants", "g"]), misfit) == ["only", "two"]
    assert value_told("mine", key, b"\xff\xff") == "0xffff"
    assert value_told(CODE, b"grant/1", '"""源"""'.encode()) == '"""源"""'
    with pytest.raises(RecordMisfit, match="upgraded"):
        named(Task, ["only"])
