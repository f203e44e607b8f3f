"""The statistics as one JAX function, to be compiled for SPU; and nothing that touches a secret.

Imported only inside the engine's subprocess: it needs jax. Everything is chosen for the protocol:

- Columns are whole numbers, so sums, counts and quantiles are exact in the ring.
- Groups are masks from one comparison per group and row; a sum by group is one matrix product.
- Quantiles of all groups come from one sort of a column: the key is (group, value), so that each
  group is a stretch of the sorted keys; where a rank falls is found by comparing public positions
  with a secret bound, and the value there is picked by a matrix product. No index, count or
  group size is ever opened.
- Padding rows carry the code `group_count`: they match no mask and sort behind all groups.

Error bounds (fixed point, 40 fraction bits; absolute ones in units of the scaled column, so
multiply by 10^-decimals, or its square for a variance; shift = max(0, bits - 20)):

    sum, count, quantiles   none
    mean                    relative 2^-36, and absolute 2^-36 * row bound / count
    variance                relative 2^-35, and absolute 2^-34 * 4^shift * row bound / count

The division is Goldschmidt's with five iterations: the default two leave a relative error of 2e-4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from executors.mpc.layout import variance_shift
from executors.mpc.program import (
    MEAN,
    SUM,
    VARIANCE,
    Measure,
    Quantile,
    StatisticsProgram,
    ranks_of,
)


@dataclass(frozen=True, slots=True)
class Frame:
    """What all measures of one program share: codes and masks of all rows."""

    codes: jax.Array  # (rows,) group codes, group_count for padding
    member: jax.Array  # (groups, rows) booleans
    masks: jax.Array  # (groups, rows) the same as 0 or 1
    counts: jax.Array  # (groups,)
    shown: jax.Array  # (groups,) 0 or 1: large enough to be published


def function_of(program: StatisticsProgram) -> Callable[..., tuple[jax.Array, jax.Array]]:
    """The function of (codes of each party..., values of each party for each measure...).

    Its outputs are one vector of whole numbers and one of fixed-point numbers; `layout` says
    where each statistic is. The first `group_count` whole numbers are the flags `shown`.
    """
    parties = len(program.rows)

    def statistics(*inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
        frame = _frame(program, jnp.concatenate(inputs[:parties]))
        whole = [frame.shown]
        fixed: list[jax.Array] = []
        if program.counts:
            whole.append(frame.counts * frame.shown)
        for index, measure in enumerate(program.measures):
            start = parties * (index + 1)
            values = jnp.concatenate(inputs[start : start + parties])
            _append(measure, program, frame, values, whole, fixed)
        fixed = fixed or [_placeholder(frame)]  # an output may not be missing
        return jnp.concatenate(whole), jnp.concatenate(fixed)

    return statistics


def _frame(program: StatisticsProgram, codes: jax.Array) -> Frame:
    groups = jnp.arange(program.group_count, dtype=jnp.int64)
    member = groups[:, None] == codes[None, :]
    masks = member.astype(jnp.int64)
    counts = masks.sum(axis=1)
    shown = (counts >= program.group_size_min).astype(jnp.int64)
    return Frame(codes, member, masks, counts, shown)


def _placeholder(frame: Frame) -> jax.Array:
    """Fixed-point numbers that nobody reads, where nothing else is one; they tell what flags tell.

    A flag alone leaves the engine as shared bits, which are no additive share: a product does not.
    """
    shown = frame.shown.astype(jnp.float64)
    return shown * shown


def _append(
    measure: Measure,
    program: StatisticsProgram,
    frame: Frame,
    values: jax.Array,
    whole: list[jax.Array],
    fixed: list[jax.Array],
) -> None:
    sums = frame.masks @ values
    if SUM in measure.statistics:
        whole.append(sums * frame.shown)
    if MEAN in measure.statistics or VARIANCE in measure.statistics:
        shown = frame.shown.astype(jnp.float64)
        means = _ratio(sums.astype(jnp.float64), frame.counts, program)
        if MEAN in measure.statistics:
            fixed.append(means * shown)
        if VARIANCE in measure.statistics:
            fixed.append(_variances(measure, program, frame, values, means) * shown)
    ranks = ranks_of(measure)
    if ranks:
        keys = _sorted_keys(measure, frame.codes, values)
        whole.extend(
            _quantiles(rank, measure, program, frame, keys) * frame.shown for rank in ranks
        )


def _ratio(above: jax.Array, below: jax.Array, program: StatisticsProgram) -> jax.Array:
    """above / below, `below` at most the rows. Both are scaled to where a reciprocal is exact."""
    scale = 1.0 / (1 << program.row_total.bit_length())
    return (above * scale) / (below.astype(jnp.float64) * scale)


def _variances(
    measure: Measure,
    program: StatisticsProgram,
    frame: Frame,
    values: jax.Array,
    means: jax.Array,
) -> jax.Array:
    """Two passes, around the mean: no large squares cancel, and its error counts only squared.

    The result is that of columns scaled by 2^-shift (see `layout.variance_shift`), so that a
    square fits the ring. Masks select; to multiply by them would cost 40 bits of range.
    """
    centers = jnp.where(frame.member, means[:, None], 0.0).sum(axis=0)
    deviations = (values.astype(jnp.float64) - centers) * (1.0 / (1 << variance_shift(measure)))
    squares = jnp.where(frame.member, (deviations * deviations)[None, :], 0.0).sum(axis=1)
    return _ratio(squares, frame.counts - 1, program)


def _sorted_keys(measure: Measure, codes: jax.Array, values: jax.Array) -> jax.Array:
    """All rows as one ascending list of code * 2^(bits + 1) + value + 2^bits."""
    return jnp.sort(codes * (1 << (measure.bits + 1)) + values + (1 << measure.bits))


def _quantiles(
    rank: Quantile,
    measure: Measure,
    program: StatisticsProgram,
    frame: Frame,
    keys: jax.Array,
) -> jax.Array:
    """`parts` times the quantile of each group: a whole number, so interpolation is exact."""
    rows = program.row_total
    offsets = jnp.cumsum(frame.counts) - frame.counts
    bounds = (frame.counts - 1) * rank.part + offsets * rank.parts
    positions = jnp.arange(rows, dtype=jnp.int64) * rank.parts
    reached = (positions[None, :] <= bounds[:, None]).astype(jnp.int64)
    here = reached - jnp.concatenate(
        [reached[:, 1:], jnp.zeros((reached.shape[0], 1), jnp.int64)], axis=1
    )
    following = jnp.concatenate([keys[1:], keys[-1:]])
    picked = here @ jnp.stack([keys, following], axis=1)
    below, above = picked[:, 0], picked[:, 1]
    remainder = bounds - (reached.sum(axis=1) - 1) * rank.parts
    base = jnp.arange(program.group_count, dtype=jnp.int64) * (1 << (measure.bits + 1))
    value = below - base - (1 << measure.bits)
    return value * rank.parts + (above - below) * remainder
