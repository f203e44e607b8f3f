"""The types of the language: which fits which, what joins, how deep and large, what is a key."""

from __future__ import annotations

import ast

import pytest

from contracts.vm import limits
from contracts.vm.types import (
    BOOL,
    BYTES,
    INT,
    NEVER,
    NONE,
    STR,
    UNKNOWN,
    DictOf,
    ListOf,
    OptionalOf,
    TupleOf,
    Type,
    TypeInvalid,
    depth,
    has_dict,
    has_record,
    is_assignable,
    is_dict_key,
    is_immutable,
    is_storage_key,
    join,
    make_record,
    parse_type,
    show,
    size,
)

PAIR = make_record("Pair", (("a", INT), ("b", STR)), (("b", "x"),))
BOX = make_record("Box", (("items", ListOf(INT)), ("table", DictOf(STR, INT))), ())
DEEP = make_record("Deep", (("boxes", ListOf(BOX)), ("pair", PAIR)), ())
NOTHING = make_record("Nothing", (), ())

# type as written -> (type, depth, nodes, facts: I immutable, D has a dict, R has a record,
#                     K dict key, S storage key)
FACTS: dict[str, tuple[Type, int, int, str]] = {
    "int": (INT, 0, 1, "IKS"),
    "bool": (BOOL, 0, 1, "IKS"),
    "str": (STR, 0, 1, "IKS"),
    "bytes": (BYTES, 0, 1, "IKS"),
    "None": (NONE, 0, 1, "I"),
    "int | None": (OptionalOf(INT), 0, 2, "I"),
    "list[int]": (ListOf(INT), 1, 2, ""),
    "list[int] | None": (OptionalOf(ListOf(INT)), 1, 3, ""),
    "list[list[int]]": (ListOf(ListOf(INT)), 2, 3, ""),
    "list[Pair]": (ListOf(PAIR), 2, 4, "R"),
    "list[dict[str, int]]": (ListOf(DictOf(STR, INT)), 2, 4, "D"),
    "dict[str, int]": (DictOf(STR, INT), 1, 3, "D"),
    "dict[str, list[int]]": (DictOf(STR, ListOf(INT)), 2, 4, "D"),
    "dict[tuple[str, str], int]": (DictOf(TupleOf((STR, STR)), INT), 2, 5, "D"),
    "dict[str, Pair]": (DictOf(STR, PAIR), 2, 5, "DR"),
    "tuple[int]": (TupleOf((INT,)), 1, 2, "I"),
    "tuple[str]": (TupleOf((STR,)), 1, 2, "IK"),
    "tuple[Pair]": (TupleOf((PAIR,)), 2, 4, "IR"),
    "tuple[str, bytes, bool]": (TupleOf((STR, BYTES, BOOL)), 1, 4, "IK"),
    "tuple[int, str]": (TupleOf((INT, STR)), 1, 3, "I"),
    "tuple[int, list[int]]": (TupleOf((INT, ListOf(INT))), 2, 4, ""),
    "tuple[int, dict[str, int]]": (TupleOf((INT, DictOf(STR, INT))), 2, 5, "D"),
    "Pair": (PAIR, 1, 3, "IR"),
    "Pair | None": (OptionalOf(PAIR), 1, 4, "IR"),
    "Box": (BOX, 2, 6, "DR"),
    "Deep": (DEEP, 4, 11, "DR"),
    "Nothing": (NOTHING, 1, 1, "IR"),
}
RECORDS = {record.name: record for record in (PAIR, BOX, DEEP, NOTHING)}

# value type -> where it may stand, beside itself
ASSIGNABLE: list[tuple[Type, Type, bool]] = [
    (INT, OptionalOf(INT), True),
    (NONE, OptionalOf(INT), True),
    (OptionalOf(INT), INT, False),
    (STR, OptionalOf(INT), False),
    (INT, BOOL, False),
    (BOOL, INT, False),
    (NEVER, INT, True),
    (INT, NEVER, False),
    (UNKNOWN, ListOf(INT), True),
    (ListOf(INT), UNKNOWN, True),
    (ListOf(INT), ListOf(OptionalOf(INT)), False),
    (DictOf(STR, INT), DictOf(STR, OptionalOf(INT)), False),
    (TupleOf((INT, NONE)), TupleOf((OptionalOf(INT), OptionalOf(STR))), True),
    (TupleOf((INT,)), TupleOf((OptionalOf(INT), INT)), False),
    (TupleOf((INT, INT)), TupleOf((OptionalOf(INT),)), False),
    (TupleOf((INT, STR)), TupleOf((OptionalOf(INT), INT)), False),
    (TupleOf((TupleOf((INT,)),)), TupleOf((TupleOf((OptionalOf(INT),)),)), True),
    (TupleOf((INT,)), OptionalOf(TupleOf((OptionalOf(INT),))), True),
    (TupleOf((INT,)), ListOf(INT), False),
    (INT, TupleOf((INT,)), False),
    (PAIR, make_record("Pair", (), ()), True),
    (PAIR, BOX, False),
]

