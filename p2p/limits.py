"""Channels, and every limit of this package with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

KIB = 1 << 10
MIB = 1 << 20

# One write: with the header of a yamux frame, two full records of TLS. Large enough to amortize the
# cost of a message; small enough that a vote behind it waits half a millisecond, since SM4-GCM
# seals and opens some 130 MB/s (make bench-net).
WRITE_SIZE = 31 * KIB
# Bulk data that was written but not yet taken by the other node. Two writes keep the pipe full
# on a local network; more would only make votes queue behind it in the kernel.
IN_FLIGHT_MAX = 2 * WRITE_SIZE
ACKNOWLEDGE_EVERY = 16 * KIB  # must stay below IN_FLIGHT_MAX - WRITE_SIZE, or both sides wait
WINDOW_UPDATE_EVERY = 64 * KIB  # must stay below yamux's window of 256 KiB - IN_FLIGHT_MAX
READ_SIZE = 64 * KIB  # one read of a socket or stream
# Unread bytes in the multiplexer: an honest peer has at most a 256 KiB window per stream there;
# py-libp2p only warns when a peer ignores its window, so we look ourselves.
BUFFERED_MAX = 4 * 256 * KIB
# Bytes read before the other side has proven who it is; a TLS handshake needs < 8 KiB.
HANDSHAKE_SIZE_MAX = 32 * KIB
PATIENCE_S = 2.0  # how long votes wait for a node that does not take them (see Inbox)


class Channel(Enum):
    """One stream of a link. Frames keep their order inside a channel, not between channels."""

    VOTES = "/shuxin/votes/1.0.0"
    TRANSACTIONS = "/shuxin/transactions/1.0.0"
    BLOCKS = "/shuxin/blocks/1.0.0"
    SNAPSHOTS = "/shuxin/snapshots/1.0.0"


class Flow(Enum):
    """What a channel does when one side cannot keep up."""

    FRESH = "fresh"  # the newest frames say most: full queues give up their oldest, nothing waits
    WHOLE = "whole"  # the reader slows the writer down; a full queue refuses the newest frame


@dataclass(frozen=True, slots=True)
class ChannelLimits:
    """Bounds of one channel of one link; sizes in bytes."""

    frame_size_max: int
    queue_size_max: int
    queue_frames_max: int
    incoming_frames_max: int  # of all peers together, waiting for the node
    flow: Flow
    incoming_size_max: int | None = None  # of them in bytes, on a FRESH channel; else frames tell

    def __post_init__(self) -> None:
        assert 0 < self.frame_size_max <= self.queue_size_max, "a queue holds its largest frame"
        assert self.frame_size_max < 1 << 31, "the top bit of a length marks a control word"
        assert self.incoming_size_max is None or self.flow is Flow.FRESH, "others make peers wait"
        assert (self.incoming_size_max or self.frame_size_max) >= self.frame_size_max
        assert self.queue_frames_max > 0 and self.incoming_frames_max > 0


def default_channels() -> dict[Channel, ChannelLimits]:
    """For blocks of up to 4 MiB and transactions of up to 128 KiB (the genesis defaults)."""
    return {
        Channel.VOTES: ChannelLimits(
            # A NEW-VIEW of the largest committee with a full window: consensus takes 12 MiB, and
            # its envelope needs less than 1 KiB. A link holds one that is not whole yet, a queue
            # of 16 MiB, and of what all sent no more waits for the node than 64 MiB.
            frame_size_max=12 * MIB + KIB,
            queue_size_max=16 * MIB,
            queue_frames_max=4096,
            incoming_frames_max=512,
            flow=Flow.FRESH,
            incoming_size_max=64 * MIB,
        ),
        Channel.TRANSACTIONS: ChannelLimits(
            frame_size_max=1 * MIB,  # a batch
            queue_size_max=16 * MIB,
            queue_frames_max=4096,
            incoming_frames_max=256,
            flow=Flow.WHOLE,
        ),
        Channel.BLOCKS: ChannelLimits(
            frame_size_max=16 * MIB,  # several blocks, or one with its receipts and certificates
            queue_size_max=32 * MIB,
            queue_frames_max=256,
            incoming_frames_max=4,
            flow=Flow.WHOLE,
        ),
        Channel.SNAPSHOTS: ChannelLimits(
            frame_size_max=16 * MIB,  # a manifest, a chunk, or several blocks with receipts
            queue_size_max=32 * MIB,
            queue_frames_max=64,
            incoming_frames_max=4,
            flow=Flow.WHOLE,
        ),
    }


@dataclass(frozen=True, slots=True)
class NetworkLimits:
    """Bounds of one node's network; times in seconds. The defaults suit up to 32 nodes."""

    channels: Mapping[Channel, ChannelLimits] = field(default_factory=default_channels)
    heartbeat_s: float = 1.0  # an idle link says so this often
    dead_ticks: int = 4  # heartbeats missed before a silent peer is given up
    write_timeout_s: float = 4.0  # a peer that accepts nothing for this long is as good as dead
    upgrade_timeout_s: float = 3.0  # from TCP to an authenticated link: ends a slow-loris early
    retry_first_s: float = 0.2  # a restarted neighbour is found again at once,
    retry_factor: float = 1.6
    # ... a dead one is asked every second, for ever: a node that comes back is missed as long as
    # its neighbours wait, and so many refused connections cost nothing.
    retry_max_s: float = 1.0
    pending_max: int = 64  # inbound connections that have not yet proven who they are
    pending_per_address_max: int = 16  # ... of one IP address (nodes of one host share it)
    # Connections that one IP address or IPv6 network may begin: so many at once (all neighbours of
    # one host, after a restart), and then per second. A ClientHello that leads nowhere costs 2 ms
    # of processor time, so one address cannot take more than a sixteenth of a core.
    attempts_burst: int = 128
    attempts_per_s: float = 32.0
    rejudge_every_s: float = 60.0  # how long a link may outlive the certificate of its peer
    # How long a link that another one has taken over from may go on to send what waited: a full
    # queue takes about a second.
    retire_s: float = 5.0
