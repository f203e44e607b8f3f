"""Where rows stand: one byte of table, what they are about, then height and index.

    K  namespace, key       height           KeyRow      a value, or its removal
    A  address, 20 bytes    height, index    AccountRow  a transaction; index in its block
    S  subject              height, index    SubjectRow  an event; index among those of its block
    E                       height, index    EventRow    the event itself, once
    B                       height           BlockRow

Heights (8 bytes) and indexes (4 bytes) are big-endian, so rows about one thing are in order of
time. What a row is about is written as parts of which none is the beginning of another: a part
is its length and its bytes or, beyond PART_SIZE_MAX bytes, 0xff and its SM3. Whatever a contract
writes into a key or an event, it cannot run into its neighbor's rows.
"""

from __future__ import annotations

from crypto import sm3
from ledger.model import Event, Record

KEYS = b"K"
ACCOUNTS = b"A"
SUBJECTS = b"S"
EVENTS = b"E"
BLOCKS = b"B"
TABLES = ACCOUNTS + BLOCKS + EVENTS + KEYS + SUBJECTS  # in the order of the database
STANDING_KEY = b"!standing"

PART_SIZE_MAX = 64  # bytes: keys of the system contracts and ids have less; digests fit
HEIGHT_SIZE = 8
PLACE_SIZE = 12
ROW_SIZE_MAX = 8 << 20  # bytes: far above what the limits of a block let a row have
_HASHED = b"\xff"


class KeyRow(Record):
    """What a block left under a key; `value` None: it removed the key.

    `transaction_id` is known (32 bytes) only where the block has no other transaction: what its
    transactions wrote is merged.
    """

    value: bytes | None
    transaction_id: bytes


class AccountRow(Record):
    transaction_id: bytes
    contract: str
    method: str
    status: int
    error: str


class SubjectRow(Record):
    """`fields`: those of the event that hold the subject, in order."""

    contract: str
    fields: tuple[str, ...]


class EventRow(Record):
    transaction_id: bytes
    event: Event


class BlockRow(Record):
    block_hash: bytes
    time_ms: int


class Standing(Record):
    """How far the database has got; written together with what got it there.

    Every row of a height in [floor, height] that there can be is there. `values_from`: the first
    height whose values are known (those that came with a snapshot do not say what they wrote).
    """

    form: int
    chain_id: bytes
    first: int  # height with which it began
    values_from: int
    floor: int  # rows below are not shown any more, and are being removed
    height: int  # -1: nothing is there yet
    block_hash: bytes  # of that height
    swept: int  # rows below were removed
    sweep_floor: int  # rows below are being removed ...
    sweep_at: bytes  # ... from this row on; empty: no sweep is under way


def part(data: bytes) -> bytes:
    """See above."""
    if len(data) > PART_SIZE_MAX:
        return _HASHED + sm3.digest(data)
    return bytes([len(data)]) + data


def height_bytes(height: int) -> bytes:
    return height.to_bytes(HEIGHT_SIZE, "big")


def place_bytes(height: int, index: int) -> bytes:
    return height.to_bytes(HEIGHT_SIZE, "big") + index.to_bytes(4, "big")


def key_prefix(namespace: str, key: bytes) -> bytes:
    """Raises UnicodeEncodeError for a namespace that is not Unicode."""
    return KEYS + part(namespace.encode()) + part(key)


def account_prefix(address: bytes) -> bytes:
    """`address`: 20 bytes."""
    return ACCOUNTS + address


def subject_prefix(subject: bytes) -> bytes:
    """`subject`: the encoded str or bytes."""
    return SUBJECTS + part(subject)


def height_of(stored: bytes) -> int:
    """The height of a row, from its key."""
    end = PLACE_SIZE if stored[:1] in (ACCOUNTS, SUBJECTS, EVENTS) else HEIGHT_SIZE
    return int.from_bytes(stored[-end:][:HEIGHT_SIZE], "big")
