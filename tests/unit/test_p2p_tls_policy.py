"""Whom a node speaks with: each certificate that is not good enough, by the name of the reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from crypto.errors import Reason
from crypto.x509.profile import Role, Subject
from crypto.x509.read import Certificate, read_certificate
from p2p.errors import PeerRefused, Refusal
from p2p.tls.policy import TransportPolicy
from tests.x509_world import DAY, NODE, NOW, OTHER_PEER, PEER, Org, organization


@pytest.fixture(scope="module")
def org() -> Org:
    return organization()


@pytest.fixture(scope="module")
def policy(org: Org) -> TransportPolicy:
    return TransportPolicy((org.root,), frozenset(), {PEER: "org1"})


def _reason(
    policy: TransportPolicy, certificate: Certificate, *, now: datetime = NOW, dialed: str = ""
) -> str:
    with pytest.raises(PeerRefused) as refused:
        policy.judge(certificate, now, dialed=dialed)
    assert len(str(refused.value)) > 20
    return refused.value.reason


def test_a_node_of_the_organization_that_the_chain_has_for_it_is_good(
    org: Org, policy: TransportPolicy
) -> None:
    assert policy.judge(org.leaf(), NOW) == PEER
    assert policy.judge(org.leaf(), NOW, dialed=PEER) == PEER


def test_each_other_certificate_is_refused_by_the_name_of_the_reason(
    org: Org, policy: TransportPolicy
) -> None:
    other = organization("org2")
    both = replace(policy, roots=(org.root, other.root))
    node = org.leaf()
    bent = bytearray(node.der)
    bent[-1] ^= 1
    stolen = other.leaf(replace(NODE, organization="org2"))  # another organization names our peer
    unknown = org.leaf(replace(NODE, peer_id=OTHER_PEER))
    assert _reason(policy, organization().leaf()) == Reason.FOREIGN
    assert _reason(policy, stolen) == Reason.FOREIGN
    assert _reason(both, stolen) == Reason.ORGANIZATION
    assert _reason(replace(policy, roots=()), node) == Reason.FOREIGN
    assert _reason(policy, read_certificate(bytes(bent))) == Reason.TAMPERED
    assert _reason(policy, node, now=NOW + 366 * DAY) == Reason.EXPIRED
    assert _reason(policy, node, now=NOW - DAY) == Reason.EARLY
    assert _reason(policy, node, dialed=OTHER_PEER) == Reason.PEER
    assert _reason(policy, org.leaf(Subject("org1", "alice", Role.USER))) == Reason.ROLE
    assert _reason(policy, org.root) == Reason.ROLE
    assert _reason(policy, unknown) == Refusal.STRANGER


def test_what_the_chain_knows_as_revoked_is_refused_and_its_successor_is_not(
    org: Org, policy: TransportPolicy
) -> None:
    old, new = org.leaf(), org.leaf()
    after = replace(policy, revoked=frozenset({("org1", old.serial)}))
    assert _reason(after, old) == Reason.REVOKED
    assert after.judge(new, NOW) == PEER
    others = replace(policy, revoked=frozenset({("org2", old.serial)}))  # another one's serial
    assert others.judge(old, NOW) == PEER


def test_an_organization_that_leaves_takes_its_nodes_with_it(
    org: Org, policy: TransportPolicy
) -> None:
    assert _reason(replace(policy, organizations={}), org.leaf()) == Refusal.STRANGER
    assert _reason(replace(policy, organizations={PEER: "org2"}), org.leaf()) == Reason.ORGANIZATION
