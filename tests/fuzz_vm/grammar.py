"""Programs drawn from a typed grammar of the contract language: each one is valid by construction.

A program is a contract with two records, five storage declarations, helpers and one @call `main`.
All locals are declared at the top of a function, so every use is assigned; what Python and the
machine are known to answer differently is not drawn (see `reference`).
"""

from __future__ import annotations

from collections.abc import Callable

from tests.fuzz_vm.expressions import RISK, Expressions, Scope

HEAD = """from __future__ import annotations
from contracts.dialect import (
    Map, SortedMap, Var, call, ctx, emit, from_hex, int_to_bytes, is_name, record, replace,
    require, sm3, to_hex
)

LIMIT = 7
NAMES = ("a", "b", "ab")


@record
class Item:
    name: str
    count: int
    tags: list[str]
    mark: int | None = None


@record
class Pair:
    left: Item
    right: tuple[int, str]


total = Var(int)
numbers = SortedMap(str, int)
items = Map(str, Item)
nested = SortedMap((str, int), list[int])
book = Map(int, dict[str, int])


def bump(n: int) -> int:
    total.set(total.get(0) + 1)
    return n


"""
PARAMETERS = "a: int, b: int, s: str, t: str, xs: list[int], flag: bool"
# Locals of every function: name -> (type, first value).
LOCALS = {
    "i0": ("int", "3"),
    "i1": ("int", "bump(5)"),
    "s0": ("str", "'ab,c'"),
    "b0": ("bytes", "b'\\x00ab'"),
    "f0": ("bool", "True"),
    "l0": ("list[int]", "[1, 2, 3]"),
    "l1": ("list[int]", "[]"),
    "w0": ("list[str]", "['b', 'a', '']"),
    "m0": ("list[list[int]]", "[[1], []]"),
    "d0": ("dict[str, int]", "{'k': 1}"),
    "d1": ("dict[int, str]", "{}"),
    "p0": ("tuple[int, str]", "(1, 'x')"),
    "o0": ("int | None", "None"),
    "r0": ("Item", "Item(name='r', count=1, tags=['x'])"),
    "q0": ("Pair", "Pair(left=Item(name='q', count=2, tags=[]), right=(3, 'z'))"),
}
RESULT = "tuple[int, str, list[int], dict[str, int], Item, bool]"
LINE_MAX = 360  # characters, before indentation: the language takes 400


