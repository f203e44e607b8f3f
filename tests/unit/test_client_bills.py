"""What waits of metering and bills: from the work that was done to the statement of each payee."""

from __future__ import annotations

from tests.business import HOUR_MS, SUPPLIERS, Business
from tests.unit.test_client_work import priced, told, work


def test_charges_wait_to_be_metered_and_then_for_each_payee_to_state_them() -> None:
    business = priced()
    assert ("task to meter", "t1") in told(business, "opco")
    business.do("opco", "billing", "meter_task", "t1")
    for payee in ("opco", *SUPPLIERS):
        [charge] = [item for item in work(business, payee) if "charges" in item.what]
        assert (charge.subject, charge.command.split()[-4:]) == (
            "insurer",
            ["--payer", "insurer", "--until", "+0s"],
        )
        assert charge.about == f"insurer → {payee} {'5.00' if payee == 'opco' else '3.00'} 元"
        business.pass_time(HOUR_MS)
        business.do(payee, "billing", "issue", f"s-{payee}", "insurer", business.now_ms)
        assert not [item for item in work(business, payee) if "charges" in item.what]
    assert ("task to meter", "t1") not in told(business, "opco")


def test_without_a_tariff_nothing_waits_to_be_metered() -> None:
    business = Business()
    business.assessed()
    assert told(business, "opco") == [("product to deliver", "p1")]
