"""A member of the committee that sends whatever can be drawn: the others go on without a word.

Its frames are of every kind of every channel, with numbers and lists of no sense, whole or damaged,
and its votes are rightly signed, so that they get as far as the consensus core; what honest nodes
sent is sent again, altered, by it. The three others must order, execute and certify all the same.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import get_args

import pytest
from trio.testing import MockClock

from client.account import Account
from consensus.pbft import messages as votes
from ledger.encoding import encode
from ledger.genesis import chain_id
from ledger.model import Block, ExecutionCertificate, Proposal, block_hash
from node import peer_messages
from node.statesync import messages as snapshots
from p2p.limits import Channel
from p2p.network import Frame
from tests.node_world import PASSPHRASE, Nodes, quick_clock, running
from tests.record_draws import Known, damaged, record

LIAR = 3
HONEST = (0, 1, 2)
ROUNDS = 12  # of frames, with a good transaction after each
FRAMES = 25  # of one round
KEPT = 300  # frames of honest nodes that are remembered, to be altered

TRANSACTIONS = (
    peer_messages.Offer,
    peer_messages.BodiesRequest,
    peer_messages.ProposalRequest,
    peer_messages.ProposalReply,
)
BLOCKS = (peer_messages.BlocksRequest, peer_messages.BlocksReply, peer_messages.ClockReading)
SNAPSHOTS = (snapshots.Ask, snapshots.Told)


@pytest.fixture
def clock() -> MockClock:
    return quick_clock()


@pytest.fixture
def committee(tmp_path: Path) -> Nodes:
    return Nodes(tmp_path)


class Liar:
    """The fourth member: no node, but its keys."""

    def __init__(self, committee: Nodes, seed: int) -> None:
        self.random = Random(seed)
        self.sent: Counter[str] = Counter()
        self._committee = committee
        self._account = Account.load(committee.root / f"node{LIAR}" / "consensus.pem", PASSPHRASE)
        self._heard: list[tuple[Channel, bytes]] = []
        committee.air.watch = self._listen

    def _listen(self, sender: str, channel: Channel, body: bytes) -> None:
        if len(self._heard) < KEPT or self.random.randrange(4) == 0:
            self._heard.append((channel, body))
            del self._heard[:-KEPT]

    def speak(self) -> None:
        """One frame to one of the honest nodes, as from this member."""
        channel, body = self._frame()
        to = self._committee.air.ends.get(self._committee.peer_id(self.random.choice(HONEST)))
        if to is not None and to.put(channel, Frame(self._committee.peer_id(LIAR), body)):
            self.sent[channel.name] += 1

    def _frame(self) -> tuple[Channel, bytes]:
        random = self.random
        if self._heard and random.randrange(4) == 0:
            channel, body = random.choice(self._heard)
        else:
            channel = random.choice(list(Channel))
            try:
                body = self._drawn(channel)
            except OverflowError:  # a number that no encoder writes
                return channel, random.randbytes(random.randrange(1, 60))
        return channel, damaged(random, body) if random.randrange(3) == 0 else body

    def _drawn(self, channel: Channel) -> bytes:
        known = self._known()
        match channel:
            case Channel.VOTES:
                return self._vote(known)
            case Channel.TRANSACTIONS:
                kind = self.random.choice(TRANSACTIONS)
                found = record(self.random, kind, known)
                assert isinstance(found, TRANSACTIONS)
                return peer_messages.encode_transactions_message(found)
            case Channel.BLOCKS:
                answer = record(self.random, self.random.choice(BLOCKS), known)
                assert isinstance(answer, BLOCKS)
                return peer_messages.encode_blocks_message(answer)
            case Channel.SNAPSHOTS:
                told = record(self.random, self.random.choice(SNAPSHOTS), known)
                assert isinstance(told, SNAPSHOTS)
                return snapshots.encode_message(told)

    def _vote(self, known: Known) -> bytes:
        """A message of the consensus core, mostly rightly signed."""
        drawn = record(self.random, self.random.choice(get_args(votes.Message)), known)
        assert isinstance(drawn, votes.Message)
        body = votes.encode_message(drawn)
        signature = self._account.sign(votes.signing_bytes(self._chain_id, drawn))
        if self.random.randrange(8) == 0:
            signature = self.random.randbytes(64)
        epoch = self.random.choice((0, 0, 0, 0, 1, known.height, 2**53 - 1))
        return encode(votes.SignedMessage(LIAR, body, signature, epoch))

    @property
    def _chain_id(self) -> bytes:
        return chain_id(self._committee.genesis)

    def _known(self) -> Known:
        """What the honest nodes have by now: true blocks, certificates and ids among the drawn."""
        store = self._committee.node(HONEST[0]).store
        height = store.height
        block = store.block(height)
        records: list[Block | ExecutionCertificate | Proposal] = [block]
        certificate = store.execution_certificate(height)
        if certificate is not None:
            records.append(certificate)
        blobs = (
            bytes(block_hash(block.header)),
            self._chain_id,
            *(encode(transaction) for transaction in block.transactions),
        )
        return Known(height, blobs, tuple(records))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
async def test_a_member_that_sends_anything_stops_nobody(
    committee: Nodes, clock: MockClock, seed: int
) -> None:
    liar = Liar(committee, seed)
    async with running(committee, *HONEST):
        for number in range(ROUNDS):
            for _ in range(FRAMES):
                liar.speak()
            ids = await committee.hand_in(number % 3, committee.transaction(f"k{number}"))
            await committee.certified(ids, *HONEST, within_s=300)
        stores = [committee.node(index).store for index in HONEST]
        common = min(store.certified_height for store in stores)
        assert len({store.statement(common).state_root for store in stores}) == 1
        for index in HONEST:
            assert (await committee.status(index)).phase in ("ordering", "view_change")
    assert all(liar.sent[channel.name] > 20 for channel in Channel), liar.sent
