"""Queues serve the contracts whose work it is, and nobody else."""

from __future__ import annotations

from client.gas import gas_limit_of
from contracts.system.job import QUEUE_MAX
from ledger.values import Value
from tests.business import HOUR_MS, SUPPLIERS, Business, changed


def test_nobody_enters_leaves_or_reads_a_queue_by_hand() -> None:
    business = Business()
    for who in ("bureau", "opco", "health"):
        assert business.refused(who, "queue", "enter", "t1", 0, [["grant:g1", 9]]) == "queue.user"
        assert business.refused(who, "queue", "leave", "t1", ["grant:g1"]) == "queue.user"
        owned: list[Value] = ["t1", 0, who, 9, [["grant:g1", 9]]]
        assert business.refused(who, "queue", "enter_owned", *owned) == "queue.user"
        owned = ["t1", who, ["grant:g1"]]
        assert business.refused(who, "queue", "leave_owned", *owned) == "queue.user"
        assert business.denied(who, "queue", "items", "grant:g1") == "queue.user"


def test_an_owner_has_a_share_of_a_queue_and_no_more() -> None:
    chain, user = Business().chain, "contract:task"
    scopes: list[Value] = [["party:health", 3]]

    def enter(item: str, owner: str) -> str:
        receipt = chain.call(user, "queue", "enter_owned", item, 1, owner, 2, scopes)
        return receipt.detail.partition(":")[0]

    assert [enter(item, "opco") for item in ("a", "b", "c")] == ["", "", "queue.share"]
    assert [enter(item, "rival") for item in ("d", "e")] == ["", "queue.full"]
    chain.must(user, "queue", "leave_owned", "a", "opco", ["party:health"])
    assert [enter(item, "opco") for item in ("f", "g")] == ["", "queue.full"]
    chain.must(user, "queue", "leave_owned", "d", "rival", ["party:health"])
    assert [enter(item, "opco") for item in ("g",)] == ["queue.share"]
    assert chain.view(user, "queue", "items", "party:health") == ["b", "f"]


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


def test_the_last_job_of_a_full_queue_can_be_dispatched_by_a_client() -> None:
    """All jobs before it are looked at: none of them can start."""
    business = Business()
    business.granted(uses_max=9)
    for grant in range(2, 17):
        business.authorize(f"g{grant}", business.grant_terms())
    for number in range(QUEUE_MAX):
        hours = 9 if number == QUEUE_MAX - 1 else 1
        plan = changed(business.plan(f"j{number}", hours=hours), 2, f"g{number // 16 + 1}")
        business.do("opco", "job", "create", *plan)
        digest_of_plan = business.job(f"j{number}")["digest"]
        for party in (*SUPPLIERS, "insurer"):
            business.do(party, "job", "confirm", f"j{number}", digest_of_plan)
    business.pass_time(2 * HOUR_MS)
    receipt = business.act("opco", "job", "dispatch", f"j{QUEUE_MAX - 1}")
    assert receipt.status == 0
    assert receipt.gas_used * 4 < gas_limit_of("job", "dispatch")  # names may be longer


def test_an_item_is_in_32_queues_at_most() -> None:
    chain, user = Business().chain, "contract:task"
    names: list[Value] = [f"party:{number}" for number in range(33)]
    scopes: list[Value] = [[name, 9] for name in names]
    refused = chain.call(user, "queue", "enter", "t1", 1, scopes)
    assert refused.detail.startswith("queue.scopes")
    chain.must(user, "queue", "enter", "t1", 1, scopes[:32])
    assert chain.call(user, "queue", "leave", "t1", names).detail.startswith("queue.scopes")
    chain.must(user, "queue", "leave", "t1", names[:32])
    assert chain.view(user, "queue", "items", "party:0") == []
