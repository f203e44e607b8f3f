"""Which links of a chain of custody hold, and which are missing.

Some of them contracts enforce; they are looked for all the same. Others, above all that digests on
record agree with each other, nobody enforces: parties put them on record, or do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from node.audit.acts.forms import (
    AGREEMENT,
    DATASET,
    DELIVERY,
    DEMAND,
    EVIDENCE,
    GRANT,
    PRODUCT,
    STATEMENT,
    Subject,
)
from node.audit.acts.graph import Custody, Edge


@dataclass(frozen=True, slots=True)
class Link:
    """`says` is a sentence; `transactions` prove what is there."""

    name: str
    holds: bool
    says: str
    transactions: tuple[str, ...] = ()


def links_of(custody: Custody) -> tuple[Link, ...]:
    """Every expected link, in the order from the product back to the data."""
    return tuple(link for find in _FINDERS for link in find(custody))


def _assessed(custody: Custody) -> Iterator[Link]:
    yield _found(
        "product assessed",
        _from(custody, "approved by", (PRODUCT, custody.product)),
        "the manager approved the product",
        "no manager has approved the product",
    )


def _delivered(custody: Custody) -> Iterator[Link]:
    deliveries = custody.kinds(DELIVERY)
    # Nothing came of what its operator took back: it leaves no link to look for.
    standing = [one for one in deliveries if not _from(custody, "withdrawn by", one)]
    if not standing:
        offers = "each offer was withdrawn" if deliveries else "it was never offered"
        yield Link("delivery", False, f"the product did not reach its consumer: {offers}")
    for delivery in standing:
        name = delivery[1]
        rejected = _from(custody, "rejected by", delivery)
        otherwise = "rejected" if rejected else "not answered yet"
        digests = [custody.fact(delivery, f"{what}_digest") for what in ("payload", "received")]
        yield _found(
            "delivery accepted",
            _from(custody, "accepted by", delivery) if digests[0] == digests[1] else [],
            f"the consumer accepted {name}, naming the digest that was offered",
            f"{name} is {otherwise}",
        )
        yield from _agreement(custody, delivery)


def _agreement(custody: Custody, delivery: Subject) -> Iterator[Link]:
    """Both sides signed it on chain, or put its digest on record, each by itself."""
    signed = custody.fact(delivery, "agreement")
    if signed:
        yield _found(
            "agreement in force",
            _from(custody, "offered by", delivery),
            f"{delivery[1]} was offered under {signed}, which both sides had signed",
            f"nobody offered {delivery[1]}",
        )
        return
    digest = custody.fact(delivery, "agreement_digest")
    for relation in ("offered by", "offered to"):
        for edge in _from(custody, relation, delivery):
            party = edge.target
            found = [
                record
                for record in _records(custody, "delivery.agreement")
                if record.target == party and custody.fact(record.source, "digest") == digest
            ]
            yield _found(
                "agreement on record",
                found,
                f"{party[1]} recorded the agreement that {delivery[1]} names",
                f"{party[1]} has not recorded the agreement that {delivery[1]} names",
            )


def _contracted(custody: Custody) -> Iterator[Link]:
    """Nothing is asked or delivered under what one side alone has signed."""
    for agreement in custody.kinds(AGREEMENT):
        signed = _from(custody, "signed by", agreement)
        by_both = signed if len({edge.target for edge in signed}) > 1 else []
        yield _found(
            "both sides signed",
            by_both,
            f"both sides signed the text of {agreement[1]}",
            f"{agreement[1]} lacks the signature of a side",
        )


def _charged(custody: Custody) -> Iterator[Link]:
    """What was delivered for a price is metered, and what was metered stands on a statement."""
    for delivery in custody.kinds(DELIVERY):
        agreement = AGREEMENT, custody.fact(delivery, "agreement")
        has_price = custody.fact(agreement, "price_fen") not in ("", "0")
        has_price = has_price or custody.fact(agreement, "service") != ""
        is_owed = has_price and custody.fact(agreement, "per") == "delivery"
        if is_owed and _from(custody, "accepted by", delivery):
            yield _found(
                "delivery metered",
                _from(custody, "charged to", delivery),
                f"{delivery[1]} was metered by its agreement",
                f"{delivery[1]} has a price, and nobody had it metered",
            )
    for subject, payee in dict.fromkeys((e.source, e.target) for e in custody.related("owed to")):
        stated = {edge.source for edge in custody.related("stated by", payee)}
        yield _found(
            "charge stated",
            [edge for edge in custody.related("bills", subject) if edge.source in stated],
            f"{payee[1]} stated what it is owed for {subject[1]}",
            f"{payee[1]} has not stated what it is owed for {subject[1]}",
        )


def _billed(custody: Custody) -> Iterator[Link]:
    """A statement is accepted, or settled by a manager, and paid."""
    for statement in custody.kinds(STATEMENT):
        agreed = (
            edge
            for relation in ("accepted by", "settled by")
            for edge in _from(custody, relation, statement)
        )
        yield _found(
            "statement agreed",
            list(agreed),
            f"what {statement[1]} makes due was accepted or settled",
            f"{statement[1]} is neither accepted nor settled",
        )
        confirmed = _from(custody, "payment confirmed by", statement)
        who = "the payee confirmed" if confirmed else "a manager decided on"
        is_remitted = _from(custody, "remitted by", statement)
        yield _found(
            "statement paid",
            confirmed or _from(custody, "found paid by", statement),
            f"{who} the payment of {statement[1]}",
            f"nobody confirmed {'the' if is_remitted else 'a'} payment of {statement[1]}",
        )


def _opened(custody: Custody) -> Iterator[Link]:
    """That the sealed payload holds the product, only its receiver can say."""
    digest = custody.fact((PRODUCT, custody.product), "result_digest")
    consumers = {edge.target for edge in custody.related("offered to")}
    found = [
        record
        for record in _records(custody, "delivery.received")
        if record.target in consumers and custody.fact(record.source, "digest") == digest
    ]
    yield _found(
        "product as opened",
        found,
        "the consumer recorded that what it opened is the registered product",
        "the consumer has not recorded that what it opened is the registered product",
    )


def _computed(custody: Custody) -> Iterator[Link]:
    tasks = [edge.target for edge in _from(custody, "made from", (PRODUCT, custody.product))]
    if not tasks:
        yield Link("computation", False, "the act that registered the product is not there")
    for task in tasks:
        yield Link(
            "task finished",
            custody.fact(task, "status") == "finished",
            f"{task[1]} is {custody.fact(task, 'status') or 'not ended'}",
        )
        brought = [
            edge.note.removeprefix("brought by ") for edge in _from(custody, "computes on", task)
        ]
        for relation, done in (("accepted by", "accepted"), ("reported by", "reported")):
            by = {edge.target[1]: edge for edge in _from(custody, relation, task)}
            for party in brought:
                yield _found(
                    f"participant {done}",
                    [by[party]] if party in by else [],
                    f"{party} {done} {task[1]}",
                    f"{party} has not {done} {task[1]}",
                )
        yield from _program(custody, task)


def _program(custody: Custody, task: Subject) -> Iterator[Link]:
    digest = custody.fact(task, "program_hash")
    found = [
        record
        for record in _records(custody, "development.algorithm")
        if custody.fact(record.source, "digest") == digest
    ]
    yield _found(
        "program on record",
        found,
        f"a party recorded the program of {task[1]} with the hash that was ordered",
        f"nobody recorded the program of {task[1]} with the hash that was ordered",
    )


def _data(custody: Custody) -> Iterator[Link]:
    for dataset in _used(custody):
        name = dataset[1]
        yield _found(
            "data set registered",
            _from(custody, "registered by", dataset),
            f"{name} is in the catalogue, with a commitment to its rows",
            f"nobody registered {name}",
        )
        yield _found(
            "rows as committed",
            list(custody.related("used rows of", dataset)),
            f"the rows of {name} that were computed on are those of a catalogued version",
            f"no participant accepted with a catalogued version of {name}",
        )
        collected = [
            edge
            for edge in custody.related("is about", dataset)
            if custody.fact(edge.source, "kind") in ("aggregation.collected", "aggregation.quality")
        ]
        yield _found(
            "collection on record",
            collected,
            f"its supplier recorded where {name} comes from",
            f"nobody recorded where {name} comes from",
        )


def _authorized(custody: Custody) -> Iterator[Link]:
    for grant in custody.kinds(GRANT):
        yield _found(
            "grant decided",
            _from(custody, "granted by", grant),
            f"a manager granted {grant[1]}",
            f"no manager granted {grant[1]}",
        )
        yield _found(
            "grant countersigned",
            _from(custody, "countersigned by", grant),
            f"the operator signed the terms of {grant[1]}, too",
            f"no operator signed the terms of {grant[1]}",
        )
        yield _found(
            "decision on record",
            [
                edge
                for edge in custody.related("is about", grant)
                if custody.fact(edge.source, "kind").startswith("authorization.")
            ],
            f"the decision or agreement behind {grant[1]} is on record",
            f"no decision or agreement behind {grant[1]} is on record",
        )
    for demand in custody.kinds(DEMAND):
        for relations, done in _DEMANDED:
            yield _found(
                f"demand {done}",
                [edge for relation in relations for edge in _from(custody, relation, demand)],
                f"{demand[1]} was {done}",
                f"{demand[1]} was never {done}",
            )


# Data that was collected for a demand is matched; what was there is approved at once.
_DEMANDED: Final = (
    (("filed by",), "filed"),
    (("forwarded by",), "forwarded"),
    (("approved by", "matched by"), "approved"),
)

_FINDERS: Final[tuple[Callable[[Custody], Iterator[Link]], ...]] = (
    _delivered,
    _contracted,
    _charged,
    _billed,
    _opened,
    _assessed,
    _computed,
    _authorized,
    _data,
)


def _used(custody: Custody) -> list[Subject]:
    """The data sets that were computed on, in order of id."""
    return sorted(
        {edge.target for edge in custody.related("computes on") if edge.target[0] == DATASET}
    )


def _records(custody: Custody, kind: str) -> list[Edge]:
    """Who recorded evidence of that kind: edges from the record to its party."""
    return [
        edge
        for edge in custody.related("recorded by")
        if edge.source[0] == EVIDENCE and custody.fact(edge.source, "kind") == kind
    ]


def _from(custody: Custody, relation: str, source: Subject) -> list[Edge]:
    return [edge for edge in custody.related(relation) if edge.source == source]


def _found(name: str, edges: list[Edge], holds: str, lacks: str) -> Link:
    transactions = tuple(edge.proof.transaction for edge in edges)
    return Link(name, bool(edges), holds if edges else lacks, transactions)
