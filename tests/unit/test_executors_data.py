"""Data sets of an executor: types, rows, commitment, registry."""

from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest

from executors.data.commitment import open_row, row_leaf, verify_row
from executors.data.registry import Registry
from executors.data.schema import Column, label_of
from executors.data.table import infer_schema, read_rows
from executors.data.uses import Use, append_use, read_uses
from executors.errors import DataSetInvalid
from ledger.errors import ProofInvalid

TABLE = '''plan,age,claims,note,id
free,34,1234.50,"a, ""b""",00017
25,7,-0.05,保险,00018
free,101,12,x,99999999999999999
'''


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return written(tmp_path, TABLE)


def written(folder: Path, text: str, name: str = "rows.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


# --- schema -----------------------------------------------------------------------------------


def test_columns_are_as_narrow_as_their_cells_allow(table: Path) -> None:
    assert infer_schema(table, {}).catalogued() == [
        ("plan", "text", ""),
        ("age", "integer 8 bit", ""),
        ("claims", "decimal(2) 24 bit", ""),
        ("note", "text", ""),
        ("id", "text", ""),  # leading zeros, and wider than any measure
    ]


def test_decimals_are_kept_as_whole_numbers(table: Path) -> None:
    rows = list(read_rows(table, infer_schema(table, {})))
    assert rows[0] == ("free", 34, 123450, 'a, "b"', "00017")
    assert [row[2] for row in rows] == [123450, -5, 1200]


def test_a_type_can_be_demanded(table: Path) -> None:
    schema = infer_schema(table, {"age": "text", "claims": "decimal:4"})
    assert schema.column("age").kind == "text"
    assert schema.column("claims").decimals == 4
    assert not schema.column("claims").is_rounded


def test_demanding_fewer_decimals_rounds_and_says_so(table: Path) -> None:
    schema = infer_schema(table, {"claims": "decimal:1"})
    assert [row[2] for row in read_rows(table, schema)] == [12345, 0, 120]
    assert schema.catalogued()[2] == ("claims", "decimal(1) 16 bit", "rounded to 1 decimals")


def test_computed_columns_with_endless_decimals_are_rounded(tmp_path: Path) -> None:
    path = written(tmp_path, "x\n3.258096538021482\n1e-05\n")
    schema = infer_schema(path, {})
    assert schema.column("x") == Column("x", "decimal", 6, 24, True)
    assert [row[0] for row in read_rows(path, schema)] == [3258097, 10]


@pytest.mark.parametrize(
    ("types", "sentence"),
    [
        ({"wage": "text"}, "not a column"),
        ({"age": "float"}, "use text, integer or decimal"),
        ({"age": "decimal:10"}, "use text, integer or decimal"),
        ({"plan": "integer"}, "a cell is no number"),
        ({"claims": "integer"}, "has decimals"),
        ({"claims": "decimal:9", "age": "decimal:9"}, "exceeds 40 bits"),
    ],
)
def test_a_type_that_does_not_fit_is_refused(
    table: Path, types: dict[str, str], sentence: str
) -> None:
    with pytest.raises(DataSetInvalid, match=sentence):
        infer_schema(table, types)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        ("a,b\n", "no rows"),
        ("a,b\n1\n", "1 cells instead of 2"),
        ("a,b\n1,2,3\n", "3 cells instead of 2"),
        ("a,b\n1,\n", "cell 2 is empty"),
        ("a,a\n1,2\n", "one name"),
        ("a b\n1\n", "use letters"),
        (f"{'a' * 65}\n1\n", "at most 64"),
        ("1a\n1\n", "not starting with a digit"),
        ('a\n"1\n', "record 2"),
        (",".join(f"c{i}" for i in range(129)) + "\n", "1 to 64"),
    ],
)
def test_a_bad_file_is_refused_with_the_place(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(DataSetInvalid, match=sentence):
        infer_schema(written(tmp_path, text), {})


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"a\n\xff\xfe\n")
    with pytest.raises(DataSetInvalid, match="not UTF-8"):
        infer_schema(path, {})
    with pytest.raises(DataSetInvalid, match="cannot be read"):
        infer_schema(tmp_path / "none.csv", {})


def test_errors_never_repeat_a_cell(tmp_path: Path) -> None:
    schema = infer_schema(written(tmp_path, "age\n34\n"), {})
    other = written(tmp_path, "age\n34\nsecret-7713\n", "other.csv")
    with pytest.raises(DataSetInvalid) as error:
        list(read_rows(other, schema))
    assert str(error.value) == "line 3, column age: not an integer"


@pytest.mark.parametrize(
    ("column", "cell", "label"),
    [
        (Column("a", "decimal", 2, 8, False), 450, "4.5"),
        (Column("a", "decimal", 2, 8, False), -5, "-0.05"),
        (Column("a", "integer", 0, 16, False), 2500, "2500"),
        (Column("a", "integer", 0, 8, False), 0, "0"),
        (Column("a", "text", 0, 0, False), "保险", "保险"),
    ],
)
def test_labels_are_written_plainly(column: Column, cell: int | str, label: str) -> None:
    assert label_of(column, cell) == label


