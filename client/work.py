"""What waits for a party (待办): read from the views of the system contracts, nothing is kept.

Each line of the list is an act that the contracts would take from this account now, as far as
their records tell, and the command that does it. Pages are read oldest first; of a list that has
grown too long, the newest records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from client.pages import View, page_of
from ledger.values import Key, Value

PAGE = 100  # what the system contracts give in one answer
ACTS_PAGE = 20  # of joint acts, which carry their arguments
RECORDS_MAX = 10_000  # of one list that are looked at, the newest: what is older hardly waits
LENGTH_MAX = 1 << 40  # records; no chain of blocks has a longer list

Row = Mapping[Key, Value]


@dataclass(frozen=True, slots=True)
class Waiting:
    """An act that is due. `due_ms` is 0 where no time is set."""

    what: str
    subject: str
    about: str
    due_ms: int
    command: str


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks: an account, its active party and that one's roles."""

    view: View
    address: str
    party: str
    roles: frozenset[str]

    def rows(
        self, contract: str, method: str = "list", *args: Value, page: int = PAGE
    ) -> Iterator[Row]:
        def ask(offset: int, limit: int) -> list[Value]:
            return page_of(self.view, contract, method, *args, offset=offset, limit=limit)

        offset, found = 0, ask(0, page)
        if len(found) == page and (older := _length(ask) - RECORDS_MAX) > 0:
            offset, found = older, ask(older, page)
        stop = offset + RECORDS_MAX + page  # for a node whose list has no end
        while found and offset < stop:
            yield from (row for row in found if isinstance(row, dict))
            offset += page
            found = ask(offset, page) if len(found) == page else []

    def supervises(self, party: str, stage: str) -> bool:
        return self.view("oversight", "supervises", self.party, party, stage) is True


def reader_of(view: View, address: str) -> Reader | None:
    """None if the account speaks for no active party."""
    party, roles = _standing(view("parties", "standing", address))
    return Reader(view, address, party, roles) if party else None


def waiting_for(reader: Reader) -> Iterator[Waiting]:
    """In the order in which the data goes its way; then oversight, then who runs the chain."""
    for part in PARTS:
        yield from part(reader)


# --- the way of the data --------------------------------------------------------------------


def _algorithms(reader: Reader) -> Iterator[Waiting]:
    if "manager" not in reader.roles:
        return
    for row in reader.rows("algorithm"):
        digest = _field(row.get("waiting"), "digest")
        if _text(row, "status") in ("proposed", "approved") and isinstance(digest, bytes):
            name, provider = _text(row, "id"), _text(row, "provider")
            if provider != reader.party:
                command = (
                    f"algorithm review {name} --digest {digest.hex()} --pass|--refuse --note …"
                )
                yield _waiting("image to vet (算法审查)", name, provider, command)


def _demands(reader: Reader) -> Iterator[Waiting]:
    if not reader.roles & {"operator", "manager"}:
        return
    over = ("refused", "withdrawn")  # the operator may ask again
    asked = {
        _text(row, "demand_id") for row in reader.rows("grant") if _text(row, "status") not in over
    }
    for row in reader.rows("demand"):
        name, title, status = _text(row, "id"), _text(row, "title"), _text(row, "status")
        if status == "submitted" and "operator" in reader.roles:
            command = f"demand prescreen {name} --pass|--refuse --note …"
            yield _waiting("demand to prescreen (预审)", name, title, command)
        if status == "forwarded" and _may_judge(reader, row):
            command = (
                f"demand review {name} --pass|--refuse --dataset … --note …, "
                f"or: demand collect {name} --supplier … --order … --due …"
            )
            yield _waiting("demand to review (审核)", name, title, command)
        if status == "collecting" and _may_judge(reader, row):
            yield from _collection(reader, name, title, _number(row, "due_ms"))
        if status not in ("approved", "ready") or "operator" not in reader.roles or name in asked:
            continue
        if _field(reader.view("demand", "show", name), "operator") == reader.party:
            command = f"grant request … --demand {name} --scenario … --dataset … --algorithm …"
            yield _waiting("grant to request (申请授权)", name, title, command)


