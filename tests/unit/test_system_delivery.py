"""Products and deliveries: from a finished task only, to the consumer who asked, byte for byte."""

from __future__ import annotations

import pytest

from ledger.values import Value
from tests.business import HOUR_MS, OFFER, STRANGER, Business, changed, digest

PRODUCT: list[Value] = ["p1", "t1", "Claims by plan", "", digest("result")]
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
