"""Applications on the command line: written offline, signed one after the other, handed in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cli.main import main
from client.applications import ApplicationInvalid, application_of, load, terms_digest, terms_text
from crypto import sm2
from crypto.keys import save_key
from ledger.genesis import Genesis, Limits, chain_id, save_genesis
from ledger.model import PROTOCOL_VERSION, Validator, ValidatorSet, address_of
from ledger.values import Key, Value
from tests.applications import applied
from tests.business import Business, digest
from tests.fake_session import FakeNode, FakeSession, opened

PASSPHRASE = b"a sentence of the applicant"
DOCUMENTS = b"statutes and licence"
WORDS = ["--party", "lab", "--name", "实验室 Lab", "--role", "developer", "--sponsor", "opco"]
WORDS += ["--documents", "file:papers.pdf", "--expires", "2030-01-01T00:00:00Z"]


def founded(name: str = "city") -> Genesis:
    node = Validator("n", "bureau", sm2.public_key(digest("node")), "peer")
    return Genesis(PROTOCOL_VERSION, name, 1, ValidatorSet((node,)), (), (), Limits(), "shuxin-1")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two keys, made once: that takes a while on purpose."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("first", "second"):
        save_key(folder / f"{name}.pem", private(name), PASSPHRASE)
    return folder


@pytest.fixture
def desk(keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The applicant's: two keys, the genesis that its sponsor gave it, and its papers."""
    monkeypatch.chdir(tmp_path)
    for name in ("SHUXIN_HOME", "SHUXIN_NODE", "SHUXIN_KEY"):
        monkeypatch.delenv(name, raising=False)
    shutil.copytree(keys, tmp_path / "keys")
    secret = tmp_path / "keys" / "passphrase"
    secret.touch(mode=0o600)
    secret.write_bytes(PASSPHRASE)
    (tmp_path / "papers.pdf").write_bytes(DOCUMENTS)
    save_genesis(founded(), tmp_path / "genesis.json")
    return tmp_path


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> FakeSession:
    fake = opened(monkeypatch)
    fake.node = FakeNode(chain_id(founded()))
    return fake


def private(name: str) -> bytes:
    return digest(f"key {name}")


def address(name: str) -> str:
    return address_of(sm2.public_key(private(name)))


def wrote(*words: str, key: str = "first") -> int:
    common = ["--home", ".", "--key", key, "--genesis", "genesis.json"]
    return main(["party", "application", "a1", *WORDS, "--output", "a1.json", *common, *words])


def countersigned(key: str = "second", file: str = "a1.json") -> int:
    return main(["party", "sign-application", file, "--home", ".", "--key", key])


