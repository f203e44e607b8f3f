"""Program files: what a task computes, written by people in TOML, stored on chain as bytes.

algorithm = "statistics/1"
rows = [7000, 7000, 7000]        # at most so many rows of each participant, in task order
group_by = "plan"                # or leave it and `groups` out: all rows are one group
groups = ["free", "25", "50"]
counts = true                    # also count the rows of each group
group_size_min = 10              # smaller groups are suppressed inside the computation

[[measures]]
column = "claims"
decimals = 2                     # 12.34 is computed as 1234
bits = 32                        # what the catalogued types may hold lies below 2^32, scaled
statistics = ["sum", "mean", "variance", "median"]
quantiles = ["1/4", "3/4"]
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cli.literals import read_source
from cli.output import CommandRefused
from client.toml import TomlInvalid, parse_toml

if TYPE_CHECKING:
    from executors.mpc.program import Quantile

PROGRAM_FILE_SIZE_MAX = 64 << 10  # bytes; four times the largest program on chain


class MeasureText(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A [[measures]] table."""

    column: str
    decimals: int = 0
    bits: int = 32
    statistics: list[str] = []
    quantiles: list[str] = []


class ProgramText(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A program file as it is written."""

    algorithm: str
    measures: list[MeasureText]
    rows: list[int]
    group_by: str = ""
    groups: list[str] = []
    counts: bool = True
    group_size_min: int = 10


def load_program(path: Path) -> tuple[str, bytes]:
    """The algorithm's id and canonical bytes. Raises CommandRefused or ProgramInvalid."""
    text = read_source(path, size_max=PROGRAM_FILE_SIZE_MAX)
    try:
        tables: Mapping[str, object] = parse_toml(text)
        return encode_text(msgspec.convert(tables, ProgramText))
    except (TomlInvalid, msgspec.ValidationError) as error:
        raise CommandRefused("program.file", f"{path}: {error}") from None


def encode_text(program: ProgramText) -> tuple[str, bytes]:
    """The same for a program in memory."""
    from executors.mpc.program import ALGORITHM, VERSION, Measure, StatisticsProgram, encode_program

    if program.algorithm != ALGORITHM:
        raise CommandRefused(
            "program.algorithm", f"{program.algorithm!r} is unknown; this version has {ALGORITHM}"
        )
    measures = tuple(
        Measure(
            column=measure.column,
            decimals=measure.decimals,
            bits=measure.bits,
            statistics=tuple(measure.statistics),
            quantiles=tuple(_quantile(text) for text in measure.quantiles),
        )
        for measure in program.measures
    )
    return ALGORITHM, encode_program(
        StatisticsProgram(
            version=VERSION,
            measures=measures,
            group_by=program.group_by,
            groups=tuple(sorted(program.groups)),
            counts=program.counts,
            rows=tuple(program.rows),
            group_size_min=program.group_size_min,
        )
    )


def _quantile(text: str) -> Quantile:
    from executors.mpc.program import Quantile

    part, separator, parts = text.partition("/")
    if not (
        separator and part.isascii() and part.isdigit() and parts.isascii() and parts.isdigit()
    ):
        raise CommandRefused("program.quantile", f"{text!r}: write a fraction such as 3/4")
    return Quantile(int(part), int(parts))
