"""The worker's death, stall or lie is a fault of the node, never a verdict on a transaction."""

from __future__ import annotations

import os
import signal

import msgspec
import pytest

from contracts.vm import host
from contracts.vm.codes import ViewRefused
from contracts.vm.engines import EngineUnknown
from contracts.vm.host import GenesisRefused, Worker, WorkerFault
from contracts.vm.messages import BlockContext, Call, Viewed
from contracts.vm.revalidate import (
    ReplyInvalid,
    validate_receipts,
    validate_view,
    validate_writes,
)
from contracts.vm.testing import account
from contracts.vm.version import VM_VERSION
from ledger.encoding import encode
from ledger.genesis import Genesis, GenesisContract, Limits
from ledger.model import (
    Event,
    Receipt,
    StateWrite,
    Transaction,
    TransactionBody,
    ValidatorSet,
    address_of,
    transaction_id,
)
from ledger.values import Value, decode_value, encode_value
from tests.memory_reader import MemoryReader

COUNTER = """
from contracts.dialect import Map, call, view
counts = Map(str, int)
@call
def add(key: str, n: int) -> int:
    counts[key] = counts.get(key, 0) + n
    return counts[key]
@view
def show(key: str) -> int:
    return counts.get(key, 0)
"""
SENDER = bytes(range(64))


def genesis(source: str = COUNTER) -> Genesis:
    contracts = (GenesisContract("counter", source, encode_value([])),)
    return Genesis(1, "test", 1, ValidatorSet(()), (), contracts, Limits(), VM_VERSION)


def transaction(method: str, *args: Value, nonce: int = 0, gas: int = 100_000) -> Transaction:
    body = TransactionBody(
        1, bytes(32), SENDER, nonce.to_bytes(16, "big"), 10, "counter", method,
        encode_value(list(args)), gas,
    )  # fmt: skip
    return Transaction(encode(body), bytes(64))


def block(height: int) -> BlockContext:
    return BlockContext(bytes(32), height, height)


@pytest.fixture(scope="module")
def worker() -> object:
    with Worker(allow_unjailed=True) as worker:
        yield worker


@pytest.fixture
def reader(worker: Worker) -> MemoryReader:
    reader = MemoryReader()
    reader.commit(worker.apply_genesis(genesis()).writes)
    return reader


def test_blocks_and_views_run_in_the_worker(worker: Worker, reader: MemoryReader) -> None:
    for height in range(1, 4):
        sent = transaction("add", "k", 2, nonce=height)
        result = worker.apply_block(block(height), [sent], reader)
        assert result.receipts[0].transaction_id == transaction_id(sent)
        assert decode_value(result.receipts[0].return_value) == 2 * height
        reader.commit(result.writes)
    answer = worker.view(
        block(3), sender=address_of(SENDER), contract="counter", method="show",
        args=encode_value(["k"]), reader=reader,
    )  # fmt: skip
    assert decode_value(answer.value) == 6
    with pytest.raises(ViewRefused, match="unknown_method"):
        worker.view(
            block(3), sender="", contract="counter", method="x", args=b"\x90", reader=reader
        )


def test_the_worker_survives_being_killed_between_blocks(
    worker: Worker, reader: MemoryReader
) -> None:
    assert worker.process_id is not None
    os.kill(worker.process_id, signal.SIGKILL)
    result = worker.apply_block(block(1), [transaction("add", "k", 1)], reader)
    assert result.receipts[0].status == 0


def test_a_worker_killed_while_it_works_is_replaced_and_the_block_repeated(
    worker: Worker, reader: MemoryReader
) -> None:
    kills = [1]

    def kill_once() -> None:
        if kills:
            kills.pop()
            assert worker.process_id is not None
            os.kill(worker.process_id, signal.SIGKILL)

    worker.reset_cache()
    reader.on_get = kill_once
    result = worker.apply_block(block(1), [transaction("add", "k", 1)], reader)
    assert result.receipts[0].status == 0 and not kills


