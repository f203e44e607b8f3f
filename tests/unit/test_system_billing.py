"""Tariff, metering and statements: each entry once, at the price of its height, none left out."""

from __future__ import annotations

import pytest

from ledger.values import Value
from tests.business import (
    HOUR_MS,
    OFFER,
    Business,
    agreed_terms,
    changed,
    digest,
)

PRICES: list[Value] = [["task", 500], ["dataset", 300], ["delivery", 2_000], ["query", 7]]


def enact(business: Business, number: int, prices: list[Value]) -> None:
    height = business.chain.height + 2
    text = digest("tariff")
    business.do("bureau", "tariff", "enact", number, text, "registry", prices, height)
    business.chain.advance(height=2)


def priced() -> Business:
    """A tariff is in force, and a product is approved."""
    business = Business()
    enact(business, 1, PRICES)
    business.assessed()
    return business


def delivered(under: str = "") -> Business:
    business = priced()
    if under:
        agree(business, under, per="delivery")
        business.do("opco", "delivery", "offer_under", "v1", "p1", *OFFER, under)
    else:
        business.do("opco", "delivery", "offer", "v1", "p1", *OFFER)
    business.do("insurer", "delivery", "accept", "v1", digest("payload"), True, "")
    return business


def agree(
    business: Business, agreement: str, price_fen: int = 10_000, service: str = "", per: str = "use"
) -> None:
    terms = changed(changed(agreed_terms(business), 5, price_fen), 6, service)
    terms = changed(terms, 7, per)
    business.do("opco", "agreement", "offer", agreement, *terms)
    for side in ("opco", "insurer"):
        business.do(side, "agreement", "sign", agreement, digest("agreement"))


def stated(statement: str = "s1") -> Business:
    business = priced()
    business.do("opco", "billing", "meter_task", "t1")
    business.pass_time(HOUR_MS)
    business.do("opco", "billing", "issue", statement, "insurer", business.now_ms)
    return business


def rows(answer: Value) -> list[dict[str, Value]]:
    assert isinstance(answer, list)
    return [{str(k): v for k, v in row.items()} for row in answer if isinstance(row, dict)]


TARIFF: list[Value] = [1, digest("tariff"), "", PRICES]


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, 0, "tariff.number"),
        (0, 2, "tariff.number"),
        (1, bytes(31), "tariff.digest"),
        (2, "l" * 513, "tariff.location"),
        (3, [], "tariff.prices"),
        (3, [[f"s{n}", 1] for n in range(65)], "tariff.prices"),
        (3, [["No Name", 1]], "tariff.service"),
        (3, [["a", 1], ["a", 2]], "tariff.service_twice"),
        (3, [["a", -1]], "tariff.price"),
        (3, [["a", 10**15 + 1]], "tariff.price"),
    ],
)
def test_a_malformed_tariff_is_not_enacted(position: int, value: Value, code: str) -> None:
    business = Business()
    bad = changed([*TARIFF, business.chain.height + 9], position, value)
    assert business.refused("bureau", "tariff", "enact", *bad) == code


def test_a_tariff_never_holds_in_the_past_and_one_is_announced_at_a_time() -> None:
    business = Business()
    for ahead in (-1, 0, 10**8 + 1):
        height = business.chain.height + 1 + ahead
        refused = business.refused("bureau", "tariff", "enact", *TARIFF, height)
        assert refused == "tariff.from_height"
    business.do("bureau", "tariff", "enact", *TARIFF, business.chain.height + 50)
    second = changed([*TARIFF, business.chain.height + 60], 0, 2)
    assert business.refused("bureau", "tariff", "enact", *second) == "tariff.announced"
    assert business.ask_record("bank", "tariff", "price_of", "task")["tariff"] == 0
    business.chain.advance(height=50)
    told = business.ask_record("bank", "tariff", "price_of", "task")
    assert (told["price_fen"], told["tariff"], told["is_named"]) == (500, 1, True)
    assert business.denied("bank", "tariff", "show", 2) == "tariff.number"
    assert business.denied("bank", "tariff", "list", 0, 101) == "tariff.page"


