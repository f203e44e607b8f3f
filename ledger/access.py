"""The signed header of a request: who asks a node what, and when (8.1.2, 8.1.7).

It covers the bytes of the request as they travel, so that a node judges before it parses, and a
header cannot be put before another request, method or chain. It names no node: whoever is asked
could show it to another one in its window (ADR 34 says what that is worth).
"""

from __future__ import annotations

from typing import Final

from crypto import sm3
from ledger.encoding import decode, encode
from ledger.errors import DecodeError
from ledger.model import (
    DIGEST_SIZE,
    NONCE_SIZE,
    PUBLIC_KEY_SIZE,
    SIGNATURE_SIZE,
    Digest,
    Record,
)

TAG_ACCESS: Final = b"shuxin/access/1\0"
CLAIM_VERSION: Final = 1
HEADER_KEY: Final = "shuxin-auth-bin"  # gRPC metadata; "-bin": the value is bytes
HEADER_SIZE_MAX: Final = 512  # bytes: a header has about 320
# How far a claim's time may be from the node's clock. Clocks kept by NTP differ by far less; the
# nonces of twice this time are remembered.
WINDOW_MS: Final = 60_000


class AccessClaim(Record):
    """What the caller signs. `certificate` narrows the caller to one of its certificates."""

    version: int
    chain_id: bytes
    method: str  # /package.Service/Method
    digest: bytes  # SM3 of the request's bytes
    time_ms: int
    nonce: bytes  # 16 random bytes: no header counts twice
    public_key: bytes
    certificate: bytes = b""  # SM3 of its DER; empty: all that the key's account has


class AccessHeader(Record):
    """`body` holds the canonical bytes of an AccessClaim."""

    body: bytes
    signature: bytes  # 64 bytes r || s over TAG_ACCESS + body


def request_digest(request: bytes) -> Digest:
    """What a claim says of a request. Of a method with a stream of requests: of no bytes."""
    return Digest(sm3.digest(request))


def encode_header(claim: bytes, signature: bytes) -> bytes:
    """The bytes of a header, from the canonical bytes of its claim."""
    return encode(AccessHeader(claim, signature))


def decode_header(data: bytes) -> tuple[AccessHeader, AccessClaim]:
    """A header and its claim, of the right sizes and of nothing else. Raises DecodeError."""
    header = decode(data, AccessHeader, size_max=HEADER_SIZE_MAX)
    claim = decode(header.body, AccessClaim, size_max=HEADER_SIZE_MAX)
    sizes = (
        ("chain_id", claim.chain_id, (DIGEST_SIZE,)),
        ("digest", claim.digest, (DIGEST_SIZE,)),
        ("nonce", claim.nonce, (NONCE_SIZE,)),
        ("public_key", claim.public_key, (PUBLIC_KEY_SIZE,)),
        ("certificate", claim.certificate, (0, DIGEST_SIZE)),
        ("signature", header.signature, (SIGNATURE_SIZE,)),
    )
    for name, value, allowed in sizes:
        if len(value) not in allowed:
            raise DecodeError(f"the header's {name} has {len(value)} bytes")
    if claim.version != CLAIM_VERSION:
        raise DecodeError(f"the header has version {claim.version}, not {CLAIM_VERSION}")
    return header, claim