def test_a_worker_that_dies_twice_is_a_worker_fault(worker: Worker, reader: MemoryReader) -> None:
    def kill() -> None:
        if worker.process_id is not None:
            os.kill(worker.process_id, signal.SIGKILL)

    worker.reset_cache()
    reader.on_get = kill
    with pytest.raises(WorkerFault, match="abstains"):
        worker.apply_block(block(1), [transaction("add", "k", 1)], reader)
    reader.on_get = lambda: None
    assert worker.apply_block(block(1), [transaction("add", "k", 1)], reader).receipts


def test_a_stalled_worker_is_stopped_by_the_watchdog(
    worker: Worker, reader: MemoryReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "BLOCK_TIMEOUT_S", 0.3)

    def stop() -> None:
        if worker.process_id is not None:
            os.kill(worker.process_id, signal.SIGSTOP)

    worker.reset_cache()
    reader.on_get = stop
    with pytest.raises(WorkerFault, match="no answer in time"):
        worker.apply_block(block(1), [transaction("add", "k", 1)], reader)


def test_a_failing_reader_reaches_the_caller_and_the_worker_recovers(
    worker: Worker, reader: MemoryReader
) -> None:
    def fail() -> None:
        raise OSError("disk")

    worker.reset_cache()
    reader.on_get = fail
    with pytest.raises(OSError, match="disk"):
        worker.apply_block(block(1), [transaction("add", "k", 1)], reader)
    reader.on_get = lambda: None
    assert (
        worker.apply_block(block(1), [transaction("add", "k", 1)], reader).receipts[0].status == 0
    )


def test_an_uncommitted_block_is_forgotten_when_its_height_comes_again(
    worker: Worker, reader: MemoryReader
) -> None:
    first = worker.apply_block(block(1), [transaction("add", "k", 1)], reader)
    again = worker.apply_block(block(1), [transaction("add", "k", 1)], reader)
    assert first == again


def test_a_genesis_that_does_not_deploy_is_refused(worker: Worker) -> None:
    with pytest.raises(GenesisRefused, match="counter: check_failed"):
        worker.apply_genesis(genesis("import os\n"))


def test_a_chain_of_another_engine_version_is_refused(worker: Worker) -> None:
    other = msgspec.structs.replace(genesis(), vm_version="shuxin-vm/0")
    with pytest.raises(EngineUnknown, match="install a release that has it"):
        worker.apply_genesis(other)


def test_sources_are_checked_and_described_in_the_jail(worker: Worker) -> None:
    assert worker.check(COUNTER)[0].rule == "W003"
    assert '"name":"add"' in worker.abi(COUNTER)


# --- what the parent refuses to believe --------------------------------------------------------

CALLS = [Call(bytes([n]) * 32, account("a"), "counter", "add", b"\x90", 1000) for n in range(2)]
GOOD = [Receipt(call.transaction_id, 0, 10, (), b"\xc0", "", "") for call in CALLS]
KEY = encode_value(["counts", "k"])
EVENT = Event("counter", "E", (("a", b"\x01"),))

