"""A client of several nodes: calls outlive the nodes that fail in the middle of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.cluster import FIRST_CONTACT_S, RETURN_S, Cluster, open_connection
from client.errors import ClientError, NodesUnavailable, NodeUnavailable, Refused
from client.node import ChainEvent, NodeClient
from client.outbox import Outbox, Sent
from client.session import Session
from client.trial import PAUSE_MAX_S
from ledger.model import transaction_id
from tests.cluster_world import EVENTS, Act, Passing, World

AWAY = [Act.GONE] * 1000


@pytest.fixture(scope="module")
def servers() -> Iterator[World]:
    world = World()
    yield world
    world.close()


@pytest.fixture
def world(servers: World) -> World:
    servers.reset([[]] * 4)
    for node in servers.nodes:
        node.calls.clear()
    return servers


# --- whom it asks ---------------------------------------------------------------------------


def test_the_first_node_is_asked_as_long_as_it_answers(world: World) -> None:
    with world.cluster() as cluster:
        for _ in range(5):
            assert cluster.status().name == "node0"
        assert cluster.chain_id == world.nodes[0].chain_id
    assert not any(node.calls for node in world.nodes[1:])


@pytest.mark.parametrize(
    "act", [Act.GONE, Act.LOST, Act.LATE, Act.STOPPING, Act.HALTED, Act.BUSY, Act.BUG]
)
def test_a_node_that_cannot_answer_is_passed_over(world: World, act: Act) -> None:
    world.nodes[0].script.extend([act] * 50)
    passing = Passing()
    with world.cluster(passing) as cluster:
        assert cluster.status().name == "node1"
        assert cluster.view(world.account, "notes", "height") == 0
    assert passing.pauses == [], "another node is asked at once"


def test_a_node_that_keeps_no_history_is_passed_over(world: World) -> None:
    world.nodes[0].has_history = False
    with world.cluster() as cluster:
        assert cluster.key_history("notes", b"k").rows[0].value == b"node1"
        assert cluster.account_history("00" * 20).rows == ()
        assert cluster.subject_history("k").rows == ()
    for node in world.nodes:
        node.has_history = False
    with world.cluster() as cluster, pytest.raises(Refused) as refused:
        cluster.key_history("notes", b"k")
    assert refused.value.code == "history.off"


def test_it_stays_where_it_was_answered_and_comes_back_after_a_while(world: World) -> None:
    world.nodes[0].script.append(Act.GONE)
    passing = Passing()
    with world.cluster(passing) as cluster:
        assert cluster.status().name == "node1"
        assert cluster.status().name == "node1"
        passing.now_s += RETURN_S
        assert cluster.status().name == "node0"


def test_a_first_node_that_stays_away_is_tried_less_and_less(world: World) -> None:
    world.nodes[0].script.extend(AWAY)
    passing = Passing()
    with world.cluster(passing) as cluster:
        for _ in range(100):
            cluster.status()
            passing.now_s += 10.0
    assert 5 <= world.nodes[0].calls["status"] <= 7, "at 0, 30, 90, 210, 450 and 930 s"


def test_a_refusal_of_what_was_asked_is_not_carried_to_other_nodes(world: World) -> None:
    with world.cluster() as cluster, pytest.raises(Refused) as refused:
        cluster.transaction(bytes(32))
    assert refused.value.code == "not_found"
    assert not any(node.calls for node in world.nodes[1:])


def test_a_round_in_vain_is_repeated_after_growing_pauses(world: World) -> None:
    passing = Passing()
    with world.cluster(passing) as cluster:
        cluster.status()
        for node in world.nodes:
            node.script.extend([Act.STOPPING] * 8)
        assert cluster.status().name == "node0"
    assert len(passing.pauses) == 8
    assert all(0 < pause <= PAUSE_MAX_S for pause in passing.pauses)
    assert passing.pauses[0] < passing.pauses[4]


def test_at_the_end_every_node_and_its_reason_is_named(world: World) -> None:
    with world.cluster(patience_s=12.0) as cluster:
        cluster.status()
        for node, act in zip(world.nodes, (Act.GONE, Act.STOPPING, Act.LATE, Act.BUG), strict=True):
            node.script.extend([act] * 1000)
        with pytest.raises(NodesUnavailable, match=r"could answer in 1[23]\.\d s") as caught:
            cluster.status()
    told = dict(caught.value.reasons)
    assert list(told) == [node.target for node in world.nodes]
    reasons = ("unavailable", "node.stopping", "deadline exceeded", "internal")
    for node, reason in zip(world.nodes, reasons, strict=True):
        assert reason in told[node.target]
        assert node.target in str(caught.value)


def test_a_list_of_nodes_of_which_none_was_ever_there_is_given_up_soon(world: World) -> None:
    for node in world.nodes:
        node.script.extend(AWAY)
    passing = Passing()
    with world.cluster(passing) as cluster, pytest.raises(NodesUnavailable):
        cluster.status()
    assert FIRST_CONTACT_S <= passing.now_s < FIRST_CONTACT_S + PAUSE_MAX_S


def test_what_all_nodes_refuse_alike_is_refused_in_their_words(world: World) -> None:
    for node in world.nodes:
        node.script.extend([Act.HALTED] * 1000)
    passing = Passing()
    with world.cluster(passing) as cluster, pytest.raises(Refused) as refused:
        cluster.status()
    assert refused.value.code == "node.halted"
    assert all(node.target in refused.value.detail for node in world.nodes)
    assert passing.pauses == [], "no node of them will come back by itself"


def test_a_node_of_another_chain_is_refused_by_name(world: World) -> None:
    stranger = world.nodes[1]
    try:
        with world.cluster() as cluster:
            cluster.status()
            stranger.chain_id = bytes(32)
            world.nodes[0].script.append(Act.GONE)
            with pytest.raises(Refused, match=stranger.target) as refused:
                cluster.status()
            assert refused.value.code == "node.chain"
            assert world.nodes[0].target in refused.value.detail
    finally:
        stranger.chain_id = world.nodes[0].chain_id


def test_a_node_that_has_not_seen_what_the_caller_has_is_passed_over(world: World) -> None:
    world.grow(10)
    world.nodes[1].lag = 3
    with world.cluster() as cluster:
        assert cluster.view(world.account, "notes", "height") == 10
        world.nodes[0].script.extend(AWAY)
        assert cluster.view(world.account, "notes", "height") == 10
        assert cluster.status().name == "node2"


def test_a_node_that_was_good_enough_once_is_looked_at_again(world: World) -> None:
    passing = Passing()
    with world.cluster(passing) as cluster:
        world.nodes[0].script.append(Act.BUSY)
        assert cluster.status().name == "node1"
        passing.now_s += RETURN_S
        world.grow(10)
        world.nodes[1].lag = 3
        assert cluster.view(world.account, "notes", "height") == 10
        world.nodes[0].script.append(Act.BUSY)
        assert cluster.view(world.account, "notes", "height") == 10


def test_a_closed_cluster_is_unavailable_at_once(world: World) -> None:
    cluster = world.cluster()
    cluster.close()
    with pytest.raises(NodeUnavailable, match="closed"):
        cluster.status()
    with pytest.raises(NodeUnavailable, match="closed"):
        next(cluster.events())


@pytest.mark.parametrize("count", [0, 65])
def test_a_list_without_nodes_or_without_end_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 64 nodes"):
        Cluster([f"127.0.0.1:{port + 1}" for port in range(count)])


def test_one_node_needs_no_cluster() -> None:
    with open_connection(["127.0.0.1:1"]) as one, open_connection(["a:1", "b:1"]) as several:
        assert isinstance(one, NodeClient)
        assert isinstance(several, Cluster)
        assert several.target == "a:1,b:1"


def test_a_node_whose_server_is_away_and_comes_back_is_used_again(world: World) -> None:
    first = world.nodes[0]
    passing = Passing()
    with world.cluster(passing) as cluster:
        assert cluster.status().name == "node0"
        first.stop()
        assert cluster.status().name == "node1"
        first.start()
        deadline = time.monotonic() + 20  # the channel tries again by itself, after a moment
        while cluster.status().name != "node0":
            passing.now_s += RETURN_S
            assert time.monotonic() < deadline


# --- transactions ---------------------------------------------------------------------------


def test_a_call_is_included_once_although_the_first_answer_is_lost(world: World) -> None:
    world.nodes[0].script.extend([Act.ANSWER, Act.LOST])  # the look at it, then the submission
    with world.cluster() as cluster:
        transaction = world.transaction()
        outcome = cluster.wait(cluster.submit(transaction))
    assert outcome.transaction == transaction
    assert world.nodes[0].pool.keys() == {bytes(transaction_id(transaction))}, "it was taken"
    assert world.chain.counted() == {transaction_id(transaction): 1}


def test_a_session_speaks_through_several_nodes_as_through_one(world: World) -> None:
    world.nodes[0].script.extend([Act.ANSWER, Act.ANSWER, Act.STOPPING])
    with world.cluster() as cluster:
        session = Session(cluster, world.account)
        outcome = session.call("notes", "write", "k", "x")
        assert session.view("notes", "height") == outcome.height == 1


def test_waiting_goes_on_at_a_node_that_gets_the_same_bytes(world: World) -> None:
    with world.cluster() as cluster:
        wanted = cluster.submit(world.transaction())
        world.nodes[0].script.extend([Act.RESTART, *AWAY])
        assert cluster.wait(wanted).receipt.transaction_id == wanted
    assert world.chain.counted() == {wanted: 1}
    assert world.nodes[1].calls["submit"] == 1


def test_a_node_that_makes_nothing_final_is_not_waited_for_alone(world: World) -> None:
    with world.cluster() as cluster:
        wanted = cluster.submit(world.transaction())
        world.nodes[0].script.extend([Act.IDLE] * 100)
        assert cluster.wait(wanted).height == 1
    assert world.nodes[1].calls["submit"] == 1


def test_a_replayed_or_expired_transaction_that_is_included_counts_as_taken(world: World) -> None:
    transaction = world.transaction(valid_until=5)
    with world.cluster() as cluster:
        wanted = cluster.submit(transaction)
        cluster.wait(wanted)
        assert cluster.submit(transaction) == wanted
        world.grow(10)
        assert cluster.submit(transaction) == wanted
        assert cluster.wait(wanted).height == 1


def test_a_transaction_that_expired_without_being_included_is_said_to_be(world: World) -> None:
    with world.cluster() as cluster:
        wanted = cluster.submit(world.transaction(valid_until=5))
        world.nodes[0].script.extend([Act.RESTART, *AWAY])
        world.grow(10)
        with pytest.raises(Refused) as refused:
            cluster.wait(wanted)
    assert refused.value.code == "transaction.expired"
    assert wanted not in world.chain.places


def test_a_node_that_lags_so_far_that_it_finds_a_transaction_early_is_passed_over(
    world: World,
) -> None:
    world.grow(5)
    world.nodes[0].lag = 5
    with world.cluster() as cluster:
        wanted = cluster.submit(world.transaction(valid_until=603))
        assert cluster.wait(wanted).height == 6


def test_a_transaction_that_every_node_finds_early_is_refused_without_waiting(world: World) -> None:
    passing = Passing()
    with world.cluster(passing) as cluster, pytest.raises(Refused) as refused:
        cluster.submit(world.transaction(valid_until=10_000))
    assert refused.value.code == "transaction.too_early"
    assert passing.pauses == []


def test_what_one_node_has_no_room_for_in_a_batch_goes_to_the_next(world: World) -> None:
    batch = [world.transaction() for _ in range(3)]
    world.nodes[0].script.extend([Act.ANSWER, Act.BUSY])
    with world.cluster() as cluster:
        verdicts = cluster.submit_batch([*batch, world.transaction(valid_until=0)])
    assert [verdict.transaction_id for verdict in verdicts[:3]] == list(map(transaction_id, batch))
    assert verdicts[3].error == "transaction.expired"
    assert len(world.nodes[1].pool) == 3


def test_who_waits_for_what_nobody_knows_is_told_that_it_is_pending(world: World) -> None:
    with world.cluster() as cluster, pytest.raises(Refused) as refused:
        cluster.wait(bytes(32), timeout_s=0.2)
    assert refused.value.code == "receipt.pending"


def test_the_outbox_forgets_the_oldest_first_and_never_exceeds_its_bounds() -> None:
    outbox = Outbox(count_max=3, bytes_max=100)
    for number in range(5):
        outbox.keep(bytes([number]), Sent(b"x" * 10, 0))
    assert [number for number in range(5) if outbox.find(bytes([number]))] == [2, 3, 4]
    outbox.keep(b"large", Sent(b"x" * 95, 0))
    assert outbox.find(b"\4") is None
    assert outbox.find(b"large") is not None
    outbox.let_go(b"large")
    assert outbox.find(b"large") is None
    outbox.keep(b"a", Sent(b"x" * 60, 0))
    outbox.keep(b"a", Sent(b"x" * 60, 1))
    assert outbox.find(b"a") == Sent(b"x" * 60, 1), "kept again, counted once"


# --- events ---------------------------------------------------------------------------------


def places(world: World) -> list[tuple[int, int]]:
    return [(h + 1, i) for h in range(len(world.chain.blocks)) for i in range(EVENTS)]


def test_events_go_on_at_another_node_without_gap_or_repetition(world: World) -> None:
    world.grow(9)
    world.nodes[0].events_per_stream = 2
    world.nodes[1].events_per_stream = 2
    world.nodes[2].lag = 7
    try:
        with world.cluster() as cluster:
            events = named(cluster.events(), 9 * EVENTS)
    finally:
        for node in world.nodes:
            node.events_per_stream = 1_000_000
    assert [(event.height, event.index) for event in events] == places(world)
    assert [event.fields["place"] for event in events] == [[h, i] for h, i in places(world)]
    assert world.nodes[2].calls["events"] == 0, "it has not seen what was shown already"


def named(events: Iterator[ChainEvent], count: int) -> list[ChainEvent]:
    """The first `count` without the heartbeats."""
    return list(islice((event for event in events if event.name), count))


def test_a_stream_that_stands_still_while_others_go_on_is_left(world: World) -> None:
    world.grow(9)
    world.nodes[0].lag = 5
    with world.cluster(Passing(step_s=1.0), patience_s=1000) as cluster:
        events = named(cluster.events(), 9 * EVENTS)
    assert [(event.height, event.index) for event in events] == places(world)


def test_an_idle_stream_stays_where_it_is(world: World) -> None:
    world.grow(1)
    with world.cluster(Passing(step_s=10.0), patience_s=1000) as cluster:
        events = list(islice(cluster.events(), EVENTS + 10))
    assert [event.name for event in events[EVENTS:]] == [""] * 10
    assert not any(node.calls["events"] for node in world.nodes[1:])


def test_a_heartbeat_never_takes_the_cursor_back(world: World) -> None:
    world.grow(1)
    world.nodes[0].lag = 1
    with world.cluster(Passing(step_s=1.0), patience_s=1000) as cluster:
        first = next(cluster.events(from_height=1, from_index=1))
    assert (first.height, first.index, first.name) == (1, 1, "Written")


def test_a_stream_that_no_node_carries_on_says_why(world: World) -> None:
    world.grow(1)
    with world.cluster() as cluster:
        events = cluster.events()
        assert [next(events).index for _ in range(EVENTS)] == list(range(EVENTS))
        for node in world.nodes:
            node.script.extend(AWAY)
        world.nodes[0].stop()
        try:
            with pytest.raises(NodesUnavailable, match="unavailable"):
                next(events)
        finally:
            world.nodes[0].start()


# --- all of it at random --------------------------------------------------------------------

scripts = st.lists(st.lists(st.sampled_from(Act), max_size=8), min_size=4, max_size=4)


@given(scripts, st.lists(st.sampled_from(["call", "view", "events", "grow"]), max_size=6))
@settings(max_examples=150)
def test_whatever_nodes_do_a_call_is_answered_rightly_once_or_refused_honestly(
    servers: World, acts: list[list[Act]], steps: list[str]
) -> None:
    servers.reset(acts)
    seen = 0
    taken: set[bytes] = set()
    with servers.cluster() as cluster:
        for step in steps:
            try:
                match step:
                    case "grow":
                        servers.grow(1)
                    case "view":
                        height = cluster.view(servers.account, "notes", "height")
                        assert isinstance(height, int)
                        assert seen <= height <= len(servers.chain.blocks), "time went back"
                        seen = height
                    case "events":
                        count = seen * EVENTS
                        got = [(e.height, e.index) for e in named(cluster.events(), count)]
                        assert got == places(servers)[:count]
                    case "call":
                        transaction = servers.transaction()
                        wanted = cluster.submit(transaction)
                        taken.add(wanted)
                        outcome = cluster.wait(wanted)
                        assert outcome.transaction == transaction
                        assert servers.chain.places[wanted] == outcome.height
                        seen = max(seen, outcome.height)
            except (Refused, NodeUnavailable) as error:
                assert _is_honest(error), error
        for node in servers.nodes:
            node.script.clear()
        for wanted in taken:  # also where the client was told that waiting failed
            assert cluster.wait(wanted).receipt.transaction_id == wanted
    assert taken <= servers.chain.places.keys()
    assert all(count == 1 for count in servers.chain.counted().values())


def _is_honest(error: ClientError) -> bool:
    """Nodes at the end of their scripts answer: only what all said for good may be the end."""
    for_good = ("node.halted", "internal")
    if isinstance(error, NodesUnavailable):
        return all(reason.startswith(for_good) for _, reason in error.reasons)
    return isinstance(error, Refused) and error.code in for_good
