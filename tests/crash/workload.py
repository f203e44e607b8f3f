"""What runs under the shim. Each workload says what is acknowledged, when it is.

    python -m tests.crash.workload ROOT NAME [PLANTED]

PLANTED is a defect of tests.crash.planted.
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

from ledger import disk
from ledger.genesis import Genesis, Limits
from ledger.model import StateWrite
from ledger.recovery import next_recovery
from node.bootstrap import LEDGER, open_or_create
from node.journal import Journal
from node.ledgers import JOURNAL
from tests.chain_world import Chain, ReplayEngine
from tests.crash.planted import DEFECTS
from tests.crash.record import say
from tests.ledger_world import NAMESPACE, World, committee, make_genesis

BUFFER_SIZE = 64 << 10  # the least that LevelDB takes: its logs rotate every two or three blocks
LIMITS = Limits(watermark_window=8)
BLOCKS = 26
BIG_EVERY = 3  # blocks between two that write BIG values: more than one log block of 32 KB
BIG, SMALL = 12, 2
VALUE_SIZE = 3_000  # bytes of a value: much to write, and little to check
DECIDED_AT = 6  # the block that changes the committee, at DECIDED_AT + window
META_AT, META_KEY = (4, 11, 19), b"crash/meta"
REOPENED_AT = 17
CERTIFIED_LATE = 5  # every so many-th certificate comes after the one above it
LIFE_BLOCKS = 3  # enough for a block of BIG values
GROUP = 2  # records of one append to the journal
KEPT = 3  # records that a compaction keeps
COMPACTED_AT = (8, 16, 22)


def crash_genesis() -> Genesis:
    return make_genesis(LIMITS)


def open_world(data_dir: Path, *, seed: int = 1) -> World:
    """The ledger below `data_dir` as a node opens it: made, if there is none."""
    path = data_dir / LEDGER
    if not path.exists():
        # Its chain has no blocks yet: the engine is asked for the genesis alone.
        engine = ReplayEngine(Chain.__new__(Chain))
        open_or_create(data_dir, crash_genesis(), engine).close()
    return World(path, seed=seed, limits=LIMITS)


def run_node(root: Path) -> None:
    """A ledger and its journal, as a node writes them: votes first, then the block."""
    data_dir = root / "data"
    world = open_world(data_dir)
    say(root, ["created"])
    journal = Journal(data_dir / JOURNAL)
    say(root, ["journal"])
    late: list[int] = []
    for height in range(1, BLOCKS + 1):
        vote(root, journal, height)
        block(root, world, height)
        if height % CERTIFIED_LATE == 0:
            late.append(height)
        else:
            for one in (height, *late):
                certify(root, world, one)
            late.clear()
        if height in META_AT:
            world.store.put_meta(META_KEY, b"%d" % height)
            say(root, ["meta", str(height)])
        if height == REOPENED_AT:
            world.reopen()
            journal.close()
            journal = Journal(data_dir / JOURNAL)
    for one in late:
        certify(root, world, one)
    follow(root, world)
    world.store.close()
    say(root, ["closed"])
    journal.close()


def run_life(root: Path) -> None:
    """One of several lives of a node: it acts on what it finds, so what it finds is a promise."""
    data_dir = root / "data"
    if (data_dir / JOURNAL).exists():  # first: what an earlier life wrote, but never spoke of
        with closing(Journal(data_dir / JOURNAL)) as journal:
            votes = [record.rstrip(b"\0").decode() for record in journal.recovered.records]
        say(root, ["voted", *votes])
    world = open_world(data_dir)
    say(root, ["created"])
    found = world.store.height
    if found:
        say(root, ["committed", str(found), world.store.statement(found).state_root.hex()])
    with closing(Journal(data_dir / JOURNAL)) as journal:
        for height in range(found + 1, found + 1 + LIFE_BLOCKS):
            vote(root, journal, height)
            block(root, world, height)
    world.store.close()


def vote(root: Path, journal: Journal, height: int) -> None:
    names = [f"{height}.{number}" for number in range(GROUP)]
    journal.append([([], name.encode() + bytes(300)) for name in names])
    say(root, ["voted", *names])
    if height in COMPACTED_AT:
        kept = [f"{one}.{0}" for one in range(height - KEPT, height + 1)]
        journal.compact([([], name.encode() + bytes(300)) for name in kept])
        say(root, ["compacted", *kept])


def block(root: Path, world: World, height: int) -> None:
    count = BIG if height % BIG_EVERY == 0 else SMALL
    writes = [
        StateWrite(NAMESPACE, b"k%06d" % number, world.random.randbytes(VALUE_SIZE))
        for number in world.random.sample(range(2 * BIG), count)
    ]
    decides = committee(5) if height == DECIDED_AT else None
    world.commit(transactions=2, writes=writes, decides=decides)
    say(root, ["committed", str(height), world.store.statement(height).state_root.hex()])


def certify(root: Path, world: World, height: int) -> None:
    is_synced = world.store.epochs.is_last(height)
    world.certify(height)
    say(root, ["certified", str(height), "synced" if is_synced else "-"])


def follow(root: Path, world: World) -> None:
    """A recovery plan from the head on; last, because the world signs for the first domain."""
    store = world.store
    certificate = world.execution_certificate(store.height)
    store.follow(next_recovery(store.recoveries, certificate, world.chain_id, "a fork", 7))
    say(root, ["followed", str(store.height)])


def main() -> None:
    from tests.crash.moves import MOVES  # which needs what is above

    root, name = Path(sys.argv[1]), sys.argv[2]
    disk._WRITE_BUFFER_SIZE = BUFFER_SIZE
    for defect in sys.argv[3:]:
        DEFECTS[defect]()
    {"node": run_node, "lives": run_life, **MOVES}[name](root)


if __name__ == "__main__":
    main()
