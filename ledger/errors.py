"""Errors of the ledger: each names what was wrong and what to do next."""

from __future__ import annotations

# What to do about damage, wherever it is found.
REMEDY = "mend it with `shuxin node verify DATA --config node.toml --repair`, or restore a backup"


class LedgerError(Exception):
    """Base of all errors of this package."""


class DecodeError(LedgerError):
    """Untrusted bytes are not the canonical encoding of the expected value."""


class BlockInvalid(LedgerError):
    """A block contradicts its header, its certificate or its predecessor."""


class CertificateInvalid(LedgerError):
    """A certificate does not carry a quorum of valid signatures over its statement."""


class ProofInvalid(LedgerError):
    """A Merkle path does not lead from the record to the root."""


class RecoveryInvalid(LedgerError):
    """A recovery plan is not one that this chain's organizations agreed on; says what lacks."""


class HeightUnknown(LedgerError):
    """The ledger holds no block of that height."""


class HeightPruned(HeightUnknown):
    """The ledger begins above that height; `base` is the lowest one of which it holds all."""

    def __init__(self, height: int, base: int) -> None:
        super().__init__(
            f"block {height} is no longer here: this ledger begins at block {base}; ask a node "
            "that keeps more, or read the archives of the blocks below"
        )
        self.base = base


class LedgerClosed(LedgerError):
    """The ledger was closed under a reader: the node is shutting down."""


class LedgerInUse(LedgerError):
    """Another process has the ledger open."""


class LedgerDamaged(LedgerError):
    """What is on disk contradicts itself; `height` names the first block concerned, if known."""

    def __init__(self, message: str, *, height: int | None = None) -> None:
        super().__init__(message)
        self.height = height


class HistoryDamaged(LedgerError):
    """The database of the history cannot be read; it is made again at the next start."""


class OtherFormat(LedgerDamaged):
    """Another release wrote this ledger: nothing is wrong with it, or only its name is."""


class SnapshotInvalid(LedgerError):
    """A snapshot, or a part of one, is not what a quorum certified; says which and why."""


class ArchiveInvalid(LedgerError):
    """A file is no archive, or damaged; `height` is the first one concerned, if it can be told."""

    def __init__(self, message: str, *, height: int | None = None) -> None:
        super().__init__(message)
        self.height = height


class ArchiveTruncated(ArchiveInvalid):
    """An archive does not end with its closing record: the end of it is missing."""


class ArchiveIncomplete(ArchiveInvalid):
    """A whole archive lacks a height that it should have."""


# --- proof bundles: one error for each way in which one fails to prove what it claims ------------


class BundleInvalid(LedgerError):
    """A proof bundle does not prove what it claims; the class says in which respect."""


class OtherChain(BundleInvalid):
    """The bundle, or a part of it, belongs to another chain than the genesis."""


class OtherCommittee(BundleInvalid):
    """The committee is not the one that the genesis, or the last change before, names."""


class CommitteeChangeInvalid(BundleInvalid):
    """A change of the committee does not follow from what comes before it."""


class CommitteeChangeMissing(BundleInvalid):
    """A certificate names a committee to which the listed changes do not lead."""


class QuorumMissing(BundleInvalid):
    """Fewer validators signed than a quorum."""


class SignersInvalid(BundleInvalid):
    """The list of signatures names a validator twice or one that is not there, or is misshapen."""


class ValidatorSignatureInvalid(BundleInvalid):
    """A validator did not sign this statement."""


class OtherBlock(BundleInvalid):
    """The header is not that of the block that the validators signed for."""


class OtherTransaction(BundleInvalid):
    """The transaction is not in the block."""


class OtherReceipt(BundleInvalid):
    """The receipt is not the one that executing the transaction gave."""


class TransactionMalformed(BundleInvalid):
    """The signed part of the transaction is not that of a transaction."""


class SenderSignatureInvalid(BundleInvalid):
    """The sender did not sign this transaction."""


class OtherState(BundleInvalid):
    """The proof does not lead from the key and value to the state that the validators signed."""


class OtherParty(BundleInvalid):
    """What should tie the sender's address to a party does not."""
