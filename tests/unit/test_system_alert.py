"""Alerts: true by recomputation, one per finding, answered by who supervises."""

from __future__ import annotations

import pytest

from ledger.values import Value
from tests.business import (
    HOUR_MS,
    OFFER,
    SUPPLIERS,
    Business,
    changed,
    dataset_of,
    dataset_rows,
    dataset_text,
    digest,
)

DAY_MS = 24 * HOUR_MS
REPORT: list[Value] = ["disk", "opco", "development", "warning", "the disk is full", b""]


def says(business: Business, check: str, subject: str) -> Value:
    """What the check sees, asked by whom it does not concern."""
    answer = business.ask("devhouse", "alert", "findings", check, [subject])
    assert isinstance(answer, list) and isinstance(answer[0], dict)
    return answer[0]["says"]


def raised(business: Business, check: str, subject: str, who: str = "archive") -> dict[str, Value]:
    """The alert that a check raises for a party that it does not concern."""
    ((name, fields),) = business.do(who, "alert", "check", check, subject)
    assert name == "AlertRaised"
    return business.ask_record("bureau", "alert", "show", str(fields["alert_id"]))


def limited(business: Business, stage: str, *limits: Value) -> None:
    """A monitoring plan with these limits is in force."""
    plan = f"plan-{stage}"
    text: list[Value] = [plan, "monitoring", stage, "Plan", digest("plan"), "", [*limits]]
    business.do("opco", "rules", "draft", *text)
    business.do("bureau", "rules", "enact", plan, 1, digest("plan"), business.chain.height + 2)
    business.chain.advance(height=2)


def test_a_grant_that_is_nearly_used_up_is_found_and_nothing_before() -> None:
    business = Business()
    business.created(uses_max=2)
    assert business.refused("opco", "alert", "check", "quota_used", "g1") == "alert.fine"
    business.do("opco", "task", "create", *business.order("t2"))
    alert = raised(business, "quota_used", "g1")
    assert (alert["measured"], alert["limit"], alert["party"]) == (100, 80, "opco")
    assert (alert["stage"], alert["severity"]) == ("authorization", "warning")


def test_the_plan_in_force_says_what_is_too_much_and_how_grave_it_is() -> None:
    business = Business()
    business.created(uses_max=2)
    limited(business, "authorization", ["quota_used", 50, "critical"])
    alert = raised(business, "quota_used", "g1")
    assert (alert["measured"], alert["limit"], alert["severity"]) == (50, 50, "critical")


def test_a_grant_near_its_end_is_found_until_it_has_ended() -> None:
    business = Business()
    business.granted(hours=24 * 30)
    assert says(business, "expiry_near", "g1") == "fine"
    business.pass_time(23 * DAY_MS + HOUR_MS)
    assert raised(business, "expiry_near", "g1")["measured"] == 24 * 7 - 2
    business.pass_time(8 * DAY_MS)
    assert says(business, "expiry_near", "g1") == "fine", "it is over"


def test_an_unusual_rate_is_more_uses_in_a_day_than_the_limit() -> None:
    business = Business()
    business.created(uses_max=9, hours=1)
    limited(business, "development", ["unusual_rate", 2, "critical"])
    business.do("opco", "task", "create", *business.order("t2"))
    assert says(business, "unusual_rate", "g1") == "fine", "two are allowed"
    business.do("opco", "task", "create", *business.order("t3"))
    alert = raised(business, "unusual_rate", "g1")
    assert (alert["measured"], alert["severity"]) == (3, "critical")
    business.pass_time(DAY_MS)
    assert says(business, "unusual_rate", "g1") == "fine", "that was yesterday"


@pytest.mark.parametrize("end", ["disputed", "failed", "expired", "cancelled", "finished"])
def test_a_task_that_broke_is_found_and_one_that_was_called_off_is_not(end: str) -> None:
    business = Business()
    business.running()
    if end == "failed":
        business.do("health", "task", "fail", "t1", "out of memory")
    elif end == "expired":
        business.pass_time(2 * HOUR_MS)
        business.do("bank", "task", "expire", "t1")
    elif end == "cancelled":
        business.do("opco", "task", "cancel", "t1")
    else:
        for number, supplier in enumerate(SUPPLIERS):
            same = number > 0 or end == "finished"
            business.report(supplier, program="compiled" if same else "another")
    is_broken = end in ("disputed", "failed", "expired")
    assert says(business, "task_broken", "t1") == ("due" if is_broken else "fine")


