"""Drivers that lie: each has a valid key, runs an honest replica inside, and says other things."""

from __future__ import annotations

from collections import deque

import msgspec

from consensus.pbft.messages import (
    Certified,
    Checkpoint,
    Commit,
    Decision,
    Message,
    NewView,
    Prepare,
    PrePrepare,
    RelayedNewView,
    RelayedVote,
    SignedViewChange,
    Status,
    ViewChange,
    decode_message,
    encode_message,
    signing_bytes,
)
from consensus.pbft.types import Accuse, CatchUp, Certify, Deliver, Effect, Halt, Received
from ledger.model import proposal_digest
from tests.sim import keys
from tests.sim.node import Node

HUGE_VIEW = 1 << 50


class Liar(Node):
    """Says to each peer what `versions` makes of a message; steps the true one itself."""

    def broadcast(self, message: Message) -> None:
        signature = keys.sign(self.index, signing_bytes(self.config.chain_id, message))
        self.inbox.append(Received(self.config.index, message, signature))
        for peer in self.peers:
            if peer is not self:
                for version in self.versions(message, peer.index):
                    self.say(peer, version)

    def send(self, to: int, message: Message) -> None:
        peer = self.peer(to)
        for version in self.versions(message, peer.index):
            self.say(peer, version)

    def say(self, peer: Node, message: Message) -> None:
        signature = keys.sign(self.index, signing_bytes(self.config.chain_id, message))
        self.transmit(peer, encode_message(message), signature)

    def perform(self, effect: Effect) -> None:
        """Its own fate proves nothing: no checker looks at it."""
        if isinstance(effect, Deliver):
            self.executing.append(effect)
            if len(self.executing) == 1:
                self.execute_next()
        elif isinstance(effect, Certify):
            self.disk.certify(effect.certificate)
        elif isinstance(effect, CatchUp):
            self.start_sync(effect)
        elif not isinstance(effect, Accuse | Halt):
            super().perform(effect)

    def versions(self, message: Message, to: int) -> list[Message]:
        """What `to` hears instead of `message`."""
        return [message]


class Silent(Liar):
    """Says nothing to some, everything to others."""

    def versions(self, message: Message, to: int) -> list[Message]:
        return [] if to % 2 else [message]


class Equivocator(Liar):
    """Proposes one batch to half of the peers and another to the rest; votes for both."""

    def versions(self, message: Message, to: int) -> list[Message]:
        if isinstance(message, PrePrepare):
            return [self.twin(message) if to % 2 else message]
        if isinstance(message, Prepare | Commit) and to % 2:
            proposal = self.replica.proposal(message.digest)
            if proposal is not None and proposal.proposer == self.config.index:
                twin = self.twin(PrePrepare(message.view, proposal))
                digest = proposal_digest(twin.proposal)
                return [msgspec.structs.replace(message, digest=digest)]
        return [message]

    def twin(self, message: PrePrepare) -> PrePrepare:
        proposal = message.proposal
        other = msgspec.structs.replace(proposal, time_ms=proposal.time_ms + 1)
        return msgspec.structs.replace(message, proposal=other)


class TwoFaced(Liar):
    """Votes and states one thing to some and another to others, in every phase."""

    def versions(self, message: Message, to: int) -> list[Message]:
        if self.world.random.random() < 0.5:
            return [message]
        if isinstance(message, Prepare | Commit):
            return [message, msgspec.structs.replace(message, digest=bytes(32))]
        if isinstance(message, Checkpoint):
            wrong = msgspec.structs.replace(message.statement, state_root=bytes(32))
            return [Checkpoint(wrong)]
        return [message]


class ViewRunner(Liar):
    """Claims views that nobody reached, small and huge, and an impossible position."""

    def versions(self, message: Message, to: int) -> list[Message]:
        draw = self.world.random.random()
        if draw < 0.2:
            view = HUGE_VIEW if draw < 0.1 else self.replica.target_view + 1
            return [message, ViewChange(view, None, (), (), epoch=self.config.base)]
        if draw < 0.3:
            return [message, Status(view=HUGE_VIEW, is_active=True, decided=0, certified=0)]
        if draw < 0.4 and isinstance(message, Prepare | Commit):
            return [message, msgspec.structs.replace(message, view=HUGE_VIEW)]
        return [message]


