"""授权: without a grant nothing runs; manager and operator both sign it (6.3, 8.1.1)."""

from __future__ import annotations

from dataclasses import dataclass

from client.grant_terms import terms_digest
from ledger.values import Value
from scenarios import papers
from scenarios.cast import DAY_MS, Cast, now_ms
from scenarios.consortium import Member
from scenarios.record import ScenarioFailed
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
    outputs: tuple[str, ...] = ("statistics",)
    permissions: tuple[str, ...] = ("derive",)  # actions of ODRL 2.2, as the next two
    prohibitions: tuple[str, ...] = ("distribute", "extract")
    duties: tuple[str, ...] = ("delete",)


def authorization(script: Script, cast: Cast, terms: Terms) -> None:
    """Two attempts without a grant are refused, both sides sign one, its limits hold."""
    script.refused(
        cast.operator,
        Told("tries to start a task before anything is granted", "未经授权"),
        "task.create",
        *cast.order(cast.task, terms.algorithms[0], UNGRANTED_PROGRAM),
        code="grant.unknown",
    )
    script.call(
        cast.operator,
        Told(
            "requests these data sets for this scenario",
            "申请授权",
            (
                ("grant", cast.grant),
                ("algorithm", ", ".join(terms.algorithms)),
                ("output", ", ".join(terms.outputs)),
                ("uses", str(terms.uses)),
                ("term", f"{terms.days} days"),
            ),
        ),
        "grant.request",
        *_request(cast, terms),
    )
    script.refused(
        cast.operator,
        Told("tries to grant itself the data", "越权授权"),
        "grant.decide",
        *(cast.grant, True, "", _digest(cast.operator, cast.grant)),
        code="grant.role",
    )
    script.call(cast.manager, Told("takes the request up", "授权受理"), "grant.review", cast.grant)
    script.call(
        cast.manager,
        Told("grants the operator these data sets for this scenario", "授权"),
        "grant.decide",
        *(cast.grant, True, terms.grounds, _digest(cast.manager, cast.grant)),
    )
    script.call(
        cast.operator,
        Told("countersigns the terms: the grant is in force", "会签"),
        "grant.accept",
        *(cast.grant, _digest(cast.operator, cast.grant)),
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


def _request(cast: Cast, terms: Terms) -> list[Value]:
    """The arguments of grant.request."""
    return [
        cast.grant,
        cast.demand,
        terms.scenario,
        list[Value](cast.datasets),
        list[Value](terms.algorithms),
        list[Value](terms.outputs),
        list[Value](terms.permissions),
        list[Value](terms.prohibitions),
        list[Value](terms.duties),
        0,
        now_ms() + terms.days * DAY_MS,
        terms.uses,
        "none",  # computed under encryption: no trusted environment is needed
        "",
    ]


def _digest(member: Member, grant_id: str) -> bytes:
    """What a side signs: the SM3 of the terms as its own node shows them. Raises ScenarioFailed."""
    grant = member.session.view("grant", "show", grant_id)
    if not isinstance(grant, dict):
        raise ScenarioFailed(f"{member.party} is not shown the grant {grant_id}")
    return terms_digest(grant, member.session.node.chain_id)
