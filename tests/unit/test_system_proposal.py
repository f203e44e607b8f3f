"""Proposals: who may make them and vote, how many it takes, and how they end."""

from __future__ import annotations

from functools import cache

import pytest

from contracts.bundle import init_args, system_sources
from contracts.system import proposal
from contracts.vm.codes import Code
from contracts.vm.state import StateKey
from contracts.vm.testing import Chain, account
from ledger.genesis import GenesisParty, Limits
from ledger.model import Validator, ValidatorSet
from ledger.values import Value
from tests.business import ORGANIZATIONS, PARTIES, STRANGER, code_of
from tests.council import FOUNDERS, WEEK_MS, Council

VOTERS = (*ORGANIZATIONS, "board")  # the board is a manager that runs no node
ASKED = ("parties", "governance", "policy", "proposal")  # contracts that a vote needs


def test_managers_and_organizations_propose_and_nobody_else() -> None:
    council = Council()
    council.admitted("node-bank")
    for number, who in enumerate((*PARTIES, STRANGER)):
        proposal_id = f"p{number}"
        known: list[Value] = [proposal_id, "dismiss_observer", "node-bank", "", "because"]
        new: list[Value] = [f"{proposal_id}-new", *council.admission(f"n{number}")]
        if who in VOTERS:
            council.do(who, "proposal", "propose", *known)
            council.do(who, "proposal", "admit_observer", *new)
            assert council.proposal(proposal_id)["approvals"] == [who]
        else:
            assert council.refused(who, "proposal", "propose", *known) == "proposal.role", who
            assert council.refused(who, "proposal", "admit_observer", *new) == "proposal.role"
    for node in FOUNDERS:
        assert council.node_refused(node, "proposal", "propose", *known) == "proposal.role"


def test_managers_and_organizations_vote_and_nobody_else() -> None:
    council = Council()
    council.admitted("node-bank")
    proposal_id = council.proposed("add_validator", "node-bank", who="insurer")
    for who in (*PARTIES, STRANGER):
        if who not in VOTERS:
            for method, args in (("approve", []), ("reject", ["no"]), ("withdraw", [])):
                refused = council.refused(who, "proposal", method, proposal_id, *args)
                assert refused == "proposal.role", (who, method)
    council.do("board", "proposal", "approve", proposal_id)
    council.do("opco", "proposal", "reject", proposal_id, "too soon")
    shown = council.proposal(proposal_id)
    assert (shown["approvals"], shown["rejections"]) == (["insurer", "board"], ["opco"])
    assert (shown["note"], shown["status"]) == ("too soon", "open")


def test_an_organization_that_joins_votes_once_its_validator_orders() -> None:
    council = Council()
    council.admitted("node-bank")
    council.decided("add_validator", "node-bank")
    args: list[Value] = ["p", "remove_validator", FOUNDERS[1], "", "because"]
    assert council.refused("bank", "proposal", "propose", *args) == "proposal.role"
    council.settle()
    council.do("bank", "proposal", "propose", *args)


def test_neither_the_manager_nor_the_organizations_decide_alone() -> None:
    council = Council()
    council.admitted("node-bank")
    without_manager = council.proposed("add_validator", "node-bank", who="opco")
    for who in ("health", "insurer"):
        council.do(who, "proposal", "approve", without_manager)
    assert council.status(without_manager) == "open", "a quorum, but no manager"
    too_few = council.proposed("add_validator", "node-bank", who="board")
    council.do("bureau", "proposal", "approve", too_few)
    council.do("opco", "proposal", "approve", too_few)
    assert council.status(too_few) == "open", "two managers, but two of four organizations"
    council.do("board", "proposal", "approve", without_manager)
    assert council.status(without_manager) == "approved"


