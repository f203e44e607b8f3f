"""`shuxin grant history`: what people and programs see of the story of a grant."""

from __future__ import annotations

import json

import pytest

from cli.main import main
from contracts.vm.testing import account
from ledger.values import Value
from tests.business import Business, result
from tests.fake_session import opened
from tests.unit.test_client_grant_story import Recorded


class Asked:
    """A session of the bureau at a node that recorded a business."""

    def __init__(self, business: Recorded) -> None:
        self.node = business

    def view(self, contract: str, method: str, *args: Value) -> Value:
        return self.node.ask("bureau", contract, method, *args)


@pytest.fixture
def business(monkeypatch: pytest.MonkeyPatch) -> Business:
    recorded = Recorded()
    fake = opened(monkeypatch)
    asked = Asked(recorded)
    monkeypatch.setattr(fake, "node", asked.node)
    monkeypatch.setattr(fake, "view", asked.view)
    recorded.running()
    recorded.do("bureau", "grant", "revoke", "g1", "misuse of rows")
    recorded.refused("health", "task", "report", *result("health"))
    return recorded


def test_people_read_the_story_in_words(
    business: Business, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["grant", "history", "g1"]) == 0
    told = capsys.readouterr()
    for words in ("授权", "派发", "撤销", "取消", "refused", "misuse of rows", "health"):
        assert words in told.out, words
    assert "begins with block 0" in told.err


def test_programs_read_every_step_with_its_transaction(
    business: Business, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["grant", "history", "g1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    last = answer["steps"][-1]
    assert (last["act"], last["id"], last["fields"]) == (
        "task.report",
        "t1",
        {"party_id": "health"},
    )
    assert last["refusal"].startswith("task.status: ")
    assert all(len(step["transaction"]) == 64 for step in answer["steps"])
    assert answer["tasks_left_out"] == 0


def test_former_accounts_of_a_party_are_looked_at_too(
    business: Business, capsys: pytest.CaptureFixture[str]
) -> None:
    business.do("bureau", "parties", "add_account", "health", account("health-2"))
    business.do("bureau", "parties", "remove_account", "health", account("health"))
    assert main(["grant", "history", "g1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"][-1]["refusal"] != ""


def test_a_grant_without_a_story_is_refused_with_advice(
    business: Business, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["grant", "history", "g9"]) == 1
    assert "grant.unknown" in capsys.readouterr().err
