"""Nodes and the committee: who changes them, when a change is certain, and what stops one."""

from __future__ import annotations

import pytest

from contracts.bundle import init_args, system_sources
from contracts.system import governance
from contracts.vm.codes import Code
from contracts.vm.testing import Chain, account
from ledger.genesis import GenesisParty, Limits
from ledger.model import Validator, ValidatorSet
from ledger.values import Value
from tests.business import ORGANIZATIONS, PARTIES, STRANGER, changed, node_public, peer_of
from tests.council import CONFIRM_MS, FOUNDERS, WINDOW, Council, account_of


def test_the_committee_of_the_genesis_is_in_its_order_and_in_effect() -> None:
    council = Council()
    shown = council.ask_record(STRANGER, "governance", "committee")
    assert shown["first_height"] == 1
    assert shown["members"] == shown["serving"]
    assert council.members() == list(FOUNDERS)
    assert (shown["quorum"], shown["window"]) == (3, WINDOW)
    assert council.ask(STRANGER, "governance", "organizations") == list(ORGANIZATIONS)
    assert council.nodes() == list(FOUNDERS)
    assert council.node(FOUNDERS[0])["status"] == "validator"


# --- what only proposals do -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("admit", ["n", "bank", node_public("n"), peer_of("n"), ""]),
        ("dismiss", [FOUNDERS[0]]),
        ("ask", ["p", "remove_validator", FOUNDERS[0], ""]),
        ("cancel", ["p"]),
    ],
)
def test_nobody_goes_round_the_vote(method: str, args: list[Value]) -> None:
    council = Council()
    for who in (*PARTIES, STRANGER):
        assert council.refused(who, "governance", method, *args) == "governance.caller", who
    for node in FOUNDERS:
        assert council.node_refused(node, "governance", method, *args) == "governance.caller"


def test_no_party_gets_a_vote_that_was_suspended_since_the_change_was_approved() -> None:
    council = Council()
    council.admitted("node-bank", "bank")
    approved = council.voted("add_validator", "node-bank")
    council.do("board", "parties", "suspend", "bank", "fraud")
    for node in ("node-bank", *FOUNDERS):
        assert council.confirm(node, approved) == ["ChangeConfirmed"]
    council.pass_time(CONFIRM_MS)
    assert council.status(approved) == "lapsed"
    words: list[Value] = ["again", "add_validator", "node-bank", "", "because"]
    refused = council.refused("bureau", "proposal", "propose", *words)
    assert refused == "governance.party_suspended"
    council.do("board", "parties", "readmit", "bank", "cleared")
    council.decided("add_validator", "node-bank")


def test_another_contract_cannot_pass_for_the_vote() -> None:
    council = Council()
    source = (
        "from contracts.dialect import call, call_contract\n"
        "@call\n"
        "def expel(node: str) -> None:\n"
        "    call_contract('governance', 'dismiss', node)\n"
    )
    assert council.chain.deploy("proposals", source).status == Code.ok
    assert council.refused("bureau", "proposals", "expel", FOUNDERS[0]) == "governance.caller"


# --- observers ------------------------------------------------------------------------------------


def test_an_admitted_observer_is_known_at_once_and_never_voted() -> None:
    council = Council()
    council.admitted("node-bank")
    assert council.node("node-bank") == {
        "name": "node-bank",
        "party": "bank",
        "public_key": node_public("node-bank"),
        "peer_id": peer_of("node-bank"),
        "address": "/ip4/10.0.0.9/tcp/1",
        "status": "observer",
        "seated": 0,
    }
    assert council.nodes() == [*FOUNDERS, "node-bank"]
    assert council.members() == list(FOUNDERS)


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "", "governance.name"),
        (0, "Node", "governance.name"),
        (0, "n" * 65, "governance.name"),
        (0, FOUNDERS[1], "governance.name_taken"),
        (1, "nobody", "governance.party"),
        (1, "chipworks", "governance.party"),
        (2, b"", "governance.key"),
        (2, bytes(63), "governance.key"),
        (2, bytes(65), "governance.key"),
        (2, node_public(FOUNDERS[1]), "governance.key_taken"),
        (3, "", "governance.peer_id"),
        (3, "0", "governance.peer_id"),
        (3, "a b", "governance.peer_id"),
        (3, "a" * 129, "governance.peer_id"),
        (3, peer_of(FOUNDERS[1]), "governance.peer_taken"),
        (4, "10.0.0.1:27000", "governance.address"),
        (4, "/" * 257, "governance.address"),
    ],
)
def test_a_node_that_is_described_badly_is_not_proposed(
    position: int, value: Value, code: str
) -> None:
    council = Council()
    council.suspend("chipworks")
    args = changed(council.admission("node-bank"), position, value)
    assert council.refused("bureau", "proposal", "admit_observer", "p", *args) == code
    council.do("bureau", "proposal", "admit_observer", "p", *council.admission("node-bank"))


