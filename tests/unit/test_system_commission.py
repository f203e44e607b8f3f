"""Commissions: only whom the operator engages works for it, and what is owed is what was agreed."""

from __future__ import annotations

import pytest

from ledger.values import Value
from tests.business import ALGORITHM, STRANGER, Business, changed, dataset_of, digest
from tests.platform import (
    DAY_MS,
    TEXT,
    accepted,
    approved,
    commission,
    engaged,
    handed_in,
    offered,
    registered,
    terms,
)

FIVE_YEARS_MS = 5 * 366 * DAY_MS


# --- offering ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "", "commission.id"),
        (0, "K1", "commission.id"),
        (1, "chipworks", "commission.engagement"),
        (1, "nobody", "commission.engagement"),
        (1, "opco", "commission.engagement"),
        (2, "paint", "commission.kind"),
        (3, "", "commission.title"),
        (3, "t" * 129, "commission.title"),
        (4, bytes(31), "commission.digest"),
        (4, bytes(33), "commission.digest"),
        (5, "l" * 513, "commission.location"),
        (6, "task", "commission.about"),
        (6, "grant", "grant.unknown"),
        (7, "g1", "commission.about"),
        (8, 0, "commission.due"),
        (8, 1 << 60, "commission.due"),
        (9, 1, "commission.report_days"),
        (9, -1, "commission.report_days"),
    ],
)
def test_a_malformed_commission_is_not_offered(position: int, value: Value, code: str) -> None:
    business = Business()
    engaged(business)
    bad = changed(["k1", *terms(business)], position, value)
    assert business.refused("opco", "commission", "offer", *bad) == code


@pytest.mark.parametrize("days", [0, -1, 367])
def test_who_operates_or_monitors_reports_within_a_year(days: int) -> None:
    business = Business()
    engaged(business)
    bad = changed(["k1", *terms(business, "monitor")], 9, days)
    assert business.refused("opco", "commission", "offer", *bad) == "commission.report_days"


def test_a_commission_id_is_given_once_and_its_day_is_not_now() -> None:
    business = Business()
    offered(business)
    again = ["k1", *terms(business)]
    assert business.refused("opco", "commission", "offer", *again) == "commission.exists"
    now = changed(["k2", *terms(business)], 8, business.now_ms)
    assert business.refused("opco", "commission", "offer", *now) == "commission.due"
    late = changed(["k2", *terms(business)], 8, business.now_ms + FIVE_YEARS_MS + 9999)
    assert business.refused("opco", "commission", "offer", *late) == "commission.due"


@pytest.mark.parametrize("step", ["selected", "refused", "ended", "rival's"])
def test_only_an_engagement_that_a_manager_approved_counts(step: str) -> None:
    business = Business()
    who = "rival" if step == "rival's" else "opco"
    business.do(who, "oversight", "select", "x1", "devhouse", "")
    if step != "selected":
        business.do("bureau", "oversight", "review", "x1", step != "refused", "why")
    if step == "ended":
        business.do("bureau", "oversight", "end", "x1", "why")
    told = business.refused("opco", "commission", "offer", "k1", *terms(business))
    assert told == "commission.engagement"
    assert business.ask("bank", "oversight", "engagement_of", "opco", "devhouse") == ""


def test_a_commission_names_what_is_the_operators_own_or_open_to_it() -> None:
    business = Business()
    engaged(business)
    engaged(business, operator="rival")
    business.granted()
    registered(business)
    about: list[tuple[str, str, str]] = [
        ("grant", "g1", "commission.subject"),
        ("asset", "hsm-1", "commission.subject"),
        ("demand", "d1", "commission.subject"),
        ("dataset", dataset_of("health"), ""),
    ]
    for kind, subject, code in about:
        words = changed(changed(["k1", *terms(business, "fuse")], 6, kind), 7, subject)
        if code:
            assert business.refused("rival", "commission", "offer", *words) == code
        business.do("opco", "commission", "offer", *changed(words, 0, f"k-{kind}"))
    business.filed("d2")
    open_demand = changed(changed(["k2", *terms(business)], 6, "demand"), 7, "d2")
    business.do("rival", "commission", "offer", *open_demand)
    missing = changed(changed(["k3", *terms(business)], 6, "dataset"), 7, "none")
    assert business.refused("opco", "commission", "offer", *missing) == "holder.dataset"
    assert business.denied("opco", "holder", "holder_of", "task", "t1") == "holder.kind"