def test_versions_of_the_tariff_follow_each_other_by_height() -> None:
    business = Business()
    enact(business, 1, PRICES)
    second: list[Value] = [2, digest("second"), "", [["task", 900]], business.chain.height + 5]
    business.do("bureau", "tariff", "enact", *second)
    status = [row["status"] for row in rows(business.ask("bank", "tariff", "list", 0, 10))]
    assert status == ["effective", "announced"]
    business.chain.advance(height=5)
    status = [row["status"] for row in rows(business.ask("bank", "tariff", "list", 0, 10))]
    assert status == ["superseded", "effective"]
    assert business.ask_record("bank", "tariff", "price_of", "task")["price_fen"] == 900
    assert business.ask_record("bank", "tariff", "price_of", "query")["is_named"] is False


def test_a_task_is_metered_once_for_its_work_and_each_data_set() -> None:
    business = priced()
    business.do("health", "billing", "meter_task", "t1")
    for who in ("opco", "bureau", "insurer"):
        assert business.refused(who, "billing", "meter_task", "t1") == "billing.metered"
    found = rows(business.ask("bureau", "billing", "entries", 0, 10))
    told = [(e["kind"], e["payee"], e["payer"], e["units"], e["price_fen"]) for e in found]
    assert told == [
        ("task", "opco", "insurer", 1, 500),
        ("dataset", "health", "insurer", 1, 300),
        ("dataset", "social", "insurer", 1, 300),
        ("dataset", "civil", "insurer", 1, 300),
    ]
    own = rows(business.ask("social", "billing", "entries", 0, 10))
    assert [entry["payee"] for entry in own] == ["social"]


@pytest.mark.parametrize("ending", ["running", "cancelled"])
def test_only_finished_tasks_are_metered(ending: str) -> None:
    business = Business()
    enact(business, 1, PRICES)
    business.running()
    if ending == "cancelled":
        business.do("opco", "task", "cancel", "t1")
    assert business.refused("opco", "billing", "meter_task", "t1") == "billing.task"


def test_what_is_metered_before_the_first_tariff_is_free_whatever_it_says_later() -> None:
    business = Business()
    business.assessed()
    height = business.chain.height + 9
    business.do("bureau", "tariff", "enact", 1, digest("tariff"), "", [["task", 10**15]], height)
    business.do("insurer", "billing", "meter_task", "t1")
    business.chain.advance(height=9)
    assert business.refused("opco", "billing", "meter_task", "t1") == "billing.metered"
    found = rows(business.ask("bureau", "billing", "entries", 0, 10))
    assert [(e["price_fen"], e["tariff"]) for e in found] == [(0, 0)] * 4


def test_what_the_tariff_does_not_name_is_metered_and_free() -> None:
    business = Business()
    business.assessed()
    enact(business, 1, [["task", 500]])
    business.do("opco", "billing", "meter_task", "t1")
    prices = [e["price_fen"] for e in rows(business.ask("bureau", "billing", "entries", 0, 10))]
    assert prices == [500, 0, 0, 0]


def test_what_is_only_announced_is_withdrawn_and_the_version_before_goes_on() -> None:
    business = Business()
    for before in (0, 1):
        number = 2 * before + 1
        far = business.chain.height + 10**8
        wrong: list[Value] = [number, digest("tariff"), "", [["task", 1]], far]
        business.do("bureau", "tariff", "enact", *wrong)
        right: list[Value] = [number + 1, digest("tariff"), "", PRICES, business.chain.height + 9]
        assert business.refused("board", "tariff", "enact", *right) == "tariff.announced"
        for other in (0, number + 1):
            assert business.refused("board", "tariff", "withdraw", other) == "tariff.number"
        business.do("board", "tariff", "withdraw", number)
        assert business.refused("board", "tariff", "withdraw", number) == "tariff.number"
        assert business.ask_record("bank", "tariff", "show", number)["status"] == "withdrawn"
        price = business.ask_record("bank", "tariff", "price_of", "task")
        assert (price["tariff"], price["price_fen"]) == ((2, 500) if before else (0, 0))
        enact(business, number + 1, PRICES)
        assert business.refused("board", "tariff", "withdraw", number + 1) == "tariff.in_force"
    shown = [business.ask_record("bank", "tariff", "show", number) for number in (1, 2, 3, 4)]
    assert [tariff["status"] for tariff in shown] == [
        "withdrawn",
        "superseded",
        "withdrawn",
        "effective",
    ]
    assert shown[1]["until_height"] == shown[3]["from_height"]
    assert business.ask_record("bank", "tariff", "price_of", "task")["tariff"] == 4


