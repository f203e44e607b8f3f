"""Who orders the chain: the nodes, the committee, and how it changes (clause 8.1.3).

A node is an observer, with a full copy and no vote, or a validator. What people decide about
them comes from the contract `proposal`. Observers come and go at once. A change of the committee
waits until a quorum of the new committee and every entering member confirm it with their
consensus keys: what cannot be reached cannot confirm, and then nothing changes. It takes effect
a window after its decision, so that no height in flight changes hands. One change at a time.

Nodes: observer <-> validator; either -> dismissed, which is final.
"""

from __future__ import annotations

from contracts.dialect import (
    Map,
    Var,
    call,
    ctx,
    emit,
    fail,
    init,
    is_name,
    record,
    replace,
    require,
    sm3,
    to_hex,
    view,
    view_contract,
)

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
CHANGES = ("add_validator", "remove_validator", "expel_validator", "replace_validator")
MEMBERS_MIN = 4  # fewer tolerate no fault
MEMBERS_MAX = 64  # what consensus takes
NODES_MAX = 256  # observers and validators together: bounds the list that every node reads
CONFIRM_MS = 10 * 60 * 1000  # ten minutes: a node that does not answer by then is not reachable
KEY_SIZE = 64  # bytes: SM2 public key X || Y
PEER_ID_MAX = 128  # characters
ADDRESS_MAX = 256  # characters of a multiaddr


@record
class Member:
    """A seat in the committee; its place in the list is its index."""

    name: str
    party: str
    public_key: bytes
    peer_id: str


@record
class Node:
    """A known node; `seated` is the first height of its last term as a validator, 0 if none."""

    name: str
    party: str
    public_key: bytes
    peer_id: str
    address: str
    status: str = "observer"
    seated: int = 0


@record
class Change:
    """An approved change that waits for confirmations."""

    proposal_id: str
    kind: str
    members: list[Member]
    entering: list[str]
    leaving: list[str]
    expires_ms: int


@record
class Committee:
    """`members` order from `first_height` on; `serving` order the block of this answer."""

    first_height: int
    members: list[Member]
    serving: list[Member]
    quorum: int  # of `serving`
    window: int


# What a node reads after each block (contracts/registry.py): keep names and types.
committee = Var(list[Member])
committee_from = Var(int)  # the first height that it orders
change = Var(Change)
confirmed = Var(list[str])  # members that confirmed the change
node_names = Var(list[str])  # in order of entry, without the dismissed
node_by_name = Map(str, Node)

committee_before = Var(list[Member])  # ordered up to there
watermark_window = Var(int)
decided = Map(str, int)  # proposal -> first height of the committee that it led to
# Names, keys and peer ids are never used again: what was signed stays with its signer.
name_by_account = Map(str, str)
name_by_peer = Map(str, str)


@init
def setup(members: list[tuple[str, str, bytes, str, str]], window: int) -> None:
    """Takes the genesis validators in order: name, party, key, peer id and address of each."""
    require(1 <= len(members) <= MEMBERS_MAX, "governance.members: name 1 to 64 validators")
    require(window >= 1, "governance.window: give the watermark window of the genesis")
    seats: list[Member] = []
    for name, party, public_key, peer_id, address in members:
        enroll(Node(name, party, public_key, peer_id, address, "validator", 1))
        seats.append(Member(name, party, public_key, peer_id))
    committee.set(seats)
    committee_before.set(seats)
    committee_from.set(1)
    watermark_window.set(window)


@call
def admit(name: str, party: str, public_key: bytes, peer_id: str, address: str) -> None:
    """A new node observes; for approved proposals alone."""
    require_proposal()
    enroll(Node(name, party, public_key, peer_id, address))


@call
def dismiss(name: str) -> None:
    """An observer is cut off, and a change that waits for it is over; for proposals alone."""
    require_proposal()
    require_observer(name)
    if change.is_set():
        pending = change.get()
        if name in pending.entering:
            change.clear()
            emit("ChangeLapsed", proposal_id=pending.proposal_id, node=name)
    cut_off(name)


@call
def ask(proposal_id: str, kind: str, node: str, successor: str) -> int:
    """The new committee is asked to confirm an approved change, until the time returned."""
    require_proposal()
    require(
        not change.is_set() or ctx.time_ms >= change.get().expires_ms,
        "governance.busy: another change waits for confirmations; approve this one after it",
    )
    members = committee_after(kind, node, successor)
    before = [member.name for member in committee.get()]
    after = [member.name for member in members]
    expires_ms = ctx.time_ms + CONFIRM_MS
    entering = [name for name in after if name not in before]
    leaving = [name for name in before if name not in after]
    change.set(Change(proposal_id, kind, members, entering, leaving, expires_ms))
    confirmed.set([])
    emit("ChangeApproved", proposal_id=proposal_id, members=after, expires_ms=expires_ms)
    return expires_ms