def test_rows_that_nobody_renewed_are_found_until_they_are_updated() -> None:
    business = Business()
    business.catalogued()
    subject = dataset_of("health")
    business.pass_time(90 * DAY_MS)  # as often as the entry promises
    assert says(business, "late_update", subject) == "fine", "a day is given"
    business.pass_time(DAY_MS)
    alert = raised(business, "late_update", subject)
    assert (alert["party"], alert["stage"], alert["measured"]) == ("health", "aggregation", 1)
    business.do("health", "catalog", "update", subject, *dataset_rows("health", rows="newer"))
    assert says(business, "late_update", subject) == "fine"
    business.pass_time(91 * DAY_MS)
    business.do("health", "catalog", "describe", subject, *changed(dataset_text("health"), 6, 0))
    assert says(business, "late_update", subject) == "fine", "no newer rows are promised"
    business.do("health", "catalog", "describe", subject, *dataset_text("health"))
    assert says(business, "late_update", subject) == "due"
    business.do("health", "catalog", "retire", subject, "outdated")
    assert says(business, "late_update", subject) == "fine", "nobody waits for retired rows"


def test_a_supplier_that_collects_nothing_by_the_day_is_found_and_no_other() -> None:
    business = Business()
    assert business.refused("bank", "alert", "check", "collection_late", "d1") == "risk.subject"
    assert business.refused("bank", "alert", "check", "collection_late", "d1/a/b") == "risk.subject"
    late = business.refused("bank", "alert", "check", "collection_late", "d1/health")
    assert late == "demand.unknown"
    business.collecting()  # within two days
    business.enter("social", "births", "d1")
    business.pass_time(3 * DAY_MS - HOUR_MS)
    assert says(business, "collection_late", "d1/health") == "fine", "a day is given"
    business.pass_time(HOUR_MS)
    alert = raised(business, "collection_late", "d1/health")
    assert (alert["party"], alert["stage"], alert["severity"], alert["measured"]) == (
        "health",
        "aggregation",
        "notice",
        1,
    )
    assert says(business, "collection_late", "d1/civil") == "due", "each owes its own share"
    for supplier in ("social", "insurer", "nobody"):
        assert says(business, "collection_late", f"d1/{supplier}") == "fine"
    business.drafted("health", "x", "d1")
    business.do("health", "catalog", "collect", "x", *dataset_rows("health"))
    assert says(business, "collection_late", "d1/health") == "open", "it is not registered yet"
    business.do("health", "catalog", "register", "x")
    assert says(business, "collection_late", "d1/health") == "fine"


@pytest.mark.parametrize("end", ["anew", "matched", "abandoned"])
def test_a_collection_that_waits_for_nobody_is_not_late(end: str) -> None:
    business = Business()
    business.collecting()
    business.enter("social", "births", "d1")
    business.pass_time(4 * DAY_MS)
    assert says(business, "collection_late", "d1/health") == "due"
    if end == "anew":
        due_ms = business.now_ms + DAY_MS
        anew: list[Value] = ["d1", "they asked for time", [*SUPPLIERS], "claims", due_ms]
        business.do("bureau", "demand", "collect", *anew)
    elif end == "matched":
        business.do("bureau", "demand", "match", "d1", "", ["births"])
    else:
        business.do("bureau", "demand", "abandon", "d1", "nobody has it")
    assert says(business, "collection_late", "d1/health") == "fine"


def test_the_plan_says_how_late_a_collection_may_be() -> None:
    business = Business()
    business.collecting()
    limited(business, "aggregation", ["collection_late", 7, "critical"])
    business.pass_time(8 * DAY_MS)
    assert says(business, "collection_late", "d1/health") == "fine"
    business.pass_time(DAY_MS)
    alert = raised(business, "collection_late", "d1/health")
    assert (alert["measured"], alert["limit"], alert["severity"]) == (7, 7, "critical")


