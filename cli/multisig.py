"""Joint accounts (多签账户): what several people of an organization decide together.

shuxin multisig open --threshold 2 --member A --member B --member C --title Board
shuxin multisig propose ACT evidence record e1 ... --account JOINT --reason why
shuxin multisig act ACT            each other member reads what it would agree to ...
shuxin multisig approve ACT --digest HEX                ... and agrees to exactly that
"""

from __future__ import annotations

from typing import Annotated

import typer

from cli.domain import (
    GasLimit,
    Id,
    Reason,
    add_reads,
    call,
    record_fields,
    records_table,
)
from cli.filters import listed
from cli.literals import parse_digest, parse_values
from cli.options import Invocation, verb
from cli.output import Answer, CommandRefused
from ledger.values import Key, Value

app = typer.Typer()
CONTRACT = "multisig"
ACTS_PAGE_MAX = 20  # what the contract gives in one answer

Account = Annotated[str, typer.Argument(help="Address of the joint account.", metavar="ADDRESS")]

add_reads(app, CONTRACT, columns=("id", "title", "threshold", "members", "since"))


@verb(app, "open")
def open_account(
    ask: Invocation,
    threshold: Annotated[int, typer.Option(min=2, max=16, help="So many have to agree.")],
    members: Annotated[
        list[str], typer.Option("--member", help="Address of a member; repeat for each.")
    ],
    title: Annotated[str, typer.Option(help="What it is for, for people.")],
) -> Answer:
    """Open a joint account of these members; its address follows from them."""
    ascending: list[Value] = [*sorted(members)]
    return call(ask, CONTRACT, "open_account", threshold, ascending, title)


@verb(app, "propose")
def propose(
    ask: Invocation,
    act_id: Id,
    contract: Annotated[str, typer.Argument(help="Contract to call.")],
    method: Annotated[str, typer.Argument(help="Its method.")],
    account: Annotated[str, typer.Option(help="Address of the joint account that acts.")],
    reason: Reason,
    args: Annotated[
        list[str] | None, typer.Argument(help="As for `contract call`.", metavar="[ARGS]...")
    ] = None,
) -> Answer:
    """Propose a call in the name of a joint account (a member); it counts as your approval."""
    from ledger.values import encode_value

    encoded = encode_value(parse_values(args or []))
    return call(ask, CONTRACT, "propose", act_id, account, contract, method, encoded, reason)


@verb(app, "approve")
def approve(
    ask: Invocation,
    act_id: Id,
    digest: Annotated[
        bytes, typer.Option(parser=parse_digest, help="What `multisig act` showed you.")
    ],
    gas_limit: GasLimit = None,
) -> Answer:
    """Agree to an act (a member); the last approval needed carries it out at once."""
    return call(ask, CONTRACT, "approve", act_id, digest, gas_limit=gas_limit)


@verb(app, "reject")
def reject(ask: Invocation, act_id: Id, reason: Reason) -> Answer:
    """Decide against an act (a member)."""
    return call(ask, CONTRACT, "reject", act_id, reason)


@verb(app, "withdraw")
def withdraw(ask: Invocation, act_id: Id) -> Answer:
    """Take an act back (the member that proposed it)."""
    return call(ask, CONTRACT, "withdraw", act_id)


@verb(app, "act")
def show_act(ask: Invocation, act_id: Id) -> Answer:
    """Show what an act would do and who agreed; the digest is computed here, of what is shown."""
    with ask.session() as session:
        found = session.view(CONTRACT, "act", act_id)
    return record_fields(_read(found))


@verb(app, "acts")
def list_acts(
    ask: Invocation,
    account: Account,
    offset: Annotated[int, typer.Option(min=0, help="Skip so many.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=ACTS_PAGE_MAX)] = ACTS_PAGE_MAX,
) -> Answer:
    """List the acts of a joint account (its members, the manager)."""
    with ask.session() as session:
        found = listed(session.view, CONTRACT, "list_acts", account, offset=offset, limit=limit)
    columns = ("id", "contract", "method", "status", "approvals", "expires_ms", "reason")
    return records_table(found, columns=columns, whole=ask.json)


def _read(act: Value) -> dict[Key, Value]:
    """An act with its arguments as values; the digest is compared, as a node may show anything.

    Raises CommandRefused for what is no act, or not what its digest is of.
    """
    from contracts.vm.joint import act_digest
    from ledger.errors import DecodeError
    from ledger.values import decode_value

    fields = act if isinstance(act, dict) else {}
    match [fields.get(name) for name in ("account", "contract", "method", "args")]:
        case [str(account), str(contract), str(method), bytes(args)]:
            digest = act_digest(account, contract, method, args)
        case _:
            raise CommandRefused("multisig.answer", "the node gave no act: ask another")
    if digest != fields.get("digest"):
        raise CommandRefused(
            "multisig.contradiction",
            "the node shows another call than the one that members approve: it lies or its "
            "contract engine is wrong; ask another node",
        )
    try:
        return {**fields, "args": decode_value(args)}
    except DecodeError:
        return fields  # it will be refused when it is carried out
