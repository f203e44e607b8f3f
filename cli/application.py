"""Applications of parties (入驻申请): written and signed offline, handed in, decided.

Verbs of `shuxin party`, which party.py goes on with. Who applies has no account yet, so
`application` and `sign-application` ask no node: they write a file that goes to the sponsor, whose
`apply` hands it in.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.domain import (
    PAGE_DEFAULT,
    PAGE_MAX,
    Deadline,
    Id,
    Note,
    Reason,
    call,
    quorum,
    receipt_fields,
    record_fields,
    records_table,
)
from cli.filters import Filter, PartyFilter, StatusFilter, listed
from cli.language import say
from cli.literals import parse_digest, parse_id
from cli.options import Forms, Invocation, verb
from cli.output import Answer, CommandRefused, Fields
from cli.records import shown

if TYPE_CHECKING:
    from client.applications import Signed
    from client.session import Session
    from ledger.values import Key, Value

app = typer.Typer()
NOUN = "party"
CONTRACT = "admission"
forms = Forms(app, NOUN)

PaperFile = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, help="What `party application` wrote.")
]


@forms.verb("application")
def application(
    ask: Invocation,
    application_id: Id,
    party: Annotated[str, typer.Option(parser=parse_id, help="Id that the party wants to have.")],
    name: Annotated[str, typer.Option(help="Full name of the organization.")],
    roles: Annotated[
        list[str],
        typer.Option(
            "--role",
            help="manager, operator, supplier, consumer, tech_provider or developer; repeatable.",
        ),
    ],
    documents: Annotated[
        bytes,
        typer.Option(parser=parse_digest, help="SM3 of what you hand to the manager, file:PATH."),
    ],
    sponsor: Annotated[
        str,
        typer.Option(
            parser=parse_id,
            help="Party that hands it in: for tech_provider and developer your operator, for "
            "operator and manager a manager, else any.",
        ),
    ],
    expires: Deadline,
    output: Annotated[Path, typer.Option(help="File to write; it must not exist.")],
    accounts: Annotated[
        list[str] | None,
        typer.Option(
            "--account", help="Address of a further key, which signs after yours; repeatable."
        ),
    ] = None,
    organization: Annotated[
        str, typer.Option(help="Party whose authority certifies it; its own id, if that is it.")
    ] = "",
) -> Answer:
    """Write an application to become a party and sign it; no node is asked (applicant)."""
    from client.applications import Application, Signed, sign

    if output.exists():
        raise CommandRefused("application.exists", f"{output} exists: name another file")
    chain_id, account = _chain_id(ask), ask.account()
    asked = Application(
        application_id,
        party,
        name,
        parse_id(organization) if organization else "",
        tuple(roles),
        (account.address, *(other for other in accounts or () if other != account.address)),
        documents,
        sponsor,
        expires,
    )
    return _kept(sign(Signed(asked, chain_id, {}), account), output)


@verb(app, "sign-application")
def sign_application(ask: Invocation, file: PaperFile) -> Answer:
    """Add the signature of another account that it names; read it first (applicant)."""
    from client.applications import load, sign

    return _kept(sign(load(file), ask.account()), file)


@verb(app, "apply")
def apply(
    ask: Invocation,
    file: Annotated[
        Path,
        typer.Option("--file", exists=True, dir_okay=False, help="What the applicant handed you."),
    ],
) -> Answer:
    """Hand an application in for somebody (its sponsor)."""
    from client.applications import apply_args, load

    paper = load(file)
    words = apply_args(paper)
    with ask.session() as session, quorum(CONTRACT, "apply", as_json=ask.json):
        if session.node.chain_id != paper.chain_id:
            raise CommandRefused(
                "application.chain",
                f"{file} is for the chain {paper.chain_id.hex()}, and this is "
                f"{session.node.chain_id.hex()}: have it written with this chain's genesis",
            )
        outcome = session.call(CONTRACT, "apply", *words)
    return Fields(receipt_fields(outcome, as_json=ask.json))


@verb(app, "admit")
def admit(
    ask: Invocation,
    application_id: Id,
    digest: Annotated[
        bytes | None,
        typer.Option(
            parser=parse_digest, help="SM3 of the application that you read; refused if other."
        ),
    ] = None,
    engagement: Annotated[
        str,
        typer.Option(help="Id of its engagement with the operator; default: the application's."),
    ] = "",
    note: Note = "",
) -> Answer:
    """Admit an applicant; whom an operator sponsored works for it from then on (manager)."""
    from client.applications import application_of, terms_digest

    with ask.session() as session, quorum(CONTRACT, "admit", as_json=ask.json):
        found = application_of(_record(session, application_id))
        up = terms_digest(found, session.node.chain_id)
        if digest not in (None, up):
            raise CommandRefused(
                "application.digest",
                f"another one is up, of SM3 {up.hex()}: read it with "
                f"`shuxin party applications {application_id}`",
            )
        engaged = parse_id(engagement) if engagement else ""
        outcome = session.call(CONTRACT, "admit", application_id, up, engaged, note)
    return Fields(receipt_fields(outcome, as_json=ask.json))


@verb(app, "refuse")
def refuse(ask: Invocation, application_id: Id, reason: Reason) -> Answer:
    """Refuse an applicant, who may apply anew (manager)."""
    return call(ask, CONTRACT, "refuse", application_id, reason)


@verb(app, "withdraw")
def withdraw(ask: Invocation, application_id: Id, reason: Reason) -> Answer:
    """Take an application back (its sponsor)."""
    return call(ask, CONTRACT, "withdraw", application_id, reason)


@verb(app, "applications")
def applications(
    ask: Invocation,
    application_id: Annotated[
        str, typer.Argument(metavar="[ID]", help="Show this one, whole.")
    ] = "",
    status: StatusFilter = None,
    party: PartyFilter = None,
    offset: Annotated[int, typer.Option(min=0, help="Skip so many.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_MAX)] = PAGE_DEFAULT,
) -> Answer:
    """List applications, or show one: all for managers, else what your party sponsored."""
    columns = ("id", "party", "name", "roles", "sponsor", "status", "expires_ms", "manager")
    with ask.session() as session:
        if application_id:
            record = _record(session, parse_id(application_id))
            record["standing"] = session.view(CONTRACT, "standing", application_id)
            return record_fields(record)
        wanted = Filter(status, party)
        found = listed(session.view, CONTRACT, "list", offset=offset, limit=limit, wanted=wanted)
    return records_table(found, columns=columns, whole=ask.json)


def _chain_id(ask: Invocation) -> bytes:
    """Of the chain that is applied to, by its genesis file: a signature is for one chain alone."""
    from ledger.genesis import chain_id, load_genesis

    path = ask.genesis_path
    if path is None:
        raise CommandRefused(
            "application.genesis",
            "name the genesis file of the chain that you apply to, --genesis FILE: ask your "
            "sponsor for it",
        )
    return chain_id(load_genesis(path))


def _kept(paper: Signed, path: Path) -> Answer:
    from client.applications import save, terms_digest
    from ledger.model import address_of

    save(paper, path)
    sponsor, file = paper.application.sponsor, str(path)
    following = say(
        "hand it to {sponsor}: shuxin party apply --file {file}", sponsor=sponsor, file=file
    )
    if paper.missing:
        following = say(
            "the next account signs: shuxin party sign-application {file} --key …", file=file
        )
    return Fields(
        {
            "file": str(path),
            "id": paper.application.id,
            "party": paper.application.party,
            "digest": terms_digest(paper.application, paper.chain_id).hex(),
            "signed_by": [address_of(key) for key in paper.signatures],
            "unsigned": list(paper.missing),
            "next": following,
        }
    )


def _record(session: Session, application_id: str) -> dict[Key, Value]:
    record = shown(session, CONTRACT, application_id)
    if not isinstance(record, dict):
        raise CommandRefused(
            "record.contradiction", "the node answers with no application; ask another"
        )
    return dict(record)
