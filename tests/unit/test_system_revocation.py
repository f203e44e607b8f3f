"""What is left of a party that was revoked for good: its records, and no voice anywhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.vm.testing import account
from ledger.values import Value, encode_value
from tests.applications import LAB, applicant, applied, decision, signed
from tests.business import (
    ALGORITHM,
    STRANGER,
    Business,
    acceptance,
    dataset_of,
    digest,
    result,
)

# They run the nodes here, so that all the others can be revoked.
ORGANIZATIONS = ("board", "rival", "archive", "bank")
REFUSED: list[tuple[str, list[Value]]] = [
    ("add_account", [account("new")]),
    ("remove_account", [account("opco")]),
    ("replace_account", [account("opco"), account("new"), "lost"]),
    ("name_keeper", [account("new"), "agreement"]),
    ("suspend", ["again"]),
    ("readmit", ["mistaken"]),
    ("revoke", ["again"]),
]


def revoked(party: str = "opco", business: Business | None = None) -> Business:
    found = Business(ORGANIZATIONS) if business is None else business
    found.do("board", "parties", "revoke", party, "gave the data away")
    return found


@pytest.mark.parametrize("reason", ["", "r" * 513])
def test_a_revocation_needs_a_reason_of_bounded_length(reason: str) -> None:
    business = Business()
    assert business.refused("bureau", "parties", "revoke", "rival", reason) == "parties.reason"
    assert business.refused("bureau", "parties", "revoke", "nobody", "x") == "parties.unknown"


def test_no_manager_revokes_its_own_party() -> None:
    business = Business()
    business.do("bureau", "parties", "add_account", "board", account("board-2"))
    for who in ("board", "board-2"):
        assert business.refused(who, "parties", "revoke", "board", "why") == "parties.own_party"
    business.do("bureau", "parties", "revoke", "board", "why")


@pytest.mark.parametrize("party", ["bureau", "opco", "health", "insurer"])
def test_who_runs_a_node_is_not_revoked_before_its_node_has_left(party: str) -> None:
    """Its seat would count in every quorum of organizations, and its vote never come again."""
    assert Business().refused("board", "parties", "revoke", party, "why") == "parties.nodes"


def test_an_observer_of_a_party_is_dismissed_first() -> None:
    business = Business()
    node: list[Value] = ["n", "rival", bytes(64), "peer", "", "grow"]
    business.do("bureau", "proposal", "admit_observer", "c1", *node)
    for who in ("opco", "health"):
        business.do(who, "proposal", "approve", "c1")
    assert business.refused("bureau", "parties", "revoke", "rival", "why") == "parties.nodes"
    business.do("bureau", "proposal", "propose", "c2", "dismiss_observer", "n", "", "why")
    for who in ("opco", "health"):
        business.do(who, "proposal", "approve", "c2")
    business.do("bureau", "parties", "revoke", "rival", "why")


@pytest.mark.parametrize("is_suspended", [False, True])
def test_nothing_of_a_revoked_party_changes_any_more(is_suspended: bool) -> None:
    business = Business(ORGANIZATIONS)
    if is_suspended:
        business.suspend("opco")
    revoked("opco", business)
    for method, args in REFUSED:
        for who in ("bureau", "board"):
            code = business.refused(who, "parties", method, "opco", *args)
            assert code == "parties.revoked", method
    shown = business.ask_record(STRANGER, "parties", "show", "opco")
    assert (shown["status"], shown["reason"]) == ("revoked", "gave the data away")
    assert business.ask(STRANGER, "parties", "suspension_of", "opco") == 0


def test_its_accounts_and_its_keeper_speak_for_nobody() -> None:
    business = Business(ORGANIZATIONS)
    business.do("bureau", "parties", "name_keeper", "opco", account("keeper"), "agreement")
    business.do("bureau", "parties", "add_account", "opco", account("desk"))
    business.do("bureau", "parties", "remove_account", "opco", account("desk"))
    revoked("opco", business)
    lost: list[Value] = ["opco", account("opco"), account("new"), "lost"]
    assert business.refused("keeper", "parties", "replace_account", *lost) == "parties.revoked"
    address = account("opco")
    assert business.ask(STRANGER, "parties", "party_of", address) == "opco"  # its records stay
    assert business.ask(STRANGER, "parties", "active_party_of", address) == ""
    assert business.ask(STRANGER, "parties", "standing", address) == ["", []]
    assert business.ask(STRANGER, "parties", "party_has_role", "opco", "operator") is False
    for who in ("opco", "keeper", "desk"):
        assert business.ask(STRANGER, "parties", "is_barred", account(who)) is True
    assert business.ask(STRANGER, "parties", "is_barred", account("rival")) is False


def test_its_id_and_its_addresses_are_nobodys_again() -> None:
    business = Business(ORGANIZATIONS)
    applied(business, replace(LAB, roles=("supplier",), sponsor="rival"))
    business.do("board", "admission", "admit", *decision(business))
    revoked("lab", business)
    again: list[Value] = ["lab", "Lab", ["supplier"], [account("new")]]
    assert business.refused("board", "parties", "register", *again) == "parties.exists"
    other = replace(LAB, id="a2", party="lab-2", sponsor="rival")
    refused = business.refused("rival", "admission", "apply", *signed(business, other))
    assert refused == "parties.account_bound"
    address: list[Value] = ["bank", applicant("lab").address]
    assert business.refused("board", "parties", "add_account", *address) == "parties.account_bound"


def test_a_revoked_sponsor_vouches_for_nobody() -> None:
    business = Business(ORGANIZATIONS)
    applied(business)
    words = decision(business)
    revoked("opco", business)
    assert business.refused("bureau", "admission", "admit", *words) == "admission.sponsor"
    other = replace(LAB, id="a2", party="lab-2", keys=("lab-2",), sponsor="opco")
    code = business.refused("opco", "admission", "apply", *signed(business, other))
    assert code == "admission.role"


def test_a_revoked_manager_is_no_other_manager_to_decide() -> None:
    business = Business()
    applied(business, replace(LAB, roles=("supplier",), sponsor="bureau"))
    words = decision(business)
    assert business.refused("bureau", "admission", "admit", *words) == "admission.self"
    business.do("bureau", "parties", "revoke", "board", "dissolved")
    business.do("bureau", "admission", "admit", *words)


# --- what it was in the middle of ---------------------------------------------------------------


@pytest.mark.parametrize("party", ["opco", "insurer"])
def test_no_grant_of_which_it_is_a_side_is_used_any_more(party: str) -> None:
    business = Business(ORGANIZATIONS)
    business.granted()
    assert business.ask("rival", "grant", "is_valid", "g1") is True
    revoked(party, business)
    assert business.ask("rival", "grant", "is_valid", "g1") is False
    assert business.denied("rival", "grant", "ensure_valid", "g1") == "grant.suspended"
    covered: list[Value] = ["g1", "opco", [dataset_of("health")], ALGORITHM]
    assert business.denied("rival", "grant", "ensure_covers", *covered) == "grant.suspended"
    code = business.refused("opco", "task", "create", *business.order())
    assert code == ("grant.suspended" if party == "insurer" else "task.role")
    business.do("bureau", "grant", "revoke", "g1", "its side is revoked")


@pytest.mark.parametrize(("party", "code"), [("opco", "grant.suspended"),
                                             ("insurer", "grant.suspended")])  # fmt: skip
def test_a_task_for_it_that_waits_is_accepted_by_nobody(party: str, code: str) -> None:
    business = Business(ORGANIZATIONS)
    business.created()
    revoked(party, business)
    assert business.refused("health", "task", "accept", *acceptance("health")) == code
    business.do("bureau", "task", "cancel", "t1")


def test_a_result_of_it_is_read_by_it_no_more() -> None:
    business = Business(ORGANIZATIONS)
    business.finished()
    business.ask("opco", "task", "share", "t1", "health")
    revoked("opco", business)
    assert business.denied("opco", "task", "share", "t1", "health") == "task.reader"
    made: list[Value] = ["p1", "t1", "Table", "", digest("result"), "statistics"]
    assert business.refused("opco", "product", "register", *made) == "product.role"


def test_no_product_is_made_for_a_consumer_that_is_revoked() -> None:
    business = Business(ORGANIZATIONS)
    business.finished()
    revoked("insurer", business)
    made: list[Value] = ["p1", "t1", "Table", "", digest("result"), "statistics"]
    assert business.refused("opco", "product", "register", *made) == "grant.suspended"


def test_a_supplier_that_is_revoked_brings_nothing_in_any_more() -> None:
    business = Business(ORGANIZATIONS)
    business.running()
    business.authorize("g2")
    revoked("social", business)
    assert business.refused("social", "task", "report", *result("social")) == "task.participant"
    for supplier in ("health", "civil"):
        business.report(supplier)
    business.pass_time(3_600_000)
    business.do("health", "task", "expire", "t1")
    code = business.refused("opco", "task", "create", *business.order("t2", "g2"))
    assert code == "task.supplier"


@pytest.mark.parametrize("party", ["opco", "insurer", "civil"])
def test_a_job_with_it_comes_to_no_further_step(party: str) -> None:
    business = Business(ORGANIZATIONS)
    business.dispatched()
    revoked(party, business)
    code = business.refused("opco", "task", "create", *business.step_order("first", "t1"))
    assert code in ("task.role", "grant.suspended", "task.supplier")
    business.do("bureau", "job", "cancel", "j1", "a party of it is revoked")


def test_an_algorithm_of_a_revoked_provider_runs_no_more() -> None:
    business = revoked("chipworks")
    denied = business.denied("bureau", "algorithm", "ensure_runnable", ALGORITHM)
    assert denied == "algorithm.provider"


def test_nothing_is_delivered_to_or_accepted_by_it() -> None:
    business = Business(ORGANIZATIONS)
    business.offered()
    revoked("insurer", business)
    answer: list[Value] = ["v1", digest("payload"), True, ""]
    assert business.refused("insurer", "delivery", "accept", *answer) == "delivery.role"
    offer: list[Value] = ["v2", "p1", "insurer", digest("agreement"), digest("payload")]
    refused = business.refused("opco", "delivery", "offer", *offer)
    assert refused in ("delivery.suspended", "grant.suspended")


def test_it_is_engaged_by_nobody_again_and_an_open_choice_is_not_passed() -> None:
    business = Business(ORGANIZATIONS)
    business.do("opco", "oversight", "select", "x1", "devhouse", "")
    business.do("rival", "oversight", "select", "x2", "devhouse", "")
    business.do("bureau", "oversight", "review", "x2", True, "")
    revoked("devhouse", business)
    passed: list[Value] = ["x1", True, ""]
    assert business.refused("bureau", "oversight", "review", *passed) == "oversight.revoked"
    business.do("bureau", "oversight", "review", "x1", False, "it is revoked")
    code = business.refused("opco", "oversight", "select", "x3", "devhouse", "")
    assert code == "oversight.revoked"
    business.do("rival", "oversight", "end", "x2", "it is revoked")


def test_a_revoked_operator_supervises_nobody() -> None:
    business = Business(ORGANIZATIONS)
    business.do("opco", "oversight", "select", "x1", "devhouse", "")
    business.do("bureau", "oversight", "review", "x1", True, "")
    revoked("opco", business)
    assert business.ask(STRANGER, "oversight", "supervises", "opco", "devhouse", "") is False


def test_what_is_open_about_it_is_brought_to_an_end_by_managers() -> None:
    business = Business(ORGANIZATIONS)
    said: list[Value] = ["disk", "opco", "development", "warning", "the disk is full", b""]
    business.do("rival", "alert", "report", *said)
    about: list[Value] = ["Leak", "development", "critical", "opco", ["alert-1"]]
    business.do("bureau", "incident", "open", "i1", *about)
    business.do("bureau", "incident", "cut_party", "i1", "leak")
    revoked("opco", business)
    business.do("bureau", "incident", "lift", "i1", 1, "it is revoked")
    assert business.ask_record(STRANGER, "parties", "show", "opco")["status"] == "revoked"
    business.do("bureau", "incident", "close", "i1", "revoked", digest("report"))
    business.do("bureau", "alert", "close", "alert-1", "revoked")
    business.do("bureau", "incident", "open", "i2", *about[:4], [])
    refused = business.refused("bureau", "incident", "cut_party", "i2", "leak")
    assert refused == "parties.revoked"


def test_a_node_log_of_it_is_anchored_by_nobody() -> None:
    business = revoked("opco")
    anchor: list[Value] = [1, 1, 9, digest("head"), 0]
    assert business.refused("opco", "evidence", "anchor_access", *anchor) == "evidence.anchor_role"


def test_an_approval_by_a_manager_that_is_revoked_decides_no_proposal() -> None:
    business = Business()
    node: list[Value] = ["n", "bank", bytes(64), "peer", "", "grow"]
    business.do("board", "proposal", "admit_observer", "c1", *node)
    business.do("bureau", "parties", "revoke", "board", "dissolved")
    for who in ("opco", "health", "insurer"):
        business.do(who, "proposal", "approve", "c1")
    assert business.ask_record("opco", "proposal", "show", "c1")["status"] == "open"
    business.do("bureau", "proposal", "approve", "c1")
    assert business.ask_record("opco", "proposal", "show", "c1")["status"] == "decided"


# --- joint accounts -----------------------------------------------------------------------------


def joint(business: Business, party: str) -> str:
    """An account of `party` of which two of opco, civil and social decide."""
    members: list[Value] = [*sorted(account(who) for who in ("opco", "civil", "social"))]
    business.do("opco", "multisig", "open_account", 2, members, "three desks")
    rows = business.ask("opco", "multisig", "list", 0, 1)
    assert isinstance(rows, list) and isinstance(rows[0], dict)
    address = rows[0]["id"]
    assert isinstance(address, str)
    business.do("bureau", "parties", "add_account", party, address)
    return address


def proposed(business: Business, address: str) -> Value:
    """Civil proposes that the joint account records evidence; the digest to approve."""
    args: list[Value] = ["e1", "development.process", "x", digest("log"), ""]
    act: list[Value] = ["j1", address, "evidence", "record", encode_value(args), "why"]
    business.do("civil", "multisig", "propose", *act)
    return business.ask_record("civil", "multisig", "act", "j1")["digest"]


def test_a_member_of_a_revoked_party_decides_nothing_and_its_approval_counts_no_more() -> None:
    business = Business(ORGANIZATIONS)
    address = joint(business, "health")
    approved = proposed(business, address)
    revoked("civil", business)
    for method, args in (("approve", [approved]), ("reject", ["why"])):
        assert business.refused("civil", "multisig", method, "j1", *args) == "multisig.lost"
    business.do("opco", "multisig", "approve", "j1", approved)  # the second, and the first to count
    assert business.ask_record("opco", "multisig", "act", "j1")["status"] == "open"
    events = business.do("social", "multisig", "approve", "j1", approved)
    performed = dict(events)["JointActPerformed"]
    assert performed["approvals"] == [account("opco"), account("social")]
    assert business.ask_record("bank", "evidence", "show", "e1")["party"] == "health"


def test_a_joint_account_of_a_revoked_party_speaks_for_nobody() -> None:
    business = Business(ORGANIZATIONS)
    approved = proposed(business, joint(business, "health"))
    revoked("health", business)
    refused = business.refused("opco", "multisig", "approve", "j1", approved)
    assert refused == "evidence.role"
