"""Many calls from many threads, each judged, and the node's processes watched meanwhile."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from random import Random

import grpc

from node.api.guard import CODE_KEY
from tests.fuzz_api import raw
from tests.fuzz_api.calls import STREAM_ITEMS, Call, call, targets
from tests.fuzz_api.corpus import Corpus
from tests.fuzz_api.target import Victim, Vitals
from tests.fuzz_api.verdict import Answer, Finding, judge

WORKERS = 8
FINDINGS_MAX = 30  # who finds more has enough to look at
SAMPLES = 20  # of the vitals in one campaign
RAW_EVERY = 100  # calls to one connection of bytes that are no gRPC
MESSAGE_MAX = 64 << 20
DATA_TOLD_MAX = 4_000  # bytes of a request
OPTIONS = (
    ("grpc.max_send_message_length", MESSAGE_MAX),
    ("grpc.max_receive_message_length", MESSAGE_MAX),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),  # a connection of its own for each worker
)


@dataclass(slots=True)
class Tally:
    """What happened. Written by all workers, under `lock`."""

    calls: int = 0
    raw: int = 0
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)  # (method, code)
    headers: Counter[tuple[str, str]] = field(default_factory=Counter)  # (header, outcome)
    findings: list[str] = field(default_factory=list)
    vitals: list[Vitals] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def methods_without(self, is_wanted: Callable[[str], bool]) -> list[str]:
        """Methods that never gave an answer of the wanted kind."""
        had = {method for method, code in self.answers if is_wanted(code)}
        return sorted({target.name for target in targets()} - had)


def run(victim: Victim, corpus: Corpus, *, requests: int, seed: int) -> Tally:
    """`requests` calls, numbered from `seed` on."""
    tally = Tally()
    step = max(1, requests // SAMPLES)

    def work(first: int) -> None:
        with grpc.insecure_channel(victim.address, options=OPTIONS) as channel:
            for number in range(seed + first, seed + requests, WORKERS):
                if len(tally.findings) >= FINDINGS_MAX:
                    return
                _one(channel, call(number, corpus), corpus, tally)
                if number % RAW_EVERY == 0:
                    raw.send(Random(number), *victim.ports[number // RAW_EVERY % 2])
                    with tally.lock:
                        tally.raw += 1
                if (number - seed) % step == 0:
                    found = victim.vitals()
                    with tally.lock:
                        tally.vitals.append(found)

    with ThreadPoolExecutor(WORKERS) as threads:
        for done in [threads.submit(work, first) for first in range(WORKERS)]:
            done.result()
    tally.vitals.append(victim.vitals())
    return tally


def _one(channel: grpc.Channel, made: Call, corpus: Corpus, tally: Tally) -> None:
    answer = ask(channel, made)
    finding = ""
    try:
        judge(made, answer, corpus)
    except Finding as found:
        finding = f"{found}\n{_told(made, answer)}"
    with tally.lock:
        tally.calls += 1
        name = made.target.name if made.target is not None else "(none)"
        tally.answers[name, answer.refusal or answer.code.name] += 1
        tally.headers[made.header.wrong or made.header.caller or "none", _kind(answer)] += 1
        if finding:
            tally.findings.append(finding)


def _told(made: Call, answer: Answer) -> str:
    """What it takes to make the call again by hand."""
    return (
        f"  call {made.number} {made.path} {answer.code.name} after {answer.took_s:.1f} s\n"
        f"  header: {made.header.caller or 'none'} {made.header.wrong}\n"
        f"  metadata: {made.metadata}\n"
        f"  request: {made.data[:DATA_TOLD_MAX].hex()}"
    )


def _kind(answer: Answer) -> str:
    """What became of a call, as far as who called is concerned."""
    if answer.refusal.startswith("access."):
        return answer.refusal
    if answer.code is grpc.StatusCode.RESOURCE_EXHAUSTED and not answer.refusal:
        return "too large for gRPC"
    return "let in"


def ask(channel: grpc.Channel, made: Call) -> Answer:
    """What the node answers."""
    began = time.monotonic()
    replies: list[bytes] = []
    code, details, refusal = grpc.StatusCode.OK, "", ""
    try:
        for data in islice(_replies(channel, made), STREAM_ITEMS):
            replies.append(data)
    except grpc.RpcError as error:
        assert isinstance(error, grpc.Call)
        code, details = error.code(), error.details() or ""
        refusal = next(
            (str(value) for key, value in error.trailing_metadata() or () if key == CODE_KEY), ""
        )
    return Answer(code, details, refusal, tuple(replies), time.monotonic() - began)


def _replies(channel: grpc.Channel, made: Call) -> Iterator[bytes]:
    compression = grpc.Compression.Gzip if made.is_gzipped else grpc.Compression.NoCompression
    metadata, target = made.header.metadata + made.metadata, made.target
    if target is None or not (target.streams_requests or target.streams_responses):
        yield channel.unary_unary(made.path, bytes, bytes)(
            made.data, timeout=made.deadline_s, metadata=metadata, compression=compression
        )
        return
    if target.streams_requests:
        talk = channel.stream_stream(made.path, bytes, bytes)
        stream = talk(iter([made.data] * 2), timeout=made.deadline_s, metadata=metadata)
    else:
        follow = channel.unary_stream(made.path, bytes, bytes)
        stream = follow(made.data, timeout=made.deadline_s, metadata=metadata)
    try:
        yield from stream
    finally:
        stream.cancel()  # type: ignore[no-untyped-call]  # the stubs leave it bare
