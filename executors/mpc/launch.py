"""The engine's side in the executor: prepares a task, starts its party, reads its frames.

Nothing here touches rows or shares in the clear; they live in the subprocess (`party`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from executors.builtin import installed_image
from executors.data.registry import Registry
from executors.engine import Offer, Report, TaskOrder
from executors.errors import EngineFailed, ProgramInvalid, TaskRefused
from executors.mpc import job as stages
from executors.mpc.inputs import check_dataset
from executors.mpc.job import (
    FRAME_SIZE_MAX,
    STAGES,
    Outcome,
    PartyJob,
    Peer,
    PublicJob,
    decode_frame,
)
from executors.mpc.program import ALGORITHM, PARTIES, StatisticsProgram, decode_program
from executors.mpc.record import PROTECTION, RESOURCES
from executors.mpc.shares import SEALED_SIZE_MAX
from executors.mpc.tls import TaskIdentity, check_certificate, new_identity
from executors.ports import HeldPort, hold_port
from executors.process import OUT_OF_TIME, Child, Clock, private_folder
from ledger.encoding import encode
from ledger.errors import DecodeError
from ledger.model import DIGEST_SIZE

MODULE = "executors.mpc.party"
ENDPOINT_SIZE_MAX = 128  # characters; the task contract's limit
CLOSING_S = 10.0  # after the outcome: how long a party waits for the others to be done


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """Bounds of one run; seconds, bytes."""

    run_s: float
    connect_s: float  # also how long a party waits for others that are busy with earlier tasks
    silence_s: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Network:
    """Where this executor's engines listen, and under which name the others reach them."""

    listen_host: str
    advertise_host: str
    port_low: int
    port_high: int


class StatisticsEngine:
    """Joint statistics of three parties under ABY3 (8.2.3b); see `program`."""

    def __init__(
        self,
        home: Path,
        *,
        network: Network,
        limits: EngineLimits,
        clock: Clock,
        now_ms: Callable[[], int],
    ) -> None:
        self._home = home
        self._network = network
        self._limits = limits
        self._clock = clock
        self._now_ms = now_ms

    @property
    def algorithm(self) -> str:
        return ALGORITHM

    @property
    def output(self) -> str:
        return "statistics"

    @property
    def assurance(self) -> str:
        return "none"  # secret shares protect the rows, no trusted environment does

    @property
    def image_digest(self) -> bytes:
        return installed_image(ALGORITHM).digest

    def prepare(self, order: TaskOrder, rank: int) -> PreparedStatistics:
        """Checks the program against the data set; holds a port and makes a certificate."""
        program = _program(order)
        mine = order.participants[rank]
        dataset = Registry(self._home).show(mine.dataset_id)
        check_dataset(program, rank, dataset)
        identity = new_identity(mine.party, now_ms=self._now_ms(), deadline_ms=order.deadline_ms)
        network = self._network
        port = hold_port(network.listen_host, low=network.port_low, high=network.port_high)
        offer = Offer(
            endpoint=_address(network.advertise_host, port.port),
            certificate=identity.certificate,
            data_commitment=dataset.commitment,
        )
        return PreparedStatistics(
            self._home, rank, offer, identity, port, self._limits, self._clock, self._now_ms
        )


class PreparedStatistics:
    """A task this party is ready for."""

    def __init__(
        self,
        home: Path,
        rank: int,
        offer: Offer,
        identity: TaskIdentity,
        port: HeldPort,
        limits: EngineLimits,
        clock: Clock,
        now_ms: Callable[[], int],
    ) -> None:
        self._home = home
        self._rank = rank
        self._offer = offer
        self._identity = identity
        self._port = port
        self._limits = limits
        self._clock = clock
        self._now_ms = now_ms

    @property
    def offer(self) -> Offer:
        return self._offer

    def close(self) -> None:
        self._port.close()

    def run(
        self, order: TaskOrder, *, cancel: threading.Event, progress: Callable[[str], None]
    ) -> Report:
        """Runs the party's subprocess to its end. Raises EngineFailed or TaskRefused."""
        job = self._job(order)
        watch = Watch(self._limits, self._clock, order.deadline_ms - self._now_ms())
        root = self._home / "run"
        try:
            with (
                closing(self),
                private_folder(root, order.task_id) as folder,
                Child(MODULE, encode(job), folder) as child,
            ):
                return _report(_outcome(child, watch, cancel, progress))
        except OSError as error:
            raise EngineFailed(
                f"the engine's process could not be started: {error.strerror}", stage=stages.START
            ) from None

    def _job(self, order: TaskOrder) -> PartyJob:
        mine = order.participants[self._rank]
        if (mine.endpoint, mine.certificate) != (self._offer.endpoint, self._offer.certificate):
            raise TaskRefused("the chain names another endpoint or certificate for this party")
        for participant in order.participants:
            check_certificate(participant.certificate)
            _check_endpoint(participant.endpoint)
        public = PublicJob(
            task_id=order.task_id,
            algorithm=order.algorithm,
            program=order.program,
            peers=tuple(
                Peer(peer.party, peer.dataset_id, peer.endpoint, peer.certificate)
                for peer in order.participants
            ),
            receiver_key=order.receiver_key,
        )
        return PartyJob(
            public=public,
            rank=self._rank,
            home=str(self._home),
            listen=_address(self._port.host, self._port.port),
            private_key=self._identity.private_key,
            silence_ms=int(self._limits.silence_s * 1000),
            connect_ms=int(self._limits.connect_s * 1000),
            memory_bytes=self._limits.memory_bytes,
        )


