"""A node's ledger and journal after a crash: nothing acknowledged is lost, nothing torn is seen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import LedgerError
from ledger.store import Store
from node.bootstrap import LEDGER
from node.journal import Journal, JournalDamaged
from node.ledgers import JOURNAL, settle
from tests.crash.check import Said
from tests.crash.workload import META_KEY, open_world


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


class NodeCase:
    """After a power failure certificates may be gone that were not synced (see Store.certify):
    peers have them, or replicas vote for them again."""

    def __init__(self, name: str = "node") -> None:
        """`node`, or `lives`: then each life promises what it finds."""
        self.name = name

    def prepare(self, root: Path) -> None:
        """It begins with nothing."""

    def look(self, root: Path, *, goes_on: bool) -> Outcome:
        return examine(root, goes_on=goes_on)

    def broken(self, found: Outcome, said: Said) -> Iterator[str]:
        if found.error:
            yield f"it does not open: {found.error}"
            return
        yield from _broken_blocks(found, said)
        yield from _broken_certificates(found, said)
        yield from _broken_votes(found, said)


def _broken_blocks(found: Outcome, said: Said) -> Iterator[str]:
    committed = max((int(one[1]) for one in said.all("committed")), default=-1)
    if said.all("created"):
        committed = max(committed, 0)
    if not committed <= found.height <= max(committed, 0) + 1:
        yield f"block {committed} was acknowledged, the ledger ends at {found.height}"
    spoken = [*said.words, *said.coming]
    roots = {int(one[1]): one[2] for one in spoken if one[0] == "committed"}
    for height, root in enumerate(found.roots):
        if height in roots and roots[height] != root:
            yield f"block {height} has another state root"
    meta = [int(one[1]) for one in said.all("meta")]
    after = [int(one[1]) for one in said.coming if one[0] == "meta"]
    if found.meta not in {*(meta[-1:] or [0]), *after}:
        yield f"the meta value {meta[-1:]} was acknowledged, there is {found.meta}"
    if found.plans < len(said.all("followed")):
        yield "a recovery plan was acknowledged, and is not there"


def _broken_certificates(found: Outcome, said: Said) -> Iterator[str]:
    kept = {int(one[1]) for one in said.all("certified") if said.is_kill or one[2] == "synced"}
    if said.all("closed"):
        kept = {int(one[1]) for one in said.all("certified")}
    if not kept <= found.certified:
        yield f"certificates {sorted(kept - found.certified)} were acknowledged, and are gone"
    gapless = 0
    while gapless + 1 in found.certified:
        gapless += 1
    if gapless != found.certified_height:
        yield f"certified height {found.certified_height}, certificates up to {gapless}"


def _broken_votes(found: Outcome, said: Said) -> Iterator[str]:
    live: list[str] = []
    ever: set[str] = set()
    for one in said.words:
        if one[0] == "voted":
            live += one[1:]
            ever.update(one[1:])
        elif one[0] == "compacted":
            live = list(one[1:])
            ever.update(live)
    for one in said.coming:
        ever.update(one[1:] if one[0] == "voted" else ())
        if one[0] == "compacted":  # it may be done already
            live = [name for name in live if name in one[1:]]
    lost = [name for name in live if name not in found.votes]
    if lost:
        yield f"the votes {lost} were acknowledged, and are gone"
    if strange := set(found.votes) - ever:
        yield f"the journal holds {sorted(strange)}, which nobody wrote"
