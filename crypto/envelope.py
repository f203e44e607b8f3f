"""Digital envelopes: bytes of any length sealed to one SM2 public key.

    envelope = version (1) | SM2(content key), C1||C3||C2 (113) | nonce (12) | SM4-GCM

The content key is drawn for one envelope only. Header and wrapped key are authenticated with the
content, so that none of them can be exchanged. The sender is not proven: who must know it signs
the envelope.
"""

from __future__ import annotations

import secrets

from crypto import sm2, sm4
from crypto.errors import DecryptionFailed

VERSION = b"\x01"
_PURPOSE = b"shuxin envelope 1\0"
_WRAPPED_END = len(VERSION) + 97 + sm4.KEY_BYTES
_HEAD_BYTES = _WRAPPED_END + sm4.NONCE_BYTES
OVERHEAD_BYTES = _HEAD_BYTES + sm4.TAG_BYTES


def seal_to(public: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """An envelope only the owner of `public` can open, bound to `associated`.

    `OVERHEAD_BYTES` longer than the plaintext. Raises KeyInvalid or PlaintextInvalid.
    """
    key = secrets.token_bytes(sm4.KEY_BYTES)
    nonce = secrets.token_bytes(sm4.NONCE_BYTES)
    head = VERSION + sm2.encrypt(public, key) + nonce
    return head + sm4.seal(key, nonce, plaintext, _PURPOSE + head + associated)


def open_with(private: bytes, envelope: bytes, associated: bytes) -> bytes:
    """The plaintext of an envelope; raises DecryptionFailed or KeyInvalid."""
    if len(envelope) < OVERHEAD_BYTES or not envelope.startswith(VERSION):
        raise DecryptionFailed("these bytes are no envelope of version 1")
    head, sealed = envelope[:_HEAD_BYTES], envelope[_HEAD_BYTES:]
    key = sm2.decrypt(private, head[len(VERSION) : _WRAPPED_END])
    return sm4.open_sealed(key, head[_WRAPPED_END:], sealed, _PURPOSE + head + associated)
