"""Alerts: what may go wrong, told to whoever supervises (clauses 5.1c, 6.5b, 6.6.2e, 8.6.3b).

An alert comes from a check or from a report. A check is a rule of the contract `risk` over what is
on the chain: any active party may ask for it, and the contract looks itself, so that an alert by a
check is as true as the chain, whoever sent it. A report is a party's word about a party: an anomaly
of its own operation, or a risk that only a node can see, such as a full disk. Each reporter has
alerts of its own: a harmless word about a topic does not stand in the way of another's grave one.

While an alert is not closed, what is found again is counted, once an hour. After it was closed the
same finding stays quiet for a day, and for good if it is about what cannot change any more, such as
a task that failed. So scans may run often. What became graver waits for neither.

States: open -> acknowledged -> closed; open -> closed.
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

SEVERITIES = ("notice", "warning", "critical")
REPORT = "report"  # the check of alerts that are a party's word
HOUR_MS = 3600 * 1000
DAY_MS = 24 * HOUR_MS
REPEAT_MS = HOUR_MS  # an open alert is counted again after this
QUIET_MS = DAY_MS  # a closed one is raised anew after this
NOTE_MAX = 1024  # characters
DIGEST_SIZE = 32  # bytes: SM3
OPEN_REPORTS_MAX = 64  # of one party: who floods others with reports is stopped
SUBJECTS_MAX = 20  # looked at in one view
PAGE_MAX = 100  # alerts in one answer
LASTING = (  # facts that stay as they are
    "task_broken",
    "task_mismatch",
    "purpose_mismatch",
    "no_diligence",
    "high_risk",
    "delivery_rejected",
)
FALLS = ("quality_fallen", "quantity_fallen")  # against the best since such an alert was closed


@record
class Alert:
    """`measured` and `limit` are the figures of a check, as of the last time it found something."""

    id: str
    check: str
    stage: str
    severity: str
    subject: str  # id of what the check looked at, see `risk`; of a report, its topic
    party: str  # that is supervised
    reporter: str  # party that sent it first
    measured: int
    limit: int
    note: str
    digest: bytes  # of what a report rests on; else empty
    first_ms: int
    last_ms: int
    count: int = 1
    status: str = "open"
    handler: str = ""  # party that acknowledged or closed it
    answer: str = ""
    answered_ms: int = 0


@record
class Finding:
    """What a check sees now. `says` is why it is not due: fine, open or quiet; else "due"."""

    check: str
    subject: str
    party: str
    stage: str
    severity: str
    measured: int
    limit: int
    says: str


@record
class Seen:
    """What the contract `risk` tells of a check."""

    party: str
    stage: str
    severity: str
    measured: int
    limit: int
    is_due: bool


alerts = Map(str, Alert)
# Check, party, subject (of a report with who sends it, see `topic_of`) -> the last alert of it.
latest = Map((str, str, str), str)
# Kept under "" for managers, and under the supervised party and the reporter.
alert_by_number = Map((str, int), str)
alert_count = Map(str, int)
total = Var(int)
open_reports = Map(str, int)  # party -> how many of its reports are not closed


@call
def check(check_name: str, subject: str) -> str:
    """Any active party has a check look; raises or counts an alert, whose id it returns (5.1c)."""
    reporter = require_party()
    found = look(check_name, subject)
    if found.says == "fine":
        fail("alert.fine: the check finds nothing to warn of")
    require(found.says != "open", "alert.open: it is open and was counted less than an hour ago")
    require(found.says != "quiet", "alert.quiet: it was dealt with; see `show` for the answer")
    known_id = latest.get((check_name, found.party, subject), "")
    if known_id != "" and alerts[known_id].status != "closed":
        return repeat(known_id, found.severity, found.measured, found.limit, "", b"")
    return enter(
        subject,
        Alert(
            id="",
            check=check_name,
            stage=found.stage,
            severity=found.severity,
            subject=subject,
            party=found.party,
            reporter=reporter,
            measured=found.measured,
            limit=found.limit,
            note="",
            digest=b"",
            first_ms=ctx.time_ms,
            last_ms=ctx.time_ms,
        ),
    )


@call
def report(topic: str, party_id: str, stage: str, severity: str, note: str, digest: bytes) -> str:
    """A party reports an anomaly, its own or another's, to who supervises it (6.5b, 6.6.2e)."""
    reporter = require_party()
    require(is_name(topic), "alert.topic: use 1 to 64 characters of a-z 0-9 _ - .")
    require(severity in SEVERITIES, "alert.severity: use notice, warning or critical")
    require(1 <= len(note) <= NOTE_MAX, "alert.note: say what was seen, in 1 to 1024 characters")
    require(len(digest) in (0, DIGEST_SIZE), "alert.digest: use 32 bytes of SM3, or none")
    require(
        view_contract("oversight", "is_supervised", party_id, stage, returns=bool),
        "alert.edge: nobody supervises that party in that stage; see `oversight edges`",
    )
    known_id = latest.get((REPORT, party_id, topic_of(reporter, topic)), "")
    if known_id != "" and alerts[known_id].status != "closed":
        require(
            state_of(REPORT, known_id, severity) == "due",
            "alert.open: it is open and was counted less than an hour ago",
        )
        return repeat(known_id, severity, 0, 0, note, digest)
    count = open_reports.get(reporter, 0)
    require(count < OPEN_REPORTS_MAX, "alert.reports: wait until some of its 64 are closed")
    open_reports[reporter] = count + 1
    return enter(
        topic_of(reporter, topic),
        Alert(
            id="",
            check=REPORT,
            stage=stage,
            severity=severity,
            subject=topic,
            party=party_id,
            reporter=reporter,
            measured=0,
            limit=0,
            note=note,
            digest=digest,
            first_ms=ctx.time_ms,
            last_ms=ctx.time_ms,
        ),
    )


