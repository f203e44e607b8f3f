"""The newest states of a ledger, kept readable and provable while blocks go on.

Each version is a LevelDB snapshot after one block and what its block changed in the stem of the
state tree, so that a proof can be made at any of them. One thread changes them; any thread reads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ledger.disk import Disk, Snapshot
from ledger.model import ExecutionStatement
from ledger.proof import StateKey, StateProof
from ledger.schema import PAGE, STATE, split_state_key, state_key
from ledger.state import StateTree
from ledger.stem import StemChange

# Kept at least, and by default: 1 MB each after a block of 1,000 writes. Blocks may be executed so
# far ahead of their certificates; the newest certified state must not be among what is dropped.
VERSIONS_MIN = 8
# What a node may be set to keep: 17 hours of an idle chain, 1 GB after full blocks.
PROVABLE_HEIGHTS_MAX = 1024


def scan_state(
    source: Disk | Snapshot, namespace: str, low: bytes, high: bytes, *, is_reverse: bool
) -> Iterator[tuple[bytes, bytes]]:
    """Keys of a namespace from `low` up to and without `high`, or down, with their values."""
    first, beyond = state_key(namespace, low), state_key(namespace, high)
    begin = len(first) - len(low)
    for stored, value in source.range(first, beyond, is_reverse=is_reverse):
        yield stored[begin:], value


class StateSnapshot:
    """The state after one block, unmoved by later commits. A StateReader."""

    def __init__(self, statement: ExecutionStatement, snapshot: Snapshot) -> None:
        self.statement = statement
        self._snapshot = snapshot

    def get(self, namespace: str, key: bytes) -> bytes | None:
        return self._snapshot.get(state_key(namespace, key))

    def scan(
        self, namespace: str, low: bytes, high: bytes, *, is_reverse: bool
    ) -> Iterator[tuple[bytes, bytes]]:
        """Like Store.scan, after this block."""
        return scan_state(self._snapshot, namespace, low, high, is_reverse=is_reverse)

    def items(self) -> Iterator[tuple[str, bytes, bytes]]:
        """Namespace, key and value of all that the state holds. Raises LedgerDamaged."""
        for stored, value in self._snapshot.scan(STATE):
            yield *split_state_key(stored), value

    def close(self) -> None:
        """Nothing to do: LevelDB lets go when the last holder does. For symmetry with files."""

    def __enter__(self) -> StateSnapshot:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """The state after the block of `statement`."""

    statement: ExecutionStatement
    snapshot: Snapshot
    change: StemChange | None  # from the version before; None for the first after opening

    @property
    def height(self) -> int:
        return self.statement.height


class Versions:
    """The newest states, up to a number of them."""

    def __init__(self, tree: StateTree) -> None:
        self._tree = tree
        self._lock = threading.Lock()  # the tree's accepted state and the versions move together
        self._kept: tuple[Version, ...] = ()
        self._count = VERSIONS_MIN

    @property
    def newest(self) -> Version:
        return self._kept[-1]

    @property
    def oldest(self) -> Version:
        return self._kept[0]

    def keep(self, count: int) -> None:
        """From now on keep the newest `count`."""
        self._count = count

    def begin(self, version: Version) -> None:
        """The only one there is after opening."""
        self._kept = (version,)

    def append(self, statement: ExecutionStatement, disk: Disk) -> None:
        """Accept what the tree has staged, which `disk` holds by now, as the newest version."""
        with self._lock:
            change = self._tree.accept()
            version = Version(statement, disk.snapshot(), change)
            self._kept = (*self._kept, version)[-self._count :]

    def certified(self, certified_height: int, height: int = 0) -> Version | None:
        """The one of `height`, or (0) the newest, that is certified."""
        found = [
            kept
            for kept in self._kept
            if kept.height <= certified_height and height in (0, kept.height)
        ]
        return found[-1] if found else None

    def readable(self, certified_height: int) -> Version:
        """The newest certified one, or right after opening the newest, while it is not yet."""
        return self.certified(certified_height) or self._kept[0]

    def prove(
        self, keys: Sequence[StateKey], choose: Callable[[], Version | None]
    ) -> tuple[list[StateProof], ExecutionStatement] | None:
        """The proofs of the keys' values or absence at the version that `choose` finds, if any."""
        with self._lock:
            version = choose()
            if version is None:
                return None
            kept = self._kept
            later = kept[kept.index(version) + 1 :]
            changes = [newer.change for newer in later if newer.change is not None]
            proofs = [self._prove(key, version.snapshot, changes) for key in keys]
            return proofs, version.statement

    def _prove(self, key: StateKey, snapshot: Snapshot, later: Sequence[StemChange]) -> StateProof:
        value = snapshot.get(state_key(*key))
        return self._tree.prove(*key, value, lambda name: snapshot.get(PAGE + name), later)
