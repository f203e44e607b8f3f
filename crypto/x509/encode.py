"""DER of the parts of certificates, requests and revocation lists (RFC 5280, RFC 2986)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from crypto import der, sm3
from crypto.x509.profile import (
    EC_PUBLIC_KEY,
    PEER_SCHEME,
    SM2_CURVE,
    SM2_WITH_SM3,
    Role,
    Subject,
)

_UTF8_STRING, _UTC_TIME, _GENERALIZED_TIME = 0x0C, 0x17, 0x18
_SET, _BOOLEAN = 0x31, 0x01
_IMPLICIT_URI = 0x86  # [6] of GeneralName
_IMPLICIT_KEY_ID = 0x80  # [0] of AuthorityKeyIdentifier
_UTC_YEAR_END = 2050  # from this year on times have four digits of year (RFC 5280, 4.1.2.5)

_ORGANIZATION, _UNIT, _COMMON_NAME = "2.5.4.10", "2.5.4.11", "2.5.4.3"
_BASIC_CONSTRAINTS, _KEY_USAGE, _EXTENDED_USAGE = "2.5.29.19", "2.5.29.15", "2.5.29.37"
_SUBJECT_ALT_NAME, _SUBJECT_KEY_ID, _AUTHORITY_KEY_ID = "2.5.29.17", "2.5.29.14", "2.5.29.35"
_CRL_NUMBER = "2.5.29.20"
_EXTENSION_REQUEST = "1.2.840.113549.1.9.14"
_SERVER_AUTH, _CLIENT_AUTH = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"

# BIT STRINGs with the number of unused bits in front: digitalSignature is bit 0, keyCertSign bit
# 5, cRLSign bit 6.
_USAGE_LEAF, _USAGE_ROOT = b"\x07\x80", b"\x01\x06"
_TRUE = der.element(_BOOLEAN, b"\xff")
_PATH_LENGTH = der.integer(0)  # of a root: it issues leaves only

ALGORITHM = der.sequence(der.object_id(SM2_WITH_SM3))


def name(subject: Subject) -> bytes:
    """The Name of a subject or issuer."""
    parts = [(_ORGANIZATION, subject.organization), (_COMMON_NAME, subject.name)]
    if subject.role is not None:
        parts.insert(1, (_UNIT, subject.role.value))
    return der.sequence(
        *(
            der.element(
                _SET,
                der.sequence(der.object_id(kind), der.element(_UTF8_STRING, text.encode())),
            )
            for kind, text in parts
        )
    )


def time(when: datetime) -> bytes:
    """A Time, in whole seconds of UTC."""
    utc = when.astimezone(UTC)
    if utc.year < _UTC_YEAR_END:
        return der.element(_UTC_TIME, utc.strftime("%y%m%d%H%M%SZ").encode())
    return der.element(_GENERALIZED_TIME, utc.strftime("%Y%m%d%H%M%SZ").encode())


def public_key_info(public: bytes) -> bytes:
    """SubjectPublicKeyInfo of a key X||Y."""
    algorithm = der.sequence(der.object_id(EC_PUBLIC_KEY), der.object_id(SM2_CURVE))
    return der.sequence(algorithm, der.bits(b"\x04" + public))


def key_id(public: bytes) -> bytes:
    """What a key is called in certificates: 20 bytes of SM3 over its point (RFC 7093, method 1)."""
    return sm3.digest(b"\x04" + public)[:20]


def root_extensions(public: bytes) -> bytes:
    """Of a root."""
    return der.sequence(
        _extension(_BASIC_CONSTRAINTS, der.sequence(_TRUE, _PATH_LENGTH), is_critical=True),
        _extension(_KEY_USAGE, der.element(der.BIT_STRING, _USAGE_ROOT), is_critical=True),
        _extension(_SUBJECT_KEY_ID, der.octets(key_id(public))),
    )


def leaf_extensions(subject: Subject, public: bytes, issuer: bytes) -> bytes:
    """Of a leaf that the root with the key `issuer` signs."""
    uses = [_CLIENT_AUTH]
    if subject.role is Role.NODE:
        uses.insert(0, _SERVER_AUTH)
    extensions = [
        _extension(_BASIC_CONSTRAINTS, der.sequence(), is_critical=True),
        _extension(_KEY_USAGE, der.element(der.BIT_STRING, _USAGE_LEAF), is_critical=True),
        _extension(_EXTENDED_USAGE, der.sequence(*map(der.object_id, uses))),
        _extension(_SUBJECT_KEY_ID, der.octets(key_id(public))),
        _authority(issuer),
    ]
    if subject.peer_id:
        extensions.append(_peer_name(subject.peer_id))
    return der.sequence(*extensions)


def request_attributes(peer_id: str) -> bytes:
    """The attributes of a request: the extensions that the holder asks for."""
    if not peer_id:
        return der.element(0xA0, b"")
    wanted = der.sequence(_peer_name(peer_id))
    attribute = der.sequence(der.object_id(_EXTENSION_REQUEST), der.element(_SET, wanted))
    return der.element(0xA0, attribute)


def crl_extensions(issuer: bytes, number: int) -> bytes:
    """Of the revocation list with this number."""
    return der.sequence(_authority(issuer), _extension(_CRL_NUMBER, der.integer(number)))


def revoked_entry(serial: int, when: datetime) -> bytes:
    """One line of a revocation list."""
    return der.sequence(der.integer(serial), time(when))


def signed(body: bytes, signature: bytes) -> bytes:
    """Body, algorithm and the DER signature over the body."""
    return der.sequence(body, ALGORITHM, der.bits(signature))


def _peer_name(peer_id: str) -> bytes:
    uri = der.element(_IMPLICIT_URI, (PEER_SCHEME + peer_id).encode())
    return _extension(_SUBJECT_ALT_NAME, der.sequence(uri))


def _authority(issuer: bytes) -> bytes:
    value = der.sequence(der.element(_IMPLICIT_KEY_ID, key_id(issuer)))
    return _extension(_AUTHORITY_KEY_ID, value)


def _extension(kind: str, value: bytes, *, is_critical: bool = False) -> bytes:
    critical: Sequence[bytes] = (_TRUE,) if is_critical else ()
    return der.sequence(der.object_id(kind), *critical, der.octets(value))
