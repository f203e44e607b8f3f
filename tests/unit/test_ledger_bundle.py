"""A proof bundle proves its fact to who holds the genesis; altered anywhere, it proves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.system import parties
from crypto.providers.software import verify_batch
from ledger import errors
from ledger.bundle import (
    BUNDLE_SIZE_MAX,
    PARTY_MAP,
    PARTY_NAMESPACE,
    TAG_BUNDLE,
    TAG_BUNDLE_2,
    Bundle,
    Facts,
    StateClaim,
    StateFacts,
    StatesFacts,
    TransactionFacts,
    check_bundle,
    decode_bundle,
    encode_bundle,
)
from ledger.encoding import decode, encode
from ledger.errors import BundleInvalid, DecodeError
from ledger.merkle import (
    PathStep,
    root_of,
)
from ledger.model import (
    BlockHeader,
    ExecutionStatement,
    Record,
    Signature,
    Transaction,
    TransactionBody,
    address_of,
    block_hash,
    receipt_digest,
    transaction_id,
)
from tests.bundle_world import (
    KEY,
    MIXED,
    PARTY,
    VALUE,
    altered,
    check,
    claim_of,
    proofs,
    resigned,
    signed,
    with_block_of,
    with_body,
    with_claim,
    with_statement,
)
from tests.ledger_world import committee, fake_verify_batch

KINDS = ("transaction", "state", "states")

# --- what a good bundle proves ---------------------------------------------------------------


def test_a_transaction_is_proven_with_its_sender_party_outcome_and_block() -> None:
    facts = check(proofs().transaction)
    assert isinstance(facts, TransactionFacts)
    claim = claim_of(proofs().transaction)
    assert facts.transaction_id == transaction_id(claim.transaction)
    assert facts.sender == address_of(facts.body.sender)
    assert (facts.body.contract, facts.body.method) == ("balances", "transfer")
    assert facts.receipt == claim.receipt
    assert facts.party is not None and facts.party.party == PARTY
    assert facts.certified.height == 1
    assert facts.certified.time_ms == claim.header.time_ms
    assert facts.certified.signers == ("v0", "v2", "v3")
    assert (facts.certified.quorum, facts.certified.validators) == (3, 4)


def test_a_state_value_and_an_absence_are_proven() -> None:
    present, absent = check(proofs().state), check(proofs().absence)
    assert isinstance(present, StateFacts) and isinstance(absent, StateFacts)
    assert (present.namespace, present.key, present.value) == ("evidence", KEY, VALUE)
    assert (absent.namespace, absent.key, absent.value) == ("evidence", b"never", None)


def test_many_keys_present_and_absent_are_proven_together() -> None:
    facts = check(proofs().mixed)
    assert isinstance(facts, StatesFacts)
    assert facts.keys == MIXED
    nothing, record, *others, nothing_either = facts.values
    assert (nothing, record, nothing_either) == (None, VALUE, None)
    assert all(others)
    assert len(encode_bundle(proofs().states)) < 2 * len(encode_bundle(proofs().state))


def test_only_bundles_of_many_keys_have_the_second_version() -> None:
    for kind, tag, other in (
        ("states", TAG_BUNDLE_2, TAG_BUNDLE),
        ("state", TAG_BUNDLE, TAG_BUNDLE_2),
        ("transaction", TAG_BUNDLE, TAG_BUNDLE_2),
    ):
        data = encode_bundle(getattr(proofs(), kind))
        assert data.startswith(tag)
        with pytest.raises(DecodeError, match="its version"):
            decode_bundle(other + data.removeprefix(tag))


def test_a_changed_proof_of_many_keys_proves_no_presence_and_nothing_of_a_present_one() -> None:
    data = encode_bundle(proofs().mixed)
    truth = dict(zip(MIXED, proofs_values(), strict=True))
    for position in range(len(data)):
        facts = proves(flipped(data, position, 1 << position % 8))
        if facts is not None:  # an absent key became another absent one
            assert isinstance(facts, StatesFacts)
            told = dict(zip(facts.keys, facts.values, strict=True))
            assert len(told) == len(MIXED)
            assert all(value == truth.get(key) for key, value in told.items())


def proofs_values() -> tuple[bytes | None, ...]:
    facts = check(proofs().mixed)
    assert isinstance(facts, StatesFacts)
    return facts.values


def test_without_the_proof_of_a_party_the_address_alone_is_proven() -> None:
    facts = check(with_claim(party=None))
    assert isinstance(facts, TransactionFacts)
    assert facts.party is None


def test_the_contract_keeps_the_party_of_an_address_where_the_checker_looks() -> None:
    assert hasattr(parties, PARTY_MAP)
    assert parties.__name__.endswith(f".{PARTY_NAMESPACE}")


def test_signatures_are_really_verified() -> None:
    with pytest.raises(errors.ValidatorSignatureInvalid):
        check_bundle(proofs().transaction, proofs().genesis, verify_batch)


# --- bytes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "does not begin"),
        (b"\x94\xc4", "does not begin"),
        (b"shuxin/bundle/3\0\x90", "another version"),
        (TAG_BUNDLE, "Bundle"),
        (TAG_BUNDLE + b"\x90", "Bundle"),
        (TAG_BUNDLE + bytes(BUNDLE_SIZE_MAX), "larger"),
    ],
)
def test_what_is_no_bundle_is_a_decode_error(data: bytes, match: str) -> None:
    with pytest.raises(DecodeError, match=match):
        decode_bundle(data)


@given(st.binary(max_size=300))
def test_any_bytes_decode_or_raise_decode_error(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_bundle(TAG_BUNDLE + data)


def test_bytes_after_the_bundle_are_refused() -> None:
    with pytest.raises(DecodeError):
        decode_bundle(encode_bundle(proofs().state) + b"\0")


def proves(data: bytes) -> Facts | None:
    """What these bytes prove; None if they are refused, in one of the two ways."""
    try:
        return check_bundle(decode_bundle(data), proofs().genesis, fake_verify_batch)
    except (DecodeError, BundleInvalid):
        return None


def flipped(data: bytes, position: int, mask: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= mask
    return bytes(changed)


@pytest.mark.parametrize("kind", KINDS)
def test_no_bundle_with_one_bit_flipped_proves_anything(kind: str) -> None:
    data = encode_bundle(getattr(proofs(), kind))
    assert proves(data) is not None
    for position in range(len(data)):
        for bit in range(8):
            assert proves(flipped(data, position, 1 << bit)) is None, (position, bit)


@settings(max_examples=300)
@given(st.data())
def test_no_change_of_bytes_proves_anything_else(data: st.DataObject) -> None:
    good = encode_bundle(
        data.draw(st.sampled_from([proofs().transaction, proofs().state, proofs().states]))
    )
    changed = good
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(good) - 1))
        changed = flipped(changed, position, data.draw(st.integers(1, 255)))
    assert changed == good or proves(changed) is None


def test_a_changed_proof_of_absence_proves_nothing_about_the_same_key_and_no_presence() -> None:
    """The neighbor of an absent key stands in for other absent keys too; that is still true."""
    data = encode_bundle(proofs().absence)
    for position in range(len(data)):
        facts = proves(flipped(data, position, 1 << position % 8))
        if facts is not None:
            assert isinstance(facts, StateFacts)
            assert facts.value is None
            assert (facts.namespace, facts.key) != ("evidence", b"never")


# --- fields ----------------------------------------------------------------------------------


def variants(value: object) -> Iterator[object]:
    """Values that differ from `value` in one field, at any depth."""
    match value:
        case Record():
            for name in value.__struct_fields__:
                for other in variants(getattr(value, name)):
                    yield altered(value, **{name: other})
        case tuple():
            yield value[:-1]
            yield (*value, value[-1]) if value else (b"",)
            if len(value) > 1:
                yield (*value[1:], value[0])
            for index, item in enumerate(value):
                for other in variants(item):
                    yield (*value[:index], other, *value[index + 1 :])
        case bool():
            yield not value
        case int():
            yield value + 1
            yield value - 1
        case bytes():
            yield flipped(value, 0, 1) if value else b"\0"
            yield value + b"\0"
            yield value[:-1]
        case str():
            yield value + "x"


@pytest.mark.parametrize("kind", KINDS)
def test_no_bundle_with_one_field_changed_proves_anything(kind: str) -> None:
    good = getattr(proofs(), kind)
    others = [other for other in variants(good) if other != good]
    assert len(others) > 90
    for other in others:
        assert isinstance(other, Bundle)
        assert proves(encode_bundle(other)) is None, other


# --- one error for each kind -----------------------------------------------------------------


def test_a_bundle_of_another_chain_is_refused() -> None:
    with pytest.raises(errors.OtherChain, match="use the genesis of its chain"):
        check(altered(proofs().state, chain_id=bytes(32)))
    with pytest.raises(errors.OtherChain, match="certificate"):
        check(with_statement(chain_id=bytes(32)))
    with pytest.raises(errors.OtherChain, match="signed for"):
        check(with_body(chain_id=bytes(32)))


def test_another_genesis_is_another_chain() -> None:
    other = altered(proofs().genesis, name="another")
    with pytest.raises(errors.OtherChain):
        check_bundle(proofs().state, other, fake_verify_batch)


def test_a_committee_that_is_not_of_the_genesis_is_refused() -> None:
    with pytest.raises(errors.OtherCommittee):
        check(altered(proofs().state, committee=committee(5)))


def test_a_statement_that_hands_over_to_who_knows_whom_is_refused() -> None:
    with pytest.raises(errors.CommitteeChangeMissing, match="proven anew"):
        check(with_statement(next_validators_hash=committee(5).digest))


def test_a_certificate_without_a_quorum_is_refused() -> None:
    certificate = claim_of(proofs().transaction).certificate
    few = altered(certificate, signatures=certificate.signatures[:2])
    with pytest.raises(errors.QuorumMissing, match="2 signatures; 3 of 4"):
        check(with_claim(certificate=few))


@pytest.mark.parametrize(
    "voters", [(0, 0, 2), (2, 0, 3), (0, 2, 4), (-1, 2, 3)], ids=["twice", "order", "none", "minus"]
)
def test_votes_that_do_not_count_are_refused(voters: tuple[int, ...]) -> None:
    certificate = claim_of(proofs().transaction).certificate
    signatures = tuple(Signature(voter, bytes(64)) for voter in voters)
    with pytest.raises(errors.SignersInvalid):
        check(with_claim(certificate=altered(certificate, signatures=signatures)))


def test_a_vote_of_another_size_is_refused() -> None:
    certificate = claim_of(proofs().transaction).certificate
    signatures = tuple(Signature(entry.validator, b"") for entry in certificate.signatures)
    with pytest.raises(errors.SignersInvalid, match="0 bytes"):
        check(with_claim(certificate=altered(certificate, signatures=signatures)))


def test_a_bad_signature_of_a_validator_is_refused_and_the_validator_named() -> None:
    certificate = claim_of(proofs().transaction).certificate
    first, second, third = certificate.signatures
    forged = altered(second, signature=bytes(64))
    with pytest.raises(errors.ValidatorSignatureInvalid, match="v2 did not sign"):
        check(with_claim(certificate=altered(certificate, signatures=(first, forged, third))))


@pytest.mark.parametrize("field", ExecutionStatement.__struct_fields__[1:])
def test_a_statement_that_the_validators_did_not_sign_is_refused(field: str) -> None:
    certificate = claim_of(proofs().transaction).certificate
    value = getattr(certificate.statement, field)
    other = value + 1 if isinstance(value, int) else bytes(32)
    statement = altered(certificate.statement, **{field: other})
    with pytest.raises(errors.ValidatorSignatureInvalid):
        check(with_claim(certificate=altered(certificate, statement=statement)))


@pytest.mark.parametrize("field", BlockHeader.__struct_fields__)
def test_the_header_of_another_block_is_refused(field: str) -> None:
    header = claim_of(proofs().transaction).header
    value = getattr(header, field)
    other = value + 1 if isinstance(value, int) else bytes(32)
    with pytest.raises(errors.OtherBlock):
        check(with_claim(header=altered(header, **{field: other})))


def test_a_certificate_that_contradicts_its_header_is_refused() -> None:
    for change in ({"height": 2}, {"time_ms": 5}):
        with pytest.raises(errors.OtherBlock, match="contradict"):
            check(with_statement(**change))


def test_a_header_of_another_chain_or_committee_is_refused() -> None:
    header = claim_of(proofs().transaction).header
    for field, kind in (
        ("chain_id", errors.OtherChain),
        ("validators_hash", errors.OtherCommittee),
    ):
        other = altered(header, **{field: bytes(32)})
        bundle = with_statement(block_hash=block_hash(other))
        with pytest.raises(kind):
            check(altered(bundle, claim=altered(claim_of(bundle), header=other)))


def test_a_transaction_that_is_not_in_the_block_is_refused() -> None:
    claim = claim_of(proofs().transaction)
    body = decode(claim.transaction.body, TransactionBody, size_max=4096)
    stranger = signed(encode(altered(body, nonce=bytes(16))))
    with pytest.raises(errors.OtherTransaction):
        check(with_claim(transaction=stranger))


def test_a_path_that_leads_elsewhere_is_refused() -> None:
    first, *rest = claim_of(proofs().transaction).transaction_path
    turned = PathStep(not first.is_left, first.sibling)
    short = PathStep(first.is_left, first.sibling[:-1])
    for steps in ((turned, *rest), (short, *rest), tuple(rest), (first, first, *rest)):
        with pytest.raises(errors.OtherTransaction):
            check(with_claim(transaction_path=steps))


def test_a_receipt_that_says_something_else_is_refused() -> None:
    claim = claim_of(proofs().transaction)
    with pytest.raises(errors.OtherReceipt, match="path"):
        check(with_claim(receipt=altered(claim.receipt, status=1)))
    with pytest.raises(errors.OtherReceipt, match="path"):
        check(with_claim(receipt_path=claim.receipt_path[:-1]))


def test_the_receipt_of_another_transaction_is_refused() -> None:
    claim = claim_of(proofs().transaction)
    other = altered(claim.receipt, transaction_id=bytes(32))
    statement = altered(claim.certificate.statement, receipts_root=root_of([receipt_digest(other)]))
    with pytest.raises(errors.OtherReceipt, match="is of the transaction"):
        check(with_claim(receipt=other, receipt_path=(), certificate=resigned(statement)))


def test_a_transaction_that_cannot_be_read_is_refused() -> None:
    receipt = claim_of(proofs().transaction).receipt
    transaction = Transaction(b"\x90", bytes(64))
    receipt = altered(receipt, transaction_id=transaction_id(transaction))
    with pytest.raises(errors.TransactionMalformed):
        check(with_block_of(transaction, receipt))
    with pytest.raises(errors.TransactionMalformed, match="63 bytes"):
        check(with_body(sender=bytes(63)))


def test_a_bad_signature_of_the_sender_is_refused() -> None:
    transaction = claim_of(proofs().transaction).transaction
    with pytest.raises(errors.SenderSignatureInvalid):
        check(with_claim(transaction=altered(transaction, signature=bytes(64))))


@pytest.mark.parametrize(
    "change",
    [{"namespace": "parties"}, {"namespace": "x" * 300}, {"key": KEY + b"\0"}],
    ids=["namespace", "long-namespace", "key"],
)
def test_a_state_proof_of_another_key_is_refused(change: dict[str, object]) -> None:
    bundle = proofs().state
    with pytest.raises(errors.OtherState):
        check(altered(bundle, claim=altered(bundle.claim, **change)))


def test_a_state_proof_of_another_value_or_root_is_refused() -> None:
    bundle = proofs().state
    claim = bundle.claim
    assert isinstance(claim, StateClaim)
    proof = altered(claim.proof, value=VALUE + b"\0")
    with pytest.raises(errors.OtherState):
        check(altered(bundle, claim=altered(claim, proof=proof)))
    other = resigned(altered(claim.certificate.statement, state_root=bytes(32)))
    with pytest.raises(errors.OtherState):
        check(altered(bundle, claim=altered(claim, certificate=other)))


def test_a_proof_of_the_party_of_somebody_else_is_refused() -> None:
    state, absence = proofs().state.claim, proofs().absence.claim
    for claim in (state, absence):
        with pytest.raises(errors.OtherParty, match="exchanged"):
            check(with_claim(party=claim))


@pytest.mark.parametrize("stranger", range(3), ids=["absent", "number", "garbage"])
def test_an_address_to_which_the_state_ties_no_party_is_not_given_one(stranger: int) -> None:
    with pytest.raises(errors.OtherParty, match="no party"):
        check(proofs().strangers[stranger])


def test_every_error_of_a_bundle_is_tested_here() -> None:
    here = Path(__file__)
    files = (here, here.with_name("test_ledger_succession.py"))
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    for kind in BundleInvalid.__subclasses__():
        assert f"errors.{kind.__name__}" in text, kind
