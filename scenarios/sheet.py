"""Rows as a supplier's file has them: text cells under named columns.

Whoever brings data into a scenario makes sheets of it; everything else is the same for all: the
file that goes into the supplier's executor, and the whole numbers that the engine sees in it.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from scenarios.record import ScenarioFailed


@dataclass(frozen=True, slots=True)
class Column:
    """`text` is what the catalogue says of it, in Chinese and English."""

    name: str
    text: str
    is_text: bool = False  # a label to group by; anything else is a number


@dataclass(frozen=True, slots=True)
class Sheet:
    """One supplier's rows; every row has one cell for each column, in their order."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def texts(self) -> dict[str, str]:
        """What each column means, by its name."""
        return {column.name: column.text for column in self.columns}

    @property
    def types(self) -> dict[str, str]:
        """The types that the executor cannot tell from cells: labels may look like numbers."""
        return {column.name: "text" for column in self.columns if column.is_text}

    def complete_ppm(self) -> int:
        """How many cells are not empty, in millionths, rounded down."""
        cells = len(self.columns) * len(self.rows)
        empty = sum(row.count("") for row in self.rows)
        return (cells - empty) * 1_000_000 // cells if cells else 1_000_000

    def cells(self, name: str) -> list[str]:
        """The column `name`, row by row. Raises ScenarioFailed when there is none."""
        if name not in self.names:
            raise ScenarioFailed(f"the data set has no column {name}")
        place = self.names.index(name)
        return [row[place] for row in self.rows]

    def wholes(self, name: str, decimals: int) -> list[int]:
        """The numbers of the column `name` as the engine sees them: times 10^decimals, exactly.

        Raises ScenarioFailed for a number with more decimals.
        """
        found = []
        for cell in self.cells(name):
            scaled = Decimal(cell).scaleb(decimals)
            if scaled != int(scaled):
                raise ScenarioFailed(f"{name}: {cell} has more than {decimals} decimals")
            found.append(int(scaled))
        return found

    def write_csv(self, path: Path) -> None:
        """The file of a supplier: a header and one line per row."""
        with path.open("w", encoding="utf-8", newline="") as target:
            writer = csv.writer(target, lineterminator="\n")
            writer.writerow(self.names)
            writer.writerows(self.rows)