def test_what_was_free_when_it_was_proposed_may_be_taken_when_it_is_approved() -> None:
    """Two proposals for one key: the second is refused at its last vote, and leaves nothing."""
    council = Council()
    for proposal_id, node in (("p1", "n1"), ("p2", "n2")):
        args = changed(council.admission(node), 2, node_public("one key"))
        council.do("bureau", "proposal", "admit_observer", proposal_id, *args)
        council.do("opco", "proposal", "approve", proposal_id)
    council.do("health", "proposal", "approve", "p1")
    refused = council.refused("health", "proposal", "approve", "p2")
    assert refused == "governance.key_taken"
    assert council.status("p2") == "open"
    assert council.nodes() == [*FOUNDERS, "n1"]


def test_a_dismissed_node_is_cut_off_for_good() -> None:
    council = Council()
    council.admitted("node-bank")
    council.voted("dismiss_observer", "node-bank")
    assert council.nodes() == list(FOUNDERS)
    assert council.node("node-bank")["status"] == "dismissed"
    assert council.node_denied("node-bank", "governance", "nodes") == "governance.reader"
    address: list[Value] = ["node-bank", "/ip4/10.0.0.1/tcp/1"]
    assert council.refused("bank", "governance", "set_address", *address) == "governance.dismissed"
    for position, code in ((0, "name_taken"), (2, "key_taken"), (3, "peer_taken")):
        old, new = council.admission("node-bank"), council.admission("another")
        args = changed(new, position, old[position])
        refused = council.refused("bureau", "proposal", "admit_observer", "p", *args)
        assert refused == f"governance.{code}"


@pytest.mark.parametrize("node", [FOUNDERS[0], "nobody"])
def test_only_an_observer_is_dismissed(node: str) -> None:
    council = Council()
    args: list[Value] = ["p", "dismiss_observer", node, "", "because"]
    wanted = "governance.unknown" if node == "nobody" else "governance.not_observer"
    assert council.refused("bureau", "proposal", "propose", *args) == wanted
    council.admitted("node-bank")
    successor: list[Value] = ["p", "dismiss_observer", "node-bank", FOUNDERS[0], "because"]
    assert council.refused("bureau", "proposal", "propose", *successor) == "governance.successor"


def test_the_register_has_a_bound() -> None:
    council = Council()
    for number in range(governance.NODES_MAX - len(FOUNDERS)):
        council.chain.call(
            "contract:proposal", "governance", "admit", f"n{number}", "bank",
            number.to_bytes(64, "big"), f"peer{number}".replace("0", "z"), "",
        )  # fmt: skip
    assert len(council.nodes()) == governance.NODES_MAX
    args = council.admission("node-bank")
    refused = council.refused("bureau", "proposal", "admit_observer", "p", *args)
    assert refused == "governance.nodes"


def test_only_the_party_of_a_node_says_where_it_listens() -> None:
    council = Council()
    council.admitted("node-bank")
    address = "/ip4/10.1.1.1/tcp/27000"
    for who in (*PARTIES, STRANGER):
        if who != "bank":
            refused = council.refused(who, "governance", "set_address", "node-bank", address)
            assert refused == "governance.owner", who
    refused = council.node_refused("node-bank", "governance", "set_address", "node-bank", address)
    assert refused == "governance.owner"
    assert council.refused("bank", "governance", "set_address", "x", "") == "governance.unknown"
    refused = council.refused("bank", "governance", "set_address", "node-bank", "no")
    assert refused == "governance.address"
    events = council.do("bank", "governance", "set_address", "node-bank", address)
    assert events == [("AddressSet", {"node": "node-bank", "address": address})]
    assert council.node("node-bank")["address"] == address
    council.do("bank", "governance", "set_address", "node-bank", "")


# --- changes of the committee ---------------------------------------------------------------------


