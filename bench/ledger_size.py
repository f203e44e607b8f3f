"""One size of state in a process of its own: `python -m bench.ledger_size FOLDER KEYS CLOCK`.

Loads the state, then reads orders from standard input, one a line, and answers each with one
line of JSON, so that the sizes can take turns and each has a memory of its own.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from bench.ledger_chain import NAMESPACE, VALUE_SIZE, Chain, forget, key_of, load
from bench.processes import usage
from ledger.disk import open_database
from ledger.errors import LedgerError
from ledger.model import StateWrite
from ledger.proof import StateProof, verify_state_proof
from ledger.schema import STATE
from ledger.store import Store

T = TypeVar("T")

TRANSACTIONS = 1_000
WRITES = 2_000
WALL = "wall"
CLOCKS = {WALL: time.perf_counter, "cpu": time.thread_time}
PROOFS = 200  # of each kind, per round


@dataclass(frozen=True, slots=True)
class Sample:
    """Seconds of one round, and the bytes of the batches (keys and values)."""

    stage: float  # the new state root: tree.apply
    store: float  # Store.commit, the synced write in it
    raw: float  # LevelDB's synced batch of all that the commit wrote
    raw_state: float  # LevelDB's synced batch of the state writes alone
    raw_bytes: int
    raw_state_bytes: int
    get: float  # LevelDB's read of one value
    prove_present: float  # per proof
    prove_absent: float
    check_present: float
    check_absent: float
    proof_bytes: float

    @property
    def commit(self) -> float:
        return self.stage + self.store


@dataclass(frozen=True, slots=True)
class Opening:
    """Seconds to open the ledger with its files on disk alone."""

    took: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of the process (bench.processes.Usage)."""

    held: int
    resident: int


class Bench:
    """One ledger, and beside it a LevelDB with the ledger's settings that starts empty."""

    def __init__(self, folder: Path, keys: int, clock: str = WALL) -> None:
        self.path, self.keys, self._clock = folder / "ledger", keys, CLOCKS[clock]
        self.chain = Chain(Store.open(self.path))
        shutil.rmtree(folder / "raw", ignore_errors=True)
        self.raw = open_database(folder / "raw", create=True)

    def close(self) -> None:
        self.chain.store.close()
        self.raw.close()

    def open(self) -> Opening:
        """Close the ledger and open it cold."""
        self.chain.store.close()
        gc.collect()
        forget(self.path)
        took, store = self._timed(lambda: Store.open(self.path))
        self.chain = Chain(store)
        return Opening(took)

    def memory(self) -> Memory:
        used = usage({"": os.getpid()})[""]
        return Memory(used.anonymous, used.resident)

    def round(self) -> Sample:
        """One block committed, beside the raw batches of its bytes; then proofs of other keys."""
        chain, store = self.chain, self.chain.store
        draw = chain.random
        block = chain.block(chain.transactions(TRANSACTIONS))
        writes = [
            StateWrite(NAMESPACE, key_of(i), draw.randbytes(VALUE_SIZE))
            for i in draw.sample(range(self.keys), WRITES)
        ]
        gc.collect()
        gc.disable()
        try:
            stage, root = self._timed(lambda: store.tree.apply(writes))
            commit = chain.commit_of(block, writes, root)
            pairs = list(store.pairs_of(commit))
            state = [pair for pair in pairs if pair[0].startswith(STATE)]
            raw, _ = self._timed(lambda: self._put(pairs))
            took, _ = self._timed(lambda: store.commit(commit))
            raw_state, _ = self._timed(lambda: self._put(state))
            read = [key_of(i) for i in draw.sample(range(self.keys), PROOFS)]
            get, _ = self._timed(lambda: [store.get(NAMESPACE, key) for key in read])
            present = [key_of(i) for i in draw.sample(range(self.keys), PROOFS)]
            absent = [key_of(self.keys + draw.randrange(1 << 40)) for _ in range(PROOFS)]
            prove_present, proofs = self._timed(lambda: self._prove(present))
            prove_absent, refutations = self._timed(lambda: self._prove(absent))
            check_present, values = self._timed(lambda: _check(proofs, root, present))
            check_absent, nothing = self._timed(lambda: _check(refutations, root, absent))
        finally:
            gc.enable()
        if values != [store.get(NAMESPACE, key) for key in present] or any(nothing):
            raise LedgerError("a proof shows another value than the ledger holds")
        chain.certify()
        return Sample(
            stage,
            took,
            raw,
            raw_state,
            _size(pairs),
            _size(state),
            get / PROOFS,
            prove_present / PROOFS,
            prove_absent / PROOFS,
            check_present / PROOFS,
            check_absent / PROOFS,
            sum(32 * len(one.siblings) + len(one.depths) for one in proofs) / PROOFS,
        )

    def _timed(self, act: Callable[[], T]) -> tuple[float, T]:
        began = self._clock()
        result = act()
        return self._clock() - began, result

    def _put(self, pairs: Sequence[tuple[bytes, bytes | None]]) -> None:
        with self.raw.write_batch(sync=True) as batch:
            for key, value in pairs:
                if value is None:
                    batch.delete(key)
                else:
                    batch.put(key, value)

    def _prove(self, keys: Sequence[bytes]) -> list[StateProof]:
        return [self.chain.store.prove(NAMESPACE, key)[0] for key in keys]


def _check(proofs: Sequence[StateProof], root: bytes, keys: Sequence[bytes]) -> list[bytes | None]:
    return [
        verify_state_proof(proof, root, NAMESPACE, key)
        for proof, key in zip(proofs, keys, strict=True)
    ]


def _size(pairs: Sequence[tuple[bytes, bytes | None]]) -> int:
    return sum(len(key) + len(value or b"") for key, value in pairs)


def load_all(folder: Path, keys: int) -> None:
    """Make the ledger; it has its name when all is in it."""
    load(folder / "loading", keys)
    (folder / "loading").rename(folder / "ledger")


def main() -> None:
    folder, keys, clock = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    if not (folder / "ledger").is_dir():
        # A child loads: what loading leaves behind in memory is no part of what a ledger takes.
        loader = multiprocessing.get_context("fork").Process(target=load_all, args=(folder, keys))
        loader.start()
        loader.join()
        if loader.exitcode != 0:
            sys.exit(f"the state of {keys:,} keys could not be loaded")
    bench = Bench(folder, keys, clock)
    acts = {"open": bench.open, "round": bench.round, "memory": bench.memory}
    try:
        for order in sys.stdin:
            sys.stdout.write(msgspec.json.encode(acts[order.strip()]()).decode() + "\n")
            sys.stdout.flush()
    finally:
        bench.close()


if __name__ == "__main__":
    main()
