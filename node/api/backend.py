"""What the client interface needs from the node, and nothing more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from crypto.provider import CryptoProvider
from ledger.genesis import Genesis
from ledger.history.database import History
from ledger.model import Query
from ledger.store import Store
from node.announce import Announcer
from node.growth import Growth
from node.intake import Rules
from node.mempool import Admitted


@dataclass(frozen=True, slots=True)
class PeerState:
    name: str
    peer_id: str
    connected: bool


@dataclass(frozen=True, slots=True)
class EngineState:
    """The engine that runs the contracts, and the next one that is decided on."""

    vm_version: str
    next_vm_version: str  # "": no change is decided on
    next_height: int  # its first; 0: none
    missing_height: int  # the first that this release cannot run; 0: none that is decided on


@dataclass(frozen=True, slots=True)
class Situation:
    """Where the node stands.

    `phase` is ordering, view_change, catching_up, observing, repairing or halted; `index` None:
    an observer.
    """

    name: str
    index: int | None
    epoch: int  # the height above which the committee in office orders
    members: int  # of it
    view: int
    primary: int
    phase: str
    mempool_transactions: int
    peers: tuple[PeerState, ...]
    resident_bytes: int
    engine: EngineState
    jail: tuple[str, ...]  # layers around the contract workers
    is_jailed: bool  # all that are required hold
    growth: Growth


@dataclass(frozen=True, slots=True)
class Viewed:
    value: bytes
    height: int
    gas_used: int


class Backend(Protocol):
    """Thread safe: called from gRPC's threads."""

    @property
    def store(self) -> Store: ...

    @property
    def genesis(self) -> Genesis: ...

    @property
    def rules(self) -> Rules: ...

    @property
    def provider(self) -> CryptoProvider: ...

    @property
    def announcer(self) -> Announcer: ...

    @property
    def threads(self) -> int:
        """That answer calls, beside one for each event stream."""
        ...

    @property
    def subscribers_max(self) -> int: ...

    @property
    def history(self) -> History | None:
        """None: this node keeps none."""
        ...

    def check_open(self) -> None:
        """Whether the node still orders transactions. Raises Refusal: halted or stopping."""
        ...

    def check_readable(self) -> None:
        """Whether the ledger may be read. Raises Refusal: its state contradicts a quorum's."""
        ...

    def hold(self, items: Sequence[Admitted]) -> list[bool]:
        """Put verified transactions into the pool; False where there was no room.

        Raises Refusal when the node is halted or stopping.
        """
        ...

    def is_held(self, transaction_id: bytes) -> bool:
        """Whether the pool holds it (a hint: the pool moves on)."""
        ...

    def has_expired(self, transaction_id: bytes) -> bool:
        """Whether the pool held it until no block could include it any more."""
        ...

    def view(self, query: Query) -> Viewed:
        """Run a view against the last certified state. Raises Refusal."""
        ...

    def situation(self) -> Situation: ...