@call
def acknowledge(alert_id: str, note: str) -> None:
    """Who supervises the party takes the alert up."""
    found = known(alert_id)
    handler = require_supervisor(found)
    require(found.status == "open", "alert.status: it has been taken up already")
    settle(found, "acknowledged", handler, note)
    emit("AlertAcknowledged", alert_id=alert_id, party_id=found.party, handler=handler)


@call
def close(alert_id: str, note: str) -> None:
    """Who supervises the party closes it and says what came of it; rows that fell are measured by
    what they are from now on."""
    found = known(alert_id)
    handler = require_supervisor(found)
    require(found.status != "closed", "alert.status: it is closed already")
    require(note != "", "alert.note: say what came of it")
    settle(found, "closed", handler, note)
    if found.check == REPORT:
        open_reports[found.reporter] = open_reports[found.reporter] - 1
    if found.check in FALLS:
        call_contract("quality", "rebase", found.subject, found.check, found.measured)
    emit("AlertClosed", alert_id=alert_id, party_id=found.party, handler=handler, note=note)


@view
def show(alert_id: str) -> Alert:
    """One alert, for its party, its reporter and those that supervise."""
    reader = require_reader()
    found = known(alert_id)
    is_own = reader == found.party or reader == found.reporter
    require(
        is_own or is_supervisor(reader, found),
        "alert.reader: only its party, its reporter and their supervisors may read it",
    )
    return found


@view
def list_(offset: int, limit: int) -> list[Alert]:
    """Alerts in order: all for managers; for others those of their party and their reports."""
    reader = require_reader()
    is_manager = view_contract("parties", "party_has_role", reader, "manager", returns=bool)
    return page("" if is_manager else reader, offset, limit)


@view
def list_of(party_id: str, offset: int, limit: int) -> list[Alert]:
    """Alerts of one party, for those that supervise it."""
    reader = require_reader()
    require(
        reader == party_id
        or view_contract("oversight", "supervises", reader, party_id, "", returns=bool),
        "alert.reader: only who supervises the party may read its alerts",
    )
    return page(party_id, offset, limit)


@view
def findings(check_name: str, subjects: list[str]) -> list[Finding]:
    """What a check sees now in up to 20 subjects; nothing is raised by asking."""
    require_reader()
    require(len(subjects) <= SUBJECTS_MAX, "alert.subjects: ask about up to 20")
    return [look(check_name, subject) for subject in subjects]


@view
def report_due(party_id: str, topic: str, severity: str) -> bool:
    """Would the asking party's report tell anything new? Not while its alert is as grave, open and
    was counted in the last hour, nor for a day after it was closed; for who reports by timer."""
    known_id = latest.get((REPORT, party_id, topic_of(require_reader(), topic)), "")
    return state_of(REPORT, known_id, severity) == "due"


