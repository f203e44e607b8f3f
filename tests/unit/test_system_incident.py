"""Incidents: measures at once, each undone or kept by name, and no end without a report."""

from __future__ import annotations

import pytest

from contracts.vm.testing import account
from ledger.model import address_of
from ledger.values import Value
from tests.applications import entered
from tests.business import (
    ALGORITHM,
    HOUR_MS,
    OFFER,
    PUBLISHER_KEY,
    Business,
    changed,
    digest,
    result,
)

ABOUT: list[Value] = ["Rows left the enclave", "development", "critical", "opco", []]
REPORT = digest("report")


def opened(business: Business, who: str = "bureau", incident_id: str = "i1") -> str:
    business.do(who, "incident", "open", incident_id, *ABOUT)
    return incident_id


def status(business: Business, incident_id: str = "i1") -> Value:
    found = business.ask_record("bureau", "incident", "show", incident_id)["incident"]
    assert isinstance(found, dict)
    return found["status"]


def measures(business: Business) -> list[Value]:
    """Kind, target and status of each measure."""
    found = business.ask_record("opco", "incident", "show", "i1")["measures"]
    assert isinstance(found, list)
    return [[one["kind"], one["target"], one["status"]] for one in found if isinstance(one, dict)]


def test_a_suspended_grant_lets_nothing_through_and_goes_on_when_lifted() -> None:
    business = Business()
    business.running(uses_max=9)
    opened(business)
    business.do("bureau", "incident", "suspend_grant", "i1", "g1", "leak")
    assert business.ask("bank", "grant", "is_valid", "g1") is False
    refused = business.refused("opco", "task", "create", *business.order("t2"))
    assert refused == "grant.on_hold"
    assert business.refused("health", "task", "report", *result("health")) == "grant.on_hold"
    business.do("bureau", "incident", "lift", "i1", 1, "the leak is closed")
    business.report("health")
    assert business.ask("bank", "grant", "is_valid", "g1") is True
    assert measures(business) == [["suspend_grant", "g1", "lifted"]]


def test_a_product_is_not_handed_over_while_its_grant_is_suspended() -> None:
    business = Business()
    business.offered()
    opened(business)
    business.do("opco", "incident", "suspend_grant", "i1", "g1", "leak")
    accepted: list[Value] = ["v1", digest("payload"), True, ""]
    assert business.refused("insurer", "delivery", "accept", *accepted) == "grant.on_hold"
    offer: list[Value] = ["v2", "p1", *OFFER]
    assert business.refused("opco", "delivery", "offer", *offer) == "grant.on_hold"


def test_a_suspended_grant_may_be_revoked_and_its_measure_then_ends_by_name() -> None:
    business = Business()
    business.running()
    opened(business)
    business.do("bureau", "incident", "suspend_grant", "i1", "g1", "leak")
    business.do("bureau", "grant", "revoke", "g1", "the leak was wanted")
    again = business.refused("board", "incident", "suspend_grant", "i1", "g1", "leak")
    assert again == "grant.status"
    business.do("bureau", "incident", "lift", "i1", 1, "revoked instead")
    assert business.ask_record("bank", "grant", "show", "g1")["status"] == "revoked"


def test_nobody_suspends_or_resumes_a_grant_past_an_incident() -> None:
    business = Business()
    business.granted()
    for who in ("bureau", "opco"):
        assert business.refused(who, "grant", "suspend", "g1", "why") == "grant.suspend"
        assert business.refused(who, "grant", "resume", "g1", "why") == "grant.resume"


def test_a_party_that_is_cut_off_has_no_voice_until_the_measure_is_lifted() -> None:
    business = Business()
    opened(business)
    business.do("bureau", "incident", "cut_party", "i1", "leak")
    assert business.refused("opco", "incident", "open", "i2", *ABOUT) == "incident.role"
    assert business.refused("opco", "incident", "lift", "i1", 1, "fine") == "incident.lift"
    business.do("board", "incident", "lift", "i1", 1, "keys were replaced")
    assert business.ask("bank", "parties", "is_active", "opco") is True


def test_a_cut_that_a_manager_undid_directly_is_lifted_by_name_only() -> None:
    business = Business()
    opened(business)
    business.do("bureau", "incident", "cut_party", "i1", "leak")
    business.do("board", "parties", "readmit", "opco", "was a mistake")
    business.do("bureau", "incident", "lift", "i1", 1, "readmitted by hand")
    assert status(business) == "contained"


def test_an_operator_cuts_off_whom_it_engaged_and_nobody_else() -> None:
    business = Business()
    business.do("opco", "oversight", "select", "x1", "devhouse", "")
    business.do("bureau", "oversight", "review", "x1", True, "")
    business.do("opco", "incident", "open", "i1", *changed(ABOUT, 3, "devhouse"))
    assert business.refused("rival", "incident", "cut_party", "i1", "leak") == "incident.cut"
    business.do("opco", "incident", "cut_party", "i1", "leak")
    assert business.ask("bank", "parties", "is_active", "devhouse") is False
    business.do("opco", "incident", "lift", "i1", 1, "mended")
    business.do("bureau", "incident", "open", "i2", *ABOUT)
    assert business.refused("opco", "incident", "cut_party", "i2", "self") == "incident.cut"


