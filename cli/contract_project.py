"""`contract new` and `contract client`: where a contract begins, and how programs use it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.domain import SourceFile
from cli.literals import read_source
from cli.options import Invocation
from cli.output import Answer, CommandRefused, Fields, Text

if TYPE_CHECKING:
    from client.codegen.abi import Abi

NewName = Annotated[str, typer.Argument(metavar="CONTRACT", help="Its name on the chain.")]
Directory = Annotated[
    Path | None, typer.Option(file_okay=False, help="Folder to write to; by default CONTRACT.")
]
Output = Annotated[
    Path | None, typer.Option(dir_okay=False, help="File to write; by default it is printed.")
]
ClassName = Annotated[
    str, typer.Option("--class", metavar="NAME", help="By default that of the file: NotesClient.")
]
Deployed = Annotated[
    str, typer.Option(metavar="NAME", help="Deployed under this name; by default that of the file.")
]


def new(ask: Invocation, name: NewName, directory: Directory = None) -> Answer:
    """Begin a contract: a folder with a working source, its test, settings of the tools."""
    from contracts.starter.project import begin

    folder = directory or Path(name)
    source, *others = map(str, begin(name, folder))
    return Fields(
        {
            "source": source,
            "others": [*others],
            "check": f"shuxin contract check {source} --strict",
            "test": f"python -m pytest {folder}",
            "deploy": f"shuxin contract deploy {name} {source}",
        }
    )


def client(
    ask: Invocation,
    source: SourceFile,
    output: Output = None,
    class_name: ClassName = "",
    contract: Deployed = "",
) -> Answer:
    """Write a typed Python client for a contract, from its source or its ABI as JSON.

    A method for each @call and @view, a class for each record and event, `deploy` and the
    decoding of events. The same input gives the same text.
    """
    from client.codegen.module import render_client
    from client.codegen.names import camel_case
    from contracts.vm.code_records import is_contract_name

    stem = source.name.split(".", 1)[0]
    deployed = contract or stem.replace("-", "_").lower()
    if not is_contract_name(deployed):
        raise CommandRefused(
            "contract.name", f"{deployed[:80]!r} is no name of a contract: give it with --contract"
        )
    named = class_name or f"{camel_case(stem)}Client"
    _check_class(named)
    abi = _read_abi(source)
    text = render_client(abi, class_name=named, contract=deployed)
    if output is None:
        return Text(text)
    output.write_text(text, encoding="ascii", newline="\n")
    counts = {"methods": abi.methods, "events": abi.events, "records": abi.records}
    told = {what: len(items) for what, items in counts.items()}
    return Fields({"written": str(output), "class": named, "contract": deployed, **told})


def _check_class(name: str) -> None:
    from client.codegen.names import is_class_name

    if not is_class_name(name):
        raise CommandRefused(
            "contract.class", f"{name[:80]!r} cannot name the class: give a free one with --class"
        )


def _read_abi(path: Path) -> Abi:
    """The ABI in a JSON file, or that of a contract's source."""
    from client.codegen.abi import ABI_SIZE_MAX, parse_abi
    from contracts.vm.abi import extract

    text = read_source(path, size_max=ABI_SIZE_MAX)
    is_json = path.suffix == ".json" or text.lstrip().startswith("{")
    return parse_abi((text if is_json else extract(text)).encode())
