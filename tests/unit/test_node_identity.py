"""What a node makes of the identities on chain: whom links believe, which roles accounts have."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from client.account import Account
from contracts.identities import touches_trust
from crypto.errors import Reason
from crypto.x509.profile import Role, Subject
from crypto.x509.read import Certificate
from ledger.model import Address, address_of
from ledger.values import Value
from node.identity import UNCERTIFIED, TrustWatch, certified, genesis_policy
from p2p.errors import PeerRefused
from tests.moving_chain import TIME_MS, Chain
from tests.x509_world import keys, organization

FOUNDED = datetime(2023, 11, 1, tzinfo=UTC)  # before the time of the chain
NOW = datetime.fromtimestamp(TIME_MS / 1000, UTC)
ORGS = {name: organization(name, now=FOUNDED) for name in ("p0", "p1", "p2", "p3", "p4")}


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    return Chain(tmp_path, roots=[(name, org.root.der) for name, org in ORGS.items()])


def node_certificate(chain: Chain, index: int) -> Certificate:
    node = chain.nodes[index]
    subject = Subject(node.party, node.name, Role.NODE, node.peer_id)
    return ORGS[node.party].leaf(subject, now=FOUNDED)


def do(chain: Chain, account: Account, contract: str, method: str, *args: Value) -> None:
    chain.include(chain.act(account, contract, method, *args))


def approve(chain: Chain, proposal_id: str) -> None:
    for voice in chain.voices[:3]:
        do(chain, voice, "proposal", "approve", proposal_id)


def test_the_genesis_says_whom_the_first_links_believe(chain: Chain) -> None:
    policy = TrustWatch(chain.store).policy
    assert genesis_policy(chain.genesis) == policy, "what who joins by a snapshot begins with"
    assert [root.subject.organization for root in policy.roots] == list(ORGS)
    members = chain.nodes[:4]
    assert policy.organizations == {member.peer_id: member.party for member in members}
    for index, member in enumerate(members):
        assert policy.judge(node_certificate(chain, index), NOW) == member.peer_id
    with pytest.raises(PeerRefused):  # p4 has a root, and no node yet
        policy.judge(node_certificate(chain, 4), NOW)


def test_a_revoked_certificate_is_refused_with_the_block_that_says_so(chain: Chain) -> None:
    watch = TrustWatch(chain.store)
    certificate = node_certificate(chain, 1)
    assert not watch.follow(), "nothing has changed"
    do(chain, chain.voices[1], "identity", "revoke", "p1", f"{certificate.serial:x}", "stolen")
    assert watch.follow()
    assert watch.policy.revoked == {("p1", certificate.serial)}
    with pytest.raises(PeerRefused) as refused:
        watch.policy.judge(certificate, NOW)
    assert refused.value.reason is Reason.REVOKED
    # One who starts later, or was restarted, knows it as well; another certificate is good.
    assert TrustWatch(chain.store).policy == watch.policy
    assert watch.policy.judge(node_certificate(chain, 1), NOW) == chain.nodes[1].peer_id


def test_roots_and_nodes_come_and_go_with_what_is_decided(chain: Chain) -> None:
    watch = TrustWatch(chain.store)
    chain.admit(4)
    assert watch.follow()
    assert watch.policy.judge(node_certificate(chain, 4), NOW) == chain.nodes[4].peer_id
    root = ORGS["p4"].root
    do(chain, chain.manager, "proposal", "retire_root", "r1", "p4", root.fingerprint, "lost")
    approve(chain, "r1")
    assert watch.follow()
    assert root not in watch.policy.roots
    with pytest.raises(PeerRefused) as refused:
        watch.policy.judge(node_certificate(chain, 4), NOW)
    assert refused.value.reason is Reason.FOREIGN
    successor = organization("p4", now=FOUNDED)
    do(chain, chain.manager, "proposal", "admit_root", "r2", "p4", successor.root.der, "next")
    approve(chain, "r2")
    assert watch.follow()
    node = chain.nodes[4]
    made = successor.leaf(Subject("p4", node.name, Role.NODE, node.peer_id), now=FOUNDED)
    assert watch.policy.judge(made, NOW) == node.peer_id


def test_a_root_that_the_operator_vouches_for_counts_until_the_chain_knows_it(chain: Chain) -> None:
    younger = organization("p1", now=FOUNDED)
    node = chain.nodes[1]
    made = younger.leaf(Subject("p1", node.name, Role.NODE, node.peer_id), now=FOUNDED)
    for policy in (genesis_policy(chain.genesis), TrustWatch(chain.store).policy):
        with pytest.raises(PeerRefused) as refused:
            policy.judge(made, NOW)
        assert refused.value.reason is Reason.FOREIGN, "how a new node stood before a renewed one"
    watch = TrustWatch(chain.store, [younger.root])
    for policy in (genesis_policy(chain.genesis, [younger.root]), watch.policy):
        assert policy.judge(made, NOW) == node.peer_id
    do(chain, chain.manager, "proposal", "admit_root", "r1", "p1", younger.root.der, "next")
    approve(chain, "r1")
    watch.follow()
    assert watch.policy.judge(made, NOW) == node.peer_id
    retired = "r2", "p1", younger.root.fingerprint, "stolen"
    do(chain, chain.manager, "proposal", "retire_root", *retired)
    approve(chain, "r2")
    for late in (watch, TrustWatch(chain.store, [younger.root])):
        late.follow()
        with pytest.raises(PeerRefused):
            late.policy.judge(made, NOW)


def test_only_blocks_that_change_trust_have_it_read_anew(chain: Chain) -> None:
    user = ORGS["p0"].leaf(Subject("p0", "zhang", Role.USER), now=FOUNDED)
    do(chain, chain.voices[0], "identity", "register", "p0", user.der)
    assert not touches_trust(chain.store.changes(chain.store.height) or ())
    do(chain, chain.voices[0], "identity", "revoke", "p0", f"{user.serial:x}", "left")
    assert touches_trust(chain.store.changes(chain.store.height) or ())


def test_certificates_give_an_account_roles_and_no_say_for_the_party(chain: Chain) -> None:
    holder = keys()
    address = Address(address_of(holder.public_key))

    def roles() -> tuple[str, set[str]]:
        state = chain.store.head_snapshot()
        found = certified(state, address, now_ms=state.statement.time_ms)
        return found.organization, set(found.roles)

    assert roles() == ("", set())
    subject = Subject("p0", "li", Role.EXECUTOR)
    made = ORGS["p0"].leaf(subject, now=FOUNDED, public=holder.public_key)
    do(chain, Account(holder), "identity", "register", "p0", made.der)
    assert roles() == ("p0", {"executor"})
    do(chain, chain.manager, "parties", "suspend", "p0", "audit")
    assert roles() == ("", set())
    do(chain, chain.manager, "parties", "readmit", "p0", "settled")
    do(chain, chain.voices[0], "identity", "revoke", "p0", f"{made.serial:x}", "left")
    assert roles() == ("", set())
    stranger = Address("ab" * 20)
    assert certified(chain.store, stranger, now_ms=TIME_MS) == UNCERTIFIED
