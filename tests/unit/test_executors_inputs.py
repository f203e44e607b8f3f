"""What a program learns of a data set before anything is computed: what the catalogue says."""

from __future__ import annotations

from pathlib import Path

import pytest

from executors.data.registry import Registry
from executors.errors import DataSetInvalid
from executors.mpc.inputs import check_dataset, input_vectors
from executors.mpc.program import Measure, StatisticsProgram


def asking(bits: int, decimals: int) -> StatisticsProgram:
    paid = Measure("paid", decimals, bits, ("sum",), ())
    return StatisticsProgram(1, (paid,), "", (), False, (9, 9, 9), 3)


def registry(folder: Path, *cells: str) -> Registry:
    folder.mkdir()
    (folder / "rows.csv").write_text("\n".join(("paid", *cells)) + "\n")
    found = Registry(folder / "home")
    found.add("rows", folder / "rows.csv", types={}, now_ms=5)
    return found


def answer(found: Registry, program: StatisticsProgram) -> str:
    """The reason for which a task fails, and so goes on chain; "" if it does not."""
    try:
        input_vectors(program, 0, found.load("rows", program.columns))
    except DataSetInvalid as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("small", "large"), [("300", "60000"), ("-2.57", "655.35")])
def test_no_refusal_tells_how_large_the_largest_value_is(
    tmp_path: Path, small: str, large: str
) -> None:
    found = [registry(tmp_path / name, "1", cell) for name, cell in (("a", small), ("b", large))]
    assert found[0].show("rows").schema == found[1].show("rows").schema
    for decimals in range(4):
        answers = [[answer(one, asking(bits, decimals)) for one in found] for bits in range(1, 41)]
        assert all(first == second for first, second in answers)


def test_a_program_that_cannot_hold_what_the_catalogue_says_is_refused_unread(
    tmp_path: Path,
) -> None:
    dataset = registry(tmp_path / "a", "1.5", "300.5").show("rows")
    for bits, decimals in ((15, 1), (19, 2)):
        with pytest.raises(DataSetInvalid, match="catalogued with 16 bits"):
            check_dataset(asking(bits, decimals), 0, dataset)
    for bits, decimals in ((16, 1), (20, 2)):
        check_dataset(asking(bits, decimals), 0, dataset)
