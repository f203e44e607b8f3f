"""Frames of the votes channel: ours, of members that lag, and of epochs to come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from consensus.pbft.messages import (
    Certified,
    Commit,
    Message,
    SignedMessage,
    Status,
    decode_message,
    encode_message,
    signing_bytes,
)
from consensus.pbft.types import Received
from ledger.encoding import decode, encode
from ledger.genesis import Limits
from ledger.model import ValidatorSet
from node import votes
from node.committee import Committee, Office
from node.votes import ANSWER_INTERVAL_S, LATER_MAX, Votes
from p2p.limits import Channel
from tests.fake_keys import FakeKeys
from tests.ledger_world import World
from tests.node_world import Air, End

WINDOW = 2


@pytest.fixture
def autojump_clock() -> MockClock:
    return MockClock(autojump_threshold=0.02)


class Scene:
    """Node 0 after a change of the committee: its second epoch has begun, a third is decided."""

    def __init__(self, root: Path) -> None:
        self.world = World(root / "ledger", limits=Limits(watermark_window=WINDOW))
        everybody = self.world.validators
        self.world.commit(decides=ValidatorSet(everybody.validators[:3]))
        while self.world.store.height < 1 + WINDOW + 1:
            self.world.commit()
        self.world.commit(decides=everybody)
        store = self.world.store
        for height in range(1, store.height + 1):
            store.certify(self.world.execution_certificate(height))
        self.first, self.second, self.third = store.epochs.all
        own = self.second.validators.validators[0]
        self.committee = Committee(store.current_epoch, public_key=own.public_key, name=own.name)
        self.air = Air()
        names = [validator.peer_id for validator in everybody.validators]
        self.ends = {name: End(self.air, name, [n for n in names if n != name]) for name in names}
        self.air.ends = self.ends
        self.own = own.peer_id
        self.votes = Votes(
            network=self.ends[self.own],
            store=store,
            committee=self.committee,
            provider=FakeKeys(0),
        )
        self.taken: list[Received] = []

    async def take(self, received: Received) -> None:
        self.taken.append(received)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.votes.run)
            yield
            nursery.cancel_scope.cancel()

    def office(self, number: int, base: int) -> Office:
        epoch = self.world.store.epochs.starting_at(base)
        assert epoch is not None
        peer_id = self.world.validators.validators[number].peer_id
        return Office(epoch, Office(epoch, None).index_of(peer_id))

    async def say(
        self,
        number: int,
        message: Message,
        base: int,
        *,
        index: int = -1,
        is_awaited: bool = True,
    ) -> None:
        """Validator `number` of the genesis says it, as member `index` of the epoch."""
        keys = FakeKeys(number)
        office = self.office(number, base)
        if index < 0:
            assert office.index is not None
            index = office.index
        signature = keys.sign(signing_bytes(office.domain, message))
        frame = encode(SignedMessage(index, encode_message(message), signature, base))
        end = self.ends[self.world.validators.validators[number].peer_id]
        end.send(self.own, Channel.VOTES, frame)
        if is_awaited:
            await trio.sleep(0.1)

    def heard(self, number: int) -> list[SignedMessage]:
        """What node 0 said to it since the last call."""
        incoming = self.ends[self.world.validators.validators[number].peer_id].incoming(
            Channel.VOTES
        )
        found: list[SignedMessage] = []
        while True:
            try:
                body = incoming.receive_nowait().body
            except trio.WouldBlock:
                return found
            found.append(decode(body, SignedMessage, size_max=1 << 20))


STATUS = Status(view=0, is_active=True, decided=0, certified=0)


async def test_a_member_of_an_earlier_epoch_is_shown_how_it_ended(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    async with scene.running():
        await scene.say(1, STATUS, 0)
        (answer,) = scene.heard(1)
        message = decode_message(answer.message)
        assert isinstance(message, Certified)
        assert message.certificate.statement.height == scene.second.base
        assert (answer.epoch, answer.sender) == (0, scene.office(0, 0).index)


async def test_answers_are_rare_and_are_not_answered_themselves(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    async with scene.running():
        for _ in range(5):
            await scene.say(1, STATUS, 0)
        assert len(scene.heard(1)) == 1
        await trio.sleep(ANSWER_INTERVAL_S)
        certificate = scene.world.store.execution_certificate(scene.second.base)
        assert certificate is not None
        await scene.say(1, Certified(certificate), 0)
        assert scene.heard(1) == []
        await scene.say(1, STATUS, 0)
        assert len(scene.heard(1)) == 1


async def test_nothing_is_known_of_epochs_that_never_were(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    async with scene.running():
        frame = encode(SignedMessage(1, encode_message(STATUS), bytes(64), 1))
        peer = scene.world.validators.validators[1].peer_id
        scene.ends[peer].send(scene.own, Channel.VOTES, frame)
        scene.ends[peer].send(scene.own, Channel.VOTES, b"no frame")
        await trio.sleep(0.1)
        assert scene.heard(1) == []


async def test_votes_of_our_epoch_are_taken_and_those_in_anothers_name_are_not(
    tmp_path: Path,
) -> None:
    scene = Scene(tmp_path)
    base = scene.second.base
    vote = Commit(0, base + 3, bytes(32))
    async with scene.running():
        await scene.say(1, vote, base)
        assert scene.taken == [], "we do not vote yet"
        scene.votes.serve(scene.committee.office, scene.take)
        await scene.say(1, vote, base)
        await scene.say(1, vote, base, index=2)
        assert [(r.sender, r.message) for r in scene.taken] == [(1, vote)]
        scene.votes.rest()
        await scene.say(1, vote, base)
        assert len(scene.taken) == 1


async def test_votes_of_the_next_epoch_wait_until_it_begins_bounded(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.votes.serve(scene.committee.office, scene.take)
    base = scene.third.base
    async with scene.running():
        for number in range(LATER_MAX + 10):
            vote = Commit(0, base + 1, number.to_bytes(32, "big"))
            await scene.say(1, vote, base, is_awaited=False)
        await trio.sleep(1)
        assert scene.taken == []
        scene.votes.serve(scene.committee.enter(scene.third), scene.take)
        await scene.say(2, STATUS, base)
        digests = [r.message.digest for r in scene.taken if isinstance(r.message, Commit)]
        assert len(digests) == LATER_MAX
        assert digests[-1] == (LATER_MAX + 9).to_bytes(32, "big"), "the newest are kept"


async def test_of_large_frames_of_the_next_epoch_only_the_newest_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(tmp_path)
    scene.votes.serve(scene.committee.office, scene.take)
    base = scene.third.base
    size = len(encode(SignedMessage(1, encode_message(STATUS), bytes(64), base)))
    monkeypatch.setattr(votes, "LATER_SIZE_MAX", 4 * size)
    async with scene.running():
        for decided in range(10):
            said = Status(view=0, is_active=True, decided=decided, certified=0)
            await scene.say(1, said, base)
        scene.votes.serve(scene.committee.enter(scene.third), scene.take)
        await scene.say(2, STATUS, base)
        waited = [r.message for r in scene.taken if r.sender == scene.office(1, base).index]
        assert [one.decided for one in waited if isinstance(one, Status)] == [6, 7, 8, 9]
