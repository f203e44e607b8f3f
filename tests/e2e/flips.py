"""Bits flipped in the store of a real node, one at a time: found by the check of everything, mended
from live peers. `python -m tests.e2e.flips COUNT [SEED]` prints the table (`make flips`)."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cli import netfiles, supervisor
from crypto.providers.software import verify_batch
from ledger.disk import Disk
from ledger.findings import ACCESS, Finding, Findings
from ledger.scrub import ignore_progress
from node.accesslog.folder import ACCESS_LOG
from node.accesslog.verify import Verifier
from node.bootstrap import LEDGER
from node.config import load_config
from node.journal import Journal
from node.ledgers import JOURNAL
from node.mend import mend, mend_journal
from node.serve import site_of
from node.verify import Examined, examine
from tests.e2e.harness import LocalNetwork
from tests.e2e.test_network import record

VICTIM = 3
BLOCKS = 200  # that the victim has when it is stopped
MORE_BLOCKS = 5  # that the others make meanwhile
UP_S = 90.0
# Nothing reads these: LevelDB's diary and lock, and how far a patrol is, which it begins anew.
DIARIES = ("LOG", "LOG.old", "LOCK", "patrol.json")


# What the store makes again: a history mends itself, a snapshot proves itself chunk by chunk.
DERIVED = ("*.sock", "history", "snapshots")


@dataclass(frozen=True, slots=True)
class Flip:
    file: str  # below `data`
    offset: int
    bit: int

    def do(self, data: Path) -> None:
        with (data / self.file).open("r+b") as file:
            file.seek(self.offset)
            byte = file.read(1)[0]
            file.seek(self.offset)
            file.write(bytes([byte ^ 1 << self.bit]))


@dataclass(frozen=True, slots=True)
class Outcome:
    """`found_by` is empty for a harmless flip: all that is stored reads as before."""

    flip: Flip
    found_by: str
    finding: str
    height: int  # after the repair, before the rest came from peers
    repair_s: float
    caught_up_s: float


class FlipBench:
    """Three nodes that run, and a fourth that is stopped and damaged again and again."""

    def __init__(self, root: Path) -> None:
        self.network = LocalNetwork(root / "net")
        self.home = self.network.root / "nodes" / self.network.plan.nodes[VICTIM].name
        self.data = self.home / "data"
        self.config = self.home / "node.toml"
        self.pristine = root / "pristine"
        self.scratch = root / "scratch"
        self._programs = netfiles.programs(self.network.root, self.network.plan)
        self.log = self._programs[VICTIM].log

    def prepare(self, blocks: int = BLOCKS) -> None:
        """Make the chain, keep the victim's data, and let the others go on."""
        others = [program for i, program in enumerate(self._programs) if i != VICTIM]
        supervisor.start_detached(self.network.root, others)
        with self.running():
            self.network.wait(self.network.agree, timeout_s=UP_S, what="all nodes up")
            self._grow(blocks // 2)
        with self.running():  # a new life makes a table of the log
            self.network.wait(self.network.agree, timeout_s=UP_S, what="all nodes up")
            self._grow(blocks - blocks // 2)
            self.network.wait(self.network.agree, timeout_s=UP_S, what="all nodes alike")
        shutil.copytree(self.data, self.pristine, ignore=shutil.ignore_patterns(*DERIVED))
        self.rows = contents(self._copy())
        self._grow(MORE_BLOCKS)

    def draw(self, count: int, seed: int) -> list[Flip]:
        """Bits drawn by size over all files of the store."""
        drawn = random.Random(seed)
        files = sorted(path for path in self.pristine.rglob("*") if path.is_file())
        sizes = [path.stat().st_size for path in files]
        flips = []
        for path in drawn.choices(files, sizes, k=count):
            size = path.stat().st_size
            name = str(path.relative_to(self.pristine))
            flips.append(Flip(name, drawn.randrange(size), drawn.randrange(8)))
        return flips

    def one_of_each_kind(self, seed: int) -> list[Flip]:
        """One in every file that means something."""
        drawn = random.Random(seed)
        files = sorted(path for path in self.pristine.rglob("*") if path.is_file())
        return [
            Flip(
                str(path.relative_to(self.pristine)),
                drawn.randrange(path.stat().st_size),
                drawn.randrange(8),
            )
            for path in files
            if path.stat().st_size and path.name not in DIARIES
        ]

    def run(self, flip: Flip) -> Outcome:
        """Flip, find, mend, catch up, and find nothing any more. Fails with AssertionError."""
        copy = self._copy()
        flip.do(copy)
        examined = self._examine(copy)
        found = examined.findings.all
        if not found:
            assert contents(copy) == self.rows, f"{flip} was not found and changed what is read"
        shutil.rmtree(self.data)
        shutil.copytree(self.pristine, self.data)
        flip.do(self.data)
        began = time.monotonic()
        height = self._mend(examined.findings)
        repair_s = time.monotonic() - began
        began = time.monotonic()
        with self.running() as node:
            self.network.wait(
                lambda: self._is_alike() or node.poll() is not None, timeout_s=UP_S, what=str(flip)
            )
            assert node.poll() is None, f"{flip}: the node ended\n{self.network.logs()}"
        caught_up_s = time.monotonic() - began
        again = self._examine(self.data).findings.all
        # What was altered in the access log stays named: no peer has it.
        is_of_log = Path(flip.file).parts[0] == ACCESS_LOG
        left = [one for one in again if not (is_of_log and one.area == ACCESS)]
        assert not left, f"{flip}: after the repair {left}"
        first = _telling(found)
        return Outcome(
            flip,
            first.area if first is not None else "",
            first.text.split(";")[0] if first is not None else "",
            height,
            repair_s,
            caught_up_s,
        )

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """The victim's process."""
        program = self._programs[VICTIM]
        with program.log.open("ab") as log:
            node = subprocess.Popen(program.command, stdout=log, stderr=log)
        try:
            yield node
        finally:
            node.terminate()
            node.wait(30)

    def close(self) -> None:
        self.network.down()

    def _grow(self, blocks: int) -> None:
        session = self.network.session("operator")
        with session.node:
            for _ in range(blocks):
                record(session)

    def _copy(self) -> Path:
        with suppress(FileNotFoundError):
            shutil.rmtree(self.scratch)
        return Path(shutil.copytree(self.pristine, self.scratch))

    def _examine(self, data: Path) -> Examined:
        return examine(data, data / LEDGER, verify_batch=verify_batch, progress=ignore_progress)

    def _mend(self, findings: Findings) -> int:
        site = site_of(load_config(self.config))
        if findings.of_ledger(site.ledger):
            return mend(site).height
        if findings.all:
            mend_journal(site.data_dir, 1 << 20)
        return -1

    def _is_alike(self) -> bool:
        """The victim has every block of the others, with their state."""
        found = self.network.status(VICTIM), self.network.status(0)
        own, other = found
        return (
            own is not None
            and other is not None
            and (own.certified_height, own.block_hash, own.state_root)
            == (other.certified_height, other.block_hash, other.state_root)
        )


def contents(data: Path) -> object:
    """All that a node reads of its data: every row, the number of writes, every vote, and who asked
    it what."""
    asked = list(Verifier(data / ACCESS_LOG, {}).entries())
    with closing(Disk(data / LEDGER)) as disk:
        rows = list(disk.snapshot().scan())
    with closing(Journal(data / JOURNAL)) as journal:
        return rows, journal.recovered, asked


def _telling(found: list[Finding]) -> Finding | None:
    """The finding that says most."""
    order = ("history", "state", "index", "books", "journal", "file", "access")
    return min(found, key=lambda one: order.index(one.area)) if found else None


def table(outcomes: list[Outcome]) -> str:
    """What became of the flips, by kind of file."""
    kinds: dict[str, list[Outcome]] = {}
    for one in outcomes:
        kinds.setdefault(_kind(one.flip.file), []).append(one)
    lines = ["file                     flips  found  harmless  by"]
    for kind, those in sorted(kinds.items()):
        found = [one for one in those if one.found_by]
        by = Counter(one.found_by for one in found)
        told = ", ".join(f"{name} {count}" for name, count in sorted(by.items()))
        lines.append(
            f"{kind:24} {len(those):5}  {len(found):5}  {len(those) - len(found):8}  {told}"
        )
    return "\n".join(lines)


def _kind(file: str) -> str:
    path = Path(file)
    name = path.name if path.suffix not in (".ldb", ".log") else f"*{path.suffix}"
    return str(path.parent / name.split("-")[0])


def main(count: int, seed: int) -> None:
    root = Path(tempfile.mkdtemp(prefix="shuxin-flips-"))
    bench = FlipBench(root)
    outcomes: list[Outcome] = []
    try:
        bench.prepare()
        for number, flip in enumerate(bench.draw(count, seed), 1):
            done = bench.run(flip)
            outcomes.append(done)
            sys.stdout.write(
                f"{number:3} {flip.file} byte {flip.offset} bit {flip.bit}: "
                f"{done.found_by or 'harmless'} {done.finding[:110]} "
                f"[{done.repair_s:.1f} s, {done.caught_up_s:.1f} s]\n"
            )
            sys.stdout.flush()
    finally:
        sys.stdout.write(table(outcomes) + "\n")
        bench.close()
    shutil.rmtree(root)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
