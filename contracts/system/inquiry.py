"""Inquiries: audits that a supervisor asks of a party, and their answers (8.6.2d to 8.6.5d).

Who supervises a party asks it to account for one of the four things that the standard names, in a
stage: the behaviour of users, the permissions of accounts, logs, or algorithms. The party answers
in time with the digest of what it shows, such as a report of `shuxin audit report`; who asked
sends the answer back with what is missing, or concludes with a finding. What is overdue follows
from the time; nobody has to note it.

States: asked -> answered -> concluded; answered -> asked (sent back); asked -> withdrawn.
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

STAGES = ("aggregation", "authorization", "development", "delivery")
SCOPES = ("behaviour", "permissions", "logs", "algorithms")
TERM_MAX_MS = 366 * 24 * 3600 * 1000  # nobody is asked to answer in some later year
TEXT_MAX = 2048  # characters of a question, an answer or a finding
DIGEST_SIZE = 32  # bytes: SM3
ROUNDS_MAX = 16  # how often an answer may be sent back
PAGE_MAX = 100  # inquiries in one answer


@record
class Inquiry:
    """`rounds` counts the answers; texts and times are those of the last round."""

    id: str
    asker: str  # party
    party: str  # that has to answer
    stage: str
    scope: str
    question: str
    asked_ms: int
    due_ms: int
    status: str = "asked"
    rounds: int = 0
    answer: str = ""
    answer_digest: bytes = b""
    answered_ms: int = 0
    finding: str = ""
    passed: bool = False
    concluded_ms: int = 0


inquiries = Map(str, Inquiry)
# Kept under "" for managers, and under who asked and who answers.
inquiry_by_number = Map((str, int), str)
inquiry_count = Map(str, int)


@call
def ask(inquiry_id: str, party_id: str, stage: str, scope: str, question: str, due_ms: int) -> None:
    """Who supervises a party asks it to account for something in a stage (8.6.2d to 8.6.5d)."""
    asker = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(
        view_contract("oversight", "supervises", asker, party_id, "", returns=bool),
        "inquiry.role: only who supervises the party asks it",
    )
    require(is_name(inquiry_id), "inquiry.id: use 1 to 64 characters of a-z 0-9 _ - .")
    require(inquiry_id not in inquiries, "inquiry.exists: choose another id")
    require(stage in STAGES, "inquiry.stage: use one of the four stages")
    require(scope in SCOPES, "inquiry.scope: use behaviour, permissions, logs or algorithms")
    require(1 <= len(question) <= TEXT_MAX, "inquiry.question: use 1 to 2048 characters")
    check_due(due_ms)
    inquiries[inquiry_id] = Inquiry(
        inquiry_id, asker, party_id, stage, scope, question, ctx.time_ms, due_ms
    )
    for reader in ("", asker, party_id):
        enlist(reader, inquiry_id)
    emit(
        "InquiryAsked",
        inquiry_id=inquiry_id,
        asker=asker,
        party_id=party_id,
        stage=stage,
        scope=scope,
        due_ms=due_ms,
    )


@call
def answer(inquiry_id: str, text: str, digest: bytes) -> None:
    """The party answers, naming what it shows by its digest."""
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    found = known(inquiry_id)
    require(party == found.party, "inquiry.party: only the party that was asked answers")
    require(found.status == "asked", "inquiry.status: no answer is waited for")
    require(1 <= len(text) <= TEXT_MAX, "inquiry.answer: use 1 to 2048 characters")
    require(len(digest) == DIGEST_SIZE, "inquiry.digest: use 32 bytes of SM3")
    is_late = ctx.time_ms >= found.due_ms
    inquiries[inquiry_id] = replace(
        found,
        status="answered",
        rounds=found.rounds + 1,
        answer=text,
        answer_digest=digest,
        answered_ms=ctx.time_ms,
    )
    emit("InquiryAnswered", inquiry_id=inquiry_id, party_id=party, digest=digest, is_late=is_late)


@call
def send_back(inquiry_id: str, finding: str, due_ms: int) -> None:
    """Who asked says what is missing and until when it is due."""
    found = require_asker(inquiry_id)
    require(found.status == "answered", "inquiry.status: there is no answer to send back")
    require(found.rounds < ROUNDS_MAX, "inquiry.rounds: conclude it; ask anew if need be")
    require(1 <= len(finding) <= TEXT_MAX, "inquiry.finding: say what is missing, in 1 to 2048")
    check_due(due_ms)
    inquiries[inquiry_id] = replace(found, status="asked", finding=finding, due_ms=due_ms)
    emit("InquirySentBack", inquiry_id=inquiry_id, party_id=found.party, finding=finding)


@call
def conclude(inquiry_id: str, passed: bool, finding: str) -> None:
    """Who asked ends the inquiry with a finding."""
    found = require_asker(inquiry_id)
    require(found.status == "answered", "inquiry.status: wait for the answer, or withdraw it")
    require(passed or finding != "", "inquiry.finding: say what was found wanting")
    require(len(finding) <= TEXT_MAX, "inquiry.finding: use up to 2048 characters")
    inquiries[inquiry_id] = replace(
        found, status="concluded", passed=passed, finding=finding, concluded_ms=ctx.time_ms
    )
    emit("InquiryConcluded", inquiry_id=inquiry_id, party_id=found.party, passed=passed)


@call
def withdraw(inquiry_id: str, finding: str) -> None:
    """Who asked takes it back: by mistake, or because no answer came and something else follows."""
    found = require_asker(inquiry_id)
    require(found.status == "asked", "inquiry.status: only an open question is taken back")
    require(1 <= len(finding) <= TEXT_MAX, "inquiry.finding: say why, in 1 to 2048 characters")
    inquiries[inquiry_id] = replace(
        found, status="withdrawn", finding=finding, concluded_ms=ctx.time_ms
    )
    emit("InquiryWithdrawn", inquiry_id=inquiry_id, party_id=found.party)


@view
def show(inquiry_id: str) -> Inquiry:
    """One inquiry, for who asked, who answers, and the managers."""
    reader = reader_scope()
    found = known(inquiry_id)
    require(
        reader in ("", found.asker, found.party),
        "inquiry.reader: only who asked, who answers and managers may read it",
    )
    return found


@view
def list_(offset: int, limit: int) -> list[Inquiry]:
    """Inquiries in order: all for managers; for others those that they asked or have to answer."""
    scope = reader_scope()
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "inquiry.page: ask for 1 to 100 from 0 up")
    end = min(offset + limit, inquiry_count.get(scope, 0))
    return [inquiries[inquiry_by_number[scope, number]] for number in range(offset, end)]


@view
def is_overdue(inquiry_id: str) -> bool:
    """Is an answer waited for, after its time?"""
    reader_scope()
    found = known(inquiry_id)
    return found.status == "asked" and ctx.time_ms >= found.due_ms


def reader_scope() -> str:
    """Whose inquiries the sender may read: "" for all, or its own party's."""
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "", "inquiry.reader: sign with an account of an active party")
    return "" if is_manager(party) else party


def require_asker(inquiry_id: str) -> Inquiry:
    """The inquiry, if the sender speaks for who asked, or for a manager other than who was."""
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    found = known(inquiry_id)
    require(
        party != "" and party != found.party and (party == found.asker or is_manager(party)),
        "inquiry.asker: only who asked, or a manager, decides on it",
    )
    return found


def is_manager(party: str) -> bool:
    return view_contract("parties", "party_has_role", party, "manager", returns=bool)


def known(inquiry_id: str) -> Inquiry:
    found = inquiries.get(inquiry_id)
    if found is None:
        fail("inquiry.unknown: no inquiry has this id; look for it with `list`")
    return found


def check_due(due_ms: int) -> None:
    require(
        ctx.time_ms < due_ms <= ctx.time_ms + TERM_MAX_MS,
        "inquiry.due: give a time in the next year",
    )


def enlist(scope: str, inquiry_id: str) -> None:
    number = inquiry_count.get(scope, 0)
    inquiry_by_number[scope, number] = inquiry_id
    inquiry_count[scope] = number + 1
