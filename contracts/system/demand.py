"""Data demands and their way to an approval (clauses 6.2a to 6.2c, 6.6.4a).

A consumer files what it needs and why; an operator prescreens it and so forwards it; the manager
reviews it and matches data sets of the catalogue to it.

States: filed -> forwarded | returned; forwarded -> approved | rejected.
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

TITLE_MAX = 128  # characters
PURPOSE_MAX = 2048  # characters
NEEDS_MAX = 32
NEED_MAX = 256  # characters of one need
NOTE_MAX = 1024  # characters
DATASETS_MAX = 32  # per demand: bounds the walk over the catalogue
PAGE_MAX = 100  # demands in one answer


@record
class Demand:
    """What a consumer asks for. `operator` and `manager` are the parties that decided, or ""."""

    id: str
    consumer: str
    title: str
    purpose: str
    needs: list[str]
    datasets: list[str]  # matched in the review
    filed_ms: int
    status: str = "filed"
    operator: str = ""
    prescreen_note: str = ""
    manager: str = ""
    review_note: str = ""
    decided_ms: int = 0  # time of the review


@record
class DemandSummary:
    """A line of a list."""

    id: str
    consumer: str
    title: str
    status: str
    datasets: list[str]
    filed_ms: int


@record
class Approval:
    """What a grant may build on: the outcome of a demand."""

    status: str
    consumer: str
    operator: str
    datasets: list[str]


demands = Map(str, Demand)
# Each list is kept twice: under "" for manager and operators, and under the consumer's own id.
demand_by_number = Map((str, int), str)
demand_count = Map(str, int)


@call
def file(demand_id: str, title: str, purpose: str, needs: list[str]) -> None:
    """A consumer files a demand for public data (6.2a)."""
    consumer = acting_as("consumer")
    require(consumer != "", "demand.role: sign with an account of an active consumer")
    require(is_name(demand_id), "demand.id: use 1 to 64 characters of a-z 0-9 _ - .")
    require(demand_id not in demands, "demand.exists: choose another id")
    require(1 <= len(title) <= TITLE_MAX, "demand.title: use 1 to 128 characters")
    require(1 <= len(purpose) <= PURPOSE_MAX, "demand.purpose: state it in 1 to 2048 characters")
    require(1 <= len(needs) <= NEEDS_MAX, "demand.needs: name 1 to 32 needs")
    for need in needs:
        require(1 <= len(need) <= NEED_MAX, "demand.need: state each in 1 to 256 characters")
    demands[demand_id] = Demand(
        id=demand_id,
        consumer=consumer,
        title=title,
        purpose=purpose,
        needs=needs,
        datasets=[],
        filed_ms=ctx.time_ms,
    )
    enlist("", demand_id)
    enlist(consumer, demand_id)
    emit("DemandFiled", demand_id=demand_id, party_id=consumer)


@call
def prescreen(demand_id: str, passed: bool, note: str) -> None:
    """An operator forwards a demand to the manager, or returns it (6.2b)."""
    operator = acting_as("operator")
    require(operator != "", "demand.role: sign with an account of an active operator")
    demand = known(demand_id)
    require(demand.status == "filed", "demand.status: only a filed demand can be prescreened")
    check_note(note, passed)
    status = "forwarded" if passed else "returned"
    demands[demand_id] = replace(demand, status=status, operator=operator, prescreen_note=note)
    emit("DemandPrescreened", demand_id=demand_id, party_id=operator, passed=passed)


@call
def review(demand_id: str, approved: bool, note: str, datasets: list[str]) -> None:
    """The manager decides, and matches data sets of the catalogue (6.2c)."""
    manager = acting_as("manager")
    require(manager != "", "demand.role: sign with an account of an active manager")
    demand = known(demand_id)
    require(
        demand.status == "forwarded",
        "demand.status: only a demand that an operator forwarded can be reviewed",
    )
    check_note(note, approved)
    if approved:
        check_datasets(datasets)
    else:
        require(len(datasets) == 0, "demand.datasets: a rejected demand matches none")
    demands[demand_id] = replace(
        demand,
        status="approved" if approved else "rejected",
        manager=manager,
        review_note=note,
        datasets=datasets,
        decided_ms=ctx.time_ms,
    )
    emit(
        "DemandReviewed",
        demand_id=demand_id,
        party_id=manager,
        approved=approved,
        datasets=datasets,
    )


@view
def show(demand_id: str) -> Demand:
    """One demand: for its consumer, operators and the manager, for a demand tells of plans."""
    scope = reader_scope()
    demand = known(demand_id)
    require(
        scope == "" or scope == demand.consumer,
        "demand.reader: only its consumer, an operator or the manager may read it",
    )
    return demand


@view
def list_(offset: int, limit: int) -> list[DemandSummary]:
    """Demands in order of filing: all for operators and the manager, its own for a consumer."""
    scope = reader_scope()
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "demand.page: ask for 1 to 100 from 0 up")
    end = min(offset + limit, demand_count.get(scope, 0))
    return [summary(demand_by_number[scope, number]) for number in range(offset, end)]


@view
def approval(demand_id: str) -> Approval:
    """What the grant contract checks a grant against."""
    demand = known(demand_id)
    return Approval(demand.status, demand.consumer, demand.operator, demand.datasets)


def acting_as(role: str) -> str:
    return view_contract("parties", "acting_as", ctx.sender, role, returns=str)


def reader_scope() -> str:
    """Whose demands the sender may read: "" for all, or its own party."""
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "", "demand.reader: sign with an account of an active party")
    for role in ("manager", "operator"):
        if view_contract("parties", "party_has_role", party, role, returns=bool):
            return ""
    return party


def known(demand_id: str) -> Demand:
    demand = demands.get(demand_id)
    if demand is None:
        fail("demand.unknown: no demand has this id; look for it with `list`")
    return demand


def summary(demand_id: str) -> DemandSummary:
    demand = demands[demand_id]
    return DemandSummary(
        demand.id,
        demand.consumer,
        demand.title,
        demand.status,
        demand.datasets,
        demand.filed_ms,
    )


def enlist(scope: str, demand_id: str) -> None:
    number = demand_count.get(scope, 0)
    demand_by_number[scope, number] = demand_id
    demand_count[scope] = number + 1


def check_note(note: str, is_positive: bool) -> None:
    require(is_positive or note != "", "demand.note: say why the demand goes no further")
    require(len(note) <= NOTE_MAX, "demand.note: use up to 1024 characters")


def check_datasets(datasets: list[str]) -> None:
    require(1 <= len(datasets) <= DATASETS_MAX, "demand.datasets: match 1 to 32 data sets")
    for position, dataset_id in enumerate(datasets):
        require(dataset_id not in datasets[:position], "demand.dataset_twice: name each once")
        owner = view_contract("catalog", "listed_by", dataset_id, returns=str)
        require(owner != "", "demand.dataset_unknown: match only data sets listed in the catalogue")
