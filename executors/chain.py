"""The chain as an executor sees it: tasks to read, words to say, events to follow.

What comes from a node is checked for form here and nowhere else. The executor trusts its node to
be its own party's; what it must not trust, the other parties, it checks in the engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeVar

import msgspec

from client.errors import Refused
from client.node import ChainEvent
from client.session import Session
from executors.engine import Participant, TaskOrder
from executors.errors import TaskRefused
from ledger.values import Value

CONTRACT = "task"
PAGE = 50  # tasks per answer; the contract's limit

# Refusals that say "not now": the same call may succeed later.
TRANSIENT = frozenset(
    {
        "receipt.pending",
        "transaction.expired",
        "node.busy",
        "node.quota",
        "access.busy",
        "access.log",
        "node.halted",
        "node.repairing",
        "node.stopping",
        "node.behind",
        "node.subscribers",
        "query.time",
    }
)

R = TypeVar("R")


class Chain(Protocol):
    """A party's way to the chain. Every method raises Refused or NodeUnavailable."""

    @property
    def address(self) -> str:
        """The account that speaks."""
        ...

    def call(self, contract: str, method: str, *args: Value) -> None:
        """Returns when the call is final."""
        ...

    def view(self, contract: str, method: str, *args: Value) -> Value: ...

    def events(self, *, from_height: int, from_index: int) -> Iterator[ChainEvent]:
        """The task contract's events after a cursor, for ever; heartbeats have no name."""
        ...

    def close(self) -> None:
        """Ends `events` in other threads."""
        ...


class NodeChain:
    """The Chain behind a node, or behind several that stand in for each other."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def address(self) -> str:
        return self._session.account.address

    def call(self, contract: str, method: str, *args: Value) -> None:
        self._session.call(contract, method, *args)

    def view(self, contract: str, method: str, *args: Value) -> Value:
        return self._session.view(contract, method, *args)

    def events(self, *, from_height: int, from_index: int) -> Iterator[ChainEvent]:
        return self._session.node.events(
            from_height=from_height, from_index=from_index, contract=CONTRACT
        )

    def close(self) -> None:
        self._session.node.close()


class TaskText(msgspec.Struct, frozen=True):
    """The task contract's record of a task; fields that an executor does not need are left out."""

    id: str
    grant_id: str
    operator: str
    algorithm: str
    participants: list[tuple[str, str]]
    receiver_key: bytes
    deadline_ms: int
    status: str


class AcceptanceText(msgspec.Struct, frozen=True):
    party: str
    endpoint: str
    certificate: str
    data_commitment: bytes
    accepted_ms: int


class ReportText(msgspec.Struct, frozen=True):
    party: str


class TaskFileText(msgspec.Struct, frozen=True):
    """A task with its program and what was said so far."""

    task: TaskText
    program: bytes
    acceptances: list[AcceptanceText]
    reports: list[ReportText]


class GrantText(msgspec.Struct, frozen=True):
    """The grant contract's record, as far as it binds an executor."""

    operator: str
    datasets: list[str]
    algorithms: list[str]
    outputs: list[str]
    assurance: str  # the least
    status: str


class BuildText(msgspec.Struct, frozen=True):
    digest: bytes


class AlgorithmText(msgspec.Struct, frozen=True):
    """The algorithm contract's record, as far as it binds an executor."""

    status: str
    current: BuildText | None
    previous: BuildText | None

    @property
    def digests(self) -> frozenset[bytes]:
        """Of the images that may run: the newest, and the one that it follows."""
        return frozenset(build.digest for build in (self.current, self.previous) if build)


def read_task(value: Value) -> TaskOrder:
    """The order in an answer of task.show. Raises TaskRefused."""
    file = _converted(value, TaskFileText)
    said = {acceptance.party: acceptance for acceptance in file.acceptances}
    return TaskOrder(
        task_id=file.task.id,
        grant_id=file.task.grant_id,
        operator=file.task.operator,
        algorithm=file.task.algorithm,
        program=file.program,
        participants=tuple(
            _participant(party, dataset_id, said.get(party))
            for party, dataset_id in file.task.participants
        ),
        receiver_key=file.task.receiver_key,
        deadline_ms=file.task.deadline_ms,
        status=file.task.status,
        reporters=frozenset(report.party for report in file.reports),
        ready_ms=max((acceptance.accepted_ms for acceptance in file.acceptances), default=0),
    )


def read_open_tasks(value: Value) -> list[TaskText]:
    """The tasks in an answer of task.open_for. Raises TaskRefused."""
    return _converted(value, list[TaskText])


def read_grant(value: Value) -> GrantText:
    """The grant in an answer of grant.show. Raises TaskRefused."""
    return _converted(value, GrantText)


def read_algorithm(value: Value) -> AlgorithmText:
    """The algorithm in an answer of algorithm.show. Raises TaskRefused."""
    return _converted(value, AlgorithmText)


def is_transient(refusal: Refused) -> bool:
    return refusal.code in TRANSIENT


def contract_code(refusal: Refused) -> str:
    """The contract's own code, such as task.accepted, if it was a contract that refused."""
    return refusal.detail.partition(":")[0] if refusal.code == "refused" else refusal.code


def _participant(party: str, dataset_id: str, said: AcceptanceText | None) -> Participant:
    if said is None:
        return Participant(party, dataset_id)
    return Participant(party, dataset_id, said.endpoint, said.certificate, said.data_commitment)


def _converted(value: Value, kind: type[R]) -> R:
    try:
        return msgspec.convert(value, kind, builtin_types=(bytes,))
    except msgspec.ValidationError as error:
        raise TaskRefused(f"the node's answer has another form than expected: {error}") from None
