"""What compiled code may call: built-ins and methods that charge and check before they act.

Every guard charges for the size of what it touches before touching it. Guards assume the static
types that the compiler proved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from contracts.dialect import functions as host
from contracts.vm import limits, prices
from contracts.vm.codes import Code, Stop
from contracts.vm.guard_bounds import WALK_SIZE_MAX, Guard, bounded_text, overflow, within
from contracts.vm.guards_containers import dict_guards, list_guards
from contracts.vm.guards_text import text_guards
from contracts.vm.meter import Meter
from contracts.vm.values import Inner, text_size, walk


def make_guards(meter: Meter) -> dict[str, Guard]:
    """All guards that depend on no contract, by emitted name."""
    return {
        "__flush": meter.flush,
        **_arithmetic(),
        **_pricing(meter),
        **text_guards(meter),
        **list_guards(meter),
        **dict_guards(meter),
        **_iteration(meter),
        **_host(meter),
    }


def _stop(code: Code, detail: str) -> NoReturn:
    raise Stop(code, detail)


def _refuse(text: str) -> NoReturn:
    raise Stop(Code.refused, text)


# --- integers ----------------------------------------------------------------------------------


def _power(base: int, exponent: int) -> int:
    if exponent < 0:
        raise Stop(Code.arithmetic, "a negative exponent")
    if base in (0, 1, -1):
        return int(base ** (exponent & 1 if exponent else 0)) if base else int(exponent == 0)
    if exponent > 256:  # |base| is at least 2
        overflow()
    if (abs(base).bit_length() - 1) * exponent > 256:
        overflow()
    return within(base**exponent)


def _shift_left(value: int, bits: int) -> int:
    if not 0 <= bits <= limits.SHIFT_MAX:
        raise Stop(Code.arithmetic, "a shift out of range")
    return within(value << bits)


def _shift_right(value: int, bits: int) -> int:
    if not 0 <= bits <= limits.SHIFT_MAX:
        raise Stop(Code.arithmetic, "a shift out of range")
    return value >> bits


def _arithmetic() -> dict[str, Guard]:
    return {
        "__overflow": overflow,
        "__pow": _power,
        "__shl": _shift_left,
        "__shr": _shift_right,
        "__abs": abs,
        "__len": len,
        "__refuse": _refuse,
    }


# --- sizes -------------------------------------------------------------------------------------


def _pricing(meter: Meter) -> dict[str, Guard]:
    charge = meter.charge

    def priced(value: Inner) -> Inner:
        """`value`, charged for a comparison with it."""
        if type(value) is str or type(value) is bytes:
            charge(text_size(value) >> 3)
        elif value is not None and type(value) is not int and type(value) is not bool:
            walk(value, meter, WALK_SIZE_MAX)
        return value

    def search_cost(value: Inner, items: list[Inner] | tuple[Inner, ...]) -> None:
        each = 3 + (text_size(value) >> 3) if isinstance(value, (str, bytes)) else 3
        charge(each * len(items))
        if isinstance(value, (list, tuple, dict)):  # compared deeply with every item
            walk(items, meter, WALK_SIZE_MAX)

    def in_list(value: Inner, items: list[Inner] | tuple[Inner, ...]) -> bool:
        search_cost(value, items)
        return value in items

    def list_index(items: list[Inner], value: Inner) -> int:
        search_cost(value, items)
        try:
            return items.index(value)
        except ValueError:
            raise Stop(Code.bad_value, "the list does not hold the value") from None

    def list_remove(items: list[Inner], value: Inner) -> None:
        del items[list_index(items, value)]

    def list_count(items: list[Inner], value: Inner) -> int:
        search_cost(value, items)
        return items.count(value)

    return {
        "__priced": priced,
        "__in_list": in_list,
        "__list_index": list_index,
        "__list_remove": list_remove,
        "__list_count": list_count,
    }


# --- iteration ---------------------------------------------------------------------------------


def _iteration(meter: Meter) -> dict[str, Guard]:
    charge = meter.charge

    def numbers(*bounds: int) -> range:
        if len(bounds) == 3 and bounds[2] == 0:
            raise Stop(Code.bad_value, "range() with step 0")
        return range(*bounds)

    def paced(cost: int, turns: int, *bounds: int) -> Iterable[range]:
        """range(*bounds) in parts of at most `turns` numbers, each paid before it is run over."""
        whole = numbers(*bounds)
        try:
            count = len(whole)
        except OverflowError:  # more than any gas pays for: the parts tell
            return parts(whole, cost, turns)
        if count > turns:
            return parts(whole, cost, turns)
        charge(count * cost)
        return (whole,)

    def parts(rest: range, cost: int, turns: int) -> Iterator[range]:
        while rest:
            part = rest[:turns]
            rest = rest[turns:]
            charge(len(part) * cost)
            yield part

    # Loops over a dict run over a copy: changing it meanwhile is well defined then.
    def keys(items: dict[Any, Inner]) -> list[Inner]:
        charge(len(items) * prices.GAS_ITEM)
        return list(items)

    def values(items: dict[Any, Inner]) -> list[Inner]:
        charge(len(items) * prices.GAS_ITEM)
        return list(items.values())

    def pairs(items: dict[Any, Inner]) -> list[tuple[Any, Inner]]:
        charge(len(items) * prices.GAS_ITEM * 2)
        return list(items.items())

    return {
        "__range": numbers,
        "__paced": paced,
        "__keys": keys,
        "__values": values,
        "__items": pairs,
        "__enumerate": enumerate,
        "__zip": zip,
        "__reversed": reversed,
    }


# --- host functions ----------------------------------------------------------------------------


def _host(meter: Meter) -> dict[str, Guard]:
    charge = meter.charge

    def sm3(data: bytes) -> bytes:
        charge((len(data) >> 6) * prices.GAS_SM3_64)
        return host.sm3(data)

    def sm2_verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
        charge((len(message) >> 6) * prices.GAS_SM3_64)
        return host.sm2_verify(public_key, message, signature)

    def to_hex(data: bytes) -> str:
        charge(len(data) >> 2)
        return bounded_text(data.hex())  # type: ignore[no-any-return]

    def from_hex(text: str) -> bytes:
        charge(len(text) * 4)
        return _valued(host.from_hex, text)  # type: ignore[no-any-return]

    def int_from_bytes(data: bytes) -> int:
        return _valued(host.int_from_bytes, data)  # type: ignore[no-any-return]

    def int_to_bytes(value: int, size: int) -> bytes:
        return _valued(host.int_to_bytes, value, size)  # type: ignore[no-any-return]

    return {
        "__sm2_verify": sm2_verify,
        "__sm3": sm3,
        "__to_hex": to_hex,
        "__from_hex": from_hex,
        "__is_name": host.is_name,
        "__int_from_bytes": int_from_bytes,
        "__int_to_bytes": int_to_bytes,
    }


def _valued(function: Guard, *args: Any) -> Any:
    try:
        return function(*args)
    except ValueError as error:
        _stop(Code.bad_value, str(error))
