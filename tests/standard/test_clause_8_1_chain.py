"""Clauses 8.1 as far as contracts meet them: records, order, readers, the contracts themselves."""

from __future__ import annotations

from contracts.bundle import system_sources
from contracts.vm.check import check_source
from contracts.vm.testing import account
from ledger import merkle
from ledger.values import Value
from tests.business import (
    PARTIES,
    STRANGER,
    SUPPLIERS,
    Business,
    acceptance,
    changed,
    dataset_of,
    dataset_rows,
    digest,
)


def test_clause_8_1_1_aggregation_rows_cannot_be_altered_unnoticed() -> None:
    """数据目录上链及链上链下协同, 保证数据的不可篡改性."""
    business = Business()
    business.created()
    altered = changed(acceptance("health"), 3, digest("altered rows"))
    assert business.refused("health", "task", "accept", *altered) == "task.commitment"
    newer = dataset_rows("health", rows="altered rows")
    business.do("health", "catalog", "update", dataset_of("health"), *newer)
    earlier = business.ask_record("opco", "catalog", "version", dataset_of("health"), 1)
    assert earlier["commitment"] == digest("healthrows")


def test_clause_8_1_1_authorization_is_unalterable_and_traceable() -> None:
    """保证授权信息不可篡改、可追溯."""
    business = Business()
    business.created()
    again: list[Value] = ["g1", *business.grant_terms()]
    assert business.refused("opco", "grant", "request", *again) == "grant.exists"
    grant = business.ask_record("health", "grant", "show", "g1")
    assert (grant["manager"], grant["demand_id"], grant["uses"]) == ("bureau", "d1", 1)
    assert business.ask("health", "grant", "used_by", "g1", 1) == "t1"


def test_clause_8_1_1_development_results_and_processes_are_evidenced() -> None:
    """所有开发结果及过程信息都会在区块链存证."""
    business = Business()
    business.finished()
    file = business.ask_record("bureau", "task", "show", "t1")
    reports = file["reports"]
    assert isinstance(reports, list)
    said = [
        (row["party"], row["program_hash"], row["transcript_root"])
        for row in reports
        if isinstance(row, dict)
    ]
    assert said == [
        (supplier, digest("compiled"), digest("transcript of " + supplier))
        for supplier in SUPPLIERS
    ]


def test_clause_8_1_1_delivery_leads_back_to_the_data() -> None:
    """交易信息上链, 保证交付信息的可追溯性."""
    business = Business()
    business.offered()
    delivery = business.ask_record("bureau", "delivery", "show", "v1")
    product = business.ask_record("bureau", "product", "show", text(delivery["product_id"]))
    task = business.ask_record("bureau", "task", "show", text(product["task_id"]))["task"]
    assert isinstance(task, dict)
    grant = business.ask_record("bureau", "grant", "show", text(task["grant_id"]))
    assert grant["datasets"] == [dataset_of(supplier) for supplier in SUPPLIERS]


def text(value: Value) -> str:
    assert isinstance(value, str)
    return value


def test_clause_8_1_4a_a_record_lasts_and_never_changes() -> None:
    """持久化存证记录."""
    business = Business()
    record: list[Value] = ["e1", "aggregation.collected", "x", digest("x"), ""]
    business.do("health", "evidence", "record", *record)
    before = business.ask("bank", "evidence", "show", "e1")
    for who in PARTIES:
        other = changed(record, 3, digest("other"))
        assert business.refused(who, "evidence", "record", *other) == "evidence.exists"
    business.suspend("health")
    assert business.ask("bank", "evidence", "show", "e1") == before


def test_clause_8_1_4a_one_record_speaks_for_many_things() -> None:
    """A file of a batch is shown to have been held by its path to the root on record."""
    files = [digest(f"file {number}") for number in range(100)]
    business = Business()
    batch: list[Value] = ["b1", "delivery.sent", "v1", merkle.root_of(files), 100, "plain", "", ""]
    business.do("opco", "evidence", "record_batch", *batch)
    siblings: list[Value] = [*merkle.path(files, 41).siblings]
    assert business.ask("bank", "evidence", "holds", "b1", 41, files[41], siblings) is True
    assert business.ask("bank", "evidence", "holds", "b1", 41, digest("other"), siblings) is False


def test_clause_8_1_4c_records_are_served_to_the_authorized() -> None:
    """向获得授权者提供真实的数据记录."""
    business = Business()
    business.finished()
    sealed = b"sealed share of health"
    assert business.ask("opco", "task", "share", "t1", "health") == sealed
    for who in ("rival", "social", "insurer", "devhouse", STRANGER):
        assert business.denied(who, "task", "share", "t1", "health") == "task.reader"
    business.suspend("opco")
    assert business.denied("opco", "task", "share", "t1", "health") == "task.reader"


def test_clause_8_1_4e_records_carry_their_place_in_time() -> None:
    """行为或数据需记录相应的一致性的时序."""
    business = Business()
    places = []
    for number in range(3):
        record: list[Value] = [f"e{number}", "development.process", "t1", digest("x"), ""]
        business.do("health", "evidence", "record", *record)
        shown = business.ask_record("bank", "evidence", "show", f"e{number}")
        places.append((shown["height"], shown["time_ms"]))
        business.pass_time(1000)
    assert places == sorted(set(places), key=places.index)
    assert len(set(places)) == 3


def test_clause_8_1_5a_every_act_names_the_account_that_signed_it() -> None:
    """智能合约防篡改和抗抵赖性."""
    business = Business()
    record: list[Value] = ["e1", "development.process", "t1", digest("x"), ""]
    receipt = business.act("health", "evidence", "record", *record)
    shown = business.ask_record("bank", "evidence", "show", "e1")
    assert (shown["account"], shown["tx_id"]) == (account("health"), receipt.transaction_id)
    business.do("bureau", "parties", "add_account", "health", account("health-2"))
    business.do("bureau", "parties", "remove_account", "health", account("health"))
    taken = business.refused("bureau", "parties", "add_account", "bank", account("health"))
    assert taken == "parties.account_bound"


def test_clause_8_1_5c_the_system_contracts_pass_the_checker() -> None:
    """合约代码应符合书写规范、逻辑要求等规范性要求."""
    for name, source in system_sources():
        assert check_source(source) == [], name


def test_clause_8_1_7a_an_account_without_a_role_can_do_nothing() -> None:
    """最小化原则: 公开的接口应将其能进行的操作最小化."""
    business = Business()
    business.offered()
    evidence: list[Value] = ["e1", "delivery.sent", "v1", digest("x"), ""]
    assert business.refused(STRANGER, "evidence", "record", *evidence) == "evidence.role"
    assert business.denied(STRANGER, "evidence", "list_by_subject", "v1", 0, 1) == "evidence.role"
    for contract in ("catalog", "demand", "grant", "product", "delivery", "task"):
        assert business.denied(STRANGER, contract, "list", 0, 1) == f"{contract}.reader"


def test_clause_8_1_7b_what_a_user_may_read_depends_on_its_role() -> None:
    """针对不同用户配置不同的访问权限."""
    business = Business()
    business.filed()
    for who in ("insurer", "opco", "bureau"):
        business.ask(who, "demand", "show", "d1")
    for who in ("bank", "health", "chipworks", "devhouse", STRANGER):
        assert business.denied(who, "demand", "show", "d1") == "demand.reader"
