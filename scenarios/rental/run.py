"""The plot, in the words of the parties, and the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from executors.mpc.program import ALGORITHM, COUNT, MEDIAN
from scenarios.cast import Cast
from scenarios.consortium import Consortium
from scenarios.joint import Plot, play
from scenarios.record import RunRecord, Stage
from scenarios.rental.data import BEDROOMS, DISTRICTS, SEED, Dwelling, draw, sheet_of
from scenarios.rental.dispatch import dispatch
from scenarios.rental.program import HIGH, PARCELS, program_for
from scenarios.rental.table import result_table
from scenarios.script import Script, Teller
from scenarios.stages.aggregation import Collection, Holding, Wanted
from scenarios.stages.authorization import Terms
from scenarios.stages.delivery import Agreed
from scenarios.stages.development import Made, Question

NAME = "rental"
GRADE = 3  # sensitive: how people live
ORIGIN = f"generated dwellings, drawn from the seed {SEED} (生成数据，非真实住户)"
LIMITS = (
    "meters, land register and couriers are not joined over several parties, for want of an engine "
    "of private set intersection (隐私求交): each district has what is known of its own dwellings"
)


def run(consortium: Consortium, teller: Teller) -> RunRecord:
    """Play the scenario on a running network. Raises ScenarioFailed or the errors of clients."""
    return play(plot(draw()), consortium, teller)


def plot(districts: Sequence[Sequence[Dwelling]]) -> Plot:
    """The scenario with these dwellings."""

    def act(script: Script, cast: Cast) -> None:
        dispatch(script, cast, districts)

    return Plot(
        name=NAME,
        holding="dwellings",
        collection=_collection(districts),
        wanted=Wanted(
            title="住宅用量基准 Norms of use by size of dwelling",
            kind="meters, residents and parcels of dwellings",
            purpose="To find dwellings let bed by bed, which endanger those who live there",
            items=(
                "number of dwellings by bedrooms",
                "mean, median and upper tenth of water, electricity, gas and parcels by bedrooms",
            ),
            prescreened="complete; norms only, no dwellings asked for",
            reviewed="lawful purpose; what is suspected stays with the district that found it",
        ),
        terms=Terms(
            scenario="group-rental detection: norms of use over three districts",
            algorithms=(ALGORITHM,),
            uses=2,
            days=30,
            grounds="norms of at least 30 dwellings; rows not moved; suspects found at home",
        ),
        question=Question(program_for, result_table),
        made=Made(
            title="住宅用量基准 Norms of use by bedrooms (generated data)",
            description=f"Joint statistics of three districts over {ORIGIN}",
            assessment="norms of large groups; within the grant",
        ),
        agreed=Agreed(
            purpose="finding dwellings let bed by bed",
            confidentiality="the norms go to the districts for their own dwellings, no further",
            price_fen=80_000,
            queries=(
                ("1", "", COUNT),
                ("2", "water", MEDIAN),
                ("3", PARCELS, str(HIGH)),
                ("4", "water", MEDIAN),  # there is no such dwelling
            ),
        ),
        limits=LIMITS,
        acts={Stage.DELIVERY: act},
    )


def _collection(districts: Sequence[Sequence[Dwelling]]) -> Collection:
    return Collection(
        origin=ORIGIN,
        preparation="A district has its own dwellings (按区划分)",
        description="What meters and couriers tell of dwellings, one row each, without addresses",
        tag="dwellings-generated",
        category="housing",
        grade=GRADE,
        holdings=tuple(
            _holding(name, dwellings)
            for (name, _count), dwellings in zip(DISTRICTS, districts, strict=True)
        ),
    )


def _holding(district: str, dwellings: Sequence[Dwelling]) -> Holding:
    bedrooms = Counter(dwelling.bedrooms for dwelling in dwellings)
    return Holding(
        sheet=sheet_of(dwellings),
        part=district,
        title=f"住宅用量 Use of dwellings, {district} (generated data)",
        quality={
            "district": district,
            "rows_by_bedrooms": {number: bedrooms[number] for number in BEDROOMS},
            "preprocessing": "meters and couriers joined by dwelling at home; no addresses",
        },
    )
