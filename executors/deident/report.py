"""The figures of a file as a report (去标识化评估报告): JSON that is the same for equal figures.

It names columns and counts and no value, so that it may be shown to whoever has to judge. Its SM3
is what an assessment on the chain names.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from executors.deident import plan as plans
from executors.deident.measure import WHOLE, Figures, level_of, ppm
from executors.deident.plan import Plan
from executors.errors import ExecutorError

FORM: Final = "shuxin de-identification report 1"
RULE: Final = (
    "1: direct identifiers can be read; 2: none, but risk_max_ppm above threshold_ppm; "
    "3: none, and risk_max_ppm within it; 4: aggregates alone, smallest group within it"
)
REPORT_SIZE_MAX: Final = 1 << 20  # bytes


class ReportInvalid(ExecutorError):
    """A file is no report of a measurement; the text says why."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What an assessment takes from a report."""

    digest: bytes
    level: int
    k: int
    risk_mean_ppm: int
    threshold_ppm: int
    methods: tuple[str, ...]


def methods_of(plan: Plan) -> tuple[str, ...]:
    """By what the file became what it is, as far as its plan says."""
    if plan.kind == plans.GROUPS:
        return ("statistics",)
    names = {one.treatment.name for one in plan.columns.values()} - {"keep"}
    general = {"range", "prefix", "month", "year"}
    found = {"generalize" if name in general else name for name in names}
    return (*sorted(found), "k-anonymity")


def report_of(figures: Figures, plan: Plan, plan_digest: bytes) -> bytes:
    """The report in canonical JSON."""
    content = {
        "form": FORM,
        "kind": plan.kind,
        "file_sm3": figures.digest.hex(),
        "plan_sm3": plan_digest.hex(),
        "rows": figures.rows,
        "classes": figures.classes,
        "k": figures.k,
        "k_wanted": plan.k,
        "rows_below_k_ppm": figures.below_ppm,
        "risk_max_ppm": figures.risk_max_ppm,
        "risk_mean_ppm": figures.risk_mean_ppm,
        "threshold_ppm": plan.threshold_ppm,
        "level": figures.level,
        "level_rule": RULE,
        "methods": list(methods_of(plan)),
        "columns": {name: column.kind for name, column in plan.columns.items()},
        "allowed": {
            name: sorted(column.allowed) for name, column in plan.columns.items() if column.allowed
        },
        "sensitive": [
            {
                "column": one.column,
                "l": one.diversity,
                "t_ppm": one.closeness_ppm,
                "distance": one.distance,
            }
            for one in figures.sensitive
        ],
        "identifiers_left": [
            {"column": column, "cells": cells} for column, cells in figures.identifiers
        ],
        "findings": [
            {"column": one.column, "kind": one.kind, "cells": one.cells} for one in figures.findings
        ],
    }
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, indent=1)
    return text.encode() + b"\n"


def parse_report(data: bytes) -> Measured:
    """What an assessment takes from a report; figures that contradict each other are refused.

    Raises ReportInvalid.
    """
    if len(data) > REPORT_SIZE_MAX:
        raise ReportInvalid(f"over {REPORT_SIZE_MAX >> 20} MiB is no report")
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        raise ReportInvalid("it is not JSON: give the report that `measure` wrote") from None
    if not isinstance(content, dict) or content.get("form") != FORM:
        raise ReportInvalid("it is no report: give what `shuxin deidentify measure` wrote")
    numbers = ("level", "k", "risk_max_ppm", "risk_mean_ppm", "threshold_ppm")
    level, k, risk, mean, threshold = (_number(content, name) for name in numbers)
    methods = content.get("methods")
    digest = content.get("file_sm3")
    if not isinstance(methods, list) or not all(isinstance(one, str) for one in methods):
        raise ReportInvalid("methods: it was changed; measure again")
    if not isinstance(digest, str) or len(digest) != 64:
        raise ReportInvalid("file_sm3: it was changed; measure again")
    is_identified = bool(content.get("identifiers_left") or content.get("findings"))
    is_grouped = content.get("kind") == plans.GROUPS
    wanted = level_of(is_identified, risk, threshold, is_grouped=is_grouped)
    if k < 1 or risk != ppm(1, k) or not 0 < mean <= WHOLE or level != wanted:
        raise ReportInvalid("its figures contradict each other: it was changed; measure again")
    try:
        return Measured(bytes.fromhex(digest), level, k, mean, threshold, tuple(methods))
    except ValueError:
        raise ReportInvalid("file_sm3: it was changed; measure again") from None


def _number(content: dict[str, object], name: str) -> int:
    value = content.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ReportInvalid(f"{name}: it was changed; measure again")
