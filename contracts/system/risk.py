"""Risks: what each check sees in what is on the chain (clauses 5.1c, 6.2d, 6.4b, 6.5b, 8.6.2b to
8.6.5b).

A check looks at one subject: a data set, a supplier's share of a collection (DEMAND/SUPPLIER), a
grant, commission, asset, task, product, delivery or statement. It reads the records of the contract
that keeps it, and says whose affair it is, what it measured, and whether that is too much by the
monitoring plan in force (contract `rules`). It keeps nothing: what was found already, and what came
of it, is the affair of the contract `alert`, which asks here.

What strays from a grant is refused where the chain can know it; the checks find what shows later:
a key that becomes an account of another party, or what was made before a rule held (ADR 45).
"""

from __future__ import annotations

from contracts.dialect import ctx, fail, record, require, sm3, to_hex, view, view_contract

HOUR_MS = 3600 * 1000
DAY_MS = 24 * HOUR_MS
ADDRESS_LENGTH = 40  # hex digits of 20 bytes of SM3 over a public key
ACCEPTABLE = 3  # level of de-identification from which rows lead nobody back
BROKEN = ("disputed", "failed", "expired")  # ends of a task that need a look


@record
class Seen:
    """What a check sees now; `is_due`: it is worth an alert."""

    party: str
    stage: str
    severity: str
    measured: int
    limit: int
    is_due: bool


@record
class Limit:
    """By what a check judges, as the contract `rules` tells it."""

    check: str
    stage: str
    limit: int
    severity: str
    rule_id: str


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
class TaskOutcome:
    """What the contract `task` tells of a task."""

    status: str
    operator: str
    grant_id: str
    consumer: str
    created_ms: int
    participants: list[tuple[str, str]]


@record
class DatasetCourse:
    """What the contract `quality` tells of a data set."""

    owner: str
    is_listed: bool
    lost_percent: int
    fallen_ppm: int
    due_ms: int


@record
class BillCourse:
    """What the contract `billing` tells of a statement."""

    status: str
    payee: str
    payer: str
    issued_ms: int


@record
class DeliveryCourse:
    """What the contract `delivery` tells of a delivery."""

    status: str
    product_id: str
    operator: str
    consumer: str
    offered_ms: int
    answered_ms: int
    risk: str
    is_diligent: bool
    used_ms: int
    strayed: int


@record
class WorkCourse:
    """What the contract `commission` tells of a commission; 0 while nothing is waited for."""

    party: str
    report_due_ms: int
    work_due_ms: int


@record
class AssetCourse:
    """What the contract `asset` tells of an asset."""

    operator: str
    is_used: bool
    is_in_service: bool
    certificate_until_ms: int


@record
class Made:
    """What the contract `product` tells of a product."""

    operator: str
    grant_id: str
    task_id: str
    output: str


@record
class Gravest:
    """What the contract `deidentification` tells of a product."""

    level: int
    risk_ppm: int
    group: int


@record
class Sides:
    """Between whom a grant is, as the contract `grant` tells it."""

    operator: str
    consumer: str


@view
def look(check_name: str, subject: str) -> Seen:
    """What the check sees in the subject at this block's time."""
    require_reader()
    limit = view_contract("rules", "limit_of", check_name, returns=Limit)
    party, measured, is_due = looked_at(check_name, subject, limit)
    return Seen(party, limit.stage, limit.severity, measured, limit.limit, is_due)


@view
def ensure_receiver(grant_id: str, receiver_key: bytes) -> bool:
    """True, or a refusal, where a result under the grant would be sealed to an account of a party
    beside it; for the contracts that plan and order computations (8.2.5a)."""
    require(
        not is_outsider(grant_id, receiver_key),
        "risk.receiver: seal the result to a key of the grant's two sides, or to one made for it",
    )
    return True


