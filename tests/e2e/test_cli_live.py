"""Every command that a party has, on a running network: what it answers, refuses and exits with."""

from __future__ import annotations

import contextlib
import io
import json
import secrets
import shutil
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import pytest

from cli.main import main
from executors.mpc.program import decode_program
from tests.business import CERTIFICATE
from tests.e2e.harness import LocalNetwork, shuxin
from tests.output_shares import sealed_shares

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SUPPLIERS = ("supplier-a", "supplier-b", "supplier-c")
DIGEST = "ab" * 32
PROGRAM = """
algorithm = "statistics/1"
rows = [10, 10, 10]
group_by = "plan"
groups = ["a", "b"]

[[measures]]
column = "claims"
decimals = 2
bits = 20
statistics = ["sum", "mean"]
"""
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


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


class Desk:
    """Somebody who sits before the command line and can be any party."""

    def __init__(self, network: LocalNetwork, folder: Path) -> None:
        self.network = network
        self.folder = folder
        self.run_id = secrets.token_hex(4)

    def name(self, text: str) -> str:
        """An id that no other test uses."""
        return f"{text}-{self.run_id}"

    def home(self, party: str) -> str:
        return str(self.network.root / "parties" / party)

    def enter(self, party: str, *words: str) -> Done:
        """Any command line as `party`."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([*words, "--home", self.home(party)])
        return Done(code, out.getvalue(), err.getvalue())

    def ask(self, party: str, *words: str, code: int = 0) -> dict[str, object]:
        """The JSON object that a command answers."""
        answer = self._json(party, *words, code=code)
        assert isinstance(answer, dict)
        return answer

    def ask_list(self, party: str, *words: str) -> list[dict[str, object]]:
        answer = self._json(party, *words, code=0)
        assert isinstance(answer, list)
        return answer

    def told(self, party: str, *words: str) -> str:
        """What people see."""
        done = self.enter(party, *words)
        assert done.code == 0, done.err
        return done.out

    def refused(self, party: str, *words: str) -> str:
        """The code of a command that must be refused with a sentence."""
        done = self.enter(party, *words, "--json")
        assert (done.code, done.out) == (1, ""), done
        refusal = json.loads(done.err)["refused"]
        assert len(refusal["detail"].split()) > 2, refusal
        return str(refusal["code"])

    def file(self, name: str, text: str | bytes) -> str:
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    def _json(self, party: str, *words: str, code: int) -> object:
        done = self.enter(party, *words, "--json")
        assert done.code == code, done
        return json.loads(done.out)


@pytest.fixture
def desk(network: LocalNetwork, tmp_path: Path) -> Desk:
    return Desk(network, tmp_path)


def new_account(desk: Desk, name: str) -> str:
    """The address of a new key in the home of supplier-c."""
    return str(desk.ask("supplier-c", "key", "new", desk.name(name))["address"])


def names_of(events: Sequence[dict[str, object]]) -> list[str]:
    return [f"{event['contract']}.{event['name']}" for event in events]


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


# --- the way of the data --------------------------------------------------------------------


def catalogued(desk: Desk) -> list[str]:
    """Each supplier registers a data set."""
    datasets = [desk.name(f"rows-{supplier[-1]}") for supplier in SUPPLIERS]
    columns = "--column", "plan:text", "--column", "claims:decimal:元"
    for supplier, dataset in zip(SUPPLIERS, datasets, strict=True):
        words = "--title", "理赔", "--row-count", "9", "--commitment", DIGEST, "--tag", dataset
        desk.ask(supplier, "catalog", "register", dataset, *columns, *words)
    found = desk.ask_list("consumer", "catalog", "search", "理赔", "--tag", datasets[0])
    assert [item["id"] for item in found] == datasets[:1]
    return datasets


def granted(desk: Desk, datasets: list[str]) -> str:
    """A demand is filed, prescreened, reviewed, and granted."""
    demand, grant = desk.name("demand"), desk.name("grant")
    chosen = [word for dataset in datasets for word in ("--dataset", dataset)]
    text = "--title", "保险", "--purpose", "pricing", "--need", "claims by plan"
    desk.ask("consumer", "demand", "file", demand, *text)
    assert desk.refused("consumer", "demand", "prescreen", demand, "--pass") == "demand.role"
    desk.ask("operator", "demand", "prescreen", demand, "--pass", "--note", "complete")
    desk.ask("manager", "demand", "review", demand, "--pass", *chosen)
    assert desk.ask("consumer", "demand", "show", demand)["status"] == "approved"
    terms = ["--demand", demand, "--scenario", "insurance", *chosen, "--output-kind", "statistics"]
    terms += ["--algorithm", "statistics/1", "--expires", "+2d", "--uses", "3"]
    desk.ask("operator", "grant", "request", grant, *terms)
    desk.ask("manager", "grant", "review", grant)
    desk.ask("manager", "grant", "approve", grant, "--note", "lawful")
    assert desk.ask("operator", "grant", "check", grant, code=1)["status"] == "granted"
    read = str(desk.ask("operator", "grant", "terms", grant)["digest"])
    other = desk.refused("operator", "grant", "accept", grant, "--digest", "00" * 32)
    assert other == "grant.digest"
    signed = desk.ask("operator", "grant", "accept", grant, "--digest", read)
    events = signed["events"]
    assert isinstance(events, list)
    assert names_of(events) == ["grant.Granted"]
    assert desk.ask("operator", "grant", "check", grant)["valid"] is True
    assert "insurance" in desk.told("operator", "grant", "show", grant)
    return grant


def created(desk: Desk, task: str, grant: str, datasets: list[str]) -> None:
    pairs = [f"{party}={dataset}" for party, dataset in zip(SUPPLIERS, datasets, strict=True)]
    words = ["--grant", grant, "--program", desk.file("program.toml", PROGRAM), "--deadline", "+1h"]
    words += [word for pair in pairs for word in ("--participant", pair)]
    desk.ask("operator", "task", "create", task, *words)


def computed(desk: Desk, grant: str, datasets: list[str]) -> str:
    """A task runs; the shares are made here, all else is said on the command line."""
    task = desk.name("task")
    created(desk, task, grant, datasets)
    waiting = desk.ask_list("supplier-a", "task", "open", "supplier-a")
    assert task in [item["id"] for item in waiting]
    assert desk.refused("operator", "task", "result", task) == "task.unfinished"
    offer = task, "127.0.0.1:1", f"str:{CERTIFICATE}", f"0x{DIGEST}"
    for supplier in SUPPLIERS:
        desk.ask(supplier, "contract", "call", "task", "accept", *offer)
    file = desk.ask("operator", "task", "show", task)
    program = decode_program(bytes.fromhex(str(file["program"])[2:]))
    found = {(0, "count"): Fraction(20), (0, "sum"): Fraction(5000), (0, "mean"): Fraction(250)}
    receiver = desk.network.account("operator").public_key
    shares = sealed_shares(task, program, found, receiver)
    for supplier, share in zip(SUPPLIERS, shares, strict=True):
        sealed = desk.file(f"{supplier}.share", share.sealed)
        digests = [share.program_hash, bytes(32), share.output_commitment]
        said = *[f"hex:{digest.hex()}" for digest in digests], f"file:{sealed}", "[1, 2]", "ABY3"
        desk.ask(supplier, "contract", "call", "task", "report", task, *said)
    assert "finished" in desk.told("operator", "task", "show", task)
    return task


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


def test_a_data_set_is_updated_and_withdrawn(desk: Desk) -> None:
    dataset = catalogued(desk)[0]
    columns = "--column", "plan:text"
    words = "--title", "newer", "--row-count", "10", "--commitment", "cd" * 32
    desk.ask("supplier-a", "catalog", "update", dataset, *columns, *words)
    assert desk.refused("supplier-b", "catalog", "update", dataset, *columns, *words) != ""
    before = desk.ask("consumer", "catalog", "commitment", dataset, "1")
    assert before["commitment"] == "0x" + DIGEST
    assert desk.ask("consumer", "catalog", "show", dataset)["version"] == 2
    desk.ask("supplier-a", "catalog", "withdraw", dataset, "--reason", "old")
    found = {item["id"]: item["status"] for item in desk.ask_list("consumer", "catalog", "list")}
    assert found[dataset] == "withdrawn"


def test_rows_of_an_executors_home_get_into_the_catalog(desk: Desk) -> None:
    dataset = desk.name("claims")
    rows = desk.file("claims.csv", "plan,claims\nfree,12.50\n25,3.75\n")
    added = desk.ask("supplier-a", "dataset", "add", dataset, rows)
    desk.ask("supplier-a", "dataset", "register", dataset, "--title", "Claims")
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
