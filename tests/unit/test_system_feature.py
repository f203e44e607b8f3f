"""Features: who switches them, from which height on, and what each of them turns off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from contracts.system import feature
from contracts.vm.codes import Code
from contracts.vm.testing import account
from ledger.values import Value, encode_value
from tests.applications import Wish, signed
from tests.business import PARTIES, STRANGER, Business, code_of
from tests.business_steps import STEPS
from tests.council import FOUNDERS, Council, account_of
from tests.steps import nothing

LEAD_MAX = 10**8


def switched(council: Council, name: str, *, on: bool, not_before: int = 0) -> int:
    """A switch that was decided; the height from which it holds."""
    council.passed("switch_feature", name, on, not_before)
    from_height = shown(council, name)["from_height"]
    assert isinstance(from_height, int)
    return from_height


def shown(council: Council, name: str) -> dict[str, Value]:
    return council.ask_record(STRANGER, "feature", "show", name)


def is_on(council: Council, name: str) -> Value:
    return council.ask(STRANGER, "feature", "is_on", name)


def refused(council: Council, name: str, on: bool, not_before: int = 0) -> str:
    """The code with which such a proposal is refused, and so is a question for it."""
    code = council.refused(
        "bureau", "proposal", "switch_feature", "no", name, on, not_before, "why"
    )
    assert council.denied(STRANGER, "feature", "check", name, on, not_before) == code
    return code


def undecided(council: Council, method: str, *args: Value) -> str:
    """A proposal that lacks one vote, of health or of the insurer."""
    proposal_id = council.new_id()
    council.do("bureau", "proposal", method, proposal_id, *args, "because")
    council.do("opco", "proposal", "approve", proposal_id)
    return proposal_id


def at(council: Council, height: int) -> None:
    """The next block has this height."""
    council.chain.advance(height=height - 1 - council.chain.height)


# --- who switches them ----------------------------------------------------------------------------


def test_nobody_switches_or_cancels_but_the_contract_proposal() -> None:
    council = Council()
    switched(council, "grant_channels", on=False, not_before=council.chain.height + 500)
    senders = [account(who) for who in (*PARTIES, STRANGER)]
    senders += [account_of(node) for node in FOUNDERS]
    senders += ["contract:admission", "contract:parameter", "contract:policy", "contract:multisig"]
    for sender in senders:
        switch: list[Value] = ["p", "sealed_evidence", False, 0]
        for method, args in (("switch", switch), ("cancel", ["p", "grant_channels", 1])):
            receipt = council.chain.call(sender, "feature", method, *args)
            assert receipt.status == Code.refused, (sender, method)
            assert code_of(receipt.detail) == "feature.caller"


def test_a_vote_that_is_not_complete_switches_nothing() -> None:
    council = Council()
    undecided(council, "switch_feature", "grant_channels", False, 0)
    council.chain.advance(height=1000)
    assert is_on(council, "grant_channels") is True


# --- what is no switch ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "A", "a b", "x" * 65, "\u6570"])
def test_a_feature_has_a_name_of_the_usual_form(name: str) -> None:
    assert refused(Council(), name, True) == "feature.name"


def test_a_switch_changes_something() -> None:
    council = Council()
    for name, _contract in feature.KNOWN:
        assert refused(council, name, True) == "feature.same"
    assert refused(council, "loyalty", False) == "feature.same"
    switched(council, "grant_channels", on=False)
    council.chain.advance(height=1)
    assert refused(council, "grant_channels", False) == "feature.same"


def test_a_height_is_neither_negative_nor_beyond_all_plans() -> None:
    council = Council()
    for wanted in (-1, council.chain.height + LEAD_MAX + 3):
        assert refused(council, "loyalty", True, wanted) == "feature.not_before"
    wanted = council.chain.height + LEAD_MAX
    assert council.ask(STRANGER, "feature", "check", "loyalty", True, wanted) is True
    denied = council.denied(STRANGER, "feature", "check", "loyalty", True, wanted + 1)
    assert denied == "feature.not_before"
    assert switched(council, "loyalty", on=True, not_before=wanted) == wanted


def test_a_scheduled_switch_is_cancelled_before_another_is_decided() -> None:
    council = Council()
    from_height = switched(
        council, "grant_channels", on=False, not_before=council.chain.height + 99
    )
    for on in (True, False):
        assert refused(council, "grant_channels", on) == "feature.pending"
    at(council, from_height)
    assert (
        council.refused(
            "bureau", "proposal", "switch_feature", "p", "grant_channels", False, 0, "why"
        )
        == "feature.same"
    ), "at that very height it has happened"


def test_the_vote_that_would_switch_what_was_switched_meanwhile_is_refused() -> None:
    council = Council()
    late = undecided(council, "switch_feature", "grant_channels", False, 0)
    switched(council, "grant_channels", on=False)
    council.chain.advance(height=2)
    assert council.refused("health", "proposal", "approve", late) == "feature.same"
    assert council.status(late) == "open"


def test_the_list_is_bounded() -> None:
    council = Council()
    sender = "contract:proposal"
    for number in range(feature.FEATURES_MAX - len(feature.KNOWN)):
        name = f"f{number}"
        if number == 0:
            assert council.denied(sender, "feature", "show", name) == "feature.unknown"
        council.chain.must(sender, "feature", "switch", "p", name, True, 0)
    assert refused(council, "one-more", True) == "feature.many"
    council.chain.must(sender, "feature", "switch", "p", "f0", False, 0)


# --- from which height ----------------------------------------------------------------------------


def test_a_switch_holds_from_the_block_after_its_decision() -> None:
    council = Council()
    from_height = switched(council, "grant_channels", on=False)
    assert from_height == council.chain.height + 1
    assert is_on(council, "grant_channels") is True
    council.chain.advance(height=1)
    assert is_on(council, "grant_channels") is False


def test_a_switch_waits_for_the_height_that_it_names() -> None:
    council = Council()
    wanted = council.chain.height + 100
    assert switched(council, "loyalty", on=True, not_before=wanted) == wanted
    council.chain.advance(height=wanted - 1 - council.chain.height)
    assert is_on(council, "loyalty") is False
    council.chain.advance(height=1)
    assert is_on(council, "loyalty") is True


def test_a_height_that_passes_while_people_vote_makes_no_switch_sooner() -> None:
    council = Council()
    wanted = council.chain.height + 50
    proposal_id = undecided(council, "switch_feature", "grant_channels", False, wanted)
    at(council, wanted + 1)
    council.do("health", "proposal", "approve", proposal_id)
    assert shown(council, "grant_channels")["from_height"] == wanted + 2


def test_as_the_chain_begins_the_features_of_the_system_are_on_and_others_off() -> None:
    council = Council()
    page = council.ask(STRANGER, "feature", "list", 0, 100)
    assert isinstance(page, list)
    found = [row for row in page if isinstance(row, dict)]
    assert [(row["name"], row["contract"]) for row in found] == [*feature.KNOWN]
    for row in found:
        assert (row["before"], row["after"], row["from_height"]) == (True, True, 0)
        assert is_on(council, str(row["name"])) is True
    for name in ("loyalty", "", "x" * 100):
        assert is_on(council, name) is False
        assert council.denied(STRANGER, "feature", "show", name) == "feature.unknown"


# --- what is cancelled ----------------------------------------------------------------------------


def test_only_what_has_not_happened_is_cancelled() -> None:
    council = Council()
    for name, code in (("loyalty", "feature.unknown"), ("grant_channels", "feature.not_pending")):
        assert cancel_refused(council, name) == code
    from_height = switched(
        council, "grant_channels", on=False, not_before=council.chain.height + 99
    )
    late = undecided(council, "cancel_feature", "grant_channels")
    at(council, from_height)
    assert council.refused("health", "proposal", "approve", late) == "feature.not_pending"
    assert cancel_refused(council, "grant_channels") == "feature.not_pending"
    assert is_on(council, "grant_channels") is False


def cancel_refused(council: Council, name: str) -> str:
    code = council.refused("bureau", "proposal", "cancel_feature", "no", name, "why")
    assert council.denied(STRANGER, "feature", "check_cancel", name) == code
    return code


def test_a_cancelled_switch_does_not_happen_and_may_be_decided_anew() -> None:
    council = Council()
    wanted = council.chain.height + 99
    for name, on in (("grant_channels", False), ("loyalty", True)):
        switched(council, name, on=on, not_before=wanted)
        cancel = undecided(council, "cancel_feature", name)
        council.do("health", "proposal", "approve", cancel)
        assert is_on(council, name) is not on
        assert shown(council, name)["proposal_id"] == cancel
        switched(council, name, on=on, not_before=wanted)
        assert shown(council, name)["proposal_id"] not in ("", cancel)
        council.passed("cancel_feature", name)
    page = council.ask(STRANGER, "feature", "list", 0, 100)
    assert isinstance(page, list)
    assert len(page) == len(feature.KNOWN) + 1, "each once"
    council.chain.advance(height=200)
    for name, on in (("grant_channels", False), ("loyalty", True)):
        assert is_on(council, name) is not on
        switched(council, name, on=on)
        council.chain.advance(height=1)
        assert is_on(council, name) is on


def test_votes_against_one_switch_do_not_cancel_the_next_one() -> None:
    council, name = Council(), "grant_channels"
    wanted = council.chain.height + 99
    switched(council, name, on=False, not_before=wanted)
    stale, again = (undecided(council, "cancel_feature", name) for _ in range(2))
    council.do("health", "proposal", "approve", again)
    switched(council, name, on=False, not_before=wanted + 1)
    assert council.refused("health", "proposal", "approve", stale) == "feature.other"
    assert council.status(stale) == "open"
    at(council, wanted + 2)
    assert is_on(council, name) is False


def test_a_switch_for_the_next_block_is_cancelled_in_that_which_decided_it() -> None:
    council = Council()
    vote = undecided(council, "switch_feature", "grant_channels", False, 0)
    cancel = undecided(council, "switch_feature", "sealed_evidence", False, 0)
    height = council.chain.height + 2
    receipts = council.chain.block(
        [
            (account("health"), "proposal", "approve", [vote]),
            (account("health"), "proposal", "approve", [cancel]),
            ("contract:proposal", "feature", "cancel", ["p", "grant_channels", height]),
        ]
    )
    assert [receipt.status for receipt in receipts] == [Code.ok] * 3
    council.chain.advance(height=1)
    assert (is_on(council, "grant_channels"), is_on(council, "sealed_evidence")) == (True, False)


def test_every_switch_tells_the_world() -> None:
    council = Council()
    wanted = council.chain.height + 99
    switch = undecided(council, "switch_feature", "loyalty", True, wanted)
    events = council.do("health", "proposal", "approve", switch)
    told = {"proposal_id": switch, "name": "loyalty", "on": True, "from_height": wanted}
    assert events[1] == ("FeatureScheduled", told)
    cancel = undecided(council, "cancel_feature", "loyalty")
    events = council.do("health", "proposal", "approve", cancel)
    told = {"proposal_id": cancel, "name": "loyalty", "from_height": wanted}
    assert events[1] == ("FeatureCancelled", told)


# --- what they turn off ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gate:
    """A call that a feature lets through."""

    feature: str
    code: str
    prepare: Callable[[Business], object]
    call: tuple[str, str]  # contract, method
    args: Callable[[Business, str], list[Value]]  # of a call with this id


def a_channel(business: Business) -> None:
    business.approved()
    business.preapproved(uses_max=6)


def an_application(business: Business, id_: str) -> list[Value]:
    return signed(business, Wish(id_, party=f"lab-{id_}", keys=(id_,)))


def asked_in_the_channel(business: Business, id_: str) -> list[Value]:
    return [id_, *business.grant_terms()[:-1], "c1"]


def a_sealed_payload(business: Business, id_: str) -> list[Value]:
    step = next(step for step in STEPS if str(step) == "evidence.record_sealed")
    return [id_, *step.args(business)[1:]]


GATES = [
    Gate("member_applications", "admission.off", nothing, ("admission", "apply"), an_application),
    Gate("grant_channels", "preapproval.off", a_channel, ("grant", "request"),
         asked_in_the_channel),
    Gate("sealed_evidence", "evidence.off", nothing, ("evidence", "record_sealed"),
         a_sealed_payload),
]  # fmt: skip


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.feature)
def test_a_gate_closes_and_opens_at_the_very_height(gate: Gate) -> None:
    council = Council()
    gate.prepare(council)
    closed = switched(council, gate.feature, on=False, not_before=council.chain.height + 50)
    at(council, closed - 1)
    assert tried(council, gate, "a") == ""
    assert tried(council, gate, "b") == gate.code
    opened = switched(council, gate.feature, on=True, not_before=council.chain.height + 50)
    at(council, opened - 1)
    assert tried(council, gate, "b") == gate.code
    assert tried(council, gate, "b") == ""


def tried(council: Council, gate: Gate, id_: str) -> str:
    """How the call ends in the next block."""
    receipt = council.act("opco", *gate.call, *gate.args(council, id_))
    return code_of(receipt.detail) if receipt.status else ""


def test_every_feature_of_the_system_has_a_gate_and_says_whose() -> None:
    assert {gate.feature: gate.code.partition(".")[0] for gate in GATES} == dict(feature.KNOWN)


def test_without_channels_grants_are_requested_as_ever() -> None:
    council = Council()
    a_channel(council)
    switched(council, "grant_channels", on=False)
    council.do("opco", "grant", "request", "g1", *council.grant_terms())


OWN = '''"""A members' contract with a feature of its own."""

