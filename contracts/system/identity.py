"""Who certifies whom: roots of organizations, certificates, revocation (8.1.2, 8.1.6a, 8.1.7b).

An organization is a party that has an authority of its own (SM2 X.509, docs/certificates.md). Its
roots enter and leave by proposals. A certificate is registered as it is: the root's signature is
verified here, and role, name and key are read out of it (see `certificate`), so that nobody can
claim what no root signed. Registered, it gives its address a role on this chain until it ends, is
revoked or loses its root. A revocation counts for every node from the next block on, also for
certificates that were never registered, as those of nodes need not be.

A root: active -> retired. A certificate: registered -> revoked. Both are final.
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
    record,
    replace,
    require,
    sm3,
    to_hex,
    view,
    view_contract,
)

ROLES = ("node", "user", "executor", "publisher", "auditor")
HEX_DIGITS = "0123456789abcdef"
ROOTS_MAX = 4  # active ones of an organization: the next one comes before the last one leaves
ROOTS_ALL_MAX = 256  # bounds what each node reads and judges by
ALIVE_MAX = 8  # good certificates of one address: bounds the walk that a permission check makes
# Of an organization, for each root that it was ever given: nodes hold all revocations for ever,
# so that more of them take another root, which others approve. As many as in a revocation list.
REVOCATIONS_PER_ROOT = 20_000
SERIAL_MAX = 40  # hex digits: 20 bytes (RFC 5280, 4.1.2.2)
REASON_MAX = 512  # characters
PAGE_MAX = 100  # records in one answer


@record
class Root:
    """The authority of an organization; `fingerprint` is SM3 of the DER in `root_certificates`."""

    organization: str
    name: str
    fingerprint: bytes
    public_key: bytes
    not_after_ms: int
    since: int  # height
    status: str = "active"


@record
class Certificate:
    """What a registered certificate says; `address` is the account of its key."""

    organization: str
    serial: str  # hex, without leading zeros
    role: str
    name: str
    address: str
    peer_id: str  # of a node; else ""
    not_before_ms: int
    not_after_ms: int
    fingerprint: bytes
    root: bytes  # fingerprint
    since: int  # height
    status: str = "registered"


@record
class Parsed:
    """What the contract `certificate` reads."""

    serial: str
    organization: str
    role: str
    name: str
    public_key: bytes
    peer_id: str
    not_before_ms: int
    not_after_ms: int


@record
class Revocation:
    """`by` is the party that revoked."""

    organization: str
    serial: str
    reason: str
    by: str
    height: int
    time_ms: int


# What a node reads after each block (contracts/identities.py): keep names and types.
root_fingerprints = Var(list[bytes])  # of the active ones, in order of entry
roots = Map(bytes, Root)
root_certificates = Map(bytes, bytes)  # DER
certificates = Map((str, str), Certificate)  # organization, serial
# The serials of an address that were not over when the newest of them was registered.
alive = Map(str, list[str])
# An address stays with the organization that certified it first, as it does with its party.
organization_by_address = Map(str, str)
revocation_count = Var(int)
revocation_by_number = Map(int, Revocation)  # from 0 on

active_of = Map(str, list[bytes])  # organization -> its active roots
number_by_revoked = Map((str, str), int)  # organization, serial
revoked_of = Map(str, int)  # organization -> how many
admitted_of = Map(str, int)  # organization -> roots, also retired ones
certificate_count = Var(int)
certificate_by_number = Map(int, tuple[str, str])  # organization, serial


@init
def setup(founders: list[tuple[str, bytes]]) -> None:
    """Takes the roots of the genesis: id of the organization and DER of its root."""
    require(len(founders) <= ROOTS_ALL_MAX, "identity.roots: name 256 roots at most")
    for organization, certificate in founders:
        enter_root(organization, certificate)


@call
def admit_root(organization: str, certificate: bytes) -> None:
    """A root is believed from the next block on; for approved proposals alone."""
    require_proposal()
    enter_root(organization, certificate)


@call
def retire_root(organization: str, fingerprint: bytes) -> None:
    """A root, and all that it certified, is believed no more; for approved proposals alone."""
    require_proposal()
    found = retirable(organization, fingerprint)
    roots[fingerprint] = replace(found, status="retired")
    left = root_fingerprints.get()
    left.remove(fingerprint)
    root_fingerprints.set(left)
    active_of[organization] = [one for one in active_of[organization] if one != fingerprint]
    emit("RootRetired", organization=organization, fingerprint=fingerprint)


@call
def register(organization: str, certificate: bytes) -> None:
    """A certificate's key speaks in its role: its organization or its holder hands it in; for an
    auditor, whom all have to bear, a manager does."""
    found = read_leaf(organization, certificate)
    require_registrar(found)
    known = certificates.get((organization, found.serial))
    require(
        known is None or not is_believed(known.root), "identity.exists: it is registered already"
    )
    require(
        (organization, found.serial) not in number_by_revoked,
        "identity.revoked: it is revoked; have another one issued",
    )
    bind(found.address, organization)
    certificates[organization, found.serial] = found
    if known is None:
        number = certificate_count.get(0)
        certificate_by_number[number] = (organization, found.serial)
        certificate_count.set(number + 1)
    elif known.address != found.address:  # authorities may count alike: it is another's from now on
        alive[known.address] = [one for one in alive[known.address] if one != found.serial]
    held = [serial for serial in alive.get(found.address, []) if serial != found.serial]
    left = [serial for serial in held if not is_over(certificates[organization, serial])]
    require(len(left) < ALIVE_MAX, "identity.alive: revoke one of the holder's certificates first")
    left.append(found.serial)
    alive[found.address] = left
    emit(
        "CertificateRegistered",
        organization=organization,
        serial=found.serial,
        role=found.role,
        name=found.name,
        address=found.address,
        peer_id=found.peer_id,
        fingerprint=found.fingerprint,
        not_after_ms=found.not_after_ms,
    )


@call
def revoke(organization: str, serial: str, reason: str) -> None:
    """A certificate counts no more from the next block on: its organization says so, or a manager,
    but for a node's: who orders the chain is not for one party to say (see `proposal`)."""
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    check_serial(serial)
    require(1 <= len(reason) <= REASON_MAX, "identity.reason: give a reason of 1 to 512 characters")
    require(
        (organization, serial) not in number_by_revoked, "identity.revoked: it is revoked already"
    )
    found = certificates.get((organization, serial))
    if party == "" or party != organization:
        require(is_manager(), "identity.owner: sign for its organization, or for a manager")
        require(
            found is not None and found.role != "node",
            "identity.node: its organization revokes a node's; others propose to cut the node off",
        )
    count = revoked_of.get(organization, 0)
    room = REVOCATIONS_PER_ROOT * admitted_of.get(organization, 0)
    require(count < room, "identity.revocations: have another root admitted; each gives 20000 more")
    revoked_of[organization] = count + 1
    number = revocation_count.get(0)
    number_by_revoked[organization, serial] = number
    revocation_by_number[number] = Revocation(
        organization, serial, reason, party, ctx.height, ctx.time_ms
    )
    revocation_count.set(number + 1)
    if found is not None:
        certificates[organization, serial] = replace(found, status="revoked")
    emit(
        "CertificateRevoked",
        organization=organization,
        serial=serial,
        party_id=party,
        reason=reason,
    )


