"""Contracts in a real jailed worker, over a state in memory.

It has what contracts.vm.testing.Chain leaves out: the jail and the pipes.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.vm.host import Worker
from contracts.vm.messages import BlockContext
from contracts.vm.version import VM_VERSION
from ledger.encoding import encode
from ledger.genesis import Genesis, GenesisContract, Limits, chain_id
from ledger.model import (
    Receipt,
    Transaction,
    TransactionBody,
    ValidatorSet,
    address_of,
)
from ledger.values import Value, encode_value
from tests.memory_reader import MemoryReader

SENDER = bytes(range(64))  # a public key; nobody asks here who signed
ACCOUNT = address_of(SENDER)


class JailedChain(MemoryReader):
    """One block per call of `block`."""

    def __init__(self, worker: Worker, sources: Sequence[tuple[str, str]]) -> None:
        """Deploy (name, source) of contracts whose init takes nothing. Raises GenesisRefused."""
        contracts = tuple(GenesisContract(name, text, encode_value([])) for name, text in sources)
        genesis = Genesis(1, "jailed", 1, ValidatorSet(()), (), contracts, Limits(), VM_VERSION)
        super().__init__(worker.apply_genesis(genesis).writes)
        self.height = 0
        self._worker = worker
        self._chain_id = chain_id(genesis)
        self._count = 0

    def block(
        self, calls: Sequence[tuple[str, str, Sequence[Value]]], *, gas_limit: int
    ) -> list[Receipt]:
        """Transactions (contract, method, arguments) in one block."""
        self.height += 1
        sent = [self._transaction(*call, gas_limit) for call in calls]
        context = BlockContext(self._chain_id, self.height, self.height)
        result = self._worker.apply_block(context, sent, self)
        self.commit(result.writes)
        return list(result.receipts)

    def _transaction(
        self, contract: str, method: str, arguments: Sequence[Value], gas_limit: int
    ) -> Transaction:
        self._count += 1
        nonce = self._count.to_bytes(16, "big")
        encoded = encode_value(list(arguments))
        body = TransactionBody(
            1, self._chain_id, SENDER, nonce, self.height + 10, contract, method, encoded, gas_limit
        )
        return Transaction(encode(body), bytes(64))
