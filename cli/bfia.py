"""Jobs in the fields of the BFIA cross-platform interface, for other platforms (clauses 8.5a, b).

The interface is public: repository secretflow/InterOp, control layer. Its names are kept as they
are, whatever language the commands speak. What it has no field for, the confirmations and the
consumer, is left out (docs/development.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from cli.jobplans import JobView, StepText

VERSION: Final = "1.2.0"  # of the control layer


class Port(msgspec.Struct, frozen=True):
    """What a component reads or gives."""

    type: str
    key: str


class Component(msgspec.Struct, frozen=True, rename={"component_name": "componentName"}):
    name: str
    component_name: str
    version: str
    provider: str
    input: list[Port]
    output: list[Port]


class Dag(msgspec.Struct, frozen=True):
    version: str
    components: list[Component]


class Initiator(msgspec.Struct, frozen=True):
    role: str
    node_id: str


class Roles(msgspec.Struct, frozen=True):
    """The operator is the guest, suppliers are hosts, and nobody arbitrates."""

    guest: list[str]
    host: list[str]
    arbiter: list[str]


class JobLimits(msgspec.Struct, frozen=True):
    grant_id: str
    priority: int
    deadline_ms: int


class JobParams(msgspec.Struct, frozen=True):
    common: JobLimits


class StepParams(msgspec.Struct, frozen=True):
    program_hash: str
    receiver_key: str
    resources: dict[str, int]


class TaskParams(msgspec.Struct, frozen=True):
    common: dict[str, StepParams]  # by component


class Config(msgspec.Struct, frozen=True):
    version: str
    initiator: Initiator
    role: Roles
    job_params: JobParams
    task_params: TaskParams


class BfiaJob(msgspec.Struct, frozen=True):
    """`flow_id` is the digest of the plan: equal flows have equal ids."""

    job_id: str
    flow_id: str
    dag: Dag
    config: Config


def bfia_of(view: JobView, provider_of: Callable[[str], str]) -> str:
    """The job as JSON; `provider_of` tells the provider of an algorithm."""
    job = view.job
    hosts = dict.fromkeys(party for step in view.steps for party, _dataset in step.participants)
    told = BfiaJob(
        job_id=job.id,
        flow_id=job.digest.hex(),
        dag=Dag(VERSION, [_component(step, provider_of) for step in view.steps]),
        config=Config(
            version=VERSION,
            initiator=Initiator("guest", job.operator),
            role=Roles([job.operator], list(hosts), []),
            job_params=JobParams(JobLimits(job.grant_id, job.priority, job.deadline_ms)),
            task_params=TaskParams({step.name: _params(step) for step in view.steps}),
        ),
    )
    return msgspec.json.format(msgspec.json.encode(told).decode(), indent=2)


def _component(step: StepText, provider_of: Callable[[str], str]) -> Component:
    name, _, version = step.component.partition("/")
    provider = provider_of(step.component)
    return Component(
        step.name, name, version, provider, [*_inputs(step)], [Port("result", "result")]
    )


def _inputs(step: StepText) -> Iterator[Port]:
    for party, dataset in step.participants:
        yield Port("dataset", f"{party}.{dataset}")
    for earlier in step.after:
        yield Port("result", f"{earlier}.result")


def _params(step: StepText) -> StepParams:
    return StepParams(step.program_hash.hex(), step.receiver_key.hex(), dict(step.resources))