def test_a_suspended_party_loses_its_vote_and_the_quorum_stays() -> None:
    council = Council()
    council.admitted("node-bank")
    proposal_id = council.proposed("dismiss_observer", "node-bank")
    council.do("opco", "proposal", "approve", proposal_id)
    council.suspend("opco")
    assert council.refused("opco", "proposal", "reject", proposal_id, "no") == "proposal.role"
    council.do("health", "proposal", "approve", proposal_id)
    assert council.status(proposal_id) == "open"
    council.do("insurer", "proposal", "approve", proposal_id)
    assert council.status(proposal_id) == "decided"


def test_a_suspended_manager_does_not_count_as_one() -> None:
    council = Council()
    council.admitted("node-bank")
    proposal_id = council.proposed("dismiss_observer", "node-bank", who="board")
    council.suspend("board")
    for who in ("opco", "health", "insurer"):
        council.do(who, "proposal", "approve", proposal_id)
    assert council.status(proposal_id) == "open"
    council.do("bureau", "proposal", "approve", proposal_id)
    assert council.status(proposal_id) == "decided"


def test_a_party_votes_once_with_whatever_account() -> None:
    council = Council()
    council.admitted("node-bank")
    council.do("board", "parties", "add_account", "opco", account("opco-2"))
    proposal_id = council.proposed("add_validator", "node-bank", who="opco")
    for who in ("opco", "opco-2"):
        assert council.refused(who, "proposal", "approve", proposal_id) == "proposal.voted"
        assert council.refused(who, "proposal", "reject", proposal_id, "no") == "proposal.voted"
    council.do("health", "proposal", "reject", proposal_id, "no")
    assert council.refused("health", "proposal", "approve", proposal_id) == "proposal.voted"


def test_an_organization_has_one_vote_whatever_number_of_nodes() -> None:
    council = Council()
    council.admitted("node-bureau-2", "bureau")
    council.decided("add_validator", "node-bureau-2")
    council.settle()
    assert council.ask(STRANGER, "governance", "organizations") == list(ORGANIZATIONS)
    council.admitted("node-bank")
    proposal_id = council.proposed("dismiss_observer", "node-bank")
    council.do("opco", "proposal", "approve", proposal_id)
    assert council.status(proposal_id) == "open"


# --- how a proposal ends --------------------------------------------------------------------------


def test_a_manager_that_is_against_it_ends_it() -> None:
    council = Council()
    council.admitted("node-bank")
    proposal_id = council.proposed("add_validator", "node-bank", who="opco")
    council.do("board", "proposal", "reject", proposal_id, "not vetted")
    assert council.status(proposal_id) == "rejected"
    for method, args in (("approve", []), ("reject", ["no"])):
        refused = council.refused("health", "proposal", method, proposal_id, *args)
        assert refused == "proposal.status"
    assert council.refused("opco", "proposal", "withdraw", proposal_id) == "proposal.status"


def test_it_is_over_when_no_quorum_is_left() -> None:
    council = Council()
    council.admitted("node-bank")
    proposal_id = council.proposed("add_validator", "node-bank")
    council.do("health", "proposal", "reject", proposal_id, "no")
    assert council.status(proposal_id) == "open", "three of four are left"
    council.do("insurer", "proposal", "reject", proposal_id, "no")
    assert council.status(proposal_id) == "rejected"


def test_only_its_party_withdraws_it_and_only_before_it_is_decided() -> None:
    council = Council()
    council.admitted("node-bank")
    proposal_id = council.proposed("dismiss_observer", "node-bank", who="opco")
    for who in VOTERS:
        if who != "opco":
            assert council.refused(who, "proposal", "withdraw", proposal_id) == "proposal.proposer"
    council.do("opco", "proposal", "withdraw", proposal_id)
    assert council.status(proposal_id) == "withdrawn"
    assert council.refused("health", "proposal", "approve", proposal_id) == "proposal.status"
    decided = council.voted("dismiss_observer", "node-bank")
    assert council.refused("bureau", "proposal", "withdraw", decided) == "proposal.status"


