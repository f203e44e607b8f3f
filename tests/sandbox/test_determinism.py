"""The same block under five hash seeds: equal receipts, gas, writes and events."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SEEDS = ("0", "1", "42", "31337", "4294967295")

PROGRAM = '''
import hashlib
from contracts.vm.check import check_source
from contracts.vm.testing import Chain, account
from ledger.encoding import encode

SOURCE = """
from contracts.dialect import Map, Var, call, ctx, emit, record, require, sm3, view, view_contract
@record
class Item:
    name: str
    tags: list[str]
    scores: dict[str, int]
items = Map(str, Item)
pairs = Map((str, bytes), dict[str, list[int]])
numbers = Map(int, int)
total = Var(int)
@call
def work(words: list[str], n: int) -> dict[str, int]:
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + n
    for word, count in counts.items():
        items[word] = Item(name=word, tags=sorted(counts), scores=counts)
        pairs[word, sm3(word.encode())] = {w: [c, n] for w, c in counts.items()}
        numbers[count * 2 ** 200] = count
        total.set(total.get(0) + count)
        emit("Word", word=word, item=items[word], counts=counts)
    require(len(counts) > 1, "one word")
    return counts
@call
def crash(words: list[str], n: int) -> int:
    d = {word: n for word in words}
    return d["absent"]
@call
def spin(words: list[str], n: int) -> int:
    keys = {word + str(i): i for word in words for i in range(10)}
    t = 0
    while True:
        for key in keys:
            t += len(key)
            total.set(t)
"""
chain = Chain()
digest = hashlib.sha256()
for name in ("a", "b"):
    digest.update(encode(chain.deploy(name, SOURCE)))
calls = []
for i in range(60):
    words = [f"w{(i * j) % 11}" for j in range(i % 7)]
    method = ("work", "work", "work", "crash", "spin")[i % 5]
    calls.append((account(str(i)), ("a", "b", "c")[i % 3], method, [words, i]))
for receipt in chain.block(calls, gas_limit=300_000):
    digest.update(encode(receipt))
for key in sorted(chain.state):
    digest.update(repr((key, chain.state[key])).encode())
for source in (SOURCE, SOURCE.replace("sorted", "sort"), "x = [1\\n", "y = {1, 2}"):
    digest.update(repr(check_source(source)).encode())
print(len(chain.state), digest.hexdigest())
'''


def test_one_block_under_five_hash_seeds_gives_equal_results() -> None:
    outputs = set()
    for seed in SEEDS:
        result = subprocess.run(
            [sys.executable, "-B", "-c", PROGRAM],
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed, "PATH": os.defpath},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        outputs.add(result.stdout)
    assert len(outputs) == 1
    assert int(outputs.pop().split()[0]) > 50
