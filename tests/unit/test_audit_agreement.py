"""An auditor sees under which signed agreement a product was delivered, and what it cost whom."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ledger.values import Value
from node.audit.acts.access import Access, AccessKind, accesses
from node.audit.acts.act import Act, Reader
from node.audit.acts.custody import Builder, belongs, chain_of
from node.audit.acts.graph import Custody
from node.audit.acts.links import links_of
from tests.audit_world import AuditedChain
from tests.business import HOUR_MS, digest

AGREEMENT = digest("agreement")
OTHER = digest("service")
V1 = ("delivery", "v1")
SERVICE: list[Value] = ["grant", "g1", "Questions", OTHER, "", 7, "", "use"]


def told(root: Path) -> AuditedChain:
    """A product that was delivered under an agreement that both sides had signed."""
    chain = AuditedChain(root)
    chain.catalogue("health", "social")
    chain.grant(1, ("health", "social"))
    chain.compute("t1", "g1", ("health", "social"))
    words = "Table", "", digest("result"), "statistics"
    chain.do("opco", "product.register", "p1", "t1", *words)
    chain.do("bureau", "product.approve", "p1", True, "fit")
    terms: list[Value] = ["product", "p1", "Claims", AGREEMENT, "", 10_000, "", "delivery"]
    chain.do("opco", "agreement.offer", "a1", *terms, chain.now_ms + HOUR_MS)
    for side in ("opco", "insurer"):
        chain.do(side, "agreement.sign", "a1", AGREEMENT)
    looked: list[Value] = ["v1", "p1", "file", "low", digest("diligence"), "looked at"]
    chain.do("opco", "delivery.prepare", *looked)
    offer: list[Value] = ["v1", "p1", "insurer", AGREEMENT, digest("payload"), "a1"]
    chain.do("opco", "delivery.offer_under", *offer)
    return chain


def custody_of(acts: Iterable[Act], reader: Reader) -> Custody:
    """Of p1, from all acts of the reader."""
    story = chain_of("p1", reader.lineage)
    builder = Builder("p1", story, reader.lineage.accounts)
    for act in acts:
        if belongs(act, story):
            builder.add(act, reader.register)
    return builder.custody


def custody(chain: AuditedChain) -> Custody:
    reader = Reader(chain.store, chain.store.height)
    return custody_of(list(reader.acts()), reader)


def missing(chain: AuditedChain) -> set[str]:
    """What is said of money and signatures that are not there."""
    names = {"delivery metered", "charge stated", "statement agreed", "statement paid"}
    found = links_of(custody(chain))
    return {
        one.says for one in found if one.name in {*names, "both sides signed"} and not one.holds
    }


def test_each_step_from_a_delivery_to_its_payment_is_missed_until_it_is_there(
    tmp_path: Path,
) -> None:
    chain = told(tmp_path)
    chain.do("opco", "agreement.offer", "a2", *SERVICE, chain.now_ms + HOUR_MS)
    assert missing(chain) == {"a2 lacks the signature of a side"}
    for side in ("opco", "insurer"):
        chain.do(side, "agreement.sign", "a2", OTHER)
    assert missing(chain) == set()
    chain.do("insurer", "delivery.accept", "v1", digest("payload"), True, "")
    assert missing(chain) == {"v1 has a price, and nobody had it metered"}
    chain.do("insurer", "billing.meter_delivery", "v1")
    chain.do("opco", "billing.report_use", "a2", 3, digest("log"))
    assert missing(chain) == {
        "opco has not stated what it is owed for v1",
        "opco has not stated what it is owed for a2",
    }
    chain.do("opco", "billing.issue", "s1", "insurer", chain.now_ms + 1)
    assert missing(chain) == {
        "s1 is neither accepted nor settled",
        "nobody confirmed a payment of s1",
    }
    chain.do("insurer", "billing.contest", "s1", "one question had no answer")
    chain.do("bureau", "billing.settle", "s1", 10_014, "that is so")
    assert missing(chain) == {"nobody confirmed a payment of s1"}
    chain.do("opco", "payment.confirm", "s1", digest("receipt"))
    assert missing(chain) == set()
    found = custody(chain)
    assert found.fact(("statement", "s1"), "total_fen") == "10021"
    assert found.fact(("statement", "s1"), "due_fen") == "10014"
    bills = {(edge.source[1], edge.target) for edge in found.related("bills")}
    assert bills == {("s1", ("delivery", "v1")), ("s1", ("agreement", "a2"))}


def test_what_comes_before_a_delivery_and_after_it_is_part_of_the_custody(tmp_path: Path) -> None:
    chain = told(tmp_path)
    chain.do("insurer", "delivery.accept", "v1", digest("payload"), True, "")
    now = chain.now_ms
    chain.do("insurer", "billing.meter_delivery", "v1")
    used: list[Value] = ["v1", now, now + 1, 3, "elsewhere", digest("log"), ""]
    chain.do("insurer", "delivery.report_use", *used)
    found = custody(chain)
    (before,) = found.related("prepared by")
    (after,) = found.related("use reported by")
    assert (before.source, before.target, before.note) == (V1, ("party", "opco"), "looked at")
    assert (after.source, after.target, after.note) == (
        *(V1, ("party", "insurer")),
        "3 times: elsewhere",
    )
    assert (found.fact(V1, "channel"), found.fact(V1, "risk")) == ("file", "low")


def test_a_statement_takes_what_was_metered_since_the_one_before(tmp_path: Path) -> None:
    chain = told(tmp_path)
    chain.do("insurer", "delivery.accept", "v1", digest("payload"), True, "")
    chain.do("insurer", "billing.meter_delivery", "v1")
    chain.do("opco", "billing.issue", "s1", "insurer", chain.now_ms + 1)
    chain.do("opco", "agreement.offer", "a2", *SERVICE, chain.now_ms + HOUR_MS)
    for side in ("opco", "insurer"):
        chain.do(side, "agreement.sign", "a2", OTHER)
    chain.do("opco", "billing.report_use", "a2", 1, digest("log"))
    chain.do("opco", "billing.issue", "s2", "insurer", chain.now_ms + 1)
    reader = Reader(chain.store, chain.store.height)
    for _act in reader.acts():
        pass
    assert reader.lineage.accounts.statements == {
        "s1": (("delivery", "v1"),),
        "s2": (("agreement", "a2"),),
    }


def test_a_delivery_under_an_agreement_has_its_link_and_its_access(tmp_path: Path) -> None:
    chain = told(tmp_path)
    reader = Reader(chain.store, chain.store.height)
    acts: list[Act] = []
    offered: list[Access] = []
    for act, found in accesses(reader):
        acts.append(act)
        offered += [access for access in found if access.kind is AccessKind.OFFERED]
    (access,) = offered
    assert (access.receiver, access.giver, access.what) == ("insurer", "opco", "product:p1")
    assert AGREEMENT.hex() in access.terms
    links = links_of(custody_of(acts, reader))
    (link,) = (link for link in links if link.name == "agreement in force")
    assert (link.name, link.holds) == ("agreement in force", True)
    assert link.says == "v1 was offered under a1, which both sides had signed"
    (transaction,) = link.transactions
    assert transaction == access.act.transaction


def test_what_its_operator_took_back_is_no_missing_link_but_an_access_that_ended(
    tmp_path: Path,
) -> None:
    chain = told(tmp_path)
    chain.do("opco", "delivery.withdraw", "v1", "the wrong bytes")
    reader = Reader(chain.store, chain.store.height)
    acts: list[Act] = []
    kinds: list[tuple[AccessKind, str]] = []
    for act, found in accesses(reader):
        acts.append(act)
        kinds += [(access.kind, access.terms) for access in found if access.giver == "opco"]
    assert kinds[-1] == (AccessKind.WITHDRAWN, "the wrong bytes")
    (link,) = (one for one in links_of(custody_of(acts, reader)) if one.name == "delivery")
    assert link.says == "the product did not reach its consumer: each offer was withdrawn"
    offer: list[Value] = ["v2", "p1", "insurer", AGREEMENT, digest("payload"), "a1"]
    chain.do("opco", "delivery.offer_under", *offer)
    chain.do("insurer", "delivery.accept", "v2", digest("payload"), True, "")
    links = [one for one in links_of(custody(chain)) if one.name.startswith("delivery")]
    assert {one.name: one.holds for one in links if one.name == "delivery accepted"} == {
        "delivery accepted": True
    }
    assert "v1" not in " ".join(one.says for one in links)


def test_a_payment_that_a_manager_found_made_is_no_missing_link(tmp_path: Path) -> None:
    chain = told(tmp_path)
    chain.do("insurer", "delivery.accept", "v1", digest("payload"), True, "")
    chain.do("insurer", "billing.meter_delivery", "v1")
    chain.do("opco", "billing.issue", "s1", "insurer", chain.now_ms + 1)
    chain.do("insurer", "billing.accept", "s1", 10_000)
    chain.do("insurer", "payment.remit", "s1", digest("slip"))
    assert missing(chain) == {"nobody confirmed the payment of s1"}
    chain.do("opco", "payment.deny", "s1", "it never came")
    chain.do("bureau", "payment.conclude", "s1", False, "another account was paid")
    assert missing(chain) == {"nobody confirmed the payment of s1"}
    chain.do("insurer", "payment.remit", "s1", digest("second slip"))
    chain.do("opco", "payment.deny", "s1", "neither did this")
    chain.do("bureau", "payment.conclude", "s1", True, "the bank says so")
    assert missing(chain) == set()
    (link,) = (one for one in links_of(custody(chain)) if one.name == "statement paid")
    assert link.says == "a manager decided on the payment of s1"
