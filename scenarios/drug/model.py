"""The developer's response model: fitted at home, committed to unseen, judged at home.

How many seizures a patient has in two weeks: the log of the mean is linear in severity before and
treatment (quasi-Poisson regression; McCullagh and Nelder 1989, section 6.2). It is fitted to the
developer's own patients. Nobody else ever has the model: what is on the chain is the SM3 of its
document, which holds a random salt, since the digest of a few numbers alone could be guessed. Being
committed to before the hospitals compute, the model cannot be tuned to what came out.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from statistics import mean, variance

import numpy as np

from executors.mpc.program import COUNT, MEAN, VARIANCE
from executors.mpc.results import Result
from scenarios.drug.data import ARM, DRUG, GRID, SEIZURES, Period
from scenarios.glm import Fit, fit_poisson
from scenarios.grid import Levels
from scenarios.papers import document
from scenarios.record import ScenarioFailed, TableRecord
from scenarios.tables import SUPPRESSED

MODEL_FORM = "shuxin response model 1"
SALT_SIZE = 32
NORMAL_95 = 1.96  # standard errors on either side of a 95 percent interval
EFFECT = f"{ARM.name}={DRUG}"  # the term that says what the drug does


@dataclass(frozen=True, slots=True)
class Moments:
    """What a model needs to know of the rows of one cell."""

    rows: float
    mean: float
    variance: float  # of the sample

    @property
    def error(self) -> float:
        """The standard error of the mean, as if rows were independent."""
        return sqrt(max(self.variance, 0.0) / self.rows)  # a fixed-point 0 may come out below it


@dataclass(frozen=True, slots=True)
class Cohort:
    """What the model says of one cell, and what the hospitals saw; None where suppressed."""

    cell: Levels
    predicted: float  # seizures in two weeks
    seen: Moments | None

    @property
    def gap(self) -> float | None:
        """How far the hospitals' mean is from the model, in standard errors of the mean.

        None where nothing was seen, or nothing that varies.
        """
        seen = self.seen
        if seen is None or seen.error == 0:
            return None
        return (seen.mean - self.predicted) / seen.error


def fit_own(periods: Sequence[Period]) -> Fit:
    """The model of some patients. Raises ScenarioFailed when they determine none."""
    seen: dict[Levels, list[int]] = {}
    for one in periods:
        seen.setdefault(one.cell, []).append(one.seizures)
    return _fitted(
        {
            cell: Moments(len(counts), mean(counts), variance(counts) if len(counts) > 1 else 0.0)
            for cell, counts in seen.items()
        }
    )


def fit_joint(results: Sequence[Result]) -> Fit:
    """The same model from the joint statistics: what the hospitals' patients say."""
    return _fitted(moments_of(results))


def moments_of(results: Sequence[Result]) -> dict[Levels, Moments]:
    """The joint statistics by cell, without the suppressed cells."""
    rows, means, variances = (
        GRID.read(results, column, statistic)
        for column, statistic in (("", COUNT), (SEIZURES, MEAN), (SEIZURES, VARIANCE))
    )
    return {cell: Moments(rows[cell], means[cell], variances[cell]) for cell in rows}


def model_document(fit: Fit) -> bytes:
    """The model as it is kept and committed to, with a salt of its own."""
    return document(
        {
            "form": MODEL_FORM,
            "document": "疗效模型 response model, in confidence",
            "kind": "Poisson regression: log of the mean of seizures in two weeks",
            "terms": {term: repr(v) for term, v in zip(fit.terms, fit.values, strict=True)},
            "errors": {term: repr(v) for term, v in zip(fit.terms, fit.errors, strict=True)},
            "salt": secrets.token_hex(SALT_SIZE),
        }
    )


