"""Whatever arrives, in whatever order: typed errors, no exception from the replica, few effects."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consensus.pbft.messages import (
    Certified,
    Checkpoint,
    Commit,
    Decision,
    Message,
    NewView,
    Prepare,
    PrePrepare,
    Status,
    ViewChange,
    decode_message,
    encode_message,
)
from consensus.pbft.types import (
    BatchReady,
    CatchUp,
    Deliver,
    Executed,
    ProposalFetched,
    Synced,
    Validate,
)
from ledger.errors import DecodeError
from ledger.model import CommitCertificate, Proposal, Signature, proposal_digest
from tests.sim.desk import Desk, ids, proposal_of, statement_of

HEIGHTS = st.integers(1, 12)
VIEWS = st.sampled_from((0, 0, 0, 1, 2, 3, 1 << 50))
NAMES = st.sampled_from(("a", "a", "b"))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_decode_canonically_or_not_at_all(data: bytes) -> None:
    try:
        message = decode_message(data)
    except DecodeError:
        return
    assert encode_message(message) == data


@given(st.integers(0, 200), st.integers(0, 255))
def test_a_changed_byte_decodes_canonically_or_not_at_all(position: int, value: int) -> None:
    desk = Desk()
    change = ViewChange(2, desk.certificate(statement_of(3)), (desk.prepared(proposal_of(4)),), ())
    data = bytearray(encode_message(change))
    data[position % len(data)] = value
    try:
        message = decode_message(bytes(data))
    except DecodeError:
        return
    assert encode_message(message) == data


def _proposal(height: int, name: str) -> Proposal:
    return proposal_of(height, name + str(height))


@st.composite
def _messages(draw: st.DrawFn, desk: Desk) -> Message:
    """Well-formed messages whose certificates hold; they may contradict each other."""
    view, height, name = draw(VIEWS), draw(HEIGHTS), draw(NAMES)
    proposal = _proposal(height, name)
    digest = proposal_digest(proposal)
    kind = draw(st.integers(0, 8))
    if kind == 0:
        return PrePrepare(view, proposal)
    if kind == 1:
        return Prepare(view, height, digest)
    if kind == 2:
        return Commit(view, height, digest)
    if kind == 3:
        return Checkpoint(statement_of(height, root=draw(st.sampled_from(("root", "wrong")))))
    if kind == 4:
        return Status(view, draw(st.booleans()), height, draw(HEIGHTS))
    if kind == 5:
        return Certified(desk.certificate(statement_of(height)))
    if kind == 6:
        vote = Commit(0, height, digest)
        signatures = tuple(Signature(i, desk.signature(i, vote)) for i in (0, 2, 3))
        return Decision(proposal, CommitCertificate(0, height, digest, signatures))
    prepared = (desk.prepared(proposal),) if draw(st.booleans()) else ()
    change = ViewChange(max(view, 1), None, prepared, ())
    if kind == 7:
        return change
    return desk.new_view(change.view, dict.fromkeys((0, 2, 3), change))


@pytest.mark.slow
@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow],
)
@given(st.data())
def test_no_sequence_of_inputs_breaks_the_replica(data: st.DataObject) -> None:
    desk = Desk(index=data.draw(st.integers(0, 3)), window=6, rotate_every=4)
    expected, executed = 1, 0
    asked: list[Validate] = []
    goal: CatchUp | None = None
    for _ in range(data.draw(st.integers(0, 60))):
        draw = data.draw(st.integers(0, 9))
        if draw == 0:
            effects = desk.tick(data.draw(st.integers(1, 25)), pending=data.draw(st.booleans()))
        elif draw == 1 and asked:
            effects = desk.validated(asked.pop().proposal, ok=data.draw(st.booleans()))
        elif draw == 2 and executed < expected - 1:
            executed += 1
            effects = desk.step(Executed(statement_of(executed)))
        elif draw == 3 and goal is not None and executed == expected - 1:
            reached = max(executed, data.draw(st.integers(0, goal.height)))
            certificate = desk.certificate(statement_of(reached)) if reached else None
            goal, executed, expected = None, reached, reached + 1
            effects = desk.step(Synced(reached, certificate))
        elif draw == 4:
            effects = desk.step(BatchReady(ids(data.draw(NAMES)), time_ms=1))
        elif draw == 5:
            effects = desk.step(ProposalFetched(_proposal(data.draw(HEIGHTS), data.draw(NAMES))))
        else:
            message = data.draw(_messages(desk))
            sender = data.draw(st.integers(0, 3))
            if isinstance(message, NewView):
                sender = message.view % 4
            effects = desk.receive(sender, message)
        for effect in effects:
            if isinstance(effect, Deliver):
                assert goal is None
                assert effect.proposal.height == expected
                expected += 1
            elif isinstance(effect, Validate):
                asked.append(effect)
            elif isinstance(effect, CatchUp):
                goal = effect
        assert len(effects) < 2_000
    restarted = desk.restart() if executed == 0 else []
    assert len(restarted) < 200
