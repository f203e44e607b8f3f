"""Clause 6.4b by GB/T 37964: what of persons is left in products is measured and watched."""

from __future__ import annotations

from pathlib import Path

from crypto import sm3
from executors.deident.measure import measure
from executors.deident.report import report_of
from ledger.values import Value
from tests.business import OFFER, Business, dataset_of, digest
from tests.deident_files import plan_of


def test_clause_6_4b_products_about_persons_pass_by_their_de_identification_alone(
    tmp_path: Path,
) -> None:
    """按照 GB/T 37964 的安全要求，加强数据质量、数据安全问题发现及应急处置."""
    rows = "town,age,bill\n" + "A,[30,40),9\n" * 25 + "B,[40,50),7\n" * 20
    result, plan = tmp_path / "result.csv", plan_of(quasi="town age", sensitive="bill", k=20)
    result.write_text(rows.replace("[30,40)", '"[30,40)"').replace("[40,50)", '"[40,50)"'))
    found = measure(result, plan)
    assert (found.level, found.k, found.risk_max_ppm) == (3, 20, 50_000)
    report = report_of(found, plan, bytes(32))

    business = Business()
    task_id = business.finished()
    made: list[Value] = ["p1", task_id, "Bills", "", sm3.digest(result.read_bytes()), "statistics"]
    business.do("opco", "product", "register", *made)
    business.do("health", "deidentification", "classify", dataset_of("health"), True, "patients")
    missing = business.refused("bureau", "product", "approve", "p1", True, "")
    assert missing == "deidentification.missing"
    said: list[Value] = [found.digest, ["generalize"], found.level, found.k]
    said += [found.risk_mean_ppm, plan.threshold_ppm, sm3.digest(report), ""]
    business.do("opco", "deidentification", "assess", "s1", "p1", *said)
    business.do("bureau", "product", "approve", "p1", True, "level 3")

    # 问题发现及应急处置: a supplier meets one of its patients in it; the manager is told, and acts.
    named: list[Value] = [found.digest, ["suppress"], 1, 1, 10**6, 50_000, digest("seen"), ""]
    business.do("health", "deidentification", "assess", "s2", "p1", *named)
    ((_name, raised),) = business.do("health", "alert", "check", "identity_risk", "p1")
    assert (raised["party_id"], raised["severity"]) == ("opco", "critical")
    opened: list[Value] = ["i1", "Patients named", "development", "critical", "opco", ["alert-1"]]
    business.do("bureau", "incident", "open", *opened)
    business.do("bureau", "incident", "suspend_grant", "i1", "g1", "patients named in p1")
    late = business.refused("opco", "delivery", "offer", "v1", "p1", *OFFER)
    assert late == "grant.on_hold"
