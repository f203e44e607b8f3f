"""Health: told to who asks and to who watches, and nothing of either is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from node.accesslog.entry import REFUSED
from node.api.server import ApiServer
from node.refusals import NOT_FOUND
from tests.access_world import Remembered, porter
from tests.moving_chain import Moving, Served
from tests.unit.test_node_calls import refused_code

SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING
ALL = HealthCheckRequest()


class Open:
    """A node's server with a stub of its health, and what was put on record."""

    def __init__(self, moving: Moving) -> None:
        self.record = Remembered()
        self.server = ApiServer(
            Served(moving.chain), listen="127.0.0.1:0", porter=porter(self.record)
        )
        self.server.start()
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.server.port}")
        self.health = health_pb2_grpc.HealthStub(self.channel)


@pytest.fixture
def opened(moving: Moving) -> Iterator[Open]:
    found = Open(moving)
    yield found
    found.channel.close()
    found.server.stop()


def test_a_halt_is_told_to_who_asks_and_to_who_watches(opened: Open) -> None:
    assert opened.health.Check(ALL).status == SERVING
    watch = opened.health.Watch(ALL)
    assert next(watch).status == SERVING
    opened.server.show_halted()
    assert next(watch).status == NOT_SERVING
    assert opened.health.Check(ALL).status == NOT_SERVING
    watch.cancel()


@pytest.mark.parametrize("ask", ["Check", "Watch"])
def test_an_unknown_service_is_refused_and_no_fault_of_the_node(opened: Open, ask: str) -> None:
    calls: dict[str, Callable[[HealthCheckRequest], object]] = {
        "Check": opened.health.Check,
        "Watch": lambda request: next(opened.health.Watch(request)),
    }
    with pytest.raises(grpc.RpcError) as refused:
        calls[ask](HealthCheckRequest(service="nobody's"))
    assert refused_code(refused.value)[0] == NOT_FOUND
    opened.server.stop()
    assert opened.record.outcomes[-1] == (ask, REFUSED, NOT_FOUND)


def test_who_stops_watching_gives_its_thread_back(opened: Open) -> None:
    served = Served  # of two threads and one for a stream
    for _ in range(served.threads + served.subscribers_max + 1):
        watch = opened.health.Watch(ALL)
        assert next(watch).status == SERVING
        watch.cancel()
    assert opened.health.Check(ALL, timeout=10).status == SERVING
