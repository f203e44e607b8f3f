"""The rows: 20,190 person-years of the RAND Health Insurance Experiment, as statsmodels ships them.

`randhie` of statsmodels keeps the file it was cut from, `src/randhie.csv`, beside it: the same
rows in the same order (checked here by the column `mdvis`), with what was claimed in dollars.

Plans are the five groups in which the experiment is reported (Manning et al., American Economic
Review 77, 1987), from the coinsurance rate `coins` and the flag `idp`. In statsmodels' cut the
rate is ln(coins + 1) in `lncoins`, and the same rule gives the same groups:

    free         coins 0, idp 0       care costs the insured nothing
    25, 50       coins 25, 50         the insured pay so much of every bill, in percent
    95-100       coins 95, 100        nearly all, up to a family limit; 100 was asked at site 1 only
    deductible   coins 0, idp 1       outpatient care at 95 or 100 percent up to a personal limit

Suppliers hold regions: sites 1 and 2, 3 and 4, 5 and 6. A person's years never part that way, the
rule needs no table of who is where, and person ids stay out of the data sets altogether.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

from scenarios.record import ScenarioFailed
from scenarios.sheet import Column, Sheet

ROWS = 20_190
PLANS = ("free", "25", "50", "95-100", "deductible")  # in the order in which people read them
PLAN_NAMES: Mapping[str, str] = {
    "free": "全额赔付 free",
    "25": "自付 25%",
    "50": "自付 50%",
    "95-100": "自付 95-100%",
    "deductible": "免赔额 deductible",
}
SITES: tuple[tuple[int, ...], ...] = (
    (1, 2),
    (3, 4),
    (5, 6),
)  # of the first, second, third supplier

DOLLARS = ("outpdol", "drugdol", "inpdol", "meddol")
COLUMNS = (
    Column("plan", "保险计划 insurance plan", is_text=True),
    Column("year", "参保年度 year of the experiment"),
    Column("mdvis", "门诊次数 outpatient visits to a physician"),
    Column("totadm", "住院次数 hospital admissions"),
    Column("outpdol", "门诊费用 outpatient expenses, dollars"),
    Column("drugdol", "药品费用 drugs, dollars"),
    Column("inpdol", "住院费用 inpatient expenses, dollars"),
    Column("meddol", "医疗费用合计 all medical expenses, dollars"),
)
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class PersonYear:
    """What one insured person claimed in one year; dollars are rounded to the cent."""

    site: int
    plan: str
    year: int
    visits: int
    admissions: int
    dollars: tuple[Decimal, ...]  # in the order of DOLLARS

    def cells(self) -> tuple[str, ...]:
        """As text, in the order of COLUMNS: the site is who holds the row, not part of it."""
        counts = (str(self.year), str(self.visits), str(self.admissions))
        return (self.plan, *counts, *(f"{amount:.2f}" for amount in self.dollars))


def plan_of(coinsurance: int, is_deductible: bool) -> str:
    """The plan of a row. Raises ScenarioFailed for a rate that the experiment did not have."""
    if coinsurance == 0:
        return "deductible" if is_deductible else "free"
    plans = {25: "25", 50: "50", 95: "95-100", 100: "95-100"}
    if coinsurance not in plans:
        raise ScenarioFailed(f"randhie: the experiment had no coinsurance of {coinsurance} percent")
    return plans[coinsurance]


def load_rows() -> tuple[PersonYear, ...]:
    """All rows in the order of the file. Raises ScenarioFailed when the package's data differ."""
    import statsmodels.datasets.randhie as randhie

    folder = Path(randhie.__file__).parent
    with (
        (folder / "src" / "randhie.csv").open(encoding="ascii", newline="") as source,
        (folder / "randhie.csv").open(encoding="ascii", newline="") as cut,
    ):
        rows = tuple(_rows(csv.DictReader(source), csv.DictReader(cut)))
    if len(rows) != ROWS:
        raise ScenarioFailed(f"randhie: {len(rows)} rows instead of {ROWS}; install the pinned set")
    return rows


def split(rows: Sequence[PersonYear]) -> tuple[tuple[PersonYear, ...], ...]:
    """The rows of each supplier: every row at exactly one, by its site alone."""
    return tuple(tuple(row for row in rows if row.site in sites) for sites in SITES)


def sheet_of(rows: Sequence[PersonYear]) -> Sheet:
    """A supplier's rows as its file has them."""
    return Sheet(COLUMNS, tuple(row.cells() for row in rows))


def _rows(
    source: Iterator[Mapping[str, str]], cut: Iterator[Mapping[str, str]]
) -> Iterator[PersonYear]:
    for number, (row, known) in enumerate(zip(source, cut, strict=True), 2):
        if row["mdvis"] != known["mdvis"] or row["idp"] != known["idp"]:
            raise ScenarioFailed(f"randhie: the source and the data set differ in line {number}")
        yield PersonYear(
            site=int(row["site"]),
            plan=plan_of(int(row["coins"]), row["idp"] == "1"),
            year=int(row["year"]),
            visits=int(row["mdvis"]),
            admissions=int(row["totadm"]),
            dollars=tuple(
                Decimal(row[name]).quantize(_CENT, rounding=ROUND_HALF_EVEN) for name in DOLLARS
            ),
        )
