"""Transactions between nodes: who forges is refused, who asks is answered once, what a proposal
needs is fetched, and nobody waits for ever."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from consensus.pbft.types import Validate
from ledger.encoding import decode, encode
from ledger.errors import DecodeError
from ledger.genesis import Limits
from ledger.model import (
    TAG_TRANSACTION,
    Proposal,
    Transaction,
    TransactionBody,
    proposal_digest,
    transaction_id,
)
from ledger.values import encode_value
from node.clock import CommitteeClock
from node.committee import Committee
from node.heartbeat import Heartbeat
from node.intake import check_form
from node.mempool import Admitted, Mempool
from node.peer_messages import (
    OFFER_MAX,
    OFFER_SIZE,
    BodiesRequest,
    Offer,
    ProposalReply,
    ProposalRequest,
    decode_transactions_message,
    encode_transactions_message,
)
from node.rulebook import Rulebook
from node.timekeeper import Timekeeper
from node.transactions import DISTRUST_S, FRESH_PATIENCE_S, REOFFER_SIZE_MAX, Transactions
from p2p.limits import Channel
from p2p.network import Frame
from tests.fake_keys import FakeKeys, fake_public
from tests.ledger_world import TIME_MS, World, fake_sign
from tests.node_world import Air, End, eventually, quick_clock


@pytest.fixture
def clock() -> MockClock:
    return quick_clock()


def now_ms() -> int:
    """True time, which is virtual."""
    return TIME_MS + int(trio.current_time() * 1000)


class Exchange:
    """Member 0 with the unit under test; the test itself speaks for members 1 to 3."""

    def __init__(
        self, root: Path, *, transactions_max: int = 100, bytes_max: int = 8 << 20
    ) -> None:
        self.world = World(root / "ledger")
        validators = self.world.validators
        self.names = [validator.peer_id for validator in validators.validators]
        self.air = Air()
        ends = [End(self.air, n, [o for o in self.names if o != n]) for n in self.names]
        self.air.ends = dict(zip(self.names, ends, strict=True))
        self.ends = ends
        self.pool = Mempool(transactions_max=transactions_max, bytes_max=bytes_max)
        self.rulebook = Rulebook(self.world.chain_id, Limits(), self.world.store)
        clock = CommitteeClock(
            others=(), quorum=1, fault_bound=0, wall_ms=now_ms, monotonic_ms=now_ms
        )
        self.unit = Transactions(
            pool=self.pool,
            store=self.world.store,
            network=ends[0],
            committee=Committee(
                self.world.store.current_epoch,
                public_key=validators.validators[0].public_key,
                name=validators.validators[0].name,
            ),
            rulebook=self.rulebook,
            provider=FakeKeys(),
            verify_threads=1,
            timekeeper=Timekeeper(clock=clock, network=ends[0]),
            heartbeat=Heartbeat(store=self.world.store, limits_at=self.rulebook.at, clock=clock),
        )
        self._count = 0

    def transaction(
        self, *, valid_until: int = 100, size: int = 40, gas_limit: int = 1000
    ) -> Transaction:
        self._count += 1
        body = encode(
            TransactionBody(
                version=1,
                chain_id=self.world.chain_id,
                sender=fake_public(7),
                nonce=self._count.to_bytes(16, "big"),
                valid_until=valid_until,
                contract="notes",
                method="write",
                args=encode_value([*[bytes(60_000)] * (size // 60_000), bytes(size % 60_000)]),
                gas_limit=gas_limit,
            )
        )
        return Transaction(body, fake_sign(fake_public(7), TAG_TRANSACTION + body))

    def admitted(self, transaction: Transaction) -> Admitted:
        return check_form(encode(transaction), rules=self.rulebook.now)[0]

    def says(self, member: int, body: bytes) -> None:
        self.ends[0].put(Channel.TRANSACTIONS, Frame(self.names[member], body))

    def offers(self, member: int, *transactions: Transaction) -> None:
        offer = Offer(tuple(encode(transaction) for transaction in transactions))
        self.says(member, encode_transactions_message(offer))

    def heard(self, member: int) -> list[object]:
        """What the unit has said to a member since it was asked last."""
        frames = self.ends[member].incoming(Channel.TRANSACTIONS)
        messages = []
        while True:
            try:
                messages.append(decode_transactions_message(frames.receive_nowait().body))
            except trio.WouldBlock:
                return list(messages)

    def proposal(self, transactions: Sequence[Transaction], *, height: int = 1) -> Proposal:
        ids = tuple(sorted(bytes(transaction_id(transaction)) for transaction in transactions))
        return Proposal(height, ids, 1, now_ms())

    @asynccontextmanager
    async def receiving(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.unit.receive)
            nursery.start_soon(self.unit.forward)
            yield
            nursery.cancel_scope.cancel()


def validate(proposal: Proposal, *, is_fresh: bool = True) -> Validate:
    return Validate(proposal, proposal_digest(proposal), holders=(1, 2), is_fresh=is_fresh)


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    return Exchange(tmp_path)


def offered(messages: Sequence[object]) -> list[bytes]:
    return [encoded for m in messages if isinstance(m, Offer) for encoded in m.transactions]


# --- forwarding -----------------------------------------------------------------------------


async def test_what_a_client_hands_in_is_forwarded_to_all(
    exchange: Exchange, clock: MockClock
) -> None:
    transactions = [exchange.transaction() for _ in range(5)]
    async with exchange.receiving():
        assert exchange.unit.hold([exchange.admitted(t) for t in transactions]) == [True] * 5
        await eventually(lambda: len(exchange.pool) == 5)
        await trio.sleep(1)
    for member in (1, 2, 3):
        assert sorted(offered(exchange.heard(member))) == sorted(map(encode, transactions))


async def test_what_is_held_already_is_not_forwarded_again(
    exchange: Exchange, clock: MockClock
) -> None:
    item = exchange.admitted(exchange.transaction())
    async with exchange.receiving():
        exchange.unit.hold([item])
        await trio.sleep(1)
        assert exchange.unit.hold([item]) == [True]
        await trio.sleep(1)
    assert len(offered(exchange.heard(1))) == 1


async def test_a_full_pool_says_so(tmp_path: Path, clock: MockClock) -> None:
    exchange = Exchange(tmp_path, transactions_max=2)
    items = [exchange.admitted(exchange.transaction()) for _ in range(3)]
    assert exchange.unit.hold(items) == [True, True, False]


async def test_offering_again_is_bounded_in_bytes(exchange: Exchange, clock: MockClock) -> None:
    items = [exchange.admitted(exchange.transaction(size=100_000)) for _ in range(40)]
    exchange.unit.hold(items)
    exchange.unit.offer_again((0, 2), lambda wanted: wanted == items[0].id)
    messages = exchange.heard(2)
    assert encode(items[0].transaction) not in offered(messages), "in flight"
    assert REOFFER_SIZE_MAX < sum(map(len, offered(messages))) < REOFFER_SIZE_MAX + 200_000
    assert all(
        sum(map(len, m.transactions)) < OFFER_SIZE + 200_000
        for m in messages
        if isinstance(m, Offer)
    )
    assert exchange.heard(1) == []


# --- offers ---------------------------------------------------------------------------------


async def test_an_offer_is_verified_before_it_is_held(exchange: Exchange, clock: MockClock) -> None:
    good = exchange.transaction()
    forged = Transaction(exchange.transaction().body, bytes(64))
    late = exchange.transaction(valid_until=0)
    with capture_logs() as logs:
        async with exchange.receiving():
            exchange.offers(1, forged, late, good)
            exchange.says(1, encode_transactions_message(Offer((b"garbage",))))
            await eventually(lambda: len(exchange.pool) == 1)
            await trio.sleep(1)
    assert transaction_id(good) in exchange.pool
    assert len(exchange.pool) == 1
    complaints = [(line["event"], line["peer"]) for line in logs]
    assert complaints == [("offer_refused", exchange.names[1])], "one line; late ones are no fault"


async def test_offers_of_a_forger_are_not_judged_for_a_while(
    exchange: Exchange, clock: MockClock
) -> None:
    """Verifying them would keep honest members' requests waiting."""
    forged = Transaction(exchange.transaction().body, bytes(64))
    first, other, later = (exchange.transaction() for _ in range(3))
    with capture_logs():
        async with exchange.receiving():
            exchange.offers(1, forged)
            exchange.offers(1, first)
            exchange.offers(2, other)
            await eventually(lambda: transaction_id(other) in exchange.pool)
            assert transaction_id(first) not in exchange.pool
            await trio.sleep(DISTRUST_S + 1)
            exchange.offers(1, later)
            await eventually(lambda: transaction_id(later) in exchange.pool)


