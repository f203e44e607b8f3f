"""A second reader of archives, written from docs/archive.md alone: nothing of ledger/ is used.

msgpack is another library's and SM3 the standard library's, so both must mean the same bytes.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import msgpack

from crypto.provider import SignedItem

Parts: TypeAlias = list[Any]  # what msgpack decodes to; shapes are checked by taking it apart

TAG = b"shuxin/archive/2\0"
FRAME_TAG = b"shuxin/archive-frame/1\0"
CLOSING_TAG = b"shuxin/closing/1\0"
SEAL_TAG = b"shuxin/archive-seal/1\0"
CLOSING_SIZE = 105
HEAD, PLAN, COMMITTEE, BLOCKS, SEAL, INDEX = range(1, 7)


class NoArchive(Exception):
    """The text says which rule of the page is broken."""


def digest(data: bytes) -> bytes:
    return hashlib.new("sm3", data).digest()


def entries(path: Path) -> Iterator[tuple[int, Parts]]:
    """(height, [block, receipts, statement, commit certificate, execution certificate])."""
    data = path.read_bytes()
    expect(data.startswith(TAG), "tag")
    closing = data[-CLOSING_SIZE:]
    expect(closing.startswith(CLOSING_TAG) and digest(closing[:-32]) == closing[-32:], "closing")
    numbers = closing[len(CLOSING_TAG) :]
    offset, height, _ = (int.from_bytes(numbers[at : at + 8], "big") for at in (0, 8, 16))
    end = len(data) - CLOSING_SIZE
    index = list(frames(data, offset, end))
    expect(all(kind == INDEX for kind, *_ in index), "index")
    digests = b"".join(found for *_, found in index)
    expect(digest(CLOSING_TAG + digests) == numbers[24:56], "digest of the index")
    listed = [[kind, at, found] for _, record, *_ in index for kind, _, at, found in record[0]]
    others = list(frames(data, len(TAG), offset))
    expect([[kind, at, found] for kind, _, at, found in others] == listed, "index and frames")
    _, first, last, _ = others[0][1]
    expect(last == height, "height")
    expect([found for found, *_ in others] == sorted(found for found, *_ in others), "order")
    wanted = first
    for kind, record, _, _ in others:
        if kind == BLOCKS:
            expect(record[0] == wanted, "heights without a gap")
            for entry in record[1]:
                yield wanted, unpacked(entry)
                wanted += 1
    expect(wanted == height + 1, "all heights")


def frames(data: bytes, at: int, end: int) -> Iterator[tuple[int, Parts, int, bytes]]:
    """(kind, record, offset, digest)."""
    while at < end:
        kind, stored = data[at], int.from_bytes(data[at + 1 : at + 5], "big")
        content = data[at + 41 : at + 41 + stored]
        found = data[at + 9 : at + 41]
        expect(digest(FRAME_TAG + data[at : at + 9] + content) == found, "digest of a frame")
        inflated = zlib.decompress(content)
        expect(len(inflated) == int.from_bytes(data[at + 5 : at + 9], "big"), "inflated")
        yield kind, unpacked(inflated), at, found
        at += 41 + stored
    expect(at == end, "frames end where the next part begins")


def unpacked(data: bytes) -> Parts:
    record: Parts = msgpack.unpackb(data, use_list=True, strict_map_key=True)
    expect(msgpack.packb(record) == data, "shortest form")
    return record


def expect(holds: bool, rule: str) -> None:
    if not holds:
        raise NoArchive(rule)


@dataclass(frozen=True, slots=True)
class Sealed:
    """What the two ends of a signed archive say, and the claim of its signer."""

    first: int
    last: int
    previous: bytes
    digest: bytes
    item: SignedItem


def sealed(path: Path) -> Sealed:
    data = path.read_bytes()
    numbers = data[-CLOSING_SIZE + len(CLOSING_TAG) :]
    found = list(frames(data, len(TAG), int.from_bytes(numbers[:8], "big")))
    kinds = [kind for kind, *_ in found]
    expect(kinds == sorted(kinds) and kinds[-1] == SEAL, "a seal after the blocks")
    signer, signature = found[-1][1]
    message = SEAL_TAG + digest(SEAL_TAG + b"".join(one for *_, one in found[:-1]))
    _, first, last, previous = found[0][1]
    return Sealed(first, last, previous, numbers[24:56], SignedItem(signer, message, signature))
