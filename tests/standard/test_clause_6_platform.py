"""Section 6.6 of DB 31115/Z 040-2023: the platform, who builds and operates it, and of what.

One test per clause, named by it; the Chinese term stands in its docstring.
"""

from __future__ import annotations

from ledger.values import Value
from tests.business import ALGORITHM, PARTIES, Business, changed, dataset_of, digest
from tests.platform import (
    DAY_MS,
    TEXT,
    asset,
    commission,
    described,
    engaged,
    in_service,
    registered,
    terms,
)


def others(role: str) -> list[str]:
    """Parties without this role."""
    return [party for party, held in PARTIES.items() if held != role]


def test_clause_6_6_2b_the_operator_has_the_platform_built_and_operated_by_whom_it_engaged() -> (
    None
):
    """授权运营方: 遴选技术提供方和服务开发方, 建设并安全运营公共数据授权运营平台."""
    business = Business()
    for who in others("operator"):
        refused = business.refused(who, "commission", "offer", "k1", *terms(business))
        assert refused == "commission.role"
    refused = business.refused("opco", "commission", "offer", "k1", *terms(business))
    assert refused == "commission.engagement", "nobody reviewed whom it selects"
    engaged(business)
    for number, kind in enumerate(("build", "operate", "monitor")):
        business.do("opco", "commission", "offer", f"k{number}", *terms(business, kind))
        business.do("devhouse", "commission", "accept", f"k{number}", TEXT)
    business.do("bureau", "oversight", "end", "x-opco-devhouse", "careless")
    piece: list[Value] = ["k0", [digest("platform")], [], ""]
    refused = business.refused("devhouse", "commission", "hand_in", *piece)
    assert refused == "commission.engagement"
    told = business.ask("bureau", "commission", "list", 0, 10)
    assert isinstance(told, list) and len(told) == 3, "the manager sees all"


def test_clause_6_6_2d_the_operator_keeps_a_register_of_its_assets() -> None:
    """授权运营方: 管理数据运营相关的软硬件资产."""
    business = Business()
    in_service(business)
    for who in others("operator"):
        refused = business.refused(who, "asset", "retire", "hsm-1", "why")
        assert refused == "asset.owner"
    business.do("opco", "asset", "maintain", "hsm-1", "a fan is loud")
    upgraded = changed(described(business), 1, "5.3")
    business.do("opco", "asset", "describe", "hsm-1", *upgraded, "upgraded")
    business.do("opco", "asset", "put_in_service", "hsm-1", "mended")
    shown = asset(business)
    assert (shown["status"], shown["version"], shown["release"]) == ("in_service", 2, "5.3")
    told = business.ask("bureau", "asset", "history", "hsm-1", 0, 10)
    assert isinstance(told, list)
    kinds = [change["kind"] for change in told if isinstance(change, dict)]
    assert kinds == ["registered", "in_service", "maintenance", "described", "in_service"]


def test_clause_6_6_2d_an_asset_past_its_certificate_is_told_of() -> None:
    """授权运营方: 软硬件资产, 安全监管."""
    business = Business()
    in_service(business, days=1)
    business.do("bank", "alert", "check", "asset_expiring", "hsm-1")
    business.pass_time(DAY_MS)
    ((_name, alert),) = business.do("bank", "alert", "check", "asset_expired", "hsm-1")
    assert (alert["party_id"], alert["severity"]) == ("opco", "critical")
    business.do("opco", "asset", "maintain", "hsm-1", "its certificate ended")
    refused = business.refused("opco", "asset", "put_in_service", "hsm-1", "again")
    assert refused == "asset.certificate"


