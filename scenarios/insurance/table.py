"""What the consumer asked for, as a table of the story."""

from __future__ import annotations

from collections.abc import Sequence

from executors.mpc.program import COUNT, MEAN, MEDIAN, SUM, VARIANCE
from executors.mpc.results import Result
from scenarios.insurance.data import PLAN_NAMES, PLANS
from scenarios.insurance.program import CLAIMS, UPPER, VISITS
from scenarios.record import TableRecord
from scenarios.tables import number, root


def result_table(results: Sequence[Result]) -> TableRecord:
    """A line per plan."""
    values = {(one.group, one.column, one.statistic): one.value for one in results}
    ninth = str(UPPER[-1])
    rows = tuple(
        (
            PLAN_NAMES[plan],
            number(values[plan, "", COUNT], 0),
            number(values[plan, CLAIMS, SUM], 0),
            number(values[plan, CLAIMS, MEAN], 2),
            root(values[plan, CLAIMS, VARIANCE], 2),
            number(values[plan, CLAIMS, MEDIAN], 2),
            number(values[plan, CLAIMS, ninth], 2),
            number(values[plan, VISITS, MEAN], 3),
            number(values[plan, VISITS, MEDIAN], 1),
        )
        for plan in PLANS
    )
    return TableRecord(
        title="联合统计结果 Joint statistics: yearly claims per person in dollars; visits",
        columns=(
            "保险计划\nplan",
            "人年\nyears",
            "总额\ntotal",
            "均值\nmean",
            "标准差\ns.d.",
            "中位数\nmedian",
            "九成位\n90 %",
            "门诊均值\nvisits",
            "中位数\nmedian",
        ),
        rows=rows,
    )