def test_an_application_is_signed_by_one_key_after_the_other_and_handed_in(
    desk: Path, session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    assert wrote("--account", address("second"), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["signed_by"] == [address("first")] and told["unsigned"] == [address("second")]
    assert main(["party", "apply", "--file", "a1.json"]) == 1
    assert address("second") in capsys.readouterr().err and session.calls == []
    assert countersigned() == 0
    assert main(["party", "apply", "--file", "a1.json"]) == 0
    ((contract, method, args),) = session.calls
    assert (contract, method) == ("admission", "apply")
    assert args[:5] == ("a1", "lab", "实验室 Lab", "", ["developer"])
    assert args[5] == bytes.fromhex(json.loads(Path("a1.json").read_text())["documents"])
    assert args[7] == [sm2.public_key(private(name)) for name in ("first", "second")]
    message = b"shuxin/application/1:" + bytes.fromhex(told["digest"])
    keys, signatures = args[7], args[8]
    assert isinstance(keys, list)
    assert isinstance(signatures, list)
    for key, signature in zip(keys, signatures, strict=True):
        assert isinstance(key, bytes) and isinstance(signature, bytes)
        sm2.verify(key, message, signature)


def test_what_is_written_is_written_once_and_for_one_chain(
    desk: Path, session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    assert wrote() == 0
    assert wrote() == 1
    assert "application.exists" in capsys.readouterr().err
    assert wrote("--lang", "zh") == 1
    assert "已存在" in capsys.readouterr().err
    session.node = FakeNode(chain_id(founded("village")))
    assert main(["party", "apply", "--file", "a1.json"]) == 1
    assert "application.chain" in capsys.readouterr().err
    Path("genesis.json").rename("elsewhere.json")
    Path("a1.json").unlink()
    common = ["--home", ".", "--key", "first", "--output", "a1.json"]
    assert main(["party", "application", "a1", *WORDS, *common]) == 1
    assert "application.genesis" in capsys.readouterr().err


def test_a_key_that_the_application_does_not_name_does_not_sign_it(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert wrote() == 0
    before = Path("a1.json").read_bytes()
    assert countersigned() == 1
    assert address("first") in capsys.readouterr().err
    assert Path("a1.json").read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        ('"lab"', '"laboratory"'),
        ('"developer"', '"operator"'),
        ('"opco"', '"rival"'),
        ('"sponsor"', '"patron"'),
        ('"shuxin application 1"', '"shuxin application 2"'),
        ('"signatures": [', '"signatures": 1, "x": ['),
        ("{", "["),
    ],
)
def test_a_file_that_was_changed_is_no_application(
    change: tuple[str, str], desk: Path, session: FakeSession
) -> None:
    assert wrote() == 0
    file = Path("a1.json")
    text = file.read_text("utf-8")
    assert change[0] in text
    file.write_text(text.replace(*change, 1), "utf-8")
    with pytest.raises(ApplicationInvalid):
        load(file)
    assert main(["party", "apply", "--file", "a1.json"]) == 1
    assert countersigned("first") == 1
    assert session.calls == []


def test_a_file_that_is_far_too_large_is_not_read(desk: Path) -> None:
    Path("large.json").write_bytes(b" " * (65 << 10))
    with pytest.raises(ApplicationInvalid, match="no application"):
        load(Path("large.json"))


def test_an_application_comes_from_a_form(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["party", "template", "application"]) == 0
    blank = capsys.readouterr().out
    assert "sponsor = " in blank and "documents = " in blank
    Path("form.toml").write_text(
        'party = "lab"\nname = "Lab"\nrole = ["developer"]\ndocuments = "file:papers.pdf"\n'
        'sponsor = "opco"\nexpires = "+30d"\noutput = "b1.json"\n'
    )
    common = ["--home", ".", "--key", "first", "--file", "form.toml"]
    assert main(["party", "application", "b1", *common]) == 0
    assert load(Path("b1.json")).application.party == "lab"


# --- deciding -----------------------------------------------------------------------------------


@pytest.fixture
def record(session: FakeSession) -> dict[Key, Value]:
    """An application as a chain shows it."""
    session.node = FakeNode()
    business = Business()
    applied(business)
    found = business.ask("bureau", "admission", "show", "a1")
    assert isinstance(found, dict)
    session.answers = {"admission.show": found, "admission.list": [found]}
    session.answers["admission.standing"] = "applied"
    return found


def test_a_manager_signs_the_digest_of_what_it_was_shown(
    session: FakeSession, record: dict[Key, Value], capsys: pytest.CaptureFixture[str]
) -> None:
    digest_up = terms_digest(application_of(record), bytes(32))
    assert digest_up == record["digest"]
    words = ["party", "admit", "a1", "--engagement", "e1", "--note", "sound"]
    assert main([*words, "--digest", "00" * 32]) == 1
    assert "application.digest" in capsys.readouterr().err
    assert main([*words, "--digest", digest_up.hex()]) == 0
    assert session.calls[-1] == ("admission", "admit", ("a1", digest_up, "e1", "sound"))
    # What a node makes up is not what the contract has on record, and the contract refuses it.
    record["sponsor"] = "rival"
    assert main(["party", "admit", "a1"]) == 0
    assert session.calls[-1][2][1] == terms_digest(application_of(record), bytes(32)) != digest_up


def test_an_answer_that_is_no_application_is_refused(
    session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    answers: list[Value] = [None, 7, {"id": "a1"}, {"id": "a1", "documents": b""}]
    for answer in answers:
        session.answers["admission.show"] = answer
        assert main(["party", "admit", "a1"]) == 1
        error = capsys.readouterr().err
        assert "record.contradiction" in error or "terms_unreadable" in error


def test_applications_are_listed_filtered_and_shown(
    session: FakeSession, record: dict[Key, Value], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["party", "applications"]) == 0
    assert "lab" in capsys.readouterr().out
    for words, count in (
        (["--party", "opco"], 1),
        (["--party", "lab"], 1),
        (["--party", "bank"], 0),
        (["--status", "applied"], 1),
        (["--status", "入驻待审"], 1),
        (["--status", "refused"], 0),
    ):
        assert main(["party", "applications", *words, "--json"]) == 0
        assert len(json.loads(capsys.readouterr().out)) == count, words
    assert main(["party", "applications", "a1", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["id"], shown["standing"]) == ("a1", "applied")
    assert set(record) < set(shown)
    assert main(["party", "applications", "A1"]) == 2


def test_the_text_that_is_signed_says_all_of_it() -> None:
    business = Business()
    applied(business)
    found = business.ask("bureau", "admission", "show", "a1")
    assert isinstance(found, dict)
    text = terms_text(application_of(found), bytes(32))
    for name in ("id", "party", "name", "sponsor", "expires_ms"):
        assert str(found[name]) in text
    accounts, roles = found["accounts"], found["roles"]
    assert isinstance(accounts, list) and isinstance(roles, list)
    for item in (*accounts, *roles):
        assert str(item) in text
