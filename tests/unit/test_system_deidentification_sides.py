"""Assessments of results: no judge of its own data or product, each assessor's word by itself."""

from __future__ import annotations

import pytest

from contracts.vm.testing import account
from ledger.values import Value
from tests.business import (
    DEMAND,
    STRANGER,
    SUPPLIERS,
    Business,
    all_datasets,
    changed,
    dataset_of,
    digest,
)
from tests.deident_world import ASSESSED


def registered(operator: str, consumer: str, *roles: Value) -> Business:
    """A product of the two, one of which may be `hub`, a manager with these roles."""
    business = Business()
    business.catalogued()
    business.do(
        "bureau", "parties", "register", "hub", "Hub", ["manager", *roles], [account("hub")]
    )
    business.do(consumer, "demand", "file", "d1", *DEMAND)
    business.do(operator, "demand", "prescreen", "d1", True, "complete")
    business.do("bureau", "demand", "review", "d1", True, "lawful", all_datasets())
    business.do(operator, "grant", "request", "g1", *business.grant_terms())
    business.do("bureau", "grant", "review", "g1")
    signed = business.terms_digest("g1")
    business.do("bureau", "grant", "decide", "g1", True, "", signed)
    business.do(operator, "grant", "accept", "g1", signed)
    business.do(operator, "task", "create", *business.order())
    for act in (business.accept, business.report):
        for supplier in SUPPLIERS:
            act(supplier)
    made: list[Value] = ["Table", "", digest("result"), "statistics"]
    business.do(operator, "product", "register", "p1", "t1", *made)
    return business


@pytest.mark.parametrize(("operator", "consumer"), [("hub", "insurer"), ("opco", "hub")])
def test_a_manager_sets_no_assessment_of_its_own_product_aside(
    operator: str, consumer: str
) -> None:
    business = registered(operator, consumer, "operator" if operator == "hub" else "consumer")
    business.do("health", "deidentification", "assess", "s1", "p1", *ASSESSED)
    dismiss: list[Value] = ["s1", "it does not please me"]
    refused = business.refused("hub", "deidentification", "dismiss", *dismiss)
    assert refused == "deidentification.self"
    business.do("bureau", "deidentification", "dismiss", *dismiss)


def test_a_manager_does_not_say_of_its_own_data_that_it_is_not_about_persons() -> None:
    business = Business()
    roles: list[Value] = ["manager", "supplier"]
    business.do("bureau", "parties", "register", "hub", "Hub", roles, [account("hub")])
    business.enter("hub", "rows")
    deny: list[Value] = ["rows", False, "they are of machines"]
    refused = business.refused("hub", "deidentification", "classify", *deny)
    assert refused == "deidentification.deny"
    business.do("hub", "deidentification", "classify", "rows", True, "")
    business.do("bureau", "deidentification", "classify", *deny)


def status(business: Business, assessment_id: str) -> Value:
    return business.ask_record("bank", "deidentification", "show", assessment_id)["status"]


def test_a_new_assessment_takes_the_place_of_its_assessors_last_one_alone() -> None:
    business = Business()
    business.registered()
    for assessment_id, who in (("s1", "opco"), ("s2", "health"), ("s3", "opco")):
        business.do(who, "deidentification", "assess", assessment_id, "p1", *ASSESSED)
    told = [status(business, assessment_id) for assessment_id in ("s1", "s2", "s3")]
    assert told == ["superseded", "standing", "standing"]


def test_the_smallest_group_that_anybody_found_counts_whoever_came_last() -> None:
    business = Business()
    business.registered()
    for assessment_id, who, k in (("s1", "opco", 30), ("s2", "health", 7), ("s3", "insurer", 20)):
        words = changed(ASSESSED, 3, k)
        words = changed(words, 5, 1_000_000)
        business.do(who, "deidentification", "assess", assessment_id, "p1", *words)
    found = business.ask_record("bank", "deidentification", "gravest", "p1")
    assert (found["level"], found["group"]) == (4, 7)


def test_the_mean_may_be_as_high_as_the_worst_row() -> None:
    business = Business()
    business.registered()
    words = changed(changed(ASSESSED, 2, 3), 3, 20)  # one in twenty
    beyond: list[Value] = ["s1", "p1", *changed(words, 4, 50_001)]
    refused = business.refused("opco", "deidentification", "assess", *beyond)
    assert refused == "deidentification.mean"
    business.do("opco", "deidentification", "assess", "s1", "p1", *changed(words, 4, 50_000))


def test_up_to_fifty_data_sets_are_told_of_at_once() -> None:
    business = Business()
    business.catalogued()
    asked: list[Value] = [dataset_of("health")] * 51
    denied = business.denied("bank", "deidentification", "classified", asked)
    assert denied == "deidentification.datasets"
    found = business.ask("bank", "deidentification", "classified", asked[:50])
    assert isinstance(found, list) and len(found) == 50


def test_what_is_fit_is_answered_with_true() -> None:
    business = Business()
    business.registered()
    assert business.ask(STRANGER, "deidentification", "ensure_fit", "p1", "t1") is True
