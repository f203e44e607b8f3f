"""Section 6 of DB 31115/Z 040-2023 on chain: the four stages and the duties of the parties.

One test per clause, named by it; the Chinese term stands in its docstring. Clauses that the
chain meets in part are tested for that part; docs/standard.md says what is missing.
"""

from __future__ import annotations

from dataclasses import replace

from ledger.model import address_of
from ledger.values import Value
from tests.applications import Wish, admitted, applied, decision, signed
from tests.business import (
    ALGORITHM,
    DEMAND,
    OFFER,
    PARTIES,
    Business,
    agreed_terms,
    all_datasets,
    changed,
    dataset_of,
    dataset_rows,
    dataset_text,
    digest,
    node_public,
)


def others(*roles: str) -> list[str]:
    """Parties without any of these roles."""
    return [party for party, role in PARTIES.items() if role not in roles]


def test_clause_6_2a_a_consumer_files_its_demand_with_the_operator() -> None:
    """数据需求方提出公共数据需求."""
    business = Business()
    demand: list[Value] = ["d1", *DEMAND]
    for who in others("consumer"):
        assert business.refused(who, "demand", "file", *demand) == "demand.role"
    assert business.do("insurer", "demand", "file", *demand) == [
        ("DemandFiled", {"demand_id": "d1", "party_id": "insurer", "addressee": ""})
    ]
    assert business.ask_record("opco", "demand", "show", "d1")["status"] == "submitted"
    business.do("insurer", "demand", "file", "d2", *changed(DEMAND, -1, "opco"))
    screen: list[Value] = ["d2", True, "complete"]
    assert business.refused("rival", "demand", "prescreen", *screen) == "demand.addressee"
    business.do("opco", "demand", "prescreen", *screen)


def test_clause_6_2b_the_operator_collects_prescreens_and_forwards_demands() -> None:
    """授权运营方接收、汇总、预审, 并发送给管理方."""
    business = Business()
    business.filed("d1")
    business.filed("d2")
    collected = business.ask("opco", "demand", "list", 0, 100)
    assert isinstance(collected, list)
    assert [row["id"] for row in collected if isinstance(row, dict)] == ["d1", "d2"]
    for who in others("operator"):
        assert business.refused(who, "demand", "prescreen", "d1", True, "") == "demand.role"
    business.do("opco", "demand", "prescreen", "d1", True, "complete")
    business.do("opco", "demand", "prescreen", "d2", False, "says nothing of its purpose")
    assert business.ask_record("bureau", "demand", "show", "d1")["status"] == "forwarded"
    assert business.ask_record("bureau", "demand", "show", "d2")["status"] == "returned"


def test_clause_6_2c_the_manager_reviews_and_matches_resources_of_the_catalogue() -> None:
    """管理方审核, 匹配、整合数据资源."""
    business = Business()
    business.catalogued()
    business.forwarded()
    review: list[Value] = ["d1", True, "lawful", all_datasets()]
    for who in others("manager"):
        assert business.refused(who, "demand", "review", *review) == "demand.role"
    unknown = changed(review, 3, ["not-in-the-catalogue"])
    assert business.refused("bureau", "demand", "review", *unknown) == "demand.dataset_unknown"
    business.do("bureau", "demand", "review", *review)
    assert business.ask_record("insurer", "demand", "show", "d1")["datasets"] == all_datasets()


def test_clause_6_2d_manager_and_suppliers_collect_what_the_catalogue_lacks() -> None:
    """尚未归集的数据, 由管理方与数据提供方共同归集."""
    business = Business()
    business.forwarded()
    order: list[Value] = ["d1", "missing", ["health"], "claims", business.now_ms + 3_600_000]
    for who in others("manager"):
        assert business.refused(who, "demand", "collect", *order) == "demand.role"
    business.do("bureau", "demand", "collect", *order)
    draft: list[Value] = ["x", "d1", *dataset_text("social")]
    assert business.refused("social", "catalog", "draft", *draft) == "catalog.demand"
    business.enter("health", "x", "d1")
    business.do("bureau", "demand", "match", "d1", "as asked", ["x"])
    demand = business.ask_record("insurer", "demand", "show", "d1")
    assert (demand["status"], demand["datasets"]) == ("ready", ["x"])