# --- answering --------------------------------------------------------------------------------


def test_who_accepts_names_the_text_that_it_read_before_the_day_passes() -> None:
    business = Business()
    offered(business)
    told = business.refused("devhouse", "commission", "accept", "k1", digest("another"))
    assert told == "commission.text"
    business.pass_time(30 * DAY_MS)
    assert business.refused("devhouse", "commission", "accept", "k1", TEXT) == "commission.late"
    business.do("opco", "commission", "decline", "k1", "nobody answered")
    assert commission(business)["status"] == "withdrawn"


@pytest.mark.parametrize(("who", "status"), [("devhouse", "declined"), ("opco", "withdrawn")])
def test_before_it_is_accepted_either_side_lets_it_go(who: str, status: str) -> None:
    business = Business()
    offered(business)
    assert business.refused(who, "commission", "decline", "k1", "") == "commission.reason"
    assert business.refused("rival", "commission", "decline", "k1", "why") == "commission.side"
    assert business.refused("bureau", "commission", "decline", "k1", "why") == "commission.side"
    business.do(who, "commission", "decline", "k1", "no time")
    assert (commission(business)["status"], commission(business)["actor"]) == (status, who)
    for method, words in (("decline", ["again"]), ("accept", [TEXT]), ("end", ["over"])):
        args: list[Value] = [*words]
        refused = business.refused("devhouse", "commission", method, "k1", *args)
        assert refused == "commission.status"


# --- working ----------------------------------------------------------------------------------


STEPS: list[tuple[str, str, list[Value]]] = [
    ("devhouse", "hand_in", [[digest("more")], [], ""]),
    ("opco", "judge", [1, True, ""]),
    ("opco", "prolong", [1 << 41, "more to do"]),
]


@pytest.mark.parametrize(("who", "method", "words"), STEPS, ids=[s[1] for s in STEPS])
def test_no_work_goes_on_after_the_engagement_ended(
    who: str, method: str, words: list[Value]
) -> None:
    business = Business()
    handed_in(business)
    if method == "prolong":
        words = [business.now_ms + 60 * DAY_MS, "more to do"]
    business.do("bureau", "oversight", "end", "x-opco-devhouse", "careless")
    told = business.refused(who, "commission", method, "k1", *words)
    assert told == "commission.engagement"
    business.do("opco", "commission", "end", "k1", "the engagement is over")
    assert commission(business)["status"] == "ended"


def test_neither_acceptance_nor_a_report_without_an_engagement() -> None:
    business = Business()
    offered(business, "operate")
    business.do("devhouse", "commission", "accept", "k1", TEXT)
    business.do("opco", "commission", "offer", "k2", *terms(business))
    business.do("opco", "oversight", "end", "x-opco-devhouse", "done")
    business.pass_time(DAY_MS)
    said: list[Value] = ["k1", business.now_ms, digest("day"), 0, ""]
    assert business.refused("devhouse", "commission", "report", *said) == "commission.engagement"
    told = business.refused("devhouse", "commission", "accept", "k2", TEXT)
    assert told == "commission.engagement"
    engaged_again: list[Value] = ["x2", "devhouse", ""]
    business.do("opco", "oversight", "select", *engaged_again)
    business.do("bureau", "oversight", "review", "x2", True, "")
    business.do("devhouse", "commission", "report", *said)


