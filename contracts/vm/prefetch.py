"""Which keys a block will read, guessed from the code before it runs.

While compiling, every storage access whose key parts are parameters, literals or ctx.sender was
noted (`Access`). Following calls inside and between contracts gives, per method, a plan of keys
that depends only on sender and arguments. A wrong guess costs a read, never a result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import msgspec

from contracts.vm import limits
from contracts.vm.body import Access, Source
from contracts.vm.code_records import CODE, is_contract_name
from contracts.vm.codes import Stop
from contracts.vm.instance import Instance
from contracts.vm.keys import key_prefix, part_writer
from contracts.vm.messages import Call
from contracts.vm.state import State, StateKey
from ledger.values import Value

PLAN_SIZE_MAX = 32  # keys per method; more would not pay
PLAN_STEPS_MAX = 200  # accesses followed while planning
KEYS_PER_BLOCK_MAX = 20_000
ARGUMENTS_SIZE_MAX = 2 << 10  # bytes; planning is not paid for, so large arguments go without

_decoder = msgspec.msgpack.Decoder()

# Like Source, but ("argument", i) counts the outermost method's arguments.
Part: TypeAlias = Source
Scalar: TypeAlias = str | bytes | bool | int


@dataclass(frozen=True, slots=True)
class PlannedKey:
    namespace: str
    prefix: bytes
    parts: tuple[Part, ...]


class InstanceOf(Protocol):
    def __call__(self, name: str, *, is_view: bool) -> Instance: ...


class Planner:
    def __init__(self, instance: InstanceOf, state: State) -> None:
        self._instance = instance
        self._state = state

    def keys(self, calls: Sequence[Call]) -> list[StateKey]:
        """Keys that these calls are likely to read, without duplicates."""
        names = dict.fromkeys(call.contract for call in calls if is_contract_name(call.contract))
        self._state.prefetch([(CODE, name.encode()) for name in names])
        found: dict[StateKey, None] = {}
        for call in calls:
            plan = self._plan(call.contract, call.method)
            if plan:
                _instantiate(plan, call, found)
            if len(found) > KEYS_PER_BLOCK_MAX:
                break
        return list(found)

    def _plan(self, contract: str, method: str) -> list[PlannedKey]:
        try:
            instance = self._instance(contract, is_view=True)
        except Stop:
            return []
        plan = instance.plans.get(method)
        if plan is None:
            plan = instance.plans[method] = self._follow(instance, method)
        return plan  # type: ignore[return-value]  # only this module writes plans

    def _follow(self, instance: Instance, method: str) -> list[PlannedKey]:
        entry = instance.entrypoints.get(method)
        if entry is None:
            return []
        arguments: tuple[Part, ...] = tuple(
            ("argument", i) for i in range(len(entry.method.parameters))
        )
        plan: dict[PlannedKey, None] = {}
        name = entry.method.function.removeprefix("__f_")
        pending: list[tuple[Instance, Access, tuple[Part, ...], bool]] = [
            (instance, access, arguments, True)
            for access in instance.compiled.accesses.get(name, ())
        ]
        steps = 0
        while pending and len(plan) < PLAN_SIZE_MAX and steps < PLAN_STEPS_MAX:
            steps += 1
            owner, access, bound, is_outer = pending.pop()
            parts = tuple(_substitute(part, bound, is_outer) for part in access.parts)
            if access.target == "storage":
                storage = owner.compiled.storage[access.name]
                if len(parts) == len(storage.keys) and None not in parts:
                    plan[PlannedKey(owner.name, key_prefix(storage), parts)] = None
            elif access.target == "function":
                inner = owner.compiled.accesses.get(access.name, ())
                pending += [(owner, item, parts, is_outer) for item in inner]
            else:
                pending += self._across(access, parts)
        return list(plan)

    def _across(
        self, access: Access, parts: tuple[Part, ...]
    ) -> list[tuple[Instance, Access, tuple[Part, ...], bool]]:
        try:
            other = self._instance(access.name, is_view=True)
        except Stop:
            return []
        entry = other.entrypoints.get(access.method)
        if entry is None:
            return []
        name = entry.method.function.removeprefix("__f_")
        return [(other, item, parts, False) for item in other.compiled.accesses.get(name, ())]


def _substitute(part: Part, bound: tuple[Part, ...], is_outer: bool) -> Part:
    if part is None:
        return None
    kind, value = part
    if kind == "parameter":
        assert isinstance(value, int)
        return bound[value] if value < len(bound) else None
    if kind == "sender" and not is_outer:
        return None  # inside another contract the sender is the calling contract
    return part


def _instantiate(plan: list[PlannedKey], call: Call, found: dict[StateKey, None]) -> None:
    """Add the keys of `plan` for this call; arguments that do not decode add nothing."""
    if len(call.arguments) > ARGUMENTS_SIZE_MAX:
        return
    try:
        arguments = _decoder.decode(call.arguments)  # a guess needs no canonical form
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return
    if not isinstance(arguments, list):
        return
    for key in plan:
        encoded = key.prefix
        write = part_writer(key.prefix)
        for part in key.parts:
            value = _value(part, call.sender, arguments)
            if value is None:
                break
            encoded += write(value)
        else:
            if len(encoded) <= limits.STORED_KEY_SIZE_MAX:
                found[key.namespace, encoded] = None


def _value(part: Part, sender: str, arguments: Sequence[Value]) -> Scalar | None:
    assert part is not None, "a plan has no key of unknown parts"
    kind, value = part
    if kind == "sender":
        return sender
    if kind == "literal":
        return value
    assert isinstance(value, int)
    argument = arguments[value] if value < len(arguments) else None
    return argument if isinstance(argument, (str, bytes, bool, int)) else None
