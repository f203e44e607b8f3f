"""Payments: a payee that says nothing, or denies, leaves no debt open for ever."""

from __future__ import annotations

import pytest

from ledger.values import Value
from tests.business import HOUR_MS, STRANGER, Business, digest
from tests.business_steps import (
    a_contested_statement,
    a_denied_payment,
    a_remitted_statement,
    a_settled_statement,
    a_statement,
)
from tests.unit.test_system_own_judge import HUB, made

SLIP, OTHER = digest("slip"), digest("other slip")
MONTH_MS = 30 * 24 * HOUR_MS


def due() -> Business:
    """The statement s1 of opco to insurer, settled at 400 fen."""
    business = Business()
    a_settled_statement(business)
    return business


def remitted() -> Business:
    business = Business()
    a_remitted_statement(business)
    return business


def denied() -> Business:
    business = Business()
    a_denied_payment(business)
    return business


def unconfirmed() -> Business:
    business = remitted()
    business.pass_time(MONTH_MS)
    return business


def standing(business: Business) -> Value:
    return business.ask_record("insurer", "billing", "show", "s1")["status"]


def test_only_what_is_due_is_remitted_by_its_payer_once() -> None:
    business = due()
    for who in ("opco", "bureau", "bank", STRANGER):
        assert business.refused(who, "payment", "remit", "s1", SLIP) == "payment.payer"
    for size in (0, 31, 33):
        assert business.refused("insurer", "payment", "remit", "s1", bytes(size)) == (
            "payment.digest"
        )
    assert business.refused("insurer", "payment", "remit", "s9", SLIP) == "billing.unknown"
    business.do("insurer", "payment", "remit", "s1", SLIP)
    assert standing(business) == "remitted"
    assert business.refused("insurer", "payment", "remit", "s1", SLIP) == "payment.status"


@pytest.mark.parametrize("state", ["issued", "contested"])
def test_nothing_is_remitted_or_confirmed_of_what_is_not_agreed_on(state: str) -> None:
    business = Business()
    (a_statement if state == "issued" else a_contested_statement)(business)
    assert business.refused("insurer", "payment", "remit", "s1", SLIP) == "payment.status"
    assert business.refused("opco", "payment", "confirm", "s1", SLIP) == "payment.status"
    assert business.refused("opco", "payment", "deny", "s1", "no") == "payment.status"
    assert business.refused("bureau", "payment", "conclude", "s1", True, "x") == "payment.status"


def test_the_payee_confirms_what_was_remitted_and_that_is_the_end() -> None:
    business = remitted()
    for who in ("insurer", "bureau", "health", STRANGER):
        assert business.refused(who, "payment", "confirm", "s1", SLIP) == "payment.payee"
    business.do("opco", "payment", "confirm", "s1", OTHER)
    shown = business.ask_record("insurer", "billing", "show", "s1")
    assert (shown["status"], shown["receipt_digest"]) == ("paid", OTHER)
    assert business.refused("insurer", "payment", "remit", "s1", SLIP) == "payment.status"
    assert business.refused("opco", "payment", "deny", "s1", "no") == "payment.status"
    business.pass_time(2 * MONTH_MS)
    assert business.refused("bureau", "payment", "conclude", "s1", False, "x") == "payment.status"
    assert standing(business) == "paid"


def test_silence_of_a_payee_agrees_to_nothing_and_lets_a_manager_conclude() -> None:
    business = remitted()
    business.pass_time(MONTH_MS - HOUR_MS)
    early = business.refused("bureau", "payment", "conclude", "s1", True, "the bank says so")
    assert (early, standing(business)) == ("payment.status", "remitted")
    business.pass_time(HOUR_MS)
    assert standing(business) == "unconfirmed"
    listed = business.ask("opco", "billing", "list", 0, 10)
    assert isinstance(listed, list) and isinstance(listed[0], dict)
    assert listed[0]["status"] == "unconfirmed"
    for reason in ("", "r" * 1025):
        refused = business.refused("bureau", "payment", "conclude", "s1", True, reason)
        assert refused == "payment.conclusion"
    for who in ("opco", "insurer", "rival", STRANGER):
        refused = business.refused(who, "payment", "conclude", "s1", True, "why")
        assert refused == "payment.role"
    business.do("bureau", "payment", "conclude", "s1", True, "the bank says so")
    shown = business.ask_record("opco", "billing", "show", "s1")
    assert (shown["status"], shown["receipt_digest"]) == ("paid", SLIP)
    said = business.ask_record("opco", "payment", "show", "s1")
    assert (said["conclusion"], said["concluder"]) == ("the bank says so", "bureau")


