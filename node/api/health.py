"""The health service, without a memory for the names of services that nobody serves."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import grpc
from grpc_health.v1 import health, health_pb2


class Health(health.HealthServicer):
    """gRPC's own keeps an entry for each name that was ever watched, for good: anybody could fill a
    node's memory with names of megabytes."""

    def __init__(self, served: frozenset[str]) -> None:
        super().__init__()
        self._served = served

    def Watch(
        self,
        request: health_pb2.HealthCheckRequest,
        context: grpc.ServicerContext,
        send_response_callback: Callable[[health_pb2.HealthCheckResponse], None] | None = None,
    ) -> Iterator[health_pb2.HealthCheckResponse]:
        """Of a service that is served; others are unknown, as `Check` says."""
        if request.service not in self._served:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
        found: Iterator[health_pb2.HealthCheckResponse] = super().Watch(
            request, context, send_response_callback
        )
        return found
