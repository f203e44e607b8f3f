"""The methods of shuxin.v1.Node that tell what was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ledger.errors import DecodeError, HistoryDamaged
from ledger.history.database import History
from ledger.history.pages import HEIGHT_MAX, ROWS_MAX, Span
from ledger.proof import NAMESPACE_SIZE_MAX
from ledger.values import decode_value
from node import refusals, wire
from node.api.backend import Backend
from node.refusals import Refusal
from shuxin.v1 import node_pb2 as pb

KEY_SIZE_MAX = 4 << 10  # bytes: contracts store under keys of 512 at most
SUBJECT_SIZE_MAX = 64 << 10  # bytes: as long as a text of a contract

WAITED_BLOCKS_MAX = 8  # as far behind as a history that follows ever is
WAIT_S = 1.0  # for it to take them in: milliseconds, unless the machine is overloaded


def key_history(backend: Backend, request: pb.KeyHistoryRequest) -> pb.KeyHistoryReply:
    """Raises Refusal."""
    _check_size("namespace", request.namespace.encode(), NAMESPACE_SIZE_MAX)
    _check_size("key", request.key, KEY_SIZE_MAX)
    with _history(backend) as history:
        page = history.of_key(request.namespace, request.key, _span(request.span))
    return wire.key_history(page)


def account_history(backend: Backend, request: pb.AccountHistoryRequest) -> pb.AccountHistoryReply:
    """Raises Refusal."""
    with _history(backend) as history:
        page = history.of_account(request.address, _span(request.span))
    return wire.account_history(page)


def subject_history(backend: Backend, request: pb.SubjectHistoryRequest) -> pb.SubjectHistoryReply:
    """Raises Refusal."""
    _check_size("subject", request.subject, SUBJECT_SIZE_MAX)
    with _history(backend) as history:
        if not isinstance(decode_value(request.subject), str | bytes):
            raise Refusal(refusals.QUERY, "a subject is a text or bytes, encoded as a value")
        page = history.of_subject(
            request.subject,
            _span(request.span),
            contract=request.contract,
            field=request.field,
        )
    return wire.subject_history(page)


@contextmanager
def _history(backend: Backend) -> Iterator[History]:
    backend.check_readable()
    history = backend.history
    if history is None:
        raise Refusal(
            refusals.HISTORY_OFF,
            "this node keeps no history ([history] enabled; or its log says why): ask another",
        )
    certified = backend.store.certified_height
    if certified - history.height <= WAITED_BLOCKS_MAX:
        # Who was just told that something is certified finds it here.
        history.wait_for(certified, WAIT_S)
    if history.height < history.first:
        raise Refusal(refusals.HISTORY_EMPTY, "this node's history has just begun: ask again")
    try:
        yield history
    except DecodeError as error:
        raise Refusal(refusals.QUERY, str(error)) from None
    except HistoryDamaged:
        raise Refusal(
            refusals.HISTORY_DAMAGED,
            "the history of this node is damaged: ask another; it is made again when this node is "
            "restarted",
        ) from None


def _span(span: pb.Span) -> Span:
    return Span(
        is_newest_first=not span.oldest_first,
        from_height=span.from_height,
        to_height=span.to_height if span.HasField("to_height") else HEIGHT_MAX,
        after=span.cursor,
        rows_max=span.limit or ROWS_MAX,
    )


def _check_size(what: str, data: bytes, size_max: int) -> None:
    if len(data) > size_max:
        raise Refusal(refusals.QUERY, f"a {what} takes {size_max} bytes at most, got {len(data)}")
