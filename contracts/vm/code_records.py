"""What namespace "code" holds of each contract, and under which keys (8.1.5 a, d).

    NAME -> ContractRecord           NAME/SEQUENCE -> source text, kept for replay and audit
    NAME/pending -> Pending or nil   NAME/layout -> declarations of all earlier versions
    NAME/step/NUMBER -> Step         /names -> all names in order of deployment
    /policy -> Policy                /policy/pending -> PendingRule or nil (policy.py)

`Records` reads and writes them for the running transaction and pays for it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from contracts.vm import limits, prices
from contracts.vm.codes import Code, Stop
from contracts.vm.state import UNDECODED
from crypto import sm3
from ledger.encoding import decode, encode
from ledger.model import Record
from ledger.values import Value, decode_value, encode_value

if TYPE_CHECKING:
    from contracts.vm.apply import Machine

CONTRACT: Final = "contract"  # the name under which the machine itself is called
CODE: Final = "code"  # the namespace of records and sources
GENESIS: Final = "genesis"  # the deployer of the contracts that the chain began with
RESERVED: Final = frozenset({CONTRACT, CODE, GENESIS})
CONTRACTS_MAX: Final = 1_000  # bounds the list of names
STEPS_PAGE_MAX: Final = 50  # in one answer: about 30 KiB with the longest reasons
REASON_SIZE_MAX: Final = 500  # bytes
ACTIVE, FROZEN, REVOKED = "active", "frozen", "revoked"
UPGRADE, REVOKE = "upgrade", "revoke"  # what may wait for approvals
# Every step of a contract's life, and the event that tells of it.
EVENTS: Final = {
    "deploy": "Deployed",
    "propose_upgrade": "UpgradeProposed",
    "propose_revoke": "RevokeProposed",
    "approve": "Approved",
    "withdraw": "Withdrawn",
    "reject": "Rejected",
    UPGRADE: "Upgraded",
    "freeze": "Frozen",
    "unfreeze": "Unfrozen",
    REVOKE: "Revoked",
}
ROLES_GOVERN: Final = ("manager",)
NAMES_KEY: Final = b"/names"
NO_PENDING: Final = encode_value(None)
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_PLACE = re.compile(r"([^/]+)(?:/(layout|pending|step/[1-9][0-9]{0,9}|[1-9][0-9]{0,9}))?")


class ContractRecord(Record):
    """Where a contract stands."""

    name: str
    status: str  # active frozen revoked
    sequence: int  # 1 at deployment, one more at each upgrade
    code_hash: bytes  # SM3 of the source
    deployer: str  # address, or "genesis"
    height: int  # of the last change of status or version
    owner: str  # the deployer's party; "" for contracts of the genesis
    steps: int  # of its life so far: NAME/step/1 to NAME/step/STEPS


class Pending(Record):
    """An upgrade or a revocation that waits for approvals."""

    name: str
    step: str  # upgrade revoke
    sequence: int  # of the version to come, whose source is kept; the present one for revoke
    code_hash: bytes  # SM3 of that version's source: what each approval names
    reason: str
    expires_ms: int  # block time from which on it is void
    approvals: tuple[str, ...]  # parties, the proposer first


class Step(Record):
    """One step of a contract's life, never changed again."""

    step: str  # a key of EVENTS
    height: int
    time_ms: int  # block time
    account: str
    party: str  # for which the account spoke then; "" for the genesis
    sequence: int
    code_hash: bytes
    reason: str
    transaction_id: bytes  # empty for the genesis


class Actor(NamedTuple):
    """Who takes a step."""

    account: str
    party: str


def is_contract_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def source_key(name: str, sequence: int) -> bytes:
    return f"{name}/{sequence}".encode()


def layout_key(name: str) -> bytes:
    return f"{name}/layout".encode()


def pending_key(name: str) -> bytes:
    return f"{name}/pending".encode()


def step_key(name: str, number: int) -> bytes:
    return f"{name}/step/{number}".encode()


def place_of(key: bytes) -> tuple[str, str] | None:
    """(name of the contract, what of it: "" layout pending step source); None: no key of code."""
    match = _PLACE.fullmatch(key.decode("ascii", "replace"))
    if match is None or not is_contract_name(match[1]):
        return None
    what = match[2] or ""
    return match[1], "source" if what.isdecimal() else what.partition("/")[0]


def demand_reason(reason: str) -> None:
    """Raises Stop for none, and for one that is too long."""
    if not reason.strip():
        raise Stop(Code.bad_arguments, "say why: the reason is kept on the chain")
    if len(reason.encode()) > REASON_SIZE_MAX:
        raise Stop(Code.value_limit, "the reason is too long")


def changed(record: ContractRecord, **fields: str | int | bytes) -> ContractRecord:
    """`record` with other values in these fields."""
    present = {name: getattr(record, name) for name in record.__struct_fields__}
    return ContractRecord(**{**present, **fields})


