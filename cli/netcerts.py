"""Certificates of a local network: an authority in each party's home, one certificate per node.

N/parties/PARTY/ca/             the authority, as `shuxin ca --home N/parties/PARTY` uses it
N/nodes/NAME/keys/tls.pem       SM2 key of the node's links
N/nodes/NAME/keys/node.csr      the request for a certificate of that key
N/nodes/NAME/keys/node.crt      the certificate: role node, with the node's peer id
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cli.common import KEYS_FOLDER
from cli.options import PASSPHRASE_FILE
from crypto import sm2
from crypto.files import replace_file
from crypto.keys import save_key
from crypto.passphrase import passphrase_of_file
from crypto.providers.software import SoftwareProvider
from crypto.x509.authority import ROOT_FILE, Authority, read_file
from crypto.x509.make import make_request, subject_of
from crypto.x509.profile import LEAF_DAYS, ROOT_DAYS, Subject
from crypto.x509.read import CERTIFICATE, REQUEST, encode_pem, read_certificate, read_request

AUTHORITY = "ca"  # in a party's home, where `shuxin ca` looks for it
# In a node's keys; its configuration names the first and the last.
TLS_KEY, NODE_REQUEST, NODE_CERTIFICATE = "tls.pem", "node.csr", "node.crt"


def create_authority(home: Path, party: str) -> Authority:
    """An authority of a party, under the passphrase of its home."""
    passphrase = _passphrase(home)
    now = datetime.now(UTC)
    return Authority.create(home / AUTHORITY, party, f"{party}-ca", passphrase, now, ROOT_DAYS)


def open_authority(root: Path, party: str) -> Authority:
    """A party's authority with its key."""
    home = root / "parties" / party
    return Authority.open(home / AUTHORITY, _passphrase(home))


def root_certificates(root: Path) -> list[tuple[str, bytes]]:
    """(party, DER of its root) of a network's parties, by name: what the genesis takes."""
    found = []
    for path in sorted(root.glob(f"parties/*/{AUTHORITY}/{ROOT_FILE}")):
        certificate = read_certificate(read_file(path))
        found.append((certificate.subject.organization, certificate.der))
    return found


def create_tls_key(node: Path, subject: Subject) -> None:
    """The key of a node's links, under the node's passphrase, and the request to certify it."""
    keys = node / KEYS_FOLDER
    private = sm2.generate()
    save_key(keys / TLS_KEY, private, _passphrase(node))
    made = make_request(SoftwareProvider(private), subject)
    replace_file(keys / NODE_REQUEST, encode_pem(made, REQUEST))


def certify_node(authority: Authority, node: Path) -> None:
    """Have an authority grant the request of a node."""
    keys = node / KEYS_FOLDER
    request = read_request(read_file(keys / NODE_REQUEST))
    made = authority.issue(request, subject_of(request), datetime.now(UTC), LEAF_DAYS)
    replace_file(keys / NODE_CERTIFICATE, encode_pem(made.der, CERTIFICATE))


def _passphrase(home: Path) -> bytes:
    return passphrase_of_file(home / KEYS_FOLDER / PASSPHRASE_FILE)
