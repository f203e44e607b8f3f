"""Signing keys: encrypted SM2 keys in PKCS#8 PEM, readable by the `openssl` command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import KEYS_FOLDER, Invocation, verb
from cli.output import Answer, CommandRefused, Fields

app = typer.Typer()


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
    return _describe(path, sm2.public_key(private))


@verb(app, "show")
def show(
    ask: Invocation,
    name: Annotated[
        str, typer.Argument(help="Path or NAME; without it the key of --key or the home.")
    ] = "",
) -> Answer:
    """Show the public key and the account address of a key; asks for its passphrase."""
    from crypto import sm2
    from crypto.keys import load_key

    path = ask.key_path_of(name) if name else ask.key_path
    return _describe(path, sm2.public_key(load_key(path, ask.passphrase())))


def _new_path(ask: Invocation, name: str) -> Path:
    if "/" in name or name.endswith(".pem"):
        return Path(name)
    return ask.home / KEYS_FOLDER / f"{name}.pem"


def _describe(path: Path, public_key: bytes) -> Fields:
    from ledger.model import address_of

    return Fields(
        {
            "file": str(path),
            "address": address_of(public_key),
            "public_key": public_key.hex(),
            "algorithm": "SM2 (GB/T 32918), curve sm2p256v1",
        }
    )
