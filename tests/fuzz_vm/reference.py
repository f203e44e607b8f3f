"""The contract language in plain Python: storage as dicts of copies, records as data classes.

What Python does not bound (integers, sizes, gas) the machine ends by itself: `compare` does not run
such programs here. The few places where Python answers differently by intent are either given
their meaning in the dialect here, or not drawn: conversion of texts to int beyond digits, lower
and upper beyond ASCII, negative exponents and shifts, changing what a loop runs over.
"""

from __future__ import annotations

import ast
import copy
import sys
from dataclasses import fields, is_dataclass
from typing import Any

from contracts.dialect import call, from_hex, int_to_bytes, is_name, record, replace, sm3, to_hex


class Refused(Exception):
    """`require` did not hold."""


class Missing(Exception):
    """Storage holds nothing there."""


class Var:
    def __init__(self, _: object) -> None:
        self.cells: list[Any] = []

    def get(self, *default: Any) -> Any:
        if not self.cells and not default:
            raise Missing
        return copy.deepcopy(self.cells[0]) if self.cells else default[0]

    def set(self, value: Any) -> None:
        self.cells = [copy.deepcopy(value)]

    def is_set(self) -> bool:
        return bool(self.cells)

    def clear(self) -> None:
        self.cells = []


class Map:
    def __init__(self, *_: object) -> None:
        self.cells: dict[Any, Any] = {}

    def __getitem__(self, key: Any) -> Any:
        if key not in self.cells:
            raise Missing
        return copy.deepcopy(self.cells[key])

    def __setitem__(self, key: Any, value: Any) -> None:
        self.cells[key] = copy.deepcopy(value)

    def __delitem__(self, key: Any) -> None:
        if key not in self.cells:
            raise Missing
        del self.cells[key]

    def __contains__(self, key: Any) -> bool:
        return key in self.cells

    def get(self, key: Any, *default: Any) -> Any:
        if key in self.cells:
            return self[key]
        return default[0] if default else None


class SortedMap(Map):
    def keys(
        self,
        limit: int,
        *,
        within: Any = None,
        start: Any = None,
        after: Any = None,
        end: Any = None,
        reverse: bool = False,
    ) -> list[Any]:
        leading = within if isinstance(within, tuple) or within is None else (within,)
        page = []
        for key in sorted(self.cells, reverse=reverse):
            if start is not None and (key > start if reverse else key < start):
                continue
            if after is not None and (key >= after if reverse else key <= after):
                continue
            if end is not None and (key <= end if reverse else key >= end):
                continue
            if leading is None or key[: len(leading)] == leading:
                page.append(key)
        return page[:limit]

    def items(self, limit: int, **bounds: Any) -> list[tuple[Any, Any]]:
        return [(key, self[key]) for key in self.keys(limit, **bounds)]


class World:
    """One program with its storage, run in plain Python."""

    def __init__(self, source: str, *, sender: str) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.storage: dict[str, Var | Map] = {}
        context = type("Context", (), {"sender": sender, "height": 0})
        self.context: Any = context()
        self.scope: dict[str, Any] = {
            "Map": Map,
            "SortedMap": SortedMap,
            "Var": Var,
            "call": call,
            "ctx": self.context,
            "emit": self._emit,
            "from_hex": from_hex,
            "int_to_bytes": int_to_bytes,
            "is_name": is_name,
            "place": _place,
            "record": record,
            "replace": replace,
            "require": _require,
            "sm3": sm3,
            "to_hex": to_hex,
            "int": _int,
            "__name__": __name__,  # data classes look their module up
        }
        exec(compile(_without_imports(source), "program", "exec"), self.scope)
        self.storage = {n: v for n, v in self.scope.items() if isinstance(v, (Var, Map))}

    def _emit(self, name: str, **values: Any) -> None:
        self.events.append((name, {key: outside(copy.deepcopy(v)) for key, v in values.items()}))

    def call(self, arguments: list[Any], *, height: int) -> Any:
        """The result in its outside form; what failed leaves storage and events as before."""
        before = {name: copy.deepcopy(cells.cells) for name, cells in self.storage.items()}
        self.context.height = height
        self.events = []
        try:
            return outside(self.scope["main"](*copy.deepcopy(arguments)))
        except BaseException:
            for name, cells in before.items():
                self.storage[name].cells = cells
            self.events = []
            raise


def outside(value: Any) -> Any:
    """As values cross the border of a contract: records as dicts, tuples as lists."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: outside(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, (list, tuple)):
        return [outside(item) for item in value]
    if isinstance(value, dict):
        return {key: outside(item) for key, item in value.items()}
    return value


class _Dialect(ast.NodeTransformer):
    """dict.keys() and values() give lists; insert takes any int, as slices do."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        match node.func:
            case ast.Attribute(attr="keys" | "values"):
                return ast.Call(ast.Name("list", ast.Load()), [node], [])
            case ast.Attribute(attr="insert"):
                node.args[0] = ast.Call(ast.Name("place", ast.Load()), [node.args[0]], [])
        return node


def _without_imports(source: str) -> ast.Module:
    tree = ast.parse(source)
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.ImportFrom) and node.module == "contracts.dialect")
    ]
    changed: ast.Module = _Dialect().visit(tree)
    return ast.fix_missing_locations(changed)


def _require(condition: bool, _: str) -> None:
    if not condition:
        raise Refused


def _place(position: int) -> int:
    return max(-sys.maxsize, min(position, sys.maxsize))


def _int(text: str) -> int:
    return int(text)
