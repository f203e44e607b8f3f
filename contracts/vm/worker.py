"""The child process: `python -m contracts.vm.start --engine NAME [--unjailed|--lenient]`.

It is one engine (engines.py) for as long as it lives: the parent starts another at the height
where the chain changes its engine. Answers one request at a time on its standard input and
output. Jails itself before it reads the first byte from the parent, and refuses to work if it
cannot, unless told otherwise.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from functools import partial

import msgspec

from contracts.vm import engines, frames, jail
from contracts.vm.abi import describe
from contracts.vm.apply import Machine
from contracts.vm.codes import NODE_FAULTS
from contracts.vm.compile import check
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
    NeedRange,
    Query,
    RangeAnswer,
    Ready,
    Reply,
    Request,
    Reset,
    encoder,
    request_decoder,
)
from contracts.vm.ranges import Range, RangePage, page_in
from contracts.vm.state import StateKey
from crypto import sm2
from ledger.values import Value, encode_value

RECURSION_MAX = 3_000  # frames; the language needs a few hundred, so never the limit of a program
_READ, _WRITE = 0, 1

_WARM_UP = """
from contracts.dialect import Map, call, ctx, emit, record, require, view, sm2_verify, sm3
@record
class Item:
    text: str
    count: int
items = Map(str, Item)
@call
def put(key: str, count: int) -> None:
    require(count > 0, "no")
    items[key] = Item(text=f"{key}{ctx.height}", count=count * count)
    emit("Put", key=key, digest=sm3(key.encode()), item=items[key])
@call
def check(key: bytes, good: bytes, bad: bytes) -> None:
    require(sm2_verify(key, b"", good) and not sm2_verify(key, b"", bad), "no")
@view
def show(key: str) -> list[Item]:
    return [items[key] for i in range(2)]
"""


def main(arguments: Sequence[str]) -> int:
    sys.setrecursionlimit(RECURSION_MAX)
    name = arguments[arguments.index(engines.ENGINE_ARGUMENT) + 1]
    try:
        engine = engines.find(name, where="the worker was started as")
        _warm_up(engine)
        layers = _jail(arguments)
    except (engines.EngineUnknown, jail.JailUnavailable) as error:
        _send(Ready([], str(error), name))
        return 1
    gc.freeze()
    gc.disable()
    _send(Ready(layers, "", engine.vm_version))
    worker = _Worker(engine)
    while True:
        try:
            request = request_decoder.decode(frames.receive(_READ))
        except frames.PipeBroken:
            return 0  # the parent is gone
        try:
            _send(worker.answer(request))
        except NODE_FAULTS as error:
            _send(Fault(type(error).__name__))
            return 1
        if isinstance(request, (ApplyBlock, ApplyGenesis)):
            gc.collect()  # failed transactions leave tracebacks in cycles


def _jail(arguments: Sequence[str]) -> list[str]:
    if "--unjailed" in arguments:
        return []
    return jail.enter(allow_missing="--lenient" in arguments)


def _warm_up(engine: engines.Engine) -> None:
    """Load everything that is loaded lazily while files can still be opened."""
    machine = Machine(lambda keys: [None] * len(keys), partial(page_in, {}), engine.language)
    install = Install("warm", _WARM_UP, encode_value([]))
    receipts, _ = machine.apply_genesis(BlockContext(b"", 0, 0), [install], engine.vm_version)
    private = sm2.generate()
    good = sm2.sign(private, b"")
    bad = good[:-1] + bytes([good[-1] ^ 1])
    wanted: list[tuple[str, list[Value]]] = [
        ("put", ["key", 2**80]),
        ("check", [sm2.public_key(private), good, bad]),
    ]
    calls = [
        Call(bytes(32), "a", "warm", method, encode_value(arguments), 10**6)
        for method, arguments in wanted
    ]
    done, _ = machine.apply_block(BlockContext(b"", 1, 1), calls)
    assert all(receipt.status == 0 for receipt in (*receipts, *done)), "the engine works"
    query = Query("a", "warm", "show", encode_value(["key"]), 10**6)
    machine.view(BlockContext(b"", 1, 1), query)
    check("x = (")  # the parser's error path
    encode_value({"a": [2**70, {"b": None}]})


class _Worker:
    def __init__(self, engine: engines.Engine) -> None:
        self.machine = Machine(_fetch, _scan, engine.language)

    def answer(self, request: Request) -> Reply:
        match request:
            case ApplyBlock(block, calls):
                return self._apply(block, calls)
            case ApplyGenesis(block, contracts, vm_version):
                receipts, writes = self.machine.apply_genesis(block, contracts, vm_version)
                return Applied(receipts, list(writes))
            case AskView(block, query):
                return self.machine.view(block, query)
            case AskCheck(source):
                return Checked(list(check(source, self.machine.language)[0]))
            case AskAbi(source):
                findings, compiled = check(source, self.machine.language)
                return Abi(describe(compiled) if compiled else "", list(findings))
            case Reset():
                self.machine.reset()
                return Done()
            case Answer() | RangeAnswer():  # pragma: no branch (no other kind)
                raise AssertionError("an answer without a question")

    def _apply(self, block: BlockContext, calls: Sequence[Call]) -> Applied:
        receipts, writes = self.machine.apply_block(block, calls)
        return Applied(receipts, list(writes))


def _send(reply: Reply) -> None:
    frames.send(_WRITE, encoder.encode(reply))


def _fetch(keys: Sequence[StateKey]) -> list[bytes | None]:
    _send(Need(list(keys)))
    answer = request_decoder.decode(frames.receive(_READ))
    if not isinstance(answer, Answer) or not 0 < len(answer.values) <= len(keys):
        raise msgspec.ValidationError("an answer was expected")
    return answer.values


def _scan(asked: Range) -> RangePage:
    _send(NeedRange(asked))
    answer = request_decoder.decode(frames.receive(_READ))
    if not isinstance(answer, RangeAnswer):
        raise msgspec.ValidationError("a page was expected")
    page = answer.page
    if len(page.values) != (len(page.keys) if asked.with_values else 0):
        raise msgspec.ValidationError("a page has a value for every key, or none")
    if not page.keys and not page.is_last:
        raise msgspec.ValidationError("an empty page is the last")
    return page
