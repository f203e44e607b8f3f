"""What is wrong with a node: each anomaly by its figure, at its bound; nothing of a sound one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node.admin.anomalies import NOTE_MAX, TOPIC_MAX, Bounds, anomalies, away
from node.admin.form import Ending, Inside

NOW_MS = 1_800_000_000_000
BOUNDS = Bounds()
SOUND = Inside(
    name="node-a",
    version="1",
    uptime_s=9,
    phase="ordering",
    halted="",
    height=812,
    certified_height=812,
    block_ms=NOW_MS - 60_000,
    heartbeat_ms=60_000,
    clock_off_ms=3,
    view=0,
    primary=0,
    index=0,
    members=4,
    pool=0,
    resident_bytes=1,
    engine="shuxin-vm/3",
    jail_missing=False,
    ledger_bytes=1,
    free_bytes=80 << 30,
    archiving_failure="",
    damage=(),
    log_level="info",
    places=(),
    links=(),
    endings=(Ending("own", "node-a", 24 * 300),),
)


def found(**changes: object) -> list[tuple[str, str]]:
    return [
        (one.topic, one.severity) for one in anomalies(replace(SOUND, **changes), NOW_MS, BOUNDS)
    ]


def test_a_sound_node_has_none() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("changes", "topic", "severity"),
    [
        ({"halted": "two certificates"}, "halted.node-a", "critical"),
        ({"block_ms": NOW_MS - 182_000}, "stalled.node-a", "critical"),
        ({"block_ms": NOW_MS - 182_000, "phase": "view_change"}, "stalled.node-a", "critical"),
        ({"block_ms": NOW_MS - 182_000, "phase": "catching_up"}, "lag.node-a", "warning"),
        ({"clock_off_ms": 1_001}, "clock.node-a", "warning"),
        ({"clock_off_ms": -1_001}, "clock.node-a", "warning"),
        ({"clock_off_ms": -4_001}, "clock.node-a", "critical"),
        ({"damage": ("block 7 has another hash",)}, "damage.node-a", "critical"),
        ({"free_bytes": 4_999 << 20}, "disk.node-a", "warning"),
        ({"free_bytes": 999 << 20}, "disk.node-a", "critical"),
        ({"archiving_failure": "no room"}, "archive.node-a", "warning"),
        ({"jail_missing": True}, "jail.node-a", "warning"),
        ({"endings": (Ending("own", "a", 719),)}, "certificates.node-a", "notice"),
        ({"endings": (Ending("root", "a", 167),)}, "certificates.node-a", "warning"),
        ({"endings": (Ending("peer", "b", 23),)}, "certificates.node-a", "critical"),
        ({"endings": (Ending("peer", "b", -5),)}, "certificates.node-a", "critical"),
    ],
)
def test_what_is_wrong_has_its_topic_and_severity(
    changes: dict[str, object], topic: str, severity: str
) -> None:
    assert found(**changes) == [(topic, severity)]


@pytest.mark.parametrize(
    "changes",
    [
        {"block_ms": NOW_MS - 180_000},
        {"block_ms": NOW_MS - 182_000, "heartbeat_ms": 90_000},
        {"clock_off_ms": 1_000},
        {"free_bytes": 5_000 << 20},
        {"endings": (Ending("own", "a", 720),)},
    ],
)
def test_what_is_at_its_bound_is_not_wrong(changes: dict[str, object]) -> None:
    assert found(**changes) == []


def test_a_wrong_clock_is_not_taken_for_a_stop() -> None:
    ahead_ms = 3_600_000
    late = replace(SOUND, block_ms=NOW_MS - ahead_ms - 60_000, clock_off_ms=ahead_ms)
    assert [one.topic for one in anomalies(late, NOW_MS, BOUNDS)] == ["clock.node-a"]


def test_a_halted_node_is_not_called_stalled_as_well() -> None:
    assert found(halted="x", block_ms=0) == [("halted.node-a", "critical")]


@given(name=st.text(min_size=1, max_size=90), why=st.text(max_size=3_000))
def test_topic_and_note_are_what_the_contract_takes(name: str, why: str) -> None:
    one = away(name, why)
    assert 1 <= len(one.topic) <= TOPIC_MAX and len(one.note) <= NOTE_MAX
    assert set(one.topic) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-.")


def test_nodes_of_long_names_that_begin_alike_have_topics_of_their_own() -> None:
    first, second = away("n" * 63 + "a", ""), away("n" * 63 + "b", "")
    assert first.topic != second.topic