def test_rows_that_are_worse_than_before_are_found_whoever_measures_them() -> None:
    business = Business()
    business.catalogued()
    subject = dataset_of("health")
    assert says(business, "quality_fallen", subject) == "fine"
    business.do("opco", "quality", "measure", subject, [["accuracy", 920_001]], b"")
    assert says(business, "quality_fallen", subject) == "fine", "less than five in a hundred"
    business.do("bureau", "quality", "measure", subject, [["accuracy", 870_001]], digest("report"))
    alert = raised(business, "quality_fallen", subject)
    assert (alert["party"], alert["measured"], alert["limit"]) == ("health", 99_999, 50_000)
    business.do("health", "quality", "measure", subject, [["accuracy", 870_001]], b"")
    assert says(business, "quality_fallen", subject) == "open", "the supplier finds the same"
    rows = changed(dataset_rows("health", rows="newer"), 2, [["accuracy", 870_001]])
    business.do("health", "catalog", "update", subject, *rows)
    assert says(business, "quality_fallen", subject) == "open", "newer rows are no better"
    rows = changed(dataset_rows("health", rows="newest"), 2, [["accuracy", 930_000]])
    business.do("health", "catalog", "update", subject, *rows)
    assert says(business, "quality_fallen", subject) == "fine"


def test_rows_that_became_far_fewer_are_found() -> None:
    business = Business()
    business.catalogued()
    subject = dataset_of("health")
    rows = dataset_rows("health", rows="newer")
    business.do("health", "catalog", "update", subject, *changed(rows, 0, 5385))
    assert says(business, "quantity_fallen", subject) == "fine"
    business.do("health", "catalog", "update", subject, *changed(rows, 0, 4308))
    alert = raised(business, "quantity_fallen", subject)
    assert (alert["party"], alert["measured"], alert["severity"]) == ("health", 35, "warning")
    business.do("health", "catalog", "update", subject, *changed(rows, 0, 4308))
    assert says(business, "quantity_fallen", subject) == "open", "no fewer, and still far fewer"
    business.do("health", "catalog", "update", subject, *rows)
    assert says(business, "quantity_fallen", subject) == "fine", "all are back"


@pytest.mark.parametrize("subject", ["p1", "v1"])
def test_an_offer_without_due_diligence_before_it_is_found(subject: str) -> None:
    business = Business()
    business.assessed()
    others: list[Value] = ["e0", "delivery.diligence", subject, digest("others"), ""]
    business.do("insurer", "evidence", "record", *others)
    business.do("opco", "delivery", "offer", "v1", "p1", *OFFER)
    assert says(business, "no_diligence", "v1") == "due", "the operator owes it, nobody else"
    late: list[Value] = ["e1", "delivery.diligence", subject, digest("late"), ""]
    business.do("opco", "evidence", "record", *late)
    assert says(business, "no_diligence", "v1") == "due", "who offers has looked before"


@pytest.mark.parametrize(("subject", "is_second_fine"), [("p1", True), ("v1", False)])
def test_diligence_on_record_before_the_offer_is_enough(subject: str, is_second_fine: bool) -> None:
    business = Business()
    business.assessed()
    own: list[Value] = ["e1", "delivery.diligence", subject, digest("own"), ""]
    business.do("opco", "evidence", "record", *own)
    for delivery in ("v1", "v2"):
        business.do("opco", "delivery", "offer", delivery, "p1", *OFFER)
    assert says(business, "no_diligence", "v1") == "fine"
    assert says(business, "no_diligence", "v2") == ("fine" if is_second_fine else "due")


def test_evidence_of_another_kind_is_no_diligence() -> None:
    business = Business()
    business.assessed()
    business.do("opco", "evidence", "record", "e1", "delivery.sent", "v1", digest("own"), "")
    business.do("opco", "delivery", "offer", "v1", "p1", *OFFER)
    assert says(business, "no_diligence", "v1") == "due"


def test_deliveries_that_are_rejected_or_never_answered_are_found() -> None:
    business = Business()
    business.offered()
    assert says(business, "delivery_unanswered", "v1") == "fine"
    business.pass_time(73 * HOUR_MS)
    assert raised(business, "delivery_unanswered", "v1")["party"] == "insurer"
    assert says(business, "delivery_rejected", "v1") == "fine"
    business.do("insurer", "delivery", "accept", "v1", digest("torn"), False, "torn")
    assert says(business, "delivery_unanswered", "v1") == "fine"
    assert raised(business, "delivery_rejected", "v1")["party"] == "opco"


