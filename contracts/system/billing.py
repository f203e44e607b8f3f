"""Metering and charging: metering records and statements (clause 6.6.1c).

What was done is metered from the records themselves, at the tariff in force: whoever a finished
task or an accepted delivery concerns asks for it, and this contract reads who, what and how much.
Only use after delivery, which no chain sees, is the payee's word, with the digest of its log, under
an agreement in force or within 30 days after its end. A consumer owes the operator for tasks,
deliveries and use, and each supplier for the data sets that a task took.

A payee states its account with a payer up to a time: all entries since the last statement, none
twice and none left out. Whoever it concerns can add them up again. Amounts are fen; no money moves
here.

A payer has 30 days to answer a statement. Silence agrees to nothing: what was not answered by then
is overdue, which follows from the time, and a manager may settle it like what was contested.

States of a statement: issued -> accepted | contested | overdue; contested -> settled;
overdue -> accepted | contested | settled. How it is paid from there, the contract `payment` says.
"""

from __future__ import annotations

from contracts.dialect import (
    Map,
    Var,
    call,
    ctx,
    emit,
    fail,
    is_name,
    record,
    replace,
    require,
    to_hex,
    view,
    view_contract,
)

UNITS_MAX = 10**12  # of one report of use
TEXT_MAX = 1024  # characters of a reason, or of where the text is kept
DIGEST_SIZE = 32  # bytes: SM3
ANSWER_MS = 30 * 24 * 3600 * 1000  # that a payer has to answer a statement
REPORT_MS = 30 * 24 * 3600 * 1000  # that a payee has to report use, once an agreement is over
ENTRIES_MAX = 200  # of one statement: adding them up must fit into a transaction
PAGE_MAX = 100  # records in one answer
ASKERS = ("contract:risk", "contract:payment")  # contracts that judge or turn a statement


@record
class Entry:
    """What a payer owes for: units of a service at a price, neither of which ever changes."""

    number: int
    kind: str  # task, dataset, delivery, use
    subject: str  # task or delivery; of a use its agreement
    item: str  # data set of a kind dataset; "" else
    service: str  # of the tariff; "" where an agreement has its own price
    payee: str
    payer: str
    units: int
    price_fen: int
    tariff: int  # number of the version; 0 where an agreement has its own price
    agreement_id: str
    digest: bytes  # of the payee's log, of a use
    height: int
    metered_ms: int


@record
class Statement:
    """Entries first+1 to first+count between the two, from `from_ms` on and before `to_ms`."""

    id: str
    payee: str
    payer: str
    from_ms: int
    to_ms: int
    first: int
    count: int
    total_fen: int
    due_fen: int  # what is to be paid: the total, or what was settled
    issued_ms: int
    answer_by_ms: int  # from then on it is overdue
    status: str = "issued"
    reason: str = ""  # of the payer that contests it
    settlement: str = ""
    settler: str = ""  # party
    receipt_digest: bytes = b""  # of what shows the payment, as who said so last has it
    confirm_by_ms: int = 0  # from then on what was remitted is unconfirmed


@record
class Outcome:
    """A task's end, as the task contract tells it."""

    status: str
    operator: str
    grant_id: str
    consumer: str
    created_ms: int
    participants: list[tuple[str, str]]


@record
class Handed:
    """A delivery, as the delivery contract tells it."""

    status: str
    operator: str
    consumer: str
    agreement_id: str


@record
class Cover:
    """An agreement, as the agreement contract tells it."""

    status: str
    kind: str
    subject: str
    operator: str
    consumer: str
    digest: bytes
    price_fen: int
    service: str
    per: str
    over_ms: int  # when it ended or was terminated; 0 else


@record
class Course:
    """What the contract `risk` judges a statement by, and `payment` goes on from."""

    status: str
    payee: str
    payer: str
    issued_ms: int


@record
class Price:
    """What a unit of a service costs, as the tariff contract tells it."""

    service: str
    price_fen: int
    tariff: int
    is_named: bool


