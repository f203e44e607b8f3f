"""Proposals (提案): who runs the chain, on which engine, and whose roots count, decided by the
manager and a quorum of organizations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.domain import Id, Reason, add_reads, call
from cli.literals import parse_digest, parse_id, parse_public_key
from cli.options import Invocation, verb
from cli.output import Answer, CommandRefused

app = typer.Typer()
CONTRACT = "proposal"

FromHeight = Annotated[
    int, typer.Option(min=1, help="First height of that engine, more than a window ahead.")
]
NodeName = Annotated[str, typer.Option(parser=parse_id, help="Name of the node.")]

add_reads(
    app,
    CONTRACT,
    columns=(
        *("id", "kind", "node", "successor", "party", "from_height"),
        *("proposer", "approvals", "rejections", "status"),
    ),
)


@verb(app, "admit-observer")
def admit_observer(
    ask: Invocation,
    proposal_id: Id,
    name: NodeName,
    party: Annotated[str, typer.Option(parser=parse_id, help="Party that runs it.")],
    public_key: Annotated[
        bytes, typer.Option(parser=parse_public_key, help="Consensus key: 128 hex digits.")
    ],
    peer_id: Annotated[str, typer.Option(help="Peer id of its network key, in base58.")],
    reason: Reason,
    address: Annotated[str, typer.Option(help="Multiaddr where it listens, if it does.")] = "",
) -> Answer:
    """Propose that a new node holds a full copy without a vote (观察节点)."""
    described = (name, party, public_key, peer_id, address)
    return call(ask, CONTRACT, "admit_observer", proposal_id, *described, reason)


@verb(app, "dismiss-observer")
def dismiss_observer(ask: Invocation, proposal_id: Id, name: NodeName, reason: Reason) -> Answer:
    """Propose that an observer is cut off for good."""
    return _propose(ask, proposal_id, "dismiss_observer", name, reason)


@verb(app, "add-validator")
def add_validator(ask: Invocation, proposal_id: Id, name: NodeName, reason: Reason) -> Answer:
    """Propose that an observer enters the committee (委员会)."""
    return _propose(ask, proposal_id, "add_validator", name, reason)


@verb(app, "remove-validator")
def remove_validator(ask: Invocation, proposal_id: Id, name: NodeName, reason: Reason) -> Answer:
    """Propose that a validator leaves the committee and observes."""
    return _propose(ask, proposal_id, "remove_validator", name, reason)


@verb(app, "expel-validator")
def expel_validator(ask: Invocation, proposal_id: Id, name: NodeName, reason: Reason) -> Answer:
    """Propose that a validator leaves the committee and is cut off for good."""
    return _propose(ask, proposal_id, "expel_validator", name, reason)


@verb(app, "replace-validator")
def replace_validator(
    ask: Invocation,
    proposal_id: Id,
    name: NodeName,
    successor: Annotated[str, typer.Option(parser=parse_id, help="Observer that takes its place.")],
    reason: Reason,
) -> Answer:
    """Propose that an observer takes the place of a validator, in one step."""
    return _propose(ask, proposal_id, "replace_validator", name, reason, successor)


@verb(app, "admit-root")
def admit_root(
    ask: Invocation,
    proposal_id: Id,
    root: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="ca.crt of the organization.")
    ],
    reason: Reason,
) -> Answer:
    """Propose that another root of an organization is believed (根证书)."""
    from crypto.x509.authority import read_file
    from crypto.x509.read import read_certificate

    certificate = read_certificate(read_file(root))
    organization = certificate.subject.organization
    if not certificate.is_root:
        raise CommandRefused("proposal.root", f"{root} is of {certificate.subject}, and no root")
    return call(ask, CONTRACT, "admit_root", proposal_id, organization, certificate.der, reason)


@verb(app, "retire-root")
def retire_root(
    ask: Invocation,
    proposal_id: Id,
    organization: Annotated[str, typer.Option(parser=parse_id, help="Whose root it is.")],
    fingerprint: Annotated[
        bytes,
        typer.Option(parser=parse_digest, help="As `shuxin organization list` shows it."),
    ],
    reason: Reason,
) -> Answer:
    """Propose that a root, and all that it certified, is believed no more."""
    return call(ask, CONTRACT, "retire_root", proposal_id, organization, fingerprint, reason)


@verb(app, "change-engine")
def change_engine(
    ask: Invocation,
    proposal_id: Id,
    vm_version: Annotated[
        str, typer.Option(metavar="NAME", help="Engine that is to run the contracts.")
    ],
    from_height: FromHeight,
    reason: Reason,
    unknown: Annotated[
        bool, typer.Option("--unknown", help="Also one that this release does not have.")
    ] = False,
) -> Answer:
    """Propose that another engine runs the contracts from a height on (合约引擎)."""
    from contracts.vm import engines

    if not unknown:  # a slip of the pen, once in force, would halt every node
        engines.find(vm_version, where="--vm-version names")
    return call(ask, CONTRACT, "change_engine", proposal_id, vm_version, from_height, reason)


@verb(app, "cancel-engine")
def cancel_engine(
    ask: Invocation, proposal_id: Id, from_height: FromHeight, reason: Reason
) -> Answer:
    """Propose that the change of the engine that is scheduled last does not happen."""
    return call(ask, CONTRACT, "cancel_engine", proposal_id, from_height, reason)


@verb(app, "approve")
def approve(ask: Invocation, proposal_id: Id) -> Answer:
    """Vote for a proposal (manager, or a party that runs a validator)."""
    return call(ask, CONTRACT, "approve", proposal_id)


@verb(app, "reject")
def reject(ask: Invocation, proposal_id: Id, reason: Reason) -> Answer:
    """Vote against a proposal (manager, or a party that runs a validator)."""
    return call(ask, CONTRACT, "reject", proposal_id, reason)


@verb(app, "withdraw")
def withdraw(ask: Invocation, proposal_id: Id) -> Answer:
    """Take a proposal back before it is decided (the party that proposed it)."""
    return call(ask, CONTRACT, "withdraw", proposal_id)


def _propose(
    ask: Invocation, proposal_id: str, kind: str, name: str, reason: str, successor: str = ""
) -> Answer:
    return call(ask, CONTRACT, "propose", proposal_id, kind, name, successor, reason)
