"""The judge of the campaign sees what it is there to see; and a short campaign in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import grpc
import pytest
from grpc_health.v1 import health_pb2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.account import Account
from client.build import build_transaction
from client.node import NodeClient
from crypto import sm2
from crypto.providers.software import SoftwareProvider
from ledger.encoding import encode
from ledger.model import Query, Transaction, transaction_id
from node import refusals
from node.api import access
from node.api.backend import Viewed
from node.api.server import ApiServer
from node.mempool import Admitted
from node.refusals import Refusal
from shuxin.v1 import node_pb2 as pb
from tests.access_world import porter
from tests.fuzz_api.calls import HANG_S, Call, Target, call, drawn, targets
from tests.fuzz_api.campaign import OPTIONS, ask
from tests.fuzz_api.corpus import Corpus, corpus_of
from tests.fuzz_api.headers import NONE, WRONGS, Header
from tests.fuzz_api.verdict import Answer, Finding, judge
from tests.moving_chain import Moving, Served

ROUNDS = 200
OK = grpc.StatusCode.OK


class Willing(Served):
    """Takes every transaction that gets so far, and knows no contract."""

    threads = 6
    subscribers_max = 4

    def check_open(self) -> None:  # type: ignore[override]  # it is open
        return

    def hold(self, items: Sequence[Admitted]) -> list[bool]:
        return [True] * len(items)

    def view(self, query: Query) -> Viewed:
        raise Refusal(refusals.QUERY, f"there is no contract {query.contract[:80]!r}")


@dataclass(frozen=True, slots=True)
class Bench:
    channel: grpc.Channel
    corpus: Corpus

    def try_(self, made: Call) -> None:
        """Raises Finding."""
        judge(made, ask(self.channel, made), self.corpus)


@pytest.fixture(scope="module")
def bench(moving: Moving) -> Iterator[Bench]:
    chain = moving.chain
    server = ApiServer(Willing(chain), listen="127.0.0.1:0", porter=porter())
    server.start()
    target = f"127.0.0.1:{server.port}"
    callers = {"member": chain.voices[0], "other": chain.voices[1], "manager": chain.manager}
    try:
        with NodeClient(target, caller=chain.manager) as client:
            corpus = corpus_of(client, callers)
        with grpc.insecure_channel(target, options=OPTIONS) as channel:
            yield Bench(channel, corpus)
    finally:
        server.stop()


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow],
)
@given(random=st.randoms(use_true_random=False))
def test_no_request_that_can_be_drawn_gets_a_bad_answer(bench: Bench, random: Random) -> None:
    bench.try_(drawn(random, bench.corpus))


@pytest.mark.slow
def test_the_first_rounds_of_the_job_find_nothing(bench: Bench) -> None:
    for number in range(ROUNDS):
        bench.try_(call(number, bench.corpus))


def test_every_method_of_every_service_is_drawn() -> None:
    names = {target.path for target in targets()}
    assert {
        f"/shuxin.v1.Node/{method.name}"
        for method in pb.DESCRIPTOR.services_by_name["Node"].methods
    } <= names
    assert any("Health/Watch" in name for name in names)
    assert any("ServerReflectionInfo" in name for name in names)


def test_a_signature_that_nobody_looks_at_is_seen(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed = access.Judge._claim

    def careless(self: access.Judge, method: str, request: bytes, data: bytes) -> object:
        def all_good(key: bytes, message: bytes, signature: bytes) -> None:
            return

        found = access.Judge(
            chain_id=self.chain_id,
            verify=all_good,
            standings=self.standings,
            nonces=self.nonces,
        )
        return claimed(found, method, request, data)

    monkeypatch.setattr(access.Judge, "_claim", careless)
    with pytest.raises(Finding, match="wrong"):
        for number in range(ROUNDS):
            bench.try_(call(number, bench.corpus))


# --- what no answer may be ------------------------------------------------------------------


MEMBER = Header("member", "", ())


def corpus() -> Corpus:
    account = Account(SoftwareProvider(sm2.generate()))
    return Corpus(bytes(32), 9, (bytes(32),), (), (account.address,), {"member": account})


def target(name: str) -> Target:
    return next(found for found in targets() if found.name == name)


def made(name: str, data: bytes = b"", header: Header = NONE) -> Call:
    wanted = target(name)
    return Call(0, wanted, wanted.path, data, header, (), HANG_S, is_gzipped=False)


def answer(
    code: grpc.StatusCode = OK, details: str = "", refusal: str = "", reply: bytes | None = None
) -> Answer:
    return Answer(code, details, refusal, () if reply is None else (reply,), 0.1)


@pytest.mark.parametrize(
    ("given_answer", "why"),
    [
        (answer(grpc.StatusCode.INTERNAL, "x"), "INTERNAL"),
        (answer(grpc.StatusCode.UNKNOWN, "x"), "UNKNOWN"),
        (answer(grpc.StatusCode.DEADLINE_EXCEEDED), "no answer within"),
        (answer(grpc.StatusCode.INVALID_ARGUMENT, "no"), "no code of ours"),
        (answer(grpc.StatusCode.NOT_FOUND, 'File "x", line 3', "not_found"), "our inside"),
        (answer(grpc.StatusCode.NOT_FOUND, "see node/api/x.py", "not_found"), "our inside"),
        (answer(grpc.StatusCode.NOT_FOUND, "a" * 3_000, "not_found"), "3000 characters"),
        (answer(reply=b"\x0a\xff"), "none of its interface"),
        (answer(grpc.StatusCode.UNAUTHENTICATED, "x", "access.time"), "good header was refused"),
        (answer(grpc.StatusCode.PERMISSION_DENIED, "x", "access.level"), "nobody was answered"),
    ],
)
def test_a_bad_answer_is_seen(given_answer: Answer, why: str) -> None:
    with pytest.raises(Finding, match=why):
        judge(made("GetStatus"), given_answer, corpus())


@pytest.mark.parametrize("wrong", WRONGS)
def test_a_header_that_does_not_hold_and_is_let_in_is_seen(wrong: str) -> None:
    call_ = made("GetStatus", header=Header("member", wrong, ()))
    with pytest.raises(Finding, match="was let in"):
        judge(call_, answer(reply=b""), corpus())
    with pytest.raises(Finding, match="led to not_found"):
        judge(call_, answer(grpc.StatusCode.NOT_FOUND, "x", "not_found"), corpus())


def test_a_transaction_that_is_taken_with_a_bad_signature_or_id_is_seen() -> None:
    known = corpus()
    good = build_transaction(
        known.callers["member"],
        chain_id=known.chain_id,
        valid_until=9,
        contract="evidence",
        method="record",
        args=[],
    )
    told = pb.SubmitReply(transaction_id=transaction_id(good)).SerializeToString()
    forged = Transaction(good.body, bytes(64))

    def submitted(transaction: Transaction) -> Call:
        request = pb.SubmitRequest(transaction=encode(transaction))
        return made("Submit", request.SerializeToString(), MEMBER)

    judge(submitted(good), answer(reply=told), known)
    with pytest.raises(Finding, match="not rightly signed"):
        judge(submitted(forged), answer(reply=told), known)
    with pytest.raises(Finding, match="another id"):
        judge(submitted(good), answer(reply=pb.SubmitReply().SerializeToString()), known)
    with pytest.raises(Finding, match="cannot be parsed"):
        judge(made("Submit", b"\x0a\xff", MEMBER), answer(reply=told), known)
    verdict = pb.SubmitVerdict(transaction_id=transaction_id(good))
    batch = pb.SubmitBatchReply(verdicts=[verdict]).SerializeToString()
    request = pb.SubmitBatchRequest(transactions=[encode(forged)]).SerializeToString()
    with pytest.raises(Finding, match="not rightly signed"):
        judge(made("SubmitBatch", request, MEMBER), answer(reply=batch), known)


def test_a_query_that_is_answered_without_a_signature_is_seen() -> None:
    with pytest.raises(Finding, match="not rightly signed"):
        judge(made("View", b"", MEMBER), answer(reply=b""), corpus())


def test_a_method_that_does_not_exist_must_not_answer() -> None:
    nowhere = Call(0, None, "/x", b"", NONE, (), HANG_S, is_gzipped=False)
    judge(nowhere, answer(grpc.StatusCode.PERMISSION_DENIED, "no", "access.method"), corpus())
    with pytest.raises(Finding, match="does not exist"):
        judge(nowhere, answer(reply=b""), corpus())


def test_a_service_that_is_not_served_cannot_be_watched(bench: Bench) -> None:
    """gRPC's own servicer remembers each name for good; found by what fuzzing left in memory."""
    watched = health_pb2.HealthCheckRequest(service="x" * 1000).SerializeToString()
    found = ask(bench.channel, made("Watch", watched))
    assert found.code is grpc.StatusCode.NOT_FOUND and not found.replies
