"""Which statement charges for what: entries between a payer and a payee, in their order.

The contract `billing` counts entries for each pair and states them in that order, all since the
last statement; so do these books, from its events alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ledger.values import Value
from node.audit.acts.forms import AGREEMENT, DELIVERY, TASK, Subject
from node.audit.acts.values import text

# What an entry of each kind is for. A data set is charged for as part of its task.
CHARGED: Final = {"task": TASK, "dataset": TASK, "delivery": DELIVERY, "use": AGREEMENT}


class Accounts:
    """`statements`: what each charges for, once, in order. Memory grows with the entries."""

    def __init__(self) -> None:
        self.statements: dict[str, tuple[Subject, ...]] = {}
        self._open: dict[tuple[str, str], list[Subject]] = {}  # payee, payer: not stated yet

    def hear(self, event: str, fields: Mapping[str, Value]) -> None:
        """An event of the contract `billing`."""
        pair = text(fields.get("payee")), text(fields.get("payer"))
        if event == "Metered":
            subject = charged(fields)
            if subject is not None:
                self._open.setdefault(pair, []).append(subject)
        elif event == "StatementIssued":
            entries, count = self._open.get(pair, []), fields.get("count")
            taken = entries[: count if isinstance(count, int) else 0]
            del entries[: len(taken)]
            self.statements[text(fields.get("statement_id"))] = tuple(dict.fromkeys(taken))


def charged(fields: Mapping[str, Value]) -> Subject | None:
    """What an entry is for, by its event; None for a kind that is not known here."""
    kind = CHARGED.get(text(fields.get("kind")))
    return (kind, text(fields.get("subject"))) if kind is not None else None
