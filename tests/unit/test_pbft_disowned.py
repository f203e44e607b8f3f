"""After a repair: outcomes that an earlier life may have stated otherwise are left to others."""

from __future__ import annotations

from consensus.pbft import wal
from consensus.pbft.messages import Checkpoint, Status
from consensus.pbft.types import Certify, Effect, Executed, Halt, HaltKind, Recovered, Synced
from tests.sim.desk import Desk, delivered, of_kind, proposal_of, said, sent, statement_of

SAVED_TICKS = 60  # long enough for everything that is repeated to be repeated


def stated(effects: list[Effect]) -> set[int]:
    """Heights of all statements that leave, to all or to one."""
    to_all = said(effects, Checkpoint)
    return {c.statement.height for c in [*to_all, *(c for _, c in sent(effects, Checkpoint))]}


def repaired(*, head: int, disowned: int) -> Desk:
    statements = tuple(statement_of(height) for height in range(1, head + 1))
    return Desk(recovered=Recovered(head=head, statements=statements, disowned=disowned))


def test_disowned_outcomes_are_never_stated_again() -> None:
    desk = repaired(head=2, disowned=2)
    effects = desk.tick(SAVED_TICKS)
    effects += desk.receive(2, Status(view=0, is_active=True, decided=2, certified=0))
    assert stated(effects) == set()


def test_outcomes_above_the_disowned_ones_are_stated() -> None:
    desk = repaired(head=3, disowned=1)
    assert stated(desk.tick()) == {2, 3}
    desk.tick(SAVED_TICKS)
    effects = desk.receive(2, Status(view=0, is_active=True, decided=3, certified=0))
    assert stated(effects) == {2, 3}


def test_a_disowned_block_that_is_executed_again_is_not_stated() -> None:
    desk = repaired(head=0, disowned=1)
    for height in (1, 2):
        desk.order(proposal_of(height))
        assert stated(desk.execute(height)) == ({2} if height == 2 else set())


def test_a_disowned_block_that_sync_brings_is_not_stated() -> None:
    desk = repaired(head=0, disowned=2)
    desk.certified(3)
    synced = Synced(3, None, tuple(statement_of(height) for height in (1, 2, 3)))
    assert stated(desk.step(synced)) == {3}


def test_others_certify_what_is_disowned() -> None:
    desk = repaired(head=1, disowned=1)
    effects = desk.checkpoints([0, 2, 3], statement_of(1))
    assert [e.certificate.statement.height for e in of_kind(effects, Certify)] == [1]
    assert delivered(desk.order(proposal_of(2))) == [2], "and ordering goes on"
    assert stated(desk.execute(2)) == {2}


def test_a_disowned_outcome_still_must_be_the_quorums() -> None:
    desk = repaired(head=1, disowned=1)
    (halt,) = of_kind(desk.checkpoints([0, 2, 3], statement_of(1, root="x")), Halt)
    assert halt.kind is HaltKind.DIVERGED


def test_a_log_that_contradicts_the_ledger_halts_the_replica_at_once() -> None:
    desk = Desk()
    certificate = desk.certificate(statement_of(1, root="x"))
    desk.recovered = Recovered(head=1, statements=(statement_of(1),))
    effects = desk.restart(records=[wal.encode_record(wal.SavedStable(certificate))])
    (halt,) = of_kind(effects, Halt)
    assert halt.kind is HaltKind.DIVERGED
    assert stated(effects) == set()


def test_a_log_that_agrees_with_the_ledger_certifies_it() -> None:
    desk = Desk()
    certificate = desk.certificate(statement_of(1))
    desk.recovered = Recovered(head=1, statements=(statement_of(1),))
    effects = desk.restart(records=[wal.encode_record(wal.SavedStable(certificate))])
    assert len(of_kind(effects, Certify)) == 1
    desk.order(proposal_of(2))
    assert stated(desk.step(Executed(statement_of(2)))) == {2}
