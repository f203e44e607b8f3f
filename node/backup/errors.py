"""What a backup or a restore is refused for; each sentence says what to do next."""

from __future__ import annotations


class BackupError(Exception):
    """Base of all refusals of this package."""


class BackupMissing(BackupError):
    """There is no backup where one was named."""


class BackupIncomplete(BackupError):
    """A part of the backup is missing or shorter than it was written."""


class BackupAltered(BackupError):
    """A part of the backup is not what the node wrote and signed there."""


class BackupOfOtherChain(BackupError):
    """The backup belongs to another chain than the genesis or the node."""


class BackupHistoryDiffers(BackupError):
    """The node's blocks do not continue those of the backup: its chain went back."""


class BackupKeyWrong(BackupError):
    """The key does not open this backup."""


class BackupTooOld(BackupError):
    """The backup ends below the height that was asked for."""


class BackupUnproved(BackupError):
    """Executing the backup's blocks did not give what a quorum signed."""


class BackupBusy(BackupError):
    """Another process is writing to this backup, or restoring here."""


class RestoreTargetNotEmpty(BackupError):
    """The data directory holds something already."""


class NodeAway(BackupError):
    """The node whose data this is does not answer at its door."""


class NodeRefused(BackupError):
    """The node answered that it will not do this now."""
