"""Signatures for the simulator: cheap, unforgeable to those who do not call `sign`."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from crypto.provider import SignedItem
from ledger.model import Validator, ValidatorSet


def public_key(index: int) -> bytes:
    return index.to_bytes(64, "big")


def index_of(public: bytes) -> int:
    """Whose key it is."""
    return int.from_bytes(public, "big")


def sign(index: int, message: bytes) -> bytes:
    return _sign(public_key(index), message)


def is_valid(item: SignedItem) -> bool:
    return item.signature == _sign(item.public_key, item.message)


def committee(size: int) -> ValidatorSet:
    return committee_of(range(size))


def committee_of(members: Iterable[int]) -> ValidatorSet:
    """The nodes with these numbers, in this order."""
    return ValidatorSet(
        tuple(
            Validator(name=f"node{i}", party="party", public_key=public_key(i), peer_id=f"peer{i}")
            for i in members
        )
    )


def _sign(public: bytes, message: bytes) -> bytes:
    return blake2b(message, key=public, digest_size=64).digest()
