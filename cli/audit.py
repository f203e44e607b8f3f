"""Replay a ledger or check a proof, trusting only a genesis (审计)."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.audit_access import access
from cli.language import say
from cli.options import Invocation, verb
from cli.output import DONE, REFUSED, Answer, CommandRefused, Fields, Json, note, progress
from cli.proofs import GenesisFile

if TYPE_CHECKING:
    from client.account import Account
    from ledger.commit import StoredBlock
    from ledger.genesis import Genesis
    from node.audit import Replayed, Verdict
    from node.audit.answers import Answers, Asked
    from node.audit.manifest import Manifest
    from node.audit.parts import SignaturePart
    from node.audit.report import Report

app = typer.Typer()


_NODE = re.compile(r"[A-Za-z0-9.\-\[\]:]+:[0-9]{1,5}")  # HOST:PORT
TOLD_EVERY_S = 10.0  # between two lines of progress where there is no terminal

Archives = Annotated[
    Path | None,
    typer.Option(help="Folder of archives with the blocks that the source no longer has."),
]


Source = Annotated[
    Path,
    typer.Argument(
        help="An archive, a folder of them, the data folder of a node that is not running, or "
        "HOST:PORT of one."
    ),
]
WorkFolder = Annotated[
    Path | None,
    typer.Option(help="Keep the replay's own ledger here; the next command goes on with it."),
]
SignKey = Annotated[
    str, typer.Option(help="Key that signs the report: a path, or NAME of keys/NAME.pem.")
]
OutputFolder = Annotated[Path, typer.Option(help="The folder to write; it must not exist.")]


@contextmanager
def _from_the_genesis() -> Iterator[None]:
    """A ledger that begins later needs what was archived of it."""
    from ledger.errors import HeightPruned

    try:
        yield
    except HeightPruned as error:
        advice = "name the folder of the archives with --archives"
        raise CommandRefused("block.pruned", f"{error}; {advice}") from None


@verb(app, "export")
def export(
    ask: Invocation,
    source: Annotated[
        Path, typer.Argument(help="Data folder of a node that is not running, or a copy of one.")
    ],
    output: Annotated[Path, typer.Option(help="The file to write; it must not exist.")],
    archives: Archives = None,
) -> Answer:
    """Write all blocks, receipts, statements and certificates of a ledger to one archive file."""
    from crypto.providers.software import verify_batch
    from ledger import segments
    from ledger.archive import export as write
    from ledger.store import Store
    from node.audit.sources import ledger_path

    if not source.is_dir():
        raise CommandRefused("audit.source", f"{source} is no folder: name a node's data folder")
    store = Store.open(ledger_path(source))
    try:
        earlier: Iterable[StoredBlock] = ()
        if archives is not None and store.base:
            found = segments.read_segments(archives, store.chain_id, verify_batch)
            earlier = segments.iterate_blocks(found, 0, store.base - 1)
        with _from_the_genesis(), progress(say("blocks"), as_json=ask.json) as advance:
            written = write(store, output, advance, earlier=earlier)
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
    source: Source,
    genesis: GenesisFile = Path("genesis.json"),
    archives: Archives = None,
    work: WorkFolder = None,
    report: Annotated[
        Path | None, typer.Option(help="Folder for report.json and report.html; made if missing.")
    ] = None,
    sign_key: SignKey = "",
) -> Answer:
    """Re-execute every block and verify every signature, certificate, receipt and state root."""
    from node.audit.report import document_of, prepare_folder, report_of, write_report

    if sign_key and report is None:
        raise CommandRefused("audit.report", "--sign-key signs a report: name its --report folder")
    # Before the work, so that these are told before hours have passed.
    if report is not None:
        prepare_folder(report)
    signer = _signer(ask, sign_key)
    with _replayed(ask, source, genesis, work, archives, is_measured=True) as (found, trusted):
        verdict = found.verdict
    fields = verdict_fields(verdict)
    if report is not None:
        made = report_of(verdict, trusted, str(source), _now_ms())
        write_report(report, document_of(made, signer))
        fields["report"] = str(report)
    if not ask.json:
        for name in ("divergence", "anomalies"):  # the verdict as a sentence; the report has all
            fields.pop(name, None)
    return Fields(fields, exit_code=REFUSED if verdict.divergence else DONE)


@verb(app, "report")
def report_acts(
    ask: Invocation,
    source: Source,
    output: OutputFolder,
    genesis: GenesisFile = Path("genesis.json"),
    question: Annotated[
        list[str] | None,
        typer.Option(
            help="acts, access, books or custody; repeatable. Default: all that can be asked."
        ),
    ] = None,
    grant: Annotated[str, typer.Option(help="Only what concerns this grant (授权), by id.")] = "",
    party: Annotated[
        str,
        typer.Option(help="Only acts of this party, by id, name or account; access by or for it."),
    ] = "",
    dataset: Annotated[str, typer.Option(help="Only what concerns this data set, by id.")] = "",
    product: Annotated[
        str, typer.Option(help="Only what concerns this product (数据产品), by id.")
    ] = "",
    from_: Annotated[
        str, typer.Option("--from", help="From this moment on: 2026-01-31, or with time and zone.")
    ] = "",
    to: Annotated[
        str,
        typer.Option(help="Up to this moment, itself left out; a date is its 00:00 UTC."),
    ] = "",
    formats: Annotated[
        str, typer.Option("--format", help="Of csv, parquet, html, json; commas between.")
    ] = "csv,html,json",
    archives: Archives = None,
    work: WorkFolder = None,
    sign_key: SignKey = "",
) -> Answer:
    """Answer an auditor from verified data alone: acts, access, custody, jobs and bills."""
    from node.audit.files import Format, check_free, formats_of
    from node.audit.outputs import PAGE_NAME, write_answers

    asked = asked_of(
        question or [],
        grant=grant,
        party=party,
        dataset=dataset,
        product=product,
        from_=from_,
        to=to,
    )
    chosen = formats_of(formats, tuple(Format))
    check_free(output)
    signer = _signer(ask, sign_key)
    with _replayed(ask, source, genesis, work, archives) as (found, trusted):
        manifest, answers = write_answers(
            found,
            trusted,
            asked,
            output,
            chosen,
            source=str(source),
            made_ms=_now_ms(),
            signer=signer,
        )
    fields = _answered(manifest, output) | _found(answers, manifest.asked.questions)
    if Format.HTML in chosen:
        fields["page"] = str(output / PAGE_NAME)
    is_sound = found.verdict.divergence is None and not answers.contradictions()
    return Fields(fields, exit_code=DONE if is_sound else REFUSED)


@verb(app, "tables")
def tables(
    ask: Invocation,
    source: Source,
    output: OutputFolder,
    genesis: GenesisFile = Path("genesis.json"),
    formats: Annotated[
        str, typer.Option("--format", help="Of csv, parquet, json; commas between.")
    ] = "parquet",
    archives: Archives = None,
    work: WorkFolder = None,
    sign_key: SignKey = "",
) -> Answer:
    """Write the verified chain as tables for SQL: blocks, acts, events, grants, signatures, …"""
    from node.audit.files import TABLE_FORMATS, check_free, formats_of
    from node.audit.outputs import write_tables

    chosen = formats_of(formats, TABLE_FORMATS)
    check_free(output)
    signer = _signer(ask, sign_key)
    with _replayed(ask, source, genesis, work, archives) as (found, trusted):
        manifest = write_tables(
            found,
            trusted,
            output,
            chosen,
            source=str(source),
            made_ms=_now_ms(),
            signer=signer,
        )
    fields = _answered(manifest, output)
    fields["rows"] = {file.name: file.rows for file in manifest.files}
    return Fields(fields, exit_code=REFUSED if found.verdict.divergence else DONE)


verb(app, "access")(access)


def asked_of(
    questions: list[str],
    *,
    grant: str,
    party: str,
    dataset: str,
    product: str,
    from_: str,
    to: str,
) -> Asked:
    """What was asked for on the command line. Raises CommandRefused, LiteralInvalid."""
    from cli.literals import parse_date
    from node.audit.answers import Asked, Question

    unknown = sorted(set(questions).difference(Question))
    if unknown:
        known = ", ".join(Question)
        raise CommandRefused("audit.question", f"--question takes {known}; not {unknown[0][:80]!r}")
    possible = [one for one in Question if one is not Question.CUSTODY or product]
    return Asked(
        tuple(Question(one) for one in dict.fromkeys(questions)) or tuple(possible),
        grant=grant,
        party=party,
        dataset=dataset,
        product=product,
        from_ms=parse_date(from_) if from_ else None,
        to_ms=parse_date(to) if to else None,
    )


def _found(answers: Answers, questions: Collection[str]) -> dict[str, Json]:
    """What the answers come to."""
    fields: dict[str, Json] = {}
    for name, count in (("acts", answers.acts_count), ("access", answers.access_count)):
        if name in questions:
            fields[name] = count
    if answers.custody is not None:
        fields["custody_edges"] = len(answers.custody.edges)
        fields["links_missing"] = [link.says for link in answers.missing()]
    if "books" in questions:
        fields["contradictions"] = [*answers.contradictions()]
    return fields


def _answered(manifest: Manifest, output: Path) -> dict[str, Json]:
    """What stands behind a folder."""
    return {
        "verdict": manifest.sentence,
        "answered_from": f"blocks 0 to {manifest.figures.height}",
        "chain_id": manifest.genesis.chain_id,
        "state_root": manifest.figures.state_root,
        "resumed_height": manifest.figures.resumed_height,
        "files": len(manifest.files),
        "output": str(output),
    }


def _signer(ask: Invocation, sign_key: str) -> Account | None:
    from client.account import Account

    if not sign_key:
        return None
    path = ask.key_path_of(sign_key)
    return Account.load(path, ask.passphrase(path))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@contextmanager
def _replayed(
    ask: Invocation,
    source: Path,
    genesis: Path,
    work: Path | None,
    archives: Path | None,
    *,
    is_measured: bool = False,
) -> Iterator[tuple[Replayed, Genesis]]:
    """A replay of what `source` names, under the genesis in a file."""
    from client.node import NodeClient
    from ledger.genesis import load_genesis
    from node import audit

    is_node = not source.exists() and _NODE.fullmatch(str(source)) is not None
    if not source.exists() and not is_node:
        raise CommandRefused(
            "audit.source",
            f"there is no {source}: name an archive, a node's data folder, or HOST:PORT of a node",
        )
    trusted = load_genesis(genesis)
    with ExitStack() as stack:
        examined = (
            stack.enter_context(NodeClient(str(source), caller=ask.caller())) if is_node else source
        )
        stack.enter_context(_from_the_genesis())
        with _told(ask) as advance:
            found = stack.enter_context(
                audit.replayed(
                    examined,
                    trusted,
                    advance=advance,
                    work=work,
                    archives=archives,
                    is_measured=is_measured,
                )
            )
        yield found, trusted


@contextmanager
def _told(ask: Invocation) -> Iterator[Callable[[int, int | None], None]]:
    """A bar on a terminal; elsewhere a line now and then with the rate and what is left."""
    if ask.json or sys.stderr.isatty():
        with progress(say("blocks"), as_json=ask.json) as advance:
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
        note(
            say(
                "block {done} of {total}, {rate:.0f} blocks/s, {left:.0f} s left",
                done=done,
                total=total,
                rate=rate,
                left=(total - done) / rate,
            )
        )

    yield tell


@verb(app, "verify")
def verify(
    ask: Invocation,
    path: Annotated[
        Path, typer.Argument(help="A folder of answers or tables, or a report of a replay.")
    ],
) -> Answer:
    """Check that a report, answers or tables are what their signer signed; tell the verdict."""
    from node.audit.manifest import MANIFEST_NAME, read_manifest, unnamed_files
    from node.audit.report import JSON_NAME, read_report

    path = path.parent if path.name == MANIFEST_NAME else path
    if not (path / MANIFEST_NAME).exists():
        document = read_report(path / JSON_NAME if path.is_dir() else path)
        return Fields(_behind(document.report, document.signature))
    answers = read_manifest(path)
    fields = _behind(answers.answers, answers.signature)
    fields["asked"] = ", ".join(answers.answers.asked.questions)
    fields["files"] = len(answers.answers.files)
    if beside := unnamed_files(path, answers):
        fields["not_vouched_for"] = list(beside)
    return Fields(fields)


def _behind(report: Report | Manifest, signature: SignaturePart | None) -> dict[str, Json]:
    """The replay behind a document, and who signed it."""
    return {
        "verdict": report.sentence,
        "chain_id": report.genesis.chain_id,
        "source": report.source.name,
        "archive": report.source.archive,
        "height": report.figures.height,
        "state_root": report.figures.state_root,
        "made_ms": report.made_ms,
        "signed_by": signature.address if signature else "nobody: believe it as you got it",
    }


@verb(app, "check")
def check_bundle(
    ask: Invocation,
    bundle: Annotated[
        Path, typer.Argument(help="File that `tx`, `evidence`, `contract` or `state prove` wrote.")
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
