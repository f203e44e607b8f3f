"""The rows: 210 travellers between Sydney, Canberra and Melbourne, as statsmodels ships them.

`modechoice` of statsmodels (Greene and Hensher 1997; public domain) has four rows for each
traveller, one for each way of travelling, and says which was chosen. Kept here is the chosen one,
with what it cost and how long the traveller waited. Modes: 1 air, 2 train, 3 bus, 4 car.

The survey asked more users of train, bus and air than there are among all travellers, so shares
are of the survey and not of the market. Which platform holds whom is a cut of this demonstration,
by the number of the traveller: the survey had no platforms.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scenarios.grid import Factor, Grid, label_of
from scenarios.record import ScenarioFailed
from scenarios.sheet import Column, Sheet

TRAVELLERS = 210
PLATFORMS = 3
SOURCE = (
    "intercity mode choice study, Australia 1987 (Greene and Hensher 1997), public domain, as "
    "shipped by statsmodels; the cut into three platforms is of this demonstration"
)

TRAIN = "train"
OTHER = "other"
_TRAIN_MODE = 2
_MODES = range(1, 5)
LOW_BELOW = 15  # household income, thousand dollars of 1987 a year
HIGH_FROM = 30  # bands in which no cell is too small to be shown

INCOME = Factor(
    "income", {"low": "收入低 below 15", "middle": "收入中 15-29", "high": "收入高 30 and more"}
)
PARTY = Factor("party", {"alone": "独行 alone", "group": "同行 in a group"})
CHOICE = Factor("choice", {OTHER: "其他 other", TRAIN: "火车 train"})
SEGMENTS = Grid((INCOME, PARTY))
GRID = Grid((INCOME, PARTY, CHOICE))

SEGMENT = "segment"
COST = "cost"
WAIT = "wait"
COLUMNS = (
    Column(SEGMENT, "客群与选择 income, party and choice", is_text=True),
    Column(COST, "在途费用 cost of the way taken, dollars"),
    Column(WAIT, "候车时间 waiting at the terminal, minutes"),
)


@dataclass(frozen=True, slots=True)
class Traveller:
    """One traveller and the way that was chosen."""

    number: int
    mode: int
    income: int  # of the household, thousand dollars a year
    party: int  # persons travelling together
    cost: int  # dollars
    wait: int  # minutes

    @property
    def cell(self) -> tuple[str, ...]:
        """Income, party and choice, as the grid has them."""
        income = "low" if self.income < LOW_BELOW else "middle"
        return (
            "high" if self.income >= HIGH_FROM else income,
            "alone" if self.party == 1 else "group",
            TRAIN if self.mode == _TRAIN_MODE else OTHER,
        )


def load_travellers() -> tuple[Traveller, ...]:
    """All travellers. Raises ScenarioFailed when the package's data are not those of the study."""
    import statsmodels.datasets.modechoice as modechoice

    path = Path(modechoice.__file__).parent / "modechoice.csv"
    with path.open(encoding="ascii", newline="") as source:
        return read_travellers(csv.DictReader(source, delimiter=";"))


def read_travellers(rows: Iterable[Mapping[str, str]]) -> tuple[Traveller, ...]:
    """The chosen row of each traveller. Raises ScenarioFailed for another data set."""
    try:
        travellers = tuple(_chosen(rows))
    except (KeyError, ValueError) as error:
        raise ScenarioFailed(f"modechoice: {error!r}; install the pinned set") from None
    if [one.number for one in travellers] != list(range(1, TRAVELLERS + 1)):
        raise ScenarioFailed(
            f"modechoice: not a choice of each of {TRAVELLERS} travellers; install the pinned set"
        )
    return travellers


def split(travellers: Sequence[Traveller]) -> tuple[tuple[Traveller, ...], ...]:
    """The travellers of each platform: everybody at exactly one, by number alone."""
    return tuple(
        tuple(one for one in travellers if one.number % PLATFORMS == place)
        for place in range(PLATFORMS)
    )


def sheet_of(travellers: Sequence[Traveller]) -> Sheet:
    """A platform's file: it tells no traveller's number."""
    return Sheet(
        COLUMNS,
        tuple((label_of(one.cell), str(one.cost), str(one.wait)) for one in travellers),
    )


def _chosen(rows: Iterable[Mapping[str, str]]) -> Iterator[Traveller]:
    for row in rows:
        if int(row["choice"]) != 1:
            continue
        mode = int(row["mode"])
        if mode not in _MODES:
            raise ValueError(f"mode {mode}")
        yield Traveller(
            number=int(row["individual"]),
            mode=mode,
            income=int(row["hinc"]),
            party=int(row["psize"]),
            cost=int(row["invc"]),
            wait=int(row["ttme"]),
        )
