"""`shuxin certificate`, `organization` and what `proposal` says of roots."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.main import main
from cli.options import Invocation
from cli.output import CommandRefused
from crypto import sm2
from crypto.errors import CertificateRefused
from crypto.keys import save_key
from crypto.x509.profile import Role, Subject
from crypto.x509.read import CERTIFICATE, Certificate, encode_pem, read_certificate
from ledger.values import Value
from node.config_template import render_config
from node.keys import write_private
from tests.fake_session import FakeSession, opened
from tests.x509_world import PEER, organization

ORG = organization("health")
USER = ORG.leaf(Subject("health", "zhang", Role.USER))
SERIAL = f"{USER.serial:x}"


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> FakeSession:
    return opened(monkeypatch)


def written(folder: Path, certificate: Certificate) -> str:
    path = folder / "one.crt"
    path.write_bytes(encode_pem(certificate.der, CERTIFICATE))
    return str(path)


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> object:
    assert main([*words, "--json"]) == 0, capsys.readouterr()
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main([*words, "--json"]) == 1
    return str(json.loads(capsys.readouterr().err)["refused"]["code"])


def test_a_certificate_is_registered_as_it_is(session: FakeSession, tmp_path: Path) -> None:
    assert main(["certificate", "register", written(tmp_path, USER)]) == 0
    assert session.calls == [("identity", "register", ("health", USER.der))]


def test_a_root_is_not_registered_and_a_leaf_is_not_proposed(
    session: FakeSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, leaf = tmp_path / "root.crt", tmp_path / "leaf.crt"
    root.write_bytes(ORG.root.der)
    leaf.write_bytes(USER.der)
    assert refused(capsys, "certificate", "register", str(root)) == "certificate.root"
    words = ("proposal", "admit-root", "p1", "--reason", "r", "--root")
    assert refused(capsys, *words, str(leaf)) == "proposal.root"
    assert session.calls == []
    assert main([*words, str(root)]) == 0
    assert session.calls == [
        ("proposal", "admit_root", ("p1", "health", ORG.root.der, "r")),
    ]


def test_a_certificate_is_revoked_by_its_file_or_by_its_serial(
    session: FakeSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    revoke = ("certificate", "revoke")
    by_serial = (SERIAL.upper(), "--organization", "health")
    for which in ((written(tmp_path, USER),), by_serial):
        assert main([*revoke, *which, "--reason", "lost"]) == 0
        assert session.calls.pop() == ("identity", "revoke", ("health", SERIAL, "lost"))
    capsys.readouterr()
    assert refused(capsys, *revoke, SERIAL, "--reason", "r") == "certificate.which"
    no_hex = ("no-hex", "--organization", "health")
    assert refused(capsys, *revoke, *no_hex, "--reason", "r") == "certificate.which"


def test_what_is_shown_says_when_and_why_it_was_revoked(
    session: FakeSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record: Value = {"organization": "health", "serial": SERIAL, "status": "revoked"}
    gone: Value = {"reason": "lost", "by": "health", "height": 7, "time_ms": 1, "serial": SERIAL}
    session.answers = {"identity.show": record, "identity.revocation_of": gone}
    shown = asked(capsys, "certificate", "show", written(tmp_path, USER))
    assert isinstance(shown, dict)
    assert (shown["status"], shown["revoked_reason"], shown["revoked_height"]) == (
        "revoked",
        "lost",
        7,
    )


def test_the_history_of_an_organization_is_in_order_and_its_own(
    session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    session.answers = {
        "identity.list": [
            {"organization": "health", "serial": "a", "role": "user", "name": "z", "since": 9},
            {"organization": "bank", "serial": "b", "role": "user", "name": "y", "since": 3},
        ],
        "identity.revocations": [
            {"organization": "health", "serial": "c", "by": "health", "reason": "r", "height": 4}
        ],
    }
    told = asked(capsys, "certificate", "history", "health")
    assert isinstance(told, list)
    assert [(row["height"], row["act"], row["serial"]) for row in told] == [
        (4, "revoked", "c"),
        (9, "registered", "a"),
    ]


def test_a_root_is_saved_only_if_it_is_the_one_that_was_asked_for(
    session: FakeSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "root.crt"
    words = ["organization", "root", ORG.root.fingerprint.hex(), "--output", str(output)]
    session.answers = {"identity.root_certificate": organization("health").root.der}
    assert refused(capsys, *words) == "organization.answer"
    assert not output.exists()
    session.answers = {"identity.root_certificate": ORG.root.der}
    assert main(words) == 0
    assert read_certificate(output.read_bytes()) == ORG.root
    capsys.readouterr()
    assert refused(capsys, *words) == "organization.exists"


def test_a_renewed_certificate_takes_the_place_of_the_old_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "node.toml"
    config.write_text(
        render_config(
            name="n1", genesis="g", listen="/ip4/127.0.0.1/tcp/1", api="127.0.0.1:2", peers={}
        )
    )
    (tmp_path / "keys").mkdir()
    place = tmp_path / "keys" / "node.crt"
    owner = organization()
    old = owner.leaf()
    place.write_bytes(old.der)
    new = tmp_path / "new.crt"
    words = ("node", "renew", str(config), str(new))
    for unfit in (
        owner.leaf(),  # for another key
        owner.leaf(days=30, public=old.public_key),
        owner.leaf(Subject("org1", "n2", Role.NODE, PEER), public=old.public_key, days=400),
    ):
        new.write_bytes(unfit.der)
        assert refused(capsys, *words) == "node.renew"
        assert read_certificate(place.read_bytes()) == old
    fit = owner.leaf(public=old.public_key, days=400)
    new.write_bytes(fit.der)
    assert main(words) == 0
    assert read_certificate(place.read_bytes()) == fit


def test_nodes_are_asked_by_the_certificate_that_is_named_for_this_key_alone(
    tmp_path: Path,
) -> None:
    private = sm2.generate()
    write_private(tmp_path / "passphrase", b"open sesame\n")
    save_key(tmp_path / "li.pem", private, b"open sesame")
    made = ORG.leaf(Subject("health", "li", Role.AUDITOR), public=sm2.public_key(private))
    named = Path(written(tmp_path, made))
    foreign = tmp_path / "other.crt"
    foreign.write_bytes(USER.der)
    settings = 'key = "li.pem"\npassphrase_file = "passphrase"\n'

    def ask(certificate: Path | None, text: str = settings) -> Invocation:
        (tmp_path / "client.toml").write_text(text)
        return Invocation(False, tmp_path, "", "", None, certificate=certificate)

    assert ask(None).account().certificate == b""
    assert ask(named).account().certificate == made.fingerprint
    by_home = settings + 'certificate = "one.crt"\n'
    assert ask(None, by_home).account().certificate == made.fingerprint
    for wrong in (ask(foreign), ask(foreign, by_home)):
        with pytest.raises(CommandRefused, match="for another key"):
            wrong.account()
    with pytest.raises(CertificateRefused):
        ask(tmp_path / "li.pem").account()
