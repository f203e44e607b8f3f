"""Every command that a party has, on a running network: what it answers, refuses and exits with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.e2e.desk import (
    CLASS,
    DIGEST,
    MONITOR,
    ROWS,
    Desk,
    catalogued,
    computed,
    created,
    granted,
)
from tests.e2e.harness import LocalNetwork, shuxin

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CONTRACT = '''"""A register of notes."""

from contracts.dialect import Map, call, ctx, emit, require, view

notes = Map(str, str)


@call
def write(key: str, note: str) -> int:
    """Keeps a note of the sender."""
    require(note != "", "notes.empty: write at least one character")
    notes[ctx.sender + key] = note
    emit("Written", key=key)
    return len(note)


@view
def read(key: str) -> str:
    """The sender's note."""
    return notes.get(ctx.sender + key, "")
'''


@pytest.fixture
def desk(network: LocalNetwork, tmp_path: Path) -> Desk:
    return Desk(network, tmp_path)


def new_account(desk: Desk, name: str) -> str:
    """The address of a new key in the home of supplier-c."""
    return str(desk.ask("supplier-c", "key", "new", desk.name(name))["address"])


# --- parties --------------------------------------------------------------------------------


def test_a_party_is_admitted_suspended_and_readmitted(desk: Desk) -> None:
    party, address, second = desk.name("newco"), new_account(desk, "k"), new_account(desk, "l")
    terms = "--name", "新公司", "--role", "consumer", "--account", address
    assert desk.refused("operator", "party", "register", party, *terms) == "parties.role"
    desk.ask("manager", "party", "register", party, *terms)
    assert desk.refused("manager", "party", "register", party, *terms) == "parties.exists"
    assert desk.ask("consumer", "party", "whois", address)["party"] == party
    desk.ask("manager", "party", "add-account", party, second)
    desk.ask("manager", "party", "remove-account", party, second)
    assert desk.ask("manager", "party", "show", party)["accounts"] == [address]
    desk.ask("manager", "party", "suspend", party, "--reason", "audit")
    assert desk.ask("manager", "party", "show", party)["status"] == "suspended"
    desk.ask("manager", "party", "readmit", party, "--reason", "done")
    assert party in [found["id"] for found in desk.ask_list("consumer", "party", "list")]
    assert "新公司" in desk.told("consumer", "party", "list")
    key = desk.ask("supplier-c", "key", "show", desk.name("k"))
    assert key["address"] == address


def test_a_developer_applies_with_two_keys_works_for_its_sponsor_and_is_ended(desk: Desk) -> None:
    party, name = desk.name("dev"), desk.name("application")
    first, second = new_account(desk, "first"), new_account(desk, "second")
    file = str(desk.folder / "application.json")
    terms = ("--party", party, "--name", "开发社", "--role", "developer", "--sponsor", "operator")
    papers = ("--documents", DIGEST, "--expires", "+30d", "--account", second, "--output", file)
    words = ("party", "application", name, *terms, *papers, "--key", desk.name("first"))
    asked = desk.ask("supplier-c", *words)
    assert (asked["signed_by"], asked["unsigned"]) == ([first], [second])
    assert desk.refused("operator", "party", "apply", "--file", file) == "application_invalid"
    desk.ask("supplier-c", "party", "sign-application", file, "--key", desk.name("second"))
    assert desk.refused("consumer", "party", "apply", "--file", file) == "admission.role"
    desk.ask("operator", "party", "apply", "--file", file)
    assert name in [row["id"] for row in desk.ask_list("manager", "work")]
    assert desk.refused("operator", "party", "admit", name) == "admission.role"
    desk.ask("manager", "party", "admit", name, "--digest", str(asked["digest"]))
    shown = desk.ask("consumer", "party", "show", party)
    assert (shown["selected_by"], shown["approved_by"]) == ("operator", "manager")
    assert desk.ask("operator", "oversight", "show", name)["status"] == "approved"
    read = ("catalog", "list", "--key", desk.name("second"))
    desk.ask_list("supplier-c", *read)
    desk.ask("manager", "party", "revoke", party, "--reason", "gave the data away")
    assert desk.refused("supplier-c", *read) == "access.level"
    assert desk.refused("manager", "party", "readmit", party, "--reason", "x") == "parties.revoked"
    desk.ask("manager", "oversight", "end", name, "--reason", "it is revoked")


# --- the way of the data --------------------------------------------------------------------


def delivered(desk: Desk, task: str) -> None:
    product, delivery = desk.name("product"), desk.name("delivery")
    result = desk.enter("operator", "task", "result", task, "--json").out
    digest = "file:" + desk.file("result.json", result)
    text = "--task", task, "--title", "理赔统计", "--digest", digest
    desk.ask("operator", "product", "register", product, *text)
    desk.ask("manager", "product", "approve", product, "--pass")
    assert desk.ask("consumer", "product", "show", product)["status"] == "approved"
    terms = "--product", product, "--consumer", "consumer", "--agreement", DIGEST
    desk.ask("operator", "delivery", "offer", delivery, *terms, "--payload", digest)
    wrong = desk.refused("consumer", "delivery", "accept", delivery, "--digest", DIGEST)
    assert wrong == "delivery.digest"
    desk.ask("consumer", "delivery", "accept", delivery, "--digest", digest)
    assert desk.ask("operator", "delivery", "show", delivery)["status"] == "accepted"
    second = desk.name("second")
    desk.ask("operator", "delivery", "offer", second, *terms, "--payload", digest)
    desk.ask("consumer", "delivery", "reject", second, "--digest", DIGEST, "--note", "torn")
    found = {item["id"]: item["status"] for item in desk.ask_list("consumer", "delivery", "list")}
    assert (found[delivery], found[second]) == ("accepted", "rejected")


@pytest.mark.timeout(300)
def test_data_goes_from_catalog_to_delivery_by_commands_alone(desk: Desk) -> None:
    datasets = catalogued(desk)
    grant = granted(desk, datasets)
    task = computed(desk, grant, datasets)
    assert [tuple(row.values()) for row in desk.ask_list("operator", "task", "result", task)] == [
        ("a", "", "count", "20"),
        ("a", "claims", "sum", "50"),
        ("a", "claims", "mean", "2.5"),
        ("b", "", "count", None),
        ("b", "claims", "sum", None),
        ("b", "claims", "mean", None),
    ]
    assert desk.refused("consumer", "task", "result", task) == "task.receiver"
    delivered(desk, task)
    failed, cancelled = desk.name("failed"), desk.name("cancelled")
    for wanted in (failed, cancelled):
        created(desk, wanted, grant, datasets)
    desk.ask("supplier-b", "task", "fail", failed, "--reason", "no room")
    assert desk.refused("operator", "task", "expire", cancelled) == "task.early"
    desk.ask("operator", "task", "cancel", cancelled)
    assert desk.refused("operator", "task", "cancel", cancelled) == "task.ended"
    assert "no room" in desk.told("operator", "task", "list")
    desk.ask("manager", "grant", "revoke", grant, "--reason", "over")
    assert desk.ask("operator", "grant", "check", grant, code=1)["valid"] is False


def test_a_data_set_is_updated_measured_and_retired(desk: Desk) -> None:
    dataset = catalogued(desk)[0]
    words = "catalog", "update", dataset, *ROWS, "cd" * 32
    desk.ask("supplier-a", *words)
    assert desk.refused("supplier-b", *words) == "catalog.owner"
    before = desk.ask("consumer", "catalog", "version", dataset, "1")
    assert before["commitment"] == "0x" + DIGEST
    assert desk.ask("consumer", "catalog", "show", dataset)["version"] == 2
    desk.ask("operator", "quality", "measure", dataset, "--quality", "completeness=90.25")
    fallen = {item["id"]: item["fallen_ppm"] for item in desk.ask_list("manager", *MONITOR)}
    assert fallen[dataset] == 97_500
    desk.ask("supplier-a", "catalog", "retire", dataset, "--reason", "old")
    found = {item["id"]: item["status"] for item in desk.ask_list("consumer", "catalog", "list")}
    assert found[dataset] == "retired"


def test_rows_of_an_executors_home_get_into_the_catalog(desk: Desk) -> None:
    dataset = desk.name("claims")
    rows = desk.file("claims.csv", "plan,claims\nfree,12.50\n25,3.75\n")
    added = desk.ask("supplier-a", "dataset", "add", dataset, rows)
    desk.ask("supplier-a", "dataset", "register", dataset, "--title", "Claims", *CLASS)
    shown = desk.ask("consumer", "catalog", "show", dataset)
    assert shown["commitment"] == f"0x{added['commitment']}"
    assert shown["row_count"] == 2


def test_evidence_is_recorded_listed_and_shown(desk: Desk) -> None:
    record, subject = desk.name("e"), desk.name("subject")
    words = "--kind", "delivery.sent", "--subject", subject, "--digest", DIGEST, "--note", "备注"
    made = desk.ask("tech", "evidence", "record", record, *words)
    assert desk.refused("tech", "evidence", "record", record, *words) == "evidence.exists"
    listed = desk.ask_list("consumer", "evidence", "list", subject)
    assert [(item["id"], item["party"], item["note"]) for item in listed] == [
        (record, "tech", "备注")
    ]
    shown = desk.ask("consumer", "evidence", "show", record)
    assert shown["tx_id"] == f"0x{made['transaction']}"
    assert "delivery.sent" in desk.told("consumer", "evidence", "show", record)


# --- contracts ------------------------------------------------------------------------------


def test_a_contract_is_checked_deployed_called_and_ended(desk: Desk) -> None:
    source, name = desk.file("notes.py", CONTRACT), desk.name("notes")
    assert "All checks passed" in desk.told("tech", "contract", "check", source)
    assert desk.refused("consumer", "contract", "deploy", name, source) == "not_allowed"
    deployed = desk.ask("tech", "contract", "deploy", name, source)
    assert int(str(deployed["gas_used"])) > 100_000
    assert desk.ask("consumer", "contract", "call", name, "write", "k", "hello")["value"] == 5
    assert desk.refused("consumer", "contract", "call", name, "write", "k", "") == "notes.empty"
    viewed = desk.ask("consumer", "contract", "view", name, "read", "k")
    assert (viewed["value"], viewed["verified"]) == ("hello", False)
    assert desk.ask("operator", "contract", "view", name, "read", "k")["value"] == ""
    few = "contract", "call", name, "write", "k", "v", "--gas-limit", "3000"
    assert desk.refused("consumer", *few) == "out_of_gas"
    desk.ask("manager", "contract", "freeze", name, "--reason", "a finding")
    assert desk.refused("consumer", "contract", "call", name, "write", "k", "v") == (
        "contract_frozen"
    )
    desk.ask("manager", "contract", "unfreeze", name)
    newer = desk.file("two.py", CONTRACT + "\n")
    desk.ask("tech", "contract", "upgrade", name, newer, "--reason", "tidier")
    for party in ("operator", "manager"):
        desk.ask(party, "contract", "approve", name, newer)
    assert desk.told("consumer", "contract", "source", name, "--sequence", "1") == CONTRACT
    desk.ask("manager", "contract", "revoke", name, "--reason", "done")
    desk.ask("operator", "contract", "approve", name)
    assert desk.ask("consumer", "contract", "show", name)["status"] == "revoked"
    found = {item["name"]: item for item in desk.ask_list("consumer", "contract", "list")}
    assert (found[name]["sequence"], found["task"]["deployer"]) == (2, "genesis")


# --- transactions, blocks, events -----------------------------------------------------------


def sent(desk: Desk, *options: str) -> dict[str, object]:
    words = desk.name("sent"), "delivery.sent", desk.name("subject"), f"0x{DIGEST}", "str:7"
    return desk.ask("operator", "tx", "send", "evidence", "record", *words, *options)


def test_a_transaction_is_sent_shown_and_proven(desk: Desk) -> None:
    transaction = str(sent(desk)["transaction"])
    shown = desk.ask("consumer", "tx", "show", transaction)
    assert (shown["contract"], shown["method"], shown["status"]) == ("evidence", "record", "ok")
    genesis = str(desk.network.root / "genesis.json")
    proven = desk.ask("consumer", "tx", "prove", transaction, "--genesis", genesis)
    assert (proven["proven"], proven["trusting"]) == (True, genesis)
    assert int(str(proven["signatures"])) >= int(str(proven["quorum"])) == 3
    assert f"trusting:        {genesis}" in desk.told("consumer", "tx", "prove", transaction)
    assert desk.refused("consumer", "tx", "show", "00" * 32) == "not_found"


def test_a_proof_does_not_hold_under_another_genesis(desk: Desk) -> None:
    other = desk.folder / "other"
    assert shuxin("net", "new", str(other), "--no-executors").returncode == 0
    transaction = str(sent(desk)["transaction"])
    words = "tx", "prove", transaction, "--genesis", str(other / "genesis.json")
    assert desk.refused("consumer", *words) == "node.chain"


def test_a_sender_need_not_wait(desk: Desk) -> None:
    answer = sent(desk, "--no-wait")
    assert list(answer) == ["transaction"]
    again = "tx", "send", "evidence", "nothing", "--gas-limit", "10000", "--timeout", "20"
    assert desk.refused("operator", *again) == "unknown_method"


def test_blocks_are_listed_and_shown(desk: Desk) -> None:
    height = str(sent(desk)["height"])
    listed = desk.ask_list("consumer", "block", "list", "--last", "3")
    heights = [int(str(block["height"])) for block in listed]
    assert heights == sorted(heights, reverse=True)
    shown = desk.ask("consumer", "block", "show", height)
    assert shown["height"] == int(height)
    assert len(str(shown["state_root"])) == 64
    assert "execution_certificate" in desk.told("consumer", "block", "show")
    assert desk.refused("consumer", "block", "show", "99999999") == "not_found"


def test_events_are_followed_from_a_cursor_to_a_bound(desk: Desk) -> None:
    first = sent(desk)
    height = str(first["height"])
    words = "event", "follow", "--from-height", height, "--contract", "evidence"
    done = desk.enter("consumer", *words, "--count", "1", "--json")
    event = json.loads(done.out)
    assert (event["transaction"], event["name"]) == (first["transaction"], "EvidenceRecorded")
    past = "--from-index", str(event["index"] + 1), "--until-height", height
    assert desk.enter("consumer", *words, *past).out == ""
    assert "EvidenceRecorded" in desk.told("consumer", *words, "--until-height", height)


# --- nodes and ledgers ----------------------------------------------------------------------


def test_a_node_says_where_it_stands(desk: Desk) -> None:
    status = desk.ask("consumer", "node", "status")
    assert (status["phase"], status["validators"]) == ("ordering", 4)
    peers = status["peers"]
    assert isinstance(peers, list)
    assert len(peers) == 3
    api = desk.network.plan.nodes[2].api
    assert desk.ask("consumer", "node", "status", "--node", api)["name"] == "node2"
    told = desk.told("consumer", "net", "status", str(desk.network.root))
    assert told.count("ordering") == 4


def test_a_copied_ledger_is_verified_and_replayed_and_a_live_one_verifies_itself(
    desk: Desk,
) -> None:
    data = desk.network.root / "nodes" / "node3" / "data"
    assert desk.ask("manager", "node", "verify", str(data))["verdict"] == "intact"
    sent(desk)
    desk.network.wait(desk.network.agree, timeout_s=20, what="nothing is being written")
    copy = desk.folder / "data"
    shutil.copytree(data, copy, ignore=shutil.ignore_patterns("*.sock"))
    assert desk.ask("manager", "node", "verify", str(copy))["verdict"] == "intact"
    genesis = str(desk.network.root / "genesis.json")
    replayed = desk.ask("manager", "audit", "replay", str(copy), "--genesis", genesis)
    assert str(replayed["verdict"]).startswith("intact")
    missing = str(desk.folder / "nowhere")
    words = "audit", "replay", missing, "--genesis", genesis
    assert desk.refused("manager", *words) == "audit.source"
    assert desk.refused("manager", "node", "verify", missing) == "data.missing"


# --- exit codes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["demand", "show", "nothing"], "demand.unknown"),
        (["grant", "show", "nothing"], "grant.unknown"),
        (["task", "show", "nothing"], "task.unknown"),
        (["task", "list"], "task.reader"),
        (["product", "show", "nothing"], "product.unknown"),
        (["delivery", "show", "nothing"], "delivery.unknown"),
        (["catalog", "show", "nothing"], "catalog.unknown"),
        (["evidence", "show", "nothing"], "evidence.unknown"),
        (["party", "show", "nothing"], "parties.unknown"),
        (["contract", "show", "nothing"], "unknown_contract"),
        (["contract", "view", "task", "nothing"], "unknown_method"),
        (["contract", "view", "task", "show"], "bad_arguments"),
        (["tx", "send", "c", "m", "--gas-limit", "99999999999"], "transaction.gas_limit"),
        (["party", "list", "--key", "nobody"], "key.missing"),
        (["party", "list", "--node", "127.0.0.1:1"], "node_unavailable"),
        (["net", "status", "/nonexistent"], "net.missing"),
    ],
)
def test_what_is_refused_has_a_code_and_exits_with_one(
    desk: Desk, words: list[str], code: str
) -> None:
    assert desk.refused("consumer", *words) == code


def test_a_stranger_reads_nothing(desk: Desk) -> None:
    new_account(desk, "stranger")
    key = "--key", desk.name("stranger")
    assert desk.refused("supplier-c", "grant", "list", *key) == "access.level"
    assert desk.refused("supplier-c", "evidence", "show", "e", *key) == "access.level"


def test_the_installed_command_exits_with_0_1_and_2(desk: Desk) -> None:
    home = "--home", desk.home("consumer")
    done = shuxin("party", "list", "--json", *home)
    assert done.returncode == 0
    assert done.stderr.startswith("not verified: the value of parties.list is the word of ")
    assert json.loads(done.stdout)
    done = shuxin("grant", "show", "nothing", *home)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("refused: grant.unknown: ")
    done = shuxin("grant", "show", *home)
    assert done.returncode == 2
    assert "--help" in done.stderr
