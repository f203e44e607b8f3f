"""A ledger made anew out of the blocks of another, believing none of them: each is proved by its
commit certificate and by a quorum's execution certificates, re-made by the rules, and executed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import structlog

from crypto.provider import CryptoProvider
from ledger.errors import BlockInvalid, CertificateInvalid, LedgerError
from ledger.model import ExecutionCertificate
from ledger.recovery import Recovery
from ledger.store import Store
from node.bundles import Blocks, stored_bundle
from node.execute import Executor, vouched
from node.peer_messages import Bundle

_log = structlog.get_logger("node.rebuild")

Advance = Callable[[int], None]


class OldLedger(Blocks, Protocol):
    """What is rebuilt: its blocks from `base` on, and the recovery plans that it follows."""

    @property
    def base(self) -> int: ...

    @property
    def recoveries(self) -> Sequence[Recovery]: ...


def replay(
    runs: Iterator[list[Bundle]],
    fresh: Store,
    executor: Executor,
    provider: CryptoProvider,
    advance: Advance,
) -> None:
    """Execute `runs` on `fresh` through its `executor`, as far as they are proved.

    `advance(height)` is told of every block and may raise to stop. Raises Diverged when the outcome
    is not the certified one, RecoveryInvalid, LedgerError, OSError, and WorkerFault.
    """
    for run in runs:
        headers = [bundle.block.header for bundle in run]
        certificates = [bundle.execution_certificate for bundle in run]
        try:
            hashes = vouched(headers, certificates, fresh.epochs, provider.verify_batch)
            for bundle, vouched_hash in zip(run, hashes, strict=True):
                block, commit = bundle.block, bundle.commit_certificate
                executor.check_synced(block, commit, vouched_hash, provider)
                executor.apply(block, commit, bundle.execution_certificate)
                if bundle.execution_certificate is not None:
                    fresh.certify(bundle.execution_certificate)
                advance(block.header.height)
        except (BlockInvalid, CertificateInvalid) as error:
            _log.warning("rebuild_unproved", reason=str(error), rest="comes from peers")
            return


def runs_of(
    old: Blocks,
    known: Mapping[int, ExecutionCertificate],
    *,
    last: int,
    length_max: int,
    beyond: Bundle | None = None,
) -> Iterator[list[Bundle]]:
    """Blocks 1 to `last` of `old` in runs that each end with a certificate; the rest has no proof.

    `known` has certificates from elsewhere, which count before the stored ones; `beyond` is the
    block above the head of `old`, if it is at hand. What a run decides begins above a window, and
    gaps between certificates are shorter, so `length_max` is the window.
    """
    found = (
        _stored(old, known, height) if height <= old.height else beyond
        for height in range(1, last + 1)
    )
    return in_runs(found, length_max)


def in_runs(bundles: Iterable[Bundle | None], length_max: int) -> Iterator[list[Bundle]]:
    """Blocks in runs that each end with a certificate, up to the first that is None or unproved."""
    run: list[Bundle] = []
    for bundle in bundles:
        if bundle is None:
            return
        run.append(bundle)
        if bundle.execution_certificate is not None:
            yield run
            run = []
        elif len(run) >= length_max:
            return


def _stored(old: Blocks, known: Mapping[int, ExecutionCertificate], height: int) -> Bundle | None:
    try:
        return stored_bundle(old, height, known.get(height))
    except LedgerError as error:
        _log.warning("rebuild_unreadable", reason=str(error), rest="comes from peers")
        return None
