"""The node's side of the administrator's socket.

Whoever reaches it might as well send a signal to the process, so it opens nothing that was closed.
Still nobody may hold it up: one order a connection, small, within ORDER_S, PEERS_MAX at a time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog
import trio

from crypto import sm3
from ledger.encoding import encode
from ledger.errors import DecodeError
from ledger.model import Digest
from node import local
from node.accesslog.entry import ANSWERED, REFUSED, Request
from node.accesslog.keeper import LogFailed
from node.admin.form import ORDER_SIZE_MAX, SOCKET, STOP, Order, Reply, decode_order
from node.api.levels import Level
from node.api.porter import Record
from node.local import Peer

if TYPE_CHECKING:
    from trio_typing import TaskStatus

ORDER_S: Final = 2.0  # for an order to come in, and for its reply to leave
PEERS_MAX: Final = 8  # people and their scripts
METHOD: Final = "/admin/"  # before the order, in the access log
STRANGER, UNCLEAR, REFUSED_CODE = "admin.stranger", "admin.order", "admin.refused"

_log = structlog.get_logger("node.admin")


class OrderRefused(Exception):
    """The order was understood and is not carried out; says why."""


class AdminDoor:
    """Takes orders until it is cancelled. Main task only."""

    def __init__(
        self,
        data_dir: Path,
        record: Record,
        carry_out: Callable[[Order], Awaitable[bytes]],
        stop: Callable[[], None],
        *,
        peer_of: Callable[[local.Connection], Peer] = local.peer_of,
        order_s: float = ORDER_S,
    ) -> None:
        """`carry_out` gives what is replied, or raises OrderRefused; `stop` is called when the
        order to stop has been replied to."""
        self._data_dir = data_dir
        self._record = record
        self._carry_out = carry_out
        self._stop = stop
        self._peer_of = peer_of
        self._order_s = order_s
        self._inside = 0

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """A door that cannot be made is no reason for a node not to run: the log says so."""
        try:
            listener = local.listen(self._data_dir, SOCKET, waiting_max=PEERS_MAX)
        except OSError as error:
            _log.warning("admin_door_missing", reason=str(error), advice="signals still work")
            task_status.started()
            return
        task_status.started()
        try:
            await trio.serve_listeners(self._meet, [listener])
        finally:
            (self._data_dir / SOCKET).unlink(missing_ok=True)

    async def _meet(self, stream: trio.SocketStream) -> None:
        self._inside += 1
        try:
            peer = self._peer_of(stream.socket)
            if not local.may_command(peer.uid):
                await self._turn_away(peer)
            elif self._inside <= PEERS_MAX:
                await self._hear(stream, peer)
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            pass  # who is gone or dawdles hears nothing more
        finally:
            self._inside -= 1
            await trio.aclose_forcefully(stream)

    async def _turn_away(self, peer: Peer) -> None:
        """Not a word to another user: it got here by a mode or a folder that is wrong."""
        _log.warning("admin_stranger", uid=peer.uid, advice="the data directory is open to others")
        await self._put_down(_request("", b"", peer, levels=()), STRANGER)

    async def _hear(self, stream: trio.SocketStream, peer: Peer) -> None:
        try:
            data = await local.receive(stream, size_max=ORDER_SIZE_MAX, within_s=self._order_s)
            if data is None:
                return
            order = decode_order(data)
        except DecodeError as error:
            await self._put_down(_request("", b"", peer), UNCLEAR)
            reply = Reply(f"not understood ({error}): use the command line of this node's release")
            await local.send(stream, encode(reply), within_s=self._order_s)
            return
        request = _request(order.what, data, peer)
        reply = await self._reply(order)
        _log.info("admin_order", what=order.what, text=order.text, uid=peer.uid, pid=peer.pid)
        await self._put_down(request, REFUSED_CODE if reply.refused else "")
        try:
            await local.send(stream, encode(reply), within_s=self._order_s)
        finally:
            if order.what == STOP and not reply.refused:
                self._stop()

    async def _reply(self, order: Order) -> Reply:
        try:
            return Reply("", await self._carry_out(order))
        except OrderRefused as refused:
            return Reply(str(refused))
        except Exception:  # whoever looks after a node in trouble must not end it by looking
            _log.exception("admin_fault", what=order.what)
            return Reply("a fault of the node, which goes on; its log says what happened")

    async def _put_down(self, request: Request, code: str) -> None:
        """On record, if the disk takes it: when it does not, this socket is needed most."""
        try:
            if code in (STRANGER, UNCLEAR):  # of which there may be any number
                self._record.append_repeated(request, code)
            else:
                outcome = REFUSED if code else ANSWERED
                await trio.to_thread.run_sync(self._record.append, request, outcome, code)
        except LogFailed:
            _log.error("admin_unrecorded", method=request.method, code=code)


def _request(
    what: str, data: bytes, peer: Peer, *, levels: tuple[str, ...] = (Level.ADMIN.value,)
) -> Request:
    digest = Digest(sm3.digest(data))
    return Request(METHOD + what, digest, "", b"", levels, f"local uid {peer.uid}")
