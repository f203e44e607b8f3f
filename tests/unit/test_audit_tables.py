"""Tables hold what the chain holds, in every format, whatever texts are in it."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.main import main
from crypto import sm3
from node.audit import replayed
from node.audit.acts.values import json_of, time_text
from node.audit.files import TABLE_FORMATS, Files, Format, OutputRefused, building, formats_of
from node.audit.manifest import read_manifest
from node.audit.outputs import write_tables
from node.audit.tables.columns import (
    INTEGER_MAX,
    Row,
    Table,
    integer,
    moment,
    names,
    text,
    truth,
)
from node.audit.tables.export import TABLES
from node.audit.tables.parquet import ParquetMissing
from node.audit.tables.writers import FORMULA, GUARD, guarded
from tests.audit_world import HOSTILE, Audited

ALL_KINDS = Table(
    "all",
    "one column of each kind",
    (integer("number"), text("words"), moment("at"), truth("is_so"), names("list")),
)
BOUND_MS = 253_402_300_799_999


@pytest.fixture(scope="module")
def tables(audited: Audited, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The chain as tables, in all formats."""
    folder = tmp_path_factory.mktemp("tables") / "out"
    genesis = audited.chain.genesis
    with replayed(audited.archive, genesis, advance=lambda done, total: None) as found:
        write_tables(found, genesis, folder, TABLE_FORMATS, source="it", made_ms=1_000, signer=None)
    yield folder


def query(folder: Path, sql: str) -> list[tuple[object, ...]]:
    """What DuckDB answers over the Parquet files of a folder, each a view of its name."""
    with duckdb.connect(":memory:") as connection:
        for path in folder.glob("*.parquet"):
            connection.execute(f"CREATE VIEW \"{path.stem}\" AS SELECT * FROM '{path}'")
        return connection.execute(sql).fetchall()


# --- one table, hostile rows ----------------------------------------------------------------------


def written(folder: Path, rows: list[Row]) -> Path:
    files = Files(folder, TABLE_FORMATS)
    files.fill(ALL_KINDS, rows)
    files.finish()
    return folder


@pytest.mark.parametrize(
    "words", [*HOSTILE, "", "\x00", "数信", "a\u2028b", "\ufeff", "\\", '"', "0"]
)
def test_a_hostile_text_comes_back_from_every_format(tmp_path: Path, words: str) -> None:
    row: Row = (-1, words, 1_700_000_000_123, True, (words, "b"))
    folder = written(tmp_path, [row, (None, "", None, None, ())])
    first, second = json.loads((folder / "all.json").read_text(encoding="utf-8"))
    assert first == {
        "number": -1,
        "words": words,
        "at": "2023-11-14T22:13:20.123Z",
        "is_so": True,
        "list": [words, "b"],
    }
    assert second == {"number": None, "words": "", "at": None, "is_so": None, "list": []}
    data = (folder / "all.csv").read_bytes()
    header, told, _empty = csv.reader(io.StringIO(data.decode("utf-8"), newline=""))
    assert header == ["number", "words", "at", "is_so", "list"]
    assert (told[1][1:] if told[1].startswith(GUARD) else told[1]) == words
    assert not told[1].startswith(tuple(set(FORMULA) - {GUARD}))
    assert json.loads(told[4]) == [words, "b"]
    (number, same, at, is_so, listed), _nothing = query(folder, 'SELECT * FROM "all"')
    assert (number, same, is_so, listed) == (-1, words, True, [words, "b"])
    assert str(at) == "2023-11-14 22:13:20.123000"


def test_csv_is_what_the_rfc_says(tmp_path: Path) -> None:
    folder = written(tmp_path, [(1, 'a,"b"\r\nc', None, False, ())])
    assert (folder / "all.csv").read_bytes() == (
        b'number,words,at,is_so,list\r\n1,"a,""b""\r\nc",,false,[]\r\n'
    )


@given(st.text())
def test_no_text_begins_as_a_formula_and_each_comes_back(words: str) -> None:
    kept = guarded(words)
    assert not kept.startswith(tuple(set(FORMULA) - {GUARD}))
    assert (kept[1:] if kept.startswith(GUARD) else kept) == words


@given(st.integers())
def test_every_time_is_told_or_left_out(time_ms: int) -> None:
    told = time_text(time_ms)
    assert bool(told) == (0 <= time_ms <= BOUND_MS)


def test_bounds_of_times_and_numbers(tmp_path: Path) -> None:
    assert time_text(BOUND_MS) == "9999-12-31T23:59:59.999Z"
    folder = written(tmp_path, [(INTEGER_MAX, "", BOUND_MS, None, ()), (1 << 64, "", -1, None, ())])
    (one, _, last, *_), (none, _, never, *_) = query(folder, 'SELECT * FROM "all"')
    assert (one, str(last), none, never) == (INTEGER_MAX, "9999-12-31 23:59:59.999000", None, None)


def test_values_of_contracts_stand_as_json() -> None:
    shown = json_of([("a", b"\x00\xff"), ("b", {"k": [1 << 70]}), ("c", {(1, "x"): None})])
    assert json.loads(shown) == {"a": "0x00ff", "b": {"k": [1 << 70]}, "c": [[[1, "x"], None]]}


# --- the chain ------------------------------------------------------------------------------------


