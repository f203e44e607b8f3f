"""What every command takes (--json, --home, --node, --key, --verify, ...), and `verb`.

A command is a function that takes an `Invocation` and its own arguments and returns an answer:

    @verb(app, "show")
    def show(ask: Invocation, task_id: Annotated[str, typer.Argument()]) -> Answer:
        '''The line that `--help` shows.'''

`verb` adds the common options to its command line and prints what it returns.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Concatenate, ParamSpec

import typer

from cli.client_file import CLIENT_FILE, ClientFile
from cli.common import COMMON, KEYS_FOLDER, REPLACEABLE, home_default
from cli.forms import FORM, FormFile, template_of
from cli.language import Language, language_of, speak
from cli.output import Answer, CommandRefused, Text, show
from cli.trust import Verification, verifying

if TYPE_CHECKING:
    from client.account import Account
    from client.channel import Security
    from client.connection import Connection
    from client.node import NodeClient
    from client.session import Session
    from crypto.provider import CryptoProvider

NODE_DEFAULT = "127.0.0.1:7100"
GENESIS_FILE = "genesis.json"
PASSPHRASE_FILE = "passphrase"

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Invocation:
    """The common options of one command, and what follows from them."""

    json: bool
    home: Path
    node: str
    key: str
    passphrase_file: Path | None
    is_home: bool = False  # it was named, or looks like one: files may be kept in it
    verify: bool = True
    genesis: Path | None = None
    max_age: int | None = None  # seconds
    tls_ca: Path | None = None
    certificate: Path | None = None
    verification: Verification = field(default_factory=Verification)
    _opened: dict[str, Account] = field(default_factory=dict, init=False, repr=False)

    @property
    def _settings(self) -> ClientFile:
        return ClientFile(self.home)

    @property
    def targets(self) -> tuple[str, ...]:
        """host:port of the nodes, the preferred one first.

        From --node, SHUXIN_NODE, client.toml of the home, or loopback.
        """
        named = self.node.split(",") if self.node else self._settings.texts("node")
        cleaned = tuple(dict.fromkeys(name.strip() for name in named if name.strip()))
        return cleaned or (NODE_DEFAULT,)

    @property
    def target(self) -> str:
        """The nodes in one text, for messages."""
        return ",".join(self.targets)

    @property
    def key_path(self) -> Path:
        """The key file: --key as a path, or as the NAME of keys/NAME.pem in the home."""
        named = self.key or self._settings.text("key")
        if not named and not self.home.is_dir():
            raise CommandRefused(
                "home.missing",
                f"there is no folder {self.home}: name your home with --home or SHUXIN_HOME; "
                "`shuxin net new` makes one",
            )
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

    def passphrase(self, key: Path | None = None, *, confirm: bool = False) -> bytes:
        """The passphrase of the key file `key`: of a file, the agent's, or typed on a terminal.

        Raises KeyFileInvalid for a file that others can read.
        """
        from crypto.passphrase import passphrase_of_file

        beside = self.home / KEYS_FOLDER / PASSPHRASE_FILE
        if self.passphrase_file is not None:
            return passphrase_of_file(self.passphrase_file)
        if setting := self._settings.text("passphrase_file"):
            return passphrase_of_file(self.home / setting)
        if beside.is_file():
            return passphrase_of_file(beside)
        if key is not None and (held := _held_by_agent(key)) is not None:
            return held
        if sys.stdin.isatty():
            typed = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm)
            return str(typed).encode()
        raise CommandRefused(
            "passphrase.missing",
            "no terminal to ask on: give --passphrase-file PATH, set SHUXIN_PASSPHRASE_FILE, or "
            "have an agent hold it, `shuxin key unlock`",
        )

    @property
    def genesis_path(self) -> Path | None:
        """The genesis file to trust, if there is one: named, or that of the home."""
        if self.genesis is not None:
            return self.genesis
        if setting := self._settings.text("genesis"):
            return (self.home / setting).resolve()
        beside = self.home / GENESIS_FILE
        return beside if self.is_home and beside.is_file() else None

    @property
    def plan_paths(self) -> Sequence[Path]:
        """The recovery plans that the chain follows, in order: `plans` in client.toml."""
        return [self.home / name for name in self._settings.texts("plans")]

    def provider(self) -> CryptoProvider:
        """The key that signs: of a file, or in a device for --key sdf:LIBRARY#INDEX."""
        from crypto.keys import load_key
        from crypto.providers.sdf import SdfProvider, place_of, shared_device
        from crypto.providers.software import SoftwareProvider

        place = place_of(self.key or self._settings.text("key"))
        if place is not None:
            library, index = place
            return SdfProvider(shared_device(library), index, self.passphrase())
        path = self.key_path
        return SoftwareProvider(load_key(path, self.passphrase(path)))

    def account(self) -> Account:
        """The account that signs; its key is opened once, which takes a while on purpose."""
        from client.account import Account

        named = self.key or self._settings.text("key")
        if named not in self._opened:
            provider = self.provider()
            self._opened[named] = Account(provider, certificate=self._spoken_by(provider))
        return self._opened[named]

    def _spoken_by(self, provider: CryptoProvider) -> bytes:
        """The fingerprint of the certificate to ask by: --certificate, or of client.toml."""
        from crypto.x509.authority import read_file
        from crypto.x509.read import read_certificate

        setting = self._settings.text("certificate")
        place = self.certificate or (self.home / setting if setting else None)
        if place is None:
            return b""
        found = read_certificate(read_file(place))
        if found.public_key != provider.public_key:
            raise CommandRefused(
                "certificate.key",
                f"{place} is of {found.subject} and for another key: name the key that it is for, "
                "--key, or no certificate",
            )
        return found.fingerprint

    def caller(self) -> Account | None:
        """Who nodes are told that asks; None where no key is named: what is public, they tell."""
        return self.account() if self.key or self._settings.text("key") else None

    @contextmanager
    def connection(self, *, is_current: bool = True) -> Iterator[Connection]:
        """The node, or whichever of several answers.

        What it answers is verified, unless --no-verify says otherwise. `is_current`: an answer
        about the newest state must not be older than --max-age.
        """
        if self.verify:
            with verifying(self, is_current=is_current) as checking:
                yield checking
            return
        self.verification.believed = self.target
        with self.opened(None) as node:
            yield node

    @contextmanager
    def opened(self, chain_id: bytes | None) -> Iterator[Connection]:
        """The node, or whichever of several answers, believed; what is signed is for the chain."""
        from client.cluster import open_connection

        try:
            opened = open_connection(
                self.targets, chain_id=chain_id, security=self.security(), caller=self.caller()
            )
        except ValueError as error:
            raise CommandRefused("client.config", str(error)) from None
        with opened as node:
            yield node

    @contextmanager
    def one_node(self) -> Iterator[NodeClient]:
        """The preferred node and no other: for what is about the node itself."""
        from client.node import NodeClient

        try:
            opened = NodeClient(self.targets[0], security=self.security(), caller=self.caller())
        except ValueError as error:
            raise CommandRefused("client.config", str(error)) from None
        with opened as node:
            yield node

    def security(self) -> Security:
        """Whose nodes are believed on the way, and what is shown where one asks.

        Raises ValueError for settings that do not fit each other.
        """
        from client.security import SETTINGS, security_of

        given = self._settings.all()
        named = {name: self.home / self._settings.text(name) for name in SETTINGS if name in given}
        if self.tls_ca is not None:
            named["tls_ca"] = self.tls_ca
        return security_of(self.targets, named, self.passphrase)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """The account at the node: for calls and views; what is refused comes with advice."""
        from cli.advice import advised
        from client.errors import Refused
        from client.session import Session

        account = self.account()
        with self.connection() as node:
            session = Session(node, account)
            try:
                yield session
            except Refused as refusal:
                raise advised(session, refusal) from None


