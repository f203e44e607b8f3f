"""A stored block with what proves it: what peers, repairs and backups are given."""

from __future__ import annotations

from ledger.model import ExecutionCertificate
from ledger.store import Store
from node.peer_messages import Bundle


def stored_bundle(
    store: Store, height: int, certificate: ExecutionCertificate | None = None
) -> Bundle:
    """The block of a height from 1 up. Raises HeightUnknown (HeightPruned), LedgerDamaged.

    `certificate` comes from elsewhere, and the stored one is not asked for.
    """
    commit = store.commit_certificate(height)
    assert commit is not None, "only the genesis block has none"
    execution = certificate or store.execution_certificate(height)
    return Bundle(store.block(height), commit, execution)
