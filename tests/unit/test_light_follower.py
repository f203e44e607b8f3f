"""What follows from a trusted genesis: committees, age, and histories that cannot both be true."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from msgspec.structs import replace

from client.light.errors import (
    ChangeWithheld,
    ClockBehind,
    ForkSeen,
    StaleCertificate,
    WentBack,
)
from client.light.follower import AGE_SLACK_MS, AHEAD_MS_MAX, Follower
from client.light.trusted import CERTIFICATES_MAX, Trusted, merged, with_certificates
from client.node import NodeClient
from ledger.bundle import StateClaim
from ledger.errors import (
    CommitteeChangeInvalid,
    OtherChain,
    SignersInvalid,
    ValidatorSignatureInvalid,
)
from ledger.genesis import chain_id
from ledger.model import ExecutionCertificate, ValidatorSet
from ledger.recovery import Recovery, domain_after, next_recovery
from ledger.succession import CommitteeChange
from tests.bundle_world import claim_of, moved, proofs, resigned
from tests.ledger_world import TIME_MS, fake_verify_batch
from tests.light_world import checking, follower_of, trusting
from tests.moving_chain import TIME_MS as CHAIN_TIME_MS
from tests.moving_chain import Moving, served

CHANGES = moved().state.committee_changes


def follower(
    trusted: Trusted | None = None,
    *,
    now_ms: int = TIME_MS,
    age_ms_max: int | None = None,
    recoveries: Sequence[Recovery] = (),
) -> Follower:
    return Follower(
        trusted or trusting(moved().genesis),
        fake_verify_batch,
        now_ms=lambda: now_ms,
        age_ms_max=age_ms_max,
        recoveries=recoveries,
    )


def above(height: int) -> Sequence[CommitteeChange]:
    return tuple(change for change in CHANGES if change.base > height)


def none(height: int) -> Sequence[CommitteeChange]:
    return ()


def state_claim() -> StateClaim:
    claim = moved().state.claim
    assert isinstance(claim, StateClaim)
    return claim


def moved_certificate() -> ExecutionCertificate:
    """Of block 5, under the second committee."""
    return claim_of(moved().transaction).certificate


# --- committees -----------------------------------------------------------------------------


def test_changes_are_asked_for_once_and_only_when_they_are_needed() -> None:
    asked: list[int] = []

    def fetch(height: int) -> Sequence[CommitteeChange]:
        asked.append(height)
        return above(height)

    light = follower()
    assert light.certified(moved_certificate(), fetch).epoch == CHANGES[0].base
    assert light.state(state_claim(), fetch).certified.epoch == CHANGES[1].base
    assert asked == [0]
    assert light.trusted.changes == CHANGES


def test_what_was_learned_is_where_the_next_command_begins() -> None:
    light = follower()
    light.state(state_claim(), above)
    later = follower(light.trusted)
    assert later.state(state_claim(), none).certified.epoch == CHANGES[1].base


def test_a_withheld_change_is_noticed_by_the_first_certificate_that_hands_over() -> None:
    with pytest.raises(ChangeWithheld):
        follower().certified(CHANGES[0].certificate, none)


def test_certificates_of_the_next_committee_are_not_believed_without_the_change() -> None:
    with pytest.raises(SignersInvalid):
        follower().state(state_claim(), none)


def test_a_forged_change_teaches_nothing() -> None:
    first, second = CHANGES
    forged = replace(first, validators=second.validators)
    light = follower()
    with pytest.raises(CommitteeChangeInvalid):
        light.follow(lambda height: [forged, second])
    with pytest.raises(SignersInvalid):
        light.follow(lambda height: [second])
    assert light.trusted.changes == ()


def test_an_epoch_of_a_recovery_plan_is_passed_over() -> None:
    """It begins with the same committee, under another domain: no change that one could follow."""
    first, second = CHANGES
    again = replace(second, validators=first.validators)
    light = follower()
    assert light.follow(lambda height: [first, again, second])
    assert light.trusted.changes == CHANGES


def test_heights_above_a_recovery_plan_and_other_chains_are_refused() -> None:
    statement = replace(moved_certificate().statement, chain_id=b"\7" * 32)
    with pytest.raises(OtherChain, match="recovery plan"):
        follower().certified(resigned(statement), above)


def test_a_plan_that_is_named_is_followed_and_voids_what_went_before() -> None:
    """Block 4 is the last that counts. What was seen above it, a change too, is of no chain now."""
    five = CHANGES[0].validators
    early = replace(moved_certificate().statement, height=4)
    last = resigned(replace(early, time_ms=early.time_ms - 500), five)
    plan = next_recovery((), last, chain_id(moved().genesis), "two histories", 1)
    domain = domain_after(plan.plan)
    before = follower()
    before.state(state_claim(), above)
    assert [change.base for change in before.trusted.changes] == [3, 7]

    after = follower(before.trusted, recoveries=[plan])
    assert [change.base for change in after.trusted.changes] == [3]
    assert [seen.statement.height for seen in after.trusted.certificates] == [3]
    with pytest.raises(OtherChain):
        after.certified(moved_certificate(), none)
    renewed = resigned(replace(moved_certificate().statement, chain_id=domain), five)
    found = after.certified(renewed, none)
    assert (found.chain_id, found.epoch) == (chain_id(moved().genesis), 4)
    assert after.certified(last, none).epoch == 3, "up to the plan all is as it was"
    # The committee changes again, under the plan.
    statement = replace(CHANGES[1].certificate.statement, chain_id=domain)
    change = CommitteeChange(CHANGES[1].validators, resigned(statement, five))
    assert after.follow(lambda height: [change])
    assert after.trusted.head == 7
    again = follower(after.trusted, recoveries=[plan])
    assert again.trusted == after.trusted


# --- time -----------------------------------------------------------------------------------


def test_the_newest_block_may_be_as_old_as_a_heartbeat_and_some() -> None:
    heartbeat_ms = moved().genesis.limits.heartbeat_ms
    follower(now_ms=TIME_MS + heartbeat_ms + AGE_SLACK_MS).check_newest(1, TIME_MS)
    with pytest.raises(StaleCertificate, match="--max-age"):
        follower(now_ms=TIME_MS + heartbeat_ms + AGE_SLACK_MS + 1).check_newest(1, TIME_MS)
    with pytest.raises(StaleCertificate):
        follower(now_ms=TIME_MS + 5001, age_ms_max=5000).check_newest(1, TIME_MS)


def test_a_block_of_the_future_says_that_the_clock_is_wrong() -> None:
    follower(now_ms=TIME_MS - AHEAD_MS_MAX).check_newest(1, TIME_MS)
    with pytest.raises(ClockBehind, match="clock"):
        follower(now_ms=TIME_MS - AHEAD_MS_MAX - 1).check_newest(1, TIME_MS)


def test_the_newest_height_never_goes_back() -> None:
    light = follower()
    height = state_claim().certificate.statement.height
    light.state(state_claim(), above)
    light.check_newest(height, TIME_MS)
    with pytest.raises(WentBack, match=f"block {height} was certified already"):
        light.check_newest(height - 1, TIME_MS)


def test_a_node_that_went_back_is_asked_for_a_while_and_then_refused(moving: Moving) -> None:
    chain = moving.chain
    light = follower_of(chain)
    head = chain.store.execution_certificate(moving.head)
    assert head is not None
    key = b"\x91\xa4none"
    with served(chain) as target, NodeClient(target) as node:
        checking(node, chain, light).state("evidence", key)
        old = node.state("evidence", key, height=moving.head - 2)
        asked: list[int] = []

        class Old(NodeClient):
            def state(self, namespace: str, key: bytes, *, height: int = 0):  # type: ignore[no-untyped-def]
                asked.append(height)
                return old

        with Old(target) as laggard, pytest.raises(WentBack):
            checking(laggard, chain, light).state("evidence", key)
    assert len(asked) > 10


# --- forks ----------------------------------------------------------------------------------


def other_statement(certificate: ExecutionCertificate, **changes: object) -> ExecutionCertificate:
    committee: ValidatorSet = CHANGES[0].validators
    return resigned(replace(certificate.statement, **changes), committee)


def test_two_outcomes_of_one_block_are_a_fork() -> None:
    light = follower()
    light.certified(moved_certificate(), above)
    other = other_statement(moved_certificate(), state_root=b"\1" * 32)
    with pytest.raises(ForkSeen) as seen:
        light.certified(other, none)
    assert {seen.value.first, seen.value.second} == {moved_certificate(), other}
    assert light.trusted.certificates[-1] != other


def test_the_same_outcome_signed_by_others_is_no_fork() -> None:
    light = follower()
    certificate = moved_certificate()
    light.certified(certificate, above)
    fewer = replace(certificate, signatures=certificate.signatures[:4])
    assert light.certified(fewer, none).height == certificate.statement.height


def test_blocks_whose_times_do_not_ascend_are_a_fork() -> None:
    light = follower()
    light.certified(moved_certificate(), above)
    early = other_statement(moved_certificate(), height=6)
    with pytest.raises(ForkSeen, match="not later"):
        light.certified(early, none)


def test_a_change_below_what_the_old_committee_certified_is_a_fork() -> None:
    """Four validators sign on as if there had been no change: who is told of it later sees it."""
    light = follower()
    genesis = moved().genesis
    statement = replace(
        moved_certificate().statement, next_validators_hash=genesis.validators.digest
    )
    unaware = resigned(statement, genesis.validators)
    light.certified(unaware, none)
    with pytest.raises(ForkSeen, match="the committee changed after block 3") as seen:
        light.follow(above)
    assert seen.value.second == unaware
    assert light.trusted.changes == ()


def test_two_clients_that_were_shown_two_histories_see_it_when_they_compare(
    moving: Moving, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ours = moving.chain.forked(tmp_path_factory.mktemp("fork") / "data")
    theirs = moving.chain.forked(tmp_path_factory.mktemp("fork") / "data")
    ours.record("ours")
    theirs.record("theirs")
    told = []
    for chain in (ours, theirs):
        with served(chain) as target, NodeClient(target) as node:
            light = follower_of(chain)
            checking(node, chain, light).newest_block()
            told.append(light.trusted)
        chain.store.close()
    with pytest.raises(ForkSeen, match=f"block {moving.head + 1}"):
        merged(*told)


def test_only_the_newest_certificates_are_kept() -> None:
    statement = claim_of(proofs().transaction).certificate.statement
    many = [
        resigned(replace(statement, height=height, time_ms=TIME_MS + height))
        for height in range(1, 3 * CERTIFICATES_MAX)
    ]
    kept = with_certificates(many[::2], many[1::2])
    heights = [certificate.statement.height for certificate in kept]
    assert heights == list(range(2 * CERTIFICATES_MAX, 3 * CERTIFICATES_MAX))
    assert all(later - earlier == 1 for earlier, later in pairwise(heights))


def test_what_two_commands_learned_is_joined() -> None:
    one, other = follower(), follower()
    one.follow(above)
    other.certified(moved_certificate(), lambda height: CHANGES[:1])
    both = merged(other.trusted, one.trusted)
    assert both == merged(one.trusted, other.trusted)
    assert both.changes == CHANGES
    assert {c.statement.height for c in both.certificates} == {3, 5, 7}


def test_changes_that_part_are_a_fork_between_two_commands() -> None:
    light = follower()
    light.follow(above)
    statement = replace(CHANGES[0].certificate.statement, state_root=b"\1" * 32)
    parted = replace(
        light.trusted,
        changes=(replace(CHANGES[0], certificate=resigned(statement)),),
        certificates=(),
    )
    with pytest.raises(ForkSeen, match="follow each other differently"):
        merged(light.trusted, parted)


def test_the_real_chain_agrees_with_the_clock_of_its_tests(moving: Moving) -> None:
    light = follower_of(moving.chain)
    light.check_newest(moving.head, CHAIN_TIME_MS + 1000 * moving.head)


def test_a_bad_signature_below_what_is_known_asks_nobody() -> None:
    light = follower()
    light.follow(above)
    first, *rest = moved_certificate().signatures
    forged = replace(moved_certificate(), signatures=(replace(first, signature=bytes(64)), *rest))

    def never(height: int) -> Sequence[CommitteeChange]:
        raise AssertionError("no change could help")

    with pytest.raises(ValidatorSignatureInvalid):
        light.certified(forged, never)
