"""Expressions of each type of the contract language, drawn to a depth."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

NUMBERS = [
    "0",
    "1",
    "2",
    "3",
    "7",
    "9",
    "10",
    "255",
    "1000003",
    "2**63",
    "2**64",
    "2**255",
    "10**18",
]
WORDS = ["''", "'a'", "'ab'", "'b,a'", "'\\u4e2d'", "'12'", "'A b '", "'k'"]
RISK = 0.02  # share of forms that may fail at run time: enough to meet each, and most go through


@dataclass
class Scope:
    """Which names hold which type here, and what may be done here."""

    names: dict[str, list[str]]
    helpers: list[str] = field(default_factory=list)
    in_loop: bool = False
    frozen: frozenset[str] = frozenset()  # not to be assigned or changed: they are looped over

    def pick(self, rng: random.Random, kind: str) -> str | None:
        names = self.names.get(kind)
        return rng.choice(names) if names else None

    def with_names(self, *extra: tuple[str, str], frozen: tuple[str, ...] = ()) -> Scope:
        names = {kind: list(known) for kind, known in self.names.items()}
        for name, kind in extra:
            names.setdefault(kind, []).append(name)
        return Scope(names, self.helpers, self.in_loop, self.frozen | {*frozen})


class Expressions:
    """Draws expressions; the same generator state gives the same ones."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.fresh = 0

    def name(self) -> str:
        self.fresh += 1
        return f"v{self.fresh}"

    def risky(self, safe: list[str], risky: list[str]) -> str:
        """Now and then a form that may fail for the values it meets; else one that cannot."""
        return self.rng.choice(risky if self.rng.random() < RISK else safe)

    def expression(self, scope: Scope, kind: str, depth: int) -> str:
        if depth <= 0 or self.rng.random() < 0.15:
            return self.leaf(scope, kind)
        drawn = {
            "int": self.integer,
            "bool": self.boolean,
            "str": self.text,
            "bytes": self.octets,
            "list[int]": self.integers,
            "list[str]": self.texts,
            "list[list[int]]": self.lists,
            "dict[str, int]": self.counts,
            "dict[int, str]": self.labels,
            "tuple[int, str]": self.pair,
            "int | None": self.optional,
            "Item": self.item,
            "Pair": self.two,
        }[kind]
        return drawn(scope, depth - 1)

    def leaf(self, scope: Scope, kind: str) -> str:
        name = scope.pick(self.rng, kind)
        if name is not None and self.rng.random() < 0.6:
            return name
        match kind:
            case "int":
                return self.rng.choice([*NUMBERS, "LIMIT", "ctx.height"])
            case "bool":
                return self.rng.choice(["True", "False"])
            case "str":
                return self.rng.choice([*WORDS, "NAMES[1]", "ctx.sender"])
            case "bytes":
                return self.rng.choice(["b''", "b'ab'", "b'\\x00\\xff'"])
            case "list[int]":
                return self.rng.choice(["[1, 2]", "[3, 1, 2]", "[0]"])
            case "list[str]":
                return self.rng.choice(["['a', 'b']", "['']"])
            case "tuple[int, str]":
                return "(2, 'y')"
            case "int | None":
                return self.rng.choice(["r0.mark", "numbers.get('k')"])
            case "dict[str, int]":
                return self.rng.choice(["{'a': 1, 'b': 2}", "{'k': 3}"])
            case "dict[int, str]":
                return "{1: 'x'}"
            case "list[list[int]]":
                return "[[1, 2], [3]]"
            case "Item":
                return "Item(name='i', count=4, tags=['t'], mark=2)"
            case _:
                return "q0"

    def index(self, scope: Scope) -> str:
        number = self.expression(scope, "int", 1)
        return self.risky([f"({number}) % 3", "0", "-1", "-3"], [number])

    def integer(self, scope: Scope, depth: int) -> str:
        def draw(kind: str) -> str:
            return self.expression(scope, kind, depth)

        one, two = draw("int"), draw("int")
        operator = self.rng.choice(["+", "-", "*", "&", "|", "^"])
        divide = self.rng.choice(["//", "%"])
        risky = [
            f"({one} {divide} {two})",
            f"{self.rng.choice(['min', 'max'])}({draw('list[int]')})",
            f"{draw('list[int]')}[{self.index(scope)}]",
            f"{draw('list[int]')}.index({one})",
            f"{draw('dict[str, int]')}[{draw('str')}]",
            f"numbers[{draw('str')}]",
            f"items[{draw('str')}].count",
            "total.get()",
        ]
        choices = [
            f"({one} {operator} {two})",
            f"({one} {operator} {two})",
            f"({one} {divide} (abs({two}) % 9 + 1))",
            f"({one} {divide} -(abs({two}) % 9 + 1))",
            f"({one} << ({two} % 70))",
            f"({one} >> ({two} % 300))",
            f"(({one} % 50) ** ({two} % 20))",
            f"(-{one})",
            f"(~{one})",
            f"({one} if {draw('bool')} else {two})",
            f"len({draw(self.rng.choice(['str', 'bytes', 'list[int]', 'dict[str, int]']))})",
            f"{self.rng.choice(['min', 'max'])}({one}, {two})",
            f"sum({draw('list[int]')})",
            f"max([{one}, {two}])",
            f"[{one}, {two}, 3][{draw('int')} % 3]",
            f"abs({one})",
            f"{draw('list[int]')}.count({one})",
            f"{draw('str')}.find({draw('str')})",
            f"{draw('dict[str, int]')}.get({draw('str')}, {one})",
            f"int(str({one}))",
            f"bump({one})",
            f"(bump({one}) - bump({two}))",
            f"{draw('Item')}.count",
            f"{draw('Pair')}.left.count",
            f"{draw('tuple[int, str]')}[0]",
            f"numbers.get({draw('str')}, {one})",
            "total.get(0)",
            f"items.get({draw('str')}, r0).count",
            f"{draw('bytes')}.find({draw('bytes')})",
            f"len({draw('list[list[int]]')})",
        ]
        return self.risky(choices, risky)

    def boolean(self, scope: Scope, depth: int) -> str:
        def draw(kind: str) -> str:
            return self.expression(scope, kind, depth)

        comparison = self.rng.choice(["<", "<=", ">", ">=", "==", "!="])
        kind = self.rng.choice(["int", "int", "str", "bytes"])
        alike = self.rng.choice(["list[int]", "dict[str, int]", "Item", "tuple[int, str]", "bool"])
        choices = [
            f"({draw(kind)} {comparison} {draw(kind)})",
            f"({draw(alike)} {self.rng.choice(['==', '!='])} {draw(alike)})",
            f"({draw('bool')} {self.rng.choice(['and', 'or'])} {draw('bool')})",
            f"(not {draw('bool')})",
            f"({draw('int')} {self.rng.choice(['in', 'not in'])} {draw('list[int]')})",
            f"({draw('str')} in {draw('str')})",
            f"({draw('str')} in {draw('dict[str, int]')})",
            f"({draw('int')} < {draw('int')} <= {draw('int')})",
            f"{draw('str')}.{self.rng.choice(['startswith', 'endswith'])}({draw('str')})",
            f"{self.rng.choice(['any', 'all'])}([{draw('bool')}, {draw('bool')}])",
            f"({draw('str')} in numbers)",
            f"({draw('str')} in NAMES)",
            f"(({draw('str')}, {draw('int')} % 5) in nested)",
            "total.is_set()",
            f"(numbers.get({draw('str')}) is {self.rng.choice(['None', 'not None'])})",
            f"is_name({draw('str')})",
        ]
        return self.rng.choice(choices)

    def text(self, scope: Scope, depth: int) -> str:
        def draw(kind: str) -> str:
            return self.expression(scope, kind, depth)

        local = scope.pick(self.rng, "int") or "1"
        word = scope.pick(self.rng, "str") or "'k'"
        choices = [
            f"({draw('str')} + {draw('str')})",
            f"str({draw(self.rng.choice(['int', 'bool']))})",
            f"f'<{{{word}}}|{{{local}}}|{{{local} > 3}}>'",
            f"{draw('str')}[{draw('int')}:{draw('int')}]",
            f"{self.rng.choice(WORDS)}.join({draw('list[str]')})",
            f"{draw('str')}.replace({self.rng.choice(WORDS[1:])}, {draw('str')})",
            f"{draw('str')}.{self.rng.choice(['lower', 'upper', 'strip'])}()",
            f"({draw('str')} if {draw('bool')} else {draw('str')})",
            f"{draw('Item')}.name",
            f"{draw('tuple[int, str]')}[1]",
            f"to_hex({draw('bytes')})",
            f"{draw('dict[int, str]')}.get({draw('int')} % 9, {draw('str')})",
            f"{draw('str')}.encode().decode()",
        ]
        risky = [
            f"{draw('str')}[{self.index(scope)}]",
            f"{draw('list[str]')}[{self.index(scope)}]",
            f"{draw('bytes')}.decode()",
            f"items[{draw('str')}].name",
        ]
        return self.risky(choices, risky)

    def octets(self, scope: Scope, depth: int) -> str:
        def draw(kind: str) -> str:
            return self.expression(scope, kind, depth)

        choices = [
            f"({draw('bytes')} + {draw('bytes')})",
            f"{draw('str')}.encode()",
            f"{draw('bytes')}[{draw('int')} % 4:{draw('int')}]",
            f"sm3({draw('bytes')})",
            f"from_hex(to_hex({draw('bytes')}))",
            f"int_to_bytes(abs({draw('int')}) % 65536, 2)",
        ]
        return self.rng.choice(choices)

    def integers(self, scope: Scope, depth: int) -> str:
        def draw(kind: str) -> str:
            return self.expression(scope, kind, depth)

        one, two = self.name(), self.name()
        inside = scope.with_names((one, "int"))
        element, test = (
            self.expression(inside, "int", depth),
            self.expression(inside, "bool", depth),
        )
        choices = [
            f"[{draw('int')}, {draw('int')}]",
            f"({draw('list[int]')} + {draw('list[int]')})",
            f"sorted({draw('list[int]')})",
            f"list({draw('list[int]')})",
            f"{draw('list[int]')}[{draw('int')}:{draw('int')}]",
            f"[{element} for {one} in {draw('list[int]')} if {test}]",
            f"[{element} for {one} in range({draw('int')} % 6)]",
            f"[{one} * {two} for {one} in range({draw('int')} % 5) "
            f"for {two} in {draw('list[int]')}]",
            f"[len({two}) + {one} for {one}, {two} in enumerate({draw('list[str]')})]",
            f"{draw('dict[str, int]')}.values()",
            f"{draw('dict[int, str]')}.keys()",
            f"nested.get(({draw('str')}, {draw('int')} % 5), {draw('list[int]')})",
            f"[{two} for {one}, {two} in numbers.items({self.page(scope, 'str', depth)})]",
            f"[{two} for {one}, {two} in nested.keys({self.page(scope, 'pair', depth)})]",
            f"[{one}[1] + len({two}) "
            f"for {one}, {two} in nested.items({self.page(scope, 'pair', depth)})]",
        ]
        risky = [
            f"{draw('list[list[int]]')}[{self.index(scope)}]",
            f"nested[{draw('str')}, {draw('int')} % 5]",
        ]
        return self.risky(choices, risky)

    def page(self, scope: Scope, key: str, depth: int) -> str:
        """Arguments of `keys` and `items` of a SortedMap."""

        def draw() -> str:
            text = self.expression(scope, "str", depth)
            if key == "str":
                return text
            return f"({text}, {self.expression(scope, 'int', depth)})"

        given = [f"abs({self.expression(scope, 'int', depth)}) % 9 + 1"]
        if self.rng.random() < 0.3:
            given.append(f"reverse={self.expression(scope, 'bool', depth)}")
        if self.rng.random() < 0.5:
            given.append(f"{self.rng.choice(['start', 'after'])}={draw()}")
        if self.rng.random() < 0.3:
            given.append(f"end={draw()}")
        if key != "str" and self.rng.random() < 0.5:
            given.append(f"within={self.expression(scope, 'str', depth)}")
        return ", ".join(given)

    def texts(self, scope: Scope, depth: int) -> str:
        def draw(kind: str) -> str:
            return self.expression(scope, kind, depth)

        one = self.name()
        inside = scope.with_names((one, "str"))
        choices = [
            f"[{draw('str')}, {draw('str')}]",
            f"{draw('str')}.split({self.rng.choice(WORDS[1:])})",
            f"sorted({draw('dict[str, int]')})",
            f"list({draw('str')})",
            f"{draw('Item')}.tags",
            f"[{self.expression(inside, 'str', depth)} for {one} in {draw('list[str]')}]",
            f"({draw('list[str]')} + {draw('list[str]')})",
            f"numbers.keys({self.page(scope, 'str', depth)})",
        ]
        return self.rng.choice(choices)

    def lists(self, scope: Scope, depth: int) -> str:
        one = self.name()
        inside = scope.with_names((one, "int"))
        row = self.expression(inside, "list[int]", depth)
        many = self.expression(scope, "list[int]", depth)
        return self.rng.choice([f"[{many}, {many}]", f"[{row} for {one} in {many}]", "m0"])

    def counts(self, scope: Scope, depth: int) -> str:
        def draw(kind: str) -> str:
            return self.expression(scope, kind, depth)

        one = self.name()
        number = self.expression(scope.with_names((one, "str")), "int", depth)
        choices = [
            f"{{{draw('str')}: {draw('int')}, {draw('str')}: {draw('int')}}}",
            f"{{{one}: {number} for {one} in {draw('list[str]')}}}",
            f"book.get({draw('int')}, {draw('dict[str, int]')})",
        ]
        return self.risky(choices, [f"book[{draw('int')}]"])

    def labels(self, scope: Scope, depth: int) -> str:
        one = self.name()
        text = self.expression(scope.with_names((one, "int")), "str", depth)
        number = self.expression(scope, "int", depth)
        many = self.expression(scope, "list[str]", depth)
        return self.rng.choice(
            [
                f"{{({number}) % 9: {self.expression(scope, 'str', depth)}}}",
                f"{{{one} % 9: {text} for {one} in range({number} % 5)}}",
                f"{{len({one}): {one} + 'z' for {one} in {many}}}",
            ]
        )

    def pair(self, scope: Scope, depth: int) -> str:
        number, text = self.expression(scope, "int", depth), self.expression(scope, "str", depth)
        return self.rng.choice(
            [f"({number}, {text})", f"{self.expression(scope, 'Pair', 0)}.right"]
        )

    def optional(self, scope: Scope, depth: int) -> str:
        text = self.expression(scope, "str", depth)
        counts = self.expression(scope, "dict[str, int]", depth)
        return self.rng.choice(
            [
                f"numbers.get({text})",
                f"{counts}.get({text})",
                "r0.mark",
                f"items.get({text}, r0).mark",
            ]
        )

    def item(self, scope: Scope, depth: int) -> str:
        def draw(kind: str) -> str:
            return self.expression(scope, kind, depth)

        choices = [
            f"Item(name={draw('str')}, count={draw('int')}, tags={draw('list[str]')})",
            f"Item(count={draw('int')}, tags={draw('list[str]')}, name={draw('str')}, "
            f"mark={draw('int | None')})",
            f"replace({draw('Item')}, count={draw('int')})",
            f"replace({draw('Item')}, mark={draw('int | None')}, name={draw('str')})",
            f"items.get({draw('str')}, {draw('Item')})",
            f"{draw('Pair')}.left",
        ]
        return self.risky(choices, [f"items[{draw('str')}]"])

    def two(self, scope: Scope, depth: int) -> str:
        item, pair = (
            self.expression(scope, "Item", depth),
            self.expression(scope, "tuple[int, str]", depth),
        )
        return self.rng.choice(
            [f"Pair(left={item}, right={pair})", f"replace(q0, left={item})", "q0"]
        )
