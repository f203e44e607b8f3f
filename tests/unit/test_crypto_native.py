"""The compiled hashes: digests of the standard, hashlib's at every length, and every refusal."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable
from typing import Any, cast

import pytest

import crypto
from crypto import native, sm3
from crypto.errors import BatchInvalid
from crypto.native import _lanes
from ledger import folds, hashes
from ledger.hashes import TreeHashes

BOTH: list[TreeHashes] = [native, folds]
DIGEST = bytes(range(1, 33))


def leaf(number: int) -> bytes:
    return number.to_bytes(32) + DIGEST * 2


def page(*numbers: int) -> bytes:
    return folds.change_pages([b""], [b"".join(map(leaf, numbers))], 64)[0]


@pytest.mark.parametrize(
    ("message", "expected"),
    [  # GB/T 32905-2016, appendix A
        (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
    ],
)
@pytest.mark.parametrize("copies", [1, 7, 8, 9, 40])
def test_the_digests_of_the_standard_in_every_lane(
    message: bytes, expected: str, copies: int
) -> None:
    assert native.digests([message] * copies) == [bytes.fromhex(expected)] * copies


def test_every_length_beside_every_other_gives_the_digest_of_hashlib() -> None:
    messages = [bytes((7 * i + length) & 255 for i in range(length)) for length in range(301)]
    for order in (messages, messages[::-1], messages[::7] + messages, [*messages[:1], *messages]):
        assert native.digests(order) == [sm3.digest(message) for message in order]
    for alone in messages:
        assert native.digests([alone]) == [sm3.digest(alone)]


def test_one_long_message_beside_many_short_ones() -> None:
    messages = [b"a" * 200_000, *(b"%d" % i for i in range(100)), b"b" * 70_000, b""]
    assert native.digests(messages) == [sm3.digest(message) for message in messages]


def test_nothing_at_all_is_a_batch_too() -> None:
    for one in BOTH:
        assert one.digests([]) == [] and one.join_pairs(0, b"") == b""
        assert one.change_pages([], [], 16) == []
        assert one.change_pages([b"", page(1)], [b"", b""], 16) == [b"", page(1)]
        nodes = bytearray(32 << 3)
        assert one.fold_stem(nodes, 2, [], b"") == (array("I"), b"")


@pytest.mark.parametrize("one", BOTH)
@pytest.mark.parametrize(
    "attempt",
    [
        lambda one: one.join_pairs(256, bytes(64)),
        lambda one: one.join_pairs(-1, bytes(64)),
        lambda one: one.join_pairs(1, bytes(63)),
        lambda one: one.join_pairs(1, bytes(96)),
        lambda one: one.change_pages([b""], [], 16),
        lambda one: one.change_pages([b""], [leaf(1)], 0),
        lambda one: one.change_pages([b""], [leaf(1)], 65),
        lambda one: one.change_pages([b""], [leaf(1)[:-1]], 16),
        lambda one: one.change_pages([b""], [leaf(1) + b"x"], 16),
        lambda one: one.change_pages([b"", b""], [leaf(1)[:-1], leaf(1) + b"x"], 16),
        lambda one: one.change_pages([b""], [leaf(2) + leaf(1)], 16),
        lambda one: one.change_pages([b""], [leaf(1) + leaf(1)], 16),
        lambda one: one.change_pages([b"L"], [leaf(1)], 16),
        lambda one: one.change_pages([page(1)[:33]], [leaf(1)], 16),
        lambda one: one.change_pages([page(1)[:-1]], [leaf(1)], 16),
        lambda one: one.change_pages([page(1) + b"x"], [b""], 16),
        lambda one: one.change_pages([b"B" + page(1)[1:]], [b""], 16),
        lambda one: one.change_pages([page(1)[:33] + leaf(2) + leaf(1)], [b""], 16),
        lambda one: one.change_pages([page(1)[:33] + leaf(1) * 2], [b""], 16),
        lambda one: one.fold_stem(bytearray(32 << 3), 2, [4], b""),
        lambda one: one.fold_stem(bytearray(32 << 3), 2, [4], bytes(31)),
        lambda one: one.fold_stem(bytearray(32 << 3), 2, [4], bytes(64)),
        lambda one: one.fold_stem(bytearray(32 << 3), 2, [3], bytes(32)),
        lambda one: one.fold_stem(bytearray(32 << 3), 2, [8], bytes(32)),
        lambda one: one.fold_stem(bytearray(32 << 3), 2, [2**32 - 1], bytes(32)),
        lambda one: one.fold_stem(bytearray(32 << 3), 2, [2**32 + 4], bytes(32)),
        lambda one: one.fold_stem(bytearray(32 << 3), 2, [-4], bytes(32)),
        lambda one: one.fold_stem(bytearray(32 << 3), 2, [5, 4], bytes(64)),
        lambda one: one.fold_stem(bytearray(32 << 3), 2, [4, 4], bytes(64)),
        lambda one: one.fold_stem(bytearray((32 << 3) - 1), 2, [4], bytes(32)),
        lambda one: one.fold_stem(bytearray(32 << 4), 2, [4], bytes(32)),
        lambda one: one.fold_stem(bytearray(), 2, [4], bytes(32)),
        lambda one: one.fold_stem(bytearray(32 << 3), -1, [4], bytes(32)),
        lambda one: one.fold_stem(bytearray(32 << 3), 31, [4], bytes(32)),
    ],
)
def test_a_batch_that_does_not_fit_is_refused_and_changes_nothing(
    one: TreeHashes, attempt: Callable[[TreeHashes], object]
) -> None:
    with pytest.raises(BatchInvalid, match=r"\w+ \w+"):
        attempt(one)


def test_pages_up_to_the_limit_of_a_batch_fold_in_both_and_beyond_they_have_no_root() -> None:
    put = [b"".join(map(leaf, range(count))) for count in (64, 1, 65, 63, 2, 400)]
    pages = native.change_pages([b""] * len(put), put, 64)
    assert pages == folds.change_pages([b""] * len(put), put, 64)
    assert [page[1:33] == bytes(32) for page in pages] == [False, False, True, False, False, True]
    assert native.change_pages(pages, put, 64) == folds.change_pages(pages, put, 64) == pages


def test_a_refused_stem_is_as_it_was() -> None:
    nodes = bytearray(range(256))
    with pytest.raises(BatchInvalid):
        native.fold_stem(nodes, 2, [4, 6, 5], bytes(range(96)))
    assert nodes == bytearray(range(256))


# --- what no wrapper lets through: the C functions alone ------------------------------------------


def raw(size: int) -> Any:
    return _lanes.ffi.from_buffer(bytearray(size))


def words(kind: str, *values: int) -> Any:
    return _lanes.ffi.new(f"{kind}[]", list(values))


def test_c_believes_no_size_that_it_is_told() -> None:
    lib = _lanes.lib
    size, order, space = lib.LANES_BAD_SIZE, lib.LANES_BAD_ORDER, lib.LANES_BAD_RANGE
    used = _lanes.ffi.new("size_t *")
    big = 2**64 - 1
    for ends, held, count, out, refused in (
        ([3], 2, 1, 32, size),
        ([3], 4, 1, 32, size),
        ([3], 3, 1, 31, size),
        ([3], 3, 2**59, 0, size),  # 32 times as many wrap to nothing
        ([3, 2], 2, 2, 64, order),
        ([big, 3], 3, 2, 64, order),
        ([big], 3, 1, 32, size),
        ([0], 3, 0, 0, size),
    ):
        got = lib.lanes_digests(raw(held), held, words("uint64_t", *ends), count, raw(out), out)
        assert got == refused
    one = page(1)
    for ends, put_ends, pages, most, out, refused in (
        ([129], [96], 1, 16, 257, size),
        ([129], [96], 1, 16, 259, size),
        ([128], [96], 1, 16, 258, size),
        ([129], [95], 1, 16, 258, size),
        ([129], [192], 1, 16, 354, size),
        ([129, 128], [96, 96], 2, 16, 291, order),
        ([129, big], [96, 96], 2, 16, 291, size),
        ([0, 129], [97, 96], 2, 16, 291, order),
        ([129], [96], 1, 0, 258, space),
        ([129], [96], 1, 65, 258, space),
        ([28, 129], [0, 96], 2, 16, 291, lib.LANES_BAD_PAGE),
    ):
        got = lib.lanes_change_pages(
            _lanes.ffi.from_buffer(one),
            len(one),
            words("uint64_t", *ends),
            _lanes.ffi.from_buffer(leaf(1)),
            len(leaf(1)),
            words("uint64_t", *put_ends),
            pages,
            most,
            raw(out),
            out,
            words("uint64_t", *[0] * pages),
        )
        assert got == refused
    assert lib.lanes_join(256, raw(64), 64, raw(32), 32) == space
    assert lib.lanes_join(255, raw(64), 64, raw(31), 31) == size
    for room, refused in ((2, size), (3, lib.LANES_DONE)):  # three nodes are touched
        got = lib.lanes_fold_stem(
            *(raw(256), 256, 2, words("uint32_t", 4), 1, raw(32), 32),
            *(words("uint32_t", *[0] * room), raw(32 * room), room, used),
        )
        assert got == refused and used[0] == (3 if refused == lib.LANES_DONE else 0)
    for held, levels in ((0, 2), (256, 31), (256, 2**32 - 1), (255, 2)):
        got = lib.lanes_fold_stem(
            *(raw(held), held, levels, words("uint32_t", 4), 1, raw(32), 32),
            *(words("uint32_t", 0, 0, 0), raw(96), 3, used),
        )
        assert got in (size, space)


# --- which of the two a node uses ----------------------------------------------------------------


def test_compiled_hashes_are_in_use_and_agree_with_the_definition() -> None:
    assert hashes.TREE_HASHES is cast(TreeHashes, native) and hashes.WHY_PLAIN is None
    assert hashes.agree(native, folds)


@pytest.mark.parametrize("name", ["digests", "join_pairs", "change_pages", "fold_stem"])
def test_compiled_hashes_that_err_anywhere_are_not_used(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = getattr(native, name)

    def wrong(*arguments: object) -> object:
        found = right(*arguments)
        if isinstance(found, list):
            return [*found[:-1], bytes(32)]
        return bytes(len(found)) if isinstance(found, bytes) else (found[0][:-1], found[1])

    monkeypatch.setattr(native, name, wrong)
    chosen, why = hashes.choose()
    assert chosen is cast(TreeHashes, folds) and why is not None and "other results" in why


def test_a_compiled_part_of_other_sources_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise AttributeError("lanes_join")

    def refusing(*_: object) -> None:
        raise BatchInvalid("no")

    for fault, words in ((missing, "make setup"), (refusing, "other results")):
        monkeypatch.setattr(native, "join_pairs", fault)
        chosen, why = hashes.choose()
        assert chosen is cast(TreeHashes, folds) and why is not None and words in why


def test_a_node_without_the_compiled_part_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(crypto, "native")
    monkeypatch.setitem(sys.modules, "crypto.native", None)
    chosen, why = hashes.choose()
    assert chosen is cast(TreeHashes, folds) and why is not None and "make setup" in why
