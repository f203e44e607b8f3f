"""Contract values as text: what is read as what, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.literals import (
    LiteralInvalid,
    digest_of_file,
    parse_column,
    parse_date,
    parse_digest,
    parse_figure,
    parse_id,
    parse_moment,
    parse_participant,
    parse_public_key,
    parse_value,
    parse_values,
    read_source,
)
from cli.output import CommandRefused
from crypto import sm3


@pytest.mark.parametrize(
    "text",
    [
        "1.5",
        "-0.1",
        "1.",
        ".5",
        "[1.5]",
        '{"a": 1e3}',
        "[1,",
        '"open',
        "[" * 100_000,
        "0xabc",
        "0xzz",
        "hex:1",
        "int:one",
        "int:",
        "file:/nonexistent/file",
        '["0xq"]',
    ],
)
def test_text_that_is_no_contract_value_is_refused(text: str) -> None:
    with pytest.raises(LiteralInvalid):
        parse_value(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", 42),
        ("-7", -7),
        ("0", 0),
        ("007", "007"),
        ("true", True),
        ("null", None),
        ("True", "True"),
        ("0x00ff", b"\x00\xff"),
        ("0x", b""),
        ("hex:00ff", b"\x00\xff"),
        ("str:42", "42"),
        ("str:", ""),
        ("int:0042", 42),
        ("randhie-a", "randhie-a"),
        ("a:b", "a:b"),
        ("", ""),
        ('"0 1"', "0 1"),
        ('["a", 1, "0xff", null]', ["a", 1, b"\xff", None]),
        ('{"a": [true]}', {"a": [True]}),
        (str(2**255), 2**255),
    ],
)
def test_arguments_are_read_by_their_form(text: str, value: object) -> None:
    assert parse_value(text) == value


def test_a_bad_argument_is_named_by_its_position() -> None:
    with pytest.raises(LiteralInvalid, match="argument 2"):
        parse_values(["1", "1.5"])


def test_a_file_argument_becomes_its_bytes_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "payload"
    path.write_bytes(b"x" * (64 << 10))
    assert parse_value(f"file:{path}") == b"x" * (64 << 10)
    path.write_bytes(b"x" * ((64 << 10) + 1))
    with pytest.raises(LiteralInvalid, match="more than"):
        parse_value(f"file:{path}")


@pytest.mark.parametrize("text", ["", "ab", "0x" + "00" * 31, "00" * 33, "zz" * 32])
def test_a_digest_of_another_length_is_refused(text: str) -> None:
    with pytest.raises(LiteralInvalid):
        parse_digest(text)


def test_a_digest_is_hex_or_the_sm3_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "report"
    path.write_bytes(b"abc" * 500_000)
    assert parse_digest("0x" + "01" * 32) == b"\x01" * 32
    assert parse_digest(f"file:{path}") == sm3.digest(b"abc" * 500_000)
    assert digest_of_file(path) == sm3.digest(b"abc" * 500_000)


@pytest.mark.parametrize("text", ["", "A", "a b", "a" * 65, "授权", "a/b"])
def test_an_id_outside_the_alphabet_is_refused(text: str) -> None:
    with pytest.raises(LiteralInvalid):
        parse_id(text)


@pytest.mark.parametrize("text", ["5", "+5", "+5w", "tomorrow", "2026-12-31", "2026-13-01T00:00Z"])
def test_a_moment_without_a_clear_meaning_is_refused(text: str) -> None:
    with pytest.raises(LiteralInvalid):
        parse_moment(text)


def test_a_moment_is_a_span_from_now_or_an_iso_time_with_zone() -> None:
    assert parse_moment("2026-01-01T08:00:00+08:00") == parse_moment("2026-01-01T00:00:00Z")
    assert parse_date("2026-01-01") == parse_moment("2026-01-01T00:00:00Z")
    assert parse_date("2026-01-01T08:00:00+08:00") == parse_date("2026-01-01")
    assert parse_moment("+2h") - parse_moment("+1h") == pytest.approx(3_600_000, abs=1000)


def test_a_figure_is_a_percentage_with_up_to_four_decimals() -> None:
    assert parse_figure("completeness=100") == ("completeness", 1_000_000)
    assert parse_figure("accuracy=99.5") == ("accuracy", 995_000)
    assert parse_figure("accuracy=0.0001") == ("accuracy", 1)
    for text in ("accuracy", "=5", "accuracy=", "a=-1", "a=1.00001", "a=1000", "a=1,5", "a=٣"):
        with pytest.raises(LiteralInvalid, match="MEASURE=PERCENT"):
            parse_figure(text)


def test_pairs_columns_and_keys_say_how_they_are_written() -> None:
    assert parse_participant("supplier-a=randhie-a") == ("supplier-a", "randhie-a")
    assert parse_column("mdvis:int:visits: all") == ("mdvis", "int", "visits: all")
    assert parse_column("mdvis:int") == ("mdvis", "int", "")
    for parse, text in ((parse_participant, "a"), (parse_column, "a"), (parse_public_key, "00")):
        with pytest.raises(LiteralInvalid):
            parse(text)


def test_source_that_is_too_long_or_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "contract.py"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(CommandRefused, match="UTF-8"):
        read_source(path, size_max=100)
    with pytest.raises(CommandRefused, match="more than 1 bytes"):
        read_source(path, size_max=1)
