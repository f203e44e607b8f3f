"""The genesis: the one file that an auditor has to trust.

It holds the committee, the first parties and the source of every system contract, so that
replay needs nothing else. The chain id is SM3 of its canonical bytes.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import msgspec

from crypto import sm3
from ledger.encoding import encode
from ledger.errors import DecodeError
from ledger.model import (
    PROTOCOL_VERSION,
    PUBLIC_KEY_SIZE,
    TAG_GENESIS,
    Digest,
    Record,
    Validator,
    ValidatorSet,
)

GENESIS_SIZE_MAX = 16 << 20  # bytes; a genesis carries contract sources, nothing larger
FILE_SIZE_MAX = 4 * GENESIS_SIZE_MAX  # bytes of JSON: hexadecimal, names, quoting

_Positive = Annotated[int, msgspec.Meta(gt=0)]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class GenesisParty(Record):
    """A participant known from the first block."""

    id: str
    name: str
    roles: tuple[str, ...]  # manager operator supplier consumer tech_provider developer
    accounts: tuple[str, ...]  # addresses


class GenesisContract(Record):
    """A system contract: deployed and initialized at height 0 with `args` (encoded list)."""

    name: str
    source: str
    args: bytes


class Limits(Record):
    """Bounds on what a block may hold; on chain, alike for all (no local consensus setting)."""

    transaction_size_max: int = 128 << 10  # bytes: a contract source with room to spare
    block_transactions_max: int = 1000
    block_size_max: int = 4 << 20  # bytes of transactions: one block crosses the wire in < 1 s
    block_gas_max: int = 500_000_000  # seconds of execution (docs/gas.md)
    transaction_gas_max: int = 50_000_000
    valid_window: int = 600  # heights a transaction may stay valid; bounds the replay index
    time_skew_ms_max: int = 5_000  # proposer's committee time against a backup's (node/clock.py)
    watermark_window: int = 32  # heights in flight
    heartbeat_ms: int = 60_000  # from block to block while nothing is submitted


class Genesis(Record):
    version: int
    name: str
    time_ms: int
    validators: ValidatorSet
    parties: tuple[GenesisParty, ...]
    contracts: tuple[GenesisContract, ...]
    limits: Limits
    vm_version: str


def chain_id(genesis: Genesis) -> Digest:
    return Digest(sm3.digest(TAG_GENESIS + encode(genesis)))


def save_genesis(genesis: Genesis, path: Path) -> None:
    """Write `genesis` as JSON for people: named fields, bytes in hex, sources as lines of text."""
    shown = {
        "version": genesis.version,
        "name": genesis.name,
        "time_ms": genesis.time_ms,
        "vm_version": genesis.vm_version,
        "limits": _shown(genesis.limits),
        "validators": [_shown(validator) for validator in genesis.validators.validators],
        "parties": [_shown(party) for party in genesis.parties],
        "contracts": [
            _shown(contract) | {"source": contract.source.split("\n")}
            for contract in genesis.contracts
        ],
    }
    path.write_bytes(msgspec.json.format(msgspec.json.encode(shown), indent=2) + b"\n")


def load_genesis(path: Path) -> Genesis:
    """Read a genesis file. Raises DecodeError, naming the field, for anything that is not one."""
    with path.open("rb") as file:
        data = file.read(FILE_SIZE_MAX + 1)
    if len(data) > FILE_SIZE_MAX:
        raise DecodeError(f"{path}: the file exceeds the limit of {FILE_SIZE_MAX} bytes")
    try:
        shown = _decoder.decode(data)
        genesis = _genesis_of(shown)
        size = len(encode(genesis))
    except (msgspec.DecodeError, RecursionError, ValueError, OverflowError) as error:
        raise DecodeError(f"{path}: not a genesis file: {error}") from None
    if size > GENESIS_SIZE_MAX:
        raise DecodeError(f"{path}: {size} canonical bytes exceed the limit of {GENESIS_SIZE_MAX}")
    return genesis


# --- the file: the same records with names, and every field in its place or an error -----------


class _Shown(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Base of the parts of the file."""


