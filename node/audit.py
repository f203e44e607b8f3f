"""Audit: replays a ledger from its genesis and trusts nothing else (clauses 8.1.3b, 8.1.4d).

Every block is re-made by the rules and executed anew beside the one that is examined; every
signature of senders and validators is verified, on all cores, ahead of execution. The first
contradiction is the verdict: which block, which transaction, which key, expected and found.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from contracts.vm.host import Worker
from crypto.provider import SignedItem
from crypto.providers.software import verify_batch
from ledger.blocks import proposal_of
from ledger.certificates import commit_items, execution_items
from ledger.committee import Epoch, Epochs
from ledger.errors import BlockInvalid, CertificateInvalid, LedgerDamaged, RecoveryInvalid
from ledger.genesis import Genesis, chain_id
from ledger.locate import locate
from ledger.model import (
    ExecutionStatement,
    Receipt,
    proposal_digest,
    transaction_id,
)
from ledger.recovery import verify_recovery
from ledger.store import Store, StoredBlock
from node.bootstrap import LEDGER
from node.execute import ChainRules, Executor, check_block, transaction_items

AHEAD_BLOCKS = 16  # blocks whose signatures are verified before their turn: bounds memory

Advance = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Divergence:
    """Where and how the ledger first contradicts its genesis and the rules.

    `transaction` and `key` are empty where the contradiction is not about one; `height` is -1
    where the damage lies before any block.
    """

    height: int
    check: str
    transaction: str
    key: str
    expected: str
    found: str

    def sentence(self) -> str:
        place = f"block {self.height}" if self.height >= 0 else "before any block"
        parts = [f"{place}: {self.check}"]
        if self.transaction:
            parts.append(f"transaction {self.transaction}")
        if self.key:
            parts.append(f"key {self.key}")
        if self.expected or self.found:
            parts.append(f"expected {self.expected}, found {self.found}")
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a replay found. `divergence` None: everything up to `height` holds."""

    chain_id: str
    height: int  # last height that held
    certified_height: int  # up to here execution certificates were found and hold
    transactions: int
    signatures: int
    state_root: str
    seconds: float
    divergence: Divergence | None
    recoveries: int = 0  # recovery plans that the ledger follows, each agreed on as it must be


class _Diverges(Exception):
    def __init__(self, divergence: Divergence) -> None:
        super().__init__(divergence.sentence())
        self.divergence = divergence


def replay(
    source: Path, genesis: Genesis, *, advance: Advance, threads: int | None = None
) -> Verdict:
    """Examine the ledger of a node that is not running (or a copy) against `genesis`.

    `source` is a node's data directory or the ledger in it; `advance(done, total)` is told of
    every block. Raises nothing for what is wrong with the ledger: that is the verdict.
    """
    began = time.monotonic()
    path = source / LEDGER if (source / LEDGER).is_dir() else source
    counts = _Counts()
    try:
        store = Store.open(path)
        try:
            divergence = _examine(store, genesis, counts, advance, threads or os.cpu_count() or 1)
        finally:
            store.close()
    except LedgerDamaged as damage:
        divergence = _damaged(damage, path)
    return counts.verdict(chain_id(genesis), time.monotonic() - began, divergence)


@dataclass(slots=True)
class _Counts:
    height: int = -1
    certified_height: int = 0
    transactions: int = 0
    signatures: int = 0
    state_root: str = ""
    recoveries: int = 0

    def verdict(self, chain: bytes, seconds: float, divergence: Divergence | None) -> Verdict:
        return Verdict(
            chain_id=chain.hex(),
            height=self.height,
            certified_height=self.certified_height,
            transactions=self.transactions,
            signatures=self.signatures,
            state_root=self.state_root,
            seconds=seconds,
            divergence=divergence,
            recoveries=self.recoveries,
        )