@call
def cancel(proposal_id: str) -> None:
    """A change that was withdrawn is not waited for any more; for proposals alone."""
    require_proposal()
    if is_awaited(proposal_id):
        change.clear()


@call
def confirm(proposal_id: str) -> None:
    """A member of the new committee shows, with its consensus key, that it is there."""
    require(is_awaited(proposal_id), "governance.not_awaited: no confirmation of it is awaited")
    pending = change.get()
    name = seat_of(ctx.sender, pending.members)
    require(name != "", "governance.confirm_key: sign with a consensus key of the new committee")
    names = confirmed.get()
    require(name not in names, "governance.confirmed: wait for the other members")
    names.append(name)
    confirmed.set(names)
    emit("ChangeConfirmed", proposal_id=proposal_id, node=name)
    # Nor does a party get a vote that was suspended since the change was approved: that one lapses.
    missing = [one for one in pending.entering if one not in names or not is_run(known(one))]
    if len(names) >= quorum_of(len(pending.members)) and len(missing) == 0:
        decide(pending)


@call
def set_address(name: str, address: str) -> None:
    """The party that runs a node says where it listens now."""
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    found = known(name)
    require(party != "" and party == found.party, "governance.owner: its party must sign")
    require(found.status != "dismissed", "governance.dismissed: the node is cut off for good")
    check_address(address)
    node_by_name[name] = replace(found, address=address)
    emit("AddressSet", node=name, address=address)


@view
def committee_() -> Committee:
    """Who orders, now and next; anyone may read what certificates are checked against."""
    members = serving()
    return Committee(
        committee_from.get(),
        committee.get(),
        members,
        quorum_of(len(members)),
        watermark_window.get(),
    )


@view
def window_() -> int:
    """The heights that may be in flight at once: what is decided takes effect beyond them."""
    return watermark_window.get()


@view
def organizations() -> list[str]:
    """The parties that run a validator now; each has one vote, whatever it runs."""
    found: list[str] = []
    for member in serving():
        if member.party not in found:
            found.append(member.party)
    return found


@view
def runs_node(party: str) -> bool:
    """Does the party run a node that is not dismissed, or hold a seat in this block's committee?"""
    owners = [node_by_name[name].party for name in node_names.get([])]
    return party in owners + [member.party for member in serving()]


@view
def nodes() -> list[Node]:
    """Observers and validators, in order of entry."""
    require_reader()
    return [node_by_name[name] for name in node_names.get()]


@view
def node_(name: str) -> Node:
    """One node, also a dismissed one."""
    require_reader()
    return known(name)


@view
def speaker_of(account: str) -> str:
    """The active party, or the node by its consensus key, that speaks; "" for anybody else."""
    party = view_contract("parties", "active_party_of", account, returns=str)
    if party != "":
        return party
    name = name_by_account.get(account, "")
    if name == "" or node_by_name[name].status == "dismissed":
        return ""
    return name


@view
def validator_of(public_key: bytes) -> str:
    """The node that votes or once voted with this key; "" if there is none."""
    name = name_by_account.get(account_of(public_key), "")
    return name if name != "" and node_by_name[name].seated > 0 else ""


@view
def awaiting(account: str) -> list[str]:
    """The proposals that wait for the member that signs as `account`."""
    if not change.is_set():
        return []
    pending = change.get()
    name = seat_of(account, pending.members)
    if name == "" or name in confirmed.get() or ctx.time_ms >= pending.expires_ms:
        return []
    return [pending.proposal_id]


@view
def outcome(proposal_id: str) -> str:
    """What became of an approved change: approved (it waits), decided or lapsed."""
    if proposal_id in decided:
        return "decided"
    return "approved" if is_awaited(proposal_id) else "lapsed"


@view
def check_new(name: str, party: str, public_key: bytes, peer_id: str, address: str) -> bool:
    """True, or a refusal that says why such a node cannot be admitted; for other contracts."""
    require_new(Node(name, party, public_key, peer_id, address))
    return True


@view
def check_change(kind: str, node: str, successor: str) -> bool:
    """True, or a refusal that says why there is no such change; for other contracts."""
    if kind == "dismiss_observer":
        require(successor == "", "governance.successor: name one for replace_validator alone")
        require_observer(node)
    else:
        committee_after(kind, node, successor)
    return True


def require_proposal() -> None:
    require(ctx.sender == "contract:proposal", "governance.caller: propose it and have it approved")


def require_reader() -> None:
    require(
        speaker_of(ctx.sender) != "", "governance.reader: sign for an active party or as a node"
    )


def serving() -> list[Member]:
    """The committee that orders this block."""
    return committee.get() if ctx.height >= committee_from.get() else committee_before.get()


