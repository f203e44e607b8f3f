"""Clauses 8.2 as far as contracts meet them: data sets, evidence of data, tasks and results."""

from __future__ import annotations

import pytest

from ledger.values import Value
from tests.business import (
    HOUR_MS,
    PARTIES,
    PROGRAM,
    RECEIVER_KEY,
    SUPPLIERS,
    Business,
    acceptance,
    changed,
    dataset_of,
    dataset_rows,
    dataset_text,
    digest,
    result,
)


def task_status(business: Business, task_id: str = "t1") -> Value:
    task = business.ask_record("bureau", "task", "show", task_id)["task"]
    assert isinstance(task, dict)
    return task["status"]


def test_clause_8_2_2b2_data_sets_are_added_deleted_and_their_use_is_shown() -> None:
    """数据集的添加、删除; 监控数据集参与计算状态."""
    business = Business()
    business.running()
    dataset_id = dataset_of("health")
    use = business.ask_record("health", "catalog", "participation", dataset_id)
    assert (use["status"], use["open"]) == ("computing", 1)
    for supplier in SUPPLIERS:
        business.report(supplier)
    use = business.ask_record("health", "catalog", "participation", dataset_id)
    assert (use["status"], use["finished"]) == ("used", 1)
    business.do("health", "catalog", "retire", dataset_id, "outdated")
    assert business.ask_record("opco", "catalog", "show", dataset_id)["status"] == "retired"
    refused = business.refused("opco", "task", "create", *business.order("t2"))
    assert refused == "catalog.unlisted"


@pytest.mark.parametrize(
    "query",
    [
        ["health-claims", "", "", 0, 0, 0],  # name
        ["Claims of health", "", "", 0, 0, 0],  # title
        ["", "vital", "", 0, 0, 0],  # tag
        ["by patient", "", "", 0, 0, 0],  # description
        ["", "", "date", 0, 0, 0],  # type
        ["", "", "", 9_000, 0, 0],  # size
    ],
    ids=["name", "title", "tag", "description", "type", "size"],
)
def test_clause_8_2_2b3_metadata_describe_data_sets_and_find_them(query: list[Value]) -> None:
    """元数据查询: 名称、标记、描述、大小、类型."""
    business = Business()
    business.catalogued()
    text = dataset_text("health")
    text = changed(text, 1, "by patient")
    text = changed(text, 2, ["vital"])
    text = changed(text, 3, [["born", "date", ""]])
    business.do("health", "catalog", "describe", dataset_of("health"), *text)
    rows = changed(dataset_rows("health"), 0, 9_001)
    business.do("health", "catalog", "update", dataset_of("health"), *rows)
    found = business.ask_record("insurer", "catalog", "search", *query)
    assert found["datasets"] == [dataset_of("health")]


def test_clause_8_2_2d_sent_data_is_evidenced() -> None:
    """对发送数据进行存证."""
    business = Business()
    business.running()
    for number, supplier in enumerate(SUPPLIERS):
        record: list[Value] = [f"e{number}", "development.input_sent", "t1", digest(supplier), ""]
        business.do(supplier, "evidence", "record", *record)
    acceptances = business.ask_record("opco", "task", "show", "t1")["acceptances"]
    assert isinstance(acceptances, list)
    committed = [row["data_commitment"] for row in acceptances if isinstance(row, dict)]
    assert committed == [digest(supplier + "rows") for supplier in SUPPLIERS]


def test_clause_8_2_4b5_output_shares_go_to_the_operator() -> None:
    """将输出因子发送给数据运营方进行解析."""
    business = Business()
    business.finished()
    for supplier in SUPPLIERS:
        share = business.ask("opco", "task", "share", "t1", supplier)
        assert share == b"sealed share of " + supplier.encode()


def test_clause_8_2_5a_the_operator_receives_output_shares_once_all_are_there() -> None:
    """接受计算方法输出因子."""
    business = Business()
    business.running()
    assert business.denied("opco", "task", "share", "t1", "health") == "task.share"
    for supplier in SUPPLIERS:
        business.report(supplier)
        if supplier != SUPPLIERS[-1]:
            assert business.denied("opco", "task", "share", "t1", supplier) == "task.unfinished"
    assert business.ask("opco", "task", "share", "t1", "health") == b"sealed share of health"


