"""Digital envelopes: bytes of any length sealed to one SM2 public key, or to several.

    envelope = version (1) | SM2(content key), C1||C3||C2 (113) | nonce (12) | SM4-GCM
    shared   = version (1) | nonce (12) | SM4-GCM, and apart from it SM2(content key) for each key

The content key is drawn for one envelope only. Header and wrapped keys are authenticated with the
content, so that none of them can be exchanged. The sender is not proven: who must know it signs
the envelope.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from crypto import sm2, sm4
from crypto.errors import DecryptionFailed

VERSION = b"\x01"
SHARED_VERSION = b"\x02"
_PURPOSE = b"shuxin envelope 1\0"
_SHARED_PURPOSE = b"shuxin envelope 2\0"
WRAPPED_BYTES = 97 + sm4.KEY_BYTES  # a content key, sealed to one public key
_WRAPPED_END = len(VERSION) + WRAPPED_BYTES
_HEAD_BYTES = _WRAPPED_END + sm4.NONCE_BYTES
OVERHEAD_BYTES = _HEAD_BYTES + sm4.TAG_BYTES
_SHARED_HEAD_BYTES = len(SHARED_VERSION) + sm4.NONCE_BYTES
SHARED_OVERHEAD_BYTES = _SHARED_HEAD_BYTES + sm4.TAG_BYTES


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


def seal_to_each(
    publics: Sequence[bytes], plaintext: bytes, associated: bytes
) -> tuple[bytes, tuple[bytes, ...]]:
    """One shared envelope, and for each of `publics`, in order, what opens it (`WRAPPED_BYTES`).

    `SHARED_OVERHEAD_BYTES` longer than the plaintext. Raises KeyInvalid or PlaintextInvalid.
    """
    key = secrets.token_bytes(sm4.KEY_BYTES)
    head = SHARED_VERSION + secrets.token_bytes(sm4.NONCE_BYTES)
    wrapped = tuple(sm2.encrypt(public, key) for public in publics)
    bound = _SHARED_PURPOSE + head + b"".join(wrapped) + associated
    return head + sm4.seal(key, head[len(SHARED_VERSION) :], plaintext, bound), wrapped


def open_shared(
    private: bytes, envelope: bytes, wrapped: Sequence[bytes], mine: int, associated: bytes
) -> bytes:
    """The plaintext of a shared envelope, with all that was sealed beside it in its order.

    `wrapped[mine]` is for `private`. Raises DecryptionFailed or KeyInvalid.
    """
    if len(envelope) < SHARED_OVERHEAD_BYTES or not envelope.startswith(SHARED_VERSION):
        raise DecryptionFailed("these bytes are no shared envelope of version 2")
    if not 0 <= mine < len(wrapped) or any(len(one) != WRAPPED_BYTES for one in wrapped):
        raise DecryptionFailed(f"a shared envelope comes with keys of {WRAPPED_BYTES} bytes each")
    head, sealed = envelope[:_SHARED_HEAD_BYTES], envelope[_SHARED_HEAD_BYTES:]
    bound = _SHARED_PURPOSE + head + b"".join(wrapped) + associated
    key = sm2.decrypt(private, wrapped[mine])
    return sm4.open_sealed(key, head[len(SHARED_VERSION) :], sealed, bound)
