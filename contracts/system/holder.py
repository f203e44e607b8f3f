"""Holders: whose something on the chain is, by kind and id (clauses 6.6.2, 6.6.6).

A commission names what it is about and what was made of it. Each contract that keeps such things
knows whose they are; this one asks the right one, and keeps nothing. Of a demand, a grant, a
product and an asset it is the operator, of a data set its owner, of an algorithm its provider, of
evidence its author. What does not exist is refused by the contract that would keep it.
"""

from __future__ import annotations

from contracts.dialect import fail, record, view, view_contract


@record
class Approval:
    """What the contract `demand` tells of a demand."""

    status: str
    consumer: str
    operator: str
    datasets: list[str]


@record
class Sides:
    """Between whom a grant is, as the contract `grant` tells it."""

    operator: str
    consumer: str


@record
class Made:
    """What the contract `product` tells of a product."""

    operator: str
    grant_id: str
    task_id: str
    output: str


@record
class Image:
    """What the contract `algorithm` tells of an algorithm."""

    status: str
    provider: str


@view
def holder_of(kind: str, identifier: str) -> str:
    """Whose it is; "" for a demand that no operator has forwarded. For other contracts."""
    if kind == "demand":
        return view_contract("demand", "approval", identifier, returns=Approval).operator
    if kind == "grant":
        return view_contract("grant", "sides", identifier, returns=Sides).operator
    if kind == "product":
        return view_contract("product", "made", identifier, returns=Made).operator
    if kind == "algorithm":
        return view_contract("algorithm", "course", identifier, returns=Image).provider
    if kind == "evidence":
        return view_contract("evidence", "author_of", identifier, returns=str)
    if kind == "asset":
        return view_contract("asset", "operator_of", identifier, returns=str)
    if kind != "dataset":
        fail("holder.kind: use demand, grant, dataset, product, algorithm, evidence or asset")
    owner = view_contract("catalog", "owner_of", identifier, returns=str)
    if owner == "":
        fail("holder.dataset: no data set has this id; look for it with `catalog list`")
    return owner
