"""Every method x every level x every kind of header, from the descriptors of the services.

Who may call what stands here once more, by hand: a change of node/api/levels.py has to be meant.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import grpc
import pytest
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.empty_pb2 import Empty
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from client.account import Account
from client.signing import signed
from crypto import sm2
from crypto.providers.software import SoftwareProvider
from ledger.access import HEADER_KEY, TAG_ACCESS, WINDOW_MS, decode_header, encode_header
from ledger.model import Address
from node import refusals
from node.api.access import Judge
from node.api.levels import LEVELS, Level
from node.api.nonces import Nonces
from node.api.server import ApiServer
from node.refusals import Refusal
from shuxin.v1 import node_pb2
from tests.access_world import porter
from tests.moving_chain import Moving, Served

PUBLIC, MEMBER, AUDITOR, OPERATOR, ADMIN = Level
SURVEY = {AUDITOR, OPERATOR}
SPECIFIED: dict[str, set[Level]] = {
    "Submit": {MEMBER},
    "SubmitBatch": {MEMBER},
    "WaitReceipt": {MEMBER},
    "View": {MEMBER},
    "GetBlock": {MEMBER},
    "GetTransaction": {MEMBER},
    "GetState": {MEMBER},
    "GetStates": {MEMBER},
    "FollowEvents": {MEMBER},
    "GetStatus": {PUBLIC},
    "GetGenesis": {PUBLIC},
    "GetCommittees": {PUBLIC},
    "KeyHistory": {MEMBER},
    "AccountHistory": {MEMBER, *SURVEY},
    "SubjectHistory": SURVEY,
    "Check": {PUBLIC},
    "Watch": {PUBLIC},
    "ServerReflectionInfo": {PUBLIC},
}
SERVICES: tuple[ServiceDescriptor, ...] = (
    node_pb2.DESCRIPTOR.services_by_name["Node"],
    health_pb2.DESCRIPTOR.services_by_name["Health"],
    reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"],
)
METHODS = {
    f"/{service.full_name}/{method.name}": SPECIFIED[method.name]
    for service in SERVICES
    for method in service.methods
}
KINDS = (
    *("right", "missing", "replayed", "stale", "early", "forged"),
    *("other_body", "other_method", "other_chain", "cut"),
)
REFUSED = {
    "replayed": refusals.ACCESS_REPLAYED,
    "stale": refusals.ACCESS_TIME,
    "early": refusals.ACCESS_TIME,
    "forged": refusals.ACCESS_SIGNATURE,
    "other_body": refusals.ACCESS_BODY,
    "other_method": refusals.ACCESS_HEADER,
    "other_chain": refusals.ACCESS_CHAIN,
    "cut": refusals.ACCESS_HEADER,
}
CHAIN = bytes(32)
NOBODY = Empty()


ACCOUNTS = {
    frozenset({PUBLIC, *extra}): Account(SoftwareProvider(sm2.generate()))
    for size in range(4)
    for extra in itertools.combinations((MEMBER, AUDITOR, OPERATOR, ADMIN), size)
}
STANDINGS = {account.address: levels for levels, account in ACCOUNTS.items()}


@pytest.fixture(scope="module")
def judge() -> Judge:
    class Register:
        def levels(self, address: Address, certificate: bytes) -> frozenset[Level]:
            return STANDINGS[address]

    return Judge(
        chain_id=CHAIN,
        verify=SoftwareProvider(sm2.generate()).verify,
        standings=Register(),
        nonces=Nonces(),
    )


def _header(account: Account, method: str, kind: str) -> bytes | None:
    if kind == "missing":
        return None
    chain = bytes(31) + b"\x01" if kind == "other_chain" else CHAIN
    named = "/shuxin.v1.Node/Else" if kind == "other_method" else method
    ((key, header),) = signed(account, NOBODY, method=named, chain_id=chain)
    assert key == HEADER_KEY
    if kind == "cut":
        return header[:-1]
    if kind == "forged":
        found, _ = decode_header(header)
        other = next(one for one in ACCOUNTS.values() if one is not account)
        return encode_header(found.body, other.sign(TAG_ACCESS + found.body))
    return header


def _code(judge: Judge, method: str, kind: str, account: Account) -> str:
    """The code of the refusal; "" where the call is let in."""
    header = _header(account, method, kind)
    raw = b"\x08\x01" if kind == "other_body" else b""
    before = judge.wall_ms
    skew_ms = {"stale": WINDOW_MS + 5_000, "early": -WINDOW_MS - 5_000}.get(kind, 0)
    judge.wall_ms = lambda: before() + skew_ms
    try:
        if kind == "replayed":
            try:
                judge.admit(method, raw, header=header, peer="")
            except Refusal as refusal:
                assert refusal.code == refusals.ACCESS_LEVEL
        judge.admit(method, raw, header=header, peer="")
    except Refusal as refusal:
        return refusal.code
    finally:
        judge.wall_ms = before
    return ""


def test_every_method_has_a_level_and_no_level_is_of_nothing() -> None:
    assert {method: set(levels) for method, levels in LEVELS.items()} == METHODS


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_method_lets_in_its_levels_with_a_right_header_alone(
    judge: Judge, method: str, kind: str
) -> None:
    for levels, account in ACCOUNTS.items():
        told = _code(judge, method, kind, account)
        if kind == "missing":
            expected = "" if PUBLIC in METHODS[method] else refusals.ACCESS_MISSING
        elif kind == "right":
            expected = "" if levels & METHODS[method] else refusals.ACCESS_LEVEL
        else:
            expected = REFUSED[kind]
        assert told == expected, sorted(level.value for level in levels)


# --- the same over the wire, with what a chain says -------------------------------------------


@pytest.fixture(scope="module")
def place(moving: Moving) -> Iterator[str]:
    server = ApiServer(Served(moving.chain), listen="127.0.0.1:0", porter=porter())
    server.start()
    try:
        yield f"127.0.0.1:{server.port}"
    finally:
        server.stop()


def _called(place: str, method: str, header: bytes | None) -> tuple[grpc.StatusCode, str]:
    """How a call with an empty request ends: status, and the node's code if it gave one."""
    metadata = () if header is None else ((HEADER_KEY, header),)
    with grpc.insecure_channel(place) as channel:
        call = channel.unary_stream(method, bytes, bytes)(b"", metadata=metadata, timeout=20)
        try:
            next(iter(call), None)
        except grpc.RpcError as error:
            assert isinstance(error, grpc.Call)
            codes = [v for k, v in error.trailing_metadata() or () if k == "shuxin-code"]
            return error.code(), str(codes[0]) if codes else ""
        finally:
            call.cancel()  # type: ignore[no-untyped-call]  # the stubs leave it bare
    return grpc.StatusCode.OK, ""


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_server_keeps_the_levels_of_all_its_services(
    place: str, moving: Moving, method: str
) -> None:
    chain = moving.chain
    callers = {
        frozenset[Level](): Account(SoftwareProvider(sm2.generate())),
        frozenset({MEMBER}): chain.voices[0],
        frozenset({MEMBER, AUDITOR}): chain.manager,
    }
    status, code = _called(place, method, None)
    assert (code == refusals.ACCESS_MISSING) == (PUBLIC not in METHODS[method])
    for levels, account in callers.items():
        header = signed(account, NOBODY, method=method, chain_id=chain.chain_id)[0][1]
        status, code = _called(place, method, header)
        may = bool((levels | {PUBLIC}) & METHODS[method])
        assert (code == refusals.ACCESS_LEVEL) != may, (status, code)
        status, code = _called(place, method, header)
        assert (status, code) == (grpc.StatusCode.UNAUTHENTICATED, refusals.ACCESS_REPLAYED)


def test_a_method_that_does_not_exist_is_refused_like_one_without_a_level(place: str) -> None:
    for method in ("/shuxin.v1.Node/Nothing", "/x.Y/Z"):
        assert _called(place, method, None) == (
            grpc.StatusCode.PERMISSION_DENIED,
            refusals.ACCESS_METHOD,
        )
