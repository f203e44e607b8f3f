"""What a light client believes: where it began, and how far it has followed the chain since."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, zip_longest

from msgspec.structs import replace

from client.light.errors import ForkSeen
from crypto import sm3
from ledger.committee import Epoch, Epochs
from ledger.encoding import decode, encode
from ledger.errors import DecodeError
from ledger.genesis import Genesis, chain_id
from ledger.model import DIGEST_SIZE, ExecutionCertificate, Record, ValidatorSet
from ledger.recovery import Recovery, domain_after
from ledger.succession import CHANGE_SIZE_MAX, COMMITTEE_CHANGES_MAX, CommitteeChange

TAG_TRUSTED = b"shuxin/light/1\0"  # a file's first bytes: format and version
_TAG_STEM = b"shuxin/light/"
# The newest certificates that were seen: enough to notice a node that tells of another history a
# few blocks later, and 80 KB at most (64 validators who all signed).
CERTIFICATES_MAX = 16
TRUSTED_SIZE_MAX = (1 << 20) + COMMITTEE_CHANGES_MAX * CHANGE_SIZE_MAX  # bytes of a file


class Trusted(Record):
    """`changes` and `certificates` were verified, from the genesis on; both ascend by height."""

    chain_id: bytes
    committee: ValidatorSet  # of the genesis
    heartbeat_ms: int  # no two blocks of this chain are further apart while it moves
    source: str  # where the genesis came from, for people
    since_ms: int
    changes: tuple[CommitteeChange, ...]
    certificates: tuple[ExecutionCertificate, ...]

    @property
    def head(self) -> int:
        """The highest height that a quorum is known to have certified; 0: none."""
        heights = [certificate.statement.height for certificate in self.certificates[-1:]]
        return max([*heights, *(change.base for change in self.changes[-1:])], default=0)


def begin(genesis: Genesis, source: str, now_ms: int) -> Trusted:
    """To trust a genesis and nothing else yet."""
    return Trusted(
        chain_id=chain_id(genesis),
        committee=genesis.validators,
        heartbeat_ms=genesis.limits.heartbeat_ms,
        source=source,
        since_ms=now_ms,
        changes=(),
        certificates=(),
    )


def with_certificates(
    known: Sequence[ExecutionCertificate], added: Sequence[ExecutionCertificate]
) -> tuple[ExecutionCertificate, ...]:
    """The newest of both, ascending. Raises ForkSeen when two of them cannot both be true."""
    found = {certificate.statement.height: certificate for certificate in known}
    for certificate in added:
        other = found.setdefault(certificate.statement.height, certificate)
        if other.statement != certificate.statement:
            raise ForkSeen(
                f"two certified outcomes of block {certificate.statement.height}: blocks "
                f"{other.statement.block_hash.hex()} and {certificate.statement.block_hash.hex()}",
                other,
                certificate,
            )
    ordered = [found[height] for height in sorted(found)]
    for earlier, later in pairwise(ordered):
        if earlier.statement.time_ms >= later.statement.time_ms:
            raise ForkSeen(
                f"block {later.statement.height} is certified as not later than block "
                f"{earlier.statement.height}",
                earlier,
                later,
            )
    return tuple(ordered[-CERTIFICATES_MAX:])


def merged(one: Trusted, other: Trusted) -> Trusted:
    """What two commands of one chain learned, together. Raises ForkSeen."""
    assert one.chain_id == other.chain_id, "each chain has a file of its own"
    for mine, yours in zip_longest(one.changes, other.changes):
        if mine is None or yours is None:
            break
        if mine.certificate.statement != yours.certificate.statement:
            raise ForkSeen(
                f"two changes of the committee follow each other differently: after block "
                f"{mine.base} and after block {yours.base}",
                mine.certificate,
                yours.certificate,
            )
    longer = max(one.changes, other.changes, key=len)
    certificates = with_certificates(one.certificates, other.certificates)
    return Trusted(
        one.chain_id,
        one.committee,
        one.heartbeat_ms,
        one.source,
        one.since_ms,
        longer,
        certificates,
    )


def with_plans(trusted: Trusted, recoveries: Sequence[Recovery]) -> tuple[Trusted, Epochs]:
    """What of `trusted` is left when the chain goes on as these plans say, and its committees.

    What was signed above a plan's height for what went before is not of this chain any more.
    """
    epochs = Epochs((Epoch(0, trusted.committee, trusted.chain_id),))
    for recovery in recoveries:
        epochs = epochs.with_recovery(recovery.plan.height, domain_after(recovery.plan))
    changes: list[CommitteeChange] = []
    for change in trusted.changes:
        domain = epochs.at(change.base).domain
        if change.certificate.statement.chain_id != domain:
            break  # and with it all that followed
        changes.append(change)
        epochs = epochs.with_next(Epoch(change.base, change.validators, domain))
    certificates = tuple(
        certificate
        for certificate in trusted.certificates
        if certificate.statement.chain_id == epochs.at(certificate.statement.height).domain
    )
    return replace(trusted, changes=tuple(changes), certificates=certificates), epochs


def encode_trusted(trusted: Trusted) -> bytes:
    """The bytes of the file: tag, SM3 of the record, record."""
    data = encode(trusted)
    return TAG_TRUSTED + sm3.digest(data) + data


def decode_trusted(data: bytes) -> Trusted:
    """The record in a file. Raises DecodeError for anything else."""
    if not data.startswith(TAG_TRUSTED):
        if data.startswith(_TAG_STEM):
            raise DecodeError("it is of another version: use the release that wrote it")
        raise DecodeError("it does not begin like one")
    begin_at = len(TAG_TRUSTED) + DIGEST_SIZE
    digest, body = data[len(TAG_TRUSTED) : begin_at], data[begin_at:]
    if sm3.digest(body) != digest:
        raise DecodeError("its digest does not fit: it was altered, or not written to the end")
    trusted = decode(body, Trusted, size_max=TRUSTED_SIZE_MAX)
    heights = [certificate.statement.height for certificate in trusted.certificates]
    bases = [0, *(change.base for change in trusted.changes)]
    if any(one >= other for one, other in (*pairwise(heights), *pairwise(bases))):
        raise DecodeError("its heights do not ascend")
    return trusted
