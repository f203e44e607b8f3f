"""What was executed: own statements, execution certificates, the low watermark, catching up."""

from __future__ import annotations

from consensus.pbft.messages import Checkpoint, SignedMessage, encode_message
from consensus.pbft.ordering import advance_decided, deliver, on_window_moved, progress
from consensus.pbft.quorum import Votes
from consensus.pbft.state import State
from consensus.pbft.types import Accuse, CatchUp, Certify, Executed, HaltKind, Retire, Synced
from ledger.encoding import encode
from ledger.model import ExecutionCertificate, ExecutionStatement


def on_executed(state: State, executed: Executed) -> None:
    """Tell the others what came of the next block."""
    statement = executed.statement
    height = statement.height
    assert height == state.executed + 1 <= state.delivered, "blocks are executed in order"
    state.executed = height
    state.behind_ticks = 0
    _learn_last(state, executed.last)
    _state_outcome(state, statement)
    if state.is_halted:
        return
    advance_certified(state)
    collect_garbage(state)
    deliver(state)
    if height <= state.stable and state.vote_max in state.slots:
        progress(state, state.slots[state.vote_max])  # we lagged: now we may vote on it, too


def on_checkpoint(
    state: State, sender: int, statement: ExecutionStatement, signature: bytes
) -> None:
    """Count a statement; a quorum of equal ones is an execution certificate."""
    height = statement.height
    if not _is_countable(state, height):
        return
    if height in state.certificates:
        return
    if sender == state.config.index and state.statements.get(height) != statement:
        return  # signed with our key, but not by this life of ours
    votes = state.checkpoints.get(height)
    if votes is None:
        votes = state.checkpoints[height] = Votes()
    earlier = votes.add(sender, statement, signature)
    if earlier is not None:
        first = encode_message(Checkpoint(earlier.subject))
        second = encode_message(Checkpoint(statement))
        epoch = state.config.base
        state.emit(
            Accuse(
                first=SignedMessage(sender, first, earlier.signature, epoch),
                second=SignedMessage(sender, second, signature, epoch),
            )
        )
        return
    if votes.count(statement) >= state.quorum:
        signatures = votes.signatures(statement, state.quorum)
        adopt(state, ExecutionCertificate(statement=statement, signatures=signatures))


def _is_countable(state: State, height: int) -> bool:
    """Around the window; and just above the last gapless certificate, where one may be missing."""
    reach = 2 * state.config.window
    if height <= state.certified or state.is_of_next_epoch(height):
        return False
    near_stable = state.stable - reach < height <= state.stable + reach
    return near_stable or height <= state.certified + reach


def adopt(state: State, certificate: ExecutionCertificate) -> None:
    """Take a verified execution certificate into account, wherever it comes from."""
    height = certificate.statement.height
    known = state.certificates.get(height)
    if known is not None:
        if known.statement != certificate.statement:
            evidence = (encode(known), encode(certificate))
            reason = f"two outcomes of block {height} were certified"
            state.halt(HaltKind.CONFLICT, reason, evidence)
        return
    own = state.statements.get(height)
    if own is not None and own != certificate.statement:
        _halt_diverged(state, own, certificate)
        return
    if height <= state.certified or state.is_of_next_epoch(height):
        return
    if height <= state.stable and not _is_kept(state, height):
        return  # true, but a peer could fill our memory with the past, a certificate per block
    state.certificates[height] = certificate
    state.checkpoints.pop(height, None)
    advance_certified(state)
    if height > state.stable:
        state.stable = height
        state.stable_certificate = certificate
        state.note_progress()
        collect_garbage(state)
        on_window_moved(state)


def advance_certified(state: State) -> None:
    """Certify executed heights one after the other."""
    while state.certified < state.executed:
        certificate = state.certificates.get(state.certified + 1)
        if certificate is None:
            return
        state.certified += 1
        state.stalled_ticks = 0
        state.behind_ticks = state.hole_ticks = 0
        state.emit(Certify(certificate))
        _retire_if_over(state, certificate)


