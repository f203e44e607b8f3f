"""One live peer: a connection, a stream per channel, their readers and writers, the heartbeat.

A link lives until anything about it fails, then all of it ends and the socket is closed: a
cancelled write may have left half a frame behind, so nothing could follow it.

Certificates and keys change while a link lives. Then a successor is made beside it, and takes over:
both sides send what still waits in the old one, say on each channel that this was all (Sign.END),
and close. The successor begins a WHOLE channel where the old link ended it, so that nothing is lost
or overtaken; votes begin at once, for they are good in any order and bad if late.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager

import structlog
import trio
from libp2p.exceptions import BaseLibp2pError

from crypto.x509.read import Certificate
from p2p.connect import ChannelStream, Connection
from p2p.counters import Counters
from p2p.errors import LinkBroken, LinkLost, NetworkError, PeerMisbehaved
from p2p.frames import (
    ACKNOWLEDGE_MAX,
    HEARTBEAT,
    Acknowledged,
    FrameDecoder,
    Sign,
    encode_acknowledged,
    encode_sign,
)
from p2p.limits import (
    ACKNOWLEDGE_EVERY,
    BUFFERED_MAX,
    IN_FLIGHT_MAX,
    READ_SIZE,
    WRITE_SIZE,
    Channel,
    Flow,
    NetworkLimits,
)
from p2p.queues import Frame, Inbox, Outgoing

log = structlog.get_logger("p2p")

_LAST_VOTES_S = 1.0  # for the last votes to be read, once everything else was

_CHANNELS = tuple(Channel)
_PROTOCOLS = frozenset(channel.value for channel in Channel)


class Credit:
    """How much bulk data may be on its way to a peer (WHOLE channels).

    The peer acknowledges what its node has taken. So a slow node slows its peers' writers down
    without stalling the stream below (which would kill the link), and little bulk data sits in
    the kernel in front of a vote.
    """

    def __init__(self) -> None:
        self._in_flight = 0
        self._returned = trio.Event()

    async def spend(self, size: int) -> None:
        """Waits until `size` more bytes may be written."""
        while self._in_flight > 0 and self._in_flight + size > IN_FLIGHT_MAX:
            self._returned = trio.Event()
            await self._returned.wait()
        self._in_flight += size

    def give_back(self, size: int) -> None:
        """The peer took `size` bytes; raises PeerMisbehaved if they were never sent."""
        if size > self._in_flight:
            raise PeerMisbehaved("it acknowledged bytes that were not sent")
        self._in_flight -= size
        self._returned.set()


class Link:
    """The streams to one peer. `push` may be called from the moment `run` reports it up."""

    def __init__(
        self,
        connection: Connection,
        *,
        is_dialer: bool,
        limits: NetworkLimits,
        counters: Counters,
        inboxes: Mapping[Channel, Inbox],
    ) -> None:
        self.peer_id = connection.peer_id
        self._connection = connection
        self._limits = limits
        self._counters = counters
        self._inboxes = inboxes
        self._outgoing = {
            channel: Outgoing(limits.channels[channel], counters.channels[channel])
            for channel in Channel
        }
        self._wake = {channel: trio.Event() for channel in Channel}
        self._credit = {channel: Credit() for channel in Channel}
        self._owed = dict.fromkeys(Channel, 0)  # bytes our node took, not yet acknowledged
        self._read_since_tick = 0
        self._written_since_tick = 0
        self._is_heartbeat_due = False
        self._is_successor_due = False
        self._is_successor_asked = False
        self._is_retiring = False
        self._written = {channel: trio.Event() for channel in Channel}  # to the end
        self._read_out = {channel: trio.Event() for channel in Channel}
        self._scope = trio.CancelScope()
        self._end: NetworkError | None = None
        self.is_dialer = is_dialer
        self.outlived = trio.Event()  # it has ended, or asks the one who dials for a successor

    async def run(self, *, on_up: Callable[[], Link | None]) -> NetworkError | None:
        """Serves the connection until it ends and closes it.

        `on_up` says which link this one takes over from, if any. Returns why it ended, None if that
        was meant. Raises nothing but Cancelled.
        """
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._guard, self._multiplex)
                    nursery.start_soon(self._guard, lambda: self._serve(on_up))
        finally:
            for outgoing in self._outgoing.values():
                outgoing.discard()
            for ended in (self.outlived, *self._ends):
                ended.set()
            with trio.CancelScope(shield=True):
                await self._connection.close()
        return self._end

    def push(self, channel: Channel, body: bytes) -> bool:
        """Queues a frame for the writer; False if it was dropped."""
        is_queued = self._outgoing[channel].put(body)
        self._wake[channel].set()
        return is_queued

    def recheck(self) -> None:
        """Raises PeerRefused if the peer would not be let in now."""
        self._connection.recheck()

    @property
    def certificate(self) -> Certificate | None:
        """What the peer showed, where the protocol has certificates."""
        return self._connection.certificate

    def ask_successor(self) -> None:
        """Has another link made beside this one, by the side that dials."""
        if self.is_dialer:
            self.outlived.set()
        elif not self._is_successor_asked:
            self._is_successor_asked = self._is_successor_due = True
            self._wake[Channel.VOTES].set()

    def retire(self) -> None:
        """Another link has taken over: ends this one when both sides have sent what waits."""
        self._is_retiring = True
        self._limit_rest()
        for wake in self._wake.values():
            wake.set()

    def close(self) -> None:
        """Ends the link from our side."""
        self._scope.cancel()

    @property
    def is_closing(self) -> bool:
        return self._scope.cancel_called

    async def _guard(self, task: Callable[[], Awaitable[None]]) -> None:
        """Whatever goes wrong with one link ends that link, and nothing else."""
        try:
            await task()
        except NetworkError as error:
            self._fail(error)
        except (BaseLibp2pError, OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            self._fail(LinkLost("the connection was closed"))
        except Exception as error:
            log.exception("link task failed, please report this", peer=self.peer_id)
            self._fail(LinkLost(f"internal error: {type(error).__name__}"))

    @property
    def _ends(self) -> tuple[trio.Event, ...]:
        """Of all channels, both ways."""
        return (*self._written.values(), *self._read_out.values())

    def _fail(self, error: NetworkError) -> None:
        if all(ended.is_set() for ended in self._ends):
            self.close()  # the peer was the first to close what both had ended
            return
        fault = self._connection.fault
        if fault and isinstance(error, LinkLost):
            error = LinkBroken(fault, f"the bytes are not what the peer sealed: {fault}")
        if self._end is None:
            self._end = error
        self._scope.cancel()

    async def _multiplex(self) -> None:
        try:
            await self._connection.muxed.start()
        except Exception as error:  # yamux met bytes that it has no answer for
            raise LinkLost(f"the multiplexer failed ({type(error).__name__})") from error
        raise LinkLost("the connection was closed")

    async def _serve(self, on_up: Callable[[], Link | None]) -> None:
        with _within(self._limits.upgrade_timeout_s, "the streams were not opened in time"):
            await self._connection.muxed.event_started.wait()
            streams = await (self._open_streams() if self.is_dialer else self._accept_streams())
        before = on_up()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._end_in_order)
            for channel, stream in streams.items():
                nursery.start_soon(
                    self._guard, lambda c=channel, s=stream: self._read(c, s, before)
                )
                nursery.start_soon(
                    self._guard, lambda c=channel, s=stream: self._write(c, s, before)
                )
            nursery.start_soon(self._guard, self._watch)
            nursery.start_soon(self._guard, self._refuse_streams)

    async def _open_streams(self) -> dict[Channel, ChannelStream]:
        return {channel: await self._connection.open_stream(channel.value) for channel in Channel}

    async def _accept_streams(self) -> dict[Channel, ChannelStream]:
        streams: dict[Channel, ChannelStream] = {}
        while len(streams) < len(_CHANNELS):
            protocol, stream = await self._connection.accept_stream(_PROTOCOLS)
            if Channel(protocol) in streams:
                raise PeerMisbehaved("it opened two streams for one channel")
            streams[Channel(protocol)] = stream
        return streams

    async def _refuse_streams(self) -> None:
        await self._connection.muxed.accept_stream()
        raise PeerMisbehaved("it opened a stream beyond those of a link")

    async def _read(self, channel: Channel, stream: ChannelStream, before: Link | None) -> None:
        limits = self._limits.channels[channel]
        counters = self._counters.channels[channel]
        decoder = FrameDecoder(
            frame_size_max=limits.frame_size_max, has_control=channel is Channel.VOTES
        )
        is_whole = limits.flow is Flow.WHOLE
        if before is not None and is_whole:
            await before._read_out[channel].wait()
        while not self._read_out[channel].is_set():
            data = await stream.read(READ_SIZE)
            self._read_since_tick += len(data)
            counters.bytes_received += len(data)
            for event in decoder.feed(data):
                if isinstance(event, bytes):
                    counters.frames_received += 1
                    await self._inboxes[channel].put(Frame(self.peer_id, event))
                else:
                    self._controlled(channel, event)
            if is_whole:
                self._owe(channel, len(data))

    def _controlled(self, channel: Channel, event: Acknowledged | Sign) -> None:
        match event:
            case Acknowledged():
                self._acknowledged(event)
            case Sign.SUCCESSOR:
                if not self.is_dialer or self._is_successor_asked:
                    raise PeerMisbehaved("it asks for a second link twice, or the one who dials")
                self._is_successor_asked = True
                self.outlived.set()
            case Sign.END:
                self._limit_rest()
                self._read_out[channel].set()
                self._wake[Channel.VOTES].set()

    def _limit_rest(self) -> None:
        self._scope.deadline = min(
            self._scope.deadline, trio.current_time() + self._limits.retire_s
        )

    async def _end_in_order(self) -> None:
        """Closes once both sides have said on every channel that this was all."""
        for ended in self._ends:
            await ended.wait()
        # The peer has read all that waits for its node, but perhaps not our last votes.
        await trio.sleep(_LAST_VOTES_S)
        self.close()

    def _acknowledged(self, event: Acknowledged) -> None:
        if event.channel_index >= len(_CHANNELS):
            raise PeerMisbehaved("it acknowledged a channel that does not exist")
        self._credit[_CHANNELS[event.channel_index]].give_back(event.size)

    def _owe(self, channel: Channel, size: int) -> None:
        self._owed[channel] += size
        if self._owed[channel] >= ACKNOWLEDGE_EVERY:
            self._wake[Channel.VOTES].set()

    async def _write(self, channel: Channel, stream: ChannelStream, before: Link | None) -> None:
        outgoing = self._outgoing[channel]
        is_whole = self._limits.channels[channel].flow is Flow.WHOLE
        if before is not None and is_whole:
            await before._written[channel].wait()
        while not self._written[channel].is_set():
            is_free = channel is Channel.VOTES and outgoing.is_between_frames
            control = self._take_control() if is_free else b""
            data = control + outgoing.take(WRITE_SIZE - len(control))
            is_last = not data and self._is_time_to_end(channel)
            if is_last:
                data = encode_sign(Sign.END)
            if not data:
                self._wake[channel] = trio.Event()
                await self._wake[channel].wait()
                continue
            if is_whole:
                await self._credit[channel].spend(len(data))
            with _within(self._limits.write_timeout_s, "the peer accepts no more bytes"):
                await stream.write(data)
            self._written_since_tick += len(data)
            if is_last:
                self._written[channel].set()

    def _is_time_to_end(self, channel: Channel) -> bool:
        """Votes end last: they carry what the peer's bulk data waits for."""
        others = (event for other, event in self._read_out.items() if other is not channel)
        is_free = channel is not Channel.VOTES or all(event.is_set() for event in others)
        return self._is_retiring and is_free

    def _take_control(self) -> bytes:
        words = []
        for index, channel in enumerate(_CHANNELS):
            if self._owed[channel] >= ACKNOWLEDGE_EVERY:
                size = min(self._owed[channel], ACKNOWLEDGE_MAX)
                words.append(encode_acknowledged(Acknowledged(index, size)))
                self._owed[channel] -= size
        if self._is_successor_due:
            words.append(encode_sign(Sign.SUCCESSOR))
            self._is_successor_due = False
        if self._is_heartbeat_due and not words:
            words.append(HEARTBEAT)
        self._is_heartbeat_due = False
        return b"".join(words)

    async def _watch(self) -> None:
        """Heartbeat, and the verdict on peers that are silent or overfill our buffers.

        Silence is counted in ticks of ours, not read from a clock, so that a node that was
        itself stopped for a while does not blame its peers for it.
        """
        silent_ticks = 0
        while True:
            await trio.sleep(self._limits.heartbeat_s)
            silent_ticks = 0 if self._read_since_tick else silent_ticks + 1
            if silent_ticks >= self._limits.dead_ticks:
                raise LinkLost("the peer fell silent")
            buffers = self._connection.muxed.stream_buffers.values()
            if sum(len(buffer) for buffer in buffers) > BUFFERED_MAX:
                raise PeerMisbehaved("it sends more than its window allows")
            if self._connection.is_worn:
                self.ask_successor()
            if not self._written_since_tick:
                self._is_heartbeat_due = True
                self._wake[Channel.VOTES].set()
            self._read_since_tick = self._written_since_tick = 0


@contextmanager
def _within(seconds: float, otherwise: str) -> Iterator[None]:
    try:
        with trio.fail_after(seconds):
            yield
    except trio.TooSlowError:
        raise LinkLost(otherwise) from None
