"""The rows: a trial of progabide against seizures, as statsmodels ships it with its tests.

`epil.csv` holds 59 patients with epilepsy of Thall and Vail (Biometrics 46, 1990): seizures in four
periods of two weeks each, under progabide or placebo, and in the eight weeks before. A row is one
period of one patient.

The trial does not tell where a patient was treated. This demonstration cuts by patient number: of
every four patients one is the drug developer's own, from an earlier phase, and one is at each of
three hospitals. The developer fits its model to its own patients only.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scenarios.grid import Factor, Grid, label_of
from scenarios.record import ScenarioFailed
from scenarios.sheet import Column, Sheet

PATIENTS = 59
PERIODS = 4
HOSPITALS = 3
SOURCE = (
    "trial of progabide, 59 patients (Thall and Vail 1990), as shipped by statsmodels; the cut "
    "into three hospitals and the developer's own patients is of this demonstration"
)

MIDDLE_FROM = 15  # seizures in the eight weeks before: a third of the patients each
HIGH_FROM = 30
PLACEBO = "placebo"
DRUG = "progabide"

BEFORE = Factor(
    "before",
    {"low": "发作少 below 15", "middle": "发作中 15-29", "high": "发作多 30 and more"},
)
ARM = Factor("arm", {PLACEBO: "安慰剂 placebo", DRUG: "试验药 progabide"})
GRID = Grid((BEFORE, ARM))

GROUP = "cohort"
SEIZURES = "seizures"
AGE = "age"
COLUMNS = (
    Column(GROUP, "病情与用药 seizures before, and treatment", is_text=True),
    Column(SEIZURES, "两周发作次数 seizures in two weeks"),
    Column(AGE, "年龄 age in years"),
)


@dataclass(frozen=True, slots=True)
class Period:
    """Two weeks of one patient."""

    patient: int
    number: int  # 1 to 4
    arm: str
    before: int  # seizures in the eight weeks before the trial
    age: int
    seizures: int

    @property
    def cell(self) -> tuple[str, ...]:
        """Severity before and treatment, as the grid has them."""
        low_or_middle = "low" if self.before < MIDDLE_FROM else "middle"
        return "high" if self.before >= HIGH_FROM else low_or_middle, self.arm


def load_periods() -> tuple[Period, ...]:
    """All rows. Raises ScenarioFailed when the package's data are not those of the trial."""
    import statsmodels.genmod

    path = Path(statsmodels.genmod.__file__).parent / "tests" / "results" / "epil.csv"
    try:
        with path.open(encoding="ascii", newline="") as source:
            return read_periods(csv.DictReader(source))
    except OSError as error:
        raise ScenarioFailed(f"epil: {error.strerror}: {path}; install the pinned set") from None


def read_periods(rows: Iterable[Mapping[str, str]]) -> tuple[Period, ...]:
    """The periods in the order of patients. Raises ScenarioFailed for another data set."""
    try:
        periods = tuple(_periods(rows))
    except (KeyError, ValueError) as error:
        raise ScenarioFailed(f"epil: {error!r}; install the pinned set") from None
    expected = [
        (patient, number) for patient in range(1, PATIENTS + 1) for number in range(1, PERIODS + 1)
    ]
    if [(one.patient, one.number) for one in periods] != expected:
        raise ScenarioFailed(
            f"epil: not {PERIODS} periods of each of {PATIENTS} patients; install the pinned set"
        )
    return periods


def own(periods: Sequence[Period]) -> tuple[Period, ...]:
    """The rows of the developer's own patients, which no hospital has."""
    return _at(periods, 0)


def split(periods: Sequence[Period]) -> tuple[tuple[Period, ...], ...]:
    """The rows of each hospital; a patient's periods never part."""
    return tuple(_at(periods, place) for place in range(1, HOSPITALS + 1))


def sheet_of(periods: Sequence[Period]) -> Sheet:
    """A hospital's file: it tells no patient number."""
    return Sheet(
        COLUMNS,
        tuple((label_of(one.cell), str(one.seizures), str(one.age)) for one in periods),
    )


def _at(periods: Sequence[Period], place: int) -> tuple[Period, ...]:
    return tuple(one for one in periods if one.patient % (HOSPITALS + 1) == place)


def _periods(rows: Iterable[Mapping[str, str]]) -> Iterator[Period]:
    for row in rows:
        if row["trt"] not in ARM.levels:
            raise ValueError(f"treatment {row['trt']}")
        yield Period(
            patient=int(row["subject"]),
            number=int(row["period"]),
            arm=row["trt"],
            before=int(row["base"]),
            age=int(row["age"]),
            seizures=int(row["y"]),
        )
