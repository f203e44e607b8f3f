"""授权: without a grant nothing runs; the manager issues one, and nobody else can (6.3, 8.1.1)."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.values import Value
from scenarios import papers
from scenarios.cast import DAY_MS, Cast, now_ms
from scenarios.script import Script, Told

UNGRANTED_ALGORITHM = "rows/1"  # what nobody is granted: the rows themselves
UNGRANTED_PROGRAM = b"select *"


@dataclass(frozen=True, slots=True)
class Terms:
    """What the operator may do with the data sets of the cast, and why the manager lets it."""

    scenario: str
    algorithms: tuple[str, ...]
    uses: int
    days: int
    grounds: str


def authorization(script: Script, cast: Cast, terms: Terms) -> None:
    """Two attempts without a grant are refused, the grant is issued, its limits hold."""
    issued: list[Value] = [
        cast.grant,
        cast.demand,
        cast.operator.party,
        terms.scenario,
        list[Value](cast.datasets),
        list[Value](terms.algorithms),
        now_ms() + terms.days * DAY_MS,
        terms.uses,
    ]
    script.refused(
        cast.operator,
        Told("tries to start a task before anything is granted", "未经授权"),
        "task.create",
        *cast.order(cast.task, terms.algorithms[0], UNGRANTED_PROGRAM),
        code="grant.unknown",
    )
    script.refused(
        cast.operator,
        Told("tries to grant itself the data", "越权授权"),
        "grant.issue",
        *issued,
        code="grant.role",
    )
    script.call(
        cast.manager,
        Told(
            "grants the operator these data sets for this scenario",
            "授权",
            (
                ("grant", cast.grant),
                ("algorithm", ", ".join(terms.algorithms)),
                ("uses", str(terms.uses)),
                ("term", f"{terms.days} days"),
            ),
        ),
        "grant.issue",
        *issued,
    )
    decided = papers.decision(cast.grant, cast.demand, cast.datasets, terms.uses, terms.grounds)
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
