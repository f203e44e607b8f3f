"""The child's side of the pipes, in this process: its greeting, its replies and how it ends.

The parent's words are written before the child begins, its end of the pipe is closed after them:
what the child asks for in between finds its answer waiting.
"""

from __future__ import annotations

import gc
import os
import runpy
import sys
from collections.abc import Iterator

import msgspec
import pytest

from contracts.vm import engines, frames, jail, start, worker
from contracts.vm.apply import Machine
from contracts.vm.code_records import CODE
from contracts.vm.codes import Code
from contracts.vm.engine_schedule import KEY
from contracts.vm.messages import (
    Abi,
    Answer,
    Applied,
    ApplyBlock,
    ApplyGenesis,
    AskAbi,
    AskCheck,
    AskView,
    BlockContext,
    Call,
    Checked,
    Done,
    Fault,
    Install,
    Need,
    Query,
    Ready,
    Reply,
    Request,
    Reset,
    Viewed,
    encoder,
    reply_decoder,
)
from contracts.vm.version import VM_VERSION
from ledger.values import encode_value

SOURCE = """
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
FOUNDING = ApplyGenesis(
    BlockContext(bytes(32), 0, 0), [Install("c", SOURCE, encode_value([]))], VM_VERSION
)
NOTHING_THERE = (Answer([None]), Answer([None]))  # no contract of the name, no list of names
UNJAILED = (*engines.LATEST.arguments, "--unjailed")


class Script:
    """Both ends of the two pipes of a child that runs in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        child_reads, self._to_child = os.pipe()
        self._from_child, child_writes = os.pipe()
        self._ends = [child_reads, child_writes, self._from_child]
        monkeypatch.setattr(worker, "_READ", child_reads)
        monkeypatch.setattr(worker, "_WRITE", child_writes)

    def say(self, *requests: Request) -> None:
        """All that the parent will ever say."""
        for request in requests:
            frames.send(self._to_child, encoder.encode(request))
        os.close(self._to_child)
        self._to_child = -1

    def hear(self) -> list[Reply]:
        """Everything that the child has said and not yet been heard."""
        os.set_blocking(self._from_child, False)
        said = b""
        while True:
            try:
                said += os.read(self._from_child, 1 << 20)
            except BlockingIOError:
                break
        replies = []
        while said:
            end = 4 + int.from_bytes(said[:4], "big")
            replies.append(reply_decoder.decode(said[4:end]))
            said = said[end:]
        return replies

    def close(self) -> None:
        for end in (*self._ends, self._to_child):
            if end >= 0:
                os.close(end)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """The pipes; afterwards this process collects and recurses as it did before."""
    recursion = sys.getrecursionlimit()
    script = Script(monkeypatch)
    yield script
    script.close()
    sys.setrecursionlimit(recursion)
    gc.enable()
    gc.unfreeze()


def converse(script: Script, *requests: Request) -> list[Reply]:
    """What an unjailed child replies to these, its greeting left out."""
    script.say(*requests)
    assert start.main(UNJAILED) == 0
    ready, *replies = script.hear()
    assert ready == Ready([], "", VM_VERSION)
    return replies


def block(height: int, *calls: Call) -> ApplyBlock:
    return ApplyBlock(BlockContext(bytes(32), height, height), list(calls))


def adding(key: str, n: int) -> Call:
    return Call(bytes([n]) * 32, "a", "c", "add", encode_value([key, n]), 1_000_000)


# --- refused -----------------------------------------------------------------------------------


def test_an_engine_that_is_not_here_is_refused_in_the_greeting(script: Script) -> None:
    assert start.main((engines.ENGINE_ARGUMENT, "shuxin-vm/0", "--unjailed")) == 1
    (ready,) = script.hear()
    assert isinstance(ready, Ready) and ready.vm_version == "shuxin-vm/0"
    assert "the worker was started as the engine shuxin-vm/0" in ready.refusal


