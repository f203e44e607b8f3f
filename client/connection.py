"""What a session speaks through: one node, or several that stand in for each other."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from types import TracebackType
from typing import Protocol, Self

from client.account import Account
from client.node import BlockView, ChainEvent, Outcome, StatesProven, StateValue, Verdict
from client.status import NodeStatus
from ledger.genesis import Genesis
from ledger.history.pages import WHOLE, AccountEntry, KeyChange, Page, Span, SubjectEntry
from ledger.model import Transaction
from ledger.proof import StateKey
from ledger.succession import CommitteeChange
from ledger.values import Value


class Connection(Protocol):
    """The node's interface as typed calls. `NodeClient` and `Cluster` have it.

    Every call raises Refused or NodeUnavailable, nothing else (but ValueError for arguments that
    are no contract values). Thread safe.
    """

    @property
    def target(self) -> str:
        """host:port of the node, or of all nodes, separated by commas."""
        ...

    @property
    def chain_id(self) -> bytes: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def close(self) -> None: ...

    def status(self) -> NodeStatus: ...

    def genesis(self) -> Genesis: ...

    def committee_changes(self, above: int = 0) -> tuple[CommitteeChange, ...]: ...

    def submit(self, transaction: Transaction) -> bytes: ...

    def submit_batch(self, transactions: Sequence[Transaction]) -> list[Verdict]: ...

    def submit_encoded(self, transactions: Sequence[bytes]) -> list[Verdict]: ...

    def wait(self, wanted: bytes, *, timeout_s: float = 30.0, proof: bool = False) -> Outcome: ...

    def transaction(self, wanted: bytes, *, proof: bool = True) -> Outcome: ...

    def view(self, account: Account, contract: str, method: str, *args: Value) -> Value: ...

    def block(self, height: int) -> BlockView: ...

    def state(self, namespace: str, key: bytes, *, height: int = 0) -> StateValue: ...

    def states(self, keys: Sequence[StateKey], *, height: int = 0) -> StatesProven: ...

    def key_history(self, namespace: str, key: bytes, span: Span = WHOLE) -> Page[KeyChange]: ...

    def account_history(self, address: str, span: Span = WHOLE) -> Page[AccountEntry]: ...

    def subject_history(
        self, subject: str | bytes, span: Span = WHOLE, *, contract: str = "", field: str = ""
    ) -> Page[SubjectEntry]: ...

    def events(
        self, *, from_height: int = 0, from_index: int = 0, contract: str = "", name: str = ""
    ) -> Generator[ChainEvent, None, None]: ...
