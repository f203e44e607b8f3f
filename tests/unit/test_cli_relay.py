"""`shuxin alert relay`: what is wrong with a node becomes one alert, also after a stop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.output import CommandRefused
from cli.relay import KEPT_MAX, Seen, load, merged, relay, save, stage_of
from client.errors import Refused
from ledger.values import Value
from node.admin.anomalies import Anomaly
from tests.business import HOUR_MS, Business
from tests.unit.test_cli_scan import Speaker

DISK = Anomaly("disk.node-a", "warning", "node node-a: 900 MB free")
STOP = Anomaly("stalled.node-a", "critical", "node node-a: no block for 300 s")


def outcomes(speaker: Speaker, seen: list[Seen], stage: str = "development") -> list[str]:
    return [one.outcome for one in relay(speaker, speaker.who, stage, seen)]


def test_an_anomaly_is_one_alert_counted_once_an_hour_and_quiet_for_a_day_once_closed() -> None:
    business = Business()
    opco, seen = Speaker(business, "opco"), merged([], [DISK], 1_000)
    assert outcomes(opco, seen) == ["alert-1"]
    for _ in range(3):
        assert outcomes(opco, seen) == ["known"]
    assert len(opco.calls) == 1, "what is known costs no transaction"
    business.pass_time(HOUR_MS)
    assert outcomes(opco, seen) == ["alert-1"]
    shown = business.ask_record("bureau", "alert", "show", "alert-1")
    assert (shown["count"], shown["party"], shown["severity"]) == (2, "opco", "warning")
    business.do("bureau", "alert", "close", "alert-1", "a larger disk is ordered")
    business.pass_time(HOUR_MS)
    assert outcomes(opco, seen) == ["known"]
    business.pass_time(24 * HOUR_MS)
    assert outcomes(opco, seen) == ["alert-2"]


def test_what_was_seen_while_the_chain_stood_still_is_told_afterwards(tmp_path: Path) -> None:
    file = tmp_path / "relay" / "a.json"
    save(file, merged(load(file), [STOP], 1_000))
    save(file, merged(load(file), [STOP, DISK], 61_000))
    kept = load(file)
    assert [(one.topic, one.first_ms, one.last_ms) for one in kept] == [
        ("disk.node-a", 61_000, 61_000),
        ("stalled.node-a", 1_000, 61_000),
    ]
    assert file.stat().st_mode & 0o777 == 0o600
    business = Business()
    assert outcomes(Speaker(business, "opco"), kept) == ["alert-1", "alert-2"]
    note = business.ask_record("bureau", "alert", "show", "alert-2")["note"]
    assert note == (
        "node node-a: no block for 300 s (seen from 1970-01-01 00:00:01 UTC to "
        "1970-01-01 00:01:01 UTC)"
    )
    save(file, [])
    assert not file.exists()


def test_the_gravest_word_about_an_anomaly_counts_and_the_last_note() -> None:
    worse = Anomaly(DISK.topic, "critical", "node node-a: 100 MB free")
    better = Anomaly(DISK.topic, "notice", "node node-a: 990 MB free")
    seen = merged(merged(merged([], [DISK], 1), [worse], 2), [better], 3)
    assert seen == [Seen(DISK.topic, "critical", better.note, 1, 3)]


def test_no_more_topics_are_kept_than_a_file_may_hold(tmp_path: Path) -> None:
    many = [Anomaly(f"disk.node-{number:03}", "notice", "n") for number in range(KEPT_MAX + 9)]
    file = tmp_path / "a.json"
    save(file, merged([], many, 1))
    assert len(load(file)) == KEPT_MAX


@pytest.mark.parametrize(
    ("party", "stage"),
    [("opco", "development"), ("insurer", "delivery"), ("health", "aggregation")],
)
def test_a_party_reports_in_a_stage_in_which_it_is_supervised(party: str, stage: str) -> None:
    business = Business()
    speaker = Speaker(business, party)
    assert stage_of(speaker, party) == stage
    assert outcomes(speaker, merged([], [DISK], 1), stage) == ["alert-1"]


def test_nobody_waits_for_reports_of_a_manager() -> None:
    with pytest.raises(CommandRefused, match="nobody supervises bureau"):
        stage_of(Speaker(Business(), "bureau"), "bureau")


def test_a_refusal_of_another_kind_is_no_alert_that_is_known() -> None:
    business = Business()
    business.suspend("opco")
    with pytest.raises(Refused, match=r"alert\.reader"):
        relay(Speaker(business, "opco"), "opco", "development", merged([], [DISK], 1))


GOOD = {"topic": "t", "severity": "notice", "note": "n", "first_ms": 1, "last_ms": 2}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[1]",
        "[{}]",
        "[" * 5_000,
        json.dumps([GOOD] * (KEPT_MAX + 1)),
        json.dumps([{**GOOD, "more": 1}]),
        json.dumps([{**GOOD, "severity": "grave"}]),
        json.dumps([{**GOOD, "severity": []}]),
        json.dumps([{**GOOD, "note": 7}]),
        json.dumps([{**GOOD, "first_ms": True}]),
        json.dumps([{**GOOD, "last_ms": -1}]),
        json.dumps([{**GOOD, "last_ms": 2**60}]),
        json.dumps([{**GOOD, "last_ms": 1.5}]),
        " " * (1 << 20) + "[]",
    ],
)
def test_a_file_that_no_relay_wrote_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.json"
    file.write_text(text)
    with pytest.raises(CommandRefused, match="no file of a relay"):
        load(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(CommandRefused, match="no file of a relay"):
        load(file)


def test_a_report_is_due_when_it_tells_something_new() -> None:
    business = Business()
    asked: list[Value] = ["opco", DISK.topic, DISK.severity]
    assert business.ask("opco", "alert", "report_due", *asked) is True
    outcomes(Speaker(business, "opco"), merged([], [DISK], 1))
    assert business.ask("opco", "alert", "report_due", *asked) is False
    assert business.ask("health", "alert", "report_due", *asked) is True, "it has said nothing"
    assert business.ask("opco", "alert", "report_due", "rival", *asked[1:]) is True
    assert business.ask("opco", "alert", "report_due", *asked[:2], "critical") is True
    business.do("bureau", "alert", "close", "alert-1", "it is being emptied")
    assert business.ask("opco", "alert", "report_due", *asked) is False
    assert business.ask("opco", "alert", "report_due", *asked[:2], "critical") is True


def test_nobody_silences_the_relay_of_another_by_a_harmless_word() -> None:
    business = Business()
    halted = Anomaly("halted.node-a", "critical", "it halted")
    for who in ("bank", "rival"):
        said: list[Value] = ["opco", "development", "notice", "a test", b""]
        business.do(who, "alert", "report", halted.topic, *said)
    business.do("bureau", "alert", "close", "alert-1", "a test")
    assert outcomes(Speaker(business, "opco"), merged([], [halted], 1)) == ["alert-3"]
