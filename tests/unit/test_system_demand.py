"""Demands: forwarded or returned, approved, collected for or rejected, and nothing else."""

from __future__ import annotations

import pytest

from contracts.vm.testing import account
from ledger.values import Value
from tests.business import (
    DEMAND,
    HOUR_MS,
    STRANGER,
    SUPPLIERS,
    Business,
    all_datasets,
    changed,
    dataset_of,
    dataset_rows,
    dataset_text,
)

FILED: list[Value] = ["d1", *DEMAND]


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "", "demand.id"),
        (0, "D1", "demand.id"),
        (0, "d" * 65, "demand.id"),
        (1, "", "demand.title"),
        (1, "t" * 129, "demand.title"),
        (2, "", "demand.kind"),
        (2, "k" * 129, "demand.kind"),
        (3, "", "demand.format"),
        (3, "f" * 129, "demand.format"),
        (4, "", "demand.quality"),
        (4, "q" * 513, "demand.quality"),
        (5, "", "demand.delivery"),
        (5, "d" * 129, "demand.delivery"),
        (6, "", "demand.purpose"),
        (6, "p" * 2049, "demand.purpose"),
        (7, "", "demand.scenario"),
        (7, "s" * 513, "demand.scenario"),
        (8, [], "demand.needs"),
        (8, ["need"] * 33, "demand.needs"),
        (8, [""], "demand.need"),
        (8, ["n" * 257], "demand.need"),
    ],
)
def test_a_malformed_demand_is_not_filed(position: int, value: Value, code: str) -> None:
    business = Business()
    assert business.refused("insurer", "demand", "file", *changed(FILED, position, value)) == code
    business.do("insurer", "demand", "file", *FILED)


def test_a_demand_id_is_given_once_even_to_another_consumer() -> None:
    business = Business()
    business.filed()
    for who in ("insurer", "bank"):
        assert business.refused(who, "demand", "file", *FILED) == "demand.exists"


@pytest.mark.parametrize("operator", ["nobody", "bureau", "insurer", "O"])
def test_a_demand_is_filed_with_an_active_operator_or_with_none(operator: str) -> None:
    business = Business()
    filed = changed(FILED, -1, operator)
    assert business.refused("insurer", "demand", "file", *filed) == "demand.addressee"
    business.suspend("rival")
    filed = changed(FILED, -1, "rival")
    assert business.refused("insurer", "demand", "file", *filed) == "demand.addressee"


def test_only_the_operator_that_a_demand_is_filed_with_prescreens_it() -> None:
    business = Business()
    business.do("insurer", "demand", "file", *changed(FILED, -1, "opco"))
    for passed in (True, False):
        words: list[Value] = ["d1", passed, "why"]
        assert business.refused("rival", "demand", "prescreen", *words) == "demand.addressee"
    business.do("opco", "demand", "prescreen", "d1", True, "")
    shown = business.ask_record("insurer", "demand", "show", "d1")
    assert (shown["addressee"], shown["operator"]) == ("opco", "opco")


def test_any_operator_prescreens_what_names_none_and_it_alone_goes_on_with_it() -> None:
    business = Business()
    business.catalogued()
    business.filed()
    business.do("rival", "demand", "prescreen", "d1", True, "")
    business.do("bureau", "demand", "review", "d1", True, "", all_datasets())
    asked = business.grant_terms()
    assert business.refused("opco", "grant", "request", "g1", *asked) == "grant.operator"
    business.do("rival", "grant", "request", "g1", *asked)


def test_no_operator_prescreens_what_it_filed_or_is_both_sides_of_a_grant() -> None:
    business = Business()
    business.catalogued()
    both: list[Value] = ["both", "Both", ["operator", "consumer"], [account("both")]]
    business.do("bureau", "parties", "register", *both)
    own = business.refused("both", "demand", "file", *changed(FILED, -1, "both"))
    assert own == "demand.addressee"
    business.do("both", "demand", "file", *FILED)
    for passed in (True, False):
        words: list[Value] = ["d1", passed, "why"]
        assert business.refused("both", "demand", "prescreen", *words) == "demand.self"
    business.do("opco", "demand", "prescreen", "d1", True, "")
    business.do("bureau", "demand", "review", "d1", True, "", all_datasets())
    asked = business.grant_terms()
    assert business.refused("both", "grant", "request", "g1", *asked) == "grant.operator"
    business.authorize("g1")
    sides = business.ask_record("bureau", "grant", "sides", "g1")
    assert (sides["operator"], sides["consumer"]) == ("opco", "both")


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
    business.do("social", "catalog", "retire", dataset_of("social"), "outdated")
    business.forwarded()
    review: list[Value] = ["d1", approved, "considered", datasets]
    assert business.refused("bureau", "demand", "review", *review) == code


