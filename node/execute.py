"""From a delivered proposal to a stored block: the same steps on every replica.

Blocks on the contract worker and the disk; the node runs it on one thread of its own, one
height after the other. Audit replays through the same functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from contracts.identities import touches_trust
from contracts.parties import party_of
from contracts.registry import GOVERNANCE, RegistryDamaged
from contracts.vm.host import BlockResult, GenesisResult, RangeReader, ViewResult
from contracts.vm.messages import BlockContext
from crypto.provider import CryptoProvider
from ledger.blocks import make_block, proposal_of, verify_block, verify_transactions
from ledger.certificates import (
    VerifyBatch,
    verify_commit_certificate,
    verify_execution_certificate,
)
from ledger.commit import Commit
from ledger.committee import Epochs
from ledger.encoding import encode
from ledger.errors import BlockInvalid, RecoveryInvalid
from ledger.genesis import Genesis, Limits
from ledger.merkle import receipts_root
from ledger.model import (
    Block,
    BlockHeader,
    CommitCertificate,
    ExecutionCertificate,
    ExecutionStatement,
    Proposal,
    StateWrite,
    Transaction,
    block_hash,
    proposal_digest,
)
from ledger.recovery import check_authority
from ledger.store import Store
from node.epochs import StateAfter, decided_epoch
from node.peer_messages import Bundle
from node.rulebook import limits_at


class Diverged(Exception):
    """This replica's outcome differs from what a quorum signed: it must not go on.

    `bundle` holds the block if it was therefore not stored.
    """

    def __init__(
        self, own: ExecutionStatement, certificate: ExecutionCertificate, bundle: Bundle | None
    ) -> None:
        super().__init__(difference(own, certificate.statement))
        self.own = own
        self.certificate = certificate
        self.bundle = bundle

    @property
    def evidence(self) -> tuple[bytes, ...]:
        """What this node says, what the quorum signed, and the block."""
        pair = encode(self.own), encode(self.certificate)
        return pair if self.bundle is None else (*pair, encode(self.bundle))


@dataclass(frozen=True, slots=True)
class ChainRules:
    """What block making needs from the chain."""

    chain_id: bytes
    founded: Limits  # the genesis'; as the chain changed them since, the state says


class Engine(Protocol):
    """What runs contracts: contracts.vm.host.Worker, or in tests one in memory."""

    @property
    def process_id(self) -> int | None:
        """Of the process beside ours, if there is one."""
        ...

    @property
    def layers(self) -> Sequence[str]:
        """Of the jail around that process, as far as they hold."""
        ...

    def apply_genesis(self, genesis: Genesis) -> GenesisResult: ...

    def apply_block(
        self, block: BlockContext, transactions: Sequence[Transaction], reader: RangeReader
    ) -> BlockResult:
        """Raises WorkerFault or EngineFault: faults of this node, never a verdict."""
        ...

    def view(
        self,
        block: BlockContext,
        *,
        sender: str,
        contract: str,
        method: str,
        args: bytes,
        reader: RangeReader,
    ) -> ViewResult:
        """Raises ViewRefused, WorkerFault, EngineFault."""
        ...

    def close(self) -> None: ...


class Executor:
    """Applies blocks to a store through a contract engine. Not thread safe: one caller."""

    def __init__(self, store: Store, engine: Engine, rules: ChainRules) -> None:
        self._store = store
        self._engine = engine
        self._rules = rules
        self._has_governed = False

    def take_governed(self) -> bool:
        """Has a block since the last call changed who may be linked with, or believed?

        That is what the contract `governance` keeps, and of `identity` roots and revocations.
        """
        has_governed, self._has_governed = self._has_governed, False
        return has_governed

    def deliver(
        self,
        proposal: Proposal,
        certificate: CommitCertificate,
        bodies: Mapping[bytes, Transaction],
    ) -> tuple[Block, ExecutionStatement]:
        """Make, run and durably store the block of an ordered proposal.

        `bodies` holds a verified transaction for every id the proposal names, unless a block
        includes it already. Raises contracts.vm WorkerFault when the engine fails, EngineFault
        when this release has none for the height, or cannot go by its limits (faults of this
        node, never a verdict).
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
            limits=limits_at(self._store, rules.founded, proposal.height),
            validators_hash=self._store.epochs.at(proposal.height).validators.digest,
            chain_id=rules.chain_id,
        )

    def apply(
        self,
        block: Block,
        certificate: CommitCertificate,
        expected: ExecutionCertificate | None = None,
    ) -> ExecutionStatement:
        """Execute a block that follows the head and commit it in one synced write.

        Raises Diverged, and commits nothing, when the outcome is not the one that a quorum signed
        in `expected`, which was verified: the ledger then still holds what everyone agrees on.
        """
        header = block.header
        context = BlockContext(
            chain_id=header.chain_id, height=header.height, time_ms=header.time_ms
        )
        result = self._engine.apply_block(context, block.transactions, self._store)
        root = self._store.tree.apply(result.writes)
        epochs = self._store.epochs
        statement = ExecutionStatement(
            chain_id=epochs.at(header.height).domain,
            height=header.height,
            block_hash=block_hash(header),
            state_root=root,
            receipts_root=receipts_root(result.receipts),
            next_validators_hash=epochs.at(header.height + 1).validators.digest,
            time_ms=header.time_ms,
        )
        if expected is not None and statement != expected.statement:
            self._store.tree.discard()
            raise Diverged(statement, expected, Bundle(block, certificate, expected))
        self._check_recovery(statement, result.writes)
        self._store.commit(
            Commit(
                block=block,
                receipts=result.receipts,
                writes=result.writes,
                statement=statement,
                commit_certificate=certificate,
                next_epoch=decided_epoch(
                    header.height,
                    self._store,
                    result.writes,
                    epochs,
                    window=self._rules.founded.watermark_window,
                ),
            )
        )
        is_governed = any(write.namespace == GOVERNANCE for write in result.writes)
        if is_governed or touches_trust(result.writes):
            self._has_governed = True
        return statement

    def _check_recovery(self, statement: ExecutionStatement, writes: Sequence[StateWrite]) -> None:
        """Whether plans by which the chain goes on from this block were agreed on, as they say."""
        after = StateAfter(self._store, writes)
        validators = self._store.epochs.at(statement.height + 1).validators
        try:
            for recovery in self._store.recoveries_at(statement.height):
                if recovery.certificate.statement != statement:
                    raise RecoveryInvalid(
                        f"recovery plan {recovery.plan.number} names another block "
                        f"{statement.height} than this chain has"
                    )
                check_authority(recovery, validators, lambda address: party_of(after, address))
        except (RecoveryInvalid, RegistryDamaged) as error:
            self._store.tree.discard()
            raise RecoveryInvalid(str(error)) from None

    def check_synced(
        self,
        block: Block,
        commit_certificate: CommitCertificate,
        vouched_hash: bytes,
        provider: CryptoProvider,
    ) -> None:
        """Whether a block from a peer is the one that a quorum ordered and executed next.

        `vouched_hash` comes from `vouched`. It is needed although the block is executed here too:
        it covers what the block says it dropped, whose bodies nobody shows. Raises BlockInvalid
        or CertificateInvalid; nothing of the peer's word is believed.
        """
        height = block.header.height
        epoch = self._store.epochs.at(height)
        check_block(block, self._store, self._rules)
        if vouched_hash != block_hash(block.header):
            raise BlockInvalid(f"block {height}: a quorum executed another block")
        verify_commit_certificate(
            commit_certificate,
            proposal_digest(proposal_of(block)),
            epoch.validators,
            epoch.domain,
            provider.verify_batch,
        )
        verify_transactions(block, provider.verify_batch)