entries_by_number = Map(int, Entry)
entry_count = Var(int)
metered = Map((str, str), bool)  # kind, subject; of a use its two sides and log
# Numbers of entries by scope: "" for managers, the party, and payee with payer for statements.
entry_by_scope = Map((str, int), int)
scope_count = Map(str, int)
entry_of_pair = Map((str, str, int), int)  # payee, payer, from 1
pair_count = Map((str, str), int)
stated = Map((str, str), int)  # payee, payer -> entries that are on statements
stated_ms = Map((str, str), int)  # payee, payer -> end of the last statement
statements = Map(str, Statement)
statement_by_number = Map((str, int), str)  # kept under "" for managers, and under payee and payer
statement_count = Map(str, int)


@call
def meter_task(task_id: str) -> int:
    """What a finished task costs its consumer, once: the work, and each data set (8.2.6)."""
    task = view_contract("task", "outcome", task_id, returns=Outcome)
    concerned = [party for party, _dataset in task.participants]
    concerned.extend([task.operator, task.consumer])
    require_concerned(concerned)
    require(task.status == "finished", "billing.task: only a finished task is metered")
    take_once("task", task_id)
    work, data = listed("task"), listed("dataset")
    book("task", task_id, "", work, task.operator, task.consumer, 1, "", b"")
    for party, dataset_id in task.participants:
        book("dataset", task_id, dataset_id, data, party, task.consumer, 1, "", b"")
    return entry_count.get(0)


@call
def meter_delivery(delivery_id: str) -> int:
    """What an accepted delivery costs, once: by its agreement, else by the tariff (6.6.4)."""
    done = view_contract("delivery", "handed", delivery_id, returns=Handed)
    require_concerned([done.operator, done.consumer])
    require(done.status == "accepted", "billing.delivery: only an accepted one is metered")
    take_once("delivery", delivery_id)
    agreement_id = done.agreement_id
    if agreement_id == "":
        price = listed("delivery")
    else:
        cover = view_contract("agreement", "cover", agreement_id, returns=Cover)
        # One price is not charged twice: where use is paid for, what is used is handed over free.
        price = agreed(cover) if cover.per == "delivery" else Price("", 0, 0, True)
    book("delivery", delivery_id, "", price, done.operator, done.consumer, 1, agreement_id, b"")
    return entry_count.get(0)


@call
def report_use(agreement_id: str, units: int, digest: bytes) -> int:
    """The operator reports use that no chain sees, by the agreement it was made under (6.6.4)."""
    cover = view_contract("agreement", "cover", agreement_id, returns=Cover)
    operator = view_contract("parties", "acting_as", ctx.sender, "operator", returns=str)
    require(
        operator != "" and operator == cover.operator,
        "billing.payee: only the operator of the agreement reports use under it",
    )
    is_over = cover.over_ms > 0 and ctx.time_ms < cover.over_ms + REPORT_MS
    require(
        cover.status == "in_force" or is_over,
        "billing.agreement: it was never in force, or ended more than 30 days ago",
    )
    require(cover.per == "use", "billing.terms: each delivery is paid for under it, and not use")
    require(1 <= units <= UNITS_MAX, "billing.units: report 1 to 10**12 units")
    require(len(digest) == DIGEST_SIZE, "billing.digest: use 32 bytes of SM3 of the log")
    price = agreed(cover)
    # The same log is reported once between the two, whatever agreements they have.
    take_once("use", f"{operator}:{cover.consumer}:{to_hex(digest)}")
    book("use", agreement_id, "", price, operator, cover.consumer, units, agreement_id, digest)
    return entry_count.get(0)


