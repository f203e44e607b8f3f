"""The catalogue: descriptions with bounds, owners, versions, search."""

from __future__ import annotations

import pytest

from ledger.values import Value
from tests.business import (
    STRANGER,
    SUPPLIERS,
    Business,
    changed,
    dataset_of,
    dataset_text,
    digest,
)

ENTRY: list[Value] = ["x", *dataset_text("archive")]

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
    (5, -1, "catalog.row_count"),
    (5, 10**12 + 1, "catalog.row_count"),
    (6, 0, "catalog.grade"),
    (6, 5, "catalog.grade"),
    (7, b"", "catalog.commitment"),
    (7, bytes(31), "catalog.commitment"),
    (7, bytes(33), "catalog.commitment"),
]


@pytest.mark.parametrize(("position", "value", "code"), MALFORMED)
def test_a_malformed_entry_is_neither_registered_nor_updated(
    position: int, value: Value, code: str
) -> None:
    business = Business()
    bad = changed(ENTRY, position, value)
    assert business.refused("archive", "catalog", "register", *bad) == code
    business.do("archive", "catalog", "register", *ENTRY)
    assert business.refused("archive", "catalog", "update", *bad) == code


@pytest.mark.parametrize("bad_id", ["", "A", "a/b", "a" * 65])
def test_an_entry_needs_a_proper_id(bad_id: str) -> None:
    bad = changed(ENTRY, 0, bad_id)
    assert Business().refused("archive", "catalog", "register", *bad) == "catalog.id"


def test_an_id_is_given_once_even_to_another_supplier() -> None:
    business = Business()
    business.do("archive", "catalog", "register", *ENTRY)
    for who in ("archive", "health"):
        assert business.refused(who, "catalog", "register", *ENTRY) == "catalog.exists"


def test_an_update_raises_the_version_and_keeps_earlier_commitments() -> None:
    business = Business()
    business.catalogued()
    dataset_id = dataset_of("health")
    business.do("health", "catalog", "update", dataset_id, *dataset_text("health", rows="newer"))
    entry = business.ask_record("bank", "catalog", "show", dataset_id)
    assert (entry["version"], entry["commitment"]) == (2, digest("healthnewer"))
    for version, rows in ((1, "rows"), (2, "newer")):
        kept = business.ask("bank", "catalog", "commitment_at", dataset_id, version)
        assert kept == digest("health" + rows)
    assert business.denied("bank", "catalog", "commitment_at", dataset_id, 3) == "catalog.version"


def test_what_is_withdrawn_stays_withdrawn() -> None:
    business = Business()
    business.catalogued()
    dataset_id = dataset_of("health")
    assert business.ask("bank", "catalog", "listed_by", dataset_id) == "health"
    business.do("health", "catalog", "withdraw", dataset_id, "outdated")
    assert business.ask("bank", "catalog", "listed_by", dataset_id) == ""
    assert business.ask("bank", "catalog", "owner_of", dataset_id) == "health"
    again = business.refused("health", "catalog", "withdraw", dataset_id, "again")
    assert again == "catalog.withdrawn"
    text = dataset_text("health")
    assert business.refused("health", "catalog", "update", dataset_id, *text) == "catalog.withdrawn"


@pytest.mark.parametrize("reason", ["", "r" * 513])
def test_a_withdrawal_needs_a_reason_of_bounded_length(reason: str) -> None:
    business = Business()
    business.catalogued()
    refused = business.refused("health", "catalog", "withdraw", dataset_of("health"), reason)
    assert refused == "catalog.reason"


def test_unknown_data_sets_are_named_as_such() -> None:
    business = Business()
    text = dataset_text("health")
    assert business.refused("health", "catalog", "update", "x", *text) == "catalog.unknown"
    assert business.refused("health", "catalog", "withdraw", "x", "gone") == "catalog.unknown"
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


def test_the_catalogue_is_paged_in_order_of_registration() -> None:
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
    births: list[Value] = ["Births", "", ["register"], schema, 90_000, 2, digest("births")]
    business.do("archive", "catalog", "register", "births", *births)
    found = business.ask_record("bank", "catalog", "search", *query)
    assert found == {"datasets": expected, "next_offset": -1}


def test_withdrawn_data_sets_are_not_found() -> None:
    business = Business()
    business.catalogued()
    business.do("health", "catalog", "withdraw", dataset_of("health"), "outdated")
    found = business.ask_record("bank", "catalog", "search", "health", "", "", 0, 0, 0)
    assert found["datasets"] == []
    assert business.denied("bank", "catalog", "search", "", "", "", 0, 0, -1) == "catalog.page"


def test_an_entry_as_wide_as_allowed_fits_into_storage() -> None:
    business = Business()
    schema: list[Value] = [["c" * 60 + f"{n:04}", "t" * 32, "数" * 128] for n in range(64)]
    tags: list[Value] = [f"{n:032}" for n in range(16)]
    entry: list[Value] = ["x", "数" * 128, "数" * 2048, tags, schema, 10**12, 4, digest("x")]
    business.do("archive", "catalog", "register", *entry)
    assert business.ask_record("bank", "catalog", "show", "x")["schema"] == schema