def _grants(reader: Reader) -> Iterator[Waiting]:
    if not reader.roles & {"operator", "manager"}:
        return
    for row in reader.rows("grant"):
        name, about, status = _text(row, "id"), _text(row, "scenario"), _text(row, "status")
        if status not in ("requested", "in_review", "granted"):
            continue
        if reader.view("grant", "standing", name) != status:
            continue  # its end has come meanwhile
        due_ms = _number(row, "expires_ms")
        if status == "requested" and "manager" in reader.roles:
            command = f"grant review {name}"
            yield _waiting("grant request to take up (授权受理)", name, about, command, due_ms)
        if status == "in_review" and _may_judge(reader, row):
            command = f"grant approve {name}, or: grant refuse {name} --note …"
            yield _waiting("grant request to decide on (授权)", name, about, command, due_ms)
        if status == "granted" and _text(row, "operator") == reader.party:
            command = f"grant accept {name}"
            yield _waiting("grant to countersign (会签)", name, about, command, due_ms)


def _collection(reader: Reader, name: str, title: str, due_ms: int) -> Iterator[Waiting]:
    """For the manager, once something came in."""
    came = _collected(reader.view("demand", "show", name))
    if came:
        chosen = " ".join(f"--dataset {dataset}" for _supplier, dataset in came)
        command = f"demand match {name} {chosen}"
        yield _waiting("collected data to match (匹配)", name, title, command, due_ms)


def _supplier_data(reader: Reader) -> Iterator[Waiting]:
    """What a supplier is asked to collect and has registered nothing of."""
    if "supplier" not in reader.roles:
        return
    for row in reader.rows("demand"):
        if _text(row, "status") != "collecting":
            continue
        name = _text(row, "id")
        demand = reader.view("demand", "show", name)
        done = [supplier for supplier, _dataset in _collected(demand)]
        if reader.party not in done and reader.party in _items(_field(demand, "suppliers")):
            command = f"dataset register … --demand {name}, or: catalog draft … --demand {name}"
            due_ms = _number(row, "due_ms")
            yield _waiting("data to collect (归集)", name, _text(row, "title"), command, due_ms)


def _collected(demand: Value) -> list[tuple[str, str]]:
    """Supplier and data set, of what was registered for a demand."""
    found: list[tuple[str, str]] = []
    for pair in _items(_field(demand, "collected")):
        names = [name for name in _items(pair) if isinstance(name, str)]
        if len(names) == 2:
            found.append((names[0], names[1]))
    return found


def _jobs(reader: Reader) -> Iterator[Waiting]:
    for row in reader.rows("job"):
        name, title, due_ms = _text(row, "id"), _text(row, "title"), _number(row, "deadline_ms")
        for what, command in _job_acts(reader, row):
            yield _waiting(what, name, title, f"job {command}", due_ms)


def _job_acts(reader: Reader, row: Row) -> Iterator[tuple[str, str]]:
    name, status = _text(row, "id"), _text(row, "status")
    is_operator = _text(row, "operator") == reader.party
    if status == "created" and reader.party in _items(row.get("parties")):
        said = _items(_field(reader.view("job", "show", name), "confirmed"))
        if reader.party not in said:
            digest = row.get("digest")
            shown = digest.hex() if isinstance(digest, bytes) else ""
            yield "job to confirm (确认)", f"confirm {name} --digest {shown}"
    if status == "queued" and is_operator:
        first = reader.view("job", "queue", reader.party, 0, 1)
        if [_field(item, "id") for item in _items(first)] == [name]:
            yield "job to dispatch (调度)", f"dispatch {name}"
    if status in ("dispatched", "running") and is_operator:
        for step in _ready(reader.view("job", "show", name)):
            yield "step to start (步骤)", f"start {name} {step} --task … --program … --deadline …"
        if _number(row, "finished") == _number(row, "step_count"):
            yield "result to name (结果)", f"finish {name} --digest file:RESULT"
    if status == "disputed" and is_operator:
        yield "result to name anew (争议)", f"finish {name} --digest file:RESULT"
    if status == "disputed" and _may_judge(reader, row):
        yield "dispute to decide (争议)", f"close {name} --note …"
    if status == "result" and _text(row, "consumer") == reader.party:
        command = (
            f"verify {name} --digest file:RECEIVED, or: job dispute {name} --digest … --note …"
        )
        yield "result to verify (核验)", command
    if status == "verified" and is_operator:
        yield "job to close (关闭)", f"close {name}"


