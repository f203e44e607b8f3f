"""The life of contracts (8.1.5d): deploy, upgrade, freeze, unfreeze, revoke.

The system contract `contract` has no source: the machine itself answers for it. Its methods:

    deploy(name: str, source: str, args: bytes)          args: encoded list for @init
    upgrade(name: str, sequence: int, source: str)       sequence: the present one plus one
    approve(name: str, sequence: int, code_hash: bytes)  for contracts of the genesis
    freeze(name: str, reason: str)  unfreeze(name: str)  revoke(name: str, reason: str)
    views: show(name: str) -> dict   pending(name: str) -> dict | None
           list() -> list[str]   abi(name: str) -> str   source(name: str, sequence: int) -> str

State, namespace "code": NAME -> ContractRecord; NAME/SEQUENCE -> source text, kept for replay;
NAME/pending -> Pending or None; NAME/layout -> declarations of all earlier versions;
/names -> all names in order of deployment. What it answers about the engine: engine_calls.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from contracts.vm import limits, prices
from contracts.vm.approvals import (
    FOUNDATION,
    GENESIS,
    TERM_MS,
    Pending,
    is_satisfied,
    voter,
    with_approval,
)
from contracts.vm.codes import Code, Stop
from contracts.vm.engine_calls import EngineCalls
from contracts.vm.layout import conflict, layout_of
from contracts.vm.rules import SourceRefused
from contracts.vm.state import UNDECODED
from contracts.vm.types import BYTES, INT, STR, Type
from contracts.vm.values import Arguments, Inner
from crypto import sm3
from ledger.encoding import decode, encode
from ledger.model import Record
from ledger.values import Value, decode_value, encode_value

if TYPE_CHECKING:
    from contracts.vm.apply import Machine

CONTRACT: Final = "contract"  # the name under which the machine itself is called
CODE: Final = "code"  # the namespace of records and sources
RESERVED: Final = frozenset({CONTRACT, CODE, "genesis"})
CONTRACTS_MAX = 1_000  # bounds the list of names
REASON_SIZE_MAX = 500  # bytes
ROLES_DEPLOY: Final = ("manager", "operator", "tech_provider")
ROLES_GOVERN: Final = ("manager",)
ACTIVE, FROZEN, REVOKED = "active", "frozen", "revoked"
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_NAMES_KEY = b"/names"
_NO_PENDING = encode_value(None)


class ContractRecord(Record):
    name: str
    status: str  # active frozen revoked
    sequence: int  # 1 at deployment, one more at each upgrade
    code_hash: bytes  # SM3 of the source
    deployer: str  # address, or "genesis"
    height: int  # of the last change


def is_contract_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


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
        self._upgraded: str | None = None
        self.engine = EngineCalls(machine)

        def takes(**parameters: Type) -> Arguments:
            return Arguments(tuple(parameters.items()), machine.meter)

        self._calls: dict[str, tuple[Arguments, Callable[..., Value]]] = {
            "deploy": (takes(name=STR, source=STR, args=BYTES), self._deploy),
            "upgrade": (takes(name=STR, sequence=INT, source=STR), self._upgrade),
            "approve": (takes(name=STR, sequence=INT, code_hash=BYTES), self._approve),
            "freeze": (takes(name=STR, reason=STR), self._freeze),
            "unfreeze": (takes(name=STR), self._unfreeze),
            "revoke": (takes(name=STR, reason=STR), self._revoke),
            **self.engine.calls,
        }
        self._views: dict[str, tuple[Arguments, Callable[..., Value]]] = {
            "show": (takes(name=STR), self._show),
            "pending": (takes(name=STR), self._show_pending),
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

    def reverted(self) -> None:
        """The transaction failed: what an upgrade decoded with new types must go."""
        if self._upgraded is not None:
            self._machine.state.undecode(self._upgraded)
            self._upgraded = None

    # --- records ----------------------------------------------------------------------------

    def decode_record(self, raw: bytes) -> ContractRecord:
        return decode(raw, ContractRecord, size_max=limits.STORED_VALUE_SIZE_MAX)

    def source(self, record: ContractRecord) -> str:
        raw, _ = self._machine.state.load(CODE, _source_key(record.name, record.sequence))
        assert raw is not None, "every record has its source"
        return raw.decode("ascii")

    def _record(self, name: str) -> ContractRecord:
        raw = None
        if is_contract_name(name):
            raw, _ = self._machine.state.load(CODE, name.encode())
        if raw is None:
            raise Stop(Code.unknown_contract, f"no contract `{name}`"[:200])
        return self.decode_record(raw)

    def _write(self, key: bytes, value: bytes) -> None:
        state, meter = self._machine.state, self._machine.meter
        meter.charge(prices.GAS_WRITE + (len(key) + len(value)) * prices.GAS_WRITE_BYTE)
        state.write(CODE, state.space(CODE), key, (value, UNDECODED))

    def _put(self, record: ContractRecord) -> None:
        self._write(record.name.encode(), encode(record))

    # --- calls ------------------------------------------------------------------------------

    def install(self, name: str, source: str, arguments: bytes, *, deployer: str) -> ContractRecord:
        """Check, compile, store and initialize a new contract."""
        if not is_contract_name(name) or name in RESERVED:
            raise Stop(Code.bad_arguments, "a name is 1 to 64 of a-z 0-9 _ -, from a letter on")
        if self._machine.state.load(CODE, name.encode())[0] is not None:
            raise Stop(Code.exists, f"{name} is deployed already")
        names = self._names()
        if len(names) >= CONTRACTS_MAX:
            raise Stop(Code.value_limit, "too many contracts")
        record = self._stand(name, 1, self._keep(name, 1, source), deployer)
        self._write(_NAMES_KEY, encode_value([*names, name]))
        instance = self._machine.instance(name, is_view=False)
        if instance.init is not None:
            values = instance.init.arguments.decode(arguments)
            self._machine.run_entry(instance, instance.init, deployer, values)
        elif decode_value(arguments) != []:
            raise Stop(Code.bad_arguments, f"{name} has no @init and takes no arguments")
        self._emit("Deployed", record)
        return record

    def _keep(self, name: str, sequence: int, source: str) -> bytes:
        """Check a source and store it; its hash."""
        self._machine.meter.charge(len(source) * prices.GAS_SOURCE_BYTE)
        text = source.encode()
        code_hash = sm3.digest(text)
        try:
            self._machine.compiled(source, code_hash)
        except SourceRefused as error:
            raise Stop(Code.check_failed, str(error)[:200]) from None
        self._write(_source_key(name, sequence), text)
        return code_hash

    def _stand(self, name: str, sequence: int, code_hash: bytes, deployer: str) -> ContractRecord:
        """The version that counts from here on."""
        height = self._machine.block.height
        record = ContractRecord(name, ACTIVE, sequence, code_hash, deployer, height)
        self._put(record)
        return record

    def _deploy(self, sender: str, name: str, source: str, args: bytes) -> Value:
        self._demand_role(sender, ROLES_DEPLOY)
        self.install(name, source, args, deployer=sender)
        return None

    def _upgrade(self, sender: str, name: str, sequence: int, source: str) -> Value:
        record = self._record(name)
        party = ""
        if record.deployer == GENESIS:
            party = voter(self._machine, CONTRACT, sender)
        else:
            self._demand_role(sender, ROLES_DEPLOY if sender == record.deployer else ROLES_GOVERN)
        if record.status == REVOKED:
            raise Stop(Code.contract_revoked, f"{name} is revoked")
        if sequence != record.sequence + 1:
            raise Stop(Code.bad_sequence, f"the next sequence is {record.sequence + 1}")
        if not party:
            code_hash = self._keep(name, sequence, source)
            self._demand_layout(record, source, code_hash)
            self._carry_out(sender, record, code_hash)
            return None
        if self._pending(name) is not None:
            raise Stop(Code.exists, f"a version of {name} waits for approvals already")
        code_hash = self._keep(name, sequence, source)
        self._demand_layout(record, source, code_hash)
        expires_ms = self._machine.block.time_ms + TERM_MS
        pending = Pending(name, sequence, code_hash, expires_ms, (party,))
        self._take_approval(sender, record, pending, "UpgradeProposed")
        return None

    def _approve(self, sender: str, name: str, sequence: int, code_hash: bytes) -> Value:
        record = self._record(name)
        party = voter(self._machine, CONTRACT, sender)
        pending = self._pending(name)
        if pending is None:
            raise Stop(Code.not_allowed, f"no version of {name} waits for approvals"[:200])
        if sequence != pending.sequence:
            raise Stop(Code.bad_sequence, f"sequence {pending.sequence} waits for approvals")
        if code_hash != pending.code_hash:
            raise Stop(Code.not_allowed, "another source waits: read it and approve its hash")
        self._take_approval(sender, record, with_approval(pending, party), "UpgradeApproved")
        return None

    def _take_approval(
        self, sender: str, record: ContractRecord, pending: Pending, event: str
    ) -> None:
        """Keep the approval, and carry the upgrade out if that completes it."""
        shown = ContractRecord(
            record.name,
            record.status,
            pending.sequence,
            pending.code_hash,
            record.deployer,
            record.height,
        )
        self._emit(event, shown)
        if not is_satisfied(self._machine, CONTRACT, pending.approvals):
            self._write(_pending_key(record.name), encode(pending))
            return
        self._write(_pending_key(record.name), _NO_PENDING)
        self._carry_out(sender, record, pending.code_hash)

    def _carry_out(self, sender: str, record: ContractRecord, code_hash: bytes) -> None:
        """Put the kept source of the next sequence in place and run its @migrate."""
        name = record.name
        if retired := self._layout(record):
            encoded = encode_value(dict(retired.items()))
            if len(encoded) > limits.STORED_VALUE_SIZE_MAX:  # beyond it the parent refuses a block
                raise Stop(Code.value_limit, f"{name} declared too many names in its life")
            self._write(_layout_key(name), encoded)
        self._machine.state.undecode(name)
        self._upgraded = name
        after = self._stand(name, record.sequence + 1, code_hash, record.deployer)
        instance = self._machine.instance(name, is_view=False)
        if instance.migrate is not None:
            self._machine.run_entry(instance, instance.migrate, sender, [record.sequence])
        if record.status == FROZEN:  # a repair leaves the contract frozen until it is unfrozen
            self._put(_changed(after, FROZEN, self._machine.block.height))
        self._emit("Upgraded", after)
        self._upgraded = None

    def _layout(self, record: ContractRecord) -> dict[str, str]:
        """The declarations of the present version and of all earlier ones."""
        raw, _ = self._machine.state.load(CODE, _layout_key(record.name))
        earlier = {} if raw is None else decode_value(raw)
        assert isinstance(earlier, dict)
        compiled = self._machine.compiled(self.source(record), record.code_hash)
        present = {str(name): str(kind) for name, kind in earlier.items()}
        return {**present, **layout_of(compiled.storage)}

    def _demand_layout(self, record: ContractRecord, source: str, code_hash: bytes) -> None:
        newer = layout_of(self._machine.compiled(source, code_hash).storage)
        self._machine.meter.charge(len(self.source(record)) * prices.GAS_SOURCE_BYTE)
        if reason := conflict(self._layout(record), newer):
            raise Stop(Code.check_failed, reason[:200])

    def _pending(self, name: str) -> Pending | None:
        """The version that waits; none once its week is over."""
        raw, _ = self._machine.state.load(CODE, _pending_key(name))
        if raw is None or raw == _NO_PENDING:
            return None
        pending = decode(raw, Pending, size_max=limits.STORED_VALUE_SIZE_MAX)
        return pending if self._machine.block.time_ms < pending.expires_ms else None

    def _show_pending(self, name: str) -> Value:
        self._machine.meter.charge(prices.GAS_READ)
        self._record(name)
        pending = self._pending(name)
        if pending is None:
            return None
        return {
            "sequence": pending.sequence,
            "code_hash": pending.code_hash,
            "expires_ms": pending.expires_ms,
            "approvals": list(pending.approvals),
        }

    def _freeze(self, sender: str, name: str, reason: str) -> Value:
        return self._switch(sender, name, {ACTIVE}, FROZEN, reason)

    def _unfreeze(self, sender: str, name: str) -> Value:
        return self._switch(sender, name, {FROZEN}, ACTIVE, "")

    def _revoke(self, sender: str, name: str, reason: str) -> Value:
        return self._switch(sender, name, {ACTIVE, FROZEN}, REVOKED, reason)

    def _switch(self, sender: str, name: str, before: set[str], after: str, reason: str) -> Value:
        self._demand_role(sender, ROLES_GOVERN)
        if len(reason.encode()) > REASON_SIZE_MAX:
            raise Stop(Code.value_limit, "the reason is too long")
        record = self._record(name)
        if after == FROZEN and record.deployer == GENESIS and name in FOUNDATION:
            raise Stop(Code.not_allowed, f"the chain rests on {name}: upgrade it by approvals")
        if after == REVOKED and record.deployer == GENESIS:
            raise Stop(Code.not_allowed, f"{name} is of the genesis: upgrade it by approvals")
        if record.status not in before:
            raise Stop(Code.not_allowed, f"{name} is {record.status}")
        changed = _changed(record, after, self._machine.block.height)
        self._put(changed)
        self._emit(after.capitalize(), changed, reason)
        return None

    def _demand_role(self, sender: str, roles: tuple[str, ...]) -> None:
        """The sender's party, asked of the contract `parties`, has one of `roles`."""
        for role in roles:
            answer = self._machine.call_other(
                CONTRACT, "parties", "has_role", (sender, role), is_view=True
            )
            if answer is True:
                return
        raise Stop(Code.not_allowed, f"this needs one of the roles: {', '.join(roles)}")

    def _emit(self, event: str, record: ContractRecord, reason: str = "") -> None:
        fields = [
            ("name", encode_value(record.name)),
            ("sequence", encode_value(record.sequence)),
            ("code_hash", encode_value(record.code_hash)),
            ("status", encode_value(record.status)),
            ("reason", encode_value(reason)),
        ]
        self._machine.meter.charge(prices.GAS_EVENT)
        self._machine.add_event(CONTRACT, event, fields)

    # --- views ------------------------------------------------------------------------------

    def _names(self) -> list[Value]:
        raw, _ = self._machine.state.load(CODE, _NAMES_KEY)
        names = [] if raw is None else decode_value(raw)
        assert isinstance(names, list)
        return names

    def _list(self) -> Value:
        names = self._names()
        self._machine.meter.charge(prices.GAS_READ + len(names) * prices.GAS_WALK)
        return names

    def _show(self, name: str) -> Value:
        self._machine.meter.charge(prices.GAS_READ)
        record = self._record(name)
        return {field: getattr(record, field) for field in record.__struct_fields__}

    def _abi(self, name: str) -> Value:
        record = self._record(name)
        self._machine.meter.charge(len(self.source(record)) * prices.GAS_SOURCE_BYTE)
        return self._machine.abi_of(record)

    def _source(self, name: str, sequence: int) -> Value:
        record = self._record(name)
        pending = self._pending(name)  # who approves it has to read it
        is_waiting = pending is not None and sequence == pending.sequence
        if not (1 <= sequence <= record.sequence or is_waiting):
            raise Stop(Code.bad_value, f"sequences of {name} are 1 to {record.sequence}")
        raw, _ = self._machine.state.load(CODE, _source_key(name, sequence))
        assert raw is not None, "old code is kept"
        self._machine.meter.charge(prices.GAS_READ + len(raw) * prices.GAS_READ_BYTE)
        return raw.decode("ascii")


def _source_key(name: str, sequence: int) -> bytes:
    return f"{name}/{sequence}".encode()


def _layout_key(name: str) -> bytes:
    return f"{name}/layout".encode()


def _pending_key(name: str) -> bytes:
    return f"{name}/pending".encode()


def _changed(record: ContractRecord, status: str, height: int) -> ContractRecord:
    return ContractRecord(
        record.name, status, record.sequence, record.code_hash, record.deployer, height
    )