def test_a_finding_is_one_alert_that_is_counted_once_an_hour() -> None:
    business = Business()
    business.offered()
    assert raised(business, "no_diligence", "v1")["id"] == "alert-1"
    assert business.refused("bank", "alert", "check", "no_diligence", "v1") == "alert.open"
    business.pass_time(HOUR_MS)
    ((name, fields),) = business.do("bank", "alert", "check", "no_diligence", "v1")
    assert (name, fields["alert_id"], fields["count"]) == ("AlertRepeated", "alert-1", 2)
    business.do("bureau", "alert", "acknowledge", "alert-1", "asked for it")
    business.pass_time(HOUR_MS)
    business.do("bank", "alert", "check", "no_diligence", "v1")
    alert = business.ask_record("bureau", "alert", "show", "alert-1")
    assert (alert["count"], alert["status"], alert["reporter"]) == (3, "acknowledged", "archive")


def test_a_closed_alert_is_quiet_for_a_day_and_a_lasting_fact_for_good() -> None:
    business = Business()
    business.granted(hours=24 * 6)
    business.do("opco", "task", "create", *business.order())
    business.do("opco", "task", "fail", "t1", "out of memory")
    for number, (check, subject) in enumerate((("expiry_near", "g1"), ("task_broken", "t1")), 1):
        business.do("bank", "alert", "check", check, subject)
        business.do("bureau", "alert", "close", f"alert-{number}", "known")
        assert business.refused("bank", "alert", "check", check, subject) == "alert.quiet"
    business.pass_time(DAY_MS)
    assert raised(business, "expiry_near", "g1")["id"] == "alert-3"
    assert business.refused("bank", "alert", "check", "task_broken", "t1") == "alert.quiet"


def test_a_repeated_report_may_become_graver_and_never_less_grave() -> None:
    business = Business()
    for severity, expected in (("warning", "warning"), ("critical", "critical"),
                               ("notice", "critical")):  # fmt: skip
        business.do("opco", "alert", "report", *changed(REPORT, 3, severity))
        assert business.ask_record("opco", "alert", "show", "alert-1")["severity"] == expected
        again = business.refused("opco", "alert", "report", *REPORT)
        assert again == "alert.open"
        business.pass_time(HOUR_MS)


def test_what_became_graver_is_counted_at_once_and_the_newest_word_stands() -> None:
    business = Business()
    business.do("opco", "alert", "report", *REPORT)
    graver = [*REPORT[:3], "critical", "the node halted", digest("log")]
    ((name, fields),) = business.do("opco", "alert", "report", *graver)
    assert (name, fields["alert_id"]) == ("AlertRepeated", "alert-1")
    alert = business.ask_record("bureau", "alert", "show", "alert-1")
    assert (alert["severity"], alert["count"]) == ("critical", 2)
    assert (alert["note"], alert["digest"]) == ("the node halted", digest("log"))
    assert business.refused("opco", "alert", "report", *graver) == "alert.open"


def test_a_harmless_report_does_not_stand_in_the_way_of_a_grave_one_of_another_party() -> None:
    business = Business()
    business.do("bank", "alert", "report", *changed(REPORT, 3, "notice"))
    assert business.ask("opco", "alert", "report_due", "opco", "disk", "critical") is True
    business.do("bureau", "alert", "close", "alert-1", "nothing in it")
    assert business.ask("opco", "alert", "report_due", "opco", "disk", "notice") is True
    ((name, fields),) = business.do("opco", "alert", "report", *changed(REPORT, 3, "critical"))
    assert (name, fields["alert_id"], fields["severity"]) == ("AlertRaised", "alert-2", "critical")


def test_a_finding_that_became_graver_is_not_kept_quiet() -> None:
    business = Business()
    business.granted(hours=24 * 6)
    business.do("bank", "alert", "check", "expiry_near", "g1")
    limited(business, "authorization", ["expiry_near", 168, "warning"])
    ((name, _fields),) = business.do("bank", "alert", "check", "expiry_near", "g1")
    assert name == "AlertRepeated"
    assert business.refused("bank", "alert", "check", "expiry_near", "g1") == "alert.open"
    business.do("bureau", "alert", "close", "alert-1", "it may end")
    assert business.refused("bank", "alert", "check", "expiry_near", "g1") == "alert.quiet"
    business.do("bureau", "rules", "revoke", "plan-authorization", "another one")
    text: list[Value] = ["p2", "monitoring", "authorization", "Plan", digest("plan"), ""]
    business.do("opco", "rules", "draft", *text, [["expiry_near", 168, "critical"]])
    business.do("bureau", "rules", "enact", "p2", 1, digest("plan"), business.chain.height + 2)
    business.chain.advance(height=2)
    assert raised(business, "expiry_near", "g1")["id"] == "alert-2"


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "Disk", "alert.topic"),
        (1, "bureau", "alert.edge"),  # nobody supervises a manager
        (1, "nobody", "alert.edge"),
        (1, "health", "alert.edge"),  # suppliers are supervised in aggregation
        (2, "use", "alert.edge"),
        (3, "grave", "alert.severity"),
        (4, "", "alert.note"),
        (4, "n" * 1025, "alert.note"),
        (5, b"short", "alert.digest"),
    ],
)
def test_a_malformed_report_reaches_nobody(position: int, value: Value, code: str) -> None:
    assert Business().refused("opco", "alert", "report", *changed(REPORT, position, value)) == code


