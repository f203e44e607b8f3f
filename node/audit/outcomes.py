"""What executing the blocks anew gave, against what the source says of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from contracts.vm.code_records import (
    CODE,
    NAMES_KEY,
    ContractRecord,
    source_key,
)
from contracts.vm.host import BlockResult, RangeReader, Worker
from contracts.vm.messages import BlockContext
from crypto import sm3
from ledger.committee import Epochs
from ledger.encoding import decode
from ledger.model import ExecutionStatement, Receipt, StateWrite, Transaction, transaction_id
from ledger.schema import state_key
from ledger.store import Store
from ledger.values import decode_value
from node.audit.causes import text
from node.audit.verdict import ContractCode, Divergence, Diverges, Kind

VALUE_SHOWN_MAX = 64  # bytes of a value in a sentence; of longer ones their SM3 is shown
KEYS_SHOWN_MAX = 8
_RECORD_SIZE_MAX = 1 << 20

_STATEMENT_KINDS = {
    "chain_id": Kind.GENESIS,
    "height": Kind.MISSING_BLOCK,
    "block_hash": Kind.FORK,
    "state_root": Kind.STATE,
    "receipts_root": Kind.RECEIPT,
    "next_validators_hash": Kind.VALIDATOR_SET,
    "time_ms": Kind.TIME,
}


class Witness(Worker):
    """A worker that remembers what the last block wrote: a wrong root is about one of these."""

    writes: Sequence[StateWrite] = ()

    def apply_block(
        self, block: BlockContext, transactions: Sequence[Transaction], reader: RangeReader
    ) -> BlockResult:
        result = super().apply_block(block, transactions, reader)
        self.writes = result.writes
        return result


# --- one block ----------------------------------------------------------------------------------


def receipt_fault(
    height: int, expected: Sequence[Receipt], found: Sequence[Receipt]
) -> Divergence | None:
    """The first receipt that differs, and in what."""
    if len(expected) != len(found):
        count = f"{len(expected)} receipts", f"{len(found)}"
        return Divergence(height, Kind.RECEIPT, "receipts", "", "", *count)
    for one, other in zip(expected, found, strict=True):
        for field in Receipt.__struct_fields__:
            values = getattr(one, field), getattr(other, field)
            if values[0] != values[1]:
                name = one.transaction_id.hex()
                told = text(values[0]), text(values[1])
                return Divergence(height, Kind.RECEIPT, f"receipt, {field}", name, "", *told)
    return None


def statement_fault(
    expected: ExecutionStatement,
    found: ExecutionStatement | None,
    transactions: Sequence[Transaction],
    writes: Sequence[StateWrite],
) -> Divergence | None:
    """In what an outcome differs from ours.

    Blocks carry the root of the state alone, so a wrong root is about one of the keys that the
    block wrote: the only one, or else they are listed. None differs in nothing.
    """
    if found is None:
        return None
    for field, kind in _STATEMENT_KINDS.items():
        one, other = getattr(expected, field), getattr(found, field)
        if one == other:
            continue
        name = key = ""
        if kind is Kind.STATE:
            key = _keys(writes)
            name = transaction_id(transactions[0]).hex() if len(transactions) == 1 else ""
        return Divergence(expected.height, kind, field, name, key, text(one), text(other))
    return None


def _keys(writes: Sequence[StateWrite]) -> str:
    names = [_key(write.namespace, write.key) for write in writes]
    rest = len(names) - KEYS_SHOWN_MAX
    more = f" and {rest} more" if rest > 0 else ""
    listed = ", ".join(names[:KEYS_SHOWN_MAX]) + more
    return listed if len(names) < 2 else f"one of {listed}"


# --- after the last block -----------------------------------------------------------------------


def compare_epochs(expected: Epochs, found: Epochs) -> None:
    """The table of committees is what the blocks decided. Raises Diverges."""
    if expected.all == found.all:
        return
    pairs = zip_longest(expected.all, found.all)
    one, other = next((one, other) for one, other in pairs if one != other)
    height = min(epoch.base for epoch in (one, other) if epoch is not None)
    texts = [
        f"{e.validators.digest.hex()} from {e.base + 1}" if e else "none" for e in (one, other)
    ]
    check = "the next committee"
    raise Diverges(Divergence(height, Kind.VALIDATOR_SET, check, "", "", *texts))


def compare_states(expected: Store, found: Store) -> None:
    """Every key of the state after the newest block, values and all. Raises Diverges."""
    ours, theirs = expected.iterate_state(), found.iterate_state()
    for one, other in zip_longest(ours, theirs):
        if one == other:
            continue
        places = [entry[:2] for entry in (one, other) if entry is not None]
        place = min(places, key=lambda found: state_key(*found))  # the other side lacks it
        values = [
            entry[2] if entry is not None and entry[:2] == place else None for entry in (one, other)
        ]
        kind = Kind.CONTRACT_CODE if place[0] == CODE else Kind.STATE
        check = "the state holds another value"
        raise Diverges(
            Divergence(
                expected.height, kind, check, "", _key(*place), _value(values[0]), _value(values[1])
            )
        )


def contract_codes(store: Store) -> tuple[ContractCode, ...]:
    """All contracts with their source's SM3, computed anew. Raises Diverges if a record lies."""
    names = decode_value(store.get(CODE, NAMES_KEY) or b"\x90")
    assert isinstance(names, list), "the machine wrote it"
    return tuple(_contract_code(store, str(name)) for name in names)


def _contract_code(store: Store, name: str) -> ContractCode:
    stored = store.get(CODE, name.encode()) or b""
    record = decode(stored, ContractRecord, size_max=_RECORD_SIZE_MAX)
    key = source_key(name, record.sequence)
    digest = sm3.digest(store.get(CODE, key) or b"")
    if digest != record.code_hash:
        check = "a contract's source has another hash than its record"
        hashes = record.code_hash.hex(), digest.hex()
        raise Diverges(
            Divergence(store.height, Kind.CONTRACT_CODE, check, "", _key(CODE, key), *hashes)
        )
    return ContractCode(name, record.status, record.sequence, digest.hex())


def _key(namespace: str, key: bytes) -> str:
    """NAMESPACE/KEY: as text where it is text, else in hexadecimal."""
    plain = key.decode("ascii", "replace")
    return f"{namespace}/{plain if plain.isprintable() and plain.isascii() else '0x' + key.hex()}"


def _value(value: bytes | None) -> str:
    if value is None:
        return "nothing"
    if len(value) <= VALUE_SHOWN_MAX:
        return f"0x{value.hex()}"
    return f"{len(value)} bytes with SM3 {sm3.digest(value).hex()}"
