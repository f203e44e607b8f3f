"""The dwellings: generated from a seed, for want of public data, and labelled so everywhere.

A dwelling has bedrooms, an area and people. People use water, electricity and gas and order
parcels, each at a rate of their own; an empty home uses a little, too. A small share is let bed by
bed: many people, few of them registered. Whether it is so is drawn with the dwelling and known to
nobody in the story; it is there to tell in the end what the models found.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from scenarios.sheet import Column, Sheet

SEED = 31115
DISTRICTS: tuple[tuple[str, int], ...] = (
    ("东区 East", 2_400),
    ("中区 Central", 1_800),
    ("西区 West", 1_500),
)  # of the first, second, third supplier: name and dwellings
BEDROOMS = ("1", "2", "3")
GROUP_SHARE = 0.04  # let bed by bed
AREAS = {"1": (32, 55), "2": (55, 90), "3": (85, 130)}  # square metres, from and to
PEOPLE_MAX = {"1": 3, "2": 4, "3": 6}  # of an ordinary household
BEDS = {"1": (5, 8), "2": (7, 12), "3": (9, 16)}  # where beds are let
REGISTERED_SHARE = 0.5  # of the people behind let beds: the others avoid it
# Per person and month: mean and relative spread. And what a dwelling uses by itself.
RATES = {"water": (3.2, 0.25, 0.4), "power": (62.0, 0.30, 28.0), "gas": (6.5, 0.35, 1.0)}
PARCELS_PER_PERSON = (6.0, 0.5)

COLUMNS = (
    Column("bedrooms", "房型 bedrooms", is_text=True),
    Column("area", "建筑面积 area, square metres"),
    Column("residents", "登记人口 registered residents"),
    Column("water", "用水量 water, cubic metres a month"),
    Column("power", "用电量 electricity, kilowatt hours a month"),
    Column("gas", "用气量 gas, cubic metres a month"),
    Column("parcels", "外卖快递 takeaways and parcels a month"),
)


@dataclass(frozen=True, slots=True)
class Dwelling:
    """Meters in tenths of their unit. `is_let_by_bed` is the truth, which no data set has."""

    bedrooms: str
    area: int
    residents: int
    water: int
    power: int
    gas: int
    parcels: int
    is_let_by_bed: bool

    def cells(self) -> tuple[str, ...]:
        """As text, in the order of COLUMNS."""
        meters = (tenths(self.water), tenths(self.power), tenths(self.gas))
        return (self.bedrooms, str(self.area), str(self.residents), *meters, str(self.parcels))


def tenths(value: int) -> str:
    """A meter's reading with its one decimal."""
    return f"{value // 10}.{value % 10}"


def draw() -> tuple[tuple[Dwelling, ...], ...]:
    """The dwellings of each district: the same in every run."""
    source = random.Random(SEED)  # noqa: S311 (a drawing that must be the same every time)
    return tuple(tuple(_dwelling(source) for _ in range(count)) for _name, count in DISTRICTS)


def sheet_of(dwellings: Sequence[Dwelling]) -> Sheet:
    """A district's rows as its file has them: without the truth."""
    return Sheet(COLUMNS, tuple(dwelling.cells() for dwelling in dwellings))


def _dwelling(source: random.Random) -> Dwelling:
    bedrooms = source.choices(BEDROOMS, weights=(3, 5, 2))[0]
    is_let = source.random() < GROUP_SHARE
    if is_let:
        people = source.randint(*BEDS[bedrooms])
        residents = sum(source.random() < REGISTERED_SHARE for _ in range(people))
    else:
        people = source.randint(1, PEOPLE_MAX[bedrooms])
        residents = people
    used = {
        name: round(10 * (base + sum(_drawn(source, mean, spread) for _ in range(people))))
        for name, (mean, spread, base) in RATES.items()
    }
    parcels = sum(_drawn(source, *PARCELS_PER_PERSON) for _ in range(people))
    return Dwelling(
        bedrooms=bedrooms,
        area=source.randint(*AREAS[bedrooms]),
        residents=max(1, residents),
        water=used["water"],
        power=used["power"],
        gas=used["gas"],
        parcels=round(parcels),
        is_let_by_bed=is_let,
    )


def _drawn(source: random.Random, mean: float, spread: float) -> float:
    """What one person uses: never less than nothing."""
    return max(0.0, source.gauss(mean, mean * spread))
