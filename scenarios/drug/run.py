"""The plot, in the words of the parties, and the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

from executors.mpc.program import ALGORITHM, COUNT, MEAN, MEDIAN, VARIANCE
from executors.mpc.results import Result
from scenarios.consortium import Consortium
from scenarios.drug.blind import assess, commit
from scenarios.drug.data import (
    AGE,
    GRID,
    HOSPITALS,
    PATIENTS,
    PERIODS,
    SEIZURES,
    SOURCE,
    Period,
    load_periods,
    own,
    sheet_of,
    split,
)
from scenarios.drug.program import program_for
from scenarios.grid import label_of
from scenarios.joint import Plot, play
from scenarios.record import RunRecord, Stage, TableRecord
from scenarios.script import Teller
from scenarios.stages.aggregation import Collection, Holding, Wanted
from scenarios.stages.authorization import Terms
from scenarios.stages.delivery import Agreed
from scenarios.stages.development import Made, Question
from scenarios.tables import number, root

NAME = "drug"
GRADE = 3  # sensitive: health of persons, without their names
LIMITS = (
    "the developer's model is not run on the rows, for want of an engine in a trusted execution "
    "environment (可信执行环境) that keeps it from the hospitals: it is judged by cohort, against "
    "sums that the hospitals computed together"
)


def run(consortium: Consortium, teller: Teller) -> RunRecord:
    """Play the scenario on a running network. Raises ScenarioFailed or the errors of clients."""
    return play(plot(), consortium, teller)


def plot() -> Plot:
    """The scenario with its data. Raises ScenarioFailed when the package's data differ."""
    periods = load_periods()
    return Plot(
        name=NAME,
        holding="cohorts",
        collection=_collection(split(periods)),
        wanted=Wanted(
            title="试验药疗效 Response to a drug against seizures",
            kind="seizures of patients under treatment",
            purpose="To see whether a model of response holds for patients of several hospitals",
            items=(
                "number of two-week periods by severity before and treatment",
                "total, mean and variance of seizures in them, mean age",
            ),
            prescreened="complete; statistics only, no rows asked for",
            reviewed="lawful purpose; results are statistics",
        ),
        terms=Terms(
            scenario="AI drug discovery: a response model judged double blind",
            algorithms=(ALGORITHM,),
            uses=2,
            days=30,
            grounds="statistics by cohort only; below 3 patients suppressed; rows not moved",
        ),
        question=Question(program_for, result_table),
        made=Made(
            title="试验药疗效统计 Seizures by cohort",
            description="Joint statistics of three hospitals by severity before and treatment",
            assessment="statistics of cohorts; within the grant",
        ),
        agreed=Agreed(
            purpose="judging a model of response to a drug",
            confidentiality="the consumer neither passes the table on nor joins it with persons",
            price_fen=900_000,
            queries=(
                ("high/placebo", SEIZURES, MEAN),
                ("high/progabide", SEIZURES, MEAN),
                ("high/progabide", SEIZURES, MEDIAN),  # was not asked of the hospitals
            ),
        ),
        limits=LIMITS,
        acts={Stage.AUTHORIZATION: partial(commit, own=own(periods)), Stage.DELIVERY: assess},
    )


def result_table(results: Sequence[Result]) -> TableRecord:
    """A line per cohort."""
    values = {(one.group, one.column, one.statistic): one.value for one in results}
    return TableRecord(
        title="联合统计结果 Joint statistics: seizures in two weeks, by cohort",
        columns=(
            "发作史\nbefore",
            "用药\ntreatment",
            "期数\nrows",
            "均值\nmean",
            "标准差\ns.d.",
            "平均年龄\nage",
        ),
        rows=tuple(
            (
                *GRID.reading(cell),
                number(values[label, "", COUNT], 0),
                number(values[label, SEIZURES, MEAN], 2),
                root(values[label, SEIZURES, VARIANCE], 2),
                number(values[label, AGE, MEAN], 1),
            )
            for cell in GRID.cells
            for label in (label_of(cell),)
        ),
    )


def _collection(parts: Sequence[Sequence[Period]]) -> Collection:
    rows = sum(map(len, parts))
    return Collection(
        origin=f"{SOURCE}: {rows} of the trial's {PATIENTS * PERIODS} measured rows",
        preparation="Rows are cut by the number of the patient (按患者编号划分)",
        description="Seizures of patients of a trial, a row per patient and two weeks, without ids",
        tag="trial-seizures",
        category="clinical trials",
        grade=GRADE,
        holdings=tuple(_holding(place, part) for place, part in enumerate(parts, 1)),
    )


def _holding(place: int, part: Sequence[Period]) -> Holding:
    title = f"hospital {place} of {HOSPITALS}"
    cells = Counter(label_of(one.cell) for one in part)
    return Holding(
        sheet=sheet_of(part),
        part=title,
        title=f"临床试验记录 Records of a trial, {title}",
        quality={
            "patients": len({one.patient for one in part}),
            "rows_by_cell": {label: cells[label] for label in GRID.labels},
            "preprocessing": "severity in three bands of seizures before; no patient numbers",
        },
    )
