"""Grants: who may use which data, for what, how and how long (clauses 6.3a, 8.1.1).

The manager issues a grant to the operator that forwarded an approved demand. The grant names the
scenario, the data sets (of those matched to the demand), the algorithms, an end and a number of
uses. It is checked when a task is created, accepted and reported, and when its product is
registered, approved, offered and accepted; revoking it cancels every task still open under it.

States: active <-> suspended; either -> revoked. Expiry and used-up uses follow from the record.
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
    view,
    view_contract,
)

SCENARIO_MAX = 512  # characters
DATASETS_MAX = 32
ALGORITHMS_MAX = 32
ALGORITHM_MAX = 64  # characters of an algorithm id, such as statistics/1
USES_MAX = 10**6
TERM_MAX_MS = 5 * 366 * 24 * 3600 * 1000  # five years: nobody is granted data for ever
REASON_MAX = 512  # characters
PAGE_MAX = 100  # grants in one answer


@record
class Grant:
    """A permission. `reason` is that of its last change of status."""

    id: str
    demand_id: str
    consumer: str
    operator: str
    manager: str  # party that issued it
    scenario: str
    datasets: list[str]
    algorithms: list[str]
    issued_ms: int
    expires_ms: int
    uses_max: int
    uses: int = 0
    status: str = "active"
    reason: str = ""


@record
class Terms:
    """What a task takes over from the grant it uses."""

    consumer: str
    expires_ms: int


@record
class Sides:
    """Between whom an agreement over what is made under the grant is."""

    operator: str
    consumer: str


@record
class Course:
    """What the contracts of oversight judge a grant by."""

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
def issue(
    grant_id: str,
    demand_id: str,
    operator_party: str,
    scenario: str,
    datasets: list[str],
    algorithms: list[str],
    expires_ms: int,
    uses_max: int,
) -> None:
    """The manager authorizes an operator for a demand and its scenario (6.3a)."""
    manager = require_manager()
    require(is_name(grant_id), "grant.id: use 1 to 64 characters of a-z 0-9 _ - .")
    require(grant_id not in grants, "grant.exists: choose another id")
    require(1 <= len(scenario) <= SCENARIO_MAX, "grant.scenario: state it in 1 to 512 characters")
    require(
        ctx.time_ms < expires_ms <= ctx.time_ms + TERM_MAX_MS,
        "grant.expires: choose a time in the next five years",
    )
    require(1 <= uses_max <= USES_MAX, "grant.uses: allow 1 to 1000000 uses")
    check_algorithms(algorithms)
    consumer = check_demand(demand_id, operator_party, datasets)
    grants[grant_id] = Grant(
        id=grant_id,
        demand_id=demand_id,
        consumer=consumer,
        operator=operator_party,
        manager=manager,
        scenario=scenario,
        datasets=datasets,
        algorithms=algorithms,
        issued_ms=ctx.time_ms,
        expires_ms=expires_ms,
        uses_max=uses_max,
    )
    number = grant_count.get(0)
    grant_by_number[number] = grant_id
    grant_count.set(number + 1)
    emit(
        "Granted",
        grant_id=grant_id,
        demand_id=demand_id,
        operator=operator_party,
        datasets=datasets,
        algorithms=algorithms,
        expires_ms=expires_ms,
        uses_max=uses_max,
    )


@call
def revoke(grant_id: str, reason: str) -> None:
    """The manager ends a grant; open tasks under it are cancelled at once."""
    manager = require_manager()
    grant = known(grant_id)
    require(grant.status != "revoked", "grant.revoked: it is revoked already")
    require(1 <= len(reason) <= REASON_MAX, "grant.reason: give a reason of 1 to 512 characters")
    grants[grant_id] = replace(grant, status="revoked", reason=reason)
    emit("Revoked", grant_id=grant_id, party_id=manager, reason=reason)
    call_contract("task", "cancel_under", grant_id)


@call
def suspend(grant_id: str, reason: str) -> None:
    """An emergency measure, for the contract incident alone: no use, no report, no delivery."""
    require(ctx.sender == "contract:incident", "grant.suspend: open an incident; it does this")
    grant = known(grant_id)
    require(grant.status == "active", "grant.status: it is suspended or revoked already")
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
def use(grant_id: str, task_id: str, operator: str, datasets: list[str], algorithm: str) -> Terms:
    """Counts one use, for the task contract alone; refuses what the grant does not cover."""
    require(ctx.sender == "contract:task", "grant.use: create a task; it counts the use itself")
    grant = hold(grant_id)
    require(grant.operator == operator, "grant.operator: it was granted to another operator")
    require(grant.uses < grant.uses_max, "grant.used_up: ask the manager for a new grant")
    require(algorithm in grant.algorithms, "grant.algorithm: the grant does not name it")
    for dataset_id in datasets:  # shuxin: allow W005 the contract task bounds them
        require(dataset_id in grant.datasets, "grant.dataset: the grant does not name it")
    number = grant.uses + 1
    grants[grant_id] = replace(grant, uses=number)
    uses[grant_id, number] = task_id
    emit("GrantUsed", grant_id=grant_id, task_id=task_id, number=number)
    return Terms(consumer=grant.consumer, expires_ms=grant.expires_ms)


@view
def show(grant_id: str) -> Grant:
    """One grant, whole: every active party may see what was authorized (8.1.1)."""
    require_reader()
    return known(grant_id)


@view
def list_(offset: int, limit: int) -> list[Grant]:
    """Grants in order of issue."""
    require_reader()
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "grant.page: ask for 1 to 100 from 0 up")
    end = min(offset + limit, grant_count.get(0))
    return [grants[grant_by_number[number]] for number in range(offset, end)]


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
def is_valid(grant_id: str) -> bool:
    """Does the grant stand: known, not revoked, not expired, its operator in good standing?"""
    grant = grants.get(grant_id)
    if grant is None or grant.status != "active" or ctx.time_ms >= grant.expires_ms:
        return False
    return is_operator(grant.operator)


@view
def ensure_valid(grant_id: str) -> bool:
    """True, or a refusal that says why the grant does not stand; for other contracts."""
    return hold(grant_id).status == "active"


@view
def ensure_not_withdrawn(grant_id: str) -> bool:
    """True, or a refusal, for what was made while the grant stood: it may have expired since."""
    return in_force(grant_id).status == "active"


def require_manager() -> str:
    party = view_contract("parties", "acting_as", ctx.sender, "manager", returns=str)
    require(party != "", "grant.role: sign with an account of an active manager")
    return party


def require_reader() -> None:
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "", "grant.reader: sign with an account of an active party")


def is_operator(party: str) -> bool:
    return view_contract("parties", "party_has_role", party, "operator", returns=bool)


def known(grant_id: str) -> Grant:
    grant = grants.get(grant_id)
    if grant is None:
        fail("grant.unknown: no grant has this id; look for it with `list`")
    return grant


def in_force(grant_id: str) -> Grant:
    """The grant, if it is neither revoked nor suspended."""
    grant = known(grant_id)
    require(grant.status != "revoked", "grant.revoked: ask the manager for a new grant")
    require(grant.status == "active", "grant.on_hold: an incident suspends it; wait for its end")
    return grant


def hold(grant_id: str) -> Grant:
    """The grant, if it stands at this block's time."""
    grant = in_force(grant_id)
    require(ctx.time_ms < grant.expires_ms, "grant.expired: ask the manager for a new grant")
    require(is_operator(grant.operator), "grant.suspended: its operator is suspended")
    return grant


def check_algorithms(algorithms: list[str]) -> None:
    require(1 <= len(algorithms) <= ALGORITHMS_MAX, "grant.algorithms: name 1 to 32 algorithms")
    for position, algorithm in enumerate(algorithms):
        require(1 <= len(algorithm) <= ALGORITHM_MAX, "grant.algorithm_id: use 1 to 64 characters")
        require(algorithm not in algorithms[:position], "grant.algorithm_twice: name each once")


def check_demand(demand_id: str, operator: str, datasets: list[str]) -> str:
    """The consumer of the approved demand that `operator` and `datasets` must come from."""
    demand = view_contract("demand", "approval", demand_id, returns=Approval)
    require(demand.status == "approved", "grant.demand: the manager must approve the demand first")
    require(demand.operator == operator, "grant.operator: grant to the operator that forwarded it")
    require(is_operator(operator), "grant.suspended: its operator is suspended")
    require(1 <= len(datasets) <= DATASETS_MAX, "grant.datasets: name 1 to 32 data sets")
    for position, dataset_id in enumerate(datasets):
        require(dataset_id not in datasets[:position], "grant.dataset_twice: name each once")
        require(dataset_id in demand.datasets, "grant.dataset: name only what the review matched")
    return demand.consumer
