"""The catalogue: descriptions with bounds, owners, versions, search."""

from __future__ import annotations

import pytest

from ledger.values import Value
from tests.business import (
    HOUR_MS,
    STRANGER,
    SUPPLIERS,
    Business,
    changed,
    dataset_of,
    dataset_rows,
    dataset_text,
    digest,
)

DAY_MS = 24 * HOUR_MS
TEXT: list[Value] = ["x", *dataset_text("archive")]
ROWS: list[Value] = ["x", *dataset_rows("archive")]

MALFORMED: list[tuple[int, Value, str]] = [
    (1, "", "catalog.title"),
    (1, "t" * 129, "catalog.title"),
    (2, "d" * 2049, "catalog.description"),
    (3, ["tag"] * 17, "catalog.tags"),
    (3, [""], "catalog.tag"),
    (3, ["t" * 33], "catalog.tag"),
    (4, [], "catalog.schema"),
    (4, [["c", "integer", ""]] * 65, "catalog.schema"),
    (4, [["", "integer", ""]], "catalog.column"),
    (4, [["c" * 65, "integer", ""]], "catalog.column"),
    (4, [["c", "", ""]], "catalog.column"),
    (4, [["c", "t" * 33, ""]], "catalog.column"),
    (4, [["c", "integer", "d" * 129]], "catalog.column"),
    (5, "", "catalog.category"),
    (5, "c" * 65, "catalog.category"),
    (6, 0, "catalog.grade"),
    (6, 5, "catalog.grade"),
    (7, -1, "catalog.update_days"),
    (7, 3651, "catalog.update_days"),
]
MALFORMED_ROWS: list[tuple[int, Value, str]] = [
    (1, -1, "catalog.row_count"),
    (1, 10**12 + 1, "catalog.row_count"),
    (2, b"", "catalog.commitment"),
    (2, bytes(31), "catalog.commitment"),
    (2, bytes(33), "catalog.commitment"),
    (3, [], "quality.figures"),
    (3, [["completeness", 1]] * 7, "quality.figures"),
    (3, [["beauty", 1]], "quality.measure"),
    (3, [["accuracy", 1], ["accuracy", 2]], "quality.measure_twice"),
    (3, [["accuracy", -1]], "quality.ppm"),
    (3, [["accuracy", 1_000_001]], "quality.ppm"),
]


def drafted(words: list[Value], demand_id: str = "") -> list[Value]:
    """The arguments of catalog.draft from those of describe."""
    return [words[0], demand_id, *words[1:]]


@pytest.mark.parametrize(("position", "value", "code"), MALFORMED)
def test_a_malformed_entry_is_neither_drafted_nor_described(
    position: int, value: Value, code: str
) -> None:
    business = Business()
    bad = changed(TEXT, position, value)
    assert business.refused("archive", "catalog", "draft", *drafted(bad)) == code
    business.enter("archive")
    assert business.refused("archive", "catalog", "describe", *bad) == code


@pytest.mark.parametrize(("position", "value", "code"), MALFORMED_ROWS)
def test_malformed_rows_are_neither_collected_nor_updated(
    position: int, value: Value, code: str
) -> None:
    business = Business()
    bad = changed(ROWS, position, value)
    business.drafted("archive")
    assert business.refused("archive", "catalog", "collect", *bad) == code
    business.do("archive", "catalog", "collect", *ROWS)
    business.do("archive", "catalog", "register", "x")
    assert business.refused("archive", "catalog", "update", *bad) == code


@pytest.mark.parametrize("bad_id", ["", "A", "a/b", "a" * 65])
def test_an_entry_needs_a_proper_id(bad_id: str) -> None:
    bad = changed(TEXT, 0, bad_id)
    assert Business().refused("archive", "catalog", "draft", *drafted(bad)) == "catalog.id"


def test_an_id_is_given_once_even_to_another_supplier() -> None:
    business = Business()
    business.drafted("archive")
    for who in ("archive", "health"):
        assert business.refused(who, "catalog", "draft", *drafted(TEXT)) == "catalog.exists"