def _ready(file: Value) -> Iterator[str]:
    """Steps that a task may begin now: those before them finished, and none is under way."""
    states = {_field(one, "name"): one for one in _items(_field(file, "progress"))}
    for step in _items(_field(file, "steps")):
        name = _field(step, "name")
        state = _field(states.get(name), "status")
        before = [_field(states.get(one), "status") for one in _items(_field(step, "after"))]
        if state in ("waiting", "ended") and all(status == "finished" for status in before):
            yield name if isinstance(name, str) else ""


def _supplier_tasks(reader: Reader) -> Iterator[Waiting]:
    if "supplier" not in reader.roles:
        return
    for row in reader.rows("task", "open_for", reader.party):
        name, due_ms = _text(row, "id"), _number(row, "deadline_ms")
        file = reader.view("task", "show", name)
        is_running = _text(row, "status") == "running"
        done = _field(file, "reports" if is_running else "acceptances")
        if any(_field(said, "party") == reader.party for said in _items(done)):
            continue
        what = "result to report (上报)" if is_running else "task to accept (接受)"
        command = f"executor run CONFIG, or: task fail {name} --reason …"
        yield _waiting(what, name, _text(row, "grant_id"), command, due_ms)


def _operator_work(reader: Reader) -> Iterator[Waiting]:
    if "operator" not in reader.roles:
        return
    products = [row for row in reader.rows("product") if _text(row, "operator") == reader.party]
    registered = {_text(row, "task_id") for row in products}
    for row in reader.rows("task"):
        name, grant = _text(row, "id"), _text(row, "grant_id")
        if _text(row, "operator") != reader.party or _text(row, "status") != "finished":
            continue
        if name not in registered and reader.view("grant", "is_valid", grant) is True:
            command = f"task result {name}, then: product register … --task {name} --digest …"
            yield _waiting("result to register (登记)", name, grant, command)
    offered = {_text(row, "product_id") for row in reader.rows("delivery")}
    for row in products:
        name = _text(row, "id")
        if _text(row, "status") == "approved" and name not in offered:
            command = f"delivery offer … --product {name} --consumer {_text(row, 'consumer')} …"
            yield _waiting("product to deliver (交付)", name, _text(row, "title"), command)


def _products(reader: Reader) -> Iterator[Waiting]:
    if "manager" not in reader.roles:
        return
    for row in reader.rows("product"):
        if _text(row, "status") == "registered" and _may_judge(reader, row):
            name = _text(row, "id")
            command = f"product approve {name} --pass|--refuse --note …"
            yield _waiting("product to assess (评估)", name, _text(row, "title"), command)


def _agreements(reader: Reader) -> Iterator[Waiting]:
    for row in reader.rows("agreement"):
        sides = (_text(row, "operator"), _text(row, "consumer"))
        is_open = _text(row, "status") in ("offered", "signed")
        if is_open and reader.party in sides and _text(row, "signed_by") != reader.party:
            name = _text(row, "id")
            command = f"agreement sign {name} --digest file:TEXT"
            due_ms = _number(row, "until_ms")
            what = "agreement to sign (签署)"
            yield _waiting(what, name, _text(row, "title"), command, due_ms)


def _deliveries(reader: Reader) -> Iterator[Waiting]:
    for row in reader.rows("delivery"):
        if _text(row, "status") == "offered" and _text(row, "consumer") == reader.party:
            name = _text(row, "id")
            command = f"delivery accept {name} --digest file:RECEIVED, or: delivery reject {name} …"
            about = _text(row, "product_id")
            yield _waiting("delivery to accept (验收)", name, about, command)


