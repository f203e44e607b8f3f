"""The module level of a contract: imports, constants, storage, records, function heads.

Everything here is resolved statically; nothing of it exists as a value at run time.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import contracts.dialect
from contracts.vm import features, limits
from contracts.vm.rules import Findings
from contracts.vm.types import (
    BOOL,
    BYTES,
    INT,
    NONE,
    STR,
    UNKNOWN,
    Constant,
    RecordOf,
    TupleOf,
    Type,
    TypeInvalid,
    depth,
    is_assignable,
    is_storage_key,
    make_record,
    parse_type,
    show,
    size,
)

DIALECT: Final = frozenset(contracts.dialect.__all__) - {"OutsideVm"}
_BUILTINS: Final = """
    len min max sum abs sorted any all range enumerate zip reversed
    str int bool bytes list dict tuple
"""
BUILTINS: Final = frozenset(_BUILTINS.split())
METHOD_KINDS: Final = ("init", "call", "view", "migrate")
_NAME = re.compile(r"_?[A-Za-z][A-Za-z0-9_]*|_")


@dataclass(frozen=True, slots=True)
class Storage:
    """`Var` has no key parts; `Map` and `SortedMap` have one to three."""

    name: str
    keys: tuple[Type, ...]
    value: Type
    is_map: bool
    is_sorted: bool = False  # a SortedMap, which is a map as well

    @property
    def kind(self) -> str:
        """As an author writes it; hashed into the state (layout.py), so the words never change."""
        return "SortedMap" if self.is_sorted else "Map" if self.is_map else "Var"


@dataclass(slots=True)
class Function:
    """A method or helper. The sets are filled while its body is translated."""

    name: str
    kind: str  # init call view migrate helper
    parameters: tuple[tuple[str, Type], ...]
    returns: Type
    node: ast.FunctionDef
    calls: set[str] = field(default_factory=set)
    effects: set[str] = field(default_factory=set)  # write emit call identity

    @property
    def public_name(self) -> str:
        return self.name.removesuffix("_")


Declared: TypeAlias = tuple[Type, Constant]


@dataclass(slots=True)
class Declarations:
    language: int = features.LATEST
    imports: set[str] = field(default_factory=set)
    constants: dict[str, Declared] = field(default_factory=dict)
    storage: dict[str, Storage] = field(default_factory=dict)
    records: dict[str, RecordOf] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    nodes: dict[str, ast.stmt] = field(default_factory=dict)

    def is_taken(self, name: str) -> bool:
        return name in self.nodes or name in BUILTINS or name in self.imports


def is_name(name: str) -> bool:
    return len(name) <= limits.NAME_LENGTH_MAX and _NAME.fullmatch(name) is not None


def declare(tree: ast.Module, findings: Findings, language: int) -> Declarations:
    """Everything that the module declares; what is wrong lands in `findings`."""
    declarer = _Declarer(findings, language)
    for position, statement in enumerate(tree.body):
        declarer.statement(statement, is_first=position == 0)
    return declarer.result


class _Declarer:
    def __init__(self, findings: Findings, language: int) -> None:
        self.findings = findings
        self.result = Declarations(language)

    def statement(self, node: ast.stmt, *, is_first: bool) -> None:
        match node:
            case ast.Expr(value=ast.Constant(value=str())) if is_first:
                pass
            case ast.ImportFrom():
                self.imported(node)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self.assigned(name, value, node)
            case ast.ClassDef():
                self.record(node)
            case ast.FunctionDef():
                self.function(node)
            case _:
                self.add("L003", node)

    def add(self, rule: str, node: ast.stmt | ast.expr | ast.arg, reason: str = "") -> None:
        self.findings.at(rule, node, reason)

    def take(self, name: str, node: ast.stmt) -> bool:
        if not is_name(name):
            self.add("N002", node, f"`{name}` is no name of the language")
        elif self.result.is_taken(name):
            self.add("N003", node, f"`{name}` is taken")
        else:
            self.result.nodes[name] = node
            return True
        return False

    def imported(self, node: ast.ImportFrom) -> None:
        names = [alias.name for alias in node.names]
        has_alias = any(alias.asname for alias in node.names)
        if node.module == "__future__" and names == ["annotations"] and not has_alias:
            return
        if node.module != "contracts.dialect" or node.level or has_alias:
            self.add("N004", node)
            return
        for name in names:
            if name not in DIALECT:
                self.add("N001", node, f"contracts.dialect has no `{name}`")
            feature = features.feature_of_import(name)
            if feature is not None:
                features.admit(self.findings, self.result.language, feature, node)
            if name in self.result.nodes:
                self.add("N003", node, f"`{name}` is taken")
            self.result.imports.add(name)

    # --- constants and storage ------------------------------------------------------------

    def assigned(self, name: str, value: ast.expr, node: ast.stmt) -> None:
        if not self.take(name, node):
            return
        match value:
            case ast.Call(func=ast.Name(id="Var" | "Map" | "SortedMap" as kind)):
                self.storage(name, kind, value)
            case _:
                self.constant(name, value)

    def storage(self, name: str, kind: str, node: ast.Call) -> None:
        if kind not in self.result.imports:
            self.add("N001", node, f"`{kind}` is not imported")
        is_map = kind != "Var"
        if node.keywords or len(node.args) != (2 if is_map else 1):
            self.add("T002", node, f"write {kind}(key, value)" if is_map else "write Var(type)")
            return
        keys: tuple[Type, ...] = ()
        if is_map:
            key = node.args[0]
            parts = key.elts if isinstance(key, ast.Tuple) else [key]
            if not 1 <= len(parts) <= 3:
                self.add("T008", key, f"a {kind} has one to three key parts")
                return
            keys = tuple(self.type_of(part) for part in parts)
            if not all(part is UNKNOWN or is_storage_key(part) for part in keys):
                self.add("T008", key)
        value = self.type_of(node.args[-1])
        if value == NONE:
            self.add("T002", node.args[-1], "None is not stored")
        self.result.storage[name] = Storage(name, keys, value, is_map, kind == "SortedMap")

    def type_of(self, node: ast.expr) -> Type:
        try:
            return parse_type(node, self.result.records)
        except TypeInvalid as error:
            self.add(error.rule, error.node, str(error))
            return UNKNOWN

    def constant(self, name: str, node: ast.expr) -> None:
        try:
            value = self.fold(node)
        except _NoConstant as error:
            self.add(error.rule, error.node)
            self.result.constants[name] = (UNKNOWN, 0)
            return
        kind = constant_type(value)
        self.result.constants[name] = (kind, value)
        if depth(kind) > limits.TYPE_DEPTH_MAX or size(kind) > limits.TYPE_NODES_MAX:
            self.add("T006", node)

    def fold(self, node: ast.expr) -> Constant:
        match node:
            case ast.Constant():
                return literal(node)
            case ast.Tuple(elts=items):
                return tuple(self.fold_item(item) for item in items)
            case ast.Name(id=name) if name in self.result.constants:
                return self.result.constants[name][1]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self.fold(operand)
                if type(inner) is not int:
                    raise _NoConstant("L008", node)
                return -inner
            case ast.BinOp(left=left, op=operator, right=right):
                return self.fold_operation(self.fold(left), operator, self.fold(right), node)
        raise _NoConstant("L008", node)

    def fold_item(self, node: ast.expr) -> Constant:
        value = self.fold(node)
        if type(value) is tuple and isinstance(node, ast.Name):
            raise _NoConstant("L008", node)  # shared tuples would grow exponentially
        return value

    def fold_operation(
        self, left: Constant, operator: ast.operator, right: Constant, node: ast.expr
    ) -> int:
        if type(left) is not int or type(right) is not int:
            raise _NoConstant("L008", node)
        match operator:
            case ast.Add():
                value = left + right
            case ast.Sub():
                value = left - right
            case ast.Mult():
                value = left * right
            case ast.FloorDiv() if right != 0:
                value = left // right
            case ast.Pow() if 0 <= right <= 256 and abs(left).bit_length() * right <= 1024:
                value = int(left**right)
            case ast.LShift() if 0 <= right <= 256:
                value = left << right
            case _:
                raise _NoConstant("L008", node)
        if abs(value) > limits.INT_BOUND:
            raise _NoConstant("T007", node)
        return value

    # --- records --------------------------------------------------------------------------

    def record(self, node: ast.ClassDef) -> None:
        match node.decorator_list:
            case [ast.Name(id="record")] if "record" in self.result.imports:
                pass
            case _:
                self.add("L010", node)
        if node.bases or node.keywords:
            self.add("L010", node, "a record has no bases")
        fields: list[tuple[str, Type]] = []
        defaults: list[tuple[str, Constant]] = []
        for position, line in enumerate(node.body):
            match line:
                case ast.Expr(value=ast.Constant(value=str())) if position == 0:
                    pass
                case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, simple=1):
                    if not is_name(name) or name in dict(fields):
                        self.add("N003", line, f"field `{name}` cannot be declared")
                        continue
                    kind = self.type_of(annotation)
                    fields.append((name, kind))
                    self.default(name, kind, line, defaults)
                case _:
                    self.add("L003", line, "a record holds annotated fields only")
        if len(fields) > limits.RECORD_FIELDS_MAX or not fields:
            self.add("R003", node, f"a record has 1 to {limits.RECORD_FIELDS_MAX} fields")
            return
        if self.take(node.name, node):
            made = make_record(node.name, tuple(fields), tuple(defaults))
            self.result.records[node.name] = made
            if depth(made) > limits.TYPE_DEPTH_MAX or size(made) > limits.TYPE_NODES_MAX:
                self.add("T006", node)
                self.result.records[node.name] = make_record(node.name, (), ())

    def default(
        self, name: str, kind: Type, node: ast.AnnAssign, defaults: list[tuple[str, Constant]]
    ) -> None:
        if node.value is None:
            if defaults:
                self.add("L008", node, "fields without a default come first")
            return
        try:
            value = self.fold(node.value)
        except _NoConstant as error:
            self.add(error.rule, error.node)
            return
        if not is_assignable(constant_type(value), kind):
            self.add("T001", node, f"the default is not a {show(kind)}")
        defaults.append((name, value))

    # --- functions ------------------------------------------------------------------------

    def function(self, node: ast.FunctionDef) -> None:
        kind = self.kind_of(node)
        a = node.args
        if a.vararg or a.kwarg or a.kwonlyargs or a.posonlyargs or a.defaults or a.kw_defaults:
            self.add("L004", node)
        if len(a.args) > limits.PARAMETERS_MAX:
            self.add("R003", node, f"at most {limits.PARAMETERS_MAX} parameters")
        parameters: list[tuple[str, Type]] = []
        for argument in a.args:
            if not is_name(argument.arg):
                self.add("N002", argument)
            elif argument.arg in dict(parameters):
                self.add("N003", argument, f"`{argument.arg}` is taken")
            if argument.annotation is None:
                self.add("L004", argument, f"parameter `{argument.arg}` has no annotation")
                parameters.append((argument.arg, UNKNOWN))
            else:
                parameters.append((argument.arg, self.type_of(argument.annotation)))
        returns = NONE if node.returns is None else self.type_of(node.returns)
        if kind == "migrate" and [kind for _, kind in parameters] != [INT]:
            self.add("L004", node, "@migrate takes the previous sequence number: (name: int)")
        if kind in ("init", "migrate") and returns != NONE:
            self.add("L004", node, f"@{kind} returns None")
        function = Function(node.name, kind, tuple(parameters), returns, node)
        # A method may carry the name of a built-in, since it is only called from outside.
        is_method = kind != "helper" and node.name in BUILTINS and is_name(node.name)
        if not (is_method and node.name not in self.result.nodes) and not self.take(
            node.name, node
        ):
            return
        for other in self.result.functions.values():
            self.compare(function, other)
        self.result.nodes.setdefault(node.name, node)
        self.result.functions[node.name] = function
        if len(self.result.functions) > limits.FUNCTIONS_MAX:
            self.add("R003", node, f"at most {limits.FUNCTIONS_MAX} functions")

    def compare(self, function: Function, other: Function) -> None:
        if function.kind == "helper" or other.kind == "helper":
            return
        if function.kind in ("init", "migrate") and function.kind == other.kind:
            self.add("N003", function.node, f"there is one @{function.kind}")
        if function.public_name == other.public_name:
            self.add("N003", function.node, f"method `{function.public_name}` is declared twice")

    def kind_of(self, node: ast.FunctionDef) -> str:
        match node.decorator_list:
            case []:
                return "helper"
            case [ast.Name(id=name)] if name in METHOD_KINDS:
                if name not in self.result.imports:
                    self.add("N001", node, f"`{name}` is not imported")
                return name
            case _:
                self.add("L010", node)
                return "helper"


class _NoConstant(Exception):
    def __init__(self, rule: str, node: ast.expr) -> None:
        super().__init__(rule)
        self.rule = rule
        self.node = node


def literal(node: ast.Constant) -> Constant:
    """The value of a literal of the language. Raises _NoConstant."""
    value = node.value
    if value is None or type(value) is bool:
        return value
    if type(value) is int:
        if value > limits.INT_BOUND:
            raise _NoConstant("T007", node)
        return value
    if type(value) is str:
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise _NoConstant("L008", node)  # half a character: has no UTF-8 form
        if len(value) * (1 if value.isascii() else 4) <= limits.CONSTANT_SIZE_MAX:
            return value
    if type(value) is bytes and len(value) <= limits.CONSTANT_SIZE_MAX:
        return value
    raise _NoConstant("L008", node)


def constant_type(value: Constant) -> Type:
    if value is None:
        return NONE
    if type(value) is tuple:
        return TupleOf(tuple(map(constant_type, value)))
    return {bool: BOOL, int: INT, str: STR, bytes: BYTES}[type(value)]


def checked_literal(node: ast.Constant, findings: Findings) -> Constant:
    """Like `literal`, but what is wrong becomes a finding and the value a harmless 0."""
    try:
        return literal(node)
    except _NoConstant as error:
        findings.at(error.rule, node)
        return 0
