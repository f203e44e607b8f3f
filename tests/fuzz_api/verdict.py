"""What no answer of a node may be, whatever it was asked."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import grpc
from google.protobuf import message_factory
from google.protobuf.message import DecodeError as MessageDecodeError
from google.protobuf.message import Message

from crypto import sm2
from crypto.errors import CryptoError
from ledger.encoding import decode
from ledger.errors import DecodeError
from ledger.model import (
    TAG_QUERY,
    TAG_TRANSACTION,
    Query,
    SignedQuery,
    Transaction,
    TransactionBody,
    transaction_id,
)
from node import refusals
from node.api.levels import LEVELS as METHOD_LEVELS
from shuxin.v1 import node_pb2 as pb
from tests.fuzz_api.calls import Call
from tests.fuzz_api.corpus import Corpus
from tests.fuzz_api.headers import LEVELS

ENCODED_MAX = 32 << 20
DETAIL_LENGTH_MAX = 2_000  # a sentence or two, and what was wrong
QUERY_AGE_MS_MAX = 120_000  # twice the node's window: what is drawn is of now, or of 1970
# Of gRPC itself, beside those that a node gives with a code of its own.
BARE = frozenset(
    {
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,  # too large, or too many at once
        grpc.StatusCode.NOT_FOUND,  # of the health service: an unknown service
    }
)
NEVER = frozenset(
    {
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DATA_LOSS,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.UNAVAILABLE,
    }
)
# Of a header that is as it should be; "busy" may be said to anybody.
HEADER_REFUSALS = frozenset(
    {
        refusals.ACCESS_HEADER,
        refusals.ACCESS_CHAIN,
        refusals.ACCESS_TIME,
        refusals.ACCESS_BODY,
        refusals.ACCESS_SIGNATURE,
        refusals.ACCESS_REPLAYED,
    }
)
# Traces of our own inside that belong into a log, and to nobody who asks.
LEAKS = (
    "Traceback",
    'File "',
    ".py",
    " object at 0x",
    "NoneType",
    "Exception",
    "Error(",
    "msgspec",
    "BEGIN ",
    str(Path(__file__).resolve().parents[2]),
    str(Path.home()),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended. `replies` are the bytes of the messages that came."""

    code: grpc.StatusCode
    details: str
    refusal: str  # the node's own code; empty: gRPC's, or none
    replies: tuple[bytes, ...]
    took_s: float


class Finding(Exception):
    """The node did what it never may."""


def judge(call: Call, answer: Answer, corpus: Corpus) -> None:
    """Raises Finding."""
    _judge_code(call, answer)
    _judge_access(call, answer)
    _judge_text(call, answer)
    if call.target is None:
        if answer.code is grpc.StatusCode.OK:
            raise Finding(f"{call.path} does not exist and was answered")
        return
    kind = message_factory.GetMessageClass(call.target.response)
    for data in answer.replies:
        reply = kind()
        try:
            reply.ParseFromString(data)
        except MessageDecodeError:
            raise Finding("a reply that is none of its interface") from None
        _judge_reply(call, reply, corpus)


def _judge_code(call: Call, answer: Answer) -> None:
    if answer.code in NEVER:
        raise Finding(f"answered {answer.code.name}: {answer.details[:300]}")
    if answer.code is grpc.StatusCode.DEADLINE_EXCEEDED and not (call.may_wait or answer.refusal):
        raise Finding(f"no answer within {call.deadline_s} s")
    is_ours = answer.code in (grpc.StatusCode.OK, grpc.StatusCode.DEADLINE_EXCEEDED)
    is_ours = is_ours or bool(answer.refusal) or answer.code in BARE
    if not is_ours and answer.code is not grpc.StatusCode.CANCELLED:
        raise Finding(f"refused with {answer.code.name} and no code of ours: {answer.details}")


