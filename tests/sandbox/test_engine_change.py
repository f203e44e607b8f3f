"""The worker is one engine: another one is started at the height where the chain changes it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import msgspec
import pytest

from contracts.vm import engines, frames, host
from contracts.vm.code_records import CODE
from contracts.vm.codes import Code
from contracts.vm.engine_schedule import (
    KEY,
    EngineSchedule,
    EngineTerm,
    ScheduleDamaged,
    encode_schedule,
)
from contracts.vm.engines import EngineUnknown
from contracts.vm.host import Worker, WorkerFault
from contracts.vm.messages import Call, Ready, reply_decoder
from contracts.vm.revalidate import ReplyInvalid, validate_writes
from contracts.vm.version import vm_version
from ledger.encoding import encode
from ledger.genesis import Genesis
from ledger.model import Height, StateWrite, Transaction, TransactionBody, address_of
from ledger.values import decode_value, encode_value
from tests.memory_reader import MemoryReader
from tests.sandbox.test_worker_faults import SENDER, block, genesis, transaction

ONE, TWO = vm_version(1), vm_version(2)
ABSENT = "shuxin-vm/9+cpython-3.11+0123456789abcdef"
PARTIES = f"""
from contracts.dialect import view
@view
def acting_as(address: str, role: str) -> str:
    return "everybody"
@view
def standing(address: str) -> tuple[str, list[str]]:
    return ("{address_of(SENDER)}", ["manager"])
"""
NEW = """
from contracts.dialect import ctx, view
@view
def who() -> str:
    return ctx.party
