"""What `shuxin alert relay` does: brings what is wrong with a node on chain (5.1c, 6.6.2e).

A chain that stands still takes no report of it. So what was seen is kept in a file of the home
until the chain took it, with the time from when to when it was seen; a stop is told afterwards.
An anomaly is reported when its party may report it and the contract would count it: while its
alert is open once an hour, after it was closed not for a day; at once where it became graver.
"""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from cli.output import CommandRefused
from client.errors import Refused
from crypto import sm3
from crypto.files import replace_file

if TYPE_CHECKING:
    from cli.output import Json
    from client.node import Outcome
    from ledger.values import Value
    from node.admin.anomalies import Anomaly

FOLDER: Final = "relay"
FILE_SIZE_MAX: Final = 1 << 20
KEPT_MAX: Final = 64  # topics: a node has some ten kinds of them
NOTE_MAX: Final = 1024
# Stages in which a party may be supervised, those first in which it runs what nodes are for.
STAGES: Final = ("development", "delivery", "aggregation", "authorization")
SEVERITIES: Final = ("notice", "warning", "critical")
COLUMNS: Final = ("topic", "severity", "from", "to", "what", "alert")


@dataclass(frozen=True, slots=True)
class Seen:
    """An anomaly, from when to when it was seen, Unix milliseconds."""

    topic: str
    severity: str
    note: str
    first_ms: int
    last_ms: int


@dataclass(frozen=True, slots=True)
class Told:
    """What became of it: the id of its alert, or why there is none."""

    seen: Seen
    outcome: str


class Asking(Protocol):
    """The part of a session that a relay uses."""

    def view(self, contract: str, method: str, *args: Value) -> Value: ...

    def call(self, contract: str, method: str, *args: Value) -> Outcome: ...


def merged(kept: list[Seen], found: list[Anomaly], now_ms: int) -> list[Seen]:
    """What is to be told: what was kept, and what is seen now; the gravest word counts."""
    topics = {one.topic: one for one in kept}
    for anomaly in found:
        before = topics.get(anomaly.topic)
        severity, first_ms = anomaly.severity, now_ms
        if before is not None:
            severity = max(severity, before.severity, key=SEVERITIES.index)
            first_ms = before.first_ms
        topics[anomaly.topic] = Seen(anomaly.topic, severity, anomaly.note, first_ms, now_ms)
    return [topics[topic] for topic in sorted(topics)][:KEPT_MAX]


def stage_of(session: Asking, party: str) -> str:
    """In which somebody supervises the party. Raises CommandRefused where nobody does."""
    for stage in STAGES:
        if session.view("oversight", "is_supervised", party, stage) is True:
            return stage
    raise CommandRefused(
        "relay.edge",
        f"nobody supervises {party}, so nobody waits for its reports; watch the node by its "
        "metrics (docs/operations.md)",
    )


def relay(session: Asking, party: str, stage: str, seen: list[Seen]) -> list[Told]:
    """Reports what the chain would count. Raises ClientError; what was told is known then."""
    told: list[Told] = []
    for one in seen:
        try:
            if session.view("alert", "report_due", party, one.topic, one.severity) is not True:
                told.append(Told(one, "known"))
                continue
            told.append(Told(one, _reported(session, party, stage, one)))
        except Refused as refusal:
            if not refusal.detail.startswith("alert.open"):
                raise
            told.append(Told(one, "known"))
    return told


def _reported(session: Asking, party: str, stage: str, one: Seen) -> str:
    from ledger.values import decode_value

    note = one.note
    if one.first_ms != one.last_ms:
        note = f"{note[: NOTE_MAX - 80]} (seen from {when(one.first_ms)} to {when(one.last_ms)})"
    words: list[Value] = [one.topic, party, stage, one.severity, note, b""]
    outcome = session.call("alert", "report", *words)
    return str(decode_value(outcome.receipt.return_value))


def when(time_ms: int) -> str:
    moment = datetime.datetime.fromtimestamp(time_ms / 1000, datetime.UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


# --- what waits for a chain that takes it ---------------------------------------------------


def place(home: Path, data_dir: Path) -> Path:
    """The file of one node's relay."""
    return home / FOLDER / f"{sm3.digest(str(data_dir.resolve()).encode()).hex()[:16]}.json"


def load(path: Path) -> list[Seen]:
    """Raises CommandRefused for a file that no relay wrote."""
    try:
        if path.stat().st_size > FILE_SIZE_MAX:
            raise ValueError("too large")
        rows = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(rows, list) or len(rows) > KEPT_MAX:
            raise ValueError("no list of so many")
        return [_seen(row) for row in rows]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, RecursionError) as error:
        raise CommandRefused(
            "relay.file", f"{path} is no file of a relay ({error}): look at it, then remove it"
        ) from None


def _seen(row: object) -> Seen:
    if not isinstance(row, dict) or set(row) != set(Seen.__slots__):
        raise ValueError("other fields")
    words = [row[name] for name in ("topic", "severity", "note")]
    times = [row[name] for name in ("first_ms", "last_ms")]
    if not all(isinstance(word, str) for word in words) or words[1] not in SEVERITIES:
        raise ValueError("other words")
    if not all(type(time) is int and 0 <= time < 2**53 for time in times):
        raise ValueError("other times")
    return Seen(words[0], words[1], words[2], times[0], times[1])


def save(path: Path, left: list[Seen]) -> None:
    """At once or not at all; nothing is left where nothing waits."""
    if not left:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(path, json.dumps([asdict(one) for one in left]).encode(), mode=0o600)


def rows(told: list[Told]) -> list[list[Json]]:
    """For the table."""
    return [
        [
            one.seen.topic,
            one.seen.severity,
            when(one.seen.first_ms),
            when(one.seen.last_ms),
            one.seen.note,
            one.outcome,
        ]
        for one in told
    ]
