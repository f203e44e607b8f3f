"""What a source says about one height; ledger.store.StoredBlock is one."""

from __future__ import annotations

from typing import Protocol

from ledger.model import (
    Block,
    CommitCertificate,
    ExecutionCertificate,
    ExecutionStatement,
    Receipt,
)


class Examined(Protocol):
    """To be judged, part by part. Immutable."""

    @property
    def block(self) -> Block: ...

    @property
    def receipts(self) -> tuple[Receipt, ...]: ...

    @property
    def statement(self) -> ExecutionStatement | None:
        """What whoever kept the chain found the outcome to be; None where nobody tells."""
        ...

    @property
    def commit_certificate(self) -> CommitCertificate | None: ...

    @property
    def execution_certificate(self) -> ExecutionCertificate | None: ...
