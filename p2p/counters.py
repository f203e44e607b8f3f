"""What the network counts. Plain integers: only the trio thread writes them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from p2p.limits import Channel


@dataclass(slots=True)
class ChannelCounters:
    """Totals of one channel over all peers since start; bytes include framing."""

    frames_sent: int = 0
    bytes_sent: int = 0
    frames_received: int = 0
    bytes_received: int = 0
    dropped: int = 0  # no link, no room in the queue, or lost with the link
    oversize: int = 0  # our own frames that were empty or too large to be sent
    unread: int = 0  # arrived, but the node took nothing for too long


@dataclass(slots=True)
class Counters:
    """Totals of one node since start."""

    channels: dict[Channel, ChannelCounters] = field(
        default_factory=lambda: {channel: ChannelCounters() for channel in Channel}
    )
    links: int = 0  # links that came to life, the first time or again
    reconnects: int = 0  # ... again
    lost: int = 0  # links that ended: peer gone, silent, or the network failed
    garbage: int = 0  # links closed because the authenticated peer misbehaved
    # By reason, of p2p.errors.Refusal, crypto.errors.Reason and crypto.smtls.TlsFault:
    refusals: Counter[str] = field(default_factory=Counter)  # inbound connections not let in
    failures: Counter[str] = field(default_factory=Counter)  # dials in vain
    cut: Counter[str] = field(default_factory=Counter)  # live links that were judged anew and ended
    broken: Counter[str] = field(default_factory=Counter)  # live links whose bytes were altered

    @property
    def refused(self) -> int:
        return self.refusals.total()

    @property
    def dials_failed(self) -> int:
        return self.failures.total()
