"""What was executed: statements, certificates, watermarks, catching up, repairs."""

from __future__ import annotations

from consensus.pbft.messages import Certified, Checkpoint, Commit, Decision, Prepare, Status
from consensus.pbft.types import (
    Accuse,
    CatchUp,
    Certify,
    Effect,
    FetchProposal,
    Halt,
    HaltKind,
    ProposalFetched,
    Synced,
    Validate,
)
from tests.sim.desk import Desk, delivered, of_kind, proposal_of, said, sent, statement_of


def execute_up_to(desk: Desk, height: int) -> None:
    for number in range(1, height + 1):
        desk.order(proposal_of(number))
        desk.execute(number)
        desk.checkpoints([2, 3], statement_of(number))


def certified_heights(effects: list[Effect]) -> list[int]:
    return [effect.certificate.statement.height for effect in of_kind(effects, Certify)]


def test_executed_block_is_stated() -> None:
    desk = Desk()
    desk.order(proposal_of(1))
    assert said(desk.execute(1), Checkpoint) == [Checkpoint(statement_of(1))]


def test_quorum_of_equal_statements_is_an_execution_certificate() -> None:
    desk = Desk()
    desk.order(proposal_of(1))
    desk.execute(1)
    assert certified_heights(desk.checkpoints([2], statement_of(1))) == []
    assert certified_heights(desk.checkpoints([3], statement_of(1))) == [1]
    assert desk.replica.stable == desk.replica.certified == 1


def test_statements_that_differ_do_not_add_up() -> None:
    desk = Desk()
    desk.order(proposal_of(1))
    desk.execute(1)
    desk.checkpoints([2], statement_of(1))
    assert certified_heights(desk.checkpoints([3], statement_of(1, root="other"))) == []


def test_certificate_waits_until_we_executed_too() -> None:
    desk = Desk()
    desk.order(proposal_of(1))
    assert certified_heights(desk.checkpoints([0, 2, 3], statement_of(1))) == []
    assert desk.replica.stable == 1
    assert certified_heights(desk.execute(1)) == [1]


def test_heights_are_certified_one_after_the_other() -> None:
    desk = Desk()
    for height in (1, 2):
        desk.order(proposal_of(height))
        desk.execute(height)
    assert certified_heights(desk.checkpoints([2, 3], statement_of(2))) == []
    assert certified_heights(desk.checkpoints([2, 3], statement_of(1))) == [1, 2]


def test_own_outcome_that_differs_from_a_quorums_halts_the_replica() -> None:
    desk = Desk()
    desk.order(proposal_of(1))
    desk.execute(1)
    effects = desk.checkpoints([0, 2, 3], statement_of(1, root="other"))
    assert [len(halt.evidence) for halt in of_kind(effects, Halt)] == [2]
    desk = Desk()
    desk.order(proposal_of(1))
    desk.checkpoints([0, 2, 3], statement_of(1, root="other"))
    effects = desk.execute(1)
    assert [halt.kind for halt in of_kind(effects, Halt)] == [HaltKind.DIVERGED]
    assert said(effects, Checkpoint) == [], "the wrong statement is not signed"


def test_two_certified_outcomes_of_one_block_halt_the_replica() -> None:
    desk = Desk()
    desk.certified(1)
    other = desk.certificate(statement_of(1, root="other"))
    halts = of_kind(desk.receive(3, Certified(other)), Halt)
    assert [halt.kind for halt in halts] == [HaltKind.CONFLICT]


def test_two_statements_of_one_replica_are_accused() -> None:
    desk = Desk()
    desk.checkpoints([2], statement_of(1))
    effects = desk.checkpoints([2], statement_of(1, root="other"))
    assert of_kind(effects, Accuse)[0].first.sender == 2


def test_statements_far_above_the_window_are_dropped() -> None:
    desk = Desk(window=4)
    desk.checkpoints([0, 2, 3], statement_of(9))
    assert desk.replica.stable == 0