JOINS: list[tuple[Type, Type, Type | None]] = [
    (INT, INT, INT),
    (INT, STR, None),
    (INT, NONE, OptionalOf(INT)),
    (NONE, INT, OptionalOf(INT)),
    (NONE, NONE, NONE),
    (OptionalOf(INT), NONE, OptionalOf(INT)),
    (NONE, OptionalOf(INT), OptionalOf(INT)),
    (OptionalOf(INT), INT, OptionalOf(INT)),
    (INT, OptionalOf(INT), OptionalOf(INT)),
    (NEVER, INT, INT),
    (INT, NEVER, INT),
    (TupleOf((INT,)), TupleOf((OptionalOf(INT),)), TupleOf((OptionalOf(INT),))),
    (TupleOf((OptionalOf(INT),)), TupleOf((INT,)), TupleOf((OptionalOf(INT),))),
    (TupleOf((INT,)), TupleOf((STR,)), None),
    (ListOf(INT), ListOf(OptionalOf(INT)), None),
    (ListOf(INT), NONE, OptionalOf(ListOf(INT))),
]


def expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


@pytest.mark.parametrize("text", FACTS)
def test_what_is_known_of_a_type(text: str) -> None:
    kind, levels, nodes, facts = FACTS[text]
    assert parse_type(expression(text), RECORDS) == kind
    assert show(kind) == text
    assert (depth(kind), size(kind)) == (levels, nodes)
    tests = {
        "I": is_immutable,
        "D": has_dict,
        "R": has_record,
        "K": is_dict_key,
        "S": is_storage_key,
    }
    assert {letter: test(kind) for letter, test in tests.items()} == {
        letter: letter in facts for letter in tests
    }


def test_an_empty_tuple_is_shallow_and_no_key() -> None:
    assert (depth(TupleOf(())), size(TupleOf(()))) == (1, 1)
    assert is_dict_key(TupleOf(())) is False


def test_a_dict_with_records_in_its_key_has_records() -> None:
    assert has_record(DictOf(TupleOf((PAIR,)), INT)) is True
    assert has_record(DictOf(STR, INT)) is False


def test_a_record_is_measured_when_it_is_made() -> None:
    for fields, levels, nodes in (
        ((), 1, 1),
        ((("a", INT),), 1, 2),
        ((("a", ListOf(INT)), ("b", STR)), 2, 4),
        ((("a", STR), ("b", DEEP)), 5, 13),
    ):
        made = make_record("Made", fields, ())
        assert (made.levels, made.nodes) == (levels, nodes)
        assert (depth(made), size(made)) == (levels, nodes)


def test_records_are_known_by_the_place_of_their_fields() -> None:
    assert [PAIR.index(name) for name in ("a", "b", "c")] == [0, 1, None]


@pytest.mark.parametrize(("source", "target", "fits"), ASSIGNABLE)
def test_which_value_may_stand_where(source: Type, target: Type, fits: bool) -> None:
    assert is_assignable(source, target) is fits
    assert is_assignable(source, source) is True


@pytest.mark.parametrize(("left", "right", "joined"), JOINS)
def test_the_smallest_type_of_two(left: Type, right: Type, joined: Type | None) -> None:
    assert join(left, right) == joined


def nested(levels: int) -> str:
    return "list[" * levels + "int" + "]" * levels


def wide(items: int) -> str:
    return f"tuple[{', '.join(['int'] * items)}]"


def test_types_nest_and_grow_up_to_their_bounds() -> None:
    assert depth(parse_type(expression(nested(limits.TYPE_DEPTH_MAX)), {})) == 6
    assert size(parse_type(expression(wide(limits.TYPE_NODES_MAX - 1)), {})) == 256
    with pytest.raises(TypeInvalid, match="nests too deep") as deep:
        parse_type(expression(nested(limits.TYPE_DEPTH_MAX + 1)), {})
    with pytest.raises(TypeInvalid, match="is too large with its records written out") as large:
        parse_type(expression(wide(limits.TYPE_NODES_MAX)), {})
    assert (deep.value.rule, large.value.rule) == ("T006", "T006")
    assert (deep.value.node.col_offset, large.value.node.col_offset) == (0, 0)


@pytest.mark.parametrize(
    ("text", "rule", "column", "reason"),
    [
        ("int | None | None", "T002", 0, "None stands once in a type"),
        ("None | None", "T002", 0, "None stands once in a type"),
        ("None | int", "T002", 0, "not a type of the language"),
        ("int & None", "T002", 0, "not a type of the language"),
        ("tuple[()]", "T002", 0, "not a type of the language"),
        ("tuple[1]", "T002", 0, "not a type of the language"),
        ("tuple[list[int]]", "T002", 0, "not a type of the language"),
        ("dict[str]", "T002", 0, "not a type of the language"),
        ("set[int]", "T002", 0, "not a type of the language"),
        ("list[Other]", "T002", 5, "not a type of the language"),
        ("dict[tuple[int, str], int]", "T008", 5, "tuple[int, str] is no dict key"),
        ("dict[list[int], int]", "T008", 5, "list[int] is no dict key"),
    ],
)
def test_other_annotations_are_refused_at_their_place(
    text: str, rule: str, column: int, reason: str
) -> None:
    with pytest.raises(TypeInvalid) as refused:
        parse_type(expression(text), RECORDS)
    found = refused.value
    assert (found.rule, found.node.col_offset, str(found)) == (rule, column, reason)
