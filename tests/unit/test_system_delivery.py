"""Products and deliveries: from a finished task only, to the consumer who asked, byte for byte."""

from __future__ import annotations

import pytest

from ledger.values import Value
from tests.business import HOUR_MS, OFFER, SCENARIO, STRANGER, Business, changed, digest

PRODUCT: list[Value] = ["p1", "t1", "Claims by plan", "", digest("result"), "statistics"]
ANSWER: list[Value] = ["v1", digest("payload"), True, ""]


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "", "product.id"),
        (0, "P1", "product.id"),
        (0, "p" * 65, "product.id"),
        (1, "t9", "task.unknown"),
        (2, "", "product.title"),
        (2, "t" * 129, "product.title"),
        (3, "d" * 2049, "product.description"),
        (4, bytes(31), "product.result_digest"),
        (4, bytes(33), "product.result_digest"),
        (5, "", "product.output"),
        (5, "A table", "product.output"),
        (5, "model", "product.beyond"),
    ],
)
def test_a_malformed_product_is_not_registered(position: int, value: Value, code: str) -> None:
    business = Business()
    business.finished()
    bad = changed(PRODUCT, position, value)
    assert business.refused("opco", "product", "register", *bad) == code


@pytest.mark.parametrize("ending", ["created", "running", "cancelled", "failed"])
def test_only_a_finished_task_makes_a_product(ending: str) -> None:
    business = Business()
    if ending == "created":
        business.created()
    else:
        business.running()
    if ending == "cancelled":
        business.do("opco", "task", "cancel", "t1")
    if ending == "failed":
        business.do("opco", "task", "fail", "t1", "out of memory")
    assert business.refused("opco", "product", "register", *PRODUCT) == "product.task"


def test_a_product_id_is_given_once() -> None:
    business = Business()
    business.registered()
    assert business.refused("opco", "product", "register", *PRODUCT) == "product.exists"


def test_a_product_keeps_its_lineage() -> None:
    business = Business()
    business.assessed()
    shown = business.ask_record("insurer", "product", "show", "p1")
    assert (shown["task_id"], shown["grant_id"]) == ("t1", "g1")
    assert (shown["operator"], shown["consumer"]) == ("opco", "insurer")
    assert (shown["status"], shown["manager"]) == ("approved", "bureau")


def test_a_product_is_assessed_once_and_a_refusal_says_why() -> None:
    business = Business()
    business.registered()
    approve: list[Value] = ["p1", False, ""]
    assert business.refused("bureau", "product", "approve", *approve) == "product.note"
    long_note: list[Value] = ["p1", True, "n" * 1025]
    assert business.refused("bureau", "product", "approve", *long_note) == "product.note"
    business.do("bureau", "product", "approve", "p1", False, "small cells identify people")
    assert business.refused("board", "product", "approve", "p1", True, "") == "product.status"
    offer = business.refused("opco", "delivery", "offer", "v1", "p1", *OFFER)
    assert offer == "delivery.product"


def test_unknown_products_are_named_as_such() -> None:
    business = Business()
    assert business.refused("bureau", "product", "approve", "p9", True, "") == "product.unknown"
    assert business.refused("opco", "delivery", "offer", "v1", "p9", *OFFER) == "product.unknown"
    assert business.denied("bank", "product", "show", "p9") == "product.unknown"


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "", "delivery.id"),
        (0, "V1", "delivery.id"),
        (0, "v" * 65, "delivery.id"),
        (2, "bank", "delivery.consumer"),
        (2, "nobody", "delivery.consumer"),
        (3, bytes(31), "delivery.agreement"),
        (3, bytes(33), "delivery.agreement"),
        (4, bytes(31), "delivery.payload"),
        (4, bytes(33), "delivery.payload"),
    ],
)
def test_a_malformed_offer_is_refused(position: int, value: Value, code: str) -> None:
    business = Business()
    business.assessed()
    bad = changed(["v1", "p1", *OFFER], position, value)
    assert business.refused("opco", "delivery", "offer", *bad) == code


def test_an_unassessed_product_is_not_delivered() -> None:
    business = Business()
    business.registered()
    offer = business.refused("opco", "delivery", "offer", "v1", "p1", *OFFER)
    assert offer == "delivery.product"


def test_a_delivery_id_is_given_once() -> None:
    business = Business()
    business.offered()
    offer = business.refused("opco", "delivery", "offer", "v1", "p1", *OFFER)
    assert offer == "delivery.exists"


def test_a_suspended_consumer_is_offered_nothing() -> None:
    business = Business()
    business.assessed()
    business.suspend("insurer")
    offer = business.refused("opco", "delivery", "offer", "v1", "p1", *OFFER)
    assert offer == "delivery.suspended"


