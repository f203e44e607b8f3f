"""Grants: requested for an approved demand, decided, countersigned, in force until they end."""

from __future__ import annotations

import pytest

from client.grant_terms import TermsUnreadable, terms_digest, terms_text
from contracts.vm.testing import account
from ledger.values import Key, Value
from tests.business import (
    ALGORITHM,
    HOUR_MS,
    STRANGER,
    USAGE,
    Business,
    Fields,
    all_datasets,
    changed,
    dataset_of,
    digest,
)

CHAIN_ID = bytes(32)  # of the chain in memory
FIVE_YEARS_MS = 5 * 366 * 24 * HOUR_MS


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "", "grant.id"),
        (0, "G", "grant.id"),
        (0, "g" * 65, "grant.id"),
        (1, "d2", "grant.demand"),
        (2, "", "preapproval.scenario"),
        (2, "s" * 513, "preapproval.scenario"),
        (3, [], "preapproval.datasets"),
        (3, [dataset_of("health")] * 33, "preapproval.datasets"),
        (3, [dataset_of("health")] * 2, "preapproval.dataset_twice"),
        (3, ["archive-births"], "grant.dataset"),
        (4, [], "preapproval.algorithms"),
        (4, [f"a/{n}" for n in range(33)], "preapproval.algorithms"),
        (4, [""], "preapproval.algorithm_id"),
        (4, ["a" * 65], "preapproval.algorithm_id"),
        (4, [ALGORITHM, ALGORITHM], "preapproval.algorithm_twice"),
        (5, [], "preapproval.outputs"),
        (5, [f"o-{n}" for n in range(17)], "preapproval.outputs"),
        (5, ["Tables"], "preapproval.output"),
        (5, ["model", "model"], "preapproval.output_twice"),
        (6, [], "preapproval.permissions"),
        (6, ["derive"] * 17, "preapproval.permissions"),
        (6, ["compute"], "preapproval.action"),
        (6, ["derive", "derive"], "preapproval.action_twice"),
        (6, ["derive", "distribute"], "preapproval.action_twice"),  # it is prohibited as well
        (7, ["compute"], "preapproval.action"),
        (7, ["sell"] * 17, "preapproval.actions"),
        (8, ["delete"] * 17, "preapproval.actions"),
        (8, ["derive"], "preapproval.duty"),
        (8, ["delete", "delete"], "preapproval.action_twice"),
        (9, -1, "grant.from"),
        (9, 2**60, "grant.from"),
        (11, 0, "preapproval.uses"),
        (11, -1, "preapproval.uses"),
        (11, 10**6 + 1, "preapproval.uses"),
        (12, "", "preapproval.assurance"),
        (12, "high", "preapproval.assurance"),
        (13, "c9", "preapproval.unknown"),
    ],
)
def test_a_malformed_request_is_refused(position: int, value: Value, code: str) -> None:
    business = Business()
    business.approved()
    business.forwarded("d2")
    terms: list[Value] = ["g1", *business.grant_terms()]
    assert business.refused("opco", "grant", "request", *changed(terms, position, value)) == code
    assert business.denied("opco", "grant", "show", "g1") == "grant.unknown"


def test_a_grant_ends_in_the_next_five_years() -> None:
    business = Business()
    business.approved()
    terms: list[Value] = ["g1", *business.grant_terms()]
    # The next block is later than now_ms, so a second more is surely beyond the bound.
    for expires_ms in (0, business.now_ms, business.now_ms + FIVE_YEARS_MS + HOUR_MS):
        late = changed(terms, 10, expires_ms)
        assert business.refused("opco", "grant", "request", *late) == "grant.expires"


def test_a_grant_needs_a_known_demand() -> None:
    business = Business()
    business.catalogued()
    terms: list[Value] = ["g1", *business.grant_terms("d9")]
    assert business.refused("opco", "grant", "request", *terms) == "demand.unknown"