def test_a_party_that_floods_others_with_reports_is_stopped_until_some_are_closed() -> None:
    business = Business()
    for number in range(64):
        business.do("bank", "alert", "report", *changed(REPORT, 0, f"topic-{number}"))
    assert business.refused("bank", "alert", "report", *REPORT) == "alert.reports"
    business.do("opco", "alert", "report", *REPORT)
    business.do("bureau", "alert", "close", "alert-1", "nothing in it")
    business.do("bank", "alert", "report", *changed(REPORT, 0, "one-more"))


def test_nobody_answers_an_alert_about_itself() -> None:
    business = Business()
    business.do("opco", "alert", "report", *REPORT)
    for step in ("acknowledge", "close"):
        assert business.refused("opco", "alert", step, "alert-1", "fine") == "alert.supervisor"


def test_an_operator_answers_alerts_about_whom_it_engaged() -> None:
    business = Business()
    business.do("opco", "oversight", "select", "x1", "chipworks", "")
    business.do("bureau", "oversight", "review", "x1", True, "")
    business.do("health", "alert", "report", *changed(REPORT, 1, "chipworks"))
    assert business.refused("rival", "alert", "acknowledge", "alert-1", "") == "alert.supervisor"
    business.do("opco", "alert", "acknowledge", "alert-1", "")
    assert business.refused("opco", "alert", "acknowledge", "alert-1", "") == "alert.status"
    assert business.refused("opco", "alert", "close", "alert-1", "") == "alert.note"
    business.do("opco", "alert", "close", "alert-1", "replaced the disk")
    assert business.refused("opco", "alert", "close", "alert-1", "again") == "alert.status"
    listed = business.ask("opco", "alert", "list_of", "chipworks", 0, 10)
    assert isinstance(listed, list) and len(listed) == 1
    assert business.denied("rival", "alert", "list_of", "chipworks", 0, 10) == "alert.reader"


def test_what_is_not_on_the_chain_is_not_checked() -> None:
    business = Business()
    for check, code in (("quota_used", "grant.unknown"), ("task_broken", "task.unknown"),
                        ("late_update", "catalog.unknown"), ("no_diligence", "delivery.unknown"),
                        ("no_such", "rules.check")):  # fmt: skip
        assert business.refused("opco", "alert", "check", check, "nothing") == code
    too_many: list[Value] = ["g1"] * 21
    assert business.denied("opco", "alert", "findings", "quota_used", too_many) == "alert.subjects"
    assert business.denied("bureau", "alert", "show", "alert-1") == "alert.unknown"
    assert business.denied("bureau", "alert", "list", 0, 101) == "alert.page"


def test_a_bill_that_its_payer_does_not_answer_is_found() -> None:
    business = Business()
    business.do("bureau", "tariff", "enact", 1, digest("t"), "", [["task", 5]],
                business.chain.height + 2)  # fmt: skip
    business.chain.advance(height=2)
    business.finished()
    business.do("opco", "billing", "meter_task", "t1")
    business.pass_time(HOUR_MS)
    business.do("opco", "billing", "issue", "s1", "insurer", business.now_ms)
    assert says(business, "bill_unanswered", "s1") == "fine"
    business.pass_time(169 * HOUR_MS)
    alert = raised(business, "bill_unanswered", "s1")
    assert (alert["party"], alert["stage"], alert["severity"]) == ("insurer", "delivery", "notice")
    business.pass_time(40 * DAY_MS)
    assert says(business, "bill_unanswered", "s1") == "due", "overdue is still unanswered"
    business.do("insurer", "billing", "accept", "s1", 5)
    assert says(business, "bill_unanswered", "s1") == "fine"
