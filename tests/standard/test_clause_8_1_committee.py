"""Clause 8.1.3 as far as contracts meet it: who orders, how that changes, who answers for it."""

from __future__ import annotations

import pytest

from contracts.parameters import term_at, terms_of
from contracts.vm.codes import Code
from ledger.bundle import StateFacts
from ledger.errors import BundleInvalid
from ledger.genesis import Limits
from ledger.values import Value
from tests.bundle_world import altered, check, moved
from tests.business import HOUR_MS, STRANGER, node_public
from tests.council import CONFIRM_MS, FOUNDERS, WEEK_MS, WINDOW, Council, Reader, signed, vote

LIAR = FOUNDERS[1]


def test_clause_8_1_3a_a_committee_never_becomes_one_that_cannot_be_reached() -> None:
    """容错性: 变更后的委员会须由可达的法定数成员确认."""
    council = Council()
    council.admitted("node-bank")
    proposal_id = council.voted("add_validator", "node-bank")
    for name in FOUNDERS:
        council.confirm(name, proposal_id)
    assert council.members() == list(FOUNDERS), "the new member did not answer"
    council.chain.advance(time_ms=CONFIRM_MS)
    assert council.status(proposal_id) == "lapsed"
    council.decided("add_validator", "node-bank")
    first_height = council.committee()["first_height"]
    assert first_height == council.chain.height + WINDOW + 1
    assert council.members("serving") == list(FOUNDERS)
    council.settle()
    council.chain.advance(height=1)
    assert council.members("serving") == [*FOUNDERS, "node-bank"]


def test_clause_8_1_3a_neither_one_party_nor_one_node_changes_the_committee() -> None:
    """委员会变更须经管理方及法定数机构同意."""
    council = Council()
    council.admitted("node-bank")
    proposal_id = council.proposed("replace_validator", LIAR, "node-bank")
    assert council.status(proposal_id) == "open", "the manager alone"
    assert council.node_refused("node-bank", "governance", "confirm", proposal_id) == (
        "governance.not_awaited"
    )
    council.do("opco", "proposal", "approve", proposal_id)
    council.do("health", "proposal", "approve", proposal_id)
    assert council.status(proposal_id) == "approved"


def test_clause_8_1_3c_who_signs_two_forks_is_proven_on_chain_and_removed() -> None:
    """防止分叉: 作恶节点留证并可移除."""
    council = Council()
    pair = signed(LIAR, vote(proposal="one fork"), vote(proposal="another fork"))
    key = node_public(LIAR)
    receipt = council.node_act(FOUNDERS[0], "accusation", "accuse", key, *pair)
    assert receipt.status == Code.ok
    page = council.ask(STRANGER, "accusation", "list", 0, 10)
    assert isinstance(page, list) and isinstance(page[0], dict)
    assert (page[0]["validator"], page[0]["first"], page[0]["second"]) == (LIAR, pair[0], pair[2])
    innocent = node_public(FOUNDERS[2])
    refused = council.refused("bank", "accusation", "accuse", innocent, *pair)
    assert refused == "accusation.first_signature"
    council.admitted("node-bank")
    council.decided("add_validator", "node-bank")
    council.settle()
    council.decided("expel_validator", LIAR)
    assert LIAR not in council.members()
    assert LIAR not in council.nodes()


def test_clause_8_1_3d_figures_of_blocks_are_voted_on_and_hold_for_all_from_one_height() -> None:
    """公平性: 区块参数须经表决, 自同一高度起对所有节点生效."""
    council = Council()
    values: list[Value] = [["block_transactions_max", 2000]]
    for who in ("bank", "rival"):
        refused = council.refused(who, "proposal", "change_parameters", "p", values, 0, "why")
        assert refused == "proposal.role"
    council.do("bureau", "proposal", "change_parameters", "p", values, 0, "why")
    assert len(terms_of(Reader(council))) == 1, "the manager alone"
    council.carry("p")
    from_height = council.chain.height + WINDOW + 1
    terms = terms_of(Reader(council))
    for height, expected in ((from_height - 1, 1000), (from_height, 2000)):
        term = term_at(terms, height)
        assert term is not None
        assert term.limits(Limits()).block_transactions_max == expected


def test_clause_8_1_3d_no_policy_hands_the_chain_to_a_few() -> None:
    """公平性: 任何表决策略均不得低于管理方及法定数机构, 亦不得将其排除在外."""
    council = Council()
    council.passed("change_policy", "change_parameters", 1, 1, False, HOUR_MS)
    values: list[Value] = [["block_transactions_max", 2000]]
    council.do("bureau", "proposal", "change_parameters", "p", values, 0, "why")
    council.do("opco", "proposal", "approve", "p")
    assert council.status("p") == "open", "two of four organizations"
    council.passed("change_policy", "change_parameters", 8, 100, True, HOUR_MS)
    council.do("health", "proposal", "approve", "p")
    assert council.status("p") == "open", "so many managers as nobody has"
    council.passed("change_policy", "change_parameters", 1, 0, True, WEEK_MS)
    council.do("insurer", "proposal", "approve", "p")
    assert council.status("p") == "decided"


def test_clause_8_1_4d_a_state_is_believed_on_the_word_of_its_own_committee() -> None:
    """状态一致: 委员会变更后, 仍可由创世配置逐届验证状态."""
    chain = moved()
    for bundle, height, epoch in ((chain.handover, 7, 3), (chain.state, 8, 7)):
        facts = check(bundle, chain.genesis)
        assert isinstance(facts, StateFacts)
        assert (facts.certified.height, facts.certified.epoch) == (height, epoch)
        for listed in ((), bundle.committee_changes[:1], bundle.committee_changes[1:]):
            with pytest.raises(BundleInvalid):
                check(altered(bundle, committee_changes=listed), chain.genesis)
