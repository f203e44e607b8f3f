"""A child that says something else than it should is stopped, and what it said is not believed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from contracts.vm import frames, host
from contracts.vm.host import JailRefused, Worker, WorkerFault
from contracts.vm.messages import (
    Answer,
    Checked,
    Done,
    Fault,
    Need,
    Ready,
    encoder,
    request_decoder,
)
from contracts.vm.rules import SourceRefused
from contracts.vm.version import VM_VERSION
from tests.memory_reader import MemoryReader
from tests.sandbox.test_worker_faults import COUNTER, block, genesis, transaction

READY = encoder.encode(Ready([], "", VM_VERSION))
# Says what it was made to say, whatever it is told, and stays until its parent has enough of it.
LIAR = """#!{python} -IS
import sys
sys.stdout.buffer.write({said!r})
sys.stdout.buffer.flush()
sys.stdin.buffer.read()
"""


class Liar:
    """Makes every child that is started from now on say these frames."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._program = folder / "liar"
        self._python = sys.executable
        monkeypatch.setattr(sys, "executable", str(self._program))

    def says(self, *payloads: bytes) -> None:
        said = b"".join(len(payload).to_bytes(4, "big") + payload for payload in payloads)
        self.says_bytes(said)

    def says_bytes(self, said: bytes) -> None:
        self._program.write_text(LIAR.format(python=self._python, said=said))
        self._program.chmod(0o700)


@pytest.fixture
def liar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Liar:
    return Liar(tmp_path, monkeypatch)


# --- the greeting ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"\xff\xff\xff\xff", f"a frame of {2**32 - 1} bytes"),
        (b"\0\0\0\1\xc1", "the worker sent no message"),
        (b"\0\0\0\3\x91\xa1x", "the worker sent no message"),
    ],
    ids=["no frame", "no msgpack", "no message"],
)
def test_a_child_that_greets_with_anything_else_does_not_start(
    liar: Liar, said: bytes, why: str
) -> None:
    liar.says_bytes(said)
    with pytest.raises(WorkerFault, match=f"the contract worker does not start: {why}"):
        Worker()


def test_a_child_that_ends_at_once_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/true")
    with pytest.raises(WorkerFault, match="does not start: the other end closed"):
        Worker()


def test_a_greeting_with_a_refusal_is_no_worker(liar: Liar) -> None:
    liar.says(encoder.encode(Ready([], "no landlock here", VM_VERSION)))
    with pytest.raises(JailRefused, match="no landlock here"):
        Worker()


def test_another_message_is_no_greeting(liar: Liar) -> None:
    liar.says(encoder.encode(Done()))
    with pytest.raises(JailRefused, match="no greeting"):
        Worker()


# --- replies -----------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [Done(), Ready([], "", VM_VERSION), Fault("MemoryError")])
def test_a_reply_to_another_question_is_none(liar: Liar, said: Done | Ready | Fault) -> None:
    liar.says(READY, encoder.encode(said))
    with Worker() as worker:
        with pytest.raises(
            WorkerFault,
            match=f"failed twice on AskCheck: the worker answered with {type(said).__name__}",
        ):
            worker.check(COUNTER)
        assert worker.restarts == 2 and worker.process_id is None


def test_a_child_that_asks_on_and_on_has_gone_astray(
    liar: Liar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "NEEDS_PER_REQUEST_MAX", 3)
    need = encoder.encode(Need([("c", b"k")]))
    liar.says(READY, *[need] * 2, encoder.encode(Checked([])))
    with Worker() as worker:
        assert worker.check(COUNTER) == [], "two questions may be asked"
    liar.says(READY, *[need] * 3, encoder.encode(Checked([])))
    with Worker() as worker, pytest.raises(WorkerFault, match="the worker asks on and on"):
        worker.check(COUNTER)


def test_a_source_with_findings_has_no_interface() -> None:
    with Worker(allow_unjailed=True) as worker, pytest.raises(SourceRefused) as refused:
        worker.abi("import os\n")
    assert [finding.rule for finding in refused.value.findings] == ["L003"]


# --- answers of the parent ---------------------------------------------------------------------


def test_an_answer_is_cut_short_where_it_grows_too_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The child asks again for what is left, and comes to the same end."""
    sent: list[int] = []
    send = frames.send

    def watched(descriptor: int, payload: bytes, *, deadline: float | None = None) -> None:
        request = request_decoder.decode(payload)
        if isinstance(request, Answer):
            sent.append(len(request.values))
        send(descriptor, payload, deadline=deadline)

    with Worker(allow_unjailed=True) as worker:
        reader = MemoryReader()
        reader.commit(worker.apply_genesis(genesis()).writes)
        calls = [transaction("add", f"k{n}", 1, nonce=n) for n in range(6)]
        reader.commit(worker.apply_block(block(1), calls, reader).writes)
        worker.reset_cache()
        monkeypatch.setattr(frames, "send", watched)
        whole = worker.apply_block(block(2), calls, reader)
        assert max(sent) == 6
        sent.clear()
        worker.reset_cache()
        monkeypatch.setattr(host, "ANSWER_SIZE_MAX", 2)
        assert worker.apply_block(block(2), calls, reader) == whole
        assert sent and max(sent) == 3, "whatever passes the bound is the last in its answer"
