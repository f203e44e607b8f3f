"""The workloads of `make bench-business`: the standard's business as acts of its parties.

Each workload is data: acts that prepare it, and cases without end, each in stages whose acts wait
for those of the stage before. So the same acts run on the nodes of the benchmark and, in
tests/unit/test_bench_business.py, on a chain in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources

from client.gas import GAS_SMALL, GAS_WHOLE
from client.grant_terms import terms_digest
from crypto import sm3
from ledger.merkle import root_of
from ledger.values import Key, Value, encode_value

SUPPLIERS = ("supplier-a", "supplier-b", "supplier-c")
ALGORITHM = "statistics/1"
PROGRAM_SIZE = 300  # bytes; the insurance scenario's program has about as many
BATCH_SIZE = 1_000  # digests under one root
SHARE_SIZE = 4096  # bytes of a sealed output share
CERTIFICATE_SIZE = 900  # characters; a one-task certificate of an executor
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
TASK_GRANTS = 64  # tasks spread over as many: a grant has 32 open ones at most
TASKS_OPEN = 240  # a supplier's queue takes 256 of one operator
WINDOW = 2_000  # transactions under way: two full blocks
USES_MAX = 10**6  # the most that a grant or channel may have
TASK_USES = 10_000  # of each of the tasks' grants; the rest is for grants by channel
# Title, kind, format, quality, delivery, purpose and scenario of the demand.
WANTED = ("Claims by plan", "claims", "table", "complete", "sealed file", "pricing", "insurance")
DEMAND = "bench"
CHANNEL = "bench"
PROTECTION = "ABY3, semi-honest, honest majority"


@dataclass(frozen=True, slots=True)
class Act:
    """A call by a party; `gas_limit` None leaves it to the client, as for everybody."""

    party: str
    contract: str
    method: str
    args: Sequence[Value]
    gas_limit: int | None = None


Stages = Sequence[Sequence[Act]]


@dataclass(frozen=True, slots=True)
class Workload:
    """`cases(number)` is one case; `items` are what a case gets done, named `item`."""

    name: str
    item: str
    cases: Callable[[int], Stages]
    items: int = 1
    open_max: int = WINDOW  # cases under way


def preparation(now_ms: int) -> list[Act]:
    """What all workloads build on, in this order: data, a demand, grants, units to transfer."""
    source = resources.files("bench.contracts").joinpath("transfer.py").read_text("ascii")
    return [
        Act("operator", "contract", "deploy", ["transfer", source, encode_value([[]])], GAS_WHOLE),
        Act("consumer", "transfer", "faucet", []),
        *(act for supplier in SUPPLIERS for act in _catalogued(supplier)),
        Act("consumer", "demand", "file", [DEMAND, *WANTED, ["claims"], ""]),
        Act("operator", "demand", "prescreen", [DEMAND, True, "complete"]),
        Act("manager", "demand", "review", [DEMAND, True, "lawful", _datasets()]),
        Act("manager", "preapproval", "preapprove", _channel(now_ms)),
        *(_drawn(_grant_of(number), now_ms, TASK_USES) for number in range(TASK_GRANTS)),
    ]


def workloads(now_ms: int, chain_id: bytes) -> list[Workload]:
    """The reference first."""
    return [
        Workload("transfer", "transfers", _transfer),
        Workload("evidence", "records", _evidence),
        Workload("evidence batch", "records", _batch, items=BATCH_SIZE),
        Workload("grant", "grants", lambda number: _grant(number, now_ms, chain_id)),
        Workload(
            "grant by channel", "grants", lambda number: [[_drawn(f"drawn-{number}", now_ms, 1)]]
        ),
        Workload("task", "tasks", lambda number: _task(number, now_ms), open_max=TASKS_OPEN),
    ]


def _transfer(number: int) -> Stages:
    to = f"{number % 1000:040x}"
    return [[Act("consumer", "transfer", "transfer", [to, 1], GAS_SMALL)]]


def _evidence(number: int) -> Stages:
    name = f"bench-{number}"
    digest = number.to_bytes(32, "big")
    return [
        [Act("operator", "evidence", "record", [name, "development.process", name, digest, ""])]
    ]


def _batch(number: int) -> Stages:
    """One record for many digests, by the root over them."""
    name = f"batch-{number}"
    digests = [(number * BATCH_SIZE + place).to_bytes(32, "big") for place in range(BATCH_SIZE)]
    about: list[Value] = [name, "development.process", name, root_of(digests), BATCH_SIZE]
    return [[Act("operator", "evidence", "record_batch", [*about, "plain", "", ""])]]


def _task(number: int, now_ms: int) -> Stages:
    """A task of three suppliers, from its order to agreeing reports."""
    task = f"task-{number}"
    participants: list[Value] = [[supplier, _dataset(supplier)] for supplier in SUPPLIERS]
    program, key = bytes(PROGRAM_SIZE), bytes(range(64))
    deadline_ms = now_ms + 24 * HOUR_MS
    order: list[Value] = [task, _grant_of(number), ALGORITHM, program, participants, key]
    return [
        [Act("operator", "task", "create", [*order, deadline_ms, "", ""])],
        [Act(supplier, "task", "accept", _acceptance(task, supplier)) for supplier in SUPPLIERS],
        [Act(supplier, "task", "report", _report(task, supplier)) for supplier in SUPPLIERS],
    ]


def _acceptance(task: str, supplier: str) -> list[Value]:
    head = "-----BEGIN CERTIFICATE-----\n"
    certificate = head + "A" * (CERTIFICATE_SIZE - len(head))
    return [task, f"{supplier}.example:9700", certificate, _digest(supplier)]


def _report(task: str, supplier: str) -> list[Value]:
    share, transcript = bytes(SHARE_SIZE), _digest(task + supplier)
    return [task, _digest("program"), transcript, transcript, share, [120, 4096], PROTECTION]


def _catalogued(supplier: str) -> list[Act]:
    """From the draft into the catalogue."""
    schema: list[Value] = [["age", "integer", "in years"], ["claims", "decimal", "in yuan"]]
    text: list[Value] = [f"Claims of {supplier}", "by person and year", ["insurance"], schema]
    dataset = _dataset(supplier)
    rows: list[Value] = [6730, _digest(supplier), [["completeness", 1_000_000]]]
    return [
        Act(supplier, "catalog", "draft", [dataset, "", *text, "health insurance", 3, 90]),
        Act(supplier, "catalog", "collect", [dataset, *rows]),
        Act(supplier, "catalog", "register", [dataset]),
    ]


def _grant(number: int, now_ms: int, chain_id: bytes) -> Stages:
    """A grant from its request to the second signature over its terms."""
    terms = {**_terms(f"granted-{number}", now_ms), "channel_id": ""}
    digest = terms_digest({**terms, "consumer": "consumer", "operator": "operator"}, chain_id)
    name = terms["id"]
    return [
        [Act("operator", "grant", "request", [*terms.values()])],
        [Act("manager", "grant", "review", [name])],
        [Act("manager", "grant", "decide", [name, True, "lawful", digest])],
        [Act("operator", "grant", "accept", [name, digest])],
    ]


def _drawn(grant: str, now_ms: int, uses_max: int) -> Act:
    """A grant of the scenario that was approved before: in force at once."""
    terms = {**_terms(grant, now_ms), "uses_max": uses_max, "channel_id": CHANNEL}
    return Act("operator", "grant", "request", [*terms.values()])


def _terms(grant: str, now_ms: int) -> dict[Key, Value]:
    """The arguments of grant.request, in their order, but for the channel."""
    return {
        "id": grant,
        "demand_id": DEMAND,
        **_scope(),
        "from_ms": 0,
        "expires_ms": now_ms + 30 * DAY_MS,
        "uses_max": USES_MAX,
        "assurance": "none",
    }


def _channel(now_ms: int) -> list[Value]:
    scope, until_ms = _scope().values(), now_ms + 90 * DAY_MS
    return [CHANNEL, "operator", *scope, USES_MAX, "none", 60 * DAY_MS, until_ms]


def _scope() -> dict[Key, Value]:
    return {
        "scenario": "insurance pricing",
        "datasets": _datasets(),
        "algorithms": [ALGORITHM],
        "outputs": ["statistics"],
        "permissions": ["derive"],
        "prohibitions": ["distribute"],
        "duties": ["delete"],
    }


def _grant_of(task: int) -> str:
    return f"grant-{task % TASK_GRANTS}"


def _dataset(supplier: str) -> str:
    return f"{supplier}-claims"


def _datasets() -> list[Value]:
    return [_dataset(supplier) for supplier in SUPPLIERS]


def _digest(text: str) -> bytes:
    return sm3.digest(text.encode())
