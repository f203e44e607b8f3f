"""Folders of archives, to which a node moves its old blocks (归档)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.language import say
from cli.options import Invocation, verb
from cli.output import Answer, CommandRefused, Fields, Table
from cli.proofs import GenesisFile

if TYPE_CHECKING:
    from ledger.genesis import Genesis
    from ledger.segments import Segment

app = typer.Typer()

Folder = Annotated[
    Path, typer.Argument(metavar="DIRECTORY", help="[archive] directory of a node, or a copy.")
]


@verb(app, "list")
def list_archives(
    ask: Invocation,
    folder: Folder,
    genesis: GenesisFile = Path("genesis.json"),
) -> Answer:
    """The archives in a folder: blocks, size, digest, and who signed; their order is checked."""
    from ledger.genesis import load_genesis

    segments = _segments(folder, load_genesis(genesis))
    return Table(
        ("first", "last", "transactions", "bytes", "digest", "signed_by"),
        [
            [one.first, one.last, one.transactions, one.size, one.digest.hex(), one.signer.hex()]
            for one in segments
        ],
        title=str(folder),
    )


@verb(app, "verify")
def verify(
    ask: Invocation,
    folder: Folder,
    genesis: GenesisFile = Path("genesis.json"),
) -> Answer:
    """Read all archives and check every digest, link, root, signature and quorum; run nothing.

    That the rules give what a quorum signed, `shuxin audit replay DIRECTORY` shows.
    """
    from cli.output import progress
    from crypto.providers.software import verify_batch
    from ledger.genesis import load_genesis
    from ledger.segment_check import check_segments

    trusted = load_genesis(genesis)
    segments = _segments(folder, trusted)
    with progress(say("blocks"), as_json=ask.json) as advance:
        check_segments(segments, trusted, verify_batch, advance)
    return Fields(
        {
            "archives": len(segments),
            "height": segments[-1].last,
            "transactions": sum(one.transactions for one in segments),
            "bytes": sum(one.size for one in segments),
            "digest": segments[-1].digest.hex(),
            "signed_by": [*sorted({one.signer.hex() for one in segments})],
            "verdict": "whole, and signed by a quorum of each committee since the genesis",
        }
    )


def _segments(folder: Path, genesis: Genesis) -> tuple[Segment, ...]:
    from crypto.providers.software import verify_batch
    from ledger.genesis import chain_id
    from ledger.segments import read_segments

    if not folder.is_dir():
        raise CommandRefused("archive.folder", f"{folder} is no folder: name one with archives")
    found = read_segments(folder, chain_id(genesis), verify_batch)
    if not found:
        raise CommandRefused("archive.folder", f"{folder} holds no archives of this chain")
    return found
