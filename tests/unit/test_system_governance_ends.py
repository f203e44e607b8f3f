"""Changes of the committee at their ends: who is still missing, what is told, and what lapses."""

from __future__ import annotations

import pytest

from contracts.bundle import init_args, system_sources
from contracts.system import governance
from contracts.vm.codes import Code
from contracts.vm.testing import Chain, account
from ledger.genesis import GenesisParty, Limits
from ledger.model import Validator, ValidatorSet
from ledger.values import Value
from tests.business import STRANGER, Business
from tests.council import CONFIRM_MS, FOUNDERS, WINDOW, Council, account_of
from tests.unit.test_engine_schedule import lead, proposed, terms_of

PROPOSAL = "contract:proposal"  # who a decided proposal acts as


# --- confirmations --------------------------------------------------------------------------------


def test_no_quorum_of_the_others_is_enough_without_the_member_that_enters() -> None:
    council = Council()
    council.admitted("node-bank")
    proposal_id = council.voted("add_validator", "node-bank")
    for name in FOUNDERS:
        assert council.confirm(name, proposal_id) == ["ChangeConfirmed"]
    assert (council.status(proposal_id), council.members()) == ("approved", list(FOUNDERS))
    assert council.confirm("node-bank", proposal_id)[-1] == "CommitteeDecided"


def test_a_member_is_asked_until_it_confirmed_or_the_time_is_over() -> None:
    council = Council()
    council.admitted("node-bank")

    def awaited(name: str) -> Value:
        return council.ask(STRANGER, "governance", "awaiting", name)

    proposal_id = council.voted("add_validator", "node-bank")
    for name in ("node-bank", *FOUNDERS):
        assert awaited(account_of(name)) == [proposal_id]
    for who in (STRANGER, "bank"):
        assert awaited(account(who)) == []
    council.confirm("node-bank", proposal_id)
    assert awaited(account_of("node-bank")) == []
    expires_ms = council.proposal(proposal_id)["expires_ms"]
    assert isinstance(expires_ms, int)
    council.pass_time(expires_ms - 1 - council.now_ms)
    assert awaited(account_of(FOUNDERS[0])) == [proposal_id]
    council.pass_time(1)
    assert awaited(account_of(FOUNDERS[0])) == []


def test_the_next_change_is_approved_in_the_millisecond_in_which_the_last_one_lapses() -> None:
    council = Council()
    council.admitted("node-bank")
    second = council.proposed("add_validator", "node-bank")
    council.do("opco", "proposal", "approve", second)
    first = council.voted("add_validator", "node-bank")
    expires_ms = council.now_ms + CONFIRM_MS
    council.pass_time(CONFIRM_MS - 2)  # the block of an act is a millisecond later
    assert council.refused("health", "proposal", "approve", second) == "governance.busy"
    council.do("health", "proposal", "approve", second)
    assert council.now_ms == expires_ms
    assert (council.status(first), council.status(second)) == ("lapsed", "approved")


def test_an_approved_change_and_one_that_lapses_with_its_observer_are_told() -> None:
    council = Council()
    council.admitted("node-bank")
    adding = council.proposed("add_validator", "node-bank")
    council.do("opco", "proposal", "approve", adding)
    events = dict(council.do("health", "proposal", "approve", adding))
    assert events["ChangeApproved"] == {
        "proposal_id": adding,
        "members": [*FOUNDERS, "node-bank"],
        "expires_ms": council.now_ms + CONFIRM_MS,
    }
    dismissing = council.proposed("dismiss_observer", "node-bank")
    council.do("opco", "proposal", "approve", dismissing)
    events = dict(council.do("health", "proposal", "approve", dismissing))
    assert events["ChangeLapsed"] == {"proposal_id": adding, "node": "node-bank"}


def test_a_withdrawal_ends_no_change_of_another_proposal() -> None:
    council = Council()
    council.admitted("node-bank")
    proposal_id = council.voted("add_validator", "node-bank")
    receipt = council.chain.call(PROPOSAL, "governance", "cancel", "another")
    assert receipt.status == Code.ok
    assert council.status(proposal_id) == "approved"


