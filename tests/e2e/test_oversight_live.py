"""Oversight on a running network, by commands alone: a plan, a risk, an incident and its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.desk import DIGEST, Desk, catalogued, granted
from tests.e2e.harness import LocalNetwork

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

OTHER = "cd" * 32


@pytest.fixture
def desk(network: LocalNetwork, tmp_path: Path) -> Desk:
    return Desk(network, tmp_path)


def planned(desk: Desk) -> str:
    """A monitoring plan of the operator, announced for a height to come."""
    plan = desk.name("plan")
    words = "--kind", "monitoring", "--stage", "authorization", "--title", "Grants"
    limit = "--limit", "expiry_near=8760:warning"
    drafted = desk.ask("operator", "rule", "draft", plan, *words, "--digest", DIGEST, *limit)
    height = drafted["height"]
    assert isinstance(height, int)
    enact = "--number", "1", "--digest", DIGEST, "--from-height", str(height + 3)
    assert desk.refused("operator", "rule", "enact", plan, *enact) == "rules.role"
    desk.ask("manager", "rule", "enact", plan, *enact)
    while desk.ask("consumer", "rule", "show", plan)["status"] != "effective":
        desk.ask("operator", "evidence", "record", desk.name(f"tick-{height}"), "--kind",
                 "authorization.decision", "--subject", plan, "--digest", DIGEST)  # fmt: skip
        height += 1
    return plan


def test_a_risk_is_found_by_the_plan_in_force_and_taken_up(desk: Desk) -> None:
    plan = planned(desk)
    limits = {row["check"]: row for row in desk.ask_list("consumer", "rule", "limits")}
    assert (limits["expiry_near"]["limit"], limits["expiry_near"]["rule_id"]) == (8760, plan)
    grant = granted(desk, catalogued(desk))
    raised = {row["subject"]: row for row in desk.ask_list("operator", "alert", "scan")}
    alert = str(raised[grant]["alert"])
    assert (raised[grant]["check"], raised[grant]["severity"]) == ("expiry_near", "warning")
    assert grant not in {row["subject"] for row in desk.ask_list("manager", "alert", "scan")}
    assert desk.refused("operator", "alert", "acknowledge", alert) == "alert.supervisor"
    desk.ask("manager", "alert", "acknowledge", alert, "--note", "called them")
    assert alert in desk.told("operator", "alert", "list", "--status", "acknowledged")
    desk.ask("manager", "alert", "close", alert, "--note", "renewed")
    desk.ask("manager", "rule", "revoke", plan, "--reason", "end of the test")


def test_an_incident_holds_a_grant_until_its_measure_is_lifted(desk: Desk) -> None:
    grant, incident = granted(desk, catalogued(desk)), desk.name("leak")
    about = "--title", "Rows left", "--stage", "development", "--party", "operator"
    desk.ask("manager", "incident", "open", incident, *about)
    hold = "--grant", grant, "--reason", "until the cause is known"
    desk.ask("manager", "incident", "suspend-grant", incident, *hold)
    assert desk.ask("consumer", "grant", "check", grant, code=1)["valid"] is False
    end = "--outcome", "mended", "--digest", OTHER
    assert desk.refused("manager", "incident", "close", incident, *end) == "incident.measures"
    desk.ask("manager", "incident", "lift", incident, "--number", "1", "--reason", "mended")
    assert desk.ask("consumer", "grant", "check", grant)["valid"] is True
    desk.ask("manager", "incident", "close", incident, *end)


def test_an_operator_supervises_whom_it_engaged(desk: Desk) -> None:
    engagement = desk.name("x")
    desk.ask("operator", "oversight", "select", engagement, "--party", "tech")
    desk.ask("manager", "oversight", "review", engagement, "--pass")
    topic = desk.name("odd")
    said = "--party", "tech", "--stage", "delivery", "--note", "acts oddly"
    desk.ask("consumer", "alert", "report", topic, *said)
    mine = desk.ask_list("operator", "alert", "list", "--party", "tech")
    alert = next(str(row["id"]) for row in mine if row["subject"] == topic)
    desk.ask("operator", "alert", "close", alert, "--note", "looked into it")
    desk.ask("operator", "oversight", "end", engagement, "--reason", "work is done")


@pytest.mark.long
def test_commissioned_work_is_taken_handed_in_and_closed(desk: Desk) -> None:
    engagement, work, run = desk.name("x"), desk.name("work"), desk.name("run")
    words = "--party", "tech", "--title", "Platform", "--digest", DIGEST, "--due", "+30d"
    early = desk.refused("operator", "commission", "offer", work, *words, "--kind", "build")
    assert early == "commission.engagement"
    desk.ask("operator", "oversight", "select", engagement, "--party", "tech")
    desk.ask("manager", "oversight", "review", engagement, "--pass")
    desk.ask("operator", "commission", "offer", work, *words, "--kind", "build")
    daily = "--kind", "operate", "--report-days", "1"
    desk.ask("operator", "commission", "offer", run, *words, *daily)
    for commission in (work, run):
        desk.ask("tech", "commission", "accept", commission, "--digest", DIGEST)
    record = "--kind", "development.process", "--subject", work, "--digest", OTHER
    desk.ask("tech", "evidence", "record", desk.name("log"), *record)
    made = "--digest", OTHER, "--made", f"evidence={desk.name('log')}"
    for number, decision in (("1", "--refuse"), ("2", "--pass")):
        desk.ask("tech", "commission", "hand-in", work, *made)
        judged = "--number", number, decision, "--note", "tests are missing"
        desk.ask("operator", "commission", "judge", work, *judged)
    desk.ask("operator", "commission", "close", work)
    pieces = desk.ask_list("manager", "commission", "work", work)
    assert [piece["status"] for piece in pieces] == ["returned", "approved"]
    told = desk.ask("tech", "commission", "show", run)
    begun_ms = told["accepted_ms"]
    assert isinstance(begun_ms, int)
    until = datetime.fromtimestamp((begun_ms + 1) / 1000, UTC).isoformat()
    said = "--until", until, "--digest", OTHER, "--anomalies", "2"
    desk.ask("tech", "commission", "report", run, *said)
    (report,) = desk.ask_list("manager", "commission", "reports", run)
    assert (report["from_ms"], report["to_ms"], report["anomalies"]) == (begun_ms, begun_ms + 1, 2)
    desk.ask("operator", "oversight", "end", engagement, "--reason", "work is done")
    assert desk.refused("tech", "commission", "report", run, *said) == "commission.engagement"
    desk.ask("tech", "commission", "end", run, "--reason", "the engagement is over")


def test_an_asset_is_described_served_and_retired_and_its_certificate_watched(desk: Desk) -> None:
    name = desk.name("hsm")
    words = "--title", "Keys", "--digest", DIGEST, "--level", "2", "--certificate", "GM-1"
    soon = (datetime.now(UTC) + timedelta(days=9)).date().isoformat()
    made = "--kind", "crypto_module", "--maker", "Maker", "--model", "M1", "--provider", "tech"
    desk.ask("operator", "asset", "register", name, *made, *words, "--certificate-until", soon)
    desk.ask("operator", "asset", "put-in-service", name, "--reason", "installed")
    due = {row["subject"]: row for row in desk.ask_list("manager", "alert", "scan", "--dry-run")}
    assert due[name]["check"] == "asset_expiring"
    assert name in desk.told("operator", "work")
    later = "--certificate-until", "2099-01-01", "--release", "2", "--reason", "renewed"
    desk.ask("operator", "asset", "describe", name, *words, *later)
    assert desk.refused("tech", "asset", "retire", name, "--reason", "why") == "asset.owner"
    desk.ask("operator", "asset", "retire", name, "--reason", "too loud")
    told = [row["kind"] for row in desk.ask_list("tech", "asset", "history", name)]
    assert told == ["registered", "in_service", "described", "retired"]
    assert desk.ask("manager", "asset", "version", name, "1")["release"] == ""


def test_a_party_is_asked_and_evaluated(desk: Desk) -> None:
    inquiry, evaluation = desk.name("q"), desk.name("e")
    asked = "--party", "operator", "--stage", "development", "--scope", "logs"
    desk.ask("manager", "inquiry", "ask", inquiry, *asked, "--question", "who?", "--due", "+1d")
    desk.ask("operator", "inquiry", "answer", inquiry, "--text", "see", "--digest", OTHER)
    desk.ask("manager", "inquiry", "conclude", inquiry, "--pass")
    period = "--begin", "2024-01-01", "--end", "2025-01-01", "--next-due", "+300d"
    words = "--score", "quality=70", "--outcome", "passed", "--digest", DIGEST, "--note", "records"
    assert desk.refused("tech", "evaluation", "publish", evaluation, "--party", "operator", *period,
                        *words) == "evaluation.role"  # fmt: skip
    desk.ask("manager", "evaluation", "publish", evaluation, "--party", "operator", *period, *words)
    desk.ask("operator", "evaluation", "contest", evaluation, "--text", "records are wrong")
    desk.ask("manager", "evaluation", "settle", evaluation, "--outcome", "passed", "--text", "so")
    assert desk.ask("operator", "evaluation", "show", evaluation)["status"] == "settled"


def test_what_is_wrong_with_a_node_comes_on_chain_once(desk: Desk) -> None:
    """No disk has so much room: the node's own word, told by the party that runs it."""
    node = desk.network.plan.nodes[0]
    data, much = str(desk.network.root / "nodes" / node.name / "data"), ("--free", str(10**9))
    (first,) = desk.ask_list("operator", "alert", "relay", data, *much)
    assert first["topic"] == f"disk.{node.name}"
    shown = desk.ask("manager", "alert", "show", str(first["alert"]))
    assert (shown["party"], shown["severity"], shown["check"]) == ("operator", "warning", "report")
    (again,) = desk.ask_list("operator", "alert", "relay", data, *much)
    assert again["alert"] == "known"
    assert desk.ask_list("operator", "alert", "relay", data, "--free", "1") == []
    desk.ask("manager", "alert", "close", str(first["alert"]), "--note", "room enough")