@pytest.mark.parametrize(
    "decision", ["submitted", "returned", "forwarded", "collecting", "rejected"]
)
def test_only_an_approved_demand_is_granted(decision: str) -> None:
    business = Business()
    business.catalogued()
    business.filed()
    if decision != "submitted":
        passed = decision != "returned"
        business.do("opco", "demand", "prescreen", "d1", passed, "considered")
    if decision == "rejected":
        business.do("bureau", "demand", "review", "d1", False, "no legal basis", [])
    if decision == "collecting":
        order: list[Value] = ["", ["health"], "claims", business.now_ms + HOUR_MS]
        business.do("bureau", "demand", "collect", "d1", *order)
    terms: list[Value] = ["g1", *business.grant_terms()]
    assert business.refused("opco", "grant", "request", *terms) == "grant.demand"


def test_a_suspended_operator_is_granted_nothing() -> None:
    business = Business()
    business.in_review()
    business.suspend("opco")
    decision: list[Value] = ["g1", True, "", business.terms_digest("g1")]
    assert business.refused("bureau", "grant", "decide", *decision) == "grant.suspended"


def test_a_grant_id_is_given_once() -> None:
    business = Business()
    business.granted()
    terms: list[Value] = ["g1", *business.grant_terms()]
    assert business.refused("opco", "grant", "request", *terms) == "grant.exists"


def test_a_grant_tells_who_may_use_what_for_whom() -> None:
    business = Business()
    business.granted()
    shown = business.ask_record("health", "grant", "show", "g1")
    assert (shown["consumer"], shown["operator"], shown["manager"]) == ("insurer", "opco", "bureau")
    assert (shown["datasets"], shown["algorithms"]) == (all_datasets(), [ALGORITHM])
    usage = [shown[name] for name in ("outputs", "permissions", "prohibitions", "duties")]
    assert usage == USAGE
    assert (shown["uses"], shown["uses_max"], shown["status"]) == (0, 3, "active")
    page = business.ask("health", "grant", "list", 0, 100)
    assert page == [shown]


# --- the way to the second signature ---------------------------------------------------------


def test_a_request_goes_through_review_decision_and_countersignature() -> None:
    business = Business()
    business.requested()
    seen = [business.ask("bank", "grant", "standing", "g1")]
    signed = business.terms_digest("g1")
    steps: list[tuple[str, str, list[Value]]] = [
        ("board", "review", []),
        ("bureau", "decide", [True, "lawful", signed]),
        ("opco", "accept", [signed]),
    ]
    for who, method, args in steps:
        assert business.denied("opco", "grant", "ensure_valid", "g1") == "grant.pending"
        assert business.refused("opco", "task", "create", *business.order()) == "grant.pending"
        business.do(who, "grant", method, "g1", *args)
        seen.append(business.ask("bank", "grant", "standing", "g1"))
    assert seen == ["requested", "in_review", "granted", "active"]
    shown = business.ask_record("bank", "grant", "show", "g1")
    assert (shown["manager"], shown["reason"]) == ("bureau", "lawful")
    times = [shown[f"{name}_ms"] for name in ("requested", "decided", "accepted")]
    assert times == sorted(times, key=str) and len(set(map(str, times))) == 3
    business.do("opco", "task", "create", *business.order())


WAYS = {
    "requested": Business.requested,
    "in_review": Business.in_review,
    "granted": Business.signed,
    "active": Business.granted,
}
STEPS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "review": ("bureau", "grant.status", ("requested",)),
    "decide": ("bureau", "grant.status", ("in_review",)),
    "accept": ("opco", "grant.status", ("granted",)),
    "withdraw": ("opco", "grant.status", ("requested", "in_review")),
    "revoke": ("bureau", "grant.status", ("granted", "active")),
}


def arguments(business: Business, method: str) -> list[Value]:
    signed = business.terms_digest("g1")
    given: dict[str, list[Value]] = {
        "review": [],
        "decide": [False, "too wide", signed],
        "accept": [signed],
        "withdraw": ["mistaken"],
        "revoke": ["misuse"],
    }
    return given[method]


