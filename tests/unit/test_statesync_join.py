"""A node joins by a snapshot: from many peers at once, whatever some of them say."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from ledger.encoding import decode, encode
from ledger.joining import Joining
from ledger.model import Signature
from ledger.snapshot import CHUNK_SIZE_MAX, Chunk, Entry, Manifest, snapshot_digest
from ledger.store import Store
from node.statesync.crowd import Crowd
from node.statesync.join import Joiner, join
from node.statesync.messages import Ask, Offers, PastRun, Status, Told, What, decode_run
from tests.fake_keys import FakeKeys
from tests.ledger_world import World, committee
from tests.node_world import quick_clock
from tests.statesync_world import Answer, Peers, Served, grow, grown, serve_newest

HEIGHT = 40
BEHIND_MAX = 20


@pytest.fixture
def clock() -> MockClock:
    return quick_clock()


@dataclass
class Case:
    world: World
    honest: Served
    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / "ledger.joining"


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    world = grown(tmp_path / "ledger", HEIGHT, sizes={5: 5, 30: 4})
    made = Case(world, serve_newest(world, tmp_path / "kept"), tmp_path)
    yield made
    made.honest.snapshot.close()
    world.store.close()


async def joined(case: Case, answers: dict[str, Answer], within_s: float = math.inf) -> int | None:
    """What `join` makes of these peers. Virtual time also jumps while a thread is at work."""
    peers = Peers(answers)
    crowd = Crowd(peers, {})
    joiner = Joiner(
        path=case.path,
        genesis=case.world.genesis,
        provider=FakeKeys(0),
        crowd=crowd,
        behind_max=BEHIND_MAX,
        on_committees=lambda epochs: None,
    )
    with trio.fail_after(within_s):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(crowd.run)
            height = await join(joiner)
            nursery.cancel_scope.cancel()
    return height


def assert_is_whole(case: Case, height: int = HEIGHT) -> None:
    store = Store.open(case.path)
    try:
        store.scrub()
        assert store.height == height
        assert store.head_statement() == case.world.store.statement(height)
        assert store.epochs.all == case.world.store.epochs.all
    finally:
        store.close()


def replaced(honest: Served, what: What, data: Callable[[bytes], bytes]) -> Answer:
    """An honest peer, but for what it answers to this question."""

    def answer(ask: Ask) -> Told | None:
        told = honest(ask)
        if ask.what == what and told.status == Status.HERE:
            return Told(ask.number, Status.HERE, data(told.data))
        return told

    return answer


def struck(logs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {log["peer"]: str(log["reason"]) for log in logs if log["event"] == "peer_struck"}


async def test_it_joins_and_asks_all(case: Case, clock: MockClock) -> None:
    """Also when others than the first one's quorum signed what the second one keeps."""
    world = case.world
    world.certify(HEIGHT, idle=0)
    second = serve_newest(world, case.folder / "kept second")
    assert second.snapshot.data != case.honest.snapshot.data
    with capture_logs() as logs:
        assert await joined(case, {"a": case.honest, "b": second}) == HEIGHT
    assert_is_whole(case)
    assert struck(logs) == {}
    assert case.honest.asked.count(What.CHUNK) + second.asked.count(What.CHUNK) == (
        case.honest.snapshot.chunks
    )
    assert second.asked.count(What.CHUNK) > 3 < case.honest.asked.count(What.CHUNK)
    second.snapshot.close()


# --- lies -----------------------------------------------------------------------------------


def _richer(data: bytes) -> bytes:
    chunk = decode(data, Chunk, size_max=CHUNK_SIZE_MAX)
    first = chunk.entries[0]
    return encode(Chunk((Entry(first.namespace, first.key, b"mine"), *chunk.entries[1:])))


def _other_receipts(data: bytes) -> bytes:
    first, *rest = decode_run(data).blocks
    receipts = tuple(msgspec.structs.replace(one, gas_used=1) for one in first.receipts)
    return encode(PastRun((msgspec.structs.replace(first, receipts=receipts), *rest)))


def _other_sender(data: bytes) -> bytes:
    first, *rest = decode_run(data).blocks
    one, *others = first.block.transactions
    forged = msgspec.structs.replace(one, signature=bytes(64))
    block = msgspec.structs.replace(first.block, transactions=(forged, *others))
    return encode(PastRun((msgspec.structs.replace(first, block=block), *rest)))


def _other_dropped(data: bytes) -> bytes:
    first, *rest = decode_run(data).blocks
    block = msgspec.structs.replace(first.block, dropped=(bytes(32),))
    return encode(PastRun((msgspec.structs.replace(first, block=block), *rest)))