def test_every_format_has_the_same_rows(tables: Path) -> None:
    manifest = read_manifest(tables).answers
    rows = {file.name: file.rows for file in manifest.files}
    assert sorted(rows) == sorted(f"{t.name}.{k.value}" for t in TABLES for k in TABLE_FORMATS)
    for table in TABLES:
        listed = json.loads((tables / f"{table.name}.json").read_text(encoding="utf-8"))
        with (tables / f"{table.name}.csv").open(encoding="utf-8", newline="") as file:
            comma = list(csv.DictReader(file))
        columns = [column.name for column in table.columns]
        for name, *_types in query(tables, f'DESCRIBE "{table.name}"'):
            assert name in columns
        ((count,),) = query(tables, f'SELECT count(*) FROM "{table.name}"')
        assert len(listed) == len(comma) == count == rows[f"{table.name}.parquet"]
        if listed:
            assert list(listed[0]) == list(comma[0]) == columns


def test_the_tables_say_what_the_ledger_says(audited: Audited, tables: Path) -> None:
    store = audited.chain.store
    blocks = query(tables, "SELECT height, gas, hash, state_root, is_certified FROM blocks")
    assert blocks == [
        (
            height,
            sum(receipt.gas_used for receipt in store.receipts(height)),
            store.statement(height).block_hash.hex(),
            store.statement(height).state_root.hex(),
            height > 0,
        )
        for height in range(store.height + 1)
    ]
    signatures = {
        (height, kind, one.validator, one.signature.hex())
        for height in range(1, store.height + 1)
        for kind, certificate in (
            ("commit", store.commit_certificate(height)),
            ("execution", store.execution_certificate(height)),
        )
        if certificate is not None
        for one in certificate.signatures
    }
    assert set(query(tables, "SELECT height, kind, place, signature FROM signatures")) == signatures
    events = query(tables, "SELECT height, number, contract, name FROM events")
    assert events == [
        (known.height, number, event.contract, event.name)
        for known in audited.chain.outcomes
        for number, event in enumerate(known.receipt.events)
    ]
    assert query(tables, "SELECT name, party FROM committee ORDER BY place") == [
        (member.name, member.party) for member in audited.chain.genesis.validators.validators
    ]


def test_the_business_is_as_its_contracts_have_it(audited: Audited, tables: Path) -> None:
    columns = "id, status, uses, uses_max, consumer, operator, demand_id"
    assert query(tables, f"SELECT {columns} FROM grants") == [
        ("g1", "revoked", 1, 3, "insurer", "opco", "d1"),
        ("g2", "active", 1, 1, "insurer", "opco", "d2"),
    ]
    assert query(tables, "SELECT id, status, grant_id, receiver FROM tasks") == [
        ("t1", "finished", "g1", "opco"),
        ("t2", "finished", "g2", "opco"),
    ]
    assert query(tables, "SELECT id, status FROM deliveries") == [
        ("v1", "accepted"),
        ("v2", "offered"),
    ]
    assert query(tables, "SELECT id, status FROM demands") == [
        ("d1", "approved"),
        ("d2", "approved"),
    ]
    parties = {row[0]: row[1] for row in query(tables, "SELECT id, status FROM parties")}
    assert parties["rival"] == "suspended" and len(parties) == 8
    ((accounts,),) = query(tables, "SELECT accounts FROM parties WHERE id = 'civil'")
    assert accounts == [audited.chain.people["civil"].address], "the removed one speaks no more"


def test_hostile_notes_are_in_the_arguments_as_they_were_signed(tables: Path) -> None:
    found = query(
        tables,
        "SELECT arguments->>'$.note' FROM transactions WHERE method = 'record' "
        "AND arguments->>'$.evidence_id' LIKE 'h%' ORDER BY height",
    )
    assert [note for (note,) in found] == list(HOSTILE)


# --- files ----------------------------------------------------------------------------------------


def test_digests_are_of_the_files(tables: Path) -> None:
    for file in read_manifest(tables).answers.files:
        content = (tables / file.name).read_bytes()
        assert (file.bytes, file.digest) == (len(content), sm3.digest(content).hex())


def test_nothing_is_left_of_a_folder_that_was_not_finished(tmp_path: Path) -> None:
    class Stopped(Exception):
        """The auditor pressed ^C."""

    with pytest.raises(Stopped), building(tmp_path / "out", TABLE_FORMATS) as (_place, files):
        files.begin(ALL_KINDS)
        files.add(ALL_KINDS, (1, "", None, None, ()))
        raise Stopped
    assert list(tmp_path.iterdir()) == []


def test_only_its_owner_reads_what_an_audit_wrote(tables: Path) -> None:
    assert tables.stat().st_mode & 0o077 == 0


def test_without_duckdb_parquet_is_refused_before_the_work(
    audited: Audited,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    monkeypatch.setattr("node.audit.replayed", None)
    with pytest.raises(ParquetMissing, match=r"shuxin\[audit\]"):
        formats_of("csv,parquet", TABLE_FORMATS)
    words = ["audit", "tables", str(audited.archive), "--genesis", audited.genesis_file]
    assert main([*words, "--output", str(tmp_path / "out")]) == 1
    assert "leave parquet out of --format" in capsys.readouterr().err


def test_formats_are_named_once_and_known() -> None:
    assert formats_of("json, csv,json", TABLE_FORMATS) == (Format.JSON, Format.CSV)
    for words in ("", ",", "xlsx", "html"):
        with pytest.raises(OutputRefused, match="--format takes csv, parquet, json"):
            formats_of(words, TABLE_FORMATS)


def test_tables_from_the_command_line(
    audited: Audited, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["audit", "tables", str(audited.archive), "--genesis", audited.genesis_file, "--json"]
    assert main([*words, "--output", str(tmp_path / "out"), "--format", "csv"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rows"]["blocks.csv"] == audited.chain.store.height + 1
    assert main(["audit", "verify", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["asked"] == "tables"
