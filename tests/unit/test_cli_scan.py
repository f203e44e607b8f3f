"""`shuxin alert scan`: every check looks at everything, and what is due is raised once."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from cli.main import main
from cli.scan import Due, raise_all, scan_all
from client.errors import Refused
from client.node import Outcome
from contracts.vm.codes import Code, ViewRefused
from ledger.model import Transaction
from ledger.values import Value
from tests import platform as work
from tests.business import SUPPLIERS, Business
from tests.fake_session import FakeSession, opened

DAY_MS = 24 * 3_600_000


@dataclass
class Speaker:
    """A session of one party of a business, as a node would answer it."""

    business: Business
    who: str
    calls: list[tuple[Value, ...]] = field(default_factory=list)

    def view(self, contract: str, method: str, *args: Value) -> Value:
        try:
            return self.business.ask(self.who, contract, method, *args)
        except ViewRefused as refusal:
            raise Refused(refusal.code, refusal.detail) from None

    def call(self, contract: str, method: str, *args: Value) -> Outcome:
        self.calls.append(args)
        receipt = self.business.act(self.who, contract, method, *args)
        if receipt.status != Code.ok:
            raise Refused(receipt.error, receipt.detail)
        return Outcome(Transaction(b"", b""), receipt, self.business.chain.height, 0, None)


def found(due: list[Due]) -> list[tuple[str, str]]:
    return [(one.check, one.subject) for one in due]


@pytest.fixture
def business() -> Business:
    """A delivery without diligence, a failed task, a grant in its last week."""
    business = Business()
    business.offered()
    business.do("opco", "task", "create", *business.order("t2"))
    business.do("opco", "task", "fail", "t2", "out of memory")
    return business


def test_a_manager_finds_all_that_is_due_and_raises_each_once(business: Business) -> None:
    bureau = Speaker(business, "bureau")
    due = scan_all(bureau)
    assert found(due) == [("expiry_near", "g1"), ("task_broken", "t2"), ("no_diligence", "v1")]
    raised = raise_all(bureau, due)
    assert [one.alert for one in raised] == ["alert-1", "alert-2", "alert-3"]
    assert [one.party for one in raised] == ["opco"] * 3
    assert scan_all(bureau) == [], "all of it is open now"


def test_who_may_not_list_something_finds_the_rest(business: Business) -> None:
    assert found(scan_all(Speaker(business, "health"))) == [("expiry_near", "g1")]


def test_what_another_party_raised_in_the_meantime_is_left_out(business: Business) -> None:
    due = scan_all(Speaker(business, "bureau"))
    business.do("bank", "alert", "check", "task_broken", "t2")
    assert found(raise_all(Speaker(business, "bureau"), due)) == [
        ("expiry_near", "g1"),
        ("no_diligence", "v1"),
    ]


def test_another_refusal_stops_the_scan(business: Business) -> None:
    due = scan_all(Speaker(business, "bureau"))
    business.suspend("bank")
    with pytest.raises(Refused, match=r"alert\.role"):
        raise_all(Speaker(business, "bank"), due)


def test_more_subjects_than_one_view_and_one_page_hold_are_all_looked_at() -> None:
    business = Business()
    for number in range(103):
        supplier = SUPPLIERS[number % 3]
        business.enter(supplier, f"d-{number:03}")
    business.pass_time(91 * DAY_MS)
    due = scan_all(Speaker(business, "bureau"))
    assert found(due) == [("late_update", f"d-{number:03}") for number in range(103)]


def test_each_supplier_of_a_late_collection_is_a_subject_of_its_own() -> None:
    business = Business()
    business.collecting()
    business.enter("social", "births", "d1")
    business.pass_time(3 * DAY_MS)
    bureau = Speaker(business, "bureau")
    due = scan_all(bureau)
    late = [("collection_late", f"d1/{name}") for name in SUPPLIERS if name != "social"]
    assert found(due) == found(scan_all(Speaker(business, "health"))) == late
    assert [one.party for one in raise_all(bureau, due)] == ["health", "civil"]
    assert scan_all(bureau) == []


def test_the_command_raises_or_only_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session: FakeSession = opened(monkeypatch)
    session.answers = {
        "grant.list": [{"id": "g1", "status": "active"}],
        "alert.findings": [
            {"check": "quota_used", "subject": "g1", "party": "opco", "severity": "warning",
             "measured": 90, "limit": 80, "says": "due"},
            {"check": "quota_used", "subject": "g2", "party": "opco", "severity": "warning",
             "measured": 9, "limit": 80, "says": "fine"},
        ],
    }  # fmt: skip
    assert main(["alert", "scan", "--dry-run"]) == 0
    assert "g1" in capsys.readouterr().out
    assert not [name for _contract, name, _args in session.calls if name == "check"]


def test_one_check_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    session = opened(monkeypatch)
    assert main(["alert", "check", "quota_used", "g1"]) == 0
    assert main(["alert", "check", "collection_late", "d1/health"]) == 0
    assert main(["alert", "check", "collection_late", "d1/health/x"]) == 2
    assert session.calls == [
        ("alert", "check", ("quota_used", "g1")),
        ("alert", "check", ("collection_late", "d1/health")),
    ]


def test_alerts_are_listed_by_party_and_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = opened(monkeypatch)
    session.answers = {
        "alert.list_of": [
            {"id": "alert-1", "status": "open"},
            {"id": "alert-2", "status": "closed"},
        ]
    }
    assert main(["alert", "list", "--party", "opco", "--status", "open"]) == 0
    printed = capsys.readouterr().out
    assert "alert-1" in printed and "alert-2" not in printed
    assert session.calls == [("alert", "list_of", ("opco", 0, 100))]


def test_what_is_no_record_of_a_list_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A node listed a grant without an id, and the scan ended as a fault of the program."""
    session = opened(monkeypatch)
    session.answers = {
        "grant.list": [{"status": "active"}, {"id": 7, "status": "active"}, "torn"],
    }
    assert main(["alert", "scan", "--dry-run"]) == 0
    assert "nothing to list" in capsys.readouterr().err
    assert not [method for _contract, method, _args in session.calls if method == "findings"]


def test_late_work_and_certificates_that_end_are_found_in_what_each_may_list() -> None:
    business = Business()
    work.accepted(business, "operate")
    work.in_service(business, days=3)
    business.pass_time(2 * DAY_MS)
    for who, seen in (
        ("bureau", [("work_unreported", "k1"), ("asset_expiring", "hsm-1")]),
        ("devhouse", [("work_unreported", "k1")]),
        ("chipworks", [("asset_expiring", "hsm-1")]),
        ("bank", []),
    ):
        assert found(scan_all(Speaker(business, who))) == seen, who
