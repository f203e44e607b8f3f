"""The digest of a storage declaration: stored with the code, so its words never change."""

from __future__ import annotations

import pytest

from contracts.vm.compile import compile_source
from contracts.vm.layout import conflict, layout_of
from crypto import sm3

HEAD = """
from contracts.dialect import Map, Var, record, view
@record
class Mark:
    note: str | None
    place: tuple[int, bytes]
@record
class Item:
    mark: Mark
    counts: dict[str, int]
"""
TAIL = "\n@view\ndef one() -> int:\n    return 1\n"

# What is declared -> what is hashed: names of records are no part of it, names of fields are.
WRITTEN = {
    "Var(int)": "Var(int)",
    "Var(list[bool])": "Var(list[bool])",
    "Var(dict[str, list[bytes]])": "Var(dict[str, list[bytes]])",
    "Var(tuple[int, str | None])": "Var(tuple[int, str | None])",
    "Map(str, int)": "Map(str, int)",
    "Map((str, bytes, int), bool)": "Map(str, bytes, int, bool)",
    "Var(Mark)": "Var((note: str | None, place: tuple[int, bytes]))",
    "Map(str, list[Item])": (
        "Map(str, list[(mark: (note: str | None, place: tuple[int, bytes]), "
        "counts: dict[str, int])])"
    ),
}


def layout(declaration: str) -> dict[str, str]:
    return layout_of(compile_source(f"{HEAD}kept = {declaration}{TAIL}").storage)


@pytest.mark.parametrize("declaration", WRITTEN)
def test_a_declaration_is_hashed_with_its_types_written_out(declaration: str) -> None:
    digest = sm3.digest(WRITTEN[declaration].encode()).hex()
    assert layout(declaration) == {"kept": digest}


def test_no_two_of_these_are_alike() -> None:
    assert len({layout(declaration)["kept"] for declaration in WRITTEN}) == len(WRITTEN)


def test_a_name_keeps_its_type_and_a_new_name_is_free() -> None:
    present = layout("Map(str, int)")
    assert conflict(present, present) == conflict(present, {}) == ""
    assert conflict(present, {**present, "added": "any"}) == ""
    assert conflict(present, layout("Map(str, bool)")).startswith("storage `kept` keeps its type")
