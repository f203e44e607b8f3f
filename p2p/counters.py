"""What the network counts. Plain integers: only the trio thread writes them."""

from __future__ import annotations

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
    refused: int = 0  # inbound connections that did not prove an allowed identity
    dials_failed: int = 0
