"""Replay a ledger or check a proof, trusting only a genesis (审计)."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import Invocation, verb
from cli.output import DONE, REFUSED, Answer, CommandRefused, Fields, Json, note, progress

if TYPE_CHECKING:
    from node.audit import Verdict

app = typer.Typer()


_NODE = re.compile(r"[A-Za-z0-9.\-\[\]:]+:[0-9]{1,5}")  # HOST:PORT
TOLD_EVERY_S = 10.0  # between two lines of progress where there is no terminal

GenesisFile = Annotated[
    Path, typer.Option(help="The genesis file you trust; all else is checked against it.")
]


@verb(app, "export")
def export(
    ask: Invocation,
    source: Annotated[
        Path, typer.Argument(help="Data folder of a node that is not running, or a copy of one.")
    ],
    output: Annotated[Path, typer.Option(help="The file to write; it must not exist.")],
) -> Answer:
    """Write all blocks, receipts, statements and certificates of a ledger to one archive file."""
    from ledger.archive import export as write
    from ledger.store import Store
    from node.audit.sources import ledger_path

    if not source.is_dir():
        raise CommandRefused("audit.source", f"{source} is no folder: name a node's data folder")
    store = Store.open(ledger_path(source))
    try:
        with progress("blocks", as_json=ask.json) as advance:
            written = write(store, output, advance)
    finally:
        store.close()
    return Fields(
        {
            "archive": str(output),
            "digest": written.digest.hex(),
            "chain_id": written.chain_id.hex(),
            "height": written.height,
            "certified_height": written.certified_height,
            "transactions": written.transactions,
            "chunks": written.chunks,
            "bytes": written.size,
            "bytes_inflated": written.size_inflated,
        }
    )


@verb(app, "replay")
def replay(
    ask: Invocation,
    source: Annotated[
        Path,
        typer.Argument(
            help="An archive, the data folder of a node that is not running, or HOST:PORT of one."
        ),
    ],
    genesis: GenesisFile = Path("genesis.json"),
    work: Annotated[
        Path | None,
        typer.Option(help="Keep the replay's own ledger here; the same command goes on with it."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Folder for report.json and report.html; made if missing.")
    ] = None,
    sign_key: Annotated[
        str, typer.Option(help="Key that signs the report: a path, or NAME of keys/NAME.pem.")
    ] = "",
) -> Answer:
    """Re-execute every block and verify every signature, certificate, receipt and state root."""
    from client.account import Account
    from client.node import NodeClient
    from ledger.genesis import load_genesis
    from node import audit
    from node.audit.report import document_of, prepare_folder, report_of, write_report

    is_node = not source.exists() and _NODE.fullmatch(str(source)) is not None
    if not source.exists() and not is_node:
        raise CommandRefused(
            "audit.source",
            f"there is no {source}: name an archive, a node's data folder, or HOST:PORT of a node",
        )
    trusted = load_genesis(genesis)
    if sign_key and report is None:
        raise CommandRefused("audit.report", "--sign-key signs a report: name its --report folder")
    # Before the work, so that these are told before hours have passed.
    if report is not None:
        prepare_folder(report)
    signer = Account.load(ask.key_path_of(sign_key), ask.passphrase()) if sign_key else None
    with ExitStack() as stack:
        examined = stack.enter_context(NodeClient(str(source))) if is_node else source
        advance = stack.enter_context(_told(ask))
        verdict = audit.replay(examined, trusted, advance=advance, work=work, is_measured=True)
    fields = verdict_fields(verdict)
    if report is not None:
        made = report_of(verdict, trusted, str(source), time.time_ns() // 1_000_000)
        write_report(report, document_of(made, signer))
        fields["report"] = str(report)
    if not ask.json:
        for name in ("divergence", "anomalies"):  # the verdict as a sentence; the report has all
            fields.pop(name, None)
    return Fields(fields, exit_code=REFUSED if verdict.divergence else DONE)


@contextmanager
def _told(ask: Invocation) -> Iterator[Callable[[int, int | None], None]]:
    """A bar on a terminal; elsewhere a line now and then with the rate and what is left."""
    if ask.json or sys.stderr.isatty():
        with progress("blocks", as_json=ask.json) as advance:
            yield advance
        return
    began = told = time.monotonic()
    first: int | None = None

    def tell(done: int, total: int | None) -> None:
        nonlocal told, first
        if first is None:
            first = done - 1
        now = time.monotonic()
        if now - told < TOLD_EVERY_S or total is None:
            return
        told = now
        rate = (done - first) / (now - began)
        note(f"block {done} of {total}, {rate:.0f} blocks/s, {(total - done) / rate:.0f} s left")

    yield tell


@verb(app, "report")
def show_report(
    ask: Invocation,
    file: Annotated[Path, typer.Argument(help="A report.json or report.html.")],
) -> Answer:
    """Check that a report is what its signer signed, and tell its verdict."""
    from node.audit.report import read_report

    document = read_report(file)
    report, signature = document.report, document.signature
    fields: dict[str, Json] = {
        "verdict": report.sentence,
        "chain_id": report.genesis.chain_id,
        "source": report.source.name,
        "archive": report.source.archive,
        "height": report.figures.height,
        "state_root": report.figures.state_root,
        "made_ms": report.made_ms,
        "signed_by": signature.address if signature else "nobody: believe it as you got it",
    }
    return Fields(fields)


@verb(app, "check")
def check_bundle(
    ask: Invocation,
    bundle: Annotated[
        Path, typer.Argument(help="File that `tx`, `evidence` or `contract prove` wrote.")
    ],
    genesis: GenesisFile = Path("genesis.json"),
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
        "verdict": verdict.sentence(),
        "chain_id": verdict.chain_id,
        "height": verdict.height,
        "certified_height": verdict.certified_height,
        "transactions": verdict.transactions,
        "signatures": verdict.signatures,
        "state_root": verdict.state_root,
        "seconds": round(verdict.seconds, 2),
        "rate": _rate(verdict),
    }
    if verdict.archive:
        fields["archive"] = verdict.archive
    if verdict.recoveries:
        fields["recoveries"] = verdict.recoveries
    if verdict.resumed_height:
        fields["resumed_height"] = verdict.resumed_height
    if verdict.anomalies:
        fields["anomalies"] = {name: found.count for name, found in verdict.anomalies.items()}
    if divergence is not None:
        fields["divergence"] = {
            "height": divergence.height,
            "kind": divergence.kind.value,
            "check": divergence.check,
            "transaction": divergence.transaction,
            "key": divergence.key,
            "expected": divergence.expected,
            "found": divergence.found,
        }
    return fields


def _rate(verdict: Verdict) -> str:
    told = f"{verdict.rate:,.0f} signatures/s on {verdict.threads} cores"
    if not verdict.bound:
        return told
    return f"{told}, {verdict.share:.0%} of the {verdict.bound:,.0f}/s that verifying alone takes"
