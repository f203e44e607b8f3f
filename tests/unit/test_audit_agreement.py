"""An auditor sees under which signed agreement a product was delivered, and to whom."""

from __future__ import annotations

from pathlib import Path

from ledger.values import Value
from node.audit.acts.access import Access, AccessKind, accesses
from node.audit.acts.act import Act, Reader
from node.audit.acts.custody import Builder, belongs, chain_of
from node.audit.acts.links import links_of
from tests.audit_world import AuditedChain
from tests.business import HOUR_MS, digest

AGREEMENT = digest("agreement")


def told(root: Path) -> AuditedChain:
    """A product that was delivered under an agreement that both sides had signed."""
    chain = AuditedChain(root)
    chain.catalogue("health", "social")
    chain.grant(1, ("health", "social"))
    chain.compute("t1", "g1", ("health", "social"))
    chain.do("opco", "product.register", "p1", "t1", "Table", "", digest("result"))
    chain.do("bureau", "product.approve", "p1", True, "fit")
    terms: list[Value] = ["product", "p1", "Claims", AGREEMENT, "", 10_000, ""]
    chain.do("opco", "agreement.offer", "a1", *terms, chain.now_ms + HOUR_MS)
    for side in ("opco", "insurer"):
        chain.do(side, "agreement.sign", "a1", AGREEMENT)
    offer: list[Value] = ["v1", "p1", "insurer", AGREEMENT, digest("payload"), "a1"]
    chain.do("opco", "delivery.offer_under", *offer)
    return chain


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
    story = chain_of("p1", reader.lineage)
    builder = Builder("p1", story)
    for act in acts:
        if belongs(act, story):
            builder.add(act, reader.register)
    links = [link for link in links_of(builder.custody) if link.name.startswith("agreement")]
    (link,) = links
    assert (link.name, link.holds) == ("agreement in force", True)
    assert link.says == "v1 was offered under a1, which both sides had signed"
    (transaction,) = link.transactions
    assert transaction == access.act.transaction
