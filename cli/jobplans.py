"""Jobs as a node shows them: read strictly, held against the digest that the parties confirmed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from cli.output import CommandRefused
from contracts.system import step as contract

if TYPE_CHECKING:
    from ledger.values import Value

BFIA_VERSION: Final = "1.2.0"  # of the interface's control layer (repository secretflow/InterOp)


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


def bfia_of(view: JobView, provider_of: Callable[[str], str]) -> str:
    """The job in the fields of the BFIA interface, as JSON; what that has no field for is left
    out, and named in docs/development.md."""
    job = view.job
    hosts = dict.fromkeys(party for step in view.steps for party, _dataset in step.participants)
    told = {
        "job_id": job.id,
        "flow_id": job.digest.hex(),
        "dag": {
            "version": BFIA_VERSION,
            "components": [_component(step, provider_of) for step in view.steps],
        },
        "config": {
            "version": BFIA_VERSION,
            "initiator": {"role": "guest", "node_id": job.operator},
            "role": {"guest": [job.operator], "host": list(hosts), "arbiter": []},
            "job_params": {
                "common": {
                    "grant_id": job.grant_id,
                    "priority": job.priority,
                    "deadline_ms": job.deadline_ms,
                }
            },
            "task_params": {
                "common": {
                    step.name: {
                        "program_hash": step.program_hash.hex(),
                        "receiver_key": step.receiver_key.hex(),
                        "resources": dict(step.resources),
                    }
                    for step in view.steps
                }
            },
        },
    }
    return json.dumps(told, indent=2, ensure_ascii=False)


def _component(step: StepText, provider_of: Callable[[str], str]) -> dict[str, object]:
    name, _, version = step.component.partition("/")
    data = [
        {"type": "dataset", "key": f"{party}.{dataset}"} for party, dataset in step.participants
    ]
    before = [{"type": "result", "key": f"{earlier}.result"} for earlier in step.after]
    return {
        "name": step.name,
        "componentName": name,
        "version": version,
        "provider": provider_of(step.component),
        "input": [*data, *before],
        "output": [{"type": "result", "key": "result"}],
    }
