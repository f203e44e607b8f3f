"""The serial queue of everything that changes the ledger: one height after the other.

Delivered proposals, blocks from sync and certificates all pass through here and are worked on
by one thread at a time, which is why the store needs no writer lock and sync cannot race with
delivery. What cannot be executed or stored halts the node: it must not skip a height.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, TypeVarTuple

import structlog
import trio

from consensus.pbft.types import Deliver, Executed, HaltKind
from contracts.vm.engines import EngineFault
from contracts.vm.host import WorkerFault
from crypto.provider import CryptoProvider
from ledger.certificates import verify_execution_certificate
from ledger.errors import BlockInvalid, CertificateInvalid, LedgerDamaged, LedgerError
from ledger.model import (
    Block,
    ExecutionCertificate,
    Transaction,
    transaction_id,
)
from ledger.store import Store
from node.announce import Announcer
from node.execute import ChainRules, Diverged, Executor, vouched
from node.halt import HaltSwitch
from node.mempool import Admitted, IsInFlight, Mempool
from node.peer_messages import Bundle
from node.tally import Tally

# Work that may wait: deliveries of a window (at most 64) and the certificates of a few windows.
QUEUE_MAX = 1024
# Pauses after faults of the contract engine, which has restarted itself once before each. What
# half a minute does not heal (memory freed, a process limit raised) needs an operator.
ENGINE_PAUSES_S = (1.0, 5.0, 20.0)

Arguments = TypeVarTuple("Arguments")
T = TypeVar("T")

_log = structlog.get_logger("node.execution")


@dataclass(frozen=True, slots=True)
class _Delivery:
    effect: Deliver
    bodies: Mapping[bytes, Transaction]


@dataclass(slots=True, eq=False)
class _Request:
    """What sync brought, and its fate."""

    bundles: Sequence[Bundle] = ()  # blocks that follow the head
    certificates: Sequence[ExecutionCertificate] = ()  # of blocks that are here
    done: trio.Event = field(default_factory=trio.Event)
    error: BlockInvalid | CertificateInvalid | None = None


_Work = _Delivery | ExecutionCertificate | _Request


class ExecutionQueue:
    """Main task feeds it; `run` works it off on a thread. Once halted it takes and does nothing."""

    def __init__(
        self,
        *,
        executor: Executor,
        store: Store,
        pool: Mempool,
        announcer: Announcer,
        provider: CryptoProvider,
        rules: ChainRules,
        switch: HaltSwitch,
    ) -> None:
        self._executor = executor
        self._store = store
        self._pool = pool
        self._announcer = announcer
        self._provider = provider
        self._rules = rules
        self._switch = switch
        self._work_in, self._work = trio.open_memory_channel[_Work](QUEUE_MAX)
        self._busy = 0
        self._idle = trio.Event()
        self._idle.set()
        self.on_executed: Callable[[Executed], Awaitable[None]] | None = None
        self.on_block: Callable[[], None] = lambda: None
        self.tally = Tally()
        self.is_in_flight: IsInFlight = lambda transaction: False
        # Makes the question whether what waits in the pool still fits the chain's limits.
        self.judge: Callable[[], Callable[[Admitted], bool]] = lambda: lambda item: True

    # --- feeding (main task) ----------------------------------------------------------------

    def deliver(self, effect: Deliver) -> None:
        """Bodies are taken now: what the pool does later must not matter."""
        self._put(_Delivery(effect, self._pool.bodies(effect.proposal.transaction_ids)))

    def certify(self, certificate: ExecutionCertificate) -> None:
        self._put(certificate)

    async def install(self, bundles: Sequence[Bundle]) -> None:
        """Take over a run of blocks from a peer, as far as it is proved.

        Raises BlockInvalid or CertificateInvalid where it does not hold; what came before that
        is installed.
        """
        await self._request(_Request(bundles=bundles))

    async def confirm(self, certificates: Sequence[ExecutionCertificate]) -> None:
        """Store execution certificates from a peer. Raises CertificateInvalid."""
        await self._request(_Request(certificates=certificates))

    async def drained(self) -> None:
        """When nothing waits and nothing runs."""
        await self._idle.wait()

    @property
    def is_halted(self) -> bool:
        return self._switch.is_halted

    async def _request(self, request: _Request) -> None:
        if self.is_halted:
            return
        self._put(request)
        await request.done.wait()
        if request.error is not None:
            raise request.error

    def _put(self, work: _Work) -> None:
        if self.is_halted:
            return
        if not self._busy:
            self._idle = trio.Event()
        self._busy += 1
        self._work_in.send_nowait(work)

    # --- working ----------------------------------------------------------------------------

    async def run(self) -> None:
        """Work for ever; after a halt only empty the queue."""
        async for work in self._work:
            try:
                if not self.is_halted:
                    await self._one(work)
            except Diverged as found:
                reason = f"execution stopped: {found}"
                self._switch.halt(reason, found.evidence, kind=HaltKind.DIVERGED)
            except LedgerDamaged as damage:
                self._switch.halt(f"execution stopped: {damage}", kind=HaltKind.DAMAGED)
            except (EngineFault, WorkerFault, LedgerError, OSError) as error:
                self._switch.halt(f"execution stopped: {error}")
            finally:
                if isinstance(work, _Request):
                    work.done.set()
                self._busy -= 1
                if not self._busy:
                    self._idle.set()

    async def _one(self, work: _Work) -> None:
        if isinstance(work, _Delivery):
            await self._run_delivery(work)
        elif isinstance(work, ExecutionCertificate):
            await trio.to_thread.run_sync(self._certify, work)
            self._announcer.announce(self._store.certified_height)
        else:
            try:
                await self._run_request(work)
            except (BlockInvalid, CertificateInvalid) as error:
                work.error = error

    async def _run_delivery(self, work: _Delivery) -> None:
        effect, began_s = work.effect, self.tally.now()
        block, statement = await self._patiently(
            self._executor.deliver, effect.proposal, effect.certificate, work.bodies
        )
        self._settle(block, began_s)
        assert self.on_executed is not None, "wired before run"
        epochs = self._store.epochs
        last = epochs.last_of(epochs.at(statement.height))
        await self.on_executed(Executed(statement, last))

    async def _run_request(self, request: _Request) -> None:
        hashes = await trio.to_thread.run_sync(self._vouched, request.bundles)
        for bundle, vouched_hash in zip(request.bundles, hashes, strict=False):
            began_s = self.tally.now()
            await self._patiently(self._install, bundle, vouched_hash)
            self._settle(bundle.block, began_s)
            self._announcer.announce(self._store.certified_height)
        for certificate in request.certificates:
            await trio.to_thread.run_sync(self._confirm, certificate)
            self._announcer.announce(self._store.certified_height)

    async def _patiently(self, function: Callable[[*Arguments], T], *args: *Arguments) -> T:
        """`function` on the thread, again after pauses while the engine fails."""
        for pause_s in ENGINE_PAUSES_S:
            try:
                return await trio.to_thread.run_sync(function, *args)
            except WorkerFault as fault:
                _log.error("engine_fault", reason=str(fault), again_in_s=pause_s)
            await trio.sleep(pause_s)
        return await trio.to_thread.run_sync(function, *args)

    # --- on the thread ----------------------------------------------------------------------

    def _vouched(self, bundles: Sequence[Bundle]) -> list[bytes]:
        headers = [bundle.block.header for bundle in bundles]
        heights = [header.height for header in headers]
        first = self._store.height + 1
        if heights != list(range(first, first + len(heights))):
            raise BlockInvalid(f"blocks {heights[:3]}… do not follow the head {first - 1}")
        # What this run may decide begins above a window: the committees up to there are known.
        known = self._rules.founded.watermark_window + 1
        certificates = [bundle.execution_certificate for bundle in bundles[:known]]
        return vouched(
            headers[:known],
            certificates,
            self._store.epochs,
            self._provider.verify_batch,
        )

    def _install(self, bundle: Bundle, vouched_hash: bytes) -> None:
        """Check, execute, compare with the quorum's outcome if it is known, store."""
        height = bundle.block.header.height
        certificate = bundle.execution_certificate
        self._executor.check_synced(
            bundle.block, bundle.commit_certificate, vouched_hash, self._provider
        )
        if certificate is not None:
            self._verify(certificate)
            if certificate.statement.height != height:
                raise BlockInvalid(f"block {height}: its certificate is for another height")
        self._executor.apply(bundle.block, bundle.commit_certificate, certificate)
        if certificate is not None:
            self._store.certify(certificate)

    def _confirm(self, certificate: ExecutionCertificate) -> None:
        height = certificate.statement.height
        if not self._store.certified_height < height <= self._store.height:
            return  # known, or for a block that is not here
        self._verify(certificate)
        self._certify(certificate)

    def _certify(self, certificate: ExecutionCertificate) -> None:
        own = self._store.statement(certificate.statement.height)
        if certificate.statement != own:
            raise Diverged(own, certificate, None)
        self._store.certify(certificate)

    def _verify(self, certificate: ExecutionCertificate) -> None:
        epoch = self._store.epochs.at(certificate.statement.height)
        verify_execution_certificate(
            certificate, epoch.validators, epoch.domain, self._provider.verify_batch
        )

    # --- main task --------------------------------------------------------------------------

    def _settle(self, block: Block, began_s: float) -> None:
        """The pool lets go of what the block includes or made impossible."""
        included = [transaction_id(transaction) for transaction in block.transactions]
        known = [i for i in block.dropped if self._store.find_transaction(i) is not None]
        self.tally.block(len(included), began_s=began_s)
        self._pool.include([*included, *known])
        self._pool.expire(block.header.height, self.is_in_flight, self.judge())
        self.on_block()
        _log.info(
            "block",
            height=block.header.height,
            transactions=len(block.transactions),
            pool=len(self._pool),
        )
