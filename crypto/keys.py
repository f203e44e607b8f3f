"""Private keys on disk: PKCS #8, encrypted with PBES2, PEM; `openssl pkey -in FILE` opens them.

The cipher is SM4-CBC. The key is derived by PBKDF2, by default with HMAC-SHA256: OpenSSL before
3.1, and so Debian 12's command line, knows no HMAC-SM3 here, and an operator who cannot open a
key with the tools at hand has lost it. `Derivation.HMAC_SM3` is there for those who have newer
tools; both are read.
"""

from __future__ import annotations

import base64
import binascii
import enum
import hashlib
import os
import re
import secrets
import stat
from pathlib import Path

from crypto import curve, der, sm2, sm4
from crypto.errors import DecryptionFailed, DerInvalid, KeyFileInvalid, KeyInvalid
from crypto.files import sync_directory

# OWASP's figure for PBKDF2-HMAC-SHA256; about 0.15 s here.
ITERATIONS = 600_000
# RFC 8018 recommends at least 1,000; ten million is seconds, and more would only serve to hang us.
ITERATIONS_MIN, ITERATIONS_MAX = 1_000, 10_000_000
SALT_BYTES = 16
SALT_BYTES_MIN, SALT_BYTES_MAX = 8, 64
# What the openssl command line reads as a passphrase.
PASSPHRASE_BYTES_MAX = 1024
# Ours has about 450 bytes; a file much longer is no key.
FILE_BYTES_MAX = 16 * 1024

_PBES2 = "1.2.840.113549.1.5.13"
_PBKDF2 = "1.2.840.113549.1.5.12"
_SM4_CBC = "1.2.156.10197.1.104.2"
_EC_PUBLIC_KEY = "1.2.840.10045.2.1"
_SM2_CURVE = "1.2.156.10197.1.301"
_HMAC_SHA256 = "1.2.840.113549.2.9"
_HMAC_SM3 = "1.2.156.10197.1.401.2"  # GM/T 0091-2020, annex C
_HMAC_SM3_OPENSSL = "1.2.156.10197.1.401.3.1"  # annex A of the same, and OpenSSL since 3.1

_PEM = re.compile(
    rb"\s*-----BEGIN ENCRYPTED PRIVATE KEY-----\r?\n"
    rb"([A-Za-z0-9+/=\r\n]+)"
    rb"-----END ENCRYPTED PRIVATE KEY-----\s*"
)
_PEM_LINE_CHARS = 64
_CONVERT_HINT = (
    "convert it: openssl pkcs8 -topk8 -v2 sm4-cbc -v2prf hmacWithSHA256 -in OLD -out NEW"
)


class Derivation(enum.Enum):
    """The pseudorandom function of PBKDF2: what hashlib calls its hash."""

    HMAC_SHA256 = "sha256"
    HMAC_SM3 = "sm3"


# Written is the first name found for a derivation; OpenSSL's, because only OpenSSL reads others.
_DERIVATIONS = {
    _HMAC_SHA256: Derivation.HMAC_SHA256,
    _HMAC_SM3_OPENSSL: Derivation.HMAC_SM3,
    _HMAC_SM3: Derivation.HMAC_SM3,
}


def save_key(path: Path, private: bytes, passphrase: bytes, *, replace: bool = False) -> None:
    """Writes an encrypted key file, mode 0600, whole or not at all.

    Raises KeyFileInvalid if the file exists, unless `replace` (to change a passphrase): a key
    overwritten is a key lost. Raises KeyInvalid for a key out of range, OSError of the disk.
    """
    pem = key_to_pem(private, passphrase)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            temporary.replace(path)
        else:
            path.hardlink_to(temporary)  # unlike a rename, this never overwrites
    except FileExistsError:
        raise KeyFileInvalid(
            f"{path} exists and is not overwritten; move it away or choose another name"
        ) from None
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(path.parent)


def load_key(path: Path, passphrase: bytes) -> bytes:
    """The private key, 32 bytes, of a file by `save_key` or openssl; raises KeyFileInvalid."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise KeyFileInvalid(f"{path} is no regular file; name the key file itself")
            if status.st_mode & 0o077:
                raise KeyFileInvalid(f"{path} is open to other users; run: chmod 600 {path}")
            pem = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise KeyFileInvalid(f"{path} cannot be read: {error.strerror}") from None
    try:
        return pem_to_key(pem, passphrase)
    except KeyFileInvalid as error:
        raise KeyFileInvalid(f"{path}: {error}") from None


def key_to_pem(
    private: bytes,
    passphrase: bytes,
    *,
    derivation: Derivation = Derivation.HMAC_SHA256,
    iterations: int = ITERATIONS,
) -> bytes:
    """PEM of the encrypted PKCS #8 form of a private key; raises KeyInvalid, KeyFileInvalid."""
    assert ITERATIONS_MIN <= iterations <= ITERATIONS_MAX
    _check_passphrase(passphrase)
    salt = secrets.token_bytes(SALT_BYTES)
    vector = secrets.token_bytes(sm4.BLOCK_BYTES)
    key = _derive(passphrase, salt, iterations, derivation)
    name = next(oid for oid, known in _DERIVATIONS.items() if known is derivation)
    function = der.sequence(
        der.object_id(_PBKDF2),
        der.sequence(
            der.octets(salt),
            der.integer(iterations),
            der.sequence(der.object_id(name), der.null()),
        ),
    )
    scheme = der.sequence(der.object_id(_SM4_CBC), der.octets(vector))
    encrypted = der.sequence(
        der.sequence(der.object_id(_PBES2), der.sequence(function, scheme)),
        der.octets(sm4.encrypt_cbc(key, vector, private_key_info(private))),
    )
    text = base64.b64encode(encrypted)
    lines = [text[at : at + _PEM_LINE_CHARS] for at in range(0, len(text), _PEM_LINE_CHARS)]
    return b"\n".join(
        (
            b"-----BEGIN ENCRYPTED PRIVATE KEY-----",
            *lines,
            b"-----END ENCRYPTED PRIVATE KEY-----",
            b"",
        )
    )


