"""Contracts of the genesis change by a manager and a quorum of organizations, never by one."""

from __future__ import annotations

import pytest

from contracts.vm.approvals import TERM_MS
from contracts.vm.testing import Chain, account
from crypto import sm3

MANAGER = account("manager")
A, B, C, D = (account(name) for name in "abcd")
STRANGER = account("stranger")
VOICES = {MANAGER: "m", A: "a", B: "b", C: "c", D: "d", STRANGER: "s"}

PARTIES = f"""
from contracts.dialect import view
PARTIES = {VOICES!r}
@view
def has_role(address: str, role: str) -> bool:
    return address == "{MANAGER}" and role == "manager"
@view
def active_party_of(address: str) -> str:
    for known, party in {tuple(VOICES.items())!r}:
        if known == address:
            return party
    return ""
@view
def party_has_role(party_id: str, role: str) -> bool:
    return party_id == "m" and role == "manager"
@view
def is_active(party_id: str) -> bool:
    return party_id != "c"
""".replace(f"PARTIES = {VOICES!r}\n", "")
GOVERNANCE = """
from contracts.dialect import view
@view
def organizations() -> list[str]:
    return ["a", "b", "c", "d"]
"""
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
    chain = Chain()
    for name, source in (("parties", PARTIES), ("governance", GOVERNANCE), ("rules", RULES)):
        receipt = chain.deploy(name, source)
        assert receipt.status == 0, receipt.detail
        chain.advance(height=1)
    return chain


def propose(chain: Chain, sender: str = MANAGER) -> str:
    return chain.call(sender, "contract", "upgrade", "rules", 2, NEWER).error


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
    for sender in (A, B, C):  # c is not in good standing: its voice does not count
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
    assert (pending["approvals"], pending["code_hash"]) == (["m"], HASH)
    assert chain.view(A, "contract", "source", "rules", 2) == NEWER


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
