"""Bytes that live per unit of gas: programs that keep all they can until their gas is spent."""

from __future__ import annotations

import gc
import tracemalloc
from dataclasses import dataclass

from bench.gas_rows import LIST, PRELUDE, TEXT
from contracts.vm import jail
from contracts.vm.testing import Chain, account
from ledger.genesis import Limits

GAS = 3_000_000  # per growing program; tracing makes it slow
CALLS, CALL_GAS = 60, 400_000  # of the programs whose outcome a block keeps
SENDER = account("bench")

# Until gas runs out: bodies of an endless loop, and what stands before it.
GROWERS = {
    "list.append of ints": (
        "k: list[int] = []\nks: list[list[int]] = []",
        "k.append(n * 2 ** 200)\nn += 1\nif len(k) > 16000:\n    ks.append(k)\n    k = []",
    ),
    "list display, empty": (
        "k: list[list[int]] = []\nks: list[list[list[int]]] = []",
        "k.append([])\nif len(k) > 16000:\n    ks.append(k)\n    k = []",
    ),
    "dict display, empty": (
        "k: list[dict[int, int]] = []\nks: list[list[dict[int, int]]] = []",
        "k.append({})\nif len(k) > 16000:\n    ks.append(k)\n    k = []",
    ),
    "dict of one entry": (
        "k: list[dict[int, int]] = []\nks: list[list[dict[int, int]]] = []",
        "k.append({n: n})\nn += 1\nif len(k) > 16000:\n    ks.append(k)\n    k = []",
    ),
    "dict insert": (
        "d: dict[int, int] = {}\nds: list[dict[int, int]] = []",
        "d[n] = n * 2 ** 200\nn += 1\nif len(d) > 16000:\n    ds.append(d)\n    d = {}",
    ),
    "tuples": (
        "k: list[tuple[int, int, int]] = []\nks: list[list[tuple[int, int, int]]] = []",
        "k.append((n, n, n))\nif len(k) > 16000:\n    ks.append(k)\n    k = []",
    ),
    "text, short": (
        "k: list[str] = []\nks: list[list[str]] = []",
        "k.append(str(n))\nn += 1\nif len(k) > 16000:\n    ks.append(k)\n    k = []",
    ),
    "text, bound": (f"{TEXT}\nk: list[str] = []", "k.append(s + str(n))\nn += 1"),
    "text, wide": (
        "w = '\\U0001f600' + ''.join(['a' for j in range(16000)])\nk: list[str] = []",
        "k.append(w + str(n))\nn += 1",
    ),
    "split": (
        "s = ','.join(['\\u0101' for j in range(8000)])\nk: list[list[str]] = []",
        "k.append(s.split(','))",
    ),
    "list copied": (f"{LIST}\nk: list[list[int]] = []", "k.append(list(xs))"),
    "list of lists copied": (
        "ys = [[j for j in range(10)] for m in range(100)]\nk: list[list[list[int]]] = []",
        "k.append([list(y) for y in ys])",
    ),
    "encoded text": (f"{TEXT}\nk: list[bytes] = []", "k.append(s.encode())"),
    "storage reads of nothing": ("", "numbers.get(n, 0)\nn += 1"),
    "storage writes": ("", "numbers[n] = n\nn += 1"),
    "storage writes, bound": (TEXT, "texts[n] = s\nn += 1"),
}

# What stays until the block ends; each call succeeds or fails and leaves this.
KEPT = {
    "small writes": "for i in range(n, n + 100):\n    numbers[i] = i",
    "small events": "for i in range(100):\n    emit('Seen')",
    "events of 2,000 bytes": f"{TEXT}\nt = s[0:2000]\nfor i in range(15):\n    emit('Seen', t=t)",
    "nothing, cheaply": "pass",
    "refusals": "fail('{}')".format("x" * 199),
}


@dataclass(frozen=True, slots=True)
class Kept:
    label: str
    bytes_per_gas: float


@dataclass(frozen=True, slots=True)
class Memory:
    """`live` dies with its transaction, `kept` with its block; in order, most first."""

    live: tuple[Kept, ...]
    kept: tuple[Kept, ...]

    @property
    def block_bytes(self) -> float:
        """The most that may live at once: one transaction at work beside a block's outcome."""
        limits = Limits()
        return (
            self.live[0].bytes_per_gas * limits.transaction_gas_max
            + self.kept[0].bytes_per_gas * limits.block_gas_max
        )

    @property
    def share_of_limit(self) -> float:
        return self.block_bytes / jail.MEMORY_MAX


def _indent(text: str, depth: int) -> str:
    return "".join(f"{'    ' * depth}{line}\n" for line in text.split("\n") if line)


def program() -> str:
    parts = [PRELUDE]
    for place, (before, body) in enumerate(GROWERS.values()):
        parts.append(
            f"@call\ndef grow_{place}(n: int) -> None:\n{_indent(before, 1)}"
            f"    while True:\n{_indent(body, 2)}"
        )
    for place, body in enumerate(KEPT.values()):
        parts.append(f"@call\ndef keep_{place}(n: int) -> None:\n{_indent(body, 1)}")
    return "".join(parts)


def measure() -> Memory:
    chain = Chain()
    receipt = chain.deploy("grow", program())
    if receipt.status != 0:
        raise RuntimeError(f"the programs do not deploy: {receipt.detail}")
    live = [_live(chain, place, label) for place, label in enumerate(GROWERS)]
    kept = [_kept(chain, place, label) for place, label in enumerate(KEPT)]
    return Memory(_most_first(live), _most_first(kept))


def _most_first(items: list[Kept]) -> tuple[Kept, ...]:
    return tuple(sorted(items, key=lambda item: -item.bytes_per_gas))


def _live(chain: Chain, place: int, label: str) -> Kept:
    """Peak memory of one transaction that runs out of gas."""
    call = chain.transaction(SENDER, "grow", f"grow_{place}", [0], GAS)
    chain.machine.reset()
    gc.collect()
    tracemalloc.start()
    receipt = chain.machine.transaction(call)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    if receipt.error != "out_of_gas":
        raise RuntimeError(f"{label}: {receipt.error}: {receipt.detail}")
    return Kept(label, peak / GAS)


def _kept(chain: Chain, place: int, label: str) -> Kept:
    """What a block of transactions holds at its end, per unit of gas that they used."""
    calls = [
        chain.transaction(SENDER, "grow", f"keep_{place}", [number * 1000], CALL_GAS)
        for number in range(CALLS)
    ]
    chain.machine.reset()
    chain.machine.transaction(calls[0])  # binds the contract
    chain.machine.reset()
    gc.collect()
    tracemalloc.start()
    receipts = [chain.machine.transaction(call) for call in calls]
    writes = chain.machine.state.take_writes()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del writes
    return Kept(label, held / sum(receipt.gas_used for receipt in receipts))
