"""`shuxin audit report` and `verify`: signed, resumed, and nothing altered unnoticed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cli.main import main
from crypto import sm2
from crypto.keys import save_key
from node.audit.manifest import MANIFEST_NAME, read_manifest
from node.audit.parts import ReportInvalid
from node.keys import write_private
from tests.audit_world import Audited
from tests.moving_chain import served

# --- the commands ---------------------------------------------------------------------------------


def test_answers_are_signed_and_go_on_where_a_replay_was(
    audited: Audited, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_key(tmp_path / "auditor.pem", sm2.generate(), b"secret")
    write_private(tmp_path / "passphrase", b"secret\n")
    where = ["--genesis", audited.genesis_file, "--work", str(tmp_path / "work"), "--json"]
    source = str(audited.archive)
    assert main(["audit", "replay", source, *where]) == 0
    capsys.readouterr()
    words = [
        "audit",
        "report",
        source,
        *where,
        "--product",
        "p2",
        "--output",
        str(tmp_path / "out"),
    ]
    words += ["--sign-key", str(tmp_path / "auditor.pem")]
    words += ["--passphrase-file", str(tmp_path / "passphrase")]
    assert main([*words, "--from", "2023-11-14", "--to", "2023-11-15T00:00:00Z"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["resumed_height"] == audited.chain.store.height, "nothing was executed again"
    assert "v2 is not answered yet" in told["links_missing"]

    assert main(["audit", "verify", str(tmp_path / "out" / MANIFEST_NAME), "--json"]) == 0
    verified = json.loads(capsys.readouterr().out)
    assert verified["asked"] == "acts, access, custody, books" and len(verified["signed_by"]) == 40
    (tmp_path / "out" / "acts.csv").write_bytes(b"height\r\n")
    assert main(["audit", "verify", str(tmp_path / "out")]) == 1
    assert "acts.csv is not the file that was answered with" in capsys.readouterr().err


def test_archive_folder_and_running_node_give_the_same_answers(
    audited: Audited, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    audited.chain.forked(data).store.close()
    with served(audited.chain) as target:
        for name, source in (("a", str(audited.archive)), ("f", str(data)), ("n", target)):
            words = ["audit", "report", source, "--genesis", audited.genesis_file]
            words += ["--product", "p1", "--format", "csv", "--output", str(tmp_path / name)]
            assert main(words) == 0
    for table in ("acts", "access", "custody", "links"):
        archive, folder, node = ((tmp_path / name / f"{table}.csv").read_bytes() for name in "afn")
        assert archive == folder == node
        assert archive.count(b"\r\n") > 3


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--question", "why"], "--question takes acts, access, custody"),
        (["--format", "csv,pdf"], "--format takes csv, parquet, json, html"),
        (["--question", "custody"], "name it with --product"),
        (["--from", "2023-11-15", "--to", "2023-11-15"], "--from must be before --to"),
    ],
)
def test_what_cannot_be_asked_is_told_before_the_work(
    audited: Audited,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    says: str,
) -> None:
    monkeypatch.setattr("node.audit.replayed", None)
    words = ["audit", "report", str(audited.archive), "--genesis", audited.genesis_file]
    assert main([*words, "--output", str(tmp_path / "out"), *options]) == 1
    assert says in capsys.readouterr().err


# --- the manifest ---------------------------------------------------------------------------------


@pytest.fixture
def folder(audited: Audited, tmp_path: Path) -> Path:
    words = ["audit", "report", str(audited.archive), "--genesis", audited.genesis_file]
    words += ["--grant", "g2", "--question", "acts", "--output", str(tmp_path / "out")]
    assert main(words) == 0
    return tmp_path / "out"


def test_a_manifest_names_no_file_outside_its_folder(folder: Path) -> None:
    path = folder / MANIFEST_NAME
    shutil.copy(folder / "acts.csv", folder.parent / "acts.csv")
    path.write_text(path.read_text().replace('"acts.csv"', '"../acts.csv"'))
    with pytest.raises(ReportInvalid, match="is not there"):
        read_manifest(folder)


def test_a_missing_or_linked_file_is_refused(folder: Path) -> None:
    (folder / "acts.csv").rename(folder.parent / "acts.csv")
    with pytest.raises(ReportInvalid, match="is not there"):
        read_manifest(folder)
    (folder / "acts.csv").symlink_to(folder.parent / "acts.csv")
    with pytest.raises(ReportInvalid, match="is not there"):
        read_manifest(folder)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"answers":1}', b"[" * 100_000])
def test_what_is_no_manifest_is_refused(folder: Path, content: bytes) -> None:
    (folder / MANIFEST_NAME).write_bytes(content)
    with pytest.raises(ReportInvalid, match="does not tell of answers"):
        read_manifest(folder)


def test_a_folder_in_the_way_is_not_overwritten(
    folder: Path, audited: Audited, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["audit", "report", str(audited.archive), "--genesis", audited.genesis_file]
    assert main([*words, "--output", str(folder)]) == 1
    assert "not overwritten" in capsys.readouterr().err
