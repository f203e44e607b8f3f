"""Cluster: several nodes of one chain that answer like one.

A call goes to the first node of the list. When that one is away, stopping, halted or too busy, the
next one is asked, round after round, until the patience is spent. That is safe because everything
here may be said twice: a transaction is known by the SM3 of its signed bytes, and only those same
bytes are ever handed in again, so it is included once or never; reads change nothing; events have
a cursor. A node that has not yet seen what this client was shown is passed over: time never goes
back for a caller.

The nodes' words are believed, as those of a single node are: list only nodes that you trust, or
ask for proofs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from client.account import Account
from client.channel import NO_SECURITY, Security
from client.connection import Connection
from client.errors import ClientError, NodeUnavailable, Refused
from client.node import (
    CALL_TIMEOUT_S,
    PENDING,
    BlockView,
    ChainEvent,
    NodeClient,
    Outcome,
    StatesProven,
    StateValue,
    Verdict,
)
from client.outbox import Outbox, Sent
from client.seen import Seen, certified_at, complete_below, page_seen
from client.status import NodeStatus
from client.translation import MESSAGE_SIZE_MAX
from client.trial import BEHIND, Clock, Trial, is_elsewhere
from ledger.encoding import decode, encode
from ledger.genesis import Genesis
from ledger.history.pages import WHOLE, AccountEntry, KeyChange, Page, Span, SubjectEntry
from ledger.model import Transaction, transaction_id
from ledger.proof import StateKey
from ledger.succession import CommitteeChange
from ledger.values import Value

NODES_MAX = 64  # that are worth listing; the rest of a longer list is a mistake
ATTEMPT_S = 5.0  # for one node to answer: a loaded node needs one, a hung one gets no more
PATIENCE_S = 30.0  # for one call: longer than the restart of a node with a view change
FIRST_CONTACT_S = 5.0  # as long as no node ever answered: then the list may be wrong
WAIT_TURN_S = 5.0  # of a waiting call; then the next node gets the transaction, too
RETURN_S = 30.0  # after which the first node of the list is tried again...
RETURN_MAX_S = 480.0  # ... doubled each time in vain: a node that hangs costs ATTEMPT_S
WATCH_S = 10.0  # between two looks at whether the others have left an idle event stream behind

CHAIN_MISMATCH = "node.chain"
REPLAYED = "transaction.replayed"
EXPIRED = "transaction.expired"
NOT_FOUND = "not_found"
PRUNED = "block.pruned"  # not found either, in the blocks that the node keeps

R = TypeVar("R")


@dataclass(slots=True)
class _Watch:
    """Of an event stream that may stand still: when to look again, what others had last time."""

    next_s: float
    others: int = 0


def open_connection(
    targets: Sequence[str],
    *,
    chain_id: bytes | None = None,
    security: Security = NO_SECURITY,
    caller: Account | None = None,
) -> Connection:
    """A connection to the one node, or to all that are named (host:port). Raises ValueError.

    `caller` is who the nodes are told that asks. With `chain_id` all that is signed is for it.
    """
    if len(targets) == 1:
        return NodeClient(targets[0], chain_id=chain_id, security=security, caller=caller)
    return Cluster(targets, chain_id=chain_id, security=security, caller=caller)


class Cluster:
    """A connection to several nodes. Thread safe; close it, or use it as a context manager.

    Every call raises Refused, NodeUnavailable (NodesUnavailable says why each node failed) or
    ValueError for arguments that are no contract values.
    """

    def __init__(
        self,
        targets: Sequence[str],
        *,
        attempt_s: float = ATTEMPT_S,
        patience_s: float = PATIENCE_S,
        wait_turn_s: float = WAIT_TURN_S,
        clock: Clock | None = None,
        chain_id: bytes | None = None,
        security: Security = NO_SECURITY,
        caller: Account | None = None,
    ) -> None:
        """`targets` are host:port, the preferred one first. Raises ValueError for a bad list.

        Nodes of another chain than `chain_id`, or than that of the first to answer, are refused.
        """
        self._targets = tuple(dict.fromkeys(targets))
        if not 0 < len(self._targets) <= NODES_MAX:
            raise ValueError(f"a cluster takes 1 to {NODES_MAX} nodes, got {len(self._targets)}")
        timeout_s = attempt_s if len(self._targets) > 1 else CALL_TIMEOUT_S
        self._nodes = [
            NodeClient(target, timeout_s=timeout_s, security=security, caller=caller)
            for target in self._targets
        ]
        self._patience_s = patience_s
        self._wait_turn_s = wait_turn_s
        self._closed = threading.Event()
        self._clock = clock or Clock(now=time.monotonic, pause=self._closed.wait)
        self._outbox = Outbox()
        self._lock = threading.Lock()  # of what follows; never held while a node is asked
        self._place = 0
        self._moved_s = self._clock.now()
        self._return_s = RETURN_S
        # Its id, and who named it.
        self._chain = None if chain_id is None else (chain_id, "this client's genesis")
        self._has_met = False  # whether any node ever answered
        self._shown = Seen()  # to the caller
        self._known: dict[int, Seen] = {}  # of nodes that answered since they last failed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all calls under way, also those of other threads: they raise NodeUnavailable."""
        self._closed.set()
        for node in self._nodes:
            node.close()

    @property
    def target(self) -> str:
        """All nodes, separated by commas."""
        return ",".join(self._targets)

    @property
    def chain_id(self) -> bytes:
        """SM3 of the genesis that all nodes share; asked once."""
        if self._chain is None:
            self.status()
        assert self._chain is not None, "no node is used before it has named its chain"
        return self._chain[0]

    # --- writes -----------------------------------------------------------------------------

    def submit(self, transaction: Transaction) -> bytes:
        """Hands in a transaction; returns its id once a node holds it, or a block includes it."""
        verdict = self.submit_encoded([encode(transaction)])[0]
        if verdict.error:
            raise Refused(verdict.error, verdict.detail)
        return verdict.transaction_id

    def submit_batch(self, transactions: Sequence[Transaction]) -> list[Verdict]:
        """Hands in many at once; one verdict each, in order."""
        return self.submit_encoded([encode(transaction) for transaction in transactions])

    def submit_encoded(self, transactions: Sequence[bytes]) -> list[Verdict]:
        """`submit_batch` for transactions that are bytes already.

        What one node has no room for goes to the next. A verdict that says so means that no node
        had room.
        """
        verdicts: dict[int, Verdict] = {}
        left = list(range(len(transactions)))

        def hand_in(place: int) -> None:
            found = self._hand_in(place, [transactions[index] for index in left])
            verdicts.update(zip(left, found, strict=True))
            left[:] = [index for index in left if is_elsewhere(verdicts[index].error)]
            if left:
                first = verdicts[left[0]]
                raise Refused(first.error, first.detail)

        try:
            self._insist(hand_in, lambda done: Seen())
        except Refused:
            if len(verdicts) < len(transactions):
                raise
        return [verdicts[index] for index in range(len(transactions))]

    def _hand_in(self, place: int, transactions: Sequence[bytes]) -> list[Verdict]:
        """The verdicts of one node; what a block includes already counts as taken."""
        node = self._nodes[place]
        verdicts = []
        for data, verdict in zip(transactions, node.submit_encoded(transactions), strict=True):
            if verdict.error in (REPLAYED, EXPIRED):
                wanted = transaction_id(decode(data, Transaction, size_max=MESSAGE_SIZE_MAX))
                # A node looks at the expiry first: also of what was included in time.
                if verdict.error == REPLAYED or _includes(node, wanted):
                    verdict = Verdict(wanted, "", "")
            if not verdict.error:
                self._outbox.keep(verdict.transaction_id, Sent(data, place))
            verdicts.append(verdict)
        return verdicts

    def wait(self, wanted: bytes, *, timeout_s: float = 30.0, proof: bool = False) -> Outcome:
        """Waits until `wanted` is in a certified block, at one node after the other.

        What this client handed in is handed in again, in the same bytes, wherever it goes on
        waiting. Raises Refused("receipt.pending") when `timeout_s` is over,
        Refused("transaction.expired") when it can no longer be included.
        """
        trial = self._trial(timeout_s)
        while True:
            place = trial.place
            try:
                self._vet(place)
                sent = self._outbox.find(wanted)
                if sent is not None and (trial.turns or sent.holder != place):
                    self._hand_in_again(place, sent)
                turn_s = min(trial.left_s, self._wait_turn_s)
                outcome = self._nodes[place].wait(wanted, timeout_s=turn_s, proof=proof)
            except ClientError as error:
                self._note_failure(place, error)
                if isinstance(error, Refused) and error.code == PENDING:
                    if trial.left_s <= 0:
                        raise
                    trial.skip()
                else:
                    trial.failed(error)
            else:
                self._note_answer(place, certified_at(outcome.height))
                self._outbox.let_go(wanted)
                return outcome

    def _hand_in_again(self, place: int, sent: Sent) -> None:
        verdict = self._hand_in(place, [sent.data])[0]
        if verdict.error:
            raise Refused(verdict.error, verdict.detail)

    # --- reads ------------------------------------------------------------------------------

    def status(self) -> NodeStatus:
        """Of the node that answers now."""
        return self._insist(
            lambda place: self._nodes[place].status(),
            lambda found: Seen(found.certified_height, found.height),
        )

    def genesis(self) -> Genesis:
        return self._insist(lambda place: self._nodes[place].genesis(), lambda found: Seen())

    def committee_changes(self, above: int = 0) -> tuple[CommitteeChange, ...]:
        """The changes of the committee with a base above `above`, oldest first, unchecked."""
        return self._insist(
            lambda place: self._nodes[place].committee_changes(above),
            lambda found: certified_at(found[-1].base) if found else Seen(),
        )

    def transaction(self, wanted: bytes, *, proof: bool = True) -> Outcome:
        """A transaction in a stored block; with its Merkle paths and certificate if `proof`."""
        return self._insist(
            lambda place: self._nodes[place].transaction(wanted, proof=proof),
            lambda found: Seen(found.height if found.proof else 0, found.height),
        )

    def view(self, account: Account, contract: str, method: str, *args: Value) -> Value:
        """The value of a view, asked as `account`."""
        return self._insist(
            lambda place: self._nodes[place].viewed(account, contract, method, *args),
            lambda found: Seen(head=found.height),
        ).value

    def block(self, height: int) -> BlockView:
        return self._insist(
            lambda place: self._nodes[place].block(height),
            lambda found: Seen(height if found.execution_certificate else 0, height),
        )

    def state(self, namespace: str, key: bytes, *, height: int = 0) -> StateValue:
        """A raw state value, at `height` or (0) the newest certified one, with its proof."""
        return self._insist(
            lambda place: self._nodes[place].state(namespace, key, height=height),
            lambda found: certified_at(found.certificate.statement.height),
        )

    def states(self, keys: Sequence[StateKey], *, height: int = 0) -> StatesProven:
        """Many keys of one height with one proof, as `state`."""
        return self._insist(
            lambda place: self._nodes[place].states(keys, height=height),
            lambda found: certified_at(found.certificate.statement.height),
        )

    def key_history(self, namespace: str, key: bytes, span: Span = WHOLE) -> Page[KeyChange]:
        """What blocks left under a key, a page of it."""
        return self._insist(
            lambda place: self._nodes[place].key_history(namespace, key, span), page_seen
        )

    def account_history(self, address: str, span: Span = WHOLE) -> Page[AccountEntry]:
        """The transactions that an account sent, a page of them."""
        return self._insist(
            lambda place: self._nodes[place].account_history(address, span), page_seen
        )

    def subject_history(
        self, subject: str | bytes, span: Span = WHOLE, *, contract: str = "", field: str = ""
    ) -> Page[SubjectEntry]:
        """The events about a subject, a page of them."""
        return self._insist(
            lambda place: self._nodes[place].subject_history(
                subject, span, contract=contract, field=field
            ),
            page_seen,
        )

    def events(
        self, *, from_height: int = 0, from_index: int = 0, contract: str = "", name: str = ""
    ) -> Generator[ChainEvent, None, None]:
        """Follows certified events from a cursor, for ever; heartbeats have an empty name.

        A stream that is interrupted, or that stands still while other nodes go on, is taken up at
        another node behind the last event: none is left out, none comes twice.
        """
        cursor = (from_height, from_index)
        trial = self._trial(self._patience_s)
        while True:
            place, is_alive = trial.place, False
            watch = _Watch(self._clock.now() + WATCH_S)
            try:
                self._vet(place)
                stream = self._nodes[place].events(
                    from_height=cursor[0], from_index=cursor[1], contract=contract, name=name
                )
                with closing(stream):
                    for event in stream:
                        is_alive = True
                        if not event.name:
                            self._check_pace(place, event.height, watch)
                        if (event.height, event.index) < cursor:
                            continue  # the heartbeat of a node that is not there yet
                        cursor = (event.height, event.index + bool(event.name))
                        self._note_answer(place, certified_at(complete_below(event)))
                        yield event
                raise NodeUnavailable(self._targets[place], "its event stream ended")
            except ClientError as error:
                self._note_failure(place, error)
                if is_alive:
                    trial = self._trial(self._patience_s, first=place)
                trial.failed(error)

    def _check_pace(self, place: int, height: int, watch: _Watch) -> None:
        """A heartbeat at `height`: a node that cannot reach the others sends nothing else.

        Raises Refused when another node had that height at the look before.
        """
        if watch.others >= height:
            raise Refused(BEHIND, f"it waits for height {height}, others have {watch.others}")
        now = self._clock.now()
        if now >= watch.next_s:
            watch.next_s = now + WATCH_S
            watch.others = max(map(self._certified, self._others(place)), default=0)

    def _others(self, place: int) -> list[int]:
        return [other for other in range(len(self._nodes)) if other != place]

    def _certified(self, place: int) -> int:
        """What the node says that it has; 0 for one that does not answer."""
        try:
            status = self._nodes[place].bare_status()
        except ClientError:
            return 0
        self._check_chain(status.chain_id, self._targets[place])
        return status.certified_height

    # --- whom to ask ------------------------------------------------------------------------

    def _insist(self, ask: Callable[[int], R], seen_in: Callable[[R], Seen]) -> R:
        """The answer of the first node that gives one; `seen_in` tells how far it shows."""
        trial = self._trial(self._patience_s)
        while True:
            place = trial.place
            try:
                self._vet(place)
                answer = ask(place)
            except ClientError as error:
                self._note_failure(place, error)
                trial.failed(error)
            else:
                self._note_answer(place, seen_in(answer))
                return answer

    def _trial(self, patience_s: float, *, first: int | None = None) -> Trial:
        if not self._has_met:
            patience_s = min(patience_s, FIRST_CONTACT_S)
        return Trial(
            self._targets,
            first=self._start() if first is None else first,
            patience_s=patience_s,
            clock=self._clock,
        )

    def _start(self) -> int:
        """The node that answered last; once in a while the preferred one again."""
        with self._lock:
            now = self._clock.now()
            if self._place and now - self._moved_s >= self._return_s:
                self._moved_s = now
                self._return_s = min(RETURN_MAX_S, 2 * self._return_s)
                return 0
            return self._place

    def _vet(self, place: int) -> None:
        """Look at a node that was away, or that others have overtaken.

        Raises Refused for one of another chain, or one that is behind what the caller was shown.
        """
        with self._lock:
            known, shown = self._known.get(place), self._shown
        if known is not None and known.covers(shown):
            return
        status = self._nodes[place].bare_status()
        self._check_chain(status.chain_id, self._targets[place])
        found = Seen(status.certified_height, status.height)
        with self._lock:
            self._known[place] = found
        if not found.covers(shown):
            raise Refused(
                BEHIND,
                f"at height {found.head}, certified {found.certified}; {shown.head} and "
                f"{shown.certified} were seen already: it is catching up",
            )

    def _check_chain(self, found: bytes, target: str) -> None:
        with self._lock:
            if self._chain is None:
                self._chain = (found, f"node {target}")
            self._has_met = True
            known, named_by = self._chain
        if found != known:
            raise Refused(
                CHAIN_MISMATCH,
                f"node {target} serves chain {found.hex()[:16]}…, {named_by} has "
                f"{known.hex()[:16]}…: all nodes of one list must be of one chain; take one out",
            )

    def _note_answer(self, place: int, seen: Seen) -> None:
        with self._lock:
            self._shown = self._shown.joined(seen)
            self._known[place] = self._known.get(place, Seen()).joined(seen)
            if not place:
                self._return_s = RETURN_S
            if place != self._place:
                self._place = place
                self._moved_s = self._clock.now()

    def _note_failure(self, place: int, error: ClientError) -> None:
        """Raises `error` once this client is closed."""
        if self._closed.is_set():
            raise error
        if isinstance(error, NodeUnavailable):  # whatever comes back there is looked at anew
            with self._lock:
                self._known.pop(place, None)


def _includes(node: NodeClient, wanted: bytes) -> bool:
    try:
        node.transaction(wanted, proof=False)
    except Refused as refusal:
        # A transaction that can still be included, or just could, stands in no pruned block.
        if refusal.code in (NOT_FOUND, PRUNED):
            return False
        raise
    return True
