"""The client of a contract as the text of a Python module.

From top to bottom: records, events, aliases of long types, decoders, the client, deployment and
the decoding of events. The text depends on the arguments alone, is laid out as `ruff format`
leaves it and passes `mypy --strict`.
"""

from __future__ import annotations

from collections.abc import Sequence

from client.codegen.abi import Abi, Method, Parameters
from client.codegen.kinds import Kinds
from client.codegen.layout import STEP, WIDTH, docstring, group, union
from client.codegen.names import (
    LIKE_DIGITS,
    MODULE_NAMES,
    RESERVED,
    TYPE_WORDS,
    camel_case,
    distinct,
    is_class_name,
    snake_case,
)
from contracts.vm.code_records import is_contract_name
from contracts.vm.types import NONE, Type

LONG_NAMES = "# ruff: noqa: E501 (two long names of the contract on one line)"
_RECORD_MEMBERS = ("cls", "from_value", "to_value")
_METHOD_PARAMETERS = ("self", "gas_limit")
_DEPLOY_PARAMETERS = ("session", "source", "contract", "gas_limit")


def render_client(abi: Abi, *, class_name: str, contract: str) -> str:
    """The module: class `class_name` for the contract that is deployed as `contract`.

    Both must be checked names; everything else is the ABI's, which `parse_abi` has checked.
    """
    assert is_class_name(class_name) and is_contract_name(contract)
    return "\n".join(_Module(abi, class_name, contract).lines()) + "\n"


