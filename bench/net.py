"""`make bench-net`: links over TLS with SM2, SM3, SM4, beside Noise and plain TCP in the same run.

Two processes on loopback. Votes go there and back one after the other, alone and beside a block of
10 MB; blocks of 1 MiB go one way, eight under way at a time. The plain reference is what a socket
gives with the same framing: one connection for votes and one for blocks, no multiplexer.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe

import structlog
import trio

from bench import net_links
from bench.net_links import Ends, Sides

VOTE = bytes(200)
VOTES = 400  # there and back, per round
BLOCK = bytes(1 << 20)
BLOCKS = 48  # per round
UNDER_WAY = 8
LARGE = bytes(10_000_000)
ROUNDS = 5
DELAY_MAX_S = 0.005  # that a block of 10 MB may cost a vote beside it, at the median


@dataclass(slots=True)
class Row:
    """What was measured of one way to be linked; the ways took turns."""

    connect_s: list[float] = field(default_factory=list)
    vote_s: list[float] = field(default_factory=list)
    beside_s: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)  # bytes per second

    @property
    def delay_s(self) -> float:
        return statistics.median(self.beside_s) - statistics.median(self.vote_s)


def main() -> int:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    sides = net_links.make_sides()
    rows = {name: Row() for name in net_links.WAYS}
    for _ in range(ROUNDS):
        for name, row in rows.items():
            with answering(sides, name) as address:
                trio.run(measure, sides, name, address, row)
    print(render(rows))
    delay = rows[net_links.OURS].delay_s
    is_met = delay < DELAY_MAX_S
    print(
        f"{'ok  ' if is_met else 'MISS'} a vote beside a block of 10 MB is delayed by "
        f"{delay * 1000:.1f} ms at the median, at most {DELAY_MAX_S * 1000:.0f} ms"
    )
    return 0 if is_met else 1


async def measure(sides: Sides, name: str, address: str, row: Row) -> None:
    """One round."""
    began = time.perf_counter()
    async with net_links.dialing(sides, name, address) as ends:
        await there_and_back(ends)
        row.connect_s.append(time.perf_counter() - began)
        for _ in range(50):  # warm
            await there_and_back(ends)
        row.vote_s += [await there_and_back(ends) for _ in range(VOTES)]
        row.rates.append(await stream_blocks(ends))
        row.beside_s += await votes_beside_a_block(ends)


async def there_and_back(ends: Ends) -> float:
    began = time.perf_counter()
    await ends.send_vote(VOTE)
    while await ends.receive_vote() != VOTE:
        pass  # the receipt of a block
    return time.perf_counter() - began


async def stream_blocks(ends: Ends) -> float:
    """Bytes per second."""
    began = time.perf_counter()
    for sent in range(BLOCKS + UNDER_WAY):
        if sent >= UNDER_WAY:
            assert await ends.receive_vote() == net_links.RECEIPT
        if sent < BLOCKS:
            await ends.send_block(BLOCK)
    return BLOCKS * len(BLOCK) / (time.perf_counter() - began)


async def votes_beside_a_block(ends: Ends) -> list[float]:
    """What votes took while blocks of 10 MB were under way, each sent and received whole."""
    found: list[float] = []
    for _ in range(3):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ends.send_block, LARGE)
            is_through = False
            while not is_through:
                began = time.perf_counter()
                await ends.send_vote(VOTE)
                while (answer := await ends.receive_vote()) != VOTE:
                    is_through |= answer == net_links.RECEIPT
                if not is_through:
                    found.append(time.perf_counter() - began)
    return found


@contextmanager
def answering(sides: Sides, name: str) -> Iterator[str]:
    """Another process that sends votes back and gives receipts for blocks; yields its address."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_answer, args=(sides, name, theirs), daemon=True)
    process.start()
    try:
        yield str(ours.recv_bytes().decode())
    finally:
        process.kill()
        process.join()


def _answer(sides: Sides, name: str, pipe: Pipe) -> None:
    def tell(address: str) -> None:
        pipe.send_bytes(address.encode())

    trio.run(net_links.answer, sides, name, tell)


def render(rows: dict[str, Row]) -> str:
    """Markdown, as it goes into docs/benchmarks.md."""
    kernel = platform.release().split("-")[0]
    lines = [
        f"Machine: {os.cpu_count()} cores, {platform.machine()}, Linux {kernel}, "
        f"Python {platform.python_version()}; load {os.getloadavg()[0]:.1f}; two processes.",
        "",
        f"| medians of {ROUNDS} rounds | vote there and back, µs | 99th percentile | blocks, MB/s "
        "| vote beside 10 MB, µs | delayed by, ms | first vote after, ms |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        votes = sorted(row.vote_s)
        lines.append(
            f"| {name} | {statistics.median(votes) * 1e6:,.0f} "
            f"| {votes[int(len(votes) * 0.99)] * 1e6:,.0f} "
            f"| {statistics.median(row.rates) / 1e6:,.0f} "
            f"| {statistics.median(row.beside_s) * 1e6:,.0f} | {row.delay_s * 1000:.1f} "
            f"| {statistics.median(row.connect_s) * 1000:.0f} |"
        )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
