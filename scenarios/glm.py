"""Models of counts in cells: logistic and Poisson regression by maximum likelihood.

Both need of the rows only how many there are in each cell and their total (McCullagh and Nelder,
Generalized Linear Models, 1989, sections 4 and 6), so a model that is fitted to joint counts is
the model that the pooled rows would give. Newton's method on a concave likelihood, with steps
halved until they climb.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from scenarios.papers import Json
from scenarios.record import ScenarioFailed

STEPS_MAX = 50  # a likelihood that has a maximum takes fewer than ten
STEP_MIN = 1e-10  # the largest change of a coefficient at which it is found
HALVINGS_MAX = 40  # a step that does not climb after so many is no direction at all
ROUNDING = 1e-12  # of a likelihood: near the top a step changes less than its sum is exact to
VALUE_MAX = 30.0  # odds of 1e13 to 1: a level in which nothing, or everything, was a hit

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Family:
    """A distribution with its canonical link; all three are functions of the linear predictor.

    `mean` and `variance` of one row are the first and second derivative of `cumulant`.
    """

    cumulant: Callable[[Vector], Vector]
    mean: Callable[[Vector], Vector]
    variance: Callable[[Vector], Vector]


@dataclass(frozen=True, slots=True)
class Fit:
    """The estimated coefficients on the scale of the link, with their standard errors."""

    terms: tuple[str, ...]
    values: tuple[float, ...]
    errors: tuple[float, ...]

    def texts(self) -> dict[str, Json]:
        """Each term with its value and standard error, as a document has them."""
        triples = zip(self.terms, self.values, self.errors, strict=True)
        return {term: [f"{value:.6f}", f"{error:.6f}"] for term, value, error in triples}

    def linear(self, design: Matrix) -> Vector:
        """The linear predictor for each row of a design with the same terms."""
        return np.asarray(design @ np.array(self.values), dtype=np.float64)


def fit_logit(terms: tuple[str, ...], design: Matrix, hits: Vector, trials: Vector) -> Fit:
    """The chance of a hit: log odds are linear in `design`. Raises ScenarioFailed."""
    share = _mean(terms, hits, trials)
    if share >= 1:
        raise _no_model(terms)
    return _newton(terms, design, hits, trials, LOGISTIC, log(share / (1 - share)))


def fit_poisson(terms: tuple[str, ...], design: Matrix, totals: Vector, rows: Vector) -> Fit:
    """The mean of a count per row: its log is linear in `design`. Raises ScenarioFailed."""
    return _newton(terms, design, totals, rows, POISSON, log(_mean(terms, totals, rows)))


def chance(linear: Vector) -> Vector:
    """Log odds as a probability."""
    return np.asarray(1.0 / (1.0 + np.exp(-linear)), dtype=np.float64)


LOGISTIC = Family(
    cumulant=lambda linear: np.logaddexp(0.0, linear),
    mean=chance,
    variance=lambda linear: chance(linear) * (1.0 - chance(linear)),
)
POISSON = Family(cumulant=np.exp, mean=np.exp, variance=np.exp)


def _newton(
    terms: tuple[str, ...],
    design: Matrix,
    totals: Vector,
    rows: Vector,
    family: Family,
    start: float,
) -> Fit:
    """From the overall mean, which is the first term; the other terms start at no effect."""

    def likelihood(values: Vector) -> float:
        linear = design @ values
        with np.errstate(over="ignore"):  # far off it is minus infinity, which is never taken
            return float(np.sum(totals * linear - rows * family.cumulant(linear)))

    values = np.zeros(len(terms))
    values[0] = start
    for _step in range(STEPS_MAX):
        linear = design @ values
        information = design.T @ ((rows * family.variance(linear))[:, None] * design)
        try:
            step = np.linalg.solve(information, design.T @ (totals - rows * family.mean(linear)))
        except np.linalg.LinAlgError:
            raise _no_model(terms) from None
        if float(np.max(np.abs(step))) < STEP_MIN:
            errors = np.sqrt(np.diag(np.linalg.inv(information)))
            return Fit(terms, tuple(values.tolist()), tuple(errors.tolist()))
        reached = likelihood(values)
        for _halving in range(HALVINGS_MAX):
            if likelihood(values + step) >= reached - ROUNDING * abs(reached):
                break
            step = step / 2
        values = values + step
        if not np.all(np.abs(values) < VALUE_MAX):
            raise _no_model(terms)
    raise _no_model(terms)


def _mean(terms: tuple[str, ...], totals: Vector, rows: Vector) -> float:
    """Of all rows together; a likelihood has no maximum where nothing happened at all."""
    if not rows.sum() > 0 or not totals.sum() > 0:
        raise _no_model(terms)
    return float(totals.sum() / rows.sum())


def _no_model(terms: tuple[str, ...]) -> ScenarioFailed:
    return ScenarioFailed(
        f"the counts determine no model of {', '.join(terms)}: too many cells are suppressed, or "
        "one level decides everything; ask about fewer levels or more rows"
    )