def _unordered(data: bytes) -> bytes:
    first, *rest = decode_run(data).blocks
    certificate = msgspec.structs.replace(
        first.commit_certificate, signatures=first.commit_certificate.signatures[:1]
    )
    return encode(PastRun((msgspec.structs.replace(first, commit_certificate=certificate), *rest)))


def _later(data: bytes) -> bytes:
    return encode(PastRun(decode_run(data).blocks[1:]))


@pytest.mark.parametrize(
    ("what", "lie", "reason"),
    [
        (What.CHUNK, _richer, "its keys are not those of the certified state"),
        (What.CHUNK, lambda data: data[:-1], "chunk"),
        (What.CHUNK, lambda data: data + b"\0", "chunk"),
        (What.CHUNK, lambda data: b"", "chunk"),
        (What.CHUNK, lambda data: bytes(CHUNK_SIZE_MAX + 1), "exceed the limit"),
        (What.MANIFEST, lambda data: data[:-1], "the manifest: "),
        (What.MANIFEST, lambda data: b"", "the manifest: "),
        (What.OFFERS, lambda data: data[:-1], "its list of snapshots"),
        (What.PAST, _other_receipts, "its receipts are not what a quorum signed"),
        (What.PAST, _other_sender, "the sender's signature is invalid"),
        (What.PAST, _other_dropped, "it is for another proposal"),
        (What.PAST, _unordered, "1 signatures, but a quorum"),
        (What.PAST, _later, "was asked for"),
        (What.PAST, lambda data: b"\x91\x90", "a run of 0 blocks"),
    ],
)
async def test_who_serves_what_is_wrong_is_named_and_replaced(
    case: Case, clock: MockClock, what: What, lie: Callable[[bytes], bytes], reason: str
) -> None:
    with capture_logs() as logs:
        answers: dict[str, Answer] = {
            "honest": case.honest,
            "honest too": case.honest,
            "a liar": replaced(case.honest, what, lie),
        }
        assert await joined(case, answers) == HEIGHT
    assert_is_whole(case)
    assert list(struck(logs)) == ["a liar"]
    assert reason in struck(logs)["a liar"]


def forged(case: Case, manifest: Manifest) -> Answer:
    """A peer that offers this manifest as the newest snapshot."""
    data = encode(manifest)
    offer = msgspec.structs.replace(
        case.honest.offer, height=manifest.height, digest=snapshot_digest(manifest)
    )

    def answer(ask: Ask) -> Told | None:
        if ask.what == What.OFFERS:
            told = Offers(0, max(HEIGHT, manifest.height), (offer,))
            return Told(ask.number, Status.HERE, encode(told))
        if ask.what == What.MANIFEST:
            return Told(ask.number, Status.HERE, data)
        return Told(ask.number, Status.GONE, b"")

    return answer


def newer(manifest: Manifest, **fields: object) -> Manifest:
    """The manifest for a later block, so that it is chosen before the honest one."""
    certificate = manifest.certificate
    statement = msgspec.structs.replace(certificate.statement, height=HEIGHT + 1)
    later = msgspec.structs.replace(certificate, statement=statement)
    return msgspec.structs.replace(manifest, certificate=later, **fields)


async def test_what_no_quorum_certified_is_refused(case: Case, clock: MockClock) -> None:
    """An uncertified root, a forged chain of committees, another chain."""
    manifest = case.honest.snapshot.manifest
    change = manifest.changes[0]
    mine = committee(1)
    takeover = msgspec.structs.replace(
        change,
        validators=mine,
        certificate=msgspec.structs.replace(
            change.certificate,
            statement=msgspec.structs.replace(
                change.certificate.statement, next_validators_hash=mine.digest
            ),
        ),
    )
    strange = msgspec.structs.replace(
        manifest.certificate,
        statement=msgspec.structs.replace(
            manifest.certificate.statement, chain_id=bytes(32), height=HEIGHT + 1
        ),
    )
    lies: dict[str, tuple[Manifest, str]] = {
        "uncertified": (newer(manifest), "did not sign this"),
        "few": (
            newer(
                msgspec.structs.replace(
                    manifest,
                    certificate=msgspec.structs.replace(
                        manifest.certificate, signatures=(Signature(0, bytes(64)),)
                    ),
                )
            ),
            "1 signatures",
        ),
        "takeover": (newer(manifest, changes=(takeover,)), "did not sign this"),
        "short": (newer(manifest, changes=()), "is not certified"),
        "strange": (msgspec.structs.replace(manifest, certificate=strange), "of the chain"),
        "cut": (
            msgspec.structs.replace(
                manifest, nodes=manifest.nodes[:-1], splits=manifest.splits[:-1]
            ),
            "do not make up the certified state",
        ),
    }
    answers: dict[str, Answer] = {name: forged(case, lie) for name, (lie, _) in lies.items()}
    with capture_logs() as logs:
        assert await joined(case, answers | {"a": case.honest, "b": case.honest}) == HEIGHT
    assert_is_whole(case)
    for name in lies.keys() - {"cut"}:  # no newer than the honest one, it may not have been asked
        assert lies[name][1] in struck(logs)[name], name
    assert not {"a", "b"} & struck(logs).keys()


