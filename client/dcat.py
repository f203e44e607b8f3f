"""The catalogue as DCAT 3 in JSON-LD, for portals that harvest catalogues (8.1.1, 5.2a).

Terms are those of DCAT 3, DCMI, FOAF, SKOS, CSV on the Web, DQV and PROV; what none of them has,
such as the commitment to the rows, stands under `shuxin:`. There is no distribution: rows are not
handed out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar, Union

from client.errors import Refused

if TYPE_CHECKING:
    from ledger.values import Key, Value

    Row: TypeAlias = Mapping[Key, Value]

Json: TypeAlias = Union[None, bool, int, str, list["Json"], dict[str, "Json"]]
T = TypeVar("T", str, int, bytes)

CONTEXT: Final[dict[str, Json]] = {
    "csvw": "http://www.w3.org/ns/csvw#",
    "dcat": "http://www.w3.org/ns/dcat#",
    "dcterms": "http://purl.org/dc/terms/",
    "dqv": "http://www.w3.org/ns/dqv#",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "prov": "http://www.w3.org/ns/prov#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "shuxin": "urn:shuxin:terms:",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
LISTED: Final = ("registered", "updated")
_FREQUENCY: Final = "http://publications.europa.eu/resource/authority/frequency/"
# Days between updates that the frequencies of the EU's vocabulary name; others are said in words.
_FREQUENCIES: Final = {0: "NEVER", 1: "DAILY", 7: "WEEKLY", 14: "BIWEEKLY", 365: "ANNUAL"}
# The first word of a column's type, as an executor writes it -> the type of CSV on the Web.
_DATATYPES: Final = {"text": "string", "integer": "integer", "decimal": "decimal", "date": "date"}


def catalogue(
    chain_id: bytes,
    *,
    entries: Iterable[tuple[Row, Row]],
    parties: Mapping[str, str],
) -> dict[str, Json]:
    """The catalogue of a chain as one document.

    `entries` has for each data set what `catalog.show` and `quality.show` tell, `parties` names by
    id. What is not registered is left out. Raises Refused where a record is not of that form.
    """
    base = f"urn:shuxin:{chain_id.hex()}:"
    datasets: list[Json] = [
        _dataset(base, entry, quality, parties)
        for entry, quality in entries
        if entry.get("status") in LISTED
    ]
    return {
        "@context": CONTEXT,
        "@id": f"{base}catalog",
        "@type": "dcat:Catalog",
        "dcterms:title": "Data catalogue (数据目录)",
        "dcterms:identifier": chain_id.hex(),
        "dcat:dataset": datasets,
    }


def _dataset(base: str, entry: Row, quality: Row, parties: Mapping[str, str]) -> dict[str, Json]:
    figures = _list(quality, "figures")
    return {
        "@id": f"{base}dataset:{_get(entry, 'id', str)}",
        "@type": "dcat:Dataset",
        "dcterms:identifier": _get(entry, "id", str),
        "dcterms:title": _get(entry, "title", str),
        "dcterms:description": _get(entry, "description", str),
        "dcat:keyword": [str(tag) for tag in _list(entry, "tags")],
        "dcat:theme": {"@type": "skos:Concept", "skos:prefLabel": _get(entry, "category", str)},
        "dcterms:publisher": _party(base, _get(entry, "owner", str), parties),
        "dcterms:issued": _moment(_get(entry, "registered_ms", int)),
        "dcterms:modified": _moment(_get(entry, "updated_ms", int)),
        "dcat:version": str(_get(entry, "version", int)),
        "dcterms:accrualPeriodicity": _frequency(_get(entry, "update_days", int)),
        "dcterms:accessRights": {
            "@type": "dcterms:RightsStatement",
            "rdfs:label": "used under a grant; rows are not handed out (授权使用)",
        },
        "dcterms:conformsTo": {
            "@type": ["dcterms:Standard", "csvw:Schema"],
            "csvw:column": {"@list": [_column(item) for item in _list(entry, "schema")]},
        },
        "dqv:hasQualityMeasurement": [_measurement(base, item, parties) for item in figures],
        "shuxin:grade": _get(entry, "grade", int),
        "shuxin:rows": _get(entry, "row_count", int),
        "shuxin:commitment": _get(entry, "commitment", bytes).hex(),
    }


def _party(base: str, party: str, parties: Mapping[str, str]) -> Json:
    return {
        "@id": f"{base}party:{party}",
        "@type": "foaf:Agent",
        "foaf:name": parties.get(party, party),
    }


def _moment(time_ms: int) -> Json:
    try:
        moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        raise _unreadable("a time beyond the calendar") from None
    return {"@type": "xsd:dateTime", "@value": moment.isoformat(timespec="milliseconds")}


def _frequency(days: int) -> Json:
    label = {0: "never", 1: "every day"}.get(days, f"every {days} days")
    named = _FREQUENCIES.get(days)
    iri: dict[str, Json] = {"@id": _FREQUENCY + named} if named else {}
    return {**iri, "@type": "dcterms:Frequency", "rdfs:label": label}


def _column(item: Value) -> Json:
    if not isinstance(item, list | tuple) or len(item) != 3:
        raise _unreadable("a column that is not name, type and description")
    name, kind, text = (str(part) for part in item)
    column: dict[str, Json] = {
        "@type": "csvw:Column",
        "csvw:name": name,
        "dcterms:description": text,
        "shuxin:columnType": kind,
    }
    datatype = _DATATYPES.get(kind.partition(" ")[0].partition("(")[0])
    return {**column, "csvw:datatype": datatype} if datatype else column


def _measurement(base: str, item: Value, parties: Mapping[str, str]) -> Json:
    if not isinstance(item, dict):
        raise _unreadable("a figure that is no record")
    share = Decimal(_get(item, "ppm", int)).scaleb(-6)
    return {
        "@type": "dqv:QualityMeasurement",
        "dqv:isMeasurementOf": {
            "@id": f"urn:shuxin:measures:{_get(item, 'measure', str)}",
            "@type": "dqv:Metric",
            "skos:prefLabel": _get(item, "measure", str),
        },
        "dqv:value": {"@type": "xsd:decimal", "@value": f"{share:f}"},
        "prov:wasAttributedTo": _party(base, _get(item, "party", str), parties),
        "prov:generatedAtTime": _moment(_get(item, "measured_ms", int)),
        "dcat:version": str(_get(item, "version", int)),
    }


def _get(record: Row, name: str, kind: type[T]) -> T:
    value = record.get(name)
    if isinstance(value, kind) and not isinstance(value, bool):
        return value
    raise _unreadable(f"{name!r} that is no {kind.__name__}")


def _list(record: Row, name: str) -> list[Value]:
    value = record.get(name)
    if isinstance(value, list | tuple):
        return list(value)
    raise _unreadable(f"{name!r} that is no list")


def _unreadable(what: str) -> Refused:
    return Refused(
        "answer.unreadable",
        f"a record of the catalogue has {what}: client and node may be of different releases; "
        "update both, or ask another node",
    )
