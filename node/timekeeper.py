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


class Timekeeper:
    """Sends our readings, takes in those of others, says when a clock is wrong. Main task only.

    Links are authenticated, so a reading needs no signature: it is one voice of its sender and
    proves nothing to others.
    """

    def __init__(self, *, clock: CommitteeClock, network: Links) -> None:
        self._clock = clock
        self._network = network
        self._complaints = Complaints("node.clock")
        self._was_off = False
        self._steps_back = 0

    def take(self, peer_id: str, reading: ClockReading) -> None:
        self._clock.note(peer_id, reading.time_ms)

    async def run(self) -> None:
        """Speak once a second, for ever."""
        while True:
            reading = ClockReading(self._clock.wall_ms())
            self._network.broadcast(Channel.BLOCKS, encode_blocks_message(reading))
            self._look()
            await trio.sleep(READING_INTERVAL_MS / 1000)

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
