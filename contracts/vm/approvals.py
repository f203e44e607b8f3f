"""Who must agree before a contract changes or ends (8.1.5 a, d, e).

The rules are a table of this release, shown by the view `contract.policy`. Parties approve, one
voice each however many accounts and roles they have; standing counts at the last approval. For
contracts of the genesis the rule is that of `contracts/system/proposal.py`, frozen or not: what
the chain itself does is never in such a hurry that fewer may decide, freezing contains it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from contracts.vm.code_records import CONTRACT, FROZEN, GENESIS, REVOKE, ContractRecord, Pending
from contracts.vm.codes import Code, Stop

if TYPE_CHECKING:
    from contracts.vm.apply import Machine
    from ledger.values import Value

# The chain asks these who may speak and who orders blocks: nobody stops them, they are repaired.
FOUNDATION: Final = frozenset({"parties", "governance", "proposal"})
TERM_MS: Final = 7 * 24 * 3600 * 1000  # people have a week to decide, as on proposals
APPROVALS_MAX: Final = 128  # twice the largest committee
OWNER: Final = "owner"  # the party that deployed the contract
ORGANIZATION: Final = "organization"  # a party that runs a validator


@dataclass(frozen=True, slots=True)
class Rule:
    """A voice of each group is needed; the other capacities are roles of section 6.6."""

    name: str
    groups: tuple[tuple[str, ...], ...]
    parties_min: int  # distinct parties, however many capacities each of them has
    organizations: bool = False  # a quorum of them, too


GENESIS_UPGRADE: Final = Rule("genesis_upgrade", (("manager",),), 1, organizations=True)
ORDINARY_UPGRADE: Final = Rule("upgrade", ((OWNER,), ("manager",), ("operator",)), 2)
# The repair of a frozen contract does not wait for its owner, who may be the one at fault.
EXPEDITED: Final = Rule(
    "expedited_upgrade", (("manager",), ("operator", "tech_provider", ORGANIZATION)), 2
)
REVOCATION: Final = Rule("revoke", (("manager",), (OWNER, "manager", "operator", ORGANIZATION)), 2)
RULES: Final = (ORDINARY_UPGRADE, EXPEDITED, REVOCATION, GENESIS_UPGRADE)


def rule_of(record: ContractRecord, step: str) -> Rule:
    """What `step` needs, as the contract stands now."""
    if record.deployer == GENESIS:
        return GENESIS_UPGRADE
    if step == REVOKE:
        return REVOCATION
    return EXPEDITED if record.status == FROZEN else ORDINARY_UPGRADE


def policy() -> Value:
    """The table, for people and programs."""
    return [
        {
            "step": rule.name,
            "groups": [list(group) for group in rule.groups],
            "parties_min": rule.parties_min,
            "organizations": "quorum" if rule.organizations else "",
        }
        for rule in RULES
    ]


def with_approval(pending: Pending, party: str) -> Pending:
    """One party more is for it. Raises Stop."""
    if party in pending.approvals:
        raise Stop(Code.not_allowed, "each party approves once")
    if len(pending.approvals) >= APPROVALS_MAX:
        raise Stop(Code.value_limit, "too many approvals; propose it anew")
    return Pending(
        pending.name,
        pending.step,
        pending.sequence,
        pending.code_hash,
        pending.reason,
        pending.expires_ms,
        (*pending.approvals, party),
    )


class Approvals:
    """Asks the contracts `parties` and `governance` who somebody is."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def acting(self, sender: str, roles: tuple[str, ...]) -> str:
        """The active party of `sender`, which has one of `roles`. Raises Stop."""
        for role in roles:
            party = self._ask("parties", "acting_as", sender, role)
            if isinstance(party, str) and party:
                return party
        raise Stop(Code.not_allowed, f"this needs one of the roles: {', '.join(roles)}")

    def party(self, sender: str) -> str:
        """The active party of `sender`. Raises Stop."""
        party = self._ask("parties", "active_party_of", sender)
        if isinstance(party, str) and party:
            return party
        raise Stop(Code.not_allowed, "sign for an active party")

    def voice(self, sender: str, rule: Rule, owner: str) -> str:
        """The active party of `sender`, if `rule` asks it at all. Raises Stop."""
        party = self.party(sender)
        if not self._is_asked(party, rule, owner):
            raise Stop(Code.not_allowed, f"{party} has no voice in this: {_spelled(rule)}"[:200])
        return party

    def missing(self, rule: Rule, owner: str, approvals: tuple[str, ...]) -> list[str]:
        """What `approvals` lack, in words; none: it is decided.

        A party that was suspended has no voice. An owner without a voice is not waited for.
        """
        active = [party for party in approvals if self._is_active(party)]
        counted = [party for party in active if self._is_asked(party, rule, owner)]
        lacking: list[str] = []
        for group in rule.groups:
            if group == (OWNER,) and not self._is_active(owner):
                continue
            if not any(self._has_any(party, group, owner) for party in counted):
                lacking.append(" or ".join(group))
        if len(counted) < rule.parties_min:
            lacking.append(f"{rule.parties_min - len(counted)} more of the parties it asks")
        if rule.organizations:
            organizations = self._organizations()
            voices = sum(1 for party in counted if party in organizations)
            size = len(organizations)
            if (more := (size + (size - 1) // 3 + 2) // 2 - voices) > 0:
                lacking.append(f"{more} more of the organizations")
        return lacking

    def _is_asked(self, party: str, rule: Rule, owner: str) -> bool:
        if any(self._has_any(party, group, owner) for group in rule.groups):
            return True
        return rule.organizations and party in self._organizations()

    def _has_any(self, party: str, group: tuple[str, ...], owner: str) -> bool:
        return any(self._has(party, capacity, owner) for capacity in group)

    def _has(self, party: str, capacity: str, owner: str) -> bool:
        if capacity == OWNER:
            return party == owner
        if capacity == ORGANIZATION:
            return party in self._organizations()
        return self._ask("parties", "party_has_role", party, capacity) is True

    def _is_active(self, party: str) -> bool:
        return self._ask("parties", "is_active", party) is True

    def _organizations(self) -> list[Value]:
        answer = self._ask("governance", "organizations")
        if not isinstance(answer, list) or not answer:
            raise Stop(Code.not_allowed, "no organization runs a validator")
        return answer

    def _ask(self, contract: str, method: str, *arguments: Value) -> Value:
        return self._machine.call_other(CONTRACT, contract, method, arguments, is_view=True)


def _spelled(rule: Rule) -> str:
    asked = [" or ".join(group) for group in rule.groups]
    if rule.organizations:
        asked.append("a quorum of the organizations")
    return f"{rule.name} needs {', '.join(asked)}"
