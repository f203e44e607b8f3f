"""Commissions at their bounds: days to the millisecond, counts to the last one."""

from __future__ import annotations

import pytest

from contracts.system.commission import ANOMALIES_MAX, MADE_MAX, TERM_MAX_MS
from ledger.values import Value
from tests.business import Business, digest
from tests.platform import (
    DAY_MS,
    TEXT,
    accepted,
    approved,
    commission,
    handed_in,
    offered,
)


def due_of(business: Business) -> int:
    due_ms = commission(business)["due_ms"]
    assert isinstance(due_ms, int)
    return due_ms


def waited_for(business: Business) -> tuple[Value, Value]:
    """When a report and when work is waited for; 0 for never."""
    course = business.ask_record("opco", "commission", "course", "k1")
    assert course["party"] == "devhouse"
    return course["report_due_ms"], course["work_due_ms"]


@pytest.mark.parametrize(("early_ms", "is_late"), [(1, False), (0, True)])
def test_it_is_accepted_before_the_millisecond_in_which_it_is_due(
    early_ms: int, is_late: bool
) -> None:
    business = Business()
    offered(business)
    business.pass_time(due_of(business) - 1 - early_ms - business.now_ms)
    if is_late:
        assert business.refused("devhouse", "commission", "accept", "k1", TEXT) == "commission.late"
    else:
        business.do("devhouse", "commission", "accept", "k1", TEXT)


def test_it_is_prolonged_by_five_years_at_most() -> None:
    business = Business()
    accepted(business)
    last_ms = business.now_ms + 2 + TERM_MAX_MS  # of the block of the act that is taken
    late = "opco", "commission", "prolong", "k1", last_ms, "more"
    assert business.refused(*late) == "commission.due"
    business.do(*late)


def test_a_report_reaches_up_to_the_time_of_its_block_and_counts_what_was_wrong() -> None:
    business = Business()
    accepted(business, "operate")
    business.pass_time(DAY_MS)
    many: list[Value] = ["k1", business.now_ms + 1, digest("log"), ANOMALIES_MAX + 1, ""]
    assert business.refused("devhouse", "commission", "report", *many) == "commission.anomalies"
    early: list[Value] = ["k1", business.now_ms + 2, digest("log"), ANOMALIES_MAX, ""]
    assert business.refused("devhouse", "commission", "report", *early) == "commission.period"
    business.do("devhouse", "commission", "report", *early[:1], business.now_ms + 1, *early[2:])


def test_a_term_that_is_reported_to_its_day_owes_nothing_and_is_closed() -> None:
    business = Business()
    accepted(business, "operate")
    due_ms = due_of(business)
    business.pass_time(due_ms - business.now_ms)
    report: list[Value] = ["k1", due_ms - 1, digest("log"), 0, ""]
    business.do("devhouse", "commission", "report", *report)
    assert waited_for(business) == (due_ms, 0)
    assert business.refused("opco", "commission", "close", "k1", "") == "commission.unreported"
    report[1] = due_ms
    business.do("devhouse", "commission", "report", *report)
    assert waited_for(business) == (0, 0)
    assert business.refused("opco", "commission", "close", "k1", "n" * 1025) == "commission.note"
    business.do("opco", "commission", "close", "k1", "n" * 1024)


def test_work_is_waited_for_until_a_piece_waits_for_the_operator_or_was_approved() -> None:
    business = Business()
    accepted(business)
    assert waited_for(business) == (0, due_of(business))
    business = Business()
    handed_in(business)
    assert waited_for(business) == (0, 0)
    business = Business()
    approved(business)
    assert waited_for(business) == (0, 0)


def test_up_to_sixteen_things_on_the_chain_are_handed_in_at_once() -> None:
    business = Business()
    accepted(business)
    made: list[Value] = []
    for number in range(MADE_MAX + 1):
        words: list[Value] = [f"e{number}", "development.process", "k1", digest("e"), ""]
        business.do("devhouse", "evidence", "record", *words)
        made.append(["evidence", f"e{number}"])
    hand_in = "devhouse", "commission", "hand_in", "k1"
    assert business.refused(*hand_in, [digest("work")], made, "") == "commission.made"
    business.do(*hand_in, [digest("work")], made[:MADE_MAX], "")
