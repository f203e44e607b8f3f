"""The system's OpenSSL 3 through cffi: SM2 on raw digests. The only file that knows its C.

What comes in was checked by `crypto.sm2`: keys in range and on the curve, digests of 32 bytes,
numbers in range. What leaves is libcrypto's answer, and its failures are kept apart from its
verdicts: out of memory must not make one node refuse a signature that the others accept.

Every call frees the GIL and takes it back, which can cost a whole switch interval while another
thread computes. So contexts are kept for reuse, and a verification is one single call. Contexts
are never shared between two calls at a time; the keys behind them are, which OpenSSL allows.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

from crypto.curve import POINT_BYTES
from crypto.errors import LibcryptoFault, LibcryptoMissing

if TYPE_CHECKING:
    import cffi

    CData: TypeAlias = cffi.FFI.CData

SONAME = "libcrypto.so.3"
INSTALL_HINT = "install it: apt-get install libssl3 (libssl3t64 from Debian 13 on)"

_SM2_NID = 1172
_UNCOMPRESSED = 4
_SELECT_PUBLIC = 0x86  # EVP_PKEY_PUBLIC_KEY
_SELECT_PAIR = 0x87  # EVP_PKEY_KEYPAIR
_PARAM_END, _PARAM_UNSIGNED, _PARAM_TEXT, _PARAM_OCTETS = 0, 2, 4, 5
_UNMODIFIED = 2**64 - 1  # OSSL_PARAM_UNMODIFIED
_ERROR_POINT_AT_INFINITY = (16, 106)  # ERR_LIB_EC, EC_R_POINT_AT_INFINITY

# SEQUENCE of two INTEGERs below 2^256: 2 + 2 * (2 + 33) bytes.
_SIGNATURE_DER_BYTES_MAX = 72

_CDEF = """
typedef ... EVP_PKEY; typedef ... EVP_PKEY_CTX; typedef ... OSSL_LIB_CTX;
typedef ... EC_GROUP; typedef ... EC_POINT; typedef ... BIGNUM; typedef ... BN_CTX;
typedef struct {
    const char *key; unsigned int data_type; void *data; size_t data_size; size_t return_size;
} OSSL_PARAM;
EVP_PKEY_CTX *EVP_PKEY_CTX_new_from_name(OSSL_LIB_CTX *, const char *, const char *);
EVP_PKEY_CTX *EVP_PKEY_CTX_new_from_pkey(OSSL_LIB_CTX *, EVP_PKEY *, const char *);
void EVP_PKEY_CTX_free(EVP_PKEY_CTX *);
int EVP_PKEY_fromdata_init(EVP_PKEY_CTX *);
int EVP_PKEY_fromdata(EVP_PKEY_CTX *, EVP_PKEY **, int, OSSL_PARAM *);
void EVP_PKEY_free(EVP_PKEY *);
int EVP_PKEY_verify_init(EVP_PKEY_CTX *);
int EVP_PKEY_verify(EVP_PKEY_CTX *, const unsigned char *, size_t, const unsigned char *, size_t);
int EVP_PKEY_sign_init(EVP_PKEY_CTX *);
int EVP_PKEY_sign(EVP_PKEY_CTX *, unsigned char *, size_t *, const unsigned char *, size_t);
int EVP_PKEY_encrypt_init(EVP_PKEY_CTX *);
int EVP_PKEY_encrypt(EVP_PKEY_CTX *, unsigned char *, size_t *, const unsigned char *, size_t);
int EVP_PKEY_decrypt_init(EVP_PKEY_CTX *);
int EVP_PKEY_decrypt(EVP_PKEY_CTX *, unsigned char *, size_t *, const unsigned char *, size_t);
EC_GROUP *EC_GROUP_new_by_curve_name(int); void EC_GROUP_free(EC_GROUP *);
EC_POINT *EC_POINT_new(const EC_GROUP *); void EC_POINT_clear_free(EC_POINT *);
int EC_POINT_mul(const EC_GROUP *, EC_POINT *, const BIGNUM *, const EC_POINT *, const BIGNUM *,
                 BN_CTX *);
size_t EC_POINT_point2oct(const EC_GROUP *, const EC_POINT *, int, unsigned char *, size_t,
                          BN_CTX *);
