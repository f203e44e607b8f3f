"""Channels, and every limit of this package with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

KIB = 1 << 10
MIB = 1 << 20

HEARTBEAT_S = 1.0  # an idle link says so this often
DEAD_TICKS = 4  # heartbeats missed before a silent link is given up (4 s)
WRITE_TIMEOUT_S = 4.0  # a peer that accepts nothing for this long is as good as dead
UPGRADE_TIMEOUT_S = 3.0  # from TCP accept to multiplexed: closes a slow-loris early
STREAMS_TIMEOUT_S = 3.0  # from multiplexed to all channels open
RETRY_FIRST_S = 0.2  # a restarted neighbour is found again at once,
RETRY_FACTOR = 1.6  # a dead one is asked
RETRY_MAX_S = 3.0  # ... every few seconds, for ever
WRITE_SIZE = 64 * KIB  # one write: amortizes the cost per message, yet a vote never waits long
PATIENCE_S = 2.0  # how long a reader waits for a node that does not take frames (see Inbox)


class Channel(Enum):
    """One stream of a link. Frames keep their order inside a channel, not between channels."""

    VOTES = "/shuxin/votes/1.0.0"
    TRANSACTIONS = "/shuxin/transactions/1.0.0"
    BLOCKS = "/shuxin/blocks/1.0.0"


class Overflow(Enum):
    """What a full outgoing queue gives up."""

    OLDEST = "oldest"
    NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class ChannelLimits:
    """Bounds of one channel of one link; sizes in bytes."""

    frame_size_max: int
    queue_size_max: int
    queue_frames_max: int
    incoming_frames_max: int
    overflow: Overflow


def default_channels() -> dict[Channel, ChannelLimits]:
    """Votes: the newest says most, so the oldest goes. Elsewhere the sender tries again later."""
    return {
        Channel.VOTES: ChannelLimits(
            frame_size_max=4 * MIB,  # a new-view message carries 2f+1 view changes
            queue_size_max=16 * MIB,
            queue_frames_max=4096,
            incoming_frames_max=512,
            overflow=Overflow.OLDEST,
        ),
        Channel.TRANSACTIONS: ChannelLimits(
            frame_size_max=1 * MIB,  # a batch; one transaction has at most 128 KiB
            queue_size_max=16 * MIB,
            queue_frames_max=4096,
            incoming_frames_max=256,
            overflow=Overflow.NEWEST,
        ),
        Channel.BLOCKS: ChannelLimits(
            frame_size_max=16 * MIB,  # a block of 4 MiB, its receipts and certificates
            queue_size_max=32 * MIB,
            queue_frames_max=256,
            incoming_frames_max=4,
            overflow=Overflow.NEWEST,
        ),
    }


@dataclass(frozen=True, slots=True)
class NetworkLimits:
    """Bounds of one node's network; the defaults suit a committee of up to 32 nodes."""

    channels: Mapping[Channel, ChannelLimits] = field(default_factory=default_channels)
    inbound_max: int = 64  # connections that others opened, judged or not
    inbound_per_address_max: int = 16  # ... of one IP address (local networks share one)