def test_an_entry_becomes_what_others_may_use_step_by_step() -> None:
    business = Business()

    def refused(method: str, *args: Value) -> str:
        return business.refused("archive", "catalog", method, *args)

    def listed() -> Value:
        return business.ask("bank", "catalog", "listed_by", "x")

    business.drafted("archive")
    assert status(business) == "draft" and listed() == ""
    assert refused("register", "x") == refused("update", *ROWS) == "catalog.status"
    business.do("archive", "catalog", "collect", *changed(ROWS, 1, 5))
    business.do("archive", "catalog", "collect", *ROWS)
    assert status(business) == "collected" and listed() == ""
    assert refused("update", *ROWS) == "catalog.status"
    business.do("archive", "catalog", "register", "x")
    assert status(business) == "registered" and listed() == "archive"
    assert refused("register", "x") == refused("collect", *ROWS) == "catalog.status"
    entry = business.ask_record("bank", "catalog", "show", "x")
    assert (entry["version"], entry["row_count"]) == (1, 6730)
    business.do("archive", "catalog", "update", *changed(ROWS, 1, 7000))
    assert status(business) == "updated" and listed() == "archive"
    assert refused("register", "x") == refused("collect", *ROWS) == "catalog.status"
    entry = business.ask_record("bank", "catalog", "show", "x")
    assert (entry["version"], entry["row_count"]) == (2, 7000)


def test_a_new_description_leaves_rows_and_status_alone() -> None:
    business = Business()
    business.drafted("archive")
    business.do("archive", "catalog", "describe", *changed(TEXT, 6, 4))
    assert status(business) == "draft"
    business.do("archive", "catalog", "collect", *ROWS)
    business.do("archive", "catalog", "register", "x")
    before = business.ask_record("bank", "catalog", "show", "x")
    business.do("archive", "catalog", "describe", *changed(TEXT, 1, "Better words"))
    after = business.ask_record("bank", "catalog", "show", "x")
    assert after == {**before, "title": "Better words", "grade": 3}


def test_a_draft_may_answer_a_demand_that_asks_its_supplier_and_no_other() -> None:
    business = Business()
    business.collecting()
    business.filed("d2")
    draft = drafted(TEXT, "d1")
    assert business.refused("archive", "catalog", "draft", *draft) == "catalog.demand"
    unknown = changed(draft, 1, "d9")
    assert business.refused("health", "catalog", "draft", *unknown) == "demand.unknown"
    early = changed(draft, 1, "d2")
    assert business.refused("health", "catalog", "draft", *early) == "catalog.demand"
    business.do("health", "catalog", "draft", *draft)
    assert business.ask_record("bank", "catalog", "show", "x")["demand_id"] == "d1"


def test_the_next_rows_are_due_as_often_as_the_entry_promises() -> None:
    business = Business()

    def due_ms() -> Value:
        return business.ask_record("bank", "catalog", "course", "x")["due_ms"]

    business.drafted("archive")
    business.do("archive", "catalog", "collect", *ROWS)
    collected_ms = business.now_ms
    assert due_ms() == 0, "nobody waits for what is not registered"
    business.pass_time(1000)
    business.do("archive", "catalog", "register", "x")
    assert due_ms() == collected_ms + 90 * DAY_MS
    business.do("archive", "catalog", "describe", *changed(TEXT, 7, 7))
    assert due_ms() == collected_ms + 7 * DAY_MS
    business.do("archive", "catalog", "update", *ROWS)
    assert due_ms() == business.now_ms + 7 * DAY_MS
    business.do("archive", "catalog", "describe", *changed(TEXT, 7, 0))
    assert due_ms() == 0


def test_an_update_raises_the_version_and_keeps_earlier_commitments() -> None:
    business = Business()
    business.catalogued()
    dataset_id = dataset_of("health")
    newer = changed(dataset_rows("health", rows="newer"), 0, 7000)
    business.do("health", "catalog", "update", dataset_id, *newer)
    entry = business.ask_record("bank", "catalog", "show", dataset_id)
    assert (entry["version"], entry["commitment"]) == (2, digest("healthnewer"))
    for number, rows, count in ((1, "rows", 6730), (2, "newer", 7000)):
        kept = business.ask_record("bank", "catalog", "version", dataset_id, number)
        assert (kept["commitment"], kept["row_count"]) == (digest("health" + rows), count)
    for number in (0, 3):
        assert business.denied("bank", "catalog", "version", dataset_id, number) == (
            "catalog.version"
        )


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_what_is_retired_stays_retired_at_whatever_step_it_was(steps: int) -> None:
    business = Business()
    business.drafted("archive")
    done: list[tuple[str, list[Value]]] = [("collect", ROWS), ("register", ["x"]), ("update", ROWS)]
    for method, args in done[:steps]:
        business.do("archive", "catalog", method, *args)
    business.do("archive", "catalog", "retire", "x", "outdated")
    assert business.ask("bank", "catalog", "listed_by", "x") == ""
    assert business.ask("bank", "catalog", "owner_of", "x") == "archive"
    done += [("describe", TEXT), ("retire", ["x", "again"])]
    for method, args in done:
        assert business.refused("archive", "catalog", method, *args) == "catalog.retired"
    entry = business.ask_record("bank", "catalog", "show", "x")
    assert (entry["status"], entry["reason"]) == ("retired", "outdated")


