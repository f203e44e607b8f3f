"""What waits for a party: from the real contracts, step by step along the way of the data."""

from __future__ import annotations

import importlib
import json
import re
from dataclasses import dataclass, replace

import pytest

from cli.main import NOUNS, main
from cli.options import Invocation
from client.waiting import Reader, Waiting, reader_of
from client.work import waiting_for
from contracts.vm.testing import account
from ledger.values import Value, encode_value
from tests import platform
from tests.applications import LAB, applied
from tests.business import (
    DEMAND,
    HOUR_MS,
    STRANGER,
    SUPPLIERS,
    Business,
    acceptance,
    dataset_of,
    digest,
    result,
)
from tests.fake_session import opened
from tests.unit.test_cli_scan import Speaker


def work(business: Business, who: str) -> list[Waiting]:
    reader = reader_of(Speaker(business, who).view, account(who))
    assert reader is not None
    found = list(waiting_for(reader))
    for item in found:
        check_command(item.command)
    return found


def check_command(command: str) -> None:
    """Each alternative of a line is a noun and a verb of the command line."""
    assert command.startswith("shuxin ")
    for part in re.split(", (?:or|then): ", command.removeprefix("shuxin ")):
        noun, verb = part.split()[:2]
        app = importlib.import_module(f"cli.{noun}").app
        assert noun in NOUNS and verb in {known.name for known in app.registered_commands}, part


def told(business: Business, who: str) -> list[tuple[str, str]]:
    """The first words of what waits, and of what."""
    return [(item.what.split(" (")[0], item.subject) for item in work(business, who)]


def test_an_account_of_no_party_has_no_list() -> None:
    business = Business()

    def view(contract: str, method: str, *args: Value) -> Value:
        return business.ask(STRANGER, contract, method, *args)

    assert reader_of(view, account(STRANGER)) is None


def test_nothing_waits_for_anybody_in_the_beginning() -> None:
    business = Business()
    for who in ("bureau", "opco", "health", "insurer", "chipworks", "devhouse"):
        assert told(business, who) == []


def test_an_application_waits_for_managers_that_did_not_sponsor_it() -> None:
    business = Business()
    applied(business)
    applied(business, replace(LAB, id="a2", party="lab-2", keys=("k",), roles=("supplier",),
                              sponsor="bureau"))  # fmt: skip
    assert told(business, "board") == [
        ("application to decide on", "a1"),
        ("application to decide on", "a2"),
    ]
    assert told(business, "bureau") == [("application to decide on", "a1")]
    assert told(business, "opco") == told(business, "health") == []
    business.suspend("opco")
    item = next(item for item in work(business, "bureau") if item.subject == "a1")
    assert item.command == "shuxin party refuse a1 --reason …"
    business.suspend("board")  # then somebody has to
    assert ("application to decide on", "a2") in told(business, "bureau")


def test_what_a_revoked_party_left_open_waits_for_managers() -> None:
    business = Business(("board", "rival", "archive", "bank"))
    business.granted()
    business.preapproved()
    business.do("opco", "oversight", "select", "x1", "devhouse", "")
    business.do("bureau", "oversight", "review", "x1", True, "")
    before = told(business, "bureau")
    business.do("board", "parties", "revoke", "opco", "gave the data away")
    left = [item for item in told(business, "bureau") if item not in before]
    assert left == [
        ("grant of a revoked party", "g1"),
        ("channel of a revoked party", "c1"),
        ("engagement of a revoked party", "x1"),
    ]
    business.do("bureau", "grant", "revoke", "g1", "over")
    business.do("bureau", "preapproval", "close_channel", "c1", "over")
    business.do("bureau", "oversight", "end", "x1", "over")
    assert told(business, "bureau") == before


@pytest.mark.parametrize("party", ["opco", "devhouse"])
def test_work_of_or_for_a_revoked_party_waits_for_its_end(party: str) -> None:
    business = Business(("board", "rival", "archive", "bank"))
    platform.accepted(business)
    business.do("board", "parties", "revoke", party, "gave the data away")
    left = [
        ("engagement of a revoked party", "x-opco-devhouse"),
        ("commission of a revoked party", "k1"),
    ]
    assert told(business, "bureau") == left
    business.do("bureau", "oversight", "end", "x-opco-devhouse", "over")
    business.do("bureau", "commission", "end", "k1", "over")
    assert told(business, "bureau") == []


