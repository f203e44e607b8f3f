"""An agreement and its bill on a running network, by commands alone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.e2e.desk import DIGEST, Desk, catalogued, granted
from tests.e2e.harness import LocalNetwork

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

OTHER = "cd" * 32


@pytest.fixture
def desk(network: LocalNetwork, tmp_path: Path) -> Desk:
    return Desk(network, tmp_path)


def agreed(desk: Desk) -> str:
    """In force over a grant, at 7 fen for a unit of use."""
    grant, agreement = granted(desk, catalogued(desk)), desk.name("a")
    terms = "--grant", grant, "--title", "Queries", "--digest", DIGEST, "--until", "+30d"
    desk.ask("operator", "agreement", "offer", agreement, *terms, "--price", "7", "--per", "use")
    wrong = "--digest", OTHER
    assert desk.refused("consumer", "agreement", "sign", agreement, *wrong) == "agreement.digest"
    for side in ("operator", "consumer"):
        desk.ask(side, "agreement", "sign", agreement, "--digest", DIGEST)
    assert desk.ask("consumer", "agreement", "show", agreement)["status"] == "in_force"
    return agreement


def test_use_under_an_agreement_is_billed_recomputed_contested_and_settled(desk: Desk) -> None:
    agreement, statement = agreed(desk), desk.name("s")
    for units, log in (("40", DIGEST), ("2", OTHER)):
        use = "--units", units, "--digest", log
        assert desk.refused("consumer", "billing", "report-use", agreement, *use) == "billing.payee"
        desk.ask("operator", "billing", "report-use", agreement, *use)
        again = desk.refused("operator", "billing", "report-use", agreement, *use)
        assert again == "billing.metered"
    until = datetime.now(UTC).isoformat()
    desk.ask("operator", "billing", "issue", statement, "--payer", "consumer", "--until", until)
    told = desk.ask("consumer", "billing", "recompute", statement)
    assert (told["total_fen"], told["stated_fen"], told["is_equal"]) == (294, 294, True)
    rows = desk.ask_list("consumer", "billing", "entries", "--statement", statement)
    assert [row["units"] for row in rows] == [40, 2]
    desk.ask("consumer", "billing", "contest", statement, "--reason", "two of them failed")
    settled = "--due", "280", "--reason", "the log shows it"
    assert desk.refused("operator", "billing", "settle", statement, *settled) == "billing.role"
    desk.ask("manager", "billing", "settle", statement, *settled)
    early = "--unpaid", "--reason", "nothing was remitted"
    assert desk.refused("manager", "billing", "conclude", statement, *early) == "payment.status"
    desk.ask("consumer", "billing", "remit", statement, "--digest", DIGEST)
    desk.ask("operator", "billing", "deny", statement, "--reason", "another account was paid")
    desk.ask("manager", "billing", "conclude", statement, *early[:1], "--reason", "so it was")
    desk.ask("consumer", "billing", "remit", statement, "--digest", OTHER)
    said = desk.ask("operator", "billing", "payment", statement)
    assert (said["receipt_digest"], said["before"]) == ("0x" + OTHER, "settled")
    desk.ask("operator", "billing", "confirm", statement, "--digest", OTHER)
    shown = desk.ask("consumer", "billing", "show", statement)
    assert (shown["status"], shown["due_fen"]) == ("paid", 280)
    desk.ask("consumer", "agreement", "terminate", agreement, "--reason", "no longer needed")
    late = "--units", "1", "--digest", "ef" * 32
    desk.ask("operator", "billing", "report-use", agreement, *late)  # within 30 days of its end
    rows = desk.ask_list("consumer", "billing", "entries")
    assert rows[-1]["units"] == 1


def test_a_tariff_holds_from_its_height_on(desk: Desk) -> None:
    number = str(len(desk.ask_list("manager", "tariff", "list")) + 1)
    height = desk.ask("operator", "evidence", "record", desk.name("tick"), "--kind",
                      "authorization.decision", "--subject", "tariff", "--digest", DIGEST
                      )["height"]  # fmt: skip
    assert isinstance(height, int)
    words = number, "--digest", DIGEST, "--from-height", str(height + 9), "--price", "task=500"
    assert desk.refused("operator", "tariff", "enact", *words) == "tariff.role"
    desk.ask("manager", "tariff", "enact", *words)
    assert desk.ask("consumer", "tariff", "show", number)["status"] == "announced"
