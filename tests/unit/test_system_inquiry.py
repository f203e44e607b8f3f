"""Inquiries and evaluations: asked and judged by who supervises, answered by who is concerned."""

from __future__ import annotations

import pytest

from ledger.values import Value
from tests.business import HOUR_MS, Business, changed, digest

YEAR_MS = 366 * 24 * HOUR_MS


def question(business: Business) -> list[Value]:
    """The arguments of inquiry.ask."""
    return ["q1", "opco", "delivery", "permissions", "who may?", business.now_ms + 9 * HOUR_MS]


def judgement(business: Business, evaluation_id: str = "e1", begin: int = 0) -> list[Value]:
    """The arguments of evaluation.publish."""
    scores: list[Value] = [["quality", 70], ["safety", 90]]
    period: list[Value] = [evaluation_id, "opco", begin, business.now_ms]
    due_ms = business.now_ms + YEAR_MS
    return [*period, scores, "conditional", digest("report"), "by the records", due_ms]


def inquiry(business: Business) -> dict[str, Value]:
    return business.ask_record("opco", "inquiry", "show", "q1")


def test_an_inquiry_goes_back_and_forth_until_it_is_concluded() -> None:
    business = Business()
    business.do("bureau", "inquiry", "ask", *question(business))
    early = business.refused("bureau", "inquiry", "conclude", "q1", True, "")
    assert early == "inquiry.status"
    business.do("opco", "inquiry", "answer", "q1", "see", digest("first"))
    assert business.refused("opco", "inquiry", "answer", "q1", "see", digest("first")) == (
        "inquiry.status"
    )
    business.do("bureau", "inquiry", "send_back", "q1", "names no accounts", business.now_ms + 9999)
    assert inquiry(business)["status"] == "asked"
    business.do("opco", "inquiry", "answer", "q1", "see now", digest("second"))
    assert business.refused("bureau", "inquiry", "conclude", "q1", False, "") == "inquiry.finding"
    business.do("board", "inquiry", "conclude", "q1", False, "two accounts too many")
    found = inquiry(business)
    assert (found["status"], found["rounds"], found["passed"]) == ("concluded", 2, False)
    assert found["answer_digest"] == digest("second")
    assert business.refused("bureau", "inquiry", "withdraw", "q1", "why") == "inquiry.status"
    again: list[Value] = ["q1", "why", business.now_ms + 9999]
    assert business.refused("bureau", "inquiry", "send_back", *again) == "inquiry.status"


def test_what_is_overdue_follows_from_the_time_and_may_still_be_answered() -> None:
    business = Business()
    business.do("bureau", "inquiry", "ask", *question(business))
    assert business.ask("bank", "inquiry", "is_overdue", "q1") is False
    business.pass_time(9 * HOUR_MS)
    assert business.ask("bank", "inquiry", "is_overdue", "q1") is True
    ((_, fields),) = business.do("opco", "inquiry", "answer", "q1", "sorry", digest("late"))
    assert fields["is_late"] is True
    assert business.ask("bank", "inquiry", "is_overdue", "q1") is False


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "Q", "inquiry.id"),
        (1, "board", "inquiry.role"),  # managers do not supervise each other
        (1, "bureau", "inquiry.role"),
        (2, "use", "inquiry.stage"),
        (3, "everything", "inquiry.scope"),
        (4, "", "inquiry.question"),
        (5, 0, "inquiry.due"),
        (5, 1 << 50, "inquiry.due"),
    ],
)
def test_a_malformed_inquiry_is_not_asked(position: int, value: Value, code: str) -> None:
    business = Business()
    words = changed(question(business), position, value)
    assert business.refused("bureau", "inquiry", "ask", *words) == code


def test_answers_are_sent_back_a_bounded_number_of_times() -> None:
    business = Business()
    business.do("bureau", "inquiry", "ask", *question(business))
    for _ in range(15):
        business.do("opco", "inquiry", "answer", "q1", "see", digest("a"))
        business.do("bureau", "inquiry", "send_back", "q1", "more", business.now_ms + HOUR_MS)
    business.do("opco", "inquiry", "answer", "q1", "see", digest("a"))
    again: list[Value] = ["q1", "more", business.now_ms + HOUR_MS]
    assert business.refused("bureau", "inquiry", "send_back", *again) == "inquiry.rounds"


