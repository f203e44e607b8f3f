"""The form of a backup: a folder of segments, each a signed manifest and encrypted chunks.

    BACKUP/segment-00000001/manifest         a SignedManifest
    BACKUP/segment-00000001/chunk-000000     nonce (12) | SM4-GCM of a Run
    BACKUP/segment-00000002.new/             being written; worth nothing

A segment is whole as soon as its folder has its name. What is signed is the manifest with a tag
of its own; it lists the SM3 of every chunk, and the SM3 of the manifest before it. The key of a
segment's chunks is drawn for it alone and sealed to the operator's public key.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crypto import sm3, sm4
from crypto.envelope import OVERHEAD_BYTES, open_with, seal_to
from crypto.errors import DecryptionFailed, KeyInvalid
from ledger.encoding import decode, encode
from ledger.errors import DecodeError
from ledger.model import DIGEST_SIZE, Record
from ledger.recovery import RECOVERY_SIZE_MAX, Recovery, decode_recovery
from node.backup.errors import (
    BackupAltered,
    BackupBusy,
    BackupIncomplete,
    BackupKeyWrong,
    BackupMissing,
)
from node.peer_messages import BLOCKS_FRAME_MAX, Bundle

FORM = 1
TAG_MANIFEST = b"shuxin/backup/1\0"
_TAG_KEY = b"shuxin/backup/key/1\0"
_TAG_CHUNK = b"shuxin/backup/chunk/1\0"

MANIFEST = "manifest"
UNFINISHED = ".new"  # at the end of the name of a segment that is being written

# A chunk is closed after so many bytes: what a node has in hand at once, and holds its
# interpreter for (2 ms). One block may be larger.
CHUNK_SIZE = 1 << 20
CHUNK_SIZE_MAX = BLOCKS_FRAME_MAX
CHUNK_FILE_SIZE_MAX = CHUNK_SIZE_MAX + sm4.NONCE_BYTES + sm4.TAG_BYTES
# A segment is closed after so many chunks at the next certified block: what a crash costs.
SEGMENT_CHUNKS = 256
SEGMENT_CHUNKS_MAX = 1024  # windows are shorter than the difference
SEGMENTS_MAX = 1_000_000  # ten years of one every five minutes
PLANS_MAX = 64  # recovery plans that a manifest lists
MANIFEST_SIZE_MAX = 2 * RECOVERY_SIZE_MAX
WRAPPED_SIZE = OVERHEAD_BYTES + sm4.KEY_BYTES
PUBLIC_KEY_SIZE = 64
HEIGHT_MAX = (1 << 63) - 1
NO_SEGMENT = bytes(DIGEST_SIZE)  # what the first segment names as the one before it

_START_OVER = "restore from another copy of this backup"


class Chunk(Record):
    """One file of a segment: the blocks in it, and the size and SM3 of what is on disk."""

    first: int
    last: int
    size: int
    digest: bytes


class Manifest(Record):
    """What a segment holds. The chain id is the SM3 of the genesis, so it names that as well."""

    form: int
    chain_id: bytes
    number: int  # from 1, without gaps
    previous: bytes  # SM3 of the manifest file of the segment before; zeros for the first
    first: int  # heights of the blocks in it
    last: int
    block_hash: bytes  # of the last block
    state_root: bytes  # after it
    time_ms: int  # of the last block
    disowned: int  # see node.repair: about heights up to this the node says nothing any more
    plans: tuple[bytes, ...]  # encoded recovery plans that the chain follows
    recipient: bytes  # public key to which the key of the chunks is sealed
    wrapped_key: bytes
    signer: bytes  # public key of the node
    chunks: tuple[Chunk, ...]


class SignedManifest(Record):
    """`manifest` is encoded, so that what is verified is what is read."""

    manifest: bytes
    signature: bytes


class Run(Record):
    """The plaintext of a chunk: blocks in order, with the certificates that prove them."""

    bundles: tuple[Bundle, ...]

    @property
    def last(self) -> int:
        return self.bundles[-1].block.header.height


def segment_name(number: int) -> str:
    return f"segment-{number:08d}"


def chunk_name(index: int) -> str:
    return f"chunk-{index:06d}"


# --- manifests ------------------------------------------------------------------------------


def decode_manifest(data: bytes) -> Manifest:
    """A manifest whose numbers and sizes are within bounds. Raises DecodeError."""
    manifest = decode(data, Manifest, size_max=MANIFEST_SIZE_MAX)
    sizes = (
        (manifest.chain_id, DIGEST_SIZE),
        (manifest.previous, DIGEST_SIZE),
        (manifest.block_hash, DIGEST_SIZE),
        (manifest.state_root, DIGEST_SIZE),
        (manifest.recipient, PUBLIC_KEY_SIZE),
        (manifest.signer, PUBLIC_KEY_SIZE),
        (manifest.wrapped_key, WRAPPED_SIZE),
        *((chunk.digest, DIGEST_SIZE) for chunk in manifest.chunks),
    )
    is_sized = all(len(field) == size for field, size in sizes)
    is_bounded = (
        manifest.form == FORM
        and 1 <= manifest.number <= SEGMENTS_MAX
        and 1 <= manifest.first <= manifest.last <= HEIGHT_MAX
        and 0 <= manifest.disowned <= HEIGHT_MAX
        and 1 <= len(manifest.chunks) <= SEGMENT_CHUNKS_MAX
        and len(manifest.plans) <= PLANS_MAX
    )
    if not is_sized or not is_bounded:
        raise DecodeError("a number or a size in the manifest of a segment is out of bounds")
    expected = manifest.first
    for chunk in manifest.chunks:
        if chunk.first != expected or chunk.last < chunk.first:
            raise DecodeError("the chunks in a manifest do not follow each other")
        if not sm4.NONCE_BYTES + sm4.TAG_BYTES < chunk.size <= CHUNK_FILE_SIZE_MAX:
            raise DecodeError("a chunk in a manifest is larger than any may be")
        expected = chunk.last + 1
    if expected != manifest.last + 1:
        raise DecodeError("the chunks in a manifest do not reach to its last block")
    return manifest


def recoveries_of(manifest: Manifest) -> tuple[Recovery, ...]:
    """The recovery plans in a manifest. Raises DecodeError."""
    return tuple(decode_recovery(plan) for plan in manifest.plans)


# --- keys and chunks ------------------------------------------------------------------------


def new_key(recipient: bytes, chain_id: bytes, number: int) -> tuple[bytes, bytes]:
    """A key for one segment, and the same sealed to `recipient`. Raises KeyInvalid."""
    key = secrets.token_bytes(sm4.KEY_BYTES)
    return key, seal_to(recipient, key, _TAG_KEY + encode((chain_id, number)))


def open_key(private: bytes, manifest: Manifest) -> bytes:
    """The key of a segment. Raises BackupKeyWrong."""
    bound = _TAG_KEY + encode((manifest.chain_id, manifest.number))
    try:
        key = open_with(private, manifest.wrapped_key, bound)
    except (DecryptionFailed, KeyInvalid):
        key = b""
    if len(key) != sm4.KEY_BYTES:
        raise BackupKeyWrong(
            f"this key does not open segment {manifest.number}, though its public key is the one "
            f"to which it was sealed: the segment was altered; {_START_OVER}"
        )
    return key


def seal_chunk(key: bytes, manifest: tuple[bytes, int], index: int, run: bytes) -> bytes:
    """The content of a chunk's file; `manifest` is (chain id, number of the segment)."""
    nonce = secrets.token_bytes(sm4.NONCE_BYTES)
    return nonce + sm4.seal(key, nonce, run, _bound(*manifest, index))


