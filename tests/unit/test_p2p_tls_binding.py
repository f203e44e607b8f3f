"""The proof of the network key: good in one session, one direction, for two certificates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.x509.read import Certificate
from p2p.errors import PeerRefused, Refusal
from p2p.identity import key_pair_of, peer_id_of
from p2p.tls.binding import EXPORT_SIZE, PROOF_SIZE, check_proof, prove, statement
from tests.x509_world import organization

SEED, OTHER_SEED = bytes([1]) * 32, bytes([2]) * 32
PEER_ID = peer_id_of(SEED)
EXPORTED = bytes(range(EXPORT_SIZE))
STATED = b"what both know"


@pytest.fixture(scope="module")
def leaves() -> tuple[Certificate, Certificate, Certificate]:
    org = organization()
    return org.leaf(), org.leaf(), org.leaf()


def proof_of(seed: bytes, stated: bytes) -> bytes:
    return prove(key_pair_of(seed).private_key, stated)


def _refused(peer_id: str, proof: bytes, stated: bytes) -> None:
    with pytest.raises(PeerRefused) as refused:
        check_proof(peer_id, proof, stated)
    assert refused.value.reason == Refusal.UNPROVEN


def test_the_holder_of_the_key_proves_it(
    leaves: tuple[Certificate, Certificate, Certificate],
) -> None:
    stated = statement(EXPORTED, prover=leaves[0], verifier=leaves[1], by_dialer=True)
    proof = proof_of(SEED, stated)
    assert len(proof) == PROOF_SIZE
    check_proof(PEER_ID, proof, stated)


def test_a_proof_is_worth_nothing_anywhere_else(
    leaves: tuple[Certificate, Certificate, Certificate],
) -> None:
    ours, theirs, other = leaves
    stated = statement(EXPORTED, prover=ours, verifier=theirs, by_dialer=True)
    proof = proof_of(SEED, stated)
    elsewhere = {
        "another session": statement(
            bytes(EXPORT_SIZE), prover=ours, verifier=theirs, by_dialer=True
        ),
        "sent back": statement(EXPORTED, prover=theirs, verifier=ours, by_dialer=True),
        "the other direction": statement(EXPORTED, prover=ours, verifier=theirs, by_dialer=False),
        "another certificate": statement(EXPORTED, prover=other, verifier=theirs, by_dialer=True),
        "to somebody else": statement(EXPORTED, prover=ours, verifier=other, by_dialer=True),
    }
    assert len({stated, *elsewhere.values()}) == 1 + len(elsewhere)
    for other_stated in elsewhere.values():
        _refused(PEER_ID, proof, other_stated)


def test_another_key_proves_nothing() -> None:
    _refused(PEER_ID, proof_of(OTHER_SEED, STATED), STATED)
    _refused(peer_id_of(OTHER_SEED), proof_of(SEED, STATED), STATED)


@given(st.binary(max_size=PROOF_SIZE + 1))
def test_bytes_that_are_no_proof_are_refused_and_nothing_else(proof: bytes) -> None:
    _refused(PEER_ID, proof, STATED)


@given(st.integers(0, 8 * PROOF_SIZE - 1))
def test_a_proof_with_a_flipped_bit_is_refused(bit: int) -> None:
    bent = bytearray(proof_of(SEED, STATED))
    bent[bit // 8] ^= 1 << bit % 8
    _refused(PEER_ID, bytes(bent), STATED)
