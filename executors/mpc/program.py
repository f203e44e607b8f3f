"""StatisticsProgram: what is computed over whose columns, as canonical bytes on the chain.

The program names everything that shapes the computation, and nothing else: from its bytes and the
engine's version anyone can compile the same SPU program and compare the hash (8.2.5c). Nothing in
it is secret. Values are whole numbers at a fixed scale: `decimals` 2 makes 12.34 the number 1234.

Definitions, the same here, in `statistics` and in `plain`:

    count      rows of the group
    sum        exact
    mean       sum / count
    variance   of the sample: sum of (x - mean)^2 / (count - 1)
    quantile   p/q of n sorted values x[0..n-1]: with h = (n - 1) p / q, k = floor(h),
               x[k] + (h - k) (x[k + 1] - x[k])   (Hyndman and Fan's type 7, numpy's default)
    median     the quantile 1/2

A group of fewer than `group_size_min` rows is suppressed inside the computation: its shares hold
zeros, so that not even the receiver can learn about few persons.
One suppressed group among others that are shown is no secret where the number of all rows is known,
as it is from the catalogue: choose groups so that none is too small, or several are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd

from executors.errors import ProgramInvalid
from ledger.encoding import decode, encode
from ledger.model import Record

ALGORITHM = "statistics/1"
VERSION = 1
PARTIES = 3  # ABY3 is a protocol of exactly three

PROGRAM_SIZE_MAX = 16 << 10  # bytes; it lives in a transaction
MEASURES_MAX = 8  # each sorted column costs seconds
GROUPS_MAX = 64
QUANTILES_MAX = 16  # per column; each scans all rows once per group
QUANTILE_PARTS_MAX = 10_000  # finest step of a quantile
OUTPUTS_MAX = 1_024  # numbers that come out: 32 bytes of share each, to fit 48 KiB sealed
NAME_MAX = 64  # characters of a column name
LABEL_MAX = 64  # characters of a group label
DECIMALS_MAX = 9
BITS_MAX = 40  # of a scaled value: money in cents up to ten thousand million
GROUP_SIZE_FLOOR = 3  # in a group of two each could work out the other
GROUP_SIZE_CEILING = 1_000_000
ROWS_MAX = 200_000  # of all parties together: each holds all rows as shares of 32 bytes
ROWS_SORTED_MAX = 60_000  # with quantiles: the sort keeps about 22 KB per row in memory
CELLS_MAX = 1 << 21  # groups (and quantiles of groups) times rows: bounds the comparisons

# Sums, and quantiles times their parts, are 64-bit integers when they come out.
assert BITS_MAX + 1 + max(ROWS_MAX, QUANTILE_PARTS_MAX).bit_length() <= 62

SUM = "sum"
MEAN = "mean"
VARIANCE = "variance"
MEDIAN = "median"
COUNT = "count"
STATISTICS = (SUM, MEAN, VARIANCE, MEDIAN)  # in the order in which results are listed


class Quantile(Record):
    """The point with `part` of `parts` of the values below it: 3 of 4 is the upper quartile."""

    part: int
    parts: int

    def __str__(self) -> str:
        return f"quantile {self.part}/{self.parts}"


HALF = Quantile(1, 2)


class Measure(Record):
    """One column and what is asked of it. |value| * 10^decimals stays below 2^bits."""

    column: str
    decimals: int
    bits: int
    statistics: tuple[str, ...]  # a subset of STATISTICS, in that order
    quantiles: tuple[Quantile, ...]  # ascending


class StatisticsProgram(Record):
    """Statistics of horizontally partitioned rows.

    `groups` is the public dictionary of `group_by` (both empty: all rows are one group). `rows`
    bounds the rows of each participant, in the task's order; what is missing is padded with rows
    that count nowhere, so the bounds are public and the numbers of rows are not.
    """

    version: int
    measures: tuple[Measure, ...]
    group_by: str
    groups: tuple[str, ...]
    counts: bool  # also the number of rows of each group
    rows: tuple[int, ...]
    group_size_min: int

    @property
    def group_count(self) -> int:
        return max(1, len(self.groups))

    @property
    def row_total(self) -> int:
        return sum(self.rows)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that a data set must have."""
        names = tuple(measure.column for measure in self.measures)
        return (self.group_by, *names) if self.group_by else names


@dataclass(frozen=True, slots=True)
class Cell:
    """One number that comes out. `group` and `measure` are indexes; measure -1 is the count."""

    group: int
    measure: int
    statistic: str
    quantile: Quantile | None


def ranks_of(measure: Measure) -> tuple[Quantile, ...]:
    """The quantiles to compute, each once: the median first when it is asked for."""
    if MEDIAN not in measure.statistics:
        return measure.quantiles
    return (HALF, *(quantile for quantile in measure.quantiles if quantile != HALF))


def cells(program: StatisticsProgram) -> Iterator[Cell]:
    """All outputs in the order of the results: by group, measure, statistic, quantile."""
    for group in range(program.group_count):
        if program.counts:
            yield Cell(group, -1, COUNT, None)
        for index, measure in enumerate(program.measures):
            for statistic in measure.statistics:
                yield Cell(group, index, statistic, HALF if statistic == MEDIAN else None)
            for quantile in measure.quantiles:
                yield Cell(group, index, str(quantile), quantile)


