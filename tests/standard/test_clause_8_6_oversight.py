"""Clauses 8.6 as far as contracts meet them: who supervises whom, and every stage on the chain."""

from __future__ import annotations

import pytest

from ledger.values import Value
from tests.business import (
    HOUR_MS,
    PARTIES,
    SUPPLIERS,
    Business,
    all_datasets,
    dataset_of,
    digest,
    result,
)


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
    business.authorize("g1")
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
    "8.6.3c": (
        "authorization",
        ("agreement", "decision"),
        ("GrantRequested", "GrantInReview", "GrantDecided", "Granted", "GrantUsed"),
    ),
    "8.6.4c": (
        "development",
        ("algorithm", "input_sent", "process", "output_received", "result"),
        ("TaskCreated", "TaskAccepted", "TaskReady", "TaskReported", "TaskFinished"),
    ),
    "8.6.5c": (
        "delivery",
        ("diligence", "agreement", "sent", "received", "settlement"),
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


def engaged(business: Business, party: str) -> None:
    business.do("opco", "oversight", "select", f"x-{party}", party, "works for the platform")
    business.do("bureau", "oversight", "review", f"x-{party}", True, "sound")


@pytest.mark.parametrize("party", ["chipworks", "devhouse"])
def test_clause_8_6_1c_the_operator_supervises_tech_provider_and_developer(party: str) -> None:
    """授权运营方应监督技术提供方和服务开发方在数据授权、开发、交付阶段的活动."""
    business = Business()
    engaged(business, party)
    for stage in ("authorization", "development", "delivery"):
        said: list[Value] = [f"odd-{stage}", party, stage, "warning", "acted oddly", b""]
        ((_, fields),) = business.do("health", "alert", "report", *said)
        alert_id = str(fields["alert_id"])
        assert business.refused("rival", "alert", "acknowledge", alert_id, "") == "alert.supervisor"
        business.do("opco", "alert", "close", alert_id, "looked into it")
    business.do("opco", "incident", "open", "i1", "Leak", "development", "critical", party, [])
    business.do("opco", "incident", "cut_party", "i1", "leak")
    assert business.ask("bank", "parties", "is_active", party) is False


def risky(business: Business, stage: str) -> tuple[str, str]:
    """Brings the stage to where a check has to warn; the check and its subject."""
    if stage == "aggregation":
        business.catalogued()
        business.pass_time(91 * 24 * HOUR_MS)
        return "late_update", dataset_of("health")
    if stage == "authorization":
        business.created(uses_max=1)
        return "quota_used", "g1"
    if stage == "development":
        business.running()
        business.do("health", "task", "fail", "t1", "broke down")
        return "task_broken", "t1"
    business.offered()
    return "no_diligence", "v1"


@pytest.mark.parametrize(("section", "stage"), RULED)
def test_clause_8_6_2b_to_8_6_5b_what_goes_wrong_reaches_who_supervises(
    section: str, stage: str
) -> None:
    """监测、预警: 风险由合约自行判断, 告知监督方."""
    business = Business()
    check, subject = risky(business, stage)
    ((_, fields),) = business.do("archive", "alert", "check", check, subject)
    assert (fields["stage"], fields["subject"]) == (stage, subject), section
    alert_id, party = str(fields["alert_id"]), str(fields["party_id"])
    for who in PARTIES:
        if PARTIES[who] != "manager":
            refused = business.refused(who, "alert", "acknowledge", alert_id, "")
            assert refused == "alert.supervisor"
    business.do("bureau", "alert", "acknowledge", alert_id, "asked for it")
    business.do("bureau", "alert", "close", alert_id, "mended")
    assert business.ask_record(party, "alert", "show", alert_id)["status"] == "closed"


@pytest.mark.parametrize("stage", ["development", "delivery"])
def test_clause_8_6_4b_and_8_6_5b_measures_act_at_once_and_end_by_name(stage: str) -> None:
    """应急措施."""
    business = Business()
    business.running()
    business.do("bureau", "incident", "open", "i1", "Leak", stage, "critical", "opco", [])
    business.do("bureau", "incident", "suspend_grant", "i1", "g1", "leak")
    business.do("bureau", "incident", "cut_party", "i1", "leak")
    assert business.refused("opco", "task", "create", *business.order("t2")) == "task.role"
    assert business.refused("health", "task", "report", *result("health")) == "grant.on_hold"
    for number in (1, 2):
        business.do("bureau", "incident", "lift", "i1", number, "mended")
    business.report("health")
    business.do("bureau", "incident", "close", "i1", "mended", digest("report"))


@pytest.mark.parametrize("scope", ["behaviour", "permissions", "logs", "algorithms"])
@pytest.mark.parametrize(("section", "stage"), RULED)
def test_clause_8_6_2d_to_8_6_5d_audits_are_asked_and_answered(
    section: str, stage: str, scope: str
) -> None:
    """支持对各阶段的用户行为、账户权限、日志、算法等进行审计."""
    business = Business()
    due_ms = business.now_ms + 24 * HOUR_MS
    asked: list[Value] = ["q1", "opco", stage, scope, f"account for {section}d", due_ms]
    for who in PARTIES:
        if PARTIES[who] != "manager":
            assert business.refused(who, "inquiry", "ask", *asked) == "inquiry.role"
    business.do("bureau", "inquiry", "ask", *asked)
    business.do("opco", "inquiry", "answer", "q1", "see the audit report", digest("report"))
    business.do("bureau", "inquiry", "conclude", "q1", True, "in order")
    found = business.ask_record("opco", "inquiry", "show", "q1")
    assert (found["status"], found["answer_digest"]) == ("concluded", digest("report"))
