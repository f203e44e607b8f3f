"""Agreements: data service contracts that both sides sign (clauses 6.4, 6.5, 6.6.2, 6.6.4).

The operator puts up an agreement over an approved product, or over what is still to be made under
a grant, with the consumer whose demand it answers. The text stays with the two; the chain holds its
SM3, what is paid and until when it runs. A side signs by a transaction of its own account that
names the digest of the text it read. With the second signature the agreement is in force. Nobody
has to end what ran out: its end is derived from the time.

What is paid is a price, or a service of the manager's tariff (contract `billing`), or nothing: for
each delivery under it, or for each unit of use, as it says; never for both.

States: offered -> signed (one side) -> in_force -> ended | terminated;
offered, signed -> declined | lapsed.
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

KINDS = ("product", "grant")
PER = ("delivery", "use")  # what the price is for
TITLE_MAX = 128  # characters
TEXT_MAX = 512  # characters of a reason, or of where the text is kept
DIGEST_SIZE = 32  # bytes: SM3
PRICE_MAX = 10**15  # fen: ten trillion yuan, more than any contract is worth
ASKERS = ("contract:delivery", "contract:billing")  # contracts that build on an agreement
TERM_MAX_MS = 5 * 366 * 24 * 3600 * 1000  # as long as a grant may last
PAGE_MAX = 100  # agreements in one answer


@record
class Agreement:
    """A contract between an operator and a consumer; `signed_by` is the side that signed first."""

    id: str
    kind: str  # of its subject: product or grant
    subject: str
    operator: str
    consumer: str
    title: str
    digest: bytes  # SM3 of the text
    location: str  # where the two sides find the text
    price_fen: int
    service: str  # of the tariff, which then sets the price; "" for the price above
    per: str  # what is paid for: each delivery, or each unit of use
    offered_ms: int
    until_ms: int
    status: str = "offered"
    signed_by: str = ""
    in_force_ms: int = 0
    ender: str = ""  # party that declined or terminated it
    reason: str = ""
    ended_ms: int = 0


@record
class Cover:
    """What a delivery or a bill may build on."""

    status: str
    kind: str
    subject: str
    operator: str
    consumer: str
    digest: bytes
    price_fen: int
    service: str
    per: str
    over_ms: int  # when it ended or was terminated; 0 else


@record
class Lineage:
    """Where a product comes from, as the product contract tells it."""

    status: str
    operator: str
    grant_id: str
    consumer: str


@record
class Sides:
    """Between whom a grant is, as the grant contract tells it."""

    operator: str
    consumer: str


@record
class Price:
    """What a unit of a service costs, as the tariff contract tells it."""

    service: str
    price_fen: int
    tariff: int
    is_named: bool


agreements = Map(str, Agreement)
# Kept under "" for managers, and under operator and consumer.
agreement_by_number = Map((str, int), str)
agreement_count = Map(str, int)


@call
def offer(
    agreement_id: str,
    kind: str,
    subject: str,
    title: str,
    digest: bytes,
    location: str,
    price_fen: int,
    service: str,
    per: str,
    until_ms: int,
) -> None:
    """The operator puts up the contract over a product or a grant's deliverable (6.6.2)."""
    operator = view_contract("parties", "acting_as", ctx.sender, "operator", returns=str)
    require(operator != "", "agreement.role: sign with an account of an active operator")
    require(is_name(agreement_id), "agreement.id: use 1 to 64 characters of a-z 0-9 _ - .")
    require(agreement_id not in agreements, "agreement.exists: choose another id")
    require(1 <= len(title) <= TITLE_MAX, "agreement.title: use 1 to 128 characters")
    require(len(digest) == DIGEST_SIZE, "agreement.digest: use 32 bytes of SM3")
    require(len(location) <= TEXT_MAX, "agreement.location: use up to 512 characters")
    require(0 <= price_fen <= PRICE_MAX, "agreement.price: use 0 to 10**15 fen")
    require(service == "" or is_name(service), "agreement.service: use a service of the tariff")
    require(
        service == "" or price_fen == 0,
        "agreement.terms: name a price or a service of the tariff, not both",
    )
    require(per in PER, "agreement.per: say what is paid for, delivery or use")
    require(
        service == "" or view_contract("tariff", "price_of", service, returns=Price).is_named,
        "agreement.tariff: the tariff in force names no such service; see `tariff list`",
    )
    require(
        ctx.time_ms < until_ms <= ctx.time_ms + TERM_MAX_MS,
        "agreement.until: choose a time in the next five years",
    )
    sides = sides_of(kind, subject)
    require(sides.operator == operator, "agreement.owner: it is another operator's subject")
    is_consumer = view_contract(
        "parties", "party_has_role", sides.consumer, "consumer", returns=bool
    )
    require(is_consumer, "agreement.suspended: the consumer is not active")
    agreements[agreement_id] = Agreement(
        id=agreement_id,
        kind=kind,
        subject=subject,
        operator=operator,
        consumer=sides.consumer,
        title=title,
        digest=digest,
        location=location,
        price_fen=price_fen,
        service=service,
        per=per,
        offered_ms=ctx.time_ms,
        until_ms=until_ms,
    )
    for scope in ("", operator, sides.consumer):
        enlist(scope, agreement_id)
    emit(
        "AgreementOffered",
        agreement_id=agreement_id,
        kind=kind,
        subject=subject,
        operator=operator,
        consumer=sides.consumer,
        digest=digest,
        until_ms=until_ms,
    )


