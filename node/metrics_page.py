"""The smallest HTTP server that a Prometheus needs: GET /metrics, one visitor at a time.

A thread of its own. Whoever connects gets a deadline and one small request; what takes longer or
says more is hung up on, so that nobody can hold memory or threads of the node.
"""

from __future__ import annotations

import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable

import structlog

from node.complaints import Complaints
from node.hosts import is_loopback

HEAD_SIZE_MAX = 8 << 10  # bytes of a request; Prometheus sends a few hundred
VISIT_S = 2.0  # from connecting to the last byte: a page takes milliseconds on one machine
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_log = structlog.get_logger("node.metrics")
_complaints = Complaints("node.metrics")


class PageFailed(Exception):
    """The metrics address cannot be bound."""


class MetricsPage:
    """Shows what `render` returns; starts with `start`, ends with `stop`."""

    def __init__(self, render: Callable[[], bytes], *, listen: str | None) -> None:
        """`listen` is host:port; None for a node that shows nothing."""
        self._render = render
        self._listen = listen
        self._server: socketserver.TCPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        assert self._server is not None, "started"
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Raises PageFailed."""
        if self._listen is None:
            return
        host, _, port = self._listen.rpartition(":")
        host = host.strip("[]")
        try:
            self._server = _server(host, int(port), self._render)
        except OSError as error:
            raise PageFailed(
                f"cannot listen on {self._listen} for metrics ({error.strerror}): choose another "
                "address in [metrics] listen, or remove the line"
            ) from None
        if not is_loopback(self._listen):
            _log.warning(
                "metrics_exposed", listen=self._listen, advice="let only your monitoring reach it"
            )
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.2,), name="metrics", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Blocks until the visit under way, if any, is over; harmless before `start`."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _server(host: str, port: int, render: Callable[[], bytes]) -> socketserver.TCPServer:
    class Visit(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            _serve(self.request, render)

    class Server(socketserver.TCPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        allow_reuse_address = True

        def handle_error(self, request: object, client_address: object) -> None:
            # A visitor that hung up, or a figure that could not be read: neither may end the page.
            reason = type(sys.exception()).__name__
            _complaints.complain("visit_failed", peer="visitor", reason=reason)

    return Server((host, port), Visit)


def _serve(visitor: socket.socket, render: Callable[[], bytes]) -> None:
    deadline = time.monotonic() + VISIT_S
    head = _head(visitor, deadline)
    if head is None:
        return
    status, body = _answer(head, render)
    lines = (
        f"HTTP/1.1 {status}",
        f"Content-Type: {CONTENT_TYPE}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    visitor.settimeout(max(0.01, deadline - time.monotonic()))
    visitor.sendall("\r\n".join((*lines, "", "")).encode() + body)


def _head(visitor: socket.socket, deadline: float) -> bytes | None:
    """The request without its body; None for one that is too slow, too long or cut off."""
    head = b""
    while b"\r\n\r\n" not in head:
        left_s = deadline - time.monotonic()
        if left_s <= 0 or len(head) > HEAD_SIZE_MAX:
            return None
        visitor.settimeout(left_s)
        try:
            more = visitor.recv(HEAD_SIZE_MAX)
        except OSError:
            return None
        if not more:
            return None
        head += more
    return head


def _answer(head: bytes, render: Callable[[], bytes]) -> tuple[str, bytes]:
    method, _, rest = head.split(b"\r\n", 1)[0].partition(b" ")
    if method != b"GET":
        return "405 Method Not Allowed", b"only GET\n"
    if rest.split(b" ")[0].split(b"?")[0] != b"/metrics":
        return "404 Not Found", b"see /metrics\n"
    return "200 OK", render()
