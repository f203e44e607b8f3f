"""`python -m tests.fuzz_api --requests N --seed S`: drawn requests at a real node of four.

The call of a number depends on the number and on what the chain holds. A finding is written to
run/fuzz-api/ and the job exits with 1; so it does when memory, threads or files of the node grew,
its log tells of a bug, or a method was never answered, or never refused, so that nothing was tried.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz_api.campaign import Tally, run
from tests.fuzz_api.corpus import corpus_of
from tests.fuzz_api.target import Victim, victim

FOLDER = Path("run/fuzz-api")
WARM = 0.5  # of the samples, after which caches and threads are what they will be
GROWTH_MIB_MAX = 24.0  # from then on: caches of the ledger fill with what is accepted
GROWTH_FILES_MAX = 40  # sockets that are not closed yet, and tables of the ledger
THREADS_MAX = 160
CALLERS = {"member": "supplier-a", "other": "consumer", "manager": "manager"}  # by party
DEEP = 5_000  # requests after which every method must have been answered, and refused


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz_api", description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="number of the first request")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, victim(Path(folder) / "net") as node:
        troubles = attack(node, requests=arguments.requests, seed=arguments.seed)
    for trouble in troubles:
        print(f"FOUND {trouble}", file=sys.stderr)
    if troubles:
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / f"{arguments.seed}.txt").write_text("\n\n".join(troubles), encoding="utf-8")
    return 1 if troubles else 0


def attack(node: Victim, *, requests: int, seed: int) -> list[str]:
    """Everything that was found; what was done is printed."""
    callers = {name: node.network.account(party) for name, party in CALLERS.items()}
    seed_chain(node)
    with node.network.client() as client:
        corpus = corpus_of(client, callers)
    began = time.monotonic()
    tally = run(node, corpus, requests=requests, seed=seed)
    _show(tally, time.monotonic() - began)
    found = [*tally.findings, *node.troubles()]
    if requests >= DEEP:
        found += _growth(tally)
        found += [f"{name} was never answered" for name in tally.methods_without(_is_answer)]
        found += [f"{name} was never refused" for name in tally.methods_without(_is_refusal)]
    return [trouble for trouble in (*found, node.last_call()) if trouble]


def seed_chain(node: Victim) -> None:
    """Something on the chain that can be asked for."""
    session = node.network.session("supplier-a")
    with session.node:
        for name in ("e-1", "e-2", "e-3"):
            session.call("evidence", "record", name, "delivery.sent", "model-7", bytes(32), "报告")


def _is_answer(code: str) -> bool:
    return code in ("OK", "DEADLINE_EXCEEDED")  # streams end with the patience of their caller


def _is_refusal(code: str) -> bool:
    return not _is_answer(code)


def _growth(tally: Tally) -> list[str]:
    warm, last = tally.vitals[int(WARM * len(tally.vitals))], tally.vitals[-1]
    found = []
    if last.held_mib - warm.held_mib > GROWTH_MIB_MAX:
        found.append(f"memory grew from {warm.held_mib:.0f} to {last.held_mib:.0f} MiB")
    if last.files - warm.files > GROWTH_FILES_MAX:
        found.append(f"open files grew from {warm.files} to {last.files}")
    if last.threads > THREADS_MAX:
        found.append(f"{last.threads} threads")
    return found


def _show(tally: Tally, seconds: float) -> None:
    by_method: dict[str, list[str]] = {}
    for (method, code), count in sorted(tally.answers.items()):
        by_method.setdefault(method, []).append(f"{code} {count}")
    for method, codes in by_method.items():
        print(f"{method}: {', '.join(codes)}")
    by_header: dict[str, list[str]] = {}
    for (kind, outcome), count in sorted(tally.headers.items()):
        by_header.setdefault(kind, []).append(f"{outcome} {count}")
    for kind, outcomes in by_header.items():
        print(f"header {kind}: {', '.join(outcomes)}")
    print("memory held, MiB: " + " ".join(f"{sample.held_mib:.0f}" for sample in tally.vitals))
    print("files: " + " ".join(str(sample.files) for sample in tally.vitals))
    print("threads: " + " ".join(str(sample.threads) for sample in tally.vitals))
    print(
        f"{tally.calls} calls and {tally.raw} connections of other bytes in {seconds:.0f} s "
        f"({tally.calls / seconds:.0f}/s), {len(tally.findings)} findings"
    )


if __name__ == "__main__":
    sys.exit(main())
