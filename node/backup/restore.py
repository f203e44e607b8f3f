"""Restoring a backup onto a bare machine: its blocks are executed again, and believed only then.

Every block is proved by its commit certificate and a quorum's execution certificates, from the
genesis on, as in a repair (node.rebuild); the state is what executing them gives, and its root
must be the certified one. The ledger gets its name at the very end, so that what was refused or
interrupted leaves nothing that a node would start on. Votes are not in a backup: whoever starts
the restored node counts it among the f that may fail until it has caught up.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from contracts.registry import nodes_of
from crypto import sm2
from crypto.files import make_directory, sync_directory
from crypto.provider import CryptoProvider
from ledger.errors import DecodeError, RecoveryInvalid
from ledger.genesis import Genesis, chain_id
from ledger.recovery import verify_recovery
from ledger.store import Store
from node.backup.errors import (
    BackupAltered,
    BackupKeyWrong,
    BackupMissing,
    BackupTooOld,
    BackupUnproved,
    RestoreTargetNotEmpty,
)
from node.backup.form import Manifest, alone, recoveries_of
from node.backup.read import Segment, bundles, check_chunks, read_segments
from node.bootstrap import LEDGER
from node.execute import ChainRules, Diverged, Engine, Executor
from node.peer_messages import Bundle
from node.rebuild import in_runs, replay
from node.repair import DISOWNED_KEY

BUILDING = f"{LEDGER}.restoring"

Advance = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be made: an empty or missing `data_dir`, for the chain of `genesis`.

    `provider` verifies; `make_engine` runs contracts.
    """

    data_dir: Path
    genesis: Genesis
    provider: CryptoProvider
    make_engine: Callable[[], Engine]


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored; `state_root` was executed, and certified by a quorum."""

    height: int
    state_root: bytes
    time_ms: int  # of the newest block
    segments: int
    signer: bytes


def restore(
    folder: Path, private: bytes, target: Target, *, height_min: int = 0, advance: Advance
) -> Restored:
    """Make the ledger of the backup in `folder`, which the key `private` opens.

    `height_min`: refuse a backup that ends below. `advance(height, last)` is told of every block.
    Raises BackupError; EngineFault where another release has to do it; WorkerFault, LedgerError
    and OSError where another attempt may help. Unless it returns, there is no ledger.
    """
    segments = _checked(folder, private, target, height_min)
    make_directory(target.data_dir)
    with alone(target.data_dir):
        _check_empty(target.data_dir)
        building = target.data_dir / BUILDING
        try:
            _build(building, segments, private, target, advance)
            sync_directory(building)
            building.rename(target.data_dir / LEDGER)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
        sync_directory(target.data_dir)
    newest = segments[-1].manifest
    return Restored(newest.last, newest.state_root, newest.time_ms, len(segments), newest.signer)


def _checked(folder: Path, private: bytes, target: Target, height_min: int) -> list[Segment]:
    """All that can be known before a block is executed."""
    segments = read_segments(folder, chain_id(target.genesis), target.provider.verify_batch)
    if not segments:
        raise BackupMissing(f"{folder} holds no finished segment: name the folder of a backup")
    public = sm2.public_key(private)
    for segment in segments:
        if segment.manifest.recipient != public:
            raise BackupKeyWrong(
                f"{segment.path} is sealed to the key {segment.manifest.recipient.hex()[:16]}…, "
                f"this key is {public.hex()[:16]}…: give the backup's key with --key"
            )
    last = segments[-1].manifest.last
    if last < height_min:
        raise BackupTooOld(
            f"the backup ends at block {last}, below {height_min}: its newest segments are "
            "missing; find them, or ask for less"
        )
    for segment in segments:
        check_chunks(segment)
    return segments


def _check_empty(data_dir: Path) -> None:
    """But for what an interrupted restore left, which goes away."""
    for left in (data_dir / BUILDING, data_dir / f"{BUILDING}.new"):
        if left.exists():
            shutil.rmtree(left)
    found = sorted(path.name for path in data_dir.iterdir())
    if found:
        raise RestoreTargetNotEmpty(
            f"{data_dir} holds {', '.join(found[:4])}: a restore never overwrites; name an empty "
            "or new folder, and keep this one until the node has caught up"
        )


def _build(
    path: Path, segments: Sequence[Segment], private: bytes, target: Target, advance: Advance
) -> None:
    newest = segments[-1].manifest
    rules = ChainRules(chain_id(target.genesis), target.genesis.limits)
    with closing(target.make_engine()) as engine:
        writes = engine.apply_genesis(target.genesis).writes
        with closing(Store.create(path, target.genesis, writes)) as fresh:
            try:
                _follow_plans(fresh, newest, target.provider)
                replay(
                    in_runs(_all(segments, private), rules.founded.watermark_window),
                    fresh,
                    Executor(fresh, engine, rules),
                    target.provider,
                    lambda height: advance(height, newest.last),
                )
            except (Diverged, RecoveryInvalid) as found:
                raise BackupUnproved(
                    f"{found}; install the release that the network runs, and try again"
                ) from None
            _check_outcome(fresh, newest)
            fresh.put_meta(DISOWNED_KEY, newest.disowned.to_bytes(8, "big"))


def _follow_plans(fresh: Store, manifest: Manifest, provider: CryptoProvider) -> None:
    try:
        recoveries = recoveries_of(manifest)
    except DecodeError as error:
        raise BackupAltered(
            f"a recovery plan in the backup is damaged: {error}; restore from another copy"
        ) from None
    for recovery in recoveries:
        verify_recovery(recovery, fresh.recoveries, fresh.chain_id, provider.verify_batch)
        fresh.follow(recovery)


def _all(segments: Sequence[Segment], private: bytes) -> Iterator[Bundle]:
    for segment in segments:
        yield from bundles(segment, private)


def _check_outcome(fresh: Store, newest: Manifest) -> None:
    """The end of the chain is the one that was signed for, by a node that this chain knows."""
    if fresh.height < newest.last:
        raise BackupUnproved(
            f"block {fresh.height + 1} of the backup is not proved by a quorum's certificates: "
            "restore from another copy, or from the backup of another node"
        )
    statement = fresh.head_statement()
    if (statement.block_hash, statement.state_root) != (newest.block_hash, newest.state_root):
        raise BackupUnproved(
            f"block {newest.last}: executing the backup gives the state root "
            f"{statement.state_root.hex()}, its manifest says {newest.state_root.hex()}: restore "
            "from another copy, or from the backup of another node"
        )
    members = {
        validator.public_key
        for epoch in fresh.epochs.all
        for validator in epoch.validators.validators
    }
    if newest.signer not in members | {node.public_key for node in nodes_of(fresh)}:
        raise BackupUnproved(
            f"the backup is signed with the key {newest.signer.hex()[:16]}…, which belongs to no "
            "node of this chain: restore from the backup of a node that is registered"
        )
