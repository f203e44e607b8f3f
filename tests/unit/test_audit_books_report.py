"""The report of an auditor names where a chain's own contracts break what they promise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from cli.main import main
from ledger.archive import export
from ledger.genesis import Genesis
from ledger.values import Value
from tests.audit_world import Audited, AuditedChain
from tests.business import digest

HONEST = "total_fen += entry.units * entry.price_fen\n        if count"
DEARER = "total_fen += entry.units * entry.price_fen + 1\n        if count"


class DearChain(AuditedChain):
    """Whoever wrote its genesis has statements say a fen more for each entry."""

    def _genesis(self, vm_version: str) -> Genesis:
        made = super()._genesis(vm_version)
        contracts = tuple(
            replace(contract, source=contract.source.replace(HONEST, DEARER))
            for contract in made.contracts
        )
        assert contracts != made.contracts
        return replace(made, contracts=contracts)


def billed(chain: AuditedChain) -> None:
    """A task that is metered by the tariff, stated and accepted."""
    chain.catalogue("health", "social")
    chain.grant(1, ("health", "social"))
    prices: list[Value] = [["task", 21]]
    height = chain.store.height + 2
    chain.do("bureau", "tariff.enact", 1, digest("tariff"), "", prices, height)
    chain.compute("t1", "g1", ("health", "social"))
    chain.do("opco", "billing.meter_task", "t1")
    chain.do("opco", "billing.issue", "s1", "insurer", chain.now_ms + 1)
    chain.do("insurer", "billing.accept", "s1", 22)


def test_a_statement_that_its_own_contract_falsifies_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "chain").mkdir()
    chain = DearChain(tmp_path / "chain")
    billed(chain)
    export(chain.store, tmp_path / "archive", lambda done, total: None)
    chain.store.close()
    where = ["--genesis", str(chain.root / "genesis.json"), "--json"]
    assert main(["audit", "replay", str(tmp_path / "archive"), *where]) == 0, "it follows"
    capsys.readouterr()
    words = ["--question", "books", "--output", str(tmp_path / "out")]
    assert main(["audit", "report", str(tmp_path / "archive"), *where, *words]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["contradictions"] == [
        "it says 22 fen, and what was metered comes to 21",
        "22 fen were accepted, and what was metered comes to 21",
    ]
    listed = json.loads((tmp_path / "out" / "contradictions.json").read_text("utf-8"))
    assert [(row["subject"], row["check"]) for row in listed] == [
        ("statement:s1", "sum"),
        ("statement:s1", "accepted sum"),
    ]
    (statement,) = json.loads((tmp_path / "out" / "statements.json").read_text("utf-8"))
    assert (statement["total_fen"], statement["metered_fen"]) == (22, 21)
    page = (tmp_path / "out" / "answers.html").read_text("utf-8")
    assert "Contradictions 矛盾: 2" in page
    assert "✗ statement:s1</span> it says 22 fen, and what was metered comes to 21" in page
    assert main(["audit", "verify", str(tmp_path / "out")]) == 0


def test_an_honest_chain_is_said_to_agree_and_filters_hold(
    audited: Audited, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["audit", "report", str(audited.archive), "--genesis", audited.genesis_file, "--json"]
    words += ["--question", "books", "--grant", "g1", "--output", str(tmp_path / "out")]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["contradictions"] == []
    page = (tmp_path / "out" / "answers.html").read_text("utf-8")
    assert "Every job, agreement and bill agrees" in page and "Jobs 作业: 0" in page
