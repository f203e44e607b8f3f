"""Who takes part: parties, their roles and their accounts (clauses 6.6, 8.1.7, 8.6.1).

The six roles of section 6.6 are manager, operator, supplier, consumer, tech_provider and
developer. A party may hold several. Every other contract asks this one who a sender is, so the
rights of a party begin and end here: a suspended party keeps its records and loses its voice, and
a revoked one never gets it back.

Managers register parties, except for tech providers and developers: whom an operator selects and a
manager reviews (6.6.1b, 6.6.2b) come by an application (contract `admission`), or with the genesis.

Keys are lost and stolen. The manager, or the keeper that it named for a party, puts another account
in the place of one; a keeper is an address that does nothing else, so that no everyday key can
turn on the others of its party. Every change of accounts stays on record, with who made it and why.

States of a party: active <-> suspended; either -> revoked.

Anyone may read this register; it is what signatures are checked against.
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
    view,
    view_contract,
)

ROLES = ("manager", "operator", "supplier", "consumer", "tech_provider", "developer")
SELECTED_ROLES = ("tech_provider", "developer")  # an operator selects, a manager reviews
HEX_DIGITS = "0123456789abcdef"
ADDRESS_LENGTH = 40  # hex digits: the first 20 bytes of SM3(public key)
NAME_MAX = 128  # characters of a party's name
REASON_MAX = 512  # characters
ACCOUNTS_MAX = 32  # per party: bounds the walk that every permission check makes
MANAGERS_MAX = 100  # that hold the role and are not revoked: bounds the walk over them
PAGE_MAX = 100  # records in one answer


@record
class Party:
    """One that takes part. `status` is active, suspended or revoked; `reason` is that of its last
    change. A founder was approved by nobody, one that was registered was selected by nobody."""

    id: str
    name: str
    roles: list[str]
    accounts: list[str]
    since: int  # height of its registration
    status: str = "active"
    reason: str = ""
    organization: str = ""  # party whose authority certifies it (contract `identity`), if it said
    selected_by: str = ""  # party that sponsored its application
    approved_by: str = ""  # manager's party


@record
class AccountChange:
    """What happened to an account. `kind` is added, removed, replaced or keeper."""

    kind: str
    address: str  # of replaced: the old account
    replacement: str  # of replaced: the new account; else ""
    by: str  # the address that did it
    reason: str
    height: int
    time_ms: int


parties = Map(str, Party)
# An address stays with its first party for ever: what it signed can never be read as the word of
# another. Whether it may still speak is said by Party.accounts.
party_by_address = Map(str, str)
party_by_number = Map(int, str)
party_count = Var(int)
lost = Map(str, bool)  # addresses that were replaced: whoever found the key gains nothing
keepers = Map(str, str)  # party -> address that may replace its accounts
suspensions = Map(str, int)  # party -> how often it was suspended
managers = Var(list[str])  # parties that hold the role, without the revoked
account_changes = Map((str, int), AccountChange)  # party, 0.. in order
account_change_count = Map(str, int)


@init
def setup(founders: list[tuple[str, str, list[str], list[str]]]) -> None:
    """Takes the parties of the genesis: id, name, roles, accounts of each."""
    has_manager = False
    for party_id, name, roles, accounts in founders:  # shuxin: allow W005 of the genesis alone
        enter(Party(party_id, name, roles, accounts, ctx.height))
        if "manager" in roles:
            has_manager = True
    require(has_manager, "parties.no_manager: name a party with the role manager in the genesis")


@call
def register(party_id: str, name: str, roles: list[str], accounts: list[str]) -> None:
    """The manager admits a party that it chose itself: any but who works for an operator."""
    manager = require_manager()
    for role in SELECTED_ROLES:
        require(
            role not in roles,
            "parties.selected: an operator hands their application in, and you admit it",
        )
    enter(Party(party_id, name, roles, accounts, ctx.height, approved_by=manager))


@call
def admit(
    party_id: str,
    name: str,
    roles: list[str],
    accounts: list[str],
    organization: str,
    selected_by: str,
    approved_by: str,
) -> None:
    """An applicant becomes a party, for the contract admission alone (6.6.1b, 6.6.2b)."""
    require(
        ctx.sender == "contract:admission", "parties.admit: admit its application; this follows"
    )
    new = Party(party_id, name, roles, accounts, ctx.height, organization=organization)
    enter(replace(new, selected_by=selected_by, approved_by=approved_by))


@call
def add_account(party_id: str, address: str) -> None:
    """The manager lets one more account speak for a party."""
    require_manager()
    party = kept(party_id)
    check_new_account(party, address)
    require(len(party.accounts) < ACCOUNTS_MAX, "parties.accounts: remove an unused account first")
    accounts = list(party.accounts)
    accounts.append(address)
    parties[party_id] = replace(party, accounts=accounts)
    note(party_id, "added", address, "", "")
    emit("AccountAdded", party_id=party_id, address=address)


@call
def remove_account(party_id: str, address: str) -> None:
    """The manager silences an account; its past signatures stay the party's."""
    require_manager()
    party = kept(party_id)
    require(address in party.accounts, "parties.account_unknown: see `show` for its accounts")
    # The acting manager always remains: the register can never lose its last key.
    require(address != ctx.sender, "parties.own_account: let another manager account remove it")
    left = [account for account in party.accounts if account != address]
    parties[party_id] = replace(party, accounts=left)
    note(party_id, "removed", address, "", "")
    emit("AccountRemoved", party_id=party_id, address=address)


