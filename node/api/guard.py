"""One wrapper around every method: a refusal becomes a code, a bug becomes one log line."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import NoReturn, TypeVar

import grpc
import structlog
import trio

from ledger.errors import DecodeError, HeightPruned, LedgerClosed
from node import refusals
from node.api.quotas import Busy
from node.complaints import Complaints
from node.refusals import Refusal

CODE_KEY = "shuxin-code"  # trailing metadata; client.node reads it
RETRY_KEY = "retry-after-ms"  # and this: when to come again, where that can be said
Q = TypeVar("Q")
R = TypeVar("R")
S = TypeVar("S")

_log = structlog.get_logger("node.api")
_complaints = Complaints("node.api")
_STATUS = {
    refusals.POOL_FULL: grpc.StatusCode.RESOURCE_EXHAUSTED,
    refusals.SUBSCRIBERS: grpc.StatusCode.RESOURCE_EXHAUSTED,
    refusals.QUOTA: grpc.StatusCode.RESOURCE_EXHAUSTED,
    refusals.ACCESS_LOG: grpc.StatusCode.UNAVAILABLE,
    refusals.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    refusals.PRUNED: grpc.StatusCode.OUT_OF_RANGE,
    refusals.PENDING: grpc.StatusCode.DEADLINE_EXCEEDED,
    refusals.REPLAYED: grpc.StatusCode.ALREADY_EXISTS,
    refusals.EXPIRED: grpc.StatusCode.FAILED_PRECONDITION,
    refusals.HALTED: grpc.StatusCode.UNAVAILABLE,
    refusals.REPAIRING: grpc.StatusCode.UNAVAILABLE,
    refusals.STOPPING: grpc.StatusCode.UNAVAILABLE,
    refusals.HISTORY_OFF: grpc.StatusCode.UNIMPLEMENTED,
    refusals.HISTORY_EMPTY: grpc.StatusCode.UNAVAILABLE,
    refusals.HISTORY_DAMAGED: grpc.StatusCode.UNAVAILABLE,
    refusals.SIGNATURE: grpc.StatusCode.UNAUTHENTICATED,
    refusals.ACCESS_METHOD: grpc.StatusCode.PERMISSION_DENIED,
    refusals.ACCESS_LEVEL: grpc.StatusCode.PERMISSION_DENIED,
    refusals.ACCESS_OWN: grpc.StatusCode.PERMISSION_DENIED,
    refusals.ACCESS_BUSY: grpc.StatusCode.RESOURCE_EXHAUSTED,
    refusals.ACCESS_MISSING: grpc.StatusCode.UNAUTHENTICATED,
    refusals.ACCESS_HEADER: grpc.StatusCode.UNAUTHENTICATED,
    refusals.ACCESS_CHAIN: grpc.StatusCode.UNAUTHENTICATED,
    refusals.ACCESS_TIME: grpc.StatusCode.UNAUTHENTICATED,
    refusals.ACCESS_BODY: grpc.StatusCode.UNAUTHENTICATED,
    refusals.ACCESS_SIGNATURE: grpc.StatusCode.UNAUTHENTICATED,
    refusals.ACCESS_CERTIFICATE: grpc.StatusCode.UNAUTHENTICATED,
    refusals.ACCESS_REPLAYED: grpc.StatusCode.UNAUTHENTICATED,
}

Unary = Callable[[S, Q, grpc.ServicerContext], R]
Streaming = Callable[[S, Q, grpc.ServicerContext], Iterator[R]]


def unary(method: Unary[S, Q, R]) -> Unary[S, Q, R]:
    """Guard for a method with one answer."""

    @functools.wraps(method)
    def guarded(self: S, request: Q, context: grpc.ServicerContext) -> R:
        try:
            return method(self, request, context)
        except Exception as error:
            refuse(context, method.__name__, error)

    return guarded


def streaming(method: Streaming[S, Q, R]) -> Streaming[S, Q, R]:
    """Guard for a method with a stream of answers."""

    @functools.wraps(method)
    def guarded(self: S, request: Q, context: grpc.ServicerContext) -> Iterator[R]:
        try:
            yield from method(self, request, context)
        except Exception as error:
            refuse(context, method.__name__, error)

    return guarded


def refuse(context: grpc.ServicerContext, method: str, error: Exception) -> NoReturn:
    """End the call: refusals with their code, anything else without its text."""
    if isinstance(error, Refusal):
        refusal = error
    elif isinstance(error, DecodeError):
        refusal = Refusal(refusals.ENCODING, str(error))
    elif isinstance(error, HeightPruned):
        refusal = Refusal(refusals.PRUNED, str(error))
    elif isinstance(error, trio.RunFinishedError | LedgerClosed):
        refusal = Refusal(refusals.STOPPING, "the node is shutting down: ask another")
    else:
        kind = type(error).__name__
        untold = _complaints.due(kind, method)
        if untold is not None:  # a bug that a client can repeat at will must not fill the disk
            _log.error("api_failure", method=method, error=kind, untold=untold, exc_info=error)
        context.abort(grpc.StatusCode.INTERNAL, "the node failed to answer; see its log")
    told = [(CODE_KEY, refusal.code)]
    if isinstance(refusal, Busy):
        told.append((RETRY_KEY, str(refusal.retry_ms)))
    context.set_trailing_metadata(tuple(told))
    status = _STATUS.get(refusal.code, grpc.StatusCode.INVALID_ARGUMENT)
    context.abort(status, refusal.detail)


def code_of(context: grpc.ServicerContext) -> str:
    """The code of the refusal with which a call was ended; "" where it was not."""
    for key, value in context.trailing_metadata() or ():
        if key == CODE_KEY:
            return str(value)
    return ""
