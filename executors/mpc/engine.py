"""SPU behind a typed face: compile, share, exchange, run. Imported only inside the subprocess.

SPU and JAX are untyped and end the process when a peer dies; neither leaves this file.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Protocol, cast

import jax
import numpy as np
import spu
from spu import libspu
from spu.utils import frontend

from executors.mpc.job import PartyJob
from executors.mpc.program import PARTIES, StatisticsProgram
from executors.mpc.record import CompiledProgram
from executors.mpc.shares import FRACTION_BITS, Share
from executors.mpc.statistics import function_of
from executors.mpc.tunnel import socket_of

# Whole numbers are 64 bits wide here; JAX would cut them to 32 by default.
jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]  # jax has no type here

DIVISION_STEPS = 5  # the default 2 leaves a relative error of 2e-4, 5 about 2e-12
CONNECT_PAUSE_MS = 500
FLUSH_S = 0.2  # for the last words to leave; losing them does no harm
OUTPUTS = ("whole", "fixed")
CHUNK_SIZE_MAX = 1 << 30  # bytes: a share stays one chunk, which is what `shares` can open


class Executable(Protocol):
    """What SPU compiles to."""

    code: bytes


@dataclass(frozen=True, slots=True)
class Compiled:
    """A program in the engine's form, and its record for the hash."""

    record: CompiledProgram
    executable: Executable


def compile_program(program: StatisticsProgram) -> Compiled:
    """Deterministic: the same program and versions give the same bytes everywhere."""
    names = input_names(program)
    arguments = [np.zeros(rows, np.int64) for _ in range(_inputs(program)) for rows in program.rows]
    executable, _shapes = frontend.compile(
        frontend.Kind.JAX,
        function_of(program),
        arguments,
        {},
        list(names),
        [libspu.Visibility.VIS_SECRET] * len(names),
        lambda outputs: list(OUTPUTS),
    )
    record = CompiledProgram(
        engine=f"spu {version('spu')}",
        front_end=f"jax {version('jax')} jaxlib {version('jaxlib')}",
        configuration=bytes(_configuration().SerializeToString()),
        inputs=names,
        outputs=OUTPUTS,
        code=bytes(executable.code),
    )
    return Compiled(record, cast(Executable, executable))


def input_names(program: StatisticsProgram) -> tuple[str, ...]:
    """Names of all inputs in the order of the function's arguments: by sequence, then party."""
    return tuple(
        input_name(sequence, party)
        for sequence in range(_inputs(program))
        for party in range(PARTIES)
    )


def input_name(sequence: int, party: int) -> str:
    """Input 0 of a party are its group codes, input k the values of measure k - 1."""
    return f"input{sequence}_{party}"


class Connection:
    """This party's place among the three, and its virtual machine; links come from `tunnel`."""

    def __init__(self, job: PartyJob) -> None:
        self._rank = job.rank
        self._link = libspu.link.create_brpc(_description(job), job.rank)
        configuration = _configuration()
        self._io = spu.Io(PARTIES, configuration)
        self._runtime = spu.Runtime(self._link, configuration)

    @property
    def others(self) -> tuple[int, ...]:
        return tuple(party for party in range(PARTIES) if party != self._rank)

    def send(self, receiver: int, data: bytes) -> None:
        self._link.send(receiver, data)

    def receive(self, sender: int) -> bytes:
        return bytes(self._link.recv(sender))

    def exchange(self, data: bytes) -> dict[int, bytes]:
        """Sends `data` to both others and returns what they sent."""
        for party in self.others:
            self.send(party, data)
        return {party: self.receive(party) for party in self.others}

    def split(self, values: Sequence[int]) -> tuple[Share, ...]:
        """Fresh shares of a vector, one per party."""
        vector = np.asarray(values, dtype=np.int64)
        parts = self._io.make_shares(vector, libspu.Visibility.VIS_SECRET)
        return tuple(_from_engine(part) for part in parts)

    def set_input(self, name: str, share: Share) -> None:
        part = libspu.Share()
        part.meta = share.meta
        part.share_chunks = list(share.chunks)
        self._runtime.set_var(name, part)

    def run(self, compiled: Compiled) -> None:
        self._runtime.run(compiled.executable)

    def output(self, name: str) -> Share:
        return _from_engine(self._runtime.get_var(name))

    def clear(self, names: Sequence[str]) -> None:
        """Drops cached factors (8.2.4b3); the process ends right after."""
        for name in names:
            self._runtime.del_var(name)

    def close(self) -> None:
        """Waits until the others are done, too, so that no link breaks under them.

        The links are not stopped: that would wait ten seconds for a peer that is gone already.
        """
        self._link.barrier()
        time.sleep(FLUSH_S)


def _inputs(program: StatisticsProgram) -> int:
    return 1 + len(program.measures)


def _configuration() -> libspu.RuntimeConfig:
    configuration = libspu.RuntimeConfig()
    configuration.protocol = libspu.ProtocolKind.ABY3
    configuration.field = libspu.FieldType.FM128
    configuration.fxp_fraction_bits = FRACTION_BITS
    configuration.fxp_div_goldschmidt_iters = DIVISION_STEPS
    # Quick sort would open comparisons; radix sort opens only a shuffled permutation.
    configuration.sort_method = libspu.RuntimeConfig.SORT_RADIX
    configuration.share_max_chunk_size = CHUNK_SIZE_MAX
    return configuration


def _description(job: PartyJob) -> libspu.link.Desc:
    """No address of any network: what comes and goes passes through the tunnel."""
    description = libspu.link.Desc()
    description.id = job.public.task_id
    for party in range(PARTIES):
        description.add_party(f"party{party}", f"unix:{socket_of(party)}")
    description.recv_timeout_ms = job.silence_ms
    description.connect_retry_interval_ms = CONNECT_PAUSE_MS
    description.connect_retry_times = max(1, job.connect_ms // CONNECT_PAUSE_MS)
    return description


def _from_engine(part: libspu.Share) -> Share:
    return Share(bytes(part.meta), tuple(bytes(chunk) for chunk in part.share_chunks))