@pytest.mark.parametrize("method", STEPS)
@pytest.mark.parametrize("status", WAYS)
def test_no_state_is_skipped(status: str, method: str) -> None:
    business = Business()
    WAYS[status](business)
    who, code, allowed = STEPS[method]
    call: list[Value] = ["g1", *arguments(business, method)]
    if status in allowed:
        business.do(who, "grant", method, *call)
    else:
        assert business.refused(who, "grant", method, *call) == code


@pytest.mark.parametrize("end", ["refused", "withdrawn", "expired"])
@pytest.mark.parametrize("method", STEPS)
def test_what_is_over_stays_over(end: str, method: str) -> None:
    business = Business()
    business.in_review()
    if end == "refused":
        business.do("bureau", "grant", "decide", "g1", *arguments(business, "decide"))
    elif end == "withdrawn":
        business.do("opco", "grant", "withdraw", "g1", "mistaken")
    else:
        business.pass_time(24 * HOUR_MS)
    assert business.ask("bank", "grant", "standing", "g1") == end
    who, code, _allowed = STEPS[method]
    call: list[Value] = ["g1", *arguments(business, method)]
    assert business.refused(who, "grant", method, *call) == code
    assert business.denied("opco", "grant", "ensure_valid", "g1") == "grant.pending"


def test_a_grant_that_was_never_countersigned_can_be_revoked() -> None:
    business = Business()
    business.signed()
    business.do("bureau", "grant", "revoke", "g1", "no longer lawful")
    accept: list[Value] = ["g1", business.terms_digest("g1")]
    assert business.refused("opco", "grant", "accept", *accept) == "grant.status"


def test_both_sign_the_terms_that_were_requested_and_no_others() -> None:
    business = Business()
    business.in_review()
    other = digest("other terms")
    decide: list[Value] = ["g1", True, "", other]
    assert business.refused("bureau", "grant", "decide", *decide) == "grant.digest"
    signed = business.terms_digest("g1")
    business.do("bureau", "grant", "decide", *changed(decide, 3, signed))
    assert business.refused("opco", "grant", "accept", "g1", other) == "grant.digest"
    business.do("opco", "grant", "accept", "g1", signed)


def test_no_party_signs_for_both_sides() -> None:
    business = Business()
    business.approved()
    founding: list[Value] = ["both", "Both", ["manager", "operator"], [account("both")]]
    business.do("bureau", "parties", "register", *founding)
    business.filed("d2")
    business.do("both", "demand", "prescreen", "d2", True, "complete")
    business.do("bureau", "demand", "review", "d2", True, "lawful", all_datasets())
    business.do("both", "grant", "request", "g1", *business.grant_terms("d2"))
    business.do("both", "grant", "review", "g1")
    decide: list[Value] = ["g1", True, "", business.terms_digest("g1")]
    assert business.refused("both", "grant", "decide", *decide) == "grant.self"
    business.do("bureau", "grant", "decide", *decide)
    mine = changed(business.channel(), 0, "both")
    refused = business.refused("both", "preapproval", "preapprove", "c1", *mine)
    assert refused == "preapproval.self"


def test_a_refusal_needs_a_reason_and_notes_are_bounded() -> None:
    business = Business()
    business.in_review()
    signed = business.terms_digest("g1")
    for approved, note in [(False, ""), (True, "n" * 1025)]:
        decide: list[Value] = ["g1", approved, note, signed]
        assert business.refused("bureau", "grant", "decide", *decide) == "grant.note"


def test_a_demand_is_checked_again_when_it_is_granted() -> None:
    business = Business()
    business.in_review()
    shown = business.ask_record("opco", "grant", "show", "g1")
    assert shown["demand_id"] == "d1"
    business.suspend("opco")
    business.do("bureau", "parties", "readmit", "opco", "audit passed")
    business.do("bureau", "grant", "decide", "g1", True, "", shown["digest"])


# --- the terms as they are signed ------------------------------------------------------------


def keyed(shown: Fields) -> dict[Key, Value]:
    """A record as a session's view gives it."""
    return {name: value for name, value in shown.items()}  # noqa: C416  # of another type