@call
def replace_account(party_id: str, address: str, replacement: str, reason: str) -> None:
    """The party's keeper or the manager puts a new account in the place of a lost one.

    At once: the old account speaks for nobody from the next transaction on.
    """
    party = kept(party_id)
    is_keeper = ctx.sender == keepers.get(party_id, "") and party.status == "active"
    require(
        is_keeper or acting(ctx.sender, "manager") != "",
        "parties.keeper: sign with the keeper of the party, or an account of an active manager",
    )
    check_reason(reason)
    require(address in party.accounts, "parties.account_unknown: see `show` for its accounts")
    check_new_account(party, replacement)
    # As in remove_account: whoever rotates its own key adds the new one first and acts with it.
    require(address != ctx.sender, "parties.own_account: let another account replace it")
    lost[address] = True
    accounts = [replacement if account == address else account for account in party.accounts]
    parties[party_id] = replace(party, accounts=accounts)
    note(party_id, "replaced", address, replacement, reason)
    emit(
        "AccountReplaced",
        party_id=party_id,
        address=address,
        replacement=replacement,
        reason=reason,
    )


@call
def name_keeper(party_id: str, address: str, reason: str) -> None:
    """The manager names the address that may replace a party's accounts; "" takes it away."""
    require_manager()
    party = kept(party_id)
    check_reason(reason)
    if address != "":
        bind(party_id, address)
        # Who could replace itself by a stolen key would protect nothing.
        require(address not in party.accounts, "parties.keeper_account: take a key of its own")
    require(address != keepers.get(party_id, ""), "parties.keeper_same: it is the keeper already")
    keepers[party_id] = address
    note(party_id, "keeper", address, "", reason)
    emit("KeeperNamed", party_id=party_id, address=address, reason=reason)


@call
def suspend(party_id: str, reason: str) -> None:
    """The manager, or an incident, takes a party's rights away until it is readmitted (8.6.1)."""
    require_supervision()
    party = kept(party_id)
    check_reason(reason)
    require(party.status == "active", "parties.status: the party is already suspended")
    require(ctx.sender not in party.accounts, "parties.own_party: another manager must do this")
    parties[party_id] = replace(party, status="suspended", reason=reason)
    suspensions[party_id] = suspensions.get(party_id, 0) + 1
    emit("PartySuspended", party_id=party_id, reason=reason)


@call
def readmit(party_id: str, reason: str) -> None:
    """The manager, or the end of an incident's measure, gives a party its rights back."""
    require_supervision()
    party = kept(party_id)
    check_reason(reason)
    require(party.status == "suspended", "parties.status: the party is not suspended")
    parties[party_id] = replace(party, status="active", reason=reason)
    emit("PartyReadmitted", party_id=party_id, reason=reason)


