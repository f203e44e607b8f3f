"""The policy of approvals: who changes it, what it cannot become, and that it is in force."""

from __future__ import annotations

import pytest

from contracts.vm import policy_calls
from contracts.vm.approvals import TERM_MS
from contracts.vm.policy import WITNESSES_MAX
from contracts.vm.testing import Chain
from crypto import sm3
from ledger.values import Value, encode_value
from tests.code_world import (
    BOTH,
    MANAGER,
    OPERATOR,
    SECOND,
    STRANGER,
    TECH,
    A,
    B,
    C,
    found,
    upgrade,
)

SOURCE = "from contracts.dialect import view\n@view\ndef one() -> int:\n    return 1\n"
HASH = sm3.digest(SOURCE.encode())
STRICT: list[Value] = ["revoke", [["manager"], ["owner"], ["operator"]], 3, False]
WITNESSES: Value = ["manager", "tech", "operator"]


@pytest.fixture
def chain() -> Chain:
    chain = found()
    chain.must(TECH, "contract", "deploy", "notes", SOURCE, encode_value([]))
    return chain


def propose(chain: Chain, sender: str = MANAGER, witnesses: Value = WITNESSES) -> str:
    return chain.call(sender, "contract", "set_policy", *STRICT, witnesses, "be strict").error


def approve(chain: Chain, *senders: str) -> list[str]:
    pending = chain.view(A, "contract", "pending_policy")
    assert isinstance(pending, dict)
    digest = pending["rule_hash"]
    return [chain.call(one, "contract", "approve_policy", digest).error for one in senders]


def parties_min(chain: Chain, step: str = "revoke") -> Value:
    rules = chain.view(STRANGER, "contract", "policy")
    assert isinstance(rules, list)
    return next(r["parties_min"] for r in rules if isinstance(r, dict) and r["step"] == step)


def test_a_manager_and_a_quorum_of_organizations_change_it_and_it_holds(chain: Chain) -> None:
    assert propose(chain) == ""
    assert approve(chain, A, B) == ["", ""]
    assert parties_min(chain) == 2
    assert approve(chain, C) == [""]
    assert parties_min(chain) == 3
    assert chain.view(A, "contract", "pending_policy") is None
    chain.must(MANAGER, "contract", "revoke", "notes", "end")
    chain.must(OPERATOR, "contract", "approve", "notes", 1, HASH)
    pending = chain.view(A, "contract", "pending", "notes")
    assert isinstance(pending, dict)
    assert pending["missing"] == ["owner", "1 more of the parties it asks"]
    chain.must(TECH, "contract", "approve", "notes", 1, HASH)
    shown = chain.view(A, "contract", "show", "notes")
    assert isinstance(shown, dict)
    assert shown["status"] == "revoked"


def test_nobody_else_changes_it_and_no_party_speaks_twice(chain: Chain) -> None:
    for sender in (STRANGER, TECH, OPERATOR):
        assert propose(chain, sender) == "not_allowed"
    assert propose(chain) == ""
    assert propose(chain, SECOND) == "exists"
    assert approve(chain, MANAGER, STRANGER, OPERATOR) == ["not_allowed"] * 3
    wrong = chain.call(A, "contract", "approve_policy", bytes(32))
    assert wrong.error == "not_allowed"
    assert approve(chain, A, A, SECOND, BOTH) == ["", "not_allowed", "", ""]
    assert parties_min(chain) == 2


def test_a_rule_is_rejected_by_a_manager_or_lapses(chain: Chain) -> None:
    assert chain.call(MANAGER, "contract", "reject_policy", "no").error == "not_allowed"
    propose(chain)
    assert chain.call(A, "contract", "reject_policy", "no").error == "not_allowed"
    assert chain.call(SECOND, "contract", "reject_policy", "").error == "bad_arguments"
    assert chain.call(SECOND, "contract", "reject_policy", "no").error == ""
    propose(chain)
    approve(chain, A, B)
    chain.advance(time_ms=TERM_MS)
    assert chain.view(A, "contract", "pending_policy") is None
    assert propose(chain) == ""
    assert approve(chain, C) == [""]
    assert parties_min(chain) == 2


@pytest.mark.parametrize(
    "rule",
    [
        ["deploy", [["manager"]], 2, False],
        ["genesis_upgrade", [["manager"]], 2, False],
        ["revoke", [], 2, False],
        ["revoke", [["manager"]] * 9, 2, False],
        ["revoke", [[]], 2, False],
        ["revoke", [["manager", "manager"]], 2, False],
        ["revoke", [["boss"]], 2, False],
        ["revoke", [["manager"]], 1, False],
        ["revoke", [["manager"]], 65, False],
    ],
)
def test_what_is_no_rule_is_refused(chain: Chain, rule: list[Value]) -> None:
    before = dict(chain.state)
    receipt = chain.call(MANAGER, "contract", "set_policy", *rule, WITNESSES, "why")
    assert receipt.error == "bad_arguments"
    assert chain.state == before


@pytest.mark.parametrize(
    ("rule", "witnesses"),
    [
        (STRICT, ["manager", "tech"]),
        (STRICT, ["both", "tech"]),
        (STRICT, ["manager", "operator", "operator"]),
        (STRICT, ["manager", "operator", "nobody"]),
        (["revoke", [["manager"], ["developer"]], 2, False], ["manager", "tech", "operator"]),
        (["revoke", [["manager"]], 2, True], ["manager", "a", "b"]),
    ],
)
def test_a_rule_that_nobody_can_satisfy_is_refused(
    chain: Chain, rule: list[Value], witnesses: Value
) -> None:
    receipt = chain.call(MANAGER, "contract", "set_policy", *rule, witnesses, "why")
    assert receipt.error == "not_allowed"
    assert "can satisfy it" in receipt.detail


def test_so_many_witnesses_are_named_and_no_more(chain: Chain) -> None:
    many: Value = ["manager"] * (WITNESSES_MAX + 1)
    receipt = chain.call(MANAGER, "contract", "set_policy", *STRICT, many, "why")
    assert receipt.error == "value_limit"
    assert receipt.detail == f"name at most {WITNESSES_MAX} witnesses"


def test_so_many_approvals_of_a_rule_are_kept_and_no_more(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_calls, "APPROVALS_MAX", 2)
    assert propose(chain) == ""
    assert approve(chain, A, B) == ["", "value_limit"]
    assert parties_min(chain) == 2


def test_whether_it_can_be_satisfied_is_looked_at_again_at_the_end(chain: Chain) -> None:
    propose(chain)
    approve(chain, A, B)
    chain.must(MANAGER, "parties", "suspend", "operator")
    assert approve(chain, C) == ["not_allowed"]
    assert parties_min(chain) == 2


def test_a_quorum_of_the_organizations_may_be_asked_for(chain: Chain) -> None:
    words: list[Value] = ["upgrade", [["owner"]], 2, True, ["tech", "a", "b", "c"], "all of us"]
    chain.must(MANAGER, "contract", "set_policy", *words)
    approve(chain, A, B, C)
    assert upgrade(chain, "notes", SOURCE + "\n", TECH, A, B).error == ""
    pending = chain.view(A, "contract", "pending", "notes")
    assert isinstance(pending, dict)
    assert pending["missing"] == ["1 more of the organizations"]
    newer = sm3.digest((SOURCE + "\n").encode())
    chain.must(C, "contract", "approve", "notes", 2, newer)
    shown = chain.view(A, "contract", "show", "notes")
    assert isinstance(shown, dict)
    assert shown["sequence"] == 2
