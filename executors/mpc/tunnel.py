"""The parties' links: TLS 1.3 on both sides, each peer known by its very certificate.

SPU's own transport will not do. Its TLS lets a client in that speaks no TLS at all, so whoever
reaches the port could slip in messages; and it knows its peers' certificates only as a set, so
one of them could stand in for another and read what was meant for it. So SPU listens and connects
on Unix sockets in the process's private directory (mode 0700), and a thread of the same process
carries the bytes:

    SPU -> party1.sock -> TLS to party 1, whose certificate must be the one on chain
    TLS from a peer, whose certificate must be one of theirs -> SPU's own socket

What remains: SPU does not tell its engine which peer a message came from, so a dishonest
participant could send messages in another's name. The protocol's model excludes it.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

from executors.errors import EngineFailed
from executors.mpc.job import CONNECT, Peer

PIECE_SIZE = 256 << 10  # bytes carried at a time
HANDSHAKE_S = 10.0
RETRY_S = 0.3  # between attempts to reach a peer that is not there yet
LINKS_MAX = 16  # from the peers at one time; SPU keeps one each, and one more after a break
START_S = 10.0


@dataclass(slots=True)
class Traffic:
    """Bytes carried, TLS not counted."""

    received: int = 0
    sent: int = 0


@dataclass(slots=True)
class Tunnel:
    """The links of party `rank`: usable once `start` returns, until `close` or the process ends."""

    rank: int
    peers: Sequence[Peer]
    listen: str  # host:port
    private_key: str  # PEM
    traffic: Traffic = field(default_factory=Traffic)
    _links: int = 0
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Raises EngineFailed when the port or the sockets cannot be had."""
        is_up = threading.Event()
        trouble: list[OSError] = []

        def carry() -> None:
            with suppress(asyncio.CancelledError):
                asyncio.run(self._serve(is_up, trouble))

        self._thread = threading.Thread(target=carry, name="tunnel", daemon=True)
        self._thread.start()
        if not is_up.wait(START_S) or trouble:
            raise EngineFailed(f"cannot listen on {self.listen}", stage=CONNECT)

    def close(self) -> None:
        """Cuts all links."""
        if self._loop is not None and self._thread is not None:
            loop = self._loop
            with suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks()])
            self._thread.join(START_S)

    async def _serve(self, is_up: threading.Event, trouble: list[OSError]) -> None:
        self._loop = asyncio.get_running_loop()
        host, _, port = self.listen.rpartition(":")
        servers: list[asyncio.Server] = []
        try:
            servers.append(
                await asyncio.start_server(
                    self._incoming,
                    host.strip("[]"),
                    int(port),
                    ssl=self._server_context(),
                    ssl_handshake_timeout=HANDSHAKE_S,
                    limit=PIECE_SIZE,
                )
            )
            for rank in self._others():
                outgoing = partial(self._outgoing, rank)
                servers.append(
                    await asyncio.start_unix_server(outgoing, socket_of(rank), limit=PIECE_SIZE)
                )
        except OSError as error:
            trouble.append(error)
            return
        finally:
            is_up.set()
        await asyncio.gather(*(server.serve_forever() for server in servers))

    def _others(self) -> list[int]:
        return [rank for rank in range(len(self.peers)) if rank != self.rank]

    async def _incoming(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A peer has connected; the handshake has checked that it holds a pinned certificate."""
        with _closing(writer):
            shown = _certificate(writer)
            pinned = [_der(self.peers[rank]) for rank in self._others()]
            if shown not in pinned or self._links >= LINKS_MAX:
                return
            self._links += 1
            try:
                inner_reader, inner_writer = await _patiently_unix(socket_of(self.rank))
                with _closing(inner_writer):
                    await self._carry((reader, inner_writer), (inner_reader, writer))
            finally:
                self._links -= 1

    async def _outgoing(
        self, rank: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """SPU wants to reach `rank`."""
        with _closing(writer):
            peer_reader, peer_writer = await self._patiently_peer(rank)
            with _closing(peer_writer):
                await self._carry((peer_reader, writer), (reader, peer_writer))

    async def _carry(
        self,
        inward: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        outward: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        """Bytes both ways until one side ends."""
        ways = [
            asyncio.ensure_future(self._pump(*inward, is_inward=True)),
            asyncio.ensure_future(self._pump(*outward, is_inward=False)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_inward: bool
    ) -> None:
        with suppress(OSError):
            while piece := await reader.read(PIECE_SIZE):
                if is_inward:
                    self.traffic.received += len(piece)
                else:
                    self.traffic.sent += len(piece)
                writer.write(piece)
                await writer.drain()

    async def _patiently_peer(self, rank: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Keeps trying; the executor ends the process when it has waited long enough."""
        host, _, port = self.peers[rank].endpoint.rpartition(":")
        context = self._client_context(rank)
        while True:
            with suppress(OSError):
                async with asyncio.timeout(HANDSHAKE_S):
                    reader, writer = await asyncio.open_connection(
                        host.strip("[]"),
                        int(port),
                        ssl=context,
                        server_hostname="",
                        limit=PIECE_SIZE,
                    )
                if _certificate(writer) == _der(self.peers[rank]):
                    return reader, writer
                writer.close()
            await asyncio.sleep(RETRY_S)

    def _server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._harden(context, [self.peers[rank] for rank in self._others()])
        return context

    def _client_context(self, rank: int) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # The certificate itself is known; the name it carries says nothing more.
        context.check_hostname = False
        self._harden(context, [self.peers[rank]])
        return context

    def _harden(self, context: ssl.SSLContext, pinned: Sequence[Peer]) -> None:
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata="".join(peer.certificate for peer in pinned))
        with _in_memory(self.peers[self.rank].certificate + self.private_key) as path:
            context.load_cert_chain(path)


def socket_of(rank: int) -> str:
    """The Unix socket, relative to the private directory, under which SPU reaches `rank`."""
    return f"party{rank}.sock"


async def _patiently_unix(path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """SPU may start to listen a little later than a peer calls."""
    while True:
        with suppress(OSError):
            return await asyncio.open_unix_connection(path, limit=PIECE_SIZE)
        await asyncio.sleep(RETRY_S)


def _certificate(writer: asyncio.StreamWriter) -> bytes | None:
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return shown if isinstance(shown, bytes) else None


def _der(peer: Peer) -> bytes:
    return ssl.PEM_cert_to_DER_cert(peer.certificate)


@contextmanager
def _closing(writer: asyncio.StreamWriter) -> Iterator[None]:
    try:
        yield
    finally:
        writer.close()


@contextmanager
def _in_memory(text: str) -> Iterator[str]:
    """A path at which OpenSSL can read `text`, although no disk ever has it."""
    handle = os.memfd_create("tls", os.MFD_CLOEXEC)
    try:
        os.write(handle, text.encode())
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)
