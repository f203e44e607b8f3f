"""The tables of the story, from results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import sqrt

from executors.mpc.program import COUNT, MEAN, MEDIAN, SUM, VARIANCE
from executors.mpc.results import Result
from scenarios.insurance.comparison import Agreement
from scenarios.insurance.data import COLUMN_TEXTS, PLAN_NAMES, PLANS
from scenarios.insurance.program import CLAIMS, UPPER, VISITS
from scenarios.record import TableRecord

SUPPRESSED = "-"


def result_table(results: Sequence[Result]) -> TableRecord:
    """What the consumer asked for: a line per plan."""
    values = {(one.group, one.column, one.statistic): one.value for one in results}
    ninth = str(UPPER[-1])
    rows = tuple(
        (
            PLAN_NAMES[plan],
            _number(values[plan, "", COUNT], 0),
            _number(values[plan, CLAIMS, SUM], 0),
            _number(values[plan, CLAIMS, MEAN], 2),
            _root(values[plan, CLAIMS, VARIANCE]),
            _number(values[plan, CLAIMS, MEDIAN], 2),
            _number(values[plan, CLAIMS, ninth], 2),
            _number(values[plan, VISITS, MEAN], 3),
            _number(values[plan, VISITS, MEDIAN], 1),
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


def comparison_table(found: Sequence[Agreement]) -> TableRecord:
    """How far joint and pooled results are apart, at most over the plans."""
    rows = tuple(
        (
            _column_name(one.column),
            one.statistic,
            str(one.values),
            "0" if one.absolute == 0 else f"{one.absolute:.2e}",
            "0" if one.relative == 0 else f"{one.relative:.2e}",
            "相等 equal" if one.absolute == 0 else "在误差内 within bound",
        )
        for one in found
    )
    return TableRecord(
        title="与明文合并计算的差 Joint result minus plain computation over the pooled rows",
        columns=(
            "列\ncolumn",
            "统计量\nstatistic",
            "计划数\nplans",
            "绝对差\nabs.",
            "相对差\nrel.",
            "结论\nverdict",
        ),
        rows=rows,
    )


def resources_table(reports: Sequence[tuple[str, Mapping[str, int]]]) -> TableRecord:
    """What the run cost each party, as it reported it."""
    rows = tuple(
        (
            party,
            f"{spent.get('wall_ms', 0) / 1000:.1f} s",
            f"{spent.get('cpu_ms', 0) / 1000:.1f} s",
            f"{spent.get('memory_kib', 0) / 1024:,.0f} MB",
            f"{spent.get('bytes_sent', 0) / 1e6:,.1f} MB",
            f"{spent.get('bytes_received', 0) / 1e6:,.1f} MB",
        )
        for party, spent in reports
    )
    return TableRecord(
        title="执行器报告 What the run cost each executor",
        columns=(
            "执行器\nexecutor",
            "时间\nwall",
            "处理器\nCPU",
            "内存\nmemory",
            "发送\nsent",
            "接收\nreceived",
        ),
        rows=rows,
    )


def _column_name(column: str) -> str:
    """The Chinese word for a column beside its name in the data."""
    return f"{COLUMN_TEXTS[column].partition(' ')[0]} {column}" if column else "人年数 rows"


def _number(text: str, places: int) -> str:
    return f"{Decimal(text):,.{places}f}" if text else SUPPRESSED


def _root(text: str) -> str:
    return f"{sqrt(float(text)):,.2f}" if text else SUPPRESSED
