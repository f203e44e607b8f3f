"""Algorithms of a genesis, publishers with a certificate, and what a measure leaves of a review."""

from __future__ import annotations

import pytest

from contracts.bundle import system_sources
from contracts.vm.codes import Code
from crypto import sm2
from crypto.x509.profile import Role, Subject
from ledger.values import Value
from tests.business import PUBLISHER, Business, changed, code_of, digest
from tests.x509_world import BEGIN, Org, organization

REVIEW: list[Value] = ["scores/1", digest("image"), True, "reads nothing else"]


# --- the genesis ----------------------------------------------------------------------------------


def agreed() -> list[Value]:
    """What a genesis says of one algorithm."""
    image = [digest("image"), digest("layout")]
    return ["a/1", "Title", "mpc", [], "chipworks", "registry.example/a:1", *image]


def founded(algorithms: list[Value]) -> str:
    """The code with which such a genesis is refused; "" if it is not."""
    source = dict(system_sources())["algorithm"]
    receipt = Business().chain.deploy("algorithm-2", source, [algorithms])
    return code_of(receipt.detail) if receipt.detail else ""


def test_a_genesis_agrees_on_100_algorithms_at_most() -> None:
    many: list[Value] = [changed(agreed(), 0, f"a/{number}") for number in range(101)]
    assert founded(many) == "algorithm.agreed"
    assert founded(many[:100]) == ""


@pytest.mark.parametrize(
    ("place", "value", "code"),
    [
        (0, "a", "algorithm.id"),
        (2, "sql", "algorithm.kind"),
        (4, "opco", "algorithm.role"),
        (5, "", "algorithm.location"),
        (6, b"", "algorithm.image"),
    ],
)
def test_a_genesis_agrees_on_what_could_be_proposed(place: int, value: Value, code: str) -> None:
    assert founded([agreed()]) == ""
    assert founded([changed(agreed(), place, value)]) == code


def test_both_parts_of_an_id_are_names() -> None:
    business = Business()
    business.publisher()
    for algorithm_id in ("scores/A", "scores/", "Scores/1"):
        words = changed(business.description(), 0, algorithm_id)
        assert business.refused("chipworks", "algorithm", "propose", *words) == "algorithm.id"


# --- publishers -----------------------------------------------------------------------------------


def certified(business: Business, org: Org, role: Role) -> None:
    """The publisher's key has a certificate of this organization."""
    party = org.root.subject.organization
    receipt = business.chain.call(
        "contract:proposal", "identity", "admit_root", party, org.root.der
    )
    assert receipt.status == Code.ok, receipt.detail
    subject = Subject(party, "builds", role)
    made = org.leaf(subject, now=BEGIN, public=sm2.public_key(PUBLISHER))
    business.do(party, "identity", "register", party, made.der)


@pytest.mark.parametrize(
    ("party", "role", "code"),
    [
        ("chipworks", Role.PUBLISHER, ""),
        ("chipworks", Role.USER, "algorithm.publisher"),
        ("devhouse", Role.PUBLISHER, "algorithm.publisher"),
    ],
)
def test_a_publisher_has_a_certificate_of_its_provider_for_that_role(
    party: str, role: Role, code: str
) -> None:
    business = Business()
    certified(business, organization(party, now=BEGIN), role)
    words = business.description()
    if code:
        assert business.refused("chipworks", "algorithm", "propose", *words) == code
    else:
        business.do("chipworks", "algorithm", "propose", *words)


# --- measures -------------------------------------------------------------------------------------


def suspended(business: Business) -> None:
    """An approved algorithm of which another image waits, under a measure."""
    business.vetting()
    business.do("bureau", "algorithm", "review", *REVIEW)
    another = business.image(text="second")
    business.do("chipworks", "algorithm", "rebuild", "scores/1", *another)
    words: list[Value] = ["Hole", "development", "critical", "chipworks", []]
    business.do("bureau", "incident", "open", "i1", *words)
    business.do("bureau", "incident", "suspend_algorithm", "i1", "scores/1", "unsafe")


def test_no_image_is_vetted_while_its_algorithm_is_suspended() -> None:
    business = Business()
    suspended(business)
    review = changed(REVIEW, 1, digest("second"))
    assert business.refused("bureau", "algorithm", "review", *review) == "algorithm.status"
    events = business.do("bureau", "incident", "lift", "i1", 1, "it was none")
    assert ("AlgorithmResumed", {"algorithm_id": "scores/1", "provider": "chipworks"}) in [
        (name, {key: fields[key] for key in ("algorithm_id", "provider") if key in fields})
        for name, fields in events
    ]
    shown = business.ask_record("bank", "algorithm", "show", "scores/1")
    assert (shown["status"], shown["note"]) == ("approved", "it was none")
    business.do("bureau", "algorithm", "review", *review)


def test_a_review_says_why_and_what_is_disabled_waits_for_nothing() -> None:
    business = Business()
    business.vetting()
    business.do("bureau", "algorithm", "review", *REVIEW)
    shown = business.ask_record("bank", "algorithm", "show", "scores/1")
    assert shown["note"] == "reads nothing else"
    business.do("chipworks", "algorithm", "rebuild", "scores/1", *business.image(text="second"))
    business.do("bureau", "algorithm", "disable", "scores/1", "unsafe")
    shown = business.ask_record("bank", "algorithm", "show", "scores/1")
    assert (shown["status"], shown["waiting"]) == ("disabled", None)
    refused = business.refused("bureau", "algorithm", "review", *changed(REVIEW, 1, digest("b")))
    assert refused == "algorithm.waiting"
