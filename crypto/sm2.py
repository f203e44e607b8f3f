"""SM2 (GB/T 32918): signatures of 64 bytes r||s, keys of 64 bytes X||Y, ciphertexts C1||C3||C2.

Checks of keys, signatures and degenerate cases are made here, not left to the library: libraries
differ in what they let pass, and two nodes that differ about one signature are a fork. Keys that
were used lately stay prepared in bounded caches. All functions may be called from many threads.
"""

from __future__ import annotations

import functools
import secrets
from typing import TYPE_CHECKING

from crypto import curve, der, sm3
from crypto.curve import POINT_BYTES, SCALAR_BYTES, N, check_private, check_public
from crypto.errors import DecryptionFailed, DerInvalid, PlaintextInvalid, SignatureInvalid
from crypto.libcrypto import Library, library

if TYPE_CHECKING:
    from crypto.libcrypto import CData

# OpenSSL before 4.0 signs with an empty ID unless told otherwise; GM/T 0009 sets this one.
DEFAULT_ID = b"1234567812345678"
# The ID's length in bits is hashed as two bytes (GB/T 32918.2, 5.5).
SIGNER_ID_BYTES_MAX = 0xFFFF // 8

SIGNATURE_BYTES = 2 * SCALAR_BYTES

# SM2 encrypts keys and short secrets; anything longer belongs into an envelope.
PLAINTEXT_BYTES_MAX = 4096
_POINT_TAG = b"\x04"
_C1_BYTES = 1 + POINT_BYTES
_OVERHEAD_BYTES = _C1_BYTES + sm3.DIGEST_BYTES

# A prepared public key takes about 4 KB: 8 MB at most. Validators, executors and the busiest
# senders stay prepared; preparing costs an eighth of a verification.
_PUBLIC_KEYS_MAX = 2048
# A process signs with one key or a handful; secrets should not pile up in memory.
_PRIVATE_KEYS_MAX = 16

# Each attempt to encrypt one byte fails with probability 1/256 (the mask is zero); never 64 times.
_ENCRYPT_ATTEMPTS_MAX = 64

_CURVE_BYTES = b"".join(
    number.to_bytes(SCALAR_BYTES, "big") for number in (curve.A, curve.B, curve.GX, curve.GY)
)


def generate() -> bytes:
    """A new private key, 32 bytes, uniform in 1 .. n-2."""
    return (1 + secrets.randbelow(curve.PRIVATE_MAX)).to_bytes(SCALAR_BYTES, "big")


def public_key(private: bytes) -> bytes:
    """The public key X||Y of a private key; raises KeyInvalid."""
    return _private_key(private).public


def sign(private: bytes, message: bytes, *, signer_id: bytes = DEFAULT_ID) -> bytes:
    """A signature r||s over `message`, randomized; raises KeyInvalid."""
    key = _private_key(private)
    digest = _message_hasher(key.public, signer_id)
    digest.update(message)
    return signature_from_der(key.sign(digest.digest()))


def message_digest(public: bytes, message: bytes) -> bytes:
    """e = SM3(ZA || message) under the default signer ID, 32 bytes: what a device signs."""
    digest = _message_hasher(public, DEFAULT_ID)
    digest.update(message)
    return digest.digest()


def verify(
    public: bytes, message: bytes, signature: bytes, *, signer_id: bytes = DEFAULT_ID
) -> None:
    """Raises SignatureInvalid or KeyInvalid unless `signature` over `message` is good.

    r = e means that R = sG + tP is the point at infinity, which GB/T 32918.2 excludes and some
    libraries accept: refused here. sG = tP, which others refuse, is good.
    """
    hasher = _message_hasher(public, signer_id)
    hasher.update(message)
    verify_digest(public, hasher.digest(), signature)


