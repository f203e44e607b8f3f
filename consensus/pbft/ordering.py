"""The normal case: propose, pre-prepare, prepare, commit, deliver.

A proposal is accepted only when every height before it has one. Otherwise a faulty replica whose
turn comes later could order early, leave a gap that nobody has the duty to fill, and make the
others wait, or hide transactions in it.
"""

from __future__ import annotations

from itertools import pairwise

from consensus.pbft.messages import (
    Commit,
    Decision,
    Prepare,
    PreparedCertificate,
    PrePrepare,
    RelayedVote,
    SignedMessage,
    encode_message,
)
from consensus.pbft.state import EarlyMessage, Slot, State, Validity
from consensus.pbft.timing import HOLE_TICKS
from consensus.pbft.types import (
    Accuse,
    BatchReady,
    Deliver,
    FetchProposal,
    HaltKind,
    Persist,
    ProposalValidated,
    Send,
    Validate,
)
from consensus.pbft.wal import SavedPrepare, SavedPrepared, SavedProposal, encode_record
from ledger.encoding import encode
from ledger.model import CommitCertificate, Proposal, proposal_digest

OrderingMessage = PrePrepare | Prepare | Commit


def can_propose(state: State) -> bool:
    """Is it our turn, with room in the window?"""
    height = state.next_height
    return (
        state.is_active
        and not state.is_halted
        and height <= state.vote_max
        and state.schedule.proposer(height) == state.config.index
    )


def on_batch(state: State, batch: BatchReady) -> None:
    """Order our batch at the next height. An empty one is a heartbeat."""
    if not can_propose(state):
        return
    ids = batch.transaction_ids
    assert len(ids) <= state.config.transactions_max, "the driver keeps to the limit"
    assert all(first < second for first, second in pairwise(ids)), "ids ascend strictly"
    assert batch.time_ms > 0, "time 0 is the null proposal's"
    proposal = Proposal(
        height=state.next_height,
        transaction_ids=ids,
        proposer=state.config.index,
        time_ms=batch.time_ms,
    )
    digest = proposal_digest(proposal)
    slot = state.slot_at(proposal.height)
    assert slot is not None and not slot.has_prepared
    slot.accepted = digest
    slot.validity[digest] = Validity.YES
    state.add_proposal(slot, digest, proposal)
    _save_vote(state, slot, digest)
    state.broadcast(PrePrepare(view=state.view, proposal=proposal))
    advance_frontier(state)


def on_vote(state: State, sender: int, message: OrderingMessage, signature: bytes) -> None:
    """Any message of the three phases. What is too early waits, bounded per sender."""
    height = message.proposal.height if isinstance(message, PrePrepare) else message.height
    if message.view < state.view or _is_oversized(state, message):
        return
    if message.view > state.view or height > state.high:
        if height <= state.stable + 2 * state.config.window:
            state.early[sender].append(EarlyMessage(sender, message, signature))
        return
    slot = state.slot_at(height)
    if slot is None:
        return
    match message:
        case PrePrepare():
            _on_pre_prepare(state, slot, sender, message, signature)
        case Prepare():
            _count_prepare(state, slot, sender, message.digest, signature)
        case Commit():  # pragma: no branch (no other kind)
            _on_commit(state, slot, sender, message, signature)
    progress(state, slot)


def on_window_moved(state: State) -> None:
    """The watermarks are higher: vote on what was above them, look again at what was too early."""
    for height in range(state.stable + 1, min(state.frontier, state.vote_max) + 1):
        slot = state.slots.get(height)
        if slot is not None and not slot.has_committed:
            progress(state, slot)
    advance_frontier(state)
    replay_early(state)


def replay_early(state: State) -> None:
    """Look again at what came too early, after the view or the window moved."""
    for kept in state.early:
        waiting = list(kept)
        kept.clear()
        for early in waiting:
            on_vote(state, early.sender, early.message, early.signature)


def on_relayed_vote(state: State, relayed: RelayedVote) -> None:
    """Compare what a voter told somebody else with what it told us.

    Only of use for what we vote on now. Kept as early votes, relayed ones would let any replica
    crowd out those of another.
    """
    vote = relayed.vote
    if vote.view == state.view and vote.height in state.slots:
        on_vote(state, relayed.voter, vote, relayed.signature)