async def test_undecodable_frames_cost_one_line(exchange: Exchange, clock: MockClock) -> None:
    with capture_logs() as logs:
        async with exchange.receiving():
            for number in range(50):
                exchange.says(2, b"garbage %d" % number)
            exchange.offers(1, exchange.transaction())
            await eventually(lambda: len(exchange.pool) == 1)
    assert [line["event"] for line in logs] == ["undecodable"]


def test_an_offer_of_too_many_is_refused() -> None:
    data = encode_transactions_message(Offer((b"x",) * (OFFER_MAX + 1)))
    with pytest.raises(DecodeError, match="exceed"):
        decode_transactions_message(data)


# --- answering ------------------------------------------------------------------------------


async def test_bodies_are_shown_once_however_often_they_are_named(
    exchange: Exchange, clock: MockClock
) -> None:
    item = exchange.admitted(exchange.transaction())
    exchange.unit.hold([item])
    async with exchange.receiving():
        await trio.sleep(1)
        exchange.heard(3)
        request = BodiesRequest((item.id,) * 100 + (bytes(32),))
        exchange.says(3, encode_transactions_message(request))
        await trio.sleep(1)
    assert offered(exchange.heard(3)) == [encode(item.transaction)]


async def test_a_proposal_is_shown_to_who_asks_for_its_digest(
    exchange: Exchange, clock: MockClock
) -> None:
    proposal = exchange.proposal([exchange.transaction()])
    digest = bytes(proposal_digest(proposal))
    exchange.unit.find_proposal = lambda wanted: proposal if wanted == digest else None
    async with exchange.receiving():
        for wanted in (bytes(32), digest):
            exchange.says(1, encode_transactions_message(ProposalRequest(1, wanted)))
        await trio.sleep(1)
    assert exchange.heard(1) == [ProposalReply(proposal)]


