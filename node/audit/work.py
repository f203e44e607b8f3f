"""The replay's own ledger, and how a long replay goes on after a pause.

What a replay knows is a ledger that it made itself, from the genesis. Kept in a folder, it is all
that going on needs: a block that stands in it was made by the rules and executed here. Beside it
stands a checkpoint: up to which height everything else was checked, too (signatures, certificates,
receipts, statements), and the digest of all that the source held up to there. Whoever goes on reads
the source from its beginning and compares that digest, so a folder fits one content and no other.

The folder is believed as much as the machine it stands on: keep it where only the auditor writes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from crypto import sm3
from crypto.files import replace_file
from ledger.encoding import decode, encode
from ledger.errors import DecodeError, LedgerDamaged
from ledger.genesis import Genesis, chain_id
from ledger.model import EMPTY_DIGEST, Record
from ledger.store import Store
from node import VERSION
from node.audit.examined import Examined
from node.bootstrap import LEDGER
from node.execute import Engine

TAG_CONTENT: Final = b"shuxin/audit-content/1\0"
TAG_CHECKPOINT: Final = b"shuxin/audit-checkpoint/1\0"
CHECKPOINT: Final = "checkpoint"
MADE_KEY: Final = b"audit/made"  # in a replay's own ledger alone: by which release
CHECKPOINT_S: Final = 5.0  # between two; so much is verified twice after a crash
_SIZE_MAX = 1 << 20


class WorkRefused(Exception):
    """The folder of an earlier replay does not fit this one; says why and what to do."""


class CountedAnomaly(Record):
    """See node.audit.verdict.Anomaly."""

    name: str
    count: int
    heights: tuple[int, ...]


class Checkpoint(Record):
    """Everything up to `height` was checked."""

    chain_id: bytes
    height: int
    content: bytes  # digest of what the source held up to `height`
    certified_height: int
    transactions: int
    signatures: int
    milliseconds: int
    anomalies: tuple[CountedAnomaly, ...]


def content_after(before: bytes, stored: Examined) -> bytes:
    """The digest of a source up to a height, from that up to the height before."""
    parts = (
        stored.block,
        stored.receipts,
        stored.statement,
        stored.commit_certificate,
        stored.execution_certificate,
    )
    return sm3.digest(TAG_CONTENT + before + encode(parts))


CONTENT_BEGIN: Final = EMPTY_DIGEST


@dataclass(frozen=True, slots=True)
class Work:
    """`again` is the ledger made anew; `folder` keeps it, None for one that is thrown away."""

    again: Store
    folder: Path | None
    checkpoint: Checkpoint | None

    def save(self, checkpoint: Checkpoint) -> None:
        """Atomically, if the folder is kept. Raises OSError."""
        if self.folder is None:
            return
        body = TAG_CHECKPOINT + encode(checkpoint)
        replace_file(self.folder / CHECKPOINT, body + sm3.digest(body))


@contextmanager
def opened_work(folder: Path | None, genesis: Genesis, engine: Engine) -> Iterator[Work]:
    """The ledger to replay into: what `folder` holds of an earlier sitting, or a new one.

    Raises WorkRefused for a folder of another chain or release, or a damaged one.
    """
    if folder is None:
        with tempfile.TemporaryDirectory() as temporary:
            again = _created(Path(temporary), genesis, engine)
            try:
                yield Work(again, None, None)
            finally:
                again.close()
        return
    checkpoint = None
    if (folder / LEDGER).exists():
        checkpoint = _checkpoint(folder, genesis)
        again = _reopened(folder, genesis)
        if checkpoint is not None and not _reaches(again, checkpoint):
            checkpoint = None  # the power failed: what is left of the ledger is verified again
    else:
        folder.mkdir(parents=True, exist_ok=True)
        again = _created(folder, genesis, engine)
    try:
        yield Work(again, folder, checkpoint)
    finally:
        again.close()


def _reaches(again: Store, checkpoint: Checkpoint) -> bool:
    """Whether all that was written up to the checkpoint is there; certificates come last."""
    height = checkpoint.height
    if again.height != height or checkpoint.certified_height != height or height == 0:
        return again.height >= height
    return again.execution_certificate(height) is not None


def _created(folder: Path, genesis: Genesis, engine: Engine) -> Store:
    writes = engine.apply_genesis(genesis).writes
    again = Store.create(folder / LEDGER, genesis, writes, is_durable=False)
    again.put_meta(MADE_KEY, VERSION.encode())
    return again


def _reopened(folder: Path, genesis: Genesis) -> Store:
    try:
        again = Store.open(folder / LEDGER, is_durable=False)
    except LedgerDamaged as error:
        raise WorkRefused(_again(folder, f"its ledger is damaged: {error}")) from None
    try:
        made = again.get_meta(MADE_KEY)
        if made is None:
            raise WorkRefused(_again(folder, "no replay made its ledger, so it proves nothing"))
        if made != VERSION.encode():
            began = made.decode("ascii", "replace")
            raise WorkRefused(_again(folder, f"release {began} began it, this is {VERSION}"))
        if again.genesis != genesis:
            raise WorkRefused(_again(folder, "it is a replay of another genesis"))
        again.scrub()
    except LedgerDamaged as error:
        again.close()
        raise WorkRefused(_again(folder, f"its ledger is damaged: {error}")) from None
    except BaseException:
        again.close()
        raise
    return again


def _checkpoint(folder: Path, genesis: Genesis) -> Checkpoint | None:
    """None if no sitting came that far: then everything but execution is done again."""
    try:
        with (folder / CHECKPOINT).open("rb") as file:
            data = file.read(_SIZE_MAX)
    except FileNotFoundError:
        return None
    body, digest = data[:-32], data[-32:]
    if not body.startswith(TAG_CHECKPOINT) or sm3.digest(body) != digest:
        raise WorkRefused(_again(folder, "its checkpoint is damaged, or of another version"))
    try:
        found = decode(body[len(TAG_CHECKPOINT) :], Checkpoint, size_max=_SIZE_MAX)
    except DecodeError as error:
        raise WorkRefused(_again(folder, f"its checkpoint is damaged: {error}")) from None
    if found.chain_id != chain_id(genesis):
        raise WorkRefused(_again(folder, "it is a replay of another genesis"))
    return found


def check_content(work: Work, found: bytes) -> None:
    """Whether the source is the one that the earlier sitting read. Raises WorkRefused."""
    if work.checkpoint is not None and found != work.checkpoint.content:
        refuse_altered(work, work.checkpoint.height)


def refuse_altered(work: Work, height: int) -> NoReturn:
    """What an earlier sitting made of another source says nothing about this one."""
    reason = (
        f"up to block {height} the source is not what it was then: it is another one, or was "
        "altered since"
    )
    raise WorkRefused(_again(work.folder, reason))


def _again(folder: Path | None, reason: str) -> str:
    return f"{folder} does not fit this replay: {reason}; name an empty folder to begin anew"
