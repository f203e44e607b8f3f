"""The connections of a gateway: at the door, through the handshake, carried, judged again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import structlog
import trio

from client.sm.relay import Patience, relay
from client.sm.stream import SmStream
from crypto.errors import CertificateRefused
from crypto.smtls import TlsRefused
from crypto.x509.read import Certificate
from node.complaints import Complaints
from node.gateway.chain import ChainRevocations
from node.gateway.config import GatewayConfig
from node.gateway.credentials import CredentialFiles
from node.gateway.doorkeeper import Doorkeeper
from node.gateway.tally import BROKEN, CHAIN_UNREAD, FAULT, NODE_AWAY, SLOW, STOPPED, Tally

if TYPE_CHECKING:
    from trio_typing import TaskStatus

CONNECT_S = 3.0  # to the node, on this machine
REFRESH_S = 5.0  # between two looks at the files; a new revocation list counts after this at most
JUDGE_S = 60.0  # between two looks at whether live certificates are still in their time
_WIRE_ERRORS = (trio.BrokenResourceError, trio.ClosedResourceError)

_log = structlog.get_logger("gateway")
_complaints = Complaints("gateway")


@dataclass(eq=False, slots=True)
class _Live:
    """A connection that was let through."""

    shown: Certificate | None
    scope: trio.CancelScope
    reason: str = STOPPED  # why it is cancelled, if it is


class Gateway:
    """Runs until cancelled. `refresh` may be called at any time."""

    def __init__(
        self,
        config: GatewayConfig,
        files: CredentialFiles,
        tally: Tally,
        *,
        now: Callable[[], datetime],
        chain: ChainRevocations | None = None,
    ) -> None:
        self._config = config
        self._files = files
        self._tally = tally
        self._now = now
        self._chain = chain
        self._refreshing = trio.Lock()
        self._door = Doorkeeper(config.limits)
        self._patience = Patience(config.limits.idle_s, config.limits.stall_s)
        self._live: set[_Live] = set()
        self._host, self._port = _split(config.node)

    async def run(self, *, task_status: TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        """The started value is the port. Raises OSError where the address cannot be bound."""
        host, port = _split(self._config.listen)
        listeners = await trio.open_tcp_listeners(port, host=host)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch)
            task_status.started(int(listeners[0].socket.getsockname()[1]))
            await trio.serve_listeners(self._serve, listeners)

    async def refresh(self) -> None:
        """Look at files and chain now; whom what is new does not let in is cut off."""
        async with self._refreshing:
            is_new = await trio.to_thread.run_sync(self._files.refresh)
            if self._chain is not None and await trio.to_thread.run_sync(self._chain.refresh):
                self._files.revoke(self._chain.revoked)
                is_new = True
        if is_new:
            self._judge_all()

    async def _watch(self) -> None:
        judged_s = trio.current_time()
        while True:
            await self.refresh()
            await trio.sleep(REFRESH_S)
            if trio.current_time() - judged_s >= JUDGE_S:
                judged_s = trio.current_time()
                self._judge_all()

    def _judge_all(self) -> None:
        now = self._now()
        for live in tuple(self._live):
            try:
                self._files.current.judge(live.shown, now)
            except (CertificateRefused, TlsRefused) as refused:
                _log.warning("client_cut_off", reason=str(refused))
                live.reason = str(refused.reason)
                live.scope.cancel()

    async def _serve(self, wire: trio.SocketStream) -> None:
        try:
            host = str(wire.socket.getpeername()[0])
        except OSError:  # it is gone already
            await trio.aclose_forcefully(wire)
            return
        turned = self._door.enter(host, trio.current_time())
        if turned is not None:
            self._refuse(turned, f"{host} has, or all have, as many connections as they may")
            await trio.aclose_forcefully(wire)
            return
        try:
            await self._admit(wire)
        except Exception as fault:
            # A bug that one client's bytes lead to must not cut off all others, nor fill the disk.
            self._tally.faults += 1
            untold = _complaints.due("fault", type(fault).__name__)
            if untold is not None:
                advice = "report this: it is a bug"
                _log.critical("connection_failed", exc_info=fault, untold=untold, advice=advice)
        finally:
            self._door.leave(host)

    async def _admit(self, wire: trio.SocketStream) -> None:
        sealed = SmStream(wire, self._files.current.context, is_server=True)
        try:
            with trio.fail_after(self._config.limits.handshake_s):
                await sealed.handshake()
            if self._chain is not None and not self._chain.is_read:
                self._refuse(CHAIN_UNREAD, "the chain was not asked yet who is revoked")
                return
            shown = sealed.peer_certificate
            # By the newest files: they may have changed while this one shook hands. From here to
            # where it is listed as live, nothing waits.
            self._files.current.judge(shown, self._now())
            await self._carry(sealed, shown)
        except trio.TooSlowError:
            self._refuse(SLOW, "a handshake was not finished in time")
        except (TlsRefused, CertificateRefused) as refused:
            self._refuse(refused.reason, str(refused))
        except _WIRE_ERRORS:
            self._tally.refused[BROKEN] += 1
        finally:
            await sealed.aclose()

    async def _carry(self, sealed: SmStream, shown: Certificate | None) -> None:
        with trio.CancelScope() as scope:
            live = _Live(shown, scope)
            self._live.add(live)
            try:
                plain = await self._reach_node()
                if plain is None:
                    return
                self._tally.accepted += 1
                self._tally.open += 1
                try:
                    async with plain:
                        live.reason = await relay(sealed, plain, self._patience, self._tally.count)
                except Exception:
                    live.reason = FAULT
                    raise
                finally:
                    self._tally.open -= 1
                    self._tally.ended[live.reason] += 1
            finally:
                self._live.discard(live)

    async def _reach_node(self) -> trio.SocketStream | None:
        try:
            with trio.fail_after(CONNECT_S):
                return await trio.open_tcp_stream(self._host, self._port)
        except (OSError, trio.TooSlowError):
            self._refuse(NODE_AWAY, f"the node does not answer at {self._config.node}")
            return None

    def _refuse(self, reason: str, text: str) -> None:
        self._tally.refused[str(reason)] += 1
        # One line in ten seconds for each reason: a flood must not fill the disk.
        untold = _complaints.due("refused", str(reason))
        if untold is not None:
            _log.warning("refused", reason=str(reason), detail=text, untold=untold)


def _split(place: str) -> tuple[str, int]:
    host, _, port = place.rpartition(":")
    return host.strip("[]"), int(port)
