"""One call: a method, the bytes of a request, metadata, and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from random import Random

from google.protobuf.descriptor import Descriptor, MethodDescriptor, ServiceDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from shuxin.v1 import node_pb2
from tests.fuzz_api import messages, wire
from tests.fuzz_api.corpus import Corpus
from tests.fuzz_api.headers import Header, Metadata, header

HANG_S = 30.0  # no call may take so long, on a machine as busy as this one
PATIENCE_S = 0.25  # with calls that wait because they are asked to
STREAM_ITEMS = 20  # of an answer that has no end
OVERSIZED = (8 << 20) + 1  # bytes: more than a node takes
METADATA_SIZES = (0, 1, 100, 4_000)  # bytes: gRPC itself refuses 8 KB
UNKNOWN = ("/shuxin.v1.Node/Nothing", "/shuxin.v1.Node/", "/nothing.Here/GetStatus", "/", "/../..")


@dataclass(frozen=True, slots=True)
class Target:
    """A method as the descriptors have it."""

    path: str
    request: Descriptor
    response: Descriptor
    streams_requests: bool
    streams_responses: bool

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Call:
    number: int  # what it depends on
    target: Target | None  # None: there is no such method
    path: str
    data: bytes
    header: Header
    metadata: Metadata  # beside the header
    deadline_s: float
    is_gzipped: bool

    @property
    def may_wait(self) -> bool:
        return self.deadline_s == PATIENCE_S


@cache
def targets() -> tuple[Target, ...]:
    """Every method that a node serves."""
    services: list[ServiceDescriptor] = [
        *node_pb2.DESCRIPTOR.services_by_name.values(),
        *health_pb2.DESCRIPTOR.services_by_name.values(),
        *reflection_pb2.DESCRIPTOR.services_by_name.values(),
    ]
    return tuple(_target(service, method) for service in services for method in service.methods)


def _target(service: ServiceDescriptor, method: MethodDescriptor) -> Target:
    return Target(
        path=f"/{service.full_name}/{method.name}",
        request=method.input_type,
        response=method.output_type,
        streams_requests=method.client_streaming,
        streams_responses=method.server_streaming,
    )


def call(number: int, corpus: Corpus) -> Call:
    """The call of a number: everything in it is drawn, only the corpus is of this chain."""
    return drawn(Random(number), corpus, number=number)


def drawn(random: Random, corpus: Corpus, *, number: int = 0) -> Call:
    target = random.choice(targets())
    data = messages.message(random, corpus, target.request).SerializeToString()
    kind = random.randrange(1_000)
    if kind < 250:
        data = wire.damaged(random, data)
    elif kind < 253:
        data = data + wire.varint(15 << 3 | 2) + wire.varint(OVERSIZED) + bytes(OVERSIZED)
    is_known = kind < 980
    waits = target.streams_responses or target.name == "WaitReceipt"
    path = target.path if is_known else random.choice(UNKNOWN)
    covered = b"" if target.streams_requests or not is_known else data
    return Call(
        number=number,
        target=target if is_known else None,
        path=path,
        data=data,
        header=header(random, corpus, path, covered),
        metadata=_metadata(random),
        deadline_s=PATIENCE_S if waits and is_known else HANG_S,
        is_gzipped=random.randrange(20) == 0,
    )


def _metadata(random: Random) -> Metadata:
    """What a client may send beside a request, and a node need not look at."""
    if random.randrange(5):
        return ()
    items: list[tuple[str, str | bytes]] = []
    for _ in range(random.randrange(4)):
        size = random.choice(METADATA_SIZES)
        if random.randrange(2):
            items.append((f"x-{random.randrange(10)}-bin", random.randbytes(size)))
        else:
            text = "".join(chr(random.randrange(32, 127)) for _ in range(size))
            items.append((random.choice(("x-any", "shuxin-code", "user-agent2")), text.strip()))
    return tuple(items)
