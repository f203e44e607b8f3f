"""Algorithms: proposed with a signed image, vetted by its digest, and run only while approved."""

from __future__ import annotations

import pytest

from crypto import sm2, sm3
from executors.builtin import described
from ledger.model import address_of
from ledger.values import Value
from tests.applications import entered
from tests.business import (
    ALGORITHM,
    PARTIES,
    PUBLISHER_KEY,
    SUPPLIERS,
    Business,
    acceptance,
    changed,
    digest,
    result,
)

REVIEW: list[Value] = ["scores/1", digest("image"), True, "reads nothing else"]


def status_of(business: Business, algorithm_id: str = "scores/1") -> Value:
    return business.ask_record("insurer", "algorithm", "show", algorithm_id)["status"]


def approved(business: Business) -> None:
    business.vetting()
    business.do("bureau", "algorithm", "review", *REVIEW)


def test_the_algorithms_of_the_genesis_are_approved_from_the_beginning() -> None:
    business = Business()
    shown = business.ask_record("insurer", "algorithm", "show", ALGORITHM)
    assert (shown["status"], shown["provider"], shown["builds"]) == ("approved", "chipworks", 1)
    current = shown["current"]
    assert isinstance(current, dict)
    assert current["digest"] == described(ALGORITHM).digest
    assert (current["signature"], shown["decided_by"]) == (b"", "")
    assert shown["note"] == "agreed on with the genesis"


def test_an_image_is_proposed_and_vetted_by_its_digest() -> None:
    business = Business()
    business.vetting()
    assert status_of(business) == "proposed"
    assert business.refused("bureau", "algorithm", "review", *changed(REVIEW, 1, b"")) == (
        "algorithm.digest"
    )
    ((name, fields),) = business.do("bureau", "algorithm", "review", *REVIEW)
    assert (name, fields["passed"], fields["manager"]) == ("AlgorithmReviewed", True, "bureau")
    shown = business.ask_record("insurer", "algorithm", "show", "scores/1")
    assert (shown["status"], shown["builds"], shown["waiting"]) == ("approved", 1, None)
    assert shown["decided_by"] == "bureau"
    assert business.refused("bureau", "algorithm", "review", *REVIEW) == "algorithm.waiting"


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "scores", "algorithm.id"),
        (0, "Scores/1", "algorithm.id"),
        (0, "a/b/c", "algorithm.id"),
        (0, "/1", "algorithm.id"),
        (0, "s" * 63 + "/1", "algorithm.id"),
        (0, ALGORITHM, "algorithm.exists"),
        (1, "", "algorithm.title"),
        (1, "t" * 129, "algorithm.title"),
        (2, "sql", "algorithm.kind"),
        (3, [["p" + str(n), "int", ""] for n in range(17)], "algorithm.parameters"),
        (3, [["p", "int", ""]] * 2, "algorithm.parameter_name"),
        (3, [["P", "int", ""]], "algorithm.parameter_name"),
        (3, [["p", "", ""]], "algorithm.parameter_type"),
        (3, [["p", "int", "x" * 129]], "algorithm.parameter_text"),
        (3, [], "algorithm.signature"),
        (4, "", "algorithm.location"),
        (4, "x" * 257, "algorithm.location"),
        (5, b"", "algorithm.image"),
        (5, digest("other"), "algorithm.signature"),
        (6, b"x", "algorithm.image"),
        (6, digest("other"), "algorithm.signature"),
        (7, bytes(63), "algorithm.signature"),
        (7, bytes(64), "algorithm.publisher"),
        (7, sm2.public_key(sm3.digest(b"somebody")), "algorithm.publisher"),
        (8, b"", "algorithm.signature"),
        (8, bytes(64), "algorithm.signature"),
    ],
)
def test_a_malformed_or_unsigned_image_is_not_proposed(
    position: int, value: Value, code: str
) -> None:
    business = Business()
    business.publisher()
    words = changed(business.description(), position, value)
    assert business.refused("chipworks", "algorithm", "propose", *words) == code


def test_a_signature_for_another_algorithm_or_by_another_party_counts_nothing() -> None:
    business = Business()
    business.publisher()
    words = [*business.description()[:4], *business.image("scores/2")]
    assert business.refused("chipworks", "algorithm", "propose", *words) == "algorithm.signature"
    business.do("bureau", "parties", "remove_account", "chipworks", address_of(PUBLISHER_KEY))
    words = business.description()
    assert business.refused("chipworks", "algorithm", "propose", *words) == "algorithm.publisher"


