"""Quotas: what one caller gets, what it leaves to others, and when it may come again."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from node.api.quotas import (
    CALLERS_MAX,
    TURNS_S_MAX,
    Admission,
    Busy,
    Kind,
    Quotas,
    Rates,
    cost_of,
    kind_of,
)

RATES = Rates(caller=100, host=10, anonymous=20, total=1000)
QUOTAS = Quotas(RATES, at_once={Kind.WORK: 3, Kind.WAIT: 5, Kind.STREAM: 2}, burst_s=1)


class Clock:
    def __init__(self) -> None:
        self.now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


def calls_let_in(admission: Admission, account: str, host: str = "h", *, tries: int) -> int:
    """How many of so many calls, one after the other, are let in."""
    found = 0
    for _ in range(tries):
        try:
            admission.leave(admission.enter(account, host, cost=1, kind=Kind.WORK))
            found += 1
        except Busy:
            pass
    return found


def test_a_caller_gets_its_burst_and_then_its_rate() -> None:
    clock = Clock()
    admission = Admission(QUOTAS, clock)
    assert calls_let_in(admission, "a", tries=300) == 100
    clock.now_s += 0.5
    assert calls_let_in(admission, "a", tries=300) == 50
    clock.now_s += 3600  # a bucket holds no more than its burst, however long it filled
    assert calls_let_in(admission, "a", tries=300) == 100


def test_one_caller_leaves_another_its_own() -> None:
    admission = Admission(QUOTAS, Clock())
    calls_let_in(admission, "greedy", tries=500)
    assert calls_let_in(admission, "modest", tries=100) == 100


def test_a_refused_caller_is_let_in_when_it_was_told_to_come_again() -> None:
    clock = Clock()
    admission = Admission(QUOTAS, clock)
    admission.leave(admission.enter("a", "h", cost=150, kind=Kind.WORK))
    with pytest.raises(Busy) as refused:
        admission.enter("a", "h", cost=1, kind=Kind.WORK)
    assert refused.value.retry_ms == 501
    assert refused.value.code == "node.quota"
    clock.now_s += refused.value.retry_ms / 1000
    admission.enter("a", "h", cost=1, kind=Kind.WORK)


def test_many_that_wait_are_told_one_turn_after_the_other() -> None:
    clock = Clock()
    admission = Admission(QUOTAS, clock)
    calls_let_in(admission, "a", tries=100)
    told = []
    for _ in range(500):
        with pytest.raises(Busy) as refused:
            admission.enter("a", "h", cost=1, kind=Kind.WORK)
        told.append(refused.value.retry_ms)
    steps = [later - earlier for earlier, later in pairwise(told[:100])]
    assert set(steps) <= {9, 10, 11}, "at the pace of 100 a second"
    assert max(told) <= TURNS_S_MAX * 1000 + 1
    clock.now_s += told[50] / 1000
    assert calls_let_in(admission, "a", tries=1) == 1


def test_who_has_all_its_places_is_refused_before_it_has_proved_itself() -> None:
    admission = Admission(QUOTAS, Clock())
    tickets = [admission.enter("a", "h", cost=1, kind=Kind.WORK) for _ in range(3)]
    with pytest.raises(Busy):
        admission.knock("a", "h", Kind.WORK)
    admission.knock("a", "h", Kind.WAIT)
    admission.knock("b", "h", Kind.WORK)
    admission.leave(tickets[0])
    admission.knock("a", "h", Kind.WORK)


def test_a_debt_is_never_longer_than_the_burst() -> None:
    admission = Admission(QUOTAS, Clock())
    admission.enter("a", "h", cost=10**9, kind=Kind.WORK)
    with pytest.raises(Busy) as refused:
        admission.enter("a", "h", cost=1, kind=Kind.WORK)
    assert refused.value.retry_ms <= 1001


def test_who_does_not_sign_shares_with_its_host_and_with_all_who_do_not() -> None:
    admission = Admission(QUOTAS, Clock())
    assert [calls_let_in(admission, "", host, tries=50) for host in ("h1", "h2", "h3")] == [
        10,
        10,
        0,
    ]
    assert calls_let_in(admission, "member", "h3", tries=50) == 50


def test_all_callers_together_get_no_more_than_the_total() -> None:
    admission = Admission(replace(QUOTAS, rates=replace(RATES, total=250)), Clock())
    found = [calls_let_in(admission, name, tries=100) for name in ("a", "b", "c", "d")]
    assert found == [100, 100, 50, 0]


def test_calls_at_once_are_limited_for_each_caller_and_come_back_when_they_end() -> None:
    admission = Admission(QUOTAS, Clock())
    tickets = [admission.enter("a", "h", cost=1, kind=Kind.WORK) for _ in range(3)]
    with pytest.raises(Busy, match="3 calls under way"):
        admission.enter("a", "h", cost=1, kind=Kind.WORK)
    admission.enter("b", "h", cost=1, kind=Kind.WORK)
    admission.leave(tickets.pop())
    admission.enter("a", "h", cost=1, kind=Kind.WORK)


def test_hosts_without_a_signature_have_no_more_places_together_than_one_account() -> None:
    admission = Admission(QUOTAS, Clock())
    tickets = [admission.enter("", f"h{number}", cost=1, kind=Kind.WORK) for number in range(3)]
    with pytest.raises(Busy, match="all without a member's signature"):
        admission.enter("", "h9", cost=1, kind=Kind.WORK)
    with pytest.raises(Busy, match="all without a member's signature"):
        admission.knock("", "h9", Kind.WORK)
    admission.enter("a", "h9", cost=1, kind=Kind.WORK)
    admission.leave(tickets.pop())
    admission.enter("", "h9", cost=1, kind=Kind.WORK)


def test_streams_have_a_share_of_their_own() -> None:
    admission = Admission(QUOTAS, Clock())
    for _ in range(2):
        admission.enter("a", "h", cost=1, kind=Kind.STREAM)
    with pytest.raises(Busy, match="2 event streams"):
        admission.enter("a", "h", cost=1, kind=Kind.STREAM)
    admission.enter("a", "h", cost=1, kind=Kind.WORK)


def test_knocking_draws_nothing_whoever_is_claimed() -> None:
    admission = Admission(QUOTAS, Clock())
    calls_let_in(admission, "a", tries=1)
    for _ in range(500):
        admission.knock("a", "attacker", Kind.WORK)
    assert calls_let_in(admission, "a", tries=300) == 99


def test_who_is_over_its_quota_is_refused_before_its_signature_is_verified() -> None:
    admission = Admission(QUOTAS, Clock())
    calls_let_in(admission, "a", tries=300)
    with pytest.raises(Busy):
        admission.knock("a", "h", Kind.WORK)


def test_bad_signatures_cost_who_sent_them_and_no_known_caller() -> None:
    admission = Admission(QUOTAS, Clock())
    calls_let_in(admission, "member", "gateway", tries=1)
    for number in range(10):
        admission.spoil(f"made up {number}", "gateway")
    with pytest.raises(Busy, match="do not hold"):
        admission.knock("made up", "gateway", Kind.WORK)
    admission.knock("made up", "elsewhere", Kind.WORK)
    admission.knock("member", "gateway", Kind.WORK)


def test_who_uses_a_members_name_is_stopped_at_its_own_host() -> None:
    admission = Admission(QUOTAS, Clock())
    calls_let_in(admission, "member", "home", tries=1)
    for _ in range(10):
        admission.spoil("member", "attacker")
    with pytest.raises(Busy):
        admission.knock("member", "attacker", Kind.WORK)
    admission.knock("member", "home", Kind.WORK)
    assert calls_let_in(admission, "member", "home", tries=200) == 99


def test_calls_that_are_refused_for_want_of_a_header_cost_their_host() -> None:
    admission = Admission(QUOTAS, Clock())
    for _ in range(10):
        admission.spoil("", "h")
    with pytest.raises(Busy):
        admission.knock("", "h", Kind.WORK)


def test_made_up_names_do_not_push_a_caller_out_of_memory() -> None:
    admission = Admission(QUOTAS, Clock())
    calls_let_in(admission, "a", tries=300)
    for number in range(CALLERS_MAX + 1):
        admission.knock(f"made up {number}", "h", Kind.WORK)
    assert calls_let_in(admission, "a", tries=1) == 0


def test_a_clock_that_stands_still_or_goes_back_fills_nothing() -> None:
    clock = Clock()
    admission = Admission(QUOTAS, clock)
    calls_let_in(admission, "a", tries=300)
    clock.now_s -= 10
    assert calls_let_in(admission, "a", tries=1) == 0


def test_refusals_are_counted() -> None:
    admission = Admission(QUOTAS, Clock())
    calls_let_in(admission, "a", tries=130)
    assert admission.refused == 30


def test_a_large_request_costs_more() -> None:
    small, large = (
        cost_of("/shuxin.v1.Node/Submit", 300),
        cost_of("/shuxin.v1.Node/Submit", 1 << 20),
    )
    assert (small, large) == (1, 65)
    assert cost_of("/shuxin.v1.Node/View", 10) > cost_of("/shuxin.v1.Node/GetStatus", 10)


def test_what_anybody_may_read_from_the_disk_costs_more_than_a_look() -> None:
    look, *reads = (
        cost_of(f"/shuxin.v1.Node/{name}", 0)
        for name in ("GetStatus", "GetGenesis", "GetCommittees")
    )
    assert all(read > look for read in reads)


def test_calls_that_wait_and_streams_have_places_of_their_own() -> None:
    assert kind_of("/shuxin.v1.Node/WaitReceipt", is_stream=False) is Kind.WAIT
    assert kind_of("/shuxin.v1.Node/FollowEvents", is_stream=True) is Kind.STREAM
    assert kind_of("/grpc.health.v1.Health/Watch", is_stream=True) is Kind.WAIT
    assert kind_of("/shuxin.v1.Node/View", is_stream=False) is Kind.WORK
