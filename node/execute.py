"""From a delivered proposal to a stored block: the same steps on every replica.

Blocks on the contract worker and the disk; the node runs it on one thread of its own, one
height after the other. Audit replays through the same functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.vm.host import BlockContext, Worker
from crypto.provider import CryptoProvider, SignedItem
from ledger.blocks import make_block, proposal_of, receipts_root, verify_commit_certificate
from ledger.encoding import decode
from ledger.errors import BlockInvalid
from ledger.genesis import Limits
from ledger.model import (
    TAG_TRANSACTION,
    Block,
    CommitCertificate,
    ExecutionStatement,
    Proposal,
    Transaction,
    TransactionBody,
    ValidatorSet,
    block_hash,
    proposal_digest,
)
from ledger.store import Commit, Store


class Diverged(Exception):
    """This replica's outcome differs from what a quorum signed: it must not go on."""


@dataclass(frozen=True, slots=True)
class ChainRules:
    """What block making needs from the chain."""

    chain_id: bytes
    limits: Limits
    validators: ValidatorSet


class Executor:
    """Applies blocks to a store through a contract worker. Not thread safe: one caller."""

    def __init__(self, store: Store, engine: Worker, rules: ChainRules) -> None:
        self._store = store
        self._engine = engine
        self._rules = rules

    def deliver(
        self,
        proposal: Proposal,
        certificate: CommitCertificate,
        bodies: Mapping[bytes, Transaction],
    ) -> tuple[Block, ExecutionStatement]:
        """Make, run and durably store the block of an ordered proposal.

        `bodies` holds a verified transaction for every id the proposal names, unless a block
        includes it already. Raises contracts.vm WorkerFault when the engine fails (a fault of
        this node, never a verdict).
        """
        block = self.make(proposal, bodies)
        return block, self.apply(block, certificate)

    def make(self, proposal: Proposal, bodies: Mapping[bytes, Transaction]) -> Block:
        rules = self._rules
        return make_block(
            proposal,
            bodies,
            self._store.header(proposal.height - 1),
            is_included=lambda wanted: self._store.find_transaction(wanted) is not None,
            limits=rules.limits,
            validators_hash=rules.validators.digest,
            chain_id=rules.chain_id,
        )

    def apply(self, block: Block, certificate: CommitCertificate) -> ExecutionStatement:
        """Execute a block that follows the head and commit it in one synced write."""
        header = block.header
        context = BlockContext(
            chain_id=header.chain_id, height=header.height, time_ms=header.time_ms
        )
        result = self._engine.apply_block(context, block.transactions, self._store)
        root = self._store.tree.apply(result.writes)
        statement = ExecutionStatement(
            chain_id=header.chain_id,
            height=header.height,
            block_hash=block_hash(header),
            state_root=root,
            receipts_root=receipts_root(result.receipts),
            next_validators_hash=self._rules.validators.digest,
            time_ms=header.time_ms,
        )
        self._store.commit(
            Commit(
                block=block,
                receipts=result.receipts,
                writes=result.writes,
                statement=statement,
                commit_certificate=certificate,
            )
        )
        return statement

    def check_synced(
        self, block: Block, certificate: CommitCertificate, provider: CryptoProvider
    ) -> None:
        """Whether a block from a peer is the one a quorum ordered next. Raises BlockInvalid
        or CertificateInvalid; nothing of the peer's word is believed."""
        rules = self._rules
        proposal = proposal_of(block)
        verify_commit_certificate(
            certificate,
            proposal_digest(proposal),
            rules.validators,
            rules.chain_id,
            provider.verify_batch,
        )
        if certificate.height != block.header.height:
            raise BlockInvalid(f"the certificate of {certificate.height} on {block.header.height}")
        verify_transactions(block, provider)
        bodies = {
            key: transaction
            for key, transaction in zip(
                _ids(block.transactions), block.transactions, strict=True
            )
        }
        if self.make(proposal, bodies) != block:
            raise BlockInvalid(
                f"block {block.header.height} is not what the rules make of its proposal"
            )


def verify_transactions(block: Block, provider: CryptoProvider) -> None:
    """Check every sender's signature. Raises BlockInvalid that names the transaction."""
    items = []
    for transaction in block.transactions:
        body = decode(transaction.body, TransactionBody, size_max=len(transaction.body))
        items.append(
            SignedItem(body.sender, TAG_TRANSACTION + transaction.body, transaction.signature)
        )
    for index, good in enumerate(provider.verify_batch(items)):
        if not good:
            raise BlockInvalid(
                f"block {block.header.height}, transaction {index}: the signature is invalid"
            )


def _ids(transactions: tuple[Transaction, ...]) -> list[bytes]:
    from ledger.model import transaction_id

    return [transaction_id(transaction) for transaction in transactions]
