"""Grants: who may use which data, for what, how and how long (clauses 6.3a, 6.3b, 8.1.1).

The operator that forwarded an approved demand requests a grant: the data sets (of those matched to
the demand), scenario, algorithms, kinds of output, what is permitted, prohibited and due (actions
of ODRL 2.2), a window of time, a number of uses, the least assurance of the place of computing. A
manager takes the request up and decides; the operator countersigns what was granted. Both name the
SM3 of the same canonical terms (`terms_of`), so one text carries two signatures. Within a scenario
that a manager has approved before (contract `preapproval`) the request is in force at once.

A grant is checked when a task is created, accepted and reported, and when its product is
registered, approved, offered and accepted; revoking it cancels every task still open under it.

States: requested -> in_review -> granted -> active <-> suspended; granted, active, suspended ->
revoked; in_review -> refused; requested, in_review -> withdrawn; requested -> active (preapproved).
What is not over when its end has come is `expired`; that, and used-up uses, nobody has to record.
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
    sm3,
    to_hex,
    view,
    view_contract,
)

TERM_MAX_MS = 5 * 366 * 24 * 3600 * 1000  # five years: nobody is granted data for ever
REASON_MAX = 512  # characters
NOTE_MAX = 1024  # characters
PAGE_MAX = 100  # grants in one answer
OPEN = ("requested", "in_review", "granted", "active", "suspended")  # what time can end


@record
class Grant:
    """A permission. `reason` is that of its last change of status."""

    id: str
    demand_id: str
    consumer: str
    operator: str
    scenario: str
    datasets: list[str]
    algorithms: list[str]
    outputs: list[str]
    permissions: list[str]
    prohibitions: list[str]
    duties: list[str]
    from_ms: int
    expires_ms: int
    uses_max: int
    assurance: str
    channel_id: str  # of a scenario approved before; "" if a manager decided on this one
    requested_ms: int
    digest: bytes = b""  # SM3 of the canonical terms
    manager: str = ""  # party that took the request up, then that decided
    decided_ms: int = 0
    accepted_ms: int = 0  # in force since
    uses: int = 0
    status: str = "requested"
    reason: str = ""


@record
class Sides:
    """Between whom an agreement over what is made under the grant is."""

    operator: str
    consumer: str


@record
class Course:
    """What the contracts of oversight judge a grant by; `status` is as it was last changed."""

    status: str
    operator: str
    uses: int
    uses_max: int
    expires_ms: int
    past_task: str  # that made the use so many uses ago as was asked; "" if there were fewer


@record
class Approval:
    """The outcome of a demand, as the demand contract tells it."""

    status: str
    consumer: str
    operator: str
    datasets: list[str]


grants = Map(str, Grant)
uses = Map((str, int), str)  # grant, number of the use from 1 -> task
grant_by_number = Map(int, str)
grant_count = Var(int)


@call
def request(
    grant_id: str,
    demand_id: str,
    scenario: str,
    datasets: list[str],
    algorithms: list[str],
    outputs: list[str],
    permissions: list[str],
    prohibitions: list[str],
    duties: list[str],
    from_ms: int,
    expires_ms: int,
    uses_max: int,
    assurance: str,
    channel_id: str,
) -> None:
    """The operator asks for the data of a demand; in force at once in a channel (6.3a, 6.3b)."""
    operator = require_role("operator")
    require(is_name(grant_id), "grant.id: use 1 to 64 characters of a-z 0-9 _ - .")
    require(grant_id not in grants, "grant.exists: choose another id")
    require(
        ctx.time_ms < expires_ms <= ctx.time_ms + TERM_MAX_MS,
        "grant.expires: choose a time in the next five years",
    )
    require(0 <= from_ms < expires_ms, "grant.from: let it begin before it ends; 0 is at once")
    asked = Grant(
        id=grant_id,
        demand_id=demand_id,
        consumer=check_demand(demand_id, operator, datasets),
        operator=operator,
        scenario=scenario,
        datasets=datasets,
        algorithms=algorithms,
        outputs=outputs,
        permissions=permissions,
        prohibitions=prohibitions,
        duties=duties,
        from_ms=from_ms,
        expires_ms=expires_ms,
        uses_max=uses_max,
        assurance=assurance,
        channel_id=channel_id,
        requested_ms=ctx.time_ms,
    )
    view_contract("preapproval", "ensure_sound", asked, returns=bool)
    grant = replace(asked, digest=sm3(terms_of(asked).encode()))
    enter(grant)
    if channel_id != "":
        manager = call_contract("preapproval", "draw", channel_id, asked, returns=str)
        begin(replace(grant, manager=manager, decided_ms=ctx.time_ms))


@call
def review(grant_id: str) -> None:
    """A manager takes a request up, so that all see that it is looked at (6.3a)."""
    manager = require_role("manager")
    grant = seen(known(grant_id))
    require(grant.status == "requested", "grant.status: only a request can be taken up; see `show`")
    grants[grant_id] = replace(grant, status="in_review", manager=manager)
    emit("GrantInReview", grant_id=grant_id, manager=manager, operator=grant.operator)


@call
def decide(grant_id: str, approved: bool, note: str, digest: bytes) -> None:
    """A manager grants the terms named by their SM3, or refuses them with a reason (6.3a)."""
    manager = require_role("manager")
    grant = seen(known(grant_id))
    require(grant.status == "in_review", "grant.status: take it up with `review`; see `show`")
    require(manager not in (grant.operator, grant.consumer), "grant.self: another manager decides")
    require(digest == grant.digest, "grant.digest: other terms were requested; read these")
    require(approved or note != "", "grant.note: say why it is refused")
    require(len(note) <= NOTE_MAX, "grant.note: use up to 1024 characters")
    if approved:
        check_demand(grant.demand_id, grant.operator, grant.datasets)
    status = "granted" if approved else "refused"
    decided = replace(grant, status=status, manager=manager, reason=note, decided_ms=ctx.time_ms)
    grants[grant_id] = decided
    emit(
        "GrantDecided",
        grant_id=grant_id,
        manager=manager,
        operator=grant.operator,
        approved=approved,
        digest=digest,
        note=note,
    )


@call
def accept(grant_id: str, digest: bytes) -> None:
    """The operator countersigns the terms named by their SM3; the grant is in force (6.3a)."""
    grant = require_own(grant_id)
    require(grant.status == "granted", "grant.status: no manager has granted it; see `show`")
    require(digest == grant.digest, "grant.digest: other terms were granted; read these")
    begin(grant)


@call
def withdraw(grant_id: str, reason: str) -> None:
    """The operator takes its request back before it is decided on."""
    grant = require_own(grant_id)
    require(
        grant.status in ("requested", "in_review"),
        "grant.status: it is decided on; a manager revokes what is granted",
    )
    check_reason(reason)
    grants[grant_id] = replace(grant, status="withdrawn", reason=reason)
    emit("GrantWithdrawn", grant_id=grant_id, operator=grant.operator, reason=reason)


@call
def revoke(grant_id: str, reason: str) -> None:
    """A manager ends what was granted; open tasks under it are cancelled at once (6.3a)."""
    manager = require_role("manager")
    grant = known(grant_id)
    require(grant.status != "revoked", "grant.revoked: it is revoked already")
    require(
        grant.status in ("granted", "active", "suspended"),
        "grant.status: nothing is granted; a request is refused with `decide`",
    )
    check_reason(reason)
    grants[grant_id] = replace(grant, status="revoked", reason=reason)
    emit("Revoked", grant_id=grant_id, party_id=manager, reason=reason)
    call_contract("task", "cancel_under", grant_id)


@call
def suspend(grant_id: str, reason: str) -> None:
    """An emergency measure, for the contract incident alone: no use, no report, no delivery."""
    require(ctx.sender == "contract:incident", "grant.suspend: open an incident; it does this")
    grant = known(grant_id)
    require(grant.status == "active", "grant.status: it is not in force, or suspended already")
    grants[grant_id] = replace(grant, status="suspended", reason=reason)
    emit("GrantSuspended", grant_id=grant_id, operator=grant.operator, reason=reason)


@call
def resume(grant_id: str, reason: str) -> None:
    """The measure is lifted, by the contract incident alone."""
    require(ctx.sender == "contract:incident", "grant.resume: lift the measure of its incident")
    grant = known(grant_id)
    require(grant.status == "suspended", "grant.status: it is not suspended")
    grants[grant_id] = replace(grant, status="active", reason=reason)
    emit("GrantResumed", grant_id=grant_id, operator=grant.operator, reason=reason)


@call
def use(
    grant_id: str, task_id: str, operator: str, datasets: list[str], algorithm: str
) -> tuple[str, int]:
    """Counts one use, for the task contract alone; whose demand the grant answers, and its end."""
    require(ctx.sender == "contract:task", "grant.use: create a task; it counts the use itself")
    grant = covering(grant_id, operator, datasets, algorithm)
    number = grant.uses + 1
    grants[grant_id] = replace(grant, uses=number)
    uses[grant_id, number] = task_id
    emit("GrantUsed", grant_id=grant_id, task_id=task_id, number=number)
    return grant.consumer, grant.expires_ms


@view
def show(grant_id: str) -> Grant:
    """One grant, whole: every active party may see what was authorized (8.1.1)."""
    require_reader()
    return known(grant_id)


@view
def list_(offset: int, limit: int) -> list[Grant]:
    """Grants in order of request."""
    require_reader()
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "grant.page: ask for 1 to 100 from 0 up")
    end = min(offset + limit, grant_count.get(0))
    return [grants[grant_by_number[number]] for number in range(offset, end)]


@view
def standing(grant_id: str) -> str:
    """The status at this moment, which `expired` is one of; the record keeps the last change."""
    require_reader()
    return seen(known(grant_id)).status


@view
def used_by(grant_id: str, number: int) -> str:
    """The task that made use `number` (from 1) of the grant; "" if there was no such use."""
    require_reader()
    return uses.get((grant_id, number), "")


@view
def course(grant_id: str, uses_back: int) -> Course:
    """How far the grant is used, and which task used it `uses_back` uses ago."""
    grant = known(grant_id)
    past = uses.get((grant_id, grant.uses - uses_back), "")
    return Course(grant.status, grant.operator, grant.uses, grant.uses_max, grant.expires_ms, past)


@view
def sides(grant_id: str) -> Sides:
    """Who may make something under the grant, and for whom."""
    grant = known(grant_id)
    return Sides(grant.operator, grant.consumer)


@view
def purpose(grant_id: str) -> tuple[str, list[str], list[str]]:
    """The scenario, the algorithms and the kinds of output that it is for."""
    g = known(grant_id)
    return g.scenario, g.algorithms, g.outputs


@view
def is_valid(grant_id: str) -> bool:
    """Does the grant stand: in force, in its window, its operator in good standing?"""
    grant = grants.get(grant_id)
    if grant is None or grant.status != "active":
        return False
    is_open = grant.from_ms <= ctx.time_ms < grant.expires_ms
    return is_open and may_serve(grant.operator, grant.consumer)


@view
def ensure_valid(grant_id: str) -> bool:
    """True, or a refusal that says why the grant does not stand; for other contracts."""
    return hold(grant_id).status == "active"


@view
def ensure_covers(grant_id: str, operator: str, datasets: list[str], algorithm: str) -> bool:
    """True, or a refusal that says what of a computation the grant does not cover."""
    return covering(grant_id, operator, datasets, algorithm).status == "active"


@view
def ensure_not_withdrawn(grant_id: str) -> bool:
    """True, or a refusal, for what was made while the grant stood: it may have expired since."""
    return unbroken(grant_id).status == "active"


def require_role(role: str) -> str:
    party = view_contract("parties", "acting_as", ctx.sender, role, returns=str)
    require(party != "", "grant.role: sign with an account of an active operator, or of a manager")
    return party


def require_own(grant_id: str) -> Grant:
    """The grant as it stands now, if the sender's operator requested it."""
    operator = require_role("operator")
    grant = seen(known(grant_id))
    require(grant.operator == operator, "grant.operator: another operator requested it")
    return grant


