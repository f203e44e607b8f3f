"""A scenario of joint statistics: three suppliers, one question, all stages in order.

A scenario gives its Plot: the data, the question, and the words of its parties.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from scenarios.cast import cast_of
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
    "processes, keys and files of its own; no part is simulated, but for payments: papers stand "
    "for the receipts of a bank"
)
RUN_ID_BYTES = 2  # so that a network can be used for several runs


@dataclass(frozen=True, slots=True)
class Plot:
    """What a scenario of joint statistics has of its own."""

    name: str
    holding: str  # what its data sets are called in ids
    collection: Collection
    wanted: Wanted
    terms: Terms
    question: Question
    made: Made
    agreed: Agreed


def play(plot: Plot, consortium: Consortium, teller: Teller) -> RunRecord:
    """Play it on a running network. Raises ScenarioFailed or the errors of clients."""
    run_id = secrets.token_hex(RUN_ID_BYTES)
    suppliers = len(plot.collection.holdings)
    cast = cast_of(consortium, run_id, holding=plot.holding, suppliers=suppliers)
    script = Script(plot.name, run_id, consortium, teller)
    with script.during(Stage.AGGREGATION):
        aggregation(script, cast, plot.collection, plot.wanted)
    with script.during(Stage.AUTHORIZATION):
        authorization(script, cast, plot.terms)
        tariff(script, cast)
    with script.during(Stage.DEVELOPMENT):
        developed = development(script, cast, plot.collection, plot.question, plot.made)
    with script.during(Stage.DELIVERY):
        delivery(script, cast, developed.content, plot.agreed)
        answered = use(script, cast, developed.results, plot.agreed)
        settlement(script, cast, answered)
    with script.during(Stage.OVERSIGHT):
        oversight(script, cast, plot.terms.algorithms[0])
    script.finding("product", cast.product)
    script.finding("setting", SETTING)
    return script.record()
