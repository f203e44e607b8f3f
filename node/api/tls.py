"""TLS of the client interface: certificate and key in PEM, read anew whenever the files change.

gRPC brings a TLS of its own (BoringSSL), which knows P-256, P-384 and RSA but neither SM2 nor SM4:
for national algorithms on this way, `shuxin gateway` stands in front of the node (ADR 35).
"""

from __future__ import annotations

import os
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from node.config import ApiTls

FILE_SIZE_MAX = 256 << 10  # bytes of PEM: a long chain has a tenth of it
RSA_BITS_MIN = 2048
EXPIRY_WARNING = timedelta(days=30)

_NO_SM2 = "gRPC's TLS knows no SM2: give a P-256 certificate, or put `shuxin gateway` in front"
_log = structlog.get_logger("node.api")


class TlsFilesInvalid(Exception):
    """Certificate, key or CA of the client interface cannot be used; says which and why."""


class ServerTls:
    """The credentials of a gRPC server. New files serve the next connection; bad ones nobody."""

    def __init__(self, files: ApiTls) -> None:
        """Raises TlsFilesInvalid."""
        self._files = files
        self._lock = threading.Lock()  # connections come on several threads of gRPC's
        self._seen = self._state_of_files()
        self._first = self._load()

    def credentials(self) -> grpc.ServerCredentials:
        """For `add_secure_port`; clients show a certificate where a CA of theirs is named."""
        return grpc.dynamic_ssl_server_credentials(
            self._first,
            self._newer,  # type: ignore[arg-type]  # the stubs forget the None of "nothing new"
            require_client_authentication=self._files.client_ca is not None,
        )

    def _newer(self) -> grpc.ServerCertificateConfiguration | None:
        """What the files have become since they were last read; None if nothing, or no good."""
        with self._lock:
            seen = self._state_of_files()
            if seen == self._seen:
                return None
            self._seen = seen
            try:
                found = self._load()
            except TlsFilesInvalid as error:
                # Half of a renewal may be on disk: the other half changes the files once more.
                _log.warning("tls_not_renewed", reason=str(error), kept="the one before")
                return None
            return found

    def _load(self) -> grpc.ServerCertificateConfiguration:
        files = self._files
        chain, key = _read(files.certificate), _read_key(files.key)
        not_after = _check_pair(files, chain, key)
        roots = None if files.client_ca is None else _read(files.client_ca)
        if roots is not None:
            _parsed(roots, files.client_ca)
        left = not_after - datetime.now(UTC)
        tell = _log.warning if left < EXPIRY_WARNING else _log.info
        tell("tls", not_after=f"{not_after:%Y-%m-%d %H:%M} UTC", days=left.days)
        return grpc.ssl_server_certificate_configuration([(key, chain)], roots)

    def _state_of_files(self) -> tuple[tuple[int, int, int], ...]:
        """What changes when one of the files is written or replaced."""
        named = (self._files.certificate, self._files.key, self._files.client_ca)
        found = []
        for path in named:
            try:
                status = os.stat(path) if path is not None else None
            except OSError:
                status = None
            found.append(
                (status.st_ino, status.st_size, status.st_mtime_ns) if status else (0, 0, 0)
            )
        return tuple(found)


def _check_pair(files: ApiTls, chain: bytes, key: bytes) -> datetime:
    """Whether the leaf is for the key, and both for BoringSSL; when the leaf ends."""
    leaf = _parsed(chain, files.certificate)[0]
    try:
        private = load_pem_private_key(key, None)
    except TypeError:
        raise TlsFilesInvalid(
            f"{files.key} is encrypted; write it without a passphrase, mode 0600: "
            "openssl pkey -in OLD -out NEW"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise TlsFilesInvalid(f"{files.key} holds no private key in PEM; {_NO_SM2}") from None
    if isinstance(private, ec.EllipticCurvePrivateKey):
        is_known = isinstance(private.curve, ec.SECP256R1 | ec.SECP384R1)
    else:
        is_known = isinstance(private, rsa.RSAPrivateKey) and private.key_size >= RSA_BITS_MIN
    if not is_known:
        raise TlsFilesInvalid(f"{files.key} is of another kind than P-256, P-384 or RSA; {_NO_SM2}")
    try:
        shown = leaf.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise TlsFilesInvalid(
            f"{files.certificate}: its key is of no known kind; {_NO_SM2}"
        ) from None
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if shown.public_bytes(*form) != private.public_key().public_bytes(*form):
        raise TlsFilesInvalid(
            f"{files.certificate} is not for the key in {files.key}; name the two that were made "
            "for each other, the server's own certificate first in its file"
        )
    return leaf.not_valid_after_utc


def _parsed(data: bytes, path: Path | None) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError:
        raise TlsFilesInvalid(f"{path} holds no certificate in PEM") from None


def _read_key(path: Path) -> bytes:
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise TlsFilesInvalid(f"{path} cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(mode) or mode & 0o077:
        raise TlsFilesInvalid(f"{path} is open to other users, or no file; run: chmod 600 {path}")
    return _read(path)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_SIZE_MAX + 1)
    except OSError as error:
        raise TlsFilesInvalid(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > FILE_SIZE_MAX:
        raise TlsFilesInvalid(f"{path} has more than {FILE_SIZE_MAX} bytes: no certificate or key")
    return data
