"""Strict reading of certificates, requests and revocation lists, ours and those of other tools.

`cryptography` takes X.509 apart; here it is held to the profile. That a thing can be read says
nothing about whether to believe it: see `verify`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from crypto import curve, der, sm2, sm3
from crypto.errors import CertificateRefused, DerInvalid, KeyInvalid, Reason, SignatureInvalid
from crypto.x509 import encode
from crypto.x509.profile import (
    CERTIFICATE_SIZE_MAX,
    CRL_SIZE_MAX,
    EC_PUBLIC_KEY,
    PEER_SCHEME,
    REQUEST_SIZE_MAX,
    SERIAL_BITS_MAX,
    SM2_CURVE,
    Role,
    Subject,
    check_subject,
)

CERTIFICATE, REQUEST, CRL = "CERTIFICATE", "CERTIFICATE REQUEST", "X509 CRL"
_LABELS = {CERTIFICATE: "certificate", REQUEST: "certificate request", CRL: "revocation list"}
_PEM_LINE_CHARS = 64
CERTIFICATES_MAX = 64  # in one file: a consortium has a handful of roots

# What `cryptography` raises for bytes that are not what they should be.
_PARSE_ERRORS = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    x509.ExtensionNotFound,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate of our profile, as it says of itself. Times are in UTC."""

    der: bytes
    subject: Subject
    issuer: Subject
    serial: int
    not_before: datetime
    not_after: datetime
    public_key: bytes  # X||Y, 64 bytes

    @property
    def is_root(self) -> bool:
        return self.subject.role is None

    @property
    def fingerprint(self) -> bytes:
        """SM3 of the DER, 32 bytes: the certificate's name on the chain."""
        return sm3.digest(self.der)


@dataclass(frozen=True, slots=True)
class Request:
    """A request (PKCS #10) whose signer holds the key."""

    der: bytes
    subject: Subject
    public_key: bytes


@dataclass(frozen=True, slots=True)
class Revoked:
    """One line of a revocation list."""

    serial: int
    when: datetime


@dataclass(frozen=True, slots=True)
class RevocationList:
    """A revocation list (CRL), as it says of itself."""

    der: bytes
    issuer: Subject
    number: int
    this_update: datetime
    next_update: datetime
    revoked: tuple[Revoked, ...]


def read_certificate(data: bytes) -> Certificate:
    """From PEM or DER. Raises CertificateRefused."""
    encoded = decode_pem(data, CERTIFICATE, CERTIFICATE_SIZE_MAX)
    return _parsed(CERTIFICATE, lambda: _certificate(encoded))


def read_certificates(data: bytes) -> tuple[Certificate, ...]:
    """All in a PEM of several, as roots are handed out; or the one of DER. Raises the same."""
    end = f"-----END {CERTIFICATE}-----".encode()
    if data[:1] == b"\x30" or data.count(end) <= 1:
        return (read_certificate(data),)
    blocks = data.split(end)[:-1]
    if len(blocks) > CERTIFICATES_MAX:
        raise _malformed("certificate", f"a file holds at most {CERTIFICATES_MAX} of them")
    return tuple(read_certificate(block + end) for block in blocks)


def read_request(data: bytes) -> Request:
    """From PEM or DER; that the signer holds the key is verified. Raises CertificateRefused."""
    encoded = decode_pem(data, REQUEST, REQUEST_SIZE_MAX)
    return _parsed(REQUEST, lambda: _request(encoded))


def read_crl(data: bytes) -> RevocationList:
    """From PEM or DER. Raises CertificateRefused."""
    encoded = decode_pem(data, CRL, CRL_SIZE_MAX)
    return _parsed(CRL, lambda: _crl(encoded))


def encode_pem(data: bytes, label: str) -> bytes:
    """PEM of one of CERTIFICATE, REQUEST and CRL."""
    text = base64.b64encode(data).decode()
    lines = [text[at : at + _PEM_LINE_CHARS] for at in range(0, len(text), _PEM_LINE_CHARS)]
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", "")).encode()


def decode_pem(data: bytes, label: str, size_max: int) -> bytes:
    """The DER in one PEM block, or `data` itself if it is none. Raises CertificateRefused."""
    what = _LABELS[label]
    if len(data) > 2 * size_max:
        raise _malformed(what, f"it has {len(data)} bytes; ours have {size_max} at most")
    if data[:1] == b"\x30":
        encoded = data
    else:
        # Text before the block is what `openssl ... -text` writes.
        pattern = rf"-----BEGIN {label}-----\s([A-Za-z0-9+/=\s]+)-----END {label}-----".encode()
        blocks = re.findall(pattern, data)
        if len(blocks) != 1:
            raise _malformed(what, f"it holds {len(blocks)} PEM blocks of that kind instead of one")
        try:
            encoded = base64.b64decode(b"".join(blocks[0].split()), validate=True)
        except binascii.Error:
            raise _malformed(what, "its base64 is broken") from None
    if len(encoded) > size_max:
        raise _malformed(what, f"it has {len(encoded)} bytes; ours have {size_max} at most")
    return encoded


def _parsed(label: str, parse: Callable[[], T]) -> T:
    try:
        return parse()
    except (DerInvalid, KeyInvalid, *_PARSE_ERRORS) as error:
        raise _malformed(_LABELS[label], str(error)[:200] or type(error).__name__) from None