class EvidenceHider(Liar):
    """Forgets what it prepared when the view changes; as leader, chooses differently for each."""

    def versions(self, message: Message, to: int) -> list[Message]:
        if isinstance(message, ViewChange):
            return [msgspec.structs.replace(message, prepared=())]
        if isinstance(message, NewView):
            shorter = message.view_changes[:-1] if to % 2 else message.view_changes
            return [msgspec.structs.replace(message, view_changes=shorter)]
        return [message]


class Withholder(Liar):
    """Takes its turn and proposes nothing."""

    def offer(self) -> None:
        return


class Delayer(Liar):
    """Says everything, but late, and sometimes again much later."""

    def versions(self, message: Message, to: int) -> list[Message]:
        delay = self.world.random.choice((50, 500, 3_000))
        self.later(delay, lambda: self.say(self.peers[to], message))
        return [message] if self.world.random.random() < 0.3 else []


class DoubleProposer(Equivocator):
    """Shows both of its proposals to everyone."""

    def versions(self, message: Message, to: int) -> list[Message]:
        return [message, self.twin(message)] if isinstance(message, PrePrepare) else [message]


class Usurper(Liar):
    """Declares itself the leader of the next view, again and again, with nobody's consent."""

    def versions(self, message: Message, to: int) -> list[Message]:
        if not isinstance(message, Prepare | Commit):
            return [message]
        view = self.replica.view + 1
        change = ViewChange(view, None, (), (), epoch=self.config.base)
        signature = keys.sign(self.index, signing_bytes(self.config.chain_id, change))
        signed = SignedViewChange(self.config.index, change, signature)
        return [message, NewView(view=view, view_changes=(signed,))]


class MuteLeader(Liar):
    """Asks for view changes and never answers one."""

    def versions(self, message: Message, to: int) -> list[Message]:
        return [] if isinstance(message, NewView) else [message]


class Chooser(Liar):
    """As leader, tells everyone another NEW-VIEW; each holds a quorum and is properly signed."""

    def start(self) -> None:
        super().start()
        self.heard: dict[int, SignedViewChange] = {}

    def receive(self, sender: int, data: bytes, signature: bytes) -> None:
        message = decode_message(data)
        if isinstance(message, ViewChange):
            self.heard[sender] = SignedViewChange(sender, message, signature)
        super().receive(sender, data, signature)

    def versions(self, message: Message, to: int) -> list[Message]:
        if not isinstance(message, NewView):
            return [message]
        known = {signed.sender: signed for signed in message.view_changes}
        for sender, signed in self.heard.items():
            if signed.view_change.view == message.view:
                known.setdefault(sender, signed)
        senders = sorted(known, key=lambda sender: (sender + to) % len(self.peers))
        chosen = sorted(senders[: self.config.validators.quorum])
        changes = tuple(known[sender] for sender in chosen)
        return [msgspec.structs.replace(message, view_changes=changes)]


class Parrot(Liar):
    """Says again what others said long ago: votes, view changes, decisions, certificates."""

    MEMORY_MAX = 200

    def start(self) -> None:
        super().start()
        self.heard: deque[Message] = deque(maxlen=self.MEMORY_MAX)

    def receive(self, sender: int, data: bytes, signature: bytes) -> None:
        message = decode_message(data)
        if isinstance(message, Prepare):
            self.heard.append(RelayedVote(sender, message, signature))
        elif isinstance(message, NewView):
            self.heard.append(RelayedNewView(sender, message, signature))
        elif isinstance(message, RelayedNewView | RelayedVote | Decision | Certified):
            self.heard.append(message)
        super().receive(sender, data, signature)

    def versions(self, message: Message, to: int) -> list[Message]:
        if not self.heard:
            return [message]
        return [message, self.world.random.choice(self.heard)]


class Favourer(Liar):
    """Proposes what it likes and leaves half of the transactions out."""

    def accept(self, transaction_id: bytes) -> None:
        super().accept(transaction_id)
        if transaction_id[0] % 2:
            self.pending.pop(transaction_id, None)


# Drawn by early seeds: what they mean depends on this list, so new kinds go into the other.
LIARS: tuple[type[Liar], ...] = (
    Silent,
    Equivocator,
    TwoFaced,
    ViewRunner,
    EvidenceHider,
    Withholder,
    Delayer,
)
MORE_LIARS: tuple[type[Liar], ...] = (
    *LIARS,
    DoubleProposer,
    Usurper,
    MuteLeader,
    Chooser,
    Parrot,
    Favourer,
)
