"""Replays a chain from its genesis and trusts nothing else (5.3d, 8.1.3b, 8.1.4d).

Every block is re-made by the rules and executed anew beside the source that is examined; every
signature of senders and validators is verified, on all cores, ahead of execution. The first
contradiction is the verdict: which block, which transaction, which key, expected and found.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from client.node import NodeClient
from crypto.providers.software import verify_batch
from ledger.errors import (
    ArchiveIncomplete,
    ArchiveInvalid,
    ArchiveTruncated,
    LedgerDamaged,
    RecoveryInvalid,
)
from ledger.genesis import Genesis, chain_id
from ledger.locate import locate
from ledger.recovery import verify_recovery
from ledger.store import Store
from node.audit.causes import (
    certificate_fault,
    genesis_fault,
    quorum_fault,
    rule_fault,
    sender_fault,
)
from node.audit.examined import Examined
from node.audit.outcomes import (
    Witness,
    compare_epochs,
    contract_codes,
    receipt_fault,
    statement_fault,
)
from node.audit.signatures import AHEAD_BLOCKS, Signatures, measure_bound, verified_ahead
from node.audit.sources import Source, kind_of, ledger_path, opened
from node.audit.verdict import Anomaly, ContractCode, Divergence, Diverges, Kind, Verdict
from node.audit.work import (
    CHECKPOINT_S,
    CONTENT_BEGIN,
    Checkpoint,
    CountedAnomaly,
    Work,
    check_content,
    content_after,
    opened_work,
    refuse_altered,
)
from node.execute import ChainRules, Executor

Advance = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay found, and the ledger that it made itself, while it is open.

    Of `again` only blocks up to `verdict.height` hold: above it stands what was executed and then
    found to contradict the source. None: not even the genesis holds, or the source is unreadable.
    """

    verdict: Verdict
    again: Store | None


def replay(
    source: Path | NodeClient,
    genesis: Genesis,
    *,
    advance: Advance,
    threads: int | None = None,
    work: Path | None = None,
    archives: Path | None = None,
    is_measured: bool = False,
) -> Verdict:
    """What `replayed` finds, for whoever wants the verdict alone."""
    with replayed(
        source,
        genesis,
        advance=advance,
        threads=threads,
        work=work,
        archives=archives,
        is_measured=is_measured,
    ) as found:
        return found.verdict


@contextmanager
def replayed(
    source: Path | NodeClient,
    genesis: Genesis,
    *,
    advance: Advance,
    threads: int | None = None,
    work: Path | None = None,
    archives: Path | None = None,
    is_measured: bool = False,
) -> Iterator[Replayed]:
    """Examine archives, the ledger of a node that is not running, or what a running one serves.

    `source` is an archive's file, a folder of segments, a node's data directory or the ledger in
    it, or a client of a node; `archives` a folder of segments with the blocks that it lacks from
    the genesis on; `genesis` is what is trusted. `advance(done, total)` is told of every block.
    `work` is a folder to go on in where an earlier replay of the same source was stopped.
    `is_measured` has the machine's own speed of verification measured, beside which the replay's
    can be judged.

    What is wrong with the source is the verdict. Raises WorkRefused, LedgerInUse, OSError;
    HeightPruned for a ledger that begins above the genesis, without `archives`;
    EngineUnknown for a chain that needs a newer release; for a node NodeUnreplayable, ClientError.
    """
    count = threads or os.cpu_count() or 1
    tally = _Tally(threads=count, kind=kind_of(source))
    divergence, again = None, None
    with ExitStack() as kept:
        try:
            with opened(source, chain_id(genesis), archives) as found:
                tally.archive = found.archive
                sitting = _Replay(found, genesis, tally, advance)
                sitting.check_genesis()
                engine = kept.enter_context(closing(Witness()))
                made = kept.enter_context(opened_work(work, genesis, engine))
                again = made.again
                sitting.run(made, engine, is_measured=is_measured)
        except Diverges as error:
            divergence = error.divergence
        except LedgerDamaged as damage:
            assert isinstance(source, Path), "only a ledger is damaged in this way"
            divergence = _damaged(damage, ledger_path(source))
        except ArchiveInvalid as error:
            divergence = _unreadable(error)
        verdict = tally.verdict(chain_id(genesis), divergence)
        yield Replayed(verdict, again if verdict.height >= 0 else None)