async def test_a_stale_snapshot_is_refused(case: Case, clock: MockClock) -> None:
    """By what f + 1 peers say of the chain, not by what its server says."""
    old = case.honest
    grow(case.world, BEHIND_MAX + 5)
    new = serve_newest(case.world, case.folder / "kept new")

    def of_old(ask: Ask) -> Told | None:
        if ask.what == What.OFFERS:
            told = Offers(0, HEIGHT, (old.offer,))
            return Told(ask.number, Status.HERE, encode(told))
        return old(ask)

    with capture_logs() as logs:
        answers: dict[str, Answer] = {"a": new, "b": new, "old": of_old}
        assert await joined(case, answers) == HEIGHT + BEHIND_MAX + 5
    (told,) = [log for log in logs if log["event"] == "snapshot_stale"]
    assert told["peer"] == "old" and "is of block 40, the chain is at 65" in told["reason"]
    assert not struck(logs)
    assert_is_whole(case, HEIGHT + BEHIND_MAX + 5)
    new.snapshot.close()


async def test_one_peer_alone_cannot_say_how_far_the_chain_is(case: Case, clock: MockClock) -> None:
    """Of four validators one may lie: neither a boast nor one voice decides."""

    def boaster(ask: Ask) -> Told | None:
        if ask.what == What.OFFERS:
            return Told(ask.number, Status.HERE, encode(Offers(0, 1 << 40, ())))
        return None

    with pytest.raises(trio.TooSlowError):
        await joined(case, {"a": case.honest}, within_s=60)
    answers: dict[str, Answer] = {"a": case.honest, "b": case.honest, "boaster": boaster}
    assert await joined(case, answers) == HEIGHT
    assert_is_whole(case)


async def test_who_is_silent_slow_or_withholds_is_replaced(case: Case, clock: MockClock) -> None:
    def mute(ask: Ask) -> Told | None:
        return None

    def half_mute(ask: Ask) -> Told | None:
        return case.honest(ask) if ask.what in (What.OFFERS, What.MANIFEST) else None

    def withholds(ask: Ask) -> Told | None:
        if ask.what == What.CHUNK:
            return Told(ask.number, Status.GONE, b"")
        return case.honest(ask)

    def busy(ask: Ask) -> Told | None:
        return Told(ask.number, Status.BUSY, b"")

    answers: dict[str, Answer] = {
        "mute": mute,
        "half mute": half_mute,
        "withholds": withholds,
        "busy": busy,
        "a": case.honest,
        "b": case.honest,
    }
    with capture_logs() as logs:
        assert await joined(case, answers) == HEIGHT
    assert_is_whole(case)
    assert struck(logs).keys() <= {"withholds"}


async def test_offers_of_snapshots_that_nobody_has_hold_nothing_up_for_ever(
    case: Case, clock: MockClock
) -> None:
    def inventor(ask: Ask) -> Told | None:
        if ask.what == What.OFFERS:
            offer = msgspec.structs.replace(
                case.honest.offer, height=HEIGHT + 1, digest=ask.number.to_bytes(32)
            )
            return Told(ask.number, Status.HERE, encode(Offers(0, HEIGHT + 1, (offer,))))
        return Told(ask.number, Status.GONE, b"")

    answers: dict[str, Answer] = {"a": case.honest, "b": case.honest, "inventor": inventor}
    assert await joined(case, answers) == HEIGHT


async def test_garbage_and_answers_to_nobody_are_ignored_or_struck(
    case: Case, clock: MockClock
) -> None:
    def twice(ask: Ask) -> Told | None:
        peers.put("twice", encode_twice(ask))
        return case.honest(ask)

    def encode_twice(ask: Ask) -> bytes:
        from node.statesync.messages import encode_message

        return encode_message(Told(ask.number + 1000, Status.HERE, b"x"))

    peers = Peers({"twice": twice, "a": case.honest, "garbage": lambda ask: None})
    peers.put("garbage", b"\xff\xff")
    crowd = Crowd(peers, {"garbage": "node9"})
    joiner = Joiner(
        case.path, case.world.genesis, FakeKeys(0), crowd, BEHIND_MAX, lambda epochs: None
    )
    with capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(crowd.run)
            assert await join(joiner) == HEIGHT
            nursery.cancel_scope.cancel()
    assert "cannot be decoded" in struck(logs)["node9"]


