"""What the business came to: parties, data sets, demands, grants, tasks, products, deliveries.

One row for each as it stood after the last act, with the moments of its life. Memory grows with
their number, not with that of the blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from ledger.values import Value
from node.audit.acts.act import Act, Reader
from node.audit.acts.lineage import ENDS
from node.audit.acts.register import Register
from node.audit.acts.values import octets, text, texts
from node.audit.tables.columns import Cell, Row, Table, integer, moment, names
from node.audit.tables.columns import text as words

# The transaction that made it.
_ORIGIN: Final = (integer("height"), words("transaction"))

PARTIES: Final = Table(
    "parties",
    "who takes part",
    (
        words("id"),
        words("name"),
        names("roles"),
        words("status", "active suspended revoked"),
        integer("since", "height of its registration"),
        names("accounts", "that may speak for it, or could when it was revoked"),
        words("organization", "party whose authority certifies it, if it said"),
        words("selected_by", "party that sponsored its application, if there was one"),
        words("approved_by", "manager's party; empty for founders"),
    ),
)
DATASETS: Final = Table(
    "datasets",
    "the data catalogue",
    (
        words("id"),
        words("owner", "party"),
        words("demand_id", "for which it was collected, if any"),
        words("title"),
        words("category"),
        integer("grade", "1 public to 4 highly sensitive"),
        integer("update_days", "newer rows come this often; 0 never"),
        integer("rows"),
        integer("version"),
        words("commitment"),
        words("status", "draft collected registered updated retired"),
        moment("drafted"),
        moment("collected", "the rows that were registered first"),
        moment("registered"),
        moment("updated"),
        moment("retired"),
        *_ORIGIN,
    ),
)
DEMANDS: Final = Table(
    "demands",
    "what consumers asked for",
    (
        words("id"),
        words("consumer"),
        words("title"),
        words("kind"),
        words("data_format"),
        words("quality"),
        words("delivery"),
        words("purpose"),
        words("scenario"),
        words("operator", "that prescreened it"),
        words("manager", "that decided last"),
        names("datasets", "matched by the manager"),
        names("suppliers", "that are to collect for it"),
        names("collected", "data sets registered for it"),
        words("status", "submitted forwarded returned approved collecting ready rejected"),
        moment("filed"),
        moment("prescreened"),
        moment("reviewed", "the manager's last decision"),
        moment("due", "of the collection"),
        *_ORIGIN,
    ),
)
GRANTS: Final = Table(
    "grants",
    "who may use what; expiry and used-up uses follow from the row",
    (
        words("id"),
        words("demand_id"),
        words("consumer"),
        words("operator"),
        words("manager"),
        words("scenario"),
        names("datasets"),
        names("algorithms"),
        integer("uses_max"),
        integer("uses"),
        names("outputs", "kinds"),
        words("assurance", "least, of where it is computed"),
        words("channel_id", "of a scenario approved before, or empty"),
        words(
            "status",
            "requested in_review granted active suspended revoked refused withdrawn",
        ),
        moment("requested"),
        moment("decided"),
        moment("accepted", "by the operator: in force since"),
        moment("starts"),
        moment("expires"),
        moment("revoked"),
        *_ORIGIN,
    ),
)
TASKS: Final = Table(
    "tasks",
    "joint computations",
    (
        words("id"),
        words("grant_id"),
        words("operator"),
        words("consumer"),
        words("receiver", "party, or address, whose key results are sealed to"),
        words("algorithm"),
        words("program_hash", "SM3 of the program as ordered"),
        names("participants", "parties"),
        names("datasets", "in the same order"),
        words("status", "created running finished disputed failed cancelled expired"),
        moment("created"),
        moment("started"),
        moment("ended"),
        moment("deadline"),
        *_ORIGIN,
    ),
)
PRODUCTS: Final = Table(
    "products",
    "results that were registered",
    (
        words("id"),
        words("task_id"),
        words("grant_id"),
        words("operator"),
        words("consumer"),
        words("title"),
        words("result_digest"),
        words("status", "registered approved refused"),
        moment("registered"),
        moment("assessed"),
        *_ORIGIN,
    ),
)
DELIVERIES: Final = Table(
    "deliveries",
    "products on their way to their consumer",
    (
        words("id"),
        words("product_id"),
        words("operator"),
        words("consumer"),
        words("agreement_id", "that it was offered under, or empty"),
        words("payload_digest"),
        words("received_digest"),
        words("status", "offered accepted rejected withdrawn"),
        moment("offered"),
        moment("answered"),
        *_ORIGIN,
    ),
)
OBJECTS: Final = (DATASETS, DEMANDS, GRANTS, TASKS, PRODUCTS, DELIVERIES)


class _Kind(NamedTuple):
    """How one contract makes and changes its objects."""

    table: Table
    id_name: str  # of the argument that names one


_KINDS: Final[Mapping[str, _Kind]] = {
    "catalog": _Kind(DATASETS, "dataset_id"),
    "demand": _Kind(DEMANDS, "demand_id"),
    "grant": _Kind(GRANTS, "grant_id"),
    "task": _Kind(TASKS, "task_id"),
    "product": _Kind(PRODUCTS, "product_id"),
    "delivery": _Kind(DELIVERIES, "delivery_id"),
}
# What becomes of a grant, by the event that says so.
_GRANT_STATUS: Final = {
    "GrantInReview": "in_review",
    "Granted": "active",
    "GrantWithdrawn": "withdrawn",
    "GrantSuspended": "suspended",
    "GrantResumed": "active",
    "Revoked": "revoked",
}
# What a consumer says of the data that it needs, by the name of argument and column.
_WANTED: Final = ("kind", "data_format", "quality", "delivery", "purpose", "scenario")
Fields = dict[str, Cell]


class Objects:
    """All objects as of the last act that was added."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._found: dict[str, dict[str, Fields]] = {table.name: {} for table in OBJECTS}

    def add(self, act: Act) -> None:
        """The act at which the reader stands; refused ones change nothing."""
        if act.status:
            return
        kind = _KINDS.get(act.contract)
        if kind is not None:
            name = text(act.given.get(kind.id_name))
            changes = self._changes(act, act.given)
            if changes is not None:
                known = self._found[kind.table.name]
                made: Fields = {
                    "id": name,
                    "height": act.height,
                    "transaction": act.transaction,
                }
                known.setdefault(name, made).update(changes)
        for told in act.events:
            if told.contract == "task":
                self._course(text(told.fields.get("task_id")), told.name, act.time_ms)
            elif told.contract == "grant":
                self._grant_course(told.name, told.fields, act.time_ms)
            elif (told.contract, told.name) == ("demand", "DataCollected"):
                self._take_in(text(told.fields.get("demand_id")), told.fields.get("dataset_id"))

    def rows(self, table: Table) -> Iterator[Row]:
        """Of one of OBJECTS, in the order in which they were made."""
        for fields in self._found[table.name].values():
            yield tuple(fields.get(column.name) for column in table.columns)

    def _changes(self, act: Act, given: Mapping[str, Value]) -> Fields | None:
        """What an act says of the object that it names; None for nothing."""
        match act.contract, act.method:
            case "catalog", _:
                return self._catalogued(act, given)
            case "demand", _:
                return _demanded(act, given)
            case "grant", "request":
                return self._requested(act, given)
            case "task", "create":
                return self._ordered(act, given)
            case "product", "register":
                return self._registered(act, given)
            case "product", "approve":
                status = "approved" if given.get("passed") else "refused"
                return {"status": status, "assessed": act.time_ms}
            case "delivery", _:
                return _delivered(act, given)
        return None

    def _catalogued(self, act: Act, given: Mapping[str, Value]) -> Fields | None:
        match act.method:
            case "draft" | "describe":
                described: Fields = {
                    "title": text(given.get("title")),
                    "category": text(given.get("category")),
                    "grade": _integer(given.get("grade")),
                    "update_days": _integer(given.get("update_days")),
                }
                if act.method == "draft":
                    described |= {
                        "owner": act.by.party,
                        "demand_id": text(given.get("demand_id")),
                        "status": "draft",
                        "drafted": act.time_ms,
                    }
                return described
            case "collect" | "update":
                known = self._found[DATASETS.name].get(text(given.get("dataset_id")), {})
                before = known.get("version", 0) if act.method == "update" else 0
                assert isinstance(before, int)
                status = "updated" if act.method == "update" else "collected"
                return {
                    "rows": _integer(given.get("row_count")),
                    "version": before + 1,
                    "commitment": octets(given.get("commitment")).hex(),
                    "status": status,
                    status: act.time_ms,
                }
            case "register":
                return {"status": "registered", "registered": act.time_ms}
            case "retire":
                return {"status": "retired", "retired": act.time_ms}
        return None

    def _requested(self, act: Act, given: Mapping[str, Value]) -> Fields:
        demand = text(given.get("demand_id"))
        return {
            "demand_id": demand,
            "consumer": self._reader.lineage.demands.get(demand, ""),
            "operator": act.by.party,
            "manager": "",
            "scenario": text(given.get("scenario")),
            "datasets": texts(given.get("datasets")),
            "algorithms": texts(given.get("algorithms")),
            "uses_max": _integer(given.get("uses_max")),
            "uses": 0,
            "outputs": texts(given.get("outputs")),
            "assurance": text(given.get("assurance")),
            "channel_id": text(given.get("channel_id")),
            "status": "requested",
            "requested": act.time_ms,
            "starts": _integer(given.get("from_ms")) or None,
            "expires": _integer(given.get("expires_ms")),
        }

    def _ordered(self, act: Act, given: Mapping[str, Value]) -> Fields:
        line = self._reader.lineage.tasks[text(given.get("task_id"))]  # this act put it there
        event = act.event("task", "TaskCreated") or {}
        return {
            "grant_id": line.grant,
            "operator": act.by.party,
            "consumer": line.consumer,
            "receiver": self._reader.register.party_of(line.receiver) or line.receiver,
            "algorithm": text(given.get("algorithm")),
            "program_hash": octets(event.get("program_hash")).hex(),
            "participants": tuple(party for party, _dataset in line.participants),
            "datasets": line.datasets,
            "status": "created",
            "created": act.time_ms,
            "deadline": _integer(given.get("deadline_ms")),
        }

    def _registered(self, act: Act, given: Mapping[str, Value]) -> Fields:
        task = text(given.get("task_id"))
        line = self._reader.lineage.tasks.get(task)
        return {
            "task_id": task,
            "grant_id": line.grant if line else "",
            "operator": act.by.party,
            "consumer": line.consumer if line else "",
            "title": text(given.get("title")),
            "result_digest": octets(given.get("result_digest")).hex(),
            "status": "registered",
            "registered": act.time_ms,
        }

    def _course(self, task: str, event: str, time_ms: int) -> None:
        known = self._found[TASKS.name].get(task)
        if known is None:
            return
        if event == "TaskReady":
            known.update(status="running", started=time_ms)
        elif event in ENDS:
            known.update(status=ENDS[event], ended=time_ms)

    def _take_in(self, demand: str, dataset: Value) -> None:
        known = self._found[DEMANDS.name].get(demand)
        if known is not None:
            had = known["collected"]
            assert isinstance(had, tuple)
            known["collected"] = (*had, text(dataset))

    def _grant_course(self, event: str, said: Mapping[str, Value], time_ms: int) -> None:
        known = self._found[GRANTS.name].get(text(said.get("grant_id")))
        if known is None:
            return
        if event == "GrantUsed":
            uses = known["uses"]
            assert isinstance(uses, int)
            known["uses"] = uses + 1
        elif event == "GrantDecided":
            status = "granted" if said.get("approved") else "refused"
            known.update(status=status, manager=text(said.get("manager")), decided=time_ms)
        elif event in _GRANT_STATUS:
            known.update(status=_GRANT_STATUS[event])
        if event == "GrantInReview":
            known.update(manager=text(said.get("manager")))
        elif event == "Granted":
            known.update(manager=text(said.get("manager")), accepted=time_ms)
            known.setdefault("decided", time_ms)  # a manager decided on the scenario before
        elif event == "Revoked":
            known.update(revoked=time_ms)


