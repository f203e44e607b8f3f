"""The gRPC server: limits, health and reflection around the service."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from node.api.access import Access, Judge
from node.api.arrivals import Arrivals
from node.api.backend import Backend
from node.api.health import Health
from node.api.levels import LEVELS, Level
from node.api.nonces import Nonces
from node.api.policy import AccessPolicy
from node.api.porter import Porter
from node.api.service import NodeService
from node.api.standing import Standings
from shuxin.v1 import node_pb2, node_pb2_grpc

# Bytes: twice a block of the genesis defaults. Each call under way may hold as much in memory.
RECEIVE_SIZE_MAX = 8 << 20
SEND_SIZE_MAX = 32 << 20  # bytes: the largest answer is a block with its receipts
CONCURRENT_CALLS_MAX = 256  # beyond this gRPC answers RESOURCE_EXHAUSTED without our code
STOP_GRACE_S = 1.0
SERVICE = node_pb2.DESCRIPTOR.services_by_name["Node"].full_name


class ListenFailed(Exception):
    """The API address cannot be bound."""


class ApiServer:
    """Starts on construction's `start`, stops with `stop`; threads are gRPC's own."""

    def __init__(
        self,
        backend: Backend,
        *,
        listen: str,
        porter: Porter,
        credentials: grpc.ServerCredentials | None = None,
        policy: AccessPolicy | None = None,
        levels: Mapping[str, frozenset[Level]] = LEVELS,
    ) -> None:
        """Without `credentials` calls come in plain. `levels` says who may call which method, and
        `policy` who of them may not here."""
        threads = backend.threads + backend.subscribers_max
        judge = Judge(
            chain_id=backend.rules.chain_id,
            verify=backend.provider.verify,
            standings=Standings(backend.store, backend.provider.public_key),
            nonces=Nonces(),
            levels=levels,
            policy=policy or AccessPolicy(),
        )
        arrivals = Arrivals(threads, time.monotonic)
        self._ending = threading.Event()
        self._watcher = threading.Thread(
            target=arrivals.watch, args=(self._ending,), name="api-arrivals", daemon=True
        )
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="api")
        self._server = grpc.server(
            self._threads,
            interceptors=[Access(judge, porter, arrivals)],
            maximum_concurrent_rpcs=CONCURRENT_CALLS_MAX,
            options=[
                ("grpc.so_reuseport", 0),  # a second node on the port must fail, not share it
                ("grpc.max_receive_message_length", RECEIVE_SIZE_MAX),
                ("grpc.max_send_message_length", SEND_SIZE_MAX),
                ("grpc.max_connection_idle_ms", 600_000),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
            ],
        )
        node_pb2_grpc.add_NodeServicer_to_server(NodeService(backend), self._server)
        self._health = Health(frozenset({"", SERVICE}))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server
        )
        self._listen = listen
        self._credentials = credentials
        self.port = 0

    def start(self) -> None:
        """Raises ListenFailed."""
        try:
            if self._credentials is None:
                self.port = self._server.add_insecure_port(self._listen)
            else:
                self.port = self._server.add_secure_port(self._listen, self._credentials)
        except RuntimeError:
            raise ListenFailed(
                f"cannot listen on {self._listen} for clients; is another node running there?"
            ) from None
        self._server.start()
        self._watcher.start()
        self._health.set(is_serving=True)

    def show_halted(self) -> None:
        """Tell whoever asks for health to send clients elsewhere; reads are still answered."""
        self._health.set(is_serving=False)

    def stop(self) -> None:
        """Refuse new calls, let running ones end for a moment; blocks.

        On return no thread of ours is in a method any more, so that the ledger may be closed.
        """
        self._health.set(is_serving=False)
        self._server.stop(STOP_GRACE_S).wait()
        self._threads.shutdown(cancel_futures=True)
        self._ending.set()
        if self._watcher.is_alive():
            self._watcher.join()
