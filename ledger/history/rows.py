"""The rows of one block.

A *subject* (事项) is what an event is about: every text and every byte string among its fields,
or in a list among them, under the name of its field. So `grant_id`, `dataset_id`, `party_id`, an
address or the digest of a file is found under its value, whichever contract told of it, and
records of evidence under the id in their field `subject`. Numbers and truth values name nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crypto import sm3
from ledger.encoding import decode, encode
from ledger.errors import DecodeError, LedgerDamaged
from ledger.history.schema import (
    BLOCKS,
    EVENTS,
    AccountRow,
    BlockRow,
    EventRow,
    KeyRow,
    SubjectRow,
    account_prefix,
    height_bytes,
    key_prefix,
    place_bytes,
    subject_prefix,
)
from ledger.model import (
    Block,
    Event,
    Receipt,
    StateWrite,
    TransactionBody,
    block_hash,
)
from ledger.values import Value, decode_value, encode_value

# Of one event: as many fields as it may have. What a list names beyond is not found by its name;
# else one cheap event could take a thousand rows.
SUBJECTS_MAX = 32
_TEXT = frozenset((*range(0xA1, 0xC0), 0xD9, 0xDA, 0xDB))  # first bytes of a str, but of ""
_BYTES = frozenset((0xC4, 0xC5, 0xC6))
_LIST = frozenset((*range(0x91, 0xA0), 0xDC, 0xDD))
_EMPTY = encode_value(b"")


@dataclass(frozen=True, slots=True)
class Source:
    """A certified block and what became of it; `changes` None: they are not known."""

    block: Block
    receipts: Sequence[Receipt]
    changes: Sequence[StateWrite] | None


def rows_of(source: Source) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of all rows of a block. Raises LedgerDamaged."""
    header = source.block.header
    height = header.height
    yield BLOCKS + height_bytes(height), encode(BlockRow(block_hash(header), header.time_ms))
    yield from _key_rows(source, height)
    yield from _account_rows(source, height)
    yield from _event_rows(source, height)


def subjects_of(event: Event) -> dict[bytes, tuple[str, ...]]:
    """The encoded subjects of an event, and the fields that hold them, in order."""
    found: dict[bytes, tuple[str, ...]] = {}
    for name, value in event.fields:
        for subject in _named(value):
            names = found.get(subject)
            if names is None and len(found) < SUBJECTS_MAX:
                found[subject] = (name,)
            elif names is not None and names[-1] != name:
                found[subject] = (*names, name)
    return found


def _key_rows(source: Source, height: int) -> Iterator[tuple[bytes, bytes]]:
    receipts = source.receipts
    writer = receipts[0].transaction_id if len(receipts) == 1 else b""
    place = height_bytes(height)
    for write in source.changes or ():
        row = KeyRow(write.value, writer)
        yield key_prefix(write.namespace, write.key) + place, encode(row)


def _account_rows(source: Source, height: int) -> Iterator[tuple[bytes, bytes]]:
    pairs = zip(source.block.transactions, source.receipts, strict=True)
    for index, (transaction, receipt) in enumerate(pairs):
        data = transaction.body
        try:
            body = decode(data, TransactionBody, size_max=len(data))
        except DecodeError as error:
            raise LedgerDamaged(f"block {height}, transaction {index}: {error}") from None
        row = AccountRow(
            receipt.transaction_id, body.contract, body.method, receipt.status, receipt.error
        )
        address = sm3.digest(body.sender)[:20]
        yield account_prefix(address) + place_bytes(height, index), encode(row)


def _event_rows(source: Source, height: int) -> Iterator[tuple[bytes, bytes]]:
    index = -1
    for receipt in source.receipts:
        for event in receipt.events:
            index += 1
            subjects = subjects_of(event)
            if not subjects:
                continue
            place = place_bytes(height, index)
            yield EVENTS + place, encode(EventRow(receipt.transaction_id, event))
            for subject, fields in subjects.items():
                yield subject_prefix(subject) + place, encode(SubjectRow(event.contract, fields))


def _named(value: bytes) -> Iterator[bytes]:
    """What an encoded field names. Most are told by their first byte, without decoding."""
    kind = value[0] if value else 0
    if kind in _TEXT or (kind in _BYTES and value != _EMPTY):
        yield value
    elif kind in _LIST:
        yield from _listed(value)


def _listed(value: bytes) -> Iterator[bytes]:
    try:
        items: Value = decode_value(value)
    except DecodeError:
        return  # a node never stores such an event; an index has no opinion on it
    for item in items if isinstance(items, list) else ():
        if isinstance(item, str | bytes) and item:
            yield encode_value(item)
