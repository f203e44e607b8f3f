"""A scenario of joint statistics: three suppliers, one question, all stages in order.

A scenario gives its Plot: the data, the question, and the words of its parties.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from scenarios.cast import Cast, cast_of
from scenarios.consortium import Consortium
from scenarios.record import RunRecord, Stage
from scenarios.script import Script, Teller
from scenarios.stages.aggregation import Collection, Wanted, aggregation
from scenarios.stages.authorization import Terms, authorization
from scenarios.stages.delivery import Agreed, delivery
from scenarios.stages.development import Made, Question, development
from scenarios.stages.oversight import oversight
from scenarios.stages.settlement import settlement
from scenarios.stages.tariff import tariff
from scenarios.stages.use import use

SETTING = (
    "all parties on one machine, over loopback; one program acts for all of them, each with "
    "processes, keys and files of its own; no process, key or protocol is simulated; payments are: "
    "papers stand for the receipts of a bank"
)
RUN_ID_BYTES = 2  # so that a network can be used for several runs


Act = Callable[[Script, Cast], None]


@dataclass(frozen=True, slots=True)
class Plot:
    """What a scenario of joint statistics has of its own.

    `limits` says what the use of Appendix A needs that this node has no engine for yet, and what
    is done instead; it is empty where nothing is missing. `acts` are played at the end of a stage.
    """

    name: str
    holding: str  # what its data sets are called in ids
    collection: Collection
    wanted: Wanted
    terms: Terms
    question: Question
    made: Made
    agreed: Agreed
    limits: str = ""
    acts: Mapping[Stage, Act] = field(default_factory=dict)


def play(plot: Plot, consortium: Consortium, teller: Teller) -> RunRecord:
    """Play it on a running network. Raises ScenarioFailed or the errors of clients."""
    run_id = secrets.token_hex(RUN_ID_BYTES)
    suppliers = len(plot.collection.holdings)
    cast = cast_of(consortium, run_id, holding=plot.holding, suppliers=suppliers)
    script = Script(plot.name, run_id, consortium, teller)
    stages(script, cast, plot)
    return script.record()


def stages(script: Script, cast: Cast, plot: Plot) -> None:
    """All stages in order, with the findings of the run."""
    with _stage(script, cast, plot, Stage.AGGREGATION):
        if plot.limits:
            script.remark(f"What is not there yet (局限): {plot.limits}.")
            script.finding("limits", plot.limits)
        scenario = plot.terms.scenario
        aggregation(script, cast, plot.collection, plot.wanted, scenario=scenario)
    with _stage(script, cast, plot, Stage.AUTHORIZATION):
        authorization(script, cast, plot.terms)
        tariff(script, cast)
    with _stage(script, cast, plot, Stage.DEVELOPMENT):
        developed = development(script, cast, plot.collection, plot.question, plot.made)
    with _stage(script, cast, plot, Stage.DELIVERY):
        delivery(script, cast, developed.content, plot.agreed)
        use(script, cast, developed.results, plot.agreed)
        settlement(script, cast, plot.agreed)
    with _stage(script, cast, plot, Stage.OVERSIGHT):
        oversight(script, cast, plot.terms.algorithms[0])
    script.finding("product", cast.product)
    script.finding("setting", SETTING)


@contextmanager
def _stage(script: Script, cast: Cast, plot: Plot, stage: Stage) -> Iterator[None]:
    """The stage as all scenarios have it, and what this one adds to its end."""
    with script.during(stage):
        yield
        act = plot.acts.get(stage)
        if act is not None:
            act(script, cast)
