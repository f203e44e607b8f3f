"""What validators sign for ordering certificates."""

from __future__ import annotations

from ledger.encoding import encode

TAG_VOTE = b"shuxin/vote/1\0"


def vote_message(kind: int, chain_id: bytes, view: int, height: int, digest: bytes) -> bytes:
    """The signed bytes of a prepare (1) or commit (2) vote."""
    return TAG_VOTE + encode((kind, chain_id, view, height, digest))