def test_an_agreement_with_a_revoked_party_waits_for_its_end() -> None:
    business = Business(("board", "rival", "archive", "bank"))
    business.agreed()
    business.do("board", "parties", "revoke", "insurer", "passed the data on")
    left = ("agreement of a revoked party", "a1")
    assert left in told(business, "bureau")
    business.do("bureau", "agreement", "terminate", "a1", "over")
    assert left not in told(business, "bureau")


def test_a_demand_waits_for_the_operator_then_for_the_manager_then_for_a_request() -> None:
    business = Business()
    business.catalogued()
    business.filed()
    assert told(business, "opco") == [("demand to prescreen", "d1")]
    assert told(business, "bureau") == told(business, "insurer") == []
    business.do("opco", "demand", "prescreen", "d1", True, "complete")
    assert told(business, "opco") == []
    assert told(business, "bureau") == [("demand to review", "d1")]
    datasets: list[Value] = [f"{supplier}-claims" for supplier in SUPPLIERS]
    business.do("bureau", "demand", "review", "d1", True, "lawful", datasets)
    assert told(business, "opco") == [("grant to request", "d1")]
    assert told(business, "bureau") == told(business, "rival") == []


def test_a_grant_waits_for_the_manager_then_for_the_operator_that_requested_it() -> None:
    business = Business()
    business.requested()
    assert told(business, "opco") == told(business, "rival") == []
    assert told(business, "board") == [("grant request to take up", "g1")]
    business.do("bureau", "grant", "review", "g1")
    assert told(business, "board") == [("grant request to decide on", "g1")]
    business.do("board", "grant", "decide", "g1", True, "", business.terms_digest("g1"))
    assert told(business, "board") == told(business, "rival") == []
    assert told(business, "opco") == [("grant to countersign", "g1")]
    business.do("opco", "grant", "accept", "g1", business.terms_digest("g1"))
    assert told(business, "opco") == []


def test_a_request_that_was_refused_or_taken_back_may_be_made_again() -> None:
    business = Business()
    business.in_review()
    business.do("bureau", "grant", "decide", "g1", False, "too wide", business.terms_digest("g1"))
    assert told(business, "opco") == [("grant to request", "d1")]
    business.do("opco", "grant", "request", "g2", *business.grant_terms())
    assert told(business, "opco") == []
    business.do("opco", "grant", "withdraw", "g2", "mistaken")
    assert told(business, "opco") == [("grant to request", "d1")]


def test_a_collection_waits_for_its_suppliers_then_for_the_manager() -> None:
    business = Business()
    business.collecting()
    for supplier in SUPPLIERS:
        assert told(business, supplier) == [("data to collect", "d1")]
    assert told(business, "archive") == told(business, "bureau") == []
    business.enter("health", "x", "d1")
    assert told(business, "health") == []
    (item,) = work(business, "bureau")
    assert (item.subject, item.command) == ("d1", "shuxin demand match d1 --dataset x")
    business.do("bureau", "demand", "match", "d1", "", ["x"])
    assert told(business, "social") == told(business, "bureau") == []
    assert told(business, "opco") == [("grant to request", "d1")]


def test_a_task_waits_for_each_supplier_until_it_did_its_part() -> None:
    business = Business()
    business.created()
    for supplier in SUPPLIERS:
        assert told(business, supplier) == [("task to accept", "t1")]
        business.do(supplier, "task", "accept", *acceptance(supplier))
    for supplier in SUPPLIERS:
        assert told(business, supplier) == [("result to report", "t1")]
        business.do(supplier, "task", "report", *result(supplier))
        assert told(business, supplier) == []


