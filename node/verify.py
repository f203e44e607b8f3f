"""Everything that a node keeps on disk, examined while it is not running.

    ledger/db, ledger/mark   ledger.scrub, ledger.tables, ledger.disk
    journal/*.log            every frame's checksum; what ends it was cut off, not altered
    accusations/*.bin        every signature
    access/*.log             every link of its chain of hashes

What lies beside them is no part of the store: ledgers and votes that were set aside, leftovers of
what a crash interrupted (`*.new`, `ledger.repair`), how far a patrol is, sockets; and what is made
from the ledger: a history mends itself at the next start, a snapshot proves itself to who takes it.
"""

from __future__ import annotations

from collections import deque
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ledger.certificates import VerifyBatch
from ledger.committee import Epochs
from ledger.disk import DATABASE, Disk
from ledger.errors import LedgerDamaged
from ledger.findings import ACCESS, BOOKS, FILE, JOURNAL, Finding, Findings
from ledger.scrub import Progress, Scrub, scrub_files
from ledger.store import Store
from node.accesslog.folder import ACCESS_LOG
from node.accesslog.verify import Verifier
from node.epochs import check_coming
from node.findings import UNREADABLE, Reader
from node.journal import Journal, JournalDamaged
from node.ledgers import JOURNAL as JOURNAL_FOLDER

ACCUSATIONS = "accusations"
# Of an access log whose oldest file left after the files were listed: a node removes one an hour.
READS_MAX = 3


@dataclass(frozen=True, slots=True)
class Examined:
    """`height` and `state_root` of the newest block, where the ledger could be read."""

    findings: Findings
    height: int = -1
    state_root: bytes = b""


def examine(
    data_dir: Path, ledger: Path, *, verify_batch: VerifyBatch, progress: Progress
) -> Examined:
    """All that is wrong with the ledger and what stands beside it. Raises LedgerInUse."""
    findings = Findings()
    examine_journal(data_dir, findings)
    examine_access_log(data_dir, findings)
    try:
        with closing(Disk(ledger)) as disk:
            _scrub(disk, findings, verify_batch, progress)
        with closing(Store.open(ledger)) as store:
            check_coming(store)
            examine_accusations(data_dir, store.epochs, verify_batch, findings)
            statement = store.head_statement()
    except LedgerDamaged as damage:
        findings.add(Finding(BOOKS, str(damage)))
        if (ledger / DATABASE).is_dir():
            scrub_files(ledger / DATABASE, findings, progress, every_block=True)
        return Examined(findings)
    return Examined(findings, statement.height, statement.state_root)


def _scrub(disk: Disk, findings: Findings, verify_batch: VerifyBatch, progress: Progress) -> None:
    scrub = Scrub(
        disk.snapshot,
        disk.database_path,
        findings,
        verify_batch=verify_batch,
        progress=progress,
    )
    scrub.blocks()
    scrub.rest()


def examine_journal(data_dir: Path, findings: Findings) -> None:
    """Also of a running node: what it writes meanwhile looks cut off, not altered."""
    try:
        Journal.check(data_dir / JOURNAL_FOLDER)
    except (JournalDamaged, OSError) as damage:
        findings.add(Finding(JOURNAL, str(damage), file=str(data_dir / JOURNAL_FOLDER)))


def examine_access_log(data_dir: Path, findings: Findings) -> None:
    """Also of a running node. Nothing mends it: what was altered in it stays named."""
    folder = data_dir / ACCESS_LOG
    fault = ""
    for _ in range(READS_MAX):
        verifier = Verifier(folder, {})
        try:
            deque(verifier.entries(), maxlen=0)
        except FileNotFoundError as gone:
            fault = str(gone)
            continue
        except OSError as error:
            fault = str(error)
        else:
            fault = verifier.verified.fault
        break
    if fault:
        advice = "no peer has it: keep the file as proof; `shuxin audit access` tells what holds"
        findings.add(Finding(ACCESS, f"{fault}; {advice}", file=str(folder)))


def examine_accusations(
    data_dir: Path, epochs: Epochs, verify_batch: VerifyBatch, findings: Findings
) -> None:
    """What is kept there was verified before it was written: what does not hold was altered."""
    folder = data_dir / ACCUSATIONS
    for found in Reader(epochs, verify_batch).read(folder):
        if any(one == UNREADABLE or one.forged for one in found.exhibits):
            findings.add(
                Finding(
                    FILE,
                    "a file of evidence is damaged; move it away, no peer has it",
                    file=str(folder / found.file),
                )
            )
