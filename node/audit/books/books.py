"""The books of a whole chain, kept act by act."""

from __future__ import annotations

from typing import Protocol

from node.audit.acts.act import Act
from node.audit.acts.lineage import ENDS, Lineage
from node.audit.acts.values import text
from node.audit.books.agreements import Agreements
from node.audit.books.bills import Bills, Entry
from node.audit.books.jobs import Jobs
from node.audit.books.kept import Faults, Kept
from node.audit.books.tariffs import Tariffs


class Knowing(Protocol):
    """What the books need of a Reader; see there."""

    @property
    def lineage(self) -> Lineage: ...

    def is_founded(self, contract: str) -> bool: ...


class Books:
    """As of the last act that was added. Memory grows with the records, not with the blocks."""

    def __init__(self, reader: Knowing) -> None:
        self._reader = reader
        self._ends: dict[str, str] = {}  # task -> how it ended
        self.faults = Faults()
        self.jobs = Jobs(self.faults, self._ends)
        self.agreements = Agreements(self.faults)
        self.tariffs = Tariffs()
        self.bills = Bills(self.faults, self._ends, self.agreements, self.tariffs)

    def add(self, act: Act) -> None:
        """The act at which the reader stands; refused ones change nothing."""
        if act.status:
            return
        lineage = self._reader.lineage
        self.faults.stand_at(act)
        told = [event for event in act.events if self._reader.is_founded(event.contract)]
        for event in told:  # before a job says so: a step ends in the act that ends its task
            if event.contract == "task" and event.name in ENDS:
                task = text(event.fields.get("task_id"))
                self._ends[task] = ENDS[event.name]
                self.jobs.end_task(task, act.time_ms)
        if self._reader.is_founded(act.contract):
            if act.contract == "delivery":
                self.agreements.hand_over(act, lineage)
            elif (act.contract, act.method) == ("task", "create"):
                self.jobs.order(act)
            elif (act.contract, act.method) == ("product", "register"):
                self.jobs.register(act)
        for event in told:
            match event.contract:
                case "job":
                    self.jobs.hear(event.name, event.fields, act)
                case "agreement":
                    self.agreements.hear(event.name, event.fields, act, lineage)
                case "tariff":
                    self.tariffs.hear(event.name, event.fields, act)
                case "billing" | "payment":
                    self.bills.hear(event.name, event.fields, act, lineage)

    def kept_of(self, entry: Entry) -> Kept:
        """What a metered entry is about, and whom it concerns."""
        about = set(self._reader.lineage.through(entry.subject))
        proof, parties = entry.proof, {entry.payee, entry.payer}
        return Kept(entry.subject, proof, proof.time_ms, parties, about)
