"""Follower: what a node says, judged by what is trusted. Asks nobody but through `Fetch`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

from msgspec.structs import replace

from client.light.errors import (
    ChangeWithheld,
    ClockBehind,
    ForkSeen,
    StaleCertificate,
    WentBack,
)
from client.light.trusted import Trusted, with_certificates, with_plans
from ledger.bundle import (
    Certified,
    StateClaim,
    StateFacts,
    StatesClaim,
    StatesFacts,
    TransactionClaim,
    TransactionFacts,
    Trust,
    check_certified,
    check_state,
    check_states,
    check_transaction,
)
from ledger.certificates import VerifyBatch
from ledger.errors import (
    BundleInvalid,
    CommitteeChangeInvalid,
    CommitteeChangeMissing,
    QuorumMissing,
    SignersInvalid,
    ValidatorSignatureInvalid,
)
from ledger.model import ExecutionCertificate
from ledger.recovery import Recovery
from ledger.succession import COMMITTEE_CHANGES_MAX, CommitteeChange, follow_change

Fetch: TypeAlias = Callable[[int], Sequence[CommitteeChange]]  # those above a height, unchecked
F = TypeVar("F")

# Beside the heartbeat: a view change or two, and two clocks that are not quite right.
AGE_SLACK_MS = 60_000
AHEAD_MS_MAX = 60_000  # what a node allows a query's time to be away from its own clock


class Follower:
    """What one light client knows. Thread safe.

    The checks raise a BundleInvalid for a proof that proves nothing, or a LightError.
    """

    def __init__(
        self,
        trusted: Trusted,
        verify_batch: VerifyBatch,
        *,
        now_ms: Callable[[], int],
        age_ms_max: int | None = None,
        recoveries: Sequence[Recovery] = (),
    ) -> None:
        """`age_ms_max`: how old the newest block may be; by default as the chain's heartbeat.

        `recoveries`: the plans by which the chain goes on, in order, trusted like its genesis.
        """
        self._trusted, epochs = with_plans(trusted, recoveries)
        self._verify_batch = verify_batch
        self._now_ms = now_ms
        self.age_ms_max = trusted.heartbeat_ms + AGE_SLACK_MS if age_ms_max is None else age_ms_max
        self._lock = threading.RLock()
        self._trust = Trust(trusted.chain_id, epochs, verify_batch)

    @property
    def trusted(self) -> Trusted:
        """What is known by now; to be stored."""
        return self._trusted

    @property
    def trust(self) -> Trust:
        """For checks of `ledger.bundle`, as far as the committees are known."""
        return self._trust

    # --- what is proved ---------------------------------------------------------------------

    def certified(self, certificate: ExecutionCertificate, fetch: Fetch) -> Certified:
        """The block that a quorum of the committee of its height vouches for.

        Changes of the committee are asked for when the certificate shows that some are not known.
        """
        return self._judged(certificate, fetch, lambda: check_certified(certificate, self._trust))

    def transaction(self, claim: TransactionClaim, fetch: Fetch) -> TransactionFacts:
        """That the transaction is in its block, and what came of it."""
        return self._judged(claim.certificate, fetch, lambda: check_transaction(claim, self._trust))

    def state(self, claim: StateClaim, fetch: Fetch) -> StateFacts:
        """What a key held when the certificate was made, or that it held nothing."""
        return self._judged(claim.certificate, fetch, lambda: check_state(claim, self._trust))

    def states(self, claim: StatesClaim, fetch: Fetch) -> StatesFacts:
        """What many keys held when the certificate was made."""
        return self._judged(claim.certificate, fetch, lambda: check_states(claim, self._trust))

    def check_newest(self, height: int, time_ms: int) -> None:
        """That a checked block can stand for now.

        Raises WentBack, StaleCertificate or ClockBehind.
        """
        head = self._trusted.head
        if height < head:
            raise WentBack(
                f"the node answers from block {height}, but block {head} was certified "
                "already: it lags, or withholds what is newer; ask another node"
            )
        self._check_age(height, time_ms)

    def _check_age(self, height: int, time_ms: int) -> None:
        age_ms = self._now_ms() - time_ms
        if age_ms > self.age_ms_max:
            raise StaleCertificate(
                f"the newest block that the node shows, {height}, is {age_ms / 1000:.0f} "
                f"s old by this machine's clock, {self.age_ms_max / 1000:.0f} s are allowed: the "
                "node withholds newer ones, the chain stands still, or this clock is wrong; ask "
                "another node, or take it as it is with --max-age SECONDS"
            )
        if age_ms < -AHEAD_MS_MAX:
            raise ClockBehind(
                f"block {height} is certified for {-age_ms / 1000:.0f} s from now by "
                "this machine's clock: set the clock (date, timedatectl)"
            )

    # --- committees and certificates --------------------------------------------------------

    def follow(self, fetch: Fetch) -> bool:
        """Learn the changes of the committee that are not known; whether there were any."""
        with self._lock:
            epochs, changes = self._trust.epochs, list[CommitteeChange]()
            for change in fetch(epochs.newest.base):
                if change.validators.digest == epochs.newest.validators.digest:
                    continue  # a recovery plan's epoch: the same committee
                if len(self._trusted.changes) + len(changes) == COMMITTEE_CHANGES_MAX:
                    raise CommitteeChangeInvalid(
                        f"more than {COMMITTEE_CHANGES_MAX} changes of the committee are listed"
                    )
                epochs = follow_change(epochs, change, self._verify_batch)
                changes.append(change)
            if not changes:
                return False
            trust = Trust(self._trusted.chain_id, epochs, self._verify_batch)
            self._check_seen(changes[0], trust)
            certificates = with_certificates(
                self._trusted.certificates, [change.certificate for change in changes]
            )
            self._trust = trust
            self._trusted = replace(
                self._trusted,
                changes=(*self._trusted.changes, *changes),
                certificates=certificates,
            )
            return True

    def _check_seen(self, change: CommitteeChange, trust: Trust) -> None:
        """What was believed above a change that nobody told of holds with it, too, or is a fork."""
        for seen in self._trusted.certificates:
            if seen.statement.height <= change.base:
                continue
            try:
                check_certified(seen, trust)
            except BundleInvalid:
                raise ForkSeen(
                    f"the committee changed after block {change.base}, but the one before it "
                    f"certified block {seen.statement.height}",
                    change.certificate,
                    seen,
                ) from None

    def _judged(self, certificate: ExecutionCertificate, fetch: Fetch, check: Callable[[], F]) -> F:
        with self._lock:
            try:
                found = check()
            except _WITH_OTHER_COMMITTEE:
                if certificate.statement.height <= self._trust.epochs.newest.base:
                    raise
                self.follow(fetch)
                found = self._checked_again(certificate, check)
            self._remember(certificate)
            return found

    def _checked_again(self, certificate: ExecutionCertificate, check: Callable[[], F]) -> F:
        try:
            return check()
        except CommitteeChangeMissing:
            raise ChangeWithheld(
                f"the certificate of block {certificate.statement.height} hands over to a "
                "committee of which the node tells nothing: it withholds a change, or is behind; "
                "ask another node"
            ) from None

    def _remember(self, certificate: ExecutionCertificate) -> None:
        known = with_certificates(self._trusted.certificates, [certificate])
        if known != self._trusted.certificates:
            self._trusted = replace(self._trusted, certificates=known)


# What a good certificate may look like to who does not know its committee.
_WITH_OTHER_COMMITTEE = (
    CommitteeChangeMissing,
    QuorumMissing,
    SignersInvalid,
    ValidatorSignatureInvalid,
)