def _held_by_agent(key: Path) -> bytes | None:
    """What the agent of this user holds for a key file; None where there is no agent."""
    from crypto.agent import ask
    from crypto.agent.wire import AgentFault

    agent = ask.agent_path()
    try:
        return None if agent is None else ask.give(agent, key)
    except AgentFault:
        return None  # whoever has a terminal is asked there


# --- verbs ----------------------------------------------------------------------------------


def verb(
    app: typer.Typer, name: str
) -> Callable[
    [Callable[Concatenate[Invocation, P], Answer]], Callable[Concatenate[Invocation, P], Answer]
]:
    """Registers a function as the command `name` of `app`, with the common options added."""

    def register(
        function: Callable[Concatenate[Invocation, P], Answer],
    ) -> Callable[Concatenate[Invocation, P], Answer]:
        app.command(name)(_with_common_options(function, has_form=False))
        return function

    return register


class Forms:
    """The verbs of a noun whose options may also come from a file; adds the verb `template`."""

    def __init__(self, app: typer.Typer, noun: str) -> None:
        self._app = app
        self._noun = noun
        self._commands: dict[str, Callable[..., None]] = {}
        verb(app, "template")(self._template)

    @property
    def names(self) -> tuple[str, ...]:
        """The verbs that take a form."""
        return tuple(self._commands)

    def verb(
        self, name: str
    ) -> Callable[
        [Callable[Concatenate[Invocation, P], Answer]], Callable[Concatenate[Invocation, P], Answer]
    ]:
        """As the function `verb`, with the option `--file`."""

        def register(
            function: Callable[Concatenate[Invocation, P], Answer],
        ) -> Callable[Concatenate[Invocation, P], Answer]:
            self._commands[name] = _with_common_options(function, has_form=True)
            self._app.command(name)(self._commands[name])
            return function

        return register

    def _template(
        self,
        ask: Invocation,
        name: Annotated[str, typer.Argument(metavar="VERB", help="The verb that takes it.")],
    ) -> Answer:
        """Print a form to be filled in, for `--file`."""
        if name not in self._commands:
            known = ", ".join(self.names)
            raise CommandRefused("form.verb", f"these verbs of {self._noun} take forms: {known}")
        return Text(template_of(self._noun, name, self._commands[name]))


