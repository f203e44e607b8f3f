"""Data products: what was made of finished tasks, registered and assessed (6.3b, 6.4b, 6.5c).

The operator of a finished task registers its result as a product; the manager passes or refuses
it; it passes none that leads back to persons further than the contract `deidentification` lets it.
Where the task carried out a step of a job, the job's result must have been verified. The
product keeps its lineage, task and grant, so that a delivery can be traced to the data.
The grant is checked at the registration, which its kinds of output bind, and at the approval; a
refusal needs none.

States: registered -> approved | refused.
"""

from __future__ import annotations

from contracts.dialect import (
    Map,
    Var,
    call,
    ctx,
    emit,
    fail,
    is_name,
    record,
    replace,
    require,
    view,
    view_contract,
)

TITLE_MAX = 128  # characters
TEXT_MAX = 2048  # characters of a description
NOTE_MAX = 1024  # characters
DIGEST_SIZE = 32  # bytes: SM3
PAGE_MAX = 100  # products in one answer


@record
class DataProduct:
    """A result that may be delivered. `consumer` filed the demand that it answers."""

    id: str
    task_id: str
    grant_id: str
    operator: str
    consumer: str
    title: str
    description: str
    output: str  # its kind, such as statistics or model
    result_digest: bytes
    registered_ms: int
    status: str = "registered"
    manager: str = ""  # party that assessed it
    note: str = ""


@record
class ProductSummary:
    """A line of a list."""

    id: str
    task_id: str
    operator: str
    consumer: str
    title: str
    status: str


@record
class Outcome:
    """A task's end, as the task contract tells it."""

    status: str
    operator: str
    grant_id: str
    consumer: str
    created_ms: int
    participants: list[tuple[str, str]]


@record
class Lineage:
    """What a delivery may build on."""

    status: str
    operator: str
    grant_id: str
    consumer: str


@record
class Particulars:
    """What the contract `deidentification` binds an assessment to."""

    status: str
    operator: str
    consumer: str
    task_id: str
    result_digest: bytes


@record
class Made:
    """What the contract `risk` judges a product by."""

    operator: str
    grant_id: str
    task_id: str
    output: str


products = Map(str, DataProduct)
product_by_number = Map(int, str)
product_count = Var(int)


@call
def register(
    product_id: str, task_id: str, title: str, description: str, result_digest: bytes, output: str
) -> None:
    """The operator of a finished task registers its result (6.3b, 6.5c)."""
    operator = view_contract("parties", "acting_as", ctx.sender, "operator", returns=str)
    require(operator != "", "product.role: sign with an account of an active operator")
    require(is_name(product_id), "product.id: use 1 to 64 characters of a-z 0-9 _ - .")
    require(product_id not in products, "product.exists: choose another id")
    require(1 <= len(title) <= TITLE_MAX, "product.title: use 1 to 128 characters")
    require(len(description) <= TEXT_MAX, "product.description: use up to 2048 characters")
    require(len(result_digest) == DIGEST_SIZE, "product.result_digest: use 32 bytes of SM3")
    require(is_name(output), "product.output: name its kind, such as statistics or model")
    outcome = view_contract("task", "outcome", task_id, returns=Outcome)
    require(outcome.operator == operator, "product.owner: another operator ordered this task")
    require(outcome.status == "finished", "product.task: only a finished task makes a product")
    view_contract("step", "ensure_vouched", task_id, returns=bool)
    view_contract("grant", "ensure_valid", outcome.grant_id, returns=bool)
    _scenario, _algorithms, outputs = view_contract(
        "grant", "purpose", outcome.grant_id, returns=tuple[str, list[str], list[str]]
    )
    require(
        output in outputs,
        "product.beyond: the grant allows other kinds of output; ask for a new grant",
    )
    products[product_id] = DataProduct(
        id=product_id,
        task_id=task_id,
        grant_id=outcome.grant_id,
        operator=operator,
        consumer=outcome.consumer,
        title=title,
        description=description,
        output=output,
        result_digest=result_digest,
        registered_ms=ctx.time_ms,
    )
    number = product_count.get(0)
    product_by_number[number] = product_id
    product_count.set(number + 1)
    emit(
        "ProductRegistered",
        product_id=product_id,
        task_id=task_id,
        grant_id=outcome.grant_id,
        party_id=operator,
        result_digest=result_digest,
    )


@call
def approve(product_id: str, passed: bool, note: str) -> None:
    """The manager passes a product for delivery, or refuses it (6.4b)."""
    manager = view_contract("parties", "acting_as", ctx.sender, "manager", returns=str)
    require(manager != "", "product.role: sign with an account of an active manager")
    product = known(product_id)
    require(product.status == "registered", "product.status: it has been assessed already")
    require(
        manager not in (product.operator, product.consumer),
        "product.self: another manager assesses what you made or receive",
    )
    require(passed or note != "", "product.note: say why the product is refused")
    require(len(note) <= NOTE_MAX, "product.note: use up to 1024 characters")
    if passed:
        view_contract("grant", "ensure_valid", product.grant_id, returns=bool)
        view_contract("deidentification", "ensure_fit", product_id, product.task_id, returns=bool)
    status = "approved" if passed else "refused"
    products[product_id] = replace(product, status=status, manager=manager, note=note)
    emit("ProductAssessed", product_id=product_id, party_id=manager, passed=passed)


@view
def show(product_id: str) -> DataProduct:
    """One product, whole."""
    require_reader()
    return known(product_id)


@view
def list_(offset: int, limit: int) -> list[ProductSummary]:
    """Products in order of registration."""
    require_reader()
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "product.page: ask for 1 to 100 from 0 up")
    end = min(offset + limit, product_count.get(0))
    return [summary(product_by_number[number]) for number in range(offset, end)]


@view
def lineage(product_id: str) -> Lineage:
    """What the delivery contract checks a delivery against."""
    product = known(product_id)
    return Lineage(product.status, product.operator, product.grant_id, product.consumer)


@view
def particulars(product_id: str) -> Particulars:
    """Whose a product is, what it was made by, and the result that it stands for."""
    product = known(product_id)
    return Particulars(
        product.status,
        product.operator,
        product.consumer,
        product.task_id,
        product.result_digest,
    )


@view
def made(product_id: str) -> Made:
    """Of what kind a product is, and what it was made by."""
    product = known(product_id)
    return Made(product.operator, product.grant_id, product.task_id, product.output)


def require_reader() -> None:
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "", "product.reader: sign with an account of an active party")


def known(product_id: str) -> DataProduct:
    product = products.get(product_id)
    if product is None:
        fail("product.unknown: no product has this id; look for it with `list`")
    return product


def summary(product_id: str) -> ProductSummary:
    product = products[product_id]
    return ProductSummary(
        product.id,
        product.task_id,
        product.operator,
        product.consumer,
        product.title,
        product.status,
    )
