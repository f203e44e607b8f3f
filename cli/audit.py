"""Replay a ledger or check a proof, trusting only a genesis (审计)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import Invocation, verb
from cli.output import DONE, REFUSED, Answer, CommandRefused, Fields, Json, progress

if TYPE_CHECKING:
    from node.audit import Verdict

app = typer.Typer()


@verb(app, "replay")
def replay(
    ask: Invocation,
    source: Annotated[
        Path, typer.Argument(help="Data folder of a node that is not running, or a copy of one.")
    ],
    genesis: Annotated[
        Path, typer.Option(help="The genesis file you trust; all else is checked against it.")
    ] = Path("genesis.json"),
) -> Answer:
    """Re-execute every block and verify every signature, certificate, receipt and state root."""
    from ledger.genesis import load_genesis
    from node import audit

    if not source.is_dir():
        raise CommandRefused("audit.source", f"{source} is no folder: name a node's data folder")
    trusted = load_genesis(genesis)
    with progress("blocks", as_json=ask.json) as advance:
        verdict = audit.replay(source, trusted, advance=advance)
    fields = verdict_fields(verdict)
    if not ask.json:
        fields.pop("divergence", None)  # the verdict is the same as a sentence
    return Fields(fields, exit_code=REFUSED if verdict.divergence else DONE)


@verb(app, "check")
def check_bundle(
    ask: Invocation,
    bundle: Annotated[
        Path, typer.Argument(help="File that `tx`, `evidence` or `contract prove` wrote.")
    ],
    genesis: Annotated[
        Path, typer.Option(help="The genesis file you trust; all else is checked against it.")
    ] = Path("genesis.json"),
) -> Answer:
    """Check a proof bundle without any node, and say what it proves: who, what, when."""
    from cli.proofs import load_bundle, proven
    from ledger.genesis import load_genesis

    trusted = load_genesis(genesis)
    return proven(ask, load_bundle(bundle), trusted, trust=str(genesis), output=None)


def verdict_fields(verdict: Verdict) -> dict[str, Json]:
    """The verdict as names and values, for people and programs."""
    divergence = verdict.divergence
    fields: dict[str, Json] = {
        "verdict": "intact: the ledger follows from its genesis"
        if divergence is None
        else divergence.sentence(),
        "chain_id": verdict.chain_id,
        "height": verdict.height,
        "certified_height": verdict.certified_height,
        "transactions": verdict.transactions,
        "signatures": verdict.signatures,
        "state_root": verdict.state_root,
        "seconds": round(verdict.seconds, 2),
    }
    if verdict.recoveries:
        fields["recoveries"] = verdict.recoveries
    if divergence is not None:
        fields["divergence"] = {
            "height": divergence.height,
            "check": divergence.check,
            "transaction": divergence.transaction,
            "key": divergence.key,
            "expected": divergence.expected,
            "found": divergence.found,
        }
    return fields
