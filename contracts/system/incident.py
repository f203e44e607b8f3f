"""Incidents and emergency measures (clauses 6.4b, 6.6.2e, 8.1.5e, 8.6.4b, 8.6.5b).

Who supervises a party, or the party itself, opens an incident in a stage, with the alerts it comes
from. Four measures contain it: a grant is suspended (no use, no report, no delivery), an algorithm
is suspended (no task begins, goes on or reports with it), the party is cut off (it loses its
voice), a contract is frozen. All but the last this contract asks the contracts concerned for.
A contract is frozen by a manager's own signature (`contract.freeze`), which no contract can make or
see: the manager names that transaction here. Before an incident closes, every measure is lifted or
kept, each with a reason, and the report on it is named by its digest.

Several measures may hold the same grant, algorithm or party, in one incident or in several. It
goes on when the last of them is lifted: who is concerned cannot act first and lift for all. What
was kept a manager may lift later, when the incident is closed, too.

States: open -> contained -> closed; open -> closed. A measure: active -> lifted | kept;
kept -> lifted.
"""

from __future__ import annotations

from contracts.dialect import (
    Map,
    Var,
    call,
    call_contract,
    ctx,
    emit,
    fail,
    is_name,
    record,
    replace,
    require,
    view,
    view_contract,
)

STAGES = ("aggregation", "authorization", "development", "delivery")
SEVERITIES = ("warning", "critical")  # a notice is no incident
TITLE_MAX = 128  # characters
TEXT_MAX = 512  # characters of a reason: what `grant` and `parties` take, too
OUTCOME_MAX = 1024  # characters
ALERTS_MAX = 32
NAME_MAX = 64  # characters of a contract's name
MEASURES_MAX = 32  # of one incident: more is another incident
DIGEST_SIZE = 32  # bytes: SM3
PAGE_MAX = 100  # incidents in one answer


@record
class Measure:
    """What was done at once: suspend_grant, suspend_algorithm, cut_party or freeze_contract."""

    number: int
    kind: str
    target: str  # grant, algorithm, party or contract
    party: str  # that took it
    reason: str
    taken_ms: int
    transaction: bytes = b""  # of a freeze
    status: str = "active"
    decided_by: str = ""  # party that kept it, then that lifted it
    decision: str = ""
    decided_ms: int = 0


@record
class Incident:
    """`active` counts the measures that are neither lifted nor kept."""

    id: str
    title: str
    stage: str
    severity: str
    party: str  # that it is about
    alerts: list[str]
    opener: str  # party
    opened_ms: int
    status: str = "open"
    measures: int = 0
    active: int = 0
    outcome: str = ""
    report_digest: bytes = b""
    closer: str = ""  # party
    closed_ms: int = 0


@record
class IncidentFile:
    """An incident with its measures in order."""

    incident: Incident
    measures: list[Measure]


@record
class GrantCourse:
    """What the contract `grant` tells of a grant."""

    status: str
    operator: str
    uses: int
    uses_max: int
    expires_ms: int
    past_task: str


@record
class AlgorithmCourse:
    """What the contract `algorithm` tells of an algorithm."""

    status: str
    provider: str


incidents = Map(str, Incident)
measures = Map((str, int), Measure)  # incident, number from 1
cuts = Map((str, int), int)  # incident, number of a cut -> which suspension of its party it holds
# Kind, target, which of its suspensions (0 but of a party) -> measures that are not lifted.
holds = Map((str, str, int), int)
holding = Map(str, int)  # operator -> measures that hold a grant of its own
# Kept under "" for managers, and under the party and the opener.
incident_by_number = Map((str, int), str)
incident_count = Map(str, int)
open_count = Var(int)


