"""Bills at their ends: the last millisecond of a period, of an answer and of a report of use."""

from __future__ import annotations

import pytest

from contracts.vm.testing import account
from ledger.values import Value
from tests.business import (
    DEMAND,
    HOUR_MS,
    STRANGER,
    Business,
    acceptance,
    changed,
    digest,
    result,
)
from tests.unit.test_system_billing import (
    MONTH_MS,
    PRICES,
    agree,
    enact,
    priced,
    rows,
    stated,
    status_of,
)


def test_a_statement_takes_what_was_metered_before_its_end_and_ends_by_its_block() -> None:
    business = priced()
    business.do("opco", "billing", "meter_task", "t1")
    metered_ms = business.now_ms
    assert business.refused(STRANGER, "billing", "issue", "s1", "insurer", 1) == "billing.role"
    business.pass_time(HOUR_MS)
    for to_ms, code in (
        (metered_ms, "billing.empty"),
        (business.now_ms + 4, "billing.to"),
    ):
        assert business.refused("opco", "billing", "issue", "s1", "insurer", to_ms) == code
    to_ms = business.now_ms + 1  # the time of the block
    ((name, told),) = business.do("opco", "billing", "issue", "s1", "insurer", to_ms)
    assert (name, told["payee"], told["payer"]) == ("StatementIssued", "opco", "insurer")
    assert (told["to_ms"], told["count"], told["total_fen"]) == (to_ms, 1, 500)


def test_a_statement_that_ends_a_millisecond_after_an_entry_takes_it() -> None:
    business = priced()
    business.do("opco", "billing", "meter_task", "t1")
    business.do("opco", "billing", "issue", "s1", "insurer", business.now_ms + 1)


def test_the_entries_of_a_statement_are_its_own() -> None:
    business = priced()
    business.do("opco", "billing", "meter_task", "t1")
    business.do("opco", "billing", "issue", "s1", "insurer", business.now_ms + 1)
    agree(business, "a1", 3)
    for log in ("first", "second"):
        business.do("opco", "billing", "report_use", "a1", 11, digest(log))
    business.do("opco", "billing", "issue", "s2", "insurer", business.now_ms + 1)
    for statement, digests in (("s1", [b""]), ("s2", [digest("first"), digest("second")])):
        found = rows(business.ask("insurer", "billing", "entries_of", statement, 0, 10))
        assert [entry["digest"] for entry in found] == digests


def test_a_statement_is_overdue_in_the_millisecond_in_which_its_answer_was_due() -> None:
    business = stated()
    due_ms = business.ask_record("insurer", "billing", "show", "s1")["answer_by_ms"]
    assert due_ms == business.now_ms + MONTH_MS
    business.pass_time(MONTH_MS - 1)
    assert status_of(business) == "issued"
    business.pass_time(1)
    assert status_of(business) == "overdue"


def test_a_contested_statement_may_be_settled_at_nothing() -> None:
    business = stated()
    business.do("insurer", "billing", "contest", "s1", "it never came")
    business.do("bureau", "billing", "settle", "s1", 0, "it did not")
    assert business.ask_record("insurer", "billing", "show", "s1")["due_fen"] == 0


def test_use_is_reported_to_the_last_millisecond_of_the_month_after_the_end() -> None:
    business = priced()
    agree(business, "a1")
    business.do("insurer", "agreement", "terminate", "a1", "done")
    business.pass_time(MONTH_MS - 2)  # the block of an act is a millisecond later
    use: list[Value] = ["a1", 1, digest("late")]
    business.do("opco", "billing", "report_use", *use)
    late: list[Value] = ["a1", 1, digest("too late")]
    assert business.refused("opco", "billing", "report_use", *late) == "billing.agreement"


def with_all(consumer: str) -> Business:
    """A task of opco for the consumer, with data of `all`, a manager, supplier and consumer."""
    business = Business()
    enact(business, 1, PRICES)
    roles: list[Value] = ["manager", "supplier", "consumer"]
    business.do("bureau", "parties", "register", "all", "All", roles, [account("all")])
    pairs: list[Value] = [[who, business.enter(who, f"rows-{who}")] for who in ("all", "health")]
    datasets: list[Value] = ["rows-all", "rows-health"]
    business.do(consumer, "demand", "file", "d1", *DEMAND)
    business.do("opco", "demand", "prescreen", "d1", True, "complete")
    business.do("bureau", "demand", "review", "d1", True, "lawful", datasets)
    business.authorize("g1", changed(business.grant_terms(), 2, datasets))
    business.do("opco", "task", "create", *changed(business.order(), 4, pairs))
    for who in ("all", "health"):
        words = acceptance(who)
        rows_of: list[Value] = [*words[:-1], digest(who + "rows")]
        business.do(who, "task", "accept", *rows_of)
    for who in ("all", "health"):
        business.do(who, "task", "report", *result(who))
    business.do("opco", "billing", "meter_task", "t1")
    return business


def test_nobody_owes_itself_for_its_own_data() -> None:
    business = with_all("all")
    found = rows(business.ask("bureau", "billing", "entries", 0, 10))
    told = [(entry["kind"], entry["payee"], entry["payer"]) for entry in found]
    assert told == [("task", "opco", "all"), ("dataset", "health", "all")]


@pytest.mark.parametrize(("payee", "payer"), [("opco", "all"), ("all", "insurer")])
def test_a_manager_settles_no_bill_of_which_it_is_a_side(payee: str, payer: str) -> None:
    business = with_all(payer)
    business.do(payee, "billing", "issue", "s1", payer, business.now_ms + 1)
    business.do(payer, "billing", "contest", "s1", "too much")
    assert business.refused("all", "billing", "settle", "s1", 1, "mine") == "billing.self"
    business.do("bureau", "billing", "settle", "s1", 1, "agreed")
