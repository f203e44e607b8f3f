"""SM4 (GB/T 32907): authenticated encryption with GCM, and CBC for key files only.

Debian's OpenSSL 3.0 has no SM4-GCM; the `cryptography` package brings its own.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4

from crypto.errors import DecryptionFailed, PlaintextInvalid

KEY_BYTES = 16
NONCE_BYTES = 12
TAG_BYTES = 16
BLOCK_BYTES = 16

# OpenSSL counts the bytes of one call in an int; one call per message keeps the code plain.
PLAINTEXT_BYTES_MAX = 2**31 - 1 - BLOCK_BYTES


def seal(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """SM4-GCM: ciphertext and 16-byte tag, which also binds `associated`.

    A nonce (12 bytes) must never be used twice with one key (16 bytes): that would give away
    the difference of the plaintexts and the power to forge.
    """
    assert len(key) == KEY_BYTES and len(nonce) == NONCE_BYTES
    if len(plaintext) > PLAINTEXT_BYTES_MAX:
        raise PlaintextInvalid(f"SM4-GCM seals at most {PLAINTEXT_BYTES_MAX} bytes at once")
    encryptor = Cipher(SM4(key), modes.GCM(nonce)).encryptor()
    encryptor.authenticate_additional_data(associated)
    return encryptor.update(plaintext) + encryptor.finalize() + encryptor.tag


def open_sealed(key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
    """The plaintext of `seal`; raises DecryptionFailed, and no byte of it, if anything differs."""
    assert len(key) == KEY_BYTES and len(nonce) == NONCE_BYTES
    if not TAG_BYTES <= len(sealed) <= PLAINTEXT_BYTES_MAX + TAG_BYTES:
        raise DecryptionFailed("these bytes are no SM4-GCM ciphertext: wrong length")
    ciphertext, tag = sealed[:-TAG_BYTES], sealed[-TAG_BYTES:]
    decryptor = Cipher(SM4(key), modes.GCM(nonce, tag)).decryptor()
    decryptor.authenticate_additional_data(associated)
    plaintext = decryptor.update(ciphertext)
    try:
        return plaintext + decryptor.finalize()
    except (InvalidTag, ValueError):
        # ValueError where another user of OpenSSL in this thread left an error behind: then
        # `cryptography` takes the wrong tag for that one.
        raise DecryptionFailed("the SM4-GCM ciphertext was changed or the key is wrong") from None


def encrypt_cbc(key: bytes, vector: bytes, plaintext: bytes) -> bytes:
    """SM4-CBC with PKCS #7 padding. Not authenticated: for key files, whose form demands it."""
    assert len(key) == KEY_BYTES and len(vector) == BLOCK_BYTES
    padding = BLOCK_BYTES - len(plaintext) % BLOCK_BYTES
    encryptor = Cipher(SM4(key), modes.CBC(vector)).encryptor()
    return encryptor.update(plaintext + bytes((padding,)) * padding) + encryptor.finalize()


def decrypt_cbc(key: bytes, vector: bytes, ciphertext: bytes) -> bytes:
    """The plaintext of `encrypt_cbc`; raises DecryptionFailed if length or padding is wrong."""
    assert len(key) == KEY_BYTES and len(vector) == BLOCK_BYTES
    if not ciphertext or len(ciphertext) % BLOCK_BYTES:
        raise DecryptionFailed("these bytes are no SM4-CBC ciphertext: wrong length")
    decryptor = Cipher(SM4(key), modes.CBC(vector)).decryptor()
    padded = decryptor.update(ciphertext) + decryptor.finalize()
    padding = padded[-1]
    if not 1 <= padding <= BLOCK_BYTES or padded[-padding:] != bytes((padding,)) * padding:
        raise DecryptionFailed("the SM4-CBC ciphertext was changed or the key is wrong")
    return padded[:-padding]
