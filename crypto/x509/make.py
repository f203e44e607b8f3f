"""Roots, leaves, requests and revocation lists: built here, signed by a CryptoProvider.

The private key stays in its provider, which may be a device. What is made here passes `read`.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from crypto import der, sm2
from crypto.errors import CertificateRefused, Reason
from crypto.provider import CryptoProvider
from crypto.x509 import encode
from crypto.x509.profile import (
    BACKDATED_S,
    CRL_DAYS,
    DAYS_MAX,
    LEAF_DAYS,
    LEAF_DAYS_MAX,
    ROOT_DAYS,
    Subject,
    check_subject,
)
from crypto.x509.read import Certificate, Request, Revoked

_VERSION_3 = der.tagged(0, der.integer(2))
_CRL_VERSION_2 = der.integer(1)
_REQUEST_VERSION_1 = der.integer(0)
_SERIAL_BYTES = 16  # of randomness: nobody foresees what will be signed (RFC 5280 allows 20)


def make_root(
    provider: CryptoProvider, organization: str, name: str, now: datetime, days: int = ROOT_DAYS
) -> bytes:
    """The DER of a root that certifies itself. Raises CertificateRefused for unfit names, days."""
    subject = _fit(Subject(organization, name, None))
    validity = _validity(now, days, DAYS_MAX)
    public = provider.public_key
    return _certificate(
        provider, subject, subject, public, validity, encode.root_extensions(public)
    )


def make_leaf(
    provider: CryptoProvider,
    root: Certificate,
    subject: Subject,
    public: bytes,
    now: datetime,
    days: int = LEAF_DAYS,
) -> bytes:
    """The DER of a certificate that `root`, whose key `provider` holds, gives to `subject`.

    Raises CertificateRefused for unfit names or days, or another organization than the root's.
    """
    _fit(subject)
    if subject.role is None or subject.organization != root.subject.organization:
        raise CertificateRefused(
            Reason.ORGANIZATION,
            f"the root of {root.subject.organization} certifies its own people and machines, and "
            f"no other root; not {subject}",
        )
    if provider.public_key != root.public_key:
        raise CertificateRefused(Reason.KEY, "the key is not that of the root certificate")
    begin, end = _validity(now, days, LEAF_DAYS_MAX)
    if end > root.not_after:
        raise CertificateRefused(
            Reason.EXPIRED,
            f"the root ends on {root.not_after:%Y-%m-%d}, before the certificate would: give fewer "
            "days, or renew the root",
        )
    extensions = encode.leaf_extensions(subject, public, root.public_key)
    return _certificate(provider, root.subject, subject, public, (begin, end), extensions)


def make_request(provider: CryptoProvider, subject: Subject) -> bytes:
    """The DER of a request (PKCS #10) by who holds the key. Raises CertificateRefused."""
    _fit(subject)
    body = der.sequence(
        _REQUEST_VERSION_1,
        encode.name(subject),
        encode.public_key_info(provider.public_key),
        encode.request_attributes(subject.peer_id),
    )
    return _signed(provider, body)


def subject_of(request: Request) -> Subject:
    """What a request asks to be certified as. Raises CertificateRefused for what cannot be."""
    return _fit(request.subject)


def make_crl(
    provider: CryptoProvider,
    root: Certificate,
    revoked: Sequence[Revoked],
    number: int,
    now: datetime,
    days: int = CRL_DAYS,
) -> bytes:
    """The DER of the list with this number, which counts up. Raises CertificateRefused."""
    begin, end = _validity(now, days, DAYS_MAX, backdated_s=0)
    entries = [encode.revoked_entry(entry.serial, entry.when) for entry in revoked]
    body = der.sequence(
        _CRL_VERSION_2,
        encode.ALGORITHM,
        encode.name(root.subject),
        encode.time(begin),
        encode.time(end),
        *([der.sequence(*entries)] if entries else []),  # absent when empty (RFC 5280, 5.1.2.6)
        der.tagged(0, encode.crl_extensions(root.public_key, number)),
    )
    return _signed(provider, body)


def _certificate(
    provider: CryptoProvider,
    issuer: Subject,
    subject: Subject,
    public: bytes,
    validity: tuple[datetime, datetime],
    extensions: bytes,
) -> bytes:
    body = der.sequence(
        _VERSION_3,
        der.integer(int.from_bytes(secrets.token_bytes(_SERIAL_BYTES), "big") | 1),
        encode.ALGORITHM,
        encode.name(issuer),
        der.sequence(*map(encode.time, validity)),
        encode.name(subject),
        encode.public_key_info(public),
        der.tagged(3, extensions),
    )
    return _signed(provider, body)


def _signed(provider: CryptoProvider, body: bytes) -> bytes:
    return encode.signed(body, sm2.signature_to_der(provider.sign(body)))


def _fit(subject: Subject) -> Subject:
    wrong = check_subject(subject)
    if wrong:
        raise CertificateRefused(Reason.NAME, f"{wrong}; correct it and ask again")
    return subject


def _validity(
    now: datetime, days: int, days_max: int, backdated_s: int = BACKDATED_S
) -> tuple[datetime, datetime]:
    if not 1 <= days <= days_max:
        raise CertificateRefused(Reason.EXPIRED, f"it can be good for 1 to {days_max} days")
    begin = now.astimezone(UTC).replace(microsecond=0)
    return begin - timedelta(seconds=backdated_s), begin + timedelta(days=days)
