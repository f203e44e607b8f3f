"""Deploy, upgrade, freeze, unfreeze, revoke (8.1.5d), each by the right role only."""

from __future__ import annotations

import pytest

from contracts.vm import code_records
from contracts.vm.codes import ViewRefused
from contracts.vm.testing import Chain
from crypto import sm3
from ledger.model import Receipt
from ledger.values import Value, decode_value, encode_value
from tests.code_world import MANAGER, OPERATOR, STRANGER, TECH, found, upgrade

COUNTER = """
from contracts.dialect import Var, call, init, view
value = Var(int)
@init
def setup(start: int) -> None:
    value.set(start)
@call
def add(n: int) -> int:
    value.set(value.get() + n)
    return value.get()
@view
def show() -> int:
    return value.get()
"""
COUNTER_2 = """
from contracts.dialect import Var, call, migrate, require, view
text = Var(str)
old = Var(int)
@migrate
def migrate_from(sequence: int) -> None:
    require(sequence == 1, "only from 1")
    text.set(f"upgraded from {sequence}")
@call
def add(n: int) -> str:
    text.set(text.get() + "+" + str(n))
    return text.get()
@view
def show() -> str:
    return text.get()
"""


@pytest.fixture
def chain() -> Chain:
    return found()


def deploy(chain: Chain, sender: str, source: str = COUNTER, args: Value = (5,)) -> Receipt:
    return chain.call(sender, "contract", "deploy", "counter", source, encode_value(args))


def upgraded(chain: Chain, source: str, sequence: int = 2) -> Receipt:
    """All whom the policy asks agree."""
    return upgrade(chain, "counter", source, TECH, OPERATOR, MANAGER, sequence=sequence)


def test_a_tech_provider_deploys_and_the_contract_works(chain: Chain) -> None:
    receipt = deploy(chain, TECH)
    assert receipt.status == 0
    assert chain.events(receipt)[0][0] == "Deployed"
    assert chain.must(STRANGER, "counter", "add", 2) == 7
    shown = chain.view(STRANGER, "contract", "show", "counter")
    assert isinstance(shown, dict)
    assert (shown["status"], shown["sequence"], shown["deployer"]) == ("active", 1, TECH)
    assert chain.view(STRANGER, "contract", "list") == ["parties", "governance", "counter"]
    assert chain.view(STRANGER, "contract", "source", "counter", 1) == COUNTER
    assert '"name":"add"' in str(chain.view(STRANGER, "contract", "abi", "counter"))


def test_who_lacks_the_role_deploys_nothing(chain: Chain) -> None:
    receipt = deploy(chain, STRANGER)
    assert receipt.error == "not_allowed"
    with pytest.raises(ViewRefused, match="unknown_contract"):
        chain.view(STRANGER, "counter", "show")


def test_without_the_contract_parties_nobody_deploys() -> None:
    assert deploy(Chain(), MANAGER).error == "unknown_contract"


def test_a_contract_with_findings_is_refused(chain: Chain) -> None:
    receipt = deploy(chain, TECH, "import os\n")
    assert receipt.error == "check_failed"
    assert "L003" in receipt.detail


@pytest.mark.parametrize("name", ["contract", "code", "genesis", "A", "", "a b", "1a", "a" * 65])
def test_bad_and_reserved_names_are_refused(chain: Chain, name: str) -> None:
    receipt = chain.call(TECH, "contract", "deploy", name, COUNTER, encode_value([5]))
    assert receipt.error == "bad_arguments"


def test_a_name_is_taken_once(chain: Chain) -> None:
    assert deploy(chain, TECH).status == 0
    assert deploy(chain, MANAGER).error == "exists"


def test_wrong_init_arguments_deploy_nothing(chain: Chain) -> None:
    wrong: list[Value] = [[], ["five"], [1, 2]]
    for args in wrong:
        assert deploy(chain, TECH, args=args).error == "bad_arguments"
    assert chain.view(TECH, "contract", "list") == ["parties", "governance"]


def test_a_contract_without_init_takes_no_arguments(chain: Chain) -> None:
    source = "from contracts.dialect import view\n@view\ndef one() -> int:\n    return 1\n"
    refused = deploy(chain, TECH, source, args=[1])
    assert refused.error == "bad_arguments"
    assert refused.detail == "counter has no @init and takes no arguments"
    for damaged in (b"", b"\xc1", b"\x91", b"\xdc\0\0", b"\x90\0"):
        call = chain.call(TECH, "contract", "deploy", "counter", source, damaged)
        assert (call.error, call.detail) == (refused.error, refused.detail)
    assert deploy(chain, TECH, source, args=[]).status == 0


def test_a_chain_has_so_many_contracts_and_no_more(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_records, "CONTRACTS_MAX", 3)
    assert deploy(chain, TECH).status == 0
    receipt = chain.call(TECH, "contract", "deploy", "other", COUNTER, encode_value([5]))
    assert (receipt.error, receipt.detail) == ("value_limit", "too many contracts")
    assert chain.view(TECH, "contract", "list") == ["parties", "governance", "counter"]


