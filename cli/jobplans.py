"""Jobs as a node shows them: read strictly, held against the digest that the parties confirmed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from cli.output import CommandRefused
from contracts.system import step as contract

if TYPE_CHECKING:
    from ledger.values import Value


class JobText(msgspec.Struct, frozen=True):
    """The contract's record, as far as a plan is judged by it."""

    id: str
    title: str
    grant_id: str
    operator: str
    consumer: str
    priority: int
    deadline_ms: int
    digest: bytes
    status: str


class StepText(msgspec.Struct, frozen=True):
    name: str
    component: str
    program_hash: bytes
    participants: list[tuple[str, str]]
    receiver_key: bytes
    after: list[str]
    resources: list[tuple[str, int]]


class FileText(msgspec.Struct, frozen=True):
    job: JobText
    steps: list[StepText]


@dataclass(frozen=True, slots=True)
class JobView:
    """A job whose plan has the digest that it is said to have. `shown` is for people."""

    job: JobText
    steps: tuple[StepText, ...]
    shown: Value


def read_job(value: Value) -> JobView:
    """The job in an answer of job.show. Raises CommandRefused when it contradicts itself."""
    try:
        file = msgspec.convert(value, FileText, builtin_types=(bytes,))
    except msgspec.ValidationError as error:
        raise CommandRefused("job.answer", f"the node's answer is no job: {error}") from None
    assert isinstance(value, dict), "it was converted"
    job = file.job
    steps = [
        contract.Step(
            step.name,
            step.component,
            step.program_hash,
            step.participants,
            step.receiver_key,
            step.after,
            step.resources,
        )
        for step in file.steps
    ]
    digest = contract.digest_of(job.id, job.grant_id, job.priority, job.deadline_ms, steps)
    if digest != job.digest:
        raise CommandRefused(
            "job.contradiction",
            f"the plan that the node shows has the digest {digest.hex()}, and the job says "
            f"{job.digest.hex()}: confirm nothing, ask another node",
        )
    record = value["job"]
    assert isinstance(record, dict), "it was converted"
    rest = {name: part for name, part in value.items() if name != "job"}
    return JobView(job, tuple(file.steps), {**record, **rest})
