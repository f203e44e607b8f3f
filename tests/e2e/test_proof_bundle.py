"""Proof bundles of a running network, checked from a bare genesis file by who knows no node."""

from __future__ import annotations

import json
import random
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from crypto.providers.software import verify_batch
from ledger.bundle import (
    StateFacts,
    TransactionFacts,
    check_bundle,
    decode_bundle,
)
from ledger.errors import BundleInvalid, DecodeError
from ledger.genesis import load_genesis
from tests import bundle_opinion
from tests.e2e.harness import LocalNetwork, shuxin

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

NOWHERE = "127.0.0.1:1"  # no node answers there
CHECK_S_MAX = (
    5.0  # with the start of Python on a busy machine; docs/bundle.md has the measured time
)

OPINIONS = 40  # altered bundles shown to the slow checker


@dataclass(frozen=True, slots=True)
class Auditor:
    """A folder with nothing but the genesis and two bundles, and what they should prove."""

    folder: Path
    evidence_id: str
    transaction_id: str
    sender: str
    height: int

    def check(self, name: str) -> tuple[int, dict[str, object]]:
        result = shuxin(
            *("audit", "check", str(self.folder / name), "--json", "--node", NOWHERE),
            *("--genesis", str(self.folder / "genesis.json")),
        )
        text = result.stdout if result.returncode == 0 else result.stderr
        answer: dict[str, object] = json.loads(text)
        return result.returncode, answer

    def refusal(self, name: str) -> tuple[str, str]:
        code, answer = self.check(name)
        assert code == 1
        refused = answer["refused"]
        assert isinstance(refused, dict)
        return refused["code"], refused["detail"]


@pytest.fixture(scope="module")
def auditor(network: LocalNetwork, tmp_path_factory: pytest.TempPathFactory) -> Auditor:
    folder = tmp_path_factory.mktemp("auditor")
    name = f"proof-{secrets.token_hex(6)}"
    session = network.session("operator")
    with session.node:
        outcome = session.call(
            "evidence", "record", name, "development.result", "model-7", bytes(range(32)), "报告"
        )
    wanted = outcome.receipt.transaction_id.hex()
    home = str(network.root / "parties" / "operator")
    genesis = ("--genesis", str(network.root / "genesis.json"), "--home", home)
    for index, (noun, identifier) in enumerate((("tx", wanted), ("evidence", name))):
        node = ("--node", network.plan.nodes[index].api)
        made = shuxin(noun, "prove", identifier, "--output", str(folder / noun), *node, *genesis)
        assert made.returncode == 0, made.stderr
        assert "proven" in made.stdout
    shutil.copy(network.root / "genesis.json", folder)
    sender = network.account("operator").address
    return Auditor(folder, name, wanted, sender, outcome.height)


def test_a_transaction_is_checked_offline_and_told_in_plain_words(auditor: Auditor) -> None:
    began = time.monotonic()
    code, told = auditor.check("tx")
    assert time.monotonic() - began < CHECK_S_MAX
    assert code == 0
    assert told["sender"] == auditor.sender
    assert told["party"] == "operator"
    assert (told["contract"], told["method"]) == ("evidence", "record")
    digest = "0x" + bytes(range(32)).hex()
    assert told["arguments"] == [
        *(auditor.evidence_id, "development.result", "model-7"),
        *(digest, "报告"),
    ]
    assert told["height"] == auditor.height
    assert told["transaction"] == auditor.transaction_id
    assert told["status"] == "ok"
    sentence = str(told["verdict"])
    for part in (auditor.sender, "the party operator", "evidence.record", f"{auditor.height}"):
        assert part in sentence


def test_a_record_of_evidence_is_checked_offline_and_told_in_plain_words(auditor: Auditor) -> None:
    code, told = auditor.check("evidence")
    assert code == 0
    record = told["record"]
    assert isinstance(record, dict)
    assert (record["id"], record["party"]) == (auditor.evidence_id, "operator")
    assert record["digest"] == "0x" + bytes(range(32)).hex()
    assert record["tx_id"] == "0x" + auditor.transaction_id
    assert record["height"] == auditor.height
    assert "on record" in str(told["verdict"])


def test_people_get_the_sentence_first(auditor: Auditor) -> None:
    result = shuxin(
        "audit",
        "check",
        str(auditor.folder / "tx"),
        "--genesis",
        str(auditor.folder / "genesis.json"),
    )
    assert result.returncode == 0
    assert "proven: the account" in result.stdout


