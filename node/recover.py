"""Applying a recovery plan to a node that is not running (see ledger.recovery).

The ledger is rebuilt up to the block that the plan names, out of its own blocks; what is above it
is set aside with the votes, and listed, because its transactions may be sent again. A node whose
blocks are another history starts over: with an empty ledger that knows the plan, to be filled by
its peers. Nothing is deleted.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import structlog

from crypto.files import make_directory, sync_directory
from crypto.provider import CryptoProvider
from ledger.certificates import verify_execution_certificate
from ledger.encoding import decode, encode
from ledger.errors import CertificateInvalid, DecodeError, LedgerError, RecoveryInvalid
from ledger.genesis import Genesis, chain_id
from ledger.model import Transaction, TransactionBody, transaction_id
from ledger.recovery import Recovery, verify_recovery
from ledger.store import Store
from node.bootstrap import LEDGER, open_or_create
from node.execute import ChainRules, Diverged, Engine, Executor
from node.journal import Journal, JournalDamaged
from node.ledgers import JOURNAL, archive, building, publish_recovered, settle
from node.rebuild import Advance, replay, runs_of
from node.repair import DISOWNED_KEY, disowned

DROPPED = "dropped.jsonl"  # in the archive of a recovery: one transaction a line

_log = structlog.get_logger("node.recover")


class RecoverRefused(Exception):
    """The plan cannot be applied to this node as it stands; the sentence says what to do."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of a node. `dropped` transactions are listed in the folder `set_aside`."""

    number: int
    height: int  # of the ledger now; below the plan's: the rest comes from peers
    old_height: int
    dropped: int
    set_aside: Path


@dataclass(frozen=True, slots=True)
class Site:
    """The node to be recovered."""

    data_dir: Path
    genesis: Genesis
    provider: CryptoProvider
    make_engine: Callable[[], Engine]

    @property
    def ledger(self) -> Path:
        return self.data_dir / LEDGER


def recover(
    site: Site, recovery: Recovery, *, start_over: bool = False, advance: Advance
) -> Recovered:
    """Make the node follow the plan; it may be started then.

    `advance(height)` is told of every block that is executed again. `start_over`: set the whole
    ledger aside, for a node whose blocks the plan does not continue. Raises RecoveryInvalid for
    the plan, RecoverRefused for the node; then the node is as it was.
    """
    with (
        closing(site.make_engine()) as engine,
        closing(open_or_create(site.data_dir, site.genesis, engine)) as old,
    ):
        verify_recovery(
            recovery, old.recoveries, chain_id(site.genesis), site.provider.verify_batch
        )
        plan = recovery.plan
        kept = 0 if start_over else min(old.height, plan.height)
        if kept and old.base > 1:
            raise RecoverRefused(
                f"this node's ledger begins at block {old.base} and cannot be made anew from the "
                "genesis: run this again with --start-over: its ledger and votes are set aside, "
                "and the node fetches the agreed blocks from peers that keep all"
            )
        if kept == plan.height and old.statement(kept).block_hash != plan.block_hash:
            raise RecoverRefused(
                f"block {plan.height} of this node is not the one that the plan names: its blocks "
                "are another history. Run this again with --start-over: its ledger and votes are "
                "set aside, and the node fetches the agreed blocks from its peers"
            )
        if kept == plan.height:
            _check_certificate(site, old, recovery)
        height = _rebuild(site, old, recovery, engine, kept, advance)
        first = height + 1
        if start_over:  # what expired before the plan's height can be in no block above it
            first = max(1, plan.height - site.genesis.limits.valid_window)
        dropped = _list_dropped(site, old, plan.number, max(first, old.base))
        old_height = old.height
        publish_recovered(site.ledger.with_name(f"{LEDGER}.repair"), site.ledger, plan.number)
    settle(site.ledger)
    aside = archive(site.ledger, plan.number)
    return Recovered(plan.number, height, old_height, dropped, aside)


def _check_certificate(site: Site, old: Store, recovery: Recovery) -> None:
    """At once, not after the replay that would find it as well."""
    epoch = old.epochs.at(recovery.plan.height)
    try:
        verify_execution_certificate(
            recovery.certificate, epoch.validators, epoch.domain, site.provider.verify_batch
        )
    except CertificateInvalid as error:
        raise RecoveryInvalid(f"the block that the plan names is not certified: {error}") from None