def require_reader() -> None:
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "", "grant.reader: sign with an account of an active party")


def may_serve(operator: str, consumer: str) -> bool:
    return view_contract("parties", "may_serve", operator, consumer, returns=bool)


def known(grant_id: str) -> Grant:
    grant = grants.get(grant_id)
    if grant is None:
        fail("grant.unknown: no grant has this id; look for it with `list`")
    return grant


def seen(grant: Grant) -> Grant:
    """As it stands at this block's time."""
    if grant.status in OPEN and ctx.time_ms >= grant.expires_ms:
        return replace(grant, status="expired")
    return grant


def unbroken(grant_id: str) -> Grant:
    """The grant, if it was countersigned, and nobody but time has ended or stopped it."""
    grant = known(grant_id)
    require(grant.status != "revoked", "grant.revoked: request a new grant")
    require(grant.status != "suspended", "grant.on_hold: an incident suspends it; wait for its end")
    require(grant.status == "active", "grant.pending: it is not in force; see `show`")
    require(may_serve(grant.operator, grant.consumer), "grant.suspended: a side of it is cut off")
    return grant


def covering(grant_id: str, operator: str, datasets: list[str], algorithm: str) -> Grant:
    """The grant, if it stands and has a use left for this computation."""
    grant = hold(grant_id)
    require(grant.operator == operator, "grant.operator: it was granted to another operator")
    require(grant.uses < grant.uses_max, "grant.used_up: request a new grant")
    may_compute = "derive" in grant.permissions or "use" in grant.permissions
    require(may_compute, "grant.permission: it permits no computing; request one with `derive`")
    require(algorithm in grant.algorithms, "grant.algorithm: the grant does not name it")
    for dataset_id in datasets:
        require(dataset_id in grant.datasets, "grant.dataset: the grant does not name it")
    return grant