def test_a_validator_is_added_at_the_end_a_window_after_the_last_confirmation() -> None:
    council = Council()
    council.admitted("node-bank")
    proposal_id = council.voted("add_validator", "node-bank")
    assert council.members() == list(FOUNDERS), "approval alone changes nothing"
    for name in FOUNDERS[:3]:
        assert council.confirm(name, proposal_id) == ["ChangeConfirmed"]
    assert council.status(proposal_id) == "approved", "the new member has to confirm, too"
    assert council.confirm("node-bank", proposal_id) == ["ChangeConfirmed", "CommitteeDecided"]
    first_height = council.chain.height + WINDOW + 1
    assert council.status(proposal_id) == "decided"
    assert council.committee()["first_height"] == first_height
    assert council.members() == [*FOUNDERS, "node-bank"]
    assert council.node("node-bank")["seated"] == first_height
    council.chain.advance(height=WINDOW)
    assert council.members("serving") == list(FOUNDERS)
    assert "bank" not in str(council.ask("bureau", "governance", "organizations"))
    council.chain.advance(height=1)
    assert council.members("serving") == [*FOUNDERS, "node-bank"]
    assert council.ask("bureau", "governance", "organizations") == [*ORGANIZATIONS, "bank"]


def test_the_new_member_alone_or_a_minority_decides_nothing() -> None:
    council = Council()
    council.admitted("node-bank")
    proposal_id = council.voted("add_validator", "node-bank")
    for name in ("node-bank", *FOUNDERS[:2]):
        council.confirm(name, proposal_id)
    assert council.status(proposal_id) == "approved", "a quorum of five is four"
    council.confirm(FOUNDERS[3], proposal_id)
    assert council.status(proposal_id) == "decided"


@pytest.mark.parametrize(("kind", "status"), [
    ("remove_validator", "observer"), ("expel_validator", "dismissed"),
])  # fmt: skip
def test_a_member_that_leaves_is_taken_out_and_the_others_keep_their_order(
    kind: str, status: str
) -> None:
    council = Council()
    council.admitted("node-bank")
    council.decided("add_validator", "node-bank")
    council.settle()
    council.decided(kind, FOUNDERS[1])
    assert council.members() == [FOUNDERS[0], *FOUNDERS[2:], "node-bank"]
    assert council.node(FOUNDERS[1])["status"] == status
    assert (FOUNDERS[1] in council.nodes()) is (status == "observer")
    assert council.members("serving") == [*FOUNDERS, "node-bank"], "it still has to order"


def test_a_successor_takes_the_place_of_the_one_that_leaves() -> None:
    council = Council()
    council.admitted("node-bank")
    council.decided("replace_validator", FOUNDERS[1], "node-bank")
    assert council.members() == [FOUNDERS[0], "node-bank", *FOUNDERS[2:]]
    assert council.node(FOUNDERS[1])["status"] == "observer"
    assert council.node("node-bank")["status"] == "validator"


def test_a_member_that_left_may_come_back() -> None:
    council = Council()
    council.admitted("node-bank")
    council.decided("replace_validator", FOUNDERS[1], "node-bank")
    council.settle()
    council.decided("add_validator", FOUNDERS[1])
    assert council.members() == [FOUNDERS[0], "node-bank", *FOUNDERS[2:], FOUNDERS[1]]


def test_only_members_of_the_new_committee_confirm_each_once_and_with_their_node_key() -> None:
    council = Council()
    council.admitted("node-bank")
    proposal_id = council.voted("replace_validator", FOUNDERS[1], "node-bank")
    for who in (*PARTIES, STRANGER):
        assert council.refused(who, "governance", "confirm", proposal_id) == (
            "governance.confirm_key"
        )
    for node in (FOUNDERS[1], "node-stranger"):
        refused = council.node_refused(node, "governance", "confirm", proposal_id)
        assert refused == "governance.confirm_key"
    council.confirm("node-bank", proposal_id)
    refused = council.node_refused("node-bank", "governance", "confirm", proposal_id)
    assert refused == "governance.confirmed"


def test_what_is_not_awaited_is_not_confirmed() -> None:
    council = Council()
    council.admitted("node-bank")
    proposal_id = council.proposed("add_validator", "node-bank")
    for wanted in (proposal_id, "nothing"):
        refused = council.node_refused("node-bank", "governance", "confirm", wanted)
        assert refused == "governance.not_awaited"
    for who in ("opco", "health"):
        council.do(who, "proposal", "approve", proposal_id)
    refused = council.node_refused("node-bank", "governance", "confirm", "nothing")
    assert refused == "governance.not_awaited"