def test_an_observer_that_became_a_validator_meanwhile_is_not_dismissed() -> None:
    council = Council()
    council.admitted("node-bank")
    dismissing = council.proposed("dismiss_observer", "node-bank")
    council.do("opco", "proposal", "approve", dismissing)
    council.decided("add_validator", "node-bank")
    refused = council.refused("health", "proposal", "approve", dismissing)
    assert refused == "governance.not_observer"
    assert council.members() == [*FOUNDERS, "node-bank"]


# --- the committee --------------------------------------------------------------------------------


def founded(size: int) -> Chain:
    """A committee of so many members, all of one party, and nothing but what it needs."""
    chain = Chain()
    parties = [GenesisParty("p", "P", ("manager",), (account("p"),))]
    members = tuple(
        Validator(f"n{i}", "p", i.to_bytes(64, "big"), f"peer{i}".replace("0", "z"))
        for i in range(size)
    )
    args = init_args(parties, validators=ValidatorSet(members), limits=Limits())
    sources = dict(system_sources())
    for name in ("parties", "governance"):
        assert chain.deploy(name, sources[name], args.get(name, [])).status == Code.ok
    return chain


@pytest.mark.parametrize("size", range(1, 11))
def test_two_quorums_of_a_committee_share_an_honest_member(size: int) -> None:
    faulty = (size - 1) // 3
    least = next(count for count in range(1, 99) if 2 * count - size > faulty)
    shown = founded(size).view(account(STRANGER), "governance", "committee")
    assert isinstance(shown, dict) and shown["quorum"] == least


def test_an_organization_of_two_validators_is_named_once() -> None:
    council = Council()
    council.admitted("node-second", "opco")
    council.decided("add_validator", "node-second")
    council.settle()
    council.chain.advance(height=1)
    assert council.members("serving") == [*FOUNDERS, "node-second"]
    found = council.ask(STRANGER, "governance", "organizations")
    assert found == ["bureau", "opco", "health", "insurer"]


def test_a_committee_has_room_for_the_last_of_64() -> None:
    chain = founded(governance.MEMBERS_MAX - 1)
    chain.must(PROPOSAL, "governance", "admit", "new", "p", bytes(range(64)), "peerx", "")
    change = "governance", "check_change", "add_validator", "new", ""
    assert chain.view(account("p"), *change) is True


def test_a_genesis_may_have_a_window_of_one_height() -> None:
    chain = Chain()
    sources = dict(system_sources())
    founder: Value = [["p", "P", ["manager"], [account("p")]]]
    assert chain.deploy("parties", sources["parties"], [founder]).status == Code.ok
    members: list[Value] = [["n", "p", bytes(64), "peer", ""]]
    receipt = chain.deploy("governance", sources["governance"], [members, 1])
    assert receipt.status == Code.ok, receipt.detail


@pytest.mark.parametrize(
    ("peer_id", "address", "code"),
    [
        ("z", "", ""),
        ("z" * 128, "/" + "a" * 255, ""),
        ("z" * 129, "", "governance.peer_id"),
        ("", "", "governance.peer_id"),
        ("z", "/" + "a" * 256, "governance.address"),
    ],
)
def test_peer_ids_and_addresses_are_taken_up_to_their_bounds(
    peer_id: str, address: str, code: str
) -> None:
    new: list[Value] = ["n", "bank", bytes(64), peer_id, address]
    if code:
        assert Business().denied(STRANGER, "governance", "check_new", *new) == code
    else:
        assert Business().ask(STRANGER, "governance", "check_new", *new) is True


# --- engines --------------------------------------------------------------------------------------


def test_the_last_approval_of_a_cancellation_comes_in_time_or_not_at_all() -> None:
    council = Council()
    height = lead(council)
    council.carry(proposed(council, height))
    council.do("bureau", "proposal", "cancel_engine", "no", height, "a fault was found")
    council.do("opco", "proposal", "approve", "no")
    council.chain.advance(height=height - WINDOW - council.chain.height - 1)
    assert council.refused("health", "proposal", "approve", "no") == "proposal.from_height"
    assert len(terms_of(council.chain)) == 2
