"""One node: run it, ask it, look after its ledger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.language import say
from cli.options import Invocation, verb
from cli.output import DONE, REFUSED, Answer, CommandRefused, Fields, Json, Table

if TYPE_CHECKING:
    from client.status import EngineStatus, GrowthStatus, NodeStatus
    from ledger.findings import Finding, Findings

SCRUB_ASKED_S = 0.5  # between two questions how far a running node is

app = typer.Typer()


@verb(app, "run")
def run(
    ask: Invocation,
    config: Annotated[Path, typer.Argument(help="node.toml of the node.")],
) -> Answer:
    """Run a node in the foreground until SIGTERM or SIGINT."""
    import trio

    from node.config import load_config
    from node.logs import configure
    from node.serve import serve

    loaded = load_config(config)
    configure(loaded.log_level)
    trio.run(serve, loaded)
    return None


@verb(app, "renew")
def renew(
    ask: Invocation,
    config: Annotated[Path, typer.Argument(help="node.toml of the node.")],
    certificate: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="What `ca renew` wrote.")
    ],
) -> Answer:
    """Put a renewed certificate in the place of the node's, which takes it up while it runs."""
    from crypto.files import replace_file
    from crypto.x509.read import CERTIFICATE, encode_pem
    from node.config import load_config
    from node.keys import read_node_certificate

    place = load_config(config).certificate
    assert place is not None, "load_config insists on it"
    old, new = read_node_certificate(place), read_node_certificate(certificate)
    if (new.public_key, new.subject) != (old.public_key, old.subject):
        raise CommandRefused(
            "node.renew",
            f"{certificate} is of {new.subject} or for another key; have {place} renewed: ca renew",
        )
    if new.not_after <= old.not_after:
        raise CommandRefused("node.renew", f"{certificate} ends no later than {place}")
    replace_file(place, encode_pem(new.der, CERTIFICATE))
    return Fields(
        {
            "certificate": str(place),
            "serial": f"{new.serial:x}",
            "ends": f"{new.not_after:%Y-%m-%d %H:%M:%S} UTC",
            "taken_up": "within a minute, or at once: shuxin admin reload DATA_DIR",
        }
    )


@verb(app, "status")
def status(ask: Invocation) -> Answer:
    """Where the node stands: the first one, if several are named."""
    with ask.one_node() as node:
        found = node.status()
    return Fields(status_fields(found))


def status_fields(found: NodeStatus) -> dict[str, Json]:
    """What a node says of itself, as names and values."""
    return {
        "name": found.name,
        "version": found.version,
        "phase": found.phase,
        "chain_id": found.chain_id.hex(),
        "height": found.height,
        "certified_height": found.certified_height,
        "block_hash": found.block_hash.hex(),
        "state_root": found.state_root.hex(),
        "view": found.view,
        "primary": found.primary,
        "index": found.index,
        "validators": found.validators,
        "pool": found.mempool_transactions,
        "memory_mb": found.resident_bytes >> 20,
        "engine": found.engine.vm_version,
        **_coming(found.engine),
        "jail": list(found.jail) if found.is_jailed else f"INCOMPLETE: {list(found.jail)}",
        **_growth(found.growth),
        "peers": [
            {"name": p.name, "peer_id": p.peer_id, "connected": p.connected} for p in found.peers
        ],
    }


def _growth(growth: GrowthStatus) -> dict[str, Json]:
    """How much there is, how much room is left, and what is wrong with it, if anything."""
    shown: dict[str, Json] = {
        "base": growth.base,
        "ledger_mb": growth.ledger >> 20,
        "journal_mb": growth.journal >> 20,
        "free_mb": growth.free >> 20,
    }
    if growth.archives_free is not None:
        shown["archived_below"] = growth.archived_below
        shown["archives_mb"] = growth.archives >> 20
        shown["archives_free_mb"] = growth.archives_free >> 20
    if growth.failure:
        shown["archiving_fails"] = growth.failure
    return shown


def _coming(engine: EngineStatus) -> dict[str, Json]:
    """A change of the engine that is decided on; where the node would halt at it, that first."""
    shown: dict[str, Json] = {}
    if engine.missing_height:
        shown["engine_missing"] = f"this release halts at height {engine.missing_height}"
    if engine.next_height:
        shown["engine_next"] = f"{engine.next_vm_version} from height {engine.next_height}"
    return shown


@verb(app, "recover")
def recover(
    ask: Invocation,
    config: Annotated[Path, typer.Argument(help="node.toml of a node that is not running.")],
    plan: Annotated[Path, typer.Option(help="File of the recovery plan, with its signatures.")],
    start_over: Annotated[
        bool,
        typer.Option(help="Set the whole ledger aside: the plan continues another history."),
    ] = False,
) -> Answer:
    """Follow a recovery plan that a quorum of the organizations and the manager signed."""
    from cli.output import progress
    from ledger.recovery import RECOVERY_SIZE_MAX, decode_recovery
    from node.config import load_config
    from node.logs import configure
    from node.recover import recover as apply
    from node.serve import site_of

    with open(plan, "rb") as file:
        agreed = decode_recovery(file.read(RECOVERY_SIZE_MAX + 1))
    loaded = load_config(config)
    configure(loaded.log_level)
    goal = agreed.plan.height
    with progress(say("blocks"), as_json=ask.json) as advance:
        done = apply(
            site_of(loaded),
            agreed,
            start_over=start_over,
            advance=lambda height: advance(height, goal),
        )
    return Fields(
        {
            "number": done.number,
            "height": done.height,
            "old_height": done.old_height,
            "dropped": done.dropped,
            "set_aside": str(done.set_aside),
        }
    )