# --- commitment -------------------------------------------------------------------------------


def test_one_row_can_be_opened_and_no_other(tmp_path: Path, table: Path) -> None:
    dataset = Registry(tmp_path).add("claims", table, types={}, now_ms=5)
    rows = list(read_rows(table, dataset.schema))
    opening = open_row(dataset.schema, dataset.salt, rows, 1)
    verify_row(opening, dataset.commitment)
    assert opening.salt != dataset.salt
    for wrong in (
        msgspec.structs.replace(opening, row=opening.row + b"x"),
        msgspec.structs.replace(opening, salt=bytes(32)),
        msgspec.structs.replace(opening, row_count=4),
        msgspec.structs.replace(opening, root=bytes(32)),
    ):
        with pytest.raises(ProofInvalid):
            verify_row(wrong, dataset.commitment)
    with pytest.raises(ProofInvalid):
        verify_row(opening, bytes(32))


def test_equal_rows_have_different_leaves() -> None:
    row = ("free", 34)
    leaves = {row_leaf(bytes([salt]) * 32, index, row) for salt in (1, 2) for index in (0, 1)}
    assert len(leaves) == 4


def test_equal_files_have_different_commitments(tmp_path: Path, table: Path) -> None:
    registry = Registry(tmp_path)
    first = registry.add("first", table, types={}, now_ms=5)
    second = registry.add("second", table, types={}, now_ms=5)
    assert first.commitment != second.commitment
    assert first.salt != second.salt


# --- registry ---------------------------------------------------------------------------------


def test_a_data_set_can_be_added_listed_shown_loaded_and_removed(
    tmp_path: Path, table: Path
) -> None:
    registry = Registry(tmp_path)
    assert registry.list() == ()
    added = registry.add("claims", table, types={}, now_ms=5)
    assert registry.list() == (added,)
    assert registry.show("claims") == registry.check("claims") == added
    assert added.row_count == 3
    loaded = registry.load("claims", ("plan", "claims"))
    assert loaded.columns == {"plan": ["free", "25", "free"], "claims": [123450, -5, 1200]}
    registry.remove("claims")
    assert registry.list() == ()
    assert list((tmp_path / "datasets").iterdir()) == []


def test_what_is_on_disk_is_for_the_owner_only(tmp_path: Path, table: Path) -> None:
    registry = Registry(tmp_path)
    registry.add("claims", table, types={}, now_ms=5)
    folder = registry.folder("claims")
    append_use(folder, Use("t1", "accepted", 7))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["data.csv", "record.bin", "uses.jsonl"]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.iterdir())


def test_changed_rows_are_noticed(tmp_path: Path, table: Path) -> None:
    registry = Registry(tmp_path)
    registry.add("claims", table, types={}, now_ms=5)
    copy = registry.folder("claims") / "data.csv"
    copy.write_text(copy.read_text("utf-8").replace("1234.50", "1234.51"), encoding="utf-8")
    with pytest.raises(DataSetInvalid, match="not those committed to"):
        registry.load("claims", ("claims",))
    with pytest.raises(DataSetInvalid, match="not those committed to"):
        registry.check("claims")


@pytest.mark.parametrize("dataset_id", ["", "../x", "A", "a/b", ".hidden", "a" * 65])
def test_an_id_that_is_no_id_is_refused(tmp_path: Path, table: Path, dataset_id: str) -> None:
    with pytest.raises(DataSetInvalid, match="use 1 to 64"):
        Registry(tmp_path).add(dataset_id, table, types={}, now_ms=5)


def test_refused_additions_leave_nothing(tmp_path: Path, table: Path) -> None:
    registry = Registry(tmp_path)
    registry.add("claims", table, types={}, now_ms=5)
    with pytest.raises(DataSetInvalid, match="exists"):
        registry.add("claims", table, types={}, now_ms=5)
    with pytest.raises(DataSetInvalid):
        registry.add("other", written(tmp_path, "a\n", "bad.csv"), types={}, now_ms=5)
    assert [path.name for path in (tmp_path / "datasets").iterdir()] == ["claims"]


def test_a_damaged_record_is_named(tmp_path: Path, table: Path) -> None:
    registry = Registry(tmp_path)
    registry.add("claims", table, types={}, now_ms=5)
    (registry.folder("claims") / "record.bin").write_bytes(b"\x90")
    with pytest.raises(DataSetInvalid, match="damaged"):
        registry.show("claims")
    with pytest.raises(DataSetInvalid, match="no data set"):
        registry.show("other")


def test_uses_are_read_back_past_a_torn_line(tmp_path: Path) -> None:
    assert list(read_uses(tmp_path)) == []
    append_use(tmp_path, Use("t1", "accepted", 7))
    with (tmp_path / "uses.jsonl").open("ab") as handle:
        handle.write(b'{"task_id": "t2", "sta\n')
    append_use(tmp_path, Use("t1", "finished", 9))
    assert [use.state for use in read_uses(tmp_path)] == ["accepted", "finished"]
