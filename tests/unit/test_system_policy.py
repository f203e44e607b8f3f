"""Policies: what each kind of proposal needs, who changes that, and that nobody is locked out."""

from __future__ import annotations

import pytest

from contracts.system import policy, proposal
from contracts.vm.codes import Code
from contracts.vm.testing import account
from ledger.values import Value
from tests.business import HOUR_MS, PARTIES, STRANGER, code_of
from tests.council import FOUNDERS, WEEK_MS, Council, account_of

KINDS = [kind for kind, _guarded in policy.KINDS]
GUARDED = [kind for kind, guarded in policy.KINDS if guarded]
CHANGEABLE = [kind for kind in KINDS if kind != policy.FIXED]
DAY_MS = 24 * HOUR_MS
AS_FOUNDED: list[Value] = [1, 0, True, WEEK_MS]  # managers, share, has_veto, term_ms


def lay_down(
    council: Council,
    kind: str,
    *,
    managers: int = 1,
    share: int = 0,
    veto: bool = True,
    term_ms: int = WEEK_MS,
) -> str:
    """A policy that a manager and a quorum decided."""
    return council.passed("change_policy", kind, managers, share, veto, term_ms)


def shown(council: Council, kind: str) -> list[Value]:
    row = council.ask_record(STRANGER, "policy", "show", kind)
    return [row[name] for name in ("managers", "share", "has_veto", "term_ms")]


def switch(council: Council, who: str, name: str = "grant_channels") -> str:
    """A proposal of a kind that is not guarded, by anybody."""
    proposal_id = council.new_id()
    council.do(who, "proposal", "switch_feature", proposal_id, name, False, 0, "because")
    return proposal_id


def slower(council: Council, who: str) -> str:
    """A proposal of a kind that is guarded."""
    proposal_id = council.new_id()
    values: list[Value] = [["time_skew_ms_max", 6000]]
    council.do(who, "proposal", "change_parameters", proposal_id, values, 0, "because")
    return proposal_id


def approve(council: Council, proposal_id: str, *people: str) -> Value:
    for who in people:
        council.do(who, "proposal", "approve", proposal_id)
    return council.status(proposal_id)


def reject(council: Council, proposal_id: str, who: str) -> Value:
    council.do(who, "proposal", "reject", proposal_id, "no")
    return council.status(proposal_id)


# --- who changes them -----------------------------------------------------------------------------


def test_nobody_changes_policies_but_the_contract_proposal() -> None:
    council = Council()
    senders = [account(who) for who in (*PARTIES, STRANGER)]
    senders += [account_of(node) for node in FOUNDERS]
    senders += ["contract:governance", "contract:parameter", "contract:multisig"]
    for sender in senders:
        args: list[Value] = ["p", "switch_feature", 0, 1, False, DAY_MS]
        receipt = council.chain.call(sender, "policy", "change", *args)
        assert receipt.status == Code.refused, sender
        assert code_of(receipt.detail) == "policy.caller"


def test_as_the_chain_begins_every_kind_needs_a_manager_and_a_quorum() -> None:
    council = Council()
    page = council.ask(STRANGER, "policy", "list", 0, 100)
    assert isinstance(page, list)
    rows = [row for row in page if isinstance(row, dict)]
    assert [row["kind"] for row in rows] == KINDS
    for row in rows:
        assert row == council.ask(STRANGER, "policy", "show", row["kind"])
        assert shown(council, str(row["kind"])) == AS_FOUNDED
        assert (row["is_guarded"], row["proposal_id"]) == (row["kind"] in GUARDED, "")


def test_every_kind_of_proposal_has_a_policy_and_no_other() -> None:
    changes = {"add_validator", "remove_validator", "expel_validator", "replace_validator"}
    assert set(KINDS) == {*proposal.AT_ONCE, *changes}
    council = Council()
    for kind in ("", "propose", "approve", "change_policies"):
        assert council.denied(STRANGER, "policy", "show", kind) == "policy.kind"
        assert refused(council, kind, *AS_FOUNDED) == "policy.kind"


