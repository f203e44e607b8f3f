"""SortedMap through the jail and over a real ledger's snapshot of keys: pages cut anywhere."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from contracts.vm import frames, host, worker
from contracts.vm.codes import Code
from contracts.vm.host import JailRefused, Worker
from contracts.vm.messages import Answer, NeedRange, RangeAnswer, encoder
from contracts.vm.ranges import Range, RangePage
from contracts.vm.testing import Chain
from ledger.values import Value, decode_value
from tests.jailed_chain import ACCOUNT, JailedChain

SOURCE = """
from contracts.dialect import SortedMap, call
marks = SortedMap(int, str)
@call
def put(first: int, count: int, text: str) -> None:
    for number in range(count):
        marks[first + number] = text
@call
def drop(first: int, count: int) -> None:
    for number in range(count):
        del marks[first + number]
@call
def keys(limit: int, down: bool) -> list[int]:
    return marks.keys(limit, reverse=down)
@call
def total(limit: int, down: bool) -> int:
    return sum([len(text) for _, text in marks.items(limit, reverse=down)])
"""
GAS = 40_000_000


@pytest.fixture(scope="module")
def jailed() -> Iterator[Worker]:
    try:
        with Worker() as worker:
            yield worker
    except JailRefused as refusal:
        pytest.skip(str(refusal))


@pytest.mark.parametrize("answer_size_max", [1, 5_000, host.ANSWER_SIZE_MAX])
def test_a_jailed_worker_walks_like_a_machine_in_process(
    jailed: Worker, monkeypatch: pytest.MonkeyPatch, answer_size_max: int
) -> None:
    monkeypatch.setattr(host, "ANSWER_SIZE_MAX", answer_size_max)
    plain, chain = Chain(), JailedChain(jailed, [("marks", SOURCE)])
    plain.deploy("marks", SOURCE)
    blocks: list[list[tuple[str, list[Value]]]] = [
        [("put", [-20, 45, "x" * 100]), ("keys", [7, False])],
        [
            ("drop", [-15, 12]),
            ("put", [-10, 2, "x" * 300]),
            ("keys", [30, False]),
            ("keys", [9, True]),
        ],
        [("keys", [1000, True]), ("total", [1000, False]), ("total", [3, True])],
        [("drop", [-20, 5]), ("total", [1, False]), ("put", [99, 1, "x" * 1]), ("keys", [2, True])],
    ]
    for calls in blocks:
        ours = plain.block([(ACCOUNT, "marks", *call) for call in calls], gas_limit=GAS)
        theirs = chain.block([("marks", *call) for call in calls], gas_limit=GAS)
        assert [receipt.status for receipt in theirs] == [Code.ok] * len(calls)
        assert [(r.return_value, r.gas_used) for r in theirs] == [
            (r.return_value, r.gas_used) for r in ours
        ]
    assert decode_value(theirs[-1].return_value) == [99, 24]
    assert jailed.restarts == 0


def test_little_gas_makes_the_parent_read_little(jailed: Worker) -> None:
    chain = JailedChain(jailed, [("marks", SOURCE)])
    chain.block([("marks", "put", [0, 100, "x" * 20_000])], gas_limit=GAS)
    asked: list[int] = []

    def count(entries: Iterator[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
        for entry in entries:
            asked.append(len(entry[1]))
            yield entry

    scan = chain.scan
    chain.scan = lambda *args, **more: count(scan(*args, **more))  # type: ignore[method-assign]
    (receipt,) = chain.block([("marks", "total", [1000, False])], gas_limit=50_000)
    assert receipt.status == Code.out_of_gas
    assert 0 < sum(asked) < 4 * 50_000


# --- what a parent that breaks the rules would send ---------------------------------------------


ASKED = Range("space", b"a", b"b", False, True, 10, 1000)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Answer([b""]), "a page was expected"),
        (RangeAnswer(RangePage([b"a"], [], True)), "a value for every key"),
        (RangeAnswer(RangePage([], [], False)), "an empty page is the last"),
    ],
)
def test_an_answer_that_is_no_page_is_no_data(
    monkeypatch: pytest.MonkeyPatch, reply: Answer | RangeAnswer, reason: str
) -> None:
    sent: list[bytes] = []
    monkeypatch.setattr(frames, "send", lambda _, payload: sent.append(payload))
    monkeypatch.setattr(frames, "receive", lambda _: encoder.encode(reply))
    with pytest.raises(msgspec.ValidationError, match=reason):
        worker._scan(ASKED)
    assert sent == [encoder.encode(NeedRange(ASKED))]


@pytest.mark.parametrize("with_values", [False, True])
def test_a_page_is_taken_as_it_comes(monkeypatch: pytest.MonkeyPatch, with_values: bool) -> None:
    page = RangePage([b"a"], [b"1"] if with_values else [], False)
    monkeypatch.setattr(frames, "send", lambda *_: None)
    monkeypatch.setattr(frames, "receive", lambda _: encoder.encode(RangeAnswer(page)))
    asked = Range("space", b"a", b"b", False, with_values, 10, 1000)
    assert worker._scan(asked) == page


def test_a_genesis_has_nothing_to_walk_but_what_it_wrote(jailed: Worker) -> None:
    founding = """
from contracts.dialect import SortedMap, call, init
marks = SortedMap(int, int)
@init
def setup() -> None:
    for number in (3, 1, 2):
        marks[number] = len(marks.keys(9))
@call
def pairs() -> list[tuple[int, int]]:
    return marks.items(9)
"""
    chain = JailedChain(jailed, [("marks", founding)])
    (receipt,) = chain.block([("marks", "pairs", [])], gas_limit=GAS)
    assert decode_value(receipt.return_value) == [[1, 1], [2, 2], [3, 0]]


def test_no_range_reaches_into_another_contract(jailed: Worker) -> None:
    """Two contracts with a SortedMap of one name: neither sees the other's keys."""
    chain = JailedChain(jailed, [("marks", SOURCE), ("other", SOURCE)])
    chain.block(
        [("marks", "put", [1, 2, "x" * 1]), ("other", "put", [5, 1, "x" * 1])], gas_limit=GAS
    )
    done = chain.block(
        [("marks", "keys", [10, False]), ("other", "keys", [10, True])], gas_limit=GAS
    )
    assert [decode_value(receipt.return_value) for receipt in done] == [[1, 2], [5]]