def test_who_may_suspend_a_grant_is_a_manager_or_its_own_operator() -> None:
    business = Business()
    business.granted()
    business.do("bureau", "incident", "open", "i1", *changed(ABOUT, 3, "rival"))
    refused = business.refused("rival", "incident", "suspend_grant", "i1", "g1", "envy")
    assert refused == "incident.grant"
    refused = business.refused("opco", "incident", "suspend_grant", "i1", "g1", "not its incident")
    assert refused == "incident.role"
    business.do("bureau", "incident", "suspend_grant", "i1", "g1", "both are affected")


def test_who_lifts_a_cut_undoes_no_suspension_of_a_manager_since_then() -> None:
    business = Business()
    business.do("opco", "oversight", "select", "x1", "devhouse", "")
    business.do("bureau", "oversight", "review", "x1", True, "fit")
    for incident in ("i1", "i2"):
        opened: list[Value] = ["Leak", "development", "critical", "devhouse", []]
        business.do("opco", "incident", "open", incident, *opened)
    business.do("opco", "incident", "cut_party", "i1", "leak")
    business.do("bureau", "parties", "readmit", "devhouse", "a mistake")
    business.do("bureau", "incident", "cut_party", "i2", "leak")
    business.do("opco", "incident", "lift", "i1", 1, "mended")
    assert business.ask("bank", "parties", "is_active", "devhouse") is False
    business.do("bureau", "incident", "lift", "i2", 1, "mended")
    assert business.ask("bank", "parties", "is_active", "devhouse") is True


def test_every_measure_is_lifted_or_kept_before_an_incident_closes() -> None:
    business = Business()
    business.granted()
    opened(business, "opco")
    assert status(business) == "open"
    business.do("opco", "incident", "suspend_grant", "i1", "g1", "leak")
    business.do("bureau", "incident", "note_freeze", "i1", "task", digest("freeze"), "flaw")
    assert status(business) == "contained"
    end: list[Value] = ["i1", "mended", REPORT]
    assert business.refused("bureau", "incident", "close", *end) == "incident.measures"
    business.do("bureau", "incident", "keep", "i1", 1, "until the audit")
    assert business.refused("bureau", "incident", "keep", "i1", 1, "why") == "incident.decided"
    assert business.refused("opco", "incident", "lift", "i1", 1, "mended") == "incident.lift"
    business.do("bureau", "incident", "lift", "i1", 2, "unfrozen")
    assert business.refused("bureau", "incident", "lift", "i1", 2, "why") == "incident.decided"
    assert business.refused("opco", "incident", "close", *end) == "incident.close"
    for position, value, code in ((1, "", "incident.outcome"), (2, b"", "incident.report")):
        assert business.refused("bureau", "incident", "close", *changed(end, position, value)) == (
            code
        )
    business.do("bureau", "incident", "close", *end)
    assert business.ask("bank", "grant", "is_valid", "g1") is False, "kept is kept"
    assert business.ask("bank", "incident", "count_open") == 0
    late: list[tuple[str, list[Value]]] = [("cut_party", ["i1", "late"]), ("close", end)]
    for method, words in late:
        assert business.refused("bureau", "incident", method, *words) == "incident.status"
    assert [row[2] for row in measures(business) if isinstance(row, list)] == ["kept", "lifted"]


def test_who_suspended_its_own_grant_first_does_not_lift_what_a_manager_took_since() -> None:
    business = Business()
    business.granted()
    opened(business, "opco", "own")
    business.do("opco", "incident", "suspend_grant", "own", "g1", "to be the first")
    opened(business)
    business.do("bureau", "incident", "suspend_grant", "i1", "g1", "leak")
    business.do("opco", "incident", "lift", "own", 1, "all is well")
    assert business.ask("bank", "grant", "is_valid", "g1") is False, "the manager's holds it"
    business.do("bureau", "incident", "lift", "i1", 1, "so it is")
    assert business.ask("bank", "grant", "is_valid", "g1") is True


def test_who_cut_its_own_provider_off_first_does_not_readmit_it_for_a_manager() -> None:
    business = Business()
    business.do("opco", "oversight", "select", "x1", "devhouse", "")
    business.do("bureau", "oversight", "review", "x1", True, "fit")
    for who, incident in (("opco", "i1"), ("bureau", "i2")):
        about = changed(ABOUT, 3, "devhouse")
        business.do(who, "incident", "open", incident, *about)
        business.do(who, "incident", "cut_party", incident, "leak")
    business.do("opco", "incident", "lift", "i1", 1, "mended")
    assert business.ask("bank", "parties", "is_active", "devhouse") is False
    business.do("bureau", "incident", "lift", "i2", 1, "mended")
    assert business.ask("bank", "parties", "is_active", "devhouse") is True
    business.do("bureau", "parties", "suspend", "devhouse", "by hand")
    again = business.refused("opco", "incident", "cut_party", "i1", "leak")
    assert again == "parties.status", "no incident ends what a manager did by hand"


