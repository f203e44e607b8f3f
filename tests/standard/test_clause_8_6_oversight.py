"""Clauses 8.6 as far as contracts meet them: who supervises whom, and every stage on the chain."""

from __future__ import annotations

import pytest

from ledger.values import Value
from tests.business import PARTIES, SUPPLIERS, Business, all_datasets, digest


def test_clause_8_6_1a_the_manager_supervises_operator_supplier_and_consumer() -> None:
    """管理方监督授权运营方、数据提供方和数据需求方."""
    business = Business()
    supervised = ("opco", "health", "insurer")
    for who in PARTIES:
        if PARTIES[who] != "manager":
            for party in supervised:
                refused = business.refused(who, "parties", "suspend", party, "why")
                assert refused == "parties.role"
    for party in supervised:
        business.do("bureau", "parties", "suspend", party, "acted against its agreement")


def test_clause_8_6_1b_the_manager_can_step_in_at_every_stage() -> None:
    """监督数据提供方、授权运营方、数据需求方在各阶段的活动."""
    business = Business()
    business.catalogued()
    business.forwarded()
    business.do("bureau", "demand", "review", "d1", True, "", all_datasets())
    business.do("bureau", "grant", "issue", "g1", *business.grant_terms())
    business.do("opco", "task", "create", *business.order())
    business.do("bureau", "task", "cancel", "t1")
    business.do("bureau", "grant", "revoke", "g1", "purpose was not kept")
    business.do("bureau", "parties", "suspend", "insurer", "passed the product on")


# Stage, the kinds of evidence of that stage, and the events that the contracts leave by themselves.
STAGES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "8.6.2c": (
        "aggregation",
        ("collected", "quality"),
        ("DatasetRegistered", "DemandFiled", "DemandPrescreened", "DemandReviewed"),
    ),
    "8.6.3c": ("authorization", ("agreement", "decision"), ("Granted", "GrantUsed")),
    "8.6.4c": (
        "development",
        ("algorithm", "input_sent", "process", "output_received", "result"),
        ("TaskCreated", "TaskAccepted", "TaskReady", "TaskReported", "TaskFinished"),
    ),
    "8.6.5c": (
        "delivery",
        ("agreement", "sent", "received", "settlement"),
        ("ProductRegistered", "ProductAssessed", "DeliveryOffered", "DeliveryAnswered"),
    ),
}


class Listener(Business):
    """A business that remembers the names of all events."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def do(
        self, who: str, contract: str, method: str, *args: Value
    ) -> list[tuple[str, dict[str, Value]]]:
        events = super().do(who, contract, method, *args)
        self.heard += [name for name, _fields in events]
        return events


@pytest.mark.parametrize("clause", STAGES)
def test_clause_8_6_2c_to_8_6_5c_the_whole_stage_is_on_the_chain(clause: str) -> None:
    """借助区块链技术对全流程的数据进行监测并存证."""
    stage, kinds, expected = STAGES[clause]
    business = Listener()
    business.offered()
    business.do("insurer", "delivery", "accept", "v1", digest("payload"), True, "")
    assert set(expected) <= set(business.heard)
    for number, kind in enumerate(kinds):
        record: list[Value] = [f"e{number}", f"{stage}.{kind}", "t1", digest(kind), ""]
        business.do("opco", "evidence", "record", *record)
    assert business.heard.count("EvidenceRecorded") == len(kinds)
    assert business.heard.count("TaskReported") == len(SUPPLIERS)


RULED = [(f"8.6.{number}", stage) for number, (stage, *_) in enumerate(STAGES.values(), 2)]


def in_force(business: Business, author: str, rule_id: str, kind: str, stage: str) -> None:
    """Drafted by its author, put in force by the manager, at the height after the next."""
    text: list[Value] = [rule_id, kind, stage, f"{kind} of {stage}", digest(rule_id), "", []]
    for who, role in PARTIES.items():
        if role != PARTIES[author]:
            assert business.refused(who, "rules", "draft", *text) == "rules.role"
    business.do(author, "rules", "draft", *text)
    for who, role in PARTIES.items():
        if role != "manager":
            early: list[Value] = [rule_id, 1, digest(rule_id), business.chain.height + 99]
            assert business.refused(who, "rules", "enact", *early) == "rules.role"
    height = business.chain.height + 2
    business.do("bureau", "rules", "enact", rule_id, 1, digest(rule_id), height)
    business.chain.advance(height=2)
    version = business.ask_record("health", "rules", "version", rule_id, 1)
    assert (version["status"], version["digest"]) == ("effective", digest(rule_id))


@pytest.mark.parametrize(("section", "stage"), RULED)
def test_clause_8_6_2a_to_8_6_5a_every_stage_has_rules_of_the_manager(
    section: str, stage: str
) -> None:
    """管理方应设计完善的公共数据汇聚、授权、开发、交付规则."""
    business = Business()
    in_force(business, "bureau", f"rule-{section}a", "rule", stage)
    assert business.ask("bank", "rules", "in_force", f"rule-{section}a", business.chain.height) == 1


@pytest.mark.parametrize(("section", "stage"), RULED)
def test_clause_8_6_2b_to_8_6_5b_every_stage_has_plans_of_the_operator(
    section: str, stage: str
) -> None:
    """授权运营方应设计完善的监测制度和监测计划、预警制度及应急措施."""
    business = Business()
    asked = {
        "aggregation": ("monitoring",),
        "authorization": ("monitoring", "warning"),
        "development": ("monitoring", "warning", "emergency"),
        "delivery": ("monitoring", "warning", "emergency"),
    }
    for kind in asked[stage]:
        in_force(business, "opco", f"{kind}-{section}b", kind, stage)
