"""Whatever a replica is fed, in whatever order, it keeps its promises (tests.sim.witness).

`PBFT_EXAMPLES=5000 python -m pytest -o timeout=0 tests/property/test_pbft_stateful.py` searches
for longer.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from consensus.pbft import verify
from consensus.pbft.messages import (
    NUMBER_MAX,
    Certified,
    Checkpoint,
    Commit,
    Decision,
    Message,
    NewView,
    Prepare,
    PreparedCertificate,
    PrePrepare,
    RelayedNewView,
    RelayedVote,
    SignedViewChange,
    Status,
    ViewChange,
    decode_message,
    encode_message,
    null_proposal,
    signing_bytes,
)
from consensus.pbft.schedule import leader
from consensus.pbft.types import (
    BatchReady,
    ProposalFetched,
    ProposalValidated,
    ReplicaConfig,
    Tick,
)
from ledger.errors import DecodeError
from ledger.model import (
    CommitCertificate,
    ExecutionCertificate,
    ExecutionStatement,
    Proposal,
    Signature,
    proposal_digest,
)
from tests.sim import keys
from tests.sim.desk import CHAIN_ID, ids, proposal_of, statement_of
from tests.sim.witness import Witness

EXAMPLES = int(os.environ.get("PBFT_EXAMPLES", "250"))
STEPS = 60
WINDOW = 4
HUGE = NUMBER_MAX - 1
FAR = 500  # heights; block sync passes them in one go

# Which height or view is meant: the interesting ones change while the replica moves.
WHICH_HEIGHT = st.sampled_from(
    (
        *("next", "next", "next", "settled", "high", "high + 1", "head", "stable + 1"),
        *("base", "base + 1", "last", "last + 1", "reach", "reach + 1", "far", "huge"),
    )
)
WHICH_VIEW = st.sampled_from(
    ("view", "view", "view", "target", "target + 1", "view + 1", "old", "view + 3", "huge")
)
RARELY = st.sampled_from((False,) * 11 + (True,))
SENDERS = st.integers(0, 6)
SUBSETS = st.sets(st.integers(0, 6))


class Peers(RuleBasedStateMachine):
    """Plays all other validators, with their keys, and the driver."""

    @initialize(
        size=st.sampled_from((4, 5, 7)),
        index=st.integers(0, 3),
        base=st.sampled_from((0, 40)),
        length=st.sampled_from((None, WINDOW, WINDOW + 1, 2 * WINDOW + 1)),
        rotate_every=st.sampled_from((2, 1_000)),
        grown=st.integers(0, 2 * WINDOW),
    )
    def begin(
        self,
        size: int,
        index: int,
        base: int,
        length: int | None,
        rotate_every: int,
        grown: int,
    ) -> None:
        """Some heights of normal life come first."""
        self.validators = keys.committee(size)
        config = ReplicaConfig(
            index=index,
            validators=self.validators,
            chain_id=CHAIN_ID,
            base=base,
            window=WINDOW,
            rotate_every=rotate_every,
            transactions_max=2,
        )
        last = base + length if length is not None else None
        self.witness = Witness(config, last)
        self.proposals: dict[int, list[Proposal]] = {}
        self.go_on(grown, is_late=False, is_executed=True, is_certified=True)

    # --- what is meant ----------------------------------------------------------------------

    def height_of(self, which: str) -> int:
        replica, config = self.witness.replica, self.witness.config
        last = self.witness.last if self.witness.last is not None else config.base + 3 * WINDOW
        return {
            "next": replica.next_height,
            "settled": max(replica.decided, replica.stable, config.base + 1),
            "head": max(self.witness.head, config.base + 1),
            "high": self.witness.high,
            "high + 1": self.witness.high + 1,
            "stable + 1": replica.stable + 1,
            "base": config.base,
            "base + 1": config.base + 1,
            "last": last,
            "last + 1": last + 1,
            "reach": replica.stable + 2 * WINDOW,
            "reach + 1": replica.stable + 2 * WINDOW + 1,
            "far": config.base + FAR,
            "huge": HUGE,
        }[which]

    def view_of(self, which: str) -> int:
        replica = self.witness.replica
        return {
            "view": replica.view,
            "target": replica.target_view,
            "target + 1": replica.target_view + 1,
            "view + 1": replica.view + 1,
            "old": max(replica.view - 1, 0),
            "view + 3": replica.view + 3,
            "huge": HUGE,
        }[which]

    def proposal_at(self, height: int, *, is_other: bool = False) -> Proposal:
        """What everybody proposes there, or something else."""
        known = self.proposals.setdefault(height, [])
        if not known:
            known.append(self.new_proposal(height, "usual"))
        if is_other and len(known) == 1:
            known.append(self.new_proposal(height, "other"))
        return known[-1] if is_other else known[0]

    def new_proposal(self, height: int, name: str) -> Proposal:
        return proposal_of(height, f"{name} {height}", proposer=self.witness.replica.proposer)

    def everyone(self, senders: set[int]) -> list[int]:
        """These, or all others if they are no quorum with us; never strangers."""
        size, index = self.validators.size, self.witness.config.index
        chosen = sorted(sender for sender in senders if sender < size)
        if len(chosen) >= self.validators.quorum:
            return chosen
        return [sender for sender in range(size) if sender != index][: self.validators.quorum]

    def signatures(self, message: Message, senders: set[int]) -> tuple[Signature, ...]:
        data = signing_bytes(CHAIN_ID, message)
        return tuple(Signature(i, keys.sign(i, data)) for i in self.everyone(senders))

    def certificate(self, statement: ExecutionStatement) -> ExecutionCertificate:
        return ExecutionCertificate(statement, self.signatures(Checkpoint(statement), set()))

    # --- through bytes and signature checks -------------------------------------------------

    def receive(self, sender: int, message: Message) -> None:
        """As a driver does: what claims the impossible is dropped."""
        sender %= self.validators.size
        base = self.witness.config.base
        try:
            again = decode_message(encode_message(message))
            items = verify.claims(again, sender, self.validators, CHAIN_ID, base=base)
        except (DecodeError, verify.ClaimInvalid) as error:
            event(f"dropped: {type(error).__name__}")
            return
        assert all(keys.is_valid(item) for item in items)
        event(f"received: {type(message).__name__}")
        self.witness.step(self.witness.received(sender, again))

    def is_alive(self) -> bool:
        return self.witness.ended is None and not self.witness.is_over

    # --- time, execution, the driver's answers ----------------------------------------------

    @precondition(is_alive)
    @rule(
        count=st.integers(1, 25), pending=st.booleans(), withheld=st.booleans(), heard=st.booleans()
    )
    def tick(self, count: int, pending: bool, withheld: bool, heard: bool) -> None:
        for _ in range(count):
            if heard:
                self.say(self.everyone(set()), Status(self.witness.replica.view, True, 0, 0))
            self.witness.step(Tick(pending=pending, withheld=withheld))

    @precondition(is_alive)
    @rule(names=st.sets(st.sampled_from(("a", "b", "c")), max_size=2))
    def propose(self, names: set[str]) -> None:
        """No names: a heartbeat."""
        replica = self.witness.replica
        self.witness.step(BatchReady(ids(*names), time_ms=replica.next_height))

    @precondition(is_alive)
    @rule(is_ok=st.booleans(), position=st.integers(0, 20), is_last_word=st.booleans())
    def answer(self, is_ok: bool, position: int, is_last_word: bool) -> None:
        """One of the questions, in any order, late, or twice."""
        asked = self.witness.asked
        if asked:
            question = asked[position % len(asked)]
            if is_last_word:
                asked.remove(question)
            height = question.proposal.height
            self.witness.step(ProposalValidated(height, question.digest, ok=is_ok))

    @precondition(is_alive)
    @rule()
    def answer_all(self) -> None:
        for _ in range(3 * WINDOW):
            if self.witness.asked:
                question = self.witness.asked.pop(0)
                height = question.proposal.height
                self.witness.step(ProposalValidated(height, question.digest, ok=True))

    @precondition(is_alive)
    @rule(is_other=st.booleans(), which=WHICH_HEIGHT)
    def fetched(self, is_other: bool, which: str) -> None:
        """What was asked for, if anything was."""
        wanted = {fetch.digest for fetch in self.witness.wanted}
        known = [proposal for made in self.proposals.values() for proposal in made]
        found = [proposal for proposal in known if proposal_digest(proposal) in wanted]
        proposal = found[-1] if found else self.proposal_at(self.height_of(which))
        if is_other:
            proposal = self.proposal_at(proposal.height, is_other=True)
        self.witness.step(ProposalFetched(proposal))

    @precondition(is_alive)
    @rule(count=st.integers(1, WINDOW))
    def execute(self, count: int) -> None:
        for _ in range(count):
            if self.is_alive() and self.witness.executing:
                self.witness.execute_next()

    @precondition(lambda self: self.is_alive() and self.witness.goal is not None)
    @rule(reached=st.integers(0, 3 * WINDOW), uncertified=st.integers(0, WINDOW), far=RARELY)
    def sync(self, reached: int, uncertified: int, far: bool) -> None:
        """Peers help as far as they like, also beyond the goal and beyond the epoch."""
        witness = self.witness
        height = witness.head + reached
        if far:
            height = max(height, witness.config.base + FAR)
        certified = max(witness.certified, min(height, height - uncertified))
        witness.sync_to(height, certified, self.certificate)

    # --- crashes ----------------------------------------------------------------------------

    @precondition(is_alive)
    @rule(effects=st.integers(0, 12), torn=st.integers(0, 1 << 16))
    def power_will_go_off(self, effects: int, torn: int) -> None:
        self.witness.crash_in, self.witness.torn = effects, torn

    @precondition(is_alive)
    @rule()
    def restart(self) -> None:
        self.witness.crash()

    @precondition(is_alive)
    @rule()
    def compact(self) -> None:
        self.witness.compact()

    # --- messages ---------------------------------------------------------------------------

    @rule(data=st.binary(max_size=200))
    def noise(self, data: bytes) -> None:
        try:
            message = decode_message(data)
        except DecodeError:
            return
        assert encode_message(message) == data

    @precondition(is_alive)
    @rule(sender=SENDERS, view=WHICH_VIEW, height=WHICH_HEIGHT, other=RARELY, is_turn=st.booleans())
    def pre_prepare(self, sender: int, view: str, height: str, other: bool, is_turn: bool) -> None:
        number = self.height_of(height)
        proposal = self.proposal_at(number, is_other=other)
        if is_turn:
            sender = self.witness.replica.proposer
        self.receive(sender, PrePrepare(self.view_of(view), proposal))

    @precondition(is_alive)
    @rule(
        kind=st.sampled_from((Prepare, Commit)),
        senders=SUBSETS,
        view=WHICH_VIEW,
        height=WHICH_HEIGHT,
        other=RARELY,
        is_alone=st.booleans(),
    )
    def vote(
        self,
        kind: type[Prepare | Commit],
        senders: set[int],
        view: str,
        height: str,
        other: bool,
        is_alone: bool,
    ) -> None:
        """Of one, or of a quorum."""
        number = self.height_of(height)
        digest = proposal_digest(self.proposal_at(number, is_other=other))
        message = kind(self.view_of(view), number, digest)
        voters = self.everyone(senders)
        self.say(voters[:1] if is_alone else voters, message)

    @precondition(is_alive)
    @rule(
        count=st.integers(1, WINDOW),
        is_late=RARELY,
        is_executed=st.booleans(),
        is_certified=st.booleans(),
    )
    def go_on(self, count: int, is_late: bool, is_executed: bool, is_certified: bool) -> None:
        """The normal case, heights in a row; what comes of them may come later."""
        for _ in range(count):
            if not self.is_alive() or self.witness.replica.next_height > self.witness.high:
                return
            height = self.witness.replica.next_height
            self.order(height, is_late=is_late)
            if is_executed:
                self.execute(WINDOW)
            if is_certified:
                self.say(self.everyone(set()), Checkpoint(statement_of(height)))

    def order(self, height: int, *, is_late: bool) -> None:
        replica = self.witness.replica
        view, proposer = replica.view, replica.proposer
        if proposer == self.witness.config.index:
            self.propose({"a"})
            self.proposals[height] = self.proposed(height)
        proposal = self.proposal_at(height)
        self.receive(proposer, PrePrepare(view, proposal))
        if not is_late:
            self.answer_all()
        digest = proposal_digest(proposal)
        for message in (Prepare(view, height, digest), Commit(view, height, digest)):
            self.say(self.everyone(set()), message)

    def proposed(self, height: int) -> list[Proposal]:
        """What the replica itself proposed there in this view, if it did."""
        replica = self.witness.replica
        vote = self.witness.votes.get(("prepare", replica.view, height), b"")
        proposal = replica.proposal(vote)
        return [proposal] if proposal is not None else []

    def say(self, senders: list[int], message: Message) -> None:
        for sender in senders:
            if self.is_alive():
                self.receive(sender, message)

    @precondition(is_alive)
    @rule(senders=SUBSETS, height=WHICH_HEIGHT, wrong=RARELY, is_alone=st.booleans())
    def state(self, senders: set[int], height: str, wrong: bool, is_alone: bool) -> None:
        message = Checkpoint(self.outcome(height, wrong))
        voters = self.everyone(senders)
        self.say(voters[:1] if is_alone else voters, message)

    def outcome(self, height: str, wrong: bool) -> ExecutionStatement:
        number = max(self.height_of(height), 1)
        return statement_of(number, root="wrong" if wrong else "root")

    @precondition(is_alive)
    @rule(
        sender=SENDERS,
        view=WHICH_VIEW,
        is_active=st.booleans(),
        decided=WHICH_HEIGHT,
        certified=WHICH_HEIGHT,
    )
    def status(self, sender: int, view: str, is_active: bool, decided: str, certified: str) -> None:
        heights = (self.height_of(decided), self.height_of(certified))
        self.receive(sender, Status(self.view_of(view), is_active, *heights))

    @precondition(is_alive)
    @rule(sender=SENDERS, height=WHICH_HEIGHT, wrong=RARELY)
    def certify(self, sender: int, height: str, wrong: bool) -> None:
        self.receive(sender, Certified(self.certificate(self.outcome(height, wrong))))

    @precondition(is_alive)
    @rule(sender=SENDERS, senders=SUBSETS, view=WHICH_VIEW, height=WHICH_HEIGHT, other=RARELY)
    def decide(self, sender: int, senders: set[int], view: str, height: str, other: bool) -> None:
        proposal = self.proposal_at(self.height_of(height), is_other=other)
        digest, number = proposal_digest(proposal), self.view_of(view)
        vote = Commit(number, proposal.height, digest)
        signatures = self.signatures(vote, senders)
        certificate = CommitCertificate(number, proposal.height, digest, signatures)
        self.receive(sender, Decision(proposal, certificate))

    @precondition(is_alive)
    @rule(sender=SENDERS, voter=SENDERS, view=WHICH_VIEW, height=WHICH_HEIGHT, other=RARELY)
    def relay_vote(self, sender: int, voter: int, view: str, height: str, other: bool) -> None:
        voter %= self.validators.size
        proposal = self.proposal_at(self.height_of(height), is_other=other)
        vote = Prepare(self.view_of(view), proposal.height, proposal_digest(proposal))
        signature = keys.sign(voter, signing_bytes(CHAIN_ID, vote))
        self.receive(sender, RelayedVote(voter, vote, signature))

    # --- view changes -----------------------------------------------------------------------

    def prepared(self, view: int, proposal: Proposal, senders: set[int]) -> PreparedCertificate:
        height, digest = proposal.height, proposal_digest(proposal)
        signatures = self.signatures(Prepare(view, height, digest), senders)
        return PreparedCertificate(view, height, digest, signatures)

    @precondition(is_alive)
    @rule(
        senders=SUBSETS,
        view=WHICH_VIEW,
        evidence=st.lists(st.tuples(st.integers(1, 3 * WINDOW), RARELY), max_size=3),
        stable=st.sampled_from((None, None, None, "head", "stable + 1", "last", "reach", "far")),
        form=st.sampled_from(("new view", "new view", "relayed", "promises", "promise")),
        is_of_epoch=st.sampled_from((True,) * 5 + (False,)),
    )
    def change_view(
        self,
        senders: set[int],
        view: str,
        evidence: list[tuple[int, bool]],
        stable: str | None,
        form: str,
        is_of_epoch: bool,
    ) -> None:
        """Promises with any evidence above any base, alone or as a NEW-VIEW."""
        number, base = self.view_of(view), self.witness.config.base
        checkpoint = None
        if stable is not None and self.height_of(stable) > base:
            checkpoint = self.certificate(statement_of(self.height_of(stable)))
        above = checkpoint.statement.height if checkpoint is not None else base
        orders = {
            height: null_proposal(height) if is_null else self.proposal_at(height)
            for height, is_null in ((above + step, is_null) for step, is_null in evidence)
        }
        change = ViewChange(
            view=number,
            stable=checkpoint,
            prepared=tuple(
                self.prepared(max(number - 1, 0) % 1_000, orders[height], set())
                for height in sorted(orders)
            ),
            unfit=tuple(sorted(senders))[: self.validators.fault_bound],
            epoch=base if is_of_epoch else base + 1,
        )
        voters = self.everyone(senders)
        if form in ("promise", "promises"):
            self.say(voters[:1] if form == "promise" else voters, change)
            return
        self.lead(change, voters, is_relayed=form == "relayed")

    def lead(self, change: ViewChange, voters: list[int], *, is_relayed: bool) -> None:
        """The first of `voters` brings the evidence, the others come with none."""
        empty = ViewChange(change.view, None, (), (), change.epoch)
        signed = tuple(
            SignedViewChange(sender, each, keys.sign(sender, signing_bytes(CHAIN_ID, each)))
            for sender, each in zip(voters, [change, *[empty] * len(voters)], strict=False)
        )
        new_view = NewView(change.view, signed)
        chief = leader(change.view, self.validators.size)
        if not is_relayed:
            self.receive(chief, new_view)
            return
        signature = keys.sign(chief, signing_bytes(CHAIN_ID, new_view))
        self.receive(voters[-1], RelayedNewView(chief, new_view, signature))

    @precondition(lambda self: self.witness.ended is not None)
    @rule(pending=st.booleans())
    def after_the_end(self, pending: bool) -> None:
        """Not a word more: the witness would complain."""
        self.witness.step(Tick(pending=pending))
        self.receive(2, Status(0, True, 0, 0))


TestReplicaKeepsItsPromises = pytest.mark.slow(Peers.TestCase)
TestReplicaKeepsItsPromises.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow],
)
