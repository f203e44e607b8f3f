"""A file treated by its plan: columns dropped, cells changed, rows of small classes left out.

Three readings, none of which keeps rows: the first finds the rows whose class is too small after
the treatment, the second writes the others, the third measures what was written. A file that
changes between the first two is refused. The result appears under its name when it is whole.
"""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from crypto.files import sync_directory
from executors.deident import plan as plans
from executors.deident.classes import counting
from executors.deident.measure import Figures, measure, places
from executors.deident.plan import Plan, PlanInvalid
from executors.deident.table import Table, checked_header
from executors.deident.treatments import treatment_of
from executors.errors import DataSetInvalid


@dataclass(frozen=True, slots=True)
class Applied:
    """`rows_lost` were in classes smaller than the plan's k; `figures` are of the new file."""

    rows: int
    rows_lost: int
    source_digest: bytes
    figures: Figures


class Treatments:
    """The plan for the columns of one file."""

    def __init__(self, header: Sequence[str], plan: Plan, key: bytes) -> None:
        plan.check_header(header)
        self._kept = [
            (at, treatment_of(name, plan.columns[name].treatment, key=key, context=plan.context))
            for at, name in enumerate(header)
            if plan.columns[name].treatment.name != "drop"
        ]
        self.header = tuple(header[at] for at, _treat in self._kept)

    def treated(self, row: Sequence[str]) -> list[str]:
        """The row as it goes out. Raises DataSetInvalid where a cell does not fit its treatment."""
        return [treat(row[at]) for at, treat in self._kept]


def apply(source: Path, target: Path, plan: Plan, key: bytes) -> Applied:
    """Writes `target`, which must not be there yet. `key` is that of the pseudonyms.

    Raises PlanInvalid, DataSetInvalid or OSError; then there is no `target`.
    """
    if target.exists():
        raise PlanInvalid(f"{target} is there already: choose another name")
    if plan.kind == plans.GROUPS:
        raise PlanInvalid("a table of groups is measured; groups are formed where it is computed")
    lost, table = _small_rows(source, plan, key)
    rows = len(lost)
    rows_lost = sum(lost)
    if rows_lost == rows:
        raise PlanInvalid(f"no class has {plan.k} rows: generalize more, or ask for a smaller k")
    if rows_lost * 100 > plan.rows_lost_max_percent * rows:
        raise PlanInvalid(
            f"{rows_lost} of {rows} rows are in classes below {plan.k}, and the plan lets "
            f"{plan.rows_lost_max_percent} % go: generalize more, or set rows_lost_max_percent"
        )
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            again = _write(csv.writer(file, lineterminator="\n"), source, plan, key, lost)
            file.flush()
            os.fsync(file.fileno())
        if again.digest != table.digest:
            raise DataSetInvalid(f"{source.name} changed while it was read: try again")
        figures = measure(partial, plan)
        os.link(partial, target)  # fails if somebody took the name in the meantime
    finally:
        partial.unlink()
    sync_directory(target.parent)
    return Applied(rows, rows_lost, table.digest, figures)


def _small_rows(source: Path, plan: Plan, key: bytes) -> tuple[bytearray, Table]:
    """For each row whether its class is too small once it was treated."""
    table = Table(source)
    lines = table.lines()
    treatments = Treatments(checked_header(next(lines), table.name), plan, key)
    quasi = places(treatments.header, plan.named(plans.QUASI))
    with counting(0, numbers_below=plan.k) as classes:
        for row in lines:
            treated = treatments.treated(row)
            classes.add([treated[at] for at in quasi], ())
        lost = bytearray(classes.rows)
        for one in classes.close():
            if one.size < plan.k:
                for number in one.numbers:
                    lost[number] = 1
    return lost, table


class _Writer(Protocol):
    """What `csv.writer` gives."""

    def writerow(self, row: Sequence[str], /) -> object: ...


def _write(writer: _Writer, source: Path, plan: Plan, key: bytes, lost: bytearray) -> Table:
    table = Table(source)
    lines = table.lines()
    treatments = Treatments(checked_header(next(lines), table.name), plan, key)
    writer.writerow(treatments.header)
    for number, row in enumerate(lines):
        if number >= len(lost):
            break  # it grew: its digest will differ
        if not lost[number]:
            writer.writerow(treatments.treated(row))
    for _rest in lines:
        pass
    return table