@call
def open_(
    incident_id: str, title: str, stage: str, severity: str, party_id: str, alerts: list[str]
) -> None:
    """Who supervises a party, or the party itself, opens an incident (6.6.2e)."""
    opener = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(
        opener != "" and (opener == party_id or is_supervisor(opener, party_id, stage)),
        "incident.role: sign for the party or for who supervises it in this stage",
    )
    require(is_name(incident_id), "incident.id: use 1 to 64 characters of a-z 0-9 _ - .")
    require(incident_id not in incidents, "incident.exists: choose another id")
    require(1 <= len(title) <= TITLE_MAX, "incident.title: use 1 to 128 characters")
    require(stage in STAGES, "incident.stage: use one of the four stages")
    require(severity in SEVERITIES, "incident.severity: use warning or critical")
    require(
        view_contract("oversight", "is_supervised", party_id, stage, returns=bool),
        "incident.edge: nobody supervises that party in that stage; see `oversight edges`",
    )
    require(len(alerts) <= ALERTS_MAX, "incident.alerts: name up to 32 alerts")
    for position, alert_id in enumerate(alerts):
        require(alert_id not in alerts[:position], "incident.alert_twice: name each once")
        about = view_contract("alert", "party_of", alert_id, returns=str)
        require(about == party_id, "incident.alert: it is about another party")
    incidents[incident_id] = Incident(
        incident_id, title, stage, severity, party_id, alerts, opener, ctx.time_ms
    )
    enlist("", incident_id)
    enlist(party_id, incident_id)
    if opener != party_id:
        enlist(opener, incident_id)
    open_count.set(open_count.get(0) + 1)
    emit(
        "IncidentOpened",
        incident_id=incident_id,
        stage=stage,
        severity=severity,
        party_id=party_id,
        opener=opener,
        alerts=alerts,
    )


@call
def suspend_grant(incident_id: str, grant_id: str, reason: str) -> None:
    """A manager, or the grant's own operator, suspends a grant (8.6.4b)."""
    incident = require_open(incident_id)
    actor = require_actor(incident)
    grant = view_contract("grant", "course", grant_id, 0, returns=GrantCourse)
    require(
        actor == grant.operator or is_manager(actor),
        "incident.grant: only a manager or the grant's own operator suspends it",
    )
    take(incident, "suspend_grant", grant_id, actor, reason, b"")
    if grant.status != "suspended":  # else other measures hold it, and so does this one
        call_contract("grant", "suspend", grant_id, reason)
    hold("suspend_grant", grant_id, 0)
    holding[grant.operator] = holding.get(grant.operator, 0) + 1


@call
def suspend_algorithm(incident_id: str, algorithm_id: str, reason: str) -> None:
    """A manager, or the algorithm's own provider, suspends an algorithm (8.5c, 8.6.4b)."""
    incident = require_open(incident_id)
    actor = require_actor(incident)
    found = view_contract("algorithm", "course", algorithm_id, returns=AlgorithmCourse)
    require(
        actor == found.provider or is_manager(actor),
        "incident.algorithm: only a manager or the algorithm's own provider suspends it",
    )
    take(incident, "suspend_algorithm", algorithm_id, actor, reason, b"")
    if found.status != "suspended":
        call_contract("algorithm", "suspend", algorithm_id, reason)
    hold("suspend_algorithm", algorithm_id, 0)


@call
def cut_party(incident_id: str, reason: str) -> None:
    """Who supervises the party cuts it off: it keeps its records and loses its voice (8.6.1)."""
    incident = require_open(incident_id)
    actor = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(
        view_contract("oversight", "may_cut", actor, incident.party, returns=bool),
        "incident.cut: a manager cuts a party off, an operator only whom it engaged",
    )
    take(incident, "cut_party", incident.party, actor, reason, b"")
    # What a manager suspended by its own hand is not for an incident to end, so none joins it.
    if holds.get(("cut_party", incident.party, suspension_of(incident.party)), 0) == 0:
        call_contract("parties", "suspend", incident.party, reason)
    which = suspension_of(incident.party)
    cuts[incident_id, incident.measures + 1] = which
    hold("cut_party", incident.party, which)


@call
def note_freeze(incident_id: str, name: str, transaction: bytes, reason: str) -> None:
    """A manager records that it froze a contract, naming the transaction that did (8.1.5e)."""
    incident = require_open(incident_id)
    actor = require_manager()
    require(1 <= len(name) <= NAME_MAX, "incident.contract: name it in 1 to 64 characters")
    require(len(transaction) == DIGEST_SIZE, "incident.transaction: give the id of the freeze")
    take(incident, "freeze_contract", name, actor, reason, transaction)


