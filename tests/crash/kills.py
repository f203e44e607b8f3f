"""Random kills (SIGKILL) of real processes: of ledger writers, and of the nodes of a network."""

from __future__ import annotations

import contextlib
import multiprocessing
import random
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from ledger import disk
from ledger.model import StateWrite
from ledger.store import Store
from node.bootstrap import LEDGER
from node.journal import Journal
from node.ledgers import JOURNAL
from tests.crash.check import Said
from tests.crash.node_case import NodeCase, examine
from tests.crash.workload import BUFFER_SIZE, KEPT, open_world
from tests.e2e.manifest import AnyEvent, Kill, LoadEntry, Manifest, NetworkEntry
from tests.e2e.report import Report
from tests.e2e.runner import run
from tests.ledger_world import NAMESPACE

LIVES = 12  # of one data directory: then a new one begins, so that its making is killed as well
WORDS_MAX = 16  # that a life says before it dies
LATER_S = 0.02  # after the last of them, at most
START_S = 20.0
VALUE_SIZE = 3_000
HEIGHT_MAX = 95  # the world's transactions are valid up to 100


@dataclass
class Killed:
    """How many processes died, and what they had acknowledged when they did."""

    kills: int = 0
    ledgers: int = 0
    blocks: int = 0
    votes: int = 0
    in_creation: int = 0  # kills before there was a ledger

    def text(self) -> str:
        return (
            f"writers: {self.kills} random kills over {self.ledgers} ledgers, "
            f"{self.in_creation} of them before the ledger was made; {self.blocks} blocks and "
            f"{self.votes} votes acknowledged, none lost"
        )


def _write(data_dir: Path, seed: int, told: Connection) -> None:
    """Runs until it is killed: votes, commits and certifies, and tells what it acknowledges."""
    disk._WRITE_BUFFER_SIZE = BUFFER_SIZE
    told.send(["started"])
    world = open_world(data_dir, seed=seed)
    told.send(["created"])
    journal = Journal(data_dir / JOURNAL)
    for round_ in range(1, 1 << 30):
        height = world.store.height + 1
        names = [f"{seed}.{round_}"]
        journal.append([([], names[0].encode())])
        told.send(["voted", *names])
        if round_ % 8 == 0:
            kept = [f"{seed}.{one}" for one in range(round_ - KEPT, round_ + 1)]
            journal.compact([([], name.encode()) for name in kept])
            told.send(["compacted", *kept])
        if height > HEIGHT_MAX:
            continue
        writes = [
            StateWrite(NAMESPACE, b"k%06d" % number, world.random.randbytes(VALUE_SIZE))
            for number in world.random.sample(range(24), 10)
        ]
        world.commit(transactions=2, writes=writes)
        told.send(["committed", str(height), world.store.statement(height).state_root.hex()])
        world.certify(height)
        told.send(["certified", str(height), "-"])


def kill_writers(folder: Path, kills: int, *, seed: int) -> Killed:
    """Kill so many; each time all that was told must be there. Raises AssertionError."""
    drawn, done = random.Random(seed), Killed()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    said: list[list[str]] = []
    while done.kills < kills:
        if done.kills % LIVES == 0:
            done.ledgers += 1
            said = []
        root = folder / str(done.ledgers)
        receiver, sender = context.Pipe(duplex=False)
        life = context.Process(target=_write, args=(root / "data", done.kills + 1, sender))
        life.start()
        sender.close()
        assert receiver.poll(START_S) and receiver.recv() == ["started"]
        told = _heard(receiver, drawn.randrange(WORDS_MAX))
        time.sleep(drawn.random() * LATER_S)
        life.kill()
        told += _heard(receiver, None)
        receiver.close()
        life.join()
        assert life.exitcode == -9, "it was killed while it wrote"
        done.kills += 1
        done.in_creation += not told and not said
        done.blocks += sum(one[0] == "committed" for one in told)
        done.votes += sum(one[0] == "voted" for one in told)
        said = _check(root, [*said, *told])
    return done


def _heard(receiver: Connection, count: int | None) -> list[list[str]]:
    """So many words (None: all that was said before the end)."""
    told: list[list[str]] = []
    with contextlib.suppress(EOFError, OSError):
        while count is None or len(told) < count:
            told.append(receiver.recv())
    return told


def _check(root: Path, said: list[list[str]]) -> list[list[str]]:
    """All that was told is there; what is there, as words: the next life must keep it all."""
    found = examine(root, goes_on=False)
    coming: list[list[str]] = []
    if said and said[-1][0] == "voted":
        seed, _, round_ = said[-1][1].partition(".")
        first = max(1, int(round_) - KEPT)
        coming.append(["compacted", *(f"{seed}.{one}" for one in range(first, int(round_) + 1))])
    untold = [name for name in found.votes if ["voted", name] not in said]
    coming.append(["voted", *untold[-1:]])  # one at most: the next waits for its answer
    broken = list(NodeCase().broken(found, Said(said, coming, is_kill=True)))
    assert not broken, (root, broken, said[-8:])
    there = [["committed", str(found.height), found.roots[-1]]] if found.height > 0 else []
    there += [["created"]] if found.height >= 0 else []
    there += [["certified", str(height), "-"] for height in sorted(found.certified)]
    return [*there, ["compacted", *found.votes]]


def drawn_manifest(kills: int, *, seed: int, apart_s: float = 10.0) -> Manifest:
    """A network of four under load, of which one node after the other dies at random moments."""
    drawn = random.Random(seed)
    at_s, events = 3.0, list[AnyEvent]()
    for _ in range(kills):
        target = drawn.choice(["primary", "backup", "node0", "node1", "node2", "node3"])
        events.append(Kill(at_s=round(at_s, 3), node=target))
        at_s += apart_s * (0.6 + 0.8 * drawn.random())
    return Manifest(
        title=f"{kills} random kills",
        duration_s=at_s + 4,
        network=NetworkEntry(nodes=4),
        load=LoadEntry(clients=6, rate=20),
        events=tuple(events),
    )


def kill_nodes(folder: Path, kills: int, *, seed: int) -> Report:
    """Kill nodes of a network under load, then open each one's ledger. Raises AssertionError."""
    report = run(drawn_manifest(kills, seed=seed), folder)
    assert not report.findings, report.text()
    ids = [bytes(answer.receipt.transaction_id) for answer in report.answers.acknowledged]
    assert ids
    ledgers = sorted(folder.glob(f"nodes/*/data/{LEDGER}"))
    assert len(ledgers) == report.nodes
    for ledger in ledgers:
        with contextlib.closing(Store.open(ledger)) as store:
            store.scrub()
            assert all(store.find_transaction(one) is not None for one in ids), ledger
    return report
