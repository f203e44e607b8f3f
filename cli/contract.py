"""Contracts (合约): check source, deploy and upgrade it, look at it, call it, end it (8.1.5d)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from cli import contract_check, contract_project
from cli.domain import GasLimit, Reason, SourceFile, call
from cli.literals import parse_digest, parse_id, parse_values, read_source
from cli.options import Invocation, verb
from cli.output import Answer, CommandRefused, Fields, Json, Table, Text, plain
from cli.proofs import BundleOutput, prove_contract, proven, trusted_genesis
from cli.readable import time_text
from cli.records import prove_source
from cli.tx import Arguments

if TYPE_CHECKING:
    from client.session import Session
    from ledger.values import Value

app = typer.Typer()
LIFECYCLE = "contract"  # the system contract that deploys the others
COLUMNS = ("name", "status", "sequence", "owner", "deployer", "height", "code_hash")
STEP_COLUMNS = (
    "step",
    "height",
    "time_ms",
    "party",
    "account",
    "sequence",
    "reason",
    "code_hash",
    "transaction_id",
)

Name = Annotated[str, typer.Argument(metavar="CONTRACT")]
Method = Annotated[str, typer.Argument(metavar="METHOD")]
OptionalSource = Annotated[
    Path | None, typer.Argument(exists=True, dir_okay=False, metavar="SOURCE")
]
Sequence = Annotated[int, typer.Option(min=0, help="Which version; 0: the present one.")]


verb(app, "new")(contract_project.new)
verb(app, "check")(contract_check.check)
verb(app, "rules")(contract_check.rules)
verb(app, "client")(contract_project.client)


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
    reason: Reason,
    sequence: Annotated[
        int, typer.Option(min=0, help="Number that the new version gets; 0: the next one.")
    ] = 0,
    gas_limit: GasLimit = None,
) -> Answer:
    """Propose newer source for a contract; approved, it takes its place and runs its @migrate.

    It waits for those whom `shuxin contract policy` names to `approve` the same source.
    """
    text = _source_text(source)
    number = sequence or _present_sequence(ask, name) + 1
    return call(ask, LIFECYCLE, "upgrade", name, number, text, reason, gas_limit=gas_limit)


@verb(app, "approve")
def approve(
    ask: Invocation,
    name: Name,
    source: OptionalSource = None,
    gas_limit: GasLimit = None,
) -> Answer:
    """Approve the version that waits, if its source is exactly SOURCE; a revocation without one."""
    from crypto import sm3

    if source is not None:
        code_hash = sm3.digest(_source_text(source).encode())
        number = _present_sequence(ask, name) + 1
        return call(ask, LIFECYCLE, "approve", name, number, code_hash, gas_limit=gas_limit)
    pending = _pending(ask, name)
    if pending["step"] != "revoke":
        raise CommandRefused(
            "contract.source", "an upgrade waits: name the file that you have read"
        )
    version = pending["sequence"], pending["code_hash"]
    return call(ask, LIFECYCLE, "approve", name, *version, gas_limit=gas_limit)


@verb(app, "withdraw")
def withdraw(ask: Invocation, name: Name, reason: Reason) -> Answer:
    """Take back what waits for approvals (the party that proposed it)."""
    return call(ask, LIFECYCLE, "withdraw", name, _pending(ask, name)["sequence"], reason)


@verb(app, "reject")
def reject(ask: Invocation, name: Name, reason: Reason) -> Answer:
    """End what waits for approvals (manager)."""
    return call(ask, LIFECYCLE, "reject", name, _pending(ask, name)["sequence"], reason)


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
    """Propose to take a contract out of service for good; its code is kept for audits."""
    return call(ask, LIFECYCLE, "revoke", name, reason)


@verb(app, "policy")
def policy(ask: Invocation) -> Answer:
    """Show whose approvals changes of contracts need; votes on proposals: `shuxin policy`."""
    with ask.session() as session:
        rules = plain(session.view(LIFECYCLE, "policy"))
    rows: list[list[Json]] = []
    for rule in rules if isinstance(rules, list) else []:
        assert isinstance(rule, dict)
        groups = rule["groups"]
        assert isinstance(groups, list)
        needs: list[Json] = [" or ".join(map(str, _list(group))) for group in groups]
        rows.append([rule["step"], needs, rule["parties_min"], rule["organizations"]])
    return Table(("step", "one_of_each", "parties_min", "organizations"), rows)


@verb(app, "set-policy")
def set_policy(
    ask: Invocation,
    step: Annotated[str, typer.Argument(metavar="STEP", help="See `shuxin contract policy`.")],
    group: Annotated[
        list[str],
        typer.Option(help="owner, organization or roles, with commas: a voice of one of them."),
    ],
    witness: Annotated[
        list[str], typer.Option(parser=parse_id, help="Party; all of them can satisfy the rule.")
    ],
    reason: Reason,
    parties_min: Annotated[int, typer.Option(help="So many distinct parties.")] = 2,
    organizations: Annotated[bool, typer.Option(help="A quorum of them, too.")] = False,
) -> Answer:
    """Propose whose approvals a step of contracts needs, to a manager and a quorum.

    The quorum is of the organizations. What votes on proposals need is `shuxin policy`.
    """
    groups: Value = [[*one.split(",")] for one in group]
    rule: list[Value] = [step, groups, parties_min, organizations]
    return call(ask, LIFECYCLE, "set_policy", *rule, [*witness], reason)


@verb(app, "pending-policy")
def pending_policy(ask: Invocation) -> Answer:
    """Show the rule that waits for approvals, and its hash."""
    with ask.session() as session:
        pending = session.view(LIFECYCLE, "pending_policy")
    if pending is None:
        raise CommandRefused("contract.pending", "no rule waits for approvals")
    return Fields(_record(pending))


@verb(app, "approve-policy")
def approve_policy(
    ask: Invocation,
    rule_hash: Annotated[bytes, typer.Argument(parser=parse_digest, metavar="HASH")],
) -> Answer:
    """Approve the rule that waits, by the hash that `pending-policy` shows with it."""
    return call(ask, LIFECYCLE, "approve_policy", rule_hash)


@verb(app, "reject-policy")
def reject_policy(ask: Invocation, reason: Reason) -> Answer:
    """End the rule that waits for approvals (manager)."""
    return call(ask, LIFECYCLE, "reject_policy", reason)


@verb(app, "history")
def history(ask: Invocation, name: Name) -> Answer:
    """List every step of a contract's life: who, when, which version, why."""
    with ask.session() as session:
        steps = _history(session, name, raw=ask.json)
    columns = STEP_COLUMNS if ask.json else STEP_COLUMNS[:7]
    return Table(columns, [[step[column] for column in columns] for step in steps])


