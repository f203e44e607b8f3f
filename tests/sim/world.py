"""Virtual time and a network that delays, loses, repeats and reorders."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from consensus.pbft.messages import Message

Action = Callable[[], None]
Censor = Callable[[int, int, Message], bool]  # sender, receiver: is this message lost?


@dataclass(slots=True)
class Weather:
    """What the network does to every frame."""

    loss: float = 0.0
    duplication: float = 0.0
    delay_ms_min: int = 1
    delay_ms_max: int = 20  # frames overtake each other


class World:
    """The queue of what happens next. Everything random comes from its one generator."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now = 0
        self.events = 0
        self.weather = Weather()
        self.blocked: set[tuple[int, int]] = set()  # links (from, to) that lose everything
        self.censor: Censor | None = None  # loses chosen messages, for scenes
        self._queue: list[tuple[int, int, Action]] = []
        self._sequence = 0

    def after(self, delay_ms: int, action: Action) -> None:
        self._sequence += 1
        heapq.heappush(self._queue, (self.now + delay_ms, self._sequence, action))

    def run(self, duration_ms: int) -> None:
        self.run_until(lambda: False, duration_ms)

    def run_until(self, is_done: Callable[[], bool], duration_ms: int) -> bool:
        """Go on until `is_done` (looked at every 100 ms) or for `duration_ms`; was it done?"""
        end = self.now + duration_ms
        look = self.now
        queue = self._queue
        while queue and (at := queue[0][0]) <= end:
            if at >= look:
                if is_done():
                    return True
                look = at + 100
            self.now, _, action = heapq.heappop(queue)
            self.events += 1
            action()
        self.now = end
        return is_done()

    def send(self, sender: int, to: int, action: Action) -> None:
        """`action` happens at `to`, once, several times, or never."""
        weather, random = self.weather, self.random
        if (sender, to) in self.blocked or random.random() < weather.loss:
            return
        copies = 2 if random.random() < weather.duplication else 1
        width = weather.delay_ms_max - weather.delay_ms_min + 1
        bits = width.bit_length()
        for _ in range(copies):
            extra = random.getrandbits(bits)  # as `randint` does, without its four calls
            while extra >= width:
                extra = random.getrandbits(bits)
            self.after(weather.delay_ms_min + extra, action)

    def isolate(self, group: set[int], size: int) -> None:
        """Cut `group` off from the others, both ways."""
        for one in range(size):
            for other in range(size):
                if (one in group) != (other in group):
                    self.blocked.add((one, other))

    def heal(self) -> None:
        self.blocked.clear()
        self.censor = None
        self.weather = Weather()
