"""What the native contract `contract` answers about the engine that runs the chain.

    change_engine(vm_version: str, from_height: int)     for the contract `proposal` alone
    cancel_engine(from_height: int)                      for the contract `proposal` alone
    views: engine() -> dict
           check_engine(vm_version: str, from_height: int) -> bool      a refusal says why not
           check_cancel(from_height: int) -> bool

Contracts reach nothing else of `contract`. The call must come from the `proposal` that the genesis
deployed (where it deployed none, nobody can take the name and decide), while it answers an account,
by a transaction or by the act of a joint account (joint.py), whose last deed that is: so nobody is
in the middle of anything when the schedule changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from contracts.vm import prices
from contracts.vm.code_records import CONTRACT, GENESIS, Records
from contracts.vm.codes import Code, Stop
from contracts.vm.engine_schedule import (
    KEY,
    ChangeRefused,
    EngineSchedule,
    cancelled,
    decode_schedule,
    encode_schedule,
    scheduled,
)
from contracts.vm.types import INT, STR, Type
from contracts.vm.values import Arguments, Inner
from ledger.values import Value, encode_value

if TYPE_CHECKING:
    from contracts.vm.apply import Machine

PROPOSAL: Final = "proposal"  # the contract whose votes decide
SENDER: Final = f"contract:{PROPOSAL}"
Answer = tuple[Arguments, Callable[..., Value]]


class EngineCalls:
    """`calls` take the sender first; `views` do not."""

    def __init__(self, machine: Machine, records: Records) -> None:
        self._machine = machine
        self._records = records

        def takes(**parameters: Type) -> Arguments:
            return Arguments(tuple(parameters.items()), machine.meter)

        self.calls: dict[str, Answer] = {
            "change_engine": (takes(vm_version=STR, from_height=INT), self._change),
            "cancel_engine": (takes(from_height=INT), self._cancel),
        }
        self.views: dict[str, Answer] = {
            "engine": (takes(), self._engine),
            "check_engine": (takes(vm_version=STR, from_height=INT), self._check_change),
            "check_cancel": (takes(from_height=INT), self._check_cancel),
        }

    def answers(self, caller: str, method: str) -> bool:
        """May the contract `caller` reach this method of `contract` at all?"""
        return caller == PROPOSAL and (method in self.calls or method in self.views)

    def invoke(
        self, caller: str, method: str, arguments: tuple[Value, ...], *, is_view: bool
    ) -> Value:
        """A call from a contract that `answers` lets in. Raises Stop."""
        table = self.views if is_view else self.calls
        if method not in table:
            kind = "view" if is_view else "call"
            raise Stop(Code.unknown_method, f"contract has no {kind} `{method}`"[:200])
        signature, function = table[method]
        values: list[Inner] = signature.check(arguments)
        return function(*values) if is_view else function(f"contract:{caller}", *values)

    # --- calls ------------------------------------------------------------------------------

    def _change(self, sender: str, vm_version: str, from_height: int) -> Value:
        self._demand_proposal(sender)
        after = self._scheduled(vm_version, from_height)
        self._records.write(KEY, encode_schedule(after))
        self._emit("EngineScheduled", vm_version, from_height)
        return None

    def _cancel(self, sender: str, from_height: int) -> Value:
        self._demand_proposal(sender)
        last = self._schedule().terms[-1]
        self._records.write(KEY, encode_schedule(self._cancelled(from_height)))
        self._emit("EngineCancelled", last.vm_version, from_height)
        return None

    def _demand_proposal(self, sender: str) -> None:
        if sender != SENDER:
            raise Stop(Code.not_allowed, "the engine changes by `shuxin proposal change-engine`")
        self._machine.meter.charge(prices.GAS_READ)
        if self._records.find(PROPOSAL).deployer != GENESIS:
            raise Stop(Code.not_allowed, f"this chain began without {PROPOSAL}: its engine stays")
        if not self._machine.is_outermost(PROPOSAL):
            raise Stop(Code.reentrancy, f"{PROPOSAL} must be called by an account")

    def _emit(self, name: str, vm_version: str, from_height: int) -> None:
        fields = [
            ("vm_version", encode_value(vm_version)),
            ("from_height", encode_value(from_height)),
        ]
        self._machine.meter.charge(prices.GAS_EVENT)
        self._machine.add_event(CONTRACT, name, fields)

    # --- views ------------------------------------------------------------------------------

    def _engine(self) -> Value:
        height = self._machine.block.height
        schedule = self._schedule()
        terms: list[Value] = [
            {"from_height": int(term.from_height), "vm_version": term.vm_version}
            for term in schedule.terms
        ]
        return {"height": height, "vm_version": schedule.at(height).vm_version, "terms": terms}

    def _check_change(self, vm_version: str, from_height: int) -> Value:
        self._scheduled(vm_version, from_height)
        return True

    def _check_cancel(self, from_height: int) -> Value:
        self._cancelled(from_height)
        return True

    # --- the schedule -----------------------------------------------------------------------

    def _schedule(self) -> EngineSchedule:
        raw = self._records.load(KEY)
        assert raw is not None, "every genesis writes it"
        self._machine.meter.charge(prices.GAS_READ + len(raw) * prices.GAS_READ_BYTE)
        return decode_schedule(raw)

    def _scheduled(self, vm_version: str, from_height: int) -> EngineSchedule:
        now = self._machine.block.height
        try:
            return scheduled(self._schedule(), vm_version, from_height, now=now)
        except ChangeRefused as refused:
            raise Stop(Code.refused, str(refused)) from None

    def _cancelled(self, from_height: int) -> EngineSchedule:
        try:
            return cancelled(self._schedule(), from_height, now=self._machine.block.height)
        except ChangeRefused as refused:
            raise Stop(Code.refused, str(refused)) from None
