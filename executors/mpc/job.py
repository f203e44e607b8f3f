"""What passes between an executor and the subprocess of a party: one job in, frames out.

The job goes over standard input and the frames over standard output, as canonical bytes; neither
touches the disk. A frame is 4 bytes of length and a Progress or an Outcome.
"""

from __future__ import annotations

from executors.mpc.program import PARTIES
from ledger.encoding import decode, encode
from ledger.errors import DecodeError
from ledger.model import Record

JOB_SIZE_MAX = 64 << 10  # bytes: a program, three certificates and a key
FRAME_SIZE_MAX = 64 << 10  # bytes: a sealed share and some digests
REASON_MAX = 200  # characters of a reason on chain

START = "start"
DATA = "reading the data set"
CONNECT = "connecting to the other parties"
AGREE = "agreeing on the program"
SHARE = "exchanging input shares"
COMPUTE = "computing"
SEAL = "sealing the output share"
DONE = "done"
STAGES = (START, DATA, CONNECT, AGREE, SHARE, COMPUTE, SEAL, DONE)

NOT_CONNECTED = (
    "could not connect to all other parties: one is away or busy, or its certificate is not the "
    "one on chain"
)
SILENT = "another party fell silent"


class Peer(Record):
    """A participant as the chain names it, in the task's order."""

    party: str
    dataset_id: str
    endpoint: str  # host:port
    certificate: str  # PEM


class PublicJob(Record):
    """What all parties must agree on: each hashes it and compares."""

    task_id: str
    algorithm: str
    program: bytes
    peers: tuple[Peer, ...]
    receiver_key: bytes


class PartyJob(Record):
    """All that a party's subprocess is told. Holds the TLS key: never log or store it."""

    public: PublicJob
    rank: int
    home: str  # of the executor: where the data sets are
    listen: str  # host:port to bind; the others reach it as the peer's endpoint
    private_key: str  # PEM
    silence_ms: int  # a peer that says nothing for so long is taken for dead
    connect_ms: int
    memory_bytes: int


class Progress(Record):
    stage: str


class Outcome(Record):
    """The end of a run: either `reason` is empty or everything else is."""

    stage: str
    reason: str
    program_hash: bytes
    transcript_root: bytes
    output_commitment: bytes
    sealed_share: bytes
    resources: tuple[int, ...]


def failure(stage: str, reason: str) -> Outcome:
    return Outcome(stage, reason[:REASON_MAX], b"", b"", b"", b"", ())


def decode_job(data: bytes) -> PartyJob:
    """Raises DecodeError."""
    job = decode(data, PartyJob, size_max=JOB_SIZE_MAX)
    if len(job.public.peers) != PARTIES or not 0 <= job.rank < PARTIES:
        raise DecodeError(f"PartyJob: rank {job.rank} of {len(job.public.peers)} parties")
    return job


def encode_frame(frame: Progress | Outcome) -> bytes:
    kind = b"P" if isinstance(frame, Progress) else b"O"
    body = kind + encode(frame)
    return len(body).to_bytes(4, "big") + body


def decode_frame(body: bytes) -> Progress | Outcome:
    """The frame without its length. Raises DecodeError."""
    if body[:1] == b"P":
        return decode(body[1:], Progress, size_max=FRAME_SIZE_MAX)
    if body[:1] == b"O":
        return decode(body[1:], Outcome, size_max=FRAME_SIZE_MAX)
    raise DecodeError("frame: unknown kind")
