"""A network in one process: real keys, contracts, signatures and certificates, and no wires.

What a quorum of nodes would have ordered and signed is made by one loop that holds all their keys,
at the rate of the processor instead of a network's. The ledger cannot be told from a node's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from cli import netfiles
from client.account import Account
from client.build import build_transaction
from contracts.vm.host import Worker
from crypto import sm2
from crypto.keys import load_key
from ledger.certificates import VoteKind, vote_message
from ledger.genesis import Genesis, chain_id, load_genesis
from ledger.model import (
    CommitCertificate,
    ExecutionCertificate,
    Proposal,
    Signature,
    Transaction,
    execution_message,
    proposal_digest,
    transaction_id,
)
from ledger.store import Store
from ledger.values import Value
from node.execute import ChainRules, Executor

NODES = 4
BLOCK_INTERVAL_MS = 1000
VALID_HEIGHTS = 100
GAS_LIMIT = 200_000

Arguments = Callable[[int], Sequence[Value]]


class SignedChain:
    """Grows a ledger below `root` block by block."""

    def __init__(self, root: Path, threads: int) -> None:
        plan = netfiles.create(root, nodes=NODES, port_base=0, executors=False)
        self.genesis: Genesis = load_genesis(root / "genesis.json")
        self.path = root / "ledger"
        self._rules = ChainRules(chain_id(self.genesis), self.genesis.limits)
        self._keys = [_consensus_key(root / "nodes" / node.name / "keys") for node in plan.nodes]
        keys = root / "parties" / "operator" / "keys"
        self._operator = Account.load(keys / "operator.pem", _passphrase(keys))
        self._threads = threads

    def grow(
        self,
        blocks: int,
        per_block: int,
        contract: str,
        method: str,
        arguments: Arguments,
    ) -> int:
        """Make the ledger of so many blocks, of calls numbered from 0; how many of them failed."""
        failed = 0
        with (
            ThreadPoolExecutor(self._threads) as pool,
            closing(Worker()) as engine,
            closing(
                Store.create(
                    self.path,
                    self.genesis,
                    engine.apply_genesis(self.genesis).writes,
                    is_durable=False,
                )
            ) as store,
        ):
            executor = Executor(store, engine, self._rules)
            for height in range(1, blocks + 1):

                def made(number: int, height: int = height) -> Transaction:
                    return build_transaction(
                        self._operator,
                        chain_id=self._rules.chain_id,
                        valid_until=height + VALID_HEIGHTS,
                        contract=contract,
                        method=method,
                        args=arguments(number),
                        gas_limit=GAS_LIMIT,
                    )

                numbers = range((height - 1) * per_block, height * per_block)
                self._add_block(store, executor, list(pool.map(made, numbers)))
                failed += sum(receipt.status != 0 for receipt in store.receipts(height))
        return failed

    def _add_block(
        self, store: Store, executor: Executor, transactions: Sequence[Transaction]
    ) -> None:
        height = store.height + 1
        bodies = {bytes(transaction_id(one)): one for one in transactions}
        proposal = Proposal(
            height,
            tuple(sorted(bodies)),
            height % NODES,
            store.header(store.height).time_ms + BLOCK_INTERVAL_MS,
        )
        digest = proposal_digest(proposal)
        message = vote_message(VoteKind.COMMIT, self._rules.chain_id, 0, height, digest)
        commit = CommitCertificate(0, height, digest, self._quorum(message))
        _, statement = executor.deliver(proposal, commit, bodies)
        store.certify(ExecutionCertificate(statement, self._quorum(execution_message(statement))))

    def _quorum(self, message: bytes) -> tuple[Signature, ...]:
        quorum = self.genesis.validators.quorum
        return tuple(
            Signature(index, sm2.sign(key, message))
            for index, key in enumerate(self._keys[:quorum])
        )


def _passphrase(keys: Path) -> bytes:
    return (keys / "passphrase").read_bytes().strip()


def _consensus_key(keys: Path) -> bytes:
    return load_key(keys / "consensus.pem", _passphrase(keys))
