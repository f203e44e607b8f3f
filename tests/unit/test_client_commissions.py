"""What waits in commissions and assets: from the real contracts, along their ways."""

from __future__ import annotations

from ledger.values import Value
from tests.business import Business, digest
from tests.platform import DAY_MS, TEXT, accepted, described, in_service, offered, terms
from tests.unit.test_client_work import told, work


def test_a_commission_waits_for_one_side_after_the_other() -> None:
    business = Business()
    offered(business)
    assert told(business, "devhouse") == [("commission to accept", "k1")]
    assert told(business, "opco") == told(business, "bureau") == []
    business.do("devhouse", "commission", "accept", "k1", TEXT)
    assert told(business, "devhouse") == [("work to hand in", "k1")]
    for passed in (False, True):
        business.do("devhouse", "commission", "hand_in", "k1", [digest(str(passed))], [], "")
        assert told(business, "devhouse") == []
        assert told(business, "opco") == [("work to judge", "k1")]
        number = 2 if passed else 1
        business.do("opco", "commission", "judge", "k1", number, passed, "half of it")
        expected = [] if passed else [("work to hand in", "k1")]
        assert told(business, "devhouse") == expected
    assert told(business, "opco") == [("commission to close", "k1")]
    business.do("opco", "commission", "close", "k1", "")
    assert told(business, "opco") == told(business, "devhouse") == []


def test_what_stands_is_reported_on_until_its_day() -> None:
    business = Business()
    accepted(business, "operate")
    (line,) = work(business, "devhouse")
    shown = business.ask_record("opco", "commission", "show", "k1")
    assert isinstance(shown["accepted_ms"], int)
    assert (line.what, line.due_ms) == (
        "operation to report on (运营报告)", shown["accepted_ms"] + DAY_MS,
    )  # fmt: skip
    business.pass_time(31 * DAY_MS)
    (line,) = work(business, "devhouse")
    business.do("devhouse", "commission", "report", "k1", business.now_ms, digest("d"), 0, "")
    assert told(business, "devhouse") == []
    assert told(business, "opco") == [("commission to close", "k1")]


def test_without_an_engagement_the_operator_is_told_to_let_go() -> None:
    business = Business()
    accepted(business)
    business.do("opco", "commission", "offer", "k2", *terms(business))
    business.do("bureau", "oversight", "end", "x-opco-devhouse", "careless")
    assert told(business, "devhouse") == []
    lines = work(business, "opco")
    assert [line.command for line in lines] == [
        "shuxin commission end k1 --reason …",
        "shuxin commission decline k2 --reason …",
    ]


def test_a_commission_of_a_revoked_party_waits_for_managers() -> None:
    business = Business()
    accepted(business)
    business.do("bureau", "parties", "revoke", "devhouse", "fraud")
    assert ("commission of a revoked party", "k1") in told(business, "bureau")
    business.do("bureau", "commission", "end", "k1", "the party is revoked")
    assert ("commission of a revoked party", "k1") not in told(business, "bureau")


def test_an_asset_of_a_revoked_operator_waits_for_managers() -> None:
    business = Business()
    in_service(business, operator="rival")
    business.do("bureau", "parties", "revoke", "rival", "fraud")
    assert ("asset of a revoked party", "hsm-1") in told(business, "bureau")
    business.do("bureau", "asset", "retire", "hsm-1", "its operator is revoked")
    assert ("asset of a revoked party", "hsm-1") not in told(business, "bureau")


def test_a_certificate_waits_for_its_operator_from_the_day_that_the_plan_says() -> None:
    business = Business()
    in_service(business, days=40)
    assert told(business, "opco") == []
    business.pass_time(20 * DAY_MS)
    assert told(business, "opco") == [("certificate to renew", "hsm-1")]
    assert told(business, "rival") == told(business, "chipworks") == []
    business.do("bank", "alert", "check", "asset_expiring", "hsm-1")
    assert told(business, "opco") == [("certificate to renew", "hsm-1")], "raised, and still so"
    business.pass_time(30 * DAY_MS)
    assert told(business, "opco") == [("certificate to renew", "hsm-1")]
    words: list[Value] = [*described(business), "renewed"]
    business.do("opco", "asset", "describe", "hsm-1", *words)
    assert told(business, "opco") == []
