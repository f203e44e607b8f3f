"""Who calls, and may they: asked before a byte of a request is parsed (8.1.2, 8.1.7; ADR 34).

Every method of every service passes `Access`. A header is optional where the public may call, but
one that does not hold is refused everywhere: whoever sent it believes to be somebody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import grpc
from google.protobuf.message import DecodeError as MessageDecodeError

from crypto.errors import CryptoError
from ledger.access import (
    HEADER_KEY,
    TAG_ACCESS,
    WINDOW_MS,
    AccessClaim,
    decode_header,
    request_digest,
)
from ledger.errors import DecodeError
from ledger.model import Address, address_of
from node import refusals
from node.api import guard
from node.api.arrivals import Arrivals
from node.api.levels import LEVELS, Level
from node.api.nonces import Nonces
from node.api.policy import AccessPolicy
from node.api.porter import FAULT, Passage, Porter
from node.refusals import Refusal

if TYPE_CHECKING:
    _Handler = grpc.RpcMethodHandler[object, object]
    _Interceptor = grpc.ServerInterceptor[object, object]
else:
    _Interceptor = grpc.ServerInterceptor  # is generic in its stubs alone

ANONYMOUS_LEVELS = frozenset({Level.PUBLIC})
RENEWAL_MS = 1_000  # after which the caller of a stream is judged again: about a block


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call. `address` and `public_key` are empty for who sent no header.

    `certificate` is the fingerprint that the header names, or empty; `peer` the host, or "local".
    """

    address: str
    public_key: bytes
    levels: frozenset[Level]
    certificate: bytes
    peer: str

    @property
    def is_anonymous(self) -> bool:
        return not self.address


class LevelsOf(Protocol):
    """What the chain makes of an account, now. Thread safe."""

    def levels(self, address: Address, certificate: bytes) -> frozenset[Level]:
        """By one of its certificates alone, if its fingerprint is given. Raises Refusal."""
        ...


_caller: ContextVar[Caller] = ContextVar("caller")
_passage: ContextVar[Passage] = ContextVar("passage")


def caller() -> Caller:
    """Who makes the call that this thread answers."""
    return _caller.get()


def drawing() -> Callable[[int], int]:
    """Charges the call that this thread answers with more units; says for how many milliseconds it
    has to rest then."""
    return _passage.get().draw


