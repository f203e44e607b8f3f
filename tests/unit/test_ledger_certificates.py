"""Certificates count only for a quorum of different validators over exactly one statement."""

from __future__ import annotations

import msgspec
import pytest

from ledger.certificates import (
    VoteKind,
    verify_commit_certificate,
    verify_execution_certificate,
    vote_message,
)
from ledger.errors import CertificateInvalid
from ledger.model import (
    CommitCertificate,
    ExecutionCertificate,
    ExecutionStatement,
    Signature,
    execution_message,
)
from tests.ledger_world import committee, fake_verify_batch, sign_all

CHAIN, DIGEST = b"c" * 32, b"d" * 32


def _commit(size: int = 4, signers: tuple[int, ...] = (0, 1, 2)) -> CommitCertificate:
    message = vote_message(VoteKind.COMMIT, CHAIN, 5, 9, DIGEST)
    return CommitCertificate(5, 9, DIGEST, sign_all(message, committee(size), signers))


def _verify(certificate: CommitCertificate, *, size: int = 4, chain: bytes = CHAIN) -> None:
    verify_commit_certificate(certificate, DIGEST, committee(size), chain, fake_verify_batch)


@pytest.mark.parametrize(("size", "quorum"), [(1, 1), (4, 3), (5, 4), (6, 4), (7, 5), (10, 7)])
def test_a_quorum_suffices_and_one_less_does_not(size: int, quorum: int) -> None:
    _verify(_commit(size, tuple(range(quorum))), size=size)
    with pytest.raises(CertificateInvalid, match=f"is {quorum}"):
        _verify(_commit(size, tuple(range(quorum - 1))), size=size)


@pytest.mark.parametrize(
    "change",
    [{"view": 6}, {"height": 10}, {"proposal_digest": b"e" * 32}],
    ids=["view", "height", "digest"],
)
def test_signatures_do_not_move_to_another_statement(change: dict[str, object]) -> None:
    with pytest.raises(CertificateInvalid):
        _verify(msgspec.structs.replace(_commit(), **change))


def test_signatures_do_not_move_to_another_chain() -> None:
    with pytest.raises(CertificateInvalid, match="bad signatures"):
        _verify(_commit(), chain=b"x" * 32)


def test_prepare_votes_are_no_commit_votes() -> None:
    message = vote_message(VoteKind.PREPARE, CHAIN, 5, 9, DIGEST)
    certificate = CommitCertificate(5, 9, DIGEST, sign_all(message, committee(), (0, 1, 2)))
    with pytest.raises(CertificateInvalid, match="bad signatures"):
        _verify(certificate)


def _with(*signatures: Signature) -> CommitCertificate:
    return msgspec.structs.replace(_commit(), signatures=signatures)


def test_one_validator_is_not_counted_twice() -> None:
    a, b, _ = _commit().signatures
    for signatures in [(a, a, b), (a, b, b), (b, a, a)]:
        with pytest.raises(CertificateInvalid, match="ascend"):
            _verify(_with(*signatures))


def test_order_range_and_size_of_signatures_are_checked_before_any_is_verified() -> None:
    a, b, c = _commit().signatures
    for signatures, reason in [
        ((c, b, a), "ascend"),
        ((Signature(-1, a.signature), b, c), "ascend"),
        ((a, b, Signature(4, c.signature)), "no validator 4"),
        ((a, b, Signature(2, b"")), "0 bytes"),
        ((a, b, Signature(2, c.signature + b"x")), "65 bytes"),
    ]:
        with pytest.raises(CertificateInvalid, match=reason):
            verify_commit_certificate(
                _with(*signatures), DIGEST, committee(), CHAIN, lambda items: pytest.fail("asked")
            )


def test_one_bad_signature_spoils_the_certificate_and_is_named() -> None:
    a, b, _ = _commit().signatures
    with pytest.raises(CertificateInvalid, match=r"validators \[2\]"):
        _verify(_with(a, b, Signature(2, b.signature)))


STATEMENT = ExecutionStatement(CHAIN, 9, b"b" * 32, b"s" * 32, b"r" * 32, b"v" * 32, 1234)


@pytest.mark.parametrize("field", ExecutionStatement.__struct_fields__)
def test_an_execution_certificate_covers_every_field(field: str) -> None:
    signatures = sign_all(execution_message(STATEMENT), committee(), (1, 2, 3))
    verify = verify_execution_certificate
    verify(ExecutionCertificate(STATEMENT, signatures), committee(), CHAIN, fake_verify_batch)
    other = 77 if field in ("height", "time_ms") else b"x" * 32
    changed = ExecutionCertificate(msgspec.structs.replace(STATEMENT, **{field: other}), signatures)
    with pytest.raises(CertificateInvalid):
        verify(changed, committee(), CHAIN, fake_verify_batch)
