"""`shuxin key`: passphrases changed, kept by the agent, and keys in devices."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.main import main
from crypto import keys, sm2
from crypto.agent import ask
from crypto.agent.ask import AGENT_VARIABLE
from ledger.model import address_of
from node.keys import save_network_key, write_private
from p2p.identity import generate_seed
from tests.sdf import soft
from tests.unit.test_crypto_agent import Running

pytestmark = pytest.mark.slow  # each key's passphrase is stretched for 0.2 s

PRIVATE = (0xFACE).to_bytes(32, "big")
PASSPHRASE = b"correct horse"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Has a key, and its passphrase in a file that nobody finds by himself."""
    for variable in ("SHUXIN_PASSPHRASE_FILE", "SHUXIN_KEY", AGENT_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("SHUXIN_HOME", str(tmp_path))
    (tmp_path / "keys").mkdir()
    keys.save_key(tmp_path / "keys" / "alice.pem", PRIVATE, PASSPHRASE)
    write_private(tmp_path / "secret", PASSPHRASE + b"\n")
    write_private(tmp_path / "new", b"better\n")
    return tmp_path


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    with Running(tmp_path / "agent.sock") as running:
        monkeypatch.setenv(AGENT_VARIABLE, str(running.path))
        yield running


def told(capsys: pytest.CaptureFixture[str], *words: str) -> object:
    assert main(["key", *words, "--json"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["key", *words]) == 1
    return capsys.readouterr().err


def test_an_unlocked_key_opens_without_a_file_until_it_is_locked(
    home: Path, agent: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "passphrase.missing" in refused(capsys, "show", "alice")
    told(capsys, "unlock", "alice", "--hours", "2", "--passphrase-file", str(home / "secret"))
    shown = told(capsys, "show", "alice")
    assert isinstance(shown, dict)
    assert shown["address"] == address_of(sm2.public_key(PRIVATE))
    assert told(capsys, "held") == [{"file": str(home / "keys" / "alice.pem"), "minutes": 120}]
    told(capsys, "lock", "alice")
    assert "passphrase.missing" in refused(capsys, "show", "alice")
    assert "key.locked" in refused(capsys, "lock", "alice")
    assert told(capsys, "lock") == {"forgotten": "all"}


def test_the_agent_is_told_no_passphrase_that_opens_nothing(
    home: Path, agent: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = ("--passphrase-file", str(home / "new"))
    assert "passphrase is wrong" in refused(capsys, "unlock", "alice", *wrong)
    assert ask.held(agent.path) == []


def test_a_nodes_network_key_is_unlocked_too(
    home: Path, agent: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    save_network_key(home / "network.pem", generate_seed(), PASSPHRASE)
    secret = ("--passphrase-file", str(home / "secret"))
    told(capsys, "unlock", str(home / "network.pem"), *secret)
    assert ask.give(agent.path, home / "network.pem") == PASSPHRASE


def test_without_an_agent_it_is_said_how_to_have_one(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    secret = ("--passphrase-file", str(home / "secret"))
    assert f"agent.missing: set {AGENT_VARIABLE}" in refused(capsys, "unlock", "alice", *secret)
    monkeypatch.setenv(AGENT_VARIABLE, str(home / "nowhere.sock"))
    assert "shuxin key agent" in refused(capsys, "unlock", "alice", *secret)


def test_a_passphrase_is_changed_and_the_agent_forgets_the_old_one(
    home: Path, agent: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home / "keys" / "alice.pem"
    told(capsys, "unlock", "alice", "--passphrase-file", str(home / "secret"))
    told(capsys, "change-passphrase", "alice", "--new-passphrase-file", str(home / "new"))
    assert keys.load_key(path, b"better") == PRIVATE
    assert ask.held(agent.path) == []
    assert path.stat().st_mode & 0o777 == 0o600
    old = ("--passphrase-file", str(home / "secret"))
    assert "passphrase is wrong" in refused(capsys, "show", "alice", *old)


def test_the_old_file_stays_when_the_new_passphrase_is_none(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_private(home / "empty", b"\n")
    words = ("--new-passphrase-file", str(home / "empty"))
    old = ("--passphrase-file", str(home / "secret"))
    assert "key_file_invalid" in refused(capsys, "change-passphrase", "alice", *words, *old)
    assert keys.load_key(home / "keys" / "alice.pem", PASSPHRASE) == PRIVATE


def test_a_key_in_a_device_is_shown_after_it_signed(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_private(home / "password", soft.PASSWORD + b"\n")
    index = str(soft.load(PRIVATE))
    words = ("device", str(soft.library()), index)
    shown = told(capsys, *words, "--passphrase-file", str(home / "password"))
    assert isinstance(shown, dict)
    assert shown["public_key"] == sm2.public_key(PRIVATE).hex()
    assert PRIVATE.hex() not in json.dumps(shown)
    soft.set_broken(1)
    try:
        password = ("--passphrase-file", str(home / "password"))
        assert "signed wrongly" in refused(capsys, *words, *password)
    finally:
        soft.set_broken(0)


def test_commands_sign_with_a_key_in_a_device(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here a request for a certificate; the file of the key is nowhere."""
    private = sm2.generate()
    named = f"sdf:{soft.library()}#{soft.load(private)}"
    write_private(home / "password", soft.PASSWORD + b"\n")
    words = ["ca", "request", "alice", "--organization", "bank", "--role", "user", "--key", named]
    words += ["--output", str(home / "alice.csr"), "--json"]
    assert main([*words, "--passphrase-file", str(home / "password")]) == 0
    assert json.loads(capsys.readouterr().out)["public_key"] == sm2.public_key(private).hex()
    words[words.index(named)] = f"sdf:{soft.library()}#0"
    assert main([*words, "--passphrase-file", str(home / "password")]) == 1
    assert "index from 1" in capsys.readouterr().err
