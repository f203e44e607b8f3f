"""Channels: a scenario approved before; within it a request is in force at once, beyond it not."""

from __future__ import annotations

import pytest

from ledger.values import Value
from tests.business import HOUR_MS, STRANGER, Business, all_datasets, changed, dataset_of

FIVE_YEARS_MS = 5 * 366 * 24 * HOUR_MS


def opened(*, uses_max: int = 3) -> Business:
    business = Business()
    business.approved()
    business.preapproved(uses_max=uses_max)
    return business


def drawn(business: Business, grant_id: str = "g1", *, uses_max: int = 3) -> list[Value]:
    """The arguments of grant.request within the channel c1."""
    return [grant_id, *changed(business.grant_terms(uses_max=uses_max), -1, "c1")]


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "C", "preapproval.id"),
        (1, "health", "preapproval.operator"),
        (1, "nobody", "preapproval.operator"),
        (2, "", "preapproval.scenario"),
        (3, [], "preapproval.datasets"),
        (3, ["nothing"], "preapproval.dataset"),
        (4, [""], "preapproval.algorithm_id"),
        (5, [], "preapproval.outputs"),
        (6, ["compute"], "preapproval.action"),
        (7, ["derive"], "preapproval.action_twice"),
        (8, ["derive"], "preapproval.duty"),
        (9, 0, "preapproval.uses"),
        (10, "high", "preapproval.assurance"),
        (11, 0, "preapproval.term"),
        (11, FIVE_YEARS_MS + 1, "preapproval.term"),
        (12, 0, "preapproval.until"),
        (12, 2**60, "preapproval.until"),
    ],
)
def test_a_malformed_channel_is_not_opened(position: int, value: Value, code: str) -> None:
    business = Business()
    business.catalogued()
    asked = changed(["c1", *business.channel()], position, value)
    assert business.refused("bureau", "preapproval", "preapprove", *asked) == code
    assert business.denied("bureau", "preapproval", "show", "c1") == "preapproval.unknown"


def test_a_request_within_a_channel_is_in_force_at_once() -> None:
    business = opened()
    events = business.do("opco", "grant", "request", *drawn(business))
    assert [name for name, _fields in events] == ["GrantRequested", "Granted"]
    shown = business.ask_record("health", "grant", "show", "g1")
    assert (shown["status"], shown["manager"], shown["channel_id"]) == ("active", "bureau", "c1")
    business.do("opco", "task", "create", *business.order())


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (2, "another scenario", "preapproval.scenario"),
        (4, ["statistics/1", "model/1"], "preapproval.beyond"),
        (5, ["statistics", "model"], "preapproval.beyond"),
        (6, ["derive", "read"], "preapproval.beyond"),
        (7, [], "preapproval.obligations"),
        (8, [], "preapproval.obligations"),
        (11, 4, "preapproval.uses"),
    ],
)
def test_what_goes_beyond_a_channel_is_refused_there(
    position: int, value: Value, code: str
) -> None:
    business = opened()
    asked = changed(drawn(business), position, value)
    assert business.refused("opco", "grant", "request", *asked) == code
    assert business.denied("opco", "grant", "show", "g1") == "grant.unknown"
    business.do("opco", "grant", "request", *changed(asked, -1, ""))
    assert business.ask("opco", "grant", "standing", "g1") == "requested"


def test_a_channel_does_not_widen_what_a_review_matched() -> None:
    business = Business()
    business.catalogued()
    business.forwarded()
    business.do("bureau", "demand", "review", "d1", True, "", [dataset_of("health")])
    business.preapproved()
    assert business.refused("opco", "grant", "request", *drawn(business)) == "grant.dataset"
    fewer = changed(drawn(business), 3, [dataset_of("health")])
    business.do("opco", "grant", "request", *fewer)


def test_a_narrower_request_with_more_obligations_is_within_a_channel() -> None:
    business = opened()
    asked = changed(drawn(business), 3, all_datasets()[:1])
    asked = changed(changed(asked, 7, ["distribute", "sell"]), 8, ["delete", "inform"])
    business.do("opco", "grant", "request", *changed(asked, 12, "hw_tee"))


def test_less_assurance_than_the_channel_asks_is_refused() -> None:
    business = Business()
    business.approved()
    asked = changed(business.channel(), 9, "sim_vtpm")
    business.do("bureau", "preapproval", "preapprove", "c1", *asked)
    for less in ("none", "sim_process"):
        request = changed(drawn(business), 12, less)
        assert business.refused("opco", "grant", "request", *request) == "preapproval.assurance"
    business.do("opco", "grant", "request", *changed(drawn(business), 12, "sim_vtpm"))


def test_all_grants_of_a_channel_share_its_uses() -> None:
    business = opened(uses_max=5)
    business.do("opco", "grant", "request", *drawn(business))
    assert business.refused("opco", "grant", "request", *drawn(business, "g2")) == (
        "preapproval.uses"
    )
    business.do("opco", "grant", "request", *drawn(business, "g2", uses_max=2))
    shown = business.ask_record("bank", "preapproval", "show", "c1")
    assert (shown["grants"], shown["uses_given"], shown["uses_max"]) == (2, 5, 5)
    assert business.ask("bank", "preapproval", "list", 0, 10) == [shown]


def test_a_grant_of_a_channel_lasts_no_longer_than_its_term() -> None:
    business = opened()
    longer = changed(drawn(business), 10, business.now_ms + 25 * HOUR_MS)
    assert business.refused("opco", "grant", "request", *longer) == "preapproval.term"