def _rebuild(
    site: Site, old: Store, recovery: Recovery, engine: Engine, kept: int, advance: Advance
) -> int:
    """Blocks up to `kept` in a ledger that follows the plan."""
    path = building(site.ledger)
    writes = engine.apply_genesis(site.genesis).writes
    plan = recovery.plan
    rules = ChainRules(chain_id(site.genesis), site.genesis.limits)
    with closing(Store.create(path, site.genesis, writes)) as fresh:
        for earlier in (*old.recoveries, recovery):
            fresh.follow(earlier)
        runs = runs_of(
            old,
            {plan.height: recovery.certificate},
            last=kept,
            length_max=rules.founded.watermark_window,
        )
        try:
            replay(runs, fresh, Executor(fresh, engine, rules), site.provider, advance)
        except Diverged as found:
            raise RecoverRefused(
                f"this node's release or machine is wrong, its ledger apart: {found}; install the "
                "release that the other nodes run, and try again"
            ) from None
        # What is below the plan and not certified yet comes from peers; all else must be there.
        if fresh.height < (kept if kept == plan.height else min(kept, old.certified_height)):
            raise RecoverRefused(
                f"the blocks of this node above {fresh.height} cannot be read or are not proved: "
                "run this again with --start-over; the node then fetches them from its peers"
            )
        # What is above the plan's height is signed for another domain: no promise is broken there.
        promised = min(_promised(old, fresh, plan.height), plan.height)
        fresh.put_meta(DISOWNED_KEY, promised.to_bytes(8, "big"))
        return fresh.height


def _promised(old: Store, fresh: Store, height: int) -> int:
    """Up to where this node may have signed other outcomes than it has now (see node.repair)."""
    reach = min(old.height, height)
    is_alike = fresh.height >= reach and all(
        old.statement(number) == fresh.statement(number) for number in range(1, reach + 1)
    )
    return disowned(old) if is_alike else max(disowned(old), old.height)


# --- what is set aside ----------------------------------------------------------------------


def _list_dropped(site: Site, old: Store, number: int, first: int) -> int:
    """Write to a file the transactions from height `first` on and the journal's; how many."""
    folder = archive(site.ledger, number)
    make_directory(folder)
    lines: dict[bytes, str] = {}
    for height in range(first, old.height + 1):
        try:
            found = old.block(height).transactions
        except LedgerError as damage:
            _log.warning("block_unreadable", reason=str(damage), kept_in=str(folder))
            continue
        for transaction in found:
            lines[transaction_id(transaction)] = _line(transaction, height)
    for transaction in _journaled(site.data_dir / JOURNAL):
        name = transaction_id(transaction)
        if name not in lines and old.find_transaction(name) is None:
            lines[name] = _line(transaction, None)
    with open(folder / DROPPED, "w", encoding="utf-8") as file:
        file.writelines(lines.values())
        file.flush()
        os.fsync(file.fileno())
    sync_directory(folder)
    return len(lines)


def _journaled(folder: Path) -> Sequence[Transaction]:
    """Transactions that were voted on and are in no block yet."""
    if not folder.exists():
        return ()
    try:
        with closing(Journal(folder)) as journal:
            return journal.recovered.transactions
    except JournalDamaged as damage:  # its votes are void, its transactions others have
        _log.warning("journal_damaged", reason=str(damage))
        return ()


def _line(transaction: Transaction, height: int | None) -> str:
    body = decode(transaction.body, TransactionBody, size_max=len(transaction.body))
    fields = {
        "transaction_id": transaction_id(transaction).hex(),
        "height": height,  # where it was; None: in no block
        "valid_until": body.valid_until,
        "contract": body.contract,
        "method": body.method,
        "transaction": encode(transaction).hex(),
    }
    return json.dumps(fields, ensure_ascii=False) + "\n"


def read_dropped(path: Path) -> Iterator[bytes]:
    """The encoded transactions of such a file, to be sent again. Raises DecodeError."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            yield bytes.fromhex(json.loads(line)["transaction"])
        except (ValueError, KeyError, TypeError) as error:
            raise DecodeError(f"{path}, line {number}: {error}") from None
