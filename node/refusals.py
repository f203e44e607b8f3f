"""Every reason a node gives a client for saying no: a stable code and what to do next."""

from __future__ import annotations

from typing import Final


class Refusal(Exception):
    """A client's request is turned down; nothing was changed."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


# Codes are interface: clients and operators match on them. Never rename, only add.
ENCODING: Final = "transaction.encoding"
OVERSIZED: Final = "transaction.oversized"
VERSION: Final = "transaction.version"
CHAIN: Final = "transaction.chain"
KEY: Final = "transaction.key"
SIGNATURE: Final = "transaction.signature"
EXPIRED: Final = "transaction.expired"
TOO_EARLY: Final = "transaction.too_early"
REPLAYED: Final = "transaction.replayed"
GAS_LIMIT: Final = "transaction.gas_limit"
ARGUMENTS: Final = "transaction.arguments"
POOL_FULL: Final = "node.busy"
BATCH_SIZE: Final = "batch.size"
KEYS: Final = "state.keys"
NOT_FOUND: Final = "not_found"
PRUNED: Final = "block.pruned"
PENDING: Final = "receipt.pending"
STATE_HEIGHT: Final = "state.height"
QUERY: Final = "query.invalid"
QUERY_TIME: Final = "query.time"
HALTED: Final = "node.halted"
REPAIRING: Final = "node.repairing"
STOPPING: Final = "node.stopping"
HISTORY_OFF: Final = "history.off"
HISTORY_EMPTY: Final = "history.empty"
HISTORY_DAMAGED: Final = "history.damaged"
SUBSCRIBERS: Final = "node.subscribers"
ACCESS_METHOD: Final = "access.method"
ACCESS_MISSING: Final = "access.missing"
ACCESS_HEADER: Final = "access.header"
ACCESS_CHAIN: Final = "access.chain"
ACCESS_TIME: Final = "access.time"
ACCESS_BODY: Final = "access.body"
ACCESS_SIGNATURE: Final = "access.signature"
ACCESS_REPLAYED: Final = "access.replayed"
ACCESS_CERTIFICATE: Final = "access.certificate"
ACCESS_LEVEL: Final = "access.level"
ACCESS_OWN: Final = "access.own"
ACCESS_BUSY: Final = "access.busy"
ACCESS_LOG: Final = "access.log"
QUOTA: Final = "node.quota"