async def test_a_fetched_proposal_reaches_consensus_only_in_good_form(
    exchange: Exchange, clock: MockClock
) -> None:
    seen: list[Proposal] = []
    exchange.unit.on_proposal = seen.append
    good = exchange.proposal([exchange.transaction()])
    bad = Proposal(1, (b"short id",), 1, 5)
    with capture_logs():
        async with exchange.receiving():
            for proposal in (bad, good):
                exchange.says(1, encode_transactions_message(ProposalReply(proposal)))
            await trio.sleep(1)
    assert seen == [good]


# --- validating -----------------------------------------------------------------------------


async def test_a_proposal_at_hand_is_good(exchange: Exchange, clock: MockClock) -> None:
    transaction = exchange.transaction()
    exchange.unit.hold([exchange.admitted(transaction)])
    assert await exchange.unit.validate(validate(exchange.proposal([transaction])))


@pytest.mark.parametrize("skew_s", [-60, 60])
async def test_a_fresh_proposal_out_of_time_is_not(
    exchange: Exchange, clock: MockClock, skew_s: int
) -> None:
    transaction = exchange.transaction()
    exchange.unit.hold([exchange.admitted(transaction)])
    ids = exchange.proposal([transaction]).transaction_ids
    proposal = Proposal(1, ids, 1, now_ms() + 1000 * skew_s)
    with capture_logs():
        assert not await exchange.unit.validate(validate(proposal))
    assert await exchange.unit.validate(validate(proposal, is_fresh=False)), "a quorum vouched"


async def test_missing_bodies_are_fetched_from_one_holder_after_the_other(
    exchange: Exchange, clock: MockClock
) -> None:
    """The first does not answer. Bounds and expiry do not matter for what a proposal needs."""
    transaction = exchange.transaction(valid_until=0)
    verdicts: list[bool] = []

    async def ask() -> None:
        verdicts.append(await exchange.unit.validate(validate(exchange.proposal([transaction]))))

    async def answer() -> None:
        await eventually(lambda: any(isinstance(m, BodiesRequest) for m in exchange.heard(2)))
        exchange.offers(2, transaction)

    async with exchange.receiving(), trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        nursery.start_soon(answer)
    assert verdicts == [True]
    assert any(isinstance(m, BodiesRequest) for m in exchange.heard(1)), "the first was asked first"


async def test_wanted_bodies_enter_a_full_pool(tmp_path: Path, clock: MockClock) -> None:
    exchange = Exchange(tmp_path, transactions_max=1)
    exchange.unit.hold([exchange.admitted(exchange.transaction())])
    wanted, other = exchange.transaction(), exchange.transaction()
    async with exchange.receiving(), trio.open_nursery() as nursery:
        nursery.start_soon(exchange.unit.validate, validate(exchange.proposal([wanted])))
        await trio.sleep(0.1)
        exchange.offers(1, other, wanted)
    assert transaction_id(wanted) in exchange.pool
    assert transaction_id(other) not in exchange.pool


