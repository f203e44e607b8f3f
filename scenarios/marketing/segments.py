"""The model of who takes the train, and which segments a campaign should reach."""

from __future__ import annotations

from collections.abc import Sequence

from executors.mpc.program import COUNT, MEAN
from executors.mpc.results import Result
from scenarios.grid import Levels, label_of
from scenarios.marketing.data import CHOICE, COST, GRID, SEGMENTS, WAIT
from scenarios.papers import Json
from scenarios.record import TableRecord
from scenarios.response import Model, Tally, beside, model_of, tally_results
from scenarios.script import Told
from scenarios.stages.development import Derived
from scenarios.tables import SUPPRESSED

SEGMENT_COLUMNS = ("家庭收入\nincome", "同行\nparty")


def result_table(results: Sequence[Result]) -> TableRecord:
    """A line per segment and choice, as the engine counted them."""
    counts = GRID.read(results, "", COUNT)
    costs, waits = GRID.read(results, COST, MEAN), GRID.read(results, WAIT, MEAN)
    return TableRecord(
        title="联合统计结果 Joint statistics: travellers, what they paid and how long they waited",
        columns=(*SEGMENT_COLUMNS, "选择\nchoice", "人数\ncount", "费用\ncost", "候车\nwait"),
        rows=tuple(
            (
                *GRID.reading(cell),
                _shown(counts, cell, 0),
                _shown(costs, cell, 1),
                _shown(waits, cell, 1),
            )
            for cell in GRID.cells
        ),
    )


def derive(results: Sequence[Result], rows: Tally) -> Derived:
    """The model from joint counts beside the one from all `rows`; the segments it aims at."""
    tally = tally_results(GRID, results)
    model = model_of(GRID, tally)
    aimed = targets(model, tally)
    compared = beside(model, tally, model_of(GRID, rows))
    return Derived(
        told=Told(
            "fits a model of who takes the train to the joint counts",
            "用户建模",
            (
                ("counted", f"{sum(tally.trials)} travellers in {len(tally.segments)} segments"),
                ("terms", str(len(model.fit.terms))),
            ),
        ),
        content=content(model, aimed),
        tables=(model_table(model, tally),),
        findings=(
            ("targets", f"{len(aimed)} of {len(SEGMENTS.cells)} segments: {_names(aimed)}"),
            (
                "model",
                f"logistic, {len(model.fit.terms)} terms from {sum(tally.trials)} travellers; "
                f"{compared.said}",
            ),
        ),
        measures=(("model_gap_in_standard_errors", compared.gap),),
    )


def ranked(model: Model) -> list[tuple[float, Levels]]:
    """Every segment with its propensity, likeliest first."""
    cells = SEGMENTS.cells
    return sorted(zip(model.propensity(cells), cells, strict=True), reverse=True)


def targets(model: Model, tally: Tally) -> tuple[Levels, ...]:
    """The segments in which the train is chosen more often than on the whole, likeliest first."""
    return tuple(cell for propensity, cell in ranked(model) if propensity > tally.rate)


def model_table(model: Model, tally: Tally) -> TableRecord:
    """A line per segment, likeliest first; lift is the propensity over the overall rate."""
    shares = {
        cell: hits / trials
        for cell, hits, trials in zip(tally.segments, tally.hits, tally.trials, strict=True)
    }
    return TableRecord(
        title=f"客群模型 Model of who takes the train; on the whole {tally.rate:.1%} do",
        columns=(*SEGMENT_COLUMNS, "实际\nobserved", "模型\nmodel", "提升度\nlift"),
        rows=tuple(
            (
                *SEGMENTS.reading(cell),
                f"{shares[cell]:.1%}" if cell in shares else SUPPRESSED,
                f"{propensity:.1%}",
                f"{propensity / tally.rate:.2f}",
            )
            for propensity, cell in ranked(model)
        ),
    )


def content(model: Model, aimed: Sequence[Levels]) -> dict[str, Json]:
    """What the product holds of the model."""
    return {
        "model": {
            "kind": f"logistic regression on joint counts: log odds of {CHOICE.name}=train",
            "terms": model.fit.texts(),
        },
        "targets": [label_of(cell) for cell in aimed],
    }


def _shown(values: dict[Levels, float], cell: Levels, places: int) -> str:
    return f"{values[cell]:,.{places}f}" if cell in values else SUPPRESSED


def _names(cells: Sequence[Levels]) -> str:
    return "; ".join(" ".join(SEGMENTS.reading(cell)) for cell in cells) or "none"
