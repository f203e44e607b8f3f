"""Contracts (合约): check source, deploy and upgrade it, look at it, call it, end it (8.1.5d)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from cli import contract_check
from cli.domain import GasLimit, Reason, SourceFile, call
from cli.literals import parse_values, read_source
from cli.options import Invocation, verb
from cli.output import Answer, Fields, Json, Table, Text, plain
from cli.tx import Arguments

if TYPE_CHECKING:
    from ledger.values import Value

app = typer.Typer()
LIFECYCLE = "contract"  # the system contract that deploys the others
COLUMNS = ("name", "status", "sequence", "deployer", "height", "code_hash")

Name = Annotated[str, typer.Argument(metavar="CONTRACT")]
Method = Annotated[str, typer.Argument(metavar="METHOD")]
Sequence = Annotated[int, typer.Option(min=0, help="Which version; 0: the present one.")]


verb(app, "check")(contract_check.check)
verb(app, "rules")(contract_check.rules)


@verb(app, "deploy")
def deploy(
    ask: Invocation,
    name: Name,
    source: SourceFile,
    args: Arguments = None,
    gas_limit: GasLimit = None,
) -> Answer:
    """Deploy a contract and run its @init with ARGS (manager, operator or tech_provider)."""
    from ledger.values import encode_value

    given = encode_value(parse_values(args or []))
    return call(ask, LIFECYCLE, "deploy", name, _source_text(source), given, gas_limit=gas_limit)


@verb(app, "upgrade")
def upgrade(
    ask: Invocation,
    name: Name,
    source: SourceFile,
    sequence: Annotated[
        int, typer.Option(min=0, help="Number that the new version gets; 0: the next one.")
    ] = 0,
    gas_limit: GasLimit = None,
) -> Answer:
    """Put newer source in a contract's place and run its @migrate (its deployer or the manager).

    For a contract of the genesis this is a proposal: it waits for a manager and a quorum of the
    organizations to `approve` the same source.
    """
    text = _source_text(source)
    number = sequence or _present_sequence(ask, name) + 1
    return call(ask, LIFECYCLE, "upgrade", name, number, text, gas_limit=gas_limit)


@verb(app, "approve")
def approve(
    ask: Invocation,
    name: Name,
    source: SourceFile,
    gas_limit: GasLimit = None,
) -> Answer:
    """Approve the version of a genesis contract that waits, if its source is exactly SOURCE."""
    from crypto import sm3

    code_hash = sm3.digest(_source_text(source).encode())
    number = _present_sequence(ask, name) + 1
    return call(ask, LIFECYCLE, "approve", name, number, code_hash, gas_limit=gas_limit)


@verb(app, "freeze")
def freeze(ask: Invocation, name: Name, reason: Reason) -> Answer:
    """Refuse calls of a contract until it is unfrozen; views still answer (manager)."""
    return call(ask, LIFECYCLE, "freeze", name, reason)


@verb(app, "unfreeze")
def unfreeze(ask: Invocation, name: Name) -> Answer:
    """Let a frozen contract be called again (manager)."""
    return call(ask, LIFECYCLE, "unfreeze", name)


@verb(app, "revoke")
def revoke(ask: Invocation, name: Name, reason: Reason) -> Answer:
    """Take a contract out of service for good; its code is kept for audits (manager)."""
    return call(ask, LIFECYCLE, "revoke", name, reason)


@verb(app, "list")
def list_contracts(ask: Invocation) -> Answer:
    """List the contracts, in order of deployment."""
    rows: list[list[Json]] = []
    with ask.session() as session:
        names = session.view(LIFECYCLE, "list")
        for name in names if isinstance(names, list) else []:
            record = _record(session.view(LIFECYCLE, "show", name))
            rows.append([record.get(column) for column in COLUMNS])
    return Table(COLUMNS, rows)


@verb(app, "show")
def show(ask: Invocation, name: Name) -> Answer:
    """Show a contract: version, status, code hash, methods."""
    with ask.session() as session:
        record = _record(session.view(LIFECYCLE, "show", name))
        abi = session.view(LIFECYCLE, "abi", name)
        pending = plain(session.view(LIFECYCLE, "pending", name))
    shown = {column: record.get(column) for column in COLUMNS}
    return Fields({**shown, "pending": pending, **_interface(abi, as_json=ask.json)})


@verb(app, "source")
def source_of(ask: Invocation, name: Name, sequence: Sequence = 0) -> Answer:
    """Print a contract's source, also that of an earlier version."""
    with ask.session() as session:
        number = sequence or _sequence(session.view(LIFECYCLE, "show", name))
        text = session.view(LIFECYCLE, "source", name, number)
    return Text(str(text))


@verb(app, "engine")
def engine(ask: Invocation) -> Answer:
    """Show which engine runs the contracts, at which heights, and which one is to come."""
    with ask.session() as session:
        told = _record(session.view(LIFECYCLE, "engine"))
    terms = told.get("terms")
    height = told.get("height")
    rows: list[list[Json]] = []
    for term in reversed(terms if isinstance(terms, list) else []):
        assert isinstance(term, dict) and isinstance(height, int)
        first = term["from_height"]
        assert isinstance(first, int)
        is_coming = first > height
        state = "scheduled" if is_coming else "past"
        if not is_coming and not any(row[2] == "in force" for row in rows):
            state = "in force"
        rows.append([first, term["vm_version"], state])
    return Table(("from_height", "vm_version", "state"), rows[::-1])


@verb(app, "call")
def call_method(
    ask: Invocation,
    contract: Name,
    method: Method,
    args: Arguments = None,
    gas_limit: GasLimit = None,
) -> Answer:
    """Call a method, wait for the certified receipt, show value and events."""
    return call(ask, contract, method, *parse_values(args or []), gas_limit=gas_limit)


@verb(app, "view")
def view(ask: Invocation, contract: Name, method: Method, args: Arguments = None) -> Answer:
    """Read a view as this account; the query is signed."""
    values = parse_values(args or [])
    with ask.session() as session:
        value = session.view(contract, method, *values)
    return Fields({"value": plain(value)})


def _source_text(path: SourceFile) -> str:
    from contracts.vm.limits import SOURCE_SIZE_MAX

    return read_source(path, size_max=SOURCE_SIZE_MAX)


def _present_sequence(ask: Invocation, name: str) -> int:
    with ask.session() as session:
        return _sequence(session.view(LIFECYCLE, "show", name))


def _sequence(record: Value) -> int:
    sequence = _record(record).get("sequence")
    return sequence if isinstance(sequence, int) else 0


def _record(value: Value) -> dict[str, Json]:
    record = plain(value)
    return record if isinstance(record, dict) else {}


def _interface(abi: Value, *, as_json: bool) -> dict[str, Json]:
    """The whole ABI for programs; for people its methods as they are written."""
    told = msgspec.json.decode(str(abi), type=_Abi)
    if as_json:
        return {"abi": json.loads(str(abi))}
    return {"methods": [{method.kind: method.signature()} for method in told.methods]}


class _Parameter(msgspec.Struct, frozen=True):
    name: str
    type: str


class _Method(msgspec.Struct, frozen=True):
    name: str
    kind: str  # init call view migrate
    parameters: list[_Parameter]
    returns: str

    def signature(self) -> str:
        takes = ", ".join(f"{parameter.name}: {parameter.type}" for parameter in self.parameters)
        return f"{self.name}({takes}) -> {self.returns}"


class _Abi(msgspec.Struct, frozen=True):
    """What is shown of an ABI; the rest of it is left aside."""

    methods: list[_Method]