def test_each_piece_is_approved_or_returned_with_reasons_and_a_better_one_may_follow() -> None:
    business = Business()
    handed_in(business)
    assert business.refused("opco", "commission", "judge", "k1", 2, True, "") == "commission.piece"
    bare = business.refused("opco", "commission", "judge", "k1", 1, False, "")
    assert bare == "commission.answer"
    assert business.refused("opco", "commission", "close", "k1", "") == "commission.waiting"
    business.do("opco", "commission", "judge", "k1", 1, False, "tests are missing")
    again = business.refused("opco", "commission", "judge", "k1", 1, True, "")
    assert again == "commission.judged"
    assert business.refused("opco", "commission", "close", "k1", "") == "commission.unproven"
    business.do("devhouse", "commission", "hand_in", "k1", [digest("better")], [], "with tests")
    business.do("devhouse", "commission", "hand_in", "k1", [digest("manual")], [], "")
    for number in (3, 2):
        business.do("opco", "commission", "judge", "k1", number, True, "")
    work = business.ask("devhouse", "commission", "work_of", "k1", 0, 10)
    assert isinstance(work, list)
    told = [(w["number"], w["status"], w["answer"]) for w in work if isinstance(w, dict)]
    assert told == [(1, "returned", "tests are missing"), (2, "approved", ""), (3, "approved", "")]
    business.do("opco", "commission", "close", "k1", "well done")
    shown = commission(business)
    assert (shown["status"], shown["hand_ins"], shown["approved"], shown["waiting"]) == (
        "closed", 3, 2, 0,
    )  # fmt: skip
    late: list[Value] = ["k1", [digest("late")], [], ""]
    assert business.refused("devhouse", "commission", "hand_in", *late) == "commission.status"


@pytest.mark.parametrize(
    ("digests", "made", "note", "code"),
    [
        ([], [], "", "commission.digests"),
        ([digest(str(n)) for n in range(17)], [], "", "commission.digests"),
        ([bytes(31)], [], "", "commission.digest"),
        ([digest("a"), digest("a")], [], "", "commission.digest_twice"),
        ([digest("a")], [["task", "t1"]], "", "commission.made"),
        ([digest("a")], [["algorithm", f"a/{n}"] for n in range(17)], "", "commission.made"),
        ([digest("a")], [["evidence", "e9"]], "", "evidence.unknown"),
        ([digest("a")], [["evidence", "theirs"]], "", "commission.made_by"),
        ([digest("a")], [["evidence", "mine"], ["evidence", "mine"]], "", "commission.made_twice"),
        ([digest("a")], [["algorithm", ALGORITHM]], "", "commission.made_by"),
        ([digest("a")], [["asset", "far"]], "", "commission.made_by"),
        ([digest("a")], [["product", "p9"]], "", "product.unknown"),
        ([digest("a")], [], "n" * 1025, "commission.note"),
    ],
)
def test_a_piece_names_digests_and_what_its_maker_may_name(
    digests: list[Value], made: list[Value], note: str, code: str
) -> None:
    business = Business()
    accepted(business)
    for who, evidence_id in (("devhouse", "mine"), ("opco", "theirs")):
        record: list[Value] = [evidence_id, "development.process", "k1", digest("log"), ""]
        business.do(who, "evidence", "record", *record)
    words: list[Value] = ["server", "", "Maker", "M1", "Box", "", digest("p"), 0, "", 0, "", ""]
    business.do("rival", "asset", "register", "far", *words)
    told = business.refused("devhouse", "commission", "hand_in", "k1", digests, made, note)
    assert told == code


def test_a_piece_names_evidence_algorithms_products_and_assets() -> None:
    business = Business()
    business.registered()
    registered(business)
    engaged(business, "chipworks")
    business.do("opco", "commission", "offer", "k1", *terms(business, "fuse", "chipworks"))
    business.do("chipworks", "commission", "accept", "k1", TEXT)
    record: list[Value] = ["e1", "development.process", "k1", digest("log"), ""]
    business.do("chipworks", "evidence", "record", *record)
    made: list[Value] = [
        ["evidence", "e1"], ["algorithm", ALGORITHM], ["product", "p1"], ["asset", "hsm-1"],
    ]  # fmt: skip
    business.do("chipworks", "commission", "hand_in", "k1", [digest("report")], made, "")
    work = business.ask("opco", "commission", "work_of", "k1", 0, 1)
    assert isinstance(work, list) and isinstance(work[0], dict)
    assert work[0]["made"] == made