def test_who_orders_by_which_rules_and_whose_roots_count_is_guarded() -> None:
    assert set(KINDS) - set(GUARDED) == {
        "admit_observer",
        "dismiss_observer",
        "switch_feature",
        "cancel_feature",
    }


# --- what is no policy ----------------------------------------------------------------------------


def refused(council: Council, kind: str, *wanted: Value) -> str:
    """The code with which such a proposal is refused, and so is a question for it."""
    code = council.refused("bureau", "proposal", "change_policy", "no", kind, *wanted, "why")
    managers, share, _has_veto, term_ms = wanted
    assert council.denied(STRANGER, "policy", "check", kind, managers, share, term_ms) == code
    return code


@pytest.mark.parametrize("kind", CHANGEABLE)
def test_a_policy_is_within_its_bounds(kind: str) -> None:
    council = Council()
    for wanted, code in (
        ([-1, 0, True, WEEK_MS], "policy.managers"),
        ([9, 0, True, WEEK_MS], "policy.managers"),
        ([1, -1, True, WEEK_MS], "policy.share"),
        ([1, 101, True, WEEK_MS], "policy.share"),
        ([1, 0, True, HOUR_MS - 1], "policy.term"),
        ([1, 0, True, 90 * DAY_MS + 1], "policy.term"),
    ):
        assert refused(council, kind, *wanted) == code, wanted
    for managers, share, term_ms in ((8, 100, HOUR_MS), (1, 0, 90 * DAY_MS), (1, 1, DAY_MS)):
        checked = council.ask(STRANGER, "policy", "check", kind, managers, share, term_ms)
        assert checked is True


@pytest.mark.parametrize("kind", CHANGEABLE)
def test_a_guarded_kind_needs_a_manager(kind: str) -> None:
    council = Council()
    if kind in GUARDED:
        assert refused(council, kind, 0, 100, True, WEEK_MS) == "policy.manager"
    else:
        assert council.ask(STRANGER, "policy", "check", kind, 0, 1, WEEK_MS) is True


@pytest.mark.parametrize(
    ("kind", "managers", "code"),
    [
        ("change_policy", 1, "policy.fixed"),
        ("add_validator", 0, "policy.manager"),
        ("propose", 1, "policy.kind"),
    ],
)
def test_no_proposal_is_taken_for_sound_because_it_was_voted_on(
    kind: str, managers: int, code: str
) -> None:
    args: list[Value] = ["p", kind, managers, 0, True, WEEK_MS]
    receipt = Council().chain.call("contract:proposal", "policy", "change", *args)
    assert (receipt.status, code_of(receipt.detail)) == (Code.refused, code)


def test_how_policies_change_is_never_changed() -> None:
    council = Council()
    for wanted in (AS_FOUNDED, [2, 100, True, WEEK_MS], [1, 1, False, DAY_MS]):
        assert refused(council, "change_policy", *wanted) == "policy.fixed"
    assert shown(council, "change_policy") == AS_FOUNDED


def test_who_asks_for_no_page_is_told_so() -> None:
    council = Council()
    for offset, limit in ((-1, 1), (0, 0), (0, 101)):
        assert council.denied(STRANGER, "policy", "list", offset, limit) == "policy.page"


# --- how many it takes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "needed"),
    [(0, 3), (1, 1), (25, 1), (26, 2), (50, 2), (51, 3), (75, 3), (76, 4), (100, 4)],
)
def test_a_share_of_the_organizations_is_rounded_up(share: int, needed: int) -> None:
    council = Council()
    lay_down(council, "switch_feature", share=share)
    proposal_id = switch(council, "board")  # a manager that is no organization
    voters = ("bureau", "opco", "health", "insurer")
    for given, who in enumerate(voters[:needed]):
        assert council.status(proposal_id) == "open", given
        approve(council, proposal_id, who)
    assert council.status(proposal_id) == "decided"


