"""How a scenario acts: every act becomes a step that is recorded, told and timed.

`call` must succeed, `refused` must be refused with one code, `observed` is what an executor did by
itself, `local` happened at a party's home. Anything else than foreseen raises ScenarioFailed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from client.errors import Refused
from client.node import ChainEvent, Outcome
from ledger.encoding import decode, encode
from ledger.model import TransactionBody
from ledger.values import Value
from scenarios.consortium import Consortium, Member
from scenarios.record import (
    Figures,
    Kind,
    Receipted,
    RunRecord,
    ScenarioFailed,
    Stage,
    Step,
    TableRecord,
)

GAS_LIMIT = 5_000_000  # a hundredth of a block; most steps use a hundredth of that
CALL_TIMEOUT_S = 60.0  # two processors carry four nodes and three engines
AGREE_TIMEOUT_S = 30.0
AGREE_POLL_S = 0.2
FOLLOW_TIMEOUT_S = 30.0  # a node that is a block behind takes a tenth of a second
FOLLOW_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Told:
    """How a step is told: what was done, the standard's word for it, and what to note."""

    text: str
    term: str
    facts: tuple[tuple[str, str], ...] = ()


class Teller(Protocol):
    """Who listens to a run. All methods are called in order, from one thread."""

    def stage(self, stage: Stage) -> None: ...
    def step(self, step: Step) -> None: ...
    def remark(self, text: str) -> None: ...
    def table(self, table: TableRecord) -> None: ...
    def waiting(self, text: str) -> AbstractContextManager[None]: ...


class Script:
    """One run of one scenario."""

    def __init__(self, scenario: str, run_id: str, consortium: Consortium, teller: Teller) -> None:
        self.scenario = scenario
        self.run_id = run_id
        self.consortium = consortium
        self._teller = teller
        self._stage = Stage.AGGREGATION
        self._steps: list[Step] = []
        self._tables: list[TableRecord] = []
        self._stage_ms: dict[Stage, int] = {}
        self._findings: list[tuple[str, str]] = []
        self._measures: list[tuple[str, float]] = []

    # --- acts -------------------------------------------------------------------------------

    @contextmanager
    def during(self, stage: Stage) -> Iterator[None]:
        """The acts inside belong to `stage`, and their time is measured as one."""
        self._stage = stage
        self._teller.stage(stage)
        began = time.monotonic()
        yield
        self._stage_ms[stage] = self._stage_ms.get(stage, 0) + _since(began)

    def call(self, who: Member, told: Told, target: str, *args: Value) -> Outcome:
        """`who` calls `target` (contract.method), and it must succeed."""
        outcome, receipted = self._send(who, target, args)
        if receipted.refusal:
            raise ScenarioFailed(
                f"{who.party} was refused {target}: {receipted.refusal}: {receipted.advice}"
            )
        self._add(Kind.CALL, who, told, receipted)
        return outcome

    def refused(self, who: Member, told: Told, target: str, *args: Value, code: str) -> None:
        """`who` calls `target`, and the chain must refuse it with `code`."""
        _outcome, receipted = self._send(who, target, args)
        if receipted.refusal != code:
            got = receipted.refusal or "success"
            raise ScenarioFailed(f"{target} by {who.party} must be refused with {code}, not {got}")
        self._add(Kind.REFUSAL, who, told, receipted)

    def observed(self, who: Member, told: Told, event: ChainEvent) -> None:
        """`event` came of a transaction that the executor of `who` sent by itself."""
        # Another node told of the event: this one may be a block behind.
        outcome = who.session.node.wait(event.transaction_id)
        body = decode(outcome.transaction.body, TransactionBody, size_max=1 << 20)
        receipted = _receipted(outcome, f"{body.contract}.{body.method}", who.node, 0)
        self._add(Kind.EXECUTOR, who, told, receipted)

    def local(self, who: Member, told: Told) -> None:
        """`who` did something at home, outside the chain."""
        self._add(Kind.LOCAL, who, told, None)

    def remark(self, text: str) -> None:
        """A sentence between the steps."""
        self._teller.remark(text)

    def waiting(self, text: str) -> AbstractContextManager[None]:
        """What happens inside takes a while; `text` says what it is."""
        return self._teller.waiting(text)

    def table(self, table: TableRecord) -> None:
        self._tables.append(table)
        self._teller.table(table)

    def finding(self, name: str, text: str) -> None:
        """Something the run found out, for the record's end."""
        self._findings.append((name, text))

    def measured(self, name: str, value: float) -> None:
        """A number of the run, for programs that read the record."""
        self._measures.append((name, value))

    @property
    def findings(self) -> Mapping[str, str]:
        """What the run has found out so far, by name."""
        return dict(self._findings)

    # --- the end ----------------------------------------------------------------------------

    def record(self) -> RunRecord:
        """The run as it went, measured. Raises ScenarioFailed when nodes do not agree."""
        return RunRecord(
            scenario=self.scenario,
            run_id=self.run_id,
            steps=tuple(self._steps),
            tables=tuple(self._tables),
            figures=self._figures(),
            findings=tuple(self._findings),
            measures=tuple(self._measures),
        )

    def _figures(self) -> Figures:
        state_root = wait_for_agreement(self.consortium)
        receipts = [step.receipted for step in self._steps if step.receipted is not None]
        heights = [receipt.height for receipt in receipts]
        first, last = min(heights), max(heights)
        node = self.consortium.clients[0]
        blocks = [node.block(height).block for height in range(first, last + 1)]
        return Figures(
            first_height=first,
            last_height=last,
            transactions=sum(len(block.transactions) for block in blocks),
            block_bytes=sum(len(encode(block)) for block in blocks),
            gas=sum(receipt.gas for receipt in receipts),
            stage_ms=tuple(self._stage_ms.items()),
            nodes=len(self.consortium.nodes),
            state_root=state_root,
        )

    def _send(self, who: Member, target: str, args: Sequence[Value]) -> tuple[Outcome, Receipted]:
        contract, _, method = target.partition(".")
        session = who.session
        began = time.monotonic()
        try:
            transaction = session.build(contract, method, *args, gas_limit=GAS_LIMIT)
            wanted = session.node.submit(transaction)
            outcome = session.node.wait(wanted, timeout_s=CALL_TIMEOUT_S)
        except Refused as refusal:
            raise ScenarioFailed(f"{target} by {who.party} at {who.node}: {refusal}") from None
        receipted = _receipted(outcome, target, who.node, _since(began))
        wait_for_height(self.consortium, outcome.height)  # others read of it at their own nodes
        return outcome, receipted

    def _add(self, kind: Kind, who: Member, told: Told, receipted: Receipted | None) -> None:
        step = Step(
            number=len(self._steps) + 1,
            stage=self._stage,
            kind=kind,
            role=who.role,
            party=who.party,
            text=told.text,
            term=told.term,
            receipted=receipted,
            facts=told.facts,
        )
        self._steps.append(step)
        self._teller.step(step)


