"""For whom an account spoke, as an auditor sees it, when keys are replaced."""

from __future__ import annotations

from pathlib import Path

from ledger.model import Address
from ledger.values import Value
from node.audit.acts.register import ACTIVE, REMOVED, Register
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
