"""Algorithm images (算法镜像): proposed by tech providers, vetted by managers, run by executors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.domain import (
    Decision,
    Note,
    Reason,
    add_list,
    call,
    receipt_fields,
    record_fields,
)
from cli.literals import Column, parse_algorithm, parse_digest, parse_parameter
from cli.options import Forms, Invocation, verb
from cli.output import Answer, CommandRefused, Fields, Json, plain, waiting
from cli.records import shown

if TYPE_CHECKING:
    from client.account import Account
    from client.session import Session
    from executors.images import Image
    from ledger.values import Value

app = typer.Typer()
CONTRACT = "algorithm"
forms = Forms(app, "algorithm")

add_list(
    app,
    CONTRACT,
    columns=("id", "title", "kind", "provider", "status", "builds", "decided_by", "note"),
)

AlgorithmId = Annotated[str, typer.Argument(parser=parse_algorithm, metavar="NAME/VERSION")]
ImageFolder = Annotated[
    Path | None,
    typer.Option(
        "--image",
        exists=True,
        file_okay=False,
        help="Folder of the image; default: the engine installed here, if it is built in.",
    ),
]
Location = Annotated[
    str, typer.Option(help="Where others get it, such as an OCI reference with its digest.")
]
Publisher = Annotated[
    str,
    typer.Option(
        metavar="KEY",
        help="Key of your party or of its publisher certificate, which signs; default: yours.",
    ),
]


@verb(app, "show")
def show(ask: Invocation, algorithm_id: AlgorithmId) -> Answer:
    """Show one algorithm with its images, whole."""
    with ask.session() as session:
        return record_fields(shown(session, CONTRACT, algorithm_id))


@forms.verb("propose")
def propose(
    ask: Invocation,
    algorithm_id: AlgorithmId,
    title: Annotated[str, typer.Option(help="Title for people; a built-in one has its own.")] = "",
    kind: Annotated[
        str, typer.Option(help="mpc, psi, fl or tee; a built-in one has its own.")
    ] = "",
    parameters: Annotated[
        list[Column] | None,
        typer.Option(
            "--parameter",
            parser=parse_parameter,
            metavar="NAME:TYPE:MEANING",
            help="What a program may set; repeatable.",
        ),
    ] = None,
    image: ImageFolder = None,
    location: Location = "",
    publisher: Publisher = "",
) -> Answer:
    """Put an algorithm and its first image up for vetting (tech provider)."""
    from executors.builtin import BUILT_IN

    found = _image(algorithm_id, image)
    described = [(name, form, text) for name, form, text in parameters or ()]
    if algorithm_id in BUILT_IN and image is None:
        known = BUILT_IN[algorithm_id]
        title, kind = title or known.title, kind or known.kind
        described = described or list(known.parameters)
    signer = _publisher(ask, publisher)
    with ask.session() as session, waiting("waiting for a quorum", as_json=ask.json):
        words = _build(session, signer, algorithm_id, described, found, _place(image, location))
        told: list[Value] = [list(parameter) for parameter in described]
        outcome = session.call(CONTRACT, "propose", algorithm_id, title, kind, told, *words)
    return Fields(receipt_fields(outcome, as_json=ask.json))


@verb(app, "rebuild")
def rebuild(
    ask: Invocation,
    algorithm_id: AlgorithmId,
    image: ImageFolder = None,
    location: Location = "",
    publisher: Publisher = "",
) -> Answer:
    """Put another image up; the approved ones run on until it is vetted (its provider)."""
    found = _image(algorithm_id, image)
    signer = _publisher(ask, publisher)
    with ask.session() as session, waiting("waiting for a quorum", as_json=ask.json):
        described = _parameters(session, algorithm_id)
        words = _build(session, signer, algorithm_id, described, found, _place(image, location))
        outcome = session.call(CONTRACT, "rebuild", algorithm_id, *words)
    return Fields(receipt_fields(outcome, as_json=ask.json))


@verb(app, "review")
def review(
    ask: Invocation,
    algorithm_id: AlgorithmId,
    digest: Annotated[
        bytes, typer.Option(parser=parse_digest, help="Of the image that waits; see `show`.")
    ],
    passed: Decision,
    note: Note = "",
) -> Answer:
    """Approve or refuse the image that waits (manager)."""
    return call(ask, CONTRACT, "review", algorithm_id, digest, passed, note)


@verb(app, "disable")
def disable(ask: Invocation, algorithm_id: AlgorithmId, reason: Reason) -> Answer:
    """Take an algorithm out of use for good; to pause it, open an incident (manager)."""
    return call(ask, CONTRACT, "disable", algorithm_id, reason)


@verb(app, "digest")
def digest(
    ask: Invocation,
    algorithm_id: AlgorithmId,
    image: ImageFolder = None,
    files: Annotated[bool, typer.Option("--files", help="Also each file's digest.")] = False,
) -> Answer:
    """Compute the digests of an image, without asking a node."""
    return Fields(_told(algorithm_id, _image(algorithm_id, image), files=files))


@verb(app, "check")
def check(ask: Invocation, algorithm_id: AlgorithmId, image: ImageFolder = None) -> Answer:
    """Compare an image with those that were approved; exit 1 if it is none of them."""
    found = _image(algorithm_id, image)
    with ask.session() as session:
        record = shown(session, CONTRACT, algorithm_id)
    status = _field(record, "status")
    builds = [_field(record, name) for name in ("current", "previous")]
    is_approved = status == "approved" and found.digest in [
        _field(build, "digest") for build in builds
    ]
    told = _told(algorithm_id, found, files=False)
    return Fields(
        {**told, "status": plain(status), "approved": is_approved},
        exit_code=0 if is_approved else 1,
    )


def _image(algorithm_id: str, folder: Path | None) -> Image:
    """The image in `folder`, or the built-in one. Raises CommandRefused, ImageInvalid."""
    from executors.builtin import BUILT_IN, installed_image
    from executors.images import image_of

    if folder is not None:
        return image_of(folder)
    if algorithm_id not in BUILT_IN:
        raise CommandRefused(
            "algorithm.image",
            f"{algorithm_id} is not built in (that is {', '.join(BUILT_IN)}): name its folder "
            "with --image",
        )
    return installed_image(algorithm_id)


def _place(folder: Path | None, location: str) -> str:
    """Where the image is said to be."""
    return location or ("built in" if folder is None else folder.resolve().as_posix())


def _publisher(ask: Invocation, named: str) -> Account:
    from client.account import Account

    if not named:
        return ask.account()
    path = ask.key_path_of(named)
    return Account.load(path, ask.passphrase(path))


def _build(
    session: Session,
    signer: Account,
    algorithm_id: str,
    parameters: Sequence[tuple[str, str, str]],
    image: Image,
    location: str,
) -> tuple[Value, ...]:
    """The last arguments of propose and rebuild: the image, and the publisher's signature."""
    from executors.images import publisher_message

    provider = session.view("parties", "party_of", session.account.address)
    message = publisher_message(
        (image.digest, image.layout_digest),
        chain=session.node.chain_id,
        algorithm=algorithm_id,
        provider=provider if isinstance(provider, str) else "",
        parameters=parameters,
    )
    return location, image.digest, image.layout_digest, signer.public_key, signer.sign(message)


def _parameters(session: Session, algorithm_id: str) -> list[tuple[str, str, str]]:
    """What the chain says of the parameters: the publisher signs them again."""
    listed = _field(session.view(CONTRACT, "show", algorithm_id), "parameters")
    found: list[tuple[str, str, str]] = []
    for item in listed if isinstance(listed, list) else []:
        match item:
            case [str(name), str(form), str(text)]:
                found.append((name, form, text))
            case _:
                raise CommandRefused(
                    "algorithm.answer", f"{session.node.target} lists no parameters; ask another"
                )
    return found


def _told(algorithm_id: str, image: Image, *, files: bool) -> dict[str, Json]:
    told: dict[str, Json] = {
        "id": algorithm_id,
        "digest": image.digest.hex(),
        "layout_digest": image.layout_digest.hex(),
        "file_count": image.layout.count("\n"),
    }
    return {**told, "files": [*image.content.splitlines()]} if files else told


def _field(record: Value, name: str) -> Value:
    return record.get(name) if isinstance(record, dict) else None
