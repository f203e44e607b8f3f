"""gRPC errors and unreadable answers as the two errors of this package."""

from __future__ import annotations

import functools
import secrets
import time
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import grpc

from client.errors import NodeUnavailable, Refused
from ledger.errors import DecodeError

RETRY_KEY = "retry-after-ms"  # trailing metadata of a node that is asked too much
CODE_KEY = "shuxin-code"  # trailing metadata that carries the refusal code
MESSAGE_SIZE_MAX = 32 << 20  # bytes; the largest answer is a block with its receipts
BUSY = "node.busy"
INCONSISTENT = "answer.inconsistent"


class Asks(Protocol):
    """What makes calls to one node."""

    target: str

    @property
    def patience_s(self) -> float:
        """For how long a node that is asked too much is asked again."""
        ...

    def check_open(self) -> None: ...

    def why_away(self, said: str) -> str: ...


_DRAW = secrets.SystemRandom()
P = ParamSpec("P")
R = TypeVar("R")
A = TypeVar("A", bound=Asks)


def translated(call: Callable[Concatenate[A, P], R]) -> Callable[Concatenate[A, P], R]:
    """A method that raises Refused or NodeUnavailable where gRPC or decoding fails.

    A node that says when to come again is asked again then, signed anew, within the patience of
    the client: it did nothing of what it was asked.
    """

    @functools.wraps(call)
    def wrapper(client: A, /, *args: P.args, **kwargs: P.kwargs) -> R:
        deadline = time.monotonic() + client.patience_s
        while True:
            client.check_open()
            try:
                return call(client, *args, **kwargs)
            except grpc.RpcError as error:
                pause_s = _pause_s(error)
                if pause_s is None or time.monotonic() + pause_s > deadline:
                    raise explained(error, client) from None
                time.sleep(pause_s)
            except DecodeError as error:
                raise unreadable(error) from None

    return wrapper


def _pause_s(error: grpc.RpcError) -> float | None:
    """After which time the node wants to be asked again; None: it does not say."""
    assert isinstance(error, grpc.Call)
    for key, value in error.trailing_metadata() or ():
        if key == RETRY_KEY and isinstance(value, str) and value.isascii() and value.isdecimal():
            # Not all at once who were refused at once.
            return int(value[:9]) / 1000 * (1 + _DRAW.random() / 4)
    return None


def explained(error: grpc.RpcError, client: Asks) -> Refused | NodeUnavailable:
    assert isinstance(error, grpc.Call)
    detail = error.details() or ""
    for key, value in error.trailing_metadata() or ():
        if key == CODE_KEY:
            return Refused(str(value), detail)
    if error.code() in _NO_ANSWER:
        plain = error.code().name.lower().replace("_", " ")
        return NodeUnavailable(client.target, client.why_away(detail) or plain)
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and "Concurrent" in detail:
        return Refused(BUSY, "the node has as many calls as it takes: wait a second")
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in detail:
        return Refused("answer.oversized", f"the answer has over {MESSAGE_SIZE_MAX} bytes")
    if error.code() is grpc.StatusCode.INTERNAL and "deserializing" in detail:
        return unreadable(DecodeError("the answer is no message of this interface"))
    return Refused(error.code().name.lower(), detail)


def unreadable(error: DecodeError) -> Refused:
    return Refused(
        "answer.unreadable", f"{error}: client and node may be of different releases; update both"
    )


_NO_ANSWER = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,  # the client was closed by another thread
    }
)
