"""How the policy changes: a manager and a quorum of organizations approve a rule, or reject it.

Who proposes a rule names parties that can satisfy it between them, as the register stands: a rule
that nobody can satisfy would end every upgrade. That is looked at again at the last approval.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.vm import limits, prices
from contracts.vm.approvals import APPROVALS_MAX, TERM_MS, Approvals
from contracts.vm.code_records import (
    CONTRACT,
    NO_PENDING,
    ROLES_GOVERN,
    Records,
    demand_reason,
)
from contracts.vm.codes import Code, Stop
from contracts.vm.policy import (
    GENESIS_UPGRADE,
    POLICY_KEY,
    POLICY_PENDING_KEY,
    WITNESSES_MAX,
    PendingRule,
    Rule,
    flaw,
    rule_hash,
    told,
    with_rule,
)
from ledger.encoding import decode, encode
from ledger.values import Value, encode_value

if TYPE_CHECKING:
    from contracts.vm.apply import Machine


class PolicyCalls:
    """`sender` is the account that signed. All raise Stop."""

    def __init__(self, machine: Machine, records: Records, approvals: Approvals) -> None:
        self._machine = machine
        self._records = records
        self._approvals = approvals

    def propose(
        self,
        sender: str,
        step: str,
        groups: list[list[str]],
        parties_min: int,
        organizations: bool,
        witnesses: list[str],
        reason: str,
    ) -> Value:
        party = self._approvals.voice(sender, GENESIS_UPGRADE, "")
        demand_reason(reason)
        rule = Rule(step, tuple(map(tuple, groups)), parties_min, organizations)
        if fault := flaw(rule):
            raise Stop(Code.bad_arguments, fault[:200])
        if len(witnesses) > WITNESSES_MAX:
            raise Stop(Code.value_limit, f"name at most {WITNESSES_MAX} witnesses")
        if self._pending() is not None:
            raise Stop(Code.exists, "a rule waits for approvals: end that one first")
        expires_ms = self._machine.block.time_ms + TERM_MS
        pending = PendingRule(rule, tuple(witnesses), reason, expires_ms, (party,))
        self._demand_satisfiable(pending)
        self._emit("PolicyProposed", pending, party)
        self._decide(pending, party)
        return None

    def approve(self, sender: str, digest: bytes) -> Value:
        pending = self._waiting()
        party = self._approvals.voice(sender, GENESIS_UPGRADE, "")
        if digest != rule_hash(pending.rule):
            raise Stop(Code.not_allowed, "another rule waits: read it and approve its hash")
        if party in pending.approvals:
            raise Stop(Code.not_allowed, "each party approves once")
        if len(pending.approvals) >= APPROVALS_MAX:
            raise Stop(Code.value_limit, "too many approvals; propose it anew")
        after = PendingRule(
            pending.rule,
            pending.witnesses,
            pending.reason,
            pending.expires_ms,
            (*pending.approvals, party),
        )
        self._emit("PolicyApproved", after, party)
        self._decide(after, party)
        return None

    def reject(self, sender: str, reason: str) -> Value:
        pending = self._waiting()
        party = self._approvals.acting(sender, ROLES_GOVERN)
        demand_reason(reason)
        self._records.write(POLICY_PENDING_KEY, NO_PENDING)
        self._emit("PolicyRejected", pending, party, reason)
        return None

    def show(self) -> Value:
        rules = [*self._approvals.policy().rules, GENESIS_UPGRADE]
        return [told(rule) for rule in rules]

    def show_pending(self) -> Value:
        self._machine.meter.charge(prices.GAS_READ)
        pending = self._pending()
        if pending is None:
            return None
        missing = self._approvals.missing(GENESIS_UPGRADE, "", pending.approvals)
        return {
            **told(pending.rule),
            "rule_hash": rule_hash(pending.rule),
            "witnesses": list(pending.witnesses),
            "reason": pending.reason,
            "expires_ms": pending.expires_ms,
            "approvals": list(pending.approvals),
            "missing": [*missing],
        }

    def _decide(self, pending: PendingRule, party: str) -> None:
        if self._approvals.missing(GENESIS_UPGRADE, "", pending.approvals):
            self._records.write(POLICY_PENDING_KEY, encode(pending))
            return
        self._demand_satisfiable(pending)
        self._records.write(POLICY_PENDING_KEY, NO_PENDING)
        after = with_rule(self._approvals.policy(), pending.rule)
        self._records.write(POLICY_KEY, encode(after))
        self._emit("PolicyChanged", pending, party)

    def _demand_satisfiable(self, pending: PendingRule) -> None:
        lacking = self._approvals.missing(pending.rule, "", pending.witnesses, is_any_owner=True)
        if lacking or len(set(pending.witnesses)) != len(pending.witnesses):
            words = ", ".join(lacking) or "each of them once"
            raise Stop(
                Code.not_allowed, f"name parties that can satisfy it; missing: {words}"[:200]
            )

    def _waiting(self) -> PendingRule:
        pending = self._pending()
        if pending is None:
            raise Stop(Code.not_allowed, "no rule waits for approvals")
        return pending

    def _pending(self) -> PendingRule | None:
        raw = self._records.load(POLICY_PENDING_KEY)
        if raw is None or raw == NO_PENDING:
            return None
        pending = decode(raw, PendingRule, size_max=limits.STORED_VALUE_SIZE_MAX)
        return pending if self._machine.block.time_ms < pending.expires_ms else None

    def _emit(self, event: str, pending: PendingRule, party: str, reason: str = "") -> None:
        fields = [
            ("step", encode_value(pending.rule.step)),
            ("rule_hash", encode_value(rule_hash(pending.rule))),
            ("party", encode_value(party)),
            ("reason", encode_value(reason or pending.reason)),
        ]
        self._machine.meter.charge(prices.GAS_EVENT)
        self._machine.add_event(CONTRACT, event, fields)
