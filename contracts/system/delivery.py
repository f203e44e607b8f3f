"""Deliveries: products handed to their consumer and accepted (clauses 6.5a, 6.5c, 6.6.4b, 8.1.1).

The operator offers an approved product to the consumer whose demand it answers, with the digests
of the signed agreement and of the sealed payload that travels outside the chain. The consumer
accepts what it received, naming the very bytes that were offered, or rejects it; until then the
operator may withdraw its offer. The grant is checked at the offer and at the acceptance; so is the
agreement where the chain holds it (`offer_under`), whose text the digest must be of.

Before the offer the operator puts on record how it looked at the demand and the risks, how grave
they are and by which channel the bytes travel (`prepare`, 6.5b), or evidence of the kind
`delivery.diligence`; `risk` finds an offer with neither. After the acceptance the consumer reports
its use, period by period (`report_use`, 6.6.4); what strays from the grant's scenario is counted.

States: (prepared ->) offered -> accepted | rejected | withdrawn.
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
USES_MAX = 10**12  # of one report
GAP_MS = 24 * 3600 * 1000  # between two reports: periods begin with a day, acceptances do not
SCENARIO_MAX = 512  # characters, as in a grant
PAGE_MAX = 100  # records in one answer
CHANNELS = ("file", "interface", "query", "enclave")  # by which the bytes reach the consumer
RISKS = ("low", "medium", "high")
ASKERS = ("contract:risk", "contract:billing")  # contracts that judge or charge a delivery


@record
class Delivery:
    """A handing over. `received_digest` stays empty until the consumer answers; `note` and
    `answered_ms` are of its answer, or of the operator's withdrawal."""

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
    channel: str = ""  # what follows is "" and empty where nothing was prepared
    risk: str = ""
    diligence_digest: bytes = b""
    reports: int = 0  # of use
    used_ms: int = 0  # up to where use was reported
    strayed: int = 0  # reports of use for something else than the scenario of the grant
    is_diligent: bool = False  # an act or evidence of due diligence came before the offer


@record
class Diligence:
    """What an operator put on record before an offer: its due diligence."""

    product_id: str
    operator: str
    channel: str
    risk: str
    digest: bytes  # SM3 of the assessment
    note: str
    made_ms: int


@record
class UseReport:
    """The consumer's word on its use from `from_ms` on and before `to_ms`."""

    number: int
    from_ms: int
    to_ms: int
    uses: int
    scenario: str  # what for
    is_within: bool  # the scenario is that of the grant
    digest: bytes  # SM3 of the consumer's log
    note: str
    reported_ms: int


@record
class Course:
    """What the contract `risk` judges a delivery by."""

    status: str
    product_id: str
    operator: str
    consumer: str
    offered_ms: int
    answered_ms: int
    risk: str
    is_diligent: bool
    used_ms: int
    strayed: int


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
    per: str
    over_ms: int


deliveries = Map(str, Delivery)
diligences = Map(str, Diligence)  # id of the delivery to be
use_reports = Map((str, int), UseReport)  # delivery, number from 1
# Each list is kept thrice: under "" for the manager, and under operator and consumer.
delivery_by_number = Map((str, int), str)
delivery_count = Map(str, int)


@call
def prepare(
    delivery_id: str, product_id: str, channel: str, risk: str, digest: bytes, note: str
) -> None:
    """The operator puts its due diligence on record, before it offers; it may be renewed (6.5b)."""
    operator = require_operator()
    require(is_name(delivery_id), "delivery.id: use 1 to 64 characters of a-z 0-9 _ - .")
    require(delivery_id not in deliveries, "delivery.exists: it was offered already")
    require(channel in CHANNELS, "delivery.channel: use file, interface, query or enclave")
    require(risk in RISKS, "delivery.risk: use low, medium or high")
    require(len(digest) == DIGEST_SIZE, "delivery.diligence: use 32 bytes of SM3")
    require(len(note) <= NOTE_MAX, "delivery.note: use up to 1024 characters")
    product = view_contract("product", "lineage", product_id, returns=Lineage)
    require(product.operator == operator, "delivery.owner: another operator made this product")
    prepared(delivery_id, operator, product_id)
    diligences[delivery_id] = Diligence(
        product_id, operator, channel, risk, digest, note, ctx.time_ms
    )
    emit(
        "DeliveryPrepared",
        delivery_id=delivery_id,
        product_id=product_id,
        operator=operator,
        channel=channel,
        risk=risk,
        digest=digest,
    )


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
    delivery = offered_to_sender(delivery_id)
    require(delivery.status == "offered", "delivery.status: it has been answered or withdrawn")
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
        consumer=delivery.consumer,
        accepted=accepted,
        is_match=is_match,
    )


@call
def withdraw(delivery_id: str, reason: str) -> None:
    """The operator takes an offer back that nobody has answered, also when its grant has ended."""
    operator = require_operator()
    had = known(delivery_id)
    require(had.operator == operator, "delivery.owner: another operator offered it")
    require(had.status == "offered", "delivery.status: it has been answered or withdrawn")
    require(1 <= len(reason) <= NOTE_MAX, "delivery.reason: say why, in 1 to 1024 characters")
    deliveries[delivery_id] = replace(had, status="withdrawn", note=reason, answered_ms=ctx.time_ms)
    emit(
        "DeliveryWithdrawn",
        delivery_id=delivery_id,
        product_id=had.product_id,
        operator=operator,
        consumer=had.consumer,
        reason=reason,
    )


