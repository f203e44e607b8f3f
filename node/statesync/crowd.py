"""The peers that a joining node asks: questions with patience, and a list of those not asked again.

Who said what is provably wrong is struck from the list for as long as this process lives, and the
log says why. Who is silent or slow is left in peace for a while: the line may be the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog
import trio

from ledger.errors import DecodeError
from node.links import Links
from node.statesync.messages import Ask, Told, What, decode_message, encode_message
from p2p.limits import Channel

# For which a peer that did not answer in time is not asked: doubles until it is of use again, so
# that one who answers nothing but easy questions holds up less and less.
REST_FIRST_S = 4.0
REST_MAX_S = 300.0

_log = structlog.get_logger("node.statesync")


@dataclass(slots=True, eq=False)
class _Question:
    peer_id: str
    answered: trio.Event = field(default_factory=trio.Event)
    told: Told | None = None


class Crowd:
    """Main task only."""

    def __init__(self, network: Links, names: Mapping[str, str]) -> None:
        """`names`: peer id -> name, for the log."""
        self._network = network
        self._names = dict(names)
        self._open: dict[int, _Question] = {}
        self._number = 0
        self._struck: set[str] = set()
        self._rests_s: dict[str, float] = {}  # how long the next rest is
        self._resting: dict[str, float] = {}  # until when

    def name_also(self, names: Mapping[str, str]) -> None:
        self._names.update(names)

    def name(self, peer_id: str) -> str:
        return self._names.get(peer_id, peer_id)

    @property
    def usable(self) -> list[str]:
        """Connected peers that may be asked, in one order everywhere."""
        now = trio.current_time()
        return sorted(
            peer_id
            for peer_id in self._network.connected()
            if peer_id not in self._struck and self._resting.get(peer_id, 0.0) <= now
        )

    def strike(self, peer_id: str, reason: str) -> None:
        """It said what is not so: nothing of it counts any more."""
        self._struck.add(peer_id)
        _log.warning("peer_struck", peer=self.name(peer_id), reason=reason, advice="ask its owner")

    def is_struck(self, peer_id: str) -> bool:
        return peer_id in self._struck

    async def run(self) -> None:
        """Take answers in for ever."""
        async for frame in self._network.incoming(Channel.SNAPSHOTS):
            try:
                message = decode_message(frame.body)
            except DecodeError as error:
                if not self.is_struck(frame.peer_id):
                    self.strike(frame.peer_id, f"it sent what cannot be decoded: {error}")
                continue
            if isinstance(message, Told):
                self._take(frame.peer_id, message)
            # Another node that joins asks us: we have nothing, and it asks others.

    async def ask(
        self, peer_id: str, what: What, *, digest: bytes = b"", place: int = 0, patience_s: float
    ) -> Told | None:
        """The answer; None when there is no link, or none came in time."""
        self._number += 1
        number = self._number
        question = self._open[number] = _Question(peer_id)
        try:
            ask = encode_message(Ask(number, what, digest, place))
            if self._network.send(peer_id, Channel.SNAPSHOTS, ask):
                with trio.move_on_after(patience_s):
                    await question.answered.wait()
        finally:
            del self._open[number]
        if question.told is None:
            self.rest(peer_id)
        return question.told

    def rest(self, peer_id: str) -> None:
        """Do not ask it for a while."""
        rest_s = self._rests_s.get(peer_id, REST_FIRST_S)
        self._rests_s[peer_id] = min(REST_MAX_S, 2 * rest_s)
        self._resting[peer_id] = trio.current_time() + rest_s
        _log.warning("peer_silent", peer=self.name(peer_id), again_in_s=rest_s)

    def praise(self, peer_id: str) -> None:
        """It was of use."""
        self._rests_s.pop(peer_id, None)

    def _take(self, peer_id: str, told: Told) -> None:
        question = self._open.get(told.number)
        if question is not None and question.peer_id == peer_id:
            question.told = told
            question.answered.set()