@call
def lift(incident_id: str, number: int, reason: str) -> None:
    """A manager, or who took it, lifts a measure, a manager also one that was kept; what nothing
    else stops goes on."""
    incident = known(incident_id)
    measure = require_measure(incident_id, number)
    require(measure.status != "lifted", "incident.decided: it was lifted already")
    actor = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    is_kept = measure.status == "kept"
    require(
        actor != "" and (is_manager(actor) or (actor == measure.party and not is_kept)),
        "incident.lift: only a manager lifts it, or who took it, before it is kept",
    )
    owner = owner_of(measure)
    check_no_judge_of_itself(
        actor, measure.decided_by if is_kept else measure.party, incident, owner
    )
    decide(incident, measure, "lifted", actor, reason)
    if measure.kind == "suspend_grant":
        holding[owner] = holding[owner] - 1
    release(measure, cuts.get((incident_id, number), 0), reason)


@call
def keep(incident_id: str, number: int, reason: str) -> None:
    """A manager decides that a measure outlasts the incident."""
    incident = require_open(incident_id)
    measure = require_measure(incident_id, number)
    require(measure.status == "active", "incident.decided: it was lifted or kept already")
    actor = require_manager()
    # Who keeps a measure has the last word on it: else its own party could keep it, then lift it.
    check_no_judge_of_itself(actor, measure.party, incident, owner_of(measure))
    decide(incident, measure, "kept", actor, reason)


@call
def close(incident_id: str, outcome: str, report_digest: bytes) -> None:
    """Who supervises the party closes the incident, naming the report on it (6.6.2e)."""
    incident = require_open(incident_id)
    closer = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(
        is_supervisor(closer, incident.party, incident.stage),
        "incident.close: only who supervises the party closes it",
    )
    require(incident.active == 0, "incident.measures: lift or keep every measure first")
    require(1 <= len(outcome) <= OUTCOME_MAX, "incident.outcome: use 1 to 1024 characters")
    require(len(report_digest) == DIGEST_SIZE, "incident.report: use 32 bytes of SM3")
    incidents[incident_id] = replace(
        incident,
        status="closed",
        outcome=outcome,
        report_digest=report_digest,
        closer=closer,
        closed_ms=ctx.time_ms,
    )
    open_count.set(open_count.get(0) - 1)
    emit(
        "IncidentClosed",
        incident_id=incident_id,
        party_id=incident.party,
        closer=closer,
        report_digest=report_digest,
    )


@view
def show(incident_id: str) -> IncidentFile:
    """An incident with its measures, for its party, its opener and those that supervise."""
    reader = require_reader()
    found = known(incident_id)
    is_own = reader == found.party or reader == found.opener
    require(
        is_own or is_manager(reader) or is_supervisor(reader, found.party, found.stage),
        "incident.reader: only its party, its opener and their supervisors may read it",
    )
    taken = [measures[incident_id, number] for number in range(1, found.measures + 1)]
    return IncidentFile(found, taken)


@view
def list_(offset: int, limit: int) -> list[Incident]:
    """Incidents in order: all for managers; for others those of their party and of their own."""
    reader = require_reader()
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "incident.page: ask for 1 to 100 from 0 up")
    scope = "" if is_manager(reader) else reader
    end = min(offset + limit, incident_count.get(scope, 0))
    return [incidents[incident_by_number[scope, number]] for number in range(offset, end)]


@view
def is_held(operator: str) -> bool:
    """Does a measure hold a grant of this operator? For what is granted without a decision."""
    return holding.get(operator, 0) > 0


@view
def count_open() -> int:
    """How many incidents are not closed; every active party may know."""
    require_reader()
    return open_count.get(0)


def take(
    incident: Incident, kind: str, target: str, actor: str, reason: str, transaction: bytes
) -> None:
    require(1 <= len(reason) <= TEXT_MAX, "incident.reason: give a reason of 1 to 512 characters")
    number = incident.measures + 1
    require(number <= MEASURES_MAX, "incident.measures: it has 32 measures; open another one")
    measures[incident.id, number] = Measure(
        number, kind, target, actor, reason, ctx.time_ms, transaction
    )
    incidents[incident.id] = replace(
        incident, status="contained", measures=number, active=incident.active + 1
    )
    emit(
        "MeasureTaken",
        incident_id=incident.id,
        number=number,
        kind=kind,
        target=target,
        party_id=actor,
        reason=reason,
    )


