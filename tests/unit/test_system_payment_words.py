"""What is said of a payment: to whom it is told, in how many words, and by when."""

from __future__ import annotations

import pytest

from ledger.values import Value
from tests.business import STRANGER
from tests.unit.test_system_billing_ends import with_all
from tests.unit.test_system_payment import MONTH_MS, SLIP, denied, due, remitted, standing


def test_each_word_on_a_payment_is_told() -> None:
    business = due()
    for who, method, args, told in (
        ("insurer", "remit", [SLIP], {"party_id": "insurer", "payee": "opco"}),
        ("opco", "deny", ["r" * 1024], {"party_id": "opco", "reason": "r" * 1024}),
        ("bureau", "conclude", [False, "t" * 1024], {"party_id": "bureau", "is_paid": False}),
        ("opco", "confirm", [SLIP], {"party_id": "opco", "receipt_digest": SLIP}),
    ):
        words: list[Value] = ["s1", *args]
        ((_name, fields),) = business.do(who, "payment", method, *words)
        assert {name: fields[name] for name in told} == told
        assert fields["statement_id"] == "s1"


@pytest.mark.parametrize("reason", ["r", "r" * 1024])
def test_a_denial_and_a_conclusion_stay_with_the_payment(reason: str) -> None:
    business = remitted()
    for wrong in ("", "r" * 1025):
        assert business.refused("opco", "payment", "deny", "s1", wrong) == "payment.reason"
    business.do("opco", "payment", "deny", "s1", reason)
    for wrong in ("", "r" * 1025):
        refused = business.refused("bureau", "payment", "conclude", "s1", True, wrong)
        assert refused == "payment.conclusion"
    business.do("bureau", "payment", "conclude", "s1", True, reason)
    shown = business.ask_record("bureau", "payment", "show", "s1")
    assert (shown["denial"], shown["conclusion"], shown["concluder"]) == (reason, reason, "bureau")


def test_the_two_sides_and_managers_read_what_was_said() -> None:
    business = denied()
    for who in ("opco", "insurer", "bureau", "board"):
        assert business.ask_record(who, "payment", "show", "s1")["statement_id"] == "s1"
    for who in ("rival", "bank", STRANGER):
        assert business.denied(who, "payment", "show", "s1") == "payment.reader"


def test_a_payment_is_unconfirmed_in_the_millisecond_in_which_its_month_is_over() -> None:
    business = remitted()
    business.pass_time(MONTH_MS - 1)
    assert standing(business) == "remitted"
    business.pass_time(1)
    assert standing(business) == "unconfirmed"


def test_a_manager_decides_on_no_payment_to_itself() -> None:
    business = with_all("insurer")
    business.do("all", "billing", "issue", "s1", "insurer", business.now_ms + 1)
    business.do("insurer", "billing", "accept", "s1", 300)
    business.do("insurer", "payment", "remit", "s1", SLIP)
    business.do("all", "payment", "deny", "s1", "it never came")
    refused = business.refused("all", "payment", "conclude", "s1", False, "mine")
    assert refused == "payment.self"
    business.do("board", "payment", "conclude", "s1", True, "it came")
