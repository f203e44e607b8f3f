"""SM3 over batches, compiled: many short messages, and the nodes of the state tree (ADR 24).

Files in reading order:
    lanes.h   the functions over flat buffers
    sm3       the hash, eight messages at a time
    lanes.c   which message, node or page is in which lane
    build     how setup.py compiles them

Importing this package raises ImportError where it is not built. `ledger.folds` has the same
functions in Python: they say what these mean, and they take over where these are missing. Sizes
are checked in C, before anything is read; a batch that does not fit raises BatchInvalid. All calls
free the GIL. Only for public data: nothing is wiped.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, TypeAlias

from crypto.errors import BatchInvalid
from crypto.native._lanes import ffi, lib

if TYPE_CHECKING:
    import cffi

    CData: TypeAlias = cffi.FFI.CData

DIGEST_BYTES = 32
HEAD_BYTES = 33  # of a page before its leaves

_new = ffi.new_allocator(should_clear_after_alloc=False)

_REFUSED = {
    lib.LANES_BAD_SIZE: "a buffer is not as long as the counts say",
    lib.LANES_BAD_ORDER: "indexes or paths do not ascend",
    lib.LANES_BAD_RANGE: "a count, an index or a depth is out of range",
    lib.LANES_BAD_PAGE: "a page is malformed",
}


def digests(messages: Sequence[bytes]) -> list[bytes]:
    """SM3 of each message, of any lengths."""
    data, ends, size = b"".join(messages), _ends(messages), DIGEST_BYTES * len(messages)
    out = _bytes(size)
    _demand(
        lib.lanes_digests(
            ffi.from_buffer(data),
            len(data),
            ffi.from_buffer("uint64_t[]", ends),
            len(ends),
            out,
            size,
        )
    )
    found = ffi.buffer(out, size)
    return [found[at : at + DIGEST_BYTES] for at in range(0, size, DIGEST_BYTES)]


def join_pairs(depth: int, pairs: bytes) -> bytes:
    """The nodes above neighboring pairs of nodes, 64 bytes each, which part at bit `depth`."""
    if not 0 <= depth < 256:
        raise BatchInvalid(_REFUSED[lib.LANES_BAD_RANGE])
    size = len(pairs) // 2
    out = _bytes(size)
    _demand(lib.lanes_join(depth, ffi.from_buffer(pairs), len(pairs), out, size))
    return bytes(ffi.buffer(out, size))


def change_pages(pages: Sequence[bytes], changes: Sequence[bytes], leaves_max: int) -> list[bytes]:
    """The new form of each page of leaves, b"" for none left; see ledger.hashes.TreeHashes."""
    if len(pages) != len(changes) or not 0 < leaves_max <= lib.LANES_LEAVES_MAX:
        raise BatchInvalid(_REFUSED[lib.LANES_BAD_RANGE])
    old, put = b"".join(pages), b"".join(changes)
    size = len(old) + len(put) + HEAD_BYTES * len(pages)
    out, out_ends = _bytes(size), array("Q", bytes(8 * len(pages)))
    _demand(
        lib.lanes_change_pages(
            ffi.from_buffer(old),
            len(old),
            ffi.from_buffer("uint64_t[]", _ends(pages)),
            ffi.from_buffer(put),
            len(put),
            ffi.from_buffer("uint64_t[]", _ends(changes)),
            len(pages),
            leaves_max,
            out,
            size,
            ffi.from_buffer("uint64_t[]", out_ends),
        )
    )
    new = ffi.buffer(out, size)
    return [new[begin:end] for begin, end in pairwise((0, *out_ends))]


def fold_stem(
    nodes: bytearray, levels: int, indexes: Iterable[int], roots: bytes
) -> tuple[array[int], bytes]:
    """Put `roots` at ascending `indexes` of the lowest row of `nodes` and fold the rows above.

    Node j has the children 2j and 2j + 1; the lowest row begins at 2**levels. Returns the
    indexes of all nodes that were written, and what stood there before, 32 bytes each.
    """
    if not 0 <= levels <= lib.LANES_LEVELS_MAX:
        raise BatchInvalid(_REFUSED[lib.LANES_BAD_RANGE])
    try:
        lowest = array("I", indexes)
    except OverflowError:
        raise BatchInvalid(_REFUSED[lib.LANES_BAD_RANGE]) from None
    room = sum(min(len(lowest), 1 << row) for row in range(levels + 1))
    touched, before = array("I", bytes(4 * room)), _bytes(DIGEST_BYTES * room)
    used = ffi.new("size_t *")
    _demand(
        lib.lanes_fold_stem(
            ffi.from_buffer(nodes),
            len(nodes),
            levels,
            ffi.from_buffer("uint32_t[]", lowest),
            len(lowest),
            ffi.from_buffer(roots),
            len(roots),
            ffi.from_buffer("uint32_t[]", touched),
            before,
            room,
            used,
        )
    )
    written = used[0]
    return touched[:written], bytes(ffi.buffer(before, DIGEST_BYTES * written))


def _ends(items: Sequence[bytes]) -> array[int]:
    """Where each of them ends when all lie one after the other."""
    return array("Q", accumulate(map(len, items)))


def _bytes(size: int) -> CData:
    """Room that C fills: what it has not written is never read."""
    return _new("uint8_t[]", size)


def _demand(result: int) -> None:
    if result != lib.LANES_DONE:
        raise BatchInvalid(_REFUSED[result])
