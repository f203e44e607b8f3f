"""The plot, in the words of the parties, and the run."""

from __future__ import annotations

from collections import Counter
from functools import partial

from executors.mpc.program import ALGORITHM, COUNT, MEAN
from scenarios.consortium import Consortium
from scenarios.grid import label_of
from scenarios.joint import Plot, play
from scenarios.marketing.data import (
    CHOICE,
    COLUMNS,
    COST,
    GRID,
    PLATFORMS,
    SOURCE,
    TRAVELLERS,
    Traveller,
    load_travellers,
    sheet_of,
    split,
)
from scenarios.marketing.program import program_for
from scenarios.marketing.segments import derive, result_table
from scenarios.record import RunRecord
from scenarios.response import tally_rows
from scenarios.script import Teller
from scenarios.stages.aggregation import Collection, Holding, Wanted
from scenarios.stages.authorization import Terms
from scenarios.stages.delivery import Agreed
from scenarios.stages.development import Made, Question

NAME = "marketing"
GRADE = 2  # internal: what single travellers did, without their names
LIMITS = (
    "the features of one user at several parties are not joined, for want of engines of private "
    "set intersection (隐私求交) and vertical federated learning (纵向联邦学习): each platform has "
    "all features of its own travellers, and the campaign is aimed at segments, not at users"
)


def run(consortium: Consortium, teller: Teller) -> RunRecord:
    """Play the scenario on a running network. Raises ScenarioFailed or the errors of clients."""
    return play(plot(), consortium, teller)


def plot() -> Plot:
    """The scenario with its data. Raises ScenarioFailed when the package's data differ."""
    travellers = load_travellers()
    return Plot(
        name=NAME,
        holding="trips",
        collection=_collection(split(travellers)),
        wanted=Wanted(
            title="火车出行的客群 Travellers who take the train",
            kind="how travellers went, what they paid and how long they waited",
            purpose="To aim a campaign of a railway at travellers like those who take the train",
            items=(
                "number of travellers by household income, party and choice",
                "what they paid and how long they waited, in total and on average",
                "a model of who takes the train, and the segments to aim at",
            ),
            prescreened="complete; segments only, no travellers asked for",
            reviewed="lawful purpose; nobody can be addressed by what comes out",
        ),
        terms=Terms(
            scenario="precision marketing: segments of travellers for a campaign",
            algorithms=(ALGORITHM,),
            uses=2,
            days=30,
            grounds="counts by segment only; cells below 5 travellers suppressed; rows not moved",
        ),
        question=Question(
            program_for,
            result_table,
            partial(derive, rows=tally_rows(GRID, (one.cell for one in travellers))),
        ),
        made=Made(
            title="火车出行客群模型 Model of who takes the train",
            description="Joint counts of three platforms by segment, and a model fitted to them",
            assessment="segments, no persons; within the grant",
        ),
        agreed=Agreed(
            purpose="choosing the segments that a campaign is aimed at",
            confidentiality="the consumer neither passes the model on nor scores persons with it",
            price_fen=300_000,
            queries=(
                ("low/alone/train", "", COUNT),
                ("low/alone/other", COST, MEAN),
                ("low/alone/bus", "", COUNT),  # the platforms did not tell bus from car
            ),
        ),
        limits=LIMITS,
    )


def _collection(parts: tuple[tuple[Traveller, ...], ...]) -> Collection:
    return Collection(
        origin=f"{SOURCE}: {TRAVELLERS} travellers who were asked",
        preparation="Rows are cut by the number of the traveller (按旅客编号划分)",
        description="How travellers between three cities went, one row each, without their numbers",
        tag="travel-choices",
        category="transport",
        grade=GRADE,
        holdings=tuple(_holding(place, part) for place, part in enumerate(parts, 1)),
    )


def _holding(place: int, part: tuple[Traveller, ...]) -> Holding:
    title = f"platform {place} of {PLATFORMS}"
    segments = Counter(label_of(one.cell) for one in part)
    return Holding(
        sheet=sheet_of(part),
        part=title,
        title=f"出行选择 Choices of travellers, {title}",
        quality={
            "rows_by_cell": {label: segments[label] for label in GRID.labels},
            "choices": dict(CHOICE.levels),
            "columns_kept": [column.name for column in COLUMNS],
            "preprocessing": "income in three bands, party in two; the chosen way only; no numbers",
        },
    )
