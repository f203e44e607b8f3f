"""Identity on chain: roots, certificates that prove themselves, roles, and revocation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import pytest

from contracts.identities import (
    certificates_of,
    revocations_of,
    root_certificates_of,
    roots_of,
    touches_trust,
)
from contracts.vm.declare import Storage
from contracts.vm.keys import key_part, key_prefix
from contracts.vm.testing import account
from contracts.vm.types import INT, STR
from crypto.x509.make import make_root
from crypto.x509.profile import Role, Subject
from crypto.x509.read import Certificate, read_certificate
from ledger.encoding import encode
from ledger.model import Address, StateWrite, address_of
from ledger.values import Value
from node.identity import UNCERTIFIED, certified
from tests.business import ORGANIZATIONS, PARTIES, STRANGER
from tests.council import Council, names_in
from tests.x509_world import PEER, Org, keys, organization

BEGINNING = datetime(2023, 11, 1, tzinfo=UTC)  # before the time of the chains in tests
PUBLIC = keys().public_key


@cache
def org(name: str) -> Org:
    return organization(name, now=BEGINNING)


@cache
def leaf(
    party: str = "insurer", role: Role = Role.USER, name: str = "zhang", days: int = 365
) -> Certificate:
    peer = PEER if role is Role.NODE else ""
    return org(party).leaf(Subject(party, name, role, peer), now=BEGINNING, days=days)


def serial(certificate: Certificate) -> str:
    return f"{certificate.serial:x}"


def address(certificate: Certificate) -> Address:
    return Address(address_of(certificate.public_key))


class Reader:
    """The state of a test chain, as a node reads it."""

    def __init__(self, council: Council) -> None:
        self._state = council.chain.state

    def get(self, namespace: str, key: bytes) -> bytes | None:
        return self._state.get((namespace, key))


def admitted(*parties: str) -> Council:
    council = Council()
    for party in parties or ("insurer",):
        proposal_id = council.new_id()
        root = org(party).root.der
        council.do("bureau", "proposal", "admit_root", proposal_id, party, root, "its authority")
        council.carry(proposal_id)
    return council


def registered(certificate: Certificate, *, by: str = "insurer") -> Council:
    council = admitted(certificate.subject.organization)
    council.do(by, "identity", "register", certificate.subject.organization, certificate.der)
    return council


def standing(council: Council, certificate: Certificate) -> Value:
    return council.ask(STRANGER, "identity", "standing", address(certificate))


def test_a_root_is_believed_once_managers_and_organizations_approved_it() -> None:
    council = Council()
    root = org("insurer").root
    args: list[Value] = ["insurer", root.der, "its authority"]
    council.do("insurer", "proposal", "admit_root", "p1", *args)
    assert council.ask(STRANGER, "identity", "organizations", 0, 9) == []
    council.carry("p1")
    assert council.status("p1") == "decided"
    (found,) = roots_of(Reader(council))
    assert found.organization == "insurer"
    assert root_certificates_of(Reader(council)) == (root.der,)
    assert council.ask(STRANGER, "identity", "root_certificate", root.fingerprint) == root.der
    assert (found.fingerprint, found.public_key) == (root.fingerprint, root.public_key)
    assert found.not_after_ms == root.not_after.timestamp() * 1000
    # Nobody else writes, and nothing is admitted twice.
    for who in (*PARTIES, STRANGER):
        refused = council.refused(who, "identity", "admit_root", "insurer", root.der)
        assert refused == "identity.caller"
        refused = council.refused(who, "identity", "retire_root", "insurer", root.fingerprint)
        assert refused == "identity.caller"
    assert (
        council.refused("bureau", "proposal", "admit_root", "p2", *args) == "identity.root_exists"
    )


def test_only_a_root_of_that_organization_that_certifies_itself_is_admitted() -> None:
    council = Council()
    der = org("insurer").root.der
    flipped = der[:-1] + bytes([der[-1] ^ 1])
    for party, data, code in (
        ("bank", der, "identity.root"),
        ("insurer", leaf().der, "identity.root"),
        ("insurer", flipped, "identity.signature"),
        ("insurer", der + b"\0", "certificate.form"),
        ("insurer", der[:-1], "certificate.form"),
        ("insurer", b"", "certificate.form"),
        ("nobody", der, "identity.organization"),
        ("insurer", organization("insurer", now=BEGINNING, days=1).root.der, "identity.expired"),
    ):
        refused = council.refused("bureau", "proposal", "admit_root", "p1", party, data, "why")
        assert refused == code, (party, code)


def test_every_byte_of_a_root_counts() -> None:
    """A flipped bit anywhere is refused, also where no signature covers it."""
    council = Council()
    der = org("insurer").root.der
    for place in range(0, len(der), 3):
        data = der[:place] + bytes([der[place] ^ 0x20]) + der[place + 1 :]
        receipt = council.act("bureau", "proposal", "admit_root", "p1", "insurer", data, "why")
        assert receipt.status != 0, place


def test_what_a_root_signed_is_registered_as_it_says() -> None:
    certificate = leaf()
    council = admitted()
    ((name, fields),) = council.do("insurer", "identity", "register", "insurer", certificate.der)
    assert name == "CertificateRegistered"
    assert fields["serial"] == serial(certificate)
    shown = council.ask_record("bank", "identity", "show", "insurer", serial(certificate))
    assert (shown["role"], shown["name"], shown["peer_id"]) == ("user", "zhang", "")
    assert shown["address"] == address(certificate)
    assert shown["fingerprint"] == certificate.fingerprint
    assert shown["not_before_ms"] == certificate.not_before.timestamp() * 1000
    assert shown["not_after_ms"] == certificate.not_after.timestamp() * 1000
    assert council.ask("bank", "identity", "list", 0, 9) == [shown]
    assert council.denied(STRANGER, "identity", "list", 0, 9) == "identity.reader"
    assert standing(council, certificate) == ["insurer", ["user"]]
    (read,) = certificates_of(Reader(council), address(certificate), now_ms=council.now_ms)
    assert (read.serial, read.role) == (serial(certificate), "user")


def test_a_nodes_certificate_says_its_peer_id() -> None:
    certificate = leaf(role=Role.NODE)
    council = registered(certificate)
    shown = council.ask_record("bank", "identity", "show", "insurer", serial(certificate))
    assert (shown["role"], shown["peer_id"]) == ("node", PEER)


@pytest.mark.parametrize("year", [2024, 2049, 2050, 2052, 2096, 2100, 2101])
def test_times_are_read_as_others_read_them(year: int) -> None:
    """Both forms of DER, leap days, and a century without one."""
    begin = datetime(year, 2, 27, 23, 59, 58, tzinfo=UTC)
    made = organization("insurer", now=begin, days=800)
    read = Council().ask_record(STRANGER, "certificate", "read", made.root.der)
    assert read["not_before_ms"] == made.root.not_before.timestamp() * 1000
    assert read["not_after_ms"] == made.root.not_after.timestamp() * 1000


def test_the_chain_reads_a_certificate_as_the_nodes_do() -> None:
    for role in Role:
        certificate = leaf("insurer", role, "n-1.x_")
        read = Council().ask_record(STRANGER, "certificate", "read", certificate.der)
        assert read == {
            "serial": serial(certificate),
            "organization": "insurer",
            "role": role.value,
            "name": "n-1.x_",
            "public_key": certificate.public_key,
            "peer_id": certificate.subject.peer_id,
            "not_before_ms": certificate.not_before.timestamp() * 1000,
            "not_after_ms": certificate.not_after.timestamp() * 1000,
        }


def test_only_its_organization_or_its_holder_registers_a_certificate() -> None:
    certificate = leaf()
    council = admitted()
    for who in (*PARTIES, STRANGER):
        if who != "insurer":
            refused = council.refused(who, "identity", "register", "insurer", certificate.der)
            assert refused == "identity.registrar", who
    receipt = council.chain.call(
        address(certificate), "identity", "register", "insurer", certificate.der
    )
    assert receipt.status == 0, receipt.detail


def test_an_auditor_is_for_managers_to_register() -> None:
    certificate = leaf(role=Role.AUDITOR)
    council = admitted()
    for who in (*PARTIES, STRANGER):
        if PARTIES.get(who) != "manager":
            refused = council.refused(who, "identity", "register", "insurer", certificate.der)
            assert refused == "identity.auditor", who
    council.do("board", "identity", "register", "insurer", certificate.der)
    assert standing(council, certificate) == ["insurer", ["auditor"]]


def test_what_no_active_root_signed_is_not_registered() -> None:
    council = admitted("insurer", "bank")
    certificate = leaf()
    impostor = organization("insurer", now=BEGINNING).leaf(certificate.subject, now=BEGINNING)
    for party, who, data, code in (
        ("insurer", "insurer", impostor.der, "identity.signature"),
        ("bank", "bank", certificate.der, "identity.signature"),
        ("insurer", "insurer", org("insurer").root.der, "identity.leaf"),
        ("insurer", "insurer", leaf(days=1, name="late").der, "identity.expired"),
        ("opco", "opco", certificate.der, "identity.signature"),
        ("insurer", "insurer", certificate.der[:-1], "certificate.form"),
    ):
        assert council.refused(who, "identity", "register", party, data) == code
    council.do("insurer", "identity", "register", "insurer", certificate.der)
    refused = council.refused("insurer", "identity", "register", "insurer", certificate.der)
    assert refused == "identity.exists"


def test_a_key_belongs_to_one_organization() -> None:
    council = admitted("insurer", "bank")
    for party in ("insurer", "bank"):
        subject = Subject(party, "zhang", Role.USER)
        certificate = org(party).leaf(subject, now=BEGINNING, public=PUBLIC)
        if party == "insurer":
            council.do(party, "identity", "register", party, certificate.der)
        else:
            refused = council.refused(party, "identity", "register", party, certificate.der)
            assert refused == "identity.bound"


def test_a_revoked_certificate_gives_no_role_from_the_next_block_on() -> None:
    certificate = leaf()
    council = registered(certificate)
    before = set(council.chain.state.items())
    ((name, fields),) = council.do(
        "insurer", "identity", "revoke", "insurer", serial(certificate), "key lost"
    )
    assert (name, fields["party_id"], fields["reason"]) == (
        "CertificateRevoked",
        "insurer",
        "key lost",
    )
    assert standing(council, certificate) == ["", []]
    (found,) = revocations_of(Reader(council))
    assert (found.organization, found.serial) == ("insurer", serial(certificate))
    assert list(revocations_of(Reader(council), known=1)) == []
    assert council.ask(STRANGER, "identity", "revocation_of", "insurer", found.serial)
    written = set(council.chain.state.items()) - before
    assert touches_trust([StateWrite(*place, value) for place, value in written])
    # It is final.
    for method, args, code in (
        ("revoke", [serial(certificate), "again"], "identity.revoked"),
        ("register", [certificate.der], "identity.exists"),
    ):
        assert council.refused("insurer", "identity", method, "insurer", *args) == code


def test_what_was_never_registered_can_be_revoked_and_then_not_registered() -> None:
    council = admitted()
    certificate = leaf()
    council.do("insurer", "identity", "revoke", "insurer", serial(certificate), "mistake")
    refused = council.refused("insurer", "identity", "register", "insurer", certificate.der)
    assert refused == "identity.revoked"
    for wrong in ("", "0a", "A1", "xyz", "a" * 41):
        refused = council.refused("insurer", "identity", "revoke", "insurer", wrong, "why")
        assert refused == "identity.serial", wrong


def test_a_manager_revokes_people_but_no_node() -> None:
    """No one party may cut a validator off (8.1.3d); its own organization may."""
    user, node = leaf(), leaf(role=Role.NODE)
    council = registered(user)
    council.do("insurer", "identity", "register", "insurer", node.der)
    for who in ("opco", "bank", "health", STRANGER):
        refused = council.refused(who, "identity", "revoke", "insurer", serial(user), "why")
        assert refused == "identity.owner", who
    council.do("board", "identity", "revoke", "insurer", serial(user), "audit")
    for wanted in (serial(node), "abc"):  # what is not registered may be a node's
        refused = council.refused("board", "identity", "revoke", "insurer", wanted, "why")
        assert refused == "identity.node"
    council.do("insurer", "identity", "revoke", "insurer", serial(node), "stolen")


def test_roles_end_with_time_with_suspension_and_with_the_root() -> None:
    certificate = leaf("bank", days=30)
    council = registered(certificate, by="bank")
    council.suspend("bank")
    assert standing(council, certificate) == ["", []]
    council.do("bureau", "parties", "readmit", "bank", "settled")
    assert standing(council, certificate) == ["bank", ["user"]]
    fingerprint = org("bank").root.fingerprint
    council.do("bureau", "proposal", "retire_root", "p9", "bank", fingerprint, "key lost")
    council.carry("p9")
    assert standing(council, certificate) == ["", []]
    assert roots_of(Reader(council)) == ()
    assert certificates_of(Reader(council), address(certificate), now_ms=council.now_ms) == ()
    late = leaf("insurer", name="late", days=30)
    council = registered(late)
    end_ms = int(late.not_after.timestamp() * 1000)
    council.pass_time(end_ms - council.now_ms - 1)
    assert standing(council, late) == ["insurer", ["user"]]
    council.pass_time(1)
    assert standing(council, late) == ["", []]


def test_certificates_of_a_revoked_organization_are_dead_and_its_root_can_go() -> None:
    certificate, later = leaf("bank"), leaf("bank", name="later")
    council = registered(certificate, by="bank")
    council.do("bureau", "parties", "revoke", "bank", "gave the data away")
    assert standing(council, certificate) == ["", []]
    told = certified(Reader(council), address(certificate), now_ms=council.now_ms)
    assert told == UNCERTIFIED
    for who in ("bank", "bureau"):
        refused = council.refused(who, "identity", "register", "bank", later.der)
        assert refused == "identity.organization"
    council.do("bureau", "identity", "revoke", "bank", serial(certificate), "its party is revoked")
    fingerprint = org("bank").root.fingerprint
    council.do("bureau", "proposal", "retire_root", "p9", "bank", fingerprint, "revoked")
    council.carry("p9")
    assert roots_of(Reader(council)) == ()
    anew: list[Value] = ["p8", "bank", organization("bank", now=BEGINNING).root.der, "why"]
    assert council.refused("bureau", "proposal", "admit_root", *anew) == "identity.organization"


def test_one_key_may_hold_several_roles_up_to_a_bound() -> None:
    council = admitted()
    roles = (Role.PUBLISHER, Role.EXECUTOR, Role.USER, *[Role.USER] * 5)
    made = [
        org("insurer").leaf(Subject("insurer", "li", role), now=BEGINNING, public=PUBLIC)
        for role in roles
    ]
    for certificate in made:
        council.do("insurer", "identity", "register", "insurer", certificate.der)
    assert standing(council, made[0]) == ["insurer", ["user", "executor", "publisher"]]
    more = org("insurer").leaf(Subject("insurer", "li", Role.USER), now=BEGINNING, public=PUBLIC)
    refused = council.refused("insurer", "identity", "register", "insurer", more.der)
    assert refused == "identity.alive"
    council.do("insurer", "identity", "revoke", "insurer", serial(made[0]), "too many")
    council.do("insurer", "identity", "register", "insurer", more.der)
    assert standing(council, more) == ["insurer", ["user", "executor"]]


def test_a_certificate_whose_time_has_not_come_waits_and_is_not_lost() -> None:
    later = BEGINNING + timedelta(days=60)
    early = org("insurer").leaf(Subject("insurer", "li", Role.USER), now=later, public=PUBLIC)
    council = registered(early)
    assert standing(council, early) == ["", []]
    other = org("insurer").leaf(
        Subject("insurer", "li", Role.PUBLISHER), now=BEGINNING, public=PUBLIC
    )
    council.do("insurer", "identity", "register", "insurer", other.der)
    assert standing(council, early) == ["insurer", ["publisher"]]
    council.pass_time(int(early.not_before.timestamp() * 1000) - council.now_ms)
    assert standing(council, early) == ["insurer", ["user", "publisher"]]


def test_what_a_successor_with_the_same_key_vouches_for_is_registered_again() -> None:
    first = org("bank")
    second = read_certificate(make_root(first.provider, "bank", "bank-ca", BEGINNING, 3000))
    certificate = leaf("bank")
    council = registered(certificate, by="bank")
    council.do("bureau", "proposal", "admit_root", "p8", "bank", second.der, "longer")
    council.carry("p8")
    council.do("bureau", "proposal", "retire_root", "p9", "bank", first.root.fingerprint, "old")
    council.carry("p9")
    assert standing(council, certificate) == ["", []]
    council.do("bank", "identity", "register", "bank", certificate.der)
    assert standing(council, certificate) == ["bank", ["user"]]
    assert names_in(council.ask("bank", "identity", "list", 0, 9)) == ["zhang"]


def test_a_serial_that_a_later_root_gives_to_another_key_is_no_role_of_the_first_holder() -> None:
    first = leaf("bank", name="first")
    council = registered(first, by="bank")
    second = organization("bank", now=BEGINNING)
    council.do("bureau", "proposal", "admit_root", "p8", "bank", second.root.der, "next")
    council.carry("p8")
    old = org("bank").root.fingerprint
    council.do("bureau", "proposal", "retire_root", "p9", "bank", old, "old")
    council.carry("p9")
    made = second.leaf(Subject("bank", "second", Role.AUDITOR), now=BEGINNING)
    later = read_certificate(second.with_serial(made, first.serial))
    assert later.serial == first.serial and later.public_key != first.public_key
    council.do("bureau", "identity", "register", "bank", later.der)
    assert standing(council, later) == ["bank", ["auditor"]]
    assert standing(council, first) == ["", []]
    assert certificates_of(Reader(council), address(first), now_ms=council.now_ms) == ()


def test_who_runs_a_validator_never_loses_its_last_root() -> None:
    council = admitted(*ORGANIZATIONS)
    fingerprint = org("insurer").root.fingerprint
    args: list[Value] = ["p9", "insurer", fingerprint, "old"]
    assert council.refused("bureau", "proposal", "retire_root", *args) == "identity.last_root"
    successor = organization("insurer", now=BEGINNING + timedelta(days=1)).root
    council.do("bureau", "proposal", "admit_root", "p8", "insurer", successor.der, "next")
    council.carry("p8")
    council.do("bureau", "proposal", "retire_root", *args)
    council.carry("p9")
    assert successor.fingerprint in [root.fingerprint for root in roots_of(Reader(council))]
    # What the old one certified is no longer registered, what the next one certifies is.
    refused = council.refused("insurer", "identity", "register", "insurer", leaf().der)
    assert refused == "identity.signature"
    refused = council.refused(
        "bureau", "proposal", "retire_root", "p10", "insurer", fingerprint, "x"
    )
    assert refused == "identity.root_status"


def test_an_organization_has_so_many_roots() -> None:
    council = Council()
    for number in range(4):
        root = organization("bank", now=BEGINNING).root
        council.do("bureau", "proposal", "admit_root", f"p{number}", "bank", root.der, "more")
        council.carry(f"p{number}")
    root = organization("bank", now=BEGINNING).root
    refused = council.refused("bureau", "proposal", "admit_root", "p5", "bank", root.der, "more")
    assert refused == "identity.roots"


def test_each_root_gives_room_for_so_many_revocations() -> None:
    council = registered(leaf())
    stored = Storage("revoked_of", (STR,), INT, is_map=True)
    place = ("identity", key_prefix(stored) + key_part("insurer"))
    council.chain.state[place] = encode(20_000)
    council.chain.advance(height=2)  # what the machine remembers is of one block
    revoking = "insurer", "identity", "revoke", "insurer", serial(leaf()), "lost"
    assert council.refused(*revoking) == "identity.revocations"
    next_root, proposal_id = organization("insurer", now=BEGINNING).root.der, council.new_id()
    council.do("bureau", "proposal", "admit_root", proposal_id, "insurer", next_root, "more room")
    council.carry(proposal_id)
    council.do(*revoking)
    assert standing(council, leaf()) == ["", []]


def test_what_reads_a_certificate_takes_no_more_keys_than_it_says() -> None:
    council = Council()
    root = org("insurer").root
    tried: list[Value] = [PUBLIC, root.public_key]
    assert council.ask(STRANGER, "certificate", "signer", root.der, tried) == root.public_key
    assert council.ask(STRANGER, "certificate", "signer", root.der, [PUBLIC]) == b""
    many: list[Value] = [PUBLIC] * 9
    assert council.denied(STRANGER, "certificate", "signer", root.der, many) == "certificate.keys"
    assert read_certificate(root.der) == root


def test_accounts_of_parties_are_not_people_with_certificates() -> None:
    council = admitted()
    assert council.ask(STRANGER, "identity", "standing", account("insurer")) == ["", []]
