"""The three models of Appendix A, and what they find among a district's own dwellings.

    residents   more than RESIDENTS_MAX registered residents for each bedroom, or less than AREA_MIN
                square metres for each (实有人口模型)
    utilities   two of water, electricity, gas above the city's high norm (水电气模型)
    parcels     takeaways and parcels above it (外卖快递模型)

A dwelling is suspected where at least two of them agree: one alone is often a large family, a
workshop at home, or a garden.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from executors.mpc.results import Result
from scenarios.rental.data import BEDROOMS, Dwelling
from scenarios.rental.program import HIGH, PARCELS, UTILITIES

RESIDENTS_MAX = 2  # residents of a bedroom, above which letting to strangers is not allowed
AREA_MIN = 5  # square metres for each resident, below which it is not allowed either
AGREE_MIN = 2  # models
METERS_MIN = 2  # utilities above the norm

Norms: TypeAlias = Mapping[tuple[str, str], Decimal]  # bedrooms, column -> high norm


@dataclass(frozen=True, slots=True)
class Found:
    """What the models said of one district's dwellings."""

    dwellings: int
    by_model: tuple[int, int, int]  # residents, utilities, parcels
    suspects: tuple[int, ...]  # row numbers in the district's own data set, from 1


def norms_of(results: Iterable[Result]) -> Norms:
    """The high norms among the results; a suppressed one is none, and suspects nobody."""
    return {
        (one.group, one.column): Decimal(one.value)
        for one in results
        if one.statistic == str(HIGH) and not one.is_suppressed and one.group in BEDROOMS
    }


def find(dwellings: Sequence[Dwelling], norms: Norms) -> Found:
    """Applies the models to every dwelling."""
    said = [models(dwelling, norms) for dwelling in dwellings]
    suspects = tuple(n for n, votes in enumerate(said, 1) if sum(votes) >= AGREE_MIN)
    residents, utilities, parcels = (sum(votes[model] for votes in said) for model in range(3))
    return Found(
        dwellings=len(dwellings),
        by_model=(residents, utilities, parcels),
        suspects=suspects,
    )


def judged(found: Found, dwellings: Sequence[Dwelling]) -> tuple[int, int]:
    """Suspects that are let by bed, and all that are: by the drawing, which no party knows."""
    right = sum(dwellings[number - 1].is_let_by_bed for number in found.suspects)
    return right, sum(dwelling.is_let_by_bed for dwelling in dwellings)


def models(dwelling: Dwelling, norms: Norms) -> tuple[bool, bool, bool]:
    """What each model says of one dwelling: residents, utilities, parcels."""
    read = {
        "water": Decimal(dwelling.water) / 10,
        "power": Decimal(dwelling.power) / 10,
        "gas": Decimal(dwelling.gas) / 10,
        PARCELS: Decimal(dwelling.parcels),
    }
    above = {
        name: (dwelling.bedrooms, name) in norms and value > norms[dwelling.bedrooms, name]
        for name, value in read.items()
    }
    return (
        dwelling.residents > RESIDENTS_MAX * int(dwelling.bedrooms)
        or dwelling.area < AREA_MIN * dwelling.residents,
        sum(above[name] for name in UTILITIES) >= METERS_MIN,
        above[PARCELS],
    )
