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
from itertools import accumulate

from crypto.errors import BatchInvalid
from crypto.native._lanes import ffi, lib

DIGEST_BYTES = 32
LEAF_BYTES = 96  # of a leaf in a page: path, value hash, leaf hash

_REFUSED = {
    lib.LANES_BAD_SIZE: "a buffer is not as long as the counts say",
    lib.LANES_BAD_ORDER: "indexes or paths do not ascend",
    lib.LANES_BAD_RANGE: "a count, an index or a depth is out of range",
}


def digests(messages: Sequence[bytes]) -> list[bytes]:
    """SM3 of each message, of any lengths."""
    data, ends = b"".join(messages), array("Q", accumulate(map(len, messages)))
    out = bytearray(DIGEST_BYTES * len(ends))
    _demand(
        lib.lanes_digests(
            ffi.from_buffer(data),
            len(data),
            ffi.from_buffer("uint64_t[]", ends),
            len(ends),
            ffi.from_buffer(out),
            len(out),
        )
    )
    return _split(out)


def join_pairs(depth: int, pairs: bytes) -> bytes:
    """The nodes above neighboring pairs of nodes, 64 bytes each, which part at bit `depth`."""
    if not 0 <= depth < 256:
        raise BatchInvalid(_REFUSED[lib.LANES_BAD_RANGE])
    out = bytearray(len(pairs) // 2)
    _demand(
        lib.lanes_join(depth, ffi.from_buffer(pairs), len(pairs), ffi.from_buffer(out), len(out))
    )
    return bytes(out)


def fold_pages(pages: Sequence[bytes]) -> list[bytes]:
    """The root over the leaves of each page: 1 to 64 of 96 bytes each, by ascending path."""
    data, counts = b"".join(pages), array("I", [len(page) // LEAF_BYTES for page in pages])
    out = bytearray(DIGEST_BYTES * len(counts))
    _demand(
        lib.lanes_fold_leaves(
            ffi.from_buffer(data),
            len(data),
            ffi.from_buffer("uint32_t[]", counts),
            len(counts),
            ffi.from_buffer(out),
            len(out),
        )
    )
    return _split(out)


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
    touched, before = array("I", bytes(4 * room)), bytearray(DIGEST_BYTES * room)
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
            ffi.from_buffer(before),
            room,
            used,
        )
    )
    written = used[0]
    return touched[:written], bytes(before[: DIGEST_BYTES * written])


def _split(out: bytearray) -> list[bytes]:
    data = bytes(out)
    return [data[at : at + DIGEST_BYTES] for at in range(0, len(data), DIGEST_BYTES)]


def _demand(result: int) -> None:
    if result != lib.LANES_DONE:
        raise BatchInvalid(_REFUSED[result])