def _judge_access(call: Call, answer: Answer) -> None:
    """A header that does not hold is refused everywhere, and levels are kept."""
    is_refused = answer.refusal.startswith("access.")
    if call.header.wrong:
        if answer.replies or answer.code is grpc.StatusCode.OK:
            raise Finding(f"a header with a wrong {call.header.wrong} was let in")
        if answer.refusal and not is_refused:
            raise Finding(f"a wrong {call.header.wrong} of a header led to {answer.refusal}")
        return
    if answer.refusal in HEADER_REFUSALS:
        raise Finding(f"a good header was refused: {answer.refusal} {answer.details}")
    if answer.code is grpc.StatusCode.DEADLINE_EXCEEDED and not (answer.refusal or answer.replies):
        return  # who has little patience does not hear what a busy node would have said
    is_bare = answer.code in BARE and not answer.refusal  # gRPC's, before a node is asked
    if call.target is not None and not is_bare:
        may = bool(LEVELS[call.header.caller] & METHOD_LEVELS[call.path])
        if may == (answer.refusal in (refusals.ACCESS_LEVEL, refusals.ACCESS_MISSING)):
            told = answer.refusal or answer.code.name
            raise Finding(f"{call.header.caller or 'nobody'} was answered {told} at {call.path}")


def _judge_text(call: Call, answer: Answer) -> None:
    if len(answer.details) > DETAIL_LENGTH_MAX:
        raise Finding(f"details of {len(answer.details)} characters: {answer.details[:200]}")
    sent = call.data.decode("utf-8", "replace")
    for leak in LEAKS:
        if leak in answer.details and leak not in sent:
            raise Finding(f"the details tell of our inside: {answer.details[:300]}")


def _judge_reply(call: Call, reply: Message, corpus: Corpus) -> None:
    """What was accepted must have been rightly signed, by another judge than the node's."""
    assert call.target is not None
    request = message_factory.GetMessageClass(call.target.request)()
    try:
        request.ParseFromString(call.data)
    except MessageDecodeError:
        raise Finding("a request that cannot be parsed was answered") from None
    match reply, request:
        case pb.SubmitReply(), pb.SubmitRequest():
            _judge_accepted(request.transaction, reply.transaction_id, corpus)
        case pb.SubmitBatchReply(), pb.SubmitBatchRequest():
            if len(reply.verdicts) != len(request.transactions):
                raise Finding("another number of verdicts than of transactions")
            for verdict, data in zip(reply.verdicts, request.transactions, strict=True):
                if not verdict.error:
                    _judge_accepted(data, verdict.transaction_id, corpus)
        case pb.ViewReply(), pb.ViewRequest():
            _judge_viewed(request.query, corpus)
        case _:
            pass


def _judge_accepted(data: bytes, told: bytes, corpus: Corpus) -> None:
    try:
        transaction = decode(data, Transaction, size_max=ENCODED_MAX)
        body = decode(transaction.body, TransactionBody, size_max=ENCODED_MAX)
        sm2.verify(body.sender, TAG_TRANSACTION + transaction.body, transaction.signature)
    except (DecodeError, CryptoError) as error:
        raise Finding(f"accepted a transaction that is not rightly signed: {error}") from None
    if body.chain_id != corpus.chain_id:
        raise Finding("accepted a transaction of another chain")
    if told != transaction_id(transaction):
        raise Finding("named another id than that of the transaction")


def _judge_viewed(data: bytes, corpus: Corpus) -> None:
    try:
        signed = decode(data, SignedQuery, size_max=ENCODED_MAX)
        query = decode(signed.body, Query, size_max=ENCODED_MAX)
        sm2.verify(query.sender, TAG_QUERY + signed.body, signed.signature)
    except (DecodeError, CryptoError) as error:
        raise Finding(f"answered a query that is not rightly signed: {error}") from None
    if query.chain_id != corpus.chain_id:
        raise Finding("answered a query of another chain")
    if abs(time.time_ns() // 1_000_000 - query.time_ms) > QUERY_AGE_MS_MAX:
        raise Finding("answered a query of another time")
