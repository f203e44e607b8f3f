"""Displays and calls of more items than CPython takes at once mean what shorter ones mean."""

from __future__ import annotations

import pytest

from contracts.vm.check import check_source
from contracts.vm.limits import GIVEN_MAX
from contracts.vm.testing import Chain, account
from ledger.values import Value

ALICE = account("alice")
COUNTS = [
    1,
    GIVEN_MAX // 2,
    GIVEN_MAX // 2 + 1,
    GIVEN_MAX,
    GIVEN_MAX + 1,
    2 * GIVEN_MAX + 1,
    3 * GIVEN_MAX,
]
HEAD = "from contracts.dialect import Var, call, call_contract, emit, record, replace, view\n"


def names(count: int) -> str:
    return ",\n        ".join(f"a + {number}" for number in range(count))


def ran(body: str, before: str = "") -> Value:
    source = f"{HEAD}{before}@call\ndef act(a: int) -> {body}"
    assert [f for f in check_source(source) if f.severity == "error"] == []
    chain = Chain()
    receipt = chain.deploy("many", source)
    assert receipt.status == 0, receipt.detail
    return chain.must(ALICE, "many", "act", 5)


@pytest.mark.parametrize("count", COUNTS)
def test_lists_and_tuples(count: int) -> None:
    expected = [5 + number for number in range(count)]
    assert ran(f"list[int]:\n    return [{names(count)}]") == expected
    kinds = ",\n    ".join(["int"] * count)
    assert ran(f"tuple[{kinds}]:\n    return ({names(count)},)") == expected


@pytest.mark.parametrize("count", COUNTS)
def test_dicts(count: int) -> None:
    pairs = ",\n        ".join(f"a + {number}: a * {number}" for number in range(count))
    later = f"{pairs}, a: -1"
    expected = {5 + number: 5 * number for number in range(count)}
    assert ran(f"list[int]:\n    d = {{{pairs}}}\n    return d.keys() + d.values()") == [
        *expected,
        *expected.values(),
    ]
    assert ran(f"int:\n    d = {{{later}}}\n    return d[a] * 1000 + len(d)") == -1000 + count


@pytest.mark.parametrize("count", COUNTS)
def test_texts(count: int) -> None:
    """Every value is a part, and so is the text between two."""
    assert ran(f"str:\n    return f'{'{a}x' * count}'") == "5x" * count


@pytest.mark.parametrize("count", [GIVEN_MAX, GIVEN_MAX + 1, 64])
def test_records(count: int) -> None:
    fields = "".join(f"    f{number}: int\n" for number in range(count))
    given = ",\n        ".join(f"f{number}=a + {number}" for number in range(count))
    before = f"@record\nclass Wide:\n{fields}"
    last = f"f{count - 1}"
    changed = ",\n        ".join(f"f{number}=a" for number in range(count - 1))
    assert ran(f"int:\n    return Wide({given}).{last}", before) == 4 + count
    assert ran(f"int:\n    w = Wide({given})\n    return replace(w, {changed}).{last}", before) == (
        4 + count
    )


def test_events_and_calls_at_their_bounds() -> None:
    given = ", ".join(f"f{number}=a + {number}" for number in range(32))
    assert ran(f"int:\n    emit('Wide', {given})\n    return a") == 5
    chain = Chain()
    parameters = ", ".join(f"p{number}: int" for number in range(32))
    other = f"{HEAD}@call\ndef last({parameters}) -> int:\n    return p31\n"
    assert chain.deploy("other", other).status == 0
    caller = (
        f"{HEAD}@call\ndef act(a: int) -> int:\n"
        f"    return call_contract('other', 'last', {names(32)}, returns=int)\n"
    )
    assert chain.deploy("many", caller).status == 0
    assert chain.must(ALICE, "many", "act", 5) == 36


@pytest.mark.parametrize("count", [GIVEN_MAX, GIVEN_MAX + 1])
def test_a_function_is_called_with_few_arguments(count: int) -> None:
    parameters = ", ".join(f"p{number}: int" for number in range(count))
    source = (
        f"{HEAD}def last({parameters}) -> int:\n    return p{count - 1}\n"
        f"@call\ndef act(a: int) -> int:\n    return last({names(count)})\n"
    )
    found = [(f.rule, f.reason) for f in check_source(source) if f.severity == "error"]
    if count > GIVEN_MAX:
        assert found == [("R004", "last() takes 31 values")]
    else:
        assert found == []


@pytest.mark.parametrize("count", [GIVEN_MAX - 1, GIVEN_MAX])
def test_a_comprehension_sees_few_locals(count: int) -> None:
    given = "".join(f"    v{number} = a + {number}\n" for number in range(count))
    total = " + ".join(f"v{number}" for number in range(count))
    body = f"list[int]:\n{given}    return [{total} + i for i in range(2)]"
    if count < GIVEN_MAX:
        whole = sum(5 + number for number in range(count))
        assert ran(body) == [whole, whole + 1]
    else:
        found = check_source(f"{HEAD}@call\ndef act(a: int) -> {body}\n")
        told = [(f.rule, f.reason) for f in found if f.severity == "error"]
        assert told == [
            ("R004", "the comprehension uses 30 values of the function around it"),
        ]


@pytest.mark.parametrize("name", ["min", "max"])
@pytest.mark.parametrize("count", [GIVEN_MAX, GIVEN_MAX + 1])
def test_the_least_and_the_largest_of_many(name: str, count: int) -> None:
    assert ran(f"int:\n    return {name}({names(count)})") == (5 if name == "min" else 4 + count)


@pytest.mark.parametrize("count", [GIVEN_MAX, GIVEN_MAX + 1, 60])
def test_many_targets(count: int) -> None:
    targets = ",\n        ".join(f"v{number}" for number in range(count))
    assert ran(f"int:\n    ({targets}) = ({names(count)})\n    return v{count - 1}") == 4 + count
