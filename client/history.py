"""What was: requests and answers, and whether a row is what the proof of its transaction shows.

A node's history is its word. A row of an account or a subject names a transaction, which is
proved like any other (ledger.bundle); `check_account` and `check_subject` compare the two. Of a
key, the value of now has a proof, with which `check_key` compares the newest row. That a node
leaves rows out no proof of single rows can show: ask several nodes, or replay the ledger.
"""

from __future__ import annotations

from typing import TypeVar

from client.errors import Refused
from client.translation import INCONSISTENT
from ledger.bundle import StateFacts, TransactionFacts
from ledger.encoding import decode
from ledger.errors import DecodeError
from ledger.history.pages import (
    HEIGHT_MAX,
    AccountEntry,
    KeyChange,
    Page,
    Span,
    SubjectEntry,
    decode_cursor,
)
from ledger.history.rows import subjects_of
from ledger.model import DIGEST_SIZE, Event
from ledger.values import encode_value
from shuxin.v1 import node_pb2

R = TypeVar("R")

EVENT_SIZE_MAX = 1 << 20  # bytes: of a block that a node takes, one event has less


def key_request(namespace: str, key: bytes, span: Span) -> node_pb2.KeyHistoryRequest:
    return node_pb2.KeyHistoryRequest(namespace=namespace, key=key, span=_span(span))


def key_page(reply: node_pb2.KeyHistoryReply, span: Span) -> Page[KeyChange]:
    """Raises DecodeError, also for rows that are not in the order that was asked for."""
    rows = tuple(
        KeyChange(
            row.height,
            row.time_ms,
            row.value if row.present else None,
            _id(row.transaction_id) if row.transaction_id else b"",
        )
        for row in reply.rows
    )
    return _page(rows, [(row.height, 0) for row in rows], reply.end, span)


def account_request(address: str, span: Span) -> node_pb2.AccountHistoryRequest:
    """Raises ValueError for what is no hex."""
    return node_pb2.AccountHistoryRequest(address=bytes.fromhex(address), span=_span(span))


def account_page(reply: node_pb2.AccountHistoryReply, span: Span) -> Page[AccountEntry]:
    """Raises DecodeError, also for rows that are not in the order that was asked for."""
    rows = tuple(
        AccountEntry(
            row.height,
            row.index,
            row.time_ms,
            _id(row.transaction_id),
            row.contract,
            row.method,
            row.status,
            row.error,
        )
        for row in reply.rows
    )
    return _page(rows, [(row.height, row.index) for row in rows], reply.end, span)


def subject_request(
    subject: str | bytes, span: Span, *, contract: str, field: str
) -> node_pb2.SubjectHistoryRequest:
    return node_pb2.SubjectHistoryRequest(
        subject=encode_value(subject), contract=contract, field=field, span=_span(span)
    )


def subject_page(reply: node_pb2.SubjectHistoryReply, span: Span) -> Page[SubjectEntry]:
    """Raises DecodeError, also for rows that are not in the order that was asked for."""
    rows = tuple(
        SubjectEntry(
            row.item.height,
            row.item.index,
            row.item.time_ms,
            _id(row.item.transaction_id),
            decode(row.item.event, Event, size_max=EVENT_SIZE_MAX),
            tuple(row.fields),
        )
        for row in reply.rows
    )
    return _page(rows, [(row.height, row.index) for row in rows], reply.end, span)


def check_key(newest: Page[KeyChange], facts: StateFacts) -> None:
    """Whether the newest row up to the proved height is what the key was proved to hold.

    Raises Refused.
    """
    height = facts.certified.height
    if newest.height < height:
        raise Refused(
            INCONSISTENT,
            f"the history ends with block {newest.height}, the proof is of {height}: ask again",
        )
    if not newest.rows and newest.first > 0:
        return  # written before the history begins, or never
    held = newest.rows[0].value if newest.rows else None
    if held != facts.value:
        raise _differs(newest.rows[0].height if newest.rows else height)


def check_account(entry: AccountEntry, address: str, facts: TransactionFacts) -> None:
    """Whether a row is what was proved of its transaction. Raises Refused."""
    body, receipt = facts.body, facts.receipt
    _compare(entry.height, entry.time_ms, entry.transaction_id, facts)
    told = (address, entry.contract, entry.method, entry.status, entry.error)
    proved = (facts.sender, body.contract, body.method, receipt.status, receipt.error)
    if told != proved:
        raise _differs(entry.height)


def check_subject(entry: SubjectEntry, subject: str | bytes, facts: TransactionFacts) -> None:
    """Whether a row is what was proved of its transaction. Raises Refused."""
    _compare(entry.height, entry.time_ms, entry.transaction_id, facts)
    fields = subjects_of(entry.event).get(encode_value(subject))
    if entry.event not in facts.receipt.events or fields != entry.fields:
        raise _differs(entry.height)


def _compare(height: int, time_ms: int, transaction_id: bytes, facts: TransactionFacts) -> None:
    certified = facts.certified
    told = (height, time_ms, transaction_id)
    if told != (certified.height, certified.time_ms, facts.transaction_id):
        raise _differs(height)


def _differs(height: int) -> Refused:
    return Refused(
        INCONSISTENT,
        f"the row of block {height} is not what the proof shows: the node's "
        "history is wrong; ask another node, and have this one make its history again",
    )


def _page(
    rows: tuple[R, ...], places: list[tuple[int, int]], end: node_pb2.PageEnd, span: Span
) -> Page[R]:
    ordered = sorted(set(places), reverse=span.is_newest_first)
    if ordered != places:
        raise DecodeError("the rows of the history are not in order")
    if not end.is_complete:
        _check_progress(end.cursor, span)
    return Page(rows, end.cursor, end.is_complete, end.first_height, end.height)


def _check_progress(cursor: bytes, span: Span) -> None:
    """A node that always says "more" must not hold its client for ever."""
    place = decode_cursor(cursor)
    if span.after:
        before = decode_cursor(span.after)
        if not (place < before if span.is_newest_first else place > before):
            raise DecodeError("the pages of the history do not go on")


def _span(span: Span) -> node_pb2.Span:
    return node_pb2.Span(
        oldest_first=not span.is_newest_first,
        from_height=span.from_height,
        to_height=None if span.to_height == HEIGHT_MAX else span.to_height,
        cursor=span.after,
        limit=span.rows_max,
    )


def _id(data: bytes) -> bytes:
    if len(data) != DIGEST_SIZE:
        raise DecodeError(f"a transaction id takes {DIGEST_SIZE} bytes, got {len(data)}")
    return data