def test_the_digest_is_made_of_the_terms_alike_in_the_contract_and_outside() -> None:
    business = Business()
    business.approved()
    terms = business.grant_terms()
    hostile: list[Value] = [
        terms,
        changed(terms, 1, "scenario\nuses 9"),
        changed(terms, 1, "\u4fdd\u9669\U0001f600 12 x"),
        changed(terms, 3, ["a\n1 b", ALGORITHM]),
        changed(terms, 3, ["a", "1 b", ALGORITHM]),
        changed(terms, 6, []),
    ]
    digests = set()
    for number, asked in enumerate(hostile):
        assert isinstance(asked, list)
        business.do("opco", "grant", "request", f"g{number}", *asked)
        shown = business.ask_record("opco", "grant", "show", f"g{number}")
        assert terms_digest(keyed(shown), CHAIN_ID) == shown["digest"]
        assert terms_digest(keyed(shown), bytes(31) + b"\x01") != shown["digest"], (
            "of another chain"
        )
        digests.add(shown["digest"])
    assert len(digests) == len(hostile)


@pytest.mark.parametrize("field", ["demand_id", "scenario", "datasets", "uses_max", "from_ms"])
def test_no_term_is_left_out_of_what_is_signed(field: str) -> None:
    business = Business()
    business.granted()
    shown = keyed(business.ask_record("opco", "grant", "show", "g1"))
    value = shown[field]
    other: Value = value + 1 if isinstance(value, int) else "x" if isinstance(value, str) else []
    assert terms_digest({**shown, field: other}, CHAIN_ID) != shown["digest"]
    wrong: list[Value] = [None, b"x", True, [1]]
    for broken in wrong:
        with pytest.raises(TermsUnreadable):
            terms_text({**shown, field: broken}, CHAIN_ID)


# --- while it stands -------------------------------------------------------------------------


def test_unknown_grants_are_named_as_such() -> None:
    business = Business()
    assert business.refused("bureau", "grant", "revoke", "g9", "misuse") == "grant.unknown"
    assert business.refused("bureau", "grant", "review", "g9") == "grant.unknown"
    for view in ("show", "ensure_valid", "standing"):
        assert business.denied("bureau", "grant", view, "g9") == "grant.unknown"
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
def test_a_revocation_and_a_withdrawal_need_a_reason_of_bounded_length(reason: str) -> None:
    business = Business()
    business.granted()
    assert business.refused("bureau", "grant", "revoke", "g1", reason) == "grant.reason"
    business.do("opco", "grant", "request", "g2", *business.grant_terms())
    assert business.refused("opco", "grant", "withdraw", "g2", reason) == "grant.reason"


def test_a_grant_is_valid_within_its_window() -> None:
    business = Business()
    business.approved()
    window = changed(business.grant_terms(hours=3), 8, business.now_ms + HOUR_MS)
    business.authorize("g1", window)
    assert business.ask("health", "grant", "is_valid", "g1") is False
    assert business.denied("health", "grant", "ensure_valid", "g1") == "grant.early"
    assert business.refused("opco", "task", "create", *business.order()) == "grant.early"
    business.pass_time(HOUR_MS)
    assert business.ask("health", "grant", "is_valid", "g1") is True
    business.pass_time(2 * HOUR_MS)
    assert business.ask("health", "grant", "is_valid", "g1") is False
    assert business.denied("health", "grant", "ensure_valid", "g1") == "grant.expired"
    assert business.ask("health", "grant", "standing", "g1") == "expired"


def test_a_grant_sleeps_while_its_operator_is_suspended() -> None:
    business = Business()
    business.granted()
    business.suspend("opco")
    assert business.ask("health", "grant", "is_valid", "g1") is False
    assert business.denied("health", "grant", "ensure_valid", "g1") == "grant.suspended"
    business.do("bureau", "parties", "readmit", "opco", "audit passed")
    assert business.ask("health", "grant", "is_valid", "g1") is True