@pytest.mark.parametrize("beyond_ms", [0, 1])
def test_the_term_of_a_channel_ends_to_the_millisecond(beyond_ms: int) -> None:
    business = opened()
    end_ms = business.now_ms + 1 + 24 * HOUR_MS + beyond_ms
    asked = changed(drawn(business), 10, end_ms)
    if beyond_ms:
        assert business.refused("opco", "grant", "request", *asked) == "preapproval.term"
    else:
        business.do("opco", "grant", "request", *asked)


@pytest.mark.parametrize("left_ms", [0, 1])
def test_a_channel_is_over_when_its_time_has_come(left_ms: int) -> None:
    business = opened()
    until = business.ask_record("opco", "preapproval", "show", "c1")["until_ms"]
    assert isinstance(until, int)
    business.pass_time(until - left_ms - 1 - business.now_ms)
    asked = drawn(business)
    if left_ms:
        business.do("opco", "grant", "request", *asked)
    else:
        assert business.refused("opco", "grant", "request", *asked) == "preapproval.ended"


@pytest.mark.parametrize("term_ms", [1, FIVE_YEARS_MS])
def test_the_shortest_and_the_longest_term_are_terms(term_ms: int) -> None:
    business = Business()
    business.catalogued()
    asked = changed(["c1", *business.channel()], 11, term_ms)
    business.do("bureau", "preapproval", "preapprove", *asked)


def test_data_that_a_channel_does_not_name_is_beyond_it() -> None:
    business = Business()
    business.approved()
    fewer = changed(["c1", *business.channel()], 3, all_datasets()[:1])
    business.do("bureau", "preapproval", "preapprove", *fewer)
    assert business.refused("opco", "grant", "request", *drawn(business)) == "preapproval.beyond"


def test_a_closed_channel_gives_no_more_and_takes_nothing_back() -> None:
    business = opened(uses_max=6)
    business.do("opco", "grant", "request", *drawn(business))
    business.do("board", "preapproval", "close_channel", "c1", "the pilot is over")
    again = business.refused("bureau", "preapproval", "close_channel", "c1", "again")
    assert again == "preapproval.status"
    assert business.refused("opco", "grant", "request", *drawn(business, "g2")) == (
        "preapproval.closed"
    )
    assert business.ask("opco", "grant", "is_valid", "g1") is True
    shown = business.ask_record("bank", "preapproval", "show", "c1")
    assert (shown["status"], shown["reason"]) == ("closed", "the pilot is over")


def test_a_channel_is_of_one_operator_and_its_id_is_given_once() -> None:
    business = opened()
    others = changed(business.channel(), 0, "rival")
    assert business.refused("bureau", "preapproval", "preapprove", "c1", *others) == (
        "preapproval.exists"
    )
    business.do("bureau", "preapproval", "preapprove", "c2", *others)
    asked = changed(drawn(business), -1, "c2")
    assert business.refused("opco", "grant", "request", *asked) == "preapproval.operator"


@pytest.mark.parametrize("reason", ["", "r" * 513])
def test_a_channel_is_closed_with_a_reason(reason: str) -> None:
    business = opened()
    closing = business.refused("bureau", "preapproval", "close_channel", "c1", reason)
    assert closing == "preapproval.reason"
    unknown = business.refused("bureau", "preapproval", "close_channel", "c9", "why")
    assert unknown == "preapproval.unknown"


def test_nobody_draws_from_a_channel_by_hand() -> None:
    business = opened()
    business.do("opco", "grant", "request", *drawn(business))
    record = business.ask("opco", "grant", "show", "g1")
    for who in ("opco", "bureau", STRANGER):
        assert business.refused(who, "preapproval", "draw", "c1", record) == "preapproval.draw"
    assert business.ask("opco", "preapproval", "ensure_sound", record) is True


def test_channels_are_paged_within_bounds() -> None:
    for offset, limit in [(-1, 1), (0, 0), (0, 101)]:
        assert Business().denied("bank", "preapproval", "list", offset, limit) == (
            "preapproval.page"
        )


def test_an_operator_whose_grant_an_incident_suspends_has_no_other_one_at_once() -> None:
    """Else it goes on under the next grant of the channel, as if nothing had been stopped."""
    business = opened(uses_max=9)
    for grant in ("g1", "g2"):
        business.do("opco", "grant", "request", *drawn(business, grant))
    about: list[Value] = ["Leak", "development", "critical", "opco", []]
    for incident in ("i1", "i2"):
        business.do("bureau", "incident", "open", incident, *about)
    business.do("bureau", "incident", "suspend_grant", "i1", "g1", "leak")
    business.do("bureau", "incident", "suspend_grant", "i2", "g1", "leak")
    again = drawn(business, "g3")
    assert business.refused("opco", "grant", "request", *again) == "preapproval.held"
    business.do("opco", "grant", "request", *changed(again, -1, ""))  # a manager decides on it
    business.do("bureau", "incident", "keep", "i1", 1, "until the audit")
    business.do("bureau", "incident", "lift", "i2", 1, "found")
    more = drawn(business, "g4")
    assert business.refused("opco", "grant", "request", *more) == "preapproval.held"
    business.do("bureau", "incident", "lift", "i1", 1, "mended")
    business.do("opco", "grant", "request", *more)
