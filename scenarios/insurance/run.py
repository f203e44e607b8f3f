"""The plot, in the words of the parties, and the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from executors.mpc.program import ALGORITHM, MEAN, MEDIAN
from scenarios.consortium import Consortium
from scenarios.insurance.data import PLANS, ROWS, SITES, PersonYear, load_rows, sheet_of, split
from scenarios.insurance.program import CLAIMS, UPPER, VISITS, program_for
from scenarios.insurance.table import result_table
from scenarios.joint import Plot, play
from scenarios.record import RunRecord
from scenarios.script import Teller
from scenarios.stages.aggregation import Collection, Holding, Wanted
from scenarios.stages.authorization import Terms
from scenarios.stages.delivery import Agreed
from scenarios.stages.development import Made, Question

NAME = "insurance"
GRADE = 3  # sensitive: health of persons, without their names
YEARS_MAX = 5  # that the experiment followed one person, a row each


def run(consortium: Consortium, teller: Teller) -> RunRecord:
    """Play the scenario on a running network. Raises ScenarioFailed or the errors of clients."""
    return play(plot(), consortium, teller)


def plot() -> Plot:
    """The scenario with its data. Raises ScenarioFailed when the package's data differ."""
    return Plot(
        name=NAME,
        holding="claims",
        collection=_collection(),
        wanted=Wanted(
            title="保险计划的赔付统计 Claims by insurance plan",
            kind="claims and outpatient visits of insured persons",
            purpose="Pricing of a new health insurance plan: what plans cost by person and year",
            items=(
                "number of person-years by plan",
                "total, mean, variance, median and upper quantiles of yearly claims by plan",
                "the same of outpatient visits",
            ),
            prescreened="complete; statistics only, no rows asked for",
            reviewed="lawful purpose; results are statistics",
        ),
        terms=Terms(
            scenario="smart insurance: claims by plan for pricing",
            algorithms=(ALGORITHM,),
            uses=2,
            days=30,
            grounds="statistics by plan only; groups below 30 rows suppressed; rows not moved",
        ),
        question=Question(program_for, result_table),
        made=Made(
            title="保险计划赔付统计 Claims by insurance plan",
            description="Joint statistics of three suppliers: claims and outpatient visits by plan",
            assessment="statistics of large groups; within the grant",
        ),
        agreed=Agreed(
            purpose="pricing of a health insurance plan",
            confidentiality="the consumer neither passes the table on nor joins it with persons",
            price_fen=1_200_000,
            queries=(
                ("free", CLAIMS, MEAN),
                ("95-100", CLAIMS, MEAN),
                ("deductible", CLAIMS, str(UPPER[-1])),
                ("free", VISITS, MEDIAN),
                ("75", CLAIMS, MEAN),  # the experiment had no such plan
            ),
        ),
    )


def _collection() -> Collection:
    return Collection(
        origin=(
            "RAND Health Insurance Experiment, public domain, as shipped by statsmodels (randhie): "
            f"{ROWS:,} measured person-years"
        ),
        preparation="Rows are cut by site (按地区划分)",
        description="Yearly claims of insured persons, one row per person and year, without ids",
        tag="insurance-claims",
        category="health insurance",
        grade=GRADE,
        rows_per_person=YEARS_MAX,
        holdings=tuple(
            _holding(sites, rows) for sites, rows in zip(SITES, split(load_rows()), strict=True)
        ),
    )


def _holding(sites: tuple[int, ...], rows: Sequence[PersonYear]) -> Holding:
    part = f"sites {' and '.join(str(site) for site in sites)}"
    plans = Counter(row.plan for row in rows)
    years = Counter(row.year for row in rows)
    return Holding(
        sheet=sheet_of(rows),
        part=part,
        title=f"医疗保险赔付 Medical insurance claims, {part}",
        quality={
            "sites": list(sites),
            "rows_by_plan": {plan: plans[plan] for plan in PLANS},
            "rows_by_year": {str(year): years[year] for year in sorted(years)},
            "preprocessing": "plan from coinsurance and deductible; dollars to the cent; no ids",
        },
    )
