"""A business whose acts are remembered as an auditor's reader gives them, without a ledger.

So the books of node.audit can be held against what contracts said, and against what they did not
say: `altered` acts are those of a contract that does not keep its promises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from cli.advice import named
from ledger.model import Receipt
from ledger.values import Value
from node.audit.acts.act import Act, Told, told
from node.audit.acts.lineage import Lineage
from node.audit.acts.register import Standing
from node.audit.books.books import Books
from tests.business import Business


class RecordedBusiness(Business):
    """`acts` are those that succeeded, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.acts: list[Act] = []

    def act(self, who: str, contract: str, method: str, *args: Value) -> Receipt:
        receipt = super().act(who, contract, method, *args)
        if receipt.status == 0:
            self.acts.append(
                Act(
                    height=self.chain.height,
                    index=0,
                    time_ms=self.chain.time_ms,
                    transaction=receipt.transaction_id.hex(),
                    sender=who,
                    by=Standing(party=who),
                    contract=contract,
                    method=method,
                    status=0,
                    error="",
                    detail="",
                    gas=receipt.gas_used,
                    arguments=tuple(named(contract, method, args).items()),
                    events=tuple(map(told, receipt.events)),
                    direct=frozenset(),
                    through=frozenset(),
                )
            )
        return receipt

    def books(self, *alter: Callable[[Act], Act]) -> Books:
        """Of all acts so far, each as `alter` tells it."""
        reader = Lined()
        books = Books(reader)
        for act in self.acts:
            for one in alter:
                act = one(act)
            reader.follow(act)
            books.add(act)
        return books


class Lined:
    """What books need of a reader: lineage as of the last act."""

    def __init__(self) -> None:
        self.lineage = Lineage()

    def is_founded(self, contract: str) -> bool:
        return contract != "forged"

    def follow(self, act: Act) -> None:
        self.lineage.follow(act.contract, act.method, act.given, act.by.party)
        for event in act.events:
            if event.contract == "billing":
                self.lineage.accounts.hear(event.name, event.fields)


def saying(name: str, **fields: Value) -> Callable[[Act], Act]:
    """Every event of that name has other fields."""

    def alter(act: Act) -> Act:
        events = tuple(
            Told(event.contract, event.name, {**event.fields, **fields})
            if event.name == name
            else event
            for event in act.events
        )
        return replace(act, events=events)

    return alter


def silent(name: str, **fields: Value) -> Callable[[Act], Act]:
    """Events of that name, those with these fields, are not told."""

    def is_meant(event: Told) -> bool:
        return event.name == name and _has(event.fields, fields)

    def alter(act: Act) -> Act:
        return replace(act, events=tuple(one for one in act.events if not is_meant(one)))

    return alter


def given(call: str, **values: Value) -> Callable[[Act], Act]:
    """Every act of that call had other arguments."""

    def alter(act: Act) -> Act:
        if f"{act.contract}.{act.method}" != call:
            return act
        arguments = tuple((name, values.get(name, value)) for name, value in act.arguments)
        return replace(act, arguments=arguments)

    return alter


def _has(fields: Mapping[str, Value], wanted: Mapping[str, Value]) -> bool:
    return all(fields.get(name) == value for name, value in wanted.items())
