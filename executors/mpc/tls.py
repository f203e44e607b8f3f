"""A key and certificate for one task: fresh, self-signed, pinned exactly by the others.

The engine's transport speaks TLS without the national suites, so this is P-256 with ECDSA. The
certificate goes on chain with the party's acceptance, signed by its account: the chain is the
authority, and trust in it ends with the task. It is no CA, so it vouches for nothing but itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from executors.errors import TaskRefused

CERTIFICATE_SIZE_MAX = 4096  # characters; the task contract's limit
CLOCK_SKEW = timedelta(minutes=10)  # between executors


@dataclass(frozen=True, slots=True)
class TaskIdentity:
    """PEM texts. `repr` does not show the key."""

    certificate: str
    private_key: str

    def __repr__(self) -> str:
        return "TaskIdentity(…)"


def new_identity(party: str, *, now_ms: int, deadline_ms: int) -> TaskIdentity:
    """An identity that is good until shortly after the task's deadline."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, party)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_time(now_ms) - CLOCK_SKEW)
        .not_valid_after(_time(deadline_ms) + CLOCK_SKEW)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    return TaskIdentity(
        certificate=certificate.public_bytes(serialization.Encoding.PEM).decode("ascii"),
        private_key=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode("ascii"),
    )


def check_certificate(pem: str) -> None:
    """Check that a peer's text is one such certificate and no CA. Raises TaskRefused.

    One only: a second one hidden in the text would be pinned along with it.
    """
    if len(pem) > CERTIFICATE_SIZE_MAX:
        raise TaskRefused(f"a certificate exceeds {CERTIFICATE_SIZE_MAX} characters")
    try:
        certificates = x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        raise TaskRefused("a participant's certificate is malformed") from None
    certificate = certificates[0]
    if certificate.public_bytes(serialization.Encoding.PEM).decode("ascii") != pem:
        raise TaskRefused("a participant gave something besides one certificate in plain PEM")
    try:
        key = certificate.public_key()
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (ValueError, x509.ExtensionNotFound):
        raise TaskRefused("a participant's certificate lacks its constraints") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise TaskRefused("a participant's certificate is not for a P-256 key")
    if constraints.ca or certificate.issuer != certificate.subject:
        raise TaskRefused("a participant's certificate could vouch for others")


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
