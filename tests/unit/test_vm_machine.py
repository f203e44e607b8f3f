"""What the machine holds itself to, should the compiler ever let something through.

Most of this no contract can reach: the static types and effects exclude it. It is the second line,
so these tests go around the first one.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contracts.vm import limits
from contracts.vm.codes import Code, Stop, ViewRefused
from contracts.vm.instance import Instance
from contracts.vm.testing import Chain, account
from crypto.errors import LibcryptoFault
from ledger.values import Value, encode_value

ALICE = account("alice")
NOTES = """
from contracts.dialect import Map, call, call_contract, emit, view
notes = Map(str, str)
pairs = Map((str, int), int)
lists = Map(str, list[int])
@call
def put(key: str, text: str) -> None:
    notes[key] = text
    emit("Put", key=key)
@call
def pair(key: str, n: int) -> None:
    pairs[key, n] = n
@call
def keep(key: str, items: list[int]) -> None:
    lists[key] = items
@view
def show(key: str) -> str:
    return notes.get(key, "")
@view
def repeat(text: str, times: int) -> list[str]:
    return [text for i in range(times)]
@call
def forward(key: str) -> None:
    call_contract("others", "put", key, "x")
"""


@pytest.fixture
def chain() -> Chain:
    chain = Chain()
    receipt = chain.deploy("notes", NOTES)
    assert receipt.status == 0, receipt.detail
    return chain


def instance(chain: Chain) -> Instance:
    return chain.machine.instance("notes", is_view=False)


def replaced(chain: Chain, method: str, function: Callable[..., object]) -> None:
    """Put a function in the place of compiled code."""
    instance(chain).entrypoints[method].function = function


def failing(error: BaseException) -> Callable[..., object]:
    def fail(*_: object) -> object:
        raise error

    return fail


# --- what compiled code cannot do, and what becomes of it if it does ---------------------------


@pytest.mark.parametrize("error", [TypeError("bug"), AttributeError("bug"), AssertionError("bug")])
def test_an_error_that_types_exclude_fails_the_transaction_and_no_node(
    chain: Chain, error: Exception
) -> None:
    before = dict(chain.state)
    replaced(chain, "put", failing(error))
    receipt = chain.call(ALICE, "notes", "put", "k", "x")
    assert (receipt.status, receipt.error, receipt.detail) == (Code.internal, "internal", "")
    assert receipt.events == () and chain.state == before


@pytest.mark.parametrize("fault", [MemoryError(), RecursionError(), LibcryptoFault("no memory")])
def test_a_fault_of_the_node_is_no_verdict_and_leaves_nothing(
    chain: Chain, fault: Exception
) -> None:
    put = instance(chain).entrypoints["put"].function

    def put_and_fail(*arguments: object) -> object:
        put(*arguments)
        raise fault

    replaced(chain, "put", put_and_fail)
    with pytest.raises(type(fault)):
        chain.call(ALICE, "notes", "put", "k", "x")
    assert chain.machine.state.take_writes() == ()


@pytest.mark.parametrize(
    ("method", "arguments"), [("put", ("k", "x")), ("forward", ("k",))], ids=["write", "call"]
)
def test_a_view_that_would_write_is_stopped(
    chain: Chain, method: str, arguments: tuple[Value, ...]
) -> None:
    chain.deploy("others", NOTES)
    function = instance(chain).entrypoints[method].function
    replaced(chain, "show", lambda _: function(*arguments))
    before = dict(chain.state)
    with pytest.raises(ViewRefused, match="read_only"):
        chain.view(ALICE, "notes", "show", "k")
    assert chain.state == before


def test_what_runs_inside_a_view_calls_nothing_and_emits_nothing(chain: Chain) -> None:
    machine = chain.machine
    bound = instance(chain)
    machine.meter.left = 10**6
    machine.is_read_only = True
    attempts: list[Callable[[], object]] = [
        lambda: machine.call_other("a", "notes", "put", ("k", "x"), is_view=False),
        lambda: machine.call_other("proposal", "contract", "cancel_engine", (), is_view=False),
        lambda: bound.scope["__emit"](0, ("k",)),
        lambda: bound.scope["__s_set_notes"]("k", "x"),
        lambda: bound.scope["__s_clear_notes"]("k"),
    ]
    for attempt in attempts:
        with pytest.raises(Stop) as stop:
            attempt()
        assert stop.value.code is Code.read_only
    assert machine.call_other("a", "notes", "show", ("k",), is_view=True) == ""
    assert machine.is_read_only, "a view that asked another view is one still"


# --- bounds ------------------------------------------------------------------------------------

LONG = "k" * limits.STORED_KEY_SIZE_MAX


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("put", (LONG, "x")),
        ("put", (LONG + "k", "x")),
        ("pair", (LONG, 1)),
        ("pair", (LONG + "k", 1)),
        ("put", ("k", "x" * limits.STORED_VALUE_SIZE_MAX)),
        ("keep", ("k", [2**60] * (limits.STORED_VALUE_SIZE_MAX // 8))),
    ],
)
def test_keys_and_values_beyond_their_size_are_not_stored(
    chain: Chain, method: str, arguments: tuple[Value, ...]
) -> None:
    before = dict(chain.state)
    assert chain.call(ALICE, "notes", method, *arguments).error == "value_limit"
    assert chain.state == before


def test_a_key_at_its_bound_is_stored(chain: Chain) -> None:
    room = limits.STORED_KEY_SIZE_MAX - len(b"\x92\xa5notes\xda\xff\xff")
    chain.must(ALICE, "notes", "put", "k" * room, "x")
    assert chain.view(ALICE, "notes", "show", "k" * room) == "x"
    assert chain.call(ALICE, "notes", "put", "k" * (room + 1), "x").error == "value_limit"


def test_a_result_beyond_its_size_is_none(chain: Chain) -> None:
    with pytest.raises(ViewRefused, match="value_limit"):
        chain.view(ALICE, "notes", "repeat", "x" * 60_000, 5)
    assert chain.view(ALICE, "notes", "repeat", "x" * 60_000, 4) == ["x" * 60_000] * 4


def test_a_result_is_measured_again_with_the_names_of_its_fields(chain: Chain) -> None:
    """Inside a record has no names: outside they are most of it."""
    name = "n" * 60
    source = f"""
from contracts.dialect import record, view
@record
class Item:
    {name}: int
@view
def items(times: int) -> list[Item]:
    return [Item({name}=1) for i in range(times)]
"""
    assert chain.deploy("named", source).status == 0
    times = (limits.RETURN_SIZE_MAX - 3) // len(encode_value({name: 1}))
    answer = chain.view(ALICE, "named", "items", times)
    assert answer == [{name: 1}] * times
    with pytest.raises(ViewRefused, match="value_limit: the result is too large"):
        chain.view(ALICE, "named", "items", times + 1)


def test_more_contracts_than_are_kept_compiled_all_work(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is dropped is compiled again when it is called, for the same gas."""
    monkeypatch.setattr(limits, "CODE_CACHE_MAX", 2)
    names = [f"notes{number}" for number in range(4)]
    for name in names:
        receipt = chain.deploy(name, NOTES.replace('"Put"', f'"Put_{name}"'))
        assert receipt.status == 0, receipt.detail
    receipts = [chain.call(ALICE, name, "put", "k", name) for name in names * 2]
    assert [receipt.error for receipt in receipts] == [""] * 8
    assert len({receipt.gas_used for receipt in receipts}) == 1
    assert len(chain.machine._bound) == len(chain.machine._compiled) == 2