def check_outcomes(state: State) -> None:
    """A certificate in the log may contradict a block that was stored just before the crash."""
    for height in sorted(state.statements.keys() & state.certificates.keys()):
        own, certificate = state.statements[height], state.certificates[height]
        if own != certificate.statement:
            _halt_diverged(state, own, certificate)
            return


def on_synced(state: State, synced: Synced) -> None:
    """Blocks were installed from peers: go on above them."""
    assert synced.height >= state.executed
    state.catching_up = False
    state.behind_ticks = state.hole_ticks = 0
    state.executed = synced.height
    state.delivered = max(state.delivered, synced.height)
    state.decided = max(state.decided, synced.height)
    _learn_last(state, synced.last)
    for statement in synced.statements:
        if state.is_of_next_epoch(statement.height):
            break  # the next replica states it
        _state_outcome(state, statement)
        if state.is_halted:
            return
    if synced.certificate is not None:
        height = synced.certificate.statement.height
        assert height <= synced.height
        state.certified = max(state.certified, height)
        if height > state.stable:
            state.stable = height
            state.stable_certificate = synced.certificate
        _retire_if_over(state, synced.certificate)
    advance_certified(state)
    collect_garbage(state)
    advance_decided(state)
    on_window_moved(state)
    deliver(state)


def catch_up(state: State) -> None:
    """Ask the driver to install certified blocks up to the highest that we know of."""
    certificate = state.stable_certificate
    assert certificate is not None and not state.catching_up
    state.catching_up = True
    holders = tuple(
        entry.validator for entry in certificate.signatures if entry.validator != state.config.index
    )
    state.emit(CatchUp(height=state.stable, certificate=certificate, holders=holders))


def collect_garbage(state: State) -> None:
    """Forget what the watermarks left behind. All maps hold a few windows of heights at most."""
    window = state.config.window
    # While we lag, a window of decided slots stays, so that execution can go on from there.
    low = max(min(state.stable, state.executed), state.stable - window)
    for slot in [slot for height, slot in state.slots.items() if height <= low]:
        state.drop_slot(slot)
    for height in [h for h in state.checkpoints if not _is_countable(state, h)]:
        del state.checkpoints[height]
    # Peers that lag by less than a window get single certificates from us.
    for height in [h for h in state.certificates if not _is_kept(state, h)]:
        del state.certificates[height]
    low = state.certified - window
    for height in [height for height in state.statements if height <= low]:
        del state.statements[height]


def _learn_last(state: State, last: int | None) -> None:
    """A block decided which committee comes after ours."""
    if last is not None:
        assert state.last in (None, last), "what a block decided, no other changes"
        state.last = last


def _retire_if_over(state: State, certificate: ExecutionCertificate) -> None:
    """All that we voted on is executed and certified by our own committee: its work is done."""
    if state.last is not None and state.certified >= state.last and not state.is_retired:
        state.is_retired = True
        state.emit(Retire(certificate))


def _is_kept(state: State, height: int) -> bool:
    window = state.config.window
    near_stable = height > max(state.certified - window, state.stable - 2 * window)
    return near_stable or state.certified < height <= state.certified + window


def _state_outcome(state: State, own: ExecutionStatement) -> None:
    """Sign what came of a block, unless a quorum already signed something else."""
    state.statements[own.height] = own
    certificate = state.certificates.get(own.height)
    if certificate is not None and certificate.statement != own:
        _halt_diverged(state, own, certificate)
        return
    if state.sayable(own.height) is not None:
        state.broadcast(Checkpoint(own))


def _halt_diverged(
    state: State, own: ExecutionStatement, certificate: ExecutionCertificate
) -> None:
    state.halt(
        HaltKind.DIVERGED,
        f"our outcome of block {own.height} differs from a quorum's",
        (encode(own), encode(certificate)),
    )
