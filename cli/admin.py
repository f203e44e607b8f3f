"""A running node on this machine, told by who runs it: no key, no network, no consensus needed."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import Invocation, verb
from cli.output import Answer, CommandRefused, Fields, Json

if TYPE_CHECKING:
    from node.admin.form import Inside

Data = Annotated[
    Path, typer.Argument(metavar="DATA_DIR", help="data folder of a node that runs here.")
]

app = typer.Typer()


@verb(app, "status")
def status(ask: Invocation, data_dir: Data) -> Answer:
    """The node's inside: why it halted, links, certificates, places, room."""
    from node.admin.ask import status as told

    return Fields(inside_fields(told(data_dir)))


@verb(app, "log-level")
def log_level(
    ask: Invocation,
    data_dir: Data,
    level: Annotated[str, typer.Argument(help="debug, info, warning or error.")],
) -> Answer:
    """Log from another level on, until the node is started anew."""
    from node.admin.ask import set_log_level

    before = set_log_level(data_dir, level)
    return Fields({"level": level, "before": before, "until": "the node is started anew"})


@verb(app, "reload")
def reload(ask: Invocation, data_dir: Data) -> Answer:
    """Have the node look at its certificate's file now, as SIGHUP does."""
    from node.admin.ask import reload as told

    found = told(data_dir)
    ends = datetime.datetime.fromtimestamp(found.ends_ms / 1000, datetime.UTC)
    shown: dict[str, Json] = {
        "taken_up": found.is_new,
        "serial": found.serial,
        "ends": f"{ends:%Y-%m-%d %H:%M:%S} UTC",
    }
    if not found.is_new:
        shown["note"] = "in use as before; where the file holds another one, the log says why not"
    return Fields(shown)


@verb(app, "stop")
def stop(
    ask: Invocation,
    data_dir: Data,
    wait_s: Annotated[
        int, typer.Option("--wait", min=0, metavar="SECONDS", help="For its end; 0: do not.")
    ] = 30,
) -> Answer:
    """Have the node make final what it holds and end, as SIGTERM does; a supervisor may start it
    anew."""
    import psutil

    from node.admin.ask import stop as told

    pid = told(data_dir)
    if not wait_s:
        return Fields({"pid": pid, "has_ended": False})
    try:
        psutil.Process(pid).wait(wait_s)
    except psutil.NoSuchProcess:
        pass
    except psutil.TimeoutExpired:
        raise CommandRefused(
            "admin.slow",
            f"the node (process {pid}) is ending, and has not after {wait_s} s: look at its log",
        ) from None
    return Fields({"pid": pid, "has_ended": True})


def inside_fields(found: Inside) -> dict[str, Json]:
    """What a node says to who runs it, what is wrong first."""
    wrong: dict[str, Json] = {}
    if found.halted:
        wrong["HALTED"] = found.halted
    if found.jail_missing:
        wrong["JAIL"] = "INCOMPLETE: contracts reach what the node's user can"
    if found.damage:
        wrong["DAMAGE"] = list(found.damage)
    if found.archiving_failure:
        wrong["archiving_fails"] = found.archiving_failure
    block = datetime.datetime.fromtimestamp(found.block_ms / 1000, datetime.UTC)
    return {
        **wrong,
        "name": found.name,
        "version": found.version,
        "up": str(datetime.timedelta(seconds=found.uptime_s)),
        "phase": found.phase,
        "height": found.height,
        "certified_height": found.certified_height,
        "block": f"{block:%Y-%m-%d %H:%M:%S} UTC",
        "clock_off_ms": found.clock_off_ms,
        "view": found.view,
        "primary": found.primary,
        "index": None if found.index < 0 else found.index,
        "validators": found.members,
        "pool": found.pool,
        "memory_mb": found.resident_bytes >> 20,
        "ledger_mb": found.ledger_bytes >> 20,
        "free_mb": found.free_bytes >> 20,
        "engine": found.engine,
        "log_level": found.log_level,
        "links": [
            {
                "name": link.name,
                "connected": link.is_connected,
                "address": link.address or "none: it has to dial",
                "certificate": link.serial or None,
                "peer_id": link.peer_id,
            }
            for link in found.links
        ],
        "certificates": [
            {"kind": one.kind, "name": one.name, "days_left": one.hours_left // 24}
            for one in found.endings
        ],
        "places": [{"what": one.name, "where": one.value} for one in found.places],
    }
