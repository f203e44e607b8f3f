"""Plans of jobs at their bounds: sixteen parties, all four resources, and no step after itself."""

from __future__ import annotations

import pytest

from contracts.vm.testing import account
from ledger.values import Key, Value
from tests.business import STRANGER, Business, changed, step


def with_field(one: Value, name: Key, value: Value) -> Value:
    assert isinstance(one, dict)
    return {**one, name: value}


def test_sixteen_parties_take_part_in_one_step() -> None:
    business = Business()
    pairs: list[Value] = []
    for number in range(16):
        party = f"s-{number}"
        words: list[Value] = [party, "Office", ["supplier"], [account(party)]]
        business.do("bureau", "parties", "register", *words)
        pairs.append([party, business.enter(party, f"rows-{number}")])
    datasets: list[Value] = [f"rows-{number}" for number in range(16)]
    business.forwarded()
    business.do("bureau", "demand", "review", "d1", True, "", datasets)
    business.authorize("g1", changed(business.grant_terms(), 2, datasets))
    plan = changed(business.plan(), 5, [with_field(step("all"), "participants", pairs)])
    business.do("opco", "job", "create", *plan)
    parties = business.job()["parties"]
    assert isinstance(parties, list) and len(parties) == 17  # with the consumer
    more: list[Value] = [*pairs, ["health", "health-claims"]]
    plan = changed(changed(plan, 0, "j2"), 5, [with_field(step("all"), "participants", more)])
    assert business.refused("opco", "job", "create", *plan) == "step.participants"


@pytest.mark.parametrize("after", ["second", "third", "unknown"])
def test_a_step_stands_behind_earlier_ones_alone(after: str) -> None:
    business = Business()
    business.granted()
    steps: list[Value] = [step("first"), step("second", after), step("third")]
    refused = business.refused("opco", "job", "create", *changed(business.plan(), 5, steps))
    assert refused == "step.after"


def test_each_resource_is_asked_for_up_to_its_bound() -> None:
    business = Business()
    business.granted()
    kinds = ("cpu_millis", "memory_mib", "disk_mib", "bandwidth_kbps")
    most: list[Value] = [[kind, 10**12] for kind in kinds]
    beyond: list[Value] = [*most[:3], ["bandwidth_kbps", 10**12 + 1]]
    plan = changed(business.plan(), 5, [with_field(step("a"), "resources", beyond)])
    assert business.refused("opco", "job", "create", *plan) == "step.amount"
    business.do(
        "opco", "job", "create", *changed(plan, 5, [with_field(step("a"), "resources", most)])
    )


def test_what_belongs_to_no_job_is_vouched_for_by_itself() -> None:
    assert Business().ask(STRANGER, "step", "ensure_vouched", "t1") is True
