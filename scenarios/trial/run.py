"""The plot, in the words of the parties, and the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from executors.mpc.program import ALGORITHM, COUNT, MEAN
from scenarios.cast import Cast
from scenarios.consortium import Consortium
from scenarios.joint import Plot, play
from scenarios.record import RunRecord, Stage
from scenarios.script import Script, Teller
from scenarios.stages.aggregation import Collection, Holding, Wanted
from scenarios.stages.authorization import Terms
from scenarios.stages.delivery import Agreed
from scenarios.stages.development import Made, Question
from scenarios.trial.data import (
    AGE_MAX,
    AGE_MIN,
    HOSPITALS,
    OUT,
    SOURCE,
    STRATA,
    Birth,
    load_births,
    sheet_of,
    split,
)
from scenarios.trial.plan import derive, result_table
from scenarios.trial.program import AGE, WEIGHT, program_for
from scenarios.trial.recruit import recruit

NAME = "trial"
GRADE = 3  # sensitive: health of persons, without their names
LIMITS = (
    "records of one patient in several hospitals are not joined, for want of an engine of private "
    "set intersection (隐私求交): who is known to two hospitals is counted twice"
)


def run(consortium: Consortium, teller: Teller) -> RunRecord:
    """Play the scenario on a running network. Raises ScenarioFailed or the errors of clients."""
    return play(plot(split(load_births())), consortium, teller)


def plot(hospitals: Sequence[Sequence[Birth]]) -> Plot:
    """The scenario with these births."""

    def act(script: Script, cast: Cast) -> None:
        recruit(script, cast, hospitals)

    return Plot(
        name=NAME,
        holding="records",
        collection=_collection(hospitals),
        wanted=Wanted(
            title="临床试验受试者 Patients for a trial of help to stop smoking in pregnancy",
            kind="records of mothers and births",
            purpose="To plan a clinical trial, and to find patients who may want to take part",
            items=(
                f"number of mothers of {AGE_MIN} to {AGE_MAX} who smoke, by stratum",
                "mean and variance of the weight at birth, age and visits by stratum",
            ),
            prescreened="complete; counts only, no patients asked for",
            reviewed="lawful purpose; patients are invited by their own hospital alone",
        ),
        terms=Terms(
            scenario="clinical trial: patients who meet the criteria, by stratum",
            algorithms=(ALGORITHM,),
            uses=2,
            days=30,
            grounds="strata of at least 20 patients; rows not moved; invitations made at home",
        ),
        question=Question(program_for, result_table, derive),
        made=Made(
            title="受试者分布与样本量 Patients by stratum, and the size of the trial",
            description="Joint counts of three hospitals by the criteria of the trial",
            assessment="strata, no persons; within the grant",
        ),
        agreed=Agreed(
            purpose="planning a clinical trial and recruiting for it",
            confidentiality="the plan goes to the hospitals that took part, no further",
            price_fen=600_000,
            queries=(
                (STRATA[0], "", COUNT),
                (STRATA[-1], WEIGHT, MEAN),
                (OUT, AGE, MEAN),
            ),
        ),
        limits=LIMITS,
        acts={Stage.DELIVERY: act},
    )


def _collection(hospitals: Sequence[Sequence[Birth]]) -> Collection:
    return Collection(
        origin=SOURCE,
        preparation=(
            "Rows are cut by their number; each hospital screens its own by the protocol "
            "(各院按方案自行筛选)"
        ),
        description="Births by the strata of the trial, one row each, without names",
        tag="trial-records",
        category="health records",
        grade=GRADE,
        holdings=tuple(_holding(place, births) for place, births in enumerate(hospitals, 1)),
    )


def _holding(place: int, births: Sequence[Birth]) -> Holding:
    part = f"hospital {place} of {HOSPITALS}"
    strata = Counter(one.stratum for one in births)
    return Holding(
        sheet=sheet_of(births),
        part=part,
        title=f"分娩病历 Records of births, {part}",
        quality={
            "rows_by_stratum": {stratum: strata[stratum] for stratum in (*STRATA, OUT)},
            "preprocessing": "screened by the criteria of the trial; no names, no numbers",
        },
    )
