"""What every command takes (--json, --home, --node, --key, --passphrase-file), and `verb`.

A command is a function that takes an `Invocation` and its own arguments and returns an answer:

    @verb(app, "show")
    def show(ask: Invocation, task_id: Annotated[str, typer.Argument()]) -> Answer:
        '''The line that `--help` shows.'''

`verb` adds the common options to its command line and prints what it returns.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Concatenate, ParamSpec

import typer

from cli.output import Answer, CommandRefused, show

if TYPE_CHECKING:
    from client.account import Account
    from client.connection import Connection
    from client.node import NodeClient
    from client.session import Session

NODE_DEFAULT = "127.0.0.1:7100"
CLIENT_FILE = "client.toml"
KEYS_FOLDER = "keys"
PASSPHRASE_FILE = "passphrase"
PASSPHRASE_SIZE_MAX = 1024  # bytes; more is not a passphrase but a wrong file
COMMON_PANEL = "Common options"

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Invocation:
    """The common options of one command, and what follows from them."""

    json: bool
    home: Path
    node: str
    key: str
    passphrase_file: Path | None

    @property
    def targets(self) -> tuple[str, ...]:
        """host:port of the nodes, the preferred one first.

        From --node, SHUXIN_NODE, client.toml of the home, or loopback.
        """
        named = self.node.split(",") if self.node else self._client_nodes()
        cleaned = tuple(dict.fromkeys(name.strip() for name in named if name.strip()))
        return cleaned or (NODE_DEFAULT,)

    @property
    def target(self) -> str:
        """The nodes in one text, for messages."""
        return ",".join(self.targets)

    @property
    def key_path(self) -> Path:
        """The key file: --key as a path, or as the NAME of keys/NAME.pem in the home."""
        named = self.key or self._client_setting("key")
        if not named:
            raise CommandRefused(
                "key.missing",
                "name the key to sign with: --key PATH, --key NAME of a file "
                f"{self.home / KEYS_FOLDER}/NAME.pem, or SHUXIN_KEY",
            )
        return self.key_path_of(named)

    def key_path_of(self, named: str) -> Path:
        """The existing key file that `named` stands for."""
        for path in (Path(named), self.home / named, self.home / KEYS_FOLDER / f"{named}.pem"):
            if path.is_file():
                return path
        raise CommandRefused(
            "key.missing",
            f"there is no key {named}: neither a file of that name nor "
            f"{self.home / KEYS_FOLDER}/{named}.pem; see `shuxin key new --help`",
        )

    def passphrase(self, *, confirm: bool = False) -> bytes:
        """The passphrase of the key, from a file or, on a terminal, typed in."""
        beside = self.home / KEYS_FOLDER / PASSPHRASE_FILE
        if self.passphrase_file is not None:
            return read_passphrase(self.passphrase_file)
        if setting := self._client_setting("passphrase_file"):
            return read_passphrase(self.home / setting)
        if beside.is_file():
            return read_passphrase(beside)
        if sys.stdin.isatty():
            typed = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm)
            return str(typed).encode()
        raise CommandRefused(
            "passphrase.missing",
            "no terminal to ask on: give --passphrase-file PATH or set SHUXIN_PASSPHRASE_FILE",
        )

    def account(self) -> Account:
        """The account that signs."""
        from client.account import Account

        path = self.key_path
        return Account.load(path, self.passphrase())

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """The node, or whichever of several answers, without an account."""
        from client.cluster import open_connection

        try:
            opened = open_connection(self.targets)
        except ValueError as error:
            raise CommandRefused("client.config", str(error)) from None
        with opened as node:
            yield node

    @contextmanager
    def one_node(self) -> Iterator[NodeClient]:
        """The preferred node and no other: for what is about the node itself."""
        from client.node import NodeClient

        with NodeClient(self.targets[0]) as node:
            yield node

    @contextmanager
    def session(self) -> Iterator[Session]:
        """The account at the node: for calls and views."""
        from client.session import Session

        account = self.account()
        with self.connection() as node:
            yield Session(node, account)

    def _client_nodes(self) -> Sequence[str]:
        value = self._client_settings().get("node", [])
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or any(not isinstance(item, str) for item in listed):
            raise CommandRefused(
                "client.config",
                f'{self.home / CLIENT_FILE}: node must be "HOST:PORT" or a list of such texts',
            )
        return listed

    def _client_setting(self, name: str) -> str:
        value = self._client_settings().get(name, "")
        if not isinstance(value, str):
            path = self.home / CLIENT_FILE
            raise CommandRefused("client.config", f"{path}: {name} must be text in quotes")
        return value

    def _client_settings(self) -> Mapping[str, object]:
        path = self.home / CLIENT_FILE
        try:
            settings = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise CommandRefused("client.config", f"{path}: {error}") from None
        return settings


def render_client_config(*, nodes: Sequence[str], key: str, passphrase_file: str) -> str:
    """The commented client.toml of a home, for what creates one."""
    listed = "".join(f'    "{node}",\n' for node in nodes)
    return (
        "# What `shuxin --home THIS_FOLDER ...` uses unless told otherwise (客户端缺省设置).\n"
        "# Options on the command line and SHUXIN_NODE, SHUXIN_KEY, SHUXIN_PASSPHRASE_FILE win.\n"
        "# Nodes of one chain; the first is asked, the others when it is away. What they say is\n"
        "# believed: name only nodes that you trust.\n"
        f"node = [\n{listed}]\n"
        "# A path relative to this folder, or NAME for keys/NAME.pem.\n"
        f'key = "{key}"\n'
        f'passphrase_file = "{passphrase_file}"\n'
    )


def read_passphrase(path: Path) -> bytes:
    """The first line of the file, without its line end."""
    with path.open("rb") as handle:
        content = handle.read(PASSPHRASE_SIZE_MAX + 1)
    if len(content) > PASSPHRASE_SIZE_MAX:
        raise CommandRefused("passphrase.file", f"{path} is too long to hold a passphrase")
    line = content.splitlines()[0] if content else b""
    if not line:
        raise CommandRefused("passphrase.file", f"{path} is empty; its first line is read")
    return line


def home_default() -> Path:
    """SHUXIN_HOME, or the current directory."""
    return Path(os.environ.get("SHUXIN_HOME") or ".")


# --- verbs ----------------------------------------------------------------------------------

Json = Annotated[
    bool, typer.Option("--json", help="Print JSON on stdout.", rich_help_panel=COMMON_PANEL)
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
        help="host:port of the node to ask; after commas, others to ask when it is away.",
        envvar="SHUXIN_NODE",
        rich_help_panel=COMMON_PANEL,
    ),
]
Key = Annotated[
    str,
    typer.Option(
        help="Key to sign with: a path, or NAME of keys/NAME.pem in the home.",
        envvar="SHUXIN_KEY",
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

_COMMON = (
    ("json", Json, False),
    ("home", Home, None),
    ("node", Node, ""),
    ("key", Key, ""),
    ("passphrase_file", PassphraseFile, None),
)
_COMMON_NAMES = frozenset(name for name, _, _ in _COMMON)


def verb(
    app: typer.Typer, name: str
) -> Callable[
    [Callable[Concatenate[Invocation, P], Answer]], Callable[Concatenate[Invocation, P], Answer]
]:
    """Registers a function as the command `name` of `app`, with the common options added."""

    def register(
        function: Callable[Concatenate[Invocation, P], Answer],
    ) -> Callable[Concatenate[Invocation, P], Answer]:
        app.command(name)(_with_common_options(function))
        return function

    return register


def _with_common_options(
    function: Callable[Concatenate[Invocation, P], Answer],
) -> Callable[..., None]:
    signature = inspect.signature(function, eval_str=True)
    own = list(signature.parameters.values())[1:]
    assert not _COMMON_NAMES.intersection(parameter.name for parameter in own)
    common = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, kind, default in _COMMON
    ]
    own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]

    def run(*positional: P.args, **named: P.kwargs) -> None:
        options = {key: named.pop(key) for key in _COMMON_NAMES}
        ask = _invocation(options)
        code = show(function(ask, *positional, **named), as_json=ask.json)
        if code:
            raise typer.Exit(code)

    functools.update_wrapper(run, function)
    run.__signature__ = signature.replace(  # type: ignore[attr-defined]  # read by inspect
        parameters=[*own, *common], return_annotation=None
    )
    run.__annotations__ = {p.name: p.annotation for p in (*own, *common)}
    del run.__wrapped__  # type: ignore[attr-defined]  # or the hints of `function` would win
    return run


def _invocation(options: dict[str, object]) -> Invocation:
    home = options["home"]
    passphrase_file = options["passphrase_file"]
    return Invocation(
        json=bool(options["json"]),
        home=home if isinstance(home, Path) else home_default(),
        node=str(options["node"]),
        key=str(options["key"]),
        passphrase_file=passphrase_file if isinstance(passphrase_file, Path) else None,
    )