def test_clause_6_2d_a_supplier_that_collects_nothing_by_the_day_is_told_of() -> None:
    """逾期未归集的, 告知管理方."""
    business = Business()
    business.collecting()
    business.pass_time(3 * 24 * 3_600_000)
    ((_name, raised),) = business.do("opco", "alert", "check", "collection_late", "d1/health")
    assert (raised["party_id"], raised["stage"]) == ("health", "aggregation")
    business.do("bureau", "alert", "acknowledge", str(raised["alert_id"]), "asked for it")


def test_clause_6_3a_the_manager_grants_a_demand_and_its_scenario_and_may_end_it() -> None:
    """管理方对需求及目标应用场景进行授权, 并监督管理."""
    business = Business()
    business.approved()
    terms: list[Value] = ["g1", *business.grant_terms()]
    for who in others("operator"):
        assert business.refused(who, "grant", "request", *terms) == "grant.role"
    business.do("opco", "grant", "request", *terms)
    business.do("bureau", "grant", "review", "g1")
    decision: list[Value] = ["g1", True, "lawful", business.terms_digest("g1")]
    for who in others("manager"):
        assert business.refused(who, "grant", "decide", *decision) == "grant.role"
    business.do("bureau", "grant", "decide", *decision)
    assert business.ask("opco", "grant", "is_valid", "g1") is False, "nobody countersigned it"
    business.do("opco", "grant", "accept", "g1", business.terms_digest("g1"))
    grant = business.ask_record("opco", "grant", "show", "g1")
    assert (grant["demand_id"], grant["scenario"]) == ("d1", "insurance pricing")
    business.do("bureau", "grant", "revoke", "g1", "purpose was not kept")
    assert business.ask("opco", "grant", "is_valid", "g1") is False


def test_clause_6_3b_a_request_within_what_was_approved_before_is_in_force_at_once() -> None:
    """授权运营方建立快速审批通道."""
    business = Business()
    business.approved()
    business.preapproved()
    asked = changed(["g1", *business.grant_terms()], -1, "c1")
    business.do("opco", "grant", "request", *asked)
    assert business.ask("opco", "grant", "is_valid", "g1") is True
    business.do("bureau", "preapproval", "close_channel", "c1", "the pilot is over")
    again = changed(asked, 0, "g2")
    assert business.refused("opco", "grant", "request", *again) == "preapproval.closed"


def test_clause_6_3b_granted_data_and_products_are_registered() -> None:
    """对经授权的原始公共数据和公共数据产品做好信息登记."""
    business = Business()
    business.registered()
    grant = business.ask_record("opco", "grant", "show", "g1")
    assert grant["datasets"] == all_datasets()
    assert business.ask("opco", "grant", "used_by", "g1", 1) == "t1"
    product = business.ask_record("bureau", "product", "show", "p1")
    assert (product["task_id"], product["grant_id"]) == ("t1", "g1")


def test_clause_6_4a_the_operator_develops_within_what_was_granted_only() -> None:
    """授权运营方在授权范围内实施数据开发利用."""
    business = Business()
    business.granted(uses_max=1)
    business.enter("social", "social-births")
    order = business.order()
    beyond: list[Value] = [["health", dataset_of("health")], ["social", "social-births"]]
    other_data = changed(order, 4, beyond)
    assert business.refused("opco", "task", "create", *other_data) == "grant.dataset"
    desk = node_public("desk of rival")
    business.do("bureau", "parties", "add_account", "rival", address_of(desk))
    other_eyes = changed(order, 5, desk)
    assert business.refused("opco", "task", "create", *other_eyes) == "risk.receiver"
    other_use = changed(order, 2, "training/1")
    assert business.refused("opco", "task", "create", *other_use) == "grant.algorithm"
    assert business.refused("rival", "task", "create", *order) == "grant.operator"
    business.do("opco", "task", "create", *order)
    more = business.refused("opco", "task", "create", *business.order("t2"))
    assert more == "grant.used_up"


