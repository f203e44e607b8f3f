"""The command line as its user meets it: help, misuse, refusals, keys, start-up."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from cli.client_file import render_client_config
from cli.main import NOUNS, main
from cli.options import Invocation
from cli.output import CommandRefused
from cli.reference import render
from crypto.errors import KeyFileInvalid
from node.keys import write_private

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("grpc", "libp2p", "trio", "jax", "spu", "numpy", "msgspec", "cffi", "plyvel")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HOME", "NODE", "KEY", "PASSPHRASE_FILE", "DEBUG"):
        monkeypatch.delenv(f"SHUXIN_{name}", raising=False)
    write_private(tmp_path / "passphrase", b"correct horse\n")
    monkeypatch.setenv("SHUXIN_HOME", str(tmp_path))
    monkeypatch.setenv("SHUXIN_PASSPHRASE_FILE", str(tmp_path / "passphrase"))
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["key"],
        ["key", "nonsense"],
        ["key", "new"],
        ["key", "show", "--nonsense"],
        ["tx", "show", "abc"],
        ["tx", "show", "zz" * 32],
        ["tx", "send", "c", "m", "1.5"],
        ["tx", "send", "c", "m", "--gas-limit", "0"],
        ["block", "show", "minus"],
        ["block", "list", "--last", "0"],
        ["event", "follow", "--from-height=-1"],
        ["contract", "check", "/nonexistent/contract.py"],
        ["contract", "view", "c", "m", "[1,"],
        ["party", "register", "UPPER", "--name", "n", "--role", "r", "--account", "a"],
        ["party", "register", "p"],
        ["catalog", "register", "UPPER"],
        ["catalog", "update", "d", "--row-count", "1", "--quality", "completeness=1.00001"],
        ["catalog", "describe", "d", "--title", "t", "--column", "x"],
        ["demand", "review", "d", "--pass", "--dataset", "not an id"],
        ["grant", "list", "--limit", "1000"],
        ["grant", "request", "g", "--expires", "soon"],
        ["task", "create", "t", "--participant", "nobody"],
        ["product", "register", "p", "--task", "t", "--title", "t", "--digest", "12"],
        ["delivery", "reject", "d", "--digest", "00" * 32],
        ["evidence", "record", "e", "--kind", "k", "--subject", "UPPER", "--digest", "00" * 32],
    ],
)
def test_misuse_exits_with_two_and_says_how_to_get_help(
    arguments: list[str], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    assert "help" in (captured.err + captured.out).lower()


@pytest.mark.parametrize("noun", sorted(NOUNS))
def test_every_command_has_a_help_line_and_the_common_options(noun: str) -> None:
    import importlib

    app = importlib.import_module(f"cli.{noun}").app
    assert app.registered_commands, f"shuxin {noun} has no verb"
    for command in app.registered_commands:
        callback = command.callback
        assert callback is not None
        assert (callback.__doc__ or "").strip(), f"shuxin {noun} {command.name} says nothing"
        options = set(callback.__annotations__)
        assert {"json", "home", "node", "key", "passphrase_file"} <= options, command.name


@pytest.mark.parametrize("noun", sorted(NOUNS))
def test_a_default_is_none_or_what_the_parser_of_its_option_makes_of_it(noun: str) -> None:
    """Typer gives a default to the parser of the option; 0 for a time ended `grant request`."""
    import importlib

    for command in importlib.import_module(f"cli.{noun}").app.registered_commands:
        assert command.callback is not None
        for parameter in inspect.signature(command.callback).parameters.values():
            infos = [info for info in get_args(parameter.annotation) if hasattr(info, "parser")]
            if infos and infos[0].parser and parameter.default not in (None, parameter.empty):
                assert infos[0].parser(parameter.default) == parameter.default, command.name


@pytest.mark.parametrize("noun", sorted(NOUNS))
def test_every_noun_explains_itself(noun: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([noun, "--help"]) == 0
    assert "Usage" in capsys.readouterr().out


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from cli.main import main; code = main(['--help']);"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules];"
        "sys.exit(code or bool(loaded) and f'loaded: {loaded}')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/proto/gen"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_command_is_in_the_reference() -> None:
    written = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert written == render(), "run `make reference`"


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("shuxin ")


def test_a_new_key_can_be_shown_and_is_never_overwritten(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["key", "new", "alice", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    path = home / "keys" / "alice.pem"
    assert path.stat().st_mode & 0o077 == 0
    assert main(["key", "show", "alice", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown | {"backup": made["backup"]} == made
    before = path.read_bytes()
    assert main(["key", "new", "alice"]) == 1
    assert "key.exists" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_a_wrong_passphrase_and_a_readable_key_file_are_refused(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["key", "new", "alice"]) == 0
    write_private(home / "other", b"wrong\n")
    assert main(["key", "show", "alice", "--passphrase-file", str(home / "other")]) == 1
    assert "key_file_invalid" in capsys.readouterr().err
    (home / "keys" / "alice.pem").chmod(0o644)
    assert main(["key", "show", "alice"]) == 1
    assert "chmod 600" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["party", "list"], "key.missing"),
        (["party", "list", "--key", "nobody"], "key.missing"),
        (["node", "status", "--node", "127.0.0.1:1"], "node_unavailable"),
        (["key", "new", "k", "--passphrase-file", "/nonexistent/file"], "key_file_invalid"),
    ],
)
def test_what_cannot_be_done_exits_with_one_and_a_code(
    arguments: list[str], code: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    assert capsys.readouterr().err.startswith(f"refused: {code}: ")
    assert main([*arguments, "--json"]) == 1
    assert json.loads(capsys.readouterr().err)["refused"]["code"] == code


NODES = ("127.0.0.1:9", "127.0.0.1:10")


def invocation(home: Path, *, node: str = "", key: str = "") -> Invocation:
    return Invocation(json=False, home=home, node=node, key=key, passphrase_file=None)


def test_client_settings_of_the_home_are_used_unless_told_otherwise(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "alice.pem").write_text("")
    write_private(keys / "secret", b"p\n")
    (tmp_path / "client.toml").write_text(
        render_client_config(
            nodes=NODES, key="alice", passphrase_file="keys/secret", genesis="../genesis.json"
        )
    )
    ask = invocation(tmp_path)
    assert ask.targets == ("127.0.0.1:9", "127.0.0.1:10")
    assert ask.key_path == keys / "alice.pem"
    assert ask.genesis_path == tmp_path.parent / "genesis.json"
    assert ask.passphrase() == b"p"
    assert invocation(tmp_path, node="10.0.0.1:1, 10.0.0.2:1,").target == "10.0.0.1:1,10.0.0.2:1"
    with pytest.raises(CommandRefused, match="bob"):
        _ = invocation(tmp_path, key="bob").key_path


def test_a_home_that_names_one_node_in_a_text_is_understood(tmp_path: Path) -> None:
    (tmp_path / "client.toml").write_text('node = "127.0.0.1:9"')
    assert invocation(tmp_path).targets == ("127.0.0.1:9",)


@pytest.mark.parametrize(
    "text",
    ["node = ", "node = 7", "node = [7]", "\x00", "node = " + "[" * 10_000, "n = 1" + "0" * 5_000],
)
def test_damaged_client_settings_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "client.toml").write_text(text)
    with pytest.raises(CommandRefused, match="client.toml"):
        _ = invocation(tmp_path).target


def test_a_passphrase_that_others_can_read_is_refused_wherever_it_comes_from(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commands took it from a file of any mode, while daemons refused it."""
    assert main(["key", "new", "alice"]) == 0
    open_to_all = home / "open"
    open_to_all.write_text("correct horse\n")
    open_to_all.chmod(0o644)
    named = ["--passphrase-file", str(open_to_all)]
    for words in (
        ["show", "alice", *named],
        ["change-passphrase", "alice", "--new-passphrase-file", named[1]],
    ):
        assert main(["key", *words]) == 1
        told = capsys.readouterr().err
        assert "key_file_invalid" in told and f"chmod 600 {open_to_all}" in told
    (home / "client.toml").write_text('passphrase_file = "open"')
    with pytest.raises(KeyFileInvalid, match="chmod 600"):
        invocation(home).passphrase()