@call
def issue(statement_id: str, payer: str, to_ms: int) -> None:
    """A payee states what a payer owes for all entries since the last statement."""
    payee = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(payee != "", "billing.role: sign with an account of an active party")
    require(is_name(statement_id), "billing.id: use 1 to 64 characters of a-z 0-9 _ - .")
    require(statement_id not in statements, "billing.exists: choose another id")
    first, from_ms = stated.get((payee, payer), 0), stated_ms.get((payee, payer), 0)
    require(from_ms < to_ms <= ctx.time_ms, "billing.to: give a time since the last statement")
    count, total_fen, end_ms = 0, 0, to_ms
    last = pair_count.get((payee, payer), 0)
    while first + count < last and count < ENTRIES_MAX:
        entry = entries_by_number[entry_of_pair[payee, payer, first + count + 1]]
        if entry.metered_ms >= to_ms:
            break
        count += 1
        total_fen += entry.units * entry.price_fen
        if count == ENTRIES_MAX:  # the next statement goes on, even within this millisecond
            end_ms = entry.metered_ms + 1
    require(count > 0, "billing.empty: nothing was metered between the two in that time")
    statements[statement_id] = Statement(
        id=statement_id,
        payee=payee,
        payer=payer,
        from_ms=from_ms,
        to_ms=end_ms,
        first=first,
        count=count,
        total_fen=total_fen,
        due_fen=total_fen,
        issued_ms=ctx.time_ms,
        answer_by_ms=ctx.time_ms + ANSWER_MS,
    )
    stated[payee, payer] = first + count
    stated_ms[payee, payer] = end_ms
    for scope in ("", payee, payer):
        number = statement_count.get(scope, 0)
        statement_by_number[scope, number] = statement_id
        statement_count[scope] = number + 1
    emit(
        "StatementIssued",
        statement_id=statement_id,
        payee=payee,
        payer=payer,
        to_ms=end_ms,
        count=count,
        total_fen=total_fen,
    )


@call
def accept(statement_id: str, total_fen: int) -> None:
    """The payer accepts the total that it recomputed."""
    found = require_payer(statement_id)
    require(total_fen == found.total_fen, "billing.total: it says another total; `recompute` it")
    statements[statement_id] = replace(found, status="accepted")
    emit("StatementAccepted", statement_id=statement_id, party_id=found.payer, due_fen=total_fen)


@call
def contest(statement_id: str, reason: str) -> None:
    """The payer contests it, with reasons; a manager settles."""
    found = require_payer(statement_id)
    require(1 <= len(reason) <= TEXT_MAX, "billing.reason: say why, in 1 to 1024 characters")
    statements[statement_id] = replace(found, status="contested", reason=reason)
    emit("StatementContested", statement_id=statement_id, party_id=found.payer, reason=reason)


@call
def settle(statement_id: str, due_fen: int, text: str) -> None:
    """A manager that is neither side decides what is due: of what was contested or is overdue
    (6.6.1c)."""
    settler = view_contract("parties", "acting_as", ctx.sender, "manager", returns=str)
    require(settler != "", "billing.role: sign with an account of an active manager")
    found = seen(known(statement_id))
    require(settler not in (found.payee, found.payer), "billing.self: no party settles its own")
    require(
        found.status in ("contested", "overdue"),
        "billing.status: only what is contested, or was not answered in time, is settled",
    )
    require(0 <= due_fen <= found.total_fen, "billing.due: from nothing up to the total")
    require(1 <= len(text) <= TEXT_MAX, "billing.settlement: give reasons in 1 to 1024 characters")
    statements[statement_id] = replace(
        found, status="settled", due_fen=due_fen, settlement=text, settler=settler
    )
    emit("StatementSettled", statement_id=statement_id, party_id=settler, due_fen=due_fen)


@call
def turn(statement_id: str, status: str, receipt_digest: bytes, confirm_by_ms: int) -> None:
    """What became of its payment; for the contract payment alone."""
    require(ctx.sender == "contract:payment", "billing.turn: `remit` or `confirm` it; they do this")
    statements[statement_id] = replace(
        known(statement_id),
        status=status,
        receipt_digest=receipt_digest,
        confirm_by_ms=confirm_by_ms,
    )


@view
def show(statement_id: str) -> Statement:
    """One statement, for its two sides and the managers."""
    return readable(statement_id)


@view
def list_(offset: int, limit: int) -> list[Statement]:
    """Statements in order of issue: all for managers, its own for any other party."""
    scope = reader_scope()
    end = page_end(offset, limit, statement_count.get(scope, 0))
    return [seen(statements[statement_by_number[scope, number]]) for number in range(offset, end)]


@view
def course(statement_id: str) -> Course:
    """How far a statement is, and between whom; for contracts and its readers."""
    found = seen(known(statement_id)) if ctx.sender in ASKERS else readable(statement_id)
    return Course(found.status, found.payee, found.payer, found.issued_ms)


@view
def recompute(statement_id: str) -> int:
    """What the entries of a statement come to, added up again."""
    found = readable(statement_id)
    total_fen = 0
    for number in range(found.first + 1, found.first + found.count + 1):
        entry = entries_by_number[entry_of_pair[found.payee, found.payer, number]]
        total_fen += entry.units * entry.price_fen
    return total_fen


