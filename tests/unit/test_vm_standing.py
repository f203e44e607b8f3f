"""`ctx.party` and `ctx.roles`: whose voice the sender is, what asking costs, who has none."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from contracts.bundle import system_sources
from contracts.vm import prices
from contracts.vm.apply import Machine
from contracts.vm.check import check_source
from contracts.vm.codes import ViewRefused
from contracts.vm.messages import BlockContext, Call
from contracts.vm.state import StateKey
from contracts.vm.testing import Chain, account
from ledger.model import Receipt
from ledger.values import Value, encode_value

MANAGER, TECH, LAB, CLERK, STRANGER = map(account, ("manager", "tech", "lab", "clerk", "stranger"))
REGISTER = dict(system_sources())["parties"]
FOUNDERS: list[Value] = [
    ["bureau", "Bureau", ["manager"], [MANAGER]],
    ["chipworks", "Chipworks", ["tech_provider"], [TECH]],
    # Its roles stand in another order than that of the register.
    ["lab", "Laboratory", ["consumer", "supplier", "operator"], [LAB, CLERK]],
]
IMPORTS = """
from contracts.dialect import (
    Map, Var, call, call_contract, ctx, init, migrate, require, view, view_contract
)
"""
DESK = f"""{IMPORTS}
made_by = Var(str)
counts = Map(str, int)
@init
def setup() -> None:
    made_by.set(ctx.party + "/" + ",".join(ctx.roles))
@call
def count() -> int:
    counts[ctx.party] = counts.get(ctx.party, 0) + 1
    counts[ctx.party] += 1
    return counts[ctx.party]
@view
def maker() -> str:
    return made_by.get()
@view
def who() -> tuple[str, list[str]]:
    return ctx.party, ctx.roles
@view
def own_list() -> tuple[list[str], list[str]]:
    held = ctx.roles
    held.append("king")
    return held, ctx.roles
@view
def is_operator() -> bool:
    return "operator" in ctx.roles
"""
RELAY = f"""{IMPORTS}
@view
def who_asks(contract: str) -> tuple[str, list[str]]:
    return view_contract(contract, "who", returns=tuple[str, list[str]])
@view
def mine_and_theirs() -> tuple[str, str, str]:
    before = ctx.party
    theirs, _ = view_contract("desk", "who", returns=tuple[str, list[str]])
    return before, theirs, ctx.party