def test_it_expires_after_a_week() -> None:
    council = Council()
    council.admitted("node-bank")
    proposal_id = council.proposed("add_validator", "node-bank")
    expires_ms = council.proposal(proposal_id)["expires_ms"]
    assert expires_ms == council.now_ms + WEEK_MS
    council.chain.advance(time_ms=WEEK_MS - 1)
    assert council.status(proposal_id) == "open"
    council.chain.advance(time_ms=1)
    assert council.status(proposal_id) == "expired"
    for method, args in (("approve", []), ("reject", ["no"]), ("withdraw", [])):
        who = "bureau" if method == "withdraw" else "opco"
        assert council.refused(who, "proposal", method, proposal_id, *args) == "proposal.status"


@pytest.mark.parametrize("reason", ["", "r" * 513])
def test_proposals_and_rejections_give_reasons_of_bounded_length(reason: str) -> None:
    council = Council()
    args = [*council.admission("node-bank")[:-1], reason]
    assert council.refused("bureau", "proposal", "admit_observer", "p", *args) == "proposal.reason"
    council.admitted("node-bank")
    known: list[Value] = ["p", "add_validator", "node-bank", "", reason]
    assert council.refused("bureau", "proposal", "propose", *known) == "proposal.reason"
    proposal_id = council.proposed("add_validator", "node-bank")
    assert council.refused("opco", "proposal", "reject", proposal_id, reason) == "proposal.reason"


def test_an_id_is_well_formed_and_used_once() -> None:
    council = Council()
    args = council.admission("node-bank")
    for proposal_id in ("", "P", "p" * 65, "a b"):
        refused = council.refused("bureau", "proposal", "admit_observer", proposal_id, *args)
        assert refused == "proposal.id"
    council.do("bureau", "proposal", "admit_observer", "p", *args)
    other = council.admission("node-civil", "civil")
    assert council.refused("bureau", "proposal", "admit_observer", "p", *other) == "proposal.exists"
    for method, more in (("approve", []), ("reject", ["no"]), ("withdraw", [])):
        assert council.refused("bureau", "proposal", method, "x", *more) == "proposal.unknown"


def test_proposals_are_listed_as_they_stand() -> None:
    council = Council()
    council.admitted("node-bank")
    first = council.proposed("add_validator", "node-bank")
    council.chain.advance(time_ms=WEEK_MS)
    page = council.ask("bank", "proposal", "list", 0, 10)
    assert isinstance(page, list)
    assert [(row["id"], row["status"]) for row in page if isinstance(row, dict)] == [
        ("proposal-1", "decided"),
        (first, "expired"),
    ]
    assert council.ask("bank", "proposal", "list", 5, 3) == []
    for offset, limit in [(-1, 1), (0, 0), (0, 101)]:
        assert council.denied("bank", "proposal", "list", offset, limit) == "proposal.page"
    assert council.denied("bank", "proposal", "show", "x") == "proposal.unknown"
    assert council.denied(STRANGER, "proposal", "list", 0, 1) == "proposal.reader"


def test_every_step_tells_the_world() -> None:
    council = Council()
    council.admitted("node-bank")
    heard = [
        name
        for who, method, args in (
            ("bureau", "propose", ["p", "dismiss_observer", "node-bank", "", "because"]),
            ("opco", "approve", ["p"]),
            ("insurer", "reject", ["p", "no"]),
            ("health", "approve", ["p"]),
        )
        for name, _ in council.do(who, "proposal", method, *args)
    ]
    assert heard == ["Proposed", "Approved", "Approved", "Rejected", "Approved", "NodeDismissed"]
    proposal_id = council.new_id()
    council.do("bureau", "proposal", "admit_observer", proposal_id, *council.admission("x"))
    events = council.do("bureau", "proposal", "withdraw", proposal_id)
    assert events == [("Withdrawn", {"proposal_id": proposal_id, "party_id": "bureau"})]


# --- how many it takes ----------------------------------------------------------------------------


