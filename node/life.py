"""What a node tells its operator of the life of contracts: who freezes one wakes somebody (8.1.5e).

Every node says the same, from the blocks it stores: a warning in the log for each freeze, what
is frozen and how many steps there were on the metrics page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import structlog

from contracts.vm.code_records import (
    CODE,
    CONTRACT,
    EVENTS,
    FROZEN,
    NAMES_KEY,
    ContractRecord,
)
from contracts.vm.limits import STORED_VALUE_SIZE_MAX
from ledger.encoding import decode
from ledger.model import Event
from ledger.store import Store
from ledger.values import Value, decode_value

_STEPS = {event: step for step, event in EVENTS.items()}
_log = structlog.get_logger("node.life")


class LifeWatch:
    """Follows the steps of all contracts. The main task writes, other threads read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.frozen: frozenset[str] = frozenset(filter(self._is_frozen, self._names()))
        self._steps: Counter[str] = Counter()
        for name in sorted(self.frozen):
            self._warn(name)

    @property
    def steps(self) -> Mapping[str, int]:
        """How many of each step were taken since this node started; all of them are in it."""
        counted = self._steps.copy()
        return {step: counted[step] for step in EVENTS}

    def follow(self) -> None:
        """After every block, on the main task."""
        for receipt in self._store.receipts(self._store.height):
            for event in receipt.events:
                if event.contract == CONTRACT and event.name in _STEPS:
                    self._take(event)

    def _take(self, event: Event) -> None:
        told = {field: decode_value(value) for field, value in event.fields}
        step, name = _STEPS[event.name], str(told["name"])
        self._steps[step] += 1
        others = self.frozen - {name}
        self.frozen = others | {name} if self._is_frozen(name) else others
        if step == "freeze":
            self._warn(name, told)
        else:
            about = {field: told[field] for field in ("sequence", "status", "party", "reason")}
            _log.info("contract_step", step=step, contract=name, **about)

    def _warn(self, name: str, told: Mapping[str, Value] | None = None) -> None:
        said = told or {}
        _log.warning(
            "contract_frozen",
            contract=name,
            height=self._store.height,
            party=said.get("party", ""),
            reason=said.get("reason", "see `shuxin contract history`"),
            advice="operations.md, When a contract does wrong",
        )

    def _names(self) -> list[str]:
        raw = self._store.get(CODE, NAMES_KEY)
        names = [] if raw is None else decode_value(raw)
        assert isinstance(names, list)
        return [str(name) for name in names]

    def _is_frozen(self, name: str) -> bool:
        raw = self._store.get(CODE, name.encode())
        if raw is None:
            return False
        return decode(raw, ContractRecord, size_max=STORED_VALUE_SIZE_MAX).status == FROZEN
