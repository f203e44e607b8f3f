"""Grants: from an approved demand only, within what was matched, until they end."""

from __future__ import annotations

import pytest

from ledger.values import Value
from tests.business import (
    ALGORITHM,
    HOUR_MS,
    STRANGER,
    Business,
    all_datasets,
    changed,
    dataset_of,
)

FIVE_YEARS_MS = 5 * 366 * 24 * HOUR_MS


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "", "grant.id"),
        (0, "G", "grant.id"),
        (0, "g" * 65, "grant.id"),
        (1, "d2", "grant.demand"),
        (2, "rival", "grant.operator"),
        (2, "nobody", "grant.operator"),
        (3, "", "grant.scenario"),
        (3, "s" * 513, "grant.scenario"),
        (4, [], "grant.datasets"),
        (4, [f"x-{n}" for n in range(33)], "grant.datasets"),
        (4, [dataset_of("health")] * 2, "grant.dataset_twice"),
        (4, ["archive-births"], "grant.dataset"),
        (5, [], "grant.algorithms"),
        (5, [f"a/{n}" for n in range(33)], "grant.algorithms"),
        (5, [""], "grant.algorithm_id"),
        (5, ["a" * 65], "grant.algorithm_id"),
        (5, [ALGORITHM, ALGORITHM], "grant.algorithm_twice"),
        (7, 0, "grant.uses"),
        (7, -1, "grant.uses"),
        (7, 10**6 + 1, "grant.uses"),
    ],
)
def test_a_malformed_grant_is_not_issued(position: int, value: Value, code: str) -> None:
    business = Business()
    business.approved()
    business.forwarded("d2")
    terms: list[Value] = ["g1", *business.grant_terms()]
    assert business.refused("bureau", "grant", "issue", *changed(terms, position, value)) == code


def test_a_grant_ends_in_the_next_five_years() -> None:
    business = Business()
    business.approved()
    terms: list[Value] = ["g1", *business.grant_terms()]
    # The next block is later than now_ms, so a second more is surely beyond the bound.
    for expires_ms in (0, business.now_ms, business.now_ms + FIVE_YEARS_MS + HOUR_MS):
        late = changed(terms, 6, expires_ms)
        assert business.refused("bureau", "grant", "issue", *late) == "grant.expires"


def test_a_grant_needs_a_known_demand() -> None:
    business = Business()
    business.catalogued()
    terms: list[Value] = ["g1", *business.grant_terms("d9")]
    assert business.refused("bureau", "grant", "issue", *terms) == "demand.unknown"


@pytest.mark.parametrize("decision", ["filed", "returned", "forwarded", "rejected"])
def test_only_an_approved_demand_is_granted(decision: str) -> None:
    business = Business()
    business.catalogued()
    business.filed()
    if decision != "filed":
        passed = decision != "returned"
        business.do("opco", "demand", "prescreen", "d1", passed, "considered")
    if decision == "rejected":
        business.do("bureau", "demand", "review", "d1", False, "no legal basis", [])
    terms: list[Value] = ["g1", *business.grant_terms()]
    assert business.refused("bureau", "grant", "issue", *terms) == "grant.demand"


def test_a_suspended_operator_is_granted_nothing() -> None:
    business = Business()
    business.approved()
    business.suspend("opco")
    terms: list[Value] = ["g1", *business.grant_terms()]
    assert business.refused("bureau", "grant", "issue", *terms) == "grant.suspended"


def test_a_grant_id_is_given_once() -> None:
    business = Business()
    business.granted()
    terms: list[Value] = ["g1", *business.grant_terms()]
    assert business.refused("board", "grant", "issue", *terms) == "grant.exists"


def test_a_grant_tells_who_may_use_what_for_whom() -> None:
    business = Business()
    business.granted()
    shown = business.ask_record("health", "grant", "show", "g1")
    assert (shown["consumer"], shown["operator"], shown["manager"]) == ("insurer", "opco", "bureau")
    assert (shown["datasets"], shown["algorithms"]) == (all_datasets(), [ALGORITHM])
    assert (shown["uses"], shown["uses_max"], shown["status"]) == (0, 3, "active")
    page = business.ask("health", "grant", "list", 0, 100)
    assert page == [shown]


def test_unknown_grants_are_named_as_such() -> None:
    business = Business()
    assert business.refused("bureau", "grant", "revoke", "g9", "misuse") == "grant.unknown"
    assert business.denied("bureau", "grant", "show", "g9") == "grant.unknown"
    assert business.denied("bureau", "grant", "ensure_valid", "g9") == "grant.unknown"
    assert business.ask("bureau", "grant", "is_valid", "g9") is False
    assert business.ask("bureau", "grant", "used_by", "g9", 1) == ""


def test_a_grant_is_valid_until_it_is_revoked() -> None:
    business = Business()
    business.granted()
    assert business.ask("health", "grant", "is_valid", "g1") is True
    business.do("bureau", "grant", "revoke", "g1", "misuse")
    assert business.ask("health", "grant", "is_valid", "g1") is False
    assert business.denied("health", "grant", "ensure_valid", "g1") == "grant.revoked"
    assert business.refused("board", "grant", "revoke", "g1", "again") == "grant.revoked"
    shown = business.ask_record("health", "grant", "show", "g1")
    assert (shown["status"], shown["reason"]) == ("revoked", "misuse")


@pytest.mark.parametrize("reason", ["", "r" * 513])
def test_a_revocation_needs_a_reason_of_bounded_length(reason: str) -> None:
    business = Business()
    business.granted()
    assert business.refused("bureau", "grant", "revoke", "g1", reason) == "grant.reason"


def test_a_grant_is_valid_until_it_expires() -> None:
    business = Business()
    business.granted(hours=2)
    business.pass_time(HOUR_MS)
    assert business.ask("health", "grant", "is_valid", "g1") is True
    business.pass_time(HOUR_MS)
    assert business.ask("health", "grant", "is_valid", "g1") is False
    assert business.denied("health", "grant", "ensure_valid", "g1") == "grant.expired"


def test_a_grant_sleeps_while_its_operator_is_suspended() -> None:
    business = Business()
    business.granted()
    business.suspend("opco")
    assert business.ask("health", "grant", "is_valid", "g1") is False
    assert business.denied("health", "grant", "ensure_valid", "g1") == "grant.suspended"
    business.do("bureau", "parties", "readmit", "opco", "audit passed")
    assert business.ask("health", "grant", "is_valid", "g1") is True


def test_nobody_counts_a_use_by_hand() -> None:
    business = Business()
    business.granted()
    for who in ("opco", "bureau", "health", STRANGER):
        use: list[Value] = ["g1", "t1", "opco", all_datasets(), ALGORITHM]
        assert business.refused(who, "grant", "use", *use) == "grant.use"


def test_each_use_is_on_record() -> None:
    business = Business()
    business.granted()
    for task_id in ("t1", "t2"):
        business.do("opco", "task", "create", *business.order(task_id))
    assert [business.ask("health", "grant", "used_by", "g1", n) for n in (1, 2, 3)] == [
        "t1",
        "t2",
        "",
    ]


def test_grants_are_paged_within_bounds() -> None:
    for offset, limit in [(-1, 1), (0, 0), (0, 101)]:
        assert Business().denied("bank", "grant", "list", offset, limit) == "grant.page"
