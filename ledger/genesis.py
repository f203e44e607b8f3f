"""The genesis: the one file that an auditor has to trust.

It holds the committee, the first parties and the source of every system contract, so that
replay needs nothing else. The chain id is SM3 of its canonical bytes.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from crypto import sm3
from ledger.encoding import encode
from ledger.errors import DecodeError
from ledger.model import TAG_GENESIS, Digest, Record, ValidatorSet

GENESIS_SIZE_MAX = 16 << 20  # bytes; a genesis carries contract sources, nothing larger


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
    block_gas_max: int = 500_000_000  # about 5 s of execution at 10 ns per unit
    transaction_gas_max: int = 50_000_000
    valid_window: int = 600  # heights a transaction may stay valid; bounds the replay index
    time_skew_ms_max: int = 5_000  # proposer's clock against a backup's
    watermark_window: int = 32  # heights in flight


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
    """Write `genesis` as JSON that people can read (arrays keep the canonical order)."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(genesis), indent=1) + b"\n")


def load_genesis(path: Path) -> Genesis:
    """Read a genesis file. Raises DecodeError for anything that is not one."""
    data = path.read_bytes()
    if len(data) > GENESIS_SIZE_MAX:
        raise DecodeError(f"{path}: {len(data)} bytes exceed the limit of {GENESIS_SIZE_MAX}")
    try:
        return msgspec.json.decode(data, type=Genesis)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise DecodeError(f"{path}: not a genesis file: {error}") from None
