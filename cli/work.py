"""What waits for the party of the key now (待办), with the command that does each thing."""

from __future__ import annotations

import typer

from cli.language import say, word
from cli.options import Invocation, verb
from cli.output import Answer, CommandRefused, Json, Table, note

app = typer.Typer()
COLUMNS = ("what", "id", "about", "due_ms", "command")


@app.callback()
def nouns_have_verbs() -> None:
    """Keeps `list` a verb although it is the only one."""


@verb(app, "list")
def list_work(ask: Invocation) -> Answer:
    """What waits for the party of your key; `shuxin work` says the same (any party)."""
    from client.waiting import reader_of
    from client.work import waiting_for

    address = ask.account().address
    with ask.session() as session:
        reader = reader_of(session.view, address)
        if reader is None:
            raise CommandRefused(
                "work.party",
                f"{address} speaks for no active party: sign with an account of one (--key), or "
                "ask a manager, `shuxin party whois`",
            )
        found = list(waiting_for(reader))
    rows: list[list[Json]] = [
        [item.what, item.subject, item.about, item.due_ms, item.command] for item in found
    ]
    if ask.json:
        return Table(COLUMNS, rows)
    roles = ", ".join(word("role", role) for role in sorted(reader.roles))
    note(
        say(
            "waiting for {party} ({roles}): {count}",
            party=reader.party,
            roles=roles,
            count=len(found),
        )
    )
    return Table(COLUMNS, rows, below="command")