def pem_to_key(pem: bytes, passphrase: bytes) -> bytes:
    """The private key in a PEM of `key_to_pem` or openssl; raises KeyFileInvalid."""
    _check_passphrase(passphrase)
    found = _PEM.fullmatch(pem) if len(pem) <= FILE_BYTES_MAX else None
    if found is None:
        raise KeyFileInvalid(f"this is no encrypted PKCS #8 key in PEM; {_CONVERT_HINT}")
    try:
        encoded = base64.b64decode(re.sub(rb"\r?\n", b"", found[1]), validate=True)
        info = _decrypt_info(encoded, passphrase)
    except (DerInvalid, binascii.Error) as error:
        raise KeyFileInvalid(
            f"the key is damaged or not encrypted with SM4-CBC and PBKDF2 ({error}); "
            f"{_CONVERT_HINT}"
        ) from None
    except DecryptionFailed:
        raise KeyFileInvalid("the passphrase is wrong, or the key is damaged") from None
    try:
        return _private_of_info(info)
    except (DerInvalid, KeyInvalid):
        # CBC finds a wrong passphrase by the padding only, and one in 256 passes that.
        raise KeyFileInvalid(
            "the passphrase is wrong, or the key is damaged or no SM2 key"
        ) from None


def _decrypt_info(encoded: bytes, passphrase: bytes) -> bytes:
    """The PrivateKeyInfo in an EncryptedPrivateKeyInfo (RFC 5958, RFC 8018)."""
    reader = der.Reader(encoded)
    outer = reader.sequence()
    reader.end()
    algorithm = outer.sequence()
    ciphertext = outer.octets()
    outer.end()
    algorithm.object_id((_PBES2,))
    parameters = algorithm.sequence()
    algorithm.end()
    function, scheme = parameters.sequence(), parameters.sequence()
    parameters.end()

    salt, iterations, derivation = _read_derivation(function)
    scheme.object_id((_SM4_CBC,))
    vector = scheme.octets()
    scheme.end()
    if len(vector) != sm4.BLOCK_BYTES:
        raise DerInvalid("the initialization vector has not 16 bytes")
    key = _derive(passphrase, salt, iterations, derivation)
    return sm4.decrypt_cbc(key, vector, ciphertext)


def _read_derivation(function: der.Reader) -> tuple[bytes, int, Derivation]:
    function.object_id((_PBKDF2,))
    parameters = function.sequence()
    function.end()
    salt = parameters.octets()
    iterations = parameters.integer()
    if parameters.next_is(der.INTEGER) and parameters.integer() != sm4.KEY_BYTES:
        raise DerInvalid("the derived key has not 16 bytes")
    prf = parameters.sequence()
    parameters.end()
    derivation = _DERIVATIONS[prf.object_id(tuple(_DERIVATIONS))]
    if prf.next_is(der.NULL):
        prf.null()
    prf.end()
    if not SALT_BYTES_MIN <= len(salt) <= SALT_BYTES_MAX:
        raise DerInvalid(f"the salt has {len(salt)} bytes")
    if not ITERATIONS_MIN <= iterations <= ITERATIONS_MAX:
        raise DerInvalid(f"the number of iterations is outside {ITERATIONS_MIN}-{ITERATIONS_MAX}")
    return salt, iterations, derivation


def private_key_info(private: bytes) -> bytes:
    """PrivateKeyInfo (RFC 5958) holding an ECPrivateKey (RFC 5915), as openssl writes them."""
    public = sm2.public_key(private)
    pair = der.sequence(
        der.integer(1), der.octets(private), der.tagged(1, der.bits(b"\x04" + public))
    )
    algorithm = der.sequence(der.object_id(_EC_PUBLIC_KEY), der.object_id(_SM2_CURVE))
    return der.sequence(der.integer(0), algorithm, der.octets(pair))


def _private_of_info(info: bytes) -> bytes:
    reader = der.Reader(info)
    outer = reader.sequence()
    reader.end()
    if outer.integer() != 0:
        raise DerInvalid("unknown version")
    algorithm = outer.sequence()
    algorithm.object_id((_EC_PUBLIC_KEY,))
    algorithm.object_id((_SM2_CURVE,))
    algorithm.end()
    inner = der.Reader(outer.octets())
    outer.end()
    pair = inner.sequence()
    inner.end()
    if pair.integer() != 1:
        raise DerInvalid("unknown version")
    private = pair.octets()
    curve.check_private(private)
    if pair.next_is(0xA0):
        pair.tagged(0).object_id((_SM2_CURVE,))
    if pair.next_is(0xA1) and pair.tagged(1).bits() != b"\x04" + sm2.public_key(private):
        raise KeyInvalid("the public key is not that of the private key")
    pair.end()
    return private


def _derive(passphrase: bytes, salt: bytes, iterations: int, derivation: Derivation) -> bytes:
    return hashlib.pbkdf2_hmac(derivation.value, passphrase, salt, iterations, sm4.KEY_BYTES)


def _check_passphrase(passphrase: bytes) -> None:
    if not 1 <= len(passphrase) <= PASSPHRASE_BYTES_MAX:
        raise KeyFileInvalid(f"a passphrase has 1 to {PASSPHRASE_BYTES_MAX} bytes")
