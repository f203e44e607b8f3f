"""Random records of evidence, against a plain model: an append-only list, read by parties alone."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.vm.codes import Code
from ledger import merkle
from ledger.values import Value
from tests.business import STRANGER, Business, digest

PEOPLE = ("opco", "health", "insurer", "chipworks", "bureau", STRANGER)
KINDS = ("development.result", "delivery.sent", "gossip.heard")
IDS, SUBJECTS = tuple(f"e{number}" for number in range(8)), ("t1", "v1")
people, kinds, ids, subjects = map(st.sampled_from, (PEOPLE, KINDS, IDS, SUBJECTS))


@dataclass(frozen=True)
class Line:
    """A line of the list; `readers` can open what is sealed."""

    name: str
    kind: str
    subject: str
    party: str
    content: bytes
    size: int
    readers: tuple[str, ...] = ()


class EvidenceMachine(RuleBasedStateMachine):
    """Acts of anybody, wise or not."""

    @initialize()
    def begin(self) -> None:
        self.business = Business()
        self.lines: list[Line] = []
        self.suspended: set[str] = set()

    def may(self, who: str) -> bool:
        return who != STRANGER and who not in self.suspended

    def add(self, line: Line, expected: bool, method: str, *args: Value) -> None:
        expected = expected and self.may(line.party) and line.kind in KINDS[:2]
        expected = expected and all(line.name != one.name for one in self.lines)
        words: list[Value] = [line.name, line.kind, line.subject, line.content]
        receipt = self.business.act(line.party, "evidence", method, *words, *args)
        assert receipt.status in (Code.ok, Code.refused), (receipt.error, receipt.detail)
        assert (receipt.status == Code.ok) is expected, (line, method, receipt.detail)
        if expected:
            self.lines.append(line)

    @rule(who=people, name=ids, kind=kinds, subject=subjects)
    def record(self, who: str, name: str, kind: str, subject: str) -> None:
        line = Line(name, kind, subject, who, digest(f"{who} {len(self.lines)}"), 0)
        self.add(line, True, "record", "")

    @rule(who=people, name=ids, kind=kinds, subject=subjects, size=st.integers(0, 9))
    def record_batch(self, who: str, name: str, kind: str, subject: str, size: int) -> None:
        root = merkle.root_of(leaves_of(name, size))
        line = Line(name, kind, subject, who, root, size)
        self.add(line, size > 0, "record_batch", size, "plain", "", "")

    @rule(who=people, name=ids, kind=kinds, subject=subjects, readers=st.lists(people, max_size=3))
    def record_sealed(
        self, who: str, name: str, kind: str, subject: str, readers: list[str]
    ) -> None:
        line = Line(name, kind, subject, who, digest(name), 0, tuple(readers))
        expected = bool(readers) and len(set(readers)) == len(readers)
        expected = expected and all(self.may(reader) for reader in readers)
        keys: list[Value] = [[reader, bytes(113)] for reader in readers]
        self.add(line, expected, "record_sealed", "", "", b"sealed", keys)

    @rule(who=st.sampled_from(["opco", "insurer"]))
    def suspend_or_readmit(self, who: str) -> None:
        method = "readmit" if who in self.suspended else "suspend"
        self.business.do("bureau", "parties", method, who, "audit")
        self.suspended ^= {who}

    @invariant()
    def the_list_is_what_was_appended(self) -> None:
        for subject in SUBJECTS:
            mine = [line for line in self.lines if line.subject == subject]
            told = self.business.ask("bureau", "evidence", "list_by_subject", subject, 0, 100)
            assert isinstance(told, list)
            before = ""
            for line, row in zip(mine, told, strict=True):
                assert isinstance(row, dict)
                found = [
                    row[name] for name in ("id", "kind", "party", "digest", "size", "previous")
                ]
                assert found == [
                    line.name, line.kind, line.party, line.content, line.size, before
                ]  # fmt: skip
                before = line.name
        for line in self.lines:
            asked = line.kind, line.subject, line.party
            assert self.business.ask("bureau", "evidence", "is_recorded", *asked) is True

    @invariant()
    def a_batch_holds_its_leaves_and_nothing_else_does(self) -> None:
        for line in self.lines:
            if not line.size:
                denied = self.business.denied("bureau", "evidence", "holds", line.name, 0,
                                              digest("x"), [])  # fmt: skip
                assert denied == "evidence.single"
                continue
            leaves = leaves_of(line.name, line.size)
            index = len(self.lines) % line.size
            siblings: list[Value] = [*merkle.path(leaves, index).siblings]
            for leaf in (leaves[index], digest("another")):
                asked: list[Value] = [line.name, index, leaf, siblings]
                told = self.business.ask("bureau", "evidence", "holds", *asked)
                assert told is (leaf == leaves[index])

    @invariant()
    def what_is_sealed_is_fetched_by_whom_it_concerns(self) -> None:
        for line in self.lines:
            if not line.readers:
                continue
            for who in PEOPLE:
                if not self.may(who):
                    code = "evidence.role"
                elif who in (line.party, *line.readers):
                    self.business.ask(who, "evidence", "sealed", line.name)
                    continue
                else:
                    code = "evidence.reader"
                assert self.business.denied(who, "evidence", "sealed", line.name) == code


def leaves_of(name: str, size: int) -> list[bytes]:
    return [digest(f"{name} {number}") for number in range(size)]


TestEvidence = pytest.mark.slow(EvidenceMachine.TestCase)
TestEvidence.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
