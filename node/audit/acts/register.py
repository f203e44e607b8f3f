"""Which party an account spoke for, in what standing, as of the transaction that is read.

An address stays with its first party for ever (contracts/system/parties.py), so what an account
did after it was removed, and was refused, still has its party's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from ledger.genesis import Genesis
from ledger.model import Address, address_of
from ledger.values import Value, decode_value
from node.audit.acts.values import octets, text, texts

ACTIVE: Final = "active"
SUSPENDED: Final = "suspended"
REVOKED: Final = "revoked"  # the party, for good
REMOVED: Final = "removed"  # the account may not speak for its party any more
NODE: Final = "node"  # the consensus key of a node that the party runs
NOBODY: Final = ""  # an account of no party


@dataclass(frozen=True, slots=True)
class Party:
    id: str
    name: str
    roles: tuple[str, ...]
    since: int  # height
    status: str = ACTIVE
    organization: str = ""
    selected_by: str = ""
    approved_by: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """For whom an account spoke. `node` is the name of the node, where one signed."""

    party: str = ""
    name: str = ""
    roles: tuple[str, ...] = ()
    standing: str = NOBODY
    node: str = ""


class Register:
    """The parties, their accounts, and the nodes that they run."""

    def __init__(self, genesis: Genesis) -> None:
        self.parties: dict[str, Party] = {}
        self.accounts: dict[str, tuple[str, bool]] = {}  # address -> party, may it speak
        self._nodes: dict[str, tuple[str, str]] = {}  # address -> party, node
        self._admitting: dict[str, Mapping[str, Value]] = {}  # proposal -> its arguments
        for contract in genesis.contracts:
            if contract.name == "parties":
                self._found(decode_value(contract.args))
        for member in genesis.validators.validators:
            self._nodes[address_of(member.public_key)] = (member.party, member.name)

    def standing_of(self, address: Address) -> Standing:
        if address in self._nodes:
            party, node = self._nodes[address]
            known = self.parties.get(party)
            name, roles = (known.name, known.roles) if known else ("", ())
            return Standing(party, name, roles, NODE, node)
        if address not in self.accounts:
            return Standing()
        party, may_speak = self.accounts[address]
        known = self.parties.get(party, Party(party, "", (), 0))
        return Standing(party, known.name, known.roles, known.status if may_speak else REMOVED)

    def party_of(self, address: str) -> str:
        """The party of an account, whether it may still speak or not; "" for none."""
        return self.accounts.get(address, ("", False))[0]

    def accounts_of(self, party: str) -> tuple[str, ...]:
        """Those that may speak for it, in the order in which they were added."""
        return tuple(a for a, (owner, may) in self.accounts.items() if owner == party and may)

    def follow(
        self,
        contract: str,
        method: str,
        arguments: Mapping[str, Value],
        events: Iterable[tuple[str, str, Mapping[str, Value]]],
        height: int,
    ) -> None:
        """A transaction that succeeded, with its events (contract, name, fields)."""
        if (contract, method) == ("proposal", "admit_observer"):
            self._admitting[text(arguments.get("proposal_id"))] = dict(arguments)
        for source, name, fields in events:
            if source == "parties":
                self._change(name, fields, height)
            elif (source, name) == ("governance", "NodeAdmitted"):
                self._enroll(text(arguments.get("proposal_id")))

    def _found(self, arguments: Value) -> None:
        """What the contract's init took: id, name, roles and accounts of each founder."""
        founders = arguments[0] if isinstance(arguments, list) and arguments else None
        for founder in founders if isinstance(founders, list) else ():
            if isinstance(founder, list) and len(founder) == 4:
                party, name, roles, accounts = founder
                self._admit(Party(text(party), text(name), texts(roles), 0), accounts)

    def _change(self, event: str, fields: Mapping[str, Value], height: int) -> None:
        party, address = text(fields.get("party_id")), text(fields.get("address"))
        match event:
            case "PartyRegistered":
                admitted = Party(
                    id=party,
                    name=text(fields.get("name")),
                    roles=texts(fields.get("roles")),
                    since=height,
                    organization=text(fields.get("organization")),
                    selected_by=text(fields.get("selected_by")),
                    approved_by=text(fields.get("approved_by")),
                )
                self._admit(admitted, fields.get("accounts"))
            case "AccountAdded":
                self.accounts[address] = (party, True)
            case "AccountRemoved":
                self.accounts[address] = (party, False)
            case "AccountReplaced":
                self.accounts[address] = (party, False)
                self.accounts[text(fields.get("replacement"))] = (party, True)
            case "PartySuspended":
                self._set_status(party, SUSPENDED)
            case "PartyReadmitted":
                self._set_status(party, ACTIVE)
            case "PartyRevoked":
                self._set_status(party, REVOKED)

    def _set_status(self, party: str, status: str) -> None:
        if party in self.parties:
            self.parties[party] = replace(self.parties[party], status=status)

    def _admit(self, known: Party, accounts: Value) -> None:
        self.parties[known.id] = known
        for address in texts(accounts):
            self.accounts[address] = (known.id, True)

    def _enroll(self, proposal: str) -> None:
        """The node that a proposal, approved now, admits."""
        asked = self._admitting.pop(proposal, {})
        key = octets(asked.get("public_key"))
        if key:
            party, node = text(asked.get("party")), text(asked.get("node"))
            self._nodes[address_of(key)] = (party, node)
