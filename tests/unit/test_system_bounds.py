"""What a refusal says of a bound is where the bound is: 128 characters go in, 129 do not.

Every argument of every step of the business, and whatever is inside of lists, is made as long or
as large as no contract may take. The refusal names the bound ("use 1 to 128 characters", "report
0 to 10**12 uses"), and the values at its two ends and right beyond them are tried in turn.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import pytest

from contracts.vm.codes import Code
from ledger.values import Value
from tests.business import HOUR_MS, Business, code_of
from tests.business_steps import STEPS
from tests.steps import Step

Path: TypeAlias = tuple[int, ...]  # where something stands in arguments

RANGE = re.compile(r"(?:\b(\d+) to |\bup to )(\d+(?:\*\*\d+)?)")
BYTES = re.compile(r"\b(\d+) bytes")
TIME = re.compile(r"\bthe next (?:(two|five|90) )?(year|week|day)")
DAYS = {"year": 366, "week": 7, "day": 1}
COUNTS = {None: 1, "two": 2, "five": 5, "90": 90}
DAY_MS = 24 * HOUR_MS
OPTIONAL = {("admission.admit", (2,))}  # "" is for none
# Other arguments decide which bound there is: see test_system_commission.
DEPENDENT = {("commission.offer", (9,)), ("commission.prolong", (1,))}
# The bounds that refusals name, by the contract whose steps meet them.
BOUNDED = {
    "admission": (
        "admission.documents admission.expires admission.id admission.key admission.reason "
        "oversight.id parties.id parties.name parties.roles"
    ),
    "agreement": (
        "agreement.digest agreement.id agreement.location agreement.price "
        "agreement.reason agreement.title agreement.until"
    ),
    "alert": "alert.digest alert.note alert.topic",
    "algorithm": (
        "algorithm.id algorithm.image algorithm.location algorithm.note "
        "algorithm.parameter_name algorithm.parameter_text algorithm.parameter_type "
        "algorithm.parameters algorithm.reason algorithm.signature algorithm.title"
    ),
    "asset": (
        "asset.certificate asset.digest asset.id asset.level asset.maker asset.model asset.place "
        "asset.purpose asset.reason asset.release asset.title"
    ),
    "commission": (
        "commission.answer commission.digest commission.digests commission.due commission.id "
        "commission.location commission.note commission.reason commission.title"
    ),
    "billing": "billing.digest billing.reason billing.settlement billing.units",
    "payment": "payment.conclusion payment.digest payment.reason",
    "catalog": (
        "catalog.category catalog.column catalog.commitment catalog.description "
        "catalog.id catalog.reason catalog.row_count catalog.schema catalog.tag "
        "catalog.tags catalog.title catalog.update_days quality.figures quality.ppm"
    ),
    "deidentification": (
        "deidentification.grade deidentification.id deidentification.k deidentification.methods "
        "deidentification.note deidentification.reason deidentification.report "
        "deidentification.threshold"
    ),
    "delivery": (
        "delivery.agreement delivery.diligence delivery.id delivery.log delivery.note "
        "delivery.payload delivery.reason delivery.received delivery.scenario delivery.uses"
    ),
    "demand": (
        "demand.datasets demand.delivery demand.due demand.format demand.id demand.kind "
        "demand.need demand.needs demand.note demand.order demand.purpose demand.quality "
        "demand.scenario demand.suppliers demand.title"
    ),
    "evaluation": (
        "evaluation.answer evaluation.criterion evaluation.id evaluation.next_due "
        "evaluation.note evaluation.points evaluation.report evaluation.scores "
        "evaluation.settlement"
    ),
    "evidence": (
        "evidence.digest evidence.id evidence.key evidence.location evidence.note "
        "evidence.payload evidence.readers evidence.size"
    ),
    "grant": (
        "grant.expires grant.id grant.note grant.reason preapproval.actions "
        "preapproval.algorithm_id preapproval.algorithms preapproval.datasets "
        "preapproval.output preapproval.outputs preapproval.permissions "
        "preapproval.scenario preapproval.uses"
    ),
    "incident": (
        "incident.alerts incident.contract incident.id incident.outcome incident.reason "
        "incident.report incident.title"
    ),
    "inquiry": (
        "inquiry.answer inquiry.digest inquiry.due inquiry.finding inquiry.id inquiry.question"
    ),
    "job": ("job.deadline job.id job.note job.priority job.reason job.result job.title step.steps"),
    "oversight": "oversight.id oversight.note oversight.reason",
    "parties": "parties.accounts parties.id parties.name parties.reason parties.roles",
    "preapproval": (
        "preapproval.actions preapproval.algorithm_id preapproval.algorithms "
        "preapproval.datasets preapproval.id preapproval.output preapproval.outputs "
        "preapproval.permissions preapproval.reason preapproval.scenario "
        "preapproval.until preapproval.uses"
    ),
    "product": "product.description product.id product.note product.result_digest product.title",
    "proposal": (
        "feature.name governance.key governance.name parameter.values policy.managers "
        "policy.share proposal.id proposal.reason"
    ),
    "quality": "quality.figures quality.ppm quality.report",
    "rules": "rules.digest rules.id rules.location rules.reason rules.title",
    "tariff": "tariff.digest tariff.location tariff.price tariff.prices tariff.service",
    "task": (
        "task.certificate task.deadline task.digest task.endpoint task.id "
        "task.output_share task.participants task.program task.protection task.reason "
        "task.receiver_key task.resources"
    ),
}
HUGE = 10**20
LONG = 20_000  # characters, bytes
MANY = 1_500  # members of a list


@pytest.mark.parametrize("contract", BOUNDED)
def test_every_bound_is_where_its_refusal_says(contract: str) -> None:
    found: set[str] = set()
    for step in STEPS:
        if step.contract == contract:
            business = Business()
            step.prepare(business)
            trial = Trial(business, step)
            assert trial.refusal(trial.args) == ""
            for path, value in inside(trial.args):
                if (str(step), path) not in DEPENDENT:
                    found |= trial.bounds(path, value)
    assert sorted(found) == BOUNDED[contract].split()


def test_every_contract_that_takes_steps_is_here() -> None:
    without_bounds = {"governance"}
    assert {step.contract for step in STEPS} == BOUNDED.keys() | without_bounds


class Trial:
    """One step, taken from the same state as often as one likes."""

    def __init__(self, business: Business, step: Step) -> None:
        self.chain = business.chain
        self.business = business
        self.step = step
        self.args = step.args(business)
        self.before = dict(self.chain.state)
        self.height, self.time_ms = self.chain.height, self.chain.time_ms

    def refusal(self, args: Sequence[Value]) -> str:
        """What it is refused with, by the contract or the machine; "" if it is taken."""
        self.chain.state.clear()
        self.chain.state.update(self.before)
        self.chain.height, self.chain.time_ms = self.height, self.time_ms
        receipt = self.business.act(
            self.step.allowed[0], self.step.contract, self.step.method, *args
        )
        return "" if receipt.status == Code.ok else f"{receipt.detail or receipt.error}"

    def bounds(self, path: Path, value: Value) -> set[str]:
        """The codes of the bounds that this value meets."""
        sizes = (LONG, MANY, HUGE, -HUGE, 0) if isinstance(value, int) else (LONG, 0)
        if isinstance(value, list):
            sizes = (MANY, 0)
        codes = set()
        for size in sizes:
            refusal = self.refusal(with_size(self.args, path, value, size))
            said = limits(refusal, self.time_ms + 1) if refusal else None
            if said is None or said[0] <= size <= said[1]:
                continue
            codes.add(code_of(refusal))
            for inner in said:
                args = with_size(self.args, path, value, inner)
                assert self.refusal(args) != refusal, (self.step, path, inner, refusal)
            for outer in (said[0] - 1, said[1] + 1):
                if outer == 0 and (str(self.step), path) in OPTIONAL:
                    continue
                if outer >= 0 or isinstance(value, int):
                    args = with_size(self.args, path, value, outer)
                    assert self.refusal(args) == refusal, (self.step, path, outer, refusal)
        return codes


def limits(refusal: str, now_ms: int) -> tuple[int, int] | None:
    """The least and the most that may be, if the refusal says so."""
    if said := TIME.search(refusal):
        return now_ms + 1, now_ms + COUNTS[said[1]] * DAYS[said[2]] * DAY_MS
    if said := RANGE.search(refusal):
        base, _, power = said[2].partition("**")
        most = int(base) ** int(power or 1)
        return int(said[1] or 0), most
    if said := BYTES.search(refusal):
        return int(said[1]), int(said[1])
    return None


def inside(values: Sequence[Value], at: Path = ()) -> Iterator[tuple[Path, Value]]:
    """All that has a size: texts, bytes, numbers, lists, and what is inside of lists."""
    for place, value in enumerate(values):
        if isinstance(value, bool):
            continue
        if isinstance(value, (str, bytes, int, list)):
            yield (*at, place), value
        if isinstance(value, list):
            yield from inside(value, (*at, place))


def with_size(args: Sequence[Value], path: Path, value: Value, size: int) -> list[Value]:
    """The arguments with a value of this size, or this number, in that place."""
    other: Value
    if isinstance(value, int):
        other = size
    elif isinstance(value, str):
        other = (value + "x" * size)[:size] if value.isascii() else "x" * size
    elif isinstance(value, bytes):
        other = (value + bytes(size))[:size]
    else:
        assert isinstance(value, list)
        other = (value * size)[:size] if value else ["x"] * size
    return placed(args, path, other)


def placed(values: Sequence[Value], path: Path, value: Value) -> list[Value]:
    place = path[0]
    if len(path) == 1:
        new = value
    else:
        inner = values[place]
        assert isinstance(inner, list)
        new = placed(inner, path[1:], value)
    return [*values[:place], new, *values[place + 1 :]]
