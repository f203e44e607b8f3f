"""Certificates on chain, byte by byte: one spelling of the frame, and no surprise in the body.

The frame is what no signature covers. Had it two spellings, one certificate would have two
fingerprints, and what was revoked or retired by one of them would live on by the other.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crypto import der, sm2
from crypto.x509 import encode
from crypto.x509.profile import PEER_SCHEME
from ledger.values import Value
from tests.business import STRANGER, Business, Fields, digest
from tests.x509_world import BEGIN, NODE, PEER, certificate_parts

PRIVATE = digest("who signs")
KEY = sm2.public_key(PRIVATE)
OTHER = sm2.public_key(digest("somebody else"))
PARTS = certificate_parts(NODE, KEY)
BODY = der.sequence(*PARTS.values())
SET = 0x31
UTF8, PRINTABLE, TELETEX = 0x0C, 0x13, 0x14
ORGANIZATION, UNIT, COMMON_NAME, COUNTRY = "2.5.4.10", "2.5.4.11", "2.5.4.3", "2.5.4.6"
ALT_NAME = "2.5.29.17"


def signature_of(body: bytes) -> bytes:
    return sm2.signature_to_der(sm2.sign(PRIVATE, body))


SIGNATURE = signature_of(BODY)
CERTIFICATE = encode.signed(BODY, SIGNATURE)


def signer(certificate: bytes) -> Value:
    """KEY if the contract finds its signature, else nothing."""
    return Business().ask(STRANGER, "certificate", "signer", certificate, [KEY])


def refusal(certificate: bytes) -> str:
    return Business().denied(STRANGER, "certificate", "signer", certificate, [KEY])


# --- the frame ------------------------------------------------------------------------------------


def content_of(size: int) -> bytes:
    """Body, algorithm and signature, which have so many bytes together."""
    filler = size - len(encode.ALGORITHM) - len(der.bits(bytes(71))) - 2
    filler -= (filler > 127) + (filler > 256)  # a longer length of the body
    for attempt in range(999):  # signatures have 70 to 72 bytes
        body = der.sequence(attempt.to_bytes(2) + bytes(filler - 2))
        content = body + encode.ALGORITHM + der.bits(signature_of(body))
        if len(content) == size:
            return content
    raise AssertionError(f"no certificate of {size} bytes was made")


@pytest.mark.parametrize(
    ("head", "size"),
    [("307f", 127), ("308180", 128), ("3081ff", 255), ("30820100", 256), ("30820ffc", 4092)],
)
def test_each_length_has_a_form(head: str, size: int) -> None:
    assert signer(bytes.fromhex(head) + content_of(size)) == KEY


@pytest.mark.parametrize(
    ("head", "size"),
    [
        ("30817f", 127),  # one byte would do
        ("3080", 128),  # "indefinite", which is not in DER
        ("308200c8", 200),
        ("308200ff", 255),
        ("308300012c", 300),
        ("3082012d", 300),  # one more than there are
        ("3082012b", 300),  # one less
        ("30820ffd", 4093),  # the largest that is read has 4096 bytes
    ],
)
def test_no_length_has_another_form(head: str, size: int) -> None:
    assert refusal(bytes.fromhex(head) + content_of(size)) == "certificate.form"


BITS = der.bits(SIGNATURE)
ONE = der.integer(1)
FIRST, SECOND = sm2.signature_from_der(SIGNATURE)[:32], sm2.signature_from_der(SIGNATURE)[32:]
NUMBERS = b"".join(der.integer(int.from_bytes(part)) for part in (FIRST, SECOND))
FRAMES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "certificate.form"),
    "one_byte": (b"\x30", "certificate.form"),
    "a_set": (der.element(SET, BODY + encode.ALGORITHM + BITS), "certificate.form"),
    "a_length_that_was_cut_off": (b"\x30\x82\x01", "certificate.form"),
    "a_body_longer_than_the_whole": (der.sequence(b"\x30\x82\x04\x00" + BODY), "certificate.form"),
    "another_algorithm": (
        der.sequence(BODY, der.sequence(der.object_id("1.2.3")), BITS),
        "certificate.algorithm",
    ),
    "something_after_the_signature": (
        der.sequence(BODY, encode.ALGORITHM, BITS, der.null()),
        "certificate.form",
    ),
    "a_signature_beside_its_bits": (
        der.sequence(BODY, encode.ALGORITHM, b"\x03\x01\x00", SIGNATURE),
        "certificate.form",
    ),
    "no_bits": (der.sequence(BODY, encode.ALGORITHM, b"\x03\x00"), "certificate.form"),
    "bits_that_are_no_bytes": (
        der.sequence(BODY, encode.ALGORITHM, der.element(der.BIT_STRING, b"\x01" + SIGNATURE)),
        "certificate.form",
    ),
    "numbers_beside_their_sequence": (
        encode.signed(BODY, der.sequence() + NUMBERS),
        "certificate.form",
    ),
    "a_third_number": (encode.signed(BODY, der.sequence(NUMBERS, ONE)), "certificate.form"),
    "one_number": (encode.signed(BODY, der.sequence(ONE)), "certificate.form"),
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_that_is_not_ours_is_refused(name: str) -> None:
    certificate, code = FRAMES[name]
    assert refusal(certificate) == code


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80" + bytes(31),  # negative
        b"\xff" * 32,
        b"\x00\x7f" + bytes(31),  # the zero is not needed
        b"\x00\x00",
        b"\x01" * 33,
        b"\x00" + b"\x80" * 33,
    ],
)
def test_a_number_of_a_signature_has_one_form(content: bytes) -> None:
    for numbers in (
        der.element(der.INTEGER, content) + ONE,
        ONE + der.element(der.INTEGER, content),
    ):
        assert refusal(encode.signed(BODY, der.sequence(numbers))) == "certificate.form"


@pytest.mark.parametrize("content", [b"\x00", b"\x05", b"\x7f" * 32, b"\x00\x80" + bytes(31)])
def test_a_number_in_that_form_is_read_and_signs_nothing_by_itself(content: bytes) -> None:
    number = der.element(der.INTEGER, content)
    assert signer(encode.signed(BODY, der.sequence(number, ONE))) == b""


def test_eight_keys_are_tried_and_the_first_that_signed_is_named() -> None:
    keys: list[Value] = [*[OTHER] * 7, KEY]
    assert Business().ask(STRANGER, "certificate", "signer", CERTIFICATE, keys) == KEY
    keys.insert(0, OTHER)
    denied = Business().denied(STRANGER, "certificate", "signer", CERTIFICATE, keys)
    assert denied == "certificate.keys"


# --- the body -------------------------------------------------------------------------------------


def with_part(part: str, value: bytes) -> bytes:
    body = der.sequence(*{**PARTS, part: value}.values())
    return encode.signed(body, signature_of(body))


def read(certificate: bytes) -> Fields:
    return Business().ask_record(STRANGER, "certificate", "read", certificate)


def names(*parts: tuple[str, int, str]) -> bytes:
    """A Name of (kind, tag of its text, text)."""
    return der.sequence(
        *(
            der.element(SET, der.sequence(der.object_id(kind), der.element(tag, text.encode())))
            for kind, tag, text in parts
        )
    )


def alternative(uri: bytes) -> bytes:
    """Extensions with an alternative name, of which `uri` is the whole element."""
    value = der.octets(der.sequence(uri))
    return der.tagged(3, der.sequence(der.sequence(der.object_id(ALT_NAME), value)))


def key_info(point: bytes) -> bytes:
    return der.sequence(der.sequence(der.object_id("1.2.840.10045.2.1")), der.bits(point))


def until(tag: int, text: str) -> bytes:
    """A validity that ends with this text."""
    return der.sequence(encode.time(BEGIN), der.element(tag, text.encode()))


UTC_TIME, LONG_TIME, URI = 0x17, 0x18, 0x86


@pytest.mark.parametrize(
    ("part", "value", "code"),
    [
        ("serial", der.element(der.INTEGER, b""), "certificate.serial"),
        ("serial", der.element(der.INTEGER, b"\x80"), "certificate.serial"),
        ("serial", der.element(der.INTEGER, b"\xff\x01"), "certificate.serial"),
        ("serial", der.element(der.INTEGER, b"\x00"), "certificate.serial"),
        ("serial", der.element(der.INTEGER, b"\x7f" * 21), "certificate.serial"),
        ("key", key_info(b"\x04" + KEY + b"\x00"), "certificate.key"),
        ("key", key_info(b"\x02" + KEY), "certificate.key"),
        ("key", key_info(b"\x02" + KEY[:32]), "certificate.key"),
        ("subject", names((UNIT, UTF8, "king")), "certificate.role"),
        ("subject", names((COUNTRY, UTF8, "cn")), "certificate.subject"),
        ("subject", names(*[(COMMON_NAME, UTF8, "n1")] * 2), "certificate.subject"),
        ("subject", names((COMMON_NAME, TELETEX, "n1")), "certificate.subject"),
        ("subject", names((COMMON_NAME, UTF8, "N 1")), "certificate.subject"),
        ("subject", names((ORGANIZATION, UTF8, "")), "certificate.subject"),
        ("validity", until(LONG_TIME, "20500101000000"), "certificate.time"),
        ("validity", until(LONG_TIME, "205001010000000"), "certificate.time"),
        ("validity", until(LONG_TIME, "20500101000000.5Z"), "certificate.time"),
        ("validity", until(UTC_TIME, "3001010000Z"), "certificate.time"),
        ("extensions", alternative(der.element(URI, b"https://n1")), "certificate.peer_id"),
        ("extensions", alternative(b"\x86\x7f" + PEER_SCHEME.encode()), "certificate.form"),
        ("extensions", der.tagged(3, b""), "certificate.form"),
    ],
)
def test_what_is_where_it_does_not_belong_is_refused(part: str, value: bytes, code: str) -> None:
    denied = Business().denied(STRANGER, "certificate", "read", with_part(part, value))
    assert denied == code


@pytest.mark.parametrize(
    ("content", "serial"),
    [
        (b"\x05", "5"),
        (b"\x00\x80", "80"),
        (b"\x10\x00", "1000"),
        (b"\x7f" + b"\xff" * 19, "7f" + "ff" * 19),
    ],
)
def test_a_serial_is_read_without_leading_zeros(content: bytes, serial: str) -> None:
    assert read(with_part("serial", der.element(der.INTEGER, content)))["serial"] == serial


def test_a_name_may_be_printable_text_as_well() -> None:
    parts = [(ORGANIZATION, PRINTABLE, "org1"), (UNIT, UTF8, "user"), (COMMON_NAME, UTF8, "li")]
    shown = read(with_part("subject", names(*parts)))
    assert (shown["organization"], shown["role"], shown["name"]) == ("org1", "user", "li")


def test_a_peer_id_is_what_follows_its_scheme() -> None:
    assert read(CERTIFICATE)["peer_id"] == PEER


@pytest.mark.parametrize(
    ("text", "year"), [("491231235959Z", 2049), ("501231235959Z", 1950), ("991231235959Z", 1999)]
)
def test_two_digits_of_a_year_mean_1950_to_2049(text: str, year: int) -> None:
    end = datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)
    shown = read(with_part("validity", until(UTC_TIME, text)))
    assert shown["not_after_ms"] == end.timestamp() * 1000
