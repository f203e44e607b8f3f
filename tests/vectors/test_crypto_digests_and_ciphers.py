"""Example values of GB/T 32905 (SM3), GM/T 0042 (HMAC-SM3), GB/T 32907 (SM4) and RFC 8998."""

from __future__ import annotations

import pytest

from crypto import sm3, sm4
from crypto.errors import DecryptionFailed, PlaintextInvalid

SM4_KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"abc", "66C7F0F462EEEDD9D1F2D46BDC10E4E24167C4875CF2F7A2297DA02B8F4BA8E0"),
        (b"abcd" * 16, "DEBE9FF92275B8A138604889C18E5A4D6FDB70E5387E5765293DCBA39C0C5732"),
        (b"", "1AB21D8355CFA17F8E61194831E81A8F22BEC8C728FEFB747ED035EB5082AA2B"),
    ],
    ids=["example 1", "example 2", "empty"],
)
def test_sm3_gives_the_digests_of_the_standard(message: bytes, expected: str) -> None:
    assert sm3.digest(message) == bytes.fromhex(expected)


def test_a_hasher_takes_the_message_in_pieces_and_can_be_copied() -> None:
    hasher = sm3.hasher()
    hasher.update(b"a")
    other = hasher.copy()
    hasher.update(b"bc")
    assert hasher.digest() == sm3.digest(b"abc")
    assert hasher.digest() == sm3.digest(b"abc")
    assert other.digest() == sm3.digest(b"a")
    assert sm3.digest(b"") == sm3.hasher().digest()


@pytest.mark.parametrize(
    ("key", "message", "expected"),
    [
        (
            bytes(range(1, 33)),
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq" * 2,
            "ca05e144ed05d1857840d1f318a4a8669e559fc8391f414485bfdf7bb408963a",
        ),
        (
            bytes(range(1, 38)),
            b"\xcd" * 50,
            "220bf579ded555393f0159f66c99877822a3ecf610d1552154b41d44b94db3ae",
        ),
        (
            b"\x0b" * 32,
            b"Hi There",
            "c0ba18c68b90c88bc07de794bfc7d2c8d19ec31ed8773bc2b390c9604e0be11e",
        ),
    ],
)
def test_hmac_gives_the_values_of_its_standard(key: bytes, message: bytes, expected: str) -> None:
    assert sm3.hmac(key, message) == bytes.fromhex(expected)


def test_a_key_longer_than_a_block_is_hashed_first() -> None:
    assert sm3.hmac(b"k" * 65, b"m") == sm3.hmac(sm3.digest(b"k" * 65), b"m")


def test_sm4_encrypts_the_first_example_of_the_standard() -> None:
    ciphertext = sm4.encrypt_cbc(SM4_KEY, bytes(16), SM4_KEY)
    assert ciphertext[:16] == bytes.fromhex("681EDF34D206965E86B3E94F536E4246")


def test_sm4_encrypts_the_second_example_a_million_times() -> None:
    """CBC over zeros feeds each block its predecessor's ciphertext: SM4 applied again and again."""
    ciphertext = sm4.encrypt_cbc(SM4_KEY, bytes(16), SM4_KEY + bytes(16 * 999_999))
    assert ciphertext[-32:-16] == bytes.fromhex("595298C7C6FD271F0402F804C33D3F66")


NONCE = bytes.fromhex("00001234567800000000ABCD")
ASSOCIATED = bytes.fromhex("FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2")
PLAINTEXT = b"".join(bytes((value,)) * 8 for value in b"\xaa\xbb\xcc\xdd\xee\xff\xee\xaa")
SEALED = bytes.fromhex(
    "17F399F08C67D5EE19D0DC9969C4BB7D5FD46FD3756489069157B282BB200735"
    "D82710CA5C22F0CCFA7CBF93D496AC15A56834CBCF98C397B4024A2691233B8D"
    "83DE3541E4C2B58177E065A9BF7B62EC"
)


def test_gcm_seals_the_example_of_rfc_8998() -> None:
    assert sm4.seal(SM4_KEY, NONCE, PLAINTEXT, ASSOCIATED) == SEALED
    assert sm4.open_sealed(SM4_KEY, NONCE, SEALED, ASSOCIATED) == PLAINTEXT


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 1000])
def test_gcm_opens_what_it_sealed(size: int) -> None:
    sealed = sm4.seal(SM4_KEY, NONCE, b"p" * size, b"")
    assert len(sealed) == size + sm4.TAG_BYTES
    assert sm4.open_sealed(SM4_KEY, NONCE, sealed, b"") == b"p" * size


@pytest.mark.parametrize("place", [0, 63, 64, 79])
def test_gcm_refuses_a_changed_ciphertext(place: int) -> None:
    changed = bytearray(SEALED)
    changed[place] ^= 0x80
    with pytest.raises(DecryptionFailed):
        sm4.open_sealed(SM4_KEY, NONCE, bytes(changed), ASSOCIATED)


@pytest.mark.parametrize("sealed", [b"", SEALED[:15], SEALED[:-1], SEALED + b"\0"])
def test_gcm_refuses_another_length(sealed: bytes) -> None:
    with pytest.raises(DecryptionFailed):
        sm4.open_sealed(SM4_KEY, NONCE, sealed, ASSOCIATED)


def test_gcm_refuses_another_key_nonce_or_association() -> None:
    for key, nonce, associated in (
        (bytes(16), NONCE, ASSOCIATED),
        (SM4_KEY, bytes(12), ASSOCIATED),
        (SM4_KEY, NONCE, b""),
    ):
        with pytest.raises(DecryptionFailed):
            sm4.open_sealed(key, nonce, SEALED, associated)


def test_cbc_opens_what_it_encrypted_and_refuses_bad_padding() -> None:
    vector = bytes(range(16))
    for size in (0, 1, 15, 16, 17):
        ciphertext = sm4.encrypt_cbc(SM4_KEY, vector, b"c" * size)
        assert sm4.decrypt_cbc(SM4_KEY, vector, ciphertext) == b"c" * size
    uneven = sm4.encrypt_cbc(SM4_KEY, vector, b"c" * 14 + b"\x01\x02")[:16]
    for bad in (b"", ciphertext[:-1], ciphertext[:16], uneven):
        with pytest.raises(DecryptionFailed):
            sm4.decrypt_cbc(SM4_KEY, vector, bad)


def test_more_than_one_call_can_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sm4, "PLAINTEXT_BYTES_MAX", 10)
    with pytest.raises(PlaintextInvalid):
        sm4.seal(SM4_KEY, NONCE, bytes(11), b"")
