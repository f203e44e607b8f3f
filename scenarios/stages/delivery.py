"""交付: agreed, sealed to the consumer, handed over, compared, accepted (6.5, 6.6.4, 8.1.1)."""

from __future__ import annotations

from dataclasses import dataclass

from crypto import envelope, sm3
from scenarios import papers
from scenarios.answers import field, record_of
from scenarios.cast import Cast
from scenarios.record import ScenarioFailed
from scenarios.script import Script, Told


@dataclass(frozen=True, slots=True)
class Agreed:
    """What operator and consumer agree on."""

    purpose: str
    confidentiality: str


def delivery(script: Script, cast: Cast, content: bytes, agreed: Agreed) -> None:
    """The product goes from the operator to the consumer, and only there."""
    text = papers.agreement(
        cast.product,
        cast.operator.party,
        cast.consumer.party,
        purpose=agreed.purpose,
        confidentiality=agreed.confidentiality,
    )
    for who in (cast.consumer, cast.operator):
        script.call(
            who,
            Told("puts the agreement on record: both name one digest", "数据服务合同"),
            "evidence.record",
            cast.evidence(4, who, "agreement"),
            "delivery.agreement",
            cast.product,
            who.keep(f"agreement-{cast.product}.json", text),
            "data service agreement",
        )
    sealed = _offer(script, cast, content, sm3.digest(text))
    _hand_over(script, cast, sealed)
    _accept(script, cast)


def _offer(script: Script, cast: Cast, content: bytes, agreement_digest: bytes) -> bytes:
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
    script.call(
        cast.operator,
        Told("offers the delivery: digests of agreement and payload", "交付登记"),
        "delivery.offer",
        cast.delivery,
        cast.product,
        cast.consumer.party,
        agreement_digest,
        sm3.digest(sealed),
    )
    return sealed


def _hand_over(script: Script, cast: Cast, sealed: bytes) -> None:
    cast.consumer.receive(f"{cast.delivery}.sealed", sealed)
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
    received = (consumer.home / "inbox" / f"{cast.delivery}.sealed").read_bytes()
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