@dataclass(slots=True)
class _Tally:
    """The verdict as it comes about."""

    threads: int
    began: float = field(default_factory=time.monotonic)
    ended: float | None = None
    earlier_s: float = 0.0  # of the sittings before
    height: int = -1
    certified_height: int = 0
    transactions: int = 0
    signatures: int = 0
    state_root: str = ""
    recoveries: int = 0
    committees: int = 1
    resumed_height: int = 0
    content: bytes = CONTENT_BEGIN
    kind: str = "ledger"
    archive: str = ""
    bound: float = 0.0
    anomalies: dict[str, Anomaly] = field(default_factory=dict)
    contracts: tuple[ContractCode, ...] = ()

    @property
    def seconds(self) -> float:
        return self.earlier_s + (self.ended or time.monotonic()) - self.began

    def note(self, name: str, height: int, count: int = 1) -> None:
        if count:
            self.anomalies.setdefault(name, Anomaly()).note(height, count)

    def resume(self, checkpoint: Checkpoint) -> None:
        self.earlier_s = checkpoint.milliseconds / 1000
        self.height = self.resumed_height = checkpoint.height
        self.certified_height = checkpoint.certified_height
        self.transactions = checkpoint.transactions
        self.signatures = checkpoint.signatures
        self.content = checkpoint.content
        self.anomalies = {
            entry.name: Anomaly(entry.count, list(entry.heights)) for entry in checkpoint.anomalies
        }

    def checkpoint(self, chain: bytes) -> Checkpoint:
        return Checkpoint(
            chain_id=chain,
            height=self.height,
            content=self.content,
            certified_height=self.certified_height,
            transactions=self.transactions,
            signatures=self.signatures,
            milliseconds=round(self.seconds * 1000),
            anomalies=tuple(
                CountedAnomaly(name, found.count, tuple(found.heights))
                for name, found in self.anomalies.items()
            ),
        )

    def verdict(self, chain: bytes, divergence: Divergence | None) -> Verdict:
        return Verdict(
            chain_id=chain.hex(),
            height=self.height,
            certified_height=self.certified_height,
            transactions=self.transactions,
            signatures=self.signatures,
            state_root=self.state_root,
            seconds=self.seconds,
            divergence=divergence,
            recoveries=self.recoveries,
            committees=self.committees,
            resumed_height=self.resumed_height,
            content=self.content.hex(),
            kind=self.kind,
            archive=self.archive,
            threads=self.threads,
            bound=self.bound,
            anomalies=self.anomalies,
            contracts=self.contracts,
        )


class _Replay:
    """One sitting. Every method raises Diverges for what the verdict is to name."""

    def __init__(self, source: Source, genesis: Genesis, tally: _Tally, advance: Advance) -> None:
        self._source = source
        self._genesis = genesis
        self._rules = ChainRules(chain_id(genesis), genesis.limits)
        self._tally = tally
        self._advance = advance

    def check_genesis(self) -> None:
        found, expected = self._source.chain_id, self._rules.chain_id
        if found != expected:
            ids = expected.hex(), found.hex()
            raise Diverges(Divergence(0, Kind.GENESIS, "another genesis", "", "", *ids))

    def run(self, work: Work, engine: Witness, *, is_measured: bool) -> None:
        threads = self._tally.threads
        with ThreadPoolExecutor(threads) as pool:
            before = measure_bound(pool, threads) if is_measured else 0.0
            self._tally.bound = before
            self._tally.began = time.monotonic()
            try:
                self._chain(work, engine, pool)
            finally:
                if self._tally.height >= 0:
                    work.save(self._tally.checkpoint(self._rules.chain_id))
            self._tally.ended = time.monotonic()
            if is_measured:  # before and after: a machine is seldom left alone
                self._tally.bound = (before + measure_bound(pool, threads)) / 2

    def _chain(self, work: Work, engine: Witness, pool: ThreadPoolExecutor) -> None:
        again, tally, source = work.again, self._tally, self._source
        first = self._begin(work)
        tally.state_root = again.statement(tally.height).state_root.hex()
        _follow(source, work)
        tally.recoveries = len(again.recoveries)
        executor = Executor(again, engine, self._rules)
        blocks = source.iterate_blocks(first, source.height) if first <= source.height else ()
        ahead = min(AHEAD_BLOCKS, self._rules.founded.watermark_window)
        saved_s = time.monotonic()
        with closing(verified_ahead(blocks, first, again, ahead, pool)) as coming:
            for height, (stored, signatures) in enumerate(coming, first):
                verdicts = signatures.result()
                self._block(stored, height, verdicts, work, executor, engine)
                self._count(stored, height, verdicts, again)
                self._advance(height, source.height)
                if time.monotonic() - saved_s > CHECKPOINT_S:
                    work.save(tally.checkpoint(self._rules.chain_id))
                    saved_s = time.monotonic()
        claimed = source.epochs(self._genesis)
        if claimed is not None:
            compare_epochs(again.epochs, claimed)
        tally.committees = sum(epoch.base <= tally.height for epoch in again.epochs.decided)
        source.finish(again, tally.transactions)
        tally.contracts = contract_codes(again)

    def _begin(self, work: Work) -> int:
        """Compare the genesis block, or the content up to the checkpoint; the next height."""
        tally, checkpoint = self._tally, work.checkpoint
        last = checkpoint.height if checkpoint is not None else 0
        content: bytes = CONTENT_BEGIN
        known = self._source.iterate_blocks(0, min(last, self._source.height))
        for height, stored in enumerate(known):
            if height == 0:
                _raise(genesis_fault(work.again, stored))
            content = content_after(content, stored)
        if checkpoint is not None:
            check_content(work, content)
            tally.resume(checkpoint)
        else:
            tally.height, tally.content = 0, content
        return last + 1

    def _block(
        self,
        stored: Examined,
        height: int,
        signatures: Signatures,
        work: Work,
        executor: Executor,
        engine: Witness,
    ) -> None:
        """All checks of one block, in the order in which one fault explains another."""
        again, block = work.again, stored.block
        is_executed = height <= again.height  # in an earlier sitting that ended before it was told
        _raise(sender_fault(block, height, signatures))
        if not is_executed:
            _raise(rule_fault(block, height, again, self._rules))
        elif block != again.block(height):
            refuse_altered(work, height)
        _raise(quorum_fault(stored, height, signatures))
        _raise(certificate_fault(height, signatures.commit))
        if not is_executed:
            _execute(executor, stored, height)
        _raise(receipt_fault(height, again.receipts(height), stored.receipts))
        statement, certificate = again.statement(height), stored.execution_certificate
        writes = engine.writes if not is_executed else ()
        for found in (stored.statement, certificate.statement if certificate else None):
            _raise(statement_fault(statement, found, block.transactions, writes))
        _raise(certificate_fault(height, signatures.execution))
        if certificate is None and height < self._source.height and again.epochs.is_last(height):
            check = "it ends an epoch and has no execution certificate"
            raise Diverges(Divergence(height, Kind.CERTIFICATE, check))

    def _count(self, stored: Examined, height: int, signatures: Signatures, again: Store) -> None:
        tally, block = self._tally, stored.block
        tally.height = height
        tally.transactions += len(block.transactions)
        tally.signatures += signatures.count
        tally.state_root = again.statement(height).state_root.hex()
        tally.content = content_after(tally.content, stored)
        if stored.execution_certificate is not None:
            again.certify(stored.execution_certificate)  # for those who read `again` afterwards
            tally.certified_height = height
        else:
            tally.note("without_execution_certificate", height)
        commit = stored.commit_certificate
        tally.note("ordered_after_view_change", height, int(commit is not None and commit.view > 0))
        tally.note("time_raised", height, int(block.header.time_ms != block.proposal_time_ms))
        tally.note("ordered_but_dropped", height, len(block.dropped))
        tally.note("failed_transactions", height, sum(one.status != 0 for one in stored.receipts))