def test_clause_6_4a_quantity_quality_and_renewal_of_data_are_monitored() -> None:
    """对公共数据的数量、质量以及更新情况等进行实时监测."""
    business = Business()
    business.catalogued()
    dataset = dataset_of("health")
    rows = changed(dataset_rows("health", rows="newer"), 0, 3000)
    business.do("health", "catalog", "update", dataset, *rows)
    business.do("opco", "quality", "measure", dataset, [["accuracy", 500_000]], digest("report"))
    business.pass_time(91 * 24 * 3_600_000)
    seen = business.ask("opco", "quality", "monitor", [dataset])
    assert isinstance(seen, list) and isinstance(seen[0], dict)
    assert (seen[0]["row_count"], seen[0]["rows_most"], seen[0]["fallen_ppm"]) == (
        3000,
        6730,
        470_000,
    )
    for check in ("late_update", "quality_fallen", "quantity_fallen"):
        ((_name, raised),) = business.do("opco", "alert", "check", check, dataset)
        assert raised["party_id"] == "health"


def test_clause_6_4b_the_manager_assesses_products_before_they_are_delivered() -> None:
    """管理方对开发的公共数据产品和服务进行监管."""
    business = Business()
    business.registered()
    early = business.refused("opco", "delivery", "offer", "v1", "p1", *OFFER)
    assert early == "delivery.product"
    for who in others("manager"):
        assert business.refused(who, "product", "approve", "p1", True, "") == "product.role"
    business.do("bureau", "product", "approve", "p1", False, "small cells identify people")
    assert business.ask_record("opco", "product", "show", "p1")["status"] == "refused"


def test_clause_6_5a_a_product_reaches_the_consumer_whole_and_no_other() -> None:
    """通过可信渠道和方式交付至数据需求方."""
    business = Business()
    business.assessed()
    to_another = changed(["v1", "p1", *OFFER], 2, "bank")
    refused = business.refused("opco", "delivery", "offer", *to_another)
    assert refused == "delivery.consumer"
    business.do("opco", "delivery", "offer", "v1", "p1", *OFFER)
    tampered: list[Value] = ["v1", digest("tampered"), True, ""]
    assert business.refused("insurer", "delivery", "accept", *tampered) == "delivery.digest"
    business.do("insurer", "delivery", "accept", "v1", digest("payload"), True, "")


def test_clause_6_5c_deliveries_are_registered_and_evidenced() -> None:
    """对其交付的公共数据产品和服务进行登记并可信存证."""
    business = Business()
    business.offered()
    delivery = business.ask_record("bureau", "delivery", "show", "v1")
    assert (delivery["product_id"], delivery["grant_id"]) == ("p1", "g1")
    business.do("opco", "evidence", "record", "e1", "delivery.sent", "v1", digest("log"), "")
    business.do("insurer", "evidence", "record", "e2", "delivery.received", "v1", digest("l"), "")
    records = business.ask("bureau", "evidence", "list_by_subject", "v1", 0, 100)
    assert isinstance(records, list)
    parties = [row["party"] for row in records if isinstance(row, dict)]
    assert parties == ["opco", "insurer"]


def test_clause_6_6_1_the_manager_admits_and_suspends_parties() -> None:
    """管理方: 建立公共数据授权机制; 遴选、审核、监督."""
    business = Business()
    newcomer: list[Value] = ["lab", "Lab", ["supplier"], ["ab" * 20]]
    for who in others("manager"):
        assert business.refused(who, "parties", "register", *newcomer) == "parties.role"
        assert business.refused(who, "parties", "suspend", "opco", "why") == "parties.role"
    business.do("bureau", "parties", "register", *newcomer)
    business.do("bureau", "parties", "suspend", "lab", "failed its review")
    for who in others("manager"):
        assert business.refused(who, "parties", "revoke", "lab", "why") == "parties.role"
    business.do("bureau", "parties", "revoke", "lab", "failed it again")
    assert business.refused("bureau", "parties", "readmit", "lab", "why") == "parties.revoked"


def test_clause_6_6_1b_the_manager_admits_whom_an_operator_sponsors() -> None:
    """审核技术提供方和服务开发方: 由管理方一次决定."""
    business = Business()
    for role in ("tech_provider", "developer"):  # nobody's own choice
        words: list[Value] = ["lab", "Lab", [role], ["ab" * 20]]
        assert business.refused("bureau", "parties", "register", *words) == "parties.selected"
    applied(business)
    words = decision(business)
    for who in others("manager"):
        assert business.refused(who, "admission", "admit", *words) == "admission.role"
        assert business.refused(who, "admission", "refuse", "a1", "why") == "admission.role"
    business.do("bureau", "admission", "admit", *words)
    shown = business.ask_record("bank", "parties", "show", "lab")
    assert (shown["selected_by"], shown["approved_by"]) == ("opco", "bureau")