@pytest.mark.parametrize("end", ["suspend", "revoke"])
def test_a_payee_that_can_answer_no_more_leaves_no_debt(end: str) -> None:
    business = Business(("board", "health"))  # who runs a node is not revoked
    a_remitted_statement(business)
    business.do("bureau", "parties", end, "opco", "gone")
    assert business.refused("opco", "payment", "confirm", "s1", SLIP) == "payment.payee"
    business.pass_time(MONTH_MS)
    business.do("board", "payment", "conclude", "s1", True, "the bank says so")
    assert standing(business) == "paid"


def test_a_payee_may_still_confirm_or_deny_late() -> None:
    business = unconfirmed()
    business.do("opco", "payment", "confirm", "s1", SLIP)
    assert standing(business) == "paid"
    business = unconfirmed()
    business.do("opco", "payment", "deny", "s1", "it never came")
    assert standing(business) == "denied"


def test_a_denial_has_a_reason_and_is_said_once() -> None:
    business = remitted()
    for who in ("insurer", "bureau", "health", STRANGER):
        assert business.refused(who, "payment", "deny", "s1", "no") == "payment.payee"
    for reason in ("", "r" * 1025):
        assert business.refused("opco", "payment", "deny", "s1", reason) == "payment.reason"
    business.do("opco", "payment", "deny", "s1", "it never came")
    assert business.refused("opco", "payment", "deny", "s1", "again") == "payment.status"
    assert business.refused("insurer", "payment", "remit", "s1", OTHER) == "payment.status"
    business.pass_time(2 * MONTH_MS)
    assert standing(business) == "denied"
    business.do("opco", "payment", "confirm", "s1", SLIP)
    assert standing(business) == "paid", "it came late"


def test_what_a_manager_finds_unpaid_is_due_again_and_may_be_remitted_anew() -> None:
    business = denied()
    business.do("bureau", "payment", "conclude", "s1", False, "another account was paid")
    shown = business.ask_record("opco", "billing", "show", "s1")
    assert (shown["status"], shown["due_fen"], shown["receipt_digest"]) == ("settled", 400, b"")
    assert business.refused("bureau", "payment", "conclude", "s1", True, "x") == "payment.status"
    business.do("insurer", "payment", "remit", "s1", OTHER)
    said = business.ask_record("opco", "payment", "show", "s1")
    assert (said["receipt_digest"], said["denial"], said["conclusion"]) == (OTHER, "", "")
    business.do("opco", "payment", "confirm", "s1", OTHER)
    assert standing(business) == "paid"


def test_what_was_accepted_is_accepted_again_when_nothing_was_paid() -> None:
    business = Business()
    a_statement(business)
    total = business.ask_record("insurer", "billing", "show", "s1")["total_fen"]
    business.do("insurer", "billing", "accept", "s1", total)
    business.do("insurer", "payment", "remit", "s1", SLIP)
    business.do("opco", "payment", "deny", "s1", "it never came")
    business.do("board", "payment", "conclude", "s1", False, "no bank knows of it")
    assert standing(business) == "accepted"


def test_no_manager_decides_on_a_payment_of_its_own() -> None:
    business = made(consumer=HUB, operator="opco", role="consumer")
    business.do("opco", "billing", "meter_task", "t1")
    business.pass_time(HOUR_MS)
    business.do("opco", "billing", "issue", "s1", HUB, business.now_ms)
    business.do(HUB, "billing", "accept", "s1", 0)
    business.do(HUB, "payment", "remit", "s1", SLIP)
    business.pass_time(MONTH_MS)
    assert business.refused(HUB, "payment", "conclude", "s1", True, "I paid") == "payment.self"
    business.do("bureau", "payment", "conclude", "s1", True, "so says the bank")


def test_only_the_payment_contract_turns_a_statement() -> None:
    business = due()
    for who in ("opco", "insurer", "bureau", STRANGER):
        assert business.refused(who, "billing", "turn", "s1", "paid", SLIP, 0) == "billing.turn"


def test_what_nobody_remitted_is_named_as_such() -> None:
    business = due()
    for who in ("opco", "insurer", "bureau"):
        assert business.denied(who, "payment", "show", "s1") == "payment.unknown"
    assert business.denied(STRANGER, "payment", "show", "s1") == "payment.reader"