def on_decision(state: State, decision: Decision) -> None:
    """A peer sends what we missed; it may be for any view."""
    height = decision.proposal.height
    slot = state.slot_at(height)
    low = max(state.delivered, state.stable - state.config.window)
    if slot is None and low < height <= state.stable:
        slot = state.slots[height] = Slot(height)
    if slot is None:
        return
    state.add_proposal(slot, decision.certificate.proposal_digest, decision.proposal)
    _decide(state, slot, decision.certificate)
    progress(state, slot)


def on_validated(state: State, answer: ProposalValidated) -> None:
    slot = state.slots.get(answer.height)
    if slot is None or answer.digest not in slot.validity:
        return
    asked = slot.validity[answer.digest]
    if asked is Validity.YES:
        return
    slot.validity[answer.digest] = Validity.YES if answer.ok else Validity.NO
    # A refused fresh proposal may have been vouched for meanwhile: then only availability
    # counts, ask again at once. A refusal of a vouched one waits for the repair tick.
    if answer.ok or asked is Validity.ASKED_FRESH:
        progress(state, slot)


def on_fetched(state: State, proposal: Proposal) -> None:
    slot = state.slots.get(proposal.height)
    if slot is None:
        return
    digest = proposal_digest(proposal)
    if digest in slot.wanted:
        state.add_proposal(slot, digest, proposal)
        progress(state, slot)


def advance_frontier(state: State) -> None:
    """Accept what waits for its turn, as far as there is no gap."""
    while True:
        slot = state.slots.get(state.next_height)
        if slot is None:
            return
        if slot.accepted is None and slot.candidate is not None and state.is_active:
            accept(state, slot, slot.candidate)
        if slot.accepted is None and slot.decision is None:
            return
        state.frontier = slot.height
        progress(state, slot)


def advance_decided(state: State) -> None:
    """Move over the heights that have a commit certificate."""
    before = state.decided
    while True:
        slot = state.slots.get(state.decided + 1)
        if slot is None or slot.decision is None:
            break
        state.decided += 1
    if state.decided > before:
        state.note_progress()


def accept(state: State, slot: Slot, digest: bytes) -> None:
    """From now on this view orders `digest` here, as far as we are concerned."""
    assert slot.accepted is None and not slot.has_prepared
    slot.accepted = digest
    state.add_if_null(slot, digest)
    state.count_in_flight(slot)
    for dissenter in slot.prepares.dissenters(digest):
        _show_primary_vote(state, slot, dissenter)


def progress(state: State, slot: Slot) -> None:
    """Take every step that `slot` is ready for."""
    may_vote = state.is_active and state.stable < slot.height <= state.vote_max
    if may_vote and slot.accepted is not None:
        _try_votes(state, slot, slot.accepted)
    if slot.decision is not None and slot.height > state.delivered:
        is_at_hand(state, slot, slot.decision.proposal_digest)
        deliver(state)


def deliver(state: State) -> None:
    """Hand decided proposals to execution, in order, never more than a window ahead of it.

    What was decided above the last height may lack a vote of the larger quorum that decides there.
    Not while a certificate has been missing for long: block sync, which fetches it, waits until
    nothing is being executed, and under unbroken load that moment would never come.
    """
    is_awaiting_sync = state.catching_up or state.hole_ticks >= HOLE_TICKS
    while not is_awaiting_sync and state.delivered - state.executed < state.config.window:
        if state.is_of_next_epoch(state.delivered + 1):
            return
        slot = state.slots.get(state.delivered + 1)
        if slot is None or slot.decision is None:
            return
        digest = slot.decision.proposal_digest
        if not is_at_hand(state, slot, digest):
            return
        state.delivered += 1
        state.emit(Deliver(proposal=slot.proposals[digest], certificate=slot.decision))


def is_at_hand(state: State, slot: Slot, digest: bytes) -> bool:
    """Do we hold the proposal and its transactions? If not, ask for them (once)."""
    proposal = slot.proposals.get(digest)
    if proposal is None:
        state.add_if_null(slot, digest)
        if digest not in slot.proposals:
            if digest not in slot.wanted:
                slot.wanted[digest] = _holders(state, slot, digest)
                ask_for_proposal(state, slot, digest)
            return False
        return True
    validity = slot.validity.get(digest)
    if validity is None or validity is Validity.NO:
        is_fresh = not _is_vouched(state, slot, digest)
        if validity is None or not is_fresh:
            slot.validity[digest] = Validity.ASKED_FRESH if is_fresh else Validity.ASKED_VOUCHED
            holders = _holders(state, slot, digest)
            state.emit(Validate(proposal, digest, holders=holders, is_fresh=is_fresh))
    return validity is Validity.YES


