"""`make bench-replay`: an archive of 100,000 signed transactions, replayed from the genesis.

The archive is made as a node's would be, by executing contracts and signing everything; replaying
is the product's own `audit.replay`, all signatures, certificates, receipts and roots. The bound is
what the same threads verify when they do nothing else, measured before and after in the same run.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench.__main__ import evidence_call
from bench.signed_chain import SignedChain
from ledger.archive import export
from ledger.store import Store
from node import audit
from node.audit.verdict import Verdict

TRANSACTIONS = 100_000
SIZES = (100, 1_000)  # transactions of a block: a calm network's and a full one's
ROUNDS = 3


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.replay", description=__doc__)
    parser.add_argument("--transactions", type=int, default=TRANSACTIONS)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="the rate is their median")
    options = parser.parse_args()
    threads = os.cpu_count() or 1
    print(
        f"Machine: {threads} cores, {platform.machine()}, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}; median of "
        f"{options.rounds} rounds.\n"
    )
    print("| transactions | per block | signatures | archive MB | export s | replay s | ", end="")
    print("transactions/s | signatures/s | verifying alone /s | share |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for per_block in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            print(_row(Path(folder), options.transactions, per_block, threads, options.rounds))
    return 0


def _row(folder: Path, transactions: int, per_block: int, threads: int, rounds: int) -> str:
    chain = SignedChain(folder / "net", threads)
    blocks = transactions // per_block
    print(f"making {blocks:,} blocks of {per_block:,} …", file=sys.stderr)
    failed = chain.grow(blocks, per_block, "evidence", "record", evidence_call)
    if failed:
        raise RuntimeError(f"{failed} transactions failed: the figures would be of something else")
    store = Store.open(chain.path)
    try:
        began = time.monotonic()
        archive = export(store, folder / "chain.archive", lambda done, total: None)
        export_s = time.monotonic() - began
    finally:
        store.close()
    found = sorted(
        (_replay(chain, folder / "chain.archive") for _ in range(rounds)), key=lambda one: one.rate
    )
    middle = found[len(found) // 2]
    bound = statistics.median(one.bound for one in found)
    share = statistics.median(one.share for one in found)
    return (
        f"| {middle.transactions:,} | {per_block:,} | {middle.signatures:,} | "
        f"{archive.size / 1e6:.1f} | {export_s:.1f} | {middle.seconds:.1f} | "
        f"{middle.transactions / middle.seconds:,.0f} | {middle.rate:,.0f} | {bound:,.0f} | "
        f"{share:.0%} |"
    )


def _replay(chain: SignedChain, archive: Path) -> Verdict:
    verdict = audit.replay(
        archive, chain.genesis, advance=lambda done, total: None, is_measured=True
    )
    if verdict.divergence is not None:
        raise RuntimeError(verdict.sentence())
    return verdict


if __name__ == "__main__":
    sys.exit(main())