class Records:
    """Namespace "code" as the running transaction sees it."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def decode(self, raw: bytes) -> ContractRecord:
        return decode(raw, ContractRecord, size_max=limits.STORED_VALUE_SIZE_MAX)

    def load(self, key: bytes) -> bytes | None:
        return self._machine.state.load(CODE, key)[0]

    def write(self, key: bytes, value: bytes) -> None:
        state, meter = self._machine.state, self._machine.meter
        meter.charge(prices.GAS_WRITE + (len(key) + len(value)) * prices.GAS_WRITE_BYTE)
        state.write(CODE, state.space(CODE), key, (value, UNDECODED))

    # --- records ----------------------------------------------------------------------------

    def find(self, name: str) -> ContractRecord:
        """Raises Stop for no such contract."""
        raw = self.load(name.encode()) if is_contract_name(name) else None
        if raw is None:
            raise Stop(Code.unknown_contract, f"no contract `{name}`"[:200])
        return self.decode(raw)

    def is_taken(self, name: str) -> bool:
        return self.load(name.encode()) is not None

    def put(self, record: ContractRecord) -> None:
        self.write(record.name.encode(), encode(record))

    def names(self) -> list[Value]:
        raw = self.load(NAMES_KEY)
        names = [] if raw is None else decode_value(raw)
        assert isinstance(names, list)
        return names

    def add_name(self, name: str) -> None:
        """Raises Stop when there are too many."""
        names = self.names()
        if len(names) >= CONTRACTS_MAX:
            raise Stop(Code.value_limit, "too many contracts")
        self.write(NAMES_KEY, encode_value([*names, name]))

    # --- sources ----------------------------------------------------------------------------

    def source(self, name: str, sequence: int) -> str:
        raw = self.load(source_key(name, sequence))
        assert raw is not None, "every version has its source, also old ones"
        return raw.decode("ascii")

    def keep_source(self, name: str, sequence: int, source: str) -> bytes:
        """Store a checked source; its hash."""
        text = source.encode()
        self.write(source_key(name, sequence), text)
        return sm3.digest(text)

    def layout(self, name: str) -> dict[str, str]:
        """The declarations of the versions before the present one."""
        raw = self.load(layout_key(name))
        earlier = {} if raw is None else decode_value(raw)
        assert isinstance(earlier, dict)
        return {str(declared): str(kind) for declared, kind in earlier.items()}

    def put_layout(self, name: str, layout: dict[str, str]) -> None:
        encoded = encode_value(dict(layout.items()))
        if len(encoded) > limits.STORED_VALUE_SIZE_MAX:  # beyond it the parent refuses a block
            raise Stop(Code.value_limit, f"{name} declared too many names in its life")
        self.write(layout_key(name), encoded)

    # --- what waits -------------------------------------------------------------------------

    def pending(self, name: str) -> Pending | None:
        """What waits for approvals; none once its week is over."""
        raw = self.load(pending_key(name))
        if raw is None or raw == NO_PENDING:
            return None
        pending = decode(raw, Pending, size_max=limits.STORED_VALUE_SIZE_MAX)
        return pending if self._machine.block.time_ms < pending.expires_ms else None

    def put_pending(self, pending: Pending) -> None:
        self.write(pending_key(pending.name), encode(pending))

    def clear_pending(self, name: str) -> None:
        if self.load(pending_key(name)) not in (None, NO_PENDING):
            self.write(pending_key(name), NO_PENDING)

    # --- history ----------------------------------------------------------------------------

    def note(
        self,
        record: ContractRecord,
        step: str,
        actor: Actor,
        reason: str = "",
        about: Pending | None = None,
    ) -> ContractRecord:
        """Store `record` one step further, with that step and its event.

        The step is about the version that waits in `about`, else about that of the record.
        """
        block = self._machine.block
        after = changed(record, steps=record.steps + 1)
        sequence, code_hash = record.sequence, record.code_hash
        if about is not None:
            sequence, code_hash = about.sequence, about.code_hash
        made = Step(
            step,
            block.height,
            block.time_ms,
            actor.account,
            actor.party,
            sequence,
            code_hash,
            reason,
            self._machine.transaction_id,
        )
        self.put(after)
        self.write(step_key(record.name, after.steps), encode(made))
        fields = [
            ("name", encode_value(record.name)),
            ("sequence", encode_value(sequence)),
            ("code_hash", encode_value(code_hash)),
            ("status", encode_value(record.status)),
            ("party", encode_value(actor.party)),
            ("reason", encode_value(reason)),
        ]
        self._machine.meter.charge(prices.GAS_EVENT)
        self._machine.add_event(CONTRACT, EVENTS[step], fields)
        return after

    def steps(self, record: ContractRecord, offset: int, limit: int) -> list[Step]:
        """Steps in order, `offset` of them skipped."""
        found: list[Step] = []
        for number in range(offset + 1, min(offset + limit, record.steps) + 1):
            raw = self.load(step_key(record.name, number))
            assert raw is not None, "every step is kept"
            self._machine.meter.charge(prices.GAS_READ + len(raw) * prices.GAS_READ_BYTE)
            found.append(decode(raw, Step, size_max=limits.STORED_VALUE_SIZE_MAX))
        return found
