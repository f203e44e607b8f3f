"""The tables of jobs, agreements, bills, and of what contradicts them; see node.audit.books."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from node.audit.acts.act import id_of
from node.audit.books.agreements import Agreement
from node.audit.books.bills import Statement
from node.audit.books.books import Books
from node.audit.books.jobs import Job
from node.audit.books.kept import Kept
from node.audit.tables.columns import PLACE, Row, Table, integer, moment, names, text

# The transaction that made it.
_ORIGIN: Final = (integer("height"), text("transaction"))
_FAULTS: Final = integer("contradictions", "how many of the table of that name are about it")

JOBS: Final = Table(
    "jobs",
    "plans of several tasks, confirmed by all",
    (
        text("id"),
        text("title"),
        text("grant_id"),
        text("operator"),
        text("consumer"),
        names("parties", "that have to confirm"),
        names("confirmed", "that did, in order"),
        names("steps", "in the order of the plan"),
        names("finished_steps"),
        integer("priority", "9 goes first"),
        text("plan_digest", "that was confirmed"),
        text("result_digest"),
        text(
            "status",
            "created queued dispatched running result verified disputed closed failed cancelled "
            "timed_out",
        ),
        moment("created"),
        moment("queued"),
        moment("dispatched"),
        moment("result"),
        moment("verified"),
        moment("closed"),
        moment("ended", "without a result"),
        moment("deadline"),
        _FAULTS,
        *_ORIGIN,
    ),
)
JOB_TASKS: Final = Table(
    "job_tasks",
    "one row for each task that began a step of a job",
    (
        text("job_id"),
        text("step"),
        integer("attempt", "from 1"),
        text("task_id"),
        text("component", "the planned algorithm"),
        names("participants", "planned parties"),
        names("after", "steps that come before"),
        text("status", "open, or how the task ended"),
        moment("begun"),
        moment("ended"),
        *_ORIGIN,
    ),
)
AGREEMENTS: Final = Table(
    "agreements",
    "contracts between operator and consumer, and what was delivered under them",
    (
        text("id"),
        text("kind", "product or grant"),
        text("subject", "that it is over"),
        text("operator"),
        text("consumer"),
        text("title"),
        text("digest", "of the text"),
        integer("price_fen"),
        text("service", "of the tariff, which then sets the price"),
        text("per", "delivery or use: what the price is for"),
        names("signed_by", "in order"),
        names("deliveries", "offered under it"),
        names("accepted", "those of them that were accepted"),
        text("status", "offered signed in_force ended terminated declined lapsed, at the end"),
        moment("offered"),
        moment("in_force"),
        moment("until"),
        moment("ended", "before its time"),
        _FAULTS,
        *_ORIGIN,
    ),
)
STATEMENTS: Final = Table(
    "statements",
    "what payees stated, and what was metered in that period",
    (
        text("id"),
        text("payee", "that issued it"),
        text("payer"),
        moment("begins", "empty for the first between the two"),
        moment("ends", "that moment excluded"),
        integer("entries", "as it says"),
        integer("total_fen", "as it says"),
        integer("metered", "entries"),
        integer("metered_fen", "their sum, added up again"),
        integer("due_fen", "the total, or what was settled"),
        names("charges", "KIND:ID that it bills"),
        text(
            "status",
            "issued overdue accepted contested settled remitted denied unconfirmed paid, "
            "at the end",
        ),
        text("settler", "party"),
        text("concluder", "party that decided on its payment"),
        moment("issued"),
        moment("answer_by"),
        moment("accepted"),
        moment("contested"),
        moment("settled"),
        moment("remitted", "the last time"),
        moment("denied"),
        moment("paid"),
        _FAULTS,
        *_ORIGIN,
    ),
)
ENTRIES: Final = Table(
    "entries",
    "what was metered",
    (
        integer("number"),
        text("kind", "task dataset delivery use"),
        text("subject", "KIND:ID"),
        text("payee"),
        text("payer"),
        integer("units"),
        integer("price_fen", "of a unit, as it was metered"),
        integer("expected_fen", "of a unit, by the tariff then in force or by the agreement"),
        text("statement_id", "empty for what no statement has yet"),
        *PLACE,
    ),
)
CONTRADICTIONS: Final = Table(
    "contradictions",
    "where jobs, agreements and bills do not agree with the acts that they are of",
    (
        text("subject", "KIND:ID"),
        text("check", "for programs"),
        text("says"),
        *PLACE,
    ),
)
BOOKS: Final = (JOBS, JOB_TASKS, AGREEMENTS, STATEMENTS, ENTRIES, CONTRADICTIONS)
Wanted = Callable[[Kept], bool]


def book_rows(books: Books, table: Table, now_ms: int, wanted: Wanted) -> Iterator[Row]:
    """Of one of BOOKS, for the records that are wanted, as of `now_ms`; contradictions are told
    whole: who broke one promise is not believed for the others."""
    if table is JOBS:
        yield from (_job(books, one) for one in books.jobs.found.values() if wanted(one))
    elif table is JOB_TASKS:
        for job in books.jobs.found.values():
            if wanted(job):
                yield from _job_tasks(job)
    elif table is AGREEMENTS:
        for agreement in books.agreements.found.values():
            if wanted(agreement):
                yield _agreement(books, agreement, now_ms)
    elif table is STATEMENTS:
        for statement in books.bills.found.values():
            if wanted(statement):
                yield _statement(books, statement, now_ms)
    elif table is ENTRIES:
        yield from _entries(books, wanted)
    else:
        for one in books.faults.found:
            proof = one.proof
            place = proof.height, proof.index, proof.time_ms, proof.transaction
            yield id_of(one.subject), one.name, one.says, *place


def _job(books: Books, job: Job) -> Row:
    at = job.times.get
    return (
        job.id,
        job.title,
        job.grant,
        job.operator,
        job.consumer,
        job.asked,
        tuple(job.confirmed),
        tuple(job.steps),
        tuple(name for name in job.steps if job.is_done(name)),
        job.priority,
        job.digest.hex(),
        job.result.hex(),
        job.status,
        at("created"),
        at("queued"),
        at("dispatched"),
        at("result"),
        at("verified"),
        at("closed"),
        at("ended"),
        job.deadline_ms,
        books.faults.count((job.subject,)),
        job.made.height,
        job.made.transaction,
    )


def _job_tasks(job: Job) -> Iterator[Row]:
    begun: dict[str, int] = {}
    for one in job.attempts:
        begun[one.step] = begun.get(one.step, 0) + 1
        step = job.steps.get(one.step)
        yield (
            job.id,
            one.step,
            begun[one.step],
            one.task,
            step.component if step else "",
            tuple(party for party, _dataset in step.participants) if step else (),
            tuple(step.after) if step else (),
            one.status,
            one.begun_ms,
            one.ended_ms,
            one.height,
            one.transaction,
        )


def _agreement(books: Books, agreement: Agreement, now_ms: int) -> Row:
    made = agreement.deliveries
    return (
        agreement.id,
        agreement.kind,
        agreement.over,
        agreement.operator,
        agreement.consumer,
        agreement.title,
        agreement.digest.hex(),
        agreement.price_fen,
        agreement.service,
        agreement.per,
        tuple(agreement.signed),
        tuple(one.id for one in made),
        tuple(one.id for one in made if one.status == "accepted"),
        agreement.standing(now_ms),
        agreement.made.time_ms,
        agreement.in_force_ms,
        agreement.until_ms,
        agreement.ended_ms,
        books.faults.count((agreement.subject,)),
        agreement.made.height,
        agreement.made.transaction,
    )


def _statement(books: Books, statement: Statement, now_ms: int) -> Row:
    charges = tuple(dict.fromkeys(entry.subject for entry in statement.entries))
    at = statement.times.get
    return (
        statement.id,
        statement.payee,
        statement.payer,
        statement.from_ms or None,
        statement.to_ms,
        statement.count,
        statement.total_fen,
        len(statement.entries),
        statement.summed_fen,
        statement.due_fen,
        tuple(map(id_of, charges)),
        statement.standing(now_ms),
        statement.settler,
        statement.concluder,
        at("issued"),
        statement.answer_by_ms,
        at("accepted"),
        at("contested"),
        at("settled"),
        at("remitted"),
        at("denied"),
        at("paid"),
        books.faults.count((statement.subject, *charges)),
        statement.made.height,
        statement.made.transaction,
    )


def _entries(books: Books, wanted: Wanted) -> Iterator[Row]:
    for entry in books.bills.entries:
        if not wanted(books.kept_of(entry)):
            continue
        proof = entry.proof
        yield (
            entry.number,
            entry.kind,
            id_of(entry.subject),
            entry.payee,
            entry.payer,
            entry.units,
            entry.price_fen,
            entry.expected_fen,
            entry.statement,
            proof.height,
            proof.index,
            proof.time_ms,
            proof.transaction,
        )
