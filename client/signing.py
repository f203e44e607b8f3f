"""Signs what is asked of a node, so that it knows who asks (ledger.access)."""

from __future__ import annotations

import secrets
import time

from google.protobuf.message import Message

from client.account import Account
from ledger.access import (
    CLAIM_VERSION,
    HEADER_KEY,
    TAG_ACCESS,
    AccessClaim,
    encode_header,
    request_digest,
)
from ledger.encoding import encode
from ledger.model import NONCE_SIZE
from shuxin.v1 import node_pb2

SERVICE = f"/{node_pb2.DESCRIPTOR.services_by_name['Node'].full_name}/"

Metadata = tuple[tuple[str, bytes], ...]


def signed(account: Account, request: Message, *, method: str, chain_id: bytes) -> Metadata:
    """The metadata of one call of `method` (/package.Service/Method); good for a minute, once."""
    claim = encode(
        AccessClaim(
            version=CLAIM_VERSION,
            chain_id=chain_id,
            method=method,
            digest=request_digest(request.SerializeToString()),
            time_ms=time.time_ns() // 1_000_000,
            nonce=secrets.token_bytes(NONCE_SIZE),
            public_key=account.public_key,
            certificate=account.certificate,
        )
    )
    header = encode_header(claim, account.sign(TAG_ACCESS + claim))
    return ((HEADER_KEY, header),)
