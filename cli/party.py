"""Parties and their roles (相关方): the contract `parties`. How they come in: application.py."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.application import app, forms
from cli.domain import PAGE_DEFAULT, PAGE_MAX, Id, Reason, add_reads, call, records_table
from cli.filters import listed
from cli.language import say
from cli.options import Invocation, verb
from cli.output import Answer, Fields, note, plain

CONTRACT = "parties"

Roles = Annotated[
    list[str],
    typer.Option(
        "--role",
        help="manager, operator, supplier, consumer, tech_provider or developer; repeatable.",
    ),
]
Accounts = Annotated[
    list[str],
    typer.Option("--account", help="Address, as `shuxin key show` prints it; repeatable."),
]
Address = Annotated[str, typer.Argument(help="40 hex digits.", metavar="ADDRESS")]

add_reads(app, CONTRACT, columns=("id", "name", "roles", "status", "since", "selected_by"))


@forms.verb("register")
def register(
    ask: Invocation,
    party_id: Id,
    name: Annotated[str, typer.Option(help="Name of the organization.")],
    roles: Roles,
    accounts: Accounts,
) -> Answer:
    """Admit a party of your own choice, but no tech provider or developer (manager)."""
    return call(ask, CONTRACT, "register", party_id, name, list(roles), list(accounts))


@verb(app, "add-account")
def add_account(ask: Invocation, party_id: Id, address: Address) -> Answer:
    """Let one more account speak for a party (manager)."""
    return call(ask, CONTRACT, "add_account", party_id, address)


@verb(app, "remove-account")
def remove_account(ask: Invocation, party_id: Id, address: Address) -> Answer:
    """Silence an account of a party (manager)."""
    return call(ask, CONTRACT, "remove_account", party_id, address)


@verb(app, "replace-account")
def replace_account(
    ask: Invocation,
    party_id: Id,
    address: Address,
    replacement: Annotated[str, typer.Option("--with", help="Address of the new key.")],
    reason: Reason,
) -> Answer:
    """Put a new account in the place of a lost one (the party's keeper, or the manager)."""
    return call(ask, CONTRACT, "replace_account", party_id, address, replacement, reason)


@verb(app, "name-keeper")
def name_keeper(
    ask: Invocation,
    party_id: Id,
    address: Annotated[
        str, typer.Argument(help='40 hex digits of a key that does nothing else, or "".')
    ],
    reason: Reason,
) -> Answer:
    """Name who may replace a party's lost accounts beside the manager (manager)."""
    return call(ask, CONTRACT, "name_keeper", party_id, address, reason)


@verb(app, "accounts")
def accounts(
    ask: Invocation,
    party_id: Id,
    offset: Annotated[int, typer.Option(min=0, help="Skip so many.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_MAX)] = PAGE_DEFAULT,
) -> Answer:
    """Show what happened to a party's accounts: added, removed, replaced, by whom and why."""
    with ask.session() as session:
        changes = listed(
            session.view, CONTRACT, "account_history", party_id, offset=offset, limit=limit
        )
    columns = ("height", "time_ms", "kind", "address", "replacement", "by", "reason")
    return records_table(changes, columns=columns, whole=ask.json)


@verb(app, "suspend")
def suspend(ask: Invocation, party_id: Id, reason: Reason) -> Answer:
    """Take a party's rights away until it is readmitted (manager)."""
    return call(ask, CONTRACT, "suspend", party_id, reason)


@verb(app, "readmit")
def readmit(ask: Invocation, party_id: Id, reason: Reason) -> Answer:
    """Give a suspended party its rights back (manager)."""
    return call(ask, CONTRACT, "readmit", party_id, reason)


@verb(app, "revoke")
def revoke(ask: Invocation, party_id: Id, reason: Reason) -> Answer:
    """End a party for good: neither its accounts nor its keeper speak again (manager)."""
    answer = call(ask, CONTRACT, "revoke", party_id, reason)
    note(say("what it left open, and who ends that: shuxin work"))
    return answer


@verb(app, "whois")
def whois(ask: Invocation, address: Address) -> Answer:
    """Show which party an address speaks for."""
    with ask.session() as session:
        party = session.view(CONTRACT, "party_of", address)
    return Fields({"address": address, "party": plain(party) or None})
