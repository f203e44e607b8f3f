"""Contracts of the genesis change by a manager and a quorum of organizations, never by one."""

from __future__ import annotations

import pytest

from contracts.vm import approvals
from contracts.vm.approvals import TERM_MS
from contracts.vm.code_records import CODE
from contracts.vm.testing import Chain
from crypto import sm3
from ledger.values import encode_value
from tests.code_world import (
    BOTH,
    GOVERNANCE,
    MANAGER,
    OPERATOR,
    OTHER,
    SECOND,
    STRANGER,
    TECH,
    A,
    B,
    C,
    D,
    found,
    upgrade,
)

RULES = """
from contracts.dialect import Var, call, init, migrate, require, view
value = Var(int)
@init
def setup() -> None:
    value.set(1)
@call
def add(n: int) -> int:
    value.set(value.get() + n)
    return value.get()
"""
NEWER = (
    RULES
    + """
@migrate
def moved(sequence: int) -> None:
    require(value.get() < 100, "rules.full")
    value.set(value.get() + 1000)
"""
)
HASH = sm3.digest(NEWER.encode())


@pytest.fixture
def chain() -> Chain:
    chain = found()
    receipt = chain.deploy("rules", RULES)
    assert receipt.status == 0, receipt.detail
    return chain


def propose(chain: Chain, sender: str = MANAGER) -> str:
    return chain.call(sender, "contract", "upgrade", "rules", 2, NEWER, "why").error


def approve(chain: Chain, sender: str, sequence: int = 2, code_hash: bytes = HASH) -> str:
    return chain.call(sender, "contract", "approve", "rules", sequence, code_hash).error


def sequence(chain: Chain) -> object:
    shown = chain.view(A, "contract", "show", "rules")
    assert isinstance(shown, dict)
    return shown["sequence"]


def test_one_manager_changes_no_contract_of_the_genesis(chain: Chain) -> None:
    assert propose(chain) == ""
    assert sequence(chain) == 1
    assert chain.must(A, "rules", "add", 1) == 2
    assert propose(chain) == "exists"


def test_a_manager_and_a_quorum_of_active_organizations_carry_it_out(chain: Chain) -> None:
    propose(chain)
    chain.must(MANAGER, "parties", "suspend", "c")
    assert approve(chain, C) == "not_allowed"
    for sender in (A, B):
        assert approve(chain, sender) == ""
        assert sequence(chain) == 1
    assert approve(chain, D) == ""
    assert sequence(chain) == 2
    assert chain.must(A, "rules", "add", 0) == 1001
    assert chain.view(A, "contract", "pending", "rules") is None
    assert chain.view(A, "contract", "source", "rules", 1) == RULES
    assert approve(chain, A) == "not_allowed"  # a replay after it was carried out


def test_without_a_manager_the_organizations_change_nothing(chain: Chain) -> None:
    propose(chain, A)
    for sender in (B, C, D):
        assert approve(chain, sender) == ""
    assert sequence(chain) == 1
    assert approve(chain, MANAGER) == ""
    assert sequence(chain) == 2


def test_an_approval_is_of_one_party_one_version_and_one_source(chain: Chain) -> None:
    assert approve(chain, A) == "not_allowed"
    assert propose(chain, STRANGER) == "not_allowed"
    propose(chain)
    assert approve(chain, MANAGER) == "not_allowed"
    assert approve(chain, STRANGER) == "not_allowed"
    assert approve(chain, A, sequence=3) == "bad_sequence"
    assert approve(chain, A, code_hash=bytes(32)) == "not_allowed"
    pending = chain.view(A, "contract", "pending", "rules")
    assert isinstance(pending, dict)
    assert (pending["approvals"], pending["code_hash"]) == (["manager"], HASH)
    assert chain.view(A, "contract", "source", "rules", 2) == NEWER