@call
def sign(agreement_id: str, digest: bytes) -> None:
    """A side signs the text that it read, named by digest; the second one puts it in force."""
    agreement = seen(known(agreement_id))
    party = require_side(agreement)
    require(
        agreement.status in ("offered", "signed"),
        "agreement.status: it is in force or over; see `show`",
    )
    require(digest == agreement.digest, "agreement.digest: another text is up; read that one")
    require(party != agreement.signed_by, "agreement.signed: the other side signs now")
    # What was authorized when it was put up must still be so (6.3a).
    sides_of(agreement.kind, agreement.subject)
    if agreement.status == "offered":
        agreements[agreement_id] = replace(agreement, status="signed", signed_by=party)
    else:
        agreements[agreement_id] = replace(agreement, status="in_force", in_force_ms=ctx.time_ms)
    emit(
        "AgreementSigned",
        agreement_id=agreement_id,
        party_id=party,
        digest=digest,
        in_force=agreement.status == "signed",
    )


@call
def decline(agreement_id: str, reason: str) -> None:
    """A side does not want it, or takes its word back, before both have signed."""
    agreement = seen(known(agreement_id))
    party = require_side(agreement)
    require(
        agreement.status in ("offered", "signed"),
        "agreement.status: it is in force or over; one in force is terminated",
    )
    close(agreement, "declined", party, reason)
    emit("AgreementDeclined", agreement_id=agreement_id, party_id=party, reason=reason)


@call
def terminate(agreement_id: str, reason: str) -> None:
    """A side, or a manager, ends what is in force before its time; no delivery follows (6.6.1)."""
    agreement = seen(known(agreement_id))
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(
        party != "" and (party in (agreement.operator, agreement.consumer) or is_manager(party)),
        "agreement.side: only its two sides and managers terminate it",
    )
    require(agreement.status == "in_force", "agreement.status: it is not in force; see `show`")
    close(agreement, "terminated", party, reason)
    emit("AgreementTerminated", agreement_id=agreement_id, party_id=party, reason=reason)


@view
def show(agreement_id: str) -> Agreement:
    """One agreement as it stands now, for its two sides and the managers."""
    return readable(agreement_id)


@view
def list_(offset: int, limit: int) -> list[Agreement]:
    """Agreements in order of offer: all for managers, its own for any other party."""
    scope = reader_scope()
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "agreement.page: ask for 1 to 100 from 0 up")
    end = min(offset + limit, agreement_count.get(scope, 0))
    return [seen(agreements[agreement_by_number[scope, number]]) for number in range(offset, end)]


@view
def cover(agreement_id: str) -> Cover:
    """How an agreement stands now, between whom and over what; for contracts and its readers."""
    found = readable(agreement_id)
    over_ms = found.ended_ms if found.status == "terminated" else 0
    return Cover(
        found.status,
        found.kind,
        found.subject,
        found.operator,
        found.consumer,
        found.digest,
        found.price_fen,
        found.service,
        found.per,
        found.until_ms if found.status == "ended" else over_ms,
    )


@view
def ensure_in_force(agreement_id: str) -> bool:
    """True, or a refusal; for contracts and its readers."""
    status = readable(agreement_id).status
    require(status == "in_force", "agreement.not_in_force: both sides must have signed it, in term")
    return True


def sides_of(kind: str, subject: str) -> Sides:
    """Between whom an agreement over the subject is; refused where nothing could be delivered."""
    require(kind in KINDS, "agreement.kind: use product or grant")
    if kind == "product":
        product = view_contract("product", "lineage", subject, returns=Lineage)
        require(product.status == "approved", "agreement.product: the manager must approve it")
        view_contract("grant", "ensure_valid", product.grant_id, returns=bool)
        return Sides(product.operator, product.consumer)
    view_contract("grant", "ensure_valid", subject, returns=bool)
    return view_contract("grant", "sides", subject, returns=Sides)


def seen(agreement: Agreement) -> Agreement:
    """As it stands at this block's time."""
    if ctx.time_ms < agreement.until_ms:
        return agreement
    if agreement.status == "in_force":
        return replace(agreement, status="ended")
    if agreement.status in ("offered", "signed"):
        return replace(agreement, status="lapsed")
    return agreement


def close(agreement: Agreement, status: str, party: str, reason: str) -> None:
    require(1 <= len(reason) <= TEXT_MAX, "agreement.reason: give a reason of 1 to 512 characters")
    agreements[agreement.id] = replace(
        agreement, status=status, ender=party, reason=reason, ended_ms=ctx.time_ms
    )


def require_side(agreement: Agreement) -> str:
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(
        party != "" and party in (agreement.operator, agreement.consumer),
        "agreement.side: sign with an account of its operator or consumer",
    )
    return party


def readable(agreement_id: str) -> Agreement:
    """The agreement as it stands now, if the sender may know of it."""
    if ctx.sender in ASKERS:
        return seen(known(agreement_id))
    scope = reader_scope()
    agreement = known(agreement_id)
    require(
        scope in ("", agreement.operator, agreement.consumer),
        "agreement.reader: only its two sides and managers may read it",
    )
    return seen(agreement)


def reader_scope() -> str:
    """Whose agreements the sender may read: "" for all, or its own party's."""
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "", "agreement.reader: sign with an account of an active party")
    return "" if is_manager(party) else party


def is_manager(party: str) -> bool:
    return view_contract("parties", "party_has_role", party, "manager", returns=bool)


def known(agreement_id: str) -> Agreement:
    found = agreements.get(agreement_id)
    if found is None:
        fail("agreement.unknown: no agreement has this id; look for it with `list`")
    return found


def enlist(scope: str, agreement_id: str) -> None:
    number = agreement_count.get(scope, 0)
    agreement_by_number[scope, number] = agreement_id
    agreement_count[scope] = number + 1
