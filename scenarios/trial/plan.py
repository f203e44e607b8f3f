"""How many patients the trial needs, and whether they are there.

Two arms of equal size, compared by their mean weight at birth: to find a difference of DIFFERENCE
grams at LEVEL with POWER, each arm needs

    n = 2 (z(1 - level / 2) + z(power))^2 variance / difference^2

with the variance within strata, pooled over them. Of those who are invited, only a share comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from statistics import NormalDist

from executors.mpc.program import COUNT, MEAN, MEDIAN, VARIANCE
from executors.mpc.results import Result
from scenarios.record import ScenarioFailed, TableRecord
from scenarios.script import Told
from scenarios.stages.development import Derived
from scenarios.tables import number, root
from scenarios.trial.data import OUT, STRATA, STRATUM_NAMES
from scenarios.trial.program import AGE, VISITS, WEIGHT

DIFFERENCE = 200  # grams of birth weight that would matter to the sponsor
LEVEL = 0.05  # of the test, two-sided
POWER = 0.80
CONSENT_SHARE = 0.6  # of the invited who take part: an assumption of the sponsor
ARMS = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """`eligible` counts the strata that were not suppressed."""

    eligible: int
    screened: int  # all who were looked at, as far as not suppressed
    variance: float  # of the birth weight, within strata
    needed: int  # patients of both arms together

    @property
    def expected(self) -> int:
        """Who would take part."""
        return floor(self.eligible * CONSENT_SHARE)

    @property
    def is_feasible(self) -> bool:
        return self.expected >= self.needed


def plan_of(results: Sequence[Result]) -> Plan:
    """The plan that the joint counts allow. Raises ScenarioFailed where all were suppressed."""
    values = {
        (one.group, one.column, one.statistic): float(one.value)
        for one in results
        if not one.is_suppressed
    }
    counts = {stratum: values.get((stratum, "", COUNT), 0.0) for stratum in (*STRATA, OUT)}
    shown = [stratum for stratum in STRATA if counts[stratum]]
    if not shown:
        raise ScenarioFailed("every stratum is too small to be shown: there is nothing to plan by")
    squares = sum((counts[one] - 1) * values[one, WEIGHT, VARIANCE] for one in shown)
    variance = squares / sum(counts[one] - 1 for one in shown)
    quantiles = NormalDist().inv_cdf(1 - LEVEL / 2) + NormalDist().inv_cdf(POWER)
    return Plan(
        eligible=round(sum(counts[one] for one in shown)),
        screened=round(sum(counts.values())),
        variance=variance,
        needed=ARMS * ceil(2 * quantiles**2 * variance / DIFFERENCE**2),
    )


def derive(results: Sequence[Result]) -> Derived:
    """The plan as part of the product."""
    plan = plan_of(results)
    answer = "enough" if plan.is_feasible else "too few"
    return Derived(
        told=Told(
            "works out how many patients the trial needs, from the variance within strata",
            "样本量估算",
            (
                ("needed", str(plan.needed)),
                ("eligible", f"{plan.eligible} of {plan.screened:,}"),
                ("verdict", answer),
            ),
        ),
        content={
            "plan": {
                "eligible": plan.eligible,
                "needed": plan.needed,
                "expected": plan.expected,
                "is_feasible": plan.is_feasible,
                "difference_grams": DIFFERENCE,
                "consent_percent": round(CONSENT_SHARE * 100),
            }
        },
        findings=(
            (
                "match",
                f"{plan.eligible} of {plan.screened:,} patients meet the criteria; if "
                f"{CONSENT_SHARE:.0%} of them consent, {plan.expected} take part, and "
                f"{plan.needed} are needed to find a difference of {DIFFERENCE} g: {answer}",
            ),
        ),
        measures=(("eligible", plan.eligible), ("needed", plan.needed)),
    )


def result_table(results: Sequence[Result]) -> TableRecord:
    """A line per stratum, and one for all who were screened out."""
    values = {(one.group, one.column, one.statistic): one.value for one in results}
    rows = tuple(
        (
            STRATUM_NAMES[stratum],
            number(values[stratum, "", COUNT], 0),
            number(values[stratum, AGE, MEAN], 1),
            number(values[stratum, VISITS, MEDIAN], 0),
            number(values[stratum, WEIGHT, MEAN], 0),
            root(values[stratum, WEIGHT, VARIANCE], 0),
        )
        for stratum in (*STRATA, OUT)
    )
    return TableRecord(
        title="联合筛选结果 Patients by stratum over three hospitals",
        columns=(
            "分层：每日吸烟、胎次\nstratum: cigarettes a day, child",
            "人数\npatients",
            "平均年龄\nage",
            "产检中位数\nvisits",
            "平均体重 g\nweight",
            "标准差\ns.d.",
        ),
        rows=rows,
    )
