"""`shuxin audit access`: who asked a node what, out of a log that is verified while it is read."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.literals import parse_date, parse_digest
from cli.options import Invocation
from cli.output import DONE, REFUSED, Answer, CommandRefused, Fields, Json
from cli.proofs import check, prove_states, trusted_genesis
from cli.readable import time_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from node.accesslog.entry import Entry, Opening
    from node.accesslog.keeper import Closed
    from node.accesslog.verify import Verified

SHOWN_DEFAULT = 50
KEYS_AT_ONCE = 200  # of one proof; a node takes 256

Folder = Annotated[
    Path,
    typer.Argument(
        metavar="FOLDER", exists=True, file_okay=False, help="A node's data folder, or a log's own."
    ),
]
When = Annotated[str, typer.Option(help="2026-01-31 (UTC), or with time and zone.")]


def access(
    ask: Invocation,
    folder: Folder,
    account: Annotated[str, typer.Option(help="Only what this account asked, by address.")] = "",
    method: Annotated[str, typer.Option(help="Only calls of this method, such as View.")] = "",
    peer: Annotated[str, typer.Option(help="Only calls from this host.")] = "",
    outcome: Annotated[
        str, typer.Option(help="begun, answered, refused, failed, resumed or removed.")
    ] = "",
    code: Annotated[str, typer.Option(help="Only refusals with this code.")] = "",
    request: Annotated[
        str, typer.Option(help="Only the request with this SM3: hex, or file:PATH of its bytes.")
    ] = "",
    from_: Annotated[str, typer.Option("--from", help="From this moment on; as --to.")] = "",
    to: When = "",
    limit: Annotated[int, typer.Option(min=0, help="Show so many, the newest.")] = SHOWN_DEFAULT,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no node for the heads on the chain.")
    ] = False,
) -> Answer:
    """Verify a node's access log (访问日志) against the chain and search it; 1: a fault."""
    from node.accesslog.folder import ACCESS_LOG, files, read_opening
    from node.accesslog.search import Wanted
    from node.accesslog.verify import Verifier

    log = folder / ACCESS_LOG if (folder / ACCESS_LOG).is_dir() else folder
    paths = files(log)
    if not paths:
        raise CommandRefused(
            "access_log.missing", f"{log} has no log of access: name a node's data folder"
        )
    opening = read_opening(paths[0])
    anchors, trust = ({}, "nothing: --offline") if offline else _anchors(ask, opening)
    wanted = Wanted(
        account=account,
        method=method,
        peer=peer,
        outcome=_outcome(outcome),
        code=code,
        digest=parse_digest(request) if request else b"",
        from_ms=parse_date(from_) if from_ else None,
        to_ms=parse_date(to) if to else None,
    )
    verifier = Verifier(log, anchors)
    found = 0
    shown: deque[Entry] = deque(maxlen=limit)
    for entry in verifier.entries(account=opening.account, chain_id=opening.chain_id):
        if wanted.takes(entry):
            found += 1
            shown.append(entry)
    verified = verifier.verified
    return Fields(
        {
            "verdict": _sentence(verified, is_compared=not offline),
            **_told(verified),
            "trusting": trust,
            "found": found,
            "entries": [_entry_told(entry, raw=ask.json) for entry in shown],
        },
        exit_code=REFUSED if verified.fault else DONE,
    )


def _outcome(named: str) -> str:
    from node.accesslog.entry import OUTCOMES

    if named and named not in OUTCOMES:
        raise CommandRefused("access_log.outcome", f"--outcome takes {', '.join(OUTCOMES)}")
    return named


def _anchors(ask: Invocation, opening: Opening) -> tuple[Mapping[int, Closed], str]:
    """What the chain says of the files from the one before `opening` on, each proved."""
    from contracts.anchors import anchor_key, anchored_key, read_anchor, read_number
    from ledger.model import Address
    from node.accesslog.anchors import closed_of

    account = Address(opening.account)
    (newest,), trust = _proved(ask, [anchored_key(account)], opening)
    numbers = range(max(1, opening.number - 1), read_number(newest) + 1)
    found: dict[int, Closed] = {}
    for first in range(numbers.start, numbers.stop, KEYS_AT_ONCE):
        asked = range(first, min(first + KEYS_AT_ONCE, numbers.stop))
        values, _ = _proved(ask, [anchor_key(account, number) for number in asked], opening)
        for number, value in zip(asked, values, strict=True):
            if value is not None:
                found[number] = closed_of(read_anchor(value))
    return found, trust


def _proved(
    ask: Invocation, keys: list[bytes], opening: Opening
) -> tuple[tuple[bytes | None, ...], str]:
    """Values of keys of the contract `evidence`, and whose genesis they were checked against."""
    from contracts.anchors import EVIDENCE
    from ledger.bundle import StatesFacts
    from ledger.genesis import chain_id

    with ask.connection() as node:
        trusted, trust = trusted_genesis(ask, node)
        if chain_id(trusted) != opening.chain_id:
            raise CommandRefused(
                "access_log.chain", "the log is of another chain than the node: check --node"
            )
        facts = check(prove_states(node, [(EVIDENCE, key) for key in keys], trusted), trusted)
    assert isinstance(facts, StatesFacts)
    return tuple(facts.values), trust


def _sentence(verified: Verified, *, is_compared: bool) -> str:
    if verified.fault:
        return f"FAULT: {verified.fault}; entries up to {verified.last} hold"
    span = f"entries {verified.first} to {verified.last} in {verified.files} files hold"
    if not is_compared:
        return f"{span} together; the chain was not asked whether they are those of then"
    if not verified.anchors:
        return f"{span} together; the chain has the head of none of these files yet"
    return f"{span}; the chain vouches for those up to {verified.anchored}"


def _told(verified: Verified) -> dict[str, Json]:
    return {
        "account": verified.account,
        "chain_id": verified.chain_id.hex(),
        "files": verified.files,
        "first": verified.first,
        "last": verified.last,
        "anchored_files": verified.anchors,
        "anchored_to": verified.anchored,
        "torn_ends": verified.torn,
        "removed_files": verified.removed,
        "fault": verified.fault,
    }


def _entry_told(entry: Entry, *, raw: bool) -> dict[str, Json]:
    return {
        "sequence": entry.sequence,
        "time_ms": entry.time_ms if raw else time_text(entry.time_ms),
        "method": entry.method,
        "account": entry.account,
        "levels": list(entry.levels),
        "peer": entry.peer,
        "outcome": entry.outcome,
        "code": entry.code,
        "count": entry.count,
        "request": entry.digest.hex(),
        "certificate": entry.certificate.hex(),
    }
