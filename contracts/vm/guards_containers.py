"""Guards of lists, dicts and records: growth is charged and bounded before it happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contracts.vm import limits, prices
from contracts.vm.codes import Code, Stop
from contracts.vm.guard_bounds import WALK_SIZE_MAX, Guard, bounded_list, within
from contracts.vm.meter import Meter
from contracts.vm.values import Inner, text_size, walk

# --- lists -------------------------------------------------------------------------------------


def list_guards(meter: Meter) -> dict[str, Guard]:
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
                walk(item, meter, WALK_SIZE_MAX)
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
        charge(len(items) * 5)
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
        return within(sum(items))

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


def _replaced(record: tuple[Inner, ...], places: tuple[int, ...], values: Any) -> Any:
    fields = list(record)
    for place, value in zip(places, values, strict=True):
        fields[place] = value
    return tuple(fields)


def _key_cost(meter: Meter) -> Callable[[Inner], None]:
    charge = meter.charge

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

    return key_cost


def dict_guards(meter: Meter) -> dict[str, Guard]:
    charge = meter.charge
    dict_gas = prices.GAS_DICT_ITEM

    key_cost = _key_cost(meter)

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

    return {
        "__dict": display,
        "__dict_item": item,
        "__dict_set": put,
        "__dict_get": get,
        "__dict_getor": get_or,
        "__dict_pop": pop,
        "__dict_del": remove,
        "__in_dict": in_dict,
        "__replace": _replaced,
    }