def test_a_child_that_cannot_be_jailed_refuses_to_work(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def enter(*, allow_missing: bool) -> list[str]:
        asked.append(allow_missing)
        raise jail.JailUnavailable({jail.LANDLOCK: "not in this kernel"})

    monkeypatch.setattr(jail, "enter", enter)
    script.say(AskCheck(SOURCE))
    assert start.main(engines.LATEST.arguments) == 1
    (ready,) = script.hear()
    assert isinstance(ready, Ready) and "landlock: not in this kernel" in ready.refusal
    assert asked == [False]


def test_an_answer_without_a_question_ends_the_child(script: Script) -> None:
    script.say(Answer([None]))
    with pytest.raises(AssertionError, match="without a question"):
        start.main(UNJAILED)


@pytest.mark.parametrize(
    "instead", [Reset(), Answer([]), Answer([None] * 3)], ids=["other", "none", "too many"]
)
def test_a_question_takes_no_reply_but_its_answer(script: Script, instead: Request) -> None:
    script.say(block(1, adding("k", 1)), instead)
    with pytest.raises(msgspec.ValidationError, match="an answer was expected"):
        start.main(UNJAILED)


@pytest.mark.parametrize("fault", [MemoryError, RecursionError])
def test_a_fault_of_this_machine_is_no_verdict_and_ends_the_child(
    script: Script, monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    reset = Machine.reset

    def failing(machine: Machine) -> None:
        if machine.state._fetch is worker._fetch:  # not the one that warms up
            raise fault
        reset(machine)

    monkeypatch.setattr(Machine, "reset", failing)
    script.say(Reset(), Reset())
    assert start.main(UNJAILED) == 1
    assert script.hear()[1:] == [Fault(fault.__name__)]


# --- as it should be ---------------------------------------------------------------------------


def test_a_parent_that_goes_ends_the_child_in_peace(script: Script) -> None:
    assert converse(script) == []


def test_the_greeting_names_the_layers_that_hold(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def enter(*, allow_missing: bool) -> list[str]:
        asked.append(allow_missing)
        return [jail.LIMITS]

    monkeypatch.setattr(jail, "enter", enter)
    script.say()
    assert start.main((*engines.LATEST.arguments, "--lenient")) == 0
    assert script.hear() == [Ready([jail.LIMITS], "", VM_VERSION)]
    assert asked == [True]


def test_a_chain_is_founded_and_lives_on_what_the_child_holds(script: Script) -> None:
    """What the genesis wrote is not asked for again; what nobody wrote is, once."""
    query = Query("a", "c", "show", encode_value(["k"]), 1_000_000)
    replies = converse(
        script,
        FOUNDING,
        *NOTHING_THERE,
        block(1, adding("k", 2), adding("k", 3)),
        Answer([None]),
        AskView(BlockContext(bytes(32), 1, 1), query),
    )
    founded, applied, viewed = [reply for reply in replies if not isinstance(reply, Need)]
    assert isinstance(founded, Applied) and [r.status for r in founded.receipts] == [Code.ok]
    assert (CODE, KEY) in [(write.namespace, write.key) for write in founded.writes]
    assert isinstance(applied, Applied)
    assert [receipt.return_value for receipt in applied.receipts] == [b"\x02", b"\x05"]
    (write,) = applied.writes
    assert (write.namespace, write.key) == ("c", encode_value(["counts", "k"]))
    assert isinstance(viewed, Viewed) and viewed.value == b"\x05"


def test_after_a_reset_the_parent_is_asked_again(script: Script) -> None:
    replies = converse(
        script,
        FOUNDING,
        *NOTHING_THERE,
        Reset(),
        block(1, adding("k", 1)),
        Answer([None]),  # the founding block was not kept
    )
    done, need, applied = replies[-3:]
    assert done == Done() and need == Need([(CODE, b"c")])
    assert isinstance(applied, Applied)
    assert [receipt.status for receipt in applied.receipts] == [Code.unknown_contract]


def test_sources_are_checked_and_described(script: Script) -> None:
    checked, refused, described = converse(
        script, AskCheck("import os\n"), AskAbi("import os\n"), AskAbi(SOURCE)
    )
    assert isinstance(checked, Checked) and "L003" in {one.rule for one in checked.findings}
    assert isinstance(refused, Abi) and refused.text == ""
    assert refused.findings == checked.findings
    assert isinstance(described, Abi) and '"name":"add"' in described.text


def test_nothing_collects_garbage_while_a_block_runs(script: Script) -> None:
    converse(script, Reset())
    assert not gc.isenabled() and gc.get_freeze_count() > 0
    assert sys.getrecursionlimit() == worker.RECURSION_MAX


def test_the_process_ends_with_the_code_of_the_child(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Straight out, so the module run as a program is watched where it would be gone."""
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    monkeypatch.setattr(sys, "argv", ["start", engines.ENGINE_ARGUMENT, "shuxin-vm/0"])
    monkeypatch.delitem(sys.modules, "contracts.vm.start")
    runpy.run_module("contracts.vm.start", run_name="__main__")
    assert codes == [1] and len(script.hear()) == 1
