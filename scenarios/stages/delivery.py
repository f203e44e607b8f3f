"""交付: agreed, sealed to the consumer, handed over, compared, accepted (6.5, 6.6.4, 8.1.1)."""

from __future__ import annotations

from dataclasses import dataclass

from crypto import envelope, sm3
from scenarios import papers
from scenarios.answers import field, record_of
from scenarios.cast import Cast
from scenarios.record import ScenarioFailed
from scenarios.script import Script, Told
from scenarios.stages.agreement import paper_of, put_up, sign, yuan

CHANNEL = "file"  # by which the sealed bytes reach the consumer
RISK = "low"  # of statistics whose small groups were left out in the computation


@dataclass(frozen=True, slots=True)
class Agreed:
    """What operator and consumer agree on: the product at a price, and questions about it.

    `queries` are what the consumer asks the operator's service after the delivery, as group, column
    and statistic of a result; each is charged by the tariff, and one that has no answer is not due.
    """

    purpose: str
    confidentiality: str
    price_fen: int
    queries: tuple[tuple[str, str, str], ...]


def delivery(script: Script, cast: Cast, content: bytes, agreed: Agreed) -> None:
    """The product goes from the operator to the consumer, under what both have signed."""
    text = papers.agreement(
        cast.agreement,
        over=cast.product,
        operator=cast.operator.party,
        consumer=cast.consumer.party,
        purpose=agreed.purpose,
        confidentiality=agreed.confidentiality,
        charge=f"{yuan(agreed.price_fen)} for the delivery",
    )
    put_up(
        script,
        cast,
        cast.agreement,
        text,
        over=("product", cast.product),
        title="数据产品交付 Delivery of the product",
        price_fen=agreed.price_fen,
    )
    script.refused(
        cast.outsider,
        Told("is no side of it and tries to sign", "无关方签署"),
        "agreement.sign",
        cast.agreement,
        sm3.digest(text),
        code="agreement.side",
    )
    sign(script, cast.operator, cast.agreement, text)
    _look_at_risks(script, cast, agreed)
    sealed = _seal(script, cast, content)
    script.refused(
        cast.operator,
        Told("tries to deliver what only one side has signed for", "未签合同"),
        "delivery.offer_under",
        *_offer(cast, text, sealed),
        code="agreement.not_in_force",
    )
    received = cast.consumer.received(paper_of(cast.agreement))
    sign(script, cast.consumer, cast.agreement, received)
    script.call(
        cast.operator,
        Told("offers the delivery: digests of agreement and payload", "交付登记"),
        "delivery.offer_under",
        *_offer(cast, text, sealed),
    )
    _hand_over(script, cast, sealed)
    _accept(script, cast)


def _look_at_risks(script: Script, cast: Cast, agreed: Agreed) -> None:
    """Due diligence before a delivery (6.5b): who asks, for what, what may go wrong."""
    paper = papers.diligence(
        cast.product,
        consumer=cast.consumer.party,
        purpose=agreed.purpose,
        confidentiality=agreed.confidentiality,
        risk=RISK,
    )
    script.call(
        cast.operator,
        Told(
            "has looked at consumer, purpose and risks of the delivery",
            "尽职调查",
            (("channel", CHANNEL), ("risk", RISK)),
        ),
        "delivery.prepare",
        cast.delivery,
        cast.product,
        CHANNEL,
        RISK,
        cast.operator.keep(f"diligence-{cast.product}.json", paper),
        "statistics without small groups, sealed to the consumer's key",
    )


def _seal(script: Script, cast: Cast, content: bytes) -> bytes:
    sealed = envelope.seal_to(
        cast.consumer.session.account.public_key, content, cast.delivery.encode()
    )
    script.local(
        cast.operator,
        Told(
            "seals the product to the consumer's key",
            "数字信封 SM2/SM4",
            (
                ("content", f"{len(content):,} bytes"),
                ("sealed", f"{len(sealed):,} bytes, SM3 {sm3.digest(sealed).hex()[:12]}…"),
            ),
        ),
    )
    return sealed


def _offer(cast: Cast, text: bytes, sealed: bytes) -> tuple[str, str, str, bytes, bytes, str]:
    """The arguments of delivery.offer_under."""
    digests = sm3.digest(text), sm3.digest(sealed)
    return cast.delivery, cast.product, cast.consumer.party, *digests, cast.agreement


def _hand_over(script: Script, cast: Cast, sealed: bytes) -> None:
    cast.consumer.receive(_payload_of(cast), sealed)
    script.local(cast.operator, Told("hands the sealed bytes over, outside the chain", "链下交付"))
    script.call(
        cast.operator,
        Told("puts the sending on record", "交付存证"),
        "evidence.record",
        cast.evidence(4, cast.operator, "sent"),
        "delivery.sent",
        cast.delivery,
        sm3.digest(sealed),
        "sealed product sent",
    )


def _accept(script: Script, cast: Cast) -> None:
    """The consumer trusts what the chain says, not what it was handed."""
    consumer = cast.consumer
    received = consumer.received(_payload_of(cast))
    digest = sm3.digest(received)
    offered = record_of(consumer.session.view("delivery", "show", cast.delivery))
    registered = record_of(consumer.session.view("product", "show", cast.product))
    content = envelope.open_with(consumer.private_key(), received, cast.delivery.encode())
    if digest != field(offered, "payload_digest", bytes):
        raise ScenarioFailed("the consumer received other bytes than were offered")
    if sm3.digest(content) != field(registered, "result_digest", bytes):
        raise ScenarioFailed("the opened product is not the one that was registered")
    results = papers.read_product(content)
    script.local(
        consumer,
        Told(
            "opens the envelope; both digests are those on the chain",
            "核对",
            (("results", f"{len(results)} numbers"),),
        ),
    )
    script.call(
        consumer,
        Told("accepts the delivery", "验收"),
        "delivery.accept",
        cast.delivery,
        digest,
        True,
        "complete and as agreed",
    )
    script.call(
        consumer,
        Told("puts the receipt on record", "交付存证"),
        "evidence.record",
        cast.evidence(4, consumer, "received"),
        "delivery.received",
        cast.delivery,
        consumer.keep(f"{cast.product}.json", content),
        "product as opened",
    )


def _payload_of(cast: Cast) -> str:
    return f"{cast.delivery}.sealed"
