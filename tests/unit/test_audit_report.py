"""Reports say what was found, and neither their data nor their page can be altered unnoticed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cli.main import main
from client.account import Account
from crypto import sm2
from crypto.keys import save_key
from crypto.providers.software import SoftwareProvider
from ledger.archive import export
from node.audit import Divergence, Kind, Verdict
from node.audit.parts import ReportInvalid, SignaturePart
from node.audit.report import (
    JSON_NAME,
    PAGE_NAME,
    Document,
    document_of,
    encoded,
    page_of,
    read_report,
    report_of,
    write_report,
)
from node.audit.verdict import Anomaly, ContractCode
from node.keys import write_private
from tests.moving_chain import Moving

NAUGHTY = "<script>alert('&\"')</script>"
DIVERGENCE = Divergence(7, Kind.RECEIPT, "receipt, gas_used", "ab" * 32, NAUGHTY, "777", "776")
SIGNER = Account(SoftwareProvider(sm2.generate()))


def verdict_of(divergence: Divergence | None = DIVERGENCE) -> Verdict:
    return Verdict(
        chain_id="cd" * 32,
        height=6,
        certified_height=6,
        transactions=20,
        signatures=50,
        state_root="ef" * 32,
        seconds=2.0,
        divergence=divergence,
        threads=2,
        bound=100.0,
        anomalies={"failed_transactions": Anomaly(3, [4, 5]), NAUGHTY: Anomaly(1, [1])},
        contracts=(ContractCode(NAUGHTY, "active", 1, "11" * 32),),
    )


@pytest.fixture(scope="module")
def document(moving: Moving) -> Document:
    report = report_of(verdict_of(), moving.chain.genesis, NAUGHTY, 1_700_000_000_000)
    return document_of(report, SIGNER)


@pytest.fixture
def folder(document: Document, tmp_path: Path) -> Path:
    write_report(tmp_path / "report", document)
    return tmp_path / "report"


def test_both_forms_are_read_back_as_what_was_written(document: Document, folder: Path) -> None:
    assert read_report(folder / JSON_NAME) == document
    assert read_report(folder / PAGE_NAME) == document
    report = document.report
    assert (report.verdict, report.figures.share) == ("diverges", 250)
    assert report.divergence is not None
    assert (report.divergence.kind, report.divergence.height) == ("receipt", 7)


def test_the_page_shows_everything_and_runs_nothing(document: Document) -> None:
    page = page_of(document).decode()
    for shown in ("Diverges.", "receipt, gas_used", "ab" * 32, "25.0 % of 100", SIGNER.address):
        assert shown in page
    assert page.count("<script") == 1, "the data, which is no script"
    assert "alert(&#x27;" in page
    assert not re.search(r"(src|href)\s*=", page), "nothing comes from elsewhere"


def test_a_report_is_not_overwritten(document: Document, folder: Path) -> None:
    with pytest.raises(ReportInvalid, match="not overwritten"):
        write_report(folder, document)


@pytest.mark.parametrize("name", [JSON_NAME, PAGE_NAME])
def test_what_was_altered_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    good = (folder / name).read_bytes()
    for old, new in ((b"777", b"778"), (b"diverges", b"intact"), (b"cd" * 32, b"ce" * 32)):
        assert old in good
        (tmp_path / name).write_bytes(good.replace(old, new))
        with pytest.raises(ReportInvalid, match="did not sign|something else"):
            read_report(tmp_path / name)


def test_a_page_that_says_something_else_than_its_data_is_refused(
    folder: Path, tmp_path: Path
) -> None:
    good = (folder / PAGE_NAME).read_text()
    (tmp_path / "page").write_text(good.replace("<strong>Diverges", "<strong>Intact"))
    with pytest.raises(ReportInvalid, match="something else"):
        read_report(tmp_path / "page")


def test_a_signature_of_somebody_else_is_refused(document: Document, tmp_path: Path) -> None:
    other = Account(SoftwareProvider(sm2.generate()))
    assert document.signature is not None
    stolen = SignaturePart(other.public_key.hex(), other.address, document.signature.signature)
    (tmp_path / "a").write_bytes(encoded(replace(document, signature=stolen)))
    with pytest.raises(ReportInvalid, match="did not sign"):
        read_report(tmp_path / "a")
    named = replace(document.signature, address=other.address)
    (tmp_path / "b").write_bytes(encoded(replace(document, signature=named)))
    with pytest.raises(ReportInvalid, match="not one of the address"):
        read_report(tmp_path / "b")


@given(st.binary(max_size=300))
def test_no_bytes_do_anything_else_than_be_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "noise"
    for begin in (b"", b"<!doctype html>", b'<!doctype html><script type="application/json">'):
        path.write_bytes(begin + data)
        with pytest.raises(ReportInvalid):
            read_report(path)


@pytest.mark.parametrize("figure", ["share", "milliseconds", "height", "transactions"])
@pytest.mark.parametrize("number", ["1" + "0" * 400, "9223372036854775808", "-2"])
def test_a_figure_that_no_ledger_has_is_refused(
    document: Document, tmp_path: Path, figure: str, number: str
) -> None:
    """JSON knows ints that no float and no page can take."""
    place = f'"{figure}": {getattr(document.report.figures, figure)}'.encode()
    page = page_of(document)
    assert place in page
    path = tmp_path / "report.html"
    path.write_bytes(page.replace(place, f'"{figure}": {number}'.encode()))
    with pytest.raises(ReportInvalid, match="is no audit report"):
        read_report(path)


@pytest.mark.parametrize("made_ms", [-1, 1 << 62])
def test_a_time_that_no_page_can_show_is_refused(
    document: Document, tmp_path: Path, made_ms: int
) -> None:
    wrong = replace(document, report=replace(document.report, made_ms=made_ms), signature=None)
    (tmp_path / "time").write_bytes(encoded(wrong))
    with pytest.raises(ReportInvalid, match="no audit report"):
        read_report(tmp_path / "time")


# --- the commands -----------------------------------------------------------------------------


def test_export_replay_and_report_from_the_command_line(
    moving: Moving, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, genesis = tmp_path / "archive", str(moving.chain.root / "genesis.json")
    data = tmp_path / "data"
    moving.chain.forked(data).store.close()
    assert main(["audit", "export", str(data), "--output", str(archive), "--json"]) == 0
    exported = json.loads(capsys.readouterr().out)
    assert exported["height"] == moving.head

    private = sm2.generate()
    save_key(tmp_path / "auditor.pem", private, b"secret")
    write_private(tmp_path / "passphrase", b"secret\n")
    words = ["audit", "replay", str(archive), "--genesis", genesis, "--json"]
    words += ["--report", str(tmp_path / "report"), "--work", str(tmp_path / "work")]
    words += ["--sign-key", str(tmp_path / "auditor.pem")]
    words += ["--passphrase-file", str(tmp_path / "passphrase")]
    assert main(words) == 0
    replayed = json.loads(capsys.readouterr().out)
    assert replayed["archive"] == exported["digest"]
    assert "of the" in replayed["rate"], "beside what the machine can do"

    for name in (JSON_NAME, PAGE_NAME):
        assert main(["audit", "verify", str(tmp_path / "report" / name), "--json"]) == 0
        shown = json.loads(capsys.readouterr().out)
        signer = Account(SoftwareProvider(private)).address
        assert (shown["signed_by"], shown["height"]) == (signer, moving.head)
        assert "intact" in shown["verdict"]


def test_a_divergence_exits_1_and_its_report_is_written(
    moving: Moving, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "archive"
    export(moving.chain.store, archive, lambda done, total: None)
    archive.write_bytes(archive.read_bytes()[:-1])
    genesis = str(moving.chain.root / "genesis.json")
    words = ["audit", "replay", str(archive), "--genesis", genesis, "--json"]
    assert main([*words, "--report", str(tmp_path / "report")]) == 1
    assert json.loads(capsys.readouterr().out)["divergence"]["kind"] == "truncated"
    report = read_report(tmp_path / "report" / JSON_NAME).report
    assert (report.verdict, report.source.kind) == ("diverges", "archive")
    assert report.sentence.startswith(f"block {moving.head + 1}: the archive does not end")


def test_a_report_in_the_way_is_told_before_the_work(
    folder: Path,
    moving: Moving,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("node.audit.replay", None)
    genesis = str(moving.chain.root / "genesis.json")
    words = ["audit", "replay", str(folder), "--genesis", genesis, "--report", str(folder)]
    assert main(words) == 1
    assert "not overwritten" in capsys.readouterr().err


def test_a_key_without_a_report_to_sign_is_refused(
    moving: Moving, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    genesis = str(moving.chain.root / "genesis.json")
    words = ["audit", "replay", str(tmp_path), "--genesis", genesis, "--sign-key", "nobody"]
    assert main(words) == 1
    assert "--report" in capsys.readouterr().err
