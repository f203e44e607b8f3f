"""Whose approvals a step in the life of a contract needs: a record in the state, with a default.

A rule asks for a voice of each of its groups and for so many distinct parties. The rule for the
contracts of the genesis, by which the policy itself changes, is that of
`contracts/system/proposal.py`; it is fixed, and so is that a first deployment waits for nobody.
"""

from __future__ import annotations

from typing import Final

from contracts.vm.code_records import FROZEN, GENESIS, REVOKE, ContractRecord
from crypto import sm3
from ledger.encoding import encode
from ledger.model import Record
from ledger.values import Key, Value

POLICY_KEY: Final = b"/policy"
POLICY_PENDING_KEY: Final = b"/policy/pending"
OWNER: Final = "owner"  # the party that deployed the contract
ORGANIZATION: Final = "organization"  # a party that runs a validator
ROLES: Final = ("manager", "operator", "supplier", "consumer", "tech_provider", "developer")
CAPACITIES: Final = (OWNER, ORGANIZATION, *ROLES)
GROUPS_MAX: Final = 8
PARTIES_MIN: Final = 2  # no policy lets one party change code in use
PARTIES_MAX: Final = 64  # as many as a committee has organizations
WITNESSES_MAX: Final = 64


class Rule(Record):
    """What one step needs."""

    step: str
    groups: tuple[tuple[str, ...], ...]  # a voice of each; names of CAPACITIES
    parties_min: int  # distinct parties, however many capacities each of them has
    organizations: bool  # a quorum of them, too


class Policy(Record):
    """The rules in force. Those that are not in it are the default ones."""

    version: int  # one more at each change; 0: the default
    rules: tuple[Rule, ...]


class PendingRule(Record):
    """A rule that waits for approvals."""

    rule: Rule
    witnesses: tuple[str, ...]  # parties that can satisfy it between them
    reason: str
    expires_ms: int
    approvals: tuple[str, ...]


GENESIS_UPGRADE: Final = Rule("genesis_upgrade", (("manager",),), 1, True)
ORDINARY_UPGRADE: Final = Rule("upgrade", ((OWNER,), ("manager",), ("operator",)), 2, False)
# The repair of a frozen contract does not wait for its owner, who may be the one at fault.
EXPEDITED: Final = Rule(
    "expedited_upgrade", (("manager",), ("operator", "tech_provider", ORGANIZATION)), 2, False
)
REVOCATION: Final = Rule(
    "revoke", (("manager",), (OWNER, "manager", "operator", ORGANIZATION)), 2, False
)
DEFAULT: Final = Policy(0, (ORDINARY_UPGRADE, EXPEDITED, REVOCATION))


def rule_of(policy: Policy, record: ContractRecord, step: str) -> Rule:
    """What `step` (upgrade revoke) needs, as the contract stands now."""
    if record.deployer == GENESIS:
        return GENESIS_UPGRADE
    if step != REVOKE:
        step = EXPEDITED.step if record.status == FROZEN else ORDINARY_UPGRADE.step
    return next(rule for rule in policy.rules if rule.step == step)


def with_rule(policy: Policy, rule: Rule) -> Policy:
    """The policy after a change."""
    rules = tuple(rule if present.step == rule.step else present for present in policy.rules)
    return Policy(policy.version + 1, rules)


def rule_hash(rule: Rule) -> bytes:
    """What an approval of a rule names."""
    return sm3.digest(encode(rule))


def flaw(rule: Rule) -> str:
    """Why there can be no such rule; "" if there can."""
    steps = [known.step for known in DEFAULT.rules]
    if rule.step not in steps:
        return f"the steps with a rule are {', '.join(steps)}"
    if not 1 <= len(rule.groups) <= GROUPS_MAX:
        return f"name 1 to {GROUPS_MAX} groups"
    for group in rule.groups:
        if not group or len(set(group)) != len(group) or not set(group) <= set(CAPACITIES):
            return f"a group names some of {', '.join(CAPACITIES)}, each once"
    if not PARTIES_MIN <= rule.parties_min <= PARTIES_MAX:
        return f"ask for {PARTIES_MIN} to {PARTIES_MAX} parties"
    return ""


def told(rule: Rule) -> dict[Key, Value]:
    """For people and programs."""
    return {
        "step": rule.step,
        "groups": [list(group) for group in rule.groups],
        "parties_min": rule.parties_min,
        "organizations": "quorum" if rule.organizations else "",
    }
