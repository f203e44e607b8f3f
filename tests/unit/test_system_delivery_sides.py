"""Deliveries: with whom an agreement was made, what was answered, and who reads the diligence."""

from __future__ import annotations

from ledger.values import Value
from tests.business import HOUR_MS, OFFER, SCENARIO, Business, changed, digest


def test_what_was_agreed_with_one_consumer_is_offered_to_no_other_under_it() -> None:
    business = Business()
    business.agreed()
    other = changed(OFFER, 0, "bank")
    refused = business.refused("opco", "delivery", "offer_under", "v1", "p1", *other, "a1")
    assert refused == "delivery.subject"
    business.do("opco", "delivery", "offer_under", "v1", "p1", *OFFER, "a1")


def test_an_answer_stays_on_record_with_its_words() -> None:
    for accepted, payload in ((True, "payload"), (False, "torn")):
        business = Business()
        business.offered()
        answer: list[Value] = ["v1", digest(payload), accepted, "as I saw it"]
        business.do("insurer", "delivery", "accept", *answer)
        shown = business.ask_record("opco", "delivery", "show", "v1")
        assert (shown["note"], shown["answered_ms"]) == ("as I saw it", business.now_ms)


def test_a_report_of_use_has_a_length_and_ends_by_the_time_of_its_block() -> None:
    business = Business()
    business.offered()
    business.do("insurer", "delivery", "accept", "v1", digest("payload"), True, "")
    begin_ms = business.now_ms
    business.pass_time(HOUR_MS)
    report: list[Value] = ["v1", begin_ms, begin_ms, 3, SCENARIO, digest("log"), ""]
    for end_ms in (begin_ms, business.now_ms + 3):
        bad = changed(report, 2, end_ms)
        assert business.refused("insurer", "delivery", "report_use", *bad) == "delivery.period"
    business.do("insurer", "delivery", "report_use", *changed(report, 2, business.now_ms + 1))


def test_managers_read_the_diligence_before_an_offer_and_after_it() -> None:
    business = Business()
    business.assessed()
    prepared: list[Value] = ["v1", "p1", "interface", "low", digest("diligence"), ""]
    business.do("opco", "delivery", "prepare", *prepared)
    for who in ("bureau", "board", "opco"):
        assert business.ask_record(who, "delivery", "diligence", "v1")["risk"] == "low"
    business.do("opco", "delivery", "offer", "v1", "p1", *OFFER)
    for who in ("bureau", "board", "opco", "insurer"):
        assert business.ask_record(who, "delivery", "diligence", "v1")["risk"] == "low"
    assert business.denied("bank", "delivery", "diligence", "v1") == "delivery.reader"