def wait_for_height(consortium: Consortium, height: int) -> None:
    """Every node answers views from the block at `height` on. Raises ScenarioFailed."""
    deadline = time.monotonic() + FOLLOW_TIMEOUT_S
    while True:
        behind = [
            place.name
            for place, status in zip(consortium.nodes, consortium.statuses(), strict=True)
            # A node that has the block answers from the one before until a quorum certified it.
            if status is None or status.certified_height < height
        ]
        if not behind:
            return
        if time.monotonic() > deadline:
            raise ScenarioFailed(
                f"{', '.join(behind)} did not reach block {height} within {FOLLOW_TIMEOUT_S:.0f} "
                "s: see `shuxin net status` and the nodes' logs"
            )
        time.sleep(FOLLOW_POLL_S)


def wait_for_agreement(consortium: Consortium) -> str:
    """The state root (hex) on which all nodes agree at one certified height."""
    deadline = time.monotonic() + AGREE_TIMEOUT_S
    while True:
        found = [
            None
            if status is None
            else (status.height, status.certified_height, status.block_hash, status.state_root)
            for status in consortium.statuses()
        ]
        first = found[0]
        if first is not None and first[0] == first[1] and all(one == first for one in found):
            return first[3].hex()
        if time.monotonic() > deadline:
            raise ScenarioFailed(
                f"the nodes do not agree on one height and state root after {AGREE_TIMEOUT_S:.0f} "
                "s: see `shuxin net status` and the nodes' logs"
            )
        time.sleep(AGREE_POLL_S)


def _receipted(outcome: Outcome, call: str, node: str, milliseconds: int) -> Receipted:
    receipt = outcome.receipt
    refusal, advice = "", ""
    if receipt.status != 0:
        refusal, advice = read_refusal(receipt.error, receipt.detail)
    return Receipted(
        call=call,
        transaction=receipt.transaction_id.hex(),
        height=outcome.height,
        index=outcome.index,
        gas=receipt.gas_used,
        node=node,
        milliseconds=milliseconds,
        refusal=refusal,
        advice=advice,
    )


def read_refusal(error: str, detail: str) -> tuple[str, str]:
    """The dotted code and the advice of a refusal: a contract's own, or the machine's."""
    code, separator, advice = detail.partition(": ")
    if error == "refused" and separator and " " not in code:
        return code, advice
    return error, detail


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
