"""The state tree against its oracle, and proofs against every way to bend them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import native
from ledger import folds
from ledger.encoding import decode, encode
from ledger.errors import DecodeError, LedgerDamaged, ProofInvalid
from ledger.hashes import TREE_HASHES, TreeHashes
from ledger.model import EMPTY_DIGEST, StateWrite
from ledger.pages import PAGE_LEAVES_MAX, PageChanges, no_leaf, page_leaves, walk_page
from ledger.proof import NeighborLeaf, StateProof, leaf_hash, verify_state_proof
from ledger.state import StateTree
from tests.property.naive_state_tree import NaiveStateTree, root_of


class Pages:
    """A page store in memory around the one tree."""

    def __init__(self, hashes: TreeHashes = TREE_HASHES) -> None:
        self.stored: dict[bytes, bytes] = {}
        self.tree = StateTree(self.stored.get, hashes)

    def write(self, writes: list[StateWrite]) -> bytes:
        root = self.tree.apply(writes)
        for name, page in self.tree.staged_pages():
            if page is None:
                self.stored.pop(name, None)
            else:
                self.stored[name] = page
        self.tree.accept()
        return root

    def prove(self, key: bytes, value: bytes | None, namespace: str = "n") -> StateProof:
        return self.tree.prove(namespace, key, value, self.stored.get)


_keys = st.integers(0, 60).map(lambda i: b"key%d" % i)
_writes = st.lists(
    st.tuples(st.sampled_from(["n", "m"]), _keys, st.none() | st.binary(max_size=8)), max_size=40
)


@pytest.mark.parametrize("hashes", [native, folds])
@settings(max_examples=15)
@given(blocks=st.lists(_writes, min_size=1, max_size=4))
def test_the_tree_has_the_root_of_its_definition_after_every_block(
    hashes: TreeHashes,
    blocks: list[list[tuple[str, bytes, bytes | None]]],
) -> None:
    pages, naive = Pages(hashes), NaiveStateTree()
    for block in blocks:
        for namespace, key, value in block:
            naive.put(namespace, key, value)
        root = pages.write([StateWrite(*write) for write in block])
        assert root == naive.root()
        for namespace, key, _ in block[:5]:
            value = naive.values.get((namespace, key))
            proof = pages.prove(key, value, namespace)
            assert verify_state_proof(proof, root, namespace, key) == value


def test_the_tree_is_the_same_in_one_block_and_in_many_and_reopens_alike() -> None:
    writes = [StateWrite("n", b"%d" % i, b"v%d" % i) for i in range(3000)]
    at_once, slowly = Pages(), Pages()
    root = at_once.write(writes)
    for start in range(0, 3000, 500):
        slowly.write(list(reversed(writes[start : start + 500])))
    assert slowly.tree.root == root
    fresh = StateTree(slowly.stored.get)
    below_stem = {name: page for name, page in slowly.stored.items() if name[0] == 18}
    assert fresh.restore(sorted(below_stem.items())) == root


def test_removing_everything_leaves_the_empty_tree_and_no_page() -> None:
    pages = Pages()
    keys = [b"%d" % i for i in range(200)]
    pages.write([StateWrite("n", key, b"x") for key in keys])
    assert pages.write([StateWrite("n", key, None) for key in keys]) == bytes(32)
    assert not pages.stored
    proof = pages.prove(b"gone", None)
    assert verify_state_proof(proof, bytes(32), "n", b"gone") is None


def test_a_discarded_stage_leaves_no_trace_and_readers_never_see_it() -> None:
    pages = Pages()
    root = pages.write([StateWrite("n", b"%d" % i, b"old") for i in range(50)])
    staged = pages.tree.apply([StateWrite("n", b"%d" % i, b"new") for i in range(50)])
    assert staged != root and pages.tree.root == root
    assert verify_state_proof(pages.prove(b"7", b"old"), root, "n", b"7") == b"old"
    pages.tree.discard()
    assert pages.tree.root == root
    assert pages.tree.apply([]) == root


def _clustered(count: int) -> list[tuple[bytes, bytes]]:
    """Paths that share their first 30 bits: they crowd one page and force branches."""
    return sorted(
        (bytes([1, 2, 3, 4 | i & 3]) + i.to_bytes(28, "little"), bytes([i & 255]) * 32)
        for i in range(count)
    )


def _change(
    stored: dict[bytes, bytes], root: bytes, leaves: list[tuple[bytes, bytes | None]]
) -> tuple[bytes, dict[bytes, bytes | None]]:
    """Put value hashes (None: remove) into the page at depth 18; its new root, the new pages."""
    put = [
        no_leaf(path) if value is None else path + value + leaf_hash(path, value)
        for path, value in leaves
    ]
    pages, home = PageChanges(stored.get), bytearray(root)
    pages.change(18, put, home, 0)
    out = pages.finish(TREE_HASHES)
    stored.update({name: page for name, page in out.items() if page is not None})
    return bytes(home), out


@pytest.mark.parametrize("count", [1, PAGE_LEAVES_MAX, PAGE_LEAVES_MAX + 1, 40, 700])
def test_pages_that_overflow_become_branches_with_the_same_root(count: int) -> None:
    leaves = _clustered(count)
    stored: dict[bytes, bytes] = {}
    root: bytes = EMPTY_DIGEST
    for leaf in leaves:  # one by one, so that pages split as they grow
        root, _ = _change(stored, root, [leaf])
    bits = [(f"{int.from_bytes(p):0256b}", leaf_hash(p, v)) for p, v in leaves]
    assert root == root_of(bits, 0)
    name = min(stored, key=lambda name: name[0])
    assert [leaf[0] for leaf in walk_page(name, stored[name], stored.get)] == [p for p, _ in leaves]
    root, out = _change(stored, root, [(path, None) for path, _ in leaves])
    assert root == bytes(32)
    assert set(out) >= {name} and set(out.values()) == {None}


# --- proofs: negative first --------------------------------------------------------------------


@pytest.fixture(scope="module")
def pages() -> Pages:
    made = Pages()
    made.write([StateWrite("n", b"key%d" % i, b"value%d" % i) for i in range(300)])
    return made


def test_a_present_key_cannot_be_proved_absent(pages: Pages) -> None:
    root = pages.tree.root
    absent = [pages.prove(b"no%d" % i, None) for i in range(200)]
    for i in range(20):
        for proof in absent:
            with pytest.raises(ProofInvalid):
                verify_state_proof(proof, root, "n", b"key%d" % i)


def test_relabeled_depths_do_not_prove_absence(pages: Pages) -> None:
    proof = pages.prove(b"no1", None)
    depths = bytes(depth + 1 for depth in proof.depths)
    bent = StateProof(None, proof.neighbor, depths, proof.siblings)
    with pytest.raises(ProofInvalid):
        verify_state_proof(bent, pages.tree.root, "n", b"no1")


def test_a_proof_holds_for_its_key_value_namespace_and_root_only(pages: Pages) -> None:
    root, proof = pages.tree.root, pages.prove(b"key1", b"value1")
    assert verify_state_proof(proof, root, "n", b"key1") == b"value1"
    other = StateProof(b"value2", None, proof.depths, proof.siblings)
    for bad, at, namespace, key in (
        (proof, root, "n", b"key2"),
        (proof, root, "m", b"key1"),
        (proof, bytes(32), "n", b"key1"),
        (other, root, "n", b"key1"),
    ):
        with pytest.raises(ProofInvalid):
            verify_state_proof(bad, at, namespace, key)


def test_malformed_proofs_are_refused_with_a_reason(pages: Pages) -> None:
    good = pages.prove(b"no1", None)
    assert good.neighbor is not None and len(good.siblings) > 2
    itself = pages.prove(b"key1", b"value1")
    leaf = next(leaf for page in pages.stored.values() for leaf in page_leaves(page) if leaf[0])
    for bad in (
        StateProof(b"x", good.neighbor, good.depths, good.siblings),
        StateProof(None, None, good.depths, good.siblings),
        StateProof(None, NeighborLeaf(b"short", b"short"), good.depths, good.siblings),
        StateProof(None, NeighborLeaf(leaf[0], leaf[1]), itself.depths, itself.siblings),
        StateProof(None, good.neighbor, good.depths[:-1], good.siblings),
        StateProof(None, good.neighbor, good.depths[::-1], good.siblings),
        StateProof(None, good.neighbor, good.depths, (b"", *good.siblings[1:])),
        StateProof(None, good.neighbor, good.depths, (bytes(32), *good.siblings[1:])),
    ):
        with pytest.raises(ProofInvalid, match=r"\w+ \w+"):
            verify_state_proof(bad, pages.tree.root, "n", b"no1")


def test_every_flipped_byte_of_an_encoded_proof_is_refused(pages: Pages) -> None:
    for key, value in ((b"key5", b"value5"), (b"no5", None)):
        data = encode(pages.prove(key, value))
        for position in range(len(data)):
            bent = bytearray(data)
            bent[position] ^= 0x41
            with pytest.raises((DecodeError, ProofInvalid)):
                proof = decode(bytes(bent), StateProof, size_max=1 << 16)
                verify_state_proof(proof, pages.tree.root, "n", key)


def test_an_overlong_namespace_is_a_decode_error(pages: Pages) -> None:
    with pytest.raises(DecodeError, match="255"):
        verify_state_proof(pages.prove(b"no", None), pages.tree.root, "n" * 256, b"no")


def test_a_bent_page_is_noticed_when_it_is_used() -> None:
    pages = Pages()
    pages.write([StateWrite("n", b"a", b"1")])
    name = next(iter(pages.stored))
    page = bytearray(pages.stored[name])
    page[5] ^= 1
    pages.stored[name] = bytes(page)
    with pytest.raises(LedgerDamaged):
        pages.tree.apply([StateWrite("n", b"a", b"2")])
    with pytest.raises(LedgerDamaged):
        list(walk_page(name, pages.stored[name], pages.stored.get))


@pytest.mark.parametrize("hashes", [native, folds])
def test_a_page_whose_leaves_are_out_of_order_is_noticed(hashes: TreeHashes) -> None:
    leaves, stored = _clustered(3), dict[bytes, bytes]()
    root, _ = _change(stored, EMPTY_DIGEST, [*leaves])
    (name,) = stored
    page = stored[name]
    stored[name] = page[:33] + page[33 + 96 : 33 + 192] + page[33 : 33 + 96] + page[33 + 192 :]
    with pytest.raises(LedgerDamaged, match="malformed"):
        list(walk_page(name, stored[name], stored.get))
    with pytest.raises(LedgerDamaged, match="malformed"):
        pages = PageChanges(stored.get)
        pages.change(18, [no_leaf(leaves[2][0])], bytearray(root), 0)
        pages.finish(hashes)


def test_pages_with_malformed_names_are_not_restored() -> None:
    pages = Pages()
    pages.write([StateWrite("n", b"a", b"1")])
    ((name, page),) = pages.stored.items()
    twice = name[:3] + bytes([name[3] | 1])  # another name for the same place
    for names in ([name, twice], [name[:3]], [b"\x15" + name[1:]]):
        with pytest.raises(LedgerDamaged, match="name of a page"):
            StateTree(pages.stored.get).restore([(one, page) for one in names])


def test_absence_is_proved_through_branch_pages() -> None:
    leaves, stored = _clustered(700), dict[bytes, bytes]()
    root, _ = _change(stored, EMPTY_DIGEST, [*leaves])
    tree = StateTree(stored.get)
    assert tree.restore([(name, page) for name, page in stored.items() if name[0] == 18]) == root
    seen = set()
    for i in range(100):
        proof = tree.prove("n", b"%d" % i, None, stored.get)
        assert verify_state_proof(proof, root, "n", b"%d" % i) is None
        seen.add(proof.neighbor)
    assert len(seen) > 50, "keys follow their own bits to different leaves"