def _examine(
    store: Store, genesis: Genesis, counts: _Counts, advance: Advance, threads: int
) -> Divergence | None:
    if store.chain_id != chain_id(genesis):
        return Divergence(
            0, "another genesis", "", "", chain_id(genesis).hex(), store.chain_id.hex()
        )
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            Worker() as engine,
            ThreadPoolExecutor(threads) as pool,
        ):
            again = Store.create(
                Path(folder) / LEDGER, genesis, engine.apply_genesis(genesis).writes
            )
            try:
                _replay(store, again, engine, genesis, counts, advance, pool)
            finally:
                again.close()
        store.scrub()
    except _Diverges as found:
        return found.divergence
    return None


def _replay(
    store: Store,
    again: Store,
    engine: Worker,
    genesis: Genesis,
    counts: _Counts,
    advance: Advance,
    pool: ThreadPoolExecutor,
) -> None:
    rules = ChainRules(chain_id(genesis), genesis.limits)
    executor = Executor(again, engine, rules)
    _compare_statements(again.statement(0), store.statement(0))
    counts.height, counts.state_root = 0, again.statement(0).state_root.hex()
    _follow(store, again)
    counts.recoveries = len(again.recoveries)
    for stored, signatures in _verified_ahead(store, again, rules, pool):
        height = stored.block.header.height
        _check_signatures(stored, signatures.result())
        try:
            check_block(stored.block, again, rules)
        except BlockInvalid as error:
            raise _Diverges(_at(height, str(error))) from None
        _execute(executor, stored)
        _compare_receipts(height, again.receipts(height), stored.receipts)
        _compare_statements(again.statement(height), stored.statement)
        _check_epoch(again, stored, store.height)
        counts.height = height
        counts.transactions += len(stored.block.transactions)
        counts.signatures += len(signatures.result().verdicts)
        counts.state_root = again.statement(height).state_root.hex()
        if stored.execution_certificate is not None:
            counts.certified_height = height
        advance(height, store.height)
    _compare_epochs(again.epochs, store.epochs)


def _follow(store: Store, again: Store) -> None:
    """The recovery plans in the ledger; whether they were agreed on, their blocks will tell."""
    for recovery in store.recoveries:
        try:
            verify_recovery(recovery, again.recoveries, again.chain_id, verify_batch)
        except RecoveryInvalid as error:
            raise _Diverges(_at(recovery.plan.height, str(error))) from None
        again.follow(recovery)


def _check_epoch(again: Store, stored: StoredBlock, head: int) -> None:
    """No committee orders before its predecessors have certified where they ended."""
    height = stored.block.header.height
    is_bare = stored.execution_certificate is None
    if is_bare and height < head and again.epochs.is_last(height):
        raise _Diverges(_at(height, "it ends an epoch and has no execution certificate"))


def _compare_epochs(expected: Epochs, found: Epochs) -> None:
    """The stored table of committees is what the blocks decided."""
    if expected.all == found.all:
        return
    pairs = zip_longest(expected.all, found.all)
    one, other = next((one, other) for one, other in pairs if one != other)
    height = min(epoch.base for epoch in (one, other) if epoch is not None)
    texts = [
        f"{e.validators.digest.hex()} from {e.base + 1}" if e else "none" for e in (one, other)
    ]
    raise _Diverges(Divergence(height, "the next committee", "", "", *texts))


@dataclass(frozen=True, slots=True)
class _Signatures:
    """Claims of one block and their verdicts; `labels` says what each claim is."""

    labels: tuple[str, ...]
    verdicts: tuple[bool, ...]
    error: str  # what kept the claims from being made at all


