"""Nodes that go by the committee's time and keep an idle chain beating, as the real driver does."""

from __future__ import annotations

from functools import partial

from consensus.pbft.types import BatchReady, ProposalValidated, Validate
from node.clock import READING_INTERVAL_MS, CommitteeClock
from node.heartbeat import GRACE_MS, PREDECESSOR_PATIENCE_S, WAITED_TICKS_MAX
from tests.sim.byzantine import Liar
from tests.sim.node import EPOCH_MS, TIME_SKEW_MS_MAX, Node

HEARTBEAT_MS = 3_000
LOOK_MS = 20  # between two looks for a predecessor that is being executed


class TimedNode(Node):
    """`skew_ms` is what its wall clock is wrong by; it may be set at any time."""

    def start(self) -> None:
        validators = self.config.validators
        self.clock = CommitteeClock(
            others=[str(i) for i in range(validators.size) if i != self.index],
            quorum=validators.quorum,
            fault_bound=validators.fault_bound,
            wall_ms=self.wall_ms,
            monotonic_ms=lambda: self.world.now,
        )
        super().start()
        self.later(1, self.speak)

    # --- time -------------------------------------------------------------------------------

    def wall_ms(self) -> int:
        return EPOCH_MS + self.world.now + self.skew_ms

    def time_ms(self) -> int:
        return self.clock.now_ms()

    def speak(self) -> None:
        """Tell the others, over the same network as everything, what our clock says."""
        said_ms = self.wall_ms()
        for peer in self.peers:
            if isinstance(peer, TimedNode) and peer is not self:
                self.world.send(self.index, peer.index, partial(peer.hear, self, said_ms))
        self.later(READING_INTERVAL_MS, self.speak)

    def hear(self, peer: Node, said_ms: int) -> None:
        if self.is_up:
            self.clock.note(str(peer.index), said_ms)

    # --- heartbeats -------------------------------------------------------------------------

    def head_time_ms(self) -> int:
        """Of the newest block; null proposals have none of their own."""
        return max((entry.statement.time_ms for entry in self.disk.entries), default=EPOCH_MS)

    def is_overdue(self) -> bool:
        late_ms = HEARTBEAT_MS + TIME_SKEW_MS_MAX + GRACE_MS
        return self.clock.is_agreed and self.time_ms() - self.head_time_ms() >= late_ms

    def is_due(self) -> bool:
        return self.clock.is_agreed and self.time_ms() - self.head_time_ms() >= HEARTBEAT_MS

    def offer(self) -> None:
        waiting = len(self.inbox)
        super().offer()
        replica = self.replica
        is_next = replica.can_propose and replica.next_height == self.disk.head + 1
        if len(self.inbox) == waiting == 0 and is_next and self.is_due():
            self.inbox.append(BatchReady((), self.time_ms()))

    def validate(self, effect: Validate) -> None:
        if effect.is_fresh and not effect.proposal.transaction_ids:
            self.judge(effect, self.world.now + int(1_000 * PREDECESSOR_PATIENCE_S))
        else:
            super().validate(effect)

    def judge(self, effect: Validate, until_ms: int) -> None:
        proposal, head = effect.proposal, self.disk.head
        if head < proposal.height - 1 and self.world.now < until_ms:
            self.later(LOOK_MS, lambda: self.judge(effect, until_ms))
            return
        is_due = proposal.time_ms - self.head_time_ms() >= HEARTBEAT_MS
        is_timely = abs(proposal.time_ms - self.time_ms()) <= TIME_SKEW_MS_MAX
        ok = head >= proposal.height or (
            head == proposal.height - 1 and is_due and is_timely and not self.has_waited()
        )
        self.step(ProposalValidated(proposal.height, effect.digest, ok=ok))

    def has_waited(self) -> bool:
        since = [at for t, at in self.pending.items() if not self.replica.is_in_flight(t)]
        return self.world.now - min(since, default=self.world.now) > 100 * WAITED_TICKS_MAX


class Spammer(TimedNode, Liar):
    """Makes empty blocks whenever it may propose."""

    def is_due(self) -> bool:
        return True

    def offer(self) -> None:
        self.pending.clear()  # ... instead of what its clients want
        super().offer()
