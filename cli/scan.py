"""What `shuxin alert scan` does: has every check look at every subject that its sender may list.

Asking costs nothing and raises nothing; only what the contract says is due is sent. Who may not
list something, as a supplier the tasks of others, leaves that to who may.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from client.errors import Refused
from client.pages import rows_of

if TYPE_CHECKING:
    from client.node import Outcome
    from ledger.values import Key, Value

ALERT: Final = "alert"
SUBJECTS_MAX: Final = 20  # what the contract `alert` looks at in one view

_BROKEN = ("disputed", "failed", "expired")


class _Walk(NamedTuple):
    """The contract that lists the subjects, the checks that look at them, and the states that are
    worth a look. With `parts`, each entry of that field is a subject of its own, ID/ENTRY."""

    contract: str
    checks: tuple[str, ...]
    states: tuple[str, ...]
    parts: str = ""


_WALKS: Final = (
    _Walk(
        "catalog",
        ("late_update", "quality_fallen", "quantity_fallen"),
        ("registered", "updated"),
    ),
    _Walk("demand", ("collection_late",), ("collecting",), parts="suppliers"),
    _Walk("grant", ("quota_used", "expiry_near", "unusual_rate"), ("active",)),
    _Walk("commission", ("work_unreported", "work_overdue"), ("accepted",)),
    _Walk("asset", ("asset_expiring", "asset_expired"), ("in_service", "maintenance")),
    _Walk("task", ("task_broken",), _BROKEN),
    _Walk("task", ("task_mismatch",), ("created", "running", "finished")),
    _Walk(
        "product", ("purpose_mismatch", "identity_risk", "small_group"), ("registered", "approved")
    ),
    _Walk(
        "delivery",
        (
            "no_diligence",
            "high_risk",
            "delivery_rejected",
            "delivery_unanswered",
            "use_unreported",
            "use_mismatch",
        ),
        ("offered", "accepted", "rejected"),
    ),
    _Walk("billing", ("bill_unanswered",), ("issued", "overdue")),
)
COLUMNS: Final = ("check", "subject", "party", "severity", "measured", "limit", "alert")


class Due(NamedTuple):
    """What a check found, and the id of the alert once it is raised."""

    check: str
    subject: str
    party: str
    severity: str
    measured: int
    limit: int
    alert: str = ""


class Asking(Protocol):
    """The part of a session that a scan uses."""

    def view(self, contract: str, method: str, *args: Value) -> Value: ...

    def call(self, contract: str, method: str, *args: Value) -> Outcome: ...


def scan_all(session: Asking) -> list[Due]:
    """All that is due now, by contract, check and order of entry. Raises ClientError."""
    found: list[Due] = []
    for walk in _WALKS:
        subjects = list(_subjects(session, walk))
        for check in walk.checks:
            for first in range(0, len(subjects), SUBJECTS_MAX):
                asked: list[Value] = [*subjects[first : first + SUBJECTS_MAX]]
                found += _due(session.view(ALERT, "findings", check, asked))
    return found


def raise_all(session: Asking, due: list[Due]) -> list[Due]:
    """Raises each; what another party raised in the meantime is left out. Raises ClientError."""
    from ledger.values import decode_value

    raised: list[Due] = []
    for one in due:
        try:
            outcome = session.call(ALERT, "check", one.check, one.subject)
        except Refused as refusal:
            if refusal.detail.startswith(("alert.open", "alert.fine", "alert.quiet")):
                continue
            raise
        alert = decode_value(outcome.receipt.return_value)
        raised.append(one._replace(alert=str(alert)))
    return raised


def _subjects(session: Asking, walk: _Walk) -> Iterator[str]:
    try:
        for row in rows_of(session.view, walk.contract, "list"):
            subject = _text(row, "id")  # a node may list what is no record of the contract
            if subject and row.get("status") in walk.states:
                yield from _parts(row, walk.parts) if walk.parts else (subject,)
    except Refused as refusal:
        if not refusal.detail.startswith(f"{walk.contract}.reader"):
            raise


def _parts(record: Mapping[Key, Value], name: str) -> Iterator[str]:
    parts = record.get(name)
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, str):
            yield f"{_text(record, 'id')}/{part}"


def _due(findings: Value) -> Iterator[Due]:
    for finding in findings if isinstance(findings, list) else ():
        if isinstance(finding, dict) and finding.get("says") == "due":
            yield Due(
                _text(finding, "check"),
                _text(finding, "subject"),
                _text(finding, "party"),
                _text(finding, "severity"),
                _number(finding, "measured"),
                _number(finding, "limit"),
            )


def _text(record: Mapping[Key, Value], name: str) -> str:
    value = record.get(name)
    return value if isinstance(value, str) else ""


def _number(record: Mapping[Key, Value], name: str) -> int:
    value = record.get(name)
    return value if isinstance(value, int) else 0
