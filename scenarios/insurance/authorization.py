"""授权: without a grant nothing runs; the manager issues one, and nobody else can (6.3, 8.1.1)."""

from __future__ import annotations

from executors.mpc.program import ALGORITHM
from ledger.values import Value
from scenarios.insurance import papers
from scenarios.insurance.cast import GRANT_TERM_MS, GRANT_USES, Cast, now_ms
from scenarios.script import Script, Told

UNGRANTED_ALGORITHM = "rows/1"  # what nobody is granted: the rows themselves
UNGRANTED_PROGRAM = b"select *"


def authorization(script: Script, cast: Cast) -> None:
    """Two attempts without a grant are refused, the grant is issued, its limits hold."""
    terms: list[Value] = [
        cast.grant,
        cast.demand,
        cast.operator.party,
        "smart insurance: claims by plan for pricing",
        list[Value](cast.datasets),
        [ALGORITHM],
        now_ms() + GRANT_TERM_MS,
        GRANT_USES,
    ]
    script.refused(
        cast.operator,
        Told("tries to start a task before anything is granted", "未经授权"),
        "task.create",
        *cast.order(cast.task, ALGORITHM, UNGRANTED_PROGRAM),
        code="grant.unknown",
    )
    script.refused(
        cast.operator,
        Told("tries to grant itself the data", "越权授权"),
        "grant.issue",
        *terms,
        code="grant.role",
    )
    script.call(
        cast.manager,
        Told(
            "grants the operator these data sets for this scenario",
            "授权",
            (
                ("grant", cast.grant),
                ("algorithm", ALGORITHM),
                ("uses", str(GRANT_USES)),
                ("term", "30 days"),
            ),
        ),
        "grant.issue",
        *terms,
    )
    decided = papers.decision(cast.grant, cast.demand, cast.datasets, GRANT_USES)
    script.call(
        cast.manager,
        Told("puts its decision on record", "授权存证"),
        "evidence.record",
        cast.evidence(2, cast.manager, "decision"),
        "authorization.decision",
        cast.grant,
        cast.manager.keep(f"decision-{cast.grant}.json", decided),
        "decision on authorization",
    )
    script.refused(
        cast.operator,
        Told("tries an algorithm that the grant does not name", "超出授权"),
        "task.create",
        *cast.order(cast.task, UNGRANTED_ALGORITHM, UNGRANTED_PROGRAM),
        code="grant.algorithm",
    )
