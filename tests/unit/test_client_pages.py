"""Pages of records: whole where they fit, in halves where they do not, alike in what they give."""

from __future__ import annotations

import pytest

from client.errors import Refused
from client.pages import View, page_of, rows_of
from ledger.values import Value


def view_of(sizes: list[int], room: int, asked: list[int]) -> list[Value]:
    """A view over records of these sizes that answers with so much at most."""
    offset, limit = asked
    found = sizes[offset : offset + limit]
    if sum(found) > room:
        raise Refused("value_limit", "the result is too large")
    return [*found]


@pytest.mark.parametrize("room", [9, 10, 17, 50, 1_000])
@pytest.mark.parametrize(("offset", "limit"), [(0, 20), (0, 1), (3, 7), (11, 5), (12, 3), (40, 9)])
def test_a_page_is_the_same_however_many_answers_it_takes(
    room: int, offset: int, limit: int
) -> None:
    sizes = [1, 9, 2, 8, 3, 7, 9, 9, 9, 1, 1, 9]

    def view(contract: str, method: str, *args: Value) -> Value:
        assert (contract, method, args[0]) == ("alert", "list_of", "opco")
        return view_of(sizes, room, [arg for arg in args if isinstance(arg, int)])

    found = page_of(view, "alert", "list_of", "opco", offset=offset, limit=limit)
    assert found == sizes[offset : offset + limit]


@pytest.mark.parametrize(("code", "room"), [("value_limit", 3), ("refused", 1_000)])
def test_what_no_smaller_page_helps_is_told(code: str, room: int) -> None:
    def view(contract: str, method: str, *args: Value) -> Value:
        assert (contract, method) == ("alert", "list")
        if code == "refused":
            raise Refused(code, "alert.reader: …")
        return view_of([1, 9], room, [arg for arg in args if isinstance(arg, int)])

    with pytest.raises(Refused) as refusal:
        page_of(view, "alert", "list", offset=0, limit=2)
    assert refusal.value.code == code


@pytest.mark.parametrize("offset", [0, 1, 99, 100, 250, 251, 400])
def test_all_rows_are_the_whole_list_from_an_offset_on(offset: int) -> None:
    rows: list[Value] = [{"number": number} for number in range(250)]

    def view(contract: str, method: str, *args: Value) -> Value:
        at, limit = (arg for arg in args if isinstance(arg, int))
        return rows[at : at + limit]

    assert list(rows_of(view, "grant", "list", offset=offset)) == rows[offset:]


def always(answer: list[Value]) -> View:
    def view(contract: str, method: str, *args: Value) -> Value:
        return answer

    return view


def test_a_page_has_no_more_than_was_asked_for() -> None:
    """A node that answers with more would have its records counted twice."""
    assert page_of(always([1, 2, 3]), "grant", "list", offset=0, limit=2) == [1, 2]


def test_a_list_without_an_end_is_not_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client.pages.RECORDS_MAX", 300)
    endless = rows_of(always([{"id": "g"}] * 100), "grant", "list")
    with pytest.raises(Refused) as refusal:
        list(endless)
    assert refusal.value.code == "answer.endless"