def test_where_one_organization_is_all_its_manager_decides_at_once() -> None:
    """What is decided as it is proposed never waits, so there is nothing to clear either."""
    chain = found()
    chain.state.pop((CODE, b"governance"))
    alone = GOVERNANCE.replace('["a", "b", "c", "d"]', '["manager"]')
    for receipt in (chain.deploy("governance", alone), chain.deploy("rules", RULES)):
        assert receipt.status == 0, receipt.detail
    assert propose(chain) == ""
    assert sequence(chain) == 2
    assert chain.view(A, "contract", "pending", "rules") is None
    assert (CODE, b"rules/pending") not in chain.state


def test_without_an_organization_nothing_of_the_genesis_changes() -> None:
    chain = found()
    chain.state.pop((CODE, b"governance"))
    chain.deploy("governance", GOVERNANCE.replace('["a", "b", "c", "d"]', "[]"))
    chain.deploy("rules", RULES)
    receipt = chain.call(MANAGER, "contract", "upgrade", "rules", 2, NEWER, "why")
    assert receipt.error == "not_allowed"
    assert receipt.detail == "no organization runs a validator"


def test_so_many_approvals_are_kept_and_no_more(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approvals, "APPROVALS_MAX", 2)
    assert propose(chain) == approve(chain, A) == ""
    receipt = chain.call(B, "contract", "approve", "rules", 2, HASH)
    assert receipt.error == "value_limit"
    assert receipt.detail == "too many approvals; propose it anew"


def test_what_nobody_completed_within_a_week_is_void(chain: Chain) -> None:
    propose(chain)
    approve(chain, A)
    approve(chain, B)
    chain.advance(time_ms=TERM_MS)
    assert approve(chain, D) == "not_allowed"
    assert propose(chain) == ""
    assert approve(chain, D) == ""
    assert sequence(chain) == 1  # earlier approvals do not count for the new proposal


def test_a_failed_migration_leaves_the_version_waiting(chain: Chain) -> None:
    chain.must(A, "rules", "add", 200)
    propose(chain)
    approve(chain, A)
    approve(chain, B)
    assert approve(chain, D) == "refused"
    assert sequence(chain) == 1
    assert chain.must(A, "rules", "add", -150) == 51
    assert approve(chain, D) == ""
    assert sequence(chain) == 2


def test_nobody_revokes_the_genesis_or_freezes_what_the_chain_rests_on(chain: Chain) -> None:
    for name in ("parties", "governance"):
        assert chain.call(MANAGER, "contract", "freeze", name, "mine").error == "not_allowed"
    for name in ("parties", "governance", "rules"):
        assert chain.call(MANAGER, "contract", "revoke", name, "mine").error == "not_allowed"
    assert chain.call(MANAGER, "contract", "freeze", "rules", "a finding").error == ""
    assert chain.call(A, "rules", "add", 1).error == "contract_frozen"


# --- contracts deployed after the genesis --------------------------------------------------------


@pytest.fixture
def notes(chain: Chain) -> Chain:
    """With the contract `notes`, deployed by tech."""
    chain.must(TECH, "contract", "deploy", "notes", RULES, encode_value([]))
    return chain


def version(chain: Chain) -> tuple[object, object]:
    shown = chain.view(A, "contract", "show", "notes")
    assert isinstance(shown, dict)
    return shown["sequence"], shown["status"]


def lacking(chain: Chain) -> object:
    pending = chain.view(A, "contract", "pending", "notes")
    return pending["missing"] if isinstance(pending, dict) else None


@pytest.mark.parametrize(
    ("senders", "missing"),
    [
        ((TECH,), ["manager", "operator", "1 more of the parties it asks"]),
        ((TECH, MANAGER), ["operator"]),
        ((TECH, OPERATOR), ["manager"]),
        ((MANAGER, OPERATOR), ["owner"]),
        ((MANAGER, SECOND, OPERATOR), ["owner"]),
        ((BOTH,), ["owner", "1 more of the parties it asks"]),
    ],
)
def test_owner_manager_and_operator_all_agree(
    notes: Chain, senders: tuple[str, ...], missing: list[str]
) -> None:
    assert upgrade(notes, "notes", NEWER, *senders).error == ""
    assert version(notes) == (1, "active")
    assert lacking(notes) == missing


