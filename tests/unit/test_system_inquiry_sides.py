"""Inquiries and evaluations at their bounds, and by supervisors that are no managers."""

from __future__ import annotations

import pytest

from contracts.vm.testing import account
from ledger.values import Value
from tests.business import HOUR_MS, STRANGER, Business, changed, digest
from tests.unit.test_system_inquiry import inquiry, judgement, question
from tests.unit.test_system_oversight import engaged

WHOLE = "f" * 2048  # as long as a finding may be


def asked(business: Business) -> int:
    """The bureau asked opco; when the answer is due."""
    words = question(business)
    business.do("bureau", "inquiry", "ask", *words)
    due_ms = words[5]
    assert isinstance(due_ms, int)
    return due_ms


def with_all() -> Business:
    """One party is manager and operator."""
    business = Business()
    words: list[Value] = ["all", "All", ["manager", "operator"], [account("all")]]
    business.do("bureau", "parties", "register", *words)
    return business


# --- inquiries ------------------------------------------------------------------------------------


def test_an_inquiry_is_asked_once() -> None:
    business = Business()
    asked(business)
    refused = business.refused("bureau", "inquiry", "ask", *question(business))
    assert refused == "inquiry.exists"


@pytest.mark.parametrize(("early_ms", "is_late"), [(1, False), (0, True)])
def test_an_answer_is_late_in_the_millisecond_in_which_it_is_due(
    early_ms: int, is_late: bool
) -> None:
    business = Business()
    business.pass_time(asked(business) - early_ms - business.now_ms)
    assert business.ask("bank", "inquiry", "is_overdue", "q1") is is_late
    business.chain.advance(time_ms=-1)  # the block of an act is a millisecond later
    ((_name, fields),) = business.do("opco", "inquiry", "answer", "q1", "see", digest("a"))
    assert fields["is_late"] is is_late


def test_findings_say_something_in_2048_characters_at_most() -> None:
    business = Business()
    asked(business)
    for finding in ("", WHOLE + "f"):
        refused = business.refused("bureau", "inquiry", "withdraw", "q1", finding)
        assert refused == "inquiry.finding"
    business.do("opco", "inquiry", "answer", "q1", "see", digest("a"))
    due_ms = business.now_ms + HOUR_MS
    for finding in ("", WHOLE + "f"):
        refused = business.refused("bureau", "inquiry", "send_back", "q1", finding, due_ms)
        assert refused == "inquiry.finding"
    past = business.refused("bureau", "inquiry", "send_back", "q1", "more", business.now_ms)
    assert past == "inquiry.due"
    refused = business.refused("bureau", "inquiry", "conclude", "q1", True, WHOLE + "f")
    assert refused == "inquiry.finding"
    business.do("bureau", "inquiry", "conclude", "q1", True, WHOLE)
    assert inquiry(business)["finding"] == WHOLE


def test_an_operator_asks_reads_and_concludes_about_whom_it_engaged() -> None:
    business = Business()
    engaged(business)
    words = changed(question(business), 1, "chipworks")
    business.do("opco", "inquiry", "ask", *words)
    business.do("chipworks", "inquiry", "answer", "q1", "see", digest("a"))
    assert business.ask_record("opco", "inquiry", "show", "q1")["answer"] == "see"
    for who in ("rival", "chipworks", STRANGER):
        refused = business.refused(who, "inquiry", "conclude", "q1", True, "")
        assert refused == "inquiry.asker"
    business.do("opco", "inquiry", "conclude", "q1", True, "")


def test_a_manager_concludes_no_inquiry_about_itself() -> None:
    business = with_all()
    business.do("bureau", "inquiry", "ask", *changed(question(business), 1, "all"))
    business.do("all", "inquiry", "answer", "q1", "see", digest("a"))
    refused = business.refused("all", "inquiry", "conclude", "q1", True, "fine")
    assert refused == "inquiry.asker"


# --- evaluations ----------------------------------------------------------------------------------


def test_an_evaluation_is_published_once_and_up_to_the_time_of_its_block() -> None:
    business = Business()
    assert business.ask("bank", "evaluation", "next_due", "bureau", "opco") == 0
    early = changed(judgement(business), 3, business.now_ms + 2)
    assert business.refused("bureau", "evaluation", "publish", *early) == "evaluation.period"
    business.do("bureau", "evaluation", "publish", *changed(early, 3, business.now_ms + 1))
    again = judgement(business, begin=business.now_ms)
    assert business.refused("bureau", "evaluation", "publish", *again) == "evaluation.exists"


def test_an_operator_judges_whom_it_engaged_and_settles_what_is_contested() -> None:
    business = Business()
    engaged(business)
    business.do("opco", "evaluation", "publish", *changed(judgement(business), 1, "chipworks"))
    business.do("chipworks", "evaluation", "answer", "e1", False, "the records are wrong")
    assert business.ask_record("opco", "evaluation", "show", "e1")["status"] == "contested"
    for who in ("rival", "chipworks", STRANGER):
        refused = business.refused(who, "evaluation", "settle", "e1", "passed", "right")
        assert refused == "evaluation.settler"
    business.do("opco", "evaluation", "settle", "e1", "passed", "they were")


def test_a_manager_settles_no_evaluation_of_itself() -> None:
    business = with_all()
    business.do("bureau", "evaluation", "publish", *changed(judgement(business), 1, "all"))
    business.do("all", "evaluation", "answer", "e1", False, "no")
    refused = business.refused("all", "evaluation", "settle", "e1", "passed", "mine")
    assert refused == "evaluation.settler"
