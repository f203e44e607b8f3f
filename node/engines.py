"""What a node knows of the engines of its chain: which one runs, which one comes, and whether
this release has it. Where it has not, the operator hears of it a window ahead at the least."""

from __future__ import annotations

import structlog

from contracts.vm import engines
from contracts.vm.engine_schedule import (
    EngineSchedule,
    ScheduleDamaged,
    engine_at,
    schedule_of,
)
from ledger.errors import REMEDY, LedgerDamaged
from ledger.genesis import Genesis
from ledger.store import Store
from node.api.backend import EngineState

_log = structlog.get_logger("node.engines")


def check_engine(store: Store, genesis: Genesis) -> None:
    """Whether this release can run and read the chain where the ledger stands.

    Raises EngineUnknown; LedgerDamaged for a schedule that is not that of the genesis.
    """
    try:
        first = schedule_of(store).terms[0].vm_version
        engine_at(store, store.height)
    except ScheduleDamaged as error:
        raise LedgerDamaged(str(error), height=store.height) from None
    if first != genesis.vm_version:
        raise LedgerDamaged(
            f"the state begins under {first}, the genesis names {genesis.vm_version}; {REMEDY}",
            height=store.height,
        )


class EngineWatch:
    """Follows the schedule block by block; says in the log what an operator has to know."""

    def __init__(self, store: Store) -> None:
        """Raises ScheduleDamaged."""
        self._store = store
        self._schedule = schedule_of(store)
        self._running = self._schedule.at(store.height).vm_version
        _log.info("engine_in_force", vm_version=self._running, has=list(engines.ENGINES))
        self._tell()

    @property
    def state(self) -> EngineState:
        """Thread safe."""
        schedule, height = self._schedule, self._store.height
        missing = self._missing(schedule, height)
        coming = schedule.after(height)
        return EngineState(
            vm_version=schedule.at(height).vm_version,
            next_vm_version=coming[0].vm_version if coming else "",
            next_height=coming[0].from_height if coming else 0,
            missing_height=missing,
        )

    def follow(self) -> None:
        """After every block, on the main task. Raises ScheduleDamaged."""
        schedule = schedule_of(self._store)
        if schedule != self._schedule:
            self._schedule = schedule
            self._tell()
        running = schedule.at(self._store.height).vm_version
        if running != self._running:
            self._running = running
            _log.info("engine_changed", vm_version=running, height=self._store.height)

    def _tell(self) -> None:
        height = self._store.height
        for term in self._schedule.after(height):
            _log.info("engine_scheduled", vm_version=term.vm_version, height=term.from_height)
        missing = self._missing(self._schedule, height)
        if missing:
            _log.error(
                "engine_missing",
                vm_version=self._schedule.at(missing).vm_version,
                height=missing,
                blocks_left=missing - height,
                advice="install a release that has it before this height; this node halts there",
            )

    @staticmethod
    def _missing(schedule: EngineSchedule, height: int) -> int:
        """The first height that this release cannot run; 0: none that is decided on."""
        for term in schedule.after(height):
            if term.vm_version not in engines.ENGINES:
                return term.from_height
        return 0