@call
def revoke(party_id: str, reason: str) -> None:
    """The manager ends a party for good: none of its accounts, nor its keeper, speaks again."""
    require_manager()
    party = kept(party_id)
    check_reason(reason)
    require(ctx.sender not in party.accounts, "parties.own_party: another manager must do this")
    # Its seat would count in every quorum of organizations, and its vote never come again.
    require(
        not view_contract("governance", "runs_node", party_id, returns=bool),
        "parties.nodes: suspend it, and have its nodes replaced or dismissed first (`proposal`)",
    )
    parties[party_id] = replace(party, status="revoked", reason=reason)
    if "manager" in party.roles:
        managers.set([manager for manager in managers.get() if manager != party_id])
    emit("PartyRevoked", party_id=party_id, reason=reason)


@view
def party_of(address: str) -> str:
    """The party that `address` speaks for, suspended or not; "" if there is none."""
    party_id = party_by_address.get(address, "")
    if party_id == "" or address not in parties[party_id].accounts:
        return ""
    return party_id


@view
def active_party_of(address: str) -> str:
    """The party that `address` speaks for, if it is active; else ""."""
    return acting(address, "")


@view
def acting_as(address: str, role: str) -> str:
    """The party that `address` speaks for, if it is active and holds `role`; else ""."""
    require(role in ROLES, "parties.role_unknown: see the six roles of section 6.6")
    return acting(address, role)


@view
def has_role(address: str, role: str) -> bool:
    """Does `address` speak for an active party that holds `role`?"""
    return acting(address, role) != "" and role != ""


@view
def standing(address: str) -> tuple[str, list[str]]:
    """What `ctx.party` and `ctx.roles` say of `address`: its active party and that one's roles,
    in the order of ROLES; "" and none if it speaks for no active party."""
    party = parties.get(party_by_address.get(address, ""))
    if party is None or party.status != "active" or address not in party.accounts:
        return "", []
    return party.id, [role for role in ROLES if role in party.roles]


@view
def is_active(party_id: str) -> bool:
    """Is the party known and active?"""
    party = parties.get(party_id)
    return party is not None and party.status == "active"


@view
def is_revoked(party_id: str) -> bool:
    """Has the party been ended for good?"""
    return is_ended(party_id)


@view
def is_barred(address: str) -> bool:
    """Was `address` replaced as lost, or bound to a party that is revoked?"""
    return lost.get(address, False) or is_ended(party_by_address.get(address, ""))


@view
def may_serve(operator: str, consumer: str) -> bool:
    """Is the one an active operator, and the other not revoked?"""
    return has_standing(operator, "operator") and not is_ended(consumer)


@view
def has_other_manager(party_id: str) -> bool:
    """Is there an active manager besides this party?"""
    others = [other for other in managers.get([]) if other != party_id]
    return "active" in [parties[other].status for other in others]


@view
def check_new(party_id: str, name: str, roles: list[str], accounts: list[str]) -> bool:
    """True, or a refusal that says why no such party can be admitted; for other contracts."""
    check_party(party_id, name, roles, accounts)
    return True


@view
def suspension_of(party_id: str) -> int:
    """Which of its suspensions, from 1 on, the party is under now; 0 if it is under none."""
    return suspensions.get(party_id, 0) if known(party_id).status == "suspended" else 0


@view
def party_has_role(party_id: str, role: str) -> bool:
    """Is the party known, active and the holder of `role`?"""
    return has_standing(party_id, role)


@view
def keeper_of(party_id: str) -> str:
    """The address that may replace the party's accounts; "" if only the manager may."""
    return keepers.get(party_id, "")


@view
def account_history(party_id: str, offset: int, limit: int) -> list[AccountChange]:
    """What happened to the accounts of a party since its registration, in order."""
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "parties.page: ask for 1 to 100 from 0 up")
    end = min(offset + limit, account_change_count.get(known(party_id).id, 0))
    return [account_changes[party_id, number] for number in range(offset, end)]


@view
def roles_of(party_id: str) -> list[str]:
    """The roles of a party, suspended or not; none if it is unknown."""
    party = parties.get(party_id)
    return [] if party is None else party.roles


@view
def show(party_id: str) -> Party:
    """One party, whole."""
    return known(party_id)


@view
def list_(offset: int, limit: int) -> list[Party]:
    """Parties in order of registration."""
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "parties.page: ask for 1 to 100 from 0 up")
    end = min(offset + limit, party_count.get(0))
    return [parties[party_by_number[number]] for number in range(offset, end)]


def require_manager() -> str:
    manager = acting(ctx.sender, "manager")
    require(manager != "", "parties.role: sign with an account of an active manager")
    return manager


