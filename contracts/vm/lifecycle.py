"""The life of contracts (8.1.5d): what the native contract `contract` answers.

It has no source: the machine itself answers for it. Its methods:

    deploy(name: str, source: str, args: bytes)          args: encoded list for @init
    upgrade(name: str, sequence: int, source: str, reason: str)   the present sequence plus one
    revoke(name: str, reason: str)
    approve(name: str, sequence: int, code_hash: bytes)  of what waits (approvals.py)
    withdraw(name: str, sequence: int, reason: str)  reject(name: str, sequence: int, reason: str)
    freeze(name: str, reason: str)  unfreeze(name: str)
    set_policy(step: str, groups: list[list[str]], parties_min: int, organizations: bool,
               witnesses: list[str], reason: str)            (policy.py, policy_calls.py)
    approve_policy(rule_hash: bytes)  reject_policy(reason: str)
    views: show(name: str) -> dict   pending(name: str) -> dict | None   policy() -> list[dict]
           pending_policy() -> dict | None
           history(name: str, offset: int, limit: int) -> list[dict]
           list() -> list[str]   abi(name: str) -> str   source(name: str, sequence: int) -> str

Records: code_records.py. Steps: code_steps.py. About the engine: engine_calls.py. For accounts of
several keys: joint.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from contracts.vm import prices
from contracts.vm.approvals import Approvals
from contracts.vm.code_records import (
    FROZEN,
    GENESIS,
    REVOKED,
    STEPS_PAGE_MAX,
    Actor,
    ContractRecord,
    Records,
)
from contracts.vm.code_steps import Steps
from contracts.vm.codes import Code, Stop
from contracts.vm.engine_calls import EngineCalls
from contracts.vm.joint import JointCalls
from contracts.vm.policy import rule_of
from contracts.vm.policy_calls import PolicyCalls
from contracts.vm.types import BOOL, BYTES, INT, STR, ListOf, Type
from contracts.vm.values import Arguments, Inner
from ledger.values import Value, encode_value

if TYPE_CHECKING:
    from contracts.vm.apply import Machine


def demand_status(name: str, status: str, *, is_view: bool) -> None:
    """A frozen contract still answers views; a revoked one answers nothing. Raises Stop."""
    if status == FROZEN and not is_view:
        raise Stop(Code.contract_frozen, f"{name} is frozen")
    if status == REVOKED:
        raise Stop(Code.contract_revoked, f"{name} is revoked")


class Lifecycle:
    """The methods of the contract `contract`."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._records = Records(machine)
        self._approvals = Approvals(machine, self._records)
        self._steps = steps = Steps(machine, self._records, self._approvals)
        policy = PolicyCalls(machine, self._records, self._approvals)
        self.engine = EngineCalls(machine, self._records)
        self.joint = JointCalls(machine, self._records)

        def takes(**parameters: Type) -> Arguments:
            return Arguments(tuple(parameters.items()), machine.meter)

        dropped = takes(name=STR, sequence=INT, reason=STR)
        self._calls: dict[str, tuple[Arguments, Callable[..., Value]]] = {
            "deploy": (takes(name=STR, source=STR, args=BYTES), steps.deploy),
            "upgrade": (takes(name=STR, sequence=INT, source=STR, reason=STR), steps.upgrade),
            "approve": (takes(name=STR, sequence=INT, code_hash=BYTES), steps.approve),
            "withdraw": (dropped, steps.withdraw),
            "reject": (dropped, steps.reject),
            "freeze": (takes(name=STR, reason=STR), steps.freeze),
            "unfreeze": (takes(name=STR), steps.unfreeze),
            "revoke": (takes(name=STR, reason=STR), steps.revoke),
            "set_policy": (
                takes(
                    step=STR,
                    groups=ListOf(ListOf(STR)),
                    parties_min=INT,
                    organizations=BOOL,
                    witnesses=ListOf(STR),
                    reason=STR,
                ),
                policy.propose,
            ),
            "approve_policy": (takes(rule_hash=BYTES), policy.approve),
            "reject_policy": (takes(reason=STR), policy.reject),
            **self.engine.calls,
        }
        self._views: dict[str, tuple[Arguments, Callable[..., Value]]] = {
            "show": (takes(name=STR), self._show),
            "pending": (takes(name=STR), self._show_pending),
            "policy": (takes(), policy.show),
            "pending_policy": (takes(), policy.show_pending),
            "history": (takes(name=STR, offset=INT, limit=INT), self._history),
            "list": (takes(), self._list),
            "abi": (takes(name=STR), self._abi),
            "source": (takes(name=STR, sequence=INT), self._source),
            **self.engine.views,
        }

    def handle(self, sender: str, method: str, arguments: bytes, *, is_view: bool) -> bytes:
        """Run a method. Raises Stop."""
        table = self._views if is_view else self._calls
        if method not in table:
            raise Stop(Code.unknown_method, f"contract has no `{method}`"[:200])
        signature, function = table[method]
        values: list[Inner] = signature.decode(arguments)
        return encode_value(function(*values) if is_view else function(sender, *values))

    def install_at_genesis(self, name: str, source: str, arguments: bytes) -> None:
        """Deploy what the chain begins with. Raises Stop."""
        self._steps.install(name, source, arguments, Actor(GENESIS, ""))

    def reverted(self) -> None:
        """The transaction failed: what an upgrade decoded with new types must go."""
        if self._steps.upgraded is not None:
            self._machine.state.undecode(self._steps.upgraded)
            self._steps.upgraded = None

    def decode_record(self, raw: bytes) -> ContractRecord:
        return self._records.decode(raw)

    def source(self, record: ContractRecord) -> str:
        return self._records.source(record.name, record.sequence)

    # --- views ------------------------------------------------------------------------------

    def _list(self) -> Value:
        names = self._records.names()
        self._machine.meter.charge(prices.GAS_READ + len(names) * prices.GAS_WALK)
        return names

    def _show(self, name: str) -> Value:
        self._machine.meter.charge(prices.GAS_READ)
        record = self._records.find(name)
        return {field: getattr(record, field) for field in record.__struct_fields__}

    def _show_pending(self, name: str) -> Value:
        self._machine.meter.charge(prices.GAS_READ)
        record = self._records.find(name)
        pending = self._records.pending(name)
        if pending is None:
            return None
        rule = rule_of(self._approvals.policy(), record, pending.step)
        missing: list[Value] = [*self._approvals.missing(rule, record.owner, pending.approvals)]
        return {
            "step": pending.step,
            "sequence": pending.sequence,
            "code_hash": pending.code_hash,
            "reason": pending.reason,
            "expires_ms": pending.expires_ms,
            "approvals": list(pending.approvals),
            "rule": rule.step,
            "missing": missing,
        }

    def _history(self, name: str, offset: int, limit: int) -> Value:
        record = self._records.find(name)
        if offset < 0 or not 1 <= limit <= STEPS_PAGE_MAX:
            raise Stop(Code.bad_value, f"ask for 1 to {STEPS_PAGE_MAX} steps from 0 up")
        return [
            {field: getattr(step, field) for field in step.__struct_fields__}
            for step in self._records.steps(record, offset, limit)
        ]

    def _abi(self, name: str) -> Value:
        record = self._records.find(name)
        self._machine.meter.charge(len(self.source(record)) * prices.GAS_SOURCE_BYTE)
        return self._machine.abi_of(record)

    def _source(self, name: str, sequence: int) -> Value:
        record = self._records.find(name)
        pending = self._records.pending(name)  # who approves it has to read it
        is_waiting = pending is not None and sequence == pending.sequence
        if not (1 <= sequence <= record.sequence or is_waiting):
            raise Stop(Code.bad_value, f"sequences of {name} are 1 to {record.sequence}")
        text = self._records.source(name, sequence)
        self._machine.meter.charge(prices.GAS_READ + len(text) * prices.GAS_READ_BYTE)
        return text