def looked_at(check_name: str, subject: str, limit: Limit) -> tuple[str, int, bool]:
    """The party that it is about, what was measured, and whether that is too much."""
    if check_name == "collection_late":
        return look_at_collection(subject, limit.limit)
    if limit.stage == "aggregation":
        return look_at_dataset(check_name, subject, limit.limit)
    if check_name == "bill_unanswered":
        return look_at_bill(subject, limit.limit)
    if limit.stage == "delivery":
        return look_at_delivery(check_name, subject, limit.limit)
    if check_name == "purpose_mismatch":
        return look_at_product(subject)
    if check_name in ("work_unreported", "work_overdue"):
        return look_at_work(check_name, subject, limit.limit)
    if check_name in ("asset_expiring", "asset_expired"):
        return look_at_asset(check_name, subject, limit.limit)
    if check_name in ("identity_risk", "small_group"):
        return look_at_identity(check_name, subject, limit.limit)
    if check_name in ("task_broken", "task_mismatch"):
        return look_at_task(check_name, subject)
    return look_at_grant(check_name, subject, limit.limit)


def look_at_collection(subject: str, limit: int) -> tuple[str, int, bool]:
    """Several suppliers collect for one demand, and each answers for its own share alone."""
    parts = subject.split("/")
    if len(parts) != 2:
        fail("risk.subject: name the demand and who is to collect for it, as DEMAND/SUPPLIER")
    due_ms = view_contract("demand", "owed_by", parts[0], parts[1], returns=int)
    days = max(ctx.time_ms - due_ms, 0) // DAY_MS if due_ms > 0 else 0
    return parts[1], days, due_ms > 0 and days >= limit


def look_at_dataset(check_name: str, subject: str, limit: int) -> tuple[str, int, bool]:
    found = view_contract("quality", "course", subject, returns=DatasetCourse)
    if check_name == "quality_fallen":
        measured = found.fallen_ppm
    elif check_name == "quantity_fallen":
        measured = found.lost_percent
    else:
        measured = max(ctx.time_ms - found.due_ms, 0) // DAY_MS if found.due_ms > 0 else 0
    return found.owner, measured, found.is_listed and measured >= limit


def look_at_grant(check_name: str, subject: str, limit: int) -> tuple[str, int, bool]:
    back = limit if check_name == "unusual_rate" else 0
    grant = view_contract("grant", "course", subject, back, returns=GrantCourse)
    is_live = grant.status == "active" and ctx.time_ms < grant.expires_ms
    if check_name == "quota_used":
        percent = grant.uses * 100 // grant.uses_max
        return grant.operator, percent, is_live and percent >= limit
    if check_name == "expiry_near":
        hours = (grant.expires_ms - ctx.time_ms) // HOUR_MS
        return grant.operator, max(hours, 0), is_live and hours < limit
    if grant.past_task == "":
        return grant.operator, grant.uses, False
    past = view_contract("task", "outcome", grant.past_task, returns=TaskOutcome)
    return grant.operator, limit + 1, ctx.time_ms - past.created_ms < DAY_MS


def look_at_delivery(check_name: str, subject: str, limit: int) -> tuple[str, int, bool]:
    found = view_contract("delivery", "course", subject, returns=DeliveryCourse)
    if check_name == "delivery_rejected":
        return found.operator, 1, found.status == "rejected"
    if check_name == "delivery_unanswered":
        hours = (ctx.time_ms - found.offered_ms) // HOUR_MS
        return found.consumer, hours, found.status == "offered" and hours >= limit
    if check_name == "high_risk":
        return found.operator, 1, found.risk == "high"
    if check_name == "use_unreported":
        days = (ctx.time_ms - max(found.used_ms, found.answered_ms)) // DAY_MS
        return found.consumer, days, found.status == "accepted" and days >= limit
    if check_name == "use_mismatch":
        return found.consumer, found.strayed, found.strayed >= limit
    return found.operator, 1, not found.is_diligent


