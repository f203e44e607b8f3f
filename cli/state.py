"""The state (状态): what contracts hold, read with its proof and proved to others."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.literals import LiteralInvalid
from cli.options import Invocation, verb
from cli.output import Answer, Fields, Json
from cli.proofs import BundleOutput, prove_state, prove_states, proven, trusted_genesis
from cli.stored import parse_key, place_of, value_told

if TYPE_CHECKING:
    from ledger.proof import StateKey

LIST_SIZE_MAX = 1 << 20  # bytes of a file of keys: 256 of the longest fit

app = typer.Typer()

Namespace = Annotated[
    str,
    typer.Argument(
        metavar="NAMESPACE", help="The name of a contract; `code` for the contracts themselves."
    ),
]
Words = Annotated[
    list[str],
    typer.Argument(
        metavar="KEY...",
        help="The variable, then the parts of the key: grants g-1; or 0x.. as stored.",
    ),
]
Sorted = Annotated[
    bool, typer.Option("--sorted", help="The variable is a SortedMap: its keys are written so.")
]
Height = Annotated[
    int,
    typer.Option(
        min=0, help="After this block, if the node still has its state; 0: the newest certified."
    ),
]


Also = Annotated[
    list[str] | None,
    typer.Option(
        "--also",
        metavar='"NAMESPACE KEY..."',
        help="Another key to prove with it, in one proof; may be given again.",
    ),
]
Listed = Annotated[
    Path | None,
    typer.Option(
        "--list", exists=True, dir_okay=False, help="A file of other keys: NAMESPACE KEY... a line."
    ),
]


@verb(app, "show")
def show(
    ask: Invocation,
    namespace: Namespace,
    words: Words,
    is_sorted: Sorted = False,
    height: Height = 0,
) -> Answer:
    """Show what a key of the state holds; exit code 1 when it holds nothing."""
    stored_key = parse_key(namespace, words, is_sorted=is_sorted)
    with ask.connection() as node:
        found = node.state(namespace, stored_key, height=height)
    told: dict[str, Json] = {
        **place_of(namespace, stored_key).told,
        "present": found.value is not None,
        "value": None,
        "height": found.certificate.statement.height,
    }
    if found.value is not None:
        told["value"] = value_told(namespace, stored_key, found.value)
    return Fields(told, exit_code=0 if found.value is not None else 1)


@verb(app, "prove")
def prove(
    ask: Invocation,
    namespace: Namespace,
    words: Words,
    is_sorted: Sorted = False,
    also: Also = None,
    listed: Listed = None,
    height: Height = 0,
    output: BundleOutput = None,
) -> Answer:
    """Prove what keys of the state hold, or that they hold nothing; --output keeps the proof."""
    keys = [(namespace, parse_key(namespace, words, is_sorted=is_sorted))]
    for line in [*(also or []), *([] if listed is None else _lines(listed))]:
        keys.append(_key_in(line, is_sorted=is_sorted))
    with ask.connection() as node:
        trusted, trust = trusted_genesis(ask, node)
        if len(keys) == 1:  # as checkers of bundles of version 1 read it
            bundle = prove_state(node, namespace, keys[0][1], trusted, height=height)
        else:
            bundle = prove_states(node, keys, trusted, height=height)
    return proven(ask, bundle, trusted, trust=trust, output=output)


def _lines(path: Path) -> list[str]:
    """Those with a key. Raises LiteralInvalid for a file that is no list of keys."""
    with path.open("rb") as file:
        data = file.read(LIST_SIZE_MAX + 1)
    if len(data) > LIST_SIZE_MAX:
        raise LiteralInvalid(f"{path}: more than {LIST_SIZE_MAX} bytes; a proof takes 256 keys")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise LiteralInvalid(f"{path}: no text in UTF-8, but one key a line is wanted") from None
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _key_in(line: str, *, is_sorted: bool) -> StateKey:
    """A key as it would stand on the command line. Raises LiteralInvalid."""
    try:
        namespace, *words = shlex.split(line)
    except ValueError:
        raise LiteralInvalid(
            f"{line[:80]}: NAMESPACE KEY... is wanted, quoted as in a shell"
        ) from None
    if not words:
        raise LiteralInvalid(f"{line[:80]}: a key is wanted behind the namespace")
    return namespace, parse_key(namespace, words, is_sorted=is_sorted)
