"""What broke other systems, one test each; the name of the system and its issue stand beside it."""

from __future__ import annotations

from typing import get_args

import pytest

from consensus.pbft.messages import (
    Commit,
    Message,
    NewView,
    Prepare,
    PrePrepare,
    RelayedNewView,
    ViewChange,
    encode_message,
    signing_bytes,
)
from consensus.pbft.types import CatchUp, Halt, Recovered, Synced
from tests.sim import keys
from tests.sim.byzantine import (
    DoubleProposer,
    Equivocator,
    Liar,
    MuteLeader,
    Silent,
    TwoFaced,
    ViewRunner,
    Withholder,
)
from tests.sim.desk import Desk, asked, delivered, of_kind, proposal_of, said, statement_of
from tests.sim.node import TIME_SKEW_MS_MAX
from tests.sim.scenario import CHAIN_ID, Network
from tests.sim.situations import (
    cut_off,
    kill,
    prepare_one_height_only,
    time_to_next_block,
    until_committed_on,
    view_of,
    vote_at,
)


@pytest.mark.parametrize("size", [4, 7])
def test_one_digest_is_prepared_per_view_and_height(size: int) -> None:
    """Both proposals of a two-tongued primary reach everyone: nobody prepares the second."""
    network = Network(201, size, liars={0: DoubleProposer})
    network.load(3_000)
    network.settle()
    assert network.checkers.accusations > 0


@pytest.mark.parametrize("is_restarted", [False, True])
def test_committed_survives_new_view(is_restarted: bool) -> None:
    """One replica alone saw the quorum of commits and is gone; the others must find it again."""
    network = Network(202, 4, rotate_every=1_000)
    height = until_committed_on(network, 3)
    network.world.censor = lambda sender, to, message: vote_at(message) == (0, height)
    cut_off(network, 3)
    if is_restarted:
        for node in network.nodes[:3]:
            node.crash()
            node.start()
    network.load(8_000, every_ms=500)
    assert network.nodes[0].disk.head > height
    network.world.heal()
    network.settle()


def test_latest_view_decides_what_a_new_view_orders() -> None:
    """Prepared in view 0 by one, committed in view 1 by another: view 1 is right."""
    network = Network(203, 4, rotate_every=1_000)
    network.load(500)
    network.settle()
    height = network.head + 1
    network.world.censor = lambda sender, to, message: (
        vote_at(message) == (0, height)
        and (isinstance(message, Commit) or (isinstance(message, Prepare) and to != 3))
    )
    network.submit()
    network.world.run(1_000)  # 3 alone prepared in view 0, and hears nothing of view 1

    def is_lost(sender: int, to: int, message: Message) -> bool:
        if isinstance(message, NewView | RelayedNewView):
            return to == 3 and view_of(message) == 1
        at = vote_at(message)
        is_commit = isinstance(message, Commit) and to != 0
        return at == (0, height) or (at == (1, height) and (to == 3 or is_commit))

    network.world.censor = is_lost
    cut_off(network, 3)
    assert network.world.run_until(lambda: network.nodes[0].disk.head == height, 10_000)
    assert network.nodes[1].disk.head < height
    network.world.blocked.clear()
    cut_off(network, 0)  # it alone knows what view 1 committed
    network.load(10_000, every_ms=500)
    assert network.nodes[3].disk.head > height
    network.world.heal()
    network.settle()


def test_null_requests_fill_gaps() -> None:
    """The later of two proposals in flight was prepared, the earlier was not."""
    network = Network(204, 4, rotate_every=1_000)
    height = prepare_one_height_only(network)
    kill(network.nodes[0])
    assert time_to_next_block(network) < 10_000
    entry = network.nodes[1].disk.entries[height - 1]
    assert entry.proposal.transaction_ids == ()
    network.nodes[0].start()
    network.world.heal()
    network.settle()


def test_nothing_is_forgotten_before_a_quorum_stated_the_outcome() -> None:
    """With one statement less than a quorum, the evidence stays and goes into view changes."""
    desk = Desk()
    desk.order(proposal_of(1))
    desk.execute(1)
    desk.checkpoints([2], statement_of(1))
    assert desk.replica.stable == 0
    assert [c.height for c in said(desk.keep_alive(20), ViewChange)[0].prepared] == [1]


