"""The pool: order of arrival, bounds, ages, and what a proposal may ask of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ledger.model import Transaction
from node.mempool import ASIDE_KEPT, Admitted, Mempool


def item(number: int, *, size: int = 100, valid_until: int = 50, gas: int = 10) -> Admitted:
    name = number.to_bytes(32, "big")
    return Admitted(name, Transaction(name, bytes(64)), valid_until, gas, size)


def nothing_in_flight(_: bytes) -> bool:
    return False


def pool(*, transactions_max: int = 100, bytes_max: int = 1 << 20) -> Mempool:
    return Mempool(transactions_max=transactions_max, bytes_max=bytes_max)


def chosen(held: Mempool, count: int = 10, size: int = 1 << 20, gas: int = 1 << 20) -> list[int]:
    ids = held.select(nothing_in_flight, count_max=count, bytes_max=size, gas_max=gas)
    return [int.from_bytes(one, "big") for one in ids]


def test_the_longest_waiting_goes_first() -> None:
    held = pool()
    for number in (3, 1, 2):
        held.add(item(number), tick=number)
    assert chosen(held) == [3, 1, 2]


def test_a_batch_keeps_to_count_size_and_gas() -> None:
    held = pool()
    for number in range(10):
        held.add(item(number), tick=0)
    assert len(chosen(held, count=4)) == 4
    assert len(chosen(held, size=350)) == 3
    assert len(chosen(held, gas=25)) == 2


def test_what_is_in_flight_is_not_chosen_again() -> None:
    held = pool()
    for number in range(4):
        held.add(item(number), tick=0)
    flying = item(1).id
    ids = held.select(lambda i: i == flying, count_max=9, bytes_max=9999, gas_max=9999)
    assert flying not in ids
    assert len(ids) == 3


def test_a_full_pool_takes_only_what_a_proposal_needs() -> None:
    held = pool(transactions_max=2)
    assert held.add(item(1), tick=0)
    assert held.add(item(2), tick=0)
    assert not held.add(item(3), tick=0)
    assert held.add(item(3), tick=0, beyond_bounds=True)


def test_holding_one_twice_counts_it_once() -> None:
    held = pool()
    assert held.add(item(1), tick=0)
    assert held.add(item(1), tick=5)
    assert held.size == 100


def test_one_that_is_overtaken_by_far_shows_withholding() -> None:
    held = pool()
    held.add(item(1), tick=0)
    held.add(item(2), tick=100)
    assert not held.is_overtaken(50, nothing_in_flight)
    held.include([item(2).id])
    assert held.is_overtaken(50, nothing_in_flight)
    assert not held.is_overtaken(200, nothing_in_flight)


def test_a_long_queue_served_in_order_shows_none() -> None:
    held = pool()
    for number in range(100):
        held.add(item(number), tick=number)
    held.include([item(number).id for number in range(50)])
    assert not held.is_overtaken(10, nothing_in_flight)


def test_expired_ones_go_unless_they_are_in_flight() -> None:
    held = pool()
    held.add(item(1, valid_until=5), tick=0)
    held.add(item(2, valid_until=5), tick=0)
    held.add(item(3, valid_until=6), tick=0)
    assert held.expire(5, lambda i: i == item(2).id) == 1
    assert len(held) == 2


def test_the_body_of_an_expired_one_stays_for_proposals_in_flight() -> None:
    held = pool()
    held.add(item(1, valid_until=5), tick=0)
    held.expire(5, nothing_in_flight)
    assert chosen(held) == []
    assert held.oldest_age(9, nothing_in_flight) is None
    assert list(held.bodies([item(1).id])) == [item(1).id]
    held.expire(5 + ASIDE_KEPT, nothing_in_flight)
    assert held.missing([item(1).id]) == [item(1).id]
    assert held.size == 0


def test_what_does_not_fit_the_limits_any_more_is_offered_no_more_unless_it_is_in_flight() -> None:
    held = pool()
    for number in (1, 2, 3):
        held.add(item(number, valid_until=9), tick=0)
    unfit = (item(1).id, item(2).id)
    gone = held.expire(5, lambda i: i == item(2).id, lambda waiting: waiting.id not in unfit)
    assert gone == 1
    assert chosen(held) == [2, 3]
    assert held.missing([item(1).id]) == [], "a proposal may name it"


def test_what_does_not_fit_has_not_expired_and_waits_again_once_it_fits() -> None:
    """A client that is told "expired" builds it anew: then both may come into blocks."""
    held = pool()
    held.add(item(1, valid_until=9), tick=0)
    held.add(item(2, valid_until=9), tick=80)
    held.expire(5, nothing_in_flight, lambda waiting: waiting.id != item(1).id)
    assert not held.has_expired(item(1).id)
    held.include([item(2).id])
    held.expire(6, nothing_in_flight)
    assert chosen(held) == [1]
    assert not held.is_overtaken(50, nothing_in_flight), "nobody passed it over"
    held.expire(9, nothing_in_flight)
    assert held.has_expired(item(1).id)


def test_what_is_set_aside_is_at_hand_and_nothing_else() -> None:
    held = pool(transactions_max=1)
    held.add(item(1), tick=0)
    held.set_aside(item(2, valid_until=1 << 60), height=5)
    held.set_aside(item(1), height=5)
    assert chosen(held) == [1]
    assert held.size == 200
    assert held.missing([item(2).id]) == []
    assert not held.has_expired(item(2).id)
    assert held.oldest_age(9, lambda i: i == item(1).id) is None
    fits = {item(1).id}.__contains__
    for height in (6, 4 + ASIDE_KEPT):
        held.expire(height, nothing_in_flight, lambda waiting: fits(waiting.id))
    assert item(2).id in held
    held.expire(5 + ASIDE_KEPT, lambda i: i == item(2).id, lambda waiting: fits(waiting.id))
    assert item(2).id in held, "in flight"
    held.expire(6 + ASIDE_KEPT, nothing_in_flight, lambda waiting: fits(waiting.id))
    assert item(2).id not in held, "for ever would be as long as whoever named it says"
    assert held.size == 100


def test_what_a_primary_names_takes_no_room_from_what_clients_hand_in() -> None:
    held = pool(bytes_max=250)
    for number in (1, 2, 3):
        held.set_aside(item(number, gas=0), height=5)
    held.expire(6, nothing_in_flight, lambda waiting: waiting.gas_limit > 0)
    assert held.add(item(4), tick=0)
    assert held.add(item(5), tick=0)
    assert not held.add(item(6), tick=0)
    assert held.size == 500


def test_what_clients_handed_in_takes_room_until_it_is_let_go() -> None:
    """Or they could fill the memory of a node with what expires from block to block."""
    held = pool(bytes_max=250)
    held.add(item(1, valid_until=6), tick=0)
    held.add(item(2, valid_until=6), tick=0)
    held.expire(6, nothing_in_flight)
    assert not held.add(item(3), tick=0)
    held.expire(6 + ASIDE_KEPT, nothing_in_flight)
    assert held.size == 0
    assert held.add(item(3), tick=0)


def test_bytes_follow_what_waits_again() -> None:
    held = pool(bytes_max=250)
    held.set_aside(item(1), height=5)
    held.add(item(2), tick=0)
    held.expire(6, nothing_in_flight)
    assert not held.add(item(3), tick=0), "both wait now"
    held.expire(7, nothing_in_flight, lambda waiting: False)
    assert not held.add(item(3), tick=0)
    held.remove([item(1).id, item(2).id])
    assert held.size == 0
    assert held.add(item(3), tick=0)


def test_one_that_no_block_takes_does_not_hold_up_those_behind_it() -> None:
    held = pool()
    held.add(item(1, gas=101), tick=0)
    held.add(item(2, size=5_001), tick=0)
    held.add(item(3), tick=0)
    assert chosen(held, size=5_000, gas=100) == [3]


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=80))
def test_size_and_count_follow_what_is_held(steps: list[tuple[int, bool]]) -> None:
    held = pool(transactions_max=20)
    for number, adds in steps:
        if adds:
            held.add(item(number), tick=0)
        else:
            held.remove([item(number).id])
    assert held.size == 100 * len(held)
    assert len(held) <= 20
    assert len(chosen(held, count=100)) == len(held)
