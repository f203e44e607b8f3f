"""`shuxin algorithm`: images are hashed and signed where they lie, and compared with the chain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pytest

from cli.literals import LiteralInvalid, parse_algorithm, parse_parameter
from cli.main import main
from cli.options import Invocation
from client.account import Account
from client.errors import Refused
from client.node import Outcome
from contracts.vm.codes import ViewRefused
from crypto.keys import save_key
from crypto.providers.software import SoftwareProvider
from executors import images
from executors.builtin import installed_image
from executors.images import ImageInvalid, image_of
from ledger.model import Transaction
from ledger.values import Value
from tests.business import ALGORITHM, PUBLISHER, Business
from tests.fake_session import FakeNode, FakeSession, opened

DIGEST = "ab" * 32


@dataclass
class PublisherSession:
    """A session of the tech provider's account whose key is known, on the chain of `business`."""

    business: Business
    account: Account
    node: FakeNode

    def view(self, contract: str, method: str, *args: Value) -> Value:
        try:
            return self.business.chain.view(self.account.address, contract, method, *args)
        except ViewRefused as refusal:
            raise Refused(refusal.code, refusal.detail) from None

    def call(self, contract: str, method: str, *args: Value) -> Outcome:
        receipt = self.business.chain.call(self.account.address, contract, method, *args)
        if receipt.status != 0:
            raise Refused(receipt.error, receipt.detail)
        return Outcome(Transaction(b"", b""), receipt, 1, 0, None)


@pytest.fixture
def business(monkeypatch: pytest.MonkeyPatch) -> Business:
    business = Business()
    business.publisher()
    account = Account(SoftwareProvider(PUBLISHER))

    @contextmanager
    def session(ask: Invocation) -> Iterator[PublisherSession]:
        yield PublisherSession(business, account, FakeNode(bytes(32)))

    monkeypatch.setattr(Invocation, "session", session)
    monkeypatch.setattr(Invocation, "account", lambda ask: account)
    return business


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "image"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "run").write_text("echo scores")
    (root / "manifest.json").write_text("{}")
    (root / "__pycache__").mkdir()
    (root / "__pycache__" / "run.pyc").write_text("made by running")
    return root


def test_an_image_is_proposed_rebuilt_and_checked_by_commands(
    business: Business, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--title", "Scores", "--kind", "mpc", "--parameter", "rounds:int:how often"]
    words += ["--image", str(folder), "--location", "registry.example/scores:1"]
    assert main(["algorithm", "propose", "scores/1", *words, "--json"]) == 0
    assert main(["algorithm", "check", "scores/1", "--image", str(folder), "--json"]) == 1
    digest = image_of(folder).digest
    business.do("bureau", "algorithm", "review", "scores/1", digest, True, "")
    (folder / "bin" / "run").write_text("echo better scores")
    assert main(["algorithm", "check", "scores/1", "--image", str(folder), "--json"]) == 1
    assert main(["algorithm", "rebuild", "scores/1", "--image", str(folder), "--json"]) == 0
    second = image_of(folder).digest
    assert second != digest
    business.do("bureau", "algorithm", "review", "scores/1", second, True, "")
    capsys.readouterr()
    assert main(["algorithm", "check", "scores/1", "--image", str(folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["digest"], told["approved"], told["file_count"]) == (second.hex(), True, 2)


def test_the_built_in_engine_needs_no_folder(
    business: Business, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["algorithm", "check", ALGORITHM, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["digest"] == installed_image(ALGORITHM).digest.hex()
    assert main(["algorithm", "propose", ALGORITHM]) == 1, "it is approved with the genesis"
    assert "algorithm.exists" in capsys.readouterr().err
    assert main(["algorithm", "digest", "scores/1"]) == 1
    assert "--image" in capsys.readouterr().err


def test_an_image_may_be_signed_by_another_key(
    business: Business, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other, passphrase = tmp_path / "other.pem", tmp_path / "passphrase"
    save_key(other, bytes(31) + b"\x07", b"secret words")
    passphrase.write_text("secret words")
    passphrase.chmod(0o600)
    words = ["--title", "Scores", "--kind", "mpc", "--image", str(folder)]
    words += ["--publisher", str(other), "--passphrase-file", str(passphrase)]
    assert main(["algorithm", "propose", "scores/1", *words]) == 1
    assert "algorithm.publisher" in capsys.readouterr().err


def test_decisions_name_the_image_that_they_are_about(monkeypatch: pytest.MonkeyPatch) -> None:
    session: FakeSession = opened(monkeypatch)
    words = ["--digest", DIGEST, "--refuse", "--note", "slow"]
    assert main(["algorithm", "review", "scores/1", *words]) == 0
    assert main(["algorithm", "disable", "scores/1", "--reason", "unsafe"]) == 0
    assert session.calls == [
        ("algorithm", "review", ("scores/1", bytes.fromhex(DIGEST), False, "slow")),
        ("algorithm", "disable", ("scores/1", "unsafe")),
    ]
    assert main(["algorithm", "disable", "scores", "--reason", "unsafe"]) == 2


def test_an_engine_that_was_exchanged_while_a_daemon_runs_is_noticed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "files", lambda package: folder)
    before = installed_image(ALGORITHM).digest
    (folder / "bin" / "run").write_text("echo somebody else's code")
    assert installed_image(ALGORITHM).digest != before


def test_the_digest_follows_bytes_names_and_places(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = image_of(folder)
    assert main(["algorithm", "digest", "s/1", "--image", str(folder), "--files", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == first.content.splitlines()
    (folder / "manifest.json").write_text("[]")
    second = image_of(folder)
    assert second.digest != first.digest and second.layout_digest == first.layout_digest
    (folder / "manifest.json").rename(folder / "other.json")
    assert image_of(folder).layout_digest != first.layout_digest


def test_what_is_no_image_is_refused_by_name(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageInvalid, match="no file"):
        image_of(tmp_path / "empty")
    with pytest.raises(ImageInvalid, match="cannot be read"):
        image_of(tmp_path / "absent")
    monkeypatch.setattr(images, "FILES_MAX", 1)
    with pytest.raises(ImageInvalid, match="at most"):
        image_of(folder)
    monkeypatch.undo()
    (folder / "evil\nname").write_text("")
    with pytest.raises(ImageInvalid, match="rename"):
        image_of(folder)
    (folder / "evil\nname").unlink()
    (folder / "link").symlink_to("/etc/hostname")
    with pytest.raises(ImageInvalid, match="is a link"):
        image_of(folder)


@pytest.mark.parametrize("text", ["", "a", "a/", "/1", "A/1", "a/1/2", "a" * 63 + "/1", "a/1\n"])
def test_an_algorithm_is_named_with_its_version(text: str) -> None:
    with pytest.raises(LiteralInvalid):
        parse_algorithm(text)
    assert parse_algorithm("a" * 62 + "/1").endswith("/1")


def test_a_parameter_is_written_like_a_column() -> None:
    assert tuple(parse_parameter("rounds:int:how: often")) == ("rounds", "int", "how: often")
    with pytest.raises(LiteralInvalid):
        parse_parameter("Rounds:int")