def test_a_consumer_reads_its_own_demands_only() -> None:
    business = Business()
    business.filed()
    business.do("bank", "demand", "file", "d2", *DEMAND)
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


def order(business: Business) -> list[Value]:
    """The arguments of demand.collect."""
    return ["d1", "not there yet", ["health"], "claims of 2026", business.now_ms + HOUR_MS]


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "d9", "demand.unknown"),
        (1, "n" * 1025, "demand.note"),
        (2, [], "demand.suppliers"),
        (2, [f"s-{number}" for number in range(17)], "demand.suppliers"),
        (2, ["health", "health"], "demand.supplier_twice"),
        (2, ["health", "insurer"], "demand.supplier"),
        (2, ["unheard-of"], "demand.supplier"),
        (2, ["archive"], "demand.supplier"),  # suspended
        (3, "", "demand.order"),
        (3, "o" * 1025, "demand.order"),
        (4, 0, "demand.due"),
        (4, 1 << 60, "demand.due"),
    ],
)
def test_a_malformed_order_to_collect_is_refused(position: int, value: Value, code: str) -> None:
    business = Business()
    business.forwarded()
    business.suspend("archive")
    bad = changed(order(business), position, value)
    assert business.refused("bureau", "demand", "collect", *bad) == code
    business.do("bureau", "demand", "collect", *order(business))


def test_what_suppliers_register_for_a_demand_comes_in_and_is_matched() -> None:
    business = Business()
    business.enter("archive", "old")
    business.collecting()
    match: list[Value] = ["d1", "as asked", ["x", "old"]]
    assert business.refused("bureau", "demand", "match", *match) == "demand.dataset_unknown"
    business.drafted("health", "x", "d1")
    business.do("health", "catalog", "collect", "x", *dataset_rows("health"))
    assert business.refused("bureau", "demand", "match", *match) == "demand.dataset_unknown"
    events = business.do("health", "catalog", "register", "x")
    taken = {"demand_id": "d1", "party_id": "health", "dataset_id": "x"}
    assert events[0] == ("DataCollected", taken)
    only_old = changed(match, 2, ["old"])
    assert business.refused("bureau", "demand", "match", *only_old) == "demand.collected"
    business.do("board", "demand", "match", *match)
    demand = business.ask_record("insurer", "demand", "show", "d1")
    assert (demand["status"], demand["datasets"]) == ("ready", ["x", "old"])
    assert (demand["collected"], demand["manager"]) == ([["health", "x"]], "board")
    approval = business.ask_record("insurer", "demand", "approval", "d1")
    assert (approval["status"], approval["datasets"]) == ("ready", ["x", "old"])


def test_a_ready_demand_is_granted_like_an_approved_one() -> None:
    business = Business()
    business.collecting()
    for supplier in SUPPLIERS:
        business.enter(supplier, dataset_of(supplier), "d1")
    business.do("bureau", "demand", "match", "d1", "", all_datasets())
    business.authorize("g1")


def test_what_comes_in_after_the_collection_is_an_entry_like_any_other() -> None:
    business = Business()
    business.collecting()
    for dataset_id in ("x", "late"):
        business.drafted("health", dataset_id, "d1")
        business.do("health", "catalog", "collect", dataset_id, *dataset_rows("health"))
    business.do("health", "catalog", "register", "x")
    business.do("bureau", "demand", "match", "d1", "", ["x"])
    events = business.do("health", "catalog", "register", "late")
    assert [name for name, _fields in events] == ["DatasetRegistered"]
    shown = business.ask_record("bureau", "demand", "show", "d1")
    assert shown["collected"] == [["health", "x"]]