BIGNUM *BN_bin2bn(const unsigned char *, int, BIGNUM *); void BN_clear_free(BIGNUM *);
unsigned long ERR_peek_error(void); void ERR_clear_error(void);
const char *OpenSSL_version(int);
"""

# What encrypts, decrypts and signs has one form: context, out, out size, in, in size.
_Transform: TypeAlias = "Callable[[CData, CData, CData, bytes, int], int]"


class _Functions(Protocol):
    """The functions of `_CDEF` with Python's types, named as in C."""

    EVP_PKEY_CTX_new_from_name: Callable[[CData, bytes, CData], CData]
    EVP_PKEY_CTX_new_from_pkey: Callable[[CData, CData, CData], CData]
    EVP_PKEY_CTX_free: Callable[[CData], None]
    EVP_PKEY_fromdata_init: Callable[[CData], int]
    EVP_PKEY_fromdata: Callable[[CData, CData, int, CData], int]
    EVP_PKEY_free: Callable[[CData], None]
    EVP_PKEY_verify_init: Callable[[CData], int]
    EVP_PKEY_verify: Callable[[CData, bytes, int, bytes, int], int]
    EVP_PKEY_sign_init: Callable[[CData], int]
    EVP_PKEY_sign: _Transform
    EVP_PKEY_encrypt_init: Callable[[CData], int]
    EVP_PKEY_encrypt: _Transform
    EVP_PKEY_decrypt_init: Callable[[CData], int]
    EVP_PKEY_decrypt: _Transform
    EC_GROUP_new_by_curve_name: Callable[[int], CData]
    EC_GROUP_free: Callable[[CData], None]
    EC_POINT_new: Callable[[CData], CData]
    EC_POINT_clear_free: Callable[[CData], None]
    EC_POINT_mul: Callable[[CData, CData, CData, CData, CData, CData], int]
    EC_POINT_point2oct: Callable[[CData, CData, int, CData, int, CData], int]
    BN_bin2bn: Callable[[bytes, int, CData], CData]
    BN_clear_free: Callable[[CData], None]
    ERR_peek_error: Callable[[], int]
    ERR_clear_error: Callable[[], None]
    OpenSSL_version: Callable[[int], CData]