@pytest.mark.parametrize(("share", "needed"), [(1, 3), (50, 3), (75, 3), (76, 4), (100, 4)])
def test_a_guarded_kind_takes_a_quorum_whatever_the_share(share: int, needed: int) -> None:
    council = Council()
    lay_down(council, "change_parameters", share=share)
    proposal_id = slower(council, "board")
    for given, who in enumerate(("bureau", "opco", "health", "insurer")[:needed]):
        assert council.status(proposal_id) == "open", given
        approve(council, proposal_id, who)
    assert council.status(proposal_id) == "decided"


@pytest.mark.parametrize("kind", GUARDED)
def test_the_least_of_a_guarded_policy_is_still_a_manager_and_a_quorum(kind: str) -> None:
    council = Council()
    if kind != policy.FIXED:
        lay_down(council, kind, managers=1, share=1, veto=False, term_ms=HOUR_MS)
    row = council.ask_record(STRANGER, "policy", "show", kind)
    assert row["is_guarded"] is True
    assert isinstance(row["managers"], int) and row["managers"] >= 1


def test_so_many_managers_as_the_policy_asks_for() -> None:
    council = Council()
    lay_down(council, "switch_feature", managers=2)
    proposal_id = switch(council, "opco")
    assert approve(council, proposal_id, "health", "insurer", "bureau") == "open"
    assert approve(council, proposal_id, "board") == "decided"


def test_without_managers_the_organizations_decide_alone() -> None:
    council = Council()
    lay_down(council, "switch_feature", managers=0)
    proposal_id = switch(council, "opco")
    assert approve(council, proposal_id, "health") == "open"
    assert approve(council, proposal_id, "insurer") == "decided"


def test_one_organization_may_be_enough_where_the_consortium_wants_that() -> None:
    council = Council()
    lay_down(council, "switch_feature", managers=0, share=1)
    assert council.status(switch(council, "health")) == "decided"
    assert council.ask(STRANGER, "policy", "show", "cancel_feature") != (
        council.ask(STRANGER, "policy", "show", "switch_feature")
    )


def test_a_suspended_manager_does_not_count() -> None:
    council = Council()
    lay_down(council, "switch_feature", managers=2)
    proposal_id = switch(council, "board")
    council.suspend("board")
    assert approve(council, proposal_id, "bureau", "opco", "health") == "open"
    council.do("bureau", "parties", "readmit", "board", "audit passed")
    assert approve(council, proposal_id, "insurer") == "decided"


# --- a no -----------------------------------------------------------------------------------------


def test_the_no_of_a_manager_ends_the_vote_where_managers_have_a_veto() -> None:
    council = Council()
    assert reject(council, switch(council, "opco"), "board") == "rejected"
    lay_down(council, "switch_feature", veto=False)
    proposal_id = switch(council, "opco")
    assert reject(council, proposal_id, "board") == "open"
    assert approve(council, proposal_id, "bureau", "health") == "decided"


def test_a_no_that_leaves_too_few_ends_the_vote_by_the_share() -> None:
    council = Council()
    lay_down(council, "switch_feature", share=100)
    assert reject(council, switch(council, "opco"), "insurer") == "rejected"
    lay_down(council, "switch_feature", share=25)
    proposal_id = switch(council, "board")
    for who in ("opco", "health", "insurer"):
        assert reject(council, proposal_id, who) == "open"
    assert approve(council, proposal_id, "bureau") == "decided"


def test_without_a_veto_it_ends_all_the_same_when_no_organizations_are_left() -> None:
    council = Council()
    lay_down(council, "switch_feature", veto=False, share=100)
    assert reject(council, switch(council, "opco"), "bureau") == "rejected", "of both kinds"


# --- the time that people have --------------------------------------------------------------------


@pytest.mark.parametrize("term_ms", [HOUR_MS, 90 * DAY_MS])
def test_people_have_as_long_as_the_policy_says(term_ms: int) -> None:
    council = Council()
    lay_down(council, "switch_feature", term_ms=term_ms)
    proposal_id = switch(council, "opco")
    assert council.proposal(proposal_id)["expires_ms"] == council.now_ms + term_ms
    council.chain.advance(time_ms=term_ms - 1)
    assert council.status(proposal_id) == "open"
    council.chain.advance(time_ms=1)
    assert council.status(proposal_id) == "expired"