@call
def report_use(
    delivery_id: str, from_ms: int, to_ms: int, uses: int, scenario: str, digest: bytes, note: str
) -> int:
    """The consumer reports its use of what it accepted, period by period (6.6.4); the number."""
    delivery = offered_to_sender(delivery_id)
    require(delivery.status == "accepted", "delivery.status: only what was accepted is used")
    begin_ms = max(delivery.used_ms, delivery.answered_ms)
    # What a report leaves out no later one can tell: a report of the last hour is no word on the
    # months before it.
    require(
        begin_ms <= from_ms < begin_ms + GAP_MS and from_ms < to_ms <= ctx.time_ms,
        "delivery.period: begin where the last report ended, or in the day after, and end by now",
    )
    require(0 <= uses <= USES_MAX, "delivery.uses: report 0 to 10**12 uses")
    require(1 <= len(scenario) <= SCENARIO_MAX, "delivery.scenario: say what for in 1 to 512")
    require(len(digest) == DIGEST_SIZE, "delivery.log: use 32 bytes of SM3 of your log")
    require(len(note) <= NOTE_MAX, "delivery.note: use up to 1024 characters")
    granted, _algorithms, _outputs = view_contract(
        "grant", "purpose", delivery.grant_id, returns=tuple[str, list[str], list[str]]
    )
    is_within = scenario == granted
    number = delivery.reports + 1
    use_reports[delivery_id, number] = UseReport(
        number, from_ms, to_ms, uses, scenario, is_within, digest, note, ctx.time_ms
    )
    strayed = delivery.strayed if is_within else delivery.strayed + 1
    deliveries[delivery_id] = replace(delivery, reports=number, used_ms=to_ms, strayed=strayed)
    emit(
        "UseReported",
        delivery_id=delivery_id,
        product_id=delivery.product_id,
        consumer=delivery.consumer,
        number=number,
        uses=uses,
        is_within=is_within,
        digest=digest,
    )
    return number


@view
def diligence(delivery_id: str) -> Diligence | None:
    """What was put on record before the offer; None if nothing was. For whom it concerns."""
    scope = reader_scope()
    found = diligences.get(delivery_id)
    if found is not None:
        known_to = deliveries[delivery_id].consumer if delivery_id in deliveries else ""
        require(
            scope in ("", found.operator, known_to),
            "delivery.reader: only its operator, its consumer and the manager may read it",
        )
    return found


@view
def uses_of(delivery_id: str, offset: int, limit: int) -> list[UseReport]:
    """Reports of use of a delivery in order, for its operator and consumer and for the manager."""
    delivery = readable(delivery_id)
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "delivery.page: ask for 1 to 100 from 0 up")
    end = min(offset + limit, delivery.reports)
    return [use_reports[delivery_id, number + 1] for number in range(offset, end)]


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
    return Course(
        found.status,
        found.product_id,
        found.operator,
        found.consumer,
        found.offered_ms,
        found.answered_ms,
        found.risk,
        found.is_diligent,
        found.used_ms,
        found.strayed,
    )


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
    operator = require_operator()
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
    is_one = view_contract("parties", "party_has_role", consumer_party, "consumer", returns=bool)
    require(is_one, "delivery.suspended: the consumer is not active")
    view_contract("grant", "ensure_valid", product.grant_id, returns=bool)
    found = prepared(delivery_id, operator, product_id)
    is_diligent = found.risk != "" or is_evidenced(delivery_id, operator)
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
        channel=found.channel,
        risk=found.risk,
        diligence_digest=found.digest,
        is_diligent=is_diligent or is_evidenced(product_id, operator),
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


def is_evidenced(subject: str, operator: str) -> bool:
    kind = "delivery.diligence"
    return view_contract("evidence", "is_recorded", kind, subject, operator, returns=bool)


def require_operator() -> str:
    operator = view_contract("parties", "acting_as", ctx.sender, "operator", returns=str)
    require(operator != "", "delivery.role: sign with an account of an active operator")
    return operator


def offered_to_sender(delivery_id: str) -> Delivery:
    consumer = view_contract("parties", "acting_as", ctx.sender, "consumer", returns=str)
    require(consumer != "", "delivery.role: sign with an account of an active consumer")
    delivery = known(delivery_id)
    require(delivery.consumer == consumer, "delivery.consumer: it was offered to another consumer")
    return delivery


def prepared(delivery_id: str, operator: str, product_id: str) -> Diligence:
    """What was prepared under this id, for this product; empty words if nothing was."""
    found = diligences.get(delivery_id)
    if found is None:
        return Diligence(product_id, operator, "", "", b"", "", 0)
    require(
        found.operator == operator and found.product_id == product_id,
        "delivery.prepared: this id is prepared for another product; choose another id",
    )
    return found


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
