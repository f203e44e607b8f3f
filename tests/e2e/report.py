"""What a run showed, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.e2e.checks import Fault, Finding
from tests.e2e.council import Made, lines
from tests.e2e.load import Answers

SHOWN_MAX = 5  # findings of one kind: more say nothing new


@dataclass(slots=True)
class Usage:
    """Of one node with its workers: processor seconds, and the most memory at any time."""

    lives: dict[int, float] = field(default_factory=dict)  # processor seconds by process id
    anonymous_max: int = 0
    resident_max: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """Figures and findings; times of the monotonic clock, counted from `began` when shown."""

    title: str
    nodes: int
    began: float
    seconds: float
    height: int
    views: int  # different views in which blocks were committed
    answers: Answers
    resumed: tuple[tuple[Fault, float | None], ...]
    silence: tuple[float, float]
    changes: tuple[Made, ...]
    accused: Mapping[str, float]  # on chain: whom, and when
    accusations: Mapping[str, int]  # files by holder
    usage: Mapping[str, Usage]
    findings: tuple[Finding, ...]

    def text(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        answers = self.answers
        count = len(answers.acknowledged)
        delays = sorted(answer.ended - answer.began for answer in answers.acknowledged)
        yield f"{self.title}: {self.nodes} nodes, {self.seconds:.0f} s under load"
        yield (
            f"  {count} calls certified ({count / self.seconds:.1f}/s, median "
            f"{delays[count // 2]:.2f} s, longest {delays[-1]:.2f} s), {len(answers.failed)} failed"
            if count
            else f"  no call certified, {len(answers.failed)} failed"
        )
        yield f"  {self.height} blocks, committed in {self.views} views"
        for fault, seconds in self.resumed:
            took = "never" if seconds is None else f"{seconds:.2f} s"
            yield f"  {fault.at - self.began:6.1f} s  {fault.kind:11} {fault.node:7} resumed {took}"
        yield from lines(self.changes, self.accused, self.began)
        at, length = self.silence
        yield f"  longest silence {length:.2f} s, from {at - self.began:.1f} s on"
        if self.accusations:
            held = ", ".join(f"{name} {n}" for name, n in sorted(self.accusations.items()))
            yield f"  accusations held: {held}"
        yield from self._usage_lines()
        yield from self._finding_lines()

    def _usage_lines(self) -> Iterator[str]:
        if not self.usage:
            return
        cpu = sum(sum(one.lives.values()) for one in self.usage.values())
        held = sum(one.anonymous_max for one in self.usage.values()) >> 20
        most = max(one.anonymous_max for one in self.usage.values()) >> 20
        resident = sum(one.resident_max for one in self.usage.values()) >> 20
        yield (
            f"  processor {cpu:.0f} s in all; memory held {held} MB in all ({most} MB the largest "
            f"node), {resident} MB resident"
        )

    def _finding_lines(self) -> Iterator[str]:
        counts: dict[str, int] = {}
        for finding in self.findings:
            counts[finding.check] = counts.get(finding.check, 0) + 1
            if counts[finding.check] <= SHOWN_MAX:
                yield f"  FOUND {finding}"
        for check, count in counts.items():
            if count > SHOWN_MAX:
                yield f"  FOUND {check}: {count - SHOWN_MAX} more"
        if not self.findings:
            yield "  verdict: good"
