"""Data demands and their way to data (clauses 6.2a to 6.2d, 6.6.4a).

A consumer says which data it needs, in what form, how good, how delivered, for what and in which
scenario; the operator that it is filed with, or any where it names none, prescreens it and so
forwards it. Nobody prescreens what it filed itself, and only who forwarded it requests the grant:
operator and consumer of a grant are never the same party. The manager reviews the demand and
matches data sets of the catalogue, or, where the data is not collected yet, has suppliers collect
it by a day: what they register for it comes in here, and then the manager matches it.

States: submitted -> forwarded | returned; forwarded -> approved | collecting | rejected;
collecting -> ready | rejected. A grant builds on `approved` or `ready`.
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
KIND_MAX = 128  # characters of kind, format and delivery, each
QUALITY_MAX = 512  # characters
SCENARIO_MAX = 512  # characters; as a grant takes them
PURPOSE_MAX = 2048  # characters
NEEDS_MAX = 32
NEED_MAX = 256  # characters of one need
NOTE_MAX = 1024  # characters
DATASETS_MAX = 32  # per demand: bounds the walk over the catalogue
SUPPLIERS_MAX = 16  # asked for one demand; as many as may take part in a task
ORDER_MAX = 1024  # characters of what they are to collect
COLLECTED_MAX = 96  # that come in for one demand, however often it is ordered anew
COLLECTION_MAX_MS = 2 * 366 * 24 * 3600 * 1000  # two years: no demand waits for ever
PAGE_MAX = 100  # demands in one answer


@record
class Demand:
    """What a consumer asks for. `operator` and `manager` are the parties that decided, or ""."""

    id: str
    consumer: str
    title: str
    kind: str
    data_format: str
    quality: str
    delivery: str
    purpose: str
    scenario: str
    needs: list[str]
    datasets: list[str]  # matched by the manager
    suppliers: list[str]  # that are asked to collect
    collected: list[tuple[str, str]]  # supplier, data set registered for this demand
    filed_ms: int
    status: str = "submitted"
    operator: str = ""
    prescreen_note: str = ""
    manager: str = ""
    review_note: str = ""  # of the manager's last decision
    decided_ms: int = 0  # time of that decision
    order: str = ""  # what is to be collected
    due_ms: int = 0  # by when
    addressee: str = ""  # the operator that alone prescreens it; "" for any


@record
class DemandSummary:
    """A line of a list."""

    id: str
    consumer: str
    title: str
    kind: str
    status: str
    datasets: list[str]
    suppliers: list[str]  # that are asked to collect
    filed_ms: int
    due_ms: int  # of its collection; 0 if there is none
    addressee: str


@record
class Approval:
    """What a grant may build on: the outcome of a demand."""

    status: str
    consumer: str
    operator: str
    datasets: list[str]


demands = Map(str, Demand)
asked = Map((str, str), bool)  # supplier, demand: it is in the supplier's list
# Each list is kept twice: under "" for manager and operators, and under the party's own id.
demand_by_number = Map((str, int), str)
demand_count = Map(str, int)


@call
def file(
    demand_id: str,
    title: str,
    kind: str,
    data_format: str,
    quality: str,
    delivery: str,
    purpose: str,
    scenario: str,
    needs: list[str],
    operator_party: str,
) -> None:
    """A consumer files a demand: kind, format, quality and delivery of data, and why (6.6.4a); with
    an operator of its choice (6.2a), or "" for any."""
    consumer = acting_as("consumer")
    require(consumer != "", "demand.role: sign with an account of an active consumer")
    require(is_name(demand_id), "demand.id: use 1 to 64 characters of a-z 0-9 _ - .")
    require(demand_id not in demands, "demand.exists: choose another id")
    require(1 <= len(title) <= TITLE_MAX, "demand.title: use 1 to 128 characters")
    require(1 <= len(kind) <= KIND_MAX, "demand.kind: name the kind of data in 1 to 128 characters")
    require(1 <= len(data_format) <= KIND_MAX, "demand.format: name it in 1 to 128 characters")
    require(1 <= len(quality) <= QUALITY_MAX, "demand.quality: state it in 1 to 512 characters")
    require(1 <= len(delivery) <= KIND_MAX, "demand.delivery: name the way in 1 to 128 characters")
    require(1 <= len(purpose) <= PURPOSE_MAX, "demand.purpose: state it in 1 to 2048 characters")
    require(1 <= len(scenario) <= SCENARIO_MAX, "demand.scenario: state it in 1 to 512 characters")
    require(1 <= len(needs) <= NEEDS_MAX, "demand.needs: name 1 to 32 needs")
    for need in needs:
        require(1 <= len(need) <= NEED_MAX, "demand.need: state each in 1 to 256 characters")
    if operator_party != "":
        is_one = view_contract(
            "parties", "party_has_role", operator_party, "operator", returns=bool
        )
        require(
            is_one and operator_party != consumer,
            "demand.addressee: name an active operator other than yourself, or none",
        )
    demands[demand_id] = Demand(
        id=demand_id,
        consumer=consumer,
        title=title,
        kind=kind,
        data_format=data_format,
        quality=quality,
        delivery=delivery,
        purpose=purpose,
        scenario=scenario,
        needs=needs,
        datasets=[],
        suppliers=[],
        collected=[],
        filed_ms=ctx.time_ms,
        addressee=operator_party,
    )
    enlist("", demand_id)
    enlist(consumer, demand_id)
    emit("DemandFiled", demand_id=demand_id, party_id=consumer, addressee=operator_party)


@call
def prescreen(demand_id: str, passed: bool, note: str) -> None:
    """An operator forwards a demand to the manager, or returns it (6.2b)."""
    operator = acting_as("operator")
    require(operator != "", "demand.role: sign with an account of an active operator")
    demand = known(demand_id)
    require(operator != demand.consumer, "demand.self: another operator prescreens what you filed")
    require(
        demand.addressee in ("", operator), "demand.addressee: it is filed with another operator"
    )
    require(
        demand.status == "submitted", "demand.status: only a submitted demand can be prescreened"
    )
    check_note(note, passed)
    status = "forwarded" if passed else "returned"
    demands[demand_id] = replace(demand, status=status, operator=operator, prescreen_note=note)
    emit("DemandPrescreened", demand_id=demand_id, party_id=operator, passed=passed)


@call
def review(demand_id: str, approved: bool, note: str, datasets: list[str]) -> None:
    """The manager decides, and matches data sets of the catalogue (6.2c)."""
    manager, demand = to_decide(demand_id)
    require(
        demand.status == "forwarded",
        "demand.status: only a demand that an operator forwarded can be reviewed",
    )
    check_note(note, approved)
    if approved:
        check_datasets(datasets)
    else:
        require(len(datasets) == 0, "demand.datasets: a rejected demand matches none")
    decide(demand, "approved" if approved else "rejected", manager, note, datasets)
    emit(
        "DemandReviewed",
        demand_id=demand_id,
        party_id=manager,
        approved=approved,
        datasets=datasets,
    )


@call
def collect(demand_id: str, note: str, suppliers: list[str], order: str, due_ms: int) -> None:
    """The manager has suppliers collect what the catalogue lacks, by a day (6.2d).

    While data is being collected, suppliers, order and day may be set anew.
    """
    manager, demand = to_decide(demand_id)
    require(
        demand.status in ("forwarded", "collecting"),
        "demand.status: only a demand that an operator forwarded can be collected for",
    )
    check_note(note, demand.status == "forwarded")
    require(1 <= len(order) <= ORDER_MAX, "demand.order: say what to collect, in 1 to 1024")
    require(
        ctx.time_ms < due_ms <= ctx.time_ms + COLLECTION_MAX_MS,
        "demand.due: choose a time in the next two years",
    )
    check_suppliers(suppliers)
    demands[demand_id] = replace(
        demand,
        status="collecting",
        manager=manager,
        review_note=note,
        suppliers=suppliers,
        order=order,
        due_ms=due_ms,
        decided_ms=ctx.time_ms,
    )
    for supplier in suppliers:
        if supplier != demand.consumer and not asked.get((supplier, demand_id), False):
            asked[supplier, demand_id] = True
            enlist(supplier, demand_id)
    emit(
        "DemandCollecting",
        demand_id=demand_id,
        party_id=manager,
        suppliers=suppliers,
        due_ms=due_ms,
    )


@call
def take_in(demand_id: str, supplier: str, dataset_id: str) -> None:
    """A data set was registered for the demand; for the catalog contract alone (6.2d).

    It counts while the demand waits for this supplier; later it is an entry like any other.
    """
    require(ctx.sender == "contract:catalog", "demand.take_in: register a data set; it does this")
    demand = known(demand_id)
    if is_awaited(demand, supplier):
        collected = demand.collected
        collected.append((supplier, dataset_id))
        demands[demand_id] = replace(demand, collected=collected)
        emit("DataCollected", demand_id=demand_id, party_id=supplier, dataset_id=dataset_id)


@call
def match(demand_id: str, note: str, datasets: list[str]) -> None:
    """The manager matches what was collected, and what else is listed (6.2c, 6.2d)."""
    manager, demand = to_decide(demand_id)
    require(demand.status == "collecting", "demand.status: only while data is being collected")
    check_note(note, True)
    check_datasets(datasets)
    collected = [dataset_id for _supplier, dataset_id in demand.collected if dataset_id in datasets]
    require(
        len(collected) > 0,
        "demand.collected: match something that was registered for it, or `abandon` the collection",
    )
    decide(demand, "ready", manager, note, datasets)
    emit("DemandReady", demand_id=demand_id, party_id=manager, datasets=datasets)


@call
def abandon(demand_id: str, note: str) -> None:
    """The manager gives the collection up, and so rejects the demand."""
    manager, demand = to_decide(demand_id)
    require(demand.status == "collecting", "demand.status: only while data is being collected")
    check_note(note, False)
    decide(demand, "rejected", manager, note, [])
    emit("DemandAbandoned", demand_id=demand_id, party_id=manager)


@view
def show(demand_id: str) -> Demand:
    """One demand: for its consumer, its suppliers, operators and managers: it tells of plans."""
    scope = reader_scope()
    demand = known(demand_id)
    require(
        scope == "" or scope == demand.consumer or scope in demand.suppliers,
        "demand.reader: only its consumer, its suppliers, an operator or the manager may read it",
    )
    return demand


@view
def list_(offset: int, limit: int) -> list[DemandSummary]:
    """Demands in order: all for operators and managers, for others what they filed or collect."""
    scope = reader_scope()
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "demand.page: ask for 1 to 100 from 0 up")
    end = min(offset + limit, demand_count.get(scope, 0))
    return [summary(demand_by_number[scope, number]) for number in range(offset, end)]


@view
def approval(demand_id: str) -> Approval:
    """What the grant contract checks a grant against."""
    demand = known(demand_id)
    return Approval(demand.status, demand.consumer, demand.operator, demand.datasets)


@view
def owed_by(demand_id: str, supplier: str) -> int:
    """The day by which this supplier has to collect for the demand, as long as nothing of its own
    came in; 0 if it owes nothing, or no more. For other contracts."""
    demand = known(demand_id)
    if demand.status != "collecting" or supplier not in demand.suppliers:
        return 0
    own = [dataset_id for party, dataset_id in demand.collected if party == supplier]
    return demand.due_ms if len(own) == 0 else 0


@view
def awaits(demand_id: str, supplier: str) -> bool:
    """Is this supplier asked to collect for the demand now? For other contracts."""
    return is_awaited(known(demand_id), supplier)


def acting_as(role: str) -> str:
    return view_contract("parties", "acting_as", ctx.sender, role, returns=str)


def to_decide(demand_id: str) -> tuple[str, Demand]:
    """The manager that signs and the demand: neither its own, nor one that it forwarded (6.2c)."""
    manager = acting_as("manager")
    require(manager != "", "demand.role: sign with an account of an active manager")
    demand = known(demand_id)
    require(
        manager not in (demand.consumer, demand.operator),
        "demand.self: another manager decides on what you filed or forwarded",
    )
    return manager, demand


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
        demand.kind,
        demand.status,
        demand.datasets,
        demand.suppliers,
        demand.filed_ms,
        demand.due_ms,
        demand.addressee,
    )


def enlist(scope: str, demand_id: str) -> None:
    number = demand_count.get(scope, 0)
    demand_by_number[scope, number] = demand_id
    demand_count[scope] = number + 1


def decide(demand: Demand, status: str, manager: str, note: str, datasets: list[str]) -> None:
    demands[demand.id] = replace(
        demand,
        status=status,
        manager=manager,
        review_note=note,
        datasets=datasets,
        decided_ms=ctx.time_ms,
    )


def is_awaited(demand: Demand, supplier: str) -> bool:
    """Each of those asked has an equal share of what a review may match: none can fill it up."""
    if demand.status != "collecting" or supplier not in demand.suppliers:
        return False
    own = [dataset_id for party, dataset_id in demand.collected if party == supplier]
    is_within_share = len(own) < DATASETS_MAX // len(demand.suppliers)
    return is_within_share and len(demand.collected) < COLLECTED_MAX


def check_suppliers(suppliers: list[str]) -> None:
    require(1 <= len(suppliers) <= SUPPLIERS_MAX, "demand.suppliers: name 1 to 16 suppliers")
    for position, supplier in enumerate(suppliers):
        require(supplier not in suppliers[:position], "demand.supplier_twice: name each once")
        is_one = view_contract("parties", "party_has_role", supplier, "supplier", returns=bool)
        require(is_one, "demand.supplier: name active parties with the role supplier")


def check_note(note: str, is_positive: bool) -> None:
    require(is_positive or note != "", "demand.note: say why it is so decided")
    require(len(note) <= NOTE_MAX, "demand.note: use up to 1024 characters")


def check_datasets(datasets: list[str]) -> None:
    require(1 <= len(datasets) <= DATASETS_MAX, "demand.datasets: match 1 to 32 data sets")
    for position, dataset_id in enumerate(datasets):
        require(dataset_id not in datasets[:position], "demand.dataset_twice: name each once")
        owner = view_contract("catalog", "listed_by", dataset_id, returns=str)
        require(owner != "", "demand.dataset_unknown: match only data sets listed in the catalogue")
