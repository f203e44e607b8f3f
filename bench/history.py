"""`make bench-history`: what the history costs a commit, how fast it follows, how fast it answers.

Blocks of 1,000 transactions and 2,000 writes are committed in turns to two ledgers, of which one
does not store the lists of changes: the difference is what commits pay. Then a follower makes the
history of the other ledger, as after somebody deleted it, and pages of it are read.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec

from bench.ledger_chain import NAMESPACE, VALUE_SIZE, Chain, key_of, load
from bench.processes import usage
from crypto import sm3
from ledger.commit import Commit
from ledger.encoding import decode, encode
from ledger.history.database import History
from ledger.history.pages import Page, Span
from ledger.merkle import receipts_root
from ledger.model import Event, Receipt, StateWrite, Transaction, TransactionBody, transaction_id
from ledger.schema import CHANGES
from ledger.store import Store
from ledger.values import Value, encode_value
from node.announce import Announcer
from node.history import Follower, history_of

KEYS = 100_000
TRANSACTIONS, WRITES = 1_000, 2_000
SENDERS = 50
GRANTS = 2_000  # subjects of the events, beside the party and an id of its own
QUERIES = 200
PACED = 20  # blocks
ROWS = 50  # of a page


class Without(Store):
    """A ledger that does not store the lists of changes."""

    def pairs_of(self, commit: Commit) -> Iterator[tuple[bytes, bytes | None]]:
        return (pair for pair in super().pairs_of(commit) if pair[0][:1] != CHANGES)


def business(chain: Chain) -> list[Transaction]:
    """Transactions of a few senders."""
    return [
        msgspec.structs.replace(one, body=_sent(one.body, chain.random))
        for one in chain.transactions(TRANSACTIONS)
    ]


def grow(chain: Chain) -> float:
    """One block more; the seconds of its commit, with the state root."""
    store, draw = chain.store, chain.random
    block = chain.block(business(chain))
    writes = [
        StateWrite(NAMESPACE, key_of(i), draw.randbytes(VALUE_SIZE))
        for i in draw.sample(range(KEYS), WRITES)
    ]
    gc.collect()
    gc.disable()
    began = time.perf_counter()
    root = store.tree.apply(writes)
    staged = time.perf_counter()
    commit = chain.commit_of(block, writes, root)
    receipts = tuple(_receipt(one, draw) for one in block.transactions)
    statement = msgspec.structs.replace(commit.statement, receipts_root=receipts_root(receipts))
    commit = replace(commit, receipts=receipts, statement=statement)
    ready = time.perf_counter()
    store.commit(commit)
    ended = time.perf_counter()
    gc.enable()
    chain.certify()
    return staged - began + ended - ready


def follow(store: Store, folder: Path) -> tuple[History, float]:
    """The history of a ledger, made from the beginning, and the seconds that took."""
    print(f"memory of the process: {usage({'': os.getpid()})[''].anonymous >> 20} MB, then")
    announcer = Announcer(store.certified_height)
    follower = Follower(_history(folder, store), store, announcer, keep_blocks=0)
    began, worked = time.perf_counter(), time.process_time()
    follower.start()
    follower.history.wait_for(store.height, 3600)
    took = time.perf_counter() - began
    worked = time.process_time() - worked
    print(f"{1000 * worked / store.height:.1f} ms of processor a block, LevelDB's threads with it")
    announcer.close()
    follower.close()
    print(f"memory of the process: {usage({'': os.getpid()})[''].anonymous >> 20} MB")
    return _history(folder, store), took


def paced(chain: Chain, follower: Follower | None, announcer: Announcer) -> float:
    """Median seconds of commits that come once a second."""
    costs: list[float] = []
    for _ in range(PACED):
        began = time.perf_counter()
        costs.append(grow(chain))
        announcer.announce(chain.store.certified_height)
        time.sleep(max(0.0, 1 - (time.perf_counter() - began)))
    if follower is not None and follower.lag_blocks > 1:
        print(f"the follower is {follower.lag_blocks} blocks behind")
    return statistics.median(costs)


def beside(chain: Chain, folder: Path) -> None:
    """Commits at 1,000 transactions a second, without and with a follower."""
    announcer = Announcer(chain.store.certified_height)
    alone = paced(chain, None, announcer)
    history = _history(folder, chain.store)
    follower = Follower(history, chain.store, announcer, keep_blocks=0)
    follower.start()
    history.wait_for(chain.store.height, 3600)
    followed = paced(chain, follower, announcer)
    print(
        f"commit once a second: {1000 * alone:.1f} ms, with a follower {1000 * followed:.1f} ms: "
        f"x {followed / alone:.3f}"
    )
    announcer.close()
    follower.close()


def latencies(ask: Callable[[int], Page[object]]) -> str:
    """Median and 99th percentile of many pages, in milliseconds."""
    took: list[float] = []
    rows = 0
    for number in range(QUERIES):
        began = time.perf_counter()
        page = ask(number)
        took.append(1000 * (time.perf_counter() - began))
        rows += len(page.rows)
    cuts = statistics.quantiles(took, n=100)
    return f"{statistics.median(took):.2f} ms, p99 {cuts[98]:.2f} ms, {rows / QUERIES:.0f} rows"


def tell(history: History, blocks: int) -> None:
    """Pages of everything there is to ask for."""
    draw = random.Random(1)
    middle = blocks // 2

    def account(number: int, span: Span) -> Page[object]:
        return history.of_account(sm3.digest(_sender(number % SENDERS))[:20], span)

    asks: dict[str, Callable[[int], Page[object]]] = {
        "a key": lambda n: history.of_key(NAMESPACE, key_of(draw.randrange(KEYS)), _span()),
        "an account, newest": lambda n: account(n, _span()),
        "an account, from the middle": lambda n: account(n, _span(to_height=middle)),
        "a grant": lambda n: history.of_subject(encode_value(f"grant-{n}"), _span()),
        "a grant, one contract": lambda n: history.of_subject(
            encode_value(f"grant-{n}"), _span(), contract="grant"
        ),
    }
    for name, ask in asks.items():
        print(f"page of {name}: {latencies(ask)}")


def _history(folder: Path, store: Store) -> History:
    history = history_of(folder, store)
    assert history is not None, "the folder is ours"
    return history


def _span(*, to_height: int = Span().to_height) -> Span:
    return Span(to_height=to_height, rows_max=ROWS)


def _sent(body: bytes, draw: random.Random) -> bytes:
    sent = decode(body, TransactionBody, size_max=len(body))
    return encode(msgspec.structs.replace(sent, sender=_sender(draw.randrange(SENDERS))))


def _sender(number: int) -> bytes:
    return bytes([number]) * 64


def _receipt(transaction: Transaction, draw: random.Random) -> Receipt:
    fields: dict[str, Value] = {
        "grant_id": f"grant-{draw.randrange(GRANTS)}",
        "task_id": f"task-{draw.getrandbits(64):x}",
        "party_id": f"party-{draw.randrange(20)}",
        "number": draw.randrange(1000),
    }
    event = Event("task", "TaskUsed", tuple((k, encode_value(v)) for k, v in fields.items()))
    return Receipt(transaction_id(transaction), 0, 777, (event,), b"\xc0", "", "")


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def run(folder: Path, blocks: int) -> None:
    chains: list[Chain] = []
    for kind in (Store, Without):
        _say(f"loading {KEYS:,} keys …")
        path = folder / kind.__name__ / "ledger"
        path.parent.mkdir()
        load(path, KEYS)
        chains.append(Chain(kind.open(path)))
    _say(f"committing {blocks:,} blocks to each …")
    costs: list[tuple[float, float]] = []
    for number in range(blocks):
        took = {which: grow(chains[which]) for which in ((0, 1) if number % 2 else (1, 0))}
        costs.append((took[0], took[1]))
    listed, plain = (1000 * statistics.median(pair[which] for pair in costs) for which in (0, 1))
    ratio = statistics.median(one / other for one, other in costs)
    print(f"commit with list of changes {listed:.1f} ms, without {plain:.1f} ms: x {ratio:.3f}")
    transactions = blocks * TRANSACTIONS
    ledger = chains[0].store
    extra = _size(folder / Store.__name__) - _size(folder / Without.__name__)
    _say("making the history …")
    history, seconds = follow(ledger, folder)
    print(f"history of {transactions:,} transactions: {transactions / seconds:,.0f} a second")
    print(
        f"on disk: {extra / transactions:.0f} bytes a transaction in the ledger, "
        f"{history.size / transactions:.0f} in the history"
    )
    tell(history, ledger.height)
    history.close()
    beside(chains[0], folder)
    for chain in chains:
        chain.store.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.history", description=__doc__)
    parser.add_argument("--blocks", type=int, default=250, help="of 1,000 transactions each")
    parser.add_argument("--folder", type=Path, help="on the disk to measure (default: temporary)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        run(Path(folder), options.blocks)


if __name__ == "__main__":
    main()
