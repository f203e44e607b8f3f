"""The node's keys: SM2 for votes, SM2 with a certificate for TLS, Ed25519 for its peer id.

The first may be in a device; whatever needs it gets it here, as a CryptoProvider.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from crypto.errors import CertificateRefused, KeyFileInvalid, Reason
from crypto.files import sync_directory
from crypto.keys import load_key
from crypto.passphrase import find_passphrase
from crypto.provider import CryptoProvider
from crypto.providers.sdf import SdfProvider, shared_device
from crypto.providers.software import SoftwareProvider
from crypto.smtls import TlsIdentity
from crypto.x509.authority import read_file
from crypto.x509.profile import Role
from crypto.x509.read import Certificate, read_certificate
from node.config import DeviceKey, NodeConfig
from node.links import Presence
from p2p.tls.policy import TransportPolicy

DEVICE_PASSWORD_VARIABLE = "SHUXIN_DEVICE_PASSWORD"
KEY_FILE_SIZE_MAX = 64 << 10  # bytes of a PEM file


def node_passphrase(config: NodeConfig) -> bytes:
    """The passphrase of the node's key files. Raises KeyFileInvalid."""
    places = (config.consensus_key, config.network_key, config.tls_key)
    files = [place for place in places if isinstance(place, Path)]
    return find_passphrase(config.passphrase_file, keys=files)


def open_consensus_key(config: NodeConfig, passphrase: bytes) -> CryptoProvider:
    """The key that signs votes: of a file under `passphrase`, or in a device under a password.

    Raises KeyFileInvalid, KeyInvalid, DeviceFault.
    """
    place = config.consensus_key
    if isinstance(place, DeviceKey):
        password = find_passphrase(
            place.password_file, setting="device_password_file", variable=DEVICE_PASSWORD_VARIABLE
        )
        return SdfProvider(shared_device(place.library), place.index, password)
    return SoftwareProvider(load_key(place, passphrase))


def open_presence(config: NodeConfig, passphrase: bytes, policy: TransportPolicy) -> Presence:
    """What this node is to others, who believes `policy`.

    Raises KeyFileInvalid and what `open_tls_identity` raises.
    """
    return Presence(
        seed=load_network_key(config.network_key, passphrase),
        identity=open_tls_identity(config, passphrase),
        policy=policy,
    )


def open_tls_identity(config: NodeConfig, passphrase: bytes) -> TlsIdentity | None:
    """What this node shows to others, and its key; None where its links are not TLS.

    Raises KeyFileInvalid, CertificateRefused: the certificate is not for that key, or no such file.
    """
    if config.tls_key is None or config.certificate is None:
        return None
    private = load_key(config.tls_key, passphrase)
    return TlsIdentity(read_node_certificate(config.certificate), private)


def read_node_certificate(path: Path) -> Certificate:
    """Raises KeyFileInvalid for no file, CertificateRefused for one that is no node's."""
    try:
        certificate = read_certificate(read_file(path))
    except OSError as error:
        raise KeyFileInvalid(f"{path}: {error.strerror}; get one with `shuxin ca issue`") from None
    if certificate.subject.role is not Role.NODE:
        raise CertificateRefused(
            Reason.ROLE, f"{path} is of {certificate.subject}; a node shows one of the role node"
        )
    return certificate


def read_roots(config: NodeConfig) -> tuple[Certificate, ...]:
    """The roots that the operator vouches for. Raises KeyFileInvalid, CertificateRefused."""
    found = []
    for path in config.roots:
        try:
            root = read_certificate(read_file(path))
        except OSError as error:
            raise KeyFileInvalid(f"{path}: {error.strerror}; see [network] roots") from None
        if root.subject.role is not None:
            raise CertificateRefused(Reason.ROLE, f"{path} is of {root.subject}, which is no root")
        found.append(root)
    return tuple(found)


def save_network_key(path: Path, seed: bytes, passphrase: bytes) -> None:
    """Write the Ed25519 seed as encrypted PKCS#8, mode 0600. Refuses to overwrite."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase))
    write_private(path, pem)


def load_network_key(path: Path, passphrase: bytes) -> bytes:
    """The 32-byte Ed25519 seed. Raises KeyFileInvalid."""
    try:
        key = load_pem_private_key(_read_private(path), passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyFileInvalid(
            f"{path}: not an Ed25519 key, or the passphrase does not open it"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileInvalid(f"{path}: not an Ed25519 key")
    return key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())


def write_private(path: Path, data: bytes) -> None:
    """Create `path` with mode 0600 from the first moment. Raises FileExistsError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        sync_directory(path.parent)
    except BaseException:
        path.unlink()  # half a key would keep a whole one from being written
        raise


def _read_private(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise KeyFileInvalid(f"{path} is readable by others: chmod 600 {path}")
            return file.read(KEY_FILE_SIZE_MAX)
    except OSError as error:
        raise KeyFileInvalid(f"{path}: {error.strerror}") from None
