"""The parent's end: a `Worker` that executes blocks, answers views and checks sources.

Blocking, one request at a time. A worker that dies, runs out of memory, stalls or breaks a rule
is a fault of this node, never a verdict on a transaction: it is restarted, the request retried
once, and then `WorkerFault` tells the node to abstain.

The child is one engine. Which one runs a height the state says (engine_schedule.py); where that
is another than the child's, up or down the chain, the child is stopped and the right one started.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NoReturn, Protocol, TypeVar

import msgspec

import contracts
from contracts.vm import engines, frames, limits
from contracts.vm.code_records import CODE, CONTRACT, GENESIS
from contracts.vm.codes import ViewRefused
from contracts.vm.engine_schedule import engine_at
from contracts.vm.engines import Engine
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
    Install,
    Need,
    NeedRange,
    Query,
    RangeAnswer,
    Ready,
    Reply,
    Request,
    Reset,
    Viewed,
    encoder,
    reply_decoder,
)
from contracts.vm.ranges import Range, RangePage, page_of
from contracts.vm.revalidate import (
    ReplyInvalid,
    validate_receipts,
    validate_view,
    validate_writes,
)
from contracts.vm.rules import Finding, SourceRefused
from ledger.encoding import decode
from ledger.genesis import Genesis, chain_id
from ledger.model import (
    Receipt,
    StateWrite,
    Transaction,
    TransactionBody,
    address_of,
    transaction_id,
)

START_TIMEOUT_S = 30.0  # imports and a warm-up, on a busy machine
REQUEST_TIMEOUT_S = 30.0  # a check, or one contract of a genesis
# A view holds a thread of the client interface, and all other views. VIEW_GAS_MAX stands for half
# a second of computing and its reads for another: five times that is a machine in trouble or a
# worker astray, and whoever asked does better with another node.
VIEW_TIMEOUT_S = 5.0
BLOCK_TIMEOUT_S = 60.0  # beside a second for every 5 million units of gas: ten times the worst
GAS_PER_SECOND = 5_000_000
ANSWER_SIZE_MAX = 8 << 20  # bytes of state in one answer; the worker asks again for the rest
STOP_TIMEOUT_S = 2.0
TRANSACTION_SIZE_MAX = 1 << 20  # decoded already by the ledger with its own limit
NEEDS_PER_REQUEST_MAX = 1_000_000  # questions; a worker that asks on and on has gone astray
_R = TypeVar("_R", bound=Reply)
_T = TypeVar("_T")


class WorkerFault(Exception):
    """This node could not execute; it must abstain and say so, and try again later."""


class JailRefused(WorkerFault):
    """The worker refuses to run because it cannot be jailed here."""


class GenesisRefused(Exception):
    """A contract of the genesis does not deploy; the message names it and says why."""


class StateReader(Protocol):
    def get(self, namespace: str, key: bytes) -> bytes | None: ...


class RangeReader(StateReader, Protocol):
    def scan(
        self, namespace: str, low: bytes, high: bytes, *, is_reverse: bool
    ) -> Iterator[tuple[bytes, bytes]]:
        """Keys from `low` up to and without `high` with their values, in order or down."""
        ...


@dataclass(frozen=True, slots=True)
class BlockResult:
    receipts: tuple[Receipt, ...]
    writes: tuple[StateWrite, ...]


@dataclass(frozen=True, slots=True)
class GenesisResult:
    writes: tuple[StateWrite, ...]


@dataclass(frozen=True, slots=True)
class ViewResult:
    value: bytes
    gas_used: int


class EmptyReader:
    """The state before genesis."""

    def get(self, namespace: str, key: bytes) -> bytes | None:
        return None

    def scan(
        self, namespace: str, low: bytes, high: bytes, *, is_reverse: bool
    ) -> Iterator[tuple[bytes, bytes]]:
        return iter(())


class Worker:
    """One jailed child. `layers` says which parts of the jail hold, `engine` which one it is."""

    def __init__(self, *, jail: bool = True, allow_unjailed: bool = False) -> None:
        """Start the child. Raises JailRefused unless it is jailed or that is waived."""
        self.engine: Engine = engines.LATEST  # until a state asks for another
        self._mode = "" if jail else "--unjailed"
        if jail and allow_unjailed:
            self._mode = "--lenient"
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self.layers: tuple[str, ...] = ()
        self.restarts = 0
        with self._lock:
            self._start()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the child; a later request starts it again."""
        with self._lock:
            self._stop()

    @property
    def process_id(self) -> int | None:
        process = self._process
        return None if process is None else process.pid

    # --- requests ---------------------------------------------------------------------------

    def apply_genesis(self, genesis: Genesis) -> GenesisResult:
        """Deploy the contracts of the genesis, under the engine that it names.

        Raises GenesisRefused, EngineUnknown, WorkerFault.
        """
        engine = engines.find(genesis.vm_version, where="the genesis names")
        block = BlockContext(chain_id(genesis), 0, genesis.time_ms)
        installs = [Install(item.name, item.source, item.args) for item in genesis.contracts]
        marker = [Call(b"", GENESIS, CONTRACT, "deploy", b"", 1 << 62)] * len(installs)

        def validate(reply: Applied) -> GenesisResult:
            receipts = reply.receipts
            if receipts and receipts[-1].status != 0:
                name = installs[len(receipts) - 1].name
                last = receipts[-1]
                raise GenesisRefused(f"contract {name}: {last.error}: {last.detail}")
            validate_receipts(receipts, marker)
            validate_writes(reply.writes, marker, lambda _: False, founding=genesis.vm_version)
            return GenesisResult(tuple(reply.writes))

        request = ApplyGenesis(block, installs, genesis.vm_version)
        timeout = REQUEST_TIMEOUT_S * (1 + len(installs))
        return self._ask(request, Applied, validate, EmptyReader(), timeout, engine)

    def apply_block(
        self, block: BlockContext, transactions: Sequence[Transaction], reader: RangeReader
    ) -> BlockResult:
        """Execute a block on the state of `reader`, which stands after the block before.

        Raises EngineUnknown before anything runs, ScheduleDamaged, WorkerFault.
        """
        engine = engine_at(reader, block.height)
        calls = [call_of(transaction) for transaction in transactions]

        def is_deployed(name: str) -> bool:
            return reader.get(CODE, name.encode()) is not None

        def validate(reply: Applied) -> BlockResult:
            validate_receipts(reply.receipts, calls)
            validate_writes(reply.writes, calls, is_deployed)
            return BlockResult(tuple(reply.receipts), tuple(reply.writes))

        timeout = BLOCK_TIMEOUT_S + sum(call.gas_limit for call in calls) / GAS_PER_SECOND
        return self._ask(ApplyBlock(block, calls), Applied, validate, reader, timeout, engine)

    def view(
        self,
        block: BlockContext,
        *,
        sender: str,
        contract: str,
        method: str,
        args: bytes,
        reader: RangeReader,
        gas_limit: int = limits.VIEW_GAS_MAX,
    ) -> ViewResult:
        """Ask a @view on the state after `block.height`, under the engine of that height.

        Raises ViewRefused, EngineUnknown, ScheduleDamaged, WorkerFault.
        """
        engine = engine_at(reader, block.height)
        query = Query(sender, contract, method, args, min(gas_limit, limits.VIEW_GAS_MAX))

        def validate(reply: Viewed) -> Viewed:
            validate_view(reply, query.gas_limit)
            return reply

        request = AskView(block, query)
        answer = self._ask(request, Viewed, validate, reader, VIEW_TIMEOUT_S, engine)
        if answer.status != 0:
            raise ViewRefused(answer.status, answer.detail)
        return ViewResult(answer.value, answer.gas_used)

    def check(self, source: str) -> list[Finding]:
        """What `contracts.vm.check.check_source` says, computed in the jail."""
        return self._ask(
            AskCheck(source),
            Checked,
            lambda reply: reply.findings,
            EmptyReader(),
            REQUEST_TIMEOUT_S,
        )

    def abi(self, source: str) -> str:
        """The ABI as JSON text. Raises SourceRefused."""
        reply = self._ask(
            AskAbi(source), Abi, lambda reply: reply, EmptyReader(), REQUEST_TIMEOUT_S
        )
        if not reply.text:
            raise SourceRefused(tuple(reply.findings))
        return reply.text

    def reset_cache(self) -> None:
        """The last block was not committed, or the store stands elsewhere now."""
        self._ask(Reset(), Done, lambda reply: None, EmptyReader(), REQUEST_TIMEOUT_S)

    # --- the exchange -----------------------------------------------------------------------

    def _ask(
        self,
        request: Request,
        kind: type[_R],
        validate: Callable[[_R], _T],
        reader: RangeReader,
        timeout_s: float,
        engine: Engine | None = None,
    ) -> _T:
        """`engine` None: whichever runs."""
        payload = encoder.encode(request)
        with self._lock:
            if engine is not None and engine != self.engine:
                self._stop()
                self.engine = engine
            for attempt in (1, 2):
                try:
                    if self._process is None:
                        self._start()
                    reply = self._exchange(payload, reader, time.monotonic() + timeout_s)
                    if not isinstance(reply, kind):
                        raise ReplyInvalid(f"the worker answered with {type(reply).__name__}")
                    return validate(reply)
                except (frames.PipeBroken, ReplyInvalid) as error:
                    self._stop()
                    self.restarts += 1
                    # A view that stalled once would hold its thread twice as long.
                    is_over = isinstance(error, frames.TooSlow) and isinstance(request, AskView)
                    if attempt == 2 or is_over:
                        self._fault(request, error, attempt)
                except BaseException as error:
                    if not isinstance(error, GenesisRefused):
                        self._stop()  # it may be in the middle of a question
                    raise
        raise AssertionError("a third attempt")  # pragma: no cover (the second returns or raises)

    def _fault(self, request: Request, error: Exception, attempts: int) -> NoReturn:
        kind = type(request).__name__
        often = "twice" if attempts == 2 else "once"
        raise WorkerFault(
            f"the contract worker failed {often} on {kind}: {error}. The node abstains; look at "
            "its log and memory, then restart it"
        ) from error

    def _exchange(self, payload: bytes, reader: RangeReader, deadline: float) -> Reply:
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        to_worker, from_worker = process.stdin.fileno(), process.stdout.fileno()
        frames.send(to_worker, payload, deadline=deadline)
        for _ in range(NEEDS_PER_REQUEST_MAX):
            reply = _decode(frames.receive(from_worker, deadline=deadline))
            answer: Request
            match reply:
                case Need(keys):
                    answer = Answer(_values(keys, reader))
                case NeedRange(asked):
                    answer = RangeAnswer(read_page(asked, reader))
                case _:
                    return reply
            frames.send(to_worker, encoder.encode(answer), deadline=deadline)
        raise ReplyInvalid("the worker asks on and on")

    # --- the child --------------------------------------------------------------------------

    def _start(self) -> None:
        assert contracts.__file__ is not None
        root = str(Path(contracts.__file__).resolve().parent.parent)
        command = [sys.executable, "-B", "-P", "-s", "-m", "contracts.vm.start"]
        command += self.engine.arguments
        # A fresh random hash seed, no settings of ours, no secrets of the environment.
        environment = {"PYTHONPATH": root, "MALLOC_ARENA_MAX": "1", "LC_ALL": "C.UTF-8"}
        self._process = process = subprocess.Popen(
            [*command, self._mode] if self._mode else command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd="/",
            bufsize=0,
        )
        assert process.stdin is not None and process.stdout is not None
        os.set_blocking(process.stdin.fileno(), False)
        os.set_blocking(process.stdout.fileno(), False)
        deadline = time.monotonic() + START_TIMEOUT_S
        try:
            ready = _decode(frames.receive(process.stdout.fileno(), deadline=deadline))
        except (frames.PipeBroken, ReplyInvalid) as error:
            self._stop()
            raise WorkerFault(f"the contract worker does not start: {error}") from None
        if not isinstance(ready, Ready) or ready.refusal:
            self._stop()
            raise JailRefused(ready.refusal if isinstance(ready, Ready) else "no greeting")
        if ready.vm_version != self.engine.vm_version:
            self._stop()
            raise WorkerFault(
                f"the contract worker is {ready.vm_version}, not {self.engine.vm_version}: the "
                "files of this release do not belong together; install it anew"
            )
        self.layers = tuple(ready.layers)

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        process.stdout.close()
        process.wait(STOP_TIMEOUT_S)


def _values(keys: Sequence[tuple[str, bytes]], reader: RangeReader) -> list[bytes | None]:
    values: list[bytes | None] = []
    size = 0
    for namespace, key in keys:
        value = reader.get(namespace, key)
        values.append(value)
        size += len(value or b"")
        if size > ANSWER_SIZE_MAX:
            break
    return values


def read_page(asked: Range, reader: RangeReader) -> RangePage:
    """The page that answers `asked`."""
    entries = reader.scan(asked.namespace, asked.low, asked.high, is_reverse=asked.is_reverse)
    return page_of(asked, entries, size_max=ANSWER_SIZE_MAX)


def _decode(data: bytes) -> Reply:
    try:
        return reply_decoder.decode(data)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise ReplyInvalid(f"the worker sent no message: {error}") from None


_address = lru_cache(maxsize=4096)(address_of)  # few senders sign many transactions


def call_of(transaction: Transaction) -> Call:
    """What the worker needs of a transaction whose signature was verified."""
    body = decode(transaction.body, TransactionBody, size_max=TRANSACTION_SIZE_MAX)
    return Call(
        transaction_id(transaction),
        _address(body.sender),
        body.contract,
        body.method,
        body.args,
        max(0, body.gas_limit),
    )
