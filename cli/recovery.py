"""Recovery plans after a fork beyond f: draft, sign, join, show; send again what was set aside."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import Invocation, verb
from cli.output import Answer, CommandRefused, Fields, Table

if TYPE_CHECKING:
    from ledger.recovery import Recovery

app = typer.Typer()

SEND_MAX = 500  # transactions in one call
PlanFile = Annotated[Path, typer.Argument(help="File of the recovery plan.")]


@verb(app, "draft")
def draft(
    ask: Invocation,
    data_dir: Annotated[Path, typer.Argument(help="Data folder of a node that is not running.")],
    reason: Annotated[str, typer.Option(help="What happened; it stays in every ledger.")],
    output: Annotated[Path, typer.Option(help="File to write the plan to.")],
    height: Annotated[
        int | None,
        typer.Option(help="Last block that counts; the highest certified one if not given."),
    ] = None,
) -> Answer:
    """Write a plan by which the chain goes on from a certified block of this node."""
    from ledger.recovery import next_recovery
    from ledger.store import Store
    from node.bootstrap import LEDGER

    store = Store.open(data_dir / LEDGER)
    try:
        chosen = store.certified_height if height is None else height
        certificate = store.execution_certificate(chosen)
        if certificate is None:
            raise CommandRefused(
                "recovery.height", f"block {chosen} is not certified: choose a lower height"
            )
        recovery = next_recovery(
            store.recoveries, certificate, store.chain_id, reason, time.time_ns() // 1_000_000
        )
    finally:
        store.close()
    _save(output, recovery)
    return _shown(recovery, str(output))


@verb(app, "sign")
def sign(ask: Invocation, plan: PlanFile) -> Answer:
    """Add this account's signature to a plan. Read it with `show` first: the file is changed."""
    from ledger.recovery import PlanSignature, plan_message, with_signature

    recovery = _load(plan)
    account = ask.account()
    signature = account.sign(plan_message(recovery.plan))
    recovery = with_signature(recovery, PlanSignature(account.public_key, signature))
    _save(plan, recovery)
    return _shown(recovery, str(plan))


@verb(app, "join")
def join(
    ask: Invocation,
    plans: Annotated[list[Path], typer.Argument(help="Copies of one plan, signed by several.")],
    output: Annotated[Path, typer.Option(help="File to write the plan with all signatures to.")],
) -> Answer:
    """Put the signatures of several copies of one plan into one file."""
    from ledger.recovery import with_signature

    joined, *others = [_load(path) for path in plans]
    for path, other in zip(plans[1:], others, strict=True):
        if (other.plan, other.certificate) != (joined.plan, joined.certificate):
            raise CommandRefused("recovery.other", f"{path} is another plan than {plans[0]}")
        for entry in other.signatures:
            joined = with_signature(joined, entry)
    _save(output, joined)
    return _shown(joined, str(output))


@verb(app, "show")
def show(ask: Invocation, plan: PlanFile) -> Answer:
    """What a plan says and whose accounts signed it; refused if a signature does not hold."""
    return _shown(_load(plan), str(plan))


@verb(app, "resend")
def resend(
    ask: Invocation,
    dropped: Annotated[Path, typer.Argument(help="recovered/NUMBER/dropped.jsonl of a node.")],
) -> Answer:
    """Send again the transactions that a recovery set aside; those not valid any more are told."""
    from ledger.encoding import decode
    from ledger.model import Transaction, transaction_id
    from node.recover import read_dropped

    encoded = list(read_dropped(dropped))
    rows: list[list[str]] = []
    with ask.connection() as node:
        for first in range(0, len(encoded), SEND_MAX):
            part = encoded[first : first + SEND_MAX]
            for data, verdict in zip(part, node.submit_encoded(part), strict=True):
                found = transaction_id(decode(data, Transaction, size_max=len(data)))
                rows.append([found.hex(), verdict.error or "sent", verdict.detail])
    return Table(("transaction", "verdict", "detail"), rows)


def _load(path: Path) -> Recovery:
    from crypto.providers.software import verify_batch
    from ledger.recovery import RECOVERY_SIZE_MAX, check_signatures, decode_recovery

    with open(path, "rb") as file:
        recovery = decode_recovery(file.read(RECOVERY_SIZE_MAX + 1))
    check_signatures(recovery, verify_batch)
    return recovery


def _save(path: Path, recovery: Recovery) -> None:
    from crypto.files import replace_file
    from ledger.encoding import encode

    replace_file(path, encode(recovery))


def _shown(recovery: Recovery, title: str) -> Answer:
    from ledger.model import address_of
    from ledger.recovery import domain_after, plan_digest

    plan = recovery.plan
    return Fields(
        {
            "chain_id": plan.chain_id.hex(),
            "number": plan.number,
            "height": plan.height,
            "block_hash": plan.block_hash.hex(),
            "state_root": plan.state_root.hex(),
            "reason": plan.reason,
            "time_ms": plan.time_ms,
            "digest": plan_digest(plan).hex(),
            "domain": domain_after(plan).hex(),
            "signed_by": [address_of(entry.public_key) for entry in recovery.signatures],
        },
        title=title,
    )