"""


def old_genesis() -> Genesis:
    found = genesis()
    parties = msgspec.structs.replace(found.contracts[0], name="parties", source=PARTIES)
    return msgspec.structs.replace(found, vm_version=ONE, contracts=(parties, *found.contracts))


def schedule(*terms: tuple[int, str]) -> bytes:
    return encode_schedule(EngineSchedule(tuple(EngineTerm(Height(h), name) for h, name in terms)))


def deployment(nonce: int) -> Transaction:
    body = TransactionBody(
        1, bytes(32), SENDER, nonce.to_bytes(16, "big"), 10, "contract", "deploy",
        encode_value(["new", NEW, encode_value([])]), 5_000_000,
    )  # fmt: skip
    return Transaction(encode(body), bytes(64))


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker(allow_unjailed=True) as worker:
        yield worker


@pytest.fixture
def reader(worker: Worker) -> MemoryReader:
    """A chain on the first language that will change to the second at height 3."""
    reader = MemoryReader()
    reader.commit(worker.apply_genesis(old_genesis()).writes)
    assert reader.values[CODE, KEY] == schedule((0, ONE))
    reader.values[CODE, KEY] = schedule((0, ONE), (3, TWO))
    return reader


def run(worker: Worker, reader: MemoryReader, height: int) -> Code:
    """A block that deploys what only the second language has."""
    result = worker.apply_block(block(height), [deployment(height)], reader)
    reader.commit(result.writes)
    return Code(result.receipts[0].status)


# --- refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [ABSENT, "", "../../etc/passwd", "shuxin-vm/0"])
def test_the_worker_is_no_engine_that_this_release_does_not_have(name: str) -> None:
    command = [sys.executable, "-m", "contracts.vm.start", "--engine", name, "--unjailed"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    ready = reply_decoder.decode(done.stdout[4:])
    assert isinstance(ready, Ready)
    assert done.returncode == 1
    assert "which this release does not have" in ready.refusal


def test_a_worker_that_is_another_engine_than_asked_for_is_refused(
    worker: Worker, reader: MemoryReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(worker, reader, 1) == Code.check_failed
    monkeypatch.setattr(engines.Engine, "arguments", ("--engine", ONE))
    with pytest.raises(WorkerFault, match="do not belong together"):
        run(worker, reader, 3)
    monkeypatch.undo()
    assert run(worker, reader, 3) == Code.ok


def test_a_height_of_an_engine_that_is_not_here_is_no_fault_of_the_worker(
    worker: Worker, reader: MemoryReader
) -> None:
    reader.values[CODE, KEY] = schedule((0, ONE), (3, ABSENT))
    assert run(worker, reader, 2) == Code.check_failed
    before = (worker.process_id, worker.restarts)
    with pytest.raises(EngineUnknown, match="from height 3 on"):
        run(worker, reader, 3)
    assert (worker.process_id, worker.restarts) == before
    assert run(worker, reader, 2) == Code.check_failed


@pytest.mark.parametrize("raw", [None, b"\xc1"])
def test_a_state_without_a_schedule_runs_nothing(worker: Worker, raw: bytes | None) -> None:
    reader = MemoryReader()
    if raw is not None:
        reader.values[CODE, KEY] = raw
    with pytest.raises(ScheduleDamaged):
        worker.apply_block(block(1), [], reader)
    with pytest.raises(ScheduleDamaged):
        worker.view(block(1), sender="", contract="a", method="b", args=b"\x90", reader=reader)


CALL = Call(bytes(32), address_of(SENDER), "proposal", "approve", b"\x90", 1000)
FALSE_SCHEDULES: dict[str, tuple[str, bytes | None]] = {
    "by another contract": ("counter", schedule((0, ONE))),
    "by the machine itself": ("contract", schedule((0, ONE))),
    "removed": ("proposal", None),
    "garbage": ("proposal", b"\xc1"),
    "no terms": ("proposal", schedule()),
    "no beginning": ("proposal", schedule((1, ONE))),
    "no order": ("proposal", schedule((0, ONE), (5, TWO), (4, ONE))),
}


@pytest.mark.parametrize("lie", FALSE_SCHEDULES)
def test_the_parent_refuses_schedules(lie: str) -> None:
    contract, value = FALSE_SCHEDULES[lie]
    call = msgspec.structs.replace(CALL, contract=contract)
    with pytest.raises(ReplyInvalid):
        validate_writes([StateWrite(CODE, KEY, value)], [call], lambda name: True)


def test_the_parent_believes_a_schedule_of_the_contract_proposal() -> None:
    write = StateWrite(CODE, KEY, schedule((0, ONE), (9, TWO)))
    validate_writes([write], [CALL], lambda name: True)


def test_a_genesis_begins_on_its_own_engine_and_on_no_other() -> None:
    good = StateWrite(CODE, KEY, schedule((0, ONE)))
    validate_writes([good], [], lambda name: False, founding=ONE)
    for terms in ([(0, TWO)], [(0, ONE), (9, TWO)]):
        with pytest.raises(ReplyInvalid, match="engine of its genesis"):
            lie = StateWrite(CODE, KEY, schedule(*terms))
            validate_writes([lie], [], lambda name: False, founding=ONE)


# --- the change ---------------------------------------------------------------------------------


def test_the_height_of_the_change_is_the_first_on_the_new_engine(
    worker: Worker, reader: MemoryReader
) -> None:
    assert run(worker, reader, 1) == run(worker, reader, 2) == Code.check_failed
    old, faults = worker.process_id, worker.restarts
    assert worker.engine.vm_version == ONE
    assert run(worker, reader, 3) == Code.ok
    assert worker.engine.vm_version == TWO
    assert worker.process_id != old
    assert worker.restarts == faults, "a change is no fault"
    assert run(worker, reader, 4) == Code.exists


def test_heights_before_the_change_run_on_the_old_engine_again(
    worker: Worker, reader: MemoryReader
) -> None:
    before = dict(reader.values)
    first = worker.apply_block(block(2), [deployment(2)], reader)
    assert run(worker, reader, 3) == Code.ok
    reader.values = before
    assert worker.apply_block(block(2), [deployment(2)], reader) == first
    assert worker.engine.vm_version == ONE


def test_a_view_runs_on_the_engine_of_its_height(worker: Worker, reader: MemoryReader) -> None:
    run(worker, reader, 3)
    reader.commit(worker.apply_block(block(4), [transaction("add", "k", 2)], reader).writes)
    for height, engine in ((2, ONE), (3, TWO), (4, TWO), (2, ONE)):
        shown = worker.view(
            block(height), sender="", contract="counter", method="show",
            args=encode_value(["k"]), reader=reader,
        )  # fmt: skip
        assert decode_value(shown.value) == 2
        assert worker.engine.vm_version == engine


def test_what_was_deployed_before_runs_alike_after(worker: Worker, reader: MemoryReader) -> None:
    results = [
        worker.apply_block(block(height), [transaction("add", "k", 2)], reader) for height in (2, 3)
    ]
    assert results[0] == results[1]


# --- a view has bounds of its own ---------------------------------------------------------------


def test_a_view_that_stalls_takes_its_own_worker_along_and_no_other(
    reader: MemoryReader, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a node: one worker for blocks, one for views."""
    assert host.VIEW_TIMEOUT_S < host.REQUEST_TIMEOUT_S
    monkeypatch.setattr(host, "VIEW_TIMEOUT_S", 0.3)
    worker.apply_block(block(1), [], reader)
    of_blocks = worker.process_id
    with Worker(allow_unjailed=True) as views:
        stalls = [1]

        def stall() -> None:
            if views.process_id is not None and views.engine.vm_version == ONE and stalls:
                stalls.pop()
                os.kill(views.process_id, signal.SIGSTOP)

        def ask() -> object:
            shown = views.view(
                block(1), sender="", contract="counter", method="show",
                args=encode_value(["k"]), reader=reader,
            )  # fmt: skip
            return decode_value(shown.value)

        assert ask() == 0
        of_views = views.process_id
        assert of_views is not None
        views.reset_cache()
        reader.on_get = stall
        with pytest.raises(WorkerFault, match="failed once on AskView: no answer in time"):
            ask()
        assert not stalls
        with pytest.raises(ProcessLookupError):
            os.kill(of_views, 0)
        monkeypatch.undo()
        assert ask() == 0, "the next one is answered by another process"
        assert views.process_id not in (None, of_views)
    assert worker.process_id == of_blocks
    assert (
        worker.apply_block(block(1), [transaction("add", "k", 1)], reader).receipts[0].status == 0
    )


def test_a_stall_is_told_from_a_death() -> None:
    reading, writing = os.pipe()
    try:
        os.set_blocking(reading, False)
        with pytest.raises(frames.TooSlow):
            frames.receive(reading, deadline=0.0)
    finally:
        os.close(writing)
    with pytest.raises(frames.PipeBroken) as death:
        frames.receive(reading)
    os.close(reading)
    assert not isinstance(death.value, frames.TooSlow)