@view
def organizations(offset: int, limit: int) -> list[Root]:
    """The roots that are believed now; anyone may read what certificates are judged by."""
    check_page(offset, limit)
    return [roots[fingerprint] for fingerprint in root_fingerprints.get([])[offset:][:limit]]


@view
def root_(fingerprint: bytes) -> Root:
    """One root, also a retired one."""
    return known_root(fingerprint)


@view
def root_certificate(fingerprint: bytes) -> bytes:
    """The DER of a root, also of a retired one."""
    known_root(fingerprint)
    return root_certificates[fingerprint]


@view
def standing(address: str) -> tuple[str, list[str]]:
    """The organization of `address` and the roles that its certificates give it now; "" and none
    without a good one, or where the organization is suspended."""
    organization = organization_by_address.get(address, "")
    if organization == "" or not is_active(organization):
        return "", []
    kept = [certificates[organization, serial] for serial in alive.get(address, [])]
    good = [one for one in kept if not is_over(one) and one.not_before_ms <= ctx.time_ms]
    held = [one.role for one in good]
    if len(held) == 0:
        return "", []
    return organization, [role for role in ROLES if role in held]


@view
def show(organization: str, serial: str) -> Certificate:
    """One registered certificate."""
    require_reader()
    found = certificates.get((organization, serial))
    if found is None:
        fail("identity.unknown: no certificate of this serial is registered; see `list`")
    return found