def party_rows(register: Register) -> Iterator[Row]:
    """Of PARTIES, in the order of their registration."""
    for party in register.parties.values():
        accounts = register.accounts_of(party.id)
        told = party.id, party.name, party.roles, party.status, party.since, accounts
        yield (*told, party.organization, party.selected_by, party.approved_by)


def _demanded(act: Act, given: Mapping[str, Value]) -> Fields | None:
    match act.method:
        case "file":
            return {
                "consumer": act.by.party,
                "title": text(given.get("title")),
                **{name: text(given.get(name)) for name in _WANTED},
                "datasets": (),
                "suppliers": (),
                "collected": (),
                "status": "submitted",
                "filed": act.time_ms,
            }
        case "prescreen":
            status = "forwarded" if given.get("passed") else "returned"
            return {"operator": act.by.party, "status": status, "prescreened": act.time_ms}
        case "review":
            return {
                "manager": act.by.party,
                "datasets": texts(given.get("datasets")),
                "status": "approved" if given.get("approved") else "rejected",
                "reviewed": act.time_ms,
            }
        case "collect":
            return {
                "manager": act.by.party,
                "suppliers": texts(given.get("suppliers")),
                "status": "collecting",
                "reviewed": act.time_ms,
                "due": _integer(given.get("due_ms")),
            }
        case "match" | "abandon":
            return {
                "manager": act.by.party,
                "datasets": texts(given.get("datasets")),
                "status": "ready" if act.method == "match" else "rejected",
                "reviewed": act.time_ms,
            }
    return None


def _delivered(act: Act, given: Mapping[str, Value]) -> Fields | None:
    match act.method:
        case "offer" | "offer_under":
            return {
                "product_id": text(given.get("product_id")),
                "operator": act.by.party,
                "consumer": text(given.get("consumer_party")),
                "agreement_id": text(given.get("agreement_id")),
                "payload_digest": octets(given.get("sealed_payload_digest")).hex(),
                "status": "offered",
                "offered": act.time_ms,
            }
        case "accept":
            return {
                "received_digest": octets(given.get("received_digest")).hex(),
                "status": "accepted" if given.get("accepted") else "rejected",
                "answered": act.time_ms,
            }
        case "withdraw":
            return {"status": "withdrawn", "answered": act.time_ms}
    return None


def _integer(value: Value) -> int | None:
    return value if isinstance(value, int) else None
