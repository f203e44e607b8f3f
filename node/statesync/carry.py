"""A snapshot in a file: out of a live node, and into a data directory without a network.

The file has the blocks that a ledger needs beside the state. It is believed as little as a peer:
everything is proved by the same code, and what was forged or damaged makes no ledger.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from crypto.provider import CryptoProvider
from ledger.errors import DecodeError, LedgerDamaged, SnapshotInvalid
from ledger.genesis import Genesis
from ledger.joining import Joining
from ledger.snapshot import check_chunk, check_manifest
from ledger.snapshot_file import SnapshotReader, SnapshotWriter
from node.backup.door import Making
from node.backup.visitor import Visitor
from node.bootstrap import LEDGER
from node.ledgers import joining, publish_joined, settle
from node.statesync.join import take_run
from node.statesync.keeper import FOLDER
from node.statesync.messages import decode_run
from node.statesync.verify import coming_committee

POLL_S = 0.3  # between two looks at a snapshot that is being made

Advance = Callable[[int, int], None]  # pieces done, and of how many


class OutputExists(Exception):
    """A snapshot is never written over a file."""


class TargetHasLedger(Exception):
    """A ledger is never replaced by a file."""


class SnapshotTooOld(Exception):
    """The snapshot is of a block below the height that was asked for."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What was written, or what a ledger was made of."""

    height: int
    state_root: bytes
    time_ms: int  # of the block
    chunks: int
    size: int  # bytes of the state and the blocks


def take_snapshot(data_dir: Path, output: Path, advance: Advance) -> Carried:
    """Have the node that runs on `data_dir` make a snapshot now, and write it to a new file.

    Raises NodeAway, NodeRefused, OutputExists, SnapshotInvalid, OSError.
    """
    if output.exists():
        raise OutputExists(f"{output} is there already: name a new file")
    with Visitor(data_dir) as node:
        made = _made(node)
        with SnapshotReader(data_dir / FOLDER / f"{made.height}.snapshot") as kept:
            writer = SnapshotWriter(output)
            try:
                _copy(kept, node, made.first, writer, advance)
                writer.finish(kept.manifest)
            except BaseException:
                writer.abandon()
                raise
    with SnapshotReader(output) as written:
        return _carried(written)


def _made(node: Visitor) -> Making:
    """A snapshot that was made just now."""
    making = node.snapshot()
    while not making.is_kept:
        time.sleep(POLL_S)
        making = node.snapshot(making.height)
    return making


def _copy(
    kept: SnapshotReader,
    node: Visitor,
    first: int,
    writer: SnapshotWriter,
    advance: Advance,
) -> None:
    last = kept.manifest.height
    total = kept.chunks + last + 1 - first
    for index in range(kept.chunks):
        writer.chunk(kept.chunk(index))
        advance(index + 1, total)
    while first <= last:
        data = node.past(first)
        writer.run(data)
        first += len(decode_run(data).blocks)
        advance(min(total, total - (last + 1 - first)), total)


def join_from_file(
    file: Path,
    data_dir: Path,
    genesis: Genesis,
    provider: CryptoProvider,
    *,
    height_min: int,
    advance: Advance,
) -> Carried:
    """Make the ledger of a node out of a snapshot in a file. Goes on where it was interrupted.

    `provider` verifies. A quorum certified the snapshot; that it is a recent one, nobody says but
    `height_min`. Raises SnapshotInvalid, SnapshotTooOld, TargetHasLedger, LedgerDamaged, OSError.
    """
    ledger = data_dir / LEDGER
    settle(ledger) if data_dir.is_dir() else data_dir.mkdir(parents=True)
    if ledger.exists():
        raise TargetHasLedger(f"{ledger} is there already: name an empty or new data directory")
    with SnapshotReader(file) as snapshot:
        manifest = snapshot.manifest
        if manifest.height < height_min:
            raise SnapshotTooOld(
                f"{file} is of block {manifest.height}, below {height_min}: find a newer one"
            )
        epochs = check_manifest(manifest, genesis, provider.verify_batch)
        made = _open(joining(ledger), snapshot, genesis)
        try:
            total = snapshot.chunks + made.height + 1 - made.base
            for index in made.missing:
                made.add_chunk(index, check_chunk(manifest, index, snapshot.chunk(index)))
                advance(index + 1, total)
            for index in range(snapshot.runs):
                data = snapshot.run(index)
                if _last_height(data) >= made.next_past:
                    take_run(made, data, epochs, provider)
                    advance(total - (made.height + 1 - made.next_past), total)
            if made.next_past <= made.height:
                raise SnapshotInvalid(
                    f"{file} lacks block {made.next_past}: it was not written by `shuxin node "
                    "snapshot`, or cut; fetch another copy"
                )
            window = genesis.limits.watermark_window
            made.finish(epochs, coming_committee(made, epochs, made.height, window))
        finally:
            made.close()
        publish_joined(ledger, manifest.height)
        settle(ledger)
        return _carried(snapshot)


def _open(path: Path, snapshot: SnapshotReader, genesis: Genesis) -> Joining:
    """The ledger that is being made, from where an earlier attempt with this file left it."""
    if path.exists():
        try:
            made = Joining.resume(path, genesis)
        except (LedgerDamaged, DecodeError, SnapshotInvalid):
            made = None
        if made is not None and made.data == snapshot.data:
            return made
        if made is not None:
            made.close()
        shutil.rmtree(path)
    return Joining.create(path, snapshot.manifest, genesis)


def _last_height(run: bytes) -> int:
    try:
        return decode_run(run).blocks[-1].block.header.height
    except DecodeError as error:
        raise SnapshotInvalid(f"before the snapshot: {error}") from None


def _carried(snapshot: SnapshotReader) -> Carried:
    statement = snapshot.manifest.certificate.statement
    return Carried(
        statement.height,
        statement.state_root,
        statement.time_ms,
        snapshot.chunks,
        snapshot.size,
    )
