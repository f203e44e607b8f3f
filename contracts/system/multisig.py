"""Accounts of several keys (joint accounts): what one person alone must not do (8.1.7).

A joint account is an address without a key: SM3 of how many of which accounts must agree. Put it
among the accounts of a party, or make it the keeper of one (contract `parties`), and it is an
account like any other. A member proposes a call, others approve exactly that call by its digest,
and the approval that completes the number has the machine carry the call out with the joint
account as its sender, in the same transaction. If that call fails, so does the approval, and the
act stays open.

Members and number never change: what the address stands for can be told from the address. Who
wants others opens another account and has it take the place of the old one. A member whose account
was replaced as lost, or whose party was revoked (contract `parties`), has no word any more, and
what it agreed to before does not count: the others need as many as before.

States of an act: open -> performed | rejected | withdrawn | expired.
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
    from_hex,
    int_to_bytes,
    is_name,
    record,
    replace,
    require,
    sm3,
    to_hex,
    view,
    view_contract,
)

DOMAIN = b"shuxin/joint-account/1:"  # as the machine has it: contracts/vm/joint.py
ACT_DOMAIN = b"shuxin/joint-act/1:"
HEX_DIGITS = "0123456789abcdef"
ADDRESS_LENGTH = 40  # hex digits
THRESHOLD_MIN = 2  # one of n is what several accounts of a party are
MEMBERS_MAX = 16  # bounds a definition, and the walk over who agreed
ARGS_MAX = 32768  # bytes: an act is stored with its arguments in one value
METHOD_MAX = 64  # characters, as of every call
TITLE_MAX = 128  # characters
REASON_MAX = 512  # characters
TERM_MS = 7 * 24 * 3600 * 1000  # people have a week to agree
PAGE_MAX = 100  # records in one answer
ACTS_PAGE_MAX = 20  # acts carry their arguments


@record
class JointAccount:
    """`id` is the address; `members` ascend."""

    id: str
    threshold: int
    members: list[str]
    title: str
    since: int  # height


@record
class JointAct:
    """A call that waits for members to agree, or waited."""

    id: str
    account: str
    contract: str
    method: str
    args: bytes  # encoded list, as in a transaction
    digest: bytes  # what members approve
    reason: str
    proposer: str
    expires_ms: int
    approvals: list[str]
    rejections: list[str]
    status: str = "open"


accounts = Map(str, JointAccount)
account_by_number = Map(int, str)
account_count = Var(int)
acts = Map(str, JointAct)
act_by_number = Map((str, int), str)  # account, 0.. in order
act_count = Map(str, int)


@call
def open_account(threshold: int, members: list[str], title: str) -> str:
    """Makes a joint account known, of `threshold` of these addresses; returns its address."""
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "", "multisig.party: sign with an account of an active party")
    require(
        THRESHOLD_MIN <= threshold <= len(members) <= MEMBERS_MAX,
        "multisig.threshold: name 2 to 16 members, and 2 or more of them that must agree",
    )
    require(1 <= len(title) <= TITLE_MAX, "multisig.title: use 1 to 128 characters")
    for position, member in enumerate(members):
        check_address(member)
        require(
            position == 0 or members[position - 1] < member,
            "multisig.members: name each member once, in ascending order",
        )
        # Its agreement would have to come from within this contract, which is running then.
        require(member not in accounts, "multisig.nested: name accounts that have keys")
    address = to_hex(sm3(DOMAIN + definition_of(threshold, members)))[:ADDRESS_LENGTH]
    require(address not in accounts, "multisig.exists: this account is known already")
    accounts[address] = JointAccount(address, threshold, members, title, ctx.height)
    number = account_count.get(0)
    account_by_number[number] = address
    account_count.set(number + 1)
    emit("JointAccountOpened", account=address, threshold=threshold, members=members)
    return address


@call
def propose(
    act_id: str, account: str, contract: str, method: str, args: bytes, reason: str
) -> bytes:
    """A member proposes a call, which counts as its approval; returns the digest to approve."""
    require_member(known_account(account))
    require(is_name(act_id), "multisig.id: use 1 to 64 characters of a-z 0-9 _ - .")
    require(act_id not in acts, "multisig.act_exists: choose another id")
    require(
        is_name(contract) and contract != ctx.contract, "multisig.contract: name another contract"
    )
    # The digest parts its fields by colons.
    require(
        1 <= len(method) <= METHOD_MAX and method.find(":") < 0,
        "multisig.method: name a method of that contract",
    )
    require(len(args) <= ARGS_MAX, "multisig.args: keep the arguments below 32 KiB")
    require(1 <= len(reason) <= REASON_MAX, "multisig.reason: use 1 to 512 characters")
    digest = digest_of(account, contract, method, args)
    acts[act_id] = JointAct(
        act_id,
        account,
        contract,
        method,
        args,
        digest,
        reason,
        ctx.sender,
        ctx.time_ms + TERM_MS,
        [ctx.sender],
        [],
    )
    number = act_count.get(account, 0)
    act_by_number[account, number] = act_id
    act_count[account] = number + 1
    emit(
        "JointActProposed",
        act_id=act_id,
        account=account,
        contract=contract,
        method=method,
        digest=digest,
        member=ctx.sender,
        reason=reason,
    )
    return digest


@call
def approve(act_id: str, digest: bytes) -> bytes:
    """A member agrees to the act with this digest; the last one needed has it carried out.

    Returns what the call returned, encoded, or nothing while more must agree.
    """
    found = votable(act_id)
    require(digest == found.digest, "multisig.digest: another call waits; look at it with `act`")
    approvals = list(found.approvals)
    approvals.append(ctx.sender)
    account = known_account(found.account)
    emit("JointActApproved", act_id=act_id, account=account.id, member=ctx.sender)
    counted = [member for member in approvals if not is_barred(member)]
    if len(counted) < account.threshold:
        acts[act_id] = replace(found, approvals=approvals)
        return b""
    acts[act_id] = replace(found, approvals=approvals, status="performed")
    emit("JointActPerformed", act_id=act_id, account=account.id, approvals=counted)
    definition = definition_of(account.threshold, account.members)
    # Last of all: nothing of this contract stands open while others run.
    return call_contract(
        "contract",
        "perform",
        definition,
        found.contract,
        found.method,
        found.args,
        returns=bytes,
    )


@call
def reject(act_id: str, reason: str) -> None:
    """A member is against it; it is over once too few are left to complete the number."""
    found = votable(act_id)
    require(1 <= len(reason) <= REASON_MAX, "multisig.reason: use 1 to 512 characters")
    rejections = list(found.rejections)
    rejections.append(ctx.sender)
    account = known_account(found.account)
    left = [one for one in account.members if one not in rejections and not is_barred(one)]
    status = "rejected" if len(left) < account.threshold else "open"
    acts[act_id] = replace(found, rejections=rejections, status=status)
    emit(
        "JointActRejected",
        act_id=act_id,
        account=account.id,
        member=ctx.sender,
        reason=reason,
        status=status,
    )


@call
def withdraw(act_id: str) -> None:
    """The member that proposed an act takes it back."""
    found = known_act(act_id)
    require(found.proposer == ctx.sender, "multisig.proposer: only who proposed it may")
    require_member(known_account(found.account))
    require(found.status == "open", "multisig.status: it is over already")
    acts[act_id] = replace(found, status="withdrawn")
    emit("JointActWithdrawn", act_id=act_id, account=found.account, member=ctx.sender)


@view
def show(account: str) -> JointAccount:
    """One joint account: who, and how many of them."""
    require_reader()
    return known_account(account)


@view
def list_(offset: int, limit: int) -> list[JointAccount]:
    """Joint accounts in order of entry."""
    require_reader()
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "multisig.page: ask for 1 to 100 from 0 up")
    end = min(offset + limit, account_count.get(0))
    return [accounts[account_by_number[number]] for number in range(offset, end)]


@view
def act(act_id: str) -> JointAct:
    """One act, whole, as it stands now; for its members and the manager."""
    found = known_act(act_id)
    require_member_or_manager(known_account(found.account))
    return found


@view
def list_acts(account: str, offset: int, limit: int) -> list[JointAct]:
    """Acts of a joint account in order of entry; for its members and the manager."""
    require_member_or_manager(known_account(account))
    require(offset >= 0 and 1 <= limit <= ACTS_PAGE_MAX, "multisig.page: ask for 1 to 20 from 0 up")
    end = min(offset + limit, act_count.get(account, 0))
    return [known_act(act_by_number[account, number]) for number in range(offset, end)]


def definition_of(threshold: int, members: list[str]) -> bytes:
    """The bytes of which an address is made: the number, then the members' addresses."""
    parts = int_to_bytes(threshold, 1)
    for member in members:
        parts = parts + from_hex(member)
    return parts


