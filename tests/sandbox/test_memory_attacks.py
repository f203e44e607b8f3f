"""Memory bombs at the highest gas a transaction may carry, in the jailed worker: it survives.

A worker that ran out of memory would be a fault on every node at once and stop the chain, so
gas has to run out long before memory does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import psutil
import pytest

from contracts.vm import jail
from contracts.vm.host import Worker
from contracts.vm.messages import BlockContext
from contracts.vm.version import VM_VERSION
from ledger.encoding import encode
from ledger.genesis import Genesis, GenesisContract, Limits
from ledger.model import Transaction, TransactionBody, ValidatorSet
from ledger.values import encode_value
from tests.memory_reader import MemoryReader

GAS = Limits().transaction_gas_max
SECONDS_MAX = 20  # for 50 million units on a busy machine
HEAD = """
from contracts.dialect import Map, call, emit, record
@record
class Item:
    a: int
    b: list[int]
texts = Map(int, str)
lists = Map(int, list[int])
"""
SCRAP = "s = 'abcdefgh'\n    while len(s) < 30000:\n        s = s + s\n    "

BOMBS = {
    "texts": SCRAP + "k: list[list[str]] = []\n    while True:\n"
    "        k.append([s + str(i) for i in range(100)])",
    "wide_texts": "k: list[str] = []\n"
    "    w = '\\U0001f600' + ''.join(['a' for i in range(16000)])\n"
    "    while True:\n        k.append(w + str(len(k)))",
    "short_texts": "k: list[list[str]] = []\n    while True:\n"
    "        k.append([str(i) for i in range(16000)])",
    "slices": SCRAP + "k: list[list[str]] = []\n    while True:\n"
    "        k.append([s[i:i + 2] for i in range(16000)])",
    "split_texts": SCRAP + "k: list[list[str]] = []\n    t = s[0:9000].replace('a', '\\u0101,')\n"
    "    while True:\n        k.append(t.split(','))",
    "empty_lists": "k: list[list[list[int]]] = []\n    while True:\n"
    "        e: list[list[int]] = []\n        for i in range(16000):\n            e.append([])\n"
    "        k.append(e)",
    "empty_dicts": "k: list[list[dict[str, int]]] = []\n    while True:\n"
    "        e: list[dict[str, int]] = []\n"
    "        for i in range(16000):\n            e.append({})\n"
    "        k.append(e)",
    "small_dicts": "k: list[list[dict[int, int]]] = []\n    while True:\n"
    "        k.append([{i: i} for i in range(16000)])",
    "large_dicts": "k: list[dict[int, int]] = []\n    while True:\n"
    "        k.append({i: i * 2 ** 200 for i in range(16000)})",
    "large_integers": "k: list[list[int]] = []\n    while True:\n"
    "        k.append([i + 2 ** 255 for i in range(16000)])",
    "copied_lists": "x = [i for i in range(16000)]\n    k: list[list[int]] = []\n    while True:\n"
    "        k.append(list(x))\n        k.append(x[0:])\n        k.append(sorted(x))",
    "records": "k: list[list[Item]] = []\n    while True:\n"
    "        k.append([Item(i, [i]) for i in range(16000)])",
    "tuples": "k: list[list[tuple[int, int, int]]] = []\n    while True:\n"
    "        k.append([(i, i, i) for i in range(16000)])",
    "stored_texts": SCRAP + "i = 0\n    while True:\n        texts[i] = s + str(i)\n        i += 1",
    "stored_lists": "x = [i for i in range(15000)]\n    i = 0\n    while True:\n"
    "        lists[i] = x\n        i += 1",
    "empty_reads": "i = 0\n    t = 0\n    while True:\n        t += len(texts.get(i, ''))\n"
    "        i += 1",
}


def source_of(bomb: str) -> str:
    return f"{HEAD}@call\ndef attack() -> None:\n    {BOMBS[bomb]}\n"


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker(allow_unjailed=True) as worker:
        yield worker


@pytest.fixture(scope="module")
def reader(worker: Worker) -> MemoryReader:
    source = HEAD + "".join(
        f"@call\ndef bomb_{name}() -> None:\n    {body}\n" for name, body in BOMBS.items()
    )
    contracts = (GenesisContract("bombs", source, encode_value([])),)
    genesis = Genesis(1, "t", 1, ValidatorSet(()), (), contracts, Limits(), VM_VERSION)
    reader = MemoryReader()
    reader.commit(worker.apply_genesis(genesis).writes)
    return reader


@pytest.mark.parametrize("bomb", BOMBS)
def test_gas_runs_out_before_memory_and_time(
    bomb: str, worker: Worker, reader: MemoryReader
) -> None:
    before = worker.process_id
    body = TransactionBody(
        1, bytes(32), bytes(64), bytes(16), 9, "bombs", f"bomb_{bomb}", encode_value([]), GAS
    )
    start = time.perf_counter()
    block = BlockContext(bytes(32), 1, 1)
    result = worker.apply_block(block, [Transaction(encode(body), bytes(64))], reader)
    assert time.perf_counter() - start < SECONDS_MAX
    assert (result.receipts[0].error, result.writes) == ("out_of_gas", ())
    assert worker.process_id == before


def test_the_worker_gives_memory_back(worker: Worker, reader: MemoryReader) -> None:
    assert worker.process_id is not None
    resident = psutil.Process(worker.process_id).memory_info().rss
    assert resident < jail.MEMORY_MAX // 4
