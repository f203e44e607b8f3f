"""Commissions: work that an operator gives to whom it engaged (clauses 6.6.2b, 6.6.5c, 6.6.6).

An operator commissions a developer or tech provider to build the platform, to operate or monitor
it, or to fuse, govern, deliver or assess data. The party accepts, hands in what it made, by digest
and by the ids that the chain knows, and the operator approves or returns each piece with reasons.
Who operates or monitors also reports every so many days: each report goes on where the one before
ended, so that no day of the term can be left out.

Whether the operator still engages the party (contract `oversight`) is asked again at each step that
carries the work on; what ends it is open to both sides at any time.

States: offered -> accepted -> closed | ended; offered -> declined | withdrawn.
Of a piece handed in: handed_in -> approved | returned.
"""

from __future__ import annotations

from contracts.dialect import (
    Map,
    call,
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

KINDS = ("build", "operate", "monitor", "fuse", "govern", "deliver", "assess")
STANDING = ("operate", "monitor")  # goes on until its day, and is reported on by period
SUBJECTS = ("demand", "grant", "dataset", "product", "asset")  # what a commission may be about
PIECES = ("evidence", "algorithm", "product", "asset")  # what a party may name as its work
DAY_MS = 24 * 3600 * 1000
TERM_MAX_MS = 5 * 366 * DAY_MS
REPORT_DAYS_MAX = 366
TITLE_MAX = 128  # characters
NOTE_MAX = 1024  # characters
LOCATION_MAX = 512  # characters
DIGEST_SIZE = 32  # bytes: SM3
DIGESTS_MAX = 16  # of one piece handed in; more go into a batch of evidence
MADE_MAX = 16  # ids that one piece names
ANOMALIES_MAX = 10**9
PAGE_MAX = 100  # records in one answer


@record
class Commission:
    """`due_ms` is when the work is due, or until when what stands goes on. `covered_ms`: up to when
    its reports tell, from the acceptance on."""

    id: str
    kind: str
    operator: str
    party: str
    engagement_id: str
    title: str
    digest: bytes  # SM3 of the text that says what is to be done
    location: str  # where the two sides find the text
    about: str  # kind of its subject; "" if it has none
    subject: str
    offered_ms: int
    due_ms: int
    report_days: int  # a report is due every so many days; 0: none is
    status: str = "offered"
    accepted_ms: int = 0
    covered_ms: int = 0
    reports: int = 0
    anomalies: int = 0  # that its reports count
    hand_ins: int = 0
    waiting: int = 0  # pieces that nobody has judged yet
    approved: int = 0  # pieces
    actor: str = ""  # party that declined, withdrew, closed or ended it
    reason: str = ""


@record
class HandIn:
    """A piece of work. `made` names what the chain knows of it: kind and id."""

    commission_id: str
    number: int  # from 1
    digests: list[bytes]
    made: list[tuple[str, str]]
    note: str
    time_ms: int
    status: str = "handed_in"
    answer: str = ""
    answered_ms: int = 0


@record
class Report:
    """Daily operation or security monitoring of a period."""

    commission_id: str
    number: int  # from 1
    from_ms: int
    to_ms: int
    digest: bytes  # SM3 of the report itself
    anomalies: int
    note: str
    time_ms: int


@record
class Course:
    """How far a commission is. `report_due_ms`, `work_due_ms`: 0 while nothing is waited for."""

    party: str
    report_due_ms: int
    work_due_ms: int


commissions = Map(str, Commission)
pieces = Map((str, int), HandIn)  # commission, 1.. in order
period_reports = Map((str, int), Report)  # commission, 1.. in order
# Kept under "" for managers, and under the operator and the party.
commission_by_number = Map((str, int), str)
commission_count = Map(str, int)


@call
def offer(
    commission_id: str,
    party_id: str,
    kind: str,
    title: str,
    digest: bytes,
    location: str,
    about: str,
    subject: str,
    due_ms: int,
    report_days: int,
) -> None:
    """An operator commissions whom it engaged with a piece of work (6.6.6a, 6.6.6b)."""
    operator = view_contract("parties", "acting_as", ctx.sender, "operator", returns=str)
    require(operator != "", "commission.role: sign with an account of an active operator")
    require(is_name(commission_id), "commission.id: use 1 to 64 characters of a-z 0-9 _ - .")
    require(commission_id not in commissions, "commission.exists: choose another id")
    require(kind in KINDS, "commission.kind: use one of the seven kinds of work; see the docs")
    require(1 <= len(title) <= TITLE_MAX, "commission.title: use 1 to 128 characters")
    require(len(digest) == DIGEST_SIZE, "commission.digest: use 32 bytes of SM3")
    require(len(location) <= LOCATION_MAX, "commission.location: use up to 512 characters")
    check_subject(operator, about, subject)
    require(
        ctx.time_ms < due_ms <= ctx.time_ms + TERM_MAX_MS,
        "commission.due: give a time in the next five years",
    )
    most = REPORT_DAYS_MAX if kind in STANDING else 0
    require(
        min(most, 1) <= report_days <= most,
        "commission.report_days: 1 to 366 to operate or monitor; 0 for all other work",
    )
    engagement_id = require_engaged(operator, party_id)
    commissions[commission_id] = Commission(
        id=commission_id,
        kind=kind,
        operator=operator,
        party=party_id,
        engagement_id=engagement_id,
        title=title,
        digest=digest,
        location=location,
        about=about,
        subject=subject,
        offered_ms=ctx.time_ms,
        due_ms=due_ms,
        report_days=report_days,
    )
    for reader in ("", operator, party_id):
        enlist(reader, commission_id)
    emit(
        "CommissionOffered",
        commission_id=commission_id,
        kind=kind,
        operator=operator,
        party_id=party_id,
        engagement_id=engagement_id,
        digest=digest,
        subject=subject,
        due_ms=due_ms,
    )


@call
def accept(commission_id: str, digest: bytes) -> None:
    """The party takes the commission, naming the text that it read (6.6.6)."""
    found = require_party(commission_id)
    require(found.status == "offered", "commission.status: it has been answered or withdrawn")
    require(digest == found.digest, "commission.text: its text is another; read it again")
    require(ctx.time_ms < found.due_ms, "commission.late: its day has passed; ask for another one")
    require_engaged(found.operator, found.party)
    commissions[commission_id] = replace(
        found, status="accepted", accepted_ms=ctx.time_ms, covered_ms=ctx.time_ms
    )
    emit("CommissionAccepted", commission_id=commission_id, party_id=found.party, digest=digest)


@call
def decline(commission_id: str, reason: str) -> None:
    """Before it is accepted, the party declines it or the operator takes it back."""
    found = known(commission_id)
    sender = require_side(found)
    require(found.status == "offered", "commission.status: end it; it has been answered")
    finish(found, "declined" if sender == found.party else "withdrawn", sender, reason)


@call
def prolong(commission_id: str, due_ms: int, reason: str) -> None:
    """The operator gives more time; nobody is given less than was agreed on."""
    found = require_operator(commission_id)
    check_under_way(found)
    require(
        max(found.due_ms, ctx.time_ms) < due_ms <= ctx.time_ms + TERM_MAX_MS,
        "commission.due: give a later time than now and its day, in the next five years",
    )
    check_reason(reason)
    commissions[commission_id] = replace(found, due_ms=due_ms)
    emit("CommissionProlonged", commission_id=commission_id, due_ms=due_ms, reason=reason)


@call
def report(commission_id: str, to_ms: int, digest: bytes, anomalies: int, note: str) -> int:
    """The party reports operation or monitoring from where it reported last up to `to_ms`; returns
    the number of the report (6.6.6a)."""
    found = require_party(commission_id)
    check_under_way(found)
    require(found.report_days > 0, "commission.reports: hand in what you made; see `hand_in`")
    require(
        found.covered_ms < to_ms <= ctx.time_ms,
        "commission.period: end it after the last report, and not in the future",
    )
    require(len(digest) == DIGEST_SIZE, "commission.digest: use 32 bytes of SM3")
    require(0 <= anomalies <= ANOMALIES_MAX, "commission.anomalies: count what was out of order")
    require(len(note) <= NOTE_MAX, "commission.note: use up to 1024 characters")
    number = found.reports + 1
    period_reports[commission_id, number] = Report(
        commission_id, number, found.covered_ms, to_ms, digest, anomalies, note, ctx.time_ms
    )
    commissions[commission_id] = replace(
        found, reports=number, anomalies=found.anomalies + anomalies, covered_ms=to_ms
    )
    emit(
        "CommissionReported",
        commission_id=commission_id,
        party_id=found.party,
        number=number,
        from_ms=found.covered_ms,
        to_ms=to_ms,
        digest=digest,
        anomalies=anomalies,
    )
    return number


@call
def hand_in(
    commission_id: str, digests: list[bytes], made: list[tuple[str, str]], note: str
) -> int:
    """The party hands in a piece of its work; returns the number of the piece (6.6.6)."""
    found = require_party(commission_id)
    check_under_way(found)
    require(1 <= len(digests) <= DIGESTS_MAX, "commission.digests: name 1 to 16 things you made")
    for position, digest in enumerate(digests):
        require(len(digest) == DIGEST_SIZE, "commission.digest: use 32 bytes of SM3")
        require(digest not in digests[:position], "commission.digest_twice: name each once")
    check_made(found, made)
    require(len(note) <= NOTE_MAX, "commission.note: use up to 1024 characters")
    number = found.hand_ins + 1
    pieces[commission_id, number] = HandIn(commission_id, number, digests, made, note, ctx.time_ms)
    commissions[commission_id] = replace(found, hand_ins=number, waiting=found.waiting + 1)
    emit("WorkHandedIn", commission_id=commission_id, number=number, digests=digests)
    return number


@call
def judge(commission_id: str, number: int, passed: bool, note: str) -> None:
    """The operator approves a piece, or returns it with reasons."""
    found = require_operator(commission_id)
    check_under_way(found)
    piece = pieces.get((commission_id, number))
    if piece is None:
        fail("commission.piece: nothing of this number was handed in; see `work_of`")
    require(piece.status == "handed_in", "commission.judged: it has been approved or returned")
    require(passed or note != "", "commission.answer: say what is missing")
    require(len(note) <= NOTE_MAX, "commission.answer: use up to 1024 characters")
    status = "approved" if passed else "returned"
    pieces[commission_id, number] = replace(
        piece, status=status, answer=note, answered_ms=ctx.time_ms
    )
    approved = found.approved + 1 if passed else found.approved
    commissions[commission_id] = replace(found, waiting=found.waiting - 1, approved=approved)
    emit("WorkJudged", commission_id=commission_id, number=number, passed=passed)


@call
def close(commission_id: str, note: str) -> None:
    """The operator closes what is done: work of which something was approved, or a term that its
    reports tell of to the end."""
    found = require_operator(commission_id)
    require(found.status == "accepted", "commission.status: only work under way is closed")
    require(found.waiting == 0, "commission.waiting: approve or return what was handed in")
    if found.report_days > 0:
        require(
            found.covered_ms >= found.due_ms,
            "commission.unreported: its reports do not reach its day; wait, or end it",
        )
    else:
        require(found.approved > 0, "commission.unproven: nothing was approved; end it instead")
    require(len(note) <= NOTE_MAX, "commission.note: use up to 1024 characters")
    settle(found, "closed", found.operator, note)


@call
def end(commission_id: str, reason: str) -> None:
    """Either side, or a manager, ends accepted work before it is done, with a reason."""
    found = known(commission_id)
    sender = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    if sender == "" or not is_manager(sender):
        sender = require_side(found)
    require(found.status == "accepted", "commission.status: only work under way is ended")
    finish(found, "ended", sender, reason)


@view
def show(commission_id: str) -> Commission:
    """One commission, for its two sides and the managers."""
    return readable(commission_id)


@view
def list_(offset: int, limit: int) -> list[Commission]:
    """Commissions in order: all for managers; for others those that they gave or were given."""
    scope = reader_scope()
    check_page(offset, limit)
    last = min(offset + limit, commission_count.get(scope, 0))
    return [commissions[commission_by_number[scope, number]] for number in range(offset, last)]


@view
def work_of(commission_id: str, offset: int, limit: int) -> list[HandIn]:
    """What was handed in for a commission, in order, and what the operator said to it."""
    found = readable(commission_id)
    check_page(offset, limit)
    last = min(offset + limit, found.hand_ins)
    return [pieces[commission_id, number + 1] for number in range(offset, last)]


@view
def reports_of(commission_id: str, offset: int, limit: int) -> list[Report]:
    """What was reported of operation or monitoring, by period."""
    found = readable(commission_id)
    check_page(offset, limit)
    last = min(offset + limit, found.reports)
    return [period_reports[commission_id, number + 1] for number in range(offset, last)]


@view
def course(commission_id: str) -> Course:
    """What is waited for, and from whom; for the contract `risk` and its readers."""
    found = known(commission_id) if ctx.sender == "contract:risk" else readable(commission_id)
    if found.status != "accepted":
        return Course(found.party, 0, 0)
    if found.report_days == 0:
        # What waits for the operator's word is not late by the party's fault.
        is_owed = found.approved == 0 and found.waiting == 0
        return Course(found.party, 0, found.due_ms if is_owed else 0)
    if found.covered_ms >= found.due_ms:
        return Course(found.party, 0, 0)
    next_ms = found.covered_ms + found.report_days * DAY_MS
    return Course(found.party, min(next_ms, found.due_ms), 0)


def check_subject(operator: str, about: str, subject: str) -> None:
    """What is on the chain must be there, and the operator's own where it has an operator."""
    if about == "":
        require(subject == "", "commission.about: say of what kind its subject is")
        return
    require(about in SUBJECTS, "commission.about: use demand, grant, dataset, product or asset")
    holder = holder_of(about, subject)
    # Before an operator forwards a demand it is open to all of them.
    is_open = about == "dataset" or (about == "demand" and holder == "")
    require(is_open or holder == operator, "commission.subject: name one of your own operation")


def check_made(found: Commission, made: list[tuple[str, str]]) -> None:
    """What the party names is its own work; a product or an asset is the operator's."""
    require(len(made) <= MADE_MAX, "commission.made: name up to 16 things on the chain")
    for position, (kind, named) in enumerate(made):
        require((kind, named) not in made[:position], "commission.made_twice: name each once")
        require(kind in PIECES, "commission.made: use evidence, algorithm, product or asset")
        is_own = kind in ("evidence", "algorithm")
        require(
            holder_of(kind, named) == (found.party if is_own else found.operator),
            "commission.made_by: evidence and algorithms are yours, the rest is the operator's",
        )


def holder_of(kind: str, identifier: str) -> str:
    return view_contract("holder", "holder_of", kind, identifier, returns=str)


def require_engaged(operator: str, party_id: str) -> str:
    """The engagement under which the party works for the operator now."""
    engagement_id = view_contract("oversight", "engagement_of", operator, party_id, returns=str)
    require(
        engagement_id != "",
        "commission.engagement: the operator selects it and a manager approves; see `oversight`",
    )
    return engagement_id


def check_under_way(found: Commission) -> None:
    require(found.status == "accepted", "commission.status: only for accepted work; see `show`")
    require_engaged(found.operator, found.party)


def require_party(commission_id: str) -> Commission:
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    found = known(commission_id)
    require(party == found.party, "commission.party: only who was commissioned does this")
    return found


def require_operator(commission_id: str) -> Commission:
    party = view_contract("parties", "acting_as", ctx.sender, "operator", returns=str)
    found = known(commission_id)
    require(party == found.operator, "commission.operator: only its operator does this")
    return found


def require_side(found: Commission) -> str:
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(
        party != "" and party in (found.operator, found.party),
        "commission.side: only one of its two sides may do this",
    )
    return party


def finish(found: Commission, status: str, actor: str, reason: str) -> None:
    check_reason(reason)
    settle(found, status, actor, reason)


def settle(found: Commission, status: str, actor: str, reason: str) -> None:
    commissions[found.id] = replace(found, status=status, actor=actor, reason=reason)
    emit(
        "CommissionClosed",
        commission_id=found.id,
        party_id=found.party,
        actor=actor,
        status=status,
        reason=reason,
    )


def check_reason(reason: str) -> None:
    require(1 <= len(reason) <= NOTE_MAX, "commission.reason: say why, in 1 to 1024 characters")


def check_page(offset: int, limit: int) -> None:
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "commission.page: ask for 1 to 100 from 0 up")


def readable(commission_id: str) -> Commission:
    scope = reader_scope()
    found = known(commission_id)
    require(
        scope in ("", found.operator, found.party),
        "commission.reader: only its two sides and managers may read it",
    )
    return found


def reader_scope() -> str:
    """Whose commissions the sender may read: "" for all, or its own party's."""
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "", "commission.reader: sign with an account of an active party")
    return "" if is_manager(party) else party


def is_manager(party: str) -> bool:
    return view_contract("parties", "party_has_role", party, "manager", returns=bool)


def known(commission_id: str) -> Commission:
    found = commissions.get(commission_id)
    if found is None:
        fail("commission.unknown: no commission has this id; look for it with `list`")
    return found


def enlist(scope: str, commission_id: str) -> None:
    number = commission_count.get(scope, 0)
    commission_by_number[scope, number] = commission_id
    commission_count[scope] = number + 1
