"""The parent's second look at what the worker says: it may have been taken over.

Checks form, order, sizes, types and that writes go to namespaces of deployed contracts. It
cannot know whether the values are right: 2f+1 nodes agreeing on the state root decide that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from contracts.vm import limits
from contracts.vm.code_records import (
    CODE,
    CONTRACT,
    CONTRACTS_MAX,
    NAMES_KEY,
    NO_PENDING,
    RESERVED,
    ContractRecord,
    Pending,
    Step,
    is_contract_name,
    place_of,
)
from contracts.vm.codes import Code
from contracts.vm.engine_calls import PROPOSAL
from contracts.vm.engine_schedule import (
    KEY,
    ScheduleDamaged,
    decode_schedule,
    encode_schedule,
    founded,
)
from contracts.vm.keys import declaration_of
from contracts.vm.messages import Call, Viewed
from contracts.vm.policy import POLICY_KEY, POLICY_PENDING_KEY, PendingRule, Policy
from ledger.encoding import decode
from ledger.errors import DecodeError
from ledger.model import Event, Receipt, Record, StateWrite
from ledger.values import decode_value

R = TypeVar("R", bound=Record)

_DETAIL_MAX = 200  # characters
_NAMES_SIZE_MAX = CONTRACTS_MAX * 70
_NOTHING = b"\xc0"
_ERRORS = {int(code): "" if code is Code.ok else code.name for code in Code}
_scalar_decoder = msgspec.msgpack.Decoder(None | bool | int | str)
_any_decoder = msgspec.msgpack.Decoder()
_SCALARS = frozenset((type(None), bool, int, str, bytes))
_bytes_decoder = msgspec.msgpack.Decoder(bytes)
_BYTES_TAGS = (0xC4, 0xC5, 0xC6)
_encoder = msgspec.msgpack.Encoder()


class ReplyInvalid(Exception):
    """The worker's result breaks a rule: a fault of the worker, never of a transaction."""


def validate_receipts(receipts: Sequence[Receipt], calls: Sequence[Call]) -> None:
    """One receipt per call, in order, each within its bounds. Raises ReplyInvalid."""
    _demand(len(receipts) == len(calls), "one receipt per transaction")
    for receipt, call in zip(receipts, calls, strict=True):
        _demand(receipt.transaction_id == call.transaction_id, "receipts in order")
        _demand(0 <= receipt.gas_used <= call.gas_limit, "gas within the limit")
        _demand(_ERRORS.get(receipt.status) == receipt.error, "a known status and its name")
        _demand(len(receipt.detail) <= _DETAIL_MAX, "a short detail")
        if receipt.status != 0:
            _demand(not receipt.events and receipt.return_value == _NOTHING, "failure is empty")
            continue
        _demand(receipt.detail == "", "no detail on success")
        _validate_value(receipt.return_value, limits.RETURN_SIZE_MAX)
        _demand(len(receipt.events) <= limits.EVENTS_MAX, "bounded events")
        for event in receipt.events:
            _validate_event(event)


def validate_view(viewed: Viewed, gas_limit: int) -> None:
    """A view's outcome is held to the rules of a receipt. Raises ReplyInvalid."""
    error = _ERRORS.get(viewed.status, "?")
    receipt = Receipt(b"", viewed.status, viewed.gas_used, (), viewed.value, error, viewed.detail)
    validate_receipts([receipt], [Call(b"", "", "", "", b"", gas_limit)])


def _validate_event(event: Event) -> None:
    _demand(event.contract == CONTRACT or is_contract_name(event.contract), "a contract's event")
    _demand(event.name.isidentifier() and len(event.name) <= limits.NAME_LENGTH_MAX, "a name")
    _demand(len(event.fields) <= limits.EVENT_FIELDS_MAX, "bounded fields")
    for name, value in event.fields:
        _demand(name.isidentifier() and len(name) <= limits.NAME_LENGTH_MAX, "a field's name")
        _validate_value(value, limits.EVENT_BYTES_MAX)


