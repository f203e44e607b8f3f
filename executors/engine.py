"""What the worker and an engine know of each other. An engine computes one kind of algorithm.

The worker follows the chain, decides and reports; an engine knows nothing of the chain. It checks
whether it can take part, prepares, runs in a subprocess of its own, and leaves nothing behind.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

# From no trusted environment at all to one that hardware vouches for, as grants ask for it.
ASSURANCES: Final = ("none", "sim_process", "sim_vtpm", "hw_vtpm_bound", "hw_tee")


@dataclass(frozen=True, slots=True)
class Participant:
    """One party of a task, in the task's order; the last three are empty until it accepted."""

    party: str
    dataset_id: str
    endpoint: str = ""
    certificate: str = ""
    data_commitment: bytes = b""


@dataclass(frozen=True, slots=True)
class TaskOrder:
    """A task as the chain shows it."""

    task_id: str
    grant_id: str
    operator: str
    algorithm: str
    program: bytes
    participants: tuple[Participant, ...]
    receiver_key: bytes
    deadline_ms: int
    status: str
    reporters: frozenset[str]  # parties that have reported
    ready_ms: int  # chain time of the last acceptance: tasks start in this order

    def rank_of(self, party: str) -> int | None:
        """The place of `party` among the participants; None if it has none."""
        for rank, participant in enumerate(self.participants):
            if participant.party == party:
                return rank
        return None


@dataclass(frozen=True, slots=True)
class Offer:
    """What a party says when it accepts a task."""

    endpoint: str
    certificate: str
    data_commitment: bytes


@dataclass(frozen=True, slots=True)
class Report:
    """What a party says when it is done."""

    program_hash: bytes
    transcript_root: bytes
    output_commitment: bytes
    output_share: bytes
    resources: tuple[int, ...]
    protection: str


class Prepared(Protocol):
    """One task that the engine has made ready for: holds a port and a one-task key."""

    @property
    def offer(self) -> Offer: ...

    def run(
        self, order: TaskOrder, *, cancel: threading.Event, progress: Callable[[str], None]
    ) -> Report:
        """Computes until done, cancelled or past the order's deadline. Raises EngineFailed."""
        ...

    def close(self) -> None:
        """Gives up port and key, and removes what is on disk; safe to call twice."""
        ...


class Engine(Protocol):
    """An algorithm that this executor can run, under the id that grants name."""

    @property
    def algorithm(self) -> str: ...

    @property
    def output(self) -> str:
        """The kind of output that it makes, as grants name it, such as `statistics`."""
        ...

    @property
    def assurance(self) -> str:
        """What vouches for the place where it computes: one of ASSURANCES."""
        ...

    @property
    def image_digest(self) -> bytes:
        """SM3 of the engine as it is installed: a manager must have approved it (8.5c)."""
        ...

    def prepare(self, order: TaskOrder, rank: int) -> Prepared:
        """Checks program and data set. Raises ExecutorError with the reason to refuse."""
        ...