def test_a_change_that_too_few_can_confirm_lapses_and_the_next_may_come() -> None:
    council = Council()
    council.admitted("node-bank")
    proposal_id = council.voted("add_validator", "node-bank")
    approved_ms = council.now_ms
    for name in ("node-bank", *FOUNDERS[:2]):
        council.confirm(name, proposal_id)
    expires_ms = council.proposal(proposal_id)["expires_ms"]
    assert isinstance(expires_ms, int)
    assert expires_ms == approved_ms + CONFIRM_MS
    council.chain.advance(time_ms=expires_ms - council.now_ms - 1)
    assert council.status(proposal_id) == "approved"
    council.chain.advance(time_ms=1)
    assert council.status(proposal_id) == "lapsed"
    refused = council.node_refused(FOUNDERS[2], "governance", "confirm", proposal_id)
    assert refused == "governance.not_awaited"
    assert council.members() == list(FOUNDERS)
    assert council.ask(STRANGER, "governance", "awaiting", account_of("node-bank")) == []
    council.decided("add_validator", "node-bank")


def test_confirmations_of_a_lapsed_change_do_not_count_for_the_next() -> None:
    council = Council()
    council.admitted("node-bank")
    lapsed = council.voted("add_validator", "node-bank")
    for name in FOUNDERS[:3]:
        council.confirm(name, lapsed)
    council.chain.advance(time_ms=CONFIRM_MS)
    proposal_id = council.voted("add_validator", "node-bank")
    council.confirm("node-bank", proposal_id)
    assert council.status(proposal_id) == "approved"


def test_changes_come_one_at_a_time() -> None:
    council = Council()
    council.admitted("node-bank", "opco")
    council.admitted("node-civil", "health")
    second = council.proposed("add_validator", "node-civil")
    council.do("opco", "proposal", "approve", second)
    first = council.voted("add_validator", "node-bank")
    assert council.refused("health", "proposal", "approve", second) == "governance.busy"
    for name in (*FOUNDERS[:3], "node-bank"):
        council.confirm(name, first)
    assert council.refused("health", "proposal", "approve", second) == "governance.unsettled"
    args: list[Value] = ["p", "add_validator", "node-civil", "", "because"]
    assert council.refused("bureau", "proposal", "propose", *args) == "governance.unsettled"
    council.settle()
    council.chain.advance(height=-1)
    assert council.refused("health", "proposal", "approve", second) == "governance.unsettled"
    council.do("health", "proposal", "approve", second)
    assert council.status(second) == "approved"


def test_a_change_that_waits_for_a_dismissed_observer_is_over() -> None:
    council = Council()
    council.admitted("node-bank")
    council.admitted("node-civil", "civil")
    proposal_id = council.voted("add_validator", "node-bank")
    council.voted("dismiss_observer", "node-civil")
    assert council.status(proposal_id) == "approved", "another node has nothing to do with it"
    council.voted("dismiss_observer", "node-bank")
    assert council.status(proposal_id) == "lapsed"
    refused = council.node_refused("node-bank", "governance", "confirm", proposal_id)
    assert refused == "governance.not_awaited"


def test_a_change_that_was_withdrawn_is_not_awaited() -> None:
    council = Council()
    council.admitted("node-bank")
    proposal_id = council.voted("add_validator", "node-bank")
    assert council.ask(STRANGER, "governance", "awaiting", account_of("node-bank")) == [proposal_id]
    council.do("bureau", "proposal", "withdraw", proposal_id)
    assert council.status(proposal_id) == "withdrawn"
    assert council.ask(STRANGER, "governance", "awaiting", account_of("node-bank")) == []
    council.decided("add_validator", "node-bank")


@pytest.mark.parametrize(
    ("kind", "node", "successor", "code"),
    [
        ("add_validator", FOUNDERS[0], "", "governance.not_observer"),
        ("add_validator", "nobody", "", "governance.unknown"),
        ("add_validator", "node-bank", "node-bank", "governance.successor"),
        ("remove_validator", FOUNDERS[0], "", "governance.too_few"),
        ("expel_validator", FOUNDERS[0], "", "governance.too_few"),
        ("remove_validator", "node-bank", "", "governance.not_validator"),
        ("remove_validator", "nobody", "", "governance.not_validator"),
        ("expel_validator", "node-bank", "", "governance.not_validator"),
        ("replace_validator", FOUNDERS[0], "", "governance.successor"),
        ("replace_validator", FOUNDERS[0], FOUNDERS[1], "governance.not_observer"),
        ("replace_validator", FOUNDERS[0], FOUNDERS[0], "governance.not_observer"),
        ("replace_validator", "node-bank", "node-bank", "governance.not_validator"),
        ("admit_observer", "node-bank", "", "governance.kind"),
        ("", "node-bank", "", "governance.kind"),
    ],
)
def test_a_change_that_leads_nowhere_is_not_proposed(
    kind: str, node: str, successor: str, code: str
) -> None:
    council = Council()
    council.admitted("node-bank")
    args: list[Value] = ["p", kind, node, successor, "because"]
    assert council.refused("bureau", "proposal", "propose", *args) == code


