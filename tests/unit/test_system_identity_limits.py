"""Identity on chain at its bounds: roots, serials, reasons, moments, and forms of a certificate."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from contracts.bundle import system_sources
from contracts.vm.codes import Code
from contracts.vm.declare import Storage
from contracts.vm.keys import key_part, key_prefix
from contracts.vm.types import BYTES, INT, STR, ListOf
from crypto.x509.profile import Role, Subject
from ledger.encoding import encode
from ledger.model import address_of
from ledger.values import Value
from tests.business import PARTIES, STRANGER, Business, code_of
from tests.x509_world import BEGIN, PEER, organization

ORG = organization("insurer", now=BEGIN)
BANK = organization("bank", now=BEGIN)
ROOT = ORG.root
LEAF = ORG.leaf(Subject("insurer", "zhang", Role.USER), now=BEGIN)
SERIAL = f"{LEAF.serial:x}"
PROPOSAL = "contract:proposal"  # who a decided proposal acts as


def admitted() -> Business:
    """The insurer's root is believed."""
    business = Business()
    receipt = business.chain.call(PROPOSAL, "identity", "admit_root", "insurer", ROOT.der)
    assert receipt.status == Code.ok, receipt.detail
    return business


def founded(founders: Sequence[Value]) -> str:
    """The code with which a genesis with these roots is refused; "" if it is not."""
    chain = Business().chain
    source = dict(system_sources())["identity"]
    receipt = chain.deploy("identity-2", source, [list(founders)])
    return code_of(receipt.detail) if receipt.detail else ""


# --- roots ----------------------------------------------------------------------------------------


def test_a_genesis_names_the_first_roots_and_256_at_most() -> None:
    assert founded([["insurer", ROOT.der]] * 257) == "identity.roots"
    assert founded([["nobody", ROOT.der]] * 256) == "identity.organization"
    business = Business()
    source = dict(system_sources())["identity"]
    assert business.chain.deploy("identity-2", source, [[["insurer", ROOT.der]]]).status == 0
    der = business.ask(STRANGER, "identity-2", "root_certificate", ROOT.fingerprint)
    assert der == ROOT.der


def test_a_root_comes_and_goes_with_an_event() -> None:
    business = Business()
    for method, argument, name in (
        ("admit_root", BANK.root.der, "RootAdmitted"),
        ("retire_root", BANK.root.fingerprint, "RootRetired"),
    ):
        receipt = business.chain.call(PROPOSAL, "identity", method, "bank", argument)
        ((told, fields),) = business.chain.events(receipt)
        assert (told, fields["organization"], fields["fingerprint"]) == (
            name,
            "bank",
            BANK.root.fingerprint,
        )


@pytest.mark.parametrize(("count", "code"), [(255, ""), (256, "identity.roots")])
def test_all_organizations_together_have_256_roots(count: int, code: str) -> None:
    business = Business()
    stored = Storage("root_fingerprints", (), ListOf(BYTES), is_map=False)
    place = ("identity", key_prefix(stored))
    business.chain.state[place] = encode([bytes(32)] * count)
    business.chain.advance(height=2)  # what the machine remembers is of one block
    receipt = business.chain.call(PROPOSAL, "identity", "admit_root", "insurer", ROOT.der)
    assert (code_of(receipt.detail) if receipt.detail else "") == code


def test_a_root_is_too_late_in_the_millisecond_in_which_it_ends() -> None:
    business = Business()
    end_ms = int(ROOT.not_after.timestamp() * 1000)
    business.pass_time(end_ms - 1 - business.now_ms)
    assert business.ask(STRANGER, "identity", "check_root", "insurer", ROOT.der) is True
    business.pass_time(1)
    denied = business.denied(STRANGER, "identity", "check_root", "insurer", ROOT.der)
    assert denied == "identity.expired"


def test_a_root_is_retired_under_the_name_of_its_organization() -> None:
    business = admitted()
    retire = "identity", "check_retire"
    assert business.denied(STRANGER, *retire, "bank", ROOT.fingerprint) == "identity.root"
    denied = business.denied(STRANGER, *retire, "insurer", ROOT.fingerprint)
    assert denied == "identity.last_root"
    business.chain.call(PROPOSAL, "identity", "admit_root", "bank", BANK.root.der)
    assert business.ask(STRANGER, *retire, "bank", BANK.root.fingerprint) is True


