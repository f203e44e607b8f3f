"""A call's passage: let in by quota, judged, answered, and put on record whatever became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from client.account import Account
from client.errors import Refused
from client.node import NodeClient
from client.signing import SERVICE, signed
from crypto import sm2, sm3
from crypto.providers.software import SoftwareProvider
from ledger.access import HEADER_KEY
from node.accesslog.entry import ANSWERED, BEGUN, REFUSED
from node.api.porter import Porter
from node.api.quotas import Rates
from node.api.server import ApiServer
from shuxin.v1 import node_pb2, node_pb2_grpc
from tests.access_world import Remembered, porter
from tests.moving_chain import Moving, Served

Stub = node_pb2_grpc.NodeStub
FEW = Rates(caller=5, host=5, anonymous=100, total=100)  # twice as many at once


@contextmanager
def serving(moving: Moving, way: Porter) -> Iterator[str]:
    server = ApiServer(Served(moving.chain), listen="127.0.0.1:0", porter=way)
    server.start()
    try:
        yield f"127.0.0.1:{server.port}"
    finally:
        server.stop()


@contextmanager
def stub(place: str) -> Iterator[Stub]:
    with grpc.insecure_channel(place) as channel:
        yield Stub(channel)


def raw(channel: grpc.Channel, method: str) -> Callable[[bytes], bytes]:
    """A call of bytes, whether they are a message or not."""
    return channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)


def stranger() -> Account:
    return Account(SoftwareProvider(sm2.generate()))


def refused_code(error: grpc.RpcError) -> tuple[str, int | None]:
    """Code and the time to come again of a refusal."""
    assert isinstance(error, grpc.Call)
    told = {key: str(value) for key, value in error.trailing_metadata() or ()}
    again = told.get("retry-after-ms")
    return told.get("shuxin-code", ""), None if again is None else int(again)


def test_an_answered_call_is_on_record_with_caller_digest_and_host(moving: Moving) -> None:
    record, account = Remembered(), stranger()
    request = node_pb2.GetGenesisRequest()
    with serving(moving, porter(record)) as place, stub(place) as calls:
        metadata = signed(
            account, request, method=SERVICE + "GetGenesis", chain_id=moving.chain.chain_id
        )
        calls.GetGenesis(request, metadata=metadata)
    ((entry, outcome, code),) = record.entries
    assert (entry.method, outcome, code) == (SERVICE + "GetGenesis", ANSWERED, "")
    assert entry.digest == sm3.digest(request.SerializeToString())
    assert (entry.account, entry.levels) == (account.address, ("public",))
    assert entry.peer == "127.0.0.1"


def test_every_kind_of_refusal_is_on_record_with_its_code(moving: Moving) -> None:
    record = Remembered()
    request = node_pb2.GetBlockRequest(height=10**9)
    with serving(moving, porter(record)) as place, stub(place) as calls:
        with pytest.raises(grpc.RpcError):
            calls.GetGenesis(node_pb2.GetGenesisRequest(), metadata=((HEADER_KEY, b"no header"),))
        with pytest.raises(grpc.RpcError):
            calls.GetBlock(request)
        with grpc.insecure_channel(place) as channel, pytest.raises(grpc.RpcError):
            raw(channel, "/shuxin.v1.Node/Unknown")(b"")
    outcomes = record.outcomes
    assert ("GetGenesis", REFUSED, "access.header") in outcomes
    assert any(name == "GetBlock" and outcome == REFUSED for name, outcome, _ in outcomes)
    assert ("Unknown", REFUSED, "access.method") in outcomes


def test_a_request_that_is_no_message_is_on_record(moving: Moving) -> None:
    record = Remembered()
    with serving(moving, porter(record)) as place, grpc.insecure_channel(place) as channel:
        call = raw(channel, "/shuxin.v1.Node/GetGenesis")
        with pytest.raises(grpc.RpcError):
            call(b"\xff\xff\xff")
    assert record.outcomes == [("GetGenesis", REFUSED, "transaction.encoding")]


def test_who_may_not_call_is_on_record_by_name(moving: Moving) -> None:
    record, account = Remembered(), stranger()
    request = node_pb2.GetBlockRequest(height=1)
    with serving(moving, porter(record)) as place, stub(place) as calls:
        metadata = signed(
            account, request, method=SERVICE + "GetBlock", chain_id=moving.chain.chain_id
        )
        with pytest.raises(grpc.RpcError):
            calls.GetBlock(request, metadata=metadata)
    ((entry, outcome, code),) = record.entries
    assert (outcome, code) == (REFUSED, "access.level")
    assert (entry.account, entry.levels) == (account.address, ("public",))


def test_who_asks_too_much_is_told_when_to_come_again(moving: Moving) -> None:
    record = Remembered()
    way = porter(record, rates=FEW, now_s=lambda: 7.0)
    with serving(moving, way) as place, stub(place) as calls:
        for _ in range(10):
            calls.GetStatus(node_pb2.GetStatusRequest())
        with pytest.raises(grpc.RpcError) as caught:
            calls.GetStatus(node_pb2.GetStatusRequest())
    code, again = refused_code(caught.value)
    assert code == "node.quota"
    assert again is not None and 1 <= again <= 1000
    answered = [one for one in record.outcomes if one[1] == ANSWERED]
    assert len(answered) == 10
    assert [code for _, code in record.repeated] == ["node.quota"]


def test_keys_made_for_the_occasion_share_the_quota_of_their_host(moving: Moving) -> None:
    request = node_pb2.GetStatusRequest()
    answered = 0
    with serving(moving, porter(rates=FEW, now_s=lambda: 7.0)) as place, stub(place) as calls:
        for _ in range(30):
            metadata = signed(
                stranger(),
                request,
                method=SERVICE + "GetStatus",
                chain_id=moving.chain.chain_id,
            )
            try:
                calls.GetStatus(request, metadata=metadata)
                answered += 1
            except grpc.RpcError as error:
                assert refused_code(error)[0] in ("node.quota", "access.missing", "access.level")
    assert answered <= 10


def test_places_are_given_back_whatever_becomes_of_a_call(moving: Moving) -> None:
    with serving(moving, porter(at_once=1)) as place, stub(place) as calls:
        for _ in range(5):
            with pytest.raises(grpc.RpcError) as caught:
                calls.GetBlock(node_pb2.GetBlockRequest(height=10**9))
            assert refused_code(caught.value)[0] != "node.quota"
            calls.GetGenesis(node_pb2.GetGenesisRequest())


def test_a_stream_is_on_record_when_it_begins_and_when_its_client_has_left(
    moving: Moving,
) -> None:
    record = Remembered()
    way = porter(record, at_once=1)
    with serving(moving, way) as place, grpc.insecure_channel(place) as channel:
        stream = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        next(iter(stream))
        assert record.outcomes == [("Watch", BEGUN, "")]
        channel.close()
    assert record.outcomes[-1][0] == "Watch"
    assert record.outcomes[-1][1] != BEGUN


def test_nobody_is_answered_while_nothing_can_be_put_on_record(moving: Moving) -> None:
    record = Remembered(is_full=True)
    with serving(moving, porter(record)) as place, stub(place) as calls:
        with pytest.raises(grpc.RpcError) as caught:
            calls.GetGenesis(node_pb2.GetGenesisRequest())
        assert refused_code(caught.value)[0] == "access.log"
        assert isinstance(caught.value, grpc.Call)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        record.is_full = False
        calls.GetGenesis(node_pb2.GetGenesisRequest())


def test_an_answer_that_cannot_be_put_on_record_does_not_leave(moving: Moving) -> None:
    class FillsUp(Remembered):
        def append(self, request: object, outcome: str, code: str = "") -> None:
            self.is_full = True
            self.check()

    with serving(moving, porter(FillsUp())) as place, stub(place) as calls:
        with pytest.raises(grpc.RpcError) as caught:
            calls.GetGenesis(node_pb2.GetGenesisRequest())
        assert refused_code(caught.value)[0] == "access.log"


def test_a_client_comes_again_when_it_was_told_to(moving: Moving) -> None:
    seconds = iter(range(10_000))
    way = porter(rates=Rates(caller=1, host=1, anonymous=1, total=1), now_s=lambda: next(seconds))
    with serving(moving, way) as place, NodeClient(place, timeout_s=30) as client:
        for _ in range(6):
            assert client.genesis() == moving.chain.genesis


def test_a_client_gives_up_when_its_time_is_over(moving: Moving) -> None:
    rates = Rates(caller=1, host=1, anonymous=1, total=1)
    way = porter(rates=rates, now_s=lambda: 7.0)
    with serving(moving, way) as place, NodeClient(place, timeout_s=0.2) as client:
        client.genesis()
        with pytest.raises(Refused) as refused:
            client.genesis()
    assert refused.value.code == "node.quota"