@view
def entries_of(statement_id: str, offset: int, limit: int) -> list[Entry]:
    """The entries of a statement in the order in which they were metered."""
    found = readable(statement_id)
    end = page_end(offset, limit, found.count)
    return [
        entries_by_number[entry_of_pair[found.payee, found.payer, found.first + number + 1]]
        for number in range(offset, end)
    ]


@view
def entries(offset: int, limit: int) -> list[Entry]:
    """What was metered, in order: all for managers, its own for any other party."""
    scope = reader_scope()
    end = page_end(offset, limit, scope_count.get(scope, 0))
    return [entries_by_number[entry_by_scope[scope, number]] for number in range(offset, end)]


def listed(service: str) -> Price:
    """A service of the chain by the tariff; what that does not name is metered and free. So is all
    before the first one: were it refused, a price set later would be for what was done before."""
    return view_contract("tariff", "price_of", service, returns=Price)


def agreed(cover: Cover) -> Price:
    """By the agreement: its own price, or that of the service it names."""
    if cover.service == "":
        return Price("", cover.price_fen, 0, True)
    price = view_contract("tariff", "price_of", cover.service, returns=Price)
    require(price.is_named, "billing.unpriced: the tariff in force dropped the agreed service")
    return price


def take_once(kind: str, subject: str) -> None:
    require((kind, subject) not in metered, "billing.metered: it was metered already")
    metered[kind, subject] = True


def book(
    kind: str,
    subject: str,
    item: str,
    price: Price,
    payee: str,
    payer: str,
    units: int,
    agreement_id: str,
    digest: bytes,
) -> None:
    if payee == payer:  # a consumer's own data
        return
    number = entry_count.get(0) + 1
    entry_count.set(number)
    entries_by_number[number] = Entry(
        number,
        kind,
        subject,
        item,
        price.service,
        payee,
        payer,
        units,
        price.price_fen,
        price.tariff,
        agreement_id,
        digest,
        ctx.height,
        ctx.time_ms,
    )
    for scope in ("", payee, payer):
        position = scope_count.get(scope, 0)
        entry_by_scope[scope, position] = number
        scope_count[scope] = position + 1
    place = pair_count.get((payee, payer), 0) + 1
    entry_of_pair[payee, payer, place] = number
    pair_count[payee, payer] = place
    emit(
        "Metered",
        number=number,
        kind=kind,
        subject=subject,
        payee=payee,
        payer=payer,
        units=units,
        price_fen=price.price_fen,
    )


def require_concerned(parties: list[str]) -> None:
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(
        party != "" and (party in parties or is_manager(party)),
        "billing.concerned: only those it concerns, and managers, have it metered",
    )


def require_payer(statement_id: str) -> Statement:
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    found = seen(known(statement_id))
    require(party != "" and party == found.payer, "billing.payer: only the payer answers it")
    require(found.status in ("issued", "overdue"), "billing.status: it has been answered already")
    return found


def readable(statement_id: str) -> Statement:
    scope = reader_scope()
    found = known(statement_id)
    require(
        scope in ("", found.payee, found.payer),
        "billing.reader: only its two sides and managers may read it",
    )
    return seen(found)


def seen(statement: Statement) -> Statement:
    """As it stands at this block's time."""
    if statement.status == "issued" and ctx.time_ms >= statement.answer_by_ms:
        return replace(statement, status="overdue")
    if statement.status == "remitted" and ctx.time_ms >= statement.confirm_by_ms:
        return replace(statement, status="unconfirmed")
    return statement


def reader_scope() -> str:
    """Whose account the sender may read: "" for all, or its own party's."""
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "", "billing.reader: sign with an account of an active party")
    return "" if is_manager(party) else party


def is_manager(party: str) -> bool:
    return view_contract("parties", "party_has_role", party, "manager", returns=bool)


def page_end(offset: int, limit: int, count: int) -> int:
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "billing.page: ask for 1 to 100 from 0 up")
    return min(offset + limit, count)


def known(statement_id: str) -> Statement:
    found = statements.get(statement_id)
    if found is None:
        fail("billing.unknown: no statement has this id; look for it with `list`")
    return found