def test_a_delivery_is_metered_when_accepted_by_tariff_or_by_its_agreement() -> None:
    business = priced()
    business.do("opco", "delivery", "offer", "v1", "p1", *OFFER)
    assert business.refused("opco", "billing", "meter_delivery", "v1") == "billing.delivery"
    assert business.refused("opco", "billing", "meter_delivery", "v9") == "delivery.unknown"
    for under, price_fen, tariff in (("", 2_000, 1), ("a1", 10_000, 0)):
        business = delivered(under)
        business.do("insurer", "billing", "meter_delivery", "v1")
        assert business.refused("opco", "billing", "meter_delivery", "v1") == "billing.metered"
        (entry,) = rows(business.ask("opco", "billing", "entries", 0, 10))
        assert (entry["price_fen"], entry["tariff"]) == (price_fen, tariff)
        assert entry["agreement_id"] == under


def test_use_is_reported_by_the_operator_under_an_agreement_in_force_at_the_agreed_service() -> (
    None
):
    business = priced()
    terms = changed(changed(agreed_terms(business), 5, 0), 6, "no-such")
    refused = business.refused("opco", "agreement", "offer", "a1", *terms)
    assert refused == "agreement.tariff"
    agree(business, "a1", 0, "query")
    use: list[Value] = ["a1", 40, digest("log")]
    for position, value, code in (
        (0, "a9", "agreement.unknown"),
        (1, 0, "billing.units"),
        (1, 10**12 + 1, "billing.units"),
        (2, bytes(31), "billing.digest"),
    ):
        bad = changed(use, position, value)
        assert business.refused("opco", "billing", "report_use", *bad) == code
    business.do("opco", "billing", "report_use", *use)
    (entry,) = rows(business.ask("insurer", "billing", "entries", 0, 10))
    assert (entry["units"], entry["price_fen"], entry["digest"]) == (40, 7, digest("log"))
    enact(business, 2, [["task", 500]])
    assert business.refused("opco", "billing", "report_use", *use) == "billing.unpriced"
    business.do("insurer", "agreement", "terminate", "a1", "done")
    assert business.refused("opco", "billing", "report_use", *use) == "billing.unpriced"


def test_a_price_for_deliveries_is_not_charged_for_use_and_one_for_use_not_for_deliveries() -> None:
    business = delivered("a1")
    use: list[Value] = ["a1", 10**12, digest("log")]
    assert business.refused("opco", "billing", "report_use", *use) == "billing.terms"
    agree(business, "a2", 7)
    business.do("opco", "billing", "report_use", *changed(changed(use, 0, "a2"), 1, 3))
    business.do("opco", "delivery", "offer_under", "v2", "p1", *OFFER, "a2")
    business.do("insurer", "delivery", "accept", "v2", digest("payload"), True, "")
    for delivery in ("v1", "v2"):
        business.do("insurer", "billing", "meter_delivery", delivery)
    found = rows(business.ask("insurer", "billing", "entries", 0, 10))
    told = [(e["kind"], e["units"], e["price_fen"]) for e in found]
    assert told == [("use", 3, 7), ("delivery", 1, 10_000), ("delivery", 1, 0)]


