"""A chain of one committee over a state of any size, stored by the real ledger.

Keys are numbered; the state is loaded in the order of the tree, a slice of it per block, so that
every page of the tree is written once.
"""

from __future__ import annotations

import os
import random
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

from ledger.blocks import make_block, proposal_of
from ledger.commit import Commit
from ledger.encoding import encode
from ledger.genesis import Genesis, Limits
from ledger.merkle import receipts_root
from ledger.model import (
    Block,
    CommitCertificate,
    Event,
    ExecutionCertificate,
    ExecutionStatement,
    Proposal,
    Receipt,
    Signature,
    StateWrite,
    Transaction,
    TransactionBody,
    Validator,
    ValidatorSet,
    block_hash,
    proposal_digest,
    transaction_id,
)
from ledger.proof import state_path
from ledger.store import Store

NAMESPACE = "balances"
SLICE_KEYS = 100_000  # loaded with one block
VALUE_SIZE = 32  # bytes
_SPREAD = 0x9E3779B97F4A7C15  # odd, so different numbers stay different: keys come in no order
_TIME_MS = 1_700_000_000_000
_QUORUM = 3  # of four


def key_of(number: int) -> bytes:
    """16 bytes; beyond the size of the state there is no such key."""
    return b"%016x" % (number * _SPREAD & (1 << 64) - 1)


def make_genesis() -> Genesis:
    validators = tuple(
        Validator(f"v{i}", f"party{i}", bytes([i + 1]) * 64, f"peer{i}") for i in range(4)
    )
    return Genesis(1, "bench", _TIME_MS, ValidatorSet(validators), (), (), Limits(), "bench/1")


def load(path: Path, keys: int) -> None:
    """Make a ledger at `path` with keys 0, 1, ... in its state."""
    values = random.Random(keys)
    slices = (
        [StateWrite(NAMESPACE, key_of(i), values.randbytes(VALUE_SIZE)) for i in part]
        for part in _in_order_of_paths(keys)
    )
    chain = Chain(Store.create(path, make_genesis(), next(slices)))
    for writes in slices:
        chain.add(chain.block(()), writes)
    chain.store.close()


def _in_order_of_paths(keys: int) -> Iterator[array[int]]:
    """The numbers of all keys in parts whose paths ascend; within a part they need not."""
    count = min(256, -(-keys // SLICE_KEYS))
    parts = [array("I") for _ in range(count)]
    for number in range(keys):
        parts[state_path(NAMESPACE, key_of(number))[0] * count >> 8].append(number)
    return iter(parts)


def forget(path: Path) -> None:
    """Ask the kernel to keep nothing of the files of a closed ledger in memory."""
    for file in path.rglob("*"):
        if file.is_file():
            handle = os.open(file, os.O_RDONLY)
            try:
                os.fsync(handle)  # what is not on disk yet cannot be forgotten
                os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(handle)


class Chain:
    """Makes blocks that follow the rule, and adds them to a store. Signatures are random bytes."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.random = random.Random(store.height)

    def transactions(self, count: int) -> list[Transaction]:
        """About 300 bytes each, as they come from clients."""
        return [self._transaction() for _ in range(count)]

    def block(self, transactions: Sequence[Transaction]) -> Block:
        store = self.store
        bodies = {bytes(transaction_id(one)): one for one in transactions}
        height = store.height + 1
        proposal = Proposal(height, tuple(sorted(bodies)), height % 4, _TIME_MS + 1000 * height)
        return make_block(
            proposal,
            bodies,
            store.header(store.height),
            lambda wanted: store.find_transaction(wanted) is not None,
            store.genesis.limits,
            store.epochs.at(height).validators.digest,
            store.chain_id,
        )

    def commit_of(self, block: Block, writes: Sequence[StateWrite], state_root: bytes) -> Commit:
        """All that is stored of a block that wrote `writes`, which led to `state_root`."""
        height = block.header.height
        receipts = tuple(_receipt(transaction) for transaction in block.transactions)
        statement = ExecutionStatement(
            self.store.chain_id,
            height,
            block_hash(block.header),
            state_root,
            receipts_root(receipts),
            self.store.epochs.at(height + 1).validators.digest,
            block.header.time_ms,
        )
        digest = proposal_digest(proposal_of(block))
        certificate = CommitCertificate(0, height, digest, self._signatures())
        return Commit(block, receipts, writes, statement, certificate)

    def certify(self) -> None:
        """Certify the newest block, so that the ledger lets the older state go."""
        statement = self.store.head_statement()
        self.store.certify(ExecutionCertificate(statement, self._signatures()))

    def add(self, block: Block, writes: Sequence[StateWrite]) -> None:
        self.store.commit(self.commit_of(block, writes, self.store.tree.apply(writes)))
        self.certify()

    def _transaction(self) -> Transaction:
        draw = self.random.randbytes
        body = TransactionBody(
            version=1,
            chain_id=self.store.chain_id,
            sender=draw(64),
            nonce=draw(16),
            valid_until=self.store.height + 100,
            contract=NAMESPACE,
            method="transfer",
            args=draw(40),
            gas_limit=1000,
        )
        return Transaction(encode(body), draw(64))

    def _signatures(self) -> tuple[Signature, ...]:
        return tuple(Signature(i, self.random.randbytes(64)) for i in range(_QUORUM))


def _receipt(transaction: Transaction) -> Receipt:
    event = Event(NAMESPACE, "Transfer", (("amount", b"\x05"), ("to", b"\xa1x")))
    return Receipt(transaction_id(transaction), 0, 777, (event,), b"\xc0", "", "")
