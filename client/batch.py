"""Things under one batch of evidence (存证): the digest of one, and the file that proves it.

A batch is a record of the contract `evidence` whose digest is the root of the list tree over many
digests. A file proof carries the record's proof bundle and the way from one digest up to that root;
who has the thing, the proof and a genesis file needs nothing else (docs/bundle.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from crypto import sm3
from ledger.bundle import BUNDLE_SIZE_MAX
from ledger.encoding import decode, encode
from ledger.errors import DecodeError, ProofInvalid
from ledger.merkle import ListPath, verify_path
from ledger.model import Record

SALT_SIZE: Final = 32  # bytes, random: before a thing that could be guessed from its digest
PLAIN: Final = "plain"
SALTED: Final = "salted"
NAME_MAX: Final = 4096  # bytes: the longest path of a file on Linux
TAG_FILE_PROOF: Final = b"shuxin/fileproof/1\0"  # a file's first bytes: format and version
# Beside the bundle: a name, a salt and 20 siblings.
FILE_PROOF_SIZE_MAX: Final = BUNDLE_SIZE_MAX + (16 << 10)


class FileProofInvalid(ProofInvalid):
    """The file is not under the batch, or the proof does not show it; the text says why."""


class FileProof(Record):
    """`salt` is empty or 32 bytes; `name` is what its owner calls the file, and is not proved."""

    name: str
    salt: bytes
    path: ListPath
    bundle: bytes  # the proof bundle of the batch's record, as ledger.bundle encodes it


def digest_of(salt: bytes, parts: Iterable[bytes]) -> bytes:
    """What a batch has of a thing: SM3 over the salt (empty: none) and its bytes, in parts."""
    hasher = sm3.hasher()
    hasher.update(salt)
    for part in parts:
        hasher.update(part)
    return hasher.digest()


def encode_file_proof(proof: FileProof) -> bytes:
    """The bytes of the file."""
    return TAG_FILE_PROOF + encode(proof)


def decode_file_proof(data: bytes) -> FileProof:
    """The proof in a file; its bundle is still bytes. Raises DecodeError for anything else."""
    if not data.startswith(TAG_FILE_PROOF):
        raise DecodeError("not the proof of a file under a batch: it does not begin like one")
    size_max = FILE_PROOF_SIZE_MAX - len(TAG_FILE_PROOF)
    proof = decode(data[len(TAG_FILE_PROOF) :], FileProof, size_max=size_max)
    if len(proof.salt) not in (0, SALT_SIZE):
        raise DecodeError(f"a salt has {SALT_SIZE} bytes, or none")
    if len(proof.name.encode()) > NAME_MAX:
        raise DecodeError(f"a name has at most {NAME_MAX} bytes")
    return proof


def check_file_proof(
    proof: FileProof, digest: bytes, *, root: bytes, size: int, salting: str
) -> None:
    """Check that a batch with this root, size and salting holds the digest of the proof's file.

    Raises FileProofInvalid.
    """
    if proof.path.size != size:
        raise FileProofInvalid(f"the way is one of {proof.path.size} digests; the batch has {size}")
    if bool(proof.salt) != (salting == SALTED):
        raise FileProofInvalid(f"the batch is {salting}, and the proof's salt is not of such a one")
    try:
        verify_path(digest, proof.path, root)
    except ProofInvalid as error:
        raise FileProofInvalid(
            f"{error}: the file was altered, or the proof is of another file or batch"
        ) from None