def _verified_ahead(
    store: Store, again: Store, rules: ChainRules, pool: ThreadPoolExecutor
) -> Iterator[tuple[StoredBlock, Future[_Signatures]]]:
    """Blocks 1.. in order, with their signatures being verified on the pool's threads.

    Whose signatures they must be, the replay itself tells: a committee is decided more than a
    window of heights before its first block.
    """
    ahead = min(AHEAD_BLOCKS, rules.limits.watermark_window)
    waiting: deque[tuple[StoredBlock, Future[_Signatures]]] = deque()
    if store.height < 1:
        return
    for stored in store.iterate_blocks(1, store.height):
        epoch = again.epochs.at(stored.block.header.height)
        waiting.append((stored, pool.submit(_verify, stored, epoch)))
        if len(waiting) >= ahead:
            yield waiting.popleft()
    yield from waiting


def _verify(stored: StoredBlock, epoch: Epoch) -> _Signatures:
    block = stored.block
    labels: list[str] = []
    items: list[SignedItem] = []
    try:
        items += transaction_items(block)
        labels += [transaction_id(found).hex() for found in block.transactions]
        commit = stored.commit_certificate
        if commit is None:
            raise CertificateInvalid("it has no commit certificate")
        if commit.proposal_digest != proposal_digest(proposal_of(block)):
            raise CertificateInvalid("its commit certificate is for another proposal")
        if commit.height != block.header.height:
            raise CertificateInvalid("its commit certificate is for another height")
        committed = commit_items(commit, epoch.validators, epoch.domain)
        labels += ["commit certificate"] * len(committed)
        items += committed
        execution = stored.execution_certificate
        if execution is not None:
            executed = execution_items(execution, epoch.validators, epoch.domain)
            labels += ["execution certificate"] * len(executed)
            items += executed
    except (BlockInvalid, CertificateInvalid) as error:
        return _Signatures((), (), str(error))
    return _Signatures(tuple(labels), tuple(verify_batch(items)), "")


def _check_signatures(stored: StoredBlock, signatures: _Signatures) -> None:
    height = stored.block.header.height
    if signatures.error:
        raise _Diverges(_at(height, signatures.error))
    for label, good in zip(signatures.labels, signatures.verdicts, strict=True):
        if not good:
            name = "" if "certificate" in label else label
            what = "signature" if name else f"signature in its {label}"
            raise _Diverges(Divergence(height, what, name, "", "a valid one", "an invalid one"))
    certificate = stored.execution_certificate
    if certificate is not None:
        _compare_statements(certificate.statement, stored.statement)


def _execute(executor: Executor, stored: StoredBlock) -> None:
    assert stored.commit_certificate is not None, "checked with the signatures"
    try:
        executor.apply(stored.block, stored.commit_certificate)
    except RecoveryInvalid as error:
        raise _Diverges(_at(stored.block.header.height, str(error))) from None


def _compare_receipts(height: int, expected: Sequence[Receipt], found: Sequence[Receipt]) -> None:
    if len(expected) != len(found):
        count = f"{len(expected)} receipts", f"{len(found)}"
        raise _Diverges(Divergence(height, "receipts", "", "", *count))
    for one, other in zip(expected, found, strict=True):
        for field in Receipt.__struct_fields__:
            if getattr(one, field) != getattr(other, field):
                name = one.transaction_id.hex()
                values = _text(getattr(one, field)), _text(getattr(other, field))
                raise _Diverges(Divergence(height, f"receipt, {field}", name, "", *values))


def _compare_statements(expected: ExecutionStatement, found: ExecutionStatement) -> None:
    for field in ExecutionStatement.__struct_fields__:
        one, other = getattr(expected, field), getattr(found, field)
        if one != other:
            raise _Diverges(Divergence(expected.height, field, "", "", _text(one), _text(other)))


def _text(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _at(height: int, message: str) -> Divergence:
    return Divergence(height, message, "", "", "", "")


def _damaged(damage: LedgerDamaged, path: Path) -> Divergence:
    """What was found, at the block it concerns: sought on a copy when the finder cannot tell."""
    if damage.height is not None:
        return _at(damage.height, str(damage).removeprefix(f"block {damage.height}: "))
    place = locate(path)
    if place is None:
        return _at(-1, str(damage))
    return _at(place.height, f"{place.what}; {damage}")
