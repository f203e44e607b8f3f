"""For whom an account spoke, as an auditor sees it, when keys are replaced."""

from __future__ import annotations

from pathlib import Path

from ledger.model import Address
from ledger.values import Value
from node.audit.acts.register import ACTIVE, REMOVED, REVOKED, SUSPENDED, Register
from tests.node_world import Nodes

OLD, NEW = Address("0a" * 20), Address("0b" * 20)


def test_a_replaced_account_keeps_its_partys_name_and_loses_its_voice(tmp_path: Path) -> None:
    register = Register(Nodes(tmp_path, size=1).genesis)
    admitted: dict[str, Value] = {"party_id": "bank", "name": "Bank", "roles": ["consumer"]}
    lost: dict[str, Value] = {"party_id": "bank", "address": OLD, "replacement": NEW}
    admitted["accounts"] = [OLD]
    register.follow("parties", "register", {}, [("parties", "PartyRegistered", admitted)], 5)
    register.follow("parties", "replace_account", {}, [("parties", "AccountReplaced", lost)], 9)
    assert (register.party_of(OLD), register.standing_of(OLD).standing) == ("bank", REMOVED)
    assert (register.party_of(NEW), register.standing_of(NEW).standing) == ("bank", ACTIVE)
    assert register.accounts_of("bank") == (NEW,)


def test_a_party_stands_as_its_last_event_says_and_names_who_selected_and_who_approved_it(
    tmp_path: Path,
) -> None:
    register = Register(Nodes(tmp_path, size=1).genesis)
    admitted: dict[str, Value] = {"party_id": "lab", "name": "Lab", "roles": ["developer"]}
    admitted |= {"accounts": [OLD], "organization": "lab", "selected_by": "opco"}
    admitted["approved_by"] = "bureau"
    register.follow("admission", "admit", {}, [("parties", "PartyRegistered", admitted)], 5)
    known = register.parties["lab"]
    assert (known.organization, known.selected_by, known.approved_by) == ("lab", "opco", "bureau")
    for event, standing in (
        ("PartySuspended", SUSPENDED),
        ("PartyReadmitted", ACTIVE),
        ("PartyRevoked", REVOKED),
    ):
        register.follow("parties", "x", {}, [("parties", event, {"party_id": "lab"})], 6)
        assert register.standing_of(OLD).standing == standing