class Library:
    """libcrypto, opened and found to know SM2; get it from `library()`."""

    __slots__ = ("_ffi", "_lib", "_null")

    def __init__(self, name: str) -> None:
        import cffi  # 30 ms with its C parser: only who signs or verifies pays for it

        self._ffi = cffi.FFI()
        self._ffi.cdef(_CDEF)
        try:
            self._lib = cast(_Functions, self._ffi.dlopen(name))
        except OSError:
            raise LibcryptoMissing(f"{name} (OpenSSL 3) cannot be opened; {INSTALL_HINT}") from None
        self._null = self._ffi.NULL
        self._lib.EVP_PKEY_CTX_free(self._new_context())

    def version(self) -> str:
        """What libcrypto calls itself, as "OpenSSL 3.0.17 1 Jul 2025"."""
        text = self._ffi.string(self._lib.OpenSSL_version(0))
        return text.decode("ascii") if isinstance(text, bytes) else text

    def multiply_base(self, scalar: bytes) -> bytes:
        """scalar * G as X||Y, in constant time; `scalar` is 1 .. n-1 in 32 bytes."""
        lib, ffi, null = self._lib, self._ffi, self._null
        group = ffi.gc(self._made(lib.EC_GROUP_new_by_curve_name(_SM2_NID)), lib.EC_GROUP_free)
        point = ffi.gc(self._made(lib.EC_POINT_new(group)), lib.EC_POINT_clear_free)
        number = ffi.gc(self._made(lib.BN_bin2bn(scalar, len(scalar), null)), lib.BN_clear_free)
        self._done(lib.EC_POINT_mul(group, point, number, null, null, null))
        out = ffi.new("unsigned char[]", 1 + POINT_BYTES)
        size = lib.EC_POINT_point2oct(group, point, _UNCOMPRESSED, out, len(out), null)
        self._done(size == len(out))
        return bytes(ffi.buffer(out))[1:]

    def load(self, public: bytes, private: bytes | None) -> CData:
        """An EVP_PKEY of a checked key or pair, freed when it is no longer referred to."""
        lib, ffi = self._lib, self._ffi
        values = [
            (ffi.new("char[]", b"group"), _PARAM_TEXT, ffi.new("char[]", b"SM2"), 3),
            (
                ffi.new("char[]", b"pub"),
                _PARAM_OCTETS,
                ffi.new("unsigned char[]", bytes((_UNCOMPRESSED,)) + public),
                1 + POINT_BYTES,
            ),
        ]
        if private is not None:
            native = private if sys.byteorder == "big" else private[::-1]
            number = ffi.new("unsigned char[]", native)
            values.append((ffi.new("char[]", b"priv"), _PARAM_UNSIGNED, number, len(native)))
        params = ffi.new("OSSL_PARAM[]", len(values) + 1)
        for index, (name, kind, data, size) in enumerate(values):
            params[index] = (name, kind, data, size, _UNMODIFIED)
        params[len(values)] = (self._null, _PARAM_END, self._null, 0, 0)

        context = ffi.gc(self._new_context(), lib.EVP_PKEY_CTX_free)
        self._done(lib.EVP_PKEY_fromdata_init(context))
        made = ffi.new("EVP_PKEY **")
        selection = _SELECT_PUBLIC if private is None else _SELECT_PAIR
        answer = lib.EVP_PKEY_fromdata(context, made, selection, params)
        if private is not None:
            ffi.memmove(number, bytes(len(private)), len(private))
        self._done(answer)
        return ffi.gc(made[0], lib.EVP_PKEY_free)

    def verifier(self, key: CData) -> CData:
        """A context for `verify`."""
        context = self._context(key)
        self._done(self._lib.EVP_PKEY_verify_init(context))
        return context

    def signer(self, key: CData) -> CData:
        """A context for `sign`."""
        context = self._context(key)
        self._done(self._lib.EVP_PKEY_sign_init(context))
        return context

    def verify(self, verifier: CData, signature: bytes, digest: bytes) -> bool:
        """Whether the DER `signature` is good for e = `digest`."""
        lib = self._lib
        if lib.EVP_PKEY_verify(verifier, signature, len(signature), digest, len(digest)) == 1:
            return True
        # libcrypto says 0 for a bad signature and for most of its own faults alike; only the
        # thread's error queue, which others may have used before us, tells them apart.
        lib.ERR_clear_error()
        if lib.EVP_PKEY_verify(verifier, signature, len(signature), digest, len(digest)) == 1:
            return True
        error = lib.ERR_peek_error()
        lib.ERR_clear_error()
        if error and (error >> 23 & 0xFF, error & 0x7FFFFF) != _ERROR_POINT_AT_INFINITY:
            raise LibcryptoFault(f"libcrypto could not verify: error 0x{error:08x}")
        return False

    def sign(self, signer: CData, digest: bytes) -> bytes:
        """A DER signature over e = `digest`."""
        signature = self._transform(
            self._lib.EVP_PKEY_sign, signer, digest, size_max=_SIGNATURE_DER_BYTES_MAX
        )
        if signature is None:
            raise self._fault("sign")
        return signature

    def encrypt(self, key: CData, plaintext: bytes) -> bytes:
        """The ASN.1 form of the SM2 ciphertext of `plaintext`."""
        context = self._context(key)
        self._done(self._lib.EVP_PKEY_encrypt_init(context))
        size_max = len(plaintext) + 128  # two INTEGERs, the SM3 value, and six headers
        sealed = self._transform(self._lib.EVP_PKEY_encrypt, context, plaintext, size_max=size_max)
        if sealed is None:
            raise self._fault("encrypt")
        return sealed

    def decrypt(self, key: CData, ciphertext: bytes) -> bytes | None:
        """The plaintext of an SM2 ciphertext in ASN.1 form, None if it does not open."""
        context = self._context(key)
        self._done(self._lib.EVP_PKEY_decrypt_init(context))
        plaintext = self._transform(
            self._lib.EVP_PKEY_decrypt, context, ciphertext, size_max=len(ciphertext)
        )
        if plaintext is None:
            self._lib.ERR_clear_error()
        return plaintext

    def _transform(
        self, function: _Transform, context: CData, data: bytes, *, size_max: int
    ) -> bytes | None:
        out = self._ffi.new("unsigned char[]", size_max)
        size = self._ffi.new("size_t *", size_max)
        if function(context, out, size, data, len(data)) != 1:
            return None
        result = bytes(self._ffi.buffer(out, size[0]))
        self._ffi.memmove(out, bytes(size_max), size_max)  # it may have held a plaintext
        return result

    def _new_context(self) -> CData:
        context = self._lib.EVP_PKEY_CTX_new_from_name(self._null, b"SM2", self._null)
        if context == self._null:
            self._lib.ERR_clear_error()
            raise LibcryptoMissing(
                f"{self.version()} was built without SM2; use Debian's own build; {INSTALL_HINT}"
            )
        return context

    def _context(self, key: CData) -> CData:
        made = self._lib.EVP_PKEY_CTX_new_from_pkey(self._null, key, self._null)
        return self._ffi.gc(self._made(made), self._lib.EVP_PKEY_CTX_free)

    def _made(self, pointer: CData) -> CData:
        self._done(pointer != self._null)
        return pointer

    def _done(self, answer: int) -> None:
        if answer != 1:
            raise self._fault("prepare a key")

    def _fault(self, act: str) -> LibcryptoFault:
        error = self._lib.ERR_peek_error()
        self._lib.ERR_clear_error()
        return LibcryptoFault(f"libcrypto could not {act}: error 0x{error:08x}")


@functools.cache
def library(name: str = SONAME) -> Library:
    """The library of that name, opened once; raises LibcryptoMissing."""
    return Library(name)