@pytest.mark.parametrize("reason", ["", "r" * 513])
def test_a_retirement_needs_a_reason_of_bounded_length(reason: str) -> None:
    business = Business()
    business.catalogued()
    refused = business.refused("health", "catalog", "retire", dataset_of("health"), reason)
    assert refused == "catalog.reason"


def test_unknown_data_sets_are_named_as_such() -> None:
    business = Business()
    assert business.refused("health", "catalog", "describe", *TEXT) == "catalog.unknown"
    for method in ("collect", "update"):
        assert business.refused("health", "catalog", method, *ROWS) == "catalog.unknown"
    assert business.refused("health", "catalog", "register", "x") == "catalog.unknown"
    assert business.denied("health", "catalog", "course", "x") == "catalog.unknown"
    assert business.refused("health", "catalog", "retire", "x", "gone") == "catalog.unknown"
    assert business.denied("health", "catalog", "show", "x") == "catalog.unknown"
    assert business.ask("health", "catalog", "owner_of", "x") == ""
    assert business.ask("health", "catalog", "listed_by", "x") == ""


def test_only_the_task_contract_engages_and_releases_data_sets() -> None:
    business = Business()
    business.catalogued()
    for who in ("health", "opco", "bureau", STRANGER):
        engaged = business.refused(who, "catalog", "engage", dataset_of("health"), "health")
        assert engaged == "catalog.engage"
        released = business.refused(who, "catalog", "release", dataset_of("health"), True)
        assert released == "catalog.release"


def ids(answer: Value) -> list[Value]:
    assert isinstance(answer, list)
    return [row["id"] for row in answer if isinstance(row, dict)]


def test_the_catalogue_is_paged_in_order_of_entry() -> None:
    business = Business()
    business.catalogued()
    assert ids(business.ask("bank", "catalog", "list", 0, 100)) == [
        dataset_of(supplier) for supplier in SUPPLIERS
    ]
    assert ids(business.ask("bank", "catalog", "list", 1, 1)) == [dataset_of("social")]
    for offset, limit in [(-1, 1), (0, 0), (0, 101)]:
        assert business.denied("bank", "catalog", "list", offset, limit) == "catalog.page"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (["", "", "", 0, 0, 0], ["health-claims", "social-claims", "civil-claims", "births"]),
        (["births", "", "", 0, 0, 0], ["births"]),
        (["Claims of s", "", "", 0, 0, 0], ["social-claims"]),
        (["person", "", "", 0, 0, 0], ["health-claims", "social-claims", "civil-claims"]),
        (["weight", "", "", 0, 0, 0], ["births"]),
        (["population", "", "", 0, 0, 0], ["births"]),
        (["", "register", "", 0, 0, 0], ["births"]),
        (["", "", "decimal", 0, 0, 0], ["health-claims", "social-claims", "civil-claims"]),
        (["", "", "", 7000, 0, 0], ["births"]),
        (["", "", "", 0, 7000, 0], ["health-claims", "social-claims", "civil-claims"]),
        (["", "", "", 0, 0, 3], ["births"]),
        (["nothing like it", "", "", 0, 0, 0], []),
    ],
)
def test_data_sets_are_found_by_their_metadata(query: list[Value], expected: list[str]) -> None:
    business = Business()
    business.catalogued()
    schema: list[Value] = [["weight", "integer", "in grams"]]
    births: list[Value] = ["births", "", "Births", "", ["register"], schema, "population", 2, 0]
    business.do("archive", "catalog", "draft", *births)
    rows: list[Value] = [90_000, digest("births"), [["completeness", 1_000_000]]]
    business.do("archive", "catalog", "collect", "births", *rows)
    hidden = business.ask_record("bank", "catalog", "search", "births", "", "", 0, 0, 0)
    assert hidden["datasets"] == [], "not before it is registered"
    business.do("archive", "catalog", "register", "births")
    found = business.ask_record("bank", "catalog", "search", *query)
    assert found == {"datasets": expected, "next_offset": -1}


