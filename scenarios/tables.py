"""Tables that every joint computation tells: how it compares, what it cost, what is on record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import sqrt

from scenarios.answers import field, list_of, record_of
from scenarios.comparison import Agreement
from scenarios.consortium import Member
from scenarios.record import TableRecord

SUPPRESSED = "-"
EVIDENCE_PAGE = 100


def comparison_table(found: Sequence[Agreement], texts: Mapping[str, str]) -> TableRecord:
    """How far joint and pooled results are apart, at most over the groups."""
    rows = tuple(
        (
            _column_name(one.column, texts),
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
            "组数\ngroups",
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


def evidence_table(reader: Member, subjects: Sequence[str]) -> TableRecord:
    """The evidence about these subjects, as `reader` gets it from the chain."""
    rows = [
        (
            field(record, "kind", str),
            field(record, "party", str),
            subject,
            field(record, "digest", bytes).hex()[:16] + "…",
            str(field(record, "height", int)),
        )
        for subject in subjects
        for record in map(
            record_of,
            list_of(reader.session.view("evidence", "list_by_subject", subject, 0, EVIDENCE_PAGE)),
        )
    ]
    return TableRecord(
        title=f"存证 Evidence of every stage, as the {reader.role} reads it from the chain",
        columns=("种类\nkind", "相关方\nparty", "对象\nsubject", "摘要\nSM3", "区块\nblock"),
        rows=tuple(rows),
    )


def number(text: str, places: int) -> str:
    """A result with so many decimals; a suppressed one is not shown."""
    return f"{Decimal(text):,.{places}f}" if text else SUPPRESSED


def root(text: str, places: int) -> str:
    """The standard deviation that belongs to a variance."""
    return f"{sqrt(float(text)):,.{places}f}" if text else SUPPRESSED


def _column_name(column: str, texts: Mapping[str, str]) -> str:
    """The Chinese word for a column beside its name in the data."""
    return f"{texts[column].partition(' ')[0]} {column}" if column else "行数 rows"
