"""Signing keys: encrypted SM2 keys in PKCS#8 PEM, readable by the `openssl` command line; the
agent that keeps their passphrases; keys in devices."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.common import KEYS_FOLDER
from cli.options import Invocation, verb
from cli.output import Answer, CommandRefused, Fields, Json, Table, Text

app = typer.Typer()
HOURS_DEFAULT = 8  # a working day

KeyName = Annotated[
    str, typer.Argument(help="Path or NAME; without it the key of --key or the home.")
]


@verb(app, "new")
def new(
    ask: Invocation,
    name: Annotated[str, typer.Argument(help="NAME of keys/NAME.pem in the home, or a path.")],
) -> Answer:
    """Make a new SM2 key and store it encrypted under the passphrase."""
    from crypto import sm2
    from crypto.keys import save_key

    path = _new_path(ask, name)
    if path.exists():
        raise CommandRefused("key.exists", f"{path} exists; a key is never overwritten: move it")
    passphrase = ask.passphrase(confirm=True)
    private = sm2.generate()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    save_key(path, private, passphrase)
    backup = "copy the file, and keep its passphrase in another place: nobody can restore either"
    return Fields({**_described(path, sm2.public_key(private)), "backup": backup})


@verb(app, "show")
def show(ask: Invocation, name: KeyName = "") -> Answer:
    """Show the public key and the account address of a key; asks for its passphrase."""
    from crypto import sm2
    from crypto.keys import load_key

    path = _path(ask, name)
    return Fields(_described(path, sm2.public_key(load_key(path, ask.passphrase(path)))))


@verb(app, "change-passphrase")
def change_passphrase(
    ask: Invocation,
    name: KeyName = "",
    new_file: Annotated[
        Path | None,
        typer.Option("--new-passphrase-file", help="Its first line; else it is typed in."),
    ] = None,
) -> Answer:
    """Encrypt a key file anew under another passphrase; copies keep the old one."""
    from crypto import sm2
    from crypto.keys import load_key, save_key
    from crypto.passphrase import passphrase_of_file

    path = _path(ask, name)
    private = load_key(path, ask.passphrase(path))
    later = _typed("New passphrase") if new_file is None else passphrase_of_file(new_file)
    save_key(path, private, later, replace=True)
    _forget(path)
    note = "copies and backups of the old file still open with the old passphrase: destroy them"
    return Fields({**_described(path, sm2.public_key(private)), "note": note})


@verb(app, "device")
def device(
    ask: Invocation,
    library: Annotated[Path, typer.Argument(help="The vendor's library of GM/T 0018 (SDF).")],
    index: Annotated[int, typer.Argument(min=1, help="Number of the key in the device.")],
) -> Answer:
    """Show the public key of a key in a device (密码机), after a signature with it.

    The passphrase is the password of that key.
    """
    from crypto.providers.sdf import SdfProvider, shared_device

    provider = SdfProvider(shared_device(library.resolve()), index, ask.passphrase())
    provider.sign(b"shuxin key device")  # verified there: a device that signs wrongly is told
    return Fields(_described(library, provider.public_key))


# --- the agent ------------------------------------------------------------------------------


@verb(app, "agent")
def agent(
    ask: Invocation,
    socket: Annotated[
        Path | None, typer.Option(help="Default: SHUXIN_AGENT, or one in XDG_RUNTIME_DIR.")
    ] = None,
) -> Answer:
    """Keep passphrases in locked memory for this user's processes, until it is ended."""
    import signal
    import threading
    import time

    from crypto.agent.serve import Agent
    from crypto.agent.vault import Vault, harden_process

    path = socket or _agent_path()
    harden_process()
    vault = Vault(lambda: time.clock_gettime(time.CLOCK_BOOTTIME))  # a machine's sleep counts
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: over.set())
    serving = Agent(path, vault)
    try:
        if not vault.is_locked:
            typer.echo("warning: memory could not be locked (ulimit -l); swap may see it", err=True)
        typer.echo(f"listening; for other commands: export SHUXIN_AGENT={path}", err=True)
        serving.run(over.is_set)
    finally:
        serving.close()
    return Text("the agent ended and wiped what it held")


@verb(app, "unlock")
def unlock(
    ask: Invocation,
    name: KeyName = "",
    hours: Annotated[int, typer.Option(min=1, max=168, help="Forget it then.")] = HOURS_DEFAULT,
) -> Answer:
    """Have the agent hold the passphrase of a key file: for a node, that of one of its keys."""
    from crypto.agent import ask as agent

    path = _path(ask, name)
    passphrase = ask.passphrase(path)
    _check_opens(path, passphrase)
    agent.hold(_agent_path(), path, passphrase, seconds=hours * 3600)
    return Fields({"file": agent.name_of(path), "hours": hours})


@verb(app, "lock")
def lock(
    ask: Invocation,
    name: Annotated[str, typer.Argument(help="Path or NAME; without it all of them.")] = "",
) -> Answer:
    """Have the agent forget the passphrase of a key file, or all."""
    from crypto.agent import ask as agent

    path = ask.key_path_of(name) if name else None
    if not agent.drop(_agent_path(), path):
        raise CommandRefused("key.locked", f"the agent holds no passphrase of {path}")
    return Fields({"forgotten": str(path) if path is not None else "all"})


@verb(app, "held")
def held(ask: Invocation) -> Answer:
    """List the key files whose passphrases the agent holds, and for how long."""
    from crypto.agent import ask as agent

    rows: list[list[Json]] = [[name, seconds // 60] for name, seconds in agent.held(_agent_path())]
    return Table(("file", "minutes"), rows)


def _agent_path() -> Path:
    from crypto.agent.ask import AGENT_VARIABLE, agent_path

    path = agent_path()
    if path is None:
        raise CommandRefused(
            "agent.missing", f"set {AGENT_VARIABLE} to the path of the agent's socket"
        )
    return path


def _forget(path: Path) -> None:
    """The agent may hold a passphrase that opens the file no more."""
    import contextlib

    from crypto.agent.ask import agent_path, drop
    from crypto.agent.wire import AgentFault

    agent = agent_path()
    if agent is not None:
        with contextlib.suppress(AgentFault):
            drop(agent, path)


def _check_opens(path: Path, passphrase: bytes) -> None:
    """Raises KeyFileInvalid unless the passphrase opens the file, of either kind of key."""
    from crypto.errors import KeyFileInvalid
    from crypto.keys import load_key
    from node.keys import load_network_key

    try:
        load_key(path, passphrase)
    except KeyFileInvalid as refused:
        try:
            load_network_key(path, passphrase)
        except KeyFileInvalid:
            raise refused from None


def _typed(prompt: str) -> bytes:
    import sys

    if not sys.stdin.isatty():
        raise CommandRefused(
            "passphrase.missing", "no terminal to ask on: give --new-passphrase-file PATH"
        )
    return str(typer.prompt(prompt, hide_input=True, confirmation_prompt=True)).encode()


def _path(ask: Invocation, name: str) -> Path:
    return ask.key_path_of(name) if name else ask.key_path


def _new_path(ask: Invocation, name: str) -> Path:
    if "/" in name or name.endswith(".pem"):
        return Path(name)
    return ask.home / KEYS_FOLDER / f"{name}.pem"


def _described(path: Path, public_key: bytes) -> dict[str, Json]:
    from ledger.model import address_of

    return {
        "file": str(path),
        "address": address_of(public_key),
        "public_key": public_key.hex(),
        "algorithm": "SM2 (GB/T 32918), curve sm2p256v1",
    }