@pytest.mark.parametrize("senders", [(TECH, MANAGER, OPERATOR), (OPERATOR, MANAGER, TECH)])
def test_their_approvals_carry_it_out(notes: Chain, senders: tuple[str, ...]) -> None:
    assert upgrade(notes, "notes", NEWER, *senders).error == ""
    assert version(notes) == (2, "active")
    assert notes.must(A, "notes", "add", 0) == 1001


def test_a_party_of_two_roles_speaks_for_both_but_never_alone(notes: Chain) -> None:
    assert upgrade(notes, "notes", NEWER, BOTH, TECH).error == ""
    assert version(notes) == (2, "active")
    notes.must(BOTH, "contract", "deploy", "own", RULES, encode_value([]))
    assert upgrade(notes, "own", NEWER, BOTH).error == ""
    shown = notes.view(A, "contract", "show", "own")
    assert isinstance(shown, dict)
    assert (shown["owner"], shown["sequence"]) == ("both", 1)


def test_who_is_not_asked_neither_proposes_nor_approves(notes: Chain) -> None:
    for sender in (STRANGER, OTHER, A):
        assert upgrade(notes, "notes", NEWER, sender).error == "not_allowed"
    assert upgrade(notes, "notes", NEWER, TECH).error == ""
    for sender in (STRANGER, OTHER, A):
        words = "notes", 2, HASH
        assert notes.call(sender, "contract", "approve", *words).error == "not_allowed"


def test_an_approval_cannot_be_replayed_for_another_version(notes: Chain) -> None:
    upgrade(notes, "notes", NEWER, TECH, MANAGER)
    again = notes.call(MANAGER, "contract", "approve", "notes", 2, HASH)
    assert (again.error, again.detail) == ("not_allowed", "each party approves once")
    notes.must(OPERATOR, "contract", "approve", "notes", 2, HASH)
    assert notes.call(A, "contract", "approve", "notes", 2, HASH).error == "not_allowed"
    third = NEWER + "\n"
    upgrade(notes, "notes", third, TECH, sequence=3)
    for sequence, code_hash, error in ((2, HASH, "bad_sequence"), (3, HASH, "not_allowed")):
        words = "notes", sequence, code_hash
        assert notes.call(MANAGER, "contract", "approve", *words).error == error
    assert version(notes) == (2, "active")


def test_the_voice_of_a_suspended_party_does_not_count(notes: Chain) -> None:
    upgrade(notes, "notes", NEWER, OPERATOR, TECH)
    notes.must(MANAGER, "parties", "suspend", "operator")
    notes.must(MANAGER, "contract", "approve", "notes", 2, HASH)
    assert (version(notes), lacking(notes)) == ((1, "active"), ["operator"])


def test_an_owner_that_is_suspended_is_not_waited_for(notes: Chain) -> None:
    notes.must(MANAGER, "parties", "suspend", "tech")
    assert upgrade(notes, "notes", NEWER, BOTH).error == ""
    assert version(notes) == (1, "active")  # still never one party alone
    notes.must(MANAGER, "contract", "approve", "notes", 2, HASH)
    assert version(notes) == (2, "active")


def test_a_failed_migration_changes_nothing_and_keeps_it_waiting(notes: Chain) -> None:
    notes.must(A, "notes", "add", 200)
    upgrade(notes, "notes", NEWER, TECH, OPERATOR)
    before = dict(notes.state)
    assert notes.call(MANAGER, "contract", "approve", "notes", 2, HASH).error == "refused"
    assert notes.state == before


