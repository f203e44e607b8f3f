"""Quality of rows: who measured what, and by how much it fell."""

from __future__ import annotations

import pytest

from ledger.values import Value
from tests.business import (
    STRANGER,
    Business,
    changed,
    dataset_of,
    dataset_rows,
    digest,
)

SUBJECT = dataset_of("health")
MEASURED: list[Value] = [SUBJECT, [["accuracy", 900_000]], b""]


@pytest.mark.parametrize(
    ("position", "value", "code"),
    [
        (0, "unheard-of", "catalog.unknown"),
        (0, "draft", "quality.unlisted"),
        (0, "old", "quality.unlisted"),
        (1, [], "quality.figures"),
        (1, [["accuracy", 1]] * 7, "quality.figures"),
        (1, [["Accuracy", 1]], "quality.measure"),
        (1, [["accuracy", 1], ["accuracy", 1]], "quality.measure_twice"),
        (1, [["accuracy", -1]], "quality.ppm"),
        (1, [["accuracy", 1_000_001]], "quality.ppm"),
        (2, bytes(31), "quality.report"),
        (2, bytes(33), "quality.report"),
    ],
)
def test_a_malformed_measurement_is_refused(position: int, value: Value, code: str) -> None:
    business = Business()
    business.catalogued()
    business.drafted("health", "draft")
    business.enter("health", "old")
    business.do("health", "catalog", "retire", "old", "outdated")
    bad = changed(MEASURED, position, value)
    assert business.refused("opco", "quality", "measure", *bad) == code
    business.do("opco", "quality", "measure", *MEASURED)


def figures(business: Business) -> dict[Value, tuple[Value, ...]]:
    """Of SUBJECT: measure -> ppm, ppm before, version, party."""
    shown = business.ask_record("bank", "quality", "show", SUBJECT)["figures"]
    assert isinstance(shown, list)
    return {
        one["measure"]: (one["ppm"], one["before_ppm"], one["version"], one["party"])
        for one in shown
        if isinstance(one, dict)
    }


def test_a_figure_says_who_measured_which_rows_and_what_it_was_before() -> None:
    business = Business()
    business.catalogued()
    assert figures(business) == {
        "completeness": (990_000, -1, 1, "health"),
        "accuracy": (970_000, -1, 1, "health"),
    }
    business.do("opco", "quality", "measure", *MEASURED)
    assert figures(business)["accuracy"] == (900_000, 970_000, 1, "opco")
    assert figures(business)["completeness"] == (990_000, -1, 1, "health")
    rows = changed(dataset_rows("health", rows="newer"), 2, [["accuracy", 950_000]])
    business.do("health", "catalog", "update", SUBJECT, *rows)
    assert figures(business) == {
        "completeness": (990_000, -1, 1, "health"),
        "accuracy": (950_000, 970_000, 2, "health"),
    }


def test_who_measures_the_same_rows_again_hides_no_fall() -> None:
    business = Business()
    business.catalogued()
    business.do("opco", "quality", "measure", *MEASURED)
    business.do("opco", "quality", "measure", *MEASURED)
    assert figures(business)["accuracy"] == (900_000, 970_000, 1, "opco")
    rows = changed(dataset_rows("health", rows="newer"), 2, [["accuracy", 800_000]])
    business.do("health", "catalog", "update", SUBJECT, *rows)
    business.do("health", "quality", "measure", SUBJECT, [["accuracy", 810_000]], b"")
    assert figures(business)["accuracy"] == (810_000, 970_000, 2, "health")


@pytest.mark.parametrize("witness", ["opco", "bureau"])
def test_who_confirms_a_fall_does_not_hide_it(witness: str) -> None:
    business = Business()
    business.catalogued()
    rows = changed(dataset_rows("health", rows="newer"), 2, [["accuracy", 500_000]])
    business.do("health", "catalog", "update", SUBJECT, *rows)
    assert business.ask_record("bank", "quality", "course", SUBJECT)["fallen_ppm"] == 470_000
    business.do(witness, "quality", "measure", SUBJECT, [["accuracy", 500_000]], b"")
    assert figures(business)["accuracy"] == (500_000, 970_000, 2, witness)
    business.do("health", "quality", "measure", SUBJECT, [["accuracy", 500_000]], b"")
    assert business.ask_record("bank", "quality", "course", SUBJECT)["fallen_ppm"] == 470_000


def test_a_supplier_that_agrees_with_who_found_less_does_not_hide_the_fall() -> None:
    business = Business()
    business.catalogued()
    business.do("opco", "quality", "measure", *MEASURED)
    business.do("health", "quality", "measure", *MEASURED)
    assert figures(business)["accuracy"] == (900_000, 970_000, 1, "health")


def test_rows_that_are_collected_anew_before_registration_are_compared_with_nothing() -> None:
    business = Business()
    business.drafted("health", SUBJECT)
    for ppm in (900_000, 400_000):
        rows = changed(dataset_rows("health"), 2, [["accuracy", ppm]])
        business.do("health", "catalog", "collect", SUBJECT, *rows)
    assert figures(business) == {"accuracy": (400_000, -1, 1, "health")}


