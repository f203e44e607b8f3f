"""From a data set's cells to a party's input vectors: group codes, then one vector per measure.

Padding rows carry the code after the last group and the value 0: they count nowhere.
"""

from __future__ import annotations

from executors.data.registry import DataSet, Loaded
from executors.data.schema import TEXT, Column, Schema, label_of
from executors.errors import DataSetInvalid
from executors.mpc.program import Measure, StatisticsProgram


def check_dataset(program: StatisticsProgram, rank: int, dataset: DataSet) -> None:
    """Check that a data set can answer the program, without reading it. Raises DataSetInvalid."""
    if dataset.row_count > program.rows[rank]:
        raise DataSetInvalid(
            f"the program allows {program.rows[rank]} rows of {dataset.dataset_id}, which has more"
        )
    if program.group_by:
        dataset.schema.column(program.group_by)
    for measure in program.measures:
        _check_bits(measure, dataset.schema)


def input_vectors(program: StatisticsProgram, rank: int, loaded: Loaded) -> list[list[int]]:
    """Group codes and scaled values, padded to the program's row bound. Raises DataSetInvalid."""
    check_dataset(program, rank, loaded.dataset)
    schema = loaded.dataset.schema
    missing = program.rows[rank] - loaded.dataset.row_count
    codes = _codes(program, loaded) + [program.group_count] * missing
    vectors = [codes]
    for measure in program.measures:
        scale = _scale(measure, schema)
        values = [int(cell) * scale for cell in loaded.columns[measure.column]]
        widest = max((abs(value).bit_length() for value in values), default=0)
        assert widest <= measure.bits, "rows keep to their schema, and the program holds that"
        vectors.append(values + [0] * missing)
    return vectors


def _codes(program: StatisticsProgram, loaded: Loaded) -> list[int]:
    if not program.group_by:
        return [0] * loaded.dataset.row_count
    column = loaded.dataset.schema.column(program.group_by)
    numbers = {label: number for number, label in enumerate(program.groups)}
    codes = [numbers.get(label_of(column, cell), -1) for cell in loaded.columns[column.name]]
    # Leaving such rows out would give a total that silently lacks them.
    if -1 in codes:
        raise DataSetInvalid(f"column {column.name} has a label that the program does not list")
    return codes


def _check_bits(measure: Measure, schema: Schema) -> None:
    """The program holds whatever the catalogue says of the column, not only what its rows happen to
    be: a refusal that depends on them would tell whoever tries several bounds how large the largest
    value is, which is a single person's and no statistic. Raises DataSetInvalid."""
    column = schema.column(measure.column)
    needed = (((1 << column.bits) - 1) * _scale(measure, schema)).bit_length()
    if needed > measure.bits:
        raise DataSetInvalid(
            f"column {column.name} is catalogued with {column.bits} bits, which are {needed} at "
            f"{measure.decimals} decimals, and the program holds {measure.bits}: give it so many"
        )


def _scale(measure: Measure, schema: Schema) -> int:
    """What brings the column's whole numbers to the program's decimals."""
    column: Column = schema.column(measure.column)
    if column.kind == TEXT:
        raise DataSetInvalid(f"column {column.name} is text, and the program computes with it")
    if column.decimals > measure.decimals:
        raise DataSetInvalid(
            f"column {column.name} has {column.decimals} decimals, the program {measure.decimals}: "
            "ask with as many decimals as the data has"
        )
    return int(10 ** (measure.decimals - column.decimals))