def _with_common_options(
    function: Callable[Concatenate[Invocation, P], Answer], *, has_form: bool
) -> Callable[..., None]:
    signature = inspect.signature(function, eval_str=True)
    own = list(signature.parameters.values())[1:]
    taken = {parameter.name for parameter in own}
    common = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, kind, default in COMMON
        if name not in taken & REPLACEABLE
    ]
    if has_form:
        kind = inspect.Parameter.KEYWORD_ONLY
        common.insert(0, inspect.Parameter(FORM, kind, default=None, annotation=FormFile))
    names = [parameter.name for parameter in common]
    assert taken.isdisjoint(names), "the common options are not a command's own"
    own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]

    def run(*positional: P.args, **named: P.kwargs) -> None:
        ask = _invocation({key: named.pop(key) for key in names})
        answer = function(ask, *positional, **named)
        code = show(ask.verification.told_with(answer, as_json=ask.json), as_json=ask.json)
        if code:
            raise typer.Exit(code)

    # Not functools.wraps: the hints of `function` would win over these.
    run.__name__, run.__doc__ = function.__name__, function.__doc__
    run.__signature__ = signature.replace(  # type: ignore[attr-defined]  # read by inspect
        parameters=[*own, *common], return_annotation=None
    )
    run.__annotations__ = {p.name: p.annotation for p in (*own, *common)}
    return run


def _invocation(options: dict[str, object]) -> Invocation:
    wanted = options["lang"]
    language = wanted if isinstance(wanted, Language) else language_of(os.environ)
    speak(Language.ENGLISH if options["json"] else language)  # programs are told what never changes
    given = options["home"]
    home = given if isinstance(given, Path) else home_default()
    passphrase_file, genesis = options["passphrase_file"], options.get("genesis")
    max_age, tls_ca = options["max_age"], options["tls_ca"]
    certificate = options.get("certificate")
    return Invocation(
        json=bool(options["json"]),
        home=home,
        node=str(options["node"]),
        key=str(options["key"]),
        passphrase_file=passphrase_file if isinstance(passphrase_file, Path) else None,
        is_home=isinstance(given, Path)
        or any((home / name).is_file() for name in (CLIENT_FILE, GENESIS_FILE)),
        verify=bool(options["verify"]),
        genesis=genesis if isinstance(genesis, Path) else None,
        max_age=max_age if isinstance(max_age, int) else None,
        tls_ca=tls_ca if isinstance(tls_ca, Path) else None,
        certificate=certificate if isinstance(certificate, Path) else None,
    )
