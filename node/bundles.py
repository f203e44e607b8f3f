"""A stored block with what proves it: what peers, repairs and backups are given."""

from __future__ import annotations

from typing import Protocol

from ledger.model import Block, CommitCertificate, ExecutionCertificate
from node.peer_messages import Bundle


class Blocks(Protocol):
    """A ledger, as far as its blocks go. All methods raise LedgerDamaged."""

    @property
    def height(self) -> int: ...

    def block(self, height: int) -> Block: ...

    def commit_certificate(self, height: int) -> CommitCertificate | None: ...

    def execution_certificate(self, height: int) -> ExecutionCertificate | None: ...


def stored_bundle(
    store: Blocks, height: int, certificate: ExecutionCertificate | None = None
) -> Bundle:
    """The block of a height from 1 up. Raises HeightUnknown (HeightPruned), LedgerDamaged.

    `certificate` comes from elsewhere, and the stored one is not asked for.
    """
    commit = store.commit_certificate(height)
    assert commit is not None, "only the genesis block has none"
    execution = certificate or store.execution_certificate(height)
    return Bundle(store.block(height), commit, execution)
