"""What compiled code may call: built-ins and methods that charge and check before they act.

Every guard charges for the size of what it touches before touching it. Guards assume the static
types that the compiler proved.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from contracts.dialect import functions as host
from contracts.vm import limits, prices
from contracts.vm.codes import Code, Stop
from contracts.vm.meter import Meter
from contracts.vm.values import Inner, text_size, walk

Guard = Callable[..., Any]

_WALK_SIZE_MAX = 1 << 40  # no bound but gas: comparisons store nothing


def make_guards(meter: Meter) -> dict[str, Guard]:
    """All guards that depend on no contract, by emitted name."""
    return {
        "__flush": meter.flush,
        **_arithmetic(),
        **_pricing(meter),
        **_texts(meter),
        **_lists(meter),
        **_dicts(meter),
        **_iteration(meter),
        **_host(meter),
    }


def _stop(code: Code, detail: str) -> NoReturn:
    raise Stop(code, detail)


def _refuse(text: str) -> NoReturn:
    raise Stop(Code.refused, text)


# --- integers ----------------------------------------------------------------------------------


def _overflow() -> NoReturn:
    raise Stop(Code.arithmetic, "an integer beyond +-2**256")


def _power(base: int, exponent: int) -> int:
    if exponent < 0:
        raise Stop(Code.arithmetic, "a negative exponent")
    if base in (0, 1, -1):
        return int(base ** (exponent & 1 if exponent else 0)) if base else int(exponent == 0)
    if exponent > 256:  # |base| is at least 2
        _overflow()
    if (abs(base).bit_length() - 1) * exponent > 256:
        _overflow()
    return _within(base**exponent)


def _within(value: int) -> int:
    if not -limits.INT_BOUND <= value <= limits.INT_BOUND:
        _overflow()
    return value


def _shift_left(value: int, bits: int) -> int:
    if not 0 <= bits <= limits.SHIFT_MAX:
        raise Stop(Code.arithmetic, "a shift out of range")
    return _within(value << bits)


def _shift_right(value: int, bits: int) -> int:
    if not 0 <= bits <= limits.SHIFT_MAX:
        raise Stop(Code.arithmetic, "a shift out of range")
    return value >> bits


def _arithmetic() -> dict[str, Guard]:
    return {
        "__overflow": _overflow,
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
            walk(value, meter, _WALK_SIZE_MAX)
        return value

    def search_cost(value: Inner, items: list[Inner] | tuple[Inner, ...]) -> None:
        each = 3 + (text_size(value) >> 3) if isinstance(value, (str, bytes)) else 3
        charge(each * len(items))
        if isinstance(value, (list, tuple, dict)):  # compared deeply with every item
            walk(items, meter, _WALK_SIZE_MAX)

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


# --- texts -------------------------------------------------------------------------------------


def bounded_text(value: Any) -> Any:
    """A str or bytes within its bound."""
    if text_size(value) > limits.TEXT_SIZE_MAX:
        raise Stop(Code.value_limit, "a text is too long")
    return value


def bounded_list(length: int) -> None:
    if length > limits.LIST_LENGTH_MAX:
        raise Stop(Code.value_limit, "a list is too long")


_LOWER = str.maketrans({c: chr(c + 32) for c in range(65, 91)})
_UPPER = str.maketrans({c: chr(c - 32) for c in range(97, 123)})


def _texts(meter: Meter) -> dict[str, Guard]:
    charge = meter.charge

    def cat(left: Any, right: Any) -> Any:
        charge((text_size(left) + text_size(right)) >> 3)
        return bounded_text(left + right)

    def fmt(*parts: str | int | bool) -> str:
        size = 0
        for part in parts:
            size += text_size(part) if type(part) is str else 80
        charge(size >> 3)
        if size > 2 * limits.TEXT_SIZE_MAX:
            raise Stop(Code.value_limit, "a text is too long")
        return bounded_text("".join([str(part) for part in parts]))  # type: ignore[no-any-return]

    def in_text(part: Any, text: Any) -> bool:
        charge((text_size(part) + text_size(text)) >> 2)
        return part in text

    def starts(text: Any, part: Any) -> bool:
        charge(text_size(part) >> 3)
        return bool(text.startswith(part))

    def ends(text: Any, part: Any) -> bool:
        charge(text_size(part) >> 3)
        return bool(text.endswith(part))

    def find(text: Any, part: Any) -> int:
        charge((text_size(part) + text_size(text)) >> 2)
        return int(text.find(part))

    def pieces(text: str, separator: str) -> int:
        """How often `separator` occurs, paid for."""
        charge((text_size(text) + text_size(separator)) >> 2)
        return text.count(separator)

    def split(text: str, separator: str) -> list[str]:
        if not separator:
            raise Stop(Code.bad_value, "an empty separator")
        count = pieces(text, separator) + 1
        bounded_list(count)
        charge(count * prices.GAS_ITEM)
        return text.split(separator)

    def join(separator: str, items: list[str]) -> str:
        charge(len(items) * 2)
        size = text_size(separator) * len(items)
        for item in items:
            size += text_size(item)
        charge(size >> 3)
        if size > 4 * limits.TEXT_SIZE_MAX:
            raise Stop(Code.value_limit, "a text is too long")
        return bounded_text(separator.join(items))  # type: ignore[no-any-return]

    def replace_text(text: str, old: str, new: str) -> str:
        if not old:
            raise Stop(Code.bad_value, "an empty text to replace")
        count = pieces(text, old)
        size = text_size(text) + count * text_size(new)
        charge(size >> 3)
        if size > 4 * limits.TEXT_SIZE_MAX:
            raise Stop(Code.value_limit, "a text is too long")
        return bounded_text(text.replace(old, new))  # type: ignore[no-any-return]

    return {
        "__cat": cat,
        "__fmt": fmt,
        "__in_text": in_text,
        "__starts": starts,
        "__ends": ends,
        "__find": find,
        "__split": split,
        "__join": join,
        "__replace_text": replace_text,
        **_text_forms(meter),
    }


def _text_forms(meter: Meter) -> dict[str, Guard]:
    """Changes of form that keep the length."""
    charge = meter.charge

    def encode(text: str) -> bytes:
        charge(text_size(text) >> 3)
        return text.encode()

    def decode(data: bytes) -> str:
        charge(len(data) >> 2)
        try:
            return bounded_text(data.decode())  # type: ignore[no-any-return]
        except UnicodeDecodeError:
            raise Stop(Code.bad_value, "bytes are no UTF-8") from None

    def lower(text: str) -> str:
        charge(text_size(text))
        return text.translate(_LOWER)

    def upper(text: str) -> str:
        charge(text_size(text))
        return text.translate(_UPPER)

    def strip(text: str) -> str:
        charge(text_size(text) >> 3)
        return text.strip(" \t\n\r\v\f")

    def to_int(text: str) -> int:
        digits = text[1:] if text[:1] == "-" else text
        if not (0 < len(digits) <= 78 and digits.isascii() and digits.isdigit()):
            raise Stop(Code.bad_value, "int() takes decimal digits")
        return _within(int(text))

    return {
        "__encode": encode,
        "__decode": decode,
        "__lower": lower,
        "__upper": upper,
        "__strip": strip,
        "__int": to_int,
    }


# --- lists -------------------------------------------------------------------------------------


def _lists(meter: Meter) -> dict[str, Guard]:
    charge = meter.charge
    length_max = limits.LIST_LENGTH_MAX
    item_gas = prices.GAS_ITEM

    def append(items: list[Inner], value: Inner) -> None:
        charge(item_gas)
        if len(items) >= length_max:
            raise Stop(Code.value_limit, "a list is too long")
        items.append(value)

    def extend(items: list[Inner], more: list[Inner]) -> None:
        charge(len(more) * item_gas)
        bounded_list(len(items) + len(more))
        items.extend(more)

    def cat_list(left: list[Inner], right: list[Inner]) -> list[Inner]:
        charge((len(left) + len(right)) * item_gas)
        bounded_list(len(left) + len(right))
        return left + right

    def insert(items: list[Inner], position: int, value: Inner) -> None:
        charge(item_gas + (len(items) >> 3))
        bounded_list(len(items) + 1)
        size = len(items)
        items.insert(max(-size, min(position, size)), value)

    def pop(items: list[Inner]) -> Inner:
        return items.pop()

    def pop_at(items: list[Inner], position: int) -> Inner:
        charge(len(items) >> 3)
        return items.pop(position) if abs(position) <= length_max else items[position]

    def remove_at(items: list[Inner], position: int) -> None:
        charge(len(items) >> 3)
        del items[position]

    def reverse(items: list[Inner]) -> None:
        charge(len(items) >> 2)
        items.reverse()

    def piece(value: Any, start: int | None, end: int | None) -> Any:
        result_size = len(range(len(value))[start:end])
        if type(value) is list:
            charge(result_size * item_gas)
        else:
            charge((4 * result_size) >> 3)
        return value[start:end]

    def copied(items: Any) -> list[Inner]:
        charge(len(items) * item_gas)
        bounded_list(len(items))
        return list(items)

    return {
        "__list_append": append,
        "__list_extend": extend,
        "__cat_list": cat_list,
        "__list_insert": insert,
        "__list_pop": pop,
        "__list_pop_at": pop_at,
        "__list_del": remove_at,
        "__list_reverse": reverse,
        "__slice": piece,
        "__list": copied,
        **_orders(meter),
    }


def _orders(meter: Meter) -> dict[str, Guard]:
    charge = meter.charge

    def sort_cost(items: list[Inner] | dict[Inner, Inner]) -> None:
        count = len(items)
        charge(count * prices.GAS_ITEM)
        rounds = count.bit_length()
        charge(count * rounds * prices.GAS_SORT_STEP)
        # Compared up to once per round: texts and tuples pay for their size each time.
        before = meter.left
        for item in items:
            if type(item) is not int and type(item) is not bool:
                walk(item, meter, _WALK_SIZE_MAX)
        charge((before - meter.left) * (rounds >> 1))

    def ordered(items: Any) -> list[Any]:
        sort_cost(items)
        return sorted(items)

    def sort(items: list[Any]) -> None:
        sort_cost(items)
        items.sort()

    def extreme_cost(items: Any) -> None:
        if not items:
            raise Stop(Code.bad_value, "min() or max() of nothing")
        charge(len(items) * 3)
        for item in items:
            if type(item) is not int:
                charge(text_size(item) >> 3)

    def least(items: Any) -> Any:
        extreme_cost(items)
        return min(items)

    def most(items: Any) -> Any:
        extreme_cost(items)
        return max(items)

    def total(items: list[int]) -> int:
        charge(len(items) * 4)  # 16,384 items add 14 bits: no step leaves bounded size
        return _within(sum(items))

    def some(items: list[bool]) -> bool:
        charge(len(items))
        return any(items)

    def every(items: list[bool]) -> bool:
        charge(len(items))
        return all(items)

    return {
        "__sorted": ordered,
        "__list_sort": sort,
        "__min": least,
        "__max": most,
        "__sum": total,
        "__any": some,
        "__all": every,
    }


# --- dicts, records ----------------------------------------------------------------------------


def _dicts(meter: Meter) -> dict[str, Guard]:
    charge = meter.charge
    dict_gas = prices.GAS_DICT_ITEM

    def key_cost(key: Inner) -> None:
        """Hashing costs the size; large ints could be chosen to collide."""
        kind = type(key)
        if kind is str or kind is bytes:
            charge(text_size(key) >> 3)  # type: ignore[arg-type]
        elif kind is int:
            if not -limits.DICT_KEY_INT_BOUND < key < limits.DICT_KEY_INT_BOUND:  # type: ignore[operator]
                raise Stop(Code.value_limit, "a dict key is too large")
        elif kind is tuple:
            for part in key:  # type: ignore[union-attr]
                key_cost(part)

    def display(*pairs: Inner) -> dict[Any, Inner]:
        result: dict[Any, Inner] = {}
        for position in range(0, len(pairs), 2):
            key_cost(pairs[position])
            result[pairs[position]] = pairs[position + 1]
        return result

    def item(items: dict[Any, Inner], key: Inner) -> Inner:
        key_cost(key)
        return items[key]

    def put(items: dict[Any, Inner], key: Inner, value: Inner) -> None:
        key_cost(key)
        charge(dict_gas)
        if len(items) >= limits.LIST_LENGTH_MAX and key not in items:
            raise Stop(Code.value_limit, "a dict is too long")
        items[key] = value

    def get(items: dict[Any, Inner], key: Inner) -> Inner:
        key_cost(key)
        return items.get(key)

    def get_or(items: dict[Any, Inner], key: Inner, default: Inner) -> Inner:
        key_cost(key)
        return items.get(key, default)

    def pop(items: dict[Any, Inner], key: Inner) -> Inner:
        key_cost(key)
        return items.pop(key)

    def remove(items: dict[Any, Inner], key: Inner) -> None:
        key_cost(key)
        del items[key]

    def in_dict(key: Inner, items: dict[Any, Inner]) -> bool:
        key_cost(key)
        return key in items

    def replace(record: tuple[Inner, ...], places: tuple[int, ...], values: Any) -> Any:
        fields = list(record)
        for place, value in zip(places, values, strict=True):
            fields[place] = value
        return tuple(fields)

    return {
        "__dict": display,
        "__dict_item": item,
        "__dict_set": put,
        "__dict_get": get,
        "__dict_getor": get_or,
        "__dict_pop": pop,
        "__dict_del": remove,
        "__in_dict": in_dict,
        "__replace": replace,
    }


# --- iteration ---------------------------------------------------------------------------------


def _iteration(meter: Meter) -> dict[str, Guard]:
    charge = meter.charge

    def numbers(*bounds: int) -> range:
        if len(bounds) == 3 and bounds[2] == 0:
            raise Stop(Code.bad_value, "range() with step 0")
        return range(*bounds)

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