def digest_of(account: str, contract: str, method: str, args: bytes) -> bytes:
    return sm3(ACT_DOMAIN + f"{account}:{contract}:{method}:".encode() + args)


def known_account(address: str) -> JointAccount:
    account = accounts.get(address)
    if account is None:
        fail("multisig.unknown: no joint account has this address; look for it with `list`")
    return account


def known_act(act_id: str) -> JointAct:
    """The act as it stands at this block's time: nobody has to close what ran out."""
    found = acts.get(act_id)
    if found is None:
        fail("multisig.act_unknown: no act has this id; look for it with `acts`")
    if found.status == "open" and ctx.time_ms >= found.expires_ms:
        return replace(found, status="expired")
    return found


def votable(act_id: str) -> JointAct:
    """The open act, on which the sender, a member, has not decided yet."""
    found = known_act(act_id)
    require_member(known_account(found.account))
    require(found.status == "open", "multisig.status: it is over already")
    require(
        ctx.sender not in found.approvals and ctx.sender not in found.rejections,
        "multisig.voted: each member decides once",
    )
    return found


def require_member(account: JointAccount) -> None:
    require(ctx.sender in account.members, "multisig.member: sign with an account that is a member")
    require(
        not is_barred(ctx.sender),
        "multisig.lost: it was replaced, or its party revoked; others decide",
    )


def is_barred(member: str) -> bool:
    return view_contract("parties", "is_barred", member, returns=bool)


def require_member_or_manager(account: JointAccount) -> None:
    require(
        ctx.sender in account.members
        or view_contract("parties", "has_role", ctx.sender, "manager", returns=bool),
        "multisig.reader: sign as a member or for a manager",
    )


def require_reader() -> None:
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "", "multisig.party: sign with an account of an active party")


def check_address(address: str) -> None:
    require(len(address) == ADDRESS_LENGTH, "multisig.address: use 40 lower-case hex digits")
    for digit in address:
        require(digit in HEX_DIGITS, "multisig.address: use 40 lower-case hex digits")
