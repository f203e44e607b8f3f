"""Reads SM2 certificates in the one form of this chain (X.509, docs/certificates.md; clause 8.1.2).

It keeps nothing and knows nobody: `read` tells what a certificate says, `signer` which of some keys
signed it. Whether to believe it is for the contract that asks, such as `identity`. What stands in
the outer frame, which no signature covers, must be in the one form that DER allows; what a root
signed only has to be where it belongs, and nodes are stricter about it.
"""

from __future__ import annotations

from contracts.dialect import (
    int_from_bytes,
    int_to_bytes,
    is_name,
    record,
    require,
    sm2_verify,
    to_hex,
    view,
)

ROLES = ("node", "user", "executor", "publisher", "auditor")
SIZE_MAX = 4096  # bytes of DER; ours have about 600
KEYS_MAX = 8  # that are tried on one certificate: each costs 100,000 units
SERIAL_MAX = 40  # hex digits: 20 bytes (RFC 5280, 4.1.2.2)

# Tags of DER.
INTEGER = 0x02
BIT_STRING = 0x03
OCTETS = 0x04
SEQUENCE = 0x30
SET = 0x31
UTC_TIME = 0x17
VERSION = 0xA0  # [0]
EXTENSIONS = 0xA3  # [3]
URI = 0x86  # [6] of GeneralName
# The bodies of object ids: 2.5.4.10, 2.5.4.11 and 2.5.4.3, and 2.5.29.17.
ORGANIZATION = b"\x55\x04\x0a"
UNIT = b"\x55\x04\x0b"
COMMON_NAME = b"\x55\x04\x03"
ALT_NAME = b"\x55\x1d\x11"
PEER_SCHEME = b"libp2p:"
# The algorithm SM2 with SM3, 1.2.156.10197.1.501, whole.
SM2_WITH_SM3 = b"\x30\x0a\x06\x08\x2a\x81\x1c\xcf\x55\x01\x83\x75"


@record
class Parsed:
    """What a certificate says of itself; of a root, `role` and `peer_id` are ""."""

    serial: str  # hex, without leading zeros
    organization: str
    role: str
    name: str
    public_key: bytes  # X || Y
    peer_id: str
    not_before_ms: int
    not_after_ms: int


@view
def read(certificate: bytes) -> Parsed:
    """What a certificate says of itself, whoever signed it."""
    body, _ = opened(certificate)
    return parsed(body)


@view
def signer(certificate: bytes, keys: list[bytes]) -> bytes:
    """The first of these keys that signed the certificate; empty if none of them did."""
    require(len(keys) <= KEYS_MAX, "certificate.keys: try 8 keys at most")
    body, signature = opened(certificate)
    for key in keys:
        if sm2_verify(key, body, signature):
            return key
    return b""


# Each function below reads what stands at a place, and returns where the content begins and ends.


def element(data: bytes, at: int, tag: int) -> tuple[int, int]:
    """The content of the DER element at `at`, which must have this tag."""
    require(
        at + 2 <= len(data) and data[at] == tag, "certificate.form: it is no certificate of ours"
    )
    size = data[at + 1]
    begin = at + 2
    if size >= 128:
        count = size - 128
        require(
            1 <= count <= 2 and begin + count <= len(data), "certificate.form: it is not in DER"
        )
        size = int_from_bytes(data[begin : begin + count])
        # One length has one form: a copy in another form would have another fingerprint.
        require(size >= (128 if count == 1 else 256), "certificate.form: it is not in DER")
        begin += count
    require(begin + size <= len(data), "certificate.form: it was cut off")
    return begin, begin + size


def opened(certificate: bytes) -> tuple[bytes, bytes]:
    """The signed body of a certificate, and the signature r||s."""
    require(len(certificate) <= SIZE_MAX, "certificate.form: it is longer than 4096 bytes")
    begin, end = element(certificate, 0, SEQUENCE)
    require(end == len(certificate), "certificate.form: something follows it")
    _, body_end = element(certificate, begin, SEQUENCE)
    algorithm_end = body_end + len(SM2_WITH_SM3)
    require(
        certificate[body_end:algorithm_end] == SM2_WITH_SM3,
        "certificate.algorithm: it is not signed with SM2 and SM3",
    )
    bits, bits_end = element(certificate, algorithm_end, BIT_STRING)
    require(bits_end == end and bits < end, "certificate.form: something follows its signature")
    require(certificate[bits] == 0, "certificate.form: its signature is no whole number of bytes")
    numbers, numbers_end = element(certificate, bits + 1, SEQUENCE)
    first, second = element(certificate, numbers, INTEGER)
    third, fourth = element(certificate, second, INTEGER)
    require(
        numbers_end == end and fourth == end, "certificate.form: its signature is not two numbers"
    )
    return certificate[begin:body_end], number_32(certificate[first:second]) + number_32(
        certificate[third:fourth]
    )


