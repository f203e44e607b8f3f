"""Payments: how what is due on a statement comes to its end (clause 6.6.1c).

No money moves here. The payee confirms that it was paid, naming what shows it. Lest one that never
does leave a debt open for ever, the payer puts its payment on record (`remit`), with the digest of
what shows it; then the payee confirms or denies. Where it denies, or says nothing for 30 days, a
manager that is neither side looks at the papers of both and concludes: it was paid, or it is still
due and may be remitted anew. Silence agrees to nothing, neither here nor of a payer in `billing`,
which keeps the status.

States of a statement from here on: accepted | settled -> paid | remitted;
remitted -> paid | denied | unconfirmed; unconfirmed -> paid | denied | accepted | settled;
denied -> paid | accepted | settled.
"""

from __future__ import annotations

from contracts.dialect import (
    Map,
    call,
    call_contract,
    ctx,
    emit,
    fail,
    record,
    replace,
    require,
    view,
    view_contract,
)

DUE = ("accepted", "settled")
DIGEST_SIZE = 32  # bytes: SM3
TEXT_MAX = 1024  # characters of reasons
CONFIRM_MS = 30 * 24 * 3600 * 1000  # that a payee has to confirm or deny a payment


@record
class Payment:
    """What was said of the last payment of a statement that its payer put on record."""

    statement_id: str
    payee: str
    payer: str
    before: str  # status of the statement: it is that again if a manager finds nothing was paid
    receipt_digest: bytes  # of what shows the payment, as the payer says
    remitted_ms: int
    denial: str = ""
    conclusion: str = ""
    concluder: str = ""  # party


@record
class Course:
    """A statement, as the contract `billing` tells it."""

    status: str
    payee: str
    payer: str
    issued_ms: int


payments = Map(str, Payment)  # statement


@call
def remit(statement_id: str, receipt_digest: bytes) -> None:
    """The payer puts on record that it paid what is due, naming what shows it."""
    found = course_of(statement_id)
    require(
        signer() == found.payer and found.payer != "",
        "payment.payer: only the payer says that it paid",
    )
    require(found.status in DUE, "payment.status: only what is accepted or settled is paid, once")
    require(len(receipt_digest) == DIGEST_SIZE, "payment.digest: use 32 bytes of SM3")
    payments[statement_id] = Payment(
        statement_id, found.payee, found.payer, found.status, receipt_digest, ctx.time_ms
    )
    turn(statement_id, "remitted", receipt_digest, ctx.time_ms + CONFIRM_MS)
    emit(
        "PaymentRemitted",
        statement_id=statement_id,
        party_id=found.payer,
        payee=found.payee,
        receipt_digest=receipt_digest,
    )


@call
def confirm(statement_id: str, receipt_digest: bytes) -> None:
    """The payee confirms that what is due was paid, naming what shows it."""
    found = course_of(statement_id)
    require_payee(found)
    require(
        found.status in ("accepted", "settled", "remitted", "denied", "unconfirmed"),
        "payment.status: only what is accepted or settled is paid, once",
    )
    require(len(receipt_digest) == DIGEST_SIZE, "payment.digest: use 32 bytes of SM3")
    turn(statement_id, "paid", receipt_digest, 0)
    emit(
        "PaymentConfirmed",
        statement_id=statement_id,
        party_id=found.payee,
        receipt_digest=receipt_digest,
    )


@call
def deny(statement_id: str, reason: str) -> None:
    """The payee says why what was remitted never came, or is not what is due."""
    found = course_of(statement_id)
    require_payee(found)
    require(
        found.status in ("remitted", "unconfirmed"),
        "payment.status: deny what the payer remitted, once",
    )
    require(1 <= len(reason) <= TEXT_MAX, "payment.reason: say why, in 1 to 1024 characters")
    payment = payments[statement_id]
    payments[statement_id] = replace(payment, denial=reason)
    turn(statement_id, "denied", payment.receipt_digest, 0)
    emit("PaymentDenied", statement_id=statement_id, party_id=found.payee, reason=reason)


@call
def conclude(statement_id: str, is_paid: bool, text: str) -> None:
    """A manager that is neither side decides on what is denied, or was not confirmed in time."""
    manager = view_contract("parties", "acting_as", ctx.sender, "manager", returns=str)
    require(manager != "", "payment.role: sign with an account of an active manager")
    found = course_of(statement_id)
    require(manager not in (found.payee, found.payer), "payment.self: no party decides on its own")
    require(
        found.status in ("denied", "unconfirmed"),
        "payment.status: only what is denied, or was not confirmed in time, is decided on",
    )
    require(1 <= len(text) <= TEXT_MAX, "payment.conclusion: give reasons in 1 to 1024 characters")
    payment = payments[statement_id]
    payments[statement_id] = replace(payment, conclusion=text, concluder=manager)
    if is_paid:
        turn(statement_id, "paid", payment.receipt_digest, 0)
    else:
        turn(statement_id, payment.before, b"", 0)
    emit(
        "PaymentConcluded",
        statement_id=statement_id,
        party_id=manager,
        is_paid=is_paid,
        text=text,
    )


@view
def show(statement_id: str) -> Payment:
    """What was said of a payment, for the two sides of its statement and the managers."""
    party = signer()
    require(party != "", "payment.reader: sign with an account of an active party")
    found = payments.get(statement_id)
    is_manager = view_contract("parties", "party_has_role", party, "manager", returns=bool)
    if found is None:
        fail("payment.unknown: its payer remitted nothing; see `billing show` for the statement")
    require(
        is_manager or party in (found.payee, found.payer),
        "payment.reader: only the two sides of its statement and managers may read it",
    )
    return found


def signer() -> str:
    return view_contract("parties", "active_party_of", ctx.sender, returns=str)


def require_payee(found: Course) -> None:
    require(
        found.payee != "" and signer() == found.payee,
        "payment.payee: only the payee confirms or denies",
    )


def course_of(statement_id: str) -> Course:
    return view_contract("billing", "course", statement_id, returns=Course)


def turn(statement_id: str, status: str, receipt_digest: bytes, confirm_by_ms: int) -> None:
    call_contract("billing", "turn", statement_id, status, receipt_digest, confirm_by_ms)