def test_clause_6_6_5_a_tech_provider_stands_by_what_it_supplied_and_maintains_it() -> None:
    """技术提供方: 提供软、硬件产品支撑; 提供升级迭代、运行维护等服务."""
    business = Business()
    registered(business)
    assert business.ask_record("chipworks", "asset", "show", "hsm-1")["provider"] == "chipworks"
    engaged(business, "chipworks")
    words = changed(changed(terms(business, "operate", "chipworks"), 5, "asset"), 6, "hsm-1")
    business.do("opco", "commission", "offer", "k1", *words)
    business.do("chipworks", "commission", "accept", "k1", TEXT)
    business.pass_time(DAY_MS)
    said: list[Value] = ["k1", business.now_ms, digest("maintenance log"), 0, "firmware 5.3"]
    business.do("chipworks", "commission", "report", *said)


def test_clause_6_6_6a_a_developer_builds_operates_and_monitors_the_platform() -> None:
    """服务开发方: 接受委托搭建平台; 强化平台的日常运营维护及数据运营行为的安全监测."""
    business = Business()
    registered(business)
    engaged(business)
    business.do("opco", "commission", "offer", "k1", *terms(business, "build"))
    for who in others("developer"):
        refused = business.refused(who, "commission", "accept", "k1", TEXT)
        assert refused == "commission.party"
    business.do("devhouse", "commission", "accept", "k1", TEXT)
    made: list[Value] = [["asset", "hsm-1"]]
    business.do("devhouse", "commission", "hand_in", "k1", [digest("platform")], made, "")
    business.do("opco", "commission", "judge", "k1", 1, True, "as ordered")
    business.do("opco", "commission", "close", "k1", "")
    business.do("opco", "commission", "offer", "k2", *terms(business, "monitor"))
    business.do("devhouse", "commission", "accept", "k2", TEXT)
    business.pass_time(2 * DAY_MS)
    ((_name, alert),) = business.do("bank", "alert", "check", "work_unreported", "k2")
    assert alert["party_id"] == "devhouse"
    business.do("devhouse", "commission", "report", "k2", business.now_ms, digest("log"), 3, "")
    assert commission(business, "k2")["anomalies"] == 3
    assert business.refused("bank", "alert", "check", "work_unreported", "k2") == "alert.fine"


def test_clause_6_6_6b_a_developer_fuses_governs_delivers_and_assesses_on_commission() -> None:
    """服务开发方: 根据数据需求, 接受委托, 开展多元数据融合、治理、交付、评估等运营服务."""
    business = Business()
    business.registered()
    engaged(business)
    about = {
        "fuse": ("demand", "d1"),
        "govern": ("dataset", dataset_of("health")),
        "deliver": ("product", "p1"),
        "assess": ("grant", "g1"),
    }
    for kind, (what, subject) in about.items():
        words = changed(changed(terms(business, kind), 5, what), 6, subject)
        business.do("opco", "commission", "offer", f"k-{kind}", *words)
        business.do("devhouse", "commission", "accept", f"k-{kind}", TEXT)
        record: list[Value] = [f"e-{kind}", "development.process", subject, digest(kind), ""]
        business.do("devhouse", "evidence", "record", *record)
        made: list[Value] = [["evidence", f"e-{kind}"]]
        business.do("devhouse", "commission", "hand_in", f"k-{kind}", [digest(kind)], made, "")
        business.do("opco", "commission", "judge", f"k-{kind}", 1, False, "half of it")
        business.do("devhouse", "commission", "hand_in", f"k-{kind}", [digest("2")], made, "")
        business.do("opco", "commission", "judge", f"k-{kind}", 2, True, "")
        business.do("opco", "commission", "close", f"k-{kind}", "")
        assert commission(business, f"k-{kind}")["status"] == "closed"
    foreign: list[Value] = ["k", [digest("x")], [["algorithm", ALGORITHM]], ""]
    business.do("opco", "commission", "offer", "k", *terms(business))
    business.do("devhouse", "commission", "accept", "k", TEXT)
    refused = business.refused("devhouse", "commission", "hand_in", *foreign)
    assert refused == "commission.made_by", "nobody hands in what another made"
