"""Who must agree before a contract changes or ends (8.1.5 a, d, e).

The rules are the policy (policy.py), shown by the view `contract.policy`. Parties approve, one
voice each however many accounts and roles they have; standing counts at the last approval. For
contracts of the genesis the rule is that of `contracts/system/proposal.py`, frozen or not: what
the chain itself does is never in such a hurry that fewer may decide, freezing contains it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from contracts.vm import limits, prices
from contracts.vm.code_records import CONTRACT, Pending, Records
from contracts.vm.codes import Code, Stop
from contracts.vm.policy import DEFAULT, ORGANIZATION, OWNER, POLICY_KEY, Policy, Rule
from ledger.encoding import decode

if TYPE_CHECKING:
    from contracts.vm.apply import Machine
    from ledger.values import Value

# The chain asks these who may speak, who orders blocks and how many decide: nobody stops them, they
# are repaired.
FOUNDATION: Final = frozenset({"parties", "governance", "proposal", "policy"})
TERM_MS: Final = 7 * 24 * 3600 * 1000  # people have a week to decide, as on proposals
APPROVALS_MAX: Final = 128  # twice the largest committee


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

    def __init__(self, machine: Machine, records: Records) -> None:
        self._machine = machine
        self._records = records

    def policy(self) -> Policy:
        """The rules in force."""
        raw = self._records.load(POLICY_KEY)
        self._machine.meter.charge(prices.GAS_READ)
        if raw is None:
            return DEFAULT
        return decode(raw, Policy, size_max=limits.STORED_VALUE_SIZE_MAX)

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

    def missing(
        self, rule: Rule, owner: str, approvals: tuple[str, ...], *, is_any_owner: bool = False
    ) -> list[str]:
        """What `approvals` lack, in words; none: it is decided.

        A party that was suspended has no voice. An owner without a voice is not waited for.
        `is_any_owner`: of a contract that any of them could own.
        """
        active = [party for party in approvals if self._is_active(party)]
        is_everybody = is_any_owner and any(OWNER in group for group in rule.groups)
        counted = [party for party in active if is_everybody or self._is_asked(party, rule, owner)]
        lacking: list[str] = []
        for group in rule.groups:
            if is_any_owner and OWNER in group:
                continue
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
    return f"{rule.step} needs {', '.join(asked)}"
