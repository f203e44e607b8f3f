"""Orders and replies as bytes: one order and one reply on a connection."""

from __future__ import annotations

from typing import Final

from ledger.encoding import decode
from ledger.errors import DecodeError
from ledger.model import Record

SOCKET: Final = "admin.sock"
ORDER_SIZE_MAX: Final = 256  # bytes: a word and a word
REPLY_SIZE_MAX: Final = 1 << 20  # bytes: a status with some thousand links

STATUS, LOG_LEVEL, RELOAD, STOP = "status", "log-level", "reload", "stop"
ORDERS: Final = (STATUS, LOG_LEVEL, RELOAD, STOP)


class Order(Record):
    """`what` of ORDERS; `text` is the level for LOG_LEVEL and empty for the others."""

    what: str
    text: str = ""


class Reply(Record):
    """`refused` is "" or the sentence why there is no `data`."""

    refused: str
    data: bytes = b""


class LinkState(Record):
    """A node that this one may speak with; `serial` of the certificate that it showed, or ""."""

    name: str
    peer_id: str
    address: str
    is_connected: bool
    serial: str


class Ending(Record):
    """A certificate that is watched. `kind` is own, peer or root."""

    kind: str
    name: str
    hours_left: int  # below 0: it is over


class Named(Record):
    name: str
    value: str


class Inside(Record):
    """All that is asked at three in the morning, of one node."""

    name: str
    version: str
    uptime_s: int
    phase: str
    halted: str  # why, or ""
    height: int
    certified_height: int
    block_ms: int  # Unix time of the last block
    heartbeat_ms: int  # from block to block while nothing is submitted
    clock_off_ms: int  # own wall clock, ahead of the committee's time; 0 if that is not known
    view: int
    primary: int
    index: int  # -1: an observer
    members: int
    pool: int  # transactions
    resident_bytes: int
    engine: str
    jail_missing: bool
    ledger_bytes: int
    free_bytes: int
    archiving_failure: str
    damage: tuple[str, ...]  # what the last patrol found; bounded by ledger.findings
    log_level: str
    places: tuple[Named, ...]  # of files, and where it listens
    links: tuple[LinkState, ...]
    endings: tuple[Ending, ...]


class Taken(Record):
    """The node's certificate after RELOAD; `is_new`: it was taken up by this order."""

    is_new: bool
    serial: str
    ends_ms: int


def decode_order(data: bytes) -> Order:
    """Raises DecodeError for what no release of ours says."""
    order = decode(data, Order, size_max=ORDER_SIZE_MAX)
    if order.what not in ORDERS:
        raise DecodeError("an order that this release does not know")
    if bool(order.text) != (order.what == LOG_LEVEL):
        raise DecodeError(f"{order.what} with a text of {len(order.text)} characters")
    return order