@pytest.mark.parametrize("size", [4, 7])
def test_huge_view_of_one_replica_moves_nobody_even_during_a_view_change(size: int) -> None:
    """FISCO-BCOS#2211."""
    network = Network(205, size, liars={size - 1: ViewRunner}, rotate_every=1_000)
    network.load(1_000)
    kill(network.nodes[0])
    network.load(5_000)
    network.nodes[0].start()
    network.settle()
    assert 0 < network.view < 20
    assert network.checkers.view_max < 20, "what honest replicas asked for"


def test_long_outage_leaves_short_time_outs() -> None:
    """Besu#7642 (round 10 waits 4,096 s), Besu#8307: worst if the next leader is faulty."""
    network = Network(206, 4, liars={2: MuteLeader}, rotate_every=1_000)
    network.load(500)
    network.world.censor = lambda sender, to, message: (
        isinstance(message, NewView | RelayedNewView) or (vote_at(message) is not None)
    )
    network.load(300_000, every_ms=20_000)
    awaits_mute = network.world.run_until(
        lambda: all(node.replica.target_view % 4 == 2 for node in network.honest), 600_000
    )
    assert awaits_mute
    network.world.heal()
    assert time_to_next_block(network) < 15_000
    network.settle()


def test_time_outs_start_anew_after_progress() -> None:
    """Besu#7642: what earlier primaries cost is not charged to later ones."""
    network = Network(207, 4, liars={0: Withholder}, rotate_every=4)
    for _ in range(15):
        assert time_to_next_block(network) < 4_500, "two of its turns in a row, 2 s each"
        network.load(300)
    network.settle()
    assert network.view > 6, "it had many turns"


def test_watermarks_move_with_sync_new_view_and_restart() -> None:
    """FISCO-BCOS#4890."""
    desk = Desk(window=8)
    desk.certified(30)
    assert of_kind(desk.tick(), CatchUp)[0].height == 30
    desk.step(Synced(30, desk.certificate(statement_of(30))))
    assert asked(desk.pre_prepare(proposal_of(31))) == [(31, True)]
    assert desk.pre_prepare(proposal_of(30)) == []
    assert desk.pre_prepare(proposal_of(39)) == [], "a window above"
    stable = desk.certificate(statement_of(50))
    changes = {sender: ViewChange(2, stable, (), ()) for sender in (0, 2, 3)}
    desk.receive(2, desk.new_view(2, changes))
    assert of_kind(desk.tick(), CatchUp)[0].height == 50
    desk.step(Synced(50, stable))
    assert asked(desk.pre_prepare(proposal_of(51, proposer=2), view=2, sender=2)) == [(51, True)]
    desk.recovered = Recovered(head=50)
    desk.log[:] = [effect.record for effect in desk.replica.compacted()]
    desk.restart()
    assert desk.replica.stable == 50
    assert asked(desk.pre_prepare(proposal_of(51, proposer=2), view=2, sender=2)) == [(51, True)]


def test_block_sync_that_races_a_view_change_commits_nothing_twice() -> None:
    """SmartBFT#484: the NEW-VIEW orders again what is being installed."""
    desk = Desk(index=1, window=8)
    desk.certified(10)
    assert of_kind(desk.tick(), CatchUp)
    again = proposal_of(11)
    null = proposal_of(12)
    evidence = tuple(desk.prepared(proposal) for proposal in (again, null))
    stable = desk.certificate(statement_of(10))
    changes = {sender: ViewChange(2, stable, evidence, ()) for sender in (0, 2, 3)}
    effects = desk.receive(2, desk.new_view(2, changes))
    for proposal in (again, null):
        effects += desk.commits([0, 2, 3], proposal, view=2)
    assert delivered(effects) == []
    effects = desk.step(Synced(11, desk.certificate(statement_of(11))))
    effects += desk.commits([0, 2, 3], again, view=2)
    assert 11 not in delivered(effects)


def test_lagging_replica_syncs_while_the_view_changes() -> None:
    """SmartBFT#484, as a network."""
    for seed in range(3):
        network = Network(210 + seed, 4, rotate_every=1_000)
        network.load(500)
        kill(network.nodes[3])
        network.load(8_000)
        network.nodes[3].start()
        network.load(100 * seed)
        kill(network.nodes[0])
        network.load(6_000)
        network.nodes[0].start()
        network.settle()
        assert network.view > 0


