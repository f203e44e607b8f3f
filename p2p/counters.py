"""What the network counts. Plain integers: only the trio thread writes them."""

from __future__ import annotations

from dataclasses import dataclass, field

from p2p.limits import Channel


@dataclass(slots=True)
class ChannelCounters:
    """Totals of one channel over all peers since start."""

    frames_sent: int = 0
    bytes_sent: int = 0
    frames_received: int = 0
    bytes_received: int = 0
    dropped: int = 0  # not queued, given up in a full queue, or lost with its link
    unread: int = 0  # arrived, but the node took nothing for too long
    oversize: int = 0  # our own frames that were too large or empty to be sent


@dataclass(slots=True)
class Counters:
    """Totals of one node since start."""

    channels: dict[Channel, ChannelCounters] = field(
        default_factory=lambda: {channel: ChannelCounters() for channel in Channel}
    )
    links_up: int = 0  # links that came to life, the first time or again
    reconnects: int = 0  # ... again
    dials_failed: int = 0
    refused: int = 0  # inbound connections that did not prove an allowed identity, or over a cap
    garbage: int = 0  # links closed because of what the peer sent
    silent: int = 0  # links closed because the peer said nothing or took nothing
