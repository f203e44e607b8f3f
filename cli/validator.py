"""Validators (共识节点): the committee (委员会), the nodes, and proof against who lies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.contradictions import load_contradiction
from cli.domain import (
    PAGE_DEFAULT,
    PAGE_MAX,
    Id,
    add_watch,
    call,
    quorum,
    receipt_fields,
    records_table,
)
from cli.filters import listed
from cli.language import say
from cli.literals import parse_id, parse_public_key
from cli.options import Invocation, verb
from cli.output import Answer, CommandRefused, Fields, Json, Table
from cli.proofs import trusted_genesis

if TYPE_CHECKING:
    from ledger.committee import Epochs
    from ledger.genesis import Genesis
    from ledger.values import Key, Value

app = typer.Typer()
CONTRACT = "governance"
ACCUSATION = "accusation"
COLUMNS = ("name", "party", "status", "seat", "orders", "address", "peer_id")
HISTORY = ("first_height", "last_height", "decided_height", "members", "quorum", "digest")
ACCUSED = ("validator", "kind", "view", "height", "accuser", "recorded_height", "recorded_ms")

NodeName = Annotated[str, typer.Argument(parser=parse_id, metavar="NAME")]


add_watch(app, CONTRACT)


@verb(app, "list")
def list_nodes(ask: Invocation) -> Answer:
    """List validators and observers: their seat, and which heights they order."""
    with ask.session() as session:
        committee = _record(session.view(CONTRACT, "committee"))
        nodes = _records(session.view(CONTRACT, "nodes"))
    members, serving = _names(committee["members"]), _names(committee["serving"])
    first_height = _number(committee["first_height"])
    known = [str(node["name"]) for node in nodes]
    # Who was expelled is no node any more, but orders until the next committee does.
    nodes += [seat for seat in _records(committee["serving"]) if str(seat["name"]) not in known]
    rows: list[list[Json]] = []
    for node in nodes:
        name = str(node["name"])
        seat = members.index(name) if name in members else None
        rows.append(
            [
                name,
                str(node["party"]),
                str(node.get("status", "dismissed")),
                seat,
                _orders(name in serving, name in members, first_height),
                str(node.get("address", "")),
                str(node["peer_id"]),
            ]
        )
    return Table(
        COLUMNS,
        rows,
        title=say(
            "committee of {count} from height {height}, quorum of those that order now: {quorum}",
            count=len(members),
            height=first_height,
            quorum=_number(committee["quorum"]),
        ),
    )


@verb(app, "committee")
def show_committee(ask: Invocation) -> Answer:
    """Show the committee decided last, the height it begins at, and who orders until then."""
    with ask.session() as session:
        committee = _record(session.view(CONTRACT, "committee"))
        organizations = session.view(CONTRACT, "organizations")
    assert isinstance(organizations, list)
    return Fields(
        {
            "first_height": _number(committee["first_height"]),
            "members": list(_names(committee["members"])),
            "serving": list(_names(committee["serving"])),
            "quorum": _number(committee["quorum"]),  # of those that serve
            "window": _number(committee["window"]),
            "organizations": [str(party) for party in organizations],
        }
    )


@verb(app, "history")
def show_history(ask: Invocation) -> Answer:
    """List all committees since the genesis, each proven by the one before it (8.1.3a)."""
    from crypto.providers.software import verify_batch
    from ledger.genesis import chain_id
    from ledger.succession import follow_changes

    with ask.connection() as node:
        trusted, trust = trusted_genesis(ask, node)
        chain = chain_id(trusted)
        changes = node.committee_changes()
    epochs = follow_changes(trusted.validators, changes, chain, verify_batch)
    return Table(
        HISTORY,
        _history_rows(epochs, trusted),
        title=say("committees: {count}, proven from {trust}", count=len(epochs.all), trust=trust),
    )


@verb(app, "set-address")
def set_address(
    ask: Invocation,
    name: NodeName,
    address: Annotated[str, typer.Argument(help="Multiaddr, or '' for none.", metavar="ADDRESS")],
) -> Answer:
    """Say where a node listens (the party that runs it)."""
    return call(ask, CONTRACT, "set_address", name, address)


@verb(app, "confirm")
def confirm(ask: Invocation, proposal_id: Id) -> Answer:
    """Confirm an approved change of the committee; --key names the node's consensus key."""
    return call(ask, CONTRACT, "confirm", proposal_id)


@verb(app, "accuse")
def accuse(
    ask: Invocation,
    file: Annotated[
        Path,
        typer.Option(
            exists=True, dir_okay=False, help="equivocation-*.bin of a node's data/accusations."
        ),
    ],
    public_key: Annotated[
        bytes | None,
        typer.Option(parser=parse_public_key, help="Key of the accused; by default it is found."),
    ] = None,
) -> Answer:
    """Put two contradictory messages of a validator on record (any party, any node) (8.1.3c)."""
    with ask.session() as session:
        pair = load_contradiction(file, session.node.chain_id)
        key = public_key
        if key is None:
            committee = _record(session.view(CONTRACT, "committee"))
            nodes = session.view(CONTRACT, "nodes")
            key = pair.signer(
                candidate
                for records in (committee["members"], committee["serving"], nodes)
                for record in _records(records)
                if isinstance(candidate := record["public_key"], bytes)
            )
        if key is None:
            raise CommandRefused(
                "accusation.validator",
                "no node of this chain signed both messages; for one that was cut off, give its "
                "--public-key",
            )
        with quorum(ACCUSATION, "accuse", as_json=ask.json):
            outcome = session.call(
                ACCUSATION,
                "accuse",
                key,
                pair.first,
                pair.first_signature,
                pair.second,
                pair.second_signature,
            )
    return Fields(receipt_fields(outcome, as_json=ask.json))


@verb(app, "accusations")
def list_accusations(
    ask: Invocation,
    offset: Annotated[int, typer.Option(min=0, help="Skip so many.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_MAX)] = PAGE_DEFAULT,
) -> Answer:
    """List proofs of contradictory messages; --json prints the proofs."""
    with ask.session() as session:
        records = listed(session.view, ACCUSATION, "list", offset=offset, limit=limit)
    return records_table(records, columns=ACCUSED, whole=ask.json)


def _history_rows(epochs: Epochs, genesis: Genesis) -> list[list[Json]]:
    """In the order of HISTORY; the genesis decided the first, and the last has no end yet."""
    from ledger.committee import deciding_height

    window = genesis.limits.watermark_window
    return [
        [
            epoch.base + 1,
            epochs.last_of(epoch),
            deciding_height(epoch.base, window) if epoch.base else 0,
            [validator.name for validator in epoch.validators.validators],
            epoch.validators.quorum,
            epoch.validators.digest.hex(),
        ]
        for epoch in epochs.all
    ]


def _orders(serves: bool, is_member: bool, first_height: int) -> str:
    if serves and is_member:
        return say("now")
    if is_member:
        return say("from {height}", height=first_height)
    return say("until {height}", height=first_height) if serves else say("never")


def _number(value: Value) -> int:
    assert isinstance(value, int), "the contract declares a number"
    return value


def _record(value: Value) -> dict[Key, Value]:
    assert isinstance(value, dict), "the contract declares a record"
    return value


def _records(value: Value) -> list[dict[Key, Value]]:
    assert isinstance(value, list), "the contract declares a list of records"
    return [_record(item) for item in value]


def _names(value: Value) -> list[str]:
    return [str(record["name"]) for record in _records(value)]