def verify_digest(public: bytes, digest: bytes, signature: bytes) -> None:
    """`verify` for a caller who has e = SM3(ZA || message), 32 bytes, already."""
    assert len(digest) == sm3.DIGEST_BYTES
    key = _public_key(public)
    r, s = _numbers(signature)
    if r + s == N:
        raise SignatureInvalid("the signature's t = r + s is zero")
    if (int.from_bytes(digest, "big") - r) % N == 0:
        raise SignatureInvalid("the signature's R is the point at infinity")
    if not key.verify(_signature_der(signature), digest):
        raise SignatureInvalid("the signature does not match key, message and signer ID")


def encrypt(public: bytes, plaintext: bytes) -> bytes:
    """C1||C3||C2 of 1 .. 4096 bytes: 97 bytes longer; raises KeyInvalid or PlaintextInvalid."""
    if not 1 <= len(plaintext) <= PLAINTEXT_BYTES_MAX:
        raise PlaintextInvalid(
            f"SM2 encrypts 1 to {PLAINTEXT_BYTES_MAX} bytes, not {len(plaintext)}; "
            "seal longer data in an envelope"
        )
    key = _public_key(public)
    for _ in range(_ENCRYPT_ATTEMPTS_MAX):
        ciphertext = _raw_ciphertext(key.encrypt(plaintext))
        # GB/T 32918.4, 6.1 A5: a mask of zeros, which would send the plaintext, is drawn anew.
        # 3.0.22 sees to it itself; whether a library does is not for its version to decide.
        if ciphertext[_OVERHEAD_BYTES:] != plaintext:
            return ciphertext
    raise AssertionError("the random generator repeats itself")


def decrypt(private: bytes, ciphertext: bytes) -> bytes:
    """The plaintext of C1||C3||C2; raises DecryptionFailed or KeyInvalid."""
    key = _private_key(private)
    point = ciphertext[1:_C1_BYTES]
    masked = ciphertext[_OVERHEAD_BYTES:]
    if (
        not 1 <= len(masked) <= PLAINTEXT_BYTES_MAX
        or ciphertext[:1] != _POINT_TAG
        or not curve.is_on_curve(point)
    ):
        raise DecryptionFailed("these bytes are no SM2 ciphertext C1||C3||C2")
    plaintext = key.decrypt(
        der.sequence(
            der.integer(int.from_bytes(point[:SCALAR_BYTES], "big")),
            der.integer(int.from_bytes(point[SCALAR_BYTES:], "big")),
            der.octets(ciphertext[_C1_BYTES:_OVERHEAD_BYTES]),
            der.octets(masked),
        )
    )
    if plaintext is None or plaintext == masked:
        raise DecryptionFailed("the SM2 ciphertext is for another key or was changed")
    return plaintext


def signature_to_der(signature: bytes) -> bytes:
    """The DER form, as in certificates, of a signature r||s; raises SignatureInvalid."""
    _numbers(signature)
    return _signature_der(signature)


def signature_from_der(encoded: bytes) -> bytes:
    """The form r||s of a signature in strict DER; raises SignatureInvalid."""
    try:
        reader = der.Reader(encoded)
        items = reader.sequence()
        reader.end()
        r, s = items.integer(), items.integer()
        items.end()
    except DerInvalid as error:
        raise SignatureInvalid(f"the signature is not strict DER: {error}") from None
    if not (0 < r < N and 0 < s < N):
        raise SignatureInvalid("the signature's r or s is out of the range 1 .. n-1")
    return r.to_bytes(SCALAR_BYTES, "big") + s.to_bytes(SCALAR_BYTES, "big")


def signer_digest(public: bytes, *, signer_id: bytes = DEFAULT_ID) -> bytes:
    """ZA of GB/T 32918.2, 5.5: the SM3 value of ID, curve and public key; raises KeyInvalid."""
    check_public(public)
    assert len(signer_id) <= SIGNER_ID_BYTES_MAX
    id_bits = (8 * len(signer_id)).to_bytes(2, "big")
    return sm3.digest(id_bits + signer_id + _CURVE_BYTES + public)