@verb(app, "backup")
def backup(
    ask: Invocation,
    data_dir: Annotated[Path, typer.Argument(help="data folder of a node that runs here.")],
    to: Annotated[Path, typer.Option(help="Folder of the backup; what is there is continued.")],
    recipient: Annotated[
        str, typer.Option(help="Public key that the backup is sealed to: see `shuxin key show`.")
    ],
) -> Answer:
    """Add to a backup what the running node has above it; the node goes on working."""
    from cli.output import CommandRefused, progress
    from crypto.providers.software import verify_batch
    from node.backup.take import take

    try:
        public = bytes.fromhex(recipient)
    except ValueError:
        raise CommandRefused(
            "key.public", "--recipient takes the 128 hex digits that `shuxin key show` prints"
        ) from None
    with progress(say("blocks"), as_json=ask.json) as advance:
        taken = take(data_dir, to, public, verify_batch=verify_batch, advance=advance)
    return Fields(
        {
            "backup": str(to),
            "segments": taken.segments,
            "first": taken.first,
            "height": taken.last,
            "bytes": taken.size,
            "state_root": taken.state_root.hex(),
        }
    )


@verb(app, "restore")
def restore(
    ask: Invocation,
    folder: Annotated[Path, typer.Argument(metavar="BACKUP", help="Folder of the backup.")],
    data_dir: Annotated[Path, typer.Option(help="Empty or new data folder of the node.")],
    genesis: Annotated[Path, typer.Option(help="Genesis file, from a source you trust.")],
    height_min: Annotated[
        int, typer.Option(min=0, help="Refuse a backup that ends below this height.")
    ] = 0,
) -> Answer:
    """Make a node's ledger out of a backup that --key opens: all is executed again and checked."""
    from cli.output import note, progress
    from contracts.vm.host import Worker
    from crypto.keys import load_key
    from crypto.providers.software import SoftwareProvider
    from ledger.genesis import load_genesis
    from node.backup import restore as restoring
    from node.bootstrap import check_genesis

    private = load_key(ask.key_path, ask.passphrase(ask.key_path))
    loaded = load_genesis(genesis)
    check_genesis(loaded)
    target = restoring.Target(data_dir, loaded, SoftwareProvider(private), Worker)
    with progress(say("blocks"), as_json=ask.json) as advance:
        done = restoring.restore(folder, private, target, height_min=height_min, advance=advance)
    note(
        say(
            "The node's votes are not in a backup. Until it has caught up, count it among the f "
            "nodes that may fail, and never start two nodes with one key: see docs/operations.md, "
            "Backup."
        )
    )
    return Fields(
        {
            "ledger": str(data_dir / "ledger"),
            "height": done.height,
            "state_root": done.state_root.hex(),
            "time_ms": done.time_ms,
            "segments": done.segments,
            "signed_by": done.signer.hex(),
            "votes": "not restored",
        }
    )


@verb(app, "snapshot")
def snapshot(
    ask: Invocation,
    data_dir: Annotated[Path, typer.Argument(help="data folder of a node that runs here.")],
    output: Annotated[Path, typer.Option(help="New file for the snapshot.")],
) -> Answer:
    """Write a certified snapshot (状态快照) of the running node; the node goes on working."""
    from cli.output import progress
    from node.statesync.carry import take_snapshot

    with progress(say("pieces"), as_json=ask.json) as advance:
        taken = take_snapshot(data_dir, output, advance)
    return Fields(
        {
            "snapshot": str(output),
            "height": taken.height,
            "state_root": taken.state_root.hex(),
            "time_ms": taken.time_ms,
            "chunks": taken.chunks,
            "bytes": taken.size,
        }
    )


@verb(app, "join")
def join(
    ask: Invocation,
    config: Annotated[Path, typer.Argument(help="node.toml of a node without a ledger.")],
    snapshot: Annotated[Path, typer.Option(help="File that `shuxin node snapshot` wrote.")],
    height_min: Annotated[
        int, typer.Option(min=0, help="Refuse a snapshot of a block below this height.")
    ] = 0,
) -> Answer:
    """Begin a node with a snapshot in a file: certificates and every chunk are checked."""
    from cli.output import note, progress
    from node.config import load_config
    from node.serve import site_of
    from node.statesync.carry import join_from_file

    site = site_of(load_config(config))
    with progress(say("pieces"), as_json=ask.json) as advance:
        made = join_from_file(
            snapshot,
            site.data_dir,
            site.genesis,
            site.provider,
            height_min=height_min,
            advance=advance,
        )
    note(
        say(
            "A quorum certified this state; that it is a recent one, only --height-min or the time "
            "of its block can tell. The rest comes from peers, block by block."
        )
    )
    return Fields(
        {
            "ledger": str(site.data_dir / "ledger"),
            "height": made.height,
            "state_root": made.state_root.hex(),
            "time_ms": made.time_ms,
            "chunks": made.chunks,
            "bytes": made.size,
        }
    )


