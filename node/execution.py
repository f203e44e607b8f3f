"""The serial queue of everything that changes the ledger: one height after the other.

Delivered proposals, blocks from sync and certificates all pass through here and are worked on
by one thread at a time, which is why the store needs no writer lock and sync cannot race with
delivery.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
import trio

from consensus.pbft.types import Deliver, Executed
from crypto.provider import CryptoProvider
from ledger.certificates import verify_execution_certificate
from ledger.errors import LedgerError
from ledger.model import (
    Block,
    ExecutionCertificate,
    ExecutionStatement,
    ValidatorSet,
    transaction_id,
)
from ledger.store import Store
from node.announce import Announcer
from node.execute import Diverged, Executor
from node.mempool import IsInFlight, Mempool
from node.peer_messages import Bundle

QUEUE_MAX = 256  # the watermark window bounds what can be delivered and not executed

_log = structlog.get_logger("node.execution")


class _Install:
    """A bundle and its fate."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.done = trio.Event()
        self.error: Exception | None = None


class ExecutionQueue:
    """Main task feeds it; `run` works it off on a thread."""

    def __init__(
        self,
        *,
        executor: Executor,
        store: Store,
        pool: Mempool,
        announcer: Announcer,
        provider: CryptoProvider,
        validators: ValidatorSet,
        chain_id: bytes,
    ) -> None:
        self._executor = executor
        self._store = store
        self._pool = pool
        self._announcer = announcer
        self._provider = provider
        self._validators = validators
        self._chain_id = chain_id
        self._work_in, self._work = trio.open_memory_channel[
            Deliver | ExecutionCertificate | _Install
        ](QUEUE_MAX)
        self._busy = 0
        self._idle = trio.Event()
        self._idle.set()
        self.on_executed: Callable[[Executed], Awaitable[None]] | None = None
        self.is_in_flight: IsInFlight = lambda transaction: False

    # --- feeding (main task) ----------------------------------------------------------------

    def deliver(self, effect: Deliver) -> None:
        self._put(effect)

    def certify(self, certificate: ExecutionCertificate) -> None:
        self._put(certificate)

    async def install(self, bundle: Bundle) -> None:
        """Take over a block from a peer. Raises LedgerError when it does not hold."""
        job = _Install(bundle)
        self._put(job)
        await job.done.wait()
        if job.error is not None:
            raise job.error

    async def drained(self) -> None:
        """When nothing waits and nothing runs."""
        await self._idle.wait()

    def _put(self, work: Deliver | ExecutionCertificate | _Install) -> None:
        if not self._busy:
            self._idle = trio.Event()
        self._busy += 1
        self._work_in.send_nowait(work)

    # --- working ----------------------------------------------------------------------------

    async def run(self) -> None:
        async for work in self._work:
            try:
                await self._one(work)
            finally:
                self._busy -= 1
                if not self._busy:
                    self._idle.set()

    async def _one(self, work: Deliver | ExecutionCertificate | _Install) -> None:
        if isinstance(work, Deliver):
            await self._run_delivery(work)
        elif isinstance(work, ExecutionCertificate):
            await trio.to_thread.run_sync(self._store.certify, work)
            self._announcer.announce(self._store.certified_height)
        else:
            await self._run_install(work)

    async def _run_delivery(self, work: Deliver) -> None:
        bodies = self._pool.bodies(work.proposal.transaction_ids)
        block, statement = await trio.to_thread.run_sync(
            self._executor.deliver, work.proposal, work.certificate, bodies
        )
        self._settle(block)
        assert self.on_executed is not None, "wired before run"
        await self.on_executed(Executed(statement))

    async def _run_install(self, job: _Install) -> None:
        try:
            await trio.to_thread.run_sync(self._install, job.bundle)
        except LedgerError as error:
            job.error = error
        else:
            self._settle(job.bundle.block)
            self._announcer.announce(self._store.certified_height)
        finally:
            job.done.set()

    def _install(self, bundle: Bundle) -> None:
        """On the thread: check, execute if it is new, compare with the quorum's outcome."""
        height = bundle.block.header.height
        certificate = bundle.execution_certificate
        if certificate is None:
            return  # not certified yet: ordinary consensus will bring it
        if height == self._store.height + 1:
            self._executor.check_synced(
                bundle.block, bundle.commit_certificate, certificate, self._provider
            )
            statement = self._executor.apply(bundle.block, bundle.commit_certificate)
        elif height <= self._store.height:
            statement = self._store.statement(height)
        else:
            return  # a gap: what is missing is asked for first
        if height > self._store.certified_height:
            self._check_outcome(certificate, statement)
            self._store.certify(certificate)

    def _check_outcome(
        self, certificate: ExecutionCertificate, statement: ExecutionStatement
    ) -> None:
        verify_execution_certificate(
            certificate, self._validators, self._chain_id, self._provider.verify_batch
        )
        if certificate.statement != statement:
            raise Diverged(
                f"height {statement.height}: this node's outcome has state root "
                f"{statement.state_root.hex()}, a quorum signed "
                f"{certificate.statement.state_root.hex()}; keep the data directory for "
                "examination and let the node rejoin with an empty one"
            )

    def _settle(self, block: Block) -> None:
        """The pool lets go of what the block includes or made impossible."""
        included = [transaction_id(transaction) for transaction in block.transactions]
        known = [i for i in block.dropped if self._store.find_transaction(i) is not None]
        self._pool.include([*included, *known])
        self._pool.expire(block.header.height, self.is_in_flight)
        _log.info(
            "block",
            height=block.header.height,
            transactions=len(block.transactions),
            pool=len(self._pool),
        )
