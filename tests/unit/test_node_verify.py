"""What the check of a node's data says of its access log."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.findings import ACCESS, Finding, Findings
from node.accesslog.folder import ACCESS_LOG, files
from node.verify import examine_access_log
from tests.log_world import flip, three_hours_in


def test_the_check_of_a_node_finds_what_was_altered_in_its_log(tmp_path: Path) -> None:
    log = three_hours_in(tmp_path / ACCESS_LOG)
    log.log.close()
    assert found_in(tmp_path) == []
    for path in files(log.folder):
        whole = path.read_bytes()
        for place in range(0, len(whole), 97):
            flip(path, place)
            (finding,) = found_in(tmp_path)
            assert (finding.area, finding.file) == (ACCESS, str(log.folder)), place
            path.write_bytes(whole)


def test_the_check_of_a_node_takes_no_file_that_left_meanwhile_for_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = three_hours_in(tmp_path / ACCESS_LOG)
    log.log.close()
    gone = [log.folder / "0000000000.log"]
    monkeypatch.setattr(
        "node.accesslog.verify.files",
        lambda folder: [*([gone.pop()] if gone else []), *files(folder)],
    )
    assert found_in(tmp_path) == []
    monkeypatch.setattr("node.accesslog.verify.files", lambda folder: [folder / "0000000009.log"])
    (finding,) = found_in(tmp_path)
    assert "0000000009.log" in finding.text


def found_in(data: Path) -> list[Finding]:
    findings = Findings()
    examine_access_log(data, findings)
    return findings.all
