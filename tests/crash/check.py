"""Opens what a crash left with the product's own code, and holds it against what was said."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from ledger.errors import LedgerError
from ledger.store import Store
from node.bootstrap import LEDGER
from node.journal import Journal, JournalDamaged
from node.ledgers import JOURNAL, settle
from tests.crash.images import Crash, digest_of, write_image
from tests.crash.workload import META_KEY, open_world

GOES_ON_EVERY = 8  # images of those that are opened: the time goes there
Words = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an image turned out to hold. `error` is the sentence of what could not be opened."""

    error: str = ""
    height: int = -1  # -1: there is no ledger
    roots: tuple[str, ...] = ()
    certified_height: int = 0
    certified: frozenset[int] = frozenset()
    meta: int = 0
    plans: int = 0
    votes: tuple[str, ...] = ()


def examine(root: Path, *, goes_on: bool) -> Outcome:
    """Open the ledger and the journal of a node as its next start does, and check all of it.

    If it `goes_on`, one more block is stored.
    """
    data_dir = root / "data"
    try:
        votes = _votes(data_dir)
        settle(data_dir / LEDGER)
        found = _ledger(data_dir, votes) if (data_dir / LEDGER).exists() else Outcome(votes=votes)
        if goes_on:
            _go_on(data_dir, found)
    except (LedgerError, JournalDamaged, OSError, AssertionError) as error:
        return Outcome(error=f"{type(error).__name__}: {error}")
    return found


def _votes(data_dir: Path) -> tuple[str, ...]:
    if not (data_dir / JOURNAL).exists():
        return ()
    with closing(Journal(data_dir / JOURNAL)) as journal:
        return tuple(record.rstrip(b"\0").decode() for record in journal.recovered.records)


def _ledger(data_dir: Path, votes: tuple[str, ...]) -> Outcome:
    with closing(Store.open(data_dir / LEDGER)) as store:
        store.scrub()
        heights = range(store.height + 1)
        return Outcome(
            height=store.height,
            roots=tuple(store.statement(height).state_root.hex() for height in heights),
            certified_height=store.certified_height,
            certified=frozenset(h for h in heights if store.execution_certificate(h)),
            meta=int(store.get_meta(META_KEY) or b"0"),
            plans=len(store.recoveries),
            votes=votes,
        )


def _go_on(data_dir: Path, found: Outcome) -> None:
    """What was opened takes one more block and is whole after that."""
    if found.plans:
        return  # the world signs for the first domain alone
    world = open_world(data_dir, seed=2)
    try:
        world.commit(transactions=1)
        world.certify(world.store.height)
        world.reopen()
        assert world.store.height == max(found.height, 0) + 1, "the next block was stored"
    finally:
        world.store.close()


@dataclass(frozen=True, slots=True)
class Promise:
    """What was acknowledged by some point. `coming` is what the writer was about to say."""

    words: Words
    coming: Words
    roots: dict[int, str]

    def broken(self, found: Outcome, *, is_kill: bool) -> Iterator[str]:
        """Each promise that `found` does not keep."""
        if found.error:
            yield f"it does not open: {found.error}"
            return
        yield from self._ledger(found)
        yield from self._certificates(found, is_kill=is_kill)
        yield from self._journal(found)

    def _ledger(self, found: Outcome) -> Iterator[str]:
        committed = max((int(one[1]) for one in self._all("committed")), default=-1)
        if self._all("created"):
            committed = max(committed, 0)
        if not committed <= found.height <= max(committed, 0) + 1:
            yield f"block {committed} was acknowledged, the ledger ends at {found.height}"
        for height, root in enumerate(found.roots):
            if height and self.roots[height] != root:
                yield f"block {height} has another state root"
        meta = [int(one[1]) for one in self._all("meta")]
        after = [int(one[1]) for one in self.coming if one[0] == "meta"]
        if found.meta not in {*(meta[-1:] or [0]), *after}:
            yield f"the meta value {meta[-1:]} was acknowledged, there is {found.meta}"
        if found.plans < len(self._all("followed")):
            yield "a recovery plan was acknowledged, and is not there"

    def _certificates(self, found: Outcome, *, is_kill: bool) -> Iterator[str]:
        kept = {int(one[1]) for one in self._all("certified") if is_kill or one[2] == "synced"}
        if self._all("closed"):
            kept = {int(one[1]) for one in self._all("certified")}
        if not kept <= found.certified:
            yield f"certificates {sorted(kept - found.certified)} were acknowledged, and are gone"
        gapless = 0
        while gapless + 1 in found.certified:
            gapless += 1
        if gapless != found.certified_height:
            yield f"certified height {found.certified_height}, certificates up to {gapless}"

    def _journal(self, found: Outcome) -> Iterator[str]:
        live: list[str] = []
        ever: set[str] = set()
        for one in self.words:
            if one[0] == "voted":
                live += one[1:]
                ever.update(one[1:])
            elif one[0] == "compacted":
                live = list(one[1:])
        for one in self.coming:
            ever.update(one[1:] if one[0] == "voted" else ())
            if one[0] == "compacted":  # it may be done already
                live = [name for name in live if name in one[1:]]
        lost = [name for name in live if name not in found.votes]
        if lost:
            yield f"the votes {lost} were acknowledged, and are gone"
        if strange := set(found.votes) - ever:
            yield f"the journal holds {sorted(strange)}, which nobody wrote"

    def _all(self, name: str) -> list[Sequence[str]]:
        return [one for one in self.words if one[0] == name]


def promise_of(words: Words, said: int) -> Promise:
    roots = {int(one[1]): one[2] for one in words if one[0] == "committed"}
    return Promise(words[:said], words[said : said + 1], roots)


@dataclass
class Report:
    """What an enumeration found."""

    points: int = 0
    crashes: int = 0
    images: int = 0
    broken: list[str] = field(default_factory=list)

    def text(self) -> str:
        lines = [
            f"{self.points} fault points, {self.crashes} crashes at them, {self.images} different "
            f"images opened, {len(self.broken)} broken promises"
        ]
        return "\n".join(lines + self.broken[:20])


def enumerate_crashes(
    crashes: Iterator[Crash],
    words: Words,
    scratch: Path,
    *,
    broken_max: int = 1000,
) -> Report:
    """Open every different image below `scratch`; ends early after `broken_max` findings."""
    report, known = Report(), dict[bytes, Outcome]()
    point = -1
    for crash in crashes:
        report.crashes += 1
        report.points += crash.point != point
        point = crash.point
        digest = digest_of(crash.image)
        if digest not in known:
            write_image(crash.image, scratch)
            known[digest] = examine(scratch, goes_on=digest[0] % GOES_ON_EVERY == 0)
        promise = promise_of(words, crash.said)
        for sentence in promise.broken(known[digest], is_kill=crash.is_kill):
            report.broken.append(f"{crash}: {sentence}")
        if len(report.broken) >= broken_max:
            break
    report.images = len(known)
    shutil.rmtree(scratch, ignore_errors=True)
    return report