def look_at_bill(subject: str, limit: int) -> tuple[str, int, bool]:
    found = view_contract("billing", "course", subject, returns=BillCourse)
    hours = (ctx.time_ms - found.issued_ms) // HOUR_MS
    return found.payer, hours, found.status in ("issued", "overdue") and hours >= limit


def look_at_work(check_name: str, subject: str, limit: int) -> tuple[str, int, bool]:
    found = view_contract("commission", "course", subject, returns=WorkCourse)
    due_ms = found.report_due_ms if check_name == "work_unreported" else found.work_due_ms
    days = max(ctx.time_ms - due_ms, 0) // DAY_MS if due_ms > 0 else 0
    return found.party, days, due_ms > 0 and days >= limit


def look_at_asset(check_name: str, subject: str, limit: int) -> tuple[str, int, bool]:
    found = view_contract("asset", "course", subject, returns=AssetCourse)
    ends_ms = found.certificate_until_ms
    if check_name == "asset_expired":
        is_over = ends_ms > 0 and ctx.time_ms >= ends_ms
        return found.operator, 1, found.is_in_service and is_over
    # What has ended is no more about to end; the other check tells of it.
    days = max(ends_ms - ctx.time_ms, 0) // DAY_MS
    return found.operator, days, found.is_used and ctx.time_ms < ends_ms and days < limit


def look_at_task(check_name: str, subject: str) -> tuple[str, int, bool]:
    if check_name == "task_broken":
        ended = view_contract("task", "outcome", subject, returns=TaskOutcome)
        return ended.operator, 1, ended.status in BROKEN
    operator, strayed = strays_of(subject)
    return operator, strayed, strayed > 0


def look_at_product(subject: str) -> tuple[str, int, bool]:
    made = view_contract("product", "made", subject, returns=Made)
    _scenario, _algorithms, outputs = purpose_of(made.grant_id)
    _operator, strayed = strays_of(made.task_id)
    if made.output not in outputs:
        strayed += 1
    return made.operator, strayed, strayed > 0


def look_at_identity(check_name: str, subject: str, limit: int) -> tuple[str, int, bool]:
    """Later looks may find more than what a product was approved by."""
    made = view_contract("product", "made", subject, returns=Made)
    found = view_contract("deidentification", "gravest", subject, returns=Gravest)
    if check_name == "small_group":
        return made.operator, found.group, 0 < found.group < limit
    is_named = 0 < found.level < ACCEPTABLE
    return made.operator, found.risk_ppm, is_named or found.risk_ppm > limit


def strays_of(task_id: str) -> tuple[str, int]:
    """Whose task it is, and in how many ways it leaves what was authorized: by its algorithm, by
    who opens the result."""
    operator, grant_id, algorithm, receiver_key = view_contract(
        "task", "aim", task_id, returns=tuple[str, str, str, bytes]
    )
    _scenario, algorithms, _outputs = purpose_of(grant_id)
    strayed = 0 if algorithm in algorithms else 1
    if is_outsider(grant_id, receiver_key):
        strayed += 1
    return operator, strayed


def is_outsider(grant_id: str, receiver_key: bytes) -> bool:
    """Is the key an account of a party that is no side of the grant?"""
    sides = view_contract("grant", "sides", grant_id, returns=Sides)
    address = to_hex(sm3(receiver_key))[:ADDRESS_LENGTH]
    receiver = view_contract("parties", "party_of", address, returns=str)
    # A key of no account was made for the task alone: nobody can say whose it is.
    return receiver not in ("", sides.operator, sides.consumer)


def purpose_of(grant_id: str) -> tuple[str, list[str], list[str]]:
    return view_contract("grant", "purpose", grant_id, returns=tuple[str, list[str], list[str]])


def require_reader() -> None:
    if ctx.sender != "contract:alert":
        party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
        require(party != "", "risk.reader: sign with an account of an active party")