def test_decision_and_view_change_cross_in_either_order() -> None:
    """SmartBFT#622: a decision that comes after giving up is delivered, and nothing hangs."""
    desk = Desk()
    proposal = proposal_of(1)
    desk.pre_prepare(proposal)
    desk.validated(proposal)
    desk.prepares([2], proposal)
    assert len(said(desk.keep_alive(20), ViewChange)) == 1
    assert delivered(desk.commits([0, 2, 3], proposal)) == [1]
    evidence = ViewChange(2, None, (desk.prepared(proposal),), ())
    effects = desk.receive(2, desk.new_view(2, {0: evidence, 2: evidence, 3: evidence}))
    assert delivered(effects) == [] and of_kind(effects, Halt) == []
    assert said(effects, Prepare) != [], "others may need its vote"


def test_proposal_older_than_the_bounds_of_time_is_ordered_again() -> None:
    """Plenum#1488: judging the time of a re-proposal anew changes views for ever."""
    network = Network(208, 4, rotate_every=1_000)
    network.load(500)
    network.settle()
    height = network.head + 1
    network.world.censor = lambda sender, to, message: (
        isinstance(message, Commit) or (vote_at(message) == (0, height) and to == 3)
    )
    network.submit()
    network.world.run(300)  # 1 and 2 prepared, 3 heard nothing
    kill(network.nodes[0])
    for node in network.nodes:
        cut_off(network, node.index)
    network.world.run(2 * TIME_SKEW_MS_MAX)
    network.world.heal()
    assert time_to_next_block(network) < 15_000
    assert network.world.run_until(lambda: network.nodes[1].disk.head >= height, 2_000)
    assert network.nodes[1].disk.entries[height - 1].proposal.proposer == 0, "the same proposal"
    network.nodes[0].start()
    network.settle()


def test_nothing_is_derived_from_unverified_signatures() -> None:
    """CometBFT "Tachyon": forged votes, in the name of others and inside certificates."""
    network = Network(209, 4)
    node = network.nodes[1]
    digest = bytes(32)
    before = (node.replica.decided, node.replica.target_view, bytes(node.disk.log))
    for sender in (0, 2, 3):
        for message in (
            Prepare(0, 1, digest),
            Commit(0, 1, digest),
            PrePrepare(0, proposal_of(1)),
            ViewChange(7, None, (), ()),
        ):
            forged = keys.sign(3 if sender != 3 else 2, signing_bytes(CHAIN_ID, message))
            node.receive(sender, encode_message(message), forged)
    assert (node.replica.decided, node.replica.target_view, bytes(node.disk.log)) == before


@pytest.mark.parametrize("liar", [Silent, Equivocator, TwoFaced, Withholder])
@pytest.mark.parametrize("size", [5, 6])
def test_no_lock_of_five_or_six_replicas_with_one_faulty(size: int, liar: type[Liar]) -> None:
    """0xPolygon/pbft-consensus#29 and dBFT: replicas locked on different proposals for ever."""
    network = Network(220 + size, size, liars={0: liar}, rotate_every=8)
    network.load(4_000)
    kill_and_start = network.nodes[2]
    kill(kill_and_start)
    network.load(1_000)
    kill_and_start.start()
    network.load(3_000)
    network.settle(20_000)


def test_any_two_quorums_share_an_honest_replica_and_the_honest_are_a_quorum() -> None:
    """IBFT (arXiv 1901.07160): 2f + 1 of n is not enough unless n = 3f + 1."""
    for size in range(4, 65):
        committee = keys.committee(size)
        assert 2 * committee.quorum - size > committee.fault_bound
        assert size - committee.fault_bound >= committee.quorum


def test_new_view_evidence_of_the_faulty_cannot_undo_a_commit() -> None:
    """IBFT (arXiv 1901.07160), safety: the leader hides what others prepared."""
    network = Network(211, 4, rotate_every=1_000)
    height = until_committed_on(network, 3)
    network.world.censor = lambda sender, to, message: (
        vote_at(message) == (0, height)
        # Of the three others one is mute: the quorum needs the evidence of who is left.
        or (isinstance(message, ViewChange) and sender == 2)
    )
    kill(network.nodes[0])
    network.load(10_000, every_ms=500)
    network.nodes[0].start()
    network.world.heal()
    network.settle()


def test_no_read_is_answered_outside_the_order_by_consensus() -> None:
    """arXiv 2107.11144: PBFT's read-only optimisation breaks liveness; there is none."""
    names = {kind.__name__ for kind in get_args(Message)}
    assert names == {
        "PrePrepare", "Prepare", "Commit", "Checkpoint", "ViewChange", "NewView", "Status",
        "RelayedNewView", "Decision", "Certified", "RelayedVote",
    }  # fmt: skip