@view
def list_(offset: int, limit: int) -> list[Certificate]:
    """Registered certificates in order of entry, also those that are over."""
    require_reader()
    check_page(offset, limit)
    end = min(offset + limit, certificate_count.get(0))
    return [numbered(number) for number in range(offset, end)]


@view
def revocations(offset: int, limit: int) -> list[Revocation]:
    """What was revoked, in order; anyone may read what certificates are judged by."""
    check_page(offset, limit)
    end = min(offset + limit, revocation_count.get(0))
    return [revocation_by_number[number] for number in range(offset, end)]


@view
def revocation_of(organization: str, serial: str) -> Revocation | None:
    """When and why a certificate was revoked; None if it is not."""
    number = number_by_revoked.get((organization, serial), -1)
    return revocation_by_number[number] if number >= 0 else None


@view
def check_root(organization: str, certificate: bytes) -> bool:
    """True, or a refusal that says why the root cannot be admitted; for other contracts."""
    new_root(organization, certificate)
    return True


@view
def check_retire(organization: str, fingerprint: bytes) -> bool:
    """True, or a refusal that says why the root cannot be retired; for other contracts."""
    retirable(organization, fingerprint)
    return True


# --- who may ------------------------------------------------------------------------------------


def require_proposal() -> None:
    require(ctx.sender == "contract:proposal", "identity.caller: propose it and have it approved")


def require_reader() -> None:
    speaker = view_contract("governance", "speaker_of", ctx.sender, returns=str)
    require(speaker != "", "identity.reader: sign for an active party or as a node")


def require_registrar(found: Certificate) -> None:
    if found.role == "auditor":
        require(is_manager(), "identity.auditor: a manager registers auditors; hand it to one")
        return
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(
        party == found.organization or ctx.sender == found.address,
        "identity.registrar: sign for its organization, or with its own key",
    )


def is_manager() -> bool:
    return view_contract("parties", "has_role", ctx.sender, "manager", returns=bool)


def is_active(organization: str) -> bool:
    return view_contract("parties", "is_active", organization, returns=bool)


# --- roots --------------------------------------------------------------------------------------


def enter_root(organization: str, certificate: bytes) -> None:
    found = new_root(organization, certificate)
    roots[found.fingerprint] = found
    root_certificates[found.fingerprint] = certificate
    active = active_of.get(organization, [])
    active.append(found.fingerprint)
    active_of[organization] = active
    admitted_of[organization] = admitted_of.get(organization, 0) + 1
    fingerprints = root_fingerprints.get([])
    fingerprints.append(found.fingerprint)
    root_fingerprints.set(fingerprints)
    emit(
        "RootAdmitted",
        organization=organization,
        name=found.name,
        fingerprint=found.fingerprint,
        not_after_ms=found.not_after_ms,
    )