def test_clause_6_6_2b_an_operator_sponsors_tech_providers_and_developers() -> None:
    """代为遴选技术提供方和服务开发方."""
    business = Business()
    for role in ("tech_provider", "developer"):
        wish = Wish(id=role, party=role, keys=(role,), roles=(role,))
        for who in others("operator"):
            asked = signed(business, replace(wish, sponsor=who))
            assert business.refused(who, "admission", "apply", *asked) == "admission.role"
        admitted(business, wish)
        engaged = business.ask_record("bureau", "oversight", "show", role)
        assert (engaged["operator"], engaged["party"], engaged["status"]) == (
            "opco",
            role,
            "approved",
        )


def test_clause_6_6_2_the_operator_brings_supply_and_demand_together() -> None:
    """授权运营方: 管理数据供给与需求, 按合同约定安全交付数据产品."""
    business = Business()
    business.offered()
    delivery = business.ask_record("opco", "delivery", "show", "v1")
    assert (delivery["operator"], delivery["agreement_digest"]) == ("opco", digest("agreement"))


def test_clause_6_6_3_a_supplier_catalogues_grades_and_updates_its_data() -> None:
    """数据提供方: 强化数据分类分级及编目归集, 更新的及时性."""
    business = Business()
    for who in others("supplier"):
        refused = business.refused(who, "catalog", "draft", "x", "", *dataset_text("health"))
        assert refused == "catalog.role"
    business.catalogued()
    for position, code in ((5, "catalog.category"), (6, "catalog.grade")):
        text: list[Value] = ["x", "", *dataset_text("health")]
        bare = changed(text, position + 1, "" if position == 5 else 0)
        assert business.refused("health", "catalog", "draft", *bare) == code
    newer = dataset_rows("health", rows="newer")
    business.do("health", "catalog", "update", dataset_of("health"), *newer)
    assert business.ask_record("opco", "catalog", "show", dataset_of("health"))["version"] == 2


def test_clause_6_6_3_no_rows_without_figures_of_their_quality() -> None:
    """建立健全数据质量控制体系, 及时发现并解决数据质量问题."""
    business = Business()
    business.drafted("health", "x")
    silent = changed(dataset_rows("health"), 2, [])
    assert business.refused("health", "catalog", "collect", "x", *silent) == "quality.figures"
    business.do("health", "catalog", "collect", "x", *dataset_rows("health"))
    business.do("health", "catalog", "register", "x")
    assert business.refused("health", "catalog", "update", "x", *silent) == "quality.figures"
    figures = business.ask_record("bank", "quality", "show", "x")["figures"]
    assert isinstance(figures, list) and isinstance(figures[0], dict)
    assert (figures[0]["measure"], figures[0]["party"]) == ("completeness", "health")


def test_clause_6_6_4_the_consumer_states_its_needs_and_accepts_what_it_received() -> None:
    """数据需求方: 明确数据种类等要求; 及时、准确接收数据并验收."""
    business = Business()
    said = ("kind", "format", "quality", "delivery", "purpose", "scenario")
    for position, what in enumerate(said, 1):
        vague = changed(DEMAND, position, "")
        assert business.refused("insurer", "demand", "file", "d0", *vague) == f"demand.{what}"
    assert (
        business.refused("insurer", "demand", "file", "d0", *DEMAND[:-2], [], "") == "demand.needs"
    )
    business.offered()
    answer: list[Value] = ["v1", digest("payload"), True, "complete"]
    for who in others("consumer"):
        assert business.refused(who, "delivery", "accept", *answer) == "delivery.role"
    business.do("insurer", "delivery", "accept", *answer)


