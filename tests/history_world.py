"""Blocks for tests of the history, and a model that keeps all of it in lists."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from crypto import sm3
from ledger.encoding import encode
from ledger.history.pages import Page, Span
from ledger.history.rows import Source
from ledger.model import (
    Block,
    BlockHeader,
    Event,
    Receipt,
    StateWrite,
    Transaction,
    TransactionBody,
    block_hash,
    transaction_id,
)
from ledger.values import Value, encode_value

CHAIN = bytes([7]) * 32
TIME_MS = 1_700_000_000_000
R = TypeVar("R")


def event(name: str = "Told", contract: str = "notes", **fields: Value) -> Event:
    return Event(contract, name, tuple((key, encode_value(fields[key])) for key in fields))


def sender(number: int) -> bytes:
    return bytes([number]) * 64


def address(number: int) -> bytes:
    return sm3.digest(sender(number))[:20]


class Blocks:
    """Makes blocks that follow each other, with the outcome that a test asks for."""

    def __init__(self) -> None:
        self.height = -1
        self._previous = bytes(32)
        self._nonce = 0

    def block(
        self,
        calls: Sequence[tuple[int, Sequence[Event]]] = (),
        writes: Sequence[StateWrite] | None = (),
    ) -> Source:
        """`calls`: the number of the sender and the events, of each transaction."""
        self.height += 1
        header = BlockHeader(
            1, CHAIN, self.height, 0, TIME_MS + self.height, self._previous, bytes(32), bytes(32)
        )
        self._previous = block_hash(header)
        transactions = [self._transaction(who) for who, _ in calls]
        receipts = [
            Receipt(transaction_id(one), 0 if events else 3, 1, tuple(events), b"\xc0", "", "")
            for one, (_, events) in zip(transactions, calls, strict=True)
        ]
        block = Block(header, tuple(transactions), (), header.time_ms)
        return Source(block, receipts, writes)

    def _transaction(self, who: int) -> Transaction:
        self._nonce += 1
        nonce = self._nonce.to_bytes(16, "big")
        body = TransactionBody(
            1, CHAIN, sender(who), nonce, 100, "notes", f"m{who}", encode_value([]), 1000
        )
        return Transaction(encode(body), bytes(64))


class Model:
    """Everything, oldest first, under what is asked for."""

    def __init__(self) -> None:
        self.keys: dict[tuple[str, bytes], list[tuple[int, bytes | None]]] = defaultdict(list)
        self.accounts: dict[bytes, list[tuple[int, int, bytes]]] = defaultdict(list)
        self.subjects: dict[bytes, list[tuple[int, int, Event]]] = defaultdict(list)

    def add(self, source: Source) -> None:
        height = source.block.header.height
        for write in source.changes or ():
            self.keys[write.namespace, write.key].append((height, write.value))
        index = 0
        for place, (one, receipt) in enumerate(
            zip(source.block.transactions, source.receipts, strict=True)
        ):
            who = one.body[one.body.index(b"\xc4\x40") + 2 :][:64]
            self.accounts[sm3.digest(who)[:20]].append((height, place, receipt.transaction_id))
            for told in receipt.events:
                for value in {
                    value for _, value in told.fields if value[0] >= 0xA0 and value[0] != 0xC3
                }:
                    self.subjects[value].append((height, index, told))
                index += 1


def pages(ask: Callable[[Span], Page[R]], span: Span) -> Iterator[Page[R]]:
    """All pages of a span, one after the other."""
    while True:
        page = ask(span)
        yield page
        if page.is_complete:
            return
        span = Span(
            span.is_newest_first, span.from_height, span.to_height, page.cursor, span.rows_max
        )


def rows(ask: Callable[[Span], Page[R]], span: Span) -> list[R]:
    return [row for page in pages(ask, span) for row in page.rows]
