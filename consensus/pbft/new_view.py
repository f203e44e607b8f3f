"""The rule of NEW-VIEW: what a quorum of view changes obliges every replica to order again.

Pure: the leader states only which view changes it chose, every replica computes the rest.
(Castro and Liskov, OSDI '99, section 4.4.)
"""

from __future__ import annotations

from dataclasses import dataclass

from consensus.pbft.messages import NewView, PreparedCertificate, null_proposal
from consensus.pbft.schedule import leader, skipped_replicas
from ledger.encoding import encode
from ledger.model import ExecutionCertificate, ValidatorSet, proposal_digest


class Conflict(Exception):
    """Two certificates that cannot both exist unless more than f replicas are faulty."""

    def __init__(self, reason: str, evidence: tuple[bytes, bytes]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.evidence = evidence


@dataclass(frozen=True, slots=True)
class Order:
    """At `height` the new view orders `digest` and nothing else."""

    height: int
    digest: bytes
    holders: tuple[int, ...]  # whoever prepared it holds it; empty for a null proposal


@dataclass(frozen=True, slots=True)
class Plan:
    base: ExecutionCertificate | None  # the highest stable checkpoint among the view changes
    base_height: int  # its height, or that above which the epoch begins
    orders: tuple[Order, ...]  # every height above the base up to `start`
    start: int  # proposals of the new view begin above it
    skipped: tuple[int, ...]


def plan_of(new_view: NewView, validators: ValidatorSet, *, epoch: int) -> Plan:
    """What `new_view`, whose signatures were verified, decides. Raises Conflict."""
    changes = [signed.view_change for signed in new_view.view_changes]
    base: ExecutionCertificate | None = None
    best: dict[int, PreparedCertificate] = {}
    for change in changes:
        if change.stable is not None:
            base = _higher_base(base, change.stable)
        for certificate in change.prepared:
            best[certificate.height] = _later(best.get(certificate.height), certificate)
    low = base.statement.height if base is not None else epoch
    start = max([low, *best])
    return Plan(
        base=base,
        base_height=low,
        orders=tuple(_order(height, best.get(height)) for height in range(low + 1, start + 1)),
        start=start,
        skipped=skipped_replicas(
            [change.unfit for change in changes],
            leader=leader(new_view.view, validators.size),
            size=validators.size,
            fault_bound=validators.fault_bound,
        ),
    )


def _order(height: int, certificate: PreparedCertificate | None) -> Order:
    if certificate is None:
        return Order(height=height, digest=proposal_digest(null_proposal(height)), holders=())
    holders = tuple(signature.validator for signature in certificate.signatures)
    return Order(height=height, digest=certificate.digest, holders=holders)


def _higher_base(
    base: ExecutionCertificate | None, other: ExecutionCertificate
) -> ExecutionCertificate:
    if base is None or other.statement.height > base.statement.height:
        return other
    if other.statement.height == base.statement.height and other.statement != base.statement:
        raise Conflict("two certified statements of one height", (encode(base), encode(other)))
    return base


def _later(best: PreparedCertificate | None, other: PreparedCertificate) -> PreparedCertificate:
    if best is None or other.view > best.view:
        return other
    if other.view == best.view and other.digest != best.digest:
        raise Conflict("two prepared proposals in one view", (encode(best), encode(other)))
    return best
