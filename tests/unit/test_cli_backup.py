"""`shuxin node backup` and `node restore`: what is refused before anything is done, and how."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.main import main
from crypto import sm2
from crypto.keys import save_key
from node.keys import write_private
from tests.node_world import Nodes

PRIVATE = sm2.generate()
PUBLIC = sm2.public_key(PRIVATE).hex()


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["node", *arguments, "--json"]) == 1
    code: str = json.loads(capsys.readouterr().err)["refused"]["code"]
    return code


@pytest.mark.parametrize(
    ("recipient", "code"),
    [("not hex", "key.public"), ("ab", "key_invalid"), (PUBLIC[:-2] + "00", "key_invalid")],
)
def test_what_is_no_public_key_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], recipient: str, code: str
) -> None:
    to = tmp_path / "backup"
    arguments = ("backup", str(tmp_path), "--to", str(to), "--recipient", recipient)
    assert refusal(capsys, *arguments) == code
    assert not to.exists()


def test_without_a_running_node_there_is_no_backup(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("backup", str(tmp_path), "--to", str(tmp_path / "b"), "--recipient", PUBLIC)
    assert refusal(capsys, *arguments) == "node_away"


@pytest.fixture
def vault(tmp_path: Path) -> tuple[str, ...]:
    """The options of a restore: the operator's key and a genesis."""
    network = Nodes(tmp_path / "net", size=4)
    save_key(tmp_path / "key.pem", PRIVATE, b"correct horse")
    write_private(tmp_path / "passphrase", b"correct horse\n")
    return (
        *("--key", str(tmp_path / "key.pem")),
        *("--passphrase-file", str(tmp_path / "passphrase")),
        *("--genesis", str(network.root / "genesis.json")),
        *("--data-dir", str(tmp_path / "data")),
    )


def test_a_folder_without_a_backup_is_refused(
    tmp_path: Path, vault: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert refusal(capsys, "restore", str(tmp_path / "none"), *vault) == "backup_missing"
    (tmp_path / "empty").mkdir()
    assert refusal(capsys, "restore", str(tmp_path / "empty"), *vault) == "backup_missing"
    assert not (tmp_path / "data").exists()


def test_a_wrong_passphrase_is_refused(
    tmp_path: Path, vault: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "passphrase").write_text("wrong\n")
    assert refusal(capsys, "restore", str(tmp_path), *vault) == "key_file_invalid"
