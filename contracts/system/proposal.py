"""Proposals to change who runs the chain, or by which rules, and the votes on them (8.1.3, 6.6.1).

A manager, or a party that runs a validator (an organization), proposes. What a proposal needs says
the policy of its kind (contract `policy`): as the chain begins, a manager and a quorum of the
organizations, one vote each, however many nodes or accounts they have. The vote that completes it
carries it out. The contract `governance` takes observers at once, the committee after its new
members confirmed. A change of the engine that runs the contracts goes into the schedule of the
machine, for a height that leaves every node a window to get ready. Roots of organizations enter
and leave the contract `identity`. The contracts `parameter`, `feature` and `policy` take what is
theirs.

States: open -> decided | rejected | withdrawn | expired; for the committee
open -> approved -> decided | withdrawn | lapsed.
"""

from __future__ import annotations

from contracts.dialect import (
    Map,
    Var,
    call,
    call_contract,
    ctx,
    emit,
    fail,
    is_name,
    record,
    replace,
    require,
    view,
    view_contract,
)

VOTES_MAX = 128  # parties that vote on one proposal: twice the largest committee
# The others change the committee, whose new members have to confirm.
AT_ONCE = (
    "admit_observer",
    "dismiss_observer",
    "admit_root",
    "retire_root",
    "change_engine",
    "cancel_engine",
    "change_parameters",
    "cancel_parameters",
    "switch_feature",
    "cancel_feature",
    "change_policy",
)
REASON_MAX = 512  # characters
PAGE_MAX = 100  # proposals in one answer


@record
class Policy:
    """What a proposal of a kind needs, as the contract `policy` tells it."""

    kind: str
    managers: int
    share: int  # percent of the organizations; 0: a quorum
    is_guarded: bool  # a quorum at the least
    has_veto: bool
    term_ms: int
    proposal_id: str


@record
class EngineTerm:
    """From this height on an engine runs the contracts, as the machine tells it."""

    from_height: int
    vm_version: str


@record
class Engines:
    """What runs this block, and the terms of the chain, as the machine tells them."""

    height: int
    vm_version: str
    terms: list[EngineTerm]


@record
class Proposal:
    """A wish and the votes on it. What other kinds are about is "", 0 or empty."""

    id: str
    kind: str
    reason: str
    proposer: str  # party
    proposed_ms: int
    expires_ms: int  # end of the vote; once approved, of the confirmations
    approvals: list[str]  # parties
    rejections: list[str]
    values: list[tuple[str, int]]  # of changes of parameters and policies; which one is cancelled
    status: str = "open"
    note: str = ""  # reason of the last rejection
    node: str = ""
    successor: str = ""  # of replace_validator
    party: str = ""  # of a new node, or of a root
    public_key: bytes = b""  # of a new node, as are peer_id and address
    peer_id: str = ""
    address: str = ""
    vm_version: str = ""  # of change_engine; of cancel_engine: which one does not come
    from_height: int = 0  # of engines, parameters and features; of switch_feature: not before it
    root: bytes = b""  # DER for admit_root, fingerprint for retire_root
    subject: str = ""  # the feature, or the kind whose policy changes
    on: bool = False  # of switch_feature


proposals = Map(str, Proposal)
proposal_by_number = Map(int, str)
proposal_count = Var(int)


@call
def admit_observer(
    proposal_id: str,
    node: str,
    party: str,
    public_key: bytes,
    peer_id: str,
    address: str,
    reason: str,
) -> None:
    """Proposes that a new node of a party holds a full copy without a vote."""
    voter = require_voter()
    view_contract(
        "governance", "check_new", node, party, public_key, peer_id, address, returns=bool
    )
    wish = plain(proposal_id, "admit_observer", voter, reason)
    enter(
        replace(
            wish, node=node, party=party, public_key=public_key, peer_id=peer_id, address=address
        )
    )


@call
def propose(proposal_id: str, kind: str, node: str, successor: str, reason: str) -> None:
    """Proposes dismiss_observer, or add_, remove_, expel_ or replace_validator."""
    voter = require_voter()
    view_contract("governance", "check_change", kind, node, successor, returns=bool)
    enter(replace(plain(proposal_id, kind, voter, reason), node=node, successor=successor))