def validate_writes(
    writes: Sequence[StateWrite],
    calls: Sequence[Call],
    is_deployed: Callable[[str], bool],
    *,
    founding: str = "",
) -> None:
    """Sorted, bounded, canonical, and only into namespaces of contracts. Raises ReplyInvalid.

    `founding`: these are the writes of a genesis, whose engine this is.
    """
    known: set[str] = set()
    may_deploy = any(call.contract == CONTRACT for call in calls)
    may_schedule = any(call.contract == PROPOSAL for call in calls)
    created = {write.key for write in writes if write.namespace == CODE}
    before: tuple[str, bytes] | None = None
    for write in writes:
        place = (write.namespace, write.key)
        _demand(before is None or before < place, "writes in strict order")
        before = place
        if write.namespace == CODE and write.key == KEY:
            _demand(may_schedule or bool(founding), "`proposal` decides on the engine")
            _validate_schedule(write, founding)
            continue
        if write.namespace == CODE:
            _demand(may_deploy, "code changes by the contract `contract` only")
            _validate_code(write)
            continue
        if write.namespace not in known:
            name = write.namespace
            _demand(is_contract_name(name) and name not in RESERVED, "a contract's namespace")
            _demand(name.encode() in created or is_deployed(name), "a deployed contract")
            known.add(name)
        _validate_write(write)
    _demand(not writes or bool(calls) or bool(founding), "writes come from transactions")


def _validate_write(write: StateWrite) -> None:
    _demand(0 < len(write.key) <= limits.STORED_KEY_SIZE_MAX, "a short key")
    try:
        declaration_of(write.key)
    except DecodeError as error:
        raise ReplyInvalid(f"key: {error}") from None
    if write.value is not None:
        _validate_value(write.value, limits.STORED_VALUE_SIZE_MAX)


def _validate_schedule(write: StateWrite, founding: str) -> None:
    _demand(write.value is not None, "the schedule of engines is never removed")
    assert write.value is not None
    try:
        decode_schedule(write.value)
    except ScheduleDamaged as error:
        raise ReplyInvalid(str(error)) from None
    is_founded = not founding or write.value == encode_schedule(founded(founding))
    _demand(is_founded, "a chain begins on the engine of its genesis")


def _validate_code(write: StateWrite) -> None:
    """A key of code_records.py with a value of its form."""
    value = write.value
    _demand(value is not None, "code is never removed")
    assert value is not None
    if write.key == NAMES_KEY:
        _validate_value(value, _NAMES_SIZE_MAX)
        return
    if write.key == POLICY_KEY:
        _decoded(value, Policy)
        return
    if write.key == POLICY_PENDING_KEY:
        if value != NO_PENDING:
            _decoded(value, PendingRule)
        return
    place = place_of(write.key)
    _demand(place is not None, "a key of code")
    assert place is not None
    name, what = place
    if what == "source":
        _demand(len(value) <= limits.SOURCE_SIZE_MAX and value.isascii(), "a bounded source")
    elif what == "layout":
        _validate_value(value, limits.STORED_VALUE_SIZE_MAX)
    elif what == "":
        _demand(_decoded(value, ContractRecord).name == name, "a contract's own record")
    elif what == "step":
        _decoded(value, Step)
    elif value != NO_PENDING:
        _demand(_decoded(value, Pending).name == name, "a contract's own proposal")


def _decoded(value: bytes, form: type[R]) -> R:
    try:
        return decode(value, form, size_max=limits.STORED_VALUE_SIZE_MAX)
    except DecodeError as error:
        raise ReplyInvalid(f"code: {error}") from None


def _validate_value(data: bytes, size_max: int) -> None:
    _demand(len(data) <= size_max, "a bounded value")
    try:
        # Scalars, nearly all values, are checked in two steps of C.
        is_bytes = data[:1] and data[0] in _BYTES_TAGS
        value = _bytes_decoder.decode(data) if is_bytes else _scalar_decoder.decode(data)
        if _encoder.encode(value) == data:
            return
    except msgspec.MsgspecError:
        pass
    try:
        decoded = _any_decoder.decode(data)
        is_flat = type(decoded) is list and _SCALARS.issuperset(map(type, decoded))
        if not is_flat or _encoder.encode(decoded) != data:
            decode_value(data)
    except (DecodeError, msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise ReplyInvalid(str(error)) from None


def _demand(condition: bool, rule: str) -> None:
    if not condition:
        raise ReplyInvalid(f"the worker broke the rule: {rule}")
