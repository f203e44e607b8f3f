"""Who comes and who goes, as it waits for managers: applications, and what a revoked party left.

A revoked party ends nothing itself any more. What it left open, and that only others can end, is
listed with the command that does so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from client.waiting import Reader, Row, Waiting, number, text, waiting

SIDES: Final = ("operator", "consumer", "party")
# Contract, the states in which a manager ends a record, what it is, and the command.
LEFT: Final = (
    ("grant", ("granted", "active", "suspended"), "grant", "grant revoke {id}"),
    ("agreement", ("in_force",), "agreement", "agreement terminate {id}"),
    ("preapproval", ("open",), "channel", "grant close-channel {id}"),
    ("oversight", ("selected", "approved"), "engagement", "oversight end {id}"),
    ("commission", ("accepted",), "commission", "commission end {id}"),
    ("asset", ("registered", "in_service", "maintenance"), "asset", "asset retire {id}"),
)


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
    for contract, statuses, what, command in LEFT:
        for row in reader.rows(contract):
            sides = [text(row, side) for side in SIDES if text(row, side) in gone]
            if text(row, "status") in statuses and sides:
                yield _left(what, row, sides[0], command)
    for row in reader.rows("identity", "organizations"):
        yield from _root(row, gone)


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
