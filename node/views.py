"""Contract views: run in a worker of their own against a snapshot, so that no reader can hold
up a block."""

from __future__ import annotations

import threading

from contracts.vm.host import ViewCall, ViewRefused, Worker, WorkerFault
from ledger.model import Query, address_of
from ledger.store import Store
from node import refusals
from node.api.backend import Viewed
from node.refusals import Refusal


class Views:
    """Thread safe; one view runs at a time, each bounded by gas and time."""

    def __init__(self, store: Store, worker: Worker) -> None:
        self._store = store
        self._worker = worker
        self._lock = threading.Lock()
        self._height = -1

    def view(self, query: Query) -> Viewed:
        """Raises Refusal with the contract's code and sentence."""
        with self._lock, self._store.snapshot() as snapshot:
            statement = snapshot.statement
            if statement.height != self._height:
                self._worker.reset_cache()
                self._height = statement.height
            call = ViewCall(
                sender=address_of(query.sender),
                contract=query.contract,
                method=query.method,
                args=query.args,
                height=statement.height,
                time_ms=statement.time_ms,
                chain_id=statement.chain_id,
            )
            try:
                result = self._worker.view(call, snapshot)
            except ViewRefused as refused:
                raise Refusal(refused.code, refused.detail) from None
            except WorkerFault:
                self._height = -1
                raise Refusal(
                    refusals.POOL_FULL, "the view engine was restarted: ask again"
                ) from None
            return Viewed(result.value, statement.height, result.gas_used)
