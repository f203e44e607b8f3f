"""Who supervises whom: the edges of 8.6.1, and engagements that a manager passed."""

from __future__ import annotations

import pytest

from contracts.vm.testing import account
from ledger.values import Value
from tests.applications import entered
from tests.business import PARTIES, STRANGER, Business, digest

STAGES = ("aggregation", "authorization", "development", "delivery")
# 8.6.1, written down here once more: the manager over these roles in these stages.
MANAGED = {
    "supplier": STAGES[:1],
    "operator": STAGES[1:],
    "consumer": STAGES[3:],
    "tech_provider": STAGES[1:],
    "developer": STAGES[1:],
}


def engaged(business: Business, party: str = "chipworks", operator: str = "opco") -> str:
    """A tech provider or developer that the operator selected and the manager passed."""
    engagement_id = f"{operator}-{party}"
    business.do(operator, "oversight", "select", engagement_id, party, "")
    business.do("bureau", "oversight", "review", engagement_id, True, "")
    return engagement_id


def supervises(business: Business, supervisor: str, party: str, stage: str) -> Value:
    return business.ask(STRANGER, "oversight", "supervises", supervisor, party, stage)


def test_the_edges_are_those_of_the_standard_for_every_pair_of_parties() -> None:
    business = Business()
    engaged(business)
    for supervisor, role in PARTIES.items():
        for party, supervised in PARTIES.items():
            is_engaged = (supervisor, party) == ("opco", "chipworks")
            for stage in STAGES:
                expected = supervisor != party and (
                    (role == "manager" and stage in MANAGED.get(supervised, ()))
                    or (is_engaged and stage != "aggregation")
                )
                told = supervises(business, supervisor, party, stage)
                assert told is expected, (supervisor, party, stage)
            expected = any(supervises(business, supervisor, party, stage) for stage in STAGES)
            assert supervises(business, supervisor, party, "") is expected


def test_an_engagement_supervises_from_the_managers_word_to_its_end() -> None:
    business = Business()
    business.do("opco", "oversight", "select", "x1", "devhouse", "builds the platform")
    assert supervises(business, "opco", "devhouse", "development") is False
    business.do("bureau", "oversight", "review", "x1", True, "sound")
    assert supervises(business, "opco", "devhouse", "development") is True
    assert supervises(business, "rival", "devhouse", "development") is False
    business.do("opco", "oversight", "end", "x1", "work is done")
    assert supervises(business, "opco", "devhouse", "development") is False
    assert business.refused("opco", "oversight", "end", "x1", "again") == "oversight.status"
    business.do("opco", "oversight", "select", "x2", "devhouse", "more work")


def test_a_refused_selection_is_over_and_may_be_made_anew() -> None:
    business = Business()
    business.do("opco", "oversight", "select", "x1", "chipworks", "")
    assert business.refused("opco", "oversight", "select", "x2", "chipworks", "") == (
        "oversight.engaged"
    )
    assert business.refused("bureau", "oversight", "review", "x1", False, "") == "oversight.reason"
    business.do("bureau", "oversight", "review", "x1", False, "no licence")
    assert business.refused("bureau", "oversight", "review", "x1", True, "") == "oversight.status"
    assert business.refused("opco", "oversight", "end", "x1", "why") == "oversight.status"
    business.do("opco", "oversight", "select", "x2", "chipworks", "")


@pytest.mark.parametrize("passed", [True, False])
def test_reviews_and_ends_have_reasons_of_bounded_length(passed: bool) -> None:
    business = Business()
    business.do("opco", "oversight", "select", "x1", "chipworks", "")
    review: list[Value] = ["x1", passed, "r" * 1025]
    assert business.refused("bureau", "oversight", "review", *review) == "oversight.reason"
    for reason in ("", "r" * 1025):
        assert business.refused("opco", "oversight", "end", "x1", reason) == "oversight.reason"
    business.do("bureau", "oversight", "review", "x1", passed, "r" * 1024)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["X", "chipworks", ""], "oversight.id"),
        (["x1", "chipworks", "n" * 1025], "oversight.note"),
        (["x1", "opco", ""], "oversight.self"),
        (["x1", "health", ""], "oversight.selected"),
        (["x1", "nobody", ""], "oversight.selected"),
    ],
)
def test_an_operator_selects_tech_providers_and_developers_only(
    words: list[Value], code: str
) -> None:
    assert Business().refused("opco", "oversight", "select", *words) == code


