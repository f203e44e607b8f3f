"""A man in the middle between a client and a node, who alters what the node answers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from ledger.access import HEADER_KEY
from shuxin.v1 import node_pb2 as pb

REPLIES: dict[str, type[Message]] = {
    "WaitReceipt": pb.TransactionReply,
    "GetTransaction": pb.TransactionReply,
    "GetBlock": pb.BlockReply,
    "GetState": pb.StateReply,
    "GetStates": pb.StatesReply,
    "GetGenesis": pb.GenesisReply,
    "GetCommittees": pb.CommitteesReply,
    "GetStatus": pb.StatusReply,
    "View": pb.ViewReply,
    "FollowEvents": pb.EventItem,
}
OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]

Alter = Callable[[Message], Message | bytes]


@dataclass
class Middle:
    """`lies` are by method; `seen` is the last true answer to each, `asked` how often it came."""

    target: str = ""
    lies: dict[str, Alter] = field(default_factory=dict)
    seen: dict[str, Message] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def altered(self, method: str, data: bytes) -> bytes:
        kind = REPLIES.get(method)
        if kind is None:
            return data
        message = kind()
        message.ParseFromString(data)
        self.seen[method] = message
        lie = self.lies.get(method)
        if lie is None:
            return data
        told = lie(copy.deepcopy(message))
        return told if isinstance(told, bytes) else told.SerializeToString()


class _Forward(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # takes none when it runs
    def __init__(self, channel: grpc.Channel, middle: Middle) -> None:
        self._channel = channel
        self._middle = middle

    def service(
        self, details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        path = details.method
        method = path.rpartition("/")[2]

        def unary(request: bytes, context: grpc.ServicerContext) -> bytes:
            self._middle.asked.append(method)
            try:
                ask = self._channel.unary_unary(path, bytes, bytes)
                reply = ask(request, timeout=30, metadata=_header(context))
            except grpc.RpcError as error:
                _pass_on(error, context)
            return self._middle.altered(method, reply)

        def stream(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
            self._middle.asked.append(method)
            ask = self._channel.unary_stream(path, bytes, bytes)
            call = ask(request, metadata=_header(context))
            context.add_callback(call.cancel)
            try:
                for reply in call:
                    yield self._middle.altered(method, reply)
            except grpc.RpcError as error:
                _pass_on(error, context)

        if method == "FollowEvents":
            return grpc.unary_stream_rpc_method_handler(stream)
        return grpc.unary_unary_rpc_method_handler(unary)


def _header(context: grpc.ServicerContext) -> tuple[tuple[str, str | bytes], ...]:
    """By which the node knows the client: requests pass as they are."""
    return tuple(pair for pair in context.invocation_metadata() or () if pair[0] == HEADER_KEY)


def _pass_on(error: grpc.RpcError, context: grpc.ServicerContext) -> None:
    assert isinstance(error, grpc.Call)
    context.set_trailing_metadata(tuple(error.trailing_metadata() or ()))
    context.abort(error.code(), error.details() or "")


@contextmanager
def between(target: str) -> Iterator[Middle]:
    """Listens at `middle.target` and forwards to the node at `target`."""
    middle = Middle()
    with (
        grpc.insecure_channel(target, options=OPTIONS) as channel,
        ThreadPoolExecutor(max_workers=8) as threads,
    ):
        server = grpc.server(threads, handlers=[_Forward(channel, middle)], options=OPTIONS)
        middle.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield middle
        finally:
            server.stop(grace=0).wait()


# --- lies -----------------------------------------------------------------------------------


def lies_about(message: Message) -> Iterator[tuple[str, Message]]:
    """(what was altered, the message with it), for each field that is set, also of its parts."""
    for descriptor, value in message.ListFields():
        name = descriptor.name
        if _is_repeated(descriptor):
            yield from _lies_in_list(message, name, list(value))
        elif descriptor.type == FieldDescriptor.TYPE_MESSAGE:
            for what, part in lies_about(value):
                changed = copy.deepcopy(message)
                getattr(changed, name).CopyFrom(part)
                yield f"{name}.{what}", changed
        else:
            for what, other in _other_values(value):
                changed = copy.deepcopy(message)
                setattr(changed, name, other)
                yield f"{name} {what}", changed


def _lies_in_list(
    message: Message, name: str, values: list[object]
) -> Iterator[tuple[str, Message]]:
    def with_list(items: list[object]) -> Message:
        changed = copy.deepcopy(message)
        changed.ClearField(name)
        getattr(changed, name).extend(items)
        return changed

    yield f"{name} without the last", with_list(values[:-1])
    yield f"{name} with the last twice", with_list([*values, values[-1]])
    first, *rest = values
    if isinstance(first, Message):
        for what, part in lies_about(first):
            yield f"{name}[0].{what}", with_list([part, *rest])
    else:
        for what, other in _other_values(first):
            yield f"{name}[0] {what}", with_list([other, *rest])


def _other_values(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, bool):
        yield "the other", not value
    elif isinstance(value, int):
        yield "one more", value + 1
        yield "one less", max(0, value - 1)
    elif isinstance(value, bytes):
        for place in sorted({0, len(value) // 3, len(value) // 2, len(value) - 1}):
            yield f"with byte {place} flipped", flipped(value, place)
        yield "cut short", value[:-1]
        yield "longer", value + b"\0"
        yield "empty", b""


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def _is_repeated(descriptor: FieldDescriptor) -> bool:
    return bool(descriptor.is_repeated)