def encode_program(program: StatisticsProgram) -> bytes:
    """Canonical bytes. Raises ProgramInvalid for a program outside the rules."""
    check_program(program)
    data = encode(program)
    if len(data) > PROGRAM_SIZE_MAX:
        raise ProgramInvalid(f"{len(data)} bytes exceed {PROGRAM_SIZE_MAX}: use shorter labels")
    return data


def decode_program(data: bytes) -> StatisticsProgram:
    """The program with these canonical bytes. Raises DecodeError or ProgramInvalid."""
    program = decode(data, StatisticsProgram, size_max=PROGRAM_SIZE_MAX)
    check_program(program)
    return program


def check_program(program: StatisticsProgram) -> None:
    """Check every rule and bound. Raises ProgramInvalid, which says what to change."""
    _require(program.version == VERSION, f"version {program.version} is unknown; use {VERSION}")
    _require(len(program.rows) == PARTIES, f"give the row bounds of exactly {PARTIES} participants")
    _require(all(rows >= 1 for rows in program.rows), "a participant's row bound is at least 1")
    _require(
        program.row_total <= ROWS_MAX,
        f"{program.row_total} rows exceed {ROWS_MAX}: ask about a part of the data",
    )
    _require(
        GROUP_SIZE_FLOOR <= program.group_size_min <= GROUP_SIZE_CEILING,
        f"group_size_min is {GROUP_SIZE_FLOOR} to {GROUP_SIZE_CEILING}",
    )
    _check_groups(program)
    _require(
        len(program.measures) <= MEASURES_MAX, f"ask about at most {MEASURES_MAX} columns at once"
    )
    _require(bool(program.measures) or program.counts, "the program asks for nothing")
    columns = program.columns
    _require(len(set(columns)) == len(columns), "name each column once")
    for measure in program.measures:
        _check_measure(measure, program)
    outputs = sum(1 for _ in cells(program)) + program.group_count
    _require(outputs <= OUTPUTS_MAX, f"{outputs} outputs exceed {OUTPUTS_MAX}: ask for fewer")
    _check_cost(program)


def _check_groups(program: StatisticsProgram) -> None:
    groups = program.groups
    if not program.group_by:
        _require(not groups, "groups without group_by: name the column")
        return
    _check_name(program.group_by)
    _require(1 <= len(groups) <= GROUPS_MAX, f"name 1 to {GROUPS_MAX} groups")
    _require(list(groups) == sorted(set(groups)), "list each group once, in ascending order")
    _require(
        all(1 <= len(label) <= LABEL_MAX and label.isprintable() for label in groups),
        f"a group label has 1 to {LABEL_MAX} printable characters",
    )


def _check_measure(measure: Measure, program: StatisticsProgram) -> None:
    _check_name(measure.column)
    name = measure.column
    _require(0 <= measure.decimals <= DECIMALS_MAX, f"{name}: decimals are 0 to {DECIMALS_MAX}")
    _require(1 <= measure.bits <= BITS_MAX, f"{name}: bits are 1 to {BITS_MAX}")
    asked = measure.statistics
    _require(
        asked == tuple(known for known in STATISTICS if known in asked),
        f"{name}: statistics are of {', '.join(STATISTICS)}, each once, in that order",
    )
    _require(bool(asked) or bool(measure.quantiles), f"{name}: nothing is asked of it")
    _require(len(measure.quantiles) <= QUANTILES_MAX, f"{name}: at most {QUANTILES_MAX} quantiles")
    for quantile in measure.quantiles:
        # The extremes are single persons' values, so they are no statistic here.
        _require(
            0 < quantile.part < quantile.parts <= QUANTILE_PARTS_MAX,
            f"{name}: a quantile lies strictly between 0 and 1, in at most "
            f"{QUANTILE_PARTS_MAX} parts",
        )
        _require(gcd(quantile.part, quantile.parts) == 1, f"{name}: give quantiles in lowest terms")
    pairs = list(zip(measure.quantiles, measure.quantiles[1:], strict=False))
    _require(
        all(a.part * b.parts < b.part * a.parts for a, b in pairs),
        f"{name}: list quantiles once each, in ascending order",
    )


def _check_cost(program: StatisticsProgram) -> None:
    ranks = sum(len(ranks_of(measure)) for measure in program.measures)
    if ranks:
        _require(
            program.row_total <= ROWS_SORTED_MAX,
            f"medians and quantiles are limited to {ROWS_SORTED_MAX} rows in all",
        )
    scans = program.group_count * (1 + ranks) * program.row_total
    _require(scans <= CELLS_MAX, f"{scans} comparisons exceed {CELLS_MAX}: ask for fewer groups")


def _check_name(name: str) -> None:
    _require(
        name.isidentifier() and len(name) <= NAME_MAX,
        f"a column name is an identifier of at most {NAME_MAX} characters",
    )


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ProgramInvalid(message)