@cache
def sources() -> tuple[tuple[str, str], ...]:
    return tuple((name, source) for name, source in system_sources() if name in ASKED)


@cache
def chain_of(organizations: int) -> tuple[Chain, dict[StateKey, bytes]]:
    """So many organizations with a node each (or more, so that four order), and one manager."""
    chain = Chain()
    names = [f"o{number}" for number in range(organizations)]
    parties = [GenesisParty(name, name, ("operator",), (account(name),)) for name in names]
    parties.append(GenesisParty("m", "m", ("manager",), (account("m"),)))
    members = tuple(
        Validator(f"n{number}", names[number % organizations], bytes([number]) * 64, "a" * number)
        for number in range(1, max(organizations, 4) + 1)
    )
    args = init_args(parties, validators=ValidatorSet(members), limits=Limits())
    for name, source in sources():
        receipt = chain.deploy(name, source, args.get(name, []))
        assert receipt.status == Code.ok, receipt.detail
    return chain, dict(chain.state)


def quorum(organizations: int) -> int:
    """The smallest number such that two of that size share more than f of n."""
    faulty = (organizations - 1) // 3
    return next(q for q in range(1, 99) if 2 * q - organizations > faulty)


@pytest.mark.parametrize("organizations", range(1, 11))
def test_a_quorum_of_organizations_approves_and_one_less_does_not(organizations: int) -> None:
    chain, beginning = chain_of(organizations)
    chain.state.clear()
    chain.state.update(beginning)
    chain.advance(height=10)
    new: list[Value] = ["new", "m", bytes(64), "zzz", "", "because"]
    chain.must(account("m"), "proposal", "admit_observer", "p", *new)
    for given in range(quorum(organizations)):
        assert status(chain) == "open", given
        chain.must(account(f"o{given}"), "proposal", "approve", "p")
    assert status(chain) == "decided"


@pytest.mark.parametrize("organizations", range(1, 11))
def test_it_is_rejected_as_soon_as_a_quorum_cannot_be_reached(organizations: int) -> None:
    chain, beginning = chain_of(organizations)
    chain.state.clear()
    chain.state.update(beginning)
    chain.advance(height=10)
    new: list[Value] = ["new", "m", bytes(64), "zzz", "", "because"]
    chain.must(account("m"), "proposal", "admit_observer", "p", *new)
    for given in range(organizations - quorum(organizations) + 1):
        assert status(chain) == "open", given
        chain.must(account(f"o{given}"), "proposal", "reject", "p", "no")
    assert status(chain) == "rejected"


def test_no_more_than_128_parties_vote_on_one_proposal() -> None:
    """The largest committee, but for its quorum, and as many managers as are left."""
    chain, beginning = chain_of(64)
    chain.state.clear()
    chain.state.update(beginning)
    chain.advance(height=10)
    managers = [f"m{number}" for number in range(87)]
    for name in managers:
        words: list[Value] = [name, name, ["manager"], [account(name)]]
        chain.must(account("m"), "parties", "register", *words)
    new: list[Value] = ["new", "m", bytes(64), "zzz", "", "because"]
    chain.must(account("m"), "proposal", "admit_observer", "p", *new)
    for name in (*managers[:85], *(f"o{number}" for number in range(41))):
        chain.must(account(name), "proposal", "approve", "p")
    chain.must(account("o41"), "proposal", "reject", "p", "no")
    assert len(managers[:85]) + 41 + 2 == proposal.VOTES_MAX
    for method, args in (("approve", []), ("reject", ["no"])):
        receipt = chain.call(account(managers[-1]), "proposal", method, "p", *args)
        assert (receipt.status, code_of(receipt.detail)) == (Code.refused, "proposal.votes")
    assert status(chain) == "open"


def status(chain: Chain) -> Value:
    shown = chain.view(account("m"), "proposal", "show", "p")
    assert isinstance(shown, dict)
    return shown["status"]
