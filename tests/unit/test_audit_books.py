"""Jobs, agreements and bills are worked out again from the acts, and each contradiction is named.

Each alteration is what a contract would do that does not keep what it promises: a replay finds
nothing wrong with such a chain, for it follows from its genesis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from ledger.values import Value
from node.audit.acts.act import Act
from node.audit.books.books import Books
from node.audit.tables.books import (
    AGREEMENTS,
    BOOKS,
    CONTRADICTIONS,
    ENTRIES,
    JOB_TASKS,
    JOBS,
    STATEMENTS,
    book_rows,
)
from node.audit.tables.columns import Table
from tests.book_world import RecordedBusiness, given, saying, silent
from tests.business import SUPPLIERS, agreed_terms, changed, digest, node_public, step

Alter = Callable[[Act], Act]
PRICE = 10_000
LAST_MS = 1 << 42  # long after all of it


@cache
def story() -> RecordedBusiness:
    """A job that was verified, a delivery under an agreement, and both billed; only read it."""
    business = RecordedBusiness()
    prices: list[Value] = [["task", 500], ["dataset", 70]]
    height = business.chain.height + 2
    business.do("bureau", "tariff", "enact", 1, digest("tariff"), "", prices, height)
    business.chain.advance(height=2)
    business.agreed()
    business.do("opco", "grant", "request", "g9", *business.grant_terms(uses_max=9))
    signed = business.terms_digest("g9")
    business.do("bureau", "grant", "review", "g9")
    business.do("bureau", "grant", "decide", "g9", True, "lawful", signed)
    business.do("opco", "grant", "accept", "g9", signed)
    plan = business.plan()
    plan[2] = "g9"
    business.do("opco", "job", "create", *plan)
    for party in (*SUPPLIERS, "insurer"):
        business.do(party, "job", "confirm", "j1", business.job()["digest"])
    business.do("opco", "job", "dispatch", "j1")
    for name in ("first", "second", "third"):
        order = business.step_order(name, f"j1-{name}")
        order[1] = "g9"
        business.do("opco", "task", "create", *order)
        if name == "second":  # it breaks, and is ordered again
            business.do("health", "task", "fail", "j1-second", "out of memory")
            order[0] = "j1-second-2"
            business.do("opco", "task", "create", *order)
        for act in (business.accept, business.report):
            for supplier in SUPPLIERS:
                act(supplier, str(order[0]))
    business.do("opco", "job", "finish", "j1", digest("numbers"))
    business.do("insurer", "job", "verify", "j1", digest("numbers"), True, "")
    made: list[Value] = ["p2", "j1-third", "Table", "", digest("numbers"), "statistics"]
    business.do("opco", "product", "register", *made)
    offer: list[Value] = ["insurer", digest("agreement"), digest("payload"), "a1"]
    business.do("opco", "delivery", "offer_under", "v1", "p1", *offer)
    business.do("insurer", "delivery", "accept", "v1", digest("payload"), True, "")
    business.do("insurer", "billing", "meter_delivery", "v1")
    business.do("opco", "billing", "meter_task", "j1-first")
    offered_for_use(business)
    business.do("opco", "billing", "report_use", "a2", 3, digest("log"))
    business.pass_time(1000)
    business.do("opco", "billing", "issue", "s1", "insurer", business.now_ms)
    business.do("insurer", "billing", "contest", "s1", "two questions had no answer")
    business.do("bureau", "billing", "settle", "s1", 30_000, "that is so")
    business.do("insurer", "payment", "remit", "s1", digest("slip"))
    business.do("opco", "payment", "deny", "s1", "it never came")
    business.do("bureau", "payment", "conclude", "s1", False, "another account was paid")
    business.do("insurer", "payment", "remit", "s1", digest("receipt"))
    business.do("opco", "payment", "confirm", "s1", digest("receipt"))
    business.do("health", "billing", "issue", "s2", "insurer", business.now_ms)
    return business


def offered_for_use(business: RecordedBusiness) -> None:
    """Agreement a2, over the same and at the same price, for what is used after the delivery."""
    business.do("opco", "agreement", "offer", "a2", *changed(agreed_terms(business), 7, "use"))
    for side in ("opco", "insurer"):
        business.do(side, "agreement", "sign", "a2", digest("agreement"))


def end_ms() -> int:
    """The time of the last act."""
    return story().acts[-1].time_ms


def rows(books: Books, table: Table, now_ms: int = LAST_MS) -> list[dict[str, object]]:
    names = [column.name for column in table.columns]
    return [
        dict(zip(names, row, strict=True))
        for row in book_rows(books, table, now_ms, lambda _kept: True)
    ]


def told(*alter: Alter) -> list[tuple[str, str]]:
    """What contradicts, as check and what it is about."""
    found = story().books(*alter).faults.found
    return [(one.name, ":".join(one.subject)) for one in found]


def test_an_honest_chain_has_no_contradictions_and_all_its_records() -> None:
    books = story().books()
    assert books.faults.found == []
    (job,) = rows(books, JOBS)
    parties = (*SUPPLIERS, "insurer")
    assert (job["status"], job["parties"], job["confirmed"]) == ("verified", parties, parties)
    assert job["steps"] == job["finished_steps"] == ("first", "second", "third")
    order = ("created", "queued", "dispatched", "result", "verified")
    times = [job[name] for name in order]
    assert times == sorted(times, key=str) and None not in times
    assert (job["closed"], job["ended"], job["contradictions"]) == (None, None, 0)
    tasks = [
        (row["step"], row["attempt"], row["task_id"], row["status"])
        for row in rows(books, JOB_TASKS)
    ]
    assert tasks == [
        ("first", 1, "j1-first", "finished"),
        ("second", 1, "j1-second", "failed"),
        ("second", 2, "j1-second-2", "finished"),
        ("third", 1, "j1-third", "finished"),
    ]


def test_agreements_and_statements_are_told_with_what_is_under_them() -> None:
    books = story().books()
    agreement, other = rows(books, AGREEMENTS, now_ms=end_ms())
    assert (other["deliveries"], other["status"]) == ((), "in_force")
    assert (agreement["status"], agreement["signed_by"]) == ("in_force", ("opco", "insurer"))
    assert agreement["deliveries"] == agreement["accepted"] == ("v1",)
    assert rows(books, AGREEMENTS)[0]["status"] == "ended", "its time is over"
    paid, issued = rows(books, STATEMENTS, now_ms=end_ms())
    total = PRICE + 500 + 3 * PRICE
    assert (paid["payee"], paid["payer"], paid["entries"], paid["metered"]) == (
        *("opco", "insurer"),
        *(3, 3),
    )
    assert (paid["total_fen"], paid["metered_fen"], paid["due_fen"]) == (total, total, 30_000)
    assert (paid["status"], paid["settler"]) == ("paid", "bureau")
    assert paid["charges"] == ("delivery:v1", "task:j1-first", "agreement:a2")
    assert (issued["payee"], issued["metered_fen"], issued["status"]) == ("health", 70, "issued")
    assert rows(books, STATEMENTS)[1]["status"] == "overdue", "nobody answered it"
    entries = [(row["kind"], row["payee"], row["statement_id"]) for row in rows(books, ENTRIES)]
    assert entries[:3] == [
        ("delivery", "opco", "s1"),
        ("task", "opco", "s1"),
        ("dataset", "health", "s2"),
    ]
    assert entries[3] == ("dataset", "social", ""), "on no statement yet"


PLAN = "job:j1"
LIES: list[tuple[str, str, list[Alter]]] = [
    ("plan digest", PLAN, [saying("JobCreated", priority=9)]),
    ("plan digest", PLAN, [given("job.create", steps="no plan")]),
    ("parties", PLAN, [saying("JobCreated", parties=["health", "social", "insurer"])]),
    ("confirmed digest", PLAN, [saying("JobConfirmed", digest=bytes(32))]),
    ("confirmation", PLAN, [saying("JobConfirmed", party_id="rival")]),
    ("queued unconfirmed", PLAN, [silent("JobConfirmed", party_id="civil")]),
    ("state", PLAN, [silent("JobDispatched")]),
    ("task against plan", PLAN, [given("task.create", program=b"another program")]),
    ("task against plan", PLAN, [given("task.create", algorithm="training/1")]),
    ("task against plan", PLAN, [given("task.create", receiver_key=node_public("rival"))]),
    ("task against plan", PLAN, [given("task.create", participants=[["health", "x"]])]),
    ("task against plan", PLAN, [given("task.create", deadline_ms=1 << 45)]),
    ("unplanned", PLAN, [saying("JobStepStarted", step="fourth")]),
    ("task not taken", PLAN, [silent("JobStepStarted", step="second")]),
    ("order of steps", PLAN, [silent("TaskFinished", task_id="j1-first")]),
    ("end of a step", PLAN, [saying("JobStepEnded", status="finished")]),
    ("unfinished", PLAN, [silent("TaskFinished", task_id="j1-third")]),
    ("verified by", PLAN, [saying("JobVerified", party_id="rival")]),
    ("verified result", PLAN, [saying("JobVerified", result_digest=bytes(32))]),
    ("unverified product", PLAN, [silent("JobVerified")]),
    ("unknown job", PLAN, [silent("JobCreated")]),
    ("sides", "agreement:a1", [saying("AgreementOffered", consumer="bank")]),
    ("signed text", "agreement:a1", [saying("AgreementSigned", digest=bytes(32))]),
    ("signature", "agreement:a1", [saying("AgreementSigned", party_id="insurer")]),
    ("in force", "agreement:a1", [silent("AgreementSigned", party_id="opco")]),
    ("in force", "agreement:a1", [saying("AgreementSigned", in_force=False)]),
    ("unknown agreement", "agreement:a1", [silent("AgreementOffered")]),
    ("delivery out of term", "agreement:a1", [saying("AgreementOffered", until_ms=1)]),
    ("delivery against terms", "agreement:a1", [given("delivery.offer_under", product_id="p9")]),
    ("delivery against terms", "agreement:a1",
     [given("delivery.offer_under", agreement_digest=b"")]),
    ("sum", "statement:s1", [saying("StatementIssued", total_fen=99)]),
    ("count", "statement:s1", [saying("StatementIssued", count=9)]),
    ("count", "statement:s1", [silent("Metered", kind="use")]),
    ("issuer", "statement:s1", [saying("StatementIssued", payee="rival")]),
    ("settled sum", "statement:s1", [saying("StatementSettled", due_fen=10**9)]),
    ("answered by", "statement:s1", [saying("StatementSettled", party_id="opco")]),
    ("state", "statement:s1", [silent("StatementSettled")]),
    ("unknown statement", "statement:s1", [silent("StatementIssued")]),
    ("answered by", "statement:s1", [saying("PaymentRemitted", party_id="opco")]),
    ("answered by", "statement:s1", [saying("PaymentDenied", party_id="bureau")]),
    ("answered by", "statement:s1", [saying("PaymentConcluded", party_id="insurer")]),
    ("state", "statement:s1", [silent("PaymentDenied")]),
    ("state", "statement:s1", [saying("PaymentConcluded", is_paid=True)]),
    ("price", "delivery:v1", [saying("Metered", price_fen=99)]),
    ("price", "task:j1-first", [given("tariff.enact", prices=[["task", 1]])]),
    ("price", "task:j1-first", [silent("TariffEnacted")]),
    ("price", "delivery:v1", [given("agreement.offer", price_fen=1)]),
    ("price", "delivery:v1", [given("agreement.offer", per="use")]),
    ("price", "agreement:a2", [given("agreement.offer", per="delivery")]),
    ("units", "agreement:a2", [saying("Metered", units=7)]),
    ("who owes whom", "task:j1-first", [saying("Metered", payer="bank")]),
    ("metered too early", "task:j1-first", [silent("TaskFinished", task_id="j1-first")]),
    ("metered too early", "delivery:v1", [given("delivery.accept", accepted=False)]),
    ("metered twice", "delivery:v1", [saying("Metered", kind="delivery", subject="v1")]),
    ("number of an entry", "delivery:v1", [saying("Metered", number=7)]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "subject", "lies"), LIES)
def test_what_a_contract_says_against_the_acts_is_named(
    name: str, subject: str, lies: list[Alter]
) -> None:
    assert (name, subject) in told(*lies)


def test_a_contradiction_says_what_it_should_be_and_where_it_stands() -> None:
    books = story().books(saying("StatementIssued", total_fen=99))
    first, _second = books.faults.found
    assert first.says == f"it says 99 fen, and what was metered comes to {4 * PRICE + 500}"
    (issued, *_others) = [act for act in story().acts if act.method == "issue"]
    assert (first.proof.transaction, first.proof.height) == (issued.transaction, issued.height)
    row, *_more = rows(books, CONTRADICTIONS)
    assert (row["subject"], row["check"], row["says"]) == ("statement:s1", "sum", first.says)
    assert [one["contradictions"] for one in rows(books, STATEMENTS)] == [1, 1]


def test_a_bad_price_is_counted_with_the_statement_that_charges_it() -> None:
    books = story().books(given("agreement.offer", price_fen=1))
    assert [one["contradictions"] for one in rows(books, STATEMENTS)] == [2, 0]


@pytest.mark.parametrize("value", [None, 7, "x", [], {"a": 1}, [["x"]], b"\x00", -1, 1 << 70])
def test_whatever_an_upgraded_contract_says_the_books_are_kept(value: Value) -> None:
    """Fields and arguments of other types: the tables still have their rows."""
    alterations: dict[str, Alter] = {}
    for act in story().acts:
        call = f"{act.contract}.{act.method}"
        alterations[call] = given(call, **dict.fromkeys(act.given, value))
        for event in act.events:
            alterations[event.name] = saying(event.name, **dict.fromkeys(event.fields, value))
    for alter in alterations.values():
        books = story().books(alter)
        for table in BOOKS:
            rows(books, table)


def test_a_contract_that_is_none_of_the_genesis_tells_the_books_nothing() -> None:
    def forged(act: Act) -> Act:
        return replace(act, events=tuple(replace(one, contract="forged") for one in act.events))

    books = story().books(forged)
    assert not books.jobs.found and not books.bills.found and not books.agreements.found


def test_a_job_that_is_called_off_keeps_its_tasks_and_how_they_ended() -> None:
    business = RecordedBusiness()
    business.granted(uses_max=9)
    plan = business.plan()
    plan[-1] = [step("first")]
    business.do("opco", "job", "create", *plan)
    for party in (*SUPPLIERS, "insurer"):
        business.do(party, "job", "confirm", "j1", business.job()["digest"])
    business.do("opco", "job", "dispatch", "j1")
    business.do("opco", "task", "create", *business.step_order("first", "t1"))
    business.do("bureau", "grant", "revoke", "g1", "misuse")
    books = business.books()
    assert books.faults.found == []
    (job,), (task,) = rows(books, JOBS), rows(books, JOB_TASKS)
    assert (job["status"], task["status"]) == ("cancelled", "cancelled")
    assert job["ended"] == task["ended"] == business.now_ms


def test_an_agreement_that_is_terminated_or_declined_says_so() -> None:
    business = RecordedBusiness()
    business.agreed()
    business.do("bureau", "agreement", "terminate", "a1", "misuse")
    business.do("opco", "agreement", "offer", "a2", *agreed_terms(business))
    business.do("insurer", "agreement", "decline", "a2", "too dear")
    business.do("opco", "agreement", "offer", "a3", *agreed_terms(business))
    books = business.books()
    assert books.faults.found == []
    assert [row["status"] for row in rows(books, AGREEMENTS)] == [
        "terminated",
        "declined",
        "lapsed",
    ]