def _statements(reader: Reader) -> Iterator[Waiting]:
    for row in reader.rows("billing"):
        name, status = _text(row, "id"), _text(row, "status")
        payee, payer, due = _text(row, "payee"), _text(row, "payer"), _number(row, "due_fen")
        about = f"{payer} owes {payee} {due} fen"
        if status in ("issued", "overdue") and payer == reader.party:
            command = f"billing recompute {name}, then: billing accept {name} --total …"
            yield _waiting("statement to answer (账单)", name, about, command)
        if status in ("accepted", "settled") and payee == reader.party:
            command = f"billing confirm {name} --digest file:RECEIPT"
            yield _waiting("payment to confirm (收款)", name, about, command)
        is_neither = reader.party not in (payee, payer)
        if status in ("contested", "overdue") and is_neither and "manager" in reader.roles:
            command = f"billing settle {name} --due … --reason …"
            yield _waiting("statement to settle (账单)", name, about, command)


# --- oversight ------------------------------------------------------------------------------


def _rules(reader: Reader) -> Iterator[Waiting]:
    if "manager" not in reader.roles:
        return
    for row in reader.rows("rules"):
        name, last = _text(row, "id"), _number(row, "versions")
        if last <= _number(row, "enacted"):
            continue
        if _field(reader.view("rules", "version", name, last), "status") == "draft":
            command = f"rule enact {name} --number {last} --digest file:TEXT --from-height …"
            yield _waiting("rule or plan to enact (规则)", name, _text(row, "title"), command)


def _engagements(reader: Reader) -> Iterator[Waiting]:
    if "manager" not in reader.roles:
        return
    for row in reader.rows("oversight"):
        if _text(row, "status") == "selected":
            name = _text(row, "id")
            command = f"oversight review {name} --pass|--refuse"
            yield _waiting("engagement to review (审查)", name, _text(row, "party"), command)


def _alerts(reader: Reader) -> Iterator[Waiting]:
    for row in _alerts_seen(reader):
        name, status, party = _text(row, "id"), _text(row, "status"), _text(row, "party")
        if status == "closed" or not reader.supervises(party, _text(row, "stage")):
            continue
        verb = "acknowledge" if status == "open" else "close"
        command = f"alert {verb} {name} --note …"
        about = f"{party}: {_text(row, 'check')} {_text(row, 'subject')}"
        yield _waiting(f"alert to {verb} (预警)", name, about, command)


def _alerts_seen(reader: Reader) -> Iterator[Row]:
    """All for managers; for an operator also those of whom it engaged."""
    seen: set[str] = set()
    engaged: dict[str, None] = {}
    if "operator" in reader.roles:
        for row in reader.rows("oversight"):
            if _text(row, "operator") == reader.party and _text(row, "status") == "approved":
                engaged[_text(row, "party")] = None
    lists = [reader.rows("alert"), *[reader.rows("alert", "list_of", name) for name in engaged]]
    for rows in lists:
        for row in rows:
            if _text(row, "id") not in seen:
                seen.add(_text(row, "id"))
                yield row


def _incidents(reader: Reader) -> Iterator[Waiting]:
    for row in reader.rows("incident"):
        name, party = _text(row, "id"), _text(row, "party")
        if _text(row, "status") == "closed" or not reader.supervises(party, _text(row, "stage")):
            continue
        is_held = _number(row, "active") > 0
        what = "measures to lift or keep (应急措施)" if is_held else "incident to close (处置)"
        held = f"incident lift {name} --number … --reason …, or: incident keep {name} …"
        command = held if is_held else f"incident close {name} --outcome … --digest file:REPORT"
        yield _waiting(what, name, f"{party}: {_text(row, 'title')}", command)


def _inquiries(reader: Reader) -> Iterator[Waiting]:
    for row in reader.rows("inquiry"):
        name, status = _text(row, "id"), _text(row, "status")
        question, due_ms = _text(row, "question"), _number(row, "due_ms")
        if status == "asked" and _text(row, "party") == reader.party:
            command = f"inquiry answer {name} --text … --digest file:SHOWN"
            yield _waiting("inquiry to answer (问询)", name, question, command, due_ms)
        if status == "answered" and _text(row, "asker") == reader.party:
            command = f"inquiry conclude {name} --pass|--refuse, or: inquiry send-back {name} …"
            yield _waiting("answer to judge (审计结论)", name, question, command)


