"""Incidents: who opens, reads and decides, where one party is several things at once."""

from __future__ import annotations

import pytest

from contracts.vm.testing import account
from ledger.values import Value
from tests.business import ALGORITHM, STRANGER, USAGE, Business, all_datasets, digest
from tests.unit.test_system_oversight import engaged

REPORT = digest("report")


def opened(business: Business, party: str, *, by: str = "bureau") -> None:
    words: list[Value] = ["i1", "Leak", "development", "critical", party, []]
    business.do(by, "incident", "open", *words)


def with_both(name: str = "both") -> Business:
    """One party is manager and operator."""
    business = Business()
    words: list[Value] = [name, "Both", ["manager", "operator"], [account(name)]]
    business.do("bureau", "parties", "register", *words)
    return business


# --- no judge of itself ---------------------------------------------------------------------------


def test_a_manager_does_not_keep_what_others_did_to_it_in_order_to_lift_it_then() -> None:
    business = with_both()
    opened(business, "both")
    business.do("bureau", "incident", "note_freeze", "i1", "task", digest("freeze"), "flaw")
    for method in ("keep", "lift"):
        assert business.refused("both", "incident", method, "i1", 1, "mine") == "incident.self"
    business.do("board", "incident", "keep", "i1", 1, "until the audit")
    assert business.refused("both", "incident", "lift", "i1", 1, "mine") == "incident.self"
    business.do("board", "incident", "lift", "i1", 1, "audited")


def test_a_manager_does_not_keep_what_others_did_to_its_grant_in_the_incident_of_another() -> None:
    business = with_both()
    business.catalogued()
    business.filed()
    business.do("both", "demand", "prescreen", "d1", True, "complete")
    business.do("bureau", "demand", "review", "d1", True, "lawful", all_datasets())
    expires_ms = business.now_ms + 86_400_000
    scope: list[Value] = ["insurance pricing", all_datasets(), [ALGORITHM], *USAGE]
    business.do("both", "grant", "request", "g1", "d1", *scope, 0, expires_ms, 3, "none", "")
    business.do("bureau", "grant", "review", "g1")
    signed = business.terms_digest("g1")
    business.do("bureau", "grant", "decide", "g1", True, "", signed)
    business.do("both", "grant", "accept", "g1", signed)
    opened(business, "opco")
    business.do("bureau", "incident", "suspend_grant", "i1", "g1", "leak")
    for method in ("keep", "lift"):
        assert business.refused("both", "incident", method, "i1", 1, "mine") == "incident.self"


def test_a_party_keeps_and_lifts_what_it_did_to_itself() -> None:
    business = with_both()
    opened(business, "both")
    business.do("both", "incident", "note_freeze", "i1", "task", digest("freeze"), "flaw")
    business.do("both", "incident", "keep", "i1", 1, "until it is mended")
    business.do("both", "incident", "lift", "i1", 1, "mended")


def test_what_a_manager_kept_is_not_for_its_taker_to_lift() -> None:
    """The taker had the last word until the manager kept it."""
    business = with_both()
    opened(business, "both")
    business.do("both", "incident", "note_freeze", "i1", "task", digest("freeze"), "flaw")
    business.do("board", "incident", "keep", "i1", 1, "until the audit")
    assert business.refused("both", "incident", "lift", "i1", 1, "mine") == "incident.self"


def test_a_frozen_contract_is_no_party_of_the_same_name() -> None:
    business = with_both("task")
    opened(business, "opco")
    business.do("bureau", "incident", "note_freeze", "i1", "task", digest("freeze"), "flaw")
    business.do("task", "incident", "lift", "i1", 1, "unfrozen")


# --- who opens ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "place", "value", "code"),
    [
        (STRANGER, 4, "", "incident.role"),
        ("opco", 2, "use", "incident.stage"),
        ("opco", 2, "aggregation", "incident.edge"),
    ],
)
def test_an_incident_has_a_party_and_a_stage_in_which_it_is_supervised(
    who: str, place: int, value: Value, code: str
) -> None:
    words: list[Value] = ["i1", "Leak", "development", "critical", "opco", []]
    words[place] = value
    assert Business().refused(who, "incident", "open", *words) == code


def test_an_incident_is_opened_once() -> None:
    business = Business()
    opened(business, "opco")
    words: list[Value] = ["i1", "Leak", "development", "critical", "opco", []]
    assert business.refused("opco", "incident", "open", *words) == "incident.exists"


# --- who reads ------------------------------------------------------------------------------------


def listed(business: Business, who: str) -> list[Value]:
    page = business.ask(who, "incident", "list", 0, 100)
    assert isinstance(page, list)
    return [row["id"] for row in page if isinstance(row, dict)]


def test_its_party_its_opener_and_their_supervisors_read_an_incident() -> None:
    business = Business()
    engagement = engaged(business)  # chipworks works for opco
    opened(business, "chipworks", by="opco")
    for who in ("chipworks", "opco", "bureau", "board"):
        assert listed(business, who) == ["i1"]
        assert business.ask_record(who, "incident", "show", "i1")
    for who in ("rival", "devhouse", "insurer"):
        assert listed(business, who) == []
        assert business.denied(who, "incident", "show", "i1") == "incident.reader"
    business.do("opco", "oversight", "end", engagement, "done")
    assert business.ask_record("opco", "incident", "show", "i1"), "it opened it"


def test_who_supervises_a_party_reads_also_what_another_opened() -> None:
    business = Business()
    engaged(business)
    opened(business, "chipworks")
    assert business.ask_record("opco", "incident", "show", "i1")
    assert business.denied("rival", "incident", "show", "i1") == "incident.reader"


# --- measures -------------------------------------------------------------------------------------


def test_an_operator_does_not_suspend_the_algorithm_of_whom_it_supervises() -> None:
    business = Business()
    engaged(business)
    opened(business, "chipworks", by="opco")
    suspend: list[Value] = ["i1", ALGORITHM, "unsafe"]
    refused = business.refused("opco", "incident", "suspend_algorithm", *suspend)
    assert refused == "incident.algorithm"
    business.do("chipworks", "incident", "suspend_algorithm", *suspend)


def test_a_suspended_algorithm_that_was_disabled_meanwhile_is_lifted_by_name() -> None:
    business = Business()
    opened(business, "chipworks")
    business.do("bureau", "incident", "suspend_algorithm", "i1", ALGORITHM, "unsafe")
    business.do("bureau", "algorithm", "disable", ALGORITHM, "for good")
    business.do("bureau", "incident", "lift", "i1", 1, "it runs no more")
    assert business.denied(STRANGER, "algorithm", "ensure_runnable", ALGORITHM)


def test_a_measure_that_was_kept_and_lifted_counts_once() -> None:
    business = Business()
    business.granted()
    opened(business, "opco")
    for number in (1, 2):
        business.do("bureau", "incident", "suspend_grant", "i1", "g1", f"leak {number}")
    business.do("bureau", "incident", "keep", "i1", 1, "until the audit")
    business.do("bureau", "incident", "lift", "i1", 1, "audited")
    close: list[Value] = ["i1", "mended", REPORT]
    assert business.refused("bureau", "incident", "close", *close) == "incident.measures"
    business.do("bureau", "incident", "lift", "i1", 2, "closed")
    business.do("bureau", "incident", "close", *close)
