"""The state (状态): what contracts hold, read with its proof and proved to others."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import Invocation, verb
from cli.output import Answer, Fields, Json
from cli.proofs import BundleOutput, prove_state, proven, trusted_genesis
from cli.stored import parse_key, place_of, value_told

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
    height: Height = 0,
    output: BundleOutput = None,
) -> Answer:
    """Prove what a key of the state holds, or that it holds nothing; --output keeps the proof."""
    stored_key = parse_key(namespace, words, is_sorted=is_sorted)
    with ask.connection() as node:
        trusted, trust = trusted_genesis(ask, node)
        bundle = prove_state(node, namespace, stored_key, trusted, height=height)
    return proven(ask, bundle, trusted, trust=trust, output=output)
