"""Proofs across changes of the committee: each is believed on the word of the one before it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import errors
from ledger.bundle import (
    Bundle,
    Facts,
    StateClaim,
    StateFacts,
    TransactionFacts,
    check_bundle,
    decode_bundle,
    encode_bundle,
)
from ledger.encoding import encode
from ledger.errors import BundleInvalid, DecodeError
from ledger.genesis import chain_id
from ledger.model import (
    ExecutionCertificate,
    ExecutionStatement,
    Signature,
    Validator,
    ValidatorSet,
    block_hash,
    execution_message,
)
from ledger.succession import (
    CHANGE_SIZE_MAX,
    COMMITTEE_CHANGES_MAX,
    CommitteeChange,
    follow_changes,
)
from tests.bundle_world import VALUE, altered, check, claim_of, moved, resigned
from tests.ledger_world import fake_verify_batch, sign_all

FIRST, SECOND = 3, 7  # the last heights of the first two committees


def proves(bundle: Bundle) -> Facts:
    return check(bundle, moved().genesis)


def changes() -> tuple[CommitteeChange, ...]:
    return moved().state.committee_changes


def with_changes(*listed: CommitteeChange) -> Bundle:
    """The proof of the state after both changes, with other changes."""
    return altered(moved().state, committee_changes=listed)


def state_claim(bundle: Bundle) -> StateClaim:
    assert isinstance(bundle.claim, StateClaim)
    return bundle.claim


# --- what a good bundle proves ---------------------------------------------------------------


def test_each_certificate_is_that_of_the_committee_of_its_height() -> None:
    facts = proves(moved().transaction)
    assert isinstance(facts, TransactionFacts) and facts.party is not None
    sent, party = facts.certified, facts.party.certified
    assert (sent.height, sent.epoch, sent.quorum, sent.validators) == (5, FIRST, 4, 5)
    assert (party.height, party.epoch) == (8, SECOND)
    assert sent.signers == ("v0", "v2", "v3", "v4")


def test_a_state_written_under_the_first_committee_is_proven_under_the_third() -> None:
    facts = proves(moved().state)
    assert isinstance(facts, StateFacts)
    assert (facts.value, facts.certified.height, facts.certified.epoch) == (VALUE, 8, SECOND)


def test_the_last_block_of_a_committee_is_its_own_and_names_the_next() -> None:
    facts = proves(moved().handover)
    assert (facts.certified.height, facts.certified.epoch) == (SECOND, FIRST)
    statement = state_claim(moved().handover).certificate.statement
    assert statement.next_validators_hash == moved().committees[2].digest


def test_the_changes_alone_lead_from_the_genesis_to_every_committee() -> None:
    genesis = moved().genesis
    epochs = follow_changes(genesis.validators, changes(), chain_id(genesis), fake_verify_batch)
    assert [epoch.base for epoch in epochs.all] == [0, FIRST, SECOND]
    assert tuple(epoch.validators for epoch in epochs.all) == moved().committees


def test_changes_after_the_claim_do_no_harm() -> None:
    claim = altered(claim_of(moved().transaction), party=None)
    facts = proves(altered(moved().transaction, claim=claim))
    assert facts.certified.epoch == FIRST
    one = altered(moved().transaction, claim=claim, committee_changes=changes()[:1])
    assert proves(one) == facts


# --- bytes -----------------------------------------------------------------------------------


def refuses(data: bytes) -> bool:
    try:
        check_bundle(decode_bundle(data), moved().genesis, fake_verify_batch)
    except (DecodeError, BundleInvalid):
        return True
    return False


@pytest.mark.parametrize("kind", ["transaction", "state", "handover"])
def test_no_bundle_with_one_bit_flipped_proves_anything(kind: str) -> None:
    good = encode_bundle(getattr(moved(), kind))
    assert not refuses(good)
    for position in range(len(good)):
        changed = bytearray(good)
        changed[position] ^= 1 << position % 8
        assert refuses(bytes(changed)), position


@settings(max_examples=200)
@given(st.data())
def test_no_change_of_bytes_proves_anything_else(data: st.DataObject) -> None:
    good = encode_bundle(moved().state)
    changed = bytearray(good)
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(good) - 1))
        changed[position] ^= data.draw(st.integers(1, 255))
    assert bytes(changed) == good or refuses(bytes(changed))


def test_the_largest_change_that_governance_takes_fits() -> None:
    name = "x" * 64
    largest = CommitteeChange(
        ValidatorSet((Validator(name, name, bytes(64), "x" * 128),) * 64),
        ExecutionCertificate(
            ExecutionStatement(
                chain_id=bytes(32),
                height=2**63,
                block_hash=bytes(32),
                state_root=bytes(32),
                receipts_root=bytes(32),
                next_validators_hash=bytes(32),
                time_ms=2**63,
            ),
            tuple(Signature(index, bytes(64)) for index in range(64)),
        ),
    )
    assert CHANGE_SIZE_MAX // 2 < len(encode(largest)) <= CHANGE_SIZE_MAX


# --- a chain of changes that does not hold ---------------------------------------------------


def test_a_bundle_that_leaves_out_the_last_change_is_refused() -> None:
    with pytest.raises(errors.CommitteeChangeMissing, match="one is missing"):
        proves(with_changes(changes()[0]))
    with pytest.raises(errors.CommitteeChangeMissing):
        proves(altered(moved().handover, committee_changes=changes()[:1]))


def test_a_bundle_that_leaves_out_another_change_is_refused() -> None:
    with pytest.raises(errors.SignersInvalid, match="no validator 4"):
        proves(with_changes(changes()[1]))
    with pytest.raises(errors.SignersInvalid):
        proves(with_changes())


def test_changes_that_do_not_ascend_are_refused() -> None:
    first, second = changes()
    with pytest.raises(errors.CommitteeChangeInvalid, match="does not follow that after block 3"):
        proves(with_changes(first, first, second))
    ahead = altered(first.certificate.statement, height=0)
    with pytest.raises(errors.CommitteeChangeInvalid, match="does not follow that after block 0"):
        proves(with_changes(altered(first, certificate=resigned(ahead)), second))


def test_a_committee_that_its_certificate_does_not_name_is_refused() -> None:
    first, second = changes()
    other = ValidatorSet(second.validators.validators[1:])
    with pytest.raises(errors.CommitteeChangeInvalid, match="another committee"):
        proves(with_changes(first, altered(second, validators=other)))
    turned = ValidatorSet(second.validators.validators[::-1])
    with pytest.raises(errors.CommitteeChangeInvalid, match="another committee"):
        proves(with_changes(first, altered(second, validators=turned)))


def test_a_certificate_from_the_middle_of_an_epoch_changes_nothing() -> None:
    first, second = changes()
    middle = claim_of(moved().transaction).certificate
    assert first.base < middle.statement.height < second.base
    idle = CommitteeChange(moved().committees[1], middle)
    with pytest.raises(errors.CommitteeChangeInvalid, match="changes nothing"):
        proves(with_changes(first, idle, second))


def test_a_change_that_the_new_committee_signed_itself_is_refused() -> None:
    first, second = changes()
    statement = second.certificate.statement
    signatures = sign_all(execution_message(statement), second.validators, (0, 1, 2, 3))
    forged = ExecutionCertificate(statement, signatures)
    with pytest.raises(errors.ValidatorSignatureInvalid, match="v1 did not sign"):
        proves(with_changes(first, altered(second, certificate=forged)))


def test_a_change_without_a_quorum_of_the_committee_before_is_refused() -> None:
    first, second = changes()
    few = altered(second.certificate, signatures=second.certificate.signatures[:3])
    with pytest.raises(errors.QuorumMissing, match="3 signatures; 4 of 5"):
        proves(with_changes(first, altered(second, certificate=few)))


def test_a_change_of_another_chain_is_refused() -> None:
    first, second = changes()
    elsewhere = altered(second.certificate.statement, chain_id=bytes(32))
    certificate = resigned(elsewhere, moved().committees[1])
    with pytest.raises(errors.OtherChain, match="certificate of block 7"):
        proves(with_changes(first, altered(second, certificate=certificate)))


def test_more_changes_than_anybody_follows_are_refused_unread() -> None:
    many = (changes()[0],) * (COMMITTEE_CHANGES_MAX + 1)
    with pytest.raises(errors.CommitteeChangeInvalid, match="followed at most"):
        proves(with_changes(*many))


def test_a_forged_second_change_is_not_looked_at_before_the_first_holds() -> None:
    first, second = changes()
    asked: list[int] = []

    def verify(items: object) -> list[bool]:
        assert isinstance(items, list)
        asked.append(len(items))
        return [False] * len(items)

    bundle = with_changes(first, second)
    with pytest.raises(errors.ValidatorSignatureInvalid):
        check_bundle(bundle, moved().genesis, verify)
    assert asked == [3]


# --- claims that do not fit the changes ------------------------------------------------------


def test_a_statement_that_names_another_next_committee_than_the_changes_is_refused() -> None:
    claim = claim_of(moved().transaction)
    for digest in (moved().committees[2].digest, moved().committees[0].digest, bytes(32)):
        statement = altered(claim.certificate.statement, next_validators_hash=digest)
        certificate = resigned(statement, moved().committees[1])
        with pytest.raises(errors.CommitteeChangeMissing):
            proves(altered(moved().transaction, claim=altered(claim, certificate=certificate)))


def test_a_header_of_the_committee_before_is_refused() -> None:
    claim = claim_of(moved().transaction)
    header = altered(claim.header, validators_hash=moved().genesis.validators.digest)
    statement = altered(claim.certificate.statement, block_hash=block_hash(header))
    certificate = resigned(statement, moved().committees[1])
    forged = altered(claim, header=header, certificate=certificate)
    with pytest.raises(errors.OtherCommittee, match="another committee"):
        proves(altered(moved().transaction, claim=forged))


def test_the_committee_before_certifies_nothing_after_its_last_block() -> None:
    claim = state_claim(moved().state)
    statement = altered(
        claim.certificate.statement, next_validators_hash=moved().committees[2].digest
    )
    signatures = sign_all(execution_message(statement), moved().committees[1], (0, 1, 2, 3))
    certificate = ExecutionCertificate(statement, signatures)
    with pytest.raises(errors.ValidatorSignatureInvalid, match="v5 did not sign"):
        proves(altered(moved().state, claim=altered(claim, certificate=certificate)))


def test_what_leaked_keys_of_an_old_committee_certify_shows_its_epoch() -> None:
    """The limit that docs/bundle.md states: who is not shown the change cannot know of it."""
    claim = state_claim(moved().state)
    first = moved().committees[0]
    statement = altered(claim.certificate.statement, next_validators_hash=first.digest)
    forged = altered(claim, certificate=resigned(statement, first))
    facts = proves(altered(moved().state, claim=forged, committee_changes=()))
    assert (facts.certified.height, facts.certified.epoch) == (8, 0)
    with pytest.raises(BundleInvalid):
        proves(altered(moved().state, claim=forged))