def test_an_unknown_root_is_named_as_such() -> None:
    for view in ("root", "root_certificate"):
        denied = Business().denied(STRANGER, "identity", view, bytes(32))
        assert denied == "identity.root_unknown"


# --- certificates ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "code"),
    [
        (Subject("bank", "zhang", Role.USER), "identity.organization"),
        (Subject("insurer", "n-1", Role.NODE), "identity.peer_id"),
        (Subject("insurer", "zhang", Role.USER, PEER), "identity.peer_id"),
    ],
)
def test_a_root_cannot_vouch_for_what_no_certificate_of_it_may_say(
    subject: Subject, code: str
) -> None:
    made = ORG.unfit_leaf(subject)
    assert admitted().refused("insurer", "identity", "register", "insurer", made) == code


def test_what_a_root_vouches_for_by_hand_is_registered_if_it_is_fit() -> None:
    business = admitted()
    made = ORG.unfit_leaf(Subject("insurer", "n-1", Role.NODE, PEER))
    business.do("insurer", "identity", "register", "insurer", made)


def test_the_account_of_a_party_is_certified_by_that_party_alone() -> None:
    business = admitted()
    business.chain.call(PROPOSAL, "identity", "admit_root", "bank", BANK.root.der)
    business.do("bureau", "parties", "add_account", "insurer", address_of(LEAF.public_key))
    subject = Subject("bank", "zhang", Role.USER)
    taken = BANK.leaf(subject, now=BEGIN, public=LEAF.public_key)
    refused = business.refused("bank", "identity", "register", "bank", taken.der)
    assert refused == "identity.bound"
    business.do("insurer", "identity", "register", "insurer", LEAF.der)


def test_a_certificate_is_too_late_in_the_millisecond_in_which_it_ends() -> None:
    business = admitted()
    end_ms = int(LEAF.not_after.timestamp() * 1000)
    business.pass_time(end_ms - 1 - business.now_ms)  # the block of an act is a millisecond later
    refused = business.refused("insurer", "identity", "register", "insurer", LEAF.der)
    assert (refused, business.now_ms) == ("identity.expired", end_ms)


def test_registered_certificates_are_shown_to_parties_and_nodes() -> None:
    business = admitted()
    business.do("insurer", "identity", "register", "insurer", LEAF.der)
    shown = "identity", "show", "insurer", SERIAL
    assert business.denied(STRANGER, *shown) == "identity.reader"
    for who in PARTIES:
        assert business.ask_record(who, *shown)["name"] == "zhang"


# --- revocations ----------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["", "r" * 513])
def test_a_revocation_needs_a_reason_of_bounded_length(reason: str) -> None:
    refused = admitted().refused("insurer", "identity", "revoke", "insurer", SERIAL, reason)
    assert refused == "identity.reason"


@pytest.mark.parametrize(("serial", "reason"), [("a", "r"), ("a" * 40, "r" * 512)])
def test_serials_and_reasons_are_taken_up_to_their_bounds(serial: str, reason: str) -> None:
    admitted().do("insurer", "identity", "revoke", "insurer", serial, reason)


def test_who_belongs_to_no_party_revokes_for_no_organization() -> None:
    refused = admitted().refused(STRANGER, "identity", "revoke", "", SERIAL, "why")
    assert refused == "identity.owner"


def test_revocations_are_listed_in_order_for_anyone() -> None:
    business = admitted()
    for serial in ("a", "b", "c"):
        business.do("insurer", "identity", "revoke", "insurer", serial, "lost")
    page = business.ask(STRANGER, "identity", "revocations", 1, 2)
    assert isinstance(page, list)
    assert [row["serial"] for row in page if isinstance(row, dict)] == ["b", "c"]
    assert business.ask(STRANGER, "identity", "revocation_of", "insurer", "c") == page[1]
    assert business.ask(STRANGER, "identity", "revocation_of", "insurer", "d") is None


def test_each_revocation_takes_one_place() -> None:
    business = admitted()
    stored = Storage("revoked_of", (STR,), INT, is_map=True)
    place = ("identity", key_prefix(stored) + key_part("insurer"))
    business.chain.state[place] = encode(19_999)
    business.chain.advance(height=2)
    business.do("insurer", "identity", "revoke", "insurer", "a", "lost")
    refused = business.refused("insurer", "identity", "revoke", "insurer", "b", "lost")
    assert refused == "identity.revocations"
