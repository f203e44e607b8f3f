"""What waits for a party (待办): read from the views of the system contracts, nothing is kept.

Each line of the list is an act that the contracts would take from this account now, as far as
their records tell, and the command that does it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from client import proposals
from client.bills import bills
from client.commissions import assets, commissions
from client.membership import applications, leftovers
from client.waiting import Reader, Row, Waiting, field, items, number, text, waiting
from ledger.values import Value

ACTS_PAGE: Final = 20  # of joint acts, which carry their arguments


def waiting_for(reader: Reader) -> Iterator[Waiting]:
    """Who comes in; then as the data goes its way; then oversight, then who runs the chain."""
    for part in PARTS:
        yield from part(reader)


# --- the way of the data --------------------------------------------------------------------


def _algorithms(reader: Reader) -> Iterator[Waiting]:
    if "manager" not in reader.roles:
        return
    for row in reader.rows("algorithm"):
        digest = field(row.get("waiting"), "digest")
        if text(row, "status") in ("proposed", "approved") and isinstance(digest, bytes):
            name, provider = text(row, "id"), text(row, "provider")
            if provider != reader.party:
                command = (
                    f"algorithm review {name} --digest {digest.hex()} --pass|--refuse --note …"
                )
                yield waiting("image to vet (算法审查)", name, provider, command)


def _demands(reader: Reader) -> Iterator[Waiting]:
    if not reader.roles & {"operator", "manager"}:
        return
    over = ("refused", "withdrawn")  # the operator may ask again
    asked = {
        text(row, "demand_id") for row in reader.rows("grant") if text(row, "status") not in over
    }
    for row in reader.rows("demand"):
        name, title, status = text(row, "id"), text(row, "title"), text(row, "status")
        is_for_us = text(row, "addressee") in ("", reader.party) and (
            text(row, "consumer") != reader.party
        )
        if status == "submitted" and "operator" in reader.roles and is_for_us:
            command = f"demand prescreen {name} --pass|--refuse --note …"
            yield waiting("demand to prescreen (预审)", name, title, command)
        if status == "forwarded" and _may_judge(reader, row):
            command = (
                f"demand review {name} --pass|--refuse --dataset … --note …, "
                f"or: demand collect {name} --supplier … --order … --due …"
            )
            yield waiting("demand to review (审核)", name, title, command)
        if status == "collecting" and _may_judge(reader, row):
            yield from _collection(reader, name, title, number(row, "due_ms"))
        if status not in ("approved", "ready") or "operator" not in reader.roles or name in asked:
            continue
        if field(reader.view("demand", "show", name), "operator") == reader.party:
            command = f"grant request … --demand {name} --scenario … --dataset … --algorithm …"
            yield waiting("grant to request (申请授权)", name, title, command)


def _grants(reader: Reader) -> Iterator[Waiting]:
    if not reader.roles & {"operator", "manager"}:
        return
    for row in reader.rows("grant"):
        name, about, status = text(row, "id"), text(row, "scenario"), text(row, "status")
        if status not in ("requested", "in_review", "granted"):
            continue
        if reader.view("grant", "standing", name) != status:
            continue  # its end has come meanwhile
        due_ms = number(row, "expires_ms")
        if status == "requested" and "manager" in reader.roles:
            command = f"grant review {name}"
            yield waiting("grant request to take up (授权受理)", name, about, command, due_ms)
        if status == "in_review" and _may_judge(reader, row):
            command = f"grant approve {name}, or: grant refuse {name} --note …"
            yield waiting("grant request to decide on (授权)", name, about, command, due_ms)
        if status == "granted" and text(row, "operator") == reader.party:
            command = f"grant accept {name}"
            yield waiting("grant to countersign (会签)", name, about, command, due_ms)


def _collection(reader: Reader, name: str, title: str, due_ms: int) -> Iterator[Waiting]:
    """For the manager, once something came in."""
    came = _collected(reader.view("demand", "show", name))
    if came:
        chosen = " ".join(f"--dataset {dataset}" for _supplier, dataset in came)
        command = f"demand match {name} {chosen}"
        yield waiting("collected data to match (匹配)", name, title, command, due_ms)


def _supplier_data(reader: Reader) -> Iterator[Waiting]:
    """What a supplier is asked to collect and has registered nothing of."""
    if "supplier" not in reader.roles:
        return
    for row in reader.rows("demand"):
        if text(row, "status") != "collecting":
            continue
        name = text(row, "id")
        demand = reader.view("demand", "show", name)
        done = [supplier for supplier, _dataset in _collected(demand)]
        if reader.party not in done and reader.party in items(field(demand, "suppliers")):
            command = f"dataset register … --demand {name}, or: catalog draft … --demand {name}"
            due_ms = number(row, "due_ms")
            yield waiting("data to collect (归集)", name, text(row, "title"), command, due_ms)


def _collected(demand: Value) -> list[tuple[str, str]]:
    """Supplier and data set, of what was registered for a demand."""
    found: list[tuple[str, str]] = []
    for pair in items(field(demand, "collected")):
        names = [name for name in items(pair) if isinstance(name, str)]
        if len(names) == 2:
            found.append((names[0], names[1]))
    return found


def _jobs(reader: Reader) -> Iterator[Waiting]:
    for row in reader.rows("job"):
        name, title, due_ms = text(row, "id"), text(row, "title"), number(row, "deadline_ms")
        for what, command in _job_acts(reader, row):
            yield waiting(what, name, title, f"job {command}", due_ms)


def _job_acts(reader: Reader, row: Row) -> Iterator[tuple[str, str]]:
    name, status = text(row, "id"), text(row, "status")
    is_operator = text(row, "operator") == reader.party
    if status == "created" and reader.party in items(row.get("parties")):
        said = items(field(reader.view("job", "show", name), "confirmed"))
        if reader.party not in said:
            digest = row.get("digest")
            shown = digest.hex() if isinstance(digest, bytes) else ""
            yield "job to confirm (确认)", f"confirm {name} --digest {shown}"
    if status == "queued" and is_operator:
        first = reader.view("job", "queue", reader.party, 0, 1)
        if [field(item, "id") for item in items(first)] == [name]:
            yield "job to dispatch (调度)", f"dispatch {name}"
    if status in ("dispatched", "running") and is_operator:
        for step in _ready(reader.view("job", "show", name)):
            yield "step to start (步骤)", f"start {name} {step} --task … --program … --deadline …"
        if number(row, "finished") == number(row, "step_count"):
            yield "result to name (结果)", f"finish {name} --digest file:RESULT"
    if status == "disputed" and is_operator:
        yield "result to name anew (争议)", f"finish {name} --digest file:RESULT"
    if status == "disputed" and _may_judge(reader, row):
        yield "dispute to decide (争议)", f"close {name} --note …"
    if status == "result" and text(row, "consumer") == reader.party:
        command = (
            f"verify {name} --digest file:RECEIVED, or: job dispute {name} --digest … --note …"
        )
        yield "result to verify (核验)", command
    if status == "verified" and is_operator:
        yield "job to close (关闭)", f"close {name}"


def _ready(file: Value) -> Iterator[str]:
    """Steps that a task may begin now: those before them finished, and none is under way."""
    states = {field(one, "name"): one for one in items(field(file, "progress"))}
    for step in items(field(file, "steps")):
        name = field(step, "name")
        state = field(states.get(name), "status")
        before = [field(states.get(one), "status") for one in items(field(step, "after"))]
        if state in ("waiting", "ended") and all(status == "finished" for status in before):
            yield name if isinstance(name, str) else ""


def _supplier_tasks(reader: Reader) -> Iterator[Waiting]:
    if "supplier" not in reader.roles:
        return
    for row in reader.rows("task", "open_for", reader.party):
        name, due_ms = text(row, "id"), number(row, "deadline_ms")
        file = reader.view("task", "show", name)
        is_running = text(row, "status") == "running"
        done = field(file, "reports" if is_running else "acceptances")
        if any(field(said, "party") == reader.party for said in items(done)):
            continue
        what = "result to report (上报)" if is_running else "task to accept (接受)"
        command = f"executor run CONFIG, or: task fail {name} --reason …"
        yield waiting(what, name, text(row, "grant_id"), command, due_ms)


def _operator_work(reader: Reader) -> Iterator[Waiting]:
    if "operator" not in reader.roles:
        return
    products = [row for row in reader.rows("product") if text(row, "operator") == reader.party]
    registered = {text(row, "task_id") for row in products}
    for row in reader.rows("task"):
        name, grant = text(row, "id"), text(row, "grant_id")
        if text(row, "operator") != reader.party or text(row, "status") != "finished":
            continue
        if name not in registered and reader.view("grant", "is_valid", grant) is True:
            command = f"task result {name}, then: product register … --task {name} --digest …"
            yield waiting("result to register (登记)", name, grant, command)
    offered = {
        text(row, "product_id")
        for row in reader.rows("delivery")
        if text(row, "status") != "withdrawn"
    }
    for row in products:
        name = text(row, "id")
        if text(row, "status") == "approved" and name not in offered:
            command = f"delivery offer … --product {name} --consumer {text(row, 'consumer')} …"
            yield waiting("product to deliver (交付)", name, text(row, "title"), command)


def _products(reader: Reader) -> Iterator[Waiting]:
    if not reader.roles & {"manager", "operator"}:
        return
    for row in reader.rows("product"):
        name, title = text(row, "id"), text(row, "title")
        if text(row, "status") != "registered":
            continue
        if _may_judge(reader, row):
            command = f"product approve {name} --pass|--refuse --note …"
            yield waiting("product to assess (评估)", name, title, command)
        # The operator has the result; without this the manager cannot pass the product.
        if text(row, "operator") == reader.party and _is_unmeasured(reader, name):
            command = (
                f"deidentify measure FILE --plan PLAN --report REPORT, then: "
                f"deidentify record … --product {name} --measured REPORT"
            )
            yield waiting("result to measure (去标识化评估)", name, title, command)


def _is_unmeasured(reader: Reader, product: str) -> bool:
    standing = reader.view("deidentification", "standing", product)
    return field(standing, "refusal") == "missing"


def _agreements(reader: Reader) -> Iterator[Waiting]:
    for row in reader.rows("agreement"):
        sides = (text(row, "operator"), text(row, "consumer"))
        is_open = text(row, "status") in ("offered", "signed")
        if is_open and reader.party in sides and text(row, "signed_by") != reader.party:
            name = text(row, "id")
            command = f"agreement sign {name} --digest file:TEXT"
            due_ms = number(row, "until_ms")
            what = "agreement to sign (签署)"
            yield waiting(what, name, text(row, "title"), command, due_ms)


def _deliveries(reader: Reader) -> Iterator[Waiting]:
    for row in reader.rows("delivery"):
        if text(row, "status") == "offered" and text(row, "consumer") == reader.party:
            name = text(row, "id")
            command = f"delivery accept {name} --digest file:RECEIVED, or: delivery reject {name} …"
            about = text(row, "product_id")
            yield waiting("delivery to accept (验收)", name, about, command)


# --- oversight ------------------------------------------------------------------------------


def _rules(reader: Reader) -> Iterator[Waiting]:
    if "manager" not in reader.roles:
        return
    for row in reader.rows("rules"):
        name, last = text(row, "id"), number(row, "versions")
        if last <= number(row, "enacted"):
            continue
        if field(reader.view("rules", "version", name, last), "status") == "draft":
            command = f"rule enact {name} --number {last} --digest file:TEXT --from-height …"
            yield waiting("rule or plan to enact (规则)", name, text(row, "title"), command)


def _engagements(reader: Reader) -> Iterator[Waiting]:
    if "manager" not in reader.roles:
        return
    for row in reader.rows("oversight"):
        if text(row, "status") == "selected":
            name = text(row, "id")
            command = f"oversight review {name} --pass|--refuse"
            yield waiting("engagement to review (审查)", name, text(row, "party"), command)


def _alerts(reader: Reader) -> Iterator[Waiting]:
    for row in _alerts_seen(reader):
        name, status, party = text(row, "id"), text(row, "status"), text(row, "party")
        if status == "closed" or not reader.supervises(party, text(row, "stage")):
            continue
        verb = "acknowledge" if status == "open" else "close"
        command = f"alert {verb} {name} --note …"
        about = f"{party}: {text(row, 'check')} {text(row, 'subject')}"
        yield waiting(f"alert to {verb} (预警)", name, about, command)


def _alerts_seen(reader: Reader) -> Iterator[Row]:
    """All for managers; for an operator also those of whom it engaged."""
    seen: set[str] = set()
    engaged: dict[str, None] = {}
    if "operator" in reader.roles:
        for row in reader.rows("oversight"):
            if text(row, "operator") == reader.party and text(row, "status") == "approved":
                engaged[text(row, "party")] = None
    lists = [reader.rows("alert"), *[reader.rows("alert", "list_of", name) for name in engaged]]
    for rows in lists:
        for row in rows:
            if text(row, "id") not in seen:
                seen.add(text(row, "id"))
                yield row


def _incidents(reader: Reader) -> Iterator[Waiting]:
    for row in reader.rows("incident"):
        name, party = text(row, "id"), text(row, "party")
        if text(row, "status") == "closed" or not reader.supervises(party, text(row, "stage")):
            continue
        is_held = number(row, "active") > 0
        what = "measures to lift or keep (应急措施)" if is_held else "incident to close (处置)"
        held = f"incident lift {name} --number … --reason …, or: incident keep {name} …"
        command = held if is_held else f"incident close {name} --outcome … --digest file:REPORT"
        yield waiting(what, name, f"{party}: {text(row, 'title')}", command)


def _inquiries(reader: Reader) -> Iterator[Waiting]:
    for row in reader.rows("inquiry"):
        name, status = text(row, "id"), text(row, "status")
        question, due_ms = text(row, "question"), number(row, "due_ms")
        if status == "asked" and text(row, "party") == reader.party:
            command = f"inquiry answer {name} --text … --digest file:SHOWN"
            yield waiting("inquiry to answer (问询)", name, question, command, due_ms)
        if status == "answered" and text(row, "asker") == reader.party:
            command = f"inquiry conclude {name} --pass|--refuse, or: inquiry send-back {name} …"
            yield waiting("answer to judge (审计结论)", name, question, command)


def _evaluations(reader: Reader) -> Iterator[Waiting]:
    for row in reader.rows("evaluation"):
        name, status, party = text(row, "id"), text(row, "status"), text(row, "party")
        if status == "published" and party == reader.party:
            command = f"evaluation accept {name}, or: evaluation contest {name} --text …"
            about = f"by {text(row, 'evaluator')}: {text(row, 'outcome')}"
            yield waiting("evaluation to answer (绩效评价)", name, about, command)
        may_settle = text(row, "evaluator") == reader.party or "manager" in reader.roles
        if status == "contested" and may_settle and party != reader.party:
            command = f"evaluation settle {name} --outcome … --text …"
            yield waiting("evaluation to settle (绩效评价)", name, party, command)


# --- who runs the chain ---------------------------------------------------------------------


def _proposals(reader: Reader) -> Iterator[Waiting]:
    is_voter = reader.party in items(reader.view("governance", "organizations"))
    if "manager" in reader.roles or is_voter:
        for row in reader.rows("proposal"):
            said = (*items(row.get("approvals")), *items(row.get("rejections")))
            if text(row, "status") == "open" and reader.party not in said:
                name = text(row, "id")
                about = f"{text(row, 'kind')} {proposals.about(row)}: {text(row, 'reason')}"
                command = f"proposal approve {name}, or: proposal reject {name} --reason …"
                due_ms = number(row, "expires_ms")
                yield waiting("proposal to vote on (提案)", name, about, command, due_ms)


def _joint_acts(reader: Reader) -> Iterator[Waiting]:
    for joint in reader.rows("multisig"):
        if reader.address not in items(joint.get("members")):
            continue
        account = text(joint, "id")
        for row in reader.rows("multisig", "list_acts", account, page=ACTS_PAGE):
            said = (*items(row.get("approvals")), *items(row.get("rejections")))
            if text(row, "status") != "open" or reader.address in said:
                continue
            name, digest = text(row, "id"), row.get("digest")
            shown = digest.hex() if isinstance(digest, bytes) else ""
            about = f"{text(row, 'contract')}.{text(row, 'method')}: {text(row, 'reason')}"
            command = f"multisig approve {name} --digest {shown}"
            due_ms = number(row, "expires_ms")
            yield waiting("joint act to approve (多签)", name, about, command, due_ms)


PARTS: Final = (
    applications,
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
    bills,
    _rules,
    _engagements,
    commissions,
    assets,
    leftovers,
    _alerts,
    _incidents,
    _inquiries,
    _evaluations,
    _proposals,
    _joint_acts,
)


def _may_judge(reader: Reader, row: Row) -> bool:
    """No manager decides on what it asks for or serves itself."""
    sides = (text(row, "operator"), text(row, "consumer"))
    return "manager" in reader.roles and reader.party not in sides