def _execute(executor: Executor, stored: Examined, height: int) -> None:
    assert stored.commit_certificate is not None, "checked with the signatures"
    try:
        executor.apply(stored.block, stored.commit_certificate)
    except RecoveryInvalid as error:
        raise Diverges(Divergence(height, Kind.RECOVERY, str(error))) from None


def _follow(source: Source, work: Work) -> None:
    """The recovery plans in the source; whether they were agreed on, their blocks will tell."""
    again = work.again
    known = len(again.recoveries)
    if source.recoveries[:known] != again.recoveries:
        refuse_altered(work, again.height)
    for recovery in source.recoveries[known:]:
        height = recovery.plan.height
        try:
            verify_recovery(recovery, again.recoveries, again.chain_id, verify_batch)
        except RecoveryInvalid as error:
            raise Diverges(Divergence(height, Kind.RECOVERY, str(error))) from None
        if height < again.height:
            check = "a recovery plan goes back behind what the last sitting replayed"
            raise Diverges(Divergence(height, Kind.RECOVERY, check))
        again.follow(recovery)


def _raise(divergence: Divergence | None) -> None:
    if divergence is not None:
        raise Diverges(divergence)


def _unreadable(error: ArchiveInvalid) -> Divergence:
    kinds = {ArchiveTruncated: Kind.TRUNCATED, ArchiveIncomplete: Kind.MISSING_BLOCK}
    height = -1 if error.height is None else error.height
    message = str(error).removeprefix(f"block {height}: ")
    return Divergence(height, kinds.get(type(error), Kind.DAMAGE), message)


def _damaged(damage: LedgerDamaged, path: Path) -> Divergence:
    """What was found, at the block it concerns: sought on a copy when the finder cannot tell."""
    if damage.height is not None:
        message = str(damage).removeprefix(f"block {damage.height}: ")
        return Divergence(damage.height, Kind.DAMAGE, message)
    place = locate(path)
    if place is None:
        return Divergence(-1, Kind.DAMAGE, str(damage))
    return Divergence(place.height, Kind.DAMAGE, f"{place.what}; {damage}")