@call
def admit_root(proposal_id: str, organization: str, certificate: bytes, reason: str) -> None:
    """Proposes that another root certificate of an organization is believed."""
    voter = require_voter()
    view_contract("identity", "check_root", organization, certificate, returns=bool)
    wish = plain(proposal_id, "admit_root", voter, reason)
    enter(replace(wish, party=organization, root=certificate))


@call
def retire_root(proposal_id: str, organization: str, fingerprint: bytes, reason: str) -> None:
    """Proposes that a root certificate, and all that it certified, is believed no more."""
    voter = require_voter()
    view_contract("identity", "check_retire", organization, fingerprint, returns=bool)
    wish = plain(proposal_id, "retire_root", voter, reason)
    enter(replace(wish, party=organization, root=fingerprint))


@call
def change_engine(proposal_id: str, vm_version: str, from_height: int, reason: str) -> None:
    """Proposes that another engine runs the contracts from a height on."""
    voter = require_voter()
    require_lead(from_height)
    view_contract("contract", "check_engine", vm_version, from_height, returns=bool)
    wish = plain(proposal_id, "change_engine", voter, reason)
    enter(replace(wish, vm_version=vm_version, from_height=from_height))


@call
def cancel_engine(proposal_id: str, from_height: int, reason: str) -> None:
    """Proposes that the last scheduled change of the engine, for that height, does not happen."""
    voter = require_voter()
    require_lead(from_height)
    view_contract("contract", "check_cancel", from_height, returns=bool)
    wish = plain(proposal_id, "cancel_engine", voter, reason)
    enter(replace(wish, vm_version=last_engine(), from_height=from_height))


@call
def change_parameters(
    proposal_id: str, values: list[tuple[str, int]], not_before: int, reason: str
) -> None:
    """Proposes other figures for blocks and heartbeats, from a height on; 0: the earliest."""
    voter = require_voter()
    view_contract("parameter", "check", values, not_before, returns=bool)
    wish = plain(proposal_id, "change_parameters", voter, reason)
    enter(replace(wish, values=values, from_height=not_before))


@call
def cancel_parameters(proposal_id: str, from_height: int, reason: str) -> None:
    """Proposes that the last scheduled change of parameters, for that height, does not happen."""
    voter = require_voter()
    number = view_contract("parameter", "check_cancel", from_height, returns=int)
    wish = plain(proposal_id, "cancel_parameters", voter, reason)
    enter(replace(wish, values=[("number", number)], from_height=from_height))


@call
def switch_feature(proposal_id: str, name: str, on: bool, not_before: int, reason: str) -> None:
    """Proposes that a feature is on, or off, from a height on; 0: the earliest."""
    voter = require_voter()
    view_contract("feature", "check", name, on, not_before, returns=bool)
    wish = plain(proposal_id, "switch_feature", voter, reason)
    enter(replace(wish, subject=name, on=on, from_height=not_before))


@call
def cancel_feature(proposal_id: str, name: str, reason: str) -> None:
    """Proposes that the scheduled switch of a feature does not happen."""
    voter = require_voter()
    height = view_contract("feature", "check_cancel", name, returns=int)
    wish = plain(proposal_id, "cancel_feature", voter, reason)
    enter(replace(wish, subject=name, from_height=height))


@call
def change_policy(
    proposal_id: str,
    kind: str,
    managers: int,
    share: int,
    has_veto: bool,
    term_ms: int,
    reason: str,
) -> None:
    """Proposes what proposals of a kind need from then on."""
    voter = require_voter()
    view_contract("policy", "check", kind, managers, share, term_ms, returns=bool)
    values = [
        ("managers", managers),
        ("share", share),
        ("has_veto", 1 if has_veto else 0),
        ("term_ms", term_ms),
    ]
    wish = plain(proposal_id, "change_policy", voter, reason)
    enter(replace(wish, subject=kind, values=values))


@call
def approve(proposal_id: str) -> None:
    """A manager or an organization is for it; the vote that completes it carries it out."""
    voter = require_voter()
    found = votable(proposal_id, voter)
    approvals = list(found.approvals)
    approvals.append(voter)
    take_approval(replace(found, approvals=approvals), voter)