def test_no_offer_under_a_grant_that_ended() -> None:
    business = Business()
    business.assessed()
    business.pass_time(24 * HOUR_MS)
    offer = business.refused("opco", "delivery", "offer", "v1", "p1", *OFFER)
    assert offer == "grant.expired"
    business.do("bureau", "grant", "revoke", "g1", "misuse")
    offer = business.refused("opco", "delivery", "offer", "v1", "p1", *OFFER)
    assert offer == "grant.revoked"


@pytest.mark.parametrize("end", ["revoked", "expired", "suspended"])
def test_no_delivery_completes_under_a_grant_that_ended(end: str) -> None:
    business = Business()
    business.offered()
    if end == "revoked":
        business.do("bureau", "grant", "revoke", "g1", "misuse")
    elif end == "expired":
        business.pass_time(24 * HOUR_MS)
    else:
        business.suspend("opco")
    assert business.refused("insurer", "delivery", "accept", *ANSWER) == f"grant.{end}"
    reject: list[Value] = ["v1", digest("payload"), False, "the grant ended"]
    business.do("insurer", "delivery", "accept", *reject)
    assert business.ask_record("bureau", "delivery", "show", "v1")["status"] == "rejected"


def test_a_used_up_grant_still_delivers_what_was_made_under_it() -> None:
    business = Business()
    business.running(uses_max=1)
    for supplier in ("health", "social", "civil"):
        business.report(supplier)
    business.do("opco", "product", "register", *PRODUCT)
    business.do("bureau", "product", "approve", "p1", True, "")
    business.do("opco", "delivery", "offer", "v1", "p1", *OFFER)
    business.do("insurer", "delivery", "accept", *ANSWER)


def test_only_the_offered_bytes_are_accepted() -> None:
    business = Business()
    business.offered()
    other = changed(ANSWER, 1, digest("other bytes"))
    assert business.refused("insurer", "delivery", "accept", *other) == "delivery.digest"
    events = business.do("insurer", "delivery", "accept", *ANSWER)
    assert [name for name, _fields in events] == ["DeliveryAnswered"]
    assert events[0][1]["accepted"] is True
    shown = business.ask_record("insurer", "delivery", "show", "v1")
    assert (shown["status"], shown["received_digest"]) == ("accepted", digest("payload"))


def test_an_offer_that_nobody_answered_is_withdrawn_by_its_operator_with_a_reason() -> None:
    business = Business()
    business.offered()
    for who, code in (("rival", "delivery.owner"), ("insurer", "delivery.role")):
        assert business.refused(who, "delivery", "withdraw", "v1", "mistaken") == code
    for reason in ("", "r" * 1025):
        assert business.refused("opco", "delivery", "withdraw", "v1", reason) == "delivery.reason"
    assert business.refused("opco", "delivery", "withdraw", "v9", "why") == "delivery.unknown"
    events = business.do("opco", "delivery", "withdraw", "v1", "the wrong bytes")
    assert [name for name, _fields in events] == ["DeliveryWithdrawn"]
    assert (events[0][1]["consumer"], events[0][1]["reason"]) == ("insurer", "the wrong bytes")
    shown = business.ask_record("insurer", "delivery", "show", "v1")
    assert (shown["status"], shown["note"]) == ("withdrawn", "the wrong bytes")
    assert shown["received_digest"] == b""


def test_what_was_withdrawn_is_not_answered_used_charged_or_withdrawn_again() -> None:
    business = Business()
    business.offered()
    business.do("opco", "delivery", "withdraw", "v1", "the wrong bytes")
    for answer in (ANSWER, ["v1", digest("payload"), False, "late"]):
        assert business.refused("insurer", "delivery", "accept", *answer) == "delivery.status"
    assert business.refused("opco", "delivery", "withdraw", "v1", "again") == "delivery.status"
    business.pass_time(HOUR_MS)
    assert business.refused("insurer", "delivery", "report_use", *used(business)) == (
        "delivery.status"
    )
    assert business.refused("opco", "billing", "meter_delivery", "v1") == "billing.delivery"
    again = business.refused("opco", "delivery", "offer", "v1", "p1", *OFFER)
    assert again == "delivery.exists", "its id stays on record"
    business.do("opco", "delivery", "offer", "v2", "p1", *OFFER)


@pytest.mark.parametrize("accepted", [True, False])
def test_what_was_answered_is_not_withdrawn(accepted: bool) -> None:
    business = Business()
    business.offered()
    business.do("insurer", "delivery", "accept", "v1", digest("payload"), accepted, "seen")
    assert business.refused("opco", "delivery", "withdraw", "v1", "late") == "delivery.status"


