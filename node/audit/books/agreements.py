"""Agreements (合同): terms, signatures, and whether what was delivered is within them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ledger.values import Value
from node.audit.acts.act import Act
from node.audit.acts.forms import AGREEMENT, DELIVERY, GRANT, PRODUCT, Subject
from node.audit.acts.lineage import Lineage
from node.audit.acts.values import octets, text
from node.audit.books.kept import Faults, Kept, listed

Fields = Mapping[str, Value]


@dataclass(slots=True)
class Delivery:
    """A product that was offered; `agreement` "" for one under none."""

    id: str
    product: str
    operator: str
    consumer: str
    agreement: str
    offered_ms: int
    status: str = "offered"
    answered_ms: int | None = None


@dataclass(slots=True)
class Agreement(Kept):
    """`status` is that of its last act; `standing` tells what the time made of it."""

    kind: str = ""
    over: str = ""
    operator: str = ""
    consumer: str = ""
    title: str = ""
    digest: bytes = b""
    price_fen: int | None = None
    service: str = ""
    per: str = ""  # delivery or use: what the price is for
    until_ms: int = 0
    signed: dict[str, int] = field(default_factory=dict)  # party -> when
    in_force_ms: int | None = None
    ended_ms: int | None = None
    status: str = "offered"
    deliveries: list[Delivery] = field(default_factory=list)

    @property
    def sides(self) -> tuple[str, str]:
        return self.operator, self.consumer

    def standing(self, time_ms: int) -> str:
        """The status at a time: nobody has to end what ran out."""
        if time_ms >= self.until_ms and self.status in ("offered", "signed", "in_force"):
            return "ended" if self.status == "in_force" else "lapsed"
        return self.status

    def over_ms(self, time_ms: int) -> int | None:
        """When it stopped to be in force; None where it is, or never was."""
        if self.standing(time_ms) == "ended":
            return self.until_ms
        return self.ended_ms if self.status == "terminated" else None


class Agreements:
    """All agreements and deliveries so far."""

    def __init__(self, faults: Faults) -> None:
        self.found: dict[str, Agreement] = {}
        self.deliveries: dict[str, Delivery] = {}
        self._faults = faults

    # --- agreements -------------------------------------------------------------------------------

    def hear(self, name: str, fields: Fields, act: Act, lineage: Lineage) -> None:
        """An event of the contract `agreement`."""
        agreement_id = text(fields.get("agreement_id"))
        if name == "AgreementOffered":
            self._offer(agreement_id, fields, act, lineage)
            return
        found = self.found.get(agreement_id)
        if not self._faults.expect(
            found is not None,
            (AGREEMENT, agreement_id),
            "unknown agreement",
            f"{name} of an agreement that nobody put up",
        ):
            return
        assert found is not None
        found.last_ms = act.time_ms
        standing, party = found.standing(act.time_ms), text(fields.get("party_id"))
        wanted = ("in_force",) if name == "AgreementTerminated" else ("offered", "signed")
        self._faults.expect(
            standing in wanted, found.subject, "state", f"{name} while it was {standing}"
        )
        if name == "AgreementSigned":
            self._sign(found, party, fields, act.time_ms)
        elif name in ("AgreementDeclined", "AgreementTerminated"):
            found.status = "declined" if name == "AgreementDeclined" else "terminated"
            found.ended_ms = act.time_ms

    def _offer(self, agreement_id: str, fields: Fields, act: Act, lineage: Lineage) -> None:
        operator, consumer = text(fields.get("operator")), text(fields.get("consumer"))
        over = text(fields.get("kind")), text(fields.get("subject"))
        price, until = act.given.get("price_fen"), fields.get("until_ms")
        found = Agreement(
            (AGREEMENT, agreement_id),
            self._faults.stand_at(act),
            act.time_ms,
            parties={operator, consumer},
            about={over, *lineage.through(over)},
            kind=over[0],
            over=over[1],
            operator=operator,
            consumer=consumer,
            title=text(act.given.get("title")),
            digest=octets(fields.get("digest")),
            price_fen=price if type(price) is int else None,
            service=text(act.given.get("service")),
            per=text(act.given.get("per")),
            until_ms=until if type(until) is int else 0,
        )
        self.found[agreement_id] = found
        owed = sides_of(over, lineage)
        self._faults.expect(
            owed == found.sides,
            found.subject,
            "sides",
            f"it is between {listed(found.sides)}, and {over[1]} between {listed(owed)}",
        )

    def _sign(self, found: Agreement, party: str, fields: Fields, time_ms: int) -> None:
        self._faults.expect(
            party in found.sides and party not in found.signed,
            found.subject,
            "signature",
            f"{party} signed it, who is no side of it or had done so",
        )
        digest = octets(fields.get("digest"))
        self._faults.expect(
            digest == found.digest,
            found.subject,
            "signed text",
            f"{party} signed another text, {digest.hex()}",
        )
        found.signed[party] = time_ms
        is_whole = set(found.sides) <= set(found.signed)
        is_said = fields.get("in_force") is True
        self._faults.expect(
            is_said is is_whole,
            found.subject,
            "in force",
            f"it is said to be {'' if is_said else 'not '}in force, and has the signatures of "
            f"{listed(found.signed)}",
        )
        found.status = "in_force" if is_said else "signed"
        if is_said:
            found.in_force_ms = time_ms

    # --- deliveries under them --------------------------------------------------------------------

    def hand_over(self, act: Act, lineage: Lineage) -> None:
        """An act of the contract `delivery` that succeeded."""
        given = act.given
        delivery_id = text(given.get("delivery_id"))
        if act.method in ("offer", "offer_under"):
            made = Delivery(
                delivery_id,
                text(given.get("product_id")),
                act.by.party,
                text(given.get("consumer_party")),
                text(given.get("agreement_id")),
                act.time_ms,
            )
            self.deliveries[delivery_id] = made
            if made.agreement:
                self._offered_under(made, octets(given.get("agreement_digest")), act, lineage)
        elif act.method == "withdraw" and delivery_id in self.deliveries:
            self.deliveries[delivery_id].status = "withdrawn"
        elif act.method == "accept" and delivery_id in self.deliveries:
            made = self.deliveries[delivery_id]
            made.status = "accepted" if given.get("accepted") is True else "rejected"
            made.answered_ms = act.time_ms
            found = self.found.get(made.agreement)
            if found is not None:
                found.last_ms = act.time_ms
                self._within(found, made, act.time_ms, is_needed=made.status == "accepted")

    def _offered_under(self, made: Delivery, digest: bytes, act: Act, lineage: Lineage) -> None:
        found = self.found.get(made.agreement)
        if not self._faults.expect(
            found is not None,
            (AGREEMENT, made.agreement),
            "unknown agreement",
            f"{made.id} was offered under an agreement that nobody put up",
        ):
            return
        assert found is not None
        found.last_ms = act.time_ms
        found.deliveries.append(made)
        found.about.add((DELIVERY, made.id))
        made_from = {(PRODUCT, made.product), *lineage.through((PRODUCT, made.product))}
        found.about |= made_from
        differing = [
            what
            for what, is_same in (
                ("operator", made.operator == found.operator),
                ("consumer", made.consumer == found.consumer),
                ("subject", (found.kind, found.over) in made_from),
                ("text", digest == found.digest),
            )
            if not is_same
        ]
        self._faults.expect(
            not differing,
            found.subject,
            "delivery against terms",
            f"{made.id} is not what was agreed on: other {listed(differing)}",
        )
        self._within(found, made, act.time_ms, is_needed=True)

    def _within(self, found: Agreement, made: Delivery, time_ms: int, *, is_needed: bool) -> None:
        standing = found.standing(time_ms)
        self._faults.expect(
            not is_needed or standing == "in_force",
            found.subject,
            "delivery out of term",
            f"{made.id} was {made.status} under it while it was {standing}",
        )


def sides_of(over: Subject, lineage: Lineage) -> tuple[str, str]:
    """Operator and consumer of a product or a grant, as the acts that made it say."""
    kind, name = over
    if kind == PRODUCT and name in lineage.products:
        product = lineage.products[name]
        task = lineage.tasks.get(product.task)
        return product.operator, task.consumer if task else ""
    if kind == GRANT and name in lineage.grants:
        grant = lineage.grants[name]
        return grant.operator, grant.consumer
    return "", ""