def test_lagging_replica_waits_a_little_and_then_asks_for_block_sync() -> None:
    desk = Desk()
    desk.certified(5)
    assert of_kind(desk.tick(9), CatchUp) == []
    (goal,) = of_kind(desk.tick(1), CatchUp)
    assert (goal.height, goal.holders) == (5, (0, 2))
    assert of_kind(desk.tick(50), CatchUp) == [], "once is enough"


def test_far_behind_it_asks_at_once() -> None:
    desk = Desk()
    desk.certified(500)
    assert len(of_kind(desk.tick(1), CatchUp)) == 1


def test_nothing_is_delivered_during_block_sync_and_nothing_twice_after_it() -> None:
    desk = Desk()
    desk.certified(2)
    desk.tick(10)
    for height in (1, 2, 3, 4):
        proposal = proposal_of(height)
        desk.pre_prepare(proposal)
        desk.validated(proposal)
        desk.prepares([2], proposal)
        assert delivered(desk.commits([0, 2], proposal)) == []
    effects = desk.step(Synced(2, desk.certificate(statement_of(2))))
    assert delivered(effects) == [3, 4]


def test_synced_heights_without_a_certificate_are_stated_like_executed_ones() -> None:
    desk = Desk()
    desk.certified(2)
    desk.tick(10)
    statements = (statement_of(1), statement_of(2))
    effects = desk.step(Synced(2, None, statements))
    assert said(effects, Checkpoint) == [Checkpoint(statement) for statement in statements]
    assert certified_heights(desk.checkpoints([2, 3], statement_of(1))) == [1, 2]


def test_block_sync_that_reached_nothing_is_asked_for_again() -> None:
    desk = Desk()
    desk.certified(5)
    desk.tick(10)
    desk.step(Synced(0, None))
    assert len(of_kind(desk.tick(10), CatchUp)) == 1


def test_slow_execution_is_not_a_reason_for_block_sync() -> None:
    desk = Desk()
    desk.order(proposal_of(1))
    desk.checkpoints([0, 2, 3], statement_of(1))
    assert of_kind(desk.tick(100), CatchUp) == []


def test_a_certificate_that_is_missing_is_fetched_although_blocks_go_by() -> None:
    """Peers forget it after a window; every block that was executed used to begin the wait anew."""
    desk = Desk(window=8)
    effects: list[Effect] = []
    for height in range(1, 7):
        desk.order(proposal_of(height))
        desk.execute(height)
        if height > 1:
            desk.certified(height)
        effects += desk.tick(10)
    (goal,) = of_kind(effects, CatchUp)
    assert goal.height == 6


def test_peer_behind_is_sent_decisions_and_certificates_at_a_bounded_rate() -> None:
    desk = Desk()
    execute_up_to(desk, 2)
    desk.order(proposal_of(3))
    status = Status(view=0, is_active=True, decided=2, certified=0)
    effects = desk.receive(3, status)
    assert [d.proposal.height for _, d in sent(effects, Decision)] == [3]
    assert [c.certificate.statement.height for _, c in sent(effects, Certified)] == [1, 2]
    assert desk.receive(3, status) == []
    desk.tick(3)
    assert len(sent(desk.receive(3, status), Decision)) == 1


def test_peer_far_behind_is_sent_the_highest_certificate() -> None:
    desk = Desk(window=4)
    execute_up_to(desk, 20)
    effects = desk.receive(3, Status(view=0, is_active=True, decided=0, certified=0))
    assert [c.certificate.statement.height for _, c in sent(effects, Certified)] == [20]


def test_peer_that_lacks_a_certificate_we_lack_too_is_sent_our_statement() -> None:
    desk = Desk()
    desk.order(proposal_of(1))
    desk.execute(1)
    effects = desk.receive(3, Status(view=0, is_active=True, decided=1, certified=0))
    assert [c.statement.height for _, c in sent(effects, Checkpoint)] == [1]


def test_peer_ahead_is_told_where_we_stand() -> None:
    desk = Desk()
    effects = desk.receive(3, Status(view=0, is_active=True, decided=9, certified=9))
    assert sent(effects, Status) == [(3, Status(view=0, is_active=True, decided=0, certified=0))]