@verb(app, "prove")
def prove(
    ask: Invocation,
    name: Name,
    output: BundleOutput = None,
) -> Answer:
    """Fetch a contract's record with its proof and check it here; --output keeps the proof."""
    with ask.connection() as node:
        trusted, trust = trusted_genesis(ask, node)
        bundle = prove_contract(node, name, trusted)
    return proven(ask, bundle, trusted, trust=trust, output=output)


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
    """Show a contract: version, status, code hash, what waits, history, methods."""
    with ask.session() as session:
        record = _record(session.view(LIFECYCLE, "show", name))
        abi = session.view(LIFECYCLE, "abi", name)
        pending = plain(session.view(LIFECYCLE, "pending", name))
        steps: list[Json] = [*_history(session, name, raw=ask.json)]
    shown = {column: record.get(column) for column in COLUMNS}
    if not ask.json:
        steps = [_told(step) for step in steps if isinstance(step, dict)]
    told = {**shown, "pending": pending, "history": steps}
    return Fields({**told, **_interface(abi, as_json=ask.json)})


@verb(app, "source")
def source_of(ask: Invocation, name: Name, sequence: Sequence = 0) -> Answer:
    """Print a contract's source, also that of an earlier version."""
    with ask.session() as session:
        number = sequence or _sequence(session.view(LIFECYCLE, "show", name))
        text = str(session.view(LIFECYCLE, "source", name, number))
        prove_source(session, name, number, text, is_present=not sequence)
    return Text(text)


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


def _pending(ask: Invocation, name: str) -> dict[str, Value]:
    """What waits for approvals of a contract."""
    with ask.session() as session:
        pending = session.view(LIFECYCLE, "pending", name)
    if not isinstance(pending, dict):
        raise CommandRefused("contract.pending", f"nothing waits for approvals of {name}")
    return {str(field): value for field, value in pending.items()}


def _history(session: Session, name: str, *, raw: bool) -> list[dict[str, Json]]:
    """All steps of a contract, page by page; `raw` keeps times as numbers."""
    from contracts.vm.code_records import STEPS_PAGE_MAX

    found: list[dict[str, Json]] = []
    while True:
        page = session.view(LIFECYCLE, "history", name, len(found), STEPS_PAGE_MAX)
        for step in page if isinstance(page, list) else []:
            fields = _record(step)
            time_ms = fields["time_ms"]
            if not raw and isinstance(time_ms, int):
                fields["time_ms"] = time_text(time_ms)
            found.append(fields)
        if not isinstance(page, list) or len(page) < STEPS_PAGE_MAX:
            return found


def _told(step: dict[str, Json]) -> str:
    """One step as a line."""
    why = f": {step['reason']}" if step["reason"] else ""
    who = step["party"] or step["account"]
    return f"{step['height']} {step['time_ms']} {step['step']} {step['sequence']} by {who}{why}"


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


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
