"""What was made of what: the way from a delivery back to demand and data sets.

It follows the acts in order and knows what the chain knew at each of them. Only acts that
succeeded change it. Its memory grows with the objects of the business, not with the blocks:
some hundred bytes for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from ledger.model import PUBLIC_KEY_SIZE, address_of
from ledger.values import Value
from node.audit.acts.accounts import Accounts
from node.audit.acts.forms import (
    AGREEMENT,
    ASSET,
    CHANNEL,
    COMMISSION,
    DATASET,
    DELIVERY,
    DEMAND,
    GRANT,
    PRODUCT,
    STATEMENT,
    TASK,
    Subject,
)
from node.audit.acts.values import octets, text, texts

Fields = Mapping[str, Value]

# How a task ends, by the event that says so.
ENDS: Final = {
    "TaskFinished": "finished",
    "TaskDisputed": "disputed",
    "TaskFailed": "failed",
    "TaskCancelled": "cancelled",
    "TaskExpired": "expired",
}


class DatasetLine(NamedTuple):
    owner: str  # party
    columns: tuple[str, ...]  # as the catalogue described them last


class GrantLine(NamedTuple):
    demand: str
    consumer: str
    operator: str
    datasets: tuple[str, ...]
    channel: str  # of a scenario approved before, or ""


class TaskLine(NamedTuple):
    grant: str
    operator: str
    consumer: str
    participants: tuple[tuple[str, str], ...]  # party, data set
    receiver: str  # address of the key to which output shares are sealed

    @property
    def datasets(self) -> tuple[str, ...]:
        return tuple(dataset for _party, dataset in self.participants)


class ProductLine(NamedTuple):
    task: str
    operator: str


class DeliveryLine(NamedTuple):
    product: str
    operator: str
    consumer: str


class AgreementLine(NamedTuple):
    kind: str  # of its subject: product or grant
    subject: str


class Lineage:
    """All objects of the business so far, and what each was made of."""

    def __init__(self) -> None:
        self.datasets: dict[str, DatasetLine] = {}
        self.demands: dict[str, str] = {}  # -> consumer
        self.channels: dict[str, str] = {}  # -> manager
        self.grants: dict[str, GrantLine] = {}
        self.tasks: dict[str, TaskLine] = {}
        self.products: dict[str, ProductLine] = {}
        self.deliveries: dict[str, DeliveryLine] = {}
        self.agreements: dict[str, AgreementLine] = {}
        self.assets: dict[str, str] = {}  # -> operator
        self.commissions: dict[str, Subject] = {}  # -> what each is about; ("", "") for nothing
        self.accounts = Accounts()

    def follow(self, contract: str, method: str, arguments: Fields, party: str) -> None:
        """A transaction of `party` that succeeded."""
        match contract, method:
            case "catalog", "draft" | "describe":
                self._describe(arguments, party)
            case "demand", "file":
                self.demands[text(arguments.get("demand_id"))] = party
            case "preapproval", "preapprove":
                self.channels[text(arguments.get("channel_id"))] = party
            case "grant", "request":
                self._request(arguments, party)
            case "task", "create":
                self._create(arguments, party)
            case "product", "register":
                line = ProductLine(text(arguments.get("task_id")), party)
                self.products[text(arguments.get("product_id"))] = line
            case "delivery", "offer" | "offer_under":
                product, consumer = arguments.get("product_id"), arguments.get("consumer_party")
                offered = DeliveryLine(text(product), party, text(consumer))
                self.deliveries[text(arguments.get("delivery_id"))] = offered
            case "agreement", "offer":
                over = AgreementLine(text(arguments.get("kind")), text(arguments.get("subject")))
                self.agreements[text(arguments.get("agreement_id"))] = over
            case "asset", "register":
                self.assets[text(arguments.get("asset_id"))] = party
            case "commission", "offer":
                about = text(arguments.get("about")), text(arguments.get("subject"))
                self.commissions[text(arguments.get("commission_id"))] = about

    def _describe(self, arguments: Fields, party: str) -> None:
        schema = arguments.get("schema")
        columns = tuple(
            text(column[0])
            for column in (schema if isinstance(schema, list) else ())
            if isinstance(column, list) and column
        )
        self.datasets[text(arguments.get("dataset_id"))] = DatasetLine(party, columns)

    def _request(self, arguments: Fields, party: str) -> None:
        demand = text(arguments.get("demand_id"))
        self.grants[text(arguments.get("grant_id"))] = GrantLine(
            demand,
            self.demands.get(demand, ""),
            party,
            texts(arguments.get("datasets")),
            text(arguments.get("channel_id")),
        )

    def _create(self, arguments: Fields, party: str) -> None:
        grant, key = text(arguments.get("grant_id")), octets(arguments.get("receiver_key"))
        pairs = arguments.get("participants")
        self.tasks[text(arguments.get("task_id"))] = TaskLine(
            grant,
            party,
            self.grants[grant].consumer if grant in self.grants else "",
            tuple(
                (text(pair[0]), text(pair[1]))
                for pair in (pairs if isinstance(pairs, list) else ())
                if isinstance(pair, list) and len(pair) == 2
            ),
            address_of(key) if len(key) == PUBLIC_KEY_SIZE else "",
        )

    # --- asking -------------------------------------------------------------------------------

    def about(self, name: str) -> Iterator[Subject]:
        """What the chain knows by an id that says not of what kind it is."""
        found = [(kind, name) for kind, known in self._kinds() if name in known]
        demand, slash, _supplier = name.partition("/")
        if not found and slash and demand in self.demands:
            found.append((DEMAND, demand))  # an alert about a supplier's share of a collection
        yield from found

    def through(self, subject: Subject) -> Iterator[Subject]:
        """What a subject was made of, all the way; nothing for what is not known."""
        kind, name = subject
        if kind == DELIVERY and name in self.deliveries:
            product = self.deliveries[name].product
            yield PRODUCT, product
            yield from self.through((PRODUCT, product))
        elif kind == PRODUCT and name in self.products:
            task = self.products[name].task
            yield TASK, task
            yield from self.through((TASK, task))
        elif kind == TASK and name in self.tasks:
            line = self.tasks[name]
            yield from ((DATASET, dataset) for dataset in line.datasets)
            yield GRANT, line.grant  # but of its data sets only those that the task uses
            yield from self._basis(line.grant)
        elif kind == GRANT and name in self.grants:
            yield from ((DATASET, dataset) for dataset in self.grants[name].datasets)
            yield from self._basis(name)
        elif kind == AGREEMENT and name in self.agreements:
            over = self.agreements[name]
            yield over
            yield from self.through(over)
        elif kind == COMMISSION and self.commissions.get(name, ("", ""))[0]:
            about = self.commissions[name]
            yield about
            yield from self.through(about)
        elif kind == STATEMENT:
            for charge in self.accounts.statements.get(name, ()):
                yield charge
                yield from self.through(charge)

    def _basis(self, grant: str) -> Iterator[Subject]:
        """What a grant was given on: a demand, and the channel it was drawn from."""
        if grant in self.grants:
            yield DEMAND, self.grants[grant].demand
            if self.grants[grant].channel:
                yield CHANNEL, self.grants[grant].channel

    def contracts_over(self, chain: frozenset[Subject]) -> Iterator[Subject]:
        """The agreements over something in the chain."""
        yield from ((AGREEMENT, name) for name, over in self.agreements.items() if over in chain)

    def bills_for(self, chain: frozenset[Subject]) -> Iterator[Subject]:
        """The statements that charge for something in the chain."""
        for name, charges in self.accounts.statements.items():
            if not chain.isdisjoint(charges):
                yield STATEMENT, name

    def _kinds(self) -> tuple[tuple[str, Mapping[str, object]], ...]:
        return (
            (DATASET, self.datasets),
            (DEMAND, self.demands),
            (CHANNEL, self.channels),
            (GRANT, self.grants),
            (TASK, self.tasks),
            (PRODUCT, self.products),
            (DELIVERY, self.deliveries),
            (AGREEMENT, self.agreements),
            (STATEMENT, self.accounts.statements),
            (ASSET, self.assets),
            (COMMISSION, self.commissions),
        )
