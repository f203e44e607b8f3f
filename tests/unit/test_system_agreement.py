"""Agreements: signed by both sides, each naming the text, and in force only while they run."""

from __future__ import annotations

import pytest

from ledger.values import Value
from tests.business import HOUR_MS, STRANGER, Business, agreed_terms, changed, digest

TEXT = digest("agreement")


def offered() -> Business:
    """An agreement over the product p1 is put up."""
    business = Business()
    business.assessed()
    business.do("opco", "agreement", "offer", "a1", *agreed_terms(business))
    return business


def status_of(business: Business) -> Value:
    return business.ask_record("bureau", "agreement", "show", "a1")["status"]


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "", "agreement.id"),
        (0, "A1", "agreement.id"),
        (1, "task", "agreement.kind"),
        (2, "p9", "product.unknown"),
        (3, "", "agreement.title"),
        (3, "t" * 129, "agreement.title"),
        (4, bytes(31), "agreement.digest"),
        (4, bytes(33), "agreement.digest"),
        (5, "l" * 513, "agreement.location"),
        (6, -1, "agreement.price"),
        (6, 10**15 + 1, "agreement.price"),
        (7, "No Service", "agreement.service"),
        (7, "report", "agreement.terms"),
        (8, "month", "agreement.per"),
        (9, 0, "agreement.until"),
    ],
)
def test_a_malformed_agreement_is_not_put_up(position: int, value: Value, code: str) -> None:
    business = Business()
    business.assessed()
    bad = changed(["a1", *agreed_terms(business)], position, value)
    assert business.refused("opco", "agreement", "offer", *bad) == code


def test_a_term_ends_within_five_years_and_not_in_the_past() -> None:
    business = Business()
    business.assessed()
    for until in (business.now_ms, business.now_ms + 5 * 366 * 24 * HOUR_MS + HOUR_MS):
        bad = changed(["a1", *agreed_terms(business)], 9, until)
        assert business.refused("opco", "agreement", "offer", *bad) == "agreement.until"


def test_an_agreement_id_is_given_once() -> None:
    business = offered()
    again = ["a1", *agreed_terms(business)]
    assert business.refused("opco", "agreement", "offer", *again) == "agreement.exists"


def test_nothing_is_agreed_over_a_product_that_was_not_approved_or_a_grant_that_ended() -> None:
    business = Business()
    business.registered()
    terms = agreed_terms(business)
    refused = business.refused("opco", "agreement", "offer", "a1", *terms)
    assert refused == "agreement.product"
    over_grant = changed(changed(terms, 0, "grant"), 1, "g1")
    business.do("opco", "agreement", "offer", "a1", *over_grant)
    business.do("bureau", "grant", "revoke", "g1", "misuse")
    assert business.refused("opco", "agreement", "offer", "a2", *over_grant) == "grant.revoked"
    assert business.refused("insurer", "agreement", "sign", "a1", TEXT) == "grant.revoked"


@pytest.mark.parametrize(("first", "second"), [("opco", "insurer"), ("insurer", "opco")])
def test_it_is_in_force_when_both_sides_signed_in_any_order(first: str, second: str) -> None:
    business = offered()
    assert business.refused(first, "agreement", "sign", "a1", digest("other")) == "agreement.digest"
    business.do(first, "agreement", "sign", "a1", TEXT)
    assert status_of(business) == "signed"
    assert business.refused(first, "agreement", "sign", "a1", TEXT) == "agreement.signed"
    assert business.denied(second, "agreement", "ensure_in_force", "a1") == "agreement.not_in_force"
    events = business.do(second, "agreement", "sign", "a1", TEXT)
    assert events[0][1]["in_force"] is True
    assert business.ask(second, "agreement", "ensure_in_force", "a1") is True
    for who in (first, second):
        assert business.refused(who, "agreement", "sign", "a1", TEXT) == "agreement.status"
        assert business.refused(who, "agreement", "decline", "a1", "no") == "agreement.status"


@pytest.mark.parametrize("who", ["opco", "insurer"])
def test_either_side_declines_before_both_have_signed(who: str) -> None:
    business = offered()
    business.do("opco", "agreement", "sign", "a1", TEXT)
    assert business.refused(who, "agreement", "decline", "a1", "") == "agreement.reason"
    business.do(who, "agreement", "decline", "a1", "too dear")
    assert status_of(business) == "declined"
    assert business.refused("insurer", "agreement", "sign", "a1", TEXT) == "agreement.status"
    assert business.refused(who, "agreement", "terminate", "a1", "x") == "agreement.status"


@pytest.mark.parametrize("who", ["opco", "insurer", "board"])
def test_it_ends_early_by_a_side_or_a_manager_with_a_reason(who: str) -> None:
    business = offered()
    assert business.refused(who, "agreement", "terminate", "a1", "early") == "agreement.status"
    for side in ("opco", "insurer"):
        business.do(side, "agreement", "sign", "a1", TEXT)
    assert business.refused(who, "agreement", "terminate", "a1", "r" * 513) == "agreement.reason"
    business.do(who, "agreement", "terminate", "a1", "breach")
    shown = business.ask_record("insurer", "agreement", "show", "a1")
    assert (shown["status"], shown["ender"], shown["reason"]) == ("terminated", who, "breach")


def test_time_ends_what_is_in_force_and_lapses_what_is_not() -> None:
    business = offered()
    business.do("opco", "agreement", "offer", "a2", *agreed_terms(business))
    for side in ("opco", "insurer"):
        business.do(side, "agreement", "sign", "a1", TEXT)
    business.pass_time(20 * HOUR_MS)
    told = [
        business.ask_record("opco", "agreement", "show", agreement)["status"]
        for agreement in ("a1", "a2")
    ]
    assert told == ["ended", "lapsed"]
    assert business.refused("opco", "agreement", "sign", "a2", TEXT) == "agreement.status"
    assert business.refused("opco", "agreement", "terminate", "a1", "x") == "agreement.status"