@call
def reject(proposal_id: str, reason: str) -> None:
    """It is against it. A no that leaves too few is final, and a manager's where it has a veto."""
    voter = require_voter()
    check_reason(reason)
    found = votable(proposal_id, voter)
    rejections = list(found.rejections)
    rejections.append(voter)
    parties = organizations()
    left = [party for party in parties if party not in rejections]
    policy = policy_of(found.kind)
    is_over = len(left) < needed(policy, len(parties)) or (policy.has_veto and is_manager(voter))
    status = "rejected" if is_over else "open"
    proposals[proposal_id] = replace(found, rejections=rejections, status=status, note=reason)
    emit("Rejected", proposal_id=proposal_id, party_id=voter, reason=reason, status=status)


@call
def withdraw(proposal_id: str) -> None:
    """The party that proposed it takes it back before it is decided."""
    voter = require_voter()
    found = known(proposal_id)
    require(found.proposer == voter, "proposal.proposer: only the party that proposed it may")
    require(
        found.status == "open" or found.status == "approved", "proposal.status: it is over already"
    )
    if found.status == "approved":
        call_contract("governance", "cancel", proposal_id)
    proposals[proposal_id] = replace(found, status="withdrawn")
    emit("Withdrawn", proposal_id=proposal_id, party_id=voter)


@view
def show(proposal_id: str) -> Proposal:
    """One proposal, whole, as it stands now."""
    require_reader()
    return known(proposal_id)


@view
def list_(offset: int, limit: int) -> list[Proposal]:
    """Proposals in order of entry."""
    require_reader()
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "proposal.page: ask for 1 to 100 from 0 up")
    end = min(offset + limit, proposal_count.get(0))
    return [known(proposal_by_number[number]) for number in range(offset, end)]


def require_voter() -> str:
    """The party that signs, if it is a manager or runs a validator."""
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(
        party != "" and (party in organizations() or is_manager(party)),
        "proposal.role: sign for a manager or for a party that runs a validator",
    )
    return party


def require_reader() -> None:
    speaker = view_contract("governance", "speaker_of", ctx.sender, returns=str)
    require(speaker != "", "proposal.reader: sign for an active party or as a node")


def organizations() -> list[str]:
    return view_contract("governance", "organizations", returns=list[str])


def is_manager(party: str) -> bool:
    return view_contract("parties", "party_has_role", party, "manager", returns=bool)


def is_active(party: str) -> bool:
    return view_contract("parties", "is_active", party, returns=bool)


def policy_of(kind: str) -> Policy:
    return view_contract("policy", "show", kind, returns=Policy)


def needed(policy: Policy, size: int) -> int:
    """So many of `size` organizations decide."""
    share = (size * policy.share + 99) // 100
    if policy.share == 0 or policy.is_guarded:
        return max(quorum_of(size), share)
    return share


