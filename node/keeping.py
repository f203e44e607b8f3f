"""What looks after the ledger beside consensus: history, archives, snapshots, patrol, and the door
of the operator. None of it decides anything, and all of it may lag.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from crypto.provider import CryptoProvider
from ledger.base import base_max
from ledger.encoding import encode
from ledger.findings import Findings
from ledger.history.database import History
from ledger.store import Store
from node.announce import Announcer
from node.archivist import Archivist
from node.backup.door import Door
from node.bootstrap import LEDGER
from node.config import NodeConfig
from node.growth import GrowthWatch
from node.halt import HaltSwitch
from node.history import Follower, history_of
from node.ledgers import JOURNAL
from node.links import Links
from node.patrol import Patrol
from node.statesync.keeper import Keeper
from node.statesync.serve import SnapshotDesk


class Keeping:
    """Owns these parts; main task only, but for what their own threads do."""

    def __init__(
        self,
        config: NodeConfig,
        store: Store,
        provider: CryptoProvider,
        network: Links,
        switch: HaltSwitch,
        announcer: Announcer,
        *,
        on_damage: Callable[[Findings], None],
        check_readable: Callable[[], None],
    ) -> None:
        """Raises LedgerDamaged, OSError."""
        self._store = store
        self._renews_snapshots = config.snapshots_every > 0
        self.follower = _follower(config, store, announcer)
        self.keeper = Keeper(config.data_dir, store, config.snapshots_every)
        self._archivist = Archivist(
            store,
            provider,
            config.keep,
            may_prune=lambda: not switch.is_halted,
            needed_from=self._needed_from,
        )
        self.growth = GrowthWatch(
            store,
            self._archivist,
            ledger=config.data_dir / LEDGER,
            journal=config.data_dir / JOURNAL,
        )
        self.patrol = Patrol(
            store,
            config.data_dir,
            provider.verify_batch,
            hours=config.scrub_hours,
            name=config.name,
            on_damage=on_damage,
        )
        self._desk = SnapshotDesk(store, network, self.keeper)
        self._door = Door(
            config.data_dir, store, provider, check_readable, self._scrub, self.keeper
        )

    @property
    def history(self) -> History | None:
        return None if self.follower is None else self.follower.history

    async def start(self, nursery: trio.Nursery) -> None:
        """From now on, until the nursery ends."""
        nursery.start_soon(self.keeper.run)
        nursery.start_soon(self._desk.run)
        nursery.start_soon(self._archivist.run)
        await nursery.start(self._door.run)
        if self.follower is not None:
            self.follower.start()
        nursery.start_soon(self.patrol.run)

    def close(self) -> None:
        """After the nursery has ended."""
        self.keeper.close()
        if self.follower is not None:
            self.follower.close()

    def _needed_from(self) -> int | None:
        """The lowest height that the history has not read, or that who joins by the oldest
        snapshot would ask for.

        Where none are made regularly, one ordered once must not stop pruning for ever.
        """
        needed: list[int] = []
        if self.follower is not None and self.follower.needed_from is not None:
            needed.append(self.follower.needed_from)
        if self._renews_snapshots and self.keeper.kept:
            oldest = self.keeper.kept[0].manifest.height
            needed.append(base_max(oldest, self._store.genesis.limits))
        return min(needed, default=None)

    def _scrub(self, is_new: bool) -> bytes:
        return encode(self.patrol.ask() if is_new else self.patrol.state)


def _follower(config: NodeConfig, store: Store, announcer: Announcer) -> Follower | None:
    history = history_of(config.data_dir, store) if config.has_history else None
    if history is None:
        return None
    return Follower(history, store, announcer, keep_blocks=config.history_keep_blocks)
