"""The run: all stages in order."""

from __future__ import annotations

import secrets

from scenarios.consortium import Consortium
from scenarios.insurance.aggregation import aggregation
from scenarios.insurance.authorization import authorization
from scenarios.insurance.cast import cast_of
from scenarios.insurance.delivery import delivery
from scenarios.insurance.development import development
from scenarios.insurance.oversight import oversight
from scenarios.record import RunRecord, Stage
from scenarios.script import Script, Teller

NAME = "insurance"
SETTING = (
    "all parties on one machine, over loopback; one program acts for all of them, each with "
    "processes, keys and files of its own; no part is simulated"
)
RUN_ID_BYTES = 2  # so that a network can be used for several runs


def run(consortium: Consortium, teller: Teller) -> RunRecord:
    """Play the scenario on a running network. Raises ScenarioFailed or the errors of clients."""
    cast = cast_of(consortium, secrets.token_hex(RUN_ID_BYTES))
    script = Script(NAME, cast.run_id, consortium, teller)
    with script.during(Stage.AGGREGATION):
        holdings = aggregation(script, cast)
    with script.during(Stage.AUTHORIZATION):
        authorization(script, cast)
    with script.during(Stage.DEVELOPMENT):
        developed = development(script, cast, holdings)
    with script.during(Stage.DELIVERY):
        delivery(script, cast, developed)
    with script.during(Stage.OVERSIGHT):
        oversight(script, cast)
    script.finding("product", cast.product)
    script.finding("setting", SETTING)
    return script.record()
