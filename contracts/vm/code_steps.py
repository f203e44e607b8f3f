"""The steps of a contract's life: each checks who asks, changes the record and notes itself.

    create -> deploy -> active <-> frozen -> revoked         (active -> revoked, too)

A step that fails, also half-way through @migrate, leaves nothing but a receipt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from contracts.vm import prices
from contracts.vm.approvals import FOUNDATION, TERM_MS, Approvals, with_approval
from contracts.vm.code_records import (
    ACTIVE,
    FROZEN,
    GENESIS,
    RESERVED,
    REVOKE,
    REVOKED,
    ROLES_GOVERN,
    UPGRADE,
    Actor,
    ContractRecord,
    Pending,
    Records,
    changed,
    demand_reason,
    is_contract_name,
)
from contracts.vm.codes import Code, Stop
from contracts.vm.layout import conflict, layout_of
from contracts.vm.policy import Rule, rule_of
from contracts.vm.rules import SourceRefused
from crypto import sm3
from ledger.values import Value, encode_value

if TYPE_CHECKING:
    from contracts.vm.apply import Machine

# The proposer alone is the policy of a first deployment: a new contract harms no other one, and
# who calls it can read it first.
ROLES_DEPLOY: Final = ("manager", "operator", "tech_provider")
_NO_ARGUMENTS: Final = encode_value([])


class Steps:
    """`sender` is the account that signed. All raise Stop."""

    def __init__(self, machine: Machine, records: Records, approvals: Approvals) -> None:
        self._machine = machine
        self._records = records
        self._approvals = approvals
        self.upgraded: str | None = None  # whose state was decoded with the types of a newer code

    # --- deploy -----------------------------------------------------------------------------

    def install(self, name: str, source: str, arguments: bytes, actor: Actor) -> None:
        """Check, compile, store and initialize a new contract."""
        if not is_contract_name(name) or name in RESERVED:
            raise Stop(Code.bad_arguments, "a name is 1 to 64 of a-z 0-9 _ -, from a letter on")
        if self._records.is_taken(name):
            raise Stop(Code.exists, f"{name} is deployed already")
        height = self._machine.block.height
        code_hash = self._keep(name, 1, source)
        record = ContractRecord(name, ACTIVE, 1, code_hash, actor.account, height, actor.party, 0)
        self._records.put(record)
        self._records.add_name(name)
        instance = self._machine.instance(name, is_view=False)
        if instance.init is not None:
            values = instance.init.arguments.decode(arguments)
            self._machine.run_entry(instance, instance.init, actor.account, values)
        elif arguments != _NO_ARGUMENTS:
            raise Stop(Code.bad_arguments, f"{name} has no @init and takes no arguments")
        self._records.note(record, "deploy", actor)

    def deploy(self, sender: str, name: str, source: str, args: bytes) -> Value:
        party = self._approvals.acting(sender, ROLES_DEPLOY)
        self.install(name, source, args, Actor(sender, party))
        return None

    def _keep(self, name: str, sequence: int, source: str) -> bytes:
        """Check a source and store it; its hash."""
        self._machine.meter.charge(len(source) * prices.GAS_SOURCE_BYTE)
        try:
            self._machine.compiled(source, sm3.digest(source.encode()))
        except SourceRefused as error:
            raise Stop(Code.check_failed, str(error)[:200]) from None
        return self._records.keep_source(name, sequence, source)

    # --- what needs approvals ---------------------------------------------------------------

    def upgrade(self, sender: str, name: str, sequence: int, source: str, reason: str) -> Value:
        record = self._records.find(name)
        party = self._approvals.voice(sender, self._rule(record, UPGRADE), record.owner)
        demand_reason(reason)
        if record.status == REVOKED:
            raise Stop(Code.contract_revoked, f"{name} is revoked")
        if sequence != record.sequence + 1:
            raise Stop(Code.bad_sequence, f"the next sequence is {record.sequence + 1}")
        self._demand_nothing_waits(name)
        code_hash = self._keep(name, sequence, source)
        self._demand_layout(record, source, code_hash)
        self._propose(Actor(sender, party), record, UPGRADE, sequence, code_hash, reason)
        return None

    def revoke(self, sender: str, name: str, reason: str) -> Value:
        record = self._records.find(name)
        if record.deployer == GENESIS:
            raise Stop(Code.not_allowed, f"{name} is of the genesis: upgrade it by approvals")
        party = self._approvals.voice(sender, self._rule(record, REVOKE), record.owner)
        demand_reason(reason)
        if record.status == REVOKED:
            raise Stop(Code.not_allowed, f"{name} is {record.status}")
        self._demand_nothing_waits(name)
        actor = Actor(sender, party)
        self._propose(actor, record, REVOKE, record.sequence, record.code_hash, reason)
        return None

    def approve(self, sender: str, name: str, sequence: int, code_hash: bytes) -> Value:
        record = self._records.find(name)
        pending = self._waiting(name, sequence)
        party = self._approvals.voice(sender, self._rule(record, pending.step), record.owner)
        if code_hash != pending.code_hash:
            raise Stop(Code.not_allowed, "another source waits: read it and approve its hash")
        after = with_approval(pending, party)
        self._decide(Actor(sender, party), record, after, "approve", "")
        return None

    def withdraw(self, sender: str, name: str, sequence: int, reason: str) -> Value:
        """Its proposer takes a proposal back."""
        pending = self._waiting(name, sequence)
        party = self._approvals.party(sender)
        if party != pending.approvals[0]:
            raise Stop(
                Code.not_allowed, f"{pending.approvals[0]} proposed it; a manager rejects it"
            )
        return self._drop(Actor(sender, party), pending, "withdraw", reason)

    def reject(self, sender: str, name: str, sequence: int, reason: str) -> Value:
        """A manager, without whom nothing is decided, ends a proposal."""
        pending = self._waiting(name, sequence)
        party = self._approvals.acting(sender, ROLES_GOVERN)
        return self._drop(Actor(sender, party), pending, "reject", reason)

    def _drop(self, actor: Actor, pending: Pending, step: str, reason: str) -> Value:
        demand_reason(reason)
        self._records.clear_pending(pending.name)
        self._records.note(self._records.find(pending.name), step, actor, reason, pending)
        return None

    def _propose(
        self,
        actor: Actor,
        record: ContractRecord,
        step: str,
        sequence: int,
        code_hash: bytes,
        reason: str,
    ) -> None:
        expires_ms = self._machine.block.time_ms + TERM_MS
        voices = (actor.party,)
        pending = Pending(record.name, step, sequence, code_hash, reason, expires_ms, voices)
        self._decide(actor, record, pending, f"propose_{step}", reason)

    def _decide(
        self, actor: Actor, record: ContractRecord, pending: Pending, step: str, reason: str
    ) -> None:
        """Keep the approval, and carry out what it completes."""
        noted = self._records.note(record, step, actor, reason, pending)
        rule = self._rule(record, pending.step)
        if self._approvals.missing(rule, record.owner, pending.approvals):
            self._records.put_pending(pending)
            return
        self._records.clear_pending(record.name)
        if pending.step == UPGRADE:
            self._carry_out(actor, noted, pending)
        else:
            self._stand(actor, noted, REVOKED, REVOKE, pending.reason)

    def _rule(self, record: ContractRecord, step: str) -> Rule:
        return rule_of(self._approvals.policy(), record, step)

    def _waiting(self, name: str, sequence: int) -> Pending:
        self._records.find(name)
        pending = self._records.pending(name)
        if pending is None:
            raise Stop(Code.not_allowed, f"nothing waits for approvals of {name}"[:200])
        if sequence != pending.sequence:
            raise Stop(Code.bad_sequence, f"sequence {pending.sequence} waits for approvals")
        return pending

    def _demand_nothing_waits(self, name: str) -> None:
        if self._records.pending(name) is not None:
            raise Stop(Code.exists, f"a step of {name} waits for approvals: end that one first")

    def _carry_out(self, actor: Actor, record: ContractRecord, pending: Pending) -> None:
        """Put the kept source of the next sequence in place and run its @migrate."""
        name = record.name
        if self._machine.is_running(name):  # a joint account decided it (joint.py)
            raise Stop(Code.reentrancy, f"{name} is still running"[:200])
        if retired := self._layout(record):
            self._records.put_layout(name, retired)
        self._machine.state.undecode(name)
        self.upgraded = name
        after = changed(
            record,
            status=ACTIVE,  # @migrate runs in it
            sequence=pending.sequence,
            code_hash=pending.code_hash,
            height=self._machine.block.height,
        )
        self._records.put(after)
        instance = self._machine.instance(name, is_view=False)
        if instance.migrate is not None:
            self._machine.run_entry(
                instance, instance.migrate, actor.account, [int(record.sequence)]
            )
        # A repair leaves the contract frozen until it is unfrozen.
        after = changed(after, status=record.status)
        self._records.note(after, UPGRADE, actor, pending.reason)
        self.upgraded = None

    def _layout(self, record: ContractRecord) -> dict[str, str]:
        """The declarations of the present version and of all earlier ones."""
        source = self._records.source(record.name, record.sequence)
        compiled = self._machine.compiled(source, record.code_hash)
        return {**self._records.layout(record.name), **layout_of(compiled.storage)}

    def _demand_layout(self, record: ContractRecord, source: str, code_hash: bytes) -> None:
        newer = layout_of(self._machine.compiled(source, code_hash).storage)
        present = self._records.source(record.name, record.sequence)
        self._machine.meter.charge(len(present) * prices.GAS_SOURCE_BYTE)
        if reason := conflict(self._layout(record), newer):
            raise Stop(Code.check_failed, reason[:200])

    # --- what the manager does alone --------------------------------------------------------

    def freeze(self, sender: str, name: str, reason: str) -> Value:
        """In an emergency: calls are refused from here on, views still answer."""
        actor = Actor(sender, self._approvals.acting(sender, ROLES_GOVERN))
        demand_reason(reason)
        record = self._records.find(name)
        if record.deployer == GENESIS and name in FOUNDATION:
            raise Stop(Code.not_allowed, f"the chain rests on {name}: upgrade it by approvals")
        if record.status != ACTIVE:
            raise Stop(Code.not_allowed, f"{name} is {record.status}")
        self._stand(actor, record, FROZEN, "freeze", reason)
        return None

    def unfreeze(self, sender: str, name: str) -> Value:
        actor = Actor(sender, self._approvals.acting(sender, ROLES_GOVERN))
        record = self._records.find(name)
        if record.status != FROZEN:
            raise Stop(Code.not_allowed, f"{name} is {record.status}")
        self._stand(actor, record, ACTIVE, "unfreeze", "")
        return None

    def _stand(
        self, actor: Actor, record: ContractRecord, status: str, step: str, reason: str
    ) -> None:
        after = changed(record, status=status, height=self._machine.block.height)
        self._records.note(after, step, actor, reason)