def test_work_is_given_more_time_and_never_less() -> None:
    business = Business()
    accepted(business)
    due_ms = commission(business)["due_ms"]
    assert isinstance(due_ms, int)
    for bad in (due_ms, due_ms - 1, business.now_ms + FIVE_YEARS_MS + 9999):
        told = business.refused("opco", "commission", "prolong", "k1", bad, "why")
        assert told == "commission.due"
    assert business.refused("opco", "commission", "prolong", "k1", due_ms + 1, "") == (
        "commission.reason"
    )
    business.do("opco", "commission", "prolong", "k1", due_ms + 1, "the papers came late")
    business.pass_time(31 * DAY_MS)
    told = business.refused("opco", "commission", "prolong", "k1", due_ms + 2, "past already")
    assert told == "commission.due"


# --- reporting --------------------------------------------------------------------------------


def test_reports_go_on_where_the_last_one_ended() -> None:
    business = Business()
    accepted(business, "monitor")
    begin_ms = commission(business)["accepted_ms"]
    business.pass_time(DAY_MS)
    first_ms = business.now_ms - 5
    business.do("devhouse", "commission", "report", "k1", first_ms, digest("day 1"), 2, "probes")
    for to_ms in (first_ms, business.now_ms + 1000):
        said: list[Value] = ["k1", to_ms, digest("day 2"), 0, ""]
        assert business.refused("devhouse", "commission", "report", *said) == "commission.period"
    business.do("devhouse", "commission", "report", "k1", business.now_ms, digest("rest"), 1, "")
    reports = business.ask("opco", "commission", "reports_of", "k1", 0, 10)
    assert isinstance(reports, list)
    told = [(r["from_ms"], r["anomalies"]) for r in reports if isinstance(r, dict)]
    assert told == [(begin_ms, 2), (first_ms, 1)]
    shown = commission(business)
    assert (shown["reports"], shown["anomalies"]) == (2, 3)


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (2, bytes(31), "commission.digest"),
        (3, -1, "commission.anomalies"),
        (3, 10**9 + 1, "commission.anomalies"),
        (4, "n" * 1025, "commission.note"),
    ],
)
def test_a_malformed_report_is_refused(position: int, value: Value, code: str) -> None:
    business = Business()
    accepted(business, "operate")
    business.pass_time(DAY_MS)
    said: list[Value] = ["k1", business.now_ms, digest("day"), 0, ""]
    bad = changed(said, position, value)
    assert business.refused("devhouse", "commission", "report", *bad) == code


def test_only_what_stands_is_reported_on_and_it_is_closed_when_the_reports_reach_its_day() -> None:
    business = Business()
    accepted(business)
    business.do("opco", "commission", "offer", "k2", *terms(business, "operate"))
    business.do("devhouse", "commission", "accept", "k2", TEXT)
    business.pass_time(29 * DAY_MS)
    said: list[Value] = ["k1", business.now_ms, digest("month"), 0, ""]
    assert business.refused("devhouse", "commission", "report", *said) == "commission.reports"
    business.do("devhouse", "commission", "report", *changed(said, 0, "k2"))
    assert business.refused("opco", "commission", "close", "k2", "") == "commission.unreported"
    business.pass_time(2 * DAY_MS)
    business.do("devhouse", "commission", "report", "k2", business.now_ms, digest("end"), 0, "")
    business.do("opco", "commission", "close", "k2", "")
    assert commission(business, "k2")["status"] == "closed"


# --- ending and reading -----------------------------------------------------------------------


