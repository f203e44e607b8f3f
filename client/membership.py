"""Who comes and who goes, as it waits for managers: applications, and what a revoked party left.

A revoked party ends nothing itself any more. What it left open, and that only others can end, is
listed with the command that does so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from client.waiting import Reader, Row, Waiting, number, text, waiting

GRANTED: Final = ("granted", "active", "suspended")
ENGAGED: Final = ("selected", "approved")


def applications(reader: Reader) -> Iterator[Waiting]:
    """Those that a manager decides on."""
    if "manager" not in reader.roles:
        return
    is_alone = not reader.view("parties", "has_other_manager", reader.party)
    for row in reader.rows("admission"):
        name, sponsor = text(row, "id"), text(row, "sponsor")
        # Whose party sponsored it leaves the decision to another one, if there is one.
        if text(row, "status") != "applied" or (sponsor == reader.party and not is_alone):
            continue
        commands = [f"party refuse {name} --reason …"]
        if reader.view("parties", "is_active", sponsor) is True:
            commands.insert(0, f"party admit {name} --note …")
        about = f"{text(row, 'party')} ({text(row, 'name')}), sponsored by {sponsor}"
        told, due_ms = ", or: ".join(commands), number(row, "expires_ms")
        yield waiting("application to decide on (入驻审核)", name, about, told, due_ms)


def leftovers(reader: Reader) -> Iterator[Waiting]:
    """What revoked parties left open, for managers."""
    if "manager" not in reader.roles:
        return
    revoked = (row for row in reader.rows("parties") if text(row, "status") == "revoked")
    gone = frozenset(text(row, "id") for row in revoked)
    if not gone:
        return
    for row in reader.rows("grant"):
        sides = _gone(row, gone)
        if text(row, "status") in GRANTED and sides:
            yield _left("grant", row, sides[0], "grant revoke {id}")
    for row in reader.rows("agreement"):
        sides = _gone(row, gone)
        if text(row, "status") == "in_force" and sides:
            yield _left("agreement", row, sides[0], "agreement terminate {id}")
    for row in reader.rows("preapproval"):
        if text(row, "status") == "open" and text(row, "operator") in gone:
            yield _left("channel", row, text(row, "operator"), "grant close-channel {id}")
    for row in reader.rows("oversight"):
        sides = [side for side in (text(row, "operator"), text(row, "party")) if side in gone]
        if text(row, "status") in ENGAGED and sides:
            yield _left("engagement", row, sides[0], "oversight end {id}")
    for row in reader.rows("commission"):
        sides = [side for side in (text(row, "operator"), text(row, "party")) if side in gone]
        if text(row, "status") == "accepted" and sides:
            yield _left("commission", row, sides[0], "commission end {id}")
    for row in reader.rows("identity", "organizations"):
        yield from _root(row, gone)


def _gone(row: Row, gone: frozenset[str]) -> list[str]:
    """The sides of a grant or agreement that are revoked."""
    return [side for side in (text(row, "operator"), text(row, "consumer")) if side in gone]


def _root(row: Row, gone: frozenset[str]) -> Iterator[Waiting]:
    organization, fingerprint = text(row, "organization"), row.get("fingerprint")
    if organization in gone and isinstance(fingerprint, bytes):
        command = (
            f"proposal retire-root … --organization {organization} "
            f"--fingerprint {fingerprint.hex()} --reason …"
        )
        yield waiting("root of a revoked party (根证书)", organization, "", command)


def _left(what: str, row: Row, party: str, command: str) -> Waiting:
    name = text(row, "id")
    told = f"{command.format(id=name)} --reason …"
    return waiting(f"{what} of a revoked party (清退)", name, party, told)