def hold(grant_id: str) -> Grant:
    """The grant, if it stands at this block's time."""
    grant = unbroken(grant_id)
    require(ctx.time_ms < grant.expires_ms, "grant.expired: request a new grant")
    require(ctx.time_ms >= grant.from_ms, "grant.early: its window opens later; see `show`")
    return grant


def enter(grant: Grant) -> None:
    """Puts a request on record."""
    grants[grant.id] = grant
    number = grant_count.get(0)
    grant_by_number[number] = grant.id
    grant_count.set(number + 1)
    emit(
        "GrantRequested",
        grant_id=grant.id,
        demand_id=grant.demand_id,
        operator=grant.operator,
        datasets=grant.datasets,
        algorithms=grant.algorithms,
        channel_id=grant.channel_id,
        digest=grant.digest,
    )


def begin(grant: Grant) -> None:
    """Manager and operator have signed the same terms: the grant is in force."""
    grants[grant.id] = replace(grant, status="active", accepted_ms=ctx.time_ms)
    emit(
        "Granted",
        grant_id=grant.id,
        demand_id=grant.demand_id,
        operator=grant.operator,
        manager=grant.manager,
        scenario=grant.scenario,
        datasets=grant.datasets,
        algorithms=grant.algorithms,
        expires_ms=grant.expires_ms,
        uses_max=grant.uses_max,
        digest=grant.digest,
    )


