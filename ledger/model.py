"""The records of the chain: what is hashed, signed, stored and sent.

Every struct is a frozen msgpack array (see `ledger.encoding`). Whatever is signed starts with
a tag of its own, so that no signature over one kind of statement can be shown as another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NewType, dataclass_transform

import msgspec

from crypto import sm3
from ledger.encoding import encode

Height = NewType("Height", int)
View = NewType("View", int)
Digest = NewType("Digest", bytes)  # 32 bytes, SM3
Address = NewType("Address", str)  # 40 lower-case hex digits: first 20 bytes of SM3(public key)

PROTOCOL_VERSION = 1
DIGEST_SIZE = 32
NONCE_SIZE = 16
PUBLIC_KEY_SIZE = 64
SIGNATURE_SIZE = 64
EMPTY_DIGEST = Digest(bytes(DIGEST_SIZE))

TAG_TRANSACTION = b"shuxin/transaction/1\0"
TAG_QUERY = b"shuxin/query/1\0"
TAG_EXECUTION = b"shuxin/execution/1\0"
TAG_PROPOSAL = b"shuxin/proposal/1\0"
TAG_HEADER = b"shuxin/header/1\0"
TAG_RECEIPT = b"shuxin/receipt/1\0"
TAG_VALIDATORS = b"shuxin/validators/1\0"
TAG_GENESIS = b"shuxin/genesis/1\0"
TAG_ORDER = b"shuxin/order/1\0"


if TYPE_CHECKING:

    @dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
    class _RecordMeta(msgspec.StructMeta):
        """Tells the type checker that what inherits from Record is frozen without saying so."""

else:
    _RecordMeta = msgspec.StructMeta


class Record(
    msgspec.Struct,
    metaclass=_RecordMeta,
    frozen=True,
    array_like=True,
    forbid_unknown_fields=True,
):
    """Base of all canonical structs."""


# --- transactions ---------------------------------------------------------------------------


class TransactionBody(Record):
    """What the sender signs. `valid_until` is the last height that may include it."""

    version: int
    chain_id: bytes  # 32 bytes: SM3 of the canonical genesis
    sender: bytes  # 64 bytes: SM2 public key X || Y
    nonce: bytes  # 16 random bytes: makes two equal calls two transactions
    valid_until: int
    contract: str
    method: str
    args: bytes  # ledger.values.encode_value of the list of positional arguments
    gas_limit: int


class Transaction(Record):
    """A signed call. `body` holds the canonical bytes of a TransactionBody."""

    body: bytes
    signature: bytes  # 64 bytes r || s over TAG_TRANSACTION + body


def transaction_id(transaction: Transaction) -> Digest:
    """SM3 of the signed part; the signature is not covered, so it cannot be used to rename."""
    return Digest(sm3.digest(TAG_TRANSACTION + transaction.body))


def address_of(public_key: bytes) -> Address:
    """The account that a 64-byte SM2 public key speaks for."""
    return Address(sm3.digest(public_key)[:20].hex())


class Query(Record):
    """A signed read of a contract view: proves to the node who asks (8.1.4c, 8.1.7)."""

    version: int
    chain_id: bytes
    sender: bytes
    time_ms: int  # the node refuses a query outside its replay window
    contract: str
    method: str
    args: bytes


class SignedQuery(Record):
    body: bytes  # canonical bytes of a Query
    signature: bytes  # over TAG_QUERY + body


# --- committee ------------------------------------------------------------------------------


class Validator(Record):
    """A voting member of the committee."""

    name: str
    party: str  # id of the party that runs the node
    public_key: bytes  # 64 bytes: SM2 consensus key
    peer_id: str  # libp2p peer id, base58


class ValidatorSet(Record):
    """The committee, in order of index. All weights are equal."""

    validators: tuple[Validator, ...]

    @property
    def size(self) -> int:
        return len(self.validators)

    @property
    def fault_bound(self) -> int:
        """f = floor((n - 1) / 3)."""
        return (len(self.validators) - 1) // 3

    @property
    def quorum(self) -> int:
        """ceil((n + f + 1) / 2): two quorums share an honest member for every n (design 4)."""
        return (len(self.validators) + self.fault_bound + 2) // 2

    @property
    def digest(self) -> Digest:
        return Digest(sm3.digest(TAG_VALIDATORS + encode(self)))


# --- ordering -------------------------------------------------------------------------------


class Proposal(Record):
    """What consensus orders. Names no view and no predecessor, so a new view keeps its digest.

    `transaction_ids` ascend strictly (32 bytes each). A null proposal (no ids, proposer 0,
    time 0) fills a gap after a view change.
    """

    height: int
    transaction_ids: tuple[bytes, ...]
    proposer: int  # index in the validator set that proposed it first
    time_ms: int  # the proposer's clock, Unix milliseconds


def proposal_digest(proposal: Proposal) -> Digest:
    return Digest(sm3.digest(TAG_PROPOSAL + encode(proposal)))


class Signature(Record):
    """One validator's signature inside a certificate."""

    validator: int
    signature: bytes


class CommitCertificate(Record):
    """A quorum committed to `proposal_digest` at `height` in `view` (ordering certificate)."""

    view: int
    height: int
    proposal_digest: bytes
    signatures: tuple[Signature, ...]  # validator indexes ascend strictly


# --- blocks ---------------------------------------------------------------------------------


class BlockHeader(Record):
    version: int
    chain_id: bytes
    height: int
    proposer: int
    time_ms: int  # the proposal's, raised to the predecessor's + 1 if it is not later
    previous_hash: bytes
    transactions_root: bytes
    validators_hash: bytes


class Block(Record):
    """A delivered batch: made alike on every replica from the proposal and its predecessor.

    `dropped` lists the ids that the proposal ordered and the rules left out, ascending, so
    that the proposal can be rebuilt and its commit certificate checked by anyone.
    """

    header: BlockHeader
    transactions: tuple[Transaction, ...]
    dropped: tuple[bytes, ...]
    proposal_time_ms: int


def block_hash(header: BlockHeader) -> Digest:
    return Digest(sm3.digest(TAG_HEADER + encode(header)))


# --- execution ------------------------------------------------------------------------------


class Event(Record):
    """What a contract told the world. `fields` pairs names with encoded values, in order."""

    contract: str
    name: str
    fields: tuple[tuple[str, bytes], ...]


class Receipt(Record):
    """The outcome of one included transaction; `status` 0 is success (see contracts.vm.codes).

    `error` is a code; `detail` is text that the contract's author wrote in `require`, never
    interpreter text.
    """

    transaction_id: bytes
    status: int
    gas_used: int
    events: tuple[Event, ...]
    return_value: bytes  # encoded value
    error: str
    detail: str


def receipt_digest(receipt: Receipt) -> Digest:
    return Digest(sm3.digest(TAG_RECEIPT + encode(receipt)))


class ExecutionStatement(Record):
    """What a replica signs after it executed and durably stored a block."""

    chain_id: bytes
    height: int
    block_hash: bytes
    state_root: bytes
    receipts_root: bytes
    next_validators_hash: bytes
    time_ms: int


class ExecutionCertificate(Record):
    """A quorum's signatures over one statement: serves light clients, sync and audit."""

    statement: ExecutionStatement
    signatures: tuple[Signature, ...]  # validator indexes ascend strictly


def execution_message(statement: ExecutionStatement) -> bytes:
    """The bytes that validators sign for an execution certificate."""
    return TAG_EXECUTION + encode(statement)


class StateWrite(Record):
    """One change of the state; `value` None removes the key."""

    namespace: str
    key: bytes
    value: bytes | None
