"""The catalogue and its demands at their bounds: searches, grades, lists and notes."""

from __future__ import annotations

from contracts.vm.testing import account
from ledger.values import Value
from tests.business import (
    DEMAND,
    HOUR_MS,
    Business,
    changed,
    dataset_of,
    dataset_rows,
    dataset_text,
    digest,
)


def found(business: Business, rows_min: int, rows_max: int, offset: int = 0) -> tuple[Value, Value]:
    answer = business.ask_record(
        "bank", "catalog", "search", "", "", "", rows_min, rows_max, offset
    )
    return answer["datasets"], answer["next_offset"]


def test_a_search_by_rows_takes_both_ends_in() -> None:
    business = Business()
    business.enter("health")
    rows = business.ask_record("bank", "catalog", "show", "x")["row_count"]
    assert isinstance(rows, int)
    for least, most, is_found in (
        (rows, rows, True),
        (rows + 1, 0, False),
        (0, rows - 1, False),
        (rows, 0, True),
    ):
        assert found(business, least, most) == (["x"] if is_found else [], -1)


def test_a_search_goes_on_where_it_left_off() -> None:
    business = Business()
    for number in range(200):
        business.drafted("health", f"draft-{number}")
    assert found(business, 0, 0) == ([], -1)
    business.enter("health")
    assert found(business, 0, 0) == ([], 200)
    assert found(business, 0, 0, 200) == (["x"], -1)


def test_public_data_has_the_first_grade() -> None:
    business = Business()
    for grade, code in ((0, "catalog.grade"), (5, "catalog.grade"), (1, ""), (4, "")):
        words: list[Value] = [f"x-{grade}", "", *changed(dataset_text("health"), 5, grade)]
        if code:
            assert business.refused("health", "catalog", "draft", *words) == code
        else:
            business.do("health", "catalog", "draft", *words)


def test_up_to_fifty_data_sets_are_monitored_at_once() -> None:
    business = Business()
    business.catalogued()
    asked: list[Value] = [dataset_of("health")] * 51
    assert business.denied("bank", "quality", "monitor", asked) == "quality.datasets"
    told = business.ask("bank", "quality", "monitor", asked[:50])
    assert isinstance(told, list) and len(told) == 50


def test_the_word_of_who_prescreened_stays_with_the_demand() -> None:
    business = Business()
    business.filed()
    business.do("opco", "demand", "prescreen", "d1", True, "complete as far as I see")
    shown = business.ask_record("insurer", "demand", "show", "d1")
    assert shown["prescreen_note"] == "complete as far as I see"


def test_who_collects_for_its_own_demand_has_it_once_in_its_list() -> None:
    business = Business()
    words: list[Value] = ["both", "Both", ["consumer", "supplier"], [account("both")]]
    business.do("bureau", "parties", "register", *words)
    business.do("both", "demand", "file", "d1", *DEMAND)
    business.do("opco", "demand", "prescreen", "d1", True, "complete")
    due_ms = business.now_ms + HOUR_MS
    order: list[Value] = ["d1", "missing", ["both", "health"], "claims", due_ms]
    business.do("bureau", "demand", "collect", *order)
    for who in ("both", "health"):
        page = business.ask(who, "demand", "list", 0, 10)
        assert isinstance(page, list)
        assert [row["id"] for row in page if isinstance(row, dict)] == ["d1"]


def test_a_note_on_a_match_has_1024_characters_at_most() -> None:
    business = Business()
    business.collecting()
    business.enter("health", "x", "d1")
    match: list[Value] = ["d1", "n" * 1025, ["x"]]
    assert business.refused("bureau", "demand", "match", *match) == "demand.note"
    business.do("bureau", "demand", "match", *changed(match, 1, "n" * 1024))


def test_rows_that_were_never_registered_leave_no_figures_behind() -> None:
    business = Business()
    business.drafted("health")
    both: list[Value] = [["completeness", 1], ["accuracy", 2]]
    one: list[Value] = [["accuracy", 1]]
    for figures in (both, one):
        rows: list[Value] = ["x", 9, digest("rows"), figures]
        business.do("health", "catalog", "collect", *rows)
    shown = business.ask_record("bank", "quality", "show", "x")["figures"]
    assert isinstance(shown, list)
    told = [(row["measure"], row["ppm"]) for row in shown if isinstance(row, dict)]
    assert told == [("accuracy", 1)]


def test_rows_are_lost_from_the_most_that_a_version_had() -> None:
    business = Business()
    business.catalogued()
    subject = dataset_of("health")
    for count in (10_000, 5_000):
        rows = changed(dataset_rows("health", rows=str(count)), 0, count)
        business.do("health", "catalog", "update", subject, *rows)
    assert business.ask_record("bank", "risk", "look", "quantity_fallen", subject)["measured"] == 50


def test_a_fall_that_was_dealt_with_is_told() -> None:
    business = Business()
    business.catalogued()
    subject = dataset_of("health")
    rows = changed(dataset_rows("health", rows="few"), 0, 1)
    business.do("health", "catalog", "update", subject, *rows)
    business.do("bank", "alert", "check", "quantity_fallen", subject)
    events = dict(business.do("bureau", "alert", "close", "alert-1", "it is right"))
    told = {"dataset_id": subject, "check_name": "quantity_fallen", "measured": 99}
    assert events["QualityRebased"] == told