def quorum_of(size: int) -> int:
    """ceil((n + f + 1) / 2) of n: two quorums share an honest one."""
    return (size + (size - 1) // 3 + 2) // 2


def known(name: str) -> Node:
    found = node_by_name.get(name)
    if found is None:
        fail("governance.unknown: no node has this name; look for it with `nodes`")
    return found


def require_observer(name: str) -> Node:
    found = known(name)
    require(found.status == "observer", "governance.not_observer: name a node that observes")
    return found


def committee_after(kind: str, name: str, successor: str) -> list[Member]:
    """The committee that a change of this kind leads to, or a refusal."""
    require(kind in CHANGES, "governance.kind: use a verb of `shuxin proposal`")
    require(
        ctx.height >= committee_from.get(),
        "governance.unsettled: wait until the last change has taken effect",
    )
    require(
        (successor != "") == (kind == "replace_validator"),
        "governance.successor: name one for replace_validator alone",
    )
    members = committee.get()
    if kind == "add_validator":
        members.append(seat_for(name))
    else:
        place = place_of(name, members)
        if kind == "replace_validator":
            members[place] = seat_for(successor)
        else:
            del members[place]
    require(len(members) >= MEMBERS_MIN, "governance.too_few: add a validator first")
    require(len(members) <= MEMBERS_MAX, "governance.too_many: remove a validator first")
    return members


def seat_for(name: str) -> Member:
    observer = require_observer(name)
    require(
        is_run(observer), "governance.party_suspended: who runs it is suspended; readmit it first"
    )
    return Member(name, observer.party, observer.public_key, observer.peer_id)


def is_run(node: Node) -> bool:
    """Is the party that runs the node in good standing?"""
    return view_contract("parties", "is_active", node.party, returns=bool)


def place_of(name: str, members: list[Member]) -> int:
    for place, member in enumerate(members):
        if member.name == name:
            return place
    fail("governance.not_validator: name a member of the committee")


def seat_of(account: str, members: list[Member]) -> str:
    """The member that signs as `account`; "" if it is none."""
    for member in members:
        if account_of(member.public_key) == account:
            return member.name
    return ""


def is_awaited(proposal_id: str) -> bool:
    if not change.is_set():
        return False
    pending = change.get()
    return pending.proposal_id == proposal_id and ctx.time_ms < pending.expires_ms


def decide(pending: Change) -> None:
    """The change is certain. What it rests on has not moved since it was approved: no other is
    approved while it waits, and the dismissal of an entering observer cancels it."""
    first_height = ctx.height + watermark_window.get() + 1
    committee_before.set(committee.get())
    committee.set(pending.members)
    committee_from.set(first_height)
    decided[pending.proposal_id] = first_height
    change.clear()
    for name in pending.entering:
        node_by_name[name] = replace(node_by_name[name], status="validator", seated=first_height)
    for name in pending.leaving:
        if pending.kind == "expel_validator":
            cut_off(name)
        else:
            node_by_name[name] = replace(node_by_name[name], status="observer")
    emit(
        "CommitteeDecided",
        proposal_id=pending.proposal_id,
        members=[member.name for member in pending.members],
        first_height=first_height,
    )


def enroll(new: Node) -> None:
    require_new(new)
    node_by_name[new.name] = new
    names = node_names.get([])
    names.append(new.name)
    node_names.set(names)
    name_by_account[account_of(new.public_key)] = new.name
    name_by_peer[new.peer_id] = new.name
    emit("NodeAdmitted", node=new.name, party_id=new.party, status=new.status)


def cut_off(name: str) -> None:
    node_by_name[name] = replace(node_by_name[name], status="dismissed")
    names = node_names.get()
    names.remove(name)
    node_names.set(names)
    emit("NodeDismissed", node=name)


def require_new(new: Node) -> None:
    require(is_name(new.name), "governance.name: use 1 to 64 characters of a-z 0-9 _ - .")
    require(new.name not in node_by_name, "governance.name_taken: choose another name")
    require(
        view_contract("parties", "is_active", new.party, returns=bool),
        "governance.party: the manager must register the party that runs it first",
    )
    require(len(new.public_key) == KEY_SIZE, "governance.key: give 64 bytes X || Y of SM2")
    require(
        account_of(new.public_key) not in name_by_account,
        "governance.key_taken: give each node a consensus key of its own",
    )
    require(1 <= len(new.peer_id) <= PEER_ID_MAX, "governance.peer_id: give it in base58")
    for character in new.peer_id:
        require(character in BASE58, "governance.peer_id: give it in base58")
    require(
        new.peer_id not in name_by_peer,
        "governance.peer_taken: give each node a network key of its own",
    )
    check_address(new.address)
    require(len(node_names.get([])) < NODES_MAX, "governance.nodes: dismiss an unused node first")


def check_address(address: str) -> None:
    require(
        address == "" or (address.startswith("/") and len(address) <= ADDRESS_MAX),
        "governance.address: give a multiaddr such as /ip4/10.0.0.1/tcp/27000, or nothing",
    )


def account_of(public_key: bytes) -> str:
    """The account that a consensus key signs as."""
    return to_hex(sm3(public_key)[:20])
