"""An organization's certificate authority (CA): a folder with its key, its root and what it did.

    ca.pem             the key, encrypted
    ca.crt             the root
    issued/SERIAL.crt  every certificate it gave, serial in hex
    register.json      what is revoked, and the number of the newest revocation list

A certificate is on disk before anyone gets it: what is not in `issued` was not issued here. Files
are replaced as a whole, so a crash leaves the old or the new one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from crypto import sm2
from crypto.errors import CertificateRefused, Reason
from crypto.files import replace_file
from crypto.keys import load_key, save_key
from crypto.provider import CryptoProvider
from crypto.providers.software import SoftwareProvider
from crypto.x509.make import make_crl, make_leaf, make_root
from crypto.x509.profile import FILE_SIZE_MAX, Subject
from crypto.x509.read import (
    CERTIFICATE,
    Certificate,
    Request,
    Revoked,
    encode_pem,
    read_certificate,
)

KEY_FILE, ROOT_FILE, ISSUED, REGISTER = "ca.pem", "ca.crt", "issued", "register.json"
REVOKED_MAX = 20_000  # entries of a list that stays below CRL_SIZE_MAX


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A revoked certificate: serial in hex, Unix seconds."""

    serial: str
    time_s: int


class _Register(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int = 1
    crl_number: int = 0
    revoked: tuple[_Entry, ...] = ()


class AuthorityFolder:
    """What an authority did, to be read without its key."""

    def __init__(self, folder: Path) -> None:
        """Raises CertificateRefused, OSError."""
        self._folder = folder
        self.root = read_certificate(read_file(folder / ROOT_FILE))

    def is_revoked(self, serial: int) -> bool:
        return any(int(entry.serial, 16) == serial for entry in self._register().revoked)

    def issued(self) -> Iterator[Certificate]:
        """All certificates it gave, by serial. Raises CertificateRefused, OSError."""
        for path in sorted((self._folder / ISSUED).glob("*.crt")):
            yield read_certificate(read_file(path))

    def find(self, serial: int) -> Certificate:
        """The certificate with this serial. Raises CertificateRefused for an unknown one."""
        path = self._path_of(serial)
        if not path.exists():
            raise CertificateRefused(
                Reason.FOREIGN, f"no certificate {serial:x} was issued in {self._folder}"
            )
        return read_certificate(read_file(path))

    def _path_of(self, serial: int) -> Path:
        return self._folder / ISSUED / f"{serial:x}.crt"

    def _register(self) -> _Register:
        path = self._folder / REGISTER
        try:
            register = msgspec.json.decode(read_file(path), type=_Register)
            for entry in register.revoked:
                int(entry.serial, 16)
        except (msgspec.DecodeError, ValueError) as error:
            raise CertificateRefused(
                Reason.MALFORMED,
                f"{path}: {error}; restore it from a backup: it says what is revoked",
            ) from None
        if register.version != 1:
            raise CertificateRefused(
                Reason.MALFORMED, f"{path} is of version {register.version}; this release reads 1"
            )
        return register


class Authority(AuthorityFolder):
    """An authority with its key. One process at a time works on a folder."""

    def __init__(self, folder: Path, provider: CryptoProvider) -> None:
        """`provider` holds the key of the root in `folder`. Raises CertificateRefused, OSError."""
        super().__init__(folder)
        self._provider = provider
        if provider.public_key != self.root.public_key:
            raise CertificateRefused(
                Reason.KEY, f"{folder / ROOT_FILE} is not for the key in {folder / KEY_FILE}"
            )

    @classmethod
    def create(
        cls, folder: Path, organization: str, name: str, passphrase: bytes, now: datetime, days: int
    ) -> Authority:
        """A new authority in a new or empty folder. Raises CertificateRefused, OSError."""
        if folder.exists() and any(folder.iterdir()):
            raise CertificateRefused(
                Reason.KEY, f"{folder} is not empty, and a root is never replaced: name a new one"
            )
        private = sm2.generate()
        provider = SoftwareProvider(private)
        root = make_root(provider, organization, name, now, days)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / ISSUED).mkdir()
        save_key(folder / KEY_FILE, private, passphrase)
        replace_file(folder / REGISTER, msgspec.json.encode(_Register()))
        replace_file(folder / ROOT_FILE, encode_pem(root, CERTIFICATE))
        return cls(folder, provider)

    @classmethod
    def open(cls, folder: Path, passphrase: bytes) -> Authority:
        """Raises KeyFileInvalid, CertificateRefused, OSError."""
        return cls(folder, SoftwareProvider(load_key(folder / KEY_FILE, passphrase)))

    def issue(self, request: Request, subject: Subject, now: datetime, days: int) -> Certificate:
        """A certificate for the key of `request`, as `subject`. Raises CertificateRefused."""
        return self._issue(subject, request.public_key, now, days)

    def renew(self, old: Certificate, now: datetime, days: int) -> Certificate:
        """A later certificate for the holder and key of one issued here, which stays good.

        Raises CertificateRefused for one that was revoked or not issued here.
        """
        self._own(old)
        if self.is_revoked(old.serial):
            raise CertificateRefused(
                Reason.REVOKED, f"the certificate of {old.subject} is revoked: issue one anew"
            )
        return self._issue(old.subject, old.public_key, now, days)

    def revoke(self, certificate: Certificate, now: datetime) -> None:
        """From now on every revocation list names it. Raises CertificateRefused."""
        self._own(certificate)
        register = self._register()
        if self.is_revoked(certificate.serial):
            raise CertificateRefused(
                Reason.REVOKED, f"the certificate of {certificate.subject} is revoked already"
            )
        if len(register.revoked) >= REVOKED_MAX:
            raise CertificateRefused(
                Reason.MALFORMED, f"{REVOKED_MAX} certificates are revoked; begin a new root"
            )
        entry = _Entry(f"{certificate.serial:x}", int(now.timestamp()))
        self._save(msgspec.structs.replace(register, revoked=(*register.revoked, entry)))

    def crl(self, now: datetime, days: int) -> bytes:
        """The DER of a new revocation list, with the next number. Raises CertificateRefused."""
        register = self._register()
        number = register.crl_number + 1
        # First the number: it may be skipped after a crash, but is never given twice.
        self._save(msgspec.structs.replace(register, crl_number=number))
        entries = [
            Revoked(int(entry.serial, 16), datetime.fromtimestamp(entry.time_s, UTC))
            for entry in register.revoked
        ]
        return make_crl(self._provider, self.root, entries, number, now, days)

    def _issue(self, subject: Subject, public: bytes, now: datetime, days: int) -> Certificate:
        made = make_leaf(self._provider, self.root, subject, public, now, days)
        certificate = read_certificate(made)
        replace_file(self._path_of(certificate.serial), encode_pem(made, CERTIFICATE))
        return certificate

    def _own(self, certificate: Certificate) -> None:
        if self.find(certificate.serial).der != certificate.der:
            raise CertificateRefused(
                Reason.FOREIGN,
                f"the certificate of {certificate.subject} is not the one with this serial that "
                "was issued here",
            )

    def _save(self, register: _Register) -> None:
        replace_file(
            self._folder / REGISTER, msgspec.json.format(msgspec.json.encode(register), indent=1)
        )


def read_file(path: Path) -> bytes:
    """The bytes of what may be a certificate's file. Raises CertificateRefused, OSError."""
    with path.open("rb") as file:
        data = file.read(FILE_SIZE_MAX + 1)
    if len(data) > FILE_SIZE_MAX:
        raise CertificateRefused(
            Reason.MALFORMED, f"{path} has more than {FILE_SIZE_MAX} bytes: it is no certificate"
        )
    return data