def test_clause_6_6_4_the_consumer_signs_the_contract_under_which_it_is_delivered() -> None:
    """数据需求方: 签订数据服务合同; 授权运营方: 按合同约定安全交付."""
    business = Business()
    business.assessed()
    business.do("opco", "agreement", "offer", "a1", *agreed_terms(business))
    offer: list[Value] = ["v1", "p1", *OFFER, "a1"]
    for side in ("opco", "insurer"):
        refused = business.refused("opco", "delivery", "offer_under", *offer)
        assert refused == "agreement.not_in_force"
        business.do(side, "agreement", "sign", "a1", digest("agreement"))
    business.do("opco", "delivery", "offer_under", *offer)
    business.do("bureau", "agreement", "terminate", "a1", "the product harms people")
    accepted: list[Value] = ["v1", digest("payload"), True, ""]
    refused = business.refused("insurer", "delivery", "accept", *accepted)
    assert refused == "agreement.not_in_force"


def test_clause_6_6_5_a_tech_provider_puts_its_algorithms_on_record() -> None:
    """技术提供方: 提供安全计算等算法产品."""
    business = Business()
    record: list[Value] = ["e1", "development.algorithm", "statistics-1", digest("image"), ""]
    business.do("chipworks", "evidence", "record", *record)
    shown = business.ask_record("opco", "evidence", "show", "e1")
    assert (shown["party"], shown["digest"]) == ("chipworks", digest("image"))


def test_clause_6_6_6_a_developer_puts_its_work_on_record() -> None:
    """服务开发方: 接受委托, 开展数据融合、治理、交付、评估等运营服务."""
    business = Business()
    business.finished()
    record: list[Value] = ["e1", "development.process", "t1", digest("log"), ALGORITHM]
    business.do("devhouse", "evidence", "record", *record)
    words: list[Value] = ["p1", "t1", "T", "", digest("r"), "statistics"]
    refused = business.refused("devhouse", "product", "register", *words)
    assert refused == "product.role"


def test_clause_6_5b_diligence_is_on_record_and_anomalies_reach_the_manager() -> None:
    """开展需求尽职调查和交付风险评估, 异常情况及时报告管理方."""
    business = Business()
    business.assessed()
    business.do("opco", "delivery", "offer", "v1", "p1", *OFFER)
    business.do("bank", "alert", "check", "no_diligence", "v1")
    alert = business.ask_record("bureau", "alert", "show", "alert-1")
    assert (alert["party"], alert["severity"]) == ("opco", "critical")
    record: list[Value] = ["e1", "delivery.diligence", "p1", digest("diligence"), "risk is low"]
    business.do("opco", "evidence", "record", *record)
    assert business.ask_record("bank", "risk", "look", "no_diligence", "v1")["is_due"] is True
    business.do("opco", "delivery", "offer", "v2", "p1", *OFFER)
    assert business.refused("bank", "alert", "check", "no_diligence", "v2") == "alert.fine"
    anomaly: list[Value] = ["odd-use", "insurer", "delivery", "critical", "resold it", b""]
    business.do("opco", "alert", "report", *anomaly)
    assert business.refused("opco", "alert", "close", "alert-2", "fine") == "alert.supervisor"
    business.do("bureau", "alert", "close", "alert-2", "the consumer was heard")


def judged(business: Business, party: str) -> list[Value]:
    scores: list[Value] = [["quality", 80], ["timeliness", 60]]
    next_ms = business.now_ms + 300 * 24 * 3_600_000
    return [party, 0, business.now_ms, scores, "passed", digest("report"), "records", next_ms]


def test_clause_6_6_1c_the_manager_sets_prices_and_anyone_concerned_adds_bills_up() -> None:
    """建立公共数据服务目录、计量、计费标准."""
    business = Business()
    height = business.chain.height + 99
    enacted: list[Value] = [1, digest("tariff"), "", [["task", 500], ["delivery", 2000]], height]
    for who in others("manager"):
        assert business.refused(who, "tariff", "enact", *enacted) == "tariff.role"
    business.do("bureau", "tariff", "enact", *enacted)
    business.chain.advance(height=99)
    business.offered()
    business.do("insurer", "delivery", "accept", "v1", digest("payload"), True, "")
    business.do("civil", "billing", "meter_task", "t1")
    business.do("insurer", "billing", "meter_delivery", "v1")
    business.pass_time(3_600_000)
    business.do("opco", "billing", "issue", "s1", "insurer", business.now_ms)
    for who in ("opco", "insurer", "board"):
        assert business.ask(who, "billing", "recompute", "s1") == 2500
    business.do("insurer", "billing", "contest", "s1", "the table came late")
    business.do("board", "billing", "settle", "s1", 2400, "as agreed for delays")
    business.do("insurer", "payment", "remit", "s1", digest("bank slip"))
    business.pass_time(30 * 24 * 3_600_000)
    business.do("board", "payment", "conclude", "s1", True, "the payee says nothing; it was paid")
    assert business.refused("opco", "payment", "confirm", "s1", digest("x")) == "payment.status"


