"""Job files: what a job computes in which order, written by people in TOML.

`TEMPLATE` is the documented form; `shuxin job template` prints it. Program files stand beside the
job file and are written as `cli.programs` says.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from cli.literals import (
    LiteralInvalid,
    parse_id,
    parse_moment,
    parse_participant,
    parse_public_key,
    read_source,
)
from cli.output import CommandRefused
from cli.programs import load_program
from client.toml import TomlInvalid, parse_toml

if TYPE_CHECKING:
    from ledger.values import Value

JOB_FILE_SIZE_MAX: Final = 256 << 10  # bytes; sixteen full steps are a tenth of it

TEMPLATE: Final = """\
# A job (作业): computations in an order, planned under one grant (docs/development.md).

title = "Claims by plan, then by age"
grant = "grant-7"
priority = 5                     # 0 to 9; 9 goes first
deadline = "+7d"                 # or an ISO time with its zone

# One table for each step, 16 at most. It may begin when those that it comes after have finished.
[[steps]]
name = "plans"
program = "plans.toml"           # a program file, beside this one (docs/operations.md)
participants = ["health=claims-health", "social=claims-social", "civil=claims-civil"]
after = []
# receiver = "04ab..."           # public key that the result is sealed to; default: yours

[steps.resources]                # what a participant needs for it, each at most once
cpu_millis = 2000
memory_mib = 1024

[[steps]]
name = "ages"
program = "ages.toml"
participants = ["health=claims-health", "social=claims-social", "civil=claims-civil"]
after = ["plans"]
"""


class StepText(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A [[steps]] table."""

    name: str
    program: str
    participants: list[str]
    after: list[str] = []
    receiver: str = ""
    resources: dict[str, int] = {}


class JobText(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A job file as it is written."""

    title: str
    grant: str
    deadline: str
    steps: list[StepText]
    priority: int = 5


@dataclass(frozen=True, slots=True)
class JobPlan:
    """The arguments of job.create after its id."""

    title: str
    grant: str
    priority: int
    deadline_ms: int
    steps: list[Value]


def load_job(path: Path, *, own_key: bytes) -> JobPlan:
    """The plan in a job file; `own_key` receives what names no other. Raises CommandRefused."""
    text = read_source(path, size_max=JOB_FILE_SIZE_MAX)
    try:
        told = msgspec.convert(parse_toml(text), JobText)
        steps = [_step(path, step, own_key) for step in told.steps]
        grant, deadline_ms = parse_id(told.grant), parse_moment(told.deadline)
    except (TomlInvalid, msgspec.ValidationError) as error:
        raise CommandRefused("job.file", f"{path}: {error}") from None
    except LiteralInvalid as error:
        raise CommandRefused("job.file", f"{path}: {error}") from None
    return JobPlan(told.title, grant, told.priority, deadline_ms, steps)


def _step(path: Path, step: StepText, own_key: bytes) -> Value:
    from crypto import sm3

    component, program = load_program(path.parent / step.program)
    pairs: list[Value] = [list(parse_participant(text)) for text in step.participants]
    resources: list[Value] = [[kind, amount] for kind, amount in sorted(step.resources.items())]
    return {
        "name": parse_id(step.name),
        "component": component,
        "program_hash": sm3.digest(program),
        "participants": pairs,
        "receiver_key": parse_public_key(step.receiver) if step.receiver else own_key,
        "after": [parse_id(name) for name in step.after],
        "resources": resources,
    }
