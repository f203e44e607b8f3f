"""`shuxin ca`: an organization's certificates from the command line, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from crypto import sm2
from crypto.keys import key_to_pem, save_key
from crypto.x509.read import read_certificate
from tests.x509_world import PEER

PASSPHRASE = b"correct horse"

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    assert key_to_pem.__kwdefaults__ is not None
    monkeypatch.setitem(key_to_pem.__kwdefaults__, "iterations", 1000)  # thirty are opened here
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    (keys / "passphrase").write_bytes(PASSPHRASE)
    (keys / "passphrase").chmod(0o600)
    for name in ("n1", "alice"):
        save_key(keys / f"{name}.pem", sm2.generate(), PASSPHRASE)
    return tmp_path


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str, refused: str = "") -> dict[str, Any]:
        code = main(["ca", *arguments, "--home", str(home), "--json"])
        printed = capsys.readouterr()
        if refused:
            assert code == 1, printed
            problem: dict[str, Any] = json.loads(printed.err.splitlines()[-1])["refused"]
            assert problem["code"] == refused, problem
            return problem
        assert code == 0, printed.err
        answer: dict[str, Any] = json.loads(printed.out)
        return answer

    return call


def _request(run: Run, home: Path, name: str, role: str, *more: str) -> str:
    path = str(home / f"{name}.csr")
    run(
        *("request", name, "--organization", "org1", "--role", role, "--key", name),
        *("--output", path, *more),
    )
    return path


def test_what_cannot_be_is_refused_with_a_code(run: Run, home: Path) -> None:
    out = str(home / "x.crt")
    run("list", refused="ca.missing")
    run("new", "Org 1", refused="certificate.name")
    run("new", "org1", "--days", "9000", refused="certificate.expired")
    run("new", "org1")
    run("new", "org1", refused="certificate.key")
    common = ("--organization", "org1", "--key", "n1", "--output", str(home / "x.csr"))
    run("request", "n1", "--role", "king", *common, refused="ca.role")
    run("request", "n1", "--role", "node", *common, refused="certificate.name")
    request = _request(run, home, "alice", "user")
    run("issue", request, "--role", "auditor", "--output", out, refused="ca.role")
    run("issue", str(home / "keys" / "passphrase"), "--role", "user", "--output", out,
        refused="certificate.malformed")  # fmt: skip
    run("issue", request, "--role", "user", "--days", "4000", "--output", out,
        refused="certificate.expired")  # fmt: skip
    run("issue", request, "--role", "user", "--output", out)
    run("issue", request, "--role", "user", "--output", out, refused="ca.exists")
    run("revoke", "zz", refused="ca.which")
    run("revoke", "abcdef", refused="certificate.foreign")
    assert not list((home / "ca").glob(".*")), "nothing half written is left"


def test_another_organizations_request_or_certificate_is_refused(run: Run, home: Path) -> None:
    run("new", "org1")
    run("new", "org2", "--ca", str(home / "ca2"))
    request = _request(run, home, "alice", "user")
    foreign = str(home / "alice.crt")
    run("issue", request, "--role", "user", "--ca", str(home / "ca2"), "--output", foreign,
        refused="certificate.organization")  # fmt: skip
    run("issue", request, "--role", "user", "--output", foreign)
    run("revoke", foreign, "--ca", str(home / "ca2"), refused="certificate.foreign")


def test_a_damaged_register_is_never_taken_for_an_empty_one(run: Run, home: Path) -> None:
    run("new", "org1")
    for damage in (b"", b"{}x", b'{"version": 2}', b'{"revoked": [{"serial": "q", "time_s": 1}]}'):
        (home / "ca" / "register.json").write_bytes(damage)
        run("crl", "--output", str(home / "x.crl"), refused="certificate.malformed")


def test_issue_renew_revoke_and_list(run: Run, home: Path) -> None:
    root = run("new", "org1")
    assert (root["role"], root["organization"]) == ("root", "org1")
    request = _request(run, home, "n1", "node", "--peer-id", PEER)
    first, second = home / "n1.crt", home / "n1-renewed.crt"
    issued = run("issue", request, "--role", "node", "--days", "20", "--output", str(first))
    assert issued["peer_id"] == PEER and issued["state"].startswith("ends in")
    renewed = run("renew", issued["serial"], "--output", str(second))
    assert renewed["public_key"] == issued["public_key"] != root["public_key"]
    assert renewed["serial"] != issued["serial"] and renewed["state"] == "good"
    run("revoke", str(first))
    run("revoke", issued["serial"], refused="certificate.revoked")
    run("renew", str(first), "--output", str(home / "y"), refused="certificate.revoked")
    listed = {row["serial"]: row["state"] for row in run("list")}  # type: ignore[index]
    assert listed == {issued["serial"]: "revoked", renewed["serial"]: "good"}
    crl = str(home / "org1.crl")
    assert run("crl", "--output", crl)["number"] == 1
    assert run("crl", "--output", crl)["revoked"] == [issued["serial"]]
    trusted = ("--root", str(home / "ca" / "ca.crt"))
    assert run("show", crl, *trusted)["number"] == 2
    run("show", str(first), *trusted, "--crl", crl, refused="certificate.revoked")
    assert run("show", str(second), *trusted, "--crl", crl)["verified"] is True
    assert run("show", str(second))["verified"] is False
    assert read_certificate(second.read_bytes()).subject.name == "n1"


def test_keys_and_folder_are_closed_to_others(run: Run, home: Path) -> None:
    run("new", "org1")
    assert (home / "ca").stat().st_mode & 0o777 == 0o700
    assert (home / "ca" / "ca.pem").stat().st_mode & 0o777 == 0o600
    assert b"ENCRYPTED PRIVATE KEY" in (home / "ca" / "ca.pem").read_bytes()