@view
def party_of(alert_id: str) -> str:
    """The party that an alert is about; for other contracts."""
    return known(alert_id).party


def look(check_name: str, subject: str) -> Finding:
    """What the check sees, and whether an alert of it is due at this block's time."""
    seen = view_contract("risk", "look", check_name, subject, returns=Seen)
    known_id = latest.get((check_name, seen.party, subject), "")
    return Finding(
        check=check_name,
        subject=subject,
        party=seen.party,
        stage=seen.stage,
        severity=seen.severity,
        measured=seen.measured,
        limit=seen.limit,
        says=state_of(check_name, known_id, seen.severity) if seen.is_due else "fine",
    )


def state_of(check_name: str, known_id: str, severity: str) -> str:
    """Is an alert of this kind due, though there may have been one?"""
    if known_id == "":
        return "due"
    before = alerts[known_id]
    is_graver = rank(severity) > rank(before.severity)
    if before.status != "closed":
        return "due" if is_graver or ctx.time_ms >= before.last_ms + REPEAT_MS else "open"
    is_over = is_graver or ctx.time_ms >= before.answered_ms + QUIET_MS
    return "due" if is_over and check_name not in LASTING else "quiet"


def topic_of(reporter: str, topic: str) -> str:
    """What a report is known by: no id has a colon, so no two are alike."""
    return f"{reporter}:{topic}"


def repeat(
    alert_id: str, severity: str, measured: int, limit: int, note: str, digest: bytes
) -> str:
    """Counts it once more; it may become graver that way, never less grave. The newest word
    stands."""
    before = alerts[alert_id]
    graver = severity if rank(severity) > rank(before.severity) else before.severity
    alerts[alert_id] = replace(
        before,
        severity=graver,
        measured=measured,
        limit=limit,
        note=note,
        digest=digest,
        last_ms=ctx.time_ms,
        count=before.count + 1,
    )
    emit(
        "AlertRepeated",
        alert_id=alert_id,
        check_name=before.check,
        subject=before.subject,
        party_id=before.party,
        count=before.count + 1,
    )
    return alert_id


def rank(severity: str) -> int:
    for position, name in enumerate(SEVERITIES):
        if name == severity:
            return position
    fail("alert.severity: use notice, warning or critical")


def enter(known_by: str, new: Alert) -> str:
    number = total.get(0)
    total.set(number + 1)
    alert_id = f"alert-{number + 1}"
    alerts[alert_id] = replace(new, id=alert_id)
    latest[new.check, new.party, known_by] = alert_id
    enlist("", alert_id)
    enlist(new.party, alert_id)
    if new.check == REPORT and new.reporter != new.party:
        enlist(new.reporter, alert_id)
    emit(
        "AlertRaised",
        alert_id=alert_id,
        check_name=new.check,
        stage=new.stage,
        severity=new.severity,
        subject=new.subject,
        party_id=new.party,
        reporter=new.reporter,
        note=new.note,
    )
    return alert_id


def settle(found: Alert, status: str, handler: str, note: str) -> None:
    require(len(note) <= NOTE_MAX, "alert.note: use up to 1024 characters")
    alerts[found.id] = replace(
        found, status=status, handler=handler, answer=note, answered_ms=ctx.time_ms
    )


def known(alert_id: str) -> Alert:
    found = alerts.get(alert_id)
    if found is None:
        fail("alert.unknown: no alert has this id; look for it with `list`")
    return found


def require_party() -> str:
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "", "alert.role: sign with an account of an active party")
    return party


def require_reader() -> str:
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "", "alert.reader: sign with an account of an active party")
    return party


def require_supervisor(found: Alert) -> str:
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(is_supervisor(party, found), "alert.supervisor: sign for who supervises its party")
    return party


def is_supervisor(party: str, found: Alert) -> bool:
    return view_contract("oversight", "supervises", party, found.party, found.stage, returns=bool)


def page(scope: str, offset: int, limit: int) -> list[Alert]:
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "alert.page: ask for 1 to 100 from 0 up")
    end = min(offset + limit, alert_count.get(scope, 0))
    return [alerts[alert_by_number[scope, number]] for number in range(offset, end)]


def enlist(scope: str, alert_id: str) -> None:
    number = alert_count.get(scope, 0)
    alert_by_number[scope, number] = alert_id
    alert_count[scope] = number + 1
