"""The node's side of a backup: a socket in its data directory for who runs it, and nobody else.

LevelDB cannot be opened twice, so what reads a live ledger asks the node. The socket is
for the node's user or root (node.local). A visitor gets blocks, which are never
changed once they are stored, and the node's signature under a manifest of exactly this ledger;
a snapshot, which the node makes and keeps for its peers anyway, is had for the asking, and there is
nothing to be changed. Encrypting and writing is the
visitor's work, in the visitor's process. One visitor at a time, at a bounded pace.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
import trio

from crypto.errors import CryptoError
from crypto.provider import CryptoProvider
from ledger.base import base_max
from ledger.encoding import decode, encode
from ledger.errors import DecodeError, LedgerError
from ledger.model import Record
from ledger.store import Store
from node import local
from node.backup.form import (
    CHUNK_SIZE,
    MANIFEST_SIZE_MAX,
    TAG_MANIFEST,
    Manifest,
    Run,
    decode_manifest,
)
from node.bundles import stored_bundle
from node.peer_messages import Bundle
from node.refusals import Refusal
from node.repair import disowned
from node.statesync.keeper import Keeper
from node.statesync.serve import past_run

if TYPE_CHECKING:
    from trio_typing import TaskStatus

SOCKET = "backup.sock"
PACE = 16 << 20  # bytes a second that are handed out at most
TURN_S = 5.0  # for which a visitor waits for the one before him to be gone
SILENCE_S = 60.0  # after which a visitor who says nothing is sent away
ASK_SIZE_MAX = MANIFEST_SIZE_MAX + 256

STANDING, BLOCKS, SIGN, SCRUB = "standing", "blocks", "sign", "scrub"
SNAPSHOT, PAST = "snapshot", "past"

_log = structlog.get_logger("node.backup")


class Ask(Record):
    """STANDING; BLOCKS from `first` to `last` at most; SIGN the encoded manifest in `data`; SCRUB:
    how far the patrol is, a new one if `first` is 1; SNAPSHOT of the newest block, or (`first`) how
    that of this height is coming on; PAST blocks from `first` on, with their receipts."""

    what: str
    first: int = 0
    last: int = 0
    data: bytes = b""


class Answer(Record):
    """`refused` is "" or the sentence why there is no `data`."""

    refused: str
    data: bytes


class Standing(Record):
    """What there is to back up: blocks 1 to `last`, which a quorum certified (0: none yet)."""

    chain_id: bytes
    last: int
    disowned: int
    plans: tuple[bytes, ...]
    signer: bytes


class Making(Record):
    """A snapshot that was ordered: of which block, the first of the blocks that go with it, and
    whether its file is whole."""

    height: int
    first: int
    is_kept: bool


class _Refused(Exception):
    """The visitor is told this sentence."""


class Door:
    """Serves one node's ledger until it is cancelled."""

    def __init__(
        self,
        data_dir: Path,
        store: Store,
        provider: CryptoProvider,
        check_readable: Callable[[], None],
        scrub: Callable[[bool], bytes],
        keeper: Keeper,
    ) -> None:
        """`check_readable` raises Refusal while the ledger is in doubt.

        `scrub(is_new)` gives the encoded state of the patrol, on the main task.
        """
        self._data_dir = data_dir
        self._store = store
        self._provider = provider
        self._check_readable = check_readable
        self._scrub = scrub
        self._keeper = keeper
        self._turn = trio.Lock()

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """A door that cannot be made is no reason for a node not to run: the log says so."""
        try:
            listener = local.listen(self._data_dir, SOCKET, waiting_max=1)
        except OSError as error:
            _log.warning(
                "backup_door_missing", reason=str(error), advice="this node takes no backups"
            )
            task_status.started()
            return
        task_status.started()
        try:
            await trio.serve_listeners(self._visit, [listener])
        finally:
            (self._data_dir / SOCKET).unlink(missing_ok=True)

    # --- visits -----------------------------------------------------------------------------

    async def _visit(self, stream: trio.SocketStream) -> None:
        try:
            if local.may_command(local.peer_of(stream.socket).uid):
                await self._serve_in_turn(stream)
            else:
                _log.warning("backup_stranger", advice="the data directory is open to others")
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            pass  # the visitor is gone; what he has not finished is worth nothing
        except DecodeError as error:
            _log.warning("backup_visitor_unclear", reason=str(error))
        finally:
            await trio.aclose_forcefully(stream)

    async def _serve_in_turn(self, stream: trio.SocketStream) -> None:
        has_turn = False
        try:
            with trio.move_on_after(TURN_S):
                await self._turn.acquire()
                has_turn = True
            if has_turn:
                await self._serve(stream)
            elif await _receive(stream) is not None:  # or the answer would be lost with the line
                await _send(stream, Answer("another backup is being taken; wait for it", b""))
        finally:
            if has_turn:
                self._turn.release()

    async def _serve(self, stream: trio.SocketStream) -> None:
        while (data := await _receive(stream)) is not None:
            ask = decode(data, Ask, size_max=ASK_SIZE_MAX)
            try:
                if ask.what != SCRUB:
                    self._check_readable()
                answer = Answer("", await trio.to_thread.run_sync(self._answer, ask))
            except (Refusal, _Refused, LedgerError, CryptoError) as error:
                answer = Answer(str(error), b"")
            await _send(stream, answer)
            await trio.sleep(len(answer.data) / PACE)

    def _answer(self, ask: Ask) -> bytes:
        if ask.what == STANDING:
            return encode(self._standing())
        if ask.what == BLOCKS:
            return encode(self._run(ask.first, ask.last))
        if ask.what == SIGN:
            return self._sign(ask.data)
        if ask.what == SCRUB:
            return trio.from_thread.run_sync(self._scrub, ask.first == 1)
        if ask.what == SNAPSHOT:
            return encode(self._snapshot(ask.first))
        if ask.what == PAST:
            return self._past(ask.first)
        raise _Refused(f"this release knows no question {ask.what!r}: use its own command line")

    def _standing(self) -> Standing:
        store = self._store
        return Standing(
            chain_id=store.chain_id,
            last=_newest_certified(store),
            disowned=disowned(store),
            plans=tuple(encode(recovery) for recovery in store.recoveries),
            signer=self._provider.public_key,
        )

    def _run(self, first: int, last: int) -> Run:
        """As many blocks as make a chunk."""
        base = self._store.base
        if 1 <= first < base:
            raise _Refused(
                f"this node keeps blocks from {base} on, and block {first} is not among them: go "
                "on with a backup that reaches there, or take one of a node that keeps more"
            )
        if not 1 <= first <= last <= self._store.height:
            raise _Refused(f"this node has no blocks {first} to {last}; ask for its standing")
        bundles: list[Bundle] = []
        size = 0
        for height in range(first, last + 1):
            bundle = stored_bundle(self._store, height)
            bundles.append(bundle)
            size += len(encode(bundle))
            if size >= CHUNK_SIZE:
                break
        return Run(tuple(bundles))

    def _snapshot(self, height: int) -> Making:
        keeper = self._keeper
        if not height:
            height = trio.from_thread.run_sync(keeper.order)
            if not height:
                raise _Refused(
                    "this chain has no snapshots yet: it is not longer than the blocks that come "
                    "with one, or it follows a recovery plan; copy it as a backup"
                )
        is_kept = any(reader.manifest.height == height for reader in keeper.kept)
        if not is_kept and keeper.making != height:
            raise _Refused(f"the snapshot of block {height} could not be made; its log says why")
        return Making(height, base_max(height, self._store.genesis.limits), is_kept)

    def _past(self, first: int) -> bytes:
        run = past_run(self._store, first)
        if run is None:
            raise _Refused(f"this node keeps no certified block {first}")
        return run

    def _sign(self, data: bytes) -> bytes:
        """The signature under a manifest, if it says of this ledger what is true."""
        manifest = decode_manifest(data)
        standing = self._standing()
        ours = (standing.chain_id, standing.disowned, standing.plans, standing.signer)
        theirs = (manifest.chain_id, manifest.disowned, manifest.plans, manifest.signer)
        if ours != theirs or manifest.last > standing.last or not self._agrees(manifest):
            raise _Refused("the manifest is not about this node's ledger as it stands; try again")
        _log.info(
            "backup_signed", segment=manifest.number, first=manifest.first, last=manifest.last
        )
        return self._provider.sign(TAG_MANIFEST + data)

    def _agrees(self, manifest: Manifest) -> bool:
        statement = self._store.statement(manifest.last)
        return (statement.block_hash, statement.state_root, statement.time_ms) == (
            manifest.block_hash,
            manifest.state_root,
            manifest.time_ms,
        )


def _newest_certified(store: Store) -> int:
    """The highest block with a certificate: what is below it is proved through it."""
    certified = store.certified_height
    for height in range(store.height, certified, -1):
        if store.execution_certificate(height) is not None:
            return height
    return certified


async def _send(stream: trio.SocketStream, answer: Answer) -> None:
    await local.send(stream, encode(answer), within_s=SILENCE_S)


async def _receive(stream: trio.SocketStream) -> bytes | None:
    return await local.receive(stream, size_max=ASK_SIZE_MAX, within_s=SILENCE_S)
