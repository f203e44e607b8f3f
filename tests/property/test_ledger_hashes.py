"""The compiled hashes of the tree against their definition, on drawn batches and drawn trees."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import native
from ledger import folds
from ledger.model import StateWrite
from ledger.state import StateTree

_digest = st.binary(min_size=32, max_size=32)
_side = st.just(bytes(32)) | _digest
# Paths that share long prefixes: joins at every depth, in every order.
_path = st.tuples(st.integers(0, 32), st.integers(0, 255), st.integers(0, 3)).map(
    lambda drawn: (b"\0" * drawn[0] + bytes([drawn[1], drawn[2]])).ljust(32, b"\x55")[:32]
)
_leaves = st.dictionaries(_path | _digest, st.tuples(_digest, _side), max_size=40).map(
    lambda leaves: b"".join(path + b"".join(leaves[path]) for path in sorted(leaves))
)


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=300), max_size=40))
def test_digests_of_any_messages(messages: list[bytes]) -> None:
    assert native.digests(messages) == folds.digests(messages)


@settings(max_examples=100)
@given(st.integers(0, 255), st.lists(st.tuples(_side, _side), max_size=40))
def test_pairs_with_and_without_empty_sides(depth: int, drawn: list[tuple[bytes, bytes]]) -> None:
    pairs = b"".join(left + right for left, right in drawn)
    assert native.join_pairs(depth, pairs) == folds.join_pairs(depth, pairs)


@settings(max_examples=100)
@given(st.lists(st.tuples(_leaves, _leaves), max_size=20), st.integers(1, 64))
def test_pages_of_any_shape_made_and_changed(
    drawn: list[tuple[bytes, bytes]], leaves_max: int
) -> None:
    pages = [b""] * len(drawn)
    for changes in ([first for first, _ in drawn], [second for _, second in drawn]):
        changed = native.change_pages(pages, changes, leaves_max)
        assert changed == folds.change_pages(pages, changes, leaves_max)
        pages = changed


@settings(max_examples=100)
@given(
    st.integers(0, 7).flatmap(
        lambda levels: st.tuples(
            st.just(levels),
            st.lists(
                st.dictionaries(st.integers(1 << levels, (2 << levels) - 1), _side), max_size=4
            ),
        )
    )
)
def test_stems_of_any_height_after_every_block(
    drawn: tuple[int, list[dict[int, bytes]]],
) -> None:
    levels, blocks = drawn
    compiled, plain = bytearray(64 << levels), bytearray(64 << levels)
    for block in blocks:
        indexes = sorted(block)
        roots = b"".join(block[index] for index in indexes)
        found = native.fold_stem(compiled, levels, indexes, roots)
        assert found == folds.fold_stem(plain, levels, indexes, roots)
        assert compiled == plain


_writes = st.lists(st.tuples(st.integers(0, 400), st.none() | st.binary(max_size=80)), max_size=120)


@settings(max_examples=15)
@given(st.lists(_writes, min_size=1, max_size=4))
def test_whole_trees_store_the_same_pages(blocks: list[list[tuple[int, bytes | None]]]) -> None:
    stores: list[dict[bytes, bytes]] = [{}, {}]
    trees = [StateTree(stores[0].get, native), StateTree(stores[1].get, folds)]
    for block in blocks:
        writes = [StateWrite("n", b"key%d" % number, value) for number, value in block]
        assert trees[0].apply(writes) == trees[1].apply(writes)
        staged = [dict(tree.staged_pages()) for tree in trees]
        assert staged[0] == staged[1]
        for tree, store in zip(trees, stores, strict=True):
            for name, page in dict(tree.staged_pages()).items():
                if page is None:
                    store.pop(name, None)
                else:
                    store[name] = page
            tree.accept()
