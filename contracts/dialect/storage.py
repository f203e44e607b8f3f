"""Storage declarations: the only module-level state of a contract."""

from __future__ import annotations

from typing import Generic, NoReturn, TypeVar, overload

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
K = TypeVar("K")
V = TypeVar("V")


class OutsideVm(RuntimeError):
    """Storage or `ctx` was touched outside the VM: run it with contracts.vm.testing.Chain."""


def _outside(name: str) -> NoReturn:
    raise OutsideVm(f"{name} works inside the VM only; test with contracts.vm.testing.Chain")


class Var(Generic[V]):
    """One stored value. Reading gives a copy: change it and `set` it again."""

    def __init__(self, value: type[V]) -> None:
        self.value_type = value

    @overload
    def get(self) -> V: ...
    @overload
    def get(self, default: V) -> V: ...
    def get(self, default: V | None = None) -> V:
        """The value; without `default` an unset variable fails with missing_key."""
        _outside("Var.get")

    def set(self, value: V) -> None:
        _outside("Var.set")

    def is_set(self) -> bool:
        _outside("Var.is_set")

    def clear(self) -> None:
        """Remove the value; nothing happens if there is none."""
        _outside("Var.clear")


class Map(Generic[K, V]):
    """A stored mapping with keys of one to three parts; not iterable (see SortedMap)."""

    @overload
    def __init__(
        self: Map[tuple[A, B, C], V], key: tuple[type[A], type[B], type[C]], value: type[V]
    ) -> None: ...
    @overload
    def __init__(
        self: Map[tuple[A, B], V], key: tuple[type[A], type[B]], value: type[V]
    ) -> None: ...
    @overload
    def __init__(self: Map[A, V], key: type[A], value: type[V]) -> None: ...
    def __init__(self, key: object, value: type[V]) -> None:
        self.key_type = key
        self.value_type = value

    def __getitem__(self, key: K) -> V:
        _outside("Map[...]")

    def __setitem__(self, key: K, value: V) -> None:
        _outside("Map[...] =")

    def __delitem__(self, key: K) -> None:
        _outside("del Map[...]")

    def __contains__(self, key: K) -> bool:
        _outside("in Map")

    @overload
    def get(self, key: K) -> V | None: ...
    @overload
    def get(self, key: K, default: V) -> V: ...
    def get(self, key: K, default: V | None = None) -> V | None:
        _outside("Map.get")


class SortedMap(Map[K, V]):
    """A Map that also gives its entries page by page, in the order of their keys.

    Ints go by size, False before True, str by code points and bytes by value, and the parts of a
    key count from left to right. `limit` is 1 to 1,000. A page begins with the first key, or at
    `start`, or right `after` a key, as the last of the page before, and stops before `end`; the
    bounds need not be keys that are there. `reverse` walks down: it begins with the last key, and
    `start`, `after` and `end` are met on the way down. Of a key of several parts, `within` fixes
    the first one, or a tuple of the first two.
    """

    # Not inherited: type checkers take the type of the whole from `self`.
    @overload
    def __init__(
        self: SortedMap[tuple[A, B, C], V], key: tuple[type[A], type[B], type[C]], value: type[V]
    ) -> None: ...
    @overload
    def __init__(
        self: SortedMap[tuple[A, B], V], key: tuple[type[A], type[B]], value: type[V]
    ) -> None: ...
    @overload
    def __init__(self: SortedMap[A, V], key: type[A], value: type[V]) -> None: ...
    def __init__(self, key: object, value: type[V]) -> None:
        self.key_type = key
        self.value_type = value

    def keys(
        self,
        limit: int,
        *,
        within: object = None,
        start: K | None = None,
        after: K | None = None,
        end: K | None = None,
        reverse: bool = False,
    ) -> list[K]:
        _outside("SortedMap.keys")

    def items(
        self,
        limit: int,
        *,
        within: object = None,
        start: K | None = None,
        after: K | None = None,
        end: K | None = None,
        reverse: bool = False,
    ) -> list[tuple[K, V]]:
        """The keys with their values. Reading gives copies."""
        _outside("SortedMap.items")