def test_an_offer_is_withdrawn_also_when_its_grant_has_ended() -> None:
    business = Business()
    business.offered()
    business.do("bureau", "grant", "revoke", "g1", "misuse")
    business.do("opco", "delivery", "withdraw", "v1", "the grant ended")


def test_nobody_waits_for_the_answer_to_what_was_withdrawn() -> None:
    business = Business()
    business.offered()
    business.do("opco", "delivery", "withdraw", "v1", "the wrong bytes")
    business.pass_time(99 * 24 * HOUR_MS)
    for check in ("delivery_unanswered", "delivery_rejected", "use_unreported"):
        assert business.ask_record("bureau", "risk", "look", check, "v1")["is_due"] is False, check


def test_other_bytes_can_be_rejected_and_stay_on_record() -> None:
    business = Business()
    business.offered()
    no_reason: list[Value] = ["v1", digest("other"), False, ""]
    assert business.refused("insurer", "delivery", "accept", *no_reason) == "delivery.note"
    events = business.do("insurer", "delivery", "accept", *changed(no_reason, 3, "garbled"))
    assert (events[0][1]["accepted"], events[0][1]["is_match"]) == (False, False)
    assert business.ask_record("opco", "delivery", "show", "v1")["received_digest"] == digest(
        "other"
    )


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "v9", "delivery.unknown"),
        (1, bytes(31), "delivery.received"),
        (1, bytes(33), "delivery.received"),
        (3, "n" * 1025, "delivery.note"),
    ],
)
def test_a_malformed_answer_is_refused(position: int, value: Value, code: str) -> None:
    business = Business()
    business.offered()
    bad = changed(ANSWER, position, value)
    assert business.refused("insurer", "delivery", "accept", *bad) == code


def test_a_delivery_is_answered_once() -> None:
    business = Business()
    business.offered()
    business.do("insurer", "delivery", "accept", *ANSWER)
    assert business.refused("insurer", "delivery", "accept", *ANSWER) == "delivery.status"


def test_a_delivery_is_read_by_its_two_parties_and_the_manager() -> None:
    business = Business()
    business.offered()
    for who in ("opco", "insurer", "bureau", "board"):
        business.ask(who, "delivery", "show", "v1")
        page = business.ask(who, "delivery", "list", 0, 100)
        assert isinstance(page, list) and len(page) == 1
    for who in ("rival", "bank", "health"):
        assert business.denied(who, "delivery", "show", "v1") == "delivery.reader"
        assert business.ask(who, "delivery", "list", 0, 100) == []
    assert business.denied(STRANGER, "delivery", "show", "v1") == "delivery.reader"
    assert business.denied("opco", "delivery", "show", "v9") == "delivery.unknown"
    for offset, limit in [(-1, 1), (0, 0), (0, 101)]:
        assert business.denied("opco", "delivery", "list", offset, limit) == "delivery.page"
        assert business.denied("opco", "product", "list", offset, limit) == "product.page"


PREPARED: list[Value] = ["v1", "p1", "enclave", "medium", digest("diligence"), "seen"]


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "V1", "delivery.id"),
        (1, "p9", "product.unknown"),
        (2, "pigeon", "delivery.channel"),
        (3, "none", "delivery.risk"),
        (4, bytes(31), "delivery.diligence"),
        (5, "n" * 1025, "delivery.note"),
    ],
)
def test_a_malformed_preparation_is_refused(position: int, value: Value, code: str) -> None:
    business = Business()
    business.registered()
    bad = changed(PREPARED, position, value)
    assert business.refused("opco", "delivery", "prepare", *bad) == code


def test_an_offer_carries_what_was_prepared_for_it_last() -> None:
    business = Business()
    business.assessed()
    assert business.ask("opco", "delivery", "diligence", "v1") is None
    business.do("opco", "delivery", "prepare", *PREPARED)
    business.do("opco", "delivery", "prepare", *changed(PREPARED, 3, "high"))
    business.do("opco", "delivery", "offer", "v1", "p1", *OFFER)
    shown = business.ask_record("insurer", "delivery", "show", "v1")
    assert (shown["channel"], shown["risk"]) == ("enclave", "high")
    assert shown["diligence_digest"] == digest("diligence")
    seen = business.ask_record("insurer", "delivery", "diligence", "v1")
    assert (seen["note"], seen["operator"]) == ("seen", "opco")
    late = business.refused("opco", "delivery", "prepare", *PREPARED)
    assert late == "delivery.exists"
    business.do("opco", "delivery", "offer", "v2", "p1", *OFFER)
    shown = business.ask_record("insurer", "delivery", "show", "v2")
    assert (shown["channel"], shown["risk"], shown["diligence_digest"]) == ("", "", b"")


