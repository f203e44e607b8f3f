"""Sealed evidence: a thing on the chain that only the parties it names can open (8.1.1, 8.1.4a).

What is sealed is 32 random bytes and the thing, and their SM3 is the digest on record: whoever
opens it sees that it is what was recorded, and nobody can guess a short one from its digest.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from client.errors import ClientError
from crypto import envelope, sm3
from crypto.errors import CryptoError

SALT_SIZE: Final = 32  # bytes
CONTENT_MAX: Final = 32 * 1024 - SALT_SIZE - envelope.SHARED_OVERHEAD_BYTES


class SealedInvalid(ClientError):
    """It cannot be sealed, or is not what was recorded; says why."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What goes on record: the digest, the shared envelope, and each party with its key to it."""

    digest: bytes
    payload: bytes
    keys: tuple[tuple[str, bytes], ...]


def seal(evidence_id: str, content: bytes, readers: Sequence[tuple[str, bytes]]) -> Sealed:
    """Seals `content` to parties by public keys of theirs (64 bytes). Raises SealedInvalid."""
    if len(content) > CONTENT_MAX:
        raise SealedInvalid(
            f"more than {CONTENT_MAX} bytes, and the chain takes no more of one thing; "
            "record its digest"
        )
    salted = secrets.token_bytes(SALT_SIZE) + content
    try:
        payload, wrapped = envelope.seal_to_each(
            [public for _party, public in readers], salted, _bound_to(evidence_id)
        )
    except CryptoError as error:
        raise SealedInvalid(f"it cannot be sealed to these keys: {error}") from None
    parties = [party for party, _public in readers]
    return Sealed(sm3.digest(salted), payload, tuple(zip(parties, wrapped, strict=True)))


def unseal(evidence_id: str, sealed: Sealed, party: str, private: bytes) -> bytes:
    """What was sealed to `party`, whose key is `private`. Raises SealedInvalid."""
    names = [name for name, _wrapped in sealed.keys]
    if party not in names:
        raise SealedInvalid(f"it is sealed to {', '.join(names) or 'nobody'}, not to {party}")
    wrapped = [key for _name, key in sealed.keys]
    try:
        salted = envelope.open_shared(
            private, sealed.payload, wrapped, names.index(party), _bound_to(evidence_id)
        )
    except CryptoError as error:
        raise SealedInvalid(
            f"it does not open ({error}): name the key that it was sealed to, with --key"
        ) from None
    if sm3.digest(salted) != sealed.digest or len(salted) < SALT_SIZE:
        raise SealedInvalid("what is sealed is not what the digest on record is of")
    return salted[SALT_SIZE:]


def _bound_to(evidence_id: str) -> bytes:
    return b"shuxin evidence " + evidence_id.encode()
