"""The rule of block making: from an ordered proposal to the one block that it means.

Pure and alike on every replica: whatever depends on a clock, a disk or a peer is an argument.
Consensus orders transaction ids; the rule decides which of them the block includes, and in
which order, so that no proposer chooses the order (design 4).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

from crypto import sm3
from crypto.provider import SignedItem
from ledger.certificates import (
    VerifyBatch,
    verify_commit_certificate,
    verify_execution_certificate,
)
from ledger.encoding import decode, encode
from ledger.errors import BlockInvalid, DecodeError
from ledger.genesis import Genesis, Limits, chain_id
from ledger.merkle import (
    receipts_leaves,
    receipts_root,
    transactions_leaves,
    transactions_root,
)
from ledger.model import (
    EMPTY_DIGEST,
    PROTOCOL_VERSION,
    TAG_ORDER,
    TAG_TRANSACTION,
    Block,
    BlockHeader,
    Digest,
    Proposal,
    Transaction,
    TransactionBody,
    block_hash,
    transaction_id,
)

__all__ = [  # all that a replica makes and judges blocks with
    "block_time",
    "expected_header",
    "genesis_block",
    "is_in_window",
    "make_block",
    "order_key",
    "proposal_of",
    "receipts_leaves",
    "receipts_root",
    "transaction_items",
    "transactions_leaves",
    "transactions_root",
    "verify_block",
    "verify_transactions",
    "verify_commit_certificate",
    "verify_execution_certificate",
]

BODY_SIZE_MAX = 1 << 20  # bytes decoded at most; Limits.transaction_size_max binds earlier


def order_key(previous_hash: bytes, tx_id: bytes) -> Digest:
    """Transactions of a block ascend by this key, which nobody knows before they are ordered."""
    return Digest(sm3.digest(TAG_ORDER + previous_hash + tx_id))


def is_in_window(valid_until: int, height: int, limits: Limits) -> bool:
    """Whether a block at `height` may include a transaction with this last height.

    The window is closed on both sides so that the search for a replay has an end.
    """
    return height <= valid_until <= height + limits.valid_window


def block_time(proposal: Proposal, previous: BlockHeader) -> int:
    """The proposal's time, raised to stand later than the predecessor's."""
    return max(proposal.time_ms, previous.time_ms + 1)


def make_block(
    proposal: Proposal,
    bodies: Mapping[bytes, Transaction],
    previous: BlockHeader,
    is_included: Callable[[bytes], bool],
    limits: Limits,
    validators_hash: bytes,
    chain_id: bytes,
) -> Block:
    """The block that `proposal` means after `previous`.

    `is_included` tells whether the chain up to `previous` has a transaction; `bodies` holds the
    proposal's other transactions by id. Ids are judged in the proposal's order: what is already
    included, out of its window, for another chain, or does not fit any more is dropped.
    """
    assert proposal.height == previous.height + 1, "blocks are made one after the other"
    room = _Room(limits)
    kept: list[tuple[bytes, Transaction]] = []
    dropped: list[bytes] = []
    for tx_id in proposal.transaction_ids:
        if is_included(tx_id):
            dropped.append(tx_id)
            continue
        transaction = bodies[tx_id]
        if room.takes(transaction, proposal.height, chain_id):
            kept.append((tx_id, transaction))
        else:
            dropped.append(tx_id)
    previous_hash = block_hash(previous)
    kept.sort(key=lambda pair: order_key(previous_hash, pair[0]))
    transactions = tuple(transaction for _, transaction in kept)
    header = BlockHeader(
        version=PROTOCOL_VERSION,
        chain_id=chain_id,
        height=proposal.height,
        proposer=proposal.proposer,
        time_ms=block_time(proposal, previous),
        previous_hash=previous_hash,
        transactions_root=transactions_root(transactions),
        validators_hash=validators_hash,
    )
    return Block(header, transactions, tuple(sorted(dropped)), proposal.time_ms)


def genesis_block(genesis: Genesis) -> Block:
    """Block 0: no transactions, no predecessor, no certificate."""
    header = BlockHeader(
        version=PROTOCOL_VERSION,
        chain_id=chain_id(genesis),
        height=0,
        proposer=0,
        time_ms=genesis.time_ms,
        previous_hash=EMPTY_DIGEST,
        transactions_root=transactions_root(()),
        validators_hash=genesis.validators.digest,
    )
    return Block(header, (), (), genesis.time_ms)


def proposal_of(block: Block) -> Proposal:
    """The proposal that was ordered, rebuilt to check the block's commit certificate."""
    included = [transaction_id(transaction) for transaction in block.transactions]
    return Proposal(
        height=block.header.height,
        transaction_ids=tuple(sorted([*included, *block.dropped])),
        proposer=block.header.proposer,
        time_ms=block.proposal_time_ms,
    )