def test_what_was_possible_when_it_was_proposed_is_checked_again_when_it_is_approved() -> None:
    council = Council()
    council.admitted("node-bank")
    council.decided("add_validator", "node-bank")
    council.settle()
    second = council.proposed("remove_validator", FOUNDERS[3])
    for who in ("opco", "health"):
        council.do(who, "proposal", "approve", second)
    council.decided("remove_validator", FOUNDERS[1])
    council.settle()
    assert council.refused("bank", "proposal", "approve", second) == "governance.too_few"


def test_a_full_committee_takes_nobody_in() -> None:
    chain = Chain()
    parties = [GenesisParty("p", "P", ("manager",), (account("p"),))]
    members = tuple(
        Validator(f"n{i}", "p", i.to_bytes(64, "big"), f"peer{i}".replace("0", "z"))
        for i in range(governance.MEMBERS_MAX)
    )
    args = init_args(parties, validators=ValidatorSet(members), limits=Limits())
    sources = dict(system_sources())
    for name in ("parties", "governance", "policy", "proposal"):
        assert chain.deploy(name, sources[name], args.get(name, [])).status == Code.ok
    new: list[Value] = ["new", "p", bytes(range(64)), "peerx", "", "grow"]
    chain.must(account("p"), "proposal", "admit_observer", "a", *new)
    receipt = chain.call(account("p"), "proposal", "propose", "b", "add_validator", "new", "", "r")
    assert receipt.detail.startswith("governance.too_many: ")


# --- the genesis ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "window", "code"),
    [
        ([], 32, "governance.members"),
        ([["n", "p", bytes(64), "peer", ""]], 0, "governance.window"),
        ([["n", "nobody", bytes(64), "peer", ""]], 32, "governance.party"),
        ([["n", "p", bytes(64), "peer", ""], ["n", "p", b"k" * 64, "other", ""]], 32,
         "governance.name_taken"),
        ([["n", "p", bytes(64), "peer", ""], ["m", "p", bytes(64), "other", ""]], 32,
         "governance.key_taken"),
        ([["n", "p", bytes(64), "peer", ""], ["m", "p", b"k" * 64, "peer", ""]], 32,
         "governance.peer_taken"),
    ],
)  # fmt: skip
def test_a_genesis_with_a_committee_that_cannot_be_does_not_deploy(
    members: list[Value], window: int, code: str
) -> None:
    chain = Chain()
    sources = dict(system_sources())
    founder: Value = [["p", "P", ["manager"], [account("p")]]]
    assert chain.deploy("parties", sources["parties"], [founder]).status == Code.ok
    receipt = chain.deploy("governance", sources["governance"], [members, window])
    assert receipt.detail.startswith(f"{code}: "), receipt.detail


# --- readers --------------------------------------------------------------------------------------


def test_parties_and_nodes_see_the_register_and_strangers_the_committee_only() -> None:
    council = Council()
    council.admitted("node-bank")
    council.chain.view(account_of("node-bank"), "governance", "nodes")
    council.chain.view(account_of("node-bank"), "governance", "node", FOUNDERS[0])
    council.chain.view(account_of("node-bank"), "proposal", "list", 0, 10)
    assert council.denied(STRANGER, "governance", "nodes") == "governance.reader"
    assert council.denied("bank", "governance", "node", "nobody") == "governance.unknown"
    council.ask(STRANGER, "governance", "committee")


def test_a_node_speaks_for_itself_and_a_party_for_its_accounts() -> None:
    council = Council()
    ask = council.ask
    assert ask(STRANGER, "governance", "speaker_of", account("bank")) == "bank"
    assert ask(STRANGER, "governance", "speaker_of", account(STRANGER)) == ""
    assert ask(STRANGER, "governance", "speaker_of", account_of(FOUNDERS[0])) == FOUNDERS[0]
    key = node_public("node-bank")
    council.admitted("node-bank")
    assert ask(STRANGER, "governance", "validator_of", key) == ""
    assert ask(STRANGER, "governance", "validator_of", bytes(64)) == ""
    council.decided("add_validator", "node-bank")
    assert ask(STRANGER, "governance", "validator_of", key) == "node-bank"
    council.settle()
    council.decided("expel_validator", "node-bank")
    assert ask(STRANGER, "governance", "validator_of", key) == "node-bank", "what it signed stays"
    assert ask(STRANGER, "governance", "speaker_of", account_of("node-bank")) == ""
