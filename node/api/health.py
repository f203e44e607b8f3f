"""The health service, without a memory of who watches or of services that nobody serves.

gRPC's own keeps an entry for each name that was ever watched, and one for each watch whose client
was gone before it began, for good: anybody could fill a node's memory with them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Final

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from node import refusals
from node.api import guard
from node.refusals import Refusal

LOOK_S: Final = 1.0  # between two looks at whether who watches is still there


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # it has no stubs
    """Thread safe. All that is served is in one state; it serves nothing until it is told to."""

    def __init__(self, served: frozenset[str]) -> None:
        self._served = served
        self._changed = threading.Condition()
        self._is_serving = False

    def set(self, *, is_serving: bool) -> None:
        """Tell whoever asks, and those who watch."""
        with self._changed:
            self._is_serving = is_serving
            self._changed.notify_all()

    @guard.unary
    def Check(
        self, request: HealthCheckRequest, context: grpc.ServicerContext
    ) -> HealthCheckResponse:
        self._require_served(request.service)
        return _told(is_serving=self._is_serving)

    @guard.streaming
    def Watch(
        self, request: HealthCheckRequest, context: grpc.ServicerContext
    ) -> Iterator[HealthCheckResponse]:
        self._require_served(request.service)
        told = None
        while context.is_active():
            with self._changed:
                if self._is_serving == told:
                    self._changed.wait(LOOK_S)
                found = self._is_serving
            if found != told:
                told = found
                yield _told(is_serving=found)

    def _require_served(self, name: str) -> None:
        if name not in self._served:
            raise Refusal(refusals.NOT_FOUND, "no such service: ask for shuxin.v1.Node, or for all")


def _told(*, is_serving: bool) -> HealthCheckResponse:
    status = HealthCheckResponse.SERVING if is_serving else HealthCheckResponse.NOT_SERVING
    return HealthCheckResponse(status=status)
