"""Every verb of a business noun calls its system contract with the arguments that it declares."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from cli.language import heading
from cli.main import main
from ledger.values import Key, Value
from tests.fake_session import FakeSession, contract_module, opened

DIGEST = "ab" * 32
ADDRESS = "0" * 40
CATALOG = ["--title", "t", "--column", "plan:text:what", "--column", "claims:integer"]
CATALOG += ["--category", "health", "--grade", "3", "--update-days", "90", "--tag", "health"]
ROWS = ["--row-count", "3", "--commitment", DIGEST, "--quality", "completeness=99.5"]
DEMAND = ["--title", "t", "--kind", "k", "--format", "f", "--quality", "q", "--delivery", "d"]
DEMAND += ["--purpose", "p", "--scenario", "s", "--need", "claims"]
SCOPE = ["--scenario", "s", "--dataset", "a", "--dataset", "b", "--algorithm", "statistics/1"]
SCOPE += ["--output-kind", "statistics", "--uses", "2", "--prohibit", "distribute"]
REQUEST = ["--demand", "d", *SCOPE, "--expires", "+30d", "--duty", "delete", "--from", "+1d"]
CHANNEL = ["--operator", "o", *SCOPE, "--until", "+365d", "--term", "30"]
PROGRAM = """
algorithm = "statistics/1"
rows = [10, 10, 10]
[[measures]]
column = "claims"
statistics = ["sum"]
"""
TASK = ["--grant", "g", "--program", "PROGRAM", "--deadline", "+1h", "--receiver", "01" * 64]
TASK += ["--participant", "pa=da", "--participant", "pb=db", "--participant", "pc=dc"]
OBSERVER = ["--name", "n", "--party", "p", "--public-key", "01" * 64, "--peer-id", "12D3"]
OBSERVER += ["--reason", "r", "--address", "/ip4/10.0.0.1/tcp/1"]

PLAN = ["--kind", "monitoring", "--stage", "delivery", "--title", "t", "--digest", DIGEST]
PLAN += ["--limit", "delivery_unanswered=48:warning"]
INQUIRY = ["--party", "p", "--stage", "delivery", "--scope", "logs", "--question", "q"]
INQUIRY += ["--due", "+30d"]
ASSET = ["--title", "t", "--digest", DIGEST, "--certificate", "GM-1", "--level", "2"]
ASSET += ["--certificate-until", "2027-01-01"]
EVALUATION = [
    "--party",
    "p",
    "--begin",
    "2025-01-01",
    "--end",
    "2026-01-01",
    "--score",
    "quality=70",
]
EVALUATION += ["--outcome", "passed", "--digest", DIGEST, "--note", "n", "--next-due", "+365d"]

ASSESSED = ["--product", "p", "--digest", DIGEST, "--method", "statistics", "--level", "4"]
ASSESSED += ["--k", "30", "--mean-ppm", "9", "--threshold-ppm", "50000", "--report", DIGEST]

CALLS: dict[str, tuple[list[str], str]] = {
    "parties.register": (["--name", "n", "--role", "supplier", "--account", ADDRESS], "party"),
    "parties.add_account": ([ADDRESS], "party"),
    "parties.remove_account": ([ADDRESS], "party"),
    "parties.suspend": (["--reason", "r"], "party"),
    "parties.revoke": (["--reason", "r"], "party"),
    "admission.refuse": (["--reason", "r"], "party"),
    "admission.withdraw": (["--reason", "r"], "party"),
    "parties.readmit": (["--reason", "r"], "party"),
    "catalog.draft": ([*CATALOG, "--demand", "d"], "catalog"),
    "catalog.describe": (CATALOG, "catalog"),
    "catalog.collect": (ROWS, "catalog"),
    "catalog.register": ([], "catalog"),
    "catalog.update": (ROWS, "catalog"),
    "catalog.retire": (["--reason", "r"], "catalog"),
    "quality.measure": (["--quality", "accuracy=97", "--digest", DIGEST], "quality"),
    "demand.file": (DEMAND, "demand"),
    "demand.prescreen": (["--pass", "--note", "n"], "demand"),
    "demand.review": (["--pass", "--dataset", "a"], "demand"),
    "demand.collect": (["--supplier", "s", "--order", "o", "--due", "+30d"], "demand"),
    "demand.match": (["--dataset", "a"], "demand"),
    "demand.abandon": (["--note", "n"], "demand"),
    "grant.request": (REQUEST, "grant"),
    "grant.review": ([], "grant"),
    "grant.withdraw": (["--reason", "r"], "grant"),
    "preapproval.preapprove": (CHANNEL, "grant"),
    "preapproval.close_channel": (["--reason", "r"], "grant"),
    "grant.revoke": (["--reason", "r"], "grant"),
    "task.create": (TASK, "task"),
    "task.fail": (["--reason", "r"], "task"),
    "task.cancel": ([], "task"),
    "task.expire": ([], "task"),
    "product.register": (["--task", "t", "--title", "t", "--digest", DIGEST], "product"),
    "product.approve": (["--refuse", "--note", "n"], "product"),
    "deidentification.ask": ([], "deidentify"),
    "deidentification.classify": (["--not-personal", "--note", "n"], "deidentify"),
    "deidentification.assess": (ASSESSED, "deidentify"),
    "deidentification.dismiss": (["--reason", "r"], "deidentify"),
    "delivery.offer": (
        ["--product", "p", "--consumer", "c", "--agreement", DIGEST, "--payload", DIGEST],
        "delivery",
    ),
    "delivery.accept": (["--digest", DIGEST], "delivery"),
    "parties.replace_account": ([ADDRESS, "--with", ADDRESS, "--reason", "r"], "party"),
    "parties.name_keeper": ([ADDRESS, "--reason", "r"], "party"),
    "multisig.propose": (
        ["evidence", "record", "e", "--account", ADDRESS, "--reason", "r"],
        "multisig",
    ),
    "multisig.approve": (["--digest", DIGEST], "multisig"),
    "multisig.reject": (["--reason", "r"], "multisig"),
    "multisig.withdraw": ([], "multisig"),
    "proposal.admit_observer": (OBSERVER, "proposal"),
    "proposal.change_parameters": (["--set", "heartbeat_ms=30000", "--reason", "r"], "proposal"),
    "proposal.cancel_parameters": (["--from-height", "9", "--reason", "r"], "proposal"),
    "proposal.switch_feature": (["sealed_evidence", "--off", "--reason", "r"], "proposal"),
    "proposal.cancel_feature": (["sealed_evidence", "--reason", "r"], "proposal"),
    "proposal.approve": ([], "proposal"),
    "proposal.reject": (["--reason", "r"], "proposal"),
    "proposal.withdraw": ([], "proposal"),
    "governance.set_address": (["/ip4/10.0.0.1/tcp/1"], "validator"),
    "governance.confirm": ([], "validator"),
    "rules.draft": (PLAN, "rule"),
    "agreement.offer": (
        ["--product", "p", "--title", "t", "--digest", DIGEST, "--until", "+30d", "--price", "9"],
        "agreement",
    ),
    "agreement.sign": (["--digest", DIGEST], "agreement"),
    "agreement.decline": (["--reason", "r"], "agreement"),
    "agreement.terminate": (["--reason", "r"], "agreement"),
    "billing.meter_task": ([], "billing"),
    "billing.meter_delivery": ([], "billing"),
    "billing.report_use": (["--units", "9", "--digest", DIGEST], "billing"),
    "billing.issue": (["--payer", "p", "--until", "2026-01-01T00:00:00Z"], "billing"),
    "billing.accept": (["--total", "9"], "billing"),
    "billing.contest": (["--reason", "r"], "billing"),
    "billing.settle": (["--due", "9", "--reason", "r"], "billing"),
    "payment.remit": (["--digest", DIGEST], "billing"),
    "payment.confirm": (["--digest", DIGEST], "billing"),
    "payment.deny": (["--reason", "r"], "billing"),
    "payment.conclude": (["--paid", "--reason", "r"], "billing"),
    "rules.withdraw": ([], "rule"),
    "rules.enact": (["--number", "1", "--digest", DIGEST, "--from-height", "9"], "rule"),
    "rules.revoke": (["--reason", "r"], "rule"),
    "oversight.select": (["--party", "p", "--note", "n"], "oversight"),
    "oversight.review": (["--pass"], "oversight"),
    "oversight.end": (["--reason", "r"], "oversight"),
    "alert.report": (
        ["--party", "p", "--stage", "delivery", "--note", "n", "--digest", DIGEST],
        "alert",
    ),
    "alert.acknowledge": (["--note", "n"], "alert"),
    "alert.close": (["--note", "n"], "alert"),
    "incident.open": (
        ["--title", "t", "--stage", "delivery", "--party", "p", "--alert", "alert-1"],
        "incident",
    ),
    "incident.suspend_grant": (["--grant", "g", "--reason", "r"], "incident"),
    "incident.suspend_algorithm": (["--algorithm", "a/1", "--reason", "r"], "incident"),
    "incident.cut_party": (["--reason", "r"], "incident"),
    "incident.note_freeze": (
        ["--contract", "c", "--transaction", DIGEST, "--reason", "r"],
        "incident",
    ),
    "incident.lift": (["--number", "1", "--reason", "r"], "incident"),
    "incident.keep": (["--number", "1", "--reason", "r"], "incident"),
    "incident.close": (["--outcome", "o", "--digest", DIGEST], "incident"),
    "commission.offer": (
        [
            "--party",
            "p",
            "--kind",
            "operate",
            "--title",
            "t",
            "--digest",
            DIGEST,
            "--due",
            "+30d",
            "--report-days",
            "1",
            "--about",
            "asset",
            "--subject",
            "a",
        ],
        "commission",
    ),
    "commission.accept": (["--digest", DIGEST], "commission"),
    "commission.decline": (["--reason", "r"], "commission"),
    "commission.prolong": (["--due", "+60d", "--reason", "r"], "commission"),
    "commission.report": (
        ["--until", "2026-01-01T00:00:00Z", "--digest", DIGEST, "--anomalies", "2"],
        "commission",
    ),
    "commission.hand_in": (
        ["--digest", DIGEST, "--made", "evidence=e", "--made", "algorithm=a/1"],
        "commission",
    ),
    "commission.judge": (["--number", "1", "--refuse", "--note", "n"], "commission"),
    "commission.close": ([], "commission"),
    "commission.end": (["--reason", "r"], "commission"),
    "asset.register": (
        [*ASSET, "--kind", "tee", "--maker", "m", "--model", "m", "--provider", "p"],
        "asset",
    ),
    "asset.put_in_service": (["--reason", "r"], "asset"),
    "asset.maintain": (["--reason", "r"], "asset"),
    "asset.retire": (["--reason", "r"], "asset"),
    "inquiry.ask": (INQUIRY, "inquiry"),
    "inquiry.answer": (["--text", "t", "--digest", DIGEST], "inquiry"),
    "inquiry.send_back": (["--finding", "f", "--due", "+1d"], "inquiry"),
    "inquiry.conclude": (["--refuse", "--finding", "f"], "inquiry"),
    "inquiry.withdraw": (["--finding", "f"], "inquiry"),
    "evaluation.publish": (EVALUATION, "evaluation"),
    "evaluation.settle": (["--outcome", "passed", "--text", "t"], "evaluation"),
    "evidence.record": (
        ["--kind", "delivery", "--subject", "s", "--digest", DIGEST],
        "evidence",
    ),
}


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> FakeSession:
    return opened(monkeypatch)


@pytest.mark.parametrize("name", CALLS)
def test_a_verb_fits_the_method_it_calls(
    name: str, session: FakeSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "program.toml"
    program.write_text(PROGRAM)
    options, noun = CALLS[name]
    contract, _, method = name.partition(".")
    words = [str(program) if word == "PROGRAM" else word for word in options]
    assert main([noun, method.replace("_", "-"), "some-id", *words, "--json"]) == 0
    assert [(c, m) for c, m, _ in session.calls] == [(contract, method)]
    answer = json.loads(capsys.readouterr().out)
    assert (answer["height"], answer["status"], answer["gas_used"]) == (5, "ok", 7)
    assert answer["events"][0]["fields"] == {"note": "fine"}


def test_a_rejection_is_an_answer_that_does_not_accept(session: FakeSession) -> None:
    assert main(["delivery", "reject", "d", "--digest", DIGEST, "--note", "torn"]) == 0
    assert session.calls == [("delivery", "accept", ("d", bytes.fromhex(DIGEST), False, "torn"))]


def test_a_delivery_under_an_agreement_names_it_and_its_text(session: FakeSession) -> None:
    words = ["--product", "p", "--consumer", "c", "--agreement", DIGEST, "--payload", DIGEST]
    assert main(["delivery", "offer", "d", *words, "--under", "a"]) == 0
    digest = bytes.fromhex(DIGEST)
    assert session.calls == [("delivery", "offer_under", ("d", "p", "c", digest, digest, "a"))]


@pytest.mark.parametrize("about", [[], ["--product", "p", "--grant", "g"]])
def test_an_agreement_is_over_one_product_or_one_grant(
    about: list[str], session: FakeSession
) -> None:
    words = ["--title", "t", "--digest", DIGEST, "--until", "+30d"]
    assert main(["agreement", "offer", "a", *words, *about]) != 0
    assert session.calls == []


def test_a_tariff_names_its_version_and_prices_in_whole_fen(session: FakeSession) -> None:
    words = ["tariff", "enact", "1", "--digest", DIGEST, "--from-height", "9", "--price", "task=50"]
    assert main(words) == 0
    enacted = (1, bytes.fromhex(DIGEST), "", [["task", 50]], 9)
    assert session.calls == [("tariff", "enact", enacted)]
    assert main([*words, "--price", "query=0.5"]) == 2
    assert main(["tariff", "withdraw", "1"]) == 0
    assert session.calls[1:] == [("tariff", "withdraw", (1,))]
    assert main(["tariff", "price", "task"]) == 0
    assert main(["tariff", "show", "1"]) == 0


@pytest.mark.parametrize(("stated_fen", "code"), [(22, 0), (23, 1)])
def test_a_statement_is_added_up_again_where_it_is_read(
    stated_fen: int, code: int, session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    entries: list[Value] = [{"units": 2, "price_fen": 10}, {"units": 1, "price_fen": 2}]
    statement: dict[Key, Value] = {"id": "s", "count": 2, "total_fen": stated_fen}
    session.answers = {"billing.show": statement, "billing.entries_of": entries}
    assert main(["billing", "recompute", "s", "--json"]) == code
    told = json.loads(capsys.readouterr().out)
    assert (told["total_fen"], told["entries"], told["is_equal"]) == (22, 2, code == 0)


def test_what_is_not_told_anew_of_an_asset_stays(session: FakeSession) -> None:
    words = ("describe", "a", "--reason", "r")
    assert main(["asset", *words]) == 1, "the node told no asset"
    asset: dict[Key, Value] = {"title": "t", "release": "1", "digest": bytes(32), "level": 2}
    asset |= {"certificate": "GM-1", "certificate_until_ms": 5, "place": "", "purpose": "p"}
    session.answers = {"asset.show": asset}
    assert main(["asset", *words, "--release", "2", "--level", "0"]) == 0
    anew = ("a", "t", "2", bytes(32), 0, "GM-1", 5, "", "p", "r")
    assert session.calls[-1] == ("asset", "describe", anew)
    assert main(["asset", *words, "--certificate", "", "--certificate-until", ""]) == 0
    assert session.calls[-1][2][5:7] == ("", 0)


def test_an_evaluation_is_accepted_or_contested(session: FakeSession) -> None:
    assert main(["evaluation", "accept", "e"]) == 0
    assert main(["evaluation", "contest", "e", "--text", "wrong"]) == 0
    answers = [args for _contract, _method, args in session.calls]
    assert answers == [("e", True, ""), ("e", False, "wrong")]


LISTED = {
    "party": "parties",
    "catalog": "catalog",
    "demand": "demand",
    "grant": "grant",
    "task": "task",
    "product": "product",
    "deidentify": "deidentification",
    "delivery": "delivery",
    "agreement": "agreement",
    "billing": "billing",
    "rule": "rules",
    "multisig": "multisig",
    "oversight": "oversight",
    "commission": "commission",
    "asset": "asset",
    "alert": "alert",
    "incident": "incident",
    "inquiry": "inquiry",
    "evaluation": "evaluation",
    "proposal": "proposal",
}

DERIVED = {"proposal": {"about"}}  # columns that the command makes out of several fields


@pytest.mark.parametrize("noun", LISTED)
def test_records_are_listed_by_columns_that_exist_and_shown_whole(
    noun: str, session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    contract = LISTED[noun]
    record = sample_record(contract)
    session.answers = {f"{contract}.list": [record], f"{contract}.show": record}
    assert main([noun, "list", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)[0]) == set(record)
    columns = columns_of(noun, capsys)
    known = {heading(str(name)) for name in record} | DERIVED.get(noun, set())
    assert set(columns) <= known, "a column that no record has"
    assert main([noun, "show", "some-id", "--json"]) == 0
    assert next(iter(json.loads(capsys.readouterr().out))) == "id"


def sample_record(contract: str) -> dict[Key, Value]:
    """A record with the fields that the contract's list gives, each holding its own name."""
    returned = get_type_hints(contract_module(contract).list_)["return"]
    return {name: name for name in get_type_hints(get_args(returned)[0])}


