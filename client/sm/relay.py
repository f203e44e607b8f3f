"""Bytes of one connection in both directions, until one side ends, errs or stands still."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

import trio

from client.sm.stream import CHUNK_BYTES, SmStream
from crypto.errors import Reason
from crypto.smtls import TlsFault, TlsRefused


class Ended(StrEnum):
    """Why a connection that was carried ended; TlsFault and Reason have the others."""

    CLOSED = "closed"  # one side said that it is done
    IDLE = "idle"
    STALLED = "stalled"  # one side takes no more bytes
    BROKEN = "broken"  # the connection of one side failed


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds."""

    idle_s: float  # without a byte in either direction
    stall_s: float  # for one side to take what it gets: a reader may be slow, not dead


Count = Callable[[int, int], None]
Outcome = Ended | TlsFault | Reason


async def relay(
    sealed: SmStream, plain: trio.abc.Stream, patience: Patience, count: Count
) -> Outcome:
    """Carries until it ends, and says why. `count` is told of bytes that came in and went out.

    What one side does not take, the other is not asked for: at most one chunk waits.
    """
    outcome: list[Outcome] = []  # the first is the reason, what follows its echo

    async with trio.open_nursery() as nursery:
        scope = nursery.cancel_scope

        def end(reason: Outcome) -> None:
            outcome.append(reason)
            scope.cancel()

        async def carry(
            receive: Callable[[], Awaitable[bytes]],
            send: Callable[[bytes], Awaitable[None]],
            tell: Callable[[int], None],
        ) -> None:
            try:
                while data := await receive():
                    tell(len(data))
                    scope.deadline = trio.current_time() + patience.idle_s
                    with trio.fail_after(patience.stall_s):
                        await send(data)
                end(Ended.CLOSED)
            except TlsRefused as refused:
                end(refused.reason)
            except trio.TooSlowError:
                end(Ended.STALLED)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                end(Ended.BROKEN)

        scope.deadline = trio.current_time() + patience.idle_s
        nursery.start_soon(carry, sealed.receive_some, plain.send_all, lambda n: count(n, 0))
        nursery.start_soon(carry, lambda: _some(plain), sealed.send_all, lambda n: count(0, n))
    return outcome[0] if outcome else Ended.IDLE


async def _some(plain: trio.abc.Stream) -> bytes:
    return bytes(await plain.receive_some(CHUNK_BYTES))
