"""The acts that `make bench-business` sends are acts that the contracts take."""

from __future__ import annotations

from pathlib import Path

from bench.business_acts import TASK_GRANTS, Act, Workload, preparation, workloads
from bench.business_report import Measured, render
from bench.references import References
from ledger.model import Receipt
from scenarios.consortium import Consortium
from tests.scenario_world import consortium


def done(parties: Consortium, act: Act) -> Receipt:
    session = next(one.session for one in parties.members if one.party == act.party)
    return session.call(act.contract, act.method, *act.args, gas_limit=act.gas_limit).receipt


def test_every_case_goes_through_to_its_end(tmp_path: Path) -> None:
    parties = consortium(tmp_path)
    node = parties.one("manager").session.node
    now_ms = node.status().time_ms
    for act in preparation(now_ms):
        done(parties, act)
    for workload in workloads(now_ms, node.chain_id):
        for number in (0, TASK_GRANTS):  # also a second one under the same grant
            for stage in workload.cases(number):
                receipts = [done(parties, act) for act in stage]
        assert ends_of(workload) <= {event.name for one in receipts for event in one.events}


def ends_of(workload: Workload) -> set[str]:
    """The events with which the last stage of a case has to end."""
    return {
        "transfer": {"Transfer"},
        "evidence": {"EvidenceRecorded"},
        "evidence batch": {"EvidenceRecorded"},
        "grant": {"Granted"},
        "grant by channel": {"GrantRequested", "Granted"},
        "task": {"TaskFinished"},
    }[workload.name]


def test_the_table_holds_rates_beside_transfers_of_the_same_round() -> None:
    transfer = Measured("transfer", "transfers", 1, 1, [100.0, 300.0, 200.0], 3.0, 600, [0.1])
    task = Measured("task", "tasks", 7, 1, [50.0, 210.0, 70.0], 6.0, 2100, [0.6])
    references = References(cores=2, verify_rate=400.0, sign_rate=1.0, leveldb_rate=1.0)
    told = render(references, [transfer, task], nodes=4, rounds=3, load=0.25)
    assert "Load average when it began: 0.2." in told
    assert (
        "| task | 7 | 70 (50 to 210) | 35% | 0.50 (0.35 to 0.70) | 10 tasks | 0.60 | 2.86 |"
    ) in told
