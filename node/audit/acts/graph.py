"""The graph that a chain of custody is: nodes, and edges with the transactions that prove them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from node.audit.acts.forms import Subject


@dataclass(frozen=True, slots=True)
class Proof:
    """The transaction that shows something."""

    transaction: str
    height: int
    index: int
    time_ms: int


@dataclass(slots=True)
class Node:
    """`facts`: what is on record about it, as last said."""

    subject: Subject
    title: str = ""
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Edge:
    """`source` `relation` `target`, as in: task:t1 runs under grant:g1."""

    source: Subject
    relation: str
    target: Subject
    proof: Proof
    note: str = ""


@dataclass(slots=True)
class Custody:
    """The graph of one product. Edges stand in the order of the chain."""

    product: str
    nodes: dict[Subject, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    evidence_left_out: int = 0

    def related(self, relation: str, target: Subject | None = None) -> Iterator[Edge]:
        """The edges of that name, to `target` if it is given."""
        for edge in self.edges:
            if edge.relation == relation and target in (None, edge.target):
                yield edge

    def fact(self, subject: Subject, name: str) -> str:
        found = self.nodes.get(subject)
        return found.facts.get(name, "") if found else ""

    def kinds(self, kind: str) -> list[Subject]:
        """The nodes of that kind, in order of id."""
        return sorted(subject for subject in self.nodes if subject[0] == kind)
