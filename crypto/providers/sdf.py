"""A provider whose key lives in a cryptographic device with the interface of GM/T 0018 (SDF).

The device signs; its private key never leaves it. Everything public is done here: ZA and SM3 of
the message, and verification, whose verdicts must be the same on every node whatever device it
has. Each signature of the device is verified before it leaves, so that a fault of the device is
told by this node and not by its peers.

Structures and codes are those of GM/T 0018-2012, sections 5 and 6 and annex A. Decrypting with an
internal key is not in that edition; the form here is the one that vendors have in common.
"""

from __future__ import annotations

import ctypes
import functools
import queue
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from crypto import curve, sm2
from crypto.errors import CryptoError, DecryptionFailed, KeyInvalid, SignatureInvalid
from crypto.provider import SignedItem
from crypto.providers.software import verify_batch

SESSIONS_MAX = 8  # open at a time: a node signs on a few threads, and devices count sessions
KEY_INDEX_MAX = 4096  # annexes of vendors end far below
PASSWORD_SIZE_MAX = 64  # bytes of an access right

_FIELD_SIZE = 64  # bytes of a number in a structure: ECCref_MAX_LEN, right aligned
_NUMBER_SIZE = 32  # of them used by SM2
_PLAINTEXT_SIZE_MAX = 1 << 16  # bytes: keys of envelopes have 16
_SM2_ENCRYPTION = 0x00020800  # SGD_SM2_3
_SM2_BITS = 256

_PLACE = re.compile(r"sdf:(.+)#([0-9]{1,4})")
_OK = 0
_CODES = {
    0x01000001: "unknown error",
    0x01000002: "not supported by the device",
    0x01000003: "no communication with the device",
    0x01000004: "hardware fault",
    0x01000005: "the device cannot be opened",
    0x01000006: "no session can be opened",
    0x01000007: "no access right to the private key: check the password",
    0x01000008: "there is no such key",
    0x01000009: "algorithm not supported",
    0x0100000A: "algorithm mode not supported",
    0x0100000B: "public key operation failed",
    0x0100000C: "private key operation failed",
    0x0100000D: "signing failed",
    0x0100000E: "verification failed",
    0x01000012: "no such key, or of another type",
    0x01000016: "no room for a file",
    0x0100001D: "an argument is wrong",
    0x0100001E: "the key does not exist",
    0x0100001F: "the key type is wrong",
}


class DeviceFault(CryptoError):
    """The device, or its library, did not do what was asked; says what and what to look at."""


class _PublicKey(ctypes.Structure):
    """ECCrefPublicKey."""

    _fields_ = (
        ("bits", ctypes.c_uint),
        ("x", ctypes.c_ubyte * _FIELD_SIZE),
        ("y", ctypes.c_ubyte * _FIELD_SIZE),
    )


class _Signature(ctypes.Structure):
    """ECCSignature."""

    _fields_ = (("r", ctypes.c_ubyte * _FIELD_SIZE), ("s", ctypes.c_ubyte * _FIELD_SIZE))


def _cipher_type(size: int) -> type[ctypes.Structure]:
    """ECCCipher with room for `size` bytes of C2."""

    class Cipher(ctypes.Structure):
        _fields_ = (
            ("x", ctypes.c_ubyte * _FIELD_SIZE),
            ("y", ctypes.c_ubyte * _FIELD_SIZE),
            ("hash", ctypes.c_ubyte * 32),
            ("length", ctypes.c_uint),
            ("text", ctypes.c_ubyte * size),
        )

    return Cipher


class Device:
    """An open device with a few sessions; safe to use from many threads."""

    def __init__(self, library: Path) -> None:
        """Open what the vendor's library finds. Raises DeviceFault."""
        if not library.is_absolute():
            raise DeviceFault(f"{library}: give the absolute path of the device's library")
        try:
            self._library = ctypes.CDLL(str(library))
        except OSError as error:
            raise DeviceFault(f"{library} cannot be loaded: {error}; install the driver") from None
        self._path = library
        self._device = ctypes.c_void_p()
        self.call("SDF_OpenDevice", ctypes.byref(self._device))
        self._sessions: queue.LifoQueue[ctypes.c_void_p] = queue.LifoQueue()
        self._granting = threading.Lock()
        try:
            for _ in range(SESSIONS_MAX):
                session = ctypes.c_void_p()
                self.call("SDF_OpenSession", self._device, ctypes.byref(session))
                self._sessions.put(session)
        except DeviceFault:
            self.close()
            raise

    def has(self, function: str) -> bool:
        """Does the vendor's library have this function?"""
        return hasattr(self._library, function)

    def call(self, function: str, *arguments: object) -> None:
        """Call it; it frees the GIL. Raises DeviceFault for every answer but success."""
        try:
            found = getattr(self._library, function)
        except AttributeError:
            raise DeviceFault(
                f"{self._path} has no {function}: it is no library of GM/T 0018"
            ) from None
        answer = int(found(*arguments)) & 0xFFFFFFFF
        if answer != _OK:
            meaning = _CODES.get(answer, "a code of the vendor's: see its manual")
            raise DeviceFault(f"{function} of {self._path.name}: 0x{answer:08x}, {meaning}")

    @contextmanager
    def session(self) -> Iterator[ctypes.c_void_p]:
        """A session of one's own, for as long as the block lasts."""
        session = self._sessions.get()
        try:
            yield session
        finally:
            self._sessions.put(session)

    def grant(self, index: int, password: bytes) -> None:
        """Give every session the right to use a private key. Raises DeviceFault."""
        held: list[ctypes.c_void_p] = []
        try:
            with self._granting:  # two that collect all sessions would wait for each other
                held += [self._sessions.get() for _ in range(SESSIONS_MAX)]
            for session in held:
                self.call("SDF_GetPrivateKeyAccessRight", session, index, password, len(password))
        finally:
            for session in held:
                self._sessions.put(session)

    def close(self) -> None:
        """Let go of sessions and device; what fails at the end changes nothing."""
        while not self._sessions.empty():
            self._library.SDF_CloseSession(self._sessions.get())
        self._library.SDF_CloseDevice(self._device)