def test_it_ends_in_the_last_millisecond_of_its_term_and_lapses_also_with_one_signature() -> None:
    business = offered()
    business.do("opco", "agreement", "offer", "a2", *agreed_terms(business))
    until_ms = business.ask_record("opco", "agreement", "show", "a1")["until_ms"]
    assert isinstance(until_ms, int)
    business.do("opco", "agreement", "sign", "a1", TEXT)
    business.pass_time(until_ms - 1 - business.now_ms)
    assert status_of(business) == "signed"
    business.pass_time(1)
    assert status_of(business) == "lapsed"


def test_a_service_of_the_tariff_takes_the_place_of_a_price() -> None:
    business = Business()
    business.assessed()
    height = business.chain.height + 2
    prices: list[Value] = [["report", 500]]
    business.do("bureau", "tariff", "enact", 1, digest("tariff"), "", prices, height)
    business.chain.advance(height=2)
    terms = changed(agreed_terms(business), 5, 0)
    for service, code in (("other", "agreement.tariff"), ("report", "")):
        words: list[Value] = ["a1", *changed(terms, 6, service)]
        if code:
            assert business.refused("opco", "agreement", "offer", *words) == code
        else:
            business.do("opco", "agreement", "offer", *words)


def test_nothing_is_put_up_to_a_consumer_that_is_suspended() -> None:
    business = Business()
    business.assessed()
    business.suspend("insurer")
    terms = agreed_terms(business)
    refused = business.refused("opco", "agreement", "offer", "a1", *terms)
    assert refused == "agreement.suspended"


@pytest.mark.parametrize("end", ["declined", "terminated", "ended"])
def test_what_others_build_on_says_when_it_came_to_force_and_when_it_was_over(end: str) -> None:
    business = offered()
    business.do("opco", "agreement", "sign", "a1", TEXT)
    if end == "declined":
        business.do("insurer", "agreement", "decline", "a1", "too dear")
        assert cover(business) == (end, 0)
        return
    business.do("insurer", "agreement", "sign", "a1", TEXT)
    shown = business.ask_record("opco", "agreement", "show", "a1")
    assert shown["in_force_ms"] == business.now_ms
    assert cover(business) == ("in_force", 0)
    if end == "terminated":
        business.do("insurer", "agreement", "terminate", "a1", "breach")
        assert cover(business) == (end, business.now_ms)
    else:
        business.pass_time(21 * HOUR_MS)
        assert cover(business) == (end, shown["until_ms"])


def cover(business: Business) -> tuple[Value, Value]:
    found = business.ask_record("opco", "agreement", "cover", "a1")
    return found["status"], found["over_ms"]


UNDER: list[Value] = ["p1", "insurer", TEXT, digest("payload"), "a1"]


def test_a_delivery_under_an_agreement_needs_it_in_force_at_offer_and_acceptance() -> None:
    business = offered()
    refused = business.refused("opco", "delivery", "offer_under", "v1", *UNDER)
    assert refused == "agreement.not_in_force"
    for side in ("opco", "insurer"):
        business.do(side, "agreement", "sign", "a1", TEXT)
    other_text = changed(["v1", *UNDER], 3, digest("other"))
    assert business.refused("opco", "delivery", "offer_under", *other_text) == "delivery.text"
    unknown = changed(["v1", *UNDER], 5, "a9")
    assert business.refused("opco", "delivery", "offer_under", *unknown) == "agreement.unknown"
    business.do("opco", "delivery", "offer_under", "v1", *UNDER)
    assert business.ask_record("insurer", "delivery", "show", "v1")["agreement_id"] == "a1"
    business.do("insurer", "agreement", "terminate", "a1", "no longer needed")
    accept: list[Value] = ["v1", digest("payload"), True, ""]
    assert business.refused("insurer", "delivery", "accept", *accept) == "agreement.not_in_force"
    business.do("insurer", "delivery", "accept", "v1", digest("payload"), False, "terminated")


def test_an_agreement_over_a_grant_covers_what_is_made_under_it_and_nothing_else() -> None:
    business = Business()
    business.assessed()
    over_grant = changed(changed(agreed_terms(business), 0, "grant"), 1, "g1")
    business.do("opco", "agreement", "offer", "a1", *over_grant)
    business.authorize("g2")
    business.do("opco", "agreement", "offer", "a2", *changed(over_grant, 1, "g2"))
    for agreement in ("a1", "a2"):
        for side in ("opco", "insurer"):
            business.do(side, "agreement", "sign", agreement, TEXT)
    elsewhere = changed(["v1", *UNDER], 5, "a2")
    assert business.refused("opco", "delivery", "offer_under", *elsewhere) == "delivery.subject"
    business.do("opco", "delivery", "offer_under", "v1", *UNDER)


def test_pages_and_strangers_are_refused() -> None:
    business = offered()
    for offset, limit in [(-1, 1), (0, 0), (0, 101)]:
        assert business.denied("opco", "agreement", "list", offset, limit) == "agreement.page"
    assert business.denied("opco", "agreement", "show", "a9") == "agreement.unknown"
    assert business.denied(STRANGER, "agreement", "list", 0, 1) == "agreement.reader"
    assert business.ask("bank", "agreement", "list", 0, 10) == []
    page = business.ask("insurer", "agreement", "list", 0, 10)
    assert isinstance(page, list) and len(page) == 1
