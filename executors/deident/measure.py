"""All figures of a file: classes, risks, sensitive values, identifiers left, and its level.

Levels, after GB/T 42460:

    1  direct identifiers can be read in it, declared or found
    2  none, but the risk that a row is led back to its person is above the threshold
    3  none, and that risk is acceptable
    4  aggregates alone: no line is about one person, and the smallest group is large enough

The risk of a row is 1 / size of its class: whoever knows the quasi-identifiers of somebody in the
file guesses the row right that often. For aggregates it is that of the smallest group. Shares are
millionths, rounded up, so that no figure looks better than it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from executors.deident import plan as plans
from executors.deident.classes import Class, Classes, counting
from executors.deident.findings import Finding, Watch
from executors.deident.plan import Plan, PlanInvalid
from executors.deident.table import Table, checked_header
from executors.deident.treatments import is_suppressed
from executors.errors import DataSetInvalid

WHOLE: Final = 10**6
GROUP_MAX: Final = 10**12  # persons

IDENTIFIED, LINKABLE, ACCEPTABLE, AGGREGATED = 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class Sensitive:
    """A sensitive column: the fewest different values in a class, and the farthest class."""

    column: str
    diversity: int  # l
    closeness_ppm: int  # t
    distance: str  # ordered or equal


@dataclass(frozen=True, slots=True)
class Figures:
    """`k` is the smallest class, or the smallest group of aggregates."""

    rows: int
    classes: int
    k: int
    below_ppm: int  # rows in classes smaller than the plan's k
    risk_max_ppm: int
    risk_mean_ppm: int
    sensitive: tuple[Sensitive, ...]
    identifiers: tuple[tuple[str, int], ...]  # declared ones that can be read: column, cells
    findings: tuple[Finding, ...]
    level: int
    digest: bytes  # SM3 of the file


def ppm(part: int, whole: int) -> int:
    """The share in millionths, rounded up."""
    return -(-part * WHOLE // whole)


def measure(path: Path, plan: Plan) -> Figures:
    """The figures of a file as it is, whatever the plan would do to it.

    Raises PlanInvalid, DataSetInvalid or OSError.
    """
    table = Table(path)
    lines = table.lines()
    header = checked_header(next(lines), table.name)
    plan.check_header(header)
    watch = Watch(header, plan)
    if plan.kind == plans.GROUPS:
        return _measured_groups(table, lines, header, plan, watch)
    quasi = places(header, plan.named(plans.QUASI))
    sensitive = places(header, plan.named(plans.SENSITIVE))
    with counting(len(sensitive)) as classes:
        for row in lines:
            watch.see(row)
            classes.add([row[at] for at in quasi], [row[at] for at in sensitive])
        count = _Counted(plan.k, classes)
    left = tuple(watch.identifiers_left().items())
    findings = tuple(watch.findings())
    risk = ppm(1, count.smallest)
    return Figures(
        rows=classes.rows,
        classes=count.classes,
        k=count.smallest,
        below_ppm=ppm(count.below, classes.rows),
        risk_max_ppm=risk,
        risk_mean_ppm=ppm(count.classes, classes.rows),
        sensitive=tuple(
            Sensitive(
                header[at],
                count.diversity[number],
                ppm(*count.closeness[number]),
                "ordered" if classes.distributions[number].is_ordered else "equal",
            )
            for number, at in enumerate(sensitive)
        ),
        identifiers=left,
        findings=findings,
        level=level_of(bool(left or findings), risk, plan.threshold_ppm, is_grouped=False),
        digest=table.digest,
    )


def level_of(is_identified: bool, risk_ppm: int, threshold_ppm: int, *, is_grouped: bool) -> int:
    """The level of a file by the rule at the top."""
    if is_identified:
        return IDENTIFIED
    if risk_ppm > threshold_ppm:
        return LINKABLE
    return AGGREGATED if is_grouped else ACCEPTABLE


def places(header: Sequence[str], names: Sequence[str]) -> list[int]:
    """Where these columns stand; what the plan dropped stands nowhere."""
    return [header.index(name) for name in names if name in header]


class _Counted:
    """The extremes over all classes."""

    def __init__(self, k: int, classes: Classes) -> None:
        self.classes = self.below = self.smallest = 0
        self.diversity = [0] * len(classes.distributions)
        self.closeness = [(0, 1)] * len(classes.distributions)
        for one in classes.close():
            self._take(one, k, classes)

    def _take(self, one: Class, k: int, classes: Classes) -> None:
        is_first = self.classes == 0
        self.classes += 1
        self.smallest = one.size if is_first else min(self.smallest, one.size)
        self.below += one.size if one.size < k else 0
        for number, counts in enumerate(one.sensitive):
            had = self.diversity[number]
            self.diversity[number] = len(counts) if is_first else min(had, len(counts))
            part, whole = classes.distributions[number].distance(counts)
            farthest = self.closeness[number]
            if part * farthest[1] > farthest[0] * whole:
                self.closeness[number] = part, whole


def _measured_groups(
    table: Table, lines: Iterator[list[str]], header: Sequence[str], plan: Plan, watch: Watch
) -> Figures:
    """A table of aggregates: each line is a group, and says of how many persons. A line whose count
    is suppressed is about nobody as far as a reader can tell."""
    at = header.index(plan.count)
    rows = groups = persons = smallest = below = 0
    for row in lines:
        rows += 1
        watch.see(row)
        size = _group_size(row[at], plan.count)
        if size == 0:
            continue
        smallest = size if groups == 0 else min(smallest, size)
        groups += 1
        persons += size
        below += size if size < plan.k else 0
    if groups == 0:
        raise DataSetInvalid(f"{table.name}: no line has a group of anybody")
    left = tuple(watch.identifiers_left().items())
    findings = tuple(watch.findings())
    risk = ppm(1, smallest)
    return Figures(
        rows=rows,
        classes=groups,
        k=smallest,
        below_ppm=ppm(below, persons),
        risk_max_ppm=risk,
        risk_mean_ppm=ppm(groups, persons),
        sensitive=(),
        identifiers=left,
        findings=findings,
        level=level_of(bool(left or findings), risk, plan.threshold_ppm, is_grouped=True),
        digest=table.digest,
    )


def _group_size(cell: str, column: str) -> int:
    if is_suppressed(cell):
        return 0
    if cell.isascii() and cell.isdigit() and len(cell) <= 13 and int(cell) <= GROUP_MAX:
        return int(cell)
    raise PlanInvalid(f"column {column}: a cell is no number of persons")