def decide(incident: Incident, measure: Measure, status: str, actor: str, reason: str) -> None:
    require(1 <= len(reason) <= TEXT_MAX, "incident.reason: give a reason of 1 to 512 characters")
    measures[incident.id, measure.number] = replace(
        measure, status=status, decided_by=actor, decision=reason, decided_ms=ctx.time_ms
    )
    if measure.status == "active":
        incidents[incident.id] = replace(incident, active=incident.active - 1)
    emit(
        "MeasureDecided",
        incident_id=incident.id,
        number=measure.number,
        kind=measure.kind,
        target=measure.target,
        status=status,
        party_id=actor,
        reason=reason,
    )


def hold(kind: str, target: str, which: int) -> None:
    holds[kind, target, which] = holds.get((kind, target, which), 0) + 1


def release(measure: Measure, which: int, reason: str) -> None:
    """What the measure stopped goes on, if no other one holds it. What ended by itself, or by
    another hand, is not asked for again; what another hand did since then, such as a manager's own
    suspension of the party, is not undone."""
    kind, target = measure.kind, measure.target
    if kind == "freeze_contract":
        return
    left = holds[kind, target, which] - 1
    holds[kind, target, which] = left
    if left > 0:
        return
    if kind == "suspend_grant":
        grant = view_contract("grant", "course", target, 0, returns=GrantCourse)
        if grant.status == "suspended":
            call_contract("grant", "resume", target, reason)
    elif kind == "suspend_algorithm":
        found = view_contract("algorithm", "course", target, returns=AlgorithmCourse)
        if found.status == "suspended":
            call_contract("algorithm", "resume", target, reason)
    elif suspension_of(target) == which:
        call_contract("parties", "readmit", target, reason)


def check_no_judge_of_itself(actor: str, last_word: str, incident: Incident, owner: str) -> None:
    """Whom a measure stops decides on it only if its own was the last word on it."""
    require(
        actor == last_word or actor not in (incident.party, owner),
        "incident.self: no party lifts or keeps what others did to it",
    )


def owner_of(measure: Measure) -> str:
    """The party that the measure stops; "" of a frozen contract."""
    if measure.kind == "suspend_grant":
        return view_contract("grant", "course", measure.target, 0, returns=GrantCourse).operator
    if measure.kind == "suspend_algorithm":
        course = view_contract("algorithm", "course", measure.target, returns=AlgorithmCourse)
        return course.provider
    return measure.target if measure.kind == "cut_party" else ""


def known(incident_id: str) -> Incident:
    found = incidents.get(incident_id)
    if found is None:
        fail("incident.unknown: no incident has this id; look for it with `list`")
    return found


def require_open(incident_id: str) -> Incident:
    found = known(incident_id)
    require(found.status != "closed", "incident.status: it is closed; open another one")
    return found


def require_measure(incident_id: str, number: int) -> Measure:
    found = measures.get((incident_id, number))
    if found is None:
        fail("incident.number: it has no measure of this number; see `show`")
    return found


def require_actor(incident: Incident) -> str:
    """The sender's party, if it may act in this incident: its party, or who supervises that."""
    actor = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    is_own = actor != "" and actor == incident.party
    require(
        is_own or is_supervisor(actor, incident.party, incident.stage),
        "incident.role: sign for its party or for who supervises it in this stage",
    )
    return actor


def require_manager() -> str:
    party = view_contract("parties", "acting_as", ctx.sender, "manager", returns=str)
    require(party != "", "incident.manager: sign with an account of an active manager")
    return party


def require_reader() -> str:
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "", "incident.reader: sign with an account of an active party")
    return party


def is_manager(party: str) -> bool:
    return view_contract("parties", "party_has_role", party, "manager", returns=bool)


def is_supervisor(party: str, party_id: str, stage: str) -> bool:
    return view_contract("oversight", "supervises", party, party_id, stage, returns=bool)


def suspension_of(party_id: str) -> int:
    return view_contract("parties", "suspension_of", party_id, returns=int)


def enlist(scope: str, incident_id: str) -> None:
    number = incident_count.get(scope, 0)
    incident_by_number[scope, number] = incident_id
    incident_count[scope] = number + 1
