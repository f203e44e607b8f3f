"""Blocks and their certificates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import Invocation, verb
from cli.output import Answer, Fields, Json, Table
from cli.readable import time_text

if TYPE_CHECKING:
    from client.connection import Connection
    from client.node import BlockView

app = typer.Typer()
LIST_MAX = 200


@verb(app, "show")
def show(
    ask: Invocation,
    height: Annotated[
        int | None, typer.Argument(min=0, help="Height; default: the last certified one.")
    ] = None,
) -> Answer:
    """Show one block: header, certificates, transactions."""
    with ask.connection() as node:
        view = _newest(node) if height is None else node.block(height)
    return Fields(_fields(view, as_json=ask.json))


@verb(app, "list")
def list_blocks(
    ask: Invocation,
    last: Annotated[int, typer.Option(min=1, max=LIST_MAX, help="So many, newest first.")] = 10,
) -> Answer:
    """List the newest certified blocks."""
    rows: list[tuple[Json, ...]] = []
    with ask.connection() as node:
        view = _newest(node)
        top = view.block.header.height
        for height in range(top, max(-1, top - last), -1):
            view = view if height == top else node.block(height)
            header = view.block.header
            rows.append(
                (
                    height,
                    header.time_ms if ask.json else time_text(header.time_ms),
                    header.proposer,
                    len(view.block.transactions),
                    view.hash.hex() if ask.json else view.hash.hex()[:16],
                )
            )
    return Table(("height", "time", "proposer", "transactions", "hash"), rows)


def _newest(node: Connection) -> BlockView:
    from client.light.connection import VerifyingConnection

    if isinstance(node, VerifyingConnection):
        return node.newest_block()
    return node.block(node.status().certified_height)


def _fields(view: BlockView, *, as_json: bool) -> dict[str, Json]:
    from ledger.model import transaction_id

    header = view.block.header
    fields: dict[str, Json] = {
        "height": header.height,
        "hash": view.hash.hex(),
        "time": header.time_ms if as_json else time_text(header.time_ms),
        "proposer": header.proposer,
        "previous_hash": header.previous_hash.hex(),
        "transactions_root": header.transactions_root.hex(),
        "validators_hash": header.validators_hash.hex(),
        "dropped": len(view.block.dropped),
    }
    if commit := view.commit_certificate:
        fields["commit_certificate"] = f"view {commit.view}, {len(commit.signatures)} signatures"
    if execution := view.execution_certificate:
        fields["execution_certificate"] = f"{len(execution.signatures)} signatures"
        fields["state_root"] = execution.statement.state_root.hex()
        fields["receipts_root"] = execution.statement.receipts_root.hex()
    status = {receipt.transaction_id: receipt for receipt in view.receipts}
    transactions: list[Json] = []
    for transaction in view.block.transactions:
        identity = transaction_id(transaction)
        receipt = status.get(identity)
        transactions.append(
            {
                "id": identity.hex(),
                "status": "pending" if receipt is None else receipt.error or "ok",
                "gas_used": 0 if receipt is None else receipt.gas_used,
            }
        )
    fields["transactions"] = transactions
    return fields
