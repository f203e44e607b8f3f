"""The machine in three ways on the same blocks: plain Python, in process, and jailed over a store.

The state is made once by the machine itself and put into a LevelDB-backed store; the jailed
worker starts every block with an empty cache, so all that it reads crosses the pipe.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib import resources
from pathlib import Path

from bench.plain import CONTRACT, PlainChain
from contracts.vm.apply import Machine
from contracts.vm.host import Worker, call_of
from contracts.vm.messages import BlockContext
from contracts.vm.ranges import page_in
from contracts.vm.state import StateKey
from contracts.vm.version import VM_VERSION
from ledger.encoding import encode
from ledger.genesis import Genesis, GenesisContract, Limits
from ledger.model import Receipt, StateWrite, Transaction, TransactionBody, ValidatorSet
from ledger.store import Store
from ledger.values import Value, encode_value

GAS_LIMIT = 5_000_000
MEMBERS = 1_000  # accounts that move units; every transfer of a block is between two others


def source_of(name: str) -> str:
    return resources.files("bench.contracts").joinpath(f"{name}.py").read_text()


def transaction(number: int, sender: int, method: str, args: Sequence[Value]) -> Transaction:
    """Unsigned: the worker sees only what was verified before."""
    key = sender.to_bytes(64, "big")
    body = TransactionBody(
        1, bytes(32), key, number.to_bytes(16, "big"), 9, CONTRACT, method,
        encode_value(list(args)), GAS_LIMIT,
    )  # fmt: skip
    return Transaction(encode(body), bytes(64))


def sender_address(sender: int) -> str:
    return call_of(transaction(0, sender, "join", [])).sender


class Rig:
    """`state` after genesis and after every member has joined."""

    def __init__(self, folder: Path) -> None:
        self.state: dict[StateKey, bytes] = {}
        self.machine = Machine(
            lambda keys: [self.state.get(key) for key in keys], partial(page_in, self.state)
        )
        contracts = (
            GenesisContract(CONTRACT, source_of("workloads"), encode_value([])),
            GenesisContract("peer", source_of("peer"), encode_value([])),
        )
        genesis = Genesis(1, "bench", 1, ValidatorSet(()), (), contracts, Limits(), VM_VERSION)
        self.worker = Worker(allow_unjailed=True)
        self._keep(self.worker.apply_genesis(genesis).writes)
        self.joins = [transaction(i, i, "join", []) for i in range(MEMBERS)]
        receipts, writes = self.in_process(self.joins)
        demand_success(receipts)
        self._keep(writes)
        everything = [StateWrite(space, key, value) for (space, key), value in self.state.items()]
        self.store = Store.create(folder / "store", genesis, everything)
        self.plain_state = self._plain_state()

    def close(self) -> None:
        self.worker.close()
        self.store.close()

    def context(self, height: int) -> BlockContext:
        return BlockContext(bytes(32), height, height)

    def _keep(self, writes: Sequence[StateWrite]) -> None:
        for write in writes:
            assert write.value is not None
            self.state[write.namespace, write.key] = write.value

    def _plain_state(self) -> dict[bytes, bytes]:
        plain = PlainChain()
        plain.apply_block(self.joins)
        return plain.space

    # --- one block, always on the same state ----------------------------------------------------

    def plain(self) -> PlainChain:
        chain = PlainChain()
        chain.space = dict(self.plain_state)
        return chain

    def in_process(
        self, transactions: Sequence[Transaction]
    ) -> tuple[list[Receipt], Sequence[StateWrite]]:
        calls = [call_of(transaction) for transaction in transactions]
        return self.machine.apply_block(self.context(1), calls)

    def forget(self) -> None:
        """Nothing is cached: the next block reads all that it needs."""
        self.machine.reset()
        self.worker.reset_cache()

    def jailed(
        self, transactions: Sequence[Transaction]
    ) -> tuple[Sequence[Receipt], Sequence[StateWrite]]:
        result = self.worker.apply_block(self.context(1), transactions, self.store)
        return result.receipts, result.writes


def demand_success(receipts: Sequence[Receipt]) -> None:
    for receipt in receipts:
        if receipt.status != 0:
            raise RuntimeError(f"a workload failed: {receipt.error}: {receipt.detail}")
