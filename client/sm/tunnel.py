"""Tunnel: gRPC of this process to a gateway, under TLS with national algorithms.

gRPC talks in plain to a socket in a folder of this user alone; a thread seals what comes there and
carries it to the gateway. It never leaves the process unsealed but for that socket.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path

import trio

from client.sm.relay import Ended, Patience, relay
from client.sm.stream import SmStream
from client.sm.trust import SmTrust
from crypto.errors import CertificateRefused
from crypto.smtls import SmContext, TlsRefused

CONNECT_S = 5.0  # to reach the gateway, and again as long for the handshake
CONNECTIONS_MAX = 16  # of gRPC at once: it opens one, and another while that one ends
# gRPC itself asks every 15 s whether its peer lives while a call is open (client.node); a call that
# is under way may be silent for longer than any time we could choose.
PATIENCE = Patience(idle_s=24 * 3600, stall_s=60.0)
STOP_S = 5.0


class Tunnel:
    """Listens from construction on; `close` ends it. Thread safe."""

    def __init__(self, place: str, trust: SmTrust) -> None:
        """`place` is host:port of the gateway. Raises LibcryptoMissing, OSError."""
        self._host, _, self._port = place.rpartition(":")
        self._place = place
        self._trust = trust
        self._context: SmContext = trust.context()
        self._refusal = ""
        self._folder = Path(tempfile.mkdtemp(prefix="shuxin-"))  # mode 0700
        path = self._folder / "gateway.sock"
        self.address = f"unix:{path}"
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._listener.bind(str(path))
            self._listener.listen(CONNECTIONS_MAX)
        except OSError:
            self._release()
            raise
        self._scope = trio.CancelScope()
        self._token: trio.lowlevel.TrioToken | None = None
        self._is_running = threading.Event()
        self._thread = threading.Thread(
            target=trio.run, args=(self._run,), name="sm-tunnel", daemon=True
        )
        self._thread.start()
        self._is_running.wait()

    @property
    def refusal(self) -> str:
        """Why the newest connection did not come about or broke; empty if all is well."""
        return self._refusal

    def close(self) -> None:
        """Ends all connections and waits for it; more than once does no harm."""
        assert self._token is not None, "the thread has said that it runs"
        with contextlib.suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._scope.cancel)
        self._thread.join(STOP_S)
        self._release()

    def _release(self) -> None:
        self._listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _run(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(self._listener))
        limit = trio.CapacityLimiter(CONNECTIONS_MAX)
        with self._scope:
            self._is_running.set()
            async with trio.open_nursery() as nursery:
                while True:
                    local = await listener.accept()
                    if limit.available_tokens:
                        nursery.start_soon(self._carry, local, limit)
                    else:
                        await trio.aclose_forcefully(local)

    async def _carry(self, local: trio.SocketStream, limit: trio.CapacityLimiter) -> None:
        """One connection of gRPC. It may fail in any way that networks know: gRPC comes again."""
        async with limit, local:
            try:
                with trio.fail_after(CONNECT_S):
                    wire = await trio.open_tcp_stream(self._host.strip("[]"), int(self._port))
            except (OSError, trio.TooSlowError) as error:
                said = (
                    error.strerror if isinstance(error, OSError) and error.strerror else "no answer"
                )
                self._refusal = f"no connection to the gateway {self._place}: {said}"
                return
            far = SmStream(wire, self._context, is_server=False)
            try:
                await self._carry_through(far, local)
            except (TlsRefused, CertificateRefused) as refused:
                self._refusal = f"{refused.code}: {refused}"
            except trio.TooSlowError:
                self._refusal = f"the gateway {self._place} does not finish the TLS handshake"
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self._refusal = f"the gateway {self._place} hung up"
            finally:
                await far.aclose()

    async def _carry_through(self, far: SmStream, local: trio.SocketStream) -> None:
        with trio.fail_after(CONNECT_S):
            await far.handshake()
        self._trust.judge(far.peer_certificate, datetime.now(UTC))
        has_come = False

        def count(came: int, went: int) -> None:
            nonlocal has_come
            if came and not has_come:  # only now has the gateway taken us, too
                has_come = True
                self._refusal = ""

        outcome = await relay(far, local, PATIENCE, count)
        if outcome is Ended.CLOSED and not has_come:
            self._refusal = (
                f"the gateway {self._place} hung up without an answer: it does not take this "
                "client (see tls_certificate: role, root, revocation), or its node is away"
            )
        elif outcome is not Ended.CLOSED:
            self._refusal = f"the connection to the gateway {self._place} ended: {outcome.value}"
