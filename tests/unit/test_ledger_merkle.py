"""The list tree: RFC 6962's shape with SM3, and paths that prove one place only."""

from __future__ import annotations

import pytest

from crypto import sm3
from ledger.encoding import decode, encode
from ledger.errors import DecodeError, ProofInvalid
from ledger.merkle import EMPTY_ROOT, ListPath, path, root_of, verify_path

LEAVES = [sm3.digest(b"%d" % i) for i in range(70)]


def _definition(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1: split at the largest power of two below n."""
    if len(leaves) == 1:
        return sm3.digest(b"\0" + leaves[0])
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sm3.digest(b"\1" + _definition(leaves[:split]) + _definition(leaves[split:]))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 33, 64, 70])
def test_the_root_is_that_of_the_definition_and_every_leaf_has_a_path(size: int) -> None:
    leaves = LEAVES[:size]
    root = root_of(leaves)
    assert root == _definition(leaves)
    for index in range(size):
        verify_path(leaves[index], path(leaves, index), root)


def test_the_empty_list_has_a_root_that_no_leaf_reaches() -> None:
    assert root_of([]) == EMPTY_ROOT == sm3.digest(b"")
    with pytest.raises(ProofInvalid):
        verify_path(LEAVES[0], ListPath(0, 0, ()), EMPTY_ROOT)


def test_a_path_proves_no_other_leaf_index_or_size() -> None:
    root, good = root_of(LEAVES[:7]), path(LEAVES[:7], 4)
    with pytest.raises(ProofInvalid):
        verify_path(LEAVES[5], good, root)
    for index, size in [(0, 7), (3, 7), (5, 7), (6, 7), (4, 5), (4, 6), (4, 9), (4, 2**40)]:
        with pytest.raises(ProofInvalid):
            verify_path(LEAVES[4], ListPath(index, size, good.siblings), root)


@pytest.mark.parametrize(
    "bad",
    [
        ListPath(7, 7, ()),
        ListPath(-1, 7, ()),
        ListPath(0, -3, ()),
        ListPath(0, 7, ()),
        ListPath(0, 7, (b"short",)),
        ListPath(0, 1, (bytes(32),)),
        ListPath(0, 7, (bytes(32),) * 4),
        ListPath(0, 7, (bytes(32),) * 3),
    ],
)
def test_a_malformed_path_is_refused(bad: ListPath) -> None:
    with pytest.raises(ProofInvalid):
        verify_path(LEAVES[0], bad, root_of(LEAVES[:7]))


def test_an_inner_node_is_not_a_leaf() -> None:
    root = root_of(LEAVES[:4])
    inner = path(LEAVES[:4], 0).siblings[1]
    with pytest.raises(ProofInvalid):
        verify_path(inner, ListPath(1, 2, (root_of(LEAVES[:2]),)), root)


def test_every_flipped_byte_of_an_encoded_path_is_refused() -> None:
    root, data = root_of(LEAVES[:13]), encode(path(LEAVES[:13], 6))
    for position in range(len(data)):
        bent = bytearray(data)
        bent[position] ^= 0x20
        with pytest.raises((DecodeError, ProofInvalid)):
            verify_path(LEAVES[6], decode(bytes(bent), ListPath, size_max=9999), root)
