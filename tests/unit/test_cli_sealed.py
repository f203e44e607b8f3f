"""`shuxin evidence record-sealed` and `open`: what is sealed here is what is opened there."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.main import main
from cli.options import Invocation
from client.sealed import CONTENT_MAX
from crypto import sm2
from crypto.keys import save_key
from ledger.values import Value
from tests.fake_session import FakeSession, opened

PRIVATE = sm2.generate()
PASSPHRASE = b"passphrase"
WORDS = ["--kind", "authorization.decision", "--subject", "d1"]


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeSession:
    monkeypatch.chdir(tmp_path)
    save_key(tmp_path / "key.pem", PRIVATE, PASSPHRASE)
    monkeypatch.setattr(Invocation, "passphrase", lambda *_args, **_named: PASSPHRASE)
    (tmp_path / "decision.txt").write_bytes(b"the decision")
    return opened(monkeypatch)


def sealed(session: FakeSession, *readers: str) -> tuple[Value, ...]:
    """The arguments of record_sealed, by the command."""
    words = ["evidence", "record-sealed", "e-1", "decision.txt", *WORDS]
    for reader in readers:
        words += ["--reader", reader]
    assert main(words) == 0
    ((_contract, method, args),) = session.calls
    assert method == "record_sealed"
    return args


def stored(monkeypatch: pytest.MonkeyPatch, session: FakeSession, args: tuple[Value, ...]) -> None:
    """The node answers what the contract would have stored."""
    answers: dict[tuple[str, str], Value] = {
        ("parties", "active_party_of"): "insurer",
        ("evidence", "show"): {"id": "e-1", "digest": args[3]},
        ("evidence", "sealed"): {"payload": args[6], "keys": args[7]},
    }
    monkeypatch.setattr(session, "view", lambda name, view, *_args: answers[name, view])


def test_what_was_sealed_is_opened_by_its_reader(
    session: FakeSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    args = sealed(session, f"insurer={sm2.public_key(PRIVATE).hex()}")
    assert args[:3] == ("e-1", "authorization.decision", "d1")
    stored(monkeypatch, session, args)
    words = ["evidence", "open", "e-1", "--output", "opened.txt", "--key", "key.pem"]
    assert main(words) == 0
    assert (tmp_path / "opened.txt").read_bytes() == b"the decision"
    assert (tmp_path / "opened.txt").stat().st_mode & 0o777 == 0o600
    assert main(words) == 1, "a file that exists is not written over"


def test_another_digest_on_record_is_told_and_nothing_is_written(
    session: FakeSession,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    args = sealed(session, f"insurer={sm2.public_key(PRIVATE).hex()}")
    stored(monkeypatch, session, (*args[:3], bytes(32), *args[4:]))
    assert main(["evidence", "open", "e-1", "--output", "opened.txt", "--key", "key.pem"]) == 1
    assert "not what the digest on record is of" in capsys.readouterr().err
    assert not (tmp_path / "opened.txt").exists()


@pytest.mark.parametrize("answer", [None, [], {"payload": b"x"}, {"payload": 7, "keys": []}])
def test_a_node_that_answers_with_no_record_is_refused(
    session: FakeSession,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: Value,
) -> None:
    args = sealed(session, f"insurer={sm2.public_key(PRIVATE).hex()}")
    stored(monkeypatch, session, args)
    plain = session.view
    monkeypatch.setattr(
        session, "view", lambda n, v, *a: answer if v == "sealed" else plain(n, v, *a)
    )
    assert main(["evidence", "open", "e-1", "--output", "opened.txt", "--key", "key.pem"]) == 1
    assert "ask another node" in capsys.readouterr().err


@pytest.mark.parametrize(
    "reader", ["insurer", "insurer=12", "Insurer=" + "0" * 128, "=" + "0" * 128]
)
def test_a_reader_that_is_no_party_with_a_key_is_misuse(session: FakeSession, reader: str) -> None:
    words = ["evidence", "record-sealed", "e-1", "decision.txt", *WORDS, "--reader", reader]
    assert main(words) == 2
    assert session.calls == []


def test_what_is_too_large_for_the_chain_is_refused(
    session: FakeSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "decision.txt").write_bytes(bytes(CONTENT_MAX + 1))
    reader = f"insurer={sm2.public_key(PRIVATE).hex()}"
    words = ["evidence", "record-sealed", "e-1", "decision.txt", *WORDS, "--reader", reader]
    assert main(words) == 1
    assert "record its digest" in capsys.readouterr().err


def test_a_file_without_end_is_judged_by_its_first_bytes(
    session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    reader = f"insurer={sm2.public_key(PRIVATE).hex()}"
    words = ["evidence", "record-sealed", "e-1", "/dev/zero", *WORDS, "--reader", reader]
    assert main(words) == 1
    assert f"more than {CONTENT_MAX} bytes" in capsys.readouterr().err
    assert session.calls == []


def test_a_file_of_the_largest_size_is_sealed_whole(
    session: FakeSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "decision.txt").write_bytes(b"x" * CONTENT_MAX)
    stored(monkeypatch, session, sealed(session, f"insurer={sm2.public_key(PRIVATE).hex()}"))
    words = ["evidence", "open", "e-1", "--output", "opened.txt", "--key", "key.pem"]
    assert main(words) == 0
    assert (tmp_path / "opened.txt").read_bytes() == b"x" * CONTENT_MAX
