"""What a quorum did, to be done again: a chain of the ledger's test world, its outcomes kept, and
an engine that answers with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from contracts.vm.host import BlockResult, GenesisResult, RangeReader, ViewResult
from contracts.vm.messages import BlockContext
from ledger.commit import Commit
from ledger.encoding import decode
from ledger.genesis import Genesis
from ledger.model import (
    TAG_TRANSACTION,
    Receipt,
    StateWrite,
    Transaction,
    TransactionBody,
)
from node.peer_messages import Bundle
from tests.ledger_world import GENESIS_WRITES, World, fake_sign


@dataclass
class Chain:
    """What a quorum did: a world's blocks with the receipts and writes that execution gives."""

    world: World
    outcomes: dict[int, tuple[tuple[Receipt, ...], tuple[StateWrite, ...]]] = field(
        default_factory=dict
    )

    def grow(self) -> None:
        world = self.world
        transactions = [_signed(world.transaction()) for _ in range(3)]
        block, certificate = world.block(transactions)
        writes = world.writes(4)
        receipts, statement = world.outcome(block, writes)
        world.store.commit(Commit(block, receipts, writes, statement, certificate))
        self.outcomes[statement.height] = (receipts, writes)

    def bundle(self, height: int, *, is_certified: bool = True) -> Bundle:
        store = self.world.store
        certificate = store.commit_certificate(height)
        assert certificate is not None
        execution = self.world.execution_certificate(height) if is_certified else None
        return Bundle(store.block(height), certificate, execution)


def _signed(transaction: Transaction) -> Transaction:
    body = decode(transaction.body, TransactionBody, size_max=1 << 20)
    return Transaction(transaction.body, fake_sign(body.sender, TAG_TRANSACTION + transaction.body))


@dataclass
class ReplayEngine:
    """Answers with what the chain's blocks gave. `extra` makes this node differ, for good; `wrong`
    tells how many executions of a height go wrong."""

    chain: Chain
    extra: tuple[StateWrite, ...] = ()
    wrong: Counter[int] = field(default_factory=Counter)
    process_id: int | None = None
    layers: tuple[str, ...] = ()

    def apply_genesis(self, genesis: Genesis) -> GenesisResult:
        return GenesisResult(GENESIS_WRITES)

    def apply_block(
        self, block: BlockContext, transactions: Sequence[Transaction], reader: RangeReader
    ) -> BlockResult:
        receipts, writes = self.chain.outcomes[block.height]
        if self.wrong[block.height]:
            self.wrong[block.height] -= 1
            writes = (*writes, StateWrite("notes", b"wrong", b"value"))
        return BlockResult(receipts, (*writes, *self.extra))

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
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is open."""
