"""An auditor sees whose data is about persons, and what was said of that before it passed."""

from __future__ import annotations

from pathlib import Path

from ledger.values import Value
from tests.audit_world import AuditedChain
from tests.business import dataset_of, digest
from tests.deident_world import ASSESSED
from tests.unit.test_audit_agreement import custody


def test_the_custody_of_a_product_has_every_word_about_its_de_identification(
    tmp_path: Path,
) -> None:
    chain = AuditedChain(tmp_path)
    chain.catalogue("health", "social")
    chain.grant(1, ("health", "social"))
    chain.compute("t1", "g1", ("health", "social"))
    words = "Table", "", digest("result"), "statistics"
    for product in ("p1", "p2"):
        chain.do("opco", "product.register", product, "t1", *words)
    assess = "deidentification.assess"
    named: list[Value] = [digest("result"), ["suppress"], 1, 1, 10**6, 1, digest("r"), ""]
    chain.do("health", "deidentification.classify", dataset_of("health"), True, "patients")
    chain.do("opco", "deidentification.ask", "p1")
    chain.do("opco", assess, "s1", "p1", *ASSESSED)
    chain.do("insurer", assess, "s2", "p1", *named)
    chain.do("opco", assess, "s3", "p2", *ASSESSED)
    code = "deidentification.level"
    chain.refused("bureau", "product.approve", "p1", True, "fit", code=code)
    chain.do("bureau", "deidentification.dismiss", "s2", "of another file")
    chain.do("bureau", "product.approve", "p1", True, "fit")
    found = custody(chain)
    told = [
        (edge.source[1], edge.relation, edge.target[1], edge.note)
        for edge in found.edges
        if edge.source[1] in ("p1", "p2") or "persons" in edge.relation
    ]
    assert told == [
        ("p1", "made from", "t1", ""),
        ("p1", "registered by", "opco", ""),
        (dataset_of("health"), "about persons by", "health", "patients"),
        ("p1", "assessment asked by", "opco", ""),
        ("p1", "de-identification assessed by", "opco", "s1: level 4, k 30, risk 33334 millionths"),
        (
            "p1",
            "de-identification assessed by",
            "insurer",
            "s2: level 1, k 1, risk 1000000 millionths",
        ),
        ("p1", "assessment set aside by", "bureau", "s2: of another file"),
        ("p1", "approved by", "bureau", "fit"),
    ]