def quorum_of(size: int) -> int:
    """ceil((n + f + 1) / 2) of n, as of validators."""
    return (size + (size - 1) // 3 + 2) // 2


def known(proposal_id: str) -> Proposal:
    """The proposal as it stands at this block's time: nobody has to close what ran out."""
    found = proposals.get(proposal_id)
    if found is None:
        fail("proposal.unknown: no proposal has this id; look for it with `list`")
    if found.status == "open" and ctx.time_ms >= found.expires_ms:
        return replace(found, status="expired")
    if found.status == "approved":
        status = view_contract("governance", "outcome", proposal_id, returns=str)
        return replace(found, status=status)
    return found


def votable(proposal_id: str, voter: str) -> Proposal:
    """The open proposal, on which `voter` has not voted yet."""
    found = known(proposal_id)
    require(found.status == "open", "proposal.status: the vote on it is over")
    require(
        voter not in found.approvals and voter not in found.rejections,
        "proposal.voted: each party votes once",
    )
    require(
        len(found.approvals) + len(found.rejections) < VOTES_MAX,
        "proposal.votes: too many voted already; propose it anew",
    )
    return found


def plain(proposal_id: str, kind: str, voter: str, reason: str) -> Proposal:
    """A new proposal; what it is about is still to be filled in."""
    expires_ms = ctx.time_ms + policy_of(kind).term_ms
    return Proposal(proposal_id, kind, reason, voter, ctx.time_ms, expires_ms, [voter], [], [])


def enter(new: Proposal) -> None:
    require(is_name(new.id), "proposal.id: use 1 to 64 characters of a-z 0-9 _ - .")
    require(new.id not in proposals, "proposal.exists: choose another id")
    check_reason(new.reason)
    number = proposal_count.get(0)
    proposal_by_number[number] = new.id
    proposal_count.set(number + 1)
    emit(
        "Proposed",
        proposal_id=new.id,
        kind=new.kind,
        node=new.node,
        successor=new.successor,
        organization=new.party,
        vm_version=new.vm_version,
        from_height=new.from_height,
        subject=new.subject,
        on=new.on,
        values=new.values,
        party_id=new.proposer,
        reason=new.reason,
    )
    take_approval(new, new.proposer)


def require_lead(from_height: int) -> None:
    """No height that is ordered already, or may be before this block is executed, changes hands."""
    window = view_contract("governance", "window", returns=int)
    require(
        from_height > ctx.height + window,
        "proposal.from_height: give a height more than a watermark window ahead",
    )


def last_engine() -> str:
    """That of the last term, which alone can be cancelled."""
    return view_contract("contract", "engine", returns=Engines).terms[-1].vm_version


def take_approval(given: Proposal, voter: str) -> None:
    """Keeps the vote, and has the proposal carried out if that completes it."""
    emit("Approved", proposal_id=given.id, party_id=voter)
    if not is_approved(given):
        proposals[given.id] = given
    elif given.kind in AT_ONCE:
        proposals[given.id] = replace(given, status="decided")
        carry_out(given)
    else:
        expires_ms = call_contract(
            "governance", "ask", given.id, given.kind, given.node, given.successor, returns=int
        )
        proposals[given.id] = replace(given, status="approved", expires_ms=expires_ms)


def carry_out(given: Proposal) -> None:
    """What needs no confirmations."""
    kind, height = given.kind, given.from_height
    if kind == "admit_observer":
        call_contract(
            "governance",
            "admit",
            given.node,
            given.party,
            given.public_key,
            given.peer_id,
            given.address,
        )
    elif kind == "dismiss_observer":
        call_contract("governance", "dismiss", given.node)
    elif kind == "admit_root":
        call_contract("identity", "admit_root", given.party, given.root)
    elif kind == "retire_root":
        call_contract("identity", "retire_root", given.party, given.root)
    elif kind == "change_engine":
        require_lead(height)
        call_contract("contract", "change_engine", given.vm_version, height)
    elif kind == "cancel_engine":
        require_lead(height)
        # Another may have been decided for the height since people were asked about that one.
        require(
            last_engine() == given.vm_version,
            "proposal.other: another engine is scheduled for this height by now; propose anew",
        )
        call_contract("contract", "cancel_engine", height)
    elif kind == "change_parameters":
        call_contract("parameter", "schedule", given.id, given.values, height)
    elif kind == "cancel_parameters":
        call_contract("parameter", "cancel", given.id, height, given.values[0][1])
    elif kind == "switch_feature":
        call_contract("feature", "switch", given.id, given.subject, given.on, height)
    elif kind == "cancel_feature":
        call_contract("feature", "cancel", given.id, given.subject, height)
    else:
        figures = [value for _name, value in given.values]
        call_contract(
            "policy",
            "change",
            given.id,
            given.subject,
            figures[0],
            figures[1],
            figures[2] == 1,
            figures[3],
        )


def is_approved(given: Proposal) -> bool:
    """As many managers and organizations as its policy asks for, in good standing as of now."""
    policy = policy_of(given.kind)
    parties = organizations()
    for_it = [party for party in parties if party in given.approvals and is_active(party)]
    managers = [party for party in given.approvals if is_manager(party)]
    return len(managers) >= policy.managers and len(for_it) >= needed(policy, len(parties))


def check_reason(reason: str) -> None:
    require(1 <= len(reason) <= REASON_MAX, "proposal.reason: give a reason of 1 to 512 characters")