def read_model(content: bytes) -> Fit:
    """The model in its document. Raises ScenarioFailed."""
    try:
        read = json.loads(content)
        if read["form"] != MODEL_FORM:
            raise ValueError("another form")
        values = tuple(float(read["terms"][term]) for term in GRID.terms)
        errors = tuple(float(read["errors"][term]) for term in GRID.terms)
        if not all(map(isfinite, (*values, *errors))):
            raise ValueError("a term is no number")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ScenarioFailed(f"the response model cannot be read: {error!r}") from None
    return Fit(GRID.terms, values, errors)


def judge(model: Fit, results: Sequence[Result]) -> tuple[Cohort, ...]:
    """What the model says of each cell beside what the joint computation found."""
    found = moments_of(results)
    predicted = np.exp(model.linear(GRID.design(GRID.cells))).tolist()
    return tuple(
        Cohort(cell, says, found.get(cell))
        for cell, says in zip(GRID.cells, predicted, strict=True)
    )


def judgement_table(cohorts: Sequence[Cohort]) -> TableRecord:
    """A line per cell."""
    return TableRecord(
        title="模型核验 Seizures in two weeks: the developer's model beside the hospitals",
        columns=(
            "发作史\nbefore",
            "用药\ntreatment",
            "期数\nrows",
            "实测\nobserved",
            "标准误\ns.e.",
            "模型\nmodel",
            "偏差\nin s.e.",
        ),
        rows=tuple((*GRID.reading(one.cell), *_judged(one)) for one in cohorts),
    )


def _judged(one: Cohort) -> tuple[str, ...]:
    seen, says = one.seen, f"{one.predicted:.2f}"
    gap = SUPPRESSED if one.gap is None else f"{one.gap:+.1f}"
    if seen is None:
        return SUPPRESSED, SUPPRESSED, SUPPRESSED, says, gap
    return f"{seen.rows:.0f}", f"{seen.mean:.2f}", f"{seen.error:.2f}", says, gap


def effect_table(model: Fit, joint: Fit) -> TableRecord:
    """The drug's effect as a ratio of means: below 1 there are fewer seizures."""
    return TableRecord(
        title="疗效 Effect of the drug: ratio of seizures, progabide over placebo",
        columns=("来源\nfrom", "比值\nratio", "95% 区间\ninterval"),
        rows=tuple(
            (name, *_effect(fit)) for name, fit in (("自有 own", model), ("联合 joint", joint))
        ),
    )


def effect_of(fit: Fit) -> tuple[float, float, float]:
    """The ratio and its 95 percent interval.

    The interval allows for counts that vary more than Poisson counts do, and takes the periods of
    one patient as independent, which they are not quite: joint statistics do not tell patients.
    """
    place = fit.terms.index(EFFECT)
    value, error = fit.values[place], fit.errors[place]
    low, high = (np.exp(value + sign * NORMAL_95 * error) for sign in (-1, 1))
    return float(np.exp(value)), float(low), float(high)


def _effect(fit: Fit) -> tuple[str, str]:
    ratio, low, high = effect_of(fit)
    return f"{ratio:.2f}", f"{low:.2f} to {high:.2f}"


def _fitted(moments: Mapping[Levels, Moments]) -> Fit:
    """Fitted by quasi-likelihood: errors are widened by what counts vary more than Poisson's."""
    cells = [cell for cell in GRID.cells if cell in moments]
    rows = np.array([moments[cell].rows for cell in cells])
    means = np.array([moments[cell].mean for cell in cells])
    variances = np.array([moments[cell].variance for cell in cells])
    fit = fit_poisson(GRID.terms, GRID.design(cells), rows * means, rows)
    expected = np.exp(fit.linear(GRID.design(cells)))
    # Pearson's statistic over rows: squares within cells, and of cells around the model.
    squares = ((rows - 1) * variances + rows * (means - expected) ** 2) / expected
    freedom = float(rows.sum()) - len(GRID.terms)
    widened = sqrt(float(squares.sum()) / freedom) if freedom > 0 else 1.0
    return Fit(fit.terms, fit.values, tuple(error * widened for error in fit.errors))