class Watch:
    """The time by which the next frame must come."""

    def __init__(self, limits: EngineLimits, clock: Clock, left_ms: int) -> None:
        self.clock = clock
        self.stage = stages.START
        self._limits = limits
        self._end = clock.now() + min(limits.run_s + limits.connect_s, left_ms / 1000)
        self._stage_end = self._end

    def enter(self, stage: str) -> None:
        self.stage = stage
        now = self.clock.now()
        self._stage_end = self._end
        if stage == stages.CONNECT:
            self._stage_end = now + self._limits.connect_s
        elif stage in (stages.AGREE, stages.SHARE):
            # Nothing heavy happens here: only a peer that is gone takes so long.
            self._stage_end = now + 3 * self._limits.silence_s
        elif stage == stages.DONE:
            self._stage_end = now + CLOSING_S

    def deadline(self) -> float:
        return min(self._end, self._stage_end)

    def reason(self, reason: str) -> str:
        """Who kept the party waiting, where a stage took too long that is nothing but waiting."""
        if reason != OUT_OF_TIME:
            return reason
        if self.stage == stages.CONNECT:
            return stages.NOT_CONNECTED
        return stages.SILENT if self._stage_end < self._end else reason


def _outcome(
    child: Child, watch: Watch, cancel: threading.Event, progress: Callable[[str], None]
) -> Outcome:
    """The party's own outcome, or EngineFailed with the stage at which it was lost."""
    outcome: Outcome | None = None
    try:
        for body in child.frames(
            size_max=FRAME_SIZE_MAX, deadline=watch.deadline, cancel=cancel, clock=watch.clock
        ):
            frame = decode_frame(body)
            if frame.stage not in STAGES or outcome is not None:
                raise EngineFailed("the engine's process speaks nonsense", stage=watch.stage)
            watch.enter(frame.stage)
            if isinstance(frame, Outcome):
                outcome = frame
            else:
                progress(frame.stage)
    except DecodeError:
        raise EngineFailed("the engine's process speaks nonsense", stage=watch.stage) from None
    except EngineFailed as error:
        # Once it has spoken, how it ends does not matter: it only waits for the others.
        if outcome is None:
            raise EngineFailed(watch.reason(error.reason), stage=watch.stage) from None
    if outcome is None:
        # SPU ends with SIGSEGV when a peer dies in the middle of a protocol.
        raise EngineFailed(
            f"the engine's process ended ({child.ended_with()}); another party may have died",
            stage=watch.stage,
        )
    return outcome


def _report(outcome: Outcome) -> Report:
    if outcome.reason:
        raise EngineFailed(outcome.reason, stage=outcome.stage)
    digests = (outcome.program_hash, outcome.transcript_root, outcome.output_commitment)
    if (
        any(len(digest) != DIGEST_SIZE for digest in digests)
        or not 1 <= len(outcome.sealed_share) <= SEALED_SIZE_MAX
        or len(outcome.resources) != len(RESOURCES)
    ):
        raise EngineFailed("the engine's process speaks nonsense", stage=outcome.stage)
    return Report(
        program_hash=outcome.program_hash,
        transcript_root=outcome.transcript_root,
        output_commitment=outcome.output_commitment,
        output_share=outcome.sealed_share,
        resources=outcome.resources,
        protection=PROTECTION,
    )


def _program(order: TaskOrder) -> StatisticsProgram:
    if len(order.participants) != PARTIES:
        raise TaskRefused(f"{ALGORITHM} needs exactly {PARTIES} participants")
    try:
        return decode_program(order.program)
    except DecodeError as error:
        raise ProgramInvalid(f"the program's bytes are malformed: {error}") from None


def _check_endpoint(endpoint: str) -> None:
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise TaskRefused("a participant's endpoint is not of the form host:port")
    if len(endpoint) > ENDPOINT_SIZE_MAX or not endpoint.isascii() or not endpoint.isprintable():
        raise TaskRefused("a participant's endpoint is not of the form host:port")


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
