"""What is true on the chain under test: random bytes alone would not get past the first check."""

from __future__ import annotations

from dataclasses import dataclass

from client.account import Account
from client.node import NodeClient
from crypto import sm2
from crypto.providers.software import SoftwareProvider
from ledger.encoding import encode
from ledger.model import block_hash, transaction_id
from ledger.values import encode_value

BLOCKS = 16  # of the newest, whose hashes and transactions are known
PLACES = (
    ("code", b"evidence"),
    ("code", b"no-such-contract"),
    ("evidence", encode_value(["records", "e-1"])),
    ("parties", encode_value(["party_by_address", "ab" * 20])),
)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Real names and numbers. `callers` are by what the chain knows of them."""

    chain_id: bytes
    height: int
    digests: tuple[bytes, ...]  # of blocks and transactions
    transactions: tuple[bytes, ...]  # encoded, all of them included already
    addresses: tuple[str, ...]
    callers: dict[str, Account]


def corpus_of(node: NodeClient, callers: dict[str, Account]) -> Corpus:
    """What a node tells; beside `callers` a stranger calls, whom no chain knows."""
    status = node.status()
    digests: list[bytes] = []
    transactions: list[bytes] = []
    for height in range(max(0, status.certified_height - BLOCKS), status.certified_height + 1):
        block = node.block(height).block
        digests.append(bytes(block_hash(block.header)))
        for transaction in block.transactions:
            digests.append(bytes(transaction_id(transaction)))
            transactions.append(encode(transaction))
    known = {**callers, "stranger": Account(SoftwareProvider(sm2.generate()))}
    return Corpus(
        chain_id=status.chain_id,
        height=status.certified_height,
        digests=tuple(digests),
        transactions=tuple(transactions),
        addresses=tuple(account.address for account in known.values()),
        callers=known,
    )
