"""Changes of the committee as people make them: files, a process, proposals, approvals.

Every step is a transaction that a quorum certifies. What happens by itself, the confirmations of
the nodes and the empty blocks up to the first height of the new committee, is waited for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType

from client.cluster import Cluster
from client.errors import ClientError
from client.session import Session
from ledger.errors import CertificateInvalid
from ledger.values import Value
from tests.e2e.checks import Finding
from tests.e2e.manifest import (
    AddValidator,
    CommitteeEvent,
    ExpelValidator,
    Promote,
    RemoveValidator,
    ReplaceValidator,
    Seats,
)
from tests.e2e.stage import Stage

MANAGER = "manager"
CATCH_UP_S = 90.0  # a new node starts, is let in and has the head
IN_FORCE_S = 60.0  # from the last approval to the first block of the new committee
ACCUSED_S = 60.0  # until the chain has proof against a liar
END_S = 300.0  # for all changes that are under way when the load should end
LAG_MAX = 8  # heights behind the others at which a node counts as having caught up
PAGE = 100  # accusations, at most, in one answer


@dataclass(frozen=True, slots=True)
class Made:
    """A change that is in force; times of the monotonic clock."""

    kind: str
    node: str
    began: float
    admitted_s: float | None  # a new node: from the start of its process until it had the head
    approved: float  # the last approval was certified
    in_force: float  # a block of the new committee was certified
    base: int  # its first height is the next
    members: int


class Council:
    """Carries out one change at a time, in the background; use it as a context manager."""

    def __init__(self, stage: Stage, seats: Seats, liars: Collection[str]) -> None:
        self.seats = seats  # as far as changes are in force
        self.made: list[Made] = []
        self.accused: dict[str, float] = {}  # liar -> when the chain had proof against it
        self.findings: list[Finding] = []
        self._stage = stage
        self._liars = liars
        apis = [node.api for node in stage.plan.nodes if node.name in seats.members]
        self._cluster = Cluster(apis, caller=stage.caller)
        self._pool = ThreadPoolExecutor(1, "council")
        self._asked: list[Future[None]] = []
        self._proposals = 0

    def __enter__(self) -> Council:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._cluster.close()  # ends what still waits
        self._pool.shutdown(cancel_futures=True)

    def admit(self, name: str) -> float:
        """Start a node of the network's files, have it admitted; seconds until it has the head."""
        stage = self._stage
        new = stage.new_nodes[name]
        listen = next(node.listen for node in stage.plan.nodes if node.name == name)
        began = time.monotonic()
        stage.start(name)
        described = (name, new.entry.party, new.public_key, new.peer_id, listen)
        self._decide("admit_observer", *described)

        def has_head() -> bool:
            found = stage.status_of(name)
            others = [other for other in stage.running if other != name]
            heads = [s.height for other in others if (s := stage.status_of(other))]
            return (
                found is not None
                and found.phase == "observing"
                and found.height + LAG_MAX >= max(heads, default=0)
            )

        stage.wait(has_head, timeout_s=CATCH_UP_S, what=f"{name} observes the head")
        return time.monotonic() - began

    def ask(self, event: CommitteeEvent) -> None:
        """Carry out `event` after those that were asked for before; returns at once."""
        self._asked.append(self._pool.submit(self._carry_out, event))

    def finish(self) -> None:
        """Wait for all of them. What failed is a finding."""
        _, late = futures.wait(self._asked, END_S)
        if late:
            self.findings.append(Finding("change", f"{len(late)} take longer than {END_S:g} s"))
        for asked in set(self._asked) - late:
            asked.result()  # raises what is no refusal, but a mistake of ours

    def _carry_out(self, event: CommitteeEvent) -> None:
        if self.findings:
            return  # it was meant for the committee that the one before would have led to
        try:
            self._change(event)
        except (ClientError, CertificateInvalid, AssertionError) as error:
            told = str(error).splitlines()[0]
            self.findings.append(Finding("change", f"{_kind(event)} {event.node}: {told}"))

    def _change(self, event: CommitteeEvent) -> None:
        stage, began, admitted_s = self._stage, time.monotonic(), None
        successor = ""
        match event:
            case AddValidator():
                admitted_s = self.admit(event.node)
            case ReplaceValidator():
                successor = event.successor
                admitted_s = self.admit(successor)
            case ExpelValidator() if event.node in self._liars:
                self._await_proof(event.node)
            case ExpelValidator() | Promote() | RemoveValidator():
                pass
        kind = "add_validator" if isinstance(event, Promote) else _kind(event)
        before = self._epoch()
        approved = self._decide("propose", kind, event.node, successor)
        self._wait(
            lambda: self._epoch() > before,
            timeout_s=IN_FORCE_S,
            what=f"a block of the committee after {kind} {event.node}",
        )
        in_force, base = time.monotonic(), self._epoch()
        self.seats = self.seats.after(event)
        members = stage.committee(self._honest_members()).size
        self.made.append(
            Made(_kind(event), event.node, began, admitted_s, approved, in_force, base, members)
        )

    def _epoch(self) -> int:
        """The base of the latest epoch of which a block is certified."""
        found = [self._stage.status_of(name) for name in self._honest_members()]
        return max((s.epoch for s in found if s and s.certified_height > s.epoch), default=0)

    def _honest_members(self) -> list[str]:
        """Those of before the change, too: who leaves follows, but a liar's word is nothing."""
        return [
            name
            for name in self._stage.running
            if name not in self._liars and name not in self.seats.expelled
        ]

    def _decide(self, method: str, *args: Value) -> float:
        """Propose as the manager, approve as organizations until it is decided; when it was."""
        self._proposals += 1
        proposal = f"proposal{self._proposals}"
        manager = self._session(MANAGER)
        manager.call("proposal", method, proposal, *args, "end-to-end test")
        organizations = manager.view("governance", "organizations")
        assert isinstance(organizations, list)
        for party in organizations:
            if party != MANAGER and self._is_open(manager, proposal):
                self._session(str(party)).call("proposal", "approve", proposal)
        assert not self._is_open(manager, proposal), f"{method}: all are for it, but it is open"
        return time.monotonic()

    def _is_open(self, session: Session, proposal: str) -> bool:
        found = session.view("proposal", "show", proposal)
        assert isinstance(found, dict)
        return found["status"] == "open"

    def _await_proof(self, liar: str) -> None:
        """Nobody but the nodes themselves puts it on record."""
        session = self._session(MANAGER)

        def is_on_record() -> bool:
            found = session.view("accusation", "list", 0, PAGE)
            assert isinstance(found, list)
            accused = [one for one in found if isinstance(one, dict) and one["validator"] == liar]
            return any(one["accuser"] in self._stage.names for one in accused)

        self._wait(is_on_record, timeout_s=ACCUSED_S, what=f"an accusation of {liar} on chain")
        self.accused[liar] = time.monotonic()

    def _wait(self, condition: Callable[[], bool], *, timeout_s: float, what: str) -> None:
        self._stage.wait(condition, timeout_s=timeout_s, what=what)

    def _session(self, party: str) -> Session:
        return Session(self._cluster, self._stage.account(party))


def _kind(event: CommitteeEvent) -> str:
    return str(type(event).__struct_config__.tag)


def lines(made: Sequence[Made], accused: Mapping[str, float], began: float) -> list[str]:
    """For the report; times are counted from `began`."""
    told = [f"  {at - began:6.1f} s  {name} is accused on chain" for name, at in accused.items()]
    for one in made:
        new = (
            "" if one.admitted_s is None else f", new node at the head after {one.admitted_s:.1f} s"
        )
        told.append(
            f"  {one.began - began:6.1f} s  {one.kind} {one.node}: in force "
            f"{one.in_force - one.approved:.2f} s after the last approval (height {one.base + 1}, "
            f"{one.members} members){new}"
        )
    return told