def test_the_first_proposal_takes_the_id() -> None:
    business = Business()
    business.vetting()
    words = business.description()
    assert business.refused("chipworks", "algorithm", "propose", *words) == "algorithm.exists"


def test_what_was_refused_may_come_back_with_another_image() -> None:
    business = Business()
    business.vetting()
    business.do("bureau", "algorithm", "review", *changed(REVIEW, 2, False))
    assert status_of(business) == "refused"
    business.do("chipworks", "algorithm", "rebuild", "scores/1", *business.image(text="mended"))
    assert status_of(business) == "proposed"
    assert business.refused("bureau", "algorithm", "review", *REVIEW) == "algorithm.digest"
    business.do("board", "algorithm", "review", *changed(REVIEW, 1, digest("mended")))
    assert status_of(business) == "approved"


def test_a_new_image_waits_while_the_approved_one_runs_on() -> None:
    business = Business()
    approved(business)
    same = business.refused("chipworks", "algorithm", "rebuild", "scores/1", *business.image())
    assert same == "algorithm.build"
    business.do("chipworks", "algorithm", "rebuild", "scores/1", *business.image(text="two"))
    assert business.ask("insurer", "algorithm", "ensure_runnable", "scores/1") is True
    refused = [*changed(REVIEW, 1, digest("two"))[:2], False, "slow"]
    business.do("bureau", "algorithm", "review", *refused)
    shown = business.ask_record("insurer", "algorithm", "show", "scores/1")
    assert (shown["status"], shown["builds"], shown["previous"]) == ("approved", 1, None)
    business.do("chipworks", "algorithm", "rebuild", "scores/1", *business.image(text="three"))
    business.do("bureau", "algorithm", "review", *changed(REVIEW, 1, digest("three")))
    shown = business.ask_record("insurer", "algorithm", "show", "scores/1")
    current, previous = shown["current"], shown["previous"]
    assert isinstance(current, dict) and isinstance(previous, dict)
    assert (current["number"], current["digest"]) == (2, digest("three"))
    assert (previous["number"], previous["digest"]) == (1, digest("image"))


def test_only_its_provider_rebuilds_an_algorithm() -> None:
    business = Business()
    approved(business)
    business.do("bureau", "parties", "remove_account", "chipworks", address_of(PUBLISHER_KEY))
    entered(business, "lab", ["tech_provider"], ["ab" * 20])
    receipt = business.chain.call("ab" * 20, "algorithm", "rebuild", "scores/1", *business.image())
    assert receipt.detail.startswith("algorithm.owner")
    unknown = business.refused("chipworks", "algorithm", "rebuild", "x/1", *business.image())
    assert unknown == "algorithm.unknown"


def test_nobody_vets_its_own_algorithm() -> None:
    business = Business()
    both = address_of(PUBLISHER_KEY)
    entered(business, "all", ["manager", "tech_provider"], [both])
    # Signed for chipworks: the contract builds the message for the party that proposes.
    receipt = business.chain.call(both, "algorithm", "propose", *business.description())
    assert receipt.detail.startswith("algorithm.signature")
    words = [*business.description()[:4], *business.image(provider="all")]
    business.chain.must(both, "algorithm", "propose", *words)
    receipt = business.chain.call(both, "algorithm", "review", *REVIEW)
    assert receipt.detail.startswith("algorithm.self")
    business.do("bureau", "algorithm", "review", *REVIEW)


def test_a_disabled_algorithm_is_out_of_use_for_good() -> None:
    business = Business()
    business.vetting()
    early = business.refused("bureau", "algorithm", "disable", "scores/1", "unsafe")
    assert early == "algorithm.status"
    business.do("bureau", "algorithm", "review", *REVIEW)
    assert business.refused("bureau", "algorithm", "disable", "scores/1", "") == "algorithm.reason"
    business.do("board", "algorithm", "disable", "scores/1", "unsafe")
    assert status_of(business) == "disabled"
    assert business.refused("board", "algorithm", "disable", "scores/1", "x") == "algorithm.status"
    again = business.refused(
        "chipworks", "algorithm", "rebuild", "scores/1", *business.image(text="two")
    )
    assert again == "algorithm.status"
    denied = business.denied("insurer", "algorithm", "ensure_runnable", "scores/1")
    assert denied == "algorithm.disabled"