@verb(app, "halt-report")
def halt_report(
    ask: Invocation,
    data_dir: Annotated[Path, typer.Argument(help="data folder of a node that is not running.")],
) -> Answer:
    """What the node halted over and who contradicted himself: who signed what, and who both."""
    from crypto.providers.software import verify_batch
    from ledger.store import Store
    from node.bootstrap import LEDGER
    from node.findings import Reader

    store = Store.open(data_dir / LEDGER)
    try:
        found = Reader(store.epochs, verify_batch).read(data_dir / "accusations")
    finally:
        store.close()
    return Table(
        ("file", "reason", "signed", "by", "forged", "both"),
        [
            [one.file, one.reason, side.what, [*side.signers], [*side.forged], [*one.both]]
            for one in found
            for side in one.exhibits
        ],
        title=str(data_dir / "accusations"),
    )


@verb(app, "verify")
def verify(
    ask: Invocation,
    data_dir: Annotated[Path, typer.Argument(help="data folder of a node, running or not.")],
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what is damaged; the node must not be running.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option(help="node.toml of the node, for --repair.")
    ] = None,
) -> Answer:
    """Read all that a node keeps and check every checksum, hash, path, root and signature."""
    from cli.output import CommandRefused, progress
    from crypto.providers.software import verify_batch
    from ledger.errors import LedgerInUse
    from node.bootstrap import LEDGER
    from node.verify import examine

    if not data_dir.is_dir():
        raise CommandRefused("data.missing", f"{data_dir} is no folder: name a node's data folder")
    if repair and config is None:
        raise CommandRefused("config.missing", "name the node's file: --config node.toml")
    try:
        with progress(say("checking")) as advance:
            found = examine(
                data_dir,
                data_dir / LEDGER,
                verify_batch=verify_batch,
                progress=lambda step: advance(step.done, step.total),
            )
    except LedgerInUse:
        if repair:
            raise
        return _verify_running(data_dir)
    is_damaged = bool(found.findings.all)
    shown: dict[str, Json] = {
        "ledger": str(data_dir / LEDGER),
        "height": found.height,
        "state_root": found.state_root.hex(),
        "verdict": "damaged" if is_damaged else "intact",
        **_findings(found.findings.all, found.findings.more),
    }
    if is_damaged and config is not None and repair:
        return Fields({**shown, **_mend(config, found.findings)})
    return Fields(shown, exit_code=REFUSED if is_damaged else DONE)


def _findings(found: Sequence[Finding], more: int) -> dict[str, Json]:
    if not found:
        return {}
    listed: list[Json] = [
        {
            "area": one.area,
            "height": one.height if one.height >= 0 else None,
            "file": one.file,
            "offset": one.offset if one.offset >= 0 else None,
            "finding": one.text,
        }
        for one in found
    ]
    return {"findings": listed, "more_findings": more}


def _mend(config: Path, findings: Findings) -> dict[str, Json]:
    """Mend what can be; what became of it."""
    from contextlib import closing

    from ledger.store import Store
    from node.config import load_config
    from node.logs import configure
    from node.mend import mend, mend_journal
    from node.serve import site_of

    loaded = load_config(config)
    configure(loaded.log_level)
    site = site_of(loaded)
    if findings.of_ledger(site.ledger):
        done = mend(site)
        return {
            "repaired_height": done.height,
            "rest": "comes from peers when the node runs",
            "set_aside": done.set_aside,
            "votes_set_aside": done.votes_set_aside,
        }
    with closing(Store.open(site.ledger)) as store:
        height = store.height
    return {"votes_set_aside": mend_journal(site.data_dir, height)}


def _verify_running(data_dir: Path) -> Answer:
    """Have the node examine itself, and wait for what it finds."""
    import time

    from cli.output import progress
    from ledger.findings import Findings
    from node.backup.visitor import Visitor
    from node.verify import examine_access_log

    with progress(say("checking")) as advance, Visitor(data_dir) as visitor:
        state = visitor.scrub(is_new=True)
        while state.is_running:
            advance(state.done, state.total or None)
            time.sleep(SCRUB_ASKED_S)
            state = visitor.scrub(is_new=False)
    findings = Findings(list(state.findings), state.more)
    examine_access_log(data_dir, findings)
    return Fields(
        {
            "ledger": str(data_dir / "ledger"),
            "height": state.height,
            "verdict": "damaged" if findings.all else "intact",
            **_findings(findings.all, findings.more),
        },
        exit_code=REFUSED if findings.all else DONE,
    )