def test_a_result_goes_on_to_its_product_and_delivery() -> None:
    business = Business()
    business.finished()
    assert told(business, "opco") == [("result to register", "t1")]
    made: list[Value] = ["p1", "t1", "Table", "", digest("result"), "statistics"]
    business.do("opco", "product", "register", *made)
    assert told(business, "opco") == []
    assert told(business, "board") == [("product to assess", "p1")]
    business.do("health", "deidentification", "classify", dataset_of("health"), True, "")
    assert told(business, "opco") == [("result to measure", "p1")]
    found: list[Value] = [digest("result"), ["statistics"], 4, 30, 9, 50_000, digest("report"), ""]
    business.do("opco", "deidentification", "assess", "s1", "p1", *found)
    assert told(business, "opco") == []
    business.do("bureau", "product", "approve", "p1", True, "fit")
    assert told(business, "opco") == [("product to deliver", "p1")]
    offer: list[Value] = ["insurer", digest("agreement"), digest("payload")]
    business.do("opco", "delivery", "offer", "v1", "p1", *offer)
    assert told(business, "opco") == []
    assert told(business, "bank") == []
    assert told(business, "insurer") == [("delivery to accept", "v1")]
    business.do("opco", "delivery", "withdraw", "v1", "the wrong bytes")
    assert told(business, "insurer") == []
    assert told(business, "opco") == [("product to deliver", "p1")]


def priced() -> Business:
    """A product of a finished task, and a tariff in force."""
    business = Business()
    prices: list[Value] = [["task", 500], ["dataset", 300]]
    height = business.chain.height + 2
    business.do("bureau", "tariff", "enact", 1, digest("tariff"), "registry", prices, height)
    business.chain.advance(height=2)
    business.assessed()
    return business


def stated(statement: str) -> Business:
    business = priced()
    business.do("opco", "billing", "meter_task", "t1")
    business.pass_time(HOUR_MS)
    business.do("opco", "billing", "issue", statement, "insurer", business.now_ms)
    return business


def test_a_statement_that_nobody_answered_waits_for_the_payer_and_for_a_manager() -> None:
    business = stated("s1")
    business.pass_time(31 * 24 * HOUR_MS)
    assert ("statement to answer", "s1") in told(business, "insurer")
    assert ("statement to settle", "s1") in told(business, "bureau")


def test_a_statement_waits_for_the_payer_then_for_a_manager_then_for_the_payee() -> None:
    business = stated("s1")
    product = [("product to deliver", "p1")]
    assert told(business, "opco") == product
    assert told(business, "insurer") == [("statement to answer", "s1")]
    business.do("insurer", "billing", "contest", "s1", "too much")
    assert told(business, "insurer") == []
    assert told(business, "bureau") == [("statement to settle", "s1")]
    business.do("bureau", "billing", "settle", "s1", 1, "half")
    assert told(business, "bureau") == []
    assert told(business, "opco") == [*product, ("payment to confirm", "s1")]


def test_a_result_under_a_revoked_grant_waits_for_nobody() -> None:
    business = Business()
    business.finished()
    business.do("bureau", "grant", "revoke", "g1", "misuse")
    assert told(business, "opco") == []


def test_oversight_waits_for_who_supervises_and_for_who_is_asked() -> None:
    business = Business()
    business.do("opco", "oversight", "select", "x1", "chipworks", "")
    assert told(business, "bureau") == [("engagement to review", "x1")]
    business.do("bureau", "oversight", "review", "x1", True, "fit")
    said: list[Value] = ["late", "opco", "delivery", "notice", "nothing arrived", b""]
    business.do("bank", "alert", "report", *said)
    assert told(business, "bureau") == [("alert to acknowledge", "alert-1")]
    assert told(business, "bank") == told(business, "opco") == []
    business.do("bureau", "alert", "acknowledge", "alert-1", "seen")
    assert told(business, "bureau") == [("alert to close", "alert-1")]
    business.do("bureau", "alert", "close", "alert-1", "settled")
    later = business.now_ms + HOUR_MS
    business.do("bureau", "inquiry", "ask", "q1", "opco", "delivery", "logs", "which?", later)
    assert [item.due_ms for item in work(business, "opco")] == [later]
    business.do("opco", "inquiry", "answer", "q1", "these", digest("logs"))
    assert told(business, "opco") == []
    assert told(business, "bureau") == [("answer to judge", "q1")]


