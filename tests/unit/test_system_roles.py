"""Every step of the business, tried by everybody who must not take it, then by who may."""

from __future__ import annotations

import pytest

from contracts.vm.testing import account
from tests.business import PARTIES, STRANGER, Business
from tests.business_steps import STEPS
from tests.steps import Step

OTHER_ORGANIZATIONS = ("board", "rival", "archive", "bank")
# Who may vote depends on who runs a node.
OF_OTHERS = [step for step in STEPS if step.contract not in ("proposal", "governance")]

# To accept a task each brings its own rows.
ALIKE_FOR_ALL = [step for step in STEPS if str(step) != "task.accept"]


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_nobody_but_the_right_party_takes_this_step(step: Step) -> None:
    business = Business()
    step.prepare(business)
    args = step.args(business)
    roles_allowed = {PARTIES[who] for who in step.allowed}
    for who in (*PARTIES, STRANGER):
        if who in step.allowed:
            continue
        is_peer = step.peer_code != "" and PARTIES.get(who) in roles_allowed
        assert business.refused(who, step.contract, step.method, *args) == (
            step.peer_code if is_peer else step.code
        ), who
    business.do(step.allowed[0], step.contract, step.method, *args)


@pytest.mark.parametrize("step", ALIKE_FOR_ALL, ids=str)
def test_each_of_the_right_parties_takes_this_step(step: Step) -> None:
    business = Business()
    step.prepare(business)
    args = step.args(business)
    chain = business.chain
    before, height, time_ms = dict(chain.state), chain.height, chain.time_ms
    for who in step.allowed:
        chain.state.clear()
        chain.state.update(before)
        chain.height, chain.time_ms = height, time_ms
        business.do(who, step.contract, step.method, *args)


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_a_suspended_party_takes_no_step_until_it_is_readmitted(step: Step) -> None:
    business = Business()
    step.prepare(business)
    args = step.args(business)
    who = step.allowed[0]
    other_manager = "board" if who == "bureau" else "bureau"
    business.do(other_manager, "parties", "suspend", who, "under audit")
    assert business.refused(who, step.contract, step.method, *args) == step.code
    business.do(other_manager, "parties", "readmit", who, "audit passed")
    business.do(who, step.contract, step.method, *args)


@pytest.mark.parametrize("step", OF_OTHERS, ids=str)
def test_a_revoked_party_takes_no_step_and_is_not_readmitted(step: Step) -> None:
    business = Business(OTHER_ORGANIZATIONS)  # who runs a node is not revoked
    step.prepare(business)
    args = step.args(business)
    who = step.allowed[0]
    business.do("board", "parties", "revoke", who, "gave the data away")
    assert business.refused(who, step.contract, step.method, *args) == step.code
    assert business.refused("board", "parties", "readmit", who, "why") == "parties.revoked"


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_an_account_that_was_removed_takes_no_step(step: Step) -> None:
    business = Business()
    step.prepare(business)
    args = step.args(business)
    who = step.allowed[0]
    other_manager = "board" if who == "bureau" else "bureau"
    business.do(other_manager, "parties", "add_account", who, account("second"))
    business.do(other_manager, "parties", "remove_account", who, account(who))
    assert business.refused(who, step.contract, step.method, *args) == step.code


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_every_step_tells_the_world_what_it_changed(step: Step) -> None:
    business = Business()
    step.prepare(business)
    args = step.args(business)
    events = business.do(step.allowed[0], step.contract, step.method, *args)
    assert events, "no event"
    assert all(fields for _name, fields in events)
    subject = args[0]
    assert any(subject in fields.values() for _name, fields in events)