def ask_for_proposal(state: State, slot: Slot, digest: bytes) -> None:
    state.emit(FetchProposal(slot.height, digest, holders=slot.wanted[digest]))


def own_votes(state: State, slot: Slot) -> list[OrderingMessage]:
    """What we said in this view about `slot`, to be said again."""
    said: list[OrderingMessage] = []
    if slot.accepted is None or not slot.has_prepared:
        return said
    proposal = slot.proposals.get(slot.accepted)
    is_ours = (
        slot.height > state.schedule.start
        and state.schedule.proposer(slot.height) == state.config.index
    )
    if is_ours and proposal is not None:
        said.append(PrePrepare(view=state.view, proposal=proposal))
    else:
        said.append(Prepare(view=state.view, height=slot.height, digest=slot.accepted))
    if slot.has_committed:
        said.append(Commit(view=state.view, height=slot.height, digest=slot.accepted))
    return said


# --- one message ----------------------------------------------------------------------------


def _on_pre_prepare(
    state: State, slot: Slot, sender: int, message: PrePrepare, signature: bytes
) -> None:
    digest = proposal_digest(message.proposal)
    if slot.height <= state.schedule.start:  # fixed by the NEW-VIEW: a prepare like any other
        _count_prepare(state, slot, sender, digest, signature)
        return
    if sender != state.schedule.proposer(slot.height):
        return
    if not _count_prepare(state, slot, sender, digest, signature):
        return
    if slot.candidate is not None or not _is_well_formed(state, message.proposal, sender):
        return
    slot.candidate = digest
    if digest not in slot.proposals:
        state.add_proposal(slot, digest, message.proposal)
    advance_frontier(state)


def _is_oversized(state: State, message: OrderingMessage) -> bool:
    """Checked before anything is kept: no replica may fill our memory."""
    return (
        isinstance(message, PrePrepare)
        and len(message.proposal.transaction_ids) > state.config.transactions_max
    )


def _is_well_formed(state: State, proposal: Proposal, proposer: int) -> bool:
    """May `proposer` say this? Whether it is due or timely the driver judges.

    Without ids it is a heartbeat. Time 0 is kept for the null proposal, which only a NEW-VIEW
    orders: no primary may fill a height with it, not even replica 0, whose name it bears.
    """
    return proposal.proposer == proposer and proposal.time_ms > 0


def _count_prepare(state: State, slot: Slot, sender: int, digest: bytes, signature: bytes) -> bool:
    """Count a prepare vote; False if it contradicts an earlier one."""
    if sender == state.config.index and not (slot.has_prepared and slot.accepted == digest):
        return False  # signed with our key, but not by this life of ours
    earlier = slot.prepares.add(sender, digest, signature)
    if earlier is not None:
        first = Prepare(view=state.view, height=slot.height, digest=earlier.subject)
        second = Prepare(view=state.view, height=slot.height, digest=digest)
        _accuse(state, sender, (first, earlier.signature), (second, signature))
        if slot.height > state.schedule.start and sender == state.schedule.proposer(slot.height):
            _expose(state, sender, (first, earlier.signature), (second, signature))
        return False
    if slot.accepted is not None and slot.accepted != digest:
        _show_primary_vote(state, slot, sender)
    elif (
        slot.accepted is None
        and state.is_active
        and slot.height > state.stable
        and slot.prepares.count(digest) >= state.quorum
    ):
        # The pre-prepare was lost, but no other digest can reach a quorum in this view.
        accept(state, slot, digest)
        advance_frontier(state)
    return True


def _expose(
    state: State, proposer: int, first: tuple[Prepare, bytes], second: tuple[Prepare, bytes]
) -> None:
    """The proposer lies: let all see both of its votes, so that the honest leave it together."""
    state.betrayed_view = state.view
    for vote, signature in (first, second):
        state.broadcast(RelayedVote(voter=proposer, vote=vote, signature=signature))