def test_a_task_is_neither_created_nor_accepted_nor_reported_with_a_disabled_algorithm() -> None:
    business = Business()
    business.created()
    business.accept("health")
    business.do("opco", "task", "create", *business.order("t2"))
    for supplier in SUPPLIERS:
        business.accept(supplier, "t2")
    business.do("bureau", "algorithm", "disable", ALGORITHM, "unsafe")
    assert business.refused("social", "task", "accept", *acceptance("social")) == (
        "algorithm.disabled"
    )
    assert business.refused("health", "task", "report", *result("health", "t2")) == (
        "algorithm.disabled"
    )
    assert business.refused("opco", "task", "create", *business.order("t3")) == (
        "algorithm.disabled"
    )
    grant = business.ask_record("opco", "grant", "show", "g1")
    assert grant["uses"] == 2, "a refused task uses nothing up"


@pytest.mark.parametrize("step", ["proposed", "refused"])
def test_what_was_not_approved_is_not_run(step: str) -> None:
    business = Business()
    business.vetting()
    if step == "refused":
        business.do("bureau", "algorithm", "review", *changed(REVIEW, 2, False))
    denied = business.denied("insurer", "algorithm", "ensure_runnable", "scores/1")
    assert denied == "algorithm.unapproved"
    assert business.denied("insurer", "algorithm", "ensure_runnable", "x/1") == "algorithm.unknown"


def test_nothing_runs_whose_provider_was_suspended() -> None:
    business = Business()
    business.created()
    business.suspend("chipworks")
    assert business.refused("health", "task", "accept", *acceptance("health")) == (
        "algorithm.provider"
    )
    business.do("bureau", "parties", "readmit", "chipworks", "mended")
    business.accept("health")


def test_an_incident_suspends_an_algorithm_until_the_measure_is_lifted() -> None:
    business = Business()
    business.running()
    about: list[Value] = ["Leak", "development", "critical", "opco", []]
    business.do("bureau", "incident", "open", "i1", *about)
    measure: list[Value] = ["i1", ALGORITHM, "it leaks"]
    for who in PARTIES:
        if PARTIES[who] != "manager":
            refused = business.refused(who, "incident", "suspend_algorithm", *measure)
            assert refused == ("incident.algorithm" if who == "opco" else "incident.role"), who
    business.do("bureau", "incident", "suspend_algorithm", *measure)
    assert business.refused("health", "task", "report", *result("health")) == "algorithm.on_hold"
    business.do("bureau", "incident", "suspend_algorithm", *measure)
    late = business.refused("bureau", "algorithm", "review", ALGORITHM, b"", True, "")
    assert late == "algorithm.waiting"
    business.do("bureau", "incident", "lift", "i1", 1, "mended")
    assert status_of(business, ALGORITHM) == "suspended", "the second measure holds it"
    business.do("bureau", "incident", "lift", "i1", 2, "mended")
    assert status_of(business, ALGORITHM) == "approved"
    business.report("health")


def test_a_disabled_algorithm_stays_so_when_the_measure_is_lifted() -> None:
    business = Business()
    about: list[Value] = ["Leak", "development", "critical", "opco", []]
    business.do("bureau", "incident", "open", "i1", *about)
    business.do("bureau", "incident", "suspend_algorithm", "i1", ALGORITHM, "it leaks")
    business.do("bureau", "algorithm", "disable", ALGORITHM, "for good")
    business.do("bureau", "incident", "lift", "i1", 1, "over")
    assert status_of(business, ALGORITHM) == "disabled"


@pytest.mark.parametrize("method", ["suspend", "resume"])
def test_only_an_incident_suspends_or_resumes_an_algorithm(method: str) -> None:
    business = Business()
    refused = business.refused("bureau", "algorithm", method, ALGORITHM, "why")
    assert refused == f"algorithm.{method}"


def test_algorithms_are_listed_page_by_page_in_order_of_entry() -> None:
    business = Business()
    business.vetting()
    rows = business.ask("insurer", "algorithm", "list", 0, 10)
    assert isinstance(rows, list)
    assert [row["id"] for row in rows if isinstance(row, dict)] == [ALGORITHM, "scores/1"]
    assert business.ask("insurer", "algorithm", "list", 2, 10) == []
    for page in ([-1, 1], [0, 0], [0, 101]):
        assert business.denied("insurer", "algorithm", "list", *page) == "algorithm.page"