def test_a_grant_that_permits_no_computing_is_used_by_no_task() -> None:
    business = Business()
    business.approved()
    business.authorize("g1", changed(business.grant_terms(), 5, ["read"]))
    assert business.refused("opco", "task", "create", *business.order()) == "grant.permission"
    business.authorize("g2", changed(business.grant_terms(), 5, ["use"]))
    business.do("opco", "task", "create", *business.order("t2", "g2"))


def test_nobody_counts_a_use_or_suspends_by_hand() -> None:
    business = Business()
    business.granted()
    for who in ("opco", "bureau", "health", STRANGER):
        use: list[Value] = ["g1", "t1", "opco", all_datasets(), ALGORITHM]
        assert business.refused(who, "grant", "use", *use) == "grant.use"
        assert business.refused(who, "grant", "suspend", "g1", "leak") == "grant.suspend"
        assert business.refused(who, "grant", "resume", "g1", "over") == "grant.resume"


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


def test_a_window_is_open_from_its_first_millisecond_and_closed_at_its_end() -> None:
    business = Business()
    business.approved()
    from_ms, end_ms = business.now_ms + 10 * HOUR_MS, business.now_ms + 20 * HOUR_MS
    business.authorize("g1", changed(changed(business.grant_terms(), 8, from_ms), 9, end_ms))
    for moment_ms, refusal in (
        (from_ms - 1, "grant.early"),
        (from_ms, ""),
        (end_ms - 1, ""),
        (end_ms, "grant.expired"),
    ):
        business.pass_time(moment_ms - business.now_ms)
        assert business.ask("health", "grant", "is_valid", "g1") is not bool(refusal)
        if refusal:
            assert business.denied("health", "grant", "ensure_valid", "g1") == refusal
        else:
            assert business.ask("health", "grant", "ensure_valid", "g1") is True


def test_a_request_is_expired_when_its_end_has_come() -> None:
    business = Business()
    business.requested(hours=24)
    end_ms = business.ask_record("bureau", "grant", "show", "g1")["expires_ms"]
    assert isinstance(end_ms, int)
    business.pass_time(end_ms - 1 - business.now_ms)
    assert business.ask("bureau", "grant", "standing", "g1") == "requested"
    business.pass_time(1)
    assert business.ask("bureau", "grant", "standing", "g1") == "expired"


def test_a_request_that_was_refused_is_not_expired_later() -> None:
    business = Business()
    business.in_review()
    business.do("bureau", "grant", "decide", "g1", *arguments(business, "decide"))
    business.pass_time(25 * HOUR_MS)
    assert business.ask("bureau", "grant", "standing", "g1") == "refused"


def test_a_window_is_not_of_no_length() -> None:
    business = Business()
    business.approved()
    terms = business.grant_terms()
    nothing = changed(terms, 8, terms[9])
    assert business.refused("opco", "grant", "request", "g1", *nothing) == "grant.from"


def test_a_request_is_refused_also_when_it_could_not_be_granted_any_more() -> None:
    business = Business()
    business.in_review()
    business.suspend("opco")
    business.do("bureau", "grant", "decide", "g1", *arguments(business, "decide"))
    assert business.ask("bureau", "grant", "standing", "g1") == "refused"


def test_a_grant_in_a_channel_says_when_it_was_decided() -> None:
    business = Business()
    demand_id = business.approved()
    business.preapproved()
    asked = changed(business.grant_terms(demand_id), -1, "c1")
    business.do("opco", "grant", "request", "g1", *asked)
    shown = business.ask_record("bureau", "grant", "show", "g1")
    assert shown["decided_ms"] == shown["accepted_ms"] == business.now_ms


def test_what_a_grant_covers_is_answered_with_true() -> None:
    business = Business()
    business.granted()
    use: list[Value] = ["opco", all_datasets(), ALGORITHM]
    assert business.ask("opco", "grant", "ensure_covers", "g1", *use) is True
    assert business.ask("opco", "grant", "ensure_not_withdrawn", "g1") is True
