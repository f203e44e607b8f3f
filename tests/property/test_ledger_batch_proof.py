"""Batch proofs: what single proofs show together, and nothing that one of them would not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.batch_proof import BATCH_KEYS_MAX, BatchProof, join_proofs, verify_batch_proof
from ledger.encoding import decode, encode
from ledger.errors import DecodeError, ProofInvalid
from ledger.model import StateWrite
from ledger.proof import NeighborLeaf, StateKey
from tests.property.naive_state_tree import NaiveStateTree
from tests.property.test_ledger_state_tree import Pages

KEYS = [("n", b"key%d" % i) for i in range(400)]  # the first half of them is there


def _value(number: int) -> bytes | None:
    return b"value%d" % number if number < 200 else None


@pytest.fixture(scope="module")
def pages() -> Pages:
    made = Pages()
    made.write([StateWrite("n", key, _value(i)) for i, (_, key) in enumerate(KEYS)])
    return made


def _proof(pages: Pages, numbers: list[int]) -> tuple[BatchProof, list[StateKey]]:
    keys = [KEYS[i] for i in numbers]
    return join_proofs(keys, [pages.prove(KEYS[i][1], _value(i)) for i in numbers]), keys


SOME = [3, 250, 77, 199, 201, 0, 399]


# --- refused ------------------------------------------------------------------------------------


def test_every_flipped_byte_is_refused(pages: Pages) -> None:
    proof, keys = _proof(pages, SOME)
    data = encode(proof)
    for position in range(len(data)):
        bent = bytearray(data)
        bent[position] ^= 0x41
        with pytest.raises((DecodeError, ProofInvalid)):
            read = decode(bytes(bent), BatchProof, size_max=1 << 16)
            verify_batch_proof(read, pages.tree.root, keys)


def test_it_is_about_these_keys_in_this_order_under_this_root(pages: Pages) -> None:
    proof, keys = _proof(pages, SOME)
    root = pages.tree.root
    for bad_keys, at in (
        (keys[::-1], root),
        (keys[:-1], root),
        ([*keys, ("n", b"more")], root),
        ([("m", key) for _, key in keys], root),
        ([keys[0], *keys[:-1]], root),
        (keys, bytes(32)),
    ):
        with pytest.raises(ProofInvalid, match=r"\w+ \w+"):
            verify_batch_proof(proof, at, bad_keys)


def test_present_keys_cannot_be_claimed_absent_nor_absent_ones_present(pages: Pages) -> None:
    proof, keys = _proof(pages, SOME)
    for at, value in enumerate(proof.values):
        claimed = b"there" if value is None else None
        values = (*proof.values[:at], claimed, *proof.values[at + 1 :])
        with pytest.raises(ProofInvalid):
            verify_batch_proof(replace(proof, values=values), pages.tree.root, keys)


def test_a_neighbor_is_another_leaf_on_the_way(pages: Pages) -> None:
    proof, keys = _proof(pages, [250])
    own, _ = _proof(pages, [3])
    shape = _proof(pages, [3])[0].shape
    foreign = pages.prove(b"key3", b"value3")
    leaf = NeighborLeaf(bytes(32), bytes(32))
    for bad in (
        replace(proof, neighbors=()),
        replace(proof, neighbors=(*proof.neighbors, leaf)),
        replace(proof, neighbors=(leaf,)),
        replace(proof, neighbors=(NeighborLeaf(b"short", b"short"),)),
        BatchProof((None,), shape, proof.neighbors, foreign.siblings),
    ):
        with pytest.raises(ProofInvalid):
            verify_batch_proof(bad, pages.tree.root, keys)
    with pytest.raises(ProofInvalid):
        verify_batch_proof(own, pages.tree.root, keys)


def test_malformed_proofs_are_refused_with_a_reason(pages: Pages) -> None:
    proof, keys = _proof(pages, SOME)
    siblings = proof.siblings
    for bad, reason in (
        (replace(proof, shape=proof.shape[:-1]), "cut short"),
        (replace(proof, shape=proof.shape + b"\0"), "belong to no key"),
        (replace(proof, shape=b"\2" + proof.shape[1:]), "unknown node"),
        (replace(proof, shape=b"\1\5\1\5" + proof.shape[4:]), "ascend"),
        (replace(proof, shape=b""), "empty state"),
        (replace(proof, siblings=siblings[:-1]), "sibling is missing"),
        (replace(proof, siblings=(*siblings, bytes(32))), "belong to no key"),
        (replace(proof, siblings=(bytes(32), *siblings[1:])), "not the hash"),
        (replace(proof, shape=b"\0"), "two keys"),
    ):
        with pytest.raises(ProofInvalid, match=reason):
            verify_batch_proof(bad, pages.tree.root, keys)


def test_a_batch_is_bounded(pages: Pages) -> None:
    proof, _ = _proof(pages, SOME)
    many = [("n", b"%d" % i) for i in range(BATCH_KEYS_MAX + 1)]
    for keys in ([], many):
        with pytest.raises(ProofInvalid, match="ask for fewer"):
            verify_batch_proof(proof, pages.tree.root, keys)


def test_depths_that_nest_without_end_are_refused(pages: Pages) -> None:
    shape = b"".join(b"\1" + bytes([depth]) for depth in range(256)) * 8
    siblings = tuple(b"\1" * 32 for _ in range(300))
    with pytest.raises(ProofInvalid):
        bad = BatchProof((b"x",), shape, (), siblings)
        verify_batch_proof(bad, pages.tree.root, [("n", b"x")])


# --- accepted -----------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.lists(st.integers(0, 399), min_size=1, max_size=60, unique=True))
def test_what_single_proofs_show_a_batch_shows(pages: Pages, numbers: list[int]) -> None:
    proof, keys = _proof(pages, numbers)
    verify_batch_proof(proof, pages.tree.root, keys)
    assert list(proof.values) == [_value(i) for i in numbers]


@settings(max_examples=40)
@given(
    st.dictionaries(st.integers(0, 12), st.binary(max_size=4), max_size=8),
    st.lists(st.integers(0, 12), min_size=1, max_size=13, unique=True),
)
def test_small_and_empty_states_are_proved_against_the_naive_root(
    state: dict[int, bytes], asked: list[int]
) -> None:
    pages, naive = Pages(), NaiveStateTree()
    for number, value in state.items():
        naive.put("n", b"%d" % number, value)
    pages.write([StateWrite("n", b"%d" % number, value) for number, value in state.items()])
    keys = [("n", b"%d" % number) for number in asked]
    proof = join_proofs(keys, [pages.prove(b"%d" % i, state.get(i)) for i in asked])
    verify_batch_proof(proof, naive.root(), keys)
    assert list(proof.values) == [state.get(i) for i in asked]


def test_a_hundred_keys_share_most_of_their_hashes(pages: Pages) -> None:
    numbers = list(range(100, 200))
    proof, _ = _proof(pages, numbers)
    single = sum(len(pages.prove(KEYS[i][1], _value(i)).siblings) for i in numbers)
    assert len(proof.siblings) * 3 < single
