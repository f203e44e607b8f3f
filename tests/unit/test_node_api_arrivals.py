"""Calls whose request does not come: they give their threads back, and others are answered."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import grpc
import pytest

from client.node import NodeClient
from client.signing import SERVICE
from node.accesslog.entry import REFUSED
from node.api.arrivals import PRESSED_S, REQUEST_S, Arrivals
from node.refusals import ENCODING
from tests.access_world import Remembered, porter
from tests.moving_chain import Moving, Served
from tests.unit.test_node_calls import refused_code, serving

THREADS = 4


class Silent:
    """A call that says nothing until it is cancelled: both context and requests."""

    def __init__(self) -> None:
        self._over = threading.Event()

    @property
    def is_cut(self) -> bool:
        return self._over.is_set()

    def cancel(self) -> None:
        self._over.set()

    def __iter__(self) -> Iterator[object]:
        return self

    def __next__(self) -> object:
        assert self._over.wait(10)
        raise StopIteration


class Hall:
    """Arrivals with a clock that stands unless it is set."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.now_s = 100.0
        self.arrivals = Arrivals(THREADS, lambda: self.now_s)
        self._pool = pool

    def come(self) -> Silent:
        call = Silent()
        inside = len(self.arrivals)
        self._pool.submit(self.arrivals.first, call, cast(grpc.ServicerContext, call))
        while len(self.arrivals) == inside:
            pass
        return call


@pytest.fixture
def hall() -> Iterator[Hall]:
    with ThreadPoolExecutor(THREADS) as pool:
        hall = Hall(pool)
        yield hall
        hall.now_s += REQUEST_S
        hall.arrivals.cut_late()


def test_a_request_that_is_there_is_handed_on() -> None:
    arrivals = Arrivals(THREADS, lambda: 0.0)
    context = cast(grpc.ServicerContext, Silent())
    assert arrivals.first(iter([b""]), context) == b""
    assert arrivals.first(iter([]), context) is None
    assert len(arrivals) == 0


def test_few_that_wait_have_the_time_of_a_slow_line(hall: Hall) -> None:
    first, second = hall.come(), hall.come()
    hall.now_s += REQUEST_S - 1
    hall.arrivals.cut_late()
    assert not (first.is_cut or second.is_cut)
    hall.now_s += 1
    hall.arrivals.cut_late()
    assert first.is_cut
    assert second.is_cut


def test_of_many_that_wait_the_oldest_go_until_half_of_the_threads_are_free(hall: Hall) -> None:
    calls = [hall.come() for _ in range(THREADS)]
    hall.arrivals.cut_late()
    assert not any(call.is_cut for call in calls)
    hall.now_s += PRESSED_S
    hall.arrivals.cut_late()
    assert [call.is_cut for call in calls] == [True, True, False, False]


def held(over: threading.Event) -> Iterator[bytes]:
    over.wait()
    yield from ()


def wordless(channel: grpc.Channel) -> grpc.StreamUnaryMultiCallable[bytes, bytes]:
    """Calls of a method with one request that leave open whether it comes."""
    return channel.stream_unary(
        SERVICE + "GetStatus", request_serializer=bytes, response_deserializer=bytes
    )


def test_calls_without_a_request_do_not_keep_a_node_from_others(moving: Moving) -> None:
    over = threading.Event()
    with serving(moving, porter()) as place, grpc.insecure_channel(place) as channel:
        served = Served(moving.chain)
        threads = served.threads + served.subscribers_max
        calls = [wordless(channel).future(held(over)) for _ in range(2 * threads)]
        try:
            with NodeClient(place) as node:
                assert node.bare_status().chain_id == moving.chain.chain_id
        finally:
            over.set()
            for call in calls:
                call.cancel()  # type: ignore[no-untyped-call]  # the stubs leave it bare


def test_a_call_that_ends_without_a_request_is_refused_and_on_record(moving: Moving) -> None:
    record = Remembered()
    with (
        serving(moving, porter(record)) as place,
        grpc.insecure_channel(place) as channel,
        pytest.raises(grpc.RpcError) as refused,
    ):
        wordless(channel)(iter([]))
    assert refused_code(refused.value)[0] == ENCODING
    assert record.outcomes == [("GetStatus", REFUSED, ENCODING)]
