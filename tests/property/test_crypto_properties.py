from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import der, envelope, keys, sm2, sm4
from crypto.curve import PRIVATE_MAX, N
from crypto.errors import (
    DecryptionFailed,
    DerInvalid,
    KeyFileInvalid,
    KeyInvalid,
    SignatureInvalid,
)

PRIVATE = (0xFEED).to_bytes(32, "big")
PUBLIC = sm2.public_key(PRIVATE)

private_keys = st.integers(1, PRIVATE_MAX).map(lambda d: d.to_bytes(32, "big"))
scalars = st.one_of(st.integers(1, N - 1), st.integers(1, 300), st.integers(N - 300, N - 1))


@given(private_keys, st.binary(max_size=300))
@settings(max_examples=100)
def test_what_is_signed_verifies(private: bytes, message: bytes) -> None:
    sm2.verify(sm2.public_key(private), message, sm2.sign(private, message))


@given(st.binary(max_size=130), st.binary(max_size=130))
@settings(max_examples=300)
def test_garbage_is_refused_with_the_typed_errors_only(public: bytes, signature: bytes) -> None:
    for key, raw in ((public, signature), (PUBLIC, signature), (public, bytes(64))):
        try:
            sm2.verify(key, b"m", raw)
        except (KeyInvalid, SignatureInvalid):
            continue
        raise AssertionError("garbage verified")


@given(scalars, scalars)
@settings(max_examples=300)
def test_signatures_survive_der(r: int, s: int) -> None:
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    encoded = sm2.signature_to_der(signature)
    assert encoded == der.sequence(der.integer(r), der.integer(s))
    assert sm2.signature_from_der(encoded) == signature


@given(st.binary(max_size=80))
def test_der_garbage_is_refused_or_the_one_encoding(data: bytes) -> None:
    try:
        signature = sm2.signature_from_der(data)
    except SignatureInvalid:
        return
    assert sm2.signature_to_der(signature) == data


@given(st.integers(0, 2**300))
def test_integers_survive_der(number: int) -> None:
    reader = der.Reader(der.integer(number))
    assert reader.integer() == number
    reader.end()


@given(st.sampled_from([0, 1, 127, 128, 255, 256, 65535, 65536, 100_000]))
def test_every_length_has_one_form(size: int) -> None:
    encoded = der.octets(bytes(size))
    assert der.Reader(encoded).octets() == bytes(size)
    for extra in (b"", b"\0"):
        longer = b"\x04\x83" + extra + size.to_bytes(3, "big") + bytes(size)
        if longer == encoded:
            continue
        try:
            der.Reader(longer).octets()
        except DerInvalid:
            continue
        raise AssertionError("a second encoding was accepted")


@given(st.binary(min_size=1, max_size=200))
@settings(max_examples=60)
def test_what_is_encrypted_opens(plaintext: bytes) -> None:
    assert sm2.decrypt(PRIVATE, sm2.encrypt(PUBLIC, plaintext)) == plaintext


@given(st.binary(max_size=200))
def test_ciphertext_garbage_fails_to_open(data: bytes) -> None:
    attempts: list[Callable[[], bytes]] = [
        lambda: sm2.decrypt(PRIVATE, data),
        lambda: sm2.decrypt(PRIVATE, b"\x04" + PUBLIC + data),
        lambda: envelope.open_with(PRIVATE, data, b""),
        lambda: envelope.open_with(PRIVATE, envelope.VERSION + b"\x04" + PUBLIC + data * 2, b""),
        lambda: sm4.open_sealed(bytes(16), bytes(12), data, b""),
    ]
    for attempt in attempts:
        try:
            attempt()
        except DecryptionFailed:
            continue
        raise AssertionError("garbage opened")


@given(st.binary(max_size=300))
def test_key_file_garbage_is_refused(data: bytes) -> None:
    wrapped = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n%b\n-----END ENCRYPTED PRIVATE KEY-----\n"
    for text in (data, wrapped % data, wrapped % data.hex().encode()):
        try:
            keys.pem_to_key(text, b"passphrase")
        except KeyFileInvalid:
            continue
        raise AssertionError("garbage was a key")