def columns_of(noun: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert main([noun, "list"]) == 0
    return capsys.readouterr().out.split("\n")[0].split()


def test_an_empty_list_is_no_error(
    session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    session.answers = {"grant.list": []}
    assert main(["grant", "list"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "nothing to list" in captured.err


def test_an_invalid_grant_fails_the_check(session: FakeSession) -> None:
    session.answers = {"grant.is_valid": False}
    assert main(["grant", "check", "g"]) == 1
    session.answers = {"grant.is_valid": True}
    assert main(["grant", "check", "g"]) == 0


def test_a_search_follows_the_pages_and_stops_when_they_do_not_advance(
    session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    session.answers = {"catalog.search": {"datasets": ["a"], "next_offset": 0}}
    assert main(["catalog", "search", "claims", "--json"]) == 0
    [found] = json.loads(capsys.readouterr().out)
    assert found["id"] == "a"
    assert [method for _contract, method, _args in session.calls] == ["search", "show"]


def test_a_data_set_is_shown_with_how_its_owner_stands(
    session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    session.answers = {
        "catalog.show": {"id": "x", "owner": "health", "status": "registered"},
        "parties.show": {"id": "health", "status": "revoked"},
    }
    assert main(["catalog", "show", "x", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["status"], told["owner_status"]) == ("registered", "revoked")
    assert session.calls[-1] == ("parties", "show", ("health",))
    assert main(["catalog", "show", "x", "--lang", "zh"]) == 0
    assert "已撤销" in capsys.readouterr().out


def test_contract_arguments_are_parsed_and_passed_on(session: FakeSession) -> None:
    assert main(["contract", "call", "parties", "suspend", "p", "late again"]) == 0
    assert main(["contract", "view", "parties", "list", "0", "10"]) == 0
    assert session.calls == [
        ("parties", "suspend", ("p", "late again")),
        ("parties", "list", (0, 10)),
    ]


def test_the_checker_finds_what_the_dialect_forbids(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "contract.py"
    source.write_text("import os\n")
    assert main(["contract", "check", str(source), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)[0]["line"] == 1
    good = Path(inspect.getfile(contract_module("parties")))
    assert main(["contract", "check", str(good)]) == 0
