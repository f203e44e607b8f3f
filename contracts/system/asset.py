"""Assets: the hardware and software by which an operator works (clauses 6.6.2d, 6.6.5a, 6.6.5c).

An operator keeps a register of its servers, cryptographic modules, trusted environments, network,
storage, software and services: from whom each came, of which model and release, the SM3 of its
papers, its security level, and the certificate with the day on which that ends, where it has one.
What is described anew, such as after an upgrade, gets the next version; each version and each
change of status stays on record. Nothing whose certificate has ended enters service; what is in
service when it ends is found by a check of the contract `risk`.

States: registered -> in_service <-> maintenance; all three -> retired.
"""

from __future__ import annotations

from contracts.dialect import (
    Map,
    call,
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

KINDS = ("server", "crypto_module", "tee", "network", "storage", "software", "service")
USED = ("in_service", "maintenance")  # a certificate that ends is somebody's affair
TITLE_MAX = 128  # characters
WORD_MAX = 64  # characters of a model, a release or the number of a certificate
PLACE_MAX = 128  # characters
TEXT_MAX = 512  # characters of a purpose or a reason
LEVEL_MAX = 5
DIGEST_SIZE = 32  # bytes: SM3
TIME_MAX_MS = 1 << 47  # year 6429: no certificate runs longer
PAGE_MAX = 100  # records in one answer


@record
class Asset:
    """One piece of hardware or software, as its last version describes it."""

    id: str
    operator: str
    kind: str
    provider: str  # tech provider that supplied it; "" if it is no party of the chain
    maker: str  # in words
    model: str
    title: str
    release: str  # of firmware or software
    digest: bytes  # SM3 of its papers
    level: int  # security level that its certificate names; 0: none
    certificate: str  # number; "" if it has none
    certificate_until_ms: int  # when that ends; 0 if it does not
    place: str
    purpose: str
    version: int
    updated_ms: int
    status: str = "registered"
    reason: str = ""  # of its last change


@record
class Change:
    """What happened to an asset. `kind` is registered, described, in_service, maintenance or
    retired."""

    kind: str
    version: int
    reason: str
    party: str
    height: int
    time_ms: int


@record
class Course:
    """How an asset stands; for other contracts."""

    operator: str
    is_used: bool
    is_in_service: bool
    certificate_until_ms: int


assets = Map(str, Asset)
versions = Map((str, int), Asset)  # asset, 1.. in order: as it was described then
changes = Map((str, int), Change)  # asset, 0.. in order
change_count = Map(str, int)
# Kept under "" for managers, and under the operator and the provider.
asset_by_number = Map((str, int), str)
asset_count = Map(str, int)


@call
def register(
    asset_id: str,
    kind: str,
    provider: str,
    maker: str,
    model: str,
    title: str,
    release: str,
    digest: bytes,
    level: int,
    certificate: str,
    certificate_until_ms: int,
    place: str,
    purpose: str,
) -> None:
    """An operator enters an asset in its register (6.6.2d)."""
    operator = view_contract("parties", "acting_as", ctx.sender, "operator", returns=str)
    require(operator != "", "asset.role: sign with an account of an active operator")
    require(is_name(asset_id), "asset.id: use 1 to 64 characters of a-z 0-9 _ - .")
    require(asset_id not in assets, "asset.exists: choose another id")
    require(kind in KINDS, "asset.kind: use one of the seven kinds of assets; see the docs")
    require(
        provider == ""
        or view_contract("parties", "party_has_role", provider, "tech_provider", returns=bool),
        "asset.provider: name an active tech provider, or the maker alone",
    )
    require(1 <= len(maker) <= TITLE_MAX, "asset.maker: use 1 to 128 characters")
    require(1 <= len(model) <= WORD_MAX, "asset.model: use 1 to 64 characters")
    entered = Asset(
        id=asset_id,
        operator=operator,
        kind=kind,
        provider=provider,
        maker=maker,
        model=model,
        title=title,
        release=release,
        digest=digest,
        level=level,
        certificate=certificate,
        certificate_until_ms=certificate_until_ms,
        place=place,
        purpose=purpose,
        version=1,
        updated_ms=ctx.time_ms,
    )
    write(entered)
    for reader in ("", operator):
        enlist(reader, asset_id)
    if provider not in ("", operator):
        enlist(provider, asset_id)
    note(entered, "registered", operator, "")
    emit(
        "AssetRegistered",
        asset_id=asset_id,
        kind=kind,
        operator=operator,
        provider=provider,
        digest=digest,
    )


@call
def describe(
    asset_id: str,
    title: str,
    release: str,
    digest: bytes,
    level: int,
    certificate: str,
    certificate_until_ms: int,
    place: str,
    purpose: str,
    reason: str,
) -> int:
    """The operator describes an asset anew, as after an upgrade, a move or a new certificate;
    returns the number of the version (6.6.2d, 6.6.5c)."""
    found = require_own(asset_id)
    require(found.status != "retired", "asset.status: it is retired; register another one")
    check_reason(reason)
    number = found.version + 1
    newer = replace(
        found,
        title=title,
        release=release,
        digest=digest,
        level=level,
        certificate=certificate,
        certificate_until_ms=certificate_until_ms,
        place=place,
        purpose=purpose,
        version=number,
        updated_ms=ctx.time_ms,
        reason=reason,
    )
    write(newer)
    note(newer, "described", found.operator, reason)
    emit(
        "AssetDescribed",
        asset_id=asset_id,
        operator=found.operator,
        version=number,
        digest=digest,
        reason=reason,
    )
    return number


@call
def put_in_service(asset_id: str, reason: str) -> None:
    """The operator takes an asset into service, or back into it (6.6.2d)."""
    found = require_own(asset_id)
    require(
        found.status in ("registered", "maintenance"), "asset.status: see `show` for how it stands"
    )
    require(
        found.certificate_until_ms == 0 or ctx.time_ms < found.certificate_until_ms,
        "asset.certificate: it has ended; describe the asset with a new one first",
    )
    turn(found, "in_service", found.operator, reason)


@call
def maintain(asset_id: str, reason: str) -> None:
    """The operator takes an asset out of service for maintenance (6.6.2d, 6.6.5c)."""
    found = require_own(asset_id)
    require(found.status == "in_service", "asset.status: only what is in service is maintained")
    turn(found, "maintenance", found.operator, reason)


@call
def retire(asset_id: str, reason: str) -> None:
    """The operator takes an asset out of use for good; a manager does, if the operator was revoked
    and so can do no more (6.6.2d)."""
    found = known(asset_id)
    party = view_contract("parties", "acting_as", ctx.sender, "manager", returns=str)
    if party == "" or not view_contract("parties", "is_revoked", found.operator, returns=bool):
        party = require_own(asset_id).operator
    require(found.status != "retired", "asset.status: it is retired already")
    turn(found, "retired", party, reason)


@view
def show(asset_id: str) -> Asset:
    """One asset, for its operator, its provider and the managers."""
    return readable(asset_id)


@view
def list_(offset: int, limit: int) -> list[Asset]:
    """Assets in order: all for managers; for others those that they use or supplied."""
    scope = reader_scope()
    check_page(offset, limit)
    last = min(offset + limit, asset_count.get(scope, 0))
    return [assets[asset_by_number[scope, number]] for number in range(offset, last)]


@view
def version(asset_id: str, number: int) -> Asset:
    """An asset as a version (from 1) described it; its status is that of then."""
    found = readable(asset_id)
    require(1 <= number <= found.version, "asset.version: see `show` for how many there are")
    return versions[asset_id, number]


@view
def history(asset_id: str, offset: int, limit: int) -> list[Change]:
    """What happened to an asset since its registration, in order."""
    found = readable(asset_id)
    check_page(offset, limit)
    last = min(offset + limit, change_count.get(found.id, 0))
    return [changes[asset_id, number] for number in range(offset, last)]


@view
def operator_of(asset_id: str) -> str:
    """Whose asset it is; for other contracts."""
    return known(asset_id).operator


@view
def course(asset_id: str) -> Course:
    """How an asset stands; for the contract `risk` and its readers."""
    found = known(asset_id) if ctx.sender == "contract:risk" else readable(asset_id)
    return Course(
        found.operator,
        found.status in USED,
        found.status == "in_service",
        found.certificate_until_ms,
    )


def write(described: Asset) -> None:
    """Checks what a version may change, and keeps it."""
    require(1 <= len(described.title) <= TITLE_MAX, "asset.title: use 1 to 128 characters")
    require(len(described.release) <= WORD_MAX, "asset.release: use up to 64 characters")
    require(len(described.digest) == DIGEST_SIZE, "asset.digest: use 32 bytes of SM3")
    require(0 <= described.level <= LEVEL_MAX, "asset.level: use 0 to 5; 0 is for none")
    require(len(described.certificate) <= WORD_MAX, "asset.certificate: use up to 64 characters")
    require(
        described.certificate_until_ms == 0
        or (described.certificate != "" and 0 < described.certificate_until_ms < TIME_MAX_MS),
        "asset.certificate_until: give the day on which the certificate that you name ends",
    )
    require(len(described.place) <= PLACE_MAX, "asset.place: use up to 128 characters")
    require(len(described.purpose) <= TEXT_MAX, "asset.purpose: use up to 512 characters")
    assets[described.id] = described
    versions[described.id, described.version] = described


def turn(found: Asset, status: str, party: str, reason: str) -> None:
    check_reason(reason)
    assets[found.id] = replace(found, status=status, reason=reason)
    note(found, status, party, reason)
    emit(
        "AssetTurned",
        asset_id=found.id,
        operator=found.operator,
        status=status,
        version=found.version,
        reason=reason,
    )


def note(found: Asset, kind: str, party: str, reason: str) -> None:
    number = change_count.get(found.id, 0)
    changes[found.id, number] = Change(kind, found.version, reason, party, ctx.height, ctx.time_ms)
    change_count[found.id] = number + 1


def check_reason(reason: str) -> None:
    require(1 <= len(reason) <= TEXT_MAX, "asset.reason: say why, in 1 to 512 characters")


def check_page(offset: int, limit: int) -> None:
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "asset.page: ask for 1 to 100 from 0 up")


def require_own(asset_id: str) -> Asset:
    operator = view_contract("parties", "acting_as", ctx.sender, "operator", returns=str)
    found = known(asset_id)
    require(operator == found.operator, "asset.owner: only the operator that registered it may")
    return found


def readable(asset_id: str) -> Asset:
    scope = reader_scope()
    found = known(asset_id)
    require(
        scope in ("", found.operator, found.provider),
        "asset.reader: only its operator, its provider and managers may read it",
    )
    return found


def reader_scope() -> str:
    """Whose assets the sender may read: "" for all, or its own party's."""
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "", "asset.reader: sign with an account of an active party")
    is_manager = view_contract("parties", "party_has_role", party, "manager", returns=bool)
    return "" if is_manager else party


def known(asset_id: str) -> Asset:
    found = assets.get(asset_id)
    if found is None:
        fail("asset.unknown: no asset has this id; look for it with `list`")
    return found


def enlist(scope: str, asset_id: str) -> None:
    number = asset_count.get(scope, 0)
    asset_by_number[scope, number] = asset_id
    asset_count[scope] = number + 1
