"""Who plays in a run, and under which ids its things are on the chain."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ledger.values import Value
from scenarios.consortium import Consortium, Member
from scenarios.record import ScenarioFailed

DAY_MS = 24 * 3600 * 1000
TASK_TERM_MS = 15 * 60 * 1000  # until the executors must have reported


@dataclass(frozen=True, slots=True)
class Cast:
    """The parties of the story. `outsider` takes part in the network and not in the task."""

    manager: Member
    operator: Member
    suppliers: tuple[Member, ...]
    consumer: Member
    outsider: Member
    holding: str  # what its data sets are called; a number for each supplier follows
    run_id: str

    @property
    def demand(self) -> str:
        return f"demand-{self.run_id}"

    @property
    def grant(self) -> str:
        return f"grant-{self.run_id}"

    @property
    def task(self) -> str:
        return f"task-{self.run_id}"

    @property
    def product(self) -> str:
        return f"product-{self.run_id}"

    @property
    def delivery(self) -> str:
        return f"delivery-{self.run_id}"

    @property
    def agreement(self) -> str:
        """The contract over the product."""
        return f"agreement-{self.run_id}"

    @property
    def service(self) -> str:
        """The contract over what is asked of the product after its delivery."""
        return f"service-{self.run_id}"

    def statement(self, payee: Member) -> str:
        """The id of what the consumer owes to `payee`."""
        return f"statement-{self.run_id}-{payee.party}"

    def dataset(self, supplier: Member) -> str:
        """The id of the supplier's data set."""
        return f"{self.holding}-{self.run_id}-{self.suppliers.index(supplier) + 1}"

    @property
    def datasets(self) -> list[str]:
        return [self.dataset(supplier) for supplier in self.suppliers]

    def evidence(self, number: int, who: Member, what: str) -> str:
        """A fresh id for a record of evidence."""
        return f"evidence-{self.run_id}-{number}-{who.party}-{what}"

    def order(self, task_id: str, algorithm: str, program: bytes) -> list[Value]:
        """The arguments of task.create for these suppliers; results are sealed to the operator."""
        participants: list[Value] = [
            [supplier.party, self.dataset(supplier)] for supplier in self.suppliers
        ]
        receiver_key = self.operator.session.account.public_key
        deadline_ms = now_ms() + TASK_TERM_MS
        words: list[Value] = [task_id, self.grant, algorithm, program, participants, receiver_key]
        return [*words, deadline_ms, "", ""]


def cast_of(consortium: Consortium, run_id: str, *, holding: str, suppliers: int) -> Cast:
    """The parties with the roles of the story. Raises ScenarioFailed when one is missing."""
    found = consortium.all("supplier")
    if len(found) < suppliers:
        raise ScenarioFailed(f"the network has {len(found)} suppliers; {suppliers} are needed")
    return Cast(
        manager=consortium.one("manager"),
        operator=consortium.one("operator"),
        suppliers=found[:suppliers],
        consumer=consortium.one("consumer"),
        outsider=consortium.one("tech_provider"),
        holding=holding,
        run_id=run_id,
    )


def now_ms() -> int:
    return time.time_ns() // 1_000_000
