"""What waits of demands: for the operator that may prescreen them, and for nobody else."""

from __future__ import annotations

from contracts.vm.testing import account
from ledger.values import Value
from tests.business import DEMAND, Business, changed
from tests.unit.test_client_work import told


def test_an_operator_is_told_of_demands_that_it_may_prescreen() -> None:
    business = Business()
    both: list[Value] = ["both", "Both", ["operator", "consumer"], [account("both")]]
    business.do("bureau", "parties", "register", *both)
    business.do("both", "demand", "file", "d1", *DEMAND)
    business.do("insurer", "demand", "file", "d2", *changed(DEMAND, -1, "rival"))
    assert told(business, "opco") == [("demand to prescreen", "d1")]
    assert told(business, "rival") == [("demand to prescreen", "d1"), ("demand to prescreen", "d2")]
    assert told(business, "both") == []
