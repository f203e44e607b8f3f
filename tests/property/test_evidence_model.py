"""Random records of evidence, against a plain model: an append-only list, read by parties alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.vm.codes import Code
from contracts.vm.testing import account
from ledger import merkle
from ledger.model import Receipt, address_of
from ledger.values import Value
from tests.business import STRANGER, Business, digest, node_public
from tests.pinned import run_pinned

PEOPLE = ("opco", "health", "insurer", "chipworks", "bureau", STRANGER)
KINDS = ("development.result", "delivery.sent", "gossip.heard")
IDS, SUBJECTS = tuple(f"e{number}" for number in range(8)), ("t1", "v1")
people, kinds, ids, subjects = map(st.sampled_from, (PEOPLE, KINDS, IDS, SUBJECTS))


NODES = ("node-health", "node-bureau")  # that order; they speak whatever became of their party


@dataclass(frozen=True)
class Anchor:
    """Of a closed file of an access log: its entries and their head."""

    first: int
    last: int
    head: bytes
    opened_ms: int


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

    done: ClassVar[Counter[tuple[str, bool]]] = Counter()  # method, did it succeed?

    @initialize()
    def begin(self) -> None:
        self.business = Business()
        self.lines: list[Line] = []
        self.suspended: set[str] = set()
        self.anchors: dict[str, dict[int, Anchor]] = {who: {} for who in (*PEOPLE, *NODES)}

    def may(self, who: str) -> bool:
        return who != STRANGER and who not in self.suspended

    def compare(self, method: str, receipt: Receipt, expected: bool) -> None:
        assert receipt.status in (Code.ok, Code.refused), (receipt.error, receipt.detail)
        assert (receipt.status == Code.ok) is expected, (method, receipt.detail)
        EvidenceMachine.done[method, expected] += 1

    def add(self, line: Line, expected: bool, method: str, *args: Value) -> None:
        expected = expected and self.may(line.party) and line.kind in KINDS[:2]
        expected = expected and all(line.name != one.name for one in self.lines)
        words: list[Value] = [line.name, line.kind, line.subject, line.content]
        receipt = self.business.act(line.party, "evidence", method, *words, *args)
        self.compare(method, receipt, expected)
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

    @rule(
        who=st.sampled_from((*NODES, *PEOPLE)),
        ahead=st.sampled_from([1, 1, 1, 2, 0, -1]),
        gap=st.sampled_from([1, 1, 1, 3, 0, -1]),
        length=st.sampled_from([1, 1, 4, 4, 0, -1]),
        size=st.sampled_from([32, 32, 32, 31]),
        opened_ms=st.sampled_from([0, 1, 1, 10**13, -1]),
    )
    def anchor_access(
        self, who: str, ahead: int, gap: int, length: int, size: int, opened_ms: int
    ) -> None:
        """Two files, each so far after the newest one, so far behind its last entry."""
        mine = self.anchors[who]
        is_sound = ahead > 0 and gap > 0 and length > 0 and size == 32 and opened_ms >= 0
        expected = is_sound and (who in NODES or self.may(who))
        for _ in range(2):
            newest = max(mine, default=0)
            number, first = newest + ahead, (mine[newest].last if mine else 0) + gap
            anchor = Anchor(first, first + length - 1, digest(f"{who} {number}")[:size], opened_ms)
            words: list[Value] = [number, first, anchor.last, anchor.head, opened_ms]
            receipt = self.business.chain.call(account_of(who), "evidence", "anchor_access", *words)
            self.compare("anchor_access", receipt, expected)
            if expected:
                mine[number] = anchor

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

    @invariant()
    def an_anchor_stays_as_it_was_set(self) -> None:
        for who, mine in self.anchors.items():
            address = account_of(who)
            for number, anchor in mine.items():
                row = self.business.ask_record(
                    "bureau", "evidence", "access_anchor", address, number
                )
                found = [row[name] for name in ("account", "first", "last", "head", "opened_ms")]
                assert found == [address, anchor.first, anchor.last, anchor.head, anchor.opened_ms]
            for number in (max(mine, default=0) + 1, 0):
                asked: list[Value] = [address, number]
                denied = self.business.denied("bureau", "evidence", "access_anchor", *asked)
                assert denied == "evidence.anchor_unknown"
                denied = self.business.denied(STRANGER, "evidence", "access_anchor", *asked)
                assert denied == "evidence.role"


def account_of(who: str) -> str:
    return address_of(node_public(who)) if who in NODES else account(who)


def leaves_of(name: str, size: int) -> list[bytes]:
    return [digest(f"{name} {number}") for number in range(size)]


@pytest.mark.slow
def test_evidence_does_what_the_model_says() -> None:
    """Every act must have been taken and refused for this to mean anything; so the draws are the
    same each time."""
    EvidenceMachine.done.clear()
    run_pinned(EvidenceMachine, examples=40, steps=30)
    done = EvidenceMachine.done
    for method in ("record", "record_batch", "record_sealed", "anchor_access"):
        assert done[method, True] and done[method, False], method
