"""Recovery plans as records: what is none, who may decide one, and under which domain who signs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.committee import Epoch, Epochs
from ledger.disk import Disk
from ledger.encoding import encode
from ledger.errors import DecodeError, LedgerDamaged, RecoveryInvalid
from ledger.model import EMPTY_DIGEST, Address, Validator, ValidatorSet, address_of
from ledger.recovery import (
    REASON_MAX,
    Party,
    PlanSignature,
    Recovery,
    RecoveryPlan,
    check_authority,
    decode_recovery,
    domain_after,
    next_recovery,
    plan_digest,
    plan_message,
    quorum_of,
    verify_recovery,
    with_signature,
)
from ledger.schema import RECOVERY, at_height
from ledger.store import Store
from tests.ledger_world import World, committee, fake_sign, fake_verify_batch

CHAIN = bytes([9]) * 32


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path / "ledger")
    for height in (1, 2, 3):
        made.commit()
        made.certify(height)
    return made


def plan_of(world: World, height: int = 3, *earlier: Recovery) -> Recovery:
    certificate = world.execution_certificate(height)
    return next_recovery(earlier, certificate, world.chain_id, "a fork", 7)


def signed_by(recovery: Recovery, *numbers: int) -> Recovery:
    for number in numbers:
        key = bytes([number]) * 64
        signature = fake_sign(key, plan_message(recovery.plan))
        recovery = with_signature(recovery, PlanSignature(key, signature))
    return recovery


# --- bytes ----------------------------------------------------------------------------------


def test_a_recovery_survives_its_encoding(world: World) -> None:
    recovery = signed_by(plan_of(world), 3, 1, 2)
    assert decode_recovery(encode(recovery)) == recovery
    keys = [entry.public_key[0] for entry in recovery.signatures]
    assert keys == [1, 2, 3], "in one order, whoever signed first"


@given(data=st.binary(max_size=200))
def test_arbitrary_bytes_are_no_recovery(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_recovery(data)


Change = Callable[[RecoveryPlan], RecoveryPlan]
CHANGES: dict[str, Change] = {
    "version": lambda plan: msgspec.structs.replace(plan, version=2),
    "number 0": lambda plan: msgspec.structs.replace(plan, number=0),
    "height 0": lambda plan: msgspec.structs.replace(plan, height=0),
    "time": lambda plan: msgspec.structs.replace(plan, time_ms=-1),
    "no reason": lambda plan: msgspec.structs.replace(plan, reason=""),
    "long reason": lambda plan: msgspec.structs.replace(plan, reason="长" * REASON_MAX),
    "first with a predecessor": lambda plan: msgspec.structs.replace(plan, previous=CHAIN),
    "second without": lambda plan: msgspec.structs.replace(plan, number=2),
    "short hash": lambda plan: msgspec.structs.replace(plan, block_hash=b"x"),
    "short chain": lambda plan: msgspec.structs.replace(plan, chain_id=b""),
}


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_plans_of_a_wrong_form_are_refused(world: World, change: str) -> None:
    good = plan_of(world)
    bad = msgspec.structs.replace(good, plan=CHANGES[change](good.plan))
    with pytest.raises(DecodeError):
        decode_recovery(encode(bad))


def test_signatures_out_of_order_twice_or_too_many_are_refused(world: World) -> None:
    good = signed_by(plan_of(world), 1, 2)
    first, second = good.signatures
    many = tuple(PlanSignature(i.to_bytes(64, "big"), bytes(64)) for i in range(257))
    for entries in ((second, first), (first, first), many):
        with pytest.raises(DecodeError, match="do not ascend"):
            decode_recovery(encode(msgspec.structs.replace(good, signatures=entries)))


def test_nobody_drafts_what_nobody_can_read(world: World) -> None:
    with pytest.raises(DecodeError, match="reason"):
        next_recovery((), world.execution_certificate(1), world.chain_id, "", 1)


# --- its place in the chain -----------------------------------------------------------------


def test_plans_follow_each_other(world: World) -> None:
    first = plan_of(world, 2)
    second = plan_of(world, 3, first)
    assert second.plan.previous == plan_digest(first.plan)
    verify_recovery(second, (first,), world.chain_id, fake_verify_batch)
    for recovery, earlier in ((second, ()), (first, (first,)), (second, (plan_of(world, 3),))):
        with pytest.raises(RecoveryInvalid, match="in their order"):
            verify_recovery(recovery, earlier, world.chain_id, fake_verify_batch)


def test_no_plan_goes_back_behind_an_earlier_one(world: World) -> None:
    first = plan_of(world, 3)
    with pytest.raises(RecoveryInvalid, match="stays"):
        verify_recovery(plan_of(world, 2, first), (first,), world.chain_id, fake_verify_batch)


def test_every_part_of_a_plan_makes_another_domain(world: World) -> None:
    plan = plan_of(world).plan
    replace = msgspec.structs.replace
    others = [
        plan,
        replace(plan, height=2),
        replace(plan, reason="b"),
        replace(plan, block_hash=CHAIN),
        replace(plan, number=2, previous=CHAIN),
        replace(plan, chain_id=CHAIN),
    ]
    assert len({domain_after(one) for one in others}) == len(others)
    assert domain_after(plan) not in (plan.chain_id, plan_digest(plan), EMPTY_DIGEST)


# --- who may decide it ----------------------------------------------------------------------


def register(**parties: Party) -> Callable[[Address], Party | None]:
    by_address = {address_of(bytes([int(key[1:])]) * 64): party for key, party in parties.items()}
    return by_address.get


def organization(index: int, *, is_active: bool = True, is_manager: bool = False) -> Party:
    return Party(f"party{index}", is_active, is_manager)


def test_one_organization_counts_once_however_many_accounts_sign(world: World) -> None:
    manager = Party("m", is_active=True, is_manager=True)
    found = register(
        a1=organization(0), a2=organization(0), a3=organization(0), a4=organization(1), a5=manager
    )
    recovery = signed_by(plan_of(world), 1, 2, 3, 4, 5)
    with pytest.raises(RecoveryInvalid, match="2 of 4 organizations signed the plan, 3 must"):
        check_authority(recovery, committee(), found)


def test_validators_of_one_party_are_one_organization(world: World) -> None:
    members = [msgspec.structs.replace(v, party="party0") for v in committee().validators[:2]]
    validators = ValidatorSet((*members, *committee().validators[2:]))
    found = register(a1=organization(0), a2=organization(2, is_manager=True), a3=organization(3))
    with pytest.raises(RecoveryInvalid, match="1 of 3 organizations signed the plan, 2 must"):
        check_authority(signed_by(plan_of(world), 1), validators, found)
    check_authority(signed_by(plan_of(world), 1, 2), validators, found)


def test_the_managers_signature_may_be_one_of_the_quorums(world: World) -> None:
    found = register(a1=organization(0, is_manager=True), a2=organization(1), a3=organization(2))
    check_authority(signed_by(plan_of(world), 1, 2, 3), committee(), found)


@pytest.mark.parametrize("silenced", [1, 4])
def test_suspended_parties_have_no_voice(world: World, silenced: int) -> None:
    voices = {
        f"a{number}": organization(number, is_active=number != silenced) for number in (1, 2, 3)
    }
    voices["a4"] = Party("m", is_active=silenced != 4, is_manager=True)
    with pytest.raises(RecoveryInvalid):
        check_authority(signed_by(plan_of(world), 1, 2, 3, 4), committee(), register(**voices))


def test_strangers_have_no_voice(world: World) -> None:
    with pytest.raises(RecoveryInvalid, match="0 of 4"):
        check_authority(signed_by(plan_of(world), 1, 2, 3, 4), committee(), register())


@given(size=st.integers(min_value=1, max_value=64))
def test_two_quorums_of_organizations_share_one_that_is_honest(size: int) -> None:
    members = (Validator("v", "p", bytes(64), "peer"),) * size
    assert quorum_of(size) == ValidatorSet(members).quorum


# --- epochs and domains ---------------------------------------------------------------------

A, B = committee(4), committee(5)
ONE, TWO = bytes([1]) * 32, bytes([2]) * 32


def test_above_a_plan_the_same_committee_signs_for_another_domain() -> None:
    epochs = Epochs([Epoch(0, A, CHAIN)]).with_recovery(10, ONE)
    assert epochs.at(10) == Epoch(0, A, CHAIN)
    assert epochs.at(11) == Epoch(10, A, ONE)
    assert epochs.last_of(epochs.at(10)) == 10
    assert epochs.newest.base == 0, "blocks decided only the first"


def test_a_committee_decided_below_a_plan_takes_office_above_it() -> None:
    epochs = Epochs([Epoch(0, A, CHAIN), Epoch(12, B, CHAIN)]).with_recovery(10, ONE)
    found = [epochs.at(height) for height in (10, 11, 12, 13)]
    assert found == [Epoch(0, A, CHAIN), Epoch(10, A, ONE), Epoch(10, A, ONE), Epoch(12, B, ONE)]


def test_it_does_not_matter_which_was_known_first() -> None:
    known = Epochs([Epoch(0, A, CHAIN)]).with_recovery(10, ONE).with_next(Epoch(8, B, CHAIN))
    later = Epochs([Epoch(0, A, CHAIN), Epoch(8, B, CHAIN)]).with_recovery(10, ONE)
    assert known.all == later.all
    assert known.at(11) == Epoch(10, B, ONE)


def test_a_plan_where_an_epoch_ends_renews_the_next_one() -> None:
    epochs = Epochs([Epoch(0, A, CHAIN), Epoch(10, B, CHAIN)]).with_recovery(10, ONE)
    assert epochs.all == (Epoch(0, A, CHAIN), Epoch(10, B, ONE))


def test_a_second_plan_for_one_block_counts_instead_of_the_first() -> None:
    epochs = Epochs([Epoch(0, A, CHAIN)]).with_recovery(10, ONE).with_recovery(10, TWO)
    assert epochs.at(11) == Epoch(10, A, TWO)


# --- in the ledger --------------------------------------------------------------------------


def test_a_ledger_remembers_the_plans_it_follows(world: World) -> None:
    first = plan_of(world, 3)
    world.store.follow(first)
    second = plan_of(world, 3, first)
    world.store.follow(second)
    world.reopen()
    store = world.store
    assert store.recoveries == (first, second)
    assert store.recoveries_at(3) == (first, second)
    assert store.recoveries_at(2) == ()
    assert store.current_epoch == Epoch(3, world.validators, domain_after(second.plan))
    store.scrub()


def test_a_ledger_that_lacks_one_of_its_plans_is_damaged(world: World) -> None:
    first = plan_of(world, 3)
    world.store.follow(first)
    world.store.follow(plan_of(world, 3, first))
    world.store.close()
    disk = Disk(world.path)
    disk.write([(at_height(RECOVERY, 1), None)])
    disk.close()
    with pytest.raises(LedgerDamaged, match="table of recoveries"):
        Store.open(world.path)
