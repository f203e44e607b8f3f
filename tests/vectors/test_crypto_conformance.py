"""One suite for all providers: whoever passes gives the same verdict about every signature.

A new provider adds itself to PROVIDERS and VERIFIERS. Signatures that matter are constructed,
not drawn: random trials never meet t = 0, an unreduced e, or a sum at infinity.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from crypto import sm2, sm3
from crypto.curve import N, P
from crypto.errors import CryptoError, DecryptionFailed, KeyInvalid, SignatureInvalid
from crypto.provider import CryptoProvider, SignedItem
from crypto.providers.software import SoftwareProvider
from tests.sdf import soft
from tests.vectors import curve_arithmetic as plain

MakeProvider = Callable[[bytes], CryptoProvider]
VerifyDigest = Callable[[bytes, bytes, bytes], None]

# From a private key to its provider; and verification of e, for those that offer it.
PROVIDERS: dict[str, MakeProvider] = {"software": SoftwareProvider, "sdf": soft.provider}
VERIFIERS: dict[str, VerifyDigest] = {"software": sm2.verify_digest}


@pytest.fixture(params=list(PROVIDERS.values()), ids=list(PROVIDERS))
def make(request: pytest.FixtureRequest) -> MakeProvider:
    made: MakeProvider = request.param
    return made


@pytest.fixture(params=list(VERIFIERS.values()), ids=list(VERIFIERS))
def verify_digest(request: pytest.FixtureRequest) -> VerifyDigest:
    verifier: VerifyDigest = request.param
    return verifier


# GB/T 32918.5-2017: signature (A.2) and encryption (C.2) over the recommended curve.
PRIVATE = bytes.fromhex("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8")
PUBLIC = bytes.fromhex(
    "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
    "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
)
SIGNER_DIGEST = bytes.fromhex("B2E14C5C79C6DF5B85F4FE7ED8DB7A262B9DA7E07CCB0EA9F4747B8CCDA8A4F3")
MESSAGE = b"message digest"
DIGEST = bytes.fromhex("F0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640")
SIGNATURE = bytes.fromhex(
    "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
    "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
)
PLAINTEXT = b"encryption standard"
CIPHERTEXT = bytes.fromhex(
    "04"
    "04EBFC718E8D1798620432268E77FEB6415E2EDE0E073C0F4F640ECD2E149A73"
    "E858F9D81E5430A57B36DAAB8F950A3C64E6EE6A63094D99283AFF767E124DF0"
    "59983C18F809E262923C53AEC295D30383B54E39D609D160AFCB1908D0BD8766"
    "21886CA989CA9C7D58087307CA93092D651EFA"
)

OTHER_PRIVATE = (0xC0FFEE).to_bytes(32, "big")


def number(value: int) -> bytes:
    return value.to_bytes(32, "big")


# --- the standard's examples -------------------------------------------------------------------


def test_the_example_of_the_standard_verifies(make: MakeProvider) -> None:
    provider = make(PRIVATE)
    assert provider.public_key == PUBLIC
    provider.verify(PUBLIC, MESSAGE, SIGNATURE)


def test_the_intermediate_values_of_the_standard_are_met() -> None:
    assert sm2.signer_digest(PUBLIC) == SIGNER_DIGEST
    assert sm3.digest(SIGNER_DIGEST + MESSAGE) == DIGEST
    assert plain.is_good(PUBLIC, DIGEST, SIGNATURE)


def test_the_ciphertext_of_the_standard_opens(make: MakeProvider) -> None:
    assert make(PRIVATE).decrypt(CIPHERTEXT) == PLAINTEXT


# --- signing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("message", [b"", b"a", b"\0" * 64, b"x" * 100_000])
def test_a_signature_verifies_and_is_good_by_the_definition(
    make: MakeProvider, message: bytes
) -> None:
    provider = make(OTHER_PRIVATE)
    signature = provider.sign(message)
    assert len(signature) == 64
    provider.verify(provider.public_key, message, signature)
    digest = sm3.digest(sm2.signer_digest(provider.public_key) + message)
    assert plain.is_good(provider.public_key, digest, signature)


def test_no_two_signatures_are_alike(make: MakeProvider) -> None:
    provider = make(PRIVATE)
    assert len({provider.sign(MESSAGE) for _ in range(8)}) == 8


@pytest.mark.parametrize("private", [1, 2, N - 3, N - 2], ids=["1", "2", "n-3", "n-2"])
def test_the_first_and_last_private_keys_sign(make: MakeProvider, private: int) -> None:
    provider = make(number(private))
    assert provider.public_key == plain.encode(plain.point(private))
    provider.verify(provider.public_key, MESSAGE, provider.sign(MESSAGE))


@pytest.mark.parametrize(
    "private",
    [
        number(0),
        number(N - 1),
        number(N),
        number(N + 1),
        b"\xff" * 32,
        b"",
        PRIVATE[1:],
        PRIVATE + b"\0",
        b"\0" + PRIVATE,
    ],
    ids=["0", "n-1", "n", "n+1", "2^256-1", "empty", "31", "33", "padded"],
)
def test_a_private_key_out_of_range_is_refused(make: MakeProvider, private: bytes) -> None:
    with pytest.raises(KeyInvalid) as caught:
        make(private)
    assert private.hex() not in str(caught.value) or not private


# --- malformed signatures and keys -------------------------------------------------------------


@pytest.mark.parametrize("place", range(64))
def test_one_flipped_bit_of_a_signature_is_refused(make: MakeProvider, place: int) -> None:
    changed = bytearray(SIGNATURE)
    changed[place] ^= 1 << place % 8
    with pytest.raises(SignatureInvalid):
        make(PRIVATE).verify(PUBLIC, MESSAGE, bytes(changed))


@pytest.mark.parametrize(
    ("public", "message"),
    [
        (PUBLIC, b"message digesu"),
        (PUBLIC, b""),
        (PUBLIC, MESSAGE + b"\0"),
        (sm2.public_key(OTHER_PRIVATE), MESSAGE),
    ],
)
def test_another_message_or_key_is_refused(
    make: MakeProvider, public: bytes, message: bytes
) -> None:
    with pytest.raises(SignatureInvalid):
        make(PRIVATE).verify(public, message, SIGNATURE)


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        b"\0",
        SIGNATURE[:-1],
        SIGNATURE[1:],
        SIGNATURE + b"\0",
        b"\0" + SIGNATURE,
        SIGNATURE * 2,
        sm2.signature_to_der(SIGNATURE),
        SIGNATURE[32:] + SIGNATURE[:32],
        SIGNATURE.hex().encode(),
    ],
)
def test_a_malformed_signature_is_refused(make: MakeProvider, signature: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        make(PRIVATE).verify(PUBLIC, MESSAGE, signature)


# x small enough that x + p still fits into 32 bytes: a second encoding of one point.
SMALL_X = plain.lift_from(1)

BAD_PUBLIC_KEYS = {
    "empty": b"",
    "infinity": b"\0",
    "zeros": bytes(64),
    "short": PUBLIC[:-1],
    "long": PUBLIC + b"\0",
    "tagged": b"\x04" + PUBLIC,
    "compressed": b"\x03" + PUBLIC[:32],
    "x only": PUBLIC[:32],
    "y changed": PUBLIC[:-1] + bytes((PUBLIC[-1] ^ 1,)),
    "x changed": bytes((PUBLIC[0] ^ 1,)) + PUBLIC[1:],
    "swapped": PUBLIC[32:] + PUBLIC[:32],
    "ones": b"\xff" * 64,
    "x = p": number(P) + PUBLIC[32:],
    "x unreduced": number(SMALL_X[0] + P) + number(SMALL_X[1]),
    "little-endian": PUBLIC[31::-1] + PUBLIC[:31:-1],
}


@pytest.mark.parametrize("public", BAD_PUBLIC_KEYS.values(), ids=BAD_PUBLIC_KEYS.keys())
def test_a_public_key_that_is_no_point_is_refused(make: MakeProvider, public: bytes) -> None:
    with pytest.raises(KeyInvalid):
        make(PRIVATE).verify(public, MESSAGE, SIGNATURE)


def test_a_public_key_with_small_x_is_accepted() -> None:
    with pytest.raises(SignatureInvalid):
        sm2.verify(plain.encode(SMALL_X), MESSAGE, SIGNATURE)


# --- degenerate signatures ---------------------------------------------------------------------


def test_the_owner_cannot_pass_a_signature_with_r_at_infinity(make: MakeProvider) -> None:
    """r = e mod n, s = -r * d / (1 + d): GmSSL accepts it, OpenSSL does not; a fork if mixed."""
    d = int.from_bytes(PRIVATE, "big")
    r = int.from_bytes(DIGEST, "big") % N
    s = -r * d * pow(1 + d, -1, N) % N
    with pytest.raises(SignatureInvalid):
        make(PRIVATE).verify(PUBLIC, MESSAGE, plain.signature(r, s))


@pytest.mark.parametrize("e", [12345, N - 1, N + 5, 2**256 - 1])
def test_r_at_infinity_is_refused_for_every_digest(verify_digest: VerifyDigest, e: int) -> None:
    s = 0xABCDEF
    r = e % N
    public = plain.public_for(None, s=s, t=r + s)
    with pytest.raises(SignatureInvalid):
        verify_digest(public, number(e), plain.signature(r, s))


def test_r_at_infinity_is_refused_whatever_r_is(verify_digest: VerifyDigest) -> None:
    r, s = 77, 88
    public = plain.public_for(None, s=s, t=r + s)
    for e in (1, r + 1, N - 1):
        with pytest.raises(SignatureInvalid):
            verify_digest(public, number(e), plain.signature(r, s))


@pytest.mark.parametrize("t", [2, 12345, N - 2])
def test_equal_summands_are_accepted(verify_digest: VerifyDigest, t: int) -> None:
    """sG = tP, so R = 2sG: the addition must double. Pure gmssl refuses it."""
    s = 1 if t != N - 2 else N - 7
    public = plain.encode(plain.point(s * pow(t, -1, N)))
    r = (t - s) % N
    e = (r - plain.point(2 * s)[0]) % N
    verify_digest(public, number(e), plain.signature(r, s))


COMMITMENTS = {
    "any": plain.point(0x1234567),
    "smallest x": SMALL_X,
    "x >= n": plain.lift_from(N),
    "G": plain.G,
    "2G": plain.point(2),
    "-G": plain.point(N - 1),
}
EDGES = [1, 2, 3, 0x7F, 0x80, 1 << 128, 1 << 255, N - 3, N - 2, N - 1]


@pytest.mark.parametrize("commitment", COMMITMENTS.values(), ids=COMMITMENTS.keys())
@pytest.mark.parametrize("r", EDGES)
def test_every_r_and_commitment_verifies(
    verify_digest: VerifyDigest, commitment: plain.Point, r: int
) -> None:
    """Short and full numbers in the signature, and x that has to be reduced modulo n."""
    s = 0x1F2E3D4C5B6A
    public = plain.public_for(commitment, s=s, t=(r + s) % N)
    e = (r - commitment[0]) % N
    verify_digest(public, number(e), plain.signature(r, s))
    with pytest.raises(SignatureInvalid):
        verify_digest(public, number((e + 1) % N), plain.signature(r, s))


@pytest.mark.parametrize("s", EDGES)
def test_every_s_verifies(verify_digest: VerifyDigest, s: int) -> None:
    commitment, r = plain.point(99), 0x1F2E3D4C5B6A
    public = plain.public_for(commitment, s=s, t=(r + s) % N)
    e = (r - commitment[0]) % N
    verify_digest(public, number(e), plain.signature(r, s))


@pytest.mark.parametrize("e", [N, N + 5, 2**256 - 1], ids=["n", "n+5", "2^256-1"])
def test_a_digest_of_n_or_more_is_reduced(verify_digest: VerifyDigest, e: int) -> None:
    commitment, s = plain.lift_from(N), 4711
    r = (e + commitment[0]) % N
    public = plain.public_for(commitment, s=s, t=r + s)
    verify_digest(public, number(e), plain.signature(r, s))


@pytest.mark.parametrize("r", [1, 0xABCDEF, N - 1])
def test_t_zero_is_refused(verify_digest: VerifyDigest, r: int) -> None:
    """With t = 0 the key plays no part: R = sG, and anyone could sign for anyone."""
    s = N - r
    e = (r - plain.point(s)[0]) % N
    with pytest.raises(SignatureInvalid):
        verify_digest(PUBLIC, number(e), plain.signature(r, s))


@pytest.mark.parametrize("written", [0, N], ids=["0", "n"])
def test_r_zero_is_refused(verify_digest: VerifyDigest, written: int) -> None:
    commitment, s = plain.point(5), 6
    public = plain.public_for(commitment, s=s, t=s)
    e = -commitment[0] % N
    with pytest.raises(SignatureInvalid):
        verify_digest(public, number(e), plain.signature(written, s))


@pytest.mark.parametrize("written", [0, N], ids=["0", "n"])
def test_s_zero_is_refused(verify_digest: VerifyDigest, written: int) -> None:
    commitment, r = plain.point(5), 7
    public = plain.public_for(commitment, s=0, t=r)
    e = (r - commitment[0]) % N
    with pytest.raises(SignatureInvalid):
        verify_digest(public, number(e), plain.signature(r, written))


def test_unreduced_r_and_s_are_refused(verify_digest: VerifyDigest) -> None:
    """r + n and s + n still fit into 32 bytes: a second signature over the same message."""
    commitment, r, s = plain.point(11), 5, 9
    public = plain.public_for(commitment, s=s, t=r + s)
    digest = number((r - commitment[0]) % N)
    verify_digest(public, digest, plain.signature(r, s))
    for changed in (plain.signature(r + N, s), plain.signature(r, s + N)):
        with pytest.raises(SignatureInvalid):
            verify_digest(public, digest, changed)


def test_negated_s_is_refused(verify_digest: VerifyDigest) -> None:
    """What is a second valid signature in ECDSA is none here."""
    r, s = SIGNATURE[:32], int.from_bytes(SIGNATURE[32:], "big")
    with pytest.raises(SignatureInvalid):
        verify_digest(PUBLIC, DIGEST, r + number(N - s))


SMALL_S = (1, 2, 3, N - 1)
SMALL_T = (1, 2, 3, 4, N - 1, N - 2)
SMALL_D = (1, 2, 3, (N + 1) // 2, N - 2)


@pytest.mark.parametrize(("s", "t", "d"), list(itertools.product(SMALL_S, SMALL_T, SMALL_D)))
def test_small_multiples_meet_every_case_of_the_addition(
    verify_digest: VerifyDigest, s: int, t: int, d: int
) -> None:
    public = plain.encode(plain.point(d))
    r = (t - s) % N
    commitment = plain.multiply(s + t * d, plain.G)
    e = (r - commitment[0]) % N if commitment else r
    signature = plain.signature(r, s)
    if commitment is None or r == 0:
        with pytest.raises(SignatureInvalid):
            verify_digest(public, number(e), signature)
    else:
        verify_digest(public, number(e), signature)


# --- batches -----------------------------------------------------------------------------------


def test_a_batch_tells_good_from_bad_in_order(make: MakeProvider) -> None:
    provider = make(PRIVATE)
    good = SignedItem(PUBLIC, MESSAGE, SIGNATURE)
    items = [
        good,
        SignedItem(PUBLIC, b"another", SIGNATURE),
        SignedItem(PUBLIC, MESSAGE, SIGNATURE[:-1]),
        SignedItem(PUBLIC[:-1], MESSAGE, SIGNATURE),
        good,
        SignedItem(bytes(64), MESSAGE, SIGNATURE),
        SignedItem(PUBLIC, MESSAGE, bytes(64)),
        good,
    ]
    assert provider.verify_batch(items) == [True, False, False, False, True, False, False, True]


def test_an_empty_batch_has_no_verdicts(make: MakeProvider) -> None:
    assert make(PRIVATE).verify_batch([]) == []


# --- decryption --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 16, 31, 32, 33, 255, 4096])
def test_what_is_encrypted_opens(make: MakeProvider, size: int) -> None:
    plaintext = bytes(range(256)) * 16
    ciphertext = sm2.encrypt(PUBLIC, plaintext[:size])
    assert len(ciphertext) == 97 + size and ciphertext[0] == 4
    assert make(PRIVATE).decrypt(ciphertext) == plaintext[:size]


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]


def reference_ciphertext_with_zero_mask() -> bytes:
    """A ciphertext of one byte whose mask t is zero: GB/T 32918.4 refuses it at both ends."""
    key = plain.Point((int.from_bytes(PUBLIC[:32], "big"), int.from_bytes(PUBLIC[32:], "big")))
    for k in range(1, 5000):
        shared = plain.multiply(k, key)
        assert shared is not None
        x2, y2 = number(shared[0]), number(shared[1])
        if sm3.digest(x2 + y2 + b"\0\0\0\1")[0] == 0:
            return b"\x04" + plain.encode(plain.point(k)) + sm3.digest(x2 + b"M" + y2) + b"M"
    raise AssertionError("none in 5000")


def ciphertext_to(point: plain.Point, plaintext: bytes) -> bytes:
    """C3||C2 for a C1 nobody knows the logarithm of: made with the private key instead of k."""
    shared = plain.multiply(int.from_bytes(PRIVATE, "big"), point)
    assert shared is not None
    x2, y2 = number(shared[0]), number(shared[1])
    mask = sm3.digest(x2 + y2 + b"\0\0\0\1")
    masked = bytes(a ^ b for a, b in zip(plaintext, mask, strict=False))
    return sm3.digest(x2 + plaintext + y2) + masked


def test_a_ciphertext_made_by_the_definition_opens(make: MakeProvider) -> None:
    body = ciphertext_to(SMALL_X, b"small x")
    assert make(PRIVATE).decrypt(b"\x04" + plain.encode(SMALL_X) + body) == b"small x"


BAD_CIPHERTEXTS = {
    "empty": b"",
    "head only": CIPHERTEXT[:97],
    "cut": CIPHERTEXT[:-1],
    "extended": CIPHERTEXT + b"\0",
    "untagged": CIPHERTEXT[1:],
    "compressed tag": b"\x02" + CIPHERTEXT[1:],
    "asn.1": b"\x30" + CIPHERTEXT,
    "point off the curve": flipped(CIPHERTEXT, 64),
    "point at infinity": b"\x04" + bytes(64) + CIPHERTEXT[65:],
    "another point": b"\x04" + PUBLIC + CIPHERTEXT[65:],
    "C3 changed": flipped(CIPHERTEXT, 65),
    "C2 changed": flipped(CIPHERTEXT, 97),
    "C1C2C3": CIPHERTEXT[:65] + CIPHERTEXT[97:] + CIPHERTEXT[65:97],
    "for another": sm2.encrypt(sm2.public_key(OTHER_PRIVATE), PLAINTEXT),
    "too long": CIPHERTEXT + bytes(5000),
    "point unreduced": b"\x04"
    + number(SMALL_X[0] + P)
    + number(SMALL_X[1])
    + ciphertext_to(SMALL_X, b"small x"),
    "zero mask": reference_ciphertext_with_zero_mask(),
}


@pytest.mark.parametrize("ciphertext", BAD_CIPHERTEXTS.values(), ids=BAD_CIPHERTEXTS.keys())
def test_a_ciphertext_that_was_changed_does_not_open(make: MakeProvider, ciphertext: bytes) -> None:
    with pytest.raises(DecryptionFailed) as caught:
        make(PRIVATE).decrypt(ciphertext)
    assert isinstance(caught.value, CryptoError)


def test_one_byte_is_never_sent_in_the_clear() -> None:
    """A mask of zero comes up once in 256 draws."""
    assert all(sm2.encrypt(PUBLIC, b"M")[-1:] != b"M" for _ in range(800))
