"""What is recorded of a run: enough to find every step on the chain again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class ScenarioFailed(Exception):
    """The run did not go as the story says; the sentence tells where it broke."""


class Stage(Enum):
    """The four stages of section 6, and what surrounds them. Value: Chinese, English, gist."""

    AGGREGATION = ("汇聚", "Aggregation", "data is described and committed to; rows stay at home")
    AUTHORIZATION = ("授权", "Authorization", "who may use which data for what, how long")
    DEVELOPMENT = ("开发", "Development", "a joint computation that sees nobody's rows")
    DELIVERY = ("交付", "Delivery", "the product reaches the consumer, and only the consumer")
    OVERSIGHT = ("监督管理", "Oversight", "a right can be taken back, and everything is checked")

    @property
    def chinese(self) -> str:
        return self.value[0]

    @property
    def english(self) -> str:
        return self.value[1]

    @property
    def gist(self) -> str:
        return self.value[2]

    @property
    def key(self) -> str:
        """As the standard's table of terms spells it in code."""
        return self.english.lower()


class Kind(Enum):
    """How a step came about."""

    CALL = "call"  # a transaction of a party
    REFUSAL = "refusal"  # a transaction that the chain had to refuse, and did
    EXECUTOR = "executor"  # a transaction that an executor sent by itself
    LOCAL = "local"  # something a party did at home, outside the chain


@dataclass(frozen=True, slots=True)
class Receipted:
    """A transaction of a step and what became of it. `node` is where it was handed in."""

    call: str  # contract.method
    transaction: str  # id in hex
    height: int
    index: int
    gas: int
    node: str
    milliseconds: int  # from signing to the certified receipt; 0 where it was only observed
    refusal: str  # dotted code of the contract, or ""
    advice: str


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that one party did."""

    number: int
    stage: Stage
    kind: Kind
    role: str
    party: str
    text: str
    term: str  # the standard's word for it
    receipted: Receipted | None
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """Measured over a run: blocks from the first to the last of its transactions."""

    first_height: int
    last_height: int
    transactions: int
    block_bytes: int  # of all blocks of the run, encoded; certificates not counted
    gas: int
    stage_ms: tuple[tuple[Stage, int], ...]
    nodes: int
    state_root: str  # equal on all nodes

    @property
    def blocks(self) -> int:
        return self.last_height - self.first_height + 1


@dataclass(frozen=True, slots=True)
class TableRecord:
    """A table that the story shows, cells as text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A whole run."""

    scenario: str
    run_id: str
    steps: tuple[Step, ...]
    tables: tuple[TableRecord, ...]
    figures: Figures
    findings: tuple[tuple[str, str], ...]  # what the scenario itself has to say, by name
    measures: tuple[tuple[str, float], ...]
