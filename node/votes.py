"""Frames of the votes channel: whose epoch they are of, and whether their signatures hold.

What is of our epoch goes to the driver. A member of an earlier one lags: it gets the certificate
that ended its epoch, from which it can catch up. What is of a later epoch waits, bounded, until
we get there: its senders would otherwise have to repeat the beginning.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import trio

from consensus.pbft import messages, verify
from consensus.pbft.types import Received
from crypto import sm3
from crypto.provider import CryptoProvider, SignedItem
from ledger.encoding import decode, encode
from ledger.errors import DecodeError
from ledger.store import Store
from node.committee import Committee, Office
from node.complaints import Complaints
from node.links import Links
from p2p.limits import Channel
from p2p.network import Frame

VOTES_BATCH_MAX = 64  # frames verified in one call
VERIFIED_MAX = 4096  # remembered signatures: NEW-VIEW repeats the view changes already seen
LATER_MAX = 256  # frames of later epochs kept of each peer: a burst of votes, not a history
# ... and their bytes, for frames may be large: one NEW-VIEW of any committee, or a thousand votes.
LATER_SIZE_MAX = 16 << 20
ANSWER_INTERVAL_S = 1.0  # between two answers to a member of an earlier epoch

Take = Callable[[Received], Awaitable[None]]


class VoteGate:
    """Judges frames of one epoch. `judge` blocks on signatures: call it on a thread."""

    def __init__(self, office: Office, *, provider: CryptoProvider, complaints: Complaints) -> None:
        self._office = office
        self._provider = provider
        self._complaints = complaints
        self._verified: OrderedDict[bytes, None] = OrderedDict()

    def judge(self, frames: Sequence[tuple[Frame, messages.SignedMessage]]) -> list[Received]:
        """The inputs whose every signature holds, in order; one line for each that is not."""
        parsed: list[tuple[Frame, Received, list[bytes]]] = []
        fresh: dict[bytes, SignedItem] = {}
        for frame, signed in frames:
            try:
                received, claims = self._parse(frame, signed)
            except (DecodeError, verify.ClaimInvalid) as error:
                self._complaints.complain("vote_refused", peer=frame.peer_id, reason=str(error))
                continue
            keys = [_key(item) for item in claims]
            parsed.append((frame, received, keys))
            for key, item in zip(keys, claims, strict=True):
                if key not in self._verified:
                    fresh[key] = item
        verdicts = self._provider.verify_batch(list(fresh.values()))
        good = {key for key, verdict in zip(fresh, verdicts, strict=True) if verdict}
        result = []
        for frame, received, keys in parsed:
            if all(key in good or key in self._verified for key in keys):
                result.append(received)
            else:
                self._complaints.complain(
                    "vote_refused", peer=frame.peer_id, reason="a signature does not hold"
                )
        self._remember(good)
        return result

    def _parse(
        self, frame: Frame, signed: messages.SignedMessage
    ) -> tuple[Received, list[SignedItem]]:
        office, domain = self._office, self._office.domain
        if office.index_of(frame.peer_id) != signed.sender:
            raise DecodeError("a message in another member's name")
        message = messages.decode_message(signed.message)
        claims = verify.claims(message, signed.sender, office.validators, domain, base=office.base)
        outer = verify.outer_claim(
            message, signed.sender, signed.signature, office.validators, domain
        )
        return Received(signed.sender, message, signed.signature), [outer, *claims]

    def _remember(self, good: set[bytes]) -> None:
        for key in good:
            self._verified[key] = None
        while len(self._verified) > VERIFIED_MAX:
            self._verified.popitem(last=False)


@dataclass(frozen=True, slots=True)
class _Addressee:
    """The driver of an epoch, as far as votes are concerned."""

    base: int
    gate: VoteGate
    take: Take


class Votes:
    """The votes channel through all epochs. Main task only."""

    def __init__(
        self,
        *,
        network: Links,
        store: Store,
        committee: Committee,
        provider: CryptoProvider,
    ) -> None:
        self._network = network
        self._store = store
        self._committee = committee
        self._provider = provider
        self._complaints = Complaints("node.votes")
        self._to: _Addressee | None = None
        self._later: dict[str, deque[Frame]] = {}  # peer id -> frames of epochs not yet begun
        self._ready: list[Frame] = []  # they may have begun
        self._answered: dict[str, float] = {}  # peer id -> when

    def serve(self, office: Office, take: Take) -> None:
        """From now on frames of this office's epoch are judged and given to `take`."""
        gate = VoteGate(
            office,
            provider=self._provider,
            complaints=self._complaints,
        )
        self._to = _Addressee(office.base, gate, take)
        self._ready = [frame for frames in self._later.values() for frame in frames]
        self._later.clear()

    def rest(self) -> None:
        """We do not vote: only members of earlier epochs are answered."""
        self._to = None

    async def run(self) -> None:
        """Take frames in, for ever."""
        incoming = self._network.incoming(Channel.VOTES)
        async for frame in incoming:
            frames = [*self._ready, frame]
            self._ready.clear()
            while len(frames) < VOTES_BATCH_MAX:
                try:
                    frames.append(incoming.receive_nowait())
                except trio.WouldBlock:
                    break
            await self._sort(frames)

    async def _sort(self, frames: Sequence[Frame]) -> None:
        ours: list[tuple[Frame, messages.SignedMessage]] = []
        to = self._to
        base = to.base if to is not None else self._committee.office.base
        for frame in frames:
            try:
                signed = _decoded(frame)
            except DecodeError as error:
                self._complaints.complain("vote_refused", peer=frame.peer_id, reason=str(error))
                continue
            if signed.epoch < base:
                self._answer(frame.peer_id, signed)
            elif signed.epoch > base:
                self._keep(frame, signed.epoch)
            else:
                ours.append((frame, signed))
        if to is None or not ours:
            return
        for received in await trio.to_thread.run_sync(to.gate.judge, ours):
            await to.take(received)

    def _keep(self, frame: Frame, base: int) -> None:
        """Only of members of an epoch that is decided: others have nothing to say in it yet.

        A node that does not know the epoch lags too far to vote in it when it begins.
        """
        epoch = self._store.epochs.starting_at(base)
        if epoch is None or Office(epoch, None).index_of(frame.peer_id) is None:
            return
        kept = self._later.setdefault(frame.peer_id, deque(maxlen=LATER_MAX))
        kept.append(frame)
        while sum(len(one.body) for one in kept) > LATER_SIZE_MAX:
            kept.popleft()

    def _answer(self, peer_id: str, signed: messages.SignedMessage) -> None:
        """Show a member of an earlier epoch the certificate that ended it."""
        now = trio.current_time()
        if now - self._answered.get(peer_id, -ANSWER_INTERVAL_S) < ANSWER_INTERVAL_S:
            return
        if not _is_status(signed):
            return  # every member sends one each second; an answer must not be answered
        self._answered[peer_id] = now
        epochs = self._store.epochs
        epoch = epochs.starting_at(signed.epoch)
        last = epochs.last_of(epoch) if epoch is not None else None
        if epoch is None or last is None or last > self._store.height:
            return
        certificate = self._store.execution_certificate(last)
        office = self._committee.office_in(epoch)
        if certificate is not None and office.index is not None:
            message = messages.Certified(certificate)
            frame, _ = sign_frame(message, office, self._provider)
            self._network.send(peer_id, Channel.VOTES, frame)


def sign_frame(
    message: messages.Message, office: Office, provider: CryptoProvider
) -> tuple[bytes, bytes]:
    """A member's message as it leaves, and the signature in it."""
    assert office.index is not None, "only members vote"
    signature = provider.sign(messages.signing_bytes(office.domain, message))
    data = messages.encode_message(message)
    return encode(messages.SignedMessage(office.index, data, signature, office.base)), signature


def _is_status(signed: messages.SignedMessage) -> bool:
    try:
        return isinstance(messages.decode_message(signed.message), messages.Status)
    except DecodeError:
        return False


def _decoded(frame: Frame) -> messages.SignedMessage:
    size_max = messages.MESSAGE_SIZE_MAX + 256
    return decode(frame.body, messages.SignedMessage, size_max=size_max)


def _key(item: SignedItem) -> bytes:
    """Names a claim in little memory: a view change alone would be 100 KB. (Fixed sizes first.)"""
    sizes = len(item.public_key).to_bytes(4, "big") + len(item.signature).to_bytes(4, "big")
    return sm3.digest(sizes + item.public_key + item.signature + item.message)
