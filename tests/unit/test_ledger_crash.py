"""kill -9 of a writer at any moment leaves a ledger that opens, whole, with all it acknowledged."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.store import Store
from tests.ledger_world import World

ROUNDS = 6
ROOT = Path(__file__).resolve().parents[2]


def _write_until_killed(path: Path) -> None:
    """Runs in a process of its own: commit for ever, telling each height once it is durable."""
    world = World(path, seed=os.getpid())
    while True:
        world.commit(transactions=30, writes=world.writes(300))
        os.write(1, b"%d\n" % world.store.height)
        world.certify(world.store.height)


@pytest.mark.slow
def test_a_killed_writer_leaves_all_it_acknowledged(tmp_path: Path) -> None:
    drawn = random.Random(9)
    path = tmp_path / "ledger"
    reached = 0
    for _ in range(ROUNDS):
        acknowledged = _run_and_kill(path, after=drawn.randrange(1, 9), later_s=drawn.random() / 40)
        store = Store.open(path)
        assert store.height >= acknowledged > reached
        assert store.height - acknowledged <= 1, "at most the block whose answer was cut off"
        store.scrub()
        reached = store.height
        store.close()
    assert reached > ROUNDS


def _run_and_kill(path: Path, *, after: int, later_s: float) -> int:
    """The last height that the writer acknowledged before it was killed, in a random moment."""
    command = [sys.executable, "-m", "tests.unit.test_ledger_crash", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as writer:
        assert writer.stdout is not None
        try:
            last = max(int(writer.stdout.readline()) for _ in range(after))
            with contextlib.suppress(subprocess.TimeoutExpired):
                writer.wait(timeout=later_s)
        finally:
            writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read().split()
        return int(rest[-1]) if rest else last


if __name__ == "__main__":
    _write_until_killed(Path(sys.argv[1]))
