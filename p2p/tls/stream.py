"""A TLS session carried over a libp2p connection: bytes in order, or an end with a reason.

Whatever goes wrong ends all of it: half a record may be on the wire, so nothing could follow it.
"""

from __future__ import annotations

from contextlib import suppress

import trio
from libp2p.abc import IRawConnection
from libp2p.io.exceptions import ConnectionClosedError

from crypto.smtls import TlsFault, TlsRefused, TlsSession
from crypto.x509.read import Certificate
from p2p.errors import PeerRefused, Refusal
from p2p.limits import KIB

# One read of the socket: a yamux frame of p2p.limits.WRITE_SIZE with what its records add.
_READ_SIZE = 68 * KIB
# Sealed and written in one piece, which bounds what waits in memory for the socket.
_SEAL_SIZE = 64 * KIB
# How long a last word may take: the other side may read nothing any more.
_LAST_WORD_S = 0.2


class TlsStream:
    """One session over one connection. Reads of one task, writes of any."""

    def __init__(self, raw: IRawConnection, session: TlsSession) -> None:
        self._raw = raw
        self._session = session
        self._plain = bytearray()
        self._writing = trio.Lock()
        self._is_closed = False
        self.fault = ""  # what broke the bytes, of TlsFault; empty as long as nothing did

    async def handshake(self) -> Certificate:
        """The certificate that the other side proved. Raises PeerRefused, ConnectionClosedError."""
        try:
            while not self._session.handshake():
                await self._raw.write(self._session.outgoing())
                self._session.receive(await self._raw.read(_READ_SIZE))
            certificate = self._session.peer_certificate()
        except TlsRefused as error:
            await self._alert()
            raise PeerRefused(error.reason, str(error)) from None
        if certificate is None:
            raise PeerRefused(TlsFault.NO_CERTIFICATE, "the other side shows no certificate")
        await self._raw.write(self._session.outgoing())
        return certificate

    def export(self, label: bytes, size: int) -> bytes:
        """See TlsSession.export."""
        return self._session.export(label, size)

    async def read(self, n: int | None = None) -> bytes:
        """Exactly `n` bytes, or what there is. Raises ConnectionClosedError.

        What had come when a read was cancelled, the next one finds.
        """
        while len(self._plain) < (1 if n is None else n):
            self._plain += await self._receive()
        size = len(self._plain) if n is None else n
        taken = bytes(self._plain[:size])
        del self._plain[:size]
        return taken

    async def write(self, data: bytes) -> None:
        """Raises ConnectionClosedError. Cancelled, it ends the session."""
        async with self._writing:
            self._check_open()
            view = memoryview(data)
            try:
                for start in range(0, len(view), _SEAL_SIZE):
                    self._session.send(view[start : start + _SEAL_SIZE])
                    await self._raw.write(self._session.outgoing())
                    self._check_open()  # a connection that is closed here takes writes silently
            except TlsRefused as error:
                raise await self._broken(error) from None
            except BaseException:
                await self.abort()
                raise

    async def close(self) -> None:
        """Says that nothing more comes, if that can be said at once, and closes."""
        if self._is_closed:
            return
        self._is_closed = True
        with trio.move_on_after(_LAST_WORD_S) as scope:
            scope.shield = True
            async with self._writing:  # else the last word would stand inside a record
                self._session.close()
                with suppress(ConnectionClosedError):
                    await self._raw.write(self._session.outgoing())
        await self.abort()

    async def abort(self) -> None:
        """Closes without a word."""
        self._is_closed = True
        with trio.CancelScope(shield=True):
            await self._raw.close()

    @property
    def sealed_records(self) -> int:
        return self._session.sealed_records

    async def _receive(self) -> bytes:
        """The next plaintext; empty if none is complete yet."""
        self._check_open()
        try:
            found = self._session.read()
            if found or self._session.has_ended:
                if not found:
                    raise ConnectionClosedError("tls: the other side has ended the session")
                return found
            try:
                # OpenSSL answers a KeyUpdate with the next write: a read sends nothing.
                self._session.receive(await self._raw.read(_READ_SIZE))
            except ConnectionClosedError:
                self._check_open()  # no fault of the bytes if we closed it ourselves
                self._session.end_of_bytes()
                raise
        except TlsRefused as error:
            raise await self._broken(error) from None
        return b""

    async def _broken(self, error: TlsRefused) -> ConnectionClosedError:
        self.fault = self.fault or error.reason
        await self._alert()
        await self.abort()
        return ConnectionClosedError(f"tls: {error}")

    async def _alert(self) -> None:
        with trio.move_on_after(_LAST_WORD_S) as scope:
            scope.shield = True
            # Where another task is writing, and may be stuck in it, nobody would hear it.
            with suppress(ConnectionClosedError, trio.BusyResourceError):
                await self._raw.write(self._session.outgoing())

    def _check_open(self) -> None:
        if self._is_closed:
            raise ConnectionClosedError("tls: closed")


async def expect(stream: TlsStream, size: int) -> bytes:
    """Exactly `size` bytes of a handshake that goes on inside the session. Raises PeerRefused."""
    try:
        return await stream.read(size)
    except ConnectionClosedError:
        if stream.fault and stream.fault != TlsFault.TRUNCATED:
            raise PeerRefused(
                stream.fault, f"the session ended before it began: {stream.fault}"
            ) from None
        raise PeerRefused(
            Refusal.LEFT,
            "the other side closed before both had proven who they are: its log may say why",
        ) from None
