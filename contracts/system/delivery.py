"""Deliveries: products handed to their consumer and accepted (clauses 6.5a, 6.5c, 6.6.4b, 8.1.1).

The operator offers an approved product to the consumer whose demand it answers, with the digests
of the signed agreement and of the sealed payload that travels outside the chain. The consumer
accepts what it received, or rejects it; an acceptance must name the very bytes that were offered.
The grant is checked at the offer and at the acceptance; so is the agreement where the chain holds
it (`offer_under`), whose text the digest must be of.

States: offered -> accepted | rejected.
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

DIGEST_SIZE = 32  # bytes: SM3
NOTE_MAX = 1024  # characters
PAGE_MAX = 100  # deliveries in one answer
ASKERS = ("contract:alert", "contract:billing")  # contracts that judge or charge a delivery


@record
class Delivery:
    """A handing over. `received_digest` stays empty until the consumer answers."""

    id: str
    product_id: str
    grant_id: str
    operator: str
    consumer: str
    agreement_digest: bytes
    payload_digest: bytes
    offered_ms: int
    status: str = "offered"
    received_digest: bytes = b""
    note: str = ""
    answered_ms: int = 0
    agreement_id: str = ""  # of the contract `agreement`; "" when only the digest is on record


@record
class Course:
    """What the contract `alert` judges a delivery by."""

    status: str
    product_id: str
    operator: str
    consumer: str
    offered_ms: int


@record
class Handed:
    """What the contract `billing` charges a delivery by."""

    status: str
    operator: str
    consumer: str
    agreement_id: str


@record
class Lineage:
    """Where a product comes from, as the product contract tells it."""

    status: str
    operator: str
    grant_id: str
    consumer: str


@record
class Cover:
    """An agreement, as the agreement contract tells it."""

    status: str
    kind: str
    subject: str
    operator: str
    consumer: str
    digest: bytes
    price_fen: int
    service: str
    over_ms: int


deliveries = Map(str, Delivery)
# Each list is kept thrice: under "" for the manager, and under operator and consumer.
delivery_by_number = Map((str, int), str)
delivery_count = Map(str, int)


@call
def offer(
    delivery_id: str,
    product_id: str,
    consumer_party: str,
    agreement_digest: bytes,
    sealed_payload_digest: bytes,
) -> None:
    """The operator offers an approved product to its consumer (6.5a)."""
    hand_over(delivery_id, product_id, consumer_party, agreement_digest, sealed_payload_digest, "")


@call
def offer_under(
    delivery_id: str,
    product_id: str,
    consumer_party: str,
    agreement_digest: bytes,
    sealed_payload_digest: bytes,
    agreement_id: str,
) -> None:
    """The operator offers a product under an agreement in force over it or its grant (6.6.2)."""
    view_contract("agreement", "ensure_in_force", agreement_id, returns=bool)
    cover = view_contract("agreement", "cover", agreement_id, returns=Cover)
    product = view_contract("product", "lineage", product_id, returns=Lineage)
    require(
        cover.subject == (product_id if cover.kind == "product" else product.grant_id)
        and cover.consumer == consumer_party,
        "delivery.subject: it is over another product or grant, or with another consumer",
    )
    require(agreement_digest == cover.digest, "delivery.text: the two sides signed another text")
    hand_over(
        delivery_id,
        product_id,
        consumer_party,
        agreement_digest,
        sealed_payload_digest,
        agreement_id,
    )


@call
def accept(delivery_id: str, received_digest: bytes, accepted: bool, note: str) -> None:
    """The consumer accepts what it received, or rejects it with reasons (6.6.4b)."""
    consumer = view_contract("parties", "acting_as", ctx.sender, "consumer", returns=str)
    require(consumer != "", "delivery.role: sign with an account of an active consumer")
    delivery = known(delivery_id)
    require(delivery.consumer == consumer, "delivery.consumer: it was offered to another consumer")
    require(delivery.status == "offered", "delivery.status: it has been answered already")
    require(len(received_digest) == DIGEST_SIZE, "delivery.received: use 32 bytes of SM3")
    require(accepted or note != "", "delivery.note: say why it is rejected")
    require(len(note) <= NOTE_MAX, "delivery.note: use up to 1024 characters")
    is_match = received_digest == delivery.payload_digest
    if accepted:
        require(is_match, "delivery.digest: not the bytes offered; fetch them again or reject")
        view_contract("grant", "ensure_valid", delivery.grant_id, returns=bool)
        if delivery.agreement_id != "":
            view_contract("agreement", "ensure_in_force", delivery.agreement_id, returns=bool)
    deliveries[delivery_id] = replace(
        delivery,
        received_digest=received_digest,
        status="accepted" if accepted else "rejected",
        note=note,
        answered_ms=ctx.time_ms,
    )
    emit(
        "DeliveryAnswered",
        delivery_id=delivery_id,
        product_id=delivery.product_id,
        operator=delivery.operator,
        consumer=consumer,
        accepted=accepted,
        is_match=is_match,
    )


@view
def show(delivery_id: str) -> Delivery:
    """One delivery, for its operator and consumer and for the manager."""
    return readable(delivery_id)


@view
def list_(offset: int, limit: int) -> list[Delivery]:
    """Deliveries in order of offer: all for the manager, its own for any other party."""
    scope = reader_scope()
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "delivery.page: ask for 1 to 100 from 0 up")
    end = min(offset + limit, delivery_count.get(scope, 0))
    return [deliveries[delivery_by_number[scope, number]] for number in range(offset, end)]


@view
def course(delivery_id: str) -> Course:
    """How far a delivery is, and between whom; for contracts and its readers."""
    found = readable(delivery_id)
    return Course(found.status, found.product_id, found.operator, found.consumer, found.offered_ms)


@view
def handed(delivery_id: str) -> Handed:
    """Whether it arrived, between whom and by what agreement; for contracts and its readers."""
    found = readable(delivery_id)
    return Handed(found.status, found.operator, found.consumer, found.agreement_id)


def hand_over(
    delivery_id: str,
    product_id: str,
    consumer_party: str,
    agreement_digest: bytes,
    sealed_payload_digest: bytes,
    agreement_id: str,
) -> None:
    operator = view_contract("parties", "acting_as", ctx.sender, "operator", returns=str)
    require(operator != "", "delivery.role: sign with an account of an active operator")
    require(is_name(delivery_id), "delivery.id: use 1 to 64 characters of a-z 0-9 _ - .")
    require(delivery_id not in deliveries, "delivery.exists: choose another id")
    require(len(agreement_digest) == DIGEST_SIZE, "delivery.agreement: use 32 bytes of SM3")
    require(len(sealed_payload_digest) == DIGEST_SIZE, "delivery.payload: use 32 bytes of SM3")
    product = view_contract("product", "lineage", product_id, returns=Lineage)
    require(product.operator == operator, "delivery.owner: another operator made this product")
    require(product.status == "approved", "delivery.product: the manager must approve it first")
    require(
        product.consumer == consumer_party,
        "delivery.consumer: deliver only to the consumer whose demand was granted",
    )
    is_consumer = view_contract(
        "parties", "party_has_role", consumer_party, "consumer", returns=bool
    )
    require(is_consumer, "delivery.suspended: the consumer is not active")
    view_contract("grant", "ensure_valid", product.grant_id, returns=bool)
    deliveries[delivery_id] = Delivery(
        id=delivery_id,
        product_id=product_id,
        grant_id=product.grant_id,
        operator=operator,
        consumer=consumer_party,
        agreement_digest=agreement_digest,
        payload_digest=sealed_payload_digest,
        offered_ms=ctx.time_ms,
        agreement_id=agreement_id,
    )
    for scope in ("", operator, consumer_party):
        enlist(scope, delivery_id)
    emit(
        "DeliveryOffered",
        delivery_id=delivery_id,
        product_id=product_id,
        operator=operator,
        consumer=consumer_party,
        agreement_id=agreement_id,
        agreement_digest=agreement_digest,
        payload_digest=sealed_payload_digest,
    )


def readable(delivery_id: str) -> Delivery:
    """The delivery, if the sender may know of it."""
    if ctx.sender in ASKERS:
        return known(delivery_id)
    scope = reader_scope()
    delivery = known(delivery_id)
    require(
        scope in ("", delivery.operator, delivery.consumer),
        "delivery.reader: only its operator, its consumer and the manager may read it",
    )
    return delivery


def reader_scope() -> str:
    """Whose deliveries the sender may read: "" for all, or its own party."""
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "", "delivery.reader: sign with an account of an active party")
    is_manager = view_contract("parties", "party_has_role", party, "manager", returns=bool)
    return "" if is_manager else party


def known(delivery_id: str) -> Delivery:
    delivery = deliveries.get(delivery_id)
    if delivery is None:
        fail("delivery.unknown: no delivery has this id; look for it with `list`")
    return delivery


def enlist(scope: str, delivery_id: str) -> None:
    number = delivery_count.get(scope, 0)
    delivery_by_number[scope, number] = delivery_id
    delivery_count[scope] = number + 1