def wall_ms() -> int:
    """The machine's clock, which headers are compared with; Unix milliseconds."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


@dataclass(slots=True, kw_only=True)
class Judge:
    """Judges headers and levels; knows no gRPC. Thread safe."""

    chain_id: bytes
    verify: Callable[[bytes, bytes, bytes], None]  # key, message, signature; raises CryptoError
    standings: LevelsOf
    nonces: Nonces
    levels: Mapping[str, frozenset[Level]] = field(default_factory=lambda: LEVELS)  # by method
    policy: AccessPolicy = field(default_factory=AccessPolicy)  # of this node: lets in fewer
    wall_ms: Callable[[], int] = wall_ms
    monotonic_ms: Callable[[], int] = monotonic_ms

    def admit(
        self,
        method: str,
        request: bytes,
        *,
        header: bytes | None,
        peer: str,
        meet: Callable[[Caller], None] = lambda found: None,
    ) -> Caller:
        """The caller, who may call the method; `meet` hears of one who may not, too.

        Raises Refusal.
        """
        if method not in self.levels:
            raise Refusal(refusals.ACCESS_METHOD, f"{method} has no level, and so no callers")
        if header is None:
            found = Caller("", b"", ANONYMOUS_LEVELS, b"", peer)
        else:
            found = self._signer(method, request, header, peer)
        meet(found)
        self.check(found, method)
        return found

    def check(self, found: Caller, method: str) -> None:
        """Whether a caller has a level of the method, here as well. Raises Refusal."""
        allowed = self.levels[method]
        if found.levels & allowed:
            if self.policy.lets_in(method, found.levels):
                return
            allowed = self.policy.methods[method]
        name = method.rpartition("/")[2]
        wanted = " or ".join(level.value for level in Level if level in allowed) or "nobody"
        if found.is_anonymous:
            raise Refusal(
                refusals.ACCESS_MISSING,
                f"{name} is for {wanted} alone and this request is not signed: name a key "
                "(--key, SHUXIN_KEY or client.toml)",
            )
        raise Refusal(
            refusals.ACCESS_LEVEL,
            f"{name} is for {wanted} alone, and {found.address} is "
            f"{', '.join(level.value for level in Level if level in found.levels)} here: have its "
            "party register the account, use another key, or ask a node that is open to it",
        )

    def renewed(self, found: Caller, method: str) -> None:
        """Judge a caller again whose call goes on. Raises Refusal."""
        if not found.is_anonymous:
            self.check(self._with_levels(found), method)

    def _with_levels(self, found: Caller) -> Caller:
        levels = self._levels(Address(found.address), found.certificate)
        return Caller(found.address, found.public_key, levels, found.certificate, found.peer)

    def _levels(self, address: Address, certificate: bytes) -> frozenset[Level]:
        """What the chain makes of an account, unless this node denies it."""
        if address in self.policy.denied:
            return ANONYMOUS_LEVELS
        return self.standings.levels(address, certificate)

    def _signer(self, method: str, request: bytes, data: bytes, peer: str) -> Caller:
        claim = self._claim(method, request, data)
        address = address_of(claim.public_key)
        levels = self._levels(address, claim.certificate)
        self.nonces.take(
            claim.nonce,
            holder=address if levels != ANONYMOUS_LEVELS else "",
            public_key=claim.public_key,
            at_ms=self.monotonic_ms(),
        )
        return Caller(address, claim.public_key, levels, claim.certificate, peer)

    def _claim(self, method: str, request: bytes, data: bytes) -> AccessClaim:
        """What a header says, proved by its signature. What is cheap to see is looked at first."""
        try:
            header, claim = decode_header(data)
        except DecodeError as error:
            raise Refusal(refusals.ACCESS_HEADER, f"{error}: use this node's release") from None
        if claim.chain_id != self.chain_id:
            raise Refusal(
                refusals.ACCESS_CHAIN, "the header was made for another chain: check the network"
            )
        if claim.method != method:
            raise Refusal(refusals.ACCESS_HEADER, "the header was made for another method")
        if abs(claim.time_ms - self.wall_ms()) > WINDOW_MS:
            raise Refusal(
                refusals.ACCESS_TIME,
                f"signed more than {WINDOW_MS // 1000} s away from this node's clock: set the "
                "clock (NTP) and sign anew",
            )
        if claim.digest != request_digest(request):
            raise Refusal(refusals.ACCESS_BODY, "the header was made for another request")
        try:
            self.verify(claim.public_key, TAG_ACCESS + header.body, header.signature)
        except CryptoError as error:
            raise Refusal(
                refusals.ACCESS_SIGNATURE, f"the header's signature does not hold: {error}"
            ) from None
        return claim


class Access(_Interceptor):
    """Puts a Judge and a Porter before every method of a server."""

    def __init__(self, judge: Judge, porter: Porter, arrivals: Arrivals) -> None:
        self._judge = judge
        self._porter = porter
        self._arrivals = arrivals

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], _Handler | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler | None:
        method = handler_call_details.method
        if method not in self._judge.levels:
            return grpc.stream_stream_rpc_method_handler(self._refusing(method))
        handler = continuation(handler_call_details)
        return None if handler is None else self._guarded(handler, method)

    def _refusing(
        self, method: str
    ) -> Callable[[Iterator[object], grpc.ServicerContext], Iterator[object]]:
        """For a method that nobody may call: not a byte of it is read."""

        def refuse(requests: Iterator[object], context: grpc.ServicerContext) -> Iterator[object]:
            with self._passing(method, b"", context, is_stream=True):
                yield b""

        return refuse

    def _guarded(self, handler: _Handler, method: str) -> _Handler:
        """As streams of requests, also where there is one: gRPC waits for that without an end."""
        parse = handler.request_deserializer or bytes
        if (answer := handler.unary_unary) is not None:

            def once(requests: Iterator[object], context: grpc.ServicerContext) -> object:
                raw = self._arrivals.first(requests, context)
                with self._passing(method, raw, context, is_stream=False):
                    found = answer(_parse(method, parse, raw, context), context)
                return found

            return grpc.stream_unary_rpc_method_handler(
                once, response_serializer=handler.response_serializer
            )
        if (answers := handler.unary_stream) is not None:

            def stream(
                requests: Iterator[object], context: grpc.ServicerContext
            ) -> Iterator[object]:
                raw = self._arrivals.first(requests, context)
                with self._passing(method, raw, context, is_stream=True):
                    request = _parse(method, parse, raw, context)
                    yield from self._watched(answers(request, context), method, context)

            return grpc.stream_stream_rpc_method_handler(
                stream, response_serializer=handler.response_serializer
            )
        both = handler.stream_stream
        assert both is not None, f"{method}: no service of ours takes a stream and answers once"

        def talk(requests: Iterator[object], context: grpc.ServicerContext) -> Iterator[object]:
            with self._passing(method, b"", context, is_stream=True):
                parsed = (_parse(method, parse, raw, context) for raw in requests)
                yield from self._watched(both(parsed, context), method, context)

        return grpc.stream_stream_rpc_method_handler(
            talk, response_serializer=handler.response_serializer
        )

    @contextmanager
    def _passing(
        self, method: str, raw: object, context: grpc.ServicerContext, *, is_stream: bool
    ) -> Iterator[None]:
        """Inside, the caller is known and may call; afterwards the call is on record.

        `raw` is None for a call that ends without a request.
        """
        digested = _bytes_of(raw)
        passage = self._porter.passage(
            method,
            request_digest(digested),
            size=len(digested),
            peer=host_of(context.peer()),
            is_stream=is_stream,
        )
        try:
            self._admit(passage, method, digested, context)
            yield
        except Exception:
            with suppress(Refusal):  # the caller was told already why there is no answer
                passage.leave(guard.code_of(context) or FAULT)
            raise
        except GeneratorExit:  # a stream that its client has left
            with suppress(Refusal):
                passage.leave("")
            raise
        try:
            passage.leave("")
        except Refusal as refusal:
            guard.refuse(context, method, refusal)

    def _admit(
        self, passage: Passage, method: str, raw: bytes, context: grpc.ServicerContext
    ) -> None:
        """Make the caller known, who may call the method; ends the call otherwise."""
        try:
            header = _header(context)
            passage.knock(header)
            try:
                found = self._judge.admit(
                    method,
                    raw,
                    header=header,
                    peer=host_of(context.peer()),
                    meet=lambda who: passage.name(who.address, who.certificate, who.levels),
                )
            except Refusal:
                passage.spoil()
                raise
            passage.enter()
        except Exception as error:
            guard.refuse(context, method, error)
        _caller.set(found)
        _passage.set(passage)

    def _watched(
        self, answers: Iterator[object], method: str, context: grpc.ServicerContext
    ) -> Iterator[object]:
        """A stream lasts: who loses the level while it does loses the stream."""
        found = caller()
        judged_ms = self._judge.monotonic_ms()
        for answer in answers:
            now_ms = self._judge.monotonic_ms()
            if now_ms - judged_ms >= RENEWAL_MS:
                judged_ms = now_ms
                try:
                    self._judge.renewed(found, method)
                except Exception as error:
                    guard.refuse(context, method, error)
            yield answer


def _parse(
    method: str,
    parse: Callable[[bytes], object],
    raw: object,
    context: grpc.ServicerContext,
) -> object:
    """A request; ends the call for bytes that are none. gRPC's own way is a trace in the log."""
    if raw is None:
        guard.refuse(context, method, DecodeError("a call has one request, and this one has none"))
    try:
        return parse(_bytes_of(raw))
    except MessageDecodeError:
        guard.refuse(context, method, DecodeError("the request is no message of this interface"))


def _bytes_of(raw: object) -> bytes:
    """Of a request as it travels: no bytes where there is none."""
    assert raw is None or isinstance(raw, bytes), "the handler has no deserializer"
    return raw or b""


def _header(context: grpc.ServicerContext) -> bytes | None:
    """The one header of a call, or None. Raises Refusal."""
    found = [value for key, value in context.invocation_metadata() or () if key == HEADER_KEY]
    if not found:
        return None
    if len(found) > 1 or not isinstance(found[0], bytes):
        raise Refusal(refusals.ACCESS_HEADER, "a call has one header, of bytes")
    return found[0]


def host_of(peer: str) -> str:
    """The host in gRPC's name of a peer (ipv4:127.0.0.1:4242, ipv6:[::1]:4242, unix:…)."""
    kind, _, rest = peer.partition(":")
    if kind not in ("ipv4", "ipv6"):
        return "local"
    return rest.rpartition(":")[0].strip("[]").replace("%5B", "").replace("%5D", "")
