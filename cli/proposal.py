"""Proposals (提案): who runs the chain, by which engine, figures and features, whose roots count,
and what proposals need; decided as the policy of each kind asks (`shuxin policy`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.domain import Id, Reason, add_reads, call, lists
from cli.feature import FeatureName, names_of
from cli.literals import (
    Setting,
    parse_digest,
    parse_id,
    parse_public_key,
    parse_setting,
    parse_share,
    parse_term,
)
from cli.options import Invocation, verb
from cli.output import Answer, CommandRefused
from cli.parameter import settings
from cli.policy import Kind, in_force
from client.proposals import about

if TYPE_CHECKING:
    from ledger.values import Key, Value

app = typer.Typer()
CONTRACT = "proposal"

FromHeight = Annotated[
    int, typer.Option(min=1, help="First height of that engine, more than a window ahead.")
]
NotBefore = Annotated[
    int, typer.Option(min=0, help="First height that may go by it; 0: the earliest.")
]
NodeName = Annotated[str, typer.Option(parser=parse_id, help="Name of the node.")]


def _told(record: Mapping[Key, Value]) -> dict[Key, Value]:
    """What a proposal is about in one line, without the fields of other kinds."""
    of_all = ("id", "approvals", "rejections")
    told = {name: value for name, value in record.items() if value or name in of_all}
    for name in ("subject", "values", "on"):
        told.pop(name, None)
    return told | {"about": about(record)}


add_reads(
    app,
    CONTRACT,
    columns=("id", "kind", "about", "proposer", "approvals", "rejections", "status"),
    told=_told,
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


@verb(app, "change-parameters")
def change_parameters(
    ask: Invocation,
    proposal_id: Id,
    values: Annotated[
        list[Setting],
        typer.Option(
            "--set",
            parser=parse_setting,
            metavar="NAME=VALUE",
            help="A whole number in the unit that `shuxin parameter list` shows; repeatable.",
            autocompletion=settings,
        ),
    ],
    reason: Reason,
    not_before: NotBefore = 0,
) -> Answer:
    """Propose other figures of blocks and heartbeats, from a height on (参数)."""
    return call(ask, CONTRACT, "change_parameters", proposal_id, lists(values), not_before, reason)


@verb(app, "cancel-parameters")
def cancel_parameters(
    ask: Invocation,
    proposal_id: Id,
    from_height: Annotated[
        int, typer.Option(min=1, help="Of the last term that `shuxin parameter terms` shows.")
    ],
    reason: Reason,
) -> Answer:
    """Propose that the change of parameters that comes last does not happen."""
    return call(ask, CONTRACT, "cancel_parameters", proposal_id, from_height, reason)


@verb(app, "switch-feature")
def switch_feature(
    ask: Invocation,
    proposal_id: Id,
    name: FeatureName,
    on: Annotated[bool, typer.Option("--on/--off", help="What it is to be.", show_default=False)],
    reason: Reason,
    not_before: NotBefore = 0,
    new: Annotated[
        bool, typer.Option("--new", help="Also one that is not listed yet, for your own contract.")
    ] = False,
) -> Answer:
    """Propose that a feature is on, or off, from a height on (特性开关)."""
    if on and not new:  # a slip of the pen would make another feature
        with ask.session() as session:
            if name not in names_of(session.view):
                raise CommandRefused(
                    "feature.unknown",
                    "no feature has this name, see `shuxin feature list`; for one that a contract "
                    "of yours asks for, add --new",
                )
    return call(ask, CONTRACT, "switch_feature", proposal_id, name, on, not_before, reason)


@verb(app, "cancel-feature")
def cancel_feature(ask: Invocation, proposal_id: Id, name: FeatureName, reason: Reason) -> Answer:
    """Propose that the scheduled switch of a feature does not happen."""
    return call(ask, CONTRACT, "cancel_feature", proposal_id, name, reason)


@verb(app, "change-policy")
def change_policy(
    ask: Invocation,
    proposal_id: Id,
    kind: Kind,
    reason: Reason,
    managers: Annotated[
        int | None, typer.Option(min=0, help="So many managers must be for it.")
    ] = None,
    share: Annotated[
        int | None,
        typer.Option(
            parser=parse_share,
            metavar="PERCENT",
            help="Of the organizations, that must be for it, such as 60%; or: quorum.",
        ),
    ] = None,
    has_veto: Annotated[
        bool | None, typer.Option("--veto/--no-veto", help="Does a manager's no end the vote?")
    ] = None,
    term_ms: Annotated[
        int | None,
        typer.Option("--term", parser=parse_term, metavar="TERM", help="Time to vote: 36h, or 7d."),
    ] = None,
) -> Answer:
    """Propose what proposals of a kind need; what you leave out stays as it is (表决策略)."""
    given = {"managers": managers, "share": share, "has_veto": has_veto, "term_ms": term_ms}
    if all(value is None for value in given.values()):
        raise CommandRefused(
            "policy.same", "say what is to change: --managers, --share, --veto or --term"
        )
    with ask.session() as session:
        present = in_force(session.view, kind)
    wanted = [present.get(name) if value is None else value for name, value in given.items()]
    return call(ask, CONTRACT, "change_policy", proposal_id, kind, *wanted, reason)


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