class _Module:
    def __init__(self, abi: Abi, class_name: str, contract: str) -> None:
        self.abi = abi
        self.class_name = class_name
        self.contract = contract
        taken = {*MODULE_NAMES, class_name}
        records = [record.name for record in abi.records]
        named = distinct(map(camel_case, records), taken, "Record")
        events = (camel_case(event.name) for event in abi.events)
        self.events = distinct(events, {*taken, *named}, "Event")
        self.kinds = Kinds(dict(zip(records, named, strict=True)))
        # A member must not hide what annotations in its class or signature are made of.
        self.type_names = {*TYPE_WORDS, "typed", class_name, "Event", *named, *self.events}

    def lines(self) -> list[str]:
        blocks = [*self._records(), *self._events()]
        client = [self._client(), *self._deploy(), *self._event_decoders()]
        helpers = [*self.kinds.decoders, *client]  # filled by what was rendered above
        if self.kinds.aliases:
            blocks.append([line for alias in self.kinds.aliases for line in alias])
        blocks += helpers
        lines = self._head()
        if not blocks[0][0].startswith(("@", "class ", "def ")):
            lines += ["", *blocks.pop(0)]  # the formatter of imports leaves one empty line here
        for block in blocks:
            lines += ["", "", *block]
        if any(len(line) > WIDTH and " " in line.strip() for line in lines):  # the rule's measure
            lines = [LONG_NAMES, "", *lines]
        return lines

    def _head(self) -> list[str]:
        has_alias = bool(self.kinds.aliases or self.abi.events)
        doc = f"The contract `{self.contract}`, typed; written by `shuxin contract client`."
        return [
            *docstring(doc),
            "",
            "from __future__ import annotations",
            "",
            *(["from collections.abc import Mapping"] if self.abi.events else []),
            *(["from dataclasses import dataclass"] if self._has_classes else []),
            *(["from typing import TypeAlias"] if has_alias else []),
            *([""] if has_alias or self._has_classes else []),
            "from client import typed",
        ]

    @property
    def _has_classes(self) -> bool:
        return bool(self.abi.records or self.abi.events)

    # --- records and events -----------------------------------------------------------------

    def _records(self) -> list[list[str]]:
        """Classes with a way in and a way out: a record may be an argument."""
        blocks = []
        for record in self.abi.records:
            name = self.kinds.annotation(record)
            head, members = self._dataclass(f"{name}(typed.Record)", record.fields, "")
            blocks.append(
                [
                    *head,
                    "",
                    *self._from_value(name, record.fields, members),
                    "",
                    *_to_value(record.fields, members),
                ]
            )
        return blocks

    def _events(self) -> list[list[str]]:
        """Classes with a way in."""
        blocks = []
        for name, event in zip(self.events, self.abi.events, strict=True):
            head, members = self._dataclass(name, event.fields, f"Event `{event.name}`.")
            blocks.append([*head, "", *self._from_value(name, event.fields, members)])
        return blocks

    def _dataclass(
        self, declared: str, fields: Parameters, doc: str
    ) -> tuple[list[str], list[str]]:
        """The class down to its fields, and the names of these."""
        taken = {*_RECORD_MEMBERS, *self.type_names, *LIKE_DIGITS}
        members = distinct((snake_case(field) for field, _ in fields), taken)
        annotated = [
            f"{STEP}{self.kinds.declaration(member, kind, indent=STEP)}"
            for member, (_, kind) in zip(members, fields, strict=True)
        ]
        lines = ["@dataclass(frozen=True, slots=True)", f"class {declared}:"]
        lines += docstring(doc, indent=STEP)
        if doc and fields:
            lines.append("")
        return [*lines, *annotated], members

    def _from_value(self, name: str, fields: Parameters, members: list[str]) -> list[str]:
        wires = [f'"{field}"' for field, _ in fields]
        decoded = [
            self._decoded(f"{member}=", kind, f"(fields[{wire}])")
            for member, wire, (_, kind) in zip(members, wires, fields, strict=True)
        ]
        read = "fields = typed.fields(" if fields else "typed.fields("
        return [
            f"{STEP}@classmethod",
            *group("def from_value(", ["cls", "value: typed.Value"], f") -> {name}:", indent=STEP),
            *group(read, ["value", *wires], ")", indent=STEP * 2),
            *group("return cls(", decoded, ")", indent=STEP * 2),
        ]

    def _decoded(self, head: str, kind: Type, tail: str) -> str:
        whole = f"{head}{self.kinds.decoder(kind)}{tail}"
        if len(f"{STEP * 3}{whole},") <= WIDTH:
            return whole
        return f"{head}{self.kinds.short_decoder(kind)}{tail}"

    # --- the client -------------------------------------------------------------------------

    def _client(self) -> list[str]:
        methods = [method for method in self.abi.methods if method.kind in ("call", "view")]
        taken = {*RESERVED, *self.type_names}
        names = distinct((snake_case(method.name) for method in methods), taken)
        lines = [
            f"class {self.class_name}(typed.Client):",
            *docstring(f"Calls and views of `{self.contract}`.", indent=STEP),
            "",
            *group(
                "def __init__(",
                ["self", "session: typed.Caller", f'contract: str = "{self.contract}"'],
                ") -> None:",
                indent=STEP,
            ),
            f"{STEP * 2}super().__init__(session, contract)",
        ]
        for name, method in zip(names, methods, strict=True):
            lines += ["", *self._method(name, method)]
        return lines

    def _method(self, name: str, method: Method) -> list[str]:
        parameters, arguments = self._parameters(method, _METHOD_PARAMETERS)
        returns = self.kinds.annotation(method.returns)
        given = [f'"{method.name}"', self.kinds.decoder(method.returns), *arguments]
        if method.kind == "call":
            parameters += ["*", "gas_limit: int | None = None"]
            given.append("gas_limit=gas_limit")
            returns = f"typed.Called[{returns}]"
        ask = f"self._{method.kind}("
        if method.kind == "call" or method.returns != NONE:
            ask = f"return {ask}"
        return [
            *group(f"def {name}(", ["self", *parameters], f") -> {returns}:", indent=STEP),
            *docstring(method.documentation, indent=STEP * 2),
            *group(ask, given, ")", indent=STEP * 2),
        ]

    def _parameters(self, method: Method, own: Sequence[str]) -> tuple[list[str], list[str]]:
        """How they are declared, and their names."""
        taken = {*RESERVED, *self.type_names, *own}
        names = distinct((snake_case(name) for name, _ in method.parameters), taken)
        declared = [
            self.kinds.declaration(name, kind, indent=STEP * 2)
            for name, (_, kind) in zip(names, method.parameters, strict=True)
        ]
        return declared, names

    def _deploy(self) -> list[list[str]]:
        """A function, since a method may have any name; @init decides what it takes."""
        init = self.abi.method("init")
        parameters, arguments = (
            ([], []) if init is None else self._parameters(init, _DEPLOY_PARAMETERS)
        )
        options = ["*", f'contract: str = "{self.contract}"', "gas_limit: int | None = None"]
        declared = ["session: typed.Caller", "source: str", *parameters, *options]
        given = ["session", "contract", "source", *arguments, "gas_limit=gas_limit"]
        doc = "Deploys the contract's source under that name."
        if init is not None and init.documentation:
            doc = f"{doc}\n\n{init.documentation}"
        return [
            [
                *group("def deploy(", declared, ") -> typed.Called[None]:"),
                *docstring(doc, indent=STEP),
                *group("return typed.deploy(", given, ")", indent=STEP),
            ]
        ]

    def _event_decoders(self) -> list[list[str]]:
        if not self.events:
            return []
        known = [
            f'"{event.name}": {name}.from_value'
            for event, name in zip(self.abi.events, self.events, strict=True)
        ]
        contract = f'contract: str = "{self.contract}"'
        table = group("EVENTS: Mapping[str, typed.Decode[Event]] = {", known, "}")
        return [
            [*union("Event: TypeAlias", self.events), *table],
            [
                *group("def events_of(", ["receipt: typed.Receipt", contract], ") -> list[Event]:"),
                *docstring("This contract's events in a receipt, in order.", indent=STEP),
                f"{STEP}return typed.events_of(receipt, contract, EVENTS)",
            ],
            [
                *group(
                    "def event_of(", ["event: typed.ChainEvent", contract], ") -> Event | None:"
                ),
                *docstring(
                    "One event of a stream; None for what this module does not know.", indent=STEP
                ),
                f"{STEP}return typed.event_of(event, contract, EVENTS)",
            ],
        ]


def _to_value(fields: Parameters, members: list[str]) -> list[str]:
    encoded = [
        f'"{field}": typed.encode(self.{member})'
        for member, (field, _) in zip(members, fields, strict=True)
    ]
    return [
        f"{STEP}def to_value(self) -> typed.Value:",
        *group("return {", encoded, "}", indent=STEP * 2),
    ]