def verify_block(
    block: Block,
    previous: BlockHeader,
    is_included: Callable[[bytes], bool],
    limits: Limits,
    validators_hash: bytes,
    chain_id: bytes,
) -> None:
    """Check that a block from elsewhere follows `previous` by the rule. Raises BlockInvalid.

    Left to others: signatures, certificates, and whether what was dropped had to be (its bodies
    are gone; the commit certificate covers the dropped ids, the execution certificate the hash).
    """
    header = block.header
    expected = expected_header(block, previous, validators_hash, chain_id)
    for field in BlockHeader.__struct_fields__:
        if getattr(header, field) != getattr(expected, field):
            raise BlockInvalid(
                f"block {expected.height}: its {field} is not what the rule makes it"
            )
    ids = [transaction_id(transaction) for transaction in block.transactions]
    if len({*ids, *block.dropped}) != len(ids) + len(block.dropped):
        raise BlockInvalid(f"block {header.height}: a transaction occurs twice")
    if any(one >= other for one, other in pairwise(block.dropped)):
        raise BlockInvalid(f"block {header.height}: the dropped ids do not ascend")
    if any(one > other for one, other in pairwise(order_key(header.previous_hash, i) for i in ids)):
        raise BlockInvalid(f"block {header.height}: the transactions are out of order")
    room = _Room(limits)
    for tx_id, transaction in zip(ids, block.transactions, strict=True):
        if is_included(tx_id) or not room.takes(transaction, header.height, chain_id):
            raise BlockInvalid(f"block {header.height}: it should not include {tx_id.hex()}")


def expected_header(
    block: Block, previous: BlockHeader, validators_hash: bytes, chain_id: bytes
) -> BlockHeader:
    """The header that the rule gives the contents of `block` after `previous`."""
    return BlockHeader(
        version=PROTOCOL_VERSION,
        chain_id=chain_id,
        height=previous.height + 1,
        proposer=block.header.proposer,
        time_ms=max(block.proposal_time_ms, previous.time_ms + 1),
        previous_hash=block_hash(previous),
        transactions_root=transactions_root(block.transactions),
        validators_hash=validators_hash,
    )


class _Room:
    """What is left of a block's limits."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._transactions = limits.block_transactions_max
        self._bytes = limits.block_size_max
        self._gas = limits.block_gas_max

    def takes(self, transaction: Transaction, height: int, chain_id: bytes) -> bool:
        """Take the transaction in if it may be here and fits; smaller ones may fit later."""
        try:
            body = decode(transaction.body, TransactionBody, size_max=BODY_SIZE_MAX)
        except DecodeError:
            return False  # a quorum never orders one; the rule is total all the same
        if body.version != PROTOCOL_VERSION or body.chain_id != chain_id:
            return False
        limits, gas, size = self._limits, body.gas_limit, len(encode(transaction))
        if not is_in_window(body.valid_until, height, limits):
            return False
        if size > limits.transaction_size_max or not 0 <= gas <= limits.transaction_gas_max:
            return False
        if self._transactions < 1 or size > self._bytes or gas > self._gas:
            return False
        self._transactions -= 1
        self._bytes -= size
        self._gas -= gas
        return True


def transaction_items(block: Block) -> list[SignedItem]:
    """Every sender's signature as a claim to verify. Raises BlockInvalid for undecodable bytes."""
    items = []
    for index, transaction in enumerate(block.transactions):
        try:
            body = decode(transaction.body, TransactionBody, size_max=len(transaction.body))
        except DecodeError as error:
            raise BlockInvalid(
                f"block {block.header.height}, transaction {index}: {error}"
            ) from None
        message = TAG_TRANSACTION + transaction.body
        items.append(SignedItem(body.sender, message, transaction.signature))
    return items


def verify_transactions(block: Block, verify_batch: VerifyBatch) -> None:
    """Check every sender's signature. Raises BlockInvalid that names the transaction."""
    verdicts = verify_batch(transaction_items(block))
    for index, (good, transaction) in enumerate(zip(verdicts, block.transactions, strict=True)):
        if not good:
            raise BlockInvalid(
                f"block {block.header.height}, transaction {index} "
                f"({transaction_id(transaction).hex()}): the sender's signature is invalid"
            )
