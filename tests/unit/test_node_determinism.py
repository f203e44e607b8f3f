"""The same block on five machines that agree on nothing but the rules: one root, equal gas.

Each child process has another hash seed, locale and time zone, a store and a jailed worker of
its own, and runs the path that a node runs: block making, contracts, state tree, commit.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from client.account import Account
from client.build import build_transaction
from contracts.bundle import genesis_contracts
from contracts.vm.version import VM_VERSION
from crypto import sm2
from crypto.providers.software import SoftwareProvider
from ledger.encoding import encode
from ledger.genesis import Genesis, GenesisParty, Limits, chain_id, save_genesis
from ledger.model import (
    PROTOCOL_VERSION,
    CommitCertificate,
    Proposal,
    Record,
    Transaction,
    Validator,
    ValidatorSet,
    proposal_digest,
    transaction_id,
)
from ledger.values import Value

ROOT = Path(__file__).resolve().parents[2]
PLACES = (
    ("0", "C", "UTC"),
    ("1", "C.UTF-8", "Asia/Shanghai"),
    ("42", "C", "America/New_York"),
    ("31337", "C.UTF-8", "UTC"),
    ("4294967295", "C", "Pacific/Auckland"),
)

CHILD = """
import sys
from pathlib import Path
from contracts.vm.host import Worker
from ledger.encoding import decode
from ledger.genesis import chain_id, load_genesis
from ledger.store import Store
from node.execute import ChainRules, Executor
from tests.unit.test_node_determinism import Ordered
from ledger.model import transaction_id

folder, data = Path(sys.argv[1]), Path(sys.argv[2])
genesis = load_genesis(folder / "genesis.json")
ordered = decode((folder / "ordered.bin").read_bytes(), Ordered, size_max=1 << 24)
with Worker() as engine:
    store = Store.create(data, genesis, engine.apply_genesis(genesis).writes)
    rules = ChainRules(chain_id(genesis), genesis.limits)
    bodies = {transaction_id(body): body for body in ordered.transactions}
    block, statement = Executor(store, engine, rules).deliver(
        ordered.proposal, ordered.certificate, bodies
    )
    receipts = store.receipts(1)
    store.close()
print(statement.state_root.hex(), statement.receipts_root.hex(), statement.block_hash.hex())
print([(receipt.status, receipt.gas_used) for receipt in receipts])
"""


class Ordered(Record):
    """A batch as consensus delivers it."""

    proposal: Proposal
    certificate: CommitCertificate
    transactions: tuple[Transaction, ...]


def world(folder: Path) -> None:
    """A genesis with all system contracts, and one block of calls that succeed and that fail."""
    account = Account(SoftwareProvider(sm2.generate()))
    parties = (
        GenesisParty(
            id="everything",
            name="one party in all roles",
            roles=("manager", "operator", "supplier", "consumer"),
            accounts=(account.address,),
        ),
    )
    validators = ValidatorSet((Validator("v", "everything", account.public_key, "peer"),))
    genesis = Genesis(
        version=PROTOCOL_VERSION,
        name="determinism",
        time_ms=1_700_000_000_000,
        validators=validators,
        parties=parties,
        contracts=genesis_contracts(parties, validators=validators, limits=Limits()),
        limits=Limits(),
        vm_version=VM_VERSION,
    )
    save_genesis(genesis, folder / "genesis.json")
    bodies = [
        build_transaction(
            account,
            chain_id=chain_id(genesis),
            valid_until=100,
            contract=contract,
            method=method,
            args=args,
        )
        for contract, method, args in calls()
    ]
    proposal = Proposal(
        height=1,
        transaction_ids=tuple(sorted(transaction_id(body) for body in bodies)),
        proposer=0,
        time_ms=1_700_000_001_000,
    )
    certificate = CommitCertificate(0, 1, proposal_digest(proposal), ())
    (folder / "ordered.bin").write_bytes(encode(Ordered(proposal, certificate, tuple(bodies))))


def calls() -> list[tuple[str, str, list[Value]]]:
    found: list[tuple[str, str, list[Value]]] = []
    for i in range(20):
        name = f"e-{i}"
        kind = "development.process" if i % 3 else "no.such.kind"
        found.append(("evidence", "record", [name, kind, f"s-{i % 4}", bytes(32), "n" * i]))
        schema: Value = [["cost", "int", "c"], ["plan", "str", "p"]]
        found.append(("catalog", "draft", [f"d-{i}", "", "t", "d", ["b", "a"], schema, "c", 2, i]))
        wanted = ["t", "k", "f", "q", "d", "p", "s"]
        found.append(("demand", "file", [f"q-{i}", *wanted, ["z", "y", "x"], ""]))
    found.append(("nowhere", "call", []))
    return found


@pytest.mark.slow
def test_one_block_gives_one_state_root_under_five_hash_seeds(tmp_path: Path) -> None:
    world(tmp_path)
    outcomes = set()
    for number, (seed, locale, zone) in enumerate(PLACES):
        environment = os.environ | {"PYTHONHASHSEED": seed, "LC_ALL": locale, "TZ": zone}
        environment["PYTHONPATH"] = f"{ROOT}{os.pathsep}{ROOT / 'proto' / 'gen'}"
        child = subprocess.run(
            [sys.executable, "-c", CHILD, str(tmp_path), str(tmp_path / f"ledger-{number}")],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert child.returncode == 0, child.stderr
        outcomes.add(child.stdout)
    assert len(outcomes) == 1, outcomes
    assert next(iter(outcomes)).count("(0, ") > 50, "most calls succeed"