from __future__ import annotations

from contracts.dialect import Var, call, emit, init, require, view, view_contract

points = Var(int)


@init
def setup() -> None:
    """Nobody has points."""
    points.set(0)


@call
def collect(amount: int) -> None:
    """Adds points, once the consortium wants loyalty."""
    require(view_contract("feature", "is_on", "loyalty", returns=bool), "loyalty.off: wait")
    points.set(points.get() + amount)
    emit("Collected", amount=amount)


@view
def total() -> int:
    """All points."""
    return points.get()
'''


def test_a_contract_of_the_members_waits_for_a_feature_of_its_own() -> None:
    council = Council()
    council.do("opco", "contract", "deploy", "loyalty", OWN, encode_value([]))
    assert council.refused("bank", "loyalty", "collect", 5) == "loyalty.off"
    from_height = switched(council, "loyalty", on=True, not_before=council.chain.height + 50)
    at(council, from_height - 1)
    assert council.refused("bank", "loyalty", "collect", 5) == "loyalty.off"
    council.do("bank", "loyalty", "collect", 5)
    assert council.ask("bank", "loyalty", "total") == 5
    page = council.ask(STRANGER, "feature", "list", len(feature.KNOWN), 100)
    assert isinstance(page, list) and isinstance(page[0], dict)
    assert (page[0]["name"], page[0]["contract"], page[0]["before"]) == ("loyalty", "", False)