@pytest.mark.parametrize("who", ["opco", "devhouse", "bureau"])
def test_either_side_or_a_manager_ends_it_with_a_reason(who: str) -> None:
    business = Business()
    accepted(business)
    for other in ("rival", "chipworks", STRANGER):
        assert business.refused(other, "commission", "end", "k1", "why") == "commission.side"
    assert business.refused(who, "commission", "end", "k1", "") == "commission.reason"
    business.do(who, "commission", "end", "k1", "no longer needed")
    assert (commission(business)["status"], commission(business)["actor"]) == ("ended", who)
    assert business.refused(who, "commission", "end", "k1", "again") == "commission.status"


def test_what_is_closed_is_not_ended() -> None:
    business = Business()
    approved(business)
    business.do("opco", "commission", "close", "k1", "")
    assert business.refused("opco", "commission", "end", "k1", "why") == "commission.status"
    assert business.refused("opco", "commission", "close", "k1", "") == "commission.status"


def test_managers_see_all_and_others_their_own() -> None:
    business = Business()
    accepted(business)
    for who, count in (("bureau", 1), ("opco", 1), ("devhouse", 1), ("rival", 0), ("bank", 0)):
        seen = business.ask(who, "commission", "list", 0, 10)
        assert isinstance(seen, list) and len(seen) == count
    assert business.denied("opco", "commission", "list", 0, 101) == "commission.page"
    assert business.denied("opco", "commission", "work_of", "k1", -1, 1) == "commission.page"
    assert business.denied("opco", "commission", "show", "k9") == "commission.unknown"


# --- what the checks see ----------------------------------------------------------------------


def looked(business: Business, check: str) -> tuple[Value, Value]:
    seen = business.ask_record("bank", "risk", "look", check, "k1")
    return seen["measured"], seen["is_due"]


def test_a_report_that_did_not_come_is_found_and_one_that_comes_ends_it() -> None:
    business = Business()
    offered(business, "operate")
    business.pass_time(5 * DAY_MS)
    assert looked(business, "work_unreported") == (0, False), "nobody has accepted it"
    business.do("devhouse", "commission", "accept", "k1", TEXT)
    business.pass_time(DAY_MS)
    assert looked(business, "work_unreported") == (0, False), "it is due, and not late"
    business.pass_time(DAY_MS)
    assert looked(business, "work_unreported") == (1, True)
    ((_name, raised),) = business.do("bank", "alert", "check", "work_unreported", "k1")
    assert (raised["party_id"], raised["severity"]) == ("devhouse", "warning")
    business.do("opco", "alert", "acknowledge", "alert-1", "asked them")
    business.do("devhouse", "commission", "report", "k1", business.now_ms, digest("d"), 0, "")
    assert looked(business, "work_unreported") == (0, False)
    business.pass_time(40 * DAY_MS)
    business.do("devhouse", "commission", "report", "k1", business.now_ms, digest("e"), 0, "")
    business.pass_time(5 * DAY_MS)
    assert looked(business, "work_unreported") == (0, False), "its term is over and told of"
    assert looked(business, "work_overdue") == (0, False)


def test_work_that_did_not_come_is_found_and_what_waits_for_the_operator_is_not_late() -> None:
    business = Business()
    accepted(business)
    business.pass_time(30 * DAY_MS)
    assert looked(business, "work_overdue") == (0, False)
    business.pass_time(2 * DAY_MS)
    assert looked(business, "work_overdue") == (2, True)
    assert looked(business, "work_unreported") == (0, False)
    business.do("devhouse", "commission", "hand_in", "k1", [digest("work")], [], "")
    assert looked(business, "work_overdue") == (0, False)
    business.do("opco", "commission", "judge", "k1", 1, False, "half of it")
    assert looked(business, "work_overdue") == (2, True)
    business.do("bureau", "commission", "end", "k1", "not done")
    assert looked(business, "work_overdue") == (0, False)