@pytest.mark.parametrize("name", ["tx", "evidence"])
def test_every_byte_of_a_bundle_flipped_in_turn_is_refused(auditor: Auditor, name: str) -> None:
    genesis = load_genesis(auditor.folder / "genesis.json")
    good = (auditor.folder / name).read_bytes()
    facts = check_bundle(decode_bundle(good), genesis, verify_batch)
    assert isinstance(facts, TransactionFacts | StateFacts)
    for position in range(len(good)):
        changed = bytearray(good)
        changed[position] ^= 1 << position % 8
        with pytest.raises((BundleInvalid, DecodeError)):
            check_bundle(decode_bundle(bytes(changed)), genesis, verify_batch)


@pytest.mark.parametrize("name", ["tx", "evidence"])
def test_a_checker_written_from_the_page_alone_agrees(auditor: Auditor, name: str) -> None:
    genesis = (auditor.folder / "genesis.json").read_bytes()
    good = (auditor.folder / name).read_bytes()
    kind, *claim = bundle_opinion.check(good, genesis)
    if name == "tx":
        assert kind == "transaction"
        assert claim[1][0].hex() == auditor.transaction_id
    else:
        assert (kind, claim[0]) == ("state", "evidence")
    draw = random.Random(1)
    for _ in range(OPINIONS):
        changed = bytearray(good)
        changed[draw.randrange(len(good))] ^= draw.randrange(1, 256)
        with pytest.raises(bundle_opinion.Refused):
            bundle_opinion.check(bytes(changed), genesis)


def test_an_altered_file_exits_1_with_a_sentence(auditor: Auditor) -> None:
    good = (auditor.folder / "tx").read_bytes()
    (auditor.folder / "short").write_bytes(good[:-1])
    (auditor.folder / "text").write_text("hello")
    note = good.index("报告".encode())
    (auditor.folder / "note").write_bytes(good[:note] + "谎话".encode() + good[note + 6 :])
    assert auditor.refusal("short")[0] == "decode_error"
    assert "not a proof bundle" in auditor.refusal("text")[1]
    code, sentence = auditor.refusal("note")
    assert code == "other_transaction"
    assert "altered" in sentence
    assert auditor.refusal("missing")[0] == "file"


def test_the_genesis_of_another_chain_is_told_apart(auditor: Auditor, tmp_path: Path) -> None:
    other = LocalNetwork(tmp_path / "net")  # made, never started
    result = shuxin(
        *("audit", "check", str(auditor.folder / "tx")),
        *("--genesis", str(other.root / "genesis.json")),
    )
    assert result.returncode == 1
    assert "refused: other_chain:" in result.stderr


def test_what_does_not_exist_is_not_proven(network: LocalNetwork, tmp_path: Path) -> None:
    output = tmp_path / "bundle"
    home = str(network.root / "parties" / "operator")
    node = ("--node", network.plan.nodes[0].api, "--output", str(output), "--home", home)
    evidence = shuxin("evidence", "prove", "never-recorded", *node)
    assert evidence.returncode == 1
    assert "evidence.unknown" in evidence.stderr
    assert shuxin("tx", "prove", "00" * 32, *node).returncode == 1
    assert not output.exists()


def test_a_folder_goes_on_record_and_one_of_its_files_is_proved_offline(
    auditor: Auditor, network: LocalNetwork, tmp_path: Path
) -> None:
    folder, name = tmp_path / "logs", f"batch-{secrets.token_hex(6)}"
    folder.mkdir()
    for number in range(7):
        (folder / f"{number}.log").write_text(f"line {number}\n")
    home = ("--home", str(network.root / "parties" / "operator"))
    about = ("--kind", "development.process", "--subject", "model-7")
    manifest, proof = str(tmp_path / "manifest"), str(tmp_path / "proof")
    record = ("evidence", "record-folder", name, str(folder), *about, "--manifest", manifest, *home)
    for _ in range(2):
        made = shuxin(*record, "--json")
        assert made.returncode == 0, made.stderr
        assert json.loads(made.stdout)["files"] == 7
    file = folder / "3.log"
    made = shuxin("evidence", "prove-file", manifest, str(file), "--output", proof, *home)
    assert made.returncode == 0, made.stderr
    genesis = ("--genesis", str(auditor.folder / "genesis.json"), "--node", NOWHERE)
    checked = shuxin("evidence", "check-file", proof, str(file), *genesis)
    assert checked.returncode == 0, checked.stderr
    assert name in checked.stdout and "operator" in checked.stdout
    file.write_text("line 4\n")
    refused = shuxin("evidence", "check-file", proof, str(file), *genesis)
    assert refused.returncode == 1 and "file_proof_invalid" in refused.stderr
