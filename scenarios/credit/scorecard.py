"""The scorecard from joint counts, and what the government reads for investment promotion.

Points are the usual scale of credit scoring: BASE points at odds of ODDS repaid loans to one
overdue, and DOUBLING points more for double the odds (Siddiqi, Credit Risk Scorecards, 2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from executors.mpc.program import COUNT, SUM
from executors.mpc.results import Result
from scenarios.credit.data import GRID, GROWN, LOAN, OVERDUE, OVERDUE_LEVEL, SECTOR
from scenarios.grid import Levels
from scenarios.papers import Json
from scenarios.record import TableRecord
from scenarios.response import Model, Tally, auc, beside, model_of, tally_results
from scenarios.script import Told
from scenarios.stages.development import Derived
from scenarios.tables import SUPPRESSED

BASE = 600
ODDS = 20
DOUBLING = 20
_FACTOR = DOUBLING / log(2)


def derive(results: Sequence[Result], rows: Tally) -> Derived:
    """The scorecard from joint counts, beside the one from all `rows` and the planted terms."""
    tally = tally_results(GRID, results)
    model, whole = model_of(GRID, tally), model_of(GRID, rows)
    compared = beside(model, tally, whole)
    # How well scores tell loans apart is asked of all rows, those of suppressed segments, too.
    power, best = (auc(one.propensity(rows.segments), rows) for one in (model, whole))
    return Derived(
        told=Told(
            "fits a scorecard to the joint counts",
            "企业信用评价模型",
            (
                ("counted", f"{sum(tally.trials):,} firms in {len(tally.segments)} segments"),
                ("terms", str(len(model.fit.terms))),
            ),
        ),
        content=content(model),
        tables=(scorecard_table(model), planted_table(model)),
        findings=(
            (
                "model",
                f"scorecard from {sum(tally.trials):,} generated firms; {compared.said}; AUC "
                f"{power:.4f}, of the model over all rows {best:.4f}",
            ),
        ),
        measures=(("model_gap_in_standard_errors", compared.gap), ("auc", power)),
    )


def points(log_odds: float) -> float:
    """The score at these log odds of being overdue."""
    return BASE - _FACTOR * (log(ODDS) + log_odds)


def point_list(model: Model) -> list[tuple[str, str, int]]:
    """Factor, level and points: where to start, and what each level adds to it."""
    values = dict(zip(model.fit.terms, model.fit.values, strict=True))
    found = [("", "", round(points(model.fit.values[0])))]
    for factor in model.grid.factors:
        for level in factor.levels:
            added = -_FACTOR * values.get(f"{factor.name}={level}", 0.0)
            found.append((factor.name, level, round(added)))
    return found


def scorecard_table(model: Model) -> TableRecord:
    """A line per level."""
    words = {factor.name: factor.levels for factor in model.grid.factors}
    return TableRecord(
        title=(
            f"信用评分卡 Scorecard: {BASE} points at {ODDS} repaid to 1 overdue, {DOUBLING} more "
            "for double the odds"
        ),
        columns=("特征\nproperty", "分值\npoints"),
        rows=tuple(
            (words[name][level] if name else "起点 start", f"{worth:+d}" if name else str(worth))
            for name, level, worth in point_list(model)
        ),
    )


def planted_table(model: Model) -> TableRecord:
    """What was planted in the generated rows, and what came out."""
    fit = model.fit
    return TableRecord(
        title="与生成模型对照 Terms that were planted in the generated data, and as estimated",
        columns=("项\nterm", "设定\nplanted", "估计\nestimate", "标准误\ns.e.", "偏差\nin s.e."),
        rows=tuple(
            (
                term,
                f"{OVERDUE[term]:.2f}",
                f"{value:.3f}",
                f"{error:.3f}",
                f"{(value - OVERDUE[term]) / error:+.1f}",
            )
            for term, value, error in zip(fit.terms, fit.values, fit.errors, strict=True)
        ),
    )


def result_table(results: Sequence[Result]) -> TableRecord:
    """A line per sector, as investment promotion reads it; suppressed cells are left out."""
    counts = GRID.read(results, "", COUNT)
    loans = GRID.read(results, LOAN, SUM)
    grown = GRID.read(results, GROWN, SUM)
    rows = []
    for sector, words in SECTOR.levels.items():
        cells = [cell for cell in counts if cell[0] == sector]
        overdue = [cell for cell in cells if cell[-1] == OVERDUE_LEVEL]
        firms = _total(counts, cells)
        rows.append(
            (
                words,
                f"{firms:,.0f}",
                _share(_total(grown, cells), firms, ".1f"),
                f"{_total(loans, cells):,.0f}",
                _share(_total(counts, overdue), firms, ".1%"),
                _share(_total(loans, overdue), _total(loans, cells), ".1%"),
            )
        )
    return TableRecord(
        title="联合统计结果 Joint statistics by sector, for investment promotion; generated firms",
        columns=(
            "行业\nsector",
            "企业数\nfirms",
            "营收增长%\ngrowth",
            "贷款万元\nloans",
            "逾期户\noverdue",
            "逾期额\nof loans",
        ),
        rows=tuple(rows),
    )


def content(model: Model) -> dict[str, Json]:
    """What the product holds beside the joint results."""
    return {
        "model": {
            "kind": "scorecard: logistic regression on joint counts of loans repaid and overdue",
            "scale": {"base": BASE, "odds": ODDS, "doubling": DOUBLING},
            "points": [[name, level, worth] for name, level, worth in point_list(model)],
            "terms": model.fit.texts(),
        }
    }


def _total(values: dict[Levels, float], cells: Sequence[Levels]) -> float:
    return sum(values[cell] for cell in cells)


def _share(part: float, whole: float, form: str) -> str:
    """Not shown where there is no whole: all cells of a sector are suppressed."""
    return format(part / whole, form) if whole else SUPPRESSED