def test_clause_8_2_5b_received_data_is_evidenced() -> None:
    """对接受数据进行存证."""
    business = Business()
    business.running()
    events = business.report("health")
    name, fields = events[0]
    assert name == "TaskReported"
    assert fields["share_digest"] == digest("sealed share of health")
    assert fields["output_commitment"] == digest("output of health")
    record: list[Value] = ["e1", "development.output_received", "t1", digest("shares"), ""]
    business.do("opco", "evidence", "record", *record)


def test_clause_8_2_5c_differing_programs_never_make_a_result() -> None:
    """保证输出结果的正确性."""
    business = Business()
    business.running()
    business.report("health")
    business.report("social")
    business.report("civil", program="another program")
    assert task_status(business) == "disputed"
    product: list[Value] = ["p1", "t1", "Claims by plan", "", digest("result"), "statistics"]
    assert business.refused("opco", "product", "register", *product) == "product.task"


def test_clause_8_2_6a_participants_are_managed() -> None:
    """对多方安全计算的参与方进行管理."""
    business = Business()
    business.created()
    for who in PARTIES:
        if who not in SUPPLIERS:
            refused = business.refused(who, "task", "accept", *acceptance("health"))
            assert refused == "task.participant"
    for supplier in SUPPLIERS:
        business.accept(supplier)
    refused = business.refused("archive", "task", "report", *result("archive"))
    assert refused == "task.participant"


def test_clause_8_2_6b_a_user_creates_a_task_and_its_configuration_is_made() -> None:
    """与用户交互创建任务, 生成任务配置信息."""
    business = Business()
    business.created()
    file = business.ask_record("opco", "task", "show", "t1")
    task = file["task"]
    assert isinstance(task, dict)
    assert file["program"] == PROGRAM
    assert (task["grant_id"], task["receiver_key"]) == ("g1", RECEIVER_KEY)
    assert task["participants"] == [[supplier, dataset_of(supplier)] for supplier in SUPPLIERS]


def test_clause_8_2_6c_the_configuration_reaches_supplier_operator_and_consumer() -> None:
    """将具体任务配置信息分发给数据提供方、授权运营方、数据需求方."""
    business = Business()
    business.created()
    configuration = business.ask("opco", "task", "show", "t1")
    for who in (*SUPPLIERS, "insurer"):
        assert business.ask(who, "task", "show", "t1") == configuration
    for who in ("archive", "rival", "bank"):
        assert business.denied(who, "task", "show", "t1") == "task.reader"


def test_clause_8_2_6d_tasks_wait_in_the_queue_of_each_participant() -> None:
    """对多任务执行进行统一调度, 包括任务排队."""
    business = Business()
    business.granted()
    for task_id in ("t1", "t2", "t3"):
        business.do("opco", "task", "create", *business.order(task_id))
    for supplier in SUPPLIERS:
        queue = business.ask(supplier, "task", "open_for", supplier, 0, 100)
        assert isinstance(queue, list)
        assert [row["id"] for row in queue if isinstance(row, dict)] == ["t1", "t2", "t3"]


def test_clause_8_2_6e_the_course_of_a_task_is_seen_and_can_be_ended() -> None:
    """监控、管理任务执行过程."""
    business = Business()
    business.created("t1", hours=1)
    for task_id in ("t2", "t3"):
        business.do("opco", "task", "create", *business.order(task_id))
    assert task_status(business, "t1") == "created"
    business.do("bureau", "task", "cancel", "t2")
    assert task_status(business, "t2") == "cancelled"
    business.do("health", "task", "fail", "t3", "out of memory")
    assert task_status(business, "t3") == "failed"
    business.pass_time(2 * HOUR_MS)
    business.do("civil", "task", "expire", "t1")
    assert task_status(business, "t1") == "expired"


def test_clause_8_2_6f_results_are_kept() -> None:
    """保存任务执行结果."""
    business = Business()
    business.finished()
    business.pass_time(1000 * HOUR_MS)
    assert task_status(business) == "finished"
    for supplier in SUPPLIERS:
        share = business.ask("opco", "task", "share", "t1", supplier)
        assert share == b"sealed share of " + supplier.encode()