def test_what_was_prepared_for_one_product_is_not_offered_with_another() -> None:
    business = Business()
    business.assessed()
    business.do("opco", "product", "register", *changed(PRODUCT, 0, "p2"))
    business.do("opco", "delivery", "prepare", *changed(PREPARED, 1, "p2"))
    code = business.refused("opco", "delivery", "prepare", *PREPARED)
    assert code == "delivery.prepared"
    code = business.refused("opco", "delivery", "offer", "v1", "p1", *OFFER)
    assert code == "delivery.prepared"


def test_diligence_before_the_offer_is_seen_by_its_operator_and_managers_alone() -> None:
    business = Business()
    business.registered()
    business.do("opco", "delivery", "prepare", *PREPARED)
    for who in ("opco", "bureau", "board"):
        assert business.ask_record(who, "delivery", "diligence", "v1")["risk"] == "medium"
    for who in ("insurer", "rival", "health"):
        assert business.denied(who, "delivery", "diligence", "v1") == "delivery.reader"


def used(business: Business, **words: Value) -> list[Value]:
    """The arguments of delivery.report_use for the last hour."""
    plain: dict[str, Value] = {
        "delivery_id": "v1",
        "from_ms": business.now_ms - HOUR_MS,
        "to_ms": business.now_ms,
        "uses": 12,
        "scenario": SCENARIO,
        "digest": digest("log"),
        "note": "",
    }
    return list({**plain, **words}.values())


def accepted() -> Business:
    """Delivered two hours ago."""
    business = Business()
    business.offered()
    business.do("insurer", "delivery", "accept", "v1", digest("payload"), True, "")
    business.pass_time(2 * HOUR_MS)
    return business


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({"delivery_id": "v9"}, "delivery.unknown"),
        ({"from_ms": 0}, "delivery.period"),
        ({"from_ms": 2**60}, "delivery.period"),
        ({"to_ms": 2**60}, "delivery.period"),
        ({"uses": -1}, "delivery.uses"),
        ({"uses": 10**12 + 1}, "delivery.uses"),
        ({"scenario": ""}, "delivery.scenario"),
        ({"scenario": "s" * 513}, "delivery.scenario"),
        ({"digest": bytes(31)}, "delivery.log"),
        ({"note": "n" * 1025}, "delivery.note"),
    ],
)
def test_a_malformed_report_of_use_is_refused(words: dict[str, Value], code: str) -> None:
    business = accepted()
    said = used(business, **words)
    assert business.refused("insurer", "delivery", "report_use", *said) == code


@pytest.mark.parametrize("accepted", [None, False])
def test_only_what_was_accepted_is_used(accepted: bool | None) -> None:
    business = Business()
    business.offered()
    if accepted is not None:
        business.do("insurer", "delivery", "accept", "v1", digest("torn"), accepted, "torn")
    business.pass_time(2 * HOUR_MS)
    code = business.refused("insurer", "delivery", "report_use", *used(business))
    assert code == "delivery.status"


def test_a_report_of_use_leaves_no_more_than_a_day_out() -> None:
    business = accepted()
    accepted_ms = business.now_ms - 2 * HOUR_MS
    business.pass_time(100 * 24 * HOUR_MS)
    late = used(business, uses=0)
    assert business.refused("insurer", "delivery", "report_use", *late) == "delivery.period"
    shown = business.ask_record("bureau", "risk", "look", "use_unreported", "v1")
    assert (shown["measured"], shown["is_due"]) == (100, True), "it has told nothing yet"
    day_ms = 24 * HOUR_MS
    beyond = used(business, from_ms=accepted_ms + day_ms)
    assert business.refused("insurer", "delivery", "report_use", *beyond) == "delivery.period"
    business.do("insurer", "delivery", "report_use", *changed(beyond, 1, accepted_ms + day_ms - 1))


def test_use_is_reported_period_by_period_also_after_the_grant_is_revoked() -> None:
    business = accepted()
    business.do("insurer", "delivery", "report_use", *used(business))
    again = business.refused("insurer", "delivery", "report_use", *used(business))
    assert again == "delivery.period", "this hour is told already"
    business.do("bureau", "grant", "revoke", "g1", "misuse")
    business.pass_time(HOUR_MS)
    told = business.do("insurer", "delivery", "report_use", *used(business, scenario="training"))
    assert [(name, event["is_within"]) for name, event in told] == [("UseReported", False)]
    shown = business.ask_record("opco", "delivery", "show", "v1")
    assert (shown["reports"], shown["strayed"], shown["used_ms"]) == (2, 1, business.now_ms - 1)
    found = business.ask("opco", "delivery", "uses_of", "v1", 0, 9)
    assert isinstance(found, list)
    assert [row["is_within"] for row in found if isinstance(row, dict)] == [True, False]
    assert business.denied("opco", "delivery", "uses_of", "v1", 0, 101) == "delivery.page"