def test_clause_6_6_1d_the_manager_evaluates_parties_and_asks_for_audits() -> None:
    """开展公共数据授权运营绩效评价工作, 开展安全审计工作等."""
    business = Business()
    for number, party in enumerate(("opco", "health", "insurer", "chipworks", "devhouse")):
        evaluation = [f"e{number}", *judged(business, party)]
        for who in others("manager"):
            refused = business.refused(who, "evaluation", "publish", *evaluation)
            assert refused == "evaluation.role"
        business.do("bureau", "evaluation", "publish", *evaluation)
        business.do(party, "evaluation", "answer", f"e{number}", True, "")
    due_ms = business.now_ms + 24 * 3_600_000
    asked: list[Value] = ["q1", "opco", "development", "logs", "which?", due_ms]
    business.do("bureau", "inquiry", "ask", *asked)


def test_clause_6_6_1b_the_manager_reviews_whom_the_operator_selects() -> None:
    """对授权运营方遴选的技术提供方和服务开发方进行审核、监督."""
    business = Business()
    for party in ("chipworks", "devhouse"):
        business.do("opco", "oversight", "select", f"x-{party}", party, "")
        for who in others("manager"):
            refused = business.refused(who, "oversight", "review", f"x-{party}", True, "")
            assert refused == "oversight.role"
        business.do("bureau", "oversight", "review", f"x-{party}", True, "")
        supervised = business.ask("bank", "oversight", "supervises", "bureau", party, "delivery")
        assert supervised is True


def test_clause_6_6_2e_the_operator_reports_its_own_anomalies_and_acts_at_once() -> None:
    """动态监测、及时评估; 对异常情况强化应急处置并及时报告管理方."""
    business = Business()
    business.granted()
    said: list[Value] = ["leak", "opco", "development", "critical", "rows left", digest("log")]
    business.do("opco", "alert", "report", *said)
    opened: list[Value] = ["Rows left", "development", "critical", "opco", ["alert-1"]]
    business.do("opco", "incident", "open", "i1", *opened)
    business.do("opco", "incident", "suspend_grant", "i1", "g1", "rows left")
    assert business.ask("bank", "grant", "is_valid", "g1") is False
    told = business.ask("bureau", "incident", "list", 0, 10)
    assert isinstance(told, list) and len(told) == 1
    end: list[Value] = ["i1", "mended", digest("report")]
    assert business.refused("opco", "incident", "close", *end) == "incident.close"


def test_clause_6_5b_diligence_is_an_act_before_the_offer() -> None:
    """开展需求尽职调查和交付风险评估."""
    business = Business()
    business.assessed()
    looked: list[Value] = ["v1", "p1", "enclave", "low", digest("assessment"), ""]
    business.do("opco", "delivery", "prepare", *looked)
    business.do("opco", "delivery", "offer", "v1", "p1", *OFFER)
    shown = business.ask_record("insurer", "delivery", "show", "v1")
    assert (shown["channel"], shown["risk"]) == ("enclave", "low")
    assert business.refused("bank", "alert", "check", "no_diligence", "v1") == "alert.fine"


def test_clause_6_6_4_the_consumer_reports_its_use_after_the_delivery() -> None:
    """数据需求方: 反馈数据使用情况; 用途不符时预警."""
    business = Business()
    business.offered()
    business.do("insurer", "delivery", "accept", "v1", digest("payload"), True, "")
    begin_ms = business.now_ms
    business.pass_time(3_600_000)
    said: list[Value] = ["v1", begin_ms, business.now_ms, 7, "resale", digest("log"), ""]
    for who in others("consumer"):
        assert business.refused(who, "delivery", "report_use", *said) == "delivery.role"
    business.do("insurer", "delivery", "report_use", *said)
    ((_name, alert),) = business.do("bureau", "alert", "check", "use_mismatch", "v1")
    assert (alert["party_id"], alert["severity"]) == ("insurer", "critical")