def test_a_suspended_operator_supervises_nobody_and_a_suspended_party_is_supervised() -> None:
    business = Business()
    engaged(business)
    business.suspend("chipworks")
    assert supervises(business, "opco", "chipworks", "delivery") is True
    business.suspend("opco")
    assert supervises(business, "opco", "chipworks", "delivery") is False
    assert supervises(business, "bureau", "opco", "delivery") is True


def test_an_operator_cuts_off_no_party_that_is_more_than_it_engaged_it_for() -> None:
    business = Business()
    entered(business, "both", ["developer", "supplier"], [account("both")])
    engaged(business, "both")
    engaged(business)
    asked = [("opco", "chipworks"), ("opco", "both"), ("bureau", "both"), ("rival", "chipworks")]
    told = [business.ask(STRANGER, "oversight", "may_cut", *pair) for pair in asked]
    assert told == [True, False, True, False]
    assert business.ask(STRANGER, "oversight", "may_cut", "bureau", "board") is False


def test_a_party_of_many_roles_has_no_power_over_itself() -> None:
    business = Business()
    roles: list[Value] = ["manager", "operator", "supplier", "developer"]
    entered(business, "all", roles, [account("all")])
    for stage in ("", *STAGES):
        assert supervises(business, "all", "all", stage) is False
    due_ms = business.now_ms + 999_999
    asked: list[Value] = ["q1", "all", "delivery", "logs", "which?", due_ms]
    assert business.refused("all", "inquiry", "ask", *asked) == "inquiry.role"
    business.do("bureau", "inquiry", "ask", *asked)
    business.do("all", "inquiry", "answer", "q1", "see", digest("answer"))
    assert business.refused("all", "inquiry", "conclude", "q1", True, "") == "inquiry.asker"
    judged: list[Value] = ["e1", "all", 0, 1, [["quality", 1]], "failed", digest("r"), "n", due_ms]
    business.do("bureau", "evaluation", "publish", *judged)
    business.do("all", "evaluation", "answer", "e1", False, "no")
    refused = business.refused("all", "evaluation", "settle", "e1", "passed", "mine")
    assert refused == "evaluation.settler"


def test_a_party_of_many_roles_ends_no_incident_of_its_own() -> None:
    business = Business()
    roles: list[Value] = ["manager", "operator"]
    business.do("bureau", "parties", "register", "all", "All", roles, [account("all")])
    business.do("bureau", "incident", "open", "i1", "Leak", "delivery", "critical", "all", [])
    note: list[Value] = ["i1", "task", digest("freeze"), "flaw"]
    business.do("bureau", "incident", "note_freeze", *note)
    assert business.refused("all", "incident", "lift", "i1", 1, "mine") == "incident.self"
    assert business.refused("all", "incident", "cut_party", "i1", "me") == "incident.cut"
    business.do("bureau", "incident", "lift", "i1", 1, "unfrozen")
    end: list[Value] = ["i1", "mended", digest("report")]
    assert business.refused("all", "incident", "close", *end) == "incident.close"


def test_all_contracts_of_oversight_leave_the_id_of_what_they_concern() -> None:
    business = Business()
    events = business.do("opco", "oversight", "select", "x1", "chipworks", "")
    assert events == [
        ("Selected", {"engagement_id": "x1", "operator": "opco", "party_id": "chipworks"})
    ]
    report: list[Value] = ["disk", "opco", "development", "critical", "full", digest("log")]
    ((name, fields),) = business.do("opco", "alert", "report", *report)
    assert (name, fields["alert_id"], fields["reporter"]) == ("AlertRaised", "alert-1", "opco")


def test_a_manager_does_not_pass_an_engagement_of_its_own() -> None:
    """A party that is manager and operator at once selects, and another manager reviews."""
    business = Business()
    entered(business, "both", ["manager", "operator", "developer"], [account("both")])
    business.do("both", "oversight", "select", "x1", "chipworks", "")
    business.do("opco", "oversight", "select", "x2", "both", "")
    for engagement in ("x1", "x2"):
        for passed in (True, False):
            said: list[Value] = [engagement, passed, "fine"]
            assert business.refused("both", "oversight", "review", *said) == "oversight.self"
        business.do("bureau", "oversight", "review", engagement, True, "")
