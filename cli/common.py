"""The options that every command takes; cli/options.py adds them to its command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from cli.candidates import keys_in
from cli.forms import COMMON_PANEL
from cli.language import Language

KEYS_FOLDER: Final = "keys"  # of a home


def home_default() -> Path:
    """SHUXIN_HOME, or the current directory."""
    return Path(os.environ.get("SHUXIN_HOME") or ".")


def _key_names(incomplete: str) -> list[str]:
    """What `--key` may name, for shells."""
    return keys_in(home_default() / KEYS_FOLDER, incomplete)


Json = Annotated[
    bool, typer.Option("--json", help="Print JSON on stdout.", rich_help_panel=COMMON_PANEL)
]
Lang = Annotated[
    Language | None,
    typer.Option(
        help="Language of what people read; default: of the locale (LC_ALL, LC_MESSAGES, LANG).",
        rich_help_panel=COMMON_PANEL,
    ),
]
Home = Annotated[
    Path | None,
    typer.Option(
        help="Folder of the network or client (client.toml, keys/); default SHUXIN_HOME or here.",
        envvar="SHUXIN_HOME",
        show_envvar=False,
        rich_help_panel=COMMON_PANEL,
    ),
]
Node = Annotated[
    str,
    typer.Option(
        help="Node to ask: [tls://|sm://]host:port; after commas, others for when it is away.",
        envvar="SHUXIN_NODE",
        rich_help_panel=COMMON_PANEL,
    ),
]
Key = Annotated[
    str,
    typer.Option(
        help="Key to sign with: a path, NAME of keys/NAME.pem in the home, or sdf:LIBRARY#INDEX.",
        envvar="SHUXIN_KEY",
        autocompletion=_key_names,
        rich_help_panel=COMMON_PANEL,
    ),
]
Verify = Annotated[
    bool,
    typer.Option(
        "--verify/--no-verify",
        help="Check proofs of what the node says, from a trusted genesis on.",
        rich_help_panel=COMMON_PANEL,
    ),
]
TrustedGenesis = Annotated[
    Path | None,
    typer.Option(
        "--genesis",
        exists=True,
        dir_okay=False,
        help="Genesis file you trust; default: of the home, or what the first node sent.",
        rich_help_panel=COMMON_PANEL,
    ),
]
MaxAge = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="SECONDS",
        help="How old the newest block may be; default: the chain's heartbeat and a minute.",
        rich_help_panel=COMMON_PANEL,
    ),
]
TlsCa = Annotated[
    Path | None,
    typer.Option(
        "--tls-ca",
        exists=True,
        dir_okay=False,
        help="PEM file: the CA of nodes at tls://, or the roots of gateways at sm:// addresses.",
        envvar="SHUXIN_TLS_CA",
        rich_help_panel=COMMON_PANEL,
    ),
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        help="File whose first line is the passphrase of the key.",
        envvar="SHUXIN_PASSPHRASE_FILE",
        rich_help_panel=COMMON_PANEL,
    ),
]

Certificate = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        help="Registered certificate to ask nodes by: what it gives to the key, and no more.",
        envvar="SHUXIN_CERTIFICATE",
        rich_help_panel=COMMON_PANEL,
    ),
]

# Name in the program, kind, default.
COMMON: Final = (
    ("json", Json, False),
    ("lang", Lang, None),
    ("home", Home, None),
    ("node", Node, ""),
    ("key", Key, ""),
    ("passphrase_file", PassphraseFile, None),
    ("verify", Verify, True),
    ("genesis", TrustedGenesis, None),
    ("max_age", MaxAge, None),
    ("tls_ca", TlsCa, None),
    ("certificate", Certificate, None),
)
# A command that itself checks against a genesis, or makes one, has an option of that name; one that
# puts a certificate somewhere asks no node by one.
REPLACEABLE: Final = frozenset({"genesis", "certificate"})
