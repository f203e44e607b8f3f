"""From files to what a client believes and shows on its way to a node (client.channel)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from client.channel import NO_SECURITY, PLAIN, SM, TLS, Security, TlsTrust, split_target

if TYPE_CHECKING:
    from client.sm.trust import SmTrust

# What names the files in client.toml and executor.toml.
SETTINGS = ("tls_ca", "tls_crl", "tls_certificate", "tls_key")
FILE_SIZE_MAX = 1 << 20  # bytes of PEM: a bundle of all public CAs has a quarter of it


def security_of(
    targets: Sequence[str], named: Mapping[str, Path], passphrase: Callable[[], bytes]
) -> Security:
    """What the addresses need of the files `tls_ca`, `tls_crl`, `tls_certificate`, `tls_key`.

    `passphrase` is asked only for a key that is encrypted. Raises ValueError, CryptoError, OSError.
    """
    kinds = {split_target(target)[0] for target in targets}
    if kinds <= {PLAIN} or "tls_ca" not in named:
        return NO_SECURITY
    return Security(
        tls=_tls(named) if TLS in kinds else None,
        sm=_sm(named, passphrase) if SM in kinds else None,
    )


def _tls(named: Mapping[str, Path]) -> TlsTrust:
    _check_pair(named)
    shown = [_read(named[name]) for name in ("tls_certificate", "tls_key") if name in named]
    return TlsTrust(_read(named["tls_ca"]), *shown)


def _sm(named: Mapping[str, Path], passphrase: Callable[[], bytes]) -> SmTrust:
    from client.sm.trust import SmTrust
    from crypto.keys import load_key
    from crypto.smtls import TlsIdentity
    from crypto.x509.read import read_certificate, read_certificates, read_crl

    _check_pair(named)
    identity = None
    if "tls_certificate" in named:
        certificate = read_certificate(_read(named["tls_certificate"]))
        identity = TlsIdentity(certificate, load_key(named["tls_key"], passphrase()))
    lists = (read_crl(_read(named["tls_crl"])),) if "tls_crl" in named else ()
    return SmTrust(read_certificates(_read(named["tls_ca"])), lists, identity)


def _check_pair(named: Mapping[str, Path]) -> None:
    if ("tls_certificate" in named) != ("tls_key" in named):
        raise ValueError("tls_certificate and tls_key go together: name both")


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(FILE_SIZE_MAX + 1)
    if len(data) > FILE_SIZE_MAX:
        raise ValueError(f"{path} is too long for a certificate or key in PEM")
    return data