def require_supervision() -> None:
    """A manager, or the contract that checked who may cut a party off in an emergency."""
    if ctx.sender != "contract:incident":
        require_manager()


def acting(address: str, role: str) -> str:
    party_id = party_by_address.get(address, "")
    if party_id == "":
        return ""
    party = parties[party_id]
    if party.status != "active" or address not in party.accounts:
        return ""
    if role != "" and role not in party.roles:
        return ""
    return party_id


def has_standing(party_id: str, role: str) -> bool:
    party = parties.get(party_id)
    return party is not None and party.status == "active" and role in party.roles


def is_ended(party_id: str) -> bool:
    party = parties.get(party_id)
    return party is not None and party.status == "revoked"


def note(party_id: str, kind: str, address: str, replacement: str, reason: str) -> None:
    number = account_change_count.get(party_id, 0)
    account_changes[party_id, number] = AccountChange(
        kind, address, replacement, ctx.sender, reason, ctx.height, ctx.time_ms
    )
    account_change_count[party_id] = number + 1


def known(party_id: str) -> Party:
    party = parties.get(party_id)
    if party is None:
        fail("parties.unknown: no party has this id; the manager registers it first")
    return party


def kept(party_id: str) -> Party:
    """A party that is not revoked: of one that is, nothing changes any more."""
    party = known(party_id)
    require(party.status != "revoked", "parties.revoked: it is revoked for good; apply as another")
    return party


def enter(party: Party) -> None:
    check_party(party.id, party.name, party.roles, party.accounts)
    for address in party.accounts:
        party_by_address[address] = party.id
    parties[party.id] = party
    number = party_count.get(0)
    party_by_number[number] = party.id
    party_count.set(number + 1)
    if "manager" in party.roles:
        holders = managers.get([])
        holders.append(party.id)
        managers.set(holders)
    emit(
        "PartyRegistered",
        party_id=party.id,
        name=party.name,
        roles=party.roles,
        accounts=party.accounts,
        organization=party.organization,
        selected_by=party.selected_by,
        approved_by=party.approved_by,
    )


def check_party(party_id: str, name: str, roles: list[str], accounts: list[str]) -> None:
    require(is_name(party_id), "parties.id: use 1 to 64 characters of a-z 0-9 _ - .")
    require(party_id not in parties, "parties.exists: choose another id")
    require(1 <= len(name) <= NAME_MAX, "parties.name: use 1 to 128 characters")
    check_roles(roles)
    require(1 <= len(accounts) <= ACCOUNTS_MAX, "parties.accounts: name 1 to 32 accounts")
    for position, address in enumerate(accounts):
        check_free(party_id, address)
        require(address not in accounts[:position], "parties.account_twice: name it once")
    is_manager = "manager" in roles
    require(
        not is_manager or len(managers.get([])) < MANAGERS_MAX,
        "parties.managers: there are 100 managers; revoke one first",
    )


def check_new_account(party: Party, address: str) -> None:
    """Binds `address` to the party; for what joins its accounts after the registration."""
    bind(party.id, address)
    require(address not in party.accounts, "parties.account_exists: it already speaks for it")
    require(not lost.get(address, False), "parties.account_lost: it was replaced; use a new key")
    require(address != keepers.get(party.id, ""), "parties.keeper_account: take a key of its own")


def check_roles(roles: list[str]) -> None:
    require(1 <= len(roles) <= len(ROLES), "parties.roles: name 1 to 6 roles")
    for position, role in enumerate(roles):
        require(role in ROLES, "parties.role_unknown: see the six roles of section 6.6")
        require(role not in roles[:position], "parties.role_twice: name each role once")


def bind(party_id: str, address: str) -> None:
    check_free(party_id, address)
    party_by_address[address] = party_id


def check_free(party_id: str, address: str) -> None:
    require(len(address) == ADDRESS_LENGTH, "parties.address: use 40 lower-case hex digits")
    for digit in address:
        require(digit in HEX_DIGITS, "parties.address: use 40 lower-case hex digits")
    holder = party_by_address.get(address, party_id)
    require(holder == party_id, "parties.account_bound: it belongs to another party; use a new key")


def check_reason(reason: str) -> None:
    require(1 <= len(reason) <= REASON_MAX, "parties.reason: give a reason of 1 to 512 characters")
