"""Transactions: send, show, and prove to somebody who trusts only the genesis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.domain import GasLimit, quorum, receipt_fields
from cli.literals import LiteralInvalid, parse_bytes, parse_values
from cli.options import Invocation, verb
from cli.output import Answer, Fields, Json, plain
from cli.proofs import (
    BundleOutput,
    prove_transaction,
    proven,
    trusted_genesis,
)

if TYPE_CHECKING:
    from client.node import Outcome

app = typer.Typer()
WAIT_DEFAULT_S = 30


def parse_transaction_id(text: str) -> bytes:
    """32 bytes in hex. Raises LiteralInvalid."""
    wanted = parse_bytes(text)
    if len(wanted) != 32:
        raise LiteralInvalid(f"{len(wanted)} bytes; a transaction id has 64 hex digits")
    return wanted


TransactionId = Annotated[
    bytes, typer.Argument(parser=parse_transaction_id, metavar="ID", help="64 hex digits.")
]
Arguments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[ARG]...",
        help="42, true, text, 0x00ff, file:PATH, '[\"a\", 1]'; str: int: hex: force one.",
    ),
]


@verb(app, "send")
def send(
    ask: Invocation,
    contract: Annotated[str, typer.Argument(metavar="CONTRACT")],
    method: Annotated[str, typer.Argument(metavar="METHOD")],
    args: Arguments = None,
    gas_limit: GasLimit = None,
    wait: Annotated[bool, typer.Option(help="Wait for the certified receipt.")] = True,
    timeout: Annotated[int, typer.Option(min=1, help="Seconds to wait.")] = WAIT_DEFAULT_S,
) -> Answer:
    """Sign a call and hand it to a node."""
    values = parse_values(args or [])
    with ask.session() as session:
        if not wait:
            transaction = session.build(contract, method, *values, gas_limit=gas_limit)
            return Fields({"transaction": session.node.submit(transaction).hex()})
        with quorum(contract, method, as_json=ask.json):
            outcome = session.call(
                contract, method, *values, gas_limit=gas_limit, timeout_s=float(timeout)
            )
    return Fields(receipt_fields(outcome, as_json=ask.json))


@verb(app, "show")
def show(ask: Invocation, transaction: TransactionId) -> Answer:
    """Show a transaction and what became of it."""
    with ask.connection() as node:
        outcome = node.transaction(transaction, proof=False)
    return Fields({**_body_fields(outcome), **receipt_fields(outcome, as_json=ask.json)})


@verb(app, "prove")
def prove(
    ask: Invocation,
    transaction: TransactionId,
    output: BundleOutput = None,
) -> Answer:
    """Fetch a transaction with its proof and check it here; --output keeps the proof as a file."""
    with ask.connection(is_current=False) as node:  # what was included stays so
        trusted, trust = trusted_genesis(ask, node)
        bundle = prove_transaction(node, transaction, trusted)
    return proven(ask, bundle, trusted, trust=trust, output=output)


def _body_fields(outcome: Outcome) -> dict[str, Json]:
    from ledger.encoding import decode
    from ledger.model import TransactionBody, address_of
    from ledger.values import decode_value

    data = outcome.transaction.body
    body = decode(data, TransactionBody, size_max=len(data))
    return {
        "sender": address_of(body.sender),
        "contract": body.contract,
        "method": body.method,
        "args": plain(decode_value(body.args)),
        "valid_until": body.valid_until,
        "gas_limit": body.gas_limit,
    }