def new_root(organization: str, certificate: bytes) -> Root:
    """What would be kept of it, or a refusal."""
    require(is_active(organization), "identity.organization: the manager must register the party")
    fingerprint = sm3(certificate)
    require(
        fingerprint not in roots, "identity.root_exists: it was admitted before; make a new one"
    )
    require(
        len(root_fingerprints.get([])) < ROOTS_ALL_MAX,
        "identity.roots: retire an unused root first",
    )
    require(len(roots_of(organization)) < ROOTS_MAX, "identity.roots: retire an old root first")
    found = view_contract("certificate", "read", certificate, returns=Parsed)
    require(
        found.role == "" and found.organization == organization,
        "identity.root: give a root of this organization, as `shuxin ca new` makes it",
    )
    require(
        signer(certificate, [found.public_key]) != b"",
        "identity.signature: it was altered, or forged",
    )
    require(ctx.time_ms < found.not_after_ms, "identity.expired: its time is over; make a new one")
    return Root(
        organization,
        found.name,
        fingerprint,
        found.public_key,
        found.not_after_ms,
        ctx.height,
    )


def known_root(fingerprint: bytes) -> Root:
    found = roots.get(fingerprint)
    if found is None:
        fail("identity.root_unknown: no root has this fingerprint; see `organizations`")
    return found


def retirable(organization: str, fingerprint: bytes) -> Root:
    """Who orders the chain always has a root: without one its nodes would be out at once."""
    found = known_root(fingerprint)
    require(found.organization == organization, "identity.root: it is of another organization")
    require(found.status == "active", "identity.root_status: it is retired already")
    ordering = view_contract("governance", "organizations", returns=list[str])
    require(
        organization not in ordering or len(roots_of(organization)) > 1,
        "identity.last_root: it runs a validator; admit its next root and certify its nodes first",
    )
    return found


def roots_of(organization: str) -> list[Root]:
    return [roots[fingerprint] for fingerprint in active_of.get(organization, [])]


# --- certificates -------------------------------------------------------------------------------


def numbered(number: int) -> Certificate:
    organization, serial = certificate_by_number[number]
    return certificates[organization, serial]


def is_over(found: Certificate) -> bool:
    return (
        found.status != "registered"
        or ctx.time_ms >= found.not_after_ms
        or not is_believed(found.root)
    )


def is_believed(fingerprint: bytes) -> bool:
    return roots[fingerprint].status == "active"


def read_leaf(organization: str, certificate: bytes) -> Certificate:
    """A certificate that an active root of the organization signed, or a refusal."""
    require(is_active(organization), "identity.organization: it is no active party")
    trusted = roots_of(organization)
    key = signer(certificate, [root.public_key for root in trusted])
    require(
        key != b"",
        "identity.signature: no active root of this organization signed it; see `organizations`",
    )
    issuers = [root.fingerprint for root in trusted if root.public_key == key]
    found = view_contract("certificate", "read", certificate, returns=Parsed)
    require(found.role != "", "identity.leaf: a root speaks for nobody; give what it issued")
    require(found.organization == organization, "identity.organization: it is of another one")
    require(
        (found.role == "node") == (found.peer_id != ""),
        "identity.peer_id: a node's certificate names its peer id, and no other does",
    )
    require(ctx.time_ms < found.not_after_ms, "identity.expired: its time is over; renew it")
    return Certificate(
        organization,
        found.serial,
        found.role,
        found.name,
        to_hex(sm3(found.public_key)[:20]),
        found.peer_id,
        found.not_before_ms,
        found.not_after_ms,
        sm3(certificate),
        issuers[0],
        ctx.height,
    )


def signer(certificate: bytes, keys: list[bytes]) -> bytes:
    return view_contract("certificate", "signer", certificate, keys, returns=bytes)


def bind(address: str, organization: str) -> None:
    party = view_contract("parties", "party_of", address, returns=str)
    holder = organization_by_address.get(address, organization)
    require(
        (party == "" or party == organization) and holder == organization,
        "identity.bound: the key belongs to another organization; use a new one",
    )
    organization_by_address[address] = organization


def check_serial(serial: str) -> None:
    require(
        1 <= len(serial) <= SERIAL_MAX and not serial.startswith("0"),
        "identity.serial: give it in lower-case hex without leading zeros",
    )
    for digit in serial:
        require(
            digit in HEX_DIGITS, "identity.serial: give it in lower-case hex without leading zeros"
        )


def check_page(offset: int, limit: int) -> None:
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "identity.page: ask for 1 to 100 from 0 up")
