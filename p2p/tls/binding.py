"""The proof that who shows a certificate also holds the Ed25519 key behind its peer id.

A root vouches for the peer id in a certificate, but an organization could write another's into one.
So each side signs with its network key what only the two ends of this session have in common. The
exporter (RFC 8446, 7.5) covers all up to the server's Finished, but not the client's certificate:
so both certificates are signed as well. A proof is worth nothing in another session, for another
certificate, or in the other direction.
"""

from __future__ import annotations

from libp2p.crypto.ed25519 import Ed25519PublicKey
from libp2p.crypto.keys import PrivateKey

from crypto import sm3
from crypto.x509.read import Certificate
from p2p.errors import PeerRefused, Refusal
from p2p.identity import ed25519_of

PROOF_SIZE = 64  # an Ed25519 signature
EXPORT_LABEL = b"EXPORTER-shuxin-tls-sm-1"
EXPORT_SIZE = 32

_DOMAIN = b"shuxin/network-key/1\0"
_DIALER, _LISTENER = b"\x01", b"\x02"


def statement(
    exported: bytes, *, prover: Certificate, verifier: Certificate, by_dialer: bool
) -> bytes:
    """What is signed: all of fixed length, so that it has one reading."""
    assert len(exported) == EXPORT_SIZE
    side = _DIALER if by_dialer else _LISTENER
    return _DOMAIN + side + exported + sm3.digest(prover.der) + sm3.digest(verifier.der)


def prove(key: PrivateKey, stated: bytes) -> bytes:
    """The proof of PROOF_SIZE bytes, by who holds the network key."""
    return key.sign(stated)


def check_proof(peer_id: str, proof: bytes, stated: bytes) -> None:
    """Was the proof made with the key behind `peer_id`? Raises PeerRefused."""
    try:
        if Ed25519PublicKey.from_bytes(ed25519_of(peer_id)).verify(stated, proof):
            return
    except (ValueError, TypeError):
        pass  # a key that is no point, a proof of another size
    raise PeerRefused(
        Refusal.UNPROVEN,
        f"the certificate names the peer id {peer_id}, but whoever shows it does not hold that "
        "node's network key",
    )