def _show_primary_vote(state: State, slot: Slot, to: int) -> None:
    """`to` prepared something else than we accepted: let it compare what the primary signed."""
    if slot.height <= state.schedule.start or slot.accepted is None:
        return
    primary = state.schedule.proposer(slot.height)
    vote = slot.prepares.vote_of(primary)
    if vote is None or vote.subject != slot.accepted or to in (primary, state.config.index):
        return
    prepare = Prepare(view=state.view, height=slot.height, digest=vote.subject)
    state.emit(Send(to, RelayedVote(voter=primary, vote=prepare, signature=vote.signature)))


def _on_commit(state: State, slot: Slot, sender: int, message: Commit, signature: bytes) -> None:
    digest = message.digest
    if sender == state.config.index and not (slot.has_committed and slot.accepted == digest):
        return
    earlier = slot.commits.add(sender, digest, signature)
    if earlier is not None:
        first = Commit(view=state.view, height=slot.height, digest=earlier.subject)
        _accuse(state, sender, (first, earlier.signature), (message, signature))
        return
    if slot.decision is None and slot.commits.count(digest) >= state.quorum:
        certificate = CommitCertificate(
            view=state.view,
            height=slot.height,
            proposal_digest=digest,
            signatures=slot.commits.signatures(digest, state.quorum),
        )
        _decide(state, slot, certificate)


def _decide(state: State, slot: Slot, certificate: CommitCertificate) -> None:
    if slot.decision is not None:
        if slot.decision.proposal_digest != certificate.proposal_digest:
            evidence = (encode(slot.decision), encode(certificate))
            reason = f"two proposals were committed at height {slot.height}"
            state.halt(HaltKind.CONFLICT, reason, evidence)
        return
    slot.decision = certificate
    state.count_in_flight(slot)
    advance_decided(state)
    advance_frontier(state)


def _accuse(
    state: State,
    sender: int,
    first: tuple[Prepare | Commit, bytes],
    second: tuple[Prepare | Commit, bytes],
) -> None:
    epoch = state.config.base
    state.liars.add(sender)
    state.emit(
        Accuse(
            first=SignedMessage(sender, encode_message(first[0]), first[1], epoch),
            second=SignedMessage(sender, encode_message(second[0]), second[1], epoch),
        )
    )


# --- one slot -------------------------------------------------------------------------------


def _try_votes(state: State, slot: Slot, digest: bytes) -> None:
    if not is_at_hand(state, slot, digest):
        return
    if not slot.has_prepared:
        _save_vote(state, slot, digest)
        state.broadcast(Prepare(view=state.view, height=slot.height, digest=digest))
    if not slot.has_committed and slot.prepares.count(digest) >= state.quorum:
        slot.prepared = PreparedCertificate(
            view=state.view,
            height=slot.height,
            digest=digest,
            signatures=slot.prepares.signatures(digest, state.quorum),
        )
        slot.has_committed = True
        state.emit(Persist(encode_record(SavedPrepared(slot.prepared))))
        state.broadcast(Commit(view=state.view, height=slot.height, digest=digest))


def _save_vote(state: State, slot: Slot, digest: bytes) -> None:
    if digest not in slot.saved:
        proposal = slot.proposals[digest]
        state.emit(Persist(encode_record(SavedProposal(proposal)), proposal=proposal))
        slot.saved.add(digest)
    slot.has_prepared = True
    record = SavedPrepare(view=state.view, height=slot.height, digest=digest)
    state.emit(Persist(encode_record(record)))


def _is_vouched(state: State, slot: Slot, digest: bytes) -> bool:
    """Did enough replicas hold it right that only its availability is left to check?"""
    if slot.decision is not None and slot.decision.proposal_digest == digest:
        return True
    if slot.accepted == digest and (slot.has_prepared or slot.height <= state.schedule.start):
        return True
    return slot.prepares.count(digest) >= state.quorum


def _holders(state: State, slot: Slot, digest: bytes) -> tuple[int, ...]:
    """Who should hold the proposal and its transactions."""
    holders = {*slot.holders, *slot.prepares.voters(digest)}
    if slot.decision is not None and slot.decision.proposal_digest == digest:
        holders.update(entry.validator for entry in slot.decision.signatures)
    holders.discard(state.config.index)
    return tuple(sorted(holders))
