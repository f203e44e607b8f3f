"""Texts of strangers as TOML: tables, or one error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.toml import TomlInvalid, parse_toml


def test_what_is_toml_is_read() -> None:
    assert parse_toml('a = 1\n[b]\nc = ["d"]') == {"a": 1, "b": {"c": ["d"]}}


@pytest.mark.parametrize(
    "text",
    [
        "a = ",
        "a = 1\na = 2",
        "\x00",
        "a = " + "[" * 100_000,
        "a = 1" + "0" * 5_000,  # Python reads no longer number, with a bare ValueError
        "a = 2031-13-01T00:00:00Z",
        "[a]\n[a.b]\n[a]",
    ],
)
def test_whatever_else_it_is_there_is_one_error(text: str) -> None:
    with pytest.raises(TomlInvalid) as invalid:
        parse_toml(text)
    assert str(invalid.value)


@given(st.text(alphabet="[]{}=.,\"'\n 0123456789abcdeTZ:-+_#\\", max_size=60))
def test_drawn_texts_are_read_or_raise_the_one_error(text: str) -> None:
    try:
        parse_toml(text)
    except TomlInvalid as error:
        assert str(error)