@pytest.mark.parametrize("name", ["nobody", "../code", ""])
def test_of_a_contract_that_is_not_there_nothing_is_shown(chain: Chain, name: str) -> None:
    with pytest.raises(ViewRefused, match=f"no contract `{name}`") as refused:
        chain.view(TECH, "contract", "show", name)
    assert refused.value.code == "unknown_contract"


def test_a_method_that_the_machine_does_not_have_is_unknown(chain: Chain) -> None:
    assert chain.call(TECH, "contract", "show", "counter").error == "unknown_method"
    with pytest.raises(ViewRefused, match="contract has no `deploy`"):
        chain.view(TECH, "contract", "deploy", "counter", COUNTER, b"")


@pytest.mark.parametrize("sequence", [0, 2, -1])
def test_a_source_that_never_was_is_not_shown(chain: Chain, sequence: int) -> None:
    deploy(chain, TECH)
    with pytest.raises(ViewRefused, match="sequences of counter are 1 to 1"):
        chain.view(TECH, "contract", "source", "counter", sequence)


def test_upgrade_migrates_and_keeps_old_code(chain: Chain) -> None:
    deploy(chain, TECH)
    chain.must(STRANGER, "counter", "add", 1)
    receipt = upgraded(chain, COUNTER_2)
    assert receipt.status == 0, receipt.detail
    assert chain.must(STRANGER, "counter", "add", 3) == "upgraded from 1+3"
    assert chain.view(STRANGER, "contract", "source", "counter", 1) == COUNTER
    assert chain.view(STRANGER, "contract", "source", "counter", 2) == COUNTER_2


def test_a_failed_migration_leaves_the_old_code_and_state(chain: Chain) -> None:
    deploy(chain, TECH)
    broken = COUNTER_2.replace("sequence == 1", "sequence == 7")
    receipt = upgraded(chain, broken)
    assert (receipt.error, receipt.detail) == ("refused", "only from 1")
    assert chain.must(STRANGER, "counter", "add", 1) == 6


def test_a_failed_migration_after_writing_other_types_leaves_no_decoded_value(
    chain: Chain,
) -> None:
    deploy(chain, TECH)
    late = COUNTER_2.replace(
        'text.set(f"upgraded from {sequence}")', 'text.set("x")\n    require(False, "late")'
    ).replace('require(sequence == 1, "only from 1")', "old.is_set()")
    assert upgraded(chain, late).error == "refused"
    assert chain.must(STRANGER, "counter", "add", 1) == 6


@pytest.mark.parametrize("declared", ["Var(str)", "Map(str, int)", "Var(bool)", "Var(list[int])"])
def test_a_stored_name_keeps_its_type(chain: Chain, declared: str) -> None:
    deploy(chain, TECH)
    head = "from contracts.dialect import Map, Var, view\n"
    tail = "other = Var(int)\n@view\ndef show() -> int:\n    return other.get(0)\n"
    changed = f"{head}value = {declared}\n{tail}"
    receipt = upgraded(chain, changed)
    assert (receipt.error, receipt.detail[:15]) == ("check_failed", "storage `value`")
    assert "@migrate" in receipt.detail
    # A version without the name may follow, but the name stays taken.
    assert upgraded(chain, head + tail).error == ""
    assert upgraded(chain, changed, 3).error == "check_failed"
    back = head + "value = Var(int)\n" + tail
    assert upgraded(chain, back, 3).error == ""


def test_a_life_of_too_many_names_is_refused_and_harms_no_node(chain: Chain) -> None:
    deploy(chain, TECH)
    head = "from contracts.dialect import Var, view\n"
    tail = "@view\ndef show() -> int:\n    return 0\n"
    for sequence in range(2, 20):
        names = "".join(f"v{sequence}_{i} = Var(int)\n" for i in range(200))
        source = head + names + tail
        receipt = upgraded(chain, source, sequence)
        if receipt.status != 0:
            break
    assert (receipt.error, receipt.detail[-4:]) == ("value_limit", "life"), receipt.detail


@pytest.mark.parametrize("sequence", [0, 1, 3, -1])
def test_an_upgrade_out_of_sequence_is_refused(chain: Chain, sequence: int) -> None:
    deploy(chain, TECH)
    receipt = upgraded(chain, COUNTER_2, sequence)
    assert receipt.error == "bad_sequence"