def terms_of(grant: Grant) -> str:
    """The canonical terms: a line for each field, with its length, so that no two texts are alike.

    client/grant_terms.py makes the same text of what `show` answers.
    """
    lines = [
        "shuxin grant 1",
        "chain " + to_hex(ctx.chain_id),
        "grant " + grant.id,
        "demand " + grant.demand_id,
        "consumer " + grant.consumer,
        "operator " + grant.operator,
        f"scenario {len(grant.scenario)} {grant.scenario}",
        f"window {grant.from_ms} {grant.expires_ms}",
        f"uses {grant.uses_max}",
        "assurance " + grant.assurance,
        "channel " + grant.channel_id,
    ]
    lists = {
        "datasets": grant.datasets,
        "algorithms": grant.algorithms,
        "outputs": grant.outputs,
        "permissions": grant.permissions,
        "prohibitions": grant.prohibitions,
        "duties": grant.duties,
    }
    for name, items in lists.items():
        lines.append(f"{name} {len(items)}")
        lines.extend([f"{len(item)} {item}" for item in items])
    return "\n".join(lines)


def check_reason(reason: str) -> None:
    require(1 <= len(reason) <= REASON_MAX, "grant.reason: give a reason of 1 to 512 characters")


def check_demand(demand_id: str, operator: str, datasets: list[str]) -> str:
    """The consumer of the approved demand that `operator` and `datasets` must come from."""
    demand = view_contract("demand", "approval", demand_id, returns=Approval)
    require(demand.status in ("approved", "ready"), "grant.demand: a manager must match data to it")
    require(demand.operator == operator, "grant.operator: the operator that forwarded it requests")
    require(may_serve(operator, demand.consumer), "grant.suspended: a side of it is cut off")
    for dataset_id in datasets:
        require(dataset_id in demand.datasets, "grant.dataset: name only what the review matched")
    return demand.consumer