class _ShownLimits(_Shown, frozen=True):
    transaction_size_max: _Positive
    block_transactions_max: _Positive
    block_size_max: _Positive
    block_gas_max: _Positive
    transaction_gas_max: _Positive
    valid_window: _Positive
    time_skew_ms_max: _Positive
    watermark_window: _Positive
    heartbeat_ms: _Positive


class _ShownValidator(_Shown, frozen=True):
    name: _Name
    party: _Name
    public_key: str
    peer_id: _Name


class _ShownParty(_Shown, frozen=True):
    id: _Name
    name: _Name
    roles: tuple[_Name, ...]
    accounts: tuple[_Name, ...]


class _ShownContract(_Shown, frozen=True):
    name: _Name
    args: str
    source: tuple[str, ...]


class _ShownGenesis(_Shown, frozen=True):
    version: int
    name: _Name
    time_ms: _Positive
    vm_version: _Name
    limits: _ShownLimits
    validators: Annotated[tuple[_ShownValidator, ...], msgspec.Meta(min_length=1)]
    parties: tuple[_ShownParty, ...]
    contracts: tuple[_ShownContract, ...]


_decoder = msgspec.json.Decoder(_ShownGenesis)


def _shown(record: Record) -> dict[str, object]:
    pairs = ((field, getattr(record, field)) for field in record.__struct_fields__)
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in pairs}


def _genesis_of(shown: _ShownGenesis) -> Genesis:
    if shown.version != PROTOCOL_VERSION:
        raise ValueError(
            f"this release reads version {PROTOCOL_VERSION}, not {shown.version} - at `$.version`"
        )
    _refuse_repeats([v.name for v in shown.validators], "$.validators[...].name")
    _refuse_repeats([v.public_key for v in shown.validators], "$.validators[...].public_key")
    _refuse_repeats([v.peer_id for v in shown.validators], "$.validators[...].peer_id")
    _refuse_repeats([p.id for p in shown.parties], "$.parties[...].id")
    _refuse_repeats([c.name for c in shown.contracts], "$.contracts[...].name")
    return Genesis(
        version=shown.version,
        name=shown.name,
        time_ms=shown.time_ms,
        validators=ValidatorSet(
            tuple(_validator_of(v, index) for index, v in enumerate(shown.validators))
        ),
        parties=tuple(GenesisParty(p.id, p.name, p.roles, p.accounts) for p in shown.parties),
        contracts=tuple(
            GenesisContract(
                c.name, "\n".join(c.source), _bytes_of(c.args, f"$.contracts[{index}].args")
            )
            for index, c in enumerate(shown.contracts)
        ),
        limits=Limits(*(getattr(shown.limits, name) for name in Limits.__struct_fields__)),
        vm_version=shown.vm_version,
    )


def _validator_of(shown: _ShownValidator, index: int) -> Validator:
    where = f"$.validators[{index}].public_key"
    key = _bytes_of(shown.public_key, where)
    if len(key) != PUBLIC_KEY_SIZE:
        raise ValueError(f"a key has {PUBLIC_KEY_SIZE} bytes, not {len(key)} - at `{where}`")
    return Validator(shown.name, shown.party, key, shown.peer_id)


def _bytes_of(text: str, where: str) -> bytes:
    try:
        data = bytes.fromhex(text)
    except ValueError:
        raise ValueError(f"expected hexadecimal digits - at `{where}`") from None
    if data.hex() != text:
        raise ValueError(f"expected lower-case hexadecimal digits without spaces - at `{where}`")
    return data


def _refuse_repeats(values: list[str], where: str) -> None:
    for value, count in Counter(values).items():
        if count > 1:
            raise ValueError(f"{value!r} occurs {count} times - at `{where}`")