def test_a_proposal_is_withdrawn_by_its_proposer_and_rejected_by_a_manager(notes: Chain) -> None:
    words = "notes", 2, "not yet"
    for method in ("withdraw", "reject"):
        assert notes.call(TECH, "contract", method, *words).error == "not_allowed"
        upgrade(notes, "notes", NEWER, TECH)
        assert notes.call(OPERATOR, "contract", method, *words).error == "not_allowed"
        wrong = "notes", 3, "not yet"
        right = TECH if method == "withdraw" else SECOND
        assert notes.call(right, "contract", method, *wrong).error == "bad_sequence"
        assert notes.call(right, "contract", method, "notes", 2, " ").error == "bad_arguments"
        assert notes.call(right, "contract", method, *words).error == ""
        assert notes.view(A, "contract", "pending", "notes") is None
        assert notes.call(MANAGER, "contract", "approve", "notes", 2, HASH).error == "not_allowed"
    assert version(notes) == (1, "active")


@pytest.mark.parametrize("second", [OPERATOR, TECH, OTHER, A])
def test_a_frozen_contract_is_repaired_by_a_manager_and_a_second_party(
    notes: Chain, second: str
) -> None:
    notes.must(MANAGER, "contract", "freeze", "notes", "wrong sums")
    assert upgrade(notes, "notes", NEWER, second).error == ""
    assert version(notes) == (1, "frozen")
    notes.must(MANAGER, "contract", "approve", "notes", 2, HASH)
    assert version(notes) == (2, "frozen")
    assert notes.call(A, "notes", "add", 0).error == "contract_frozen"
    notes.must(MANAGER, "contract", "unfreeze", "notes")
    assert notes.must(A, "notes", "add", 0) == 1001


def test_no_repair_by_one_party_nor_by_two_managers(notes: Chain) -> None:
    notes.must(MANAGER, "contract", "freeze", "notes", "wrong sums")
    assert upgrade(notes, "notes", NEWER, BOTH).error == ""
    assert lacking(notes) == ["1 more of the parties it asks"]
    notes.must(BOTH, "contract", "withdraw", "notes", 2, "anew")
    assert upgrade(notes, "notes", NEWER, MANAGER, SECOND).error == ""
    assert version(notes) == (1, "frozen")


def test_the_shorter_way_ends_with_the_freeze(notes: Chain) -> None:
    notes.must(MANAGER, "contract", "freeze", "notes", "wrong sums")
    assert upgrade(notes, "notes", NEWER, OPERATOR).error == ""
    notes.must(MANAGER, "contract", "unfreeze", "notes")
    notes.must(MANAGER, "contract", "approve", "notes", 2, HASH)
    assert (version(notes), lacking(notes)) == ((1, "active"), ["owner"])


def test_a_genesis_contract_has_no_shorter_way(chain: Chain) -> None:
    chain.must(MANAGER, "contract", "freeze", "rules", "wrong sums")
    assert upgrade(chain, "rules", NEWER, MANAGER, A, B).error == ""
    assert sequence(chain) == 1
    assert approve(chain, C) == ""
    assert sequence(chain) == 2
    assert chain.call(A, "rules", "add", 1).error == "contract_frozen"


def test_a_manager_alone_revokes_nothing(notes: Chain) -> None:
    present = sm3.digest(RULES.encode())
    assert notes.call(OTHER, "contract", "revoke", "notes", "bad").error == "not_allowed"
    notes.must(MANAGER, "contract", "revoke", "notes", "bad")
    assert notes.call(MANAGER, "contract", "approve", "notes", 1, present).error == "not_allowed"
    assert version(notes) == (1, "active")
    notes.must(TECH, "contract", "approve", "notes", 1, present)
    assert version(notes) == (1, "revoked")


def test_the_policy_can_be_read(chain: Chain) -> None:
    rules = chain.view(STRANGER, "contract", "policy")
    assert isinstance(rules, list)
    assert [rule["step"] for rule in rules if isinstance(rule, dict)] == [
        "upgrade",
        "expedited_upgrade",
        "revoke",
        "genesis_upgrade",
    ]
