"""Repair of a ledger that is damaged, or whose state is not the quorum's (a flipped bit in memory,
a fault since mended): it is rebuilt from the genesis out of its own blocks, as far as a quorum
proves them. For a node that does not run: node.mend.

The order to repair is kept in the ledger that it condemns, so that a restart goes on with it, and
goes out of force with it. The rebuilt ledger remembers up to which height this node may have
signed wrong outcomes: votes are promises, and it says nothing about those heights any more. What
the old ledger cannot prove comes by block sync. When a fresh state contradicts the quorum as well,
the fault is in this release or this machine, and no repair can mend it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import structlog
import trio

from consensus.pbft.types import HaltKind
from contracts.vm.engines import LATEST, EngineFault
from contracts.vm.host import WorkerFault
from crypto.provider import CryptoProvider
from ledger.encoding import decode, encode
from ledger.errors import DecodeError, LedgerDamaged, LedgerError
from ledger.genesis import Genesis
from ledger.model import (
    ExecutionCertificate,
    ExecutionStatement,
    Record,
    transaction_id,
)
from ledger.store import Store
from node import VERSION
from node.execute import ChainRules, Diverged, Engine, Executor
from node.halt import HaltSwitch
from node.ledgers import DAMAGED, building, publish
from node.peer_messages import BLOCKS_FRAME_MAX, Bundle
from node.rebuild import Advance, OldLedger, replay, runs_of

ORDER_KEY = b"repair/order"
DISOWNED_KEY = b"repair/disowned"
PROGRESS_S = 10.0  # between two lines of progress in the log
TOLD_TRANSACTIONS_MAX = 8  # ids in a sentence
# Pauses after faults of the contract engine, as in ordinary execution: memory may come back.
ENGINE_PAUSES_S = (1.0, 5.0, 20.0)

_log = structlog.get_logger("node.repair")


class RepairOrder(Record):
    """What a ledger is to be rebuilt for."""

    own: ExecutionStatement
    certificate: ExecutionCertificate  # over another outcome of the same height
    bundle: Bundle | None  # the block, where the ledger has not stored it

    @property
    def height(self) -> int:
        return self.certificate.statement.height


class Incurable(Exception):
    """The ledger cannot be rebuilt; the sentence says why and what to do."""


def order_of(evidence: Sequence[bytes]) -> RepairOrder:
    """From what a node halted over: see Diverged.evidence and consensus.pbft.types.HaltKind."""
    own, certificate, *block = evidence
    return RepairOrder(
        decode(own, ExecutionStatement, size_max=BLOCKS_FRAME_MAX),
        decode(certificate, ExecutionCertificate, size_max=BLOCKS_FRAME_MAX),
        decode(block[0], Bundle, size_max=BLOCKS_FRAME_MAX) if block else None,
    )


def pending_order(store: Store) -> RepairOrder | None:
    """The repair that an earlier life began or could not bring to an end. Raises LedgerDamaged."""
    data = store.get_meta(ORDER_KEY)
    if data is None:
        return None
    try:
        return decode(data, RepairOrder, size_max=2 * BLOCKS_FRAME_MAX)
    except DecodeError as error:
        raise LedgerDamaged(f"the order to repair this ledger is damaged: {error}") from None


def disowned(store: Store) -> int:
    """Heights up to this may have been signed wrongly before a repair. 0: none was repaired."""
    return int.from_bytes(store.get_meta(DISOWNED_KEY) or b"", "big")


# --- rebuilding -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Workshop:
    """What a rebuild needs. `ledger` is the folder of the store that is rebuilt."""

    ledger: Path
    genesis: Genesis
    rules: ChainRules
    provider: CryptoProvider
    make_engine: Callable[[], Engine]


def rebuild(
    old: OldLedger,
    workshop: Workshop,
    advance: Advance,
    *,
    promised: int,
    order: RepairOrder | None,
) -> int:
    """Make the ledger that takes the place of `old` at its next opening; its height.

    `promised`: about heights up to this one it says nothing any more. `order`: what `old` is wrong
    in, None for damage. `advance(height)` is told of every block and may raise to stop. Raises
    Incurable; EngineFault where another release has to do it; WorkerFault, LedgerError and OSError
    where another attempt may help. Nothing of `old` changes.
    """
    if old.base > 1:
        raise Incurable(
            f"this ledger begins at block {old.base} and cannot be rebuilt from the genesis: "
            "restore a backup, or empty the data directory and let the node sync"
        )
    path = building(workshop.ledger)
    known = {} if order is None else {order.height: order.certificate}
    with closing(workshop.make_engine()) as engine:
        writes = engine.apply_genesis(workshop.genesis).writes
        # Not durable before it is closed: after a crash it is made again.
        with closing(Store.create(path, workshop.genesis, writes, is_durable=False)) as fresh:
            executor = Executor(fresh, engine, workshop.rules)
            for recovery in old.recoveries:
                fresh.follow(recovery)
            runs = runs_of(
                old,
                known,
                last=max(old.height, *known, 0),
                length_max=workshop.rules.founded.watermark_window,
                beyond=None if order is None else order.bundle,
            )
            try:
                replay(runs, fresh, executor, workshop.provider, advance)
            except Diverged as again:
                raise Incurable(_still_diverges(again)) from None
            fresh.put_meta(DISOWNED_KEY, promised.to_bytes(8, "big"))
            height = fresh.height
    if order is None:
        publish(path, workshop.ledger, max(old.height, 0), why=DAMAGED)
    else:
        publish(path, workshop.ledger, order.height)
    return height


def _still_diverges(again: Diverged) -> str:
    own, signed = again.own, again.certificate.statement
    fields = [
        f"{name} expected {_text(getattr(signed, name))}, found {_text(getattr(own, name))}"
        for name in own.__struct_fields__
        if getattr(own, name) != getattr(signed, name)
    ]
    assert again.bundle is not None, "it was not stored"
    ids = [transaction_id(found).hex() for found in again.bundle.block.transactions]
    told = ", ".join(ids[:TOLD_TRANSACTIONS_MAX]) + ", …" * (len(ids) > TOLD_TRANSACTIONS_MAX)
    which = f"transaction {told}" if len(ids) == 1 else f"one of {len(ids)} transactions: {told}"
    return (
        f"block {own.height}, executed anew on a state rebuilt from the genesis, again differs "
        f"from what a quorum signed: {'; '.join(fields)}; {which}; so the fault is in this release "
        f"(shuxin {VERSION}, {LATEST.vm_version}) or this machine, not in the ledger: compare the "
        "release with the other nodes', install theirs or move to another machine, and restart"
    )


def _text(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


# --- the task -------------------------------------------------------------------------------


class Repair:
    """Waits for what a rebuilt ledger can mend, and makes that ledger beside the running node."""

    def __init__(
        self, store: Store, workshop: Workshop, switch: HaltSwitch, *, mends_damage: bool
    ) -> None:
        """Not `mends_damage`: a damaged ledger is left as it is. Raises LedgerDamaged."""
        self._store = store
        self._workshop = workshop
        self._switch = switch
        self._mends_damage = mends_damage
        self._order = pending_order(store)
        self._called = trio.Event()
        self._told_s = 0.0
        self.failure = ""  # why the ledger could not be rebuilt
        switch.on_halt(self._call)

    @property
    def is_active(self) -> bool:
        """From a halt over the ledger until it is rebuilt, or known not to be."""
        return self._switch.is_curable and self._called.is_set() and not self.failure

    def resume(self) -> None:
        """Halt at once if an earlier life left this ledger to be repaired."""
        if self._order is not None:
            order = self._order
            reason = f"block {order.height} of this ledger differs from a quorum's: repair goes on"
            evidence = (encode(order.own), encode(order.certificate))
            self._switch.halt(reason, evidence, kind=HaltKind.DIVERGED)

    def mend(self) -> None:
        """Rebuild the ledger while the node goes on: its history is damaged, its state is not."""
        if self._mends_damage:
            self._called.set()

    async def run(self) -> bool:
        """Wait until it is needed, then repair. Whether a new ledger stands ready."""
        await self._called.wait()
        head = self._store.height
        block = self._order.height if self._order is not None else None
        _log.critical("repairing", ledger=str(self._workshop.ledger), block=block)
        try:
            height = await self._patiently()
        except Incurable as found:
            self.failure = str(found)
        except (EngineFault, WorkerFault, LedgerError, OSError) as error:
            self.failure = (
                f"the ledger could not be rebuilt: {error}; correct that and restart: the repair "
                "then begins again"
            )
        if self.failure:
            _log.critical("repair_failed", reason=self.failure)
            return False
        _log.critical("repaired", height=height, old_height=head, rest="comes from peers")
        return True

    def _call(self, reason: str, evidence: Sequence[bytes]) -> None:
        if self._switch.kind is HaltKind.DIVERGED:
            self._order = self._order or order_of(evidence)
            self._called.set()
        elif self._switch.kind is HaltKind.DAMAGED:
            self.mend()

    async def _patiently(self) -> int:
        for pause_s in ENGINE_PAUSES_S:
            try:
                return await trio.to_thread.run_sync(self._rebuild)
            except WorkerFault as fault:
                _log.error("engine_fault", reason=str(fault), again_in_s=pause_s)
            await trio.sleep(pause_s)
        return await trio.to_thread.run_sync(self._rebuild)

    def _rebuild(self) -> int:
        store, order = self._store, self._order
        if order is not None:
            store.put_meta(ORDER_KEY, encode(order))
        promised = max(store.height, disowned(store))
        return rebuild(store, self._workshop, self._advance, promised=promised, order=order)

    def _advance(self, height: int) -> None:
        """On the thread: ends with the node, and tells from time to time how far it is."""
        trio.from_thread.check_cancelled()
        now = time.monotonic()
        if now - self._told_s >= PROGRESS_S:
            self._told_s = now
            _log.info("repair_progress", height=height, of=self._store.height)