def test_a_collection_may_be_ordered_anew_and_who_is_named_no_more_is_not_awaited() -> None:
    business = Business()
    business.collecting()
    again = changed(order(business), 2, ["archive"])
    silent = changed(again, 1, "")
    assert business.refused("bureau", "demand", "collect", *silent) == "demand.note"
    business.do("bureau", "demand", "collect", *again)
    assert business.ask("bank", "demand", "awaits", "d1", "archive") is True
    assert business.ask("bank", "demand", "awaits", "d1", "health") is False
    assert business.denied("health", "demand", "show", "d1") == "demand.reader"
    assert business.ask_record("archive", "demand", "show", "d1")["order"] == "claims of 2026"
    assert page_ids(business, "archive") == page_ids(business, "health") == ["d1"]
    business.do("bureau", "demand", "collect", *changed(again, 2, ["health", "archive"]))
    assert page_ids(business, "archive") == page_ids(business, "health") == ["d1"]


def test_a_collection_that_is_given_up_rejects_the_demand() -> None:
    business = Business()
    business.collecting()
    assert business.refused("bureau", "demand", "abandon", "d1", "") == "demand.note"
    business.do("bureau", "demand", "abandon", "d1", "nobody has such data")
    assert business.ask_record("insurer", "demand", "show", "d1")["status"] == "rejected"
    for method, args in (
        ("abandon", ["d1", "again"]),
        ("match", ["d1", "", ["x"]]),
        ("collect", order(business)),
    ):
        assert business.refused("bureau", "demand", method, *args) == "demand.status"


def test_only_a_forwarded_demand_is_collected_for_or_reviewed() -> None:
    business = Business()
    business.filed()
    for method, args in (
        ("collect", order(business)),
        ("match", ["d1", "", ["x"]]),
        ("abandon", ["d1", "no"]),
    ):
        assert business.refused("bureau", "demand", method, *args) == "demand.status"
    business.do("opco", "demand", "prescreen", "d1", True, "")
    business.do("bureau", "demand", "collect", *order(business))
    assert business.refused("bureau", "demand", "review", "d1", False, "no", []) == "demand.status"


def test_a_supplier_brings_its_share_and_leaves_room_for_the_others() -> None:
    business = Business()
    business.collecting()
    for number in range(10):  # of 32, among three
        business.enter("health", f"x-{number}", "d1")
    full = business.refused("health", "catalog", "draft", "y", "d1", *dataset_text("health"))
    assert full == "catalog.demand"
    business.enter("social", "z", "d1")
    collected = business.ask_record("bureau", "demand", "show", "d1")["collected"]
    assert isinstance(collected, list) and len(collected) == 11


def test_a_demand_takes_in_so_many_however_often_it_is_ordered_anew() -> None:
    business = Business()
    business.forwarded()
    for who in ("health", "social", "civil"):
        business.do("bureau", "demand", "collect", *changed(order(business), 2, [who]))
        for number in range(32):
            business.enter(who, f"{who}-{number}", "d1")
    business.do("bureau", "demand", "collect", *changed(order(business), 2, ["archive"]))
    full = business.refused("archive", "catalog", "draft", "y", "d1", *dataset_text("archive"))
    assert full == "catalog.demand"


def test_only_the_catalog_contract_says_what_came_in() -> None:
    business = Business()
    business.collecting()
    for who in ("health", "bureau", "opco", STRANGER):
        assert business.refused(who, "demand", "take_in", "d1", "health", "x") == "demand.take_in"


def test_a_demand_as_long_as_allowed_fits_into_storage() -> None:
    business = Business()
    words: list[Value] = ["数" * size for size in (128, 128, 128, 512, 128, 2048, 512)]
    business.do("insurer", "demand", "file", "d1", *words, ["数" * 256] * 32, "opco")
    business.do("opco", "demand", "prescreen", "d1", True, "数" * 1024)
    longest = changed(changed(order(business), 1, "数" * 1024), 3, "数" * 1024)
    business.do("bureau", "demand", "collect", *longest)
    assert business.ask_record("health", "demand", "show", "d1")["order"] == "数" * 1024


def page_ids(business: Business, who: str) -> list[Value]:
    page = business.ask(who, "demand", "list", 0, 100)
    assert isinstance(page, list)
    return [row["id"] for row in page if isinstance(row, dict)]