def test_an_operator_sees_the_alerts_of_whom_it_engaged() -> None:
    business = Business()
    business.do("opco", "oversight", "select", "x1", "chipworks", "")
    said: list[Value] = ["slow", "chipworks", "development", "warning", "nodes lag", b""]
    business.do("bank", "alert", "report", *said)
    assert told(business, "opco") == []
    business.do("bureau", "oversight", "review", "x1", True, "fit")
    assert told(business, "opco") == [("alert to acknowledge", "alert-1")]
    assert told(business, "rival") == []


def test_nobody_hides_what_waits_behind_the_longest_texts() -> None:
    business = Business()
    note = "汉" * 1024
    for reporter in ("bank", "insurer"):
        for number in range(60):
            said: list[Value] = [f"{reporter}-{number}", "opco", "delivery", "notice", note, b""]
            business.do(reporter, "alert", "report", *said)
    assert len(told(business, "bureau")) == 120


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 16, 17, 21, 40])
def test_of_a_long_list_the_newest_records_are_read(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("client.waiting.RECORDS_MAX", 8)

    def view(contract: str, method: str, *args: Value) -> Value:
        offset, limit = args
        assert (contract, method) == ("task", "list")
        assert isinstance(offset, int) and isinstance(limit, int)
        records: list[Value] = [{"number": number} for number in range(count)]
        return records[offset : offset + limit]

    reader = Reader(view, account("opco"), "opco", frozenset())
    numbers = [row["number"] for row in reader.rows("task", page=3)]
    assert numbers == list(range(count))[-8:]


def test_a_list_without_an_end_is_not_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client.waiting.RECORDS_MAX", 8)

    def view(contract: str, method: str, *args: Value) -> Value:
        _offset, limit = args
        assert isinstance(limit, int)
        return [{"id": "t"}] * limit

    reader = Reader(view, account("opco"), "opco", frozenset())
    assert len(list(reader.rows("task", page=3))) <= 8 + 2 * 3


def test_an_incident_waits_for_its_measures_and_then_for_its_end() -> None:
    business = Business()
    business.granted()
    business.do("bureau", "incident", "open", "i1", "Leak", "development", "critical", "opco", [])
    assert told(business, "bureau") == [("incident to close", "i1")]
    business.do("bureau", "incident", "suspend_grant", "i1", "g1", "leak")
    assert told(business, "bureau") == [("measures to lift or keep", "i1")]


def test_a_job_waits_for_who_has_to_do_its_next_step() -> None:
    business = Business()
    business.planned()
    assert told(business, "insurer") == [("job to confirm", "j1")]
    for party in (*SUPPLIERS, "insurer"):
        assert ("job to confirm", "j1") in told(business, party)
        business.do(party, "job", "confirm", "j1", business.job()["digest"])
        assert ("job to confirm", "j1") not in told(business, party)
    assert told(business, "opco") == [("job to dispatch", "j1")]
    business.do("opco", "job", "dispatch", "j1")
    assert told(business, "opco") == [("step to start", "j1")] * 2
    business.step_done("first", "t1")
    business.step_done("second", "t2")
    assert ("step to start", "j1") in told(business, "opco")
    business.step_done("third", "t3")
    assert ("result to name", "j1") in told(business, "opco")
    business.do("opco", "job", "finish", "j1", digest("result"))
    assert told(business, "insurer") == [("result to verify", "j1")]
    business.do("insurer", "job", "verify", "j1", digest("other"), False, "torn")
    assert ("dispute to decide", "j1") in told(business, "bureau")
    assert ("result to name anew", "j1") in told(business, "opco")
    business.do("opco", "job", "finish", "j1", digest("other"))
    business.do("insurer", "job", "verify", "j1", digest("other"), True, "")
    assert ("job to close", "j1") in told(business, "opco")


def test_an_image_waits_for_every_manager_until_one_vets_it() -> None:
    business = Business()
    business.vetting()
    assert told(business, "bureau") == told(business, "board") == [("image to vet", "scores/1")]
    assert told(business, "chipworks") == []
    business.do("bureau", "algorithm", "review", "scores/1", digest("image"), True, "")
    assert told(business, "board") == []
    business.do("chipworks", "algorithm", "rebuild", "scores/1", *business.image(text="two"))
    assert told(business, "board") == [("image to vet", "scores/1")]
    business.do("board", "algorithm", "disable", "scores/1", "unsafe")
    assert told(business, "bureau") == []


def test_rules_and_evaluations_wait_for_who_decides() -> None:
    business = Business()
    draft: list[Value] = ["r1", "rule", "delivery", "Rule", digest("rule"), "", []]
    business.do("bureau", "rules", "draft", *draft)
    assert told(business, "board") == [("rule or plan to enact", "r1")]
    later = business.now_ms + HOUR_MS
    judged: list[Value] = ["opco", 0, 1, [["quality", 70]], "passed", digest("r"), "fine", later]
    business.do("bureau", "evaluation", "publish", "e1", *judged)
    assert told(business, "opco") == [("evaluation to answer", "e1")]


def test_a_proposal_waits_for_every_voter_that_has_not_voted() -> None:
    business = Business()
    new_node: list[Value] = ["n", "bank", bytes(64), "peer", "", "grow"]
    business.do("opco", "proposal", "admit_observer", "c1", *new_node)
    for who in ("bureau", "board", "health", "insurer"):
        assert told(business, who) == [("proposal to vote on", "c1")]
    assert told(business, "opco") == told(business, "bank") == []


def test_a_joint_act_waits_for_the_members_that_have_not_said_anything() -> None:
    business = Business()
    members: list[Value] = [*sorted([account("bureau"), account("opco")])]
    receipt = business.act("bureau", "multisig", "open_account", 2, members, "both")
    joint = next(
        fields["account"]
        for name, fields in business.chain.events(receipt)
        if name == "JointAccountOpened"
    )
    args = encode_value(["g1", "misuse"])
    business.do("bureau", "multisig", "propose", "a1", joint, "grant", "revoke", args, "audit")
    assert told(business, "bureau") == told(business, "health") == []
    (item,) = work(business, "opco")
    shown = business.ask_record("opco", "multisig", "act", "a1")["digest"]
    assert isinstance(shown, bytes) and item.command.endswith(f"a1 --digest {shown.hex()}")


@pytest.mark.parametrize("words", [["work"], ["work", "list"]])
def test_people_see_what_waits_with_its_command(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    business = Business()
    business.filed()
    as_account(business, "opco", monkeypatch)
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {
            "what": "demand to prescreen (预审)",
            "id": "d1",
            "about": "Claims by plan",
            "due_ms": 0,
            "command": "shuxin demand prescreen d1 --pass|--refuse --note …",
        }
    ]
    assert main(words) == 0
    shown = capsys.readouterr()
    assert "预审" in shown.out and "waiting for opco (operator): 1" in shown.err


def test_an_account_of_no_party_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    as_account(Business(), STRANGER, monkeypatch)
    assert main(["work"]) == 1
    assert "work.party" in capsys.readouterr().err


def test_help_and_misuse_of_the_short_form_are_those_of_the_verb(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["work", "--help"]) == 0
    assert "--json" in capsys.readouterr().out
    assert main(["work", "nonsense"]) == 2


@dataclass(frozen=True)
class Signer:
    """An account, as far as the command asks it."""

    address: str


def as_account(business: Business, who: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands ask the business, as the account of `who`."""

    def view(contract: str, method: str, *args: Value) -> Value:
        return business.ask(who, contract, method, *args)

    monkeypatch.setattr(opened(monkeypatch), "view", view)
    monkeypatch.setattr(Invocation, "account", lambda _ask: Signer(account(who)))


def test_no_manager_is_told_to_decide_on_what_is_its_own() -> None:
    business = Business()
    business.catalogued()
    hub: list[Value] = ["hub", "Hub", ["manager", "consumer"], [account("hub")]]
    business.do("bureau", "parties", "register", *hub)
    business.do("hub", "demand", "file", "d1", *DEMAND)
    business.do("opco", "demand", "prescreen", "d1", True, "complete")
    assert told(business, "bureau") == [("demand to review", "d1")]
    assert told(business, "hub") == []