def test_frozen_repaired_unfrozen_revoked(chain: Chain) -> None:
    deploy(chain, TECH)
    assert chain.call(TECH, "contract", "freeze", "counter", "x").error == "not_allowed"
    chain.must(MANAGER, "contract", "freeze", "counter", "wrong sums")
    assert chain.call(STRANGER, "counter", "add", 1).error == "contract_frozen"
    assert chain.view(STRANGER, "counter", "show") == 5
    assert upgrade(chain, "counter", COUNTER_2, TECH, MANAGER).status == 0
    assert chain.call(STRANGER, "counter", "add", 1).error == "contract_frozen"
    chain.must(MANAGER, "contract", "unfreeze", "counter")
    assert chain.must(STRANGER, "counter", "add", 1) == "upgraded from 1+1"
    revoked(chain)
    assert chain.call(STRANGER, "counter", "add", 1).error == "contract_revoked"
    with pytest.raises(ViewRefused, match="contract_revoked"):
        chain.view(STRANGER, "counter", "show")
    for method in ("unfreeze", "freeze", "revoke"):
        args = ["counter"] if method == "unfreeze" else ["counter", "again"]
        assert chain.call(MANAGER, "contract", method, *args).error == "not_allowed"
    words = "counter", 3, COUNTER_2, "again"
    assert chain.call(MANAGER, "contract", "upgrade", *words).error == "contract_revoked"


def revoked(chain: Chain) -> None:
    shown = chain.view(TECH, "contract", "show", "counter")
    assert isinstance(shown, dict)
    chain.must(MANAGER, "contract", "revoke", "counter", "end of service")
    version = shown["sequence"], shown["code_hash"]
    chain.must(OPERATOR, "contract", "approve", "counter", *version)


@pytest.mark.parametrize("reason", ["", " \t", "x" * 501, "数" * 167])
def test_a_reason_is_given_and_short(chain: Chain, reason: str) -> None:
    deploy(chain, TECH)
    before = dict(chain.state)
    error = "value_limit" if reason.strip() else "bad_arguments"
    for method in ("freeze", "revoke"):
        assert chain.call(MANAGER, "contract", method, "counter", reason).error == error
    words = "counter", 2, COUNTER_2, reason
    assert chain.call(TECH, "contract", "upgrade", *words).error == error
    assert chain.state == before


def test_every_step_is_kept_with_who_when_and_why(chain: Chain) -> None:
    deploy(chain, TECH)
    assert upgraded(chain, COUNTER_2).error == ""
    chain.must(MANAGER, "contract", "freeze", "counter", "wrong sums")
    chain.must(MANAGER, "contract", "unfreeze", "counter")
    revoked(chain)
    steps = chain.view(STRANGER, "contract", "history", "counter", 0, 50)
    assert isinstance(steps, list)
    told = [(s["step"], s["party"], s["sequence"]) for s in steps if isinstance(s, dict)]
    assert told == [
        ("deploy", "tech", 1),
        ("propose_upgrade", "tech", 2),
        ("approve", "operator", 2),
        ("approve", "manager", 2),
        ("upgrade", "manager", 2),
        ("freeze", "manager", 2),
        ("unfreeze", "manager", 2),
        ("propose_revoke", "manager", 2),
        ("approve", "operator", 2),
        ("revoke", "operator", 2),
    ]
    last = steps[-1]
    assert isinstance(last, dict)
    assert (last["reason"], last["account"]) == ("end of service", OPERATOR)
    assert (last["height"], last["time_ms"]) == (chain.height, chain.time_ms)
    made = last["transaction_id"]
    assert isinstance(made, bytes) and len(made) == 32
    assert chain.view(STRANGER, "contract", "history", "counter", 9, 50) == [last]
    for page in ((-1, 1), (0, 0), (0, 51)):
        with pytest.raises(ViewRefused, match="bad_value"):
            chain.view(STRANGER, "contract", "history", "counter", *page)


def test_events_name_the_party_that_acted(chain: Chain) -> None:
    deploy(chain, TECH)
    receipt = chain.call(MANAGER, "contract", "freeze", "counter", "wrong sums")
    name, fields = chain.events(receipt)[0]
    assert (name, fields["party"], fields["reason"]) == ("Frozen", "manager", "wrong sums")


def test_code_changed_and_called_in_one_block(chain: Chain) -> None:
    deploy(chain, TECH)
    receipts = chain.block(
        [
            (STRANGER, "counter", "add", [1]),
            (TECH, "contract", "upgrade", ["counter", 2, COUNTER_2, "newer"]),
            (STRANGER, "counter", "add", [1]),
            (OPERATOR, "contract", "approve", ["counter", 2, sm3.digest(COUNTER_2.encode())]),
            (MANAGER, "contract", "approve", ["counter", 2, sm3.digest(COUNTER_2.encode())]),
            (STRANGER, "counter", "add", [1]),
            (MANAGER, "contract", "freeze", ["counter", "stop"]),
            (STRANGER, "counter", "add", [1]),
        ]
    )
    assert [r.error for r in receipts] == ["", "", "", "", "", "", "", "contract_frozen"]
    assert decode_value(receipts[5].return_value) == "upgraded from 1+1"


def test_contracts_cannot_reach_the_life_cycle(chain: Chain) -> None:
    proxy = """
from contracts.dialect import call, call_contract
@call
def go() -> None:
    call_contract("contract", "freeze", "parties", "mine now")
"""
    chain.deploy("proxy", proxy)
    assert chain.call(MANAGER, "proxy", "go").error == "unknown_contract"
