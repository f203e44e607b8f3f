"""The network identity: an Ed25519 seed and the libp2p peer id that follows from it.

Keeping the seed (file, mode, backup) is the node's affair.
"""

from __future__ import annotations

import secrets

from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.keys import KeyPair
from libp2p.peer.id import ID

from p2p.errors import AddressInvalid

SEED_SIZE = 32

# Identity multihash (0x00) of 36 bytes: protobuf PublicKey {1: Ed25519, 2: 32 bytes}.
_ED25519_PREFIX = bytes.fromhex("002408011220")


def generate_seed() -> bytes:
    """32 fresh random bytes."""
    return secrets.token_bytes(SEED_SIZE)


def peer_id_of(seed: bytes) -> str:
    """The peer id (base58, "12D3Koo...") of a seed of 32 bytes."""
    return str(ID.from_pubkey(key_pair_of(seed).public_key))


def key_pair_of(seed: bytes) -> KeyPair:
    """libp2p's key pair of a seed; raises AddressInvalid for a seed of another size."""
    if len(seed) != SEED_SIZE:
        raise AddressInvalid(f"a network seed has {SEED_SIZE} bytes, this one {len(seed)}")
    return create_new_key_pair(seed)


def parse_peer_id(text: str) -> ID:
    """libp2p's form of a peer id; raises AddressInvalid for anything but an Ed25519 one."""
    try:
        parsed = ID.from_base58(text)
    except ValueError as error:
        raise AddressInvalid(f"{text!r} is not a peer id: {error}") from None
    raw = parsed.to_bytes()
    if len(raw) != len(_ED25519_PREFIX) + 32 or not raw.startswith(_ED25519_PREFIX):
        raise AddressInvalid(f"{text!r} is not a peer id; they begin with 12D3KooW here")
    return parsed


def ed25519_of(peer_id: str) -> bytes:
    """The public key of 32 bytes that a peer id is made of; raises AddressInvalid."""
    raw: bytes = parse_peer_id(peer_id).to_bytes()
    return raw[len(_ED25519_PREFIX) :]