class _PublicKey:
    """A prepared public key. No two calls share a context; a free one is taken or made."""

    __slots__ = ("_free", "_key", "_library")

    def __init__(self, loaded: Library, key: CData) -> None:
        self._library = loaded
        self._key = key
        self._free: list[CData] = []  # no longer than there are threads

    def verify(self, signature: bytes, digest: bytes) -> bool:
        try:
            verifier = self._free.pop()
        except IndexError:
            verifier = self._library.verifier(self._key)
        good = self._library.verify(verifier, signature, digest)
        self._free.append(verifier)
        return good

    def encrypt(self, plaintext: bytes) -> bytes:
        return self._library.encrypt(self._key, plaintext)


class _PrivateKey:
    """A prepared key pair; contexts as above. libcrypto clears the secret when it frees it."""

    __slots__ = ("_free", "_key", "_library", "public")

    def __init__(self, loaded: Library, key: CData, public: bytes) -> None:
        self._library = loaded
        self._key = key
        self._free: list[CData] = []
        self.public = public

    def sign(self, digest: bytes) -> bytes:
        try:
            signer = self._free.pop()
        except IndexError:
            signer = self._library.signer(self._key)
        signature = self._library.sign(signer, digest)
        self._free.append(signer)
        return signature

    def decrypt(self, ciphertext: bytes) -> bytes | None:
        return self._library.decrypt(self._key, ciphertext)


@functools.lru_cache(maxsize=_PUBLIC_KEYS_MAX)
def _public_key(public: bytes) -> _PublicKey:
    check_public(public)
    loaded = library()
    return _PublicKey(loaded, loaded.load(public, None))


@functools.lru_cache(maxsize=_PRIVATE_KEYS_MAX)
def _private_key(private: bytes) -> _PrivateKey:
    check_private(private)
    loaded = library()
    public = loaded.multiply_base(private)
    return _PrivateKey(loaded, loaded.load(public, private), public)


@functools.lru_cache(maxsize=_PUBLIC_KEYS_MAX)
def _prepared_hasher(public: bytes, signer_id: bytes) -> sm3.Hasher:
    hasher = sm3.hasher()
    hasher.update(signer_digest(public, signer_id=signer_id))
    return hasher


def _message_hasher(public: bytes, signer_id: bytes) -> sm3.Hasher:
    """A hasher that has seen ZA: with the message it gives e."""
    return _prepared_hasher(public, signer_id).copy()


def _numbers(signature: bytes) -> tuple[int, int]:
    if len(signature) != SIGNATURE_BYTES:
        raise SignatureInvalid(f"a signature has {SIGNATURE_BYTES} bytes, not {len(signature)}")
    r = int.from_bytes(signature[:SCALAR_BYTES], "big")
    s = int.from_bytes(signature[SCALAR_BYTES:], "big")
    if not (0 < r < N and 0 < s < N):
        raise SignatureInvalid("the signature's r or s is out of the range 1 .. n-1")
    return r, s


def _signature_der(signature: bytes) -> bytes:
    """DER of an r||s that `_numbers` let pass, without detour over numbers."""
    r = signature[:SCALAR_BYTES].lstrip(b"\0")
    s = signature[SCALAR_BYTES:].lstrip(b"\0")
    if r[0] & 0x80:
        r = b"\0" + r
    if s[0] & 0x80:
        s = b"\0" + s
    return b"\x30%c\x02%c%b\x02%c%b" % (4 + len(r) + len(s), len(r), r, len(s), s)


def _raw_ciphertext(encoded: bytes) -> bytes:
    """C1||C3||C2 of libcrypto's ASN.1 form (GM/T 0009)."""
    reader = der.Reader(encoded)
    items = reader.sequence()
    reader.end()
    x, y = items.integer(), items.integer()
    digest, masked = items.octets(), items.octets()
    items.end()
    point = x.to_bytes(SCALAR_BYTES, "big") + y.to_bytes(SCALAR_BYTES, "big")
    return _POINT_TAG + point + digest + masked
