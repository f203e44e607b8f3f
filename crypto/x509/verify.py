"""Whether to believe a certificate: its chain, its time, revocation, and who it is for.

OpenSSL's own path validation (pyOpenSSL) judges signatures, times and revocation lists; the
profile, the role and the name are judged here. Every refusal has a Reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from OpenSSL import crypto
from OpenSSL._util import lib

from crypto import sm2
from crypto.errors import CertificateRefused, Reason, SignatureInvalid
from crypto.x509.profile import Role
from crypto.x509.read import Certificate, RevocationList

# X509_V_ERR_* of OpenSSL, which are stable.
_REASONS = {
    2: Reason.FOREIGN,  # unable to get issuer certificate
    7: Reason.TAMPERED,  # certificate signature failure
    8: Reason.TAMPERED,  # CRL signature failure
    9: Reason.EARLY,
    10: Reason.EXPIRED,
    11: Reason.CRL_EXPIRED,  # CRL not yet valid
    12: Reason.CRL_EXPIRED,
    18: Reason.FOREIGN,  # self-signed, and no root of ours
    19: Reason.FOREIGN,
    20: Reason.FOREIGN,
    21: Reason.FOREIGN,
    23: Reason.REVOKED,
}
_ADVICE = {
    Reason.FOREIGN: "no root that is trusted here issued it; its organization has to be admitted",
    Reason.TAMPERED: "it is not what its root signed: it was altered, or forged",
    Reason.EARLY: "its time has not begun; compare the clocks",
    Reason.EXPIRED: "its time is over; renew it with `shuxin ca renew`",
    Reason.REVOKED: "its organization revoked it",
    Reason.CRL_EXPIRED: "the revocation list is too old; get a newer one from the organization",
    Reason.MALFORMED: "OpenSSL refuses it",
}


@dataclass(frozen=True, slots=True)
class Trust:
    """The roots that are believed, and the newest revocation list of each that has one.

    Serials in `revoked` count whatever lists say: the chain knows of them first.
    """

    roots: tuple[Certificate, ...]
    lists: tuple[RevocationList, ...] = ()
    revoked: frozenset[tuple[str, int]] = frozenset()  # organization and serial


def verify_certificate(
    certificate: Certificate,
    trust: Trust,
    now: datetime,
    *,
    role: Role | None = None,
    organization: str = "",
    peer_id: str = "",
) -> None:
    """Whether a leaf is good now, and (where given) for this role, organization and node.

    Raises CertificateRefused: chain and time first, then revocation, then whom it is for.
    """
    if certificate.is_root:
        raise CertificateRefused(Reason.ROLE, "a root speaks for nobody; show a leaf it issued")
    _check_path(certificate, trust, now)
    subject = certificate.subject
    if (subject.organization, certificate.serial) in trust.revoked:
        raise _refused(certificate, Reason.REVOKED)
    if certificate.issuer.organization != subject.organization:
        raise CertificateRefused(
            Reason.ORGANIZATION,
            f"the certificate of {subject}: the root of {certificate.issuer.organization} issued "
            "it, and a root certifies its own organization only",
        )
    if organization and subject.organization != organization:
        raise CertificateRefused(
            Reason.ORGANIZATION, f"the certificate is of {subject}, not of {organization}"
        )
    if role is not None and subject.role is not role:
        raise CertificateRefused(
            Reason.ROLE, f"the certificate is of {subject}; the role {role.value} is needed"
        )
    if peer_id and subject.peer_id != peer_id:
        raise CertificateRefused(
            Reason.PEER,
            f"the certificate is of {subject} with the peer id {subject.peer_id}, not {peer_id}",
        )


def verify_root(root: Certificate, now: datetime) -> None:
    """Whether a root certifies itself and is in time. Raises CertificateRefused.

    Whether to trust it, people decide.
    """
    if not root.is_root:
        raise CertificateRefused(Reason.ROLE, f"the certificate of {root.subject} is no root")
    _check_path(root, Trust((root,)), now)


def verify_crl(crl: RevocationList, root: Certificate, now: datetime) -> None:
    """Whether `root` signed the list and it is in time. Raises CertificateRefused."""
    found = x509.load_der_x509_crl(crl.der)
    if crl.issuer != root.subject:
        raise CertificateRefused(
            Reason.FOREIGN, f"the list is of {crl.issuer}, not of {root.subject}"
        )
    try:
        signature = sm2.signature_from_der(found.signature)
        sm2.verify(root.public_key, found.tbs_certlist_bytes, signature)
    except SignatureInvalid:
        raise CertificateRefused(
            Reason.TAMPERED, f"the revocation list of {crl.issuer}: {_ADVICE[Reason.TAMPERED]}"
        ) from None
    if not crl.this_update <= now <= crl.next_update:
        raise CertificateRefused(
            Reason.CRL_EXPIRED,
            f"the revocation list of {crl.issuer} is for {crl.this_update:%Y-%m-%d %H:%M} to "
            f"{crl.next_update:%Y-%m-%d %H:%M} UTC; get a newer one from the organization",
        )


def reason_of(openssl_error: int) -> Reason:
    """Why OpenSSL's path validation refused, from its X509_V_ERR number."""
    return _REASONS.get(openssl_error, Reason.MALFORMED)


def _check_path(certificate: Certificate, trust: Trust, now: datetime) -> None:
    roots = [root for root in trust.roots if root.subject == certificate.issuer]
    store = crypto.X509Store()
    for root in roots:
        store.add_cert(_loaded(root))
    lists = [found for found in trust.lists if found.issuer == certificate.issuer]
    for found in lists:
        store.add_crl(x509.load_der_x509_crl(found.der))
    flags = crypto.X509StoreFlags.X509_STRICT | crypto.X509StoreFlags.CHECK_SS_SIGNATURE
    if lists:
        flags |= crypto.X509StoreFlags.CRL_CHECK
    store.set_flags(flags)
    store.set_time(now)
    try:
        crypto.X509StoreContext(store, _loaded(certificate)).verify_certificate()
    except crypto.X509StoreContextError as error:
        reason = reason_of(error.errors[0])
        raise _refused(certificate, reason, str(error)) from None
    finally:
        # What refused leaves in OpenSSL's queue of errors, the next call of this thread would find.
        lib.ERR_clear_error()


def _loaded(certificate: Certificate) -> crypto.X509:
    return crypto.X509.from_cryptography(x509.load_der_x509_certificate(certificate.der))


def _refused(certificate: Certificate, reason: Reason, said: str = "") -> CertificateRefused:
    told = f" ({said})" if said and reason is Reason.MALFORMED else ""
    return CertificateRefused(
        reason, f"the certificate of {certificate.subject}: {_ADVICE[reason]}{told}"
    )