def _evaluations(reader: Reader) -> Iterator[Waiting]:
    for row in reader.rows("evaluation"):
        name, status, party = _text(row, "id"), _text(row, "status"), _text(row, "party")
        if status == "published" and party == reader.party:
            command = f"evaluation accept {name}, or: evaluation contest {name} --text …"
            about = f"by {_text(row, 'evaluator')}: {_text(row, 'outcome')}"
            yield _waiting("evaluation to answer (绩效评价)", name, about, command)
        may_settle = _text(row, "evaluator") == reader.party or "manager" in reader.roles
        if status == "contested" and may_settle and party != reader.party:
            command = f"evaluation settle {name} --outcome … --text …"
            yield _waiting("evaluation to settle (绩效评价)", name, party, command)


# --- who runs the chain ---------------------------------------------------------------------


def _proposals(reader: Reader) -> Iterator[Waiting]:
    is_voter = reader.party in _items(reader.view("governance", "organizations"))
    if "manager" in reader.roles or is_voter:
        for row in reader.rows("proposal"):
            said = (*_items(row.get("approvals")), *_items(row.get("rejections")))
            if _text(row, "status") == "open" and reader.party not in said:
                name = _text(row, "id")
                about = f"{_text(row, 'kind')}: {_text(row, 'reason')}"
                command = f"proposal approve {name}, or: proposal reject {name} --reason …"
                due_ms = _number(row, "expires_ms")
                yield _waiting("proposal to vote on (提案)", name, about, command, due_ms)


def _joint_acts(reader: Reader) -> Iterator[Waiting]:
    for joint in reader.rows("multisig"):
        if reader.address not in _items(joint.get("members")):
            continue
        account = _text(joint, "id")
        for row in reader.rows("multisig", "list_acts", account, page=ACTS_PAGE):
            said = (*_items(row.get("approvals")), *_items(row.get("rejections")))
            if _text(row, "status") != "open" or reader.address in said:
                continue
            name, digest = _text(row, "id"), row.get("digest")
            shown = digest.hex() if isinstance(digest, bytes) else ""
            about = f"{_text(row, 'contract')}.{_text(row, 'method')}: {_text(row, 'reason')}"
            command = f"multisig approve {name} --digest {shown}"
            due_ms = _number(row, "expires_ms")
            yield _waiting("joint act to approve (多签)", name, about, command, due_ms)


PARTS: Final = (
    _algorithms,
    _demands,
    _supplier_data,
    _grants,
    _jobs,
    _supplier_tasks,
    _operator_work,
    _products,
    _agreements,
    _deliveries,
    _statements,
    _rules,
    _engagements,
    _alerts,
    _incidents,
    _inquiries,
    _evaluations,
    _proposals,
    _joint_acts,
)


def _length(ask: Callable[[int, int], list[Value]]) -> int:
    """How many records a list has, if more than RECORDS_MAX; else anything up to that."""
    known, beyond = 0, RECORDS_MAX
    while beyond < LENGTH_MAX and ask(beyond, 1):
        known, beyond = beyond, 2 * beyond
    while known and beyond - known > 1:
        middle = (known + beyond) // 2
        known, beyond = (middle, beyond) if ask(middle, 1) else (known, middle)
    return beyond


# --- reading --------------------------------------------------------------------------------


def _may_judge(reader: Reader, row: Row) -> bool:
    """No manager decides on what it asks for or serves itself."""
    sides = (_text(row, "operator"), _text(row, "consumer"))
    return "manager" in reader.roles and reader.party not in sides


def _waiting(what: str, subject: str, about: str, command: str, due_ms: int = 0) -> Waiting:
    return Waiting(what, subject, about, due_ms, f"shuxin {command}")


def _items(value: Value) -> tuple[Value, ...]:
    return tuple(value) if isinstance(value, list | tuple) else ()


def _field(value: Value, name: str) -> Value:
    return value.get(name) if isinstance(value, dict) else None


def _text(row: Row, name: str) -> str:
    value = row.get(name)
    return value if isinstance(value, str) else ""


def _number(row: Row, name: str) -> int:
    value = row.get(name)
    return value if isinstance(value, int) else 0


def _standing(value: Value) -> tuple[str, frozenset[str]]:
    party, roles = _items(value) if len(_items(value)) == 2 else ("", ())
    names = frozenset(name for name in _items(roles) if isinstance(name, str))
    return (party if isinstance(party, str) else ""), names