def test_retired_data_sets_are_not_found() -> None:
    business = Business()
    business.catalogued()
    business.do("health", "catalog", "retire", dataset_of("health"), "outdated")
    found = business.ask_record("bank", "catalog", "search", "health-claims", "", "", 0, 0, 0)
    assert found["datasets"] == []
    assert business.denied("bank", "catalog", "search", "", "", "", 0, 0, -1) == "catalog.page"


def seen_by_bank(business: Business, dataset_id: str) -> tuple[Value, ...]:
    """In the list, by itself, by a search, and to other contracts."""
    listed = business.ask("bank", "catalog", "list", 0, 100)
    assert isinstance(listed, list)
    rows = [row for row in listed if isinstance(row, dict) and row["id"] == dataset_id]
    found = business.ask_record("bank", "catalog", "search", dataset_id, "", "", 0, 0, 0)
    return (
        rows[0]["status"],
        business.ask("bank", "catalog", "standing", dataset_id),
        found["datasets"] != [],
        business.ask("bank", "catalog", "listed_by", dataset_id),
    )


def test_what_is_of_a_suspended_or_revoked_owner_is_not_shown_as_usable() -> None:
    business = Business(("board",))
    business.enter("archive")
    assert seen_by_bank(business, "x") == ("registered", "registered", True, "archive")
    business.suspend("archive")
    assert seen_by_bank(business, "x") == ("suspended", "suspended", False, "")
    kept = business.ask_record("bank", "catalog", "show", "x")
    assert kept["status"] == "registered", "the record is what it was, and is proved"
    business.do("bureau", "parties", "readmit", "archive", "cleared")
    assert seen_by_bank(business, "x") == ("registered", "registered", True, "archive")
    business.do("bureau", "parties", "revoke", "archive", "gave data away")
    assert seen_by_bank(business, "x") == ("revoked", "revoked", False, "")


def test_what_was_retired_says_so_whatever_became_of_its_owner() -> None:
    business = Business()
    business.enter("archive")
    business.do("archive", "catalog", "retire", "x", "outdated")
    business.suspend("archive")
    assert seen_by_bank(business, "x") == ("retired", "retired", False, "")


def test_no_demand_is_matched_with_data_of_a_suspended_owner() -> None:
    business = Business()
    business.catalogued()
    business.forwarded()
    business.suspend("health")
    review: list[Value] = ["d1", True, "", [dataset_of("health")]]
    assert business.refused("bureau", "demand", "review", *review) == "demand.dataset_unknown"
    business.do("bureau", "demand", "review", *changed(review, 3, [dataset_of("social")]))


def test_a_page_and_a_search_over_many_owners_fit_into_a_query() -> None:
    business = Business()
    for number in range(200):
        business.enter("archive", f"x{number}")
    listed = business.ask("bank", "catalog", "list", 0, 100)
    assert isinstance(listed, list) and len(listed) == 100
    found = business.ask_record("bank", "catalog", "search", "", "", "", 0, 0, 0)["datasets"]
    assert isinstance(found, list) and len(found) == 200


def test_an_entry_as_wide_as_allowed_fits_into_storage() -> None:
    business = Business()
    schema: list[Value] = [["c" * 60 + f"{n:04}", "t" * 32, "数" * 128] for n in range(64)]
    tags: list[Value] = [f"{n:032}" for n in range(16)]
    text: list[Value] = ["数" * 128, "数" * 2048, tags, schema, "数" * 64, 4, 3650]
    business.do("archive", "catalog", "draft", "x", "", *text)
    business.do("archive", "catalog", "collect", *changed(ROWS, 1, 10**12))
    business.do("archive", "catalog", "register", "x")
    assert business.ask_record("bank", "catalog", "show", "x")["schema"] == schema


def status(business: Business) -> Value:
    return business.ask_record("bank", "catalog", "show", "x")["status"]