def test_all_measurements_stay_on_record_in_order() -> None:
    business = Business()
    business.catalogued()
    business.do("opco", "quality", "measure", *changed(MEASURED, 2, digest("report")))
    history = business.ask("bank", "quality", "history", SUBJECT, 0, 100)
    assert isinstance(history, list)
    told = [
        (row["number"], row["party"], row["report"]) for row in history if isinstance(row, dict)
    ]
    assert told == [(1, "health", b""), (2, "opco", digest("report"))]
    assert business.ask("bank", "quality", "history", SUBJECT, 1, 1) == history[1:]
    assert business.ask("bank", "quality", "history", "unheard-of", 0, 1) == []
    assert business.ask_record("bank", "quality", "show", SUBJECT)["measurements"] == 2
    for offset, limit in [(-1, 1), (0, 0), (0, 101)]:
        assert business.denied("bank", "quality", "history", SUBJECT, offset, limit) == (
            "quality.page"
        )
    assert business.denied("bank", "quality", "show", "unheard-of") == "quality.unknown"


def test_quantity_quality_and_renewal_are_monitored_together() -> None:
    business = Business()
    business.catalogued()
    business.drafted("health", "draft")
    business.do("health", "catalog", "update", SUBJECT, *changed(dataset_rows("health"), 0, 5000))
    updated_ms = business.now_ms
    business.do("opco", "quality", "measure", *MEASURED)
    seen = business.ask("opco", "quality", "monitor", [SUBJECT, "draft"])
    assert isinstance(seen, list) and isinstance(seen[0], dict) and isinstance(seen[1], dict)
    assert seen[0] == {
        "id": SUBJECT,
        "owner": "health",
        "status": "updated",
        "version": 2,
        "row_count": 5000,
        "rows_most": 6730,
        "worst_ppm": 900_000,
        "fallen_ppm": 70_000,
        "updated_ms": updated_ms,
        "due_ms": updated_ms + 90 * 24 * 3_600_000,
    }
    assert (seen[1]["status"], seen[1]["worst_ppm"], seen[1]["fallen_ppm"]) == ("draft", -1, 0)
    asked: list[Value] = ["x"] * 51
    assert business.denied("opco", "quality", "monitor", asked) == "quality.datasets"
    assert business.denied("opco", "quality", "monitor", ["x"]) == "catalog.unknown"


def test_only_the_catalog_contract_declares_figures_of_new_rows() -> None:
    business = Business()
    business.catalogued()
    declared: list[Value] = [SUBJECT, 1, 9, "health", [["accuracy", 1_000_000]]]
    for who in ("health", "opco", "bureau", STRANGER):
        assert business.refused(who, "quality", "declare", *declared) == "quality.declare"


def course(business: Business) -> tuple[Value, Value]:
    found = business.ask_record("bank", "quality", "course", SUBJECT)
    return found["fallen_ppm"], found["lost_percent"]


def update(business: Business, count: int, ppm: int) -> None:
    rows = changed(dataset_rows("health", rows=f"{count} {ppm}"), 0, count)
    business.do("health", "catalog", "update", SUBJECT, *changed(rows, 2, [["accuracy", ppm]]))


def test_who_updates_twice_hides_no_fall_of_quality_or_of_rows() -> None:
    business = Business()
    business.catalogued()
    for count in (3365, 3365, 3400):
        update(business, count, 500_000)
    assert course(business) == (470_000, 49)
    for count, ppm in ((6000, 960_000), (6730, 970_000)):  # step by step, and back
        update(business, count, ppm)
    assert course(business) == (0, 0)


def test_slow_falls_add_up() -> None:
    business = Business()
    business.catalogued()
    for step in range(1, 5):
        update(business, 6730 - step * 673, 970_000 - step * 40_000)
    assert course(business) == (160_000, 40)


def raised(business: Business, check: str) -> Value:
    return business.do("bank", "alert", "check", check, SUBJECT)[0][1]["alert_id"]


def closed(business: Business, alert: Value) -> None:
    business.do("bureau", "alert", "close", alert, "the register was cleaned: these rows are all")


def test_what_a_supervisor_dealt_with_is_the_measure_from_then_on() -> None:
    business = Business()
    business.catalogued()
    update(business, 3365, 500_000)
    closed(business, raised(business, "quality_fallen"))
    assert course(business) == (0, 50), "the other check is another alert"
    closed(business, raised(business, "quantity_fallen"))
    assert course(business) == (0, 0)
    update(business, 1683, 490_000)
    assert course(business) == (10_000, 49)


def test_what_fell_further_than_the_supervisor_knew_stays_found() -> None:
    business = Business()
    business.catalogued()
    update(business, 3365, 500_000)
    alerts = [raised(business, check) for check in ("quality_fallen", "quantity_fallen")]
    update(business, 100, 100_000)
    for alert in alerts:
        closed(business, alert)
    assert course(business) == (870_000, 98)


def test_only_the_alert_contract_says_what_was_dealt_with() -> None:
    business = Business()
    business.catalogued()
    for who in ("health", "opco", "bureau", STRANGER):
        words: list[Value] = [SUBJECT, "quality_fallen", 10**6]
        assert business.refused(who, "quality", "rebase", *words) == "quality.rebase"