def test_the_end_of_a_vote_stays_where_it_was() -> None:
    council = Council()
    proposal_id = switch(council, "opco")
    expires_ms = council.proposal(proposal_id)["expires_ms"]
    lay_down(council, "switch_feature", term_ms=HOUR_MS)
    assert council.proposal(proposal_id)["expires_ms"] == expires_ms


# --- policies that change while people vote -------------------------------------------------------


def test_the_policy_of_the_last_vote_counts() -> None:
    council = Council()
    tightened, loosened = switch(council, "bureau"), switch(council, "bureau", "sealed_evidence")
    approve(council, tightened, "opco")
    lay_down(council, "switch_feature", managers=2, share=100)
    assert approve(council, tightened, "health", "insurer") == "open"
    lay_down(council, "switch_feature", managers=0, share=50)
    assert council.status(tightened) == "open", "a policy decides nothing, a vote does"
    assert approve(council, loosened, "opco") == "decided"
    assert approve(council, tightened, "board") == "decided"


def test_a_veto_counts_as_of_the_no() -> None:
    council = Council()
    proposal_id = switch(council, "opco")
    lay_down(council, "switch_feature", veto=False)
    assert reject(council, proposal_id, "board") == "open"
    lay_down(council, "switch_feature", veto=True)
    assert council.status(proposal_id) == "open"
    assert approve(council, proposal_id, "health", "bureau") == "decided"


def test_two_changes_of_one_policy_may_be_open_and_the_last_decided_holds() -> None:
    council = Council()
    first, second = council.new_id(), council.new_id()
    for proposal_id, share in ((first, 50), (second, 100)):
        words: list[Value] = [proposal_id, "switch_feature", 1, share, True, DAY_MS, "because"]
        council.do("bureau", "proposal", "change_policy", *words)
    for proposal_id in (second, first):
        assert approve(council, proposal_id, "opco", "health") == "decided"
    assert shown(council, "switch_feature") == [1, 50, True, DAY_MS]
    row = council.ask_record(STRANGER, "policy", "show", "switch_feature")
    assert row["proposal_id"] == first


# --- nobody is locked out -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CHANGEABLE)
def test_a_policy_that_asks_for_too_much_is_undone_by_a_manager_and_a_quorum(kind: str) -> None:
    council = Council()
    lay_down(council, kind, managers=8, share=100, veto=True, term_ms=HOUR_MS)
    council.suspend("insurer")  # a quorum is left
    lay_down(council, kind)
    assert shown(council, kind) == AS_FOUNDED


def test_a_vote_that_lacks_managers_that_nobody_has_is_never_over_by_yes() -> None:
    council = Council()
    lay_down(council, "change_parameters", managers=8)
    proposal_id = slower(council, "bureau")
    assert approve(council, proposal_id, "board", "opco", "health", "insurer") == "open"
    lay_down(council, "change_parameters")
    again = slower(council, "bureau")
    assert approve(council, again, "opco", "health") == "decided"


def test_the_contract_is_not_frozen_and_is_repaired_like_the_others_of_the_foundation() -> None:
    council = Council()
    for who in ("bureau", "board", "opco"):
        receipt = council.act(who, "contract", "freeze", "policy", "because")
        assert receipt.status == Code.not_allowed, receipt.detail
    assert council.act("bureau", "contract", "freeze", "feature", "because").status == Code.ok


def test_a_change_tells_the_world() -> None:
    council = Council()
    proposal_id = council.new_id()
    words: list[Value] = [proposal_id, "switch_feature", 0, 50, False, DAY_MS, "because"]
    council.do("bureau", "proposal", "change_policy", *words)
    approve(council, proposal_id, "opco")
    events = council.do("health", "proposal", "approve", proposal_id)
    told = {
        "proposal_id": proposal_id,
        "kind": "switch_feature",
        "managers": 0,
        "share": 50,
        "has_veto": False,
        "term_ms": DAY_MS,
    }
    assert events[1] == ("PolicyChanged", told)