def _certificate(encoded: bytes) -> Certificate:
    found = x509.load_der_x509_certificate(encoded)
    if found.version is not x509.Version.v3:
        raise DerInvalid("it is not of version 3")
    _check_envelope(encoded, found.tbs_certificate_bytes, found.signature)
    if not 0 < found.serial_number < 1 << SERIAL_BITS_MAX:  # on the chain nobody could revoke it
        raise DerInvalid("its serial has not 1 to 20 bytes, or is not above zero")
    extensions = found.extensions
    is_root = extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    subject = _subject(found.subject, is_root, _peer_id(extensions))
    certificate = Certificate(
        encoded,
        subject,
        _subject(found.issuer, is_root=True, peer_id=""),
        found.serial_number,
        found.not_valid_before_utc,
        found.not_valid_after_utc,
        _key_of_certificate(found.tbs_certificate_bytes),
    )
    _check_usage(extensions, subject)
    _check_names(subject)
    return certificate


def _request(encoded: bytes) -> Request:
    found = x509.load_der_x509_csr(encoded)
    _check_envelope(encoded, found.tbs_certrequest_bytes, found.signature)
    body = der.Reader(found.tbs_certrequest_bytes).sequence()
    body.integer()
    body.sequence()
    public = _public_key(body)
    try:
        signature = sm2.signature_from_der(found.signature)
        sm2.verify(public, found.tbs_certrequest_bytes, signature)
    except SignatureInvalid:
        raise CertificateRefused(
            Reason.TAMPERED,
            "certificate request: its signature does not fit its key; make it anew with the key",
        ) from None
    return Request(encoded, _subject(found.subject, False, _peer_id(found.extensions)), public)


def _crl(encoded: bytes) -> RevocationList:
    found = x509.load_der_x509_crl(encoded)
    _check_envelope(encoded, found.tbs_certlist_bytes, found.signature)
    if found.next_update_utc is None:
        raise DerInvalid("it does not say when the next one comes")
    entries = tuple(Revoked(entry.serial_number, entry.revocation_date_utc) for entry in found)
    return RevocationList(
        encoded,
        _subject(found.issuer, is_root=True, peer_id=""),
        found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number,
        found.last_update_utc,
        found.next_update_utc,
        entries,
    )


def _check_envelope(encoded: bytes, body: bytes, signature: bytes) -> None:
    """The outer structure, which no signature covers, has one form: nothing else stands in it."""
    if encoded != encode.signed(body, signature):
        raise DerInvalid("it is not signed with SM2 and SM3, or not in DER")


def _subject(name: x509.Name, is_root: bool, peer_id: str) -> Subject:
    organization = _one(name, NameOID.ORGANIZATION_NAME, "organization (O)")
    common_name = _one(name, NameOID.COMMON_NAME, "common name (CN)")
    if is_root:
        if name.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME):
            raise DerInvalid("a root names no role (OU)")
        return Subject(organization, common_name, None)
    return Subject(
        organization,
        common_name,
        Role(_one(name, NameOID.ORGANIZATIONAL_UNIT_NAME, "role (OU)")),
        peer_id,
    )


def _one(name: x509.Name, kind: x509.ObjectIdentifier, what: str) -> str:
    found = name.get_attributes_for_oid(kind)
    if len(found) != 1 or not isinstance(found[0].value, str):
        raise DerInvalid(f"it names {len(found)} values for the {what} instead of one")
    return found[0].value


def _peer_id(extensions: x509.Extensions) -> str:
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    peers = [
        uri
        for uri in names.get_values_for_type(x509.UniformResourceIdentifier)
        if uri.startswith(PEER_SCHEME)
    ]
    if len(peers) > 1:
        raise DerInvalid("it names several peer ids")
    return peers[0][len(PEER_SCHEME) :] if peers else ""


def _check_usage(extensions: x509.Extensions, subject: Subject) -> None:
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    if subject.role is None:
        if not (usage.key_cert_sign and usage.crl_sign):
            raise DerInvalid("a root may sign certificates and revocation lists (keyUsage)")
        return
    if not usage.digital_signature or usage.key_cert_sign or usage.crl_sign:
        raise DerInvalid("a leaf signs, and issues nothing (keyUsage digitalSignature)")
    wanted = {ExtendedKeyUsageOID.CLIENT_AUTH}
    if subject.role is Role.NODE:
        wanted.add(ExtendedKeyUsageOID.SERVER_AUTH)
    given = set(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    if not wanted <= given:
        raise DerInvalid("its extended key usage lacks clientAuth, or for a node serverAuth")


def _check_names(subject: Subject) -> None:
    wrong = check_subject(subject)
    if wrong:
        raise DerInvalid(wrong)


def _key_of_certificate(body: bytes) -> bytes:
    fields = der.Reader(body).sequence()
    fields.tagged(0)  # version
    fields.integer()  # serial
    for _ in ("algorithm", "issuer", "validity", "subject"):
        fields.sequence()
    return _public_key(fields)


def _public_key(fields: der.Reader) -> bytes:
    """X||Y of the SubjectPublicKeyInfo that comes next; its point is on the curve."""
    info = fields.sequence()
    algorithm = info.sequence()
    algorithm.object_id((EC_PUBLIC_KEY,))
    algorithm.object_id((SM2_CURVE,))
    algorithm.end()
    point = info.bits()
    info.end()
    if point[:1] != b"\x04" or len(point) != 65:
        raise DerInvalid("its key is not an uncompressed point of the SM2 curve")
    curve.check_public(point[1:])
    return point[1:]


def _malformed(what: str, why: str) -> CertificateRefused:
    return CertificateRefused(
        Reason.MALFORMED, f"{what}: {why}; look at it with `shuxin ca show` or openssl"
    )