"""


def gas_source(uses: str) -> str:
    return f"{IMPORTS}@call\ndef act() -> int:\n    return {uses}\n"


@pytest.fixture
def chain() -> Chain:
    chain = Chain()
    deployed(chain.deploy("parties", REGISTER, [FOUNDERS]))
    deployed(chain.deploy("desk", DESK))
    return chain


def pair(value: Value) -> tuple[Value, Value]:
    assert isinstance(value, list) and len(value) == 2
    return value[0], value[1]


def deployed(receipt: Receipt) -> None:
    assert receipt.status == 0, (receipt.error, receipt.detail)


# --- who may not, and who is nobody -------------------------------------------------------------


def test_the_register_itself_is_not_deployed_with_it() -> None:
    chain = Chain()
    source = f"{IMPORTS}@view\ndef who() -> str:\n    return ctx.party\n"
    receipt = chain.deploy("parties", source)
    assert receipt.error == "check_failed"
    assert "would ask itself" in receipt.detail
    assert chain.state == Chain().state
    deployed(chain.deploy("other", source))


def test_the_register_is_not_upgraded_to_it_either(chain: Chain) -> None:
    changed = REGISTER.replace('if party is None or party.status != "active"', "if ctx.party == ''")
    changed = changed.replace(
        "or address not in party.accounts:\n        return", ":\n        return"
    )
    before = dict(chain.state)
    refused = chain.call(MANAGER, "contract", "upgrade", "parties", 2, changed, "why")
    assert refused.error == "check_failed"
    assert chain.state == before
    assert pair(chain.view(LAB, "desk", "who"))[0] == "lab"


def test_without_a_register_the_transaction_fails_and_nobody_is_taken_for_a_stranger() -> None:
    chain = Chain()
    deployed(chain.deploy("desk", DESK))  # genesis speaks for nobody: nothing is asked
    assert chain.view(STRANGER, "desk", "maker") == "/"
    receipt = chain.call(STRANGER, "desk", "count")
    assert (receipt.error, receipt.detail) == ("unknown_contract", "no contract `parties`")


def test_a_register_of_an_older_make_is_named(chain: Chain) -> None:
    chain = Chain()
    old = REGISTER.replace("def standing(", "def another(")
    deployed(chain.deploy("parties", old, [FOUNDERS]))
    deployed(chain.deploy("desk", DESK))
    receipt = chain.call(LAB, "desk", "count")
    assert (receipt.error, receipt.detail) == ("unknown_method", "parties has no view `standing`")


@pytest.mark.parametrize("result", ["int", "str", "list[str]", "tuple[str, str]"])
def test_a_register_that_answers_another_type_is_not_believed(result: str) -> None:
    value = {"int": "1", "str": '"lab"', "list[str]": '["lab"]', "tuple[str, str]": '("lab", "x")'}
    chain = Chain()
    body = f"@view\ndef standing(address: str) -> {result}:\n    return {value[result]}\n"
    deployed(chain.deploy("parties", IMPORTS + body))
    deployed(chain.deploy("desk", DESK))
    assert chain.call(LAB, "desk", "count").error == "bad_arguments"


@pytest.mark.parametrize("damage", [b"\xc1", b"\xc0", b"\x93\x01\x02\x03", b"\xa3lab"])
def test_a_damaged_record_of_a_party_is_no_answer(chain: Chain, damage: bytes) -> None:
    record = ("parties", b"\x92\xa7parties\xa3lab")
    assert record in chain.state
    chain.state[record] = damage
    chain.machine.reset()
    receipt = chain.call(LAB, "desk", "count")
    assert (receipt.error, receipt.events) == ("bad_storage", ())


@pytest.mark.parametrize("sender", [STRANGER, "", "genesis", "contract:desk", "LAB", "0" * 40])
def test_who_is_in_no_party_has_none(chain: Chain, sender: str) -> None:
    assert chain.view(sender, "desk", "who") == ["", []]


def test_a_suspended_party_and_a_removed_account_have_no_voice(chain: Chain) -> None:
    chain.must(MANAGER, "parties", "remove_account", "lab", CLERK)
    assert chain.view(CLERK, "desk", "who") == ["", []]
    chain.must(MANAGER, "parties", "suspend", "lab", "test")
    assert chain.view(LAB, "desk", "who") == ["", []]
    chain.must(MANAGER, "parties", "readmit", "lab", "test")
    assert chain.view(LAB, "desk", "who") == ["lab", ["operator", "supplier", "consumer"]]


def test_a_contract_that_calls_does_not_lend_its_callers_party(chain: Chain) -> None:
    deployed(chain.deploy("relay", RELAY))
    assert chain.view(LAB, "relay", "who_asks", "desk") == ["", []]
    assert chain.view(LAB, "relay", "mine_and_theirs") == ["lab", "", "lab"]


@pytest.mark.parametrize("statement", ["ctx.party()", "ctx.roles()", "ctx.parties", "ctx.role"])
def test_what_is_no_field_stays_refused(statement: str) -> None:
    source = f"{IMPORTS}@view\ndef f() -> int:\n    x = {statement}\n    return 1\n"
    assert "L005" in {finding.rule for finding in check_source(source)}


def test_it_must_be_imported() -> None:
    source = "from contracts.dialect import view\n@view\ndef f() -> str:\n    return ctx.party\n"
    assert {finding.rule for finding in check_source(source)} == {"N001"}


@pytest.mark.parametrize("field", ["party", "roles"])
def test_the_first_language_does_not_have_it(field: str) -> None:
    source = f"{IMPORTS}@view\ndef f() -> int:\n    return len(ctx.{field})\n"
    assert all(finding.rule == "W010" for finding in check_source(source, 2))  # imports
    (finding,) = check_source(source, 1)
    assert (finding.rule, finding.line) == ("N006", 7)
    assert "ctx.party and ctx.roles" in finding.reason


def test_a_chain_of_the_first_language_refuses_to_deploy_it() -> None:
    chain = Chain(language=1)
    receipt = chain.deploy("desk", DESK)
    assert receipt.error == "check_failed"
    assert "N006" in receipt.detail
    chain.machine.language = 2  # the change of the engine took effect
    deployed(chain.deploy("desk", DESK))


# --- what it says -------------------------------------------------------------------------------


def test_it_names_the_active_party_and_its_roles_in_the_order_of_the_register(chain: Chain) -> None:
    assert chain.view(LAB, "desk", "who") == ["lab", ["operator", "supplier", "consumer"]]
    assert chain.view(CLERK, "desk", "who") == ["lab", ["operator", "supplier", "consumer"]]
    assert chain.view(MANAGER, "desk", "who") == ["bureau", ["manager"]]
    assert chain.view(LAB, "desk", "is_operator") is True
    assert chain.view(MANAGER, "desk", "is_operator") is False


def test_it_agrees_with_the_other_views_of_the_register(chain: Chain) -> None:
    for sender in (MANAGER, TECH, LAB, CLERK, STRANGER):
        party, roles = pair(chain.view(sender, "parties", "standing", sender))
        assert chain.view(sender, "parties", "active_party_of", sender) == party
        assert isinstance(roles, list)
        for role in ("manager", "operator", "supplier", "consumer", "tech_provider", "developer"):
            assert chain.view(sender, "parties", "has_role", sender, role) is (role in roles)


def test_who_deploys_is_known_in_init(chain: Chain) -> None:
    chain.must(TECH, "contract", "deploy", "mine", DESK, encode_value([]))
    assert chain.view(STRANGER, "mine", "maker") == "chipworks/tech_provider"
    assert chain.view(STRANGER, "desk", "maker") == "/"  # deployed by genesis


def test_it_is_a_key_of_a_map_and_the_list_is_the_callers_own(chain: Chain) -> None:
    assert chain.must(LAB, "desk", "count") == 2
    assert chain.must(CLERK, "desk", "count") == 4
    assert chain.must(TECH, "desk", "count") == 2
    mine, again = pair(chain.view(TECH, "desk", "own_list"))
    assert (mine, again) == (["tech_provider", "king"], ["tech_provider"])


def test_an_answer_is_of_its_call_and_does_not_outlive_it(chain: Chain) -> None:
    source = f"{IMPORTS}@call\ndef act(party: str) -> str:\n    return ctx.party\n"
    deployed(chain.deploy("one", source))
    receipts = chain.block(
        [
            (CLERK, "one", "act", ["x"]),
            (LAB, "one", "act", ["x"]),
            (MANAGER, "parties", "remove_account", ["lab", CLERK]),
            (CLERK, "one", "act", ["x"]),
            (LAB, "one", "act", ["x"]),
        ]
    )
    results = [receipt.return_value for receipt in receipts]
    assert results == [encode_value(v) for v in ("lab", "lab", None, "", "lab")]


def test_asking_counts_as_checking_who_calls() -> None:
    for field in ("party", "roles"):
        source = f"{IMPORTS}x = Var(int)\n@call\ndef f() -> None:\n    x.set(len(ctx.{field}))\n"
        assert "W003" not in {finding.rule for finding in check_source(source)}


# --- what it costs ------------------------------------------------------------------------------


def gas(chain: Chain, name: str, sender: str = LAB) -> int:
    receipt = chain.call(sender, name, "act")
    deployed(receipt)
    return receipt.gas_used


def test_the_first_use_pays_the_view_and_later_ones_a_guard(chain: Chain) -> None:
    uses = {
        "none": "len(ctx.sender)",
        "one": "len(ctx.party)",
        "two": "len(ctx.party) + len(ctx.party)",
        "three": "len(ctx.party) + len(ctx.party) + len(ctx.party)",
        "roles": "len(ctx.party) + len(ctx.roles)",
        "view": 'len(view_contract("parties", "standing", ctx.sender, returns=tuple[str, '
        "list[str]])[0])",
    }
    for name, text in uses.items():
        deployed(chain.deploy(name, gas_source(text)))
    used = {name: gas(chain, name) for name in uses}
    later = used["three"] - used["two"]
    assert later == used["two"] - used["one"] < 4 * prices.GAS_GUARD
    assert used["roles"] == used["two"] + 3 * prices.GAS_ITEM
    first = used["one"] - used["none"]
    assert 2 * prices.GAS_READ + prices.GAS_CROSS_CALL < first < 3 * prices.GAS_READ + 2_000
    assert abs(used["one"] - used["view"]) < 100  # what the same view costs when written out


def test_a_contract_that_calls_pays_for_no_question(chain: Chain) -> None:
    inner = f"{IMPORTS}@call\ndef act() -> int:\n    return len(ctx.party)\n"
    plain = f"{IMPORTS}@call\ndef act() -> int:\n    return len(ctx.sender)\n"
    outer = (
        f'{IMPORTS}@call\ndef act() -> int:\n    return call_contract("NAME", "act", returns=int)\n'
    )
    for name, source in (("inner", inner), ("plain", plain)):
        deployed(chain.deploy(name, source))
        deployed(chain.deploy(f"to-{name}", outer.replace("NAME", name)))
    assert gas(chain, "to-inner") - gas(chain, "to-plain") < 50


def test_gas_does_not_depend_on_what_is_in_memory(chain: Chain) -> None:
    deployed(chain.deploy("one", gas_source("len(ctx.party) + len(ctx.roles)")))
    used = set()
    for _ in range(3):
        used.add(gas(chain, "one"))
        chain.machine.reset()  # state
        used.add(gas(chain, "one"))
        chain.machine = Machine(chain.fetch, chain.scan)  # code, bindings and plans as well
        used.add(gas(chain, "one"))
    assert len(used) == 1


def test_it_runs_out_of_gas_like_anything_else(chain: Chain) -> None:
    deployed(chain.deploy("one", gas_source("len(ctx.party)")))
    enough = gas(chain, "one")
    for limit in range(enough - 1, 2_100, -331):
        receipt = chain.block([(LAB, "one", "act", [])], gas_limit=limit)[0]
        assert (receipt.error, receipt.gas_used) == ("out_of_gas", limit)


def test_a_view_may_ask_and_a_view_still_does_not_write(chain: Chain) -> None:
    source = f"{IMPORTS}x = Var(int)\n@view\ndef f() -> str:\n    x.set(1)\n    return ctx.party\n"
    assert "V001" in {finding.rule for finding in check_source(source)}
    with pytest.raises(ViewRefused, match="unknown_method"):
        chain.view(LAB, "desk", "count")


def test_the_prefetch_of_a_block_knows_whom_it_will_ask_about(chain: Chain) -> None:
    deployed(chain.deploy("one", gas_source("len(ctx.party)")))
    questions: list[list[StateKey]] = []

    def fetch(keys: Sequence[StateKey]) -> list[bytes | None]:
        questions.append(list(keys))
        return [chain.state.get(pair) for pair in keys]

    machine = Machine(fetch, chain.scan)
    calls = [
        Call(bytes(32), account(f"sender {n}"), "one", "act", encode_value([]), 100_000)
        for n in range(50)
    ]
    receipts, _ = machine.apply_block(BlockContext(b"", 1, 1), calls)
    assert all(receipt.status == 0 for receipt in receipts)
    asked = [question for question in questions if any(key[0] == "parties" for key in question)]
    assert [len(question) for question in asked] == [50, 1]  # addresses at once; the party ""
