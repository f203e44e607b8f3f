"""The rows: births in Pennsylvania, 1989 to 1991, as statsmodels ships them with its tests.

`cataneo2.csv` holds 4,642 single births with the mother's age, smoking, drinking and prenatal care
(Almond, Chay and Lee, Quarterly Journal of Economics 120, 2005; this extract is that of Cattaneo,
Journal of Econometrics 155, 2010). A row is one birth.

The records do not tell the hospital. This demonstration cuts by the number of the row: every third
birth is at the same hospital, so that the hospitals have much the same patients.

Criteria of the trial, which every hospital applies at home to its own records:

    smokes in pregnancy; 18 to 35 years old; drinks no alcohol; first visit in the first trimester

Who meets all of them has a stratum, of cigarettes a day and of first or later child; who does not
is screened out, for whatever reason.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scenarios.record import ScenarioFailed
from scenarios.sheet import Column, Sheet

BIRTHS = 4_642
HOSPITALS = 3
SOURCE = (
    f"{BIRTHS:,} births in Pennsylvania 1989-1991 (Cattaneo 2010), as shipped by statsmodels; the "
    "cut into three hospitals is of this demonstration"
)
AGE_MIN = 18
AGE_MAX = 35
FIRST_TRIMESTER = 1
CIGARETTES = {"1-5 daily": "1-5", "6-10 daily": "6-10", "11+ daily": "11+"}
NO_CIGARETTES = "0 daily"
CHILDREN = ("first", "later")
OUT = "screened out"
STRATA = tuple(f"{smoked} {child}" for smoked in CIGARETTES.values() for child in CHILDREN)
STRATUM_NAMES: Mapping[str, str] = {
    **{
        f"{smoked} {child}": f"每日{smoked}支，{'首胎' if child == 'first' else '非首胎'} {child}"
        for smoked in CIGARETTES.values()
        for child in CHILDREN
    },
    OUT: f"不符合 {OUT}",
}

COLUMNS = (
    Column("stratum", "分层 stratum by the protocol", is_text=True),
    Column("age", "年龄 age of the mother in years"),
    Column("visits", "产检次数 prenatal visits"),
    Column("weight", "出生体重 weight at birth in grams"),
)


@dataclass(frozen=True, slots=True)
class Birth:
    """What a hospital knows of one birth."""

    number: int  # of the row, from 1
    age: int
    cigarettes: str  # as the records have it, "6-10 daily"
    drinks: bool
    trimester: int  # of the first visit; 0 for none
    is_first: bool
    visits: int
    weight: int

    @property
    def stratum(self) -> str:
        """By the criteria of the trial."""
        is_eligible = (
            self.cigarettes in CIGARETTES
            and AGE_MIN <= self.age <= AGE_MAX
            and not self.drinks
            and self.trimester == FIRST_TRIMESTER
        )
        if not is_eligible:
            return OUT
        return f"{CIGARETTES[self.cigarettes]} {CHILDREN[0] if self.is_first else CHILDREN[1]}"


def load_births() -> tuple[Birth, ...]:
    """All rows. Raises ScenarioFailed when the package's data are not those of the study."""
    import statsmodels.treatment

    path = Path(statsmodels.treatment.__file__).parent / "tests" / "results" / "cataneo2.csv"
    try:
        with path.open(encoding="ascii", newline="") as source:
            return read_births(csv.DictReader(source))
    except OSError as error:
        raise ScenarioFailed(f"births: {error}; install the pinned statsmodels") from None


def read_births(rows: Iterable[Mapping[str, str]]) -> tuple[Birth, ...]:
    """The rows of the file. Raises ScenarioFailed for any that the study did not have."""
    try:
        births = tuple(_births(rows))
    except (KeyError, ValueError) as error:
        raise ScenarioFailed(f"births: {error}; install the pinned statsmodels") from None
    if len(births) != BIRTHS:
        raise ScenarioFailed(f"births: {len(births)} rows instead of {BIRTHS}")
    return births


def split(births: Sequence[Birth]) -> tuple[tuple[Birth, ...], ...]:
    """The rows of each hospital: every row at exactly one, by its number alone."""
    return tuple(
        tuple(one for one in births if one.number % HOSPITALS == place)
        for place in range(HOSPITALS)
    )


def sheet_of(births: Sequence[Birth]) -> Sheet:
    """A hospital's file after screening: strata, and nothing that names a patient."""
    return Sheet(
        COLUMNS,
        tuple((one.stratum, str(one.age), str(one.visits), str(one.weight)) for one in births),
    )


def _births(rows: Iterable[Mapping[str, str]]) -> Iterator[Birth]:
    for number, row in enumerate(rows, 1):
        if row["msmoke"] not in (NO_CIGARETTES, *CIGARETTES):
            raise ValueError(f"cigarettes {row['msmoke']}")
        if row["fbaby"] not in ("Yes", "No"):
            raise ValueError(f"first child {row['fbaby']}")
        yield Birth(
            number=number,
            age=int(row["mage"]),
            cigarettes=row["msmoke"],
            drinks=bool(int(row["alcohol"])),
            trimester=int(row["prenatal"]),
            is_first=row["fbaby"] == "Yes",
            visits=int(row["nprenatal"]),
            weight=int(row["bweight"]),
        )
