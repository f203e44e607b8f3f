"""One party's process for one task: `python -m executors.mpc.party`, job on standard input.

Everything secret lives and dies here. The process writes no file, takes its reasons from a list
of its own sentences, and is killed with its parent. SPU ends it (by SIGSEGV, even) when a peer
dies: that is why it is a process.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from crypto import sm3
from executors.data.registry import Registry
from executors.errors import EngineFailed, ExecutorError
from executors.mpc import job as stages
from executors.mpc.inputs import input_vectors
from executors.mpc.job import (
    JOB_SIZE_MAX,
    Outcome,
    PartyJob,
    Progress,
    decode_job,
    encode_frame,
    failure,
)
from executors.mpc.layout import layout_of
from executors.mpc.program import StatisticsProgram, decode_program
from executors.mpc.record import TranscriptEntry, program_hash, transcript_root
from executors.mpc.shares import (
    InputShare,
    OutputShare,
    Share,
    check_output,
    decode_input,
    input_commitment,
    new_salt,
    output_commitment,
    seal_output,
)
from executors.mpc.tunnel import Traffic, Tunnel
from ledger.encoding import decode, encode
from ledger.errors import DecodeError
from ledger.model import Digest, Record

if TYPE_CHECKING:
    from executors.mpc.engine import Connection

PR_SET_PDEATHSIG = 1
TAG_JOB = b"shuxin/mpc/job/1\0"
HELLO_SIZE_MAX = 256
RECEIPTS_SIZE_MAX = 64 << 10  # bytes: two receivers, nine inputs


class Hello(Record):
    """What the parties compare before any share leaves its owner."""

    job: bytes
    program_hash: bytes


class Receipts(Record):
    """What a party says it sent; each receiver checks its own part."""

    entries: tuple[TranscriptEntry, ...]


Report = Callable[[str], None]


def main() -> int:
    """Runs the job on standard input; the frames go to what was standard output."""
    _die_with_parent()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold the rows
    frames = os.dup(1)
    os.dup2(2, 1)  # the engine logs to standard output
    stage = stages.START

    def report(reached: str) -> None:
        nonlocal stage
        stage = reached
        _write(frames, Progress(reached))

    try:
        job = decode_job(sys.stdin.buffer.read(JOB_SIZE_MAX + 1))
        resource.setrlimit(resource.RLIMIT_DATA, (job.memory_bytes, job.memory_bytes))
        _run(job, report, lambda outcome: _write(frames, outcome))
    except ExecutorError as error:
        reason = error.reason if isinstance(error, EngineFailed) else str(error)
        _write(frames, failure(stage, reason))
        return 1
    except DecodeError as error:
        _write(frames, failure(stage, f"malformed bytes: {error}"))
        return 1
    except MemoryError:
        _write(frames, failure(stage, "out of memory: raise memory_mib, or ask for less"))
        return 1
    except Exception as error:  # the engine raises anything; its text may hold values
        _write(frames, failure(stage, _engine_reason(error, stage)))
        return 1
    return 0


def _run(job: PartyJob, report: Report, finish: Callable[[Outcome], None]) -> None:
    started = time.monotonic()
    program = decode_program(job.public.program)
    report(stages.DATA)
    loaded = Registry(Path(job.home)).load(_dataset(job), program.columns)
    vectors = input_vectors(program, job.rank, loaded)
    # Only now: importing the engine takes a second, and refusals above need none of it.
    from executors.mpc.engine import OUTPUTS, Connection, compile_program, input_names

    compiled = compile_program(program)
    hash_of_program = program_hash(compiled.record)
    report(stages.CONNECT)
    tunnel = Tunnel(job.rank, job.public.peers, job.listen, job.private_key)
    tunnel.start()
    connection = Connection(job)
    report(stages.AGREE)
    _agree(job, hash_of_program, connection)
    report(stages.SHARE)
    root = _share_inputs(job, program, vectors, connection)
    report(stages.COMPUTE)
    connection.run(compiled)
    report(stages.SEAL)
    whole, fixed = (connection.output(name) for name in OUTPUTS)
    connection.clear([*input_names(program), *OUTPUTS])
    share = _output_share(job, program, hash_of_program, whole, fixed)
    sealed = seal_output(share, job.public.receiver_key)
    finish(
        Outcome(
            stage=stages.DONE,
            reason="",
            program_hash=hash_of_program,
            transcript_root=root,
            output_commitment=output_commitment(share),
            sealed_share=sealed,
            resources=_resources(started, tunnel.traffic),
        )
    )
    connection.close()


def _dataset(job: PartyJob) -> str:
    return job.public.peers[job.rank].dataset_id


def _agree(job: PartyJob, hash_of_program: Digest, connection: Connection) -> None:
    """Nothing is shared unless all parties mean the same task and compiled the same program."""
    hello = Hello(sm3.digest(TAG_JOB + encode(job.public)), hash_of_program)
    for party, data in connection.exchange(encode(hello)).items():
        other = decode(data, Hello, size_max=HELLO_SIZE_MAX)
        if other.job != hello.job:
            raise EngineFailed(f"party {party} runs another task under this id", stage=stages.AGREE)
        if other.program_hash != hello.program_hash:
            raise EngineFailed(
                f"party {party} compiled another program: use the same engine versions",
                stage=stages.AGREE,
            )


def _share_inputs(
    job: PartyJob, program: StatisticsProgram, vectors: list[list[int]], connection: Connection
) -> Digest:
    """Sends and receives all input shares; returns the root of the agreed transcript."""
    from executors.mpc.engine import input_name

    sent: list[TranscriptEntry] = []
    received: list[TranscriptEntry] = []
    for sequence in range(1 + len(program.measures)):
        parts = connection.split(vectors[sequence])
        connection.set_input(input_name(sequence, job.rank), parts[job.rank])
        for party in connection.others:
            message = InputShare(
                job.public.task_id, sequence, job.rank, party, new_salt(), parts[party]
            )
            sent.append(_entry(message))
            connection.send(party, encode(message))
        for party in connection.others:
            like = connection.split([0] * program.rows[party])[job.rank]
            message = decode_input(
                connection.receive(party),
                task_id=job.public.task_id,
                sequence=sequence,
                sender=party,
                receiver=job.rank,
                like=like,
            )
            received.append(_entry(message))
            connection.set_input(input_name(sequence, party), message.share)
    return _agreed_transcript(job, sent, received, connection)


def _agreed_transcript(
    job: PartyJob,
    sent: list[TranscriptEntry],
    received: list[TranscriptEntry],
    connection: Connection,
) -> Digest:
    entries = list(sent)
    for party, data in connection.exchange(encode(Receipts(tuple(sent)))).items():
        theirs = decode(data, Receipts, size_max=RECEIPTS_SIZE_MAX).entries
        mine = [entry for entry in received if entry.sender == party]
        if [entry for entry in theirs if entry.receiver == job.rank] != mine:
            raise EngineFailed(
                f"party {party} says it sent something else than what arrived", stage=stages.SHARE
            )
        if len(theirs) != len(sent) or any(entry.sender != party for entry in theirs):
            raise EngineFailed(f"party {party} lists messages not its own", stage=stages.SHARE)
        entries.extend(theirs)
    return transcript_root(job.public.task_id, entries)


def _entry(message: InputShare) -> TranscriptEntry:
    return TranscriptEntry(
        message.sender, message.receiver, message.sequence, input_commitment(message)
    )


def _output_share(
    job: PartyJob, program: StatisticsProgram, hash_of_program: Digest, whole: Share, fixed: Share
) -> OutputShare:
    layout = layout_of(program)
    check_output(whole, layout.whole_size, is_fixed=False)
    check_output(fixed, layout.fixed_size, is_fixed=True)
    return OutputShare(
        task_id=job.public.task_id,
        party=job.rank,
        program_hash=hash_of_program,
        salt=new_salt(),
        whole=whole,
        fixed=fixed,
    )


def _resources(started: float, traffic: Traffic) -> tuple[int, ...]:
    """In the order of `record.RESOURCES`."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (
        int((time.monotonic() - started) * 1000),
        int((usage.ru_utime + usage.ru_stime) * 1000),
        usage.ru_maxrss,
        traffic.received,
        traffic.sent,
    )


def _engine_reason(error: Exception, stage: str) -> str:
    if stage == stages.CONNECT:
        return stages.NOT_CONNECTED
    if isinstance(error, RuntimeError) and "timeout" in str(error):
        return stages.SILENT
    return f"the engine failed ({type(error).__name__})"


def _die_with_parent() -> None:
    """Without its executor nobody would enforce the time limit."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _write(handle: int, frame: Progress | Outcome) -> None:
    data = encode_frame(frame)
    while data:
        data = data[os.write(handle, data) :]


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # the engine's own teardown can hang or crash
