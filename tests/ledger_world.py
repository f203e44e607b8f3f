"""A small chain for the ledger's tests: real records and roots, signatures of a fake scheme."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from crypto import sm3
from crypto.provider import SignedItem
from ledger.blocks import make_block, proposal_of
from ledger.certificates import VoteKind, vote_message
from ledger.commit import Commit
from ledger.committee import Epoch, effective_base
from ledger.encoding import encode
from ledger.genesis import Genesis, GenesisContract, GenesisParty, Limits, chain_id
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
    execution_message,
    proposal_digest,
    transaction_id,
)
from ledger.store import Store

TIME_MS = 1_700_000_000_000
NAMESPACE = "balances"


def committee(size: int = 4) -> ValidatorSet:
    return ValidatorSet(
        tuple(Validator(f"v{i}", f"party{i}", bytes([i + 1]) * 64, f"peer{i}") for i in range(size))
    )


def fake_sign(public_key: bytes, message: bytes) -> bytes:
    """64 bytes that only this key and message give: enough to test who signed what."""
    return sm3.digest(public_key + message) * 2


def fake_verify_batch(items: Sequence[SignedItem]) -> list[bool]:
    return [item.signature == fake_sign(item.public_key, item.message) for item in items]


def sign_all(
    message: bytes, validators: ValidatorSet, signers: Sequence[int]
) -> tuple[Signature, ...]:
    return tuple(
        Signature(i, fake_sign(validators.validators[i].public_key, message)) for i in signers
    )


def all_but(idle: int, validators: ValidatorSet) -> tuple[int, ...]:
    """The indexes of a committee of four or more of whom one does not vote: still a quorum."""
    return tuple(index for index in range(validators.size) if index != idle)


def make_genesis(limits: Limits | None = None) -> Genesis:
    return Genesis(
        version=1,
        name="测试 chain",
        time_ms=TIME_MS,
        validators=committee(),
        parties=(GenesisParty("m", "管理方", ("manager",), ("ab" * 20,)),),
        contracts=(GenesisContract("parties", "x = 1\n\n# 行\n", b"\x90"),),
        limits=limits or Limits(),
        vm_version="vm/1",
    )


GENESIS_WRITES = tuple(StateWrite(NAMESPACE, b"k%06d" % i, b"opening") for i in range(3))


class World:
    """Makes valid blocks, one after the other, on a store."""

    def __init__(self, path: Path, *, seed: int = 1, limits: Limits | None = None) -> None:
        self.genesis = make_genesis(limits)
        self.chain_id = chain_id(self.genesis)
        self.validators = self.genesis.validators
        self.random = random.Random(seed)
        self.path = path
        self.store = (
            Store.open(path) if path.exists() else Store.create(path, self.genesis, GENESIS_WRITES)
        )

    def committee_of(self, height: int) -> ValidatorSet:
        """Who orders and certifies this height, as far as the blocks decided."""
        return self.store.epochs.at(height).validators

    def transaction(self, *, valid_until: int = 100, gas_limit: int = 1000) -> Transaction:
        body = TransactionBody(
            version=1,
            chain_id=self.chain_id,
            sender=self.random.randbytes(64),
            nonce=self.random.randbytes(16),
            valid_until=valid_until,
            contract="balances",
            method="transfer",
            args=self.random.randbytes(40),
            gas_limit=gas_limit,
        )
        return Transaction(encode(body), self.random.randbytes(64))

    def block(self, transactions: Sequence[Transaction]) -> tuple[Block, CommitCertificate]:
        """The next block over these transactions, and its ordering."""
        store = self.store
        bodies = {bytes(transaction_id(tx)): tx for tx in transactions}
        height = store.height + 1
        proposal = Proposal(height, tuple(sorted(bodies)), height % 4, TIME_MS + 1000 * height)
        block = make_block(
            proposal,
            bodies,
            store.header(store.height),
            lambda wanted: store.find_transaction(wanted) is not None,
            self.genesis.limits,
            self.committee_of(height).digest,
            self.chain_id,
        )
        return block, self.commit_certificate(block)

    def commit_certificate(self, block: Block) -> CommitCertificate:
        height, digest = block.header.height, proposal_digest(proposal_of(block))
        message = vote_message(VoteKind.COMMIT, self.chain_id, 0, height, digest)
        validators = self.committee_of(height)
        signatures = sign_all(message, validators, all_but(2, validators))
        return CommitCertificate(0, height, digest, signatures)

    def outcome(
        self, block: Block, writes: Sequence[StateWrite]
    ) -> tuple[tuple[Receipt, ...], ExecutionStatement]:
        """Receipts and statement of a block that wrote `writes`; stages them in the tree."""
        receipts = tuple(_receipt(transaction) for transaction in block.transactions)
        statement = ExecutionStatement(
            chain_id=self.chain_id,
            height=block.header.height,
            block_hash=block_hash(block.header),
            state_root=self.store.tree.apply(writes),
            receipts_root=receipts_root(receipts),
            next_validators_hash=self.committee_of(block.header.height + 1).digest,
            time_ms=block.header.time_ms,
        )
        return receipts, statement

    def writes(self, count: int, *, keys: int = 1000) -> tuple[StateWrite, ...]:
        """Random writes over a space of keys; every tenth removes one."""
        drawn = self.random.sample(range(keys), count)
        return tuple(
            StateWrite(NAMESPACE, b"k%06d" % i, None if n % 10 == 9 else self.random.randbytes(20))
            for n, i in enumerate(drawn)
        )

    def commit(
        self,
        *,
        transactions: int = 3,
        writes: Sequence[StateWrite] | None = None,
        decides: ValidatorSet | None = None,
    ) -> None:
        """Store one more block, which may decide a committee."""
        written = self.writes(6) if writes is None else tuple(writes)
        self.include([self.transaction() for _ in range(transactions)], written, decides=decides)

    def include(
        self,
        ordered: Sequence[Transaction],
        writes: Sequence[StateWrite],
        *,
        decides: ValidatorSet | None = None,
    ) -> None:
        """Store one more block of these transactions, which wrote that."""
        block, certificate = self.block(ordered)
        receipts, statement = self.outcome(block, writes)
        epoch = None
        if decides is not None:
            window = self.genesis.limits.watermark_window
            base = effective_base(block.header.height, window)
            epoch = Epoch(base, decides, self.chain_id)
        self.store.commit(Commit(block, receipts, writes, statement, certificate, epoch))

    def execution_certificate(self, height: int, *, idle: int = 1) -> ExecutionCertificate:
        """By all but one; a quorum for up to six validators."""
        statement = self.store.statement(height)
        message = execution_message(statement)
        validators = self.committee_of(height)
        return ExecutionCertificate(
            statement, sign_all(message, validators, all_but(idle, validators))
        )

    def certify(self, height: int, *, idle: int = 1) -> None:
        self.store.certify(self.execution_certificate(height, idle=idle))

    def reopen(self) -> None:
        self.store.close()
        self.store = Store.open(self.path)


def _receipt(transaction: Transaction) -> Receipt:
    event = Event("balances", "Transfer", (("amount", b"\x05"), ("to", b"\xa1x")))
    return Receipt(transaction_id(transaction), 0, 777, (event,), b"\xc0", "", "")
