"""The catalogue as DCAT 3: its terms are in the vocabularies, its facts those of the chain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.main import main
from client.dcat import CONTEXT, Json, catalogue
from client.errors import Refused
from ledger.values import Key, Value
from tests.business import Business, changed, dataset_of, dataset_rows, dataset_text, digest
from tests.fake_session import opened

CHAIN = bytes(range(32))
SUBJECT = dataset_of("health")
# Class -> the properties that its specification gives it: DCAT 3 sections 6.3 to 6.7, DCMI terms,
# DQV section 4, the CSV on the Web vocabulary, FOAF, SKOS; and ours.
TERMS: dict[str, set[str]] = {
    "dcat:Catalog": {"dcterms:title", "dcterms:identifier", "dcat:dataset"},
    "dcat:Dataset": {
        "dcterms:identifier",
        "dcterms:title",
        "dcterms:description",
        "dcat:keyword",
        "dcat:theme",
        "dcterms:publisher",
        "dcterms:issued",
        "dcterms:modified",
        "dcat:version",
        "dcterms:accrualPeriodicity",
        "dcterms:accessRights",
        "dcterms:conformsTo",
        "dqv:hasQualityMeasurement",
        "shuxin:grade",
        "shuxin:rows",
        "shuxin:commitment",
    },
    "skos:Concept": {"skos:prefLabel"},
    "foaf:Agent": {"foaf:name"},
    "dcterms:Frequency": {"rdfs:label"},
    "dcterms:RightsStatement": {"rdfs:label"},
    "dcterms:Standard csvw:Schema": {"csvw:column"},
    "csvw:Column": {"csvw:name", "csvw:datatype", "dcterms:description", "shuxin:columnType"},
    "dqv:QualityMeasurement": {
        "dqv:isMeasurementOf",
        "dqv:value",
        "prov:wasAttributedTo",
        "prov:generatedAtTime",
        "dcat:version",
    },
    "dqv:Metric": {"skos:prefLabel"},
}
LITERALS = {"xsd:dateTime", "xsd:decimal"}


def nodes(value: Json) -> Iterator[dict[str, Json]]:
    """Every node and typed literal of a document."""
    if isinstance(value, dict):
        yield value
        for name, inner in value.items():
            if name != "@context":
                yield from nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


def told(business: Business, contract: str, name: str) -> dict[Key, Value]:
    return dict(business.ask_record("bank", contract, "show", name).items())


def exported(business: Business) -> dict[str, Json]:
    listed = business.ask("bank", "catalog", "list", 0, 100)
    assert isinstance(listed, list)
    names = [str(row["id"]) for row in listed if isinstance(row, dict)]
    entries = [(told(business, "catalog", name), told(business, "quality", name)) for name in names]
    return catalogue(CHAIN, entries=entries, parties={"health": "Health Bureau (卫健委)"})


def dataset(document: dict[str, Json], place: int = 0) -> dict[str, Json]:
    found = document["dcat:dataset"]
    assert isinstance(found, list)
    one = found[place]
    assert isinstance(one, dict)
    return one


def test_every_term_is_one_of_its_vocabulary_and_of_its_class() -> None:
    business = Business()
    business.catalogued()
    seen: set[str] = set()
    for node in nodes(exported(business)):
        kind = node.get("@type")
        if kind is None:
            assert set(node) == {"@list"}
            continue
        name = " ".join(str(part) for part in kind) if isinstance(kind, list) else str(kind)
        if name in LITERALS:
            assert set(node) == {"@type", "@value"}
            continue
        said = {term for term in node if not term.startswith("@")}
        assert said <= TERMS[name], name
        assert {term.partition(":")[0] for term in said} <= set(CONTEXT)
        seen.add(name)
    assert seen == set(TERMS)


def test_it_says_of_a_data_set_what_the_chain_says() -> None:
    business = Business()
    business.catalogued()
    business.do("opco", "quality", "measure", SUBJECT, [["accuracy", 900_001]], b"")
    one = dataset(exported(business))
    base = f"urn:shuxin:{CHAIN.hex()}:"
    assert one["@id"] == f"{base}dataset:{SUBJECT}"
    assert one["dcterms:publisher"] == {
        "@id": f"{base}party:health",
        "@type": "foaf:Agent",
        "foaf:name": "Health Bureau (卫健委)",
    }
    assert one["dcat:theme"] == {"@type": "skos:Concept", "skos:prefLabel": "health insurance"}
    assert (one["shuxin:grade"], one["shuxin:rows"]) == (3, 6730)
    assert one["shuxin:commitment"] == digest("healthrows").hex()
    measured = one["dqv:hasQualityMeasurement"]
    assert isinstance(measured, list) and isinstance(measured[1], dict)
    assert measured[1]["dqv:value"] == {"@type": "xsd:decimal", "@value": "0.900001"}
    assert "opco" in str(measured[1]["prov:wasAttributedTo"])
    assert "dcat:distribution" not in one, "rows are not handed out"


@pytest.mark.parametrize(
    ("days", "iri", "label"),
    [(0, "NEVER", "never"), (1, "DAILY", "every day"), (45, "", "every 45 days")],
)
def test_how_often_newer_rows_come_is_named_or_said(days: int, iri: str, label: str) -> None:
    business = Business()
    business.catalogued()
    text = changed(dataset_text("health"), 6, days)
    business.do("health", "catalog", "describe", SUBJECT, *text)
    found = dataset(exported(business))["dcterms:accrualPeriodicity"]
    assert isinstance(found, dict) and found["rdfs:label"] == label
    assert str(found.get("@id", "")).endswith(iri) and ("@id" in found) is (iri != "")


def test_only_what_is_registered_is_told() -> None:
    business = Business()
    business.catalogued()
    business.drafted("archive", "draft")
    business.enter("archive", "old")
    business.do("archive", "catalog", "retire", "old", "outdated")
    business.do("health", "catalog", "update", SUBJECT, *dataset_rows("health", rows="newer"))
    found = exported(business)["dcat:dataset"]
    assert isinstance(found, list)
    names = [one["dcterms:identifier"] for one in found if isinstance(one, dict)]
    assert names == [dataset_of(supplier) for supplier in ("health", "social", "civil")]
    assert dataset(exported(business))["dcat:version"] == "2"


UNREAD = {"demand_id", "drafted_ms", "reason", "status"}


def test_a_record_of_another_form_is_refused_by_name_and_nothing_else() -> None:
    business = Business()
    business.catalogued()
    entry, quality = told(business, "catalog", SUBJECT), told(business, "quality", SUBJECT)
    bad: list[Value] = [None, True, {}]
    for name in set(entry) - UNREAD:
        for value in bad:
            with pytest.raises(Refused, match=r"answer\.unreadable"):
                catalogue(CHAIN, entries=[({**entry, name: value}, quality)], parties={})
    said: list[tuple[str, Value]] = [("updated_ms", 1 << 200), ("schema", [["only a name"]])]
    for name, value in said:
        with pytest.raises(Refused, match=r"answer\.unreadable"):
            catalogue(CHAIN, entries=[({**entry, name: value}, quality)], parties={})
    lists: list[Value] = [None, [1], [{}], [{"measure": 1}], [{"ppm": "all"}]]
    for figures in lists:
        with pytest.raises(Refused, match=r"answer\.unreadable"):
            catalogue(CHAIN, entries=[(entry, {"figures": figures})], parties={})


def test_the_command_writes_a_file_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    business = Business()
    business.catalogued()
    session = opened(monkeypatch)
    session.answers = {
        "catalog.list": [
            {"id": SUBJECT, "status": "registered"},
            {"id": "x", "status": "draft"},
            {"id": "gone", "status": "revoked"},
        ],
        "catalog.show": told(business, "catalog", SUBJECT),
        "quality.show": told(business, "quality", SUBJECT),
        "parties.list": [{"id": "health", "name": "Health"}],
    }
    path = tmp_path / "catalogue.jsonld"
    assert main(["catalog", "dcat", "--output", str(path)]) == 0
    written = json.loads(path.read_text("utf-8"))
    assert [one["dcterms:identifier"] for one in written["dcat:dataset"]] == [SUBJECT]
    assert main(["catalog", "dcat", "--output", str(path)]) == 1
    capsys.readouterr()
    assert main(["catalog", "dcat"]) == 0
    assert json.loads(capsys.readouterr().out) == written
