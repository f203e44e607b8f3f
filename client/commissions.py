"""Commissions and assets, as they wait for operators and for whom they engaged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from client.waiting import Reader, Row, Waiting, field, items, number, text, waiting

DAY_MS: Final = 24 * 3600 * 1000
SUBJECTS_MAX: Final = 20  # what the contract `alert` looks at in one view
USED: Final = ("in_service", "maintenance")


def commissions(reader: Reader) -> Iterator[Waiting]:
    """Work to take, to report on, to hand in, to judge and to close."""
    for row in reader.rows("commission"):
        if text(row, "status") not in ("offered", "accepted"):
            continue
        operator, party = text(row, "operator"), text(row, "party")
        if reader.party not in (operator, party):
            continue
        is_engaged = reader.view("oversight", "engagement_of", operator, party) != ""
        acts = _of_party(row) if reader.party == party else _of_operator(row)
        if is_engaged:
            yield from acts
        elif reader.party == operator:
            yield _end(row)


def _of_party(row: Row) -> Iterator[Waiting]:
    name, title, due_ms = text(row, "id"), text(row, "title"), number(row, "due_ms")
    if text(row, "status") == "offered":
        command = f"commission accept {name} --digest file:TEXT, or: commission decline {name} …"
        yield waiting("commission to accept (委托)", name, title, command, due_ms)
    elif number(row, "report_days") > 0:
        covered_ms = number(row, "covered_ms")
        if covered_ms < due_ms:
            next_ms = min(covered_ms + number(row, "report_days") * DAY_MS, due_ms)
            command = f"commission report {name} --until … --digest file:REPORT --anomalies …"
            yield waiting("operation to report on (运营报告)", name, title, command, next_ms)
    elif number(row, "approved") == 0 and number(row, "waiting") == 0:
        command = f"commission hand-in {name} --digest file:WORK"
        yield waiting("work to hand in (成果提交)", name, title, command, due_ms)


def _of_operator(row: Row) -> Iterator[Waiting]:
    if text(row, "status") != "accepted":
        return
    name, title = text(row, "id"), text(row, "title")
    is_reported = number(row, "covered_ms") >= number(row, "due_ms")
    is_done = is_reported if number(row, "report_days") > 0 else number(row, "approved") > 0
    if number(row, "waiting") > 0:
        command = (
            f"commission work {name}, then: commission judge {name} --number … --pass|--refuse"
        )
        yield waiting("work to judge (成果验收)", name, title, command)
    elif is_done:
        yield waiting("commission to close (委托)", name, title, f"commission close {name}")


def _end(row: Row) -> Waiting:
    """The party works for the operator no more."""
    name, is_offered = text(row, "id"), text(row, "status") == "offered"
    command = f"commission {'decline' if is_offered else 'end'} {name} --reason …"
    return waiting("commission without engagement (委托)", name, text(row, "title"), command)


def assets(reader: Reader) -> Iterator[Waiting]:
    """Certificates that ended or end soon, by the limits in force."""
    if "operator" not in reader.roles:
        return
    used = {
        text(row, "id"): row
        for row in reader.rows("asset")
        if text(row, "operator") == reader.party
        and text(row, "status") in USED
        and number(row, "certificate_until_ms") > 0
    }
    for name in _found(reader, list(used)):
        row = used[name]
        command = f"asset describe {name} --certificate … --certificate-until … --reason … …"
        due_ms, about = number(row, "certificate_until_ms"), text(row, "title")
        yield waiting("certificate to renew (资产证书)", name, about, command, due_ms)


def _found(reader: Reader, names: list[str]) -> Iterator[str]:
    """Those that a check finds, whether or not somebody has raised it."""
    for first in range(0, len(names), SUBJECTS_MAX):
        asked = names[first : first + SUBJECTS_MAX]
        told: set[object] = set()
        for check in ("asset_expiring", "asset_expired"):
            for finding in items(reader.view("alert", "findings", check, [*asked])):
                if field(finding, "says") != "fine":
                    told.add(field(finding, "subject"))
        yield from (name for name in asked if name in told)
