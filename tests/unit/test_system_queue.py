"""Queues serve the contracts whose work it is, and nobody else."""

from __future__ import annotations

from ledger.values import Value
from tests.business import Business


def test_nobody_enters_leaves_or_reads_a_queue_by_hand() -> None:
    business = Business()
    for who in ("bureau", "opco", "health"):
        assert business.refused(who, "queue", "enter", "t1", 0, [["grant:g1", 9]]) == "queue.user"
        assert business.refused(who, "queue", "leave", "t1", ["grant:g1"]) == "queue.user"
        assert business.denied(who, "queue", "items", "grant:g1") == "queue.user"


def test_a_queue_gives_its_items_by_rank_and_forgets_what_left() -> None:
    chain, user = Business().chain, "contract:task"
    scopes: list[Value] = [["party:health", 3], ["party:social", 9]]
    for item, rank in (("late", 900), ("first", 7), ("second", 10)):
        chain.must(user, "queue", "enter", item, rank, scopes)
    assert chain.view(user, "queue", "items", "party:health") == ["first", "second", "late"]
    full = chain.call(user, "queue", "enter", "more", 1, scopes)
    assert full.detail.startswith("queue.full")
    chain.must(user, "queue", "leave", "late", ["party:health"])
    chain.must(user, "queue", "leave", "first", ["party:health"])
    assert chain.view(user, "queue", "items", "party:health") == ["second"]
    assert chain.view(user, "queue", "items", "party:social") == ["first", "second", "late"]
    assert chain.view(user, "queue", "items", "party:nobody") == []
    absent = chain.call(user, "queue", "leave", "late", ["party:health"])
    assert absent.detail.startswith("queue.absent")
    twice = chain.call(user, "queue", "enter", "second", 1, [["party:health", 9]])
    assert twice.detail.startswith("queue.twice")
    for rank in (-1, 10**15):
        wrong = chain.call(user, "queue", "enter", "more", rank, [])
        assert wrong.detail.startswith("queue.rank")
    many: list[tuple[str, list[Value]]] = [
        ("enter", ["x", 1, [["s", 1]] * 33]),
        ("leave", ["x", ["s"] * 33]),
    ]
    for method, words in many:
        assert chain.call(user, "queue", method, *words).detail.startswith("queue.scopes")
