"""An organization with a root, a node that it certified, and an impostor of the same name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.x509 import load_der_x509_certificate

from crypto import der, sm2
from crypto.providers.software import SoftwareProvider
from crypto.x509 import encode
from crypto.x509.make import make_crl, make_leaf, make_root
from crypto.x509.profile import Role, Subject
from crypto.x509.read import (
    Certificate,
    RevocationList,
    Revoked,
    read_certificate,
    read_crl,
)

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)
BEGIN, END = datetime(2023, 11, 1, tzinfo=UTC), datetime(2029, 11, 1, tzinfo=UTC)
PEER = "12D3KooW" + "Q" * 44
OTHER_PEER = "12D3KooW" + "R" * 44
NODE = Subject("org1", "n1", Role.NODE, PEER)


def keys() -> SoftwareProvider:
    return SoftwareProvider(sm2.generate())


@dataclass(frozen=True)
class Org:
    """A root with its key."""

    provider: SoftwareProvider
    root: Certificate

    def leaf(
        self, subject: Subject = NODE, *, now: datetime = NOW, days: int = 365, public: bytes = b""
    ) -> Certificate:
        public = public or keys().public_key
        return read_certificate(make_leaf(self.provider, self.root, subject, public, now, days))

    def with_serial(self, certificate: Certificate, number: int) -> bytes:
        """The DER of a certificate as that one, with a serial that other authorities may count."""
        body = load_der_x509_certificate(certificate.der).tbs_certificate_bytes
        fields = body[len(body) - len(der.Reader(body).content(der.SEQUENCE)) :]
        serial = der.element(
            der.INTEGER, number.to_bytes(number.bit_length() // 8 + 1, signed=True)
        )
        made = der.sequence(fields.replace(der.integer(certificate.serial), serial, 1))
        return encode.signed(made, sm2.signature_to_der(self.provider.sign(made)))

    def unfit_leaf(self, subject: Subject, public: bytes = b"") -> bytes:
        """The DER of what this root signed although `make_leaf` would not."""
        public = public or keys().public_key
        body = der.sequence(*certificate_parts(subject, public).values())
        return encode.signed(body, sm2.signature_to_der(self.provider.sign(body)))

    def crl(self, *serials: int, now: datetime = NOW, days: int = 7) -> RevocationList:
        entries = [Revoked(serial, NOW) for serial in serials]
        return read_crl(make_crl(self.provider, self.root, entries, 1, now, days))


def organization(
    name: str = "org1", *, now: datetime = NOW, days: int = 3650, root: str = ""
) -> Org:
    provider = keys()
    made = make_root(provider, name, root or f"{name}-ca", now, days)
    return Org(provider, read_certificate(made))


def certificate_parts(subject: Subject, public: bytes) -> dict[str, bytes]:
    """The parts of a certificate's body in their order, good from BEGIN to END of this world."""
    return {
        "version": der.tagged(0, der.integer(2)),
        "serial": der.integer(0x4D2),
        "algorithm": encode.ALGORITHM,
        "issuer": encode.name(Subject(subject.organization, "ca", None)),
        "validity": der.sequence(encode.time(BEGIN), encode.time(END)),
        "subject": encode.name(subject),
        "key": encode.public_key_info(public),
        "extensions": der.tagged(3, encode.leaf_extensions(subject, public, public)),
    }
