"""Clauses 6.6.5, 8.4.4 and 8.5c: algorithms come as images that somebody answers for."""

from __future__ import annotations

from datetime import UTC, datetime

from crypto import sm2, sm3
from crypto.x509.profile import Role, Subject
from ledger.values import Value
from tests.business import ALGORITHM, Business, digest
from tests.x509_world import organization


def test_clause_6_6_5_a_tech_provider_publishes_and_maintains_its_algorithms() -> None:
    """技术提供方提供算法产品并升级维护."""
    business = Business()
    business.publisher()
    for who in ("opco", "health", "insurer", "devhouse"):
        refused = business.refused(who, "algorithm", "propose", *business.description())
        assert refused == "algorithm.role"
    business.do("chipworks", "algorithm", "propose", *business.description())
    business.do("bureau", "algorithm", "review", "scores/1", digest("image"), True, "fit")
    business.do("chipworks", "algorithm", "rebuild", "scores/1", *business.image(text="upgrade"))
    business.do("board", "algorithm", "review", "scores/1", digest("upgrade"), True, "fit")
    shown = business.ask_record("insurer", "algorithm", "show", "scores/1")
    assert (shown["status"], shown["builds"]) == ("approved", 2)


def test_clause_8_4_4a_an_image_is_signed_by_a_publisher_of_its_provider() -> None:
    """应用和服务由厂商根证书和发布者证书认证."""
    business = Business()
    now = datetime.fromtimestamp(business.now_ms // 1000, UTC)
    authority = organization("chipworks", now=now)
    publisher = sm3.digest(b"a publisher who sends no transactions")
    words = [*business.description()[:4], *business.image(publisher=publisher)]
    assert business.refused("chipworks", "algorithm", "propose", *words) == "algorithm.publisher"
    root: list[Value] = ["chipworks", authority.root.der]
    business.chain.must("contract:proposal", "identity", "admit_root", *root)
    subject = Subject("chipworks", "release", Role.PUBLISHER)
    certificate = authority.leaf(subject, now=now, public=sm2.public_key(publisher))
    business.pass_time(1000)
    business.do("chipworks", "identity", "register", "chipworks", certificate.der)
    business.do("chipworks", "algorithm", "propose", *words)
    serial = f"{certificate.serial:x}"
    business.do("chipworks", "identity", "revoke", "chipworks", serial, "lost")
    words = ["scores/1", *business.image(text="two", publisher=publisher)]
    assert business.refused("chipworks", "algorithm", "rebuild", *words) == "algorithm.publisher"


def test_clause_8_5c_an_image_has_name_version_structure_and_parameters() -> None:
    """算法镜像包含名称、版本、目录结构、参数等."""
    shown = Business().ask_record("insurer", "algorithm", "show", ALGORITHM)
    assert shown["id"] == "statistics/1"
    parameters = shown["parameters"]
    assert isinstance(parameters, list) and isinstance(parameters[0], list)
    assert parameters[0][:2] == ["measures", "list"]
    current = shown["current"]
    assert isinstance(current, dict)
    for name in ("digest", "layout_digest"):
        value = current[name]
        assert isinstance(value, bytes) and len(value) == 32
