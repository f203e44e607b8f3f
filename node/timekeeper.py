"""What members say about their clocks once a second, and what this node makes of it."""

from __future__ import annotations

import structlog
import trio

from node.clock import READING_INTERVAL_MS, CommitteeClock
from node.complaints import Complaints
from node.links import Links
from node.peer_messages import ClockReading, encode_blocks_message
from p2p.limits import Channel

_log = structlog.get_logger("node.clock")


# A quorum speaks within a second of being linked. A node that judged or proposed before that by a
# wrong clock of its own would cost itself a vote, or the view; one that hears nobody goes on.
READY_PATIENCE_S = 2.0


class Timekeeper:
    """Sends our readings, takes in those of others, says when a clock is wrong. Main task only.

    Links are authenticated, so a reading needs no signature: it is one voice of its sender and
    proves nothing to others.
    """

    def __init__(self, *, clock: CommitteeClock, network: Links) -> None:
        self._clock = clock
        self._network = network
        self._complaints = Complaints("node.clock")
        self._ready = trio.Event()
        self._greeted: set[str] = set()  # members only: strangers have no link
        self._was_off = False
        self._steps_back = 0

    async def now_ms(self) -> int:
        """The committee's time, once this life has heard it or waited for it."""
        if not self.is_ready:
            with trio.move_on_after(READY_PATIENCE_S):
                await self._ready.wait()
        return self._clock.now_ms()

    @property
    def is_ready(self) -> bool:
        """Is the committee's time known, or is waiting for it over?"""
        if self._clock.is_agreed:
            self._ready.set()
        return self._ready.is_set()

    def take(self, peer_id: str, reading: ClockReading) -> None:
        """A peer's word; the first one is answered, so that a network is quickly on its way."""
        self._clock.note(peer_id, reading.time_ms)
        if peer_id not in self._greeted:
            self._greeted.add(peer_id)
            self._network.send(peer_id, Channel.BLOCKS, self._reading())
        if self._clock.is_agreed:
            self._ready.set()

    async def run(self) -> None:
        """Speak once a second, for ever."""
        began_s = trio.current_time()
        while True:
            self._network.broadcast(Channel.BLOCKS, self._reading())
            if trio.current_time() - began_s >= READY_PATIENCE_S:
                self._ready.set()
            self._look()
            await trio.sleep(READING_INTERVAL_MS / 1000)

    def _reading(self) -> bytes:
        return encode_blocks_message(ClockReading(self._clock.wall_ms()))

    def _look(self) -> None:
        """Warn of an own clock that is wrong: the node goes on, but its logs and queries err."""
        clock = self._clock
        if clock.is_off and self._complaints.due("clock_off", "own") is not None:
            _log.warning(
                "clock_off",
                own_offset_ms=clock.own_offset_ms,
                advice="set this machine's clock (NTP); the node goes by the committee's time",
            )
        elif self._was_off and not clock.is_off:
            _log.info("clock_right_again", own_offset_ms=clock.own_offset_ms)
        self._was_off = clock.is_off
        if clock.steps_back > self._steps_back:
            self._steps_back = clock.steps_back
            _log.error(
                "committee_time_stepped_back",
                advice="more members than can be borne had wrong clocks: check NTP on all of them",
            )
