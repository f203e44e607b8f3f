"""Opens what crashes left, and holds it against what was acknowledged."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from tests.crash.images import Crash, Image, Machine, crashes, digest_of, read_image, write_image
from tests.crash.record import Op, Stage, words_of

GOES_ON_EVERY = 8  # images of those that are opened: the time goes there
WORKLOAD = "tests.crash.workload"
Words = Sequence[Sequence[str]]
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Said:
    """What was acknowledged before a crash, and what the process was about to say then."""

    words: Words
    coming: Words
    is_kill: bool  # or the power failed

    def all(self, name: str) -> list[Sequence[str]]:
        return [one for one in self.words if one[0] == name]


class Case(Protocol[Found]):
    """A workload of that name, and what its process promises."""

    name: str

    def prepare(self, root: Path) -> None:
        """What is there, durably, before the workload runs."""

    def look(self, root: Path, *, goes_on: bool) -> Found:
        """Open what is in `root` as the product does after a crash; if it `goes_on`, go on."""

    def broken(self, found: Found, said: Said) -> Iterator[str]:
        """A sentence for each promise that is not kept."""


@dataclass
class Report:
    """What an enumeration found."""

    name: str
    points: int = 0
    crashes: int = 0
    images: int = 0
    broken: list[str] = field(default_factory=list)

    def add(self, other: Report) -> None:
        self.points += other.points
        self.crashes += other.crashes
        self.images += other.images
        self.broken += other.broken

    def text(self) -> str:
        counts = (
            f"{self.name}: {self.points} fault points, {self.crashes} crashes at them, "
            f"{self.images} different images opened, {len(self.broken)} broken promises"
        )
        return "\n".join([counts, *self.broken[:10]])


@dataclass
class Recording(Generic[Found]):
    """A case whose workload ran, and where its trace is."""

    case: Case[Found]
    stage: Stage
    start: Image
    first: int = 0  # the first operation after which it may crash

    @property
    def operations(self) -> list[Op]:
        return self.stage.operations()

    def enumerate(self, *, is_dense: bool = False, step: int = 1, broken_max: int = 100) -> Report:
        """Open every different image, at every point or every `step`-th."""
        operations = self.operations
        points = range(self.first, len(operations), step)
        words = words_of(operations)
        report, known = Report(self.case.name), dict[bytes, Found]()
        scratch, point = self.stage.folder / "image", -1
        for crash in crashes(operations, self.start, is_dense=is_dense, points=points):
            report.crashes += 1
            report.points += crash.point != point
            point = crash.point
            digest = digest_of(crash.image)
            if digest not in known:
                write_image(crash.image, scratch)
                known[digest] = self.case.look(scratch, goes_on=digest[0] % GOES_ON_EVERY == 0)
            said = said_at(words, crash)
            report.broken += [f"{crash}: {one}" for one in self.case.broken(known[digest], said)]
            if len(report.broken) >= broken_max:
                break
        report.images = len(known)
        shutil.rmtree(scratch, ignore_errors=True)
        return report


def said_at(words: Words, crash: Crash) -> Said:
    return Said(words[: crash.said], words[crash.said : crash.said + 1], crash.is_kill)


def record(case: Case[Found], folder: Path, *planted: str) -> Recording[Found]:
    """Run the workload of a case to its end, with these defects planted."""
    folder.mkdir(parents=True, exist_ok=True)
    stage = Stage(folder)
    stage.root.mkdir()
    case.prepare(stage.root)
    recording = Recording(case, stage, read_image(stage.root))
    assert recording.stage.run(WORKLOAD, case.name, *planted)
    return recording


def record_lives(case: Case[Found], folder: Path, *, stop: int) -> Recording[Found] | None:
    """A life that is killed before operation `stop`, and another: crashes are of that one.

    None when the first life has no such operation.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stage = Stage(folder)
    if stage.run(WORKLOAD, case.name, stop=stop):
        return None
    first = len(stage.operations())
    assert stage.run(WORKLOAD, case.name)
    return Recording(case, stage, {}, first)


def assert_complete(recording: Recording[Found]) -> None:
    """The trace gives, byte for byte, what is on the disk: the shim missed nothing."""
    machine = Machine(recording.start)
    for op in recording.operations:
        machine.play(op)
    ours, there = machine.kill(), read_image(recording.stage.root)
    assert ours.keys() == there.keys()
    assert digest_of(ours) == digest_of(there)
