"""What is wrong with a node, by what it says to who runs it: the part of 5.1c that no chain sees.

Each anomaly has a topic of its own, so that it stays one alert while it lasts (`cli.relay` brings
it on chain). Pure: the time is an argument.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from crypto import sm3
from node.admin.form import Inside
from node.clock import OFF_MS, SKEW_MS_MIN

NOTICE, WARNING, CRITICAL = "notice", "warning", "critical"
TOPIC_MAX: Final = 64  # characters that the contract `alert` takes
NOTE_MAX: Final = 1024
LISTED_MAX: Final = 5  # of what may be many, in one note
HEARTBEATS_MISSED: Final = 3  # a chain that makes no block for so long stands still
DAY_H: Final = 24
_NAME = re.compile(r"[^a-z0-9_.\-]+")


@dataclass(frozen=True, slots=True)
class Bounds:
    """From where on it is wrong; the chain's heartbeat may ask for more patience than `still_s`."""

    still_s: int = 120  # without a block
    free_warning_mb: int = 5_000  # on the disk of the ledger
    free_critical_mb: int = 1_000
    ends_notice_days: int = 30  # to the end of a certificate
    ends_warning_days: int = 7


@dataclass(frozen=True, slots=True)
class Anomaly:
    """`topic` names kind and node, as the contract `alert` takes it; `note` has the figures."""

    topic: str
    severity: str
    note: str


def away(name: str, why: str) -> Anomaly:
    """No node answers where one should run."""
    return _anomaly("away", name, CRITICAL, f"no node answers: {why}")


def anomalies(inside: Inside, now_ms: int, bounds: Bounds) -> list[Anomaly]:
    """All that is wrong at `now_ms`, Unix time by the machine's clock."""
    found = (*_standing(inside, now_ms, bounds), *_keeping(inside, bounds))
    return [_anomaly(kind, inside.name, severity, note) for kind, severity, note in found]


def _standing(inside: Inside, now_ms: int, bounds: Bounds) -> Iterator[tuple[str, str, str]]:
    """What keeps it from taking part."""
    if inside.halted:
        yield "halted", CRITICAL, f"halted at height {inside.height}: {inside.halted}"
    patience_s = max(bounds.still_s, HEARTBEATS_MISSED * inside.heartbeat_ms // 1000)
    # The committee's time, as far as the node knows it: a wrong clock must not look like a stop.
    still_s = (now_ms - inside.clock_off_ms - inside.block_ms) // 1000
    if still_s > patience_s and not inside.halted:
        where = f"no block for {still_s} s at height {inside.height}, phase {inside.phase}"
        if inside.phase == "catching_up":
            yield "lag", WARNING, f"behind the others: {where}"
        else:
            yield "stalled", CRITICAL, f"{where}, {inside.pool} transactions wait"
    off_ms = abs(inside.clock_off_ms)
    if off_ms > OFF_MS:
        side = "ahead of" if inside.clock_off_ms > 0 else "behind"
        severity = CRITICAL if off_ms > SKEW_MS_MIN else WARNING
        yield "clock", severity, f"its clock is {off_ms} ms {side} the committee's time"


def _keeping(inside: Inside, bounds: Bounds) -> Iterator[tuple[str, str, str]]:
    """What it may lose, or loses its protection by."""
    if inside.damage:
        listed = "; ".join(inside.damage[:LISTED_MAX])
        yield "damage", CRITICAL, f"{len(inside.damage)} contradictions in what it keeps: {listed}"
    free_mb = inside.free_bytes >> 20
    if free_mb < bounds.free_warning_mb:
        severity = CRITICAL if free_mb < bounds.free_critical_mb else WARNING
        yield "disk", severity, f"{free_mb} MB free on the disk of its ledger"
    if inside.archiving_failure:
        yield "archive", WARNING, f"old blocks stay: {inside.archiving_failure}"
    if inside.jail_missing:
        yield "jail", WARNING, "contracts reach what the user of the node can"
    ending = [one for one in inside.endings if one.hours_left < bounds.ends_notice_days * DAY_H]
    if ending:
        least = min(one.hours_left for one in ending)
        severity = NOTICE if least >= bounds.ends_warning_days * DAY_H else WARNING
        severity = CRITICAL if least < DAY_H else severity
        listed = ", ".join(
            f"{one.kind} {one.name} in {one.hours_left} h" for one in ending[:LISTED_MAX]
        )
        yield "certificates", severity, f"{len(ending)} certificates end: {listed}"


def _anomaly(kind: str, name: str, severity: str, note: str) -> Anomaly:
    """Names of nodes may be longer than a topic takes, or have other letters."""
    topic = f"{kind}.{_NAME.sub('-', name.lower())}"
    if topic != f"{kind}.{name}" or len(topic) > TOPIC_MAX:
        topic = f"{topic[: TOPIC_MAX - 9]}-{sm3.digest(name.encode()).hex()[:8]}"
    whole = f"node {name}: {note}"
    return Anomaly(
        topic, severity, whole if len(whole) <= NOTE_MAX else whole[: NOTE_MAX - 1] + "…"
    )
