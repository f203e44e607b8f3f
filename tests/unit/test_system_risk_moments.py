"""Each check at the moment, or the measure, from which on it finds something."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ledger.values import Value
from tests.business import HOUR_MS, STRANGER, Business, changed, dataset_of, digest
from tests.platform import accepted, in_service, registered
from tests.unit.test_system_billing import stated
from tests.unit.test_system_risk import DAY_MS, looked


def limit(business: Business, check: str) -> int:
    found = business.ask_record("bank", "rules", "limit_of", check)["limit"]
    assert isinstance(found, int)
    return found


def number(business: Business, contract: str, view: str, subject: str, field: str) -> int:
    found = business.ask_record("bureau", contract, view, subject)[field]
    assert isinstance(found, int)
    return found


def at(business: Business, moment_ms: int) -> None:
    business.pass_time(moment_ms - business.now_ms)


# --- what comes due -------------------------------------------------------------------------------


def test_an_offer_is_unanswered_after_its_hours() -> None:
    business = Business()
    business.offered()
    hours = limit(business, "delivery_unanswered")
    due_ms = number(business, "delivery", "show", "v1", "offered_ms") + hours * HOUR_MS
    at(business, due_ms - 1)
    assert looked(business, "delivery_unanswered", "v1") == ("insurer", hours - 1, False)
    at(business, due_ms)
    assert looked(business, "delivery_unanswered", "v1") == ("insurer", hours, True)


def test_a_bill_is_unanswered_after_its_hours() -> None:
    business = stated()
    hours = limit(business, "bill_unanswered")
    due_ms = number(business, "billing", "show", "s1", "issued_ms") + hours * HOUR_MS
    at(business, due_ms - 1)
    assert looked(business, "bill_unanswered", "s1") == ("insurer", hours - 1, False)
    at(business, due_ms)
    assert looked(business, "bill_unanswered", "s1") == ("insurer", hours, True)


def test_who_owes_nothing_is_late_by_no_day() -> None:
    business = Business()
    business.collecting()
    business.pass_time(9 * DAY_MS)
    assert looked(business, "collection_late", "d1/archive") == ("archive", 0, False)


# --- what comes to an end -------------------------------------------------------------------------


def test_a_grant_is_near_its_end_in_its_last_hours_and_not_after_them() -> None:
    business = Business()
    business.granted(hours=24 * 30)
    hours = limit(business, "expiry_near")
    end_ms = number(business, "grant", "show", "g1", "expires_ms")
    for moment_ms, measured, is_due in (
        (end_ms - hours * HOUR_MS, hours, False),
        (end_ms - hours * HOUR_MS + 1, hours - 1, True),
        (end_ms - 1, 0, True),
        (end_ms, 0, False),
    ):
        at(business, moment_ms)
        assert looked(business, "expiry_near", "g1") == ("opco", measured, is_due)


@pytest.mark.parametrize("end", ["expired", "revoked"])
def test_a_grant_that_is_over_is_neither_used_up_nor_near_its_end(end: str) -> None:
    business = Business()
    business.created(uses_max=1)
    assert looked(business, "quota_used", "g1") == ("opco", 100, True)
    if end == "revoked":
        business.do("bureau", "grant", "revoke", "g1", "misuse")
    else:
        business.pass_time(25 * HOUR_MS)
    for check in ("quota_used", "expiry_near"):
        assert looked(business, check, "g1")[2] is False


def test_uses_are_of_one_day_to_the_millisecond() -> None:
    business = Business()
    business.created(uses_max=9)
    limits: list[Value] = [["unusual_rate", 1, "warning"]]
    plan: list[Value] = ["p", "monitoring", "development", "Plan", digest("plan"), "", limits]
    business.do("opco", "rules", "draft", *plan)
    business.do("bureau", "rules", "enact", "p", 1, digest("plan"), business.chain.height + 2)
    business.chain.advance(height=2)
    created_ms = number(business, "task", "outcome", "t1", "created_ms")
    business.do("opco", "task", "create", *business.order("t2"))
    at(business, created_ms + DAY_MS - 1)
    assert looked(business, "unusual_rate", "g1")[2] is True
    at(business, created_ms + DAY_MS)
    assert looked(business, "unusual_rate", "g1")[2] is False


def test_a_certificate_ends_soon_until_it_has_ended() -> None:
    business = Business()
    in_service(business)
    days = limit(business, "asset_expiring")
    end_ms = number(business, "asset", "show", "hsm-1", "certificate_until_ms")
    for moment_ms, measured, is_soon, is_over in (
        (end_ms - days * DAY_MS, days, False, False),
        (end_ms - days * DAY_MS + 1, days - 1, True, False),
        (end_ms - 1, 0, True, False),
        (end_ms, 0, False, True),
    ):
        at(business, moment_ms)
        assert looked(business, "asset_expiring", "hsm-1") == ("opco", measured, is_soon)
        assert looked(business, "asset_expired", "hsm-1") == ("opco", 1, is_over)


@pytest.mark.parametrize(
    ("check", "kind"), [("work_unreported", "build"), ("work_overdue", "operate")]
)
def test_what_is_not_owed_is_not_late(check: str, kind: str) -> None:
    business = Business()
    accepted(business, kind)
    business.pass_time(400 * DAY_MS)
    assert looked(business, check, "k1") == ("devhouse", 0, False)


# --- what is measured -----------------------------------------------------------------------------


@pytest.mark.parametrize("check", ["quality_fallen", "quantity_fallen"])
def test_nobody_waits_for_better_rows_of_what_was_retired(check: str) -> None:
    business = Business()
    business.catalogued()
    subject = dataset_of("health")
    business.do("health", "catalog", "update", subject, 1, digest("few"), [["accuracy", 1]])
    assert looked(business, check, subject)[2] is True
    business.do("health", "catalog", "retire", subject, "outdated")
    assert looked(business, check, subject)[2] is False


def a_product(business: Business) -> None:
    business.registered()


def assessed(level: int, k: int, mean_ppm: int, threshold_ppm: int) -> Callable[[Business], None]:
    def act(business: Business) -> None:
        business.registered()
        figures: list[Value] = [level, k, mean_ppm, threshold_ppm]
        words: list[Value] = [digest("result"), ["statistics"], *figures, digest("r"), ""]
        business.do("opco", "deidentification", "assess", "s1", "p1", *words)

    return act


@pytest.mark.parametrize(
    ("prepare", "check", "measured", "is_due"),
    [
        (a_product, "identity_risk", 0, False),  # nobody has assessed it
        (a_product, "small_group", 0, False),
        (assessed(3, 20, 9, 50_000), "identity_risk", 50_000, False),  # as high as it may be
        (assessed(2, 100, 9, 5_000), "identity_risk", 10_000, True),  # low, but of level 2
        (assessed(4, 5, 9, 200_000), "small_group", 5, False),
        (assessed(4, 4, 9, 250_000), "small_group", 4, True),
    ],
)
def test_a_result_leads_back_to_persons_from_its_limits_on(
    prepare: Callable[[Business], None], check: str, measured: int, is_due: bool
) -> None:
    business = Business()
    prepare(business)
    assert looked(business, check, "p1") == ("opco", measured, is_due)


def test_who_may_open_a_result_is_answered_with_true() -> None:
    business = Business()
    business.granted()
    asked = changed(["g1", bytes(64)], 1, business.order()[5])
    assert business.ask("opco", "risk", "ensure_receiver", *asked) is True


def test_a_registered_asset_is_not_in_use() -> None:
    business = Business()
    registered(business, days=1)
    business.pass_time(DAY_MS)
    for check in ("asset_expiring", "asset_expired"):
        assert looked(business, check, "hsm-1")[2] is False
    assert business.denied(STRANGER, "risk", "look", "asset_expired", "hsm-1") == "risk.reader"