def test_the_same_log_is_metered_once_whatever_agreements_the_two_have() -> None:
    business = priced()
    for agreement in ("a1", "a2"):
        agree(business, agreement)
    business.do("opco", "billing", "report_use", "a1", 40, digest("november"))
    for agreement in ("a1", "a2"):
        again: list[Value] = [agreement, 41, digest("november")]
        assert business.refused("opco", "billing", "report_use", *again) == "billing.metered"
    business.do("opco", "billing", "report_use", "a2", 40, digest("december"))
    assert len(rows(business.ask("opco", "billing", "entries", 0, 10))) == 2


def test_statements_take_every_entry_once_in_order_of_time() -> None:
    business = priced()
    business.do("opco", "billing", "meter_task", "t1")
    agree(business, "a1", 3)
    business.pass_time(HOUR_MS)
    noon = business.now_ms
    business.pass_time(HOUR_MS)
    business.do("opco", "billing", "report_use", "a1", 11, digest("log"))
    business.pass_time(HOUR_MS)
    late: list[Value] = ["s0", "insurer", business.now_ms + HOUR_MS]
    assert business.refused("opco", "billing", "issue", *late) == "billing.to"
    business.do("opco", "billing", "issue", "s1", "insurer", noon)
    assert business.refused("opco", "billing", "issue", "s2", "insurer", noon) == "billing.to"
    assert business.refused("opco", "billing", "issue", "s1", "insurer", noon) == "billing.exists"
    business.do("opco", "billing", "issue", "s2", "insurer", business.now_ms)
    totals = []
    for statement in ("s1", "s2"):
        shown = business.ask_record("insurer", "billing", "show", statement)
        told = business.ask("insurer", "billing", "recompute", statement)
        found = rows(business.ask("insurer", "billing", "entries_of", statement, 0, 100))
        assert told == shown["total_fen"] and len(found) == shown["count"]
        totals.append(shown["total_fen"])
    assert totals == [500, 33]
    business.pass_time(HOUR_MS)
    nothing: list[Value] = ["s3", "insurer", business.now_ms]
    assert business.refused("opco", "billing", "issue", *nothing) == "billing.empty"


def test_a_statement_takes_at_most_200_entries_and_the_next_one_goes_on() -> None:
    business = priced()
    agree(business, "a1", 1)
    for number in range(201):
        business.do("opco", "billing", "report_use", "a1", 1, digest(f"log {number}"))
    business.pass_time(HOUR_MS)
    bad: list[Value] = ["S1", "insurer", business.now_ms]
    assert business.refused("opco", "billing", "issue", *bad) == "billing.id"
    now = business.now_ms
    for statement in ("s1", "s2"):
        business.do("opco", "billing", "issue", statement, "insurer", now)
    told = [business.ask_record("opco", "billing", "show", name) for name in ("s1", "s2")]
    assert [statement["count"] for statement in told] == [200, 1]
    assert told[0]["to_ms"] == told[1]["from_ms"] and told[1]["to_ms"] == now
    last = rows(business.ask("opco", "billing", "entries_of", "s1", 199, 1))[0]["metered_ms"]
    assert isinstance(last, int) and told[0]["to_ms"] == last + 1


def test_a_payer_accepts_the_total_that_it_names_and_the_payee_confirms_once() -> None:
    business = stated()
    assert business.refused("insurer", "billing", "accept", "s1", 499) == "billing.total"
    assert business.refused("opco", "payment", "confirm", "s1", digest("slip")) == "payment.status"
    business.do("insurer", "billing", "accept", "s1", 500)
    assert business.refused("insurer", "billing", "contest", "s1", "no") == "billing.status"
    assert business.refused("opco", "payment", "confirm", "s1", bytes(31)) == "payment.digest"
    business.do("opco", "payment", "confirm", "s1", digest("slip"))
    assert business.refused("opco", "payment", "confirm", "s1", digest("slip")) == "payment.status"
    assert business.ask_record("insurer", "billing", "show", "s1")["status"] == "paid"


