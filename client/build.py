"""Builds what an account signs: transactions and queries."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence

from client.account import Account
from client.gas import gas_limit_of
from ledger.encoding import encode
from ledger.model import (
    NONCE_SIZE,
    PROTOCOL_VERSION,
    TAG_QUERY,
    TAG_TRANSACTION,
    Query,
    SignedQuery,
    Transaction,
    TransactionBody,
)
from ledger.values import Value, encode_value

VALID_HEIGHTS = 300  # half of the chain's window: room for a node that lags behind


def build_transaction(
    account: Account,
    *,
    chain_id: bytes,
    valid_until: int,
    contract: str,
    method: str,
    args: Sequence[Value],
    gas_limit: int | None = None,
) -> Transaction:
    """A signed call of `contract.method(*args)` that may be included up to `valid_until`.

    Without `gas_limit` the call gets what `client.gas` foresees for it.
    Raises ValueError for an argument that is not a contract value.
    """
    body = encode(
        TransactionBody(
            version=PROTOCOL_VERSION,
            chain_id=chain_id,
            sender=account.public_key,
            nonce=secrets.token_bytes(NONCE_SIZE),
            valid_until=valid_until,
            contract=contract,
            method=method,
            args=encode_value(list(args)),
            gas_limit=gas_limit_of(contract, method) if gas_limit is None else gas_limit,
        )
    )
    return Transaction(body=body, signature=account.sign(TAG_TRANSACTION + body))


def build_query(
    account: Account, *, chain_id: bytes, contract: str, method: str, args: Sequence[Value]
) -> SignedQuery:
    """A signed read of the view `contract.method(*args)`, good for the node's replay window."""
    body = encode(
        Query(
            version=PROTOCOL_VERSION,
            chain_id=chain_id,
            sender=account.public_key,
            time_ms=time.time_ns() // 1_000_000,
            contract=contract,
            method=method,
            args=encode_value(list(args)),
        )
    )
    return SignedQuery(body=body, signature=account.sign(TAG_QUERY + body))
