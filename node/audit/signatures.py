"""Every signature of a block: who should have signed what, verified ahead on all cores.

libcrypto verifies without Python's lock, so threads are enough. Whose signatures they must be, the
replay itself tells: a committee is decided more than a window of heights before its first block.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from crypto import sm2
from crypto.provider import SignedItem
from crypto.providers.software import verify_batch
from ledger.blocks import proposal_of, transaction_items
from ledger.certificates import commit_items, execution_items
from ledger.committee import Epoch
from ledger.errors import BlockInvalid, CertificateInvalid, LedgerError
from ledger.model import Signature, proposal_digest
from ledger.store import Store
from node.audit.examined import Examined

# What is verified before its turn; bounds memory.
AHEAD_BLOCKS = 16
AHEAD_TRANSACTIONS = 4_000
BOUND_SIGNATURES = 512  # verified by each thread to measure what the machine can do: 0.1 s


@dataclass(frozen=True, slots=True)
class Fault:
    """What a certificate lacks; `expected` and `found` may be empty."""

    check: str
    expected: str = ""
    found: str = ""


@dataclass(frozen=True, slots=True)
class Signatures:
    """The verdicts on one block."""

    count: int  # signatures that were verified
    sender: int | None  # place of the first transaction that its sender did not sign
    malformed: str  # what keeps the senders from being known at all
    commit: Fault | None
    execution: Fault | None  # None, too, where there is no execution certificate


def verified_ahead(
    blocks: Iterable[Examined], first: int, again: Store, ahead: int, pool: ThreadPoolExecutor
) -> Generator[tuple[Examined, Future[Signatures]], None, None]:
    """Blocks from height `first` on in order, their signatures being verified on the pool.

    What cannot be read is raised when its turn comes: what is wrong before it counts first.
    """
    waiting: deque[tuple[Examined, Future[Signatures]]] = deque()
    transactions = 0  # in all that waits
    unreadable: LedgerError | None = None
    coming = enumerate(blocks, first)
    try:
        while True:
            try:
                height, stored = next(coming)
            except StopIteration:
                break
            except LedgerError as error:
                unreadable = error
                break
            epoch = again.epochs.at(height)
            waiting.append((stored, pool.submit(verify, stored, height, epoch)))
            transactions += len(stored.block.transactions)
            while len(waiting) >= ahead or (waiting and transactions > AHEAD_TRANSACTIONS):
                transactions -= len(waiting[0][0].block.transactions)
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        for _, signatures in waiting:
            signatures.cancel()
    if unreadable is not None:
        raise unreadable


def verify(stored: Examined, height: int, epoch: Epoch) -> Signatures:
    """All signatures of the block that stands at `height`, which `epoch` orders."""
    malformed = ""
    senders: list[SignedItem] = []
    try:
        senders = transaction_items(stored.block)
    except BlockInvalid as error:
        malformed = str(error)
    good = verify_batch(senders)
    committed = _commit(stored, height, epoch)
    executed = _execution(stored, height, epoch)
    return Signatures(
        count=len(senders) + committed[0] + executed[0],
        sender=good.index(False) if False in good else None,
        malformed=malformed,
        commit=committed[1],
        execution=executed[1],
    )


def _commit(stored: Examined, height: int, epoch: Epoch) -> tuple[int, Fault | None]:
    certificate = stored.commit_certificate
    if certificate is None:
        return 0, Fault("it has no commit certificate")
    if certificate.height != height:
        return 0, Fault(
            "its commit certificate is for another height", str(height), str(certificate.height)
        )
    digest = proposal_digest(proposal_of(stored.block))
    if certificate.proposal_digest != digest:
        return 0, Fault(
            "its commit certificate is for another proposal",
            digest.hex(),
            certificate.proposal_digest.hex(),
        )
    try:
        items = commit_items(certificate, epoch.validators, epoch.domain)
    except CertificateInvalid as error:
        return 0, Fault(str(error))
    return len(items), _unsigned("commit", items, certificate.signatures, epoch)


def _execution(stored: Examined, height: int, epoch: Epoch) -> tuple[int, Fault | None]:
    certificate = stored.execution_certificate
    if certificate is None:
        return 0, None
    found = certificate.statement.height
    if found != height:
        return 0, Fault("its execution certificate is for another height", str(height), str(found))
    try:
        items = execution_items(certificate, epoch.validators, epoch.domain)
    except CertificateInvalid as error:
        return 0, Fault(str(error))
    return len(items), _unsigned("execution", items, certificate.signatures, epoch)


def _unsigned(
    what: str, items: list[SignedItem], signatures: tuple[Signature, ...], epoch: Epoch
) -> Fault | None:
    for entry, good in zip(signatures, verify_batch(items), strict=True):
        if not good:
            name = epoch.validators.validators[entry.validator].name
            return Fault(
                f"signature in its {what} certificate", f"a valid one of {name}", "an invalid one"
            )
    return None


def measure_bound(pool: ThreadPoolExecutor, threads: int) -> float:
    """SM2 verifications a second that `threads` threads of `pool` do when they do nothing else."""
    private = sm2.generate()
    public = sm2.public_key(private)
    messages = [number.to_bytes(32, "big") for number in range(BOUND_SIGNATURES)]
    items = [SignedItem(public, message, sm2.sign(private, message)) for message in messages]
    began = time.perf_counter()
    verdicts = list(pool.map(verify_batch, [items] * threads))
    seconds = time.perf_counter() - began
    assert all(all(verdict) for verdict in verdicts)
    return threads * len(items) / seconds