class Writer(Expressions):
    """Draws one program; the same generator state gives the same program."""

    def program(self) -> str:
        helpers: list[str] = []
        text = HEAD
        for number in range(self.rng.randrange(3)):
            name = f"helper{number}"
            text += self.function(name, list(helpers), decorator="")
            helpers.append(name)
        return text + self.function("main", helpers, decorator="@call\n")

    def function(self, name: str, helpers: list[str], *, decorator: str) -> str:
        names: dict[str, list[str]] = {}
        given = [part.split(": ") for part in PARAMETERS.split(", ")]
        for local, kind in [*given, *((n, k) for n, (k, _) in LOCALS.items())]:
            names.setdefault(kind, []).append(local)
        scope = Scope(names, helpers)
        lines = [f"{local}: {kind} = {first}" for local, (kind, first) in LOCALS.items()]
        lines += ["fuel = 40"]
        lines += self.block(scope, self.rng.randint(2, 7), 2)
        lines += [f"return ({', '.join(self.result(scope))})"]
        body = "".join(f"    {line}\n" for line in lines)
        return f"{decorator}def {name}({PARAMETERS}) -> {RESULT}:\n{body}\n\n"

    def result(self, scope: Scope) -> list[str]:
        kinds = ("int", "str", "list[int]", "dict[str, int]", "Item", "bool")
        return [self.expression(scope, kind, 1) for kind in kinds]

    # --- statements -------------------------------------------------------------------------

    def block(self, scope: Scope, size: int, depth: int) -> list[str]:
        lines: list[str] = []
        for _ in range(size):
            drawn = self.statement(scope, depth)
            lines += drawn if max(map(len, drawn)) < LINE_MAX else ["pass"]
        return lines

    def statement(self, scope: Scope, depth: int) -> list[str]:
        choices: list[Callable[[Scope, int], list[str]]] = [
            self.assignment,
            self.assignment,
            self.augmented,
            self.item_assignment,
            self.list_change,
            self.dict_change,
            self.storage_change,
            self.storage_change,
            self.act,
        ]
        if depth:
            choices += [self.branch, self.branch, self.for_loop, self.while_loop, self.narrowing]
            if scope.helpers:
                choices.append(self.helper_call)
        return self.rng.choice(choices)(scope, depth)

    def target(self, scope: Scope, kind: str) -> str | None:
        names = [name for name in scope.names.get(kind, []) if name not in scope.frozen]
        return self.rng.choice(names) if names else None

    def assignment(self, scope: Scope, depth: int) -> list[str]:
        kind = self.rng.choice([kind for kind, _ in LOCALS.values()])
        name = self.target(scope, kind)
        if name is None or self.rng.random() < 0.1:
            a, b = self.target(scope, "int"), self.target(scope, "str")
            if a is None or b is None:
                return ["pass"]
            return [f"{a}, {b} = {self.expression(scope, 'tuple[int, str]', 2)}"]
        return [f"{name} = {self.expression(scope, kind, 3)}"]

    def augmented(self, scope: Scope, depth: int) -> list[str]:
        kind = self.rng.choice(["int", "int", "str", "bytes"])
        name = self.target(scope, kind)
        if name is None:
            return ["pass"]
        operator = self.rng.choice(["+", "-", "*", "&", "|", "^"]) if kind == "int" else "+"
        if kind == "int" and self.rng.random() < 0.3:
            divide = self.rng.choice(["//", "%"])
            return [f"{name} {divide}= {self.expression(scope, 'int', 1)} % 5 + 6"]
        return [f"{name} {operator}= {self.expression(scope, kind, 2)}"]

    def item_assignment(self, scope: Scope, depth: int) -> list[str]:
        match self.rng.randrange(4):
            case 0 if name := self.target(scope, "list[int]"):
                operator = self.rng.choice(["=", "+=", "-=", "*="])
                change = f"[{self.index(scope)}] {operator} {self.expression(scope, 'int', 2)}"
                return self.guarded(f"len({name}) > 2", f"{name}{change}")
            case 1 if name := self.target(scope, "dict[str, int]"):
                if self.rng.random() < 0.3:
                    word = scope.pick(self.rng, "str") or "'k'"
                    change = f"{name}[{word}] += {self.expression(scope, 'int', 2)}"
                    return self.guarded(f"{word} in {name}", change)
                key = self.expression(scope, "str", 1)
                return [f"{name}[{key}] = {self.expression(scope, 'int', 2)}"]
            case 2 if name := self.target(scope, "dict[int, str]"):
                key = f"({self.expression(scope, 'int', 1)}) % 9"
                return [f"{name}[{key}] = {self.expression(scope, 'str', 2)}"]
            case _ if name := self.target(scope, "list[list[int]]"):
                change = f"{name}[{self.index(scope)}] = {self.expression(scope, 'list[int]', 2)}"
                return self.guarded(f"len({name}) > 2", change)
        return ["pass"]

    def guarded(self, test: str, line: str) -> list[str]:
        """A change that fails unless `test` holds; now and then it is left to fail."""
        return [line] if self.rng.random() < RISK else [f"if {test}:", f"    {line}"]

    def list_change(self, scope: Scope, depth: int) -> list[str]:
        name = self.target(scope, "list[int]")
        if name is None:
            return ["pass"]
        number = self.expression(scope, "int", 2)
        some = scope.pick(self.rng, "int") or "1"
        match self.rng.randrange(5):
            case 0:
                return self.guarded(f"{some} in {name}", f"{name}.remove({some})")
            case 1 if "i0" not in scope.frozen:
                return self.guarded(f"len({name}) > 0", f"i0 = {name}.pop()")
            case 2:
                taken = self.rng.choice(
                    [f"{name}.pop({self.index(scope)})", f"del {name}[{some} % 3]"]
                )
                return self.guarded(f"len({name}) > 2", taken)
        return [
            self.rng.choice(
                [
                    f"{name}.append({number})",
                    f"{name}.extend({self.expression(scope, 'list[int]', 2)})",
                    f"{name}.insert({self.index(scope)}, {number})",
                    f"{name}.reverse()",
                    f"{name}.sort()",
                ]
            )
        ]

    def dict_change(self, scope: Scope, depth: int) -> list[str]:
        name = self.target(scope, "dict[str, int]")
        if name is None:
            return ["pass"]
        key = scope.pick(self.rng, "str") or "'k'"
        change = self.rng.choice([f"{name}.pop({key})", f"del {name}[{key}]"])
        return self.guarded(f"{key} in {name}", change)

    def storage_change(self, scope: Scope, depth: int) -> list[str]:
        number, text = self.expression(scope, "int", 2), self.expression(scope, "str", 1)
        small = f"({self.expression(scope, 'int', 1)}) % 5"
        key = scope.pick(self.rng, "str") or "'k'"
        if self.rng.random() < 0.3:
            change = self.rng.choice([f"numbers[{key}] += {number}", f"del numbers[{key}]"])
            return self.guarded(f"{key} in numbers", change)
        if self.rng.random() < 0.1:
            return self.guarded(f"({key}, 1) in nested", f"del nested[{key}, 1]")
        return [
            self.rng.choice(
                [
                    f"total.set({number})",
                    "total.clear()",
                    f"numbers[{text}] = {number}",
                    f"items[{text}] = {self.expression(scope, 'Item', 2)}",
                    f"nested[{text}, {small}] = {self.expression(scope, 'list[int]', 2)}",
                    f"book[{number}] = {self.expression(scope, 'dict[str, int]', 2)}",
                ]
            )
        ]

    def act(self, scope: Scope, depth: int) -> list[str]:
        if self.rng.random() < 0.3:
            test = self.expression(scope, "bool", 2)
            return [
                f"require({test}{'' if self.rng.random() < RISK else ' or flag or not flag'}, 'no')"
            ]
        kinds = (
            "int",
            "str",
            "Item",
            "list[int]",
            "bytes",
            "tuple[int, str]",
            "Pair",
            "int | None",
        )
        kind = self.rng.choice(kinds)
        other = self.expression(scope, "int", 1)
        return [f"emit('Seen', one={self.expression(scope, kind, 2)}, two={other})"]

    def branch(self, scope: Scope, depth: int) -> list[str]:
        lines = [f"if {self.expression(scope, 'bool', 2)}:", *self.inner(scope, depth)]
        if self.rng.random() < 0.3:
            lines += [f"elif {self.expression(scope, 'bool', 1)}:", *self.inner(scope, depth)]
        if self.rng.random() < 0.5:
            last = scope.with_names()
            last.in_loop = False  # a jump from every branch would make what follows dead code
            lines += ["else:", *self.inner(last, depth)]
        return lines

    def inner(self, scope: Scope, depth: int) -> list[str]:
        lines = self.block(scope, self.rng.randint(1, 3), depth - 1)
        if scope.in_loop and self.rng.random() < 0.2:
            lines.append(self.rng.choice(["break", "continue"]))
        return [f"    {line}" for line in lines]

    def for_loop(self, scope: Scope, depth: int) -> list[str]:
        one, two = self.name(), self.name()
        heads = [
            (f"for {one} in range({self.expression(scope, 'int', 1)} % 6):", [(one, "int")], ()),
            (f"for {one} in {self.expression(scope, 'list[int]', 2)}:", [(one, "int")], ()),
            (
                f"for {one}, {two} in enumerate({self.expression(scope, 'list[str]', 1)}):",
                [(one, "int"), (two, "str")],
                (),
            ),
            (f"for {one} in {self.expression(scope, 'str', 1)}:", [(one, "str")], ()),
            (f"for {one} in NAMES:", [(one, "str")], ()),
            (f"for {one}, {two} in d0.items():", [(one, "str"), (two, "int")], ("d0",)),
            (
                f"for {one}, {two} in zip({self.expression(scope, 'list[int]', 1)}, w0):",
                [(one, "int"), (two, "str")],
                (),
            ),
            (
                f"for {one} in reversed({self.expression(scope, 'list[int]', 1)}):",
                [(one, "int")],
                (),
            ),
        ]
        head, names, frozen = self.rng.choice(heads)
        frozen = (
            *frozen,
            *(name for name in ("l0", "l1", "xs", "w0", "m0") if name in head),
        )
        inside = scope.with_names(*names, frozen=frozen)
        inside.in_loop = True
        return [head, *self.inner(inside, depth)]

    def while_loop(self, scope: Scope, depth: int) -> list[str]:
        inside = scope.with_names()
        inside.in_loop = True
        head = f"while fuel > 0 and {self.expression(scope, 'bool', 1)}:"
        return [head, "    fuel -= 1", *self.inner(inside, depth)]

    def narrowing(self, scope: Scope, depth: int) -> list[str]:
        name = self.target(scope, "int | None")
        if name is None:
            return ["pass"]
        known = scope.with_names((name, "int"), frozen=(name,))
        known.names["int | None"] = [n for n in known.names["int | None"] if n != name]
        match self.rng.randrange(3):
            case 0:
                return [f"if {name} is not None:", *self.inner(known, depth)]
            case 1:
                number = self.expression(known, "int", 1)
                return (
                    [f"i1 = {number} if {name} is not None else {self.expression(scope, 'int', 1)}"]
                    if "i1" not in scope.frozen
                    else ["pass"]
                )
            case _:
                test = self.expression(known, "bool", 1)
                return [f"f0 = {name} is not None and {test}"]

    def helper_call(self, scope: Scope, depth: int) -> list[str]:
        return (
            [f"{self.rng.choice(['i0', 'i1'])} = {self.call(scope)}[0]"]
            if not {"i0", "i1"} & scope.frozen
            else ["pass"]
        )

    def call(self, scope: Scope) -> str:
        kinds = [part.split(": ") for part in PARAMETERS.split(", ")]
        values = [self.expression(scope, kind, 1) for _, kind in kinds]
        return f"{self.rng.choice(scope.helpers)}({', '.join(values)})"