def test_two_incidents_hold_an_algorithm_until_both_let_go() -> None:
    business = Business()
    for who, incident in (("chipworks", "own"), ("bureau", "i1")):
        business.do(who, "incident", "open", incident, *changed(ABOUT, 3, "chipworks"))
        business.do(who, "incident", "suspend_algorithm", incident, ALGORITHM, "flaw")
    business.do("chipworks", "incident", "lift", "own", 1, "mended")
    course = business.ask_record("bank", "algorithm", "course", ALGORITHM)
    assert course["status"] == "suspended"
    business.do("board", "incident", "lift", "i1", 1, "mended")
    assert business.ask("bank", "algorithm", "ensure_runnable", ALGORITHM) is True


def test_a_measure_that_outlasted_its_incident_is_lifted_by_a_manager_afterwards() -> None:
    business = Business()
    business.granted()
    opened(business, "opco")
    business.do("opco", "incident", "suspend_grant", "i1", "g1", "leak")
    business.do("bureau", "incident", "keep", "i1", 1, "until the audit")
    business.do("bureau", "incident", "close", "i1", "mended", REPORT)
    assert business.refused("opco", "incident", "lift", "i1", 1, "mended") == "incident.lift"
    business.do("board", "incident", "lift", "i1", 1, "the audit found nothing")
    assert business.ask("bank", "grant", "is_valid", "g1") is True
    assert measures(business) == [["suspend_grant", "g1", "lifted"]]
    assert business.refused("board", "incident", "lift", "i1", 1, "again") == "incident.decided"


def test_a_manager_lifts_nothing_that_another_did_to_its_own_algorithm() -> None:
    business = Business()
    entered(business, "both", ["manager", "tech_provider"], [account("both")])
    business.do("bureau", "parties", "add_account", "both", address_of(PUBLISHER_KEY))
    image = business.image(provider="both")
    words = [*business.description()[:4], *image]
    business.do("both", "algorithm", "propose", *words)
    business.do("bureau", "algorithm", "review", "scores/1", digest("image"), True, "fit")
    business.do("bureau", "incident", "open", "i1", *changed(ABOUT, 3, "chipworks"))
    business.do("bureau", "incident", "suspend_algorithm", "i1", "scores/1", "same flaw")
    assert business.refused("both", "incident", "lift", "i1", 1, "mended") == "incident.self"
    business.do("bureau", "incident", "keep", "i1", 1, "until it is mended")
    assert business.refused("both", "incident", "lift", "i1", 1, "mended") == "incident.self"
    business.do("board", "incident", "lift", "i1", 1, "mended")


def test_an_incident_names_alerts_about_its_party_only() -> None:
    business = Business()
    said: list[Value] = ["late", "insurer", "delivery", "notice", "silent", b""]
    business.do("opco", "alert", "report", *said)
    business.do("health", "alert", "report", "leak", "opco", "development", "critical", "rows", b"")
    for alerts, code in (
        (["alert-1"], "incident.alert"),
        (["alert-2", "alert-2"], "incident.alert_twice"),
        (["alert-9"], "alert.unknown"),
        ([f"alert-{number}" for number in range(33)], "incident.alerts"),
    ):
        words = changed(ABOUT, 4, [*alerts])
        assert business.refused("bureau", "incident", "open", "i1", *words) == code
    business.do("bureau", "incident", "open", "i1", *changed(ABOUT, 4, ["alert-2"]))


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "", "incident.title"),
        (0, "t" * 129, "incident.title"),
        (1, "aggregation", "incident.role"),  # nobody supervises an operator there
        (2, "notice", "incident.severity"),
        (3, "board", "incident.role"),
    ],
)
def test_a_malformed_incident_is_not_opened(position: int, value: Value, code: str) -> None:
    words = changed(ABOUT, position, value)
    assert Business().refused("bureau", "incident", "open", "i1", *words) == code


def test_measures_have_reasons_and_bounds() -> None:
    business = Business()
    opened(business)
    freeze: list[Value] = ["i1", "task", digest("freeze"), "flaw"]
    for position, value, code in (
        (0, "i2", "incident.unknown"),
        (1, "", "incident.contract"),
        (2, b"", "incident.transaction"),
        (3, "", "incident.reason"),
        (3, "r" * 513, "incident.reason"),
    ):
        words = changed(freeze, position, value)
        assert business.refused("bureau", "incident", "note_freeze", *words) == code
    for _ in range(32):
        business.do("bureau", "incident", "note_freeze", *freeze)
    assert business.refused("bureau", "incident", "note_freeze", *freeze) == "incident.measures"
    assert business.refused("bureau", "incident", "lift", "i1", 33, "none") == "incident.number"
    assert business.refused("bureau", "incident", "keep", "i1", 1, "") == "incident.reason"


def test_a_task_whose_grant_stays_suspended_ends_by_its_deadline() -> None:
    business = Business()
    business.running(hours=1)
    opened(business)
    business.do("opco", "incident", "suspend_grant", "i1", "g1", "leak")
    business.pass_time(2 * HOUR_MS)
    business.do("bank", "task", "expire", "t1")