def number_32(content: bytes) -> bytes:
    """A positive INTEGER as 32 bytes."""
    require(
        1 <= len(content) <= 33 and content[0] < 128, "certificate.form: its signature is no SM2"
    )
    require(
        len(content) == 1 or content[0] > 0 or content[1] >= 128,
        "certificate.form: it is not in DER",
    )
    digits = content[1:] if content[0] == 0 else content
    require(len(digits) <= 32, "certificate.form: its signature is no SM2")
    return int_to_bytes(int_from_bytes(digits), 32)


def parsed(body: bytes) -> Parsed:
    """The fields of a body that a root signed: here they only have to be where they belong."""
    begin, _ = element(body, 0, SEQUENCE)
    _, version_end = element(body, begin, VERSION)
    serial, serial_end = element(body, version_end, INTEGER)
    _, algorithm_end = element(body, serial_end, SEQUENCE)
    _, issuer_end = element(body, algorithm_end, SEQUENCE)
    validity, validity_end = element(body, issuer_end, SEQUENCE)
    middle, not_before_ms = moment(body, validity)
    _, not_after_ms = moment(body, middle)
    subject, subject_end = element(body, validity_end, SEQUENCE)
    key, key_end = element(body, subject_end, SEQUENCE)
    _, kind_end = element(body, key, SEQUENCE)
    point, point_end = element(body, kind_end, BIT_STRING)
    require(
        point_end - point == 66 and body[point + 1] == 4,
        "certificate.key: give it an SM2 key X || Y",
    )
    names = name_parts(body, subject, subject_end)
    role = names.get("role", "")
    require(
        role == "" or role in ROLES, "certificate.role: its OU is no role; see `shuxin ca issue`"
    )
    return Parsed(
        serial_text(body[serial:serial_end]),
        names.get("organization", ""),
        role,
        names.get("name", ""),
        body[point + 2 : point_end],
        peer_id_in(body, key_end),
        not_before_ms,
        not_after_ms,
    )


def serial_text(content: bytes) -> str:
    require(len(content) > 0, "certificate.serial: it has 1 to 20 bytes")
    require(content[0] < 128, "certificate.serial: it is negative")
    text = to_hex(content)
    while text.startswith("0"):
        text = text[1:]
    require(1 <= len(text) <= SERIAL_MAX, "certificate.serial: it has 1 to 20 bytes")
    return text


def name_parts(body: bytes, at: int, end: int) -> dict[str, str]:
    """Organization, role and name of a Name, each at most once and nothing else."""
    found: dict[str, str] = {}
    while at < end:
        inside, at = element(body, at, SET)
        pair, _ = element(body, inside, SEQUENCE)
        kind, kind_end = element(body, pair, 0x06)
        key = "name"
        if body[kind:kind_end] == ORGANIZATION:
            key = "organization"
        elif body[kind:kind_end] == UNIT:
            key = "role"
        else:
            require(
                body[kind:kind_end] == COMMON_NAME, "certificate.subject: it has O, OU and CN only"
            )
        require(key not in found, "certificate.subject: it names each part once")
        require(body[kind_end] in (0x0C, 0x13), "certificate.subject: its names are plain text")
        text, text_end = element(body, kind_end, body[kind_end])
        found[key] = body[text:text_end].decode()
        require(is_name(found[key]), "certificate.subject: names are 1 to 64 of a-z 0-9 _ - .")
    return found


def peer_id_in(body: bytes, at: int) -> str:
    """The peer id in the alternative names of the extensions; "" without one."""
    outer, _ = element(body, at, EXTENSIONS)
    at, end = element(body, outer, SEQUENCE)
    while at < end:
        inside, at = element(body, at, SEQUENCE)
        kind, kind_end = element(body, inside, 0x06)
        if body[kind:kind_end] == ALT_NAME:
            names, _ = element(body, kind_end, OCTETS)
            name, _ = element(body, names, SEQUENCE)
            uri, uri_end = element(body, name, URI)
            text = body[uri:uri_end]
            require(text.startswith(PEER_SCHEME), "certificate.peer_id: its SAN is libp2p:PEER")
            return text[len(PEER_SCHEME) :].decode()
    return ""


def moment(body: bytes, at: int) -> tuple[int, int]:
    """Where a Time ends, and its Unix milliseconds (RFC 5280, 4.1.2.5)."""
    begin, end = element(body, at, body[at])
    text = body[begin:end].decode()
    if body[at] == UTC_TIME:
        text = ("20" if text < "50" else "19") + text
    require(
        len(text) == 15 and text.endswith("Z"), "certificate.time: its times end in seconds and Z"
    )
    year, month, day = int(text[:4]), int(text[4:6]), int(text[6:8])
    seconds = int(text[8:10]) * 3600 + int(text[10:12]) * 60 + int(text[12:14])
    # Days since 1970 of a date in the calendar that begins in March: leap days come last.
    shifted = year - (1 if month <= 2 else 0)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    days = shifted * 365 + shifted // 4 - shifted // 100 + shifted // 400 + day_of_year - 719_468
    return end, (days * 86_400 + seconds) * 1000
