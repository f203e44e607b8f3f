"""`make bench-access`: what one client waits while another asks as much as it can.

A node of a network, one modest client (a call, a pause, a call), and beside it nobody, a greedy
client that comes again when it is told to, or a rude one that does not listen. Then the same two
without quotas, to show what these are good for. Clients are processes of their own; so on two cores
the greedy one also takes what the node and the modest one would have.
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path

import grpc
from google.protobuf.empty_pb2 import Empty

from bench.quotas import lift
from cli import netfiles, supervisor
from client.account import Account
from client.errors import ClientError, Refused
from client.node import NodeClient
from client.signing import SERVICE, signed

NODES = 4  # the least; three of them only order
CALLS = 150  # of the modest client
PAUSE_S = 0.02
THREADS = 32  # of the greedy client
OUTSTANDING = 64  # calls of the rude one
READY_S = 90.0
METHOD = SERVICE + "GetStatus"  # its request has no bytes
# The median of the modest client's calls beside a greedy one, in multiples of alone. The greedy one
# gets less than half of the node; the rest is what its processes take of two cores.
FACTOR_MAX = 3.0
RUDE_FACTOR_MAX = 5.0  # each refusal costs gRPC's own work, before anything of ours can say no


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds that the modest client's calls took; and calls a second of the other one."""

    median: float
    slow: float  # the 99th of a hundred
    others_rate: float


@dataclass(frozen=True, slots=True)
class Who:
    target: str
    key: Path
    passphrase: bytes

    def account(self) -> Account:
        return Account.load(self.key, self.passphrase)


def greedy(who: Who, ending: Event, served: multiprocessing.queues.SimpleQueue[int]) -> None:
    """As many calls as the node takes, each thread coming again when it is told to."""
    counts = [0] * THREADS

    def ask(place: int, node: NodeClient) -> None:
        while not ending.is_set():
            with suppress(Refused):
                node.status()
                counts[place] += 1

    with NodeClient(who.target, caller=who.account()) as node:
        threads = [threading.Thread(target=ask, args=(place, node)) for place in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    served.put(sum(counts))


def rude(who: Who, ending: Event, served: multiprocessing.queues.SimpleQueue[int]) -> None:
    """As many calls as fit, whatever the node says."""
    account, request = who.account(), Empty()
    places = threading.Semaphore(OUTSTANDING)
    count = 0

    def done(call: grpc.Future[bytes]) -> None:
        nonlocal count
        places.release()
        count += call.exception() is None

    with NodeClient(who.target) as node:
        chain_id = node.chain_id
    with grpc.insecure_channel(who.target) as channel:
        ask = channel.unary_unary(METHOD, request_serializer=bytes, response_deserializer=bytes)
        while not ending.is_set():
            places.acquire()
            metadata = signed(account, request, method=METHOD, chain_id=chain_id)
            ask.future(b"", timeout=10, metadata=metadata).add_done_callback(done)
        for _ in range(OUTSTANDING):
            places.acquire()
    served.put(count)


def modest(who: Who) -> tuple[float, float]:
    """Median and 99th of a hundred of its calls, in milliseconds."""
    times = []
    with NodeClient(who.target, caller=who.account()) as node:
        node.status()
        for _ in range(CALLS):
            began = time.perf_counter()
            node.status()
            times.append((time.perf_counter() - began) * 1000)
            time.sleep(PAUSE_S)
    return statistics.median(times), statistics.quantiles(times, n=100)[98]


def beside(who: Who, other: Who, what: str) -> Times:
    """The modest client's times beside `greedy`, `rude` or nobody."""
    if what == "nobody":
        return Times(*modest(who), 0.0)
    context = multiprocessing.get_context("spawn")
    ending, served = context.Event(), context.SimpleQueue()
    work = greedy if what == "greedy" else rude
    process = context.Process(target=work, args=(other, ending, served))
    process.start()
    time.sleep(5.0)  # its start and the bursts of its buckets
    began = time.monotonic()
    try:
        found = modest(who)
    finally:
        passed = time.monotonic() - began + 5.0
        ending.set()
        count = served.get()
        process.join()
    return Times(*found, count / passed)


@contextmanager
def node(root: Path, *, has_quotas: bool) -> Iterator[tuple[Who, Who]]:
    """The first node of a network, and two members that ask it."""
    plan = netfiles.create(root, nodes=NODES, port_base=0, executors=False)
    if not has_quotas:
        lift(root)
    supervisor.start_detached(root, netfiles.programs(root, plan))
    try:
        target = plan.nodes[0].api
        _await(target)
        parties = [path for path in sorted(root.glob("parties/*/keys/*.pem")) if path.is_file()]
        keys = [path for path in parties if path.stem == path.parent.parent.name][:2]
        first, second = (
            Who(target, path, (path.parent / "passphrase").read_bytes().strip()) for path in keys
        )
        yield first, second
    finally:
        supervisor.stop(root)


def _await(target: str) -> None:
    deadline = time.monotonic() + READY_S
    while True:
        with suppress(ClientError), NodeClient(target, timeout_s=3) as node:
            node.genesis()
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"the node at {target} does not start; see its log")
        time.sleep(0.3)


def main() -> int:
    """Print the table; 1 where a bound does not hold."""
    rows: dict[tuple[bool, str], Times] = {}
    for has_quotas in (True, False):
        with (
            tempfile.TemporaryDirectory() as folder,
            node(Path(folder) / "net", has_quotas=has_quotas) as (who, other),
        ):
            for what in ("nobody", "greedy", "rude"):
                rows[has_quotas, what] = beside(who, other, what)
    alone = rows[True, "nobody"].median
    print("quotas  beside   median ms   p99 ms   factor   other's answers/s")
    for (has_quotas, what), found in rows.items():
        named = "yes" if has_quotas else "no"
        print(
            f"{named:6}  {what:7}  {found.median:9.2f}  {found.slow:7.1f}  "
            f"{found.median / alone:7.1f}  {found.others_rate:10.0f}"
        )
    factors = {what: rows[True, what].median / alone for what in ("greedy", "rude")}
    holds = factors["greedy"] <= FACTOR_MAX and factors["rude"] <= RUDE_FACTOR_MAX
    print(f"bounds: greedy {FACTOR_MAX}, rude {RUDE_FACTOR_MAX}: {'held' if holds else 'BROKEN'}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
