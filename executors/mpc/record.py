"""What is said on chain about a run: program hash, transcript root, resources, protection.

Nothing here is a promise of correctness. Under semi-honest engines it is detection: equal program
hashes show that all compiled the same computation, equal transcript roots that each received what
the others sent, and the doubled components of output shares show tampering with one of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from crypto import sm3
from ledger import merkle
from ledger.encoding import encode
from ledger.model import Digest, Record

TAG_PROGRAM = b"shuxin/mpc/program/1\0"
TAG_TRANSCRIPT = b"shuxin/mpc/transcript/1\0"

# 8.2.2a: the model under which inputs cannot be derived; published with every result. At most 256
# characters: the task contract's limit.
PROTECTION = (
    "mpc spu-0.9.5 ABY3 FM128/40; 3 parties, semi-honest, honest majority, not malicious-secure; "
    "active: secret shares, pinned mTLS, sealed output, small groups suppressed, row counts "
    "padded; simulated: none; row bounds public"
)

RESOURCES = ("wall_ms", "cpu_ms", "memory_kib", "bytes_received", "bytes_sent")


class CompiledProgram(Record):
    """What is hashed as the program: the engine's own form and all that changes its meaning."""

    engine: str  # spu and its version
    front_end: str  # jax and its version: the compiled form depends on it
    configuration: bytes  # protocol, ring, fraction bits, sort and division settings
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    code: bytes


class TranscriptEntry(Record):
    """One message of the input phase: who sent which input to whom, and a salted digest."""

    sender: int
    receiver: int
    sequence: int
    commitment: bytes


def program_hash(compiled: CompiledProgram) -> Digest:
    """SM3 of the compiled program: what all parties must have run (8.2.4b1)."""
    return Digest(sm3.digest(TAG_PROGRAM + encode(compiled)))


def transcript_root(task_id: str, entries: Sequence[TranscriptEntry]) -> Digest:
    """One root over all messages of all parties; alike at every honest party."""
    ordered = sorted(entries, key=lambda entry: (entry.sender, entry.receiver, entry.sequence))
    root = merkle.root_of([sm3.digest(TAG_TRANSCRIPT + encode(entry)) for entry in ordered])
    return Digest(sm3.digest(TAG_TRANSCRIPT + encode((task_id, len(ordered), root))))