# --- interruptions --------------------------------------------------------------------------


async def test_it_goes_on_where_it_was_and_asks_for_nothing_twice(
    case: Case, clock: MockClock
) -> None:
    given: list[int] = []

    def dies_in_the_middle(ask: Ask) -> Told | None:
        if ask.what == What.CHUNK:
            if len(given) == 5:
                return None
            given.append(ask.place)
        return case.honest(ask)

    with pytest.raises(trio.TooSlowError):
        answers: dict[str, Answer] = {"a": dies_in_the_middle, "b": Empty(case.honest)}
        await joined(case, answers, within_s=30)
    with Joining.resume(case.path, case.world.genesis) as left:
        assert not set(given) & set(left.missing)
    asked: list[int] = []

    def counts(ask: Ask) -> Told | None:
        if ask.what == What.CHUNK:
            asked.append(ask.place)
        return case.honest(ask)

    with capture_logs() as logs:
        assert await joined(case, {"a": counts, "b": counts}) == HEIGHT
    assert_is_whole(case)
    assert sorted(asked + given) == list(range(case.honest.snapshot.chunks))
    assert [log["event"] for log in logs if log["event"] == "download_goes_on"]


@dataclass
class Empty:
    """An honest node that keeps no snapshot."""

    honest: Served

    def __call__(self, ask: Ask) -> Told:
        if ask.what == What.OFFERS:
            return Told(ask.number, Status.HERE, encode(Offers(0, HEIGHT, ())))
        return self.honest(ask) if ask.what == What.PAST else Told(ask.number, Status.GONE, b"")


async def test_when_nobody_keeps_it_any_more_a_newer_one_is_taken(
    case: Case, clock: MockClock
) -> None:
    old = case.honest
    served = 0
    grow(case.world, 5)
    new = serve_newest(case.world, case.folder / "kept new")

    def moves_on(ask: Ask) -> Told | None:
        nonlocal served
        served += ask.what == What.CHUNK
        return old(ask) if served < 4 else new(ask)

    with capture_logs() as logs:
        answers: dict[str, Answer] = {"a": moves_on, "b": Empty(old)}
        assert await joined(case, answers) == HEIGHT + 5
    assert_is_whole(case, HEIGHT + 5)
    assert struck(logs) == {}
    assert "snapshot_given_up" in [log["event"] for log in logs]
    new.snapshot.close()


async def test_a_damaged_download_is_dropped(case: Case, clock: MockClock) -> None:
    case.path.mkdir()
    (case.path / "junk").write_bytes(b"junk")
    assert await joined(case, {"a": case.honest, "b": case.honest}) == HEIGHT
    assert_is_whole(case)


async def test_where_nobody_makes_snapshots_blocks_have_to_do(case: Case, clock: MockClock) -> None:
    """Unless they are gone."""
    answers: dict[str, Answer] = {"a": Empty(case.honest), "b": Empty(case.honest)}
    assert await joined(case, answers) is None

    def pruned(ask: Ask) -> Told | None:
        return Told(ask.number, Status.HERE, encode(Offers(20, HEIGHT, ())))

    with pytest.raises(trio.TooSlowError):
        await joined(case, {"a": pruned, "b": pruned}, within_s=300)


async def test_a_true_name_with_a_false_height_is_refused(case: Case, clock: MockClock) -> None:
    def boasts(ask: Ask) -> Told | None:
        if ask.what == What.OFFERS:
            offer = msgspec.structs.replace(case.honest.offer, height=HEIGHT + 1)
            return Told(ask.number, Status.HERE, encode(Offers(0, HEIGHT + 1, (offer,))))
        return case.honest(ask)

    with capture_logs() as logs:
        answers: dict[str, Answer] = {"a": case.honest, "b": case.honest, "boasts": boasts}
        assert await joined(case, answers) == HEIGHT
    assert "of block 40 was offered as one of 41" in struck(logs)["boasts"]


async def test_a_short_chain_is_fetched_block_by_block(tmp_path: Path, clock: MockClock) -> None:
    world = grown(tmp_path / "ledger", 10)

    def young(ask: Ask) -> Told | None:
        return Told(ask.number, Status.HERE, encode(Offers(0, 10, ())))

    case = Case(world, None, tmp_path)  # type: ignore[arg-type]  # nothing is served
    assert await joined(case, {"a": young, "b": young}) is None
    world.store.close()