def test_an_operator_asks_whom_it_engaged_and_nobody_else() -> None:
    business = Business()
    words = changed(question(business), 1, "devhouse")
    assert business.refused("opco", "inquiry", "ask", *words) == "inquiry.role"
    business.do("opco", "oversight", "select", "x1", "devhouse", "")
    business.do("bureau", "oversight", "review", "x1", True, "")
    business.do("opco", "inquiry", "ask", *words)
    assert business.denied("rival", "inquiry", "show", "q1") == "inquiry.reader"


def test_periods_of_an_evaluation_follow_each_other() -> None:
    business = Business()
    business.do("bureau", "evaluation", "publish", *judgement(business))
    first = business.ask_record("opco", "evaluation", "show", "e1")
    assert business.ask("bank", "evaluation", "next_due", "bureau", "opco") == first["next_due_ms"]
    end = first["to_ms"]
    assert isinstance(end, int)
    business.pass_time(YEAR_MS)
    overlapping = judgement(business, "e2", begin=end - 1)
    assert business.refused("bureau", "evaluation", "publish", *overlapping) == (
        "evaluation.overlap"
    )
    business.do("bureau", "evaluation", "publish", *judgement(business, "e2", begin=end))
    business.do("board", "evaluation", "publish", *judgement(business, "e3"))


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "E", "evaluation.id"),
        (1, "bureau", "evaluation.role"),
        (2, -1, "evaluation.period"),
        (3, 0, "evaluation.period"),
        (3, 1 << 50, "evaluation.period"),
        (4, [], "evaluation.scores"),
        (4, [["quality", 101]], "evaluation.points"),
        (4, [["quality", -1]], "evaluation.points"),
        (4, [["", 1]], "evaluation.criterion"),
        (4, [["quality", 1]] * 2, "evaluation.criterion_twice"),
        (5, "excellent", "evaluation.outcome"),
        (6, b"", "evaluation.report"),
        (7, "", "evaluation.note"),
        (8, 0, "evaluation.next_due"),
        (8, 1 << 50, "evaluation.next_due"),
    ],
)
def test_a_malformed_evaluation_is_not_published(position: int, value: Value, code: str) -> None:
    business = Business()
    words = changed(judgement(business), position, value)
    assert business.refused("bureau", "evaluation", "publish", *words) == code


def test_a_contested_evaluation_is_settled_with_both_words_on_record() -> None:
    business = Business()
    business.do("bureau", "evaluation", "publish", *judgement(business))
    early = business.refused("bureau", "evaluation", "settle", "e1", "passed", "right")
    assert early == "evaluation.status"
    assert business.refused("opco", "evaluation", "answer", "e1", False, "") == "evaluation.answer"
    business.do("opco", "evaluation", "answer", "e1", False, "the records are wrong")
    for position, value, code in (
        (1, "good", "evaluation.outcome"),
        (2, "", "evaluation.settlement"),
    ):
        words = changed(["e1", "passed", "right"], position, value)
        assert business.refused("bureau", "evaluation", "settle", *words) == code
    business.do("board", "evaluation", "settle", "e1", "passed", "they were")
    found = business.ask_record("opco", "evaluation", "show", "e1")
    assert (found["status"], found["outcome"], found["settler"]) == ("settled", "passed", "board")
    assert (found["answer"], found["settlement"]) == ("the records are wrong", "they were")


def test_an_accepted_evaluation_stands() -> None:
    business = Business()
    business.do("bureau", "evaluation", "publish", *judgement(business))
    business.do("opco", "evaluation", "answer", "e1", True, "")
    refused = business.refused("opco", "evaluation", "answer", "e1", False, "no")
    assert refused == "evaluation.status"
    refused = business.refused("bureau", "evaluation", "settle", "e1", "failed", "after all")
    assert refused == "evaluation.status"
