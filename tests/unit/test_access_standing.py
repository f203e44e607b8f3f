"""What the chain makes of who calls: by its party, its duty, or one certificate that it names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from client.account import Account
from client.errors import Refused
from client.node import NodeClient
from client.signing import signed
from crypto.x509.profile import Role, Subject
from crypto.x509.read import Certificate
from ledger.access import decode_header
from ledger.model import Address
from ledger.values import Value
from node import refusals
from node.api.levels import Level
from node.api.policy import AccessPolicy
from node.api.server import ApiServer
from node.api.standing import Standings, standing_of
from node.refusals import Refusal
from shuxin.v1 import node_pb2
from tests.access_world import porter
from tests.moving_chain import Chain, Served
from tests.x509_world import keys, organization

FOUNDED = datetime(2023, 11, 1, tzinfo=UTC)  # before the time of the chain
ORGS = {name: organization(name, now=FOUNDED) for name in ("p0", "p1")}
PUBLIC, MEMBER, AUDITOR, OPERATOR, ADMIN = Level


@dataclass
class Office:
    """A chain, and what the node of p0 makes of callers."""

    chain: Chain
    standings: Standings

    def do(self, account: Account, contract: str, method: str, *args: Value) -> None:
        self.chain.include(self.chain.act(account, contract, method, *args))

    def certificate(self, party: str, role: Role, public: bytes, *, days: int = 365) -> Certificate:
        """Issued and registered."""
        subject = Subject(party, f"a-{role.value}", role)
        made = ORGS[party].leaf(subject, now=FOUNDED, public=public, days=days)
        voice = self.chain.voices[int(party[1:])]
        registrar = self.chain.manager if role is Role.AUDITOR else voice
        self.do(registrar, "identity", "register", party, made.der)
        return made

    def revoke(self, certificate: Certificate) -> None:
        party = certificate.subject.organization
        serial = f"{certificate.serial:x}"
        self.do(self.chain.manager, "identity", "revoke", party, serial, "left")

    def levels(self, address: Address, certificate: bytes = b"") -> set[Level]:
        return set(self.standings.levels(address, certificate))

    def refuses(self, address: Address, certificate: bytes) -> bool:
        with pytest.raises(Refusal) as refused:
            self.standings.levels(address, certificate)
        return refused.value.code == refusals.ACCESS_CERTIFICATE


@pytest.fixture
def office(tmp_path: Path) -> Office:
    chain = Chain(tmp_path, roots=[(name, org.root.der) for name, org in ORGS.items()])
    return Office(chain, Standings(chain.store, chain.nodes[0].public_key))


def test_parties_and_nodes_have_levels_without_a_certificate(office: Office) -> None:
    chain = office.chain
    assert office.levels(chain.voices[0].address) == {PUBLIC, MEMBER, OPERATOR}
    assert office.levels(chain.voices[1].address) == {PUBLIC, MEMBER}
    assert office.levels(chain.manager.address) == {PUBLIC, MEMBER, AUDITOR}
    assert office.levels(Account(keys()).address) == {PUBLIC}
    office.do(chain.manager, "parties", "suspend", "p0", "audit")
    assert office.levels(chain.voices[0].address) == {PUBLIC}


def test_a_revoked_party_and_its_keeper_are_strangers_from_the_next_block_on(
    office: Office,
) -> None:
    late, keeper, manager = Account(keys()), Account(keys()), office.chain.manager
    office.do(manager, "parties", "register", "late", "Late", ["consumer"], [late.address])
    office.do(manager, "parties", "name_keeper", "late", keeper.address, "agreement")
    for account in (late, keeper):
        assert office.levels(account.address) == {PUBLIC, MEMBER}
    office.do(manager, "parties", "revoke", "late", "gave the data away")
    for account in (late, keeper):
        assert office.levels(account.address) == {PUBLIC}


def test_a_certificate_makes_a_key_a_member_and_its_role_an_auditor(office: Office) -> None:
    holder = Account(keys())
    made = office.certificate("p1", Role.USER, holder.public_key)
    assert office.levels(holder.address) == {PUBLIC, MEMBER}
    assert office.levels(holder.address, made.fingerprint) == {PUBLIC, MEMBER}
    auditor = Account(keys())
    made = office.certificate("p1", Role.AUDITOR, auditor.public_key)
    assert office.levels(auditor.address, made.fingerprint) == {PUBLIC, MEMBER, AUDITOR}


def test_who_names_a_certificate_has_what_that_one_gives_and_no_more(office: Office) -> None:
    both = Account(keys())
    user = office.certificate("p1", Role.USER, both.public_key)
    auditor = office.certificate("p1", Role.AUDITOR, both.public_key)
    assert office.levels(both.address) == {PUBLIC, MEMBER, AUDITOR}
    assert office.levels(both.address, user.fingerprint) == {PUBLIC, MEMBER}
    assert office.levels(both.address, auditor.fingerprint) == {PUBLIC, MEMBER, AUDITOR}
    voice = office.chain.voices[0]  # speaks for the party of the node, too
    own = office.certificate("p0", Role.USER, voice.public_key)
    assert office.levels(voice.address) == {PUBLIC, MEMBER, OPERATOR}
    assert office.levels(voice.address, own.fingerprint) == {PUBLIC, MEMBER}


def test_a_certificate_of_another_key_or_of_nobody_is_refused(office: Office) -> None:
    holder, other = Account(keys()), Account(keys())
    made = office.certificate("p1", Role.AUDITOR, holder.public_key)
    for address in (other.address, office.chain.voices[1].address, office.chain.manager.address):
        assert office.refuses(address, made.fingerprint)
    assert office.refuses(holder.address, bytes(32))
    subject = Subject("p1", "unregistered", Role.AUDITOR)
    issued = ORGS["p1"].leaf(subject, now=FOUNDED, public=holder.public_key)
    assert office.refuses(holder.address, issued.fingerprint), "issued is not registered"


def test_a_revoked_certificate_is_out_with_the_block_that_says_so(office: Office) -> None:
    holder = Account(keys())
    user = office.certificate("p1", Role.USER, holder.public_key)
    auditor = office.certificate("p1", Role.AUDITOR, holder.public_key)
    office.revoke(auditor)
    assert office.refuses(holder.address, auditor.fingerprint)
    assert office.levels(holder.address) == {PUBLIC, MEMBER}, "the other is good"
    office.revoke(user)
    assert office.refuses(holder.address, user.fingerprint)
    assert office.levels(holder.address) == {PUBLIC}


def test_certificates_of_a_suspended_organization_give_nothing_until_it_is_back(
    office: Office,
) -> None:
    holder = Account(keys())
    made = office.certificate("p1", Role.AUDITOR, holder.public_key)
    office.do(office.chain.manager, "parties", "suspend", "p1", "audit")
    assert office.refuses(holder.address, made.fingerprint)
    assert office.levels(holder.address) == {PUBLIC}
    office.do(office.chain.manager, "parties", "readmit", "p1", "settled")
    assert office.levels(holder.address, made.fingerprint) == {PUBLIC, MEMBER, AUDITOR}


def test_a_certificate_gives_its_role_in_its_time_alone(office: Office) -> None:
    holder = Account(keys())
    made = office.certificate("p1", Role.AUDITOR, holder.public_key, days=30)
    begins, ends = (int(at.timestamp() * 1000) for at in (made.not_before, made.not_after))
    with office.chain.store.head_snapshot() as state:
        for now_ms in (begins, ends - 1):
            found = standing_of(state, holder.address, certificate=made.fingerprint, now_ms=now_ms)
            assert found.roles == {"auditor"}
        for now_ms in (begins - 1, ends):
            with pytest.raises(Refusal, match="certificate list"):
                standing_of(state, holder.address, certificate=made.fingerprint, now_ms=now_ms)


def test_a_client_names_its_certificate_in_every_header() -> None:
    provider = keys()
    for fingerprint in (b"", bytes(range(32))):
        account = Account(provider, certificate=fingerprint)
        request = node_pb2.GetStatusRequest()
        ((_, header),) = signed(account, request, method="/t.Node/Read", chain_id=bytes(32))
        assert decode_header(header)[1].certificate == fingerprint


def test_a_server_judges_by_the_certificate_that_a_client_names(office: Office) -> None:
    """From the key file to the answer: what the pieces above do together."""
    provider = keys()
    made = office.certificate("p1", Role.AUDITOR, provider.public_key)
    by_it = Account(provider, certificate=made.fingerprint)
    denied = AccessPolicy(denied=frozenset({office.chain.voices[1].address}))
    server = ApiServer(Served(office.chain), listen="127.0.0.1:0", porter=porter(), policy=denied)
    server.start()
    try:
        place = f"127.0.0.1:{server.port}"

        def code(account: Account) -> str:
            with NodeClient(place, caller=account) as node, pytest.raises(Refused) as refused:
                node.subject_history("nothing")
            return refused.value.code

        assert code(by_it) == refusals.HISTORY_OFF, "let in, and there is no history here"
        assert code(Account(keys())) == refusals.ACCESS_LEVEL
        office.revoke(made)
        assert code(by_it) == refusals.ACCESS_CERTIFICATE
        with NodeClient(place, caller=office.chain.voices[2]) as node:
            assert node.block(1).block.header.height == 1
        with NodeClient(place, caller=office.chain.voices[1]) as node:
            with pytest.raises(Refused) as refused:
                node.block(1)
            assert refused.value.code == refusals.ACCESS_LEVEL
            assert node.status().height == office.chain.store.height
    finally:
        server.stop()
