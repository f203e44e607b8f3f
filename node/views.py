"""Contract views: run in a worker of their own against a snapshot, so that no reader can hold
up a block."""

from __future__ import annotations

import threading

from contracts.vm.codes import ADVICE, ViewRefused
from contracts.vm.host import WorkerFault
from contracts.vm.messages import BlockContext
from ledger.model import Query, address_of
from ledger.store import Store
from node import refusals
from node.api.backend import Viewed
from node.execute import Engine
from node.refusals import Refusal

# A view takes milliseconds. Behind one that takes seconds the threads of the client interface
# must not all pile up: who waits longer than this is told to come back.
TURN_PATIENCE_S = 3.0


class Views:
    """Thread safe; one view runs at a time, each bounded by gas and time."""

    def __init__(
        self, store: Store, engine: Engine, *, patience_s: float = TURN_PATIENCE_S
    ) -> None:
        self._store = store
        self._engine = engine
        self._patience_s = patience_s
        self._turn = threading.Lock()

    def view(self, query: Query) -> Viewed:
        """Raises Refusal with the contract's code and sentence."""
        if not self._turn.acquire(timeout=self._patience_s):
            raise Refusal(refusals.POOL_FULL, "too many views are asked for: ask again")
        try:
            return self._view(query)
        finally:
            self._turn.release()

    def _view(self, query: Query) -> Viewed:
        with self._store.snapshot() as snapshot:
            statement = snapshot.statement
            block = BlockContext(self._store.chain_id, statement.height, statement.time_ms)
            try:
                result = self._engine.view(
                    block,
                    sender=address_of(query.sender),
                    contract=query.contract,
                    method=query.method,
                    args=query.args,
                    reader=snapshot,
                )
            except ViewRefused as refused:
                detail = refused.detail or ADVICE[refused.status]
                raise Refusal(refused.code, detail) from None
            except WorkerFault:
                raise Refusal(
                    refusals.POOL_FULL, "the view engine was restarted: ask again"
                ) from None
            return Viewed(result.value, statement.height, result.gas_used)