def open_chunk(key: bytes, manifest: Manifest, index: int, content: bytes) -> Run:
    """The blocks in a chunk. Raises BackupAltered, and nothing else, whatever `content` is."""
    where = f"{segment_name(manifest.number)}/{chunk_name(index)}"
    chunk = manifest.chunks[index]
    nonce, sealed = content[: sm4.NONCE_BYTES], content[sm4.NONCE_BYTES :]
    try:
        if len(nonce) != sm4.NONCE_BYTES:
            raise DecryptionFailed("too short for a nonce")
        data = sm4.open_sealed(
            key, nonce, sealed, _bound(manifest.chain_id, manifest.number, index)
        )
        run = decode_run(data, chunk.first)
    except (DecryptionFailed, DecodeError) as error:
        raise BackupAltered(f"{where}: {error}; {_START_OVER}") from None
    if run.last != chunk.last:
        raise BackupAltered(f"{where} does not end with block {chunk.last}; {_START_OVER}")
    return run


def decode_run(data: bytes, first: int) -> Run:
    """Blocks in order from `first` on, at least one. Raises DecodeError."""
    run = decode(data, Run, size_max=CHUNK_SIZE_MAX)
    heights = [bundle.block.header.height for bundle in run.bundles]
    if not heights or heights != list(range(first, first + len(heights))):
        raise DecodeError(f"these are not blocks in order from {first} on")
    return run


def _bound(chain_id: bytes, number: int, index: int) -> bytes:
    return _TAG_CHUNK + encode((chain_id, number, index))


# --- files ----------------------------------------------------------------------------------


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else writes to this existing folder meanwhile. Raises BackupBusy."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise BackupBusy(f"another process is writing to {folder}: wait for it to end") from None
    try:
        yield
    finally:
        os.close(descriptor)


def _no_link(path: str, flags: int) -> int:
    """Opens what is there itself; a pipe in its place is read as empty instead of waited for."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def read_file(path: Path, size_max: int) -> bytes:
    """A file of a backup, of at most `size_max` bytes. Raises BackupError, never OSError."""
    try:
        with open(path, "rb", opener=_no_link) as file:
            content = file.read(size_max + 1)
    except FileNotFoundError:
        raise BackupIncomplete(f"{path} is missing; {_START_OVER}") from None
    except OSError as error:
        raise BackupMissing(f"{path} cannot be read: {error.strerror}; {_START_OVER}") from None
    if len(content) > size_max:
        raise BackupAltered(f"{path} is longer than {size_max} bytes; {_START_OVER}")
    return content


def digest_of(content: bytes) -> bytes:
    return sm3.digest(content)
