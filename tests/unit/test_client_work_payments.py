"""What waits of payments: for who pays, for who is paid, and for a manager of neither side."""

from __future__ import annotations

from tests.business import HOUR_MS, Business, digest
from tests.business_steps import a_settled_statement
from tests.unit.test_client_work import told

PAY, CONFIRM, DECIDE = (
    (what, "s1") for what in ("statement to pay", "payment to confirm", "payment to decide on")
)
SLIP = digest("slip")


def waits(business: Business) -> dict[str, set[tuple[str, str]]]:
    found = {who: set(told(business, who)) for who in ("insurer", "opco", "bureau", "rival")}
    return {who: lines & {PAY, CONFIRM, DECIDE} for who, lines in found.items()}


def test_a_payment_waits_for_one_after_the_other() -> None:
    business = Business()
    a_settled_statement(business)
    nobody: set[tuple[str, str]] = set()
    said = {"insurer": {PAY}, "opco": {CONFIRM}, "bureau": nobody, "rival": nobody}
    assert waits(business) == said
    business.do("insurer", "payment", "remit", "s1", SLIP)
    assert waits(business) == {**said, "insurer": nobody}
    business.pass_time(30 * 24 * HOUR_MS)
    assert waits(business) == {**said, "insurer": nobody, "bureau": {DECIDE}}
    business.do("bureau", "payment", "conclude", "s1", False, "no bank knows of it")
    assert waits(business) == said
    business.do("insurer", "payment", "remit", "s1", SLIP)
    business.do("opco", "payment", "deny", "s1", "it never came")
    assert waits(business) == {**said, "insurer": nobody, "bureau": {DECIDE}}
    business.do("opco", "payment", "confirm", "s1", SLIP)
    assert waits(business) == dict.fromkeys(said, nobody)
