"""Where everything stands in LevelDB: one byte of table, then the key; heights sort as numbers."""

from __future__ import annotations

from crypto import sm3
from ledger.errors import REMEDY, LedgerDamaged
from ledger.model import DIGEST_SIZE, Receipt, Record, StateWrite
from ledger.proof import namespace_prefix

FORMAT = b"shuxin ledger 2"

FORMAT_KEY = b"!format"
GENESIS_KEY = b"!genesis"
HEAD_KEY = b"!head"  # height of the newest block
CERTIFIED_KEY = b"!certified"  # height up to which every block has an execution certificate
BASE_KEY = b"!base"  # lowest height of which everything is stored; absent: the genesis block
SEQUENCE_KEY = b"!sequence"  # number of the last write (ledger.mark)

BLOCK = b"B"  # height -> Block
HEADER = b"H"  # height -> BlockHeader
RECEIPTS = b"R"  # height -> Receipts
STATEMENT = b"S"  # height -> ExecutionStatement, our own
COMMIT_CERTIFICATE = b"C"  # height -> CommitCertificate
EXECUTION_CERTIFICATE = b"E"  # height -> ExecutionCertificate
HASH = b"K"  # block hash -> height
TRANSACTION = b"T"  # transaction id -> height, index
CHANGES = b"D"  # height -> Changes: what history is made from
STATE = b"s"  # length of the namespace, namespace, key -> value
COMMITTEE = b"V"  # base of an epoch -> ValidatorSet, but for the epoch of the genesis
RECOVERY = b"W"  # number of a recovery plan -> Recovery
PAGE = b"p"  # page id -> page of the state tree
META = b"m"  # name -> bytes of other packages
# Of every height from the base on; below it only certificates that hand over (ledger.base).
HEIGHT_TABLES = (
    BLOCK,
    HEADER,
    RECEIPTS,
    CHANGES,
    STATEMENT,
    COMMIT_CERTIFICATE,
    EXECUTION_CERTIFICATE,
)
TABLES = (
    b"!"
    + BLOCK
    + HEADER
    + RECEIPTS
    + STATEMENT
    + COMMIT_CERTIFICATE
    + EXECUTION_CERTIFICATE
    + HASH
    + TRANSACTION
    + COMMITTEE
    + RECOVERY
    + CHANGES
    + STATE
    + PAGE
    + META
)

BOOK_KEYS = (FORMAT_KEY, GENESIS_KEY, HEAD_KEY, CERTIFIED_KEY, BASE_KEY, SEQUENCE_KEY)

STORED_SIZE_MAX = 256 << 20  # bytes of one stored record: far above what a block may hold


class Receipts(Record):
    """The receipts of one block, in its order."""

    receipts: tuple[Receipt, ...]


class Changes(Record):
    """All state writes of one block; each key once."""

    writes: tuple[StateWrite, ...]


class Place(Record):
    """Where a transaction stands."""

    height: int
    index: int


def at_height(table: bytes, height: int) -> bytes:
    return table + height.to_bytes(8, "big")


def number(value: int) -> bytes:
    return value.to_bytes(8, "big")


def state_key(namespace: str, key: bytes) -> bytes:
    return STATE + namespace_prefix(namespace) + key


def seal(name: bytes, value: bytes) -> bytes:
    """What is stored where nothing else in a ledger says what it must be."""
    return sm3.digest(name + b"\0" + value) + value


def unseal(name: bytes, stored: bytes) -> bytes:
    """The value again. Raises LedgerDamaged."""
    value = stored[DIGEST_SIZE:]
    if stored != seal(name, value):
        raise LedgerDamaged(f"what was stored under {name!r} is damaged; {REMEDY}")
    return value


def split_state_key(stored: bytes) -> tuple[str, bytes]:
    """Namespace and key of a stored state key. Raises ValueError."""
    end = 2 + stored[1] if len(stored) > 1 else 2
    if len(stored) < end:
        raise ValueError("a state key is cut short")
    return stored[2:end].decode(), stored[end:]