LIES: dict[str, list[Receipt]] = {
    "one_receipt_missing": GOOD[:1],
    "one_receipt_too_many": [*GOOD, GOOD[0]],
    "another_order": GOOD[::-1],
    "gas_beyond_the_limit": [GOOD[0], msgspec.structs.replace(GOOD[1], gas_used=1001)],
    "negative_gas": [GOOD[0], msgspec.structs.replace(GOOD[1], gas_used=-1)],
    "unknown_status": [GOOD[0], msgspec.structs.replace(GOOD[1], status=999)],
    "status_without_its_name": [GOOD[0], msgspec.structs.replace(GOOD[1], status=1)],
    "name_without_its_status": [GOOD[0], msgspec.structs.replace(GOOD[1], error="refused")],
    "detail_on_success": [GOOD[0], msgspec.structs.replace(GOOD[1], detail="x")],
    "endless_detail": [
        GOOD[0],
        msgspec.structs.replace(GOOD[1], status=1, error="refused", detail="x" * 201),
    ],
    "events_of_a_failure": [
        GOOD[0],
        msgspec.structs.replace(GOOD[1], status=1, error="refused", events=(EVENT,)),
    ],
    "result_of_a_failure": [
        GOOD[0],
        msgspec.structs.replace(GOOD[1], status=1, error="refused", return_value=b"\x01"),
    ],
    "too_many_events": [GOOD[0], msgspec.structs.replace(GOOD[1], events=(EVENT,) * 129)],
    "event_of_no_contract": [
        GOOD[0],
        msgspec.structs.replace(GOOD[1], events=(Event("../x", "E", ()),)),
    ],
    "event_with_broken_value": [
        GOOD[0],
        msgspec.structs.replace(GOOD[1], events=(Event("counter", "E", (("a", b"\xc1"),)),)),
    ],
    "result_that_is_not_canonical": [
        GOOD[0],
        msgspec.structs.replace(GOOD[1], return_value=b"\xcc\x01"),
    ],
    "float_result": [GOOD[0], msgspec.structs.replace(GOOD[1], return_value=b"\xcb" + bytes(8))],
    "huge_result": [
        GOOD[0],
        msgspec.structs.replace(GOOD[1], return_value=encode_value("x" * 300_000)),
    ],
}

FALSE_WRITES: dict[str, list[StateWrite]] = {
    "foreign_namespace": [StateWrite("nobody", KEY, b"\x01")],
    "reserved_namespace": [StateWrite("contract", KEY, b"\x01")],
    "no_namespace": [StateWrite("../counter", KEY, b"\x01")],
    "code_without_deployment": [StateWrite("code", b"counter", b"x")],
    "twice_the_same": [StateWrite("counter", KEY, b"\x01")] * 2,
    "wrong_order": [
        StateWrite("counter", encode_value(["z"]), b"\x01"),
        StateWrite("counter", encode_value(["a"]), b"\x01"),
    ],
    "broken_key": [StateWrite("counter", b"\xc1", b"\x01")],
    "key_that_is_no_list": [StateWrite("counter", b"\x01", b"\x01")],
    "empty_key": [StateWrite("counter", b"", b"\x01")],
    "long_key": [StateWrite("counter", encode_value(["k" * 600]), b"\x01")],
    "broken_value": [StateWrite("counter", KEY, b"\xc1")],
    "map_value": [StateWrite("counter", KEY, b"\x80")],
    "large_value": [StateWrite("counter", KEY, encode_value("x" * 70_000))],
}


def test_the_parent_believes_an_honest_worker() -> None:
    validate_receipts(GOOD, CALLS)
    for value in (b"\x01", None):
        validate_writes([StateWrite("counter", KEY, value)], CALLS, lambda name: name == "counter")


@pytest.mark.parametrize("lie", LIES)
def test_the_parent_refuses_receipts(lie: str) -> None:
    with pytest.raises(ReplyInvalid):
        validate_receipts(LIES[lie], CALLS)


@pytest.mark.parametrize("lie", FALSE_WRITES)
def test_the_parent_refuses_writes(lie: str) -> None:
    with pytest.raises(ReplyInvalid):
        validate_writes(FALSE_WRITES[lie], CALLS, lambda name: name == "counter")


def test_the_parent_refuses_writes_of_an_empty_block() -> None:
    with pytest.raises(ReplyInvalid):
        validate_writes([StateWrite("counter", KEY, b"\x01")], [], lambda name: True)


def test_the_parent_refuses_a_view_beyond_its_gas() -> None:
    validate_view(Viewed(0, "", b"\x01", 10), 10)
    for lie in (Viewed(0, "", b"\x01", 11), Viewed(99, "", b"\xc0", 1), Viewed(0, "", b"\xc1", 1)):
        with pytest.raises(ReplyInvalid):
            validate_view(lie, 10)
