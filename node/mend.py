"""Mending the data directory of a node that is not running: what can be read of a damaged ledger
proves itself once more and makes a new one; the rest comes from peers when the node runs again.

LevelDB's own repair reads what it can, table by table, in a copy made of links: the damaged ledger
stays as it was, and is set aside. Of what was read only blocks, certificates and recovery plans are
looked at, and nothing is believed: a rebuild (node.repair) proves and executes them. So one way
serves all damage: of a value, of an index, of LevelDB's own files, of all of it.

Votes are nowhere else. A journal that is damaged is set aside; this node then follows without a
vote until an epoch begins in which it cannot have voted.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import plyvel
import structlog

from crypto.provider import CryptoProvider
from ledger.disk import DATABASE, Snapshot, alone, open_database, repair_database
from ledger.errors import LedgerDamaged, RecoveryInvalid
from ledger.genesis import Genesis, chain_id
from ledger.mark import read_mark
from ledger.model import Block, CommitCertificate, ExecutionCertificate
from ledger.records import Records
from ledger.recovery import Recovery, verify_recovery
from ledger.schema import BLOCK, META, RECOVERY, SEQUENCE_KEY, number, unseal
from node.execute import ChainRules
from node.journal import Journal, JournalDamaged
from node.ledgers import DAMAGED, JOURNAL, lose_votes, salvaging, set_aside, settle
from node.rebuild import Advance
from node.recover import Site
from node.repair import DISOWNED_KEY, PROGRESS_S, Incurable, Workshop, rebuild

_log = structlog.get_logger("node.mend")


@dataclass(frozen=True, slots=True)
class Mended:
    """What became of a data directory."""

    height: int  # of the ledger now; the rest comes from peers
    old_height: int  # newest block that could be read; -1: none
    set_aside: str  # the damaged ledger's folder
    votes_set_aside: str  # the damaged journal's folder; "": it is whole


def mend(site: Site, advance: Advance | None = None) -> Mended:
    """Make a ledger that opens and a journal that is whole; blocks, and changes nothing that is.

    `advance(height)` is told of every block and may raise to stop. Raises Incurable, EngineFault,
    WorkerFault, LedgerInUse; LedgerError and OSError where another attempt may help.
    """
    told = _Teller(advance)
    ledger = site.ledger
    settle(ledger)
    database = ledger / DATABASE
    database.mkdir(parents=True, exist_ok=True)
    with alone(database), _salvage(site) as old:
        workshop = Workshop(
            ledger,
            site.genesis,
            ChainRules(chain_id(site.genesis), site.genesis.limits),
            site.provider,
            site.make_engine,
        )
        promised = old.promised(site.genesis.limits.watermark_window)
        height = rebuild(old, workshop, told.advance, promised=promised, order=None)
        old_height = old.height
    settle(ledger)
    votes = mend_journal(site.data_dir, promised)
    aside = set_aside(ledger, DAMAGED)[-1]
    _log.critical(
        "mended",
        height=height,
        old_height=old_height,
        set_aside=str(aside),
        rest="comes from peers",
    )
    return Mended(height, old_height, str(aside), votes)


def mend_journal(data_dir: Path, height: int) -> str:
    """Set a damaged journal aside; its new folder, "" for a whole one.

    `height`: epochs that had begun by then may have seen this node's votes.
    """
    journal = data_dir / JOURNAL
    try:
        Journal.check(journal)
    except JournalDamaged as damage:
        aside = lose_votes(journal, height)
        _log.critical(
            "votes_lost",
            reason=str(damage),
            set_aside=str(aside),
            advice="operations.md, When votes are lost",
        )
        return str(aside)
    return ""


# --- what can be read -----------------------------------------------------------------------


class Salvage:
    """What can be read of a damaged ledger. Nothing of it is sure."""

    def __init__(
        self, database: plyvel.DB, mark: int | None, recoveries: Sequence[Recovery]
    ) -> None:
        """`mark`: the number of the last write that was acknowledged, if it can be told."""
        self._snapshot = Snapshot(database.snapshot())
        self._records = Records(self._snapshot)
        self._mark = mark
        self.recoveries = recoveries
        self.height = self._newest()

    @property
    def base(self) -> int:
        """0 where it cannot be told: then the blocks that are missing come from peers."""
        try:
            return self._records.base()
        except LedgerDamaged:
            return 0

    def block(self, height: int) -> Block:
        return self._records.block(height)

    def commit_certificate(self, height: int) -> CommitCertificate | None:
        return self._records.commit_certificate(height)

    def execution_certificate(self, height: int) -> ExecutionCertificate | None:
        return self._records.execution_certificate(height)

    def promised(self, window: int) -> int:
        """Up to which height this node may have signed outcomes.

        A block is one write: what is not known of the head, the numbers of writes bound.
        """
        known = max(self.height, 0)
        with suppress(LedgerDamaged):
            stored = self._snapshot.get(META + DISOWNED_KEY)
            if stored is not None:
                known = max(known, int.from_bytes(unseal(DISOWNED_KEY, stored), "big"))
        sequence = self._snapshot.get(SEQUENCE_KEY)
        try:
            known = max(known, self._records.head_height())
        except LedgerDamaged:
            sequence = number(0)
        if self._mark is None or sequence is None:
            return known + window
        return known + max(0, self._mark - int.from_bytes(sequence, "big"))

    def _newest(self) -> int:
        for key, _ in self._snapshot.range(BLOCK, BLOCK + b"\xff" * 9, is_reverse=True):
            if len(key) == 9:
                return int.from_bytes(key[1:], "big")
        return -1


@contextmanager
def _salvage(site: Site) -> Iterator[Salvage]:
    """Raises Incurable, LedgerDamaged."""
    folder = salvaging(site.ledger)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        database_path = site.ledger / DATABASE
        files = [*database_path.glob("*.ldb"), *database_path.glob("*.log")]
        for path in files:
            os.link(path, folder / path.name)
        if files:
            repair_database(folder)
        with closing(open_database(folder, create=not files)) as database:
            recoveries = _recoveries(database, site.genesis, site.provider)
            yield Salvage(database, read_mark(site.ledger / "mark"), recoveries)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _recoveries(
    database: plyvel.DB, genesis: Genesis, provider: CryptoProvider
) -> tuple[Recovery, ...]:
    """Those that the damaged ledger followed. Raises Incurable: no peer hands them out."""
    snapshot = Snapshot(database.snapshot())
    try:
        found = Records(snapshot).recoveries(snapshot.scan(RECOVERY))
        for earlier, recovery in enumerate(found):
            verify_recovery(recovery, found[:earlier], chain_id(genesis), provider.verify_batch)
    except (LedgerDamaged, RecoveryInvalid) as damage:
        raise Incurable(
            f"the recovery plans that this ledger follows are damaged: {damage}; empty the data "
            "directory and apply the plans with `shuxin node recover`"
        ) from None
    return found


class _Teller:
    """Says in the log from time to time how far it is."""

    def __init__(self, advance: Advance | None) -> None:
        self._advance = advance
        self._told_s = time.monotonic()

    def advance(self, height: int) -> None:
        if self._advance is not None:
            self._advance(height)
        now = time.monotonic()
        if now - self._told_s >= PROGRESS_S:
            self._told_s = now
            _log.info("repair_progress", height=height)