def vouched(
    headers: Sequence[BlockHeader],
    certificates: Sequence[ExecutionCertificate | None],
    epochs: Epochs,
    verify_batch: VerifyBatch,
) -> list[bytes]:
    """Hashes of the leading blocks of a run that a quorum executed, as far as that is proved.

    A block is proved by its own execution certificate or by that of a later one, through the
    chain of previous hashes: some certificates exist nowhere, because no replica ever saw a
    quorum of statements together. `headers` must not reach above the heights whose committee
    `epochs` tell. Raises BlockInvalid or CertificateInvalid.
    """
    proved = [i for i, certificate in enumerate(certificates) if certificate is not None]
    if not proved:
        return []
    last = proved[-1]
    anchor = certificates[last]
    assert anchor is not None
    height = headers[last].height
    if anchor.statement.height != height:
        raise BlockInvalid(f"block {height}: its execution certificate is for another height")
    epoch = epochs.at(height)
    verify_execution_certificate(anchor, epoch.validators, epoch.domain, verify_batch)
    hashes: list[bytes] = []
    expected: bytes = anchor.statement.block_hash
    for header in reversed(headers[: last + 1]):
        if block_hash(header) != expected:
            raise BlockInvalid(f"block {header.height}: a quorum executed another block")
        hashes.append(expected)
        expected = header.previous_hash
    return hashes[::-1]


def difference(own: ExecutionStatement, signed: ExecutionStatement) -> str:
    """A sentence for people: in what our outcome differs from the one that a quorum signed."""
    fields = [f for f in own.__struct_fields__ if getattr(own, f) != getattr(signed, f)]
    return (
        f"height {own.height}: this node's outcome differs from a quorum's in "
        f"{', '.join(fields)} (state root {own.state_root.hex()}, signed "
        f"{signed.state_root.hex()})"
    )


def check_block(block: Block, store: Store, rules: ChainRules) -> None:
    """Whether `block` follows the head of `store` by the rule. Raises BlockInvalid."""
    verify_block(
        block,
        store.header(store.height),
        is_included=lambda wanted: store.find_transaction(wanted) is not None,
        limits=limits_at(store, rules.founded, block.header.height),
        validators_hash=store.epochs.at(block.header.height).validators.digest,
        chain_id=rules.chain_id,
    )