def place_of(named: str) -> tuple[Path, int] | None:
    """Library and index in `sdf:LIBRARY#INDEX`; None for text of another form."""
    found = _PLACE.fullmatch(named)
    return None if found is None else (Path(found[1]), int(found[2]))


@functools.cache
def shared_device(library: Path) -> Device:
    """The device behind `library`, opened once in this process: devices count their sessions.

    Raises DeviceFault.
    """
    return Device(library)


class SdfProvider:
    """A CryptoProvider over the key pair with one index in a device."""

    def __init__(self, device: Device, index: int, password: bytes) -> None:
        """`password` gives the right to use the private key. Raises DeviceFault, KeyInvalid."""
        if not 1 <= index <= KEY_INDEX_MAX:
            raise KeyInvalid(f"a key in a device has an index from 1 to {KEY_INDEX_MAX}")
        if not 0 < len(password) <= PASSWORD_SIZE_MAX:
            raise KeyInvalid(f"the password of a device's key has 1 to {PASSWORD_SIZE_MAX} bytes")
        self._device = device
        self._index = index
        device.grant(index, password)
        found = _PublicKey()
        with device.session() as session:
            device.call("SDF_ExportSignPublicKey_ECC", session, index, ctypes.byref(found))
        self._public = _number(found.x) + _number(found.y)
        if found.bits != _SM2_BITS:
            raise KeyInvalid(f"the key {index} of the device has {found.bits} bits; SM2 has 256")
        curve.check_public(self._public)

    def __repr__(self) -> str:
        return f"SdfProvider(index={self._index}, public_key={self._public.hex()})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a provider stands for a key in a device and is not serialized")

    @property
    def public_key(self) -> bytes:
        """X||Y, 64 bytes."""
        return self._public

    def sign(self, message: bytes) -> bytes:
        """A signature r||s over `message`. Raises DeviceFault."""
        digest = sm2.message_digest(self._public, message)
        made = _Signature()
        with self._device.session() as session:
            self._device.call(
                "SDF_InternalSign_ECC",
                session,
                self._index,
                digest,
                len(digest),
                ctypes.byref(made),
            )
        signature = _number(made.r) + _number(made.s)
        try:
            sm2.verify_digest(self._public, digest, signature)
        except SignatureInvalid:
            raise DeviceFault(
                f"the device signed wrongly with key {self._index}: it is faulty, or the key is "
                "not a pair; do not use it further"
            ) from None
        return signature

    def verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        """Raises SignatureInvalid or KeyInvalid unless the signature is good."""
        sm2.verify(public, message, signature)

    def verify_batch(self, items: Sequence[SignedItem]) -> list[bool]:
        """Verdicts in order, by libcrypto: they must be alike on all nodes."""
        return verify_batch(items)

    def decrypt(self, ciphertext: bytes) -> bytes:
        """The plaintext of an SM2 ciphertext C1||C3||C2; raises DecryptionFailed, DeviceFault."""
        point, size = ciphertext[:65], len(ciphertext) - 97
        if point[:1] != b"\x04" or not 0 < size <= _PLAINTEXT_SIZE_MAX:
            raise DecryptionFailed("the ciphertext cannot be opened")
        try:
            curve.check_public(point[1:])
        except KeyInvalid:
            raise DecryptionFailed("the ciphertext cannot be opened") from None
        sealed = _cipher_type(size)()
        _fill(sealed.x, point[1:33])
        _fill(sealed.y, point[33:])
        ctypes.memmove(sealed.hash, ciphertext[65:97], 32)
        ctypes.memmove(sealed.text, ciphertext[97:], size)
        sealed.length = size
        opened = ctypes.create_string_buffer(size)
        length = ctypes.c_uint(size)
        with self._device.session() as session:
            try:
                self._device.call(
                    "SDF_InternalDecrypt_ECC",
                    session,
                    self._index,
                    _SM2_ENCRYPTION,
                    ctypes.byref(sealed),
                    opened,
                    ctypes.byref(length),
                )
            except DeviceFault:
                if not self._device.has("SDF_InternalDecrypt_ECC"):
                    raise
                raise DecryptionFailed("the ciphertext cannot be opened") from None
        if length.value != size:
            raise DecryptionFailed("the ciphertext cannot be opened")
        return opened.raw[:size]


def _number(field: ctypes.Array[ctypes.c_ubyte]) -> bytes:
    """The 32 bytes of a number, which stands at the right end of its field."""
    data = bytes(field)
    if any(data[:-_NUMBER_SIZE]):
        raise DeviceFault(
            "the device's library writes numbers in another form than GM/T 0018: it is built for "
            "another structure"
        )
    return data[-_NUMBER_SIZE:]


def _fill(field: ctypes.Array[ctypes.c_ubyte], number: bytes) -> None:
    ctypes.memmove(ctypes.addressof(field) + _FIELD_SIZE - len(number), number, len(number))