def test_stuck_replica_repeats_its_votes_ever_more_rarely() -> None:
    desk = Desk()
    desk.tick()
    proposal = proposal_of(1)
    desk.pre_prepare(proposal)
    desk.validated(proposal)
    desk.prepares([2], proposal)
    said_at = [tick for tick in range(1, 19) if said(desk.keep_alive(1), Commit)]
    assert said_at == [5, 10]


def test_replica_that_hears_a_quorum_again_repeats_its_votes_at_once_and_then_as_at_first() -> None:
    desk = Desk()
    desk.tick()
    proposal = proposal_of(1)
    desk.pre_prepare(proposal)
    desk.validated(proposal)
    desk.prepares([2], proposal)
    desk.keep_alive(70, silent=(2, 3))
    said_at = [tick for tick in range(1, 19) if said(desk.keep_alive(1), Commit)]
    assert said_at == [1, 5, 10]


def test_replica_that_hears_a_quorum_again_has_nothing_to_repeat_when_idle() -> None:
    desk = Desk()
    desk.keep_alive(25, pending=False, silent=(2, 3))
    assert said(desk.keep_alive(4, pending=False), Status) == []


def test_unanswered_requests_are_repeated() -> None:
    desk = Desk()
    desk.prepares([0, 2, 3], proposal_of(1, "a"))
    assert len(of_kind(desk.keep_alive(5), FetchProposal)) == 1
    desk.step(ProposalFetched(proposal_of(1, "a")))
    desk.validated(proposal_of(1, "a"), ok=False)
    assert of_kind(desk.keep_alive(4), Validate) == []
    assert len(of_kind(desk.keep_alive(1), Validate)) == 1


def test_heartbeat_once_a_second_when_there_is_nothing_to_say() -> None:
    desk = Desk()
    desk.tick()
    assert len(said(desk.tick(100), Status)) == 10


def test_votes_at_settled_heights_are_not_cast() -> None:
    desk = Desk()
    desk.certified(3)
    assert said(desk.pre_prepare(proposal_of(2)), Prepare) == []


def test_log_and_memory_stay_bounded_over_many_heights() -> None:
    desk = Desk(window=4)
    execute_up_to(desk, 200)
    assert len(desk.replica.compacted()) == 1


def knows_certificate(desk: Desk, height: int) -> bool:
    """What it has, it sends to whoever lacks nothing else."""
    desk.tick(3)
    status = Status(view=0, is_active=True, decided=0, certified=height - 1)
    sent_heights = [
        message.certificate.statement.height
        for _, message in sent(desk.receive(3, status), Certified)
    ]
    return height in sent_heights


def test_certificates_of_the_past_do_not_fill_the_memory_of_a_lagging_replica() -> None:
    desk = Desk(window=8)
    desk.certified(10_000)
    for height in range(1, 1_000):
        desk.certified(height)
    assert [h for h in range(1, 1_000) if knows_certificate(desk, h)] == list(range(1, 9))
    assert knows_certificate(desk, 10_000)


def test_certificates_just_above_the_last_gapless_one_are_kept_however_far_the_others_are() -> None:
    desk = Desk(window=8)
    for height in (1, 2):
        desk.order(proposal_of(height))
    desk.execute(1)
    desk.execute(2)
    desk.certified(1_000)
    assert certified_heights(desk.certified(2)) == []
    assert certified_heights(desk.certified(1)) == [1, 2]


def test_outcome_that_differs_from_a_quorums_halts_also_after_block_sync() -> None:
    desk = Desk()
    desk.certified(3)
    effects = desk.step(
        Synced(3, None, (statement_of(1), statement_of(2), statement_of(3, root="x")))
    )
    assert len(of_kind(effects, Halt)) == 1
    assert desk.tick() == [], "not a word more"


def test_single_statements_below_the_window_are_forgotten() -> None:
    desk = Desk(window=2)
    desk.checkpoints([2], statement_of(3))
    desk.certified(100)
    assert desk.checkpoints([2], statement_of(3, root="x")) != [], "close to our own outcomes"
    desk.step(Synced(100, desk.certificate(statement_of(100))))
    assert desk.checkpoints([2], statement_of(3, root="y")) == []
