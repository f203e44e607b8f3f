"""Executes transactions, blocks, views and genesis on a `State`. Deterministic; no I/O.

A transaction runs to its end or leaves nothing but a receipt: there is no catching, so a
failure anywhere, also in another contract it called, reverts the whole of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from contracts.vm import features, limits, prices
from contracts.vm.abi import describe
from contracts.vm.code_records import (
    ACTIVE,
    CODE,
    CONTRACT,
    GENESIS,
    ContractRecord,
    is_contract_name,
)
from contracts.vm.codes import NODE_FAULTS, Code, OutOfGas, Stop
from contracts.vm.compile import Compiled, compile_source
from contracts.vm.engine_schedule import KEY, encode_schedule, founded
from contracts.vm.guards import make_guards
from contracts.vm.instance import Entrypoint, Instance, bind
from contracts.vm.lifecycle import Lifecycle, demand_status
from contracts.vm.messages import BlockContext, Call, Install, Query, Viewed
from contracts.vm.meter import Meter
from contracts.vm.prefetch import Planner
from contracts.vm.state import UNDECODED, Fetch, Scan, State
from contracts.vm.values import Inner, walk
from ledger.model import Event, Receipt, StateWrite
from ledger.values import Value, encode_value

NOTHING = encode_value(None)
GENESIS_GAS = 1_000_000_000  # per contract: sources of 64 KiB and long initial lists fit


@dataclass(frozen=True, slots=True)
class _Bound:
    raw: bytes  # the record that it was bound from
    status: str
    instance: Instance


class Machine:
    """The executor: one transaction at a time, blocks in order.

    `language` is that of the chain (features.py). It may rise between blocks: what was deployed
    under an earlier one keeps its meaning. Raises LanguageUnknown.
    """

    def __init__(self, fetch: Fetch, scan: Scan, language: int = features.LATEST) -> None:
        self.language = features.demand_language(language)
        self.meter = Meter()
        self.state = State(fetch, scan)
        self.guards = make_guards(self.meter)
        self.is_read_only = False
        self.lifecycle = Lifecycle(self)
        self.block = BlockContext(b"", 0, 0)
        self.origin = ""
        self.transaction_id = b""
        self._planner = Planner(self.instance, self.state)
        self._running: list[str] = []
        self._called = ""  # the contract that the transaction, query or joint account names
        self._beneath = 0  # contracts that run beneath that call: one where a joint account acts
        self._events: list[Event] = []
        self._event_bytes = 0
        self._bound: dict[str, _Bound] = {}
        self._compiled: dict[tuple[int, bytes], Compiled] = {}  # by language and code hash
        self._height = -1  # of the state in the cache

    # --- blocks and views -------------------------------------------------------------------

    def apply_block(
        self, block: BlockContext, calls: Sequence[Call]
    ) -> tuple[list[Receipt], tuple[StateWrite, ...]]:
        """Receipts in order, and the writes of the successful transactions, merged."""
        if block.height != self._height + 1:
            self.state.forget()  # not the block after our last one: the store may have moved
        self.block = block
        self.state.prefetch(self._planner.keys(calls))
        receipts = [self.transaction(call) for call in calls]
        writes = self.state.take_writes()
        self._height = block.height
        return receipts, writes

    def view(self, block: BlockContext, query: Query) -> Viewed:
        """The encoded result of a @view at the state after block `block.height`."""
        if block.height != self._height:
            self.state.forget()
            self._height = block.height
        self.block = block
        self._begin(query.gas_limit, query.sender, b"")
        self.is_read_only = True

        def run() -> bytes:
            self._called = query.contract
            return self._enter(
                self.origin, query.contract, query.method, query.arguments, is_view=True
            )

        try:
            code, detail, value = self._guarded(run)
        finally:
            self.is_read_only = False
        gas_used = query.gas_limit - max(0, self.meter.left)
        return Viewed(int(code), detail, value, gas_used)

    def transaction(self, call: Call) -> Receipt:
        self._begin(call.gas_limit, call.sender, call.transaction_id)

        def run() -> bytes:
            self.meter.charge(
                prices.GAS_TRANSACTION_BASE + len(call.arguments) * prices.GAS_ARGUMENT_BYTE
            )
            self._called = call.contract
            return self._enter(
                self.origin, call.contract, call.method, call.arguments, is_view=False
            )

        code, detail, value = self._guarded(run)
        return self._receipt(call, code, detail, value)

    def deploy_at_genesis(self, item: Install) -> Receipt:
        """One contract of the genesis: its receipt; apply_genesis() takes the writes."""
        self._begin(GENESIS_GAS, GENESIS, b"")

        def run() -> bytes:
            self.lifecycle.install_at_genesis(item.name, item.source, item.arguments)
            return NOTHING

        code, detail, value = self._guarded(run)
        call = Call(b"", GENESIS, CONTRACT, "deploy", b"", GENESIS_GAS)
        return self._receipt(call, code, detail, value)

    def apply_genesis(
        self, block: BlockContext, contracts: Sequence[Install], vm_version: str = ""
    ) -> tuple[list[Receipt], tuple[StateWrite, ...]]:
        """Deploy all, in order; stops after the first failure (the last receipt then).

        `vm_version` goes on record as the chain's engine; "": the chain has one on record.
        """
        self.reset()
        self.block = block
        if vm_version:
            schedule = encode_schedule(founded(vm_version))
            self.state.write(CODE, self.state.space(CODE), KEY, (schedule, UNDECODED))
            self.state.accept()
        receipts: list[Receipt] = []
        for item in contracts:
            receipts.append(self.deploy_at_genesis(item))
            if receipts[-1].status != 0:
                break
        writes = self.state.take_writes()
        self._height = block.height
        return receipts, writes

    def reset(self) -> None:
        """Forget all state: the parent did not commit, or stands elsewhere now."""
        self.state.forget()
        self._height = -1  # of the state in the cache

    # --- one transaction --------------------------------------------------------------------

    def _begin(self, gas_limit: int, origin: str, transaction_id: bytes) -> None:
        self.meter.left = gas_limit
        self.origin = origin
        self.transaction_id = transaction_id
        self.is_read_only = False
        self._called = ""
        self._beneath = 0
        self._running.clear()
        self._events.clear()
        self._event_bytes = 0

    def _guarded(self, run: Callable[[], bytes]) -> tuple[Code, str, bytes]:
        """Run to a verdict and close the transaction. Memory and stack faults are no verdict."""
        try:
            value = run()
        except Stop as stop:
            outcome = (stop.code, stop.detail, NOTHING)
        except OutOfGas:
            self.meter.left = 0
            outcome = (Code.out_of_gas, "", NOTHING)
        except ZeroDivisionError:
            outcome = (Code.arithmetic, "division by zero", NOTHING)
        except KeyError:
            outcome = (Code.missing_key, "the dict holds no such key", NOTHING)
        except IndexError:
            outcome = (Code.bad_index, "the index is out of range", NOTHING)
        except NODE_FAULTS:
            self.state.revert()
            raise
        except Exception:
            # Excluded by the static types; alike on every node, so it may be a verdict.
            outcome = (Code.internal, "", NOTHING)
        else:
            self.state.accept()
            return Code.ok, "", value
        self.state.revert()
        self.lifecycle.reverted()
        return outcome

    def _receipt(self, call: Call, code: Code, detail: str, value: bytes) -> Receipt:
        gas_used = min(call.gas_limit, call.gas_limit - self.meter.left)
        if code is Code.ok:
            events = tuple(self._events)
            return Receipt(call.transaction_id, 0, gas_used, events, value, "", "")
        return Receipt(call.transaction_id, int(code), gas_used, (), value, code.name, detail)

    def _enter(
        self, sender: str, name: str, method: str, arguments: bytes, *, is_view: bool
    ) -> bytes:
        """A call by an account: arguments and result are encoded."""
        if name == CONTRACT:
            return self.lifecycle.handle(sender, method, arguments, is_view=is_view)
        instance = self.instance(name, is_view=is_view)
        entry = self._entrypoint(instance, method, is_view=is_view)
        values = entry.arguments.decode(arguments)
        result = self._run(instance, entry, sender, values)
        encoded = entry.encode_result(result)
        self.meter.charge(len(encoded) * prices.GAS_RESULT_BYTE)
        if len(encoded) > limits.RETURN_SIZE_MAX:
            raise Stop(Code.value_limit, "the result is too large")
        return encoded

    def call_other(
        self,
        caller: str,
        contract: str,
        method: str,
        arguments: tuple[Value, ...],
        *,
        is_view: bool,
    ) -> Value:
        """A call from the contract `caller`; values cross in their outside form, copied."""
        if contract in self._running:
            raise Stop(Code.reentrancy, f"{contract} is still running"[:200])
        if len(self._running) >= limits.CROSS_CALL_DEPTH_MAX:
            raise Stop(Code.depth_limit, "contracts call each other too deep")
        before = self.is_read_only
        if contract == CONTRACT and self.lifecycle.engine.answers(caller, method):
            if not is_view and before:
                raise Stop(Code.read_only, "a view makes no calls")
            return self.lifecycle.engine.invoke(caller, method, arguments, is_view=is_view)
        if contract == CONTRACT and self.lifecycle.joint.answers(caller, method):
            if is_view or before:
                raise Stop(Code.read_only, "a view makes no calls")
            return self.lifecycle.joint.perform(arguments)
        instance = self.instance(contract, is_view=is_view)
        entry = self._entrypoint(instance, method, is_view=is_view)
        values = entry.arguments.check(arguments)
        if not is_view and before:
            raise Stop(Code.read_only, "a view makes no calls")
        self.is_read_only = before or is_view
        result = self._run(instance, entry, f"contract:{caller}", values)
        self.is_read_only = before
        if isinstance(result, (list, tuple, dict)):
            walk(result, self.meter, limits.RETURN_SIZE_MAX)
        outside: Value = entry.to_outside(result)
        return outside

    def act_as(self, account: str, contract: str, method: str, arguments: bytes) -> bytes:
        """A call by an account that has no key (joint.py), out of a running contract."""
        if contract in self._running:
            raise Stop(Code.reentrancy, f"{contract} is still running"[:200])
        before = self._called, self._beneath
        self._called, self._beneath = contract, len(self._running)
        encoded = self._enter(account, contract, method, arguments, is_view=False)
        self._called, self._beneath = before  # a failure ends the transaction
        return encoded

    def is_running(self, name: str) -> bool:
        """Is the contract `name` in the middle of a call?"""
        return name in self._running

    def is_outermost(self, name: str) -> bool:
        """Does the contract `name` run, called by an account, and no other above that call?"""
        return self._called == name and self._running[self._beneath :] == [name]

    def run_entry(
        self, instance: Instance, entry: Entrypoint, sender: str, values: list[Inner]
    ) -> Inner:
        """Run @init or @migrate (lifecycle)."""
        return self._run(instance, entry, sender, values)

    def _run(
        self, instance: Instance, entry: Entrypoint, sender: str, values: list[Inner]
    ) -> Inner:
        name = instance.name
        self._running.append(name)
        instance.set_context(
            {
                "sender": sender,
                "origin": self.origin,
                "chain_id": self.block.chain_id,
                "height": self.block.height,
                "time_ms": self.block.time_ms,
                "contract": name,
                "method": entry.method.name,
                "tx_id": self.transaction_id,
            }
        )
        result: Inner = entry.function(*values)
        self._running.pop()
        return result

    def _entrypoint(self, instance: Instance, method: str, *, is_view: bool) -> Entrypoint:
        entry = instance.entrypoints.get(method)
        if entry is None or (entry.method.kind == "view") is not is_view:
            kind = "view" if is_view else "call"
            self._unknown_method(instance.name, kind, method)
        return entry

    def _unknown_method(self, name: str, kind: str, method: str) -> NoReturn:
        raise Stop(Code.unknown_method, f"{name} has no {kind} `{method}`"[:200])

    def add_event(self, contract: str, name: str, fields: list[tuple[str, bytes]]) -> None:
        self._event_bytes += sum(len(key) + len(value) for key, value in fields)
        if len(self._events) >= limits.EVENTS_MAX or self._event_bytes > limits.EVENT_BYTES_MAX:
            raise Stop(Code.value_limit, "too many or too large events")
        self._events.append(Event(contract, name, tuple(fields)))

    # --- code -------------------------------------------------------------------------------

    def instance(self, name: str, *, is_view: bool) -> Instance:
        """The contract `name`, ready to run. Raises Stop if it is unknown, frozen or revoked."""
        known = self._bound.get(name)
        if known is None and not is_contract_name(name):
            raise Stop(Code.unknown_contract, "no contract has such a name")
        raw, _ = self.state.load(CODE, name.encode())
        if raw is None:
            raise Stop(Code.unknown_contract, f"no contract `{name}`")
        if known is None or known.raw != raw:
            known = self._bound[name] = self._bind(name, raw)
            if len(self._bound) > limits.CODE_CACHE_MAX:
                del self._bound[next(iter(self._bound))]
        if known.status != ACTIVE:
            demand_status(name, known.status, is_view=is_view)
        return known.instance

    def _bind(self, name: str, raw: bytes) -> _Bound:
        record = self.lifecycle.decode_record(raw)
        compiled = self.compiled(self.lifecycle.source(record), record.code_hash)
        return _Bound(raw, record.status, bind(compiled, name, self))

    def compiled(self, source: str, code_hash: bytes) -> Compiled:
        place = (self.language, code_hash)
        compiled = self._compiled.get(place)
        if compiled is None:
            compiled = self._compiled[place] = self.compile(source)
            if len(self._compiled) > limits.CODE_CACHE_MAX:
                del self._compiled[next(iter(self._compiled))]
        return compiled

    def compile(self, source: str) -> Compiled:
        """`source` in the language of now, not kept. Raises SourceRefused."""
        return compile_source(source, self.language)

    def abi_of(self, record: ContractRecord) -> str:
        return describe(self.compiled(self.lifecycle.source(record), record.code_hash))