def test_a_contested_statement_is_settled_by_a_manager_up_to_its_total() -> None:
    business = stated()
    assert business.refused("bureau", "billing", "settle", "s1", 1, "x") == "billing.status"
    assert business.refused("insurer", "billing", "contest", "s1", "") == "billing.reason"
    business.do("insurer", "billing", "contest", "s1", "it took two days")
    for due, text, code in (
        (-1, "x", "billing.due"),
        (501, "x", "billing.due"),
        (400, "", "billing.settlement"),
    ):
        assert business.refused("bureau", "billing", "settle", "s1", due, text) == code
    business.do("bureau", "billing", "settle", "s1", 400, "late by the agreement")
    shown = business.ask_record("opco", "billing", "show", "s1")
    assert (shown["status"], shown["due_fen"], shown["total_fen"]) == ("settled", 400, 500)
    business.do("opco", "payment", "confirm", "s1", digest("slip"))


def test_pages_and_unknown_statements_are_refused() -> None:
    business = stated()
    for view, args in (("list", []), ("entries", []), ("entries_of", ["s1"])):
        assert business.denied("opco", "billing", view, *args, 0, 101) == "billing.page"
    assert business.denied("opco", "billing", "show", "s9") == "billing.unknown"
    assert business.ask("bank", "billing", "list", 0, 10) == []


MONTH_MS = 30 * 24 * HOUR_MS


def status_of(business: Business, statement: str = "s1") -> Value:
    return business.ask_record("insurer", "billing", "show", statement)["status"]


def test_a_statement_that_nobody_answers_is_overdue_and_agrees_to_nothing() -> None:
    business = stated()
    business.pass_time(MONTH_MS - HOUR_MS)
    assert status_of(business) == "issued"
    refused = business.refused("bureau", "billing", "settle", "s1", 1, "silence")
    assert refused == "billing.status", "it may still be answered"
    business.pass_time(HOUR_MS)
    assert status_of(business) == "overdue"
    listed = rows(business.ask("opco", "billing", "list", 0, 10))
    assert [row["status"] for row in listed] == ["overdue"]
    assert business.refused("opco", "payment", "confirm", "s1", digest("slip")) == "payment.status"
    business.do("bureau", "billing", "settle", "s1", 500, "not answered in time")
    assert status_of(business) == "settled"
    business.do("opco", "payment", "confirm", "s1", digest("slip"))


@pytest.mark.parametrize(
    ("method", "word", "then"), [("accept", 500, "accepted"), ("contest", "late", "contested")]
)
def test_a_payer_may_still_answer_what_is_overdue(method: str, word: Value, then: str) -> None:
    business = stated()
    business.pass_time(2 * MONTH_MS)
    business.do("insurer", "billing", method, "s1", word)
    assert status_of(business) == then


@pytest.mark.parametrize("end", ["ended", "terminated"])
def test_use_before_the_end_of_an_agreement_is_reported_within_a_month_after_it(end: str) -> None:
    business = priced()
    agree(business, "a1")
    if end == "terminated":
        business.do("insurer", "agreement", "terminate", "a1", "done")
    else:
        business.pass_time(20 * HOUR_MS)
    assert business.ask_record("opco", "agreement", "show", "a1")["status"] == end
    business.do("opco", "billing", "report_use", "a1", 3, digest("the last day"))
    business.pass_time(MONTH_MS - 1000)
    business.do("opco", "billing", "report_use", "a1", 2, digest("found later"))
    business.pass_time(1000)
    late = business.refused("opco", "billing", "report_use", "a1", 1, digest("too late"))
    assert late == "billing.agreement"


def test_use_under_an_agreement_that_was_never_in_force_is_never_billed() -> None:
    business = priced()
    business.do("opco", "agreement", "offer", "a1", *agreed_terms(business))
    use: list[Value] = ["a1", 1, digest("log")]
    assert business.refused("opco", "billing", "report_use", *use) == "billing.agreement"
    business.pass_time(21 * HOUR_MS)
    assert business.refused("opco", "billing", "report_use", *use) == "billing.agreement"
