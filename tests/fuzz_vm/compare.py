"""One drawn program in the machine and in plain Python: equal results, storage, events, codes."""

from __future__ import annotations

import random
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final

from contracts.vm.check import check_source
from contracts.vm.declare import Storage
from contracts.vm.keys import key_prefix, part_writer
from contracts.vm.testing import Chain, account
from contracts.vm.types import STR
from ledger.model import Receipt
from ledger.values import Value, decode_value, encode_value
from tests.fuzz_vm.generator import generator
from tests.fuzz_vm.grammar import Writer
from tests.fuzz_vm.reference import Map, Missing, Refused, SortedMap, World, outside

GAS: Final = 5_000_000
CALLS: Final = 3  # of each program, so that it meets what it stored
SENDER: Final = account("alice")
# What the machine bounds and Python does not: after these the two cannot be compared.
OWN_BOUNDS: Final = frozenset({"arithmetic", "value_limit", "out_of_gas"})
CODES: Final[tuple[tuple[type[BaseException], frozenset[str]], ...]] = (
    (Refused, frozenset({"refused"})),
    (Missing, frozenset({"missing_key"})),
    (ZeroDivisionError, frozenset({"arithmetic"})),
    (KeyError, frozenset({"missing_key"})),
    (IndexError, frozenset({"bad_index"})),
    (ValueError, frozenset({"bad_value"})),
    (OverflowError, frozenset({"bad_index"})),
)


class Differs(Exception):
    """The two disagree; `source` is the program."""

    def __init__(self, what: str, source: str) -> None:
        super().__init__(what)
        self.source = source


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many calls of a program ended how."""

    equal: int = 0  # the same value
    failed_alike: int = 0  # the same error
    bounded: int = 0  # stopped by a bound that Python does not have


def drawn(seed: int) -> str:
    return Writer(generator("program", seed)).program()


def compare(seed: int) -> Outcome:
    """Draw the program of `seed` and run it. Raises Differs."""
    return compare_source(drawn(seed), generator("arguments", seed))


def compare_source(source: str, rng: random.Random) -> Outcome:
    errors = [finding for finding in check_source(source) if finding.severity == "error"]
    if errors:
        raise Differs(f"check refuses a valid program: {errors[0]}", source)
    chain, twin = Chain(), Chain()
    chain.deploy("program", source)
    twin.deploy("program", source)
    world = World(source, sender=SENDER)
    outcome = Outcome()
    for _ in range(CALLS):
        arguments = arguments_from(rng)
        before = dict(chain.state)
        receipt = chain.call(SENDER, "program", "main", *arguments, gas_limit=GAS)
        again = _again(twin, arguments, forget=rng.random() < 0.5)
        if again != receipt:
            raise Differs(f"a second run differs: {receipt} and {again}", source)
        _one_unit_less(before, chain, arguments, receipt, source)
        kind = _compare_call(world, receipt, arguments, chain, source)
        outcome = Outcome(
            outcome.equal + (kind == "equal"),
            outcome.failed_alike + (kind == "failed"),
            outcome.bounded + (kind == "bounded"),
        )
        if kind == "bounded":
            break  # the storages have parted
    return outcome


def _again(twin: Chain, arguments: list[Value], *, forget: bool) -> Receipt:
    """The same call on a chain of its own, with or without what it cached."""
    if forget:
        twin.machine.reset()
    return twin.call(SENDER, "program", "main", *arguments, gas_limit=GAS)


def _one_unit_less(
    before: dict[Any, bytes], chain: Chain, arguments: list[Value], receipt: Receipt, source: str
) -> None:
    """With one unit of gas less than was used, a call leaves nothing but `out_of_gas`."""
    if receipt.error == "out_of_gas":
        return
    poor = Chain(height=chain.height - 1)
    poor.state = dict(before)
    limit = receipt.gas_used - 1
    failed = poor.call(SENDER, "program", "main", *arguments, gas_limit=limit)
    if failed.error != "out_of_gas" or poor.state != before or failed.gas_used != limit:
        raise Differs(f"one unit of gas less gives {failed} where {receipt} was", source)


def _compare_call(
    world: World, receipt: Receipt, arguments: list[Value], chain: Chain, source: str
) -> str:
    if receipt.error == "internal":
        raise Differs(f"internal error: {receipt}", source)
    if receipt.error in OWN_BOUNDS and receipt.detail != "division by zero":
        return "bounded"  # Python would go on and on, and take all memory
    try:
        result = world.call(arguments, height=chain.height)
    except Exception as error:
        return _compare_failure(error, receipt, source)
    if receipt.status != 0:
        raise Differs(f"the machine stops with {receipt.error}, Python gives {result}", source)
    if decode_value(receipt.return_value) != result:
        raise Differs(f"{decode_value(receipt.return_value)!r} is not {result!r}", source)
    if chain.events(receipt) != world.events:
        raise Differs(f"events {chain.events(receipt)} are not {world.events}", source)
    held = {key: value for (space, key), value in chain.state.items() if space == "program"}
    if held != stored(world):
        raise Differs(f"stored {held} is not {stored(world)}", source)
    return "equal"


def _compare_failure(error: Exception, receipt: Receipt, source: str) -> str:
    for kind, codes in CODES:
        if isinstance(error, kind):
            if receipt.error in codes:
                return "failed"
            break
    raise Differs(f"Python raises {error!r}, the machine says {receipt}", source)


def stored(world: World) -> dict[bytes, bytes]:
    """The reference's storage as the machine keeps it."""
    held = {}
    for name, cells in world.storage.items():
        is_map = isinstance(cells, Map)
        entries = cells.cells.items() if isinstance(cells, Map) else [((), v) for v in cells.cells]
        for key, value in entries:
            parts = key if isinstance(key, tuple) else (key,)
            is_sorted = isinstance(cells, SortedMap)
            storage = Storage(name, (STR,) * len(parts), STR, is_map, is_sorted)
            prefix = key_prefix(storage)
            encoded = prefix + b"".join(map(part_writer(prefix), parts))
            held[encoded] = encode_value(_inner(value))
    return held


def _inner(value: Any) -> Any:
    """Records are lists of their fields in storage."""
    if is_dataclass(value) and not isinstance(value, type):
        return [_inner(getattr(value, item.name)) for item in fields(value)]
    if isinstance(value, (list, tuple)):
        return [_inner(item) for item in value]
    if isinstance(value, dict):
        return {key: _inner(item) for key, item in value.items()}
    return outside(value)


def arguments_from(rng: random.Random) -> list[Value]:
    """Arguments of `main`, drawn."""
    numbers = (-3, -1, 0, 1, 2, 5, 40, 2**63, -(2**64), 2**200)
    items: list[Value] = [rng.randint(-5, 5) for _ in range(rng.randrange(5))]
    return [
        rng.choice(numbers),
        rng.randint(-9, 9),
        "".join(rng.choice("ab,k1\u4e2d ") for _ in range(rng.randrange(5))),
        rng.choice(["", "a", "k", "ab,c"]),
        items,
        rng.random() < 0.5,
    ]
