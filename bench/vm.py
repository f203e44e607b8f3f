"""`make bench-vm`: the contract machine beside plain Python, in process and jailed.

Every figure is a median of rounds in which the three take turns on the same blocks, so that a
busy neighbour slows all of them; the ratios are medians of the ratios of single rounds. Before
anything is timed, the three must have given equal receipts and writes.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import vm_report
from bench.contracts import workloads as source
from bench.plain import BareBank
from bench.vm_rig import MEMBERS, Rig, demand_success, sender_address, transaction
from bench.vm_unmetered import unmetered
from contracts.vm.host import call_of
from ledger.model import Receipt, StateWrite, Transaction
from ledger.values import Value

BLOCK = 500  # transactions
HOST_CALLS = 100  # per transaction, less what the same loop takes without them
HOST_BLOCK = 50  # transactions of so many host calls
TURNS = 1_000  # of the loop workloads
LOOP_BLOCK = 100
REPEATS = 20  # of a loop function alone, per round
WORDS: list[Value] = [f"{'ab'[i % 2]}Word{i % 17}" for i in range(100)]

JAILED_TRANSFER_MAX = 6.0  # times plain Python
LOOP_MAX = 1.5


@dataclass(slots=True)
class Workload:
    """`transactions` of one method, and what they took."""

    name: str
    transactions: list[Transaction]
    per: int = 1  # what one transaction counts for: host calls inside it
    plain: list[float] = field(default_factory=list)  # µs per transaction, by round
    inside: list[float] = field(default_factory=list)
    jailed: list[float] = field(default_factory=list)


def workloads() -> list[Workload]:
    def repeated(name: str, count: int, args: Sequence[Value], per: int = 1) -> Workload:
        return Workload(name, [transaction(i, i, name, args) for i in range(count)], per)

    pairs = [(2 * i % MEMBERS, (2 * i + 1) % MEMBERS) for i in range(BLOCK)]
    transfers = [
        transaction(i, source, "transfer", [sender_address(target), 1])
        for i, (source, target) in enumerate(pairs)
    ]
    reads = [transaction(i, i, "reads", [i * HOST_CALLS, HOST_CALLS]) for i in range(HOST_BLOCK)]
    return [
        Workload("transfer", transfers),
        repeated("empty", BLOCK, [0]),
        repeated("loop", LOOP_BLOCK, [TURNS]),
        repeated("sum_loop", LOOP_BLOCK, [[i * 997 for i in range(TURNS)]]),
        repeated("while_loop", LOOP_BLOCK, [TURNS]),
        repeated("texts", LOOP_BLOCK, [WORDS]),
        repeated("empty", HOST_BLOCK, [HOST_CALLS], HOST_CALLS),
        Workload("reads", reads, HOST_CALLS),
        *(
            repeated(name, HOST_BLOCK, [HOST_CALLS], HOST_CALLS)
            for name in ("writes", "emits", "digests", "calls", "views")
        ),
    ]


def demand_equal(rig: Rig, work: Workload) -> None:
    """Plain, in process and jailed agree on everything but gas, which plain Python has not."""
    rig.forget()
    expected, plain_writes = rig.plain().apply_block(work.transactions)
    inside, writes = rig.in_process(work.transactions)
    jailed, jailed_writes = rig.jailed(work.transactions)
    demand_success(inside)
    if inside != list(jailed) or list(writes) != list(jailed_writes):
        raise RuntimeError(f"{work.name}: the jailed worker and the machine in process differ")
    if [_essence(r) for r in expected] != [_essence(r) for r in inside]:
        raise RuntimeError(f"{work.name}: plain Python and the machine give different receipts")
    if _values(plain_writes) != _values(writes):
        raise RuntimeError(f"{work.name}: plain Python and the machine write different values")


def _essence(receipt: Receipt) -> tuple[object, ...]:
    return receipt.transaction_id, receipt.status, receipt.events, receipt.return_value


def _values(writes: Sequence[StateWrite]) -> list[bytes]:
    return sorted(write.value or b"" for write in writes)


def timed(act: Callable[[], object], count: int) -> float:
    """µs per item of one run."""
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) / count * 1e6


def measure(rig: Rig, work: Workload) -> None:
    """One round: the three, each from the same state and with nothing cached."""
    count = len(work.transactions)
    rig.forget()
    plain = rig.plain()
    work.plain.append(timed(lambda: plain.apply_block(work.transactions), count))
    work.inside.append(timed(lambda: rig.in_process(work.transactions), count))
    work.jailed.append(timed(lambda: rig.jailed(work.transactions), count))
    gc.collect()  # as the worker does after a block


def measure_loops(rig: Rig, rounds: int) -> list[vm_report.Loop]:
    """The loop functions alone, without a transaction around them: plain, guarded, metered."""
    metered = rig.machine.instance("work", is_view=False).scope
    guarded = unmetered(rig.machine)
    found = []
    arguments: dict[str, object] = {
        "loop": TURNS,
        "sum_loop": [i * 997 for i in range(TURNS)],
        "while_loop": TURNS,
    }
    for name, argument in arguments.items():
        emitted = f"__f_{name}"
        functions = (getattr(source, name), guarded[emitted], metered[emitted])
        times: list[tuple[float, ...]] = []
        for _ in range(rounds):
            rig.machine.meter.left = 1 << 60
            times.append(tuple(timed(_repeat(f, argument), REPEATS) for f in functions))
        found.append(vm_report.Loop(name, times))
    return found


def _repeat(function: Callable[[object], object], argument: object) -> Callable[[], object]:
    def act() -> None:
        for _ in range(REPEATS):
            function(argument)

    return act


def bare_transfer(rounds: int) -> float:
    """µs of a transfer among Python objects, without any encoding."""
    names = [str(i) for i in range(MEMBERS)]
    times = []
    for _ in range(rounds):
        bank = BareBank()
        bank.members = dict.fromkeys(names, True)
        bank.balances = dict.fromkeys(names, 1_000)

        def block(bank: BareBank = bank) -> None:
            for i in range(BLOCK):
                bank.transfer(names[2 * i % MEMBERS], names[(2 * i + 1) % MEMBERS], 1)

        times.append(timed(block, BLOCK))
    return statistics.median(times)


def opening(work: Workload, rounds: int) -> float:
    """µs to open a transaction (`call_of`): body, id, sender. Part of all three columns."""

    def act() -> None:
        for item in work.transactions:
            call_of(item)

    return statistics.median(timed(act, len(work.transactions)) for _ in range(rounds))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.vm", description=__doc__)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--output", type=Path, help="also write the tables to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder))
        try:
            items = workloads()
            for work in items:
                demand_equal(rig, work)
            print(f"{options.rounds} rounds of {len(items)} blocks …", file=sys.stderr)
            gc.freeze()
            gc.disable()
            for _ in range(options.rounds):
                for work in items:
                    measure(rig, work)
            loops = measure_loops(rig, options.rounds)
            layers = rig.worker.layers
        finally:
            rig.close()
    rows = [vm_report.row(w.name, w.per, w.plain, w.inside, w.jailed) for w in items]
    text, is_met = vm_report.render(
        rows,
        loops,
        bare_transfer(options.rounds),
        opening(items[0], options.rounds),
        layers,
        JAILED_TRANSFER_MAX,
        LOOP_MAX,
    )
    print(text)
    if options.output:
        options.output.write_text(text)
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
