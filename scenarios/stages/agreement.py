"""数据服务合同: both sides sign one text on the chain, or nothing is delivered (6.6.2, 6.6.4a)."""

from __future__ import annotations

from crypto import sm3
from ledger.values import Value
from scenarios.answers import field, record_of
from scenarios.cast import DAY_MS, Cast, now_ms
from scenarios.consortium import Member
from scenarios.record import ScenarioFailed
from scenarios.script import Script, Told

TERM_DAYS = 365


def put_up(
    script: Script,
    cast: Cast,
    agreement_id: str,
    text: bytes,
    *,
    over: tuple[str, str],  # product or grant, and its id
    title: str,
    price_fen: int = 0,
    service: str = "",
) -> None:
    """The operator offers a contract on the chain, and hands its text to the consumer."""
    terms: list[Value] = [*over, title, sm3.digest(text), "documents of both sides"]
    charge = f"service {service} of the tariff" if service else f"{yuan(price_fen)} a delivery"
    per = "use" if service else "delivery"
    script.call(
        cast.operator,
        Told(
            "puts up an agreement and hands over its text",
            "数据服务合同",
            (("agreement", agreement_id), ("over", " ".join(over)), ("charge", charge)),
        ),
        "agreement.offer",
        agreement_id,
        *terms,
        price_fen,
        service,
        per,
        now_ms() + TERM_DAYS * DAY_MS,
    )
    cast.consumer.receive(paper_of(agreement_id), text)


def sign(script: Script, side: Member, agreement_id: str, text: bytes) -> None:
    """A side signs the text that it has, which must be the one on the chain."""
    shown = record_of(side.session.view("agreement", "show", agreement_id))
    if field(shown, "digest", bytes) != sm3.digest(text):
        raise ScenarioFailed(f"{side.party} was handed another text than {agreement_id} names")
    side.keep(paper_of(agreement_id), text)
    script.call(
        side,
        Told("signs it, naming the digest of the text it read", "合同签署"),
        "agreement.sign",
        agreement_id,
        sm3.digest(text),
    )


def yuan(fen: int) -> str:
    """An amount for people."""
    return f"{fen // 100:,}.{fen % 100:02d} 元"


def paper_of(agreement_id: str) -> str:
    """The name of the file with its text."""
    return f"{agreement_id}.json"
