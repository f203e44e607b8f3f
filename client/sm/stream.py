"""SmStream: a TLS session over a byte stream, plaintext in and out. For trio.

A write that was cancelled leaves half a record on the wire, and nothing can follow it: whoever
cancels closes the stream.
"""

from __future__ import annotations

import trio

from crypto.smtls import SmContext, TlsRefused, TlsSession
from crypto.x509.read import Certificate

# Four records: few system calls for what is large, and a millisecond of SM4 between two others.
CHUNK_BYTES = 64 * 1024
CLOSE_S = 0.5  # for the last words to a peer that may not listen any more


class SmStream:
    """One connection. One task reads and any number write."""

    def __init__(self, wire: trio.abc.Stream, context: SmContext, *, is_server: bool) -> None:
        self._wire = wire
        self._session = TlsSession(context, is_server=is_server)
        self._sending = trio.Lock()

    async def handshake(self) -> None:
        """Raises TlsRefused, by its reason, and trio's errors of the wire. Takes no deadline."""
        try:
            while not self._session.handshake():
                await self._flush()
                await self._receive()
            await self._flush()
        except TlsRefused:
            await self._say_why()
            raise

    @property
    def peer_certificate(self) -> Certificate | None:
        """What the other side showed and proved. Raises TlsRefused."""
        return self._session.peer_certificate()

    async def receive_some(self) -> bytes:
        """What has come, or waits for it; empty once the other side has said that it is done.

        Raises TlsRefused, also where the bytes end without that, and trio's errors of the wire.
        """
        try:
            while True:
                found = self._session.read()
                if found or self._session.has_ended:
                    return found
                await self._receive()
        except TlsRefused:
            await self._say_why()
            raise

    async def send_all(self, data: bytes) -> None:
        """Raises TlsRefused when its key is worn, and trio's errors of the wire."""
        view = memoryview(data)
        async with self._sending:
            for at in range(0, len(view), CHUNK_BYTES):
                self._session.send(view[at : at + CHUNK_BYTES])
                await self._wire.send_all(self._session.outgoing())

    async def aclose(self) -> None:
        """Says that it is done, if that can be said in a moment, and closes the wire."""
        with trio.move_on_after(CLOSE_S) as scope:
            scope.shield = True
            async with self._sending:
                self._session.close()
                await self._last_words()
        await trio.aclose_forcefully(self._wire)

    async def _receive(self) -> None:
        data = await self._wire.receive_some(CHUNK_BYTES)
        if not data:
            self._session.end_of_bytes()
        self._session.receive(data)

    async def _flush(self) -> None:
        async with self._sending:
            data = self._session.outgoing()
            if data:
                await self._wire.send_all(data)

    async def _say_why(self) -> None:
        """The alert. It must not wait for a writer that is stuck: then nobody hears it."""
        try:
            self._sending.acquire_nowait()
        except trio.WouldBlock:
            return
        try:
            with trio.move_on_after(CLOSE_S):
                await self._last_words()
        finally:
            self._sending.release()

    async def _last_words(self) -> None:
        data = self._session.outgoing()
        try:
            if data:
                await self._wire.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # it hung up first
