"""Demands: filed, forwarded or returned, approved or rejected, and nothing else."""

from __future__ import annotations

import pytest

from ledger.values import Value
from tests.business import Business, all_datasets, changed, dataset_of

DEMAND: list[Value] = ["d1", "Claims by plan", "pricing", ["claims"]]


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "", "demand.id"),
        (0, "D1", "demand.id"),
        (0, "d" * 65, "demand.id"),
        (1, "", "demand.title"),
        (1, "t" * 129, "demand.title"),
        (2, "", "demand.purpose"),
        (2, "p" * 2049, "demand.purpose"),
        (3, [], "demand.needs"),
        (3, ["need"] * 33, "demand.needs"),
        (3, [""], "demand.need"),
        (3, ["n" * 257], "demand.need"),
    ],
)
def test_a_malformed_demand_is_not_filed(position: int, value: Value, code: str) -> None:
    business = Business()
    assert business.refused("insurer", "demand", "file", *changed(DEMAND, position, value)) == code
    business.do("insurer", "demand", "file", *DEMAND)


def test_a_demand_id_is_given_once_even_to_another_consumer() -> None:
    business = Business()
    business.filed()
    for who in ("insurer", "bank"):
        assert business.refused(who, "demand", "file", *DEMAND) == "demand.exists"


def test_unknown_demands_are_named_as_such() -> None:
    business = Business()
    assert business.refused("opco", "demand", "prescreen", "d9", True, "") == "demand.unknown"
    assert business.refused("bureau", "demand", "review", "d9", True, "", []) == "demand.unknown"
    assert business.denied("bureau", "demand", "show", "d9") == "demand.unknown"


def test_the_manager_reviews_only_what_an_operator_forwarded() -> None:
    business = Business()
    business.catalogued()
    business.filed()
    review: list[Value] = ["d1", True, "", all_datasets()]
    assert business.refused("bureau", "demand", "review", *review) == "demand.status"
    business.do("opco", "demand", "prescreen", "d1", False, "too vague")
    assert business.refused("bureau", "demand", "review", *review) == "demand.status"
    assert business.ask_record("opco", "demand", "show", "d1")["status"] == "returned"


def test_each_decision_is_made_once() -> None:
    business = Business()
    business.approved()
    assert business.refused("rival", "demand", "prescreen", "d1", True, "") == "demand.status"
    review: list[Value] = ["d1", False, "second thoughts", []]
    assert business.refused("board", "demand", "review", *review) == "demand.status"
    shown = business.ask_record("insurer", "demand", "show", "d1")
    assert (shown["status"], shown["operator"], shown["manager"]) == ("approved", "opco", "bureau")
    assert shown["datasets"] == all_datasets()


def test_a_refusal_says_why() -> None:
    business = Business()
    business.catalogued()
    business.filed()
    assert business.refused("opco", "demand", "prescreen", "d1", False, "") == "demand.note"
    assert business.refused("opco", "demand", "prescreen", "d1", True, "n" * 1025) == "demand.note"
    business.do("opco", "demand", "prescreen", "d1", True, "")
    assert business.refused("bureau", "demand", "review", "d1", False, "", []) == "demand.note"
    business.do("bureau", "demand", "review", "d1", False, "no legal basis", [])
    assert business.ask_record("insurer", "demand", "show", "d1")["status"] == "rejected"


@pytest.mark.parametrize(
    ("approved", "datasets", "code"),
    [
        (True, [], "demand.datasets"),
        (True, [f"x-{n}" for n in range(33)], "demand.datasets"),
        (True, [dataset_of("health"), dataset_of("health")], "demand.dataset_twice"),
        (True, ["unheard-of"], "demand.dataset_unknown"),
        (True, [dataset_of("social")], "demand.dataset_unknown"),
        (False, [dataset_of("health")], "demand.datasets"),
    ],
)
def test_a_review_matches_listed_data_sets_or_none(
    approved: bool, datasets: list[Value], code: str
) -> None:
    business = Business()
    business.catalogued()
    business.do("social", "catalog", "withdraw", dataset_of("social"), "outdated")
    business.forwarded()
    review: list[Value] = ["d1", approved, "considered", datasets]
    assert business.refused("bureau", "demand", "review", *review) == code


def test_a_consumer_reads_its_own_demands_only() -> None:
    business = Business()
    business.filed()
    business.do("bank", "demand", "file", "d2", "Incomes", "credit", ["income"])
    for who in ("bureau", "opco", "rival"):
        assert page_ids(business, who) == ["d1", "d2"]
        business.ask(who, "demand", "show", "d2")
    assert page_ids(business, "insurer") == ["d1"]
    assert page_ids(business, "bank") == ["d2"]
    assert page_ids(business, "health") == []
    assert business.denied("bank", "demand", "show", "d1") == "demand.reader"
    assert business.denied("health", "demand", "show", "d1") == "demand.reader"
    for offset, limit in [(-1, 1), (0, 0), (0, 101)]:
        assert business.denied("bureau", "demand", "list", offset, limit) == "demand.page"


def page_ids(business: Business, who: str) -> list[Value]:
    page = business.ask(who, "demand", "list", 0, 100)
    assert isinstance(page, list)
    return [row["id"] for row in page if isinstance(row, dict)]
