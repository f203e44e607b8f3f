"""What stands in a log of access: bytes that anybody can hash again.

A file is an opening and then entries, each in a frame: length, canonical bytes, head. A head is
the SM3 of the head before it and of the bytes, so that the last one speaks for all, and an opening
names the head of the file before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from crypto import sm3
from ledger.encoding import decode
from ledger.model import Digest, Record

TAG_OPENING: Final = b"shuxin/access-log/opening/1\0"
TAG_ENTRY: Final = b"shuxin/access-log/entry/1\0"
LOG_VERSION: Final = 1
LENGTH_SIZE: Final = 4  # bytes before a body
BODY_SIZE_MAX: Final = 2048  # bytes: texts are cut, so that an entry has 200 to 700
TEXT_MAX: Final = 128  # characters of what a stranger can choose: method and host

# What became of a request.
BEGUN: Final = "begun"  # a stream, which may last for days; its end is an entry of its own
ANSWERED: Final = "answered"
REFUSED: Final = "refused"
FAILED: Final = "failed"  # by a fault of the node, or the caller went away
# And what the log says of itself, with an empty method.
RESUMED: Final = "resumed"  # the disk took nothing for a while; `count` entries were lost
REMOVED: Final = "removed"  # files up to the number `count` were too old or too many
OUTCOMES: Final = (BEGUN, ANSWERED, REFUSED, FAILED, RESUMED, REMOVED)


class Opening(Record):
    """The first frame of a file.

    `head` and `sequence` go on from the file before; `torn` is the SM3 of the bytes at its end
    that a crash cut off, or empty.
    """

    version: int
    chain_id: bytes
    account: str  # of the node, by its consensus key
    number: int  # of the file, from 1
    sequence: int  # of the next entry, from 1
    head: bytes
    time_ms: int
    torn: bytes = b""


class Entry(Record):
    """One request, or `count` alike. `digest` is the SM3 of its bytes; empty of a count."""

    sequence: int
    time_ms: int  # when it ended, by the node's clock
    method: str
    digest: bytes
    account: str  # who signed it; "" for nobody
    certificate: bytes  # fingerprint of the certificate that the caller named, or empty
    levels: tuple[str, ...]  # that the caller had, sorted
    peer: str  # its host
    outcome: str
    code: str  # why not; "" where it was answered
    count: int = 1


@dataclass(frozen=True, slots=True)
class Request:
    """What is logged of a request, before it has a place in the log."""

    method: str
    digest: bytes
    account: str
    certificate: bytes
    levels: tuple[str, ...]
    peer: str

    def entry(
        self, *, sequence: int, time_ms: int, outcome: str, code: str, count: int = 1
    ) -> Entry:
        return Entry(
            sequence,
            time_ms,
            self.method[:TEXT_MAX],
            self.digest,
            self.account,
            self.certificate,
            self.levels,
            self.peer[:TEXT_MAX],
            outcome,
            code[:TEXT_MAX],
            count,
        )


OWN: Final = Request("", b"", "", b"", (), "")  # what the log says of itself


def opening_head(body: bytes) -> Digest:
    """The head after an opening with this body; the head before stands inside."""
    return Digest(sm3.digest(TAG_OPENING + body))


def entry_head(head: bytes, body: bytes) -> Digest:
    """The head after an entry with this body."""
    return Digest(sm3.digest(TAG_ENTRY + head + body))


def frame(body: bytes, head: bytes) -> bytes:
    return len(body).to_bytes(LENGTH_SIZE, "big") + body + head


def decode_opening(body: bytes) -> Opening:
    """Raises DecodeError."""
    return decode(body, Opening, size_max=BODY_SIZE_MAX)


def decode_entry(body: bytes) -> Entry:
    """Raises DecodeError."""
    return decode(body, Entry, size_max=BODY_SIZE_MAX)
