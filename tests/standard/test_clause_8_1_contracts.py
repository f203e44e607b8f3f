"""Clauses 8.1.5 a, d, e: how contracts change, on the real register and committee."""

from __future__ import annotations

from crypto import sm3
from ledger.values import Value, encode_value
from tests.business import Business
from tests.council import Council

FIRST = """from contracts.dialect import Map, call, view
yuan = Map(str, int)
@call
def add(name: str, amount: int) -> int:
    yuan[name] = yuan.get(name, 0) + amount
    return yuan[name]
@view
def read(name: str) -> int:
    return yuan.get(name, 0)
"""
SECOND = """from contracts.dialect import Map, call, migrate, view
yuan = Map(str, int)
cents = Map(str, int)
@migrate
def move(sequence: int) -> None:
    cents["east"] = yuan["east"] * 100
    del yuan["east"]
@call
def add(name: str, amount: int) -> int:
    cents[name] = cents.get(name, 0) + amount
    return cents[name]
@view
def read(name: str) -> int:
    return cents.get(name, 0)
"""
HASH = sm3.digest(SECOND.encode())


def deployed() -> Business:
    business = Business()
    business.do("chipworks", "contract", "deploy", "sums", FIRST, encode_value([]))
    business.do("insurer", "sums", "add", "east", 7)
    return business


def error(business: Business, who: str, method: str, *args: Value) -> str:
    return business.act(who, "contract", method, *args).error


def test_clause_8_1_5a_nobody_changes_code_alone() -> None:
    """智能合约防篡改和抗抵赖性: 升级须经审批."""
    business = deployed()
    source = str(business.ask("opco", "contract", "source", "task", 1)) + "\n# newer\n"
    for name, newer in (("sums", SECOND), ("task", source)):
        business.do("bureau", "contract", "upgrade", name, 2, newer, "better")
        assert business.ask_record("opco", "contract", "show", name)["sequence"] == 1
    assert error(business, "bureau", "approve", "sums", 2, HASH) == "not_allowed"
    assert error(business, "insurer", "approve", "sums", 2, HASH) == "not_allowed"
    assert error(business, "opco", "approve", "sums", 2, bytes(32)) == "not_allowed"
    assert business.ask("insurer", "sums", "read", "east") == 7


def test_clause_8_1_5d_the_whole_life_is_on_record() -> None:
    """智能合约的全生命周期管理: 创建、部署、升级、冻结、废止."""
    business = deployed()
    business.do("chipworks", "contract", "upgrade", "sums", 2, SECOND, "cents")
    for party in ("opco", "bureau"):
        business.do(party, "contract", "approve", "sums", 2, HASH)
    assert business.ask("insurer", "sums", "read", "east") == 700
    business.do("bureau", "contract", "freeze", "sums", "a finding")
    business.do("bureau", "contract", "unfreeze", "sums")
    business.do("bureau", "contract", "revoke", "sums", "end of service")
    business.do("opco", "contract", "approve", "sums", 2, HASH)
    record = business.ask_record("insurer", "contract", "show", "sums")
    assert (record["status"], record["sequence"], record["owner"]) == ("revoked", 2, "chipworks")
    steps = business.ask("insurer", "contract", "history", "sums", 0, 50)
    assert isinstance(steps, list)
    taken = [step["step"] for step in steps if isinstance(step, dict)]
    assert taken[0] == "deploy"
    assert taken[-1] == "revoke"
    assert {"upgrade", "freeze", "unfreeze"} < set(taken)
    assert business.ask("insurer", "contract", "source", "sums", 1) == FIRST


def test_clause_8_1_5d_what_contracts_do_is_switched_by_vote_at_one_height() -> None:
    """智能合约功能的启用与停用: 经表决, 自约定高度起."""
    council = Council()
    sealed: list[Value] = [
        "delivery.sent",
        "x",
        bytes(32),
        "",
        "",
        b"sealed",
        [["opco", bytes(113)]],
    ]
    council.do("insurer", "evidence", "record_sealed", "e1", *sealed)
    words: list[Value] = ["sealed_evidence", False, council.chain.height + 50]
    assert council.refused("bank", "proposal", "switch_feature", "p", *words, "why") == (
        "proposal.role"
    )
    council.passed("switch_feature", *words)
    from_height = council.ask_record("bank", "feature", "show", "sealed_evidence")["from_height"]
    assert isinstance(from_height, int)
    council.chain.advance(height=from_height - council.chain.height - 2)
    council.do("insurer", "evidence", "record_sealed", "e2", *sealed)
    assert council.refused("insurer", "evidence", "record_sealed", "e3", *sealed) == "evidence.off"


def test_clause_8_1_5e_a_flaw_is_frozen_and_repaired() -> None:
    """合约漏洞的发现、应急处置与修复."""
    business = deployed()
    assert error(business, "opco", "freeze", "sums", "mine") == "not_allowed"
    business.do("bureau", "contract", "freeze", "sums", "wrong sums")
    assert business.act("insurer", "sums", "add", "east", 1).error == "contract_frozen"
    business.do("opco", "contract", "upgrade", "sums", 2, SECOND, "repaired")
    business.do("bureau", "contract", "approve", "sums", 2, HASH)
    assert business.act("insurer", "sums", "add", "east", 1).error == "contract_frozen"
    business.do("bureau", "contract", "unfreeze", "sums")
    business.do("insurer", "sums", "add", "east", 1)
    assert business.ask("insurer", "sums", "read", "east") == 701