async def test_a_fresh_proposal_whose_bodies_nobody_shows_is_answered_no_in_time(
    exchange: Exchange, clock: MockClock
) -> None:
    with capture_logs() as logs, trio.fail_after(FRESH_PATIENCE_S + 2):
        proposal = exchange.proposal([exchange.transaction()])
        assert not await exchange.unit.validate(validate(proposal))
    assert [line["event"] for line in logs] == ["proposal_unavailable"]


async def test_a_vouched_proposal_is_waited_for_beyond_that(
    exchange: Exchange, clock: MockClock
) -> None:
    transaction = exchange.transaction()
    verdicts: list[bool] = []

    async def ask() -> None:
        effect = validate(exchange.proposal([transaction]), is_fresh=False)
        verdicts.append(await exchange.unit.validate(effect))

    async with exchange.receiving(), trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.sleep(3 * FRESH_PATIENCE_S)
        assert verdicts == []
        exchange.offers(3, transaction)
    assert verdicts == [True]


async def test_a_vouched_proposal_whose_height_was_passed_is_let_go(
    exchange: Exchange, clock: MockClock
) -> None:
    proposal = exchange.proposal([exchange.transaction()])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(exchange.unit.validate, validate(proposal, is_fresh=False))
        await trio.sleep(2)
        exchange.world.commit(transactions=0)  # height 1 came by sync
        with trio.fail_after(2):
            await trio.testing.wait_all_tasks_blocked()


async def test_a_proposal_beyond_the_blocks_limits_is_not_good(
    exchange: Exchange, clock: MockClock
) -> None:
    transactions = [exchange.transaction() for _ in range(Limits().block_transactions_max + 1)]
    for transaction in transactions:
        exchange.pool.add(exchange.admitted(transaction), tick=0, beyond_bounds=True)
    assert not await exchange.unit.validate(validate(exchange.proposal(transactions)))
    assert await exchange.unit.validate(validate(exchange.proposal(transactions[1:])))


async def test_what_a_block_includes_already_is_not_missed(
    exchange: Exchange, clock: MockClock
) -> None:
    exchange.world.commit(transactions=2)
    included = exchange.world.store.block(1).transactions
    proposal = exchange.proposal(included, height=2)
    assert await exchange.unit.validate(validate(proposal))


async def test_a_proposal_without_transactions_must_be_due_unless_a_quorum_vouched(
    exchange: Exchange, clock: MockClock
) -> None:
    interval_s = Limits().heartbeat_ms / 1000
    await trio.sleep(interval_s - 1)
    with capture_logs() as logs:
        assert not await exchange.unit.validate(validate(exchange.proposal([])))
        assert await exchange.unit.validate(validate(exchange.proposal([]), is_fresh=False))
        await trio.sleep(1)
        assert await exchange.unit.validate(validate(exchange.proposal([])))
        early = Proposal(1, (), 1, now_ms() + Limits().time_skew_ms_max + 1)
        assert not await exchange.unit.validate(validate(early)), "no time is too good to be true"
    assert [line["event"] for line in logs] == ["heartbeat_refused", "proposal_time"]


# --- starting -------------------------------------------------------------------------------


def test_the_journals_bodies_are_held_again(exchange: Exchange) -> None:
    kept = exchange.transaction()
    body = decode(kept.body, TransactionBody, size_max=1 << 20)
    assert body.valid_until == 100
    exchange.world.commit(transactions=1)
    included = exchange.world.store.block(1).transactions[0]
    exchange.unit.adopt([kept, included, Transaction(b"of another release", bytes(64))])
    assert len(exchange.pool) == 1
    assert transaction_id(kept) in exchange.pool


def test_the_journals_bodies_are_at_hand_whatever_the_limits_are_now(exchange: Exchange) -> None:
    """A restart comes just after the limits were lowered: what was prepared must be executable."""
    size = 2 * Limits().transaction_size_max
    large, late = exchange.transaction(size=size), exchange.transaction(valid_until=0)
    exchange.unit.adopt([large, late])
    assert exchange.pool.missing([transaction_id(large), transaction_id(late)]) == []
    assert exchange.pool.oldest_age(99, lambda wanted: False) is None
